"""Places without signal in simulated provinces: `python -m benchmarks.silence`.

The world is not the model's: activity of a place is log-normal with many places that never test,
participation varies tenfold between communes, remoteness is a place's own, and some tests of a
place are put to its neighbour's.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from pipeline.verdicts.silence import Attempts, silence

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


def _tenth(said: np.ndarray, truth: np.ndarray) -> str:
    return f"{said.mean() * 100:.0f}:{truth.mean() * 100:.0f}({len(truth)})"


def main() -> None:
    """Print, by world, how often places that are called without signal have none."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--provinces", type=int, default=24)
    options.add_argument("--first", type=int, default=900)
    asked = options.parse_args()
    for world in WORLDS:
        said, truth, plain, seconds = [], [], [], 0.0
        for seed in range(asked.first, asked.first + asked.provinces):
            attempts, dead = province(world, seed)
            start = perf_counter()
            found = silence(attempts)
            seconds += perf_counter() - start
            said.append(found.probability.ravel())
            truth.append(dead.ravel())
            plain.append((attempts.usable == 0).ravel())
        p, t, silent = (np.concatenate(one) for one in (said, truth, plain))
        called = p >= 0.8
        tenth = np.minimum((p * 10).astype(int), 9)
        bins = [_tenth(p[tenth == i], t[tenth == i]) for i in range(10) if (tenth == i).sum() >= 30]
        print(
            f"{world.name:26s} k {found.activity:4.2f} a {found.market:2.0f} called {called.sum():5d} right "
            f"{t[called].mean() if called.any() else float('nan'):.3f} of all {t.sum()} "
            f"silent-is-dead right {t[silent].mean():.3f} ({silent.sum()}) "
            f"{seconds / asked.provinces:.2f} s\n    {' '.join(bins)}"
        )


if __name__ == "__main__":
    main()
