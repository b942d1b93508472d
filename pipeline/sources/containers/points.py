"""Geometry of points as `latitude` and `longitude` in EPSG:4326 beside a table's own columns."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyproj
import shapely

from pipeline.schema.errors import fault

Crs = Any  # whatever pyproj takes
Numbers = Any  # an array of numbers
POSITION = ("latitude", "longitude")


@dataclass(frozen=True)
class Geometry:
    """A column of geometry: its name, its encoding (`wkb`, `wkt`, `point`) and its CRS."""

    column: str
    kind: str
    crs: Crs
    is_points: bool


def names_beside(names: Sequence[str]) -> list[str]:
    """The names of the positions; in brackets where the table has columns of these names.

    >>> names_beside(["latitude", "operator"])
    ['(latitude)', '(longitude)']
    """
    is_taken = any(name in names for name in POSITION)
    return [f"({name})" if is_taken else name for name in POSITION]


def of_values(column: str, values: Sequence[Any], crs: Crs) -> Geometry | None:
    """What some values are: WKB, WKT, or no geometry (None)."""
    kind = "wkb" if isinstance(values[0], bytes) else "wkt"
    read = shapely.from_wkb if kind == "wkb" else shapely.from_wkt
    shapes = read(np.array(values, dtype=object), on_invalid="ignore")
    held = shapes[~shapely.is_missing(shapes)]
    if 2 * len(held) < len(values):
        return None
    is_points = bool((_as_points(held) >= 0).mean() > 0.5)
    kinds = sorted({str(shape.geom_type) for shape in held})
    return Geometry(column, kind if is_points else ", ".join(kinds), crs, is_points)


def _as_points(shapes: Numbers) -> Numbers:
    """0 of points that are not empty, −1 of everything else."""
    return np.where((shapely.get_type_id(shapes) == 0) & ~shapely.is_empty(shapes), 0, -1)


def with_positions(
    rows: pl.DataFrame, geometry: Geometry, names: Sequence[str], file: str
) -> pl.DataFrame:
    """The rows with the positions of their points; other shapes have none. Raises `UserFault`."""
    column = rows[geometry.column]
    if geometry.kind == "point":
        x, y = (column.struct.field(axis).to_numpy() for axis in ("x", "y"))
    else:
        x, y = coordinates(column.to_list(), is_wkb=geometry.kind == "wkb")
    latitude, longitude = degrees(x, y, geometry.crs, file)
    titles = names_beside(names)
    return rows.with_columns(
        pl.Series(titles[0], latitude).fill_nan(None),
        pl.Series(titles[1], longitude).fill_nan(None),
    )


def coordinates(values: Sequence[Any], *, is_wkb: bool) -> tuple[Any, Any]:
    """(x, y) of points; NaN of everything else. A lone point of a collection counts as one."""
    read = shapely.from_wkb if is_wkb else shapely.from_wkt
    cells = np.array([value or None for value in values], dtype=object)
    shapes = read(cells, on_invalid="ignore")
    single = (shapely.get_type_id(shapes) == 4) & (shapely.get_num_geometries(shapes) == 1)
    shapes = np.where(single, shapely.get_geometry(shapes, 0), shapes)
    is_point = _as_points(shapes) == 0
    x = np.where(is_point, shapely.get_x(shapes), np.nan)
    y = np.where(is_point, shapely.get_y(shapes), np.nan)
    return x, y


def degrees(x: Numbers, y: Numbers, crs: Crs, file: str) -> tuple[Numbers, Numbers]:
    """(latitude, longitude) in EPSG:4326 of coordinates in a CRS; None: they are degrees."""
    if crs is None:
        return y, x
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            known = pyproj.CRS.from_user_input(crs)
        if known.equals("EPSG:4326", ignore_axis_order=True) or known.equals("OGC:CRS84"):
            return y, x
        turn = pyproj.Transformer.from_crs(known, "EPSG:4326", always_xy=True)
        longitude, latitude = turn.transform(x, y)
    except pyproj.exceptions.ProjError:
        raise fault("bad_crs", file, found=str(crs)[:80]) from None
    bad = ~(np.isfinite(longitude) & np.isfinite(latitude))
    return np.where(bad, np.nan, latitude), np.where(bad, np.nan, longitude)
