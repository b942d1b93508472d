"""Who tested in which village: every kind of test, each by hand."""

from __future__ import annotations

from pathlib import Path

import h3
import numpy as np
import pandas as pd
import pytest

from pipeline import journey
from pipeline.config.run_context import RunContext
from pipeline.config.settings import read_settings
from pipeline.hexgrid.hexes import indexes
from pipeline.measurements.alarms import Copies, alarms
from pipeline.measurements.scope import Names
from pipeline.measurements.village_counts import (
    VillageCounts,
    in_hexes,
    in_villages,
    village_counts,
)
from pipeline.schema.periods import Period
from pipeline.schema.tables import with_declared_dtypes
from pipeline.sources.villages import with_nothing_further
from tests.builders import (
    HEADINGS,
    aggregates_of_tests,
    centre,
    month_of_tests,
    run_lomsong,
    squares,
    write_world,
)
from tests.village_world import FAST, RULES, SLOW, others, rows, text, with_villages

COMMUNES = squares(columns=2, rows=1, side=0.5)  # r0c0 west of 103.5, r0c1 east
KM = 1 / 111.195  # degrees of latitude
FIRST, SECOND = (22.1, 103.1), (22.3, 103.1)
OTHER = (22.1, 103.6)  # in r0c1


def villages() -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "village_name": ["Bản Một", "Bản Hai", "Bản Ba"],
            "commune_code": ["r0c0", "r0c0", "r0c1"],
            "latitude": [FIRST[0], SECOND[0], OTHER[0]],
            "longitude": [FIRST[1], SECOND[1], OTHER[1]],
            "people": 100.0,
        }
    )
    return with_declared_dtypes("villages", with_nothing_further(table))


BASE = {
    "device_id": "d1", "measured_at": "2026-10-05 08:00", "operator_met": "V", "technology": "4G",
    "download_mbps": 30.0, "place": FIRST, "unreadable": "", "signal_dbm": np.nan,
    "latency_ms": 20.0,
}  # fmt: skip
SILENT = {"latency_ms": np.nan}  # no answer


def counted(*changes: dict) -> VillageCounts:
    """Counts of rows that differ from BASE, and one test of V and W in a village of r0c1."""
    given = [{**BASE, **one} for one in changes]
    far = {"place": OTHER, "device_id": "far"}
    given += [{**BASE, **far}, {**BASE, **far, "operator_met": "W", "device_id": "far w"}]
    frame = pd.DataFrame(given)
    local = pd.to_datetime(frame["measured_at"]).dt.tz_localize("Asia/Ho_Chi_Minh")
    frame["measured_at"] = local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    frame["latitude"], frame["longitude"] = zip(*frame.pop("place"), strict=True)
    tests = with_declared_dtypes("tests", frame.assign(
        upload_mbps=9.0, source="s", source_file="f", brand=None,
        source_row=np.arange(2, len(frame) + 2), location_accuracy_m=10.0, test_id=None,
        jitter_ms=np.nan,
    ))  # fmt: skip
    found, question, _ = aggregates_of_tests(
        tests, COMMUNES, has_villages=True, operators={"V": [], "W": []}
    )
    return village_counts(found, question, in_villages(villages(), question.names, 1.5))


def row(found: VillageCounts, village: int, operator: str = "V") -> pd.Series:
    counts = found.counts
    (one,) = counts[(counts["village"] == village) & (counts["operator"] == operator)].iloc
    return one


