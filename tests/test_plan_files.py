"""Files of a plan: they open, say what the tables say, and come out the same twice."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from datetime import datetime
from xml.etree import ElementTree

import docx
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.publish.plan import FILES, write_plan
from pipeline.publish.plan.books import form_rows
from pipeline.publish.plan.pictures import apart, frame_around, shades_of
from pipeline.publish.plan.sheets import _spans
from pipeline.publish.plan.stops import hours, month_of, stops_of
from pipeline.schema import texts
from tests.builders import about, squares

FORMULA, SCRIPT = "=1+1", "<script>alert('&')</script>"
PLAN = (
    "commune_code", "commune_name", "village_name", "place_hex_id", "place_latitude",
    "place_longitude", "operator", "devices_wanted", "expected_verdicts", "people",
    "time_windows", "visit_role", "trip", "visit_order",
)  # fmt: skip
COMMUNES = (
    "commune_code", "commune_name", "operator", "status", "device_count", "devices_wanted",
    "verdict_probability_now", "verdict_probability_after", "plan_state", "population",
)  # fmt: skip
NOTICE = "Số liệu minh họa"


def a_plan() -> pd.DataFrame:
    """r0c0 in trip 1; r0c1 in trips 1 and 2, with a replacement; r1c0 at a place without a name."""
    rows = [
        # commune, village, latitude, longitude, operator, devices, people, hours, role, trip, order
        ("r0c0", "Bản Một", 22.05, 103.05, "Viettel", 5, 120, "07-09;17-21", "main", 1, 1),
        ("r0c0", "Bản Một", 22.05, 103.05, "VinaPhone", 3, 120, "07-09;17-21", "main", 1, 1),
        ("r0c0", FORMULA, 22.05, 103.05, "Viettel", 2, np.nan, "07-09;17-21", "main", 1, 2),
        ("r0c1", SCRIPT, 22.02, 103.15, "Viettel", 4, 80, "07-09;17-21", "main", 1, 3),
        ("r0c1", "Bản Hai", 22.08, 103.12, SCRIPT, 6, 60, "12-14", "main", 2, 1),
        ("r0c1", "Bản Ba", 22.07, 103.13, SCRIPT, 6, 50, "12-14", "replacement", 2, 1),
        ("r1c0", "", np.nan, np.nan, "Viettel", 7, np.nan, "", "main", 3, 1),
    ]
    names = ("commune_code", "village_name", "place_latitude", "place_longitude", "operator",
             "devices_wanted", "people", "time_windows", "visit_role", "trip",
             "visit_order")  # fmt: skip
    table = pd.DataFrame(rows, columns=list(names))
    verdicts = np.where(table["visit_role"] == "main", 0.1, np.nan)
    return table.assign(
        commune_name="Xã " + table["commune_code"],
        place_hex_id=["884150c1a9fffff"] * 6 + [None],
        expected_verdicts=verdicts,
        devices_wanted=table["devices_wanted"].astype("float64"),
    )[list(PLAN)]


def its_communes(plan: pd.DataFrame) -> pd.DataFrame:
    """Three operators in six communes: the plan's, one decided, one too near, one left out."""
    operators = ("Viettel", "VinaPhone", SCRIPT)
    main = plan[plan["visit_role"] == "main"]
    wanted = main.groupby(["commune_code", "operator"])["devices_wanted"].sum()
    states = {"r2c0": "decided", "r2c1": "near_target", "r2c2": "out_of_devices"}
    rows = []
    for code in ("r0c0", "r0c1", "r1c0", *states):
        for operator in operators:
            count = float(wanted.get((code, operator), 0))
            state = states.get(code, "test" if count else "decided")
            after = 0.5 if count else 0.0
            rows.append((code, f"Xã {code}", operator, "no_data", 0.0, count, 0.0, after, state,
                         1234.0))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COMMUNES))


def written(folder, lang="vi", plan=None, communes=None, notice=NOTICE):
    plan = a_plan() if plan is None else plan
    table = its_communes(plan) if communes is None else communes
    write_plan(folder, plan, table, about("2026-10", lang=lang, notice=notice), squares())
    return folder


