"""A raw table under its headings, whatever container holds it.

Does not belong here: which tables there are (`listing.py`), what the columns mean (`table.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import polars as pl

from pipeline.schema.errors import Fault
from pipeline.sources.containers import geodata, kinds, parquet, text, workbooks
from pipeline.sources.containers.archives import Delivery
from pipeline.sources.containers.head import Layout
from pipeline.sources.containers.rows import OVERFLOW, PSEUDO, ROW
from pipeline.sources.containers.text import Stretch

_SINGLE = (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null)
_ROW_BYTES = 120  # of a usual row of text
Setting = Any

# How a source says that its files are to be read; what is None is found by the file itself.
# `heading_row`: 0 says that there are no headings. `decimal`: the mark in the text cells of a
# workbook, in which its numbers are then given too.
HOW: dict[str, Setting] = {
    "delimiter": None, "encoding": None, "sheet": None, "layer": None, "heading_row": None,
    "decimal": None,
}  # fmt: skip


def is_typed(delivery: Delivery) -> bool:
    """Whether columns have types of their own (Parquet, GIS files); else all cells are text."""
    return kinds.kind_of(delivery) in ("parquet", "geodata")


def layout(delivery: Delivery, how: dict[str, Any] | None = None) -> Layout:
    """Where the headings stand and what they are, with notes. Raises `UserFault`."""
    about, kind = HOW | (how or {}), kinds.kind_of(delivery)
    if kind == "text":
        return text.described(delivery, about)[1]
    if kind == "workbook":
        return workbooks.layout(delivery, about)
    return parquet.layout(delivery) if kind == "parquet" else geodata.layout(delivery, about)


def repeated_faults(delivery: Delivery, about: Layout, columns: Sequence[str]) -> list[Fault]:
    """A fault for each of `columns`, the headings that are used, of which the table has several."""
    used = [name for name in columns if name in about.repeated]
    row = about.heading_row
    return [Fault("repeated_heading", delivery.name, row, values={"found": one}) for one in used]


def headings(delivery: Delivery, **how: Setting) -> list[str]:
    """The table's headings. Raises `UserFault`."""
    return list(layout(delivery, how).names)


def stretches(delivery: Delivery, how: dict[str, Any] | None = None) -> list[Stretch] | None:
    """The stretches of a file, in order; None of a table that is read from its start.

    Raises `UserFault`.
    """
    kind = kinds.kind_of(delivery)
    if kind == "parquet":
        return parquet.stretches(delivery)
    return text.stretches(delivery, HOW | (how or {})) if kind == "text" else None


def frames(
    delivery: Delivery,
    stretch: Stretch | None,
    how: dict[str, Any] | None = None,
    columns: list[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Rows under the table's own headings and ROW; blank rows of text are no rows.

    Text and workbooks come as text, Parquet and GIS files keep their types; of them `columns` are
    read (none: all), and of PSEUDO those that `columns` names. Rows that are no data, with more
    fields than the headings, swallowed by an open quote, or totals below the table, have a text in
    a column that starts with `OVERFLOW`. At least one frame. Raises `UserFault`.
    """
    about, wanted = HOW | (how or {}), columns or []
    own = [name for name in wanted if name not in PSEUDO]
    for rows in _frames(delivery, stretch, about, own):
        yield _with_places(rows, delivery, [name for name in PSEUDO if name in wanted])


def sample(
    delivery: Delivery, parts: Sequence[Stretch] | None, how: dict[str, Any] | None, rows: int
) -> pl.DataFrame:
    """Some `rows` of a table that are data, spread over it; all rows of a smaller one.

    `parts`: its `stretches`. Of a table that is read from its start, rows of its first frames.
    Raises `UserFault`.
    """
    if parts is None:
        first = next(frames(delivery, None, how, list(PSEUDO)))
        return _legible(_thinned(_sound(first), rows), layout(delivery, how))
    share = max(1, rows // max(1, len(parts)))
    found = []
    for one in parts:
        if one.form is None:
            some = replace(one, row_count=min(one.row_count, share))
            found += list(parquet.frames(delivery, some, []))
        else:
            found.append(text.first_rows(delivery, one, share * _ROW_BYTES))
    table = pl.concat(found, how="diagonal_relaxed")
    if is_typed(delivery):
        table = _legible(table, layout(delivery, how))
    return _with_places(_sound(table), delivery, list(PSEUDO))


def _sound(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that are data: a date in a signature below the table decides nothing."""
    beyond = [name for name in rows.columns if name.startswith(OVERFLOW)]
    return rows.filter(pl.all_horizontal(pl.col(beyond).is_null())) if beyond else rows


def _legible(rows: pl.DataFrame, about: Layout) -> pl.DataFrame:
    """The rows with all columns of the layout; those that hold lists or bytes are empty texts."""
    held = {name: _as_text(rows[name]) for name in rows.columns}
    nothing = pl.repeat(None, rows.height, dtype=pl.String(), eager=True)
    held |= {name: nothing for name in about.names if name not in held}
    return pl.DataFrame(held)


def _as_text(column: pl.Series) -> pl.Series:
    """A column of bytes as text where it is text; columns of single values as they are."""
    kind = column.dtype
    if kind.is_numeric() or kind.is_temporal() or kind in _SINGLE:
        return column
    try:
        return column.cast(pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return pl.repeat(None, len(column), dtype=pl.String(), eager=True)


def _thinned(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    return rows if rows.height <= count else rows.gather_every(-(-rows.height // count))


def _frames(
    delivery: Delivery, stretch: Stretch | None, how: dict[str, Any], columns: list[str]
) -> Iterator[pl.DataFrame]:
    kind = "text" if stretch and stretch.form else kinds.kind_of(delivery)
    if kind == "text":
        return text.frames(delivery, stretch, how)
    if kind == "workbook":
        return workbooks.frames(delivery, how)
    if kind == "parquet":
        return parquet.frames(delivery, stretch, columns)
    return geodata.frames(delivery, how, columns)


def _with_places(rows: pl.DataFrame, delivery: Delivery, names: list[str]) -> pl.DataFrame:
    """The rows beside the file, folder or sheet that they stand in."""
    places = {
        "(file)": delivery.file_name,
        "(folder)": delivery.path.parent.name,
        "(sheet)": delivery.part,
    }
    return rows.with_columns(pl.lit(places[name]).alias(name) for name in names)


def read_rows(delivery: Delivery, **how: Setting) -> pd.DataFrame:
    """All rows of a table at once, a pandas table indexed by `source_row`."""
    rows = pl.concat(frames(delivery, None, how), how="diagonal")
    names = [name for name in rows.columns if not name.startswith(OVERFLOW) and name != ROW]
    beyond = [name for name in rows.columns if name.startswith(OVERFLOW)]
    found = rows.select(*names, *beyond).to_pandas()
    texts = {name: "str" for name in found.columns if rows[name].dtype in (pl.String, pl.Null)}
    found = found.astype(texts)
    found.index = pd.Index(rows[ROW].to_numpy().astype("int64"), name="source_row")
    return found
