"""Visits: forms are filled, read back, kept, and judged; what is wrong is said all at once."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.settings import read_settings
from pipeline.schema import texts
from pipeline.schema.columns import INNER, TABLES
from pipeline.schema.errors import UserFault
from pipeline.schema.tables import with_declared_dtypes
from pipeline.schema.texts import error_message
from pipeline.sources.cells.missing import MISSING
from pipeline.sources.inputs import read_inputs
from pipeline.sources.villages import with_nothing_further
from pipeline.sources.visits import Asked, date_of, keep_visits, read_visits, visits_until
from tests.builders import english_in, month_of_tests, run_lomsong, squares, write_world
from tests.test_plan_files import FORMULA, SCRIPT, written

HEADS = {
    "vi": 'Ngày đi,Mã xã,"Xã, phường","Thôn, bản",Nhà mạng,Kết quả,Số máy đã đo,Ghi chú',
    "en": "Visit date,Commune code,Commune,Village,Operator,Result,Phones tested,Note",
    "ours": "visit_date,commune_code,commune_name,village_name,operator,visit_result,"
    "devices_tested,visit_note",
}
OPERATORS = ("Viettel", "VinaPhone", SCRIPT)


def villages() -> pd.DataFrame:
    """Villages of r0c0 and r0c1; two of r0c1 are called Bản Đôi."""
    rows = [
        ("Bản Một", "r0c0"), (FORMULA, "r0c0"), ("Nà Tăm", "r0c0"), ("Bản Hai", "r0c1"),
        (SCRIPT, "r0c1"), ("Bản Ba", "r0c1"), ("Bản Đôi", "r0c1"), ("Bản Đôi", "r0c1"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["village_name", "commune_code"])
    table = table.assign(latitude=22.05, longitude=[103.01 * 1 + n / 100 for n in range(8)])
    return with_declared_dtypes("villages", with_nothing_further(table.assign(people=100.0)))


def form(tmp_path, *lines: str, lang: str = "vi", name: str = "visits.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join((HEADS[lang], *lines, "")), encoding="utf-8-sig")
    return path


def read(*paths, known=None, **how):
    """Visits as tuples; warnings by code."""
    asked = Asked(**{"operators": OPERATORS, **how})
    known = villages() if known is None else known
    table, warnings = read_visits(paths, squares(), known, asked)
    assert tuple(table.columns) == TABLES["visits"]
    found = [(*row[:5], None if pd.isna(row[5]) else int(row[5]))
             for row in table.itertuples(index=False)]  # fmt: skip
    assert all(error_message(one, lang) for one in warnings for lang in ("vi", "en"))
    return found, {one.code: one for one in warnings}


def faults(*paths, **how):
    with pytest.raises(UserFault) as caught:
        read(*paths, **how)
    for one in caught.value.faults:
        assert error_message(one, "en")
        assert english_in(error_message(one, "vi")) == set()
    return list(caught.value.faults)


ROW = "05/11/2026,r0c0,Xã r0c0,Bản Một,Viettel,{},{},"
VISIT = ("2026-11-05", "r0c0", "Bản Một", "Viettel")


def filled(path: Path, results: dict[tuple[str, str], tuple[object, ...]]) -> Path:
    """A form with (date, result, phones) written into the rows of (village, operator)."""
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    left = dict(results)
    for row in sheet.iter_rows(min_row=2):
        found = left.pop((row[3].value, row[4].value), None)
        if found:
            row[0].value, row[5].value, row[6].value = found
    assert not left
    book.save(path)
    return path


# --- round trip


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_form_that_was_filled_is_read_back_and_kept(tmp_path, lang):
    written(tmp_path / "plan", lang)
    measured, none = (texts.text("field_sheets", key, lang) for key in ("measured", "no_signal"))
    path = filled(
        tmp_path / "plan/visits.xlsx",
        {
            ("Bản Một", "Viettel"): (datetime(2026, 11, 5), measured, 5),
            (FORMULA, "Viettel"): (datetime(2026, 11, 6), none, None),
            (SCRIPT, "Viettel"): ("7/11/2026", measured.upper(), "4"),
            ("Bản Hai", SCRIPT): (datetime(2026, 11, 7), none, 3),
        },
    )
    expected = [
        ("2026-11-05", "r0c0", "Bản Một", "Viettel", "measured", 5),
        ("2026-11-06", "r0c0", FORMULA, "Viettel", "no_signal", None),
        ("2026-11-07", "r0c1", SCRIPT, "Viettel", "measured", 4),
        ("2026-11-07", "r0c1", "Bản Hai", SCRIPT, "no_signal", 3),
    ]
    found, warnings = read(path)
    assert sorted(found) == sorted(expected)
    assert warnings == {}
    table, _ = read_visits([path], squares(), villages(), Asked(OPERATORS))
    kept, added = keep_visits(tmp_path / "data/visits", table)
    assert added == 4
    assert read(kept) == (found, {})
    content = kept.read_bytes()
    assert b"'=1+1" in content
    assert keep_visits(tmp_path / "data/visits", table) == (kept, 0)
    assert kept.read_bytes() == content


def test_a_form_that_nobody_filled_has_no_visits(tmp_path):
    written(tmp_path)
    assert read(tmp_path / "visits.xlsx") == ([], {})


def test_several_files_in_several_languages_are_one_table(tmp_path):
    a = form(tmp_path, ROW.format("đã đo", 5), name="a.csv")
    b = form(tmp_path, ROW.format("no signal", "").replace("05/", "6/"), lang="en", name="b.csv")
    c = form(tmp_path, ROW.format("measured", 7), lang="ours", name="c.csv")
    assert read(b, a, c, a)[0] == [
        (*VISIT, "measured", 7), ("2026-11-06", *VISIT[1:], "no_signal", None),
    ]  # fmt: skip


def test_kept_visits_are_added_to_in_an_order_of_their_own(tmp_path):
    tables = [
        read_visits([form(tmp_path, *lines)], squares(), villages(), Asked(OPERATORS))[0]
        for lines in (
            (ROW.format("đã đo", 5).replace("05/11", "09/11"), ROW.format("đã đo", 5)),
            (
                ROW.format("đã đo", 6),
                ROW.format("không có sóng", "").replace("Viettel", "VinaPhone"),
            ),
        )
    ]
    one, other = tmp_path / "one", tmp_path / "other"
    assert [keep_visits(one, table)[1] for table in tables] == [2, 1]
    assert [keep_visits(other, table)[1] for table in reversed(tables)] == [2, 1]
    assert (one / "visits.csv").read_bytes() == (other / "visits.csv").read_bytes()
    lines = (one / "visits.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines == [
        "visit_date,commune_code,village_name,operator,visit_result,devices_tested",
        "2026-11-05,r0c0,Bản Một,Viettel,measured,6",
        "2026-11-05,r0c0,Bản Một,VinaPhone,no_signal,",
        "2026-11-09,r0c0,Bản Một,Viettel,measured,5",
    ]


def test_what_contradicts_a_kept_visit_is_not_kept(tmp_path):
    first, second = (
        read_visits([form(tmp_path, ROW.format(*row))], squares(), villages(), Asked(OPERATORS))[0]
        for row in (("đã đo", 5), ("không có sóng", ""))
    )
    path, _ = keep_visits(tmp_path / "kept", first)
    before = path.read_bytes()
    with pytest.raises(UserFault) as caught:
        keep_visits(tmp_path / "kept", second)
    assert [one.code for one in caught.value.faults] == ["visit_contradicts"]
    message = error_message(caught.value.faults[0], "vi")
    for part in ("Bản Một (r0c0), Viettel", "05/11/2026", "«không có sóng»", "«đã đo»"):
        assert part in message
    assert path.read_bytes() == before


# as lists of villages hold them: in Unicode's composed form, and no word for a missing value
NAMES = (
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
    .map(lambda name: unicodedata.normalize("NFC", name))
    .filter(lambda name: name[0] != "'" and name.lower() not in MISSING)
)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.dates(date(2020, 1, 1), date(2030, 1, 1)).map(str), st.just("r0c0"),
            NAMES, NAMES,
            st.sampled_from(["measured", "no_signal"]),
            st.one_of(st.just(float("nan")), st.integers(1, 99).map(float)),
        ),
        min_size=1, max_size=6, unique_by=lambda row: row[:4],
    )
)  # fmt: skip
def test_what_is_kept_is_what_was_read(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("kept")
    table = with_declared_dtypes("visits", pd.DataFrame(rows, columns=list(TABLES["visits"])))
    _, added = keep_visits(folder, table)
    assert added == len(rows)
    assert keep_visits(folder, table)[1] == 0


# --- cells


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("5/11/2026", "2026-11-05"), ("05-11-2026", "2026-11-05"), ("05.11.2026", "2026-11-05"),
        ("2026-11-05", "2026-11-05"), ("2026/11/5", "2026-11-05"), ("46331", "2026-11-05"),
        ("2026-11-05 09:30:00", "2026-11-05"), ("05/11/2026 9:30", "2026-11-05"),
        ("11/25/2026", "None"), ("31/02/2026", "None"), ("5/11/26", "None"), ("hôm qua", "None"),
        ("05/11/0026", "None"), ("05/11/2126", "None"), ("2026", "None"),
    ],
)  # fmt: skip
def test_dates_as_people_write_them(text, day):
    assert str(date_of(text)) == day


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("đã đo", "measured"), ("ĐÃ ĐO", "measured"), ("da do", "measured"),
        ("Measured", "measured"), ("☑ đã đo", "measured"), ("có sóng", "measured"),
        ("không có sóng", "no_signal"), ("khong co song", "no_signal"),
        ("no_signal", "no_signal"), ("No signal", "no_signal"), ("mất sóng", "no_signal"),
    ],
)  # fmt: skip
def test_results_as_people_write_them(tmp_path, text, result):
    assert read(form(tmp_path, ROW.format(text, "")))[0] == [(*VISIT, result, None)]


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("05/11/2026,,Xã r0c0,Bản Một,Viettel,đã đo,3,", VISIT),
        ("05/11/2026,r0c0,,bản  một,VIETTEL,đã đo,3,", VISIT),
        ("05/11/2026,r0c0,Xã r0c0,Bản Một,452-04,đã đo,3.0,", VISIT),
        (
            "05/11/2026,r0c0,Xã r0c0,'=1+1,Viettel Telecom,đã đo,3,",
            (*VISIT[:2], FORMULA, "Viettel"),
        ),
    ],
)
def test_spellings_that_mean_one_thing_are_read(tmp_path, line, known):
    assert read(form(tmp_path, line)) == ([(*known, "measured", 3)], {})


def test_a_name_without_its_accents_is_read_and_said(tmp_path):
    found, warnings = read(form(tmp_path, ROW.format("đã đo", 3).replace("Bản Một", "na tam")))
    assert found == [("2026-11-05", "r0c0", "Nà Tăm", "Viettel", "measured", 3)]
    assert warnings["visits_respelled"].values["found"] == ["na tam → Nà Tăm (r0c0)"]


def test_a_name_that_two_villages_have_is_said(tmp_path):
    line = "05/11/2026,r0c1,Xã r0c1,Bản Đôi,Viettel,đã đo,3,"
    found, warnings = read(form(tmp_path, line))
    assert len(found) == 1
    assert warnings["visits_shared_name"].values["found"] == ["Bản Đôi (r0c1)"]


@pytest.mark.parametrize(
    "line",
    [",r0c0,Xã r0c0,Bản Một,Viettel,,,", ",r0c0,Xã r0c0,Không Có,Viettel,,,đường hỏng",
     ",,,,,,,"],
)  # fmt: skip
def test_rows_without_date_result_and_number_are_not_visited(tmp_path, line):
    assert read(form(tmp_path, ROW.format("đã đo", 1), line))[0] == [(*VISIT, "measured", 1)]


# --- faults


@pytest.mark.parametrize(
    ("line", "code", "column", "part"),
    [
        ("x,r0c0,,Bản Một,Viettel,đã đo,1,", "visit_date", "Ngày đi", "«x»"),
        ("01/01/2027,r0c0,,Bản Một,Viettel,đã đo,1,", "visit_later", "Ngày đi", "01/01/2027"),
        ("05/11/2026,99,,Bản Một,Viettel,đã đo,1,", "visit_commune", "Mã xã", "«99»"),
        ("05/11/2026,,Xã X,Bản Một,Viettel,đã đo,1,", "visit_commune", "Xã, phường", "«Xã X»"),
        ("05/11/2026,99,Xã r0c0,Bản Một,Viettel,đã đo,1,", "visit_commune", "Mã xã", "«99»"),
        ("05/11/2026,r0c0,Xã r0c1,Bản Một,Viettel,đã đo,1,", "visit_commune_differs", "Mã xã",
         "Xã r0c1"),
        ("05/11/2026,r0c1,,Bản Một,Viettel,đã đo,1,", "visit_village", "Thôn, bản", "Bản"),
        ("05/11/2026,r0c0,,Bản Mộtt,Viettel,đã đo,1,", "visit_village", "Thôn, bản",
         "(ý bạn là Bản Một?)"),
        ("05/11/2026,r0c0,,,Viettel,đã đo,1,", "visit_no_village", "Thôn, bản", "[villages]"),
        ("05/11/2026,r0c0,,Bản Một,MobiFone,đã đo,1,", "visit_operator", "Nhà mạng", "MobiFone"),
        ("05/11/2026,r0c0,,Bản Một,,đã đo,1,", "visit_operator", "Nhà mạng", "Viettel"),
        ("05/11/2026,r0c0,,Bản Một,Viettel,40 Mbps,1,", "visit_result", "Kết quả", "40 Mbps"),
        ("05/11/2026,r0c0,,Bản Một,Viettel,đã đo,nhiều,", "visit_devices", "Số máy đã đo",
         "nhiều"),
        ("05/11/2026,r0c0,,Bản Một,Viettel,đã đo,-1,", "visit_devices", "Số máy đã đo", "-1"),
        ("05/11/2026,r0c0,,Bản Một,Viettel,đã đo,0,", "visit_no_device", "Số máy đã đo", "đã đo"),
        ("05/11/2026,r0c0,,Bản Một,Viettel,,1,", "visit_incomplete", "Kết quả", "Kết quả"),
        (",r0c0,,Bản Một,Viettel,đã đo,1,", "visit_incomplete", "Ngày đi", "Ngày đi"),
        (",r0c0,,Bản Một,Viettel,,1,", "visit_incomplete", "Ngày đi", "Ngày đi, Kết quả"),
    ],
)  # fmt: skip
def test_each_guard_fires_with_its_place(tmp_path, line, code, column, part):
    good = ROW.format("đã đo", 2).replace("Bản Một", "Nà Tăm")
    (one,) = faults(form(tmp_path, good, line), latest=date(2026, 11, 30))
    assert (one.code, one.file, one.row, one.column) == (code, "visits.csv", 3, column)
    message = error_message(one, "vi")
    assert message.startswith(f"visits.csv, dòng 3, cột {column}: ")
    assert part in message


def test_nobody_tested_where_there_is_no_signal_is_no_fault(tmp_path):
    assert read(form(tmp_path, ROW.format("không có sóng", 0)))[0] == [(*VISIT, "no_signal", 0)]


def workbook(path: Path, *sheets: tuple[str, str, list[list[object]]]) -> Path:
    """A workbook of (name, state, rows)."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, state, lines in sheets:
        sheet = book.create_sheet(name)
        sheet.sheet_state = state
        for line in lines:
            sheet.append(line)
    book.save(path)
    return path


