"""What the verdicts rest on: device values and counts by commune × operator, each over the window
that serves it.

Joins of the steps' results, like `assemble.py`; nothing is decided here. Does not belong here:
figures (`statistics.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.config.settings import Settings
from pipeline.hexgrid import hexes
from pipeline.hexgrid.groups import changes, medians, ratio, sequence
from pipeline.measurements import tile_values
from pipeline.measurements.facts import Facts
from pipeline.measurements.fingerprints import combined, operator_prints
from pipeline.measurements.rows import DAY_S, Columns, Scope, month_of_day, split, within
from pipeline.measurements.sample_facts import PER_UNIT, added_places, values_over
from pipeline.schema.tables import ALL, decode_labels, validated, with_declared_dtypes

UNIT = tile_values.UNIT


@dataclass(frozen=True)
class Evidence:
    """Device values and counts by unit, what the hexes show. Units are over their own windows, the
    rest over the base window.
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


@dataclass(frozen=True)
class Names:
    """What the numbers in facts stand for."""

    communes: npt.NDArray[np.object_]  # commune_code by zone
    operators: list[str]


def evidence_of_facts(
    facts: Facts, names: Names, scope: Scope, window_months: int, settings: Settings
) -> Evidence:
    """Facts of all shards → evidence over the base window."""
    devices, counts = units_of_facts(facts, names, scope, 0, window_months, settings)
    cells = _cells(facts["cells"], names)
    codes, seen = names.communes, facts["seen"]
    present = {
        (str(codes[zone]), names.operators[o])
        for zone, o in zip(*(seen[n].tolist() for n in ("zone", "operator")), strict=True)
    }
    day = facts["dates"]["day"]
    day = day[within_months(day, scope.windows[0])]
    area = facts["area"]
    everyone = (
        (area["window"] == 0) & ~area["is_newer"] & (area["operator"] == len(names.operators))
    )
    return Evidence(
        devices,
        counts,
        cells,
        revisited_samples(facts["known"], names),
        sorted(settings.operators)
        or [names.operators[number] for number in np.unique(facts["met"]["operator"])],
        present,
        window_months,
        False,
        int(area["samples"][everyone].sum()),
        int(area["devices"][everyone].sum()),
        str(day.max().astype("datetime64[D]")) if len(day) else None,
    )


