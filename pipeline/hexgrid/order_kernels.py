"""The compiled sort of `groups.py`: importing this room imports numba, so only bulk work does it.

Does not belong here: what is sorted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_BITS = 11
_SIZE = 1 << _BITS


@njit(nogil=True, cache=True)
def order_by_next(column: Any, order: Any, spare: Any) -> Any:
    """Reorder `order` stably by column[order]; gives (order, spare), which may be swapped.

    A radix sort, digit by digit from the lowest; a digit that is the same in every row costs one
    pass to see.
    """
    count = column.shape[0]
    differs = np.uint64(0)
    for n in range(count):
        differs |= column[n] ^ column[0]
    shift = 0
    while shift < 64 and differs >> np.uint64(shift):
        if (differs >> np.uint64(shift)) & np.uint64(_SIZE - 1):
            start = np.zeros(_SIZE + 1, dtype=np.int64)
            for n in range(count):
                start[((column[n] >> np.uint64(shift)) & np.uint64(_SIZE - 1)) + np.uint64(1)] += 1
            for digit in range(_SIZE):
                start[digit + 1] += start[digit]
            for n in range(count):
                row = order[n]
                digit = (column[row] >> np.uint64(shift)) & np.uint64(_SIZE - 1)
                spare[start[digit]] = row
                start[digit] += 1
            order, spare = spare, order
        shift += _BITS
    return order, spare
