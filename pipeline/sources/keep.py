"""Rows of another kind: which rows of a source are speed tests, by the values of its own columns.

Public data often hold uploads, web tests or implausible rows beside the downloads. The settings
name the rows to keep; the others are set aside under the reason `not_kept`, so the books balance.
Does not belong here: proposing conditions, judging values (`prepare.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_

import polars as pl

from pipeline.schema.errors import Fault
from pipeline.sources import values


@dataclass(frozen=True)
class Condition:
    """What a row's cell must be: one of `equals`, none of `excludes`, from `least` to `most`.

    Texts are compared without case and stray spaces. An empty cell is none of `equals` and within
    no range, and it is not excluded.
    """

    equals: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


def missing_columns(file: str, headings: list[str], keep: Mapping[str, Condition]) -> list[Fault]:
    """A fault for each column that a condition names and the file lacks."""
    return [
        Fault("missing_column", file, 1, theirs, {"found": headings, "ours": "keep"})
        for theirs in keep
        if theirs not in headings
    ]


def is_kept(rows: pl.DataFrame, keep: Mapping[str, Condition]) -> pl.Series | None:
    """Whether each row meets all conditions; None without conditions.

    >>> rows = pl.DataFrame({"Test_type": ["Download ", "upload", None]})
    >>> is_kept(rows, {"Test_type": Condition(equals=("download",))}).to_list()
    [True, False, False]
    """
    if not keep:
        return None
    return reduce(and_, [_meets(rows[theirs], condition) for theirs, condition in keep.items()])


def _meets(cells: pl.Series, condition: Condition) -> pl.Series:
    met = pl.repeat(True, len(cells), dtype=pl.Boolean, eager=True)
    if condition.equals or condition.excludes:
        keys, place = _keys(cells)
        if condition.equals:
            met &= keys.is_in(_listed(condition.equals)).gather(place).fill_null(False)
        if condition.excludes:
            met &= ~keys.is_in(_listed(condition.excludes)).gather(place).fill_null(False)
    if condition.least is not None or condition.most is not None:
        text = cells.cast(pl.String).str.strip_chars().str.replace(",", ".", literal=True)
        number = text.cast(pl.Float64, strict=False)
        if condition.least is not None:
            met &= (number >= condition.least).fill_null(False)
        if condition.most is not None:
            met &= (number <= condition.most).fill_null(False)
    return met


def _keys(cells: pl.Series) -> tuple[pl.Series, pl.Series]:
    """(keys of the distinct cells, the place of each cell among them)."""
    texts = cells.cast(pl.String)
    distinct = texts.unique().drop_nulls().sort()
    place = texts.cast(pl.Enum(distinct)).to_physical()
    return pl.Series([_key(text) for text in distinct], dtype=pl.String), place


def _listed(texts: tuple[str, ...]) -> list[str]:
    return [_key(text) for text in texts]


def _key(text: str) -> str:
    return values.name_key(text).removesuffix(".0")  # 1.0 of a column of floats is 1
