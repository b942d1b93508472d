"""The months beside the verdicts.

Tracker, participation, figures of the whole area – small cases by hand, and laws.
"""

from __future__ import annotations

import cProfile

import numpy as np
import pandas as pd
import pytest

from pipeline.actions.fieldwork import sample_tracker
from pipeline.actions.monthly import month_tables, participation
from pipeline.config.rules import TrackerRules, tracker_rules_of
from pipeline.config.settings import Settings
from pipeline.schema.columns import TABLES
from pipeline.schema.month import AreaPeriod
from pipeline.schema.periods import Period
from pipeline.schema.tables import with_declared_dtypes
from tests.builders import aggregates_of_tests, squares, write_world
from tests.test_cli import ONE_MONTH

pytestmark = pytest.mark.slow  # whole months are run

RULES = {
    "evidence": {"official_test_count": 30, "window_months": 1, "widened_months": ()},
    "tracker": {
        "burst_gap_minutes": 10,
        "burst_min_tests": 5,
        "one_place_share": 0.8,
        "month_end_share": 0.5,
    },
}
COMMUNES = squares(columns=2, rows=1).assign(
    commune_code=["a", "b"], commune_name=["A", "B"], boundary_vintage="v"
)


def table_of(rows: list[dict]) -> pd.DataFrame:
    """Rows with local times → `tests`."""
    table = pd.DataFrame(rows, columns=[*rows[0]] if rows else ["measured_at"])
    at = (
        pd.to_datetime(table["measured_at"]).dt.tz_localize("Asia/Ho_Chi_Minh").dt.tz_convert("UTC")
    )
    table = table.assign(
        source="s",
        source_file="f",
        source_row=range(2, len(table) + 2),
        measured_at=at,
        unreadable="",
    )
    return with_declared_dtypes("tests", table.reindex(columns=list(TABLES["tests"])))


