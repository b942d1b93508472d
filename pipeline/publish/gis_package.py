"""Layers → a GeoPackage with headings of its columns and no time of writing.

Does not belong here: what is in a layer, styles (`gis.py`).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from pipeline.schema import texts
from pipeline.schema.column_labels import heading, meaning
from pipeline.schema.columns import PUBLISHED_AS, TABLES

# in drawing order, from the top; `priorities` and `measure_first` carry the commune's outline
# `sites` and `villages`, points, only where there is a plan of sites, a list of villages
LAYERS = ("sites", "villages", "gap_areas", "hexes", "priorities", "measure_first", "communes")
POINTS = ("sites", "villages")
# columns of a layer that are published under another name
OWN: Mapping[str, tuple[str, ...]] = defaultdict(
    tuple, hexes=TABLES["hex_status"], villages=TABLES["village_status"]
)
# as the standard writes them
_DATA_COLUMNS = """CREATE TABLE gpkg_data_columns (
    table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
    mime_type TEXT, constraint_name TEXT,
    CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
    CONSTRAINT gdc_tn UNIQUE (table_name, name))"""
_DATA_COLUMN_CONSTRAINTS = """CREATE TABLE gpkg_data_column_constraints (
    constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
    min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
    CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value))"""


def in_order(layers: Mapping[str, object]) -> list[str]:
    """Names of the layers that there are, from the top."""
    return [name for name in LAYERS if name in layers]


def write_layers(path: Path, layers: Mapping[str, gpd.GeoDataFrame]) -> None:
    """Write the layers, of LAYERS, EPSG:4326: those of POINTS as points, others as polygons."""
    import pyogrio

    for name in reversed(in_order(layers)):
        shapes, is_points = layers[name].geometry.to_numpy(), name in POINTS
        layer = layers[name].set_geometry(
            shapely.force_2d(shapes if is_points else _multi(shapes)), crs="EPSG:4326"
        )
        # GeoPackage 1.2: what every QGIS 3 reads without a warning
        first: dict[str, Any] = {} if path.exists() else {"dataset_options": {"VERSION": "1.2"}}
        pyogrio.write_dataframe(
            layer,
            path,
            layer=name,
            driver="GPKG",
            geometry_type="Point" if is_points else "MultiPolygon",
            promote_to_multi=not is_points,
            append=path.exists(),
            **first,
        )


def _multi(shapes: Iterable[shapely.Geometry]) -> list[shapely.MultiPolygon]:
    return [
        shapely.MultiPolygon([p for p in shapely.get_parts([s]) if isinstance(p, shapely.Polygon)])
        for s in shapes
    ]


def write_comments(path: Path, layers: Mapping[str, gpd.GeoDataFrame], lang: texts.Lang) -> None:
    """Add headings and meanings of the columns, as GeoPackage's extension Schema keeps them."""
    rows = []
    for layer, table in layers.items():
        declared = {published: own for own, published in PUBLISHED_AS.items() if own in OWN[layer]}
        for name in table.columns.drop([table.geometry.name]):
            column = declared.get(name, name)
            rows.append((layer, name, name, heading(column, lang), meaning(column, lang)))
    link = "http://www.geopackage.org/spec121/#extension_schema"
    base = sqlite3.connect(path)
    with base:
        base.execute(_DATA_COLUMNS)
        base.execute(_DATA_COLUMN_CONSTRAINTS)
        base.executemany("INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, NULL)", rows)
        base.executemany(
            "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
            [("gpkg_data_columns", link), ("gpkg_data_column_constraints", link)],
        )
    base.close()


def write_times(path: Path, created: datetime) -> None:
    """Let every time in the file be `created`, so that equal runs give equal bytes.

    GDAL has an option for it (OGR_CURRENT_DATE), which holds for everything that the process
    writes.
    """
    base = sqlite3.connect(path)
    with base:
        base.execute("UPDATE gpkg_contents SET last_change = ?", (stamp(created),))
    base.execute("VACUUM")  # what was overwritten stays in a page's free bytes otherwise
    base.close()


def stamp(created: datetime) -> str:
    """A time as GeoPackage writes it."""
    return f"{created:%Y-%m-%dT%H:%M:%S.000Z}"
