"""The plan of tests: devices go where they decide, never more than there are, and say nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shapely

from benchmarks import plans, worlds
from pipeline.actions import next_tests as planning
from pipeline.actions.next_tests import Known, Wanted, allotted, calm_start, time_windows
from pipeline.actions.places import placed, places_of_communes
from pipeline.actions.travel import Travel, geodesic_km, nearest_first
from pipeline.config.rules import rules_of
from pipeline.config.settings import Settings
from pipeline.measurements.strata import SUMS, Strata, no_strata
from pipeline.publish.plan import FILES
from pipeline.verdicts.prospects import DRAWS, MOST, chances
from tests.builders import month_of_tests, run_lomsong, write_world
from tests.village_world import RULES as WINDOW
from tests.village_world import SLOW, others, text, with_villages
from tests.village_world import rows as rows_of

RULES = rules_of(Settings())
UNIT = ["commune_code", "operator"]


def curve(reached: float, at: int) -> np.ndarray:
    """A chance that is 0 below so many devices and the same from there on."""
    return np.where(np.arange(MOST + 1) >= at, reached, 0.0)


def given(*curves: np.ndarray, weight=None, quota=None, budget: int = 100) -> list[int]:
    chance = np.stack(curves)
    size = len(chance)
    weight = np.ones(size) if weight is None else np.array(weight, dtype=float)
    quota = np.full(size, np.nan) if quota is None else np.array(quota, dtype=float)
    operator = np.array([f"o{number}" for number in range(size)], dtype=object)
    return allotted(chance, weight, operator, quota, budget).tolist()


@pytest.mark.parametrize(
    ("about", "found", "expected"),
    [
        (
            "the larger gain per device first",
            given(curve(0.9, 5), curve(0.9, 10), budget=5),
            [5, 0],
        ),
        ("what cannot be reached is left", given(curve(0.9, 12), curve(0.5, 8), budget=9), [0, 8]),
        ("people weigh", given(curve(0.9, 5), curve(0.9, 5), weight=[1, 3], budget=5), [0, 5]),
        ("near the target", given(curve(0.19, 1), curve(0.5, 20)), [0, 20]),
        ("nothing to gain", given(curve(0.0, 1)), [0]),
        ("a quota", given(curve(0.9, 5), curve(0.8, 5), quota=[4, np.nan]), [0, 5]),
        ("look ahead over a flat start", given(curve(0.9, 30), budget=30), [30]),
        ("no more than it takes", given(curve(0.9, 7), budget=40), [7]),
    ],
)
def test_devices_go_where_they_decide(about, found, expected):
    assert found == expected, about


@pytest.fixture(scope="module")
def known() -> Known:
    inputs, _, villages = worlds.draw("control", 3, 8)
    return plans.known_of(replace(inputs, villages=villages))


@pytest.fixture(scope="module")
def tables(known) -> dict[str, pd.DataFrame]:
    return planning.next_tests(known, Wanted(200, per_team=12), RULES)


def test_no_more_devices_than_there_are_and_both_tables_agree(tables):
    main = tables["plan"].query("visit_role == 'main'")
    assert main["devices_wanted"].sum() <= 200
    assert main["devices_wanted"].ge(1).all()
    by_unit = tables["plan_communes"].set_index(UNIT)
    sent = main.groupby(UNIT)["devices_wanted"].sum()
    wanted = by_unit["devices_wanted"][by_unit["devices_wanted"] > 0]
    assert sent.sort_index().to_dict() == wanted.sort_index().to_dict()
    gain = main.groupby(UNIT)["expected_verdicts"].sum()
    after = by_unit["verdict_probability_after"].reindex(gain.index)
    assert np.allclose(gain, after, atol=0.002)


def test_states_say_why_a_unit_gets_devices_or_none(tables, known):
    rows = tables["plan_communes"]
    confirmed = known.rows[known.rows["evidence"] == "confirmed"].set_index(UNIT).index
    decided = rows[rows["plan_state"] == "decided"].set_index(UNIT)
    assert set(decided.index) == {unit for unit in confirmed if unit[1] != "all"}
    assert decided["devices_wanted"].eq(0).all()
    assert decided["verdict_probability_now"].eq(1).all()
    assert rows.loc[rows["plan_state"] != "test", "devices_wanted"].eq(0).all()
    assert rows.loc[rows["plan_state"] == "test", "devices_wanted"].gt(0).all()


def test_a_trip_takes_no_more_than_a_team_can_and_orders_its_places(tables):
    main = tables["plan"].query("visit_role == 'main'")
    assert main.groupby("trip")["devices_wanted"].sum().max() <= 12
    assert sorted(main["trip"].unique()) == list(range(1, main["trip"].nunique() + 1))
    for _, rows in main.groupby("trip"):
        orders = rows["visit_order"].unique()
        assert sorted(orders) == list(range(1, len(orders) + 1))
        at = rows[["place_latitude", "place_longitude"]].to_numpy()
        assert geodesic_km(at, at).max() < 40


def test_replacements_are_other_villages_of_the_commune_and_expect_nothing(tables):
    plan = tables["plan"]
    others = plan[plan["visit_role"] == "replacement"]
    assert len(others) > 20
    assert others["expected_verdicts"].isna().all()
    both = plan.groupby([*UNIT, "trip", "visit_order"])
    names = both["village_name"].agg(["nunique", "size"])
    assert (names["nunique"] == names["size"]).all()


def test_equal_inputs_give_equal_plans(tables, known):
    again = planning.next_tests(known, Wanted(200, per_team=12), RULES)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])


def test_quotas_are_kept(known):
    tables = planning.next_tests(known, Wanted(200, quotas={"V": 7, "M": 0}), RULES)
    sent = tables["plan_communes"].groupby("operator")["devices_wanted"].sum()
    assert sent["V"] <= 7
    assert sent["M"] == 0
    assert sent.sum() > 150


def test_the_plan_does_not_depend_on_codes(known):
    people = pd.Series(np.linspace(1000, 9000, len(known.communes)))
    communes = known.communes.assign(population=people.to_numpy())
    code = dict(zip(communes["commune_code"], communes["commune_code"][::-1], strict=True))

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(commune_code=table["commune_code"].map(code))

    strata = known.strata
    other = Known(
        renamed(known.rows),
        known.suppressed.rename(index=code, level="commune_code"),
        Strata(strata.basis, renamed(strata.shares), renamed(strata.sums), strata.cells),
        renamed(communes),
        renamed(known.villages),
    )
    one = planning.next_tests(replace(known, communes=communes), Wanted(150), RULES)
    two = planning.next_tests(other, Wanted(150), RULES)
    found = renamed(one["plan_communes"]).sort_values(UNIT)["devices_wanted"].tolist()
    assert found == two["plan_communes"].sort_values(UNIT)["devices_wanted"].tolist()


def test_speeds_of_a_suppressed_unit_do_not_enter(known, tables):
    rows = known.rows.copy()
    is_hidden = known.suppressed.reindex(pd.MultiIndex.from_frame(rows[UNIT])).to_numpy()
    hidden = is_hidden & (rows["operator"] != "all").to_numpy()
    assert hidden.sum() >= 5
    speeds = ["mean_mbps", "log_mean", "people_log_mean", "weighted_mean_mbps", "exp_residuals",
              "capped_mean_mbps", "slow_hours_apart", "log_var", "sd_mbps"]  # fmt: skip
    rows.loc[hidden, speeds] = 3.0
    sums = known.strata.sums.copy()
    of = known.suppressed.reindex(pd.MultiIndex.from_frame(sums[UNIT])).to_numpy()
    sums.loc[of, list(SUMS)] = 3.0
    other = replace(known, rows=rows, strata=replace(known.strata, sums=sums))
    again = planning.next_tests(other, Wanted(200, per_team=12), RULES)
    pd.testing.assert_frame_equal(again["plan_communes"], tables["plan_communes"])


def test_a_unit_that_can_be_decided_gets_the_devices_and_one_at_the_target_none(known):
    units = planning.plan_units(known, RULES)
    base = units[~units["is_decided"]].iloc[[0]]
    plain = {"m": 9.0, "hidden": 0, "sd_mbps": 8.0, "log_var": 0.15, "sample_count": 27.0,
             "date_count": 9.0, "people_effective": 9.0, "spread": 0.15, "doubt": 0.0,
             "low_spread": 0.15, "high_spread": 0.15, "sw2": 0.15, "capped_ratio": 1.0}  # fmt: skip
    slow = {"mean_mbps": 20.0, "weighted_mean_mbps": 20.0, "log_level": np.log(20) - 0.075}
    near = {"mean_mbps": 39.8, "weighted_mean_mbps": 39.8, "log_level": np.log(39.8) - 0.075}
    rows = []
    for figures, variance in ((slow, 0.02), (near, 0.0005)):
        log = {"log_mean": figures["log_level"], "people_log_mean": figures["log_level"]}
        rows.append(base.assign(**plain, **figures, **log, level_var=variance))
    two = pd.concat(rows, ignore_index=True)
    effective = np.tile(9.0 + np.arange(MOST + 1), (2, 1))
    found = chances(two, effective, np.zeros(2, dtype=np.int64), RULES)
    assert found[0, 4] > 0.9
    assert found[1].max() < planning.LEAST_CHANCE
    assert (found * DRAWS == np.round(found * DRAWS)).all(), "shares of the draws"


def places_by_hand(shares: list[float]) -> pd.DataFrame:
    strata = replace(
        no_strata(), basis="villages",
        shares=pd.DataFrame({"commune_code": "a", "stratum": range(len(shares)), "share": shares}),
    )  # fmt: skip
    villages = pd.DataFrame({
        "village_name": [f"v{n}" for n in range(len(shares))], "commune_code": "a",
        "latitude": 22.0, "longitude": [103.0 + 0.02 * n for n in range(len(shares))],
        "people": [1000 * share for share in shares],
    })  # fmt: skip
    communes = pd.DataFrame({"commune_code": ["a"], "population": [1000.0]})
    return places_of_communes(strata, villages, communes, 3)


def sums_by_hand(votes: dict[int, float]) -> pd.DataFrame:
    return pd.DataFrame({"commune_code": "a", "operator": "x", "stratum": list(votes),
                         "votes": list(votes.values())})  # fmt: skip


X = pd.MultiIndex.from_tuples([("a", "x")], names=UNIT)
RHO = pd.Series({"x": 0.25})


def test_inside_a_commune_the_untested_places_with_most_people_come_first():
    places = places_by_hand([0.5, 0.3, 0.2])
    found = placed(X, places, sums_by_hand({0: 6.0}), RHO, 2)
    assert places["village_name"].iloc[found.order[0]].tolist() == ["v1", "v2"]


def test_alike_places_are_taken_far_apart():
    found = placed(X, places_by_hand([0.2] * 5), sums_by_hand({0: 1.0}), RHO, 1)
    assert found.order[0].tolist() == [4]


def test_effective_devices_by_hand():
    # three phones in A, one in B, where three quarters live (docs/method.md): k = 1/2 and 1/4,
    # Σ share² ρ (1 − k) = 1/4 (1/16 · 1/2 + 9/16 · 3/4) = 29/256, (1 − 5/16)² / 3 = 121/768
    places = places_by_hand([0.25, 0.75])
    found = placed(X, places, sums_by_hand({0: 3.0, 1: 1.0}), RHO, 1)
    factor = 29 / 256 + 121 / 768
    assert found.effective[0, 0] == pytest.approx((1 - 0.25 * 10 / 16) / factor)
    assert found.effective[0, 1] > found.effective[0, 0]


@pytest.mark.parametrize("alone", [0, 1, 2, 3])
def test_the_place_of_one_or_two_devices_does_not_show_in_the_places(alone):
    """A unit of six devices in v4 and two in another village."""
    places = places_by_hand([0.2, 0.2, 0.2, 0.2, 0.2])
    sums = planning.pooled(sums_by_hand({4: 6.0, alone: 2.0}), 3)
    assert dict(zip(sums["stratum"], sums["votes"], strict=True)) == {planning.POOLED: 2.0, 4: 6.0}
    found = placed(X, places, sums, RHO, 4)
    assert found.order[0].tolist() == [0, 2, 1, 3], "far from v4, then between"


def test_three_devices_of_a_place_steer_and_small_places_are_one():
    sums = planning.pooled(sums_by_hand({0: 3.0, 1: 2.9, 2: 1.0, 7: 0.1 + 0.2 + 2.7}), 3)
    found = dict(zip(sums["stratum"], sums["votes"], strict=True))
    assert found == pytest.approx({planning.POOLED: 3.9, 0: 3.0, 7: 3.0})


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 5])
def test_a_plan_does_not_show_where_one_or_two_devices_tested(tmp_path, devices):
    """Of a hidden unit, and of one whose other devices tested between the villages."""
    plans = []
    for name, north in (("middle", 0.0), ("north", 0.03), ("south", -0.03)):
        folder = tmp_path / name
        tests = text(
            rows_of("2026-10", "r0c0", SLOW, "a"),
            others("2026-10"),
            rows_of("2026-10", "r0c1", [20.0, 20.0], "few", north),
            rows_of("2026-10", "r0c1", [20.0] * (devices - 2), "away", 0.045),
        )
        settings = write_world(folder, {"2026-10": tests}, with_villages(folder) + WINDOW)
        code, said = run_lomsong(
            "plan", "--devices", "120", "--settings", settings, "--out", folder / "out"
        )
        assert code == 0, said
        plans.append(pd.read_csv(folder / "out/2026-10/plan/plan.csv"))
    names = [one.loc[one["commune_code"] == "r0c1", "village_name"].tolist() for one in plans]
    assert names[0] == names[1] == names[2] != []


def test_a_cluster_of_few_devices_has_no_cell():
    cells = pd.DataFrame({"stratum": [0, 1], "place_hex_id": ["8840648d67fffff"] * 2,
                          "device_count": [2.0, 3.0]})  # fmt: skip
    shares = pd.DataFrame({"commune_code": "a", "stratum": [0, 1], "share": 0.5})
    strata = replace(no_strata(), basis="clusters", shares=shares, cells=cells)
    communes = pd.DataFrame({"commune_code": ["a", "b"], "population": [1000.0, 10.0]})
    table = places_of_communes(strata, None, communes, 3)
    assert table["place_hex_id"].notna().tolist() == [False, True, False]
    assert table["place_latitude"].notna().tolist() == [False, True, False]
    assert table["share"].tolist() == [0.5, 0.5, 1.0]


def test_distances_run_along_roads_that_connect_else_straight():
    at = np.array([[22.0, 103.0], [22.0, 103.1], [22.5, 103.0]])
    bend = shapely.LineString([(103.0, 22.0), (103.0, 22.1)])
    rest = shapely.LineString([(103.0, 22.1), (103.1, 22.1), (103.1, 22.0)])
    travel = Travel(np.array([bend, rest], dtype=object))
    km, straight = travel.km(at), geodesic_km(at, at)
    north = geodesic_km(np.array([[22.0, 103.0]]), np.array([[22.1, 103.0]])).item()
    east = geodesic_km(np.array([[22.1, 103.0]]), np.array([[22.1, 103.1]])).item()
    assert km[0, 1] == pytest.approx(2 * north + east)
    assert km[0, 2] == pytest.approx(straight[0, 2]), "no road leads there"
    assert (travel.on_road_count, travel.asked_count) == (1, 3)
    assert Travel().km(at) == pytest.approx(straight)
    broken = Travel(np.array([bend], dtype=object)).km(at)
    assert broken[0, 1] == pytest.approx(straight[0, 1])
    assert nearest_first(km, 0) == [0, 1, 2]


@pytest.mark.parametrize(
    ("apart", "m", "windows"),
    [(5.0, 8.0, "19-22"), (3.9, 8.0, "07-09;19-22"), (np.nan, 0.0, "07-09;19-22"),
     (5.0, 0.0, "07-09;19-22")],
)  # fmt: skip
def test_hours_are_those_in_which_evidence_lacks(apart, m, windows):
    units = pd.DataFrame({"slow_hours_apart": [apart], "m": [m]})
    assert time_windows(units, (19.0, 22.0), 4.0).tolist() == [windows]
    assert calm_start((12.0, 13.5), 4.0) == 18


@pytest.mark.slow
def test_the_command_plans_and_names_faults(lomsong, tmp_path):
    rng = np.random.default_rng(1)
    speeds = {
        (f"r{r}c{c}", operator): (15 * (r + 1) * np.exp(0.4 * rng.normal(size=2 + 2 * c))).tolist()
        for r in range(4) for c in range(4) for operator in ("V", "M")
    }  # fmt: skip
    settings = write_world(tmp_path, {"2026-10": month_of_tests("2026-10", speeds)})
    run = ("plan", "--settings", settings, "--out", tmp_path / "outputs", "--lang", "en")
    code, text = lomsong(*run, "--devices", 60, "--per-team", 10, "--quota", "V=25")
    assert code == 0, text
    assert "distances between places are geodesic" in text
    folder = tmp_path / "outputs/2026-10/plan"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    plan = pd.read_csv(folder / "plan.csv", dtype={"commune_code": str})
    main = plan[plan["visit_role"] == "main"]
    assert 0 < main["devices_wanted"].sum() <= 60
    assert main.loc[main["operator"] == "V", "devices_wanted"].sum() <= 25
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    month = ("--month", "2026-11")
    assert lomsong(*run, "--devices", 60, "--per-team", 10, "--quota", "V=25", *month)[0] == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    for wrong in (("--devices", 0), ("--devices", 9, "--quota", "X=1"),
                  ("--devices", 9, "--month", "soon")):  # fmt: skip
        code, text = lomsong(*run, *wrong)
        assert code == 2, text
        assert str(wrong[-1]) in text
    code, text = lomsong("plan", "--help")
    assert code == 0
    assert "lomsong plan --devices 500" in text
