"""dict[str, Columns] that are made of samples (METHOD §2.2): device values, cells, months, slow hours, places of gaps that are known.

One device's tests in one commune × operator × technology × cell × local date make a sample: their mean.
Does not belong here: what is counted by rows (`facts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline import clean
from pipeline.groups import changes, mean_of_known, sequence, sums
from pipeline.rows import (
    ACCURATE,
    CLOSE,
    DAY_S,
    PSEUDO,
    Column,
    Columns,
    Flags,
    Rows,
    Scope,
    counted,
    is_valid,
    packed,
    split,
    within,
)


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
    """Means over one device's chosen rows in one commune × operator × technology × cell × local date."""
    key = rows.key[chosen]
    starts = changes(key)
    count = np.diff(np.r_[starts, len(key)]).astype(np.float64)
    download = sums(rows["download"][chosen], starts) / count
    upload, latency = (mean_of_known(rows[name][chosen], starts) for name in ("upload", "latency"))
    return _Samples(starts, chosen[starts], count, download, upload, latency)


def facts_of_samples(rows: Rows, scope: Scope) -> dict[str, Columns]:
    """What is made of samples: device values, cells, months, slow hours, and what is known of gaps' places."""
    sound = is_valid(rows)
    valid = np.flatnonzero(sound)
    drawn = _samples(rows, valid)
    mobile = clean.is_mobile(
        np.where(rows.repeat, clean.REASON["duplicate"], rows["own"]).astype(np.int8), rows["technology"],
        rows.operator >= 0, rows["download"], scope.max_download_mbps,
    )  # fmt: skip
    newer = np.flatnonzero(mobile & (rows["technology"] == 3) & (rows["zone"] >= 0))
    return {
        **_devices(rows, scope, valid, drawn, np.asarray(mobile), newer),
        "signals": _signals(rows, scope, valid),
        "cells": _cells(rows, valid, drawn),
        "slow": _slow(rows, scope, drawn),
        **_months(rows, scope, valid, drawn),
        "known": _known(rows, scope, valid),
    }


def devices_over(window: int) -> str:
    """The name of the devices' facts over a window."""
    return f"devices {window}"