def test_tests_count_in_the_village_that_is_nearest_within_its_commune():
    near = (FIRST[0] + 1.2 * KM, FIRST[1])
    between = (FIRST[0] + 6 * KM, FIRST[1])
    found = counted({}, {"place": near, "device_id": "d2"}, {"place": between, "device_id": "d3"})
    here = row(found, 0)
    assert (here["test_count"], here["device_count"], here["sample_count"]) == (2, 2, 2)
    assert found.between_count == 1
    assert 1 not in set(found.counts["village"]), "nobody tried there"
    assert row(found, 2)["test_count"] == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"test_count": 2, "device_count": 2, "usable_device_count": 2}),
        ({"download_mbps": 0.0, **SILENT}, {"failed_test_count": 1, "failed_device_count": 1}),
        ({"download_mbps": np.nan, **SILENT}, {"failed_test_count": 1, "failed_device_count": 1}),
        ({"technology": "3G"}, {"fallback_test_count": 1, "usable_device_count": 2}),
        ({"technology": "2G"}, {"fallback_test_count": 1, "usable_device_count": 2}),
        ({"technology": "5G"}, {"fallback_test_count": 0, "usable_device_count": 2}),
        ({"technology": "3G", "download_mbps": 0.0}, {"fallback_test_count": 0}),
        ({"technology": "wifi"}, {"usable_device_count": 1, "failed_device_count": 0}),
        (
            {"technology": None, "unreadable": "no_service;no_coverage", "download_mbps": 0.0},
            {"no_service_count": 1, "failed_device_count": 1},
        ),
        (
            {"technology": None, "unreadable": "no_service", "download_mbps": 0.0},
            {"no_service_count": 0, "failed_device_count": 0},
        ),
        ({"measured_at": "2026-07-31 08:00"}, {"test_count": 1, "usable_device_count": 1}),
    ],
)
def test_each_kind_of_test(change, expected):
    found = row(counted({}, {"device_id": "d2", **change}), 0)
    usual = {"test_count": 1, "device_count": 1, "usable_device_count": 1, "failed_test_count": 0,
             "failed_device_count": 0, "fallback_test_count": 0, "no_service_count": 0}  # fmt: skip
    wanted = usual | expected
    assert {name: found[name] for name in wanted} == wanted


def test_a_failed_test_at_the_floor_of_the_signal_found_no_network():
    lost = {"download_mbps": 0.0, "unreadable": "no_coverage", "device_id": "d2"}
    found = row(counted({}, lost), 0)
    assert (found["no_service_count"], found["failed_test_count"]) == (1, 0)
    assert (found["usable_device_count"], found["failed_device_count"]) == (1, 1)
    works = row(counted({}, {**lost, "download_mbps": 5.0}), 0)
    assert (works["test_count"], works["no_service_count"]) == (2, 0)


FENCE = {
    "unreadable": "coverage_only", "download_mbps": np.nan, "latency_ms": 30.0, "device_id": "d2",
}  # fmt: skip
UNHEARD = {**FENCE, "download_mbps": 0.0, "latency_ms": np.nan}
ANSWERED_ELSEWHERE = {**FENCE, "place": SECOND}


@pytest.mark.parametrize(
    ("fences", "usable", "failed"),
    [
        ([FENCE], 2, 0),
        ([{**FENCE, "technology": "2G"}], 2, 0),
        ([{**FENCE, "technology": "5G"}], 2, 0),
        ([{**FENCE, "technology": "wifi"}], 1, 0),
        ([{**FENCE, "technology": None}], 1, 0),
        ([UNHEARD, ANSWERED_ELSEWHERE], 1, 1),
        ([UNHEARD] * 9 + [ANSWERED_ELSEWHERE], 1, 1),
        ([UNHEARD, FENCE], 2, 0),
        ([UNHEARD], 1, 0),  # no answer all day: was the server there?
        ([UNHEARD, {**ANSWERED_ELSEWHERE, "measured_at": "2026-10-06 08:00"}], 1, 0),
        ([UNHEARD, {**ANSWERED_ELSEWHERE, "device_id": "d3"}], 1, 0),
        ([{**UNHEARD, "technology": "3G"}, ANSWERED_ELSEWHERE], 1, 0),
        ([{**UNHEARD, "technology": None}, ANSWERED_ELSEWHERE], 1, 1),
        ([{**UNHEARD, "technology": None}], 1, 0),
        ([{**UNHEARD, "technology": None, "unreadable": "coverage_only;no_coverage"}], 1, 1),
        ([{**UNHEARD, "download_mbps": np.nan}, ANSWERED_ELSEWHERE], 1, 0),
        ([{**FENCE, "measured_at": "2026-07-31 08:00"}], 1, 0),
    ],
)
def test_fences_count_by_device_as_heard_or_not_and_as_no_test(fences, usable, failed):
    later = [{"measured_at": "2026-10-05 09:00", **one} for one in fences]
    apart = [
        {**one, "measured_at": f"{one['measured_at'][:-2]}{n:02d}"} for n, one in enumerate(later)
    ]
    found = row(counted({}, *apart), 0)
    assert (found["usable_device_count"], found["failed_device_count"]) == (usable, failed)
    tests = ("test_count", "device_count", "failed_test_count", "no_service_count")
    assert [found[name] for name in tests] == [1, 1, 0, 0]


