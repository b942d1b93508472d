"""The plan of sites in worlds whose figures are worked by hand, and who could share with whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import log

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from pipeline import site_planning
from pipeline.actions.sites.candidates import Prices
from pipeline.actions.sites.demand import Effects
from pipeline.actions.sites.plan import Assumed, Known, SitePlan, Wanted, site_plan
from pipeline.actions.sites.sharing import sharing
from pipeline.config.settings import Settings
from pipeline.schema.errors import UserFault

TARGET, SURE = 40.0, 1e-9
SHARES = {"V": 0.6, "P": 0.4}
PRICES = Prices(new_site={"flat": 10.0, "hilly": 14.0})
# a site gives 20–40 Mbit/s, one draw for all sites: these are its 5th and 95th percentiles
SLOW, FAST = (20 + 20 * (one * 399 + 0.5) / 400 for one in (0.05, 0.95))
ASSUMED = Assumed(TARGET, Effects((20.0, 40.0), (10.0, 20.0), (1.3, 2.0)), SHARES)
COMMUNES = pd.DataFrame(
    {"commune_code": ["a", "b"], "commune_name": ["Xã a", "Xã b"], "terrain": ["flat", "hilly"]}
)
PLACES = pd.DataFrame(
    {
        "commune_code": ["a", "a", "b"], "place_name": ["A1", "A2", "B1"],
        "latitude": [22.0, 22.1, 22.3], "longitude": 103.0, "people": [600.0, 400.0, 1000.0],
        "has_grid_power": pd.array([True, False, pd.NA], dtype="boolean"),
        "is_difficult_zone": pd.array([True, True, False], dtype="boolean"), "payer": None,
    }
)  # fmt: skip
SITES = pd.DataFrame(
    {
        "site_id": ["C1", "C2"], "site_operator": None, "latitude": [22.0, 22.3],
        "longitude": 103.0, "site_technology": None, "band_mhz": np.nan, "height_m": np.nan,
        "is_candidate": True,
    }
)  # fmt: skip
REACH = {("C1", "A1"): 1.0, ("C1", "A2"): 0.5, ("C2", "A2"): 0.9, ("C2", "B1"): 1.0}


@dataclass(frozen=True)
class Reach:
    """A model of coverage that knows its probabilities by name; `near`: of a small site."""

    by_name: dict[tuple[str, str], float]
    near: tuple[tuple[str, str], ...] = ()

    def __call__(self, sites: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
        found = [
            (s, p, 1.0, self.by_name.get((site, place), 0.0), (site, place) in self.near)
            for s, site in enumerate(sites["site_id"])
            for p, place in enumerate(places["place_name"])
            if (site, place) in self.by_name or (site, place) in self.near
        ]
        return pd.DataFrame(found, columns=["site", "place", "km", "probability", "is_near"])


def unit(code: str, operator: str, mbps: float | None, **more) -> dict:
    """A unit of this speed for sure; None: without a verdict."""
    is_known = mbps is not None
    return {
        "commune_code": code, "operator": operator, "status": "probable_gap",
        "device_count": 9.0, "is_known": is_known, "is_confirmed": False,
        "gap_probability": (0.9 if mbps < TARGET else 0.0) if is_known else np.nan,
        "mean_mbps": mbps if is_known else np.nan,
        "log_mean": log(mbps) if is_known else np.nan, "log_sd": SURE if is_known else np.nan,
    } | ({} if is_known else {"status": "insufficient_evidence"}) | more  # fmt: skip


UNITS = [
    unit("a", "V", 10.0, status="confirmed_gap", is_confirmed=True, gap_probability=1.0),
    unit("a", "P", 20.0),
    unit("b", "V", 80.0, status="meets_target"),
    unit("b", "P", None),
]


def known(rows=UNITS, sites=SITES, places=PLACES, communes=COMMUNES, guesses=None) -> Known:
    return Known(pd.DataFrame(rows), places, sites, communes, guesses)


def plan(wanted: Wanted, of: Known | None = None, prices=PRICES, reach=REACH) -> SitePlan:
    cover = reach if isinstance(reach, Reach) else Reach(reach)
    return site_plan(known() if of is None else of, wanted, ASSUMED, prices, cover)


def chosen(of: SitePlan) -> list[str]:
    """Site and operator of the chosen sites, in the order of building."""
    rows = of.tables["site_plan"]
    rows = rows[rows["site_state"] == "chosen"]
    return (rows["site_id"] + " " + rows["operator"]).tolist()


# --- a world by hand
#
# Share of the target that a site closes, expected (30 instead of 10; E max(20, s) − 20 = 10):
# a V: 20/40 = 0.5; a P: 10/40 = 0.25; b V: nothing; b P: nobody knows.
# C1 V: (600 + 400 × 0.5) × 0.6 × 0.5 = 180 + 60;    C1 P: 800 × 0.4 × 0.25 = 60 + 20
# C2 V: 400 × 0.9 × 0.6 × 0.5 = 108;                 C2 P: 360 × 0.4 × 0.25 = 36


@pytest.mark.parametrize(
    ("wanted", "sites", "closed", "cost"),
    [
        (Wanted(["V", "P"], most=1), ["C1 V"], 240, 10),
        (Wanted(["V", "P"], most=2), ["C1 V", "C1 P"], 320, 20),
        (Wanted(["V", "P"], most=3), ["C1 V", "C1 P", "C2 V"], 368, 34),  # A2 by C2: 108, not 60
        (Wanted(["V", "P"], most=9), ["C1 V", "C2 V", "C1 P", "C2 P"], 384, 48),
        (Wanted(["V", "P"], budget=9.9), [], 0, 0),
        (Wanted(["V", "P"], budget=33.9), ["C1 V", "C1 P"], 320, 20),
        (Wanted(["V", "P"], budget=34.0), ["C1 V", "C1 P", "C2 V"], 368, 34),
        (Wanted(["V", "P"], is_shared=True, most=1), ["C1 P", "C1 V"], 320, 10),
        (Wanted(["P"], most=2), ["C1 P", "C2 P"], 96, 24),  # 60 + 36
        (Wanted(["V"], most=2, places=np.array([False, True, False])), ["C2 V"], 108, 14),
        (Wanted(["V"], most=2, places=np.array([False, False, True])), [], 0, 0),
    ],
)
def test_which_sites_are_chosen(wanted, sites, closed, cost):
    found = plan(wanted)
    assert chosen(found) == sites
    assert found.results["closed"] == pytest.approx(closed)
    assert found.results["cost"] == pytest.approx(cost)
    assert found.results["site_count"] == len(sites) / (2 if wanted.is_shared else 1)
    assert found.results["mip_gap"] == 0


def test_every_figure_of_the_plan():
    table = plan(Wanted(["V", "P"], most=3)).tables["site_plan"]
    # A2's customers of V are served by C2; 18, 8 and 7.7 people per unit of cost
    by_hand = {
        "site_id": ["C1", "C1", "C2", "C2"],
        "operator": ["V", "P", "V", "P"],
        "site_state": ["chosen"] * 3 + ["runner_up"],
        "site_action": ["new_site"] * 4,
        "commune_code": ["a", "a", "b", "b"],
        "place_name": ["A1", "A1", "B1", "B1"],
        "people_in_reach": [360, 400, 240, 160],
        "people_short": [360, 320, 216, 144],  # both means are certain to be below
        "person_gap_closed": [180, 80, 108, 36],
        "cost": [10, 10, 14, 14],
    }
    for name, values in by_hand.items():
        assert table[name].tolist() == pytest.approx(values)
    v, p = (SLOW - 10) / 40, (SLOW - 20) / 40
    v_hi, p_hi = (FAST - 10) / 40, (FAST - 20) / 40
    lo, hi = (table[f"person_gap_closed_{end}"].tolist() for end in ("lo", "hi"))
    assert lo == pytest.approx([360 * v, 320 * p, 216 * v, 144 * p])
    assert hi == pytest.approx([360 * v_hi, 320 * p_hi, 216 * v_hi, 144 * p_hi])
    first = table.iloc[:3]
    assert first["site_rank"].tolist() == [1, 2, 3]
    assert first["cumulative_cost"].tolist() == pytest.approx([10, 20, 34])
    assert first["cumulative_closed"].tolist() == pytest.approx([180, 260, 368])
    sums = [360 * v, 360 * v + 320 * p, 576 * v + 320 * p]
    assert first["cumulative_closed_lo"].tolist() == pytest.approx(sums)
    assert table[["site_rank", "cumulative_cost", "cumulative_closed"]].iloc[3].isna().all()


def test_every_figure_of_the_reach():
    table = plan(Wanted(["V", "P"], most=3)).tables["site_reach"]
    by_hand = {
        "site_rank": [1, 2, 3],
        "site_id": ["C1", "C1", "C2"],
        "operator": ["V", "P", "V"],
        "commune_code": ["a", "a", "a"],
        "status": ["confirmed_gap", "probable_gap", "confirmed_gap"],
        "place_count": [1, 2, 1],
        "people_in_reach": [360, 400, 240],
        "coverage_probability": [1.0, 0.8, 0.9],
        "short_share": [0.75, 0.5, 0.75],
        "closed_share": [0.5, 0.25, 0.5],
        "person_gap_closed": [180, 80, 108],
    }
    for name, values in by_hand.items():
        assert table[name].tolist() == pytest.approx(values)


def test_figures_of_the_whole():
    results = plan(Wanted(["V", "P"], most=2)).results
    # 1000 × 0.6 × 0.75 + 1000 × 0.4 × 0.5; if only a V is real, C2 V closes 48 more than C1 P
    assert results["person_gap"] == pytest.approx(450 + 200)
    assert results["confirmed_closed"] == pytest.approx(240)
    assert results["confirmed_best"] == pytest.approx(288)
    assert results["regret"] == pytest.approx(48)
    assert plan(Wanted(["V", "P"], most=3)).results["regret"] == pytest.approx(0)
    lo, hi = (480 * (s - 10) / 40 + 320 * (s - 20) / 40 for s in (SLOW, FAST))
    assert (results["closed_lo"], results["closed_hi"]) == pytest.approx((lo, hi))


def test_a_shared_tower_is_paid_by_those_who_stand_on_it():
    prices = replace(PRICES, others={"shared_site": 3.0})
    table = plan(Wanted(["V", "P"], is_shared=True, budget=13.0), prices=prices).tables["site_plan"]
    rows = table[table["site_state"] == "chosen"]
    # 10 holds one operator's equipment: a tower of 7, shared by two, and 3 for each
    assert rows["cost"].tolist() == pytest.approx([6.5, 6.5])
    assert rows["site_rank"].tolist() == [1, 1]
    assert rows["cumulative_cost"].tolist() == pytest.approx([13, 13])
    assert rows["cumulative_closed"].tolist() == pytest.approx([320, 320])


def test_without_prices_no_cost():
    table = plan(Wanted(["V"], most=1), prices=Prices()).tables["site_plan"]
    assert table[["cost", "cumulative_cost"]].isna().all(axis=None)
    assert chosen(plan(Wanted(["V", "P"], most=3), prices=Prices())) == ["C1 V", "C2 V", "C1 P"]


@pytest.mark.parametrize("capacity", [150.0, 60.0])
def test_a_site_carries_no_more_than_its_capacity(capacity):
    wanted = Wanted(["V"], most=2)
    assumed = replace(ASSUMED, capacity=capacity)
    found = site_plan(known(), wanted, assumed, PRICES, Reach(REACH))
    reach = found.tables["site_reach"]
    covered = (reach["people_in_reach"] * reach["coverage_probability"]).to_numpy()
    assert covered == pytest.approx([capacity, capacity])
    assert found.results["closed"] == pytest.approx(2 * capacity * 0.5)


def test_a_runner_up_carries_no_more_than_its_capacity():
    assumed = replace(ASSUMED, capacity=60.0)
    found = site_plan(known(), Wanted(["V"], most=1), assumed, PRICES, Reach(REACH))
    table = found.tables["site_plan"]
    assert table["site_state"].tolist() == ["chosen", "runner_up"]
    assert table["person_gap_closed"].tolist() == pytest.approx([60 * 0.5, 60 * 0.5])


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(["V", "P"], most=3),
        Wanted(["V", "P"], budget=34.0),
        Wanted(["V", "P"], is_shared=True, budget=24.0),
    ],
)
@pytest.mark.parametrize("capacity", [None, 100.0])
@pytest.mark.parametrize("sd", [SURE, 0.6])
def test_parts_give_the_whole_and_ranges_hold_it(wanted, capacity, sd):
    rows = [one | ({"log_sd": sd} if one["is_known"] else {}) for one in UNITS]
    found = site_plan(
        known(rows), wanted, replace(ASSUMED, capacity=capacity), PRICES, Reach(REACH)
    )
    reach, table = found.tables["site_reach"], found.tables["site_plan"]
    table = table[table["site_state"] == "chosen"]
    product = reach["people_in_reach"] * reach["coverage_probability"] * reach["closed_share"]
    assert product.tolist() == pytest.approx(reach["person_gap_closed"].tolist())
    keys = ["site_rank", "site_id", "operator", "site_action"]
    sums = reach.groupby(keys)[["people_in_reach", "person_gap_closed"]].sum()
    whole = table.set_index(keys)[["people_in_reach", "person_gap_closed"]].sort_index()
    assert sums.to_numpy() == pytest.approx(whole.to_numpy())
    assert table["person_gap_closed"].sum() == pytest.approx(found.results["closed"])
    assert table["cumulative_closed"].iloc[-1] == pytest.approx(found.results["closed"])
    assert table["cumulative_closed_hi"].iloc[-1] == pytest.approx(found.results["closed_hi"])
    assert table["cost"].sum() == pytest.approx(found.results["cost"])
    for name in ("person_gap_closed", "cumulative_closed"):
        assert (table[f"{name}_lo"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_hi"]).all()
    assert found.results["regret"] >= 0
    assert found.results["closed"] <= found.results["person_gap"]


def test_the_same_plan_at_every_call():
    first, second = (plan(Wanted(["V", "P"], most=3)) for _ in range(2))
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[name], check_exact=True)
    assert first.results == second.results


# --- what is not known


def test_a_unit_without_a_verdict_is_a_question_and_never_a_site():
    rows = [unit("a", "V", None), unit("b", "V", None)]
    guesses = pd.DataFrame(
        {"log_mean": [log(20)], "log_sd": [0.3]}, index=pd.MultiIndex.from_tuples([("a", "V")])
    )
    found = plan(Wanted(["V"], most=2), known(rows, guesses=guesses))
    assert len(found.tables["site_plan"]) == len(found.tables["site_reach"]) == 0
    assert found.results["closed"] == found.results["person_gap"] == 0
    (question,) = found.tables["site_questions"].to_dict("records")  # of b not even a guess
    assert (question["commune_code"], question["status"]) == ("a", "insufficient_evidence")
    assert question["gap_chance"] == pytest.approx(norm.cdf(log(2) / 0.3), abs=0.005)
    assert bool(question["changes_plan"])


def test_nothing_to_build_at_all():
    found = plan(Wanted(["V"], most=2), known(places=PLACES.iloc[:0], sites=None))
    assert [len(table) for table in found.tables.values()] == [0, 0, 0]
    assert found.results["closed"] == 0


def gain_if_gap(mbps: float, sd: float, strike: float) -> float:
    """E[max(0, strike − M)] / T given M < T, of log-normal M with this median."""
    d = (log(strike) - log(mbps)) / sd
    put = strike * norm.cdf(d) - mbps * np.exp(sd**2 / 2) * norm.cdf(d - sd)
    return put / TARGET / norm.cdf((log(TARGET) - log(mbps)) / sd)


@pytest.mark.parametrize("most", [1, 2])
def test_value_of_knowing_by_enumeration(most):
    """Three communes of one place and one site each; sites give 30 Mbit/s for sure."""
    codes, people, sd = ["a", "b", "c"], [1000.0, 3600.0, 2500.0], 0.3
    median = {"b": 28.0, "c": 22.0}  # a: 15 for sure; c: only a guess
    places = PLACES.assign(commune_code=codes, people=people)
    sites = pd.concat([SITES, SITES.iloc[:1]], ignore_index=True)
    sites = sites.assign(site_id=["C1", "C2", "C3"], latitude=places["latitude"])
    chance = {code: norm.cdf(log(TARGET / mbps) / sd) for code, mbps in median.items()}
    rows = [
        unit("a", "V", 15.0, gap_probability=1.0),
        unit("b", "V", 28.0, log_sd=sd, gap_probability=chance["b"]),
        unit("c", "V", None),
    ]
    guesses = pd.DataFrame(
        {"log_mean": [log(22.0)], "log_sd": [sd]}, index=pd.MultiIndex.from_tuples([("c", "V")])
    )
    communes = pd.DataFrame({"commune_code": codes, "commune_name": codes, "terrain": "flat"})
    of = known(rows, sites, places, communes, guesses)
    assumed = Assumed(TARGET, Effects((30.0, 30.0), (30.0, 30.0), (2.0, 2.0)), {"V": 1.0})
    reach = Reach({("C1", "A1"): 1.0, ("C2", "A2"): 1.0, ("C3", "B1"): 1.0})
    found = site_plan(of, Wanted(["V"], most=most), assumed, Prices(), reach)

    if_gap = {code: gain_if_gap(mbps, sd, 30.0) for code, mbps in median.items()}
    usual = {"a": 15 / 40 * 1000, "b": if_gap["b"] * chance["b"] * 3600, "c": 0.0}

    def value(worth: dict[str, float], built: tuple[str, ...]) -> float:
        return sum(worth[code] for code in built)

    def best(worth: dict[str, float]) -> tuple[str, ...]:
        return max(combinations(codes, most), key=lambda one: value(worth, one))

    ours, by_hand = tuple(code for code in best(usual) if usual[code] > 0), {}
    for code, size in (("b", 3600), ("c", 2500)):
        states = (usual | {code: if_gap[code] * size}, usual | {code: 0.0})
        more = [value(state, best(state)) - value(state, ours) for state in states]
        by_hand[code] = chance[code] * more[0] + (1 - chance[code]) * more[1]
    table = found.tables["site_questions"].set_index("commune_code")
    assert sorted(table.index) == ["b", "c"]
    for code, worth in by_hand.items():
        assert table.loc[code, "value_of_knowing"] == pytest.approx(worth, rel=0.03, abs=0.5)
        assert table.loc[code, "gap_chance"] == pytest.approx(chance[code], abs=0.005)
    assert max(by_hand.values()) > 1


# --- questions and settings → plain values


@pytest.mark.parametrize(
    ("payer", "counts"),
    [(None, None), ("fund", [True, False, False]), ("operators", [False, True, True])],
)
def test_who_pays_for_which_places(payer, counts):
    """The fund: difficult zones with grid power; where either is not known the operators."""
    found = site_planning._paid_by(payer, PLACES)
    assert (None if found is None else found.tolist()) == counts


def test_a_fund_without_zones_is_an_error():
    with pytest.raises(UserFault) as raised:
        site_planning._paid_by("fund", PLACES.assign(is_difficult_zone=pd.NA))
    assert [one.code for one in raised.value.faults] == ["sites_without_zones"]


@pytest.mark.parametrize(
    ("asked", "operators", "prices", "places", "code"),
    [
        (site_planning.Asked(most=1), [], PRICES, PLACES, "sites_without_operators"),
        (site_planning.Asked(most=1, operator="X"), ["V"], PRICES, PLACES, "sites_operator"),
        (site_planning.Asked(budget=1.0), ["V"], Prices(), PLACES, "sites_without_costs"),
        (site_planning.Asked(most=1), ["V"], PRICES, PLACES.iloc[:0], "sites_without_people"),
    ],
)
def test_questions_that_do_not_fit(asked, operators, prices, places, code):
    with pytest.raises(UserFault) as raised:
        site_planning._check(asked, operators, prices, places)
    assert [one.code for one in raised.value.faults] == [code]


@pytest.mark.parametrize("sites", [None, SITES.assign(is_candidate=True)])
def test_backhaul_needs_a_standing_site(sites):
    """Its distance is not known without one, and it must not be free."""
    with pytest.raises(UserFault) as raised:
        site_planning._check_backhaul(Prices(new_site={"": 5.0}, backhaul_km=2.0), sites)
    assert [one.code for one in raised.value.faults] == ["sites_without_backhaul"]
    site_planning._check_backhaul(Prices(new_site={"": 5.0}), sites)
    standing = SITES.assign(is_candidate=False)
    site_planning._check_backhaul(Prices(new_site={"": 5.0}, backhaul_km=2.0), standing)


def test_assumptions_by_hand():
    about = {"gb_per_person_month": 10, "shares": {"V": 0.5}, "sectors": 3, "busy_share": 0.1}
    assumed = site_planning.assumed_of(
        Settings.model_validate({"site_plan": about}), ["M", "P", "V"]
    )
    assert assumed.shares == pytest.approx({"V": 0.5, "M": 0.25, "P": 0.25})
    assert assumed.effects.site_mbps == pytest.approx((22, 44))  # 20 MHz × 1.1–2.2 bit/s/Hz
    # 10 GB = 80,000 Mbit a month, 266.7 a day in its busy hour, 0.0741 Mbit/s; 3 × 33 of them
    assert assumed.capacity == pytest.approx(3 * 33 / (80_000 / 30 * 0.1 / 3600))
    assert site_planning.assumed_of(Settings(), ["V"]).capacity is None


# --- sharing


@pytest.mark.parametrize(
    ("statuses", "kind", "action"),
    [
        (["confirmed_gap", "probable_gap"], "nobody_meets", "new_site_shared"),
        (["confirmed_gap", "no_data"], "nobody_meets", "measure_more"),
        (["confirmed_gap", "borderline"], "nobody_meets", "measure_more"),
        (["meets_target", "confirmed_gap"], "one_meets", "roam_or_share"),
        (["meets_target", "confirmed_gap", "no_data"], "one_meets", "roam_or_share"),
        (["meets_target", "no_data"], "one_meets", "measure_more"),
        (["meets_target"], "one_meets", "nothing_needed"),
        (["meets_target", "meets_target", "probable_gap"], "several_meet", "own_upgrade"),
        (["meets_target", "meets_target", "borderline"], "several_meet", "measure_more"),
        (["meets_target", "meets_target"], "several_meet", "nothing_needed"),
        (["no_data", "insufficient_evidence"], "nothing_known", "measure_more"),
        (["borderline"], "nothing_known", "measure_more"),
        ([], "nothing_known", "measure_more"),
    ],
)
def test_who_could_share(statuses, kind, action):
    (row,) = shared(statuses).to_dict("records")
    assert (row["sharing_class"], row["sharing_action"]) == (kind, action)


def shared(statuses: list[str], sites: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table of one commune, whose operators o0, o1 … have these verdicts."""
    names = [*(f"o{number}" for number in range(len(statuses))), "all"]
    status = pd.DataFrame(
        {"commune_code": "a", "operator": names, "status": [*statuses, "meets_target"]}
    )
    summary = pd.DataFrame(
        {
            "commune_code": ["a"], "commune_name": "Xã a", "boundary_vintage": "x",
            "period": "2026-10", "population": 1000.0,
        }
    )  # fmt: skip
    return sharing(status, summary, PLACES, sites)


