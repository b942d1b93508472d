"""Which rows count: one reason each, nothing lost. Samples and device values by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from pipeline.measurements import tile_values
from pipeline.measurements.books import books_of, rejects_of
from pipeline.measurements.evidence import units_over
from pipeline.schema.columns import TABLES
from pipeline.schema.fields import REJECT_REASONS
from pipeline.schema.tables import validated, with_declared_dtypes
from tests.builders import aggregates_of_tests

ONE_MONTH = {"evidence": {"window_months": 1, "widened_months": ()}}
GOOD = dict(
    source="s", source_file="f", source_row=2, test_id=None,
    measured_at=pd.Timestamp("2026-10-01T01:00:00Z"), latitude=22.05, longitude=103.05,
    location_accuracy_m=10.0, operator_met="V", technology="4G", download_mbps=20.0,
    upload_mbps=5.0, latency_ms=40.0, jitter_ms=1.0,
    signal_dbm=-90.0, device_id="d", unreadable="",
)  # fmt: skip


def rows_of(*changes: dict) -> pd.DataFrame:
    """One row per change, a minute apart.

    None repeats another unless the change says so.
    """
    rows = [
        GOOD
        | {"source_row": i + 2, "measured_at": GOOD["measured_at"] + pd.Timedelta(minutes=i)}
        | change
        for i, change in enumerate(changes)
    ]
    frame = pd.DataFrame(rows)
    frame["measured_at"] = pd.to_datetime(frame["measured_at"], utc=True)
    return with_declared_dtypes("tests", frame)


def examined(tests: pd.DataFrame) -> tuple[list[str | None], pd.DataFrame]:
    """(the reason of each row, None where it counts; the books), within October 2026."""
    found, _, prepared = aggregates_of_tests(tests, **ONE_MONTH)
    rejects = rejects_of(found, prepared.how).set_index(["source_file", "source_row"])
    rows = pd.MultiIndex.from_frame(tests[["source_file", "source_row"]])
    reasons = rejects["reject_reason"].reindex(rows)
    return [None if pd.isna(reason) else reason for reason in reasons], books_of(
        found, prepared.how
    )


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
        ({"latitude": 10.0}, "outside_area"),
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
    assert examined(rows_of(change))[0] == [reason]


@pytest.mark.parametrize("download", [0.0, np.nan])
def test_a_failed_test_is_kept_apart_and_is_no_reject(download):
    reasons, books = examined(rows_of({"download_mbps": download}))
    assert reasons == [None]
    assert books.loc["s"].tolist() == [1, 0, 1, 0]
    assert examined(rows_of({"download_mbps": download, "technology": "5G"}))[1].loc[
        "s"
    ].tolist() == [1, 0, 0, 1]


def test_repeats_by_id_within_a_source_and_by_content_without_ids():
    at = GOOD["measured_at"]
    reasons, _ = examined(
        rows_of(
            {"test_id": "a"},
            {"test_id": "a", "device_id": "another", "latitude": 22.15},
            {"test_id": "a", "source": "other", "source_file": "o"},
            {"measured_at": at, "source_file": "x"},
            {"measured_at": at, "source_file": "y"},
            {"measured_at": at, "source_file": "z", "download_mbps": 21.0},
            {"measured_at": at, "source_file": "z", "device_id": None},
            {"measured_at": at, "source_file": "z", "device_id": None},
            {"measured_at": at, "source_file": "z", "location_accuracy_m": 20.0},
            {"measured_at": at, "source_file": "z", "upload_mbps": np.nan, "test_id": None},
            {"measured_at": at, "source_file": "z", "upload_mbps": np.nan, "test_id": None},
        )
    )
    repeats = [reason == "duplicate" for reason in reasons]
    assert repeats == [False, True, False, False, True, False, False, True, True, False, True]


def test_which_copy_stays_does_not_depend_on_the_order_of_rows():
    tests = rows_of(*[{"test_id": str(i % 3), "source_file": f"f{i % 2}"} for i in range(9)])
    shuffled = tests.sample(frac=1, random_state=4)

    def kept(rows: pd.DataFrame) -> set[tuple[str, int]]:
        stays = [reason is None for reason in examined(rows)[0]]
        return set(
            rows.loc[stays, ["source_file", "source_row"]].itertuples(index=False, name=None)
        )

    assert kept(tests) == kept(shuffled)
    assert len(kept(tests)) == 3


def test_a_test_that_was_met_in_an_earlier_month_counts_there():
    old = pd.Timestamp("2026-08-01T01:00:00Z")
    reasons, _ = examined(
        rows_of({"test_id": "a", "measured_at": old}, {"test_id": "a"}, {"test_id": "b"})
    )
    assert reasons == ["outside_window", "duplicate", None]


changes = st.fixed_dictionaries(
    {},
    optional={
        "measured_at": st.sampled_from(
            [pd.NaT, GOOD["measured_at"], pd.Timestamp("2026-01-01T00:00:00Z")]
        ),
        "latitude": st.sampled_from([np.nan, 22.05, 95.0, 10.0]),
        "technology": st.sampled_from([None, "4G", "5G", "wifi"]),
        "operator_met": st.sampled_from([None, "V"]),
        "download_mbps": st.sampled_from([np.nan, 0.0, -1.0, 5.0, 700.0]),
        "unreadable": st.sampled_from(["", "row", "download_mbps"]),
        "test_id": st.sampled_from([None, "a", "b"]),
        "source": st.sampled_from(["s", "t"]),
    },
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(changes, min_size=1, max_size=12))
def test_the_books_balance_whatever_comes(rows):
    tests = rows_of(*rows)
    reasons, books = examined(tests)
    assert len(tests) == books["read_count"].sum()
    assert {reason for reason in reasons if reason} <= set(REJECT_REASONS)
    assert books["reject_count"].sum() == sum(reason is not None for reason in reasons)
    failed = [
        reason is None and not speed > 0
        for reason, speed in zip(reasons, tests["download_mbps"], strict=True)
    ]
    assert books["failed_count"].sum() == sum(failed)


# --- samples and device values


def figures(*rows: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(device values, counts by unit) over October 2026."""
    found, asked, _ = aggregates_of_tests(rows_of(*rows), **ONE_MONTH)
    return units_over(found, asked, 0, 1, 3)


