"""What may be published of a small group of devices: their number, never their speeds (METHOD §7).

Does not belong here: the check on finished files (`publish/guard.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.schema.columns import FIELDS, INNER, TABLES
from pipeline.schema.fields import ALL


def is_suppressed(rows: pd.DataFrame, place: str, device_count: str, min_devices: int) -> pd.Series:
    """Rows whose speeds may not be published: 1 to `min_devices` − 1 devices.

    Where that holds for exactly one named operator of a place (column `place`: commune or cell),
    its `all` row is suppressed too, so that the one cannot be had by subtraction.
    """
    few = rows[device_count].gt(0) & rows[device_count].lt(min_devices)
    return with_total(few, rows, place) & rows[device_count].gt(0)


def with_total(suppressed: pd.Series, rows: pd.DataFrame, place: str) -> pd.Series:
    """What is suppressed, and the `all` row of places with exactly one such named operator."""
    lonely = (suppressed & rows["operator"].ne(ALL)).groupby(rows[place]).transform("sum").eq(1)
    return suppressed | (lonely & rows["operator"].eq(ALL))


def private_columns(of: str = "device_count") -> tuple[str, ...]:
    """Columns that are not published of small groups; `of` counts the devices behind them."""
    return tuple(name for name, field in FIELDS.items() if field.is_private and field.of == of)


def identifying_columns() -> frozenset[str]:
    """Columns that tell one test or one device, by their declarations."""
    return frozenset(name for name, field in FIELDS.items() if field.identifying)


def forbidden_columns() -> frozenset[str]:
    """Columns that no published file may have: identifying ones, and those of inner tables only.

    >>> sorted(forbidden_columns() & {"device_id", "download_mbps", "operator", "mean_mbps"})
    ['device_id', 'download_mbps']
    """
    measured = [table for table in INNER if table != "communes"]  # which anybody may know
    inner = {column for table in measured for column in TABLES[table]}
    published = {c for table, listed in TABLES.items() if table not in INNER for c in listed}
    return identifying_columns() | (inner - published)


def without(rows: pd.DataFrame, suppressed: pd.Series, of: str = "device_count") -> pd.DataFrame:
    """The rows with their private figures of the devices in `of` emptied where suppressed."""
    private = [name for name in private_columns(of) if name in rows.columns]
    return rows.assign(**{name: rows[name].where(~suppressed, np.nan) for name in private})
