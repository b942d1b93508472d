"""How many people who truly fall short a plan of sites reaches, against the rank list.

    python -m benchmarks.site_plans                        # four worlds, 8 phones, 4 provinces each
    python -m benchmarks.site_plans --worlds control --provinces 10 --write

At equal number of sites (20), and at equal money (prices are made up; half of the communes are
mountainous and the others hilly, and a fifth of the villages has no grid). The list: the priorities
by `need_rank`, for each a site at the commune's most populous place, or in the middle of its worst
gap area; then from the top again, at the next place, until sites or money are spent. People who
truly fall short: people × the operator's share in places whose own true mean is below the target,
times the probability of coverage; the same model of coverage for all. `closed`: whether the plan's
90 % range holds the person gap that is truly closed, with a site's speed drawn from its range; by
the true means of units, as the plan takes it, and by those of places. `--write` renews the table of
docs/investment.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import Pool
from pathlib import Path
from time import process_time

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import worlds
from benchmarks.audit import PERIOD, UNIT, asked, written
from pipeline.actions.sites.candidates import locations, offers
from pipeline.actions.sites.plan import SitePlan
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings
from pipeline.journey import judge_month, judged
from pipeline.site_planning import (
    Asked,
    Judged,
    assumed_of,
    cover_of,
    places_of,
    prices_of,
    site_tables,
)  # fmt: skip
from pipeline.sources.inputs import Inputs

Floats = npt.NDArray[np.float64]
SITES, BUDGET = 20, 70.0  # 20 sites of hilly ground with grid
COSTS = {
    "new_site": {"flat": 2.0, "hilly": 2.5, "mountainous": 4.0},
    "solar": 0.5, "yearly": 0.1, "years": 10,
}  # fmt: skip
TERMS = ("sites", "money")
USUAL_WORLDS = "control,near_target,few_villages,good_signal"
ROUNDS = worlds.MOST  # of the list: no commune has more places
Task = tuple[str, int, int, str]  # world, seed, mean number of phones by unit, one of TERMS


@dataclass(frozen=True)
class Ground:
    """A province: what is known of it, and what is true (places × operators)."""

    inputs: Inputs
    settings: Settings
    places: pd.DataFrame
    place_mean: Floats
    unit_mean: Floats


def drawn(task: Task) -> Ground:
    """The province of a task; at equal money with terrain and power."""
    world, seed, phones, terms = task
    inputs, truth, villages = worlds.draw(world, seed, phones)
    settings = Settings.model_validate(
        {"priority": {"draws": 20}} | ({"costs": COSTS} if terms == "money" else {})
    )
    communes = inputs.communes
    if terms == "money":
        generator = np.random.default_rng((seed, phones))
        is_high = generator.permutation(len(communes)) % 2 == 0
        communes = communes.assign(
            terrain=pd.Series(np.where(is_high, "mountainous", "hilly"), dtype="str")
        )
        power = pd.array(generator.random(len(villages)) < 0.8, dtype="boolean")
        villages = villages.assign(has_grid_power=power)
    inputs = replace(inputs, communes=communes, villages=villages)
    places = places_of(inputs)
    of_places = worlds.place_means(world, seed, phones).set_index(["village_name", "operator"])
    of_units = truth.set_index(UNIT)["true_mean_mbps"]
    by_place, by_unit = (
        means.reindex(
            pd.MultiIndex.from_product([places[key], list(worlds.LEVELS)])
            if key == "place_name"
            else _units(places)
        ).to_numpy().reshape(len(places), -1)
        for key, means in (("place_name", of_places["true_mean_mbps"]), ("", of_units))
    )  # fmt: skip
    return Ground(inputs, settings, places, by_place, by_unit)


def _units(places: pd.DataFrame) -> pd.MultiIndex:
    codes = np.repeat(places["commune_code"].to_numpy(), len(worlds.LEVELS))
    return pd.MultiIndex.from_arrays([codes, np.tile(list(worlds.LEVELS), len(places))])


def from_the_list(
    ground: Ground, priorities: pd.DataFrame, terms: str, *, by_gaps: bool
) -> pd.DataFrame:
    """Sites by the rank list: latitude, longitude, terrain, operator."""
    spots = locations(None, ground.places, ground.inputs.communes)
    offered = offers(spots, list(worlds.LEVELS), prices_of(ground.settings.costs), is_shared=False)
    cost = offered.actions.assign(
        cost=offered.actions["action_cost"]
        + offered.sites["site_cost"].to_numpy()[offered.actions["site"]]
    ).set_index(["location", "operator"])["cost"]
    left, found = BUDGET, []
    for row, place in _turns(ground, priorities):
        price = cost[place, row["operator"]]
        if terms == "sites" and len(found) == SITES:
            break
        if terms == "money" and price > left:
            continue
        left -= price
        spot = spots.iloc[place]
        here = spot["latitude"], spot["longitude"]
        if by_gaps and not row["is_again"] and np.isfinite(row["gap_latitude"]):
            here = row["gap_latitude"], row["gap_longitude"]
        found.append((*here, spot["terrain"], row["operator"]))
    return pd.DataFrame(found, columns=["latitude", "longitude", "terrain", "operator"])


def _turns(ground: Ground, priorities: pd.DataFrame) -> Iterator[tuple[dict, int]]:
    """Rows of the list, from the top again and again, each time with the commune's next place."""
    ordered = ground.places.sort_values("people", ascending=False)
    of_commune = ordered.groupby("commune_code").groups
    rows = priorities.sort_values("need_rank").to_dict("records")
    for turn in range(ROUNDS):
        for row in rows:
            there = of_commune[row["commune_code"]]
            if turn < len(there):
                yield row | {"is_again": turn > 0}, int(there[turn])


