"""Where in a commune devices tested: villages within reach, clusters of cells, shares, votes."""

from __future__ import annotations

import math

import h3
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.hexgrid.hexes import FINE
from pipeline.measurements import strata
from pipeline.measurements.scope import Names

NAMES = Names(np.array(["a", "b"], dtype=object), ["P", "V"])
CENTRE = (22.40, 103.45)
KM_LATITUDE = 111.195  # km of a degree


def cell(north_km: float = 0.0, east_km: float = 0.0, resolution: int = 9) -> int:
    latitude = CENTRE[0] + north_km / KM_LATITUDE
    longitude = CENTRE[1] + east_km / (KM_LATITUDE * math.cos(math.radians(CENTRE[0])))
    return h3.str_to_int(h3.latlng_to_cell(latitude, longitude, resolution))


def drawn(rows: list[tuple[int, int, int, int, int, float]]) -> pl.DataFrame:
    """`strata`: (zone, operator, device, cell, samples, mean Mbit/s)."""
    columns = list(zip(*rows, strict=True))
    zone, operator, device, cells, samples, mean = (list(c) for c in columns)
    total = [round(n * x * FINE) for n, x in zip(samples, mean, strict=True)]
    return pl.DataFrame(
        {
            "zone": pl.Series(zone, dtype=pl.Int32),
            "operator": pl.Series(operator, dtype=pl.Int8),
            "device": pl.Series(device, dtype=pl.UInt64),
            "cell": pl.Series(cells, dtype=pl.UInt64),
            "samples": pl.Series(samples, dtype=pl.UInt32),
            "download": pl.Series(total, dtype=pl.Int64),
            "capped": pl.Series(
                [min(t, 150 * n * FINE) for t, n in zip(total, samples, strict=True)]
            ),
        }
    )


def village_at(places: list[tuple[str, float, float]], people: list[float] | None = None):
    """The declared table of villages at (commune, km north, km east) of the centre."""
    return pd.DataFrame(
        {
            "village_name": [f"v{i}" for i in range(len(places))],
            "commune_code": [code for code, *_ in places],
            "latitude": [CENTRE[0] + north / KM_LATITUDE for _, north, _ in places],
            "longitude": [
                CENTRE[1] + east / (KM_LATITUDE * math.cos(math.radians(CENTRE[0])))
                for *_, east in places
            ],
            "people": people or [np.nan] * len(places),
        }
    )


def stratum_of(found: strata.Places, zone: int, of: int) -> int:
    row = found.cells.filter((pl.col("zone") == zone) & (pl.col("cell") == of))
    return int(row["stratum"].item())


def test_a_cell_belongs_to_the_nearest_village_of_its_commune_within_the_radius():
    villages = village_at([("a", 0.0, 0.0), ("a", 2.0, 0.0), ("b", 5.0, 0.0)])
    near, between, far, other = cell(0.5), cell(1.6), cell(3.9), cell(4.9)
    rows = drawn(
        [
            *((0, 1, i, c, 1, 30.0) for i, c in enumerate((near, between, far, other))),
            (1, 1, 9, other, 1, 30.0),
        ]
    )
    found = strata.places_of(rows, NAMES, villages, 1.5)
    assert stratum_of(found, 0, near) == 0
    assert stratum_of(found, 0, between) == 1
    assert stratum_of(found, 0, far) > 2, "1.9 km from the nearest village"
    assert stratum_of(found, 0, other) > 2, "a village of another commune is none of its own"
    assert stratum_of(found, 1, other) == 2


@pytest.mark.parametrize(("radius", "is_inside"), [(0.9, False), (1.6, True)])
def test_the_radius_is_a_setting(radius, is_inside):
    villages, here = village_at([("a", 0.0, 0.0)]), cell(1.25)
    found = strata.places_of(drawn([(0, 1, 1, here, 1, 30.0)]), NAMES, villages, radius)
    assert (stratum_of(found, 0, here) == 0) == is_inside


