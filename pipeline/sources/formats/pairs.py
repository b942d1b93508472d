"""Columns that only together are one of ours: a date and a time of day, a position in one column.

They are known by their cells; their headings say whether that is sure or to be proposed. Does not
belong here: single columns (`guesses.py`), how the cells are read (`cells/`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipeline.sources.values import folded

_ROWS = 2_000  # that are looked at
_MOST = 0.9  # share of the filled cells that are alike
_DATE = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]00:00(?::00(?:\.0+)?)?)?$|^(?:19|20)\d{6}$"
_HOUR = (
    r"^(?i)(?:(?:1899-12-3[01]|1900-01-0[01])[T ])?"  # spreadsheets write it before a time of day
    r"\d{1,2}[:hg.]\d{2}(?:[:mp.]?\d{2}(?:\.\d+)?s?)?(?:\s*(?:am|pm|sa|ch|a\.m\.|p\.m\.))?$"
)
_NUMBER = r"[-+]?\d{1,3}(?:[.,]\d+)?"
_POINT = rf"(?:srid=\d+;\s*)?point\s*(?:zm?|m)?\s*\(\s*{_NUMBER}\s+{_NUMBER}(?:\s+[\d.+-]+)*\s*\)"
_PLACE = (
    rf"^(?i)(?:{_POINT}|"
    rf"[(\[]?\s*{_NUMBER}\s*°?\s*(?:[,;|/]\s*|\s+){_NUMBER}\s*°?\s*[)\]]?)$"
)
_DATE_WORDS = ("ngay", "date", "day", "dt")
_HOUR_WORDS = ("gio", "time", "hour", "thoi gian", "thoi diem", "luc", "clock", "tm")
_PLACE_WORDS = (
    "toa do", "location", "gps", "position", "coordinates", "coordinate", "coords", "latlon",
    "lat lon", "latlng", "lat lng", "lat long", "latlong", "vi tri", "point", "geom", "geometry",
    "wkt", "geo", "geopoint", "geo point", "place",
)  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")


@dataclass(frozen=True)
class Together:
    """Headings that together may be one of ours; `is_sure`: their words say so too.

    `others`: what fits as well; then nothing is sure.
    """

    headings: tuple[str, ...]
    is_sure: bool
    evidence: str
    others: tuple[tuple[str, ...], ...] = ()


def date_and_hour(frame: pl.DataFrame) -> Together | None:
    """The columns of dates and of times of day; None where there is none of one of them.

    `frame`: a sample of the columns that nothing is read from yet.

    >>> rows = pl.DataFrame({"Ngày đo": ["05/10/2026"] * 3, "Giờ đo": ["07:30", "8:05", "21:00"]})
    >>> date_and_hour(rows).headings
    ('Ngày đo', 'Giờ đo')
    """
    some = frame.head(_ROWS)
    dates = _columns(some, _is_date)
    hours = _columns(some, _is_hour)
    pairs = [(day, hour) for day in dates for hour in hours]
    if not pairs:
        return None
    alike = [one for one in pairs if _rest(one[0], _DATE_WORDS) == _rest(one[1], _HOUR_WORDS)]
    best = (alike or pairs)[0]
    others = tuple(one for one in pairs if one != best)
    is_named = _has(best[0], _DATE_WORDS) and _has(best[1], _HOUR_WORDS)
    is_sure = is_named and (not others or len(alike) == 1)
    shown = ", ".join(f"{name}: {_example(some[name])}" for name in best)
    return Together(best, is_sure, shown, () if is_sure else others)


def place_in_one(frame: pl.DataFrame) -> Together | None:
    """The column that holds latitude and longitude; None where there is none.

    >>> rows = pl.DataFrame({"Tọa độ": ["22.386, 103.470", "22.40, 103.5"]})
    >>> place_in_one(rows).headings
    ('Tọa độ',)
    """
    some = frame.head(_ROWS)
    found = _columns(some, _is_place)
    if not found:
        return None
    named = [name for name in found if _has(name, _PLACE_WORDS)]
    best = (named or found)[0]
    others = tuple((one,) for one in found if one != best)
    is_sure = len(named) == 1
    evidence = f"{best}: {_example(some[best])}"
    return Together((best,), is_sure, evidence, () if is_sure else others)


def _columns(frame: pl.DataFrame, fits: Callable[[pl.Series], bool]) -> list[str]:
    return [name for name in frame.columns if fits(frame[name])]


def _is_date(cells: pl.Series) -> bool:
    if cells.dtype == pl.Date:
        return True
    if isinstance(cells.dtype, pl.Datetime):
        return len(cells.drop_nulls()) > 0 and bool(
            (cells.drop_nulls().dt.time().cast(pl.Int64) == 0).all()
        )
    return _most(cells, _DATE)


def _is_hour(cells: pl.Series) -> bool:
    if cells.dtype == pl.Time or isinstance(cells.dtype, pl.Duration):
        return True
    if cells.dtype.is_float():  # a spreadsheet's share of a day
        held = cells.drop_nulls()
        fits = len(held) > 0 and bool(held.is_between(0, 1, closed="left").all())
        return fits and _has(cells.name, _HOUR_WORDS)
    if cells.dtype.is_integer() or _most(cells, r"^\d{1,2}$"):
        held = cells.cast(pl.String).str.strip_chars().cast(pl.Int64, strict=False).drop_nulls()
        return len(held) > 0 and bool((held <= 24).all()) and _has(cells.name, ("gio", "hour"))
    return _most(cells, _HOUR)


def _is_place(cells: pl.Series) -> bool:
    return cells.dtype == pl.String and _most(cells, _PLACE)


def _most(cells: pl.Series, pattern: str) -> bool:
    """Whether most filled cells match."""
    if cells.dtype != pl.String:
        return False
    held = cells.drop_nulls().str.strip_chars()
    held = held.filter(~held.str.to_lowercase().is_in(["", "-", "n/a", "na", "null"]))
    return len(held) > 0 and int(held.str.contains(pattern).sum()) >= _MOST * len(held)


def _words(heading: str) -> str:
    return f" {folded(_CAMEL.sub(' ', heading))} "


def _has(heading: str, words: tuple[str, ...]) -> bool:
    return any(f" {word} " in _words(heading) for word in words)


def _rest(heading: str, words: tuple[str, ...]) -> str:
    """The heading without the words for a date or hour: `Ngày đo` and `Giờ đo` have the same."""
    rest = _words(heading)
    for word in words:
        rest = rest.replace(f" {word} ", " ")
    return rest.strip()


def _example(cells: pl.Series) -> str:
    held = cells.drop_nulls()
    return str(held[0]) if len(held) else ""
