"""Facilities, roads and other shapes in EPSG:4326, from any vector file or a table of positions.

Where shapes lie is held against the communes: a CRS that is missing or wrong shows there.
Does not belong here: what is counted (`context_layers.py`), the communes themselves
(`boundaries.py`).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyogrio
import pyproj
import shapely

from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.sources import containers, other_tables, values
from pipeline.sources.cells import positions, spellings
from pipeline.sources.cells.positions import Bounds
from pipeline.sources.containers import ROW, SUFFIXES, Delivery
from pipeline.sources.other_tables import FILE, NONE, Table, asked

WGS84 = "EPSG:4326"
LATITUDES: tuple[str, ...] = (
    "latitude", "lat", "vido", "y", "ycoord", "gpslat", "toadoy", "toadovido", "vdo",
)  # fmt: skip
LONGITUDES: tuple[str, ...] = (
    "longitude", "lon", "lng", "long", "kinhdo", "x", "xcoord", "gpslon", "toadox", "gpslong",
    "gpslng", "toadokinhdo", "kdo",
)  # fmt: skip
PLACES: tuple[str, ...] = (
    "toado", "toadogps", "gps", "latlon", "latlng", "latlong", "position", "location", "geometry",
    "geom", "wkt", "coordinates", "vitri", "coordinate", "thegeom",
)  # fmt: skip
KINDS = ("kind", "type", "loai", "loaihinh", "amenity", "category", "loaicoso", "nhom")
CLASSES = ("highway", "fclass", "class", "roadclass", "capduong", "loaiduong", "cap", "loai")
EXPECTED = "GeoJSON, GeoPackage, Shapefile, KML, FlatGeobuf, GeoParquet"
_PROPER = 0.5  # of the positions lie in the area as degrees: a file without a CRS holds degrees


@dataclass(frozen=True)
class Asked:
    """What is read of a file of shapes, and what the settings say of it.

    `section`, `kind_key`, `wanted_key`: the settings' names. `bounds`: of the communes, degrees.
    """

    section: str
    kind_key: str
    wanted_key: str
    usual_kinds: tuple[str, ...]
    takes_tables: bool = False
    kind: str | None = None
    wanted: tuple[str, ...] = ()
    crs: str | None = None
    swap_axes: bool = False
    latitude: str | None = None
    longitude: str | None = None
    decimal: str | None = None
    how: Mapping[str, object] | None = None


@dataclass
class _Part:
    """Shapes of one layer or table, in the CRS that it states; `kinds`: column of kinds."""

    file: str
    shapes: np.ndarray
    columns: dict[str, list[str]]
    crs: Any
    rows: list[int]  # their numbers in the file
    table: Table | None = None  # of positions: in degrees of WGS 84 for certain
    position: tuple[str, ...] = ()  # its columns of positions


def read_shapes(path: Path, bounds: Bounds, about: Asked) -> tuple[np.ndarray, list[Fault]]:
    """Shapes in EPSG:4326 of the rows that are wanted, and warnings.

    Raises `UserFault`: a file that cannot be read, layers that differ, a column or a CRS that is
    open, nothing in the area.
    """
    parts, warnings = _parts_of_known_crs(path, bounds, about)
    for part in parts:
        if part.table and (lost := int(shapely.is_missing(part.shapes).sum())):
            said: dict[str, object] = {"found": lost, "count": len(part.shapes)}
            column = part.position[0]
            warnings.append(Fault("places_without_position", part.file, None, column, said))
    kept = _wanted(parts, path.name, about, warnings)
    placed = [_in_degrees(part, bounds, about) for part in parts]
    found = np.concatenate([shapes[rows] for shapes, rows in zip(placed, kept, strict=True)])
    return found[~(shapely.is_missing(found) | shapely.is_empty(found))], warnings


@dataclass(frozen=True)
class Places:
    """Rows of a file and where each is.

    `table`: cells as texts. `points`: EPSG:4326, None where a row has no position that can be read;
    of an area or line its representative point. `position`: columns of positions, none of shapes.
    """

    table: Table
    points: np.ndarray
    position: tuple[str, ...]


def read_places(path: Path, bounds: Bounds, about: Asked) -> tuple[Places, list[Fault]]:
    """All rows of a file of shapes or of a table of positions, and warnings.

    Raises `UserFault` as `read_shapes` does.
    """
    parts, warnings = _parts_of_known_crs(path, bounds, about)
    frames = [
        pl.DataFrame(
            {**part.columns, FILE: [part.file] * len(part.rows), ROW: part.rows},
            schema_overrides=dict.fromkeys(part.columns, pl.String),
        )
        for part in parts
    ]
    rows = pl.concat(frames, how="diagonal")
    names = tuple(name for name in rows.columns if name not in (FILE, ROW))
    layouts = tuple(one for part in parts if part.table for one in part.table.layouts)
    table = Table(path.name, about.section, names, rows, layouts, [])
    shapes = np.concatenate([_in_degrees(part, bounds, about) for part in parts])
    shapes[shapely.is_empty(shapes)] = None
    position = tuple(dict.fromkeys(name for part in parts for name in part.position))
    return Places(table, shapely.point_on_surface(shapes), position), warnings


def _parts_of_known_crs(
    path: Path, bounds: Bounds, about: Asked
) -> tuple[list[_Part], list[Fault]]:
    warnings: list[Fault] = []
    parts = _parts(path, bounds, about, warnings)
    if not any(len(part.shapes) for part in parts):
        raise fault("empty_file", path.name)
    for part in parts:
        if part.crs is None and about.crs is None and part.table is None:
            _place_without_crs(part, bounds, about, warnings)
    return parts, warnings


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def _parts(path: Path, bounds: Bounds, about: Asked, warnings: list[Fault]) -> list[_Part]:
    how = {key: value for key, value in (about.how or {}).items() if value is not None}
    if path.is_dir() or (path.is_file() and containers.suffix_of(path) not in SUFFIXES):
        return [_by_gdal(path, about.section, how)]
    deliveries, notes = other_tables.listed(path, about.section, how)
    warnings += notes
    found = []
    tables = []
    for delivery in deliveries:
        kind = containers.kind_of(delivery)
        if kind == "geodata":
            rows, said = containers.features(delivery, how)
            warnings += said
            found.append(_of_frame(delivery.name, rows))
        elif kind == "parquet" and (frame := _geoparquet(delivery)) is not None:
            found.append(_of_frame(delivery.name, frame))
        elif about.takes_tables:
            tables.append(delivery)
        else:
            raise fault("not_lines", delivery.name)
    if tables:
        table = other_tables.table_of(tables, about.section, how, [])
        found.append(_of_table(table, bounds, about, warnings))
    return found


def _by_gdal(path: Path, section: str, how: Mapping[str, Any]) -> _Part:
    """Formats beyond those of deliveries, such as File Geodatabase, MapInfo and GML."""
    layer = how.get("layer")
    try:
        names = [str(name) for name, _ in pyogrio.list_layers(path)]
        rows = None
        if layer in names or (layer is None and len(names) == 1):
            rows = pyogrio.read_dataframe(path, layer=layer, encoding=how.get("encoding"))
    except Exception as error:  # noqa: BLE001 - whatever GDAL raises
        found = containers.first_line(error)
        raise fault("unreadable_file", path.name, found=found, expected=EXPECTED) from None
    if rows is None and layer is not None:
        raise fault("no_such_layer", path.name, found=layer, expected=names)
    if rows is None:
        lines = (f"[{section}]", *(asked("layer", name) for name in names))
        raise fault("which_other_layer", path.name, found=names, lines=lines)
    if not isinstance(rows, gpd.GeoDataFrame):
        raise fault("not_lines", path.name)
    return _of_frame(path.name, rows)


def _geoparquet(delivery: Delivery) -> gpd.GeoDataFrame | None:
    """A GeoParquet file; None of any other Parquet."""
    try:
        return gpd.read_parquet(io.BytesIO(containers.content(delivery)))  # type: ignore[arg-type]
    except ValueError:  # without the metadata of shapes
        return None
    except Exception as error:  # noqa: BLE001 - whatever pyarrow raises
        found = containers.first_line(error)
        raise fault("unreadable_file", delivery.name, found=found, expected="GeoParquet") from None


def _of_frame(file: str, rows: gpd.GeoDataFrame) -> _Part:
    shapes = shapely.force_2d(rows.geometry.to_numpy())
    columns = {str(name): _cells(rows[name]) for name in rows.columns if name != rows.geometry.name}
    return _Part(file, shapes, columns, rows.crs, list(range(2, len(rows) + 2)))


def _cells(column: pd.Series) -> list[str]:
    texts = values.names(column.astype("str").where(column.notna())).fillna("").tolist()
    return _with_answers(texts, column)


def _with_answers(texts: list[str], cells: Iterable[object]) -> list[str]:
    """Texts with `không có`, which says nothing of a name but is an answer in a column of words."""
    return [
        text or (NONE if isinstance(cell, str) and spellings.spaced_key(cell) == NONE else "")
        for text, cell in zip(texts, cells, strict=True)
    ]


def _of_table(table: Table, bounds: Bounds, about: Asked, warnings: list[Fault]) -> _Part:
    """The places of a table by its columns of positions."""
    warnings += table.notes
    faults = [
        *other_tables.given_column(table, about.latitude, "latitude_column"),
        *other_tables.given_column(table, about.longitude, "longitude_column"),
    ]
    latitude = about.latitude or other_tables.usual_column(
        table, LATITUDES, "latitude_column", faults
    )
    longitude = about.longitude or other_tables.usual_column(
        table, LONGITUDES, "longitude_column", faults
    )
    if about.latitude is None and not (latitude and longitude):
        joined = other_tables.usual_column(table, PLACES, "latitude_column", faults)
        latitude, longitude = (joined, None) if joined else (latitude, longitude)
        if joined is None:
            lines = (asked("latitude_column", "…"), asked("longitude_column", "…"))
            found = list(table.names)
            faults.append(
                table.question("no_usual_heading", lines=lines, found=found, ours="latitude_column")
            )
    if faults or latitude is None:
        raise UserFault(faults)
    if about.latitude is not None and longitude in (None, latitude):
        longitude = None  # one column holds both
    y = table.rows[latitude].alias(latitude)
    x = None if longitude is None else table.rows[longitude].alias(longitude)
    if about.swap_axes and x is not None:
        y, x = x, y
    decided = positions.decide_positions(y, x, bounds, crs=about.crs, decimal=about.decimal)
    if decided.form is None or decided.question is not None:
        raise UserFault([_asked_again(table, decided.question, latitude)])
    lat, lon = positions.read_positions(y, x, decided.form)
    pairs = np.column_stack([lon.fill_null(np.nan).to_numpy(), lat.fill_null(np.nan).to_numpy()])
    known = np.isfinite(pairs).all(axis=1)
    shapes = np.full(len(pairs), None, dtype=object)
    shapes[known] = shapely.points(pairs[known])
    columns = {name: _with_answers(table.texts(name), table.rows[name]) for name in table.names}
    position = (latitude,) if longitude is None else (latitude, longitude)
    return _Part(table.file, shapes, columns, WGS84, table.rows[ROW].to_list(), table, position)


def _asked_again(table: Table, question: Fault | None, column: str) -> Fault:
    """A question on positions with the lines of this section."""
    if question is None:
        return table.question("other_positions", column, lines=(), found="–")
    if question.code == "bad_crs":
        return replace(question, file=table.file)
    raw = question.values.get("lines", ())
    lines = [raw] if isinstance(raw, str) else list(raw)  # type: ignore[call-overload]
    if question.code == "position_swapped":
        lines = ["swap_axes = true"]
    lines = lines or [asked("latitude_column", "…"), asked("longitude_column", "…")]
    found = question.values["found"]
    return table.question("other_positions", column, lines=lines, found=found)


# ── which rows ───────────────────────────────────────────────────────────────────────────────────


def _wanted(parts: list[_Part], file: str, about: Asked, warnings: list[Fault]) -> list[np.ndarray]:
    """Which rows of each part are of the wanted kinds; all where none is named."""
    every = [np.ones(len(part.shapes), dtype=bool) for part in parts]
    column = about.kind
    if column is not None:
        for part in parts:
            if column not in part.columns:
                found: dict[str, object] = {"found": list(part.columns), "ours": about.kind_key}
                raise UserFault([Fault("missing_column", part.file, None, column, found)])
    if not about.wanted:
        return every
    if column is None:
        column = _kind_column(parts, file, about)
    keys = {values.folded(one): one for one in about.wanted}
    cells = [part.columns.get(column, [""] * len(part.shapes)) for part in parts]
    counts = Counter(cell for part in cells for cell in part)
    met = {values.folded(cell) for cell in counts}
    others = [
        f"{cell or '–'} ({count})"
        for cell, count in counts.most_common()
        if values.folded(cell) not in keys
    ]
    missing = [one for key, one in keys.items() if key not in met]
    if len(missing) == len(keys):
        said: dict[str, object] = {"found": others, "expected": list(about.wanted)}
        raise UserFault([Fault("no_kind_met", file, None, column, said)])
    if missing:
        warnings.append(Fault("kinds_without_rows", file, None, column, {"found": missing}))
    if others:
        warnings.append(Fault("kinds_not_counted", file, None, column, {"found": others}))
    return [np.array([values.folded(cell) in keys for cell in part], dtype=bool) for part in cells]


def _kind_column(parts: list[_Part], file: str, about: Asked) -> str:
    """The column of kinds under a usual heading. Raises `UserFault` where that is open."""
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    found = [name for name in names if other_tables.heading_key(name) in about.usual_kinds]
    if len(found) == 1:
        return found[0]
    code = "which_column" if found else "no_usual_heading"
    lines = (f"[{about.section}]", *(asked(about.kind_key, name) for name in found or ["…"]))
    values: dict[str, object] = {"found": found or names, "ours": about.kind_key, "lines": lines}
    raise UserFault([Fault(code, file, values=values)])


# ── where they lie ───────────────────────────────────────────────────────────────────────────────


def _middles(shapes: np.ndarray) -> tuple[pl.Series, pl.Series]:
    """(y, x) of the middles of the shapes' boxes, those without one left out."""
    boxes = shapely.bounds(shapes)
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    return pl.Series("y", boxes[:, [1, 3]].mean(axis=1)), pl.Series(
        "x", boxes[:, [0, 2]].mean(axis=1)
    )


