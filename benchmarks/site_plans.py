"""How many people who truly fall short a plan of sites reaches, against the rank list.

    python -m benchmarks.site_plans                        # four worlds, 8 phones, 4 provinces each
    python -m benchmarks.site_plans --worlds control --provinces 10 --write

At equal number of sites (20), and at equal money (prices are made up; half of the communes are
mountainous and the others hilly, and a fifth of the villages has no grid). The list: the priorities
by `need_rank`, for each a site at the commune's most populous place, or in the middle of its worst
gap area; then from the top again, at the next place, until sites or money are spent. People who
truly fall short: people × the operator's share in places whose own true mean is below the target,
times the probability of coverage; the same model of coverage for all. Person gap truly closed: by
the true means of places, mean over the speeds that a site may give. One speed: each province draws
one, and the plan's 90 % range should hold what that closes, by the true means of units, as the plan
takes them, or of places. `places spread`: with `[site_plan] place_log_sd` 0.45. `--write` renews
the table of docs/investment.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
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
SPEEDS = 50
SPREAD = 0.45  # log-sd of villages; true are 0.30 or 0.60, by world
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


def site_range(ground: Ground) -> tuple[float, float]:
    """The speeds that a site may give, Mbit/s."""
    return assumed_of(ground.settings, list(worlds.LEVELS)).effects.site_mbps


def closed(ground: Ground, weight: Floats, mean: Floats, speeds: Sequence[float] = ()) -> float:
    """The person gap that is truly closed, mean over a site's speeds: of its range, if none."""
    target = ground.settings.target.download_mbps
    of_range = np.linspace(*site_range(ground), 2 * SPEEDS + 1)[1::2]  # midpoints of equal parts
    found = []
    for speed in speeds or of_range:
        lifted = np.maximum(0, np.minimum(speed, target) - mean)
        found.append((weight * lifted).sum() / target)
    return float(np.mean(found))


def planned(ground: Ground, terms: str, place_log_sd: float) -> SitePlan:
    """The plan of sites, by what tests of the province show."""
    measured, verdicts = judged(ground.inputs, RunContext(ground.settings, PERIOD))
    question = Asked(most=SITES) if terms == "sites" else Asked(budget=BUDGET)
    known = Judged(verdicts, measured.evidence.strata)
    about = ground.settings.site_plan.model_copy(update={"place_log_sd": place_log_sd})
    settings = ground.settings.model_copy(update={"site_plan": about})
    return site_tables(ground.inputs, known, settings, question)


def built(plan: SitePlan) -> pd.DataFrame:
    """The chosen sites: latitude, longitude, terrain, operator."""
    rows = plan.tables["site_plan"]
    return rows[rows["site_state"] == "chosen"].rename(
        columns={"site_latitude": "latitude", "site_longitude": "longitude"}
    )


def tried(task: Task) -> dict[str, object]:
    """What the plan and the list reach in one province."""
    world, seed, phones, terms = task
    ground = drawn(task)
    month = judge_month(ground.inputs, RunContext(ground.settings, PERIOD))
    priorities = month.tables["priorities"]
    began = process_time()
    plan = planned(ground, terms, 0.0)
    seconds = process_time() - began
    people = ground.places["people"].to_numpy()[:, None] / len(worlds.LEVELS)
    is_short = ground.place_mean < ground.settings.target.download_mbps
    ways = {
        "plan": built(plan),
        "spread": built(planned(ground, terms, SPREAD)),
        "places": from_the_list(ground, priorities, terms, by_gaps=False),
        "gaps": from_the_list(ground, priorities, terms, by_gaps=True),
    }
    covered = {name: reached(ground, sites) for name, sites in ways.items()}
    gaps = {name: closed(ground, people * one, ground.place_mean) for name, one in covered.items()}
    lo, hi = plan.results["closed_lo"], plan.results["closed_hi"]
    speed = float(np.random.default_rng((seed, 7)).uniform(*site_range(ground)))
    by_units, by_places = (
        closed(ground, people * covered["plan"], mean, (speed,))
        for mean in (ground.unit_mean, ground.place_mean)
    )
    return {
        "world": world, "phones": phones, "seed": seed, "terms": terms,
        "short": float((people * is_short).sum()), "listed": len(priorities),
        **{name: float((people * is_short * one).sum()) for name, one in covered.items()},
        **{f"{name}_sites": len(one) for name, one in ways.items()},
        **{f"{name}_closed": one for name, one in gaps.items()},
        "proven": plan.results["mip_gap"] == 0, "seconds": seconds,
        "expected": plan.results["closed"], "by_units": by_units, "by_places": by_places,
        "holds_units": lo <= by_units <= hi, "holds_places": lo <= by_places <= hi,
    }  # fmt: skip


HEADINGS = (
    "world, phones by unit", "at equal", "people who truly fall short",
    "reached: plan", "plan, places spread", "list, largest places", "list, gap areas",
    "plans against the better list", "person gap truly closed: plan", "plan, places spread",
    "list, largest places", "list, gap areas", "plans against the better list",
    "sites: plan; list", "proven best", "seconds", "one speed: expected; true by units; by places",
    "90 % range holds it: by units; by places",
)  # fmt: skip
HEADING = f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}"
MARKS = "<!-- site_plans: begin -->", "<!-- site_plans: end -->"
INVESTMENT = Path(__file__).resolve().parent.parent / "docs" / "investment.md"


def line(rows: pd.DataFrame) -> str:
    """A row of the table, of one world and terms: means over provinces."""
    one = rows.iloc[0]
    mean = rows.drop(columns=["world", "terms"]).astype("float64").mean()
    size = len(rows)

    def against(end: str) -> list[str]:
        """What plan and lists bring, and the plan against the better list."""
        values = [mean[f"{name}{end}"] for name in ("plan", "spread", "places", "gaps")]
        better = max(values[2:])
        more = [f"{one / better - 1:+.0%}" if better > 0 else "–" for one in values[:2]]
        return [*(f"{value:,.0f}" for value in values), "; ".join(more)]

    cells = [
        f"{one['world'].replace('_', ' ')}, {one['phones']}", one["terms"],
        f"{mean['short']:,.0f}",
        *against(""), *against("_closed"),
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
