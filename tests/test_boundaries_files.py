"""Boundary files as people have them: formats, layers, encodings, CRSs, codes.

Each is read rightly or is a question with the settings line to paste.
"""

from __future__ import annotations

import json
import re
import unicodedata
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schema import texts
from pipeline.schema.errors import UserFault
from pipeline.sources.boundaries import codes as commune_codes
from pipeline.sources.boundaries import encodings, official, repair
from tests.builders import run_lomsong, squares, write_boundaries
from tests.test_boundaries import read

pytestmark = pytest.mark.slow  # real files of every format are read

NAMES = ["Phường Đoàn Kết", "Xã Bình Lư", "Xã Mường Tè", "Xã Pắc Ta"]


def asked(path, **change):
    """The faults of a file that a run refuses; each can be said in both languages."""
    with pytest.raises(UserFault) as caught:
        read(path, **change)
    for one in caught.value.faults:
        for lang in texts.languages():
            assert texts.error_message(one, lang)
    return caught.value.faults


def four(names=NAMES, codes=("01111", "02222", "03333", "04444")) -> gpd.GeoDataFrame:
    """Two by two squares of 0.1° near 103° E, 22° N."""
    shapes = squares(2, 2).geometry.to_numpy()
    return gpd.GeoDataFrame(
        {"code": list(codes), "name": list(names)}, geometry=shapes, crs="EPSG:4326"
    )


def codes_of_warnings(warnings) -> list[str]:
    return [one.code for one in warnings]


# --- formats


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("b.geojson", "GeoJSON"),
        ("b.json", "GeoJSON"),
        ("b.gpkg", "GPKG"),
        ("b.shp", "ESRI Shapefile"),
        ("b.kml", "KML"),
        ("b.fgb", "FlatGeobuf"),
        ("b.tab", "MapInfo File"),
        ("b.mif", "MapInfo File"),
        ("b.gml", "GML"),
    ],
)
def test_every_vector_format_gives_the_same_communes(tmp_path, name, driver):
    frame = four()
    path = tmp_path / name
    how = {"FORMAT": "MIF"} if name.endswith(".mif") else {}
    frame.to_file(path, driver=driver, encoding="utf-8" if name == "b.shp" else None, **how)
    name_column = "Name" if driver == "KML" else None
    if driver == "KML":
        frame.rename(columns={"name": "Name"}).to_file(path, driver="KML")
    communes, _ = read(path, name_column=name_column)
    assert communes["commune_code"].tolist() == ["01111", "02222", "03333", "04444"]
    assert communes["commune_name"].tolist() == NAMES
    assert np.allclose(communes.total_bounds, [103.0, 22.0, 103.2, 22.2], atol=1e-6)


