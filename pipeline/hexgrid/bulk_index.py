"""Bulk binning by numpy alone.

On each face of the icosahedron H3's grid is a plain hexagon lattice in the gnomonic plane.

For a point's unit vector v and the face whose centre c is nearest (largest c·v), (v·e_x, v·e_y) /
(c·v) are its coordinates in the face's tangent plane; scaled by √7 per resolution and turned for
odd ones, the cells of the face are the hexagons of a lattice of unit distance. The library's cell
is a function of (face, lattice point) alone, so each distinct lattice point is named once: by
arithmetic from one cell that the library names in each of its base cells. A point too near to a
hexagon's edge for its side to be certain in floating point is asked of the library itself: the
answer is the library's for every point.

Method: Sahr, White & Kimerling (2003), Geodesic discrete global grid systems; the H3 documentation,
"Overview of the H3 Geospatial Indexing System". Does not belong here: anything about
cells (`hexes.py`).
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Cells = npt.NDArray[np.uint64]

# gnomonic length of a resolution-0 cell's spacing on the unit sphere: 2 − golden ratio
RES0_UNIT = 0.381966011250105
CLASS_III_TURN = float(
    np.arcsin(np.sqrt(3 / 28))
)  # odd resolutions: 0.33347… rad, the angle of the aperture-7 grid
# rad at the face's edge; library and kernel each err by some 1e-15, near a face's centre by 1e-15 /
# r
ROUNDING = 1e-12
_CHUNK = 1 << 14  # points at once: what is made of them on the way stays in the cache
FIELD = 26  # bits of a lattice coordinate: resolution 15 needs 24
HALF = 1 << (FIELD - 1)
UNSURE = -1  # too near to an edge
# cosine of half the angle between neighbouring faces' centres: no other face is nearer
INNER = 0.934172358962716


@cache
def faces() -> tuple[Floats, Floats, Floats]:
    """(centres, x axes, y axes) of the 20 faces: unit vectors of shape (20, 3).

    Read off the library's own grid.

    The 12 vertices are the centres of the resolution-0 pentagons; three that are neighbours of each
    other make a face. The x axis points to one vertex: which of the three is all the same to a
    hexagon lattice.
    """
    vertices = np.array([_unit(*h3.cell_to_latlng(cell)) for cell in sorted(h3.get_pentagons(0))])
    near = vertices @ vertices.T > 0.4  # neighbours are 63.4° apart, the others 116.6° or more
    triples = [
        t for t in combinations(range(12), 3) if all(near[a, b] for a, b in combinations(t, 2))
    ]
    centres = np.array([vertices[list(t)].sum(axis=0) for t in triples])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    first = vertices[[t[0] for t in triples]]
    x_axes = first - (first * centres).sum(axis=1, keepdims=True) * centres
    x_axes /= np.linalg.norm(x_axes, axis=1, keepdims=True)
    return centres, x_axes, np.cross(centres, x_axes)


def _unit(latitude: float, longitude: float) -> tuple[float, float, float]:
    phi, lam = np.radians(latitude), np.radians(longitude)
    return float(np.cos(phi) * np.cos(lam)), float(np.cos(phi) * np.sin(lam)), float(np.sin(phi))


def _rows_of_faces(resolution: int) -> Floats:
    """Centre and two axes of each face, shape (20, 9).

    The axes' dot products with v, over c·v, are the lattice's oblique coordinates.
    """
    centres, x_axes, y_axes = faces()
    turn = CLASS_III_TURN if resolution % 2 else 0.0
    scale = 7 ** (resolution / 2) / RES0_UNIT
    x = scale * (np.cos(turn) * x_axes + np.sin(turn) * y_axes)
    y = scale * (np.cos(turn) * y_axes - np.sin(turn) * x_axes)
    return np.ascontiguousarray(np.hstack([centres, x - y / np.sqrt(3), 2 * y / np.sqrt(3)]))


def cells_of_points(latitude: Floats, longitude: Floats, resolution: int) -> Cells:
    """H3 cells (as the library's 64-bit integers) of points in degrees WGS 84.

    0 where the position is off the globe. Equal to `h3.latlng_to_cell` for every point.
    """
    latitude, longitude = (
        np.ascontiguousarray(latitude, "float64"),
        np.ascontiguousarray(longitude, "float64"),
    )
    cells = np.zeros(len(latitude), dtype=np.uint64)
    known = np.flatnonzero((np.abs(latitude) <= 90) & (np.abs(longitude) <= 180))
    if not len(known):
        return cells
    latitude, longitude = latitude[known], longitude[known]
    parts = [slice(n, n + _CHUNK) for n in range(0, len(known), _CHUNK)]
    keys = np.concatenate([_keys(latitude[here], longitude[here], resolution) for here in parts])
    row, place = _distinct(keys)
    names = np.where(
        keys[row] == UNSURE, np.uint64(0), _named(keys[row], row, latitude, longitude, resolution)
    )
    found = names[place]
    unsure = np.flatnonzero(keys == UNSURE)
    found[unsure] = _asked(unsure, latitude, longitude, resolution)
    cells[known] = found
    return cells


def _keys(latitude: Floats, longitude: Floats, resolution: int) -> Integers:
    """Face and lattice point of each point in one integer; UNSURE where an edge is too near."""
    table, scale = _rows_of_faces(resolution), 7 ** (resolution / 2) / RES0_UNIT
    phi, lam = np.radians(latitude), np.radians(longitude)
    x, y, z = np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)
    face: Any = int(np.argmax(table[:, :3] @ np.array([x[0], y[0], z[0]])))
    dot = table[face, 0] * x + table[face, 1] * y + table[face, 2] * z
    if dot.min() < INNER:  # some point may be nearer to another face
        face = np.argmax(np.stack([one[0] * x + one[1] * y + one[2] * z for one in table]), axis=0)
    c = table[face].T
    dot = c[0] * x + c[1] * y + c[2] * z
    a, b = (c[3] * x + c[4] * y + c[5] * z) / dot, (c[6] * x + c[7] * y + c[8] * z) / dot
    # cube rounding: a + b + c = 0, and of the three rounded ones the worst gives way
    i, j, k = np.rint(a), np.rint(b), np.rint(-a - b)
    off_i, off_j, off_k = np.abs(a - i), np.abs(b - j), np.abs(-a - b - k)
    worst_i = (off_i >= off_j) & (off_i >= off_k)
    i, j = np.where(worst_i, -j - k, i), np.where(~worst_i & (off_j >= off_k), -i - k, j)
    da, db = a - i, b - j
    margin = 1 - (
        np.maximum(np.maximum(da, db), -da - db) - np.minimum(np.minimum(da, db), -da - db)
    )  # 0 on the hexagon's edge
    # squared distance from the face's centre, which the library's arc cosine divides by
    is_sure = (margin > 0) & (
        margin * margin * np.maximum(1 - dot * dot, 1e-12) > (scale * ROUNDING) ** 2
    )
    key = (
        np.int64(face) << 2 * FIELD
        | (i.astype(np.int64) + HALF) << FIELD
        | (j.astype(np.int64) + HALF)
    )
    return np.where(is_sure, key, UNSURE)


def _distinct(keys: Integers) -> tuple[Integers, Integers]:
    """(a row of each distinct key, the place of each row's key among these).

    By an array of the box that holds the keys, if that is small.
    """
    face, i, j = keys >> 2 * FIELD, keys >> FIELD & 2 * HALF - 1, keys & 2 * HALF - 1
    sure = keys != UNSURE
    if sure.all() or sure.any():
        lows = [int(part[sure].min()) for part in (face, i, j)]
        sizes = [
            int(part[sure].max()) - low + 1 for part, low in zip((face, i, j), lows, strict=True)
        ]
        if np.prod([float(size) for size in sizes]) <= 8 * len(keys) + 1_000_000:
            box = ((face - lows[0]) * sizes[1] + i - lows[1]) * sizes[2] + j - lows[2]
            box = np.where(sure, box, int(np.prod(sizes)))
            row = np.full(int(np.prod(sizes)) + 1, -1, dtype=np.int64)
            row[box] = np.arange(len(keys))
            met = np.flatnonzero(row >= 0)
            number = np.zeros(len(row), dtype=np.int64)
            number[met] = np.arange(len(met))
            return row[met], number[box]
    _, row, place = np.unique(keys, return_index=True, return_inverse=True)
    return row, place


def _named(
    keys: Integers, rows: Integers, latitude: Floats, longitude: Floats, resolution: int
) -> Cells:
    """Cells of distinct lattice points; `rows`: one point of each.

    The library names each base cell, arithmetic the rest. In the ring of the Eisenstein integers
    a + bω, ω = e^(iπ/3), the coarser lattice is the multiples of a number of norm 7: the quotient's
    nearest integer is the parent, the remainder, 0 or one of six units, the digit. The digits of a
    base cell seen from a face are turned by one multiple of 60°, read off one cell that the library
    names. Pentagons' cells and those of their descendants are named by the library.
    """
    a, b = (keys >> FIELD & 2 * HALF - 1) - HALF, (keys & 2 * HALF - 1) - HALF
    turns = np.full(
        (resolution + 1, len(keys)), -1, dtype=np.int64
    )  # direction in steps of 60°, −1: the parent's centre
    for r in range(resolution, 0, -1):
        if r % 2:  # times 2 + ω, over 7
            up_a, up_b = (2 * a - b + 3) // 7, (a + 3 * b + 3) // 7
            rest_a, rest_b = a - 3 * up_a - up_b, b - 2 * up_b + up_a
        else:  # times 3 − ω, over 7
            up_a, up_b = (3 * a + b + 3) // 7, (2 * b - a + 3) // 7
            rest_a, rest_b = a - 2 * up_a + up_b, b - up_a - 3 * up_b
        turns[r] = _TURN_OF_UNIT[rest_a + 1, rest_b + 1]
        a, b = up_a, up_b
    cells = np.zeros(len(keys), dtype=np.uint64)
    _, home = np.unique((keys >> 2 * FIELD) * 10_000 + (a + 50) * 100 + b + 50, return_inverse=True)
    order = np.argsort(home, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(home[order])) + 1):
        off_centre = (turns[:, members] >= 0).any(axis=0)
        one = members[int(np.argmax(off_centre))]
        known = h3.latlng_to_cell(latitude[rows[one]], longitude[rows[one]], resolution)
        base = h3.cell_to_parent(known, 0)
        if h3.is_pentagon(base) or resolution == 0:
            here = rows[members]
            cells[members] = _asked(here, latitude, longitude, resolution)
            continue
        digits = [known >> 3 * (15 - r) & 7 for r in range(1, resolution + 1)]
        first = next((r for r, digit in enumerate(digits, start=1) if digit), None)
        turned = 0 if first is None else _TURN_OF_DIGIT[digits[first - 1]] - turns[first, one]
        cell = np.full(len(members), base | resolution << 52, dtype=np.uint64)
        for r in range(1, resolution + 1):
            step = turns[r, members]
            digit = np.where(step < 0, 0, _DIGIT_OF_TURN[(step + turned) % 6])
            place = 3 * (15 - r)
            cell = cell & ~np.uint64(7 << place) | digit.astype(np.uint64) << np.uint64(place)
        cells[members] = cell
    return cells


def _asked(rows: Integers, latitude: Floats, longitude: Floats, resolution: int) -> Cells:
    """The library's cells of the given points."""
    points = zip(latitude[rows].tolist(), longitude[rows].tolist(), strict=True)
    return np.array(
        [h3.latlng_to_cell(lat, lon, resolution) for lat, lon in points], dtype=np.uint64
    )


# H3's digits counter-clockwise from the lattice's first axis, and the units a + bω in this order
_DIGIT_OF_TURN = np.array([4, 6, 2, 3, 1, 5])
_TURN_OF_DIGIT = {int(digit): turn for turn, digit in enumerate(_DIGIT_OF_TURN)}
_TURN_OF_UNIT = np.full((3, 3), -1)
for _turn, (_a, _b) in enumerate([(1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1)]):
    _TURN_OF_UNIT[_a + 1, _b + 1] = _turn
