"""How a column of times is written, decided by all its cells and its heading; columns → UTC.

A day-first and a month-first reading that both fit, a column that says UTC and behaves local:
these are questions. Does not belong here: spellings of times (`time_texts.py`), the report month
(`inputs.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl

from pipeline.schema.errors import Fault
from pipeline.schema.texts import Said, joined, said
from pipeline.sources.cells import time_texts
from pipeline.sources.cells.decision import Basis, Decision
from pipeline.sources.cells.time_texts import NAIVE, completed, parsed, plain, without_offset

Kind = Literal[
    "iso", "formats", "unix_s", "unix_ms", "unix_us", "unix_ns", "excel_1900", "excel_1904", "typed"
]
UTC_TIMES = pl.Datetime("us", "UTC")
NUMERIC = ("unix_s", "unix_ms", "unix_us", "unix_ns", "excel_1900", "excel_1904")
# microseconds in one unit of the number, and the number of 1970-01-01
_SCALES = {
    "unix_s": (1e6, 0.0), "unix_ms": (1e3, 0.0), "unix_us": (1.0, 0.0), "unix_ns": (1e-3, 0.0),
    "excel_1900": (86_400e6, 25_569.0), "excel_1904": (86_400e6, 24_107.0),
}  # fmt: skip
_COMPACT = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_NUMBER = r"^[+]?\d+(?:[.,]\d*)?(?:[eE][+]?\d+)?$"
_ORDERS = ("dmy", "mdy", "ymd")
_EARLIEST = datetime(2000, 1, 1)  # noqa: DTZ001 - local time, as the cells are
_EARLIEST_EXCEL = datetime(2010, 1, 1)  # noqa: DTZ001
_LATEST = datetime(2100, 1, 1)  # noqa: DTZ001
_TYPOS = 0.001  # a share of cells that may contradict an order that fits all others
_SHAPES = 400  # spellings of one column that are looked at, the most frequent first
_CLEARLY_SPREAD = 4  # months; a reading of so many more months than the other is unlikely
_NIGHT = range(5)  # local hours in which few people test
_NIGHT_SHARE = 0.25  # 5 of 24 hours are 21 %: even probes that never sleep stay below


@dataclass(frozen=True)
class TimeForm:
    """How the times of a column are written.

    `kind` is tried first, then `formats` in order, each cell by the first that fits: strptime
    formats, or names of other kinds. `zone`: IANA name, or an offset such as `+07:00`, of times
    that carry none. `is_joined`: date and time of day come in two columns. `is_day_first`: None
    where the formats do not leave it open. `clock`: how a second column of numbers counts the hour.
    `given`: the format is the settings'.
    """

    kind: Kind
    zone: str
    formats: tuple[str, ...] = ()
    is_joined: bool = False
    is_day_first: bool | None = None
    clock: Literal["fraction", "hour", "hhmm", "hhmmss"] | None = None
    given: bool = False

    @property
    def order(self) -> tuple[str, ...]:
        """What is tried on each cell, in order."""
        first = () if self.kind in ("formats", "typed") else (self.kind,)
        return (*first, *self.formats)


def form_given(form: str | None, zone: str) -> TimeForm:
    """The form that the settings name: `unix_s`, `excel_1900`, `ISO8601` or a strptime format."""
    if form in NUMERIC:
        return TimeForm(form, zone, given=True)  # type: ignore[arg-type]
    if form is None or form.casefold() in ("iso", "iso8601"):
        return TimeForm("iso", zone, given=form is not None)
    day, month = form.find("%d"), max(form.find("%m"), form.find("%b"), form.find("%B"))
    return TimeForm("formats", zone, (form,), is_day_first=day < month, given=True)


# ---------------------------------------------------------------- reading


_OLDEST_US = -2_208_988_800_000_000  # 1900-01-01
_NEWEST_US = 4_102_444_800_000_000  # 2100-01-01


def read_times(columns: Sequence[pl.Series], form: TimeForm) -> pl.Series:
    """Times in UTC, µs, of one column, or of two: date and time of day. Unreadable cells are null.

    The hour that a clock change repeats is taken as standard time, the one it skips moves forward.

    >>> cells = [pl.Series(["05/10/2026 07:30"])]
    >>> str(read_times(cells, TimeForm("formats", "Asia/Ho_Chi_Minh", ("%d/%m/%Y %H:%M",)))[0])
    '2026-10-05 00:30:00+00:00'
    """
    read = _read(columns, form)
    micros = read.to_physical()
    # programs write the year 1 for no time; 2569 is 2026 of the Buddhist calendar
    believable = micros.is_between(_OLDEST_US, _NEWEST_US, closed="left")
    return read if believable.all() else _where(read, believable)


def _read(columns: Sequence[pl.Series], form: TimeForm) -> pl.Series:
    column = _joined(columns[0], columns[1], form) if len(columns) == 2 else columns[0]
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone:
            return column.dt.convert_time_zone("UTC").cast(UTC_TIMES)
        return _in_utc(column.cast(NAIVE), form.zone)
    if column.dtype == pl.Date:
        return _in_utc(column.cast(NAIVE), form.zone)
    if column.dtype.is_numeric():
        return _read_numbers(column, form)
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype != pl.String:
        return _nothing(len(column), UTC_TIMES)
    quick = _nothing(len(column), UTC_TIMES)
    if form.order[:1] == ("iso",):
        quick = time_texts.quick_iso(column, lambda naive: _in_utc(naive, form.zone))
    elif form.kind == "formats" and not form.given:
        quick = _in_utc(parsed(column, form.formats[0]), form.zone)
    return completed(quick, column, lambda cells: _read_texts(cells, form))


def _read_texts(cells: pl.Series, form: TimeForm) -> pl.Series:
    text, offset = without_offset(plain(cells))
    naive, offset = _read_each(text, offset, form)
    if form.given and form.kind == "formats":  # the settings' format may be of the text as it is
        as_it_is, raw_offset = without_offset(cells.str.strip_chars())
        naive = completed(
            naive, as_it_is, lambda left: _read_in(left, form.formats[0], is_given=True)
        )
        offset = raw_offset if offset is None else offset
    return _at_offsets(naive, offset, form.zone)


def _read_each(
    text: pl.Series, offset: pl.Series | None, form: TimeForm
) -> tuple[pl.Series, pl.Series | None]:
    """Each cell by the first form that fits, and the offsets: Unix times are UTC."""
    naive = _nothing(len(text), NAIVE)
    numeric = [one for one in form.order if one in NUMERIC]
    for one in form.order:
        missing = naive.is_null()
        if not missing.any():
            break
        found = _read_in(_where(text, missing), one, is_given=form.given)
        if len(numeric) > 1 and one in NUMERIC:  # seconds are not milliseconds of January 1970
            found = _where(found, found.is_between(_EARLIEST, _LATEST))
        naive = pl.select(pl.coalesce(naive, found)).to_series()
        if one.startswith("unix"):
            of_unix = missing & found.is_not_null()
            offset = _nothing(len(text), pl.Int32()) if offset is None else offset
            offset = offset.set(of_unix, 0)
    return naive, offset


def _at_offsets(naive: pl.Series, offset: pl.Series | None, zone: str) -> pl.Series:
    """UTC of times with their offsets in minutes, or of `zone` where they have none."""
    if offset is None:
        return _in_utc(naive, zone)
    local = _in_utc(_where(naive, offset.is_null()), zone)
    east = (offset.cast(pl.Int64) * 60_000_000).cast(pl.Duration("us"))
    exact = (naive - east).cast(NAIVE).dt.replace_time_zone("UTC")
    return pl.select(pl.coalesce(exact, local)).to_series()


def _read_in(text: pl.Series, one: str, *, is_given: bool) -> pl.Series:
    """Local times of texts in one form: a name of a kind or a strptime format."""
    if one == "iso" and text.dtype == pl.String:
        return time_texts.naive_iso(text)
    if one in NUMERIC:
        return _naive_numbers(_numbers(text), one)
    if text.dtype != pl.String:
        return _nothing(len(text), NAIVE)
    if not is_given:
        return parsed(text, one)
    form = one.removesuffix("%z").removesuffix("%Z").rstrip()
    form = form[:-1] if form.endswith("Z") and not form.endswith("%Z") else form
    english = form.replace("%B", "%b").replace(".%f", "%.f").replace(",%f", "%.f")
    quick = parsed(text, english)

    def by_pandas(cells: pl.Series) -> pl.Series:
        texts = cells.to_pandas().astype("str")
        try:
            read = pd.to_datetime(texts, format=form, errors="coerce")
        except ValueError:  # no format at all: nothing can be read in it
            return _nothing(len(cells), NAIVE)
        return pl.Series(values=read.dt.as_unit("us")).cast(NAIVE)

    return completed(quick, text, by_pandas)


def _numbers(text: pl.Series) -> pl.Series:
    """Float64 of texts that are one positive number, with a decimal point or comma."""
    if text.dtype != pl.String:
        return text.cast(pl.Float64)
    cells = _where(text, text.str.contains(_NUMBER))
    return cells.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)


def _read_numbers(column: pl.Series, form: TimeForm) -> pl.Series:
    number = column.cast(pl.Float64)
    # compact dates have formats
    texts = number if set(form.order) <= set(NUMERIC) else _whole_texts(number)
    naive, offset = _read_each(texts, None, form)
    return _at_offsets(naive, offset, form.zone)


def _naive_numbers(cells: pl.Series, kind: str) -> pl.Series:
    """Times of numbers from 1970 to 9999, and to the millisecond for Excel's days."""
    scale, zero = _SCALES[kind]
    believable = _where(cells, cells.is_finite())
    steps = (believable - zero) * (scale / 1e3) if kind.startswith("excel") else believable * scale
    steps = steps.round() * (1e3 if kind.startswith("excel") else 1.0)
    steps = _where(steps, steps.is_between(0, 253_402_300_799e6))
    return steps.cast(pl.Int64).cast(NAIVE)


