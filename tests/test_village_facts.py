"""What a list of villages says of them: households, power, zone, classes, sites, dates, payers."""

from __future__ import annotations

import datetime

import openpyxl
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.settings import read_settings
from pipeline.schema.columns import TABLES
from pipeline.schema.fields import OFFICIAL_CLASSES
from pipeline.schema.texts import error_message
from pipeline.sources import village_classes, village_facts, villages
from pipeline.sources.inputs import read_inputs
from pipeline.sources.village_facts import HEADINGS, KEYS, on_air_date
from tests.builders import write_world
from tests.test_other_inputs import communes, faults_of, vector, written

OPERATORS = {"Viettel": ("VTL",), "VinaPhone": ("VNPT",), "MobiFone": ()}
FACTS = (*HEADINGS, "official_classes")


def listed(tmp_path, heading: str, *cells: str):
    """A CSV file with a village for each cell under one more heading."""
    lines = [f"V{n:02};22.05;{103.01 + n / 1000:.3f};{cell}" for n, cell in enumerate(cells)]
    return written(tmp_path, "\n".join((f"thôn;lat;lon;{heading}", *lines, "")), "v.csv")


def read(path, *, classes=None, operators=OPERATORS, decimal=None, **columns):
    """The declared table in the order of the file; warnings by code."""
    about = village_facts.Asked(columns, village_classes.Asked(classes, operators), decimal)
    rows, warnings = villages.villages_of(communes(), path, villages.Asked(facts=about))
    assert tuple(rows.columns) == TABLES["villages"]
    assert all(error_message(one, lang) for one in warnings for lang in ("vi", "en"))
    return rows, {one.code: one for one in warnings}


def column(path, name: str, **how):
    """The cells of a column, None where nothing is known."""
    cells = read(path, **how)[0][name]
    return [None if pd.isna(cell) else cell for cell in cells]


def fault(path, **how):
    """(code, row, column, what was found, count) of the faults."""
    return [
        (one.code, one.row, one.column, one.values.get("found"), one.values.get("count"))
        for one in faults_of(read, path, **how)
    ]


# --- headings


@pytest.mark.parametrize(
    ("heading", "name", "cell", "expected"),
    [
        ("households", "households", "45", 45),
        ("Số hộ", "households", "45", 45),
        ("Hộ", "households", "1.045", 1045),
        ("Tổng số hộ (hộ)", "households", "45 hộ", 45),
        ("Quy mô / Số hộ", "households", "0", 0),
        ("has_grid_power", "has_grid_power", "True", True),
        ("grid_power", "has_grid_power", "n", False),
        ("Điện lưới", "has_grid_power", "không", False),
        ("Có điện", "has_grid_power", "có", True),
        ("ĐIỆN LƯỚI QUỐC GIA (có/không)", "has_grid_power", "Chưa có", False),
        ("is_difficult_zone", "is_difficult_zone", "1", True),
        ("Đặc biệt khó khăn", "is_difficult_zone", "có", True),
        ("ĐBKK", "is_difficult_zone", "Không", False),
        ("Vùng III", "is_difficult_zone", "yes", True),
        ("nearest_site_km", "nearest_site_km", "3.5", 3.5),
        ("Khoảng cách trạm gần nhất (km)", "nearest_site_km", "3,5", 3.5),
        ("Khoảng cách đến trạm BTS gần nhất (m)", "nearest_site_km", "850", 0.85),
        ("nearest_site_m", "nearest_site_km", "12000", 12.0),
        ("Trạm gần nhất", "nearest_site_km", "3,5 km", 3.5),
        ("Trạm gần nhất", "nearest_site_km", "850 m", 0.85),
        ("Kế hoạch phủ sóng", "site_plan", "Trạm mới", "Trạm mới"),
        ("site_plan", "site_plan", "dùng chung", "dùng chung"),
        ("Ngày phát sóng", "on_air_date", "5/11/2026", "2026-11-05"),
        ("Dự kiến phát sóng", "on_air_date", "Quý IV/2026", "2026Q4"),
        ("on_air_date", "on_air_date", "2026-11-05", "2026-11-05"),
        ("Nguồn vốn", "payer", "VTF", "VTF"),
        ("Kinh phí", "payer", "doanh nghiệp", "doanh nghiệp"),
        ("payer", "payer", "VTF", "VTF"),
        ("official_class", "official_classes", "weak", "all=weak"),
        ("Phân loại", "official_classes", "lõm sóng", "all=weak"),
        ("Loại lõm sóng", "official_classes", "trắng sóng", "all=no_signal"),
        ("Tình trạng sóng", "official_classes", "có sóng", "all=covered"),
        ("Hiện trạng sóng", "official_classes", "0", "all=no_signal"),
        ("Viettel", "official_classes", "yếu", "Viettel=weak"),
        ("VTL", "official_classes", "yếu", "Viettel=weak"),
        ("VNPT", "official_classes", "ok", "VinaPhone=covered"),
        ("Sóng MobiFone", "official_classes", "tốt", "MobiFone=covered"),
        ("Tình trạng sóng / Viettel", "official_classes", "yếu", "Viettel=weak"),
    ],
)
def test_a_usual_heading_is_one_column_and_says_so(tmp_path, heading, name, cell, expected):
    rows, warnings = read(listed(tmp_path, heading, cell))
    assert rows[name].tolist() == [expected]
    others = [one for one in FACTS if one != name]
    assert rows[others].isna().all(axis=None)
    is_ours = heading in (*FACTS, "official_class")
    assert [*warnings] == ([] if is_ours else ["village_facts_read"])
    shown = [one.values["found"].endswith(f" ← {heading}") for one in warnings.values()]
    assert all(shown)


