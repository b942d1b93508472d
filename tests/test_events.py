"""Network events: read from a table, touch their area, and leave samples out of the evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import h3
import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.measurements.events import idle_events, touches, with_events
from pipeline.measurements.evidence import evidence_of_tests, units_over
from pipeline.measurements.scope import Event, Names
from pipeline.schema.errors import UserFault
from pipeline.schema.tables import with_declared_dtypes
from pipeline.schema.texts import error_message
from pipeline.sources.events import Asked, read_events
from pipeline.sources.villages import with_nothing_further
from pipeline.verdicts.result_tables import _without_small_sides
from tests.builders import aggregates_of_tests, month_of_tests, run_lomsong, squares, write_world
from tests.event_worlds import (
    DAYS,
    EVENTS,
    FAST,
    SLOW,
    happen,
    ledger,
    others,
    rows,
    run,
    story,
    text,
)

GAP = "r0c0/unstated/V/1"
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


def read(tmp_path, *rows: str, head: str = HEAD, asked: Asked = ASKED, communes=COMMUNES):
    path = tmp_path / "events.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return read_events(path, communes, villages(), asked)


def wrong(tmp_path, row: str, **how) -> tuple[list[str], dict[str, str]]:
    """(codes of the faults of a row, their messages by language, joined)."""
    with pytest.raises(UserFault) as raised:
        read(tmp_path, row, **how)
    faults = raised.value.faults
    said = {lang: " | ".join(error_message(one, lang) for one in faults) for lang in ("vi", "en")}
    assert all("{" not in text for text in said.values())
    return [one.code for one in faults], said


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
        ("15/09/2026,on_air,V,,,,,8841,,,", "event_hex"),
        ("15/09/2026,on_air,V,,,,,88415a1b03fffffff0,,,", "event_hex"),  # too many digits
        ("15/09/2026,on_air,V,,,,,,91,103.1,1", "event_position"),
        ("15/09/2026,on_air,V,,,,,,-90.5,103.1,1", "event_position"),
        ("15/09/2026,on_air,V,,,,,,22.1,180.5,1", "event_position"),
        ("15/09/2026,on_air,V,,,,,,22.1,-181,1", "event_position"),
        ("15/09/2026,on_air,V,,,,,,22.1,inf,1", "event_position"),
        ("15/09/2026,on_air,V,,,,,,10.8,106.7,5", "event_outside"),
        ("15/09/2026,on_air,V,,,,,,103.1,22.1,1", "event_swapped"),
        ("15/09/2026,on_air,V,,,,,,22.1,103.1,1500", "event_radius"),
        ("15/09/2026,on_air,V,,,,,,22.1,103.1,100.1", "event_radius"),
        ("15/09/2026,on_air,V,,,r9c9,,,,,", "event_commune_unlike"),
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


def circle(latitude: float, longitude: float, km: float = 1.0) -> str:
    return f"15/09/2026,on_air,V,,,,,,{latitude},{longitude},{km}"


@pytest.mark.parametrize(
    ("row", "is_read"),
    [  # the communes lie in 22.0–22.5, 103.0–104.0; 0.01 degrees of latitude are 1.11 km
        (circle(22.51, 103.5, 1.2), True),
        (circle(22.51, 103.5, 1.0), False),
        (circle(21.99, 103.5, 1.2), True),
        (circle(21.99, 103.5, 1.0), False),
        (circle(22.25, 104.01, 1.1), True),  # 0.01 degrees of longitude: 1.03 km
        (circle(22.25, 104.01, 0.9), False),
        (circle(22.25, 102.99, 1.1), True),
        (circle(22.25, 102.99, 0.9), False),
        (circle(23.39, 103.5, 100), True),
        (circle(23.41, 103.5, 100), False),
    ],
)
def test_a_circle_must_meet_the_bounds_of_the_communes(tmp_path, row, is_read):
    if is_read:
        assert len(read(tmp_path, row)[0]) == 1
    else:
        codes, said = wrong(tmp_path, row)
        assert codes == ["event_outside"]
        assert "22.000–22.500, 103.000–104.000" in said["en"]
        assert "nằm ngoài khu vực" in said["vi"]


def test_swapped_positions_are_said_with_the_right_ones(tmp_path):
    codes, said = wrong(tmp_path, circle(103.1, 22.1))
    assert codes == ["event_swapped"]
    assert "latitude and longitude look swapped" in said["en"]
    assert "“22.1 103.1” inside" in said["en"]
    assert "vĩ độ và kinh độ có vẻ bị đổi chỗ" in said["vi"]
    near = squares(columns=1, rows=1, west=60.0, south=30.0)  # both orders are places
    assert wrong(tmp_path, circle(60.05, 30.05), communes=near)[0] == ["event_swapped"]
    assert wrong(tmp_path, circle(60.05, 40.05), communes=near)[0] == ["event_outside"]


def test_a_radius_in_metres_is_said(tmp_path):
    codes, said = wrong(tmp_path, circle(103.1, 22.1, 1500))
    assert codes == ["event_radius", "event_swapped"]
    assert "the radius “1500” is more than 100 km" in said["en"]
    assert "lớn hơn 100 km" in said["vi"]


def in_cell(at: tuple[float, float], resolution: int) -> str:
    return f"15/09/2026,on_air,V,,,,,{h3.latlng_to_cell(*at, resolution)},,,"


def test_a_cell_is_no_finer_than_those_that_tests_are_kept_by(tmp_path):
    assert len(read(tmp_path, in_cell(HERE, 9))[0]) == 1
    codes, said = wrong(tmp_path, in_cell(HERE, 10))
    assert codes == ["event_hex_fine"]
    assert "of resolution 10; tests are kept by cells of resolution 9" in said["en"]
    assert h3.latlng_to_cell(*HERE, 9) in said["vi"]
    coarse = replace(ASKED, finest_resolution=7)
    assert wrong(tmp_path, in_cell(HERE, 8), asked=coarse)[0] == ["event_hex_fine"]
    assert len(read(tmp_path, in_cell(HERE, 7), asked=coarse)[0]) == 1


def test_a_cell_must_meet_the_bounds_of_the_communes(tmp_path):
    """5.6 km north of the area a cell of resolution 4 (22 km wide) reaches it, one of 9 not."""
    assert len(read(tmp_path, in_cell((22.55, 103.5), 4))[0]) == 1
    codes, said = wrong(tmp_path, in_cell((22.55, 103.5), 9))
    assert codes == ["event_outside"]
    assert "lies outside the area" in said["en"]
    assert wrong(tmp_path, in_cell((10.8, 106.7), 4))[0] == ["event_outside"]
    for resolution in range(3):
        assert len(read(tmp_path, in_cell(HERE, resolution))[0]) == 1


@settings(max_examples=60, deadline=None)
@given(st.floats(22.0, 22.5), st.floats(103.0, 104.0), st.integers(0, 9))
def test_a_cell_of_a_place_in_the_area_is_no_fault(tmp_path_factory, latitude, longitude, size):
    """Whatever its size: the cell of a test, and all of its parents."""
    finest = h3.latlng_to_cell(latitude, longitude, 9)
    row = f"15/09/2026,on_air,V,,,,,{h3.cell_to_parent(finest, size)},,,"
    assert len(read(tmp_path_factory.mktemp("events"), row)[0]) == 1


def test_a_cell_is_kept_as_the_library_writes_it(tmp_path):
    cell = h3.latlng_to_cell(*HERE, 8)
    table, _ = read(tmp_path, f"15/09/2026,on_air,V,,,,,{cell.upper()},,,")
    assert table["event_hex_id"].tolist() == [cell]


def test_an_empty_operator_without_a_list_of_operators(tmp_path):
    codes, said = wrong(tmp_path, "15/09/2026,on_air,,,,r0c0,,,,,", asked=Asked())
    assert codes == ["event_no_operator"]
    assert "write its name as the tests do, or `all`" in said["en"]
    assert "one of: all" not in said["en"]
    table, _ = read(tmp_path, "15/09/2026,on_air,Q,,,r0c0,,,,,", asked=Asked())
    assert table["event_operator"].tolist() == ["Q"]


@pytest.mark.parametrize(
    ("code", "name", "proposed"),
    [
        ("", "Xã Binh Luu", "it may be: Bình Lư (00001)"),
        ("", "Bình Lưa", "it may be: Bình Lư (00001)"),
        ("00009", "", "it may be: Nà Tăm (00002), Bình Lư (00001)"),
        ("99999", "Nà Tăm", "it may be: Nà Tăm (00002)"),
        ("00001", "Nà Tăm", "it may be: Bình Lư (00001), Nà Tăm (00002)"),
        ("", "Xã Khác Hẳn", "none has a similar code or name; write it as the boundaries do"),
    ],
)
def test_communes_that_may_be_meant_are_proposed(tmp_path, code, name, proposed):
    named = squares(columns=2, rows=1, side=0.5).assign(
        commune_code=["00001", "00002"], commune_name=["Bình Lư", "Nà Tăm"]
    )
    head = "date,kind,operator,commune_code,commune_name"
    _, said = wrong(tmp_path, f"15/09/2026,on_air,V,{code},{name}", head=head, communes=named)
    assert proposed in said["en"]
    assert "–" not in said["en"].partition("known")[2]


@pytest.mark.parametrize(
    ("start", "end", "said_in_english"),
    [
        ("2026-09-15", "2026-09-14", "not before 15/09/2026; found “14/09/2026”"),
        ("46280", "46279", "not before 15/09/2026; found “14/09/2026”"),
        ("15.9.2026", "hôm qua", "not before 15/09/2026; found “hôm qua”"),
        ("15/9/2026", "", "not before 15/09/2026; found “–”"),
    ],
)
def test_days_of_an_outage_are_shown_as_they_are_written(tmp_path, start, end, said_in_english):
    codes, said = wrong(tmp_path, f"{start},outage,V,{end},,r0c0,,,,,")
    assert codes == ["event_end"]
    assert said["en"].endswith(said_in_english)


def test_of_a_workbook_the_sheet_with_the_headings_of_events_is_read(tmp_path):
    book = openpyxl.Workbook()
    for line in [["a", "b", "c"]] + [[1, 2, 3]] * 40:
        book.active.append(line)
    book.active.title = "Other"
    for name in ("Events", "Aside"):
        sheet = book.create_sheet(name)
        sheet.append(["date", "kind", "operator", "commune_code"])
        sheet.append(["05/10/2026", "on_air", "V", "r0c0"])
    book["Aside"].sheet_state = "hidden"
    book.save(tmp_path / "events.xlsx")
    table, warnings = read_events(tmp_path / "events.xlsx", COMMUNES, villages(), ASKED)
    assert table["event_date"].tolist() == ["2026-10-05"]
    assert {one.code: one.values["found"] for one in warnings} == {
        "hidden_form_sheets": ["Aside (1)"], "sheets_not_read": ["Other (40)"],
    }  # fmt: skip
    assert all(error_message(one, lang) for one in warnings for lang in ("vi", "en"))


@pytest.mark.parametrize("rows", [(), (",,,,,,,,,,",)])
def test_a_file_without_events_is_a_warning(tmp_path, rows):
    table, warnings = read(tmp_path, *rows)
    assert table.empty
    assert [(one.code, one.file) for one in warnings] == [("no_events", "events.csv")]
    assert error_message(warnings[0], "en") == "events.csv: there are no events in the file"


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


def happened(events: list[dict]) -> pd.DataFrame:
    """The table of events that differ from a site on air in r0c0."""
    base = {
        "event_date": "2026-09-15", "event_kind": "on_air", "event_operator": "V",
        "event_end_date": None, "event_commune_code": "r0c0", "event_village_name": None,
        "event_hex_id": None,
        "event_latitude": np.nan, "event_longitude": np.nan, "event_radius_km": np.nan,
    }  # fmt: skip
    table = pd.DataFrame([base | one for one in events], columns=list(base))
    return with_declared_dtypes("events", table)


def judged(rows: list[dict], events: list[dict]):
    """(counts of r0c0 × V, evidence, aggregates) with events that differ from a site on air."""
    table = happened(events)
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


def test_the_mean_after_an_outage_has_no_tests_of_before_it():
    """4 devices on the 14th, 3 on the 15th; the outage begins on the 15th."""
    lasting = {"event_kind": "outage", "event_date": "2026-09-15", "event_end_date": "2026-09-15"}
    later = [{"device_id": f"later {i}", "day": "2026-09-20", "mbps": 90.0} for i in range(3)]
    _, evidence, _ = judged(BEFORE + AFTER + later, [lasting])
    row = evidence.events.loc["r0c0", "V"]
    assert row["mean_after_mbps"] == 90.0  # "mean of device values from the event on"
    assert row["mean_before_mbps"] == 11.5  # "before the event", not during it
    assert (row["device_count_before"], row["device_count_after"]) == (4, 3)
    assert (row["left_out_device_count"], row["touched_device_count"]) == (3, 7)


def test_an_outage_after_a_site_on_air_has_no_tests_of_before_the_site_on_its_sides():
    fault = {"event_kind": "outage", "event_date": "2026-09-20", "event_end_date": "2026-09-21"}
    during = [{"device_id": "during", "day": "2026-09-21", "mbps": 1.0}]
    _, evidence, _ = judged(BEFORE + AFTER + during, [{}, fault])
    row = evidence.events.loc["r0c0", "V"]
    assert row["event_kind"] == "outage"
    assert (row["device_count_before"], row["mean_before_mbps"]) == (3, 61.0)
    assert (row["device_count_after"], row["left_out_device_count"]) == (0, 5)
    assert pd.isna(row["mean_after_mbps"])


def test_an_outage_that_began_before_the_window_is_one_of_the_window():
    """It leaves out tests of the window, which begins in August: log and flag say so."""
    fault = {"event_kind": "outage", "event_date": "2026-07-20", "event_end_date": "2026-08-05"}
    during = [{"device_id": "during", "day": "2026-08-05", "mbps": 1.0}]
    _, evidence, _ = judged(AFTER + during, [fault])
    assert [one.is_since(evidence.first_day) for one in evidence.network_events] == [True]
    assert evidence.outdated_count == 1
    assert evidence.events.loc["r0c0", "V"]["left_out_device_count"] == 1
    _, evidence, _ = judged(AFTER, [fault | {"event_end_date": "2026-07-31"}])
    assert [one.is_since(evidence.first_day) for one in evidence.network_events] == [False]
    assert evidence.events.loc["r0c0", "V"]["left_out_device_count"] == 0


@pytest.mark.parametrize(
    ("kind", "counts", "shown"),
    [  # devices of the row, before, after, with samples there that judge
        ("on_air", (7, 4, 7, 7), (True, True)),
        ("on_air", (7, 4, 5, 5), (True, False)),  # two devices are elsewhere
        ("on_air", (5, 2, 5, 5), (False, True)),
        ("outage", (7, 4, 4, 7), (True, True)),
        ("outage", (7, 4, 3, 5), (False, True)),  # two are elsewhere
        ("outage", (7, 5, 4, 7), (False, True)),  # two only after it
        ("outage", (7, 4, 5, 7), (True, False)),
    ],
)
def test_sides_are_shown_where_neither_tells_of_few_devices(kind, counts, shown):
    names = [
        "device_count", "device_count_before", "device_count_after", "touched_device_count"
    ]  # fmt: skip
    row = dict(zip(names, map(float, counts), strict=True))
    rows = pd.DataFrame([row | {"event_kind": kind, "mean_before_mbps": 9, "mean_after_mbps": 9}])
    found = _without_small_sides(rows, 3)[["mean_before_mbps", "mean_after_mbps"]]
    assert tuple(found.notna().iloc[0]) == shown


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


# --- events that touch nothing


def idle(rows: list[dict], events: list[dict], operators=("V", "W")) -> dict[str, dict]:
    """Values of the warnings by code; `operators`: listed in the settings, or none."""
    table = happened(events)
    listed = {"operators": {name: [] for name in operators}} if operators else {}
    found, question, _ = aggregates_of_tests(as_tests(rows), COMMUNES, events=table, **listed)
    warnings = idle_events(question, table, found)
    assert all("{" not in error_message(one, lang) for one in warnings for lang in ("vi", "en"))
    return {one.code: one.values for one in warnings}


AT_FAR = {
    "event_commune_code": None, "event_latitude": FAR[0], "event_longitude": FAR[1],
    "event_radius_km": 1.0,
}  # fmt: skip
OF_W = [{"operator_met": "W", "place": OTHER}]  # one test of W, in the other commune


@pytest.mark.parametrize(
    ("event", "idle_count"),
    [
        ({}, 0),
        ({"event_commune_code": "r0c1"}, 1),
        ({"event_commune_code": "r0c1", "event_operator": "W"}, 0),
        ({"event_operator": "W"}, 1),
        ({"event_operator": "all"}, 0),
        (AT_FAR, 1),
        (AT_FAR | {"event_radius_km": 50.0}, 0),
        ({"event_hex_id": h3.latlng_to_cell(*FAR, 9)}, 1),
        ({"event_hex_id": h3.latlng_to_cell(*HERE, 7)}, 0),
        (AT_FAR | {"event_date": "2026-11-01"}, 0),  # after the window
        (AT_FAR | {"event_date": "2026-10-31"}, 1),
        (AT_FAR | {"event_date": "2026-07-31"}, 0),  # before it
        (AT_FAR | {"event_date": "2026-08-01"}, 1),
        (AT_FAR | {"event_kind": "outage", "event_date": "2026-07-01",
                   "event_end_date": "2026-08-02"}, 1),  # it ends in the window
        (AT_FAR | {"event_kind": "outage", "event_date": "2026-07-01",
                   "event_end_date": "2026-07-31"}, 0),
    ],
)  # fmt: skip
def test_events_of_the_window_that_touch_no_test_are_a_warning(event, idle_count):
    old = [{"day": "2026-06-20", "device_id": "june", "place": NEAR}]  # deliveries reach back
    found = idle(BEFORE + AFTER + OF_W + old, [event])
    counts = {code: values["count"] for code, values in found.items()}
    assert counts == ({"events_that_touch_nothing": 1} if idle_count else {})


def test_an_event_that_a_later_one_covers_is_not_idle():
    assert idle(BEFORE + AFTER + OF_W, [{}, {"event_date": "2026-09-10"}]) == {}


def test_tests_of_former_months_and_failed_tests_are_touched_tests_after_the_window_not():
    event = AT_FAR | {"event_date": "2026-10-10"}
    at_far = {"place": FAR, "device_id": "far"}
    assert idle([*BEFORE, *OF_W, at_far | {"day": "2026-03-01"}], [event]) == {}
    assert idle([*BEFORE, *OF_W, at_far | {"day": "2026-10-09", "mbps": 0.0}], [event]) == {}
    later = [*BEFORE, *OF_W, at_far | {"day": "2026-11-02"}]
    assert list(idle(later, [event])) == ["events_that_touch_nothing"]


def test_five_idle_events_are_listed_and_all_are_counted():
    days = [f"2026-09-{day:02d}" for day in range(10, 17)]
    events = [AT_FAR | {"event_date": day, "event_operator": "all"} for day in days]
    found = idle(BEFORE + OF_W, [{}, *events])["events_that_touch_nothing"]
    assert (found["count"], found["of"]) == (7, 8)
    assert found["found"] == (
        "10/09/2026 on air All operators; 11/09/2026 on air All operators; "
        "12/09/2026 on air All operators; 13/09/2026 on air All operators; "
        "14/09/2026 on air All operators; …"
    )
    assert found["found"].in_lang("vi").startswith("10/09/2026 phát sóng ")
    five = idle(BEFORE + OF_W, events[:5])["events_that_touch_nothing"]["found"]
    assert (five.count("on air"), "…" in five) == (5, False)


def test_an_operator_that_no_test_is_of_is_a_warning():
    events = [{"event_operator": "Vv"}, {"event_operator": "Vv", "event_date": "2026-01-01"}, {}]
    found = idle(BEFORE + AFTER + OF_W, events, operators=())
    assert found == {"events_of_no_operator": {"found": ["Vv"], "count": 2, "expected": ["V", "W"]}}
    later = [{"event_operator": "Vv", "event_date": "2026-11-01"}]
    assert idle(BEFORE + AFTER + OF_W, later, operators=()) == {}


def test_a_listed_operator_without_tests_is_said_once():
    found = idle(BEFORE + AFTER, [{"event_operator": "W"}])
    assert {code: values["found"] for code, values in found.items()} == {
        "events_of_no_operator": ["W"]
    }


def test_without_events_there_is_no_warning_of_them():
    assert idle(BEFORE, []) == {}


def test_check_says_what_events_do_not_touch_and_keeps_to_the_resolution_of_the_hexes(tmp_path):
    more = '[events]\npath = "events.csv"\n[hexes]\nfinest_resolution = 8\n'
    tests = {"2026-10": month_of_tests("2026-10", {("r0c1", "Viettel"): [20.0] * 4})}
    file = write_world(tmp_path, tests, more)
    kept, finer = (h3.latlng_to_cell(22.05, 103.15, resolution) for resolution in (8, 9))

    def checked(*rows: str) -> tuple[int, str]:
        text = "\n".join(["date,kind,operator,commune_code,hex_id", *rows, ""])
        (tmp_path / "events.csv").write_text(text, encoding="utf-8")
        code, said = run_lomsong("check", "--settings", file, "--lang", "en")
        return code, " ".join(said.split())

    code, said = checked("05/10/2026,on_air,Viettel,r0c0,", "05/10/2026,on_air,Vietell,r0c1,")
    assert code == 0, said
    assert "1 of 1 events of the window touch no test: 05/10/2026 on air Viettel" in said
    assert "no test is of an operator that events name: Vietell" in said
    code, said = checked(f"05/10/2026,on_air,Viettel,,{finer}")
    assert code == 2
    assert "of resolution 9; tests are kept by cells of resolution 8" in said
    code, said = checked(f"05/10/2026,on_air,Viettel,,{kept}")
    assert code == 0, said
    assert "touch no" not in said


# --- months of events


@pytest.mark.slow
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
    happen(tmp_path, "2026-06-01,on_air,V,,r0c0,,,")
    status = pd.read_parquet(run(settings, "2026-10") / "tables/commune_status.parquet")
    table = status.set_index(["commune_code", "operator"])
    row = table.loc["r0c0", "V"]
    assert row["window_months"] == 6  # from May: 3 devices of May are left out
    assert "straddles_event" in row["flags"].split(";")
    sides = row[["device_count_before", "mean_before_mbps", "device_count_after"]]
    assert sides.tolist() == [3, 20.0, 10]
    later = table.loc["r1c1", "V"]  # of the base window: no event touches it
    assert (later["window_months"], pd.isna(later["event_date"])) == (3, True)


def repaired(tmp_path: Path, *events: str) -> pd.DataFrame:
    """Slow until September, fast in October: the ledger's rows of its only gap."""
    months = {f"2026-{n:02d}": (SLOW if n < 10 else FAST, DAYS) for n in (8, 9, 10)}
    settings = story(tmp_path, months, *events)
    for period in ("2026-09", "2026-10"):
        folder = run(settings, period)
    return ledger(folder).loc[GAP]


