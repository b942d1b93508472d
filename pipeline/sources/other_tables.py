"""Tables and vector files beside the measurements, read through `containers` with their notes.

Which column is meant is said by the settings or by a usual heading, else it is asked.
Does not belong here: which commune a row means (`commune_names.py`), where shapes lie
(`shapes.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.sources import containers, values
from pipeline.sources.cells import spellings
from pipeline.sources.containers import OVERFLOW, ROW, Delivery, Layout, workbooks
from pipeline.sources.containers.archives import WITHIN

Fits = Callable[[Sequence[str]], bool]
FILE = "__file"
NONE = "không có"  # a word for nothing, but an answer where it is asked what there is
_NO_WORDS = spellings.MISSING - {NONE}
_NARROW = 2  # columns of a list beside a table
_DOTS = re.compile(r"[\s.…·–—-]*")
_WHOLE = re.compile(r"^(\d+)\.0+$")
EXPECTED = "CSV, XLSX, ODS, Parquet, GeoPackage"
_ASKED = {"which_sheet": "which_other_sheet", "which_layer": "which_other_layer"}
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_YEAR = re.compile(r"\b(?:nam )?(?:19|20)\d\d\b")
# not behind `số`: `Số người` is itself what is counted
_UNIT_WORDS = re.compile(
    r"(?<!^so)(?<!^tong so) (?:nghin |ngan |trieu |1000 )?(?:nguoi|nhan khau|persons?|people)$"
)


@dataclass(frozen=True)
class Table:
    """All raw tables of a file one below the other, as they came.

    `rows`: the file's columns, ROW and FILE. `layouts`: of the tables, in order.
    """

    file: str
    section: str
    names: tuple[str, ...]
    rows: pl.DataFrame
    layouts: tuple[Layout, ...]
    notes: list[Fault]

    def question(
        self, code: str, column: str = "", *, lines: Iterable[str], **found: object
    ) -> Fault:
        """A question with the settings lines to paste, below their section's heading."""
        pasted = (f"[{self.section}]", *lines)
        return Fault(code, self.file, None, column, {**found, "lines": pasted})

    def texts(self, column: str | None) -> list[str]:
        """A column's cells as trimmed texts, "" where there is none."""
        if column is None:
            return [""] * self.rows.height
        names = values.names(self.rows[column].to_pandas())
        return names.fillna("").astype("str").tolist()

    def words(self, column: str) -> list[str]:
        """As `texts`, of a column of words: `không có` is an answer, and 1.0 is 1.

        >>> rows = pl.DataFrame({"a": ["Không có", "-", "1.0", "…", "không rõ"]})
        >>> Table("v.csv", "villages", ("a",), rows, (), []).words("a")
        ['Không có', '', '1', '', '']
        """
        cells = self.rows[column]
        if cells.dtype != pl.String:
            return self.texts(column)
        found = [spellings.tidy(cell) for cell in cells.fill_null("")]
        keys = [spellings.spaced_key(text) for text in found]
        return [
            "" if key in _NO_WORDS or _DOTS.fullmatch(key) else _WHOLE.sub(r"\1", text)
            for text, key in zip(found, keys, strict=True)
        ]


def asked(key: str, value: object) -> str:
    """A settings line.

    >>> asked("name_column", "Tên xã")
    'name_column = "Tên xã"'
    """
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def listed(path: Path, section: str, how: Mapping[str, Any]) -> tuple[list[Delivery], list[Fault]]:
    """(raw tables of a file, what was passed over in it). Raises `UserFault`."""
    if not path.is_file():
        raise fault("missing_file", path)
    if not path.stat().st_size:
        raise fault("unreadable_file", path.name, found="0 B", expected=EXPECTED)
    survey = containers.survey([str(path)], dict(how))
    if survey.faults:
        raise UserFault(_for_section(one, section) for one in survey.faults)
    return survey.deliveries, survey.notes


def _for_section(one: Fault, section: str) -> Fault:
    """A question on sheets or layers with the line for this section of the settings."""
    code = _ASKED.get(one.code)
    if code is None:
        return one
    key = "sheet" if code == "which_other_sheet" else "layer"
    lines = (f"[{section}]", asked(key, one.values["expected"]))
    return replace(one, code=code, values={"found": one.values["found"], "lines": lines})


def read_table(path: Path, section: str, how: Mapping[str, Any], fits: Fits | None = None) -> Table:
    """The rows of a file, all of its sheets, members and layers that are one table.

    `how`: delimiter, encoding, sheet, layer, heading_row; None or absent: found. `fits`: whether
    headings are those of the table that is asked for; of a workbook with such sheets no other is
    read. Rows below the table that are notes are left out and said. Raises `UserFault`: rows with
    more fields than headings too.
    """
    given = {key: value for key, value in how.items() if value is not None}
    deliveries, notes = ([], []) if fits is None else fitting_sheets(path, fits)
    if not deliveries:
        deliveries, notes = listed(path, section, given)
    return table_of(deliveries, section, given, notes)


