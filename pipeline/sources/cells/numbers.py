"""Numbers as people and programs write them → float64, by marks that the whole column shows.

`1.234` is 1234 or 1.234: the other cells of the column say which, else the values refute one, else
it is a question. Does not belong here: what a figure's unit is (`units.py`), whether it is
believable (`prepare.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from pipeline.schema.errors import Fault
from pipeline.schema.texts import Said, joined
from pipeline.sources.cells.decision import Basis, Decision
from pipeline.sources.cells.missing import is_missing
from pipeline.sources.cells.units import (
    KINDS,
    Unit,
    decide_unit,
    settings_line,
    suffixes,
    unit_of,
    usual_distance,
)

# A median above these (in our units) refutes a reading: no month of mobile tests has half of them
# above 1 Gbit/s, waits 5 s or places its phones within 3 km only.
LARGEST_MEDIAN: Mapping[str, float] = {
    "download_mbps": 1000,
    "upload_mbps": 1000,
    "latency_ms": 5000,
    "jitter_ms": 1000,
    "location_accuracy_m": 3000,
}
LARGEST: Mapping[str, float] = {"latitude": 90, "longitude": 180, "signal_dbm": 200}
STRAY = 0.01  # cells that use a mark against the column, up to this share, do not change its form
FAILED_MARKS = (-1.0,)  # speeds that stand for a failed test wherever all others are not negative

_SPACES = " \t\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_APOSTROPHES = "'`\u00b4\u02bc\u2018\u2019\uff07"
_MINUSES = "\u2212\ufe63\uff0d\u2010\u2011\u2012\u2013"
_INVISIBLE = "\u2060\ufeff" + "".join(
    chr(n)
    for start, end in ((0x200B, 0x2010), (0x202A, 0x202F), (0x2066, 0x206A))
    for n in range(start, end)
)
_PLAIN_CHARACTERS: Mapping[str, str] = {
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_APOSTROPHES, "'"),
    **dict.fromkeys(_MINUSES, "-"),
    **dict.fromkeys(_INVISIBLE, ""),
    # fullwidth, Arabic-Indic and Persian digits
    **{chr(start + n): str(n) for start in (0xFF10, 0x660, 0x6F0) for n in range(10)},
    "\uff0c": ",",
    "\uff0e": ".",
    "\u066b": ".",
    "\uff0b": "+",
    "\uff05": "%",
}
_EXP = r"(?:[eE][+-]?\d{1,3})?"
_OTHER = {".": ",", ",": "."}
_SPACED = r"^[+-]?\d{1,3}(?:[ ']\d{3})+(?:[.,]\d*)?$"
_WHOLE = rf"^[+-]?\d+{_EXP}$"


@dataclass(frozen=True)
class NumberForm:
    """How a column's numbers are written.

    `decimal`, `grouping`: the marks (of `.` and `,`) that may be decimal and that may group digits,
    each in cells that show it. A mark that may be both stands undecided before exactly three digits
    (`1.234`): such cells cannot be read. Spaces and apostrophes may always group digits.
    `is_percent`: the percent signs of cells mean hundredths. `unit`: the unit of cells that state
    none, where units stand behind numbers; all cells become figures in it. `ours`: the column's
    name here, for the spelling of these units.
    """

    decimal: str = "."
    grouping: str = ","
    is_percent: bool = False
    unit: Unit | None = None
    ours: str = ""


PLAIN = NumberForm()
BY_CELL = NumberForm(".,", "")  # a lone mark is decimal, one that repeats groups
UNDECIDED = NumberForm(".,", ".,")  # only cells that show the role of their marks
BOTH_GROUP = NumberForm("", ".,")


def form_of(decimal: str | None) -> NumberForm:
    """The form of a decimal mark that the settings give; without one each cell shows its own.

    >>> form_of(","), form_of(None) == BY_CELL
    (NumberForm(decimal=',', grouping='.', is_percent=False, unit=None, ours=''), True)
    """
    return BY_CELL if decimal is None else NumberForm(decimal, _OTHER[decimal])


def _grouped(mark: str, least: int) -> str:
    """Digits in groups of three, at least `least` marks, or in Indian groups (1,23,456)."""
    m = re.escape(mark)
    return rf"(?:\d{{1,3}}(?:{m}\d{{3}}){{{least},}}|\d{{1,2}}(?:{m}\d{{2}})+{m}\d{{3}})"


def _open(mark: str) -> str:
    """One mark before exactly three digits, which may group or be decimal."""
    return rf"[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}"


def _decimal(mark: str) -> str:
    """One mark that can only be decimal.

    It stands not before exactly three digits, or behind a zero or four digits, or there is an
    exponent.
    """
    m = re.escape(mark)
    return (
        rf"(?:\d+{m}(?:\d{{0,2}}|\d{{4,}}){_EXP}|{m}\d+{_EXP}|(?:0\d*|\d{{4,}}){m}\d{{3}}{_EXP}"
        rf"|\d{{1,3}}{m}\d{{3}}[eE][+-]?\d{{1,3}})"
    )


def _both(decimal: str) -> str:
    """Grouped digits with the other mark, then the decimal mark."""
    return rf"{_grouped(_OTHER[decimal], 1)}{re.escape(decimal)}\d*{_EXP}"


def _tidied(cells: pl.Series) -> pl.Series:
    """Text cells with plain digits, signs and spaces, without spaces that group digits."""
    text = cells
    odd = text.str.contains(r"[^\x21-\x5f\x61-\x7e]").fill_null(False)
    if odd.any():
        plain = text.str.replace_many(list(_PLAIN_CHARACTERS), list(_PLAIN_CHARACTERS.values()))
        text = plain.str.strip_chars()
    text = text.str.replace(r"^'(.*?)'?$", "$1")  # how Excel marks a number kept as text
    text = text.str.replace(r"^([+-])\s+", "$1")
    spaced = text.str.contains(_SPACED).fill_null(False)
    if spaced.any():
        closed = text.str.replace_all(r"[ ']", "")
        text = pl.select(pl.when(spaced).then(closed).otherwise(text)).to_series()
    return text.alias(cells.name)


def _reading(form: NumberForm) -> list[tuple[str, str, str]]:
    """Patterns of cells that the form reads, the mark to delete and the decimal mark in each."""
    groups = form.grouping if len(form.decimal) < 2 else ".,"
    found = []
    for mark in form.decimal:
        if mark in form.grouping:
            found.append((_decimal(mark), "", mark))
        else:
            m = re.escape(mark)
            found.append((rf"(?:\d+{m}\d*|{m}\d+){_EXP}", "", mark))
        if _OTHER[mark] in groups:
            found.append((_both(mark), _OTHER[mark], mark))
    for mark in groups:
        is_sure = mark in form.grouping and mark not in form.decimal
        found.append((_grouped(mark, 1 if is_sure else 2), mark, ""))
    return found


def _carefully(cells: pl.Series, form: NumberForm) -> pl.Series:
    """Float64 of text cells in any form that `NumberForm` can express."""
    text, factor = _tidied(cells), None
    if form.is_percent:
        is_percent = text.str.ends_with("%").fill_null(False)
        factor = pl.select(pl.when(is_percent).then(0.01).otherwise(1.0)).to_series()
        text = text.str.replace(r"\s*%$", "")
    if form.unit is not None:
        text, factor = _without_units(text, form.unit, form.ours)
    text = text.alias("text")
    branches = [pl.when(pl.col("text").str.contains(_WHOLE)).then(pl.col("text"))]
    for pattern, drop, decimal in _reading(form):
        cell = pl.col("text")
        cell = cell.str.replace_all(drop, "", literal=True) if drop else cell
        cell = cell.str.replace(decimal, ".", literal=True) if decimal == "," else cell
        branches.append(pl.when(pl.col("text").str.contains(rf"^[+-]?{pattern}$")).then(cell))
    plain = pl.coalesce(branches)
    found = text.to_frame().select(plain.cast(pl.Float64, strict=False)).to_series()
    return found if factor is None else found * factor


def _without_units(text: pl.Series, main: Unit, ours: str) -> tuple[pl.Series, pl.Series]:
    """Cells without the unit behind their number, and the factor of each to `main`.

    A unit that is not understood leaves the cell as it is.
    """
    met = suffixes(text)
    factors: dict[str, float] = {}
    for word in met.drop_nulls().unique().sort():
        try:
            unit = unit_of(ours, word)
        except ValueError:
            continue
        if unit is not None and unit.offset == main.offset:
            factors[word] = unit.factor / main.factor
    known = met.is_in(list(factors)).fill_null(False)
    cut = text.str.replace(r"\s*[^\d\s.,'%+-][^\d]*$", "")
    shown = pl.select(pl.when(known).then(cut).otherwise(text)).to_series()
    factor = met.replace_strict(factors, default=1.0, return_dtype=pl.Float64)
    return _tidied(shown), factor.fill_null(1.0)


def read_numbers(column: pl.Series, form: NumberForm) -> pl.Series:
    """A column → float64 by its form.

    Cells that hold nothing or cannot be read, and infinities, are null. Numbers stay, whatever
    their type (integers, decimals); other types than text cannot be read.

    >>> cells = pl.Series(["1.234,5", "12,5", "+7", "1 234 567", "#N/A"])
    >>> read_numbers(cells, NumberForm(",", ".")).to_list()
    [1234.5, 12.5, 7.0, 1234567.0, None]
    """
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        if column.dtype.is_numeric():
            return _finite(column.cast(pl.Float64))
        return pl.repeat(None, len(column), dtype=pl.Float64, eager=True).alias(column.name)
    is_comma_decimal = "," in form.decimal and "," not in form.grouping
    if "." in form.decimal and "." not in form.grouping:
        read = column.cast(pl.Float64, strict=False)
        read = _left(read, column, _with_comma) if is_comma_decimal else read
    elif is_comma_decimal:
        read = _with_comma(column)
    else:  # every mark needs a look at its cell
        read = column.cast(pl.Int64, strict=False).cast(pl.Float64)
    return _finite(_left(read, column, lambda cells: _carefully(cells, form)))


def _with_comma(cells: pl.Series) -> pl.Series:
    """Of cells without a point: a comma is decimal."""
    text = _nulled(cells, cells.str.contains(".", literal=True))
    return text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)


def _left(
    read: pl.Series, column: pl.Series, careful: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """`read`, completed by what `careful` makes of the cells that it has no value for."""
    rows = (read.is_null() & column.is_not_null()).arg_true()
    return read.scatter(rows, careful(column[rows])) if len(rows) else read


def _finite(read: pl.Series) -> pl.Series:
    return read if read.is_finite().all() else _nulled(read, ~read.is_finite())


def _nulled(column: pl.Series, rows: pl.Series) -> pl.Series:
    found: pl.Series = pl.select(pl.when(~rows).then(column)).to_series()
    return found.alias(column.name)


def decide_numbers(
    cells: pl.Series, ours: str, given: str | None = None, *, unit: Unit | None = None
) -> Decision[NumberForm]:
    """How the numbers of a column are written, or a question.

    `cells`: a sample of the column, its name the heading. `ours`: the column that it becomes, or
    `count` for people and things. `given`: the settings' decimal mark; it holds unless every cell
    with a mark contradicts it. `unit`: what `decide_unit` found; without it, units behind numbers
    are decided here.

    A mark's role is shown by any cell that allows one only: `12,5`, `0.105`, `1.234,5`,
    `1.234.567`. Where every cell has exactly three digits behind its only mark, the values decide
    only if they make one role impossible: a latitude is no 22,105, people are whole, and half of a
    month's tests are not above 1 Gbit/s (LARGEST, LARGEST_MEDIAN). Else it is a question.
    """
    if cells.dtype in (pl.Categorical, pl.Enum):
        cells = cells.cast(pl.String)
    if cells.dtype.is_numeric() or cells.dtype == pl.Null:
        return Decision(PLAIN, "default", str(cells.dtype))
    if cells.dtype != pl.String:
        return _asked("numbers_unreadable", str(cells.dtype), _column_lines(ours))
    held = cells.filter(~is_missing(cells))
    held = held.filter(~held.str.strip_chars().str.starts_with("#"))  # errors of spreadsheets
    if not len(held):
        return Decision(form_of(given) if given else UNDECIDED, "settings" if given else "default")
    return _decide_text(held, ours, given, unit)


def _decide_text(
    held: pl.Series, ours: str, given: str | None, unit: Unit | None
) -> Decision[NumberForm]:
    """The form of text cells that hold something."""
    text, is_share = _tidied(held), ours not in KINDS
    percent = text.str.ends_with("%")
    if not is_share and percent.sum() >= len(held) / 2:
        found = _examples(held.filter(percent), len(held))
        return _asked("unit_of_another_kind", found, _column_lines(ours))
    text = text.str.replace(r"\s*%$", "") if is_share else text.filter(~percent)
    in_cells = None if is_share else _unit_in_cells(text, held, ours, unit)
    if in_cells is not None and in_cells.form is None:
        return Decision(None, in_cells.basis, in_cells.evidence, in_cells.question)
    main = in_cells.form if in_cells else None
    if main is not None:
        text, _ = _without_units(text, main, ours)
    seen = _Seen.of(text)
    if not seen.readable:
        return _asked("numbers_unreadable", _examples(held, len(held)), _column_lines(ours))
    decision = _marks(seen, held.name, ours, given, unit or main)
    if decision.form is None:
        return decision
    form = replace(decision.form, is_percent=is_share and bool(percent.any()))
    return replace(decision, form=replace(form, unit=main, ours=ours) if main else form)


def _unit_in_cells(
    text: pl.Series, held: pl.Series, ours: str, unit: Unit | None
) -> Decision[Unit] | None:
    """The unit of a column with units behind its numbers; None of a column without."""
    behind = text.filter(text.str.contains(r"\d\s*[^\d\s.,'%+\-eE]"))
    if not len(suffixes(behind).drop_nulls()):
        return None
    return decide_unit(ours, held.name, held) if unit is None else Decision(unit, "cells")


@dataclass(frozen=True)
class _Seen:
    """Counts of a column's cells by what their marks show, and the cells that leave it open."""

    readable: int
    decimal: Mapping[str, int]
    grouping: Mapping[str, int]
    open: Mapping[str, pl.Series]
    examples: Mapping[str, pl.Series]  # of cells that show a role

    @classmethod
    def of(cls, text: pl.Series) -> _Seen:
        marked = text.filter(text.str.contains("[.,]"))
        whole = int(text.str.contains(_WHOLE).sum())

        def like(*patterns: str) -> pl.Series:
            return marked.filter(marked.str.contains(rf"^[+-]?(?:{'|'.join(patterns)})$"))

        both = {mark: like(_both(mark)) for mark in ".,"}
        decimal = {mark: like(_decimal(mark)) for mark in ".,"}
        grouping = {mark: like(_grouped(mark, 2)) for mark in ".,"}
        is_open = {mark: like(_open(mark)) for mark in ".,"}
        groups = (both, decimal, grouping, is_open)
        return cls(
            whole + sum(len(found) for group in groups for found in group.values()),
            {mark: len(decimal[mark]) + len(both[mark]) for mark in ".,"},
            {mark: len(grouping[mark]) + len(both[_OTHER[mark]]) for mark in ".,"},
            is_open,
            {
                mark: pl.concat([both[mark], decimal[mark], grouping[mark]]).rechunk()
                for mark in ".,"
            },
        )

    def without_strays(self) -> _Seen:
        """The counts without the few cells (STRAY) that use a mark against all others."""
        decimal, grouping = dict(self.decimal), dict(self.grouping)
        for mark in ".,":
            if grouping[mark] <= STRAY * decimal[mark]:
                grouping[mark] = 0
            elif decimal[mark] <= STRAY * grouping[mark]:
                decimal[mark] = 0
        return replace(self, decimal=decimal, grouping=grouping)

    def says(self, mark: str) -> str:
        """Counts and examples of one mark."""
        shown = pl.concat([self.examples[mark], self.open[mark]])
        return joined(f"“{mark}”", _examples(shown, self.readable), by=": ") if len(shown) else ""


