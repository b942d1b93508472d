"""How soon a repair in the middle of a window is seen, with and without `[events]`.

    python -m benchmarks.events [--provinces 6] [--first 0] [--write]

40 % of the units of a province become twice as fast in the middle of its fifth month; it is judged
at the end of each of eight months, once knowing the date and the units of the repair, once not.
Counted are units that were a gap, are none now, and were called one (confirmed or probable) in the
look before: at how many of them is the gap no longer called, and the target called met, so many
looks later. `fixed`: gaps of the ledger that are called so though their unit is below the target.
`--write` renews the table of docs/method.md. Same arguments, same figures.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from functools import partial
from multiprocessing import Pool

import numpy as np
import pandas as pd

from benchmarks import worlds
from benchmarks.audit import METHOD, SETTINGS, UNIT, written
from benchmarks.looks import monthly
from pipeline.schema.fields import ALL
from pipeline.schema.tables import TABLES, with_declared_dtypes
from pipeline.sources.inputs import Inputs

MONTHS, DAY = 8, 135  # DAY: of the repair, from 0; in the middle of the fifth month
WORLD = replace(
    worlds.CONTROL, meaning="repaired", repaired_share=0.4, repaired_factor=2.0, repaired_day=DAY
)
KINDS = {False: "without events", True: "with events"}
LATER = (0, 1, 2, 3)  # looks, from that of the repair's month on
MARKS = "<!-- events: begin -->", "<!-- events: end -->"


def drawn(seed: int, phones: int) -> tuple[Inputs, pd.DataFrame]:
    """(inputs, true means before and after by unit) of a province."""
    before, after = (
        worlds.draw_world(one, phones, np.random.default_rng((99, seed, phones)), MONTHS)
        for one in (replace(WORLD, repaired_factor=1.0), WORLD)
    )
    area = worlds.communes(side=worlds.SIDE)
    people = after.villages.groupby("commune_code")["people"].sum()
    area["population"] = area["commune_code"].map(people).astype("float64")
    truth = before.truth.merge(after.truth, on=UNIT, suffixes=("_before", "_after"))
    return worlds.inputs_of(area, after.tests), truth


def event_table(truth: pd.DataFrame) -> pd.DataFrame:
    """The declared table `events`: each repaired unit's site, on air on the day of the repair."""
    is_repaired = truth["true_mean_mbps_before"] != truth["true_mean_mbps_after"]
    units = truth.loc[is_repaired, UNIT].reset_index(drop=True)
    table = pd.DataFrame(dict.fromkeys(TABLES["events"]), index=units.index)
    day = worlds.FIRST + pd.to_timedelta(DAY, unit="D")
    table = table.assign(
        event_date=f"{day:%Y-%m-%d}", event_kind="on_air", event_operator=units["operator"],
        event_commune_code=units["commune_code"],
    )  # fmt: skip
    return with_declared_dtypes("events", table)


def looked(seed: int, phones: int) -> pd.DataFrame:
    """Verdicts and states by look: kind, look (0: of the repair's month), unit, what is called."""
    inputs, truth = drawn(seed, phones)
    target = SETTINGS.target.download_mbps
    first = DAY // 30 - (worlds.WINDOW - 1)  # number of the look of the repair's month
    found = []
    for is_known, kind in KINDS.items():
        ready = replace(inputs, events=event_table(truth) if is_known else None)
        for number, tables in enumerate(monthly(ready, SETTINGS, MONTHS)):
            status = tables["commune_status"]
            rows = status[status["operator"] != ALL][[*UNIT, "period", "status"]]
            ledger = tables["gap_ledger"]
            now = ledger[ledger["period"].eq(rows["period"].iloc[0])]
            fixed = now[now["state"].eq("fixed")].groupby(UNIT).size().rename("fixed")
            rows = rows.merge(fixed, how="left", left_on=UNIT, right_index=True)
            found.append(rows.assign(kind=kind, look=number - first, seed=seed))
    rows = pd.concat(found, ignore_index=True).merge(truth, on=UNIT)
    is_slow = rows["true_mean_mbps_after"] < target
    return rows.assign(
        is_gap=rows["status"].isin(["confirmed_gap", "probable_gap"]),
        meets=rows["status"].eq("meets_target"), fixed=rows["fixed"].fillna(0.0),
        is_slow=is_slow, was_repaired=(rows["true_mean_mbps_before"] < target) & ~is_slow,
    )  # fmt: skip


def table(rows: pd.DataFrame) -> list[str]:
    """The printed table: shares of the units that were repaired and had been called a gap."""
    names = [f"no gap, look {n}" for n in LATER] + [f"met, look {n}" for n in LATER]
    heading = ["", "units", *names, "`fixed`: false"]
    lines = [f"| {' | '.join(heading)} |", f"|{'---|' * len(heading)}"]
    key = ["seed", *UNIT]
    for kind, of in rows.groupby("kind", sort=False):
        called = of[(of["look"] == -1) & of["is_gap"] & of["was_repaired"]][key]
        some = of.merge(called, on=key)
        shares = [
            f"{value:.0%}"
            for is_there in (~some["is_gap"], some["meets"])
            for n in LATER
            for value in [is_there[some["look"] == n].mean()]
        ]
        after = of[of["look"] >= 0]
        false, total = after.loc[after["is_slow"], "fixed"].sum(), after["fixed"].sum()
        cells = [str(kind), str(len(called)), *shares, f"{false:.0f} of {total:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Judge and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--provinces", type=int, default=6)
    options.add_argument("--phones", type=int, default=20, help="mean number by unit and window")
    options.add_argument("--first", type=int, default=0, help="first seed")
    options.add_argument("--write", action="store_true", help="renew the table of docs/method.md")
    asked = options.parse_args()
    seeds = range(asked.first, asked.first + asked.provinces)
    with Pool(os.cpu_count()) as pool:
        rows = pd.concat(pool.imap(partial(looked, phones=asked.phones), seeds), ignore_index=True)
    lines = table(rows)
    print("\n".join(lines))
    if asked.write:
        about = (
            f"{len(seeds)} provinces, seeds {seeds.start}–{seeds.stop - 1}, {asked.phones} phones."
        )
        text = METHOD.read_text(encoding="utf-8")
        METHOD.write_text(written(text, "\n".join([about, "", *lines]), MARKS), encoding="utf-8")


if __name__ == "__main__":
    main()
