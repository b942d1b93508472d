"""Villages from the files that people have: names, communes, positions, people."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config.settings import Settings, read_settings
from pipeline.schema.columns import INNER, TABLES
from pipeline.schema.errors import UserFault
from pipeline.schema.periods import Period
from pipeline.schema.texts import error_message
from pipeline.sources import villages
from pipeline.sources.inputs import read_inputs
from pipeline.sources.vintages import Stated
from tests.builders import squares, write_boundaries, write_world
from tests.test_other_inputs import communes, faults_of, vector, written

ROOT = Path(__file__).resolve().parents[1]
# Squares of 0.1° from 103° E, 22° N: Phường Đoàn Kết, Xã Bình Lư; Xã Tân Phong, Phường Tân Phong
KET, LU, XA, PHUONG = "03388", "03390", "03391", "03392"
KM = 1 / 110.75  # degrees of latitude, at 22° N; 1 km of longitude is 1 / 103.2


def read(path, places=None, **how):
    """(village, commune, people as text) in order; warnings by code."""
    about = villages.Asked(places=replace(villages.PLACES, **places or {}), **how)
    rows, warnings = villages.villages_of(communes(), path, about)
    assert tuple(rows.columns) == (TABLES["villages"])
    people = rows["people"].map(lambda one: "" if pd.isna(one) else f"{one:g}")
    listed = list(zip(rows["village_name"], rows["commune_code"], people, strict=True))
    messages = [error_message(one, lang) for one in warnings for lang in ("vi", "en")]
    assert all(messages)
    return listed, {one.code: one for one in warnings}


def csv(tmp_path, *lines: str, heading: str = "thôn,xã,vĩ độ,kinh độ,số dân", name: str = "v.csv"):
    return written(tmp_path, "\n".join((heading, *lines, "")), name)


def fault(path, **how):
    """(code, row, column) of the faults."""
    found = faults_of(read, path, **how)
    assert {one.file for one in found} == {path.name}
    return [(one.code, one.row, one.column) for one in found]


# --- headings


@pytest.mark.parametrize(
    "heading",
    [
        "Tên thôn", "Thôn/bản", "Tên thôn bản", "Tên thôn, bản, tổ dân phố", "THÔN", "Bản", "Ấp",
        "Khu phố", "Tổ dân phố", "village_name", "Tên", "name",
    ],
)  # fmt: skip
def test_usual_headings_of_names(tmp_path, heading):
    path = csv(tmp_path, "A,22.05,103.05", heading=f'"{heading}",lat,lon')
    assert read(path)[0] == [("A", KET, "")]


@pytest.mark.parametrize(
    ("heading", "cell"),
    [
        ("Mã xã", LU), ("commune_code", LU), ("Mã ĐVHC xã", LU), ("Xã", "Xã Bình Lư"),
        ("Tên xã", "Bình Lư"), ("Xã/phường", "BÌNH LƯ"), ("Thuộc xã", "x. binh lu"),
        ("commune_name", "Bình Lư"),
    ],
)  # fmt: skip
def test_usual_headings_of_communes(tmp_path, heading, cell):
    # 1 km west of the border: by its position the village would be another commune's
    path = csv(tmp_path, f"A,{cell},22.05,103.0903", heading=f"thôn,{heading},lat,lon")
    assert read(path)[0] == [("A", LU, "")]


@pytest.mark.parametrize(
    "heading",
    [
        "Số dân",
        "Dân số",
        "Dân số (người)",
        "Số nhân khẩu",
        "Tổng số nhân khẩu",
        "Nhân khẩu",
        "Số người",
        "Số khẩu",
        "people",
        "population",
    ],
)
def test_usual_headings_of_people(tmp_path, heading):
    path = csv(tmp_path, "A,22.05,103.05,1.234", heading=f"thôn,lat,lon,{heading}")
    assert read(path)[0] == [("A", KET, "1234")]


@pytest.mark.parametrize(
    ("heading", "line"),
    [
        ("điểm,nhóm,vĩ độ,kinh độ,số dân", 'name_column = "điểm"'),
        ("thôn,bản,vĩ độ,kinh độ,số dân", 'name_column = "bản"'),
        ("thôn,xã,vĩ,kinh,số dân", 'latitude_column = "…"'),
        ("thôn,xã,vĩ độ,số dân,nhân khẩu", 'longitude_column = "…"'),
        ("thôn,xã,tên xã,tọa độ,số dân", 'commune_column = "tên xã"'),
        ("thôn,tọa độ,a,dân số,số dân", 'people_column = "số dân"'),
    ],
)
def test_columns_that_are_open_are_asked_with_the_line_to_paste(tmp_path, heading, line):
    cells = ['"22.05, 103.05"' if name == "tọa độ" else "x" for name in heading.split(",")]
    if "vĩ độ" in heading:
        cells[2:4] = ["22.05", "103.05"]
    found = faults_of(read, csv(tmp_path, ",".join(cells), heading=heading))
    assert {one.values["lines"][0] for one in found} == {"[villages]"}
    assert line in [one for each in found for one in each.values["lines"]]


def test_columns_of_the_settings_count_whatever_their_headings(tmp_path):
    path = csv(tmp_path, "A,Bình Lư,22.05,103.15,7", heading="n,c,b,l,p")
    places = {"latitude": "b", "longitude": "l"}
    assert read(path, places, name="n", commune="c", people="p")[0] == [("A", LU, "7")]
    assert fault(path, places=places, name="tên", commune="c") == [("missing_column", 1, "tên")]
    path = csv(tmp_path, f"A,{LU},22.05,103.15,7", "B,Bình Lư,22.05,103.15,8", heading="n,c,y,x,p")
    found, warnings = read(path, name="n", commune="c")
    assert found == [("A", LU, ""), ("B", LU, "")]
    assert [*warnings] == ["names_met"]  # a code is not compared with the commune's name


@pytest.mark.parametrize(("mark", "people"), [(None, "1234"), (".", "1.234"), (",", "1234")])
def test_the_decimal_mark_of_the_settings_is_that_of_people_too(tmp_path, mark, people):
    path = csv(tmp_path, "A,,22.05,103.05,1.234")
    assert read(path, {"decimal": mark})[0] == [("A", KET, people)]


# --- files

LISTED = [("Thôn 1", KET, "1234"), ("Bản Tây", LU, ""), ("Bản Đông", LU, "120")]  # by code points
LINES = (
    "Thôn 1,Đoàn Kết,22.05,103.05,1.234",
    "Bản Đông,Bình Lư,22.05,103.18,120",
    "Bản Tây,Bình Lư,22.05,103.12,",
)
POINTS = [shapely.Point(x, 22.05) for x in (103.05, 103.18, 103.12)]
COLUMNS = {
    "thon": ["Thôn 1", "Bản Đông", "Bản Tây"],
    "xa": ["Đoàn Kết", "Bình Lư", "Bình Lư"],
    "so_dan": [1234, 120, None],
}


def test_a_csv(tmp_path):
    path = csv(tmp_path, *LINES)
    found, warnings = read(path)
    assert found == LISTED
    assert set(warnings) == {"names_met"}  # `Bình Lư` is `Xã Bình Lư` there


def test_a_workbook_with_title_merged_communes_and_total(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["DANH SÁCH THÔN, BẢN"])
    sheet.append(["STT", "Xã", "Thôn/bản", "Vĩ độ", "Kinh độ", "Số nhân khẩu"])
    sheet.append([1, "Phường Đoàn Kết", "Thôn 1", 22.05, 103.05, 1234])
    sheet.append([2, "Xã Bình Lư", "Bản Đông", 22.05, 103.18, 120])
    sheet.append([3, None, "Bản Tây", 22.05, 103.12, None])
    sheet.append([None, "Tổng cộng", None, None, None, 1354])
    sheet.merge_cells("B4:B5")
    book.save(tmp_path / "v.xlsx")
    found, warnings = read(tmp_path / "v.xlsx")
    assert found == LISTED
    assert "footer_rows" in warnings


@pytest.mark.parametrize("name", ["v.gpkg", "v.geojson", "v.shp", "v.gml"])
def test_points_of_a_vector_file(tmp_path, name):
    assert read(vector(tmp_path / name, POINTS, **COLUMNS))[0] == LISTED


def test_points_in_another_crs(tmp_path):
    metres = gpd.GeoSeries(POINTS, crs=4326).to_crs(9205)
    rows, _ = villages.villages_of(
        communes(), vector(tmp_path / "v.gpkg", metres, crs=9205, **COLUMNS), villages.Asked()
    )
    assert rows["longitude"].tolist() == pytest.approx([103.05, 103.12, 103.18], abs=1e-6)


def test_a_polygon_gives_a_point_that_lies_in_it(tmp_path):
    # a U, whose centroid lies between its arms
    horseshoe = shapely.Polygon(
        [(103.02, 22.02), (103.08, 22.02), (103.08, 22.08), (103.07, 22.08), (103.07, 22.03),
         (103.03, 22.03), (103.03, 22.08), (103.02, 22.08)]
    )  # fmt: skip
    assert not horseshoe.contains(horseshoe.centroid)
    path = vector(tmp_path / "v.gpkg", [horseshoe], thon=["A"])
    rows, _ = villages.villages_of(communes(), path, villages.Asked())
    place = shapely.Point(rows["longitude"][0], rows["latitude"][0])
    assert horseshoe.contains(place)
    assert rows["commune_code"].tolist() == [KET]


def test_names_stay_as_they_are_written_in_nfc(tmp_path):
    name = "Bản  Nà Cò-1 (cũ)"
    path = csv(tmp_path, f"{unicodedata.normalize('NFD', name)},,22.05,103.05,1")
    assert read(path)[0] == [(name, KET, "1")]


# --- communes


@pytest.mark.parametrize(
    ("cell", "place", "expected"),
    [
        ("Phường Đoàn Kết", (22.05, 103.05), KET),
        ("phuong doan ket", (22.05, 103.05), KET),
        ("3388", (22.05, 103.05), KET),
        ("03388", (22.05, 103.05), KET),
        ("", (22.15, 103.05), XA),
        ("Xã Tân Phong", (22.15, 103.05), XA),
        ("P. Tân Phong", (22.15, 103.15), PHUONG),
        ("Tân Phong", (22.15, 103.05), XA),  # of two of that name, the one that it lies in
        ("Tân Phong", (22.15, 103.15), PHUONG),
    ],
)
def test_the_commune_that_a_row_means(tmp_path, cell, place, expected):
    path = csv(tmp_path, f"A,{cell},{place[0]},{place[1]},1", heading="thôn,c,lat,lon,people")
    assert read(path, commune="c")[0] == [("A", expected, "1")]


def test_a_code_goes_before_a_name_and_an_unknown_code_leaves_it_to_the_name(tmp_path):
    heading = "thôn,mã xã,xã,lat,lon"
    path = csv(
        tmp_path, f"A,{KET},Xã Bình Lư,22.05,103.05", "B,77777,Xã Bình Lư,22.05,103.15",
        heading=heading,
    )  # fmt: skip
    found, warnings = read(path)
    assert found == [("A", KET, ""), ("B", LU, "")]
    assert warnings["names_differ"].values["count"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(1, 19), st.integers(1, 19)), min_size=1, unique=True))
def test_by_position_alone_every_village_is_in_the_square_around_it(tmp_path, places):
    inside = [(i, j) for i, j in places if i != 10 and j != 10]
    lines = [f"v{i}-{j},{22 + j / 100:.2f},{103 + i / 100:.2f}" for i, j in inside or [(1, 1)]]
    found, _ = read(csv(tmp_path, *lines, heading="village,lat,lon"))
    assert len(found) == len(lines)
    for name, code, _ in found:
        i, j = map(int, name.removeprefix("v").split("-"))
        assert code == [[KET, LU], [XA, PHUONG]][j > 10][i > 10]


def test_on_a_shared_border_the_smaller_code_has_it(tmp_path):
    assert read(csv(tmp_path, "A,22.1,103.1", heading="thôn,lat,lon"))[0] == [("A", KET, "")]


@pytest.mark.parametrize(
    ("km", "code"), [(-0.5, None), (0.5, "villages_outside"), (1.45, "villages_outside"),
                     (1.55, "villages_left_out"), (9, "villages_left_out")],
)  # fmt: skip
@pytest.mark.parametrize("axis", ["north", "east"])
def test_a_village_outside_its_commune_is_kept_up_to_the_radius(tmp_path, axis, km, code):
    latitude = 22.1 + km * KM if axis == "north" else 22.05
    longitude = 103.1 + km / 103.2 if axis == "east" else 103.05
    lines = f"A,Phường Đoàn Kết,{latitude},{longitude},5", "B,Phường Đoàn Kết,22.01,103.01,5"
    found, warnings = read(csv(tmp_path, *lines))
    assert ("A", KET, "5") in found or code == "villages_left_out"
    assert len(found) == (1 if code == "villages_left_out" else 2)
    assert [*warnings] == ([code] if code else [])
    values = {"found": ["A (Phường Đoàn Kết)"], "count": 1, "of": 2, "radius": 1.5}
    assert [one.values for one in warnings.values()] == ([values] if code else [])


def test_the_radius_is_asked(tmp_path):
    path = csv(tmp_path, f"A,Đoàn Kết,{22.1 + 2 * KM},103.05,5", "B,Đoàn Kết,22.05,103.05,5")
    assert [one[0] for one in read(path)[0]] == ["B"]
    assert [one[0] for one in read(path, radius_km=2.1)[0]] == ["A", "B"]


def test_villages_of_elsewhere_are_left_out_and_listed(tmp_path):
    path = csv(
        tmp_path, "A,Xã Lạ,22.05,104,5", "B,,22.05,103.201,5", "C,,22.05,103.05,5",
        "D,Xã Bình Lư,10.5,106.5,5",
    )  # fmt: skip
    found, warnings = read(path)
    assert found == [("C", KET, "5")]
    values = warnings["villages_left_out"].values
    assert values["found"] == ["A (Xã Lạ)", "B", "D (Xã Bình Lư)"]
    assert "3 of 4 villages" in error_message(warnings["villages_left_out"], "en")


# --- faults


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (",Bình Lư,22.05,103.15,5", ("village_unnamed", 3, "thôn")),
        ("A,Bình Lư,,,5", ("village_unplaced", 3, "vĩ độ")),
        ("A,Bình Lư,22.05,,5", ("village_unplaced", 3, "vĩ độ")),
        ("A,Bình Lư,gần suối,103.15,5", ("village_unplaced", 3, "vĩ độ")),
        ("A,Xã Lạ,22.05,103.15,5", ("village_commune", 3, "xã")),
        ("A,77777,22.05,103.15,5", ("village_commune", 3, "xã")),
        ("A,Tân Phong,22.05,103.15,5", ("village_commune", 3, "xã")),  # lies in neither of the two
        ("A,Bình Lư,22.05,103.15,-5", ("bad_population", 3, "số dân")),
        ("A,Bình Lư,22.05,103.15,nhiều", ("bad_population", 3, "số dân")),
        ("Thôn 1,Đoàn Kết,22.05,103.05,7", ("village_repeated", 3, "thôn")),
        ("THÔN 1,,22.05001,103.05001,7", ("village_repeated", 3, "thôn")),  # 1 m aside
    ],
)
def test_each_fault_says_where_it_stands(tmp_path, line, expected):
    before, after = "Thôn 1,Đoàn Kết,22.05,103.05,1.234", "Z,Bình Lư,22.02,103.18,120"
    assert fault(csv(tmp_path, before, line, after)) == [expected]


@pytest.mark.parametrize(
    ("line", "people"),
    [("A,,22.05,103.15,", ""), ("A,,22.05,103.15,-", ""), ("A,,22.05,103.15,…", ""),
     ("A,,22.05,103.15,0", "0"), ("A,,22.05,103.15,1.5", "1.5")],
)  # fmt: skip
def test_cells_that_are_no_fault(tmp_path, line, people):
    assert read(csv(tmp_path, line, "B,,22.05,103.12,12"))[0][0] == ("A", LU, people)


def test_all_faults_are_said_at_once_and_a_commune_once(tmp_path):
    path = csv(
        tmp_path, "A,Xã Lạ,22.05,103.15,x", "B,Xã Lạ,22.06,103.15,5", ",,22.07,103.15,-1",
        "C,,22.08,103.15,5", "C,,22.08,103.15,6", "D,,,,1",
    )  # fmt: skip
    found = faults_of(read, path)
    assert [(one.code, one.row) for one in found] == [
        ("village_commune", 2), ("bad_population", 2), ("village_unnamed", 4),
        ("bad_population", 4), ("village_repeated", 6), ("village_unplaced", 7),
    ]  # fmt: skip
    assert found[0].values == {"found": "Xã Lạ", "count": 2, "expected": "Xã Bình Lư (03390)"}
    assert found[4].values == {"found": "C", "row_of_other": 5}
    message = error_message(found[4], "en")
    assert message.startswith("v.csv, row 6, column thôn: C stands in row 5 too, at the same place")


def test_features_without_a_geometry_are_faults_too(tmp_path):
    path = vector(tmp_path / "v.gpkg", [POINTS[0], None], thon=["A", "B"])
    assert fault(path) == [("village_unplaced", 3, "")]


def test_villages_of_one_name_at_different_places_are_kept_and_said(tmp_path):
    path = csv(
        tmp_path, "Thôn 1,,22.05,103.05,1", "thôn 1,,22.06,103.05,2", "Thôn 1,,22.05,103.15,3",
    )  # fmt: skip
    found, warnings = read(path)
    assert found == [("Thôn 1", KET, "1"), ("thôn 1", KET, "2"), ("Thôn 1", LU, "3")]
    assert warnings["villages_of_one_name"].values["found"] == [
        "Thôn 1 (Phường Đoàn Kết)", "thôn 1 (Phường Đoàn Kết)",
    ]  # fmt: skip


def test_a_list_of_another_vintage_is_refused_unless_it_names_no_commune(tmp_path):
    stated = Stated("2024")
    path = csv(tmp_path, "A,Đoàn Kết,22.05,103.05,1")
    assert fault(path, stated=stated) == [("other_vintage", None, "")]
    path = csv(tmp_path, "A,22.05,103.05", heading="thôn,lat,lon")
    assert read(path, stated=stated)[0] == [("A", KET, "")]
    path = csv(
        tmp_path, "A,Đoàn Kết,22.05,103.05,2024", "B,Bình Lư,22.05,103.15,test",
        heading="thôn,xã,lat,lon,boundary_vintage",
    )  # fmt: skip
    found, warnings = read(path)
    assert found == [("B", LU, "")]
    assert "rows_of_other_vintage" in warnings


# --- settings and inputs


def test_the_settings_file_shows_every_key_with_its_meaning():
    text = (ROOT / "settings.toml").read_text(encoding="utf-8")
    block = text[text.index("[villages]") : text.index("[roads]")]
    fields = type(Settings().villages).model_fields
    assert [key for key in fields if key not in block] == []
    lines = [one.removeprefix("# ") for one in block.strip().splitlines()]
    assert all("#" in one for one in lines[1:])


@pytest.mark.parametrize("radius", ["0", "-1"])
def test_a_radius_that_is_none(tmp_path, radius):
    (tmp_path / "s.toml").write_text(f"[villages]\nradius_km = {radius}\n")
    with pytest.raises(UserFault, match=r"settings_value.*villages\.radius_km"):
        read_settings(tmp_path / "s.toml")


def test_the_inputs_of_a_run_hold_the_villages(tmp_path):
    written(tmp_path, "thôn;xã;vĩ độ;kinh độ;số dân\nA;r0c0;22,05;103,05;12\nB;r0c1;22,05;104;1\n",
            "v.csv")  # fmt: skip
    about = '[villages]\npath = "v.csv"\ncommune_column = "xã"\ndecimal = ","\n'
    inputs = read_inputs(read_settings(write_world(tmp_path, {}, about))).inputs
    assert inputs.villages["village_name"].tolist() == ["A"]
    assert inputs.villages["people"].tolist() == [12.0]
    assert [(one.role, one.name, one.row_count) for one in inputs.read][-1] == (
        "villages", "v.csv", 1,
    )  # fmt: skip
    assert "villages_left_out" in {one.code for one in inputs.warnings}
    assert "villages" in INNER  # positions of villages are in no published table


def test_without_the_section_no_village_is_known(tmp_path):
    assert read_inputs(read_settings(write_world(tmp_path, {}))).inputs.villages is None


def test_a_period_on_the_former_boundaries_is_judged_without_villages_of_the_later(tmp_path):
    write_boundaries(tmp_path / "former.geojson", squares(2, 2))
    written(tmp_path, "thôn,xã,lat,lon\nA,r0c0,22.05,103.05\n", "v.csv")
    write_boundaries(tmp_path / "now.geojson")
    (tmp_path / "s.toml").write_text(
        '[boundaries]\npath = "now.geojson"\nvintage = "2025"\n'
        '[former_boundaries]\npath = "former.geojson"\nvintage = "2024"\nvalid_to = 2025-06-30\n'
        '[villages]\npath = "v.csv"\ncommune_column = "xã"\n',
        encoding="utf-8",
    )
    about = read_settings(tmp_path / "s.toml")
    assert read_inputs(about).inputs.villages["commune_code"].tolist() == ["r0c0"]
    before = read_inputs(about.as_of(Period.parse("2025-06"))).inputs
    assert before.villages is None
    assert "left_out_before" in {one.code for one in before.warnings}
