"""`explain` says what the tables say; `diff` says what changed and by what."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.schema import texts
from pipeline.verdicts import compare
from pipeline.verdicts.explain import plain
from tests.builders import month_of_tests, run_lomsong, write_boundaries, write_world

pytestmark = pytest.mark.slow  # whole months are run


@pytest.fixture
def golden(golden_tables, lomsong, monkeypatch) -> Path:
    """The golden month's tables; the command runs beside them."""
    monkeypatch.chdir(golden_tables)
    return golden_tables / "outputs/2026-10"


def test_the_demo_is_explained_row_by_row_with_the_tables_figures(demo_outputs, lomsong):
    status = pd.read_parquet(demo_outputs / "tables/commune_status.parquet")
    codes = status["commune_code"].unique()
    intervals = []
    # a language each: every run of the command takes a tenth of a second
    for code, lang in zip(codes, itertools.cycle(("vi", "en")), strict=False):
        exit_code, text = lomsong("explain", code, "--out", demo_outputs.parent, "--lang", lang)
        assert exit_code == 0, text
        blocks = text.split("\n\n")
        rows = status[status["commune_code"] == code].to_dict("records")
        assert len(blocks) == len(rows) + 1
        for row, block in zip(rows, blocks, strict=False):
            key = row["status"] if row["status"] != "meets_target" else f"meets_{row['evidence']}"
            assert block.splitlines()[0].endswith(f"{row['period']}: {texts.word(key, lang)}")
            assert "nan" not in block
            assert "{" not in block
            gates = [g for g in row["failed_gates"].split(";") if g]
            assert block.count("\n  – ") == len(gates)
        is_listed = (status["commune_code"] == code) & (status["operator"] != "all")
        names = status.loc[is_listed & status["status"].eq("borderline"), "operator"]
        listed = (
            f"{texts.word('borderline', lang)}: {', '.join(names) or texts.word('nobody', lang)}."
        )
        assert listed in blocks[-1]
        intervals += re.findall(r"interval from these devices alone: ([\d.,]+) – ([\d.,]+) ", text)
    known = status[status["commune_code"].isin(codes[1::2]) & status["lo_mbps"].notna()]
    shown = [[float(end.replace(",", "")) for end in interval] for interval in intervals]
    assert len(shown) > 25
    np.testing.assert_allclose(shown, known[["lo_mbps", "hi_mbps"]], rtol=0, atol=0.0051)


@pytest.mark.usefixtures("golden")
def test_private_figures_are_not_shown(lomsong):
    _, text = lomsong("explain", "r1c2", "--operator", "B", "--lang", "en")
    assert "2 devices" in text
    assert "No speed is published" in text
    assert "10 Mbit/s" not in text
    assert "at least 8 more devices" in text


def test_confirmed_borrowed_and_undecided_say_why(golden, lomsong):
    folder = golden
    status = pd.read_parquet(folder / "tables/commune_status.parquet")
    _, text = lomsong("explain", "xã r0c0", "--operator", "a", "--lang", "en")
    assert "Every gate of a confirmed verdict is passed" in text
    assert "more devices" not in text
    borrowed = status[status["evidence_basis"].eq("borrowed")].iloc[0]
    _, text = lomsong(
        "explain", borrowed["commune_code"], "--operator", borrowed["operator"], "--lang", "en"
    )
    assert f"{round(100 * borrowed['borrowed_gap_probability'], 1):g} %" in text
    assert "a confirmed verdict asks 10" in text
    _, text = lomsong("explain", "r0c3", "--operator", "A", "--lang", "en")
    assert "nobody tested" in text
    assert "Silence is not a pass" in text