def test_operators_of_each_kind_and_the_host():
    """The host: the site of the operator that meets that is nearest to the middle of people.

    600 people at 22.0° and 400 at 22.1°: the middle is 22.04°; a degree is 110.7 km there.
    """
    sites = pd.concat([SITES] * 2, ignore_index=True).assign(
        site_id=["own", "far", "near", "planned"],
        site_operator=["o1", "o0", "o0", "o0"],
        latitude=[22.04, 22.0, 22.06, 22.04],
        is_candidate=[False, False, False, True],
    )
    statuses = ["meets_target", "probable_gap", "no_data"]
    (row,) = shared(statuses, sites).to_dict("records")
    assert (row["operators_good"], row["operators_short"], row["operators_open"]) == (
        "o0", "o1", "o2",
    )  # fmt: skip
    assert (row["host_operator"], row["host_site_id"]) == ("o0", "near")
    assert row["host_km"] == pytest.approx(0.02 * 110.7, abs=0.02)
    (alone,) = shared(statuses).to_dict("records")
    assert pd.isna(alone["host_operator"])


def test_a_few_sites_of_two_provinces_are_chosen_as_of_one():
    """Money for one site and a half: by prices the bound is far above the best plan."""
    wanted = Wanted(["V", "P"], budget=20.0)
    provinces = COMMUNES.assign(province_name=["P1", "P2"])
    reach = {one: chance for one, chance in REACH.items() if one != ("C2", "A2")}
    rows = [one | {"mean_mbps": 20.0} if one["operator"] == "P" else one for one in UNITS]
    rows = [*rows[:2], unit("b", "V", 10.0), rows[3]]
    two = plan(wanted, known(rows, communes=provinces), reach=reach)
    one = plan(wanted, known(rows), reach=reach)
    assert two.results["mip_gap"] == 0
    assert chosen(two) == chosen(one)
    assert two.results["regret"] == pytest.approx(one.results["regret"])