@pytest.mark.parametrize("speed", [0.0, np.nan])
@pytest.mark.parametrize(
    ("heard", "usable", "failed", "failed_tests"),
    [
        ({}, 1, 1, 1),
        ({"latency_ms": 25.0}, 2, 0, 1),
        ({"latency_ms": 0.0}, 1, 1, 1),
        ({"signal_dbm": -75.0}, 2, 0, 1),
        ({"signal_dbm": -124.0}, 2, 0, 1),
        ({"signal_dbm": -125.0}, 1, 1, 1),
        ({"signal_dbm": -139.0}, 1, 1, 1),
        ({"latency_ms": 25.0, "signal_dbm": -139.0}, 2, 0, 1),
        ({"latency_ms": 25.0, "unreadable": "no_coverage"}, 1, 1, 0),
        ({"latency_ms": 25.0, "technology": "wifi"}, 1, 0, 0),
        ({"latency_ms": 25.0, "measured_at": "2026-07-31 08:00"}, 1, 0, 0),
    ],
)
def test_a_failed_test_with_an_answer_or_a_signal_was_heard(
    speed, heard, usable, failed, failed_tests
):
    """Its server failed, not the network."""
    test = {"download_mbps": speed, "latency_ms": np.nan, "device_id": "d2", **heard}
    found = row(counted({}, test), 0)
    assert (found["usable_device_count"], found["failed_device_count"]) == (usable, failed)
    assert (found["test_count"], found["failed_test_count"]) == (1, failed_tests)


def test_an_unheard_fence_names_its_own_operator():
    found = counted(
        {}, {**UNHEARD, "operator_met": "W"}, {**ANSWERED_ELSEWHERE, "operator_met": "W"}
    )
    assert row(found, 0, "W")["failed_device_count"] == 1
    assert row(found, 0)["failed_device_count"] == 0


def test_a_phone_without_network_is_of_the_operator_that_it_has_elsewhere():
    lost = {"operator_met": None, "technology": None, "download_mbps": 0.0, "place": SECOND,
            "unreadable": "no_service;no_coverage"}  # fmt: skip
    found = counted({}, lost)
    assert row(found, 1)["no_service_count"] == 1
    assert row(found, 1)["failed_device_count"] == 1
    two_cards = counted({}, {"operator_met": "W"}, lost)
    assert 1 not in set(two_cards.counts["village"]), "which of both operators is not known"
    nobody = counted({}, {**lost, "device_id": "only here"})
    assert 1 not in set(nobody.counts["village"])


def test_a_device_with_a_usable_test_in_the_village_is_no_failed_one():
    found = row(counted({}, {"download_mbps": 0.0, "measured_at": "2026-10-06 09:00"}), 0)
    assert (found["usable_device_count"], found["failed_device_count"]) == (1, 0)
    assert found["failed_test_count"] == 1


def test_dates_signal_and_last_test():
    found = row(
        counted(
            {"signal_dbm": -100.0},
            {"measured_at": "2026-10-07 08:00", "signal_dbm": -110.0},
            {"measured_at": "2026-10-07 23:30", "signal_dbm": -112.0, "device_id": "d2"},
            {"measured_at": "2026-06-01 08:00", "device_id": "before the window"},
            {"measured_at": "2026-07-31 08:00", "device_id": "the day before it"},
        ),
        0,
    )
    assert (found["date_count"], found["device_count"]) == (2, 2)
    assert found["signal_median_dbm"] == pytest.approx((-105.0 + -112.0) / 2)
    assert found["signal_device_count"] == 2
    assert found["last_test_date"] == "2026-10-07"


def test_device_values_are_means_of_samples_in_the_village():
    found = counted(
        {"download_mbps": 20.0},
        {"download_mbps": 40.0},  # the same cell and date: one sample of 30
        {"download_mbps": 60.0, "measured_at": "2026-10-06 08:00"},
        {"download_mbps": 200.0, "place": SECOND},
    )
    values = found.values.set_index("village")["download_mbps"]
    assert values[0] == pytest.approx((30.0 + 60.0) / 2)
    assert values[1] == pytest.approx(200.0)