def test_every_undecided_row_says_how_many_devices_would_decide_or_why_none(demo_outputs, lomsong):
    status = pd.read_parquet(demo_outputs / "tables/commune_status.parquet")
    confirmed = status["evidence"].eq("confirmed")
    number, reason = status["devices_to_decide"], status["devices_to_decide_reason"]
    assert number[confirmed].isna().all()
    assert reason[confirmed].isna().all()
    assert (number.dropna() >= 1).all()
    assert not (number.notna() & reason.notna()).any()
    has_interval = status["lo_mbps"].notna() & ~confirmed
    assert (number.notna() | reason.notna())[has_interval].all()
    clear = "more devices the interval lies clear of the target in 80 % of futures"
    for row, sentence in (
        (status[number.notna()].iloc[0], "with {devices_to_decide:,.0f} " + clear),
        (status[reason.eq("other_gate")].iloc[0], "not the number of devices. It is enough"),
    ):
        asked = ("explain", row["commune_code"], "--operator", row["operator"], "--lang", "en")
        _, text = lomsong(*asked, "--out", demo_outputs.parent)
        assert sentence.format(**row) in " ".join(text.split())


@pytest.mark.usefixtures("golden")
def test_names_without_accents_and_parts_of_names_will_do(lomsong):
    assert plain("  Xã ĐỨC  Thắng ") == "xa duc thang"
    assert lomsong("explain", "XA R0C0")[0] == lomsong("explain", "r0c0")[0] == 0
    code, text = lomsong("explain", "r0", "--lang", "en")
    assert code == 2
    assert "does not name one commune" in text
    assert "r0c3" in text
    code, text = lomsong("explain", "r0c0", "--operator", "Z", "--lang", "en")
    assert (code, "no operator “Z”; there are: A, B, all" in text) == (2, True)