def filled_form(village: str = "Bản Một") -> list[list[object]]:
    heads = ["Visit date", "Commune code", "Village", "Operator", "Result", "Phones tested"]
    return [heads, ["05/10/2026", "r0c0", village, "Viettel", "no signal", 3]]


FORM = ("F", "visible", filled_form())
TABLE: list[list[object]] = [["a", "b", "c"], *[[n, n, n] for n in range(60)]]


@pytest.mark.parametrize(
    ("sheets", "said"),
    [
        ([FORM], {}),
        ([("T", "visible", TABLE), FORM], {"sheets_not_read": ["T (60)"]}),
        ([FORM, ("T", "visible", TABLE)], {"sheets_not_read": ["T (60)"]}),
        ([("T", "hidden", TABLE), FORM], {}),
        ([("L", "visible", [["x", "y"], [1, 2]]), FORM], {}),
        ([("H", "hidden", filled_form("Nà Tăm")), FORM], {"hidden_form_sheets": ["H (1)"]}),
        ([("H", "hidden", filled_form()[:1]), FORM], {}),
    ],
)
def test_of_a_workbook_the_sheet_with_the_forms_headings_is_read(tmp_path, sheets, said):
    found, warnings = read(workbook(tmp_path / "form.xlsx", *sheets))
    assert [one[2] for one in found] == ["Bản Một"]
    assert {code: one.values["found"] for code, one in warnings.items()} == said


