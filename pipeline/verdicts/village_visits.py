"""Which visits of villages still say how it is: not the old, nor those that an event overtook.

Does not belong here: reading visits (`sources/visits.py`), what follows from one (`villages.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import h3
import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from pipeline.measurements.events import touches
from pipeline.measurements.scope import Event, Names
from pipeline.schema.periods import Period

VISIT_MONTHS = 12  # months, to the period's end, in which a visit counts
# the result of a visit that an event after it may have changed
OVERTAKES = {"on_air": "no_signal", "switch_off": "measured"}
POINT_RESOLUTION = 15  # H3, half a metre: the middle of a village
PLACE = ["commune_code", "village_name"]


def lasting_visits(
    visits: pd.DataFrame,
    villages: pd.DataFrame,
    events: tuple[Event, ...],
    names: Names,
    period: Period,
) -> pd.DataFrame:
    """The visits (declared table) that count at the period's end.

    A visit counts for VISIT_MONTHS, and not on a day of an outage that touches the middle of its
    village. Of a village and operator the last of these counts where an event touched it since,
    unless OVERTAKES says that the event may have changed its result; a visit before it does not
    take its place. Without events no visit is left out but the old.
    """
    recent = visits[visits["visit_date"] >= f"{period.window(VISIT_MONTHS)[0]}-01"]
    if not events or recent.empty:
        return recent.reset_index(drop=True)
    listed = villages.drop_duplicates(PLACE, keep=False)[[*PLACE, "latitude", "longitude"]]
    rows = recent.merge(listed, on=PLACE).sort_values(["visit_date", "visit_result"])
    rows = rows[~_is_left_out(rows, events, names, {"outage": None})]
    last = rows.drop_duplicates([*PLACE, "operator"], keep="last")
    lasting = last[~_is_left_out(last, events, names, OVERTAKES)]
    return lasting[list(visits.columns)].reset_index(drop=True)


def _is_left_out(
    rows: pd.DataFrame, events: tuple[Event, ...], names: Names, results: Mapping[str, str | None]
) -> npt.NDArray[np.bool_]:
    """Rows of whose day an event leaves samples out. `results`: by kind; None: any result."""
    zones = {str(code): zone for zone, code in enumerate(names.communes)}
    numbers = {name: number for number, name in enumerate(names.operators)}
    points = [
        h3.latlng_to_cell(latitude, longitude, POINT_RESOLUTION)
        for latitude, longitude in zip(rows["latitude"], rows["longitude"], strict=True)
    ]
    places = pl.DataFrame(
        {
            "zone": rows["commune_code"].map(zones).fillna(-1).to_numpy(dtype=np.int32),
            "operator": rows["operator"].map(numbers).fillna(-1).to_numpy(dtype=np.int8),
            "cell": np.array([h3.str_to_int(one) for one in points], dtype=np.uint64),
        }
    )
    days = [date.fromisoformat(day) for day in rows["visit_date"]]
    found = np.zeros(len(rows), dtype=bool)
    for event in events:
        if event.kind in results:
            is_then = np.array([event.leaves_out(day) for day in days], dtype=bool)
            of = results[event.kind]
            met = rows["visit_result"].eq(of).to_numpy() if of else True
            found |= touches(event, places) & is_then & met
    return found
