"""A plan for many provinces under one budget: each province by itself, at a common price.

Lagrangian relaxation of the one constraint that joins them (Everett, Operations Research 11(3),
1963; Fisher, Management Science 27(1), 1981): at a price per unit of money (or per site) every
province chooses what is worth it; the price rises until all that is chosen is within the limit.
Any price gives an upper bound of the best plan, so the plan's distance to it is known. Does not
belong here: one province's choice (`choice.py`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.actions.sites.choice import (
    EQUAL,
    Chosen,
    Ints,
    Part,
    Problem,
    best_choice,
    limited_costs,
    part_of,
    spent,
)

ENOUGH = 0.002  # relative distance to the bound at which the search for a price ends
STEPS = 14  # prices that are tried at most
FILLED = 6  # parts that may spend what is left


def best_of_parts(problem: Problem, part: Ints, *, seconds: float = 60.0) -> Chosen:
    """The best choice found where demands are served from their own part only.

    `part`: number of each site's part; pairs must join demands with sites of one part. `seconds`:
    of each part at each price. `mip_gap` is the distance to the upper bound that the prices give.
    """
    parts = [part_of(problem, part == number) for number in np.unique(part)]
    limit = problem.limit
    if len(parts) < 2 or limit is None:
        return best_choice(problem, seconds=seconds)
    low, high = 0.0, _dearest(problem)
    bound, best = np.inf, _joined(problem, parts, [_nothing(one.problem) for one in parts], 1.0)
    chosen: list[Chosen] = []
    price = _first_price(problem, limit)
    for _ in range(STEPS):
        found = [best_choice(_at(one.problem, price), seconds=seconds) for one in parts]
        used = sum(
            spent(one.problem, it.sites, it.actions) for one, it in zip(parts, found, strict=True)
        )
        value = sum(it.value for it in found)
        most = sum(_most(one.problem, it, price) for one, it in zip(parts, found, strict=True))
        bound = min(bound, most + price * limit)
        is_within = used <= limit * (1 + EQUAL)  # sums of other orders differ by their rounding
        if is_within:
            high = price
            if value > best.value or not chosen:
                best, chosen = _joined(problem, parts, found, 0.0), found
        else:
            low = price
        if is_within and (price <= 0.0 or best.value >= bound * (1 - ENOUGH)):
            break
        price = _between(low, high, price)
    best = _filled(problem, parts, chosen, limit, seconds) if chosen else best
    gap = max(0.0, 1 - best.value / bound) if 0 < bound < np.inf else 0.0
    return replace(best, mip_gap=gap)


def _most(part: Problem, found: Chosen, price: float) -> float:
    """No choice of the part is worth more at this price.

    A relative distance of 1 or more says nothing: the search ended with no choice, or with one that
    is worth nothing. Then it is what serving every demand at its best would bring, for nothing.
    """
    if found.mip_gap < 1:
        net = found.value - price * spent(part, found.sites, found.actions)
        return net + found.mip_gap * found.value
    best = np.zeros(int(part.demand.max(initial=-1)) + 1)
    np.maximum.at(best, part.demand, part.gain)
    return float(best.sum())


def _first_price(problem: Problem, limit: float) -> float:
    """What the last unit brings where sites are taken by what each brings alone; 0: all fit."""
    of_action, of_site = limited_costs(problem)
    key = problem.site[problem.action] * (int(problem.demand.max(initial=0)) + 1) + problem.demand
    order = np.lexsort((-problem.gain, key))
    first = order[np.unique(key[order], return_index=True)[1]]  # the best action of each demand
    size = len(of_site)
    gain = np.bincount(problem.site[problem.action[first]], problem.gain[first], minlength=size)
    cost = of_site + np.bincount(problem.site, of_action, minlength=size)
    ratio = gain / np.where(cost > 0, cost, np.inf)
    order = np.argsort(-ratio, kind="stable")
    beyond = np.flatnonzero(np.cumsum(cost[order]) > limit)
    return float(ratio[order[beyond[0]]]) if len(beyond) else 0.0


def _between(low: float, high: float, last: float) -> float:
    """The next price: the geometric middle; a quarter of the last one where none was too low."""
    return float(np.sqrt(low * high)) if low > 0 else last / 4


def _dearest(problem: Problem) -> float:
    """A price at which nothing is worth it: the most that any action could bring per unit."""
    of_action, of_site = limited_costs(problem)
    gain = np.bincount(problem.action, weights=problem.gain, minlength=len(problem.site))
    cost = of_action + of_site[problem.site]
    per_unit = gain / np.where(cost > 0, cost, np.inf)
    joined = np.bincount(problem.site, weights=gain, minlength=len(of_site))
    per_site = joined / np.where(of_site > 0, of_site, np.inf)
    return float(2 * max(per_unit.max(initial=0.0), per_site.max(initial=0.0)) + 1e-12)


def _at(problem: Problem, price: float) -> Problem:
    """A part's problem without a limit of its own, at a price per unit of what the limit counts."""
    by_sites = problem.budget is None
    if not by_sites:
        return replace(problem, budget=None, price=price)
    return replace(problem, budget=None, most=len(problem.site_cost), price=price)


def _nothing(problem: Problem) -> Chosen:
    return best_choice(replace(problem, most=0))


def _joined(problem: Problem, parts: list[Part], found: list[Chosen], gap: float) -> Chosen:
    sites = np.zeros(len(problem.site_cost), dtype=bool)
    actions = np.zeros(len(problem.site), dtype=bool)
    served: npt.NDArray[np.float64] = np.zeros(len(problem.gain))
    for one, it in zip(parts, found, strict=True):
        sites[one.sites], actions[one.actions] = it.sites, it.actions
        served[one.pairs] = it.served
    return Chosen(sites, actions, served, float((problem.gain * served).sum()), gap)


def _filled(
    problem: Problem, parts: list[Part], found: list[Chosen], limit: float, seconds: float
) -> Chosen:
    """The choice with what is left spent: the part that gains most by all of it spends it.

    Of the FILLED parts with the largest single gain that is not chosen.
    """
    used = [spent(one.problem, it.sites, it.actions) for one, it in zip(parts, found, strict=True)]
    left = limit - sum(used)
    if left <= 0:
        return _joined(problem, parts, found, 0.0)
    spare = [
        one.problem.gain[~it.actions[one.problem.action]].max(initial=0.0)
        for one, it in zip(parts, found, strict=True)
    ]
    best = _joined(problem, parts, found, 0.0)
    for number in np.argsort(spare, kind="stable")[::-1][:FILLED]:
        own = parts[number].problem
        more = used[number] + left
        given = (
            replace(own, budget=more) if own.budget is not None else replace(own, most=int(more))
        )
        again = best_choice(given, seconds=seconds)
        tried = _joined(problem, parts, [*found[:number], again, *found[number + 1 :]], 0.0)
        if tried.value > best.value:
            best = tried
    return best
