"""The worlds of the audit keep their word: one truth, and each changes what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import KDTree

from benchmarks import audit, provinces, worlds
from benchmarks.worlds import CONTROL, WORLDS, World, draw_world
from pipeline.measurements import locate

UNIT = ["commune_code", "operator"]


def drawn(world: World = CONTROL, phones: float = 20, seed: int = 1) -> worlds.Drawn:
    """Equal seeds share all draws that the worlds have in common."""
    return draw_world(world, phones, np.random.default_rng(seed))


def nearest_village(found: worlds.Drawn) -> pd.Series:
    """Index into the villages of each test's nearest."""
    at = ["latitude", "longitude"]
    _, nearest = KDTree(found.villages[at]).query(found.tests[at])
    return pd.Series(nearest, index=found.tests.index)


def phone_shares(found: worlds.Drawn) -> pd.DataFrame:
    """Shares of villages in their commune's people and phones."""
    places = found.villages.assign(
        phones=found.tests.groupby(nearest_village(found))["phone"].nunique()
    ).fillna({"phones": 0})
    communes = places.groupby("commune_code")
    return pd.DataFrame(
        {
            "people": places["people"] / communes["people"].transform("sum"),
            "phones": places["phones"] / communes["phones"].transform("sum"),
        }
    )


def by_phone(found: worlds.Drawn) -> pd.DataFrame:
    """Phones with their mean speed and their unit's truth."""
    phones = found.tests.groupby("phone").agg(
        mean=("download_mbps", "mean"), latitude=("latitude", "first"),
        longitude=("longitude", "first"), operator=("operator", "first"),
    )  # fmt: skip
    phones["commune_code"] = locate.communes_of_points(
        phones["latitude"], phones["longitude"], provinces.communes()
    )
    return phones.merge(found.truth, on=UNIT, validate="many_to_one")


def ratio(world: World) -> float:
    """What 300 phones by unit measure against the truth, mean over phones."""
    phones = pd.concat([by_phone(drawn(world, 300, seed)) for seed in range(2)])
    return float((phones["mean"] / phones["true_mean_mbps"]).mean())


def test_the_worlds_are_those_that_were_agreed():
    assert list(WORLDS) == [
        "control", "few_villages", "good_signal", "slow_test_more", "repaired",
        "mislabelled_rows", "mislabelled_phones", "bimodal_15_90", "aggregation_25_200",
        "several_ids", "ids_restart", "plan_caps", "one_fast_phone", "near_target", "roaming",
    ]  # fmt: skip
    assert len({world.meaning for world in WORLDS.values()}) == len(WORLDS)


def test_a_quarter_of_roaming_tests_are_made_in_any_village_at_its_speed():
    few, roaming = (drawn(WORLDS[name], 60) for name in ("few_villages", "roaming"))
    pd.testing.assert_frame_equal(few.truth, roaming.truth)
    at_home = nearest_village(few) == nearest_village(roaming)
    # one of 5 to 10 villages is its own
    assert 1 - at_home.mean() == pytest.approx(0.25 * (1 - 1 / 7.5), abs=0.02)
    before, after = (found.tests["download_mbps"].to_numpy() for found in (few, roaming))
    np.testing.assert_allclose(after[at_home], before[at_home])
    assert np.log(after / before)[~at_home].std() > 0.5


def test_equal_arguments_give_equal_tables_and_others_others():
    (one, truth, villages), (same, same_truth, same_villages) = (
        worlds.draw("control", 3, 8) for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.tests, same.tests)
    pd.testing.assert_frame_equal(pd.DataFrame(one.communes), pd.DataFrame(same.communes))
    pd.testing.assert_frame_equal(truth, same_truth)
    pd.testing.assert_frame_equal(villages, same_villages)
    for other in (("control", 4, 8), ("control", 3, 9), ("ids_restart", 3, 8)):
        assert not worlds.draw(*other)[1]["true_mean_mbps"].equals(truth["true_mean_mbps"])


