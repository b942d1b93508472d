"""Ordering rows and adding them up by groups, on plain arrays: what pandas does by hashing, where rows are many.

Sums run in the order of the rows, so that they come out the same whatever parts the rows came in.
Does not belong here: what the groups mean.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
Places = npt.NDArray[np.int64]
BULK = 20_000  # rows from which the compiled sort is used, where numba has been loaded for something larger


def sequence(columns: tuple[Column, ...]) -> Places:
    """The order of rows by non-negative whole-numbered columns, the first the most significant; equal rows stay in order.

    >>> sequence((np.array([1, 0, 1]), np.array([2, 5, 1]))).tolist()
    [1, 2, 0]
    """
    if len(columns[0]) < BULK or "numba" not in sys.modules:
        return np.lexsort(columns[::-1])
    from pipeline.order_kernels import order_by_next

    order, spare = np.arange(len(columns[0])), np.empty(len(columns[0]), dtype=np.int64)
    for column in columns[::-1]:
        order, spare = order_by_next(column.astype(np.uint64), order, spare)
    return np.asarray(order)


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


def medians(values: npt.NDArray[np.float64], group: Places, count: int) -> npt.NDArray[np.float64]:
    """Median of each group's values, NaN values left out; NaN for a group without any. `group`: number below `count`.

    >>> medians(np.array([5.0, 1.0, np.nan, 2.0]), np.array([0, 0, 0, 1]), 3).tolist()
    [3.0, 2.0, nan]
    """
    known = ~np.isnan(values)
    values, group = values[known], group[known]
    order = sequence((group, _ascending_bits(values)))
    ordered, held = values[order], np.bincount(group, minlength=count)
    first = np.cumsum(held) - held
    low, high = first + (held - 1) // 2, first + held // 2
    result = np.full(count, np.nan)
    some = held > 0
    result[some] = (ordered[low[some]] + ordered[high[some]]) / 2
    return result


def _ascending_bits(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Whole numbers that are ordered as the floats are: of negative ones every bit is turned, of the others the sign's."""
    bits = (values + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def mean_of_known(values: Column, starts: Places) -> npt.NDArray[np.float64]:
    """Mean of each stretch's values that are not NaN; NaN for a stretch without any."""
    known = ~np.isnan(values)
    if known.all():
        return sums(values, starts) / sizes(starts, len(values))
    return ratio(sums(np.where(known, values, 0.0), starts), sums(known, starts))
