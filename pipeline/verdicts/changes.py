"""Changes of each commune × operator since the former period: verdicts and speeds.

Does not belong here: finding the former period (`previous_runs.py`), gap areas from month to month
(`gaps.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.schema.columns import TABLES
from pipeline.schema.fields import STATUSES
from pipeline.schema.tables import validated, with_declared_dtypes

KEY = ["commune_code", "boundary_vintage", "operator"]
VERDICTS = dict.fromkeys(STATUSES, "none") | {
    "confirmed_gap": "gap",
    "probable_gap": "gap",
    "meets_target": "met",
}
_COMPARED = ("status", "mean_mbps", "lo_mbps", "hi_mbps")


def changes(status: pd.DataFrame, former: pd.DataFrame | None) -> pd.DataFrame:
    """`changes`: a row for each commune × operator that is in both periods' `commune_status`.

    Codes are compared within one boundary vintage only: the 2025 reform re-used them. `change` is
    the first that holds. Slower, faster: the two intervals (`lo_mbps` to `hi_mbps`) do not overlap.

    - `new_gap`: a gap now and not then, and slower.
    - `closed_gap`: a gap then, the target met now, and faster.
    - `worse`, `better`: slower, faster.
    - `decided`: the verdict is another one of three: gap (confirmed or probable), target met
      (confirmed or probable), none (borderline, not enough evidence, no data). The intervals
      overlap or one period has none: decided now, no longer decided, or decided otherwise; the
      speeds may be the same.
    - `no_change`: the same verdict, the intervals overlap: the difference may be chance.
    - `not_comparable`: the same verdict, one period has no interval.

    The periods' windows overlap, which makes intervals that lie apart rarer, never more frequent,
    than their confidence promises. `former`: None without a former period.
    """
    if former is None or former.empty:
        return with_declared_dtypes(
            "changes", pd.DataFrame({name: [] for name in TABLES["changes"]})
        )
    then = former[[*KEY, "period", *_COMPARED]].rename(
        columns={n: f"former_{n}" for n in ("period", *_COMPARED)}
    )
    rows = status.merge(then, on=KEY)
    verdict, verdict_then = rows["status"].map(VERDICTS), rows["former_status"].map(VERDICTS)
    is_other = verdict.ne(verdict_then)
    is_slower = rows["hi_mbps"] < rows["former_lo_mbps"]
    is_faster = rows["lo_mbps"] > rows["former_hi_mbps"]
    is_new = is_slower & is_other & verdict.eq("gap")
    is_closed = is_faster & verdict_then.eq("gap") & verdict.eq("met")
    known = rows[["lo_mbps", "hi_mbps", "former_lo_mbps", "former_hi_mbps"]].notna().all(axis=1)
    change = np.select(
        [is_new, is_closed, is_slower, is_faster, is_other, known],
        ["new_gap", "closed_gap", "worse", "better", "decided", "no_change"],
        default="not_comparable",
    )
    return validated("changes", with_declared_dtypes("changes", rows.assign(change=change)))
