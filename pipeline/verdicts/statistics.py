"""Device values → means, envelope intervals, p- and q-values, empirical Bayes (METHOD §3).

Vectorised over units; a unit is a commune × operator. Does not belong here: gates and statuses
(`judge.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special  # not `stats`, whose import alone takes a second

from pipeline.schema.fields import ALL

UNIT = ["commune_code", "operator"]
LOW_TAIL_MBPS = 10.0  # as in the name of the column share_below_10_mbps
Floats = npt.NDArray[np.float64]


def describe(devices: pd.DataFrame) -> pd.DataFrame:
    """One row per unit: m, mean, sd, log_mean, log_var, median, p10, upload, latency.

    `devices`: `device_values`; without `device_weight` each value has one vote. sd and log_var have
    the divisor m − 1 and are empty for m = 1. Index `UNIT`.
    """
    logs = devices.assign(
        log_mbps=np.log(devices["download_mbps"]), below=devices["download_mbps"] < LOW_TAIL_MBPS
    )
    if _weights(devices).ne(1).any():
        return _describe_weighted(logs)
    units = logs.groupby(UNIT, sort=True)
    speed = units["download_mbps"]
    return pd.DataFrame(
        {
            "m": units.size().astype("float64"),
            "mean_mbps": speed.mean(),
            "sd_mbps": speed.std(ddof=1),
            "log_mean": units["log_mbps"].mean(),
            "log_var": units["log_mbps"].var(ddof=1),
            "median_mbps": speed.median(),
            "p10_mbps": speed.quantile(0.10),
            "share_below_10_mbps": units["below"].mean(),
            "upload_mean_mbps": units["upload_mbps"].mean(),
            "latency_median_ms": units["latency_ms"].median(),
        }
    )


def _weights(devices: pd.DataFrame) -> pd.Series:
    if "device_weight" in devices:
        return devices["device_weight"]
    return pd.Series(1.0, index=devices.index)


def _describe_weighted(logs: pd.DataFrame) -> pd.DataFrame:
    """`describe` of values that count by `device_weight`: tiles, which stand for their devices.

    With W = Σw and Q = Σw²: mean Σwx/W, variance Σw(x − mean)²/(W − Q/W), and m = W²/Q, the number
    of values of equal weight that would be as sure (Kish, Survey Sampling, 1965). Quantiles: the
    smallest value up to which the share of the weight is reached.
    """

    def figures(unit: pd.DataFrame) -> dict[str, float]:
        w = unit["device_weight"].to_numpy()
        total, m = w.sum(), w.sum() ** 2 / (w**2).sum()

        def mean(name: str) -> float:
            x = unit[name].to_numpy(dtype="float64")
            known = np.isfinite(x)
            return float((w * x)[known].sum() / w[known].sum()) if known.any() else np.nan

        def variance(name: str) -> float:
            x = unit[name].to_numpy()
            if len(x) < 2:
                return np.nan
            return float((w * (x - mean(name)) ** 2).sum() / (total - total / m))

        def quantile(name: str, share: float) -> float:
            x = unit[name].to_numpy(dtype="float64")
            known = np.isfinite(x)
            if not known.any():
                return np.nan
            order = np.argsort(x[known], kind="stable")
            below = np.cumsum(w[known][order])
            place = int(np.searchsorted(below, share * below[-1] * (1 - 1e-12)))
            return float(x[known][order][place])

        return {
            "m": m,
            "mean_mbps": mean("download_mbps"),
            "sd_mbps": np.sqrt(variance("download_mbps")),
            "log_mean": mean("log_mbps"),
            "log_var": variance("log_mbps"),
            "median_mbps": quantile("download_mbps", 0.5),
            "p10_mbps": quantile("download_mbps", 0.1),
            "share_below_10_mbps": mean("below"),
            "upload_mean_mbps": mean("upload_mbps"),
            "latency_median_ms": quantile("latency_ms", 0.5),
        }

    found = {unit: figures(rows) for unit, rows in logs.groupby(UNIT, sort=True)}
    index = pd.MultiIndex.from_tuples(found, names=UNIT)
    return pd.DataFrame(list(found.values()), index=index)


def cox_error(log_var: Floats, m: Floats) -> Floats:
    """Standard error of ȳ + s_y²/2: √(s_y²/m + s_y⁴/(2(m−1))).

    Source: Olsson, J. Stat. Educ. 13(1), 2005 (modified Cox).
    """
    return np.sqrt(log_var / m + log_var**2 / (2 * (m - 1)))


def envelope(
    mean: Floats, sd: Floats, log_mean: Floats, log_var: Floats, m: Floats, confidence: float
) -> tuple[Floats, Floats]:
    """Outer limits of the t interval and the modified Cox interval, Mbit/s; NaN for m < 2.

    >>> x = np.array([21.0, 30.5, 35.2]); y = np.log(x)
    >>> lo, hi = envelope(x.mean(), x.std(ddof=1), y.mean(), y.var(ddof=1), np.array([3.0]), 0.95)
    >>> round(float(lo[0]), 2), round(float(hi[0]), 2)
    (10.93, 57.77)
    """
    quantile = t_quantile(m, confidence)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        half = quantile * sd / np.sqrt(m)
        middle, half_log = log_mean + log_var / 2, quantile * cox_error(log_var, m)
        lo = np.minimum(mean - half, np.exp(middle - half_log))
        hi = np.maximum(mean + half, np.exp(middle + half_log))
    return np.where(m >= 2, np.maximum(lo, 0.0), np.nan), np.where(m >= 2, hi, np.nan)


def t_quantile(m: Floats, confidence: float) -> Floats:
    """The quantile of Student's t behind a two-sided interval of m values; NaN for m < 2."""
    # a quantile costs more than all the rest, and many rows have the same count
    place, counts = pd.factorize(m)
    with np.errstate(invalid="ignore"):
        return np.asarray(special.stdtrit(counts - 1, (1 + confidence) / 2)[place])


