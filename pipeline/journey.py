"""One month, from files to files: the order of the steps. What a step does stands in its module.

files ─ sources ─► inputs ─ measurements ─► device values, counts ─ verdicts ─► commune_status …
device values by cell ─ verdicts, actions ─► hex_status, gap_areas, priorities, measure_first
everything ─ publish ─► OUT/PERIOD/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline import run_log
from pipeline.actions import monthly
from pipeline.actions.gap_tables import gap_tables, known_cells, with_people
from pipeline.actions.priority_tables import Context, ranked
from pipeline.config.rules import cleaning_rules_of, scope_rules_of
from pipeline.config.run_context import Log, Progress, RunContext, Timer, silent
from pipeline.config.settings import Settings
from pipeline.engine.local import Engine, Local
from pipeline.hexgrid.hexes import indexes
from pipeline.measurements.aggregates import Aggregates, aggregates_in
from pipeline.measurements.books import books_of, prints_of, rejects_of
from pipeline.measurements.evidence import Evidence, evidence_of_tests, units_over, widened
from pipeline.measurements.prepare import Prepared, prepared_tests
from pipeline.measurements.scope import Delivered, Question, question_of
from pipeline.measurements.tile_evidence import measured_tiles
from pipeline.publish import Outputs, publish_month
from pipeline.schema.month import AreaPeriod, Month
from pipeline.sources.deliveries import Part
from pipeline.sources.inputs import (
    Inputs,
    chosen_period,
    evidence_window,
    period_warnings,
    periods_in,
    periods_of,
    read_inputs,
)
from pipeline.sources.population import people_of_hexes
from pipeline.sources.previous_runs import NOTHING, Previous, previous_runs
from pipeline.verdicts import hex_tables, result_tables
from pipeline.verdicts.changes import changes


def run(
    settings: Settings,
    outputs: Outputs,
    *,
    period: str | None,
    log: Log = silent,
    progress: Progress = silent,
    engine: Engine | None = None,
) -> list[Path]:
    """Read, judge and publish; returns the folders `OUT/PERIOD` that were made.

    `period`: a month, a quarter, `all` that the data hold, or None for the latest. `engine`: this
    machine's cores if None. Raises `UserFault`.
    """
    timer = Timer()
    with timer.step("read"):
        inputs = read(settings, progress, engine)
    with inputs:
        wanted = periods_in(inputs, settings) if period == "all" else [period]
        folders = []
        for one in [chosen_period(inputs, settings, text) for text in wanted]:
            context = RunContext(settings, one, log, progress, Timer(timer))
            month = judge_month(inputs, context, previous_runs(outputs.folder, one))
            folders.append(publish_month(month, context, outputs))
    return folders


def read(settings: Settings, progress: Progress = silent, engine: Engine | None = None) -> Inputs:
    """Read everything that the settings name, then prepare the tests: cleaned, binned, located.

    Raises `UserFault` with the faults of all files.
    """
    delivered = read_inputs(settings)
    prepared, accounts = prepared_tests(
        delivered.parts,
        delivered.inputs.communes if delivered.inputs else None,
        cleaning_rules_of(settings),
        engine or Local(),
        lambda share: progress("read", 0.2 * share),
    )
    try:
        return delivered.completed(accounts, prepared)
    except BaseException:
        prepared.close()
        raise


def judge_month(inputs: Inputs, context: RunContext, previous: Previous = NOTHING) -> Month:
    """Judge one period from inputs that were read; nothing is written, so this serves notebooks.

    `previous`: the ledger that the period continues, and the status it is compared with; without
    them every gap is new and no change is reported.
    """
    area, rules = AreaPeriod(inputs.communes, context.period), context.rules
    window = evidence_window(inputs, context.settings, context.period)
    run_log.inputs_read(context.log, inputs, context.period, window)
    with context.step("clean", 0.2):
        measured = measure(inputs, context, previous.ledger)
        evidence = measured.evidence
    with context.step("judge", 0.5):
        verdicts = result_tables.verdicts(evidence, area, rules)
    with context.step("hexes", 0.7):
        figures = hex_tables.hex_figures(evidence, verdicts.priors, rules)
        people = people_of_hexes(figures["hex_id"], inputs.communes, inputs.people_grid)
        weak = figures[figures["is_weak"]]
        gaps = gap_tables(weak, evidence, previous.ledger, verdicts.priors, area, rules)
        gaps = with_people(gaps, people)
        hex_status = hex_tables.hex_status(
            figures, gaps.of_cells, people, area, evidence.window_months, rules.shown_min_devices
        )
        coarser = hex_tables.coarser_cells(evidence, verdicts.priors, hex_status, area, rules)
    with context.step("priorities", 0.8):
        surroundings = Context(inputs.communes, inputs.facility_count, inputs.roads)
        priorities, measure_first = ranked(
            verdicts, gaps, evidence, surroundings, context.priority_rules
        )
    tables = {
        "commune_status": verdicts.status,
        "commune_summary": verdicts.summary,
        "hex_status": hex_status,
        "gap_areas": gaps.areas,
        "gap_ledger": gaps.ledger,
        "priorities": priorities,
        "measure_first": measure_first,
        **measured.months,
        "rejects": measured.rejects[["source_file", "source_row", "reject_reason"]],
        "rejects_summary": result_tables.rejects_summary(measured.rejects),
    }
    since = changes(verdicts.status, previous.status)
    if len(since):  # without a previous period there is nothing to publish
        tables["changes"] = since
    results = result_tables.results(verdicts, hex_status, measured.books, evidence.last_date)
    run_log.results_found(context.log, results, tables, gaps.states(context.period))
    warnings = [
        *inputs.warnings,
        *period_warnings(inputs, context.settings, context.period, window),
        *result_tables.warnings(measured.rejects, measured.books),
    ]
    run_log.warnings(context.log, warnings)
    return Month(
        period=context.period,
        window=window,
        communes=inputs.communes,
        operators=evidence.operators,
        tables=tables,
        results=results,
        row_counts=run_log.row_counts(inputs, results, evidence, tables),
        warnings=warnings,
        inputs=[*inputs.read, *previous.inputs],
        licences=inputs.licences,
        device_prints=measured.device_prints,
        coarser_cells=coarser,
    )


@dataclass(frozen=True)
class Measured:
    """What the measurements of a window show."""

    evidence: Evidence
    rejects: pd.DataFrame  # source, source_file, source_row, reject_reason
    books: pd.DataFrame  # by source
    months: Mapping[str, pd.DataFrame]  # tables of the months; none of tiles
    device_prints: npt.NDArray[np.uint64]


def measure(inputs: Inputs, context: RunContext, ledger: pd.DataFrame) -> Measured:
    """Device values and counts of the window, of tests or of tiles."""
    settings, period, log = context.settings, context.period, context.log
    if len(inputs.tiles):
        finest = settings.hexes.finest_resolution
        evidence, rejects, books = measured_tiles(inputs.tiles, inputs.communes, period, finest)
        run_log.tiles(log, books)
        return Measured(evidence, rejects, books, {}, np.zeros(0, dtype=np.uint64))
    return _measured_tests(inputs, inputs.rows or _in_memory(inputs, settings), context, ledger)


def _measured_tests(
    inputs: Inputs, prepared: Prepared, context: RunContext, ledger: pd.DataFrame
) -> Measured:
    settings, period, log = context.settings, context.period, context.log
    months = prepared.account.months
    held = set(periods_of(months))
    delivered = Delivered(held, min(months, default=""), prepared.account.operators)
    window = evidence_window(inputs, settings, period)
    places = indexes(known_cells(ledger, settings.hexes.finest_resolution))
    communes = prepared.how.zones.codes
    question = question_of(communes, delivered, period, window, places, scope_rules_of(settings))
    found = aggregates_in(prepared, question.scope)
    books, rejects = books_of(found, prepared.how), rejects_of(found, prepared.how)
    least = settings.privacy.min_devices
    evidence = evidence_of_tests(found, question, len(window), least)
    run_log.tests(log, books, evidence)
    evidence = _widened(evidence, found, question, inputs, context)
    area = AreaPeriod(inputs.communes, period)
    tables = monthly.month_tables(
        found, question, area, inputs.installs, held, context.tracker_rules
    )
    return Measured(evidence, rejects, books, tables, prints_of(found, prepared.how))


def _in_memory(inputs: Inputs, settings: Settings) -> Prepared:
    """Rows of tests that no file was read for: of notebooks and simulations."""
    parts, rules = [Part(tests=inputs.tests)], cleaning_rules_of(settings)
    return prepared_tests(parts, inputs.communes, rules, Local())[0]


def _widened(
    evidence: Evidence, found: Aggregates, question: Question, inputs: Inputs, context: RunContext
) -> Evidence:
    """Units that fail the first gate over a longer window, as far as deliveries reach back.

    The books stay with the base window.
    """
    least = context.rules.shown_min_devices
    for month_count, number in question.window_of_months.items():
        lacking = result_tables.below_first_gate(evidence, inputs.communes, context.rules.gates)
        units = units_over(found, question, number, month_count, least)
        evidence = widened(evidence, *units, lacking, month_count)
        context.log("widened", count=len(lacking), months=month_count)
    return evidence