def test_geoparquet_and_archives_are_read(tmp_path):
    frame = four()
    frame.to_parquet(tmp_path / "b.parquet")
    assert len(read(tmp_path / "b.parquet")[0]) == 4
    frame.to_file(tmp_path / "s.shp", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for part in tmp_path.glob("s.*"):
            if part.suffix != ".zip":
                archive.write(part, f"inner/{part.name}")
    assert read(tmp_path / "s.zip")[0]["commune_name"].tolist() == NAMES
    frame.to_file(tmp_path / "doc.kml", driver="KML")
    with zipfile.ZipFile(tmp_path / "b.kmz", "w") as archive:
        archive.write(tmp_path / "doc.kml", "doc.kml")
    assert read(tmp_path / "b.kmz")[0]["commune_code"].tolist()[0] == "01111"


def test_archives_that_cannot_serve_are_faults(tmp_path):
    four().to_file(tmp_path / "b.geojson")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(tmp_path / "b.geojson", "a.geojson")
        archive.write(tmp_path / "b.geojson", "a.kml")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert codes_of_warnings(asked(tmp_path / "broken.zip")) == ["unreadable_file"]
    assert codes_of_warnings(asked(tmp_path / "two.zip")) == ["archive_formats"]
    assert codes_of_warnings(asked(tmp_path / "none.zip")) == ["unreadable_file"]


# --- several files


def one_file_each(folder, frame=None):
    folder.mkdir(parents=True, exist_ok=True)
    frame = four() if frame is None else frame
    for i in range(len(frame)):
        frame.iloc[[i]].to_file(folder / f"{frame['code'].iloc[i]}.geojson")
    return folder


def test_a_folder_a_glob_and_a_list_of_files_are_one_province(tmp_path):
    folder = one_file_each(tmp_path / "wards")
    (folder / "README.md").write_text("notes")
    (folder / "picture.png").write_bytes(b"x")
    whole, warnings = read(folder)
    assert len(whole) == 4
    assert [(w.code, w.values["found"]) for w in warnings] == [("passed_over", ["picture.png"])]
    assert len(read(folder / "0[12]*.geojson")[0]) == 2
    four().iloc[[0]].to_file(tmp_path / "a.shp", encoding="utf-8")
    four().iloc[[1]].to_file(tmp_path / "b.shp", encoding="utf-8")
    assert len(read(tmp_path / "?.*")[0]) == 2  # .dbf, .prj … belong to the .shp
    listed = [folder / "01111.geojson", folder / "04444.geojson"]
    assert read(listed)[0]["commune_code"].tolist() == ["01111", "04444"]


def test_a_folder_that_holds_nothing_two_formats_or_a_glob_that_meets_nothing(tmp_path):
    folder = one_file_each(tmp_path / "wards")
    (tmp_path / "empty").mkdir()
    assert codes_of_warnings(asked(tmp_path / "empty")) == ["empty_boundary_folder"]
    assert codes_of_warnings(asked(folder / "*.gpkg")) == ["empty_glob"]
    assert codes_of_warnings(asked([folder, tmp_path / "absent.gpkg"])) == ["missing_file"]
    four().to_file(folder / "all.gpkg")
    found = asked(folder)
    assert codes_of_warnings(found) == ["boundary_formats"]
    assert 'path = "wards/**/*.geojson"' in texts.error_message(found[0], "en")


def test_the_outline_of_the_province_among_its_wards_is_of_another_level(tmp_path):
    folder = one_file_each(tmp_path / "12_x")
    whole = gpd.GeoDataFrame(
        {"code": ["12"], "name": ["Tỉnh"]}, geometry=[shapely.box(103, 22, 103.2, 22.2)], crs=4326
    )
    whole.to_file(folder / "12.geojson")
    found = asked(folder, code_length=2)
    assert codes_of_warnings(found) == ["another_level"]
    assert found[0].values["found"] == "12"


def test_files_in_several_crs_are_brought_together_and_one_without_is_named(tmp_path):
    frame = four()
    (tmp_path / "w").mkdir()
    frame.iloc[:2].to_file(tmp_path / "w" / "a.gpkg")
    frame.iloc[2:].to_crs("EPSG:9205").to_file(tmp_path / "w" / "b.gpkg")
    communes, warnings = read(tmp_path / "w")
    assert "several_crs" in codes_of_warnings(warnings)
    assert np.allclose(communes.total_bounds, [103.0, 22.0, 103.2, 22.2], atol=1e-6)


def test_a_file_of_the_folder_with_other_columns_is_named(tmp_path):
    folder = one_file_each(tmp_path / "w")
    four().iloc[[0]].rename(columns={"code": "number"}).to_file(folder / "zz.geojson")
    (found,) = asked(folder)
    assert found.code == "blank_codes"
    assert "zz.geojson" in str(found.values["places"])


# --- layers


def test_several_layers_are_asked_with_counts_and_kinds(tmp_path):
    path = tmp_path / "b.gpkg"
    squares(1, 1).dissolve().to_file(path, layer="districts")
    four().to_file(path, layer="communes")
    (found,) = asked(path)
    assert found.code == "which_boundary_layer"
    message = texts.error_message(found, "en")
    assert "communes (4 × Polygon)" in message
    assert 'layer = "communes"' in message
    assert len(read(path, layer="communes")[0]) == 4
    (found,) = asked(path, layer="wards")
    assert found.code == "no_layer"


def test_the_only_layer_with_polygons_is_used_and_the_others_are_told(tmp_path):
    path = tmp_path / "b.gpkg"
    points = four().set_geometry(four().geometry.to_crs(9205).centroid.to_crs(4326))
    points.to_file(path, layer="offices")
    four().to_file(path, layer="communes")
    communes, warnings = read(path)
    assert len(communes) == 4
    assert codes_of_warnings(warnings) == ["other_layers"]
    assert warnings[0].values["found"] == ["offices (4 × Point)"]


def test_a_layer_of_no_polygons_at_all_is_a_fault(tmp_path):
    points = four().set_geometry(four().geometry.to_crs(9205).centroid.to_crs(4326))
    points.to_file(tmp_path / "p.gpkg")
    assert codes_of_warnings(asked(tmp_path / "p.gpkg")) == ["no_polygons"]


@pytest.mark.parametrize("suffix", [".gpkg", ".mif", ".tab", ".dbf", ".csv", ".parquet"])
def test_a_table_without_shapes_is_a_fault(tmp_path, suffix):
    table = pd.DataFrame({"code": ["01111"], "name": ["Xã Bình Lư"]})
    path = tmp_path / f"b{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    elif suffix == ".parquet":
        table.to_parquet(path)
    else:
        driver = {".gpkg": "GPKG", ".dbf": "ESRI Shapefile"}.get(suffix, "MapInfo File")
        pyogrio.write_dataframe(table, path, driver=driver)
    assert codes_of_warnings(asked(path)) in (
        ["no_shapes"],
        ["unreadable_file"],
        ["no_crs", "no_polygons"],
    )


# --- encodings


def in_cp1258(text: str) -> bytes:
    """Windows-1258 keeps letters such as ơ whole and writes tones behind them."""
    raw = b""
    for character in text:
        try:
            raw += character.encode("cp1258")
        except UnicodeEncodeError:
            apart = unicodedata.normalize("NFD", character)
            tone = "".join(c for c in apart if c in "\u0300\u0301\u0303\u0309\u0323")
            bare = unicodedata.normalize("NFC", "".join(c for c in apart if c not in tone))
            raw += bare.encode("cp1258") + tone.encode("cp1258")
    return raw


def write_dbf(path, raw: list[bytes], cpg: str | None = None):
    """A shapefile whose names have these bytes."""
    frame = four(names=[value.decode("latin-1") for value in raw])
    frame.to_file(path, driver="ESRI Shapefile", encoding="ISO-8859-1")
    path.with_suffix(".cpg").unlink()
    if cpg:
        path.with_suffix(".cpg").write_text(cpg)
    return path


TCVN3 = ["Ph­êng §oµn KÕt", "X· B×nh L­", "X· M­êng TÌ", "X· P¾c Ta"]
VNI = ["Phöôøng Ñoaøn Keát", "Xaõ Bình Lö", "Xaõ Möôøng Teø", "Xaõ Paéc Ta"]


@pytest.mark.parametrize(
    ("raw", "cpg", "encoding"),
    [
        ([in_cp1258(name) for name in NAMES], None, "cp1258"),
        ([in_cp1258(name) for name in NAMES], "UTF-8", "cp1258"),
        ([in_cp1258(name) for name in NAMES], "1252", "cp1258"),
        ([name.encode() for name in NAMES], None, "utf-8"),
        ([name.encode() for name in NAMES], "1252", "utf-8"),
        ([name.encode("latin-1") for name in TCVN3], None, "tcvn3"),
        ([name.encode("latin-1") for name in VNI], None, "vni"),
    ],
)
def test_names_of_a_dbf_are_found_by_their_spelling(tmp_path, raw, cpg, encoding):
    communes, warnings = read(write_dbf(tmp_path / "b.shp", raw, cpg))
    assert communes["commune_name"].tolist() == NAMES
    assert [(w.code, w.values["found"]) for w in warnings] == [("names_encoding_found", encoding)]
    communes, warnings = read(tmp_path / "b.shp", encoding=encoding)
    assert communes["commune_name"].tolist() == NAMES
    assert warnings == []


def test_a_dbf_that_states_its_encoding_rightly_is_read_without_a_word(tmp_path):
    four().to_file(tmp_path / "b.shp", encoding="utf-8")
    assert read(tmp_path / "b.shp")[1] == []
    write_dbf(tmp_path / "c.shp", [in_cp1258(name) for name in NAMES], "1258")
    communes, warnings = read(tmp_path / "c.shp")
    assert communes["commune_name"].tolist() == NAMES
    assert warnings == []


def test_a_name_that_the_field_cut_off_is_still_utf8(tmp_path):
    raw = [name.encode() for name in NAMES]
    raw[0] = "Xã Nậm Lỏ".encode()[:-1]
    communes, _ = read(write_dbf(tmp_path / "b.shp", raw))
    assert communes["commune_name"].tolist() == ["Xã Nậm L", *NAMES[1:]]


def test_too_few_words_are_asked_with_both_readings(tmp_path):
    raw = [in_cp1258("Xã A"), b"B", b"C", b"D"]
    (found,) = asked(write_dbf(tmp_path / "b.shp", raw))
    assert found.code == "which_encoding"
    message = texts.error_message(found, "en")
    assert "cp1258: Xã A" in message
    assert 'encoding = "cp1258"' in message
    assert read(tmp_path / "b.shp", encoding="cp1258")[0]["commune_name"].iloc[0] == "Xã A"


def test_names_of_another_language_stay_as_stated_and_are_shown(tmp_path):
    names = ["Évry-sous-Forêt", "Besançon", "Nîmes", "Mâcon"]
    path = write_dbf(tmp_path / "b.shp", [name.encode("cp1252") for name in names], "1252")
    communes, warnings = read(path)
    assert communes["commune_name"].tolist() == names
    assert codes_of_warnings(warnings) == ["encoding_unproven"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: (
            text.encode().decode("cp1252", "ignore")
            if "ờ" in text
            else text.encode().decode("latin-1")
        ),
        lambda text: in_cp1258(text).decode("cp1252"),
        lambda text: text.encode().decode("latin-1"),
    ],
)
def test_names_misread_before_they_were_written_to_geojson_are_read_again(tmp_path, spoil):
    names = ["Xã Bình Lư", "Xã Pắc Ta", "Xã Sin Suối Hồ", "Xã Nậm Tăm"]
    frame = four(names=[spoil(name) for name in names])
    frame.to_file(tmp_path / "b.geojson")
    communes, warnings = read(tmp_path / "b.geojson")
    assert communes["commune_name"].tolist() == names
    assert codes_of_warnings(warnings) == ["names_encoding_found"]


