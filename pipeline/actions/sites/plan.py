"""From verdicts, places and prices to a plan of sites: its reach, how sure, what to ask first.

Every figure has its parts in the tables: people in reach × the operator's share of subscribers ×
the chance of being covered × how much less they lack afterwards. Modelled coverage is never mixed
with what was measured. Does not belong here: files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.actions.sites.candidates import Offers, Prices, locations, offers
from pipeline.actions.sites.choice import (
    Chosen,
    Problem,
    best_choice,
    build_order,
    part_of,
    served_by,
)
from pipeline.actions.sites.demand import Effects, Futures, futures, short_chance, short_share
from pipeline.actions.sites.parts import best_of_parts
from pipeline.schema.tables import validated, with_declared_dtypes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
UNIT = ["commune_code", "operator"]
DRAWS = 400
RANGE = (0.05, 0.95)  # of futures, between people_lo and people_hi
RUNNER_UPS = 10
QUESTIONS = 20  # units of which the value of knowing is computed
MOST_GAP = 0.01  # relative distance to the optimum at which several provinces are left as they are
TOGETHER = 50_000  # pairs of an action and a place that are solved as one problem
LEAST_WORTH = 1e-4  # of the plan's value: below it knowing changes nothing
# by location × place within reach: site, place (row numbers), km, probability of coverage, is_near
# (within reach of a small site)
Cover = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Known:
    """What the plan rests on.

    `units`: of `demand.demand_units`; `places`: of `demand.demand_places`; `sites`: the table
    `sites`, or None; `communes`: commune_code, commune_name, terrain. `guesses`: log_mean and
    log_sd of units without a verdict, by UNIT, for the questions only. `high_ground`: of
    `candidates.high_ground`.
    """

    units: pd.DataFrame
    places: pd.DataFrame
    sites: pd.DataFrame | None
    communes: pd.DataFrame
    guesses: pd.DataFrame | None = None
    high_ground: pd.DataFrame | None = None


@dataclass(frozen=True)
class Assumed:
    """What is assumed of networks and customers.

    `shares`: of subscribers by operator, adding up to 1 at most. `capacity`: people whom a site of
    one operator may carry; None: no limit.
    """

    target_mbps: float
    effects: Effects
    shares: Mapping[str, float]
    capacity: float | None = None


@dataclass(frozen=True)
class Wanted:
    """For whom, on which terms, and how much: at most `budget` or `most` sites.

    `operators`: who builds. `is_shared`: on common towers. `places`: which places count (bool by
    place), such as those that the fund pays for; None: all.
    """

    operators: list[str]
    is_shared: bool = False
    budget: float | None = None
    most: int | None = None
    places: npt.NDArray[np.bool_] | None = None
    seconds: float = 60.0


@dataclass(frozen=True)
class SitePlan:
    """The tables `site_plan`, `site_reach`, `site_questions`, and figures of the whole.

    `results`: person_gap (now), closed, closed_lo, closed_hi, cost, site_count, mip_gap,
    confirmed_closed and confirmed_best (the plan, and the best one, if only confirmed gaps are
    real), regret (their difference).
    """

    tables: dict[str, pd.DataFrame]
    results: dict[str, float]


def site_plan(
    known: Known, wanted: Wanted, assumed: Assumed, prices: Prices, cover: Cover
) -> SitePlan:
    """The sites that close most of the person gap, with what that rests on."""
    model = _Model.of(known, wanted, assumed, prices, cover)
    chosen = model.best(model.problem, wanted.seconds)
    order = build_order(model.problem, chosen)
    ups = _runner_ups(model, chosen)
    tables = {
        "site_plan": _plan_table(model, chosen, order, ups),
        "site_reach": _reach_table(model, chosen, order),
        "site_questions": _questions(model, chosen, wanted.seconds),
    }
    return SitePlan(tables, _results(model, chosen, wanted.seconds))


@dataclass(frozen=True)
class _Model:
    """The problem with what its numbers stand for. Pairs: an action × a place × its operator."""

    known: Known
    assumed: Assumed
    units: pd.DataFrame
    locations: pd.DataFrame
    offers: Offers
    pairs: pd.DataFrame  # action, place, unit (row of units), km, probability, people, weight
    futures: Futures
    problem: Problem
    part: Ints  # by site: number of its province; all 0 where there is one

    @classmethod
    def of(
        cls, known: Known, wanted: Wanted, assumed: Assumed, prices: Prices, cover: Cover
    ) -> _Model:
        units = known.units
        units = units[units["operator"].isin(wanted.operators)].reset_index(drop=True)
        spots = locations(known.sites, known.places, known.communes, known.high_ground)
        offered = offers(spots, wanted.operators, prices, is_shared=wanted.is_shared)
        provinces = _provinces(known.communes)
        at_spots = spots["commune_code"].map(provinces).to_numpy()
        reach = cover(spots, known.places)
        at_places = known.places["commune_code"].map(provinces).to_numpy()
        reach = reach[at_spots[reach["site"]] == at_places[reach["place"]]]
        pairs = _pairs(reach, offered, known, units, wanted)
        share = pairs["operator"].map(dict(assumed.shares)).astype("float64")
        pairs["people"] = known.places["people"].to_numpy()[pairs["place"]] * share
        pairs["weight"] = pairs["people"] * pairs["probability"]
        drawn = futures(units, assumed.effects, assumed.target_mbps, DRAWS)
        part = at_spots[offered.sites["location"].to_numpy(dtype="int64")].astype(np.int64)
        model = cls(known, assumed, units, spots, offered, pairs, drawn, _no_problem(), part)
        return replace(model, problem=model._problem(wanted))

    def _problem(self, wanted: Wanted) -> Problem:
        pairs, count = self.pairs, len(self.offers.actions)
        capacity = self.assumed.capacity
        return Problem(
            demand=pairs["demand"].to_numpy(dtype="int64"),
            action=pairs["action"].to_numpy(dtype="int64"),
            gain=self.gains(self.expected()),
            load=pairs["weight"].to_numpy(dtype="float64"),
            site=self.offers.actions["site"].to_numpy(dtype="int64"),
            action_cost=self.offers.actions["action_cost"].fillna(0.0).to_numpy(),
            capacity=np.full(count, np.inf if capacity is None else capacity),
            site_cost=self.offers.sites["site_cost"].fillna(0.0).to_numpy(),
            budget=wanted.budget,
            most=wanted.most,
        )

    def best(self, problem: Problem, seconds: float) -> Chosen:
        """The best choice: of one province exactly, of several by a common price.

        Of few sites the bound by prices lies far from the best: a few provinces are then solved
        together.
        """
        if (self.part == 0).all():
            return best_choice(problem, seconds=seconds)
        found = best_of_parts(problem, self.part, seconds=seconds)
        if found.mip_gap <= MOST_GAP or len(problem.gain) > TOGETHER:
            return found
        whole = best_choice(problem, seconds=seconds)
        return whole if whole.mip_gap < found.mip_gap and whole.value >= found.value else found

    def short_share(self) -> pd.Series:
        """The expected share of the target that an inhabitant of each unit lacks."""
        assumed = self.assumed
        return short_share(self.units, assumed.target_mbps, assumed.effects.place_log_sd)

    def short_chance(self) -> pd.Series:
        """The chance that the mean where an inhabitant of each unit lives is below the target."""
        assumed = self.assumed
        return short_chance(self.units, assumed.target_mbps, assumed.effects.place_log_sd)

    def expected(self) -> dict[str, Floats]:
        """How much less is lacking by effect and unit: mean over futures; 0 of unknown units."""
        is_known = self.units["is_known"].to_numpy()
        return {
            kind: np.where(is_known, gain.mean(axis=1), 0.0)
            for kind, gain in self.futures.gains.items()
        }

    def gains(self, by_unit: Mapping[str, Floats]) -> Floats:
        """By pair, the person gap that it closes, of gains by effect and unit."""
        found = np.zeros(len(self.pairs))
        effect, unit = self.pairs["effect"].to_numpy(), self.pairs["unit"].to_numpy()
        for kind, values in by_unit.items():
            of = effect == kind
            found[of] = values[unit[of]]
        return np.asarray(found * self.pairs["weight"].to_numpy(), dtype=np.float64)

    def by_draw(self, served: Floats, number: Ints, size: int) -> Floats:
        """What served pairs close in each future, summed by `number` (of each pair): size × D."""
        found = np.zeros((size, DRAWS))
        effect, unit = self.pairs["effect"].to_numpy(), self.pairs["unit"].to_numpy()
        weight = self.pairs["weight"].to_numpy() * served
        is_known = self.units["is_known"].to_numpy()
        for kind, values in self.futures.gains.items():
            of = np.flatnonzero((effect == kind) & (served > 0))
            of = of[is_known[unit[of]]]
            np.add.at(found, number[of], values[unit[of]] * weight[of, None])
        return found


def _provinces(communes: pd.DataFrame) -> pd.Series:
    """Number of each commune's province, by commune_code; 0 where none is named."""
    named = communes.get("province_name", pd.Series(None, index=communes.index, dtype="str"))
    numbers, _ = pd.factorize(named.fillna(""), sort=True)
    return pd.Series(numbers, index=communes["commune_code"])


