"""The status rule as a decision table: each gate seen to decide."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.measurements.id_signs import IdLife
from pipeline.verdicts import judge
from tests.test_method import GATES, T

SURE_GAP = dict(
    m=12, sample_count=36, date_count=5, test_count=40, month_test_count=20, is_tiles=False,
    is_capped=False, mean_mbps=22.0,
    lo_mbps=16.0, hi_mbps=31.0, worst_hi_mbps=33.0, q_gap=0.01, q_meets=1.0, gap_probability=0.95,
    has_spread_between=True,
    slow_hours_apart=6.0, p_gap=0.004, p_meets=0.996, is_borrowed_gap=False,
    is_borrowed_pass=False, capped_mean_mbps=22.0, capped_lo_mbps=16.0,
    mean_without_fastest_mbps=20.0, recent_mean_mbps=23.0, recent_device_count=6,
    borrowed_gap_probability=0.97, borrowed_miss_probability=0.97, capped_gap_probability=0.97,
    borrowed_mean_mbps=24.0, weighted_mean_mbps=23.0, weighted_lo_mbps=15.0,
    weighted_hi_mbps=33.0, weighted_p_gap=0.006, weighted_p_meets=0.99,
)  # fmt: skip
SURE_PASS = SURE_GAP | dict(
    mean_mbps=63.0,
    lo_mbps=54.0,
    hi_mbps=72.0,
    worst_hi_mbps=74.0,
    q_gap=1.0,
    q_meets=0.001,
    gap_probability=0.001,
    p_gap=0.9995,
    p_meets=0.0005,
    capped_mean_mbps=63.0,
    capped_lo_mbps=54.0,
    mean_without_fastest_mbps=60.0,
    recent_mean_mbps=61.0,
    borrowed_mean_mbps=62.0,
    weighted_mean_mbps=62.0,
    weighted_lo_mbps=52.0,
    weighted_hi_mbps=74.0,
    weighted_p_gap=0.999,
    weighted_p_meets=0.001,
    borrowed_gap_probability=0.001,
    borrowed_miss_probability=0.002,
    capped_gap_probability=0.001,
)
NAN = float("nan")

TABLE = [
    # changed from SURE_GAP, status, evidence
    (SURE_GAP, {}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"m": 10, "sample_count": 30, "date_count": 3, "slow_hours_apart": 4.0,
                "q_gap": 0.05}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"m": 9}, "probable_gap", "probable"),
    (SURE_GAP, {"sample_count": 29}, "probable_gap", "probable"),
    (SURE_GAP, {"date_count": 2}, "probable_gap", "probable"),
    (SURE_GAP, {"slow_hours_apart": 3.9}, "probable_gap", "probable"),
    (SURE_GAP, {"slow_hours_apart": NAN}, "probable_gap", "probable"),
    (SURE_GAP, {"hi_mbps": 40.0}, "probable_gap", "probable"),
    (SURE_GAP, {"q_gap": 0.0501}, "probable_gap", "probable"),
    (SURE_GAP, {"q_gap": NAN}, "probable_gap", "probable"),
    (SURE_GAP, {"worst_hi_mbps": 40.0}, "probable_gap", "probable"),
    (SURE_GAP, {"q_gap": 0.06, "gap_probability": 0.80}, "probable_gap", "probable"),
    (SURE_GAP, {"q_gap": 0.06, "gap_probability": 0.79}, "borderline", "none"),
    (SURE_GAP, {"q_gap": 0.06, "gap_probability": NAN}, "borderline", "none"),
    (SURE_GAP, {"q_gap": 0.06, "has_spread_between": False}, "borderline", "none"),
    (SURE_GAP, {"gap_probability": NAN}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"has_spread_between": False}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"is_capped": True}, "probable_gap", "probable"),
    (SURE_GAP, {"is_capped": True, "gap_probability": NAN}, "probable_gap", "probable"),
    (SURE_GAP, {"borrowed_gap_probability": 0.95}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"borrowed_gap_probability": 0.94}, "probable_gap", "probable"),
    (SURE_GAP, {"borrowed_gap_probability": 0.80}, "probable_gap", "probable"),
    (SURE_GAP, {"borrowed_gap_probability": 0.79}, "borderline", "none"),
    (SURE_GAP, {"weighted_hi_mbps": 39.9}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"weighted_hi_mbps": 40.0}, "probable_gap", "probable"),
    (SURE_GAP, {"weighted_hi_mbps": NAN}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"borrowed_gap_probability": NAN}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"recent_mean_mbps": 40.0}, "borderline", "none"),
    (SURE_GAP, {"recent_mean_mbps": 40.0, "recent_device_count": 3}, "borderline", "none"),
    (SURE_GAP, {"m": 9, "weighted_mean_mbps": 39.9}, "probable_gap", "probable"),
    (SURE_GAP, {"m": 9, "weighted_mean_mbps": 40.0}, "borderline", "none"),
    (SURE_GAP, {"m": 9, "borrowed_mean_mbps": 34.7}, "probable_gap", "probable"),
    (SURE_GAP, {"m": 9, "borrowed_mean_mbps": 34.8}, "borderline", "none"),  # × 1.15 > 40
    (SURE_GAP, {"recent_mean_mbps": 40.0, "recent_device_count": 2}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"recent_mean_mbps": NAN, "recent_device_count": 0}, "confirmed_gap", "confirmed"),
    (SURE_GAP, {"m": 4}, "insufficient_evidence", "none"),
    (SURE_GAP, {"sample_count": 19}, "insufficient_evidence", "none"),
    (SURE_GAP, {"date_count": 1}, "insufficient_evidence", "none"),
    (SURE_GAP, {"date_count": 0, "is_tiles": True, "is_capped": True, "slow_hours_apart": NAN},
     "probable_gap", "probable"),
    (SURE_GAP, {"test_count": 0, "m": 0, "sample_count": 0}, "no_data", "none"),
    (SURE_PASS, {}, "meets_target", "confirmed"),
    (SURE_PASS, {"mean_mbps": 40.0, "lo_mbps": 40.0}, "meets_target", "confirmed"),
    (SURE_PASS, {"lo_mbps": 39.9}, "meets_target", "probable"),
    (SURE_PASS, {"weighted_lo_mbps": 40.0}, "meets_target", "confirmed"),
    (SURE_PASS, {"weighted_lo_mbps": 39.9}, "meets_target", "probable"),
    (SURE_PASS, {"weighted_lo_mbps": NAN}, "meets_target", "confirmed"),
    (SURE_PASS, {"q_meets": 0.06}, "meets_target", "probable"),
    (SURE_PASS, {"m": 9}, "meets_target", "probable"),
    (SURE_PASS, {"is_capped": True}, "meets_target", "probable"),
    (SURE_PASS, {"gap_probability": 0.20}, "meets_target", "confirmed"),
    (SURE_PASS, {"gap_probability": 0.21}, "borderline", "none"),
    (SURE_PASS, {"gap_probability": NAN}, "meets_target", "confirmed"),
    (SURE_PASS, {"gap_probability": NAN, "lo_mbps": 39.0}, "borderline", "none"),
    (SURE_PASS, {"capped_lo_mbps": 46.0}, "meets_target", "confirmed"),
    (SURE_PASS, {"capped_lo_mbps": 45.9}, "meets_target", "probable"),
    (SURE_PASS, {"capped_gap_probability": 0.02}, "meets_target", "confirmed"),
    (SURE_PASS, {"capped_gap_probability": 0.021}, "meets_target", "probable"),
    (SURE_PASS, {"capped_gap_probability": 0.21}, "borderline", "none"),
    (SURE_PASS, {"capped_gap_probability": NAN}, "meets_target", "confirmed"),
    (SURE_PASS, {"capped_mean_mbps": 39.9}, "borderline", "none"),
    (SURE_PASS, {"m": 9, "weighted_mean_mbps": 40.0}, "meets_target", "probable"),
    (SURE_PASS, {"m": 9, "weighted_mean_mbps": 39.9}, "borderline", "none"),
    (SURE_PASS, {"m": 9, "capped_mean_mbps": 46.0}, "meets_target", "probable"),
    (SURE_PASS, {"m": 9, "capped_mean_mbps": 45.9}, "borderline", "none"),
    (SURE_PASS, {"mean_without_fastest_mbps": 39.9}, "borderline", "none"),
    (SURE_PASS, {"mean_without_fastest_mbps": NAN, "date_count": 0, "is_tiles": True,
                 "is_capped": True}, "meets_target", "probable"),
    (SURE_PASS, {"recent_mean_mbps": 39.9}, "borderline", "none"),
    (SURE_PASS, {"recent_mean_mbps": 39.9, "recent_device_count": 2}, "meets_target", "confirmed"),
    (SURE_PASS, {"m": 7, "is_borrowed_pass": True}, "meets_target", "confirmed"),
    (SURE_PASS, {"m": 7, "gap_probability": 0.5, "is_borrowed_pass": True},
     "meets_target", "confirmed"),
    (SURE_PASS, {"m": 4}, "insufficient_evidence", "none"),
]  # fmt: skip


@pytest.mark.parametrize(("base", "change", "status", "evidence"), TABLE)
def test_status(base, change, status, evidence):
    row = judge.assign_status(pd.DataFrame([base | change]), T, GATES).iloc[0]
    assert (row["status"], row["evidence"]) == (status, evidence)


BORROWED = [
    # changed from a gap of seven devices, may it borrow?
    ({}, True),
    ({"m": 5, "sample_count": 20, "p_gap": 0.20}, True),
    ({"m": 4}, False),
    ({"sample_count": 19}, False),
    ({"date_count": 2}, False),
    ({"slow_hours_apart": 3.9}, False),
    ({"slow_hours_apart": NAN}, False),
    ({"p_gap": 0.21}, False),
    ({"p_gap": NAN}, False),
    ({"mean_mbps": 40.0}, False),
    ({"is_capped": True}, False),
    ({"is_tiles": True, "is_capped": True}, False),
    ({"weighted_p_gap": 0.20}, True),
    ({"weighted_p_gap": 0.21}, False),
    ({"weighted_p_gap": NAN}, True),
    ({"weighted_mean_mbps": 40.0}, False),
    ({"weighted_mean_mbps": NAN}, True),
    ({"borrowed_mean_mbps": 30.7}, True),
    ({"borrowed_mean_mbps": 30.8}, False),  # × 1.3 is above the target
    ({"recent_mean_mbps": 41.0}, False),
    ({"recent_mean_mbps": 41.0, "recent_device_count": 2}, True),
    # confirmed by its own devices: it does not carry the rate of those that borrow
    ({"m": 12, "sample_count": 36, "q_gap": 0.01, "hi_mbps": 31.0, "p_gap": 0.004}, False),
]


@pytest.mark.parametrize(("change", "may"), BORROWED)
def test_what_may_borrow_for_a_gap(change, may):
    row = (
        SURE_GAP
        | {"m": 7, "sample_count": 24, "q_gap": 0.2, "hi_mbps": 45.0, "p_gap": 0.1}
        | change
    )
    found = judge.may_borrow(pd.DataFrame([row]), T, GATES).iloc[0]
    assert (found["gap"], found["pass"]) == (may, False)


BORROWED_PASS = [
    # changed from a pass of seven devices, may it borrow?
    ({}, True),
    ({"slow_hours_apart": NAN}, True),
    ({"p_meets": 0.20}, True),
    ({"p_meets": 0.21}, False),
    ({"m": 4}, False),
    ({"date_count": 2}, False),
    ({"mean_mbps": 39.9}, False),
    ({"capped_mean_mbps": 39.9}, False),
    ({"mean_without_fastest_mbps": 39.9}, False),
    ({"capped_mean_mbps": 52.0}, True),
    ({"capped_mean_mbps": 51.9}, False),
    ({"capped_gap_probability": 0.0049}, True),
    ({"capped_gap_probability": 0.005}, False),
    ({"capped_gap_probability": NAN}, False),
    ({"recent_mean_mbps": 39.9}, False),
    ({"weighted_mean_mbps": 39.9}, False),
    ({"weighted_p_meets": 0.2}, True),
    ({"weighted_p_meets": 0.21}, False),
    ({"weighted_p_meets": NAN}, True),
    ({"is_capped": True}, False),
    ({"is_tiles": True, "is_capped": True}, False),
    ({"m": 12, "sample_count": 36, "q_meets": 0.001, "lo_mbps": 54.0}, False),
]


@pytest.mark.parametrize(("change", "may"), BORROWED_PASS)
def test_what_may_borrow_for_a_pass(change, may):
    few = {"m": 7, "sample_count": 24, "q_meets": 0.2, "lo_mbps": 35.0, "p_meets": 0.1}
    found = judge.may_borrow(pd.DataFrame([SURE_PASS | few | change]), T, GATES).iloc[0]
    assert (found["gap"], found["pass"]) == (False, may)


def test_a_borrowed_pass_says_so_and_direct_evidence_goes_first():
    few = SURE_PASS | {"m": 7, "q_meets": 0.2, "lo_mbps": 35.0, "is_borrowed_pass": True}
    rows = pd.DataFrame([few, SURE_PASS | {"is_borrowed_pass": True}])
    verdict = judge.assign_status(rows, T, GATES)
    assert verdict["evidence_basis"].tolist() == ["borrowed", "direct"]
    assert verdict["failed_gates"].tolist() == ["confirmed_min_devices;interval;q_value", ""]


def test_a_borrowed_gap_is_confirmed_and_says_so_and_direct_evidence_goes_first():
    few = SURE_GAP | {
        "m": 7,
        "sample_count": 24,
        "q_gap": 0.2,
        "hi_mbps": 45.0,
        "is_borrowed_gap": True,
    }
    verdict = judge.assign_status(
        pd.DataFrame([few, SURE_GAP | {"is_borrowed_gap": True}]), T, GATES
    )
    assert verdict["status"].tolist() == ["confirmed_gap"] * 2
    assert verdict["evidence_basis"].tolist() == ["borrowed", "direct"]
    assert verdict["failed_gates"].tolist() == [
        "confirmed_min_devices;confirmed_min_samples;interval;q_value",
        "",
    ]


@pytest.mark.parametrize(
    ("base", "change", "failed"),
    [
        (SURE_GAP, {"m": 4, "hi_mbps": 90.0}, "min_devices"),
        (
            SURE_GAP,
            {"m": 1, "sample_count": 1, "date_count": 1},
            "min_devices;min_samples;min_dates",
        ),
        (SURE_GAP, {"m": 9, "worst_hi_mbps": 41.0}, "confirmed_min_devices;leave_one_out"),
        (SURE_GAP, {"slow_hours_apart": 1.0, "q_gap": 0.5}, "min_hours_apart;q_value"),
        (SURE_GAP, {"is_capped": True}, "device_ids"),
        (SURE_GAP, {"borrowed_gap_probability": 0.5}, "crossed"),
        (SURE_GAP, {"recent_mean_mbps": 50.0}, "recent_month"),
        (SURE_PASS, {"recent_mean_mbps": 30.0}, "recent_month"),
        (SURE_PASS, {"capped_lo_mbps": 45.0}, "capped"),
        (SURE_PASS, {"mean_without_fastest_mbps": 39.0}, "capped"),
        (SURE_GAP, {"weighted_hi_mbps": 41.0}, "people"),
        (SURE_PASS, {"weighted_lo_mbps": 39.0}, "people"),
        (SURE_GAP, {"test_count": 0, "m": 0, "sample_count": 0, "date_count": 0}, ""),
        (SURE_PASS, {}, ""),
        (
            SURE_PASS,
            {"lo_mbps": 39.0, "q_meets": 0.2, "gap_probability": 0.3},
            "interval;q_value;posterior",
        ),
    ],
)
def test_failed_gates(base, change, failed):
    assert (
        judge.assign_status(pd.DataFrame([base | change]), T, GATES)["failed_gates"].iloc[0]
        == failed
    )


@pytest.mark.parametrize(
    ("base", "change", "margin"),
    [
        (SURE_GAP, {"weighted_hi_mbps": 30.0, "hi_mbps": 32.0}, 0.25),
        (SURE_GAP, {"weighted_hi_mbps": 32.0, "hi_mbps": 25.0}, 0.25),
        (SURE_GAP, {"weighted_hi_mbps": NAN, "hi_mbps": 32.0}, 0.25),
        (SURE_GAP, {"hi_mbps": 41.0, "weighted_hi_mbps": 30.0}, NAN),
        (SURE_PASS, {"lo_mbps": 50.0, "weighted_lo_mbps": 55.0}, 0.2),
        (SURE_PASS, {"lo_mbps": 64.0, "weighted_lo_mbps": 50.0}, 0.2),
        (SURE_PASS, {"lo_mbps": 39.0}, NAN),
        (SURE_GAP, {"m": 4}, NAN),
    ],
)
def test_margin(base, change, margin):
    rows = pd.DataFrame([base | change])
    status = judge.assign_status(rows, T, GATES)["status"]
    assert judge.margin(rows, status, T).iloc[0] == pytest.approx(margin, nan_ok=True)


def test_evidence_basis_is_direct_wherever_there_are_devices():
    rows = pd.DataFrame([SURE_GAP, SURE_GAP | {"m": 0, "test_count": 0, "sample_count": 0}])
    basis = judge.assign_status(rows, T, GATES)["evidence_basis"]
    assert basis.iloc[0] == "direct"
    assert pd.isna(basis.iloc[1])


FLAG_BASE = dict(
    test_count=100, month_test_count=100, mean_mbps=45.0, median_mbps=44.0, raw_mean_mbps=45.0,
    share_below_10_mbps=0.0,
    largest_device_tests=10, pseudo_count=0, largest_cell_samples=5, sample_count=50,
    all_mobile_mean_mbps=60.0,
    accurate_count=100, is_tiles=False, m=10, sd_mbps=5.0, is_widened=False,
    capped_mean_mbps=45.0, mean_without_fastest_mbps=44.0, recent_mean_mbps=45.0,
    recent_device_count=5, fast_test_count=3, weighted_mean_mbps=45.0,
    ids_restart=False, device_count=20, two_places_device_count=2, crowd_device_count=2,
    left_out_device_count=float("nan"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        ({}, ""),
        ({"month_test_count": 299}, ""),
        ({"month_test_count": 300}, "official_300"),
        ({"largest_device_tests": 26, "raw_mean_mbps": 35.9}, "heavy_tester"),
        ({"largest_device_tests": 26, "raw_mean_mbps": 36.1}, ""),
        ({"largest_device_tests": 25, "raw_mean_mbps": 20.0}, ""),
        ({"median_mbps": 39.9}, "mean_median_conflict"),
        (
            {
                "mean_mbps": 39.9,
                "median_mbps": 40.0,
                "raw_mean_mbps": 39.9,
                "all_mobile_mean_mbps": 39.9,
                "recent_mean_mbps": 39.9,
            },
            "mean_median_conflict",
        ),
        ({"share_below_10_mbps": 0.10}, "low_tail"),
        ({"share_below_10_mbps": 0.099}, ""),
        ({"pseudo_count": 1}, "no_device_id"),
        ({"largest_cell_samples": 26}, "one_place"),
        ({"largest_cell_samples": 25}, ""),
        (
            {
                "mean_mbps": 39.0,
                "median_mbps": 38.0,
                "raw_mean_mbps": 39.0,
                "recent_mean_mbps": 39.0,
            },
            "5g_masks_4g",
        ),
        ({"accurate_count": 49}, "few_accurate_positions"),
        ({"accurate_count": 50}, ""),
        ({"sd_mbps": 0.0}, "no_spread"),
        ({"capped_mean_mbps": 39.9}, "fast_rows"),
        ({"mean_without_fastest_mbps": 39.9}, "fast_rows"),
        ({"mean_without_fastest_mbps": 39.9, "fast_test_count": 0}, ""),
        ({"mean_without_fastest_mbps": 39.9, "m": 4}, ""),
        ({"weighted_mean_mbps": 53.9}, ""),
        ({"weighted_mean_mbps": 54.1}, "testers_differ"),
        ({"weighted_mean_mbps": 35.9}, "testers_differ"),
        ({"weighted_mean_mbps": 36.1}, ""),
        ({"weighted_mean_mbps": 35.9, "m": 4}, ""),
        ({"weighted_mean_mbps": NAN}, ""),
        ({"ids_restart": True}, "ids_restart"),
        ({"ids_restart": True, "m": 1}, "ids_restart"),
        ({"two_places_device_count": 3}, "id_in_two_places"),
        ({"two_places_device_count": 3, "m": 5}, "id_in_two_places"),
        ({"two_places_device_count": 3, "m": 4}, ""),
        ({"left_out_device_count": 1.0}, "straddles_event"),
        ({"left_out_device_count": 0.0}, ""),
        ({"crowd_device_count": 3}, "many_ids_at_once"),
        ({"crowd_device_count": 3, "m": 4}, ""),
        ({"recent_mean_mbps": 39.9}, "recent_change"),
        ({"recent_mean_mbps": 39.9, "recent_device_count": 2}, ""),
        (
            {
                "test_count": 0,
                "sample_count": 0,
                "m": 0,
                "mean_mbps": NAN,
                "month_test_count": 0,
                "accurate_count": 0,
                "ids_restart": True,
            },
            "",
        ),
    ],
)
def test_flags(change, flags):
    assert judge.flags(pd.DataFrame([FLAG_BASE | change]), T, GATES).iloc[0] == flags


@pytest.mark.parametrize(
    ("asked", "stayed", "shares", "restart"),
    [
        (20, 1, (0.5, 0.5), True),
        (20, 0, (0.5, 0.5), True),
        (20, 2, (0.5, 0.5), False),  # a tenth is not below a tenth
        (19, 0, (0.5, 0.5), False),
        (2000, 199, (0.4, 0.3, 0.3), True),
        (2000, 200, (0.4, 0.3, 0.3), False),
        (20, 0, (0.85, 0.15), True),
        (20, 0, (0.851, 0.149), False),
        (20, 0, (0.80, 0.14, 0.06), False),
        (500, 0, (1.0,), False),
        (0, 0, (), False),
    ],
)
def test_ids_restart_where_hardly_one_is_seen_in_two_months(asked, stayed, shares, restart):
    assert judge.do_ids_restart(IdLife(asked, stayed, shares), GATES) is restart


@pytest.mark.parametrize(
    ("tests", "failed", "newer", "fourth", "older", "reason"),
    [
        (0, 1, 1, 0, 1, "only_failed"),
        (0, 0, 2, 0, 1, "only_5g"),
        (0, 0, 0, 2, 1, "only_4g"),
        (0, 0, 0, 0, 1, "only_3g_2g"),
        (0, 0, 0, 0, 0, "no_test"),
        (1, 0, 0, 0, 0, None),
    ],
)
def test_no_data_reason(tests, failed, newer, fourth, older, reason):
    rows = pd.DataFrame(
        [
            dict(
                test_count=tests,
                left_out_device_count=0,
                failed_test_count=failed,
                newer_test_count=newer,
                test_count_4g=fourth,
                older_test_count=older,
            )
        ]
    )
    found = judge.no_data_reason(rows).iloc[0]
    assert (None if pd.isna(found) else found) == reason
    left_out = judge.no_data_reason(rows.assign(left_out_device_count=2)).iloc[0]
    assert (None if pd.isna(left_out) else left_out) == ("only_before_event" if reason else None)


G, P, M, B, U, N = (
    "confirmed_gap",
    "probable_gap",
    "meets_target",
    "borderline",
    "insufficient_evidence",
    "no_data",
)


@pytest.mark.parametrize(
    ("statuses", "gap_class"),
    [
        ([G, P], "total_gap"),
        ([G, P, P], "total_gap"),
        ([G], "total_gap"),
        ([G, B], "gap_rest_borderline"),
        ([P, G, B], "gap_rest_borderline"),
        ([G, B, U], "gap_rest_unknown"),
        ([G, B, N], "gap_rest_unknown"),
        ([G, B, M], "partial_gap"),
        ([G, B, M, U], "partial_gap"),
        ([P, M], "partial_gap"),
        ([G, M, U], "partial_gap"),
        ([G, U], "gap_rest_unknown"),
        ([M, U], "no_gap_found"),
        ([M, B], "no_gap_found"),
        ([B, U], "unknown"),
        ([B], "unknown"),
        ([B, B], "unknown"),
        ([U, U], "unknown"),
        ([N, N], "unknown"),
    ],
)
def test_gap_class(statuses, gap_class):
    rows = pd.DataFrame(
        {
            "commune_code": "a",
            "operator": [f"o{i}" for i in range(len(statuses))],
            "status": statuses,
            "counts_here": True,
        }
    )
    assert judge.summarise(rows)["gap_class"].iloc[0] == gap_class


@pytest.mark.parametrize(
    ("statuses", "gap_class", "gap_class_if_all_counted"),
    [
        ([G, N], "total_gap", "gap_rest_unknown"),
        ([G, U], "total_gap", "gap_rest_unknown"),
        ([G, B], "total_gap", "gap_rest_borderline"),
        ([G, B, N], "gap_rest_borderline", "gap_rest_unknown"),
        ([G, M, N], "partial_gap", "partial_gap"),
        ([B, N], "unknown", "unknown"),
    ],
)
def test_an_operator_without_devices_there_within_a_year_does_not_count(
    statuses, gap_class, gap_class_if_all_counted
):
    rows = pd.DataFrame(
        {
            "commune_code": "a",
            "operator": [f"o{i}" for i in range(len(statuses))],
            "status": statuses,
            "counts_here": [True] * (len(statuses) - 1) + [False],  # the last one is absent
        }
    )
    assert judge.summarise(rows)["gap_class"].iloc[0] == gap_class
    counted = judge.summarise(rows.assign(counts_here=True))
    assert counted["gap_class"].iloc[0] == gap_class_if_all_counted


@given(st.lists(st.sampled_from([G, P, M, B, U, N]), min_size=1, max_size=6), st.data())
def test_a_total_gap_is_a_gap_of_every_operator_present(statuses, data):
    # an operator with a verdict has tests there within 12 months, so that it is present
    here = [status not in (U, N) or data.draw(st.booleans()) for status in statuses]
    rows = pd.DataFrame(
        {
            "commune_code": "a",
            "operator": [f"o{i}" for i in range(len(statuses))],
            "status": statuses,
            "counts_here": here,
        }
    )
    present = [status for status, counts in zip(statuses, here, strict=True) if counts]
    is_total = judge.summarise(rows)["gap_class"].iloc[0] == "total_gap"
    assert is_total == (len(present) > 0 and set(present) <= {G, P})


def test_a_pooled_gap_leaves_the_rest_unknown():
    rows = pd.DataFrame(
        {
            "commune_code": ["a", "b", "c"],
            "operator": "all",
            "status": [P, M, B],
            "counts_here": True,
        }
    )
    found = judge.summarise(rows)["gap_class"].tolist()
    assert found == ["gap_rest_unknown", "no_gap_found", "unknown"]


@pytest.mark.parametrize(
    ("statuses", "counts", "bounds"),
    [
        # one commune, two operators: (status, evidence)
        ([(M, "confirmed"), (M, "confirmed")], [True, True], (1.0, 1.0)),
        ([(M, "confirmed"), (M, "probable")], [True, True], (0.0, 1.0)),
        ([(M, "confirmed"), (U, "none")], [True, True], (0.0, 1.0)),
        ([(M, "confirmed"), (B, "none")], [True, True], (0.0, 1.0)),
        ([(M, "confirmed"), (N, "none")], [True, False], (1.0, 1.0)),
        ([(M, "confirmed"), (P, "probable")], [True, True], (0.0, 1.0)),
        ([(M, "confirmed"), (G, "confirmed")], [True, True], (0.0, 0.0)),
        ([(N, "none"), (N, "none")], [False, False], (0.0, 1.0)),
    ],
)
def test_everywhere_is_a_pair_of_bounds(statuses, counts, bounds):
    rows = pd.DataFrame(
        [
            {"commune_code": "a", "operator": f"o{i}", "status": s, "evidence": e, "counts_here": c}
            for i, ((s, e), c) in enumerate(zip(statuses, counts, strict=True))
        ]
    )
    assert judge.everywhere_bounds(rows) == bounds
    pooled = rows.assign(operator="all", status=G, evidence="confirmed")
    assert judge.everywhere_bounds(pd.concat([rows, pooled], ignore_index=True)) == bounds, (
        "the pooled row has no say"
    )


def test_everywhere_counts_communes():
    rows = pd.DataFrame(
        {
            "commune_code": list("abcd"),
            "operator": "x",
            "status": [M, M, G, U],
            "evidence": ["confirmed", "probable", "confirmed", "none"],
            "counts_here": True,
        }
    )
    assert judge.everywhere_bounds(rows) == (0.25, 0.75)
