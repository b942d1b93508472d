"""How positions are written: by all their cells, or a question."""

from __future__ import annotations

import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from pipeline.schema import texts
from pipeline.sources.cells.positions import (
    PositionForm,
    decide_positions,
    read_positions,
    share_inside,
)

AREA = (102.9, 21.9, 103.6, 22.5)  # west, south, east, north
LAT, LON = 22.396, 103.454


def column(name, cells):
    return pl.Series(name, cells, strict=False)


def decided(latitude, longitude=None, bounds=AREA, **more):
    second = None if longitude is None else column("lon", longitude)
    return decide_positions(column("lat", latitude), second, bounds, **more)


def read(latitude, longitude=None, bounds=AREA, **more):
    form = pickle.loads(pickle.dumps(decided(latitude, longitude, bounds, **more).sure()))
    second = None if longitude is None else column("lon", longitude)
    found = read_positions(column("lat", latitude), second, form)
    assert [part.dtype for part in found] == [pl.Float64()] * 2
    return [
        tuple(None if v is None else round(v, 6) for v in pair) for pair in zip(*found, strict=True)
    ]


def asked(*columns, **more):
    question = decided(*columns, **more).question
    assert question is not None
    for lang in texts.languages():
        assert texts.error_message(question, lang)
    return question


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        (22.396, 103.454),
        ("22.396", "103.454"),
        ("22,396", "103,454"),
        (" 22.396 ", "103.4540"),
        ("22.396°", "103.454°"),
        ("N22.396", "E103.454"),
        ("22.396 N", "103.454 E"),
        ("22.396° B", "103.454° Đ"),
        ("22,396°B", "103,454°Đ"),
        ("22°23'45.6\"N", "103°27'14.4\"E"),
        ("22°23\u203245.6″N", "103°27\u203214.4″E"),
        ("22 23 45.6 N", "103 27 14.4 E"),
        ("22 23 45.6", "103 27 14.4"),
        ("22°23'45,6''B", "103°27'14,4''Đ"),
        ("22d23m45.6s", "103d27m14.4s"),
        ("22:23:45.6", "103:27:14.4"),
        ("22°23.76'", "103°27.24'"),
        ("22°23,76' Bắc", "103°27,24' Đông"),
        ("22º23’45.6”N", "103º27’14.4”E"),
        ("22 độ 23 phút 45,6 giây Bắc", "103 độ 27 phút 14,4 giây Đông"),
        ("N 22° 23' 45.6", "E 103° 27' 14.4"),
        (22396000, 103454000),
        ("22396000", "103454000"),
        (223960000, 1034540000),
        (2239600, 10345400),
        ("22.396.000", "103.454.000"),
        ("22,396,000", "103,454,000"),
        ("2223.76", "10327.24"),
    ],
)
def test_a_form_that_allows_one_reading_is_read(latitude, longitude):
    assert read([latitude, None], [longitude, None]) == [(LAT, LON), (None, None)]


@pytest.mark.parametrize(
    "cell",
    [
        "22.396, 103.454",
        "22.396,103.454",
        "(22.396, 103.454)",
        "[22.396, 103.454]",
        "22.396;103.454",
        "22.396 103.454",
        "22,396; 103,454",
        "22,396 103,454",
        "22,396, 103,454",
        "103.454, 22.396",
        "[103.454,22.396]",
        "POINT(103.454 22.396)",
        "POINT (103.454 22.396)",
        "Point Z (103.454 22.396 812.5)",
        "SRID=4326;POINT(103.454 22.396)",
        "lat: 22.396, lng: 103.454",
        "lon=103.454 lat=22.396",
        '{"lat": 22.396, "lng": 103.454}',
        "geo:22.396,103.454",
        "22°23'45.6\"N 103°27'14.4\"E",
        "22°23'45.6\"N, 103°27'14.4\"E",
        "N22°23.76' E103°27.24'",
        "22°23'45,6\"B; 103°27'14,4\"Đ",
        "22°23'45.6\", 103°27'14.4\"",
        "22 23 45.6 N 103 27 14.4 E",
    ],
)
def test_one_column_with_both(cell):
    assert read([cell, "-", None]) == [(LAT, LON), (None, None), (None, None)]