def _whole_texts(column: pl.Series) -> pl.Series:
    whole = column.cast(pl.Float64)
    whole = _where(whole, whole.is_finite() & (whole == whole.floor()) & (whole < 1e15))
    return whole.cast(pl.Int64).cast(pl.String)


def _in_utc(naive: pl.Series, zone: str) -> pl.Series:
    """Local times as UTC, µs."""
    if zone in ("UTC", "+00:00"):
        return naive.dt.replace_time_zone("UTC")
    if zone[0] in "+-":
        minutes = time_texts.offset_in(f"UTC{zone}") or 0
        return (naive - timedelta(minutes=minutes)).dt.replace_time_zone("UTC").cast(UTC_TIMES)
    local = naive.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")

    def skipped(cells: pl.Series) -> pl.Series:
        moved = cells.to_pandas().dt.tz_localize(zone, nonexistent="shift_forward", ambiguous=False)
        return pl.Series(values=moved.dt.tz_convert("UTC").dt.as_unit("us"))

    return completed(local.dt.convert_time_zone("UTC"), naive, skipped)


def _joined(date: pl.Series, hour: pl.Series, form: TimeForm) -> pl.Series:
    """Dates and times of day as one text a row."""
    days, hours = _date_texts(date, form), _hour_texts(hour, form.clock)
    return pl.select(pl.concat_str([days, hours], separator=" ")).to_series()


