"""Facts that are made of samples (METHOD §2.2): device values, sums by unit, cells, places, months,
places of gaps that are known.

One device's tests in one commune × operator × technology × cell × local date make a sample: their
mean. Sums over devices are in whole bit/s (latency: whole ns), so that they do not hang on the
order in which shards come. Does not belong here: what is counted by rows (`facts.py`), the loop
itself (`walk.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.hexgrid.groups import (
    changes,
    compiled,
    mean_of_known,
    numbered,
    ratio,
    sequence,
    sums,
)
from pipeline.measurements import clean, walk
from pipeline.measurements.rows import (
    ACCURATE,
    CLOSE,
    PSEUDO,
    Column,
    Columns,
    Rows,
    Scope,
    is_valid,
    packed,
    split,
    within,
)

PER_UNIT = 1e6  # bit/s per Mbit/s, ns per ms
# means of device means: (sum, count) by the columns of `walk.FIGURES`
_OF = {
    "mobile": ("mobile_total", "mobile_tests"), "newer": ("newer_raw_total", "newer_tests"),
    "busy": ("busy_total", "busy_samples"), "calm": ("calm_total", "calm_samples"),
}  # fmt: skip


@dataclass(frozen=True)
class _Groups:
    """Devices in communes × operators, in the rows' order."""

    device: npt.NDArray[np.uint64]
    zone: npt.NDArray[np.int64]
    operator: npt.NDArray[np.int64]
    is_pseudo: npt.NDArray[np.bool_]


def facts_of_samples(rows: Rows, scope: Scope) -> dict[str, Columns]:
    """What is made of samples: device values, units' sums, cells, places, months, and what is known
    of gaps' places.
    """
    sound = is_valid(rows)
    valid = np.flatnonzero(sound)
    mobile = clean.is_mobile(
        np.where(rows.repeat, clean.REASON["duplicate"], rows["own"]).astype(np.int8), rows["technology"],
        rows.operator >= 0, rows["download"], scope.max_download_mbps,
    )  # fmt: skip
    mobile &= rows["zone"] >= 0
    groups, walked = _walked(rows, sound, mobile)
    asked = _asked(scope)
    found = _room(walked, asked, scope)
    counts = compiled(walk.walk)(walked, asked, found)
    compiled(walk.count_bursts)(walked, asked, found)
    crowded = ~walked.is_alone[walked.group[valid]] & within(rows.month[valid], scope.months)
    return {
        **_values(groups, found.figures, scope),
        "signals": _signals(rows, scope, valid),
        **_counted(
            rows, scope, groups, walked, found, counts, _bursts(rows, scope, valid[crowded])
        ),
        "known": _known(rows, scope, valid),
    }


def values_over(window: int) -> str:
    """The name of the device values over a window."""
    return f"values {window}"


def area_over(window: int) -> str:
    """The name of the devices' values over the whole area, over a window."""
    return f"area {window}"


def _walked(
    rows: Rows, sound: npt.NDArray[np.bool_], mobile: npt.NDArray[np.bool_]
) -> tuple[_Groups, walk.Walked]:
    device, unit = rows["device"], rows.unit()
    starts = changes(device, unit)
    zone, operator = (values[starts].astype(np.int64) for values in (rows["zone"], rows.operator))
    flags = rows["flags"]
    groups = _Groups(device[starts], zone, operator, flags[starts] & PSEUDO > 0)
    phones = changes(groups.device, groups.zone)
    devices = numbered(changes(groups.device), len(starts))
    kind = sound * np.uint8(walk.VALID) + mobile * np.uint8(walk.MOBILE)
    kind += (mobile & (rows["technology"] == 3)) * np.uint8(walk.NEWER)
    kind += (flags & CLOSE > 0) * np.uint8(walk.IS_CLOSE) + (flags & ACCURATE > 0) * np.uint8(
        walk.IS_ACCURATE
    )
    return groups, walk.Walked(
        rows.key, numbered(starts, len(device)), rows["cell"], rows.month, rows.day, rows.second, rows["time"], kind,
        rows["download"], rows["upload"], rows["latency"], unit[starts], zone, numbered(phones, len(starts)),
        np.bincount(devices)[devices] == 1,
    )  # fmt: skip


