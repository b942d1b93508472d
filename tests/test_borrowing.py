"""The crossed model against brute force, and what may be borrowed from whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.verdicts import borrowing

GENERATOR = np.random.default_rng(4)
LOG_MEAN = GENERATOR.normal(3.6, 0.5, (5, 3))
ERROR = GENERATOR.uniform(0.02, 0.3, (5, 3))
ERROR[1, 2] = ERROR[3, 0] = np.inf


def dense(total_sd: float, shared_share: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Posterior mean and variance of mu + a + c, and the log restricted likelihood.

    By plain matrices (Robinson 1991).
    """
    places, operators = LOG_MEAN.shape
    unit = [(i, j) for i in range(places) for j in range(operators)]
    seen = [k for k, (i, j) in enumerate(unit) if np.isfinite(ERROR[i, j])]
    shared, own = total_sd**2 * shared_share, total_sd**2 * (1 - shared_share)
    effects = np.array(
        [[shared * (i == k) + own * ((i, j) == (k, n)) for k, n in unit] for i, j in unit]
    )
    x = np.array([[float(j == n) for n in range(operators)] for _, j in unit])
    y = LOG_MEAN.ravel()[seen]
    v = effects[np.ix_(seen, seen)] + np.diag(ERROR.ravel()[seen])
    vi = np.linalg.inv(v)
    xs = x[seen]
    mu_variance = np.linalg.inv(xs.T @ vi @ xs)
    mu = mu_variance @ xs.T @ vi @ y
    k = effects[:, seen] @ vi
    mean = x @ mu + k @ (y - xs @ mu)
    lean = x - k @ xs
    variance = np.diag(effects - k @ effects[seen, :]) + np.einsum(
        "ij,jk,ik->i", lean, mu_variance, lean
    )
    residual = y - xs @ mu
    log = -0.5 * (
        np.linalg.slogdet(v)[1] - np.linalg.slogdet(mu_variance)[1] + residual @ vi @ residual
    )
    return mean.reshape(LOG_MEAN.shape), variance.reshape(LOG_MEAN.shape), float(log)


@pytest.mark.parametrize(
    ("total_sd", "shared_share"), [(0.5, 0.8), (0.3, 0.0), (0.9, 1.0), (0.02, 0.5)]
)
def test_closed_form_equals_plain_matrices(total_sd, shared_share):
    given_ = borrowing.conditional(LOG_MEAN, ERROR, total_sd, shared_share)
    mean, variance, log = dense(total_sd, shared_share)
    np.testing.assert_allclose(given_.mean, mean, rtol=1e-8)
    np.testing.assert_allclose(given_.variance, variance, rtol=1e-8)
    assert given_.log_weight == pytest.approx(log + np.log(total_sd))


def test_weights_of_the_grid_sum_to_one():
    weights = [weight for weight, _ in borrowing.integrated(LOG_MEAN, ERROR)]
    assert sum(weights) == pytest.approx(1)
    assert len(weights) > 10, "five communes do not pin the spreads down"


def units(values: dict[tuple[str, str], list[float]]) -> pd.DataFrame:
    logs = {unit: np.log(np.array(x)) for unit, x in values.items()}
    index = pd.MultiIndex.from_tuples(list(values), names=["commune_code", "operator"])
    return pd.DataFrame(
        {
            "m": [float(len(y)) for y in logs.values()],
            "error_factor": [1 / len(y) for y in logs.values()],
            "log_mean": [y.mean() for y in logs.values()],
            "log_var": [y.var(ddof=1) if len(y) > 1 else np.nan for y in logs.values()],
            "exp_residuals": [
                np.exp((y - y.mean()) * np.sqrt(len(y) / (len(y) - 1))).sum() if len(y) > 1 else 0.0
                for y in logs.values()
            ],
        },
        index=index,
    )


def province(shared: float, seed: int = 1) -> dict[tuple[str, str], list[float]]:
    """Twenty communes × two operators of ten devices.

    `shared`: log-sd that the operators of a commune have in common.
    """
    generator = np.random.default_rng(seed)
    level = generator.normal(np.log(42), shared, 20)
    own = generator.normal(0, 0.5 - shared, (20, 2))
    return {
        (f"c{i:02d}", operator): list(
            np.exp(generator.normal(level[i] + own[i, j] - 0.125, 0.5, 10))
        )
        for i in range(20)
        for j, operator in enumerate("AB")
    }


def test_a_slow_neighbour_operator_speaks_only_where_operators_go_together():
    changes = []
    for shared in (0.5, 0.0):
        values = province(shared) | {("x", "A"): [28.0, 36.0, 40.0, 31.0, 47.0]}
        slow = borrowing.borrow(
            units(values | {("x", "B"): [9.0, 12.0, 10.0, 14.0] * 4}), target=40.0, min_units=8
        )
        fast = borrowing.borrow(
            units(values | {("x", "B"): [90.0, 120.0, 100.0, 140.0] * 4}), target=40.0, min_units=8
        )
        column = "borrowed_gap_probability"
        changes.append(slow.loc[("x", "A"), column] - fast.loc[("x", "A"), column])
    together, apart = changes
    assert together > 0.5
    assert abs(apart) < 0.25 < together


