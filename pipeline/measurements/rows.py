"""Rows of a shard, ordered so that whatever is compared or added up lies side by side; and what a
period asks of them.

Columns are arrays of equal length: device (fingerprint), cell (H3 integer), time (µs UTC), shift (s
to local time), zone, operator (fingerprint), technology, own (reason), source, file, row, download,
upload, latency, identity, identity2, flags, and signal where any was delivered. Does not belong
here: what is added up (`facts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.hexgrid.groups import changes, sequence
from pipeline.measurements import clean
from pipeline.measurements.fingerprints import mixed

Column = npt.NDArray[Any]
Columns = dict[str, npt.NDArray[Any]]
Flags = npt.NDArray[np.bool_]
DAY_S = 86_400
PSEUDO, CLOSE, HAS_ID, ACCURATE = 1, 2, 4, 8  # bits of the column `flags`


@dataclass(frozen=True)
class Scope:
    """What the facts are asked for. Windows and spans are (first, last) months; the first window is
    the base window.
    """

    windows: tuple[tuple[int, int], ...]
    report_month: int
    months: tuple[int, int]  # of the tracker
    spans: tuple[tuple[int, int], ...]  # whose devices are counted by commune
    longest: tuple[int, int]  # in which an operator is met
    year: tuple[int, int]  # the twelve months in which an operator counts as present
    zone_count: int
    operators: npt.NDArray[np.uint32]  # fingerprints, ascending by operator's number
    valued: tuple[int, ...]  # windows that verdicts rest on: numbers into `windows`
    summarised: tuple[int, ...]  # windows of the area's figures
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
    known_cells: npt.NDArray[np.uint64] = field(
        default_factory=lambda: np.zeros(0, np.uint64)
    )  # ascending

    @property
    def reach(self) -> tuple[int, int]:
        """The first and the last month that anything is asked of."""
        all_months = [self.months, *self.windows, *self.spans]
        return min(first for first, _ in all_months), max(last for _, last in all_months)


def row_number(columns: Columns) -> npt.NDArray[np.uint64]:
    """File and row in one number."""
    return columns["file"].astype(np.uint64) << np.uint64(32) | columns["row"].astype(np.uint64)


def within(month: Column, window: tuple[int, int]) -> Flags:
    """Months in [first, last]."""
    return np.asarray((month >= window[0]) & (month <= window[1]))


class Rows:
    """Rows with a time, ordered by device, commune, operator, technology, cell, day, and then time,
    file and row.
    """

    def __init__(
        self,
        columns: Columns,
        order: npt.NDArray[np.int64],
        timed: npt.NDArray[np.int64],
        scope: Scope,
    ) -> None:
        self.columns, self.order, self.timed, self.scope = columns, order, timed, scope
        self.taken: Columns = {}
        self.key = np.zeros(
            0, dtype=np.int64
        )  # the same for rows of one device, place, cell and day; ascending
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


def ordered(columns: Columns, scope: Scope) -> Rows:
    """The rows with a time in their order, with their repeats marked."""
    timed = np.flatnonzero(clean.has_time(columns["own"]))
    if len(timed) < len(columns["own"]):
        columns = {name: values[timed] for name, values in columns.items()}
    local = columns["time"] // 1_000_000 + columns["shift"]
    day = (local // DAY_S).astype(np.int32)
    operator = _numbers(columns["operator"], scope.operators)
    place = (columns["zone"].astype(np.int64) + 1) * (len(scope.operators) + 1) + operator + 1
    place = place * 8 + columns["technology"] + 1
    # by the bits that bring devices into shards: facts of all shards come in one order, wherever
    # shards begin
    key = (mixed(columns["device"]), place, columns["cell"], columns["time"])
    order = _ties_settled(sequence(key), key, columns)
    rows = Rows(columns, order, timed, scope)
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
        same = (
            rows.key[nameless],
            *(rows[name][nameless] for name in ("time", "identity", "download", "upload")),
        )
        rows.repeat[nameless] |= clean.repeats(
            same, tuple(rows[name][nameless] for name in ("time", "file", "row"))
        )
    return rows


def _ties_settled(
    order: npt.NDArray[np.int64], key: tuple[Column, ...], columns: Columns
) -> npt.NDArray[np.int64]:
    """The order of rows by `key`, whose last column is the time, with rows of equal key ordered by
    file and row.

    They are few: to sort all rows by two columns more costs a third of the sorting.
    """
    time = key[-1][order]
    same = np.flatnonzero(time[1:] == time[:-1])
    here, there = order[same], order[same + 1]
    for column in key[:-1]:
        equal = column[here] == column[there]
        same, here, there = same[equal], here[equal], there[equal]
    rows = np.union1d(same, same + 1)
    run = np.cumsum(~np.isin(rows - 1, same))
    tied = order[rows]
    order[rows] = tied[np.lexsort((columns["row"][tied], columns["file"][tied], run))]
    return order


def _tied(key: npt.NDArray[np.int64], time: npt.NDArray[np.int64]) -> Flags:
    """Rows that share key and time with the row before or after."""
    same = (key[1:] == key[:-1]) & (time[1:] == time[:-1])
    tied = np.zeros(len(key), dtype=bool)
    tied[1:] = same
    tied[:-1] |= same
    return tied


def _numbers(prints: Column, known: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    """Place of each fingerprint among the known ones, −1 where it is none of them."""
    found = np.full(len(prints), -1, dtype=np.int32)
    for number, one in enumerate(known):
        found[prints == one] = number
    return found


def packed(columns: tuple[Column, ...], sizes: tuple[int | None, ...]) -> npt.NDArray[np.int64]:
    """Non-negative columns in one number that orders as they do, the first the most significant.

    `sizes`: one more than a column's highest value, None to look. Where 62 bits do not hold them,
    the ranks of the leading ones do.
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


def month_of_day(day: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Days since 1970 → year · 12 + month − 1.

    >>> month_of_day(np.array([0, 31, 365], dtype="int32")) - 1970 * 12
    array([ 0,  1, 12], dtype=int32)
    """
    if not len(day):
        return day
    low = int(day.min())
    days = np.arange(low, int(day.max()) + 1).astype("datetime64[D]")
    months: npt.NDArray[np.int32] = (
        days.astype("datetime64[M]").astype(np.int64) + 1970 * 12
    ).astype(np.int32)
    return months[day - low]


def is_valid(rows: Rows) -> Flags:
    """Tests that count: sound, met for the first time, with a speed."""
    return np.asarray((rows["own"] == clean.COUNTS) & ~rows.repeat & (rows["download"] > 0))


def counted(
    codes: npt.NDArray[np.int64], weights: Column | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Distinct codes, ascending, and how often each occurs (or the sum of its whole-numbered
    weights).
    """
    distinct, number = np.unique(codes, return_inverse=True)
    return distinct, np.bincount(number, weights=weights, minlength=len(distinct)).astype(
        np.float64
    )


def split(codes: npt.NDArray[np.int64], size: int) -> tuple[Column, Column]:
    """(code // size, code % size)."""
    return codes // size, codes % size
