"""`site_plan`, `site_reach`, `site_questions` → the report's section on sites.

Every figure is the tables'. Does not belong here: which sites are chosen (`actions/sites/`), how a
block looks (`document.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from pipeline.publish.report.blocks import Block, Heading, Picture, Sheet
from pipeline.publish.report.content import Content
from pipeline.publish.report.words import said
from pipeline.publish.sites.curve import has_costs, site_curve
from pipeline.schema import texts
from pipeline.schema.column_labels import heading

MOST_SITES, MOST_NAMES = 20, 5
_COLUMNS = ("site_rank", "site_id", "commune_name", "operator", "site_action", "people_in_reach",
            "person_gap_closed", "cost", "cumulative_closed")  # fmt: skip
_WIDTHS_CM = [1.0, 1.6, 2.6, 1.9, 2.1, 1.5, 2.3, 1.5, 1.5]


def site_blocks(content: Content, tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    """Totals, how much rests on confirmed gaps, what to measure first, Table 9 and the curve."""
    lang, plan = content.lang, tables["site_plan"]
    chosen = plan[plan["site_state"] == "chosen"].sort_values(["site_rank", "operator"])
    blocks: list[Block] = [Heading(said("h_sites", lang)), content.say("s_modelled")]
    if chosen.empty:
        return [*blocks, content.say("s_none"), _questions(content, tables.get("site_questions"))]
    last = chosen.iloc[-1]
    figures = {"closed": "", "low": "_lo", "high": "_hi"}
    shown = {key: float(last[f"cumulative_closed{end}"]) for key, end in figures.items()}
    blocks.append(content.say("s_total", count=int(last["site_rank"]), **shown))
    if has_costs(plan):
        cost = _money(last["cumulative_cost"], lang)
        blocks.append(content.say("s_cost", cost=cost, currency=content.about.currency))
    reach = tables["site_reach"]
    is_sure = reach["status"] == "confirmed_gap"
    sure, rest = (float(reach.loc[of, "person_gap_closed"].sum()) for of in (is_sure, ~is_sure))
    blocks += [
        content.say("s_sure", sure=sure, rest=rest),
        _questions(content, tables.get("site_questions")),
        _sheet(content, chosen),
        Picture(site_curve(plan, lang, content.about.currency), said("f_sites", lang), 13.0),
    ]
    return blocks


def _questions(content: Content, questions: pd.DataFrame | None) -> Block:
    """The units whose verdict may change the plan, the most valuable first; None: none asked."""
    if questions is None:
        return content.say("s_no_measure")
    first = questions[questions["changes_plan"]].head(MOST_NAMES)
    if first.empty:
        return content.say("s_no_measure")
    named = [
        said(
            "s_unit", content.lang, commune=row["commune_name"], operator=row["operator"],
            value=content.number(row["value_of_knowing"]),
        )
        for row in first.to_dict("records")
    ]  # fmt: skip
    return content.say("s_measure", names="; ".join(named))


def _sheet(content: Content, chosen: pd.DataFrame) -> Sheet:
    """Table 9: the first chosen sites, a row per operator."""
    lang = content.lang
    rows = [_row(content, row) for row in chosen.head(MOST_SITES).to_dict("records")]
    names = _COLUMNS if has_costs(chosen) else tuple(n for n in _COLUMNS if n != "cost")
    kept = [_COLUMNS.index(name) for name in names]
    caption = said(
        "t_sites", lang, shown=content.number(len(rows)), all=content.number(len(chosen))
    )
    return Sheet(
        "sites",
        caption,
        [heading(name, lang) for name in names],
        [[row[at] for at in kept] for row in rows],
        [_WIDTHS_CM[at] for at in kept],
        frozenset(at for at, name in enumerate(names) if name in ("site_rank", *_COLUMNS[5:])),
    )


def _row(content: Content, row: Mapping[Hashable, Any]) -> list[str]:
    low, high = (content.number(row[f"person_gap_closed_{end}"]) for end in ("lo", "hi"))
    place = row["place_name"] if pd.notna(row["place_name"]) else ""
    return [
        content.number(row["site_rank"]),
        row["site_id"],
        " – ".join(part for part in (row["commune_name"], place) if part),
        row["operator"],
        texts.word_or_own(row["site_action"], content.lang),
        content.number(row["people_in_reach"]),
        f"{content.number(row['person_gap_closed'])} ({low}–{high})",
        _money(row["cost"], content.lang),
        content.number(row["cumulative_closed"]),
    ]


def _money(value: float, lang: texts.Lang) -> str:
    return "–" if pd.isna(value) else texts.number(float(value), lang, 1)
