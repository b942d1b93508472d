"""The simulated province keeps its word.

Its truth is what its phones would measure, and its errors are there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import provinces
from benchmarks.calibration import TARGET, intervals, judged, naive
from benchmarks.calibration_report import by_regime, promises, tenths
from pipeline.demo import inject_errors, simulate
from pipeline.demo.simulate import Operator, Spread
from pipeline.measurements import locate

pytestmark = pytest.mark.slow  # whole months are run

OPERATORS = {"A": Operator(0.5, 1.2, ("A",)), "B": Operator(0.5, 0.8, ("B",))}
UNIT = ["commune_code", "operator"]


def drawn(seed: int = 3, devices: float = 400, communes: int = 4, **change) -> simulate.Province:
    return simulate.draw_province(
        provinces.communes(communes), OPERATORS, ("2026-10",), seed=seed,
        spread=replace(provinces.PLAIN, devices_per_unit=devices, **change),
    )  # fmt: skip


def measured(province: simulate.Province) -> pd.Series:
    """Mean over phones of each phone's mean, by commune × operator.

    A campaign without end would find it.
    """
    tests = province.tests.assign(
        commune_code=locate.communes_of_points(
            province.tests["latitude"], province.tests["longitude"], provinces.communes(4)
        )
    )
    phones = tests.groupby([*UNIT, "device_id"])["download_mbps"].mean()
    return phones.groupby(UNIT).mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"throttled_share": 0.3},
        {"dead_share": 0.3},
        {"device_tail_share": 0.2, "device_log_sd": 0.3},
        {"heavy_tests": 50},
        {"bounds_mbps": (35.0, 45.0)},
        {"unit_tail_df": 3.0},
    ],
    ids=str,
)
def test_many_phones_measure_the_truth(change):
    ratios = []
    for seed in range(6):
        province = drawn(seed, **change)
        truth = province.truth.set_index(UNIT)["true_mean_mbps"]
        ratios.append((measured(province) / truth).mean())
    # eight units of about 400 phones in six provinces: 1.9 % would be four standard errors
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02)


def test_campaigns_are_held_at_the_office_and_bias_what_is_measured():
    province = drawn(campaign_share=0.6)
    office = province.places[province.places["place"] == 0].set_index(UNIT)
    tests = province.tests
    near = pd.Series(False, index=tests.index)
    for (_, operator), place in office.iterrows():
        here = (tests["latitude"] - place["latitude"]).abs().lt(0.002) & (
            tests["longitude"] - place["longitude"]
        ).abs().lt(0.002)
        near |= here & tests["operator"].eq(operator)
    days = tests.loc[near, "measured_at"].dt.day.value_counts(normalize=True)
    assert near.mean() > 0.5
    assert days[[14, 15]].sum() > 0.75


def test_dead_spots_yield_no_test_and_are_known_to_the_truth():
    province = drawn(dead_share=0.4)
    dead = province.places[province.places["is_dead"]]
    assert len(dead) > 5
    assert dead["true_mean_mbps"].isna().all()
    assert not (province.places["is_dead"] & province.places["place"].eq(0)).any()
    shares = dead.groupby(UNIT)["share"].sum()
    truth = province.truth.set_index(UNIT)["dead_share"]
    pd.testing.assert_series_equal(
        truth[truth > 0].sort_index(), shares.sort_index(), check_names=False, atol=1e-9
    )
    nearest = []  # test of the operator to each dead spot that none of its places is near
    for (_, operator), place in dead.set_index(UNIT).iterrows():
        mine = province.tests[province.tests["operator"] == operator]
        distance = np.hypot(
            mine["latitude"] - place["latitude"], mine["longitude"] - place["longitude"]
        )
        others = province.places[
            (province.places["operator"] == operator) & ~province.places["is_dead"]
        ]
        alone = (
            np.hypot(
                others["latitude"] - place["latitude"], others["longitude"] - place["longitude"]
            ).min()
            > 0.03
        )
        if alone:
            nearest.append(distance.min())
    assert min(nearest) > 0.005


def test_true_means_between_bounds_stay_between_them():
    truth = drawn(bounds_mbps=(35.0, 45.0), communes=38, devices=3).truth["true_mean_mbps"]
    assert truth.between(35, 45).all()
    assert truth.std() == pytest.approx(10 / np.sqrt(12), rel=0.2)


def test_evening_load_has_mean_one_over_the_hours_that_people_test_at():
    generator = np.random.default_rng(0)
    evening = generator.random(400_000) < simulate.EVENING_SHARE
    hours = np.where(evening, generator.normal(simulate.EVENING_HOUR, simulate.EVENING_SD_H,
                                               400_000),
                                               generator.uniform(6, 22, 400_000)) % 24  # fmt: skip
    assert simulate.evening_load(hours, 0.6).mean() == pytest.approx(1.0, abs=0.003)
    busy, calm = simulate.evening_load(np.array([20.0, 10.0]), 0.6)
    assert busy / calm == pytest.approx(0.6)


def test_same_seed_same_province_and_another_seed_another():
    one, same, other = drawn(1), drawn(1), drawn(2)
    pd.testing.assert_frame_equal(one.tests, same.tests)
    assert not one.truth["true_mean_mbps"].equals(other.truth["true_mean_mbps"])


def test_every_kind_of_error_is_in_a_delivery():
    province = simulate.draw_province(
        provinces.communes(), OPERATORS, ("2026-10",), seed=1, test_count=20_000, spread=Spread()
    )
    rows = inject_errors.inject_errors(
        province.tests,
        provinces.communes(),
        {"A": ("A", "a "), "B": ("B",)},
        np.random.default_rng(1),
        inject_errors.ErrorShares(),
    )
    assert len(rows) == 20_000
    speed = pd.to_numeric(rows["download_mbps"], errors="coerce")
    assert rows["test_id"].duplicated().any(), "copied rows"
    assert speed.isna().any(), "unreadable"
    assert (speed == 0).any(), "failed"
    assert (speed > 900).any(), "wrong unit"
    assert {"4G", "LTE", "5G", "3G", "2G", "WiFi"} == set(rows["technology"])
    assert rows["latitude"].eq(0).any()
    assert (rows["location_accuracy_m"] > 1000).any()
    assert {"Roaming", "a "} <= set(rows["operator"])


# --- the calibration's own arithmetic


def units(**change) -> pd.DataFrame:
    row = {"regime": "sparse", "seed": 0, "status": "confirmed_gap", "evidence": "confirmed",
           "evidence_basis": "direct", "is_gap": True,
           "true_mean_mbps": 30.0, "lo_mbps": 20.0, "hi_mbps": 35.0,
           "gap_probability": 0.95}  # fmt: skip
    return pd.DataFrame([row | change])


def test_the_calibration_counts_false_and_found_gaps():
    rows = pd.concat(
        [units()] * 3
        + [units(is_gap=False, true_mean_mbps=41.0, evidence_basis="borrowed")]
        + [units(status="no_data", evidence="none", lo_mbps=np.nan)] * 4,
        ignore_index=True,
    )
    table = by_regime(rows).set_index("regime").loc["sparse"]
    assert (table["true_gaps"], table["direct"], table["confirmed"]) == (7, 3, 4)
    assert table["direct_false"] == 0
    assert table["confirmed_false"] == pytest.approx(0.25)
    assert table["confirmed_found"] == pytest.approx(3 / 7)
    assert table["covers"] == pytest.approx(0.75)
    kept = promises(rows).set_index(["promise", "where"])["kept"]
    assert not kept["false among confirmed gaps", "sparse"]
    assert not kept["confirmed true gaps against direct evidence alone", "sparse"]
    assert kept["false among confirmed gaps", "rich"], "of none, none are false"


def test_tenths_compare_what_was_said_with_what_is():
    rows = pd.concat(
        [units(gap_probability=0.25, is_gap=n < 3, seed=n) for n in range(10)], ignore_index=True
    )
    row = tenths(rows, "gap_probability").loc[2]
    assert (row["rows"], row["mean_p"], row["observed"]) == (10, 0.25, 0.3)
    assert row["standard_error"] == pytest.approx(np.sqrt(0.3 * 0.7 / 10))


def test_a_province_of_the_calibration_is_judged_by_the_pipeline_itself():
    rows = judged(("sparse", 0))
    assert len(rows) == 38 * 4
    assert set(rows["is_gap"]) == {True, False}
    assert (rows["is_gap"] == (rows["true_mean_mbps"] < TARGET)).all()
    assert rows["status"].eq("confirmed_gap").any()
    assert rows.loc[rows["status"].eq("confirmed_gap"), "is_gap"].mean() > 0.9
    inputs, _ = provinces.draw("sparse", 0)
    plain = naive(inputs)
    assert plain["naive_count"].sum() == len(inputs.tests)


def test_the_intervals_of_the_calibration_rest_on_the_pipelines_device_values():
    found = intervals(("rich", 0))
    assert set(found["kind"]) == {"envelope", "plain t", "bootstrap percentile", "modified Cox"}
    assert found["m"].min() >= 5
    envelope = found[found["kind"] == "envelope"]
    assert len(envelope) > 30
    assert envelope["holds"].mean() > 0.85
    assert (
        envelope["width"].to_numpy()
        >= found.loc[found["kind"] == "plain t", "width"].to_numpy() - 1e-9
    ).mean() > 0.9
