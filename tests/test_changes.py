"""What became of each verdict since the former period.

A decision table, and two months end to end.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.schema.columns import TABLES
from pipeline.verdicts.changes import changes
from tests.builders import month_of_tests, run_lomsong, write_world

pytestmark = pytest.mark.slow  # whole months are run

NAN = np.nan


def status_of(
    status: str,
    lo: float,
    hi: float,
    period: str = "2026-10",
    vintage: str = "v",
    operator: str = "V",
) -> pd.DataFrame:
    row = {name: [NAN] for name in TABLES["commune_status"]}
    row |= {
        "commune_code": ["a"],
        "commune_name": ["A"],
        "boundary_vintage": [vintage],
        "operator": [operator],
    }
    return pd.DataFrame(
        row
        | {
            "period": [period],
            "status": [status],
            "mean_mbps": [(lo + hi) / 2],
            "lo_mbps": [lo],
            "hi_mbps": [hi],
        }
    )


CHANGE_TABLE = [
    # a gap now and not then: new where it is slower, else decided
    (("borderline", 31, 50), ("confirmed_gap", 20, 30), "new_gap"),
    (("borderline", 30, 50), ("confirmed_gap", 20, 30), "decided"),  # 30 is in both intervals
    (("borderline", 30, 50), ("probable_gap", 20, 45), "decided"),
    (("meets_target", 45, 60), ("confirmed_gap", 20, 30), "new_gap"),
    (("meets_target", 41, 60), ("probable_gap", 20, 45), "decided"),
    (("insufficient_evidence", 36, 90), ("probable_gap", 20, 35), "new_gap"),
    (("insufficient_evidence", 20, 90), ("confirmed_gap", 20, 35), "decided"),
    (("insufficient_evidence", NAN, NAN), ("probable_gap", 20, 45), "decided"),
    (("no_data", NAN, NAN), ("confirmed_gap", 20, 30), "decided"),
    (("borderline", 10, 19), ("probable_gap", 20, 39), "better"),  # a gap, but a faster one
    # a gap then, the target met now: closed where it is faster, else decided
    (("confirmed_gap", 20, 30), ("meets_target", 45, 60), "closed_gap"),
    (("probable_gap", 20, 40), ("meets_target", 41, 60), "closed_gap"),
    (("probable_gap", 20, 50), ("meets_target", 41, 60), "decided"),
    # no longer decided, decided as a pass
    (("confirmed_gap", 20, 30), ("borderline", 31, 45), "better"),
    (("confirmed_gap", 20, 30), ("borderline", 30, 45), "decided"),
    (("confirmed_gap", 20, 30), ("insufficient_evidence", NAN, NAN), "decided"),
    (("confirmed_gap", 20, 30), ("no_data", NAN, NAN), "decided"),
    (("meets_target", 45, 60), ("borderline", 35, 50), "decided"),
    (("meets_target", 45, 60), ("borderline", 35, 44), "worse"),
    (("borderline", 35, 50), ("meets_target", 41, 60), "decided"),
    (("borderline", 35, 40), ("meets_target", 41, 60), "better"),
    (("no_data", NAN, NAN), ("meets_target", 45, 60), "decided"),
    # the same verdict, whatever its evidence
    (("confirmed_gap", 20, 30), ("confirmed_gap", 10, 19), "worse"),
    (("probable_gap", 20, 45), ("confirmed_gap", 20, 30), "no_change"),
    (("confirmed_gap", 20, 30), ("probable_gap", 25, 45), "no_change"),
    (("confirmed_gap", 20, 30), ("confirmed_gap", 25, 35), "no_change"),
    (("meets_target", 60, 80), ("meets_target", 45, 59), "worse"),
    (("meets_target", 45, 60), ("meets_target", NAN, NAN), "not_comparable"),
    (("borderline", 30, 50), ("insufficient_evidence", 30, 60), "no_change"),
    (("borderline", 30, 50), ("insufficient_evidence", NAN, NAN), "not_comparable"),
    (("insufficient_evidence", NAN, NAN), ("borderline", 30, 50), "not_comparable"),
    (("no_data", NAN, NAN), ("no_data", NAN, NAN), "not_comparable"),
]


@pytest.mark.parametrize(("former", "now", "change"), CHANGE_TABLE)
def test_the_first_rule_that_holds_names_the_change(former, now, change):
    found = changes(status_of(*now), status_of(*former, period="2026-09"))
    assert found["change"].tolist() == [change]
    assert found["former_period"].tolist() == ["2026-09"]


def test_a_code_of_another_vintage_is_another_commune():
    """Codes were re-used in the 2025 reform."""
    assert changes(
        status_of("confirmed_gap", 1, 2), status_of("meets_target", 50, 60, vintage="w")
    ).empty
    assert changes(
        status_of("confirmed_gap", 1, 2), status_of("meets_target", 50, 60, operator="W")
    ).empty
    assert changes(status_of("confirmed_gap", 1, 2), None).empty


def slow_then_fast(tmp_path):
    """Two months in which one commune's gap is closed in October.

    Another commune stays as it is; a third is as slow as before and tested for the first time.
    """
    months = {
        "2026-09": {
            ("r0c0", "V"): [10.0 + i / 9 for i in range(14)],
            ("r1c1", "V"): [60.0 + i for i in range(14)],
        },
        "2026-10": {
            ("r0c0", "V"): [80.0 + i / 9 for i in range(14)],
            ("r1c1", "V"): [60.0 + i for i in range(14)],
            ("r2c2", "V"): [10.0 + i / 9 for i in range(14)],
        },
    }
    texts = {month: month_of_tests(month, plan) for month, plan in months.items()}
    return write_world(tmp_path, texts, "[evidence]\nwindow_months = 1\nwidened_months = []\n")


@pytest.fixture
def september(made_once, tmp_path) -> Path:
    """A copy of two months' inputs with the tables that a run published for the first of them."""

    def publish(folder: Path) -> None:
        run = ("run", "--settings", slow_then_fast(folder), "--out", folder / "outputs")
        assert run_lomsong(*run, "--period", "2026-09", "--publish", "tables")[0] == 0

    shutil.copytree(made_once("september", publish), tmp_path, dirs_exist_ok=True)
    return tmp_path / "settings.toml"


