"""Where a boundary file lies: its CRS, tested against its numbers. A CRS is never guessed.

A contradiction is a fault with the likely answer as a settings line: degrees called metres, metres
called degrees, swapped axes, a zone that puts the communes elsewhere.
Does not belong here: the shift between two files (`alignment.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyproj
import shapely

from pipeline.schema.errors import Fault
from pipeline.sources.boundaries import official
from pipeline.sources.boundaries.reading import Part

WGS84 = "EPSG:4326"
_MAX_LONGITUDE = 360.0  # some files count 0 to 360
_BESIDE_AREA = 5.0  # degrees beside a CRS's area of use that are still believed
_NEAR_KM = 25.0  # of the official places; farther off no CRS is proposed as likely
_CLEAR = 3.0  # times as far as the best candidate any other must be
_NAMED = 8
# beside all of VN-2000
_USUAL = ("EPSG:32648", "EPSG:32649", "EPSG:3857")
_NATIONAL = (*_USUAL, "EPSG:3405", "EPSG:3406")
Basis = Literal["file", "settings"]


@dataclass(frozen=True)
class Placed:
    """Shapes in EPSG:4326, the CRS they came in, and how that is known."""

    shapes: np.ndarray
    name: str
    basis: Basis


def placed(
    parts: Sequence[Part], setting: str | None, *, swap_axes: bool, codes: pd.Series | None
) -> tuple[Placed | None, list[Fault], list[Fault]]:
    """(shapes in EPSG:4326, warnings, faults) of the parts' shapes, in their order.

    `setting`: the CRS of the settings, which goes before what the files state. `codes`: commune
    codes as evidence for a likely CRS.
    """
    warnings: list[Fault] = []
    faults: list[Fault] = []
    shapes: list[np.ndarray] = []
    used: list[str] = []
    start = 0
    given = None
    if setting is not None:
        try:
            given = pyproj.CRS.from_user_input(setting)
        except pyproj.exceptions.CRSError:
            return None, [], [Fault("bad_crs", parts[0].file, values={"found": setting})]
    for part in parts:
        own = None if codes is None else codes.iloc[start : start + len(part.frame)]
        start += len(part.frame)
        stated = None if _is_local(part.frame.crs) else part.frame.crs
        raw = part.frame.geometry.to_numpy()
        raw = shapely.transform(raw, lambda xy: xy[:, ::-1]) if swap_axes else raw
        crs = given or stated
        found = (
            [_no_crs(part.file, raw, own)]
            if crs is None
            else _contradiction(part.file, raw, crs, own)
        )
        if found or crs is None:
            faults += found
            continue
        if given is not None and stated is not None and not given.equals(stated):
            warnings.append(
                Fault("crs_instead", part.file, values={"found": stated.name, "used": given.name})
            )
        shapes.append(_transformed(raw, crs))
        used.append(_name(crs))
    if faults:
        return None, warnings, _grouped(faults, len(parts))
    if len(set(used)) > 1:
        warnings.append(Fault("several_crs", values={"found": sorted(set(used))}))
    basis: Basis = "settings" if given is not None else "file"
    return Placed(np.concatenate(shapes), ", ".join(sorted(set(used))), basis), warnings, []


def _grouped(faults: list[Fault], count: int) -> list[Fault]:
    """One fault of each kind: a folder of 38 files has the same one 38 times."""
    first: dict[str, Fault] = {}
    for one in faults:
        first.setdefault(one.code, one)
    for code, one in first.items():
        number = sum(f.code == code for f in faults)
        if number > 1:
            file = f"{one.file} (+ {number - 1}/{count - 1})"
            first[code] = Fault(one.code, file, one.row, one.column, one.values)
    return list(first.values())


def _name(crs: pyproj.CRS) -> str:
    code = crs.to_epsg()
    if code is None and crs.name in ("WGS 84 (CRS84)", "OGC:CRS84"):
        return "OGC:CRS84"
    return f"EPSG:{code} ({crs.name})" if code else str(crs.name)


def _is_local(crs: pyproj.CRS | None) -> bool:
    """Whether a stated CRS is tied to no place on Earth, as `LOCAL_CS["unknown"]` in a .prj."""
    return crs is not None and not (crs.is_geographic or crs.is_projected or crs.is_geocentric)


def _transformed(shapes: np.ndarray, crs: pyproj.CRS) -> np.ndarray:
    if crs.equals(WGS84) or crs.to_epsg() == 4326:
        return shapes
    transformer = pyproj.Transformer.from_crs(crs, WGS84, always_xy=True)
    return np.asarray(
        shapely.transform(
            shapes, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
        )
    )


def _bounds(shapes: np.ndarray) -> tuple[float, float, float, float] | None:
    if not np.isfinite(bounds := shapely.total_bounds(shapes)).all():
        return None
    west, south, east, north = bounds.tolist()
    return west, south, east, north


def _shown(bounds: Sequence[float]) -> str:
    west, south, east, north = bounds
    digits = 3 if max(map(abs, bounds)) <= 1000 else 0
    return f"{west:.{digits}f} – {east:.{digits}f}, {south:.{digits}f} – {north:.{digits}f}"


def _no_crs(file: str, shapes: np.ndarray, codes: pd.Series | None) -> Fault:
    bounds = _bounds(shapes)
    if bounds is None:
        return Fault("no_crs", file, values={"found": "–", "lines": 'crs = "EPSG:…"'})
    return Fault("no_crs", file, values={"found": _shown(bounds), "lines": _lines(shapes, codes)})


def _contradiction(  # noqa: PLR0911 - a contradiction each
    file: str, shapes: np.ndarray, crs: pyproj.CRS, codes: pd.Series | None
) -> list[Fault]:
    """What the numbers say against the CRS."""
    bounds = _bounds(shapes)
    if bounds is None:
        return []  # nothing has a shape: reported by row
    west, south, east, north = bounds
    values: dict[str, object] = {"found": _shown(bounds), "crs": _name(crs)}
    across, up = max(abs(west), abs(east)), max(abs(south), abs(north))
    if crs.is_geographic:
        if up <= 90 and across <= _MAX_LONGITUDE:
            return []
        if across <= 90 and up <= _MAX_LONGITUDE:
            return [Fault("axes_swapped", file, values=values | {"lines": "swap_axes = true"})]
        lines = _lines(shapes, codes)
        return [Fault("crs_metres", file, values=values | {"lines": lines})]
    if across <= _MAX_LONGITUDE and up <= _MAX_LONGITUDE:
        return [Fault("crs_degrees", file, values=values | {"lines": _lines(shapes, codes)})]
    if _lies_in_use(bounds, crs):
        return []
    if _lies_in_use((south, west, north, east), crs):
        return [Fault("axes_swapped", file, values=values | {"lines": "swap_axes = true"})]
    return [Fault("crs_elsewhere", file, values=values | {"lines": _lines(shapes, codes)})]


def _corners(bounds: Sequence[float], crs: pyproj.CRS) -> tuple[float, float, float, float] | None:
    west, south, east, north = bounds
    transformer = pyproj.Transformer.from_crs(crs, WGS84, always_xy=True)
    x, y = transformer.transform(
        [west, east, west, east, (west + east) / 2],
        [south, south, north, north, (south + north) / 2],
    )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    return min(x), min(y), max(x), max(y)


def _lies_in_use(bounds: Sequence[float], crs: pyproj.CRS) -> bool:
    there = _corners(bounds, crs)
    if there is None:
        return False
    use = crs.area_of_use
    if use is None:
        return True
    west, south, east, north = there
    if use.west > use.east:  # across the antimeridian
        return north >= use.south - _BESIDE_AREA and south <= use.north + _BESIDE_AREA
    return (
        east >= use.west - _BESIDE_AREA
        and west <= use.east + _BESIDE_AREA
        and north >= use.south - _BESIDE_AREA
        and south <= use.north + _BESIDE_AREA
    )


def _lines(shapes: np.ndarray, codes: pd.Series | None) -> str:
    """The settings line with the likely CRS, or with those among which only the user can choose."""
    found = candidates(shapes, codes)
    if len(found) == 1:
        return f'crs = "{found[0]}"'
    return 'crs = "EPSG:…"' + (f" ({' | '.join(found[:_NAMED])})" if found else "")


def candidates(shapes: np.ndarray, codes: pd.Series | None) -> list[str]:
    """EPSG codes under which shapes lie in Vietnam, best first; one alone where codes prove it.

    Numbers that can only be degrees are EPSG:4326 anywhere. Where most codes are of the official
    list, the one under which their communes lie at their places.
    """
    bounds = _bounds(shapes)
    if bounds is None:
        return []
    west, south, east, north = bounds
    if max(abs(west), abs(east)) <= 180 and max(abs(south), abs(north)) <= 90:
        return [WGS84]
    if max(abs(west), abs(east), abs(south), abs(north)) <= _MAX_LONGITUDE:
        return []
    middle = shapely.centroid(shapes)
    known = ~(shapely.is_missing(middle) | shapely.is_empty(middle))
    x, y = shapely.get_x(middle[known]), shapely.get_y(middle[known])
    found: list[tuple[float, float, str]] = []
    for name in _possible():
        crs = pyproj.CRS.from_user_input(name)
        lon, lat = pyproj.Transformer.from_crs(crs, WGS84, always_xy=True).transform(x, y)
        inside = (lon >= official.COUNTRY[0]) & (lon <= official.COUNTRY[2])
        inside &= (lat >= official.COUNTRY[1]) & (lat <= official.COUNTRY[3])
        if not len(inside) or inside.mean() < 0.9:
            continue
        off = np.inf
        if codes is not None:
            km = official.distance_km(codes[known], lon, lat)
            if np.isfinite(km).mean() >= 0.5:
                off = float(np.nanmedian(km))
        use = crs.area_of_use  # zones beside the province come after its own
        centre = (use.west + use.east) / 2 if use else 0.0
        found.append((off, abs(float(np.median(lon)) - centre), name))
    found.sort()
    if found and found[0][0] <= _NEAR_KM:
        return [name for off, _, name in found if off <= _CLEAR * max(found[0][0], 1.0)]
    # the national zones before the many of provinces: the list is cut
    return sorted((name for _, _, name in found), key=lambda name: name not in _NATIONAL)


def _possible() -> list[str]:
    """Vietnam's projected CRSs, as PROJ's database lists them, and a few general ones."""
    met = pyproj.database.query_crs_info(
        auth_name="EPSG", pj_types=pyproj.enums.PJType.PROJECTED_CRS
    )
    vietnamese = sorted({int(one.code) for one in met if one.name.startswith("VN-2000 /")})
    return [*_USUAL, *(f"EPSG:{code}" for code in vietnamese)]
