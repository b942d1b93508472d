"""`village_status` → the report's section on villages and its annex, a list in an official form.

Every figure is the table's. Does not belong here: which class a village has
(`verdicts/villages.py`), how a block looks (`document.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from pipeline.publish.report.blocks import Annex, Block, Heading, Paragraph, Sheet
from pipeline.publish.report.content import Content
from pipeline.publish.report.words import said
from pipeline.publish.village_lists import KEY, percent, words_of
from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.fields import VILLAGE_CLASSES

MOST_SHOWN, MOST_LISTED = 10, 500
GAPS = ("no_signal", "weak", "below_target")  # classes of the annex
OFFICIAL_GAPS = ("no_signal", "weak")
_LIST_HEADS = (
    "a_number", "a_village", "a_commune", "a_households", "a_people", "a_power", "a_zone",
    "a_operator", "a_class", "a_grounds", "a_official", "a_note",
)  # fmt: skip
_LIST_CM = [0.9, 2.5, 2.7, 1.1, 1.5, 1.2, 1.5, 2.5, 2.5, 3.8, 2.1, 2.4]


def village_blocks(content: Content, villages: pd.DataFrame) -> list[Block]:
    """Villages by class and operator, by electricity and zone, visits, official classes."""
    lang, size = content.lang, int(villages["village_id"].nunique())
    blocks: list[Block] = [
        Heading(said("h_villages", lang)),
        content.say("v_scope", count=size),
        content.say("v_meaning", min_devices=content.about.min_devices),
        _classes(content, villages),
    ]
    blocks += _by_property(content, villages, "has_grid_power", "v_power")
    blocks += _by_property(content, villages, "is_difficult_zone", "v_zone")
    return [*blocks, *_visits(content, villages), *_differences(content, villages)]


def _classes(content: Content, villages: pd.DataFrame) -> Sheet:
    """Table 6: villages by class and operator."""
    lang, operators = content.lang, content.operators
    counts = pd.crosstab(villages["village_class"], villages["operator"])
    counts = counts.reindex(index=list(VILLAGE_CLASSES), columns=operators, fill_value=0)
    rows = [
        [texts.word(name, lang), *(content.number(int(counts[one][name])) for one in operators)]
        for name in VILLAGE_CLASSES
    ]
    width = 11.0 / len(operators)
    heads = [heading("village_class", lang), *operators]
    numbers = frozenset(range(1, 1 + len(operators)))
    caption = said("t_villages", lang)
    return Sheet("villages", caption, heads, rows, [5.0, *[width] * len(operators)], numbers)


def _by_property(
    content: Content, villages: pd.DataFrame, column: str, sentence: str
) -> list[Block]:
    """How many villages have a property, and in how many a gap is proposed; nothing if unknown."""
    is_gap = villages["village_class"].isin(GAPS).groupby(villages["village_id"]).any()
    held = villages.drop_duplicates("village_id").set_index("village_id")[column]
    if held.isna().all():
        return []
    figures: dict[str, object] = {}
    for name, chosen in (
        ("yes", held.eq(True).fillna(False)),
        ("no", held.eq(False).fillna(False)),
        ("unknown", held.isna()),
    ):
        mine = chosen.astype(bool)
        figures |= {name: int(mine.sum()), f"{name}_gap": int(is_gap[mine.index[mine]].sum())}
    return [content.say(sentence, **figures)]


def _visits(content: Content, villages: pd.DataFrame) -> list[Block]:
    """How many villages are to be visited, and Table 7: the first of them."""
    lang = content.lang
    wanted = villages[villages["visit_rank"].notna()].sort_values("visit_rank")
    if wanted.empty:
        is_known = villages["no_signal_probability"].notna().any()
        return [content.say("v_no_visits" if is_known else "v_visits_unknown")]
    rows = [
        [
            content.number(row["visit_rank"]),
            row["village_name"],
            row["commune_name"],
            row["operator"],
            percent(row["no_signal_probability"], lang),
            content.number(row["people"]),
            texts.word(row["village_class"], lang),
        ]
        for row in wanted.head(MOST_SHOWN).to_dict("records")
    ]
    names = ["visit_rank", "village_name", "commune_name", "operator", "no_signal_probability",
             "people", "village_class"]  # fmt: skip
    caption = said(
        "t_visits", lang, shown=content.number(len(rows)), all=content.number(len(wanted))
    )
    heads, widths = [heading(name, lang) for name in names], [1.7, 2.9, 3.0, 2.4, 2.0, 1.4, 2.6]
    return [
        content.say("v_visits", count=int(wanted["village_id"].nunique()), rows=len(wanted)),
        Sheet("visits", caption, heads, rows, widths, frozenset({0, 4, 5})),
    ]


def _differences(content: Content, villages: pd.DataFrame) -> list[Block]:
    """Where the class proposed is another than the official one, and Table 8: the first of them."""
    lang, listed = content.lang, int(villages["official_class"].notna().sum())
    if not listed:
        return [content.say("v_no_official")]
    differs = villages[villages["class_differs"]].sort_values(KEY)
    count = content.say("v_differs", count=len(differs), listed=listed)
    if differs.empty:
        return [count]
    rows = [
        [
            row["village_name"],
            row["commune_name"],
            row["operator"],
            texts.word(row["village_class"], lang),
            texts.word(row["official_class"], lang),
            words_of(row["class_grounds"], lang),
        ]
        for row in differs.head(MOST_SHOWN).to_dict("records")
    ]
    names = ["village_name", "commune_name", "operator", "village_class", "official_class",
             "class_grounds"]  # fmt: skip
    caption = said(
        "t_differs", lang, shown=content.number(len(rows)), all=content.number(len(differs))
    )
    heads, widths = [heading(name, lang) for name in names], [2.8, 2.8, 2.4, 2.4, 2.1, 3.5]
    return [count, Sheet("differs", caption, heads, rows, widths)]


def village_annex(content: Content, villages: pd.DataFrame) -> Annex:
    """The list in the columns of an official form: rows with a gap, proposed or official."""
    lang = content.lang
    is_gap = villages["village_class"].isin(GAPS) | villages["official_class"].isin(OFFICIAL_GAPS)
    chosen = villages[is_gap].sort_values(KEY)
    rows = [
        _listed(content, number, row)
        for number, row in enumerate(chosen.head(MOST_LISTED).to_dict("records"), start=1)
    ]
    caption = said(
        "t_annex", lang, shown=content.number(len(rows)), all=content.number(len(chosen))
    )
    heads = [said(key, lang) for key in _LIST_HEADS]
    sheet = Sheet("annex", caption, heads, rows, _LIST_CM, frozenset({0, 3, 4}))
    notes: list[Block] = [content.say("v_meaning", min_devices=content.about.min_devices)]
    empty: list[Block] = [Paragraph(said("annex_none", lang))]
    return Annex(said("annex_title", lang), [*notes, *([sheet] if rows else empty)])


def _listed(content: Content, number: int, row: Mapping[Hashable, Any]) -> list[str]:
    lang = content.lang
    return [
        content.number(number),
        row["village_name"],
        row["commune_name"],
        content.number(row["households"]),
        content.number(row["people"]),
        _yes_or_no(row["has_grid_power"], lang),
        _yes_or_no(row["is_difficult_zone"], lang),
        row["operator"],
        texts.word(row["village_class"], lang),
        words_of(row["class_grounds"], lang),
        words_of(row["official_class"], lang),
        _note(content, row),
    ]


def _note(content: Content, row: Mapping[Hashable, Any]) -> str:
    """Probability, order of the visit, whether it differs, and what the list says of plans."""
    lang, notes = content.lang, []
    if {"silence", "unreached"} & set(row["class_grounds"].split(";")):
        notes.append(said("n_chance", lang, share=percent(row["no_signal_probability"], lang)))
    if pd.notna(row["visit_rank"]):
        notes.append(said("n_visit", lang, rank=content.number(row["visit_rank"])))
    if row["class_differs"]:
        notes.append(said("n_differs", lang))
    notes += [row[name] for name in ("site_plan", "on_air_date", "payer") if pd.notna(row[name])]
    return "; ".join(notes)


def _yes_or_no(value: object, lang: texts.Lang) -> str:
    return "–" if value is None or value is pd.NA else texts.word("yes" if value else "no", lang)
