"""Commune codes: text of stable length. Zeros that a table program took are given back, or asked.

Does not belong here: which column holds the codes (`communes.py`).
"""

from __future__ import annotations

from collections import Counter

import pandas as pd

from pipeline.schema.errors import Fault
from pipeline.sources import values
from pipeline.sources.boundaries import official
from pipeline.sources.boundaries.repair import first_of

_PROOF = 0.8  # of codes and names that the official list must confirm


def as_text(column: pd.Series) -> pd.Series:
    """Codes as text; numbers lose their `.0`.

    >>> as_text(pd.Series([3388.0, 10012.0])).tolist()
    ['3388', '10012']
    """
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        text = values.by_distinct(column, values.printable)
        return text.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    whole = column.dropna() % 1 == 0
    if whole.all():
        return column.astype("Int64").astype("str")
    return column.map(lambda number: None if pd.isna(number) else f"{number:g}").astype("str")


def with_zeros(  # noqa: PLR0911 - a rule each
    codes: pd.Series,
    names: pd.Series,
    length: int | None,
    *,
    in_vietnam: bool,
    file: str,
    column: str,
) -> tuple[pd.Series, list[Fault], list[Fault]]:
    """(codes, warnings, questions): codes that lost leading zeros get them back.

    `length` of the settings pads without a word. Without it: where some codes begin with a zero and
    all but the short ones have one length, or where the official list knows the padded codes by
    their names, or where all other codes in Vietnam have five digits, padding is sure and reported.
    Codes of at most four digits in Vietnam are a question.
    """
    if length is not None:
        return codes.str.zfill(length), [], []
    known = codes.dropna()
    known = known[known.ne("")]
    if known.empty or not known.str.fullmatch(r"\d+").all():
        return codes, [], []
    lengths = Counter(known.str.len().tolist())
    longest = max(lengths)
    short = known[known.str.len() < longest]
    begin_with_zero = bool(known.str.startswith("0").any() and longest > 1)
    if begin_with_zero and len(short):
        return _padded(codes, longest, short, "lengths", file, column)
    if not in_vietnam or longest > official.CODE_LENGTH:
        return codes, [], []
    wanted = official.CODE_LENGTH
    if longest == wanted:
        return (
            _padded(codes, wanted, short, "lengths", file, column)
            if len(short)
            else (codes, [], [])
        )
    if longest < wanted - 1:
        return codes, [], []
    confirmed = official.named_alike(known.str.zfill(wanted), names.loc[known.index])
    if confirmed >= _PROOF * len(known):
        return _padded(codes, wanted, known, "names", file, column)
    shown = [f"{n} × {digits}" for digits, n in sorted(lengths.items())]
    found: dict[str, object] = {
        "found": ", ".join(shown),
        "example": f"{known.iloc[0]} → {known.iloc[0].zfill(wanted)}",
        "lines": f"code_length = {wanted}",
        "other": f"code_length = {min(lengths)}",
    }
    return codes, [], [Fault("which_code_length", file, None, column, found)]


def _padded(
    codes: pd.Series, length: int, short: pd.Series, proof: str, file: str, column: str
) -> tuple[pd.Series, list[Fault], list[Fault]]:
    padded = codes.str.zfill(length)
    items = [f"{code} → {code.zfill(length)}" for code in short]
    found = {"count": len(short), "length": length, "places": first_of(items)}
    code = "codes_padded_by_names" if proof == "names" else "codes_padded"
    return padded, [Fault(code, file, None, column, found)], []
