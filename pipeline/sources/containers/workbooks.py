"""Sheets of XLSX, XLSB, XLS and ODS workbooks as text under their headings.

In a workbook no field can slip: a line break is part of its cell. Cells of an error and formulas
without a value keep a text (`#DIV/0!`, `=A1/B1`), so that they count as unreadable, not as missing.
Does not belong here: where the headings stand (`head.py`).
"""

from __future__ import annotations

import datetime as dt
import io
import math
import re
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl
import python_calamine as calamine

from pipeline.schema.errors import Fault, fault
from pipeline.sources.containers import head
from pipeline.sources.containers.archives import Delivery, as_fault, content, is_plain, suffix_of
from pipeline.sources.containers.rows import numbered, without_blank
from pipeline.sources.containers.text import footer_notes, with_footers

_CHUNK = 1 << 24  # bytes of a sheet's XML that are looked through at once
_ERRORS = {
    0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A",
    43: "#GETTING_DATA",
}  # fmt: skip
_Cell = Any  # a cell as calamine gives it


@dataclass(frozen=True)
class Sheet:
    """A sheet's first and last rows as text, and what is to be said of it."""

    name: str
    is_visible: bool
    is_table: bool  # a worksheet with cells; no chart
    row_count: int  # rows that hold something
    first: tuple[tuple[str, ...], ...] = ()
    last: tuple[tuple[str, ...], ...] = ()
    merges: tuple[head.Merge, ...] = ()
    notes: tuple[Fault, ...] = ()


@dataclass
class _Marks:
    """What the reader of cells does not say: texts of cells without a value, what is hidden."""

    texts: dict[tuple[int, int], str]
    hidden_rows: int = 0
    hidden_columns: int = 0


def sheets(delivery: Delivery) -> list[Sheet]:
    """All sheets of the workbook. Raises `UserFault`."""
    status = delivery.path.stat()
    whole = replace(delivery, inside=delivery.member)
    return list(_sheets(whole, (status.st_mtime_ns, status.st_size)))


@lru_cache(maxsize=16)
def _sheets(
    delivery: Delivery,
    status: tuple[int, int],  # noqa: ARG001 – a file that changed is read again
) -> tuple[Sheet, ...]:
    found = []
    book, source = _opened(delivery)
    with _as_fault(delivery):
        for about in book.sheets_metadata:
            is_visible = about.visible == calamine.SheetVisibleEnum.Visible
            if about.typ != calamine.SheetTypeEnum.WorkSheet:
                found.append(Sheet(about.name, is_visible, is_table=False, row_count=0))
                continue
            cells, merges, marks = _cells(book, source, about.name)
            count = sum(any(cell not in ("", None) for cell in row) for row in cells)
            first = tuple(tuple(map(shown, row)) for row in cells[: head.HEAD_ROWS])
            last = tuple(tuple(map(shown, row)) for row in cells[-5 * head.FOOTER_ROWS :])
            notes = _notes(merges, marks)
            found.append(
                Sheet(about.name, is_visible, count > 0, count, first, last, tuple(merges), notes)
            )
    if not found:
        raise fault("empty_file", delivery.name)
    return tuple(found)


def _notes(merges: Sequence[head.Merge], marks: _Marks) -> tuple[Fault, ...]:
    notes = []
    if marks.hidden_rows or marks.hidden_columns:
        values: dict[str, object] = {"rows": marks.hidden_rows, "columns": marks.hidden_columns}
        notes.append(Fault("hidden_cells", values=values))
    errors = [text for text in marks.texts.values() if text.startswith("#")]
    formulas = [text for text in marks.texts.values() if text.startswith("=")]
    if errors:
        found = sorted(set(errors))
        notes.append(Fault("error_cells", values={"found": found, "count": len(errors)}))
    if formulas:
        notes.append(
            Fault("formulas_without_value", values={"found": formulas[:3], "count": len(formulas)})
        )
    if down := [m for m in merges if m[2] > m[0] and m[2] >= head.FOOTER_ROWS]:
        notes.append(Fault("merged_cells", values={"count": len(down)}))
    return tuple(notes)


def _sheet(delivery: Delivery, how: dict[str, Any]) -> Sheet:
    held = sheets(delivery)
    wanted = delivery.part or how.get("sheet")
    if wanted is None:
        return next((one for one in held if one.is_visible and one.is_table), held[0])
    for number, one in enumerate(held):
        if wanted in (one.name, number):
            return one
    raise fault("no_such_sheet", delivery.name, found=wanted, expected=[one.name for one in held])


def layout(delivery: Delivery, how: dict[str, Any]) -> head.Layout:
    """The sheet's headings. Raises `UserFault`."""
    sheet = _sheet(delivery, how)
    found = layout_of(sheet, how.get("heading_row"))
    if found is None:
        raise fault("empty_file", delivery.name)
    return found