@pytest.fixture(scope="module")
def vi(tmp_path_factory):
    return written(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def en(tmp_path_factory):
    return written(tmp_path_factory.mktemp("plan"), "en")


def said(key: str, lang: str) -> str:
    return texts.text("field_sheets", key, lang)


def pages_of(path) -> list[list]:
    """Paragraphs and tables of a document, by page (a page begins with its break)."""
    document, pages = docx.Document(path), [[]]
    for block in document.iter_inner_content():
        is_text = isinstance(block, docx.text.paragraph.Paragraph)
        if is_text and block.paragraph_format.page_break_before:
            pages.append([])
        pages[-1].append(block)
    return pages


def lines_of(page) -> list[str]:
    return [block.text for block in page if hasattr(block, "runs")]


def cells_of(table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_every_file_is_there_and_nothing_else(vi):
    assert {path.name for path in vi.iterdir()} == set(FILES)


def test_the_same_plan_gives_the_same_bytes(vi, tmp_path):
    again = written(tmp_path, plan=a_plan().sample(frac=1, random_state=3).sort_values(
        ["trip", "visit_order", "visit_role", "operator"]))  # fmt: skip
    for name in set(FILES) - {"plan.csv", "plan.xlsx"}:
        assert (again / name).read_bytes() == (vi / name).read_bytes(), name
    twice = written(tmp_path / "twice")
    for name in FILES:
        assert (twice / name).read_bytes() == (vi / name).read_bytes(), name


def test_no_file_has_another_time_than_the_periods_end(vi):
    for name in ("plan.xlsx", "visits.xlsx"):
        book = openpyxl.load_workbook(vi / name)
        assert book.properties.created == datetime(2026, 10, 31)
    assert docx.Document(vi / "communes.docx").core_properties.created.date() == (
        datetime(2026, 10, 31).date()
    )
    root = ElementTree.parse(vi / "plan.gpx").getroot()
    assert [one.text for one in root.iter() if one.tag.endswith("time")] == ["2026-10-31T00:00:00Z"]
    with zipfile.ZipFile(vi / "communes.docx") as archive:
        assert {one.date_time[0] for one in archive.infolist()} == {1980}


# --- CSV and workbook


def test_the_csv_is_the_table_and_no_formula(vi):
    found = pd.read_csv(vi / "plan.csv", encoding="utf-8-sig")
    plan = a_plan()
    assert tuple(found.columns) == (*PLAN, "notice")
    assert found["devices_wanted"].tolist() == plan["devices_wanted"].tolist()
    assert found["village_name"][2] == "'=1+1"
    assert (vi / "plan.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    communes = pd.read_csv(vi / "plan_communes.csv", encoding="utf-8-sig")
    assert communes["devices_wanted"].tolist() == its_communes(plan)["devices_wanted"].tolist()


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_workbook_has_the_plan_the_communes_and_notes(lang, request):
    book = openpyxl.load_workbook(request.getfixturevalue(lang) / "plan.xlsx")
    keys = ("sheet_plan", "sheet_communes", "sheet_notes")
    assert book.sheetnames == [said(key, lang) for key in keys]
    plan, communes = (list(book[name].iter_rows(values_only=True)) for name in book.sheetnames[:2])
    assert plan[1] == PLAN
    assert communes[1] == COMMUNES
    wanted = [row[PLAN.index("devices_wanted")] for row in plan[2:]]
    assert wanted == a_plan()["devices_wanted"].tolist()
    names = [row[PLAN.index("village_name")] for row in plan[2:]]
    assert names[2:4] == [FORMULA, SCRIPT]
    assert {cell.data_type for row in book.worksheets[0] for cell in row} <= {"s", "n"}
    states = Counter(row[COMMUNES.index("plan_state")] for row in communes[2:])
    assert states[said("near_target", lang)] == 3
    assert states[said("test", lang)] == 5
    notes = " ".join(str(row[0]) for row in book.worksheets[2].iter_rows(values_only=True))
    assert said("note_main", lang) in notes
    assert NOTICE in notes


# --- the form


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_form_has_a_row_per_village_and_operator(lang, request):
    book = openpyxl.load_workbook(request.getfixturevalue(lang) / "visits.xlsx")
    sheet = book.worksheets[0]
    heads, *rows = list(sheet.iter_rows(values_only=True))
    keys = ("visit_date", "commune_code", "commune_name", "village_name", "operator",
            "visit_result", "devices_tested", "visit_note")  # fmt: skip
    assert list(heads) == [said(key, lang) for key in keys]
    filled = [row for row in rows if any(row)]
    assert filled == [
        (None, code, f"Xã {code}", village, operator, None, None, None)
        for code, village, operator in (
            ("r0c0", "Bản Một", "Viettel"), ("r0c0", "Bản Một", "VinaPhone"),
            ("r0c0", FORMULA, "Viettel"), ("r0c1", SCRIPT, "Viettel"),
            ("r0c1", "Bản Hai", SCRIPT), ("r0c1", "Bản Ba", SCRIPT),
        )
    ]  # fmt: skip
    checks = {str(one.sqref)[0]: one for one in sheet.data_validations.dataValidation}
    assert checks["A"].type == "date"
    assert checks["F"].formula1 == f'"{said("measured", lang)},{said("no_signal", lang)}"'
    assert checks["G"].type == "whole"
    lists = book[said("sheet_lists", lang)]
    assert lists.sheet_state == "hidden"
    assert checks["E"].formula1 == f"'{lists.title}'!$A$1:$A$3"
    operators = [row[0] for row in lists.iter_rows(values_only=True)]
    assert operators == sorted(["Viettel", "VinaPhone", SCRIPT])
    assert int(re.findall(r"\d+", str(checks["E"].sqref))[-1]) > 100 + len(filled)


def test_a_village_of_two_trips_stands_in_the_form_once():
    twice = pd.concat([a_plan().iloc[:1], a_plan().iloc[:1].assign(trip=9)])
    assert len(form_rows(stops_of(twice))) == 1


def test_a_plan_without_villages_says_so_in_the_form(tmp_path):
    plan = a_plan().iloc[6:]
    written(tmp_path, plan=plan)
    book = openpyxl.load_workbook(tmp_path / "visits.xlsx")
    assert not any(any(row) for row in book.worksheets[0].iter_rows(min_row=2, values_only=True))
    notes = [row[0] for row in book.worksheets[1].iter_rows(values_only=True)]
    assert said("form_no_villages", "vi") in notes


# --- the printed sheets


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_page_for_the_province_and_one_per_commune_that_needs_phones(lang, request):
    pages = pages_of(request.getfixturevalue(lang) / "communes.docx")
    heads = [lines_of(page)[0] for page in pages[1:]]
    assert [head.split("   ")[0] for head in heads] == ["Xã r0c0", "Xã r0c1", "Xã r1c0"]
    assert all(sum("graphicData" in block._p.xml for block in page if hasattr(block, "runs")) == 1
               for page in pages)  # fmt: skip
    for page, (code, count) in zip(pages[1:], (("r0c0", 10), ("r0c1", 10), ("r1c0", 7)),
                                   strict=True):  # fmt: skip
        line = f"LOMSONG-PLAN commune={code} period=2026-10 month=2026-11 devices={count}"
        assert lines_of(page)[-1] == line
        assert any("i-Speed" in text for text in lines_of(page))


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_number_of_phones_is_the_tables(lang, request):
    pages = pages_of(request.getfixturevalue(lang) / "communes.docx")
    found = Counter()
    for page in pages[1:]:
        code = re.search(r"commune=(\S+)", lines_of(page)[-1])[1]
        (table,) = (block for block in page if not hasattr(block, "runs"))
        heads, *rows = cells_of(table)
        for label, village, *boxes in rows:
            for operator, text in zip(heads[2:], boxes, strict=True):
                if text != "–":
                    place = village.split("\n")[0]
                    first, second = text.split("\n")
                    assert said("tick_measured", lang) in first
                    assert second == said("tick_none", lang)
                    found[code, place, label[-1] == "*", operator] = int(
                        re.search(r"\d+", first)[0]
                    )
    unnamed = said("unplaced", lang)
    assert found == {
        (row.commune_code, row.village_name or unnamed, row.visit_role != "main", row.operator): (
            row.devices_wanted
        )
        for row in a_plan().itertuples()
    }


def test_places_have_the_numbers_of_their_trips(vi):
    pages = pages_of(vi / "communes.docx")
    labels = [
        [row[0] for row in cells_of(next(b for b in page if not hasattr(b, "runs")))[1:]]
        for page in pages[1:]
    ]
    assert labels == [["1", "2"], ["1-3", "2-1", "2-1*"], ["1"]]


def test_totals_and_lists_of_the_first_page(vi, en):
    page = pages_of(vi / "communes.docx")[0]
    totals, listed = (cells_of(block) for block in page if not hasattr(block, "runs"))
    assert totals[1:] == [
        [SCRIPT, "1", "6", "0,5"], ["Viettel", "3", "18", "1,5"], ["VinaPhone", "1", "3", "0,5"],
        ["Cộng", "3", "27", "2,5"],
    ]  # fmt: skip
    assert listed[1] == ["Xã r0c0 (r0c0)", "1.234", "1", "10", "Xã r1c0 (r1c0)", "1.234", "3", "7"]
    assert listed[2][:4] == ["Xã r0c1 (r0c1)", "1.234", "1–2", "10"]
    lines = lines_of(page)
    assert NOTICE in lines
    assert "Đo trong tháng 11/2026, theo số liệu đến hết kỳ 10/2026" in lines
    assert any("(1 xã, phường): Xã r2c0." in line for line in lines)
    lines = lines_of(pages_of(en / "communes.docx")[0])
    near, out = (
        next(line for line in lines if line.startswith(start))
        for start in ("Too near", "No phones")
    )
    assert "(3 commune × operator)" in near
    assert near.count("Xã r2c1") == out.count("Xã r2c2") == 3


def test_hours_stand_once_where_they_are_the_same_and_by_operator_where_not(vi):
    lines = [lines_of(page) for page in pages_of(vi / "communes.docx")[1:]]
    said_in = [[line for line in page if line.startswith("Giờ đo")] for page in lines]
    assert said_in == [
        ["Giờ đo: 7–9 giờ, 17–21 giờ."],
        [f"Giờ đo: {SCRIPT} 12–14 giờ · Viettel 7–9 giờ, 17–21 giờ."],
        [],
    ]


def test_a_plan_without_places_is_one_page_that_says_so(tmp_path):
    table = its_communes(a_plan()).assign(devices_wanted=0.0, plan_state="decided")
    written(tmp_path, plan=a_plan().iloc[:0], communes=table)
    pages = pages_of(tmp_path / "communes.docx")
    assert len(pages) == 1
    assert said("nothing", "vi") in lines_of(pages[0])
    assert len(gpd.read_file(tmp_path / "plan.gpx", layer="waypoints")) == 0
    assert len(gpd.read_file(tmp_path / "plan.kml")) == 0


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 15), st.floats(0, 10)), min_size=1, max_size=15))
def test_dots_are_moved_apart_and_only_where_they_overlap(points):
    at = np.array(points)
    moved = apart(at, 0.5)
    gaps = np.hypot(*(moved[:, None] - moved[None, :]).transpose(2, 0, 1))
    assert (gaps[~np.eye(len(at), dtype=bool)] > 0.4).all()
    before = np.hypot(*(at[:, None] - at[None, :]).transpose(2, 0, 1))
    if len(at) == 1 or before[~np.eye(len(at), dtype=bool)].min() >= 0.5:
        assert np.array_equal(moved, at)