@pytest.mark.parametrize(
    "heading",
    ["Hộ nghèo", "Số hộ có điện", "Điện thoại", "Vùng", "Khu vực", "Trạm y tế", "Ngày sinh", "Vốn",
     "Kế hoạch 5 năm", "Viettel 2G", "iTel", "Sóng", "Cột"],
)  # fmt: skip
def test_neighbours_of_usual_headings_are_not_read(tmp_path, heading):
    rows, warnings = read(listed(tmp_path, heading, "weak", "có"))
    assert rows[list(FACTS)].isna().all(axis=None)
    assert warnings == {}


def test_a_list_with_names_and_positions_alone_says_nothing_further(tmp_path):
    rows, warnings = read(written(tmp_path, "thôn,lat,lon\nA,22.05,103.05\n", "v.csv"))
    assert rows[list(FACTS)].isna().all(axis=None)
    assert warnings == {}


@pytest.mark.parametrize(
    ("headings", "lines"),
    [
        (("Số hộ", "Hộ"), {'households_column = "Số hộ"', 'households_column = "Hộ"'}),
        (("Điện lưới", "Có điện"),
         {'grid_power_column = "Điện lưới"', 'grid_power_column = "Có điện"'}),
        (("Loại lõm sóng", "Tình trạng sóng"),
         {'class_columns = "Loại lõm sóng"', 'class_columns = "Tình trạng sóng"'}),
        (("Viettel", "Sóng VTL"),
         {'class_columns = { Viettel = "Viettel" }', 'class_columns = { Viettel = "Sóng VTL" }'}),
    ],
)  # fmt: skip
def test_several_columns_of_one_meaning_are_asked(tmp_path, headings, lines):
    (question,) = faults_of(read, listed(tmp_path, ";".join(headings), "yếu;yếu"))
    assert question.code == "which_column"
    assert question.values["lines"][0] == "[villages]"
    assert set(question.values["lines"][1:]) == lines


def test_the_settings_name_columns_whatever_their_headings(tmp_path):
    path = listed(tmp_path, "a;b;c;d;e;f;g", "7;có;không;2,5;x;12/2026;VTF")
    names = dict(zip(HEADINGS, "abcdefg", strict=True))
    rows, warnings = read(path, **names)
    assert rows[list(HEADINGS)].iloc[0].tolist() == [7, True, False, 2.5, "x", "2026-12", "VTF"]
    assert warnings == {}
    missing = fault(path, households="z", payer="y")
    assert [one[:3] for one in missing] == [
        ("missing_column", 1, "z"), ("missing_column", 1, "y"),
    ]  # fmt: skip


