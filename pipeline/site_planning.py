"""The plan of sites of a month: inputs, verdicts and settings → plain values for `actions/sites`.

Does not belong here: what is computed (`actions/sites/`), files (`publish/`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.actions import next_tests
from pipeline.actions.sites import plan
from pipeline.actions.sites.candidates import HIGH_KM, Prices, high_ground
from pipeline.actions.sites.coverage import coverage_probability, pairs_within
from pipeline.actions.sites.demand import Effects, demand_places, demand_units
from pipeline.actions.sites.sharing import sharing
from pipeline.config.rules import radio_of, rules_of
from pipeline.config.settings import Settings
from pipeline.config.site_settings import Costs, SitePlan
from pipeline.measurements.strata import Strata
from pipeline.schema.errors import fault
from pipeline.schema.fields import ALL
from pipeline.sources.elevation import read_elevation
from pipeline.sources.inputs import Inputs
from pipeline.sources.population import inhabited_cells
from pipeline.verdicts.result_tables import Verdicts

PLACE_RESOLUTION = 7  # H3, some 5 km²: people of a raster, where no villages are listed
LEAST_PEOPLE = 20.0
FUND, OPERATORS = "fund", "operators"  # who pays


@dataclass(frozen=True)
class Asked:
    """How many sites, or for how much money; of one operator, or on common towers.

    `payer`: `fund`: only places of difficult zones with grid power count; `operators`: all others;
    None: all.
    """

    most: int | None = None
    budget: float | None = None
    operator: str | None = None
    is_shared: bool = False
    payer: str | None = None


@dataclass(frozen=True)
class Judged:
    """Verdicts of the period, and what its tests say of places."""

    verdicts: Verdicts
    strata: Strata


def asked_of(settings: Settings) -> Asked | None:
    """The plan that the settings ask every run for; None without one."""
    about = settings.site_plan
    if about.sites is None and about.budget is None:
        return None
    return Asked(most=about.sites, budget=about.budget, is_shared=about.shared)


def site_tables(inputs: Inputs, judged: Judged, settings: Settings, asked: Asked) -> plan.SitePlan:
    """The plan of sites. Raises `UserFault` where the question does not fit what is known."""
    rows = judged.verdicts.rows
    operators = sorted(set(rows["operator"]) - {ALL})
    prices = prices_of(settings.costs)
    places = places_of(inputs)
    _check(asked, operators, prices, places)
    _check_backhaul(prices, inputs.sites)
    known = plan.Known(
        demand_units(rows, judged.verdicts.suppressed, settings.target.download_mbps),
        places,
        inputs.sites,
        pd.DataFrame(inputs.communes.drop(columns="geometry")),
        _guesses(inputs, judged, settings),
        _high_ground(places, settings),
    )
    builders = operators if asked.operator is None else [asked.operator]
    wanted = plan.Wanted(
        builders, asked.is_shared, asked.budget, asked.most, _paid_by(asked.payer, places)
    )
    return plan.site_plan(
        known, wanted, assumed_of(settings, operators), prices, cover_of(settings)
    )


def sharing_table(inputs: Inputs, verdicts: Verdicts) -> pd.DataFrame:
    """The table `sharing`, of all communes."""
    return sharing(verdicts.status, verdicts.summary, places_of(inputs), inputs.sites)


def _check(asked: Asked, operators: list[str], prices: Prices, places: pd.DataFrame) -> None:
    if not operators:
        raise fault("sites_without_operators")
    if asked.operator is not None and asked.operator not in operators:
        raise fault("sites_operator", "--operator", found=asked.operator, expected=operators)
    if asked.budget is not None and not prices.is_known:
        raise fault("sites_without_costs")
    if not len(places):
        raise fault("sites_without_people")


def _check_backhaul(prices: Prices, sites: pd.DataFrame | None) -> None:
    """Without a standing site the distance to one is not known: it would cost nothing."""
    if prices.backhaul_km and (sites is None or sites["is_candidate"].all()):
        raise fault("sites_without_backhaul")


def places_of(inputs: Inputs) -> pd.DataFrame:
    """Where people live: villages, else cells of the people's raster, else the communes."""
    cells = None
    if inputs.people_grid is not None:
        cells = inhabited_cells(inputs.communes, inputs.people_grid, PLACE_RESOLUTION, LEAST_PEOPLE)
    return demand_places(inputs.communes, inputs.villages, cells)


def _high_ground(places: pd.DataFrame, settings: Settings) -> pd.DataFrame | None:
    """High ground near places, by the elevation raster; None without one."""
    path = settings.terrain.path
    if path is None:
        return None
    spots = places[["latitude", "longitude"]].to_numpy(dtype="float64")
    margin = 2 * HIGH_KM / 111  # degrees, so that the window holds what is looked at
    window = np.concatenate([spots - margin, spots + margin])
    return high_ground(places, read_elevation(path, window).along)


