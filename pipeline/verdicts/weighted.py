"""The mean over a commune's people: device values by place, weighted by where people live.

See docs/method.md, "People, not testers". Speeds differ between the places (strata: villages or
clusters of cells) of a commune, and tests come from some of them. With ρ the share of the variance
of device values that lies between places (one-way ANOVA, pooled), a place of n votes with mean ȳ
is predicted as θ + k(ȳ − θ), k = ρ/(ρ + (1−ρ)/n), θ the mean of places weighted by
1/(ρ + (1−ρ)/n); where nobody tested, as θ. The people's mean is Σ share × prediction, its variance

    v = σ² · [Σ share² ρ(1−k) + (1 − Σ share k)² / Σ 1/(ρ + (1−ρ)/n)],

σ² the variance of device values over all places. Source: Henderson, Biometrics 31, 1975 (best
linear unbiased prediction); Battese, Harter & Fuller, J. Am. Stat. Assoc. 83, 1988 (small areas).
With ρ = 0 it is the plain mean. Does not belong here: what places are (`measurements/strata.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from pipeline.schema.fields import ALL
from pipeline.verdicts.statistics import UNIT

Floats = npt.NDArray[np.float64]
MOST_BETWEEN = 0.99  # ρ: a place's devices never say nothing of each other
_NOTHING = 1e-9
FIGURES = ("mean_mbps", "lo_mbps", "hi_mbps", "p_gap", "p_meets")


def share_between(sums: pd.DataFrame, log: str, square: str) -> float:
    """ρ: how much of the variance of device values lies between places; 0 where it is not known.

    One-way analysis of variance of unequal groups, pooled over units (Searle, Casella & McCulloch,
    Variance Components, 1992). `log`, `square`: columns of sums, and of sums of squares.
    """
    n, q, total = (sums[name].to_numpy() for name in ("votes", "vote_squares", log))
    units = sums.groupby(UNIT, sort=False)
    names = ("votes", "vote_squares", log)
    votes, squares, unit_total = (units[name].transform("sum").to_numpy() for name in names)
    within = float((sums[square].to_numpy() - total**2 / n).sum())
    between = float((n * (total / n - unit_total / votes) ** 2).sum())
    # a vote divided between places makes less than one degree of freedom; n/votes of a unit is 1
    within_freedom = float((n - q / n).sum())
    between_freedom = float((q / n - squares / votes * n / votes).sum())
    size = float((n - n**2 / votes).sum())
    if min(within_freedom, between_freedom, size) < _NOTHING:
        return 0.0
    error = max(within / within_freedom, 0.0)
    place = max((between - between_freedom * error) / size, 0.0)
    if place + error <= _NOTHING * float((sums[square] / n).mean()):
        return 0.0  # all speeds are alike: what is left is rounding
    return min(place / (place + error), MOST_BETWEEN)


def predicted(
    sums: pd.DataFrame, shares: pd.DataFrame, total: str, square: str, rho: pd.Series
) -> pd.DataFrame:
    """The people's mean of units: mean, variance (σ²), factor (v/σ²), votes, squares (Σ share²).

    `sums`, `shares`: of `Strata`. `rho`: by operator. Shares of a commune add up to 1; where it has
    none, all tested places count alike.
    """
    keys = ["commune_code", "stratum"]
    shares = shares.astype({"share": "float64"})  # an empty table has no type
    rows = sums[[*UNIT, "stratum", "votes", total, square]].merge(
        shares.dropna(subset="share"), on=keys, how="left"
    )
    known = shares["share"].groupby(shares["commune_code"]).sum()
    has_shares = rows["commune_code"].map(known).fillna(0.0).to_numpy() > 0
    unit = [rows[key] for key in UNIT]
    place_count = rows["votes"].groupby(unit).transform("size").to_numpy()
    share = np.where(has_shares, rows["share"].fillna(0.0).to_numpy(), 1 / place_count)
    n, mean = rows["votes"].to_numpy(), (rows[total] / rows["votes"]).to_numpy()
    r = rows["operator"].map(rho).to_numpy(dtype="float64")
    precision = 1 / (r + (1 - r) / n)
    pull = r * precision
    parts = pd.DataFrame(
        {
            "votes": n,
            "total": rows[total].to_numpy(),
            "square": rows[square].to_numpy(),
            "votes2": n**2,
            "precision": precision,
            "weighted": precision * mean,
            "kept": share * pull,
            "kept_mean": share * pull * mean,
            "own": share**2 * r * (1 - pull),
            "share2": share**2,
        }
    )
    found = parts.groupby(unit).sum()
    r = rho.reindex(found.index.get_level_values("operator")).to_numpy(dtype="float64")
    codes = found.index.get_level_values("commune_code")
    known_squares = (shares["share"] ** 2).groupby(shares["commune_code"]).sum()
    squares = known_squares.reindex(codes).fillna(0.0).to_numpy()
    squares = np.where(squares > 0, squares, found["share2"].to_numpy())
    votes = found["votes"].to_numpy()
    theta = (found["weighted"] / found["precision"]).to_numpy()
    mean = theta + found["kept_mean"].to_numpy() - found["kept"].to_numpy() * theta
    untested = np.maximum(squares - found["share2"].to_numpy(), 0.0) * r
    factor = found["own"].to_numpy() + untested
    factor = factor + (1 - found["kept"].to_numpy()) ** 2 / found["precision"].to_numpy()
    plain = found["total"].to_numpy() / votes
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.maximum(found["square"].to_numpy() - votes * plain**2, 0.0) / (votes - 1)
        seen = (1 - found["votes2"].to_numpy() / votes**2) * votes / (votes - 1)
        # devices of one place show less than the spread of all places
        variance = spread / (1 - r + r * np.clip(seen, 0.0, 1.0))
    return pd.DataFrame(
        {
            "mean": mean,
            "variance": np.where(votes > 1 + _NOTHING, variance, np.nan),
            "factor": factor,
            "votes": votes,
            "squares": squares,
            "rho": r,
        },
        index=found.index,
    )


def people_weighted(
    sums: pd.DataFrame, shares: pd.DataFrame, *, speed: str, target: float, confidence: float
) -> pd.DataFrame:
    """The people's mean by unit: FIGURES, log_mean, log_var, error_factor.

    The interval is the envelope of a t interval on Mbit/s and a modified Cox interval on
    logarithms, as for the plain mean, with v in place of s²/m. log_var: variance of log speeds over
    the people, σ²(1 − ρ Σ share²); error_factor × log_var is the variance of log_mean. Empty for
    units of one vote. `speed`: `download` or `capped`.
    """
    logs, log_squares = f"{speed}_log", f"{speed}_log_square"
    mbps, squares = f"{speed}_mbps", f"{speed}_square"
    if sums.empty:
        return pd.DataFrame(
            {name: [] for name in (*FIGURES, "log_mean", "log_var", "error_factor")},
            index=pd.MultiIndex.from_arrays([[], []], names=UNIT),
            dtype="float64",
        )
    relative = _relative_to_units(sums, mbps, squares)
    log_rho, raw_rho = _by_operator(sums, logs, log_squares), _by_operator(relative, mbps, squares)
    log = predicted(sums, shares, logs, log_squares, log_rho)
    raw = predicted(sums, shares, mbps, squares, raw_rho)
    freedom = log["votes"].to_numpy() - 1
    log_var = log["variance"].to_numpy() * (1 - log["rho"] * log["squares"]).to_numpy()
    mean, log_mean = raw["mean"].to_numpy(), log["mean"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        quantile = special.stdtrit(freedom, (1 + confidence) / 2)
        error = np.sqrt(raw["variance"].to_numpy() * raw["factor"].to_numpy())
        log_error = np.sqrt(
            log["variance"].to_numpy() * log["factor"].to_numpy() + log_var**2 / (2 * freedom)
        )
        middle = log_mean + log_var / 2
        lo = np.minimum(mean - quantile * error, np.exp(middle - quantile * log_error))
        hi = np.maximum(mean + quantile * error, np.exp(middle + quantile * log_error))
        t_score = (mean - target) / error
        cox_score = (middle - np.log(target)) / log_error
    is_known = (freedom > _NOTHING) & (error > 0)
    figures = {
        "mean_mbps": mean,
        "lo_mbps": np.where(is_known, np.maximum(lo, 0.0), np.nan),
        "hi_mbps": np.where(is_known, hi, np.nan),
        "p_gap": _larger_tail(freedom, t_score, cox_score, is_known),
        "p_meets": _larger_tail(freedom, -t_score, -cox_score, is_known),
        "log_mean": log_mean,
        "log_var": log_var,
        "error_factor": log["factor"].to_numpy() / (1 - log["rho"] * log["squares"]).to_numpy(),
    }
    return pd.DataFrame(figures, index=log.index)


def preferred(plain: pd.DataFrame, by_people: pd.DataFrame) -> pd.DataFrame:
    """The units with the people's log_mean, log_var and error_factor where these are known."""
    names = ["log_mean", "log_var", "error_factor"]
    known = by_people[names].reindex(plain.index)
    return plain.assign(**{name: known[name].fillna(plain[name]) for name in names})


