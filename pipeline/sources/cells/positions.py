"""How positions are written, decided by all cells; columns → degrees in EPSG:4326.

They come as degrees, degrees and minutes, scaled or projected numbers, in one column or two.
Swapped columns and coordinates of an unstated CRS are questions. Does not belong here: in which
commune a point lies, whether a row counts (`prepare.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import polars as pl
from pyproj import CRS, Transformer
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import CRSError

from pipeline.schema.errors import Fault
from pipeline.schema.texts import Said, joined, said
from pipeline.sources.cells.decision import Decision

Bounds = tuple[float, float, float, float]  # west, south, east, north in degrees
Kind = Literal["degrees", "minutes", "scaled", "grouped", "nmea", "projected"]
SCALES = (1e6, 1e7, 1e5)
_MARGIN = 0.05  # degrees around the area: tests at its border belong to it
_SWAPPED_SHARE = 0.5  # of the positions lie inside when swapped, and hardly any as they stand
_HARDLY = 0.05  # of the positions lie inside: another CRS is looked for
_TRIED = 2_000  # positions with which a CRS is tried
_NAMED = 4  # likely CRS that a question names
_WEB_MERCATOR = 3857

_LETTERS = "NSEWBĐDT"
_WORD = "BẮC|NAM|ĐÔNG|TÂY|NORTH|SOUTH|EAST|WEST"
_SIDE = rf"((?:{_WORD})\b|[{_LETTERS}])?"
_MINUTES = (
    rf"^{_SIDE}[\s.:]*([+-]?\d{{1,3}}(?:\.\d+)?)\s*[°:\s]?\s*"
    rf"(?:(\d{{1,2}}(?:\.\d+)?)\s*[':\s]?\s*(?:(\d{{1,2}}(?:\.\d+)?)\s*\"?)?)?\s*{_SIDE}$"
)
_SOUTH_OR_WEST = ("S", "W", "T", "NAM", "TÂY", "SOUTH", "WEST")
_SIGNS = (
    (r"[º˚]|\s*độ\s*", "°"),
    (r"''|[″”“]|\s*giây\s*", '"'),
    (r"[\u2032\u2019\u2018\u00b4`]|\s*phút\s*", "'"),
    (r"(\d)\s*d\s*(\d)", "${1}°${2}"),
    (r"(\d)\s*m\s*(\d)", "${1}'${2}"),
    (r"(\d)s$", '${1}"'),
    (r"(\d),(\d)", "${1}.${2}"),
)
_NUMBER = r"([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
_COMMA_NUMBER = r"([+-]?\d+,\d+)"
_POINT = (
    rf"(?i)^(?:SRID=\d+;\s*)?POINT\s*(?:ZM?|M)?\s*\(\s*{_NUMBER}\s+{_NUMBER}(?:\s+[\d.+-]+)*\s*\)$"
)
_PAIR = rf"^{_NUMBER}\s*[,;|/\s]\s*{_NUMBER}$"
_COMMA_PAIR = rf"^{_COMMA_NUMBER}\s*[,;|/\s]\s*{_COMMA_NUMBER}$"
_X_LABEL = r"(?i)^\W*(?:longitude|long|lon|lng)\b"
_AROUND = r"""(?i)^geo:|["{}\[\]():=]|\b(?:latitude|longitude|lat|lng|long|lon)\b"""
_MINUTES_PAIR = (
    rf"(?i)^(.*\d[^\d]*[{_LETTERS}])[\s,;/|]+(\d.*)$",
    rf"(?i)^([{_LETTERS}][^{_LETTERS}]*\d[^{_LETTERS}\d]*?)[\s,;/|]*([{_LETTERS}].*)$",
    r"^([^,;]*°[^,;]*)[,;]\s*([^,;]*°[^,;]*)$",
)


@dataclass(frozen=True)
class PositionForm:
    """How the positions of a source are written.

    `kind`: degrees with a decimal mark; degrees with minutes or a letter for the side; numbers
    `scaled` by `scale`; digits `grouped` by thousands marks, where the first mark is the
    decimal one; `nmea` (ddmm.mmm, as GPS receivers write); or `projected` in `crs`. `is_joined`:
    both stand in one column. `is_x_first`: in it, or in projected columns, x comes first.
    """

    kind: Kind = "degrees"
    decimal: str | None = None
    scale: float = 1.0
    is_joined: bool = False
    is_x_first: bool = False
    crs: str | None = None


def share_inside(latitude: pl.Series, longitude: pl.Series, bounds: Bounds) -> float:
    """The share of positions in degrees that lie inside bounds (west, south, east, north).

    Rows without a position are not counted; 0 where no row has one.

    >>> y, x = pl.Series([22.1, 10.0, None]), pl.Series([103.1, 106.0, 103.0])
    >>> share_inside(y, x, (102, 21, 104, 23))
    0.5
    """
    return _inside(latitude, longitude, bounds) / max(1, _held(latitude, longitude))


def _inside(latitude: pl.Series, longitude: pl.Series, bounds: Bounds) -> int:
    west, south, east, north = bounds
    inside = latitude.is_between(south - _MARGIN, north + _MARGIN)
    inside &= longitude.is_between(west - _MARGIN, east + _MARGIN)
    return int(inside.sum())


def _held(latitude: pl.Series, longitude: pl.Series) -> int:
    return int((latitude.is_not_null() & longitude.is_not_null()).sum())


# ---------------------------------------------------------------- reading


def read_positions(
    latitude: pl.Series, longitude: pl.Series | None, form: PositionForm
) -> tuple[pl.Series, pl.Series]:
    """Latitude and longitude in degrees (EPSG:4326), float64.

    Unreadable cells are null, and so is the position 0, 0, which devices write for none.

    >>> cells = pl.Series(["22,105"]), pl.Series(["103,09"])
    >>> [part[0] for part in read_positions(*cells, PositionForm())]
    [22.105, 103.09]
    """
    pair = (
        (latitude, longitude)
        if longitude is not None
        else _split(latitude, is_x_first=form.is_x_first)
    )
    y, x = (_values(cells, form) for cells in pair)
    if form.crs is not None:
        if form.kind == "projected" and not form.is_joined and form.is_x_first:
            y, x = x, y
        y, x = _in_degrees(y, x, form.crs)
    y, x = _somewhere(y, x)
    return y.alias("latitude"), x.alias("longitude")


def _somewhere(y: pl.Series, x: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Positions without 0, 0."""
    nowhere = ((y == 0) & (x == 0)).fill_null(False)
    return (_without(y, nowhere), _without(x, nowhere)) if nowhere.any() else (y, x)


def _values(cells: pl.Series, form: PositionForm) -> pl.Series:
    """The numbers of one column: degrees, or metres where they are projected."""
    if cells.dtype in (pl.Categorical, pl.Enum, pl.Decimal):
        cells = cells.cast(pl.Float64 if cells.dtype == pl.Decimal else pl.String)
    if form.kind == "grouped" and cells.dtype == pl.String:
        text = cells.str.strip_chars().str.replace_all(",", ".", literal=True)
        text = text.str.replace(".", ";", literal=True).str.replace_all(".", "", literal=True)
        return _finite(text.str.replace(";", ".", literal=True).cast(pl.Float64, strict=False))
    numbers = _numbers(cells, form.decimal, is_spaced=form.kind == "projected")
    if form.kind == "scaled":  # NumPy divides exactly, Polars multiplies
        return _finite(pl.Series(numbers.fill_null(np.nan).to_numpy() / form.scale))
    if form.kind == "nmea":
        degrees = (numbers.abs() / 100).floor()
        minutes = numbers.abs() - 100 * degrees
        read = (degrees + minutes / 60) * numbers.sign()
        return _without(read, minutes >= 60)
    if cells.dtype == pl.String and form.kind in ("degrees", "minutes"):
        rows = (numbers.is_null() & cells.is_not_null()).arg_true()
        if len(rows):
            numbers = numbers.scatter(rows, _from_minutes(cells[rows]))
    return numbers


def _numbers(cells: pl.Series, decimal: str | None, *, is_spaced: bool = False) -> pl.Series:
    """Float64 of numbers with a decimal point or comma; with both marks, the last is decimal.

    `is_spaced`: blanks separate thousands; else they stand between degrees and minutes.
    """
    if cells.dtype != pl.String:
        return _finite(cells.cast(pl.Float64, strict=False))
    read = cells.cast(pl.Float64, strict=False)
    rows = (read.is_null() & cells.is_not_null()).arg_true()
    if len(rows) and decimal != ".":
        with_comma = cells[rows].str.strip_chars().str.replace(",", ".", literal=True)
        read = read.scatter(rows, with_comma.cast(pl.Float64, strict=False))
        rows = rows.filter(read[rows].is_null())
    if len(rows):
        text = cells[rows].str.strip_chars().str.replace(r"^['’](.*?)['’]?$", "$1")
        if is_spaced:
            text = text.str.replace_all(r"[\s\u00a0\u202f'’]", "")
        if decimal is not None:
            other = "," if decimal == "." else "."
            plain = text.str.replace_all(other, "", literal=True)
        else:
            frame = pl.DataFrame({"t": text})
            points, commas = (
                pl.col("t").str.count_matches(r"\."),
                pl.col("t").str.count_matches(","),
            )
            point_last = pl.col("t").str.contains(r"\.[^,]*$")
            plain = frame.select(
                pl.when((commas > 1) | ((commas > 0) & (points == 1) & point_last))
                .then(pl.col("t").str.replace_all(",", "", literal=True))
                .when((points > 1) | (points > 0) & (commas > 0))
                .then(pl.col("t").str.replace_all(".", "", literal=True))
                .otherwise(pl.col("t"))
            ).to_series()
        plain = plain.str.replace(",", ".", literal=True)
        read = read.scatter(rows, plain.cast(pl.Float64, strict=False))
    return _finite(read)


def _from_minutes(cells: pl.Series) -> pl.Series:
    r"""Degrees of texts with degrees, minutes, seconds or a letter for the side.

    >>> text = pl.Series(["22°23'45.6\"N", "N22.396", "22°23,76'", "103 27 15,5 Đ"])
    >>> [round(value, 6) for value in _from_minutes(text)]
    [22.396, 22.396, 22.396, 103.454306]
    """
    text = cells.str.normalize("NFC").str.replace_all(r"[\s\u00a0\u202f]+", " ").str.strip_chars()
    for pattern, written in _SIGNS:
        if text.str.contains(pattern).any():
            text = text.str.replace_all(pattern, written)
    parts = text.str.to_uppercase().str.extract_groups(_MINUTES).struct.unnest()
    before, degrees, minutes, seconds, behind = parts.get_columns()
    degrees = degrees.cast(pl.Float64)
    minutes, seconds = (part.cast(pl.Float64).fill_null(0.0) for part in (minutes, seconds))
    read = degrees.abs() + minutes / 60 + seconds / 3600
    side = pl.select(pl.coalesce(before, behind)).to_series()
    down = degrees.is_in([-0.0]) & text.str.starts_with("-")
    down |= (degrees < 0) | side.is_in(_SOUTH_OR_WEST).fill_null(False)
    read = pl.select(pl.when(down).then(-read).otherwise(read)).to_series()
    twice = before.is_not_null() & behind.is_not_null()
    return _without(read, (minutes >= 60) | (seconds >= 60) | twice)


def _split(cells: pl.Series, *, is_x_first: bool) -> tuple[pl.Series, pl.Series]:
    """Latitude and longitude of pairs in one column, as texts; null where a cell is no pair.

    Pairs are such as `22.3, 103.4`, `(22,3; 103,4)` or `POINT(103.4 22.3)`. `is_x_first`: in pairs
    that do not say so themselves, as points of WKT and labels do.
    """
    if cells.dtype != pl.String:
        nothing = pl.repeat(None, len(cells), dtype=pl.String(), eager=True)
        return nothing, nothing
    text = cells.str.strip_chars()
    x, y = _groups(text, _POINT)
    has_label = text.str.contains(_X_LABEL).fill_null(False)
    if has_label.any():
        rows = has_label.arg_true()
        first, second = _split_pairs(text[rows])
        x, y = x.scatter(rows, first), y.scatter(rows, second)
    rows = (y.is_null() & text.is_not_null()).arg_true()
    if len(rows):
        first, second = _split_pairs(text[rows])
        more = (second, first) if is_x_first else (first, second)
        y, x = y.scatter(rows, more[0]), x.scatter(rows, more[1])
    return y, x


def _split_pairs(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    bare = text.str.replace_all(_AROUND, " ").str.replace_all(r"\s+", " ")
    bare = bare.str.replace_all(" , ", ", ", literal=True).str.strip_chars(" ,;")
    first, second = _groups(bare, _PAIR)
    first, second = _completed(first, second, bare, _COMMA_PAIR)
    signs = text.str.replace_all(r"[()\[\]]", "").str.strip_chars()
    for pattern in _MINUTES_PAIR:
        first, second = _completed(first, second, signs, pattern)
    return first, second


def _groups(text: pl.Series, pattern: str) -> tuple[pl.Series, pl.Series]:
    found = text.str.extract_groups(pattern).struct.unnest()
    return found.to_series(0), found.to_series(1)


def _completed(
    first: pl.Series, second: pl.Series, text: pl.Series, pattern: str
) -> tuple[pl.Series, pl.Series]:
    rows = (first.is_null() & text.is_not_null()).arg_true()
    if not len(rows):
        return first, second
    more = _groups(text[rows], pattern)
    return first.scatter(rows, more[0]), second.scatter(rows, more[1])


@lru_cache(maxsize=64)
def _transformer(crs: str) -> Transformer:
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def _in_degrees(y: pl.Series, x: pl.Series, crs: str) -> tuple[pl.Series, pl.Series]:
    """Latitude and longitude of coordinates in a CRS; null where there are none."""
    easting, northing = (part.fill_null(np.nan).to_numpy() for part in (x, y))
    longitude, latitude = _transformer(crs).transform(easting, northing)
    return _finite(pl.Series(np.asarray(latitude))), _finite(pl.Series(np.asarray(longitude)))


# ---------------------------------------------------------------- deciding


def decide_positions(
    latitude: pl.Series,
    longitude: pl.Series | None,
    bounds: Bounds | None,
    *,
    crs: str | None = None,
    decimal: str | None = None,
) -> Decision[PositionForm]:
    """How positions are written, by all cells; or the question that they leave open.

    `longitude`: None where both stand in one column. `bounds` (west, south, east, north, degrees):
    of the communes, or None. `crs`: the settings' CRS of this source. Their names stand in the
    question's lines.
    """
    is_joined = longitude is None
    first, second = (
        (latitude, longitude) if longitude is not None else _split(latitude, is_x_first=False)
    )
    form = PositionForm(_kind(first, second), decimal, is_joined=is_joined)
    y, x = (_values(cells, form) for cells in (first, second))
    if is_joined and _over(y, 90) > 0.5 >= _over(x, 90):  # no latitude is above 90
        first, second = _split(latitude, is_x_first=True)
        form = replace(form, is_x_first=True)
        y, x = (_values(cells, form) for cells in (first, second))
    y, x = _somewhere(y, x)
    held = _held(y, x)
    if not held:
        return _unreadable(latitude, longitude)
    if crs is not None:
        return _decided_in_crs(y, x, bounds, form, crs)
    if _over(y, 180) > 0.5 or _over(x, 360) > 0.5:
        return _decided_large(y, x, bounds, form)
    evidence = _evidence(held, _shown(form), None if bounds is None else _inside(y, x, bounds))
    if question := _swapped(y, x, bounds, latitude, longitude):
        return Decision(None, "values", evidence, question)
    return Decision(form, "cells", evidence)


_FORMS = {
    "degrees": "degrees",
    "minutes": "degrees_minutes",
    "grouped": "degrees_grouped",
    "projected": "projected",
}  # by kind, their keys in the catalogues


def _shown(form: PositionForm) -> str:
    if form.kind == "scaled":
        return joined(said("degrees"), form.scale, by=" × ")
    return "ddmm.mmm" if form.kind == "nmea" else said(_FORMS[form.kind])


def _evidence(held: int, form: str, inside: int | None, *more: Said) -> Said:
    """How many positions are written how, and how many of them lie in the area, if it is known."""
    where = "" if inside is None else said("inside", count=inside)
    where = joined(where, *more, by=", ")
    return joined(said("positions", count=held, form=form), where)


def _kind(first: pl.Series, second: pl.Series) -> Kind:
    """How two columns write their numbers, before a look at their size."""
    kinds = (pl.String, pl.Categorical)
    texts = [cells.cast(pl.String) for cells in (first, second) if cells.dtype in kinds]
    filled = [text.filter(text.str.contains(r"\d").fill_null(False)) for text in texts]
    filled = [text for text in filled if len(text)]
    if not filled:
        return "degrees"
    grouped = r"^[+-]?\d{1,3}([.,])\d{3}(?:[.,]\d{1,3})+$"
    if all(text.str.strip_chars().str.contains(grouped).mean() > 0.5 for text in filled):  # type: ignore[operator]
        degrees = [_values(text, PositionForm("grouped")) for text in filled]
        if all(_over(cells, 180) < 0.5 for cells in degrees):
            return "grouped"
    spaced = r"^[+-]?\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d+)?$"
    if all(text.str.strip_chars().str.contains(spaced).mean() > 0.5 for text in filled):  # type: ignore[operator]
        return "projected"
    # figures alone are degrees; signs, letters or three numbers are minutes
    signs = any(
        text.str.contains(rf"(?i)[°º˚'\u2032\u2019\"”″:{_LETTERS}]|độ|\d[ ]\d").any()
        for text in filled
    )
    return "minutes" if signs else "degrees"


def _over(cells: pl.Series, limit: float) -> float:
    """The share of numbers whose size is above a limit; 0 of none."""
    held = cells.drop_nulls()
    return float((held.abs() > limit).mean()) if len(held) else 0.0  # type: ignore[arg-type]


def _swapped(
    y: pl.Series,
    x: pl.Series,
    bounds: Bounds | None,
    latitude: pl.Series,
    longitude: pl.Series | None,
) -> Fault | None:
    """The question where positions fit only when latitude and longitude are swapped."""
    held = _held(y, x)
    if bounds is None:
        standing = held - int(((y.abs() > 90) & x.is_not_null()).sum())
        turned = held - int(((x.abs() > 90) & y.is_not_null()).sum())
    else:
        standing, turned = _inside(y, x, bounds), _inside(x, y, bounds)
    if turned < _SWAPPED_SHARE * held or standing > 0.1 * turned:
        return None
    found = joined(joined(standing, held, by=" / "), joined(turned, held, by=" / "), by=" → ")
    lines = []
    if longitude is not None:
        lines = [f"latitude = {_quoted(longitude.name)}", f"longitude = {_quoted(latitude.name)}"]
    return Fault("position_swapped", values={"found": found, "lines": lines})


def _decided_large(
    y: pl.Series, x: pl.Series, bounds: Bounds | None, form: PositionForm
) -> Decision[PositionForm]:
    """Numbers too large for degrees: scaled, ddmm.mmm, or projected."""
    held = _held(y, x)
    plain = replace(form, kind="degrees")
    tries = [replace(plain, kind="scaled", scale=scale) for scale in SCALES]
    tries.append(replace(plain, kind="nmea"))
    best: tuple[int, PositionForm] | None = None
    sizes = sorted(float(np.median(np.abs(cells.drop_nulls()))) for cells in (y, x))
    metres = 1e5 <= sizes[0] < 1e6 and sizes[1] < 1.1e7
    for one in tries:
        # `y` and `x` are in order already
        lat, lon = (_values(cells, replace(one, is_joined=False)) for cells in (y, x))
        if _over(lat, 90) or _over(lon, 180) or _held(lat, lon) < held:
            continue
        if bounds is None:
            # without an area: metres of a zone are no degrees near Greenwich
            fits = held if one.kind == "scaled" and one.scale > 1e5 and not metres else 0
        else:
            fits = _inside(lat, lon, bounds)
        if fits > 0.5 * held and (best is None or fits > best[0]):
            best = (fits, one)
    if best is not None:
        fits, found = best
        inside = None if bounds is None else fits
        return Decision(found, "values", _evidence(held, _shown(found), inside))
    return _which_crs(y, x, [] if bounds is None else _likely_crs(y, x, bounds))


def _decided_in_crs(
    y: pl.Series, x: pl.Series, bounds: Bounds | None, form: PositionForm, crs: str
) -> Decision[PositionForm]:
    """Positions in the settings' CRS; the axes by which order lies in the area."""
    try:
        meant = CRS.from_user_input(crs)
    except CRSError:
        return Decision(None, "settings", crs, Fault("bad_crs", values={"found": crs}))
    held = _held(y, x)
    if meant.is_geographic:
        wgs84 = meant.equals(CRS.from_epsg(4326), ignore_axis_order=True)
        kept = replace(form, crs=None if wgs84 else crs)
        return Decision(kept, "settings", _evidence(held, crs, None))
    if _over(y, 180) <= 0.5 and _over(x, 360) <= 0.5:
        values: dict[str, object] = {"found": crs, "lines": ['crs = "EPSG:4326"']}
        return Decision(None, "settings", crs, Fault("position_not_projected", values=values))
    form = replace(form, kind="projected", crs=crs)
    if bounds is None:  # in Vietnam, and north of 10 degrees, northings are the larger
        turned = (x.abs().median() or 0) > (y.abs().median() or 0)  # type: ignore[operator]
        inside = None
    else:
        counts = [_inside(*_in_degrees(*pair, crs), bounds) for pair in ((y, x), (x, y))]
        turned = counts[1] > counts[0]
        if max(counts) < _HARDLY * held:
            likely = _likely_crs(y, x, bounds)
            if likely and likely[0][2] >= _SWAPPED_SHARE * held:
                return _which_crs(y, x, likely)
        inside = max(counts)
    if not turned:
        return Decision(form, "settings", _evidence(held, crs, inside))
    form = replace(form, is_x_first=not form.is_x_first)
    return Decision(form, "settings", _evidence(held, crs, inside, said("northing_first")))


def _which_crs(
    y: pl.Series, x: pl.Series, likely: list[tuple[str, str, int]]
) -> Decision[PositionForm]:
    """The question in which CRS positions are; `likely`: codes that put most in the area."""
    held = _held(y, x)
    examples = [round(float(cells.drop_nulls()[0]), 2) for cells in (y, x)]
    fits = [joined(f"{name} ({code}): ", count, " / ", held, by="") for code, name, count in likely]
    lines = [f'crs = "{code}"' for code, _, _ in likely] or ['crs = "EPSG:…"']
    found = joined(*examples, *fits)
    return Decision(
        None, "values", found, Fault("position_crs", values={"found": found, "lines": lines})
    )


def _likely_crs(y: pl.Series, x: pl.Series, bounds: Bounds) -> list[tuple[str, str, int]]:
    """Code, name and positions inside the area, the likeliest first, with counts of all rows.

    Neighbouring zones may both lie inside; the one nearer to the area's middle stands first.
    """
    frame = pl.DataFrame({"y": y, "x": x}).drop_nulls()
    step = max(1, len(frame) // _TRIED)
    tried = frame.gather_every(step)
    middle = ((bounds[1] + bounds[3]) / 2, (bounds[0] + bounds[2]) / 2)
    found = []
    for code, name in _candidates(bounds):
        for pair in ((tried["y"], tried["x"]), (tried["x"], tried["y"])):
            lat, lon = _in_degrees(*pair, code)
            if inside := _inside(lat, lon, bounds):
                away = abs(_median(lat) - middle[0]) + abs(_median(lon) - middle[1])
                found.append((-inside, round(away, 3), code, name, pair[0].name == "x"))
    found.sort()
    likeliest: dict[str, tuple[str, bool]] = {}  # of a code's two orders of axes the better one
    for _, _, code, name, turned in found:
        likeliest.setdefault(code, (name, turned))
    result = []
    for code, (name, turned) in list(likeliest.items())[:_NAMED]:
        pair = (frame["x"], frame["y"]) if turned else (frame["y"], frame["x"])
        result.append((code, name, _inside(*_in_degrees(*pair, code), bounds)))
    return result


def _median(cells: pl.Series) -> float:
    return float(cells.median() or 0.0)  # type: ignore[arg-type]


def _candidates(bounds: Bounds) -> Iterable[tuple[str, str]]:
    """Codes and names of projected CRS usual in Vietnam or in the UTM zones of the area."""
    zones = {int((longitude + 180) // 6) + 1 for longitude in (bounds[0], bounds[2])}
    zones |= {zone + step for zone in zones for step in (-1, 1)}
    utm = {f"WGS 84 / UTM zone {zone}{side}" for zone in zones for side in ("N", "S")}
    known = query_crs_info(auth_name="EPSG", pj_types=PJType.PROJECTED_CRS)
    for info in known:
        if info.name.startswith("VN-2000") or info.name in utm or info.code == str(_WEB_MERCATOR):
            yield f"EPSG:{info.code}", info.name


def _unreadable(latitude: pl.Series, longitude: pl.Series | None) -> Decision[PositionForm]:
    columns = [latitude] if longitude is None else [latitude, longitude]
    examples = [str(cell) for column in columns for cell in column.drop_nulls()[:2]]
    if not any(any(c.isdigit() for c in text) for text in examples):
        return Decision(PositionForm(is_joined=longitude is None), "default", said("no_position"))
    found = ", ".join(examples)
    values: dict[str, object] = {"found": found, "lines": []}
    return Decision(None, "cells", found, Fault("position_unreadable", values=values))


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _finite(cells: pl.Series) -> pl.Series:
    return _without(cells, ~cells.is_finite())


def _without(column: pl.Series, rows: pl.Series) -> pl.Series:
    found: pl.Series = pl.select(pl.when(~rows).then(column)).to_series()
    return found.alias(column.name)