def test_files_and_order_do_not_matter():
    rows = [{"device_id": f"d{i}", "download_mbps": 10.0 + i} for i in range(6)]
    first, again = counted(*rows), counted(*reversed(rows))
    pd.testing.assert_frame_equal(first.counts, again.counts)
    pd.testing.assert_frame_equal(first.values, again.values)


VILLAGE_LIST = (
    "Tên bản,Mã xã,Vĩ độ,Kinh độ,Dân số\n"
    "Bản Một,r0c0,22.05,103.05,500\nBản Hai,r1c0,22.15,103.05,500\n"
)
SPEEDS = [30.0 + n for n in range(12)]


def month_with(folder: Path, *fences: str) -> journey.Month:
    """October of four units, with the fences as a source of their own."""
    plan = {(code, operator): SPEEDS for code in ("r0c0", "r1c0") for operator in "VW"}
    del plan["r1c0", "V"]
    extra = '[villages]\npath = "v.csv"\n[operators]\nV = []\nW = []\n'
    extra += '[sources.runs]\npath = "runs.csv"\n' if fences else ""
    settings = write_world(folder, {"2026-10": month_of_tests("2026-10", plan)}, extra)
    (folder / "v.csv").write_text(VILLAGE_LIST, encoding="utf-8")
    heading = "fence_id,technology,avg_ping_ms,latitude,longitude,fence_time,open_uuid,operator"
    (folder / "runs.csv").write_text("\n".join([heading, *fences, ""]), encoding="utf-8")
    chosen = read_settings(settings)
    with journey.read(chosen) as inputs:
        return journey.judge_month(inputs, RunContext(chosen, Period.parse("2026-10")))


def runs(ping: str) -> list[str]:
    """Six runs of four phones: a fence in Bản Một with an answer, then 39 in Bản Hai."""
    lines = []
    for day, phone in enumerate((0, 0, 0, 1, 2, 3)):  # half of all fences are of one
        start, mine = 1_790_900_000_000 + day * 86_400_000, f"phone {phone},V"
        lines.append(f"0,LTE,40,22.05,103.05,{start},{mine}")
        lines += [
            f"{n},LTE,{ping},{22.15 + n * 1e-5:.5f},103.05,{start + n * 2_000},{mine}"
            for n in range(1, 40)
        ]
    return lines


def test_coverage_runs_change_what_silence_says_and_nothing_else(tmp_path):
    without = month_with(tmp_path / "without")
    dead = month_with(tmp_path / "dead", *runs(""))
    works = month_with(tmp_path / "works", *runs("35"))
    for month in (dead, works):
        book = {"read_count": 240, "valid_count": 0, "failed_count": 0, "reject_count": 240}
        assert month.results["books"] == without.results["books"] | {"runs": book}
        assert set(month.tables["rejects"]["reject_reason"]) == {"coverage_only"}
        for name in ("commune_status", "hex_status", "commune_summary"):
            pd.testing.assert_frame_equal(month.tables[name], without.tables[name])

    def probability(month: journey.Month) -> float:
        table = month.tables["village_status"]
        one = table[(table["village_name"] == "Bản Hai") & (table["operator"] == "V")].iloc[0]
        assert one["village_failed_count"] == one["no_service_count"] == 0
        return float(one["no_signal_probability"])

    assert probability(works) < 0.01 < probability(without) < probability(dead)


def test_a_coverage_run_that_was_delivered_twice_stops_nothing(tmp_path):
    """Fences count by device: another copy of each says nothing more."""
    once = month_with(tmp_path / "once", *runs(""))
    twice = month_with(tmp_path / "twice", *runs(""), *runs(""))
    book = twice.results["books"]["runs"]
    assert (book["read_count"], book["reject_count"]) == (480, 480)
    reasons = twice.tables["rejects"]["reject_reason"].value_counts()
    assert reasons.to_dict() == {"coverage_only": 240, "duplicate": 240}
    assert not [one for one in twice.warnings if one.code == "many_duplicates"]
    name = "village_status"
    pd.testing.assert_frame_equal(twice.tables[name], once.tables[name])


