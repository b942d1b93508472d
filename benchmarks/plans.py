"""How many correct verdicts 500 new devices bring, by who decides where they test.

    python -m benchmarks.plans                       # four worlds, 4 and 8 phones, 3 provinces each
    python -m benchmarks.plans --worlds control --provinces 10 --write

Strategies: `where people test now` (units by their present phones), `evenly` over units,
`measure_first` (that table's order, each unit topped up to ten devices), the plan in one round, and
in four of a quarter each, judged again between them. The first three draw a phone's village as
phones are found now (`testers`); the plan names the village. New phones test in the last 30 of the
90 days. Gained: correct confirmed verdicts after less before, so that those lost count; false: of
all confirmed verdicts after. `--write` renews the table of docs/method.md.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from multiprocessing import Pool
from time import perf_counter

import numpy as np
import pandas as pd

from benchmarks import worlds
from benchmarks.audit import METHOD, PERIOD, SETTINGS, UNIT, asked, upper_bound, written
from benchmarks.provinces import inputs_of
from pipeline.actions.fieldwork import measure_first
from pipeline.actions.next_tests import Known, Wanted, next_tests
from pipeline.config.run_context import RunContext
from pipeline.measure import measure
from pipeline.schema.fields import ALL
from pipeline.schema.month import AreaPeriod
from pipeline.sources.inputs import Inputs
from pipeline.sources.previous_runs import NOTHING
from pipeline.verdicts import result_tables

DEVICES, ROUNDS, ENOUGH = 500, 4, 10
STRATEGIES = (
    "where people test now", "evenly", "measure_first", "plan", "plan in four rounds",
)  # fmt: skip
USUAL_WORLDS = "control,good_signal,plan_caps,near_target"
Task = tuple[str, int, int, str]  # world, seed, mean number of phones by unit, strategy


def known_of(inputs: Inputs) -> Known:
    """What the plan knows of a province."""
    context = RunContext(SETTINGS, PERIOD)
    evidence = measure(inputs, context, NOTHING.ledger).evidence
    area = AreaPeriod(inputs.communes, PERIOD)
    found = result_tables.verdicts(evidence, area, context.rules)
    strata = evidence.strata
    return Known(found.rows, found.suppressed, strata, inputs.communes, inputs.villages)


def units_chosen(strategy: str, known: Known, generator: np.random.Generator) -> pd.DataFrame:
    """commune_code and operator of DEVICES phones, by a strategy without a plan."""
    rows = known.rows[known.rows["operator"] != ALL].reset_index(drop=True)
    if strategy == "where people test now":
        share = rows["device_count"] / rows["device_count"].sum()
        number = generator.choice(len(rows), DEVICES, p=share)
    elif strategy == "evenly":
        number = generator.permutation(np.resize(generator.permutation(len(rows)), DEVICES))
    else:
        named = rows.merge(
            known.communes[["commune_code", "former_district", "population"]], on="commune_code"
        )
        ordered = measure_first(named)
        lacking = (ENOUGH - ordered["device_count"]).clip(lower=1).astype(int)
        turns = np.repeat(np.arange(len(ordered)), lacking)
        return ordered.iloc[np.resize(turns, DEVICES)][UNIT]
    return rows.iloc[number][UNIT]


def asked_of(
    strategy: str, known: Known, place: worlds.Villages, devices: int, seed: int
) -> worlds.Asked:
    """The phones that a strategy sends, by commune, operator and village."""
    codes = known.communes["commune_code"].tolist()
    operators = list(worlds.LEVELS)
    if strategy.startswith("plan"):
        table = next_tests(known, Wanted(devices), RunContext(SETTINGS, PERIOD).rules)["plan"]
        table = table[table["visit_role"] == "main"]
        rows = table.loc[table.index.repeat(table["devices_wanted"].astype(int))]
        village = rows["village_name"].str.rpartition("-")[2].astype(int).to_numpy() - 1
    else:
        generator = np.random.default_rng((seed, STRATEGIES.index(strategy)))
        rows = units_chosen(strategy, known, generator)
    commune = np.array([codes.index(code) for code in rows["commune_code"]], dtype=np.int64)
    operator = np.array([operators.index(name) for name in rows["operator"]], dtype=np.int64)
    if not strategy.startswith("plan"):
        edges = np.cumsum(place.testers, axis=1)[commune]
        village = (generator.random((len(rows), 1)) * edges[:, -1:] >= edges).sum(axis=1)
    return worlds.Asked(commune, operator, np.asarray(village, dtype=np.int64))


def verdicts_of(known: Known, truth: pd.DataFrame) -> pd.DataFrame:
    """Named units with `sure` (confirmed) and `right`."""
    rows = known.rows[known.rows["operator"] != ALL].merge(truth, on=UNIT)
    is_gap = rows["true_mean_mbps"] < SETTINGS.target.download_mbps
    sure = rows["evidence"].eq("confirmed")
    right = sure & (rows["status"].eq("confirmed_gap") == is_gap)
    return pd.DataFrame({"sure": sure, "right": right})


def tried(task: Task) -> dict[str, object]:
    """What one strategy brings in one province."""
    world, seed, phones, strategy = task
    inputs, truth, villages = worlds.draw(world, seed, phones)
    inputs = replace(inputs, villages=villages)
    drawn = inputs.tests
    place = worlds.draw_villages(world, seed, phones)
    known, count, seconds = known_of(inputs), 0, 0.0
    before = verdicts_of(known, truth)
    rounds = ROUNDS if strategy == STRATEGIES[-1] else 1
    for turn in range(rounds):
        began = perf_counter()
        phones_asked = asked_of(strategy, known, place, DEVICES // rounds, seed)
        seconds += perf_counter() - began
        count += len(phones_asked.commune)
        number = turn + 10 * STRATEGIES.index(strategy)
        tests = worlds.draw_new_phones(world, seed, phones, phones_asked, number)
        more = inputs_of(inputs.communes, tests).tests
        named = [f"{turn}-{one}" for one in more["test_id"]]  # equal ids would be one test
        more = more.assign(source_file=f"round {turn}", test_id=pd.Series(named, dtype="str"))
        drawn = pd.concat([drawn, more], ignore_index=True)
        known = known_of(replace(inputs, tests=drawn))
    after = verdicts_of(known, truth)
    return {
        "world": world, "phones": phones, "strategy": strategy, "seed": seed, "sent": count,
        "gained": int(after["right"].sum() - before["right"].sum()),
        "new": int((after["right"] & ~before["sure"]).sum()),
        "new_false": int((after["sure"] & ~after["right"] & ~before["sure"]).sum()),
        "sure": int(after["sure"].sum()), "false": int((after["sure"] & ~after["right"]).sum()),
        "seconds": seconds,
    }  # fmt: skip


HEADINGS = (
    "world, phones by unit", *(f"{one}: gained (new)" for one in STRATEGIES),
    "plan against where people test now", "plan against measure_first", "plan: devices sent",
    "false after the plan",
)  # fmt: skip
HEADING = f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}"
MARKS = "<!-- plans: begin -->", "<!-- plans: end -->"


def line(rows: pd.DataFrame) -> str:
    """A row of the table, of one world and number of phones; means over provinces."""
    mean = rows.groupby("strategy")[["gained", "new", "sent"]].mean()
    planned = rows[rows["strategy"].str.startswith("plan")]
    false, sure = int(planned["false"].sum()), int(planned["sure"].sum())

    def times(other: str) -> str:
        found = [mean["gained"][one] / mean["gained"][other] for one in STRATEGIES[3:]]
        if mean["gained"][other] <= 0:
            return "–"
        return "; ".join(f"{one:.2f}" for one in found)

    cells = [
        f"{rows['world'].iloc[0].replace('_', ' ')}, {rows['phones'].iloc[0]}",
        *(f"{mean['gained'][one]:.1f} ({mean['new'][one]:.1f})" for one in STRATEGIES),
        times(STRATEGIES[0]), times(STRATEGIES[2]), f"{mean['sent']['plan']:.0f}",
        f"{false} of {sure}, ≤ {100 * upper_bound(false, sure):.1f} %",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Try and print."""
    groups, seeds, is_written = asked(__doc__, USUAL_WORLDS, 3, "4,8")
    table = [HEADING]
    print(HEADING, flush=True)
    with Pool(os.cpu_count()) as pool:
        for world, phones in groups:
            tasks = [(world, seed, phones, one) for seed in seeds for one in STRATEGIES]
            rows = pd.DataFrame(pool.map(tried, tasks, chunksize=1))
            table.append(line(rows))
            print(table[-1], flush=True)
    if is_written:
        about = f"{len(seeds)} provinces of each world, seeds {seeds.start}–{seeds.stop - 1}."
        text = METHOD.read_text(encoding="utf-8")
        table_text = "\n".join([about, "", *table])
        METHOD.write_text(written(text, table_text, MARKS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
