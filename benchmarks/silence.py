"""Places without signal in simulated provinces: `python -m benchmarks.silence [--write]`.

The world is not the model's: activity of a place is log-normal (or many places never test),
participation varies tenfold between communes, operators' shares from place to place, remoteness is
a place's own, and some tests of a place are put to its neighbour's. `--write` renews the table of
docs/method.md.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool

import numpy as np

from benchmarks.audit import METHOD, written
from pipeline.verdicts.silence import Attempts, silence
from pipeline.verdicts.villages import NO_SIGNAL

OPERATORS = 4
SHARES = np.array([0.45, 0.28, 0.2, 0.07])
RATES = np.array([0.05, 0.1, 0.12, 0.3])  # of places without signal, by operator


@dataclass(frozen=True)
class World:
    """Parameters of a simulated province."""

    name: str
    devices_per_place: float = 4.0
    active_share: float = 1.0  # of places where anybody tests
    activity_sd: float = 0.8  # log
    participation_sd: float = 0.7  # log; tenfold between the 5th and the 95th in 100
    remote_sd: float = 1.5
    stray: float = 0.03
    failed_if_works: float = 0.04
    failed_if_dead: float = 0.1
    are_people_known: bool = True
    dead_factor: float = 1.0  # times RATES
    village_market: float = 12.0  # concentration of operators' shares by place; 0: the commune's


WORLDS = (
    World("control"),
    World("few test", devices_per_place=1.5),
    World("many test", devices_per_place=12.0),
    World("few places test", active_share=0.5),
    World("uneven places", activity_sd=1.3),
    World("people unknown", are_people_known=False),
    World("no failed tests", failed_if_works=0.0, failed_if_dead=0.0),
    World("inexact positions", stray=0.1),
    World("alike communes", participation_sd=0.1),
    World("few without signal", dead_factor=0.25),
    World("shares alike", village_market=0.0),
    World("many without signal", dead_factor=2.0),
)


def province(world: World, seed: int) -> tuple[Attempts, np.ndarray]:
    """A province of 38 communes, and which place × operator has no signal."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(5, 16, 38)
    commune = np.repeat(np.arange(38), counts)
    place_count = len(commune)
    people = rng.lognormal(5.5, 0.6, place_count)
    remote = rng.normal(0, world.remote_sd, place_count)
    rates = RATES * world.dead_factor
    base = np.log(rates / (1 - rates)) * np.sqrt(1 + world.remote_sd**2 / 2.9)
    dead = rng.random((place_count, OPERATORS)) < 1 / (1 + np.exp(-(base + remote[:, None])))
    activity = rng.lognormal(0, world.activity_sd, place_count)
    activity *= rng.random(place_count) < world.active_share
    takes_part = rng.lognormal(0, world.participation_sd, 38)
    market = rng.dirichlet(SHARES * 12, 38)
    level = people / people.mean() * activity * takes_part[commune] * world.devices_per_place
    shares = market[commune]
    if world.village_market:
        shares = np.array([rng.dirichlet(one * world.village_market + 0.01) for one in shares])
    mean = level[:, None] * shares
    usable = rng.poisson(np.where(dead, 0.0, mean * (1 - world.failed_if_works)))
    failed = rng.poisson(mean * np.where(dead, world.failed_if_dead, world.failed_if_works))
    moved = rng.binomial(usable, world.stray)
    usable = usable - moved
    for place in range(place_count):
        near = np.flatnonzero((commune == commune[place]) & (np.arange(place_count) != place))
        for operator in range(OPERATORS):
            for to in rng.choice(near, moved[place, operator]):
                usable[to, operator] += 1
    one = np.ones(dead.shape)
    known = people if world.are_people_known else np.full(place_count, np.nan)
    return Attempts(commune, known, usable.astype(float), failed.astype(float), one, one), dead


def line(world: World, seeds: range) -> str:
    """A row of the table: how often places that are called without signal have none."""
    said, truth, silent = [], [], []
    for seed in seeds:
        attempts, dead = province(world, seed)
        said.append(silence(attempts).ravel())
        truth.append(dead.ravel())
        silent.append((attempts.usable == 0).ravel())
    p, t, untested = (np.concatenate(one) for one in (said, truth, silent))
    called, tenth = p >= NO_SIGNAL, np.minimum((p * 10).astype(int), 9)
    by_tenth = [
        f"{100 * p[tenth == i].mean():.0f}: {100 * t[tenth == i].mean():.0f}"
        if (tenth == i).sum() >= LEAST
        else "–"
        for i in range(10)
    ]
    cells = [
        world.name,
        f"{t.sum()} of {t.size}",
        f"{t[called].sum()} of {called.sum()}: {100 * t[called].mean():.0f} %",
        f"{100 * t[called].sum() / t.sum():.0f} %",
        f"{t[untested].sum()} of {untested.sum()}: {100 * t[untested].mean():.0f} %",
        *by_tenth,
    ]
    return f"| {' | '.join(cells)} |"


HEADINGS = (
    "world", "place × operator without signal", "called (P ≥ .8): right", "of them found",
    "no test = no signal: right", *(f"P {i / 10:.1f}–{(i + 1) / 10:.1f}" for i in range(10)),
)  # fmt: skip
HEADING = f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}"
MARKS = "<!-- silence: begin -->", "<!-- silence: end -->"
LEAST = 30  # places of a tenth whose share is printed


def main() -> None:
    """Print the table, and renew it in docs/method.md where that is asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--provinces", type=int, default=24, help="of each world")
    options.add_argument("--first", type=int, default=1000, help="first seed")
    options.add_argument("--write", action="store_true", help="renew the table of docs/method.md")
    asked = options.parse_args()
    seeds = range(asked.first, asked.first + asked.provinces)
    print(HEADING, flush=True)
    table = [HEADING]
    with Pool(os.cpu_count()) as pool:
        for row in pool.imap(partial(line, seeds=seeds), WORLDS):
            table.append(row)
            print(row, flush=True)
    if asked.write:
        about = f"{len(seeds)} provinces of each world, seeds {seeds.start}–{seeds.stop - 1}."
        text = METHOD.read_text(encoding="utf-8")
        METHOD.write_text(written(text, "\n".join([about, "", *table]), MARKS), encoding="utf-8")


if __name__ == "__main__":
    main()