def _devices(
    rows: Rows, scope: Scope, valid: npt.NDArray[np.int64], drawn: _Samples, mobile: Flags,
    newer: npt.NDArray[np.int64],
) -> dict[str, Columns]:  # fmt: skip
    """By window and device in commune × operator: what its value, and the counts beside it, are made of."""
    mobile = mobile & (rows["zone"] >= 0)
    core = np.flatnonzero(mobile)
    device, unit = rows["device"], rows.unit()
    starts = changes(device[core], unit[core])
    group = np.zeros(len(device), dtype=np.int64)
    group[core] = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(core)]))
    count = len(starts)
    fresh = _samples(rows, newer)
    hour = rows.second[drawn.first] / 3600
    is_busy = (hour >= scope.busy_hours[0]) & (hour < scope.busy_hours[1])
    in_month = rows.month == scope.report_month

    def total(where: npt.NDArray[np.int64], values: Column | None, keep: Flags | None) -> npt.NDArray[np.float64]:
        at = where if keep is None else where[keep]
        weights = None if values is None else (values if keep is None else values[keep])
        return np.bincount(group[at], weights=weights, minlength=count).astype(np.float64)

    found: dict[str, Columns] = {}
    for number, window in enumerate(scope.windows):
        of_row = within(rows.month, window)
        is_all = bool(of_row.all())
        v, m, n = (None if is_all else of_row[at] for at in (valid, core, newer))
        s, f = (None if is_all else of_row[some.first] for some in (drawn, fresh))
        t, u, w = drawn.download, drawn.upload, drawn.latency
        up, late = ~np.isnan(u), ~np.isnan(w)
        both = {"busy": is_busy, "calm": ~is_busy, "month": in_month[drawn.first]}
        keep = {name: which if s is None else which & s for name, which in both.items()}
        has_up, has_late = (which if s is None else which & s for which in (up, late))
        accurate = rows["flags"][valid] & ACCURATE > 0
        month_rows = in_month[valid]
        figures = {
            "tests": total(valid, None, v),
            "raw_total": total(valid, rows["download"][valid], v),
            "accurate": total(valid, None, accurate if v is None else accurate & v),
            "month_tests": total(valid, None, month_rows if v is None else month_rows & v),
            "samples": total(drawn.first, None, s),
            "download_total": total(drawn.first, t, s),
            "upload_total": total(drawn.first, u, has_up),
            "upload_samples": total(drawn.first, None, has_up),
            "latency_total": total(drawn.first, w, has_late),
            "latency_samples": total(drawn.first, None, has_late),
            "month_samples": total(drawn.first, None, keep["month"]),
            "month_total": total(drawn.first, t, keep["month"]),
            "busy_samples": total(drawn.first, None, keep["busy"]),
            "busy_total": total(drawn.first, t, keep["busy"]),
            "calm_samples": total(drawn.first, None, keep["calm"]),
            "calm_total": total(drawn.first, t, keep["calm"]),
            "mobile_tests": total(core, None, m),
            "mobile_total": total(core, rows["download"][core], m),
            "newer_tests": total(newer, None, n),
            "newer_raw_total": total(newer, rows["download"][newer], n),
            "newer_samples": total(fresh.first, None, f),
            "newer_download_total": total(fresh.first, fresh.download, f),
        }
        for name, part in (("upload", fresh.upload), ("latency", fresh.latency)):
            known = ~np.isnan(part) if f is None else ~np.isnan(part) & f
            figures[f"newer_{name}_total"] = total(fresh.first, part, known)
            figures[f"newer_{name}_samples"] = total(fresh.first, None, known)
        met = np.flatnonzero(figures["mobile_tests"])
        first = core[starts[met]]
        zone, operator = split(unit[first], max(len(scope.operators), 1))
        about: Columns = {"zone": zone, "operator": operator, "device": device[first]}
        about |= {"is_pseudo": rows["flags"][first] & PSEUDO > 0}
        found[devices_over(number)] = about | {name: value[met] for name, value in figures.items()}
    return found


def _signals(rows: Rows, scope: Scope, valid: npt.NDArray[np.int64]) -> Columns:
    """Median signal of a device in commune × operator, and (operator −1) in the commune over its operators."""
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
            medians = table.groupby(["zone", "operator", "device"], as_index=False)["signal"].median()
            parts.append(medians.assign(window=number))
    joined = pd.concat(parts, ignore_index=True)
    return {name: joined[name].to_numpy() for name in ("window", "zone", "operator", "device", "signal")}


def _cells(rows: Rows, valid: npt.NDArray[np.int64], drawn: _Samples) -> Columns:
    """By commune, operator, device, cell and month; `close_…` of samples of tests whose position is good enough for a hex."""
    at = drawn.first
    columns = {name: rows[name][at] for name in ("zone", "device", "cell")} | {"operator": rows.operator[at]}
    columns |= {"month": rows.month[at]}
    starts = changes(*columns.values())
    close = rows["flags"][valid] & CLOSE > 0
    exact = drawn if close.all() else _samples(rows, valid[close])
    place = np.searchsorted(at, exact.first) if exact is drawn else _sample_of(rows, drawn, exact)
    group = np.zeros(len(at), dtype=np.int64)
    group[starts] = 1
    group = np.cumsum(group) - 1
    of_exact, count = group[place], len(starts)

    def total(values: Column | None, keep: Flags | None = None) -> npt.NDArray[np.float64]:
        here = of_exact if keep is None else of_exact[keep]
        weights = None if values is None else (values if keep is None else values[keep])
        return np.bincount(here, weights=weights, minlength=count).astype(np.float64)

    up, late = ~np.isnan(exact.upload), ~np.isnan(exact.latency)
    return {name: values[starts] for name, values in columns.items()} | {
        "is_pseudo": rows["flags"][at[starts]] & PSEUDO > 0,
        "tests": sums(drawn.test_count, starts),
        "samples": np.diff(np.r_[starts, len(at)]).astype(np.float64),
        "close_tests": total(exact.test_count),
        "close_samples": total(None),
        "close_total": total(exact.download),
        "close_upload_total": total(exact.upload, up),
        "close_upload_samples": total(None, up),
        "close_latency_total": total(exact.latency, late),
        "close_latency_samples": total(None, late),
    }


