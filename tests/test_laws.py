"""What must hold whatever the data: hypothesis looks for a month in which it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings
from pipeline.journey import judge_month
from pipeline.schema.columns import TABLES
from pipeline.schema.tables import with_declared_dtypes
from pipeline.sources.inputs import Inputs, chosen_period
from pipeline.sources.villages import with_nothing_further
from pipeline.verdicts import statistics
from tests.builders import centre, device_frame, squares

COMMUNES = squares()
CODES = ["r0c0", "r0c1", "r1c0"]
PLACES = {code: centre(code) for code in CODES}


def table_of(rows: list[tuple[str, str, int, int, int, float]], *, files: int = 1) -> pd.DataFrame:
    """(commune, operator, device, day, hour, speed) → `tests`."""
    frame = pd.DataFrame(
        [
            {
                "source": "s",
                "source_file": f"f{i % files}",
                "source_row": i + 2,
                "measured_at": pd.Timestamp(f"2026-10-{day:02d}T{hour:02d}:00:00Z")
                + pd.Timedelta(seconds=i % 3000),
                "latitude": PLACES[code][0] + device * 1e-4,
                "longitude": PLACES[code][1],
                "location_accuracy_m": 10.0,
                "operator_met": operator,
                "technology": "4G",
                "download_mbps": speed,
                "device_id": f"{code}-{operator}-{device}",
                "unreadable": "",
            }
            for i, (code, operator, device, day, hour, speed) in enumerate(rows)
        ]
    )
    return with_declared_dtypes("tests", frame.reindex(columns=list(TABLES["tests"])))


def judged(
    tests: pd.DataFrame, villages: pd.DataFrame | None = None, **change
) -> Mapping[str, pd.DataFrame]:
    rules = Settings.model_validate({"priority": {"draws": 20}} | change)
    tiles = with_declared_dtypes("tiles", pd.DataFrame({c: [] for c in TABLES["tiles"]}))
    inputs = Inputs(COMMUNES, tests, tiles, [], [], [], {"s": 1}, villages=villages)
    return judge_month(inputs, RunContext(rules, chosen_period(inputs, rules, "2026-10"))).tables


row = st.tuples(
    st.sampled_from(CODES),
    st.sampled_from(["V", "M"]),
    st.integers(0, 14),
    st.integers(1, 9),
    st.integers(0, 16),
    st.floats(2, 150).map(lambda x: round(x, 2)),
)
months = st.lists(row, min_size=40, max_size=160)
few = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.slow
@few
@given(months, st.integers(1, 7), st.randoms(use_true_random=False))
def test_order_and_files_never_matter(rows, files, random):
    base = judged(table_of(rows))
    split = table_of(rows, files=files)
    order = list(range(len(rows)))
    random.shuffle(order)
    other = judged(split.iloc[order].reset_index(drop=True))
    for name in (
        "commune_status",
        "commune_summary",
        "hex_status",
        "gap_areas",
        "gap_ledger",
        "priorities",
        "measure_first",
    ):
        pd.testing.assert_frame_equal(
            pd.DataFrame(base[name]), pd.DataFrame(other[name]), check_exact=False, rtol=1e-9
        )


@pytest.mark.slow
@few
@given(months, st.sampled_from([0.1, 0.5, 2.0, 3.0]))
def test_scaling_every_speed_and_the_target_leaves_the_statuses(rows, factor):
    base = judged(table_of(rows))["commune_status"]
    scaled = table_of([(c, o, d, day, h, v * factor) for c, o, d, day, h, v in rows])
    other = judged(
        scaled,
        target={"download_mbps": 40 * factor},
        quality={"max_download_mbps": 600 * factor},
        evidence={"fast_test_mbps": 150 * factor},
    )["commune_status"]
    assert base[["status", "evidence"]].equals(other[["status", "evidence"]])


@pytest.mark.slow
@few
@given(months)
def test_counts_add_up_and_small_groups_show_no_speed(rows):
    tables = judged(table_of(rows))
    status = tables["commune_status"]
    named, pooled = status[status["operator"] != "all"], status[status["operator"] == "all"]
    rejects = len(tables["rejects"])
    assert named["test_count"].sum() == pooled["test_count"].sum() == len(rows) - rejects
    assert tables["rejects_summary"]["reject_count"].sum() == rejects
    few_devices = status[status["device_count"].between(1, 2)]
    assert (
        few_devices[
            ["mean_mbps", "lo_mbps", "raw_mean_mbps", "gap_probability", "q_gap", "fast_test_count"]
        ]
        .isna()
        .all(axis=None)
    )
    cells = tables["hex_status"]
    assert cells[cells["device_count"].lt(3)][["mean_mbps", "median_mbps"]].isna().all(axis=None)
    both = (status["lo_mbps"] <= status["mean_mbps"]) & (status["mean_mbps"] <= status["hi_mbps"])
    assert both[status["lo_mbps"].notna()].all()


@pytest.mark.slow
@settings(few, max_examples=4)
@given(st.floats(2, 39), st.integers(1, 12))
def test_one_device_repeated_a_thousand_times_never_confirms_anything(speed, days):
    rows = [("r0c0", "V", 0, 1 + i % days, i % 17, speed) for i in range(1000)]
    status = judged(table_of(rows))["commune_status"]
    assert set(status["status"]) <= {"insufficient_evidence", "no_data"}


@pytest.mark.slow
@few
@given(months, st.floats(40, 200), st.data())
def test_a_further_device_above_the_target_never_turns_a_units_pass_into_a_gap(rows, speed, data):
    fixed = {"evidence": {"widened_months": [], "min_samples": 5, "confirmed_min_samples": 8}}
    sure = [("r0c0", "V", n, 1 + day, 2 + 5 * day, 60.0 + n) for n in range(12) for day in range(3)]
    rows = [*sure, *(one for one in rows if one[:2] != ("r0c0", "V"))]  # one pass at least
    status = judged(table_of(rows), **fixed)["commune_status"]
    passes = status[(status["status"] == "meets_target") & (status["operator"] != "all")]
    assert ("r0c0", "V") in set(zip(passes["commune_code"], passes["operator"], strict=True))
    unit = data.draw(
        st.sampled_from(list(zip(passes["commune_code"], passes["operator"], strict=True)))
    )
    added = [(*unit, 99, day, hour, speed) for day, hour in ((1, 3), (3, 9), (5, 15))]
    after = judged(table_of([*rows, *added]), **fixed)["commune_status"].set_index(
        ["commune_code", "operator"]
    )
    assert after.loc[unit, "status"] not in ("confirmed_gap", "probable_gap")


fast = st.lists(st.floats(45, 200), min_size=10, max_size=25)


@pytest.mark.slow
@few
@given(months, st.floats(2, 39.9), st.data())
def test_a_further_device_below_the_target_never_turns_a_units_gap_into_a_pass(rows, speed, data):
    fixed = {"evidence": {"widened_months": [], "min_samples": 5, "confirmed_min_samples": 8}}
    sure = [("r0c0", "V", n, 1 + day, 2 + 5 * day, 10.0 + n) for n in range(12) for day in range(3)]
    rows = [*sure, *(one for one in rows if one[:2] != ("r0c0", "V"))]  # one gap at least
    status = judged(table_of(rows), **fixed)["commune_status"]
    gaps = status[status["status"].isin(["confirmed_gap", "probable_gap"])]
    units = [
        unit
        for unit in zip(gaps["commune_code"], gaps["operator"], strict=True)
        if unit[1] != "all"
    ]
    assert ("r0c0", "V") in units
    unit = data.draw(st.sampled_from(units))
    added = [(*unit, 99, day, hour, speed) for day, hour in ((1, 3), (3, 9), (5, 15))]
    after = judged(table_of([*rows, *added]), **fixed)["commune_status"].set_index(
        ["commune_code", "operator"]
    )
    assert after.loc[unit, "status"] != "meets_target"


@pytest.mark.slow
@few
@given(months, st.permutations(range(6)), st.lists(st.integers(1, 900), min_size=6, max_size=6))
def test_order_and_names_of_villages_do_not_matter(rows, order, people):
    """Two villages in each commune: one where the tests are, one 2 km off."""
    villages = pd.DataFrame(
        {
            "village_name": [f"Bản {i}" for i in range(6)],
            "commune_code": np.repeat(CODES, 2),
            "latitude": [PLACES[code][0] + off for code in CODES for off in (0.0, 0.018)],
            "longitude": [PLACES[code][1] for code in CODES for _ in (0, 1)],
            "people": np.array(people, dtype="float64"),
        }
    )
    villages = with_declared_dtypes("villages", with_nothing_further(villages))
    once = judged(table_of(rows), villages)["commune_status"]
    named = villages.assign(village_name=villages["village_name"].to_numpy()[::-1])
    again = judged(table_of(rows), named.iloc[list(order)].reset_index(drop=True))["commune_status"]
    pd.testing.assert_frame_equal(once, again, rtol=1e-9, atol=1e-9)


@settings(max_examples=80, deadline=None)
@given(fast, st.floats(40, 300), st.floats(0.05, 0.6))
def test_another_device_above_the_target_never_turns_a_pass_into_a_gap(values, added, tau):
    prior = statistics.Prior(float(np.log(38)), tau**2, 0.25, 0.0)

    def is_gap_or_pass(x: list[float]) -> tuple[bool, bool]:
        units = statistics.describe(device_frame({("a", "V"): x}))
        gap_probability = statistics.posterior(
            units["m"].to_numpy(), units["log_mean"].to_numpy(), prior, 40.0
        )[1][0]
        mean = units["mean_mbps"].iloc[0]
        return mean < 40 and gap_probability >= 0.8, mean >= 40 and gap_probability <= 0.2

    assume(is_gap_or_pass(values)[1])
    assert not is_gap_or_pass([*values, added])[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.data())
def test_q_values_keep_the_order_and_never_fall_below_p(p, data):
    family = data.draw(st.lists(st.booleans(), min_size=len(p), max_size=len(p)))
    series, passes = pd.Series(p), pd.Series(family)
    q = statistics.q_values(series, passes)
    assert q[~passes].isna().all()
    inside = pd.DataFrame({"p": series[passes], "q": q[passes]}).sort_values("p")
    assert (inside["q"] >= inside["p"] - 1e-12).all()
    np.testing.assert_allclose(inside["q"], inside["q"].cummax(), rtol=1e-12)


def test_months_of_the_window_that_the_data_lack_are_warned_about():
    rules = Settings()
    tests = table_of([("r0c0", "V", 0, 1, 3, 10.0)])
    tiles = with_declared_dtypes("tiles", pd.DataFrame({c: [] for c in TABLES["tiles"]}))
    inputs = Inputs(COMMUNES, tests, tiles, [], [], [], {"s": 1})
    month = judge_month(inputs, RunContext(rules, chosen_period(inputs, rules, None)))
    assert [w.values["found"] for w in month.warnings if w.code == "months_missing"] == [
        ["2026-08", "2026-09"]
    ]


def further(
    unit: tuple[int, float, float, float],
    *,
    factor: float = 1.0,
    prior: statistics.Prior | None = None,
    between: tuple[int, int] = (10, 5000),
) -> tuple[float, str]:
    """Further devices of a log-normal unit (infinite where there are none), and why none.

    `unit`: devices, mean, variance of logarithms, and how many times the arithmetic mean is that
    which the logarithms say. `factor`: of speeds and target.
    """
    m, mean, log_var, skew = unit
    figures = {
        "m": float(m),
        "mean_mbps": mean * skew * factor,
        "sd_mbps": mean * skew * factor * np.sqrt(np.expm1(log_var)),
        "log_mean": np.log(mean * factor) - log_var / 2,
        "log_var": log_var,
    }
    index = pd.MultiIndex.from_tuples([("a", "V")], names=statistics.UNIT)
    given = {"target": 40.0 * factor, "confidence": 0.95}
    units = statistics.with_limits(pd.DataFrame(figures, index=index), **given)
    found = statistics.devices_to_decide(
        units, {"V": prior}, probability=0.8, between=between, **given
    ).iloc[0]
    number, reason = found["devices_to_decide"], found["devices_to_decide_reason"]
    assert pd.isna(number) != pd.isna(reason)
    return (np.inf if pd.isna(number) else float(number)), ("" if pd.isna(reason) else reason)


logs_of_spread = st.floats(0.01, 2.0)
units = st.tuples(st.integers(5, 200), st.floats(25, 65), logs_of_spread, st.floats(0.85, 1.2))
open_units = units.filter(lambda unit: np.isfinite(further(unit)[0]))
priors = st.builds(
    statistics.Prior,
    mu=st.floats(2.5, 4.5),
    tau2=st.floats(0, 0.5),
    sw2=st.floats(0.1, 1.0),
    var_mu=st.floats(0, 0.05),
)
quick = settings(max_examples=60, deadline=None)


@quick
@given(units, st.none() | priors)
def test_further_devices_are_one_at_least_and_reach_the_least_of_a_verdict(unit, prior):
    assert further(unit, prior=prior)[0] >= max(1, 10 - unit[0])


@quick
@given(open_units, st.floats(0, 1))
def test_further_devices_are_the_fewest(unit, share):
    number, reason = further(unit)
    total = int(unit[0] + number)
    fewest = max(unit[0] + 1, 10)
    later = fewest + int(share * (total - fewest))  # none of the numbers before would have done
    assert further(unit, between=(later, 5000)) == (number, reason)
    assert further(unit, between=(10, total)) == (number, reason)


@quick
@given(open_units, logs_of_spread)
def test_a_larger_spread_never_needs_fewer_further_devices(unit, more):
    m, mean, log_var, _ = unit
    (fewer, reason), (number, _) = (further((m, mean, s, 1.0)) for s in (log_var, log_var + more))
    assert fewer <= number or reason == "other_gate"


@quick
@given(units, priors, st.floats(0.1, 10))
def test_scaling_speeds_and_target_leaves_the_further_devices(unit, prior, factor):
    moved = replace(prior, mu=prior.mu + float(np.log(factor)))
    number, reason = further(unit, prior=prior)
    scaled, why = further(unit, prior=moved, factor=factor)
    assert why == reason
    np.testing.assert_allclose(scaled, number, rtol=0, atol=1)  # P = 0.8 may fall to either side