def test_geojson_that_is_not_utf8_is_read_by_its_words(tmp_path):
    text = four().to_json(ensure_ascii=False)
    (tmp_path / "b.geojson").write_bytes(in_cp1258(text))
    communes, warnings = read(tmp_path / "b.geojson")
    assert communes["commune_name"].tolist() == NAMES
    assert codes_of_warnings(warnings) == ["names_encoding_found"]


def test_an_unknown_encoding_and_one_that_cannot_read_the_bytes(tmp_path):
    path = write_dbf(tmp_path / "b.shp", [in_cp1258(name) for name in NAMES])
    assert codes_of_warnings(asked(path, encoding="klingon")) == ["bad_boundary_encoding"]
    assert codes_of_warnings(asked(path, encoding="utf-8")) == ["bad_boundary_encoding"]


@given(
    st.lists(
        st.sampled_from(
            [*NAMES, "Xã Quỳnh Nhai", "Thị trấn Than Uyên", "Xã Đắk Plô", "Xã Khổng Lào"]
        ),
        min_size=2,
    )
)
def test_law_what_is_written_in_windows_1258_or_utf8_comes_back(names):
    for write, name in ((in_cp1258, "cp1258"), (str.encode, "utf-8")):
        raw = [write(text) for text in names]
        reading, _, questions = encodings.decide(raw, [b.decode("latin-1") for b in raw], "f")
        assert questions == []
        assert reading.name == name
        assert list(reading.texts) == names


