"""People, installations, facilities and roads from the files that people really have."""

from __future__ import annotations

import json
import zipfile

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.errors import UserFault
from pipeline.schema.texts import error_message
from pipeline.sources import commune_names, context_layers, population
from pipeline.sources.commune_tables import figures_by_commune
from pipeline.sources.population import INSTALLS, PEOPLE
from tests.builders import squares, write_world
from tests.test_cli import ONE_MONTH

CODES = ["03388", "03390", "03391", "03392"]
NAMES = ["Phường Đoàn Kết", "Xã Bình Lư", "Xã Tân Phong", "Phường Tân Phong"]
DISTRICTS = ["Thành phố Lai Châu", "Huyện Tam Đường", "Huyện Tam Đường", "Thành phố Lai Châu"]


def communes(**columns) -> gpd.GeoDataFrame:
    """Four squares (103–103.2° E, 22–22.2° N); two have the same name but for their kind."""
    named = {"commune_code": CODES, "commune_name": NAMES, "former_district": DISTRICTS} | columns
    return squares(2, 2).assign(**named)


def people(path, asked=PEOPLE, where=None, **how):
    """(figures of the communes in order, codes of the warnings → warnings)."""
    from dataclasses import replace

    found, warnings = figures_by_commune(
        communes() if where is None else where, path, replace(asked, **how)
    )
    return found.tolist(), {one.code: one for one in warnings}


def written(tmp_path, text: str, name: str = "people.csv", encoding: str = "utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def faults_of(call, *args, **kwargs):
    with pytest.raises(UserFault) as caught:
        call(*args, **kwargs)
    messages = [error_message(one, lang) for one in caught.value.faults for lang in ("vi", "en")]
    assert all(messages)
    return list(caught.value.faults)


DECIMAL = 'decimal = "."'

# --- how figures are written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("code\tpopulation\n03388\t12.345\n03390\t8.765\n", [12345, 8765]),
        ("code\tpopulation\n03388\t12,345\n03390\t8,765\n", [12345, 8765]),
        ("code;dân số\n03388;12 345\n03390;8 765\n", [12345, 8765]),
        ("code;dân số\n03388;12345,0\n03390;8765,5\n", [12345, 8765.5]),
        ("code|Dân số (người)\n03388|1.012.345\n03390|8.765\n", [1012345, 8765]),
        ("code,Dân số năm 2025\n03388,12345 người\n03390,8765 người\n", [12345, 8765]),
        ("code,population\n03388,12'345\n03390,…\n", [12345, np.nan]),
        ('code,Dân số (nghìn người)\n03388,"12,3"\n03390,"8,76"\n', [12300, 8760]),
        ("code,Population (thousands)\n03388,12.3\n03390,8.76\n", [12300, 8760]),
        ('code,dân số\n03388,"12,3 nghìn"\n03390,"8,76 nghìn"\n', [12300, 8760]),
        (
            "Bảng,,\nĐơn vị tính: Nghìn người,,\nMã,Xã,Dân số\n03388,,12.3\n03390,,8.76\n",
            [12300, 8760],
        ),
    ],
)  # fmt: skip
def test_people_are_whole_and_come_in_the_unit_that_the_table_states(tmp_path, text, expected):
    found, _ = people(written(tmp_path, text))
    assert found[:2] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(found[2:]).all()


def test_a_unit_that_was_found_is_said(tmp_path):
    path = written(tmp_path, "code,Dân số (nghìn người)\n03388,12.3\n")
    _, warnings = people(path)
    assert warnings["figures_in_unit"].values == {
        "found": '"nghìn người" (heading)',
        "factor": 1000,
    }


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("code,dân số (nghìn)\n03388,12.345\n03390,8.765\n", "number_mark_open", 'decimal = "."'),
        ("code,dân số\n03388,12.34\n03390,8.765\n", "fractions_of_people", 'unit = "1000"'),
        ("code,dân số\n03388,12.34\n03390,8.765\n", "fractions_of_people", 'unit = "1"'),
        ("code,pop\n03388,2.5\n03390,1.234.567\n03391,1.234\n", "number_marks_mixed", DECIMAL),
        ("code,dân số\n03388,nhiều\n03390,ít\n", "numbers_unreadable", 'people_column = "…"'),
        ("code,dân số (người/km2)\n03388,12\n", "unit_of_another_kind", 'unit = "1"'),
        ("code,pop 2024,pop 2025\n03388,1,2\n", "which_column", 'people_column = "pop 2025"'),
        ("code,cột một\n03388,12\n", "no_usual_heading", 'people_column = "cột một"'),
        ("A,dân số\n03388,12\n03390,3\n", "no_usual_heading", 'code_column = "A"'),
        ("A,dân số\nBình Lư,12\nĐoàn Kết,3\n", "no_usual_heading", 'name_column = "A"'),
    ],
)  # fmt: skip
def test_what_is_open_is_asked_with_the_line_to_paste(tmp_path, text, code, line):
    faults = faults_of(people, written(tmp_path, text))
    assert [one.code for one in faults] == [code]
    assert faults[0].file == "people.csv"
    assert faults[0].values["lines"][0] == "[population]"
    assert line in faults[0].values["lines"]