def _asked(scope: Scope) -> walk.Asked:
    low, high = scope.reach
    return walk.Asked(
        np.array(scope.windows), np.array(scope.spans).reshape(-1, 2), scope.months, low, high - low + 1,
        scope.report_month, scope.busy_hours[0] * 3600.0, scope.busy_hours[1] * 3600.0, scope.target_mbps,
        scope.burst_gap_minutes * 60e6, scope.burst_min_tests,
    )  # fmt: skip


def _room(walked: walk.Walked, asked: walk.Asked, scope: Scope) -> walk.Found:
    """Arrays for what the walk finds."""
    zones = scope.zone_count
    months = scope.months[1] - scope.months[0] + 1
    most = len(walked.key) and int(walked.key[-1])  # keys count from 1
    figures = np.zeros((len(walked.unit_of), len(scope.windows), len(walk.FIGURES)))
    samples, devices, bursts = (np.zeros((zones, months), dtype=np.int64) for _ in range(3))
    return walk.Found(
        figures, samples, devices, bursts, np.zeros((zones, len(scope.spans)), dtype=np.int64),
        np.empty((most, 3), dtype=np.int64), np.empty((most, 2), dtype=np.int32),
        np.empty(most, dtype=np.int64), np.empty(most, dtype=np.uint64), np.empty((most, len(walk.CLOSE_FIGURES))),
        np.empty((most, 5), dtype=np.int64),
    )  # fmt: skip


def whole(values: Column) -> npt.NDArray[np.float64]:
    """Mbit/s in whole bit/s (ms in whole ns): sums of these are exact below 2**53, whatever their
    order.
    """
    return np.rint(values * PER_UNIT)


def _values(groups: _Groups, figures: npt.NDArray[np.float64], scope: Scope) -> dict[str, Columns]:
    """Device values of windows that verdicts rest on, sums by unit, devices of the whole area."""
    found: dict[str, Columns] = {}
    units, areas = [], []
    for number in range(len(scope.windows)):
        met = np.flatnonzero(figures[:, number, walk.MOBILES])
        here = _Groups(*(getattr(groups, name)[met] for name in _Groups.__dataclass_fields__))
        table = {name: figures[met, number, column] for column, name in enumerate(walk.FIGURES)}
        units.append({"window": np.full(0, number)} | _unit_sums(here, table, scope, number))
        if number in scope.valued:
            counted = table["tests"] > 0
            some = {name: values[counted] for name, values in table.items()}
            found[values_over(number)] = {
                "zone": here.zone[counted].astype(np.int32), "operator": here.operator[counted].astype(np.int16),
                "device": here.device[counted], "is_pseudo": here.is_pseudo[counted],
                "tests": some["tests"].astype(np.int32), "samples": some["samples"].astype(np.int32),
                "download": ratio(some["download_total"], some["samples"]),
                "upload": ratio(some["upload_total"], some["upload_samples"]),
                "latency": ratio(some["latency_total"], some["latency_samples"]),
            }  # fmt: skip
        if number in scope.summarised:
            parts = [_area(here, table, scope, number, prefix) for prefix in ("", "newer_")]
            found[area_over(number)] = {
                name: np.concatenate([one[0][name] for one in parts]) for name in parts[0][0]
            }
            areas += [counts for _, counts in parts]
    for name, tables in (("units", units), ("area", areas)):
        found[name] = {
            column: np.concatenate([one[column] for one in tables]) for column in tables[0]
        }
    return found


