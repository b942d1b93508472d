"""The network event that a gap's state may follow from, for the ledger.

Does not belong here: states of gaps (`gaps.py`), which samples events leave out
(`measurements/events.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl

from pipeline.hexgrid import hexes
from pipeline.measurements.events import touches
from pipeline.measurements.evidence import Evidence
from pipeline.measurements.scope import Event, Window, days_of
from pipeline.schema.periods import Period

REPAIRED = ("improving", "fixed")  # what a site on air may cause
WORSE = ("new", "returned")  # what a switch-off or an outage may cause
FOLLOWS = (*REPAIRED, *WORSE, "not_retested")  # states that an event may explain
WEAK = ("new", "returned", "persisting", "improving")  # states of a gap that is not repaired
NAMED = ["event_date", "event_kind"]


@dataclass(frozen=True)
class _Gap:
    """What decides which events may explain a gap's state."""

    state: str
    weak: Window | None  # the last period before this one in which it was not repaired
    fixed: Window | None  # the period in which it was repaired last
    tested: frozenset[date]  # days of samples at its places, of the base window
    window: date  # first day of the base window


def event_of_gaps(
    gaps: pd.DataFrame,
    former: pd.DataFrame,
    evidence: Evidence,
    communes: gpd.GeoDataFrame,
    finest: int,
) -> pd.DataFrame:
    """event_date and event_kind by row of `gaps` (gap_id, operator, state, fixed_in, cells).

    Of a gap in one of the states FOLLOWS the last event that touches any of its finest cells, in
    whatever commune, and may explain its state (`_explains`); empty for others. A gap that stays
    fixed keeps the event that the ledger had. `former`: the ledger before the period.
    """
    found = _kept(gaps, former)
    some = gaps[gaps["state"].isin(FOLLOWS) & found["event_date"].isna()]
    events, first_day = evidence.network_events, evidence.first_day
    if not events or first_day is None or not len(some):
        return found
    split = some[["operator"]].assign(gap=some.index, hex_id=some["cells"].str.split(";"))
    fine = hexes.descendants(split.explode("hex_id"), finest)
    about = _about(some, former, _days_of_samples(fine, evidence), first_day)
    fine = _in_communes(fine, evidence, communes)
    places = _places(fine, evidence)
    met: dict[int, list[Event]] = {}
    for event in sorted(events, key=lambda one: one.at):
        for gap in fine.loc[touches(event, places), "gap"].unique():
            met.setdefault(gap, []).append(event)
    for gap, its in met.items():
        if named := [event for event in its if _explains(event, about[gap], its)]:
            found.loc[gap, NAMED] = [named[-1].at.isoformat(), named[-1].kind]
    return found


def _explains(event: Event, gap: _Gap, its: Sequence[Event] = ()) -> bool:
    """Whether a gap's state may follow from an event that touches it, as `its` do.

    A repair: from a site on air after the gap was last seen weak, by the ledger's periods and, in
    the last of them, by the days of samples. A gap that is new or returned: from a switch-off or
    an outage of the window, since the repair. One that was not retested: from any event since it
    was last weak, which leaves out its tests, and of outages from those that began by then.
    """
    is_outage = event.kind == "outage"
    if gap.state in WORSE:
        is_later = gap.fixed is None or event.at >= gap.fixed[0]
        return event.kind != "on_air" and event.is_since(gap.window) and is_later
    if gap.weak is None:
        return False
    first, last = gap.weak
    if gap.state == "not_retested":
        return event.is_since(first) and not (is_outage and event.at > last)
    if event.kind != "on_air" or (gap.fixed is not None and event.at > gap.fixed[1]):
        return False
    if event.at > last:
        return True
    # all samples from the event on are at hand: none is of before the window or left out
    is_known = max(first, gap.window) <= event.at and not any(
        one is not event and one.last >= event.at and (one.first or date.min) <= last for one in its
    )
    return is_known and not any(event.at <= day <= last for day in gap.tested)


