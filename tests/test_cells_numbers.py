"""How a column's numbers are written: decided by all cells, by what values allow, or asked."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.texts import error_message, languages
from pipeline.sources.cells import numbers
from pipeline.sources.cells.missing import is_missing
from pipeline.sources.cells.numbers import NumberForm, decide_numbers, read_numbers
from pipeline.sources.cells.units import unit_of

KBPS = unit_of("download_mbps", "kbps")
DOWNLOAD = "download_mbps"


def decided(cells, ours=DOWNLOAD, decimal=None, unit=None):
    return decide_numbers(pl.Series("Heading", cells), ours, decimal, unit=unit)


def read(cells, ours=DOWNLOAD, decimal=None, unit=None):
    form = decided(cells, ours, decimal, unit).sure()
    return read_numbers(pl.Series(cells), form).to_list()


def asked(cells, ours=DOWNLOAD, decimal=None, unit=None):
    decision = decided(cells, ours, decimal, unit)
    assert decision.form is None
    for lang in languages():
        error_message(decision.question, lang)
    return decision.question.code


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["12.5", "7"], [12.5, 7]),
        (["12,5", "7"], [12.5, 7]),
        (["1.234,5", "1.234"], [1234.5, 1234]),
        (["1,234.5", "1,234"], [1234.5, 1234]),
        (["1.234.567", "20.105"], [1234567, 20105]),
        (["1,234,567", "20,105"], [1234567, 20105]),
        (["20.105", "0.105"], [20.105, 0.105]),
        (["20,105", "0,105"], [20.105, 0.105]),
        (["20.105", "20.1"], [20.105, 20.1]),
        (["20.105", "1500.125"], [20.105, 1500.125]),
        (["20,105", "1500,1255"], [20.105, 1500.1255]),
        (["1,23,456", "2,345"], [123456, 2345]),
        (["12,34,567.5", "2,345"], [1234567.5, 2345]),
        (["1.2E+4", "2.0105e-2", "3e2"], [12000, 0.020105, 300]),
        (["1,2E+4", "2,0105e-2"], [12000, 0.020105]),
        (["1.204E+4", "20.105"], [12040, 20.105]),
        ([".5", "5."], [0.5, 5]),
        (["+5.5", "−7.5", "- 3", "–2"], [5.5, -7.5, -3, -2]),
        (["\uff11\uff12\uff0e\uff15", "\uff13"], [12.5, 3]),
        (["٣", "12.5"], [3, 12.5]),
        (["\u200e12.5\ufeff", " 7 ", "\t8"], [12.5, 7, 8]),
        (["1 234,5", "12 345"], [1234.5, 12345]),
        (["12 345.678"], [12345.678]),
        (["1.234,5", "12.5"], [1234.5, 12.5]),
        (["12.5", "12,5"], [12.5, 12.5]),
    ],
)  # fmt: skip
def test_the_column_shows_the_role_of_its_marks(cells, values):
    assert read(cells, unit=KBPS) == values
    decision = decided(cells, unit=KBPS)
    assert decision.basis in ("cells", "default")
    assert decision.question is None


@pytest.mark.parametrize("space", [*" \u00a0\u202f\u2009\u2007\u3000", *"'`\u2019\u02bc\u00b4"])
def test_spaces_and_apostrophes_of_all_kinds_group_digits(space):
    cells = [f"20{space}105", f"1{space}020{space}105", "497"]
    assert read(cells, unit=KBPS) == [20105, 1020105, 497]


@pytest.mark.parametrize("cell", ["20 5", "1 23 456", "12 3456", "1 2345,6", "1'2", "12 .5"])
def test_spaces_elsewhere_are_no_number(cell):
    assert read_numbers(pl.Series([cell, "7"]), NumberForm()).to_list() == [None, 7]


@pytest.mark.parametrize(
    ("cells", "ours"),
    [
        (["20.105", "60.409"], "download_mbps"),
        (["20,105", "60,409"], "upload_mbps"),
        (["20.105", "497"], "download_mbps"),
        (["20.105", "0"], "download_mbps"),
        (["-1", "20.105"], "download_mbps"),
    ],
)
def test_three_digits_behind_the_only_mark_are_asked_about_in_kbps(cells, ours):
    unit = unit_of(ours, "kbps")
    assert asked(cells, ours, unit=unit) == "number_mark_open"
    lines = decided(cells, ours, unit=unit).question.values["lines"]
    assert {line[-5:-2] for line in lines} == {'"."', '","'}


def test_the_question_names_the_likely_mark_first():
    for cells, first in ((["20.105", "60.409"], ","), (["20,105", "60,409"], ".")):
        lines = decided(cells, unit=KBPS).question.values["lines"]
        assert lines[0] == f'download_mbps = {{ column = "Heading", decimal = "{first}" }}'
    slow = decided(["2.105", "3.250"], "latency_ms").question
    assert slow.values["lines"][0].endswith('decimal = "." }')
    assert slow.values["found"] == "“2.105”, “3.250” (2 / 2)"


@pytest.mark.parametrize(
    ("cells", "ours", "values"),
    [
        (["22.105", "22.021"], "latitude", [22.105, 22.021]),
        (["22,105", "-22,021"], "latitude", [22.105, -22.021]),
        (["103.105", "104.021"], "longitude", [103.105, 104.021]),
        (["103,105", "104.021"], "longitude", [103.105, 104.021]),
        (["-95.125", "-101.500"], "signal_dbm", [-95.125, -101.5]),
        (["21.004", "25.409"], "download_mbps", [21.004, 25.409]),
        (["21,004", "25,409"], "download_mbps", [21.004, 25.409]),
        (["1.004", "2.409"], "upload_mbps", [1.004, 2.409]),
        (["30.125", "45.250"], "latency_ms", [30.125, 45.25]),
        (["1.125", "4.250"], "jitter_ms", [1.125, 4.25]),
        (["3.900", "12.000"], "location_accuracy_m", [3.9, 12]),
        (["12.345", "8.765"], "count", [12345, 8765]),
        (["12,345", "950"], "count", [12345, 950]),
        (["12.345", "1.234.567", "12,345"], "count", [12345, 1234567, 12345]),
    ],
)
def test_values_that_cannot_be_refute_a_role(cells, ours, values):
    decision = decided(cells, ours)
    assert decision.basis == "values"
    assert decision.evidence
    assert read(cells, ours) == values


@pytest.mark.parametrize(
    ("cells", "ours"), [(["509.366", "510.125"], "longitude"), (["105.366", "104.125"], "latitude")]
)
def test_neither_role_fits(cells, ours):
    assert asked(cells, ours) == "number_mark_open"


def test_people_may_have_fractions_where_the_column_shows_them():
    assert read(["12.345", "0.5"], "count") == [12.345, 0.5]


@pytest.mark.parametrize(
    "cells",
    [
        ["1.234,5", "12.5", "1.234"],
        ["1,234.5", "12,5", "1,234"],
        ["12,5", "20.105"],
        ["1.234.567", "2.5", "3.125"],
    ],
)
def test_marks_in_both_roles_are_asked_about(cells):
    assert asked(cells) == "number_marks_mixed"


def test_a_stray_cell_does_not_change_the_column():
    cells = ["12.5", "3.125"] * 200 + ["1.234.567"]
    assert read(cells) == [12.5, 3.125] * 200 + [None]


def test_the_settings_mark_holds():
    assert read(["20.105", "60.409"], decimal=",", unit=KBPS) == [20105, 60409]
    assert read(["20.105", "60.409"], decimal=".", unit=KBPS) == [20.105, 60.409]
    assert decided(["20.105", "60.409"], decimal=",", unit=KBPS).basis == "settings"
    assert read(["12,5", "12.5"], decimal=",") == [12.5, None]  # counted as unreadable
    assert read(["7"], decimal=",") == [7]


@pytest.mark.parametrize(
    ("cells", "ours"),
    [
        (["22.105146", "22.0212"], "latitude"),
        (["22.105", "22.021"], "latitude"),
        (["10.0", "30.0"], "download_mbps"),
        (["30.0", "1,250.5"], "latency_ms"),
    ],
)
def test_a_settings_mark_that_no_cell_of_the_column_has_gives_way(cells, ours):
    decision = decided(cells, ours, decimal=",")
    assert decision.basis != "settings"
    assert "0 / 2" in decision.evidence
    assert decision.form == NumberForm(".", ",")


def test_words_for_nothing_are_no_values_and_excels_errors_cannot_be_read():
    cells = ["12.5", "-", "N/A", " không có ", None, "", "#DIV/0!", "#N/A", "#REF!", "#VALUE!", "x"]
    column = pl.Series(cells)
    found = read_numbers(column, decided(cells).sure())
    assert found.to_list() == [12.5] + [None] * 10
    assert numbers.unreadable(column, found).to_list() == [False] * 6 + [True] * 5
    assert is_missing(column).to_list() == [False] + [True] * 5 + [False] * 5
    assert decided(["#DIV/0!", "-"]).question is None


@pytest.mark.parametrize(
    "word", ["inf", "-Infinity", "nan", "1e999", "∞", "0x10", "1_000", "1.2.3"]
)
def test_what_is_no_finite_number_is_null(word):
    for form in (numbers.PLAIN, numbers.BY_CELL, numbers.UNDECIDED, NumberForm(",", ".")):
        assert read_numbers(pl.Series([word, "7"]), form).to_list() == [None, 7]


def test_a_column_of_words_or_times_is_asked_about():
    assert asked(["abc", "def"]) == "numbers_unreadable"
    assert asked(pl.Series([1, 2]).cast(pl.Datetime("us"))) == "numbers_unreadable"
    assert asked([True, False]) == "numbers_unreadable"


def test_percents():
    assert asked(["12,5 %", "7 %"]) == "unit_of_another_kind"
    assert read(["12,5 %", "7%", "50"], "share") == pytest.approx([0.125, 0.07, 50])
    assert read(["12.5", "7.5", "5 %"]) == [12.5, 7.5, None]


@pytest.mark.parametrize(
    ("cells", "ours", "values"),
    [
        (
            ["20,5 Mbps", "20500 kbps", "7,1 Mbps", "0,5 Gbps"],
            "download_mbps",
            [20.5, 20.5, 7.1, 500],
        ),
        (["20.5Mb/s", "2.5 MB/s", "20.5 Mbit/giây"], "download_mbps", [20.5, 20, 20.5]),
        (["30 ms", "0,25 s", "45,5 ms"], "latency_ms", [30, 250, 45.5]),
        (["-95 dBm", "−101.5 dBm"], "signal_dbm", [-95, -101.5]),
        (["10 m", "1,5 km", "12 m"], "location_accuracy_m", [10, 1500, 12]),
        (["1 234 người", "12.345 người"], "count", [1234, 12345]),
        (["1,2E+1 Mbps", "-1 Mbps"], "download_mbps", [12, -1]),
    ],
)  # fmt: skip
def test_units_behind_numbers_are_read_cell_by_cell(cells, ours, values):
    assert read(cells, ours) == pytest.approx(values)


def test_a_heading_of_kbps_and_some_cells_in_mbps():
    form = decided(["20500", "20.5 Mbps", "7100"], unit=KBPS).sure()
    assert form.unit == KBPS
    found = read_numbers(pl.Series(["20500", "20.5 Mbps", "1 Gbps", "3 furlong"]), form)
    assert found.to_list() == [20500, 20500, 1_000_000, None]


def test_typed_columns_pass():
    for column in (
        pl.Series([1, None], dtype=pl.Int16),
        pl.Series([Decimal("1.00"), None], dtype=pl.Decimal(10, 2)),
        pl.Series([1.0, float("nan")]),
        pl.Series(["1", "-"], dtype=pl.Categorical),
        pl.Series(["1", "x"], dtype=pl.Enum(["1", "x"])),
    ):
        decision = decide_numbers(column, DOWNLOAD)
        found = read_numbers(column, decision.sure())
        assert found.dtype == pl.Float64
        assert found.to_list() == [1.0, None]
    assert read_numbers(pl.Series([True]), numbers.PLAIN).to_list() == [None]


def test_failed_marks():
    def marks(values):
        return numbers.decide_failed_marks(pl.Series("Download", values, dtype=pl.Float64))

    assert marks([-1] * 36 + [20.5] * 108).form == (-1,)
    assert marks([-1] * 36 + [20.5] * 108).evidence == "36 × -1 / 144"
    assert marks([20.5, 0, None]).form == ()
    assert marks([-0.5, -0.25, 3]).form == ()  # no marks: values that nobody can believe
    for values in ([-999] * 3 + [20.5] * 9, [-1] * 9 + [20.5] * 3, [-1, -1, -99, -99, 7, 8, 9]):
        question = marks(values).question
        assert question.code == "failed_mark_open"
        assert question.values["lines"][0].startswith(
            'download_mbps = { column = "Download", failed = [-'
        )
        assert error_message(question, "vi")


def written(value: Decimal, decimal: str, grouping: str) -> str:
    text = f"{value:,}"
    return text.replace(",", "G").replace(".", decimal).replace("G", grouping)


# marks that a column shows: two cells that allow one reading only stand above the drawn ones
FORMS = [(d, g) for d in ".," for g in ("", " ", "\u202f", "'", {".": ",", ",": "."}[d])]


@settings(deadline=None)
@given(
    st.sampled_from(FORMS),
    st.lists(st.decimals(-(10**7), 10**7, places=3), min_size=1, max_size=20),
)
def test_numbers_written_in_one_form_come_back(form, values):
    decimal, grouping = form
    column = [Decimal("0.105"), Decimal("1234567.5"), *values]
    cells = [written(value, decimal, grouping) for value in column]
    assert read(cells, unit=KBPS) == pytest.approx([float(value) for value in column], abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.sampled_from(".,"))
def test_counts_come_back_whatever_groups_their_digits(values, mark):
    cells = [f"{value:,}".replace(",", mark) for value in values]
    assert read(cells, "count") == values


@settings(deadline=None)
@given(st.lists(st.text(alphabet="0123456789., -+eE%'", max_size=9), max_size=12))
def test_no_text_stops_the_reading(cells):
    column = pl.Series("H", cells, dtype=pl.String)
    decision = decide_numbers(column, DOWNLOAD)
    assert (decision.form is None) == (decision.question is not None)
    for form in (decision.form or numbers.UNDECIDED, NumberForm(",", "."), numbers.BY_CELL):
        found = read_numbers(column, form)
        assert len(found) == len(cells)
        assert found.is_finite().all()


@settings(deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_shortest_texts_of_floats_come_back_to_the_bit(values):
    column = pl.Series([repr(value) for value in values])
    assert read_numbers(column, numbers.PLAIN).to_list() == values