def _paid_by(payer: str | None, places: pd.DataFrame) -> np.ndarray | None:
    """Which places count. The fund pays where a difficult zone has grid power (by the list)."""
    if payer is None:
        return None
    of_fund = places["is_difficult_zone"].eq(True) & places["has_grid_power"].eq(True)
    is_fund = of_fund.fillna(False).to_numpy(dtype=bool)
    if not is_fund.any():
        raise fault("sites_without_zones", "--payer")
    return is_fund if payer == FUND else ~is_fund


def prices_of(costs: Costs) -> Prices:
    """`[costs]` as plain values; what is not given is left out."""

    def given(section: object, names: tuple[str, ...]) -> dict[str, float]:
        found = {name: getattr(section, name, None) for name in names}
        return {name: float(value) for name, value in found.items() if value is not None}

    actions = ("upgrade", "shared_site", "satellite_site", "terminal")
    new_site = given(costs.new_site, ("flat", "hilly", "mountainous"))
    if costs.new_site is not None:
        new_site[""] = costs.new_site.of(None)  # where the terrain is not known
    return Prices(
        new_site,
        given(costs, actions),
        costs.solar,
        costs.backhaul_km,
        given(costs.yearly, ("new_site", *actions)),
        costs.years,
    )


def assumed_of(settings: Settings, operators: list[str]) -> plan.Assumed:
    """`[site_plan]` as plain values.

    A site's speed is that of one user alone in a sector: bandwidth × spectral efficiency.
    Capacity: sectors × bandwidth × mean spectral efficiency over a customer's mean traffic in the
    busy hour, GB a month × 8,000 / 30 × busy share / 3,600 (Mbit/s).
    """
    about = settings.site_plan
    low, high = (about.bandwidth_mhz * one for one in about.spectral_efficiency)
    capacity = None
    if about.gb_per_person_month is not None:
        each = about.gb_per_person_month * 8000 / 30 * about.busy_share / 3600
        capacity = about.sectors * (low + high) / 2 / each
    return plan.Assumed(
        settings.target.download_mbps,
        Effects((low, high), (low, high), about.upgrade_factor, about.place_log_sd),
        _shares(about, operators),
        capacity,
    )


def _shares(about: SitePlan, operators: list[str]) -> dict[str, float]:
    """Shares of subscribers by operator: those given; others have equal parts of what is left."""
    if unknown := sorted(set(about.shares) - set(operators)):
        raise fault("sites_shares", "[site_plan.shares]", found=unknown, expected=operators)
    others = [name for name in operators if name not in about.shares]
    rest = max(0.0, 1 - sum(about.shares.values()))
    return about.shares | {name: rest / len(others) for name in others}


def _guesses(inputs: Inputs, judged: Judged, settings: Settings) -> pd.DataFrame:
    """What the model says of units without a verdict, as the plan of tests uses it."""
    known = next_tests.Known(
        judged.verdicts.rows, judged.verdicts.suppressed, judged.strata, inputs.communes
    )
    rows = next_tests.plan_units(known, rules_of(settings))
    table = pd.DataFrame(
        {
            "commune_code": rows["commune_code"],
            "operator": rows["operator"],
            "log_mean": rows["log_level"] + rows["spread"] / 2,
            "log_sd": np.sqrt(rows["level_var"]),
        }
    )
    return table.set_index(plan.UNIT).rename_axis([None, None])


def cover_of(settings: Settings) -> plan.Cover:
    """Modelled coverage by the settings: propagation, the ground's heights, small sites."""
    radio, path = radio_of(settings), settings.terrain.path
    small_km = settings.site_plan.satellite_radius_km

    def cover(sites: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
        here, there = (
            one[["latitude", "longitude"]].to_numpy(dtype="float64") for one in (sites, places)
        )
        heights = None
        if path is not None:
            heights = read_elevation(path, np.concatenate([here, there])).along
        found = coverage_probability(sites, places, radio, heights).frame()
        site, place, km = pairs_within(here, there, np.full(len(sites), small_km))
        near = pd.DataFrame({"site": site, "place": place, "near_km": km, "is_near": True})
        both = found.merge(near, how="outer", on=["site", "place"])
        return pd.DataFrame(
            {
                "site": both["site"],
                "place": both["place"],
                "km": both["km"].fillna(both["near_km"]),
                "probability": both["probability"].fillna(0.0),
                "is_near": both["is_near"].eq(True),
            }
        )

    return cover