def test_all_sheets_with_the_forms_headings_are_read(tmp_path):
    path = workbook(tmp_path / "form.xlsx", FORM, ("G", "visible", filled_form("Nà Tăm")))
    assert [one[2] for one in read(path)[0]] == ["Bản Một", "Nà Tăm"]
    path = workbook(tmp_path / "form.xlsx", FORM, ("G", "visible", filled_form("Nowhere")))
    assert [(one.code, one.file) for one in faults(path)] == [("visit_village", "form.xlsx › G")]


def test_a_form_in_the_folder_of_visits_may_have_another_table(tmp_path):
    file = world(tmp_path)
    (tmp_path / "data/visits").mkdir(parents=True)
    workbook(tmp_path / "data/visits/form.xlsx", ("T", "visible", TABLE[:3]), FORM)
    found, inputs = visits_in(file)
    assert len(found) == 1
    assert "sheets_not_read" in [one.code for one in inputs.warnings]


def kept_visits(folder: Path) -> Path:
    visits = read_visits([form(folder, ROW.format("đã đo", 1))], squares(), villages(),
                         Asked(OPERATORS))[0]  # fmt: skip
    moved = visits.assign(village_name="Bản Cũ")
    gone = visits.assign(commune_code="r9c9")
    other = visits.assign(operator="Beeline")
    return keep_visits(folder / "kept", pd.concat([visits, moved, gone, other]))[0]


