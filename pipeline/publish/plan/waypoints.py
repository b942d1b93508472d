"""Places of a plan for maps on phones: `plan.gpx` and `plan.kml`.

Does not belong here: which places there are (`stops.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import shapely

from pipeline.publish.plan.stops import PlanAbout, Stop, hours, name_of, phrase
from pipeline.schema import texts
from pipeline.sources.values import printable

_GPX = "http://www.topografix.com/GPX/1/1"


def write_gpx(path: Path, stops: Sequence[Stop], about: PlanAbout) -> None:
    """Write GPX 1.1: a waypoint per place whose position is known."""
    ET.register_namespace("", _GPX)
    root = ET.Element(f"{{{_GPX}}}gpx", {"version": "1.1", "creator": "lomsong"})
    metadata = ET.SubElement(root, f"{{{_GPX}}}metadata")
    _add(metadata, "name", _title(about))
    if about.notice:
        _add(metadata, "desc", printable(about.notice))
    _add(metadata, "time", f"{about.period.end:%Y-%m-%dT%H:%M:%SZ}")
    for stop in stops:
        if stop.is_placed:
            at = {"lat": f"{stop.latitude:.6f}", "lon": f"{stop.longitude:.6f}"}
            point = ET.SubElement(root, f"{{{_GPX}}}wpt", at)
            _add(point, "name", waypoint_name(stop, about.lang))
            _add(point, "desc", "\n".join(waypoint_lines(stop, about.lang)))
    ET.indent(root)
    written = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    path.write_bytes(written + b"\n")


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{_GPX}}}{name}").text = text


def write_kml(path: Path, stops: Sequence[Stop], about: PlanAbout) -> None:
    """Write KML. Google Earth shows a description as HTML, so names are escaped in it."""
    import pyogrio

    placed = [stop for stop in stops if stop.is_placed]
    lines = [waypoint_lines(stop, about.lang) for stop in placed]
    notice = [printable(about.notice)] if about.notice else []
    table = gpd.GeoDataFrame(
        {
            "Name": [waypoint_name(stop, about.lang) for stop in placed],
            "Description": [escape("\n".join([*own, *notice]), quote=False) for own in lines],
        },
        geometry=[shapely.Point(stop.longitude, stop.latitude) for stop in placed],
        crs="EPSG:4326",
    ).astype({"Name": "str", "Description": "str"})
    pyogrio.write_dataframe(table, path, driver="KML", layer="plan", geometry_type="Point")


def _title(about: PlanAbout) -> str:
    parts = (phrase("title", about.lang), printable(about.area), str(about.period))
    return " – ".join(part for part in parts if part)


def waypoint_name(stop: Stop, lang: texts.Lang) -> str:
    """Trip and number, village, commune: `3/2 Nà Tăm – Xã Bình Lư`."""
    label = stop.label if "-" in stop.label else f"{stop.trip}-{stop.label}"
    return f"{label} {name_of(stop, lang)} – {stop.commune_name}"


def waypoint_lines(stop: Stop, lang: texts.Lang) -> list[str]:
    """Commune, and a line per operator: phones needed and hours."""
    lines = [f"{stop.commune_name} ({stop.commune_code})"]
    if stop.is_replacement:
        lines.append(phrase("for_place", lang, place=stop.label.rstrip("*")))
    for operator, count in stop.needs.items():
        parts = (phrase("phones", lang, count=count), hours(stop.windows[operator], lang))
        lines.append(f"{operator}: " + ", ".join(part for part in parts if part))
    return lines
