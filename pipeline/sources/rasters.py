"""Rasters of people or heights: opened, held to the area, and the communes brought into their CRS.

Does not belong here: what is summed (`population.py`, `context_layers.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from pipeline.schema.errors import fault


def crs_and_bounds(path: Path) -> tuple[Any, Any]:
    """(CRS, bounds) of a raster.

    Raises `UserFault` for a file that is missing or no raster, or without a CRS (never guessed).
    """
    import rasterio

    if not path.is_file():
        raise fault("missing_file", path)
    try:
        with rasterio.open(path) as raster:
            crs, bounds = raster.crs, raster.bounds
    except rasterio.errors.RasterioIOError as error:
        raise fault(
            "unreadable_file", path.name, found=str(error)[:160], expected="GeoTIFF"
        ) from None
    if crs is None:
        found = [round(one, 3) for one in bounds]
        raise fault("raster_without_crs", path.name, found=found)
    return crs, bounds


def zones_on(communes: gpd.GeoDataFrame, path: Path) -> gpd.GeoDataFrame:
    """The communes (commune_code, geometry) in the raster's CRS.

    Raises `UserFault` as `crs_and_bounds` does, and for a raster that covers no commune.
    """
    crs, bounds = crs_and_bounds(path)
    zones = communes[["commune_code", "geometry"]].to_crs(crs)
    if not zones.geometry.intersects(shapely.box(*bounds)).any():
        raise fault(
            "raster_elsewhere",
            path.name,
            found=[round(b, 3) for b in bounds],
            expected=[round(float(b), 3) for b in zones.total_bounds],
        )
    return zones
