"""Where a raw table's headings stand and what they are, from its first rows as text.

The columns decide: where a column's cells below are numbers, times or positions, its heading is
not. Does not belong here: bytes, encodings, cells' types (`text.py`, `workbooks.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.schema.errors import Fault

HEAD_ROWS = 100  # rows that are looked at
FOOTER_ROWS = 12  # at most as many rows at the end are taken for totals and notes

Row = Sequence[str]  # trimmed cells, "" for blank
Merge = tuple[int, int, int, int]  # first row, first column, last row, last column, from 0


@dataclass(frozen=True)
class Layout:
    """The headings of a raw table and where its rows begin.

    `heading_row`: the number of the last heading row, as a spreadsheet counts; None where there is
    none and the columns are named by position (`column_1` …). `first_row`: the first row of data.
    `unit_row`: heading → the unit in the row below. `repeated`: headings that stood there more than
    once; all but the first are numbered, `x (2)`. `notes`: what the user should know, without the
    file's name.
    """

    names: tuple[str, ...]
    heading_row: int | None
    first_row: int
    unit_row: dict[str, str]
    notes: tuple[Fault, ...] = ()
    repeated: tuple[str, ...] = ()


_NUMBER = re.compile(
    r"[+\-−]?(?:\d[\d\s.,'\u00a0\u202f]*|[.,]\d+)(?:[eE][+\-]?\d+)?"
    r"\s*(?:%|°|[kKMG]?(?:bps|b/s|bit/s|B/s)|ms|s|m|km|dBm?|km/h)?"
)
_TIME = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T_,]+\d.*)?|\d{1,2}:\d{2}.*|\d{1,2}h\d{0,2}"
    r"|\d{8}T?\d{4,}Z?|\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4}.*"
)
_POSITION = re.compile(r"\d{1,3}\s*[°dº].*|[NSEW]\s*\d.*|(?:POINT|POLYGON|MULTIP)\w*\s*Z?\s*\(.*")
_CODE = re.compile(r"[A-Za-z]{0,4}[-_]?\d{3,}|[0-9a-fA-F-]{16,}|true|false", re.IGNORECASE)
_MISSING = frozenset(("", "-", "–", "—", "n/a", "na", "null", "nan", "none", "\\n", "?", "#n/a"))
_UNIT = re.compile(
    r"[(\[]?\s*(?:[kKMGT]?i?(?:bps|Bps|b/s|B/s|bit/s|bits/s|byte/s|bytes/s|bit/giây|b/giây)"
    r"|[kKMG]bits?|[kKMG]?bytes?|[mµun]?s|ms|sec|secs|seconds?|giây|phút|min|dBm|dBµV|dB|deg(?:rees?)?"
    r"|°|độ|m|km|mét|met(?:er|re)s?|km/h|m/s|%|Hz|kHz|MHz|GHz|bits?|wgs ?-?84|utc|local|gmt"
    r"|utc[+-]\d+|gmt[+-]\d+|yyyy.*|dd.*mm.*|hh:mm.*)\s*[)\]]?",
    re.IGNORECASE,
)
_TYPE = re.compile(
    r"string|str|text|varchar(?:\(\d+\))?|char|int|integer|bigint|long|float|double|decimal|number|"
    r"numeric|real|bool|boolean|date|datetime|time|timestamp|enum|uuid|object|category|-",
    re.IGNORECASE,
)
_FOOTER = re.compile(
    r"(?:tổng|cộng|trung bình|ghi chú|chú thích|nguồn|người (?:lập|ký)|lập biểu|ngày .* tháng|hết|"
    r"total|sum|subtotal|average|mean|grand total|note|source|generated|exported|created|end of|"
    r"copyright|©|\*|#|--|==|\(\d[\d,.]* rows?|rows?:|count:|records?:)",
    re.IGNORECASE,
)


def is_value(cell: str) -> bool:
    """Whether a cell is a number, a time, a position or a code, which no heading is.

    >>> [is_value(cell) for cell in ("21,004", "01/10/2026 07:00", "T00001", "Download", "4G")]
    [True, True, True, False, False]
    """
    return any(pattern.fullmatch(cell) for pattern in (_NUMBER, _TIME, _POSITION, _CODE))


def find(  # noqa: PLR0911 – a case a line
    rows: Sequence[Row], heading_row: int | None = None, merges: Sequence[Merge] = ()
) -> Layout | None:
    """The layout of a table that begins with `rows`; None where they hold nothing.

    `heading_row`: what the settings say; 0 says that there is none. `merges`: merged cells.
    """
    if heading_row is not None and heading_row > 0:
        if heading_row > len(rows) or not any(rows[heading_row - 1]):
            return None
        return _under(rows, heading_row - 1, merges, is_given=True)
    wide = _wide(rows)
    if not wide:
        return None
    if heading_row == 0:
        return _without_headings(rows, wide[0], ())
    first = _first_data(rows, wide)
    if first is None:  # text alone: the first full row
        return _under(rows, wide[0], merges)
    if first == wide[0] and not _two_rows_of_text(rows, first):
        example = [cell for cell in rows[first] if cell][:5]
        note = Fault("no_heading_row", row=first + 1, values={"found": example})
        return _without_headings(rows, first, (note,))
    above = [row for row in wide if row < first] or [first]
    start = above[-1]
    while start - 1 in above and not _is_comment(rows[start - 1]):
        start -= 1
    return _under(rows, start, merges)


def filled(row: Row) -> int:
    """How many cells hold something."""
    return sum(cell != "" for cell in row)


def _wide(rows: Sequence[Row]) -> list[int]:
    """Rows about as full as the fullest: not titles, not notes."""
    counts = [filled(row) for row in rows]
    usual = (sorted(counts, reverse=True)[:2] or [0])[-1] or max(counts, default=0)
    least = max(usual / 2, 2 if usual > 1 else 1)
    return [i for i, count in enumerate(counts) if count >= least]


def _first_data(rows: Sequence[Row], wide: list[int]) -> int | None:
    """The first row whose cells are values where those of the rows below are."""
    body = wide[len(wide) // 2 :] if len(wide) > 1 else wide
    width = max(len(rows[i]) for i in wide)
    columns = []
    for column in range(width):
        cells = [rows[i][column] for i in body if column < len(rows[i])]
        held = [cell for cell in cells if cell.lower() not in _MISSING]
        if held and sum(map(is_value, held)) >= 0.6 * len(held):
            columns.append(column)
    for i in wide:
        held = [
            rows[i][c] for c in columns if c < len(rows[i]) and rows[i][c].lower() not in _MISSING
        ]
        if held and 2 * sum(map(is_value, held)) > len(held):
            return i
    return None


def _two_rows_of_text(rows: Sequence[Row], first: int) -> bool:
    """Whether a lone row of values is rather a heading: `4G`, `2026` and the like, most is text."""
    held = [cell for cell in rows[first] if cell]
    return 4 * sum(map(is_value, held)) < len(held)


def _without_headings(rows: Sequence[Row], first: int, notes: tuple[Fault, ...]) -> Layout:
    width = max(_width(row) for row in rows[first:])
    names = tuple(f"column_{i}" for i in range(1, width + 1))
    return Layout(names, None, first + 1, {}, (*_titles(rows, first), *notes))


def _width(row: Row) -> int:
    return max((i + 1 for i, cell in enumerate(row) if cell), default=0)


def _is_comment(row: Row) -> bool:
    return next(cell for cell in row if cell).startswith(("#", "//", "--", "*"))


def _titles(rows: Sequence[Row], heading: int) -> tuple[Fault, ...]:
    """A note on the rows above the headings."""
    texts = [" ".join(cell for cell in row if cell) for row in rows[:heading]]
    texts = [text for text in texts if text]
    return (Fault("rows_above_heading", values={"found": texts}),) if texts else ()


def _under(
    rows: Sequence[Row], heading: int, merges: Sequence[Merge], *, is_given: bool = False
) -> Layout:
    """The layout with `heading` as the first (or given) row of headings."""
    top, cells, next_row = heading, list(map(_one_line, rows[heading])), heading + 1
    if next_row < len(rows) and _is_second_level(rows, heading, merges):
        cells, next_row = _joined(rows, heading, merges), heading + 2
    elif heading and not is_given and _is_upper_level(rows, heading - 1, merges):
        top, cells = heading - 1, _joined(rows, heading - 1, merges)
    last = next_row - 1
    names, repeated = numbered(headings_of(cells))
    units: dict[str, str] = {}
    while next_row < len(rows) and (found := _units(rows[next_row], cells)) is not None:
        units |= {names[i]: unit for i, unit in found.items() if i < len(names)}
        next_row += 1
    notes = list(_titles(rows, top))
    if next_row - heading > 1 and units:
        notes.append(
            Fault(
                "unit_row_found",
                row=next_row,
                values={"found": [f"{n}: {u}" for n, u in units.items()]},
            )
        )
    if repeated:
        notes.append(Fault("headings_numbered", row=heading + 1, values={"found": repeated}))
    return Layout(tuple(names), last + 1, next_row + 1, units, tuple(notes), repeated)


def _one_line(cell: str) -> str:
    """A heading over several lines on one."""
    return " ".join(cell.replace("\ufeff", "").split())


def headings_of(cells: Row) -> list[str]:
    """Headings as text; nameless columns get a name, nameless ones at the end are none."""
    return [cell or f"column_{i}" for i, cell in enumerate(cells[: _width(cells)], start=1)]


def numbered(names: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Names of which each stands there once, and those that were repeated.

    >>> numbered(["a", "b", "a"])
    (['a', 'b', 'a (2)'], ('a',))
    """
    counts = Counter(names)
    met: Counter[str] = Counter()
    taken, found = set(names), []
    for name in names:
        met[name] += 1
        one = name
        if met[name] > 1:
            number = met[name]
            while (one := f"{name} ({number})") in taken:
                number += 1
            taken.add(one)
        found.append(one)
    return found, tuple(name for name, count in counts.items() if count > 1)