def test_two_months_one_after_the_other(tmp_path, lomsong, september):
    settings = september
    assert not (tmp_path / "outputs/2026-09/tables/changes.csv").exists(), (
        "nothing before it, nothing to say"
    )
    assert lomsong("run", "--settings", settings, "--period", "2026-10")[0] == 0
    folder = tmp_path / "outputs/2026-10"
    found = (
        pd.read_csv(folder / "tables/changes.csv")
        .query("operator == 'V'")
        .set_index("commune_code")["change"]
    )
    assert found["r0c0"] == "closed_gap"
    assert found["r1c1"] == "no_change"
    assert found["r2c2"] == "decided"
    assert found["r3c3"] == "not_comparable"
    roles = {
        i["role"]: i
        for i in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["inputs"]
    }
    assert roles["former period"]["name"] == "2026-09/tables/commune_status.parquet"
    described = json.loads((folder / "tables/datapackage.json").read_text(encoding="utf-8"))
    assert "changes" in {resource["name"] for resource in described["resources"]}


def test_only_the_period_just_before_is_compared(tmp_path, lomsong, september):
    settings = september
    (tmp_path / "outputs/2026-09").rename(tmp_path / "outputs/2026-08")
    assert lomsong("run", "--settings", settings, "--period", "2026-10")[0] == 0
    assert not (tmp_path / "outputs/2026-10/tables/changes.csv").exists()


def test_another_versions_month_is_an_error_message(tmp_path, lomsong, september):
    settings = september
    path = tmp_path / "outputs/2026-09/tables/commune_status.parquet"
    pd.read_parquet(path).drop(columns="hi_mbps").to_parquet(path)
    code, text = lomsong("run", "--settings", settings, "--period", "2026-10", "--lang", "en")
    assert code == 2
    assert "lacks: hi_mbps" in text