def _no_problem() -> Problem:
    nobody, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Problem(nobody, nobody, nothing, nothing, nobody, nothing, nothing, nothing)


def _pairs(
    reach: pd.DataFrame, offered: Offers, known: Known, units: pd.DataFrame, wanted: Wanted
) -> pd.DataFrame:
    """Every action × place in reach, with the unit and demand (place × operator) it serves."""
    actions = offered.actions.reset_index(names="number")
    pairs = actions.merge(reach, how="inner", left_on="location", right_on="site",
                          suffixes=("", "_reach"))  # fmt: skip
    is_small = pairs["effect"].eq("satellite")
    near = pairs["is_near"].astype("float64")
    pairs["probability"] = pairs["probability"].where(~is_small, near)
    pairs = pairs[(pairs["probability"] > 0) & _is_best_server(pairs)]
    if wanted.places is not None:
        pairs = pairs[wanted.places[pairs["place"]]]
    code = known.places["commune_code"].to_numpy()[pairs["place"]]
    row = pd.Series(np.arange(len(units)), index=pd.MultiIndex.from_frame(units[UNIT]))
    unit = row.reindex(pd.MultiIndex.from_arrays([code, pairs["operator"]])).to_numpy()
    pairs = pairs.assign(unit=unit)[~np.isnan(unit)]
    numbers = {name: number for number, name in enumerate(wanted.operators)}
    pairs["demand"] = pairs["place"] * len(numbers) + pairs["operator"].map(numbers)
    pairs = pairs.rename(columns={"number": "action", "action": "action_name"})
    kept = ["action", "place", "unit", "demand", "operator", "effect", "km", "probability"]
    table: pd.DataFrame = pairs[kept].astype({"unit": "int64"})
    return table.sort_values(["action", "place"], ignore_index=True)