def test_the_lines_answer_the_questions(tmp_path):
    path = written(tmp_path, "code,dân số (nghìn người)\n03388,12.345\n03390,8.765\n")
    assert people(path, decimal=".")[0][:2] == [12345, 8765]
    path = written(tmp_path, "code,dân số\n03388,12.34\n03390,8.765\n")
    assert people(path, unit="1000")[0][:2] == [12340, 8765]
    assert people(path, unit="1")[0][:2] == [12.34, 8.765]
    path = written(tmp_path, "A,dân số 2024,dân số 2025\nBình Lư,1,2\n")
    assert people(path, name="A", figure="dân số 2025")[0][1] == 2


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2_000_000), min_size=4, max_size=4), st.sampled_from(".,' "))
def test_whole_figures_come_back_whatever_groups_their_digits(tmp_path_factory, figures, mark):
    rows = [f"{c};{f'{n:,}'.replace(',', mark)}" for c, n in zip(CODES, figures, strict=True)]
    path = written(tmp_path_factory.mktemp("law"), "\n".join(["code;population", *rows]) + "\n")
    assert people(path)[0] == figures


def test_a_thousands_mark_that_is_the_delimiter_is_a_fault_with_its_row(tmp_path):
    for text in (
        "code,population\n03388,12,345\n03390,8,765\n",
        "xã,population\nĐoàn Kết,12,345\nBình Lư,8,765\n",
    ):
        faults = faults_of(people, written(tmp_path, text))
        assert {one.code for one in faults} == {"too_many_fields"}
        assert faults[0].row == 2


# --- which commune


@pytest.mark.parametrize("code", ["3388", "3388.0", "'03388", " 03388 ", "3388,0"])
def test_codes_that_lost_their_zeros_are_met_and_said(tmp_path, code):
    found, warnings = people(written(tmp_path, f"Mã xã;Dân số\n{code};7\n03390;8\n"))
    assert found[:2] == [7, 8]
    assert ("zeros_given_back" in warnings) == (not code.strip(" '").startswith("0"))


def test_zeros_are_given_back_only_where_the_boundaries_codes_have_one_length(tmp_path):
    path = written(tmp_path, "code,population\n3388,7\n10012,8\n")
    mixed = communes(commune_code=["3388", "03390", "10012", "9"])
    assert people(path, where=mixed)[0][:3] == pytest.approx([7, np.nan, 8], nan_ok=True)
    assert (
        faults_of(people, written(tmp_path, "code,population\n3399,7\n"))[0].code == "no_code_met"
    )


def test_codes_as_floats_of_parquet(tmp_path):
    path = tmp_path / "people.parquet"
    pd.DataFrame({"ward_code": [3388.0, 3390.0], "population": [12345.0, 8765.0]}).to_parquet(path)
    found, warnings = people(path)
    assert found[:2] == [12345, 8765]
    assert warnings["zeros_given_back"].values["found"] == "3388 → 03388; 3390 → 03390"