def _units(row: Row, headings: Row) -> dict[int, str] | None:
    """The units in a row of units or of types, by column; None of any other row."""
    held = {i: cell for i, cell in enumerate(row) if cell}
    if not held or any(i >= len(headings) or not headings[i] for i in held):
        return None
    if all(_TYPE.fullmatch(cell) for cell in held.values()) and len(held) > 1:
        return {}
    units = {i: cell.strip("()[] ") for i, cell in held.items() if _UNIT.fullmatch(cell)}
    others = [cell for i, cell in held.items() if i not in units]
    return units if units and all(_TYPE.fullmatch(cell) for cell in others) else None


def _is_second_level(rows: Sequence[Row], upper: int, merges: Sequence[Merge]) -> bool:
    """Whether the row below completes the headings: it is filled where they are blank."""
    first, second = rows[upper], rows[upper + 1]
    held = [cell for cell in second if cell]
    if not held or any(map(is_value, held)):
        return False
    if _spans(merges, upper, len(first)):
        return True
    blank = [i for i, cell in enumerate(second) if cell and (i >= len(first) or not first[i])]
    inside = [i for i in blank if i < _width(first)]
    needed = len(second) > len(held) or len(set(held)) < len(held)
    return bool(inside or (blank and filled(first) > 1)) and needed


