"""METHOD.md's own figures, to the printed digits.

Worked examples, the BH check, the EB check, k*, the worked priorities.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats

from pipeline.actions import prioritise
from pipeline.config.rules import priority_rules_of
from pipeline.config.settings import Settings
from pipeline.schema.fields import GAP_CLASSES
from pipeline.verdicts import judge, statistics, weak_hexes
from pipeline.verdicts.checks import checks
from pipeline.verdicts.judge import Gates
from pipeline.verdicts.weighted import FIGURES
from tests.builders import RULES, device_frame

T = 40.0
PRIOR = statistics.Prior(mu=float(np.log(38)), tau2=0.45**2, sw2=0.70**2, var_mu=0.0)
GATES = Gates(**{name: getattr(RULES, name) for name in Gates.__dataclass_fields__})


def quantiles() -> list[float]:
    raw = np.exp(0.75 * stats.norm.ppf((np.arange(1, 121) - 0.5) / 120))
    return list(raw * 41.2 / raw.mean())


HEAVY_TESTS = (
    [12.0] * 17
    + [13.0] * 17
    + [14.0] * 16
    + [x for v in (55, 62, 71, 48, 80, 66, 58) for x in (v, v)]
)
# speeds, samples, tests, raw mean, share of the busiest device, then what METHOD.md prints
EXAMPLES = {
    "confirmed gap": (
        [8.1, 12.4, 15.0, 17.2, 18.8, 20.5, 22.3, 24.0, 26.9, 29.5, 33.0, 41.6], 36, 36, None, 3,
        dict(mean=22.44, sd=9.33, median=21.40, t=(16.52, 28.37), cox=(16.87, 30.76), p_gap=0.00084,
             eb=29.16, P=0.957),
        ("confirmed_gap", "confirmed", ""),
    ),
    "heavy tester": (
        [12.98, 55, 62, 71, 48, 80, 66, 58], 24, 64, 23.89, 50,
        dict(mean=56.62, sd=20.19, median=60.00, t=(39.74, 73.50), cox=(35.66, 101.76), p_gap=0.974,
             eb=60.91, P=0.026),
        ("meets_target", "probable", "heavy_tester"),
    ),
    "three devices": (
        [21.0, 30.5, 35.2], 5, 5, None, 2,
        dict(mean=28.90, sd=7.23, median=30.50, t=(10.93, 46.87), cox=(14.83, 57.77), p_gap=0.093,
             eb=41.20, P=0.461),
        ("insufficient_evidence", "none", ""),
    ),
    "probable gap": (
        [9.5, 14.2, 18.0, 21.7, 24.9, 27.3, 31.8, 52.0], 24, 26, None, 4,
        dict(mean=24.93, sd=13.08, median=23.30, t=(13.99, 35.86), cox=(15.96, 40.41), p_gap=0.027,
             eb=32.15, P=0.843),
        ("probable_gap", "probable", "low_tail"),
    ),
    "borderline": (
        quantiles(), 310, 310, None, 3,
        dict(mean=41.20, sd=34.38, median=31.26, t=(34.98, 47.42), cox=(35.49, 48.24), p_gap=0.669,
             eb=40.09, P=0.487),
        ("borderline", "none", "official_300;mean_median_conflict;fast_rows"),
    ),
    "skewed": (
        [3.1, 4.0, 5.2, 6.5, 9.0, 11.5, 14.0, 18.2, 22.0, 26.5, 31.0, 36.0, 44.0, 58.0, 75.0, 88.0,
         97.0, 110.0, 125.0, 156.2],
        60, 60, None, 3,
        dict(mean=47.01, sd=46.04, median=28.75, t=(25.46, 68.56), cox=(25.79, 117.33), p_gap=0.805,
             eb=34.97, P=0.818),
        ("borderline", "none", "mean_median_conflict;low_tail"),
    ),
    "meets": (
        [44.0, 47.5, 51.2, 55.0, 57.3, 60.1, 62.8, 66.4, 70.9, 75.5, 81.2, 88.0], 40, 40, None, 4,
        dict(mean=63.32, sd=13.59, median=61.45, t=(54.69, 71.96), cox=(55.29, 72.81),
             p_gap=0.99999, eb=72.98, P=0.001),
        ("meets_target", "confirmed", ""),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_worked_example(name):
    speeds, samples, tests, raw_mean, busiest, printed, (status, evidence, flags) = EXAMPLES[name]
    devices = device_frame({("a", "V"): speeds})
    units, _ = statistics.estimate(devices, target=T, confidence=0.95, min_units=8)
    row = units.iloc[0]
    assert row["mean_mbps"] == pytest.approx(printed["mean"], abs=0.0051)
    assert row["sd_mbps"] == pytest.approx(printed["sd"], abs=0.0051)
    assert row["median_mbps"] == pytest.approx(printed["median"], abs=0.0051)
    assert row["lo_mbps"] == pytest.approx(min(printed["t"][0], printed["cox"][0]), abs=0.0051)
    assert row["hi_mbps"] == pytest.approx(max(printed["t"][1], printed["cox"][1]), abs=0.0051)
    assert row["p_gap"] == pytest.approx(
        printed["p_gap"], abs=0.0005 if printed["p_gap"] > 0.001 else 5e-6
    )
    mean, gap_probability, _ = statistics.posterior(
        units["m"].to_numpy(), units["log_mean"].to_numpy(), PRIOR, T
    )
    assert mean[0] == pytest.approx(printed["eb"], abs=0.0051)
    assert gap_probability[0] == pytest.approx(printed["P"], abs=0.0005)
    # date, hour and BH conditions met, as METHOD.md says; the crossed model has no say
    also = checks(devices, units, target=T, confidence=0.95)
    units = units.join(also).assign(
        borrowed_gap_probability=np.nan,
        borrowed_mean_mbps=np.nan,
        borrowed_miss_probability=np.nan,
        capped_gap_probability=np.nan,
        is_borrowed_pass=False,
        **{f"weighted_{name}": np.nan for name in FIGURES},
        fast_test_count=sum(speed > 150 for speed in speeds),
        gap_probability=gap_probability,
        has_spread_between=True,
        q_gap=units["p_gap"].clip(upper=0.05) if printed["p_gap"] < 0.05 else units["p_gap"],
        q_meets=0.0,
        sample_count=samples,
        date_count=3,
        test_count=tests,
        month_test_count=tests,
        is_tiles=False,
        is_capped=False,
        is_borrowed_gap=False,
        is_widened=False,
        slow_hours_apart=6.0,
        raw_mean_mbps=raw_mean if raw_mean is not None else row["mean_mbps"],
        largest_device_tests=busiest,
        largest_cell_samples=0,
        pseudo_count=0,
        accurate_count=tests,
        ids_restart=False,
        device_count=len(speeds),
        two_places_device_count=0,
        crowd_device_count=0,
        left_out_device_count=0,
        all_mobile_mean_mbps=np.nan,
    )
    verdict = judge.assign_status(units, T, GATES).iloc[0]
    assert (verdict["status"], verdict["evidence"]) == (status, evidence)
    assert judge.flags(units, T, GATES).iloc[0] == flags


def test_raw_mean_of_the_heavy_tester():
    assert np.mean(HEAVY_TESTS) == pytest.approx(23.89, abs=0.005)
    assert np.mean([12.0] * 17 + [13.0] * 17 + [14.0] * 16) == pytest.approx(12.98)


def test_leave_one_out_of_the_first_example():
    devices = device_frame({("a", "V"): EXAMPLES["confirmed gap"][0]})
    assert statistics.worst_without_one(devices, 0.95).iloc[0] == pytest.approx(32.62, abs=0.005)


def test_leave_one_out_equals_brute_force():
    speeds = EXAMPLES["skewed"][0]
    brute = []
    for i in range(len(speeds)):
        units = statistics.describe(device_frame({("a", "V"): speeds[:i] + speeds[i + 1 :]}))
        mean, sd, ly, lv, m = (
            units[c].to_numpy() for c in ("mean_mbps", "sd_mbps", "log_mean", "log_var", "m")
        )
        brute.append(statistics.envelope(mean, sd, ly, lv, m, 0.95)[1][0])
    assert statistics.worst_without_one(device_frame({("a", "V"): speeds}), 0.95).iloc[
        0
    ] == pytest.approx(max(brute))


def test_bh_check():
    p = pd.Series([.0004, .003, .011, .019, .024, .031, .048, .12, .2, .31, .45, .6, .7, .81, .9,
                   .95, .97, .98, .99, .995])  # fmt: skip
    q = statistics.q_values(p, pd.Series(True, index=p.index))
    assert q.iloc[:7].round(3).tolist() == [0.008, 0.030, 0.073, 0.095, 0.096, 0.103, 0.137]
    assert (q <= 0.05).sum() == 2
    assert (p < 0.05).sum() == 7


def test_eb_check():
    groups = [
        EXAMPLES["confirmed gap"][0], [55, 62, 71, 48, 80, 66, 58], [21.0, 30.5, 35.2],
        EXAMPLES["probable gap"][0],
        EXAMPLES["meets"][0], [33, 61, 27, 44, 90], [12, 70, 38, 25], [52, 41],
    ]  # fmt: skip
    logs = [np.log(np.array(g, dtype=float)) for g in groups]
    m = np.array([len(y) for y in logs], dtype=float)
    means, variances = np.array([y.mean() for y in logs]), np.array([y.var(ddof=1) for y in logs])
    prior = statistics.fit_prior(m, means, variances, 8)
    assert prior is not None
    assert round(prior.mu, 4) == 3.5964
    assert round(prior.tau2**0.5, 4) == 0.4938
    assert round(prior.sw2**0.5, 4) == 0.4085
    assert round(prior.var_mu, 5) == 0.03475
    gap_probability = statistics.posterior(m, means, prior, T)[1]
    assert gap_probability.round(3).tolist() == [
        1.000,
        0.001,
        0.843,
        1.000,
        0.000,
        0.120,
        0.826,
        0.256,
    ]
    assert statistics.fit_prior(m[:7], means[:7], variances[:7], 8) is None


def test_least_weak_counts():
    table = {
        8: 8,
        9: 9,
        10: 10,
        12: 11,
        15: 14,
        20: 17,
        25: 21,
        30: 25,
        40: 32,
        50: 39,
        60: 46,
        80: 60,
        100: 74,
    }
    n = np.array(list(table), dtype=float)
    assert weak_hexes.least_weak_count(n, np.full(len(n), 0.8), 0.05).tolist() == list(
        table.values()
    )
    for count, k in table.items():
        p0 = stats.norm.cdf(0.4)
        assert stats.binom.sf(k - 1, count, p0) <= 0.05 < stats.binom.sf(k - 2, count, p0)


def test_no_count_is_weak_without_a_prior_or_below_eight_devices():
    weak = weak_hexes.is_weak(
        pd.Series([8, 7, 8]),
        pd.Series([8, 7, 8]),
        pd.Series([0.8, 0.8, np.nan]),
        min_devices=8,
        significance=0.05,
    )
    assert weak.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("count", "least"), [(7, 8), (8, 6), (9, 6), (10, 7), (12, 8), (20, 11), (40, 20)]
)
def test_fast_enough_is_the_mirror_of_weak(count, least):
    """By hand with P(Bin(n, Φ(−.4)) ≥ k) ≤ .05; fewer than eight devices say nothing."""
    above = pd.Series(range(count + 1))
    fast = weak_hexes.is_fast_enough(
        above,
        pd.Series(count, index=above.index),
        pd.Series(0.8, index=above.index),
        min_devices=8,
        significance=0.05,
    )
    weak = weak_hexes.is_weak(
        count - above,
        pd.Series(count, index=above.index),
        pd.Series(0.8, index=above.index),
        min_devices=8,
        significance=0.05,
    )
    assert above[fast].tolist() == list(range(least, count + 1))
    assert not (fast & weak).any()


def priority_rows(terrain: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "commune_code": ["A", "B", "C"],
            "operator": "V",
            "gap_class": ["total_gap", "partial_gap", "total_gap"],
            "population": [5200.0, 14800.0, 3100.0],
            "eb_mean_mbps": [22.4, 33.0, 12.0],
            "mean_mbps": [22.4, 33.0, 12.0],
            "gap_probability": [0.998, 0.86, 0.97],
            "p_gap": 0.01,
            "facility_count": [4.0, 6.0, 2.0],
            "has_main_road": pd.array([False, False, None], dtype="boolean"),
            "terrain": list(terrain),
        }
    )


WEIGHTS = prioritise.Weights(0.5, 0.10, 5, 0.10, {"flat": 1.0, "hilly": 2.0, "mountainous": 3.0})


def test_only_a_gap_of_every_operator_present_has_the_weight_of_a_total_gap():
    rows = pd.DataFrame(
        {"gap_class": GAP_CLASSES, "facility_count": np.nan, "has_main_road": pd.NA}
    )
    weights = prioritise.weight(
        rows.astype({"has_main_road": "boolean"}), np.array([0.5, 0.1, 0.1]), 5
    )
    weight_of = dict(zip(GAP_CLASSES, weights, strict=True))
    assert weight_of.pop("total_gap") == 1.5
    assert set(weight_of.values()) == {1}


def test_worked_priorities():
    rows = prioritise.score(priority_rows(("hilly", "flat", "mountainous")), T, WEIGHTS)
    assert rows["depth"].round(3).tolist() == [0.440, 0.175, 0.700]
    assert rows["expected_person_gap"].round().tolist() == [2283, 2227, 2105]
    assert rows["priority_index"].round().tolist() == [4795, 3341, 3789]
    assert rows.sort_values("need_rank")["commune_code"].tolist() == ["A", "C", "B"]
    assert rows.sort_values("efficiency_rank")["commune_code"].tolist() == ["B", "A", "C"]


def test_without_people_depth_times_probability_ranks_and_unknown_people_come_last():
    rows = priority_rows(("flat", "flat", "flat"))
    none = prioritise.score(rows.assign(population=np.nan), T, WEIGHTS)
    assert none["expected_person_gap"].isna().all()
    assert none.sort_values("need_rank")["commune_code"].tolist() == ["C", "A", "B"]
    some = prioritise.score(rows.assign(population=[np.nan, 14800.0, 3100.0]), T, WEIGHTS)
    assert some.sort_values("need_rank")["commune_code"].tolist() == ["C", "B", "A"]


def test_empty_posterior_falls_back_to_p_value_and_mean():
    rows = priority_rows(("flat",) * 3).assign(gap_probability=np.nan, eb_mean_mbps=np.nan)
    scored = prioritise.score(rows, T, WEIGHTS)
    assert scored["gap_probability"].tolist() == [0.99] * 3
    assert scored["depth"].round(3).tolist() == [0.440, 0.175, 0.700]


def test_a_main_road_raises_the_index_by_a_tenth():
    rows = priority_rows(("flat",) * 3)
    without = prioritise.score(rows, T, WEIGHTS)["priority_index"]
    with_road = prioritise.score(
        rows.assign(has_main_road=pd.array([True] * 3, dtype="boolean")), T, WEIGHTS
    )["priority_index"]
    assert np.allclose(with_road / without, 1.1)


def spread_of(draws_seed: int) -> pd.DataFrame:
    rows = prioritise.score(priority_rows(("flat",) * 3), T, WEIGHTS)
    generator = np.random.default_rng(5)
    logs = {(c, "V"): np.log(generator.lognormal(3.2, 0.5, 12)) for c in "ABC"}

    def estimator(_operator, m, log_mean):
        mean, gap_probability, _ = statistics.posterior(m, log_mean, PRIOR, T)
        return mean, gap_probability

    rules = replace(priority_rules_of(Settings()), weights=WEIGHTS, draws=200, seed=draws_seed)
    return prioritise.rank_spread(rows, logs, estimator, rules)


def test_rank_spread_is_seeded_and_holds_plausible_ranks():
    one, same = spread_of(1), spread_of(1)
    pd.testing.assert_frame_equal(one, same)
    assert (one["rank_lo"] <= one["rank_hi"]).all()
    assert one["rank_lo"].min() == 1
    assert one["rank_hi"].max() == 3
    assert (one["rank_lo"] < one["rank_hi"]).any(), "resampling the devices must move ranks"


ASKED = {"target": T, "confidence": 0.95, "probability": 0.8, "between": (10, 5000)}


def further(speeds: list[float], prior: statistics.Prior | None = None) -> pd.Series:
    """devices_to_decide and its reason of one unit."""
    units = statistics.direct(device_frame({("a", "V"): speeds}), target=T, confidence=0.95)
    return statistics.devices_to_decide(units, {"V": prior}, **ASKED).iloc[0]


def test_devices_to_decide_by_hand():
    """16 devices, mean 36, sd 8, logs far below the target, so that the t reading counts alone.

    Present interval: 36 + 2.131·8/√16 = 40.26 > 40. With M devices in all the mean has the sd
    8·√(1/16 − 1/M), and must lie below 40 − t·8/√M; Φ(0.8416) = 0.8.
    M = 34: (4 − 2.0345·8/√34) / (8·√(1/16 − 1/34)) = 1.2087/1.4552 = 0.831.
    M = 35: (4 − 2.0322·8/√35) / (8·√(1/16 − 1/35)) = 1.2520/1.4736 = 0.850. So 19 more.
    With mean and spread held fixed it would be 2: t·8/√18 = 3.98 < 4.
    """
    units = units_of(m=16, mean=36.0, sd=8.0, log_mean=np.log(30), log_var=0.01)
    found = statistics.devices_to_decide(units, {"V": None}, **ASKED).iloc[0]
    assert found["devices_to_decide"] == 19


def units_of(*, m: int, mean: float, sd: float, log_mean: float, log_var: float) -> pd.DataFrame:
    """One unit of given figures."""
    figures = {
        "m": float(m), "mean_mbps": mean, "sd_mbps": sd, "log_mean": log_mean, "log_var": log_var
    }  # fmt: skip
    index = pd.MultiIndex.from_tuples([("a", "V")], names=statistics.UNIT)
    return statistics.with_limits(pd.DataFrame(figures, index=index), target=T, confidence=0.95)


def test_what_the_operators_communes_are_like_counts():
    """Seven devices somewhat below the target: slow neighbours confirm them, fast ones do not."""
    speeds = [14.0, 19.0, 24.0, 30.0, 36.0, 43.0, 60.0]
    slow, fast = (replace(PRIOR, mu=float(np.log(median))) for median in (18, 60))
    numbers = [further(speeds, prior)["devices_to_decide"] for prior in (slow, None, fast)]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[2]
    same = further(speeds, replace(fast, tau2=0.0))["devices_to_decide"]
    assert same == numbers[1], "as for the status: no prior without a spread between communes"


@pytest.mark.parametrize(
    ("speeds", "reason"),
    [
        (EXAMPLES["probable gap"][0], None),
        (EXAMPLES["skewed"][0], None),
        # below, but a gap needs 10 devices: the number is 1 or more
        ([10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0], None),
        # the same, and one device more: enough
        ([10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0], "other_gate"),
        # 5 devices know their mean less well than 200, which say that it is at the target
        ([30.0, 35.0, 40.0, 45.0, 50.0], None),
        ([30.0, 35.0, 40.0, 45.0, 50.0] * 40, "near_target"),
        # mean 35.2 but Cox mean 117: two readings of the same devices on the two sides of the
        # target
        ([50.0] * 7 + [0.5] * 3, "skew"),
    ],
)
def test_devices_to_decide_reason(speeds, reason):
    found = further(speeds)
    assert pd.notna(found["devices_to_decide"]) == (reason is None)
    shown = found["devices_to_decide_reason"]
    assert (None if pd.isna(shown) else shown) == reason


def test_few_devices_take_the_operators_spread():
    assert further([20.0], PRIOR)["devices_to_decide"] >= 9
    assert further([20.0]).isna().all()


def decided(
    level: np.ndarray, spread: np.ndarray, m: np.ndarray, *, with_prior: bool
) -> npt.NDArray[np.bool_]:
    """Of log-normal units of given truth: which decide with as many more devices as are asked.

    m devices of each have tested. Units that decide now, or for which no number is asked, are left
    out.
    """
    generator = np.random.default_rng(20250701)

    def drawn(unit: int, size: int) -> list[float]:
        return list(np.exp(generator.normal(level[unit], spread[unit], size)))

    speeds = {(f"c{i:04d}", "V"): drawn(i, count) for i, count in enumerate(m)}
    units, priors = statistics.estimate(
        device_frame(speeds), target=T, confidence=0.95, min_units=8
    )
    priors = priors if with_prior else {"V": None}
    asked = statistics.devices_to_decide(units, priors, **ASKED)["devices_to_decide"].dropna()
    futures = {unit: speeds[unit] + drawn(int(unit[0][1:]), int(n)) for unit, n in asked.items()}
    later = statistics.direct(device_frame(futures), target=T, confidence=0.95)
    return ((later["hi_mbps"] < T) | (later["lo_mbps"] > T)).to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize("m", [3, 8, 20, 40])
def test_of_ten_futures_of_a_province_eight_decide(m):
    """With the number that holds mean and spread fixed, five to six of ten do."""
    generator = np.random.default_rng(m)
    level = generator.normal(np.log(38), 0.45, 1200)
    spread = 0.7 * np.exp(generator.normal(0, 0.15, 1200))
    found = decided(level, spread, np.full(1200, m), with_prior=True)
    assert len(found) > 400
    assert 0.75 <= found.mean() <= 0.90


@pytest.mark.slow
def test_of_ten_futures_of_given_truths_eight_decide_without_a_prior():
    truths = product((20, 25, 30, 35, 38, 45, 60), (0.5, 0.7, 1.0), (5, 8, 12, 20, 40), range(20))
    mean, spread, m, _ = (np.array(x) for x in zip(*truths, strict=True))
    found = decided(np.log(mean) - spread**2 / 2, spread, m, with_prior=False)
    assert len(found) > 800
    assert 0.75 <= found.mean() <= 0.90


def test_one_device_has_no_interval_and_equal_devices_no_p_value():
    units, _ = statistics.estimate(
        device_frame({("a", "V"): [20.0], ("b", "V"): [20.0, 20.0, 20.0]}),
        target=T,
        confidence=0.95,
        min_units=8,
    )
    one, equal = units.loc[("a", "V")], units.loc[("b", "V")]
    assert one[["lo_mbps", "hi_mbps", "p_gap", "p_meets"]].isna().all()
    assert (equal["p_gap"], equal["p_meets"]) == (1.0, 1.0)


def test_too_few_communes_pool_the_operators_and_all_stands_by_itself():
    generator = np.random.default_rng(3)
    groups = {
        (f"c{i}", o): list(generator.lognormal(3.5, 0.5, 6))
        for i in range(5)
        for o in ("V", "M", "all")
    }
    units = statistics.describe(device_frame(groups))
    priors = statistics.fit_priors(units, 8)
    assert priors["V"] == priors["M"] is not None
    assert priors["all"] is None
    own = statistics.fit_priors(units, 5)
    assert own["V"] != own["M"]
    assert own["all"] is not None


def test_an_operator_whose_devices_show_no_spread_has_no_prior_not_the_others():
    groups = {(f"c{i}", "V"): [30.0 + i] * 3 for i in range(9)}
    groups |= {(f"c{i}", "M"): [20.0 + i, 40.0 + 2 * i, 25.0] for i in range(9)}
    priors = statistics.fit_priors(statistics.describe(device_frame(groups)), 8)
    assert priors["V"] is None
    assert priors["M"] is not None


# --- tiles count by their devices


def tile_frame(values: list[tuple[float, float]]) -> pd.DataFrame:
    """`device_values` of one unit: (speed, devices) of each tile."""
    frame = device_frame({("a", "all"): [speed for speed, _ in values]})
    return frame.assign(device_weight=[devices for _, devices in values])


def test_the_mean_of_tiles_is_by_their_devices():
    tiles = tile_frame([(120.0, 1.0)] * 34 + [(20.0, 200.0)] * 6)
    unit = statistics.describe(tiles).iloc[0]
    assert unit["mean_mbps"] == pytest.approx((34 * 120 + 1200 * 20) / 1234)
    assert unit["m"] == pytest.approx(1234**2 / (34 + 6 * 200**2))  # as sure as 6.3 equal tiles
    assert (unit["median_mbps"], unit["p10_mbps"]) == (20.0, 20.0)
    assert unit["share_below_10_mbps"] == 0


@pytest.mark.parametrize("weight", [3.0, 0.25])
def test_tiles_of_equal_weight_are_as_devices(weight):
    speeds = [12.0, 8.0, 55.0, 71.0, 30.0, 44.5, 18.25]
    alike = tile_frame([(speed, weight) for speed in speeds])
    one, other = (
        statistics.describe(alike),
        statistics.describe(device_frame({("a", "all"): speeds})),
    )
    exact = [
        "m",
        "mean_mbps",
        "sd_mbps",
        "log_mean",
        "log_var",
        "median_mbps",
        "share_below_10_mbps",
    ]
    pd.testing.assert_frame_equal(one[exact], other[exact], rtol=1e-12)
    worst = [
        statistics.worst_without_one(frame, 0.95).iloc[0]
        for frame in (alike, device_frame({("a", "all"): speeds}))
    ]
    assert worst[0] == pytest.approx(worst[1], rel=1e-12)


def test_a_tile_of_twice_the_devices_has_the_mean_of_two_tiles():
    twice = statistics.describe(tile_frame([(10.0, 1.0), (10.0, 1.0), (40.0, 1.0)])).iloc[0]
    heavy = statistics.describe(tile_frame([(10.0, 2.0), (40.0, 1.0)])).iloc[0]
    assert heavy["mean_mbps"] == pytest.approx(twice["mean_mbps"])
    assert heavy["m"] < twice["m"]  # one tile that is off is off for both of its devices


def test_the_worst_limit_without_one_tile_is_that_of_the_others():
    tiles = [(21.0, 5.0), (30.5, 3.0), (35.2, 6.0), (18.0, 4.0)]
    limits = []
    for left_out in range(len(tiles)):
        unit = statistics.describe(tile_frame(tiles[:left_out] + tiles[left_out + 1 :]))
        figures = [unit[c].to_numpy() for c in ("mean_mbps", "sd_mbps", "log_mean", "log_var", "m")]
        limits.append(statistics.envelope(*figures, 0.95)[1][0])
    worst = statistics.worst_without_one(tile_frame(tiles), 0.95).iloc[0]
    assert worst == pytest.approx(max(limits), rel=1e-9)
