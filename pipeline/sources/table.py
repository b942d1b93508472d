"""Any table with a column map → `tests`: our columns, our units, our names; every row comes
through, readable or not.

Does not belong here: guessing what a heading means (`ispeed.py`), deciding whether a row counts
(`clean.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.tables import ALL, checked, of_declared_types, typed
from pipeline.sources import values
from pipeline.sources.files import OVERFLOW

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


@dataclass(frozen=True)
class Rule:
    """Where one of our columns comes from: a foreign column or a constant, its unit and time
    format.
    """

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
    rows: pd.DataFrame,
    rules: Mapping[str, Rule],
    reading: Reading,
    *,
    is_delimited: bool = True,
    is_first: bool = True,
) -> pd.DataFrame:
    """Rows of one file → `tests`. Raises `UserFault` with every fault of the column map.

    `rows` is indexed by source_row. Without names in the settings the operators as met are the
    operators. In typed rows (not `is_delimited`) no field can have slipped. Batches after the first
    of a part are held to the dtypes alone.
    """
    if faults := map_faults(
        file, [c for c in rows.columns if not str(c).startswith(OVERFLOW)], rules
    ):
        raise UserFault(faults)
    result: dict[str, pd.Series] = {}
    lost = {"row": _is_broken(rows)} if is_delimited else {}
    for ours in (*REQUIRED, *OPTIONAL):
        rule = rules.get(ours)
        target = "operator_met" if ours == "operator" else ours
        if rule is None:
            result[target] = _nothing(ours, rows.index)
            continue
        column = _column(rows, rule)
        result[target] = _read(ours, column, rule, reading)
        if ours in ("operator", "technology"):
            continue
        if ours in NEVER_NEGATIVE and (negative := result[target] < 0).any():
            result[target] = result[target].where(~negative)
        empty = result[target].isna()
        if empty.any():
            lost[ours] = values.present(column) & empty
    result["unreadable"] = _listed(lost, rows.index)
    table = pd.DataFrame(result, index=rows.index, copy=False)
    for name, text in (("source", source), ("source_file", file)):
        table[name] = pd.Categorical.from_codes(np.zeros(len(rows), dtype=np.int8), [text])
    table["source_row"] = rows.index
    table = typed("tests", table.reset_index(drop=True))
    return checked("tests", table) if is_first else of_declared_types("tests", table)


def names_not_met(rows: pd.DataFrame, rule: Rule, read: pd.Series) -> dict[str, int]:
    """Names in a file that were not understood, and how often they stand there: `read` is the
    column they were read into.
    """
    met = _column(rows, rule).reset_index(drop=True)
    return {
        str(name): int(count)
        for name, count in met[values.present(met) & read.isna()].value_counts().items()
    }


def _nothing(ours: str, index: pd.Index) -> pd.Series:
    """A column that the file does not have."""
    if ours in ("test_id", "device_id"):
        return pd.Series(pa.nulls(len(index), pa.large_string()), dtype="str").set_axis(index)
    return pd.Series(np.nan, index=index, dtype="float64")


def _column(rows: pd.DataFrame, rule: Rule) -> pd.Series:
    if rule.column is None:
        return pd.Series(rule.value, index=rows.index, dtype="str")
    return rows[rule.column]


def _is_broken(rows: pd.DataFrame) -> pd.Series:
    """Rows with more fields than the heading, or where an open quote swallowed the lines below."""
    broken = pd.Series(False, index=rows.index)
    for name in rows.columns:
        if str(name).startswith(OVERFLOW):
            broken |= rows[name].notna()
        elif isinstance(rows[name].dtype, pd.StringDtype):
            broken |= rows[name].str.contains("\n", regex=False).fillna(False)
    return broken


def _listed(lost: dict[str, pd.Series], index: pd.Index) -> pd.Series:
    """The names of what is lost in each row, `;`-separated."""
    names = [name for name, rows in lost.items() if rows.any()]
    if not names:
        return pd.Series(
            pd.Categorical.from_codes(np.zeros(len(index), dtype=np.int8), [""]), index=index
        )
    text = pd.Series("", index=index, dtype="str")
    for name in names:
        text = text.where(~lost[name], text + f";{name}")
    return text.str.removeprefix(";")


def _read(ours: str, column: pd.Series, rule: Rule, reading: Reading) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _read_once_each(ours, column, rule, reading)
    if ours == "measured_at":
        return values.times(column, reading.timezone, rule.format)
    if ours == "operator":
        if reading.operators:
            return values.renamed(column, reading.operators)
        # `all` is the name of the pooled rows and no operator's
        column = column.where(column.astype("str").str.strip().str.casefold().ne(ALL))
        return values.names(column)
    if ours == "technology":
        return values.technologies(column, reading.technologies)
    if ours in ("test_id", "device_id"):
        return values.names(column)
    factor = _factor(ours, rule)
    read = values.numbers(column, reading.decimal)
    return read if factor == 1 else read * factor


def _read_once_each(ours: str, column: pd.Series, rule: Rule, reading: Reading) -> pd.Series:
    """As `_read`: of texts that stand there as categories only the distinct ones are read; texts
    come out as categories.
    """
    distinct = pd.Series(column.cat.categories.astype("str"), dtype="str")
    read = _read(
        ours,
        pd.concat([distinct, pd.Series([None], dtype="str")], ignore_index=True),
        rule,
        reading,
    )
    codes = column.cat.codes.to_numpy()  # −1, the last of them, is null
    if not isinstance(read.dtype, pd.StringDtype):
        return pd.Series(read.array[codes], index=column.index)
    number, texts = pd.factorize(read)
    return pd.Series(pd.Categorical.from_codes(number[codes], texts), index=column.index)


def _factor(ours: str, rule: Rule) -> float:
    unit = _unit(ours, rule)
    return 1.0 if unit is None else values.unit_factor(ours, unit) or 1.0


def _unit(ours: str, rule: Rule) -> str | None:
    """The rule's unit, else the one in the heading (`Download (kbps)`), else None: ours."""
    return rule.unit or (values.unit_in(ours, rule.column) if rule.column else None)