def _unit_sums(groups: _Groups, table: Columns, scope: Scope, number: int) -> Columns:
    """By unit (zone · (operators + 1) + operator, the last one `all`): counts and sums over
    devices; `all` has phones.
    """
    pooled = len(scope.operators)
    phones = changes(groups.zone, groups.device)
    both = {name: np.r_[values, sums(values, phones)] for name, values in table.items()}
    is_pseudo = np.r_[groups.is_pseudo, groups.is_pseudo[phones]]
    zone = np.r_[groups.zone, groups.zone[phones]]
    unit = zone * (pooled + 1) + np.r_[groups.operator, np.full(len(phones), pooled)]
    met, of = np.unique(unit, return_inverse=True)

    def total(values: Column) -> npt.NDArray[np.float64]:
        return np.bincount(of, weights=values, minlength=len(met)).astype(np.float64)

    largest = np.zeros(len(met))
    np.maximum.at(largest, of, both["tests"])
    found = {
        "window": np.full(len(met), number), "unit": met, "tests": total(both["tests"]),
        "devices": total(both["tests"] > 0), "raw": total(whole(both["raw_total"])), "accurate": total(both["accurate"]),
        "pseudo": total(np.where(is_pseudo, both["tests"], 0.0)), "largest_device": largest,
        "samples": total(both["samples"]), "month_tests": total(both["month_tests"]),
        "month_devices": total(both["month_tests"] > 0), "month_samples": total(both["month_samples"]),
        "month": total(whole(both["month_total"])), "slow_samples": total(both["slow_samples"]),
        "other_devices": total(both["mobile_tests"] > both["tests"]),
    }  # fmt: skip
    for name, (summed, count) in _OF.items():
        known = both[count] > 0
        found[f"{name}_devices"] = total(known)
        found[name] = total(np.where(known, whole(ratio(both[summed], both[count])), 0.0))
    return found


def _area(
    groups: _Groups, table: Columns, scope: Scope, number: int, prefix: str
) -> tuple[Columns, Columns]:
    """(a device's values by operator, counts by operator and, under the number after the last, of
    all of them).
    """
    size = len(scope.operators)
    here = np.flatnonzero(table[f"{prefix}samples"])
    of_device = numbered(changes(groups.device[here]), len(here))
    order = here[sequence((of_device, groups.operator[here]))]
    device, operator = groups.device[order], groups.operator[order]
    starts = changes(device, operator)
    names = (
        "tests",
        "samples",
        "download_total",
        "upload_total",
        "upload_samples",
        "latency_total",
        "latency_samples",
    )
    total = {name: sums(table[prefix + name][order], starts) for name in names}
    of = operator[starts]
    values = {
        "is_newer": np.full(len(starts), bool(prefix)), "operator": of.astype(np.int16),
        "download": ratio(total["download_total"], total["samples"]),
        "upload": ratio(total["upload_total"], total["upload_samples"]),
        "latency": ratio(total["latency_total"], total["latency_samples"]),
    }  # fmt: skip
    counts = {
        name: np.bincount(of, weights=weights, minlength=size).astype(np.int64)
        for name, weights in (
            ("tests", total["tests"]),
            ("samples", total["samples"]),
            ("devices", None),
        )
    }
    everyone = {
        "tests": total["tests"].sum(),
        "samples": total["samples"].sum(),
        "devices": len(changes(device)),
    }
    about = {
        "window": np.full(size + 1, number), "is_newer": np.full(size + 1, bool(prefix)), "operator": np.arange(size + 1),
    }  # fmt: skip
    return values, about | {
        name: np.r_[count, np.int64(everyone[name])] for name, count in counts.items()
    }


