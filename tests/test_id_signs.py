"""Signs that device ids are not phones: each seen to show, and not to show."""

from __future__ import annotations

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import pytest

from benchmarks import worlds
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings
from pipeline.journey import judge_month
from pipeline.measurements import prepare
from pipeline.measurements.evidence import evidence_of_tests
from pipeline.measurements.id_signs import IdLife
from pipeline.schema.errors import Fault
from pipeline.schema.month import Month
from pipeline.schema.periods import Period
from pipeline.schema.tables import with_declared_dtypes
from pipeline.schema.texts import error_message
from tests.builders import aggregates_of_tests, squares

HOME, NEXT_DOOR = (22.05, 103.05), (22.0501, 103.0501)  # of one cell of resolution 9
KM = 1 / 111.195  # degrees of latitude
WIDE = squares(columns=2, rows=2, side=5.0)  # squares of some 550 km
Row = tuple[str | None, str, tuple[float, float]]  # id, local time, position


def as_tests(rows: list[Row], operator: str = "V", technology: str = "4G") -> pd.DataFrame:
    names, times, places = zip(*rows, strict=True)
    local = pd.to_datetime(pd.Series(times), format="ISO8601").dt.tz_localize("Asia/Ho_Chi_Minh")
    frame = pd.DataFrame({"device_id": names, "measured_at": local.dt.tz_convert("UTC")})
    frame[["latitude", "longitude"]] = places
    return with_declared_dtypes("tests", frame.assign(
        measured_at=frame["measured_at"].astype("datetime64[us, UTC]"),
        operator_met=operator, technology=technology, download_mbps=30.0, upload_mbps=9.0,
        latency_ms=20.0, source="s", source_file="f", source_row=np.arange(2, len(frame) + 2),
        location_accuracy_m=10.0, test_id=None, jitter_ms=np.nan, signal_dbm=np.nan, unreadable="",
    ))  # fmt: skip


def evidence(tests: pd.DataFrame, communes: gpd.GeoDataFrame = WIDE):
    found, question, _ = aggregates_of_tests(tests, communes, operators={"V": [], "W": []})
    return evidence_of_tests(found, question, 3, 3)


def marked(rows: list[Row], unit: tuple[str, str] = ("r0c0", "V")) -> tuple[float, float]:
    """(devices in two places at once, devices in crowds) of a unit."""
    counts = evidence(as_tests(rows)).counts.loc[unit]
    return counts["two_places_device_count"], counts["crowd_device_count"]


# --- ids that begin anew


def test_devices_of_three_dates_are_asked_whether_they_stay():
    at = [
        *[("stays", f"2026-{day} 08:00", HOME) for day in ("08-30", "08-31", "09-01")],
        *[("leaves", f"2026-10-{day} 08:00", HOME) for day in ("05", "06", "07")],
        *[("two dates", f"2026-{day} 08:00", HOME) for day in ("09-05", "10-05")],
        *[("one date", f"2026-10-05 {hour}:00", HOME) for hour in ("08", "12", "20")],
        *[("before", f"2026-{day} 08:00", HOME) for day in ("07-30", "07-31", "08-01")],
        *[(None, f"2026-{day} 08:00", HOME) for day in ("08-02", "09-02", "10-02")],
    ]
    # samples with an id: three of August (`before` has one), two of September, seven less two of
    # one cell and date of October
    assert evidence(as_tests(at)).id_life == IdLife(2, 1, (3 / 10, 2 / 10, 5 / 10))


def test_dates_and_months_are_local():
    late = [("d", f"2026-{day} 23:30", HOME) for day in ("09-28", "09-29", "09-30")]
    early = [("d", f"2026-{day} 00:30", HOME) for day in ("10-01", "10-02", "10-03")]
    assert evidence(as_tests(late)).id_life == IdLife(1, 0, (1.0,))
    assert evidence(as_tests(early)).id_life == IdLife(1, 0, (1.0,))
    assert evidence(as_tests([*late[:2], early[0]])).id_life == IdLife(1, 1, (2 / 3, 1 / 3))


def test_other_technologies_tell_nothing_of_ids():
    dates = [("d", f"2026-{day} 08:00", HOME) for day in ("08-28", "09-29", "10-30")]
    assert evidence(as_tests(dates, technology="5G")).id_life == IdLife(0, 0, ())


def month_of(tests: pd.DataFrame) -> Month:
    inputs, *_ = worlds.draw("control", 0, 1)
    chosen = Settings.model_validate({"priority": {"draws": 20}, "operators": {"V": []}})
    area = squares()
    context = RunContext(chosen, Period.parse("2026-10"))
    return judge_month(type(inputs)(area, tests, inputs.tiles, [], [], [], {"s": 1}), context)