def test_kept_visits_of_names_that_changed_are_left_out_with_a_warning(tmp_path):
    found, warnings = read(kept_visits(tmp_path))
    assert [(one[1], one[2], one[3]) for one in found] == [("r0c0", "Bản Một", "Viettel")]
    assert list(warnings) == ["visits_left_out"]
    about = warnings["visits_left_out"]
    assert (about.file, about.values["count"]) == ("visits.csv", 3)
    assert about.values["found"] == [
        "Bản Cũ (r0c0), Viettel", "Bản Một (r0c0), Beeline", "Bản Một (r9c9), Viettel",
    ]  # fmt: skip


def test_wrong_dates_in_kept_visits_and_changed_names_in_forms_are_faults(tmp_path):
    path = kept_visits(tmp_path)
    text = path.read_text(encoding="utf-8-sig")
    line = ROW.format("đã đo", 1).replace("Bản Một", "Bản Cũ")
    assert [one.code for one in faults(form(tmp_path, line))] == ["visit_village"]
    first = next(one for one in text.splitlines() if "Bản Cũ" in one)
    wrong = first.replace(first.split(",")[0], "2026-13-45")
    path.write_bytes(text.replace(first, wrong).replace("\n", "\r\n").encode("utf-8-sig"))
    assert {one.code for one in faults(path)} == {"visit_date", "visit_village"}


