"""Ids of devices and tests: which cells hold none, and whose id a column is.

One device is one vote, so an id that several phones share, or that stands where there is none, is
read as missing or asked about. Does not belong here: what an id's test says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from pipeline.schema.errors import Fault
from pipeline.schema.texts import joined, said
from pipeline.sources.cells.decision import Decision
from pipeline.sources.cells.spellings import MISSING

CONSTANT_FROM = 20  # rows from which one id in all of them is no id

_ZEROS = r"^[\s0:.{}-]{3,}$"  # 00000000-0000-…, 00:00:00:00:00:00, 000000000000000
_ONES = r"^[\s\{\}f:.-]{8,}$"
# Android's answer where an app may not read the address; an id that many cheap phones shared;
# emulators' IMEI
_KNOWN = (
    "02:00:00:00:00:00", "9774d56d682e549c", "012345678912345", "123456789012345",
    "unknown", "none", "null", "undefined", "android_id", "deviceid", "device_id", "anonymous",
    "not available", "notavailable", "imei", "no id", "không có",
)  # fmt: skip
_WORDS = MISSING | set(_KNOWN)
_ROUNDED = r"^\d(?:[.,]\d+)?[eE]\+?\d{1,2}$"
_STARTS = ("00", "{0", "ff", "FF", "{f", "{F")  # of ids that are all zeros or all ones
_STARTS_OF_ROUNDED = tuple(f"{digit}{mark}" for digit in range(10) for mark in ".,")
_LONG = 8  # characters of an id
FEW_ROUNDED = 0.05  # share of the ids below which rounded ones are taken for none, not asked about
_SUSPECT_LENGTH = 24  # bytes of the longest word for nothing, and of a rounded number
_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})")


@dataclass(frozen=True)
class IdForm:
    """How a column's ids are read: trimmed texts, those in `missing` (lower case) hold none."""

    missing: frozenset[str] = frozenset()
    counts: dict[str, int] = field(default_factory=dict, compare=False)  # rows by id in `missing`


def decide_ids(
    cells: pl.Series, heading: str = "", *, ours: str = "device_id", one_device: bool = False
) -> Decision[IdForm]:
    """Which ids of a column are none: zeros, words for nothing, addresses that phones hide.

    One device id in all of 20 rows or more is a question, unless the settings or the format say
    that the rows are of `one_device`. Ids that a spreadsheet rounded (`8.94E+14`), so that several
    phones share one, are a question, fewer than 5 % of the ids are none; those with all of their
    digits are read.

    >>> decide_ids(pl.Series(["00000000-0000-0000-0000-000000000000", "a1"])).evidence
    '1 of 2 cells hold no id (00000000-0000-0000-0000-000000000000 1)'
    """
    texts = _texts(cells).drop_nulls()
    suspects = _suspects(texts)
    counts = texts.gather(suspects).str.to_lowercase().alias("id").value_counts(name="count")
    counts = counts.sort(["count", "id"], descending=[True, False])
    none = counts.filter(_is_none(counts["id"]))
    by_id: dict[str, int] = dict(none.iter_rows())
    missing = set(by_id)
    rounded = texts.gather(suspects)
    rounded = rounded.filter(rounded.str.contains(_ROUNDED))
    rounded = rounded.filter(~_is_exact(rounded))
    is_left = ~texts.str.to_lowercase().is_in(sorted(missing)) if missing else None
    left = texts if is_left is None else texts.filter(is_left)
    zeros = counts.filter(pl.col("id") == "0")
    if zeros.height:
        shortest = left.filter(left != "0").str.len_chars().min()
        if isinstance(shortest, int) and shortest >= _LONG:  # beside long ids a lone 0 is none
            by_id["0"] = zeros["count"].item()
            missing.add("0")
    is_constant = len(left) >= CONSTANT_FROM and left.n_unique() == 1
    if is_constant and not one_device and not len(rounded):
        if ours == "device_id":
            shares = joined(len(left), len(cells), by=" / ")
            return _one_id(heading, joined(shares, left[0], by=": "))
        constant = str(left[0]).lower()  # repeats of tests are found by what they hold
        by_id[constant] = len(left)
        missing.add(constant)
    if 0 < len(rounded) < FEW_ROUNDED * len(texts):  # a few rounded ids are none
        few = rounded.str.to_lowercase().alias("id").value_counts(name="count").sort("id")
        by_id |= dict(few.iter_rows())
        missing |= set(few["id"])
        rounded = rounded.clear()
    lost = {name: count for name, count in by_id.items() if name not in MISSING}
    form = IdForm(frozenset(missing), lost)
    shown = joined(*(joined(*one, by=" ") for one in list(lost.items())[:3]), by=", ")
    evidence = said("no_id", count=sum(lost.values()), of=len(cells), found=shown) if lost else ""
    if len(rounded):
        examples = rounded.value_counts(sort=True)[rounded.name].head(3).to_list()
        found = said("cells", count=len(rounded), of=len(cells), found=", ".join(examples))
        lines = (f'{ours} = {{ value = "" }}',)
        question = Fault("ask_rounded_ids", "", None, heading, {"found": found, "lines": lines})
        return Decision(None, "cells", found, question)
    return Decision(form, "values" if lost else "default", evidence)


def _one_id(heading: str, found: str) -> Decision[IdForm]:
    """The question what one id in all rows is: of one phone, or of none."""
    lines = tuple(f'device_id = {{ value = "{one}" }}' for one in ("phone", ""))
    question = Fault("ask_one_id", "", None, heading, {"found": found, "lines": lines})
    return Decision(None, "cells", found, question)


