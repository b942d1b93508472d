"""Silence as evidence: how probable it is that an operator has no usable signal at a place.

People live there, others of their operator test elsewhere, phones of other operators test here: how
improbable is it that nobody of this operator tested, if it worked? See docs/method.md, "Silence".
At place v, of operator o, in state s (works or not), the numbers of devices with a usable test and
of devices whose every attempt failed are Poisson with means

    usable:  w_v R_co u_v (works: 1, no signal: STRAY)
    failed:  w_v R_co u_v (works: φ, no signal: ψ)

w_v the people of the place; R_co the rate at which people of commune c take part with operator o,
shrunk towards participation of the commune × share of the operator; u_v ~ Gamma(k, k) how active
the place is, shared by its operators; φ and ψ shares of devices with failed tests alone. The states
of a place's operators are correlated: logit P(no signal) = b_o + z_v, z_v ~ N(0, REMOTENESS²). u is
integrated in closed form (the mixed Poisson of Greenwood & Yule, J. R. Stat. Soc. 83, 1920), z by
Gauss–Hermite, states are summed; R, b, φ and ψ by EM (Dempster, Laird & Rubin, J. R. Stat. Soc. B
39, 1977), k by the marginal likelihood.

It says nothing of speed, and is never a confirmed finding: a list of places to visit. Does not
belong here: which tests belong to a place (`measurements/village_counts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]
STRAY = 0.03  # usable tests at a place without signal: positions are inexact
FAILED = (0.01, 50.0)  # φ before anything is known, and the devices that this counts as
FAILED_IF_DEAD = (0.1, 5.0)  # ψ: who has no signal seldom tries, and what failed is seldom sent
REMOTENESS = 1.5  # standard deviation of z, in logits
DEAD_AT_FIRST = 0.2  # share of places without signal before anything is known, counted as
PRIOR_PLACES = 10.0  # so many places
SHRINKAGE = 1.0  # devices that a rate's prior counts as
ACTIVITIES = (0.15, 0.25, 0.4, 0.65, 1.0, 1.6)  # k; no area is known where places are more alike
VISIT = {"no_signal": (0.03, 0.9), "measured": (0.9, 0.03)}  # P(result | works), P(… | no signal)
_ROUNDS = 40
_EQUAL = 1e-6  # difference of log-likelihoods that is none
_MOST_OPERATORS = 8  # whose states are summed together


@dataclass(frozen=True)
class Attempts:
    """What is known of places: arrays by place × operator, but `commune` and `people` by place.

    `commune`: numbers from 0. `people`: any unit, NaN where not known. `usable`: devices with a
    test that had a speed, of any mobile technology; `failed`: devices with failed tests or "no
    service" alone. `visit_works`, `visit_dead`: likelihood of what visits found, 1 without one.
    """

    commune: npt.NDArray[np.int64]
    people: Floats
    usable: Floats
    failed: Floats
    visit_works: Floats
    visit_dead: Floats


@dataclass(frozen=True)
class Silence:
    """What silence says, by place × operator.

    `probability`: of no usable signal. `expected`: usable devices if it works, by what is known of
    the commune and of the place. `activity`: k.
    """

    probability: Floats
    expected: Floats
    activity: float


def silence(attempts: Attempts) -> Silence:
    """The probability of no usable signal by place × operator; NaN where nobody tested at all.

    Operators after the first `_MOST_OPERATORS`, by devices, are judged without their correlation.
    """
    place_count, operator_count = attempts.usable.shape
    if not place_count or not operator_count or not attempts.usable.sum():
        nothing = np.full(attempts.usable.shape, np.nan)
        return Silence(nothing, nothing, np.nan)
    order = np.argsort(-attempts.usable.sum(axis=0), kind="stable")
    groups = [order[i : i + _MOST_OPERATORS] for i in range(0, operator_count, _MOST_OPERATORS)]
    probability, expected = np.empty((2, place_count, operator_count))
    activity = np.nan
    for columns in groups:
        part = Attempts(
            attempts.commune, attempts.people, attempts.usable[:, columns],
            attempts.failed[:, columns], attempts.visit_works[:, columns],
            attempts.visit_dead[:, columns],
        )  # fmt: skip
        fits = [_fitted(part, k) for k in ACTIVITIES]
        most = max(one.likelihood for one in fits)
        # rounding must not choose: of equals the first
        found = next(one for one in fits if one.likelihood >= most - _EQUAL)
        probability[:, columns], expected[:, columns] = found.dead, found.expected
        activity = found.activity if np.isnan(activity) else activity
    return Silence(probability, expected, activity)


@dataclass(frozen=True)
class _Fit:
    dead: Floats
    expected: Floats
    likelihood: float
    activity: float


def _fitted(attempts: Attempts, k: float) -> _Fit:
    """The model with activity k, by EM from rates that all places share."""
    n = attempts.usable
    weight = _weights(attempts.people)
    communes = np.arange(attempts.commune.max() + 1)
    of_commune = (attempts.commune[:, None] == communes).astype(float)  # place × commune
    count = of_commune.T @ n  # commune × operator
    exposed = np.broadcast_to(weight[:, None], n.shape)
    b = np.full(n.shape[1], _logit_of(DEAD_AT_FIRST))
    fails = (FAILED[0], FAILED_IF_DEAD[0])
    for _ in range(_ROUNDS):
        rate = _rates(count, of_commune.T @ exposed)
        mean = weight[:, None] * rate[attempts.commune]
        dead, works_u, dead_u, likelihood = _expected(attempts, mean, fails, b, k)
        exposed = weight[:, None] * (works_u + STRAY * dead_u)
        share = (dead.sum(axis=0) + DEAD_AT_FIRST * PRIOR_PLACES) / (len(dead) + PRIOR_PLACES)
        b = np.array([_logit_of(one) for one in share])
        fails = (
            _share(attempts.failed * (1 - dead), mean * works_u, FAILED),
            _share(attempts.failed * dead, mean * dead_u, FAILED_IF_DEAD),
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        given_works = works_u / (1 - dead)
    return _Fit(dead, mean * np.where(dead < 1, given_works, 0.0), likelihood, k)


def _weights(people: Floats) -> Floats:
    """People of places, 1 on average; a place whose people are not known counts as the mean."""
    known = np.isfinite(people) & (people > 0)
    mean = people[known].mean() if known.any() else 1.0
    return np.where(known, people, mean) / mean


def _share(failed: Floats, expected: Floats, prior: tuple[float, float]) -> float:
    """Devices with failed tests alone per device that was to be expected."""
    share, weight = prior
    return (float(failed.sum()) + share * weight) / (float(expected.sum()) + weight)


def _rates(count: Floats, exposed: Floats) -> Floats:
    """R by commune × operator: shrunk to participation of the commune × share of the operator."""
    share = np.maximum(count.sum(axis=0), 0.5)
    share = share / share.sum()
    overall = count.sum() / max(float((exposed * share).sum()), 1e-9)
    whole = (exposed * share).sum(axis=1)
    part = (count.sum(axis=1) + SHRINKAGE) / (whole + SHRINKAGE / overall)
    prior = np.maximum(part[:, None] * share, 1e-12)
    found: Floats = (count + SHRINKAGE) / (exposed + SHRINKAGE / prior)
    return found


def _expected(
    attempts: Attempts, mean: Floats, fails: tuple[float, float], b: Floats, k: float
) -> tuple[Floats, Floats, Floats, float]:
    """(P(no signal), E[u; works], E[u; no signal], log-likelihood) by place × operator."""
    n, f = attempts.usable, attempts.failed
    total = (n + f).sum(axis=1)
    states = np.array(list(product((False, True), repeat=n.shape[1])))  # True: no signal
    log_works = f * np.log(fails[0]) + np.log(attempts.visit_works)
    log_dead = n * np.log(STRAY) + f * np.log(fails[1]) + np.log(attempts.visit_dead)
    level = (n + f) * np.log(np.maximum(mean, 1e-12))
    common = level.sum(axis=1) + special.gammaln(k + total) - special.gammaln(k) + k * np.log(k)
    common = common - special.gammaln(n + 1).sum(axis=1) - special.gammaln(f + 1).sum(axis=1)
    of_state = log_works @ (~states.T).astype(float) + log_dead @ states.T.astype(float)
    exposure = mean @ ((~states.T) * (1 + fails[0]) + states.T * (STRAY + fails[1]))
    of_state = of_state - (k + total)[:, None] * np.log(k + exposure)
    nodes, weights = _normal_nodes()
    p = special.expit(b[None, :] + nodes[:, None])  # node × operator
    prior = np.log1p(-p) @ (~states.T).astype(float) + np.log(p) @ states.T.astype(float)
    log_prior = special.logsumexp(prior + np.log(weights)[:, None], axis=0)  # state
    joint = of_state + log_prior
    evidence = special.logsumexp(joint, axis=1)
    posterior = np.exp(joint - evidence[:, None])
    activity = (k + total)[:, None] / (k + exposure)
    u = posterior * activity
    return (
        posterior @ states.astype(float),
        u @ (~states).astype(float),
        u @ states.astype(float),
        float((common + evidence).sum()),
    )


@cache
def _normal_nodes() -> tuple[Floats, Floats]:
    """Places and weights of Gauss–Hermite for z."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(7)
    return REMOTENESS * nodes, weights / weights.sum()


def _logit_of(share: float) -> float:
    """The b with E[expit(b + z)] = share."""
    nodes, weights = _normal_nodes()

    def excess(b: float) -> float:
        return float(weights @ special.expit(b + nodes)) - share

    return float(optimize.brentq(excess, -15.0, 15.0))