def rows_of_plan(plan: dict[tuple[str, str], list[tuple[int, str, str, str]]]) -> pd.DataFrame:
    """{(commune, month): [(day, HH:MM, device, cell), …]} → tests; cells lie 900 m apart."""
    cells = sorted({cell for listed in plan.values() for *_, cell in listed})
    place = {
        cell: (0.01 + 0.008 * (n % 10), 0.01 + 0.008 * (n // 10)) for n, cell in enumerate(cells)
    }
    return table_of(
        [
            {"measured_at": f"{month}-{day:02d} {time}", "latitude": 22.0 + place[cell][0],
             "device_id": device,
             "longitude": 103.0 + 0.1 * "ab".index(code) + place[cell][1], "operator_met": "V",
             "technology": "4G",
             "download_mbps": 20.0}
            for (code, month), listed in plan.items()
            for day, time, device, cell in listed
        ]
    )  # fmt: skip


def spread(count: int, days: int = 28) -> list[tuple[int, str, str, str]]:
    return [(1 + i % days, f"{8 + i % 12:02d}:00", f"d{i}", f"c{i}") for i in range(count)]


def month_tables_of(tests: pd.DataFrame, months: list[str], **change) -> dict[str, pd.DataFrame]:
    rules = RULES | change
    period = Period.parse(months[-1])
    rules = rules | {"tracker": RULES["tracker"] | {"months": len(months)}}
    found, asked, _ = aggregates_of_tests(tests, COMMUNES, str(period), **rules)
    area, tracker = AreaPeriod(COMMUNES, period), tracker_rules_of(Settings.model_validate(rules))
    return month_tables(found, asked, area, None, set(months), tracker)


def tracked(plan, months, copies: int = 0) -> pd.DataFrame:
    tests = rows_of_plan(plan)
    again = tests.head(copies).assign(source_row=range(1000, 1000 + copies))
    tests = pd.concat([tests, again], ignore_index=True)
    return month_tables_of(tests, months)["sample_tracker"].set_index(["commune_code", "month"])


def test_a_sitting_of_five_within_ten_minutes_each_is_a_burst():
    burst = [(3, f"09:{10 * i:02d}", "x", "c") for i in range(5)]
    slow = [(3, f"09:{11 * i:02d}", "y", "c") for i in range(5)]
    moved = [(3, f"09:{i:02d}", "z", f"c{i % 2}") for i in range(8)]
    plan = {("a", "2026-10"): [*burst, *slow, *moved]}
    assert tracked(plan, ["2026-10"]).loc[("a", "2026-10"), "burst_test_count"] == 5
    stays = {("a", "2026-10"): [*burst, *slow, *[(*rest, "c") for *rest, _ in moved]]}
    assert tracked(stays, ["2026-10"]).loc[("a", "2026-10"), "burst_test_count"] == 13


def test_every_commune_and_month_has_its_row():
    found = tracked({("a", "2026-10"): spread(3)}, ["2026-09", "2026-10"])
    assert len(found) == 4
    assert found.loc[
        ("a", "2026-10"),
        ["test_count", "sample_count", "device_count", "date_count", "operator_count"],
    ].tolist() == [3, 3, 3, 3, 1]
    assert found.loc[("b", "2026-09"), "test_count"] == 0
    assert found.loc[("a", "2026-10"), "share_of_official"] == 0.1
    assert found.loc[("a", "2026-10"), "trend_test_count"] == 3
    assert np.isnan(found.loc[("a", "2026-09"), "trend_test_count"])


def test_the_day_of_the_test_that_made_the_count():
    days = [(1 + i // 5, f"{8 + i % 5:02d}:00", f"d{i}", "c") for i in range(31)]
    found = tracked({("a", "2026-10"): days}, ["2026-10"]).loc[("a", "2026-10")]
    assert (found["reach"], found["reached_on"]) == ("reached", "2026-10-06"), (
        "the 30th of five a day"
    )


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


def test_the_work_of_the_tracker_does_not_grow_with_communes_or_rows():
    def calls(commune_count: int) -> int:
        codes, months = [f"c{i:04d}" for i in range(commune_count)], ["2026-09", "2026-10"]
        index = pd.MultiIndex.from_product([codes, months], names=["commune_code", "month"])
        figures = ["test_count", "sample_count", "device_count", "date_count", "operator_count",
                   "burst_test_count", "one_place", "late", "copied_row_count"]  # fmt: skip
        counts = pd.DataFrame(25.0, index=index, columns=figures)
        dates = pd.DataFrame(
            {"commune_code": codes, "local_date": "2026-10-01", "test_count": 25.0}
        )
        named = ("commune_name", "former_district", "boundary_vintage")
        communes = pd.DataFrame({"commune_code": codes} | dict.fromkeys(named, "x"))
        rules = TrackerRules(2, 30, 0.8, 0.5, technology="4G", shown_min_devices=3)
        with cProfile.Profile() as profile:
            found = sample_tracker(counts, dates, communes, months, rules)
        assert set(found["campaign_signs"]) == {"bursts;one_place;copied_rows;month_end"}
        return sum(entry.callcount for entry in profile.getstats())

    calls(10)  # what is made once
    assert calls(400) < 1.2 * calls(10)


def test_signs_of_a_campaign_are_distinguished():
    bursts = [(1 + i // 5, f"09:{i % 5:02d}", f"d{i // 5}", f"c{i // 5}") for i in range(25)]
    office = [(1 + i % 20, f"{8 + i % 12:02d}:00", f"d{i}", "office") for i in range(25)]
    end = [(29 + i % 3, f"{8 + i % 12:02d}:00", f"d{i}", f"c{i}") for i in range(25)]
    for rows, copied, sign in ((bursts, 0, "bursts"), (office, 0, "one_place"),
                               (end, 0, "month_end"), (spread(25), 3, "copied_rows"),
                               (spread(25), 0, ""), (office[:19], 0, "")):  # fmt: skip
        assert (
            tracked({("a", "2026-10"): rows}, ["2026-10"], copied).loc[
                ("a", "2026-10"), "campaign_signs"
            ]
            == sign
        )


def test_participation_is_beyond_chance_or_unchanged():
    communes = squares(columns=4, rows=1)
    codes = communes["commune_code"]

    def devices(counts: list[int]) -> pd.DataFrame:
        return pd.DataFrame(
            {"device_count": counts, "test_count": counts}, index=pd.Index(codes), dtype="float64"
        )

    now, before = devices([10, 30, 4, 0]), devices([12, 10, 20, 0])
    found = participation(now, before, communes, pd.Series({"r0c0": 7.0}), Period.parse("2026-10"))
    assert found["participation"].tolist() == ["unchanged", "more", "fewer", "unchanged"]
    assert found["devices_per_1000"].tolist() == [10, 30, 4, 0]
    assert found["install_count"].iloc[0] == 7
    first = participation(now, None, communes, None, Period.parse("2026-10"))
    assert set(first["participation"]) == {"unknown"}
    assert first["former_device_count"].isna().all()


def summary(rows: list[tuple[str, str, str, str, float]], window_months: int = 1) -> pd.DataFrame:
    """`operator_summary` of October 2026.

    `rows`: (operator, device, technology, month, Mbps), all in one commune, cell and day.
    """
    tests = table_of(
        [
            {"measured_at": f"{month}-05 09:{number:02d}", "latitude": 22.05, "longitude": 103.05,
             "operator_met": operator,
             "technology": technology, "download_mbps": speed, "upload_mbps": speed / 2,
             "latency_ms": 40.0, "device_id": device}
            for number, (operator, device, technology, month, speed) in enumerate(rows)
        ]
    )  # fmt: skip
    evidence = RULES["evidence"] | {"window_months": window_months}
    return month_tables_of(tests, sorted({row[3] for row in rows}), evidence=evidence)[
        "operator_summary"
    ]


def test_one_device_one_vote_over_the_whole_area_by_technology():
    rows = [("V", f"v{i}", "4G", "2026-10", 10.0 * (i + 1)) for i in range(3)] + [
        ("V", "v0", "4G", "2026-10", 30.0)
    ]
    rows += [("W", f"w{i}", "4G", "2026-10", 100.0) for i in range(3)] + [
        ("V", f"v{i}", "5G", "2026-10", 300.0) for i in range(3)
    ]
    found = (
        summary(rows)
        .set_index(["operator", "technology_used", "span"])
        .loc[:, ["device_count", "mean_mbps", "median_mbps"]]
    )
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
    found = summary(rows, window_months=2).set_index(["operator", "span"])
    assert found.loc[("V", "period"), "mean_mbps"] == 10
    for hidden in (("W", "period"), ("all", "period"), ("V", "window"), ("all", "window")):
        assert (
            found.loc[hidden, ["mean_mbps", "median_mbps", "upload_mean_mbps", "latency_mean_ms"]]
            .isna()
            .all()
        ), hidden
    assert found.loc[("W", "period"), "device_count"] == 2


def test_the_demos_tracker_adds_up_to_the_usable_tests(demo_outputs):
    tables = demo_outputs / "tables"
    tracker = pd.read_csv(tables / "sample_tracker.csv", dtype={"commune_code": str})
    summary = pd.read_csv(tables / "commune_summary.csv", dtype={"commune_code": str}).set_index(
        "commune_code"
    )
    now = tracker[tracker["month"] == "2026-10"].set_index("commune_code")
    pd.testing.assert_series_equal(
        now["test_count"], summary["month_test_count"], check_names=False, check_dtype=False
    )
    assert (now["reach"].eq("reached") == summary["meets_300"]).all()
    assert tracker["test_count"].sum() == summary["test_count"].sum()
    assert (
        tracker["natural_test_count"] + tracker["burst_test_count"] == tracker["test_count"]
    ).all()
    assert (tracker["sample_count"] <= tracker["test_count"]).all()
    taking_part = pd.read_csv(tables / "participation.csv", dtype={"commune_code": str}).set_index(
        "commune_code"
    )
    assert (taking_part["device_count"] == now["device_count"]).all()
    whole = (
        pd.read_csv(tables / "operator_summary.csv")
        .query("operator == 'all' and technology_used == '4G'")
        .set_index("span")
    )
    assert whole.loc["window", "test_count"] == tracker["test_count"].sum()
    assert whole.loc["period", "test_count"] == now["test_count"].sum()


def test_installs_come_from_a_file_and_its_faults_are_error_messages(tmp_path, lomsong):
    settings = write_world(tmp_path, ONE_MONTH, '[installs]\npath = "i.csv"\n')
    (tmp_path / "i.csv").write_text("commune_code,installs\nr0c0,120\n", encoding="utf-8")
    assert lomsong("run", "--settings", settings)[0] == 0
    found = pd.read_csv(tmp_path / "outputs/2026-10/tables/participation.csv").set_index(
        "commune_code"
    )["install_count"]
    assert found["r0c0"] == 120
    assert found.isna().sum() == 15
    (tmp_path / "i.csv").write_text("commune_code,installs\nr0c0,-5\n", encoding="utf-8")
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 2
    assert "i.csv, row 2, column installs: figure -5 is not valid" in text
    (tmp_path / "i.csv").unlink()
    assert "no such file" in lomsong("run", "--settings", settings, "--lang", "en")[1]