def _date_texts(date: pl.Series, form: TimeForm | None) -> pl.Series:
    if isinstance(date.dtype, pl.Datetime) or date.dtype == pl.Date:
        return date.dt.strftime("%Y-%m-%d")
    if date.dtype.is_numeric():
        kinds = {time for time in (form.order if form else NUMERIC[-2:]) if time in NUMERIC[-2:]}
        epoch = "excel_1904" if kinds == {"excel_1904"} else "excel_1900"
        days = _naive_numbers(date.cast(pl.Float64), epoch)
        days = _where(days, days >= _EARLIEST)
        compact = parsed(_whole_texts(date), "%Y%m%d")
        return pl.select(pl.coalesce(compact, days).dt.strftime("%Y-%m-%d")).to_series()
    text = date.cast(pl.String).str.strip_chars()
    numbers = _numbers(text)
    if numbers.null_count() < len(numbers):
        serials = _date_texts(numbers, form)
        text = pl.select(pl.coalesce(serials, text)).to_series()
    return text.str.replace(r"[T ]0?0:00(?::00(?:\.0+)?)?$", "")


def _clock_of(hour: pl.Series) -> Literal["fraction", "hour", "hhmm", "hhmmss"] | None:
    """How a column of numbers counts the time of day; None of texts."""
    if isinstance(hour.dtype, pl.Duration):
        return "fraction"
    if hour.dtype == pl.String:
        number = _numbers(hour.str.strip_chars())
        if number.null_count() > hour.null_count():
            return None
    elif hour.dtype.is_numeric():
        number = hour.cast(pl.Float64)
    else:
        return None
    highest = number.max()
    if not isinstance(highest, float):
        return None
    if highest <= 1 and (number.n_unique() > 2 or highest < 1):
        return "fraction"
    return "hour" if highest <= 24 else "hhmm" if highest <= 2359 else "hhmmss"