@pytest.mark.parametrize("name", WORLDS)
def test_every_test_lies_in_the_commune_and_the_days_it_was_drawn_for(name):
    inputs, truth, villages = worlds.draw(name, 0, 8)
    found = drawn(WORLDS[name], 8)
    where = locate.communes_of_points(
        found.tests["latitude"], found.tests["longitude"], provinces.communes()
    )
    places = found.villages["commune_code"].to_numpy()[nearest_village(found)]
    assert (np.asarray(where) == places).all()
    local = inputs.tests["measured_at"].dt.tz_convert("Asia/Ho_Chi_Minh")
    days = local.dt.strftime("%Y-%m-%d")
    assert (days.min(), days.max()) == ("2026-08-01", "2026-10-29")
    assert days.nunique() == 90
    assert inputs.tests["technology"].eq("4G").all()
    assert inputs.tests["download_mbps"].gt(0).all()
    assert len(truth) == 38 * 4
    assert truth["true_mean_mbps"].between(3, 400).all()
    people = villages.groupby("commune_code")["people"].sum()
    assert (inputs.communes.set_index("commune_code")["population"] == people).all()


def test_villages_are_five_to_ten_inside_their_commune_and_apart():
    _, _, villages = worlds.draw("control", 0, 8)
    shapes = provinces.communes().set_index("commune_code").geometry
    nearest = []
    for code, places in villages.groupby("commune_code"):
        assert 5 <= len(places) <= 10
        assert places["people"].gt(0).all()
        west, south, east, north = shapes[code].bounds
        assert places["longitude"].between(west + 0.01, east - 0.01).all()
        assert places["latitude"].between(south + 0.01, north - 0.01).all()
        y = places["latitude"].to_numpy() * 111.2
        x = places["longitude"].to_numpy() * 111.2 * np.cos(np.radians(22))
        apart = np.hypot(x[:, None] - x, y[:, None] - y) + 99 * np.eye(len(x))
        nearest.append(apart.min())
    assert len(nearest) == 38
    assert min(nearest) > 1.5


def test_the_truth_of_two_villages_by_hand():
    people, mean, sd = [300, 100], np.array([20.0, 60.0]), np.array(0.5)
    assert worlds.true_means(CONTROL, people, mean, sd) == pytest.approx(30.0)
    # a cap that nobody reaches, and one that everybody reaches
    high = replace(CONTROL, plans=((0.4, 1e9),))
    assert worlds.true_means(high, people, mean, sd) == pytest.approx(30.0)
    low = replace(CONTROL, plans=((0.4, 1.0),))
    assert worlds.true_means(low, people, mean, sd) == pytest.approx(0.6 * 30 + 0.4, abs=1e-6)


@pytest.mark.parametrize("mean", [8.0, 30.0, 55.0, 140.0])
def test_capped_plans_cost_what_quadrature_finds(mean):
    world, nodes = WORLDS["plan_caps"], np.linspace(-9, 9, 400_001)
    sd = np.hypot(0.5, 0.3)
    density = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    speed = mean * np.exp(sd * nodes - sd**2 / 2)
    step = nodes[1] - nodes[0]
    expected = sum(
        share * float((np.minimum(speed, cap) * density).sum() * step)
        for share, cap in ((0.4, 100.0), (0.2, 30.0), (0.4, np.inf))
    )
    found = worlds.phone_mean(world, np.array(mean), np.array(0.5))
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "control", "bimodal_15_90", "aggregation_25_200", "several_ids", "ids_restart",
        "plan_caps", "near_target",
    ],
)  # fmt: skip
def test_many_phones_measure_the_truth_where_testers_are_a_fair_sample(name):
    # some 90,000 phones of a coefficient of variation up to 1.2: three standard errors or more
    assert ratio(WORLDS[name]) == pytest.approx(1.0, abs=0.012)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("few_villages", 0.95, 1.05),  # right on average, wrong by unit
        ("good_signal", 1.2, 1.6),
        ("slow_test_more", 0.75, 0.92),
        ("repaired", 0.83, 0.91),  # two of three months of 40 % of units: 0.6 + 0.4 × 7/9
        ("mislabelled_rows", 1.3, 1.8),
        ("mislabelled_phones", 1.3, 2.0),
    ],
)
def test_where_testers_differ_many_phones_measure_something_else(name, low, high):
    assert low < ratio(WORLDS[name]) < high


