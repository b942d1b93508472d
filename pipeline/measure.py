"""What the tests, or the tiles, of a period's window show: the first half of `judge_month`.

Does not belong here: what a step does (`measurements/`), the verdicts that follow (`journey.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline import run_log
from pipeline.actions import monthly
from pipeline.actions.gap_tables import known_cells
from pipeline.config.rules import cleaning_rules_of, scope_rules_of
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings
from pipeline.engine.local import Local
from pipeline.hexgrid.hexes import indexes
from pipeline.measurements.aggregates import Aggregates, aggregates_in
from pipeline.measurements.alarms import (
    alarms,
    lost_files,
    nothing_valid,
    passed,
    same_tests,
    thin_month,
)
from pipeline.measurements.books import books_of, copies_of, devices_of, prints_of, rejects_of
from pipeline.measurements.events import idle_events, unit_events, with_events
from pipeline.measurements.evidence import Evidence, Longer, evidence_of_tests, units_over, widened
from pipeline.measurements.prepare import Prepared, prepared_tests
from pipeline.measurements.scope import Holdings, Question, question_of
from pipeline.measurements.strata import (
    Places,
    Strata,
    cells_of_places,
    cells_with_people,
    places_of,
    shares_of,
    stratum_sums,
)
from pipeline.measurements.tile_evidence import measured_tiles
from pipeline.measurements.village_counts import (
    VillageCounts,
    in_hexes,
    in_villages,
    village_counts,
)
from pipeline.schema.errors import Fault
from pipeline.schema.month import AreaPeriod
from pipeline.sources.deliveries import Part
from pipeline.sources.inputs import Inputs, evidence_window, periods_of
from pipeline.sources.overlap import overlaps
from pipeline.sources.population import inhabited_cells, people_of_parts
from pipeline.verdicts import result_tables

INHABITED_RESOLUTION = 7  # H3, some 5 km²: about a village and the land within 1.5 km
INHABITED_PEOPLE = 20.0


@dataclass(frozen=True)
class ByPlace:
    """Who tested at which place: villages of a list, or hexes where people live."""

    places: pd.DataFrame  # the table `villages`, or of `inhabited_cells`
    counts: VillageCounts
    is_listed: bool


@dataclass(frozen=True)
class Measured:
    """What the measurements of a window show."""

    evidence: Evidence
    rejects: pd.DataFrame  # source, source_file, source_row, reject_reason
    books: pd.DataFrame  # by source
    months: Mapping[str, pd.DataFrame]  # tables of the months; none of tiles
    device_prints: npt.NDArray[np.uint64]
    warnings: list[Fault] = field(default_factory=list)  # accepted findings; ids that restart
    places: ByPlace | None = None  # None: it is not known where people live


def measure(inputs: Inputs, context: RunContext, ledger: pd.DataFrame) -> Measured:
    """Device values and counts of the window, of tests or of tiles."""
    settings, period, log = context.settings, context.period, context.log
    accepted = {name: one.accept for name, one in settings.sources.items()}
    if len(inputs.tiles):
        finest = settings.hexes.finest_resolution
        evidence, rejects, books = measured_tiles(inputs.tiles, inputs.communes, period, finest)
        run_log.tiles(log, books)
        warnings = passed(list(nothing_valid(books)), accepted)
        return Measured(evidence, rejects, books, {}, np.zeros(0, dtype=np.uint64), warnings)
    # `sources` comes before `measurements` and knows of these rows only that they can be closed
    prepared = cast("Prepared | None", inputs.rows) or _in_memory(inputs, settings)
    return _measured_tests(inputs, prepared, context, ledger)


def _measured_tests(
    inputs: Inputs, prepared: Prepared, context: RunContext, ledger: pd.DataFrame
) -> Measured:
    settings, period, log = context.settings, context.period, context.log
    months = prepared.account.months
    held = set(periods_of(months))
    operators = prepared.account.operators
    has_villages = inputs.villages is not None or inputs.people_grid is not None
    delivered = Holdings(held, min(months, default=""), operators, has_villages)
    window = evidence_window(inputs, settings, period)
    places = indexes(known_cells(ledger, settings.hexes.finest_resolution))
    communes = prepared.how.zones.codes
    question = question_of(communes, delivered, period, window, places, scope_rules_of(settings))
    question = with_events(question, inputs.events)
    found = aggregates_in(prepared, question.scope)
    books, rejects = books_of(found, prepared.how), rejects_of(found, prepared.how)
    devices = devices_of(found, prepared.how)
    copies = copies_of(found, prepared.how)
    findings = alarms(rejects, books, copies, prepared.account.speeds, devices)
    files = {(one.role, one.name): one.row_count for one in inputs.read if one.is_delivery}
    findings += [*lost_files(rejects, files), *thin_month(months, period)]
    findings += same_tests(overlaps(prepared.account.sketches))
    warnings = passed(findings, {name: one.accept for name, one in settings.sources.items()})
    least = settings.privacy.min_devices
    evidence = evidence_of_tests(found, question, len(window), least)
    run_log.tests(log, books, evidence)
    warnings += result_tables.id_warnings(evidence, context.rules.gates)
    warnings += idle_events(question, inputs.events, found)
    by_place, strata = _strata(found, question, inputs, settings)
    tested = strata.shares["stratum"].isin(strata.sums["stratum"]).sum()
    log(f"places_{strata.basis}", tested=int(tested), count=len(strata.shares))
    evidence = replace(evidence, strata=strata)
    evidence = _widened(evidence, found, question, by_place, inputs, context)
    area = AreaPeriod(inputs.communes, period)
    tables = monthly.month_tables(
        found, question, area, inputs.installs, held, context.tracker_rules
    )
    prints = prints_of(found, prepared.how)
    villages = _by_village(found, question, inputs, context)
    return Measured(evidence, rejects, books, tables, prints, warnings, villages)


def _by_village(
    found: Aggregates, question: Question, inputs: Inputs, context: RunContext
) -> ByPlace | None:
    """Who tested in which village, or in which inhabited hex; None where neither is known."""
    about, names = context.settings.villages, question.names
    if inputs.villages is not None and len(inputs.villages):
        places, is_listed = inputs.villages, True
        counts = village_counts(found, question, in_villages(places, names, about.radius_km))
        of = int(counts.counts["test_count"].sum()) + counts.between_count
        context.log("between_villages", count=counts.between_count, of=of)
    elif inputs.people_grid is not None:
        resolution = min(INHABITED_RESOLUTION, context.settings.hexes.finest_resolution)
        places, is_listed = (
            inhabited_cells(inputs.communes, inputs.people_grid, resolution, INHABITED_PEOPLE),
            False,
        )
        counts = village_counts(found, question, in_hexes(places, names, resolution))
    else:
        return None
    return ByPlace(places, counts, is_listed=is_listed)


def _in_memory(inputs: Inputs, settings: Settings) -> Prepared:
    """Rows of tests that no file was read for: of notebooks and simulations."""
    parts, rules = [Part(tests=inputs.tests)], cleaning_rules_of(settings)
    return prepared_tests(parts, inputs.communes, rules, Local())[0]


def _strata(
    found: Aggregates, question: Question, inputs: Inputs, settings: Settings
) -> tuple[Places, Strata]:
    """The places of all windows, and device values by place over the base window."""
    names, communes = question.names, inputs.communes
    longest = found[f"strata {question.scope.valued[-1]}"]
    places = places_of(longest, names, inputs.villages, settings.villages.radius_km)
    people = people_of_parts(cells_with_people(places), communes, inputs.people_grid)
    known = pd.DataFrame(communes.set_index("commune_code")[["population", "area_km2"]])
    basis, shares = shares_of(places, names, inputs.villages, people, known)
    sums, cells = stratum_sums(found["strata 0"], places, names), cells_of_places(places)
    return places, Strata(basis, shares, sums, cells)


def _widened(
    evidence: Evidence,
    found: Aggregates,
    question: Question,
    places: Places,
    inputs: Inputs,
    context: RunContext,
) -> Evidence:
    """Units that fail the first gate over a longer window, as far as deliveries reach back.

    The books stay with the base window.
    """
    least = context.rules.shown_min_devices
    for month_count, number in question.window_of_months.items():
        lacking = result_tables.below_first_gate(evidence, inputs.communes, context.rules.gates)
        units = units_over(found, question, number, month_count, least)
        sums = stratum_sums(found[f"strata {number}"], places, question.names)
        events = unit_events(found[f"events {number}"], question.names, question.scope.events)
        evidence = widened(evidence, Longer(month_count, *units, sums, events), lacking)
        context.log("widened", count=len(lacking), months=month_count)
    return evidence
