"""Boundary and population files: each guard seen to fire, geometry computed by hand."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.config.settings import Boundaries
from pipeline.schema.errors import UserFault
from pipeline.sources.boundaries import read_communes
from pipeline.sources.population import people_per_commune
from tests.builders import squares, write_boundaries


def read(path, **change):
    return read_communes(path, Boundaries(**{"vintage": "test", **change}))


def codes_of(caught) -> list[str]:
    return [f.code for f in caught.value.faults]


def test_squares_come_back_sorted_with_geodesic_areas(tmp_path):
    communes, warnings = read(
        write_boundaries(tmp_path / "b.geojson", squares().iloc[::-1]),
        population_column="population",
    )
    assert communes["commune_code"].is_monotonic_increasing
    assert len(communes) == 16
    assert warnings == []
    assert communes["population"].eq(1000).all()
    # a 0.1° square at 22°: 0.1² × (110.7 km)(103.1 km) within a per cent
    assert communes["area_km2"].iloc[0] == pytest.approx(0.1 * 110.74 * 0.1 * 103.2, rel=0.01)


@pytest.mark.parametrize(
    ("edit", "change", "codes"),
    [
        (lambda f: f[0]["properties"].update(code=""), {}, ["blank_codes"]),
        (lambda f: f[1]["properties"].update(code="r0c0"), {}, ["repeated_codes"]),
        (lambda f: f[1].update(geometry=None), {}, ["no_polygons"]),
        (lambda f: f[1].update(geometry={"type": "Point", "coordinates": [103, 22]}), {},
         ["no_polygons"]),
        (lambda f: f[2]["properties"].update(population=-1), {"population_column": "population"},
         ["bad_population"]),
        (lambda _: None, {"expected_count": 17}, ["commune_count"]),
        (lambda _: None, {"code_column": "ma"}, ["missing_column"]),
        (lambda _: None, {"name_column": "ten", "population_column": "dan", "expected_count": 3},
         ["missing_column"] * 2 + ["commune_count"]),
        (lambda f: [x["properties"].pop("code") for x in f], {}, ["no_usual_column"]),
    ],
)  # fmt: skip
def test_faults(tmp_path, edit, change, codes):
    path = write_boundaries(tmp_path / "b.geojson")
    document = json.loads(path.read_text())
    edit(document["features"])
    path.write_text(json.dumps(document))
    with pytest.raises(UserFault) as caught:
        read(path, **change)
    assert sorted(codes_of(caught)) == sorted(codes)


def test_missing_empty_and_foreign_files(tmp_path):
    (tmp_path / "empty.geojson").write_text("")
    (tmp_path / "text.geojson").write_text("hello")
    (tmp_path / "none.geojson").write_text('{"type":"FeatureCollection","features":[]}')
    for name, code in (
        ("absent.geojson", "missing_file"),
        ("empty.geojson", "empty_file"),
        ("text.geojson", "unreadable_file"),
        ("none.geojson", "empty_file"),
    ):
        with pytest.raises(UserFault) as caught:
            read(tmp_path / name)
        assert codes_of(caught) == [code], name


def test_a_file_without_crs_is_a_fault_and_a_given_crs_places_it(tmp_path):
    vn2000 = squares().to_crs("EPSG:9205")
    plain = gpd.GeoDataFrame(
        {"code": vn2000["commune_code"], "name": vn2000["commune_name"]},
        geometry=vn2000.geometry.to_numpy(),
        crs=vn2000.crs,
    )
    plain.to_file(tmp_path / "b.shp", driver="ESRI Shapefile")
    (tmp_path / "b.prj").unlink()
    with pytest.raises(UserFault) as caught:
        read(tmp_path / "b.shp")
    assert codes_of(caught) == ["no_crs"]
    communes, _ = read(tmp_path / "b.shp", crs="EPSG:9205")
    assert np.allclose(communes.total_bounds, squares().total_bounds, atol=1e-6)
    with pytest.raises(UserFault) as caught:
        read(tmp_path / "b.shp", crs="EPSG:none")
    assert codes_of(caught) == ["bad_crs"]


def test_codes_that_lost_their_zeros_get_them_back(tmp_path):
    communes = squares(2, 1)
    frame = gpd.GeoDataFrame(
        {"code": [3388, 3390], "name": ["a", "b"]},
        geometry=communes.geometry.to_numpy(),
        crs="EPSG:4326",
    )
    frame.to_file(tmp_path / "b.gpkg")
    assert read(tmp_path / "b.gpkg", code_length=5)[0]["commune_code"].tolist() == [
        "03388",
        "03390",
    ]
    with pytest.raises(UserFault) as caught:
        read(tmp_path / "b.gpkg")  # four digits in Vietnam, unknown names: asked
    assert codes_of(caught) == ["which_code_length"]
    assert read(tmp_path / "b.gpkg", code_length=4)[0]["commune_code"].tolist() == ["3388", "3390"]


def test_a_bow_tie_is_repaired_and_overlaps_are_told(tmp_path):
    bow = shapely.Polygon([(103, 22), (103.2, 22.2), (103.2, 22), (103, 22.2)])
    other = shapely.box(103.15, 22.0, 103.4, 22.2)
    gpd.GeoDataFrame(
        {"code": ["a", "b"], "name": ["a", "b"]}, geometry=[bow, other], crs="EPSG:4326"
    ).to_file(tmp_path / "b.gpkg")
    communes, warnings = read(tmp_path / "b.gpkg")
    assert [w.code for w in warnings] == ["repaired_outline", "overlap"]
    assert communes.geometry.is_valid.all()


# --- people


def write_raster(path, array, west=103.0, north=22.4, size=0.1, nodata=-99999.0):
    import rasterio
    from affine import Affine

    with rasterio.open(
        path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1], count=1,
        dtype="float64", crs="EPSG:4326",
        transform=Affine(size, 0, west, 0, -size, north), nodata=nodata,
    ) as raster:  # fmt: skip
        raster.write(array, 1)
    return path


ARGUMENTS = dict(code_column="commune_code", people_column="population", total=None)


def test_cells_of_the_raster_fall_on_the_squares(tmp_path):
    array = np.arange(16.0).reshape(4, 4)  # first row is the northernmost
    people, warnings = people_per_commune(
        squares(), write_raster(tmp_path / "p.tif", array), **ARGUMENTS
    )
    assert people["r0c0"] == pytest.approx(12)
    assert people["r3c3"] == pytest.approx(3)
    assert people.sum() == pytest.approx(array.sum())
    assert warnings == []
    doubled, _ = people_per_commune(squares(), tmp_path / "p.tif", **(ARGUMENTS | {"total": 240.0}))
    assert doubled["r0c0"] == pytest.approx(24)


def test_partial_cells_count_by_their_part(tmp_path):
    # one cell of 0.4° with 160 people: a sixteenth to each square
    people, _ = people_per_commune(
        squares(), write_raster(tmp_path / "p.tif", np.array([[160.0]]), size=0.4), **ARGUMENTS
    )
    assert np.allclose(people, 10)


def test_ground_without_a_value_is_unknown_not_empty(tmp_path):
    array = np.full((4, 4), 5.0)
    array[3, 0] = -99999.0
    people, warnings = people_per_commune(
        squares(), write_raster(tmp_path / "p.tif", array), **ARGUMENTS
    )
    assert np.isnan(people["r0c0"])
    assert warnings[0].code == "no_population"
    assert warnings[0].values["found"] == ["r0c0"]


def test_rasters_that_cannot_serve(tmp_path):
    elsewhere = write_raster(tmp_path / "e.tif", np.ones((2, 2)), west=10)
    negative = write_raster(tmp_path / "n.tif", np.full((4, 4), -2.0))
    (tmp_path / "text.tif").write_text("no raster")
    for path, code in (
        (elsewhere, "raster_elsewhere"),
        (negative, "bad_population"),
        (tmp_path / "text.tif", "unreadable_file"),
        (tmp_path / "absent.tif", "missing_file"),
    ):
        with pytest.raises(UserFault) as caught:
            people_per_commune(squares(), path, **ARGUMENTS)
        assert codes_of(caught) == [code]


def test_people_from_a_csv(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("commune_code,population\nr0c0,10\nr0c1,20\n")
    people, warnings = people_per_commune(squares(2, 1), path, **ARGUMENTS)
    assert people.tolist() == [10, 20]
    assert warnings == []
    for text, codes in (
        ("code,population\nr0c0,10\n", ["missing_column"]),
        (
            "commune_code,population\nr0c0,-1\nr0c0,x\n",
            ["bad_population", "bad_population", "repeated_code"],
        ),
        ("commune_code,population\n99,5\n", ["no_code_met"]),
        ("", ["unreadable_file"]),
    ):
        path.write_text(text)
        with pytest.raises(UserFault) as caught:
            people_per_commune(squares(2, 1), path, **ARGUMENTS)
        assert codes_of(caught) == codes


@pytest.mark.parametrize(
    ("written", "people"),
    [
        (("12.345", "950"), (12345, 950)),
        (("12.345.678", "1.000"), (12345678, 1000)),
        (('"12,345"', '"1,234,567"'), (12345, 1234567)),
        (("12 345", "12\u00a0345"), (12345, 12345)),
        (("12345", "12.345"), (12345, 12345)),
        (("12345.0", "12.5"), (12345, 12.5)),  # a zonal sum: the point is decimal
        (("1234.567", "12.345"), (1234.567, 12.345)),
        (('"1.234,5"', '"12,345"'), (1234.5, 12.345)),
        (('"1,234.5"', '"12,345"'), (1234.5, 12345)),
    ],
)
def test_people_are_read_as_they_are_written(tmp_path, written, people):
    path = tmp_path / "p.csv"
    path.write_text(f"commune_code,population\nr0c0,{written[0]}\nr0c1,{written[1]}\n")
    assert tuple(people_per_commune(squares(2, 1), path, **ARGUMENTS)[0]) == people
    made = write_boundaries(tmp_path / "b.geojson", squares(2, 1))
    features = json.loads(made.read_text())
    for feature, text in zip(features["features"], written, strict=True):
        feature["properties"]["population"] = text.strip('"')
    made.write_text(json.dumps(features))
    communes, _ = read(made, population_column="population")
    assert tuple(communes["population"]) == people


def test_blank_rows_are_no_rows_and_a_code_that_is_missing_is_named_with_its_row(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("commune_code,population\n,\nr0c0,10\n\n , \nr0c1,20\n,\n")
    people, _ = people_per_commune(squares(2, 1), path, **ARGUMENTS)
    assert people.tolist() == [10, 20]
    path.write_text("commune_code,population\n\nr0c0,10\n,\n,5\nr0c0,20\n")
    with pytest.raises(UserFault) as caught:
        people_per_commune(squares(2, 1), path, **ARGUMENTS)
    assert [(f.code, f.row) for f in caught.value.faults] == [
        ("blank_code", 5),
        ("repeated_code", 6),
    ]


def test_the_real_raster_against_a_brute_force_sum(shared):
    """Three communes of the real raster, cell by cell with shapely, agree within 0.1 %."""
    import rasterio

    communes, _ = read(
        shared / "boundaries/laichau_communes_2025.geojson",
        name_column="fullName",
        expected_count=38,
    )
    some = communes.iloc[[0, 11, 30]]
    path = shared / "population/laichau_worldpop_2020_1km.tif"
    people, _ = people_per_commune(communes, path, **ARGUMENTS)
    with rasterio.open(path) as raster:
        values, transform, nodata = raster.read(1), raster.transform, raster.nodata
    for code, shape in zip(some["commune_code"], some.geometry, strict=True):
        west, south, east, north = shape.bounds
        c0, c1 = (
            int((west - transform.c) / transform.a) - 1,
            int((east - transform.c) / transform.a) + 2,
        )
        r0, r1 = (
            int((north - transform.f) / transform.e) - 1,
            int((south - transform.f) / transform.e) + 2,
        )
        total = 0.0
        for r in range(max(r0, 0), min(r1, values.shape[0])):
            for c in range(max(c0, 0), min(c1, values.shape[1])):
                if values[r, c] == nodata or np.isnan(values[r, c]):
                    continue
                x, y = transform.c + c * transform.a, transform.f + r * transform.e
                cell = shapely.box(x, y + transform.e, x + transform.a, y)
                total += float(values[r, c]) * cell.intersection(shape).area / cell.area
        assert people[code] == pytest.approx(total, rel=1e-3)


def test_real_communes_are_met_as_they_are(shared):
    communes, warnings = read(
        shared / "boundaries/laichau_communes_2025.geojson", expected_count=38
    )
    assert warnings == []
    assert communes["commune_code"].str.fullmatch(r"\d{5}").all()
    official = gpd.read_file(shared / "boundaries/laichau_communes_2025.geojson").set_index("code")[
        "areaKm2"
    ]
    ratio = communes.set_index("commune_code")["area_km2"] / official
    assert ratio.between(0.97, 1.03).all()
    assert isinstance(communes, pd.DataFrame)