def test_a_column_of_the_settings_is_no_other_fact(tmp_path):
    path = listed(tmp_path, "Kế hoạch", "VTF")
    assert column(path, "site_plan") == ["VTF"]
    assert column(path, "site_plan", payer="Kế hoạch") == [None]
    assert column(path, "payer", payer="Kế hoạch") == ["VTF"]


# --- yes and no

YES = ["có", "Có", "CÓ", "co", "đã có", "yes", "Y", "true", "TRUE", "1", "1.0", "đúng", "có điện"]
NO = ["không", "Không có", "khong", "chưa", "chưa có", "no", "N", "false", "0", "0.0",
      "chưa có điện lưới"]  # fmt: skip
UNKNOWN = ["", "-", "…", "không rõ", "N/A"]


@pytest.mark.parametrize(
    ("words", "expected"), [(YES, True), (NO, False), (UNKNOWN, None)], ids=["yes", "no", "unknown"]
)
def test_words_for_yes_and_no(tmp_path, words, expected):
    path = listed(tmp_path, "has_grid_power", *words, "có", "không")
    assert column(path, "has_grid_power") == [expected] * len(words) + [True, False]


@pytest.mark.parametrize(
    ("cells", "expected", "is_said"),
    [
        (["x", "", "X"], [True, False, True], True),
        (["✓", "", "-"], [True, False, False], True),
        (["v", "x", ""], [True, True, False], True),
        (["x", "x"], [True, True], False),
        (["x", "", "không"], [True, None, False], False),
        (["có", "", "có"], [True, None, True], False),
        (["1", "", "1"], [True, None, True], False),
        (["", "", ""], [None, None, None], False),
    ],
)
def test_an_empty_cell_means_no_only_in_a_column_of_ticks(tmp_path, cells, expected, is_said):
    rows, warnings = read(listed(tmp_path, "is_difficult_zone", *cells))
    found = [None if pd.isna(one) else one for one in rows["is_difficult_zone"]]
    assert found == expected
    assert ("village_ticked" in warnings) == is_said


def test_ticks_are_said_with_their_number(tmp_path):
    _, warnings = read(listed(tmp_path, "is_difficult_zone", "x", "", "x"))
    message = error_message(warnings["village_ticked"], "en")
    assert message.startswith("v.csv, column is_difficult_zone: only “x” stands")
    assert "(2 of 3 rows)" in message
    assert "2 trên 3 dòng" in error_message(warnings["village_ticked"], "vi")


# --- official classes

