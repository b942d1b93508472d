"""A month that is run again when late data arrive.

A number, what changed, and rows that count once.
"""

from __future__ import annotations

import json

import docx
import pandas as pd
import pytest

from tests.builders import month_of_tests, write_world
from tests.village_world import RULES, SLOW, others, rows, text, with_villages

pytestmark = pytest.mark.slow  # whole months are run

PLAN = {
    ("r0c0", "V"): [10.0 + i / 9 for i in range(14)],
    ("r1c1", "V"): [60.0 + i for i in range(14)],
}


def manifest(tmp_path) -> dict:
    return json.loads((tmp_path / "outputs/2026-10/manifest.json").read_text(encoding="utf-8"))


def world(tmp_path):
    return write_world(
        tmp_path, {"2026-10": month_of_tests("2026-10", PLAN)}, "[report]\npdf = false\n"
    )


def test_the_same_again_is_the_same_revision(tmp_path, lomsong):
    settings = world(tmp_path)
    for _ in range(2):
        assert lomsong("run", "--settings", settings)[0] == 0
        assert (manifest(tmp_path)["revision"], manifest(tmp_path)["revisions"]) == (1, [])


@pytest.mark.slow
def test_late_data_make_a_revision_that_lists_what_changed(tmp_path, lomsong):
    settings = world(tmp_path)
    assert lomsong("run", "--settings", settings)[0] == 0
    late = month_of_tests("2026-10", {("r2c2", "V"): [9.0 + i / 9 for i in range(14)]})
    (tmp_path / "raw/2026-10/late.csv").write_text(late, encoding="utf-8")
    parts = ("--publish", "tables,report")
    code, text = lomsong("run", "--settings", settings, *parts, "--lang", "en")
    assert code == 0
    assert "revision 2 of this period; differs from the one before in data" in text
    found = manifest(tmp_path)
    assert found["revision"] == 2
    entry = found["revisions"][0]
    assert entry["differs"]["data"] == ["late.csv"]
    assert set(entry["differs"]) <= {"data", "settings"}, "the language is a setting"
    assert entry["changed_count"] == len(entry["changed"]) > 0
    assert any(
        line.startswith("r2c2 Xã r2c2 · V: no_data/none → confirmed_gap/confirmed")
        for line in entry["changed"]
    )
    text = "\n".join(
        p.text
        for p in docx.Document(
            str(tmp_path / "outputs/2026-10/report/monthly_report.docx")
        ).paragraphs
    )
    assert "This is revision 2" in text
    # once more, without anything new: still the second
    assert lomsong("run", "--settings", settings, "--lang", "en")[0] == 0
    assert manifest(tmp_path)["revision"] == 2
    assert len(manifest(tmp_path)["revisions"]) == 1


def test_a_folder_that_is_no_run_counts_as_none(tmp_path, lomsong):
    settings = world(tmp_path)
    (tmp_path / "outputs/2026-10").mkdir(parents=True)
    (tmp_path / "outputs/2026-10/manifest.json").write_text("{", encoding="utf-8")
    assert lomsong("run", "--settings", settings)[0] == 0
    assert manifest(tmp_path)["revision"] == 1


def test_a_file_delivered_twice_and_a_row_in_two_files_count_once(tmp_path, lomsong):
    settings = world(tmp_path)
    assert lomsong("run", "--settings", settings)[0] == 0
    before = pd.read_parquet(tmp_path / "outputs/2026-10/tables/commune_status.parquet")
    first = (tmp_path / "raw/2026-10/tests.csv").read_text(encoding="utf-8")
    (tmp_path / "raw/2026-10/again.csv").write_text(first, encoding="utf-8")
    lines = first.splitlines()
    (tmp_path / "raw/2026-10/part.csv").write_text(
        "\n".join([lines[0], *lines[5:9]]) + "\n", encoding="utf-8"
    )
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 0
    assert "has the same content as" in text
    after = pd.read_parquet(tmp_path / "outputs/2026-10/tables/commune_status.parquet")
    pd.testing.assert_frame_equal(before, after)
    summary = pd.read_csv(tmp_path / "outputs/2026-10/tables/rejects_summary.csv")
    assert (
        summary.loc[summary["reject_reason"] == "duplicate", "reject_count"].sum()
        == len(lines) - 1 + 4
    )
    assert manifest(tmp_path)["revisions"][0]["changed_count"] == 0


@pytest.mark.parametrize("name", ["boundaries", "population", "crosswalk", "gap ledger"])
def test_a_source_called_like_a_role_is_logged_and_blamed_as_a_source(tmp_path, lomsong, name):
    settings = world(tmp_path)
    text = settings.read_text(encoding="utf-8").replace("sources.ispeed", f'sources."{name}"')
    settings.write_text(text, encoding="utf-8")
    run = ("run", "--settings", settings, "--lang", "en", "--publish", "tables")
    code, text = lomsong(*run)
    assert code == 0, text
    assert f"read {name}: 84 rows from 1 files" in text
    late = month_of_tests("2026-10", {("r2c2", "V"): [9.0 + i / 9 for i in range(14)]})
    (tmp_path / "raw/2026-10/late.csv").write_text(late, encoding="utf-8")
    code, text = lomsong(*run)
    assert code == 0
    assert f"read {name}: 126 rows from 2 files" in text
    assert "differs from the one before in data;" in text
    assert manifest(tmp_path)["revisions"][0]["differs"] == {"data": ["late.csv"]}


def test_another_list_of_events_or_villages_makes_a_revision(tmp_path, lomsong):
    def run(part: str) -> dict:
        code, said = lomsong("run", "--settings", settings, "--publish", "tables", "--lang", "en")
        assert code == 0, said
        assert part in said, said
        return manifest(tmp_path)

    def happen(day: str) -> None:
        lines = f"date,kind,operator,end_date,commune_code\n{day},on_air,V,,r0c0\n"
        (tmp_path / "events.csv").write_text(lines, encoding="utf-8")

    months = {"2026-10": text(rows("2026-10", "r0c0", SLOW, "a"), others("2026-10"))}
    lines = with_villages(tmp_path) + RULES + '[events]\npath = "events.csv"\n'
    settings = write_world(tmp_path, months, lines)
    happen("2026-01-01")
    assert run("")["revision"] == 1
    happen("2026-10-08")  # two thirds of r0c0's tests no longer judge
    found = run("revision 2 of this period; differs from the one before in other inputs;")
    assert found["revisions"][0]["differs"] == {"inputs": ["events.csv"]}
    assert found["revisions"][0]["changed"][0].startswith("r0c0 ")
    assert found["revisions"][0]["changed"][0].endswith(" (inputs)")
    assert run("")["revision"] == 2
    with_villages(tmp_path, "A", "B", "D")
    found = run("differs from the one before in other inputs")
    assert found["revisions"][1]["differs"] == {"inputs": ["villages.csv"]}
