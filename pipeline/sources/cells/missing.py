"""Words for nothing: cells that hold one of them hold no value."""

from __future__ import annotations

import unicodedata

import polars as pl

MISSING = frozenset(
    {
        "",
        "-",
        "--",
        "n/a",
        "na",
        "nan",
        "null",
        "none",
        "không có",
        "không rõ",
        "unknown",
        "undefined",
    }
)
# In place of a speed: a test that did not succeed, which is evidence, not an absent value
FAILED = frozenset(
    {
        "failed",
        "fail",
        "failure",
        "test failed",
        "timeout",
        "time out",
        "timed out",
        "no connection",
        "no signal",
        "no service",
        "connection lost",
        "connection failed",
        "unsuccessful",
        "error",
        "lỗi",
        "lỗi kết nối",
        "mất sóng",
        "không có sóng",
        "không đo được",
        "không kết nối được",
        "không có kết nối",
        "thất bại",
        "không thành công",
        "mất kết nối",
        "hết thời gian chờ",
    }
)
_LONGEST = max(len(word.encode()) for word in MISSING)


def is_missing(cells: pl.Series) -> pl.Series:
    """Which text cells hold nothing: null, or one of MISSING in any case and between spaces.

    An Excel error (`#N/A`, `#DIV/0!`) is no such word: it is a value that cannot be read.

    >>> is_missing(pl.Series(["-", " N/A ", "#N/A", "0", None])).to_list()
    [True, True, False, False, True]
    """
    text = cells.str.strip_chars()
    found = text.is_null()
    rows = (text.str.len_bytes() <= _LONGEST).arg_true()  # longer ones need no look
    if not len(rows):
        return found
    return found.scatter(rows, text[rows].str.to_lowercase().is_in(sorted(MISSING)))


def is_failed(cells: pl.Series) -> pl.Series:
    """Which text cells say in words of FAILED that a test did not succeed.

    >>> is_failed(pl.Series(["Timeout", " thất bại", "0", "-", None])).to_list()
    [True, True, False, False, False]
    """
    met = cells.unique().drop_nulls()
    words = [one for one in met if unicodedata.normalize("NFC", one).strip().casefold() in FAILED]
    return cells.is_in(words).fill_null(value=False)
