"""One month, from files to files: the order of the steps. What a step does stands in its module.

files ─ sources ─► inputs ─ measurements ─► device values, counts ─ verdicts ─► commune_status …
device values by cell ─ verdicts, actions ─► hex_status, gap_areas, priorities, measure_first
everything ─ publish ─► OUT/PERIOD/
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd

from pipeline import run_log
from pipeline.actions.gap_tables import Gaps, gap_tables, with_people
from pipeline.actions.priority_tables import Context, ranked
from pipeline.config.rules import Rules, cleaning_rules_of
from pipeline.config.run_context import Log, Progress, RunContext, Timer, silent
from pipeline.config.settings import Settings
from pipeline.engine.local import Engine, Local
from pipeline.measure import Measured, measure
from pipeline.measurements.evidence import Evidence
from pipeline.measurements.prepare import Prepared, prepared_tests
from pipeline.publish import Outputs, publish_month
from pipeline.schema.month import AreaPeriod, Month
from pipeline.schema.periods import Period
from pipeline.schema.vintages import vintage_of
from pipeline.site_planning import Judged, asked_of, sharing_table, site_tables
from pipeline.sources.inputs import (
    Delivered,
    Inputs,
    chosen_period,
    evidence_window,
    period_warnings,
    periods_in,
    read_inputs,
)
from pipeline.sources.population import people_of_hexes
from pipeline.sources.previous_runs import NOTHING, Previous, previous_runs
from pipeline.sources.visits import visits_until
from pipeline.verdicts import hex_tables, result_tables
from pipeline.verdicts.changes import changes
from pipeline.verdicts.former_districts import former_districts
from pipeline.verdicts.village_visits import lasting_visits
from pipeline.verdicts.villages import Asked, inhabited_hexes, village_status


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

    def read_timed(chosen: Settings) -> Inputs:
        with timer.step("read"):
            return read(chosen, progress, engine)

    def published(inputs: Inputs, one: Period) -> Path:
        context = RunContext(settings.as_of(one), one, log, progress, Timer(timer))
        vintage = vintage_of(inputs.communes)
        window = evidence_window(inputs, context.settings, one)
        target = context.settings.target.model_dump()
        previous = previous_runs(outputs.folder, one, vintage, len(window), target)
        return publish_month(judge_month(inputs, context, previous), context, outputs)

    first, folders = _settings_of(settings, period), []
    with read_timed(first) as inputs:
        wanted = periods_in(inputs, settings) if period == "all" else [period]
        periods = [chosen_period(inputs, settings, text) for text in wanted]
        before = [one for one in periods if first is settings and settings.as_of(one) is not first]
        if before:  # they come first: the ledger goes on from them
            with read_timed(settings.as_of(before[0])) as former:
                folders += [published(former, one) for one in before]
        folders += [published(inputs, one) for one in periods if one not in before]
    return folders


def _settings_of(settings: Settings, period: str | None) -> Settings:
    """The settings to read by; of an open choice of periods those of the latest boundaries."""
    return settings if period in {None, "all"} else settings.as_of(Period.parse(str(period)))


def read(
    settings: Settings,
    progress: Progress = silent,
    engine: Engine | None = None,
    look: Callable[[Delivered, Prepared], None] | None = None,
) -> Inputs:
    """Read everything that the settings name, then prepare the tests: cleaned, binned, located.

    `look` is shown what the sources hold before their faults end it. Raises `UserFault` with the
    faults of all files.
    """
    delivered = read_inputs(settings, is_profiled=look is not None)
    prepared, accounts = prepared_tests(
        delivered.parts,
        delivered.inputs.communes if delivered.inputs else None,
        cleaning_rules_of(settings),
        engine or Local(),
        lambda share: progress("read", 0.2 * share),
    )
    try:
        if look is not None:
            look(delivered, prepared)
        return delivered.completed(accounts, prepared)
    except BaseException:
        prepared.close()
        raise


def check(
    settings: Settings,
    *,
    period: str | None,
    log: Log,
    progress: Progress,
    look: Callable[[Delivered, Prepared], None],
) -> None:
    """Read the inputs and look whether a period can be judged; nothing is judged or written.

    Raises `UserFault`.
    """
    first = _settings_of(settings, period)
    with read(first, progress, look=look) as inputs:
        one = chosen_period(inputs, settings, period)
        if first is settings and settings.as_of(one) is not settings:
            again = str(one)  # the latest period is one of the former boundaries
            check(settings, period=again, log=log, progress=progress, look=lambda *_: None)
            return
        context = RunContext(settings.as_of(one), one, log, progress, Timer())
        window = evidence_window(inputs, settings, one)
        run_log.inputs_checked(log, inputs, periods_in(inputs, settings), context.period, window)
        found = period_warnings(inputs, settings, context.period, window)
        run_log.warnings(log, [*inputs.warnings, *found])
        run_log.warnings(log, measure(inputs, context, NOTHING.ledger).warnings)


def judge_month(inputs: Inputs, context: RunContext, previous: Previous = NOTHING) -> Month:
    """Judge one period from inputs that were read; nothing is written, so this serves notebooks.

    `previous`: the ledger that the period continues, the status it is compared with, and the one a
    window earlier; without them every gap is new, no change is reported, and every confirmed
    verdict is one at first look.
    """
    area, rules = AreaPeriod(inputs.communes, context.period), context.rules
    window = evidence_window(inputs, context.settings, context.period)
    run_log.inputs_read(context.log, inputs, context.period, window)
    measured, verdicts = judged(inputs, context, previous)
    evidence = measured.evidence
    with context.step("hexes", 0.7):
        gaps, hex_status = _gaps(inputs, evidence, verdicts, previous.ledger, area, rules)
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
        **result_tables.rejects_tables(measured.rejects),
    }
    some = {  # absent where there is nothing
        "changes": changes(verdicts.status, previous.status),
        "former_districts": former_districts(verdicts.status, verdicts.summary),
        **_by_place(inputs, measured, area, context),
        **_sites(inputs, measured, verdicts, context),
    }
    tables |= {name: table for name, table in some.items() if len(table)}
    results = result_tables.results(verdicts, hex_status, measured.books, evidence.last_date)
    results |= {one.code: dict(one.values) for one in previous.warnings}  # the report says it too
    run_log.results_found(context.log, results, tables, gaps.states(context.period))
    of_period = period_warnings(inputs, context.settings, context.period, window)
    warnings = [*inputs.warnings, *of_period, *measured.warnings, *previous.warnings]
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


def judged(
    inputs: Inputs, context: RunContext, previous: Previous = NOTHING
) -> tuple[Measured, result_tables.Verdicts]:
    """What the measurements of a period show, and the verdicts on communes."""
    area = AreaPeriod(inputs.communes, context.period)
    with context.step("clean", 0.2):
        measured = measure(inputs, context, previous.ledger)
    with context.step("judge", 0.5):
        evidence = measured.evidence
        return measured, result_tables.verdicts(evidence, area, context.rules, previous.earlier)


def _by_place(
    inputs: Inputs, measured: Measured, area: AreaPeriod, context: RunContext
) -> dict[str, pd.DataFrame]:
    """What is known of villages, or of hexes where people live; nothing where neither is known."""
    found, evidence = measured.places, measured.evidence
    if found is None:
        return {}
    asked = Asked(context.rules, context.priority_rules.signs, evidence.window_months)
    operators, places, counts = evidence.operators, found.places, found.counts
    if not found.is_listed:
        return {"inhabited_hexes": inhabited_hexes(places, counts, operators, area, asked)}
    visits = inputs.visits
    if visits is not None:
        visits = lasting_visits(
            visits_until(visits, area.period.end.date()),
            places,
            evidence.network_events,
            evidence.names,
            area.period,
        )
    return {"village_status": village_status(places, counts, operators, visits, area, asked)}


def _sites(
    inputs: Inputs, measured: Measured, verdicts: result_tables.Verdicts, context: RunContext
) -> dict[str, pd.DataFrame]:
    """Who may share with whom, and the plan of sites where the settings ask for one."""
    if not measured.evidence.operators:
        return {}
    sharing = {"sharing": sharing_table(inputs, verdicts)}
    if (asked := asked_of(context.settings)) is None:
        return sharing
    known = Judged(verdicts, measured.evidence.strata)
    with context.step("sites", 0.82):
        return sharing | site_tables(inputs, known, context.settings, asked).tables


def _gaps(
    inputs: Inputs,
    evidence: Evidence,
    verdicts: result_tables.Verdicts,
    ledger: pd.DataFrame,
    area: AreaPeriod,
    rules: Rules,
) -> tuple[Gaps, gpd.GeoDataFrame]:
    """Weak cells joined into gaps, with their people, and `hex_status`."""
    figures = hex_tables.hex_figures(evidence, verdicts.priors, rules)
    people = people_of_hexes(figures["hex_id"], inputs.communes, inputs.people_grid)
    weak = figures[figures["is_weak"]]
    gaps = gap_tables(weak, evidence, ledger, verdicts.priors, area, rules)
    gaps = with_people(gaps, people)
    hex_status = hex_tables.hex_status(
        figures, gaps.of_cells, people, area, evidence.window_months, rules.shown_min_devices
    )
    return gaps, hex_status
