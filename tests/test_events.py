"""Network events: read from a table, touch their area, and leave samples out of the evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import h3
import numpy as np
import pandas as pd
import polars as pl
import pytest

from pipeline.measurements.events import touches, with_events
from pipeline.measurements.evidence import evidence_of_tests, units_over
from pipeline.measurements.scope import Event, Names
from pipeline.schema.errors import UserFault
from pipeline.schema.tables import with_declared_dtypes
from pipeline.schema.texts import error_message
from pipeline.sources.events import Asked, read_events
from pipeline.sources.villages import with_nothing_further
from tests.builders import aggregates_of_tests, squares

COMMUNES = squares(columns=2, rows=1, side=0.5)  # r0c0 west of 103.5, r0c1 east
HERE, NEAR, FAR = (22.1, 103.1), (22.105, 103.1), (22.3, 103.1)  # NEAR: some 550 m north
OTHER = (22.1, 103.6)
ASKED = Asked(("V", "W"))
HEAD = (
    "date,kind,operator,end_date,technology,commune_code,village_name,hex_id,latitude,longitude,"
    "radius_km"
)


def villages() -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "village_name": ["Bản Một", "Bản Hai", "Bản Hai"],
            "commune_code": ["r0c0", "r0c0", "r0c0"],
            "latitude": [HERE[0], FAR[0], FAR[0]], "longitude": [HERE[1], FAR[1], 103.2],
        }
    )  # fmt: skip
    return with_declared_dtypes("villages", with_nothing_further(table.assign(people=None)))


def read(tmp_path, *rows: str, head: str = HEAD):
    path = tmp_path / "events.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return read_events(path, COMMUNES, villages(), ASKED)


# --- reading


def test_areas_kinds_and_dates(tmp_path):
    cell = h3.latlng_to_cell(*HERE, 8)
    table, warnings = read(
        tmp_path,
        "15/09/2026,phát sóng,V,,,r0c0,,,,,",
        "2026-09-16,on_air,Tất cả,,4G,r0c0,Bản Một,,,,",
        f"17/09/2026,tắt sóng,W,,,,,{cell},,,",
        '18/09/2026,sự cố,V,20/09/2026,,,,,"22,1","103,1","2,5"',
    )
    assert not warnings
    assert table["event_date"].tolist() == [f"2026-09-{day}" for day in (15, 16, 17, 18)]
    assert table["event_kind"].tolist() == ["on_air", "on_air", "switch_off", "outage"]
    assert table["event_operator"].tolist() == ["V", "all", "W", "V"]
    assert table["event_end_date"].tolist()[3] == "2026-09-20"
    assert table["event_radius_km"].tolist()[1:] == pytest.approx([1.5, np.nan, 2.5], nan_ok=True)
    assert table["event_hex_id"].tolist()[2] == cell
    assert table["event_commune_code"].tolist()[:2] == ["r0c0", "r0c0"]


def test_vietnamese_headings_and_names_of_communes(tmp_path):
    table, _ = read(
        tmp_path, "15/09/2026,phát sóng,V,Xã r0c1", head="Ngày,Loại sự kiện,Nhà mạng,Xã"
    )
    assert table["event_commune_code"].tolist() == ["r0c1"]


def test_an_event_of_another_technology_judges_nothing(tmp_path):
    table, warnings = read(tmp_path, "15/09/2026,tắt sóng,all,,2G,r0c0,,,,,")
    assert table.empty
    assert [one.code for one in warnings] == ["events_of_others"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("32/09/2026,on_air,V,,,r0c0,,,,,", "event_date"),
        (",on_air,V,,,r0c0,,,,,", "event_date"),
        ("15/09/2026,party,V,,,r0c0,,,,,", "event_kind"),
        ("15/09/2026,on_air,Q,,,r0c0,,,,,", "event_operator"),
        ("15/09/2026,on_air,,,,r0c0,,,,,", "event_operator"),
        ("15/09/2026,outage,V,,,r0c0,,,,,", "event_end"),
        ("15/09/2026,outage,V,14/09/2026,,r0c0,,,,,", "event_end"),
        ("15/09/2026,on_air,V,,,,,,,,", "event_area"),
        ("15/09/2026,on_air,V,,,r0c0,Bản Một,88415a1b03fffff,,,", "event_area"),
        ("15/09/2026,on_air,V,,,,,no cell,,,", "event_hex"),
        ("15/09/2026,on_air,V,,,,,,22.1,103.1,", "event_circle"),
        ("15/09/2026,on_air,V,,,,,,22.1,103.1,0", "event_circle"),
        ("15/09/2026,on_air,V,,,r9c9,,,,,", "event_commune"),
        ("15/09/2026,on_air,V,,,r0c0,Bản Năm,,,,", "event_village"),
        ("15/09/2026,on_air,V,,,r0c0,Bản Hai,,,,", "event_village"),  # two of the name
        ("15/09/2026,on_air,V,,,,Bản Một,,,,", "event_village"),  # of which commune
    ],
)
def test_faults_name_row_and_column(tmp_path, row, code):
    with pytest.raises(UserFault) as raised:
        read(tmp_path, "15/09/2026,on_air,V,,,r0c0,,,,,", row)
    assert [(one.code, one.row) for one in raised.value.faults] == [(code, 3)]
    for lang in ("vi", "en"):
        assert "{" not in error_message(raised.value.faults[0], lang)


def test_all_faults_at_once_and_missing_columns(tmp_path):
    with pytest.raises(UserFault) as raised:
        read(tmp_path, "x,party,Q,,,,,,,,")
    codes = [one.code for one in raised.value.faults]
    assert codes == ["event_date", "event_kind", "event_operator", "event_area"]
    with pytest.raises(UserFault) as raised:
        read(tmp_path, "15/09/2026,V", head="date,operator")
    assert [one.code for one in raised.value.faults] == ["event_columns"]


# --- what an event touches


def places() -> pl.DataFrame:
    spots = [(0, 0, HERE), (0, 1, HERE), (0, 0, NEAR), (0, 0, FAR), (1, 0, OTHER)]
    return pl.DataFrame(
        {
            "zone": pl.Series([zone for zone, _, _ in spots], dtype=pl.Int32),
            "operator": pl.Series([operator for _, operator, _ in spots], dtype=pl.Int8),
            "cell": pl.Series(
                [h3.str_to_int(h3.latlng_to_cell(*at, 9)) for *_, at in spots], dtype=pl.UInt64
            ),
        }
    )


EVENT = Event(date(2026, 9, 15), "on_air", None, date(2026, 9, 14))


@pytest.mark.parametrize(
    ("area", "touched"),
    [
        ({}, [1, 1, 1, 1, 1]),
        ({"zone": 0}, [1, 1, 1, 1, 0]),
        ({"zone": 0, "operator": 0}, [1, 0, 1, 1, 0]),
        ({"operator": 1}, [0, 1, 0, 0, 0]),
        ({"circle": (*HERE, 0.3)}, [1, 1, 0, 0, 0]),
        ({"circle": (*HERE, 1.0)}, [1, 1, 1, 0, 0]),
        ({"circle": (*HERE, 30.0)}, [1, 1, 1, 1, 0]),
        ({"circle": (*HERE, 30.0), "zone": 1}, [0, 0, 0, 0, 0]),
        ({"cell": h3.str_to_int(h3.latlng_to_cell(*FAR, 9))}, [0, 0, 0, 1, 0]),
        ({"cell": h3.str_to_int(h3.latlng_to_cell(*OTHER, 5))}, [0, 0, 0, 0, 1]),
    ],
)
def test_what_an_event_touches(area, touched):
    assert touches(replace(EVENT, **area), places()).astype(int).tolist() == touched


# --- evidence


def as_tests(rows: list[dict]) -> pd.DataFrame:
    base = {"device_id": "d", "day": "2026-09-01", "operator_met": "V", "place": HERE, "mbps": 20.0}
    frame = pd.DataFrame([base | one for one in rows])
    local = pd.to_datetime(frame.pop("day") + " 08:00").dt.tz_localize("Asia/Ho_Chi_Minh")
    frame["measured_at"] = local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    frame["latitude"], frame["longitude"] = zip(*frame.pop("place"), strict=True)
    return with_declared_dtypes("tests", frame.rename(columns={"mbps": "download_mbps"}).assign(
        upload_mbps=9.0, latency_ms=20.0, source="s", source_file="f", brand=None, unreadable="",
        technology="4G", source_row=np.arange(2, len(frame) + 2), location_accuracy_m=10.0,
        test_id=None, jitter_ms=np.nan, signal_dbm=-90.0,
    ))  # fmt: skip


def judged(rows: list[dict], events: list[dict]):
    """(counts of r0c0 × V, evidence, aggregates) with events that differ from a site on air."""
    base = {
        "event_date": "2026-09-15", "event_kind": "on_air", "event_operator": "V",
        "event_end_date": None, "event_commune_code": "r0c0", "event_village_name": None,
        "event_hex_id": None,
        "event_latitude": np.nan, "event_longitude": np.nan, "event_radius_km": np.nan,
    }  # fmt: skip
    table = pd.DataFrame([base | one for one in events], columns=list(base))
    table = with_declared_dtypes("events", table)
    found, question, _ = aggregates_of_tests(
        as_tests(rows), COMMUNES, operators={"V": [], "W": []}, events=table
    )
    evidence = evidence_of_tests(found, question, 3, 3)
    return evidence.counts.loc["r0c0", "V"], evidence, found


BEFORE = [{"device_id": f"old {i}", "day": "2026-09-14", "mbps": 10.0 + i} for i in range(4)]
AFTER = [{"device_id": f"new {i}", "day": "2026-09-15", "mbps": 60.0 + i} for i in range(3)]


def test_samples_of_before_the_site_do_not_judge():
    counts, evidence, _ = judged(BEFORE + AFTER, [{}])
    assert (counts["device_count"], counts["test_count"]) == (3, 3)
    assert evidence.devices.query("operator == 'V'")["download_mbps"].sort_values().tolist() == [
        60,
        61,
        62,
    ]
    row = evidence.events.loc["r0c0", "V"]
    assert (row["event_date"], row["event_kind"]) == ("2026-09-15", "on_air")
    assert (row["device_count_before"], row["device_count_after"]) == (4, 3)
    assert (row["mean_before_mbps"], row["mean_after_mbps"]) == pytest.approx((11.5, 61.0))


@pytest.mark.parametrize(
    ("event", "devices"),
    [
        ({"event_date": "2026-11-01"}, 7),  # after the period
        ({"event_operator": "W"}, 7),
        ({"event_operator": "all"}, 3),
        ({"event_commune_code": "r0c1"}, 7),
        ({"event_date": "2026-09-14"}, 7),  # the day itself counts
        ({"event_kind": "switch_off"}, 3),
        ({"event_kind": "outage", "event_date": "2026-09-15", "event_end_date": "2026-09-15"}, 4),
        ({"event_kind": "outage", "event_date": "2026-09-01", "event_end_date": "2026-09-13"}, 7),
    ],
)
def test_which_events_leave_samples_out(event, devices):
    assert judged(BEFORE + AFTER, [event])[0]["device_count"] == devices


def test_of_two_events_the_later_counts():
    counts, evidence, _ = judged(BEFORE + AFTER, [{}, {"event_date": "2026-09-10"}])
    assert counts["device_count"] == 3
    assert evidence.events.loc["r0c0", "V"]["event_date"] == "2026-09-15"


def test_places_that_are_not_touched_keep_their_samples():
    circle = {"event_latitude": FAR[0], "event_longitude": FAR[1], "event_radius_km": 1.0}
    far = [one | {"place": FAR, "device_id": f"far {i}"} for i, one in enumerate(BEFORE)]
    counts, evidence, _ = judged(BEFORE + AFTER + far, [circle | {"event_commune_code": None}])
    assert counts["device_count"] == 7
    row = evidence.events.loc["r0c0", "V"]
    assert (row["device_count_before"], row["device_count_after"]) == (4, 0)


def test_official_counts_and_books_stay():
    rows = BEFORE + AFTER + [{"device_id": "o", "day": "2026-10-02", "mbps": 30.0}]
    event = {"event_date": "2026-10-10"}
    without, _, plain = judged(rows, [])
    counts, evidence, found = judged(rows, [event])
    assert counts["device_count"] == 0
    assert counts["month_test_count"] == without["month_test_count"] == 1
    assert counts["month_mean_mbps"] == without["month_mean_mbps"] == 30.0
    assert evidence.devices.query("operator == 'V'").empty
    for name in ("books", "rejects", "dates", "places", "commune_months", "area 0"):
        assert found[name].sort(found[name].columns).equals(plain[name].sort(plain[name].columns))


def test_devices_that_only_one_of_two_means_rests_on_are_counted():
    """September's tests of `o` are left out; of October's devices two tested in September too."""
    rows = [
        {"device_id": "o", "day": "2026-10-02"},
        {"device_id": "p", "day": "2026-10-12"},
        {"device_id": "q", "day": "2026-10-12"},
        {"device_id": "q", "day": "2026-09-20"},
        {"device_id": "r", "day": "2026-09-20"},
    ]
    counts, _, _ = judged(rows, [{"event_date": "2026-10-10"}])
    assert (counts["earlier_device_count"], counts["dropped_device_count"]) == (0, 1)
    counts, _, _ = judged(rows, [])
    assert (counts["earlier_device_count"], counts["dropped_device_count"]) == (2, 0)
    counts, _, _ = judged(rows, [{"event_date": "2026-09-10"}])
    assert (counts["earlier_device_count"], counts["dropped_device_count"]) == (2, 0)


def test_without_events_nothing_changes():
    counts, evidence, _ = judged(BEFORE + AFTER, [])
    assert counts["device_count"] == 7
    assert evidence.events.empty
    assert evidence.network_events == ()


def test_names_of_no_event_leave_the_question_as_it_is():
    _, question, _ = aggregates_of_tests(as_tests(BEFORE), COMMUNES)
    assert with_events(question, None) is question
    assert question.names.operators == ["V"]
    assert isinstance(question.names, Names)


def test_a_longer_window_leaves_the_same_samples_out():
    old = [{"device_id": f"june {i}", "day": "2026-06-20"} for i in range(3)]
    _, _, found = judged(old + AFTER, [{}])
    _, question, _ = aggregates_of_tests(
        as_tests(old + AFTER), COMMUNES, operators={"V": [], "W": []}
    )
    number = max(question.window_of_months.values())
    _, counts = units_over(found, question, number, 12, 3)
    assert counts.loc["r0c0", "V"]["device_count"] == 3
