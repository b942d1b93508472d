"""Any table with a column map → `tests`, in our columns, units and names.

Every row comes through, readable or not.

Does not belong here: guessing what a heading means (`ispeed.py`), deciding whether a row counts
(`prepare.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.tables import ALL, TABLES
from pipeline.sources import values
from pipeline.sources.containers import OVERFLOW, ROW

REQUIRED = ("measured_at", "latitude", "longitude", "operator", "technology", "download_mbps")
OPTIONAL = (
    "test_id",
    "location_accuracy_m",
    "upload_mbps",
    "latency_ms",
    "jitter_ms",
    "signal_dbm",
    "device_id",
)
NEVER_NEGATIVE = (
    "upload_mbps",
    "latency_ms",
    "jitter_ms",
)  # −1 stands for "not measured"; download is judged in `clean`

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
    "technology": pl.String(),
    "download_mbps": pl.Float64(),
    "upload_mbps": pl.Float64(),
    "latency_ms": pl.Float64(),
    "jitter_ms": pl.Float64(),
    "signal_dbm": pl.Float64(),
    "device_id": pl.String(),
    "unreadable": pl.String(),
}
_LONGEST = max(len(word.encode()) for word in values.MISSING)
_ISO = r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?$"
_ISO_OFFSET = _ISO.removesuffix("$") + r"(?:Z|[+-]\d{2}:\d{2})$"


@dataclass(frozen=True)
class Rule:
    """Source of one of our columns: a foreign column or a constant, its unit and time format."""

    column: str | None = None
    value: str | None = None
    unit: str | None = None
    format: str | None = None


@dataclass(frozen=True)
class Reading:
    """How a source's text is to be understood."""

    timezone: ZoneInfo
    decimal: str | None
    operators: Mapping[str, tuple[str, ...]]
    technologies: Mapping[str, tuple[str, ...]]


def map_faults(file: str, headings: list[str], rules: Mapping[str, Rule]) -> list[Fault]:
    """Everything that is wrong with a column map against a file's headings."""
    faults = []
    for ours, rule in rules.items():
        if ours not in (*REQUIRED, *OPTIONAL):
            faults.append(
                Fault("unknown_our_column", file, None, ours, {"expected": [*REQUIRED, *OPTIONAL]})
            )
        if rule.column is not None and rule.column not in headings:
            faults.append(
                Fault("missing_column", file, 1, rule.column, {"found": headings, "ours": ours})
            )
        unit = _unit(ours, rule)
        factor = values.unit_factor(ours, unit) if unit else 1.0
        named: dict[str, object] = {"found": unit, "expected": values.units_of(ours)}
        if factor is None:
            faults.append(Fault("unknown_unit", file, None, ours, named))
        elif np.isnan(factor):
            faults.append(Fault("ambiguous_unit", file, None, ours, named))
    faults += [
        Fault("unmapped_column", file, 1, ours, {"found": headings})
        for ours in REQUIRED
        if ours not in rules
    ]
    return faults


def read_tests(
    source: str,
    file: str,
    rows: pl.DataFrame,
    rules: Mapping[str, Rule],
    reading: Reading,
    *,
    is_delimited: bool = True,
) -> pl.DataFrame:
    """Rows of one file → `tests` (dtypes: TESTS). Raises `UserFault` with all faults of the map.

    `rows` are under the file's headings and ROW. Without names in the settings the operators as met
    are the operators. In typed rows (not `is_delimited`) no field can have slipped.
    """
    if faults := map_faults(file, headings_in(rows), rules):
        raise UserFault(faults)
    lost = {"row": _is_broken(rows)} if is_delimited else {}
    found: dict[str, pl.Series | pl.Expr] = {
        "source": pl.lit(source), "source_file": pl.lit(file), "source_row": rows[ROW],
    }  # fmt: skip
    for ours in (*REQUIRED, *OPTIONAL):
        rule, target = rules.get(ours), "operator_met" if ours == "operator" else ours
        if rule is None:
            found[target] = pl.lit(None, TESTS[target])
            continue
        column = _column(rows, rule)
        read = _read(ours, column, rule, reading)
        if ours in NEVER_NEGATIVE:
            read = _without(read, read < 0)
        if ours not in ("operator", "technology") and read.null_count() > column.null_count():
            lost[ours] = read.is_null() & _is_present(column)
        found[target] = read
    found["unreadable"] = _listed(lost)
    return rows.select(**{name: found[name] for name in TABLES["tests"] if name in TESTS})


