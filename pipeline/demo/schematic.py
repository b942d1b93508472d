"""Communes drawn from centroids and areas alone: a power diagram whose cells have the right areas.

For the demo, which has no boundary file. Neighbours are roughly right, outlines are not: outputs
call them schematic. Source: Aurenhammer, "Power diagrams", SIAM J. Comput. 16(1), 1987; the weights
by the fixed-point iteration of Aurenhammer, Hoffmann & Aronov, "Minkowski-type theorems and
least-squares clustering", Algorithmica 20, 1998. Does not belong here: speeds (`simulate.py`),
files (`province.py`).
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

Floats = npt.NDArray[np.float64]
_GRID = 160  # raster cells along the longer side while weights are sought
_PRECISION_DEG = 1e-6


def power_diagram(latitude: pd.Series, longitude: pd.Series, area_km2: pd.Series) -> gpd.GeoSeries:
    """One polygon per site, EPSG:4326: an edge-matched coverage whose areas are near `area_km2`.

    Medians by province are 1–8 % off; some tiny wards and islands differ by more.
    """
    middle = (round(float(latitude.mean()), 2), round(float(longitude.mean()), 2))
    crs = f"+proj=laea +lat_0={middle[0]} +lon_0={middle[1]} +datum=WGS84 +units=km"
    sites_geo = gpd.GeoSeries(gpd.points_from_xy(longitude, latitude), crs="EPSG:4326").to_crs(crs)
    sites = np.column_stack([sites_geo.x, sites_geo.y])
    # communes of one position move half a kilometre east each
    sites[:, 0] += 0.5 * pd.DataFrame(sites.round(3)).groupby([0, 1]).cumcount().to_numpy()
    areas = area_km2.to_numpy(dtype="float64")
    cells = np.empty(len(sites), dtype=object)
    for part in _parts(sites, areas):
        held = shapely.contains_xy(part, sites)
        outline = _scaled(part, float(areas[held].sum()))
        weights = _weights(sites[held], areas[held], outline)
        cells[held] = [_cell(sites[held], weights, i, outline) for i in range(int(held.sum()))]
    projected = gpd.GeoSeries(cells, crs=crs).to_crs("EPSG:4326")
    return gpd.GeoSeries(_edge_matched(projected.to_numpy()), index=latitude.index, crs="EPSG:4326")


def _parts(sites: Floats, areas: Floats) -> npt.NDArray[np.object_]:
    """Discs of the communes' areas, merged: one part per mainland or far island."""
    radius = np.sqrt(areas / np.pi)
    discs = shapely.union_all(shapely.buffer(shapely.points(sites), 1.3 * radius))
    reach = 2 * float(np.median(radius))
    solid = [
        shapely.Polygon(part.exterior).simplify(0.02)
        for part in shapely.get_parts(discs.buffer(reach).buffer(-reach))
    ]
    return np.array(
        [part for part in solid if shapely.contains_xy(part, sites).any()], dtype=object
    )


def _scaled(part: shapely.Polygon, area: float) -> shapely.Polygon:
    """The part, scaled about its centroid to an area."""
    factor = float(np.sqrt(area / part.area))
    return shapely.affinity.scale(part, factor, factor, origin="centroid")


def _weights(sites: Floats, areas: Floats, outline: shapely.Polygon) -> Floats:
    """Additive weights (km²) that give cells nearly the wanted areas, counted on a raster."""
    west, south, east, north = outline.bounds
    step = max(east - west, north - south) / _GRID
    x, y = np.meshgrid(
        np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step)
    )
    inside = shapely.contains_xy(outline, x.ravel(), y.ravel())
    points = np.column_stack([x.ravel()[inside], y.ravel()[inside]])
    distance = ((points[:, None, :] - sites[None, :, :]) ** 2).sum(axis=2)
    wanted = areas / areas.sum()
    weights = np.zeros(len(sites))
    best, least = weights, np.inf
    scale = areas.sum() / np.pi
    for turn in range(400):
        owner = np.argmin(distance - weights, axis=1)
        held = np.bincount(owner, minlength=len(sites)) / len(points)
        error = wanted - held
        # a commune without any area is worse than any difference of areas
        badness = float(np.abs(error).sum()) + 10 * int((held == 0).sum())
        if badness < least:
            best, least = weights.copy(), badness
        if np.abs(error / wanted).max() < 0.01:
            break
        weights += (0.6 if turn < 200 else 0.2) * scale * error
        weights -= weights.mean()
    return best


def _cell(
    sites: Floats, weights: Floats, i: int, outline: shapely.Polygon
) -> shapely.geometry.base.BaseGeometry:
    """The outline cut by one half-plane per other site: |p − s_i|² − w_i ≤ |p − s_j|² − w_j."""
    cell: shapely.geometry.base.BaseGeometry = outline
    reach = 4 * float(np.ptp(sites, axis=0).max() + 1)
    for j in range(len(sites)):
        if j == i:
            continue
        normal = sites[j] - sites[i]
        length = float(np.hypot(*normal))
        offset = (length**2 + weights[i] - weights[j]) / (2 * length)
        unit = normal / length
        foot, along = sites[i] + unit * offset, np.array([-unit[1], unit[0]])
        corners = [
            foot + along * reach,
            foot - along * reach,
            foot - along * reach - unit * 2 * reach,
            foot + along * reach - unit * 2 * reach,
        ]
        cell = cell.intersection(shapely.Polygon(corners))
    return cell


def _edge_matched(cells: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """The cells rebuilt from one noded network of lines: neighbours share their vertices."""
    lines = shapely.union_all(shapely.boundary(cells), grid_size=_PRECISION_DEG)
    faces = shapely.get_parts(shapely.polygonize([lines]))
    tree = shapely.STRtree(cells)
    owner = tree.nearest(shapely.point_on_surface(faces))
    return np.array([shapely.union_all(faces[owner == i]) for i in range(len(cells))], dtype=object)
