"""Silence as evidence: how probable it is that an operator has no usable signal at a place.

People live there, others of their operator test elsewhere, phones of other operators test here: how
improbable is it that nobody of this operator tested, if it worked? See docs/method.md, "Silence".
At place v, of operator o, in state s (works or not), the numbers of devices with a usable test and
of devices whose every attempt failed are Poisson with means

    usable:  w_v R_co u_v t_vo (works: 1, no signal: STRAY)
    failed:  w_v R_co u_v t_vo (works: φ, no signal: ψ)

w_v the people of the place; R_co the rate at which people of commune c take part with operator o,
shrunk towards participation of the commune × share of the operator; u_v ~ Gamma(k, k) how active
the place is, shared by its operators; t_vo ~ Gamma(h_o, h_o) how far the operator's share there
differs from its share in the commune, h_o = a × share of o (of a Dirichlet with concentration a),
less where R_co is known by few devices (n): 1/h = 1/h_o + 1/(n + SHRINKAGE);
φ and ψ shares of devices with failed tests alone. The states of a place's operators are correlated:
logit P(no signal) = b_o + z_v, z_v ~ N(0, REMOTENESS²). t is integrated in closed form (the mixed
Poisson of Greenwood & Yule, J. R. Stat. Soc. 83, 1920), u and z by quadrature; R, b, φ and ψ by EM
(Dempster, Laird & Rubin, J. R. Stat. Soc. B 39, 1977), k and a by the marginal likelihood.

It says nothing of speed, and is never a confirmed finding: a list of places to visit. Does not
belong here: which tests belong to a place (`measurements/village_counts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special  # scipy.stats takes a second to import

Floats = npt.NDArray[np.float64]
STRAY = 0.05  # usable tests at a place without signal: positions are inexact
FAILED = (0.01, 50.0)  # φ before anything is known, and the devices that this counts as
FAILED_IF_DEAD = (0.1, 5.0)  # ψ: who has no signal seldom tries, and what failed is seldom sent
REMOTENESS = 1.5  # standard deviation of z, in logits
DEAD_AT_FIRST = 0.2  # share of places without signal before anything is known, counted as
PRIOR_PLACES = 10.0  # so many places
SHRINKAGE = 1.0  # devices that a rate's prior counts as
ACTIVITIES = (0.15, 0.25, 0.4, 0.65, 1.0, 1.6)  # k; no area is known where places are more alike
MARKETS = (3.0, 6.0, 12.0, 25.0)  # a; shares more alike than the last are not believed
VISIT = {"no_signal": (0.03, 0.9), "measured": (0.9, 0.01)}  # P(result | works), P(… | no signal)
_ROUNDS, _FEW_ROUNDS = 30, 10  # of EM
_LIKELY = 1e-6  # difference of log-likelihoods that is none
_MOST_PLACES = 400  # by which k and a are chosen
_NODES = 14


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

    def at(self, places: npt.NDArray[np.bool_]) -> Attempts:
        """Some of the places."""
        return Attempts(
            self.commune[places], self.people[places], self.usable[places], self.failed[places],
            self.visit_works[places], self.visit_dead[places],
        )  # fmt: skip


@dataclass(frozen=True)
class _Shape:
    """What EM keeps: k and a."""

    activity: float
    market: float


@dataclass(frozen=True)
class _State:
    """What EM changes: R by commune × operator, b by operator, φ and ψ.

    `devices`: by how many R is known.
    """

    rate: Floats
    devices: Floats
    b: Floats
    fails: tuple[float, float]


@dataclass(frozen=True)
class _Expected:
    """By place × operator: P(no signal), and E[u t] of the part that works and that has no signal.

    `likelihood`: the logarithm of the marginal likelihood.
    """

    dead: Floats
    works_level: Floats
    dead_level: Floats
    likelihood: float


def silence(attempts: Attempts) -> Floats:
    """The probability of no usable signal by place × operator; NaN where nobody tested at all."""
    if not attempts.usable.size or not attempts.usable.sum():
        return np.full(attempts.usable.shape, np.nan)
    return _fitted(attempts, _shape_of(attempts), _ROUNDS).dead


def _shape_of(attempts: Attempts) -> _Shape:
    """K and a: k by the middle a, a by that k, and k once more.

    Of the values within `_LIKELY` of the highest likelihood the one by which places differ most:
    few tests do not show how much they do. By the places of every so many communes where there are
    more than `_MOST_PLACES`.
    """
    step = -(-len(attempts.usable) // _MOST_PLACES)
    some = attempts.at(attempts.commune % step == 0) if step > 1 else attempts
    some = some if some.usable.sum() else attempts

    def best(shapes: list[_Shape]) -> _Shape:
        fits = [_fitted(some, one, _FEW_ROUNDS).likelihood for one in shapes]
        likely = max(fits) - _LIKELY
        return next(one for one, fit in zip(shapes, fits, strict=True) if fit >= likely)

    chosen = best([_Shape(k, MARKETS[-1]) for k in ACTIVITIES])
    chosen = best([_Shape(chosen.activity, a) for a in MARKETS])
    if chosen.market == MARKETS[2]:
        return chosen  # k was chosen by it
    return best([_Shape(k, chosen.market) for k in ACTIVITIES])


def _fitted(attempts: Attempts, shape: _Shape, rounds: int) -> _Expected:
    """The model with these k and a, by EM from rates that all places share."""
    n = attempts.usable
    weight = _weights(attempts.people)[:, None]
    communes = np.arange(attempts.commune.max() + 1)
    of_commune = (attempts.commune[:, None] == communes).astype(float)  # place × commune
    count = of_commune.T @ n  # commune × operator
    state = _State(
        _rates(count, of_commune.T @ np.broadcast_to(weight, n.shape)),
        count + SHRINKAGE,
        np.full(n.shape[1], _logit_of(DEAD_AT_FIRST)),
        (FAILED[0], FAILED_IF_DEAD[0]),
    )
    for _ in range(rounds):
        mean = weight * state.rate[attempts.commune]
        found = _expected(attempts, mean, state, shape)
        exposed = weight * (found.works_level + STRAY * found.dead_level)
        share = found.dead.sum(axis=0) + DEAD_AT_FIRST * PRIOR_PLACES
        failed, dead = attempts.failed, found.dead
        state = _State(
            _rates(count, of_commune.T @ exposed),
            state.devices,
            np.array([_logit_of(one) for one in share / (len(dead) + PRIOR_PLACES)]),
            (
                _share(failed * (1 - dead), mean * found.works_level, FAILED),
                _share(failed * dead, mean * found.dead_level, FAILED_IF_DEAD),
            ),
        )
    return found


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
    share = _market_shares(count)
    overall = count.sum() / max(float((exposed * share).sum()), 1e-9)
    whole = (exposed * share).sum(axis=1)
    part = (count.sum(axis=1) + SHRINKAGE) / (whole + SHRINKAGE / overall)
    prior = np.maximum(part[:, None] * share, 1e-12)
    found: Floats = (count + SHRINKAGE) / (exposed + SHRINKAGE / prior)
    return found


def _market_shares(count: Floats) -> Floats:
    devices: Floats = np.maximum(count.sum(axis=0), 0.5)
    found: Floats = devices / devices.sum()
    return found


def _expected(attempts: Attempts, mean: Floats, state: _State, shape: _Shape) -> _Expected:
    """The E step. `mean`: w R by place × operator."""
    n, f = attempts.usable, attempts.failed
    total = (n + f)[:, :, None]
    of_place = shape.market * _market_shares(n)
    h = (1 / (1 / of_place + 1 / state.devices[attempts.commune]))[:, :, None]
    u, u_weight = _activity_nodes(shape.activity)
    level = mean[:, :, None] * u  # place × operator × u
    (fail, dead_fail), stray = state.fails, STRAY
    works_to, dead_to = h + level * (1 + fail), h + level * (stray + dead_fail)
    # the factor of the counts that both states share: (u w R)^N and Γ(h + N) / Γ(h) h^h
    shared = total * np.log(np.maximum(level, 1e-300))
    shared += special.gammaln(h + total) - special.gammaln(h) + h * np.log(h)
    extra = special.gammaln(n + 1) + special.gammaln(f + 1)
    works = f * np.log(fail) + np.log(attempts.visit_works) - extra
    dead = n * np.log(stray) + f * np.log(dead_fail) + np.log(attempts.visit_dead) - extra
    log_works = shared + works[:, :, None] - (h + total) * np.log(works_to)
    log_dead = shared + dead[:, :, None] - (h + total) * np.log(dead_to)
    # given u and z the states of operators are independent
    top = np.maximum(log_works, log_dead)
    z, z_weight = _normal_nodes()
    p = special.expit(state.b[:, None] + z)[None, :, None, :]  # 1 × operator × 1 × z
    is_dead = p * np.exp(log_dead - top)[..., None]
    mixed = (1 - p) * np.exp(log_works - top)[..., None] + is_dead
    joint = np.log(mixed).sum(axis=1) + top.sum(axis=1)[:, :, None]  # place × u × z
    joint += np.log(u_weight)[:, None] + np.log(z_weight)
    evidence = special.logsumexp(joint, axis=(1, 2))
    weight = np.exp(joint - evidence[:, None, None])
    of_dead = np.einsum("vuz,vouz->vou", weight, is_dead / mixed)
    of_works = weight.sum(axis=2)[:, None, :] - of_dead
    gain = u * (h + total)  # E[u t | u, state] = u (h + N) / (h + level × …)
    return _Expected(
        of_dead.sum(axis=2),
        (of_works * gain / works_to).sum(axis=2),
        (of_dead * gain / dead_to).sum(axis=2),
        float(evidence.sum()),
    )


@cache
def _activity_nodes(k: float) -> tuple[Floats, Floats]:
    """Places and weights for u ~ Gamma(k, k): classes on a log scale, by their middles."""
    high = float(special.gammaincinv(k, 1 - 1e-5)) / k
    nodes = np.geomspace(2e-3, high, _NODES)
    edges = np.sqrt(nodes[1:] * nodes[:-1])
    weights = np.diff(np.r_[0.0, special.gammainc(k, k * edges), 1.0])
    return nodes / (nodes @ weights), np.maximum(weights, 1e-300)


@cache
def _normal_nodes() -> tuple[Floats, Floats]:
    """Places and weights of Gauss–Hermite for z."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    return REMOTENESS * nodes, weights / weights.sum()


def _logit_of(share: float) -> float:
    """The b with E[expit(b + z)] = share."""
    from scipy.optimize import brentq  # takes a third of a second: only where villages are known

    nodes, weights = _normal_nodes()

    def excess(b: float) -> float:
        return float(weights @ special.expit(b + nodes)) - share

    return float(brentq(excess, -15.0, 15.0))
