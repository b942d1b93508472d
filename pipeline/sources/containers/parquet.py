"""Parquet as Polars frames, in stretches of row groups; geometry as positions.

Does not belong here: what the columns mean (`table.py`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schema.errors import Fault, fault
from pipeline.sources.containers import head, points
from pipeline.sources.containers.archives import Delivery, as_fault, content, is_plain
from pipeline.sources.containers.rows import numbered
from pipeline.sources.containers.text import Stretch

STRETCH_ROWS = 1_000_000  # row groups are read together up to as many
_GEOMETRY = ("geometry", "geom", "wkb_geometry", "the_geom", "wkb", "wkt", "point", "location")


def _source(delivery: Delivery) -> Path | io.BytesIO:
    return delivery.path if is_plain(delivery) else io.BytesIO(content(delivery))


def _opened(delivery: Delivery) -> pq.ParquetFile:
    if not delivery.path.stat().st_size:
        raise fault("empty_file", delivery.name)
    with as_fault(delivery, "Parquet"):
        # not `filters`/hive folders: a delivery is one file, its folder's name is not a column
        return pq.ParquetFile(_source(delivery))


def layout(delivery: Delivery) -> head.Layout:
    """The columns' names, and `latitude`, `longitude` of a geometry of points."""
    with _opened(delivery) as file, as_fault(delivery, "Parquet"):
        names = list(file.schema_arrow.names)
        nested = _nested(file.schema_arrow)
        geometry = _geometry(file, delivery)
    notes = []
    if nested:
        notes.append(Fault("nested_columns", values={"found": nested}))
    if geometry is not None and not geometry.is_points:
        notes.append(Fault("not_points", column=geometry.column, values={"found": geometry.kind}))
    if geometry is not None and geometry.is_points:
        names += points.names_beside(names)
    return head.Layout(tuple(names), 1, 2, {}, tuple(notes))


def _nested(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_nested(field.type)]


def _geometry(file: pq.ParquetFile, delivery: Delivery) -> points.Geometry | None:
    """The column of geometry: GeoParquet says which; else one of a usual name, by its values."""
    schema = file.schema_arrow
    raw = (schema.metadata or {}).get(b"geo")
    if raw:
        with as_fault(delivery, "GeoParquet"):
            about = json.loads(raw)
            column = about["primary_column"]
            said = about["columns"][column]
        crs = said.get("crs", "OGC:CRS84")
        encoding = str(said.get("encoding", "WKB"))
        if encoding.upper() not in ("WKB", "POINT"):
            return points.Geometry(column, encoding, crs, is_points=False)
        if encoding.lower() == "point":
            return points.Geometry(column, "point", crs, is_points=True)
        return _by_values(file, column, crs)
    for field in schema:
        is_usual = field.name.casefold() in _GEOMETRY
        if is_usual and (_is_binary(field.type) or _is_text(field.type)):
            found = _by_values(file, field.name, "OGC:CRS84")
            if found is not None and found.is_points:
                return found
    return None


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _by_values(file: pq.ParquetFile, column: str, crs: points.Crs) -> points.Geometry | None:
    for batch in file.iter_batches(1000, columns=[column]):
        held = batch.column(0).drop_null()
        if len(held):
            return points.of_values(column, held.to_pylist(), crs)
    return None


def stretches(delivery: Delivery) -> list[Stretch]:
    """The row groups, read together up to STRETCH_ROWS."""
    with _opened(delivery) as file:
        metadata = file.metadata
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    found, start, held = [], 0, 0
    for number, size in enumerate(sizes, start=1):
        held += size
        if held >= STRETCH_ROWS or number == len(sizes):
            found.append(Stretch(start, start + held, start + 2, held))
            start, held = start + held, 0
    return found or [Stretch(0, 0, 2, 0)]


def frames(
    delivery: Delivery, stretch: Stretch | None, columns: list[str]
) -> Iterator[pl.DataFrame]:
    """The rows of a stretch, or all, with their types. Raises `UserFault`."""
    for one in [stretch] if stretch is not None else stretches(delivery):
        yield _rows(delivery, one, columns)


def _rows(delivery: Delivery, stretch: Stretch, columns: list[str]) -> pl.DataFrame:
    geometry, wanted = None, columns
    with _opened(delivery) as file, as_fault(delivery, "Parquet"):
        names = list(file.schema_arrow.names)
        nested = _nested(file.schema_arrow)
        wanted = wanted or [name for name in names if name not in nested]
        if any(name not in names for name in wanted) or not columns:
            geometry = _geometry(file, delivery)
    if refused := [name for name in wanted if name in nested]:
        raise fault("nested_column", delivery.name, row=1, column=refused[0], found=refused)
    own = [name for name in wanted if name in names]
    if geometry is not None and geometry.is_points and geometry.column not in own:
        own.append(geometry.column)
    with as_fault(delivery, "Parquet"):
        try:
            rows = pl.scan_parquet(_source(delivery), hive_partitioning=False).select(own)
            found = rows.slice(stretch.start, stretch.row_count).collect()
        except pl.exceptions.PolarsError:
            found = _by_arrow(delivery, own, stretch)
    if geometry is not None and geometry.is_points:
        found = points.with_positions(found, geometry, names, delivery.name)
        found = found.select(
            [name for name in found.columns if name in wanted or name not in names]
        )
    return numbered(found, stretch.first_row)


def _by_arrow(delivery: Delivery, columns: list[str], stretch: Stretch) -> pl.DataFrame:
    """What Polars cannot scan, read by Arrow."""
    with _opened(delivery) as file:
        table = file.read(columns=columns).slice(stretch.start, stretch.row_count)
    table.validate(full=True)  # Polars takes it for granted
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found