@pytest.mark.parametrize("bounds", [(103, 22, 103.4, 22.1), (103, 22, 103.01, 23), (8, 60, 8, 60)])
def test_a_frame_shows_its_bounds_without_stretching(bounds):
    frame = frame_around(bounds, 18, 9)
    assert frame.west < bounds[0]
    assert frame.east > bounds[2]
    assert frame.south < bounds[1]
    assert frame.north > bounds[3]
    degree_x = frame.width_cm / (frame.east - frame.west) / frame.squeeze
    assert degree_x == pytest.approx(frame.height_cm / (frame.north - frame.south))


@pytest.mark.parametrize(
    ("devices", "sizes"),
    [
        ({"a": 3}, [1, 2]),
        ({"a": 3, "b": 3}, [2, 1]),
        ({"a": 1, "b": 5, "c": 9}, [1, 1, 1]),
        ({"a": 1, "b": 9}, [1, 1, 1]),
        ({"a": 0, "b": 0}, [3]),
        ({}, [3]),
    ],
)
def test_every_commune_has_one_shade(devices, sizes):
    found = shades_of(devices, frozenset(), ["a", "b", "c"], "vi")
    assert [len(one.codes) for one in found] == sizes
    assert frozenset().union(*(one.codes for one in found)) == {"a", "b", "c"}