def _marks(
    all_seen: _Seen, column: str, ours: str, given: str | None, unit: Unit | None
) -> Decision[NumberForm]:
    """The form by the marks that a column shows, else by what its values allow."""
    seen = all_seen.without_strays()
    evidence = joined(*(seen.says(mark) for mark in ".,"), by=", ")
    by_values = {m: _only_role(ours, seen.open[m], m, unit) for m in ".," if len(seen.open[m])}
    if given is not None:
        if _holds(given, seen, by_values):
            return Decision(form_of(given), "settings", evidence)
        none = joined(f"decimal = {given!r}: 0", seen.readable, by=" / ")
        evidence = joined(none, evidence)
    roles: dict[str, str] = {}
    for mark in ".,":
        shown = [role for role in ("decimal", "grouping") if getattr(seen, role)[mark]]
        if len(shown) == 2:
            if any(len(cells) for cells in seen.open.values()):
                return _asked("number_marks_mixed", evidence, _decimal_lines(ours, column, ".,"))
            return Decision(UNDECIDED, "cells", evidence)
        if shown:
            roles[mark] = shown[0]
    return _complete(roles, by_values, seen, (column, ours, unit), evidence)


def _holds(given: str, seen: _Seen, by_values: Mapping[str, str | None]) -> bool:
    """Whether any cell fits the settings' decimal mark, or none with a mark contradicts it."""
    other = _OTHER[given]
    is_refuted = by_values.get(other) == "decimal"
    fitting = seen.decimal[given] + seen.grouping[other] + len(seen.open[given])
    against = seen.decimal[other] + seen.grouping[given]
    if is_refuted:
        against += len(seen.open[other])
    else:
        fitting += len(seen.open[other])
    return fitting > 0 or not against


