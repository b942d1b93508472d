"""What surrounds people: schools and health posts, main roads, terrain.

Read from any vector file or elevation raster.

Does not belong here: people (`population.py`), what any of it weighs (`prioritise.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.schema.errors import Fault
from pipeline.sources import shapes as shape_files
from pipeline.sources.cells.positions import Bounds
from pipeline.sources.rasters import zones_on
from pipeline.sources.shapes import Asked, read_shapes

FACILITIES = Asked("facilities", "kind_column", "kinds", shape_files.KINDS, takes_tables=True)
ROADS = Asked("roads", "class_column", "classes", shape_files.CLASSES)


def facilities_per_commune(
    communes: gpd.GeoDataFrame,
    path: Path,
    *,
    kind_column: str | None,
    kinds: Sequence[str],
    more: Asked | None = None,
) -> tuple[pd.Series, list[Fault]]:
    """Facilities by `commune_code` (0 where there is none), and warnings.

    Warnings say how many lie outside every commune, and which kinds are not counted.

    Any geometry; an area or line counts at its representative point. A table of places counts too.
    `kinds`: values of `kind_column` that count, without regard to case and accents; none: all. On a
    shared border the smaller code has it. Raises `UserFault`.
    """
    asked = replace(more or FACILITIES, kind=kind_column, wanted=tuple(map(str, kinds)))
    shapes, warnings = read_shapes(path, bounds_of(communes), asked)
    points = shapely.point_on_surface(shapes)
    first = commune_of_points(communes, points)
    counts = first.value_counts().reindex(communes["commune_code"], fill_value=0).astype("float64")
    outside = len(points) - len(first)
    if outside:
        values: dict[str, object] = {"found": outside, "count": len(points)}
        warnings.append(Fault("facilities_outside", path.name, values=values))
    return counts, warnings


def commune_of_points(communes: gpd.GeoDataFrame, points: np.ndarray) -> pd.Series:
    """`commune_code` by place in `points` (EPSG:4326); those outside every commune are absent.

    On a shared border the smaller code has the point.
    """
    point, commune = shapely.STRtree(communes.geometry.to_numpy()).query(
        points, predicate="intersects"
    )
    codes = communes["commune_code"].to_numpy()[commune]
    return pd.Series(codes).groupby(point).min()


def bounds_of(communes: gpd.GeoDataFrame) -> Bounds:
    """West, south, east, north of all communes, in degrees."""
    west, south, east, north = communes.total_bounds.tolist()
    return west, south, east, north


def main_roads(
    communes: gpd.GeoDataFrame,
    path: Path,
    *,
    class_column: str | None,
    classes: Sequence[str],
    more: Asked | None = None,
) -> tuple[np.ndarray, list[Fault]]:
    """(lines of the main roads, EPSG:4326; warnings).

    `classes`: values of `class_column` that count as main; none: all. Raises `UserFault`.
    """
    asked = replace(more or ROADS, kind=class_column, wanted=tuple(map(str, classes)))
    return read_shapes(path, bounds_of(communes), asked)


def terrain_of_communes(
    communes: gpd.GeoDataFrame, path: Path, *, hilly_relief_m: float, mountainous_relief_m: float
) -> pd.Series:
    """Terrain by `commune_code`: flat, hilly or mountainous.

    From the standard deviation of elevation inside the commune (exactextract).

    A commune that the raster does not reach has no class. Raises `UserFault`.
    """
    from exactextract import exact_extract

    zones = zones_on(communes, path)
    found = exact_extract(
        path, zones, ["stdev", "count"], include_cols="commune_code", output="pandas"
    )
    relief = found["stdev"].where(found["count"] > 0)
    terrain = np.select(
        [relief.isna(), relief >= mountainous_relief_m, relief >= hilly_relief_m],
        ["", "mountainous", "hilly"],
        default="flat",
    )
    named = pd.Series(terrain, index=found["commune_code"].astype("str"), dtype="str").replace(
        "", np.nan
    )
    return named.reindex(communes["commune_code"])


def crossed_by(roads: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Which of the pieces (polygons) a road crosses."""
    crossed = np.zeros(len(pieces), dtype=bool)
    if len(roads) and len(pieces):
        piece, _ = shapely.STRtree(roads).query(pieces, predicate="intersects")
        crossed[piece] = True
    return crossed
