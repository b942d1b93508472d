"""The GIS pack: GeoPackage with its styles, a QGIS project, KML of gap areas and of villages.

Does not belong here: what is in a table; how QGIS writes a style (`qgis_styles.py`).
"""

from __future__ import annotations

import sqlite3
import zipfile
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from pipeline.publish import qgis_styles
from pipeline.publish.about import About
from pipeline.publish.outlines import gap_outlines
from pipeline.publish.village_lists import shown_villages, village_kml
from pipeline.schema import texts
from pipeline.schema.column_labels import heading, meaning
from pipeline.schema.columns import FIELDS, PUBLISHED_AS, TABLES
from pipeline.schema.fields import ALL
from pipeline.schema.month import Month

# in drawing order, from the top; `priorities` and `measure_first` carry the commune's outline
# `villages`, points, only where a list of villages was read
LAYERS = ("villages", "gap_areas", "hexes", "priorities", "measure_first", "communes")
# as the standard writes them
VILLAGES = "village_status"
# columns of a layer that are published under another name
OWN: Mapping[str, tuple[str, ...]] = defaultdict(
    tuple, hexes=TABLES["hex_status"], villages=TABLES[VILLAGES]
)
_DATA_COLUMNS = """CREATE TABLE gpkg_data_columns (
    table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
    mime_type TEXT, constraint_name TEXT,
    CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
    CONSTRAINT gdc_tn UNIQUE (table_name, name))"""
_DATA_COLUMN_CONSTRAINTS = """CREATE TABLE gpkg_data_column_constraints (
    constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
    min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
    CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value))"""


def write(folder: Path, month: Month, about: About) -> None:
    """Write coverage_gaps.gpkg, .qgz and .kml into `folder`; villages.kml where there are any."""
    folder.mkdir(parents=True, exist_ok=True)
    operators, lang, notice, created = month.operators, about.lang, about.notice, about.created
    layers = {
        name: _noticed(layer, notice)
        for name, layer in layers_of(month.tables, month.communes).items()
    }
    path = folder / "coverage_gaps.gpkg"
    _write_layers(path, layers)
    first = operators[0] if operators else ALL
    styles = {name: qgis_styles.style(name, layer, lang) for name, layer in layers.items()}
    _write_comments(path, layers, lang)
    _write_styles(path, styles, created)
    said = (texts.word("sheet_title", lang), about.area, about.period_label, notice)
    title = " – ".join(part for part in said if part)
    project = qgis_styles.project(
        title,
        path.name,
        {name: (layers[name], styles[name]) for name in _order(layers)},
        lang,
        first,
    )
    _write_project(folder / "coverage_gaps.qgz", project)
    _write_kml(folder / "coverage_gaps.kml", layers["gap_areas"], lang)
    if VILLAGES in month.tables:
        rows = shown_villages(month.tables[VILLAGES])
        text = village_kml(rows, operators, lang, title=title, notice=notice)
        (folder / "villages.kml").write_text(text, encoding="utf-8", newline="\n")


def _order(layers: Mapping[str, object]) -> list[str]:
    """Names of the layers that there are, from the top."""
    return [name for name in LAYERS if name in layers]


def layers_of(
    tables: Mapping[str, pd.DataFrame], communes: gpd.GeoDataFrame
) -> dict[str, gpd.GeoDataFrame]:
    """The pack's layers, EPSG:4326: the published tables with an outline.

    `hexes` and `communes` have one row per operator. `villages`: points, a row per operator,
    only where there is `village_status`.
    """
    outline = communes[["commune_code", "geometry"]]
    hexes = gpd.GeoDataFrame(tables["hex_status"].rename(columns=PUBLISHED_AS))
    areas = tables["gap_areas"]
    about = tables["commune_summary"][["commune_code", "gap_class", "population", "area_km2"]]
    status = tables["commune_status"].merge(about, on="commune_code")
    return _village_layer(tables) | {
        "gap_areas": gpd.GeoDataFrame(areas, geometry=gap_outlines(areas, hexes)),
        "hexes": hexes,
        "priorities": gpd.GeoDataFrame(
            tables["priorities"].merge(outline, on="commune_code"), crs="EPSG:4326"
        ),
        "measure_first": gpd.GeoDataFrame(
            tables["measure_first"].merge(outline, on="commune_code"), crs="EPSG:4326"
        ),
        "communes": gpd.GeoDataFrame(status.merge(outline, on="commune_code"), crs="EPSG:4326"),
    }


