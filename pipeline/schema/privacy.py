"""What may be published of few devices: their counts, never their speeds (METHOD §7).

Does not belong here: the check on finished files (`publish/guard.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.schema.tables import ALL


def is_suppressed(rows: pd.DataFrame, place: str, device_count: str, min_devices: int) -> pd.Series:
    """Rows whose speeds may not be published: 1 to `min_devices` − 1 devices.

    Where that holds for exactly one named operator of a place (column `place`: commune or cell),
    its `all` row is suppressed too, so that the one cannot be had by subtraction.
    """
    few = rows[device_count].gt(0) & rows[device_count].lt(min_devices)
    named = few & rows["operator"].ne(ALL)
    lonely = named.groupby(rows[place]).transform("sum").eq(1)
    return few | (lonely & rows["operator"].eq(ALL) & rows[device_count].gt(0))


def without(rows: pd.DataFrame, suppressed: pd.Series, columns: Iterable[str]) -> pd.DataFrame:
    """The rows with the given columns emptied where suppressed."""
    return rows.assign(
        **{name: rows[name].where(~suppressed, np.nan) for name in columns if name in rows.columns}
    )