def _is_best_server(pairs: pd.DataFrame) -> pd.Series:
    """Whether a pair counts: an upgrade helps places that no other own site covers better."""
    own = pairs["effect"].eq("upgrade")
    order = pairs[own].sort_values(["probability", "number"], ascending=[False, True])
    best = order.drop_duplicates(["place", "operator"]).index
    return ~own | pairs.index.isin(best)


def _order_of_sites(model: _Model, order: Ints) -> pd.Series:
    """Rank of each site: 1 … by the order of building; missing where it is not chosen."""
    return pd.Series(np.arange(1, len(order) + 1), index=order, dtype="float64").reindex(
        range(len(model.offers.sites))
    )


def _runner_ups(model: _Model, chosen: Chosen) -> list[int]:
    """Actions at sites that are not chosen, by what they would add to the plan; the best first."""
    problem = model.problem
    now = np.zeros(int(problem.demand.max(initial=-1)) + 1)
    np.maximum.at(now, problem.demand, problem.gain * chosen.served)
    more = np.maximum(0.0, problem.gain - now[problem.demand])
    adds = np.bincount(problem.action, weights=more, minlength=len(problem.site))
    adds[chosen.actions] = 0.0
    order = np.lexsort((np.arange(len(adds)), -adds))
    return [int(one) for one in order[:RUNNER_UPS] if adds[one] > 0]


