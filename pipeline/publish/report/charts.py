"""Pictures of the report: two maps, the months, and one page for chat.

Does not belong here: how a map is drawn (`publish/picture.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.publish.about import About, MapLabel
from pipeline.publish.picture import (
    LegendRow,
    class_keys,
    draw_map,
    draw_swatch,
    legend_rows,
    png_of,
)
from pipeline.publish.report.words import said
from pipeline.schema import texts
from pipeline.schema.fields import ALL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
KNOWN = ("confirmed_gap", "probable_gap", "meets_target")


def status_map(
    communes: gpd.GeoDataFrame, tables: Mapping[str, pd.DataFrame], about: About
) -> bytes:
    """PNG: communes by verdict with a legend below."""
    lang = about.lang
    keys, order = class_keys(tables)
    return _map(communes, keys, legend_rows(keys, order, lang), about.labels)


def evidence_map(
    communes: gpd.GeoDataFrame, tables: Mapping[str, pd.DataFrame], about: About
) -> bytes:
    """PNG: communes by how many of their operators have a verdict."""
    lang, status = about.lang, tables["commune_status"]
    named = status[status["operator"] != ALL]
    rows = named if len(named) else status
    share = rows["status"].isin(KNOWN).groupby(rows["commune_code"]).mean()
    kinds = np.select([share == 1, share > 0], ["known_all", "known_some"], default="known_none")
    keys = pd.Series(kinds, index=share.index)
    counts = keys.value_counts()
    order = ("known_all", "known_some", "known_none")
    listed = [LegendRow(key, said(key, lang), int(counts.get(key, 0))) for key in order]
    return _map(communes, keys, listed, about.labels)


def _map(
    communes: gpd.GeoDataFrame,
    keys: pd.Series,
    rows: Sequence[LegendRow],
    labels: Sequence[MapLabel],
) -> bytes:
    def draw(figure: Figure) -> None:
        draw_map(figure.add_axes((0.01, 0.2, 0.98, 0.79)), communes, keys, labels)
        axes = figure.add_axes((0.01, 0.0, 0.98, 0.19))
        axes.set_xlim(0, 100)
        axes.set_ylim(100, 0)
        axes.axis("off")
        for number, row in enumerate(rows):
            x, y = 50 * (number % 2), 18 + 32 * (number // 2)
            draw_swatch(axes, row.key, (x, y - 9), 5, 18)
            axes.text(x + 6.5, y, f"{row.name}: {row.count}", fontsize=8.5, va="center")

    return png_of(draw, (6.3, 5.0), DPI)


def trend_chart(tables: Mapping[str, pd.DataFrame], lang: texts.Lang) -> bytes:
    """PNG: valid tests (bars) and devices (line) of the whole area by month."""
    tracker = tables["sample_tracker"]
    months = tracker.groupby("month")[["test_count", "device_count"]].sum()
    labels = [f"{m[5:]}/{m[:4]}" for m in months.index]

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.13, 0.2, 0.74, 0.72))
        axes.bar(
            labels,
            months["test_count"],
            color="#97c3e5",
            edgecolor="#4a4a4a",
            linewidth=0.6,
            width=0.6,
        )
        axes.set_ylabel(said("tests_axis", lang), fontsize=8.5)
        axes.set_ylim(0, max(1.0, 1.15 * float(months["test_count"].max())))
        for i, count in enumerate(months["test_count"]):
            axes.annotate(
                texts.number(count, lang),
                (i, 0),
                (0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        other = axes.twinx()
        other.plot(labels, months["device_count"], color="#a83c08", marker="o", linewidth=1.6)
        other.set_ylabel(said("devices_axis", lang), fontsize=8.5, color="#a83c08")
        other.set_ylim(0, max(1.0, 1.3 * float(months["device_count"].max())))
        for one in (axes, other):
            one.tick_params(labelsize=8)
            one.spines["top"].set_visible(False)
            one.yaxis.set_major_formatter(lambda value, _: texts.number(value, lang))
        if len(labels) > 8:
            axes.tick_params(axis="x", labelrotation=45)

    return png_of(draw, (6.3, 2.7), DPI)


def summary_page(
    communes: gpd.GeoDataFrame,
    tables: Mapping[str, pd.DataFrame],
    about: About,
    lines: Sequence[str],
) -> bytes:
    """PNG, a portrait page for chat: title, map, the report's main sentences."""
    import textwrap

    lang = about.lang
    keys, order = class_keys(tables)
    rows = legend_rows(keys, order, lang)

    def draw(figure: Figure) -> None:
        title = f"{texts.word('picture_title', lang)} – {about.area}"
        figure.text(0.05, 0.965, title, fontsize=15, fontweight="bold", va="center")
        target = f"{texts.number(about.target_mbps, lang)} Mbps"
        when = f"{about.technology} · {about.period_label} · {target}"
        figure.text(0.05, 0.938, when, fontsize=10.5, va="center")
        figure.text(
            0.95,
            0.938,
            about.notice,
            fontsize=8.5,
            color="#5c1a06",
            fontweight="bold",
            va="center",
            ha="right",
        )
        draw_map(figure.add_axes((0.05, 0.52, 0.9, 0.4)), communes, keys, about.labels)
        axes = figure.add_axes((0.05, 0.02, 0.9, 0.49))
        axes.set_xlim(0, 100)
        axes.set_ylim(100, 0)
        axes.axis("off")
        y = 4.0
        for row in rows:
            draw_swatch(axes, row.key, (0, y - 1.6), 5, 3.2)
            axes.text(7, y, f"{row.name}: {row.count}", fontsize=9.5, va="center")
            y += 4.6
        y += 2
        for line in lines:
            wrapped = textwrap.wrap(line, 98)
            axes.text(0, y, "\n".join(wrapped), fontsize=8.8, va="top", linespacing=1.35)
            y += 3.5 * len(wrapped) + 2.2

    return png_of(draw, (7.0, 9.9), DPI)