def test_in_few_villages_the_testers_shares_are_not_the_peoples():
    fair, few = (phone_shares(drawn(WORLDS[name], 100)) for name in ("control", "few_villages"))
    assert np.corrcoef(fair["people"], fair["phones"])[0, 1] > 0.98
    assert abs(np.corrcoef(few["people"], few["phones"])[0, 1]) < 0.2
    # Dirichlet(.3) over 5 to 10 villages: one of them has half of the phones or so
    largest = few["phones"].groupby(drawn(WORLDS["few_villages"], 100).villages["commune_code"])
    assert largest.max().mean() > 0.45


def test_where_the_signal_is_good_more_people_test():
    found = drawn(WORLDS["good_signal"], 100)
    places = phone_shares(found)
    speed = np.log(found.tests.groupby(nearest_village(found))["download_mbps"].mean())
    excess = np.log((places["phones"] / places["people"]).reindex(speed.index))
    communes = found.villages["commune_code"].reindex(speed.index)
    speed -= speed.groupby(communes).transform("mean")
    excess -= excess.groupby(communes).transform("mean")
    assert np.corrcoef(speed, excess)[0, 1] > 0.3


def test_slow_phones_test_more_often_and_as_many_test():
    plain, slow = drawn(phones=60), drawn(WORLDS["slow_test_more"], 60)
    assert plain.tests["phone"].nunique() == slow.tests["phone"].nunique()
    pd.testing.assert_frame_equal(plain.truth, slow.truth)
    tested = [found.tests["download_mbps"].mean() for found in (plain, slow)]
    # weights speed^-.5 without end shift a log-normal of variance .34 by exp(-.17)
    assert 0.75 < tested[1] / tested[0] < 0.93
    none = drawn(replace(WORLDS["slow_test_more"], tester_power=0.0), 60)
    assert none.tests["download_mbps"].mean() == pytest.approx(tested[0], rel=0.05)


def test_repaired_units_are_faster_from_day_sixty_and_the_truth_is_the_last_months():
    before, after = drawn(), drawn(WORLDS["repaired"])
    factor = after.truth["true_mean_mbps"] / before.truth["true_mean_mbps"]
    assert set(factor.round(9)) == {1.0, 1.5}
    assert 0.3 < factor.gt(1.2).mean() < 0.5
    of_tests = after.tests["download_mbps"] / before.tests["download_mbps"]
    is_late = after.tests["measured_at"] >= "2026-09-30"
    assert of_tests[~is_late].eq(1).all()
    assert set(of_tests[is_late].round(9)) == {1.0, 1.5}
    assert 0.3 < of_tests[is_late].gt(1.2).mean() < 0.5


def test_five_in_a_hundred_rows_are_mislabelled():
    plain, wrong = drawn(phones=60), drawn(WORLDS["mislabelled_rows"], 60)
    pd.testing.assert_frame_equal(plain.truth, wrong.truth)
    differs = plain.tests["download_mbps"] != wrong.tests["download_mbps"]
    assert differs.mean() == pytest.approx(0.05, abs=0.005)
    assert wrong.tests.loc[differs, "download_mbps"].between(200, 600).all()
    assert wrong.tests.loc[differs, "download_mbps"].mean() == pytest.approx(400, rel=0.02)


