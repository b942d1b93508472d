"""The compiled loops of `lattice.py`: importing this room imports numba, so only bulk work does it.

Machine code is kept on disk: it is compiled once per machine. Does not belong here: what the
numbers mean (`lattice.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FIELD = 26  # bits of a lattice coordinate: resolution 15 needs 24
HALF = 1 << (FIELD - 1)
_MASK = 2 * HALF - 1
UNSURE, NOWHERE = -1, -2  # too near to an edge; not a position
# cosine of half the angle between neighbouring faces' centres: no other face is nearer
INNER = 0.934172358962716
_BLOCK = 2048
_ROUND = 6755399441055744.0  # 1.5 · 2**52: added and taken away again it rounds, in vectors too
_RADIANS = 0.017453292519943295
_TWO_OVER_PI = 0.6366197723675814
_HALF_PI_HIGH, _HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17
# 1 / n! of the Taylor series; on ±π/4 the first terms left out are below 5e-17
_S3, _S5, _S7, _S9, _S11, _S13, _S15 = (
    -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800, 1 / 6227020800, -1 / 1307674368000,
)  # fmt: skip
_C2, _C4, _C6, _C8, _C10, _C12, _C14, _C16 = (
    -1 / 2, 1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600, -1 / 87178291200, 1 / 20922789888000,
)  # fmt: skip


@njit(nogil=True, cache=True, error_model="numpy")
def _sin_cos(x: float) -> Any:
    """(sin x, cos x) for |x| <= π to 2e-16, without branches: the compiler makes vectors of it."""
    quarter = (x * _TWO_OVER_PI + _ROUND) - _ROUND
    r = (x - quarter * _HALF_PI_HIGH) - quarter * _HALF_PI_LOW
    z = r * r
    s = r + r * z * (_S3 + z * (_S5 + z * (_S7 + z * (_S9 + z * (_S11 + z * (_S13 + z * _S15))))))
    c = 1.0 + z * (
        _C2 + z * (_C4 + z * (_C6 + z * (_C8 + z * (_C10 + z * (_C12 + z * (_C14 + z * _C16))))))
    )
    turn = np.int64(quarter) & 3
    sine = c if turn & 1 else s
    cosine = s if turn & 1 else c
    return (-sine if turn & 2 else sine), (-cosine if (turn + 1) & 2 else cosine)


@njit(nogil=True, cache=True, error_model="numpy")
def lattice_keys(
    latitude: Any, longitude: Any, table: Any, scale: float, rounding: float, keys: Any, box: Any
) -> None:
    """Fill `keys` with face, a, b packed into an integer; `box`: face low, high, a low, high, b
    low, high.

    `table`: (20, 9), rows of `lattice._rows_of_faces`. Blocks of points on one face run as vectors,
    others point by point.
    """
    total: Any = latitude.shape[0]
    face = 0
    for start in range(0, total, _BLOCK):
        stop = min(total, start + _BLOCK)
        strays = 0  # points that may be nearer to another face, and what is no position
        a_low: Any
        a_high: Any
        b_low: Any
        b_high: Any
        a_low, a_high, b_low, b_high = HALF, -HALF, HALF, -HALF
        cx, cy, cz = table[face, 0], table[face, 1], table[face, 2]
        ax, ay, az = table[face, 3], table[face, 4], table[face, 5]
        bx, by, bz = table[face, 6], table[face, 7], table[face, 8]
        lats, lons, out = latitude[start:stop], longitude[start:stop], keys[start:stop]
        for n in range(out.shape[0]):
            sin_lat, cos_lat = _sin_cos(lats[n] * _RADIANS)
            sin_lon, cos_lon = _sin_cos(lons[n] * _RADIANS)
            vx, vy, vz = cos_lat * cos_lon, cos_lat * sin_lon, sin_lat
            dot = cx * vx + cy * vy + cz * vz
            is_here = (dot >= INNER) & (abs(lats[n]) <= 90.0) & (abs(lons[n]) <= 180.0)
            strays += 0 if is_here else 1
            a, b = (ax * vx + ay * vy + az * vz) / dot, (bx * vx + by * vy + bz * vz) / dot
            # cube rounding: a + b + c = 0, and of the three rounded ones the worst gives way
            ra, rb, rc = (a + _ROUND) - _ROUND, (b + _ROUND) - _ROUND, (-a - b + _ROUND) - _ROUND
            da, db, dc = abs(a - ra), abs(b - rb), abs(-a - b - rc)
            sa, sb = -rb - rc, -ra - rc
            worst_a = (da >= db) & (da >= dc)
            worst_b = (db >= dc) & (not worst_a)
            qa = sa if worst_a else ra
            qb = sb if worst_b else rb
            da, db = a - qa, b - qb
            dc = -da - db
            width = max(da, max(db, dc)) - min(da, min(db, dc))  # 1 on the hexagon's edge
            # squared distance from the face's centre, which the library's arc cosine divides by
            square = max(1.0 - dot * dot, 1e-12)
            margin = 1.0 - width
            is_sure = (margin > 0.0) & (
                margin * margin * square > (scale * rounding) * (scale * rounding)
            )
            i, j = np.int64(qa), np.int64(qb)
            key = (np.int64(face) << (2 * FIELD)) | ((i + HALF) << FIELD) | (j + HALF)
            out[n] = key if is_sure else UNSURE
            a_low, a_high = min(a_low, i), max(a_high, i)
            b_low, b_high = min(b_low, j), max(b_high, j)
        if strays == 0:
            box[0], box[1] = min(box[0], face), max(box[1], face)
            box[2], box[3] = min(box[2], a_low), max(box[3], a_high)
            box[4], box[5] = min(box[4], b_low), max(box[5], b_high)
        else:
            face = _one_by_one(
                latitude, longitude, table, scale, rounding, keys, box, start, stop, face
            )


@njit(nogil=True, cache=True, error_model="numpy")
def _one_by_one(
    latitude: Any, longitude: Any, table: Any, scale: float, rounding: float, keys: Any, box: Any, start: int,
    stop: int, face: int,
) -> int:  # fmt: skip
    for n in range(start, stop):
        lat, lon = latitude[n], longitude[n]
        if not (-90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0):
            keys[n] = NOWHERE
            continue
        sin_lat, cos_lat = _sin_cos(lat * _RADIANS)
        sin_lon, cos_lon = _sin_cos(lon * _RADIANS)
        vx, vy, vz = cos_lat * cos_lon, cos_lat * sin_lon, sin_lat
        nearest = table[face, 0] * vx + table[face, 1] * vy + table[face, 2] * vz
        if nearest < INNER:
            for other in range(20):
                dot = table[other, 0] * vx + table[other, 1] * vy + table[other, 2] * vz
                if dot > nearest:
                    nearest, face = dot, other
        a = (table[face, 3] * vx + table[face, 4] * vy + table[face, 5] * vz) / nearest
        b = (table[face, 6] * vx + table[face, 7] * vy + table[face, 8] * vz) / nearest
        ra, rb, rc = (a + _ROUND) - _ROUND, (b + _ROUND) - _ROUND, (-a - b + _ROUND) - _ROUND
        da, db, dc = abs(a - ra), abs(b - rb), abs(-a - b - rc)
        if da >= db and da >= dc:
            ra = -rb - rc
        elif db >= dc:
            rb = -ra - rc
        da, db = a - ra, b - rb
        dc = -da - db
        margin = 1.0 - (max(da, max(db, dc)) - min(da, min(db, dc)))
        square = max(1.0 - nearest * nearest, 1e-12)
        if not (
            margin > 0.0 and margin * margin * square > (scale * rounding) * (scale * rounding)
        ):
            keys[n] = UNSURE
            continue
        i, j = np.int64(ra), np.int64(rb)
        keys[n] = (np.int64(face) << (2 * FIELD)) | ((i + HALF) << FIELD) | (j + HALF)
        box[0], box[1] = min(box[0], face), max(box[1], face)
        box[2], box[3] = min(box[2], i), max(box[3], i)
        box[4], box[5] = min(box[4], j), max(box[5], j)
    return face


@njit(nogil=True, cache=True, error_model="numpy")
def mark(keys: Any, box: Any, rows: Any, first: int) -> None:
    """Leave in `rows`, the box's array, a row of each lattice point that occurs; `keys` start at
    row `first`.
    """
    wide, high = box[3] - box[2] + 1, box[5] - box[4] + 1
    for n in range(keys.shape[0]):
        key = keys[n]
        if key >= 0:
            i, j = ((key >> FIELD) & _MASK) - HALF, (key & _MASK) - HALF
            rows[(((key >> (2 * FIELD)) - box[0]) * wide + i - box[2]) * high + j - box[4]] = (
                first + n
            )


@njit(nogil=True, cache=True, error_model="numpy")
def fill(keys: Any, box: Any, names: Any, cells: Any) -> None:
    """Write each key's cell, found in the box's array."""
    wide, high = box[3] - box[2] + 1, box[5] - box[4] + 1
    for n in range(keys.shape[0]):
        key = keys[n]
        if key >= 0:
            i, j = ((key >> FIELD) & _MASK) - HALF, (key & _MASK) - HALF
            cells[n] = names[
                (((key >> (2 * FIELD)) - box[0]) * wide + i - box[2]) * high + j - box[4]
            ]