def test_cells_that_touch_are_one_cluster_and_communes_part_them():
    first = h3.latlng_to_cell(*CENTRE, 8)
    ring = h3.grid_disk(first, 1)
    second = next(c for c in ring if c != first)
    apart = min(set(h3.grid_ring(first, 3)) - set(h3.grid_disk(second, 1)))
    fine = [h3.str_to_int(h3.cell_to_center_child(c, 9)) for c in (first, second, apart)]
    rows = drawn([(0, 1, i, c, 1, 30.0) for i, c in enumerate(fine)] + [(1, 1, 7, fine[0], 1, 9.0)])
    found = strata.places_of(rows, NAMES, None, 1.5)
    assert stratum_of(found, 0, fine[0]) == stratum_of(found, 0, fine[1])
    assert stratum_of(found, 0, fine[0]) != stratum_of(found, 0, fine[2])
    assert stratum_of(found, 0, fine[0]) != stratum_of(found, 1, fine[0])


def test_a_device_has_one_vote_divided_by_its_samples():
    here, there = cell(0.0), cell(8.0)
    rows = drawn([(0, 1, 1, here, 3, 20.0), (0, 1, 1, there, 1, 60.0), (0, 1, 2, there, 2, 30.0)])
    found = strata.places_of(rows, NAMES, None, 1.5)
    sums = strata.stratum_sums(rows, found, NAMES).set_index(["operator", "stratum"])
    one, two = stratum_of(found, 0, here), stratum_of(found, 0, there)
    for operator in ("V", "all"):
        near, far = sums.loc[(operator, one)], sums.loc[(operator, two)]
        assert (near["votes"], far["votes"]) == (0.75, 1.25)
        assert near["download_mbps"] == pytest.approx(0.75 * 20)
        assert far["download_mbps"] == pytest.approx(0.25 * 60 + 30)
        assert far["download_square"] == pytest.approx(0.25 * 60**2 + 30**2)
        assert far["download_log"] == pytest.approx(0.25 * math.log(60) + math.log(30))
        assert far["download_log_square"] == pytest.approx(
            0.25 * math.log(60) ** 2 + math.log(30) ** 2
        )


def test_two_sim_cards_have_a_vote_each_and_speeds_are_capped():
    here = cell()
    rows = drawn([(0, 0, 1, here, 2, 20.0), (0, 1, 1, here, 1, 400.0)])
    sums = strata.stratum_sums(rows, strata.places_of(rows, NAMES, None, 1.5), NAMES)
    pooled = sums[sums["operator"] == "all"].iloc[0]
    assert pooled["votes"] == 2
    assert pooled["download_mbps"] == pytest.approx(420)
    assert pooled["capped_mbps"] == pytest.approx(170)
    assert pooled["capped_log"] == pytest.approx(math.log(20) + math.log(150))


row = st.tuples(
    st.integers(0, 1), st.integers(0, 1), st.integers(1, 6), st.sampled_from([0.0, 1.0, 4.0, 9.0]),
    st.integers(1, 4), st.floats(1, 300),
).map(lambda r: (r[0], r[1], r[2], cell(r[3]), r[4], r[5]))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(row, min_size=1, max_size=20), st.randoms())
def test_order_and_shards_do_not_matter_and_votes_are_devices(rows, random):
    table = drawn(rows).unique(["zone", "operator", "device", "cell"], maintain_order=True)
    found = strata.places_of(table, NAMES, None, 1.5)
    sums = strata.stratum_sums(table, found, NAMES)
    order = list(range(table.height))
    random.shuffle(order)
    again = strata.stratum_sums(
        table[order], strata.places_of(table[order], NAMES, None, 1.5), NAMES
    )
    pd.testing.assert_frame_equal(sums, again, check_exact=True)
    named = sums[sums["operator"] != "all"]
    devices = table.select("zone", "operator", "device").unique().height
    assert named["votes"].sum() == pytest.approx(devices)
    assert sums[sums["operator"] == "all"]["votes"].sum() == pytest.approx(devices)


NOBODY = pd.Series(dtype="float64")


