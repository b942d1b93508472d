"""Texts of times: one spelling for each, the offset they carry, and the formats they may have.

Does not belong here: which format a column has (`times.py` decides by the whole column).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

NAIVE = pl.Datetime("us")
_ISO = (
    r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[ T]"
    r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?$"
)
_ISO_OFFSET = _ISO.removesuffix("$") + r"(?:Z|[+-]\d{2}:\d{2})$"
# what ISO 8601 has besides: no seconds, no hour, a longer fraction, no hyphens and colons
_ISO_RARE = r"^\d{4}(?:-\d{2}-\d{2}|\d{4})(?:[T ]\d{2}(?::?\d{2}(?::?\d{2}(?:\.\d+)?)?)?)?$"
# characters of times without words, in the spelling that formats expect
_UNUSUAL = r"[^0-9:TZ+./_ -]|  | - "
_ONE_NUMBER = r"^\d+,\d+(?:[eE][+]?\d+)?$"

_SPACES = r"[\s\u00a0\u2000-\u200a\u202f\u205f\u3000]+"
_INVISIBLE = r"[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
_WEEKDAYS = (
    r"(?i)[\s,(]*(?:thứ\s*(?:hai|ba|tư|năm|sáu|bảy|[2-7])|chủ\s*nhật|monday|tuesday|wednesday|"
    r"thursday|friday|saturday|sunday|\b(?:mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\b)[\s.,)]*"
)
# Java and C put the year last: Mon Oct 05 07:00:01 ICT 2026
_YEAR_LAST = (
    r"^\s*([A-Za-z]{3,9}) +(\d{1,2}) (\d{1,2}:\d{2}:\d{2})((?: [A-Za-z]{1,5}(?:[+-][\d:]{1,5})?"
    r"| [+-]\d{4})?) (\d{4})$"
)
_TIME = r"\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?"
_MONTHS = {
    "Jan": ("january", "một", 1), "Feb": ("february", "hai", 2), "Mar": ("march", "ba", 3),
    "Apr": ("april", "tư", 4), "May": ("may", "năm", 5), "Jun": ("june", "sáu", 6),
    "Jul": ("july", "bảy", 7), "Aug": ("august", "tám", 8), "Sep": ("september", "chín", 9),
    "Oct": ("october", "mười", 10), "Nov": ("november", "mười một", 11),
    "Dec": ("december", "mười hai", 12),
}  # fmt: skip
# longest first: `mười hai` before `hai`, October before Oct
_NAMES = [(long, name) for name, (long, _, _) in _MONTHS.items()]
_NAMES += [("sept", "Sep"), *((name, name) for name in _MONTHS)]
_VIETNAMESE = sorted(
    ((word, name) for name, (_, word, _) in _MONTHS.items()), key=lambda pair: -len(pair[0])
)
_WORDS: tuple[tuple[str, str], ...] = (
    (r"\[[A-Za-z]+/[A-Za-z_/]+\]$", ""),  # 07:00+07:00[Asia/Ho_Chi_Minh]
    (r"\s*\([A-Za-z][A-Za-z ]+\)$", ""),  # GMT+0700 (Indochina Time)
    (_WEEKDAYS, " "),
    (r"^(?:T[2-7]|CN)[,.]?\s+", ""),
    (_YEAR_LAST, "$1 $2 $5 $3$4"),
    (r"(?i)(\d)(?:st|nd|rd|th)([\s,]|$)", "$1$2"),
    # hours, minutes and seconds with their words: 07h05, 7 giờ 05 phút 01 giây
    (
        r"(?i)(\d{1,2})\s*(?:h|g|giờ)\s*(\d{2})\s*(?:m|ph|p|phút)?\s*(\d{2})\s*(?:s|giây)?([\s,]|$)",
        "$1:$2:$3$4",
    ),
    (r"(?i)(\d{1,2})\s*(?:h|g|giờ)\s*(\d{2})\s*(?:m|ph|p|phút)?([\s,AaPpSsCc]|$)", "$1:$2$3"),
    (r"(?i)(\d{1,2})\s*(?:h|giờ)([\s,]|$)", "$1:00$2"),
    # halves of the day
    (r"(?i)(\d)\s*(?:SA|sáng|AM|A\.\s?M\.?)([\s,]|$)", "$1 AM$2"),
    (r"(?i)(\d)\s*(?:CH|chiều|tối|trưa|PM|P\.\s?M\.?)([\s,]|$)", "$1 PM$2"),
    (rf"(?i)(^|\s)(?:SA|AM)\s+({_TIME})", "$1$2 AM"),
    (rf"(?i)(^|\s)(?:CH|PM)\s+({_TIME})", "$1$2 PM"),
    (r"(^|[\sT])(\d{1,2}) ([AP]M)", "$1$2:00 $3"),
    # a clock of 24 hours needs no half: 13:05 PM, 00:05 AM
    (r"((?:^|[\sT])(?:1[3-9]|2[0-3]):\d{2}(?::\d{2})?(?:\.\d+)?) PM", "$1"),
    (r"((?:^|[\sT])00:\d{2}(?::\d{2})?(?:\.\d+)?) AM", "$1"),
    (r"(?i)(?:^|\s)(?:ngày|lúc|vào lúc|at)\s+", " "),
)  # fmt: skip
_MARKS = (
    (r"(:\d{2}),(\d{1,9})(\D|$)", "$1.$2$3"),  # a decimal comma of seconds
    (r"[,;|]", " "),
    (r"\s+[-–]\s+", " "),
)

# minutes east of Greenwich; abbreviations with two meanings (CST, EST) are not read
_ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "ICT": 420, "WIB": 420, "SGT": 480, "JST": 540, "KST": 540,
    "INDOCHINA TIME": 420, "ASIA/HO_CHI_MINH": 420, "ASIA/SAIGON": 420, "ASIA/HANOI": 420,
    "ASIA/BANGKOK": 420,
}  # fmt: skip
# An offset stands behind a time of day. The time before it keeps `2026-10-01` and
# `08:00 01-10-2026` from ending in one.
_OFFSET = (
    r"(?i)^(.*(?:T\d{2}|T\d{4}|T\d{6}|:\d{2}|^\d{14})(?:[.,]\d+)?(?: [AP]M)?)\s*\(?"
    r"(Z|UTC|GMT|ICT|WIB|SGT|JST|KST|Indochina Time|Asia/\w+|"
    r"(?:UTC|GMT)?\s*[+-]\s?\d{1,2}(?::?\d{2})?)\)?$"
)

_PERHAPS_OFFSET = r"[A-LN-Za-z)]$|[+-]\s?\d{1,2}(?::?\d{2})?\)?$"


def plain(text: pl.Series) -> pl.Series:
    """Times in the one spelling that formats expect.

    Single blanks, English short months, AM and PM, colons for hours, a decimal point.

    >>> plain(pl.Series(["05 tháng 10, 2026 07h05", "7:05:01,5 SA 05/10/2026"])).to_list()
    ['05 Oct 2026 07:05', '7:05:01.5 AM 05/10/2026']
    """
    text = text.str.strip_chars()
    unusual = text.str.contains(_UNUSUAL).fill_null(False)
    if unusual.any():
        unusual &= ~text.str.contains(_ONE_NUMBER).fill_null(False)
    rows = unusual.arg_true()
    if not len(rows):
        return text
    odd = text[rows]
    if odd.str.contains(r"[^ -~]").any():
        odd = odd.str.normalize("NFC").str.replace_all(_INVISIBLE, "")
        odd = odd.str.replace_all(_SPACES, " ")
    odd = odd.str.strip_chars(" '\"")
    if odd.str.contains(r"[^\d\s:TZ+./,_-]").any():
        shapes = _shapes(odd)
        for pattern, written in _WORDS:
            changed = _replaced(odd, shapes, pattern, written)
            if changed is not odd:
                odd, shapes = changed, _shapes(changed)
        odd = _with_english_months(odd)
    shapes = _shapes(odd)
    for pattern, written in _MARKS:
        odd = _replaced(odd, shapes, pattern, written)
    odd = odd.str.replace_all(r"\s\s+|\t|\n", " ").str.strip_chars()
    return text.scatter(rows, odd)


def _replaced(text: pl.Series, shapes: pl.Series, pattern: str, written: str) -> pl.Series:
    """The text with a pattern replaced, unless no cell has it: a look at the shapes is quick.

    Digits are 0 in shapes, so a pattern that asks for certain digits is looked for with any.
    """
    loose = re.sub(r"\((?:\?:)?1\[3-9\]\|2\[0-3\]\)|0\?\(1\[0-2\]\)|00(?=:)", r"\\d\\d", pattern)
    if not shapes.str.contains(loose).any():
        return text
    return text.str.replace_all(pattern, re.sub(r"\$(\d)", r"${\1}", written))


_ZEROS = np.arange(256, dtype=np.uint8)
_ZEROS[ord("1") : ord("9") + 1] = ord("0")


def _with_zeros(text: pl.Series) -> pl.Series:
    """Texts with a 0 for every digit: bytes of UTF-8 that are digits are nothing else."""
    cells = _arrow(text.rechunk())
    validity, offsets, data = cells.buffers()
    zeros = b"" if data is None else _ZEROS[np.frombuffer(data, dtype=np.uint8)].tobytes()
    written = pa.LargeStringArray.from_buffers(
        len(cells), offsets, pa.py_buffer(zeros), validity, cells.null_count, cells.offset
    )
    return pl.Series(text.name, written, dtype=pl.String)


def _shapes(text: pl.Series) -> pl.Series:
    return _with_zeros(text).unique()


def _with_english_months(text: pl.Series) -> pl.Series:
    """Month names in English or Vietnamese as ` Oct `, without marks around them."""
    shapes = _shapes(text)
    if shapes.str.contains(r"(?i)th").any():
        month = r"(?i)(?:tháng|thg\.?|th\.?)\s*"
        text = text.str.replace_all(month + r"0?(\d{1,2})", "~${1}~")
        for word, name in _VIETNAMESE:
            text = _replaced(text, shapes, month + word, f"~{name}~")
        text = _replaced(text, shapes, r"(?i)[-/., ]*\bnăm\s+", " ")
        numbers = {f"~{number}~": f"~{name}~" for name, (_, _, number) in _MONTHS.items()}
        text = text.str.replace_many(numbers)
    if shapes.str.contains(r"(?i)[a-z]{3}").any():
        names = [name for name, _ in _NAMES]
        text = text.str.replace_many(
            names, [f"~{name}~" for _, name in _NAMES], ascii_case_insensitive=True, leftmost=True
        )
    if not text.str.contains("~", literal=True).any():
        return text
    text = text.str.replace_all("~~", "~", literal=True)
    return text.str.replace_all(r"[-/., ]*~([A-Z][a-z]{2})~\.?[-/., ]*([: ]?)", " ${1} ${2}")


def without_offset(text: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Times without the offset behind them, and the offset in minutes; None where no cell has one.

    >>> [part.to_list() for part in without_offset(pl.Series(["07:00+07", "07:00 UTC", "07:00"]))]
    [['07:00', '07:00', '07:00'], [420, 0, None]]
    """
    rows = text.str.contains(_PERHAPS_OFFSET).fill_null(False).arg_true()
    rows = rows.filter(text[rows].str.contains(_OFFSET)) if len(rows) else rows
    if not len(rows):
        return text, None
    parts = text[rows].str.extract_groups(_OFFSET).struct.unnest()
    met = parts.to_series(1).str.to_uppercase().str.replace_all(r"\s", " ")
    known = {word: _minutes(word) for word in met.unique()}
    minutes = met.replace_strict(known, return_dtype=pl.Int32)
    # an offset that no place has: unreadable, not local
    head = pl.select(pl.when(minutes.is_not_null()).then(parts.to_series(0))).to_series()
    offsets = pl.repeat(None, len(text), dtype=pl.Int32, eager=True)
    return text.scatter(rows, head.str.strip_chars()), offsets.scatter(rows, minutes)


