"""Why a gap may be slow, and what to do about it: two decision tables (METHOD §6).

The results are hints with their grounds, not verdicts: they use signal, hours and failures of the
same tests, and an operator's engineers know more. Does not belong here: the score
(`prioritise.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.config.rules import Signs

CAUSES = ("capacity_or_backhaul", "coverage", "mixed", "unknown")
GROUNDS = (
    "only_busy_hours",
    "slow_all_hours",
    "strong_signal",
    "weak_signal",
    "failed_tests",
    "fallback_3g_2g",
)
ACTIONS = ("measure", "optimise", "upgrade", "new_site", "share_or_roam", "fund")


def likely_cause(rows: pd.DataFrame, target: float, signs: Signs) -> pd.DataFrame:
    """`likely_cause` and `cause_grounds` (`;`-separated) of each gap.

    Needs: mean_mbps, signal_median_dbm, busy_mean_mbps, calm_mean_mbps, busy_device_count,
    calm_device_count, failure_rate, fallback_share. Slow with a strong signal or only at busy
    hours: capacity or backhaul. Slow at all hours with a weak signal, failed tests or 3G/2G
    fallback: coverage. Signs of both: mixed. No sign: unknown.
    """
    both = rows[["busy_device_count", "calm_device_count"]].ge(signs.min_devices).all(axis=1)
    slow_busy, slow_calm = rows["busy_mean_mbps"] < target, rows["calm_mean_mbps"] < target
    held = pd.DataFrame(
        {
            "only_busy_hours": both & slow_busy & ~slow_calm,
            "slow_all_hours": both & slow_busy & slow_calm,
            "strong_signal": rows["signal_median_dbm"] >= signs.strong_signal_dbm,
            "weak_signal": rows["signal_median_dbm"] <= signs.weak_signal_dbm,
            "failed_tests": rows["failure_rate"] >= signs.failure_rate,
            "fallback_3g_2g": rows["fallback_share"] >= signs.fallback_share,
        }
    ).astype(bool)
    capacity = held["only_busy_hours"] | held["strong_signal"]
    coverage = held["weak_signal"] | held["failed_tests"] | held["fallback_3g_2g"]
    cause = np.select(
        [capacity & coverage, capacity, coverage],
        ["mixed", CAUSES[0], "coverage"],
        default="unknown",
    )
    names = np.array(GROUNDS)
    grounds = [";".join(names[row]) for row in held[list(GROUNDS)].to_numpy()]
    return pd.DataFrame(
        {
            "likely_cause": pd.Series(cause, index=rows.index, dtype="str"),
            "cause_grounds": pd.Series(grounds, index=rows.index, dtype="str"),
        }
    )


def suggested_action(rows: pd.DataFrame, target: float, signs: Signs) -> pd.Series:
    """What to do first about each gap, given its likely cause.

    Needs: status, eb_mean_mbps, mean_mbps, likely_cause, good_operator_count (operators that meet
    the target there), unknown_operator_count. A probable gap is measured first. Capacity: optimise
    near the target, else upgrade. Coverage, and what is unclear: nobody good → fund a new site
    (public money, Germany's white spots); the others not known → new site; one good → share or roam
    (UK's partial not-spots); several good → the failing operator's own upgrade.
    """
    mean = rows["eb_mean_mbps"].fillna(rows["mean_mbps"])
    capacity = rows["likely_cause"].eq("capacity_or_backhaul")
    good, unknown = rows["good_operator_count"], rows["unknown_operator_count"]
    action = np.select(
        [
            rows["status"].ne("confirmed_gap"),
            capacity & (mean >= signs.near_share * target),
            capacity,
            good >= 2,
            good == 1,
            unknown > 0,
        ],
        ["measure", "optimise", "upgrade", "upgrade", "share_or_roam", "new_site"],
        default="fund",
    )
    return pd.Series(action, index=rows.index, dtype="str")
