"""Heights of the ground along straight lines, from an elevation raster of any CRS.

Does not belong here: terrain classes of communes (`context_layers.py`), what a ridge does to a
signal (`actions/sites/coverage.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from pipeline.sources.rasters import crs_and_bounds

Floats = npt.NDArray[np.float64]
WGS84 = "EPSG:4326"
LOWEST_M, HIGHEST_M = -500.0, 9000.0  # of land
MAX_CELLS = 40_000_000  # of a window in memory, 160 MB; of a larger one every n-th cell is read


@dataclass(frozen=True)
class Elevation:
    """A window of an elevation raster.

    `metres`: float32, NaN where nothing is known. `to_cell`: from the raster's CRS to (column, row)
    of the window, an affine transformation as a 3 × 3 matrix.
    """

    metres: npt.NDArray[np.float32]
    to_cell: Floats
    transformer: Transformer

    def along(self, here: Floats, there: Floats, samples: int) -> npt.NDArray[np.float32]:
        """Heights (m) at `samples` points from here to there, both ends included: n × samples.

        `here`, `there`: n × 2, latitude and longitude in degrees. The lines are straight in the
        raster's CRS, and a point has the height of the cell that it lies in; NaN outside the raster
        and where it has no data.
        """
        step = np.linspace(0, 1, samples, dtype="float32")
        ends = [self._cells(points) for points in (here, there)]
        column, row = (
            (start[:, None] + (end - start)[:, None] * step).astype(np.int32)
            for start, end in zip(*ends, strict=True)
        )
        rows, columns = self.metres.shape
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        if inside.all():
            return np.asarray(self.metres.ravel()[row * np.int32(columns) + column])
        found = np.full(column.shape, np.nan, dtype="float32")
        found[inside] = self.metres[row[inside], column[inside]]
        return found

    def _cells(self, points: Floats) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(column, row) of points with fractions; below 0 just outside, never rounded to 0."""
        x, y = self.transformer.transform(points[:, 1], points[:, 0])
        column, row = _moved(self.to_cell, x, y)
        limit = 2**20  # far outside stays outside, within what an int32 holds
        return tuple(
            np.where(one < 0, -limit, np.minimum(np.nan_to_num(one, nan=-limit), limit)).astype(
                "float32"
            )
            for one in (column, row)
        )  # type: ignore[return-value]


def read_elevation(path: Path, points: Floats) -> Elevation:
    """The window of the raster around points (n × 2: latitude, longitude), read once.

    Of a window with more than MAX_CELLS every n-th cell of every n-th row is read. Points beyond
    the raster have no height. Raises `UserFault` as `crs_and_bounds` does.
    """
    import rasterio
    from rasterio.windows import Window

    crs, _ = crs_and_bounds(path)
    transformer = Transformer.from_crs(WGS84, crs, always_xy=True)
    x, y = transformer.transform(points[:, 1], points[:, 0])
    with rasterio.open(path) as raster:
        to_cell = np.linalg.inv(np.reshape(tuple(raster.transform)[:9], (3, 3)))
        column, row = _moved(to_cell, x, y)
        left, right = _span(column, raster.width)
        top, bottom = _span(row, raster.height)
        step = max(1, math.ceil(math.sqrt((right - left) * (bottom - top) / MAX_CELLS)))
        shape = (math.ceil((bottom - top) / step), math.ceil((right - left) / step))
        window = Window(left, top, right - left, bottom - top)
        metres = raster.read(1, window=window, out_shape=shape, masked=True).astype("float32")
        # voids that the file does not declare, such as -32768 of SRTM
        metres = np.ma.masked_outside(metres, LOWEST_M, HIGHEST_M)
    wide, high = shape[1] / (right - left), shape[0] / (bottom - top)
    to_window = np.array([[wide, 0, -left * wide], [0, high, -top * high], [0, 0, 1]])
    return Elevation(metres.filled(np.nan), to_window @ to_cell, transformer)


def _moved(matrix: Floats, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Positions moved by an affine transformation."""
    (a, b, c), (d, e, f), _ = matrix
    one, other = np.asarray(x, dtype="float64"), np.asarray(y, dtype="float64")
    return a * one + b * other + c, d * one + e * other + f


def _span(cells: Floats, size: int) -> tuple[int, int]:
    """First and last cell + 1 of a window around positions, one cell wider, within the raster."""
    known = cells[np.isfinite(cells)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    first = min(max(math.floor(low) - 1, 0), size - 1)
    return first, max(min(math.floor(high) + 2, size), first + 1)


def heights_along(
    path: Path, from_points: Floats, to_points: Floats, samples: int
) -> npt.NDArray[np.float32]:
    """Heights (m) along lines between positions (latitude, longitude), of one window of a raster.

    n × samples, both ends included; NaN where the raster says nothing. Raises `UserFault` as
    `read_elevation` does.
    """
    elevation = read_elevation(path, np.concatenate([from_points, to_points]))
    return elevation.along(from_points, to_points, samples)
