"""How often a verdict was confirmed by tests that no earlier look had.

Months one after the other judge windows that share most of their tests, so that a false verdict
stays for as long as its tests do. Windows that share no test err apart. Does not belong here:
finding the earlier period (`previous_runs.py`), the rules (`judge.py`).
"""

from __future__ import annotations

import pandas as pd

_KEY = ["commune_code", "boundary_vintage", "operator"]


def look_count(rows: pd.DataFrame, earlier: pd.DataFrame | None) -> pd.Series:
    """Windows, one after the other, that share no test and have the row's confirmed verdict.

    0 without a confirmed verdict (gap or pass), 1 at first look, else 1 + the count of the same
    row one window earlier, where that had the same confirmed verdict. A row with `is_widened`
    shares tests with that window: at most 1.

    `rows`: _KEY, status, evidence, `is_widened`. `earlier`: of the period one window earlier, _KEY,
    status, evidence, `look_count`; None without one.
    """
    now = _confirmed(rows)
    first = now.notna().astype("float64")
    if earlier is None:
        return first
    then = earlier[_KEY].assign(then=_confirmed(earlier), count=earlier["look_count"])
    then = rows[_KEY].merge(then, how="left", on=_KEY, validate="one_to_one")
    then.index = rows.index
    goes_on = now.eq(then["then"]) & now.notna() & ~rows["is_widened"]
    return first + then["count"].where(goes_on, 0.0)


def _confirmed(rows: pd.DataFrame) -> pd.Series:
    """The status of rows with a confirmed verdict, empty in the others."""
    return rows["status"].where(rows["evidence"].eq("confirmed"))
