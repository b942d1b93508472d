"""The map as a picture: communes by verdict, a legend with counts, the first priorities.

Colours and hatches are those of the page. For chat, e-mail, the report, and readers without
script. Does not belong here: what a verdict is, the interactive map.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.publish.about import About, MapLabel
from pipeline.publish.gap_map import palette
from pipeline.schema import texts
from pipeline.schema.fields import ALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

WIDTH_PX, HEIGHT_PX, DPI = 1600, 1000, 160
COLOURS = 128  # of the PNG's palette: enough for flat colours and smooth edges
_STEPS_OF_EXTENT = 3000  # outlines are simplified by one step, well below a pixel


@dataclass(frozen=True)
class Captions:
    """Texts around the map."""

    title: str
    subtitle: str
    notice: str
    lines: Sequence[str]  # a heading and its list, below the legend
    foot: str


@dataclass(frozen=True)
class LegendRow:
    """One class of communes."""

    key: str  # of its paint
    name: str
    count: int  # of communes


def class_keys(tables: Mapping[str, pd.DataFrame]) -> tuple[pd.Series, list[str]]:
    """(paint key by commune_code, keys in the legend's order).

    Keys are gap classes, or pooled verdicts where there are no operators (tiles).
    """
    summary, status = tables["commune_summary"], tables["commune_status"]
    if status["operator"].ne(ALL).any():
        return summary.set_index("commune_code")["gap_class"], list(palette.CLASS_PAINT)
    pooled = status.set_index("commune_code")
    found = [
        palette.verdict(s, e) for s, e in zip(pooled["status"], pooled["evidence"], strict=True)
    ]
    return pd.Series(found, index=pooled.index), list(palette.STATUS_PAINT)


def legend_rows(keys: pd.Series, order: Sequence[str], lang: texts.Lang) -> list[LegendRow]:
    """The classes with their names and counts."""
    counts = keys.value_counts()
    return [LegendRow(key, texts.word(key, lang), int(counts.get(key, 0))) for key in order]


def verdict_picture(
    communes: gpd.GeoDataFrame, tables: Mapping[str, pd.DataFrame], about: About
) -> bytes:
    """PNG of the communes by `gap_class`, or by the pooled verdict where there are no operators."""
    lang = about.lang
    keys, order = class_keys(tables)
    names = (texts.word("picture_title", lang), about.area)
    target = f"{texts.number(about.target_mbps, lang)} Mbps"
    lines = _priority_lines(tables["priorities"], lang)
    captions = Captions(
        title=" – ".join(name for name in names if name),
        subtitle=f"{about.technology} · {about.period_label} · {target} · {about.window_label}",
        notice=about.notice,
        lines=[texts.word("picture_top", lang), *lines] if lines else [],
        foot=" · ".join(about.licence_lines(lang)),
    )
    return map_picture(communes, keys, legend_rows(keys, order, lang), captions, about.labels)


def _priority_lines(priorities: pd.DataFrame, lang: texts.Lang) -> list[str]:
    """The first five priorities, without those whose speed is not shown."""
    return [
        f"{row['need_rank']}. {row['commune_name']} · {row['operator']} · "
        f"{texts.number(row['mean_mbps'], lang, 1)} Mbps"
        for row in priorities.sort_values("need_rank").head(5).to_dict("records")
        if pd.notna(row["mean_mbps"])
    ]


def map_picture(
    communes: gpd.GeoDataFrame,
    keys: pd.Series,
    rows: Sequence[LegendRow],
    captions: Captions,
    labels: Sequence[MapLabel],
) -> bytes:
    """PNG of WIDTH_PX x HEIGHT_PX. `keys`: of paints, by commune_code."""

    def draw(figure: Figure) -> None:
        draw_map(figure.add_axes((0.015, 0.07, 0.655, 0.79)), communes, keys, labels)
        _draw_legend(figure.add_axes((0.69, 0.07, 0.3, 0.79)), rows, captions.lines)
        figure.text(0.015, 0.945, captions.title, fontsize=15, fontweight="bold", va="center")
        figure.text(0.015, 0.893, captions.subtitle, fontsize=10.5, va="center")
        notice = figure.text(0.985, 0.945, captions.notice, fontsize=10, va="center", ha="right")
        notice.set(fontweight="bold", color="#5c1a06")
        foot = _cut(captions.foot, 190)
        figure.text(0.015, 0.033, foot, fontsize=6.5, color="#595959", va="center")

    return png_of(draw, (WIDTH_PX / DPI, HEIGHT_PX / DPI), DPI, paper="#fbfaf7")


def png_of(
    draw: Callable[[Figure], None],
    size_inch: tuple[float, float],
    dpi: int,
    *,
    paper: str = "#ffffff",
) -> bytes:
    """PNG of what `draw` puts on a figure of matplotlib: COLOURS colours, no time of writing."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    # hatch.linewidth is read when the canvas is drawn
    with mpl.rc_context(
        {"font.family": "DejaVu Sans", "hatch.linewidth": 1.6, "text.parse_math": False}
    ):
        figure = Figure(figsize=size_inch, dpi=dpi, facecolor=paper)
        draw(figure)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    written = io.BytesIO()
    small = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(written, "PNG", optimize=True, dpi=(dpi, dpi))
    return written.getvalue()


def draw_swatch(
    axes: Axes, key: str, corner: tuple[float, float], width: float, height: float
) -> None:
    """Draw a class's fill and pattern in a box with a thin outline."""
    from matplotlib.patches import Rectangle

    paint = palette.paint(key)
    hatch, ink = palette.HATCHES[paint.pattern]
    axes.add_patch(
        Rectangle(
            corner, width, height, facecolor=paint.fill, edgecolor=ink, hatch=hatch, linewidth=0
        )
    )
    axes.add_patch(
        Rectangle(corner, width, height, facecolor="none", edgecolor="#77736a", linewidth=0.7)
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def draw_map(
    axes: Axes, communes: gpd.GeoDataFrame, keys: pd.Series, labels: Sequence[MapLabel]
) -> None:
    """Draw the communes in their paints, with outlines and the settings' labels."""
    from matplotlib.collections import PathCollection

    west, south, east, north = (float(v) for v in communes.total_bounds)
    shapes = communes.geometry.to_numpy()
    tolerance = max(east - west, north - south) / _STEPS_OF_EXTENT
    shapes = shapely.simplify(shapes, tolerance)
    key_of = keys.reindex(communes["commune_code"]).to_numpy()
    for key in dict.fromkeys(key_of):
        paint = palette.paint(key)
        hatch, ink = palette.HATCHES[paint.pattern]
        paths = [shape_path(shape) for shape in shapes[key_of == key]]
        axes.add_collection(
            PathCollection(paths, facecolor=paint.fill, edgecolor=ink, hatch=hatch, linewidth=0)
        )
    width = 0.6 if len(communes) < 400 else 0.2
    axes.add_collection(
        PathCollection(
            [shape_path(s) for s in shapes], facecolor="none", edgecolor="#4a4a4a", lw=width
        )
    )
    for label in labels:
        axes.plot(label["longitude"], label["latitude"], "o", ms=3, color="#1c1c1c")
        at = (label["longitude"], label["latitude"])
        axes.annotate(
            label["name"], at, (4, 4), textcoords="offset points", fontsize=8, style="italic"
        )
    across = [west, east, *(label["longitude"] for label in labels)]
    along = [south, north, *(label["latitude"] for label in labels)]
    pad = 0.02 * max(max(across) - min(across), max(along) - min(along))
    axes.set_xlim(min(across) - pad, max(across) + pad)
    axes.set_ylim(min(along) - pad, max(along) + pad)
    axes.set_aspect(1 / max(0.05, math.cos(math.radians((south + north) / 2))))
    axes.set_facecolor(palette.OUTSIDE)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color("#bdbab2")


def shape_path(shape: shapely.Geometry) -> Path:
    """The rings of a shape as one path of matplotlib."""
    from matplotlib.path import Path

    parts = [
        Path(shapely.get_coordinates(ring), closed=True)
        for ring in shapely.get_rings(shapely.get_parts([shape]))
    ]
    return Path.make_compound_path(*parts) if parts else Path(np.empty((0, 2)))


def _draw_legend(axes: Axes, rows: Sequence[LegendRow], lines: Sequence[str]) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(100, 0)
    axes.axis("off")
    y = 4.0
    for row in rows:
        draw_swatch(axes, row.key, (0, y - 2.2), 9, 4.4)
        axes.text(12, y, row.name, fontsize=9, va="center")
        axes.text(99, y, str(row.count), fontsize=9, va="center", ha="right", fontweight="bold")
        y += 6.5
    y += 5
    for number, line in enumerate(lines):
        size, weight = (8.2, "normal") if number else (9, "bold")
        axes.text(0, y, _cut(line, 46), fontsize=size, fontweight=weight, va="top")
        y += 5
