"""Points in communes, tiles over communes, cells: geometry that can be checked in one's head."""

from __future__ import annotations

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.hexgrid import hexes
from pipeline.measurements import locate
from tests.builders import squares


def located(points: list[tuple[float, float]], communes: gpd.GeoDataFrame) -> list[str | None]:
    y, x = pd.Series([p[0] for p in points]), pd.Series([p[1] for p in points])
    return [None if pd.isna(c) else c for c in locate.communes_of_points(y, x, communes)]


def test_centres_edges_corners_outside_and_missing():
    box = squares()
    assert located([(22.05, 103.05), (22.35, 103.35), (22.15, 103.25)], box) == [
        "r0c0",
        "r3c3",
        "r1c2",
    ]
    # a point that closed polygons share goes to the smaller code, whatever the order of the
    # communes
    edge, corner = (22.05, 103.1), (22.1, 103.1)
    for communes in (box, box.iloc[::-1]):
        assert located([edge, corner], communes) == ["r0c0", "r0c0"]
    assert located([(21.9, 103.05), (float("nan"), 103.0)], box) == [None, None]


def test_holes_and_islands():
    ring = shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2))
    with_island = shapely.union_all([ring, shapely.box(5, 5, 6, 6)])
    communes = squares(2, 1).assign(geometry=[with_island, shapely.box(1, 1, 2, 2)])
    assert located([(0.5, 0.5), (1.5, 1.5), (5.5, 5.5), (4, 4)], communes) == [
        "r0c0",
        "r0c1",
        "r0c0",
        None,
    ]


def test_same_as_sjoin_on_random_points():
    generator = np.random.default_rng(0)
    y, x = (
        pd.Series(generator.uniform(21.95, 22.45, 3000)),
        pd.Series(generator.uniform(102.95, 103.45, 3000)),
    )
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs="EPSG:4326")
    joined = (
        points.sjoin(squares(), how="left", predicate="intersects")["commune_code"]
        .groupby(level=0)
        .min()
    )
    pd.testing.assert_series_equal(
        locate.communes_of_points(y, x, squares()), joined.astype("str"), check_names=False
    )


def test_every_point_of_a_real_province_as_sjoin_says(shared):
    communes = gpd.read_file(shared / "boundaries/laichau_communes_2025.geojson").rename(
        columns={"code": "commune_code"}
    )
    west, south, east, north = communes.total_bounds
    generator = np.random.default_rng(1)
    y, x = (
        pd.Series(generator.uniform(south, north, 20_000)),
        pd.Series(generator.uniform(west, east, 20_000)),
    )
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs="EPSG:4326")
    joined = (
        points.sjoin(communes[["commune_code", "geometry"]], how="left", predicate="intersects")[
            "commune_code"
        ]
        .groupby(level=0)
        .min()
    )
    pd.testing.assert_series_equal(
        locate.communes_of_points(y, x, communes), joined.astype("str"), check_names=False
    )


def test_a_tile_on_a_border_is_split_by_area_and_never_counted_twice():
    communes = squares(2, 1)
    tiles = np.array(
        [
            shapely.box(103.05, 22.02, 103.15, 22.08),
            shapely.box(103.15, 22.02, 103.25, 22.08),
            shapely.box(90, 0, 91, 1),
        ]
    )
    shares = locate.tile_shares(tiles, communes)
    assert shares["tile"].tolist() == [0, 0, 1]
    assert shares["tile_share"].to_numpy() == pytest.approx([0.5, 0.5, 0.5], abs=1e-4)
    overlapping = communes.assign(geometry=[shapely.box(103, 22, 103.2, 22.1)] * 2)
    assert locate.tile_shares(tiles[:1], overlapping)["tile_share"].tolist() == pytest.approx(
        [0.5, 0.5]
    )


# --- cells


def test_cells_are_the_librarys_and_bad_positions_have_none():
    y, x = pd.Series([22.4, np.nan, 95.0, 22.4]), pd.Series([103.4, 103.4, 103.4, 200.0])
    cells = hexes.cells_of_points(y, x, 9)
    assert cells[0] == h3.latlng_to_cell(22.4, 103.4, 9)
    assert cells[1:].isna().all()


def devices_in(cells: dict[str, int]) -> pd.DataFrame:
    rows = [(cell, f"{cell}-{i}", 1.0) for cell, count in cells.items() for i in range(count)]
    return pd.DataFrame(rows, columns=["hex9_id", "device_key", "device_weight"])


