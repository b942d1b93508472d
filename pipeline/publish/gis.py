"""The GIS pack: GeoPackage with its styles, a QGIS project, KML of gap areas, villages and sites.

Does not belong here: what is in a table; how QGIS writes a style (`qgis_styles.py`).
"""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Hashable, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from pipeline.publish import gis_package, qgis_styles
from pipeline.publish.about import About
from pipeline.publish.outlines import gap_outlines
from pipeline.publish.sites.points import site_kml, site_layer
from pipeline.publish.village_lists import shown_villages, village_kml
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.columns import FIELDS, PUBLISHED_AS
from pipeline.schema.fields import ALL
from pipeline.schema.month import Month

VILLAGES, SITES = "village_status", "site_plan"


def write(folder: Path, month: Month, about: About) -> None:
    """Write coverage_gaps.gpkg, .qgz and .kml into `folder`.

    Also villages.kml and sites.kml, where there are any.
    """
    folder.mkdir(parents=True, exist_ok=True)
    operators, lang, notice, created = month.operators, about.lang, about.notice, about.created
    layers = {
        name: _noticed(layer, notice)
        for name, layer in layers_of(month.tables, month.communes).items()
    }
    path = folder / "coverage_gaps.gpkg"
    gis_package.write_layers(path, layers)
    first = operators[0] if operators else ALL
    styles = {name: qgis_styles.style(name, layer, lang) for name, layer in layers.items()}
    gis_package.write_comments(path, layers, lang)
    _write_styles(path, styles, created)
    said = (texts.word("sheet_title", lang), about.area, about.period_label, notice)
    title = " – ".join(part for part in said if part)
    project = qgis_styles.project(
        title,
        path.name,
        {name: (layers[name], styles[name]) for name in gis_package.in_order(layers)},
        lang,
        first,
    )
    _write_project(folder / "coverage_gaps.qgz", project)
    _write_kml(folder / "coverage_gaps.kml", layers["gap_areas"], lang)
    if VILLAGES in month.tables:
        rows = shown_villages(month.tables[VILLAGES])
        text = village_kml(rows, operators, lang, title=title, notice=notice)
        (folder / "villages.kml").write_text(text, encoding="utf-8", newline="\n")
    if SITES in month.tables:
        text = site_kml(month.tables[SITES], lang, title=title, notice=notice)
        (folder / "sites.kml").write_text(text, encoding="utf-8", newline="\n")


def layers_of(
    tables: Mapping[str, pd.DataFrame], communes: gpd.GeoDataFrame
) -> dict[str, gpd.GeoDataFrame]:
    """The pack's layers, EPSG:4326: the published tables with an outline.

    `hexes` and `communes` have one row per operator. `villages` and `sites`: points, a row per
    operator, only where there is `village_status`, `site_plan`.
    """
    outline = communes[["commune_code", "geometry"]]
    hexes = gpd.GeoDataFrame(tables["hex_status"].rename(columns=PUBLISHED_AS))
    areas = tables["gap_areas"]
    about = tables["commune_summary"][["commune_code", "gap_class", "population", "area_km2"]]
    status = tables["commune_status"].merge(about, on="commune_code")
    sites = {"sites": site_layer(tables[SITES])} if SITES in tables else {}
    return (
        sites
        | _village_layer(tables)
        | {
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
    )


def _village_layer(tables: Mapping[str, pd.DataFrame]) -> dict[str, gpd.GeoDataFrame]:
    if VILLAGES not in tables:
        return {}
    rows = tables[VILLAGES].rename(columns=PUBLISHED_AS)
    at = gpd.points_from_xy(rows["village_longitude"], rows["village_latitude"], crs="EPSG:4326")
    return {"villages": gpd.GeoDataFrame(rows, geometry=at)}


def _noticed(layer: gpd.GeoDataFrame, notice: str) -> gpd.GeoDataFrame:
    return layer.assign(notice=notice) if notice else layer


def _write_styles(path: Path, styles: Mapping[str, str], created: datetime) -> None:
    """Add the table `layer_styles`, from which QGIS takes a layer's style when it opens it.

    Every time in the file becomes `created`.
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
        stamp = gis_package.stamp(created)
        base.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
            "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner, "
            "ui, update_time) VALUES ('', '', ?, 'geom', 'lomsong', ?, '', 1, '', '', NULL, ?)",
            [(name, styles[name], stamp) for name in gis_package.in_order(styles)],
        )
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, "
            "last_change, srs_id) VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?, 0)",
            (stamp,),
        )
    base.close()
    gis_package.write_times(path, created)


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
