"""Rows of whole devices → every aggregate that figures are made of.

rows ─ repeats ─► samples ─► months of devices ─► devices over a window ─► values, units
                  samples ─► cells, places, dates, slow, known; months ─► area, months, spans
                  (what events left out counts in places, dates, months, area and spans alone)
                  samples ─► stays, id months; spots, steps ─► marked devices
rows ─► books, rejects, uncounted, attempts, repeats, present, met, phones, signals, bursts

Tables are declared in `devices.py`, `counts.py` and `id_signs.py`, one statement each. A shard
holds all rows of its devices, so that whatever compares rows with rows is closed in it: aggregates
of several shards stand one below the other, and what is counted over devices is added up where it
is used.
Does not belong here: names (`evidence.py`), formulas and verdicts (`verdicts/`).
"""

from __future__ import annotations

from functools import partial

import pandas as pd
import polars as pl

from pipeline.measurements import counts, devices, events, fingerprints, id_signs
from pipeline.measurements.prepare import Prepared, rows_of
from pipeline.measurements.samples import UNIT_CODES, during, repeats, row_number, samples
from pipeline.measurements.scope import Scope
from pipeline.schema.tables import TABLES, with_declared_dtypes
from pipeline.sources.table import tests_in_memory

Aggregates = dict[str, pl.DataFrame]
c = pl.col


def aggregates_in(prepared: Prepared, scope: Scope) -> Aggregates:
    """All aggregates of all rows, by name. Tables over a window are named `NAME NUMBER`.

    Copies of a test id may name different devices: where there are several shards, repeats by id
    are looked for among all rows first.
    """
    none = pl.DataFrame(schema={"in_file": pl.Boolean, "number": pl.UInt64})
    again = pl.concat([none, *prepared.rows.gather("ids", repeats)])
    found = prepared.rows.gather("tests", partial(aggregates_of, again=again, scope=scope))
    if not found:
        nothing = with_declared_dtypes(
            "tests", pd.DataFrame({name: [] for name in TABLES["tests"]})
        )
        found = [aggregates_of(rows_of(tests_in_memory(nothing), prepared.how), none, scope)]
    whole = {name: pl.concat([part[name] for part in found]) for name in found[0]}
    least = scope.rules.same_minute_min_ids
    marked = id_signs.marked_devices(whole.pop("spots"), whole.pop("steps"), least)
    return whole | {"marked devices": marked}


