"""Styles as QGIS keeps them, and the project that opens the layers.

The map's colours and hatches, people's names for columns.

Written by hand after the files that QGIS 3 saves; `make gis-check` loads both in QGIS itself. Does
not belong here: files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

import geopandas as gpd

from pipeline.publish.gap_map import palette
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.fields import ALL

WGS84 = (
    '<spatialrefsys nativeFormat="Wkt"><proj4>+proj=longlat +datum=WGS84 +no_defs</proj4>'
    "<srsid>3452</srsid><srid>4326</srid><authid>EPSG:4326</authid>"
    "<description>WGS 84</description><projectionacronym>longlat</projectionacronym>"
    "<ellipsoidacronym>EPSG:7030</ellipsoidacronym><geographicflag>true</geographicflag>"
    "</spatialrefsys>"
)
_PLAIN_RENDERER = 'symbollevels="0" enableorderby="0" forceraster="0"'
_PLAIN_SYMBOL = 'alpha="1" clip_to_extent="1" force_rhr="0"'
_POINTS = 'geometry="Point" wkbType="Point"'
_OUTLINES = 'geometry="Polygon" wkbType="MultiPolygon"'
WEAK = palette.Paint("#5c1a06")


def style(layer: str, rows: gpd.GeoDataFrame, lang: texts.Lang) -> str:
    """A layer's QML: symbols and aliases."""
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology|Fields">'
        f"{renderer(layer, lang)}{aliases(rows, lang)}</qgis>"
    )


def subset(operator: str) -> str:
    """Which of a layer's rows the project shows: those of one operator."""
    return '"operator" = \'' + operator.replace("'", "''") + "'"


def renderer(layer: str, lang: texts.Lang) -> str:
    """The categories of a layer.

    Verdicts in the map's colours, weak hexes, gap areas as outlines.
    """
    if layer == "villages":
        marks = [(key, texts.word(key, lang), mark) for key, mark in palette.VILLAGE_MARKS.items()]
        return _categorised('"village_class"', marks)
    if layer == "sites":
        marks = [(key, texts.word(key, lang), mark) for key, mark in palette.SITE_MARKS.items()]
        return _categorised('"site_state"', marks)
    if layer == "gap_areas":
        return _single(palette.Paint("#00000000"), outline="#5c1a06", width=0.8)
    if layer == "hexes":
        categories = [
            ("1", texts.word("weak_cell", lang), WEAK),
            ("0", texts.word("not_weak", lang), palette.Paint("#c3dcf1")),
        ]
        return _categorised('"is_weak"', categories)
    paints = dict(palette.STATUS_PAINT)
    expression = (
        'CASE WHEN "status" = \'meets_target\' THEN \'meets_\' || "evidence" ELSE "status" END'
    )
    if layer == "measure_first":
        expression = '"status"'
    return _categorised(
        expression, [(key, texts.word(key, lang), paint) for key, paint in paints.items()]
    )


def aliases(rows: gpd.GeoDataFrame, lang: texts.Lang) -> str:
    """People's names of the columns; the machine names stay the names."""
    columns = [c for c in rows.columns if c != rows.geometry.name]
    listed = "".join(
        f'<alias index="{number}" field={quoteattr(name)} name={quoteattr(heading(name, lang))}/>'
        for number, name in enumerate(columns, start=1)
    )
    return f"<aliases>{listed}</aliases>"


def _categorised(
    expression: str, categories: Sequence[tuple[str, str, palette.Paint | palette.Mark]]
) -> str:
    listed = "".join(
        f'<category symbol="{n}" value={quoteattr(value)} label={quoteattr(label)} render="true"/>'
        for n, (value, label, _) in enumerate(categories)
    )
    symbols = "".join(
        _marker(str(n), paint) if isinstance(paint, palette.Mark) else _symbol(str(n), paint)
        for n, (_, _, paint) in enumerate(categories)
    )
    return (
        f'<renderer-v2 type="categorizedSymbol" attr={quoteattr(expression)} {_PLAIN_RENDERER}>'
        f"<categories>{listed}</categories><symbols>{symbols}</symbols></renderer-v2>"
    )


def _single(paint: palette.Paint, outline: str, width: float) -> str:
    return (
        f'<renderer-v2 type="singleSymbol" {_PLAIN_RENDERER}>'
        f"<symbols>{_symbol('0', paint, outline, width)}</symbols></renderer-v2>"
    )


def _symbol(name: str, paint: palette.Paint, outline: str = "#4a4a4a", width: float = 0.2) -> str:
    fill = {
        "color": _rgba(paint.fill),
        "style": "no" if paint.fill.endswith("00000000") else "solid",
        "outline_color": _rgba(outline),
        "outline_style": "solid",
        "outline_width": str(width),
        "outline_width_unit": "MM",
    }
    parts = [_layer("SimpleFill", fill)]
    if paint.pattern == "hatch":
        line = _inner(
            "line",
            _layer(
                "SimpleLine",
                {"line_color": _rgba("#ffffff"), "line_width": "0.5", "line_width_unit": "MM"},
            ),
        )
        parts.append(
            _layer(
                "LinePatternFill", {"angle": "45", "distance": "1.6", "distance_unit": "MM"}, line
            )
        )
    if paint.pattern == "dots":
        dot = {
            "name": "circle",
            "color": _rgba("#6b6377"),
            "outline_style": "no",
            "size": "0.5",
            "size_unit": "MM",
        }
        point = _inner("marker", _layer("SimpleMarker", dot))
        spacing = {
            "distance_x": "1.8",
            "distance_y": "1.8",
            "distance_x_unit": "MM",
            "distance_y_unit": "MM",
        }
        parts.append(_layer("PointPatternFill", spacing, point))
    return f'<symbol type="fill" name="{name}" {_PLAIN_SYMBOL}>{"".join(parts)}</symbol>'