def shares(rows: pl.DataFrame, villages=None, people=NOBODY, population=NOBODY, area=NOBODY):
    found = strata.places_of(rows, NAMES, villages, 1.5)
    communes = pd.DataFrame({"population": population, "area_km2": area}, dtype="float64")
    basis, table = strata.shares_of(found, NAMES, villages, people, communes)
    return found, basis, table.set_index(["commune_code", "stratum"])["share"]


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([300.0, 100.0, 5.0], [0.75, 0.25, 1.0]),
        ([300.0, np.nan, np.nan], [0.5, 0.5, 1.0]),  # as the mean of the others; alone
        ([np.nan, np.nan, np.nan], [0.5, 0.5, 1.0]),
        ([300.0, 0.0, 5.0], [1.0, 0.0, 1.0]),
        ([0.0, 0.0, 0.0], [0.5, 0.5, 1.0]),
    ],
)
def test_villages_share_by_their_people(people, expected):
    villages = village_at([("a", 0.0, 0.0), ("a", 5.0, 0.0), ("b", 9.0, 0.0)], people)
    rows = drawn([(0, 1, 1, cell(), 1, 30.0), (0, 1, 2, cell(20.0), 1, 30.0)])
    _, basis, share = shares(rows, villages)
    assert basis == "villages"
    np.testing.assert_allclose(
        [share[("a", 0)], share[("a", 1)], share[("b", 2)]], expected, atol=1e-6
    )
    assert len(share) == 3, "a place between villages has no share"


def test_clusters_count_alike_from_two_devices_on():
    rows = drawn(
        [
            (0, 1, 1, cell(), 1, 30.0),
            (0, 0, 2, cell(), 1, 30.0),
            (0, 1, 1, cell(8.0), 1, 9.0),
            (0, 1, 3, cell(16.0), 1, 30.0),
            (0, 1, 4, cell(16.0), 1, 30.0),
        ]
    )
    found, basis, share = shares(rows)
    assert basis == "clusters"
    assert share.to_dict() == {
        ("a", stratum_of(found, 0, cell())): 0.5,
        ("a", stratum_of(found, 0, cell(16.0))): 0.5,
    }


