"""Rows of a raw table → `tests`, in our columns, units and names, by a plan.

Every row comes through, readable or not. Does not belong here: what a heading means and how its
cells are written (`planning.py`), deciding whether a row counts (`prepare.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial, reduce
from operator import and_, or_
from typing import cast

import pandas as pd
import polars as pl

from pipeline.schema.columns import TABLES
from pipeline.sources.cells.ids import IdForm, read_ids
from pipeline.sources.cells.missing import is_failed, is_missing
from pipeline.sources.cells.names import (
    NameForm,
    is_without_coverage,
    is_without_service,
    read_brands,
    read_names,
)
from pipeline.sources.cells.numbers import NumberForm, read_numbers
from pipeline.sources.cells.positions import PositionForm, read_positions
from pipeline.sources.cells.times import TimeForm, read_times
from pipeline.sources.containers import OVERFLOW, ROW
from pipeline.sources.plan import ColumnPlan, Plan
from pipeline.sources.rules import OPTIONAL, REQUIRED

# −1 stands for "not measured" in these; of downloads the plan knows the marks of failed tests
NEVER_NEGATIVE = ("upload_mbps", "latency_ms", "jitter_ms")
POSITION = ("latitude", "longitude")
NAMES = ("operator", "technology")
# RSRP of LTE in dBm at its floor (RSRP_00 of 3GPP TS 36.133, 9.1.4: below −140): what phones
# write where they hear nothing. Below −200 and from 0 up stand marks of nothing (2147483647)
NO_SIGNAL_DBM = (-200.0, -140.0)
IDS = ("test_id", "device_id")

# dtypes of `tests`; operator_met and technology are Enums of the words that a file holds
TESTS: dict[str, pl.DataType] = {
    "source": pl.String(),
    "source_file": pl.String(),
    "source_row": pl.UInt32(),
    "test_id": pl.String(),
    "measured_at": pl.Datetime("us", "UTC"),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "location_accuracy_m": pl.Float64(),
    "operator_met": pl.String(),
    "brand": pl.String(),
    "technology": pl.String(),
    "download_mbps": pl.Float64(),
    "upload_mbps": pl.Float64(),
    "latency_ms": pl.Float64(),
    "jitter_ms": pl.Float64(),
    "signal_dbm": pl.Float64(),
    "device_id": pl.String(),
    "unreadable": pl.String(),
}


def read_tests(source: str, file: str, rows: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Rows of one file → `tests` (dtypes: TESTS). `rows`: under the file's headings and ROW."""
    found: dict[str, pl.Series | pl.Expr] = {
        "source": pl.lit(source), "source_file": pl.lit(file), "source_row": rows[ROW],
    }  # fmt: skip
    lost: dict[str, pl.Series] = {"row": _is_broken(rows)}
    plan = _of_file(plan, file)
    if (kept := is_kept(rows, plan)) is not None:
        lost["not_kept"] = ~kept
    found["brand"] = pl.lit(None, pl.String())
    for ours in set(NAMES) & set(plan.columns):
        cells, form = column(rows, plan.columns[ours]), cast("NameForm", plan.columns[ours].form)
        lost |= _silent(cells, form, lost)
        found |= {"brand": read_brands(cells, form)} if ours == "operator" else {}
    found |= _positions(rows, plan, lost)
    for ours in (*REQUIRED, *OPTIONAL):
        if ours in POSITION:
            continue
        target = "operator_met" if ours == "operator" else ours
        if ours not in plan.columns:
            found[target] = pl.lit(None, TESTS[target])
            continue
        about = plan.columns[ours]
        read, is_held = _read(rows, about)
        if ours not in NAMES and read.null_count() > len(is_held) - int(is_held.sum()):
            lost[ours] = read.is_null() & is_held
        found[target] = read
    if "technology" in plan.columns and (is_nr := is_carried_by_nr(rows, plan)) is not None:
        found["technology"] = _as_5g(cast("pl.Series", found["technology"]), is_nr)
    if (failed := is_failed_test(rows, plan)) is not None:
        found["download_mbps"] = pl.select(
            pl.when(failed).then(0.0).otherwise(found["download_mbps"])
        ).to_series()
        if "download_mbps" in lost:
            lost["download_mbps"] &= ~failed
    (partial(_as_fences, rows, plan) if plan.has_fences else _add_floor)(found, lost)
    found["unreadable"] = _listed(lost)
    return rows.select(**{name: found[name] for name in TABLES["tests"] if name in TESTS})


def _silent(
    cells: pl.Series, form: NameForm, lost: Mapping[str, pl.Series]
) -> dict[str, pl.Series]:
    """Which rows are without service, and of these which looked for a network: with those known."""
    silent = is_without_service(cells, form)
    if not silent.any():
        return {}
    found = {"no_service": silent, "no_coverage": is_without_coverage(cells)}
    return {name: rows | lost[name] if name in lost else rows for name, rows in found.items()}