@pytest.mark.parametrize(
    "name",
    ["Bình Lư", "xa binh lu", "X. BÌNH LƯ", "Xã  Bình Lư", "2. Xã Bình Lư", "Bình Lư (Tam Đường)",
     "Xã Bình Lư, huyện Tam Đường", "Binh Lu commune", "Xa\u0303 Bi\u0300nh Lu\u031b"],
)  # fmt: skip
def test_names_are_met_without_accents_case_and_kind_and_each_is_listed(tmp_path, name):
    path = written(tmp_path, f"Tên xã;Dân số\nPhường Đoàn Kết;5\n{name};7\n")
    found, warnings = people(path)
    assert found[:2] == [5, 7]
    exact = commune_names.without_numbering(name).split()[0][0] == "X" and "," not in name
    if exact and "BÌNH" not in name:
        assert "names_met" not in warnings
    else:
        assert (
            warnings["names_met"].values["found"]
            == f"{' '.join(name.split())} → Xã Bình Lư (03390)"
        )


def test_every_fuzzy_match_is_named_however_many_there_are(tmp_path):
    many = squares(10, 10)
    names = [name.upper() for name in many["commune_name"]]
    rows = "".join(f"{name.replace('XÃ', 'xa')},1\n" for name in names)
    _, warnings = people(written(tmp_path, "xã,dân số\n" + rows), where=many)
    text = error_message(warnings["names_met"], "en")
    assert warnings["names_met"].values["count"] == 100
    assert all(f"({code})" in text for code in many["commune_code"])


def test_communes_of_one_name_are_distinguished_by_kind_district_or_heading_row(tmp_path):
    by_kind = "xã;dân số\nXã Tân Phong;3\nP. Tân Phong;4\n"
    by_column = "xã;huyện;dân số\nTân Phong;tam duong;3\nTân Phong;TP Lai Châu;4\n"
    by_rows = "xã;dân số\nHuyện Tam Đường;3\n1. Tân Phong;3\nTP. Lai Châu;4\n2. Tân Phong;4\n"
    for text in (by_kind, by_column, by_rows):
        found, warnings = people(written(tmp_path, text))
        assert found == pytest.approx([np.nan, np.nan, 3, 4], nan_ok=True)
    assert warnings["totals_set_aside"].values["found"] == [
        "Huyện Tam Đường (3)",
        "TP. Lai Châu (4)",
    ]
    faults = faults_of(people, written(tmp_path, "xã;dân số\nTân Phong;3\nBình Lư;4\n"))
    assert [(one.code, one.row, one.column) for one in faults] == [("name_of_several", 2, "xã")]
    assert faults[0].values["expected"] == ["Xã Tân Phong (03391)", "Phường Tân Phong (03392)"]


def test_a_commune_of_another_district_or_province_is_not_met_by_its_name(tmp_path):
    path = written(tmp_path, "xã,huyện,dân số\nBình Lư,Phong Thổ,3\nĐoàn Kết,Lai Châu,5\n")
    found, warnings = people(path)
    assert found[:2] == pytest.approx([5, np.nan], nan_ok=True)
    assert warnings["rows_of_no_commune"].values == {"found": ["Bình Lư"], "count": 1, "of": 2}
    path = written(tmp_path, "xã,tỉnh,dân số\nBình Lư,Sơn La,3\nBình Lư,Tỉnh Lai Châu,5\n")
    assert people(path, area="Lai Châu")[0][1] == 5
    faults = faults_of(people, path)  # nobody says of which province the communes are
    assert [(one.code, one.row) for one in faults] == [("repeated_commune", 3)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("code,population\n03388,1\n3388,2\n", "repeated_code"),
        ("xã,population\nBình Lư,1\nXã Bình Lư,2\n", "repeated_commune"),
        ("code,xã,population\n03390,Bình Lư,1\n,Xã Bình Lư,2\n", "repeated_commune"),
    ],
)
def test_two_rows_for_one_commune_are_a_fault(tmp_path, text, code):
    faults = faults_of(people, written(tmp_path, text))
    assert [(one.code, one.row) for one in faults] == [(code, 3)]


def test_codes_of_another_vintage_are_asked_about(tmp_path):
    path = written(
        tmp_path, "code,name,population\n03388,Quyết Tiến,1\n03390,Nà Tăm,2\n03391,Tân Phong,3\n"
    )
    faults = faults_of(people, path)
    assert [one.code for one in faults] == ["codes_of_other_names"]
    assert faults[0].values["lines"][1] == 'name_column = "name"'
    found, warnings = people(path, code="code")
    assert found[:3] == [1, 2, 3]
    assert warnings["names_differ"].values["count"] == 2
    faults = faults_of(people, path, name="name")
    assert [one.code for one in faults] == ["name_of_several"]


