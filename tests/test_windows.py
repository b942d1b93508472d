"""Rows that lack evidence are widened to 6, then 12 months.

The others, the month's figures and the books are not.
"""

from __future__ import annotations

import pandas as pd
import pytest

from tests.builders import month_of_tests, write_world

pytestmark = pytest.mark.slow  # whole months are run

SLOW = [8.0, 12.0, 15.0, 17.0, 19.0, 21.0]
FULL = {("r0c0", "A"): SLOW, ("r0c0", "B"): [60.0, 70.0, 80.0, 90.0, 65.0, 75.0]}
SETTINGS = "[operators]\nA = []\nB = []\n"


def run(
    lomsong, folder, months: dict[str, dict], settings: str = SETTINGS, *more: str
) -> tuple[pd.DataFrame, str, object]:
    texts = {month: month_of_tests(month, plan, per_device=4) for month, plan in months.items()}
    code, text = lomsong(
        "run",
        "--settings",
        write_world(folder, texts, settings),
        "--lang",
        "en",
        "--period",
        "2026-10",
        "--out",
        folder / "outputs",
        *more,
    )
    assert code == 0, text
    out = folder / "outputs/2026-10/tables"
    status = pd.read_csv(out / "commune_status.csv", dtype={"commune_code": str}).set_index(
        ["commune_code", "operator"]
    )
    return status, text, out


def test_a_thin_row_takes_six_months_and_a_thinner_one_twelve(lomsong, tmp_path):
    months = {
        "2026-10": FULL | {("r1c1", "A"): [10.0], ("r2c2", "A"): [11.0]},
        "2026-06": {("r1c1", "A"): [10.0, *SLOW], ("r2c2", "A"): [30.0]},
        "2026-01": {("r2c2", "A"): [11.0, 30.0, *SLOW], ("r1c1", "A"): [500.0]},
        "2025-10": {("r2c2", "A"): [500.0]},
    }  # fmt: skip
    status, text, out = run(lomsong, tmp_path, months)
    full, thin, thinner = (status.loc[(code, "A")] for code in ("r0c0", "r1c1", "r2c2"))
    assert full["window_months"] == 3
    assert "window_widened" not in str(full["flags"])
    # the phone that tested in both months is one device of six others: seven devices, its speeds 10
    # and 10
    assert (thin["window_months"], thin["device_count"], thin["test_count"]) == (6, 7, 32)
    assert thin["mean_mbps"] == pytest.approx((10 + sum(SLOW)) / 7)
    assert "window_widened" in thin["flags"]
    # twelve months end with October 2026 and begin with November 2025; device 0 has 11, 30 and 11
    # Mbit/s on 12 days
    assert (thinner["window_months"], thinner["device_count"], thinner["test_count"]) == (12, 8, 40)
    assert thinner["mean_mbps"] == pytest.approx(((11 + 30 + 11) / 3 + 30 + sum(SLOW)) / 8)
    # the month's own figures stay the month's, whatever the window
    assert thin["month_test_count"] == thinner["month_test_count"] == 4
    # nobody tested there in twelve months: that is what the row says
    assert status.loc[("r3c3", "A"), ["window_months", "status"]].tolist() == [12, "no_data"]
    assert "window widened to 6 months" in text
    # the books know nothing of it: rows of older months are outside the base window
    rejects = pd.read_csv(out / "rejects_summary.csv")
    read = sum(4 * len(x) for plan in months.values() for x in plan.values())
    valid = sum(4 * len(x) for x in months["2026-10"].values())
    assert f"{read} read = {valid} valid + 0 failed + {read - valid} set aside" in text
    assert rejects.set_index("reject_reason")["reject_count"].groupby(level=0).sum().to_dict() == {
        "outside_window": read - valid
    }


def test_a_window_is_not_said_to_be_longer_than_what_was_delivered(lomsong, tmp_path):
    status, text, _ = run(lomsong, tmp_path, {"2026-10": FULL, "2026-09": FULL})
    assert set(status["window_months"]) == {3}
    assert "window widened" not in text


