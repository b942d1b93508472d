"""Sound outlines: polygons only, split at the antimeridian, rings that do not cross themselves.

Every change is reported, grouped by kind, with its size in m². Does not belong here: where shapes
lie (`crs.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from shapely import affinity

from pipeline.schema.errors import Fault

SLIVER_SHARE = 1e-4  # overlaps below this share of the smaller commune are digitising noise
_SAME_LEVEL_SHARE = 0.9  # of a commune's area inside another one: they are not of one level
_NAMED = 5
_MAX_POINTS_OF_GAPS = 3_000_000  # vertices; their union takes some 5 s
_GEOD = pyproj.Geod(ellps="WGS84")


def areas_km2(outlines: np.ndarray) -> np.ndarray:
    """Geodesic areas on WGS 84: of every outer ring, less those of its holes.

    Source: Karney, J. Geodesy 87, 2013 (pyproj).
    """
    parts, of_part = shapely.get_parts(outlines, return_index=True)
    if not len(parts):
        return np.zeros(len(outlines))
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    points = (shapely.get_coordinates(ring).T for ring in rings)
    areas = np.array([abs(_GEOD.polygon_area_perimeter(lon, lat)[0]) / 1e6 for lon, lat in points])
    is_outer = np.r_[True, np.diff(of_ring) > 0]  # a part's rings begin with it
    return np.bincount(
        of_part[of_ring], weights=np.where(is_outer, areas, -areas), minlength=len(outlines)
    )


def polygonal(shapes: np.ndarray) -> np.ndarray:
    """The polygon parts of shapes; empty where there are none.

    Collections and `make_valid` bring points and lines beside polygons.
    """
    return np.array([_polygons(shape) for shape in shapes], dtype=object)


def _polygons(shape: Any) -> Any:  # noqa: ANN401 - shapely's classes differ by kind
    if shape is None or shape.is_empty:
        return shapely.Polygon()
    if shape.geom_type == "Polygon":
        return shape
    flat, found = [shape], []
    while flat:
        one = flat.pop()
        if one.geom_type == "Polygon":
            found.append(one)
        elif hasattr(one, "geoms"):
            flat.extend(reversed(one.geoms))
    kept = [polygon for polygon in found if not polygon.is_empty]
    if len(kept) == len(found) and shape.geom_type == "MultiPolygon":
        return shape
    if not kept:
        return shapely.Polygon()
    return kept[0] if len(kept) == 1 else shapely.MultiPolygon(kept)


def sound(
    shapes: np.ndarray, codes: pd.Series, file: str
) -> tuple[np.ndarray, list[Fault], list[Fault]]:
    """(repaired outlines, warnings, faults) of polygons in EPSG:4326.

    Warnings: split at the antimeridian, repaired rings with the change in m², overlaps and gaps
    beyond slivers. Faults: an outline that holds the others, of another administrative level.
    """
    warnings: list[Fault] = []
    names = codes.astype("str").to_numpy()
    outlines, split = split_at_antimeridian(shapes)
    if split.any():
        found = {"count": int(split.sum()), "places": first_of(names[split])}
        warnings.append(Fault("antimeridian", file, values=found))
    faulty = ~shapely.is_valid(outlines)
    if faulty.any():
        outlines, said = _repaired(outlines, faulty, names, file)
        warnings.append(said)
    faults, overlaps = _overlaps(outlines, names, file)
    return outlines, [*warnings, *overlaps, *_gaps(outlines, names, file)], faults


def first_of(items: Sequence[object] | np.ndarray, count: int = _NAMED) -> str:
    """The first items, and how many there are where that is more.

    >>> first_of(["a", "b", "c"], 2)
    'a; b; … (3)'
    """
    shown = [str(item) for item in items[:count]]
    return "; ".join([*shown, f"… ({len(items)})"] if len(items) > count else shown)


def _m2(km2: float) -> str:
    """An area in m² for people, without a thousands mark: a text of both languages."""
    m2 = km2 * 1e6
    return f"{m2:.0f} m²" if m2 >= 10 else f"{m2:.2g} m²"


def _repaired(
    outlines: np.ndarray, faulty: np.ndarray, names: np.ndarray, file: str
) -> tuple[np.ndarray, Fault]:
    before = areas_km2(outlines[faulty])
    reasons = shapely.is_valid_reason(outlines[faulty])
    repaired = polygonal(shapely.make_valid(outlines[faulty]))
    outlines = outlines.copy()
    outlines[faulty] = repaired
    change = np.abs(areas_km2(repaired) - before)
    order = np.argsort(-change, kind="stable")
    items = [f"{names[faulty][i]} ({_m2(change[i])}, {_place(reasons[i])})" for i in order.tolist()]
    values = {"count": int(faulty.sum()), "total": _m2(change.sum()), "places": first_of(items)}
    return outlines, Fault("repaired_outline", file, values=values)


def _place(reason: str) -> str:
    """Where a ring is at fault: `Self-intersection[103.1 22.1]` → `103.10000 22.10000`."""
    inside = reason.partition("[")[2].rstrip("]").split()
    return " ".join(f"{float(number):.5f}" for number in inside) if inside else reason


def _overlaps(
    outlines: np.ndarray, names: np.ndarray, file: str
) -> tuple[list[Fault], list[Fault]]:
    """(faults, warnings) on communes that lie in each other or overlap by more than slivers."""
    first, second, shared = overlapping(outlines)
    planar = shapely.area(outlines)
    inside_first = shapely.area(shared) >= _SAME_LEVEL_SHARE * planar[second]
    inside_second = shapely.area(shared) >= _SAME_LEVEL_SHARE * planar[first]
    held = np.bincount(first[inside_first], minlength=len(outlines))
    held += np.bincount(second[inside_second], minlength=len(outlines))
    holder = int(held.argmax()) if len(held) else 0
    if len(outlines) > 2 and held[holder] >= max(2, 0.5 * (len(outlines) - 1)):
        values = {"found": names[holder], "count": int(held[holder])}
        return [Fault("another_level", file, values=values)], []
    if not len(first):
        return [], []
    km2 = areas_km2(shared)
    order = np.argsort(-km2, kind="stable")
    items = [f"{names[first[i]]} – {names[second[i]]} ({_m2(km2[i])})" for i in order.tolist()]
    values = {"count": len(first), "total": _m2(km2.sum()), "places": first_of(items)}
    return [], [Fault("overlap", file, values=values)]


def overlapping(
    outlines: np.ndarray, share: float = SLIVER_SHARE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first, second, common polygons) of outlines that overlap.

    Overlaps up to `share` of the smaller one are slivers and left out.
    """
    one, other = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    pairs = one < other
    one, other = one[pairs], other[pairs]
    common = shapely.intersection(outlines[one], outlines[other])
    smaller = np.minimum(shapely.area(outlines[one]), shapely.area(outlines[other]))
    kept = shapely.area(common) > share * smaller
    order = np.lexsort((other[kept], one[kept]))
    return one[kept][order], other[kept][order], polygonal(common[kept][order])