def _hour_texts(hour: pl.Series, clock: str | None) -> pl.Series:
    if isinstance(hour.dtype, pl.Datetime) or hour.dtype == pl.Time:
        return hour.cast(pl.Time).dt.strftime("%H:%M:%S%.6f")
    if isinstance(hour.dtype, pl.Duration):
        hour = hour.dt.total_microseconds() / 86_400e6
    if hour.dtype == pl.String and clock is None:
        text = hour.str.strip_chars()  # spreadsheets write 1899-12-31 before a time of day
        return text.str.replace(r"^(?:1899-12-3[01]|1900-01-0[01]|1970-01-01|1904-01-01)[T ]", "")
    number = _numbers(hour.str.strip_chars()) if hour.dtype == pl.String else hour.cast(pl.Float64)
    if clock == "fraction":
        seconds = _where(number, number.is_between(0, 1)) * 86_400
    elif clock == "hour":
        seconds = number * 3600
    else:
        whole = number if clock == "hhmmss" else number * 100
        seconds = whole // 10_000 * 3600 + whole // 100 % 100 * 60 + whole % 100
    micros = (seconds * 1e3).round() * 1e3
    micros = _where(micros, micros.is_between(0, 86_400e6, closed="left"))
    return (micros * 1e3).cast(pl.Int64).cast(pl.Time).dt.strftime("%H:%M:%S%.6f")


# ---------------------------------------------------------------- deciding


@dataclass(frozen=True)
class _Column:
    """What deciding looks at: the column, its heading and when its times can be."""

    column: pl.Series
    heading: str
    zone: str
    zone_basis: Basis | None
    earliest: datetime
    latest: datetime
    is_joined: bool


def decide_times(  # noqa: PLR0913 - each a fact of its own, named where it is given
    columns: Sequence[pl.Series],
    heading: str,
    timezone: ZoneInfo,
    *,
    given: str | None = None,
    given_zone: bool = False,
    format_zone: str | None = None,
    latest: datetime | None = None,
) -> Decision[TimeForm]:
    """How a column of times is written, by all its cells; or the question that it leaves open.

    `columns`: one, or date and time of day. `timezone`: of times without an offset, unless the
    heading says UTC or an offset, or the source's format documents one (`format_zone`); the
    settings' zone of this source (`given_zone`) holds before both. `given`: the settings' format.
    `latest`: no test is later, for example the day of the run. Times need not be sorted.
    """
    zone, basis = _zone(heading, timezone, format_zone, given_zone=given_zone)
    is_joined = len(columns) == 2
    clock = _clock_of(columns[1]) if is_joined else None
    column = columns[0]
    if is_joined:
        about = replace(form_given(None, zone), clock=clock)
        column = _joined(columns[0], columns[1], about)
    bound = _local(latest, timezone) + timedelta(days=1) if latest else _LATEST
    seen = _Column(column, heading, zone, basis, _EARLIEST, bound, is_joined)
    if given is not None:
        form = replace(form_given(given, zone), is_joined=is_joined, clock=clock)
        held = int(column.is_not_null().sum())
        read = int(read_times([column], form).is_not_null().sum())
        decision = Decision(form, "settings", _cells(read, held, given))
    else:
        decision = _decided(seen)
    if decision.form is None:
        return decision
    form = replace(decision.form, is_joined=is_joined, clock=clock)
    evidence = decision.evidence
    if basis in ("heading", "format") and _has_zone(form):
        key = "zone_in_heading" if basis == "heading" else "zone_of_format"
        evidence = joined(evidence, said(key, zone=zone))
        question = decision.question or _zone_question(seen, form, timezone)
        return Decision(form, decision.basis, evidence, question)
    return Decision(form, decision.basis, evidence, decision.question)


def _zone(
    heading: str, timezone: ZoneInfo, format_zone: str | None, *, given_zone: bool
) -> tuple[str, Basis | None]:
    if given_zone:
        return str(timezone), "settings"
    minutes = time_texts.offset_in(heading)
    if minutes is not None:
        sign, away = "-" if minutes < 0 else "+", abs(minutes)
        return ("UTC" if minutes == 0 else f"{sign}{away // 60:02}:{away % 60:02}"), "heading"
    return (format_zone, "format") if format_zone else (str(timezone), None)


