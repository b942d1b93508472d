"""What the verdicts rest on: device values and counts by commune × operator, each over the window that serves it.

Joins of the steps' results, like `assemble.py`; nothing is decided here. Does not belong here: figures (`statistics.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline import hexes, judge, samples
from pipeline.facts import Facts
from pipeline.fingerprints import combined, operator_prints
from pipeline.groups import changes, medians, ratio, sequence, sums
from pipeline.rows import DAY_S, Columns, Scope, month_of_day
from pipeline.sample_facts import devices_over
from pipeline.settings import Settings
from pipeline.tables import ALL, checked, typed

UNIT = samples.UNIT


@dataclass(frozen=True)
class Evidence:
    """Device values and counts by unit, what the hexes show. Units are over their own windows, the rest over the base window."""

    devices: pd.DataFrame  # device_values
    counts: pd.DataFrame  # by unit, with its window_months
    cells: (
        pd.DataFrame
    )  # by commune, operator, device and finest cell, of tests whose position is good enough: see `_cells`
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


def evidence_of_facts(facts: Facts, names: Names, scope: Scope, window_months: int, settings: Settings) -> Evidence:
    """Facts of all shards → evidence over the base window."""
    devices, counts = units_of_facts(facts, names, scope, 0, window_months, settings)
    cells = _cells(facts["cells"], names, scope.windows[0])
    codes, seen = names.communes, facts["seen"]
    present = {
        (str(codes[zone]), names.operators[o])
        for zone, o in zip(*(seen[n].tolist() for n in ("zone", "operator")), strict=True)
    }
    day = facts["dates"]["day"]
    day = day[within_months(day, scope.windows[0])]
    phones = facts[devices_over(0)]
    return Evidence(
        devices,
        counts,
        cells,
        revisited_samples(facts["known"], names),
        sorted(settings.operators) or [names.operators[number] for number in np.unique(facts["met"]["operator"])],
        present,
        window_months,
        False,
        int(phones["samples"].sum()),
        len(pd.unique(phones["device"][phones["tests"] > 0])),
        str(day.max().astype("datetime64[D]")) if len(day) else None,
    )


def units_of_facts(
    facts: Facts, names: Names, scope: Scope, number: int, window_months: int, settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(device_values, counts by unit) over one of the scope's windows. Every valid test is in exactly one unit: asserted."""
    rows = facts[devices_over(number)]
    rows = _chosen(rows, sequence((rows["zone"], rows["operator"], rows["device"])))
    pooled_number = len(names.operators)
    named_codes = np.array([*names.operators, ALL], dtype=object)
    both = _with_phones(rows, pooled_number)
    size = len(names.communes) * (pooled_number + 1)

    def unit(table: Columns, operator: Any = None) -> npt.NDArray[np.int64]:
        of = table["operator"] if operator is None else operator
        return np.asarray(table["zone"].astype(np.int64) * (pooled_number + 1) + of)

    of_both = unit(both)

    def total(weights: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.bincount(of_both, weights=weights, minlength=size).astype(np.float64)

    def mean(total_column: str, count_column: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(mean of device means, devices)."""
        known = both[count_column] > 0
        count = total(known)
        return ratio(total(np.where(known, ratio(both[total_column], both[count_column]), 0.0)), count), count

    tests = total(both["tests"])
    assert rows["tests"].sum() == tests.reshape(len(names.communes), -1)[:, :pooled_number].sum()
    largest = np.zeros(size)
    np.maximum.at(largest, of_both, both["tests"])
    mobile, mobile_count = mean("mobile_total", "mobile_tests")
    newest, newest_count = mean("newer_raw_total", "newer_tests")
    busy, busy_count = mean("busy_total", "busy_samples")
    calm, calm_count = mean("calm_total", "calm_samples")
    months = scope.windows[number]
    signals = _chosen(facts["signals"], facts["signals"]["window"] == number)
    of_signal = unit(signals, np.where(signals["operator"] >= 0, signals["operator"], pooled_number))
    found = {
        "test_count": tests,
        "device_count": total(both["tests"] > 0),
        "raw_mean_mbps": ratio(total(both["raw_total"]), tests),
        "date_count": _distinct_dates(facts["dates"], months, unit, pooled_number, size),
        "accurate_count": total(both["accurate"]),
        "pseudo_count": np.bincount(
            np.r_[unit(rows), unit(rows, pooled_number)],
            weights=np.tile(np.where(rows["is_pseudo"], rows["tests"], 0.0), 2),
            minlength=size,
        ),
        "largest_device_tests": largest,
        "sample_count": total(both["samples"]),
        "largest_cell_samples": _largest_cells(facts["cells"], months, unit, pooled_number, size),
        "month_test_count": total(both["month_tests"]),
        "month_device_count": total(both["month_tests"] > 0),
        "month_mean_mbps": ratio(total(both["month_total"]), total(both["month_samples"])),
        "slow_hours_apart": _slow_hours_apart(facts["slow"], number, unit, pooled_number, size),
        "all_mobile_mean_mbps": mobile,
        "mobile_device_count": mobile_count,
        "device_count_5g": newest_count,
        "mean_5g_mbps": newest,
        "other_device_count": total(both["mobile_tests"] > both["tests"]),
        "busy_mean_mbps": busy,
        "busy_device_count": busy_count,
        "calm_mean_mbps": calm,
        "calm_device_count": calm_count,
        "signal_median_dbm": medians(signals["signal"], of_signal, size),
        "signal_device_count": np.bincount(of_signal, minlength=size).astype(np.float64),
    }
    further = facts["units"]
    here = further["window"] == number
    for name, column in (("failed", "failed_test_count"), ("newer", "newer_test_count"), ("older", "older_test_count")):
        own, count = unit(_chosen(further, here)), further[name][here]
        pooled = unit(_chosen(further, here), pooled_number)
        found[column] = np.bincount(np.r_[own, pooled], weights=np.r_[count, count], minlength=size)
    counts = pd.DataFrame(found, index=pd.MultiIndex.from_product([names.communes, named_codes], names=UNIT))
    is_met = (
        (tests > 0)
        | (mobile_count > 0)
        | counts[["failed_test_count", "newer_test_count", "older_test_count"]].any(axis=1)
    )
    counts = counts[is_met].sort_index()
    counts["window_months"] = float(window_months)
    least = settings.privacy.min_devices
    counts["small_operator_count"] = _small_operators(counts["device_count"], least)
    counts["small_5g_operator_count"] = _small_operators(counts["device_count_5g"], least)
    return _device_values(_chosen(rows, rows["tests"] > 0), names), counts


def within_months(day: npt.NDArray[Any], months: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Which days since 1970 lie in the months."""
    month = month_of_day(day)
    return np.asarray((month >= months[0]) & (month <= months[1]))


def _chosen(columns: Columns, rows: npt.NDArray[Any]) -> Columns:
    if rows.dtype == bool and rows.all():
        return columns
    return {name: values[rows] for name, values in columns.items()}


def _with_phones(rows: Columns, pooled: int) -> Columns:
    """The rows, and after them one row per commune and device, over its operators, under the operator's number `pooled`."""
    order = sequence((rows["zone"], rows["device"], rows["operator"]))
    starts = changes(rows["zone"][order], rows["device"][order])
    about = {"zone", "operator", "device", "is_pseudo"}
    is_one_each = len(starts) == len(order)  # no phone has two operators: nothing is to be added up
    found = {
        name: np.r_[values, values if is_one_each else sums(values[order], starts)]
        for name, values in rows.items()
        if name not in about
    }
    first = np.arange(len(order)) if is_one_each else order[starts]
    found["zone"] = np.r_[rows["zone"], rows["zone"][first]].astype(np.int64)
    found["operator"] = np.r_[rows["operator"], np.full(len(starts), pooled)].astype(np.int64)
    return found


def _device_values(rows: Columns, names: Names) -> pd.DataFrame:
    """x_i = mean of a device's samples in commune × operator. Rows of operator `all` follow: the same values, pooled over
    operators. A phone with two operators' SIM cards measures two networks and gives two values.
    """
    devices = pd.DataFrame(
        {
            "commune_code": pd.Categorical.from_codes(rows["zone"], names.communes).astype("str"),
            "operator": pd.Categorical.from_codes(rows["operator"], names.operators).astype("str"),
            "device_key": rows["device"],
            "download_mbps": rows["download_total"] / rows["samples"],
            "upload_mbps": ratio(rows["upload_total"], rows["upload_samples"]),
            "latency_ms": ratio(rows["latency_total"], rows["latency_samples"]),
            "test_count": rows["tests"],
            "sample_count": rows["samples"],
            "is_pseudo": rows["is_pseudo"].astype(bool),
        }
    )
    by_operator = operator_prints(names.operators).astype(np.uint64)
    value = combined(devices["device_key"].to_numpy(), by_operator[rows["operator"]])
    pooled = devices.assign(device_key=value, operator=ALL)
    return checked("device_values", typed("device_values", pd.concat([devices, pooled], ignore_index=True)))


def _distinct_dates(
    dates: Columns, months: tuple[int, int], unit: Any, pooled: int, size: int
) -> npt.NDArray[np.float64]:
    here = _chosen(dates, within_months(dates["day"], months))
    low = int(here["day"].min(initial=0))
    span = int(here["day"].max(initial=0)) - low + 1
    codes = np.r_[unit(here), unit(here, pooled)] * span + np.tile(here["day"] - low, 2)
    return np.bincount(np.unique(codes) // span, minlength=size).astype(np.float64)


def _largest_cells(
    cells: Columns, months: tuple[int, int], unit: Any, pooled: int, size: int
) -> npt.NDArray[np.float64]:
    """Samples of the cell that has most, by unit."""
    few = {name: cells[name] for name in ("zone", "operator", "cell", "samples")}
    here = _chosen(few, (cells["month"] >= months[0]) & (cells["month"] <= months[1]))
    largest = np.zeros(size)
    for of in (unit(here), unit(here, pooled)):
        order = sequence((of, here["cell"]))
        starts = changes(of[order], here["cell"][order])
        np.maximum.at(largest, of[order][starts], sums(here["samples"][order], starts))
    return np.where(largest > 0, largest, np.nan)


def _slow_hours_apart(slow: Columns, number: int, unit: Any, pooled: int, size: int) -> npt.NDArray[np.float64]:
    here = _chosen(slow, slow["window"] == number)
    found = np.full(size, np.nan)
    for of in (unit(here), unit(here, pooled)):
        samples_of = np.bincount(of, weights=here["samples"], minlength=size)
        codes = _distinct(of * DAY_S + here["second"], size * DAY_S)
        second = codes % DAY_S
        hours = second // 3600 + second // 60 % 60 / 60 + second % 60 / 3600
        bounds = np.r_[changes(codes // DAY_S), len(codes)]
        for start, stop in pairwise(bounds.tolist()):
            one = codes[start] // DAY_S
            if samples_of[one] > 1:
                found[one] = samples.widest_apart(hours[start:stop])
    return found


def _distinct(codes: npt.NDArray[np.int64], limit: int) -> npt.NDArray[np.int64]:
    """Distinct codes below the limit, ascending: by an array of marks where that is small enough."""
    if limit > 200_000_000:
        return np.unique(codes)
    marks = np.zeros(limit, dtype=bool)
    marks[codes] = True
    return np.flatnonzero(marks)


def _cells(cells: Columns, names: Names, months: tuple[int, int]) -> pd.DataFrame:
    """commune_code, operator, device_key, hex9_id, and of the device's samples there: test_count, sample_count, totals of
    download, upload and latency, and the samples that have these; ordered by cell, operator and device.
    """
    rows = (cells["month"] >= months[0]) & (cells["month"] <= months[1]) & (cells["close_samples"] > 0)
    named = ("zone", "operator", "device", "cell", *(name for name in cells if name.startswith("close_")))
    here = _chosen({name: cells[name] for name in named}, rows)
    here = _chosen(here, sequence((here["cell"], here["operator"], here["device"], here["zone"])))
    starts = changes(here["cell"], here["operator"], here["device"], here["zone"])  # months of one window together
    first = {name: here[name][starts] for name in ("zone", "operator", "device", "cell")}
    number, distinct = pd.factorize(first["cell"])
    texts = hexes.names(distinct)
    return pd.DataFrame(
        {
            "commune_code": pd.Categorical.from_codes(first["zone"], names.communes),
            "operator": pd.Categorical.from_codes(first["operator"], names.operators),
            "device_key": first["device"],
            "hex9_id": pd.Categorical.from_codes(number, texts.to_numpy(dtype=object)),
            "device_weight": 1.0,
            "test_count": sums(here["close_tests"], starts),
            "sample_count": sums(here["close_samples"], starts),
            "download_total": sums(here["close_total"], starts),
            "upload_total": sums(here["close_upload_total"], starts),
            "upload_count": sums(here["close_upload_samples"], starts),
            "latency_total": sums(here["close_latency_total"], starts),
            "latency_count": sums(here["close_latency_samples"], starts),
        }
    )


def revisited_samples(known: Columns, names: Names) -> pd.DataFrame:
    """Samples at the cells of gaps that were known before, one to a row."""
    return pd.DataFrame(
        {
            "commune_code": pd.Categorical.from_codes(known["zone"], names.communes).astype("str"),
            "operator": pd.Categorical.from_codes(known["operator"], names.operators).astype("str"),
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
    """Of `all` rows: how many named operators have 1 to `min_devices` − 1 devices there, in the same window.

    An operator's own row may be over a longer window and show its speeds; the `all` row must not give its short one away.
    """
    named = device_count[device_count.index.get_level_values("operator") != ALL]
    small = (named.gt(0) & named.lt(min_devices)).groupby("commune_code").sum()
    pooled = device_count.index.get_level_values("operator") == ALL
    found = device_count.index.get_level_values("commune_code").map(small)
    return pd.Series(np.where(pooled, found, 0.0), index=device_count.index).fillna(0.0)


def widened(
    base: Evidence, devices: pd.DataFrame, counts: pd.DataFrame, units: Iterable[tuple[str, str]], month_count: int
) -> Evidence:
    """The evidence with the given units taken from a longer window (METHOD §2.5), whose devices and counts these are."""
    chosen = pd.MultiIndex.from_tuples(sorted(units), names=UNIT)
    kept = base.devices[~pd.MultiIndex.from_frame(base.devices[UNIT]).isin(chosen)]
    added = devices[pd.MultiIndex.from_frame(devices[UNIT]).isin(chosen)]
    joined = pd.concat([base.counts[~base.counts.index.isin(chosen)], counts.reindex(chosen)]).sort_index()
    joined.loc[chosen, "window_months"] = float(month_count)
    values = pd.concat([kept, added]).sort_values([*UNIT, "device_key"], ignore_index=True)
    return replace(base, devices=values, counts=joined)


def gates_of(settings: Settings) -> judge.Gates:
    """The settings' `[evidence]` as the judge's gates."""
    return judge.Gates(**{name: getattr(settings.evidence, name) for name in judge.Gates.__dataclass_fields__})
