"""Which commune holds each test: exactly, by its point. And how a tile's area falls over communes.

Does not belong here: hexes; what becomes of points outside (`prepare.py`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import cast

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

Floats = npt.NDArray[np.float64]

# Lambert azimuthal equal-area, centred where it is used: areas are right everywhere, distances
# nowhere needed.
_EQUAL_AREA = "+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"


@dataclass(frozen=True)
class Zones:
    """Communes made ready for many points.

    They are ordered by code, under a grid of which most cells lie in one commune.

    `grid`: (rows from the north, columns) position in `codes` that answers for the whole cell,
    OUTSIDE, or BORDER where a boundary passes through the cell or one next to it. None where there
    are too few points for it to pay.
    """

    codes: npt.NDArray[np.object_]
    polygons: npt.NDArray[np.object_]
    grid: npt.NDArray[np.int32] | None
    west: float
    north: float
    side: float  # of a cell, in degrees


OUTSIDE, BORDER = -1, -2
_CHUNK = 1 << 18
FEW = 200  # communes up to which each one's box is compared with every point near a boundary
_PREPARED = (
    threading.Lock()
)  # GEOS completes a prepared geometry while it is asked: two threads at once crash


def zones_of(communes: gpd.GeoDataFrame, point_count: int) -> Zones:
    """`Zones` of communes (EPSG:4326: commune_code, geometry) for about `point_count` points.

    The grid has at most as many cells as there are points: what it saves must be more than it
    costs.
    """
    ordered = communes.sort_values("commune_code")
    codes, polygons = ordered["commune_code"].to_numpy(dtype=object), ordered.geometry.to_numpy()
    shapely.prepare(polygons)
    west, south, east, north = ordered.total_bounds
    size = min(point_count, int(np.clip(100_000 * len(codes), 1_000_000, 32_000_000)))
    if size < 200_000 or not (east > west and north > south):
        return Zones(codes, polygons, None, west, north, 0.0)
    from scipy import ndimage

    # square by degrees, with a rim of two cells: the outermost boundary lies inside the grid, not
    # on its edge
    side = float(np.sqrt((east - west) * (north - south) / size))
    side = max(side, (east - west) / size, (north - south) / size)
    shape = int((north - south) / side) + 5, int((east - west) / side) + 5
    west, north = west - 2 * side, north + 2 * side
    is_border = _drawn(polygons, shape, west, north, side)
    # between boundaries cells hang together, and one point answers for all of them
    patch, count = ndimage.label(~is_border)
    cell_of = np.zeros(count + 1, dtype=np.int64)
    cell_of[patch.ravel()] = np.arange(patch.size)
    row, column = np.divmod(cell_of[1:], shape[1])
    bare = Zones(codes, polygons, None, west, north, side)
    answer = _holders(north - (row + 0.5) * side, west + (column + 0.5) * side, bare)
    return Zones(codes, polygons, np.r_[np.int32(BORDER), answer][patch], west, north, side)


def _drawn(
    polygons: npt.NDArray[np.object_],
    shape: tuple[int, int],
    west: float,
    north: float,
    side: float,
) -> npt.NDArray[np.bool_]:
    """Cells that a boundary touches, and those next to them.

    Points are set along every edge, four to a cell's side. A touched cell without one is cut at a
    corner, beside a cell that has one; so it is marked, and the rounding of points and grid lines
    does not reach across a whole cell.
    """
    corners, ring = shapely.get_coordinates(
        shapely.get_rings(shapely.get_parts(polygons)), return_index=True
    )
    inner = ring[1:] == ring[:-1]
    start, step = corners[:-1][inner], np.diff(corners, axis=0)[inner]
    count = np.ceil(np.abs(step).max(axis=1) / (side / 4)).astype(np.int64) + 1
    edge = np.repeat(np.arange(len(count)), count)
    share = (np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)) / count[edge]
    lon, lat = (start[edge] + step[edge] * share[:, None]).T
    touched = np.zeros(shape, dtype=bool)
    touched[((north - lat) / side).astype(np.int64), ((lon - west) / side).astype(np.int64)] = True
    for axis in (0, 1):
        wider = np.moveaxis(touched.copy(), axis, 0)
        narrow = np.moveaxis(touched, axis, 0)
        wider[1:] |= narrow[:-1]
        wider[:-1] |= narrow[1:]
        touched = np.moveaxis(wider, 0, axis)
    return touched


def zone_numbers(latitude: Floats, longitude: Floats, zones: Zones) -> npt.NDArray[np.int32]:
    """Position in `zones.codes` of the commune that holds each point (EPSG:4326), or OUTSIDE.

    A point on a shared edge, which two closed polygons hold, goes to the smaller code: one commune,
    the same on every run.
    """
    found = np.full(len(latitude), OUTSIDE, dtype=np.int32)
    for start in range(0, len(found), _CHUNK):
        here = slice(start, start + _CHUNK)
        found[here] = _numbers(latitude[here], longitude[here], zones)
    return found


def _numbers(latitude: Floats, longitude: Floats, zones: Zones) -> npt.NDArray[np.int32]:
    if zones.grid is None:
        found = np.full(len(latitude), OUTSIDE, dtype=np.int32)
        asked = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
    else:
        rows, columns = zones.grid.shape
        x, y = (longitude - zones.west) / zones.side, (zones.north - latitude) / zones.side
        is_near = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)  # NaN is not
        column, row = (
            np.where(is_near, x, 0).astype(np.int32),
            np.where(is_near, y, 0).astype(np.int32),
        )
        found = np.where(is_near, zones.grid.ravel()[row * columns + column], np.int32(OUTSIDE))
        asked = np.flatnonzero(found == BORDER)
        found[asked] = OUTSIDE
    found[asked] = _holders(latitude[asked], longitude[asked], zones)
    return found


def _holders(latitude: Floats, longitude: Floats, zones: Zones) -> npt.NDArray[np.int32]:
    """Of each point the first polygon that holds it, by prepared point-in-polygon."""
    found = np.full(len(latitude), OUTSIDE, dtype=np.int32)
    if (
        len(zones.polygons) <= FEW
    ):  # each is asked about the points in its box: no tree, and no points to be made
        for number, (west, south, east, north) in enumerate(shapely.bounds(zones.polygons)):
            near = (
                (found == OUTSIDE)
                & (longitude >= west)
                & (longitude <= east)
                & (latitude >= south)
                & (latitude <= north)
            )
            rows = np.flatnonzero(near)
            with _PREPARED:
                held = shapely.intersects_xy(
                    zones.polygons[number], longitude[rows], latitude[rows]
                )
            found[rows[held]] = number
        return found
    points = cast("npt.NDArray[np.object_]", shapely.points(longitude, latitude))  # not one Point
    tree = shapely.STRtree(points)
    with _PREPARED:
        polygon, point = tree.query(zones.polygons, predicate="intersects")
    order = np.lexsort((polygon, point))[::-1]  # the smaller code is written last
    found[point[order]] = polygon[order]
    return found


def communes_of_points(
    latitude: pd.Series, longitude: pd.Series, communes: gpd.GeoDataFrame
) -> pd.Series:
    """`commune_code` of each point (EPSG:4326), by `zone_numbers`.

    Null outside the communes and where a coordinate is missing.
    """
    zones = zones_of(communes, len(latitude))
    number = zone_numbers(
        latitude.to_numpy(dtype="float64"), longitude.to_numpy(dtype="float64"), zones
    )
    return pd.Series(np.r_[zones.codes, [np.nan]][number], index=latitude.index, dtype="str")


def tile_shares(outlines: np.ndarray, communes: gpd.GeoDataFrame) -> pd.DataFrame:
    """Shares of each tile's area by commune.

    Columns: `tile` (position), `commune_code`, `tile_share` (0–1].

    Areas are equal-area. Shares of one tile sum to at most 1; the rest lies outside the area.
    Communes that overlap would count ground twice: then a tile's shares are scaled down to sum to
    1.
    """
    here = shapely.centroid(shapely.union_all(shapely.envelope(communes.geometry.to_numpy())))
    crs = _EQUAL_AREA.format(lat=round(here.y, 2), lon=round(here.x, 2))
    tiles = gpd.GeoSeries(outlines, crs="EPSG:4326").to_crs(crs).to_numpy()
    zones = communes.geometry.to_crs(crs).to_numpy()
    commune, tile = shapely.STRtree(tiles).query(zones, predicate="intersects")
    share = shapely.area(shapely.intersection(tiles[tile], zones[commune])) / shapely.area(
        tiles[tile]
    )
    parts = pd.DataFrame(
        {
            "tile": tile,
            "commune_code": communes["commune_code"].to_numpy()[commune],
            "tile_share": share,
        }
    )
    parts = parts[parts["tile_share"] > 1e-9].sort_values(
        ["tile", "commune_code"], ignore_index=True
    )
    total = parts.groupby("tile")["tile_share"].transform("sum")
    return parts.assign(tile_share=parts["tile_share"] / total.clip(lower=1.0))