def _complete(
    roles: dict[str, str],
    by_values: Mapping[str, str | None],
    seen: _Seen,
    of: tuple[str, str, Unit | None],
    evidence: str,
) -> Decision[NumberForm]:
    """The form of the roles that cells show; open marks go by the values, or the other mark.

    `of`: the column's heading, our name of it and its unit.
    """
    column, ours, _ = of
    basis: Basis = "cells" if roles else "default"
    for mark, only in by_values.items():
        if mark in roles:
            continue
        by_other = {"decimal": "grouping", "grouping": "decimal"}.get(roles.get(_OTHER[mark], ""))
        role = only or by_other
        if role is None:
            return _open_question(seen.open[mark], mark, of, evidence)
        if by_other and role != by_other and ours in LARGEST_MEDIAN:
            # a median is evidence, no proof: the other mark's role stands against it
            if len(seen.open[mark]) > STRAY * seen.readable:
                return _asked("number_marks_mixed", evidence, _decimal_lines(ours, column, ".,"))
            role = by_other
        basis = "values" if role != by_other else basis
        roles[mark] = role
    return Decision(_form_of_roles(roles), basis, evidence)


def _form_of_roles(roles: Mapping[str, str]) -> NumberForm:
    decimal = "".join(mark for mark in ".," if roles.get(mark) == "decimal")
    grouping = "".join(mark for mark in ".," if roles.get(mark) == "grouping")
    if not roles:
        return UNDECIDED
    if len(roles) == 1:  # the mark that no cell has takes the other role
        (mark,) = roles
        return NumberForm(mark, _OTHER[mark]) if decimal else NumberForm(_OTHER[mark], mark)
    return NumberForm(decimal, grouping)


