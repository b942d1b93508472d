"""From the rows of whole devices to facts: what every figure is made of, added up as far as one
device alone allows.

A shard holds all rows of its devices, so that whatever compares rows with rows (repeats, samples,
sittings, device values) is closed in it; facts of many shards are laid side by side and only
counted or ordered after that. Columns are arrays of equal length; communes, operators and
technologies are numbers into lists that the journey keeps, devices fingerprints, cells H3 integers,
months year · 12 + month − 1, days since 1970 in local time.

`units`     window, unit (commune × operator and `all`): tests, devices, samples, sums over devices
`values N`  of window N: zone, operator, device, its value      `area N`, `area`  values by operator over the whole area; counts
`cells`     zone, operator, device, cell: samples of the base window that are exact enough for a hex
`places`    unit, cell, month: tests, samples                   `dates`   zone, operator, day: valid tests
`slow`      unit, month and second of the day of slow samples   `signals` window, zone, operator, device: dBm
`months`    zone, month: samples, devices, tests in bursts      `spans`   zone, span: devices      `copies`  zone, month: repeats
`others`    window, zone, operator: failed, newer, older tests  `seen`    zone, operator: met within twelve months
`known`     samples at cells of gaps that are known already     `met`     operators with tests in the longest window
`books`, `rejects`, `phones`: by source what became of the rows; rows that are set aside; the
devices' fingerprints Does not belong here: formulas and verdicts, text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.measurements import clean
from pipeline.measurements.rows import (
    PSEUDO,
    Columns,
    Rows,
    Scope,
    counted,
    ordered,
    row_number,
    split,
    within,
)
from pipeline.measurements.sample_facts import facts_of_samples

Facts = dict[str, Columns]


def repeated_ids(columns: Columns) -> npt.NDArray[np.uint64]:
    """Rows (`row_number`) whose test id was met before in their source; `columns` hold all rows of
    their test ids.
    """
    found = clean.repeats(
        (columns["identity"], columns["identity2"]),
        (columns["time"], columns["file"], columns["row"]),
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
    books = clean.balance(
        reasons, failed, columns["source"], [str(n) for n in range(scope.source_count)]
    )
    set_aside = reasons != clean.COUNTS
    named = (
        np.flatnonzero(columns["flags"] & PSEUDO == 0)
        if "flags" in columns
        else np.zeros(0, np.int64)
    )
    first = _starts_of(pd.factorize(columns["device"][named])[0]) if len(named) else named
    found: dict[str, Columns] = {
        "books": {
            "source": np.arange(scope.source_count),
            **{name: books[name].to_numpy() for name in books},
        },
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
    """What is counted by rows: tests that failed or were of another technology, repeats, operators
    that were met.
    """
    size, unit = len(scope.operators), rows.unit()
    own, technology = rows["own"], rows["technology"]
    known = unit >= 0
    is_other = own == clean.REASON["other_technology"]
    few = np.flatnonzero(
        known & ~rows.repeat & (is_other | ((own == clean.COUNTS) & ~(rows["download"] > 0)))
    )
    other, which = is_other[few], technology[few]
    counted_as = (~other, other & (which == 3), other & ((which == 0) | (which == 1)))
    parts: list[Columns] = []
    for number, window in enumerate(scope.windows):
        here = within(rows.month[few], window)
        counts = [
            np.bincount(unit[few[here & one]], minlength=scope.zone_count * size)
            for one in counted_as
        ]
        met = np.flatnonzero(np.sum(counts, axis=0))
        about = {
            "window": np.full(len(met), number),
            "zone": met // max(size, 1),
            "operator": met % max(size, 1),
        }
        parts.append(
            about
            | dict(zip(("failed", "newer", "older"), (count[met] for count in counts), strict=True))
        )
    copies = np.flatnonzero(rows.repeat & (rows["zone"] >= 0) & within(rows.month, scope.months))
    copied, copy_count = counted(
        rows["zone"][copies].astype(np.int64) * _MONTHS + rows.month[copies]
    )
    mobile = (technology >= 0) & (technology < 4)
    met_unit = np.zeros(scope.zone_count * size + 1, dtype=bool)  # the last one stands for −1
    met_unit[unit[mobile & within(rows.month, scope.year)]] = True
    present = np.flatnonzero(met_unit[:-1])
    asked = (
        known
        & (technology == scope.technology)
        & (rows["download"] > 0)
        & within(rows.month, scope.longest)
    )
    return {
        "others": {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        "copies": {"zone": copied // _MONTHS, "month": copied % _MONTHS, "copies": copy_count},
        "seen": dict(zip(("zone", "operator"), split(present, max(size, 1)), strict=True)),
        "met": {"operator": np.flatnonzero(np.bincount(rows.operator[asked], minlength=1))},
    }


_MONTHS = 1 << 16  # more than any date may hold


def joined(parts: list[Facts]) -> Facts:
    """Facts of all shards, one after the other; the parts are emptied on the way, so that no column
    is held twice.
    """
    found: Facts = {}
    for name in list(parts[0]):
        columns = list(parts[0][name])
        found[name] = {
            column: np.concatenate([part[name].pop(column) for part in parts]) for column in columns
        }
    return found
