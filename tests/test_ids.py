"""Ids: cells that hold none, ids that a spreadsheet rounded, and whose id a column is."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schema.texts import error_message
from pipeline.sources.cells import ids

ZERO = "00000000-0000-0000-0000-000000000000"


def read(cells, **how):
    column = pl.Series("id", cells)
    return ids.read_ids(column, ids.decide_ids(column, **how).sure()).to_list()


@pytest.mark.parametrize(
    "none",
    [
        ZERO, "00:00:00:00:00:00", "02:00:00:00:00:00", "000000000000000", "unknown", "UNKNOWN",
        "9774d56d682e549c", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "null", "-", "",
        "{" + ZERO + "}",
    ],
)  # fmt: skip
def test_words_and_numbers_that_are_no_id(none):
    assert read([none, "d0Vi00", f" {none} ", "d1Vi01", None]) == [
        None,
        "d0Vi00",
        None,
        "d1Vi01",
        None,
    ]


def test_zero_ids_are_said_with_their_count():
    decided = ids.decide_ids(pl.Series([ZERO] * 72 + [f"d{n}" for n in range(72)]))
    assert decided.evidence == f"72 of 144 cells hold no id ({ZERO} 72)"


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["0", "1", "2"], ["0", "1", "2"]),  # numbered from 0
        (["0", "8f3e21aa07", "b2c4d6e801"], [None, "8f3e21aa07", "b2c4d6e801"]),
        (["10", "000", "20"], ["10", None, "20"]),
        (["f", "ff", "feed"], ["f", "ff", "feed"]),
        (["7.0", "8.0"], ["7.0", "8.0"]),
        ([77.0, None, 12.0], ["77", None, "12"]),
        ([77, 12], ["77", "12"]),
    ],
)
def test_ids_that_only_look_empty_stay(cells, found):
    assert read(cells) == found


def test_one_id_in_all_rows_is_asked_about_unless_the_rows_are_of_one_phone():
    question = ids.decide_ids(pl.Series(["phone"] * 30), "IMEI").question
    assert (question.code, question.column) == ("ask_one_id", "IMEI")
    assert question.values["found"] == "30 / 30: phone"
    assert read(["T1"] * 30, ours="test_id") == [None] * 30
    assert read(["phone"] * 30, one_device=True) == ["phone"] * 30
    assert read(["phone"] * 5) == ["phone"] * 5


@pytest.mark.parametrize("text", ["8.94E+14", "8,94E+14", "8.9412e14", "3.5E+15", "9E+14"])
def test_rounded_ids_are_a_question(text):
    decided = ids.decide_ids(pl.Series([text, text, "a"]), "IMEI")
    assert decided.question.code == "ask_rounded_ids"
    assert decided.question.column == "IMEI"
    assert decided.question.values["found"] == f"2 of 3 cells: {text}"
    assert decided.question.values["lines"] == ('device_id = { value = "" }',)
    for lang in ("vi", "en"):
        assert text in error_message(decided.question, lang)


def test_scientific_ids_with_all_of_their_digits_are_read():
    assert read(["8.94123456789012E+14", "8.94123456789013E+14"]) == [
        "894123456789012",
        "894123456789013",
    ]


@given(st.integers(10**14, 10**15 - 1), st.integers(0, 14))
def test_law_an_id_is_read_or_asked_about_never_changed(number, digits):
    text = f"{number:.{digits}E}"
    decided = ids.decide_ids(pl.Series([text]))
    if decided.question is None:
        assert ids.read_ids(pl.Series([text]), decided.form).to_list() == [str(number)]
    else:
        assert digits < 14


def plain(text):
    """How one cell is read, said as plainly as it can be."""
    if text in {form for word in ids._WORDS for form in (word, word.upper(), word.title())}:
        return None
    begins = text.startswith(("00", "{0", "ff", "FF", "{f", "{F"))
    if begins and re.fullmatch(r"[0:.{}-]{3,}|[f:.{}-]{8,}", text.lower()):
        return None
    number = re.fullmatch(r"(\d)\.(\d{9,15})E\+(\d\d)", text)
    return number[1] + number[2] if number and len(number[2]) == int(number[3]) else text


WORDS = st.sampled_from(sorted(ids._WORDS))
CELLS = st.one_of(
    st.text(st.characters(categories=("L", "N", "P")), max_size=40),
    st.uuids().map(str),
    st.integers(0, 10**16).map(str),
    st.builds(str.__add__, st.sampled_from(["00", "{0", "0", "{"]), st.text("0:-}.", max_size=38)),
    st.builds(str.__add__, st.sampled_from(["ff", "{F", "FF", "f"]), st.text("fF-}", max_size=38)),
    st.builds(str.format, st.sampled_from(["{:.9E}", "{:.14E}"]), st.integers(10**9, 10**15)),
    *[WORDS.map(case) for case in (str.lower, str.upper, str.title)],
)


@given(st.lists(CELLS, max_size=9), st.lists(CELLS, max_size=9), st.integers(0, 3))
def test_law_a_column_is_read_as_its_cells_are_one_by_one(first, second, left_out):
    column = pl.Series("id", [*first, None], dtype=pl.String)
    column = column.append(pl.Series(second, dtype=pl.String)).slice(left_out)
    read_cells = ids.read_ids(column, ids.IdForm())
    assert read_cells.to_list() == [None if c is None else plain(c) for c in column.to_list()]
    assert read_cells.name == "id"


def test_numbers_that_are_no_numbers_hold_no_id():
    assert read([77.0, float("nan"), 12.0]) == ["77", None, "12"]
    assert read([77.5, float("nan")]) == ["77.5", None]


# --- whose id


def whose(*rows):
    """Whose the ids of (id, mark) rows are."""
    names, marks = zip(*rows, strict=True)
    return ids.whose(pl.Series(names, dtype=pl.String), pl.Series(marks))


def test_an_id_that_repeats_at_other_times_is_a_device():
    found = whose(*[(f"d{n % 12}", n) for n in range(144)])
    assert (found.is_of, found.id_count, found.tests_per_id) == ("device", 12, 12.0)
    assert found.evidence == "12 ids in 144 rows, 132 repeats at other times or places"


def test_an_id_of_each_row_is_a_test_and_copies_of_rows_change_nothing():
    one = [(f"t{n}", n) for n in range(144)]
    assert whose(*one).is_of == "test"
    assert whose(*one, *one).is_of == "copies"
    assert whose(*one, *one[:5]).is_of == "test"
    assert whose((None, 1)).is_of == "none"
