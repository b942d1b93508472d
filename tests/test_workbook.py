"""The workbook read back.

Figures and texts are the tables', nothing is calculated, equal runs give equal bytes.
"""

from __future__ import annotations

import warnings
import zipfile

import openpyxl
import pandas as pd
import pytest

from pipeline.schema import texts
from pipeline.schema.column_labels import heading
from pipeline.schema.columns import FIELDS
from pipeline.schema.fields import GAP_CLASSES
from tests.builders import month_of_tests, write_world

NASTY = '=HYPERLINK("x")'


def opened(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # openpyxl does not know data bars' extension
        return openpyxl.load_workbook(path)


def sheet_of(book, name: str) -> pd.DataFrame:
    rows = list(book[name].iter_rows(values_only=True))
    heads = [c for c in rows[1] if c]
    return pd.DataFrame([row[: len(heads)] for row in rows[2:]], columns=heads)


@pytest.fixture(scope="module")
def book(demo_outputs):
    return opened(demo_outputs / "tables/priorities.xlsx")


def test_every_sheet_is_there_in_its_order(book):
    assert book.sheetnames == [
        "Tóm tắt", "MobiFone", "Vietnamobile", "Viettel", "VinaPhone", "Đo trước", "Thôn, bản",
        "Theo dõi phép đo quy định", "Tham gia", "Dùng chung", "Khả năng dùng chung",
        "Phương pháp và nguồn",
    ]  # fmt: skip


@pytest.mark.parametrize(("table", "names"), [("priorities",
                                               ["MobiFone", "Vietnamobile", "Viettel",
                                                "VinaPhone"]),
                                                ("measure_first", ["Đo trước"])])  # fmt: skip
def test_figures_are_the_tables(book, demo_outputs, table, names):
    kept = pd.read_parquet(demo_outputs / f"tables/{table}.parquet").drop(columns="notice")
    found = pd.concat([sheet_of(book, name) for name in names], ignore_index=True)
    assert set(found.columns) == set(kept.columns)
    key = ["commune_code", "operator"]
    found, kept = found.set_index(key).sort_index(), kept.set_index(key).sort_index()
    assert found.index.equals(kept.index)
    compared = 0
    for name in kept.columns:
        if FIELDS[name].dtype in ("float64", "int64"):
            pd.testing.assert_series_equal(
                pd.to_numeric(found[name]).astype("float64"),
                kept[name].astype("float64"),
                rtol=0,
                atol=1e-9,
            )
            compared += 1
    assert compared >= 8
    assert found["status"].tolist() == [texts.word(key, "vi") for key in kept["status"]]


def test_headings_stand_over_machine_names_and_codes_are_text(book):
    sheet = book["MobiFone"]
    machine = [c.value for c in sheet[2] if c.value]
    assert [c.value for c in sheet[1]][: len(machine)] == [heading(name, "vi") for name in machine]
    code = machine.index("commune_code")
    assert all(
        isinstance(row[code].value, str) and row[code].value.startswith("0")
        for row in sheet.iter_rows(min_row=3)
    )
    assert sheet.freeze_panes == sheet.cell(3, machine.index("commune_name") + 2).coordinate
    assert sheet.auto_filter.ref.startswith("A2:")
    assert sheet.print_title_rows == "$1:$2"
    assert sheet.page_setup.orientation == "landscape"
    assert str(sheet.page_setup.paperSize) == "9"
    folded = {
        n for d in sheet.column_dimensions.values() if d.hidden for n in range(d.min, d.max + 1)
    }
    shown = [name for number, name in enumerate(machine, 1) if number not in folded]
    assert 10 <= len(shown) <= 20, "what is printed fits on a page"


def test_verdicts_can_be_read_on_their_colours(book):
    def luminance(argb: str) -> float:
        shares = [int(argb[i : i + 2], 16) / 255 for i in (2, 4, 6)]
        red, green, blue = (
            s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    words = {texts.word(key, "vi"): key for key in GAP_CLASSES}
    found = {}
    for row in book["Tóm tắt"].iter_rows(max_col=1):
        if row[0].value in words:
            pair = (luminance(row[0].font.color.rgb), luminance(row[0].fill.fgColor.rgb))
            found[words[row[0].value]] = (max(pair) + 0.05) / (min(pair) + 0.05)
    assert list(found) == list(GAP_CLASSES)
    assert min(found.values()) > 4.5, f"WCAG's contrast for text: {found}"


def test_sharing_counts_the_good_ones(book, demo_outputs):
    status = pd.read_parquet(demo_outputs / "tables/commune_status.parquet")
    good = (
        status[(status["status"] == "meets_target") & (status["operator"] != "all")]
        .groupby("commune_code")
        .size()
    )
    sheet = book["Khả năng dùng chung"]
    words = [texts.word(key, "vi") for key in ("nobody_good", "one_good", "several_good")]
    rows = list(sheet.iter_rows(min_row=3, values_only=True))
    assert len(rows) == 38
    for row in rows:
        assert row[6] == words[min(2, int(good.get(row[0], 0)))]


def test_text_that_looks_like_a_formula_stays_text_and_odd_names_make_sheets(lomsong, tmp_path):
    names = [NASTY, "A/B:C", "+84 Mobile", "x" * 40]
    slow = [10.0, 12.0, 14.0, 9.0, 11.0, 13.0] * 2
    csv = month_of_tests("2026-10", {("r0c0", f"N{i}"): slow for i in range(4)})
    listed = "\n".join(f"'{name}' = ['N{i}']" for i, name in enumerate(names))
    settings = write_world(tmp_path, {"2026-10": csv}, f"[operators]\n{listed}\n")
    assert lomsong("run", "--settings", settings, "--lang", "en")[0] == 0
    book = opened(tmp_path / "outputs/2026-10/tables/priorities.xlsx")
    assert len(book.sheetnames) == 11
    cells = [c for sheet in book for row in sheet.iter_rows() for c in row if c.value is not None]
    assert all(c.data_type != "f" for c in cells)
    assert any(c.value == NASTY for c in cells), "the name itself, without an apostrophe"
    assert book.sheetnames[0] == "Summary"


def test_the_file_carries_the_periods_end(demo_outputs):
    with zipfile.ZipFile(demo_outputs / "tables/priorities.xlsx") as file:
        assert b"2026-10-31T00:00:00Z" in file.read("docProps/core.xml")


def test_a_month_without_gaps_says_so(lomsong, tmp_path):
    settings = write_world(
        tmp_path,
        {"2026-10": month_of_tests("2026-10", {("r0c0", "V"): [80.0, 90.0, 70.0, 85.0] * 4})},
    )
    assert lomsong("run", "--settings", settings)[0] == 0
    book = opened(tmp_path / "outputs/2026-10/tables/priorities.xlsx")
    assert book["V"]["A3"].value == texts.word("sheet_nothing", "vi")