def _plan_table(model: _Model, chosen: Chosen, order: Ints, ups: list[int]) -> pd.DataFrame:
    """The declared table `site_plan`: a row per site and operator, chosen ones first."""
    actions = model.offers.actions
    rank = _order_of_sites(model, order)
    rows = actions[chosen.actions].reset_index(names="number")
    rows["site_state"], rows["site_rank"] = "chosen", rows["site"].map(rank)
    served = chosen.served
    rows = _with_people(model, rows, served)
    spare = actions.loc[ups].reset_index(names="number").assign(site_state="runner_up")
    alone = np.zeros(len(served))
    for one in ups:  # each by itself, within its capacity
        alone += served_by(model.problem, np.arange(len(actions)) == one)
    spare = _with_people(model, spare, alone)
    rows = rows.sort_values(["site_rank", "operator"], ignore_index=True)
    rows = _with_sums(model, rows, served)
    table = pd.concat([rows, spare], ignore_index=True) if len(spare) else rows
    about = model.locations.reset_index(names="location")
    table = table.merge(about, how="left", on="location", validate="many_to_one")
    names = model.known.communes.set_index("commune_code")["commune_name"]
    table["commune_name"] = table["commune_code"].map(names)
    table["site_latitude"], table["site_longitude"] = table["latitude"], table["longitude"]
    table = table.rename(columns={"action": "site_action"})
    if not table["cost"].gt(0).any():
        table[["cost", "cumulative_cost"]] = np.nan
    return validated("site_plan", with_declared_dtypes("site_plan", table))


def _with_people(model: _Model, rows: pd.DataFrame, served: Floats) -> pd.DataFrame:
    """People in reach, those of them short, the person gap closed and its range, and the cost.

    A tower's cost is split equally between the operators of the plan that stand on it.
    """
    size, action = len(model.offers.actions), model.problem.action
    pairs = model.pairs
    people, weight = (pairs[name].to_numpy() * served for name in ("people", "weight"))
    chance = model.short_chance().to_numpy()[pairs["unit"]]
    number = rows["number"].to_numpy()
    per_draw = model.by_draw(served, action, size)[number]
    lo, hi = (np.quantile(per_draw, one, axis=1) for one in RANGE)
    gain = np.bincount(action, weights=model.problem.gain * served, minlength=size)
    sharing = rows.groupby("site")["operator"].transform("size")
    tower = model.offers.sites["site_cost"].fillna(0.0).to_numpy()[rows["site"]] / sharing
    return rows.assign(
        people_in_reach=np.bincount(action, weights=people, minlength=size)[number],
        people_short=np.bincount(action, weights=weight * chance, minlength=size)[number],
        person_gap_closed=gain[number],
        person_gap_closed_lo=lo,
        person_gap_closed_hi=hi,
        cost=tower + rows["action_cost"].fillna(0.0),
    )


def _with_sums(model: _Model, rows: pd.DataFrame, served: Floats) -> pd.DataFrame:
    """Sums from the first site to each: of the cost, and of the person gap closed."""
    sums = rows.groupby("site_rank")[["cost", "person_gap_closed"]].sum().cumsum()
    size = len(sums)
    rank = rows.drop_duplicates("number").set_index("number")["site_rank"]
    of_pair = rank.reindex(model.problem.action).fillna(1).to_numpy().astype(np.int64) - 1
    steps = model.by_draw(served, of_pair, size) if size else np.zeros((0, DRAWS))
    ranges = np.quantile(steps.cumsum(axis=0), RANGE, axis=1) if size else np.zeros((2, 0))
    at = rows["site_rank"].astype("int64") - 1
    return rows.assign(
        cumulative_cost=sums["cost"].to_numpy()[at],
        cumulative_closed=sums["person_gap_closed"].to_numpy()[at],
        cumulative_closed_lo=ranges[0][at],
        cumulative_closed_hi=ranges[1][at],
    )