def _larger_tail(freedom: Floats, t: Floats, cox: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    tails = np.maximum(special.stdtr(freedom, t), special.stdtr(freedom, cox))
    return np.where(known, tails, np.nan)


def shares_between(sums: pd.DataFrame) -> pd.Series:
    """ρ of log speeds by operator, as `people_weighted` uses it. `sums`: of `Strata`."""
    return _by_operator(sums, "download_log", "download_log_square")


def _relative_to_units(sums: pd.DataFrame, total: str, square: str) -> pd.DataFrame:
    """Sums of speeds as shares of their unit's mean: units of all speeds can be pooled."""
    units = sums.groupby(UNIT, sort=False)
    mean = (units[total].transform("sum") / units["votes"].transform("sum")).to_numpy()
    return sums.assign(**{total: sums[total] / mean, square: sums[square] / mean**2})


def _by_operator(sums: pd.DataFrame, total: str, square: str) -> pd.Series:
    """ρ by operator: one for all named operators, one for `all`."""
    pooled = sums["operator"].eq(ALL)
    found = {
        is_pooled: share_between(sums[pooled.eq(is_pooled)], total, square)
        for is_pooled in (False, True)
    }
    operators = sums["operator"].unique()
    return pd.Series({name: found[name == ALL] for name in operators}, dtype="float64")