def test_one_device_one_cell_one_date_is_one_sample_and_one_device_one_vote():
    day = pd.Timedelta(days=1)
    at = GOOD["measured_at"]
    devices, counts = figures(
        {"download_mbps": 10.0},
        {"download_mbps": 20.0},  # same sample: mean 15
        {"download_mbps": 45.0, "measured_at": at + day},  # second sample of d: device value 30
        {"download_mbps": 60.0, "measured_at": at + day, "latitude": 22.07},  # third: 40
        {"download_mbps": 7.0, "device_id": "e"},
    )
    values = devices[devices["operator"] == "V"].sort_values("test_count")
    assert values[["download_mbps", "sample_count", "test_count"]].to_numpy().tolist() == [
        [7.0, 1, 1],
        [40.0, 3, 4],
    ]
    assert sorted(devices[devices["operator"] == "all"]["download_mbps"]) == [7.0, 40.0]
    unit = counts.loc[("r0c0", "V")]
    assert unit[["test_count", "sample_count", "device_count", "date_count"]].tolist() == [
        5,
        4,
        2,
        2,
    ]
    assert unit["raw_mean_mbps"] == pytest.approx(142 / 5)
    assert unit[["largest_device_tests", "largest_cell_samples"]].tolist() == [4, 3]


def test_midnight_is_local():
    _, counts = figures(
        {"measured_at": pd.Timestamp("2026-10-01T16:59:00Z")},
        {"measured_at": pd.Timestamp("2026-10-01T17:01:00Z")},
    )
    assert counts.loc[("r0c0", "V"), ["sample_count", "date_count"]].tolist() == [2, 2]


def test_without_ids_a_cell_and_a_date_make_a_pseudo_device():
    devices, counts = figures(
        {"device_id": None},
        {"device_id": None, "upload_mbps": 9.0},
        {"device_id": None, "latitude": 22.07},
        {"device_id": "d"},
    )
    named = devices[devices["operator"] == "V"]
    assert len(named) == 3
    assert named["is_pseudo"].sum() == 2
    assert counts.loc[("r0c0", "V"), "pseudo_count"] == 3


def test_a_phone_with_two_operators_is_one_device_and_two_values():
    devices, counts = figures({"download_mbps": 10.0}, {"download_mbps": 30.0, "operator_met": "W"})
    assert sorted(devices[devices["operator"] == "all"]["download_mbps"]) == [10.0, 30.0]
    keys = devices.groupby("operator")["device_key"].agg(["size", "nunique"])
    assert keys.to_dict("index") == {
        "V": {"size": 1, "nunique": 1},
        "W": {"size": 1, "nunique": 1},
        "all": {"size": 2, "nunique": 2},
    }
    assert counts["device_count"].tolist() == [1, 1, 1]
    assert counts.loc[("r0c0", "all"), "largest_device_tests"] == 2


