"""The report's own sentences, from the catalogues.

Does not belong here: figures; statuses, columns and the method note, which other outputs share.
"""

from __future__ import annotations

from pipeline.schema import texts


def said(key: str, lang: texts.Lang, **values: object) -> str:
    """A sentence of the report with its figures filled in.

    >>> said("no_change", "en")
    'No detectable change.'
    """
    return texts.text("report", key, lang, **values)