def _has_zone(form: TimeForm) -> bool:
    return not form.kind.startswith("unix")


def _local(moment: datetime, timezone: ZoneInfo) -> datetime:
    return moment.astimezone(timezone).replace(tzinfo=None) if moment.tzinfo else moment


def _decided(seen: _Column) -> Decision[TimeForm]:
    column = seen.column
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime) or dtype == pl.Date:
        return Decision(TimeForm("typed", seen.zone), "cells", said("typed", found=str(dtype)))
    if dtype.is_numeric():
        return _decided_numbers(seen, column.cast(pl.Float64))
    if dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if dtype == pl.Null or column.null_count() == len(column):
        return Decision(TimeForm("iso", seen.zone), "default", said("no_cell"))
    if column.dtype != pl.String:
        return _unreadable(seen, [str(cell) for cell in column.drop_nulls()[:3]])
    quick = time_texts.quick_iso(column, lambda naive: naive.dt.replace_time_zone("UTC"))
    if quick.null_count() == column.null_count():
        held = len(column) - column.null_count()
        return Decision(TimeForm("iso", seen.zone), "cells", _cells(held, held, "ISO 8601"))
    return _decided_texts(replace(seen, column=column))


def _decided_texts(seen: _Column) -> Decision[TimeForm]:
    met = _where(seen.column, seen.column.str.contains(r"\d")).drop_nulls()
    if not len(met):
        return _unreadable(seen, seen.column.drop_nulls()[:3].to_list())
    text, _ = without_offset(plain(met))
    is_number = text.str.contains(_NUMBER).fill_null(False)
    numbers = _numbers(text.filter(is_number))
    if is_number.all():
        return _decided_numbers(seen, numbers)
    counts = Counter(_kinds_of_numbers(numbers, seen) if is_number.any() else {})
    text = text.filter(~is_number)
    cells = pl.DataFrame({"text": text, "shape": time_texts.shape(text)})
    sure, open_ones = _counted_shapes(cells["shape"])
    counts += sure
    order = None
    if open_ones:
        of_open = cells.filter(pl.col("shape").is_in(list(open_ones)))
        order = _order_of(of_open, open_ones, seen)
        for shape, count in of_open["shape"].value_counts().iter_rows():
            if order.chosen in open_ones[shape]:
                counts[open_ones[shape][order.chosen]] += count
        if not order.is_open and (counts["iso"] or any(counts[one] for one in NUMERIC[-2:])):
            order = _checked_for_mangling(order, of_open, open_ones, seen, met)
    if order is not None and order.is_open:
        return order.question(seen)
    counts = +counts
    if not counts:
        return _unreadable(seen, met[:3].to_list())
    # ties by name: the same cells give the same form
    ranked = sorted(counts, key=lambda one: (one != "iso", -counts[one], one))
    shares = [_cells(counts[one], len(met), _shown(one)) for one in ranked]
    evidence = joined(*shares, by=", ")
    form = _form_of(ranked, seen.zone)
    if order is None:
        return Decision(form, "cells", evidence)
    form = replace(form, is_day_first=order.chosen == "dmy")
    return Decision(form, "values", joined(evidence, order.evidence))


def _counted_shapes(shapes: pl.Series) -> tuple[Counter[str], dict[str, dict[str, str]]]:
    """Cells by the format that their shape allows, and the formats of shapes that allow several."""
    counts: Counter[str] = Counter()
    open_ones: dict[str, dict[str, str]] = {}
    ordered = shapes.drop_nulls().alias("shape").value_counts(sort=True)
    for shape, count in ordered.head(_SHAPES).iter_rows():
        formats = time_texts.formats_of(shape)
        if time_texts.is_iso(shape):
            counts["iso"] += count
        elif set(formats) == {""}:
            counts[formats[""]] += count
        elif formats:
            open_ones[shape] = formats
    return counts, open_ones


def _checked_for_mangling(
    order: _Order,
    cells: pl.DataFrame,
    formats: dict[str, dict[str, str]],
    seen: _Column,
    others: pl.Series,
) -> _Order:
    """The order, or the question where a spreadsheet has turned a part of the dates round."""
    texts = _read_in_order(cells, formats, order.chosen, seen)
    numbers = _naive_numbers(_numbers(others), "excel_1900")
    dates = pl.concat([time_texts.naive_iso(others), _where(numbers, numbers > _EARLIEST)])
    if order.chosen == "mdy" or not _mangled(texts, dates):
        return order
    held = len(dates) - dates.null_count()
    first = joined(len(cells), cells["text"][0], by=": ")
    found = joined(first, joined(held, _months_text(dates), by=": "))
    form = next(f[order.chosen] for f in formats.values() if order.chosen in f)
    return _Order(order.chosen, found, (), form, code="time_spreadsheet_mangled")