def _village_layer(tables: Mapping[str, pd.DataFrame]) -> dict[str, gpd.GeoDataFrame]:
    if VILLAGES not in tables:
        return {}
    rows = tables[VILLAGES].rename(columns=PUBLISHED_AS)
    at = gpd.points_from_xy(rows["village_longitude"], rows["village_latitude"], crs="EPSG:4326")
    return {"villages": gpd.GeoDataFrame(rows, geometry=at)}


def _noticed(layer: gpd.GeoDataFrame, notice: str) -> gpd.GeoDataFrame:
    return layer.assign(notice=notice) if notice else layer


def _write_layers(path: Path, layers: Mapping[str, gpd.GeoDataFrame]) -> None:
    import pyogrio

    for name in reversed(_order(layers)):
        shapes, is_points = layers[name].geometry.to_numpy(), name == "villages"
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


def _write_styles(path: Path, styles: Mapping[str, str], created: datetime) -> None:
    """Add the table `layer_styles`, from which QGIS takes a layer's style when it opens it.

    Every time in the file becomes `created`, so that equal runs give equal bytes. GDAL has an
    option for it (OGR_CURRENT_DATE), which holds for everything that the process writes.
    """
    base = sqlite3.connect(path)
    with base:
        base.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT, "
            "f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256), "
            "f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, "
            "useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), "
            "update_time DATETIME)"
        )
        stamp = f"{created:%Y-%m-%dT%H:%M:%S.000Z}"
        base.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
            "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner, "
            "ui, update_time) VALUES ('', '', ?, 'geom', 'lomsong', ?, '', 1, '', '', NULL, ?)",
            [(name, styles[name], stamp) for name in _order(styles)],
        )
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, "
            "last_change, srs_id) VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?, 0)",
            (stamp,),
        )
        base.execute("UPDATE gpkg_contents SET last_change = ?", (stamp,))
    base.execute("VACUUM")  # what was overwritten stays in a page's free bytes otherwise
    base.close()


def _write_comments(path: Path, layers: Mapping[str, gpd.GeoDataFrame], lang: texts.Lang) -> None:
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


def _write_project(path: Path, project: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(f"{path.stem}.qgs", (1980, 1, 1, 0, 0, 0))  # no clock in the file
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, project)


def _write_kml(path: Path, areas: gpd.GeoDataFrame, lang: texts.Lang) -> None:
    """Gap areas for people without GIS: name, and a line per figure.

    Google Earth shows a description as HTML, so names are escaped in it.
    """
    import pyogrio

    shown = (
        "operator",
        "state",
        "first_seen",
        "device_count",
        "mean_mbps",
        "share_devices_below_target",
        "area_km2",
        "notice",
    )

    def description(row: Mapping[Hashable, Any]) -> str:
        return "\n".join(
            f"{heading(name, lang)}: {escape(_plain(name, row[name], lang), quote=False)}"
            for name in shown
            if name in row
        )

    table = gpd.GeoDataFrame(
        {
            "Name": [
                f"{row['commune_name']} · {row['gap_id']}" for row in areas.to_dict("records")
            ],
            "Description": [description(row) for row in areas.to_dict("records")],
        },
        geometry=areas.geometry.to_numpy(),
        crs="EPSG:4326",
    ).astype({"Name": "str", "Description": "str"})
    pyogrio.write_dataframe(
        table,
        path,
        driver="KML",
        layer="gap_areas",
        geometry_type=None if len(table) else "Polygon",
    )


def _plain(name: str, value: object, lang: texts.Lang) -> str:
    if isinstance(value, float):
        if name in FIELDS and FIELDS[name].shown == "share":
            return f"{texts.number(100 * value, lang, 0)} %"
        return texts.number(value, lang, 0 if value.is_integer() else 2)
    return texts.word(str(value), lang) if name == "state" else str(value)
