"""Figures that a verdict must also hold on, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.verdicts import statistics
from pipeline.verdicts.checks import CAPPED, checks
from tests.builders import device_frame

UNIT = ("a", "V")


def checked(speeds: list[float], *, cap: float = 150.0, month: list[float] | None = None):
    """(figures of `checks` of one unit beside another, its estimate)."""
    devices = device_frame({UNIT: speeds, ("b", "V"): [30.0, 50.0, 20.0]})
    devices["capped_mbps"] = devices["download_mbps"].clip(upper=cap)
    devices["month_mbps"] = np.nan
    if month is not None:
        devices.loc[: len(month) - 1, "month_mbps"] = month
    units = statistics.direct(devices, target=40.0, confidence=0.95)
    found = checks(devices, units, target=40.0, confidence=0.95)
    return found.loc[UNIT], units.loc[UNIT]


def test_the_capped_figures_are_those_of_capped_speeds():
    found, _ = checked([20.0, 30.0, 500.0])
    same = statistics.direct(
        device_frame({UNIT: [20.0, 30.0, 150.0]}), target=40.0, confidence=0.95
    ).loc[UNIT]
    assert [found[f"capped_{name}"] for name in CAPPED] == pytest.approx(
        [same[name] for name in CAPPED]
    )
    assert found["capped_mean_mbps"] == pytest.approx(200 / 3)


def test_without_fast_tests_nothing_changes():
    found, plain = checked([20.0, 30.0, 150.0])
    assert [found[f"capped_{name}"] for name in CAPPED] == [plain[name] for name in CAPPED]


def test_the_fastest_device_is_left_out_once():
    assert checked([20.0, 30.0, 500.0])[0]["mean_without_fastest_mbps"] == 25
    assert checked([20.0, 50.0, 50.0])[0]["mean_without_fastest_mbps"] == 35
    assert np.isnan(checked([20.0])[0]["mean_without_fastest_mbps"])


def test_the_report_month_is_of_its_devices_alone():
    found, _ = checked([20.0, 30.0, 40.0], month=[60.0, np.nan, 80.0])
    assert (found["recent_mean_mbps"], found["recent_device_count"]) == (70, 2)
    found, _ = checked([20.0, 30.0, 40.0])
    assert np.isnan(found["recent_mean_mbps"])
    assert found["recent_device_count"] == 0


def test_exp_residuals_by_hand():
    found, _ = checked([10.0, 40.0])  # residuals of the logs ±ln 2, widened by √2
    assert found["exp_residuals"] == pytest.approx(2 ** np.sqrt(2) + 2 ** -np.sqrt(2))
    assert checked([20.0])[0]["exp_residuals"] == 0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(1, 600), min_size=2, max_size=30), st.floats(1, 39))
def test_law_a_slow_phone_more_never_makes_a_pass_hold(speeds, slow):
    """Capped mean and mean without the fastest fall when a phone below the target is added."""
    before, _ = checked(speeds)
    after, _ = checked([*speeds, slow])
    for name in ("capped_mean_mbps", "mean_without_fastest_mbps"):
        holds = before[name] >= 40
        assert holds or after[name] < 40 + 1e-9


def test_other_units_stay_as_they_are():
    alone = device_frame({UNIT: [20.0, 500.0], ("b", "V"): [30.0, 50.0]})
    alone = alone.assign(capped_mbps=alone["download_mbps"].clip(upper=150.0), month_mbps=np.nan)
    units = statistics.direct(alone, target=40.0, confidence=0.95)
    found = checks(alone, units, target=40.0, confidence=0.95)
    pd.testing.assert_series_equal(
        found.loc[("b", "V"), [f"capped_{name}" for name in CAPPED]].astype(float),
        units.loc[("b", "V"), list(CAPPED)].astype(float),
        check_names=False,
        check_index=False,
    )