def test_codes_of_another_list_give_way_to_names(tmp_path):
    path = written(tmp_path, "Mã,Tên xã,Dân số\nA1,Xã Bình Lư,7\nA2,Phường Đoàn Kết,5\n")
    assert people(path)[0][:2] == [5, 7]


def test_what_meets_no_commune_is_listed_with_counts(tmp_path):
    path = written(tmp_path, "code,name,population\n03388,Đoàn Kết,1\n99999,Xã Xa,2\n88888,,3\n")
    _, warnings = people(path)
    assert warnings["rows_of_no_commune"].values == {
        "found": ["99999 Xã Xa", "88888"],
        "count": 2,
        "of": 3,
    }
    assert faults_of(people, written(tmp_path, "xã,dân số\nXã Xa,2\n"))[0].code == "no_name_met"


# --- what holds the table


def workbook(path, *sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


TITLED = [
    ["UBND TỈNH"],
    ["BIỂU 02: DÂN SỐ THEO XÃ"],
    [],
    ["STT", "Mã xã", "Tên xã", "Dân số"],
    [1, 3388, "Phường Đoàn Kết", 12345],
    [2, 3390, "Xã Bình Lư", 8765],
]


@pytest.mark.parametrize(
    "last", [["", "", "Tổng cộng", 21110], ["Cộng", None, None, 21110], [3, "", "TỔNG", "21.110"]]
)
def test_a_workbook_with_titles_and_totals(tmp_path, last):
    path = workbook(tmp_path / "people.xlsx", ("Dân số", [*TITLED, last]))
    found, warnings = people(path)
    assert found[:2] == [12345, 8765]
    said = {"totals_set_aside", "footer_rows"} & set(warnings)
    assert said
    assert "21" in error_message(warnings[said.pop()], "en")
    assert warnings["rows_above_heading"].file == "people.xlsx"


def test_communes_whose_names_begin_like_totals_are_communes(tmp_path):
    where = communes(commune_name=["Xã Cộng Hòa", "Xã Tổng Đội", "Xã A", "Xã B"])
    path = written(tmp_path, "xã,dân số\nCộng Hòa,5\nTổng Đội,7\nCộng,12\n")
    found, warnings = people(path, where=where)
    assert found[:2] == [5, 7]
    assert warnings["totals_set_aside"].values["found"] == ["Cộng (12)"]


def test_a_sheet_per_district_is_one_table_and_other_sheets_are_asked(tmp_path):
    first = [["Tên xã", "Dân số"], ["Phường Đoàn Kết", 5]]
    second = [["Tên xã", "Dân số"], ["Xã Bình Lư", 7]]
    path = workbook(tmp_path / "p.xlsx", ("Lai Châu", first), ("Tam Đường", second))
    assert people(path)[0][:2] == [5, 7]
    other = [["Tên xã", "Trường", "Trạm"], ["Xã Bình Lư", 1, 2]]
    path = workbook(tmp_path / "p.xlsx", ("Dân số", first), ("Cơ sở", other))
    faults = faults_of(people, path)
    assert [one.code for one in faults] == ["which_other_sheet"]
    assert faults[0].values["lines"][1].startswith("sheet = ")
    assert people(path, how={"sheet": "Dân số"})[0][0] == 5


def test_old_encodings_and_vector_attributes_are_read(tmp_path):
    rows = "".join(f"{name};{i}\n" for i, name in enumerate(NAMES))
    path = written(tmp_path, "Tên xã;Dân số\n" + rows, encoding="utf-16")
    assert people(path)[0] == [0, 1, 2, 3]
    vector = gpd.GeoDataFrame(
        {"ma_xa": CODES, "danso": [1, 2, 3, 4]}, geometry=communes().geometry.to_numpy(), crs=4326
    )
    vector.to_file(tmp_path / "p.gpkg")
    assert people(tmp_path / "p.gpkg")[0] == [1, 2, 3, 4]
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("p.csv", "code;population\n03388;12.345\n")
    assert people(tmp_path / "p.zip")[0][0] == 12345


def test_installs_are_read_like_people(tmp_path):
    path = written(tmp_path, "Xã\tSố lượt cài đặt\nbinh lu\t1.234\nDoan Ket\t850\n")
    assert people(path, asked=INSTALLS)[0][:2] == [850, 1234]
    path = written(tmp_path, "xã,lượt,tải\nBình Lư,1,2\n")
    faults = faults_of(people, path, asked=INSTALLS)
    assert faults[0].values["lines"][:2] == ("[installs]", 'count_column = "lượt"')


def test_a_raster_of_counts_is_summed(tmp_path):
    transform = Affine(0.1, 0, 103.0, 0, -0.1, 22.2)
    with rasterio.open(
        tmp_path / "i.tif", "w", driver="GTiff", height=2, width=2, count=1, dtype="float64",
        crs="EPSG:4326", transform=transform,
    ) as file:  # fmt: skip
        file.write(np.array([[3.0, 4.0], [1.0, 2.0]]), 1)
    found, warnings = population.count_per_commune(communes(), tmp_path / "i.tif", INSTALLS)
    assert found.tolist() == pytest.approx([1, 2, 3, 4])
    assert warnings == []


# --- facilities and roads

PLACES = [(103.05, 22.05), (103.15, 22.05), (103.16, 22.05)]
POINTS = [shapely.Point(*one) for one in PLACES]
KINDS = ["Trường học", "Trạm y tế", "Chợ"]


def facilities(path, kinds=(), kind_column=None, **how):
    from dataclasses import replace

    counts, warnings = context_layers.facilities_per_commune(
        communes(), path, kind_column=kind_column, kinds=kinds,
        more=replace(context_layers.FACILITIES, **how),
    )  # fmt: skip
    return counts.tolist(), {one.code: one for one in warnings}


def vector(path, shapes=POINTS, crs="EPSG:4326", **columns):
    columns = columns or {"loai": KINDS[: len(shapes)]}
    gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs).to_file(path)
    return path