def test_some_phones_are_mislabelled_in_most_of_their_tests():
    plain, wrong = drawn(phones=60), drawn(WORLDS["mislabelled_phones"], 60)
    pd.testing.assert_frame_equal(plain.truth, wrong.truth)
    differs = plain.tests["download_mbps"] != wrong.tests["download_mbps"]
    assert differs.mean() == pytest.approx(0.15 * 0.6, abs=0.01)
    assert wrong.tests.loc[differs, "download_mbps"].mean() == pytest.approx(250, rel=0.05)
    of_phones = differs.groupby(wrong.tests["phone"]).agg(["mean", "size"])
    many = of_phones[of_phones["size"] >= 8]
    assert many["mean"].gt(0).mean() == pytest.approx(0.15, abs=0.03)


@pytest.mark.parametrize("name", ["bimodal_15_90", "aggregation_25_200"])
def test_phones_are_of_two_kinds(name):
    slow, fast = WORLDS[name].modes_mbps
    found = drawn(replace(WORLDS[name], mode_log_sd=0.0, noise_log_sd=0.0), 60)
    speeds = found.tests["download_mbps"]
    assert set(speeds.round(6)) == {slow, fast}
    assert found.truth["true_mean_mbps"].between(slow, fast).all()
    phones = by_phone(found)
    assert set(phones["mean"].round(6)) == {slow, fast}, "of one kind in all its tests"
    fast_share = phones["mean"].eq(fast).groupby(phones["true_mean_mbps"]).agg(["mean", "size"])
    fast_share = fast_share[fast_share["size"] >= 40]
    expected = (fast_share.index.to_numpy() - slow) / (fast - slow)
    assert np.abs(fast_share["mean"].to_numpy() - expected).mean() < 0.06


def test_a_phone_goes_by_several_ids():
    found = drawn(WORLDS["several_ids"], 8).tests
    phones = found.groupby("phone")
    assert phones.size().mean() == pytest.approx(12, rel=0.1)
    ids = phones["device_id"].nunique()
    assert ids.max() == 6
    assert ids.mean() > 3.5
    assert found.groupby("device_id")["phone"].nunique().eq(1).all()


def test_ids_restart_with_the_month_and_no_two_phones_share_one():
    plain, restarted = drawn().tests, drawn(WORLDS["ids_restart"]).tests
    assert plain.groupby("phone")["device_id"].nunique().eq(1).all()
    month = restarted["measured_at"].dt.month
    assert restarted.groupby(["phone", month])["device_id"].nunique().eq(1).all()
    assert restarted.groupby("device_id")["phone"].nunique().eq(1).all()
    assert month.groupby(restarted["device_id"]).nunique().eq(1).all()
    assert restarted["device_id"].nunique() > 1.7 * plain["device_id"].nunique()


def test_plans_cap_the_tests_of_their_phones_in_whole_megabits():
    tests = drawn(WORLDS["plan_caps"], 60).tests["download_mbps"]
    assert tests.eq(tests.round()).all()
    assert tests.ge(1).all()
    assert tests.eq(100).mean() > 20 * tests.eq(99).mean()
    assert tests.eq(30).mean() > 5 * tests.eq(29).mean()
    assert 0.02 < tests.gt(100).mean() < 0.4, "40 % of phones have no cap"


def test_one_phone_of_half_of_the_units_always_reads_480():
    plain, fast = drawn(), drawn(WORLDS["one_fast_phone"])
    pd.testing.assert_frame_equal(plain.truth, fast.truth)
    differs = plain.tests["download_mbps"] != fast.tests["download_mbps"]
    assert fast.tests.loc[differs, "download_mbps"].eq(480).all()
    phones = differs.groupby(fast.tests["phone"]).agg(["any", "all"])
    assert phones["any"].equals(phones["all"])
    assert 0.35 * 152 < phones["any"].sum() < 0.65 * 152