def tests_in_memory(tests: pd.DataFrame) -> pl.DataFrame:
    """`tests` of notebooks and simulations, a pandas table, as `read_tests` gives them."""
    frame = pl.from_pandas(tests.reset_index(drop=True)[list(TESTS)])
    return frame.cast(dict(TESTS))  # type: ignore[arg-type]


def headings_in(rows: pl.DataFrame) -> list[str]:
    """The file's own headings among the columns."""
    return [name for name in rows.columns if name != ROW and not name.startswith(OVERFLOW)]


def names_not_met(rows: pl.DataFrame, rule: Rule, read: pl.Series) -> dict[str, int]:
    """Names in a file that were not understood, and how often they stand there.

    `read`: the column that they were read into.
    """
    met = _column(rows, rule).filter(read.is_null()).cast(pl.String)
    counts = met.filter(_is_present(met)).alias("name").value_counts()
    return {str(name): int(count) for name, count in counts.iter_rows()}


def _column(rows: pl.DataFrame, rule: Rule) -> pl.Series:
    if rule.column is None:
        return pl.repeat(rule.value, rows.height, dtype=pl.String(), eager=True)
    column = rows[rule.column]
    if column.dtype in (pl.Categorical, pl.Enum, pl.Null):
        return column.cast(pl.String)
    return column.cast(pl.Float64) if column.dtype == pl.Decimal else column


def _is_broken(rows: pl.DataFrame) -> pl.Series:
    """Rows with more fields than the heading, or where an open quote swallowed the lines below."""
    signs = [pl.lit(False)]
    for name, dtype in rows.schema.items():
        if name.startswith(OVERFLOW):
            signs.append(pl.col(name).is_not_null())
        elif dtype == pl.String:
            signs.append(pl.col(name).str.contains("\n", literal=True).fill_null(False))
    return rows.with_columns(broken=pl.any_horizontal(signs))["broken"]


def _listed(lost: dict[str, pl.Series]) -> pl.Series | pl.Expr:
    """The names of what is lost in each row, `;`-separated."""
    lost = {name: rows for name, rows in lost.items() if rows.any()}
    if not lost:
        return pl.lit("")
    named = [pl.when(rows).then(pl.lit(name)) for name, rows in lost.items()]
    return pl.concat_str(named, separator=";", ignore_nulls=True)


def _read(ours: str, column: pl.Series, rule: Rule, reading: Reading) -> pl.Series:
    if ours == "measured_at":
        return _times(column, reading.timezone, rule.format)
    if ours in ("test_id", "device_id"):
        return _ids(column)
    if ours in ("operator", "technology"):
        return _names(ours, column, reading)
    factor = _factor(ours, rule)
    read = _numbers(column, reading.decimal)
    return read if factor == 1 else read * factor


def _left(
    read: pl.Series, column: pl.Series, careful: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """`read`, completed by what `careful` makes of the cells that it has no value for."""
    rows = (read.is_null() & column.is_not_null()).arg_true()
    if not len(rows):
        return read
    return read.scatter(rows, careful(column[rows].cast(pl.String)).cast(read.dtype))


def _numbers(column: pl.Series, decimal: str | None) -> pl.Series:
    """Float64 as `values.numbers` reads it; plain numbers without a detour over pandas."""

    def with_comma(cells: pl.Series) -> pl.Series:
        """Of numbers without a point: a comma alone is decimal."""
        text = _without(cells, cells.str.contains(".", literal=True)).str.strip_chars()
        return text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)

    def by_pandas(cells: pl.Series) -> pl.Series:
        return pl.Series(values=values.numbers(_as_pandas(cells), decimal))

    if column.dtype == pl.String:
        if decimal == ",":
            quick = with_comma(column)
        else:
            quick = column.cast(pl.Float64, strict=False)
            if decimal is None:
                quick = _left(quick, column, with_comma)
        column = _left(quick, column, by_pandas)
    read = column.cast(pl.Float64)
    return _without(read, ~read.is_finite())


def _as_pandas(cells: pl.Series) -> pd.Series:
    return cells.to_pandas().astype("str")


