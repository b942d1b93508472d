"""Silence as evidence: the formula by hand, laws, and places of a world whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.silence import WORLDS, province
from pipeline.verdicts import silence as model
from pipeline.verdicts.silence import VISIT, Attempts, silence


def known(usable, failed=None, commune=None, people=None, visits=None) -> Attempts:
    """Attempts of places × operators; `visits`: results by place × operator, "" without one."""
    usable = np.array(usable, dtype=float)
    one = np.ones(usable.shape)
    works, dead = one.copy(), one.copy()
    for place, row in enumerate(visits or []):
        for operator, result in enumerate(row):
            if result:
                works[place, operator], dead[place, operator] = VISIT[result]
    return Attempts(
        np.zeros(len(usable), dtype=np.int64) if commune is None else np.array(commune),
        np.full(len(usable), np.nan) if people is None else np.array(people, dtype=float),
        usable,
        0 * one if failed is None else np.array(failed, dtype=float),
        works,
        dead,
    )


# ten places: both operators test in nine of them, nobody of the second in the last
TEN = [[6, 5]] * 9 + [[8, 0]]


def by_hand(n: int, f: int, mean: float, shape: model._Shape, *, dead: bool) -> float:
    """Likelihood of one place and operator, a sum over classes of u.

    With t integrated n + f is negative binomial with shape h, divided between usable and failed.
    """
    usable, failed = (model.STRAY, 0.2) if dead else (1.0, 0.05)
    h, total = shape.market, n + f
    found = 0.0
    for u, weight in zip(*model._activity_nodes(shape.activity), strict=True):
        level = mean * u * (usable + failed)
        count = stats.nbinom.pmf(total, h, h / (h + level))
        found += weight * count * stats.binom.pmf(n, total, usable / (usable + failed))
    return found


@pytest.mark.parametrize(("n", "f"), [(0, 0), (0, 2), (1, 0), (1, 2), (5, 1)])
def test_the_formula_by_hand(n, f):
    """One place, one operator: two states whose prior is ½ for b = 0, by symmetry."""
    shape = model._Shape(activity=0.65, market=6.0)
    # R is known by as many devices as leave shape.market as it is, to rounding
    state = model._State(np.array([[3.0]]), np.array([[1e12]]), np.zeros(1), (0.05, 0.2))
    found = model._expected(known([[n]], [[f]]), np.array([[3.0]]), state, shape)
    works, dead = (by_hand(n, f, 3.0, shape, dead=is_dead) for is_dead in (False, True))
    assert found.dead.item() == pytest.approx(dead / (dead + works), rel=1e-6)
    assert found.likelihood == pytest.approx(np.log((dead + works) / 2), rel=1e-6)


def test_classes_of_activity_have_its_mean_and_spread():
    for k in model.ACTIVITIES:
        u, weight = model._activity_nodes(k)
        assert weight.sum() == pytest.approx(1)
        assert weight @ u == pytest.approx(1)
        assert weight @ u**2 == pytest.approx(1 + 1 / k, rel=0.25)


def test_a_silent_operator_among_others_who_test_is_improbable_to_work():
    found = silence(known(TEN))
    assert found[-1, 1] > 0.5
    assert found[:-1].max() < 0.02
    assert found[-1, 0] < 0.01


@pytest.mark.parametrize(
    ("change", "is_higher"),
    [
        ({"usable": [*TEN[:-1], [20, 0]]}, True),  # more phones of others at the place
        ({"usable": [*TEN[:-1], [2, 0]]}, False),
        ({"usable": [*TEN[:-1], [8, 1]]}, False),  # one of its own did test
        ({"failed": [[0, 0]] * 9 + [[0, 2]]}, True),  # and two of its own failed
        ({"visits": [["", ""]] * 9 + [["", "no_signal"]]}, True),
        ({"visits": [["", ""]] * 9 + [["", "measured"]]}, False),
        ({"people": [100] * 9 + [400]}, True),  # many people live there
        ({"usable": [[6, 1]] * 9 + [[8, 0]]}, False),  # few of the operator test anywhere
    ],
)
def test_what_raises_and_lowers_it(change, is_higher):
    before = silence(known(TEN, people=[100] * 10))[-1, 1]
    after = silence(known(**{"usable": TEN, "people": [100] * 10} | change))[-1, 1]
    assert (after > before) == is_higher
    assert after != pytest.approx(before, abs=1e-3)


def test_where_nobody_tests_at_all_nothing_is_known():
    assert np.isnan(silence(known([[0, 0], [0, 0]]))).all()
    assert silence(known(np.zeros((0, 2)))).shape == (0, 2)


def test_a_place_where_nobody_of_any_operator_tests_is_no_evidence():
    found = silence(known([*TEN[:-1], [0, 0]]))[-1]
    assert found.max() < 0.5


counts = st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=4, max_size=8)


@settings(max_examples=8, deadline=None)
@given(usable=counts, seed=st.integers(0, 99))
def test_the_names_and_order_of_places_operators_and_communes_do_not_matter(usable, seed):
    if not np.sum(usable):
        usable[0][0] = 1
    rng = np.random.default_rng(seed)
    commune = rng.integers(0, 2, len(usable))
    commune[0] = 1
    places, operators = rng.permutation(len(usable)), rng.permutation(3)
    first = silence(known(usable, commune=commune))
    again = silence(known(np.array(usable)[places][:, operators], commune=1 - commune[places]))
    np.testing.assert_allclose(again, first[places][:, operators], atol=1e-6)


@settings(max_examples=5, deadline=None)
@given(usable=counts, scale=st.floats(0.01, 1000))
def test_people_count_in_any_unit(usable, scale):
    usable[0][0] += 1
    people = np.arange(1.0, len(usable) + 1)
    first = silence(known(usable, people=people))
    again = silence(known(usable, people=people * scale))
    np.testing.assert_allclose(again, first, atol=1e-8)


def test_eleven_operators():
    rng = np.random.default_rng(5)
    usable = rng.poisson(3, (20, 11)).astype(float)
    found = silence(known(usable))
    assert found.shape == (20, 11)
    assert ((found >= 0) & (found <= 1)).all()
    assert found[usable == 0].mean() > 5 * found[usable > 2].mean()


@pytest.mark.parametrize("name", ["control", "many test", "people unknown"])
def test_places_that_are_called_without_signal_have_none(name):
    """The world is not the model's; participation varies tenfold between communes."""
    (world,) = [one for one in WORLDS if one.name == name]
    provinces = [province(world, seed) for seed in (1, 2, 3)]
    said = np.concatenate([silence(attempts).ravel() for attempts, _ in provinces])
    truth = np.concatenate([dead.ravel() for _, dead in provinces])
    called = said >= 0.8
    assert called.sum() >= 15
    assert truth[called].mean() >= 0.8
    silent = np.concatenate([(attempts.usable == 0).ravel() for attempts, _ in provinces])
    assert truth[silent].mean() < 0.5, "no tests are no finding by themselves"
