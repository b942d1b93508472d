"""What further devices would decide: P(a confirmed verdict | n more devices), by unit.

Posterior predictive by Monte Carlo. A unit's mean log speed is drawn from the crossed model's
posterior (`borrowing.py`), speeds of new devices from log-normal ones around it; each draw is
joined with the figures that are known, and the gates of `judge.py` are tried on the sum, for
1 … MOST further devices at once. All units share one set of standard normal draws (common random
numbers), so that a chance depends on a unit's own figures only, and equal figures have equal
chances. Source: Gelman et al., Bayesian Data Analysis, 2013, ch. 7 (posterior predictive).

Approximations, measured in docs/method.md: hours and dates are as the plan asks for them; new
devices of one operator say nothing of the others; leave-one-out by a typical extreme device; the
q-value gate is a fixed p-value, that of one more verdict than there are now. Does not belong here:
where in a commune devices go, which units get them (`actions/next_tests.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from pipeline.config.rules import Rules

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
MOST = 40  # further devices of a unit that are looked ahead
DRAWS = 192
SEED = 1  # of the draws that all units share
_CHUNK = 96  # units at a time: bounds memory
_EXTREME = 1.5  # standard deviations from the mean of the device that leave-one-out drops
_LARGEST_STRETCH = 3.0


@dataclass(frozen=True)
class Draws:
    """Standard normal draws: `level` of a unit's mean, `spread`, `device` of each new device."""

    level: Floats  # DRAWS
    spread: Floats  # DRAWS
    device: Floats  # DRAWS × devices


def shared_draws(device_count: int) -> Draws:
    """The draws that all units share; levels and spreads are evenly spaced quantiles, shuffled."""
    generator = np.random.default_rng(SEED)
    even = special.ndtri((np.arange(DRAWS) + 0.5) / DRAWS)
    level, spread = generator.permutation(even), generator.permutation(even)
    return Draws(level, spread, generator.normal(size=(DRAWS, device_count)))


def chances(
    units: pd.DataFrame, effective: Floats, hidden: npt.NDArray[np.int64], rules: Rules
) -> Floats:
    """P(confirmed verdict) with 1 … MOST further devices: units × (MOST + 1), 0 in the first.

    `units`: m, mean_mbps, sd_mbps, log_mean, log_var (plain figures of the devices that are known),
    weighted_mean_mbps, people_log_mean, people_effective (devices of a simple mean that would be as
    sure as the people's), capped_ratio (capped mean over mean), sample_count, date_count, max_p_gap
    and max_p_meets (of `q_limits`), and the columns of `borrowing.posterior_levels`. `effective`:
    units × (MOST + 1), effective devices with so many further ones. `hidden`: devices that are
    there but whose speeds may not be used: they are drawn as new ones are.
    """
    found = np.zeros((len(units), MOST + 1))
    if units.empty:
        return found
    draws = shared_draws(MOST + int(hidden.max(initial=0)))
    columns = {name: units[name].to_numpy(dtype="float64") for name in _NEEDED}
    for start in range(0, len(units), _CHUNK):
        part = slice(start, start + _CHUNK)
        some = {name: values[part, None, None] for name, values in columns.items()}
        future = _future(some, effective[part][:, None, :], hidden[part], draws)
        found[part] = _decided(some, future, rules).mean(axis=1)
    found[:, 0] = 0.0
    return found


_NEEDED = (
    "m", "mean_mbps", "sd_mbps", "log_mean", "log_var", "weighted_mean_mbps", "people_log_mean",
    "people_effective", "capped_ratio", "sample_count", "date_count", "max_p_gap", "max_p_meets",
    "log_level", "level_var", "spread", "doubt", "low_spread", "high_spread", "sw2",
)  # fmt: skip


@dataclass(frozen=True)
class _Future:
    """Figures with further devices: arrays of units × draws × number of further devices."""

    further: Floats  # devices that are drawn
    m: Floats
    mean: Floats
    sd: Floats
    log_mean: Floats
    log_var: Floats
    new_mean: Floats
    effective: Floats
    people_mean: Floats
    people_log_mean: Floats
    level: Floats  # crossed model: mean and variance of the mean log speed
    level_var: Floats


