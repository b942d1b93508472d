"""The simulated province keeps its word.

Its truth is what its phones would measure, and its errors are there.
"""

from __future__ import annotations

from collections.abc import Callable
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


def mean_of_people(province: simulate.Province) -> pd.Series:
    return province.truth.set_index(UNIT)["true_mean_mbps"]


def mean_of_testers(province: simulate.Province) -> pd.Series:
    """Mean over those who test, by commune × operator."""
    speed = province.places["true_mean_mbps"] * province.places["tester_share"]
    return speed.groupby([province.places[key] for key in UNIT]).sum()


def measured_against(expected: Callable[[simulate.Province], pd.Series], **change) -> float:
    """Mean of measured / expected over the units of six provinces, each by its phones."""
    found = []
    for seed in range(6):
        province = drawn(seed, **change)
        phones = province.truth.set_index(UNIT)["drawn_device_count"]
        found.append(pd.DataFrame({"ratio": measured(province) / expected(province), "m": phones}))
    rows = pd.concat(found).dropna()
    return float(np.average(rows["ratio"], weights=rows["m"]))


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
    # some 19,000 phones, whose values differ by 0.9 of their mean: 2 % is three standard errors
    assert measured_against(mean_of_people, **change) == pytest.approx(1.0, abs=0.02)


def of_villages(province: simulate.Province, column: str) -> pd.DataFrame:
    """A column of the places: villages by operator."""
    return province.places.pivot_table(
        column, ["commune_code", "place"], "operator", aggfunc="first"
    )


def test_villages_are_the_communes_and_their_dead_spots_the_operators():
    province = drawn(communes=38, devices=2, dead_share=0.2, tester_log_sd=0.8)
    for name in ("latitude", "longitude", "share", "tester_share"):
        villages = of_villages(province, name)
        assert villages["A"].equals(villages["B"]), name
    count = of_villages(province, "share").groupby("commune_code").size()
    assert count.between(4, 12).all()
    assert count.nunique() > 3
    dead = of_villages(province, "is_dead")
    assert (dead["A"] != dead["B"]).any()


@pytest.mark.parametrize("shared", [0.0, 0.6, 1.0])
def test_operators_share_a_part_of_a_villages_speed(shared):
    province = drawn(communes=600, devices=0.1, place_log_sd=0.5, place_shared=shared)
    effect = np.log(of_villages(province, "factor"))
    # some 4,800 villages: 0.05 is more than three standard errors
    assert effect["A"].corr(effect["B"]) == pytest.approx(shared, abs=0.05)
    assert effect.std().to_numpy() == pytest.approx(0.5, rel=0.05)
    assert np.exp(effect).mean().to_numpy() == pytest.approx(1.0, abs=0.03)


def log_ratio(province: simulate.Province) -> pd.Series:
    """ln(testers' share / people's share) of villages, against their commune's mean."""
    ratio = np.log(of_villages(province, "tester_share")["A"] / of_villages(province, "share")["A"])
    return ratio - ratio.groupby("commune_code").transform("mean")


def test_testers_live_in_other_villages_than_the_people_as_declared():
    alike = drawn(communes=10, devices=2, tester_log_sd=0.0)
    assert alike.places["tester_share"].to_numpy() == pytest.approx(alike.places["share"])
    province = drawn(communes=600, devices=0.1, tester_log_sd=0.8)
    sums = province.places.groupby(UNIT)[["share", "tester_share"]].sum()
    assert sums.to_numpy() == pytest.approx(1.0)
    ratio = log_ratio(province)
    freedom = len(ratio) - 600
    assert np.sqrt((ratio**2).sum() / freedom) == pytest.approx(0.8, rel=0.05)
    # with no tilt, testers are no more in fast villages than the people
    assert ratio.corr(np.log(of_villages(province, "factor")["A"])) == pytest.approx(0, abs=0.05)


def test_a_tilt_moves_testers_to_fast_villages_by_so_much_for_each_sd():
    province = drawn(
        communes=10, devices=2, place_log_sd=0.5, place_shared=1.0, tester_tilt=0.7
    )  # fmt: skip
    z = np.log(of_villages(province, "factor")["A"]) / 0.5
    expected = 0.7 * (z - z.groupby("commune_code").transform("mean"))
    assert log_ratio(province).to_numpy() == pytest.approx(expected.to_numpy())


def test_phones_live_by_the_testers_shares_and_the_truth_is_the_peoples():
    change = {"place_log_sd": 0.6, "place_shared": 1.0, "tester_log_sd": 0.8, "tester_tilt": 1.0}
    assert measured_against(mean_of_testers, **change) == pytest.approx(1.0, abs=0.02)
    assert measured_against(mean_of_people, **change) > 1.3


def test_the_truth_is_the_mean_over_the_people_counted_one_by_one():
    province = drawn(
        devices=3, tester_log_sd=0.8, tester_tilt=0.5, dead_share=0.3, throttled_share=0.2
    )
    truth = province.truth.set_index(UNIT)
    for unit, villages in province.places.groupby(UNIT):
        total, people, lost = 0.0, 0, 0
        for village in villages.itertuples():
            count = round(1_000_000 * village.share)
            if village.is_dead:
                lost += count
                continue
            capped = round(0.2 * count)
            slow = min(village.base_mbps, 5.0)
            total += (count - capped) * village.base_mbps + capped * slow
            people += count
        assert truth.loc[unit, "true_mean_mbps"] == pytest.approx(total / people, rel=1e-4)
        assert truth.loc[unit, "dead_share"] == pytest.approx(lost / (lost + people), abs=1e-5)


def test_a_regime_with_a_village_list_hands_it_to_the_run():
    inputs, province = provinces.draw("uneven", 0)
    assert inputs.villages is not None
    assert inputs.villages["village_name"].is_unique is False
    assert not inputs.villages.duplicated(["commune_code", "village_name"]).any()
    shares = inputs.villages["people"] / 5000
    listed = province.places[province.places["operator"] == "V"]["share"]
    assert shares.to_numpy() == pytest.approx(listed.to_numpy(), abs=0.0003)
    assert provinces.draw("sparse", 0)[0].villages is None
    alike = [n for n, regime in provinces.REGIMES.items() if not regime.spread.tester_log_sd]
    assert alike == [name for name in provinces.REGIMES if name != "uneven"]


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
           "weighted_lo_mbps": 20.0, "weighted_hi_mbps": 29.0,
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
    assert table["people_covers"] == 0, "29 is below all of the true means"
    kept = promises(rows).set_index(["promise", "where"])["kept"]
    assert not kept["false among confirmed gaps", "sparse"]
    assert not kept["confirmed true gaps against direct evidence alone", "sparse"]
    assert kept["false among confirmed gaps", "rich"], "of none, none are false"


@pytest.mark.parametrize(("holding", "kept"), [(94, True), (93, False)])
def test_the_interval_by_people_is_promised_where_testers_are_uneven(holding, kept):
    rows = pd.concat(
        [
            units(regime="uneven", seed=n, weighted_hi_mbps=35.0 if n < holding else 29.0)
            for n in range(100)
        ],
        ignore_index=True,
    )
    promise = promises(rows).set_index(["promise", "where"])
    name = ("people's interval holds the true mean", "uneven")
    assert promise.loc[name, "measured"] == pytest.approx(holding / 100)
    assert promise.loc[name, "kept"] == kept


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
