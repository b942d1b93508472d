"""The command as users meet it: exit codes, error messages, untouched outputs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import __version__
from tests.builders import (
    SHARED,
    accept,
    month_of_tests,
    run_lomsong,
    write_boundaries,
    write_world,
)

pytestmark = pytest.mark.slow  # whole months are run

ONE_MONTH = {
    "2026-10": month_of_tests(
        "2026-10",
        {
            ("r0c0", "V"): [10.0, 12.0, 14.0, 9.0, 11.0, 13.0] * 2,
            ("r1c1", "V"): [80.0, 90.0, 70.0] * 4,
        },
    )
}


def test_version_and_help_with_examples(lomsong):
    assert lomsong("--version") == (0, f"lomsong {__version__}\n")
    for command in ("run", "check", "demo", "explain", "diff"):
        code, text = lomsong(command, "--help")
        assert code == 0
        assert f"lomsong {command}" in re.sub(r"\s+", " ", text), "an example"


def test_a_run_writes_the_declared_files(lomsong, tmp_path):
    everything = ("--publish", "tables,map,gis,report", "--lang", "en")
    code, text = lomsong("run", "--settings", write_world(tmp_path, ONE_MONTH), *everything)
    assert code == 0, text
    assert "clean ispeed: 72 read = 72 valid + 0 failed + 0 set aside" in text
    names = {
        p.relative_to(tmp_path / "outputs/2026-10").as_posix()
        for p in (tmp_path / "outputs/2026-10").rglob("*")
        if p.is_file()
    }
    tables = (
        "commune_status",
        "commune_summary",
        "gap_areas",
        "gap_ledger",
        "priorities",
        "measure_first",
        "sample_tracker",
        "participation",
        "operator_summary",
        "rejects",
        "rejects_summary",
        "sharing",
    )
    expected = {f"tables/{t}.{e}" for t in tables for e in ("csv", "parquet")}
    names.discard("report/monthly_report.pdf")  # only where LibreOffice is
    assert names == expected | {
        "tables/hex_status.parquet",
        "tables/priorities_V.csv",
        "tables/priorities.xlsx",
        "tables/data_dictionary.csv",
        "tables/datapackage.json",
        "gis/coverage_gaps.gpkg",
        "gis/coverage_gaps.qgz",
        "gis/coverage_gaps.kml",
        "packs/V.zip",
        "maps/coverage_gaps.html",
        "maps/coverage_gaps.png",
        "report/monthly_report.docx",
        "report/summary.png",
        "manifest.json",
    }


def test_parts_can_be_published_alone(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH)
    assert lomsong("run", "--settings", settings, "--publish", "map")[0] == 0
    assert not (tmp_path / "outputs/2026-10/tables").exists()
    code, text = lomsong(
        "run", "--settings", settings, "--publish", "tables,posters", "--lang", "en"
    )
    assert code == 2
    assert "cannot publish “posters”; this version publishes: tables, map, gis, report" in text


def test_only_what_there_is_can_be_asked_for(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH)
    assert lomsong("run", "--settings", settings, "--engine", "local")[0] == 0
    code, text = lomsong("run", "--settings", settings, "--engine", "spark", "--lang", "en")
    assert code == 2
    assert "this version has no engine “spark”; it has: local, dask" in text


def test_a_file_that_two_sources_read_is_a_fault(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH, '[sources.again]\npath = "raw/2026-10/tests.csv"\n')
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 2
    assert "is read by two sources: ispeed, again" in text


def test_files_of_other_types_are_not_passed_over_in_silence(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH)
    (tmp_path / "raw/2026-10/old.doc").write_bytes(b"x")
    (tmp_path / "raw/README.md").write_text("x")
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 0
    assert "files of other types were passed over: old.doc" in text


def test_options_override_the_settings(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH)
    (tmp_path / "a.csv").write_text(month_of_tests("2026-09", {("r2c2", "V"): [20.0] * 6}))
    (tmp_path / "b.csv").write_text(month_of_tests("2026-09", {("r2c3", "V"): [20.0] * 5}))
    (tmp_path / "people.csv").write_text("commune_code,population\nr2c2,777\n")
    code, text = lomsong(
        "run",
        "--settings",
        settings,
        "--measurements",
        "a.csv",
        "b.csv",
        "--population",
        "people.csv",
        "--out",
        "elsewhere",
    )
    assert code == 0, text
    summary = pd.read_csv(tmp_path / "elsewhere/2026-09/tables/commune_summary.csv")
    assert summary["test_count"].sum() == 33
    assert summary.set_index("commune_code").loc["r2c2", "population"] == 777


def test_without_settings_two_options_are_enough(lomsong, tmp_path):
    write_boundaries(tmp_path / "b.geojson")
    (tmp_path / "a.csv").write_text(ONE_MONTH["2026-10"])
    assert lomsong("run", "--measurements", "a.csv", "--boundaries", "b.geojson")[0] == 0
    assert (tmp_path / "outputs/2026-10/manifest.json").is_file()


def test_periods_and_all_of_them(lomsong, tmp_path):
    settings = write_world(
        tmp_path,
        {
            m: month_of_tests(m, {("r0c0", "V"): [10.0] * 6})
            for m in ("2026-07", "2026-08", "2026-10")
        },
    )
    code, text = lomsong("run", "--settings", settings, "--period", "all", "--lang", "en")
    assert code == 0, text
    assert "note: the evidence window lacks data of the months: 2026-09" in text
    assert sorted(
        p.name for p in (tmp_path / "outputs").iterdir() if not p.name.startswith(".")
    ) == ["2026-07", "2026-08", "2026-10"]
    status = pd.read_csv(tmp_path / "outputs/2026-10/tables/commune_status.csv").query(
        "commune_code == 'r0c0' and operator == 'V'"
    )
    assert status["test_count"].tolist() == [36], (
        "the window of October reaches back to August and not to July"
    )
    assert status["month_test_count"].tolist() == [18]
    quarter_code, _ = lomsong("run", "--settings", settings, "--period", "2026Q3")
    assert quarter_code == 0
    quarter = pd.read_csv(tmp_path / "outputs/2026Q3/tables/commune_status.csv").query(
        "commune_code == 'r0c0' and operator == 'V'"
    )
    assert quarter["test_count"].tolist() == [36], "July and August"


def test_a_phone_with_a_wrong_clock_does_not_choose_the_period(lomsong, tmp_path):
    many = month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 400})
    stray = many.splitlines()[1].replace("2026-10", "2031-01")
    settings = write_world(tmp_path, {"2026-10": many + stray + "\n"})
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 0
    assert "months with so few rows that they are not chosen as the report period: 2031-01" in text
    assert (tmp_path / "outputs/2026-10").is_dir()


HEAD = "measured_at,latitude,longitude,operator,technology,download_mbps\n"


def bad_inputs(tmp_path):
    """(what the user did, part of the one-line error message)."""
    return {
        "missing file": (
            (tmp_path / "boundaries.geojson").unlink,
            "boundaries.geojson: no such file",
        ),
        "empty file": (
            lambda: (tmp_path / "raw/2026-10/tests.csv").write_text(""),
            "tests.csv: the file is empty",
        ),
        "wrong columns": (
            lambda: (tmp_path / "raw/2026-10/tests.csv").write_text("a,b\n1,2\n"),
            (
                "tests.csv, row 1: no column was found for measured_at, latitude, longitude, "
                "operator, "
                "technology, download_mbps; the file has: a, b"
            ),
        ),
        "settings typo": (
            lambda: (tmp_path / "settings.toml").write_text('[area]\nnmae = "x"\n'),
            "settings.toml, row 2, column area.nmae: no such setting (did you mean name?)",
        ),
        "repeated codes": (
            lambda: (tmp_path / "boundaries.geojson").write_text(
                (tmp_path / "boundaries.geojson").read_text().replace('"r0c1"', '"r0c0"')
            ),
            (
                "boundaries.geojson, column code: codes repeated under different names: "
                "1 (r0c0 (1); r0c0 (2))"
            ),
        ),
        "no such period": (lambda: None, "period “2026-99” is not understood"),
        "unreadable times": (
            lambda: (tmp_path / "raw/2026-10/tests.csv").write_text(
                HEAD + "soon,22.05,103.05,V,4G,5\n"
            ),
            "these times are in no form that is known: soon",
        ),
    }


@pytest.fixture
def published_month(made_once, tmp_path) -> Path:
    """A copy of one month's inputs with what a run published from them, at the test's disposal."""

    def publish(folder: Path) -> None:
        settings = write_world(folder, ONE_MONTH)
        everything = ("--publish", "tables,map,gis,report")
        run = ("run", "--settings", settings, "--out", folder / "outputs", *everything)
        assert run_lomsong(*run)[0] == 0

    shutil.copytree(made_once("one-month", publish), tmp_path, dirs_exist_ok=True)
    return tmp_path / "settings.toml"


@pytest.mark.parametrize("case", list(bad_inputs(SHARED)))
@pytest.mark.parametrize("command", ["run", "check"])
def test_bad_input_is_an_error_message_and_touches_nothing(
    lomsong, tmp_path, published_month, case, command
):
    settings = published_month
    before = {p: p.read_bytes() for p in (tmp_path / "outputs").rglob("*") if p.is_file()}
    spoil, message = bad_inputs(tmp_path)[case]
    spoil()
    period = ["--period", "2026-99"] if case == "no such period" else []
    code, text = lomsong(command, "--settings", settings, "--lang", "en", *period)
    assert code == 2
    faults = [line for line in text.splitlines() if line.startswith("fault: ")]
    assert any(message in line for line in faults), text
    assert "Traceback" not in text
    assert {p: p.read_bytes() for p in (tmp_path / "outputs").rglob("*") if p.is_file()} == before


def test_all_faults_of_all_files_come_at_once(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH | {"2026-09": "a,b\n1,2\n"})
    (tmp_path / "boundaries.geojson").unlink()
    _, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert len([line for line in text.splitlines() if line.startswith("fault: ")]) == 2
    assert "faults to fix: 2; the former outputs are untouched" in text


def test_error_messages_are_vietnamese_by_default(lomsong, tmp_path):
    code, text = lomsong("run", "--settings", tmp_path / "absent.toml")
    assert code == 2
    assert "lỗi: " in text
    assert "không có tệp này" in text


def test_nothing_given_is_two_faults(lomsong):
    code, text = lomsong("run", "--lang", "en")
    assert code == 2
    assert "[boundaries] path is not given" in text
    assert "[sources.NAME] path is not given" in text


def test_no_test_left_stops_the_run_until_the_settings_accept_it(lomsong, tmp_path):
    settings = write_world(
        tmp_path,
        {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 6}, technology="5G")},
    )
    run = ("run", "--settings", settings, "--publish", "tables,map", "--lang", "en")
    code, text = lomsong(*run)
    assert code == 2, text
    assert "none of 18 rows is a valid test; nothing is published" in text
    assert not (tmp_path / "outputs/2026-10").exists()
    accept(settings, "no_valid_test")
    code, text = lomsong(*run)
    assert code == 0, text
    status = pd.read_csv(tmp_path / "outputs/2026-10/tables/commune_status.csv")
    assert set(status["status"]) == {"no_data"}
    assert len(status) == 16
    assert len(pd.read_csv(tmp_path / "outputs/2026-10/tables/rejects.csv")) == 18
    assert (tmp_path / "outputs/2026-10/maps/coverage_gaps.html").is_file()


@pytest.mark.parametrize(
    ("target", "measured", "reason", "words"),
    [
        ("5G", "4G", "only_4g", "only 4G tests"),
        ("5G", "3G", "only_3g_2g", "only 3G/2G tests"),
        ("4G", "5G", "only_5g", "only 5G tests"),
        ("3G", "4G", "only_4g", "only 4G tests"),
    ],
)
def test_tests_of_another_technology_are_the_reason_for_no_data(
    target, measured, reason, words, lomsong, tmp_path
):
    month = month_of_tests("2026-10", {("r0c0", "V"): [10.0] * 6}, technology=measured)
    asked = f'[target]\ntechnology = "{target}"\n'
    settings = accept(write_world(tmp_path, {"2026-10": month}, asked), "no_valid_test")
    out = tmp_path / "outputs"
    run = ("run", "--settings", settings, "--out", out, "--publish", "tables", "--lang", "en")
    assert lomsong(*run)[0] == 0
    status = pd.read_csv(out / "2026-10/tables/commune_status.csv")
    found = dict(zip(status["commune_code"], status["no_data_reason"], strict=True))
    assert {found.pop("r0c0"), *found.values()} == {reason, "no_test"}
    code, text = lomsong("explain", "r0c0", "--out", out, "--lang", "en")
    assert code == 0
    assert words in text


def test_only_a_heading_is_no_data_when_the_period_is_given(lomsong, tmp_path):
    settings = write_world(tmp_path, {"2026-10": HEAD})
    code, text = lomsong("run", "--settings", settings, "--period", "2026-10", "--lang", "en")
    assert code == 0, text
    assert set(
        pd.read_csv(tmp_path / "outputs/2026-10/tables/commune_status.csv")["no_data_reason"]
    ) == {"no_test"}


def test_check_judges_nothing_and_says_what_is_there(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH)
    code, text = lomsong("check", "--settings", settings, "--lang", "en")
    assert code == 0, text
    assert re.search(r"download_mbps +download_mbps +Mbit/s \(heading\) +42 \(9 – 90\)", text)
    assert "72 valid tests and 0 failed ones, before repeats" in text
    assert "24 devices; rows of each: median 3, at most 3" in text
    screen = text[: text.index("boundaries: ")].splitlines()
    assert max(len(one) for one in screen[4:-4]) <= 100
    assert "the data hold the periods: 2026-10" in text
    assert not (tmp_path / "outputs").exists()


def test_check_prints_guesses_and_lines_that_make_the_file_readable(lomsong, tmp_path):
    unknown = (
        ONE_MONTH["2026-10"]
        .replace("download_mbps", "KQ do toc do tai xuong TB")
        .replace("operator", "Ten nha mang di dong su dung")
    )
    settings = write_world(tmp_path, {"2026-10": unknown})
    code, text = lomsong("check", "--settings", settings, "--lang", "en")
    assert code == 2
    assert 'download_mbps = "KQ do toc do tai xuong TB"' in text
    lines = text.splitlines()
    start = lines.index("  [sources.ispeed.columns]")
    lines = [line[2:] for line in lines[start:] if line.startswith("  ") and line[2] != " "]
    settings.write_text(settings.read_text() + "\n" + "\n".join(lines) + "\n")
    assert lomsong("check", "--settings", settings)[0] == 0, (
        "the printed lines, pasted, make the file readable"
    )


def test_lines_of_a_table_whose_headings_say_nothing(lomsong, tmp_path):
    """Times, places, operators and technologies are known by their values; speeds are asked."""
    names = "measured_at latitude longitude location_accuracy_m operator technology download_mbps"
    names += " upload_mbps latency_ms device_id"
    table = ONE_MONTH["2026-10"].replace(",4G,10.0,", ",4G,10.5,").replace(",V,", ",Viettel,")
    for n, ours in enumerate(names.split()):
        table = table.replace(ours, f"c{n}", 1)
    settings = write_world(tmp_path, {"2026-10": table})
    code, text = lomsong("check", "--settings", settings, "--lang", "en")
    assert code == 2
    assert "tests are not counted yet; open: measured_at, latitude" in text
    lines = text.splitlines()
    start = lines.index("  [sources.ispeed.columns]")
    pasted = [line[2:] for line in lines[start:] if line.startswith("  ") and line[2] != " "]
    assert len(pasted) <= 12
    assert pasted[1:6] == [
        'measured_at = "c0"', 'latitude = "c1"', 'longitude = "c2"', 'operator = "c4"',
        'technology = "c5"',
    ]  # fmt: skip
    assert pasted[6].startswith('# download_mbps = "c6"')
    pasted[6] = pasted[6].removeprefix("# ")
    settings.write_text(settings.read_text() + "\n" + "\n".join(pasted) + "\n")
    code, text = lomsong("check", "--settings", settings, "--lang", "en")
    assert code == 0, text
    assert "72 valid tests and 0 failed ones" in text


@pytest.mark.parametrize(
    ("heading_row", "said"),
    [
        ("date,a.MeanThroughputMbps,a.MinRTT\n2026-10-01,40.3,35\n", "M-Lab figures"),
        (
            "Timestamp,DL_bitrate,UL_bitrate,State\n2026.10.01_07.00.01,400,20,I\n",
            "log of one phone",
        ),
        (
            "Service Provider,Technology,Test_type,Data Speed(Mbps)\nJIO,4G,download,21.0\n",
            "neither time nor position",
        ),
    ],
)
def test_files_that_are_no_tests_are_refused_in_one_sentence(lomsong, tmp_path, heading_row, said):
    settings = write_world(tmp_path, {"2026-10": heading_row})
    code, text = lomsong("check", "--settings", settings, "--lang", "en")
    assert (code, text.count("fault: ")) == (2, 1)
    assert said in text
    assert "paste" not in text
    assert "valid tests" not in text


def test_lines_for_a_source_that_only_options_named_make_a_whole_settings_file(lomsong, tmp_path):
    write_boundaries(tmp_path / "b.geojson")
    (tmp_path / "a.csv").write_text(ONE_MONTH["2026-10"].replace("download_mbps", "toc do"))
    code, text = lomsong(
        "check", "--measurements", "a.csv", "--boundaries", "b.geojson", "--lang", "en"
    )
    assert code == 2
    lines = text.splitlines()
    start = next(n for n, one in enumerate(lines) if one.startswith("paste into the settings"))
    pasted = [line[2:] for line in lines[start:] if line.startswith("  ") and line[2] != " "]
    (tmp_path / "settings.toml").write_text("\n".join(pasted) + "\n", encoding="utf-8")
    assert lomsong("run", "--boundaries", "b.geojson")[0] == 0


def test_the_same_file_twice_is_counted_once_and_said_so(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH | {"2026-10-again": ONE_MONTH["2026-10"]})
    code, text = lomsong("run", "--settings", settings, "--lang", "en")
    assert code == 0
    assert "has the same content as 2026-10/tests.csv: its rows count once" in text
    assert "144 read = 72 valid + 0 failed + 72 set aside" in text


def test_demo_refuses_an_unknown_province(lomsong):
    code, text = lomsong("demo", "--province", "Atlantis", "--lang", "en")
    assert code == 2
    assert "no province “Atlantis”" in text


@pytest.mark.slow
def test_the_demo_serves_any_province(lomsong, tmp_path):
    assert lomsong("demo", "--out", "d", "--tests", "1500", "--province", "ca mau")[0] == 0
    code, text = lomsong("run", "--settings", "d/settings.toml", "--publish", "map")
    assert code == 0, text
    assert "Cà Mau" in (tmp_path / "outputs/2026-10/maps/coverage_gaps.html").read_text(
        encoding="utf-8"
    )


def test_a_target_that_was_not_valid_then_is_pointed_out(lomsong, tmp_path):
    settings = write_world(tmp_path, ONE_MONTH, "[target]\nvalid_to = 2025-12-31\n")
    for command in ("check", "run"):
        code, text = lomsong(command, "--settings", settings, "--lang", "en")
        assert code == 0
        assert "note: period 2026-10 lies outside the target's validity (… – 2025-12-31)" in text
        assert "note: the evidence window lacks data of the months: 2026-08, 2026-09" in text


def test_what_the_system_refuses_is_an_error_message(lomsong, tmp_path):
    (tmp_path / "taken").write_text("a file, no folder")
    code, text = lomsong("demo", "--out", "taken/demo", "--tests", "200", "--lang", "en")
    assert code == 2
    assert "the system refuses (Not a directory)" in text
    code, text = lomsong(
        "run", "--settings", write_world(tmp_path, ONE_MONTH), "--out", "taken", "--lang", "en"
    )
    assert code == 2
    assert "former outputs are" in text


ODD = ("", "-", "0", "-1", "1e9", "12,5", "1.234,5", "nan", "inf", "22.05", "103.05", '"', "=1")
SOUND = ("2026-10-05 08:00", "05/10/2026 20:00", "4G", "5G", "V")
CELLS = st.sampled_from((*ODD, *SOUND)) | st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=12
)
WHOLE_CELLS = CELLS.map(lambda text: text.translate(dict.fromkeys(map(ord, '",'))))


def file_rows(cells: st.SearchStrategy[str], most: int = 24) -> st.SearchStrategy[list[list[str]]]:
    """Rows of any cells, and sound rows but for some cells: what gets past the first checks."""
    sound = ONE_MONTH["2026-10"].splitlines()[1].split(",")

    def changed(cells: dict[int, str]) -> list[str]:
        return [cells.get(place, cell) for place, cell in enumerate(sound)]

    some = st.dictionaries(st.integers(0, 9), cells, max_size=3).map(changed)
    return st.lists(st.lists(cells, min_size=1, max_size=11) | some, max_size=most)


ISO_TIMES = (
    '[sources.ispeed.columns]\nmeasured_at = { column = "measured_at", format = "ISO8601" }\n'
)


def run_on(rows: list[list[str]], lomsong, folder: Path, more: str = "") -> tuple[int, str]:
    text = ONE_MONTH["2026-10"] + "".join(",".join(row) + "\n" for row in rows)
    world = write_world(folder, {"2026-10": text}, more)
    return lomsong("run", "--settings", world, "--period", "2026-10", "--lang", "en")


law = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@law
@given(file_rows(CELLS))
def test_whatever_a_file_holds_the_command_ends_with_tables_or_error_messages(
    lomsong, tmp_path, rows
):
    code, output = run_on(rows, lomsong, tmp_path)
    ends = {0: "\noutputs: ", 2: "\nfaults to fix: "}
    assert code in ends, output
    assert [end for end in ends.values() if end in output] == [ends[code]]


@pytest.mark.slow
@law
@given(file_rows(WHOLE_CELLS, most=2))  # of more odd rows something would be asked
def test_whatever_cells_hold_every_row_is_in_the_books(lomsong, tmp_path, rows):
    code, output = run_on(rows, lomsong, tmp_path, ISO_TIMES)
    assert code == 0, output
    number = r"([\d,]+)"
    books = re.search(
        rf"clean ispeed: {number} read = {number} valid \+ {number} failed \+ {number} set aside",
        output,
    )
    read, *parts = (int(n.replace(",", "")) for n in books.groups())
    assert read == sum(parts)
    assert len(pd.read_csv(tmp_path / "outputs/2026-10/tables/rejects.csv")) == parts[2]