def _future(
    now: dict[str, Floats], effective: Floats, hidden: npt.NDArray[np.int64], draws: Draws
) -> _Future:
    level = now["log_level"] + np.sqrt(now["level_var"]) * draws.level[:, None]
    variance = now["spread"] + np.sqrt(now["doubt"]) * draws.spread[:, None]
    variance = np.maximum(variance, 0.25 * now["spread"])
    log = level + np.sqrt(variance) * draws.device
    speed = np.exp(log)
    at = hidden[:, None, None] + np.arange(MOST + 1)

    def total(values: Floats) -> Floats:
        sums = np.concatenate([np.zeros((*values.shape[:2], 1)), values.cumsum(axis=2)], axis=2)
        return np.take_along_axis(sums, np.broadcast_to(at, (*values.shape[:2], MOST + 1)), axis=2)

    further = at.astype("float64")
    m = now["m"] + further
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, sd2, new_mean = _joined(
            now["m"], now["mean_mbps"], now["sd_mbps"] ** 2, further, total(speed), total(speed**2)
        )
        log_mean, log_var, new_log = _joined(
            now["m"], now["log_mean"], now["log_var"], further, total(log), total(log**2)
        )
        # new devices are worth more or less by where people live: their scatter goes with it
        gained = np.maximum(effective - now["people_effective"], 1e-9)
        stretch = np.minimum(np.sqrt(further / gained), _LARGEST_STRETCH)
        old = np.nan_to_num(now["people_effective"] / effective)
        middle = np.exp(level + variance / 2)
        people_new = middle + (new_mean - middle) * stretch
        people_log_new = level + (new_log - level) * stretch
        people_mean = _mixed(old, now["weighted_mean_mbps"], people_new)
        people_log_mean = _mixed(old, now["people_log_mean"], people_log_new)
        precision = gained / now["sw2"]
        level_var = 1 / (1 / now["level_var"] + precision)
        level_now = level_var * (now["log_level"] / now["level_var"] + precision * people_log_new)
    return _Future(
        further, m, mean, np.sqrt(sd2), log_mean, log_var, new_mean, effective,
        people_mean, people_log_mean, level_now, level_var,
    )  # fmt: skip


def _joined(
    m: Floats, mean: Floats, variance: Floats, further: Floats, total: Floats, square: Floats
) -> tuple[Floats, Floats, Floats]:
    """(mean, variance with divisor m − 1, mean of the further ones) of known and further values."""
    sums = np.where(m > 0, m * mean, 0.0) + total
    known = np.where(m > 0, m * mean**2, 0.0) + np.where(m > 1, (m - 1) * variance, 0.0)
    count = m + further
    joint = sums / count
    return joint, np.maximum(known + square - count * joint**2, 0.0) / (count - 1), total / further


def _mixed(share: Floats, known: Floats, new: Floats) -> Floats:
    return np.where(share > 0, share * known + (1 - share) * new, new)


