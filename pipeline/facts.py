"""From the rows of whole devices to facts: what every figure is made of, added up as far as one device alone allows.

A shard holds all rows of its devices, so that whatever compares rows with rows (repeats, samples, sittings, device values)
is closed in it; facts of many shards are laid side by side and only counted or ordered after that. Columns are arrays of
equal length; communes, operators and technologies are numbers into lists that the journey keeps, devices fingerprints,
cells H3 integers, months year · 12 + month − 1, days since 1970 in local time.

`devices N` of window N: zone, operator, device: test, sample and month counts, totals of sample means; of all mobile tests too
`cells`     zone, operator, device, cell, month: tests, samples; totals of samples that are exact enough for a hex
`dates`     zone, operator, day: valid tests         `units`  window, zone, operator: failed, newer and older tests
`slow`      window, zone, operator, second of the day of slow samples        `signals`  window, zone, operator, device: dBm
`months`    zone, month: samples, devices, tests in bursts, repeats          `spans`    zone, span: devices
`known`     samples at cells of gaps that are known already        `seen`  zone, operator: met within twelve months
`books`, `rejects`, `phones`: by source what became of the rows; rows that are set aside; the devices' fingerprints
Does not belong here: formulas and verdicts, text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline import clean
from pipeline.rows import (
    PSEUDO,
    Column,
    Columns,
    Rows,
    Scope,
    counted,
    is_valid,
    ordered,
    packed,
    row_number,
    split,
    within,
)
from pipeline.sample_facts import facts_of_samples

Facts = dict[str, Columns]


def repeated_ids(columns: Columns) -> npt.NDArray[np.uint64]:
    """Rows (`row_number`) whose test id was met before in their source; `columns` hold all rows of their test ids."""
    found = clean.repeats(
        (columns["identity"], columns["identity2"]), (columns["time"], columns["file"], columns["row"])
    )
    return row_number(columns)[found]


def facts_of(columns: Columns, scope: Scope) -> Facts:
    """All facts of a shard."""
    rows = ordered(columns, scope)
    timed = clean.has_time(columns["own"])
    repeat = np.zeros(len(timed), dtype=bool)
    repeat[rows.timed[rows.order]] = rows.repeat
    month = np.full(len(timed), -1, dtype=np.int32)
    month[rows.timed[rows.order]] = rows.month
    reasons = clean.reasons_in(columns["own"], repeat, within(month, scope.windows[0]))
    failed = clean.is_failed(columns["own"], columns["download"]) & (reasons == clean.COUNTS)
    books = clean.balance(reasons, failed, columns["source"], [str(n) for n in range(scope.source_count)])
    set_aside = reasons != clean.COUNTS
    named = np.flatnonzero(columns["flags"] & PSEUDO == 0) if "flags" in columns else np.zeros(0, np.int64)
    first = _starts_of(pd.factorize(columns["device"][named])[0]) if len(named) else named
    found: dict[str, Columns] = {
        "books": {"source": np.arange(scope.source_count), **{name: books[name].to_numpy() for name in books}},
        "rejects": {name: columns[name][set_aside] for name in ("file", "row", "source")}
        | {"reason": reasons[set_aside]},
        "phones": {name: columns[name][named[first]] for name in ("device", "source")},
    }
    return found | _of_rows(rows, scope) | facts_of_samples(rows, scope)


def _starts_of(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The first place of each code, codes numbered by appearance."""
    first = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def _of_rows(rows: Rows, scope: Scope) -> Facts:
    """What is counted by rows: units, dates, repeats, operators that were met."""
    size, unit = len(scope.operators), rows.unit()
    own, download, technology = rows["own"], rows["download"], rows["technology"]
    known = unit >= 0
    failed = (own == clean.COUNTS) & ~rows.repeat & ~(download > 0)
    other = (own == clean.REASON["other_technology"]) & ~rows.repeat & (rows.operator >= 0)
    units: dict[str, list[Column]] = {name: [] for name in ("window", "zone", "operator", "failed", "newer", "older")}
    for number, window in enumerate(scope.windows):
        here = within(rows.month, window) & known
        counts = [
            np.bincount(unit[here & which], minlength=scope.zone_count * size)
            for which in (failed, other & (technology == 3), other & ((technology == 0) | (technology == 1)))
        ]
        met = np.flatnonzero(np.sum(counts, axis=0))
        zone, operator = split(met, max(size, 1))
        values = (np.full(len(met), number), zone, operator, *(count[met] for count in counts))
        for name, value in zip(units, values, strict=True):
            units[name].append(value)
    valid = is_valid(rows)
    day_codes, tests = counted(
        packed((unit[valid], rows.day[valid] - _FIRST_DAY), (scope.zone_count * max(size, 1), _DAYS))
    )
    at, day = split(day_codes, _DAYS)
    date_zone, date_operator = split(at, max(size, 1))
    inside = rows["zone"] >= 0
    copies = rows.repeat & inside & within(rows.month, scope.months)
    copied, copy_count = counted(rows["zone"][copies].astype(np.int64) * _MONTHS + rows.month[copies])
    mobile = (technology >= 0) & (technology < 4)
    present = np.unique(unit[known & mobile & within(rows.month, scope.year)])
    asked = known & (technology == scope.technology) & (download > 0) & within(rows.month, scope.longest)
    met_here = np.unique(rows.operator[asked])
    return {
        "units": {name: np.concatenate(parts) for name, parts in units.items()},
        "dates": {"zone": date_zone, "operator": date_operator, "day": day + _FIRST_DAY, "tests": tests},
        "copies": {"zone": copied // _MONTHS, "month": copied % _MONTHS, "copies": copy_count},
        "seen": dict(zip(("zone", "operator"), split(present, max(size, 1)), strict=True)),
        "met": {"operator": met_here},
    }


_FIRST_DAY, _DAYS, _MONTHS = -800_000, 1_600_000, 1 << 16  # of any date that a file may hold, and more


def joined(parts: list[Facts]) -> Facts:
    """Facts of all shards, one after the other; the parts are emptied on the way, so that no column is held twice."""
    found: Facts = {}
    for name in list(parts[0]):
        columns = list(parts[0][name])
        found[name] = {column: np.concatenate([part[name].pop(column) for part in parts]) for column in columns}
    return found
