"""Samples → device values (METHOD §2.3) and what they add up to by commune × operator.

One device, one vote: the mean of its samples. Sums of means stay whole numbers, in 1 / FINE Mbit/s
(ms): they are divided where they are used, and so the same in shards of any size.
Does not belong here: intervals and probabilities (`verdicts/statistics.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.hexgrid.hexes import FINE
from pipeline.measurements.samples import NEWER, PER_UNIT, UNIT_CODES, during
from pipeline.measurements.scope import Scope, Window

# samples, and sums of their means in 1 / FINE Mbit/s (ms) with how many samples have these
FIGURES = ("samples", "download", "upload_total", "uploads", "latency_total", "latencies")
# the same of speeds up to the cap, and of the report month
CHECKS = ("capped", "lately_samples", "lately_total")
c = pl.col


def device_months(valid: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """Device × commune × operator × month, of samples of the target's technology.

    is_pseudo; tests, accurate, fast, raw (sum of bit/s), samples, slow_samples (below the target),
    sums of sample means download, capped, upload_total, latency_total with their counts uploads,
    latencies, and of busy hours busy, busy_samples.
    """
    first, last = scope.rules.busy_hours
    is_busy = c("second").is_between(first * 3600, last * 3600, closed="left")
    is_slow = c("mean") < scope.rules.target_mbps * FINE
    return valid.group_by(*UNIT_CODES, "device", "month").agg(
        c("is_pseudo").any(), c("tests", "accurate", "fast", "capped").sum(), raw=c("bits").sum(),
        samples=pl.len(), slow_samples=is_slow.sum(), download=c("mean").sum(),
        upload_total=c("upload").sum(), uploads=c("upload").count(),
        latency_total=c("latency").sum(), latencies=c("latency").count(),
        busy=pl.when(is_busy).then("mean").sum(), busy_samples=is_busy.sum(),
    )  # fmt: skip


def other_months(others: pl.LazyFrame) -> pl.LazyFrame:
    """The same of the other mobile technologies; `newer_`: of 5G alone."""

    def newer(name: str) -> pl.Expr:
        return pl.when(c("technology") == NEWER).then(name)

    return others.group_by(*UNIT_CODES, "device", "month").agg(
        other_is_pseudo=c("is_pseudo").any(), other_tests=c("tests").sum(),
        other_raw=c("bits").sum(),
        newer_tests=newer("tests").sum(), newer_raw=newer("bits").sum(),
        newer_samples=newer("tests").count(), newer_download=newer("mean").sum(),
        newer_upload_total=newer("upload").sum(), newer_uploads=newer("upload").count(),
        newer_latency_total=newer("latency").sum(), newer_latencies=newer("latency").count(),
    )  # fmt: skip


@dataclass(frozen=True)
class AllMonths:
    """`device_months` of the samples that events left, of all samples, and `other_months`."""

    current: pl.LazyFrame
    official: pl.LazyFrame
    others: pl.LazyFrame


def devices_over(window: Window, months: AllMonths, scope: Scope) -> pl.LazyFrame:
    """Device × commune × operator: the sums of both kinds of months over a window, 0 where none.

    Of the report month: `month_`: tests, samples, total of all samples (the official figures);
    `lately_`: tests, samples, total of those that events left.
    """
    keys = [*UNIT_CODES, "device"]

    def over(table: pl.LazyFrame) -> pl.LazyFrame:
        inside = table.filter(c("month").is_between(*window)).group_by(keys)
        sums = pl.all().exclude(*keys, "month", "^.*is_pseudo$").sum()
        return inside.agg(c("^.*is_pseudo$").any(), sums)

    is_reported = (c("month") == scope.report_month) & c("month").is_between(*window)
    of_month = months.official.filter(is_reported).select(
        *keys, month_tests="tests", month_samples="samples", month_total="download"
    )
    both = over(months.current).join(over(months.others), on=keys, how="full", coalesce=True)
    pseudo = pl.coalesce("is_pseudo", "other_is_pseudo")
    both = both.with_columns(is_pseudo=pseudo).drop("other_is_pseudo")
    if not scope.events:
        both = both.join(of_month, on=keys, how="left")
        return both.with_columns(
            lately_tests="month_tests", lately_samples="month_samples", lately_total="month_total"
        ).fill_null(0)
    lately = months.current.filter(is_reported).select(
        *keys, lately_tests="tests", lately_samples="samples", lately_total="download"
    )
    both = both.join(of_month, on=keys, how="full", coalesce=True)
    both = both.join(lately, on=keys, how="left")
    return both.with_columns(c("is_pseudo").fill_null(value=False)).fill_null(0)


def device_values(devices: pl.LazyFrame) -> pl.LazyFrame:
    """What device values by commune × operator are made of: METHOD §2.3.

    FIGURES, CHECKS, is_pseudo, tests.
    """
    values = devices.filter(c("tests") > 0)
    return values.select(*UNIT_CODES, "device", "is_pseudo", "tests", *FIGURES, *CHECKS)


def units(devices: pl.LazyFrame, pooled: int) -> pl.LazyFrame:
    """Counts and sums by commune × operator, and under the number `pooled` over all operators.

    tests, raw (bit/s), accurate, fast (tests above the cap), samples, slow_samples, devices, pseudo
    (tests), largest_device (its tests), month_tests, month_samples, month (bit/s), month_devices,
    other_devices, earlier_devices (with tests of before the report month), dropped_devices (with
    tests of the report month that events leave out); sums in bit/s over devices of their mean:
    mobile (tests of all mobile technologies), newer (5G), busy and calm (samples at busy hours and
    at others), each with its `_devices`.
    A phone with two operators' SIM cards is one device of the pooled row.
    """
    counts = pl.all().exclude(*UNIT_CODES, "device", "is_pseudo").sum()
    phones = devices.group_by("zone", "device").agg(c("is_pseudo").any(), counts)
    phones = phones.with_columns(operator=pl.lit(pooled, pl.Int8))
    members = pl.concat([devices, phones], how="diagonal").with_columns(
        calm=c("download") - c("busy"), calm_samples=c("samples") - c("busy_samples"),
        mobile=c("raw") + c("other_raw"), mobile_tests=c("tests") + c("other_tests"),
    )  # fmt: skip

    def mean_bits(total: str, count: str, per: float) -> pl.Expr:
        exact = c(total) / per / c(count)
        return pl.when(c(count) > 0).then(exact.round().cast(pl.Int64)).sum()

    per, bits = FINE / PER_UNIT, pl.Int64
    has = {name: (c(count) > 0).sum() for name, count in {
        "devices": "tests", "month_devices": "month_tests", "other_devices": "other_tests",
        "mobile_devices": "mobile_tests", "newer_devices": "newer_tests",
        "busy_devices": "busy_samples", "calm_devices": "calm_samples",
    }.items()}  # fmt: skip
    added = (
        "tests",
        "raw",
        "accurate",
        "fast",
        "samples",
        "slow_samples",
        "month_tests",
        "month_samples",
    )
    return members.group_by(UNIT_CODES).agg(
        c(added).sum(), pseudo=pl.when("is_pseudo").then("tests").sum(),
        earlier_devices=(c("tests") > c("lately_tests")).sum(),
        dropped_devices=(c("month_tests") > c("lately_tests")).sum(),
        largest_device=c("tests").max(), month=(c("month_total") / per).round().cast(bits).sum(),
        mobile=mean_bits("mobile", "mobile_tests", 1),
        newer=mean_bits("newer_raw", "newer_tests", 1),
        busy=mean_bits("busy", "busy_samples", per), calm=mean_bits("calm", "calm_samples", per),
        **has,
    )  # fmt: skip


def area_values(months: pl.LazyFrame, window: Window, prefix: str = "") -> pl.LazyFrame:
    """What a device's values over the whole area are made of, by operator.

    operator, device, tests, FIGURES. `prefix`: `newer_` of 5G.
    """
    here = months.filter(c("month").is_between(*window) & (c(prefix + "samples") > 0))
    sums = {name: c(prefix + name).sum() for name in ("tests", *FIGURES)}
    return here.group_by("operator", "device").agg(**sums)


def cells(valid: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """Device × commune × operator × finest cell, of tests of the base window fit for hexes.

    FIGURES and tests of the device's samples there (METHOD §5).
    """
    here = valid.filter((c("close") > 0) & during(scope.windows[0]))
    return here.group_by(*UNIT_CODES, "device", "cell").agg(
        tests=c("close").sum(), samples=pl.len(), download=c("close_mean").sum(),
        upload_total=c("close_upload").sum(), uploads=c("close_upload").count(),
        latency_total=c("close_latency").sum(), latencies=c("close_latency").count(),
    )  # fmt: skip


def strata(valid: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """Device × commune × operator × finest cell over a window, of all valid tests.

    tests, samples; sums of their means download, and of speeds up to the cap capped; last (day).
    """
    here = valid.filter(during(window)).group_by(*UNIT_CODES, "device", "cell")
    return here.agg(
        c("tests").sum(), samples=pl.len(), download=c("mean").sum(), capped=c("capped").sum(),
        last=c("day").max(),
    )  # fmt: skip


def known_samples(valid: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """Samples of the base window at cells of gaps that are known already, one to a row.

    UNIT_CODES, device, cell, day, is_pseudo, tests, and their means download, upload, latency.
    """
    here = c("cell").is_in(scope.known_cells.implode()) & (c("close") > 0)
    return valid.filter(here & during(scope.windows[0])).select(
        *UNIT_CODES, "device", "cell", "day", "is_pseudo", tests="close", download="close_mean",
        upload="close_upload", latency="close_latency",
    )  # fmt: skip
