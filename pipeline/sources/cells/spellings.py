"""Spellings of a name that people take for the same: one Unicode form, no invisible characters.

Does not belong here: which operator or technology a name means (`operators.py`, `technologies.py`).
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.sources.cells import missing

# More words than `missing.MISSING` that stand where a name is not known.
MISSING = missing.MISSING | {"không xác định", "khong xac dinh", "khong ro", "(null)", "#n/a", "?"}
# Drawn as nothing, but not of Unicode's category "format": combining grapheme joiner, Hangul
# fillers, variation selectors.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u3164\ufe00-\ufe0f]")
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_SPACES = re.compile(r"\s+")


def tidy(text: str) -> str:
    r"""A name as it is shown: composed letters (NFC), nothing invisible, single spaces.

    Control characters, which XML and terminals cannot take, are blanks.

    >>> tidy("  Vie\u0302\u0303n\u00a0 thông\u200b ")
    'Viễn thông'
    """
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    kept = []
    for letter in text:
        category = unicodedata.category(letter)
        if category == "Cc" or category.startswith("Z"):
            kept.append(" ")
        elif category not in ("Cf", "Cs"):
            kept.append(letter)
    return _SPACES.sub(" ", "".join(kept)).strip()


def spaced_key(text: str) -> str:
    """`name_key` with single spaces kept: where a space separates parts (`452 04`, `4G LTE`)."""
    compatible = unicodedata.normalize("NFKC", _DASHES.sub("-", tidy(text)))
    folded = unicodedata.normalize("NFKC", compatible.casefold())
    return _SPACES.sub(" ", _DASHES.sub("-", folded)).strip()


def name_key(text: str) -> str:
    r"""What spellings of one name have in common. Unicode form, case and spaces do not count.

    Accents count.

    >>> name_key("Vina\u00adPhone ") == name_key("\uff36\uff29\uff2e\uff21 PHONE") == "vinaphone"
    True
    """
    return unicodedata.normalize("NFKC", spaced_key(text).replace(" ", ""))


def is_missing(text: str) -> bool:
    """Whether a text stands for nothing (`-`, `N/A`, `không xác định` …)."""
    return spaced_key(text) in MISSING