def test_where_there_is_no_run_there_is_an_error_message(lomsong, tmp_path, golden):
    folder = shutil.copytree(golden, tmp_path / "2026-10")
    assert lomsong("explain", "r0c0", "--out", tmp_path / "nowhere")[0] == 2
    assert lomsong("explain", "r0c0", "--period", "2026-09")[0] == 2
    assert lomsong("diff", folder, tmp_path)[0] == 2
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["settings"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    code, text = lomsong("diff", folder, folder, "--lang", "en")
    assert code == 2
    assert "another version" in text


# --- diff

SLOW, FAST = [10.0, 12.0, 14.0, 9.0, 11.0, 13.0] * 2, [80.0, 90.0, 70.0] * 4
PLAN = {
    ("r0c0", "V"): SLOW,
    ("r1c1", "V"): FAST,
    ("r2c2", "V"): [30.0, 50.0, 35.0, 42.0, 38.0, 44.0] * 2,
}


def compared(lomsong, first, second) -> str:
    code, text = lomsong(
        "diff", first / "outputs/2026-10", second / "outputs/2026-10", "--lang", "en"
    )
    assert code == 0, text
    return text


@pytest.fixture
def base(made_once):
    def publish(folder: Path) -> None:
        settings = write_world(folder, {"2026-10": month_of_tests("2026-10", PLAN)})
        run = ("run", "--settings", settings, "--out", folder / "outputs", "--publish", "tables")
        assert run_lomsong(*run)[0] == 0

    return made_once("diff-base", publish)


def changed(lomsong, tmp_path, name: str, plan=PLAN, *, settings="", boundary=False):
    folder = tmp_path / name
    file = write_world(folder, {"2026-10": month_of_tests("2026-10", plan)}, settings)
    if boundary:
        from tests.builders import squares

        write_boundaries(folder / "boundaries.geojson", squares(side=0.1, west=103.05))
    assert lomsong("run", "--settings", file, "--out", folder / "outputs")[0] == 0
    return folder


def test_equal_runs_are_reported_as_equal(base, lomsong, tmp_path):
    text = compared(lomsong, base, changed(lomsong, tmp_path, "same"))
    assert "the runs are alike" in text
    assert "0 of " in text


@pytest.mark.slow
def test_a_changes_cause_is_data_settings_boundary_or_rule(base, lomsong, tmp_path):
    text = compared(lomsong, base, changed(lomsong, tmp_path, "data", PLAN | {("r1c1", "V"): SLOW}))
    assert "they differ in data: " in text
    assert (
        "r1c1 Xã r1c1 · V: meets_target/confirmed/direct → confirmed_gap/confirmed/direct (data)"
        in text
    )
    text = compared(
        lomsong,
        base,
        changed(lomsong, tmp_path, "settings", settings="[target]\ndownload_mbps = 9.0\n"),
    )
    assert "they differ in settings: target.download_mbps" in text
    assert re.search(r"r0c0 .* V: confirmed_gap\S* → \S+ \(settings\)", text)
    assert "(data)" not in text
    text = compared(lomsong, base, changed(lomsong, tmp_path, "boundary", boundary=True))
    assert "they differ in boundary: boundaries.geojson" in text
    assert "(boundary)" in text
    rule = shutil.copytree(base, tmp_path / "rule")
    manifest = json.loads((rule / "outputs/2026-10/manifest.json").read_text(encoding="utf-8"))
    manifest["rules_sha256"] = "another"
    (rule / "outputs/2026-10/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    table = pd.read_parquet(rule / "outputs/2026-10/tables/commune_status.parquet")
    table.loc[table["status"] == "borderline", "status"] = "probable_gap"
    table.to_parquet(rule / "outputs/2026-10/tables/commune_status.parquet")
    text = compared(lomsong, base, rule)
    assert "they differ in rule" in text
    assert re.search(r"borderline\S* → probable_gap\S* \(rule\)", text)


def test_a_row_that_changed_through_others_data_has_a_cause_of_its_own():
    columns = {"commune_name": "x", "boundary_vintage": "v", "evidence": "none",
               "evidence_basis": "direct",
               "window_months": 3.0, "test_count": 9.0, "sample_count": 9.0,
               "device_count": 5.0, "date_count": 3.0, "failed_test_count": 0.0,
               "mean_mbps": 30.0}  # fmt: skip
    before = pd.DataFrame(
        [
            {"commune_code": code, "operator": "V", "status": "borderline"} | columns
            for code in "abc"
        ]
    )
    after = before.assign(status="probable_gap")
    after.loc[1, "mean_mbps"] = 29.0
    after.loc[2, "commune_code"] = "d"
    why = {"data": ["one.csv"], "inputs": [], "boundary": [], "settings": [], "rule": []}
    table = compare.changed_rows(before, after, why).set_index("commune_code")["cause"].to_dict()
    assert table == {"a": "others", "b": "data", "c": "gone", "d": "appeared"}
    both = why | {
        "settings": ["quality.max_download_mbps", "evidence.max_q"],
        "boundary": ["b"],
        "rule": ["1 → 2"],
    }
    table = compare.changed_rows(before, after, both).set_index("commune_code")["cause"].to_dict()
    assert table["a"] == "settings+rule"
    assert table["b"] == "data+boundary+settings"
    other = {name: ["events.csv"] if name == "inputs" else [] for name in why}
    table = compare.changed_rows(before, after, other).set_index("commune_code")["cause"].to_dict()
    assert (table["a"], table["b"]) == ("inputs", "inputs")


def account(period: str = "2026-10", **hashes: str) -> dict:
    """What a manifest says of a run whose inputs are in these roles (`_` for a space)."""
    inputs = [
        {"role": role.replace("_", " "), "name": f"{role}.csv", "sha256": sha256,
         "is_delivery": role == "ispeed"}
        for role, sha256 in hashes.items()
    ]  # fmt: skip
    return {"period": period, "window_months": 3, "settings": {}, "inputs": inputs}


@pytest.mark.parametrize(
    ("role", "cause"),
    [("ispeed", "data"), ("boundaries", "boundary")]
    + [(role.replace(" ", "_"), "inputs") for role in compare.ROLES if role != "boundaries"],
)
def test_another_file_in_any_role_is_a_cause(role, cause):
    nothing = {name: [] for name in ("data", "inputs", "boundary", "settings", "rule")}
    one, other = account(**{role: "a"}), account(**{role: "b"})
    assert compare.causes(one, one) == nothing
    assert compare.causes(one, other) == nothing | {cause: [f"{role}.csv"]}
    assert compare.causes(account(), one) == nothing | {cause: [f"{role}.csv"]}


def test_results_of_former_runs_are_no_cause_between_two_periods():
    one = account("2026-09", gap_ledger="a", former_period="a", events="a")
    other = account("2026-10", gap_ledger="b", former_period="b", events="b")
    assert compare.causes(one, other)["inputs"] == ["events.csv"]
