"""The choice of sites: against every choice there is, and what must hold of any choice."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from pipeline.actions.sites.choice import Problem, best_choice, build_order, served_by

INF = float("inf")
QUICK = settings(max_examples=25, deadline=None)


def problem(
    pairs, site, site_cost, action_cost=None, capacity=None, load=None, **limits
) -> Problem:
    """`pairs`: (demand, action, gain)."""
    demand, action, gain = zip(*pairs, strict=True) if pairs else ((), (), ())
    of_actions = len(site)
    return Problem(
        demand=np.array(demand, dtype=np.int64),
        action=np.array(action, dtype=np.int64),
        gain=np.array(gain, dtype=float),
        load=np.array(load if load is not None else gain, dtype=float),
        site=np.array(site, dtype=np.int64),
        action_cost=np.array(action_cost or [0] * of_actions, dtype=float),
        capacity=np.array(capacity or [INF] * of_actions, dtype=float),
        site_cost=np.array(site_cost, dtype=float),
        **limits,
    )


def gains(one: Problem) -> np.ndarray:
    """Gain of each demand × action; 0 where no pair is."""
    table = np.zeros((int(one.demand.max()) + 1, len(one.site)))
    table[one.demand, one.action] = one.gain
    return table


def cost_of(one: Problem, is_open: np.ndarray) -> float:
    """A site's cost once, that of every action."""
    return one.action_cost[is_open].sum() + one.site_cost[np.unique(one.site[is_open])].sum()


def worth(one: Problem, is_open: np.ndarray) -> float:
    """What open actions serve at best: the largest gain, or a dense linear program."""
    table = gains(one) * is_open
    if not np.isfinite(one.capacity).any():
        return table.max(axis=1).sum()
    demands, actions = table.shape
    load = np.zeros_like(table)
    load[one.demand, one.action] = one.load
    once = np.kron(np.eye(demands), np.ones(actions))
    carried = np.hstack([np.diag(row) for row in load])
    limits = np.where(np.isfinite(one.capacity), one.capacity, 1e9)
    answer = linprog(
        -table.ravel(),
        A_ub=np.vstack([once, carried]),
        b_ub=np.concatenate([np.ones(demands), limits]),
        bounds=(0, 1),
    )
    return -answer.fun


def best_of_all(one: Problem) -> float:
    """The largest worth of all sets of actions that budget and number allow."""
    found = 0.0
    for bits in product((False, True), repeat=len(one.site)):
        is_open = np.array(bits)
        fits = one.budget is None or cost_of(one, is_open) <= one.budget + 1e-9
        few = one.most is None or len(np.unique(one.site[is_open])) <= one.most
        if fits and few:
            found = max(found, worth(one, is_open))
    return found


