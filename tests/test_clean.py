"""Which rows count: one reason each, nothing lost. Samples and device values by hand."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import clean, samples
from pipeline.tables import REJECT_REASONS, TABLES, typed

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
GOOD = dict(
    source="s", source_file="f", source_row=2, test_id=None, measured_at=pd.Timestamp("2026-10-01T01:00:00Z"), latitude=22.05, longitude=103.05,
    location_accuracy_m=10.0, operator_met="V", technology="4G", download_mbps=20.0, upload_mbps=5.0, latency_ms=40.0, jitter_ms=1.0,
    signal_dbm=-90.0, device_id="d", unreadable="", located_code="r0c0", hex9_id="h",
)  # fmt: skip


def rows_of(*changes: dict) -> pd.DataFrame:
    """One row per change, a minute apart, so that none repeats another unless the change says so."""
    rows = [
        GOOD | {"source_row": i + 2, "measured_at": GOOD["measured_at"] + pd.Timedelta(minutes=i)} | change
        for i, change in enumerate(changes)
    ]
    frame = pd.DataFrame(rows)
    frame["measured_at"] = pd.to_datetime(frame["measured_at"], utc=True)
    return typed("tests", frame).astype({"located_code": "str", "hex9_id": "str"})


def mark(tests: pd.DataFrame, **change) -> pd.DataFrame:
    rules = dict(months=["2026-10"], timezone=HANOI, technology="4G", max_download_mbps=600.0, max_accuracy_m=1000.0)
    return clean.mark_tests(tests, **(rules | change))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"unreadable": "row"}, "bad_row"),
        ({"measured_at": pd.NaT}, "bad_time"),
        ({"measured_at": pd.Timestamp("2026-10-31T17:00:00Z")}, "outside_window"),
        ({"measured_at": pd.Timestamp("2026-10-31T16:59:00Z")}, None),
        ({"measured_at": pd.Timestamp("2026-09-30T17:00:00Z")}, None),
        ({"latitude": np.nan}, "bad_position"),
        ({"longitude": 181.0}, "bad_position"),
        ({"latitude": 0.0, "longitude": 0.0}, "bad_position"),
        ({"located_code": None}, "outside_area"),
        ({"location_accuracy_m": 1000.0}, None),
        ({"location_accuracy_m": 1000.1}, "inaccurate_position"),
        ({"location_accuracy_m": np.nan}, None),
        ({"technology": None}, "unknown_technology"),
        ({"technology": "5G"}, "other_technology"),
        ({"technology": "wifi"}, "other_technology"),
        ({"operator_met": None}, "unknown_operator"),
        ({"download_mbps": 600.0}, None),
        ({"download_mbps": 600.1}, "bad_value"),
        ({"download_mbps": -1.0}, "bad_value"),
        ({"download_mbps": np.nan, "unreadable": "download_mbps"}, "bad_value"),
        ({"upload_mbps": np.nan, "unreadable": "upload_mbps"}, None),
        # the first reason that holds, in the declared order
        ({"technology": "5G", "operator_met": None, "download_mbps": 900.0}, "other_technology"),
        ({"measured_at": pd.NaT, "latitude": np.nan, "technology": None}, "bad_time"),
    ],
)
def test_reason(change, reason):
    found = mark(rows_of(change))["reject_reason"].iloc[0]
    assert (None if pd.isna(found) else found) == reason


@pytest.mark.parametrize("download", [0.0, np.nan])
def test_a_failed_test_is_kept_apart_and_is_no_reject(download):
    row = mark(rows_of({"download_mbps": download})).iloc[0]
    assert row["is_failed"]
    assert pd.isna(row["reject_reason"])
    assert not mark(rows_of({"download_mbps": download, "technology": "5G"})).iloc[0]["is_failed"]


def test_repeats_by_id_within_a_source_and_by_content_without_ids():
    at = GOOD["measured_at"]
    marked = mark(
        rows_of(
            {"test_id": "a"},
            {"test_id": "a"},
            {"test_id": "a", "source": "other"},
            {"measured_at": at, "source_file": "x"},
            {"measured_at": at, "source_file": "y"},
            {"measured_at": at, "source_file": "z", "download_mbps": 21.0},
            {"measured_at": at, "source_file": "z", "device_id": None},
            {"measured_at": at, "source_file": "z", "device_id": None},
        )
    )
    assert marked["reject_reason"].eq("duplicate").tolist() == [False, True, False, False, True, False, False, True]


def test_which_copy_stays_does_not_depend_on_the_order_of_rows():
    tests = rows_of(*[{"test_id": str(i % 3), "source_file": f"f{i % 2}"} for i in range(9)])
    kept = mark(tests).query("reject_reason.isna()")[["source_file", "source_row"]]
    shuffled = mark(tests.sample(frac=1, random_state=4)).query("reject_reason.isna()")[["source_file", "source_row"]]
    assert set(map(tuple, kept.to_numpy())) == set(map(tuple, shuffled.to_numpy()))
    assert len(kept) == 3


def test_a_repeat_of_a_row_outside_the_window_is_outside_the_window():
    old = pd.Timestamp("2026-08-01T01:00:00Z")
    marked = mark(rows_of({"test_id": "a", "measured_at": old}, {"test_id": "a"}))
    assert marked["reject_reason"].iloc[0] == "outside_window"
    assert pd.isna(marked["reject_reason"].iloc[1])


changes = st.fixed_dictionaries(
    {},
    optional={
        "measured_at": st.sampled_from([pd.NaT, GOOD["measured_at"], pd.Timestamp("2026-01-01T00:00:00Z")]),
        "latitude": st.sampled_from([np.nan, 22.05, 95.0]),
        "located_code": st.sampled_from([None, "r0c0"]),
        "technology": st.sampled_from([None, "4G", "5G", "wifi"]),
        "operator_met": st.sampled_from([None, "V"]),
        "download_mbps": st.sampled_from([np.nan, 0.0, -1.0, 5.0, 700.0]),
        "unreadable": st.sampled_from(["", "row", "download_mbps"]),
        "test_id": st.sampled_from([None, "a", "b"]),
        "source": st.sampled_from(["s", "t"]),
    },
)


@settings(max_examples=60, deadline=None)
@given(st.lists(changes, min_size=1, max_size=12))
def test_the_books_balance_whatever_comes(rows):
    tests = rows_of(*rows)
    marked = mark(tests)
    books = clean.balance(marked)
    assert len(marked) == len(tests) == books["read_count"].sum()
    assert set(marked["reject_reason"].dropna()) <= set(REJECT_REASONS)
    assert not (marked["is_failed"] & marked["reject_reason"].notna()).any()


# --- samples and device values


def sampled(*rows: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    marked = samples.keyed_devices(mark(rows_of(*rows)).assign(commune_code="r0c0", operator="V"))
    drawn = samples.representative_samples(marked)
    return drawn, samples.device_values(drawn)


def test_one_device_one_cell_one_date_is_one_sample_and_one_device_one_vote():
    day = pd.Timedelta(days=1)
    at = GOOD["measured_at"]
    drawn, devices = sampled(
        {"download_mbps": 10.0},
        {"download_mbps": 20.0},  # same sample: mean 15
        {"download_mbps": 45.0, "measured_at": at + day},  # second sample of d: device value 30
        {"download_mbps": 60.0, "measured_at": at + day, "hex9_id": "h2"},  # third: 40
        {"download_mbps": 7.0, "device_id": "e"},
    )
    assert sorted(drawn["download_mbps"]) == [7.0, 15.0, 45.0, 60.0]
    values = devices[devices["operator"] == "V"].set_index("device_key")["download_mbps"]
    assert values.to_dict() == {"s/d": 40.0, "s/e": 7.0}
    assert devices[devices["operator"] == "all"]["download_mbps"].tolist() == [40.0, 7.0]


def test_midnight_is_local():
    drawn, _ = sampled(
        {"measured_at": pd.Timestamp("2026-10-01T16:59:00Z")}, {"measured_at": pd.Timestamp("2026-10-01T17:01:00Z")}
    )
    assert sorted(drawn["local_date"]) == ["2026-10-01", "2026-10-02"]


def test_without_ids_a_cell_and_a_date_make_a_pseudo_device():
    drawn, devices = sampled(
        {"device_id": None}, {"device_id": None}, {"device_id": None, "hex9_id": "h2"}, {"device_id": "d"}
    )
    assert len(devices[devices["operator"] == "V"]) == 3
    assert drawn["is_pseudo"].sum() == 2


def test_hours_apart_are_measured_on_the_circle_and_only_between_slow_samples():
    def apart(*hours_and_speeds) -> float | None:
        rows = [
            {"measured_at": pd.Timestamp(f"2026-10-{i + 1:02d}T{(h - 7) % 24:02d}:00:00Z"), "download_mbps": speed}
            for i, (h, speed) in enumerate(hours_and_speeds)
        ]
        return samples.slow_hours_apart(sampled(*rows)[0], 40.0).get(("r0c0", "V"))

    assert apart((8, 10.0), (12, 10.0)) == 4.0
    assert apart((23, 10.0), (1, 10.0)) == 2.0
    assert apart((8, 10.0), (20, 50.0)) is None
    assert apart((8, 10.0), (9, 10.0), (21, 10.0)) == 12.0


def test_a_tiles_value_goes_to_the_larger_part_and_its_counts_are_split():
    parts = pd.DataFrame(
        {
            "quadkey": ["1", "1", "2"],
            "commune_code": ["a", "b", "b"],
            "tile_share": [0.7, 0.2, 0.5],
            "download_mbps": [10.0, 10.0, 30.0],
            "upload_mbps": 1.0,
            "latency_ms": 1.0,
            "test_count": [10.0, 10.0, 4.0],
            "device_count": [5.0, 5.0, 2.0],
        }
    )
    devices, counts = samples.tile_values(parts)
    assert devices[["commune_code", "device_key", "download_mbps"]].to_numpy().tolist() == [
        ["a", "1", 10.0],
        ["b", "2", 30.0],
    ]
    assert counts.loc[("b", "all")].to_dict() == pytest.approx(
        {"test_count": 4.0, "device_count": 2.0, "raw_mean_mbps": (2 * 10 + 2 * 30) / 4, "sample_count": 1}
    )


def test_the_tests_table_is_declared_in_the_order_of_the_design():
    assert TABLES["tests"][1:4] == ("source_file", "source_row", "test_id")