def _only_role(ours: str, cells: pl.Series, mark: str, unit: Unit | None) -> str | None:
    """The only role that a mark before three digits can have by what the column means."""
    if ours == "count":
        return "grouping"
    figures = cells.str.replace(mark, ".", literal=True).cast(pl.Float64, strict=False).abs()
    if ours in LARGEST:
        fitting = int((figures <= LARGEST[ours]).sum())
        return "decimal" if fitting > (1 - STRAY) * len(figures) else None
    if ours in LARGEST_MEDIAN:
        median = _median(figures) * (unit.factor if unit else 1.0)
        return "decimal" if median <= LARGEST_MEDIAN[ours] < 1000 * median else None
    return None


def _median(figures: pl.Series) -> float:
    return float(figures.median() or 0.0)  # type: ignore[arg-type]


def _open_question(
    cells: pl.Series, mark: str, of: tuple[str, str, Unit | None], evidence: str
) -> Decision[NumberForm]:
    column, ours, unit = of
    figures = cells.str.replace(mark, ".", literal=True).cast(pl.Float64, strict=False).abs()
    median = _median(figures) * (unit.factor if unit else 1.0)
    is_grouping = usual_distance(ours, 1000 * median) < usual_distance(ours, median)
    first = _OTHER[mark] if is_grouping else mark
    found = _examples(cells, len(cells))
    lines = _decimal_lines(ours, column, first + _OTHER[first])
    fault = Fault("number_mark_open", column=column, values={"found": found, "lines": lines})
    return Decision(None, "default", evidence, fault)


