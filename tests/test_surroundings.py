"""Facilities, roads, terrain and people per cell.

Counted by hand on squares, and on the real raster.
"""

from __future__ import annotations

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine

from pipeline.config.settings import Boundaries
from pipeline.hexgrid import hexes
from pipeline.schema.errors import UserFault
from pipeline.sources import boundaries, context_layers, population
from tests.builders import month_of_tests, squares, write_world


def vector(path, shapes, crs="EPSG:4326", **columns):
    gpd.GeoDataFrame(columns, geometry=shapes, crs=crs).to_file(path)
    return path


def raster(path, values: np.ndarray, west=103.0, north=22.2, cell=0.01, crs="EPSG:4326"):
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1,
        dtype="float64", crs=crs,
        transform=Affine(cell, 0.0, west, 0.0, -cell, north), nodata=-9999.0,
    ) as file:  # fmt: skip
        file.write(values, 1)
    return path


POINT = shapely.Point


def test_facilities_are_counted_where_they_lie_and_the_others_are_told(tmp_path):
    shapes = [
        POINT(103.05, 22.05),
        POINT(103.06, 22.05),
        shapely.box(103.12, 22.02, 103.14, 22.04),
        POINT(103.1, 22.05),
        POINT(99, 9),
    ]
    path = vector(tmp_path / "f.gpkg", shapes, kind=["school", "bar", "clinic", "school", "school"])
    counts, warnings = context_layers.facilities_per_commune(
        squares(2, 1), path, kind_column=None, kinds=()
    )
    assert counts.to_dict() == {"r0c0": 3, "r0c1": 1}, (
        "on the shared border the smaller code has it"
    )
    assert [(w.code, w.values["found"], w.values["count"]) for w in warnings] == [
        ("facilities_outside", 1, 5)
    ]
    counts, _ = context_layers.facilities_per_commune(
        squares(2, 1), path, kind_column="kind", kinds=("school",)
    )
    assert counts.to_dict() == {"r0c0": 2, "r0c1": 0}


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda p: p / "none.gpkg", "missing_file"),
        (lambda p: vector(p / "x.geojson", [POINT(1, 1)], kind=["a"]), "missing_column"),
        (lambda p: vector(p / "x.shp", [POINT(1, 1)], crs=None, other=["a"]), "no_crs"),
        (lambda p: (p / "x.geojson").write_text("{") and p / "x.geojson", "unreadable_file"),
    ],
)
@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_bad_file_is_a_letter(tmp_path, make, code):
    with pytest.raises(UserFault) as raised:
        context_layers.facilities_per_commune(
            squares(2, 1), make(tmp_path), kind_column="nature", kinds=()
        )
    assert raised.value.faults[0].code == code


def test_terrain_is_the_spread_of_heights_inside_the_commune(tmp_path):
    heights = np.full((20, 40), 300.0)
    heights[10:, 10:20] += np.where(np.arange(10) % 2, 100.0, -100.0)  # r0c1: ± 100 m
    heights[:10, 0:10] += np.where(np.arange(10) % 2, 400.0, -400.0)  # r1c0: ± 400 m
    path = raster(tmp_path / "dem.tif", heights[:, :20])
    found = context_layers.terrain_of_communes(
        squares(3, 2), path, hilly_relief_m=50, mountainous_relief_m=150
    )
    assert found.drop(["r0c2", "r1c2"]).to_dict() == {
        "r0c0": "flat",
        "r0c1": "hilly",
        "r1c0": "mountainous",
        "r1c1": "flat",
    }
    assert found[["r0c2", "r1c2"]].isna().all(), "the raster does not reach them"
    with pytest.raises(UserFault) as raised:
        context_layers.terrain_of_communes(
            squares(1, 1, west=10), path, hilly_relief_m=50, mountainous_relief_m=150
        )
    assert raised.value.faults[0].code == "raster_elsewhere"


def test_crossed_pieces():
    roads = np.array([shapely.LineString([(0, 0.5), (1, 0.5)])])
    pieces = np.array(
        [shapely.box(0.2, 0, 0.4, 1), shapely.box(0.2, 0.6, 0.4, 1), shapely.box(5, 5, 6, 6)]
    )
    assert context_layers.crossed_by(roads, pieces).tolist() == [True, False, False]
    assert context_layers.crossed_by(roads[:0], pieces).tolist() == [False] * 3


def test_people_of_a_cell_are_its_part_of_each_commune(tmp_path):
    """A cell over two communes takes a part of the people of each.

    Weights are 1 in the west commune and 3 in the east; 800 and 300 people live there.
    """
    weights = np.ones((10, 20))
    weights[:, 10:] = 3.0
    path = raster(tmp_path / "w.tif", weights, north=22.1)
    communes = squares(2, 1).assign(population=[800.0, 300.0])
    cells = gpd.GeoSeries([shapely.box(103.05, 22.0, 103.15, 22.1),
                           shapely.box(103.0, 22.0, 103.05, 22.05), shapely.box(90, 0, 91, 1)],
                           index=["both", "west", "away"], crs=4326)  # fmt: skip
    people = population.people_of_cells(cells, communes, path)
    assert people["both"] == pytest.approx(800 / 2 + 300 / 2)
    assert people["west"] == pytest.approx(800 / 4)
    assert np.isnan(people["away"])
    unknown = population.people_of_cells(cells, communes.assign(population=[np.nan, 300.0]), path)
    assert unknown["both"] == pytest.approx(150)
    assert np.isnan(unknown["west"])