def _add_floor(found: dict[str, pl.Series | pl.Expr], lost: dict[str, pl.Series]) -> None:
    """Signals that are none become missing; at the floor a test without a speed had no network.

    Of 4G and of no readable technology alone: RSRP is LTE's. A row whose technology is not known is
    `no_service` then, a 4G row stays a failed test: `no_coverage` says of what kind.
    """
    signal = found["signal_dbm"]
    if not isinstance(signal, pl.Series):
        return
    low, high = NO_SIGNAL_DBM
    is_none = ((signal <= high) | (signal >= 0)).fill_null(value=False) & is_present(signal)
    if not is_none.any():
        return
    found["signal_dbm"] = _with(signal, is_none, None)
    rows = pl.DataFrame({"signal": signal}).with_columns(
        bits=found["download_mbps"], technology=found["technology"]
    )
    c = pl.col
    at_floor = c("signal").is_between(low, high) & ~(c("bits") != 0).fill_null(value=False)
    silent = rows.select(at_floor & (c("technology").is_null() | (c("technology") == "4G")))
    heard_nothing = silent.to_series().fill_null(value=False)
    for name in ("download_mbps", "no_service"):  # not read; switched off, or known already
        heard_nothing &= ~lost[name] if name in lost else True
    nameless = heard_nothing & rows["technology"].is_null()
    lost["signal_dbm"] = (is_none & ~heard_nothing) | lost.get("signal_dbm", is_none & False)
    for name, where in (("no_service", nameless), ("no_coverage", heard_nothing)):
        lost[name] = where | lost[name] if name in lost else where


def _as_fences(
    rows: pl.DataFrame,
    plan: Plan,
    found: dict[str, pl.Series | pl.Expr],
    lost: dict[str, pl.Series],
) -> None:
    """Marks rows as `coverage_only`. A latency: pings were answered. A download of 0: none was.

    Neither where the ping cannot be read, or the technology, and none was answered: that says
    nothing. `no_coverage`: the phone named no network, and no ping was answered.
    """
    ping = found["latency_ms"]
    if not isinstance(ping, pl.Series) or "technology" not in plan.columns:
        return
    is_answered = ((ping > 0) & ping.is_finite()).fill_null(value=False)
    cells = column(rows, plan.columns["technology"]).cast(pl.String)
    no_coverage = is_without_coverage(cells)
    technology = pl.select(found["technology"]).to_series()
    is_known = technology.is_not_null() | is_missing(cells.str.strip_chars()) | no_coverage
    is_silent = is_known & ~is_answered
    if "latency_ms" in lost:
        is_silent &= ~lost["latency_ms"]
    found["latency_ms"] = _with(ping, ~is_answered, None)
    found["download_mbps"] = pl.select(pl.when(is_silent).then(0.0)).to_series()
    for name in ("download_mbps", "no_service", "no_coverage"):
        lost.pop(name, None)
    lost["coverage_only"] = ~lost["row"]
    lost["no_coverage"] = no_coverage & is_silent


def _of_file(plan: Plan, file: str) -> Plan:
    """The plan with the file's name in constants that ask for it: `{file}`, each file a phone."""
    asking = {
        ours: replace(about, value=about.value.replace("{file}", file))
        for ours, about in plan.columns.items()
        if about.value is not None and "{file}" in about.value
    }
    return replace(plan, columns={**plan.columns, **asking}) if asking else plan


def tests_in_memory(tests: pd.DataFrame) -> pl.DataFrame:
    """`tests` of notebooks and simulations, a pandas table, as `read_tests` gives them.

    Without `brand` no test has one.
    """
    rows = tests if "brand" in tests else tests.assign(brand=None)
    frame = pl.from_pandas(rows.reset_index(drop=True)[list(TESTS)])
    return frame.cast(dict(TESTS))  # type: ignore[arg-type]


def headings_in(rows: pl.DataFrame) -> list[str]:
    """The file's own headings among the columns."""
    return [name for name in rows.columns if name != ROW and not name.startswith(OVERFLOW)]


def column(rows: pl.DataFrame, about: ColumnPlan) -> pl.Series:
    """The foreign column of one of ours, or its constant."""
    if not about.columns:
        return pl.repeat(about.value, rows.height, dtype=pl.String(), eager=True)
    return plain(rows[about.columns[0]])


def plain(cells: pl.Series) -> pl.Series:
    """A column without dictionaries and decimals."""
    if cells.dtype in (pl.Categorical, pl.Enum, pl.Null):
        return cells.cast(pl.String)
    return cells.cast(pl.Float64) if cells.dtype == pl.Decimal else cells


def is_present(cells: pl.Series) -> pl.Series:
    """Which cells hold something."""
    if cells.dtype != pl.String:
        held = cells.is_not_null()
        return held & ~cells.is_nan().fill_null(value=False) if cells.dtype.is_float() else held
    return cells.is_not_null() & ~is_missing(cells.str.strip_chars())