WORDS = {
    "no_signal": ["trắng sóng", "không có sóng", "Chưa có sóng", "no signal", "no coverage", "0",
                  "no_signal"],
    "weak": ["lõm sóng", "Lõm", "sóng yếu", "yếu", "weak", "partial", "SÓNG YẾU"],
    "covered": ["có sóng", "đã có sóng", "đủ sóng", "tốt", "covered", "ok", "Co song"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("word", "expected"), [(word, name) for name, words in WORDS.items() for word in words]
)
def test_words_for_official_classes(tmp_path, word, expected):
    assert column(listed(tmp_path, "official_class", word, ""), "official_classes") == [
        f"all={expected}", None,
    ]  # fmt: skip
    assert set(WORDS) == set(OFFICIAL_CLASSES)


@pytest.mark.parametrize(
    ("headings", "classes", "expected"),
    [
        ("Viettel;VNPT", None, "Viettel=no_signal;VinaPhone=weak"),
        ("VNPT;Tình trạng sóng", None, "VinaPhone=no_signal;all=weak"),
        ("p;q", "p", "all=no_signal"),
        ("p;q", {"Viettel": "q"}, "Viettel=weak"),
        ("p;q", {"VTL": "p", "all": "q"}, "Viettel=no_signal;all=weak"),
        ("Viettel;Phân loại", {"MobiFone": "Viettel"}, "MobiFone=no_signal"),
    ],
)
def test_classes_of_operators_and_of_all(tmp_path, headings, classes, expected):
    path = listed(tmp_path, headings, "trắng sóng;yếu")
    assert column(path, "official_classes", classes=classes) == [expected]


def test_a_cell_may_list_operators_and_an_own_column_goes_before_it(tmp_path):
    path = listed(tmp_path, "official_classes;Viettel", '"Viettel=no_signal;VNPT: có sóng";yếu',
                  '"all=weak";')  # fmt: skip
    assert column(path, "official_classes") == ["Viettel=weak;VinaPhone=covered", "all=weak"]
    path = listed(tmp_path, "official_class", '"iTel=weak;Viettel=weak"', '"Viettel=3"')
    assert [one[:2] for one in fault(path)] == [("village_class", 2), ("village_class", 3)]


def test_operators_that_the_settings_do_not_list(tmp_path):
    path = listed(tmp_path, "Vietnamobile", "yếu")
    assert column(path, "official_classes") == [None]
    assert column(path, "official_classes", operators={}) == ["Vietnamobile=weak"]
    assert fault(path, classes={"Beeline": "Vietnamobile"}) == [
        ("village_class_operator", None, "Vietnamobile", "Beeline", None)
    ]


@pytest.mark.parametrize("heading", ["Viettel", "Phân loại"])
@pytest.mark.parametrize("cells", [["0", "2", "1"], ["0", ""], ["2G", "3G"], ["I", "II"]])
def test_columns_that_hold_no_class_are_passed_over_and_said(tmp_path, heading, cells):
    rows, warnings = read(listed(tmp_path, heading, *cells))
    assert rows["official_classes"].isna().all()
    assert [*warnings] == ["column_passed_over"]
    assert warnings["column_passed_over"].column == heading
    assert warnings["column_passed_over"].values["ours"] == "class_columns"


@pytest.mark.parametrize(("heading", "key"), [("Kinh phí", "payer_column"),
                                              ("Kế hoạch", "plan_column")])  # fmt: skip
def test_a_column_of_numbers_is_no_text(tmp_path, heading, key):
    rows, warnings = read(listed(tmp_path, heading, "500", "1.200", ""))
    assert rows[list(FACTS)].isna().all(axis=None)
    assert warnings["column_passed_over"].values == {"found": "500", "ours": key}
    name = next(one for one, other in KEYS.items() if other == key)
    assert column(listed(tmp_path, heading, "500"), name, **{name: heading}) == ["500"]


# --- distances


@pytest.mark.parametrize(
    ("heading", "cells", "expected"),
    [
        ("Trạm gần nhất (km)", ["3,5", "12", ""], [3.5, 12, None]),
        ("Trạm gần nhất (km)", ["0", "-", "0,25"], [0, None, 0.25]),
        ("Trạm gần nhất (m)", ["800", "12500", "950"], [0.8, 12.5, 0.95]),
        ("Trạm gần nhất", ["3,5 km", "800 m", ""], [3.5, 0.8, None]),
    ],
)
def test_distances_are_kilometres(tmp_path, heading, cells, expected):
    assert column(listed(tmp_path, heading, *cells), "nearest_site_km") == expected


@pytest.mark.parametrize(
    ("heading", "cells"),
    [("Trạm gần nhất", ["3,5", "2"]), ("Trạm gần nhất (dặm)", ["3,5", "2"]),
     ("Trạm gần nhất", ["3,5 km", "2"])],
)  # fmt: skip
def test_a_unit_that_is_open_is_asked_and_the_settings_say_kilometres(tmp_path, heading, cells):
    path = listed(tmp_path, heading, *cells)
    (question,) = faults_of(read, path)
    assert question.code == "village_distance_unit"
    assert question.values["lines"] == ("[villages]", f'site_km_column = "{heading}"')
    assert column(path, "nearest_site_km", nearest_site_km=heading) == [3.5, 2]


def test_metres_of_the_heading_go_before_the_name_of_the_key(tmp_path):
    path = listed(tmp_path, "Cách trạm (m)", "800")
    assert column(path, "nearest_site_km", nearest_site_km="Cách trạm (m)") == [0.8]


def test_a_mark_that_may_be_of_thousands_is_asked(tmp_path):
    path = listed(tmp_path, "Trạm gần nhất (m)", "3.500", "1.250")
    (question,) = faults_of(read, path)
    assert question.code == "number_mark_open"
    assert question.values["lines"][0] == "[villages]"
    assert column(path, "nearest_site_km", decimal=",") == [3.5, 1.25]


# --- on-air dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5/11/2026", "2026-11-05"), ("05-11-2026", "2026-11-05"), ("5.11.2026", "2026-11-05"),
        ("2026-11-05", "2026-11-05"), ("2026-11-05 00:00:00", "2026-11-05"),
        ("46331", "2026-11-05"), ("ngày 5 tháng 11 năm 2026", "2026-11-05"),
        ("5 Nov 2026", "2026-11-05"), ("12/2026", "2026-12"), ("T12/2026", "2026-12"),
        ("Tháng 12 năm 2026", "2026-12"), ("2026-12", "2026-12"), ("Dec 2026", "2026-12"),
        ("dự kiến 12/2026", "2026-12"), ("Quý IV/2026", "2026Q4"), ("quý 1 năm 2027", "2027Q1"),
        ("Q4/2026", "2026Q4"), ("2026-Q4", "2026Q4"), ("III/2026", "2026Q3"),
        ("2026", None), ("13/2026", None), ("31/02/2026", None), ("11/25/2026", None),
        ("Quý V/2026", None), ("Quý 5/2026", None), ("2026.1", None), ("07:05", None),
        ("đã phát sóng", None), ("12", None),
    ],
)  # fmt: skip
def test_dates_months_and_quarters(text, expected):
    assert on_air_date(text) == expected