@pytest.mark.slow
def test_people_over_all_cells_are_the_communes_people_on_the_real_raster(shared):
    about = Boundaries(code_column="code", name_column="fullName")
    communes, _ = boundaries.read_communes(
        shared / "boundaries/laichau_communes_2025.geojson", about
    )
    path = shared / "population/laichau_worldpop_2020_1km.tif"
    people, _ = population.people_per_commune(
        communes, path, code_column="", people_column="", total=460_196
    )
    communes = communes.assign(population=people.to_numpy())
    area = communes.union_all().buffer(0.05)
    cells = pd.Series(
        h3.geo_to_cells(shapely.geometry.mapping(shapely.simplify(area, 0.01)), 6), dtype="str"
    )
    outlines = hexes.outlines(cells)
    outlines.index = pd.Index(cells)
    found = population.people_of_cells(outlines, communes, path)
    assert found.sum() == pytest.approx(460_196, rel=0.001)


def test_a_crowded_commune_is_questioned():
    communes = squares(2, 1).assign(population=[114.0 * 60_000, 5000.0])
    assert population.crowded(communes) == ["r0c0 (60,000/km²)"]
    assert population.crowded(communes.assign(population=np.nan)) == []


def test_a_run_with_everything_weighs_it_and_names_its_inputs(lomsong, tmp_path):
    slow = [8.0, 12.0, 14.0, 9.0, 11.0, 13.0, 10.0, 15.0, 9.5, 12.5, 8.5, 14.5]
    fast = [60.0, 75.0, 58.0, 90.0, 81.0, 70.0, 66.0, 55.0, 73.0, 62.0]
    plan = {
        (f"r{r}c{c}", "A"): slow if (r, c) in ((0, 0), (1, 1)) else fast
        for r in range(3)
        for c in range(3)
    }
    vector(
        tmp_path / "facilities.gpkg",
        [POINT(103.05, 22.05), POINT(103.06, 22.06), POINT(50, 50)],
        kind=["school"] * 3,
    )
    vector(
        tmp_path / "roads.gpkg",
        [shapely.LineString([(103.0, 22.05), (103.1, 22.05)])],
        highway=["primary"],
    )
    raster(tmp_path / "people.tif", np.ones((40, 40)), north=22.4)
    raster(
        tmp_path / "dem.tif",
        np.where(np.arange(40) % 2, 900.0, 100.0) * np.ones((40, 1)),
        north=22.4,
    )
    settings = write_world(
        tmp_path, {"2026-10": month_of_tests("2026-10", plan)},
        "[facilities]\npath = 'facilities.gpkg'\n[roads]\npath = 'roads.gpkg'\n"
        "[population]\npath = 'people.tif'\ntotal = 16000\n[terrain]\npath = 'dem.tif'\n",
    )  # fmt: skip
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 0, text
    assert "1 of 3 facilities lie outside every commune" in text
    out = tmp_path / "outputs/2026-10"
    rows = pd.read_parquet(out / "tables/priorities.parquet").set_index("commune_code")
    assert set(rows.index) == {"r0c0", "r1c1"}
    assert rows["facility_count"].to_dict() == {"r0c0": 2, "r1c1": 0}
    assert rows["has_main_road"].to_dict() == {"r0c0": True, "r1c1": False}
    assert set(rows["terrain"]) == {"mountainous"}
    weight = rows["priority_index"] / rows["expected_person_gap"] / 1.5  # both are total gaps
    assert weight["r0c0"] == pytest.approx(1.2 * 1.1)
    assert weight["r1c1"] == pytest.approx(1.0)
    areas = pd.read_parquet(out / "tables/gap_areas.parquet").set_index("commune_code")
    cells = (
        gpd.read_parquet(out / "tables/hex_status.parquet")
        .drop_duplicates("hex_id")
        .set_index("hex_id")
    )
    assert areas["population"].gt(0).all()
    assert areas.loc["r0c0", "population"] == pytest.approx(
        cells.loc[areas.loc["r0c0", "cells"].split(";"), "population"].sum()
    )
    import json

    read = {
        item["role"]
        for item in json.loads((out / "manifest.json").read_text(encoding="utf-8"))["inputs"]
    }
    assert {"facilities", "roads", "terrain", "population"} <= read


def test_inhabited_cells_hold_the_people_of_their_commune(tmp_path):
    weights = np.zeros((20, 20))
    weights[:10, :10] = 4.0  # the north-west of a commune: its cells have all of its 1,000 people
    communes = squares(columns=2, rows=1, side=0.2, south=22.0)
    communes["population"] = [1000.0, 0.0]
    path = raster(tmp_path / "w.tif", weights)
    found = population.inhabited_cells(communes, path, 7, 5.0)
    assert set(found["commune_code"]) == {"r0c0"}
    assert (found["latitude"] > 22.08).all()
    assert (found["longitude"] < 103.12).all()
    assert found["people"].sum() == pytest.approx(1000, rel=0.06)  # less the parts of 5 and fewer
    assert found["people"].min() >= 5
    assert found["hex_id"].is_unique