def layout_of(sheet: Sheet, heading_row: int | None = None) -> head.Layout | None:
    """The headings of a sheet; None where it holds none."""
    found = head.find(sheet.first, heading_row, sheet.merges)
    if found is None:
        return None
    footers = footer_notes([list(row) for row in sheet.last])
    return replace(found, notes=(*found.notes, *sheet.notes, *footers))


def frames(delivery: Delivery, how: dict[str, Any]) -> Iterator[pl.DataFrame]:
    """The sheet's rows under its headings and ROW, as text; one frame. Raises `UserFault`."""
    sheet, about = _sheet(delivery, how), layout(delivery, how)
    book, source = _opened(delivery)
    with _as_fault(delivery):
        cells, _, _ = _cells(book, source, sheet.name)
    body, decimal = cells[about.first_row - 1 :], how.get("decimal")
    names = list(about.names)
    columns = {
        name: [_text(row[i], decimal) if i < len(row) else None for row in body]
        for i, name in enumerate(names)
    }
    rows = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String()))
    rows = numbered(rows, about.first_row)
    if rows.height:
        rows = with_footers(rows, names)
    yield without_blank(rows, names)


def _opened(delivery: Delivery) -> tuple[calamine.CalamineWorkbook, bytes]:
    source = delivery.path.read_bytes() if is_plain(delivery) else content(delivery)
    with _as_fault(delivery):
        try:
            return calamine.CalamineWorkbook.from_filelike(io.BytesIO(source)), source
        except calamine.PasswordError:
            raise fault("locked_file", delivery.name, found=delivery.file_name) from None


def _as_fault(delivery: Delivery) -> AbstractContextManager[None]:
    return as_fault(delivery, suffix_of(delivery.file_name))


def _cells(
    book: calamine.CalamineWorkbook, source: bytes, name: str
) -> tuple[list[list[Any]], list[head.Merge], _Marks]:
    """A sheet's cells from A1 on, with what merged and valueless cells stand for."""
    sheet = book.get_sheet_by_name(name)
    cells: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    merges = [(a[0], a[1], b[0], b[1]) for a, b in sheet.merged_cell_ranges or [] if a != b]
    marks = _marks(source, name)
    for (row, column), text in marks.texts.items():
        while row >= len(cells):
            cells.append([])
        line = cells[row]
        line += [""] * (column + 1 - len(line))
        if line[column] in ("", None):
            line[column] = text
    for top, left, bottom, right in merges:  # down its rows a merged cell says the same
        if bottom == top or top >= len(cells) or left >= len(cells[top]):
            continue
        for below in cells[top + 1 : bottom + 1]:
            if left < len(below) and right - left < 2 and below[left] == "":
                below[left] = cells[top][left]
    return cells, merges, marks


def shown(cell: _Cell) -> str:
    """A cell as text, "" for a blank one."""
    return _text(cell, None) or ""


def _text(cell: _Cell, decimal: str | None) -> str | None:  # noqa: PLR0911 – a type a line
    """A cell as text: a date as ISO 8601, a whole number without `.0`, a duration as H:MM:SS.

    A number has the decimal mark of the source, in which its text cells are written.
    """
    if isinstance(cell, str):
        return cell.strip() or None
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else str(cell).replace(".", decimal or ".")
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, dt.date):
        return f"{cell.isoformat()} 00:00:00"
    if isinstance(cell, dt.timedelta):
        seconds = round(cell.total_seconds())
        sign, seconds = "-" if seconds < 0 else "", abs(seconds)
        return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(cell).strip() or None


# ── what the reader of cells does not say ────────────────────────────────────────────────────────


def _marks(source: bytes, name: str) -> _Marks:
    if source[:4] != b"PK\x03\x04":
        return _Marks(_xls_errors(source, name))
    try:
        with zipfile.ZipFile(io.BytesIO(source)) as archive:
            names = set(archive.namelist())
            if "xl/workbook.xml" in names:
                return _xlsx_marks(archive, name)
            if "xl/workbook.bin" in names:
                return _Marks(_xlsb_errors(archive, name))
            if "content.xml" in names:
                return _Marks(_ods_errors(archive, name))
    except (zipfile.BadZipFile, ET.ParseError, KeyError, struct.error, OSError):
        pass  # the cells could be read: these marks are beyond them
    return _Marks({})


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _xlsx_part(archive: zipfile.ZipFile, name: str) -> str | None:
    """The XML file of a sheet."""
    book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    ids = {
        one.get("name"): next(v for key, v in one.attrib.items() if _local(key) == "id")
        for one in book.iter()
        if _local(one.tag) == "sheet"
    }
    links = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {one.get("Id"): one.get("Target", "") for one in links}
    target = targets.get(ids.get(name))
    if target is None:
        return None
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*)>(.*?)</(?:\w+:)?c>", re.DOTALL)
_PLACE = re.compile(rb'\br="([A-Z]+)(\d+)"')
_VALUE = re.compile(rb"<(?:\w+:)?v[^>]*>([^<]*)</")
_FORMULA = re.compile(rb"<(?:\w+:)?f\b[^>]*?(?:/>|>([^<]*)</)", re.DOTALL)
_HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*\bhidden=\"(?:1|true)\"")
_HIDDEN_COLUMN = re.compile(rb"<(?:\w+:)?col\b[^>]*\bhidden=\"(?:1|true)\"[^>]*>")
_BOUND = re.compile(rb'\b(min|max)="(\d+)"')


