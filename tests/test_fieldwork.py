"""The months beside the verdicts: tracker, participation, figures of the whole area – small cases by hand, and laws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.fieldwork import is_burst, sample_tracker
from pipeline.monthly import operator_summary, participation
from pipeline.periods import Period
from pipeline.settings import Settings
from tests.builders import squares, write_world
from tests.test_cli import ONE_MONTH

RULES = {
    "official_test_count": 30,
    "burst_gap_minutes": 10,
    "burst_min_tests": 5,
    "one_place_share": 0.8,
    "month_end_share": 0.5,
}
COMMUNES = pd.DataFrame(
    {"commune_code": ["a", "b"], "commune_name": ["A", "B"], "former_district": None, "boundary_vintage": "v"}
)
NO_COPIES = pd.DataFrame({"located_code": [], "month": []}, dtype="str")


def rows_of_plan(plan: dict[tuple[str, str], list[tuple[int, str, str, str]]]) -> pd.DataFrame:
    """{(commune, month): [(day, HH:MM, device, cell), …]} → valid tests."""
    rows = [
        {"located_code": code, "month": month, "local_date": f"{month}-{day:02d}", "measured_at": pd.Timestamp(f"{month}-{day:02d} {time}", tz="UTC"),
         "device_key": device, "hex9_id": cell, "operator_met": "V"}
        for (code, month), listed in plan.items()
        for day, time, device, cell in listed
    ]  # fmt: skip
    table = pd.DataFrame(
        rows, columns=["located_code", "month", "local_date", "measured_at", "device_key", "hex9_id", "operator_met"]
    )
    return table.assign(
        source_file="f", source_row=range(2, len(table) + 2), measured_at=pd.to_datetime(table["measured_at"], utc=True)
    )


def spread(count: int, days: int = 28) -> list[tuple[int, str, str, str]]:
    return [(1 + i % days, f"{8 + i % 12:02d}:00", f"d{i}", f"c{i}") for i in range(count)]


def tracked(plan, months, copies=NO_COPIES) -> pd.DataFrame:
    return sample_tracker(rows_of_plan(plan), copies, COMMUNES, months, **RULES).set_index(["commune_code", "month"])


def test_a_sitting_of_five_within_ten_minutes_each_is_a_burst():
    burst = [(3, f"09:{10 * i:02d}", "x", "c") for i in range(5)]
    slow = [(3, f"09:{11 * i:02d}", "y", "c") for i in range(5)]
    moved = [(3, f"09:{i:02d}", "z", f"c{i % 2}") for i in range(8)]
    table = rows_of_plan({("a", "2026-10"): [*burst, *slow, *moved]})
    found = is_burst(table.sample(frac=1, random_state=3), 10, 5)
    assert found.sort_index().tolist() == [True] * 5 + [False] * 13


def test_every_commune_and_month_has_its_row():
    found = tracked({("a", "2026-10"): spread(3)}, ["2026-09", "2026-10"])
    assert len(found) == 4
    assert found.loc[
        ("a", "2026-10"), ["test_count", "sample_count", "device_count", "date_count", "operator_count"]
    ].tolist() == [3, 3, 3, 3, 1]
    assert found.loc[("b", "2026-09"), "test_count"] == 0
    assert found.loc[("a", "2026-10"), "share_of_official"] == 0.1
    assert found.loc[("a", "2026-10"), "trend_test_count"] == 3
    assert np.isnan(found.loc[("a", "2026-09"), "trend_test_count"])


def test_the_day_of_the_test_that_made_the_count():
    days = [(1 + i // 5, f"{8 + i % 5:02d}:00", f"d{i}", "c") for i in range(31)]
    found = tracked({("a", "2026-10"): days}, ["2026-10"]).loc[("a", "2026-10")]
    assert (found["reach"], found["reached_on"]) == ("reached", "2026-10-06"), "the 30th of five a day"


@pytest.mark.parametrize(
    ("counts", "reach", "month"),
    [
        ([10, 15, 20], "expected", "2026-12"),  # 5 a month more: 25, 30
        ([10, 15, 29], "expected", "2026-11"),
        ([20, 15, 10], "never", None),
        ([15, 15, 15], "never", None),
        ([0, 0, 0], "never", None),
        ([10, 20, 30], "reached", None),
    ],
)
def test_the_present_pace_says_when(counts, reach, month):
    months = ["2026-08", "2026-09", "2026-10"]
    plan = {("a", m): spread(n) for m, n in zip(months, counts, strict=True)}
    found = tracked(plan, months).loc[("a", "2026-10")]
    assert found["reach"] == reach
    assert (found["expected_month"] if month else None) == month
    assert pd.isna(found["expected_month"]) == (month is None)


def test_signs_of_a_campaign_are_told_apart():
    bursts = [(1 + i // 5, f"09:{i % 5:02d}", f"d{i // 5}", f"c{i // 5}") for i in range(25)]
    office = [(1 + i % 20, f"{8 + i % 12:02d}:00", f"d{i}", "office") for i in range(25)]
    end = [(29 + i % 3, f"{8 + i % 12:02d}:00", f"d{i}", f"c{i}") for i in range(25)]
    copies = pd.DataFrame({"located_code": ["a"] * 3, "month": ["2026-10"] * 3})
    for rows, copied, sign in ((bursts, NO_COPIES, "bursts"), (office, NO_COPIES, "one_place"), (end, NO_COPIES, "month_end"), (spread(25), copies, "copied_rows"), (spread(25), NO_COPIES, ""), (office[:19], NO_COPIES, "")):  # fmt: skip
        assert tracked({("a", "2026-10"): rows}, ["2026-10"], copied).loc[("a", "2026-10"), "campaign_signs"] == sign


def test_participation_is_beyond_chance_or_unchanged():
    communes = squares(columns=4, rows=1)
    codes = communes["commune_code"]

    def devices(counts: list[int]) -> pd.DataFrame:
        return pd.DataFrame(
            [{"located_code": c, "device_key": f"{c}{i}"} for c, n in zip(codes, counts, strict=True) for i in range(n)]
        )

    now, before = devices([10, 30, 4, 0]), devices([12, 10, 20, 0])
    found = participation(now, before, communes, pd.Series({"r0c0": 7.0}), Period.parse("2026-10"))
    assert found["participation"].tolist() == ["unchanged", "more", "fewer", "unchanged"]
    assert found["devices_per_1000"].tolist() == [10, 30, 4, 0]
    assert found["install_count"].iloc[0] == 7
    first = participation(now, None, communes, None, Period.parse("2026-10"))
    assert set(first["participation"]) == {"unknown"}
    assert first["former_device_count"].isna().all()


def marked(rows: list[tuple[str, str, str, str, float]]) -> pd.DataFrame:
    """(operator, device, technology, month, Mbps) → keyed, marked tests in one commune."""
    table = pd.DataFrame(rows, columns=["operator_met", "device_key", "technology", "month", "download_mbps"])
    return table.assign(
        located_code="a", hex9_id="c", local_date=table["month"] + "-05", local_hour=9.0, is_pseudo=False, is_failed=False,
        upload_mbps=table["download_mbps"] / 2, latency_ms=40.0, source_file="f", source_row=range(2, len(table) + 2),
        measured_at=pd.Timestamp("2026-10-05", tz="UTC"),
        reject_reason=table["technology"].map({"4G": np.nan, "5G": "other_technology"}),
    )  # fmt: skip


def test_one_device_one_vote_over_the_whole_area_by_technology():
    rows = [("V", f"v{i}", "4G", "2026-10", 10.0 * (i + 1)) for i in range(3)] + [("V", "v0", "4G", "2026-10", 30.0)]
    rows += [("W", f"w{i}", "4G", "2026-10", 100.0) for i in range(3)] + [
        ("V", f"v{i}", "5G", "2026-10", 300.0) for i in range(3)
    ]
    months = {"period": ["2026-10"], "window": ["2026-10"], "rolling_12": ["2026-10"]}
    table = operator_summary(marked(rows), months, Period.parse("2026-10"), Settings())
    found = table.set_index(["operator", "technology_used", "span"]).loc[
        :, ["device_count", "mean_mbps", "median_mbps"]
    ]
    # v0 has one cell and one day: its two tests are one sample, (10 + 30) / 2 = 20
    assert found.loc[("V", "4G", "period")].tolist() == [3, pytest.approx(70 / 3), 20]
    assert found.loc[("all", "4G", "period")].tolist() == [6, pytest.approx(370 / 6), 65]
    assert found.loc[("V", "5G", "rolling_12")].tolist() == [3, 300, 300]
    assert ("W", "5G", "period") not in found.index


def test_few_devices_show_no_speed_and_cannot_be_had_by_subtraction():
    rows = [("V", f"v{i}", "4G", "2026-10", 10.0) for i in range(5)] + [
        ("W", f"w{i}", "4G", "2026-10", 90.0) for i in range(2)
    ]
    rows += [("V", "late", "4G", "2026-09", 50.0)]
    months = {"period": ["2026-10"], "window": ["2026-09", "2026-10"], "rolling_12": ["2026-09", "2026-10"]}
    found = operator_summary(marked(rows), months, Period.parse("2026-10"), Settings()).set_index(["operator", "span"])
    assert found.loc[("V", "period"), "mean_mbps"] == 10
    for hidden in (("W", "period"), ("all", "period"), ("V", "window"), ("all", "window")):
        assert found.loc[hidden, ["mean_mbps", "median_mbps", "upload_mean_mbps", "latency_mean_ms"]].isna().all(), (
            hidden
        )
    assert found.loc[("W", "period"), "device_count"] == 2


def test_the_demos_tracker_adds_up_to_the_usable_tests(demo_outputs):
    tables = demo_outputs / "tables"
    tracker = pd.read_csv(tables / "sample_tracker.csv", dtype={"commune_code": str})
    summary = pd.read_csv(tables / "commune_summary.csv", dtype={"commune_code": str}).set_index("commune_code")
    now = tracker[tracker["month"] == "2026-10"].set_index("commune_code")
    pd.testing.assert_series_equal(now["test_count"], summary["month_test_count"], check_names=False, check_dtype=False)
    assert (now["reach"].eq("reached") == summary["meets_300"]).all()
    assert tracker["test_count"].sum() == summary["test_count"].sum()
    assert (tracker["natural_test_count"] + tracker["burst_test_count"] == tracker["test_count"]).all()
    assert (tracker["sample_count"] <= tracker["test_count"]).all()
    taking_part = pd.read_csv(tables / "participation.csv", dtype={"commune_code": str}).set_index("commune_code")
    assert (taking_part["device_count"] == now["device_count"]).all()
    whole = (
        pd.read_csv(tables / "operator_summary.csv")
        .query("operator == 'all' and technology_used == '4G'")
        .set_index("span")
    )
    assert whole.loc["window", "test_count"] == tracker["test_count"].sum()
    assert whole.loc["period", "test_count"] == now["test_count"].sum()


def test_installs_come_from_a_file_and_its_faults_are_letters(tmp_path, lomsong):
    settings = write_world(tmp_path, ONE_MONTH, '[installs]\npath = "i.csv"\n')
    (tmp_path / "i.csv").write_text("commune_code,installs\nr0c0,120\n", encoding="utf-8")
    assert lomsong("run", "--settings", settings)[0] == 0
    found = pd.read_csv(tmp_path / "outputs/2026-10/tables/participation.csv").set_index("commune_code")[
        "install_count"
    ]
    assert found["r0c0"] == 120
    assert found.isna().sum() == 15
    (tmp_path / "i.csv").write_text("commune_code,installs\nr0c0,-5\n", encoding="utf-8")
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 2
    assert "i.csv, row 2, column installs: figure -5 is not valid" in text
    (tmp_path / "i.csv").unlink()
    assert "no such file" in lomsong("run", "--settings", settings, "--lang", "en")[1]