@st.composite
def worlds(draw, actions: int = 6, demands: int = 6, *, with_capacity: bool = False) -> Problem:
    """Up to 4 sites; small whole numbers, so that ties are frequent."""
    sites = draw(st.integers(1, 4))
    count = draw(st.integers(1, actions))
    size = draw(st.integers(1, demands))
    whole = st.integers(0, 5)
    table = draw(st.lists(whole, min_size=size * count, max_size=size * count))
    pairs = [(n // count, n % count, gain) for n, gain in enumerate(table)]
    site = draw(st.lists(st.integers(0, sites - 1), min_size=count, max_size=count))
    capacity = [INF] * count
    if with_capacity:
        some = st.one_of(st.just(INF), st.integers(0, 8).map(float))
        capacity = draw(st.lists(some, min_size=count, max_size=count))
    loads = st.lists(st.integers(1, 4), min_size=len(pairs), max_size=len(pairs))
    return problem(
        pairs,
        site,
        draw(st.lists(whole, min_size=sites, max_size=sites)),
        draw(st.lists(whole, min_size=count, max_size=count)),
        capacity,
        draw(loads),
        budget=draw(st.one_of(st.none(), st.integers(0, 12).map(float))),
        most=draw(st.one_of(st.none(), st.integers(0, 4))),
    )


def check_allowed(one: Problem, chosen) -> None:
    """The answer keeps to its limits, and serves what it says it serves."""
    assert chosen.value == pytest.approx((one.gain * chosen.served).sum())
    assert not chosen.served[~chosen.actions[one.action]].any()
    assert np.array_equal(np.flatnonzero(chosen.sites), np.unique(one.site[chosen.actions]))
    if one.budget is not None:
        assert cost_of(one, chosen.actions) <= one.budget + 1e-6
    if one.most is not None:
        assert chosen.sites.sum() <= one.most
    assert np.bincount(one.demand, weights=chosen.served).max(initial=0) <= 1 + 1e-9
    carried = np.bincount(one.action, one.load * chosen.served, minlength=len(one.site))
    assert (carried <= one.capacity + 1e-6).all()


# --- against every choice there is


@QUICK
@given(worlds())
def test_the_best_of_all_choices(one):
    chosen = best_choice(one)
    check_allowed(one, chosen)
    assert chosen.value == pytest.approx(best_of_all(one), abs=1e-6)
    assert chosen.mip_gap == 0


@settings(max_examples=15, deadline=None)
@given(worlds(actions=4, demands=4, with_capacity=True))
def test_the_best_of_all_choices_with_capacities(one):
    chosen = best_choice(one)
    check_allowed(one, chosen)
    assert chosen.value == pytest.approx(best_of_all(one), abs=1e-5)


@QUICK
@given(worlds(with_capacity=True))
def test_nothing_idle_is_chosen(one):
    """Every chosen action serves somebody, and none can go without loss."""
    chosen = best_choice(one)
    served = np.bincount(one.action, one.gain * chosen.served, minlength=len(one.site))
    assert (served[chosen.actions] > 0).all()
    for action in np.flatnonzero(chosen.actions):
        rest = chosen.actions.copy()
        rest[action] = False
        assert (one.gain * served_by(one, rest)).sum() < chosen.value - 1e-9


@QUICK
@given(worlds(with_capacity=True), st.integers(0, 6))
def test_more_money_never_closes_less(one, more):
    poor = replace(one, budget=4.0, most=None)
    rich = replace(one, budget=4.0 + more, most=None)
    assert best_choice(rich).value >= best_choice(poor).value - 1e-5


@QUICK
@given(worlds(with_capacity=True), st.data())
def test_given_actions_serve_no_less_than_any_assignment_of_theirs(one, data):
    bits = st.lists(st.booleans(), min_size=len(one.site), max_size=len(one.site))
    is_open = np.array(data.draw(bits))
    served = served_by(one, is_open)
    assert not served[~is_open[one.action]].any()
    assert (one.gain * served).sum() == pytest.approx(worth(one, is_open), abs=1e-6)
    # an assignment by hand: each demand to one open action, as far as its capacity goes
    left, by_hand = one.capacity.copy(), 0.0
    for demand in np.unique(one.demand):
        rows = np.flatnonzero((one.demand == demand) & is_open[one.action])
        if len(rows):
            row = data.draw(st.sampled_from(rows.tolist()))
            part = min(1.0, left[one.action[row]] / one.load[row])
            left[one.action[row]] -= part * one.load[row]
            by_hand += part * one.gain[row]
    assert (one.gain * served).sum() >= by_hand - 1e-6


# --- by hand


@pytest.mark.parametrize(
    ("budget", "actions", "value"),
    [
        (11.9, [2], 3.0),  # the tower costs 10, each operator on it 2, a site of its own 5
        (12.0, [1], 7.0),
        (13.9, [1], 7.0),
        (14.0, [0, 1], 12.0),  # the second operator pays no second tower
        (15.0, [0, 1], 12.0),
        (19.0, [0, 1, 2], 15.0),
    ],
)
def test_a_shared_site_costs_once(budget, actions, value):
    one = problem([(0, 0, 5), (1, 1, 7), (2, 2, 3)], [0, 0, 1], [10, 0], [2, 2, 5], budget=budget)
    chosen = best_choice(one)
    assert np.flatnonzero(chosen.actions).tolist() == actions
    assert chosen.value == pytest.approx(value)


def test_operators_of_one_tower_count_as_one_site():
    one = problem([(0, 0, 5), (1, 1, 4), (2, 2, 8)], [0, 0, 1], [0, 0], most=1)
    chosen = best_choice(one)
    assert np.flatnonzero(chosen.actions).tolist() == [0, 1]
    assert chosen.value == pytest.approx(9)


def test_money_that_is_left_buys_nothing_idle():
    """Two sites serve the same people equally: one is enough, and it is the cheaper one."""
    same = [(0, 0, 5), (0, 1, 5), (1, 0, 2), (1, 1, 2)]
    chosen = best_choice(problem(same, [0, 1], [3, 8], budget=100.0))
    assert chosen.sites.tolist() == [True, False]
    assert chosen.value == pytest.approx(7)


def test_a_site_of_full_capacity_leaves_room_for_a_second():
    pairs = [(0, 0, 6), (0, 1, 5), (1, 0, 6), (1, 1, 5)]
    one = problem(pairs, [0, 1], [0, 0], capacity=[10, 10], load=[10, 10, 10, 10])
    assert best_choice(one).value == pytest.approx(11)
    assert best_choice(replace(one, most=1)).value == pytest.approx(6)


def test_amounts_in_dong_are_kept_to():
    """Prices of billions do not hide what a site more costs."""
    rng = np.random.default_rng(1)
    pairs = [(d, a, float(rng.integers(1, 500))) for d in range(6) for a in range(6)]
    cost = (rng.integers(1, 9, 6) * 1e9 + rng.integers(0, 9, 6)).tolist()
    one = problem(pairs, list(range(6)), cost, budget=11e9)
    chosen = best_choice(one)
    check_allowed(one, chosen)
    assert chosen.value == pytest.approx(best_of_all(one))


@pytest.mark.parametrize("unit", [1e-10, 1e-6, 1e-3, 1.0, 1e15])
@pytest.mark.parametrize("seed", range(3))
def test_a_budget_is_kept_in_any_currency(unit, seed):
    rng = np.random.default_rng(seed)
    pairs = [(d, a, float(rng.integers(1, 500))) for d in range(6) for a in range(6)]
    cost = rng.integers(2, 9, 6)
    one = problem(pairs, list(range(6)), cost.tolist(), budget=11.0)
    there = problem(pairs, list(range(6)), (cost * unit).tolist(), budget=11.0 * unit)
    chosen = best_choice(there)
    assert (cost[chosen.sites]).sum() <= 11
    assert chosen.value == pytest.approx(best_of_all(one))


@pytest.mark.parametrize("limits", [{}, {"budget": 5.0}, {"most": 2}, {"most": 0}])
@pytest.mark.parametrize("pairs", [[], [(0, 0, 0.0), (1, 1, 0.0)]])
def test_without_anybody_to_serve_nothing_is_chosen(pairs, limits):
    one = problem(pairs, [0, 1], [1, 1], **limits)
    chosen = best_choice(one)
    assert not chosen.sites.any()
    assert not chosen.actions.any()
    assert chosen.value == chosen.mip_gap == 0
    assert len(build_order(one, chosen)) == 0


def test_a_problem_without_actions():
    chosen = best_choice(problem([], [], []))
    assert (len(chosen.sites), len(chosen.actions), chosen.value) == (0, 0, 0.0)


@QUICK
@given(worlds(with_capacity=True))
def test_equal_problems_have_equal_answers(one):
    first, second = best_choice(one), best_choice(one)
    assert first.sites.tobytes() == second.sites.tobytes()
    assert first.served.tobytes() == second.served.tobytes()


def test_of_equal_actions_the_first_serves():
    one = problem([(0, 1, 4), (0, 0, 4), (1, 0, 2), (1, 1, 3)], [0, 1], [0, 0])
    assert served_by(one, np.array([True, True])).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("costs", "order"),
    [
        ([0, 0, 0], [1, 0, 2]),  # without costs by what they serve; of equals the first
        ([1, 4, 1], [0, 2, 1]),  # 5, 2, 5 per unit of cost
        ([5, 2, 1], [2, 1, 0]),  # 1, 4, 5
    ],
)
def test_the_site_that_serves_most_for_its_cost_is_built_first(costs, order):
    one = problem([(0, 0, 5), (1, 1, 8), (2, 2, 5)], [0, 1, 2], costs)
    assert build_order(one, best_choice(one)).tolist() == order


def test_a_search_without_time_says_how_sure_it_is():
    rng = np.random.default_rng(3)
    pairs = [(d, a, float(rng.random())) for d in range(60) for a in range(60)]
    one = problem(pairs, list(range(60)), (1 + rng.random(60)).tolist(), budget=9.0)
    chosen = best_choice(one, seconds=1e-6)
    check_allowed(one, chosen)
    assert 0 <= chosen.mip_gap <= 1 or chosen.mip_gap == INF
