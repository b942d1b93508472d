"""Points of GeoJSON, GeoPackage, Shapefile, KML and KMZ, beside their attributes.

Does not belong here: boundaries (`boundaries.py`), which read areas of the same formats.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import geopandas as gpd
import pandas as pd
import polars as pl
import pyarrow as pa
import pyogrio

from pipeline.schema.errors import Fault, fault
from pipeline.sources.containers import encodings, head, points
from pipeline.sources.containers.archives import Delivery, as_fault, suffix_of
from pipeline.sources.containers.rows import numbered

_BATCH = 65_536  # features that are read at once
_POINTS = re.compile(r"(?:(?:3D|2\.5D) )?(?:Multi)?Point(?: Z| M| ZM)?|Unknown|GeometryCollection")


@dataclass(frozen=True)
class Layer:
    """A layer of a file: columns, how many features, kind of geometry, CRS."""

    name: str
    columns: tuple[str, ...]
    count: int
    kind: str
    crs: str | None


def _place(delivery: Delivery) -> str:
    """Where GDAL finds the file: it reads members of archives itself."""
    path = delivery.path.resolve().as_posix()
    if delivery.member:
        return f"/vsizip/{{{path}}}/{delivery.member}"
    name = delivery.path.name.lower()
    return f"/vsigzip/{path}" if name.endswith(".gz") else path


def layers(delivery: Delivery) -> list[Layer]:
    """The layers of a file, those without features included. Raises `UserFault`."""
    status = delivery.path.stat()
    if not status.st_size:
        raise fault("empty_file", delivery.name)
    return list(_layers(delivery, (status.st_mtime_ns, status.st_size)))


@lru_cache(maxsize=16)
def _layers(
    delivery: Delivery,
    status: tuple[int, int],  # noqa: ARG001 – a file that changed is read again
) -> tuple[Layer, ...]:
    place = _place(delivery)
    found = []
    with _as_fault(delivery):
        try:
            named = pyogrio.list_layers(place)
        except pyogrio.errors.DataSourceError:
            if suffix_of(delivery.file_name) == ".json":  # records, most likely
                raise fault("no_geojson", delivery.name) from None
            raise
        for name, _ in named:
            info = pyogrio.read_info(place, layer=name, force_feature_count=True)
            kind = info["geometry_type"] or "None"
            columns = tuple(str(column) for column in info["fields"])
            found.append(Layer(str(name), columns, int(info["features"]), str(kind), info["crs"]))
    if not found:
        raise fault("empty_file", delivery.name)
    return tuple(found)


@contextmanager
def _as_fault(delivery: Delivery) -> Iterator[None]:
    """Without GDAL's warnings, of names that say another format and the like."""
    with as_fault(delivery, suffix_of(delivery.file_name)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _layer(delivery: Delivery, how: dict[str, Any]) -> Layer:
    held = layers(delivery)
    wanted = delivery.part or how.get("layer")
    if wanted is None:
        return next((layer for layer in held if layer.count), held[0])
    for layer in held:
        if layer.name == wanted:
            return layer
    raise fault("no_such_layer", delivery.name, found=wanted, expected=[one.name for one in held])


def layout(delivery: Delivery, how: dict[str, Any]) -> head.Layout:
    """The attributes, and `latitude`, `longitude` of points; other geometry is a note."""
    layer = _layer(delivery, how)
    names, notes = list(layer.columns), []
    if _is_points(layer):
        names += points.names_beside(names)
    else:
        notes.append(Fault("not_points", values={"found": layer.kind}))
    return head.Layout(tuple(names), 1, 2, {}, tuple(notes))


def _is_points(layer: Layer) -> bool:
    return _POINTS.fullmatch(layer.kind) is not None


def frames(delivery: Delivery, how: dict[str, Any], columns: list[str]) -> Iterator[pl.DataFrame]:
    """Features as rows, the first is row 2; at least one frame. Raises `UserFault`."""
    layer, first = _layer(delivery, how), 2
    wanted = [name for name in layer.columns if not columns or name in columns]
    encoding = encodings.normal_name(how["encoding"]) if how.get("encoding") else None
    old = None
    if encoding not in (None, "utf-8"):  # byte for byte: GDAL does not know them all
        old = partial(_decoded, encoding)
    with _as_fault(delivery), pyogrio.open_arrow(
        _place(delivery), layer=layer.name, columns=wanted, batch_size=_BATCH,
        datetime_as_string=True, use_pyarrow=True, read_geometry=_is_points(layer),
        encoding="ISO-8859-1" if old else encoding,
    ) as (about, reader):  # fmt: skip
        geometry = about["geometry_name"] or "wkb_geometry"
        for batch in reader:
            _check(batch, delivery, encoding or "utf-8")
            rows = pl.from_arrow(batch)
            assert isinstance(rows, pl.DataFrame)
            if old is not None:
                rows = rows.with_columns(pl.col(pl.String).map_elements(old, pl.String))
            yield numbered(_positions(rows, geometry, layer, about["crs"], delivery), first)
            first += rows.height
    if first == 2:
        names = [*wanted, *(points.names_beside(layer.columns) if _is_points(layer) else [])]
        yield numbered(pl.DataFrame(schema=dict.fromkeys(names, pl.String())), first)


def _check(batch: pa.RecordBatch, delivery: Delivery, encoding: str) -> None:
    """Raise `UserFault` where a text is not in its encoding: Polars takes it for granted."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        raise fault("bad_encoding", delivery.name, found=encoding) from None


def _decoded(encoding: str, cell: str) -> str:
    return encodings.decode(cell.encode("latin-1", errors="replace"), encoding)


def _positions(
    rows: pl.DataFrame, geometry: str, layer: Layer, crs: points.Crs, delivery: Delivery
) -> pl.DataFrame:
    if geometry not in rows.columns:
        return rows
    about = points.Geometry(geometry, "wkb", crs, is_points=True)
    return points.with_positions(rows, about, layer.columns, delivery.name).drop(geometry)


def features(delivery: Delivery, how: dict[str, Any]) -> tuple[gpd.GeoDataFrame, list[Fault]]:
    """(features of a layer with shapes of any kind, in the CRS of the file or none; notes).

    The texts of a Shapefile are bytes: their encoding is the given one, else the one in which
    their words make sense, else the one that the file states. Raises `UserFault`.
    """
    layer = _layer(delivery, how)
    given = encodings.normal_name(how["encoding"]) if how.get("encoding") else None
    if how.get("encoding") and given is None:
        raise fault("unknown_encoding", delivery.name, found=how["encoding"])
    read = partial(pyogrio.read_dataframe, _place(delivery), layer=layer.name)
    with _as_fault(delivery):
        if suffix_of(delivery.file_name) != ".shp":
            return _with_shapes(read(), delivery), []
        raw = _with_shapes(read(encoding="ISO-8859-1"), delivery)  # a byte is a letter
        texts = _texts(raw)
        if not texts:
            return raw, []
        lines = b"\n".join(text.encode("latin-1", errors="replace") for text in texts)
        found = encodings.Found(given) if given else encodings.detected(b"", [lines])
        if not found.is_sure and found.encoding != encodings.LENIENT:
            stated = _with_shapes(read(), delivery)
            values: dict[str, object] = {"found": "–", "examples": _texts(stated)[:3]}
            return stated, [Fault("names_unsure", delivery.name, values=values)]
    notes = []
    if found.of:
        values = {
            "found": found.encoding, "count": found.count, "of": found.of,
            "examples": found.examples,
        }  # fmt: skip
        notes.append(Fault("encoding_found", delivery.name, values=values))
    right = {}
    try:
        right = {text: _decoded(found.encoding, text) for text in texts}
    except UnicodeDecodeError:
        raise fault("bad_encoding", delivery.name, found=found.encoding) from None
    columns = {name: raw[name].map(lambda cell: right.get(cell, cell)) for name in _texted(raw)}
    return raw.assign(**columns), notes


def _with_shapes(found: pd.DataFrame, delivery: Delivery) -> gpd.GeoDataFrame:
    if not isinstance(found, gpd.GeoDataFrame):
        raise fault("not_lines", delivery.name)
    return found


def _texted(rows: gpd.GeoDataFrame) -> list[str]:
    return [
        str(name)
        for name in rows.columns
        if name != rows.geometry.name and pd.api.types.is_string_dtype(rows[name].dropna())
    ]


def _texts(rows: gpd.GeoDataFrame) -> list[str]:
    """Texts with letters beyond ASCII, each once."""
    met = {text for name in _texted(rows) for text in rows[name].dropna().unique()}
    return sorted(text for text in met if not text.isascii())