def test_near_the_target_means_are_close_and_spreads_differ():
    found = drawn(WORLDS["near_target"], 60)
    truth = found.truth["true_mean_mbps"]
    assert truth.between(36, 44).all()
    assert truth.std() == pytest.approx(8 / np.sqrt(12), rel=0.2)
    phones = np.log(found.tests.groupby(["operator", "phone"])["download_mbps"].mean())
    assert phones.std() > 0.6
    quiet = drawn(replace(WORLDS["near_target"], phone_log_sd_range=(0.25, 0.25)), 60)
    phones = np.log(quiet.tests.groupby(["operator", "phone"])["download_mbps"].mean())
    assert phones.std() < 0.5


def test_numbers_of_phones_and_sittings_have_their_means():
    tests = drawn(phones=60).tests
    assert tests["phone"].nunique() / 152 == pytest.approx(60, rel=0.25)
    sittings = tests.groupby("phone").size()
    assert sittings.min() == 1
    assert sittings.mean() == pytest.approx(4.0, rel=0.03)


def test_figures_of_the_audit_by_hand():
    rows = pd.DataFrame(
        [
            ("confirmed_gap", "confirmed", "direct", 30.0, 20.0, 35.0),
            ("confirmed_gap", "confirmed", "borrowed", 41.0, 20.0, 39.0),
            ("probable_gap", "probable", "direct", 39.0, 20.0, 50.0),
            ("meets_target", "confirmed", "direct", 50.0, 45.0, 60.0),
            ("meets_target", "confirmed", "direct", 38.0, 41.0, 60.0),
            ("meets_target", "probable", "direct", 38.0, 30.0, 60.0),
            ("no_data", "none", None, 60.0, np.nan, np.nan),
        ],
        columns=["status", "evidence", "evidence_basis", "true_mean_mbps", "lo_mbps", "hi_mbps"],
    )
    rows["is_gap"] = rows["true_mean_mbps"] < 40
    rows["weighted_lo_mbps"], rows["weighted_hi_mbps"] = rows["lo_mbps"] - 4, rows["hi_mbps"] + 3
    found = audit.summary(rows)
    assert (found["gaps"], found["gaps_wrong"], found["gaps_false"]) == (2, 1, 0.5)
    assert found["gaps_bound"] == pytest.approx(np.sqrt(0.95))  # both false: p² = 0.05 for none
    assert found["gaps_found"] == pytest.approx(1 / 4)
    assert (found["borrowed"], found["borrowed_false"], found["borrowed_bound"]) == (1, 1.0, 1.0)
    assert (found["probable_gaps"], found["probable_gaps_right"]) == (1, 1.0)
    assert (found["passes"], found["passes_false"]) == (2, 0.5)
    assert found["passes_found"] == pytest.approx(1 / 3)
    assert (found["probable_passes"], found["probable_passes_false"]) == (1, 1.0)
    assert found["covers"] == pytest.approx(4 / 6)
    assert found["people_covers"] == pytest.approx(1.0)
    assert (found["borrowed_passes"], found["decided"]) == (0, 4)
    none = audit.summary(rows.iloc[6:])
    assert none["gaps"] == 0
    assert np.isnan(none["gaps_bound"])
    assert np.isnan(none["covers"])
    columns = [audit.line("control", 20, part).count("|") for part in (rows, rows.iloc[6:])]
    assert columns == [len(audit.HEADINGS) + 1] * 2
    assert "1 of 2: 50.0 %, ≤ 97.5 %" in audit.line("control", 20, rows)


@pytest.mark.slow
def test_a_province_of_a_world_is_judged_by_the_pipeline_itself():
    rows = audit.judged(("control", 0, 20, "villages"))
    assert len(rows) == 38 * 4
    assert rows["status"].eq("confirmed_gap").sum() > 10
    assert rows.loc[rows["status"].eq("confirmed_gap"), "is_gap"].mean() > 0.9