def _minutes(word: str) -> int | None:
    if word in _ZONES:
        return _ZONES[word]
    found = re.fullmatch(r"(?:UTC|GMT)?\s*([+-])\s?(\d{1,2}):?(\d{2})?", word)
    if found is None:
        return None
    minutes = 60 * int(found[2]) + int(found[3] or 0)
    return None if minutes > 14 * 60 else -minutes if found[1] == "-" else minutes


def offset_in(heading: str) -> int | None:
    """Minutes east of Greenwich that a heading states, `time_utc`, `Time (GMT+7)`; else None.

    >>> [offset_in(text) for text in ("time_utc", "Giờ (UTC+7)", "timestampUtc", "outcome")]
    [0, 420, 0, None]
    """
    found = re.search(
        r"(?:(?<![A-Za-z])(?:utc|gmt)|UTC|GMT|Utc|Gmt)(?![a-z])\s*(?:([+-])\s?(\d{1,2})(?::?(\d{2}))?)?",
        heading,
    )
    if found is None:
        return None
    return _minutes(f"{found[1]}{found[2]}{found[3] or ''}") if found[1] else 0


# dates and times of day by their shape (every digit a 0): pattern, then format by order
_DATES: tuple[tuple[str, dict[str, str]], ...] = (
    (r"0000(?P<s>[-/. ])00?(?P=s)00?", {"": "%Y{s}%m{s}%d"}),
    (r"00?(?P<s>[-/. ])00?(?P=s)0000", {"dmy": "%d{s}%m{s}%Y", "mdy": "%m{s}%d{s}%Y"}),
    (
        r"00?(?P<s>[-/. ])00?(?P=s)00",
        {"dmy": "%d{s}%m{s}%y", "mdy": "%m{s}%d{s}%y", "ymd": "%y{s}%m{s}%d"},
    ),
    (r"00000000", {"ymd": "%Y%m%d", "dmy": "%d%m%Y", "mdy": "%m%d%Y"}),
    (r"00? Mon 0000", {"": "%d %b %Y"}),
    (r"00? Mon 00", {"": "%d %b %y"}),
    (r"Mon 00? 0000", {"": "%b %d %Y"}),
    (r"0000 Mon 00?", {"": "%Y %b %d"}),
)
_CLOCKS: tuple[tuple[str, str], ...] = (
    (r"00?(?P<t>[:._-])00(?P=t)00", "%H{t}%M{t}%S"),
    (r"00?(?P<t>[:._-])00(?P=t)00\.0+", "%H{t}%M{t}%S%.f"),
    (r"00?(?P<t>[:._-])00", "%H{t}%M"),
    (r"00?(?P<t>[:._])00(?P=t)00 Half", "%I{t}%M{t}%S %p"),
    (r"00?(?P<t>[:._])00(?P=t)00\.0+ Half", "%I{t}%M{t}%S%.f %p"),
    (r"00?(?P<t>[:._])00 Half", "%I{t}%M %p"),
    (r"000000", "%H%M%S"),
    (r"0000", "%H%M"),
)
_JOINTS = r"(?P<j>[ T_:/-]|\. )"


