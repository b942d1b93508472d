"""The interactive map: one HTML file that works from a USB stick, with folium as the author's library.

Does not belong here: deciding anything; what is not in the published tables is not on the map.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import jinja2
import pandas as pd

from pipeline import texts
from pipeline.publish.gap_map import palette
from pipeline.publish.gap_map.offline_map import CommuneLayer, OfflineMap, Panel
from pipeline.publish.gap_map.page_data import TOP, page_data, page_texts, simplified


def write_map(
    path: Path,
    communes: gpd.GeoDataFrame,
    tables: Mapping[str, pd.DataFrame],
    operators: list[str],
    about: Mapping[str, Any],
    lang: texts.Lang,
) -> None:
    """Write the map of one period.

    `about`: area, period, period_label, target_mbps, technology, window_months, min_devices, bounds (the pair), notice,
    licences. Raises `RemoteReference` where the page would need a network (ours to mend).
    """
    data = page_data(communes, tables, operators, about, lang)
    text = page_texts(lang)
    title = " – ".join(part for part in (text["title"], about["area"], about["period_label"], about["notice"]) if part)
    west, south, east, north = (round(float(v), 5) for v in communes.total_bounds)
    page = OfflineMap([[south, west], [north, east]], lang=lang, title=title, label=text["map_label"])
    page.add_child(CommuneLayer(simplified(communes)))
    page.add_child(Panel(_markup(data, about, text, lang), _file("style.css"), _file("script.js"), _json(data)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.text(), encoding="utf-8", newline="\n")


def _markup(data: dict[str, Any], about: Mapping[str, Any], text: dict[str, str], lang: texts.Lang) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = lambda value, digits=0: "–" if value is None else texts.number(value, lang, digits)
    template = environment.from_string(_file("template.html"))
    return template.render(
        about=about,
        t=text,
        operators=data["operators"],
        top=data["top"][:TOP],
        word=lambda key: texts.word(key, lang),
        outside=palette.OUTSIDE,
    )


def _json(data: dict[str, Any]) -> str:
    """JSON that can stand inside a script element: no `<`, `>`, `&` and no line separators of JavaScript."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _file(name: str) -> str:
    return files("pipeline.publish.gap_map").joinpath(name).read_text(encoding="utf-8")