@pytest.mark.parametrize("name", ["f.gpkg", "f.geojson", "f.shp", "f.fgb", "f.gml"])
def test_facilities_come_from_any_vector_file(tmp_path, name):
    assert facilities(vector(tmp_path / name))[0] == [1, 2, 0, 0]


def test_facilities_come_from_a_zip_and_from_geoparquet(tmp_path):
    vector(tmp_path / "f.shp")
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        for ending in ("shp", "shx", "dbf", "prj", "cpg"):
            archive.write(tmp_path / f"f.{ending}", f"inside/f.{ending}")
    assert facilities(tmp_path / "f.zip")[0] == [1, 2, 0, 0]
    gpd.GeoDataFrame({"loai": KINDS}, geometry=POINTS, crs=4326).to_parquet(tmp_path / "f.parquet")
    assert facilities(tmp_path / "f.parquet")[0] == [1, 2, 0, 0]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("tên;vĩ độ;kinh độ\nA;22,05;103,05\nB;22,05;103,15\n", {}),
        ("name,lat,lng\nA,22.05,103.05\nB,22.05,103.15\n", {}),
        ('tên,tọa độ\nA,"22.05, 103.05"\nB,"22.05, 103.15"\n', {}),
        ("name\tWKT\nA\tPOINT(103.05 22.05)\nB\tPOINT(103.15 22.05)\n", {}),
        ("tên;vĩ độ;kinh độ\nA;22°03'00\"N;103°03'00\"E\nB;22°03'00\"N;103°09'00\"E\n", {}),
        ("n,a,b\nA,22.05,103.05\nB,22.05,103.15\n", {"latitude": "a", "longitude": "b"}),
    ],
)
def test_facilities_come_from_a_table_of_places(tmp_path, text, how):
    assert facilities(written(tmp_path, text, "f.csv"), **how)[0] == [1, 1, 0, 0]