def units_of_facts(
    facts: Facts, names: Names, scope: Scope, number: int, window_months: int, settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(device_values, counts by unit) over one of the scope's windows. Every valid test is in
    exactly one unit: asserted.
    """
    pooled_number = len(names.operators)
    named_codes = np.array([*names.operators, ALL], dtype=object)
    size = len(names.communes) * (pooled_number + 1)

    def unit(table: Columns, operator: Any = None) -> npt.NDArray[np.int64]:
        of = table["operator"] if operator is None else operator
        return np.asarray(table["zone"].astype(np.int64) * (pooled_number + 1) + of)

    units = _chosen(facts["units"], facts["units"]["window"] == number)
    sums_of = {
        name: np.zeros(size, dtype=np.int64) for name in units if name not in ("window", "unit")
    }
    for name, total in sums_of.items():
        add = np.maximum if name == "largest_device" else np.add
        add.at(total, units["unit"], units[name].astype(np.int64))

    def speed(total: str, count: str) -> npt.NDArray[np.float64]:
        """Mbit/s from sums in whole bit/s."""
        return ratio(sums_of[total] / PER_UNIT, sums_of[count])

    tests = sums_of["tests"].reshape(len(names.communes), -1)
    assert tests[:, :pooled_number].sum() == tests[:, pooled_number].sum()
    months = scope.windows[number]
    signals = _chosen(facts["signals"], facts["signals"]["window"] == number)
    of_signal = unit(
        signals, np.where(signals["operator"] >= 0, signals["operator"], pooled_number)
    )
    found: dict[str, npt.NDArray[Any]] = {
        "test_count": sums_of["tests"],
        "device_count": sums_of["devices"],
        "raw_mean_mbps": speed("raw", "tests"),
        "date_count": _distinct_dates(facts["dates"], months, unit, pooled_number, size),
        "accurate_count": sums_of["accurate"],
        "pseudo_count": sums_of["pseudo"],
        "largest_device_tests": sums_of["largest_device"],
        "sample_count": sums_of["samples"],
        "largest_cell_samples": _largest_cells(facts["places"], months, pooled_number, size),
        "month_test_count": sums_of["month_tests"],
        "month_device_count": sums_of["month_devices"],
        "month_mean_mbps": speed("month", "month_samples"),
        "slow_hours_apart": _slow_hours_apart(
            facts["slow"], scope, months, sums_of["slow_samples"]
        ),
        "all_mobile_mean_mbps": speed("mobile", "mobile_devices"),
        "mobile_device_count": sums_of["mobile_devices"],
        "device_count_5g": sums_of["newer_devices"],
        "mean_5g_mbps": speed("newer", "newer_devices"),
        "other_device_count": sums_of["other_devices"],
        "busy_mean_mbps": speed("busy", "busy_devices"),
        "busy_device_count": sums_of["busy_devices"],
        "calm_mean_mbps": speed("calm", "calm_devices"),
        "calm_device_count": sums_of["calm_devices"],
        "signal_median_dbm": _medians_by(signals["signal"], of_signal, size),
        "signal_device_count": np.bincount(of_signal, minlength=size),
    }
    others = _chosen(facts["others"], facts["others"]["window"] == number)
    of_others = np.r_[unit(others), unit(others, pooled_number)]
    for name, column in (
        ("failed", "failed_test_count"),
        ("newer", "newer_test_count"),
        ("older", "older_test_count"),
    ):
        found[column] = np.bincount(of_others, weights=np.tile(others[name], 2), minlength=size)
    index = pd.MultiIndex.from_product([names.communes, named_codes], names=UNIT)
    counts = pd.DataFrame(
        {name: values.astype(np.float64) for name, values in found.items()}, index=index
    )
    counted = [
        "test_count",
        "mobile_device_count",
        "failed_test_count",
        "newer_test_count",
        "older_test_count",
    ]
    counts = counts[counts[counted].any(axis=1)].sort_index()
    counts["window_months"] = float(window_months)
    least = settings.privacy.min_devices
    counts["small_operator_count"] = _small_operators(counts["device_count"], least)
    counts["small_5g_operator_count"] = _small_operators(counts["device_count_5g"], least)
    return _device_values(facts[values_over(number)], names), counts


def _medians_by(
    values: npt.NDArray[np.float64], unit: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.float64]:
    order = sequence((unit,))
    starts = changes(unit[order])
    found = np.full(size, np.nan)
    found[unit[order][starts]] = medians(values[order], starts)
    return found


def within_months(day: npt.NDArray[Any], months: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Which days since 1970 lie in the months."""
    month = month_of_day(day)
    return np.asarray((month >= months[0]) & (month <= months[1]))


def _chosen(columns: Columns, rows: npt.NDArray[Any]) -> Columns:
    if rows.dtype == bool and rows.all():
        return columns
    return {name: values[rows] for name, values in columns.items()}


def _device_values(values: Columns, names: Names) -> pd.DataFrame:
    """x_i = mean of a device's samples in commune × operator. Rows of operator `all` follow: the
    same values, pooled over operators. A phone with two operators' SIM cards measures two networks
    and gives two values.
    """
    order = sequence(
        (values["zone"], values["operator"])
    )  # devices stay in the order of the shards
    rows = {name: column[order] for name, column in values.items()}
    by_operator = operator_prints(names.operators).astype(np.uint64)
    keys = np.r_[rows["device"], combined(rows["device"], by_operator[rows["operator"]])]
    twice = {name: np.tile(rows[name], 2) for name in rows if name not in ("device", "operator")}
    operator = np.r_[rows["operator"], np.full(len(order), len(names.operators), dtype=np.int16)]
    table = pd.DataFrame(
        {
            "commune_code": decode_labels(twice["zone"], names.communes),
            "operator": decode_labels(operator, [*names.operators, ALL]),
            "device_key": keys,
            "download_mbps": twice["download"],
            "upload_mbps": twice["upload"],
            "latency_ms": twice["latency"],
            "test_count": twice["tests"].astype(np.float64),
            "sample_count": twice["samples"].astype(np.float64),
            "is_pseudo": twice["is_pseudo"],
        }
    )
    return validated("device_values", with_declared_dtypes("device_values", table))


def _distinct_dates(
    dates: Columns, months: tuple[int, int], unit: Any, pooled: int, size: int
) -> npt.NDArray[np.float64]:
    here = _chosen(dates, within_months(dates["day"], months))
    low = int(here["day"].min(initial=0))
    span = int(here["day"].max(initial=0)) - low + 1
    codes = np.r_[unit(here), unit(here, pooled)] * span + np.tile(here["day"] - low, 2)
    return np.bincount(np.unique(codes) // span, minlength=size).astype(np.float64)


def _largest_cells(
    places: Columns, months: tuple[int, int], pooled: int, size: int
) -> npt.NDArray[np.float64]:
    """Samples of the cell that has most, by unit."""
    here = _chosen(places, (places["month"] >= months[0]) & (places["month"] <= months[1]))
    zone, operator = split(here["unit"].astype(np.int64), max(pooled, 1))
    largest = np.zeros(size, dtype=np.int64)
    for of in (operator, np.full(len(zone), pooled)):
        by_cell = added_places(here | {"unit": zone * (pooled + 1) + of}, ("unit", "cell"))
        np.maximum.at(largest, by_cell["unit"], by_cell["samples"])
    return np.where(largest > 0, largest, np.nan)


def _slow_hours_apart(
    slow: Columns, scope: Scope, months: tuple[int, int], slow_samples: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """By unit: how far apart on the clock the slow samples lie, NaN where there are not two.
    `slow`: see `walk.Found`.
    """
    low, high = scope.reach
    size, count = len(scope.operators), high - low + 1
    named, month = split(np.arange(scope.zone_count * max(size, 1) * count), count)
    zone, operator = split(named, max(size, 1))
    here = within(month + low, months)[slow["code"]]
    code, second = slow["code"][here], slow["second"][here]
    found = np.full(len(slow_samples), np.nan)
    for unit in (zone * (size + 1) + operator, zone * (size + 1) + size):
        codes = _distinct(unit[code] * DAY_S + second, len(slow_samples) * DAY_S)
        of, second_of = split(codes, DAY_S)
        bounds = np.r_[changes(of), len(codes)]
        for start, stop in pairwise(bounds.tolist()):
            if slow_samples[of[start]] > 1:
                found[of[start]] = tile_values.widest_apart(second_of[start:stop])
    return found


def _distinct(codes: npt.NDArray[np.int64], limit: int) -> npt.NDArray[np.int64]:
    """Distinct codes below the limit, ascending: by an array of marks where that is small enough."""
    if limit > 200_000_000:
        return np.unique(codes)
    marks = np.zeros(limit, dtype=bool)
    marks[codes] = True
    return np.flatnonzero(marks)


def _cells(cells: Columns, names: Names) -> pd.DataFrame:
    """commune_code, operator, device_key, hex9_id, and of the device's samples there: test_count,
    sample_count, totals of download, upload and latency, and the samples that have these; a
    device's rows are together.
    """
    number, distinct = pd.factorize(cells["cell"])
    ascending = np.argsort(distinct)
    number = np.argsort(ascending)[number]
    texts = hexes.names(distinct[ascending])
    figures = {
        "test_count": "tests", "sample_count": "samples", "download_total": "total", "upload_total": "upload_total",
        "upload_count": "upload_samples", "latency_total": "latency_total", "latency_count": "latency_samples",
    }  # fmt: skip
    return pd.DataFrame(
        {
            "commune_code": pd.Categorical.from_codes(cells["zone"], names.communes),
            "operator": pd.Categorical.from_codes(cells["operator"], names.operators),
            "device_key": cells["device"],
            "hex9_id": pd.Categorical.from_codes(number, texts.to_numpy(dtype=object)),
            "device_weight": 1.0,
        }
        | {ours: cells[name] for ours, name in figures.items()},
        copy=False,
    )


def revisited_samples(known: Columns, names: Names) -> pd.DataFrame:
    """Samples at the cells of gaps that were known before, one to a row."""
    return pd.DataFrame(
        {
            "commune_code": decode_labels(known["zone"], names.communes),
            "operator": decode_labels(known["operator"], names.operators),
            "device_key": known["device"],
            "hex9_id": hexes.names(known["cell"]),
            "local_date": pd.Series(known["day"].astype("datetime64[D]").astype(str), dtype="str"),
            "is_pseudo": known["is_pseudo"],
            "test_count": known["tests"],
            "download_mbps": known["download"],
            "upload_mbps": known["upload"],
            "latency_ms": known["latency"],
        }
    ).sort_values(["hex9_id", "operator", "device_key", "local_date"], ignore_index=True)  # fmt: skip


def _small_operators(device_count: pd.Series, min_devices: int) -> pd.Series:
    """Of `all` rows: how many named operators have 1 to `min_devices` − 1 devices there, in the
    same window.

    An operator's own row may be over a longer window and show its speeds; the `all` row must not
    give its short one away.
    """
    named = device_count[device_count.index.get_level_values("operator") != ALL]
    small = (named.gt(0) & named.lt(min_devices)).groupby("commune_code").sum()
    pooled = device_count.index.get_level_values("operator") == ALL
    found = device_count.index.get_level_values("commune_code").map(small)
    return pd.Series(np.where(pooled, found, 0.0), index=device_count.index).fillna(0.0)


def widened(
    base: Evidence,
    devices: pd.DataFrame,
    counts: pd.DataFrame,
    units: Iterable[tuple[str, str]],
    month_count: int,
) -> Evidence:
    """The evidence with the given units taken from a longer window (METHOD §2.5), whose devices and
    counts these are.
    """
    chosen = pd.MultiIndex.from_tuples(sorted(units), names=UNIT)
    kept = base.devices[~pd.MultiIndex.from_frame(base.devices[UNIT]).isin(chosen)]
    added = devices[pd.MultiIndex.from_frame(devices[UNIT]).isin(chosen)]
    joined = pd.concat(
        [base.counts[~base.counts.index.isin(chosen)], counts.reindex(chosen)]
    ).sort_index()
    joined.loc[chosen, "window_months"] = float(month_count)
    values = pd.concat([kept, added]).sort_values([*UNIT, "device_key"], ignore_index=True)
    return replace(base, devices=values, counts=joined)
