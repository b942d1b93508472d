"""What is counted of rows and samples beside the device values: one statement a table.

Months are the date of their first day. Does not belong here: device values (`devices.py`).
"""

from __future__ import annotations

import polars as pl

from pipeline.hexgrid.hexes import FINE
from pipeline.measurements.prepare import REASON
from pipeline.measurements.samples import NEWER, UNIT_CODES, WIFI, during, is_valid
from pipeline.measurements.scope import Scope, Window
from pipeline.schema.tables import TECHNOLOGIES

FENCE = "coverage_only"  # reason of all fences of coverage runs
FOURTH = TECHNOLOGIES.index("4G")  # numbers below it are 2G and 3G
# A failed test with more than this found its network, and something else failed. Below every RSRP
# at which a signal is called weak (−110), and 15 dB above −140, what phones write where they
# hear nothing: Android shows no bar up to −128, other phones up to −125 or −120.
HEARD_DBM = -125.0
c = pl.col


def judged(rows: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """source, file, row, reason (null: the row counts), is_failed: METHOD §2.1, in the base window.

    A failed test is a sound one without a speed: evidence of failure, no reject and no valid test.
    """
    is_timed = c("time").is_not_null()
    reason = (
        pl.when(is_timed & ~during(scope.windows[0]))
        .then(pl.lit("outside_window", REASON))
        .when(is_timed & c("is_repeat"))
        .then(pl.lit("duplicate", REASON))
        .otherwise("reason")
    )
    return rows.select("source", "file", "row", reason=reason, is_failed=_has_no_speed())


def books(of: pl.LazyFrame) -> pl.LazyFrame:
    """By source: read_count = valid_count + failed_count + reject_count. `of`: `judged` rows."""
    is_sound = c("reason").is_null()
    return of.group_by("source").agg(
        read_count=pl.len(), valid_count=(is_sound & ~c("is_failed")).sum(),
        failed_count=(is_sound & c("is_failed")).sum(), reject_count=(~is_sound).sum(),
    )  # fmt: skip


def rejects(of: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that are set aside: source, file, row, reason. `of`: `judged` rows."""
    return of.filter(c("reason").is_not_null()).drop("is_failed")


def _has_no_speed() -> pl.Expr:
    return (c("bits") > 0).ne_missing(True)


def other_tests(rows: pl.LazyFrame) -> pl.LazyFrame:
    """UNIT_CODES, month: failed tests; those of 5G, 4G, 3G and 2G that are not the target's."""
    is_failed = c("reason").is_null() & _has_no_speed()
    is_other = c("reason") == "other_technology"
    is_placed = (c("zone") >= 0) & c("operator").is_not_null() & ~c("is_repeat")
    some = rows.filter(is_placed & (is_failed | is_other)).with_columns(month=_month())
    return some.group_by(*UNIT_CODES, "month").agg(
        failed=c("reason").is_null().sum(),
        newer=(is_other & (c("technology") == NEWER)).sum(),
        fourth=(is_other & (c("technology") == FOURTH)).sum(),
        older=(is_other & (c("technology") < FOURTH)).sum(),
    )


def tries(rows: pl.LazyFrame, drawn: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """Rows of the base window that are no valid tests of the target's technology: UNIT_CODES,
    device, cell, day, and what they are.

    is_failed (without a speed); is_newer, is_older (with a speed, of a mobile technology that comes
    after the target's or before it); is_silent (the phone found no network); is_heard (a ping was
    answered at a fence of a coverage run or in a failed test, or a failed test had a signal above
    HEARD_DBM: its server failed, not the network); is_unheard (a fence without an answer). A row
    without an operator is of the one that all the device's samples have, where that is one
    (`drawn`: `samples` of all technologies).
    """
    is_other = (c("reason") == "other_technology") & (c("technology") < WIFI) & (c("bits") > 0)
    is_older = c("technology") < scope.technology
    is_failed, is_fence = c("reason").is_null() & _has_no_speed(), c("reason") == FENCE
    was_answered = c("latency_ns") > 0
    is_fence_heard = is_fence & was_answered & (c("technology") < WIFI)
    is_test_heard = is_failed & ~c("is_uncovered") & (was_answered | (c("signal") > HEARD_DBM))
    has_none = c("technology").is_null() | (c("technology") == scope.technology)
    kinds = {
        "is_failed": is_failed & ~c("is_uncovered"),
        "is_newer": is_other & ~is_older,
        "is_older": is_other & is_older,
        "is_silent": ((c("reason") == "no_service") | is_failed) & c("is_uncovered"),
        "is_heard": is_fence_heard.fill_null(False) | is_test_heard.fill_null(False),
        "is_unheard": is_fence & (c("bits") == 0) & has_none,
    }
    here = rows.filter((c("zone") >= 0) & ~c("is_repeat") & during(scope.windows[0]))
    some = here.with_columns(**{name: one.fill_null(False) for name, one in kinds.items()})
    some = some.filter(pl.any_horizontal(*kinds))
    nameless = some.filter(c("operator").is_null()).select("device").unique()
    asked = drawn.join(nameless, on="device", how="semi")
    homes = asked.group_by("device").agg(home=c("operator").unique())
    homes = homes.filter(c("home").list.len() == 1).with_columns(c("home").list.first())
    named = some.join(homes, on="device", how="left")
    named = named.with_columns(operator=pl.coalesce("operator", "home"))
    # pings without an answer: their server was out of reach, or the phone in flight mode, unless it
    # names no network itself or had answers on that day
    was_online = c("is_uncovered") | c("is_heard").any().over("device", "day")
    named = named.filter(c("operator").is_not_null() & (~c("is_unheard") | was_online))
    return named.select(*UNIT_CODES, "device", "cell", "day", *kinds)


def attempts(tries: pl.LazyFrame) -> pl.LazyFrame:
    """UNIT_CODES, device, cell: failed, older, newer, no_service: rows of `tries` by kind.

    Of a device that made a coverage run alone they are 0: it counts, its fences do not.
    """
    return tries.group_by(*UNIT_CODES, "device", "cell").agg(
        failed=c("is_failed").sum(), older=c("is_older").sum(), newer=c("is_newer").sum(),
        no_service=c("is_silent").sum(),
    )  # fmt: skip


def usable(valid: pl.LazyFrame, tries: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """UNIT_CODES, device, cell of devices that had a usable test there, or heard the operator
    (`is_heard` of `tries`), in the base window.

    Of any mobile technology. `valid`, `tries`: those that show a signal that is still there: a site
    that goes on air takes none away.
    """
    keys = [*UNIT_CODES, "device", "cell"]
    tested = valid.filter(during(scope.windows[0])).select(keys)
    others = tries.filter(c("is_older") | c("is_newer") | c("is_heard")).select(keys)
    return pl.concat([tested, others]).unique()


def heard(rows: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """UNIT_CODES, device, cell, day, signal (dBm): valid tests of the base window with a signal."""
    some = rows.filter(is_valid() & c("signal").is_not_null() & during(scope.windows[0]))
    some = some.filter((c("zone") >= 0) & c("operator").is_not_null())
    return some.select(*UNIT_CODES, "device", "cell", "day", "signal")


def cell_signals(heard: pl.LazyFrame) -> pl.LazyFrame:
    """UNIT_CODES, device, cell: median signal of `heard` tests, dBm."""
    return heard.group_by(*UNIT_CODES, "device", "cell").agg(c("signal").median())


def cell_days(valid: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """UNIT_CODES, cell, day: days of samples of the base window, each once."""
    return valid.filter(during(scope.windows[0])).select(*UNIT_CODES, "cell", "day").unique()


def _month() -> pl.Expr:
    return c("day").dt.month_start()


def repeats_by_month(rows: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """zone, month of the tracker: rows that repeat another."""
    some = rows.filter(c("is_repeat") & (c("zone") >= 0) & during(scope.tracker))
    return some.group_by("zone", month=_month()).agg(repeats=pl.len())


def repeats_in_own_file(rows: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """source: rows of the base window that repeat one of their own file."""
    some = rows.filter(c("is_copy") & during(scope.windows[0]))
    return some.group_by("source").agg(repeats=pl.len())


def present(rows: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """UNIT_CODES: operators with any mobile test in the commune within twelve months."""
    is_placed = (c("zone") >= 0) & c("operator").is_not_null() & (c("technology") < WIFI)
    is_placed &= c("reason").ne_missing(FENCE)
    return rows.filter(is_placed & during(scope.year)).select(UNIT_CODES).unique()


def met(rows: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """operator: those with a test of the target's technology in the longest window."""
    is_test = (c("technology") == scope.technology) & (c("bits") > 0) & (c("zone") >= 0)
    some = rows.filter(is_test & during(scope.longest) & c("operator").is_not_null())
    return some.select("operator").unique()


def phones(rows: pl.LazyFrame) -> pl.LazyFrame:
    """source, device, rows: the device ids that were met, in whatever rows but fences."""
    met = rows.filter(~c("is_pseudo") & c("reason").ne_missing(FENCE))
    return met.group_by("source", "device").agg(rows=pl.len())


def signals(rows: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """UNIT_CODES (operator null: over all), device: median signal of valid tests, dBm."""
    heard = rows.filter(is_valid() & c("signal").is_not_null() & during(window))
    phones = heard.with_columns(operator=pl.lit(None, pl.Int8))
    medians = [
        one.group_by(*UNIT_CODES, "device").agg(c("signal").median()) for one in (heard, phones)
    ]
    return pl.concat(medians)


def places(valid: pl.LazyFrame) -> pl.LazyFrame:
    """UNIT_CODES, cell, month: tests and samples."""
    return valid.group_by(*UNIT_CODES, "cell", "month").agg(c("tests").sum(), samples=pl.len())


def dates(valid: pl.LazyFrame) -> pl.LazyFrame:
    """UNIT_CODES, day: tests."""
    return valid.group_by(*UNIT_CODES, "day").agg(c("tests").sum())


def slow_times(valid: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """UNIT_CODES, month, second: local times of day of samples below the target, each once."""
    is_slow = c("mean") < scope.rules.target_mbps * FINE
    return valid.filter(is_slow).select(*UNIT_CODES, "month", "second").unique()


def month_counts(months: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """zone, month of the tracker: samples and devices. `months`: `device_months`."""
    inside = months.filter(c("month").is_between(*scope.tracker))
    return inside.group_by("zone", "month").agg(c("samples").sum(), devices=c("device").n_unique())


def span_devices(months: pl.LazyFrame, span: Window) -> pl.LazyFrame:
    """zone: devices over a span."""
    inside = months.filter(c("month").is_between(*span))
    return inside.group_by("zone").agg(devices=c("device").n_unique())


def bursts(rows: pl.LazyFrame, valid: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """zone, month of the tracker: valid tests of sittings with at least `burst_min_tests`.

    A sitting is a device's tests in one cell, none longer than `burst_gap_minutes` after the one
    before. Dates that cannot hold one are left out before tests are looked at one by one: those
    with fewer tests, unless the first follows on the date before.
    """
    gap, least = scope.rules.burst_gap_minutes, scope.rules.burst_min_tests
    place = ["device", "cell", "day"]
    inside = valid.filter(during(scope.tracker))
    dates = inside.group_by(place).agg(c("tests").sum(), c("second").min())
    follows_on = c("second") <= gap * 60
    before = dates.filter(follows_on).with_columns(c("day").dt.offset_by("-1d"))
    chosen = pl.concat([dates.filter((c("tests") >= least) | follows_on), before])
    some = rows.filter(is_valid() & during(scope.tracker)).select(*place, "time", "zone")
    some = some.join(chosen, on=place, how="semi").sort("device", "cell", "time")
    begins = c("device").ne_missing(c("device").shift()) | c("cell").ne_missing(c("cell").shift())
    begins |= c("time").diff() > gap * 60_000_000
    sittings = some.with_columns(sitting=begins.cum_sum(), month=_month())
    tests = sittings.group_by("sitting", "zone", "month").agg(tests=pl.len())
    large = tests.filter(c("tests").sum().over("sitting") >= least)
    return large.group_by("zone", "month").agg(bursts=c("tests").sum())