def test_places_that_cannot_be_used_are_asked_or_counted(tmp_path):
    path = written(tmp_path, "name,lat,lon\nA,103.05,22.05\nB,103.15,22.05\n", "f.csv")
    faults = faults_of(facilities, path)
    assert faults[0].values["lines"] == ("[facilities]", "swap_axes = true")
    assert facilities(path, swap_axes=True)[0] == [1, 1, 0, 0]
    path = written(tmp_path, "name,lat,lon\nA,22.05,103.05\nB,,\n", "f.csv")
    found, warnings = facilities(path)
    assert found == [1, 0, 0, 0]
    assert warnings["places_without_position"].values == {"found": 1, "count": 2}
    faults = faults_of(facilities, written(tmp_path, "name,kind\nA,school\n", "f.csv"))
    assert faults[0].code == "no_usual_heading"
    metres = gpd.GeoSeries(POINTS, crs=4326).to_crs("EPSG:32648")
    rows = "".join(f"A;{one.y:.1f};{one.x:.1f}\n" for one in metres)
    path = written(tmp_path, "name;y;x\n" + rows, "f.csv")
    faults = faults_of(facilities, path)
    assert 'crs = "EPSG:32648"' in faults[0].values["lines"]
    assert facilities(path, crs="EPSG:32648")[0] == [1, 2, 0, 0]


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_crs_that_is_missing_is_found_by_where_the_points_lie(tmp_path):
    found, warnings = facilities(vector(tmp_path / "f.shp", crs=None))
    assert found == [1, 2, 0, 0]
    assert warnings["crs_by_place"].values == {"found": 3, "count": 3}
    metres = gpd.GeoSeries(POINTS, crs=4326).to_crs("EPSG:32648")
    path = vector(tmp_path / "g.shp", metres, crs=None)
    faults = faults_of(facilities, path)
    assert [one.code for one in faults] == ["no_crs"]
    assert 'crs = "EPSG:32648"' in faults[0].values["lines"]
    assert facilities(path, crs="EPSG:32648")[0] == [1, 2, 0, 0]


def test_a_crs_that_lies_is_found_by_where_the_points_lie(tmp_path):
    metres = gpd.GeoSeries(POINTS, crs=4326).to_crs("EPSG:32648")
    called_degrees = vector(tmp_path / "a.gpkg", list(metres))
    called_metres = vector(tmp_path / "b.gpkg", POINTS, crs="EPSG:32648")
    other_zone = vector(tmp_path / "c.gpkg", list(metres), crs="EPSG:32649")
    swapped = vector(tmp_path / "d.gpkg", [shapely.Point(p.y, p.x) for p in POINTS])
    for path, line in (
        (called_degrees, 'crs = "EPSG:32648"'), (called_metres, 'crs = "EPSG:4326"'),
        (other_zone, 'crs = "EPSG:32648"'), (swapped, "swap_axes = true"),
    ):  # fmt: skip
        faults = faults_of(facilities, path)
        assert [one.code for one in faults] == ["shapes_crs"]
        assert line in faults[0].values["lines"], path
        key, value = line.split(" = ")
        assert facilities(path, **{key: json.loads(value)})[0] == [1, 2, 0, 0]


def test_a_file_of_elsewhere_is_a_fault_and_no_count_of_nothing(tmp_path):
    path = vector(tmp_path / "f.gpkg", [shapely.Point(10, 50), shapely.Point(11, 51)])
    faults = faults_of(facilities, path)
    assert [one.code for one in faults] == ["shapes_elsewhere"]
    assert faults[0].values["found"] == [10, 50, 11, 51]


@pytest.mark.parametrize("wanted", ["trường học", "TRUONG HOC", "Truong  Hoc"])
def test_kinds_are_compared_without_case_and_accents_and_the_others_are_listed(tmp_path, wanted):
    path = vector(tmp_path / "f.gpkg")
    found, warnings = facilities(path, kinds=(wanted, "đồn biên phòng"), kind_column="loai")
    assert found == [1, 0, 0, 0]
    assert warnings["kinds_not_counted"].values["found"] == ["Trạm y tế (1)", "Chợ (1)"]
    assert warnings["kinds_without_rows"].values["found"] == ["đồn biên phòng"]
    assert facilities(path, kinds=(wanted,))[0] == found  # the column has a usual heading
    faults = faults_of(facilities, path, kinds=("school",), kind_column="loai")
    assert [one.code for one in faults] == ["no_kind_met"]