# --- CRS


def without_prj(path, frame):
    frame.to_file(path, driver="ESRI Shapefile", encoding="utf-8")
    path.with_suffix(".prj").unlink()
    return path


def swapped(frame):
    shapes = shapely.transform(frame.geometry.to_numpy(), lambda xy: xy[:, ::-1])
    return frame.set_geometry(shapes, crs=frame.crs)


def renamed_crs(frame, crs):
    return frame.set_crs(crs, allow_override=True)


@pytest.mark.parametrize(
    ("make", "code", "line"),
    [
        (lambda f: renamed_crs(f, 9205), "crs_degrees", 'crs = "EPSG:4326"'),
        (lambda f: renamed_crs(f, 32648), "crs_degrees", 'crs = "EPSG:4326"'),
        (lambda f: renamed_crs(f, 3857), "crs_degrees", 'crs = "EPSG:4326"'),
        (lambda f: renamed_crs(f.to_crs(9205), 4326), "crs_metres", 'crs = "EPSG:'),
        (lambda f: renamed_crs(f.to_crs(3405), 4756), "crs_metres", 'crs = "EPSG:'),
        (swapped, "axes_swapped", "swap_axes = true"),
        (lambda f: swapped(f.to_crs(9205)), "axes_swapped", "swap_axes = true"),
        (lambda f: swapped(f.to_crs(32648)), "axes_swapped", "swap_axes = true"),
        (lambda f: renamed_crs(f.to_crs(9205), 2154), "crs_elsewhere", "crs = "),
        (lambda f: renamed_crs(f.to_crs(3857), 9205), "crs_elsewhere", "crs = "),
    ],
)
def test_a_crs_that_the_numbers_contradict_is_a_fault_with_the_likely_line(
    tmp_path, make, code, line
):
    make(four()).to_file(tmp_path / "b.gpkg")
    (found,) = asked(tmp_path / "b.gpkg")
    assert found.code == code
    assert line in texts.error_message(found, "en")