def test_too_few_units_the_pooled_rows_and_operators_without_spread_borrow_nothing():
    few = units({(f"c{i}", "A"): [20.0, 30.0 + i] for i in range(7)})
    assert borrowing.borrow(few, target=40.0, min_units=8).isna().all(axis=None)
    values = (
        province(0.4)
        | {("c00", "all"): [30.0, 40.0, 50.0]}
        | {(f"c{i:02d}", "C"): [25.0, 25.0] for i in range(9)}
    )
    found = borrowing.borrow(units(values), target=40.0, min_units=8)["borrowed_gap_probability"]
    assert found.xs("all", level="operator").isna().all()
    assert found.xs("C", level="operator").isna().all()
    assert found.xs("A", level="operator").between(0, 1).all()


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([0.25, 3.0]))
def test_order_never_matters_and_scaling_speeds_and_target_leaves_the_probabilities(random, factor):
    values = province(0.3)
    base = borrowing.borrow(units(values), target=40.0, min_units=8)
    shuffled = list(values.items())
    random.shuffle(shuffled)
    scaled = {unit: [x * factor for x in speeds] for unit, speeds in shuffled}
    other = borrowing.borrow(units(scaled), target=40.0 * factor, min_units=8).reindex(base.index)
    np.testing.assert_allclose(
        other["borrowed_gap_probability"], base["borrowed_gap_probability"], atol=1e-9
    )
    np.testing.assert_allclose(
        other["borrowed_mean_mbps"], base["borrowed_mean_mbps"] * factor, rtol=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40),
    st.floats(0.01, 0.2),
    st.randoms(use_true_random=False),
)
def test_the_selected_set_keeps_its_rate_and_holds_the_likeliest(rows, rate, random):
    rows = [*rows, (1.0, True)]  # a sure gap is always chosen
    random.shuffle(rows)
    table = pd.DataFrame(rows, columns=["p", "is_candidate"])
    p, candidates = table["p"], table["is_candidate"]
    chosen = borrowing.selected(p, candidates, rate)
    assert chosen[p.eq(1) & candidates].all()
    assert not (chosen & ~candidates).any()
    assert (1 - p[chosen]).mean() <= rate + 1e-12
    assert p[chosen].min() >= max(p[candidates & ~chosen], default=0.0)
    assert not borrowing.selected(p, candidates, 0.0).any()


def test_a_likely_set_does_not_carry_an_unlikely_row():
    p = pd.Series([0.999] * 20 + [0.85])
    everybody = pd.Series(True, index=p.index)
    assert borrowing.selected(p, everybody, 0.02).all()
    assert borrowing.selected(p, everybody, 0.02, 0.90).tolist() == [True] * 20 + [False]


def test_units_of_one_spread_are_given_the_pooled_one_and_unlike_ones_their_own():
    generator = np.random.default_rng(2)
    m, pooled = np.full(400, 41.0), np.full(400, 0.5)
    alike = generator.normal(0, np.sqrt(0.5), (400, 41)).var(axis=1, ddof=1)
    spread, doubt = borrowing.shrunk_spread(m, alike, pooled)
    assert np.abs(spread - 0.5).max() < 0.1 < np.abs(alike - 0.5).max()
    true = generator.choice([0.2, 0.8], 400)
    unlike = true * generator.chisquare(40, 400) / 40
    spread, doubt = borrowing.shrunk_spread(m, unlike, pooled)
    assert np.corrcoef(spread, true)[0, 1] > 0.9
    assert doubt.max() < 2 * 0.5**2 / 40, "what is left to doubt is less than one sample's error"
    few, unknown = borrowing.shrunk_spread(
        np.r_[m, 1.0, 2.0], np.r_[unlike, np.nan, 0.001], np.r_[pooled, 0.5, 0.5]
    )
    assert few[-2:].tolist() == [0.5, 0.5]
    assert unknown[-1] == pytest.approx(unknown.max())
    assert np.isfinite(few).all()


def test_a_pass_is_judged_by_the_worse_of_two_readings():
    """Of exp(s²/2) and the smearing factor the one that makes the mean lower."""
    values = province(0.3)
    found = borrowing.borrow(units(values), target=40.0, min_units=8)
    gap, miss = found["borrowed_gap_probability"], found["borrowed_miss_probability"]
    assert (miss >= gap - 1e-12).all()


def test_smearing_by_hand():
    """One slow phone of four raises s² more than the mean: factor 1.41 in place of 1.72."""
    values = {(f"c{i}", o): [80.0, 80.0, 80.0, 10.0] for i in range(10) for o in "AB"}
    table = units(values)
    y = np.log([80.0, 80.0, 80.0, 10.0])
    smearing = np.exp((y - y.mean()) * np.sqrt(4 / 3)).mean()
    assert table["exp_residuals"].iloc[0] == pytest.approx(4 * smearing)
    assert (smearing, np.exp(y.var(ddof=1) / 2)) == pytest.approx((1.408, 1.717), abs=0.001)
    found = borrowing.borrow(table, target=40.0, min_units=8).iloc[0]
    assert found["borrowed_miss_probability"] > found["borrowed_gap_probability"]