def _reach_table(model: _Model, chosen: Chosen, order: Ints) -> pd.DataFrame:
    """The declared table `site_reach`: the parts of `site_plan`, by site, operator and commune."""
    actions, pairs = model.offers.actions, model.pairs
    rows = pairs[chosen.served > 0].assign(served=chosen.served[chosen.served > 0])
    rows["closed"] = model.problem.gain[chosen.served > 0] * rows["served"]
    rows["in_reach"] = rows["people"] * rows["served"]
    rows["covered"] = rows["weight"] * rows["served"]
    table = rows.groupby(["action", "unit"], as_index=False).agg(
        people_in_reach=("in_reach", "sum"), covered=("covered", "sum"),
        person_gap_closed=("closed", "sum"), place_count=("place", "nunique"),
    )  # fmt: skip
    units = model.units.iloc[table["unit"]].reset_index(drop=True)
    of = actions.iloc[table["action"]].reset_index(drop=True)
    short = model.short_share().to_numpy()
    table = table.assign(
        commune_code=units["commune_code"], operator=units["operator"], status=units["status"],
        device_count=units["device_count"],
        gap_probability=units["gap_probability"], eb_mean_mbps=units["mean_mbps"],
        short_share=short[table["unit"]], site_action=of["action"],
        site_rank=of["site"].map(_order_of_sites(model, order)),
        site_id=model.locations["site_id"].to_numpy()[of["location"]],
        coverage_probability=table["covered"] / table["people_in_reach"],
        closed_share=table["person_gap_closed"] / table["covered"],
    )  # fmt: skip
    names = model.known.communes.set_index("commune_code")["commune_name"]
    table["commune_name"] = table["commune_code"].map(names)
    table = table.sort_values(["site_rank", "operator", "commune_code"], ignore_index=True)
    return validated("site_reach", with_declared_dtypes("site_reach", table))


def _results(model: _Model, chosen: Chosen, seconds: float) -> dict[str, float]:
    problem = model.problem
    everything = model.by_draw(chosen.served, np.zeros(len(chosen.served), dtype=np.int64), 1)[0]
    lo, hi = np.quantile(everything, RANGE)
    short = model.short_share()
    people = model.known.places.groupby("commune_code")["people"].sum()
    share = model.units["operator"].map(dict(model.assumed.shares))
    now = (short.to_numpy() * model.units["commune_code"].map(people).fillna(0.0) * share).sum()
    is_sure = model.units["is_confirmed"].to_numpy()
    sure = {kind: np.where(is_sure, gain, 0.0) for kind, gain in model.expected().items()}
    only = replace(problem, gain=model.gains(sure))
    best = model.best(only, seconds)
    ours = float((only.gain * served_by(only, chosen.actions)).sum())
    return {
        "person_gap": float(now),
        "closed": chosen.value,
        "closed_lo": float(lo),
        "closed_hi": float(hi),
        "cost": _cost(problem, chosen),
        "site_count": float(chosen.sites.sum()),
        "mip_gap": chosen.mip_gap,
        "confirmed_closed": ours,
        "confirmed_best": max(best.value, ours),
        "regret": max(0.0, best.value - ours),
    }


def _cost(problem: Problem, chosen: Chosen) -> float:
    towers, actions = problem.site_cost[chosen.sites], problem.action_cost[chosen.actions]
    return float(towers.sum() + actions.sum())


