"""Events (a site on air, a switch-off, an outage): which samples no longer say how it is.

Samples from before a site went on air, or before a network was switched off, measured another
network; those of an outage measured a passing fault. They stay valid tests and count as such (the
official number of tests, the month's official mean, the sample tracker); verdicts, hexes and gaps
rest on the others. Does not belong here: reading events (`sources/events.py`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import h3
import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from pipeline.hexgrid.hexes import parent_indexes
from pipeline.measurements.samples import UNIT_CODES, during, mean_of
from pipeline.measurements.scope import Event, Names, Question, Window
from pipeline.measurements.strata import EARTH_KM, on_sphere
from pipeline.schema.errors import Fault
from pipeline.schema.fields import ALL
from pipeline.schema.texts import Said, joined, worded

Bools = npt.NDArray[np.bool_]
OUTDATED = "is_outdated"
SHOWN = 5  # events that a warning lists
c = pl.col


def with_events(question: Question, table: pd.DataFrame | None) -> Question:
    """The question with the events of the declared table `events`, up to the window's last day.

    Those of operators that are not asked for are left.
    """
    if table is None or not len(table):
        return question
    communes, operators = question.names.communes, question.names.operators
    until = question.scope.windows[0][1]
    zones = {code: zone for zone, code in enumerate(communes.tolist())}
    numbers = {name: number for number, name in enumerate(operators)}
    found = []
    for row in table.to_dict("records"):
        at = date.fromisoformat(row["event_date"])
        is_all = row["event_operator"] == "all"
        if at > until or not (is_all or row["event_operator"] in numbers):
            continue
        is_outage = row["event_kind"] == "outage"
        last = date.fromisoformat(row["event_end_date"]) if is_outage else _day_before(at)
        code, cell = row["event_commune_code"], row["event_hex_id"]
        has_circle = not np.isnan(row["event_radius_km"])
        circle = (row["event_latitude"], row["event_longitude"], row["event_radius_km"])
        found.append(
            Event(
                at,
                row["event_kind"],
                at if is_outage else None,
                last,
                None if is_all else numbers[row["event_operator"]],
                zones.get(code) if isinstance(code, str) else None,
                h3.str_to_int(cell) if isinstance(cell, str) else None,
                circle if has_circle else None,
            )
        )
    return replace(question, scope=replace(question.scope, events=tuple(found)))


def _day_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def touches(event: Event, places: pl.DataFrame) -> Bools:
    """Which rows of `places` (zone, operator, cell) lie in the area and are of the operator.

    A cell lies in a circle where its centre does, and in an H3 cell that is its parent.
    """
    held = np.ones(places.height, dtype=bool)
    if event.operator is not None:
        held &= (places["operator"] == event.operator).fill_null(value=False).to_numpy()
    if event.zone is not None:
        held &= places["zone"].to_numpy() == event.zone
    cells = places["cell"].to_numpy()
    if event.cell is not None:
        resolution = h3.get_resolution(h3.int_to_str(event.cell))
        held &= parent_indexes(cells, resolution) == np.uint64(event.cell)
    if event.circle is not None:
        held[held] = _within(cells[held], *event.circle)
    return held


def _within(cells: npt.NDArray[np.uint64], latitude: float, longitude: float, km: float) -> Bools:
    centres = np.array([h3.cell_to_latlng(h3.int_to_str(one)) for one in cells.tolist()])
    chord = np.linalg.norm(
        on_sphere(centres) - on_sphere(np.array([[latitude, longitude]])), axis=1
    )
    return np.asarray(chord <= 2 * np.sin(km / EARTH_KM / 2))


def idle_events(
    question: Question, table: pd.DataFrame | None, found: dict[str, pl.DataFrame]
) -> list[Fault]:
    """Warnings: operators of events that no test is of; events of the window that touch no test.

    `table`: the declared table `events`. `found`: aggregates; valid tests of any month up to the
    window's end count, and in the window those that failed or were of another technology. Events
    after the window are passed over, and so are, as touching nothing, those that ended before it:
    what they left out may lie in no delivery.
    """
    if table is None or not len(table):
        return []
    first, last = question.scope.windows[0]
    keys = [*UNIT_CODES, "cell"]
    places = pl.concat(
        [found["places"].filter(c("month") <= last).select(keys), found["tried"].select(keys)]
    ).unique()
    names = question.names.operators
    tested = {names[number] for number in places["operator"].unique().drop_nulls()}
    named = table.loc[table["event_date"] <= last.isoformat(), "event_operator"]
    strange = named[~named.isin([*tested, ALL])]
    # the last of each place and perhaps no other
    touching = set(found["events 0"]["event"].unique())
    events = {
        number: one for number, one in enumerate(question.scope.events) if one.is_since(first)
    }
    idle = [
        one
        for number, one in events.items()
        if number not in touching
        and (one.operator is None or names[one.operator] in tested)
        and not touches(one, places).any()
    ]
    warnings = []
    if len(strange):
        shown: dict[str, object] = {"found": sorted(set(strange)), "count": len(strange)}
        warnings.append(
            Fault("events_of_no_operator", values={**shown, "expected": sorted(tested)})
        )
    if idle:
        listed = [_shown(one, names) for one in idle[:SHOWN]]
        some = joined(*listed, *["…"] * (len(idle) > SHOWN))
        about: dict[str, object] = {"found": some, "count": len(idle), "of": len(events)}
        warnings.append(Fault("events_that_touch_nothing", values=about))
    return warnings


def _shown(event: Event, names: list[str]) -> Said:
    """An event in a message: date, kind, operator."""
    operator = worded(ALL) if event.operator is None else names[event.operator]
    return joined(f"{event.at:%d/%m/%Y}", worded(event.kind), operator, by=" ")


def with_outdated(drawn: pl.DataFrame, events: tuple[Event, ...]) -> pl.DataFrame:
    """Samples with `is_outdated` (boolean) and `event`: the last that touches them, its number.

    Without events as they are. `event` is null where none touches them.
    """
    if not events:
        return drawn
    keys = [*UNIT_CODES, "cell"]
    places = drawn.select(keys).unique(maintain_order=True)
    spans = [
        places.filter(pl.Series(touches(event, places))).with_columns(
            first=pl.lit(event.first or date.min, pl.Date), last=pl.lit(event.last, pl.Date),
            at=pl.lit(event.at, pl.Date), event=pl.lit(number, pl.Int32),
        )
        for number, event in enumerate(events)
    ]  # fmt: skip
    touched = pl.concat(spans)
    rows = drawn.with_row_index("sample")
    out = rows.join(touched, on=keys).filter(c("day").is_between("first", "last"))["sample"]
    lasting = touched.sort("at", "event").group_by(keys).agg(c("event").last())
    marked = rows.with_columns(c("sample").is_in(out.unique().implode()).alias(OUTDATED))
    return marked.drop("sample").join(lasting, on=keys, how="left", maintain_order="left")


def left(rows: pl.LazyFrame, events: tuple[Event, ...]) -> pl.LazyFrame:
    """The rows (zone, operator, cell, day) that no event leaves out."""
    if not events:
        return rows
    plain = rows.drop(OUTDATED, "event", strict=False).collect(engine="streaming")
    return with_outdated(plain, events).lazy().filter(~c(OUTDATED)).drop(OUTDATED, "event")


def before_and_after(
    valid: pl.LazyFrame, events: tuple[Event, ...], window: Window
) -> pl.LazyFrame:
    """UNIT_CODES, device, is_outdated, side: event, tests, samples, download (sum).

    Of samples of a window that an event touches; the event is the last that touches any of them.
    `side`: `before` its date, or `after` (from its date on, or after an outage's last day), of the
    samples that tell of the network then: those before an outage and after any event judge. Null of
    others.
    """
    if not events:
        schema = {
            "zone": pl.Int32, "operator": pl.Int8, "device": pl.UInt64, OUTDATED: pl.Boolean,
            "side": pl.String, "event": pl.Int32, "tests": pl.UInt32, "samples": pl.UInt32,
            "download": pl.Int64,
        }  # fmt: skip
        return pl.LazyFrame(schema=schema)
    about = pl.LazyFrame(
        {
            "event": pl.Series(range(len(events)), dtype=pl.Int32),
            "at": [one.at for one in events],
            "is_outage": [one.kind == "outage" for one in events],
        }
    )
    here = valid.filter(during(window) & c("event").is_not_null()).join(about, on="event")
    side = (
        pl.when(~c(OUTDATED) & (c("day") >= c("at"))).then(pl.lit("after"))
        .when((c("day") < c("at")) & (c(OUTDATED) != c("is_outage"))).then(pl.lit("before"))
    )  # fmt: skip
    return (
        here.with_columns(side=side)
        .group_by(*UNIT_CODES, "device", OUTDATED, "side")
        .agg(c("event").max(), c("tests").sum(), samples=pl.len(), download=c("mean").sum())
    )


FIGURES = (
    "event_date", "event_kind", "device_count_before", "mean_before_mbps", "device_count_after",
    "mean_after_mbps", "left_out_device_count", "touched_device_count",
)  # fmt: skip


def no_unit_events() -> pd.DataFrame:
    """What `unit_events` gives without events."""
    nothing = pd.MultiIndex.from_arrays([[], []], names=["commune_code", "operator"])
    return pd.DataFrame({name: [] for name in FIGURES}, index=nothing)


def unit_events(found: pl.DataFrame, names: Names, events: tuple[Event, ...]) -> pd.DataFrame:
    """FIGURES by commune_code and operator, where an event touches tests of a window.

    `found`: of `before_and_after`. Means of device values (Mbit/s) at the places that it touches,
    by side. The event is the last that touches any. left_out_device_count: devices with samples
    that are left out; touched_device_count: with samples there that judge.
    """
    if not found.height:
        return no_unit_events()
    sums = found.group_by(*UNIT_CODES, "device", "side").agg(c("download", "samples").sum())
    values = sums.with_columns(mbps=pl.Series(mean_of(sums, "download", "samples")))
    means = values.sort(*UNIT_CODES, "side", "mbps").group_by(
        *UNIT_CODES, "side", maintain_order=True
    ).agg(mean=c("mbps").mean(), devices=pl.len())  # fmt: skip
    devices = c("device")
    both = found.group_by(UNIT_CODES).agg(
        c("event").max(),
        left_out_device_count=devices.filter(c(OUTDATED)).n_unique(),
        touched_device_count=devices.filter(~c(OUTDATED)).n_unique(),
    )
    for name in ("before", "after"):
        part = means.filter(c("side") == name).select(
            *UNIT_CODES,
            c("devices").alias(f"device_count_{name}"),
            c("mean").alias(f"mean_{name}_mbps"),
        )
        both = both.join(part, on=UNIT_CODES, how="left")
    counts = [name for name in FIGURES if "_count" in name]
    both = both.with_columns(c(counts).fill_null(0).cast(pl.Float64)).sort(UNIT_CODES)
    operators = np.array(names.operators, dtype=object)
    table = both.to_pandas()
    table["event_date"] = [events[number].at.isoformat() for number in table["event"]]
    table["event_kind"] = [events[number].kind for number in table["event"]]
    table.index = pd.MultiIndex.from_arrays(
        [names.communes[table["zone"].to_numpy()], operators[table["operator"].to_numpy()]],
        names=["commune_code", "operator"],
    )
    return table[list(FIGURES)]