def p_values(
    mean: Floats, sd: Floats, log_mean: Floats, log_var: Floats, m: Floats, target: float
) -> tuple[Floats, Floats]:
    """(p_gap, p_meets): the larger of the t and Cox one-sided p-values of mean ≥ T and of mean ≤ T.

    NaN for m < 2. 1 and 1 where the devices show no spread: nothing can be tested then.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        t_score = (mean - target) / (sd / np.sqrt(m))
        cox_score = (log_mean + log_var / 2 - np.log(target)) / cox_error(log_var, m)
        gap = np.maximum(special.stdtr(m - 1, t_score), special.stdtr(m - 1, cox_score))
        meets = np.maximum(special.stdtr(m - 1, -t_score), special.stdtr(m - 1, -cox_score))
    flat = sd == 0
    return (
        np.where(m >= 2, np.where(flat, 1.0, gap), np.nan),
        np.where(m >= 2, np.where(flat, 1.0, meets), np.nan),
    )


def worst_without_one(devices: pd.DataFrame, confidence: float) -> pd.Series:
    """The highest upper envelope limit after dropping any one device, by unit; NaN for m < 3."""
    x, w = devices["download_mbps"].to_numpy(), _weights(devices).to_numpy()
    sums = devices.assign(w=w, ww=w**2, x=w * x, y=w * np.log(x)).groupby(UNIT)
    total = sums[["w", "ww", "x", "y"]].transform("sum")
    count = sums["x"].transform("size").to_numpy(dtype="float64")
    weight, squares = total["w"].to_numpy(), total["ww"].to_numpy()
    # centred on the unit's own mean first: sums of squares would cancel for steady units
    mean, log_mean = total["x"].to_numpy() / weight, total["y"].to_numpy() / weight
    dx, dy = x - mean, np.log(x) - log_mean
    squared = devices.assign(dxx=w * dx**2, dyy=w * dy**2).groupby(UNIT)[["dxx", "dyy"]]
    spread = squared.transform("sum")
    left, left_squares = weight - w, squares - w**2
    with np.errstate(invalid="ignore", divide="ignore"):
        m = np.where(left_squares > 0, left**2 / left_squares, 0.0)
        divisor = left - left_squares / left
        var = (spread["dxx"].to_numpy() - w * dx**2 * weight / left) / divisor
        log_var = (spread["dyy"].to_numpy() - w * dy**2 * weight / left) / divisor
        sd, log_var = np.sqrt(np.maximum(var, 0)), np.maximum(log_var, 0)
        _, hi = envelope(mean - w * dx / left, sd, log_mean - w * dy / left, log_var, m, confidence)
    limits = pd.Series(np.where(count >= 3, hi, np.nan), index=devices.index)
    return limits.groupby([devices[key] for key in UNIT]).max()


def q_values(p: pd.Series, passes: pd.Series) -> pd.Series:
    """Benjamini–Hochberg q-values over the rows that pass; NaN elsewhere.

    q of the k-th smallest of n: the least of p_j · n / j over j ≥ k. Source: Benjamini & Hochberg,
    J. R. Stat. Soc. B 57, 1995.

    >>> q_values(pd.Series([0.0004, 0.003, 0.9]), pd.Series([True, True, True])).round(4).tolist()
    [0.0012, 0.0045, 0.9]
    """
    family = passes & p.notna()
    result = pd.Series(np.nan, index=p.index)
    if family.any():
        ordered = p[family].sort_values()
        scaled = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
        result[family] = scaled[::-1].cummin().clip(upper=1.0)
    return result


@dataclass(frozen=True)
class Prior:
    """How communes' log means spread."""

    mu: float  # their mean
    tau2: float  # variance between communes
    sw2: float  # variance within a commune
    var_mu: float  # variance of mu


