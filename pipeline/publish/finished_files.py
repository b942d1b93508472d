"""Finished files → their columns and texts, for the privacy check; packs are opened in memory.

Every cell is read by itself: in a file's bytes two cells may touch, or one text may be cut in two.
Does not belong here: what a file must not hold (`guard.py`).
"""

from __future__ import annotations

import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from pipeline.publish.gap_map.columns import decoded
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.columns import FIELDS
from pipeline.schema.privacy import forbidden_columns

Columns = Mapping[str, pa.Array]  # texts or numbers, null where empty
Keys = tuple[str, ...]  # keys from a JSON's root

_DATA = re.compile(r'<script type="application/json" id="lomsong-data">(.*?)</script>', re.DOTALL)
_POLYGONS = ("POLYGON", "MULTIPOLYGON")
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# layers of points that may be, of the lists of villages and of sites: columns of their positions
POSITIONS = {
    "villages": ("village_longitude", "village_latitude"),
    "sites": ("site_longitude", "site_latitude"),
}
_HEAD_ROWS = 10  # of a sheet, among which its headings are
_BLANK = ("", "nan", "–")  # as files for people show that nothing is known
_LONG_NUMBER = 1e11  # from here on a whole number may be an id: 12 digits


@dataclass
class Content:
    """What a finished file holds."""

    tables: dict[str, Columns] = field(default_factory=dict)  # by layer or sheet
    cells: set[str] = field(default_factory=set)  # texts that stand by themselves
    running: list[bytes] = field(default_factory=list)  # other texts, in which an id may stand
    keys: set[Keys] = field(default_factory=set)  # of JSON
    page: dict[str, Any] | None = None  # data of a map's page, its block decoded
    faults: list[str] = field(default_factory=list)  # seen while reading

    def add(self, name: str, columns: Columns) -> None:
        """Add a table, and the texts of its cells."""
        self.tables[name] = columns
        for column in columns.values():
            self.cells.update(_texts_of(column))


def contents(name: str, data: bytes) -> Iterator[tuple[str, Content]]:
    """Name and content of a file, then of all files in it where it is an archive.

    Files of an unknown kind are read as running text.
    """
    suffix = PurePosixPath(name).suffix.lower()
    content = Content(cells={PurePosixPath(name).name, PurePosixPath(name).stem})
    inner: list[tuple[str, bytes]] = []
    try:
        if suffix in ZIPPED:
            inner = _members(data)
        READERS.get(suffix, _text)(content, data)
    except UNREADABLE as error:
        content.faults.append(f"cannot be read as {suffix}: {type(error).__name__}: {error}")
    yield name, content
    for member, held in inner:
        yield from contents(f"{name}/{member}", held)


