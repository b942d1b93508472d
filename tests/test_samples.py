"""Samples, device values, units and bursts against plain pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.measurements.evidence import units_over
from pipeline.schema.tables import with_declared_dtypes
from tests.builders import aggregates_of_tests, squares

NEAR = pd.Timestamp("2026-10-02T02:00:00Z")
one_test = st.tuples(
    st.sampled_from(["d", "e", None]),
    st.sampled_from(["V", "W"]),
    st.sampled_from([22.05, 22.0501, 22.07]),  # the first two share a cell of resolution 9
    st.integers(0, 40),  # tens of minutes
    st.sampled_from(["4G", "4G", "4G", "5G", "wifi"]),
    st.sampled_from([0.0, 12.5, 30.1, 55.7, 180.0]),
    st.sampled_from([np.nan, 4.5, 9.1]),
)


def rows_as_tests(rows: list[tuple]) -> pd.DataFrame:
    names = [
        "device_id",
        "operator_met",
        "latitude",
        "tens",
        "technology",
        "download_mbps",
        "upload_mbps",
    ]
    frame = pd.DataFrame(rows, columns=names)
    return with_declared_dtypes("tests", frame.assign(
        measured_at=pd.to_datetime(NEAR) + pd.to_timedelta(frame["tens"] * 10, unit="min"),
        longitude=103.05, latency_ms=20.0,
        source="s", source_file="f", source_row=np.arange(2, len(frame) + 2),
        location_accuracy_m=10.0, test_id=None,
        jitter_ms=np.nan, signal_dbm=np.nan, unreadable="",
    ).drop(columns="tens").astype({"measured_at": "datetime64[us, UTC]"}))  # fmt: skip


def plain(tests: pd.DataFrame) -> pd.DataFrame:
    """The valid tests once each, with their samples' keys: what METHOD §2 says, in pandas."""
    local = tests["measured_at"].dt.tz_convert("Asia/Ho_Chi_Minh")
    cell = tests["latitude"].map({22.05: 1, 22.0501: 1, 22.07: 2})
    named = tests.assign(cell=cell, day=local.dt.date)
    pseudo = "pseudo " + named["cell"].astype("str") + named["day"].astype("str")
    named["device"] = named["device_id"].fillna(pseudo)
    same = [
        "device",
        "operator_met",
        "technology",
        "measured_at",
        "latitude",
        "download_mbps",
        "upload_mbps",
    ]
    return named.drop_duplicates(same)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(one_test, min_size=1, max_size=25), st.integers(2, 3), st.sampled_from([10.0, 30.0])
)
def test_units_and_bursts_are_those_of_plain_pandas(rows, least, gap):
    chosen = {
        "evidence": {"window_months": 1, "widened_months": []},
        "tracker": {"burst_min_tests": least, "burst_gap_minutes": gap},
    }
    tests = rows_as_tests(rows)
    found, asked, _ = aggregates_of_tests(tests, squares(), **chosen)
    once = plain(tests)
    valid = once[once["technology"].eq("4G") & once["download_mbps"].gt(0)]
    sat = valid.sort_values(["device", "cell", "measured_at", "source_row"])
    apart = sat.groupby(["device", "cell"])["measured_at"].diff().dt.total_seconds().div(60)
    sitting = (apart.isna() | (apart > gap)).cumsum()
    assert (
        found["bursts"]["bursts"].sum()
        == (sat.groupby(sitting)["cell"].transform("size") >= least).sum()
    )
    assume(not valid.empty)
    devices, counts = units_over(found, asked, 0, 1, 3)
    samples = valid.groupby(["operator_met", "device", "cell", "day"])[
        ["download_mbps", "upload_mbps"]
    ].mean()
    values = samples.groupby(["operator_met", "device"]).mean().reset_index()
    for operator, mine in values.groupby("operator_met"):
        ours = devices[devices["operator"] == operator]
        np.testing.assert_allclose(
            np.sort(ours["download_mbps"]), np.sort(mine["download_mbps"]), rtol=0, atol=1e-9
        )
        np.testing.assert_allclose(
            np.sort(ours["upload_mbps"]), np.sort(mine["upload_mbps"]), rtol=0, atol=1e-9
        )
        unit, here = counts.loc[("r0c0", operator)], valid[valid["operator_met"] == operator]
        assert unit["test_count"] == len(here)
        assert unit["sample_count"] == len(samples.loc[operator])
        assert unit["date_count"] == here["day"].nunique()
        assert unit["raw_mean_mbps"] == pytest.approx(here["download_mbps"].mean(), abs=1e-6)
    everyone = counts.loc[("r0c0", "all")]
    assert everyone["device_count"] == valid["device"].nunique()
    assert everyone["largest_device_tests"] == valid["device"].value_counts().max()
    assert found["area 0"]["device"].n_unique() == valid["device"].nunique()
    mobile = once[once["technology"].isin(["4G", "5G"]) & once["download_mbps"].gt(0)]
    expected = mobile.groupby("device")["download_mbps"].mean().mean()
    assert everyone["all_mobile_mean_mbps"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("speeds", "capped"),
    [
        # three times the lower quartile 30 is 90
        ([30.0, 30.0, 30.0, 180.0], (30 + 30 + 30 + 90) / 4),
        # never below the target: a phone of 1 Mbit/s in a cellar is not capped at 3
        ([1.0, 1.0, 1.0, 180.0], (1 + 1 + 1 + 40) / 4),
        # never above fast_test_mbps: a phone whose tests are all fast
        ([180.0, 180.0, 200.0], 150.0),
        # the lower quartile of few tests is the slowest
        ([20.0, 90.0], (20 + 60) / 2),
        # a test of long ago caps nothing: the longest window is one month here
        ([70.0, 150.0], (70 + 150) / 2),
    ],
)
def test_a_test_counts_for_no_more_than_three_times_its_phones_slower_tests(speeds, capped):
    tests = rows_as_tests(
        [("d", "V", 22.05, i, "4G", x, np.nan) for i, x in enumerate([*speeds, 2.0])]
    )
    tests.loc[len(speeds), "measured_at"] -= pd.Timedelta(days=400)
    window = {"evidence": {"window_months": 1, "widened_months": []}}
    found, asked, _ = aggregates_of_tests(tests, squares(), **window)
    value = units_over(found, asked, 0, 1, 3)[0].iloc[0]
    assert value["capped_mbps"] == pytest.approx(capped)
    assert value["download_mbps"] == pytest.approx(np.mean(speeds))
