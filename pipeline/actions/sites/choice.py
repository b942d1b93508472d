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
from scipy.optimize import Bounds, LinearConstraint, milp

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
MIP_GAP = 1e-6  # relative: below it a plan counts as proven optimal


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

    Maximises Σ gain · x over pairs; Σ x of a demand ≤ 1, x ≤ y of its action, y ≤ t of its site,
    Σ load · x ≤ capacity · y, Σ costs ≤ budget, Σ t ≤ most; y and t are 0 or 1, x from 0 to 1.
    After `seconds` the best choice so far, with its gap.
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
    is_action = answer.x[first_action:first_site] > 0.5
    served = np.zeros(len(problem.gain))
    served[kept] = answer.x[:pairs].clip(0, 1)
    served[~is_action[problem.action]] = 0.0
    # an action that serves nobody may be in the answer where money is left
    used = np.zeros(actions, dtype=bool)
    used[problem.action[served > 1e-9]] = True
    found = np.zeros(sites, dtype=bool)
    found[problem.site[used]] = True
    value = float((problem.gain * served).sum())
    gap = max(0.0, float(answer.mip_gap or 0.0))
    return Chosen(found, used, served, value, 0.0 if gap <= MIP_GAP else gap)


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
        found.append(LinearConstraint(costs[None, :], ub=problem.budget))
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
    if np.isfinite(problem.capacity[actions]).any():
        given = replace(
            problem,
            gain=np.where(is_open, problem.gain, 0.0),
            action_cost=np.zeros_like(problem.action_cost),
            site_cost=np.zeros_like(problem.site_cost),
            budget=None,
            most=None,
        )
        return best_choice(given).served
    rows = np.flatnonzero(is_open)
    rows = rows[np.lexsort((rows, -problem.gain[rows], problem.demand[rows]))]
    _, first = np.unique(problem.demand[rows], return_index=True)
    served[rows[first]] = 1.0
    return served


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