def _times(column: pl.Series, timezone: ZoneInfo, form: str | None) -> pl.Series:
    """Times in UTC, µs, as `values.times` reads them; ISO 8601 without a detour over pandas."""
    utc = TESTS["measured_at"]
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        return column.dt.convert_time_zone("UTC").cast(utc)
    if column.dtype != pl.String:
        return pl.Series(values=values.times(column.to_pandas(), timezone, form)).cast(utc)
    quick = pl.repeat(None, len(column), dtype=utc, eager=True) if form else _iso(column, timezone)

    def by_pandas(cells: pl.Series) -> pl.Series:
        return pl.Series(values=values.times(_as_pandas(cells), timezone, form))

    return _left(quick, column, by_pandas)


def _iso(column: pl.Series, timezone: ZoneInfo) -> pl.Series:
    """Times in UTC of texts in ISO 8601; null where the form is another than most cells have.

    Arrow reads these forms at a tenth of the cost of others, but a whole column or nothing of it.
    """
    attempts = ((None, None), (None, "UTC"), (_ISO, None), (_ISO_OFFSET, "UTC"))
    for pattern, zone in attempts:
        regular = column
        if pattern:
            regular = _without(column, ~column.str.contains(pattern))
            if regular.null_count() == len(regular):
                continue
        try:
            texts = regular.to_arrow(compat_level=pl.CompatLevel.oldest())
            for cells in (texts.drop_null()[:1], texts):  # a refusal of all cells is slow
                read = pl.Series(values=cells.cast(pa.timestamp("us", zone)))
        except pa.ArrowInvalid:
            continue
        if zone is None:
            read = read.dt.replace_time_zone(
                str(timezone), ambiguous="latest", non_existent="null"
            ).dt.convert_time_zone("UTC")
        return read
    return pl.repeat(None, len(column), dtype=TESTS["measured_at"], eager=True)


def _without(column: pl.Series, rows: pl.Series) -> pl.Series:
    """The column, null where `rows` holds."""
    found: pl.Series = pl.select(pl.when(~rows).then(column)).to_series()
    return found.alias(column.name)


def _ids(column: pl.Series) -> pl.Series:
    if column.dtype != pl.String:
        return pl.Series(values=values.names(column.to_pandas())).cast(pl.String)
    text = column.str.strip_chars()
    missing = _is_missing(text)
    return _without(text, missing) if missing.any() else text


def _names(ours: str, column: pl.Series, reading: Reading) -> pl.Series:
    """Operators or technologies in our words, an Enum: each distinct name is read once."""
    texts = column.cast(pl.String)
    met = texts.unique().drop_nulls().sort()
    cells = met.to_pandas().astype("str")
    if ours == "technology":
        read = values.technologies(cells, reading.technologies)
    elif reading.operators:
        read = values.renamed(cells, reading.operators)
    else:  # `all` is the name of the pooled rows and no operator's
        cells = cells.where(cells.str.strip().str.casefold().ne(ALL))
        read = values.names(values.by_distinct(cells, values.printable))
    ours_of_met = [None if pd.isna(name) else name for name in read]
    words = pl.Enum(sorted({name for name in ours_of_met if name is not None}))
    place = texts.cast(pl.Enum(met)).to_physical()
    return pl.Series(ours_of_met, dtype=words).gather(place)


def _is_missing(text: pl.Series) -> pl.Series:
    """Which trimmed texts are a word for nothing (`values.MISSING`); only short ones are looked at."""
    rows = (text.str.len_bytes() <= _LONGEST).arg_true()
    found = np.zeros(len(text), dtype=bool)
    if len(rows):
        found[rows.to_numpy()] = text[rows].str.to_lowercase().is_in(sorted(values.MISSING))
    return pl.Series(found)


def _is_present(column: pl.Series) -> pl.Series:
    """Which cells hold something."""
    if column.dtype != pl.String:
        held = column.is_not_null()
        return held & ~column.is_nan().fill_null(False) if column.dtype.is_float() else held
    return column.is_not_null() & ~_is_missing(column.str.strip_chars())


def _factor(ours: str, rule: Rule) -> float:
    unit = _unit(ours, rule)
    return 1.0 if unit is None else values.unit_factor(ours, unit) or 1.0


def _unit(ours: str, rule: Rule) -> str | None:
    """The rule's unit, else the one in the heading (`Download (kbps)`), else None: ours."""
    return rule.unit or (values.unit_in(ours, rule.column) if rule.column else None)
