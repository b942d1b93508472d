"""Likely causes and suggested actions as decision tables; near-ties in one band."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.actions import diagnose, prioritise
from pipeline.config.settings import Settings

RULES = Settings().diagnosis
SIGNS = diagnose.Signs(
    **{name: getattr(RULES, name) for name in diagnose.Signs.__dataclass_fields__}
)
NAN = float("nan")
PLAIN = dict(
    mean_mbps=20.0, signal_median_dbm=-103.0, busy_mean_mbps=NAN, calm_mean_mbps=NAN,
    busy_device_count=0, calm_device_count=0,
    failure_rate=0.0, fallback_share=0.0,
)  # fmt: skip
HOURS = dict(busy_device_count=5, calm_device_count=5)
CAUSES = [
    ({}, "unknown", ""),
    ({"signal_median_dbm": NAN, "failure_rate": NAN, "fallback_share": NAN}, "unknown", ""),
    ({"signal_median_dbm": -95.0}, "capacity_or_backhaul", "strong_signal"),
    ({"signal_median_dbm": -95.1}, "unknown", ""),
    (HOURS | {"busy_mean_mbps": 20.0, "calm_mean_mbps": 40.0}, "capacity_or_backhaul",
     "only_busy_hours"),
    (HOURS | {"busy_mean_mbps": 20.0, "calm_mean_mbps": 39.9}, "unknown", "slow_all_hours"),
    (HOURS | {"busy_mean_mbps": 20.0, "calm_mean_mbps": 50.0, "busy_device_count": 4}, "unknown",
     ""),
    ({"signal_median_dbm": -110.0}, "coverage", "weak_signal"),
    ({"failure_rate": 0.10}, "coverage", "failed_tests"),
    ({"failure_rate": 0.099}, "unknown", ""),
    ({"fallback_share": 0.20}, "coverage", "fallback_3g_2g"),
    (HOURS | {"busy_mean_mbps": 9.0, "calm_mean_mbps": 12.0, "signal_median_dbm": -112.0},
     "coverage", "slow_all_hours;weak_signal"),
    ({"signal_median_dbm": -90.0, "failure_rate": 0.3}, "mixed", "strong_signal;failed_tests"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "cause", "grounds"), CAUSES)
def test_likely_cause(change, cause, grounds):
    found = diagnose.likely_cause(pd.DataFrame([PLAIN | change]), 40.0, SIGNS).iloc[0]
    assert (found["likely_cause"], found["cause_grounds"]) == (cause, grounds)


GAP = dict(status="confirmed_gap", eb_mean_mbps=15.0, mean_mbps=14.0, likely_cause="coverage",
           good_operator_count=0, unknown_operator_count=0)  # fmt: skip
ACTIONS = [
    ({}, "fund"),
    ({"unknown_operator_count": 1}, "new_site"),
    ({"good_operator_count": 1, "unknown_operator_count": 2}, "share_or_roam"),
    ({"good_operator_count": 2}, "upgrade"),
    ({"likely_cause": "capacity_or_backhaul"}, "upgrade"),
    ({"likely_cause": "capacity_or_backhaul", "eb_mean_mbps": 30.0}, "optimise"),
    ({"likely_cause": "capacity_or_backhaul", "eb_mean_mbps": NAN, "mean_mbps": 29.9}, "upgrade"),
    ({"likely_cause": "unknown", "eb_mean_mbps": 35.0}, "fund"),
    ({"likely_cause": "mixed", "good_operator_count": 1}, "share_or_roam"),
    ({"status": "probable_gap", "likely_cause": "capacity_or_backhaul"}, "measure"),
    ({"status": "probable_gap", "good_operator_count": 1}, "measure"),
]


@pytest.mark.parametrize(("change", "action"), ACTIONS)
def test_suggested_action(change, action):
    assert diagnose.suggested_action(pd.DataFrame([GAP | change]), 40.0, SIGNS).tolist() == [action]


def test_the_tables_name_every_cause_ground_and_action():
    from pipeline.schema import tables, texts

    assert tables.FIELDS["likely_cause"].among == diagnose.CAUSES
    assert tables.FIELDS["suggested_action"].among == diagnose.ACTIONS
    for key in (*diagnose.CAUSES, *diagnose.GROUNDS, *diagnose.ACTIONS):
        assert texts.word(key, "vi") != texts.word(key, "en")


def test_bands_open_where_a_rank_is_surely_behind():
    rows = pd.DataFrame({"need_rank": [3, 1, 2, 4, 5], "rank_lo": [2, 1, 1, 3, 4]})
    # band 1: ranks 1 and 2 (2 could stand first); 3 could not; 4 could stand third, 5 could not
    assert prioritise.bands(rows).tolist() == [2, 1, 1, 2, 3]
    assert prioritise.bands(rows.head(0)).empty
