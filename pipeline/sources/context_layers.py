"""What surrounds people: schools and health posts, main roads, terrain.

Read from any vector file or elevation raster.

Does not belong here: people (`population.py`), what any of it weighs (`prioritise.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.schema.errors import Fault, fault
from pipeline.sources.rasters import zones_on


def facilities_per_commune(
    communes: gpd.GeoDataFrame, path: Path, *, kind_column: str | None, kinds: Sequence[str]
) -> tuple[pd.Series, list[Fault]]:
    """Facilities by `commune_code` (0 where there is none), and warnings.

    Warnings say how many lie outside every commune.

    Any geometry; an area or line counts at its representative point. `kinds`: values of
    `kind_column` that count; none: all. On a shared border the smaller code has it. Raises
    `UserFault`.
    """
    rows = _vector(path, kind_column, kinds)
    points = shapely.point_on_surface(rows.geometry.to_numpy())
    facility, commune = shapely.STRtree(communes.geometry.to_numpy()).query(
        points, predicate="intersects"
    )
    codes = communes["commune_code"].to_numpy()[commune]
    first = pd.Series(codes).groupby(facility).min()
    counts = first.value_counts().reindex(communes["commune_code"], fill_value=0).astype("float64")
    outside = len(points) - len(first)
    warnings = (
        [Fault("facilities_outside", path.name, values={"found": outside, "count": len(points)})]
        if outside
        else []
    )
    return counts, warnings


def main_roads(path: Path, *, class_column: str | None, classes: Sequence[str]) -> np.ndarray:
    """Lines of the main roads, EPSG:4326.

    `classes`: values of `class_column` that count as main; none: all.
    """
    return np.asarray(_vector(path, class_column, classes).geometry.to_numpy())


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


def _vector(path: Path, column: str | None, wanted: Sequence[str]) -> gpd.GeoDataFrame:
    if not path.exists():
        raise fault("missing_file", path)
    try:
        rows = gpd.read_parquet(path) if path.suffix.lower() == ".parquet" else gpd.read_file(path)
    except Exception as error:  # noqa: BLE001 - whatever GDAL and pyarrow raise
        found = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise fault(
            "unreadable_file",
            path.name,
            found=found,
            expected="GeoJSON, GeoPackage, Shapefile, GeoParquet",
        ) from None
    if not isinstance(rows, gpd.GeoDataFrame) or not len(rows):
        raise fault("empty_file", path.name)
    if rows.crs is None:
        raise fault("no_crs", path.name)
    if column is not None and column not in rows.columns:
        raise fault(
            "missing_column",
            path.name,
            column=column,
            found=[c for c in rows.columns if c != "geometry"],
            ours="kind",
        )
    if column is not None and wanted:
        rows = rows[rows[column].astype("str").isin([str(v) for v in wanted])]
    return rows[rows.geometry.notna() & ~rows.geometry.is_empty].to_crs("EPSG:4326")