def _form_of(ranked: list[str], zone: str) -> TimeForm:
    first = ranked[0]
    if first == "iso" or first in NUMERIC:
        return TimeForm(first, zone, tuple(ranked[1:]))  # type: ignore[arg-type]
    return TimeForm("formats", zone, tuple(ranked))


def _cells(count: int, of: int, found: str) -> Said:
    return said("cells", count=count, of=of, found=found)


def _shown(one: str) -> str:
    return "ISO 8601" if one == "iso" else one.replace("%.f", ".%f")


@dataclass(frozen=True)
class _Order:
    """The order of day and month that a column has, or the readings between which it is open."""

    chosen: str
    evidence: str
    readings: tuple[tuple[str, Said], ...] = ()  # (format, months with counts)
    likely: str | None = None  # the format that is far more likely
    code: str = ""

    @property
    def is_open(self) -> bool:
        return bool(self.code)

    def question(self, seen: _Column) -> Decision[TimeForm]:
        """The question between the readings, with the settings' line of each."""
        found = joined(*(joined(_shown(form), months, by=" → ") for form, months in self.readings))
        formats = [form for form, _ in self.readings]
        if self.likely is not None:
            formats = [self.likely]
        lines = [_format_line(seen.heading, form) for form in formats]
        values: dict[str, object] = {"found": found or self.evidence, "lines": lines}
        return Decision(None, "values", self.evidence, Fault(self.code, values=values))


def _format_line(heading: str, form: str) -> str:
    """The settings' line that names the format of the time column.

    >>> _format_line("Time", "%m/%d/%Y %H:%M")
    'measured_at = { column = "Time", format = "%m/%d/%Y %H:%M" }'
    """
    column = json.dumps(heading, ensure_ascii=False)
    return f'measured_at = {{ column = {column}, format = "{_shown(form)}" }}'


def _order_of(cells: pl.DataFrame, formats: dict[str, dict[str, str]], seen: _Column) -> _Order:
    """Day or month first, by every cell of the spellings that leave it open."""
    shown = {order: form for f in formats.values() for order, form in f.items()}
    orders = [order for order in _ORDERS if order in shown]
    read = {order: _read_in_order(cells, formats, order, seen) for order in orders}
    if any("%y" in form for form in shown.values()):
        read = _without_scattered(read)
    fits = {order: cells.height - found.null_count() for order, found in read.items()}
    fitting = max(fits.values())
    if not fitting:
        return _Order("", ", ".join(cells["text"][:3].to_list()), code="time_unreadable")
    readable = cells.height - int(
        pl.select(pl.all_horizontal([found.is_null() for found in read.values()])).to_series().sum()
    )
    best = [order for order in read if fits[order] == fitting]
    if len(best) > 1 and fitting == readable:
        return _order_open({order: read[order] for order in best}, shown, cells, seen)
    order = best[0]
    contradict = readable - fitting
    refuted = readable - max((fits[one] for one in read if one != order), default=0)
    if contradict > _TYPOS * readable or refuted <= contradict:
        both = sorted((one for one in read if fits[one]), key=lambda one: -fits[one])
        readings = tuple((shown[one], joined(fits[one], readable, by=" / ")) for one in both)
        found = joined(*(joined(_shown(form), count, by=": ") for form, count in readings))
        return _Order(order, found, readings, code="time_order_mixed")
    if "%y" in shown[order]:
        counts = [said("time_fits", count=fits[one], form=_shown(shown[one])) for one in read]
        evidence = said("times_fit", of=readable, found=joined(*counts, by=", "))
    else:
        key = "day_in_first" if order == "dmy" else "day_in_second"
        evidence = said(key, count=refuted, of=readable)
    against = said("contradict", count=contradict) if contradict else ""
    return _Order(order, joined(evidence, against, by=", "))