def fitting_sheets(path: Path, fits: Fits) -> tuple[list[Delivery], list[Fault]]:
    """(the visible sheets of a workbook whose headings fit, notes on sheets with other rows).

    Nothing of files that are no workbook or cannot be read: reading them says what is wrong. Sheets
    of one or two columns are lists and remarks, no tables.
    """
    whole = Delivery(path, path.name)
    try:
        held = workbooks.sheets(whole) if containers.kind_of(whole) == "workbook" else []
    except UserFault:
        return [], []
    found: list[str] = []
    hidden, others = [], []
    for sheet in held:
        layout = workbooks.layout_of(sheet)
        names = () if layout is None else layout.names
        size = f"{sheet.name} ({max(sheet.row_count - 1, 0)})"
        if fits(names) and sheet.is_visible:
            found.append(sheet.name)
        elif fits(names) and sheet.row_count > 1:
            hidden.append(size)
        elif len(names) > _NARROW and sheet.is_visible and sheet.row_count > 1:
            others.append(size)
    listed_ = {"hidden_form_sheets": hidden, "sheets_not_read": others}
    notes = [Fault(code, path.name, values={"found": one}) for code, one in listed_.items() if one]
    is_one = len(found) == 1
    named = [(name, path.name if is_one else f"{path.name}{WITHIN}{name}") for name in found]
    return [replace(whole, name=shown, inside=name) for name, shown in named], notes


def table_of(
    deliveries: Sequence[Delivery], section: str, how: Mapping[str, Any], notes: list[Fault]
) -> Table:
    """As `read_table`, of raw tables that are known."""
    layouts, frames, said, faults = [], [], list(notes), []
    for delivery in deliveries:
        layout = containers.layout(delivery, dict(how))
        said += [replace(n, file=delivery.name) for n in layout.notes if n.code != "not_points"]
        rows = pl.concat(containers.frames(delivery, None, dict(how)), how="diagonal_relaxed")
        beyond = [name for name in rows.columns if name.startswith(OVERFLOW)]
        if beyond:
            extra = rows.filter(pl.any_horizontal(pl.col(beyond).is_not_null()))
            faults += [_too_many(delivery, row, beyond) for row in extra.iter_rows(named=True)]
            rows = rows.filter(pl.all_horizontal(pl.col(beyond).is_null())).drop(beyond)
        frames.append(rows.with_columns(pl.lit(delivery.name).alias(FILE)))
        layouts.append(layout)
    if found := [one for one in faults if one is not None]:
        raise UserFault(found)
    name = deliveries[0].path.name
    table = pl.concat(frames, how="diagonal_relaxed")
    names = tuple(one for one in table.columns if one not in (ROW, FILE))
    return Table(name, section, names, table, tuple(layouts), said)


def _too_many(delivery: Delivery, row: Mapping[str, Any], beyond: list[str]) -> Fault | None:
    """The fault of a row with more fields than headings; None of notes below the table."""
    extra = [str(row[name]) for name in beyond if row[name] is not None]
    if extra == ["footer"]:
        return None
    return Fault("too_many_fields", delivery.name, int(row[ROW]), values={"found": extra})


def heading_key(heading: str) -> str:
    """A heading without case, accents, spaces, brackets, years and the word for people.

    >>> [heading_key(text) for text in ("Dân số năm 2024 (người)", "DAN_SO", "Dân số nam")]
    ['danso', 'danso', 'dansonam']
    >>> heading_key("Số nhân khẩu")
    'sonhankhau'
    """
    text = values.folded(_BRACKETS.sub(" ", heading))
    text = _YEAR.sub(" ", text)
    text = " ".join(text.split())
    return _UNIT_WORDS.sub("", text).replace(" ", "")


def usual_columns(table: Table, usual: Iterable[str]) -> list[str]:
    """The table's columns under usual headings, of several words each `Dân số / Tổng số` too."""
    return usual_names(table.names, usual)


def usual_names(names: Iterable[str], usual: Iterable[str]) -> list[str]:
    """As `usual_columns`, of headings."""
    wanted = set(usual)
    found = []
    for name in names:
        last = [part.strip() for part in name.split(" / ")]
        keys = {heading_key(name)} | {heading_key(part) for part in last[-1:] if len(last) > 1}
        if keys & wanted:
            found.append(name)
    return found


def usual_column(table: Table, usual: Iterable[str], key: str, faults: list[Fault]) -> str | None:
    """The column under a usual heading; with several, `faults` gets the question which is meant."""
    found = usual_columns(table, usual)
    if len(found) > 1:
        faults.append(several(table, found, key))
    return found[0] if found else None


def given_column(table: Table, column: str | None, key: str) -> list[Fault]:
    """What is wrong with a column of the settings: it is absent, or stands there twice."""
    if column is None:
        return []
    row = table.layouts[0].heading_row if table.layouts else None
    if column not in table.names:
        found: dict[str, object] = {"found": list(table.names), "ours": key}
        return [Fault("missing_column", table.file, row, column, found)]
    repeated = any(column in layout.repeated for layout in table.layouts)
    return [Fault("repeated_heading", table.file, row, "", {"found": column})] if repeated else []


def several(table: Table, found: Sequence[str], key: str) -> Fault:
    """The question which of several columns is meant."""
    return table.question(
        "which_column", lines=[asked(key, name) for name in found], found=list(found), ours=key
    )


def passed_over(table: Table, column: str, key: str) -> Fault:
    """The note that a column under a usual heading was not read: its cells are something else."""
    example = next((one for one in table.texts(column) if one), "–")
    found: dict[str, object] = {"found": example, "ours": key}
    return Fault("column_passed_over", table.file, None, column, found)


def wrong_cells(
    code: str, table: Table, column: str, bad: Mapping[int, str], expected: object = ""
) -> list[Fault]:
    """A fault for each text that is wrong, at its first row, with the number of its rows.

    `bad`: texts by place in the table.
    """
    places: dict[str, list[int]] = {}
    for place, text in bad.items():
        places.setdefault(text, []).append(place)
    faults = []
    for text, (first, *more) in places.items():
        found: dict[str, object] = {"found": text, "count": 1 + len(more), "expected": expected}
        file, row = str(table.rows[FILE][first]), int(table.rows[ROW][first])
        faults.append(Fault(code, file, row, column, found))
    return faults
