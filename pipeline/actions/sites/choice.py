"""Which sites to choose: a maximal covering problem with costs and capacities, solved exactly.

Church and ReVelle, The maximal covering location problem, Papers in Regional Science 32, 1974, with
fixed costs of sites, costs of operators at them, and capacities. Does not belong here: what people,
costs and coverage are (`demand.py`, `candidates.py`, `coverage.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
MIP_GAP = 1e-6  # relative: below it a plan counts as proven optimal
EQUAL = 1e-9  # relative: gains and values that differ by less are equal


@dataclass(frozen=True)
class Problem:
    """Pairs of a demand and an action that would serve it; actions stand at sites.

    A site costs `site_cost` once, however many actions stand at it; an action `action_cost`.
    `budget`: of all costs; `most`: of sites; None: no limit. `capacity`: of an action, in units of
    `load`; inf: none.
    """

    demand: Ints  # by pair
    action: Ints  # by pair
    gain: Floats  # by pair: people, where the action serves the demand
    load: Floats  # by pair: people that the action then carries
    site: Ints  # by action
    action_cost: Floats  # by action
    capacity: Floats  # by action
    site_cost: Floats  # by site
    budget: float | None = None
    most: int | None = None
    price: float = 0.0  # people that a unit of the limit must bring: of costs, or of sites

    @property
    def limit(self) -> float | None:
        """The budget, or the number of sites; None without either."""
        return self.budget if self.budget is not None else self.most


@dataclass(frozen=True)
class Chosen:
    """The best choice: which sites and actions, how much of each pair, and how sure it is best."""

    sites: Bools
    actions: Bools
    served: Floats  # by pair, 0–1
    value: float
    mip_gap: float  # relative; 0: proven optimal


def best_choice(problem: Problem, *, seconds: float = 60.0) -> Chosen:
    """The sites and actions that serve most, by HiGHS (`scipy.optimize.milp`).

    Maximises Σ gain · x over pairs; Σ x of a demand ≤ 1, x ≤ y of its action, y ≤ t of its
    site, Σ load · x ≤ capacity · y, Σ costs ≤ budget, Σ t ≤ most; y and t are 0 or 1, x is
    from 0 to 1.
    With a `price` the aim is that sum less the price of what counts against the limit. After
    `seconds` the best choice so far, with its gap.
    """
    is_useful = problem.gain > 0
    if not is_useful.any() or problem.most == 0:
        return _nothing(problem)
    kept = np.flatnonzero(is_useful)
    pairs, actions, sites = len(kept), len(problem.site), len(problem.site_cost)
    first_action, first_site = pairs, pairs + actions
    size = pairs + actions + sites
    constraints = _constraints(problem, kept, (first_action, first_site, size))
    scale = problem.gain[kept].max()
    aim = np.zeros(size)
    aim[:pairs] = -problem.gain[kept] / scale
    action_cost, site_cost = limited_costs(problem)
    aim[first_action:first_site] = action_cost * problem.price / scale
    aim[first_site:] = site_cost * problem.price / scale
    whole = np.zeros(size)
    whole[first_action:] = 1
    answer = milp(
        aim,
        integrality=whole,
        bounds=Bounds(0, 1),
        constraints=constraints,
        options={"mip_rel_gap": MIP_GAP, "time_limit": seconds},
    )
    if answer.x is None:  # no choice within the time
        return replace(_nothing(problem), mip_gap=1.0)
    served = np.zeros(len(problem.gain))
    served[kept] = answer.x[:pairs]
    used = np.zeros(actions, dtype=bool)
    used[problem.action[served > EQUAL]] = True
    used = _without_idle(problem, used & (answer.x[first_action:first_site] > 0.5))
    found = np.zeros(sites, dtype=bool)
    found[problem.site[used]] = True
    served = served_by(problem, used)
    gap = max(0.0, float(answer.mip_gap or 0.0))
    value = float((problem.gain * served).sum())
    return Chosen(found, used, served, value, 0.0 if gap <= MIP_GAP else gap)


def limited_costs(problem: Problem) -> tuple[Floats, Floats]:
    """What each action and each site counts against the limit: money, or sites."""
    if problem.budget is None and problem.most is not None:
        return np.zeros_like(problem.action_cost), np.ones_like(problem.site_cost)
    return problem.action_cost, problem.site_cost


def spent(problem: Problem, sites: Bools, actions: Bools) -> float:
    """What a choice counts against the limit."""
    of_action, of_site = limited_costs(problem)
    return float(of_action[actions].sum() + of_site[sites].sum())


@dataclass(frozen=True)
class Part:
    """A problem of some sites, and where its rows stand in the whole."""

    problem: Problem
    pairs: Ints
    actions: Ints
    sites: Ints


def part_of(problem: Problem, sites: Bools) -> Part:
    """The problem of some of the sites alone."""
    actions = np.flatnonzero(sites[problem.site])
    site_rows = np.flatnonzero(sites)
    is_action = np.zeros(len(problem.site), dtype=bool)
    is_action[actions] = True
    pairs = np.flatnonzero(is_action[problem.action])
    new_action = np.cumsum(is_action) - 1
    new_site = np.cumsum(sites) - 1
    part = replace(
        problem,
        demand=problem.demand[pairs],
        action=new_action[problem.action[pairs]],
        gain=problem.gain[pairs],
        load=problem.load[pairs],
        site=new_site[problem.site[actions]],
        action_cost=problem.action_cost[actions],
        capacity=problem.capacity[actions],
        site_cost=problem.site_cost[site_rows],
    )
    return Part(part, pairs, actions, site_rows)


def _without_idle(problem: Problem, actions: Bools) -> Bools:
    """The actions that are needed: where money is left the solver also opens others.

    An action goes, the dearest first, where the rest serve as much without it. That is possible
    only where every demand that it serves has another open action of the same gain.
    """
    cost = problem.action_cost + problem.site_cost[problem.site]
    kept = actions.copy()
    served = served_by(problem, kept)
    for one in sorted(np.flatnonzero(kept), key=lambda one: (-cost[one], -one)):
        mine = np.flatnonzero((problem.action == one) & (served > EQUAL))
        others = np.where(kept[problem.action] & (problem.action != one), problem.gain, 0.0)
        best = np.zeros(int(problem.demand.max()) + 1)
        np.maximum.at(best, problem.demand, others)
        if (best[problem.demand[mine]] < problem.gain[mine] * (1 - EQUAL)).any():
            continue
        rest = kept.copy()
        rest[one] = False
        without = served_by(problem, rest)
        if (problem.gain * without).sum() >= (problem.gain * served).sum() * (1 - EQUAL):
            kept, served = rest, without
    return kept


def _constraints(problem: Problem, kept: Ints, at: tuple[int, int, int]) -> list[LinearConstraint]:
    first_action, first_site, size = at
    pairs, actions = len(kept), len(problem.site)
    number, action = np.arange(pairs), problem.action[kept]

    def matrix(rows: Ints, columns: Ints, values: Floats, height: int) -> sparse.csr_array:
        return sparse.csr_array((values, (rows, columns)), shape=(height, size))

    _, demand = np.unique(problem.demand[kept], return_inverse=True)
    once = matrix(demand, number, np.ones(pairs), int(demand.max()) + 1)
    opened = matrix(
        np.tile(number, 2),
        np.concatenate([number, first_action + action]),
        np.concatenate([np.ones(pairs), -np.ones(pairs)]),
        pairs,
    )
    every = np.arange(actions)
    stands = matrix(
        np.tile(every, 2),
        np.concatenate([first_action + every, first_site + problem.site]),
        np.concatenate([np.ones(actions), -np.ones(actions)]),
        actions,
    )
    found = [
        LinearConstraint(once, ub=1.0),
        LinearConstraint(opened, ub=0.0),
        LinearConstraint(stands, ub=0.0),
    ]
    is_limited = np.isfinite(problem.capacity)
    if is_limited.any():
        of = is_limited[action]
        limited = matrix(
            np.concatenate([action[of], every[is_limited]]),
            np.concatenate([number[of], first_action + every[is_limited]]),
            np.concatenate([problem.load[kept][of], -problem.capacity[is_limited]]),
            actions,
        )
        found.append(LinearConstraint(limited, ub=0.0))
    costs = np.concatenate([np.zeros(pairs), problem.action_cost, problem.site_cost])
    if problem.budget is not None:
        # the solver's tolerances are absolute: of very small and very large currencies others count
        unit = problem.budget / np.clip(problem.budget, 1.0, 1e12) if problem.budget > 0 else 1.0
        found.append(LinearConstraint(costs[None, :] / unit, ub=problem.budget / unit))
    if problem.most is not None:
        counts = np.zeros(size)
        counts[first_site:] = 1
        found.append(LinearConstraint(counts[None, :], ub=problem.most))
    return found


def _nothing(problem: Problem) -> Chosen:
    return Chosen(
        np.zeros(len(problem.site_cost), dtype=bool),
        np.zeros(len(problem.site), dtype=bool),
        np.zeros(len(problem.gain)),
        0.0,
        0.0,
    )


def served_by(problem: Problem, actions: Bools) -> Floats:
    """By pair, how much of it given actions serve: all that these can.

    Without capacities each demand is served by the action with the largest gain (of equal ones the
    first); with them the best assignment is a linear program.
    """
    is_open = actions[problem.action] & (problem.gain > 0)
    served = np.zeros(len(problem.gain))
    rows = np.flatnonzero(is_open)
    if np.isfinite(problem.capacity[actions]).any():
        served[rows] = _assigned(problem, rows)
        return served
    rows = rows[np.lexsort((rows, -problem.gain[rows], problem.demand[rows]))]
    _, first = np.unique(problem.demand[rows], return_index=True)
    served[rows[first]] = 1.0
    return served


def _assigned(problem: Problem, rows: Ints) -> Floats:
    """How much of each of these pairs the best assignment serves, by capacity: 0–1."""
    if not len(rows):
        return np.zeros(0)
    _, demand = np.unique(problem.demand[rows], return_inverse=True)
    number, limit = np.arange(len(rows)), problem.capacity[problem.action[rows]]
    of = np.isfinite(limit)
    names, limited = np.unique(problem.action[rows][of], return_inverse=True)
    height = int(demand.max()) + 1
    limits = sparse.csr_array(
        (
            np.concatenate([np.ones(len(rows)), problem.load[rows][of]]),
            (np.concatenate([demand, height + limited]), np.concatenate([number, number[of]])),
        ),
        shape=(height + len(names), len(rows)),
    )
    most = np.concatenate([np.ones(height), problem.capacity[names]])
    gain = problem.gain[rows]
    answer = linprog(-gain / gain.max(), A_ub=limits, b_ub=most, bounds=(0, 1), method="highs")
    return np.asarray(answer.x.clip(0, 1), dtype=np.float64)


def build_order(problem: Problem, chosen: Chosen) -> Ints:
    """The chosen sites, that which serves most per cost by then first (per site without costs).

    Ties: the first.
    """
    left = np.flatnonzero(chosen.sites).tolist()
    cost = problem.site_cost + np.bincount(
        problem.site[chosen.actions],
        weights=problem.action_cost[chosen.actions],
        minlength=len(problem.site_cost),
    )
    cost = np.where(cost > 0, cost, 1.0)
    by_site = problem.gain * chosen.served
    worth = np.bincount(
        problem.site[problem.action], weights=by_site, minlength=len(problem.site_cost)
    )
    order = sorted(left, key=lambda one: (-worth[one] / cost[one], one))
    return np.array(order, dtype=np.int64)