def _decided(now: dict[str, Floats], then: _Future, rules: Rules) -> Flags:
    """Whether a verdict is confirmed, by its own devices or with borrowed evidence."""
    gates, log_target = rules.gates, np.log(rules.target_mbps)
    each = np.ceil(gates.confirmed_min_samples / gates.confirmed_min_devices)
    samples = now["sample_count"] + each * then.further
    dates = now["date_count"] + then.further
    first = (then.m >= gates.min_devices) & (samples >= gates.min_samples)
    first &= dates >= gates.confirmed_min_dates
    second = (then.m >= gates.confirmed_min_devices) & (samples >= gates.confirmed_min_samples)
    second = second & first
    confidence = rules.confidence
    with np.errstate(invalid="ignore", divide="ignore"):
        below = then.mean < rules.target_mbps
        same = (then.new_mean < rules.target_mbps) == below
        first = first & (same | (then.further < gates.recent_min_devices))
        second = second & first
        gap_score, pass_score = _scores(then, rules.target_mbps)
        error = np.sqrt(then.level_var + now["doubt"] / 4)
        short = (log_target - then.level - now["high_spread"] / 2) / error
        middle = then.level + now["spread"] / 2
        limit = _quantile(then.m, (1 - confidence) / 2)
        gap = second & below & (gap_score >= np.maximum(limit, _quantile(then.m, now["max_p_gap"])))
        gap &= _without_one(then, rules.target_mbps, confidence)
        gap &= short >= special.ndtri(gates.crossed_min_probability)
        least = _quantile(then.m, gates.borrowed_max_p)
        own = first & (rules.borrowed_false_discovery_rate > 0)
        likely = special.ndtri(rules.borrowed_min_probability)
        gap |= (
            own & below & (gap_score >= least) & (short >= likely)
            & (middle + np.log(gates.borrowed_gap_margin) <= log_target)
            & (then.people_mean < rules.target_mbps)
        )  # fmt: skip
        cap = np.log(now["capped_ratio"])
        missed = short - cap / error  # P(mean < target) with capped tests
        _, capped = _scores(then, gates.capped_margin * rules.target_mbps, now["capped_ratio"])
        meets = second & ~below
        meets &= pass_score >= np.maximum(limit, _quantile(then.m, now["max_p_meets"]))
        meets &= (capped >= limit) & (missed <= special.ndtri(gates.capped_max_miss))
        short_low = (log_target - then.level - now["low_spread"] / 2) / error
        meets |= (
            own & ~below & (pass_score >= least) & (-short_low >= likely)
            & (missed <= special.ndtri(gates.borrowed_max_miss))
            & (then.mean * now["capped_ratio"] >= gates.borrowed_capped_margin * rules.target_mbps)
        )  # fmt: skip
    return np.asarray(gap | meets)


def _scores(then: _Future, target: float, ratio: Floats | float = 1.0) -> tuple[Floats, Floats]:
    """(standard errors by which the mean lies below the target, above it).

    The least of four readings: t and Cox, of the plain mean and of the people's.
    """
    readings = []
    for mean, log_mean, size in (
        (then.mean, then.log_mean, then.m),
        (then.people_mean, then.people_log_mean, then.effective),
    ):
        readings.append((target - ratio * mean) / (ratio * then.sd / np.sqrt(size)))
        cox = np.sqrt(then.log_var / size + then.log_var**2 / (2 * (then.m - 1)))
        middle = log_mean + then.log_var / 2 + np.log(ratio)
        readings.append((np.log(target) - middle) / cox)
    below = np.minimum.reduce(readings)
    return below, -np.maximum.reduce(readings)


def _without_one(then: _Future, target: float, confidence: float) -> Flags:
    """Whether the upper limits stay below the target without a device of a typical extreme."""
    left = then.m - 1
    quantile = _quantile(left, (1 - confidence) / 2)
    plain = then.mean + then.sd * (_EXTREME / left + quantile / np.sqrt(left))
    cox = np.sqrt(then.log_var / left + then.log_var**2 / (2 * (left - 1)))
    log = then.log_mean + _EXTREME * np.sqrt(then.log_var) / left + then.log_var / 2
    return np.asarray((plain < target) & (log + quantile * cox < np.log(target)))


def _quantile(m: Floats, p: Floats | float) -> Floats:
    """Student's t of m values that is exceeded with probability p; inf for m < 2."""
    count, chance = np.broadcast_arrays(m, p)
    keys, place = np.unique(np.stack([count.ravel(), chance.ravel()]), axis=1, return_inverse=True)
    found = special.stdtrit(np.maximum(keys[0] - 1, 1), 1 - keys[1])
    return np.asarray(np.where(keys[0] >= 2, found, np.inf)[place.ravel()].reshape(count.shape))


def q_limits(rows: pd.DataFrame, max_q: float) -> tuple[float, float]:
    """(p-value of a gap, of a pass) that has the q-value `max_q`, with one more verdict than now.

    `rows`: q_gap and q_meets of the named operators' units that are one family.
    """
    found = []
    for name in ("q_gap", "q_meets"):
        q = rows[name].dropna()
        found.append(max_q * (int((q <= max_q).sum()) + 1) / max(len(q), 1))
    gap, meets = (min(limit, max_q) for limit in found)
    return gap, meets