# --- waypoints


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_waypoints_open_and_have_every_place_with_a_position(lang, request):
    folder = request.getfixturevalue(lang)
    points = gpd.read_file(folder / "plan.gpx", layer="waypoints")
    kml = gpd.read_file(folder / "plan.kml").rename(columns=str.lower)
    places = a_plan().drop_duplicates(["trip", "visit_order", "visit_role"]).iloc[:5]
    for found in (points, kml):
        assert found.geometry.x.round(6).tolist() == places["place_longitude"].tolist()
        assert found.geometry.y.round(6).tolist() == places["place_latitude"].tolist()
    assert points["name"].tolist() == kml["name"].tolist()
    assert points["name"][0] == "1-1 Bản Một – Xã r0c0"
    assert points["name"][4] == "2-1* Bản Ba – Xã r0c1"
    line = {"vi": "Viettel: 5 máy, 7–9 giờ, 17–21 giờ", "en": "Viettel: need 5, 7–9 h, 17–21 h"}
    assert line[lang] in points["desc"][0]
    assert SCRIPT in points["desc"][3]
    assert "<script>" not in kml["description"][3]
    assert "&lt;script&gt;" in kml["description"][3]


def test_the_gpx_is_of_version_1_1(vi):
    root = ElementTree.parse(vi / "plan.gpx").getroot()
    assert root.tag == "{http://www.topografix.com/GPX/1/1}gpx"
    assert root.get("version") == "1.1"
    assert [child.tag.rpartition("}")[2] for child in root[1]] == ["name", "desc"]