def test_hours_apart_are_measured_on_the_circle_and_only_between_slow_samples():
    def apart(*hours_and_speeds) -> float | None:
        rows = [
            {
                "measured_at": pd.Timestamp(f"2026-10-{i + 1:02d}T{(h - 7) % 24:02d}:00:00Z"),
                "download_mbps": speed,
            }
            for i, (h, speed) in enumerate(hours_and_speeds)
        ]
        found = figures(*rows)[1].loc[("r0c0", "V"), "slow_hours_apart"]
        return None if np.isnan(found) else found

    assert apart((8, 10.0), (12, 10.0)) == 4.0
    assert apart((23, 10.0), (1, 10.0)) == 2.0
    assert apart((8, 10.0), (20, 50.0)) is None
    assert apart((8, 10.0), (9, 10.0), (21, 10.0)) == 12.0
    assert apart((8, 10.0), (8, 10.0)) == 0.0


def test_reasons_are_tried_in_the_declared_order():
    """Of a row that has several faults the first declared one is its reason."""
    faults = {
        "bad_row": {"unreadable": "row"},
        "not_kept": {"unreadable": "not_kept"},
        "bad_time": {"measured_at": pd.NaT},
        "outside_window": {"measured_at": pd.Timestamp("2026-08-01T01:00:00Z")},
        "bad_position": {"latitude": 95.0},
        "outside_area": {"latitude": 10.0},
        "inaccurate_position": {"location_accuracy_m": 1000.1},
        "coverage_only": {"unreadable": "coverage_only"},
        "no_service": {"unreadable": "no_service"},
        "unknown_technology": {"technology": None},
        "other_technology": {"technology": "5G"},
        "unknown_operator": {"operator_met": None},
        "bad_value": {"download_mbps": 600.1},
    }
    order = [reason for reason in REJECT_REASONS if reason in faults]
    assert set(REJECT_REASONS) - set(order) == {"duplicate"}
    pairs = list(itertools.combinations(order, 2))
    rows = []
    for number, (first, second) in enumerate(pairs):
        words = [fault.get("unreadable", "") for fault in (faults[first], faults[second])]
        unreadable = {"unreadable": ";".join(filter(None, words))}
        own = {"test_id": f"{number}", "upload_mbps": number + 1.0}
        rows.append(own | faults[second] | faults[first] | unreadable)
    reasons, _ = examined(rows_of(*rows))
    assert list(zip(reasons, pairs, strict=True)) == [(pair[0], pair) for pair in pairs]


def test_a_copy_outside_the_window_lies_outside_and_a_broken_copy_is_broken():
    old = pd.Timestamp("2026-08-01T01:00:00Z")
    reasons, _ = examined(
        rows_of(
            {"test_id": "a", "measured_at": old},
            {"test_id": "a", "measured_at": old},
            {"test_id": "a", "unreadable": "row"},
            {"test_id": "a", "latitude": 10.0},
        )
    )
    assert reasons == ["outside_window", "outside_window", "bad_row", "duplicate"]


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
    devices, counts = tile_values.tile_values(parts)
    assert devices[["commune_code", "download_mbps"]].to_numpy().tolist() == [
        ["a", 10.0],
        ["b", 30.0],
    ]
    assert counts.loc[("b", "all")].to_dict() == pytest.approx(
        {
            "test_count": 4.0,
            "device_count": 2.0,
            "raw_mean_mbps": (2 * 10 + 2 * 30) / 4,
            "sample_count": 1,
        }
    )


def test_the_tests_table_is_declared_in_the_order_of_the_design():
    assert TABLES["tests"][1:4] == ("source_file", "source_row", "test_id")


def test_a_large_table_is_held_to_its_dtypes_and_its_first_rows():
    good = pd.DataFrame(
        {"source_file": "f", "source_row": np.arange(2, 60_002), "reject_reason": "bad_time"}
    )
    good = with_declared_dtypes("rejects", good)
    assert validated("rejects", good) is not None
    with pytest.raises(SchemaErrors):
        validated("rejects", good.astype({"source_row": "float64"}))
    with pytest.raises(SchemaErrors):
        validated(
            "rejects",
            good.assign(reject_reason=good["reject_reason"].mask(good.index == 5, "whim")),
        )