def fit_prior(m: Floats, log_mean: Floats, log_var: Floats, min_units: int) -> Prior | None:
    """The DerSimonian–Laird prior of units with m ≥ 2.

    None where these are fewer than `min_units`, or show no spread. Source: DerSimonian & Laird,
    Controlled Clinical Trials 7, 1986.
    """
    known = m >= 2
    m, log_mean, log_var = m[known], log_mean[known], log_var[known]
    if len(m) < min_units:
        return None
    sw2 = float(((m - 1) * log_var).sum() / (m - 1).sum())
    if sw2 <= 0:
        return None
    w = m / sw2
    centre = (w * log_mean).sum() / w.sum()
    q = (w * (log_mean - centre) ** 2).sum()
    tau2 = max(0.0, float((q - (len(m) - 1)) / (w.sum() - (w**2).sum() / w.sum())))
    precision = 1 / (tau2 + sw2 / m)
    return Prior(
        float((precision * log_mean).sum() / precision.sum()), tau2, sw2, float(1 / precision.sum())
    )


def fit_priors(units: pd.DataFrame, min_units: int) -> dict[str, Prior | None]:
    """A prior per operator; where it has too few communes, the one pooled over named operators.

    `all` has its own prior or none.
    """

    def fit(rows: pd.DataFrame) -> Prior | None:
        return fit_prior(
            rows["m"].to_numpy(), rows["log_mean"].to_numpy(), rows["log_var"].to_numpy(), min_units
        )

    operators = units.index.get_level_values("operator")
    pooled = fit(units[operators != ALL])
    priors: dict[str, Prior | None] = {}
    for name in sorted(operators.unique()):
        own = units[operators == name]
        has_enough = int((own["m"] >= 2).sum()) >= min_units
        priors[str(name)] = fit(own) if has_enough or name == ALL else pooled
    return priors


def posterior(
    m: Floats, log_mean: Floats, prior: Prior, target: float
) -> tuple[Floats, Floats, Floats]:
    """(eb_mean Mbit/s, P(mean < target), information) of units.

    `m`: devices of each unit. `log_mean`: means of their log speeds.
    """
    shrink = prior.tau2 / (prior.tau2 + prior.sw2 / m)
    theta = shrink * log_mean + (1 - shrink) * prior.mu
    variance = shrink * prior.sw2 / m + (1 - shrink) ** 2 * prior.var_mu
    half = prior.sw2 / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (np.log(target) - half - theta) / np.sqrt(variance)
    return np.exp(theta + half), np.asarray(special.ndtr(score)), shrink