def test_the_line_that_a_fault_proposes_reads_the_file(tmp_path):
    swapped(four()).to_file(tmp_path / "a.gpkg")
    assert np.allclose(
        read(tmp_path / "a.gpkg", swap_axes=True)[0].total_bounds, [103, 22, 103.2, 22.2]
    )
    renamed_crs(four(), 9205).to_file(tmp_path / "b.gpkg")
    communes, warnings = read(tmp_path / "b.gpkg", crs="EPSG:4326")
    assert np.allclose(communes.total_bounds, [103, 22, 103.2, 22.2])
    assert codes_of_warnings(warnings) == ["crs_instead"]


def official_squares(count=8):
    """Squares at the places of real communes, under their codes."""
    listed = official.communes().query("code.str.startswith('033') and latitude > 21.5")
    listed = listed.drop_duplicates("code").head(count)
    places = listed[["longitude", "latitude"]].to_numpy()
    shapes = [shapely.Point(place).buffer(0.02, cap_style="square") for place in places]
    return gpd.GeoDataFrame(
        {"code": listed["code"].to_numpy(), "name": listed["name"].to_numpy()},
        geometry=shapes,
        crs="EPSG:4326",
    )


@pytest.mark.parametrize("epsg", [9205, 3405, 5897, 32648])
def test_official_codes_show_the_crs_of_a_file_without_one(tmp_path, epsg):
    path = without_prj(tmp_path / "b.shp", official_squares().to_crs(epsg))
    (found,) = asked(path)
    assert found.code == "no_crs"
    proposed = str(found.values["lines"])
    # zones of one central meridian lie less than a kilometre apart: all of them are proposed
    names = [pyproj.CRS(code) for code in re.findall(r"EPSG:\d+", proposed)]
    assert pyproj.CRS(epsg) in names
    lon0 = {n.to_cf()["longitude_of_central_meridian"] for n in names}
    assert len(lon0) == 1
    assert len(names) <= 4


def test_a_prj_of_no_place_on_earth_is_no_crs_and_names_all_that_fit(tmp_path):
    path = without_prj(tmp_path / "b.shp", four().to_crs(9205))
    path.with_suffix(".prj").write_text('LOCAL_CS["unknown"]')
    (found,) = asked(path)
    assert found.code == "no_crs"
    assert "EPSG:9205" in str(found.values["lines"])  # one of several: none is put first
    assert str(found.values["lines"]).startswith('crs = "EPSG:…" (')


