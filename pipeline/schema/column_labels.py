"""Headings and meanings of columns for people, from their declarations.

Vietnamese and English stand in the declaration. Another language may name columns in its
catalogue's sections `headings` and `meanings`; what is not there is English. Does not belong here:
names of statuses and flags (`texts.py`).
"""

from __future__ import annotations

from pipeline.schema.columns import FIELDS
from pipeline.schema.texts import Lang, catalogue


def heading(column: str, lang: Lang) -> str:
    """A column's name for people; a column that is not declared keeps its own.

    >>> heading("need_rank", "en"), heading("good_operator_count", "vi")
    ('Need rank', 'good_operator_count')
    """
    return _label(column, lang, 0)


def meaning(column: str, lang: Lang) -> str:
    """What a column holds; empty for one that is not declared.

    >>> meaning("mean_mbps", "en")
    'mean of device values'
    """
    return _label(column, lang, 1) if column in FIELDS else ""


def _label(column: str, lang: Lang, part: int) -> str:
    own = catalogue(lang).get(("headings", "meanings")[part], {})
    if column in own:
        return own[column]
    field = FIELDS.get(column)
    return column if field is None else (field.vi if lang == "vi" else field.en)[part]