def with_limits(units: pd.DataFrame, *, target: float, confidence: float) -> pd.DataFrame:
    """Units of `describe` with the envelope and p-values: lo_mbps, hi_mbps, p_gap, p_meets."""
    mean, sd, log_mean, log_var, m = (
        units[c].to_numpy() for c in ("mean_mbps", "sd_mbps", "log_mean", "log_var", "m")
    )
    lo, hi = envelope(mean, sd, log_mean, log_var, m, confidence)
    p_gap, p_meets = p_values(mean, sd, log_mean, log_var, m, target)
    return units.assign(lo_mbps=lo, hi_mbps=hi, p_gap=p_gap, p_meets=p_meets)


def direct(devices: pd.DataFrame, *, target: float, confidence: float) -> pd.DataFrame:
    """Figures of a unit's own devices: those of `with_limits`, worst_hi_mbps (leave-one-out)."""
    units = with_limits(describe(devices), target=target, confidence=confidence)
    units["worst_hi_mbps"] = worst_without_one(devices, confidence).reindex(units.index)
    return units


def estimate(
    devices: pd.DataFrame, *, target: float, confidence: float, min_units: int
) -> tuple[pd.DataFrame, dict[str, Prior | None]]:
    """(every figure of METHOD §3 but the q-values by unit, priors by operator).

    `devices`: `device_values`. Columns: those of `direct`, eb_mean_mbps, gap_probability,
    information, has_spread_between (tau² > 0: only then may a probable status rest on the
    posterior).
    """
    units = direct(devices, target=target, confidence=confidence)
    priors = fit_priors(units, min_units)
    units[["eb_mean_mbps", "gap_probability"]] = np.nan
    units["information"] = units["m"] / (units["m"] + 10)  # without a prior
    units["has_spread_between"] = False
    for name, prior in priors.items():
        if prior is None:
            continue
        rows = units.index.get_level_values("operator") == name
        mean, gap, information = posterior(
            units.loc[rows, "m"].to_numpy(), units.loc[rows, "log_mean"].to_numpy(), prior, target
        )
        units.loc[rows, "eb_mean_mbps"], units.loc[rows, "gap_probability"] = mean, gap
        units.loc[rows, "information"] = information
        units.loc[rows, "has_spread_between"] = prior.tau2 > 0
    return units, priors


def devices_to_decide(
    units: pd.DataFrame,
    priors: dict[str, Prior | None],
    *,
    target: float,
    confidence: float,
    probability: float,
    between: tuple[int, int],
) -> pd.DataFrame:
    """The fewest further devices with which `probability` of futures decide.

    A future decides where its envelope excludes the target. `between`: the fewest devices in all
    with which it may, and the most that are tried. The means of m + n devices are normal around
    what is known now: the unit's own devices, and the operator's prior where tau² > 0; the spread
    stays as it is (`_chance`). Units with fewer than 5 devices take their operator's pooled spread
    and the log-normal mean that goes with it. All other gates are ignored: places and people,
    samples, dates, hours, q-values, leave-one-out. Further devices at the same places may thus
    leave a row undecided whose people's interval (`weighted.py`) is too wide.

    Columns devices_to_decide (1 or more) and, where it is empty, devices_to_decide_reason:
    `other_gate` where the present devices are enough and their envelope excludes the target, so
    that another gate keeps the row undecided; where even the most do not reach `probability`,
    `skew` if the mean and the Cox mean lie on different sides of the target, else
    `near_target`. Both are empty without a spread. `units`: of `estimate`.
    """
    operators = units.index.get_level_values("operator")
    fitted = {name: prior for name, prior in priors.items() if prior}
    nothing = Prior(mu=0.0, tau2=np.inf, sw2=np.nan, var_mu=0.0)
    known_priors = [fitted.get(name, nothing) for name in operators]
    sw2 = np.array([prior.sw2 for prior in known_priors])
    m, log_mean = units["m"].to_numpy(), units["log_mean"].to_numpy()
    is_small = m < 5
    log_var = np.where(is_small, sw2, units["log_var"].to_numpy())
    mean = np.where(is_small, np.exp(log_mean + sw2 / 2), units["mean_mbps"].to_numpy())
    sd = np.where(is_small, mean * np.sqrt(np.expm1(sw2)), units["sd_mbps"].to_numpy())
    chance = _chance(
        (mean, sd, log_mean, log_var, m),
        [prior if prior.tau2 > 0 else nothing for prior in known_priors],
        target=target,
        confidence=confidence,
    )

    def decides(total: Floats) -> npt.NDArray[np.bool_]:
        return chance(total) >= probability

    least, most = between
    first, last = np.maximum(m + 1, least), np.full(len(m), float(most))
    # an envelope just clear of the target: with few further devices it hardly moves, with some it
    # may; so the chance can fall before it rises for good
    needed = np.where(decides(first), first, smallest(decides, first, last)) - m
    is_clear = (units["hi_mbps"] < target) | (units["lo_mbps"] > target)
    enough = is_clear.to_numpy() & (m >= least)
    known = np.isfinite(log_var)
    cox_side = np.sign(log_mean + log_var / 2 - np.log(target))
    is_skew = cox_side * np.sign(mean - target) < 0
    reason = np.select(
        [~known, enough, np.isfinite(needed), is_skew],
        ["", "other_gate", "", "skew"],
        default="near_target",
    )
    return pd.DataFrame(
        {
            "devices_to_decide": np.where(known & ~enough, needed, np.nan),
            "devices_to_decide_reason": pd.Series(reason, index=units.index, dtype="str").replace(
                "", np.nan
            ),
        },
        index=units.index,
    )