def _xlsx_marks(archive: zipfile.ZipFile, name: str) -> _Marks:
    part, marks = _xlsx_part(archive, name), _Marks({})
    if part is None:
        return marks
    pending = b""
    with archive.open(part) as stream:
        while block := stream.read(_CHUNK):
            block = pending + block
            cut = block.rfind(b"</row>") + 6 if b"</row>" in block else 0
            block, pending = (block[:cut], block[cut:]) if cut else (b"", block)
            _look_through(block, marks)
    _look_through(pending, marks)
    return marks


def _look_through(block: bytes, marks: _Marks) -> None:  # noqa: C901
    if b"hidden=" in block:
        marks.hidden_rows += len(_HIDDEN_ROW.findall(block))
        for found in _HIDDEN_COLUMN.findall(block):
            bounds = {key: int(value) for key, value in _BOUND.findall(found)}
            width = bounds.get(b"max", 0) - bounds.get(b"min", 0) + 1
            marks.hidden_columns += width if width < 1000 else 0  # all the rest of the sheet
    if b't="e"' not in block and b"<f" not in block and b":f" not in block:
        return
    for about, inner in _CELL.findall(block.replace(b"/><", b"/>\n<")):
        if about.endswith(b"/"):
            continue
        is_error = b't="e"' in about
        formula = None if is_error else _FORMULA.search(inner)
        place = _PLACE.search(about)
        if place is None or not (is_error or formula):
            continue
        value = _VALUE.search(inner)
        if is_error:
            text = value[1].decode() if value else "#N/A"
        elif value and value[1]:
            continue
        elif b't="str"' in about and value:
            continue  # a formula whose value is an empty text
        else:
            assert formula is not None
            text = "=" + (formula[1] or b"").decode(errors="replace")
        column = 0
        for letter in place[1]:
            column = 26 * column + letter - 64
        marks.texts[int(place[2]) - 1, column - 1] = text


def _ods_errors(archive: zipfile.ZipFile, name: str) -> dict[tuple[int, int], str]:
    """Error cells of an ODS sheet: their type is `error`, their text says which."""
    found: dict[tuple[int, int], str] = {}
    raw = archive.read("content.xml")
    if b'value-type="error"' not in raw and b"#" not in raw and b"Err:" not in raw:
        return found
    for table in ET.fromstring(raw).iter():  # noqa: S314
        if _local(table.tag) != "table" or _attribute(table, "name") != name:
            continue
        row_number = 0
        for row in table.iter():
            if _local(row.tag) != "table-row":
                continue
            column = 0
            for cell in row:
                repeated = int(_attribute(cell, "number-columns-repeated") or 1)
                text = "".join(cell.itertext()).strip()
                if text.startswith(("#", "Err:")) and _attribute(cell, "formula"):
                    found[row_number, column] = text if text.startswith("#") else f"#{text}"
                column += repeated
            row_number += int(_attribute(row, "number-rows-repeated") or 1)
    return found


def _attribute(element: ET.Element, name: str) -> str | None:
    return next((v for key, v in element.attrib.items() if _local(key) == name), None)


