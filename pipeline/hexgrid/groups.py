"""Ordering rows and adding them up by groups, on plain arrays: what pandas does by hashing, where
rows are many.

Sums run in the order of the rows, so that they come out the same whatever parts the rows came in.
Does not belong here: what the groups mean.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
Places = npt.NDArray[np.int64]
# rows from which the compiled sort is used, where numba has been loaded for something larger
BULK = 20_000


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """A plain loop over arrays as machine code where numba is loaded, else as it stands: one text
    for many rows and few.
    """
    return _compiled(loop) if "numba" in sys.modules else loop


@cache
def _compiled(loop: Callable[..., Any]) -> Any:
    from numba import njit

    return njit(nogil=True, cache=True)(loop)


def sequence(columns: tuple[Column, ...]) -> Places:
    """The order of rows by non-negative whole-numbered columns, the first the most significant;
    equal rows stay in order.

    >>> sequence((np.array([1, 0, 1]), np.array([2, 5, 1]))).tolist()
    [1, 2, 0]
    """
    if len(columns[0]) < BULK or "numba" not in sys.modules:
        return np.lexsort(columns[::-1])
    from pipeline.hexgrid.order_kernels import order_by_next

    place = np.uint32 if len(columns[0]) < 1 << 32 else np.int64
    order, spare = np.arange(len(columns[0]), dtype=place), np.empty(len(columns[0]), dtype=place)
    for column in columns[::-1]:
        words = (
            column.view(np.uint64)
            if column.dtype == np.int64
            else column.astype(np.uint64, copy=False)
        )
        order, spare = order_by_next(words, order, spare)
    return np.asarray(order, dtype=np.int64)


def changes(*columns: Column) -> Places:
    """Places at which any column differs from the row before; the first row is one.

    >>> changes(np.array([3, 3, 4]), np.array([1, 2, 2])).tolist()
    [0, 1, 2]
    """
    count = len(columns[0])
    if not count:
        return np.zeros(0, dtype=np.int64)
    differs = np.zeros(count, dtype=bool)
    differs[0] = True
    for column in columns:
        differs[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(differs)


def sizes(starts: Places, count: int) -> Places:
    """Rows of the stretches that begin at `starts`, of `count` rows in all."""
    return np.diff(np.r_[starts, count])


def sums(values: Column, starts: Places) -> npt.NDArray[np.float64]:
    """Sums of the stretches that begin at `starts`."""
    if not len(starts):
        return np.zeros(0)
    found: npt.NDArray[np.float64] = np.add.reduceat(values.astype(np.float64, copy=False), starts)
    return found


def numbered(starts: Places, count: int) -> Places:
    """The number of its stretch for each of `count` rows."""
    return np.repeat(np.arange(len(starts)), sizes(starts, count))


def ratio(total: Column, count: Column) -> npt.NDArray[np.float64]:
    """total / count, NaN where the count is 0."""
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def medians(values: npt.NDArray[np.float64], starts: Places) -> npt.NDArray[np.float64]:
    """Median of each stretch's values that are not NaN; NaN for a stretch without any.

    >>> medians(np.array([5.0, 1.0, np.nan, 2.0]), np.array([0, 3])).tolist()
    [3.0, 2.0]
    """
    found = np.full(len(starts), np.nan)
    compiled(_medians)(np.ascontiguousarray(values), np.r_[starts, len(values)], found)
    return found


def _medians(values: Any, bounds: Any, found: Any) -> None:
    for number in range(len(found)):
        held = values[bounds[number] : bounds[number + 1]]
        held = np.sort(held[~np.isnan(held)])
        count = len(held)
        if count:
            found[number] = (held[(count - 1) // 2] + held[count // 2]) / 2


def mean_of_known(values: Column, starts: Places) -> npt.NDArray[np.float64]:
    """Mean of each stretch's values that are not NaN; NaN for a stretch without any."""
    known = ~np.isnan(values)
    if known.all():
        return sums(values, starts) / sizes(starts, len(values))
    return ratio(sums(np.where(known, values, 0.0), starts), sums(known, starts))
