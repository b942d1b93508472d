"""Bulk binning and bulk locating against the libraries, point by point: nothing may differ."""

import geopandas as gpd
import h3.api.basic_int as h3
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.hard_points import (
    by_the_library,
    points_on_edges,
    poles_and_pentagons,
    spread_over_the_world,
)
from pipeline.hexgrid import bulk_index, hexes
from pipeline.measurements import locate


@pytest.mark.parametrize("resolution", range(16))
def test_every_point_of_the_world_gets_the_librarys_cell(resolution):
    lat, lon = spread_over_the_world(20_000, resolution)
    assert (
        bulk_index.cells_of_points(lat, lon, resolution) == by_the_library(lat, lon, resolution)
    ).all()


@pytest.mark.parametrize("resolution", range(13))
def test_points_on_edges_and_corners_get_the_librarys_cell(resolution):
    lat, lon = points_on_edges(resolution, resolution)
    assert (
        bulk_index.cells_of_points(lat, lon, resolution) == by_the_library(lat, lon, resolution)
    ).all()


@pytest.mark.parametrize("resolution", [0, 1, 5, 8, 9, 12])
def test_poles_pentagons_and_face_centres_get_the_librarys_cell(resolution):
    lat, lon = poles_and_pentagons(resolution, resolution)
    assert (
        bulk_index.cells_of_points(lat, lon, resolution) == by_the_library(lat, lon, resolution)
    ).all()


def test_points_of_a_small_area_get_the_librarys_cell():
    """Few lattice points for many points: the cells are found in an array, not by sorting."""
    generator = np.random.default_rng(1)
    lat, lon = generator.uniform(21.7, 22.8, 100_000), generator.uniform(102.3, 103.9, 100_000)
    assert (bulk_index.cells_of_points(lat, lon, 9) == by_the_library(lat, lon, 9)).all()


def test_no_position_has_no_cell():
    lat = np.array([np.nan, 91.0, 22.0, 22.0, -90.1, 22.0])
    lon = np.array([103.0, 103.0, 181.0, np.nan, 0.0, 103.0])
    found = bulk_index.cells_of_points(lat, lon, 9)
    assert found.tolist() == [0, 0, 0, 0, 0, h3.latlng_to_cell(22.0, 103.0, 9)]
    assert bulk_index.cells_of_points(lat[:0], lon[:0], 9).tolist() == []


def test_few_points_and_many_give_the_same_cells():
    lat, lon = spread_over_the_world(500, 3)
    one_by_one = [hexes.indexes_of_points(lat[n : n + 1], lon[n : n + 1], 8)[0] for n in range(500)]
    assert hexes.indexes_of_points(lat, lon, 8).tolist() == one_by_one


# communes


def communes(*shapes):
    codes = [f"{n:05d}" for n in range(1, len(shapes) + 1)]
    return gpd.GeoDataFrame({"commune_code": codes}, geometry=list(shapes), crs="EPSG:4326")


def holder(area, lat, lon):
    """The smallest code of the communes that touch each point, by shapely, one by one."""
    points = shapely.points(lon, lat)
    answer = np.full(len(points), "", dtype=object)
    for code, shape in sorted(zip(area["commune_code"], area.geometry, strict=True), reverse=True):
        answer[shapely.intersects(shape, points)] = code
    return answer


def found(area, lat, lon, count=1_000_000):
    zones = locate.zones_of(area, count)
    assert (zones.grid is not None) == (count >= 200_000)
    return np.r_[zones.codes, [""]][locate.zone_numbers(lat, lon, zones)]


RING = shapely.Polygon(
    shapely.box(103, 22, 104, 23).exterior, [shapely.box(103.4, 22.4, 103.6, 22.6).exterior]
)
ISLANDS = shapely.MultiPolygon(
    [shapely.box(103.45, 22.45, 103.55, 22.55), shapely.box(105, 22, 105.01, 22.01)]
)
LEFT, RIGHT = (
    shapely.box(101, 21, 102, 22),
    shapely.Polygon([(102, 21), (103, 21), (103, 22), (102, 22)]),
)
SLIVER = shapely.box(101.5, 20.999999, 101.6, 21.000001)


@pytest.mark.parametrize("few", [0, 200], ids=["by a tree", "by boxes"])
@pytest.mark.parametrize("count", [10, 200_000, 3_000_000])
def test_holes_islands_shared_edges_and_corners(count, few, monkeypatch):
    monkeypatch.setattr(locate, "FEW", few)
    area = communes(RING, ISLANDS, LEFT, RIGHT, SLIVER)
    generator = np.random.default_rng(5)
    lon, lat = generator.uniform(100.9, 105.1, 30_000), generator.uniform(20.9, 23.1, 30_000)
    corners = np.concatenate([shapely.get_coordinates(shape) for shape in area.geometry])
    edge = np.column_stack([np.full(200, 102.0), generator.uniform(21, 22, 200)])
    lon, lat = np.r_[lon, corners[:, 0], edge[:, 0]], np.r_[lat, corners[:, 1], edge[:, 1]]
    assert (found(area, lat, lon, count) == holder(area, lat, lon)).all()
    assert set(found(area, edge[:, 1], edge[:, 0], count)) == {
        "00003"
    }  # the smaller code of the two


def test_what_has_no_position_is_in_no_commune():
    area = communes(LEFT)
    lat, lon = (
        np.array([np.nan, 21.5, np.inf, 1e300, 21.5]),
        np.array([101.5, np.nan, 101.5, 101.5, 101.5]),
    )
    for count in (10, 1_000_000):
        assert found(area, lat, lon, count).tolist() == ["", "", "", "", "00001"]
    answer = locate.communes_of_points(pd.Series([21.5, np.nan]), pd.Series([101.5, 101.5]), area)
    assert answer.tolist()[0] == "00001"
    assert answer.isna().tolist() == [False, True]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_any_patchwork_is_located_as_shapely_would(seed):
    """Voronoi communes, some overlapping, and points.

    The points lie all over, on vertices, on edges and an ulp beside them.
    """
    generator = np.random.default_rng(seed)
    seeds = shapely.MultiPoint(generator.uniform(0, 1, (12, 2)))
    cells = [
        shapely.intersection(cell, shapely.box(0, 0, 1, 1))
        for cell in shapely.get_parts(shapely.voronoi_polygons(seeds))
    ]
    area = communes(
        *[shapely.buffer(c, 0.02) if generator.random() < 0.2 else c for c in cells if c.area > 0]
    )
    at = np.concatenate([shapely.get_coordinates(shape) for shape in area.geometry])
    beside = np.nextafter(at, generator.choice([-np.inf, np.inf], at.shape))
    lon, lat = np.concatenate(
        [generator.uniform(-0.1, 1.1, (2000, 2)), at, beside, (at[1:] + at[:-1]) / 2]
    ).T
    assert (found(area, lat, lon, 200_000) == holder(area, lat, lon)).all()