def _kept(gaps: pd.DataFrame, former: pd.DataFrame) -> pd.DataFrame:
    """NAMED by row of `gaps`, of those that were fixed before and still are; else empty."""
    last = former.sort_values("period").drop_duplicates("gap_id", keep="last").set_index("gap_id")
    stays = gaps["state"].eq("fixed") & gaps["gap_id"].map(last["state"]).eq("fixed")
    return pd.DataFrame(
        {name: gaps["gap_id"].map(last[name]).where(stays).astype("str") for name in NAMED},
        index=gaps.index,
    )


def _about(
    gaps: pd.DataFrame, former: pd.DataFrame, days: dict[int, frozenset[date]], window: date
) -> dict[int, _Gap]:
    """By row of `gaps` what `_explains` asks for."""
    ordered = former.sort_values("period")
    weak, fixed = (
        rows.drop_duplicates("gap_id", keep="last").set_index("gap_id")[name].to_dict()
        for rows, name in (
            (ordered[ordered["state"].isin(WEAK)], "period"),
            (ordered[ordered["fixed_in"].notna()], "fixed_in"),
        )
    )

    def span(period: object) -> Window | None:
        return days_of(Period.parse(period).months) if isinstance(period, str) else None

    numbers = [int(number) for number in gaps.index]
    return {
        gap: _Gap(
            row["state"],
            span(weak.get(row["gap_id"])),
            span(fixed.get(row["gap_id"]) if row["state"] in WORSE else row["fixed_in"]),
            days.get(gap, frozenset()),
            window,
        )
        for gap, row in zip(numbers, gaps.to_dict("records"), strict=True)
    }


def _days_of_samples(fine: pd.DataFrame, evidence: Evidence) -> dict[int, frozenset[date]]:
    """Days of samples by gap. `fine`: gap, operator, hex9_id."""
    keys = ["hex9_id", "operator"]
    samples = evidence.revisited[[*keys, "local_date"]].drop_duplicates()
    days = fine[[*keys, "gap"]].merge(samples, on=keys)[["gap", "local_date"]].drop_duplicates()
    listed = days.groupby("gap")["local_date"].agg(list)
    return {
        int(gap): frozenset(map(date.fromisoformat, texts))
        for gap, texts in zip(listed.index, listed, strict=True)
    }


def _in_communes(
    fine: pd.DataFrame, evidence: Evidence, communes: gpd.GeoDataFrame
) -> pd.DataFrame:
    """gap, operator, hex9_id, commune_code: where a cell's middle lies, and where it has tests."""
    cells = fine["hex9_id"].drop_duplicates().reset_index(drop=True)
    latitude, longitude = hexes.centres(cells)
    middles = gpd.GeoDataFrame(
        {"hex9_id": cells}, geometry=gpd.points_from_xy(longitude, latitude, crs="EPSG:4326")
    )
    joined = middles.sjoin(communes[["commune_code", "geometry"]], how="left")
    tested = evidence.cells.loc[evidence.cells["hex9_id"].isin(cells), ["hex9_id", "commune_code"]]
    both = pd.concat([joined[["hex9_id", "commune_code"]], tested.astype("str")])
    return fine[["gap", "operator", "hex9_id"]].merge(both.drop_duplicates(), on="hex9_id")


def _places(fine: pd.DataFrame, evidence: Evidence) -> pl.DataFrame:
    """zone, operator, cell of the rows of `fine`; −1 of what the evidence has no number for."""
    zones = {str(code): zone for zone, code in enumerate(evidence.names.communes)}
    numbers = {name: number for number, name in enumerate(evidence.names.operators)}
    return pl.DataFrame(
        {
            "zone": fine["commune_code"].map(zones).fillna(-1).to_numpy(dtype=np.int32),
            "operator": fine["operator"].map(numbers).fillna(-1).to_numpy(dtype=np.int8),
            "cell": hexes.indexes(fine["hex9_id"]),
        }
    )
