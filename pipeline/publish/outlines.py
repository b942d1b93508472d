"""Outlines that several outputs draw: gap areas from their cells, rings from shapes.

Does not belong here: H3 (`hexgrid/`), styles.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely


def gap_outlines(gap_areas: pd.DataFrame, hex_status: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """The union of each gap area's cells, EPSG:4326, index as `gap_areas`."""
    needed = hex_status["hex_id"].isin(
        {cell for listed in gap_areas["cells"] for cell in listed.split(";")}
    )
    cells = dict(zip(hex_status["hex_id"][needed], hex_status.geometry[needed], strict=True))
    shapes = [
        shapely.union_all([cells[c] for c in listed.split(";")]) for listed in gap_areas["cells"]
    ]
    return gpd.GeoSeries(shapes, index=gap_areas.index, crs="EPSG:4326")


def rings(
    shapes: npt.NDArray[np.object_],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(coordinates, ring of each coordinate, shape of each ring), without closing points.

    Coordinates: n x 2, longitude and latitude.
    """
    parts, shape_of_part = shapely.get_parts(shapes, return_index=True)
    outer, part_of_ring = shapely.get_rings(parts, return_index=True)
    points, ring_of_point = shapely.get_coordinates(outer, return_index=True)
    is_last = np.diff(ring_of_point, append=-1) != 0
    return points[~is_last], ring_of_point[~is_last], shape_of_part[part_of_ring]