def shape(text: pl.Series) -> pl.Series:
    """Texts with a 0 for every digit, Mon for every month and Half for AM and PM."""
    found = _with_zeros(text)
    if found.str.contains("[A-Z]").any():
        found = found.str.replace_all(rf"\b(?:{'|'.join(_MONTHS)})\b", "Mon")
        found = found.str.replace_all(r"\b[AP]M$", "Half").str.replace_all(r"\b[AP]M\b", "Half")
    return found


def is_iso(shape: str) -> bool:
    """Whether a shape is of ISO 8601; without hyphens only where a T joins date and time."""
    return re.match(_ISO_RARE, shape) is not None and ("-" in shape or "T" in shape)


def formats_of(shape: str) -> dict[str, str]:
    """Formats that a shape may have, by the order of day, month and year.

    `""` where the order is not open.

    >>> formats_of("00/00/0000 00:00")
    {'dmy': '%d/%m/%Y %H:%M', 'mdy': '%m/%d/%Y %H:%M'}
    """
    for date, orders in _DATES:
        if found := re.fullmatch(date, shape):
            return _written(orders, "{date}", found.groupdict())
        for clock, written in _CLOCKS:
            if found := re.fullmatch(f"{date}{_JOINTS}{clock}", shape):
                return _written(orders, "{date}{j}" + written, found.groupdict())
            if found := re.fullmatch(f"{clock}{_JOINTS}{date}", shape):
                return _written(orders, written + "{j}{date}", found.groupdict())
    return {}