def _members(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _text(content: Content, data: bytes) -> None:
    content.running.append(data)


def _nothing(content: Content, data: bytes) -> None:
    """An archive: its members are read one by one."""


def _csv(content: Content, data: bytes) -> None:
    """A table; the separator is the one that the heading has more of."""
    from pyarrow import csv as arrow_csv

    first = data.split(b"\n", 1)[0]
    is_vietnamese = first.count(b";") > first.count(b",")
    table = arrow_csv.read_csv(
        pa.BufferReader(data),
        # one block: types are those of all rows
        arrow_csv.ReadOptions(block_size=len(data) + 1),
        arrow_csv.ParseOptions(delimiter=";" if is_vietnamese else ",", newlines_in_values=True),
        arrow_csv.ConvertOptions(
            null_values=[""], strings_can_be_null=True, decimal_point="," if is_vietnamese else "."
        ),
    )
    content.add("", _of_table(table))
    content.running.append(data)


def _parquet(content: Content, data: bytes) -> None:
    table = pq.read_table(pa.BufferReader(data))
    geo = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
    for column, about in geo.get("columns", {}).items():
        table = table.drop_columns(column)
        content.faults += _no_outlines("", about["geometry_types"])
    content.add("", _of_table(table))


def _gpkg(content: Content, data: bytes) -> None:
    """Layers as tables, without keys and geometry; of GeoPackage's own tables the texts."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.deserialize(data)
        outlines, points = {}, []
        for layer, column, kind in base.execute(
            "SELECT table_name, column_name, geometry_type_name FROM gpkg_geometry_columns"
        ):
            outlines[layer] = column
            if kind == "POINT" and layer in POSITIONS:
                points.append(layer)
            else:
                content.faults += _no_outlines(layer, [kind])
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'rtree%'"
        for (table,) in base.execute(query).fetchall():
            quoted = '"' + table.replace('"', '""') + '"'
            about = base.execute(f"PRAGMA table_info({quoted})").fetchall()
            columns = _columns(
                [row[1] for row in about],
                base.execute(f"SELECT * FROM {quoted}").fetchall(),  # noqa: S608 - a name of its own
            )
            if table in points and not _are_positions(
                columns, POSITIONS[table], _coordinates(columns[outlines[table]])
            ):
                content.faults += _no_outlines(table, ["POINT"])
            if table in outlines:
                inner = {outlines[table], *(row[1] for row in about if row[5])}
                content.add(table, {n: c for n, c in columns.items() if n not in inner})
            else:
                content.cells.update(text for c in columns.values() for text in _texts_of(c))


def _xlsx(content: Content, data: bytes) -> None:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except python_calamine.CalamineError as error:
        raise ValueError(error) from error
    named = _names_of_headings()
    for sheet in book.sheet_names:
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        content.cells.add(sheet)
        _add_with_headings(content, sheet, rows, named)


def _docx(content: Content, data: bytes) -> None:
    """Paragraphs as whole lines (Word cuts them into runs), and tables."""
    named = _names_of_headings()
    for member, part in _members(data):
        if not member.endswith(".xml") or b"</w:t>" not in part:
            continue
        tree = _tree(part)
        content.cells.update(_line(paragraph) for paragraph in tree.iter(f"{_WORD}p"))
        for number, table in enumerate(tree.iter(f"{_WORD}tbl"), start=1):
            rows = [
                [" ".join(map(_line, cell.iter(f"{_WORD}p"))) for cell in row.iter(f"{_WORD}tc")]
                for row in table.iter(f"{_WORD}tr")
            ]
            _add_with_headings(content, f"table {number}", rows, named)


def _line(paragraph: ET.Element) -> str:
    return "".join(text.text or "" for text in paragraph.iter(f"{_WORD}t"))


def _kml(content: Content, data: bytes) -> None:
    """A row per placemark: its data, and the lines `heading: value` of its description."""
    tree = _tree(data)
    named = _names_of_headings()
    rows: list[dict[str, str]] = []
    points: list[tuple[dict[str, str], str]] = []
    for mark in tree.iter():
        if not mark.tag.endswith("}Placemark"):
            continue
        row: dict[str, str] = {}
        for part in mark.iter():
            tag = part.tag.rpartition("}")[2]
            if tag in ("SimpleData", "Data"):
                row[part.get("name", "")] = "".join(part.itertext()).strip()
            elif tag == "description":
                pairs = (line.partition(": ") for line in (part.text or "").splitlines())
                row |= {named.get(head, head): value for head, colon, value in pairs if colon}
            elif tag == "Point":
                points.append((row, "".join(part.itertext()).strip()))
        rows.append(row)
    if not all(
        any(",".join(row.get(name, "") for name in pair) == at for pair in POSITIONS.values())
        for row, at in points
    ):
        content.faults += _no_outlines("", ["Point"])
    names = list(dict.fromkeys(name for row in rows for name in row))
    content.add("", _columns(names, [[row.get(name) for name in names] for row in rows]))
    _xml(content, data)


def _coordinates(blobs: pa.Array) -> list[tuple[float, float]]:
    """Longitude and latitude of GeoPackage's points: 8 bytes of a header, then WKB."""
    shapes = shapely.from_wkb([blob[8:] for blob in blobs.to_pylist()])
    return [(float(point.x), float(point.y)) for point in shapes]


def _are_positions(
    columns: Columns, names: tuple[str, str], points: list[tuple[float, float]]
) -> bool:
    """Whether every point is the position that its row gives of a listed village or site."""
    if not set(names) <= set(columns):
        return False
    return points == list(zip(*(columns[name].to_pylist() for name in names), strict=True))


def _tree(data: bytes) -> ET.Element:
    return ET.fromstring(data)  # noqa: S314 - the run's own file


def _xml(content: Content, data: bytes) -> None:
    """Texts and attributes, as they read once entities are resolved."""
    for element in _tree(data).iter():
        content.cells.update(text.strip() for text in (element.text, element.tail) if text)
        content.cells.update(element.attrib.values())


def _json(content: Content, data: bytes) -> None:
    _walk(json.loads(data), (), content)


def _html(content: Content, data: bytes) -> None:
    text = data.decode()
    match = _DATA.search(text)
    if match is None:
        content.faults.append("no data block to examine")
        content.running.append(data)
        return
    page = json.loads(match[1])
    block = page.pop("block", None)
    _walk(page, (), content)
    content.page = page if block is None else {**page, "block": decoded(block)}
    content.running.append((text[: match.start(1)] + text[match.end(1) :]).encode())


def _walk(value: object, path: Keys, content: Content) -> None:
    """Add the keys and texts of a JSON value."""
    if isinstance(value, dict):
        for key, held in value.items():
            content.keys.add((*path, key))
            content.cells.add(key)
            _walk(held, (*path, key), content)
    elif isinstance(value, list):
        for held in value:
            _walk(held, path, content)
    elif isinstance(value, (str, int, float)):
        content.cells.add(_plain(value))


def _no_outlines(layer: str, shapes: Iterable[str]) -> list[str]:
    found = [shape for shape in shapes if shape.split(" ")[0].upper() not in _POLYGONS]
    return [f"{layer} holds {shape}, where outlines belong".strip() for shape in found]


def _add_with_headings(
    content: Content, name: str, rows: list[list[Any]], named: Mapping[str, str]
) -> None:
    """Add a table for people: its columns are known by their headings, or by their names."""
    forbidden = forbidden_columns()
    content.cells.update(_plain(cell) for row in rows for cell in row)
    heads = [[named.get(_plain(cell), _plain(cell)) for cell in row] for row in rows[:_HEAD_ROWS]]
    places = [
        place
        for place, head in enumerate(heads)
        if sum(cell in FIELDS for cell in head) > 1 or forbidden.intersection(head)
    ]
    for place in places[:2]:  # headings, and names below them
        below = [row for at, row in enumerate(rows) if at > place and at not in places]
        key = f"{name} {place + 1}" if name in content.tables else name
        content.tables[key] = _columns(heads[place], below)


def _names_of_headings() -> dict[str, str]:
    """Columns by their headings in every language; of two with one heading the published one."""
    forbidden = forbidden_columns()
    ordered = sorted(FIELDS, key=lambda name: name not in forbidden)
    return {heading(name, lang): name for name in ordered for lang in texts.languages()}


def _of_table(table: pa.Table) -> dict[str, pa.Array]:
    """Columns of a table; of two with one name the first."""
    found: dict[str, pa.Array] = {}
    for number, name in enumerate(table.column_names):
        if name not in found:
            found[name] = table.column(number).combine_chunks()
    return found


def _columns(names: Iterable[str], rows: list[Any]) -> dict[str, pa.Array]:
    """Columns of rows of texts, numbers and bytes; of two with one name the first."""
    found: dict[str, pa.Array] = {}
    for number, name in enumerate(names):
        if name in found:
            continue
        cells = [row[number] if number < len(row) else None for row in rows]
        cells = [None if cell in _BLANK else cell for cell in cells]
        try:
            found[name] = pa.array(cells)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # of several types
            found[name] = pa.array([None if c is None else _plain(c) for c in cells])
    return found


def _texts_of(column: pa.Array) -> list[str]:
    """The distinct texts of a column; of numbers those that may be an id."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return [str(text) for text in pc.unique(column).drop_null().to_pylist()]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return []
    numbers = column.drop_null().to_numpy(zero_copy_only=False)
    long = numbers[np.isfinite(numbers) & (np.abs(numbers) >= _LONG_NUMBER)]
    return [_plain(number) for number in np.unique(long).tolist()]


def _plain(value: object) -> str:
    """A cell as a text; a whole number without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


READERS: Mapping[str, Callable[[Content, bytes], None]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".gpkg": _gpkg,
    ".xlsx": _xlsx,
    ".docx": _docx,
    ".kml": _kml,
    ".json": _json,
    ".html": _html,
    ".qgs": _xml,
    ".zip": _nothing,
    ".qgz": _nothing,
    ".kmz": _nothing,
}
ZIPPED = (".xlsx", ".zip", ".qgz", ".docx", ".kmz")
UNREADABLE = (
    zipfile.BadZipFile,
    sqlite3.DatabaseError,
    ET.ParseError,
    pa.ArrowException,
    ValueError,  # of JSON, UTF-8 and workbooks
)
