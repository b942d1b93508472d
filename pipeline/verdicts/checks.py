"""Figures that a verdict must also hold on: capped speeds, no fastest phone, the report month.

A phone on 5G non-standalone is often reported as LTE, so a few rows at 200 to 600 Mbit/s may lift a
mean over the target; a site repaired last month leaves slow tests of the months before. Verdicts
therefore stand on both readings (METHOD §4). Does not belong here: the rule (`judge.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.verdicts import statistics

UNIT = statistics.UNIT
CAPPED = ("mean_mbps", "log_mean", "log_var", "lo_mbps")


def checks(
    devices: pd.DataFrame, units: pd.DataFrame, *, target: float, confidence: float
) -> pd.DataFrame:
    """Further figures by unit, of `device_values` and their `with_limits`.

    `capped_` and CAPPED: the same figures where no test counts for more than the cap.
    mean_without_fastest_mbps: without the fastest device; empty for one device. recent_mean_mbps,
    recent_device_count: of the devices that tested in the report month, by their means there.
    exp_residuals: Σ exp(r) of the residuals r = (y − ȳ)·√(m/(m−1)) of log device values; 0 for
    m < 2.
    """
    speeds = devices.groupby(UNIT)["download_mbps"]
    total, fastest, count = speeds.sum(), speeds.max(), speeds.size()
    found = pd.DataFrame(index=units.index)
    found["mean_without_fastest_mbps"] = (total - fastest) / (count - 1).where(count > 1)
    recent = devices["month_mbps"].groupby([devices[key] for key in UNIT])
    found["recent_mean_mbps"], found["recent_device_count"] = recent.mean(), recent.count()
    found["recent_device_count"] = found["recent_device_count"].fillna(0.0)
    found["exp_residuals"] = _exp_residuals(devices, units)
    is_capped = devices["capped_mbps"] < devices["download_mbps"]
    for name in CAPPED:
        found[f"capped_{name}"] = units[name]
    if is_capped.any():
        touched = pd.MultiIndex.from_frame(devices.loc[is_capped, UNIT]).unique()
        rows = pd.MultiIndex.from_frame(devices[UNIT]).isin(touched)
        some = devices[rows].assign(download_mbps=devices.loc[rows, "capped_mbps"])
        described = statistics.describe(some)
        again = statistics.with_limits(described, target=target, confidence=confidence)
        for name in CAPPED:
            found.loc[again.index, f"capped_{name}"] = again[name]
    return found


def _exp_residuals(devices: pd.DataFrame, units: pd.DataFrame) -> pd.Series:
    keys = pd.MultiIndex.from_frame(devices[UNIT])
    of_unit = units[["m", "log_mean"]].reindex(keys)
    m = of_unit["m"].to_numpy()
    residual = np.log(devices["download_mbps"].to_numpy()) - of_unit["log_mean"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(m > 1, np.exp(residual * np.sqrt(m / (m - 1))), 0.0)
    return pd.Series(scaled, index=keys).groupby(level=UNIT).sum()
