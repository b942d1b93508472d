"""How a column of times is written: by all its cells and its heading, or a question."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import partial
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema import texts
from pipeline.sources import inputs
from pipeline.sources.cells import times
from pipeline.sources.cells.time_texts import formats_of, offset_in, plain
from pipeline.sources.cells.times import TimeForm, decide_times, read_times

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
LATEST = datetime(2026, 11, 26, tzinfo=UTC)


NAIVE = partial(datetime, tzinfo=None)


def series(*cells, dtype=None):
    return pl.Series("Time", cells, dtype=dtype, strict=False)


def decided(*columns, heading="Time", **more):
    return decide_times(columns, heading, HANOI, **{"latest": LATEST, **more})


def read(*columns, **more):
    """Times of a column that leaves nothing open, as local texts."""
    form = pickle.loads(pickle.dumps(decided(*columns, **more).sure()))
    found = read_times(columns, form)
    assert found.dtype == pl.Datetime("us", "UTC")
    return found.dt.convert_time_zone(str(HANOI)).dt.strftime("%Y-%m-%d %H:%M:%S").to_list()


def asked(*columns, **more):
    question = decided(*columns, **more).question
    assert question is not None
    for lang in texts.languages():
        assert texts.error_message(question, lang)
    return question


SEVEN = "2026-10-05 07:00:00"


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-05T00:00:00.000Z",
        "2026-10-05 07:00:00",
        "2026-10-05T07:00",
        "2026-10-05 07:00:00+07",
        "2026-10-05 07:00:00+0700",
        "2026-10-05T07:00:00+07:00",
        "2026-10-05 07:00:00,000",
        "20261005T070000",
        "2026-10-05 07:00:00 +07",
        "2026-10-05T00:00Z",
        "2026-10-05T07:00+07:00[Asia/Ho_Chi_Minh]",
        "2026-10-05 07:00:00 ICT",
        "2026-10-05 00:00:00 UTC",
        "2026-10-05 07:00 GMT+7",
        "2026-10-05 07:00 (UTC+07:00)",
        "2026-10-05 07:00:00.0000000",
        "2026-10-04 19:00:00-05",
        "\ufeff2026-10-05\u00a007:00:00 ",
        "2026.10.05_07.00.00",
        "2026/10/05 07:00",
        "2026-10-5 7:00:00",
        "2026-10-05-07.00.00.000000",
        "20261005070000",
        "202610050700",
        "05 tháng 10, 2026 07h00",
        "ngày 05 tháng 10 năm 2026 lúc 07:00",
        "5 Th10 2026 7:00 SA",
        "5-Thg 10-2026, 07:00:00",
        "5 tháng mười 2026 07:00",
        "05-Oct-2026 07:00:00",
        "October 5th, 2026 7 AM",
        "Oct 5, 2026, 7:00:00\u202fAM",
        "Mon Oct 05 07:00:00 ICT 2026",
        "Mon Oct 05 2026 07:00:00 GMT+0700 (Indochina Time)",
        "05/Oct/2026:07:00:00 +0700",
        "05OCT2026 07:00",
        "1791158400",
        "1791158400.0",
        "1791158400000",
        "1791158400000000",
        "46300.2916666667",
        "46300,2916666667",
    ],
)
def test_a_form_that_allows_one_reading_is_read(text):
    assert read(series(text, None, "-")) == [SEVEN, None, None]


@pytest.mark.parametrize(
    "text",
    [
        "05/10/2026 07:00",
        "5/10/2026 7:00",
        "05-10-2026 07h00",
        "07:00 05/10/2026",
        "07:00:00 SA 05/10/2026",
        "05/10/2026 07:00:00 SA",
        "05/10/2026, 07:00",
        "05/10/2026 - 07:00:00",
        "05.10.2026 07:00",
        "05/10/26 07:00",
        "Thứ Hai, 05/10/2026 07:00",
        "7 giờ 00 phút 05/10/2026",
        "05/10/2026 7:00 a.m.",
        "05/10/2026 SA 07:00",
        "05/10/2026 07:00:00.000",
        "05102026 07:00",
        "05/10/2026 07:00 +07",
    ],
)
def test_day_first_by_the_whole_column(text):
    """Another cell of the same spelling has a day above 12."""
    other = text.replace("05", "25", 1) if text.startswith("05") else text.replace("5/10", "25/10")
    other = other.replace("025/10", "25/10").replace("Hai", "Ba")
    found = decided(series(text, other))
    assert found.sure().is_day_first
    assert read(series(text, other))[0] == SEVEN


def test_month_first_by_the_whole_column():
    cells = series("10/05/2026 07:00", "10/25/2026 07:00", "10/07/2026 07:00")
    found = decided(cells)
    assert found.evidence.endswith("1 of 3 cells have 13 to 31 in the second place")
    assert found.basis == "values"
    assert found.sure().formats == ("%m/%d/%Y %H:%M",)
    assert found.sure().is_day_first is False
    assert read(cells)[0] == SEVEN


def test_an_open_order_is_asked_with_what_each_reading_gives():
    question = asked(series("05/10/2026 07:00", "06/10/2026 08:00", "07/09/2026 01:00"))
    assert question.code == "time_order_open"
    assert question.values["found"] == (
        "%d/%m/%Y %H:%M → 2026-09 (1), 2026-10 (2); "
        "%m/%d/%Y %H:%M → 2026-05 (1), 2026-06 (1), 2026-07 (1)"
    )
    assert question.values["lines"] == [
        f'measured_at = {{ column = "Time", format = "{form} %H:%M" }}'
        for form in ("%d/%m/%Y", "%m/%d/%Y")
    ]


@pytest.mark.parametrize(
    ("cells", "latest", "form"),
    [
        ([f"10/{day:02}/2026 07:00" for day in range(1, 12)], LATEST, "%m/%d/%Y %H:%M"),
        ([f"{day:02}/10/2026 07:00" for day in range(1, 12)], LATEST, "%d/%m/%Y %H:%M"),
        (["05/10/2026", "06/10/2026"], datetime(2026, 7, 1, tzinfo=UTC), "%m/%d/%Y"),
        (
            [
                "7:05:01 CH 01/10/2026",
                "7:05:01 CH 02/10/2026",
                "7:05:01 CH 03/10/2026",
                "7:05:01 CH 04/10/2026",
            ],
            LATEST,
            "%I:%M:%S %p %d/%m/%Y",
        ),
    ],
)
def test_a_far_likelier_order_is_proposed_not_taken(cells, latest, form):
    question = asked(series(*cells), latest=latest)
    assert question.code == "time_order_likely"
    assert question.values["lines"] == [f'measured_at = {{ column = "Time", format = "{form}" }}']


def test_the_proposed_line_reads_the_column():
    cells = series("10/01/2026 07:00", "10/02/2026 07:00", "10/03/2026 07:00")
    assert read(cells, given="%m/%d/%Y %H:%M")[0] == "2026-10-01 07:00:00"
    halves = series("7:05:01,5 CH 01/10/2026")
    assert read(halves, given="%I:%M:%S.%f %p %d/%m/%Y") == ["2026-10-01 19:05:01"]


def test_orders_that_contradict_each_other_are_asked_and_one_typing_error_is_not():
    assert asked(series("25/10/2026 07:00", "10/25/2026 07:00")).code == "time_order_mixed"
    many = [f"{day:02}/10/2026 07:00" for day in range(1, 32)] * 50
    found = decided(series(*many, "10/31/2026 07:00"))
    assert found.question is None
    assert "1 contradict it" in found.evidence


def test_dots_and_equal_numbers_leave_nothing_open():
    assert read(series("05.10.2026 07:00"))[0] == SEVEN
    assert read(series("10/10/2026 07:00")) == ["2026-10-10 07:00:00"]


def test_years_of_two_digits():
    assert read(series("25/10/26 07:00", "05/10/26 07:00"))[1] == SEVEN
    assert read(series("26/10/25 07:00", "26/10/05 07:00", "26/10/31 07:00"))[1] == SEVEN
    assert read(series("10/25/26 07:00", "10/05/26 07:00"))[1] == SEVEN


def test_halves_of_the_day():
    cells = series(
        "12:05 SA 13/10/2026", "12:05 CH 13/10/2026", "13:05 PM 13/10/2026", "00:05 AM 13/10/2026"
    )
    assert [text[11:16] for text in read(cells)] == ["00:05", "12:05", "13:05", "00:05"]


def test_several_forms_in_one_column_are_each_read_and_said():
    cells = series(
        "2026-10-05T07:00:00", "05/10/2026 07:00", "25/10/2026 07:00", "1791158400", "soon"
    )
    found = decided(cells)
    assert "1 of 4 cells: ISO 8601" in found.evidence
    assert "2 of 4 cells: %d/%m/%Y %H:%M" in found.evidence
    assert read(cells) == [SEVEN, SEVEN, "2026-10-25 07:00:00", SEVEN, None]


def test_seconds_and_milliseconds_in_one_column():
    assert read(series(1791158400, 1791158400000)) == [SEVEN] * 2
    assert read(series("1791158400", "1791158400000")) == [SEVEN] * 2


def test_dates_that_a_spreadsheet_turned_are_asked_about():
    texts_left = ["25/10/2026 07:00", "13/10/2026 07:00", "14/10/2026 07:00"]
    for turned in (
        ["46300.5", "46027.25", "46028"],
        ["2026-05-10 07:00:00", "2026-01-10", "2026-02-10"],
    ):
        assert asked(series(*turned, *texts_left)).code == "time_spreadsheet_mangled"
    assert decided(series("2026-10-25", "2026-10-01", "2026-10-02", *texts_left)).question is None


@pytest.mark.parametrize(
    ("serial", "kind", "local"),
    [
        (46300.2916666667, "excel_1900", SEVEN),
        (46300, "excel_1900", "2026-10-05 00:00:00"),
        (44838.2916666667, "excel_1900", "2022-10-04 07:00:00"),
        (39000.5, "excel_1904", "2010-10-11 12:00:00"),
    ],
)
def test_serial_days_of_spreadsheets(serial, kind, local):
    for cell in (serial, str(serial), str(serial).replace(".", ",")):
        assert decided(series(cell)).sure().kind == kind
        assert read(series(cell)) == [local]


def test_serials_that_fit_neither_epoch_wholly_are_asked():
    question = asked(series(39000, 39001, 46300, 12))
    assert question.code == "time_excel_epoch"
    assert read(series(44838.2916666667), given="excel_1904") == ["2026-10-05 07:00:00"]


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        (["05/10/2026", "25/10/2026"], ["07:00:00", "07:00"]),
        (["2026-10-05", "2026-10-25"], ["7:00 SA", "7:00 CH"]),
        (["2026-10-05", "2026-10-25"], ["7h00", "8 giờ 00"]),
        (
            ["2026-10-05 00:00:00", "2026-10-25 00:00:00"],
            ["1899-12-31 07:00:00", "1899-12-31 08:00:00"],
        ),
        ([date(2026, 10, 5), date(2026, 10, 25)], [time(7), time(8)]),
        ([NAIVE(2026, 10, 5), NAIVE(2026, 10, 25)], ["07:00:00", "08:00:00"]),
        ([NAIVE(2026, 10, 5), NAIVE(2026, 10, 25)], [timedelta(hours=7), timedelta(hours=8)]),
        ([46300, 46320], [7 / 24, 0.5]),
        (["46300", "46320"], ["0,291666667", "0,5"]),
        ([20261005, 20261025], [70000, 235959]),
        (["05/10/2026", "25/10/2026"], [700, 1800]),
        (["05/10/2026", "25/10/2026"], ["7", "18"]),
    ],
)
def test_date_and_time_of_day_in_two_columns(day, hour):
    columns = pl.Series("Ngày đo", day), pl.Series("Giờ đo", hour)
    found = decided(*columns)
    assert found.sure().is_joined
    assert read(*columns)[0] == SEVEN


def test_two_columns_with_blanks_and_the_settings_format():
    columns = series("10/05/2026", None, "10/06/2026"), series("07:00", "08:00", None)
    assert read(*columns, given="%m/%d/%Y %H:%M") == [SEVEN, None, None]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo", "Asia/Ho_Chi_Minh"])
def test_typed_columns(unit, zone):
    cells = series(NAIVE(2026, 10, 5, 7)).cast(pl.Datetime(unit))
    if zone:
        cells = cells.dt.replace_time_zone(str(HANOI)).dt.convert_time_zone(zone)
    assert read(cells) == [SEVEN]


def test_typed_dates_and_nothing_at_all():
    assert read(series(date(2026, 10, 5))) == ["2026-10-05 00:00:00"]
    assert read(series(None, None, dtype=pl.String)) == [None, None]
    assert read(series(None, dtype=pl.Null)) == [None]


@pytest.mark.parametrize(
    "cells",
    [["yesterday"], ["07:00:01"], [time(7)], [7, 8], ["T08+07", "::1"], ["99/99/2026 07:00"]],
)
def test_what_no_form_reads_is_asked(cells):
    assert asked(series(*cells)).code == "time_unreadable"


# ---------------------------------------------------------------- zones


@pytest.mark.parametrize(
    ("heading", "minutes"),
    [
        ("time_utc", 0),
        ("Time (UTC)", 0),
        ("timestampUtc", 0),
        ("UTC time", 0),
        ("GMT", 0),
        ("Thời gian (UTC+7)", 420),
        ("Time (GMT+07:00)", 420),
        ("time_utc-05:30", -330),
        ("Outcome", None),
        ("Nutcracker", None),
        ("Time", None),
    ],
)
def test_a_heading_states_a_zone(heading, minutes):
    assert offset_in(heading) == minutes


def test_a_heading_that_says_utc_makes_naive_times_utc():
    cells = series("2026-10-05 00:00:00", "2026-10-05 02:00:00")
    assert read(cells, heading="time_utc")[0] == SEVEN
    assert "heading: UTC" in decided(cells, heading="time_utc").evidence
    assert read(cells, format_zone="UTC")[0] == SEVEN
    assert read(cells, heading="time_utc", given_zone=True)[0] == "2026-10-05 00:00:00"
    assert read(series("2026-10-05 07:00"), heading="Giờ (UTC+7)") == [SEVEN]
    offset = series("2026-10-05 07:00:00+07", "2026-10-05 00:00:00")
    assert read(offset, heading="time_utc") == [SEVEN] * 2


def test_a_column_that_says_utc_and_behaves_local_is_asked():
    evening = [
        f"2026-10-31 {hour:02}:{minute:02}:00" for hour in range(17, 22) for minute in range(20)
    ]
    for more in ({"heading": "time_utc"}, {"format_zone": "UTC"}):
        question = asked(series(*evening), **more)
        assert question.code == "time_zone_contradicts"
        assert "0–5 h: 100" in question.values["found"]
        assert question.values["lines"] == ['timezone = "Asia/Ho_Chi_Minh"', 'timezone = "UTC"']
    typed = pl.Series([NAIVE(2026, 10, 31, hour) for hour in range(17, 22)])
    assert asked(typed, heading="time_utc").code == "time_zone_contradicts"
    assert decided(series(*evening), heading="time_utc", given_zone=True).question is None
    assert decided(series(*[f"{text}Z" for text in evening]), heading="time_utc").question is None


@pytest.mark.parametrize(
    ("first", "last", "is_asked"), [(0, 24, False), (0, 16, False), (7, 23, True), (1, 10, False)]
)
def test_hours_that_raise_the_question(first, last, is_asked):
    """Tests at each hour of a day, read as UTC: only those of a local day are asked about."""
    cells = [f"2026-10-05 {hour:02}:30" for hour in range(first, last)]
    question = decided(series(*cells), heading="time_utc").question
    assert (question is not None) == is_asked


def test_no_hour_no_question():
    assert times.zone_question([0] * 24, [0] * 24, stated="UTC", zone="Asia/Ho_Chi_Minh") is None


def test_hours_that_a_clock_change_repeats_or_skips():
    london = ZoneInfo("Europe/London")
    form = TimeForm("iso", str(london))
    found = read_times([series("2026-10-25 01:30:00", "2026-03-29 01:30:00")], form)
    assert found.dt.strftime("%H:%M").to_list() == ["01:30", "01:00"]


def test_offsets_beside_naive_times_in_day_first_columns():
    cells = series(
        "25/10/2026 07:00 +07", "25/10/2026 07:00", "25/10/2026 00:00 UTC", "25/10/2026 07:00+99"
    )
    assert read(cells) == ["2026-10-25 07:00:00"] * 3 + [None]


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%d/%m/%Y %Hh%M", "05/10/2026 07h00"),
        ("%d/%m/%Y %I:%M %p", "05/10/2026 07:00 SA"),
        ("%Y-%m-%dT%H:%M:%SZ", "2026-10-05T00:00:00Z"),
        ("%d %B %Y %H:%M", "05 October 2026 07:00"),
        ("%d/%m/%Y %H:%M:%S,%f", "05/10/2026 07:00:00,000"),
        ("%H%M%S%f %Y%m%d", "070000000000 20261005"),
        ("unix_ms", "1791158400000"),
        ("excel_1900", "46300,2916666667"),
        ("ISO8601", "2026-10-05 07:00"),
    ],
)
def test_the_settings_format(form, text):
    found = decided(series(text, "-"), given=form)
    assert found.basis == "settings"
    assert found.evidence.startswith("1 of 2 cells")
    assert read(series(text, "-"), given=form) == [SEVEN, None]


def test_a_format_that_is_none_reads_nothing():
    found = decided(series("05/10/2026"), given="%Q/%!")
    assert found.evidence == "0 of 1 cells: %Q/%!"


# ---------------------------------------------------------------- laws


MOMENTS = st.datetimes(NAIVE(2012, 1, 1), NAIVE(2026, 10, 31)).map(
    lambda t: t.replace(microsecond=0)
)
WRITTEN = {
    "%d/%m/%Y %H:%M:%S": "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S": "%m/%d/%Y %H:%M:%S",
    "vi": "%d tháng %m, %Y %Hh%Mm%Ss",
    "halves": "%I:%M:%S %p %d-%m-%Y",
    "named": "%d-%b-%Y %H:%M:%S",
    "compact": "%Y%m%d%H%M%S",
    "iso": "%Y-%m-%dT%H:%M:%S",
    "log": "%Y.%m.%d_%H.%M.%S",
}


@pytest.mark.parametrize("form", WRITTEN)
@settings(max_examples=25, deadline=None)
@given(moments=st.lists(MOMENTS, min_size=1, max_size=12))
def test_what_is_written_in_a_form_is_read_back(form, moments):
    moments = [*moments, NAIVE(2026, 10, 25, 7, 0, 1)]  # a day that no month has
    cells = [f"{moment:{WRITTEN[form]}}" for moment in moments]
    if form == "halves":
        cells = [cell.replace("AM", "SA").replace("PM", "CH") for cell in cells]
    assert read(series(*cells)) == [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments]


@settings(max_examples=50, deadline=None)
@given(moment=MOMENTS, minutes=st.integers(-12 * 60, 14 * 60))
def test_offsets_are_read_back(moment, minutes):
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    for cell in (
        aware.isoformat(),
        f"{aware:%Y-%m-%d %H:%M:%S%z}",
        f"{aware:%Y-%m-%d %H:%M:%S %z}",
    ):
        assert read_times([series(cell)], TimeForm("iso", "UTC"))[0] == aware


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=25), max_size=6))
def test_no_text_breaks_the_decision(cells):
    column = series(*cells, dtype=pl.String)
    found = decided(column)
    assert (found.form is None) <= (found.question is not None)
    if found.form is not None:
        assert len(read_times([column], found.form)) == len(column)


def test_plain_spelling_and_formats():
    assert plain(pl.Series(["\u200e5/10/2026\u202f7:05\u00a0SA"])).to_list() == [
        "5/10/2026 7:05 AM"
    ]
    assert formats_of("0000-00-00T00:00") == {"": "%Y-%m-%dT%H:%M"}
    assert formats_of("a00") == {}


# ---------------------------------------------------------------- clocks that lie


@pytest.mark.parametrize(
    ("months", "held"),
    [
        ({"2026-10": 2013, "2036-01": 3}, ["2026-10"]),
        ({"2026-10": 1970, "2036-01": 46}, ["2026-10"]),  # more than a hundredth, but years away
        ({"2026-09": 900, "2026-10": 900, "2026-11": 15}, ["2026-09", "2026-10"]),
        ({"2026-09": 900, "2026-10": 900, "2026-11": 19}, ["2026-09", "2026-10", "2026-11"]),
        ({"1970-01": 4, "2026-10": 2013}, ["2026-10"]),
        ({"2024-10": 500, "2026-10": 500}, ["2024-10", "2026-10"]),  # a campaign every two years
        ({f"{year}-{month:02}": 100 for year in range(2015, 2026) for month in range(1, 13)}, None),
    ],
)
def test_months_that_may_be_the_report_month(months, held):
    assert inputs.periods_of(months) == (list(months) if held is None else held)