def test_two_results_of_one_place_and_day_contradict_each_other(tmp_path):
    a = form(tmp_path, ROW.format("đã đo", 5), name="a.csv")
    b = form(tmp_path, ROW.format("đã đo", 3), ROW.format("không có sóng", ""), name="b.csv")
    (one,) = faults(a, b)
    assert (one.code, one.file, one.row) == ("visit_contradicts", "b.csv", 3)
    message = error_message(one, "vi")
    for part in ("Bản Một (r0c0), Viettel", "a.csv, dòng 2", "«không có sóng»", "«đã đo»"):
        assert part in message
    other_day = form(tmp_path, ROW.format("không có sóng", "").replace("05/", "06/"), name="b.csv")
    assert len(read(a, other_day)[0]) == 2


def test_all_faults_of_all_files_come_at_once(tmp_path):
    a = form(tmp_path, "x,r0c0,,Bản Một,MobiFone,?,-,", ROW.format("?", 1), name="a.csv")
    b = tmp_path / "b.csv"
    b.write_text("Ngày đi,Nhà mạng\n05/11/2026,Viettel\n", encoding="utf-8")
    found = faults(a, b, tmp_path / "none.csv")
    assert sorted((one.code, Path(one.file).name, one.row) for one in found) == [
        ("missing_file", "none.csv", None),
        ("visit_columns", "b.csv", None), ("visit_columns", "b.csv", None),
        ("visit_columns", "b.csv", None),
        ("visit_date", "a.csv", 2), ("visit_operator", "a.csv", 2), ("visit_result", "a.csv", 2),
        ("visit_result", "a.csv", 3),
    ]  # fmt: skip
    named = [error_message(one, "vi") for one in found if one.code == "visit_columns"]
    assert ["Thôn, bản" in named[0], "Kết quả" in named[1], "Mã xã" in named[2]] == [True] * 3