def _marker(name: str, mark: palette.Mark) -> str:
    """A point's symbol: white where nothing is known, smaller and with a grey line.

    Stars are modelled: larger, with a dark line.
    """
    if mark.shape == "star":
        return _star(name, mark)
    is_known = mark.fill != "#ffffff"
    options = {
        "name": mark.shape,
        "color": _rgba(mark.fill),
        "outline_style": "solid",
        "outline_color": _rgba("#ffffff" if is_known else "#77736a"),
        "outline_width": "0.3",
        "outline_width_unit": "MM",
        "size": "2.8" if is_known else "1.4",
        "size_unit": "MM",
    }
    return _point(name, options)


def _star(name: str, mark: palette.Mark) -> str:
    options = {
        "name": mark.shape,
        "color": _rgba(mark.fill),
        "outline_style": "solid",
        "outline_color": _rgba("#1c1c1c"),
        "outline_width": "0.3",
        "outline_width_unit": "MM",
        "size": "4.2",
        "size_unit": "MM",
    }
    return _point(name, options)


def _point(name: str, options: Mapping[str, str]) -> str:
    layer = _layer("SimpleMarker", options)
    return f'<symbol type="marker" name="{name}" {_PLAIN_SYMBOL}>{layer}</symbol>'


def _inner(kind: str, layer: str) -> str:
    return f'<symbol type="{kind}" name="@0@1" {_PLAIN_SYMBOL}>{layer}</symbol>'


def _layer(kind: str, options: Mapping[str, str], inner: str = "") -> str:
    # both forms: <Option> since QGIS 3.18, <prop> before
    listed = "".join(
        f'<Option type="QString" name={quoteattr(k)} value={quoteattr(v)}/>'
        for k, v in options.items()
    )
    former = "".join(f"<prop k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in options.items())
    return (
        f'<layer class="{kind}" enabled="1" locked="0" pass="0">'
        f'<Option type="Map">{listed}</Option>{former}{inner}</layer>'
    )


def _rgba(colour: str) -> str:
    digits = colour.lstrip("#")
    red, green, blue = (int(digits[i : i + 2], 16) for i in (0, 2, 4))
    return f"{red},{green},{blue},{int(digits[6:8], 16) if len(digits) == 8 else 255}"


def project(
    title: str,
    package: str,
    layers: Mapping[str, tuple[gpd.GeoDataFrame, str]],
    lang: texts.Lang,
    operator: str = ALL,
) -> str:
    """A project (.qgs) that opens the package beside it by a relative path; rows of `operator`.

    Layers from the top. Hidden at first: what would cover the verdicts.
    """
    shown = ("sites", "villages", "gap_areas", "communes")
    tree, order, maps = [], [], []
    west, south, east, north = layers["communes"][0].total_bounds
    for name, (rows, _) in layers.items():
        ident = f"lomsong_{name}"
        label = texts.word(f"layer_{name}", lang)
        source = f"./{package}|layername={name}|subset={subset(operator)}"
        state = "Qt::Checked" if name in shown else "Qt::Unchecked"
        tree.append(
            f'<layer-tree-layer id="{ident}" name={quoteattr(label)} checked="{state}" '
            f'expanded="{int(name == "communes")}" '
            f'providerKey="ogr" source={quoteattr(source)}/>'
        )
        order.append(f"<item>{ident}</item>")
        maps.append(
            f'<maplayer type="vector" {_POINTS if name in ("sites", "villages") else _OUTLINES} '
            f'autoRefreshEnabled="0"><id>{ident}</id>'
            f"<datasource>{escape(source)}</datasource><layername>{escape(label)}</layername><srs>{WGS84}</srs>"
            '<provider encoding="UTF-8">ogr</provider>'
            f"{renderer(name, lang)}{aliases(rows, lang)}</maplayer>"
        )
    extent = (
        f"<extent><xmin>{west:.5f}</xmin><ymin>{south:.5f}</ymin>"
        f"<xmax>{east:.5f}</xmax><ymax>{north:.5f}</ymax></extent>"
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        f'<qgis version="3.22.0" projectname={quoteattr(title)}><title>{escape(title)}</title>'
        f"<projectCrs>{WGS84}</projectCrs><layer-tree-group>{''.join(tree)}"
        f'<custom-order enabled="0">{"".join(order)}</custom-order></layer-tree-group>'
        f'<mapcanvas name="theMapCanvas"><units>degrees</units>{extent}<rotation>0</rotation>'
        f"<destinationsrs>{WGS84}</destinationsrs></mapcanvas>"
        f"<projectlayers>{''.join(maps)}</projectlayers>"
        '<properties><Paths><Absolute type="bool">false</Absolute></Paths></properties></qgis>'
    )
