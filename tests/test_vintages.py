"""Two vintages of communes: equal codes are two places, and nothing is joined by code alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pipeline.config.settings import Settings, read_settings
from pipeline.publish.report.content import Content
from pipeline.schema.columns import TABLES as TABLES_OF
from pipeline.schema.errors import UserFault
from pipeline.schema.periods import Period
from pipeline.sources.inputs import read_inputs
from pipeline.sources.population import INSTALLS, PEOPLE, count_per_commune, people_per_commune
from pipeline.sources.previous_runs import previous_runs
from pipeline.sources.vintages import Stated
from tests.builders import (
    about,
    month_of_tests,
    run_lomsong,
    squares,
    write_boundaries,
    write_world,
)

TARGET = {"download_mbps": 40.0, "technology": "4G"}
pytestmark = pytest.mark.slow  # whole months are run

OLD, NEW = "2024", "2025-07-01"
# the new communes are four times as large, and take over codes of old communes elsewhere
LARGE = squares(2, 2, side=0.2)
SETTINGS = f"""[former_boundaries]
path = "former.geojson"
vintage = "{OLD}"
valid_to = 2025-06-30
[evidence]
window_months = 1
widened_months = []
eb_min_communes = 2
"""
SLOW, FAST = [10.0 + i / 9 for i in range(14)], [60.0 + i for i in range(14)]
# three old communes; r0c0 and r0c1 went into the new r0c0, r2c2 into the new r1c1
PLAN = {("r0c0", "V"): SLOW, ("r0c1", "V"): FAST, ("r2c2", "V"): FAST}
OF_TODAY = {"r0c0": "r0c0", "r0c1": "r0c0", "r2c2": "r1c1"}


def two_vintages(folder: Path, more: str = "", settings: str = SETTINGS) -> Path:
    """June on the old communes and July on the new ones, the same points in both months."""
    months = {month: month_of_tests(month, PLAN) for month in ("2025-06", "2025-07")}
    file = write_world(folder, months, settings + more)
    write_boundaries(folder / "former.geojson", squares())
    write_boundaries(folder / "boundaries.geojson", LARGE)
    text = file.read_text(encoding="utf-8")
    text = text.replace("[boundaries]\n", f'[boundaries]\nvintage = "{NEW}"\n')
    file.write_text(text, encoding="utf-8")
    return file


def status_of(folder: Path, period: str) -> pd.DataFrame:
    return pd.read_parquet(folder / period / "tables/commune_status.parquet").query(
        "operator == 'V'"
    )


@pytest.fixture
def both(made_once) -> Path:
    """The outputs of both months, and of June on the communes of today."""

    def publish(folder: Path) -> None:
        settings = two_vintages(folder)
        run = ("run", "--settings", settings, "--period", "all", "--publish", "tables")
        code, text = run_lomsong(*run, "--lang", "en", "--out", folder / "out")
        assert code == 0, text
        (folder / "log.txt").write_text(text, encoding="utf-8")
        two_vintages(
            folder,
            settings="[evidence]\nwindow_months = 1\nwidened_months = []\neb_min_communes = 2\n",
        )
        assert run_lomsong(*run, "--out", folder / "today")[0] == 0

    return made_once("two vintages", publish)


@pytest.mark.parametrize("valid_to", ["2025-06-30", "2025-07-01"])
@pytest.mark.parametrize(
    ("period", "is_former"),
    [("2025-06", True), ("2025Q2", True), ("2019-12", True), ("2025-07", False), ("2025Q3", False)],
)
def test_a_period_that_ends_before_the_reform_is_of_the_former_communes(
    period, is_former, valid_to
):
    settings = Settings.model_validate(
        {
            "boundaries": {"path": "new.gpkg", "vintage": NEW, "code_length": 5},
            "former_boundaries": {
                "path": "old.gpkg",
                "vintage": OLD,
                "valid_to": valid_to,
                "expected_count": 106,
            },
            "crosswalk": {"path": "c.csv"},
        }
    )
    chosen = settings.as_of(Period.parse(period))
    assert (chosen.boundaries.vintage, chosen.is_former) == ((OLD if is_former else NEW), is_former)
    assert chosen.boundaries.expected_count == (106 if is_former else None)
    assert chosen.boundaries.code_length == (None if is_former else 5)
    assert (chosen.crosswalk.path is None) == is_former
    assert chosen.population.vintage == (NEW if is_former else "unstated")
    assert chosen.as_of(Period.parse(period)).boundaries == chosen.boundaries


@pytest.mark.parametrize(
    "lines",
    [
        'path = "a.gpkg"',
        'path = "a.gpkg"\nvintage = "2024"',
        'path = "a.gpkg"\nvalid_to = 2025-06-30',
        'path = "a.gpkg"\nvintage = "2025-07-01"\nvalid_to = 2025-06-30',
    ],
)
def test_former_boundaries_need_another_vintage_and_a_last_day(tmp_path, lines):
    file = tmp_path / "settings.toml"
    file.write_text(f'[boundaries]\nvintage = "{NEW}"\n[former_boundaries]\n{lines}\n')
    with pytest.raises(UserFault) as raised:
        read_settings(file)
    assert [one.code for one in raised.value.faults] == ["settings_value"]
    assert "vintage" in str(raised.value.faults[0].values["expected"])


def test_each_month_is_reported_on_the_communes_of_its_time(both):
    for period, vintage, communes in (("2025-06", OLD, squares()), ("2025-07", NEW, LARGE)):
        status = status_of(both / "out", period)
        assert set(status["boundary_vintage"]) == {vintage}
        assert status["commune_code"].tolist() == communes["commune_code"].tolist()
        manifest = json.loads((both / "out" / period / "manifest.json").read_text("utf-8"))
        assert manifest["settings"]["boundaries"]["vintage"] == vintage


def test_history_is_made_anew_from_the_same_points_on_the_communes_of_today(both):
    then = status_of(both / "out", "2025-06").set_index("commune_code")["test_count"]
    today = status_of(both / "today", "2025-06").set_index("commune_code")["test_count"]
    assert then[then > 0].index.tolist() == list(OF_TODAY)
    assert today[today > 0].to_dict() == then[then > 0].groupby(OF_TODAY).sum().to_dict()
    assert today.to_dict() == (
        status_of(both / "out", "2025-07").set_index("commune_code")["test_count"].to_dict()
    )
    # one series, from points: June and July are compared there, and only there
    changes = pd.read_csv(both / "today/2025-07/tables/changes.csv").query("operator == 'V'")
    assert set(changes["boundary_vintage"]) == {NEW}
    assert changes["commune_code"].tolist() == LARGE["commune_code"].tolist()


def test_the_series_of_communes_is_broken_between_vintages(both):
    assert not (both / "out/2025-07/tables/changes.csv").exists()
    manifest = json.loads((both / "out/2025-07/manifest.json").read_text("utf-8"))
    named = {"former": "2025-06", "found": OLD, "expected": NEW}
    assert manifest["results"]["series_broken"] == named
    assert "former period" not in {one["role"] for one in manifest["inputs"]}
    log = (both / "log.txt").read_text("utf-8")
    assert (
        log.count("2025-06 was run on boundaries of vintage 2024, this period on 2025-07-01") == 1
    )
    june = json.loads((both / "out/2025-06/manifest.json").read_text("utf-8"))
    assert "series_broken" not in june["results"]


def test_gaps_go_on_by_their_cells_in_the_communes_of_today(both):
    june = pd.read_csv(both / "out/2025-06/tables/gap_areas.csv")
    july = pd.read_csv(both / "out/2025-07/tables/gap_areas.csv")
    assert june["gap_id"].tolist() == july["gap_id"].tolist() == [f"r0c0/{OLD}/V/1"]
    assert june["boundary_vintage"].astype(str).tolist() == [OLD]
    assert july["boundary_vintage"].tolist() == [NEW]
    assert july["commune_code"].tolist() == ["r0c0"]
    assert july["state"].tolist() == ["persisting"]
    assert july["first_seen"].tolist() == ["2025-06"]


def test_a_gap_is_never_given_to_the_commune_that_took_over_its_code(tmp_path, lomsong):
    """The old r1c1 lies in the new r0c0; the new r1c1 lies elsewhere."""
    plan = {("r1c1", "V"): SLOW, ("r2c2", "V"): SLOW}
    settings = two_vintages(tmp_path)
    for month in ("2025-06", "2025-07"):
        text = month_of_tests(month, plan)
        (tmp_path / f"raw/{month}/tests.csv").write_text(text, encoding="utf-8")
    assert lomsong("run", "--settings", settings, "--period", "all")[0] == 0
    areas = pd.read_csv(tmp_path / "outputs/2025-07/tables/gap_areas.csv")
    found = areas.set_index("gap_id")["commune_code"].to_dict()
    assert found == {f"r1c1/{OLD}/V/1": "r0c0", f"r2c2/{OLD}/V/1": "r1c1"}
    rows = pd.read_csv(tmp_path / "outputs/2025-07/tables/priorities.csv").set_index("commune_code")
    assert rows["gap_id"].to_dict() == {v: k for k, v in found.items()}
    code, text = lomsong("explain", "r1c1", "--operator", "V", "--period", "2025-07")
    assert code == 0
    assert f"r2c2/{OLD}/V/1" in text
    assert f"r1c1/{OLD}/V/1" not in text


def test_two_runs_on_two_vintages_are_not_compared_by_code(both, lomsong):
    runs = both / "out/2025-06", both / "out/2025-07"
    code, text = lomsong("diff", *runs, "--lang", "en")
    assert code == 2
    assert "two vintages, 2024 and 2025-07-01" in text
    code, text = lomsong("diff", both / "today/2025-06", both / "today/2025-07", "--lang", "en")
    assert code == 0, text


def test_runs_of_which_one_states_no_vintage_are_compared_with_a_note(both, tmp_path, lomsong):
    july = both / "out/2025-07"
    shutil.copytree(july, tmp_path / "a")
    path = tmp_path / "a/tables/commune_status.parquet"
    pd.read_parquet(path).assign(boundary_vintage="unstated").to_parquet(path)
    code, text = lomsong("diff", "a", july, "--lang", "en")
    assert code == 0, text
    assert f"one run states no boundary vintage (unstated → {NEW})" in text
    assert "0 of 8 commune × operator verdicts changed" in text


def test_a_month_after_one_without_a_vintage_begins_its_series(tmp_path):
    folder = tmp_path / "2025-06/tables"
    folder.mkdir(parents=True)
    table = {name: pd.Series(dtype="str") for name in TABLES_OF["commune_status"]}
    row = pd.DataFrame(table).reindex([0]).assign(boundary_vintage="unstated", operator="V")
    row.to_parquet(folder / "commune_status.parquet")
    july = Period.parse("2025-07")
    found = previous_runs(tmp_path, july, NEW, 3, TARGET)
    assert (found.status, found.inputs) == (None, [])
    assert [one.code for one in found.warnings] == ["series_broken"]
    assert found.warnings[0].values["found"] == "unstated"
    same = previous_runs(tmp_path, july, "unstated", 3, TARGET)
    assert (len(same.status), same.warnings) == (1, [])
    # a later month is not compared with June, but its ledger would go on from it
    later = previous_runs(tmp_path, Period.parse("2025-09"), NEW, 3, TARGET)
    assert [one.code for one in later.warnings] == ["series_broken"]


def test_a_period_run_again_on_another_vintage_counts_no_changed_verdicts(tmp_path, lomsong):
    settings = two_vintages(tmp_path, settings="")
    run = ("run", "--settings", settings, "--period", "2025-06", "--lang", "en")
    assert lomsong(*run)[0] == 0
    two_vintages(tmp_path)
    code, text = lomsong(*run)
    assert code == 0
    assert "revision 2 of this period" in text
    assert "their verdicts cannot be compared" in text
    manifest = json.loads((tmp_path / "outputs/2025-06/manifest.json").read_text("utf-8"))
    entry = manifest["revisions"][0]
    assert (entry["changed_count"], entry["changed"]) == (None, [])
    assert "boundaries.vintage" in entry["differs"]["boundary"]


def test_the_report_says_that_the_series_is_broken():
    named = {"former": "2025-06", "found": OLD, "expected": NEW}
    broken = about("2025-07", lang="en", results={"series_broken": named})
    said = Content({}, ["V"], broken).changes()[1].text
    assert "The results of 2025-06 were made on boundaries of vintage 2024" in said
    none = Content({}, ["V"], about("2025-07", lang="en")).changes()[1].text
    assert "no results of the period before" in none


# tables of communes that other people make
HERE = squares(2, 1).assign(boundary_vintage=NEW)
ROWS = "commune_code,population{head}\nr0c0,100{a}\nr0c1,200{b}\n"


def people(folder: Path, text: str, stated: Stated, communes=HERE):
    path = folder / "p.csv"
    path.write_text(text, encoding="utf-8")
    asked = replace(PEOPLE, stated=stated)
    return people_per_commune(
        communes, path, code_column=None, people_column=None, total=None, more=asked
    )


def installs(folder: Path, text: str, stated: Stated, communes=HERE):
    path = folder / "i.csv"
    path.write_text(text, encoding="utf-8")
    asked = replace(INSTALLS, figure="population", stated=stated)
    return count_per_commune(communes, path, asked)


@pytest.mark.parametrize("read", [people, installs])
@pytest.mark.parametrize(
    ("text", "stated"),
    [
        (ROWS.format(head="", a="", b=""), Stated(OLD)),
        (ROWS.format(head=",boundary_vintage", a=",2024", b=",2024"), Stated()),
        (ROWS.format(head=",ranh_gioi", a=",2024", b=",2023"), Stated(column="ranh_gioi")),
        (ROWS.format(head=",boundary_vintage", a=",", b=","), Stated(NEW)),
    ],
)
def test_a_table_of_another_vintage_is_refused(tmp_path, read, text, stated):
    with pytest.raises(UserFault) as raised:
        read(tmp_path, text, stated)
    assert [one.code for one in raised.value.faults] == ["other_vintage"]
    assert raised.value.faults[0].values["expected"] == NEW


@pytest.mark.parametrize("read", [people, installs])
@pytest.mark.parametrize(
    ("text", "stated"),
    [
        (ROWS.format(head="", a="", b=""), Stated()),
        (ROWS.format(head="", a="", b=""), Stated(NEW)),
        (ROWS.format(head=",boundary_vintage", a=",2025-07-01", b=",2025-07-01"), Stated()),
        (ROWS.format(head=",vintage", a=",1999", b=",1999"), Stated()),  # of wine, or of a census
    ],
)
def test_a_table_of_the_same_vintage_is_joined(tmp_path, read, text, stated):
    found, warnings = read(tmp_path, text, stated)
    assert (found.tolist(), warnings) == ([100.0, 200.0], [])


@pytest.mark.parametrize("read", [people, installs])
def test_of_a_table_with_both_vintages_the_rows_of_one_count(tmp_path, read):
    text = (
        "commune_code,population,boundary_vintage\n"
        "r0c0,1,2024\nr0c0,100,2025-07-01\nr0c1,200, 2025-07-01 \nr0c1,2,2024\nr0c1,3,\n"
    )
    found, warnings = read(tmp_path, text, Stated())
    assert found.tolist() == [100.0, 200.0]
    assert [one.code for one in warnings] == ["rows_of_other_vintage"]
    assert warnings[0].values == {"found": ["2024 (2)", "– (1)"], "expected": NEW, "count": 3}
    older = HERE.assign(boundary_vintage=OLD)
    assert read(tmp_path, text, Stated(), older)[0].tolist() == [1.0, 2.0]


def test_boundaries_without_a_vintage_take_a_table_of_one(tmp_path):
    unstated = HERE.assign(boundary_vintage="unstated")
    text = ROWS.format(head=",boundary_vintage", a=",2024", b=",2024")
    found, warnings = people(tmp_path, text, Stated(), unstated)
    assert found.tolist() == [100.0, 200.0]
    assert [one.code for one in warnings] == ["vintage_unstated"]
    text = ROWS.format(head=",boundary_vintage", a=",2024", b=",2025-07-01")
    with pytest.raises(UserFault) as raised:
        people(tmp_path, text, Stated(), unstated)
    assert [one.code for one in raised.value.faults] == ["vintage_open"]


def test_a_column_of_vintages_that_is_not_there_is_a_fault(tmp_path):
    with pytest.raises(UserFault) as raised:
        people(tmp_path, ROWS.format(head="", a="", b=""), Stated(column="v"))
    assert [one.code for one in raised.value.faults] == ["missing_column"]


TABLES = '[population]\npath = "p.csv"\n[installs]\npath = "i.csv"\n'


def write_tables(folder: Path, *, vintages: bool) -> None:
    for name, column in (("p", "population"), ("i", "installs")):
        head, old, new = (",boundary_vintage", f",{OLD}", f",{NEW}") if vintages else ("", "", "")
        rows = [f"{code},400{new}" for code in LARGE["commune_code"]]
        rows += [f"{code},100{old}" for code in squares()["commune_code"]] if vintages else []
        text = "\n".join([f"commune_code,{column}{head}", *rows]) + "\n"
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")


def inputs_of(settings: Path, period: str):
    """What is read for a period, but for the tests."""
    found = read_inputs(read_settings(settings).as_of(Period.parse(period)))
    assert found.faults == []
    return found.inputs


def test_tables_of_today_are_left_out_of_periods_before(tmp_path):
    write_tables(tmp_path, vintages=False)
    settings = two_vintages(tmp_path, TABLES)
    june, july = inputs_of(settings, "2025-06"), inputs_of(settings, "2025-07")
    left_out = [one.file for one in june.warnings if one.code == "left_out_before"]
    assert left_out == ["p.csv", "i.csv"]
    assert june.communes["population"].isna().all()
    assert june.installs is None
    assert {"population", "installs"}.isdisjoint(one.role for one in june.read)
    assert [one for one in july.warnings if one.code == "left_out_before"] == []
    assert july.communes["population"].tolist() == july.installs.tolist() == [400.0] * 4


def test_a_table_with_both_vintages_serves_both_periods(tmp_path):
    write_tables(tmp_path, vintages=True)
    settings = two_vintages(tmp_path, TABLES)
    for period, each, count, rest in (("2025-06", 100, 16, 4), ("2025-07", 400, 4, 16)):
        found = inputs_of(settings, period)
        assert found.communes["population"].tolist() == [each] * count
        assert found.installs.tolist() == [each] * count
        counted = [one for one in found.warnings if one.code == "rows_of_other_vintage"]
        assert [one.values["count"] for one in counted] == [rest, rest]


def test_the_latest_boundaries_take_no_table_of_before(tmp_path):
    write_tables(tmp_path, vintages=False)
    settings = two_vintages(tmp_path, TABLES.replace('"p.csv"', f'"p.csv"\nvintage = "{OLD}"'))
    found = read_inputs(read_settings(settings).as_of(Period.parse("2025-07")))
    assert [(one.code, one.file) for one in found.faults] == [("other_vintage", "p.csv")]
    assert found.faults[0].values == {"found": OLD, "expected": NEW}


def test_check_reads_a_period_of_before_on_its_communes(tmp_path, lomsong):
    settings = two_vintages(tmp_path)
    for period, count, vintage in (("2025-06", 16, OLD), ("2025-07", 4, NEW)):
        code, text = lomsong("check", "--settings", settings, "--period", period, "--lang", "en")
        assert code == 0, text
        assert f"boundaries: {count} communes" in text
        assert f"vintage {vintage}" in text
    (tmp_path / "raw/2025-07/tests.csv").unlink()
    code, text = lomsong("check", "--settings", settings, "--lang", "en")
    assert code == 0, text
    assert f"vintage {OLD}" in text
    assert f"vintage {NEW}" not in text
