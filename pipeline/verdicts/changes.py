"""Changes of each commune × operator since the former period: new and closed gaps, speeds.

Does not belong here: finding the former period (`previous_runs.py`), gap areas from month to month
(`gaps.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.schema.columns import TABLES
from pipeline.schema.tables import validated, with_declared_dtypes

KEY = ["commune_code", "boundary_vintage", "operator"]
GAPS = ("confirmed_gap", "probable_gap")
_COMPARED = ("status", "mean_mbps", "lo_mbps", "hi_mbps")


def changes(status: pd.DataFrame, former: pd.DataFrame | None) -> pd.DataFrame:
    """`changes`: a row for each commune × operator that is in both periods' `commune_status`.

    Codes are compared within one boundary vintage only: the 2025 reform re-used them. `change` is
    the first that holds: `new_gap` (a gap now and not then; it may have been there untested),
    `closed_gap` (a gap then, the target met now), `worse` or `better` (the two intervals do not
    overlap), `no_change` (they overlap: the difference may be chance), `not_comparable` (one period
    has no interval). The periods' windows overlap, which makes intervals that lie apart rarer,
    never more frequent, than their confidence promises. `former`: None without a former period.
    """
    if former is None or former.empty:
        return with_declared_dtypes(
            "changes", pd.DataFrame({name: [] for name in TABLES["changes"]})
        )
    then = former[[*KEY, "period", *_COMPARED]].rename(
        columns={n: f"former_{n}" for n in ("period", *_COMPARED)}
    )
    rows = status.merge(then, on=KEY)
    is_gap, was_gap = rows["status"].isin(GAPS), rows["former_status"].isin(GAPS)
    apart = [rows["hi_mbps"] < rows["former_lo_mbps"], rows["lo_mbps"] > rows["former_hi_mbps"]]
    known = rows[["lo_mbps", "hi_mbps", "former_lo_mbps", "former_hi_mbps"]].notna().all(axis=1)
    change = np.select(
        [is_gap & ~was_gap, was_gap & rows["status"].eq("meets_target"), *apart, known],
        ["new_gap", "closed_gap", "worse", "better", "no_change"],
        default="not_comparable",
    )
    return validated("changes", with_declared_dtypes("changes", rows.assign(change=change)))