def slow_commune(months: tuple[str, ...], *, restarts: bool) -> pd.DataFrame:
    """25 slow phones that test on three dates of each month, morning and evening."""
    rows: list[Row] = [
        (f"{n}{month if restarts else ''}", f"2026-{month}-{day} {hour}:{n:02}", HOME)
        for n in range(25)
        for month in months
        for day, hour in (("03", "08"), ("12", "20"), ("21", "09"))
    ]
    tests = as_tests(rows)
    return tests.assign(download_mbps=15.0 + np.arange(len(tests)) % 7)


def verdict_of(month: Month) -> pd.Series:
    status = month.tables["commune_status"].set_index(["commune_code", "operator"])
    return status.loc[("r0c0", "V")]


def test_ids_that_begin_anew_cap_every_verdict_and_say_so_once():
    month = month_of(slow_commune(("09", "10"), restarts=True))
    row = verdict_of(month)
    assert (row["status"], row["evidence"]) == ("probable_gap", "probable")
    assert "device_ids" in row["failed_gates"].split(";")
    assert "ids_restart" in row["flags"].split(";")
    assert month.warnings[-1] == Fault("ids_restart", values={"count": 0, "of": 50})
    assert "trong 50 mã" in error_message(month.warnings[-1], "vi")
    status = month.tables["commune_status"]
    assert not status.loc[status["device_count"].eq(0), "flags"].str.contains("ids_restart").any()


@pytest.mark.parametrize(
    ("months", "restarts"), [(("09", "10"), False), (("10",), True), (("10",), False)]
)
def test_ids_that_stay_and_a_single_month_cap_nothing(months, restarts):
    month = month_of(slow_commune(months, restarts=restarts))
    row = verdict_of(month)
    assert (row["status"], row["evidence"]) == ("confirmed_gap", "confirmed")
    assert "ids_restart" not in row["flags"]
    assert "ids_restart" not in {one.code for one in month.warnings}


@pytest.mark.parametrize(
    ("world", "phones", "low", "high", "restart"),
    [
        ("control", 8, 0.90, 1.0, False),
        ("several_ids", 8, 0.90, 1.0, False),
        ("ids_restart", 8, 0.0, 0.0, True),
    ],
)
def test_only_where_ids_restart_no_verdict_is_confirmed(world, phones, low, high, restart):
    inputs, *_ = worlds.draw(world, 0, phones)
    found, question, _ = aggregates_of_tests(inputs.tests, inputs.communes)
    life = evidence_of_tests(found, question, 3, 3).id_life
    assert low <= life.stayed_count / life.device_count <= high
    chosen = Settings.model_validate({"priority": {"draws": 20}})
    month = judge_month(inputs, RunContext(chosen, Period.parse("2026-10")))
    status = month.tables["commune_status"]
    assert status["evidence"].eq("confirmed").any() != restart
    assert status["evidence"].eq("probable").any()
    has_devices = status["device_count"] > 0
    says = status["flags"].str.contains("ids_restart")
    assert (says == (has_devices & restart)).all()
    assert [one.code for one in month.warnings] == ["ids_restart"] * restart


# --- one id in two places


def north(km: float) -> tuple[float, float]:
    return HOME[0] + km * KM, HOME[1]


@pytest.mark.parametrize(
    ("km", "clock", "found"),
    [
        (20.0, "08:01:00", 1),  # 333 m/s
        (16.0, "08:01:00", 0),  # 267 m/s
        (20.0, "08:00:00", 1),  # in the same second
        (5.0, "08:00:10", 1),
        (2.0, "08:00:00", 0),  # as near as that it says nothing
        (1.0, "08:00:00", 0),
        (400.0, "09:30:00", 0),  # a plane: 74 m/s
        (400.0, "08:30:00", 0),  # 222 m/s
        (400.0, "08:20:00", 1),  # 333 m/s
    ],
)
def test_an_id_that_would_fly_is_in_two_places(km, clock, found):
    rows = [("d", "2026-10-05 08:00:00", HOME), ("d", f"2026-10-05 {clock}", north(km))]
    assert marked(rows) == (found, 0)


def test_two_ids_and_the_same_times_of_two_dates_are_no_jump():
    far = north(50)
    two = [("d", "2026-10-05 08:00", HOME), ("e", "2026-10-05 08:00", far)]
    assert marked(two) == (0, 0)
    dates = [("d", "2026-10-05 08:00", HOME), ("d", "2026-10-06 08:00", far)]
    assert marked(dates) == (0, 0)
    nameless = [(None, "2026-10-05 08:00", HOME), (None, "2026-10-05 08:00", far)]
    assert marked(nameless) == (0, 0)
    earlier = [("d", "2026-07-05 08:00", HOME), ("d", "2026-07-05 08:00", far)]
    assert marked([*earlier, ("d", "2026-10-05 08:00", HOME)]) == (0, 0)