@pytest.mark.parametrize(
    ("area_of_c", "wanted"),
    [
        (90.0, 3),  # three places in two communes, one here: three are usual
        (60.0, 2),  # of 60 km² two of the 30 km² that a place takes in half of the communes
        (20.0, 1),  # a small town is one place
        (np.nan, 1),
    ],
)
def test_a_commune_with_few_tested_places_has_untested_ones_too(area_of_c, wanted):
    three = [(0, 1, i, cell(8.0 * (i // 2)), 1, 30.0) for i in range(6)]
    rows = drawn([*three, *((1, *row[1:]) for row in three), *((2, *row[1:]) for row in three[:2])])
    names = Names(np.array(["a", "b", "c"], dtype=object), ["P", "V"])
    communes = pd.DataFrame({"area_km2": {"a": 90.0, "b": 90.0, "c": area_of_c}})
    found = strata.places_of(rows, names, None, 1.5)
    _, table = strata.shares_of(found, names, None, NOBODY, communes.assign(population=np.nan))
    share = table.set_index("commune_code")["share"]
    assert share["a"].tolist() == pytest.approx([1 / 3] * 3)
    assert table.loc[table["commune_code"] == "c", "share"].tolist() == pytest.approx(
        [1 / wanted] * wanted
    )
    assert not table.duplicated(["commune_code", "stratum"]).any()


def test_clusters_share_by_the_grids_people_and_the_rest_live_elsewhere():
    rows = drawn([(0, 1, 1, cell(), 1, 30.0), (0, 1, 2, cell(8.0), 1, 30.0)])
    found = strata.places_of(rows, NAMES, None, 1.5)
    of = {("a", h3.int_to_str(cell(km, resolution=8))): n for km, n in ((0.0, 300.0), (8.0, 100.0))}
    people = pd.Series(of)
    known = pd.Series({"a": 1000.0, "b": 50.0}), pd.Series({"a": 90.0})
    _, basis, share = shares(rows, None, people, *known)
    assert basis == "population"
    assert share[("a", stratum_of(found, 0, cell()))] == pytest.approx(0.3)
    assert share[("a", stratum_of(found, 0, cell(8.0)))] == pytest.approx(0.1)
    # 600 people live elsewhere, in places of some 200: three of them
    assert sorted(share.tolist()) == pytest.approx([0.1, 0.2, 0.2, 0.2, 0.3])


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (900.0, [0.5, 0.5]),  # grid and census need not agree: 1,800 of 1,000
        (300.0, [0.3, 0.3, 0.2, 0.2]),
    ],
)
def test_shares_of_a_commune_add_up_to_one(here, expected):
    rows = drawn([(0, 1, 1, cell(), 1, 30.0), (0, 1, 2, cell(8.0), 1, 30.0)])
    cells = [h3.int_to_str(cell(km, resolution=8)) for km in (0.0, 8.0)]
    # the neighbour's part of the first cell is no one of this commune
    people = pd.Series({("a", cells[0]): here, ("a", cells[1]): here, ("b", cells[0]): 5000.0})
    _, _, share = shares(rows, None, people, pd.Series({"a": 1000.0}), pd.Series({"a": 90.0}))
    assert share["a"].tolist() == pytest.approx(expected)
    assert share["a"].sum() == pytest.approx(1)


def test_traces_of_people_at_the_tests_make_no_endless_list():
    rows = drawn([(0, 1, i, cell(), 1, 30.0) for i in range(2)])
    people = pd.Series({("a", h3.int_to_str(cell(resolution=8))): 0.01})
    _, _, share = shares(rows, None, people, pd.Series({"a": 2000.0}), pd.Series({"a": 90.0}))
    assert len(share) == 1 + int(90 / strata.CELL_KM2)
    assert share.sum() == pytest.approx(1)


def test_communes_that_a_list_or_grid_leaves_out_have_equal_shares():
    rows = drawn(
        [
            (zone, 1, 10 * zone + i, cell(8.0 * (i // 2)), 1, 30.0)
            for zone in (0, 1)
            for i in range(4)
        ]
    )
    area = pd.Series({"a": 90.0, "b": 90.0})
    _, basis, share = shares(rows, village_at([("a", 0.0, 0.0)], [50.0]), area=area)
    assert basis == "villages"
    assert share["a"].tolist() == [1.0]
    assert share["b"].tolist() == [0.5, 0.5]
    grid = pd.Series({("a", h3.int_to_str(cell(resolution=8))): 400.0})
    _, basis, share = shares(rows, None, grid, pd.Series({"a": 400.0}), area)
    assert basis == "population"
    assert share["a"].sum() == pytest.approx(1)
    assert share["b"].tolist() == [0.5, 0.5]


def test_an_untested_place_has_the_number_of_no_tested_one():
    three = [(0, 1, i, cell(8.0 * (i // 2)), 1, 30.0) for i in range(6)]
    last = [(2, 1, 100 + i, cell(40.0), 1, 30.0) for i in range(2)]
    lone = [(2, 1, 102, cell(), 1, 300.0)]
    rows = drawn([*three, *((1, *row[1:]) for row in three), *last, *lone])
    names = Names(np.array(["a", "b", "c"], dtype=object), ["P", "V"])
    found = strata.places_of(rows, names, None, 1.5)
    communes = pd.DataFrame({"area_km2": dict.fromkeys("abc", 90.0)}).assign(population=np.nan)
    _, table = strata.shares_of(found, names, None, NOBODY, communes)
    tested = set(found.cells["stratum"].to_list())
    untested = set(table["stratum"]) - tested
    assert len(untested) == 2, "one place of two devices, three are usual"
    assert stratum_of(found, 2, cell()) not in set(table["stratum"])


def test_a_grid_without_people_there_says_nothing():
    rows = drawn([(0, 1, 1, cell(), 1, 30.0), (0, 1, 2, cell(), 1, 30.0)])
    people = pd.Series({("a", h3.int_to_str(cell(resolution=8))): np.nan})
    _, basis, share = shares(rows, None, people, pd.Series({"a": 1000.0}))
    assert basis == "clusters"
    assert share.tolist() == [1.0]


def test_nobody_tested():
    rows = drawn([(0, 1, 1, cell(), 1, 30.0)]).head(0)
    found, basis, share = shares(rows)
    assert strata.stratum_sums(rows, found, NAMES).empty
    assert share.empty
    assert basis == "clusters"
