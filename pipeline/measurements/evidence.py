"""What verdicts rest on: device values and counts by commune × operator over their windows.

Joins of the steps' results, like `result_tables.py`; nothing is decided here. Does not belong here:
statistics (`verdicts/statistics.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
from polars.lazyframe.group_by import LazyGroupBy

from pipeline.hexgrid import hexes
from pipeline.measurements import tile_values
from pipeline.measurements.aggregates import Aggregates
from pipeline.measurements.events import OUTDATED, no_unit_events, unit_events
from pipeline.measurements.fingerprints import combined, mixed, operator_prints
from pipeline.measurements.id_signs import IdLife, id_life
from pipeline.measurements.samples import PER_UNIT, UNIT_CODES, during, mean_of
from pipeline.measurements.scope import Event, Names, Question, Window, no_names
from pipeline.measurements.strata import Strata, no_strata
from pipeline.schema.fields import ALL
from pipeline.schema.tables import decode_labels, validated, with_declared_dtypes

UNIT = tile_values.UNIT
c = pl.col


def no_cell_dates() -> pd.DataFrame:
    """What `cell_dates` gives of tiles."""
    texts = dict.fromkeys(("hex9_id", "operator", "last_test_date"), "str")
    nothing = pd.DataFrame({"hex_failed_count": []}, dtype="float64")
    return nothing.assign(**dict.fromkeys(texts)).astype(texts)


@dataclass(frozen=True)
class Evidence:
    """Device values and counts by unit, and devices by cell.

    Units are over their own windows, the rest over the base window.
    """

    devices: pd.DataFrame  # device_values
    counts: pd.DataFrame  # by unit, with its window_months
    # by commune, operator, device and finest cell, of tests whose position is good enough: see
    # `_cells`
    cells: pd.DataFrame
    revisited: pd.DataFrame  # samples at the cells of gaps that were known before
    operators: list[str]  # named operators; none for tiles
    present: set[tuple[str, str]]  # (commune, operator) with a device there within 12 months
    window_months: int
    is_tiles: bool
    sample_count: int
    device_count: int
    last_date: str | None  # local date of the last sample, YYYY-MM-DD
    strata: Strata = field(default_factory=no_strata)
    id_life: IdLife | None = None  # None of tiles
    events: pd.DataFrame = field(default_factory=no_unit_events)  # of `events.unit_events`
    cell_dates: pd.DataFrame = field(default_factory=no_cell_dates)  # of `cell_dates`
    outdated_count: int = 0  # valid tests of the base window that events leave out
    network_events: tuple[Event, ...] = ()  # up to the window's last day
    first_day: date | None = None  # of the base window; None of tiles
    names: Names = field(default_factory=no_names)


def evidence_of_tests(
    found: Aggregates, question: Question, window_months: int, shown_min_devices: int
) -> Evidence:
    """Aggregates → evidence over the base window.

    `shown_min_devices`: a smaller operator's speeds are not published.
    """
    names, scope = question.names, question.scope
    devices, counts = units_over(found, question, 0, window_months, shown_min_devices)
    seen = found["present"].unique().iter_rows()
    present = {(str(names.communes[zone]), names.operators[o]) for zone, o in seen}
    last = found["dates"].filter(during(scope.windows[0]))["day"].max()
    area = found["area 0"]
    met = found["met"]["operator"].unique().sort().to_list()
    return Evidence(
        devices,
        counts,
        _cells(found["cells"], names),
        revisited_samples(found["known"], names),
        sorted(scope.rules.operators) or [names.operators[number] for number in met],
        present,
        window_months,
        False,
        int(area["samples"].sum()),
        area["device"].n_unique(),
        str(last) if last is not None else None,
        id_life=id_life(found),
        events=unit_events(found["events 0"], names, scope.events),
        cell_dates=cell_dates(found, names),
        outdated_count=int(found["events 0"].filter(c(OUTDATED))["tests"].sum()),
        network_events=scope.events,
        first_day=scope.windows[0][0],
        names=names,
    )


def units_over(
    found: Aggregates, question: Question, number: int, window_months: int, shown_min_devices: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(device_values, counts by unit) over one of the scope's windows.

    Every valid test is in exactly one unit: asserted.
    """
    names = question.names
    figures = _figures(_joined(found, names, number, question.scope.windows[number]))
    communes = names.communes[figures["zone"].to_numpy()]
    operators = np.array([*names.operators, ALL], dtype=object)[figures["operator"].to_numpy()]
    counts = figures.drop(UNIT_CODES).cast(pl.Float64).to_pandas()
    counts.index = pd.MultiIndex.from_arrays([communes, operators], names=UNIT)
    counts = counts.sort_index()
    counts["window_months"] = float(window_months)
    for name, of in (
        ("small_operator_count", "device_count"),
        ("small_5g_operator_count", "device_count_5g"),
    ):
        counts[name] = _small_operators(counts[of], shown_min_devices)
    return _device_values(found[f"values {number}"], names), counts