def test_an_id_between_two_operators_and_communes_counts_in_each_and_once_in_all():
    far = WIDE.set_index("commune_code").geometry["r0c1"].centroid
    tests = pd.concat(
        [
            as_tests([("d", "2026-10-05 08:00", HOME)]),
            as_tests([("d", "2026-10-05 08:01", HOME)], "W"),
            as_tests([("d", "2026-10-05 08:02", (far.y, far.x))], "W"),
        ]
    ).assign(source_row=[2, 3, 4])
    counts = evidence(tests).counts["two_places_device_count"]
    assert counts[[("r0c0", "V"), ("r0c0", "W"), ("r0c1", "W")]].tolist() == [1, 1, 1]
    assert counts[[("r0c0", "all"), ("r0c1", "all")]].tolist() == [1, 1]


# --- many ids in one place and minute


def crowd(count: int, time: str = "2026-10-05 08:00", **at: tuple[float, float]) -> list[Row]:
    where = at.get("at", HOME)
    return [(f"d{n}", f"{time}:{n * 7 % 60:02}", where) for n in range(count)]


def test_the_two_positions_share_a_cell():
    assert h3.latlng_to_cell(*HOME, 9) == h3.latlng_to_cell(*NEXT_DOOR, 9)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (crowd(5), 5),
        (crowd(9), 9),
        (crowd(4), 0),  # a campaign of four people
        ([*crowd(4), ("d0", "2026-10-05 08:00:50", HOME)], 0),  # one of them twice
        ([*crowd(4), ("e", "2026-10-05 08:00:59", NEXT_DOOR)], 5),
        ([*crowd(4), ("e", "2026-10-05 08:01:00", HOME)], 0),  # the next minute
        ([*crowd(4), ("e", "2026-10-06 08:00:00", HOME)], 0),  # the next day
        ([*crowd(4), ("e", "2026-10-05 08:00:00", north(3))], 0),
        ([*crowd(4), (None, "2026-10-05 08:00:00", HOME)], 0),
        (crowd(5, "2026-07-05 08:00") + crowd(1), 0),  # before the window
    ],
)
def test_five_ids_that_begin_at_one_place_and_minute_are_a_crowd(rows, found):
    assert marked(rows) == (0, found)


def test_people_who_measure_together_for_hours_begin_one_after_the_other():
    together = [
        (f"d{n}", f"2026-10-05 {8 + minute // 60:02}:{minute % 60:02}:{n:02}", HOME)
        for n in range(8)
        for minute in range(2 * n, 120)
    ]
    assert marked(together) == (0, 0)


def test_flags_of_rows_where_more_than_a_tenth_of_the_devices_are_concerned():
    alone = [
        (f"one{n}", f"2026-10-{day} {hour}:{n:02}", HOME)
        for n in range(45)
        for day, hour in (("02", "08"), ("12", "20"), ("22", "09"))
    ]
    for count, is_flagged in ((5, False), (6, True)):  # of 50, of 51
        flags = verdict_of(month_of(as_tests([*alone, *crowd(count)])))["flags"].split(";")
        assert ("many_ids_at_once" in flags) == is_flagged
        assert "id_in_two_places" not in flags


# --- shards


def test_the_signs_do_not_depend_on_shards(monkeypatch):
    rows = [*crowd(7), *crowd(6, "2026-09-05 09:00", at=north(30))]
    rows += [("far", "2026-10-07 07:00", HOME), ("far", "2026-10-07 07:00", north(60))]
    rows += [
        (f"x{n}", f"2026-{8 + n % 3:02}-{day:02} 1{n % 10}:00", HOME)
        for n in range(40)
        for day in (1, 9, 17)
    ]
    tests = as_tests(rows)
    whole = evidence(tests)
    assert whole.id_life.device_count == 40
    for least in (50, 7, 3):
        monkeypatch.setattr(prepare, "SHARD_ROWS", least)
        _, _, prepared = aggregates_of_tests(tests, WIDE, operators={"V": [], "W": []})
        assert prepared.how.shard_count > 1
        parts = evidence(tests)
        assert parts.id_life == whole.id_life
        pd.testing.assert_frame_equal(parts.counts, whole.counts, check_exact=True)
    assert whole.counts.loc[("r0c0", "V"), "crowd_device_count"] == 7
    assert whole.counts.loc[("r0c0", "V"), "two_places_device_count"] == 1
