"""Where to test next: communes with people and without a verdict (METHOD §6).

Does not belong here: gaps that are known (`prioritise.py`).
"""

from __future__ import annotations

import pandas as pd

from pipeline.tables import checked, typed

UNDECIDED = ("insufficient_evidence", "no_data", "borderline")


def measure_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Undecided commune × operator rows → `measure_first`, ordered by population × (1 − information).

    Rows of unknown population come after the others, by 1 − information.
    """
    undecided = rows[rows["status"].isin(UNDECIDED)].copy()
    doubt = 1 - undecided["information"].fillna(0.0)
    undecided["people_without_verdict"] = undecided["population"] * doubt
    undecided["unknown"], undecided["doubt"] = (
        undecided["population"].isna(),
        -undecided["people_without_verdict"].fillna(doubt),
    )
    ordered = undecided.sort_values(["unknown", "doubt", "commune_code", "operator"], ignore_index=True)
    ordered["measure_rank"] = ordered.index + 1
    return checked("measure_first", typed("measure_first", ordered))
