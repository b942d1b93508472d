"""Are verdicts right as often as they claim? Compares verdicts with the truth (docs/method.md).

The provinces are simulated, so their truth is known.

    python -m benchmarks.calibration                # 30 provinces in each regime, some six minutes
    python -m benchmarks.calibration --provinces 5  # a quick look
    python -m benchmarks.calibration --write        # also renews tables and plots of docs/method.md

Exit 1 where a promise of METHOD is not kept. Same arguments, same figures.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from multiprocessing import Pool

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks import provinces
from benchmarks.calibration_report import promises, write_report
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings
from pipeline.hexgrid import hexes
from pipeline.journey import judge_month
from pipeline.measurements import locate
from pipeline.schema.fields import ALL
from pipeline.schema.periods import Period
from pipeline.verdicts import statistics

TARGET = 40.0
# ranks do not matter here: the smallest number of draws that the settings allow
SETTINGS = Settings.model_validate({"priority": {"draws": 20}})
PERIOD = Period.parse("2026-10")
UNIT = ["commune_code", "operator"]


def judged(task: tuple[str, int]) -> pd.DataFrame:
    """Units of one province: truth, verdict, figures, and the results of naive pipelines."""
    regime, seed = task
    inputs, province = provinces.draw(regime, seed)
    status = judge_month(inputs, RunContext(SETTINGS, PERIOD)).tables["commune_status"]
    rows = (
        status[status["operator"] != ALL]
        .merge(province.truth, on=UNIT)
        .merge(naive(inputs), how="left", on=UNIT)
    )
    return rows.assign(regime=regime, seed=seed, is_gap=rows["true_mean_mbps"] < TARGET)


def naive(inputs: provinces.Inputs) -> pd.DataFrame:
    """What naive pipelines publish, by commune × operator.

    Raw mean, median, and mean of res-8 cell means of all tests.
    """
    tests = inputs.tests
    rows = pd.DataFrame(
        {
            "commune_code": locate.communes_of_points(
                tests["latitude"], tests["longitude"], inputs.communes
            ),
            "operator": tests["operator_met"],
            "download_mbps": tests["download_mbps"],
            "cell": hexes.cells_of_points(tests["latitude"], tests["longitude"], 8),
        }
    )
    units = rows.groupby(UNIT)["download_mbps"]
    cells = rows.groupby([*UNIT, "cell"])["download_mbps"].mean().groupby(UNIT).mean()
    return pd.DataFrame(
        {
            "naive_mean": units.mean(),
            "naive_median": units.median(),
            "naive_hex_mean": cells,
            "naive_count": units.size(),
        }
    ).reset_index()


def intervals(task: tuple[str, int]) -> pd.DataFrame:
    """Whether each kind of 95 % interval of a unit holds the true mean, and how wide it is.

    Units of one province with 5 devices or more.
    """
    regime, seed = task
    from pipeline.measure import measure
    from pipeline.sources.previous_runs import no_ledger

    inputs, province = provinces.draw(regime, seed)
    evidence = measure(inputs, RunContext(SETTINGS, PERIOD), no_ledger()).evidence
    truth = province.truth.set_index(UNIT)["true_mean_mbps"]
    generator = np.random.default_rng([7, seed, len(regime)])
    found = []
    for unit, rows in evidence.devices[evidence.devices["operator"] != ALL].groupby(UNIT):
        x = rows["download_mbps"].to_numpy()
        m = len(x)
        if m < 5 or x.std() == 0:
            continue
        y, q = np.log(x), stats.t.ppf(0.975, m - 1)
        half = q * x.std(ddof=1) / np.sqrt(m)
        cox_half = q * float(statistics.cox_error(np.array(y.var(ddof=1)), np.array(float(m))))
        middle = y.mean() + y.var(ddof=1) / 2
        drawn = generator.choice(x, size=(999, m)).mean(axis=1)
        sizes = np.array([float(m)])
        lo, hi = statistics.envelope(
            np.array([x.mean()]),
            np.array([x.std(ddof=1)]),
            np.array([y.mean()]),
            np.array([y.var(ddof=1)]),
            sizes,
            0.95,
        )
        for kind, low, high in (
            ("envelope", lo[0], hi[0]),
            ("plain t", x.mean() - half, x.mean() + half),
            ("bootstrap percentile", *np.percentile(drawn, [2.5, 97.5])),
            ("modified Cox", np.exp(middle - cox_half), np.exp(middle + cox_half)),
        ):
            found.append(
                (regime, seed, kind, m, low <= truth[unit] <= high, high - low, high < truth[unit])
            )
    columns = ["regime", "seed", "kind", "m", "holds", "width", "is_too_low"]
    return pd.DataFrame(found, columns=columns)


def power(generator: np.random.Generator) -> pd.DataFrame:
    """Share of gaps of a true mean that direct evidence confirms, by number of devices.

    Device values have log-sd 0.7; q is taken as p.
    """
    found = []
    for mean in (15.0, 20.0, 25.0, 30.0):
        for m in (10, 12, 15, 20, 25, 30, 40, 60, 80, 120, 200, 400):
            x = np.exp(generator.normal(np.log(mean) - 0.7**2 / 2, 0.7, (2000, m)))
            y, sizes = np.log(x), np.full(2000, float(m))
            figures = (
                x.mean(axis=1),
                x.std(axis=1, ddof=1),
                y.mean(axis=1),
                y.var(axis=1, ddof=1),
                sizes,
            )
            _, hi = statistics.envelope(*figures, 0.95)
            p_gap, _ = statistics.p_values(*figures, TARGET)
            # the fastest device is not always the one whose loss hurts most: leave out each
            worst = np.max([_without(x, i) for i in range(min(m, 40))], axis=0) if m <= 40 else hi
            found.append(
                (mean, m, float(((hi < TARGET) & (p_gap <= 0.05) & (worst < TARGET)).mean()))
            )
    return pd.DataFrame(found, columns=["true_mean_mbps", "devices", "confirmed_share"])


def _without(x: statistics.Floats, i: int) -> statistics.Floats:
    """Upper envelope limits without the device of a column."""
    left = np.delete(x, i, axis=1)
    y = np.log(left)
    sizes = np.full(len(x), float(left.shape[1]))
    return statistics.envelope(
        left.mean(axis=1),
        left.std(axis=1, ddof=1),
        y.mean(axis=1),
        y.var(axis=1, ddof=1),
        sizes,
        0.95,
    )[1]


def growth(task: tuple[float, int]) -> tuple[float, float, float]:
    """(mean devices per unit, share of units with a verdict, share with a confirmed one)."""
    devices, seed = task
    area = provinces.communes()
    province = provinces.draw_province(
        area,
        provinces.OPERATORS,
        provinces.MONTHS,
        seed=9_000_000 + seed,
        spread=replace(provinces.PLAIN, devices_per_unit=devices),
    )
    inputs = provinces.inputs_of(area, province.tests)
    status = judge_month(inputs, RunContext(SETTINGS, PERIOD)).tables["commune_status"]
    named = status[status["operator"] != ALL]
    return (
        devices,
        float(named["evidence"].ne("none").mean()),
        float(named["evidence"].eq("confirmed").mean()),
    )


def main() -> int:
    """Judge, compare, print; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--provinces", type=int, default=30, help="provinces in each regime (default 30)"
    )
    parser.add_argument("--first", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--write", action="store_true", help="renew docs/method.md and its plots")
    chosen = parser.parse_args()
    tasks = [
        (name, seed)
        for seed in range(chosen.first, chosen.first + chosen.provinces)
        for name in provinces.REGIMES
    ]
    first = [
        (name, seed)
        for seed in range(chosen.first, chosen.first + min(chosen.provinces, 6))
        for name in provinces.REGIMES
    ]
    sizes = [(float(d), seed) for seed in range(4) for d in (2, 4, 8, 16, 32, 64, 128)]
    with Pool(os.cpu_count()) as pool:
        rows = pd.concat(pool.map(judged, tasks, chunksize=2), ignore_index=True)
        kinds = pd.concat(pool.map(intervals, first, chunksize=2), ignore_index=True)
        grown = pd.DataFrame(
            pool.map(growth, sizes), columns=["devices", "decided_share", "confirmed_share"]
        )
    figures = power(np.random.default_rng(11))
    print(write_report(rows, kinds, grown, figures, write=chosen.write))
    kept = promises(rows)
    print(kept.to_string(index=False))
    return 0 if kept["kept"].all() else 1


if __name__ == "__main__":
    sys.exit(main())
