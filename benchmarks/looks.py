"""What monthly verdicts are worth over two years in which nothing changes.

    python -m benchmarks.looks                                  # control, 20 phones, 6 provinces
    python -m benchmarks.looks --worlds control --provinces 6 --phones 8,20 --first 0

Each province is tested for 26 months by phones that come and leave (`worlds.draw_months`) and
judged at the end of each month from the third on: 24 looks, each at three months, each going on
from the ledger and the status of the look before, and from the status a window earlier. Prints a
line per world and mean number of phones that test a unit within a window. Units (commune ×
operator) count as in `audit.py`; so do bounds. Same arguments, same figures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from multiprocessing import Pool

import pandas as pd

from benchmarks import worlds
from benchmarks.audit import SETTINGS, UNIT, asked, upper_bound
from pipeline.config.rules import cleaning_rules_of
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings
from pipeline.engine.local import Local
from pipeline.journey import judge_month
from pipeline.measurements.prepare import prepared_tests
from pipeline.schema.fields import ALL
from pipeline.schema.periods import Period
from pipeline.sources.deliveries import Part
from pipeline.sources.inputs import Inputs
from pipeline.sources.previous_runs import NOTHING, Previous

MONTHS = 26
Task = tuple[str, int, int]  # world, seed, mean number of phones that test in a window
NEAR = 6.0  # Mbit/s from the target
SIGNALS = ("new_gap", "better", "decided", "improving")
Looks = tuple[pd.DataFrame, pd.DataFrame]
Tables = Mapping[str, pd.DataFrame]


def looked(task: Task, settings: Settings = SETTINGS, months: int = MONTHS) -> Looks:
    """(verdicts, signals) of all looks at one province.

    `verdicts`, a row per look and unit: seed, period, commune_code, operator, true_mean_mbps,
    distance_mbps (from the target, negative of a gap), is_gap_found, is_pass_found (confirmed).
    `signals`, a row per look that has one before it: seed, period, and the number of rows of the
    published tables that say `new_gap`, `better` or `decided` (`changes`), or `improving`
    (`gap_areas`).
    """
    world, seed, phones = task
    inputs, truth, _ = worlds.draw_months(world, seed, phones, months)
    distance = truth["true_mean_mbps"] - settings.target.download_mbps
    truth = truth.assign(seed=seed, distance_mbps=distance)
    verdicts, signals = [], []
    for tables in monthly(inputs, settings, months):
        verdicts.append(confirmed(tables["commune_status"]))
        if "changes" in tables:
            said = pd.concat([tables["changes"]["change"], tables["gap_areas"]["state"]])
            counts = {name: int(said.eq(name).sum()) for name in SIGNALS}
            signals.append({"seed": seed, "period": tables["changes"]["period"].iloc[0], **counts})
    rows = pd.concat(verdicts, ignore_index=True).merge(truth, on=UNIT, validate="many_to_one")
    return rows, pd.DataFrame(signals)


def monthly(inputs: Inputs, settings: Settings, months: int) -> Iterator[Tables]:
    """The tables of each look, the first in the third month; the tests are prepared once."""
    parts, rules = [Part(tests=inputs.tests)], cleaning_rules_of(settings)
    rows, _ = prepared_tests(parts, inputs.communes, rules, Local())
    first = Period.parse(f"{worlds.FIRST:%Y-%m}").first
    previous, looked_at = NOTHING, dict[Period, pd.DataFrame]()
    with replace(inputs, rows=rows, account=rows.account) as ready:
        for last in range(first + worlds.WINDOW - 1, first + months):
            period = Period(last, 1)
            earlier = looked_at.get(period.earlier(settings.evidence.window_months))
            context = RunContext(settings, period)
            tables = judge_month(ready, context, replace(previous, earlier=earlier)).tables
            looked_at[period] = tables["commune_status"]
            previous = Previous(tables["gap_ledger"], tables["commune_status"], [])
            yield tables


def confirmed(status: pd.DataFrame) -> pd.DataFrame:
    """period, commune_code, operator, is_gap_found, is_pass_found of units in `commune_status`."""
    units = status[status["operator"] != ALL]
    is_sure = units["evidence"].eq("confirmed")
    return units[["period", *UNIT]].assign(
        is_gap_found=units["status"].eq("confirmed_gap"),
        is_pass_found=units["status"].eq("meets_target") & is_sure,
    )


def summary(verdicts: pd.DataFrame, signals: pd.DataFrame) -> dict[str, float]:
    """Figures of the looks of `looked`; NaN where a share is of none.

    For `gaps` and `passes`: units where that verdict is wrong, how many and what share of them had
    it confirmed at least once, the share's bound, the same of those near the target; the share of
    right ones that is confirmed in a month (`found`) and their number in a province and month.
    """
    is_gap = verdicts["distance_mbps"] < 0
    province_months = len(verdicts[["seed", "period"]].drop_duplicates())
    found: dict[str, float] = {}
    for name, verdict, is_right in (
        ("gaps", "is_gap_found", is_gap),
        ("passes", "is_pass_found", ~is_gap),
    ):
        wrong = verdicts[~is_right].groupby(["seed", *UNIT])
        ever, near = wrong[verdict].any(), wrong["distance_mbps"].first().abs() < NEAR
        right = verdicts.loc[is_right, verdict]
        found |= {
            f"{name}_units": len(ever),
            f"{name}_ever": int(ever.sum()),
            f"{name}_share": float(ever.mean()),
            f"{name}_bound": upper_bound(int(ever.sum()), len(ever)),
            f"{name}_near_units": int(near.sum()),
            f"{name}_near_ever": int(ever[near].sum()),
            f"{name}_near_share": float(ever[near].mean()),
            f"{name}_found": float(right.mean()),
            f"{name}_monthly": float(right.sum() / province_months),
        }
    return found | {name: float(signals[name].mean()) for name in SIGNALS}


def line(world: str, phones: int, verdicts: pd.DataFrame, signals: pd.DataFrame) -> str:
    """A row of the printed table, in the order of `HEADING`."""
    f = summary(verdicts, signals)
    cells = [f"{world:<19} {phones:>3}"]
    for name in ("gaps", "passes"):
        ever, near = (
            f"{f[f'{key}_ever']:>4} /{f[f'{key}_units']:>5} {f[f'{key}_share']:>6.1%}"
            for key in (name, f"{name}_near")
        )
        cells += [f"{ever} {f[f'{name}_bound']:>6.1%}", near]
        cells += [f"{f[f'{name}_monthly']:>5.1f} {f[f'{name}_found']:>6.1%}"]
    cells.append(" ".join(f"{f[name]:>9.2f}" for name in SIGNALS))
    return " | ".join(cells)


HEADING = " | ".join(
    [
        f"{'world':<19} {'M':>3}",
        f"{'gaps: ever wrong, ≤':<25}",
        f"{'true 40 to 46':<18}",
        f"{'a month':<12}",
        f"{'passes: ever wrong, ≤':<25}",
        f"{'true 34 to 40':<18}",
        f"{'a month':<12}",
        " ".join(f"{name:>9}" for name in SIGNALS),
    ]
)


def main() -> int:
    """Judge and print."""
    groups, seeds, _ = asked(__doc__, "control", 6, "20")
    tasks = [(name, seed, phones) for name, phones in groups for seed in seeds]
    print(HEADING, flush=True)
    with Pool(os.cpu_count()) as pool:
        found = pool.imap(looked, tasks)
        for name, phones in groups:
            verdicts, signals = zip(*islice(found, len(seeds)), strict=True)
            rows = (pd.concat(parts, ignore_index=True) for parts in (verdicts, signals))
            print(line(name, phones, *rows), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