def _decimal_lines(ours: str, column: str, marks: str) -> tuple[str, ...]:
    return tuple(settings_line(ours, column, decimal=mark) for mark in marks)


def _column_lines(ours: str) -> tuple[str, ...]:
    return (f'{ours} = "…"',)


def _examples(cells: pl.Series, of: int) -> Said:
    """Three different cells and how many there are, among how many: `“12,5”, “7,25” (40 / 60)`."""
    shown = ", ".join(f"“{cell.strip()}”" for cell in cells.unique(maintain_order=True)[:3])
    return joined(shown, " (", len(cells), " / ", of, ")", by="")


def _asked(code: str, found: str, lines: tuple[str, ...]) -> Decision[NumberForm]:
    return Decision(None, "default", found, Fault(code, values={"found": found, "lines": lines}))


def unreadable(column: pl.Series, read: pl.Series) -> pl.Series:
    """Which cells hold something that `read_numbers` gave no value for, Excel's errors among them.

    >>> unreadable(pl.Series(["1", "-", "#N/A", "x"]), pl.Series([1.0, None, None, None])).to_list()
    [False, False, True, True]
    """
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        rows = (read.is_null() & column.is_not_null()).arg_true()
        found = pl.repeat(False, len(column), dtype=pl.Boolean, eager=True)
        return found.scatter(rows, ~is_missing(column[rows])) if len(rows) else found
    held = column.is_not_null() & read.is_null()
    return held & ~column.is_nan() if column.dtype.is_float() else held