def _counted(
    rows: Rows, scope: Scope, groups: _Groups, walked: walk.Walked, found: walk.Found,
    counts: tuple[int, int, int, int], crowded: npt.NDArray[np.int64],
) -> dict[str, Columns]:  # fmt: skip
    """What the walk has counted, as tables; `crowded`: tests of bursts beyond those of the walk."""
    samples, slow, cells, places = counts
    size = max(len(scope.operators), 1)
    low, high = scope.months
    group = found.cell_group[:cells]
    close = {
        name: found.cell_figures[:cells, number] for number, name in enumerate(walk.CLOSE_FIGURES)
    }
    np.add.at(found.bursts, (rows["zone"][crowded], rows.month[crowded] - low), 1)
    zone, month = np.divmod(np.arange(found.bursts.size), high - low + 1)
    span_zone, span = np.divmod(np.arange(found.span_devices.size), max(len(scope.spans), 1))
    return {
        "dates": _dates(found.dates[:samples], size),
        "slow": {"code": found.slow[:slow, 0].copy(), "second": found.slow[:slow, 1].copy()},
        "cells": {
            "zone": groups.zone[group].astype(np.int32), "operator": groups.operator[group].astype(np.int16),
            "device": groups.device[group], "cell": found.cell_id[:cells].copy(),
        } | {
            name: values.astype(np.float64 if name.endswith("total") else np.int32) for name, values in close.items()
        },
        "places": _places(rows, walked, found.place[:places]),
        "months": {
            "zone": zone, "month": month + low, "samples": found.month_samples.ravel(),
            "devices": found.month_devices.ravel(), "bursts": found.bursts.ravel(),
        },
        "spans": {"zone": span_zone, "span": span, "devices": found.span_devices.ravel()},
    }  # fmt: skip


def _dates(of_samples: npt.NDArray[np.int64], size: int) -> Columns:
    """Valid tests by zone, operator and day."""
    unit, day, tests = of_samples.T
    order = sequence((packed((unit, day - day.min(initial=0)), (None, None)),))
    starts = changes(unit[order], day[order])
    first = order[starts]
    zone, operator = split(unit[first], size)
    return {
        "zone": zone.astype(np.int32), "operator": operator.astype(np.int16), "day": day[first].astype(np.int32),
        "tests": sums(tests[order], starts).astype(np.int32),
    }  # fmt: skip


def _places(rows: Rows, walked: walk.Walked, stays: npt.NDArray[np.int64]) -> Columns:
    """Valid tests and samples by unit (zone · operators + operator), finest cell and month, over
    the shard's devices.
    """
    group, month, row, tests, samples = stays.T
    return added_places(
        {
            "unit": walked.unit_of[group].astype(np.int32), "cell": rows["cell"][row], "month": month.astype(np.int32),
            "tests": tests, "samples": samples,
        },
        ("unit", "cell", "month"),
    )  # fmt: skip


def added_places(places: Columns, by: tuple[str, ...]) -> Columns:
    """Places with the same values of `by` added up."""
    number, _ = pd.factorize(places["cell"])
    keys = {
        name: number if name == "cell" else places[name] - places[name].min(initial=0)
        for name in by
    }
    order = sequence((packed(tuple(keys.values()), (None,) * len(by)),))
    starts = changes(*(keys[name][order] for name in by))
    counts = {
        name: sums(places[name][order], starts).astype(np.int32) for name in ("tests", "samples")
    }
    return {name: places[name][order[starts]] for name in by} | counts


def _signals(rows: Rows, scope: Scope, valid: npt.NDArray[np.int64]) -> Columns:
    """Median signal of a device in commune × operator, and (operator −1) in the commune over its
    operators.
    """
    if "signal" not in rows.columns:
        nothing = {name: np.zeros(0, np.int64) for name in ("window", "zone", "operator")}
        return nothing | {"device": np.zeros(0, np.uint64), "signal": np.zeros(0)}
    heard = valid[~np.isnan(rows["signal"][valid])]
    parts = []
    for number, window in enumerate(scope.windows):
        here = heard[within(rows.month[heard], window)]
        frame = pd.DataFrame(
            {
                "zone": rows["zone"][here].astype(np.int64),
                "operator": rows.operator[here].astype(np.int64),
                "device": rows["device"][here],
                "signal": rows["signal"][here],
            }
        )
        for table in (frame, frame.assign(operator=-1)):
            medians = table.groupby(["zone", "operator", "device"], as_index=False)[
                "signal"
            ].median()
            parts.append(medians.assign(window=number))
    joined = pd.concat(parts, ignore_index=True)
    return {
        name: joined[name].to_numpy() for name in ("window", "zone", "operator", "device", "signal")
    }


