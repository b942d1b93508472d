"""The shift between the outlines of two boundary files: shows a datum that was not transformed.

VN-2000 coordinates that are called WGS 84 lie about 200 m off. One file alone cannot show that;
common edges with a second file, of the same communes or of neighbours, do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

_NEAR_M = 600.0  # edges farther apart are not the same edge
_STEP_M = 100.0  # between points along the edges
_MAX_POINTS = 4000
_MIN_POINTS = 40
_ROUNDS = 15
_DATUM_M = (100.0, 500.0)  # shifts that a missing datum transformation makes in Vietnam
_EARTH_M = 111_195.0  # metres per degree of latitude, sphere of 6371 km


@dataclass(frozen=True)
class Shift:
    """How far a file's edges must move to lie on the other's: m east and north, and the proof.

    `before_m`, `after_m`: median distance of the points to the other's edges, before and after.
    """

    east_m: float
    north_m: float
    points: int
    before_m: float
    after_m: float

    @property
    def length_m(self) -> float:
        """Length of the shift, m."""
        return float(np.hypot(self.east_m, self.north_m))

    @property
    def is_datum(self) -> bool:
        """Whether it looks like a datum that was not transformed: one shift for all edges."""
        low, high = _DATUM_M
        return low <= self.length_m <= high and self.after_m <= 0.5 * self.before_m


def shift_between(outlines: np.ndarray, others: np.ndarray) -> Shift | None:
    """The shift between common edges of two sets of outlines (EPSG:4326); None: no common edges.

    Points along the one's edges and the nearest points on the other's give distances across the
    edge only; edges of different directions together give the shift (least squares, repeated with
    the nearest half of the points, as in iterative closest point).
    """
    bounds = shapely.total_bounds(outlines)
    middle = np.radians((bounds[1] + bounds[3]) / 2)
    scale = np.array([_EARTH_M * np.cos(middle), _EARTH_M])

    def in_metres(shapes: np.ndarray) -> np.ndarray:
        return np.asarray(shapely.transform(shapely.boundary(shapes), lambda xy: xy * scale))

    ours, theirs = in_metres(outlines), in_metres(others)
    west, south, east, north = shapely.total_bounds(ours)
    near = shapely.box(west - 1000, south - 1000, east + 1000, north + 1000)
    theirs = shapely.get_parts(theirs)
    theirs = theirs[shapely.intersects(theirs, near)]
    if not len(theirs):
        return None
    points = _points_along(ours)
    edges = _segments(theirs)
    tree = shapely.STRtree(edges)
    there = _nearest(points, edges, tree)
    close = np.hypot(*(there - points).T) <= _NEAR_M
    if close.sum() < _MIN_POINTS:
        return None
    points = points[close]
    before = float(np.median(np.hypot(*(there[close] - points).T)))
    moved = np.zeros(2)
    for _ in range(_ROUNDS):
        away = _nearest(points + moved, edges, tree) - (points + moved)
        distance = np.hypot(*away.T)
        kept = (distance <= np.quantile(distance, 0.8)) & (distance > 1e-9)
        if kept.sum() < _MIN_POINTS // 2:
            break
        normals = away[kept] / distance[kept, None]
        step, *_ = np.linalg.lstsq(normals, distance[kept], rcond=None)
        moved += step
        if np.hypot(*step) < 0.05:
            break
    after = float(np.median(np.hypot(*(_nearest(points + moved, edges, tree) - points - moved).T)))
    return Shift(float(moved[0]), float(moved[1]), len(points), before, after)


def _points_along(lines: np.ndarray) -> np.ndarray:
    """Points every 100 m, at most 4000 of them."""
    parts = shapely.get_parts(lines)
    total = float(shapely.length(parts).sum())
    step = max(_STEP_M, total / _MAX_POINTS)
    made = [
        shapely.line_interpolate_point(part, np.arange(0.0, length, step))
        for part, length in zip(parts, shapely.length(parts), strict=True)
        if length > 0
    ]
    return shapely.get_coordinates(np.concatenate(made)) if made else np.zeros((0, 2))


def _segments(lines: np.ndarray) -> np.ndarray:
    """Each line as its straight pieces: the nearest of them is found by a tree."""
    xy, of = shapely.get_coordinates(lines, return_index=True)
    same = of[1:] == of[:-1]
    return np.asarray(shapely.linestrings(np.stack([xy[:-1][same], xy[1:][same]], axis=1)))


def _nearest(points: np.ndarray, edges: np.ndarray, tree: shapely.STRtree) -> np.ndarray:
    """The nearest point on the edges to each point."""
    made = shapely.points(points)
    met = edges[tree.nearest(made)]
    return shapely.get_coordinates(
        shapely.line_interpolate_point(met, shapely.line_locate_point(met, made))
    )
