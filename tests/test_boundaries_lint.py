"""`lomsong boundaries lint` and `info`: one page, in both languages, that agrees with a run."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.boundaries import alignment
from tests.builders import squares, write_boundaries
from tests.test_boundaries_files import four, one_file_each, renamed_crs, swapped

pytestmark = pytest.mark.slow  # the real communes are read and shifted


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["Code column: code", "CRS in use", "A run would take this file."]),
        ("vi", ["Cột mã: code", "Hệ toạ độ sử dụng", "Lần chạy sẽ nhận tệp này."]),
    ],
)
def test_a_good_file_is_one_page(tmp_path, lomsong, lang, words):
    code, text = lomsong(
        "boundaries", "lint", write_boundaries(tmp_path / "b.geojson"), "--lang", lang
    )
    assert code == 0, text
    for word in words:
        assert word in text
    assert "EPSG:4326" in text
    assert len(text.splitlines()) < 20


def test_the_figures_of_the_report(tmp_path, lomsong):
    grid = squares(3, 3).drop(index=4).reset_index(drop=True)
    shapes = grid.geometry.to_numpy().copy()
    shapes[0] = shapely.union(shapes[0], shapely.box(103.1, 22.0, 103.11, 22.1))  # into r0c1
    write_boundaries(tmp_path / "b.geojson", grid.set_geometry(shapes, crs=4326))
    code, text = lomsong("boundaries", "lint", "b.geojson", "--lang", "en")
    assert code == 0
    assert "Communes: 8" in text
    assert "Overlaps from 1 m²: 1: r0c0 – r0c1" in text
    assert "Gaps from 1 m²: 1: 22.15000, 103.15000" in text
    assert "note: b.geojson: pairs of communes that overlap: 1, " in text


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda frame: renamed_crs(frame, 9205), 'crs = "EPSG:4326"'),
        (swapped, "swap_axes = true"),
        (
            lambda frame: frame.assign(code=["a", "a", "b", "c"], name=["x", "x", "y", "z"]),
            "dissolve = true",
        ),
        (lambda frame: frame.assign(code=["3388", "3390", "3391", "3392"]), "code_length = 5"),
        (
            lambda frame: frame.rename(columns={"code": "c", "name": "n"}),
            "no column under a usual name",
        ),
    ],
)
def test_what_a_run_would_refuse_is_exit_2_with_the_line_to_paste(tmp_path, lomsong, make, word):
    make(four()).to_file(tmp_path / "b.gpkg")
    code, text = lomsong("boundaries", "lint", "b.gpkg", "--lang", "en")
    assert code == 2
    assert word in text
    assert "Traceback" not in text
    assert "A run would take" not in text
    assert "Rows: 4" in text  # what can be said is said


def test_layers_are_asked_and_the_option_answers(tmp_path, lomsong):
    squares(1, 1).dissolve().to_file(tmp_path / "b.gpkg", layer="districts")
    four().to_file(tmp_path / "b.gpkg", layer="communes")
    code, text = lomsong("boundaries", "lint", "b.gpkg")
    assert code == 2
    assert 'layer = "communes"' in text
    code, text = lomsong("boundaries", "lint", "b.gpkg", "--layer", "communes", "--lang", "en")
    assert code == 0, text
    assert "districts (1 × Polygon)" in text


def test_without_a_file_the_settings_say_which(tmp_path, lomsong):
    code, text = lomsong("boundaries", "lint", "--lang", "en")
    assert code == 2
    assert "[boundaries] path" in text
    one_file_each(tmp_path / "w")
    (tmp_path / "settings.toml").write_text('[boundaries]\npath = "w"\nexpected_count = 5\n')
    code, text = lomsong("boundaries", "lint", "--lang", "en")
    assert code == 2
    assert "4 communes, the settings expect 5" in text
    code, text = lomsong("boundaries", "lint", "w", "--lang", "en")
    assert code == 0, text  # a file that is named is read by itself


def test_info_says_what_is_there_without_judging(tmp_path, lomsong):
    renamed_crs(four(), 9205).to_file(tmp_path / "b.gpkg")
    code, text = lomsong("boundaries", "info", "b.gpkg", "--lang", "en")
    assert code == 0
    assert "EPSG:9205" in text
    assert "Columns: code, name" in text
    assert lomsong("boundaries", "info", "absent.gpkg")[0] == 2


# --- the shift against another file


def wavy(columns=3, rows=3, west=103.0) -> gpd.GeoDataFrame:
    """Communes whose edges wind as real ones do."""
    grid = squares(columns, rows, west=west)

    def wind(xy: np.ndarray) -> np.ndarray:
        x, y = xy.T
        return np.column_stack(
            [
                x + 0.006 * np.sin(97 * y) + 0.002 * np.sin(411 * y + x),
                y + 0.006 * np.sin(83 * x) + 0.002 * np.cos(391 * x),
            ]
        )

    shapes = shapely.transform(shapely.segmentize(grid.geometry.to_numpy(), 0.005), wind)
    return grid.set_geometry(shapes, crs="EPSG:4326")


def moved(shapes: np.ndarray, east_m: float, north_m: float) -> np.ndarray:
    scale = np.array([111_195 * np.cos(np.radians(22.15)), 111_195])
    return shapely.transform(shapes, lambda xy: xy + np.array([east_m, north_m]) / scale)


@settings(max_examples=12, deadline=None)
@given(st.floats(-350, 350), st.floats(-350, 350))
def test_law_a_shift_is_found_to_a_few_metres(east, north):
    outlines = wavy().geometry.to_numpy()
    found = alignment.shift_between(moved(outlines, -east, -north), outlines)
    assert found is not None
    assert found.east_m == pytest.approx(east, abs=8)
    assert found.north_m == pytest.approx(north, abs=8)


def test_neighbours_that_share_an_edge_show_the_shift_too():
    whole = wavy(6, 3).geometry.to_numpy().reshape(3, 6)
    left, right = whole[:, :3].ravel(), whole[:, 3:].ravel()
    found = alignment.shift_between(moved(left, -190, 110), right)
    assert found is not None
    assert found.is_datum
    assert found.length_m == pytest.approx(220, abs=40)  # one winding edge holds it less tightly


def test_files_that_agree_or_lie_apart_show_no_shift():
    outlines = wavy().geometry.to_numpy()
    same = alignment.shift_between(outlines, outlines)
    assert same is not None
    assert not same.is_datum
    assert same.length_m < 0.1
    assert alignment.shift_between(outlines, wavy(west=108).geometry.to_numpy()) is None


def test_the_report_names_a_datum_that_was_not_transformed(tmp_path, lomsong):
    reference = wavy()
    write_boundaries(tmp_path / "reference.geojson", reference)
    shapes = moved(reference.geometry.to_numpy(), 190, -110)
    write_boundaries(tmp_path / "b.geojson", reference.set_geometry(shapes, crs=4326))
    code, text = lomsong(
        "boundaries", "lint", "b.geojson", "--against", "reference.geojson", "--lang", "en"
    )
    assert code == 0, text
    assert "VN-2000 called WGS 84" in text
    assert "-190 m east" in text
    code, text = lomsong(
        "boundaries", "lint", "reference.geojson", "--against", "reference.geojson", "--lang", "en"
    )
    assert "VN-2000 called WGS 84" not in text


def test_the_real_communes_one_file_each_and_shifted(shared, tmp_path, lomsong):
    real = gpd.read_file(shared / "boundaries/laichau_communes_2025.geojson")
    folder = one_file_each(tmp_path / "wards", real[["code", "fullName", "geometry"]])
    code, text = lomsong("boundaries", "lint", folder, "--lang", "en")
    assert code == 0, text
    assert "Communes: 38, 9,069 km²" in text
    assert "note" not in text
    shifted = real[["code", "fullName"]].set_geometry(
        moved(real.geometry.to_numpy(), 190, -110), crs=4326
    )
    shifted.to_file(tmp_path / "s.gpkg")
    code, text = lomsong("boundaries", "lint", "s.gpkg", "--against", folder, "--lang", "en")
    assert code == 0, text
    assert "VN-2000 called WGS 84" in text