def read_ids(column: pl.Series, form: IdForm) -> pl.Series:
    """Ids as text; null where the cell holds none. Whole numbers come without `.0`."""
    texts = _texts(column).alias(column.name)
    words = {word for name in form.missing | _WORDS for word in (name, name.upper(), name.title())}
    rows = _rows_that_begin_as(texts, words.union(_STARTS, _STARTS_OF_ROUNDED))
    if not len(rows):
        return texts
    found = texts.gather(rows)
    is_none = found.is_in(sorted(words))
    zeros = found.alias("id").to_frame().select(_may_be_zeros())["id"].arg_true()
    if len(zeros):
        lowered = found.gather(zeros).str.to_lowercase()
        is_none = is_none.scatter(zeros, is_none.gather(zeros) | _is_none(lowered))
    if (whole := _whole_numbers(texts, found)) is not None:
        texts = texts.scatter(rows, whole)
    return texts.scatter(rows.filter(is_none), None) if is_none.any() else texts


def _rows_that_begin_as(texts: pl.Series, words: Iterable[str]) -> pl.Series:
    """Rows whose first two bytes are those of one of `words`; some of them may be null.

    Polars keeps the length and the first four bytes of each text in one place (Arrow's string
    views: 4 bytes of length, then the text's first ones, zeros behind shorter ones). Looked up
    there, a million ids take 3 ms; comparing texts takes 30 ms and more.
    """
    is_met = np.zeros(2**16, dtype=bool)
    is_met[[int.from_bytes(word.encode()[:2], "little") for word in words]] = True
    begins = [np.empty(0, dtype="<u2")]
    for chunk in texts.get_chunks():
        views = chunk.to_arrow(compat_level=pl.CompatLevel.newest())
        if len(views):
            pairs = np.frombuffer(views.buffers()[1], dtype="<u2").reshape(-1, 8)
            begins.append(pairs[views.offset : views.offset + len(views), 2])
    return pl.Series(np.flatnonzero(is_met[np.concatenate(begins)]), dtype=pl.UInt32)


def _whole_numbers(texts: pl.Series, found: pl.Series) -> list[str | None] | None:
    """`found`, of which some are scientific numbers, with those written out; None where none is."""
    is_number = (found.str.len_bytes() <= _SUSPECT_LENGTH) & found.str.contains(_ROUNDED)
    if not is_number.any():
        return None
    short = texts.filter(texts.str.len_bytes() <= _SUSPECT_LENGTH)
    if not short.str.contains(r"[eE]\+").any():
        return None
    pairs = zip(found.to_list(), is_number.to_list(), strict=True)
    return [(_whole(text) or text) if is_one else text for text, is_one in pairs]


def _suspects(texts: pl.Series) -> pl.Series:
    """Rows whose ids may be none or rounded: short ones, and those that begin as zeros do."""
    is_short = pl.col("id").str.len_bytes() <= _SUSPECT_LENGTH
    return texts.alias("id").to_frame().select(is_short | _may_be_zeros())["id"].arg_true()


def _may_be_zeros() -> pl.Expr:
    return pl.any_horizontal(pl.col("id").str.starts_with(start) for start in _STARTS)


def _texts(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = column.drop_nulls()
        if len(whole) and (whole == whole.floor()).all() and whole.abs().max() < 2**53:  # type: ignore[operator]
            column = column.cast(pl.Int64)
    return column.cast(pl.String).str.strip_chars()


def _is_none(lowered: pl.Series) -> pl.Series:
    """Which lower-case ids are none."""
    known = lowered.is_in(sorted(_WORDS))
    return known | lowered.str.contains(_ZEROS) | lowered.str.contains(_ONES)


def _is_exact(texts: pl.Series) -> pl.Series:
    """Which scientific numbers have all of their digits."""
    return pl.Series([_whole(text) is not None for text in texts.to_list()], dtype=pl.Boolean)


def _whole(text: str | None) -> str | None:
    found = _SCIENTIFIC.fullmatch(text or "")
    if not found:
        return None
    digits, exponent = found[1] + (found[2] or ""), int(found[3])
    # a spreadsheet shows 3 to 6 digits of what it has rounded
    return digits if len(digits) == exponent + 1 and exponent >= 9 else None


@dataclass(frozen=True)
class IdFindings:
    """Whose id a column is.

    `is_of`: `test` (each row its own), `device` (repeats at other times or places), `copies`
    (repeats are copies of the same row), `none` (empty).
    """

    is_of: Literal["test", "device", "copies", "none"]
    row_count: int
    id_count: int
    tests_per_id: float
    evidence: str = ""


def whose(ids: pl.Series, marks: pl.Series) -> IdFindings:
    """Whose id a column is. `marks`: equal in rows that are copies of each other.

    A test's id stands in one row; an id that repeats, but for copies, in more than a tenth of the
    rows is a device's.
    """
    rows = pl.DataFrame({"id": ids, "mark": marks}).drop_nulls("id")
    if rows.is_empty():
        return IdFindings("none", 0, 0, 0.0)
    count = rows["id"].n_unique()
    distinct = rows.unique().height  # rows but for copies
    evidence = said("ids", count=count, rows=rows.height)
    kind: Literal["test", "device", "copies"] = "test"
    if (repeated := distinct - count) > 0.1 * distinct:
        kind = "device"
        evidence = joined(evidence, said("id_repeats", count=repeated), by=", ")
    elif rows.height > 1.1 * distinct:
        kind = "copies"
    return IdFindings(kind, rows.height, count, distinct / count, evidence=evidence)