def test_pairs_of_several_forms_in_one_column():
    cells = [
        "22.396, 103.454",
        "POINT(103.454 22.396)",
        "lng 103.454 lat 22.396",
        "(22,396; 103,454)",
    ]
    assert read(cells) == [(LAT, LON)] * 4


def test_null_island_and_blanks_are_missing():
    found = read(
        ["22.396", "0", "0.0", "-", "", None, "x", "inf", "0"],
        ["103.454", "0", "0", "-", "", None, "y", "nan", "1"],
    )
    assert found == [(LAT, LON), *[(None, None)] * 7, (0.0, 1.0)]
    assert read([LAT, 0.0, float("nan")], [LON, 0.0, float("nan")])[1:] == [(None, None)] * 2


def test_minutes_above_59_and_two_sides_are_unreadable():
    cells = [
        "22°23'45.6\"N",
        "22°61'",
        "22°23'61\"",
        "N22°23'S",
        "22°23'45.6\"S",
        "-22°23'45.6\"",
        "-0°30'",
    ]
    form = PositionForm("minutes")
    found, _ = read_positions(column("lat", cells), column("lon", cells), form)
    assert [None if v is None else round(v, 3) for v in found] == [
        22.396,
        None,
        None,
        None,
        -22.396,
        -22.396,
        -0.5,
    ]


def test_marks_that_only_stand_in_later_rows_are_read_too():
    first, _ = read_positions(
        column("lat", ["22,396", "22°23'45.6\"N"]), column("lon", ["1", "1"]), PositionForm()
    )
    assert [round(value, 6) for value in first] == [LAT, LAT]


# ---------------------------------------------------------------- swapped


def test_swapped_columns_are_asked_with_counts_and_lines():
    question = asked(["103.1", "103.2", "103.3"], ["22.1", "22.2", "50"])
    assert question.code == "position_swapped"
    assert question.values["found"] == "0 / 3 → 2 / 3"
    assert question.values["lines"] == ['latitude = "lon"', 'longitude = "lat"']


def test_swapped_columns_without_an_area():
    assert asked(["103.1"], ["22.1"], bounds=None).code == "position_swapped"
    assert decided(["22.1"], ["103.1"], bounds=None).question is None


def test_swapped_points_of_wkt_are_asked():
    assert asked(["POINT(22.396 103.454)"]).code == "position_swapped"


def test_positions_outside_in_either_order_are_counted_not_turned():
    found = decided([10.7, 10.8], [106.6, 106.7])
    assert found.question is None
    assert found.evidence == "2 positions: degrees; 0 inside the area"


# ---------------------------------------------------------------- projected


def projected(crs, points=((22.396, 103.454), (22.1, 103.1), (22.2, 103.0))):
    to = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to.transform([lon for _, lon in points], [lat for lat, _ in points])
    return [round(v, 3) for v in y], [round(v, 3) for v in x]


@pytest.mark.parametrize(
    "crs", ["EPSG:9205", "EPSG:3405", "EPSG:32648", "EPSG:32647", "EPSG:3857", "EPSG:5896"]
)
def test_projected_positions_are_asked_with_the_likely_codes(crs):
    y, x = projected(crs)
    for columns in ((y, x), (x, y)):
        question = asked(*columns)
        assert question.code == "position_crs"
        assert f'crs = "{crs}"' in question.values["lines"]
        assert f"({crs}): 3 / 3" in question.values["found"]
        assert len(set(question.values["lines"])) == len(question.values["lines"])


@pytest.mark.parametrize("crs", ["EPSG:9205", "EPSG:3405", "EPSG:32648", "EPSG:3857"])
@pytest.mark.parametrize("bounds", [AREA, None])
def test_projected_positions_are_read_in_the_settings_crs(crs, bounds):
    y, x = projected(crs)
    if crs != "EPSG:3857" or bounds:
        assert read(y, x, bounds, crs=crs)[0] == (LAT, LON)
        assert read(x, y, bounds, crs=crs)[0] == (LAT, LON)  # X is the northing for surveyors
    assert decided(y, x, crs=crs).evidence == f"3 positions: {crs}; 3 inside the area"