def _is_upper_level(rows: Sequence[Row], upper: int, merges: Sequence[Merge]) -> bool:
    """Whether the row above groups the headings: `Download` above `Mbps` and `max`."""
    groups, names = rows[upper], rows[upper + 1]
    held = [cell for cell in names if cell]
    if any(map(is_value, [cell for cell in groups if cell])):
        return False
    if _spans(merges, upper, max(len(groups), len(names))):
        return True
    if len(set(held)) == len(held) or filled(groups) < 2:
        return False
    found = [name for name in _joined(rows, upper, merges) if name]
    return len(set(found)) == len(found)  # it tells them apart


def _spans(merges: Sequence[Merge], row: int, width: int) -> bool:
    """Whether merged cells in a row lie over some columns, not over all (a title does)."""
    across = [m for m in merges if m[0] <= row <= m[2] and m[3] > m[1]]
    return any(m[3] - m[1] + 1 < width - 1 for m in across) or len(across) > 1


def _joined(rows: Sequence[Row], upper: int, merges: Sequence[Merge]) -> list[str]:
    """Two rows of headings as one: `Download / Mbps`."""
    width = max(_width(rows[upper]), _width(rows[upper + 1]))
    above, below = (
        [_one_line(cell) for cell in row] + [""] * (width - len(row))
        for row in (rows[upper], rows[upper + 1])
    )
    covered = {
        column: above[m[1]]
        for m in merges
        if m[0] <= upper <= m[2]
        for column in range(m[1], min(m[3] + 1, width))
    }
    group, found = "", []
    for column in range(width):
        lower = below[column]
        if above[column]:
            group = above[column] if lower else ""
        one = above[column] or covered.get(column, "") or (group if not merges else "")
        if not lower or not one or lower == one:
            found.append(lower or above[column])
        else:
            found.append(f"{one} / {lower}")
    return found


def footer_count(rows: Sequence[Row]) -> int:
    """How many rows at the end are no data: totals, notes, signatures, and blanks among them.

    `rows`: the last rows of the table, some more than FOOTER_ROWS where there are as many.
    """
    counts = sorted(filled(row) for row in rows if any(row))
    if not counts or counts[-1] < 4:
        return 0
    usual, found = counts[len(counts) // 2], 0
    usual = max(usual, counts[-1] * 3 // 4)
    for back, row in enumerate(reversed(rows[-FOOTER_ROWS:]), start=1):
        if not any(row):
            continue
        words = next(cell for cell in row if cell)
        is_note = _FOOTER.match(words) is not None and filled(row) <= 0.6 * usual
        if not is_note and filled(row) > max(1, usual // 5):
            break
        found = back
    return found
