"""Foreign text → numbers, times and technologies.

A text that cannot be read gives null and is reported, never guessed.

Does not belong here: whether a value is believable (`prepare.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from pipeline.sources.cells import numbers as cell_numbers
from pipeline.sources.cells import units
from pipeline.sources.cells.missing import MISSING
from pipeline.sources.cells.times import form_given, read_times

# Tried in turn on what ISO 8601 does not read. Day before month: month-first files must say so in
# the settings.
TIME_FORMATS = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%H:%M:%S %d/%m/%Y", "%H:%M %d/%m/%Y",
                "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S",
                "%Y/%m/%d %H:%M")  # fmt: skip
_MISSING = pa.array(sorted(MISSING), type=pa.large_string())
_LONGEST = max(len(word) for word in MISSING)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SINGLE_SPACE = re.compile(r"\s+")


def folded(text: str) -> str:
    """Text without accents, đ, case and punctuation.

    In this form headings and names are compared.

    >>> folded("Tốc độ tải xuống (Mbps)")
    'toc do tai xuong mbps'
    """
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    kept = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return _SINGLE_SPACE.sub(" ", re.sub(r"[^a-z0-9+]+", " ", kept)).strip()


def name_key(text: str) -> str:
    """A name without case and stray spaces, in one Unicode form.

    Accents stay: `Mobifone ` meets `mobifone`.
    """
    return _SINGLE_SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip().casefold()


def units_of(ours: str) -> list[str]:
    """The units that a column of ours may come in, as to be written in the settings."""
    return units.names_of(ours)


def unit_factor(ours: str, unit: str) -> float | None:
    """What a figure in `unit` is multiplied with to be in ours; None where the unit is not known.

    NaN where its spelling may mean bits or bytes.

    >>> [unit_factor("download_mbps", unit) for unit in ("Mb/s", "MB/s", "kbps", "MBPS", "MB/S")]
    [1.0, 8.0, 0.001, 1.0, nan]
    """
    try:
        found = units.unit_of(ours, unit)
    except ValueError:
        return np.nan
    return None if found is None or found.offset else found.factor


def unit_in(ours: str, heading: str) -> str | None:
    """The unit of a column that its heading states, as written there.

    Also a word that stands for one and is not known.

    >>> unit_in("download_mbps", "Tốc độ tải xuống (Mb/s)"), unit_in("latency_ms", "ping_ms")
    ('Mb/s', 'ms')
    """
    try:
        found = units.stated_in(ours, heading)
    except ValueError as word:
        return str(word)
    return found[0] if found else None


def printable(text: str) -> str:
    r"""A text on one line: control characters, which XML and terminals cannot take, are blanks.

    >>> printable("Viettel\x07\r\nTelecom")
    'Viettel Telecom'
    """
    return _CONTROL.sub(" ", text).strip()


def present(column: pd.Series) -> pd.Series:
    """Which cells hold something."""
    if is_numeric_dtype(column) or is_datetime64_any_dtype(column):
        return column.notna()
    return pd.Series(_says_something(_trimmed(column)), index=column.index)


def _trimmed(column: pd.Series) -> pa.LargeStringArray:
    texts = pa.array(column.astype("str"), type=pa.large_string(), from_pandas=True)
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    return pc.utf8_trim_whitespace(texts)


def _says_something(trimmed: pa.LargeStringArray) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = trimmed.is_valid().to_numpy(zero_copy_only=False).copy()
    # only words as short as the longest of MISSING are looked at
    short = pc.fill_null(pc.less_equal(pc.utf8_length(trimmed), _LONGEST), False)
    rows = np.flatnonzero(short.to_numpy(zero_copy_only=False))
    if len(rows):
        words = pc.utf8_lower(trimmed.take(pa.array(rows)))
        found[rows[pc.is_in(words, _MISSING).to_numpy(zero_copy_only=False)]] = False
    return found


def by_distinct(column: pd.Series, read: Callable[[str], str | None]) -> pd.Series:
    """Each text as `read` reads it, which is asked once for each distinct text; null stays null."""
    texts = pa.array(column.astype("str"), type=pa.large_string(), from_pandas=True)
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = texts.dictionary_encode()
    known = pa.array([read(text) for text in coded.dictionary.to_pylist()], type=pa.large_string())
    return pd.Series(known.take(coded.indices).to_pandas(), dtype="str").set_axis(column.index)


def numbers(column: pd.Series, decimal: str | None = None) -> pd.Series:
    """Text → float64; what cannot be read is NaN.

    With both separators the last one is decimal. A lone comma is decimal (as Vietnam writes) and a
    lone point too, unless `decimal` says which one is; the other then separates thousands.

    >>> numbers(pd.Series(["12,5", "1.234,5", "1,234.5", "7", "-", "x"])).tolist()
    [12.5, 1234.5, 1234.5, 7.0, nan, nan]
    >>> numbers(pd.Series(["1,234,567", "1.234.567"])).tolist()
    [1234567.0, 1234567.0]
    >>> numbers(pd.Series(["12,500"]), decimal=".").tolist()
    [12500.0]
    """
    if is_numeric_dtype(column):
        return column.astype("float64")
    return _read(column, cell_numbers.form_of(decimal))


def counts(column: pd.Series) -> pd.Series:
    """Text → counts of people or things, float64; what cannot be read is NaN.

    A mark before groups of three digits separates thousands, unless another cell of the column
    shows that it is the decimal mark.

    >>> counts(pd.Series(["12.345", "1.234.567", "12 345", "12,345", "950", "x"])).tolist()
    [12345.0, 1234567.0, 12345.0, 12345.0, 950.0, nan]
    >>> counts(pd.Series(["12.345", "0.5"])).tolist()
    [12.345, 0.5]
    """
    if is_numeric_dtype(column):
        return column.astype("float64")
    decision = cell_numbers.decide_numbers(_as_polars(column), "count")
    return _read(column, decision.form or cell_numbers.UNDECIDED)


def _read(column: pd.Series, form: cell_numbers.NumberForm) -> pd.Series:
    read = cell_numbers.read_numbers(_as_polars(column), form)
    return pd.Series(read.to_numpy(), index=column.index, dtype="float64")


def _as_polars(column: pd.Series) -> pl.Series:
    texts = pa.array(column.astype("str"), type=pa.large_string(), from_pandas=True)
    return pl.Series("" if column.name is None else str(column.name), texts)


def times(column: pd.Series, timezone: ZoneInfo, form: str | None = None) -> pd.Series:
    """Text → UTC; what cannot be read is NaT. Times without an offset are local in `timezone`.

    `form`: a strptime format, `unix_s` or `unix_ms`; absent: ISO 8601, then day-first forms. The
    hour that a clock change repeats is taken as standard time, the one it skips moves forward.

    >>> str(times(pd.Series(["05/10/2026 07:30"]), ZoneInfo("Asia/Ho_Chi_Minh"))[0])
    '2026-10-05 00:30:00+00:00'
    """
    about = form_given(form, str(timezone))
    if form is None:
        about = replace(about, formats=TIME_FORMATS)
    typed = is_numeric_dtype(column) or is_datetime64_any_dtype(column)
    cells = column if typed else column.where(present(column)).astype("str")
    return read_times([pl.from_pandas(cells)], about).to_pandas().set_axis(column.index)


def names(column: pd.Series) -> pd.Series:
    """Names and identifiers as text; whole numbers without `.0`, whatever type a file gave them.

    >>> names(pd.Series([77.0, None])).tolist(), names(pd.Series([" a ", "-"])).tolist()
    (['77', nan], ['a', nan])
    """
    if pd.api.types.is_float_dtype(column) and column.dropna().mod(1).eq(0).all():
        column = column.astype("Int64")
    trimmed = _trimmed(column)
    is_said = _says_something(trimmed)
    found = trimmed if is_said.all() else pc.if_else(pa.array(is_said), trimmed, None)
    return pd.Series(found, dtype="str").set_axis(column.index)