def test_layers_that_differ_are_asked(tmp_path):
    path = tmp_path / "f.gpkg"
    gpd.GeoDataFrame({"a": [1]}, geometry=POINTS[:1], crs=4326).to_file(path, layer="schools")
    gpd.GeoDataFrame({"b": [1], "c": [2]}, geometry=POINTS[1:2], crs=4326).to_file(path, layer="x")
    faults = faults_of(facilities, path)
    assert [one.code for one in faults] == ["which_other_layer"]
    assert facilities(path, how={"layer": "x"})[0] == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("encoding", "has_cpg"), [("utf-8", False), ("cp1258", False), ("cp1258", True)]
)
def test_kinds_of_a_shapefile_in_any_encoding(tmp_path, encoding, has_cpg):
    import unicodedata

    kinds = ["Trường học", "Trạm y tế", "Chợ"]
    path = vector(tmp_path / "f.shp", loai=["x" * 24] * 3)
    dbf = (tmp_path / "f.dbf").read_bytes()
    for kind in kinds:
        raw = kind.encode("utf-8") if encoding == "utf-8" else _cp1258(unicodedata, kind)
        dbf = dbf.replace(b"x" * 24, raw.ljust(24), 1)
    (tmp_path / "f.dbf").write_bytes(dbf)
    (tmp_path / "f.cpg").unlink()
    if has_cpg:
        (tmp_path / "f.cpg").write_text("ISO-8859-1")
    found, _ = facilities(path, kinds=("tram y te",), kind_column="loai")
    assert found == [0, 1, 0, 0]


def _cp1258(unicodedata, text: str) -> bytes:
    """Bytes of Windows-1258, in which tones follow their letters."""
    made = b""
    for letter in text:
        try:
            made += letter.encode("cp1258")
        except UnicodeEncodeError:
            parts = unicodedata.normalize("NFD", letter)
            tones = [p for p in parts if p in "\u0300\u0301\u0303\u0309\u0323"]
            base = unicodedata.normalize("NFC", "".join(p for p in parts if p not in tones))
            made += base.encode("cp1258") + "".join(tones).encode("cp1258")
    return made


def roads(path, classes=(), class_column=None, **how):
    from dataclasses import replace

    return context_layers.main_roads(
        communes(), path, class_column=class_column, classes=classes,
        more=replace(context_layers.ROADS, **how),
    )  # fmt: skip


def test_roads_of_a_nation_are_read_and_their_classes_told(tmp_path):
    lines = [shapely.LineString([(100, 22.05), (106, 22.05)]), shapely.LineString([(1, 1), (2, 2)])]
    path = vector(tmp_path / "r.gpkg", lines, highway=["Primary", "track"])
    found, warnings = roads(path, classes=("primary", "trunk"))
    assert [one.wkt for one in found] == [lines[0].wkt]
    assert [one.code for one in warnings] == ["kinds_without_rows", "kinds_not_counted"]
    assert len(roads(path)[0]) == 2
    faults = faults_of(roads, written(tmp_path, "a,b\n1,2\n", "r.csv"))
    assert [one.code for one in faults] == ["not_lines"]
    away = vector(tmp_path / "away.gpkg", lines[1:], highway=["track"])
    assert faults_of(roads, away)[0].code == "shapes_elsewhere"


# --- in a run


def test_a_run_asks_and_takes_the_answer(tmp_path, lomsong):
    file = write_world(tmp_path, ONE_MONTH, '[population]\npath = "p.csv"\n')
    written(tmp_path, "xã;Dân số\nxa r0c0;1,5\nxa r0c1;2,25\nTổng;3,75\n", "p.csv")
    code, text = lomsong("check", "--settings", file, "--lang", "en")
    assert code == 2
    assert 'unit = "1000"' in text
    file.write_text(file.read_text() + 'unit = "1000"\n')
    code, text = lomsong("run", "--settings", file, "--lang", "vi", "--publish", "tables")
    assert code == 0, text
    assert "Tổng (3,75)" in text
    assert "xa r0c0 → Xã r0c0 (r0c0)" in text


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_a_raster_without_a_crs_is_a_fault_that_says_so(tmp_path):
    with rasterio.open(
        tmp_path / "p.tif", "w", driver="GTiff", height=2, width=2, count=1, dtype="float64",
        transform=Affine(0.1, 0, 103.0, 0, -0.1, 22.2),
    ) as file:  # fmt: skip
        file.write(np.ones((2, 2)), 1)
    faults = faults_of(population.count_per_commune, communes(), tmp_path / "p.tif", PEOPLE)
    assert [one.code for one in faults] == ["raster_without_crs"]
    assert faults[0].values["found"] == [103.0, 22.0, 103.2, 22.2]