def test_a_file_without_crs_in_degrees_is_proposed_as_wgs84(tmp_path):
    (found,) = asked(without_prj(tmp_path / "b.shp", four()))
    assert found.values["lines"] == 'crs = "EPSG:4326"'


@pytest.mark.parametrize("scale", [1e-5, 1e3])
def test_absurd_areas_are_never_published(tmp_path, scale):
    side = scale / 100
    shapes = [shapely.box(3 + i * side, 2, 3 + (i + 1) * side, 2 + side) for i in range(2)]
    frame = gpd.GeoDataFrame({"code": ["a", "b"], "name": ["a", "b"]}, geometry=shapes, crs=4326)
    frame.to_file(tmp_path / "b.gpkg")
    assert codes_of_warnings(asked(tmp_path / "b.gpkg")) == ["absurd_area"]


# --- antimeridian


@pytest.mark.parametrize(
    "shape",
    [
        shapely.Polygon([(179.5, -17.5), (-179.5, -17.5), (-179.5, -16.5), (179.5, -16.5)]),
        shapely.box(179.5, -17.5, 180.5, -16.5),
        shapely.box(-180.5, -17.5, -179.5, -16.5),
        shapely.MultiPolygon(
            [shapely.box(179.5, -17.5, 180, -16.5), shapely.box(180, -17.5, 180.5, -16.5)]
        ),
        shapely.Polygon([(-179.5, -17.5), (-179.5, -16.5), (179.5, -16.5), (179.5, -17.5)]),
    ],
)
def test_a_commune_across_180_degrees_is_split_there(tmp_path, shape):
    west = shapely.box(178.5, -17.5, 179.5, -16.5)
    frame = gpd.GeoDataFrame(
        {"code": ["F1", "F2"], "name": ["Taveuni", "West"]}, geometry=[shape, west], crs=4326
    )
    frame.to_file(tmp_path / "b.gpkg")
    communes, warnings = read(tmp_path / "b.gpkg")
    assert codes_of_warnings(warnings) == ["antimeridian"]
    taveuni, other = communes.geometry
    assert shapely.equals(
        taveuni,
        shapely.union(
            shapely.box(179.5, -17.5, 180, -16.5), shapely.box(-180, -17.5, -179.5, -16.5)
        ),
    )
    assert communes["area_km2"].iloc[0] == pytest.approx(communes["area_km2"].iloc[1], rel=1e-4)
    assert not shapely.overlaps(taveuni, other)


def test_a_hole_beyond_180_stays_a_hole_and_split_shapes_stay_as_they_are():
    shell = [(179.0, 0.0), (-179.0, 0.0), (-179.0, 1.0), (179.0, 1.0)]
    hole = [(-179.8, 0.4), (-179.6, 0.4), (-179.6, 0.6), (-179.8, 0.6)]
    both = np.array(
        [
            shapely.Polygon(shell, [hole]),
            shapely.MultiPolygon([shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1)]),
        ],
        dtype=object,
    )
    made, split = repair.split_at_antimeridian(both)
    assert split.tolist() == [True, False]
    assert made[0].area == pytest.approx(2.0 - 0.04)
    assert shapely.equals(made[1], both[1])


# --- rings


def test_repairs_are_reported_in_square_metres_with_their_place(tmp_path):
    bow = shapely.Polygon([(103, 22), (103.2, 22.2), (103.2, 22), (103, 22.2)])
    spike = shapely.Polygon(
        [(103.5, 22), (103.6, 22), (103.6, 22.1), (103.7, 22.1), (103.6, 22.1), (103.5, 22.1)]
    )
    frame = gpd.GeoDataFrame(
        {"code": ["a", "b", "c"], "name": ["a", "b", "c"]},
        geometry=[bow, spike, shapely.box(104, 22, 104.1, 22.1)],
        crs=4326,
    )
    frame.to_file(tmp_path / "b.gpkg")
    communes, warnings = read(tmp_path / "b.gpkg")
    assert codes_of_warnings(warnings) == ["repaired_outline"]
    places = str(warnings[0].values["places"])
    assert warnings[0].values["count"] == 2
    assert places.startswith("a (")  # the larger change first
    assert "103.10000 22.10000" in places
    assert communes.geometry.is_valid.all()
    # two triangles of half a square of 0.2° by 0.1°
    assert communes["area_km2"].iloc[0] == pytest.approx(2 * communes["area_km2"].iloc[1], rel=0.01)