def _sample_of(rows: Rows, drawn: _Samples, part: _Samples) -> npt.NDArray[np.int64]:
    """The sample of `drawn` that each sample of some of its rows belongs to."""
    return np.searchsorted(rows.key[drawn.first], rows.key[part.first])


def _slow(rows: Rows, scope: Scope, drawn: _Samples) -> Columns:
    slow = drawn.first[drawn.download < scope.target_mbps]
    unit = rows.unit()[slow]
    parts: list[Columns] = []
    for number, window in enumerate(scope.windows):
        here = within(rows.month[slow], window)
        codes, count = counted(unit[here] * DAY_S + rows.second[slow][here])
        zone, operator = split(codes // DAY_S, max(len(scope.operators), 1))
        parts.append(
            {
                "window": np.full(len(codes), number),
                "zone": zone,
                "operator": operator,
                "second": codes % DAY_S,
                "samples": count,
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _months(rows: Rows, scope: Scope, valid: npt.NDArray[np.int64], drawn: _Samples) -> dict[str, Columns]:
    low, high = scope.months
    size = high - low + 1
    cells = scope.zone_count * size
    at = drawn.first[within(rows.month[drawn.first], scope.months)]
    place = rows["zone"][at].astype(np.int64) * size + rows.month[at] - low
    homes = changes(rows["device"][drawn.first], rows["zone"][drawn.first])  # a device in a commune
    home = np.zeros(len(drawn.first), dtype=np.int64)
    home[homes] = 1
    home = np.cumsum(home) - 1

    def devices(months: tuple[int, int]) -> npt.NDArray[np.int64]:
        here = within(rows.month[drawn.first], months)
        met = np.unique(home[here])
        return np.bincount(rows["zone"][drawn.first[homes[met]]].astype(np.int64), minlength=scope.zone_count)

    by_month = np.column_stack([devices((month, month)) for month in range(low, high + 1)]).ravel()
    by_span = np.column_stack([devices(span) for span in scope.spans]).ravel()
    in_burst = _bursts(rows, scope, valid[within(rows.month[valid], scope.months)])
    bursts = np.bincount(rows["zone"][in_burst].astype(np.int64) * size + rows.month[in_burst] - low, minlength=cells)
    zone, month = np.divmod(np.arange(cells), size)
    span_zone, span = np.divmod(np.arange(scope.zone_count * len(scope.spans)), max(len(scope.spans), 1))
    return {
        "months": {
            "zone": zone, "month": month + low, "samples": np.bincount(place, minlength=cells).astype(np.float64),
            "devices": by_month.astype(np.float64), "bursts": bursts.astype(np.float64),
        },
        "spans": {"zone": span_zone, "span": span, "devices": by_span.astype(np.float64)},
    }  # fmt: skip


def _bursts(rows: Rows, scope: Scope, valid: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Tests of sittings with `burst_min_tests` or more: a device's tests in one cell, none long after the one before."""
    if not len(valid):
        return valid
    # by stretches of one device in one cell: few, and only those that make up enough tests are looked at row by row
    starts = changes(rows["device"][valid], rows["cell"][valid], rows.operator[valid], rows["zone"][valid])
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
    apart = np.r_[True, (code[1:] != code[:-1]) | (np.diff(time) > scope.burst_gap_minutes * 60_000_000)]
    sitting = np.cumsum(apart) - 1
    return some[np.bincount(sitting)[sitting] >= scope.burst_min_tests]


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