def _bursts(rows: Rows, scope: Scope, valid: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Tests of sittings with `burst_min_tests` or more: a device's tests in one cell, none long
    after the one before.
    """
    if not len(valid):
        return valid
    # by stretches of one device in one cell: few, and only those that make up enough tests are
    # looked at row by row
    starts = changes(
        rows["device"][valid], rows["cell"][valid], rows.operator[valid], rows["zone"][valid]
    )
    sizes = np.diff(np.r_[starts, len(valid)])
    of_device = np.cumsum(np.r_[True, np.diff(rows["device"][valid[starts]]) != 0]) - 1
    code = packed((of_device, pd.factorize(rows["cell"][valid[starts]])[0]), (None, None))
    number = pd.factorize(code)[0]
    many = np.bincount(number, weights=sizes)[number] >= scope.burst_min_tests
    chosen = np.repeat(many, sizes)
    some, code = valid[chosen], np.repeat(code, sizes)[chosen]
    order = sequence((code, *(rows[name][some] for name in ("time", "file", "row"))))
    some, code = some[order], code[order]
    time = rows["time"][some].astype(np.int64)
    if not len(some):
        return some
    apart = np.r_[
        True, (code[1:] != code[:-1]) | (np.diff(time) > scope.burst_gap_minutes * 60_000_000)
    ]
    sitting = np.cumsum(apart) - 1
    return some[np.bincount(sitting)[sitting] >= scope.burst_min_tests]


@dataclass
class _Samples:
    """Representative samples of some rows, in the rows' order: METHOD §2.2."""

    starts: npt.NDArray[np.int64]  # of each sample among the rows
    first: npt.NDArray[np.int64]  # its first row among all
    test_count: npt.NDArray[np.float64]
    download: npt.NDArray[np.float64]
    upload: npt.NDArray[np.float64]
    latency: npt.NDArray[np.float64]


def _samples(rows: Rows, chosen: npt.NDArray[np.int64]) -> _Samples:
    """Means over one device's chosen rows in one commune × operator × technology × cell × local
    date.
    """
    key = rows.key[chosen]
    starts = changes(key)
    count = np.diff(np.r_[starts, len(key)]).astype(np.float64)
    download = sums(rows["download"][chosen], starts) / count
    upload, latency = (mean_of_known(rows[name][chosen], starts) for name in ("upload", "latency"))
    return _Samples(starts, chosen[starts], count, download, upload, latency)


def _known(rows: Rows, scope: Scope, valid: npt.NDArray[np.int64]) -> Columns:
    """Samples of the base window at cells of gaps that are known already."""
    cell = rows["cell"][valid]
    if len(scope.known_cells):
        place = np.searchsorted(scope.known_cells, cell).clip(max=len(scope.known_cells) - 1)
        here = (scope.known_cells[place] == cell) & (rows["flags"][valid] & CLOSE > 0)
        valid = valid[here & within(rows.month[valid], scope.windows[0])]
    else:
        valid = valid[:0]
    drawn = _samples(rows, valid)
    found = {name: rows[name][drawn.first] for name in ("zone", "device", "cell")} | {
        "operator": rows.operator[drawn.first]
    }
    return found | {
        "day": rows.day[drawn.first], "is_pseudo": rows["flags"][drawn.first] & PSEUDO > 0, "tests": drawn.test_count,
        "download": drawn.download, "upload": drawn.upload, "latency": drawn.latency,
    }  # fmt: skip