def _shown(y: pl.Series, x: pl.Series) -> list[float]:
    ends = (x.min(), y.min(), x.max(), y.max())
    return [round(float(one), 3) for one in ends if isinstance(one, float)]


def _place_without_crs(part: _Part, bounds: Bounds, about: Asked, warnings: list[Fault]) -> None:
    """Take degrees that lie in the area as such. Raises `UserFault` for any other numbers."""
    y, x = _middles(part.shapes)
    if about.swap_axes:
        y, x = x, y
    inside = positions.share_inside(y, x, bounds)
    if len(y) and inside >= _PROPER:
        said: dict[str, object] = {"found": round(inside * len(y)), "count": len(y)}
        warnings.append(Fault("crs_by_place", part.file, values=said))
        part.crs = WGS84
        return
    lines = _likely(y, x, bounds) or ['crs = "EPSG:…"']
    found: dict[str, object] = {"found": _shown(y, x), "lines": (f"[{about.section}]", *lines)}
    raise UserFault([Fault("no_crs", part.file, values=found)])


def _likely(y: pl.Series, x: pl.Series, bounds: Bounds) -> list[str]:
    """Settings lines under which the numbers lie in the area; none where nothing does."""
    if not len(y):
        return []
    decided = positions.decide_positions(y, x, bounds)
    if decided.question is None:
        inside = positions.share_inside(y, x, bounds)
        return [asked("crs", WGS84)] if inside > 0 else []
    if decided.question.code == "position_swapped":
        return ["swap_axes = true"]
    lines = decided.question.values.get("lines", ())
    return [one for one in lines if "…" not in one]  # type: ignore[attr-defined]


