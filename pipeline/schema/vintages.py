"""The vintage of a table's boundaries: codes may be joined within one vintage only.

In July 2025 3,316 of Vietnam's 3,321 new commune codes took over the code of an old commune, so a
code alone names two places.

Does not belong here: reading a table's vintage (`sources/vintages.py`).
"""

from __future__ import annotations

import pandas as pd

UNSTATED = "unstated"  # the vintage of boundaries whose settings state none


def vintage_of(table: pd.DataFrame) -> str:
    """The vintage of a table that holds one; `UNSTATED` of an empty table.

    >>> vintage_of(pd.DataFrame({"boundary_vintage": ["2025-07-01", "2025-07-01"]}))
    '2025-07-01'
    """
    return str(table["boundary_vintage"].iloc[0]) if len(table) else UNSTATED


def are_apart(one: str, other: str) -> bool:
    """Whether both vintages are stated and differ, so that equal codes may be two places.

    >>> are_apart("2024", "2025-07-01"), are_apart("2024", UNSTATED), are_apart("2024", "2024")
    (True, False, False)
    """
    return one != other and UNSTATED not in (one, other)
