"""Where sites may stand, what may be done there, and what that costs: by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.actions.sites.candidates import (
    LOCATION,
    Prices,
    _nearest,
    high_ground,
    locations,
    offers,
)
from pipeline.actions.travel import geodesic_km
from pipeline.config.settings import Settings
from pipeline.site_planning import prices_of

METRE = 1 / 111_320 / np.cos(np.deg2rad(22.0))  # degrees of longitude at 22° N
OPERATORS = ["V", "P"]
PRICES = Prices(
    new_site={"flat": 100.0, "hilly": 150.0, "mountainous": 200.0, "": 150.0},
    others={"upgrade": 20.0, "shared_site": 30.0},
    solar=15.0,
    backhaul_km=2.0,
    yearly={"new_site": 1.0, "upgrade": 0.5, "shared_site": 0.25},
    years=10.0,
)


def site_rows(*rows: dict) -> pd.DataFrame:
    usual = {
        "site_operator": "V", "latitude": 22.0, "longitude": 103.0, "site_technology": "4G",
        "band_mhz": np.nan, "height_m": np.nan, "is_candidate": False,
    }  # fmt: skip
    named = [{"site_id": f"S{number + 1:03d}"} | row for number, row in enumerate(rows)]
    return pd.DataFrame([usual | row for row in named])


def place_rows(*rows: dict) -> pd.DataFrame:
    usual = {
        "commune_code": "a", "place_name": "", "latitude": 22.0, "longitude": 103.0,
        "people": 100.0, "has_grid_power": True, "is_difficult_zone": pd.NA, "payer": None,
    }  # fmt: skip
    table = pd.DataFrame([usual | row for row in rows])
    for name in ("has_grid_power", "is_difficult_zone"):
        table[name] = table[name].astype("boolean")
    return table


PLACES = place_rows({"place_name": "A"}, {"place_name": "B", "commune_code": "b", "latitude": 22.2})
COMMUNES = pd.DataFrame({"commune_code": ["a", "b"], "terrain": ["flat", None]})


# --- where


def test_sites_of_a_tower_are_one_location():
    """50 and 99 m from the first site are its tower; 101 m is not."""
    sites = site_rows(
        {"site_operator": "P", "height_m": 30.0, "band_mhz": 1800.0},
        {"longitude": 103 + 50 * METRE, "height_m": 42.0, "site_technology": "2G;3G"},
        {"longitude": 103 + 99 * METRE, "site_operator": None, "band_mhz": 900.0},
        {"longitude": 103 - 101 * METRE},
    )
    table = locations(sites, PLACES, COMMUNES)
    standing = table[table["is_standing"]]
    assert standing["site_id"].tolist() == ["S001", "S004"]
    first = standing.iloc[0]
    assert (first["latitude"], first["longitude"]) == (22.0, 103.0)
    assert first["operators_there"] == ("P", "V")
    assert first["with_4g"] == ("P",)
    assert (first["height_m"], first["band_mhz"]) == (42.0, 900.0)
    assert standing.iloc[1]["operators_there"] == ("V",)


def test_without_candidates_every_place_is_one():
    table = locations(site_rows({}), PLACES, COMMUNES)
    assert list(table) == list(LOCATION)
    assert table["site_id"].tolist() == ["S001", "P0001", "P0002"]
    assert table["is_standing"].tolist() == [True, False, False]
    assert table["place_name"].tolist() == ["A", "A", "B"]
    assert table["commune_code"].tolist() == ["a", "a", "b"]
    assert table["terrain"].fillna("").tolist() == ["flat", "flat", ""]
    # 0.2° of latitude at 22°: 22.147 km
    assert table["backhaul_km"].tolist() == pytest.approx([0, 0, 22.15], abs=0.01)


def test_candidates_of_the_list_go_before_places():
    sites = site_rows({"is_candidate": True, "latitude": 22.19, "site_operator": None})
    table = locations(sites, PLACES, COMMUNES)
    assert table["site_id"].tolist() == ["S001"]
    assert table["commune_code"].tolist() == ["b"]  # of the nearest place
    assert table["operators_there"].tolist() == [()]
    assert table["backhaul_km"].isna().all()  # no site stands anywhere


def test_no_places_and_no_sites():
    table = locations(None, PLACES.iloc[:0], COMMUNES)
    assert (list(table), len(table)) == (list(LOCATION), 0)
    offered = offers(table, OPERATORS, PRICES, is_shared=False)
    assert (len(offered.actions), len(offered.sites)) == (0, 0)


# --- what


def spots(*rows: dict) -> pd.DataFrame:
    usual = {
        "site_id": "x", "terrain": "flat", "is_standing": False, "operators_there": (),
        "with_4g": (), "has_grid_power": True, "backhaul_km": np.nan,
    }  # fmt: skip
    return pd.DataFrame([usual | row for row in rows]).reindex(columns=list(LOCATION))


OURS = {"is_standing": True, "operators_there": ("V",)}
SMALL = Prices(others={"satellite_site": 9.0, "terminal": 1.0})


@pytest.mark.parametrize(
    ("spot", "is_shared", "prices", "found"),
    [
        ({}, False, Prices(), [("V", "new_site", "site"), ("P", "new_site", "site")]),
        ({}, True, Prices(), [("V", "new_site", "site"), ("P", "new_site", "site")]),
        (OURS | {"with_4g": ("V",)}, False, Prices(), [("V", "upgrade", "upgrade")]),
        (OURS, False, Prices(), [("V", "upgrade", "site")]),  # no 4G there yet
        (OURS, True, Prices(), [("V", "upgrade", "site"), ("P", "shared_site", "site")]),
        ({"is_standing": True}, False, Prices(), []),  # nobody knows whose it is
        ({}, False, SMALL, [("V", "terminal", "satellite"), ("P", "terminal", "satellite")]),
        ({"for_operator": "V"}, False, Prices(), [("V", "new_site", "site")]),
        ({"for_operator": "V"}, True, Prices(),
         [("V", "new_site", "site"), ("P", "new_site", "site")]),
        ({}, False, Prices(new_site={"": 5.0}),
         [("V", "new_site", "site"), ("P", "new_site", "site")]),
        (OURS, True, Prices(new_site={"": 5.0}), []),  # neither has a price
        (OURS, True, Prices(others={"upgrade": 0.0}), [("V", "upgrade", "site")]),  # free of charge
        ({"terrain": "hilly"}, False, Prices(new_site={"flat": 5.0}), []),
    ],
)  # fmt: skip
def test_what_may_be_done(spot, is_shared, prices, found):
    actions = offers(spots(spot), OPERATORS, prices, is_shared=is_shared).actions
    assert list(actions[["operator", "action", "effect"]].itertuples(index=False)) == found


@pytest.mark.parametrize(("is_shared", "sites"), [(False, [0, 1]), (True, [0, 0])])
def test_new_sites_of_two_operators_stand_together_only_where_they_share(is_shared, sites):
    offered = offers(spots({}), OPERATORS, Prices(), is_shared=is_shared)
    assert offered.actions["site"].tolist() == sites
    assert len(offered.sites) == len(set(sites))


# --- for how much


@pytest.mark.parametrize(
    ("spot", "cost"),
    [
        ({"terrain": "flat"}, 100 + 10),  # and ten years at 1
        ({"terrain": "hilly"}, 150 + 10),
        ({"terrain": "mountainous"}, 200 + 10),
        ({"terrain": None}, 150 + 10),
        ({"backhaul_km": 3.5}, 100 + 10 + 7),
        ({"has_grid_power": False}, 100 + 10 + 15),
        ({"has_grid_power": pd.NA}, 100 + 10),  # not known: no solar
        ({"has_grid_power": None}, 100 + 10),
        ({"has_grid_power": np.bool_(False), "backhaul_km": 10.0, "terrain": "mountainous"},
         200 + 10 + 15 + 20),
    ],
)  # fmt: skip
def test_cost_of_a_new_site(spot, cost):
    alone = offers(spots(spot), ["V"], PRICES, is_shared=False)
    assert alone.sites["site_cost"].tolist() == pytest.approx([cost])
    assert alone.actions["action_cost"].tolist() == [0]
    # together: a further operator pays 30 and 0.25 a year; one alone pays what it paid before
    shared = offers(spots(spot), OPERATORS, PRICES, is_shared=True)
    assert shared.sites["site_cost"].tolist() == pytest.approx([cost - 32.5])
    assert shared.actions["action_cost"].tolist() == pytest.approx([32.5, 32.5])


def test_costs_on_standing_towers():
    offered = offers(spots(OURS | {"has_grid_power": False}), OPERATORS, PRICES, is_shared=True)
    assert offered.actions["action"].tolist() == ["upgrade", "shared_site"]
    assert offered.actions["action_cost"].tolist() == pytest.approx([20 + 5, 30 + 2.5])
    assert offered.sites["site_cost"].tolist() == [0]


def test_costs_that_are_not_known_are_nothing_where_no_price_is_known():
    offered = offers(spots({}, OURS), OPERATORS, Prices(solar=5.0), is_shared=True)
    assert offered.actions["action_cost"].eq(0).all()
    assert offered.sites["site_cost"].eq(0).all()
    assert offered.actions["location"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("costs", "cost"),
    [
        ({"new_site": 7}, [7.0, 7.0]),  # wherever
        ({"new_site": {"flat": 5, "hilly": 6, "mountainous": 9}}, [5.0, 6.0]),  # unknown as hilly
        ({"new_site": 7, "yearly": 0.5, "years": 4}, [9.0, 9.0]),
        ({"upgrade": 7}, []),
    ],
)
def test_prices_of_the_settings(costs, cost):
    prices = prices_of(Settings.model_validate({"costs": costs}).costs)
    found = offers(spots({"terrain": "flat"}, {"terrain": None}), ["V"], prices, is_shared=False)
    assert found.sites["site_cost"].tolist() == cost


def test_high_ground_is_the_highest_point_near_a_place():
    """A cone of 300 m, 1 km north of the first place; the second lies on a plain."""
    top, places = (22.009, 103.0), pd.DataFrame({"latitude": [22.0, 22.5], "longitude": 103.0})

    def along(here, there, samples):
        share = np.linspace(0, 1, samples)
        points = here[:, None, :] + (there - here)[:, None, :] * share[None, :, None]
        km = np.hypot(*np.moveaxis((points - top) * [111.0, 103.0], -1, 0))
        return np.maximum(0.0, 300 - 300 * km)

    found = high_ground(places, along)
    assert len(found) == 1
    assert found.iloc[0].tolist() == pytest.approx(top, abs=0.0006)
    again = high_ground(pd.concat([places, places + 0.0001]), along)
    assert len(again) == 1, "one top is one candidate"
    low = high_ground(places, lambda *given: along(*given) / 20)
    assert low.empty, "15 m are no high ground"
    unknown = high_ground(places, lambda *given: along(*given) * np.nan)
    assert unknown.empty


def test_high_ground_is_a_candidate_where_the_list_has_none():
    high = pd.DataFrame({"latitude": [22.009], "longitude": [103.0]})
    made = locations(None, PLACES[:1], COMMUNES, high)
    assert made["site_id"].tolist() == ["P0001", "H0001"]
    assert made["commune_code"].tolist() == ["a", "a"]


def test_the_nearest_is_that_of_all_pairs_and_of_equal_ones_the_first():
    rng = np.random.default_rng(4)
    here, there = (np.array([22.0, 103.0]) + rng.random((n, 2)) for n in (60, 40))
    row, km = _nearest(here, np.concatenate([there, there]))
    pairs = geodesic_km(here, there)
    assert (row < len(there)).all()
    assert km == pytest.approx(pairs[np.arange(60), row])
    assert km == pytest.approx(pairs.min(axis=1), rel=0.006)  # a sphere for WGS 84