def _chance(
    figures: tuple[Floats, Floats, Floats, Floats, Floats],
    priors: list[Prior],
    *,
    target: float,
    confidence: float,
) -> Callable[[Floats], Floats]:
    """P(the envelope of so many devices in all excludes the target), by unit.

    `figures`: mean, sd, log_mean, log_var, m. With n further devices the log mean of all m + n has
    the variance (n/(m+n))² (v + s²/n) around what is known, v the variance of the posterior; with
    v = s²/m, where there is no prior, that is s² (1/m − 1/(m+n)). The same of the mean in Mbit/s.
    The t and the Cox reading go together: the less likely of the two counts.
    """
    mean, sd, log_mean, log_var, m = figures
    mu, tau2, var_mu = (np.array([getattr(p, c) for p in priors]) for c in ("mu", "tau2", "var_mu"))
    with np.errstate(invalid="ignore"):
        pull = log_var / m / (tau2 + log_var / m)
        drift = pull * (mu - log_mean)

    def chance(total: Floats) -> Floats:
        further = total - m
        share = further / total
        quantile = t_quantile(total, confidence)

        def sides(
            middle: Floats, limit: float, variance: Floats, half: Floats, unit: Floats
        ) -> tuple[Floats, Floats]:
            v = variance * (1 - pull) / m + (pull * unit) ** 2 * var_mu
            error = share * np.sqrt(v + variance / further)
            return (limit - half - middle) / error, (middle - half - limit) / error

        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            middle = mean * (1 + share * np.expm1(drift))
            t = sides(middle, target, sd**2, quantile * sd / np.sqrt(total), mean)
            middle = log_mean + log_var / 2 + share * drift
            half = quantile * cox_error(log_var, total)
            cox = sides(middle, np.log(target), log_var, half, np.ones_like(m))
        below, above = (np.minimum(*readings) for readings in zip(t, cox, strict=True))
        return np.asarray(special.ndtr(below) + special.ndtr(above))

    return chance


def smallest(holds: Callable[[Floats], npt.NDArray[np.bool_]], low: Floats, high: Floats) -> Floats:
    """The smallest whole numbers in [low, high] from which on `holds` is true, by bisection.

    NaN where it never is.
    """
    bottom, top = low.copy(), np.maximum(low, high)
    reachable = holds(top)
    while (bottom < top).any():
        middle = np.floor((bottom + top) / 2)
        true = holds(middle)
        bottom = np.where(true, bottom, np.minimum(middle + 1, top))
        top = np.where(true, middle, top)
    return np.where(reachable, top, np.nan)
