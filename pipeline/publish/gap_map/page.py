"""The interactive map: one HTML file that works from a USB stick, made with folium.

Does not belong here: deciding anything; what is not in the published tables is not on the map.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import jinja2
import pandas as pd

from pipeline.publish.about import About, MapLabel
from pipeline.publish.gap_map.offline_map import CommuneLayer, OfflineMap, Panel
from pipeline.publish.gap_map.page_data import page_data, simplified
from pipeline.publish.gap_map.page_texts import page_texts
from pipeline.schema import texts

TOP = 10


def write_map(
    path: Path,
    communes: gpd.GeoDataFrame,
    tables: Mapping[str, pd.DataFrame],
    operators: list[str],
    about: About,
    picture: bytes = b"",
) -> None:
    """Write the map of one period.

    `about`: area, period, period_label, window_label, window_months, target_mbps, technology,
    min_devices, rules, labels, licences by language, notice, index (the page that links a nation's
    provinces, or ""). `picture`: a PNG for readers that run no script. Raises `RemoteReference`
    where the page would need a network.
    """
    lang, text = about.lang, page_texts(about.lang)
    data = page_data(communes, tables, operators, about)
    title = " – ".join(
        part for part in (text["title"], about.area, about.period_label, about.notice) if part
    )
    page = OfflineMap(
        _bounds(communes, about.labels), lang=lang, title=title, label=text["map_label"]
    )
    page.add_child(CommuneLayer(simplified(communes)))
    markup = _markup(data, tables["priorities"], about, text, picture)
    page.add_child(Panel(markup, _file("style.css"), _script(), _json(data)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.text(), encoding="utf-8", newline="\n")


def _bounds(communes: gpd.GeoDataFrame, labels: Sequence[MapLabel]) -> list[list[float]]:
    """[[south, west], [north, east]] of the communes and the settings' labels."""
    west, south, east, north = (float(v) for v in communes.total_bounds)
    across = [west, east, *(label["longitude"] for label in labels)]
    along = [south, north, *(label["latitude"] for label in labels)]
    return [
        [round(min(along), 5), round(min(across), 5)],
        [round(max(along), 5), round(max(across), 5)],
    ]


def _markup(
    data: dict[str, Any],
    priorities: pd.DataFrame,
    about: About,
    text: dict[str, str],
    picture: bytes,
) -> str:
    lang = about.lang
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = lambda value, digits=0: (
        "–" if pd.isna(value) else texts.number(value, lang, digits)
    )
    return environment.from_string(_file("template.html")).render(
        about=about,
        t=text,
        lang=lang,
        start=data["start"],
        operators=data["operators"],
        views=data["views"],
        villages=bool(data.get("villages")),
        sites=bool(data.get("sites")),
        top=priorities.sort_values("need_rank").head(TOP).to_dict("records"),
        word=lambda key: texts.word(key, lang),
        picture=base64.b64encode(picture).decode(),
    )


def _script() -> str:
    """The page's scripts in their order, as one.

    They share a scope of their own and nothing with Leaflet's.
    """
    folder = files("pipeline.publish.gap_map").joinpath("scripts")
    parts = sorted((p for p in folder.iterdir() if p.name.endswith(".js")), key=lambda p: p.name)
    return (
        "(function () {\n'use strict';\n"
        + "\n".join(p.read_text(encoding="utf-8") for p in parts)
        + "}());"
    )


def _json(data: dict[str, Any]) -> str:
    """JSON that can stand inside a script element.

    Without `<`, `>`, `&` and line separators of JavaScript.
    """
    text = json.dumps(
        data, ensure_ascii=False, separators=(",", ":"), sort_keys=False, allow_nan=False
    )
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _file(name: str) -> str:
    return files("pipeline.publish.gap_map").joinpath(name).read_text(encoding="utf-8")