@given(st.dates(datetime.date(2010, 1, 1), datetime.date(2060, 12, 31)))
def test_a_date_is_read_in_each_of_its_forms(day):
    for form in ("%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y"):
        assert on_air_date(day.strftime(form)) == day.isoformat()
    assert on_air_date(day.strftime("%m/%Y")) == day.isoformat()[:7]
    assert on_air_date(f"Quý {(day.month + 2) // 3}/{day.year}")[:5] == f"{day.year}Q"


def test_words_for_no_date_yet_are_no_fault(tmp_path):
    path = listed(tmp_path, "Ngày phát sóng", "", "-", "chưa có", "Chưa xác định", "12/2026")
    assert column(path, "on_air_date") == [None, None, None, None, "2026-12"]


# --- faults


@pytest.mark.parametrize(
    ("heading", "cells", "expected"),
    [
        ("Số hộ", ["5", "nhiều", "nhiều", "7"], ("village_households", 3, "nhiều", 2)),
        ("Số hộ", ["5", "-5", "7", "8"], ("village_households", 3, "-5", 1)),
        ("Số hộ", ["5", "12,5", "7", "8"], ("village_households", 3, "12,5", 1)),
        ("Điện lưới", ["có", "đang kéo", "không", "có"], ("village_yes_no", 3, "đang kéo", 1)),
        ("Điện lưới", ["có", "2", "không", "2"], ("village_yes_no", 3, "2", 2)),
        ("ĐBKK", ["x", "III", "", "III"], ("village_yes_no", 3, "III", 2)),
        ("Tình trạng sóng", ["lõm", "chập chờn", "ok", "0"],
         ("village_class", 3, "chập chờn", 1)),
        ("Tình trạng sóng", ["lõm", "không có", "ok", "0"], ("village_class", 3, "không có", 1)),
        ("Viettel", ["lõm", "2", "ok", "0"], ("village_class", 3, "2", 1)),
        ("Trạm gần nhất (km)", ["1", "xa", "2", "xa"], ("village_distance", 3, "xa", 2)),
        ("Trạm gần nhất (km)", ["1", "-2", "2", "3"], ("village_distance", 3, "-2", 1)),
        ("Ngày phát sóng", ["12/2026", "sớm", "Q1/2027", ""], ("village_on_air", 3, "sớm", 1)),
    ],
)  # fmt: skip
def test_each_fault_says_where_it_stands(tmp_path, heading, cells, expected):
    path = listed(tmp_path, heading, *cells)
    code, row, found, count = expected
    assert fault(path) == [(code, row, heading, found, count)]
    for one in faults_of(read, path):
        assert error_message(one, "en").startswith(f"v.csv, row 3, column {heading}: ")
        assert error_message(one, "vi").startswith(f"v.csv, dòng 3, cột {heading}: ")
        assert found in error_message(one, "vi")


