"""What a commune × operator may borrow from others: a crossed random-effects model.

See docs/method.md, "Borrowing".

ȳ_ij = mu_j + a_i + c_ij + e_ij: mean log speed of operator j in commune i; a_i ~ N(0, τ²ρ) is
shared by the operators of a commune (terrain, backhaul, power), c_ij ~ N(0, τ²(1−ρ)) is the
operator's own there, e_ij ~ N(0, sw_j²/m_ij). Everything has a closed form given (τ, ρ); these are
integrated over a grid with their restricted likelihood (REML), so that what the data leave open
about them widens the posterior. Does not belong here: direct evidence (`statistics.py`), which
verdicts follow from it (`judge.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from pipeline.schema.fields import ALL

Floats = npt.NDArray[np.float64]
COLUMNS = ("borrowed_mean_mbps", "borrowed_gap_probability", "borrowed_miss_probability")
# priors: uniform in the standard deviation τ (Gelman, Bayesian Analysis 1(3), 2006), uniform in ρ
TOTAL_SDS = np.geomspace(0.02, 1.6, 28)
SHARED_SHARES = np.linspace(0.0, 1.0, 9)


NO_SPREAD = 1e-12  # variance of log speeds: what is below is rounding


@dataclass(frozen=True)
class Given:
    """The posterior at one (τ, ρ)."""

    log_weight: float  # log of restricted likelihood × prior
    mean: Floats  # of mu + a + c, communes × operators
    variance: Floats


def conditional(log_mean: Floats, error: Floats, total_sd: float, shared_share: float) -> Given:
    """The posterior given (τ, ρ).

    `log_mean`, `error` (variance of log_mean; infinite where nobody tested): communes × operators.
    V_i = diag(d_ij) + τ²ρ 11', d = τ²(1−ρ) + error, inverted by Sherman–Morrison; mu_j flat (REML).
    """
    known = np.isfinite(error)
    shared, own = total_sd**2 * shared_share, total_sd**2 * (1 - shared_share)
    d = own + error
    w = np.where(known, 1 / d, 0.0)
    k = shared / (1 + shared * w.sum(axis=1))  # also Var(a_i | data, mu)
    information = np.diag(w.sum(axis=0)) - (w * k[:, None]).T @ w
    wy = (w * np.where(known, log_mean, 0.0)).sum(axis=1)
    mu_variance = np.linalg.inv(information)
    mu = mu_variance @ ((w * np.where(known, log_mean, 0.0)).sum(axis=0) - w.T @ (k * wy))
    residual = np.where(known, log_mean - mu, 0.0)
    wr = (w * residual).sum(axis=1)
    square = (w * residual**2).sum() - (k * wr**2).sum()
    log_det = np.log(d[known]).sum() + np.log1p(shared * w.sum(axis=1)).sum()
    log_weight = -0.5 * (log_det + np.linalg.slogdet(information)[1] + square) + np.log(total_sd)
    pull = np.where(known, own / d, 0.0)  # how much of its own residual a unit keeps
    mean = mu + (1 - pull) * (k * wr)[:, None] + pull * residual
    # d(mu + a + c)/d mu = (1 − pull)(unit vector of j − k_i w_i)
    lean = -(k[:, None] * w)
    mu_part = (
        np.einsum("ij,jk,ik->i", lean, mu_variance, lean)[:, None]
        + 2 * lean @ mu_variance
        + np.diag(mu_variance)
    )
    noise = np.where(known, pull * np.where(known, error, 0.0), own)
    return Given(float(log_weight), mean, noise + (1 - pull) ** 2 * (k[:, None] + mu_part))


def integrated(log_mean: Floats, error: Floats) -> Iterator[tuple[float, Given]]:
    """(weight, posterior) over the grid of (τ, ρ), without points of negligible weight.

    The weights sum to 1.
    """
    grid = [(total, share) for total in TOTAL_SDS for share in SHARED_SHARES]
    logs = np.array([conditional(log_mean, error, *point).log_weight for point in grid])
    weights = np.exp(logs - logs.max())
    weights = np.where(weights < 1e-4, 0.0, weights)
    weights /= weights.sum()
    for point, weight in zip(grid, weights, strict=True):
        if weight > 0:
            yield float(weight), conditional(log_mean, error, *point)


def borrow(units: pd.DataFrame, *, target: float, min_units: int) -> pd.DataFrame:
    """`borrowed_mean_mbps`, `borrowed_gap_probability`, `borrowed_miss_probability` by unit.

    Both probabilities are P(mean < target | all tests). A mean is exp(log mean) times a factor of
    the spread within the unit: exp(s²/2) for log-normal speeds, or Duan's smearing factor, the
    operator's mean of exp(residual) (J. Am. Stat. Assoc. 78, 1983). A gap must be probable with the
    larger of the two, a pass with the smaller. `units`: index (commune_code, operator), m,
    log_mean, log_var, exp_residuals. Named operators only; empty where fewer than `min_units` units
    have two devices, or where none of an operator's units shows a spread. sw_j² is pooled within
    the operator's units.
    """
    result = pd.DataFrame(np.nan, index=units.index, columns=list(COLUMNS))
    found = _arranged(units, min_units)
    if found is None:
        return result
    named, (place, operator) = found.named, found.codes
    spread, doubt = shrunk_spread(
        named["m"].to_numpy(), named["log_var"].to_numpy(), found.sw2[operator]
    )
    smeared = found.smeared[operator]
    low_spread, high_spread = np.minimum(spread, smeared), np.maximum(spread, smeared)
    mean, probability, miss = (np.zeros(len(named)) for _ in range(3))
    for weight, given in integrated(found.log_mean, found.error):
        # log of the arithmetic mean of log-normal speeds
        middle = given.mean[place, operator] + spread / 2
        variance = given.variance[place, operator] + doubt / 4
        mean += weight * middle
        error_sd, short = np.sqrt(variance), np.log(target) - middle
        probability += weight * special.ndtr((short + (spread - high_spread) / 2) / error_sd)
        miss += weight * special.ndtr((short + (spread - low_spread) / 2) / error_sd)
    result.loc[named.index, list(COLUMNS)] = np.column_stack(
        [np.exp(mean), probability.clip(0, 1), miss.clip(0, 1)]
    )
    return result


def posterior_levels(
    units: pd.DataFrame, communes: pd.Index, operators: list[str], min_units: int
) -> pd.DataFrame:
    """What the crossed model knows of every commune × operator, tested or not.

    `units`: as of `borrow`. Columns: log_level and level_var, mean and variance of its mean log
    speed; spread, variance of log device values, and doubt, its uncertainty; low_spread and
    high_spread, by the smaller and the larger of the two factors of `borrow`; sw2, the operator's.
    Empty for operators that the model leaves out.
    """
    index = pd.MultiIndex.from_product([communes, operators], names=["commune_code", "operator"])
    columns = ["log_level", "level_var", "spread", "doubt", "low_spread", "high_spread", "sw2"]
    result = pd.DataFrame(np.nan, index=index, columns=columns)
    found = _arranged(units, min_units, communes)
    if found is None:
        return result
    mean, square = np.zeros_like(found.log_mean), np.zeros_like(found.log_mean)
    for weight, given in integrated(found.log_mean, found.error):
        mean += weight * given.mean
        square += weight * (given.variance + given.mean**2)
    at = pd.MultiIndex.from_product([found.communes, found.operators], names=index.names)
    own = found.named.reindex(at)
    sw2 = np.tile(found.sw2, len(found.communes))
    spread, doubt = shrunk_spread(
        own["m"].fillna(0.0).to_numpy(), own["log_var"].fillna(0.0).to_numpy(), sw2
    )
    smeared = np.tile(found.smeared, len(found.communes))
    low, high = np.minimum(spread, smeared), np.maximum(spread, smeared)
    figures = [mean.ravel(), (square - mean**2).ravel(), spread, doubt, low, high, sw2]
    result.loc[at, columns] = np.column_stack(figures)
    return result


@dataclass(frozen=True)
class _Arranged:
    """Units as the model takes them: matrices are communes × operators."""

    named: pd.DataFrame  # units that count, sorted
    communes: pd.Index
    operators: pd.Index
    log_mean: Floats
    error: Floats  # infinite where nobody tested
    sw2: Floats  # by operator
    smeared: Floats  # by operator: twice the log of Duan's factor

    @property
    def codes(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """(number of the commune, of the operator) of the units in `named`."""
        place, operator = (self.named.index.get_level_values(n) for n in (0, 1))
        return self.communes.get_indexer(place), self.operators.get_indexer(operator)


def _arranged(
    units: pd.DataFrame, min_units: int, communes: pd.Index | None = None
) -> _Arranged | None:
    """The units of named operators that show a spread; None where they are too few.

    `communes`: of the matrices; those of the units if None.
    """
    is_usable = units["m"].gt(0) & np.isfinite(units["error_factor"])
    named = units[(units.index.get_level_values("operator") != ALL) & is_usable].sort_index()
    pairs = named[(named["m"] >= 2) & named["log_var"].notna()]
    if len(pairs) < min_units:
        return None
    freedom = pairs["m"] - 1
    within = (freedom * pairs["log_var"]).groupby("operator").sum()
    within = within / freedom.groupby("operator").sum()
    within = within[within > NO_SPREAD]
    named = named[named.index.get_level_values("operator").isin(within.index)]
    if named.empty:
        return None
    index = cast("pd.MultiIndex", named.index).remove_unused_levels()  # as documented above
    levels = index.levels[0] if communes is None else communes, index.levels[1]
    place, operator = (
        level.get_indexer(index.get_level_values(n)) for n, level in enumerate(levels)
    )
    sw2 = within.reindex(levels[1]).to_numpy(dtype="float64")
    log_mean = np.zeros((len(levels[0]), len(levels[1])))
    error = np.full_like(log_mean, np.inf)
    log_mean[place, operator] = named["log_mean"]
    error[place, operator] = sw2[operator] * named["error_factor"].to_numpy()
    exp_sums = pairs.groupby("operator")[["exp_residuals", "m"]].sum()
    factors = (exp_sums["exp_residuals"] / exp_sums["m"]).reindex(levels[1])
    smeared = 2 * np.log(factors.to_numpy(dtype="float64"))
    return _Arranged(named, levels[0], levels[1], log_mean, error, sw2, smeared)


def shrunk_spread(m: Floats, log_var: Floats, pooled: Floats) -> tuple[Floats, Floats]:
    """(variance of log device values of each unit, uncertainty of it).

    The variance is the unit's own s², shrunk towards the operator's. Units differ in their spread
    (few villages or many, uneven or alike ones), and half of it enters the mean speed. s² of m
    normal values has variance 2σ⁴/(m−1); by moments, what s² varies beyond that is the spread of
    the spreads. Without this step, verdicts called 98 % certain were right in 94 % where every true
    mean is near the target (docs/decisions/0002).
    """
    known = m >= 3
    sampling = np.where(known, 2 * pooled**2 / np.maximum(m - 1, 1), np.inf)
    own = np.where(known, log_var, pooled)
    weights = np.where(known, m - 1, 0.0)
    beyond = np.where(known, (own - pooled) ** 2 - np.where(known, sampling, 0.0), 0.0)
    between = max(0.0, float((weights * beyond).sum() / max(1.0, weights.sum())))
    keep = between / (between + sampling) if between > 0 else np.zeros_like(pooled)
    return pooled + keep * (own - pooled), between * (1 - keep)


def selected(
    probability: pd.Series,
    candidates: pd.Series,
    max_false_discovery_rate: float,
    min_probability: float = 0.0,
) -> pd.Series:
    """Which rows are in the largest set of candidates that keeps the false discovery rate.

    Candidates are taken in order of probability while their expected share of false ones (the mean
    of 1 − P) is at most the rate; none at rate 0. None is less likely than `min_probability`, since
    each verdict must hold by itself.

    Source: Newton et al., Biostatistics 5(2), 2004 (direct posterior probability approach).

    >>> p = pd.Series([0.999, 0.97, 0.90, 0.5]); yes = pd.Series(True, index=p.index)
    >>> selected(p, yes, 0.02).tolist()
    [True, True, False, False]
    """
    if max_false_discovery_rate <= 0:
        return pd.Series(False, index=probability.index)
    chances = probability[candidates & (probability >= min_probability)]
    chances = chances.sort_values(ascending=False, kind="stable")
    # ties are chosen together: the order of rows must not matter
    expected = (1 - chances).expanding().mean().groupby(chances.to_numpy()).transform("last")
    chosen = chances.index[expected <= max_false_discovery_rate]
    return pd.Series(probability.index.isin(chosen), index=probability.index)