def test_without_villages_and_operators_names_are_taken_as_they_are(tmp_path):
    path = form(tmp_path, "05/11/2026,r0c0,,Bản Lạ,Mạng Lạ,đã đo,2,")
    table, _ = read_visits([path], squares(), None)
    assert table.iloc[0].tolist() == ["2026-11-05", "r0c0", "Bản Lạ", "Mạng Lạ", "measured", 2.0]


# --- in a run


LIST = "thôn,xã,lat,lon,số dân\nBản Một,r0c0,22.05,103.05,300\nBản Hai,r0c0,22.01,103.01,200\n"


def world(tmp_path: Path, more: str = "") -> Path:
    tests = {"2026-10": month_of_tests("2026-10", {("r0c1", "Viettel"): [20.0] * 4})}
    file = write_world(tmp_path, tests, f'[villages]\npath = "villages.csv"\n{more}')
    (tmp_path / "villages.csv").write_text(LIST, encoding="utf-8")
    return file


def visits_in(settings: Path):
    with read_inputs(read_settings(settings)).inputs as inputs:
        return inputs.visits, inputs


def test_visits_are_an_inner_table():
    assert "visits" in INNER


def test_a_run_reads_what_was_kept_beside_its_settings(tmp_path):
    file = world(tmp_path)
    assert visits_in(file)[0] is None
    (tmp_path / "data/visits").mkdir(parents=True)
    assert visits_in(file)[0] is None
    form(tmp_path / "data/visits", ROW.format("không có sóng", ""))
    found, inputs = visits_in(file)
    assert found["visit_result"].tolist() == ["no_signal"]
    (read_from,) = (one for one in inputs.read if one.role == "visits")
    assert (read_from.name, read_from.row_count, len(read_from.sha256)) == ("visits", 1, 64)


SCRATCH = ("~$visits.xlsx", ".~lock.visits.xlsx#", ".DS_Store", "Thumbs.db", "desktop.ini")


