"""Row by row: does a test count, and if not, the one reason why. Marks, never drops (METHOD §2.1).

Does not belong here: reading text (`sources/`), finding the commune (`locate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from pipeline.tables import REJECT_REASONS


def mark_tests(
    tests: pd.DataFrame,
    *,
    months: Sequence[str],
    timezone: ZoneInfo,
    technology: str,
    max_download_mbps: float,
    max_accuracy_m: float,
) -> pd.DataFrame:
    """`tests` with `located_code` → the same rows with `reject_reason`, `is_failed`, `local_date`, `local_hour`, `month`.

    `months`: the window, YYYY-MM in local time. A failed test (download 0 or missing, the row otherwise sound) is no
    reject and no valid test. Reasons are tried in the order of `tables.REJECT_REASONS`; the first that holds is the row's.
    """
    local = tests["measured_at"].dt.tz_convert(timezone)
    month = local.dt.strftime("%Y-%m").astype("str")
    unreadable = ";" + tests["unreadable"] + ";"
    bad_row = unreadable.str.contains(";row;", regex=False)
    bad_time = tests["measured_at"].isna()
    outside_window = ~month.isin(list(months))
    position = tests["latitude"].between(-90, 90) & tests["longitude"].between(-180, 180)
    null_island = tests["latitude"].eq(0) & tests["longitude"].eq(0)  # what phones write when they do not know
    download = tests["download_mbps"]
    holds = {
        "bad_row": bad_row,
        "bad_time": bad_time,
        "outside_window": outside_window,
        "duplicate": _repeats(tests, ~(bad_row | bad_time | outside_window)),
        "bad_position": ~position | null_island,
        "outside_area": tests["located_code"].isna(),
        "inaccurate_position": tests["location_accuracy_m"] > max_accuracy_m,
        "unknown_technology": tests["technology"].isna(),
        "other_technology": tests["technology"].ne(technology),
        "unknown_operator": tests["operator_met"].isna(),
        "bad_value": unreadable.str.contains(";download_mbps;", regex=False)
        | (download < 0)
        | (download > max_download_mbps),
    }
    assert tuple(holds) == REJECT_REASONS
    reason = np.select([h.to_numpy(dtype=bool) for h in holds.values()], list(holds), default="")
    reject_reason = pd.Series(reason, index=tests.index, dtype="str").replace("", np.nan)
    failed = reject_reason.isna() & (download.isna() | download.eq(0))
    return tests.assign(
        reject_reason=reject_reason.astype("str"),
        is_failed=failed,
        month=month,
        local_date=local.dt.strftime("%Y-%m-%d").astype("str"),
        local_hour=local.dt.hour + local.dt.minute / 60 + local.dt.second / 3600,
    )


def _repeats(tests: pd.DataFrame, candidates: pd.Series) -> pd.Series:
    """Rows that were met before: same source and test_id; without one, same device, time, position and speeds.

    The first by time, file and row stays, so that the order in which files come does not matter.
    """
    keys = ["measured_at", "source_file", "source_row"]
    rows = tests[candidates].sort_values(keys, kind="stable")
    named = rows["test_id"].notna()
    by_id = rows[named].duplicated(["source", "test_id"])
    identity = [
        "device_id",
        "measured_at",
        "latitude",
        "longitude",
        "operator_met",
        "technology",
        "download_mbps",
        "upload_mbps",
    ]
    by_content = rows[~named].duplicated(identity)
    return pd.concat([by_id, by_content]).reindex(tests.index, fill_value=False).astype(bool)


def is_mobile(marked: pd.DataFrame, max_download_mbps: float) -> pd.Series:
    """Rows that are sound tests of any mobile technology: what the `all mobile` figures are made of.

    5G is faster than 4G, so the ceiling on believable speeds is ten times the 4G ceiling.
    """
    sound = marked["reject_reason"].isna() | marked["reject_reason"].eq("other_technology")
    named = marked["technology"].isin(["2G", "3G", "4G", "5G"]) & marked["operator_met"].notna()
    return sound & named & (marked["download_mbps"] > 0) & (marked["download_mbps"] <= 10 * max_download_mbps)


def balance(marked: pd.DataFrame) -> pd.DataFrame:
    """By source: rows read = valid tests + failed tests + rejects. Asserted here, printed by the journey."""
    rejected = marked["reject_reason"].notna()
    books = (
        pd.DataFrame(
            {
                "source": marked["source"],
                "read_count": 1,
                "valid_count": (~rejected & ~marked["is_failed"]).astype(int),
                "failed_count": marked["is_failed"].astype(int),
                "reject_count": rejected.astype(int),
            }
        )
        .groupby("source")
        .sum()
    )
    assert (books["read_count"] == books[["valid_count", "failed_count", "reject_count"]].sum(axis=1)).all()
    return books