def _joined(found: Aggregates, names: Names, number: int, window: Window) -> pl.DataFrame:
    """Everything that is counted over a window, a row per unit and per pooled unit."""
    units = (
        found[f"units {number}"]
        .group_by(UNIT_CODES)
        .agg(c("largest_device").max(), pl.all().exclude("largest_device").sum())
    )
    pooled = c("operator") == names.pooled
    tests = units.select(c("tests").filter(pooled).sum(), named=c("tests").filter(~pooled).sum())
    assert tests["tests"].item() == tests["named"].item()
    inside = c("month").is_between(*window)

    def by_unit(table: pl.DataFrame, *keys: str) -> LazyGroupBy:
        everyone = table.lazy().with_columns(operator=pl.lit(names.pooled, pl.Int8))
        return pl.concat([table.lazy(), everyone]).group_by(*UNIT_CODES, *keys)

    dates = found["current dates"].filter(during(window))
    in_cells = by_unit(found["places"].filter(inside), "cell").agg(c("samples").sum())
    largest = in_cells.group_by(UNIT_CODES).agg(largest_cell=c("samples").max())
    signals = found[f"signals {number}"].with_columns(c("operator").fill_null(names.pooled))
    marked = _marked_counts(found[f"values {number}"], found["marked devices"], names)
    slow = by_unit(found["slow"].filter(inside)).agg(c("second").unique().sort())
    kinds = c("failed", "newer", "fourth", "older")
    others = by_unit(found["uncounted"].filter(inside)).agg(kinds.sum())
    return (
        units.lazy()
        .join(others, on=UNIT_CODES, how="full", coalesce=True)
        .join(
            by_unit(dates).agg(dates=c("day").n_unique(), last_day=c("day").max()),
            on=UNIT_CODES, how="left",
        )
        .join(largest, on=UNIT_CODES, how="left")
        .join(
            signals.lazy().group_by(UNIT_CODES).agg(c("signal").median(), heard=pl.len()),
            on=UNIT_CODES, how="left",
        )
        .join(slow, on=UNIT_CODES, how="left")
        .join(marked, on=UNIT_CODES, how="left")
        .collect()
    )  # fmt: skip


def _marked_counts(values: pl.DataFrame, marked: pl.DataFrame, names: Names) -> pl.LazyFrame:
    """UNIT_CODES (and the pooled unit): devices in two places at once, and in crowds.

    A phone with two operators' SIM cards is one device of the pooled unit.
    """
    signs = [name for name in marked.columns if name != "device"]
    some = values.lazy().select(*UNIT_CODES, "device").join(marked.lazy(), on="device")
    phones = some.with_columns(operator=pl.lit(names.pooled, pl.Int8)).unique()
    return pl.concat([some, phones]).group_by(UNIT_CODES).agg(c(signs).sum())


def _figures(table: pl.DataFrame) -> pl.DataFrame:
    """The published names and units of what was joined, of units that have any test."""

    def speed(total: str, count: str) -> pl.Expr:
        """Mbit/s from a sum in whole bit/s."""
        return pl.when(c(count) > 0).then(c(total) / PER_UNIT / c(count))

    apart = [
        tile_values.widest_apart(seconds.to_numpy()) if seconds is not None and count > 1 else None
        for seconds, count in zip(table["second"], table["slow_samples"].fill_null(0), strict=True)
    ]
    figures = table.with_columns(apart=pl.Series(apart, dtype=pl.Float64)).select(
        *UNIT_CODES, test_count="tests", device_count="devices",
        raw_mean_mbps=speed("raw", "tests"), date_count="dates", accurate_count="accurate",
        pseudo_count="pseudo", largest_device_tests="largest_device", sample_count="samples",
        largest_cell_samples="largest_cell", month_test_count="month_tests",
        month_device_count="month_devices", earlier_device_count="earlier_devices",
        dropped_device_count="dropped_devices", month_mean_mbps=speed("month", "month_samples"),
        slow_hours_apart="apart", all_mobile_mean_mbps=speed("mobile", "mobile_devices"),
        mobile_device_count="mobile_devices", device_count_5g="newer_devices",
        mean_5g_mbps=speed("newer", "newer_devices"), other_device_count="other_devices",
        busy_mean_mbps=speed("busy", "busy_devices"), busy_device_count="busy_devices",
        calm_mean_mbps=speed("calm", "calm_devices"), calm_device_count="calm_devices",
        signal_median_dbm="signal", signal_device_count="heard",
        failed_test_count="failed", newer_test_count="newer", test_count_4g="fourth",
        older_test_count="older", fast_test_count="fast",
        last_day=c("last_day").dt.epoch("d"), two_places_device_count="is_in_two_places",
        crowd_device_count="is_in_crowd",
    )  # fmt: skip
    numbered = (r"^.*_count(_\dg)?$", "largest_device_tests")
    return figures.with_columns(c(*numbered).fill_null(0)).filter(
        pl.any_horizontal(c("test_count", "mobile_device_count", "failed_test_count",
                            "newer_test_count", "test_count_4g", "older_test_count",
                            "month_test_count") > 0)
    )  # fmt: skip


