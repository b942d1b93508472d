"""Which villages the outputs for people list, and their KML.

Does not belong here: how a village gets its class (`verdicts/villages.py`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from pipeline.publish.gap_map import palette
from pipeline.schema import texts
from pipeline.schema.column_labels import heading

KEY = ["commune_code", "village_id", "operator"]
_LINES = (
    "operator",
    "village_class",
    "class_grounds",
    "no_signal_probability",
    "official_class",
    "visit_rank",
    "people",
)


def shown_villages(villages: pd.DataFrame) -> pd.DataFrame:
    """The rows that say something, in order of visits, then commune, village and operator.

    Of `village_status`: rows with a class other than `not_known`, a visit or an official class.
    """
    says = villages["village_class"].ne("not_known")
    says |= villages["visit_rank"].notna() | villages["official_class"].notna()
    return villages[says].sort_values(["visit_rank", *KEY], na_position="last", ignore_index=True)


def words_of(keys: str | float | None, lang: texts.Lang, by: str = "; ") -> str:
    """The names of `;`-separated keys; – where there is none."""
    if pd.isna(keys) or not keys:
        return "–"
    return by.join(texts.word_or_own(key, lang) for key in str(keys).split(";"))


def percent(share: float | None, lang: texts.Lang) -> str:
    """A probability as people read it, – where there is none; never 0 or 100 %.

    Cut, not rounded: 79.6 % must not read as the 80 % from which no signal is proposed.

    >>> percent(0.7964, "en"), percent(0.9996, "en"), percent(0.0001, "en"), percent(None, "en")
    ('79 %', '≥ 99 %', '≤ 1 %', '–')
    """
    if share is None or pd.isna(share):
        return "–"
    whole = math.floor(100 * share + 1e-9)
    if not 1 <= whole < 99:
        return "≤ 1 %" if whole < 1 else "≥ 99 %"
    return f"{texts.number(whole, lang)} %"


def village_kml(
    rows: pd.DataFrame, operators: Sequence[str], lang: texts.Lang, *, title: str, notice: str
) -> str:
    """KML of points: a folder for each operator, the first one shown, pins coloured by class.

    `rows`: of `village_status`. Google Earth shows a description as HTML, so names are escaped in
    it once more. No pin needs a picture from elsewhere.
    """
    folders = "".join(
        _folder(operator, rows[rows["operator"] == operator], lang, notice, is_shown=number == 0)
        for number, operator in enumerate(operators)
    )
    styles = "".join(
        f'<Style id="{key}"><IconStyle><color>{abgr(mark.fill)}</color></IconStyle></Style>\n'
        for key, mark in palette.VILLAGE_MARKS.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2">\n'
        f"<Document><name>{escape(title)}</name>\n{styles}{folders}</Document>\n</kml>\n"
    )


def _folder(
    operator: str, rows: pd.DataFrame, lang: texts.Lang, notice: str, *, is_shown: bool
) -> str:
    marks = "".join(
        _placemark(row, lang, notice, is_shown=is_shown) for row in rows.to_dict("records")
    )
    seen = f"<visibility>{int(is_shown)}</visibility>"
    return f"<Folder><name>{escape(operator)}</name>{seen}\n{marks}</Folder>\n"


def _placemark(
    row: Mapping[Hashable, Any], lang: texts.Lang, notice: str, *, is_shown: bool
) -> str:
    values = {name: _value(name, row[name], lang) for name in _LINES}
    lines = [f"{heading(name, lang)}: {escape(value)}" for name, value in values.items()]
    lines += [f"{heading('notice', lang)}: {escape(notice)}"] if notice else []
    at = {name: f"{row[name]:.6f}" for name in ("village_longitude", "village_latitude")}
    data = "".join(f'<Data name="{name}"><value>{v}</value></Data>' for name, v in at.items())
    name = f"{row['village_name']} ({row['commune_name']}) – {values['village_class']}"
    return (
        f"<Placemark><name>{escape(name)}</name><visibility>{int(is_shown)}</visibility>"
        f"<styleUrl>#{row['village_class']}</styleUrl>"
        f"<description>{escape(chr(10).join(lines))}</description>"
        f"<ExtendedData>{data}</ExtendedData>"
        f"<Point><coordinates>{','.join(at.values())}</coordinates></Point></Placemark>\n"
    )


def _value(name: str, value: str | float | None, lang: texts.Lang) -> str:
    if name == "no_signal_probability":
        return percent(None if value is None else float(value), lang)
    if name in ("visit_rank", "people"):
        return "–" if value is None or pd.isna(value) else texts.number(float(value), lang)
    return str(value) if name == "operator" else words_of(value, lang)


def abgr(colour: str) -> str:
    """A colour as KML writes it.

    >>> abgr("#a83c08")
    'ff083ca8'
    """
    return f"ff{colour[5:7]}{colour[3:5]}{colour[1:3]}"