def test_all_faults_of_a_file_come_at_once_in_the_order_of_rows(tmp_path):
    path = written(
        tmp_path,
        "thôn;xã;lat;lon;số dân;số hộ;điện lưới;viettel;ngày phát sóng\n"
        ";;22.05;103.05;x;1;có;lõm;12/2026\n"
        "B;Xã Lạ;22.05;103.06;5;x;đang;lõm;sớm\n"
        "C;;;;5;2;có;kém;12/2026\n",
        "v.csv",
    )
    assert [one[:2] for one in fault(path)] == [
        ("village_unnamed", 2), ("bad_population", 2), ("village_commune", 3),
        ("village_households", 3), ("village_yes_no", 3), ("village_on_air", 3),
        ("village_unplaced", 4), ("village_class", 4),
    ]  # fmt: skip


# --- files


def test_a_workbook_with_booleans_and_dates(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["DANH SÁCH THÔN, BẢN"])
    sheet.append(["STT", "Thôn/bản", "Vĩ độ", "Kinh độ", "Số hộ", "Điện lưới", "ĐBKK", "Viettel",
                  "VNPT", "Trạm gần nhất (km)", "Ngày phát sóng", "Nguồn vốn"])  # fmt: skip
    day = datetime.date(2026, 11, 5)
    sheet.append([1, "A", 22.05, 103.05, 45, True, "x", "lõm", 0, 3.5, day, "VTF"])
    sheet.append([2, "B", 22.05, 103.06, 60, False, None, "tốt", "yếu", 0, "Quý I/2027", None])
    sheet.append([3, "C", 22.05, 103.07, None, None, None, None, None, None, None, None])
    book.save(tmp_path / "v.xlsx")
    rows, warnings = read(tmp_path / "v.xlsx")
    found = rows[list(FACTS)].astype(object).where(rows[list(FACTS)].notna(), None)
    assert found.to_numpy().tolist() == [
        [45, True, True, 3.5, None, "2026-11-05", "VTF", "Viettel=weak;VinaPhone=no_signal"],
        [60, False, False, 0, None, "2027Q1", None, "Viettel=covered;VinaPhone=weak"],
        [None, None, False, None, None, None, None, None],
    ]  # fmt: skip
    assert warnings["village_ticked"].column == "ĐBKK"
    assert warnings["village_facts_read"].values["found"].split("; ") == [
        "households ← Số hộ", "has_grid_power ← Điện lưới", "is_difficult_zone ← ĐBKK",
        "nearest_site_km ← Trạm gần nhất (km)", "on_air_date ← Ngày phát sóng",
        "payer ← Nguồn vốn", "official_class Viettel ← Viettel", "official_class VinaPhone ← VNPT",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["v.gpkg", "v.geojson"])
def test_attributes_of_a_vector_file(tmp_path, name):
    path = vector(
        tmp_path / name,
        [shapely.Point(103.05, 22.05), shapely.Point(103.06, 22.05)],
        thon=["A", "B"], so_ho=[45, None], dien_luoi=[True, False], dbkk=[1, 0],
        official_class=["lõm sóng", None], payer=["VTF", None],
    )  # fmt: skip
    rows, _ = read(path)
    assert rows["households"].fillna(-1).tolist() == [45, -1]
    assert rows["has_grid_power"].tolist() == [True, False]
    assert rows["is_difficult_zone"].tolist() == [True, False]
    assert rows["official_classes"].fillna("").tolist() == ["all=weak", ""]
    assert rows["payer"].fillna("").tolist() == ["VTF", ""]


# --- settings and inputs


def test_the_inputs_of_a_run_hold_the_facts_and_know_the_operators(tmp_path):
    heading = "thôn;xã;vĩ độ;kinh độ;n;mạng một;trạm"
    written(tmp_path, f"{heading}\nA;r0c0;22,05;103,05;12;lõm;3,5\n", "v.csv")
    about = (
        '[villages]\npath = "v.csv"\ncommune_column = "xã"\ndecimal = ","\n'
        'households_column = "n"\nsite_km_column = "trạm"\nclass_columns = { one = "mạng một" }\n'
        '[operators]\nA = ["one"]\nB = []\n'
    )
    listed_ = read_inputs(read_settings(write_world(tmp_path, {}, about))).inputs.villages
    assert listed_[["households", "nearest_site_km"]].to_numpy().tolist() == [[12, 3.5]]
    assert listed_["official_classes"].tolist() == ["A=weak"]
