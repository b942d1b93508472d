"""Errors and other technologies as real deliveries have them, laid over sound 4G tests.

Failures, bad positions, copies, wrong units. Does not belong here: speeds and their truth
(`simulate.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

DIGITS = {
    "latitude": 6,
    "longitude": 6,
    "download_mbps": 2,
    "upload_mbps": 2,
    "latency_ms": 1,
    "jitter_ms": 1,
}


@dataclass(frozen=True)
class ErrorShares:
    """Shares of all rows, chosen so that each reason to set a row aside occurs; none is measured.

    Known to occur: copies, kbit/s beside Mbit/s (Ookla, G-NetTrack), position 0, 0 and blank or
    mixed-case operators (G-NetTrack), accuracy of kilometres (RTR).
    """

    copied_share: float = 0.012
    failed_share: float = 0.015
    wifi_share: float = 0.035
    nr_share: float = 0.05  # 5G, on phones that have it
    older_share: float = 0.02  # 3G, 2G
    no_fix_share: float = 0.004  # position 0, 0 or missing
    coarse_share: float = 0.02  # accuracy worse than 1 km
    foreign_share: float = 0.006  # tests made outside the province
    unknown_operator_share: float = 0.004
    wrong_unit_share: float = 0.002  # kbit/s under a Mbit/s heading
    unreadable_share: float = 0.001


def inject_errors(
    rows: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    names_met: Mapping[str, Sequence[str]],
    generator: np.random.Generator,
    shares: ErrorShares,
) -> pd.DataFrame:
    """Sound rows as a delivery has them: with errors, ordered by time, with `test_id`.

    `rows`: of `simulate.draw_tests`. `names_met`: the names of each operator in files. Speeds are
    texts where a file has texts.
    """
    rows, count = rows.copy(), len(rows)

    def some(share: float) -> npt.NDArray[np.bool_]:
        return generator.random(count) < share

    names = [names_met[o] for o in rows["operator"]]
    pick = generator.random(count)
    rows["operator"] = [
        n[0] if p < 0.7 else n[int((p - 0.7) / 0.3 * len(n))]
        for n, p in zip(names, pick, strict=True)
    ]
    fast = rows["is_5g"] & some(shares.nr_share * 4)
    rows.loc[fast, "technology"] = "5G"
    rows.loc[fast, "download_mbps"] = (rows.loc[fast, "download_mbps"] * 6).clip(upper=900)
    older = some(shares.older_share)
    rows.loc[older, "technology"] = np.where(generator.random(int(older.sum())) < 0.8, "3G", "2G")
    rows.loc[older, "download_mbps"] *= 0.15
    wifi = some(shares.wifi_share)
    rows.loc[wifi, "technology"] = "WiFi"
    rows.loc[(rows["technology"] == "4G") & some(0.3), "technology"] = "LTE"
    rows.loc[some(shares.failed_share), "download_mbps"] = 0.0
    rows.loc[some(shares.no_fix_share), ["latitude", "longitude"]] = 0.0
    rows.loc[some(shares.coarse_share), "location_accuracy_m"] = 2500.0
    south = communes.total_bounds[1]
    foreign = some(shares.foreign_share)
    rows.loc[foreign, "latitude"] = south - generator.uniform(0.3, 2.0, int(foreign.sum()))
    rows.loc[some(shares.unknown_operator_share), "operator"] = "Roaming"
    wrong = some(shares.wrong_unit_share)
    rows.loc[wrong, "download_mbps"] *= 1000
    texts = rows.drop(columns="is_5g").round(DIGITS)
    # as a file has it: numbers and words
    texts["download_mbps"] = texts["download_mbps"].astype("object")
    texts.loc[some(shares.unreadable_share), "download_mbps"] = "lỗi"
    copies = np.flatnonzero(some(shares.copied_share))[: count // 4]
    return _with_copies(texts, copies, generator)


def _with_copies(
    rows: pd.DataFrame, copies: npt.NDArray[np.int64], generator: np.random.Generator
) -> pd.DataFrame:
    """The rows at `copies` twice, in place of as many others, by time and with `test_id`."""
    others = np.setdiff1d(np.arange(len(rows)), copies)
    replaced = generator.choice(others, len(copies), replace=False)
    kept = np.setdiff1d(np.arange(len(rows)), replaced)
    ordered = rows.iloc[np.sort(np.r_[kept, copies])].sort_values(
        ["measured_at", "device_id"], kind="stable", ignore_index=True
    )
    # a copy has the id of its row
    keys = ["device_id", "measured_at", "latitude", "longitude"]
    identity = ordered.groupby(keys, sort=False).ngroup()
    ordered.insert(0, "test_id", [f"VN{number:07d}" for number in identity + 1])
    return ordered