def test_collections_keep_their_polygons_and_heights_are_dropped(tmp_path):
    frame = four()
    shapes = frame.geometry.to_numpy().copy()
    shapes[0] = shapely.GeometryCollection(
        [shapes[0], shapely.Point(103, 22), shapely.LineString([(103, 22), (104, 22)])]
    )
    shapes[1:] = shapely.force_3d(shapes[1:], 5.0)
    document = json.loads(frame.to_json())
    for feature, shape in zip(document["features"], shapes, strict=True):
        feature["geometry"] = json.loads(shapely.to_geojson(shape))
    (tmp_path / "b.geojson").write_text(json.dumps(document))
    communes, warnings = read(tmp_path / "b.geojson")
    assert codes_of_warnings(warnings) == ["collections"]
    assert set(communes.geom_type) <= {"Polygon", "MultiPolygon"}
    assert not communes.has_z.any()


def test_a_hundred_overlaps_are_one_line_with_the_largest_first(tmp_path):
    grid = squares(10, 10)
    shapes = shapely.buffer(grid.geometry.to_numpy(), 0.001, join_style="mitre")
    shapes[37] = shapely.buffer(shapes[37], 0.03, join_style="mitre")
    write_boundaries(tmp_path / "b.geojson", grid.set_geometry(shapes, crs=4326))
    _, warnings = read(tmp_path / "b.geojson")
    (overlap,) = [w for w in warnings if w.code == "overlap"]
    assert overlap.values["count"] > 100
    assert str(overlap.values["places"]).startswith(("r2c7 – r3c7", "r3c6 – r3c7", "r3c7 – "))


def test_a_hole_between_communes_is_a_gap_with_its_neighbours(tmp_path):
    grid = squares(3, 3)
    write_boundaries(tmp_path / "b.geojson", grid.drop(index=4).reset_index(drop=True))
    _, warnings = read(tmp_path / "b.geojson")
    assert codes_of_warnings(warnings) == ["boundary_gaps"]
    assert warnings[0].values["count"] == 1


def test_gaps_of_very_many_vertices_are_left_to_lint_and_that_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(repair, "_MAX_POINTS_OF_GAPS", 20)
    write_boundaries(tmp_path / "b.geojson", squares(3, 3))
    assert codes_of_warnings(read(tmp_path / "b.geojson")[1]) == ["gaps_not_sought"]


# --- codes and parts


@pytest.mark.parametrize(
    ("codes", "right"),
    [
        ([3388.0, 10012.0, 11000.0, 12000.0], ["03388", "10012", "11000", "12000"]),
        (["3388", "03390", "03391", "03392"], ["03388", "03390", "03391", "03392"]),
        (["7", "03390", "03391", "03392"], ["00007", "03390", "03391", "03392"]),
        ([3388, 10012, 11000, 999], ["03388", "10012", "11000", "00999"]),
    ],
)
def test_lost_zeros_are_given_back_where_the_other_codes_show_them(tmp_path, codes, right):
    four(codes=codes).to_file(tmp_path / "b.gpkg")
    communes, warnings = read(tmp_path / "b.gpkg")
    assert sorted(communes["commune_code"]) == sorted(right)
    assert codes_of_warnings(warnings) == ["codes_padded"]


def test_official_names_prove_lost_zeros_and_unknown_ones_are_asked(tmp_path):
    listed = official.communes().query("code.str.startswith('0')").drop_duplicates("code").head(4)
    codes = listed["code"].astype(float).tolist()
    four(names=listed["name"], codes=codes).to_file(tmp_path / "a.gpkg")
    # the list's first codes are Hà Nội's: three digits and less, no question without proof
    four(names=["a", "b", "c", "d"], codes=[3388.0, 3390.0, 3391.0, 3392.0]).to_file(
        tmp_path / "b.gpkg"
    )
    (found,) = asked(tmp_path / "b.gpkg")
    assert found.code == "which_code_length"
    assert found.values["lines"] == "code_length = 5"
    assert read(tmp_path / "b.gpkg", code_length=5)[0]["commune_code"].tolist()[0] == "03388"