def _without_scattered(read: dict[str, pl.Series]) -> dict[str, pl.Series]:
    """Readings without those that scatter over years what another one has within a year.

    A year of two digits may be any of the three numbers.
    """
    spans = {
        order: _span(found) for order, found in read.items() if found.null_count() < len(found)
    }
    if not any(span <= timedelta(days=366) for span in spans.values()):
        return read
    wide = timedelta(days=3 * 366)
    return {order: found for order, found in read.items() if order in spans and spans[order] < wide}


def _span(times: pl.Series) -> timedelta:
    first, last = times.quantile(0.01, "nearest"), times.quantile(0.99, "nearest")
    return last - first  # type: ignore[operator, return-value]


def _order_open(
    read: dict[str, pl.Series], shown: dict[str, str], cells: pl.DataFrame, seen: _Column
) -> _Order:
    """The order where several fit every cell: by custom, else open."""
    orders = list(read)
    first = read[orders[0]]
    if all(found.eq_missing(first).all() for found in read.values()):
        return _Order(orders[0], said("same_numbers"))
    if "dmy" in read and cells["shape"].str.contains(r"00?\.00?\.00").all():
        return _Order("dmy", said("dots"))
    readings = tuple((shown[order], _months_text(read[order])) for order in orders)
    evidence = joined(*(joined(_shown(form), found, by=" → ") for form, found in readings))
    months = {order: len(_months(found)) for order, found in read.items()}
    ahead = {order: bool((found > seen.latest).any()) for order, found in read.items()}
    likely = [
        order
        for order in orders
        if not ahead[order]
        and all(
            ahead[other] or (months[order] == 1 and months[other] >= _CLEARLY_SPREAD)
            for other in orders
            if other != order
        )
    ]
    if len(likely) == 1:
        return _Order(likely[0], evidence, readings, shown[likely[0]], code="time_order_likely")
    return _Order(orders[0], evidence, readings, code="time_order_open")


def _read_in_order(
    cells: pl.DataFrame, formats: dict[str, dict[str, str]], order: str, seen: _Column
) -> pl.Series:
    """Local times of cells in one order; null where a cell does not fit it.

    Where the spelling does not show which number is the year, it must be one in which tests can be.
    """
    found = _nothing(cells.height, NAIVE)
    for form in sorted({f[order] for f in formats.values() if order in f}):
        shapes = [shape for shape, f in formats.items() if f.get(order) == form]
        rows = cells["shape"].is_in(shapes).arg_true()
        read = parsed(cells["text"][rows], form)
        if "%y" in form or "Y%m%d" in form or "%m%Y" in form or "%d%Y" in form:
            read = _where(read, read.is_between(_EARLIEST, seen.latest))
        found = found.scatter(rows, read)
    return found


def _mangled(days_first: pl.Series, others: pl.Series) -> bool:
    """Whether a spreadsheet has read the dates that it could, month first, and left the others.

    `days_first`: times of the texts, `others`: times of cells that are dates already. Then no text
    has a day up to 12, and no date one above 12.
    """
    texts, dates = days_first.drop_nulls().dt.day(), others.drop_nulls().dt.day()
    enough = len(texts) >= 3 and len(dates) >= 3
    return enough and bool((texts > 12).all()) and bool((dates <= 12).all())


def _months(times: pl.Series) -> dict[str, int]:
    counted = times.drop_nulls().dt.strftime("%Y-%m").alias("month").value_counts()
    return {month: int(count) for month, count in sorted(counted.iter_rows())}


def _months_text(times: pl.Series) -> Said:
    """Months with their counts, the first and last where there are many."""
    months: list[str] = [
        joined(month, " (", count, ")", by="") for month, count in _months(times).items()
    ]
    return joined(*(months if len(months) <= 4 else [*months[:2], "…", months[-1]]), by=", ")


def _kinds_of_numbers(numbers: pl.Series, seen: _Column) -> dict[str, int]:
    """Kinds and compact formats that numbers have by their magnitude, with the count of each."""
    found = {}
    whole = _whole_texts(numbers)
    digits = whole.str.len_bytes()
    for length, form in _COMPACT.items():
        cells = whole.filter(digits.eq(length).fill_null(False))
        read = parsed(cells, form) if length != 10 else _nothing(len(cells), NAIVE)
        if n := int(read.is_between(seen.earliest, seen.latest).sum()):
            found[form] = n
    for kind in NUMERIC:
        earliest = _EARLIEST_EXCEL if kind.startswith("excel") else seen.earliest
        n = int(_naive_numbers(numbers, kind).is_between(earliest, seen.latest).sum())
        if n:
            found[kind] = n
    return found


