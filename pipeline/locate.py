"""Which commune holds each test: exactly, by its point. And how a tile's area falls over communes.

Does not belong here: hexes; what becomes of points outside (`clean.py`).
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

# Lambert azimuthal equal-area, centred where it is used: areas are right everywhere, distances nowhere needed.
_EQUAL_AREA = "+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"


def communes_of_points(latitude: pd.Series, longitude: pd.Series, communes: gpd.GeoDataFrame) -> pd.Series:
    """`commune_code` of each point (EPSG:4326), null outside and where a coordinate is missing.

    A point on a shared edge, which two closed polygons hold, goes to the smaller code: one commune, the same on every run.
    """
    result = np.full(len(latitude), np.nan, dtype=object)
    known = np.flatnonzero((latitude.notna() & longitude.notna()).to_numpy())
    points = shapely.points(longitude.to_numpy()[known], latitude.to_numpy()[known])
    ordered = communes.sort_values("commune_code")
    tree = shapely.STRtree(points)  # few large polygons are prepared once each and asked about the points they may hold
    polygon, point = tree.query(ordered.geometry.to_numpy(), predicate="intersects")
    order = np.lexsort((polygon, point))
    point, polygon = point[order], polygon[order]
    first = np.r_[True, point[1:] != point[:-1]] if len(point) else np.zeros(0, dtype=bool)
    result[known[point[first]]] = ordered["commune_code"].to_numpy()[polygon[first]]
    return pd.Series(result, index=latitude.index, dtype="str")


def tile_shares(outlines: np.ndarray, communes: gpd.GeoDataFrame) -> pd.DataFrame:
    """Shares of each tile's area by commune: columns `tile` (position), `commune_code`, `tile_share` (0–1].

    Areas are equal-area. Shares of one tile sum to at most 1; the rest lies outside the area. Communes that overlap would
    count ground twice: then a tile's shares are scaled down to sum to 1.
    """
    here = shapely.centroid(shapely.union_all(shapely.envelope(communes.geometry.to_numpy())))
    crs = _EQUAL_AREA.format(lat=round(here.y, 2), lon=round(here.x, 2))
    tiles = gpd.GeoSeries(outlines, crs="EPSG:4326").to_crs(crs).to_numpy()
    zones = communes.geometry.to_crs(crs).to_numpy()
    commune, tile = shapely.STRtree(tiles).query(zones, predicate="intersects")
    share = shapely.area(shapely.intersection(tiles[tile], zones[commune])) / shapely.area(tiles[tile])
    parts = pd.DataFrame(
        {"tile": tile, "commune_code": communes["commune_code"].to_numpy()[commune], "tile_share": share}
    )
    parts = parts[parts["tile_share"] > 1e-9].sort_values(["tile", "commune_code"], ignore_index=True)
    total = parts.groupby("tile")["tile_share"].transform("sum")
    return parts.assign(tile_share=parts["tile_share"] / total.clip(lower=1.0))