def _in_degrees(part: _Part, bounds: Bounds, about: Asked) -> np.ndarray:
    """The shapes in EPSG:4326. Raises `UserFault` where none lies in the area."""
    if part.table:
        y, x = _middles(part.shapes)
        if not positions.share_inside(y, x, bounds):
            raise _elsewhere(part, y, x, bounds)
        return part.shapes
    raw = part.shapes
    if about.swap_axes:
        raw = shapely.transform(raw, lambda xy: xy[:, ::-1])
    try:
        crs = pyproj.CRS.from_user_input(about.crs or part.crs)
    except pyproj.exceptions.CRSError:
        raise fault("bad_crs", part.file, found=about.crs or part.crs) from None
    shapes = _transformed(raw, crs)
    y, x = _middles(shapes)
    if positions.share_inside(y, x, bounds) or _touch(shapes, bounds):
        return shapes
    own_y, own_x = _middles(raw)
    lines = [one for one in _likely(own_y, own_x, bounds) if one != asked("crs", about.crs)]
    if lines:
        found: dict[str, object] = {
            "found": _shown(own_y, own_x),
            "crs": about.crs or crs.name,
            "lines": (f"[{about.section}]", *lines),
        }
        raise UserFault([Fault("shapes_crs", part.file, values=found)])
    raise _elsewhere(part, y, x, bounds)


def _touch(shapes: np.ndarray, bounds: Bounds) -> bool:
    """Whether a long shape, such as a road, reaches into the area though its middle does not."""
    held = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    return bool(shapely.intersects(held, shapely.box(*bounds)).any())


def _transformed(shapes: np.ndarray, crs: pyproj.CRS) -> np.ndarray:
    turn = pyproj.Transformer.from_crs(crs, WGS84, always_xy=True)
    is_wgs84 = crs.equals(WGS84, ignore_axis_order=True)
    if is_wgs84 or crs.equals("OGC:CRS84"):
        return shapes
    found = shapely.transform(
        shapes, lambda xy: np.column_stack(turn.transform(xy[:, 0], xy[:, 1]))
    )
    return np.asarray(found)


def _elsewhere(part: _Part, y: pl.Series, x: pl.Series, bounds: Bounds) -> UserFault:
    expected = [round(one, 3) for one in bounds]
    return fault("shapes_elsewhere", part.file, found=_shown(y, x), expected=expected)