def _xlsb_records(raw: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(raw):
        kind = raw[place]
        place += 1
        if kind & 0x80:
            kind = (kind & 0x7F) | (raw[place] & 0x7F) << 7
            place += 1
        size = shift = 0
        while True:
            byte = raw[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80 or shift == 28:
                break
        yield kind, raw[place : place + size]
        place += size


def _xlsb_errors(archive: zipfile.ZipFile, name: str) -> dict[tuple[int, int], str]:
    """Error cells of an XLSB sheet (records BrtRowHdr, BrtCellError and BrtFmlaError)."""
    part = None
    links = ET.fromstring(archive.read("xl/_rels/workbook.bin.rels"))  # noqa: S314
    targets = {one.get("Id"): one.get("Target", "") for one in links}
    for kind, record in _xlsb_records(archive.read("xl/workbook.bin")):
        if kind == 156:  # BrtBundleSh: state, id, relation, name
            size = struct.unpack_from("<I", record, 8)[0]
            relation = record[12 : 12 + 2 * size].decode("utf-16-le")
            at = 12 + 2 * size
            length = struct.unpack_from("<I", record, at)[0]
            if record[at + 4 : at + 4 + 2 * length].decode("utf-16-le") == name:
                part = targets.get(relation)
    found: dict[tuple[int, int], str] = {}
    if part is None:
        return found
    row = 0
    for kind, record in _xlsb_records(archive.read(f"xl/{part.removeprefix('/xl/')}")):
        if kind == 0:
            row = struct.unpack_from("<I", record)[0]
        elif kind in (3, 11):
            column = struct.unpack_from("<I", record)[0]
            found[row, column] = _ERRORS.get(record[8], "#ERROR!")
    return found


# ── XLS: the stream of a compound file, and its records ──────────────────────────────────────────


def _xls_errors(source: bytes, name: str) -> dict[tuple[int, int], str]:
    """Error cells of an XLS sheet (BIFF8 records BOOLERR and FORMULA)."""
    found: dict[tuple[int, int], str] = {}
    try:
        raw = _workbook_stream(source)
        start = None
        for kind, record, _ in _biff(raw, 0):
            if kind == 0x85 and _biff_name(record) == name:  # BOUNDSHEET
                start = struct.unpack_from("<I", record)[0]
            if kind == 0x0A:  # EOF
                break
        for kind, record, _ in _biff(raw, start) if start is not None else ():
            if kind == 0x0A:
                break
            row, column = struct.unpack_from("<HH", record) if len(record) > 4 else (0, 0)
            if kind == 0x205 and record[7]:  # BOOLERR
                found[row, column] = _ERRORS.get(record[6], "#ERROR!")
            elif kind == 0x06 and record[12:14] == b"\xff\xff" and record[6] == 2:  # FORMULA
                found[row, column] = _ERRORS.get(record[8], "#ERROR!")
    except (struct.error, IndexError, ValueError):
        return {}
    return found


def _biff(raw: bytes, place: int) -> Iterator[tuple[int, bytes, int]]:
    while place + 4 <= len(raw):
        kind, size = struct.unpack_from("<HH", raw, place)
        yield kind, raw[place + 4 : place + 4 + size], place
        place += 4 + size


def _biff_name(record: bytes) -> str:
    length, is_wide = record[6], record[7] & 1
    text = record[8 : 8 + (2 * length if is_wide else length)]
    return text.decode("utf-16-le" if is_wide else "latin-1")


def _workbook_stream(source: bytes) -> bytes:  # noqa: C901
    """The stream `Workbook` of a compound file ([MS-CFB])."""
    shift, mini_shift = struct.unpack_from("<HH", source, 30)
    size = 1 << shift
    directory, _, cutoff, mini_start = struct.unpack_from("<IIII", source, 48)
    table_sectors = list(struct.unpack_from("<109I", source, 76))
    extra, extra_count = struct.unpack_from("<II", source, 68)
    for _ in range(min(extra_count, 1000)):
        more = struct.unpack_from(f"<{size // 4}I", source, (extra + 1) * size)
        table_sectors += more[:-1]
        extra = more[-1]
    table: list[int] = []
    for sector in table_sectors:
        if sector < 0xFFFFFFFA:
            table += struct.unpack_from(f"<{size // 4}I", source, (sector + 1) * size)

    def chain(start: int) -> bytes:
        parts, seen = [], 0
        while start < 0xFFFFFFFA and seen <= len(table):
            parts.append(source[(start + 1) * size : (start + 2) * size])
            start, seen = table[start], seen + 1
        return b"".join(parts)

    entries = chain(directory)
    root = None
    for place in range(0, len(entries), 128):
        entry = entries[place : place + 128]
        length = struct.unpack_from("<H", entry, 64)[0]
        title = entry[: max(0, length - 2)].decode("utf-16-le", errors="replace")
        start, total = struct.unpack_from("<II", entry, 116)
        if entry[66] == 5:
            root = chain(start)
        if title in ("Workbook", "Book"):
            if total >= cutoff:
                return chain(start)[:total]
            small = struct.unpack(f"<{len(chain(mini_start)) // 4}I", chain(mini_start))
            pieces: list[bytes] = []
            unit = 1 << mini_shift
            while start < 0xFFFFFFFA and root is not None and len(pieces) <= len(small):
                pieces.append(root[start * unit : (start + 1) * unit])
                start = small[start]
            return b"".join(pieces)[:total]
    return b""
