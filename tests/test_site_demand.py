"""Where the people live, how many fall short, and how sure that is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from pipeline.actions.sites.demand import (
    LEAST_SD,
    MOST_SD,
    Effects,
    demand_places,
    demand_units,
    futures,
    short_chance,
    short_share,
)
from pipeline.schema.fields import ALL
from tests.builders import squares

TARGET = 40.0
EFFECTS = Effects((22.0, 44.0), (10.0, 20.0), (1.3, 2.0))
QUICK = settings(max_examples=20, deadline=None)


def villages(*rows: tuple[str, str, float | None]) -> pd.DataFrame:
    """Rows: commune, village, people."""
    table = pd.DataFrame(rows, columns=["commune_code", "village_name", "people"])
    return table.assign(
        people=table["people"].astype("float64"),
        latitude=22.01 + 0.01 * np.arange(len(table)),
        longitude=103.05,
        has_grid_power=pd.array([True] * len(table), dtype="boolean"),
        is_difficult_zone=pd.array([pd.NA] * len(table), dtype="boolean"),
        payer=None,
    )


def communes(**people: float):
    """r0c0, r0c1 … with these people."""
    table = squares(columns=len(people), rows=1)
    return table.assign(population=list(people.values()))


# --- where the people live


@pytest.mark.parametrize(
    ("total", "listed", "people"),
    [
        (1000, [100, 300], [250, 750]),  # the commune's own number is kept to
        (1000, [100, None, 300], [1000 / 6, 1000 / 3, 500]),  # unknown: as many as the others
        (1000, [None, None], [500, 500]),
        (1000, [0, 0], [500, 500]),  # a list that has nobody does not empty the commune
        (1000, [0, 400], [1000]),  # nobody lives in the first
        (np.nan, [100, 300], [100, 300]),
        (np.nan, [100, None], [100, 100]),
        (np.nan, [None, None], []),  # nobody knows: no demand
        (0, [100, 300], []),
    ],
)
def test_people_of_villages(total, listed, people):
    rows = [("r0c0", f"v{number}", one) for number, one in enumerate(listed)]
    table = demand_places(communes(a=total), villages(*rows), None)
    assert table["people"].tolist() == pytest.approx(people)


def test_communes_with_villages_with_cells_and_with_neither():
    cells = pd.DataFrame(
        {
            "commune_code": ["r0c0", "r0c1", "r0c1"], "hex_id": ["x", "y", "z"],
            "latitude": 22.05, "longitude": [103.05, 103.11, 103.12], "people": [9.0, 30.0, 10.0],
        }
    )  # fmt: skip
    table = demand_places(
        communes(a=1000, b=2000, c=3000, d=np.nan),
        villages(("r0c0", "n", 1.0), ("r0c0", "m", 3.0)),
        cells,
    )
    found = table[["commune_code", "place_name", "people"]].to_numpy().tolist()
    assert found == [
        ["r0c0", "m", 750],  # villages go before cells
        ["r0c0", "n", 250],
        ["r0c1", "", 1500],
        ["r0c1", "", 500],
        ["r0c2", "", 3000],  # one place in its middle; r0c3 has no known people
    ]
    middle = table.iloc[-1]
    assert (middle["latitude"], middle["longitude"]) == pytest.approx((22.05, 103.25))
    assert table["has_grid_power"].tolist()[:2] == [True, True]


@QUICK
@given(st.lists(st.one_of(st.none(), st.integers(0, 900)), min_size=1, max_size=6))
def test_people_of_a_commune_add_up(listed):
    rows = [("r0c0", f"v{number}", one) for number, one in enumerate(listed)]
    table = demand_places(communes(a=1234), villages(*rows), None)
    assert table["people"].sum() == pytest.approx(1234)
    assert (table["people"] > 0).all()


# --- what is known of units


def verdict_rows(*rows: dict) -> pd.DataFrame:
    usual = {
        "commune_code": "a", "status": "probable_gap", "device_count": 9, "gap_probability": 0.9,
        "p_gap": np.nan, "eb_mean_mbps": 30.0, "mean_mbps": 33.0,
    }  # fmt: skip
    names = [{"operator": f"o{number}"} for number in range(len(rows))]
    return pd.DataFrame([usual | name | row for name, row in zip(names, rows, strict=True)])


def units(*rows: dict, hidden: tuple[str, ...] = ()) -> pd.DataFrame:
    table = verdict_rows(*rows)
    keys = pd.MultiIndex.from_frame(table[["commune_code", "operator"]])
    return demand_units(table, pd.Series(table["operator"].isin(hidden).array, keys), TARGET)


def moments(unit: pd.Series) -> tuple[float, float]:
    """(E M, P(M < T)) by numeric integration of the density over ln M."""
    density = norm(unit["log_mean"], unit["log_sd"]).pdf
    low, high = unit["log_mean"] - 9 * unit["log_sd"], unit["log_mean"] + 9 * unit["log_sd"]
    mean = quad(lambda x: np.exp(x) * density(x), low, high)[0]
    return mean, quad(density, low, np.log(TARGET))[0]


@pytest.mark.parametrize(
    ("mean", "chance"),
    [(20, 0.99), (30, 0.9), (38, 0.7), (42, 0.5), (45, 0.3), (60, 0.05), (50, 0.1), (55, 0.45)],
)
def test_the_distribution_has_the_mean_and_the_probability(mean, chance):
    (unit,) = (
        row for _, row in units({"eb_mean_mbps": mean, "gap_probability": chance}).iterrows()
    )
    assert LEAST_SD < unit["log_sd"] < MOST_SD
    assert moments(unit) == pytest.approx((mean, chance), rel=1e-6)


@pytest.mark.parametrize(
    ("mean", "chance", "sd"),
    [
        (30.0, 0.7, norm.ppf(0.7)),  # no root: z² = 0.275 < 2 ln(40/30) = 0.575
        (10.0, 0.9, MOST_SD),  # no root, and wider than any verdict
        (39.9, 0.999, LEAST_SD),  # surer than any verdict
    ],
)
def test_without_a_root_within_bounds_the_probability_is_kept(mean, chance, sd):
    (unit,) = (
        row for _, row in units({"eb_mean_mbps": mean, "gap_probability": chance}).iterrows()
    )
    assert unit["log_sd"] == pytest.approx(sd)
    assert moments(unit)[1] == pytest.approx(chance, rel=1e-6)


@pytest.mark.parametrize(
    ("row", "chance", "mean"),
    [
        ({}, 0.9, 30.0),
        ({"gap_probability": np.nan, "p_gap": 0.02, "eb_mean_mbps": np.nan}, 0.98, 33.0),
        ({"status": "insufficient"}, None, None),
        ({"status": "no_data"}, None, None),
        ({"status": "confirmed_gap"}, 0.9, 30.0),
        ({"status": "meets_target"}, None, None),  # nobody falls short there
        ({"status": "borderline"}, 0.9, 30.0),
        ({"gap_probability": np.nan}, None, None),
        ({"eb_mean_mbps": np.nan, "mean_mbps": np.nan}, None, None),
    ],
)
def test_what_counts_as_known(row, chance, mean):
    unit = units(row).iloc[0]
    found = unit[["gap_probability", "mean_mbps"]].astype("float64").tolist()
    wanted = [np.nan if one is None else one for one in (chance, mean)]
    assert bool(unit["is_known"]) == (chance is not None)
    assert found == pytest.approx(wanted, nan_ok=True)
    assert bool(unit["is_confirmed"]) == (row.get("status") == "confirmed_gap")


def test_unknown_and_suppressed_units_have_no_demand():
    table = units({}, {"status": "insufficient"}, {}, {"operator": ALL}, hidden=("o2",))
    assert table["operator"].tolist() == ["o0", "o1", "o2"]
    assert table["is_known"].tolist() == [True, False, False]
    assert table.loc[("a", "o2"), ["gap_probability", "mean_mbps", "log_mean"]].isna().all()
    share = short_share(table, TARGET)
    assert share.iloc[0] > 0.2
    assert share.tolist()[1:] == [0, 0]
    drawn = futures(table, EFFECTS, TARGET, 40)
    assert drawn.short[1:].max() == 0
    assert max(one[1:].max() for one in drawn.gains.values()) == 0


# --- what lacks


def known(log_mean: float, log_sd: float) -> pd.DataFrame:
    return pd.DataFrame({"log_mean": [log_mean], "log_sd": [log_sd], "is_known": [True]})


@pytest.mark.parametrize(
    ("log_mean", "log_sd", "share"),
    [
        # d = 0: Φ(0) − e^0.125 Φ(−0.5) = 0.5 − 1.13315 × 0.30854
        (np.log(40), 0.5, 0.15038),
        # d = ln 2 / 0.4 = 1.73287: 0.95844 − 0.5 e^0.08 × Φ(1.33287), Φ = 0.90871
        (np.log(20), 0.4, 0.46625),
        # d = −ln 2 / 0.4: 0.04156 − 2 e^0.08 × Φ(−2.13287) = 0.04156 − 2.16657 × 0.01647
        (np.log(80), 0.4, 0.00588),
        (np.log(10), 0.001, 0.75),  # sure
        (np.log(80), 0.001, 0.0),
    ],
)
def test_the_share_that_lacks(log_mean, log_sd, share):
    table = known(log_mean, log_sd)
    assert short_share(table, TARGET).iloc[0] == pytest.approx(share, abs=3e-5)
    speeds = np.exp(np.random.default_rng(1).normal(log_mean, log_sd, 400_000))
    simulated = np.maximum(0, 1 - speeds / TARGET).mean()
    assert short_share(table, TARGET).iloc[0] == pytest.approx(simulated, abs=1e-3)


@QUICK
@given(st.floats(10, 90), st.floats(0.05, 0.95))
def test_futures_have_the_share_that_lacks(mean, chance):
    """Draws agree with the closed form within 2 % (of shares that are not negligible)."""
    table = units({"eb_mean_mbps": mean, "gap_probability": chance})
    drawn = futures(table, EFFECTS, TARGET, 400)
    share = short_share(table, TARGET).iloc[0]
    assert drawn.short.mean() == pytest.approx(share, rel=0.02, abs=1e-4)
    assert (drawn.short > 0).mean() == pytest.approx(chance, abs=0.005)
    for gain in drawn.gains.values():
        assert (gain >= 0).all()
        assert (gain <= drawn.short + 1e-12).all()


@QUICK
@given(st.floats(41, 90), st.floats(0.02, 0.97), st.floats(0.001, 0.02))
def test_a_likelier_gap_lacks_more(mean, chance, more):
    """At equal means, none of them below the target."""
    table = units(
        *({"eb_mean_mbps": mean, "gap_probability": one} for one in (chance, chance + more))
    )
    less, larger = short_share(table, TARGET)
    assert larger >= less - 1e-12


@QUICK
@given(st.floats(5, 80), st.floats(1, 20), st.floats(0.06, 0.8))
def test_a_slower_unit_lacks_more(mean, more, log_sd):
    slow, fast = (short_share(known(np.log(one), log_sd), TARGET)[0] for one in (mean, mean + more))
    assert slow >= fast - 1e-12


def test_effects_of_actions_by_hand():
    """A unit of 10 Mbit/s for sure, target 40: a site of 20–30, an upgrade of 1–2 times."""
    effects = Effects((20.0, 30.0), (12.0, 12.0), (1.0, 2.0))
    drawn = futures(known(np.log(10), 1e-9), effects, TARGET, 400)
    assert drawn.short[0] == pytest.approx(np.full(400, 0.75))
    assert drawn.gains["site"].mean() == pytest.approx(15 / 40, rel=1e-6)  # 25 instead of 10
    assert drawn.gains["site"].min() >= 10 / 40
    assert drawn.gains["satellite"][0] == pytest.approx(np.full(400, 2 / 40))
    assert drawn.gains["upgrade"].mean() == pytest.approx(5 / 40, rel=1e-6)
    fast = futures(known(np.log(50), 1e-9), effects, TARGET, 400)
    assert max(one.max() for one in fast.gains.values()) == 0  # nothing is slowed down


@pytest.mark.parametrize(
    ("mean", "log_sd", "spread"), [(38, 0.2, 0.45), (20, 0.3, 0.6), (70, 0.1, 0.3)]
)
def test_places_that_spread_around_their_unit(mean, log_sd, spread):
    """Against simulated places: the mean of the unit is kept, and each place lacks by itself."""
    table = known(np.log(mean), log_sd)
    effects = Effects((25.0, 25.0), (50.0, 50.0), (1.5, 1.5), spread)
    generator = np.random.default_rng(2)
    units_mean = np.exp(generator.normal(np.log(mean), log_sd, 400_000))
    places = units_mean * np.exp(generator.normal(-(spread**2) / 2, spread, 400_000))
    assert places.mean() == pytest.approx(units_mean.mean(), rel=0.01)

    def lacks(mbps: np.ndarray) -> float:
        return np.maximum(0, 1 - mbps / TARGET).mean()

    drawn = futures(table, effects, TARGET, 400)
    share = short_share(table, TARGET, spread).iloc[0]
    assert share == pytest.approx(lacks(places), abs=2e-3)
    assert drawn.short.mean() == pytest.approx(share, rel=0.01)
    after = {
        "site": np.maximum(places, 25), "satellite": np.maximum(places, 50), "upgrade": 1.5 * places
    }  # fmt: skip
    for kind, then in after.items():
        assert drawn.gains[kind].mean() == pytest.approx(lacks(places) - lacks(then), abs=2e-3)
    assert drawn.is_gap.mean() == pytest.approx(norm.cdf(np.log(TARGET / mean) / log_sd), abs=0.005)


def test_futures_are_the_same_at_every_call():
    table = units({}, {"eb_mean_mbps": 50.0, "gap_probability": 0.2})
    first, second = (futures(table, EFFECTS, TARGET, 50) for _ in range(2))
    assert first.short.tobytes() == second.short.tobytes()
    assert first.gains["site"].tobytes() == second.gains["site"].tobytes()
    assert futures(table.iloc[:0], EFFECTS, TARGET, 50).short.shape == (0, 50)


@pytest.mark.parametrize("spread", [0.0, 0.45])
def test_the_chance_of_a_place_below_the_target_against_simulation(spread):
    table = units({"gap_probability": 0.8, "eb_mean_mbps": 34.0})
    draw = np.random.default_rng(5).normal(size=(2, 400_000))
    log_mean, log_sd = table["log_mean"].iloc[0], table["log_sd"].iloc[0]
    places = np.exp(log_mean + log_sd * draw[0] + spread * draw[1] - spread**2 / 2)
    expected = (places < TARGET).mean()
    assert short_chance(table, TARGET, spread).iloc[0] == pytest.approx(expected, abs=0.003)
    unknown = units({"status": "no_data"})
    assert short_chance(unknown, TARGET, spread).tolist() == [0]
