"""Many provinces under one budget: the choice by parts and its bound, against the whole problem."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.actions.sites import parts
from pipeline.actions.sites.choice import Chosen, Problem, best_choice, spent
from pipeline.actions.sites.parts import best_of_parts


def drawn(seed: int, parts: int = 4, sites: int = 5) -> tuple[Problem, np.ndarray]:
    """Provinces of `sites` sites with an action each, eight demands, three pairs of each."""
    generator = np.random.default_rng(seed)
    demand, action, gain = [], [], []
    for part in range(parts):
        for number in range(8):
            for one in generator.choice(sites, 3, replace=False):
                demand.append(part * 8 + number)
                action.append(part * sites + one)
                gain.append(generator.lognormal(2.0, 0.8))
    count = parts * sites
    problem = Problem(
        np.array(demand), np.array(action), np.array(gain), np.ones(len(gain)), np.arange(count),
        generator.uniform(0, 2, count), np.full(count, np.inf), generator.uniform(1, 6, count),
    )  # fmt: skip
    return problem, np.repeat(np.arange(parts), sites)


@pytest.mark.parametrize("limit", [{"budget": 25.0}, {"budget": 6.0}, {"most": 7}, {"most": 2}])
@pytest.mark.parametrize("seed", range(5))
def test_the_whole_best_lies_between_the_choice_and_its_bound(seed, limit):
    problem, part = drawn(seed)
    problem = replace(problem, **limit)
    found, best = best_of_parts(problem, part), best_choice(problem)
    assert spent(problem, found.sites, found.actions) <= problem.limit + 1e-9
    assert found.value <= best.value * (1 + 1e-6)
    assert best.value <= found.value / (1 - found.mip_gap) * (1 + 1e-6)
    assert found.value == pytest.approx(float((problem.gain * found.served).sum()))


def test_of_many_small_sites_the_distance_is_small():
    problem, part = drawn(9, parts=12, sites=8)
    found = best_of_parts(replace(problem, budget=150.0), part)
    assert 0 < found.mip_gap <= 0.01


def test_a_limit_that_binds_nobody_and_one_that_allows_nothing():
    problem, part = drawn(2)
    everything = best_of_parts(replace(problem, budget=1e6), part)
    assert everything.value == pytest.approx(best_choice(replace(problem, budget=1e6)).value)
    assert everything.mip_gap <= 1e-6
    nothing = best_of_parts(replace(problem, budget=0.5), part)
    assert nothing.value == 0
    assert not nothing.sites.any()


def test_one_part_is_the_whole_problem():
    problem, _ = drawn(3)
    problem = replace(problem, most=4)
    alone = best_of_parts(problem, np.zeros(len(problem.site_cost), dtype=int))
    assert alone.value == best_choice(problem).value
    assert alone.mip_gap == 0


@pytest.mark.parametrize("limit", [{"budget": 25.0}, {"most": 7}])
@pytest.mark.parametrize("gap", [1.0, np.inf])
def test_a_part_without_a_choice_in_time_leaves_the_bound_above_the_best(monkeypatch, limit, gap):
    problem, part = drawn(1)
    problem = replace(problem, **limit)
    best = best_choice(problem)

    def late(one: Problem, *, seconds: float = 60.0) -> Chosen:
        """No choice for the part whose first demand has the number 0."""
        found = best_choice(one if one.demand.min() else replace(one, most=0), seconds=seconds)
        return found if one.demand.min() else replace(found, mip_gap=gap)

    monkeypatch.setattr(parts, "best_choice", late)
    found = best_of_parts(problem, part)
    assert found.value < best.value * 0.999
    assert best.value <= found.value / (1 - found.mip_gap) * (1 + 1e-6)


def test_without_time_nothing_counts_as_proven():
    problem, part = drawn(1)
    problem = replace(problem, most=7)
    found = best_of_parts(problem, part, seconds=1e-9)
    best = best_choice(problem)
    assert best.value * (1 - found.mip_gap) <= found.value * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_a_budget_for_everything_to_the_last_digit_buys_everything(seed):
    rng = np.random.default_rng(seed)
    every, cost = np.arange(12), rng.choice([0.1, 0.2, 0.3, 0.7, 1.1], 12)
    gain = rng.uniform(1, 9, 12)
    budget = float(np.cumsum(cost[np.argsort(-gain / cost, kind="stable")])[-1])
    problem = Problem(every, every, gain, np.ones(12), every, np.zeros(12), np.full(12, np.inf),
                      cost, budget=budget)  # fmt: skip
    found = best_of_parts(problem, every % 2)
    assert found.value == pytest.approx(gain.sum())
    assert found.mip_gap <= 1e-6
