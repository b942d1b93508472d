"""Device values of tiles, and the distance between times of day (METHOD §2, §4).

Does not belong here: samples of tests (`samples.py`), intervals and probabilities
(`statistics.py`), verdicts (`judge.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.measurements.fingerprints import of_texts
from pipeline.schema.fields import ALL
from pipeline.schema.tables import validated, with_declared_dtypes

UNIT = ["commune_code", "operator"]


DAY_S, HOUR_S = 86_400, 3_600


def widest_apart(seconds: npt.NDArray[np.int64]) -> float:
    """The widest distance between two times of day, in hours on the 24-hour circle.

    23:00 and 01:00 are 2 h apart; 12 h is the most. `seconds`: of the local day, ascending, each
    once. Each time is compared with those nearest to its opposite point.

    >>> [widest_apart(np.array(hours) * 3600) for hours in ([1, 23], [0, 5, 18], [12])]
    [2.0, 11.0, 0.0]
    """
    is_met = np.zeros(DAY_S, dtype=bool)
    is_met[seconds] = True
    if (is_met[: DAY_S // 2] & is_met[DAY_S // 2 :]).any():
        return 12.0
    opposite = np.searchsorted(seconds, (seconds + DAY_S // 2) % DAY_S)
    best = 0
    for shift in (-1, 0):
        gap = np.abs(seconds - seconds[(opposite + shift) % len(seconds)])
        best = max(best, int(np.minimum(gap, DAY_S - gap).max()))
    return best / HOUR_S


def tile_values(parts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(device values, one per tile; counts by commune), operator `all` (METHOD §2.6).

    `parts`: tiles split over communes, with quadkey, commune_code, tile_share, test_count,
    device_count (of the whole tile), speeds. Counts are sums of count × share (decimals). A tile's
    value belongs to the commune with the largest part, on a tie to the smaller code; it counts by
    the devices of that part (`device_weight`).
    """
    shared = parts.assign(
        operator=ALL,
        test_part=parts["test_count"] * parts["tile_share"],
        device_part=parts["device_count"] * parts["tile_share"],
    )
    shared["weighted"] = shared["test_part"] * shared["download_mbps"]
    sums = shared.groupby(UNIT)[["test_part", "device_part", "weighted"]].sum()
    home = shared.sort_values(
        ["quadkey", "tile_share", "commune_code"], ascending=[True, False, True]
    ).drop_duplicates("quadkey")
    devices = home.assign(
        device_key=of_texts(home["quadkey"]),
        capped_mbps=home["download_mbps"],
        month_mbps=np.nan,
        sample_count=1.0,
        device_weight=home["device_part"],
        is_pseudo=True,
    )
    devices = devices.sort_values([*UNIT, "device_key"], ignore_index=True)
    counts = pd.DataFrame(
        {
            "test_count": sums["test_part"],
            "device_count": sums["device_part"],
            "raw_mean_mbps": sums["weighted"] / sums["test_part"],
            "sample_count": home.groupby(UNIT).size().reindex(sums.index, fill_value=0),
        }
    )
    return validated("device_values", with_declared_dtypes("device_values", devices)), counts