def _device_values(values: pl.DataFrame, names: Names) -> pd.DataFrame:
    """Device values x_i: the mean of a device's samples in commune × operator.

    Rows of operator `all` follow: the same values, pooled over operators. A phone with two
    operators' SIM cards measures two networks and gives two values.
    """
    order = pl.Series("order", mixed(values["device"].to_numpy()))
    rows = values.with_columns(order).sort(*UNIT_CODES, "order")
    device, operator = rows["device"].to_numpy(), rows["operator"].to_numpy()
    by_operator = operator_prints(names.operators).astype(np.uint64)
    twice = pl.concat([rows, rows])
    pooled = np.full(len(device), names.pooled, dtype=np.int8)
    table = pd.DataFrame(
        {
            "commune_code": decode_labels(twice["zone"].to_numpy(), names.communes),
            "operator": decode_labels(np.r_[operator, pooled], [*names.operators, ALL]),
            "device_key": np.r_[device, combined(device, by_operator[operator])],
            "download_mbps": mean_of(twice, "download", "samples"),
            "capped_mbps": mean_of(twice, "capped", "samples"),
            "month_mbps": mean_of(twice, "lately_total", "lately_samples"),
            "upload_mbps": mean_of(twice, "upload_total", "uploads"),
            "latency_ms": mean_of(twice, "latency_total", "latencies"),
            "test_count": twice["tests"].to_numpy().astype(np.float64),
            "sample_count": twice["samples"].to_numpy().astype(np.float64),
            "device_weight": 1.0,
            "is_pseudo": twice["is_pseudo"].to_numpy(),
        }
    )
    return validated("device_values", with_declared_dtypes("device_values", table))


def _cells(cells: pl.DataFrame, names: Names) -> pd.DataFrame:
    """Devices by finest cell; a device's rows are together.

    Columns commune_code, operator, device_key, hex9_id, and of the device's samples there:
    test_count, sample_count, totals of download, upload and latency, and the samples that have
    these.
    """
    columns = {name: cells[name].to_numpy() for name in cells.columns}
    distinct, number = np.unique(columns["cell"], return_inverse=True)
    texts = pd.Index(hexes.names(distinct), dtype="str")
    totals = {
        f"{ours}_total": mean_of(cells, name)
        for ours, name in (
            ("download", "download"), ("upload", "upload_total"), ("latency", "latency_total"),
        )
    }  # fmt: skip
    counts = {
        "test_count": "tests", "sample_count": "samples", "upload_count": "uploads",
        "latency_count": "latencies",
    }  # fmt: skip
    return pd.DataFrame(
        {
            "commune_code": pd.Categorical.from_codes(
                columns["zone"], pd.Index(names.communes, dtype="str")
            ),
            "operator": pd.Categorical.from_codes(
                columns["operator"], pd.Index(names.operators, dtype="str")
            ),
            "device_key": columns["device"],
            "hex9_id": pd.Categorical.from_codes(number, texts),
            "device_weight": 1.0,
        }
        | totals
        | {ours: columns[name] for ours, name in counts.items()},
        copy=False,
    )


