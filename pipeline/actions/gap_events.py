"""The network event that a gap's new state follows, for the ledger.

Does not belong here: states of gaps (`gaps.py`), which samples events leave out
(`measurements/events.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

from pipeline.hexgrid import hexes
from pipeline.measurements.events import touches
from pipeline.measurements.evidence import Evidence

FOLLOWS = ("new", "improving", "fixed", "returned")  # states that an event may explain


def event_of_gaps(gaps: pd.DataFrame, evidence: Evidence, finest: int) -> pd.DataFrame:
    """event_date and event_kind by row of `gaps` (commune_code, operator, state, cells).

    Of a gap in one of the states FOLLOWS the last event of the evidence's window, or after it
    began, that touches any of its finest cells; empty for others.
    """
    found = pd.DataFrame({"event_date": None, "event_kind": None}, index=gaps.index, dtype="str")
    events, names = evidence.network_events, evidence.names
    some = gaps[gaps["state"].isin(FOLLOWS)]
    if not events or not len(some):
        return found
    zones = {str(code): zone for zone, code in enumerate(names.communes)}
    numbers = {name: number for number, name in enumerate(names.operators)}
    split = some[["commune_code", "operator"]].assign(
        gap=some.index, hex_id=some["cells"].str.split(";")
    )
    fine = hexes.descendants(split.explode("hex_id"), finest)
    places = pl.DataFrame(
        {
            "zone": fine["commune_code"].map(zones).fillna(-1).to_numpy(dtype=np.int32),
            "operator": fine["operator"].map(numbers).fillna(-1).to_numpy(dtype=np.int8),
            "cell": hexes.indexes(fine["hex9_id"]),
        }
    )
    for event in sorted(events, key=lambda one: one.at):
        met = fine.loc[touches(event, places), "gap"].unique()
        found.loc[met, ["event_date", "event_kind"]] = [event.at.isoformat(), event.kind]
    return found