# --- small things


@pytest.mark.parametrize(
    ("numbers", "shown"), [([], ""), ([4], "4"), ([1, 2, 3, 7], "1–3, 7"), ([1, 3], "1, 3")]
)
def test_numbers_in_spans(numbers, shown):
    assert _spans(numbers) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("07-09;17-21", "7–9 h, 17–21 h"), ("00-06", "0–6 h"), ("", ""), ("7-9; ;", "7–9 h")],
)
def test_hours_as_people_write_them(text, shown):
    assert hours(text, "en") == shown


def test_the_plan_is_for_the_month_after_its_evidence():
    assert [str(month_of(about(period))) for period in ("2026-12", "2026Q3")] == [
        "2027-01", "2026-10",
    ]  # fmt: skip


def test_a_control_character_in_a_name_spoils_no_file(tmp_path):
    plan = a_plan().assign(village_name="Bản\x07 Một\x0b", operator="Viet\x01tel")
    plan = plan.drop_duplicates(["trip", "visit_order", "visit_role"])
    written(tmp_path, plan=plan, notice="Số\x02 liệu")
    assert len(gpd.read_file(tmp_path / "plan.gpx", layer="waypoints")) == 5
    openpyxl.load_workbook(tmp_path / "visits.xlsx")
    docx.Document(io.BytesIO((tmp_path / "communes.docx").read_bytes()))
