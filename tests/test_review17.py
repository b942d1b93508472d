"""Review of issue 17: what events, visits, coverage runs, revisions and the plan must not do."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.builders import HEADINGS, centre, run_lomsong, write_world
from tests.test_events import AFTER, BEFORE, judged

pytestmark = pytest.mark.slow

SLOW = [8.1, 12.4, 15.0, 17.2, 18.8, 20.5, 22.3, 24.0, 26.9, 29.5, 33.0, 38.6]
FAST = [44.0, 47.5, 51.2, 55.0, 57.3, 60.1, 62.8, 66.4, 70.9, 75.5, 81.2, 88.0]
MIXED = [9.5, 14.2, 18.0, 21.7, 24.9, 27.3, 31.8, 52.0, 60.0, 70.0]
OTHERS = ["r1c1", "r1c2", "r1c3", "r2c0", "r2c1", "r2c2", "r2c3", "r3c0", "r3c1", "r3c2"]
ALL_COMMUNES = [f"r{row}c{column}" for row in range(4) for column in range(4)]
RULES = "[operators]\nV = []\n[evidence]\nwindow_months = 3\nwidened_months = []\n"


def rows(month: str, code: str, speeds: list[float], tag: str, north: float = 0.0) -> list[str]:
    """A device per speed, on the 6th, 7th and 8th."""
    latitude, longitude = centre(code)
    return [
        f"{month}-{day:02d} {8 if (number + day) % 2 else 20:02d}:{number:02d}:00,"
        f"{latitude + north + number * 1e-4:.6f},{longitude:.6f},10,V,4G,{speed},1,40,"
        f"{tag}-{number:03d}"
        for number, speed in enumerate(speeds)
        for day in (6, 7, 8)
    ]


def others(month: str) -> list[str]:
    return [
        line
        for number, code in enumerate(OTHERS)
        for line in rows(month, code, FAST if number % 3 else MIXED, f"ok{code}")
    ]


def text(*parts: list[str]) -> str:
    return "\n".join([HEADINGS, *(line for part in parts for line in part)]) + "\n"


def with_villages(folder: Path) -> str:
    """Two villages in every commune, in its middle and 3 km north. Gives the settings' lines."""
    lines = ["name,commune_code,latitude,longitude,people"]
    for code in ALL_COMMUNES:
        latitude, longitude = centre(code)
        lines += [
            f"Bản {name} {code},{code},{latitude + north:.5f},{longitude:.5f},300"
            for name, north in (("A", 0.0), ("B", 0.03), ("C", -0.03))
        ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "villages.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return '[villages]\npath = "villages.csv"\n'


def happen(folder: Path, *events: str) -> None:
    lines = ["date,kind,operator,end_date,commune_code", *events]
    (folder / "events.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(settings: Path, period: str) -> Path:
    out = settings.parent / "out"
    code, said = run_lomsong(
        "run", "--settings", settings, "--out", out, "--period", period, "--publish", "tables"
    )
    assert code == 0, said
    return out / period


def ledger(folder: Path) -> pd.DataFrame:
    table = pd.read_parquet(folder / "tables/gap_ledger.parquet")
    return table.set_index(["gap_id", "period"]).sort_index()


EVENTS = RULES + '[events]\npath = "events.csv"\n'


def repaired(tmp_path: Path, *events: str) -> pd.DataFrame:
    """Slow until September, fast in October: the ledger's rows of its only gap."""
    months = {
        f"2026-{month:02d}": text(
            rows(f"2026-{month:02d}", "r0c0", SLOW if month < 10 else FAST, "a"),
            others(f"2026-{month:02d}"),
        )
        for month in (8, 9, 10)
    }
    settings = write_world(tmp_path, months, EVENTS)
    happen(tmp_path, *events)
    for period in ("2026-09", "2026-10"):
        folder = run(settings, period)
    return ledger(folder).loc["r0c0/unstated/V/1"]


def test_an_event_before_all_tests_that_were_weak_is_no_cause_of_the_repair(tmp_path):
    """On air on 5 August; weak by August's and September's tests of after it; fixed in October."""
    found = repaired(tmp_path, "2026-08-05,on_air,V,,r0c0")
    assert found["state"].tolist() == ["new", "fixed"]
    assert found["event_date"].isna().all(), found[["state", "event_date", "event_kind"]]


def test_an_outage_repairs_nothing(tmp_path):
    found = repaired(tmp_path, "2026-10-20,outage,V,2026-10-21,r0c0")
    assert found["state"].tolist() == ["new", "fixed"]
    assert found["event_kind"].isna().all(), found[["state", "event_date", "event_kind"]]


def test_the_mean_after_an_outage_has_no_tests_of_before_it():
    """4 devices on the 14th, 3 on the 15th; the outage begins on the 15th."""
    lasting = {"event_kind": "outage", "event_date": "2026-09-15", "event_end_date": "2026-09-15"}
    later = [{"device_id": f"later {i}", "day": "2026-09-20", "mbps": 90.0} for i in range(3)]
    _, evidence, _ = judged(BEFORE + AFTER + later, [lasting])
    row = evidence.events.loc["r0c0", "V"]
    assert row["mean_after_mbps"] == 90.0  # "mean of device values from the event on"
    assert row["mean_before_mbps"] == 11.5  # "before the event", not during it


def test_a_widened_window_that_straddles_an_event_says_so(tmp_path):
    months = {
        f"2026-{month:02d}": text(
            rows(f"2026-{month:02d}", "r0c0", [20.0] * 3 if month < 6 else [60.0] * 2, f"d{month}"),
            others(f"2026-{month:02d}"),
        )
        for month in range(4, 11)
    }
    wide = EVENTS.replace("widened_months = []", "widened_months = [3, 6, 12]")
    settings = write_world(tmp_path, months, wide)
    happen(tmp_path, "2026-06-01,on_air,V,,r0c0")
    status = pd.read_parquet(run(settings, "2026-10") / "tables/commune_status.parquet")
    row = status.set_index(["commune_code", "operator"]).loc["r0c0", "V"]
    assert row["window_months"] == 6  # from May: 3 devices of May are left out
    assert "straddles_event" in row["flags"].split(";")


@pytest.mark.parametrize(("event", "result"), [("on_air", "no_signal"), ("switch_off", "measured")])
def test_a_visit_before_an_event_no_longer_says_how_it_is(tmp_path, event, result):
    months = {"2026-10": text(rows("2026-10", "r0c0", SLOW, "a"), others("2026-10"))}
    lines = with_villages(tmp_path) + '[visits]\npath = "visits.csv"\n' + EVENTS
    settings = write_world(tmp_path, months, lines)
    head = "visit_date,commune_code,village_name,operator,visit_result,devices_tested"
    visit = f"2026-09-05,r0c1,Bản A r0c1,V,{result},3"
    (tmp_path / "visits.csv").write_text(f"{head}\n{visit}\n", encoding="utf-8")
    happen(tmp_path, f"2026-09-20,{event},V,,r0c1")
    table = pd.read_parquet(run(settings, "2026-10") / "tables/village_status.parquet")
    row = table.set_index("village_name").loc["Bản A r0c1"]
    assert row["class_grounds"] != "visited"
    assert pd.notna(row["visit_rank"]), "somebody has to go there again"
    assert 0.1 < row["no_signal_probability"] < 0.9


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