def _decided_numbers(seen: _Column, numbers: pl.Series) -> Decision[TimeForm]:
    held = len(numbers) - numbers.null_count()
    found = _kinds_of_numbers(numbers, seen)
    if not found:
        return _unreadable(seen, [f"{number:.10g}" for number in numbers.drop_nulls()[:3]])
    note: str = ""
    early, late = found.get("excel_1900", 0), found.get("excel_1904", 0)
    if early and late > early and late < held:
        counts = {"excel_1900": early, "excel_1904": late}
        fits = joined(*(joined(f"{k}: ", n, " / ", held, by="") for k, n in counts.items()))
        lines = [_format_line(seen.heading, kind) for kind in counts]
        question = Fault("time_excel_epoch", values={"found": fits, "lines": lines})
        return Decision(None, "values", fits, question)
    if early and late:
        other = "excel_1900" if late > early else "excel_1904"
        months = _months_text(_naive_numbers(numbers, other))
        note = said("other_epoch", kind=other, found=months)
        del found[other]
    ranked = sorted(found, key=lambda one: (-found[one], one))
    evidence = joined(*(_cells(found[one], held, one) for one in ranked), by=", ")
    if found[ranked[0]] < 0.5 * held:
        return _unreadable(seen, [f"{number:.10g}" for number in numbers.drop_nulls()[:3]])
    return Decision(_form_of(ranked, seen.zone), "values", joined(evidence, note))


def _unreadable(seen: _Column, examples: Sequence[object]) -> Decision[TimeForm]:
    found = ", ".join(str(example) for example in examples)
    lines = [_format_line(seen.heading, "%d/%m/%Y %H:%M")]
    return Decision(
        None, "cells", found, Fault("time_unreadable", values={"found": found, "lines": lines})
    )


# ---------------------------------------------------------------- plausibility


def _zone_question(seen: _Column, form: TimeForm, timezone: ZoneInfo) -> Fault | None:
    """The question of a column that says UTC and behaves local."""
    as_stated = read_times([seen.column], form)
    as_local = read_times([seen.column], replace(form, zone=str(timezone)))
    naive = (as_stated != as_local).fill_null(False)
    if not naive.any():
        return None
    hours = [
        _hours(times.filter(naive).dt.convert_time_zone(str(timezone)))
        for times in (as_stated, as_local)
    ]
    return zone_question(hours[0], hours[1], stated=form.zone, zone=str(timezone))


def _hours(times: pl.Series) -> list[int]:
    counted = dict(times.dt.hour().alias("hour").value_counts().iter_rows())
    return [int(counted.get(hour, 0)) for hour in range(24)]


def zone_question(
    local_hours_as_stated: Sequence[int],
    local_hours_as_local: Sequence[int],
    *,
    stated: str,
    zone: str,
) -> Fault | None:
    """The question whether times are of the stated zone or local; None where nothing speaks for it.

    Each sequence counts tests by local hour, 0 to 23, under one reading. People sleep from 0 to 5:
    a reading that puts a quarter of the tests there, and four times as many as the other reading,
    is asked about.
    """
    total = sum(local_hours_as_stated)
    stated_night, local_night = (
        sum(hours[hour] for hour in _NIGHT)
        for hours in (local_hours_as_stated, local_hours_as_local)
    )
    if not total or stated_night < _NIGHT_SHARE * total or stated_night < 4 * local_night:
        return None
    found = joined(
        joined(stated, _histogram(local_hours_as_stated), by=" → "),
        joined(zone, _histogram(local_hours_as_local), by=" → "),
    )
    lines = [f'timezone = "{zone}"', f'timezone = "{stated}"']
    return Fault("time_zone_contradicts", values={"found": found, "lines": lines})


def _histogram(hours: Sequence[int]) -> Said:
    spans = ((0, 5), (5, 7), (7, 12), (12, 17), (17, 23), (23, 24))
    counts = [said("tests_by_hour", first=a, last=b, count=sum(hours[a:b])) for a, b in spans]
    return joined(*counts, by=", ")


def _nothing(length: int, dtype: pl.DataType) -> pl.Series:
    return pl.repeat(None, length, dtype=dtype, eager=True)


def _where(column: pl.Series, rows: pl.Series) -> pl.Series:
    found: pl.Series = pl.select(pl.when(rows).then(column)).to_series()
    return found.alias(column.name)
