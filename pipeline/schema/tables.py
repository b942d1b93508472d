"""Frames held to the declared tables.

A step promises a table by ending in `validated(NAME, frame)`; readers and writers of files hold
them to the same declarations. Stored positions are EPSG:4326. Does not belong here: the columns
(`columns.py`), computing, reading, writing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pa

from pipeline.schema.columns import FIELDS, KEYS, TABLES
from pipeline.schema.fields import REJECT_REASONS, TECHNOLOGIES, Field

__all__ = [
    "REJECT_REASONS",  # these three are imported from here by modules under work
    "TABLES",
    "TECHNOLOGIES",
    "decode_labels",
    "of_declared_types",
    "schema",
    "validated",
    "with_declared_dtypes",
]

SAMPLED = 50_000  # rows


def schema(table: str) -> pa.DataFrameSchema:
    """The pandera schema of a declared table: closed, ordered, unique in its key."""
    columns = tuple((name, FIELDS[name]) for name in TABLES[table] if name != "geometry")
    return _schema(table, columns)


@cache  # building one takes longer than checking a small frame
def _schema(table: str, columns: tuple[tuple[str, Field], ...]) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {name: _column(field) for name, field in columns},
        strict=False,
        unique=list(KEYS[table]) or None,
        name=table,
    )


def _column(field: Field) -> pa.Column:
    checks = []
    if field.low is not None:
        checks.append(pa.Check.ge(field.low))
    if field.high is not None:
        checks.append(pa.Check.le(field.high))
    if field.among is not None:
        checks.append(pa.Check.isin(field.among))
    return pa.Column(field.dtype, checks, nullable=field.nullable)


def validated(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the declared columns in their order, once dtypes, values and key are checked.

    A failure is a fault of the program (an ordinary exception), never of the user: readers have
    examined foreign data. Of a table with more than SAMPLED rows the columns and dtypes are
    checked in full, values and key on its first thousand.
    """
    missing = [name for name in TABLES[table] if name not in frame.columns]
    assert not missing, f"{table} lacks {missing}"
    frame = frame.loc[:, list(TABLES[table])]
    sample = frame.head(1000) if len(frame) > SAMPLED else frame
    schema(table).validate(sample.astype(dict.fromkeys(_coded_texts(frame), "str")), lazy=True)
    return frame


def of_declared_types(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in the declared order, with dtypes checked: for further batches of `validated`."""
    frame = frame.loc[:, list(TABLES[table])]
    wrong = set(_other_types(frame)) - set(_coded_texts(frame))
    assert not wrong, f"{table}: {sorted(wrong)}"
    return frame


def _other_types(frame: pd.DataFrame) -> list[str]:
    """Columns whose dtype is not the declared one."""
    found = frame.dtypes.drop("geometry", errors="ignore")
    return [
        str(name)
        for name, dtype in found.items()
        if name in FIELDS and FIELDS[str(name)].dtype != str(dtype)
    ]


def _coded_texts(frame: pd.DataFrame) -> list[str]:
    """Columns of texts that are kept as categories: many rows, few texts."""
    return [
        str(name) for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)
    ]


def decode_labels(numbers: npt.NDArray[np.integer], names: Iterable[str]) -> pd.Series:
    """The text that each number stands for: its place among the names.

    >>> decode_labels(np.array([1, 0, 1]), ["a", "b"]).tolist()
    ['b', 'a', 'b']
    """
    return pd.Series(pd.Series(list(names), dtype="str").array.take(numbers.astype(np.int64)))


def with_declared_dtypes(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the declared dtypes: for tables of parts, some of which may be empty.

    Texts that are categories stay so.

    >>> empty = pd.DataFrame({"source_file": [], "source_row": [], "reject_reason": []})
    >>> with_declared_dtypes("rejects", empty).dtypes.astype(str).tolist()
    ['str', 'int64', 'str']
    """
    other = set(_other_types(frame)) - set(_coded_texts(frame))
    kinds: dict[str, Any] = {name: FIELDS[name].dtype for name in TABLES[table] if name in other}
    return frame.astype(kinds) if kinds else frame
