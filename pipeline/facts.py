"""From the rows of whole devices to facts: what every figure is made of, added up as far as one device alone allows.

A shard holds all rows of its devices, so that whatever compares rows with rows (repeats, samples, sittings, device values)
is closed in it; facts of many shards are laid side by side and only counted or ordered after that. Columns are arrays of
equal length; communes, operators and technologies are numbers into lists that the journey keeps, devices fingerprints,
cells H3 integers, months year · 12 + month − 1, days since 1970 in local time.

`devices`   window, zone, operator, device: test, sample and month counts, totals of sample means; of all mobile tests too
`cells`     zone, operator, device, cell, month: tests, samples; totals of samples that are exact enough for a hex
`dates`     zone, operator, day: valid tests         `units`  window, zone, operator: failed, newer and older tests
`slow`      window, zone, operator, second of the day of slow samples        `signals`  window, zone, operator, device: dBm
`months`    zone, month: samples, devices, tests in bursts, repeats          `spans`    zone, span: devices
`known`     samples at cells of gaps that are known already        `seen`  zone, operator: met within twelve months
`books`, `rejects`, `phones`: by source what became of the rows; rows that are set aside; the devices' fingerprints
Does not belong here: formulas and verdicts, text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline import clean
from pipeline.groups import changes, mean_of_known, sequence, sums

Column = npt.NDArray[Any]
Columns = dict[str, npt.NDArray[Any]]
Facts = dict[str, Columns]
Flags = npt.NDArray[np.bool_]
DAY_S = 86_400
PSEUDO, CLOSE, HAS_ID, ACCURATE = 1, 2, 4, 8  # bits of the column `flags`


@dataclass(frozen=True)
class Scope:
    """What the facts are asked for. Windows and spans are (first, last) months; the first window is the base window."""

    windows: tuple[tuple[int, int], ...]
    report_month: int
    months: tuple[int, int]  # of the tracker
    spans: tuple[tuple[int, int], ...]  # whose devices are counted by commune
    longest: tuple[int, int]  # in which an operator is met
    year: tuple[int, int]  # the twelve months in which an operator counts as present
    zone_count: int
    operators: npt.NDArray[np.uint32]  # fingerprints, ascending by operator's number
    source_count: int
    technology: int
    max_download_mbps: float
    target_mbps: float
    busy_hours: tuple[float, float]
    burst_gap_minutes: float
    burst_min_tests: int
    repeated: npt.NDArray[np.uint64] = field(
        default_factory=lambda: np.zeros(0, np.uint64)
    )  # rows by `row_number`, ascending
    known_cells: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))  # ascending


def row_number(columns: Columns) -> npt.NDArray[np.uint64]:
    """File and row in one number."""
    return columns["file"].astype(np.uint64) << np.uint64(32) | columns["row"].astype(np.uint64)


def repeated_ids(columns: Columns) -> npt.NDArray[np.uint64]:
    """Rows (`row_number`) whose test id was met before in their source; `columns` hold all rows of their test ids."""
    found = clean.repeats(
        (columns["identity"], columns["identity2"]), (columns["time"], columns["file"], columns["row"])
    )
    return row_number(columns)[found]


def facts_of(columns: Columns, scope: Scope) -> Facts:
    """All facts of a shard."""
    rows = _ordered(columns, scope)
    timed = clean.has_time(columns["own"])
    repeat = np.zeros(len(timed), dtype=bool)
    repeat[rows.timed[rows.order]] = rows.repeat
    month = np.full(len(timed), -1, dtype=np.int32)
    month[rows.timed[rows.order]] = rows.month
    reasons = clean.reasons_in(columns["own"], repeat, _within(month, scope.windows[0]))
    failed = clean.is_failed(columns["own"], columns["download"]) & (reasons == clean.COUNTS)
    books = clean.balance(reasons, failed, columns["source"], [str(n) for n in range(scope.source_count)])
    set_aside = reasons != clean.COUNTS
    named = np.flatnonzero(columns["flags"] & PSEUDO == 0) if "flags" in columns else np.zeros(0, np.int64)
    first = _starts_of(pd.factorize(columns["device"][named])[0]) if len(named) else named
    found: Facts = {
        "books": {"source": np.arange(scope.source_count), **{name: books[name].to_numpy() for name in books}},
        "rejects": {name: columns[name][set_aside] for name in ("file", "row", "source")}
        | {"reason": reasons[set_aside]},
        "phones": {name: columns[name][named[first]] for name in ("device", "source")},
    }
    return found | _of_rows(rows, scope) | _of_samples(rows, scope)


def _starts_of(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The first place of each code, codes numbered by appearance."""
    first = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def _within(month: Column, window: tuple[int, int]) -> Flags:
    return np.asarray((month >= window[0]) & (month <= window[1]))