def _questions(model: _Model, chosen: Chosen, seconds: float) -> pd.DataFrame:
    """The declared table `site_questions`: units whose verdict would change the plan most.

    value_of_knowing = P · (V*(gap) − V(gap)) + (1 − P) · (V*(no gap) − V(no gap)): V* of
    the best plan and V of this one where the unit is known to be a gap, or not (expected value of
    perfect information; Raiffa and Schlaifer 1961). V* is of plans of this one's sites, of those
    that reach the unit and of the runners-up, so the value is one that can be had, not the
    highest. Of units
    that are not sure, the QUESTIONS with the largest P (1 − P) × person gap in reach. Units
    without a verdict enter by the guesses of the model.
    """
    asked = _unsure(model)
    now = model.expected()
    found = []
    for row, (chance, gap, no_gap) in asked.items():
        near = _near(model, chosen, row)
        values = []
        for state in (gap, no_gap):
            gains = {kind: values_of.copy() for kind, values_of in now.items()}
            for kind, values_of in gains.items():
                values_of[row] = state[kind]
            there = replace(model.problem, gain=model.gains(gains))
            best = best_choice(part_of(there, near).problem, seconds=seconds)
            ours = float((there.gain * served_by(there, chosen.actions)).sum())
            values.append(max(0.0, best.value - ours))
        worth = chance * values[0] + (1 - chance) * values[1]
        unit = model.units.iloc[row]
        found.append(
            {
                "commune_code": unit["commune_code"], "operator": unit["operator"],
                "status": unit["status"], "gap_chance": chance, "value_of_knowing": worth,
                "changes_plan": worth > LEAST_WORTH * max(1.0, chosen.value),
            }
        )  # fmt: skip
    columns = ["commune_code", "operator", "status", "gap_chance", "value_of_knowing",
               "changes_plan"]  # fmt: skip
    table = pd.DataFrame(found, columns=columns)
    names = model.known.communes.set_index("commune_code")["commune_name"]
    table["commune_name"] = table["commune_code"].map(names)
    order = ["value_of_knowing", "commune_code", "operator"]
    table = table.sort_values(order, ascending=[False, True, True], ignore_index=True)
    return validated("site_questions", with_declared_dtypes("site_questions", table))


def _near(model: _Model, chosen: Chosen, row: int) -> npt.NDArray[np.bool_]:
    """Sites of the plan, those that reach the unit, and the runners-up."""
    near, site = chosen.sites.copy(), model.problem.site
    near[site[model.pairs.loc[model.pairs["unit"] == row, "action"]]] = True
    near[site[_runner_ups(model, chosen)]] = True
    return near


def _unsure(model: _Model) -> dict[int, tuple[float, dict[str, float], dict[str, float]]]:
    """Units that are not sure: row → (P(gap), how much less is lacking by effect if so, if not).

    Where places do not spread around their unit's mean, nothing is lacking in a unit without gap.
    """
    units = model.units.copy()
    is_known = units["is_known"].to_numpy()
    guesses = model.known.guesses
    if guesses is not None:
        keys = pd.MultiIndex.from_frame(units[UNIT])
        guessed = guesses.reindex(keys)
        guessed[units["status"].eq("meets_target").to_numpy()] = np.nan  # no question
        for name in ("log_mean", "log_sd"):
            units[name] = np.where(is_known, units[name], guessed[name].to_numpy())
    units["is_known"] = units["log_mean"].notna() & units["log_sd"].gt(0)
    assumed = model.assumed
    units[["log_mean", "log_sd"]] = units[["log_mean", "log_sd"]].fillna(1.0)
    drawn = futures(units, assumed.effects, assumed.target_mbps, DRAWS)
    is_gap = drawn.is_gap
    chance = is_gap.mean(axis=1)
    chance = np.where(is_known, units["gap_probability"].fillna(0.0), chance)
    gains = drawn.gains.items()
    if_gap = {kind: _mean_where(is_gap, gain) for kind, gain in gains}
    if_not = {kind: _mean_where(~is_gap, gain) for kind, gain in gains}
    of_unit = model.pairs.drop_duplicates("demand").groupby("unit")["people"].sum()
    people = of_unit.reindex(range(len(units))).fillna(0.0).to_numpy()
    lacking = _mean_where(is_gap, drawn.short)
    doubt = np.where(units["is_known"], chance * (1 - chance) * people * lacking, 0.0)
    order = np.lexsort((np.arange(len(doubt)), -doubt.round(9)))[:QUESTIONS]
    return {
        int(row): (
            float(chance[row]),
            {kind: float(one[row]) for kind, one in if_gap.items()},
            {kind: float(one[row]) for kind, one in if_not.items()},
        )
        for row in order
        if doubt[row] > 0
    }


def _mean_where(kept: npt.NDArray[np.bool_], values: Floats) -> Floats:
    """Mean of the kept draws of each unit; 0 of none."""
    return np.asarray(np.where(kept, values, 0.0).sum(axis=1) / np.maximum(kept.sum(axis=1), 1))
