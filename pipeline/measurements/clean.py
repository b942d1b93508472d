"""Row by row: does a test count, and if not, the one reason why. Marks, never drops (METHOD §2.1).

Reasons are numbers into `tables.REJECT_REASONS`, tried in that order; the first that holds is the
row's. What a row shows by itself is asked once (`own_reasons`); whether it repeats another, and
whether it falls into a window, is laid over it. Does not belong here: reading text (`sources/`),
finding the commune (`locate.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.schema.tables import REJECT_REASONS

Reasons = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]
REASON = {name: number for number, name in enumerate(REJECT_REASONS)}
COUNTS = -1  # no reason: the row counts


def own_reasons(
    tests: pd.DataFrame,
    is_inside: Flags,
    *,
    technology: str,
    max_download_mbps: float,
    max_accuracy_m: float,
) -> Reasons:
    """`tests` → the first reason that each row shows by itself: all but `outside_window` and
    `duplicate`; COUNTS where none.

    `is_inside`: the position lies in a commune.
    """
    latitude, longitude = (
        tests[name].to_numpy(dtype="float64") for name in ("latitude", "longitude")
    )
    download = tests["download_mbps"].to_numpy(dtype="float64")
    # NaN fails every comparison
    is_position = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    is_position &= ~(
        (latitude == 0) & (longitude == 0)
    )  # null island: what phones write when they do not know
    is_believable = ~((download < 0) | (download > max_download_mbps))
    met = tests["technology"].eq(technology).to_numpy()
    found = np.full(len(tests), COUNTS, dtype=np.int8)
    # the last written wins: from the last reason to the first
    found[~is_believable] = REASON["bad_value"]
    found[tests["operator_met"].isna().to_numpy()] = REASON["unknown_operator"]
    found[~met] = REASON["other_technology"]
    if not met.all():
        found[tests["technology"].isna().to_numpy()] = REASON["unknown_technology"]
    found[tests["location_accuracy_m"].to_numpy(dtype="float64") > max_accuracy_m] = REASON[
        "inaccurate_position"
    ]
    found[~is_inside] = REASON["outside_area"]
    found[~is_position] = REASON["bad_position"]
    found[tests["measured_at"].isna().to_numpy()] = REASON["bad_time"]
    unreadable = tests["unreadable"].ne("").to_numpy()
    if unreadable.any():
        rows = np.flatnonzero(unreadable)
        listed = ";" + tests["unreadable"].iloc[rows] + ";"
        no_speed = rows[listed.str.contains(";download_mbps;", regex=False).to_numpy()]
        late = no_speed[found[no_speed] == COUNTS]
        found[late] = REASON["bad_value"]
        found[rows[listed.str.contains(";row;", regex=False).to_numpy()]] = REASON["bad_row"]
    return found


def has_time(own: Reasons) -> Flags:
    """Rows of which it is known when they were measured: repeats are looked for among these,
    windows hold only these.
    """
    return (own != REASON["bad_row"]) & (own != REASON["bad_time"])


def reasons_in(own: Reasons, is_repeat: Flags, is_in_window: Flags) -> Reasons:
    """The one reason of each row within a window, COUNTS where none."""
    found = own.copy()
    timed = has_time(own)
    found[timed & is_repeat] = REASON["duplicate"]
    found[timed & ~is_in_window] = REASON["outside_window"]
    return found


def is_failed(own: Reasons, download_mbps: npt.NDArray[np.float64]) -> Flags:
    """Sound rows without a speed (0 or missing): evidence of failure, no reject and no valid test."""
    return (own == COUNTS) & ~(download_mbps > 0)


def is_mobile(
    own: Reasons, technology: npt.NDArray[np.int8], has_operator: Flags, download_mbps: npt.NDArray[np.float64],
    max_download_mbps: float,
) -> Flags:  # fmt: skip
    """Rows that are sound tests of any mobile technology: what the `all mobile` figures are made
    of.

    `technology`: number into `tables.TECHNOLOGIES`, of which the last is Wi-Fi; −1 unknown.
    5G is faster than 4G, so the ceiling on believable speeds is ten times the 4G ceiling.
    """
    sound = (own == COUNTS) | (own == REASON["other_technology"])
    named = (technology >= 0) & (technology < 4) & has_operator
    return sound & named & (download_mbps > 0) & (download_mbps <= 10 * max_download_mbps)


def repeats(columns: tuple[npt.NDArray[Any], ...], order: tuple[npt.NDArray[Any], ...]) -> Flags:
    """Rows whose columns are equal to those of an earlier row (NaN equals NaN); earlier by `order`,
    the first key first.

    Which of several copies stays does not depend on the order in which files come.
    """
    sequence = np.lexsort([*order[::-1], *columns[::-1]])
    same = np.ones(max(len(sequence) - 1, 0), dtype=bool)
    for column in columns:
        now, then = column[sequence[1:]], column[sequence[:-1]]
        same &= (now == then) | ((now != now) & (then != then))
    found = np.zeros(len(sequence), dtype=bool)
    found[sequence[1:][same]] = True
    return found


def balance(
    reasons: Reasons, failed: Flags, source: npt.NDArray[Any], sources: list[str]
) -> pd.DataFrame:
    """By source: rows read = valid tests + failed tests + rejects. `source`: number into `sources`."""

    def count(rows: Flags) -> npt.NDArray[np.int64]:
        return np.bincount(source[rows], minlength=len(sources))

    sound = reasons == COUNTS
    return pd.DataFrame(
        {
            "read_count": np.bincount(source, minlength=len(sources)),
            "valid_count": count(sound & ~failed),
            "failed_count": count(sound & failed),
            "reject_count": count(~sound),
        },
        index=pd.Index(sources, name="source"),
    )