def _written(orders: dict[str, str], whole: str, marks: dict[str, str]) -> dict[str, str]:
    marks = {"s": "", **marks}
    return {
        order: whole.format(date=date, **marks).format(**marks) for order, date in orders.items()
    }


def naive_iso(text: pl.Series) -> pl.Series:
    """Local times of ISO 8601 texts without offset; null where a text is none."""
    regular = _where(text, text.str.contains(_ISO))
    try:
        read = pl.Series(values=_arrow(regular).cast(pa.timestamp("us"))).cast(NAIVE)
    except pa.ArrowInvalid:  # a day that does not exist, such as 30 February
        read = pl.repeat(None, len(text), dtype=NAIVE, eager=True)
    return completed(read, text, _naive_rare_iso)


def _naive_rare_iso(cells: pl.Series) -> pl.Series:
    kept = _where(cells, cells.str.contains(_ISO_RARE))
    if kept.null_count() == len(kept):
        return pl.repeat(None, len(kept), dtype=NAIVE, eager=True)
    read = pd.to_datetime(kept.to_pandas().astype("str"), format="ISO8601", errors="coerce")
    found = pl.Series(values=read.dt.as_unit("us")).cast(NAIVE)
    return _where(found, found.dt.year().is_between(1900, 2199))


def quick_iso(column: pl.Series, localised: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Times in UTC of texts in ISO 8601; null where the form is another than most cells have.

    Arrow reads these forms at a tenth of the cost of others, but a whole column or nothing of it.
    """
    attempts = ((None, None), (None, "UTC"), (_ISO, None), (_ISO_OFFSET, "UTC"))
    for pattern, zone in attempts:
        regular = column
        if pattern:
            regular = _where(column, column.str.contains(pattern))
            if regular.null_count() == len(regular):
                continue
        try:
            texts = _arrow(regular)
            for cells in (texts.drop_null()[:1], texts):  # a refusal of all cells is slow
                read = pl.Series(values=cells.cast(pa.timestamp("us", zone)))
        except pa.ArrowInvalid:
            continue
        return localised(read) if zone is None else read
    return pl.repeat(None, len(column), dtype=pl.Datetime("us", "UTC"), eager=True)


def parsed(text: pl.Series, form: str) -> pl.Series:
    """Local times of texts in a strptime format, years 1900 to 2199; null of any other.

    `%.f` is the fraction of a second with its point.
    """
    try:
        if "%f" in form:  # Polars takes it for nanoseconds
            raise pl.exceptions.ComputeError
        read = text.str.strptime(NAIVE, form, strict=False)
    except pl.exceptions.PolarsError:  # formats that Polars does not know
        return pl.repeat(None, len(text), dtype=NAIVE, eager=True)
    return _where(read, read.dt.year().is_between(1900, 2199))


def completed(
    read: pl.Series, column: pl.Series, careful: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """`read`, completed by what `careful` makes of the cells that it has no value for."""
    rows = (read.is_null() & column.is_not_null()).arg_true()
    if not len(rows):
        return read
    return read.scatter(rows, careful(column[rows]).cast(read.dtype))


def _arrow(text: pl.Series) -> pa.Array:
    return text.to_arrow(compat_level=pl.CompatLevel.oldest())


def _where(column: pl.Series, rows: pl.Series) -> pl.Series:
    found: pl.Series = pl.select(pl.when(rows).then(column)).to_series()
    return found.alias(column.name)
