"""How a source format is declared: headings, sources of our columns, which rows count.

A new format is a file beside this one with a `FORMAT`, a line in `formats/__init__.py` and a test.
Does not belong here: reading values (`cells/`, `table.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from pipeline.sources.values import folded, name_key


@dataclass(frozen=True)
class Column:
    """What one of our columns is read from: a source column or a constant, unit, form and zone."""

    column: str | None = None
    value: str | None = None
    unit: str | None = None
    format: str | None = None  # strptime, or unix_s / unix_ms
    zone: str | None = None  # IANA name, of times without an offset; None: the source's


@dataclass(frozen=True)
class Condition:
    """Which values of a column keep a row. `one_of` and `none_of` compare without case and spaces.

    `low`, `high`: bounds of a number, both included. An empty cell fails `one_of` and bounds and
    passes `none_of`.
    """

    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def holds(self, cells: pl.Series) -> pl.Series:
        """Which cells keep their row, boolean without nulls.

        >>> Condition(one_of=("download",)).holds(pl.Series(["Download ", "ping", None])).to_list()
        [True, False, False]
        """
        kept = pl.repeat(True, len(cells), dtype=pl.Boolean, eager=True)
        texts = cells.cast(pl.String)
        if self.one_of or self.none_of:
            met = texts.unique().drop_nulls().sort()
            keys = pl.Series([_key(text) for text in met], dtype=pl.String)
            place = texts.cast(pl.Enum(met)).to_physical()
            if self.one_of:
                kept &= keys.is_in(_keys(self.one_of)).gather(place).fill_null(value=False)
            if self.none_of:
                kept &= ~keys.is_in(_keys(self.none_of)).gather(place).fill_null(value=False)
        if self.low is not None or self.high is not None:
            number = texts.str.strip_chars().str.replace(",", ".", literal=True)
            number = number.cast(pl.Float64, strict=False)
            low = float("-inf") if self.low is None else self.low
            high = float("inf") if self.high is None else self.high
            kept &= number.is_between(low, high).fill_null(value=False)
        return kept

    def toml(self) -> str:
        """As it stands in the settings under `[sources.NAME.keep]`.

        >>> Condition(one_of=("download",)).toml(), Condition(none_of=("WLAN",)).toml()
        ('"download"', '{ not = ["WLAN"] }')
        """
        if len(self.one_of) == 1:
            return quoted(self.one_of[0])
        if self.one_of:
            return "[" + ", ".join(quoted(one) for one in self.one_of) + "]"
        if self.none_of:
            return "{ not = [" + ", ".join(quoted(one) for one in self.none_of) + "] }"
        bounds = (("min", self.low), ("max", self.high))
        return "{ " + ", ".join(f"{key} = {n:.15g}" for key, n in bounds if n is not None) + " }"


@dataclass(frozen=True)
class Format:
    """A source format. Headings are compared without case, accents and punctuation.

    `distinctive`: sets of headings; a file is of this format where all of one set are there and
    none of `never`. `columns`: ours → what it may be read from, the first that the file has.
    `keep`: source column → which of its values keep a row, where the file has the column.
    `has_aliases`: columns that stay open are met by the aliases of `ispeed`.
    `kind`: of `fences` every row is set aside as `coverage_only`, evidence of silence alone.
    `refused`: code of the fault that says why rows are never tests of communes;
    empty: they are. `lacking`: code of the fault that says why columns that a test must have are
    usually missing.
    """

    name: str
    title: str
    kind: Literal["tests", "tiles", "trace", "totals", "fences"] = "tests"
    distinctive: tuple[tuple[str, ...], ...] = ()
    never: tuple[str, ...] = ()
    columns: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    keep: Mapping[str, Condition] = field(default_factory=dict)
    zone: str | None = None
    has_aliases: bool = False
    refused: str = ""
    lacking: str = ""
    notes: tuple[str, ...] = ()
    documentation: str = ""

    def recognises(self, headings: Iterable[str]) -> bool:
        """Whether the headings are this format's."""
        found = {folded(heading) for heading in headings}
        if found & {folded(one) for one in self.never}:
            return False
        return any({folded(one) for one in all_of} <= found for all_of in self.distinctive)

    def column_map(self, headings: Sequence[str]) -> dict[str, Column]:
        """Ours → what it is read from in a file with these headings, spelled as the file does."""
        found = {folded(heading): heading for heading in reversed(headings)}
        result: dict[str, Column] = {}
        for ours, candidates in self.columns.items():
            for one in candidates:
                if one.column is None:
                    result[ours] = one
                    break
                if (heading := found.get(folded(one.column))) is not None:
                    result[ours] = Column(heading, None, one.unit, one.format, one.zone)
                    break
        return result

    def kept_by(self, headings: Sequence[str]) -> dict[str, Condition]:
        """Headings of the file → which of their values keep a row."""
        found = {folded(heading): heading for heading in reversed(headings)}
        return {found[folded(c)]: one for c, one in self.keep.items() if folded(c) in found}


def _key(text: str) -> str:
    return name_key(text).removesuffix(".0")  # 1.0 of a column of floats is 1


def _keys(texts: tuple[str, ...]) -> list[str]:
    return [_key(text) for text in texts]


def bare_key(heading: str) -> str:
    """A heading as a TOML key.

    >>> bare_key("Test_type"), bare_key("Loại kết nối")
    ('Test_type', '"Loại kết nối"')
    """
    is_bare = heading.isascii() and heading.replace("-", "").replace("_", "").isalnum()
    return heading if is_bare else quoted(heading)


def quoted(text: str) -> str:
    """A text as a TOML string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