@pytest.mark.parametrize(
    ("tests", "fences", "share"), [(0, 600, None), (100, 0, 25), (100, 600, 25), (80, 600, None)]
)
def test_repeated_fences_neither_make_nor_hide_an_alarm_of_repeated_tests(tests, fences, share):
    """Of 400 tests and 600 fences, all of which are delivered twice or once."""
    reasons = ["coverage_only"] * 600 + ["duplicate"] * (tests + fences)
    rejects = pd.DataFrame({"source": "s", "reject_reason": reasons})
    books = pd.DataFrame(
        {"read_count": [1000 + fences], "valid_count": [400 - tests]}, index=["s"]
    )  # fmt: skip
    devices = pd.DataFrame({"source": [], "rows": []})
    found = alarms(rejects, books, {"s": Copies(tests, fences)}, {}, devices)
    assert [(one.code, one.values["share"]) for one in found] == (
        [("many_duplicates", share)] if share else []
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("latency", "signal", "village_class", "grounds"),
    [
        (25, -75, "weak", "failed_tests"),
        (25, "", "weak", "failed_tests"),
        ("", -75, "weak", "failed_tests"),
        ("", "", "no_signal", "unreached;failed_tests"),
    ],
)
def test_a_servers_fault_is_no_sign_of_no_signal(tmp_path, latency, signal, village_class, grounds):
    """Three phones on 4G whose downloads failed."""
    latitude, longitude = centre("r0c0")
    failed = [
        f"2026-10-{day:02d} 08:{n:02d}:00,{latitude:.6f},{longitude:.6f},10,V,4G,,,{latency},f{n},"
        f"{signal}"
        for n in range(3)
        for day in (6, 7, 8)
    ]
    tests = "\n".join([f"{HEADINGS},rsrp", *(f"{one},-90" for one in others("2026-10")), *failed])
    settings = write_world(tmp_path, {"2026-10": tests + "\n"}, with_villages(tmp_path) + RULES)
    parts = ("--publish", "tables", "--out", tmp_path / "out")
    code, said = run_lomsong("run", "--settings", settings, *parts)
    assert code == 0, said
    table = pd.read_parquet(tmp_path / "out/2026-10/tables/village_status.parquet")
    row = table.set_index("village_name").loc["Bản A r0c0"]
    assert row["failed_test_count"] == 9
    assert (row["village_class"], row["class_grounds"]) == (village_class, grounds)


def test_where_no_villages_are_listed_a_cell_belongs_to_its_inhabited_hex_and_commune():
    hexes = [h3.latlng_to_cell(*place, 7) for place in (FIRST, SECOND)]
    table = pd.DataFrame({"commune_code": ["r0c0", "r0c1"], "hex_id": hexes})
    place_of = in_hexes(table, Names(np.array(["r0c0", "r0c1"], dtype=object), ["V"]), 7)
    fine = [h3.cell_to_center_child(hexes[0], 9), h3.cell_to_center_child(hexes[1], 9)]
    cell = indexes(pd.Series([fine[0], fine[1], fine[1], fine[0]]))
    found = place_of(np.array([0, 1, 0, 1], dtype=np.int32), cell)
    assert found.tolist() == [0, 1, -1, -1]


@pytest.mark.slow
@pytest.mark.parametrize(("month", "count"), [("2026-11", 300), ("2026-08", 20_000)])
def test_a_coverage_run_chooses_no_report_month(tmp_path, month, count):
    """A fence is no test: the months are those of tests."""
    months = {
        one: text(rows(one, "r0c0", SLOW[:8], "a"), rows(one, "r1c1", FAST[:8], "b"))
        for one in ("2026-08", "2026-09", "2026-10")
    }
    settings = write_world(tmp_path, months, RULES + '[sources.runs]\npath = "runs"\n')
    latitude, longitude = centre("r2c2")
    head = "fence_id,open_uuid,open_test_uuid,fence_time,latitude,longitude,accuracy,technology,"
    lines = [head + "avg_ping_ms,network_name"]
    lines += [
        f"{n},P{n % 3},T{n % 3},{month}-{1 + n // 3600:02d}T{n // 600 % 6:02d}:{n // 60 % 60:02d}:"
        f"{n % 60:02d}Z,{latitude + n % 400 * 1e-4:.6f},{longitude + n * 1e-6:.6f},5,4G,30,V"
        for n in range(count)
    ]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/fences.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    code, said = run_lomsong("check", "--settings", settings, "--lang", "en")
    assert code == 0, said
    assert "the data hold the periods: 2026-08, 2026-09, 2026-10\n" in said
    assert "period 2026-10," in said