def reached(ground: Ground, sites: pd.DataFrame) -> Floats:
    """Places × operators: the probability that one of the operator's sites covers the place."""
    found = np.zeros(ground.place_mean.shape)
    operator = sites["operator"].map({name: n for n, name in enumerate(worlds.LEVELS)}).to_numpy()
    spots = sites.assign(height_m=np.nan, band_mhz=np.nan)
    pairs = cover_of(ground.settings)(spots, ground.places)
    at = pairs["place"].to_numpy(), operator[pairs["site"]]
    np.maximum.at(found, at, pairs["probability"].to_numpy())
    return found


def closed(ground: Ground, weight: Floats, mean: Floats, seed: int) -> float:
    """The person gap that is truly closed, a site's speed drawn from its range."""
    target = ground.settings.target.download_mbps
    low, high = assumed_of(ground.settings, list(worlds.LEVELS)).effects.site_mbps
    speed = np.random.default_rng((seed, 7)).uniform(low, high)
    short = np.maximum(0, 1 - mean / target)
    after = np.maximum(0, 1 - np.maximum(mean, speed) / target)
    return float((weight * (short - after)).sum())


def planned(ground: Ground, terms: str) -> SitePlan:
    """The plan of sites, by what tests of the province show."""
    measured, verdicts = judged(ground.inputs, RunContext(ground.settings, PERIOD))
    question = Asked(most=SITES) if terms == "sites" else Asked(budget=BUDGET)
    known = Judged(verdicts, measured.evidence.strata)
    return site_tables(ground.inputs, known, ground.settings, question)


def tried(task: Task) -> dict[str, object]:
    """What the plan and the list reach in one province."""
    world, seed, phones, terms = task
    ground = drawn(task)
    month = judge_month(ground.inputs, RunContext(ground.settings, PERIOD))
    priorities = month.tables["priorities"]
    began = process_time()
    plan = planned(ground, terms)
    seconds = process_time() - began
    rows = plan.tables["site_plan"]
    rows = rows[rows["site_state"] == "chosen"].rename(
        columns={"site_latitude": "latitude", "site_longitude": "longitude"}
    )
    people = ground.places["people"].to_numpy()[:, None] / len(worlds.LEVELS)
    is_short = ground.place_mean < ground.settings.target.download_mbps
    ways = {
        "plan": rows,
        "places": from_the_list(ground, priorities, terms, by_gaps=False),
        "gaps": from_the_list(ground, priorities, terms, by_gaps=True),
    }
    covered = {name: reached(ground, sites) for name, sites in ways.items()}
    weight = people * covered["plan"]
    lo, hi = plan.results["closed_lo"], plan.results["closed_hi"]
    by_units = closed(ground, weight, ground.unit_mean, seed)
    by_places = closed(ground, weight, ground.place_mean, seed)
    return {
        "world": world, "phones": phones, "seed": seed, "terms": terms,
        "short": float((people * is_short).sum()), "listed": len(priorities),
        **{name: float((people * is_short * one).sum()) for name, one in covered.items()},
        **{f"{name}_sites": len(one) for name, one in ways.items()},
        "proven": plan.results["mip_gap"] == 0, "seconds": seconds,
        "expected": plan.results["closed"], "by_units": by_units, "by_places": by_places,
        "holds_units": lo <= by_units <= hi, "holds_places": lo <= by_places <= hi,
    }  # fmt: skip


HEADINGS = (
    "world, phones by unit", "at equal", "people who truly fall short", "reached by the plan",
    "by the list, at the largest places", "by the list, at gap areas", "plan against the better",
    "sites: plan; list", "proven best", "seconds", "closed: expected; true by units; by places",
    "90 % range holds: by units; by places",
)  # fmt: skip
HEADING = f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}"
MARKS = "<!-- site_plans: begin -->", "<!-- site_plans: end -->"
INVESTMENT = Path(__file__).resolve().parent.parent / "docs" / "investment.md"


def line(rows: pd.DataFrame) -> str:
    """A row of the table, of one world and terms: means over provinces."""
    one = rows.iloc[0]
    mean = rows.drop(columns=["world", "terms"]).astype("float64").mean()
    better = max(mean["places"], mean["gaps"])
    size = len(rows)
    cells = [
        f"{one['world'].replace('_', ' ')}, {one['phones']}", one["terms"],
        *(f"{mean[name]:,.0f}" for name in ("short", "plan", "places", "gaps")),
        f"{mean['plan'] / better - 1:+.0%}" if better else "–",
        f"{mean['plan_sites']:.1f}; {mean['places_sites']:.1f}",
        f"{rows['proven'].sum()} of {size}", f"{rows['seconds'].max():.0f}",
        "; ".join(f"{mean[name]:,.0f}" for name in ("expected", "by_units", "by_places")),
        "; ".join(f"{rows[f'holds_{name}'].sum()} of {size}" for name in ("units", "places")),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Try and print."""
    groups, seeds, is_written = asked(__doc__, USUAL_WORLDS, 4, "8")
    lines = [(world, phones, terms) for world, phones in groups for terms in TERMS]
    table = [HEADING]
    print(HEADING, flush=True)
    with Pool(2) as pool:
        for world, phones, terms in lines:
            tasks = [(world, seed, phones, terms) for seed in seeds]
            rows = pd.DataFrame(pool.map(tried, tasks, chunksize=1))
            table.append(line(rows))
            print(table[-1], flush=True)
    if is_written:
        about = f"{len(seeds)} provinces of each world, seeds {seeds.start}–{seeds.stop - 1}."
        text = INVESTMENT.read_text(encoding="utf-8")
        table_text = "\n".join([about, "", *table])
        INVESTMENT.write_text(written(text, table_text, MARKS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