@pytest.mark.parametrize("name", SCRATCH)
@pytest.mark.parametrize("folder", ["data/visits", "mine"])
def test_hidden_files_and_lock_files_are_no_visits(tmp_path, name, folder):
    """In the usual folder, and in one of the settings, with villages and without them."""
    more = f'[visits]\npath = "{folder}"\n' if folder == "mine" else ""
    file = world(tmp_path, more)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / name).write_bytes(b"\x00")
    assert quiet_visits_in(file) == (None, set())
    form(tmp_path / folder, ROW.format("không có sóng", ""))
    found, codes = quiet_visits_in(file)
    assert (found["visit_result"].tolist(), codes) == (["no_signal"], set())
    (tmp_path / folder / "visits.csv").unlink()
    text = file.read_text(encoding="utf-8").replace('[villages]\npath = "villages.csv"\n', "")
    file.write_text(text, encoding="utf-8")
    assert quiet_visits_in(file) == (None, set())


def quiet_visits_in(file: Path):
    """The visits; codes of the warnings that are about them."""
    found, inputs = visits_in(file)
    codes = {one.code for one in inputs.warnings}
    return found, {one for one in codes if "visits" in one or one in ("passed_over", "named_again")}


def test_an_empty_folder_of_the_settings_has_no_visits(tmp_path):
    file = world(tmp_path, '[visits]\npath = "mine"\n')
    (tmp_path / "mine").mkdir()
    found, inputs = visits_in(file)
    assert found is None
    assert "visits" not in {one.role for one in inputs.read}


def test_files_of_other_types_among_visits_are_said(tmp_path):
    file = world(tmp_path, '[visits]\npath = "mine"\n')
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.docx").write_bytes(b"x")
    found, inputs = visits_in(file)
    assert found is None
    said = [error_message(one, "en") for one in inputs.warnings if one.code == "passed_over"]
    assert len(said) == 1
    assert said[0].startswith("mine: files of other types were passed over: notes.docx")
    (tmp_path / "mine/visits.xlsx").symlink_to(tmp_path / "absent.xlsx")
    faults = read_inputs(read_settings(file)).faults
    assert [one.code for one in faults] == ["broken_links"]


def test_a_folder_of_the_settings_that_is_not_there_is_a_fault(tmp_path):
    delivered = read_inputs(read_settings(world(tmp_path, '[visits]\npath = "nowhere"\n')))
    assert [one.code for one in delivered.faults] == ["missing_file"]


def test_visits_without_villages_are_a_warning(tmp_path):
    file = world(tmp_path)
    text = file.read_text(encoding="utf-8").replace('[villages]\npath = "villages.csv"\n', "")
    file.write_text(text + '[visits]\npath = "visits.csv"\n', encoding="utf-8")
    form(tmp_path, ROW.format("đã đo", 1))
    found, inputs = visits_in(file)
    assert found is None
    assert "visits_without_villages" in [one.code for one in inputs.warnings]


def test_visits_after_a_period_say_nothing_of_it():
    days = ["2026-10-30", "2026-10-31", "2026-11-01"]
    visits = pd.DataFrame({"visit_date": days})
    assert visits_until(visits, date(2026, 10, 31))["visit_date"].tolist() == days[:2]


@pytest.mark.slow
def test_a_visit_without_signal_makes_a_village_silent_in_its_period_only(tmp_path):
    file = world(tmp_path)
    (tmp_path / "data/visits").mkdir(parents=True)
    classes = {}
    for day in ("30/10/2026", "01/11/2026"):
        form(tmp_path / "data/visits", ROW.format("không có sóng", "").replace("05/11/2026", day))
        code, text = run_lomsong("run", "--settings", file, "--out", tmp_path / day[:2],
                                 "--publish", "tables")  # fmt: skip
        assert code == 0, text
        table = pd.read_csv(tmp_path / day[:2] / "2026-10/tables/village_status.csv")
        row = table[table["village_name"].eq("Bản Một") & table["operator"].eq("Viettel")].iloc[0]
        classes[day] = (row["village_class"], row["class_grounds"])
    assert classes["30/10/2026"] == ("no_signal", "visited")
    assert classes["01/11/2026"][1] != "visited"
