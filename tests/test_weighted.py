"""The mean over a commune's people: against plain matrices, by hand, and what must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.verdicts import statistics, weighted
from pipeline.verdicts.statistics import UNIT

Devices = dict[tuple[str, str], dict[int, list[float]]]  # by unit and stratum, Mbit/s


def sums_of(devices: Devices, votes: float = 1.0) -> pd.DataFrame:
    """`sums` of `Strata`, of devices that tested in one place each."""
    rows = []
    for (commune, operator), places in devices.items():
        for stratum, values in places.items():
            x = np.array(values)
            y = np.log(x)
            figures = [votes * s.sum() for s in (y, y**2, x, x**2)]
            counts = votes * len(x), votes**2 * len(x)
            rows.append((commune, operator, stratum, *counts, *figures, *figures))
    figures = ("log", "log_square", "mbps", "square")
    names = [f"{speed}_{of}" for speed in ("download", "capped") for of in figures]
    return pd.DataFrame(
        rows, columns=["commune_code", "operator", "stratum", "votes", "vote_squares", *names]
    )


def shares_of(shares: dict[str, dict[int, float]]) -> pd.DataFrame:
    rows = [(c, s, share) for c, places in shares.items() for s, share in places.items()]
    return pd.DataFrame(rows, columns=["commune_code", "stratum", "share"])


def predicted(devices: Devices, shares: dict[str, dict[int, float]], rho: float) -> pd.DataFrame:
    given_rho = pd.Series(rho, index=sorted({operator for _, operator in devices}))
    return weighted.predicted(
        sums_of(devices), shares_of(shares), "download_mbps", "download_square", given_rho
    )


def by_people(devices: Devices, shares: dict[str, dict[int, float]]) -> pd.DataFrame:
    return weighted.people_weighted(
        sums_of(devices), shares_of(shares), speed="download", target=40.0, confidence=0.95
    )


TWO_PLACES: Devices = {("a", "V"): {0: [20.0, 24.0, 31.0], 1: [60.0]}}


@pytest.mark.parametrize("rho", [0.05, 0.3, 0.9])
@pytest.mark.parametrize(
    "share", [{0: 0.25, 1: 0.75}, {0: 0.2, 1: 0.3, 2: 0.5}, {1: 0.4, 2: 0.35, 3: 0.25}]
)
def test_the_prediction_is_that_of_plain_matrices(rho, share):
    # y = θ + b(place) + e with Var b = ρ, Var e = 1 − ρ: best linear unbiased (Henderson 1975)
    x = np.array([20.0, 24.0, 31.0, 60.0])
    tested, everywhere = np.array([0, 0, 0, 1]), np.arange(4)
    incidence = (tested[:, None] == everywhere).astype(float)
    w = np.array([share.get(place, 0.0) for place in everywhere])
    inverse = np.linalg.inv(rho * incidence @ incidence.T + (1 - rho) * np.eye(4))
    one = np.ones(4)
    information = one @ inverse @ one
    theta = one @ inverse @ x / information
    effects = rho * incidence.T @ inverse
    wanted = w.sum() * theta + w @ effects @ (x - theta)
    left = rho * np.eye(4) - effects @ incidence * rho
    lean = w.sum() - w @ effects @ one
    variance = w @ left @ w + lean**2 / information
    found = predicted(TWO_PLACES, {"a": share}, rho).loc[("a", "V")]
    assert found["mean"] == pytest.approx(wanted)
    assert found["factor"] == pytest.approx(variance)


def test_two_places_by_hand():
    # ρ = 1/4: precision of three votes 1/(1/4 + 1/4) = 2, of one vote 1; θ = (2·25 + 60)/3 = 110/3
    # pulls 1/2 and 1/4: predictions 185/6 and 42.5; shares 1/4 and 3/4: 39.5833…
    found = predicted(TWO_PLACES, {"a": {0: 0.25, 1: 0.75}}, 0.25).loc[("a", "V")]
    assert found["mean"] == pytest.approx((185 / 6 + 3 * 42.5) / 4)
    # own: (1/16)(1/4)(1/2) + (9/16)(1/4)(3/4); lean (1 − 1/8 − 3/16)² / 3
    assert found["factor"] == pytest.approx(1 / 128 + 27 / 256 + (11 / 16) ** 2 / 3)
    # s² = (13.75² + 9.75² + 2.75² + 26.25²)/3; seen (1 − 10/16)·4/3 = 1/2 of the spread of places
    spread = (13.75**2 + 9.75**2 + 2.75**2 + 26.25**2) / 3
    assert found["variance"] == pytest.approx(spread / (0.75 + 0.25 * 0.5))


def test_the_share_between_places_by_hand():
    # places {1, 3}, {5, 7}, {2, 4} of two units, n = 2 each: within 2 + 2 + 2 on 3 degrees: 2;
    # between: unit a has means 2 and 6 about 4: 2·4 + 2·4 = 16 on 1 degree, unit b one place only;
    # size 6 − (8/4 + 4/2) = 2: (16 − 2)/2 = 7; ρ = 7/9
    sums = pd.DataFrame(
        {
            "commune_code": ["a", "a", "b"],
            "operator": ["V", "V", "V"],
            "stratum": [0, 1, 2],
            "votes": [2.0, 2.0, 2.0],
            "vote_squares": [2.0, 2.0, 2.0],
            "total": [4.0, 12.0, 6.0],
            "square": [10.0, 74.0, 20.0],
        }
    )
    assert weighted.share_between(sums, "total", "square") == pytest.approx(7 / 9)


@pytest.mark.parametrize(
    "devices",
    [
        {("a", "V"): {0: [20.0, 30.0]}},  # one place a unit
        {("a", "V"): {0: [20.0], 1: [30.0]}},  # one device a place
        {("a", "V"): {0: [20.0, 30.0], 1: [20.0, 30.0]}},  # places alike
        {("a", "V"): {0: [20.0, 20.0], 1: [20.0]}},  # no spread at all
    ],
)
def test_without_a_sign_of_places_the_share_is_zero(devices):
    assert weighted.share_between(sums_of(devices), "download_log", "download_log_square") == 0


speeds = st.lists(st.floats(2, 300), min_size=2, max_size=6)


@pytest.mark.parametrize("away", [0, 1, 2])
def test_phones_that_test_in_two_places_do_not_hide_that_places_differ(away):
    """38 communes of 10 phones, ρ = 0.4; of 4 samples of a phone `away` are in another place."""
    generator, rho, variance = np.random.default_rng(1), 0.4, 0.5
    rows = []
    for commune in range(38):
        for _ in range(10):
            home, other = generator.choice(6, 2, replace=False)
            phone = generator.normal(0, np.sqrt((1 - rho) * variance))
            for place, vote in ((home, 1 - away / 4), (other, away / 4)):
                y = np.sqrt(rho * variance) * (1 if place % 2 else -1) + phone
                rows.append((f"c{commune}", place, vote, vote**2, vote * y, vote * y**2))
    names = ["commune_code", "stratum", "votes", "vote_squares", "total", "square"]
    table = pd.DataFrame(rows, columns=names).query("votes > 0").assign(operator="V")
    sums = table.groupby([*UNIT, "stratum"], as_index=False).sum()
    assert weighted.share_between(sums, "total", "square") == pytest.approx(rho, abs=0.12)


def test_equal_speeds_give_no_share_between_places_whatever_the_rounding():
    sums = sums_of({("a", "V"): {0: [33.33] * 7, 1: [33.33] * 3}, ("b", "V"): {2: [33.33] * 5}})
    noisy = sums.assign(download_log_square=sums["download_log_square"] * (1 + 1e-15))
    for table in (sums, noisy):
        assert weighted.share_between(table, "download_log", "download_log_square") == 0


two_units = st.tuples(speeds, speeds, speeds, speeds).map(
    lambda x: {("a", "V"): {0: x[0], 1: x[1]}, ("b", "V"): {2: x[2], 3: x[3]}}
)
shares_of_two = st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)).map(
    lambda x: {"a": {0: x[0], 1: 1 - x[0]}, "b": {2: x[1], 3: 1 - x[1]}}
)


@settings(max_examples=60, deadline=None)
@given(two_units, shares_of_two)
def test_without_places_it_is_the_plain_mean_and_its_limits(devices, shares):
    zero = pd.Series({"V": 0.0})
    sums = sums_of(devices)
    found = weighted.predicted(sums, shares_of(shares), "download_mbps", "download_square", zero)
    for unit, places in devices.items():
        x = np.concatenate([np.array(values) for values in places.values()])
        row = found.loc[unit]
        assert row["mean"] == pytest.approx(x.mean())
        assert row["variance"] * row["factor"] == pytest.approx(
            x.var(ddof=1) / len(x), rel=1e-6, abs=1e-6
        )


def test_one_place_a_unit_gives_the_plain_interval():
    devices: Devices = {
        ("a", "V"): {0: [21.0, 30.5, 35.2]},
        ("b", "V"): {1: [44.0, 47.5, 51.2, 55.0]},
    }
    found = by_people(devices, {"a": {0: 1.0}, "b": {1: 1.0}})
    rows = [(*unit, x) for unit, places in devices.items() for v in places.values() for x in v]
    frame = pd.DataFrame(rows, columns=[*UNIT, "download_mbps"])
    frame = frame.assign(upload_mbps=np.nan, latency_ms=np.nan)
    plain = statistics.direct(frame, target=40.0, confidence=0.95)
    for name in weighted.FIGURES:
        np.testing.assert_allclose(found[name], plain[name], rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(two_units, shares_of_two, st.permutations([10, 11, 12, 13]), st.randoms())
def test_names_and_order_of_places_do_not_matter(devices, shares, names, random):
    found = by_people(devices, shares)
    renamed = {
        unit: {names[place]: values for place, values in places.items()}
        for unit, places in devices.items()
    }
    new_shares = {
        commune: {names[place]: share for place, share in places.items()}
        for commune, places in shares.items()
    }
    sums = sums_of(renamed)
    order = list(range(len(sums)))
    random.shuffle(order)
    again = weighted.people_weighted(
        sums.iloc[order],
        shares_of(new_shares).iloc[::-1],
        speed="download",
        target=40.0,
        confidence=0.95,
    )
    # a hundredth of the last digits: sums are added up in another order
    pd.testing.assert_frame_equal(again.sort_index(), found.sort_index(), rtol=1e-7, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(two_units, shares_of_two)
def test_a_village_cut_from_the_map_leaves_everything_as_it_was_if_nobody_lives_there(
    devices, shares
):
    found = by_people(devices, shares)
    more = {commune: places | {99: 0.0} for commune, places in shares.items()}
    pd.testing.assert_frame_equal(by_people(devices, more), found)


def test_people_who_live_where_nobody_tested_widen_the_interval():
    devices: Devices = {
        (commune, "V"): {0: [20.0, 25.0, 30.0], 1: [50.0, 60.0, 80.0]} for commune in "ab"
    }
    tested = by_people(devices, {key: {0: 0.5, 1: 0.5} for key in "ab"})
    untested = by_people(devices, {key: {0: 0.25, 1: 0.25, 2: 0.5} for key in "ab"})
    assert (untested["hi_mbps"] > tested["hi_mbps"]).all()
    assert (untested["lo_mbps"] < tested["lo_mbps"]).all()


def test_the_mean_follows_the_people():
    devices: Devices = {
        (commune, "V"): {0: [20.0, 21.0, 22.0] * 4, 1: [80.0, 81.0, 82.0]} for commune in "abc"
    }
    slow = by_people(devices, {key: {0: 0.95, 1: 0.05} for key in "abc"})["mean_mbps"]
    fast = by_people(devices, {key: {0: 0.05, 1: 0.95} for key in "abc"})["mean_mbps"]
    assert (slow < 28).all()
    assert (fast > 74).all()


def test_a_commune_without_shares_counts_its_tested_places_alike():
    found = predicted({("a", "V"): {0: [20.0] * 9, 1: [60.0]}}, {}, 0.999)
    assert found.loc[("a", "V"), "mean"] == pytest.approx(40, abs=0.1)


def test_one_vote_has_no_interval():
    devices: Devices = {("a", "V"): {0: [20.0]}, ("b", "V"): {1: [20.0, 30.0], 2: [40.0]}}
    found = by_people(devices, {})
    assert found.loc[("a", "V"), ["lo_mbps", "hi_mbps", "p_gap", "p_meets"]].isna().all()
    assert found.loc[("a", "V"), "mean_mbps"] == pytest.approx(20)


def test_no_places_no_figures():
    found = by_people({}, {})
    assert found.empty
    plain = pd.DataFrame(
        {"log_mean": [3.0], "log_var": [0.2], "error_factor": [0.1]},
        index=pd.MultiIndex.from_tuples([("a", "V")], names=UNIT),
    )
    pd.testing.assert_frame_equal(weighted.preferred(plain, found), plain)