def test_projected_numbers_with_marks_and_in_one_column():
    y, x = (cells[0] for cells in projected("EPSG:9205"))
    european = [f"{v:,.3f}".translate(str.maketrans(",.", ".,")) for v in (y, x)]
    spaced = [f"{v:,.3f}".replace(",", " ") for v in (y, x)]
    english = [f"{v:,.3f}" for v in (y, x)]
    for first, second in (european, spaced, english):
        assert read([first], [second], crs="EPSG:9205") == [(LAT, LON)]
    assert read([f"POINT({x} {y})"], crs="EPSG:9205") == [(LAT, LON)]
    assert read([f"{y} {x}"], crs="EPSG:9205") == [(LAT, LON)]


def test_a_crs_that_cannot_be_is_asked_about():
    y, x = projected("EPSG:9205")
    question = asked(y, x, crs="EPSG:9209")  # another central meridian: 280 km away
    assert question.code == "position_crs"
    assert 'crs = "EPSG:9205"' in question.values["lines"]
    assert asked([LAT], [LON], crs="EPSG:9205").code == "position_not_projected"
    assert asked([LAT], [LON], crs="EPSG:999999").code == "bad_crs"
    assert asked(y, x, bounds=None).values["lines"] == ['crs = "EPSG:…"']


def test_geographic_crs():
    assert decided([LAT], [LON], crs="EPSG:4326").sure().crs is None
    ((latitude, longitude),) = read([LAT], [LON], crs="EPSG:4756")  # VN-2000: some 200 m away
    assert 0.0005 < np.hypot(latitude - LAT, longitude - LON) < 0.003


# ---------------------------------------------------------------- nothing to read


def test_what_no_form_reads_is_asked():
    assert asked(["ô 12", "ô 13"], ["x", "y"]).code == "position_unreadable"
    assert decided(["-", None], ["", None]).basis == "default"


def test_share_inside():
    assert (
        share_inside(column("lat", [22.4, 10.0, None]), column("lon", [103.4, 106.0, 103.0]), AREA)
        == 0.5
    )
    assert share_inside(column("lat", [None]).cast(pl.Float64), column("lon", [1.0]), AREA) == 0


# ---------------------------------------------------------------- laws

POINTS = st.lists(
    st.tuples(st.integers(21_950_000, 22_450_000), st.integers(102_950_000, 103_550_000)),
    min_size=1,
    max_size=8,
)  # microdegrees


def degrees_minutes(micro, letters):
    seconds = micro * 36  # in ten thousandths
    whole, rest = divmod(seconds, 36_000_000)
    minutes, rest = divmod(rest, 600_000)
    return f"{whole}°{minutes:02}'{rest / 10_000:07.4f}\"{letters}"


WRITERS = {
    "point": lambda v, _: f"{v / 1e6:.6f}",
    "comma": lambda v, _: f"{v / 1e6:.6f}".replace(".", ","),
    "minutes": degrees_minutes,
    "micro": lambda v, _: v,
    "grouped": lambda v, _: f"{v:,}".replace(",", "."),
    "number": lambda v, _: v / 1e6,
}


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=25, deadline=None)
@given(points=POINTS)
def test_what_is_written_in_a_form_is_read_back(writer, points):
    write = WRITERS[writer]
    found = read([write(y, "N") for y, _ in points], [write(x, "E") for _, x in points])
    np.testing.assert_allclose(found, [(y / 1e6, x / 1e6) for y, x in points], atol=1.1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=5))
def test_no_text_breaks_the_decision(rows):
    latitude = pl.Series("lat", [y for y, _ in rows], dtype=pl.String)
    longitude = pl.Series("lon", [x for _, x in rows], dtype=pl.String)
    for second in (longitude, None):
        found = decide_positions(latitude, second, AREA)
        assert (found.form is None) <= (found.question is not None)
        if found.form is not None:
            assert len(read_positions(latitude, second, found.form)[0]) == len(rows)
