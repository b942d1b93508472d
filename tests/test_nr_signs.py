"""5G that is named LTE: which columns say so, what is asked, and that all other rows stay."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.errors import UserFault
from pipeline.schema.texts import error_message
from pipeline.sources import planning, table
from pipeline.sources.containers import ROW
from pipeline.sources.formats.declaration import Condition
from pipeline.sources.formats.keep import proposed_conditions
from pipeline.sources.formats.nr_signs import NrColumns, Sign, nr_columns
from pipeline.sources.nr_rows import NrRows, nr_rows
from tests.builders import english_in, run_lomsong, squares, write_boundaries
from tests.test_cases import TEXTS, T, beside, text
from tests.test_sources import plan_of

FIRST = 12  # rows of the truth that are enough here


def of(heading: str, values: list[object]) -> NrColumns:
    """What a column says of rows that are all named 4G."""
    frame = pl.DataFrame({heading: values}, strict=False)
    return nr_columns(frame, pl.Series([True] * len(values)))


def rows_of(technologies: list[str], **columns: list[object]) -> pl.DataFrame:
    """Rows of tests, with technologies and further columns in turn."""
    rows = TEXTS[:FIRST].drop("technology").with_row_index(ROW, 2)
    added = {"technology": technologies, **columns}
    cells = [
        pl.Series(name, [values[n % len(values)] for n in range(FIRST)])
        for name, values in added.items()
    ]
    return rows.with_columns(pl.col(ROW).cast(pl.UInt32), *cells)


def technologies_of(frame: pl.DataFrame, **about: object) -> list[str | None]:
    """The technologies as read by the plan for these rows."""
    tests = table.read_tests("s", "f", frame, plan_of(frame, **about))
    return tests["technology"].cast(pl.String).to_list()


# --- what is sure

YES, NO = True, False
READ = [
    ("nr_state", [("CONNECTED", YES), ("connected", YES), ("NR_STATE_CONNECTED", YES), ("3", YES),
                  (3, YES), (3.0, YES), ("NONE", NO), ("RESTRICTED", NO), ("NOT_RESTRICTED", NO),
                  ("NotRestricted", NO), ("0", NO), ("1", NO), ("2", NO), ("-1", NO), (-1, NO),
                  ("LTE", NO), ("", NO), ("unknown", NO)]),
    ("nrState", [("CONNECTED", YES), ("NONE", NO)]),
    ("NRSTATE", [("3", YES), ("2", NO)]),
    ("NR status", [("Connected", YES), ("Disconnected", NO)]),
    ("data_nr_state", [("3", YES), ("1", NO)]),
    ("5G state", [("connected", YES), ("not connected", NO)]),
    ("Trạng thái 5G", [("Đã kết nối", YES), ("Chưa kết nối", NO), ("Không", NO)]),
    ("Vô tuyến / NR state", [("CONNECTED", YES), ("NONE", NO)]),
    ("network_icon", [("5G", YES), ("5G+", YES), ("5G UW", YES), ("5G UC", YES), ("4G", NO),
                      ("4G+", NO), ("LTE", NO), ("LTE+", NO), ("LTE_CA", NO), ("5G E", NO),
                      ("H+", NO), ("WiFi", NO), ("NONE", NO), ("No service", NO)]),
    ("icon", [("5G", YES), ("LTE+", NO), ("signal_4.png", NO), ("17", NO)]),
    ("Biểu tượng mạng", [("5G", YES), ("4G", NO)]),
    ("display_network_type", [("NR_NSA", YES), ("LTE", NO)]),
    ("override_network_type", [("OVERRIDE_NETWORK_TYPE_NR_NSA", YES), ("NR_NSA_MMWAVE", YES),
                               ("OVERRIDE_NETWORK_TYPE_NR_ADVANCED", YES), ("3", YES), ("4", YES),
                               (5, YES), ("0", NO), ("1", NO), ("2", NO), ("LTE_CA", NO),
                               ("OVERRIDE_NETWORK_TYPE_LTE_ADVANCED_PRO", NO),
                               ("OVERRIDE_NETWORK_TYPE_NONE", NO)]),
    ("endc", [("true", YES), ("1", YES), (1.0, YES), (True, YES), ("yes", YES), ("có", YES),
              ("x", YES), ("false", NO), ("0", NO), (False, NO), ("không", NO), ("", NO)]),
    ("EN-DC", [("true", YES), ("false", NO)]),
    ("is_5g_nsa", [("true", YES), ("false", NO)]),
    ("NSA", [("Y", YES), ("N", NO)]),
    ("band", [("n78", YES), ("N1", YES), ("n41", YES), ("B3+n78", YES), ("DC_3A_n78A", YES),
              ("5G 3500", YES), ("NR", YES), ("B3", NO), ("3", NO), (3, NO), ("1800", NO),
              ("1800 MHz", NO), ("L1800", NO), ("L3500", NO), ("CA_1A-3A", NO), ("B41", NO),
              ("U2100", NO), ("Band 3", NO), ("GSM", NO)]),
    ("nr_band", [("n78", YES), ("B3", NO)]),
    ("Băng tần", [("n78", YES), ("1800", NO)]),
]  # fmt: skip
CELLS = [(heading, value, says) for heading, cells in READ for value, says in cells]


@pytest.mark.parametrize(("heading", "value", "says"), CELLS)
def test_a_known_value_under_a_known_heading_is_read(heading, value, says):
    found = of(heading, [value, None])
    assert found.proposals == []
    cells = pl.Series([value, None])
    assert found.sure[heading].holds(cells).to_list() == [says, False]


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("endc_available", ["true", "false"]), ("is_endc_available", ["1", "0"]),
        ("dcnr_restricted", ["true", "false"]), ("nr_available", ["true", "true"]),
        ("is_nr_available", [True, False]), ("supported_bands", ["B3,n78", "B3"]),
        ("download_bandwidth", ["40", "20"]), ("bandwidth_mbps", ["40", "20"]),
        ("lte_rsrp", ["-90", ""]), ("lte_pci", ["120", ""]), ("province", ["CONNECTED", "3"]),
    ],
)  # fmt: skip
def test_a_heading_of_what_could_be_says_nothing_and_calls_for_no_line(heading, values):
    assert of(heading, values) == NrColumns()
    assert proposed_conditions(pl.DataFrame({heading: values * 20})) == []


def test_values_that_the_sample_lacks_are_read_by_their_kind():
    sign = of("band", ["B3", "B7"]).sure["band"]
    assert sign.holds(pl.Series(["n258", "B3", None])).to_list() == [True, False, False]


def test_signs_of_nr_are_no_failed_tests_and_no_rows_of_another_kind():
    frame = pl.DataFrame(
        {"NR status": ["no connection", "connected"], "nr_state": ["active", "none"]}
    )
    asked = planning.About("s")
    rows = frame.with_columns(download=pl.lit("12.5"))
    layout = planning.Layout(tuple(rows.columns), 1, 2, {})
    assert planning.mapped(planning.Table("f", layout, rows), asked).proposals == []


def test_an_icon_of_wifi_still_asks_which_rows_count():
    frame = pl.DataFrame({"network_icon": ["5G", "WiFi", "4G"]})
    assert [one.line for one in proposed_conditions(frame)] == ['network_icon = { not = ["WiFi"] }']


# --- what is asked


@pytest.mark.parametrize(
    ("heading", "values", "lines"),
    [
        ("nr_rsrp", ["-95", "", "-101.5"], ["nr_rsrp = { min = -156, max = -31 }"]),
        ("ss_rsrp (dBm)", [-95, None, 2147483647], ['"ss_rsrp (dBm)" = { min = -156, max = -31 }']),
        ("nr_arfcn", ["0", "632628"], ["nr_arfcn = { min = 1, max = 3279165 }"]),
        ("nr_pci", [-1, 512], ["nr_pci = { min = 1, max = 1007 }"]),
        ("nr_band", ["78", ""], ["nr_band = { min = 1, max = 512 }"]),
        ("bandwidth", ["20", "40"], ["bandwidth = { min = 21, max = 400 }"]),
        ("bandwidth_mhz", [1.4, 3, 100.0], ["bandwidth_mhz = { min = 21, max = 400 }"]),
        ("bandwidth", ["15000", "60000"], ["bandwidth = { min = 21000, max = 400000 }"]),
        ("bandwidth_khz", ["20000", "25000", "2147483647"],
         ["bandwidth_khz = { min = 21000, max = 400000 }"]),
        ("Băng thông kênh", ["20", "30"], ['"Băng thông kênh" = { min = 21, max = 400 }']),
        ("nr_state", ["ACTIVE", "NONE"], ['# nr_state = "ACTIVE"']),
        ("nr_state", ["ACTIVE", "CONNECTED", "NONE"],
         ['# nr_state = "CONNECTED"', '# nr_state = ["CONNECTED", "ACTIVE"]']),
        ("5g state", ["0", "1"], ['# "5g state" = "1"']),
        ("nr status", ["true", "false"], ['# "nr status" = "false"', '# "nr status" = "true"']),
        ("endc", ["-1", "0"], ['# endc = "-1"']),
        ("network_icon", ["4G/5G", "4G"], ['# network_icon = "4G/5G"']),
        ("display_network_type", ["13", "LTE"], ['# display_network_type = "13"']),
        ("override_network_type", ["13", "0"], ['# override_network_type = "13"']),
        ("band", ["78", "3"], ['# band = "78"']),
        ("icon", ["ic_5g_plus", "ic_lte"], ['# icon = "ic_5g_plus"']),
        ("is_5g", ["true", "false"], ['is_5g = "true"']),
    ],
)  # fmt: skip
def test_a_likely_sign_is_a_question_with_its_lines(heading, values, lines):
    found = of(heading, values)
    assert found.sure == {}
    assert [one.lines for one in found.proposals] == [lines]


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("nr_rsrp", ["", None]), ("nr_rsrp", [2147483647, 0]), ("nr_rsrp", ["a", "-90"]),
        ("nr_arfcn", ["0", "-1"]), ("bandwidth", ["10", "20"]), ("bandwidth", ["12.5", "48.3"]),
        ("bandwidth", ["20", "23"]), ("bandwidth_khz", ["20000", "15000"]), ("is_5g", ["0", "0"]),
    ],
)  # fmt: skip
def test_numbers_that_are_no_sign_are_not_asked_about(heading, values):
    assert of(heading, values) == NrColumns()


def test_only_values_of_rows_named_4g_are_asked_about():
    frame = pl.DataFrame({"nr_state": ["ACTIVE", "NONE"], "nr_rsrp": ["-90", ""]})
    found = nr_columns(frame, pl.Series([False, True]))
    assert found == NrColumns({"nr_state": Sign("state")}, [])


def settled(values: list[str], **about: object) -> NrRows:
    frame = pl.DataFrame({"nr_state": values})
    given = {"given": {}, "as_named": frozenset[str](), **about}
    return nr_rows("s", frame, pl.Series([True] * len(values)), free=["nr_state"], **given)  # type: ignore[arg-type]


def test_the_warning_counts_the_rows_and_shows_the_line_that_leaves_them():
    [warning] = settled(["CONNECTED", "3", "CONNECTED", "NONE"]).warnings
    assert (warning.code, warning.column) == ("nr_rows", "nr_state")
    assert (warning.values["count"], warning.values["of"]) == (3, 4)
    assert str(warning.values["found"]) == "CONNECTED 2, 3 1"
    assert warning.values["lines"] == ["[sources.s.nr]", 'nr_state = "*"']


def test_a_column_that_the_settings_leave_is_said_and_changes_nothing():
    found = settled(["CONNECTED", "NONE"], as_named=frozenset(["nr_state"]))
    assert (found.nr, found.questions) == ({}, [])
    assert [(one.code, one.values["count"]) for one in found.warnings] == [("nr_left", 1)]


def test_the_settings_override_what_is_sure():
    one = Condition(one_of=("not_restricted",))
    found = settled(["CONNECTED", "NOT_RESTRICTED"], given={"nr_state": one})
    assert found.nr == {"nr_state": one}
    assert str(found.warnings[0].values["found"]) == "NOT_RESTRICTED 1"


def test_an_answered_question_is_not_asked_again():
    one = Condition(one_of=("active",))
    assert [q.code for q in settled(["ACTIVE", "NONE"]).questions] == ["nr_open"]
    assert settled(["ACTIVE", "NONE"], given={"nr_state": one}).questions == []


# --- rows


def test_only_rows_named_4g_change():
    named = ["LTE", "3G", "2G", "WiFi", "5G", "2G/4G"]
    frame = rows_of(named, nr_state=["CONNECTED"])
    assert technologies_of(frame) == ["5G", "3G", "2G", "wifi", "5G", None] * 2


def test_one_of_several_columns_is_enough():
    frame = rows_of(["4G"], nr_state=["NONE", "CONNECTED"], band=["B3", "B3", "n78"])
    assert technologies_of(frame) == ["4G", "5G", "5G", "5G", "4G", "5G"] * 2


def test_a_constant_technology_changes_too():
    frame = rows_of(["4G"], nr_state=["NONE", "CONNECTED"]).drop("technology")
    found = technologies_of(frame, rules={"technology": planning.Rule(value="4G")})
    assert found == ["4G", "5G"] * 6


def test_the_signal_may_be_of_nr_too():
    frame = rows_of(["4G"], nr_rsrp=["-90", ""])
    rules = {"signal_dbm": planning.Rule("nr_rsrp")}
    with pytest.raises(UserFault) as raised:
        plan_of(frame, rules=rules)
    assert [one.code for one in raised.value.faults] == ["nr_open"]
    found = technologies_of(frame, rules=rules, nr={"nr_rsrp": Condition(low=-156, high=-31)})
    assert found == ["5G", "4G"] * 6


SIGNLESS = {
    "nr_state": ["NONE", "RESTRICTED", "NOT_RESTRICTED", "0", "2", "-1", "LTE", "", None],
    "network_icon": ["4G", "LTE+", "4G+", "H+", "", None],
    "override_network_type": ["0", "1", "2", "LTE_CA", "LTE_ADVANCED_PRO", None],
    "endc": ["0", "false", "no", "", None],
    "band": ["B3", "3", "1800", "L1800", "B41", "", None],
    "endc_available": ["true", "false", "1", None],
    "nr_rsrp": ["", "2147483647", None],
    "bandwidth": ["5", "10", "20", "", None],
}


OURS = {"4G": "4G", "LTE": "4G", "3G": "3G", "5G": "5G", "2G": "2G", "WiFi": "wifi"}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from(sorted(OURS)), min_size=1, max_size=FIRST),
    st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(cells), min_size=1) for name, cells in SIGNLESS.items()}
    ),
)
def test_rows_without_a_sign_never_change(named, columns):
    expected = [OURS[named[n % len(named)]] for n in range(FIRST)]
    assert technologies_of(rows_of(named, **columns)) == expected


# --- check and run


def world(folder, frame: pl.DataFrame, more: str = ""):
    write_boundaries(folder / "communes.geojson", squares(2, 1))
    (folder / "data.csv").write_text(text(frame), "utf-8")
    file = folder / "settings.toml"
    sources = T.replace("data.*", (folder / "data.csv").as_posix())
    place = (folder / "communes.geojson").as_posix()
    file.write_text(f"[boundaries]\npath = '{place}'\n{sources}{more}", "utf-8")
    return ("--settings", file, "--out", folder / "out")


def clean_books(folder) -> dict[str, int]:
    manifest = json.loads((folder / "out/2026-10/manifest.json").read_text("utf-8"))
    return manifest["rows_by_step"]["clean"]["t"]


THIRDS = beside(TEXTS, nr_state=["NONE", "CONNECTED", "NOT_RESTRICTED"])


@pytest.mark.parametrize("command", ["check", "run"])
def test_rows_of_nr_leave_4g_and_this_is_said(tmp_path, command):
    code, output = run_lomsong(command, *world(tmp_path, THIRDS), "--lang", "en")
    assert code == 0, output
    assert "5G carried 48 of the 144 rows named 4G" in output
    assert "144 read = 96 valid + 0 failed + 48 set aside" in output


def test_the_books_of_a_run_balance(tmp_path):
    code, output = run_lomsong(
        "run", *world(tmp_path, THIRDS), "--lang", "vi", "--publish", "tables"
    )
    assert code == 0, output
    books = clean_books(tmp_path)
    counts = [books[f"{name}_count"] for name in ("read", "valid", "failed", "reject")]
    assert counts == [144, 96, 0, 48]
    rejects = pl.read_csv(tmp_path / "out/2026-10/tables/rejects.csv")
    assert rejects["reject_reason"].to_list() == ["other_technology"] * 48


def test_the_screen_of_check_shows_the_column_as_used(tmp_path):
    frame = beside(THIRDS, endc_available=["1", "0"])
    _, output = run_lomsong("check", *world(tmp_path, frame), "--lang", "en")
    assert "signs of 5G read from: nr_state\n" in output
    assert "headings not used: endc_available\n" in output
    assert "4G 96 · 5G 48 (4G 48)" in output


def test_where_all_rows_are_connected_all_are_5g_and_the_warning_says_all(tmp_path):
    frame = beside(TEXTS, nr_state=["CONNECTED"])
    code, output = run_lomsong("check", *world(tmp_path, frame), "--lang", "en")
    assert code == 2
    assert "5G carried 144 of the 144 rows named 4G" in output
    assert "set aside: other technology 144" in output


@pytest.mark.parametrize(
    "columns",
    [
        {"nr_state": [""]}, {"band": ["3"]}, {"endc_available": ["1", "0"]},
        {"nr_state": ["NONE"], "band": ["B3", "1800"], "bandwidth": ["10", "20"]},
    ],
    ids=str,
)  # fmt: skip
def test_neighbours_without_a_sign_stay_4g(tmp_path, columns):
    files = world(tmp_path, beside(TEXTS, **columns))
    code, output = run_lomsong("check", *files, "--lang", "en")
    assert code == 0, output
    assert "144 read = 144 valid + 0 failed + 0 set aside" in output
    assert "rows named 4G" not in output


def test_the_line_that_leaves_rows_as_named_is_taken_as_printed(tmp_path):
    more = '[sources.t.nr]\nnr_state = "*"\n'
    code, output = run_lomsong("check", *world(tmp_path, THIRDS, more), "--lang", "en")
    assert code == 0, output
    assert "144 read = 144 valid" in output
    assert "5G may have carried 48 of the 144 rows named 4G" in output


def test_a_question_stops_the_run_until_its_line_is_pasted(tmp_path):
    frame = beside(TEXTS, nr_rsrp=["-90", "", "", "-110", "", ""])
    code, output = run_lomsong("run", *world(tmp_path, frame), "--lang", "en")
    assert code == 2
    assert "column nr_rsrp: rows named 4G may be of 5G (48 of 144 cells: -110 – -90)" in output
    line = "nr_rsrp = { min = -156, max = -31 }"
    assert line in output
    code, output = run_lomsong(
        "check", *world(tmp_path, frame, f"[sources.t.nr]\n{line}\n"), "--lang", "en"
    )
    assert code == 0, output
    assert "144 read = 96 valid + 0 failed + 48 set aside" in output
    assert "of the 144 rows named 4G that were looked at ({ min = -156, max = -31 })" in output


def test_check_prints_the_lines_of_all_sections_to_paste(tmp_path):
    frame = beside(TEXTS, nr_rsrp=["-90", "", ""])
    _, output = run_lomsong("check", *world(tmp_path, frame), "--lang", "en")
    assert "  [sources.t.nr]\n  nr_rsrp = { min = -156, max = -31 }" in output


def test_a_condition_on_a_missing_column_is_a_fault(tmp_path):
    more = "[sources.t.nr]\nnr_stat = 'CONNECTED'\n"
    code, output = run_lomsong("check", *world(tmp_path, THIRDS, more), "--lang", "en")
    assert code == 2
    assert "column nr_stat: no such column (for nr)" in output


def test_what_is_said_in_vietnamese_has_no_english():
    left = frozenset(["nr_state"])
    messages = [
        *settled(["CONNECTED", "NONE"]).warnings,
        *settled(["CONNECTED", "NONE"], as_named=left).warnings,
        *settled(["ACTIVE", "NONE"]).questions,
    ]
    assert [one.code for one in messages] == ["nr_rows", "nr_left", "nr_open"]
    found = {one.code: english_in(error_message(one, "vi")) for one in messages}
    assert not any(found.values()), found