def aggregates_of(rows: pl.DataFrame, again: pl.DataFrame, scope: Scope) -> Aggregates:
    """All aggregates of a shard. `again`: `repeats` that are known already, of any shard."""
    again = pl.concat([again, repeats(rows)])
    in_file = again.filter("in_file")["number"]
    prints = fingerprints.operator_prints(scope.operators).tolist()
    numbers = list(range(len(prints)))
    operator = c("operator").replace_strict(prints, numbers, default=None, return_dtype=pl.Int8)
    marked = rows.lazy().with_columns(
        operator=operator,
        is_repeat=row_number().is_in(again["number"].implode()),
        is_copy=row_number().is_in(in_file.implode()),
    )
    marked = marked.drop("key").collect().lazy()
    drawn = events.with_outdated(
        samples(marked, scope).collect(engine="streaming"), scope.events
    ).lazy()
    valid = drawn.filter(c("technology") == scope.technology)
    current = valid.filter(~c(events.OUTDATED)) if scope.events else valid
    tries = counts.tries(marked, drawn, scope).collect(engine="streaming").lazy()
    others = drawn.filter(c("technology") != scope.technology)
    base = _collected(
        {
            "device_months": devices.device_months(valid, scope),
            "other_months": devices.other_months(others),
            "judged": counts.judged(marked, scope),
        }
    )
    months, other_months, judged = (table.lazy() for table in base.values())
    left = devices.device_months(current, scope) if scope.events else months
    all_months = devices.AllMonths(left, months, other_months)
    windows = {
        str(number): devices.devices_over(scope.windows[number], all_months, scope)
        for number in scope.valued
    }
    over = {number: one.lazy() for number, one in _collected(windows).items()}
    named = id_signs.named_samples(valid, scope).collect(engine="streaming").lazy()
    id_dates = id_signs.device_dates(named).collect(engine="streaming").lazy()
    found = _collected(
        {
            "cells": devices.cells(current, scope),
            "known": devices.known_samples(current, scope),
            "places": counts.places(valid),
            "dates": counts.dates(valid),
            "current dates": counts.dates(current),
            "slow": counts.slow_times(current, scope),
            "stays": id_signs.stays(id_dates),
            "id months": id_signs.id_months(id_dates),
            "spots": id_signs.spots(named),
            "steps": id_signs.steps(named, id_dates),
            "commune_months": counts.month_counts(months, scope),
            "bursts": counts.bursts(marked, valid, scope),
            "books": counts.books(judged),
            "rejects": counts.rejects(judged),
            "uncounted": counts.other_tests(marked),
            "attempts": counts.attempts(events.left(tries, scope.events)),
            "tried": tries.select(*UNIT_CODES, "cell").unique(),
            "repeats": counts.repeats_by_month(marked, scope),
            "repeats in file": counts.repeats_in_own_file(
                marked.filter(c("reason").ne_missing(counts.FENCE)), scope
            ),
            "repeated fences": _repeated_fences(marked, scope),
            "present": counts.present(marked, scope),
            "met": counts.met(marked, scope),
            "phones": counts.phones(marked),
            **{f"spans {n}": counts.span_devices(months, one) for n, one in enumerate(scope.spans)},
            **{f"signals {n}": counts.signals(marked, scope.windows[n]) for n in scope.valued},
            **{
                f"events {n}": events.before_and_after(valid, scope.events, scope.windows[n])
                for n in scope.valued
            },
            **{f"strata {n}": devices.strata(current, scope.windows[n]) for n in scope.valued},
            **{f"values {n}": devices.device_values(one) for n, one in over.items()},
            **{f"units {n}": devices.units(one, len(prints)) for n, one in over.items()},
            **{
                f"area {n}": devices.area_values(months, scope.windows[n]) for n in scope.summarised
            },
            **{
                f"newer area {n}": devices.area_values(other_months, scope.windows[n], "newer_")
                for n in scope.summarised
            },
        }
    )
    if scope.has_villages:
        ends = tuple(one for one in scope.events if one.kind != "on_air")  # of a signal
        lasting, lasting_tries = (events.left(one, ends) for one in (valid, tries))
        heard = events.left(counts.heard(marked, scope), scope.events)
        found |= _collected(
            {
                "cell days": counts.cell_days(current, scope),
                "cell signals": counts.cell_signals(heard),
                "usable": counts.usable(lasting, lasting_tries, scope),
            }
        )
    return found | {"cells": ordered(found["cells"], *UNIT_CODES, "cell")}


def _repeated_fences(rows: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """source: fences of the base window that repeat another."""
    is_fence = c("reason").eq_missing(counts.FENCE)
    some = rows.filter(is_fence & c("is_repeat") & during(scope.windows[0]))
    return some.group_by("source").agg(repeats=pl.len())


def _collected(tables: dict[str, pl.LazyFrame]) -> dict[str, pl.DataFrame]:
    """All tables at once: they share what they have in common, and the cores."""
    found = pl.collect_all(list(tables.values()), engine="streaming")
    return dict(zip(tables, found, strict=True))


def ordered(table: pl.DataFrame, *then: str) -> pl.DataFrame:
    """The table by device, in the order of shards, and `then`: the same in whatever parts."""
    order = pl.Series("order", fingerprints.mixed(table["device"].to_numpy()))
    return table.with_columns(order).sort("order", *then).drop("order")