def test_numbers_outside_vietnam_keep_their_length(tmp_path):
    frame = four(codes=[7, 18, 999, 1000])
    moved = frame.set_geometry(frame.translate(-60, 15), crs=4326)
    moved.to_file(tmp_path / "b.gpkg")
    communes, warnings = read(tmp_path / "b.gpkg")
    assert sorted(communes["commune_code"]) == ["1000", "18", "7", "999"]
    assert warnings == []


def test_codes_that_are_no_whole_numbers_are_no_traceback():
    assert commune_codes.as_text(pd.Series([1.5, 2.0, None])).isna().tolist() == [
        False,
        False,
        True,
    ]
    assert commune_codes.as_text(pd.Series(["3388.0", "A.1"])).tolist() == ["3388", "A.1"]


def parts():
    frame = four(codes=["01111", "01111", "03333", "04444"], names=["Xã A", "Xã A", "Xã B", "Xã C"])
    return frame.assign(population=[100, 100, 200, 300])


def test_parts_of_one_code_are_asked_and_dissolved_when_told(tmp_path):
    parts().to_file(tmp_path / "b.gpkg")
    (found,) = asked(tmp_path / "b.gpkg")
    assert found.code == "repeated_codes_of_parts"
    assert "dissolve = true" in texts.error_message(found, "vi")
    communes, warnings = read(
        tmp_path / "b.gpkg", dissolve=True, population_column="population", expected_count=3
    )
    assert communes["commune_code"].tolist() == ["01111", "03333", "04444"]
    assert communes["population"].tolist() == [100, 200, 300]
    assert communes["area_km2"].iloc[0] == pytest.approx(2 * communes["area_km2"].iloc[1], rel=0.01)
    assert codes_of_warnings(warnings) == ["dissolved"]


def test_parts_that_differ_are_not_merged(tmp_path):
    frame = parts()
    frame["population"] = [100, 150, 200, 300]
    frame.to_file(tmp_path / "a.gpkg")
    (found,) = asked(tmp_path / "a.gpkg", dissolve=True, population_column="population")
    assert (found.code, found.values["found"]) == ("parts_unlike", "population")
    frame["name"] = ["Xã A", "Xã Z", "Xã B", "Xã C"]
    frame.to_file(tmp_path / "b.gpkg")
    assert codes_of_warnings(asked(tmp_path / "b.gpkg", dissolve=True)) == ["parts_unlike"]
    assert codes_of_warnings(asked(tmp_path / "b.gpkg")) == ["repeated_codes"]


def test_names_that_repeat_are_told_in_one_line(tmp_path):
    four(names=["Xã A", "Xã A", "Xã B", "Xã B"]).to_file(tmp_path / "b.gpkg")
    _, warnings = read(tmp_path / "b.gpkg")
    assert [(w.code, w.values["count"]) for w in warnings] == [("repeated_names", 2)]


# --- through the command


def test_a_run_takes_a_folder_and_a_list_and_names_them_in_its_manifest(tmp_path, monkeypatch):
    from tests.builders import month_of_tests

    monkeypatch.chdir(tmp_path)
    frame = squares()
    folder = tmp_path / "wards"
    folder.mkdir()
    for i in range(len(frame)):
        write_boundaries(folder / f"{i}.geojson", frame.iloc[[i]].reset_index(drop=True))
    (tmp_path / "t.csv").write_text(month_of_tests("2026-10", {("r0c0", "A"): [20.0] * 6}))
    (tmp_path / "settings.toml").write_text(
        '[boundaries]\npath = ["wards/*.geojson"]\n[sources.t]\npath = "t.csv"\n'
    )
    code, text = run_lomsong("run", "--out", "out", "--publish", "tables")
    assert code == 0, text
    manifest = json.loads((tmp_path / "out/2026-10/manifest.json").read_text())
    assert "*.geojson (16)" in json.dumps(manifest)