def cell_dates(found: Aggregates, names: Names) -> pd.DataFrame:
    """hex9_id, operator, hex_failed_count, last_test_date (text) of the base window.

    By finest cell; of failed tests and of valid ones, whatever the accuracy of their positions.
    """
    keys = ["operator", "cell"]
    last = found["strata 0"].group_by(keys).agg(c("last").max().cast(pl.String))
    failed = found["attempts"].group_by(keys).agg(c("failed").sum().cast(pl.Float64))
    both = last.join(failed, on=keys, how="left").sort(keys).with_columns(c("failed").fill_null(0))
    return pd.DataFrame(
        {
            "hex9_id": hexes.names(both["cell"].to_numpy()),
            "operator": decode_labels(both["operator"].to_numpy(), names.operators),
            "hex_failed_count": both["failed"].to_numpy(),
            "last_test_date": both["last"].to_pandas().astype("str"),
        }
    )


def revisited_samples(known: pl.DataFrame, names: Names) -> pd.DataFrame:
    """Samples at the cells of gaps that were known before, one to a row."""
    day = known["day"].cast(pl.String).to_pandas().astype("str")
    samples = pd.DataFrame(
        {
            "commune_code": decode_labels(known["zone"].to_numpy(), names.communes),
            "operator": decode_labels(known["operator"].to_numpy(), names.operators),
            "device_key": known["device"].to_numpy(),
            "hex9_id": hexes.names(known["cell"].to_numpy()),
            "local_date": day,
            "is_pseudo": known["is_pseudo"].to_numpy(),
            "test_count": known["tests"].to_numpy().astype(np.float64),
            "download_mbps": mean_of(known, "download"),
            "upload_mbps": mean_of(known, "upload"),
            "latency_ms": mean_of(known, "latency"),
        }
    )
    order = ["hex9_id", "operator", "device_key", "local_date"]
    return samples.sort_values(order, ignore_index=True)


def no_revisited_samples() -> pd.DataFrame:
    """What `revisited_samples` gives where no gap was known."""
    numbers = {
        "zone": pl.Int32(),
        "operator": pl.Int8(),
        "device": pl.UInt64(),
        "cell": pl.UInt64(),
    }
    others = {"day": pl.Date(), "is_pseudo": pl.Boolean()}
    figures = dict.fromkeys(("tests", "download", "upload", "latency"), pl.Int64())
    nothing = pl.DataFrame(schema={**numbers, **others, **figures})
    return revisited_samples(nothing, Names(np.zeros(0, dtype=object), []))


def _small_operators(device_count: pd.Series, min_devices: int) -> pd.Series:
    """Of `all` rows: how many named operators have 1 to `min_devices` − 1 devices there.

    An operator's own row may be over a longer window and show its speeds; the `all` row must not
    give its short one away.
    """
    named = device_count[device_count.index.get_level_values("operator") != ALL]
    small = (named.gt(0) & named.lt(min_devices)).groupby("commune_code").sum()
    pooled = device_count.index.get_level_values("operator") == ALL
    found = small.reindex(device_count.index.get_level_values("commune_code")).to_numpy()
    return pd.Series(np.where(pooled, found, 0.0), index=device_count.index).fillna(0.0)


@dataclass(frozen=True)
class Longer:
    """A longer window of `month_count` months: figures as in `Evidence`, `sums` by place."""

    month_count: int
    devices: pd.DataFrame
    counts: pd.DataFrame
    sums: pd.DataFrame
    events: pd.DataFrame


def widened(base: Evidence, longer: Longer, units: Iterable[tuple[str, str]]) -> Evidence:
    """The evidence with the given units taken from a longer window (METHOD §2.5)."""
    chosen = pd.MultiIndex.from_tuples(sorted(units), names=UNIT)

    def exchanged(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
        kept = ours[~pd.MultiIndex.from_frame(ours[UNIT]).isin(chosen)]
        return pd.concat([kept, theirs[pd.MultiIndex.from_frame(theirs[UNIT]).isin(chosen)]])

    joined = pd.concat(
        [base.counts[~base.counts.index.isin(chosen)], longer.counts.reindex(chosen)]
    ).sort_index()
    joined.loc[chosen, "window_months"] = float(longer.month_count)
    values = exchanged(base.devices, longer.devices)
    values = values.sort_values([*UNIT, "device_key"], ignore_index=True)
    places = exchanged(base.strata.sums, longer.sums)
    places = places.sort_values([*UNIT, "stratum"], ignore_index=True)
    events = [
        base.events[~base.events.index.isin(chosen)],
        longer.events[longer.events.index.isin(chosen)],
    ]
    some = [one for one in events if len(one)] or [no_unit_events()]
    return replace(
        base,
        devices=values,
        counts=joined,
        strata=replace(base.strata, sums=places),
        events=pd.concat(some).sort_index(),
    )