def test_the_settings_switch_widening_off_and_begin_with_one_month(lomsong, tmp_path):
    months = {
        "2026-10": {("r1c1", "A"): [10.0]},
        "2026-09": {("r1c1", "A"): SLOW},
        "2026-06": {("r1c1", "A"): SLOW},
    }
    off = "[evidence]\nwidened_months = []\nwindow_months = 1\n" + SETTINGS
    status, _, _ = run(lomsong, tmp_path / "off", months, off)
    assert status.loc[("r1c1", "A"), ["window_months", "device_count"]].tolist() == [1, 1]
    status, _, _ = run(
        lomsong, tmp_path / "on", months, "[evidence]\nwindow_months = 1\n" + SETTINGS
    )
    assert status.loc[("r1c1", "A"), ["window_months", "device_count"]].tolist() == [3, 6]


def test_the_pooled_row_does_not_give_a_widened_operators_short_window_away(lomsong, tmp_path):
    """B has two devices in three months and shows seven over six.

    `all` over three months, less A, would be those two devices.
    """
    months = {"2026-10": {("r0c0", "A"): SLOW, ("r0c0", "B"): [70.0, 80.0]},
              "2026-06": {("r0c0", "B"): [60.0, 65.0, 90.0, 75.0, 70.0, 80.0, 85.0]}}  # fmt: skip
    status, _, _ = run(lomsong, tmp_path, months)
    a, b, pooled = (status.loc[("r0c0", operator)] for operator in ("A", "B", "all"))
    assert (a["window_months"], b["window_months"], pooled["window_months"]) == (3, 6, 3)
    assert b["device_count"] == 7
    assert pd.notna(b["mean_mbps"])
    assert pd.isna(pooled["mean_mbps"])


def test_an_operator_that_tested_only_long_ago_is_named_without_an_operators_section(
    lomsong, tmp_path
):
    months = {"2026-10": FULL, "2026-06": {("r1c1", "Z"): SLOW}}
    status, _, _ = run(lomsong, tmp_path, months, "")
    assert status.loc[("r1c1", "Z"), ["window_months", "device_count"]].tolist() == [6, 6]


def test_a_quarter_is_its_own_base_window(lomsong, tmp_path):
    texts = {
        month: month_of_tests(month, FULL, per_device=4)
        for month in ("2026-07", "2026-08", "2026-09", "2026-10")
    }
    settings = write_world(tmp_path, texts, "[evidence]\nwindow_months = 1\n" + SETTINGS)
    assert lomsong("run", "--settings", settings, "--period", "2026Q3")[0] == 0
    status = pd.read_csv(tmp_path / "outputs/2026Q3/tables/commune_status.csv").set_index(
        ["commune_code", "operator"]
    )
    assert status.loc[("r0c0", "A"), ["window_months", "test_count"]].tolist() == [3, 72]


def test_5g_stands_beside_4g_and_small_groups_of_5g_phones_stay_private(lomsong, tmp_path):
    text = month_of_tests("2026-10", FULL, per_device=4)
    for operator, speeds in (("A", [300.0, 400.0, 500.0]), ("B", [350.0, 450.0])):
        nr = month_of_tests("2026-10", {("r0c0", operator): speeds}, per_device=4, technology="5G")
        text += (
            "\n".join(nr.replace(f"device-r0c0-{operator}", f"nr-r0c0-{operator}").splitlines()[1:])
            + "\n"
        )
    assert lomsong("run", "--settings", write_world(tmp_path, {"2026-10": text}, SETTINGS))[0] == 0
    table = pd.read_csv(tmp_path / "outputs/2026-10/tables/commune_status.csv").set_index(
        ["commune_code", "operator"]
    )
    a, b, pooled = (table.loc[("r0c0", operator)] for operator in ("A", "B", "all"))
    assert (a["device_count_5g"], a["mean_5g_mbps"], a["device_count"]) == (3, 400.0, 6)
    assert a["mean_mbps"] == pytest.approx(sum(SLOW) / 6), "5G is beside the 4G mean, not in it"
    assert (b["device_count_5g"], pooled["device_count_5g"]) == (2, 5)
    assert pd.isna(b["mean_5g_mbps"])
    assert pd.isna(pooled["mean_5g_mbps"]), "less A's it would be B's two phones"