def is_kept(rows: pl.DataFrame, plan: Plan) -> pl.Series | None:
    """Whether each row meets all conditions of the plan; None without conditions."""
    if not plan.keep:
        return None
    return reduce(and_, [one.holds(rows[theirs]) for theirs, one in plan.keep.items()])


def is_failed_test(rows: pl.DataFrame, plan: Plan) -> pl.Series | None:
    """Whether a column says of each row that its test failed; None where no column does."""
    if not plan.failed:
        return None
    return reduce(or_, [one.holds(rows[theirs]) for theirs, one in plan.failed.items()])


def is_carried_by_nr(rows: pl.DataFrame, plan: Plan) -> pl.Series | None:
    """Whether a column says of each row that NR carried its test; None where no column does."""
    if not plan.nr:
        return None
    return reduce(or_, [one.holds(rows[theirs]) for theirs, one in plan.nr.items()])


def _as_5g(technologies: pl.Series, is_nr: pl.Series) -> pl.Series:
    """Technologies (an Enum), of rows named 4G that NR carried 5G; all others stay."""
    changed = (technologies == "4G").fill_null(value=False) & is_nr
    if not changed.any():
        return technologies
    words = pl.Enum(sorted({*technologies.unique().drop_nulls().to_list(), "5G"}))
    read: pl.Series = pl.select(
        pl.when(changed).then(pl.lit("5G", words)).otherwise(technologies.cast(words))
    ).to_series()
    return read.alias(technologies.name)


def _read(rows: pl.DataFrame, about: ColumnPlan) -> tuple[pl.Series, pl.Series]:
    """(one of our columns as read, which of its cells held something)."""
    cells = column(rows, about)
    form = about.form
    if isinstance(form, TimeForm):
        both = [plain(rows[name]) for name in about.columns] or [cells]
        read = read_times(both, form)
        return read, _held(cells, read)
    if isinstance(form, NameForm):
        return read_names(cells, form), cells.is_not_null()
    if isinstance(form, IdForm):
        read = read_ids(cells, form)
        return read, read.is_not_null()  # a cell without an id is no unreadable one
    read = read_numbers(cells, cast("NumberForm", form))
    if about.unit is not None:
        read = about.unit.in_ours(read)
    if about.ours == "download_mbps" and cells.dtype == pl.String:
        left = (read.is_null() & cells.is_not_null()).arg_true()
        failed = left.filter(is_failed(cells.gather(left)))
        read = read.scatter(failed, 0.0) if len(failed) else read
    if about.failed:
        read = _with(read, read.is_in(list(about.failed)), 0.0)
    if about.ours in NEVER_NEGATIVE:
        read = _with(read, read < 0, None)
        return read, _held(cells, read)
    return read, _held(cells, read)


def _held(cells: pl.Series, read: pl.Series) -> pl.Series:
    """Which cells held something; looked at only where some could not be read."""
    return cells.is_not_null() if read.null_count() == cells.null_count() else is_present(cells)


def _positions(
    rows: pl.DataFrame, plan: Plan, lost: dict[str, pl.Series]
) -> dict[str, pl.Series | pl.Expr]:
    """Latitude and longitude in degrees; unreadable cells join `lost`. 0, 0 is no position."""
    if not all(name in plan.columns for name in POSITION):
        return {name: pl.lit(None, pl.Float64()) for name in POSITION}
    abouts = [plan.columns[name] for name in POSITION]
    form = cast("PositionForm", abouts[0].form)
    first, second = (column(rows, about) for about in abouts)
    read = read_positions(first, None if form.is_joined else second, form)
    for name, cells, degrees in zip(POSITION, (first, second), read, strict=True):
        if degrees.null_count() > cells.null_count():
            is_zero = (cells.cast(pl.Float64, strict=False) == 0).fill_null(value=False)
            lost[name] = degrees.is_null() & is_present(cells) & ~is_zero
    return dict(zip(POSITION, read, strict=True))


def _with(read: pl.Series, where: pl.Series, value: float | None) -> pl.Series:
    """The column with `value` where a condition holds."""
    if not where.any():
        return read
    found: pl.Series = pl.select(pl.when(where).then(value).otherwise(read)).to_series()
    return found.alias(read.name)


def _is_broken(rows: pl.DataFrame) -> pl.Series:
    """Rows that are no data: with more fields than the headings, or below the table."""
    signs = [pl.lit(value=False)]
    signs += [pl.col(name).is_not_null() for name in rows.columns if name.startswith(OVERFLOW)]
    return rows.with_columns(broken=pl.any_horizontal(signs))["broken"]


def _listed(lost: Mapping[str, pl.Series]) -> pl.Series | pl.Expr:
    """The names of what is lost in each row, `;`-separated."""
    some = {name: rows for name, rows in lost.items() if rows.any()}
    if not some:
        return pl.lit("")
    named = [pl.when(rows).then(pl.lit(name)) for name, rows in some.items()]
    return pl.concat_str(named, separator=";", ignore_nulls=True)