class _Rows:
    """Rows with a time, ordered by device, commune, operator, technology, cell, day, and then time, file and row."""

    def __init__(
        self, columns: Columns, order: npt.NDArray[np.int64], timed: npt.NDArray[np.int64], scope: Scope
    ) -> None:
        self.columns, self.order, self.timed, self.scope = columns, order, timed, scope
        self.taken: Columns = {}
        self.key = np.zeros(0, dtype=np.int64)  # the same for rows of one device, place, cell and day; ascending
        self.month = self.day = self.second = np.zeros(0, dtype=np.int32)
        self.operator = np.zeros(0, dtype=np.int32)  # number, −1 unknown
        self.repeat = np.zeros(0, dtype=bool)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if name not in self.taken:
            self.taken[name] = self.columns[name][self.order]
        return self.taken[name]

    def unit(self) -> npt.NDArray[np.int64]:
        """Commune and operator in one number, −1 where one is not known."""
        size = len(self.scope.operators)
        zone = self["zone"].astype(np.int64)
        return np.where((zone >= 0) & (self.operator >= 0), zone * size + self.operator, -1)


def _ordered(columns: Columns, scope: Scope) -> _Rows:
    timed = np.flatnonzero(clean.has_time(columns["own"]))
    if len(timed) < len(columns["own"]):
        columns = {name: values[timed] for name, values in columns.items()}
    local = columns["time"] // 1_000_000 + columns["shift"]
    day = (local // DAY_S).astype(np.int32)
    operator = _numbers(columns["operator"], scope.operators)
    place = (columns["zone"].astype(np.int64) + 1) * (len(scope.operators) + 1) + operator + 1
    place = place * 8 + columns["technology"] + 1
    order = sequence((columns["device"], place, columns["cell"], columns["time"], columns["file"], columns["row"]))
    rows = _Rows(columns, order, timed, scope)
    rows.day, rows.operator = day[order], operator[order]
    rows.second = (local[order] - rows.day.astype(np.int64) * DAY_S).astype(np.int32)
    rows.month = month_of_day(rows.day)
    starts = changes(rows["device"], place[order], rows["cell"], rows.day)
    rows.key = np.zeros(len(order), dtype=np.int64)
    rows.key[starts] = 1
    rows.key = np.cumsum(rows.key)
    rows.repeat = np.zeros(len(order), dtype=bool)
    if len(scope.repeated):
        numbers = row_number({name: rows[name] for name in ("file", "row")})
        place_of = np.searchsorted(scope.repeated, numbers).clip(max=len(scope.repeated) - 1)
        rows.repeat = scope.repeated[place_of] == numbers
    tied = _tied(rows.key, rows["time"])
    nameless = np.flatnonzero(tied & (rows["flags"] & HAS_ID == 0))
    if len(nameless):
        same = (rows.key[nameless], *(rows[name][nameless] for name in ("time", "identity", "download", "upload")))
        rows.repeat[nameless] |= clean.repeats(same, tuple(rows[name][nameless] for name in ("time", "file", "row")))
    return rows


def _tied(key: npt.NDArray[np.int64], time: npt.NDArray[np.int64]) -> Flags:
    """Rows that share key and time with the row before or after."""
    same = (key[1:] == key[:-1]) & (time[1:] == time[:-1])
    tied = np.zeros(len(key), dtype=bool)
    tied[1:], tied[:-1] = same, tied[:-1] | same
    return tied


def _numbers(prints: Column, known: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    """Place of each fingerprint among the known ones, −1 where it is none of them."""
    found = np.full(len(prints), -1, dtype=np.int32)
    for number, one in enumerate(known):
        found[prints == one] = number
    return found


def packed(columns: tuple[Column, ...], sizes: tuple[int | None, ...]) -> npt.NDArray[np.int64]:
    """Non-negative columns in one number that orders as they do, the first the most significant.

    `sizes`: one more than a column's highest value, None to look. Where 62 bits do not hold them, the ranks of the leading
    ones do.
    """
    result: npt.NDArray[np.int64] | None = None
    held = 1
    for column, given in zip(columns, sizes, strict=True):
        size = int(column.max(initial=0)) + 1 if given is None else given
        if held * size >= 1 << 62:
            assert result is not None
            result = np.unique(result, return_inverse=True)[1]
            held = int(result.max(initial=0)) + 1
        result = column.astype(np.int64) if result is None else result * size + column
        held *= size
    assert result is not None
    return result


def month_of_day(day: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Days since 1970 → year · 12 + month − 1.

    >>> month_of_day(np.array([0, 31, 365], dtype="int32")) - 1970 * 12
    array([ 0,  1, 12], dtype=int32)
    """
    if not len(day):
        return day
    low = int(day.min())
    days = np.arange(low, int(day.max()) + 1).astype("datetime64[D]")
    months: npt.NDArray[np.int32] = (days.astype("datetime64[M]").astype(np.int64) + 1970 * 12).astype(np.int32)
    return months[day - low]


def _counted(
    codes: npt.NDArray[np.int64], weights: Column | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Distinct codes, ascending, and how often each occurs (or the sum of its whole-numbered weights)."""
    distinct, number = np.unique(codes, return_inverse=True)
    return distinct, np.bincount(number, weights=weights, minlength=len(distinct)).astype(np.float64)


def _split(codes: npt.NDArray[np.int64], size: int) -> tuple[Column, Column]:
    return codes // size, codes % size


def _of_rows(rows: _Rows, scope: Scope) -> Facts:
    """What is counted by rows: units, dates, repeats, operators that were met."""
    size, unit = len(scope.operators), rows.unit()
    own, download, technology = rows["own"], rows["download"], rows["technology"]
    known = unit >= 0
    failed = (own == clean.COUNTS) & ~rows.repeat & ~(download > 0)
    other = (own == clean.REASON["other_technology"]) & ~rows.repeat & (rows.operator >= 0)
    units: dict[str, list[Column]] = {name: [] for name in ("window", "zone", "operator", "failed", "newer", "older")}
    for number, window in enumerate(scope.windows):
        here = _within(rows.month, window) & known
        counts = [
            np.bincount(unit[here & which], minlength=scope.zone_count * size)
            for which in (failed, other & (technology == 3), other & ((technology == 0) | (technology == 1)))
        ]
        met = np.flatnonzero(np.sum(counts, axis=0))
        zone, operator = _split(met, max(size, 1))
        values = (np.full(len(met), number), zone, operator, *(count[met] for count in counts))
        for name, value in zip(units, values, strict=True):
            units[name].append(value)
    valid = _is_valid(rows)
    day_codes, tests = _counted(
        packed((unit[valid], rows.day[valid] - _FIRST_DAY), (scope.zone_count * max(size, 1), _DAYS))
    )
    at, day = _split(day_codes, _DAYS)
    date_zone, date_operator = _split(at, max(size, 1))
    inside = rows["zone"] >= 0
    copies = rows.repeat & inside & _within(rows.month, scope.months)
    copied, copy_count = _counted(rows["zone"][copies] * _MONTHS + rows.month[copies])
    mobile = (technology >= 0) & (technology < 4)
    present = np.unique(unit[known & mobile & _within(rows.month, scope.year)])
    asked = known & (technology == scope.technology) & (download > 0) & _within(rows.month, scope.longest)
    met_here = np.unique(rows.operator[asked])
    return {
        "units": {name: np.concatenate(parts) for name, parts in units.items()},
        "dates": {"zone": date_zone, "operator": date_operator, "day": day + _FIRST_DAY, "tests": tests},
        "copies": {"zone": copied // _MONTHS, "month": copied % _MONTHS, "copies": copy_count},
        "seen": dict(zip(("zone", "operator"), _split(present, max(size, 1)), strict=True)),
        "met": {"operator": met_here},
    }


_FIRST_DAY, _DAYS, _MONTHS = -800_000, 1_600_000, 1 << 16  # of any date that a file may hold, and more


def _is_valid(rows: _Rows) -> Flags:
    return np.asarray((rows["own"] == clean.COUNTS) & ~rows.repeat & (rows["download"] > 0))


@dataclass
class _Samples:
    """Representative samples of some rows, in the rows' order: METHOD §2.2."""

    starts: npt.NDArray[np.int64]  # of each sample among the rows
    first: npt.NDArray[np.int64]  # its first row among all
    test_count: npt.NDArray[np.float64]
    download: npt.NDArray[np.float64]
    upload: npt.NDArray[np.float64]
    latency: npt.NDArray[np.float64]


def _samples(rows: _Rows, chosen: npt.NDArray[np.int64]) -> _Samples:
    """Means over one device's chosen rows in one commune × operator × technology × cell × local date."""
    key = rows.key[chosen]
    starts = changes(key)
    count = np.diff(np.r_[starts, len(key)]).astype(np.float64)
    download = sums(rows["download"][chosen], starts) / count
    upload, latency = (mean_of_known(rows[name][chosen], starts) for name in ("upload", "latency"))
    return _Samples(starts, chosen[starts], count, download, upload, latency)


def _of_samples(rows: _Rows, scope: Scope) -> Facts:
    """What is made of samples: device values, cells, months, slow hours, and what is known of gaps' places."""
    is_valid = _is_valid(rows)
    valid = np.flatnonzero(is_valid)
    drawn = _samples(rows, valid)
    mobile = clean.is_mobile(
        np.where(rows.repeat, clean.REASON["duplicate"], rows["own"]).astype(np.int8), rows["technology"],
        rows.operator >= 0, rows["download"], scope.max_download_mbps,
    )  # fmt: skip
    newer = np.flatnonzero(mobile & (rows["technology"] == 3) & (rows["zone"] >= 0))
    return {
        "devices": _devices(rows, scope, is_valid, valid, drawn, np.asarray(mobile), newer),
        "signals": _signals(rows, scope, valid),
        "cells": _cells(rows, valid, drawn),
        "slow": _slow(rows, scope, drawn),
        **_months(rows, scope, valid, drawn),
        "known": _known(rows, scope, valid),
    }


def _devices(
    rows: _Rows, scope: Scope, is_valid: Flags, valid: npt.NDArray[np.int64], drawn: _Samples, mobile: Flags,
    newer: npt.NDArray[np.int64],
) -> Columns:  # fmt: skip
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

    found: dict[str, list[Column]] = {}
    for number, window in enumerate(scope.windows):
        of_row = _within(rows.month, window)
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
        zone, operator = _split(unit[first], max(len(scope.operators), 1))
        about: Columns = {"window": np.full(len(met), number), "zone": zone, "operator": operator}
        about |= {
            "device": device[first],
            "is_pseudo": rows["flags"][first] & PSEUDO > 0,
            "source": rows["source"][first],
        }
        for name, value in (about | {name: value[met] for name, value in figures.items()}).items():
            found.setdefault(name, []).append(value)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _signals(rows: _Rows, scope: Scope, valid: npt.NDArray[np.int64]) -> Columns:
    """Median signal of a device in commune × operator, and (operator −1) in the commune over its operators."""
    if "signal" not in rows.columns:
        nothing = {name: np.zeros(0, np.int64) for name in ("window", "zone", "operator")}
        return nothing | {"device": np.zeros(0, np.uint64), "signal": np.zeros(0)}
    heard = valid[~np.isnan(rows["signal"][valid])]
    parts = []
    for number, window in enumerate(scope.windows):
        here = heard[_within(rows.month[heard], window)]
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


def _cells(rows: _Rows, valid: npt.NDArray[np.int64], drawn: _Samples) -> Columns:
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


def _sample_of(rows: _Rows, drawn: _Samples, part: _Samples) -> npt.NDArray[np.int64]:
    """The sample of `drawn` that each sample of some of its rows belongs to."""
    return np.searchsorted(rows.key[drawn.first], rows.key[part.first])


def _slow(rows: _Rows, scope: Scope, drawn: _Samples) -> Columns:
    slow = drawn.first[drawn.download < scope.target_mbps]
    unit = rows.unit()[slow]
    parts: list[Columns] = []
    for number, window in enumerate(scope.windows):
        here = _within(rows.month[slow], window)
        codes, count = _counted(unit[here] * DAY_S + rows.second[slow][here])
        zone, operator = _split(codes // DAY_S, max(len(scope.operators), 1))
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


def _months(rows: _Rows, scope: Scope, valid: npt.NDArray[np.int64], drawn: _Samples) -> Facts:
    low, high = scope.months
    size = high - low + 1
    cells = scope.zone_count * size
    at = drawn.first[_within(rows.month[drawn.first], scope.months)]
    place = rows["zone"][at].astype(np.int64) * size + rows.month[at] - low
    homes = changes(rows["device"][drawn.first], rows["zone"][drawn.first])  # a device in a commune
    home = np.zeros(len(drawn.first), dtype=np.int64)
    home[homes] = 1
    home = np.cumsum(home) - 1

    def devices(months: tuple[int, int]) -> npt.NDArray[np.int64]:
        here = _within(rows.month[drawn.first], months)
        met = np.unique(home[here])
        return np.bincount(rows["zone"][drawn.first[homes[met]]].astype(np.int64), minlength=scope.zone_count)

    by_month = np.column_stack([devices((month, month)) for month in range(low, high + 1)]).ravel()
    by_span = np.column_stack([devices(span) for span in scope.spans]).ravel()
    in_burst = _bursts(rows, scope, valid[_within(rows.month[valid], scope.months)])
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


def _bursts(rows: _Rows, scope: Scope, valid: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
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


def _known(rows: _Rows, scope: Scope, valid: npt.NDArray[np.int64]) -> Columns:
    """Samples of the base window at cells of gaps that are known already."""
    cell = rows["cell"][valid]
    if len(scope.known_cells):
        place = np.searchsorted(scope.known_cells, cell).clip(max=len(scope.known_cells) - 1)
        here = (scope.known_cells[place] == cell) & (rows["flags"][valid] & CLOSE > 0)
        valid = valid[here & _within(rows.month[valid], scope.windows[0])]
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


def joined(parts: list[Facts]) -> Facts:
    """Facts of all shards, one after the other."""
    return {
        name: {column: np.concatenate([part[name][column] for part in parts]) for column in parts[0][name]}
        for name in parts[0]
    }