def gaps_between(
    outlines: np.ndarray, share: float = SLIVER_SHARE
) -> tuple[np.ndarray, np.ndarray]:
    """(polygons, km²) of holes that outlines leave between them, the largest first.

    Holes below `share` of the median commune are slivers and left out.
    """
    union = shapely.union_all(outlines)
    parts = shapely.get_parts(union)
    rings, of = shapely.get_rings(parts, return_index=True)
    inner = rings[np.r_[False, np.diff(of) == 0]] if len(rings) else rings
    holes = np.array([shapely.Polygon(ring) for ring in inner], dtype=object)
    if not len(holes):
        return holes, np.zeros(0)
    km2 = areas_km2(holes)
    kept = km2 > share * float(np.median(areas_km2(outlines)))
    order = np.argsort(-km2[kept], kind="stable")
    return holes[kept][order], km2[kept][order]


def _gaps(outlines: np.ndarray, names: np.ndarray, file: str) -> list[Fault]:
    points = int(shapely.get_num_coordinates(outlines).sum())
    if points > _MAX_POINTS_OF_GAPS:
        return [Fault("gaps_not_sought", file, values={"count": points})]
    holes, km2 = gaps_between(outlines)
    if not len(holes):
        return []
    tree = shapely.STRtree(outlines)
    items = []
    for hole, size in zip(holes[:_NAMED], km2[:_NAMED], strict=True):
        around = sorted(names[tree.query(hole, predicate="intersects")].tolist())
        point = shapely.point_on_surface(hole)
        items.append(f"{' – '.join(around[:3])} ({_m2(size)}, {point.x:.5f} {point.y:.5f})")
    places = "; ".join([*items, f"… ({len(holes)})"] if len(holes) > _NAMED else items)
    values = {"count": len(holes), "total": _m2(km2.sum()), "places": places}
    return [Fault("boundary_gaps", file, values=values)]


def split_at_antimeridian(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(shapes, which were split): polygons that cross 180° in two parts, one on each side.

    A step of more than 180° between neighbouring vertices means the short way round; longitudes
    above 180° mean those less 360°.
    """
    west, _, east, _ = shapely.bounds(shapes).T
    suspects = np.flatnonzero((east - west > 180) | (east > 180) | (west < -180))
    split = np.zeros(len(shapes), dtype=bool)
    made = shapes.copy()
    for i in suspects.tolist():
        unwound = [_unwound(p) for p in shapely.get_parts(shapes[i])]
        changed = any(
            not shapely.equals_exact(a, b)
            for a, b in zip(unwound, shapely.get_parts(shapes[i]), strict=True)
        )
        outside = any(p.bounds[2] > 180 or p.bounds[0] < -180 for p in unwound)
        if not (changed or outside):
            continue
        pieces = [piece for polygon in unwound for piece in _wrapped(polygon)]
        made[i] = _polygons(shapely.union_all(pieces))
        split[i] = True
    return made, split


def _unwound(polygon: shapely.Polygon) -> shapely.Polygon:
    """A polygon whose longitudes go on beyond 180° rather than jump."""

    def ring(line: shapely.LinearRing, start: float | None) -> np.ndarray:
        xy = shapely.get_coordinates(line).copy()
        steps = np.diff(xy[:, 0])
        turns = np.cumsum(np.where(steps < -180, 1, np.where(steps > 180, -1, 0)))
        xy[1:, 0] += 360.0 * turns
        if start is not None:  # a hole lies on its polygon's side
            xy[:, 0] += 360.0 * np.round((start - xy[:, 0].mean()) / 360.0)
        return xy

    outer = ring(polygon.exterior, None)
    if not np.isclose(outer[0, 0], outer[-1, 0]):
        return polygon  # round a pole: no outline of a commune
    middle = float((outer[:, 0].min() + outer[:, 0].max()) / 2)
    return shapely.Polygon(outer, [ring(hole, middle) for hole in polygon.interiors])


def _wrapped(polygon: shapely.Polygon) -> list[Any]:
    """A polygon's parts with longitudes from -180 to 180."""
    whole = polygon if polygon.is_valid else shapely.make_valid(polygon)
    pieces = []
    for turn in (-1, 0, 1):
        side = shapely.box(-180 + 360 * turn, -90, 180 + 360 * turn, 90)
        piece = _polygons(shapely.intersection(whole, side))
        if not piece.is_empty:
            pieces.append(affinity.translate(piece, xoff=-360.0 * turn))
    return pieces
