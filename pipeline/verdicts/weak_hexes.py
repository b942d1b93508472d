"""Hexes where more devices are below the target, or above it, than chance explains (METHOD §5).

Does not belong here: contiguous areas of weak hexes (`actions/gaps.py`), H3 itself (`hexgrid/`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

Floats = npt.NDArray[np.float64]


def is_weak(
    below_count: pd.Series,
    device_count: pd.Series,
    log_sd: pd.Series,
    *,
    min_devices: int,
    significance: float,
) -> pd.Series:
    """Whether k of n devices below the target are more than a cell that just meets it would show.

    With log-normal speeds a device of such a cell is below its mean with probability p0 = Φ(sw/2).
    Weak: n ≥ `min_devices` and k ≥ k*(n), the smallest k with P(Bin(n, p0) ≥ k) ≤ `significance`.
    `log_sd` = sw; NaN (no prior): not weak.
    """
    k_star = least_weak_count(
        device_count.to_numpy(dtype="float64"), log_sd.to_numpy(dtype="float64"), significance
    )
    return (device_count >= min_devices) & (below_count >= k_star)


def is_fast_enough(
    above_count: pd.Series,
    device_count: pd.Series,
    log_sd: pd.Series,
    *,
    min_devices: int,
    significance: float,
) -> pd.Series:
    """Whether k of n devices at or above the target are more than chance explains.

    The mirror of `is_weak`: a device of a cell that just meets the target is at or above it with
    probability 1 − p0 = Φ(−sw/2), and k ≥ the smallest k with P(Bin(n, 1 − p0) ≥ k) ≤
    `significance`. Below a half no hex is both.
    """
    return is_weak(
        above_count, device_count, -log_sd, min_devices=min_devices, significance=significance
    )


def least_weak_count(n: Floats, log_sd: Floats, significance: float) -> Floats:
    """k*(n); infinite where no k is enough.

    >>> least_weak_count(np.array([8.0, 10, 20, 100]), np.full(4, 0.8), 0.05).tolist()
    [8.0, 10.0, 17.0, 74.0]
    """
    p0 = special.ndtr(log_sd / 2)
    # the smallest x with P(X ≤ x) ≥ 1 − significance, plus one: the inverse in real numbers, and
    # the whole one at or below it
    least = 1 - significance
    with np.errstate(invalid="ignore"):
        above = np.ceil(special.bdtrik(least, n, p0))
        below = np.maximum(above - 1, 0)
        k = np.where(special.bdtr(below, n.astype(np.int64), p0) >= least, below, above) + 1
    return np.where(np.isfinite(k) & (k <= n), k, np.inf)
