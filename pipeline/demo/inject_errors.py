"""What real deliveries hold beside sound 4G tests: other technologies, failures, bad positions,
copies, wrong units.

Laid over the rows that `simulate.py` draws. Does not belong here: speeds and their truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class Dirt:
    """Shares of all rows. Chosen so that each reason to set a row aside occurs; none of them is
    measured.

    What is known to occur: copies (DESIGN.md: 435 of 500 repeats were left by a careless part-wise
    cleaning), kbit/s beside Mbit/s (Ookla, G-NetTrack), position 0, 0 and blank or mixed-case
    operators (G-NetTrack), accuracy of kilometres (RTR).
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


def contaminated(
    rows: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    names_met: Mapping[str, Sequence[str]],
    generator: np.random.Generator,
    dirt: Dirt,
) -> pd.DataFrame:
    """Sound rows → rows as a delivery holds them, ordered by time, with `test_id`; texts where a
    file has texts.

    `rows`: those of `simulate.draw_tests`. `names_met`: the names that each operator goes by in
    files.
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
    fast = rows["is_5g"] & some(dirt.nr_share * 4)
    rows.loc[fast, "technology"], rows.loc[fast, "download_mbps"] = (
        "5G",
        (rows.loc[fast, "download_mbps"] * 6).clip(upper=900),
    )
    older = some(dirt.older_share)
    rows.loc[older, "technology"] = np.where(generator.random(int(older.sum())) < 0.8, "3G", "2G")
    rows.loc[older, "download_mbps"] *= 0.15
    wifi = some(dirt.wifi_share)
    rows.loc[wifi, "technology"] = "WiFi"
    rows.loc[(rows["technology"] == "4G") & some(0.3), "technology"] = "LTE"
    rows.loc[some(dirt.failed_share), "download_mbps"] = 0.0
    rows.loc[some(dirt.no_fix_share), ["latitude", "longitude"]] = 0.0
    rows.loc[some(dirt.coarse_share), "location_accuracy_m"] = 2500.0
    west, south, east, north = communes.total_bounds
    abroad = some(dirt.foreign_share)
    rows.loc[abroad, "latitude"] = south - generator.uniform(0.3, 2.0, int(abroad.sum()))
    rows.loc[some(dirt.unknown_operator_share), "operator"] = "Roaming"
    wrong = some(dirt.wrong_unit_share)
    rows.loc[wrong, "download_mbps"] *= 1000
    texts = rows.drop(columns="is_5g").round(
        {
            "latitude": 6,
            "longitude": 6,
            "download_mbps": 2,
            "upload_mbps": 2,
            "latency_ms": 1,
            "jitter_ms": 1,
        }
    )
    texts["download_mbps"] = texts["download_mbps"].astype(
        "object"
    )  # as a file holds it: numbers and words
    texts.loc[some(dirt.unreadable_share), "download_mbps"] = "lỗi"
    copies = np.flatnonzero(some(dirt.copied_share))[: count // 4]
    kept = np.setdiff1d(
        np.arange(count),
        generator.choice(np.setdiff1d(np.arange(count), copies), len(copies), replace=False),
    )
    texts = texts.iloc[np.sort(np.r_[kept, copies])]
    ordered = texts.sort_values(["measured_at", "device_id"], kind="stable", ignore_index=True)
    # a copied row is the row again, its id too
    identity = ordered.groupby(
        ["device_id", "measured_at", "latitude", "longitude"], sort=False
    ).ngroup()
    ordered.insert(0, "test_id", [f"VN{number:07d}" for number in identity + 1])
    return ordered
