"""Sites as points: the layer of GIS packs, `sites.gpkg` and `sites.kml`.

Does not belong here: which sites are chosen (`actions/sites/`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from pipeline.publish import gis_package
from pipeline.publish.gap_map import palette
from pipeline.publish.sites.about import SitesAbout, phrase
from pipeline.publish.village_lists import abgr
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.columns import FIELDS
from pipeline.schema.fields import SITE_STATES

LAYER = "sites"
_LINES = (
    "site_rank", "site_state", "site_id", "operator", "site_action", "commune_code", "place_name",
    "people_in_reach", "people_short", "person_gap_closed", "person_gap_closed_lo",
    "person_gap_closed_hi", "cost", "cumulative_closed", "cumulative_cost",
)  # fmt: skip


def site_layer(plan: pd.DataFrame) -> gpd.GeoDataFrame:
    """`site_plan` as points, EPSG:4326; a row per site and operator."""
    at = gpd.points_from_xy(plan["site_longitude"], plan["site_latitude"], crs="EPSG:4326")
    return gpd.GeoDataFrame(plan, geometry=at)


def write_site_package(path: Path, plan: pd.DataFrame, about: SitesAbout) -> None:
    """Write a GeoPackage with the layer `sites` and headings and meanings of its columns."""
    layer = site_layer(plan)
    layers = {LAYER: layer.assign(notice=about.notice) if about.notice else layer}
    gis_package.write_layers(path, layers)
    gis_package.write_comments(path, layers, about.lang)
    gis_package.write_times(path, about.period.end)


def site_kml(plan: pd.DataFrame, lang: texts.Lang, *, title: str, notice: str) -> str:
    """KML of points: a folder of chosen sites and one of runners-up, a placemark per operator.

    Google Earth shows a description as HTML, so names are escaped in it once more. No pin needs a
    picture from elsewhere.
    """
    styles = "".join(
        f'<Style id="{key}"><IconStyle><color>{abgr(mark.fill)}</color></IconStyle></Style>\n'
        for key, mark in palette.SITE_MARKS.items()
    )
    folders = "".join(
        _folder(state, plan[plan["site_state"] == state], lang, notice) for state in SITE_STATES
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2">\n'
        f"<Document><name>{escape(title)}</name>"
        f"<description>{escape(phrase('modelled', lang))}</description>\n"
        f"{styles}{folders}</Document>\n</kml>\n"
    )


def _folder(state: str, rows: pd.DataFrame, lang: texts.Lang, notice: str) -> str:
    marks = "".join(_placemark(row, lang, notice) for row in rows.to_dict("records"))
    return f"<Folder><name>{escape(texts.word(state, lang))}</name>\n{marks}</Folder>\n"


def _placemark(row: Mapping[Hashable, Any], lang: texts.Lang, notice: str) -> str:
    lines = [f"{heading(name, lang)}: {escape(shown(name, row[name], lang))}" for name in _LINES]
    lines += [phrase("modelled", lang)]
    lines += [f"{heading('notice', lang)}: {escape(notice)}"] if notice else []
    at = {name: f"{row[name]:.6f}" for name in ("site_longitude", "site_latitude")}
    data = "".join(f'<Data name="{name}"><value>{v}</value></Data>' for name, v in at.items())
    rank = "" if pd.isna(row["site_rank"]) else f"{row['site_rank']}. "
    action = texts.word_or_own(str(row["site_action"]), lang)
    name = f"{rank}{row['site_id']} ({row['commune_name']}) – {row['operator']}: {action}"
    return (
        f"<Placemark><name>{escape(name)}</name><styleUrl>#{row['site_state']}</styleUrl>"
        f"<description>{escape(chr(10).join(lines))}</description>"
        f"<ExtendedData>{data}</ExtendedData>"
        f"<Point><coordinates>{','.join(at.values())}</coordinates></Point></Placemark>\n"
    )


def shown(name: str, value: object, lang: texts.Lang) -> str:
    """A value of `site_plan` as people read it; – where there is none."""
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return "–"
    if isinstance(value, bool):
        return texts.word("yes" if value else "no", lang)
    if isinstance(value, int | float):
        return texts.number(value, lang, 1 if FIELDS[name].shown == "tenth" else 0)
    return texts.word_or_own(str(value), lang) if FIELDS[name].values else str(value)