def decide_failed_marks(
    values: pl.Series, ours: str = "download_mbps"
) -> Decision[tuple[float, ...]]:
    """Which values of a column of speeds (as read, its name the heading) stand for a failed test.

    `-1` does where it is the only negative value and not the most frequent case. One to three other
    negative values that repeat (`-999`) are asked about; other negative values are no marks.

    >>> decide_failed_marks(pl.Series([25.4, -1.0, 20.9, 10.8])).form
    (-1.0,)
    """
    known = values.drop_nulls().cast(pl.Float64)
    negative = known.filter(known < 0).alias("value")
    if not len(negative):
        return Decision((), "default")
    counted = dict(negative.value_counts().sort("value", descending=True).iter_rows())
    shown = [joined(n, f"{value:g}", by=" × ") for value, n in list(counted.items())[:3]]
    evidence = joined(joined(*shown, by=", "), len(known), by=" / ")
    usual = tuple(
        mark for mark in FAILED_MARKS if counted.get(mark, 0) > (1 - STRAY) * len(negative)
    )
    if usual and len(negative) <= len(known) / 2:
        return Decision(usual, "values", evidence)
    is_mark = len(counted) <= 3 and all(
        value == round(value) and (count > 1 or value in FAILED_MARKS)
        for value, count in counted.items()
    )
    if not is_mark:
        return Decision((), "default", evidence)
    marks = ", ".join(f"{value:g}" for value in counted)
    line = f"{settings_line(ours, values.name)[:-2]}, failed = [{marks}] }}"
    fault = Fault(
        "failed_mark_open", column=values.name, values={"found": evidence, "lines": (line,)}
    )
    return Decision(None, "default", evidence, fault)
