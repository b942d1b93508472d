"""The curve of a plan of sites: person gap closed by money, or by number of sites.

Does not belong here: which sites are chosen and in what order (`actions/sites/`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pipeline.publish.picture import png_of
from pipeline.publish.sites.about import phrase
from pipeline.schema import texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
COLUMNS = ["closed", "lo", "hi"]


def curve_points(plan: pd.DataFrame) -> pd.DataFrame:
    """`at`, COLUMNS: from nothing to the last chosen site, one row per site.

    `at`: cost so far; the number of sites where no costs are known.
    """
    rows = plan[plan["site_state"] == "chosen"].drop_duplicates("site_rank")
    rows = rows.sort_values("site_rank")
    is_priced = has_costs(plan)
    points = pd.DataFrame(
        {
            "at": rows["cumulative_cost" if is_priced else "site_rank"].astype("float64"),
            "closed": rows["cumulative_closed"],
            "lo": rows["cumulative_closed_lo"],
            "hi": rows["cumulative_closed_hi"],
        }
    )
    start = pd.DataFrame([[0.0] * 4], columns=points.columns)
    return pd.concat([start, points], ignore_index=True) if len(points) else start


def has_costs(plan: pd.DataFrame) -> bool:
    """Whether the costs of the chosen sites are known."""
    return bool(plan.loc[plan["site_state"] == "chosen", "cumulative_cost"].notna().any())


def site_curve(plan: pd.DataFrame, lang: texts.Lang, currency: str) -> bytes:
    """PNG: cumulative person gap closed with its range; no time of writing in it."""
    points = curve_points(plan)
    along = phrase("curve_count", lang)
    if has_costs(plan):
        along = phrase("curve_money", lang) + (f" ({currency})" if currency else "")

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.13, 0.17, 0.83, 0.68))
        axes.fill_between(
            points["at"], points["lo"], points["hi"], color="#c3dcf1", linewidth=0,
            label=phrase("curve_band", lang),
        )  # fmt: skip
        axes.plot(
            points["at"], points["closed"], color="#a83c08", marker="o", markersize=3.5,
            linewidth=1.6, label=phrase("curve_closed", lang),
        )  # fmt: skip
        axes.set_xlabel(along, fontsize=8.5)
        axes.set_ylabel(phrase("curve_people", lang), fontsize=8.5)
        axes.set_xlim(0, max(1e-9, 1.05 * float(points["at"].max())) if len(points) > 1 else 1)
        axes.set_ylim(0, max(1.0, 1.1 * float(points["hi"].max())))
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: texts.short_number(value, lang))
        axes.legend(loc="upper left", fontsize=8, frameon=False, bbox_to_anchor=(0, 1.16), ncols=2)
        if len(points) == 1:
            axes.text(0.5, 0.5, phrase("curve_none", lang), fontsize=9, ha="center",
                      transform=axes.transAxes)  # fmt: skip
        figure.text(0.985, 0.015, phrase("modelled", lang), fontsize=6.5, ha="right")

    return png_of(draw, (6.3, 3.4), DPI)