ROOT = h3.latlng_to_cell(22.4, 103.4, 6)
SEVENS = sorted(h3.cell_to_children(ROOT, 7))


def nines(cell: str) -> list[str]:
    return sorted(h3.cell_to_children(cell, 9))


def test_a_cell_is_split_only_where_every_child_with_tests_has_three_devices():
    a, b = nines(SEVENS[0])[0], nines(SEVENS[1])[0]
    shown = hexes.adaptive_cells(devices_in({a: 3, b: 3}), coarsest=6, finest=9, min_devices=3)
    assert shown.to_dict() == {a: a, b: b}, "each branch goes down to its one child"
    shown = hexes.adaptive_cells(devices_in({a: 3, b: 2}), coarsest=6, finest=9, min_devices=3)
    assert set(shown) == {ROOT}, "a child with two devices keeps its parent whole"
    a2 = nines(sorted(h3.cell_to_children(SEVENS[0], 8))[1])[0]
    a8 = nines(min(h3.cell_to_children(SEVENS[0], 8)))[0]
    shown = hexes.adaptive_cells(
        devices_in({a8: 3, a2: 1, b: 3}), coarsest=6, finest=9, min_devices=3
    )
    assert shown[a8] == shown[a2] == SEVENS[0]
    assert shown[b] == b


def test_one_device_in_two_cells_is_one_device_in_their_parent():
    eight = min(h3.cell_to_children(SEVENS[0], 8))
    a, b = nines(eight)[:2]
    same = devices_in({a: 2, b: 2}).assign(device_key=["x", "y", "x", "y"])
    assert set(hexes.adaptive_cells(same, coarsest=8, finest=9, min_devices=3)) == {eight}
    figures = hexes.cell_figures(
        same.assign(
            operator="V", test_count=1.0, sample_count=1.0, download_total=[10.0, 20.0, 30.0, 40.0],
            upload_total=[4.0, 0.0, 24.0, 0.0], upload_count=[1.0, 0.0, 3.0, 0.0],
            latency_total=[50.0, 30.0, 0.0, 40.0], latency_count=[1.0, 1.0, 0.0, 1.0],
        ),
        pd.Series({a: eight, b: eight}), 40.0,
    ).set_index("operator")  # fmt: skip
    # x: uploads 4 (one sample) and 8 (three) → 7; y: none. Latency: x 50, y (30 + 40) / 2 = 35 →
    # median 42.5
    assert figures.loc["V", ["upload_mean_mbps", "latency_median_ms"]].tolist() == [7.0, 42.5]
    assert figures.loc["V", ["device_count", "mean_mbps", "below_count"]].tolist() == [2, 25.0, 2]
    assert figures.loc["all", "test_count"] == 4


def test_no_cell_below_the_gate_but_the_coarsest():
    generator = np.random.default_rng(2)
    y, x = (
        pd.Series(generator.normal(22.4, 0.05, 400)),
        pd.Series(generator.normal(103.4, 0.05, 400)),
    )
    devices = pd.DataFrame(
        {
            "hex9_id": hexes.cells_of_points(y, x, 9),
            "device_key": [f"d{i % 150}" for i in range(400)],
            "device_weight": 1.0,
        }
    )
    shown = hexes.adaptive_cells(devices, coarsest=6, finest=9, min_devices=3)
    held = (
        devices.assign(cell=devices["hex9_id"].map(shown)).groupby("cell")["device_key"].nunique()
    )
    small = held[held < 3]
    assert len(small) > 0
    assert all(h3.get_resolution(cell) == 6 for cell in small.index)
    assert len(set(hexes.resolutions(pd.Series(held.index)))) > 1
    # the shown cells part the ground: no shown cell lies inside another
    for cell in held.index:
        ancestors = {h3.cell_to_parent(cell, r) for r in range(6, h3.get_resolution(cell))}
        assert not ancestors & set(held.index)


def test_outlines_are_the_librarys_and_the_date_line_is_no_band_around_the_world():
    outline = hexes.outlines(pd.Series([ROOT])).iloc[0]
    assert outline.contains(shapely.Point(h3.cell_to_latlng(ROOT)[::-1]))
    crossing = h3.latlng_to_cell(10.0, 179.999, 5)
    parts = hexes.outlines(pd.Series([crossing])).iloc[0]
    assert parts.geom_type == "MultiPolygon"
    assert all(p.bounds[2] - p.bounds[0] < 5 for p in parts.geoms)