@pytest.mark.slow
def test_an_event_before_all_tests_that_were_weak_is_no_cause_of_the_repair(tmp_path):
    """On air on 5 August; weak by August's and September's tests of after it; fixed in October."""
    found = repaired(tmp_path, "2026-08-05,on_air,V,,r0c0,,,")
    assert found["state"].tolist() == ["new", "fixed"]
    assert found["event_date"].isna().all(), found[["state", "event_date", "event_kind"]]


@pytest.mark.slow
def test_an_outage_repairs_nothing(tmp_path):
    found = repaired(tmp_path, "2026-10-20,outage,V,2026-10-21,r0c0,,,")
    assert found["state"].tolist() == ["new", "fixed"]
    assert found["event_kind"].isna().all(), found[["state", "event_date", "event_kind"]]


@pytest.mark.slow
@pytest.mark.parametrize(("day", "is_cause"), [("2026-09-20", True), ("2026-09-07", False)])
def test_a_repair_names_the_site_that_went_on_air_since_and_keeps_it(tmp_path, day, is_cause):
    """The list comes after September's run. That of the 7th has weak tests of after it."""
    months = {f"2026-{n:02d}": (SLOW if n < 10 else FAST, DAYS) for n in (8, 9, 10, 11)}
    settings = story(tmp_path, months)
    run(settings, "2026-09")
    happen(tmp_path, f"{day},on_air,V,,r0c0,,,")
    run(settings, "2026-10")
    happen(tmp_path, f"{day},on_air,V,,r0c0,,,", "2026-11-02,on_air,V,,r0c0,,,")
    found = ledger(run(settings, "2026-11")).loc[GAP]
    assert found["state"].tolist() == ["new", "fixed", "fixed"]
    named = [day, day] if is_cause else [None, None]
    assert found["event_date"].astype(object).where(found["event_date"].notna(), None).tolist() == [
        None, *named
    ]  # fmt: skip


@pytest.mark.slow
def test_a_gap_that_an_event_leaves_without_tests_is_not_retested_and_names_it(tmp_path):
    """Slow in all months; from 5 October one phone is left, which is too few to retest."""
    months = {f"2026-{n:02d}": (SLOW, DAYS) for n in (8, 9)}
    settings = story(tmp_path, months | {"2026-10": (FAST[:1], DAYS)})
    run(settings, "2026-09")
    happen(tmp_path, "2026-10-05,on_air,V,,r0c0,,,")
    folder = run(settings, "2026-10")
    last = ledger(folder).loc[GAP].iloc[-1]
    assert last[["state", "event_date", "event_kind"]].tolist() == [
        "not_retested", "2026-10-05", "on_air"
    ]  # fmt: skip
    assert pd.isna(last["fixed_in"])
    assert pd.read_parquet(folder / "tables/gap_areas.parquet").empty
    status = pd.read_parquet(folder / "tables/commune_status.parquet")
    row = status.set_index(["commune_code", "operator"]).loc["r0c0", "V"]
    assert row["status"] == "insufficient_evidence", "no gap is closed"
