"""One period, from files to files. The only room that knows the order; what a step does stands in
the step's room.

parts of deliveries ─ sources, clean, hexes, locate ─► rows       (prepare, on every part, by an engine)
rows of whole devices ─ facts ─► facts ─ evidence ─► device values, counts        (gather, by an engine)
device values ─ statistics ─► figures ─ judge ─► commune_status ─► commune_summary, priorities, measure_first
devices by cell ─ hexes, gaps ─► hex_status, gap_areas        facts ─ monthly ─► sample_tracker, operator_summary
everything ─ privacy, publish ─► OUT/PERIOD/
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.actions import monthly
from pipeline.actions.gap_tables import gap_tables, known_cells
from pipeline.actions.priority_tables import ranked
from pipeline.config.settings import Settings
from pipeline.engine.local import Engine, Local
from pipeline.hexgrid import hexes
from pipeline.measurements import locate
from pipeline.measurements.evidence import Evidence, evidence_of_facts, units_of_facts, widened
from pipeline.measurements.facts import Facts
from pipeline.measurements.prepare import (
    Located,
    books_of,
    facts_in,
    locate_all,
    prints_of,
    rejects_of,
)
from pipeline.measurements.scope import Question, question_of
from pipeline.measurements.tile_evidence import evidence_of_tiles, mark_tiles, repeated_tiles
from pipeline.publish.manifest import Journal
from pipeline.schema.month import Month
from pipeline.schema.periods import Period
from pipeline.schema.tables import ALL
from pipeline.sources import ookla
from pipeline.sources.deliveries import Account, Part
from pipeline.sources.inputs import (
    Inputs,
    chosen_period,
    evidence_window,
    period_warnings,
    periods_in,
    read_inputs,
)
from pipeline.sources.population import people_of_cells
from pipeline.sources.previous_runs import no_ledger, read_former_status, read_ledger
from pipeline.verdicts import borrowing, hex_tables, result_tables, statistics
from pipeline.verdicts.changes import changes

Tell = Callable[..., None]  # tell(line key, **values): the run's log, in the words of texts.LINES
Progress = Callable[[str, float], None]


def silent(*_: object, **__: object) -> None:
    """Tells nothing: for notebooks and tests."""


def run(
    settings: Settings,
    *,
    period: str | None,
    out: Path,
    parts: Collection[str],
    tell: Tell = silent,
    progress: Progress = silent,
    engine: Engine | None = None,
) -> list[Path]:
    """The whole job: read, judge, publish. Gives the folders `out/PERIOD` that were made. Raises
    `UserFault`.

    `period`: a month, a quarter, `all` that the data hold, or None for the latest. `engine`:
    absent, this machine's cores.
    """
    from pipeline.publish import publish_month

    reading = Journal()
    with reading.step("read"):
        inputs = read(settings, progress, engine)
    wanted = list(periods_in(inputs, settings)) if period == "all" else [period]
    folders = []
    for one in [chosen_period(inputs, settings, text) for text in wanted]:
        journal = Journal(reading.seconds)
        ledger, ledger_file = read_ledger(out, one)
        former_status, former_file = read_former_status(out, one)
        month = judge_month(inputs, settings, one, journal, tell, progress, ledger, former_status)
        listed = [*inputs.read, *ledger_file, *former_file]
        folders.append(
            publish_month(month, inputs, listed, settings, out, parts, journal, tell, progress)
        )
    if inputs.rows is not None:
        inputs.rows.close()
    return folders


def read(settings: Settings, progress: Progress = silent, engine: Engine | None = None) -> Inputs:
    """Everything that the settings name; the tests' rows are cleaned, binned and located on the
    way. Raises `UserFault`.
    """

    def prepared(
        communes: gpd.GeoDataFrame | None, parts: list[Part]
    ) -> tuple[Located, list[Account]]:
        return locate_all(
            communes,
            parts,
            settings,
            engine or Local(),
            lambda share: progress("read", 0.2 * share),
        )

    return read_inputs(settings, progress, prepared)


def judge_month(
    inputs: Inputs,
    settings: Settings,
    period: Period,
    journal: Journal,
    tell: Tell = silent,
    progress: Progress = silent,
    ledger: pd.DataFrame | None = None,
    former_status: pd.DataFrame | None = None,
) -> Month:
    """Tables of one period from inputs that were read: nothing is written, so this serves notebooks
    too.

    `ledger`: the former period's `gap_ledger`; without one every gap is new. `former_status`: its
    `commune_status`; without one nothing is said of changes.
    """
    if inputs.rows is None and inputs.tiles.empty:
        inputs = _in_memory(inputs, settings)
    window = evidence_window(inputs, settings, period)
    _tell_inputs(inputs, period, window, tell)
    progress("clean", 0.2)
    ledger = ledger if ledger is not None else no_ledger()
    with journal.step("clean"):
        evidence, rejects, books, months, prints = _evidence_of(
            inputs, settings, period, window, ledger, tell
        )
    progress("judge", 0.5)
    with journal.step("judge"):
        units, priors = _estimate(evidence, settings)
        rows = result_tables.judged(evidence, units, inputs.communes, period, settings)
        status, suppressed = result_tables.commune_status(rows, settings.privacy.min_devices)
        summary = result_tables.commune_summary(rows, suppressed, inputs.communes, period, settings)
    progress("hexes", 0.7)
    with journal.step("hexes"):
        figures = hex_tables.hex_figures(evidence, priors, settings)
        people = _people_of_cells(figures["hex_id"], inputs)
        gaps = gap_tables(
            figures[figures["is_weak"]],
            evidence.cells,
            evidence.revisited,
            ledger,
            priors,
            inputs.communes,
            period,
            evidence.window_months,
            settings,
            people,
        )
        least = settings.privacy.min_devices
        hex_status = hex_tables.hex_status(
            figures, gaps.of_cells, inputs.communes, period, evidence.window_months, least, people
        )
    progress("priorities", 0.8)
    with journal.step("priorities"):
        priorities, measure_first = ranked(
            rows, suppressed, summary, gaps, inputs, evidence, priors, settings
        )
    results = result_tables.results(rows, summary, hex_status, books) | {
        "data_until": _last_date(evidence)
    }
    _tell_results(results, hex_status, priorities, measure_first, tell)
    tell("gaps", count=len(gaps.areas), states=gaps.states(period))
    tables = {
        "commune_status": status,
        "commune_summary": summary,
        "hex_status": hex_status,
        "gap_areas": gaps.areas,
        "gap_ledger": gaps.ledger,
        "priorities": priorities,
        "measure_first": measure_first,
        **months,
        "rejects": rejects[["source_file", "source_row", "reject_reason"]],
        "rejects_summary": result_tables.rejects_summary(rejects),
    }
    since = changes(status, former_status)
    if len(since):  # without a former period there is nothing to publish
        tables["changes"] = since
    journal.rows = {
        "read": {item.name: item.row_count for item in inputs.read},
        "clean": results["books"],
        "samples": evidence.sample_count,
        "devices": evidence.device_count,
        **{name: len(table) for name, table in tables.items()},
    }
    warnings = [
        *inputs.warnings,
        *period_warnings(inputs, settings, period, window),
        *result_tables.warnings(rejects, books),
    ]
    for warning in warnings:
        tell("warning", fault=warning)
    coarser = hex_tables.coarser_cells(
        evidence, priors, hex_status, inputs.communes, period, settings
    )
    return Month(
        period,
        window,
        inputs.communes,
        evidence.operators,
        tables,
        results,
        warnings,
        prints,
        coarser,
    )


def _evidence_of(
    inputs: Inputs,
    settings: Settings,
    period: Period,
    window: list[str],
    ledger: pd.DataFrame,
    tell: Tell,
) -> tuple[Evidence, pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame], npt.NDArray[np.uint64]]:
    """(device values with their counts, rows set aside, books by source, tables of the months,
    fingerprints of device ids).
    """
    if len(inputs.tiles):
        return *_evidence_of_tiles(inputs, settings, period, tell), {}, np.zeros(0, dtype=np.uint64)
    located = inputs.rows
    held, account = set(periods_in(inputs, settings)), inputs.account
    places = known_cells(ledger, settings.hexes.finest_resolution)
    first = min(account.months, default="")
    question = question_of(
        located, account.operators, held, first, period, window, places, settings
    )
    facts = facts_in(located, question.scope)
    books, rejects = (
        books_of(facts, located.how.sources),
        rejects_of(facts, located.how.files, located.how.sources),
    )
    for source, row in books.iterrows():
        tell(
            "clean",
            source=source,
            read=int(row["read_count"]),
            valid=int(row["valid_count"]),
            failed=int(row["failed_count"]),
            rejects=int(row["reject_count"]),
        )
    evidence = evidence_of_facts(facts, question.names, question.scope, len(window), settings)
    valid = int(books["valid_count"].sum())
    per_commune = evidence.counts.loc[
        evidence.counts.index.get_level_values("operator") == ALL, "test_count"
    ].fillna(0)
    placed = int(per_commune.sum())
    assert placed == valid
    tell("locate", valid=valid, placed=placed, communes=int((per_commune > 0).sum()))
    tell("samples", samples=evidence.sample_count, devices=evidence.device_count)
    evidence = _widened(evidence, facts, question, inputs, settings, tell)
    about = (question.window_of_span, inputs.communes, inputs.installs, held, period, settings)
    months = monthly.month_tables(facts, question.names, *about)
    return evidence, rejects, books, months, prints_of(facts, located.how.sources)


def _in_memory(inputs: Inputs, settings: Settings) -> Inputs:
    """The inputs with rows of tests that no file was read for: of notebooks and simulations."""
    parts = [Part("", None, tests=inputs.tests)]
    located, accounts = locate_all(inputs.communes, parts, settings, Local(), silent)
    return replace(inputs, rows=located, account=accounts[0])


def _widened(
    evidence: Evidence,
    facts: Facts,
    question: Question,
    inputs: Inputs,
    settings: Settings,
    tell: Tell,
) -> Evidence:
    """Rows that fail E1 over a longer window, as far as deliveries reach back. The books stay with
    the base window.
    """
    for month_count, number in question.window_of_months.items():
        lacking = result_tables.below_first_gate(evidence, inputs.communes, settings)
        units = units_of_facts(facts, question.names, question.scope, number, month_count, settings)
        evidence = widened(evidence, *units, lacking, month_count)
        tell("widened", count=len(lacking), months=month_count)
    return evidence


def _evidence_of_tiles(
    inputs: Inputs, settings: Settings, period: Period, tell: Tell
) -> tuple[Evidence, pd.DataFrame, pd.DataFrame]:
    tiles = inputs.tiles
    sound = (
        tiles["unreadable"].eq("") & tiles["tile_period"].eq(str(period)) & ~repeated_tiles(tiles)
    )
    outlines = ookla.tile_outlines(tiles["quadkey"].where(sound, ""))
    shares = locate.tile_shares(outlines[sound.to_numpy()], inputs.communes)
    shares["tile"] = np.flatnonzero(sound.to_numpy())[shares["tile"]]
    marked, books = mark_tiles(tiles, shares, period)
    for source, row in books.iterrows():
        tell(
            "tiles",
            source=source,
            read=int(row["read_count"]),
            used=int(row["valid_count"]),
            rejects=int(row["reject_count"]),
            share=round(100 * float(row["placed_share"]), 2),
        )
    return (
        evidence_of_tiles(marked, shares, outlines, settings),
        marked[marked["reject_reason"].notna()],
        books,
    )


def _estimate(
    evidence: Evidence, settings: Settings
) -> tuple[pd.DataFrame, dict[str, statistics.Prior | None]]:
    rules = settings.evidence
    units, priors = statistics.estimate(
        evidence.devices,
        target=settings.target.download_mbps,
        confidence=rules.confidence,
        min_units=rules.eb_min_communes,
    )
    further = statistics.devices_to_decide(
        units,
        priors,
        target=settings.target.download_mbps,
        confidence=rules.confidence,
        least=rules.confirmed_min_devices,
        most=rules.max_devices_to_decide,
    )
    borrowed = borrowing.borrow(
        units, target=settings.target.download_mbps, min_units=rules.eb_min_communes
    )
    return units.join(further).join(borrowed), priors


def _last_date(evidence: Evidence) -> str:
    """The last local date with a sample, dd/mm/yyyy; empty without one, and of tiles."""
    return "/".join(reversed(evidence.last_date.split("-"))) if evidence.last_date else ""


def _people_of_cells(cells: pd.Series, inputs: Inputs) -> pd.Series:
    """People by hex_id; empty without a raster that tells where in a commune they live."""
    names = pd.Series(np.sort(cells.unique()), dtype="str")
    if inputs.people_grid is None or names.empty:
        return pd.Series(np.nan, index=names, dtype="float64")
    outlines = hexes.outlines(names)
    outlines.index = pd.Index(names)
    return people_of_cells(outlines, inputs.communes, inputs.people_grid)


def _tell_inputs(inputs: Inputs, period: Period, window: list[str], tell: Tell) -> None:
    communes = inputs.communes
    tell(
        "boundaries",
        count=len(communes),
        area=round(float(communes["area_km2"].sum())),
        vintage=communes["boundary_vintage"].iloc[0],
    )
    for source, count in inputs.row_counts().items():
        tell("read", source=source, count=count, files=inputs.file_counts[source])
    tell("period", period=str(period), window=f"{window[0]} – {window[-1]}")


def _tell_results(
    results: Mapping[str, Any],
    hex_status: pd.DataFrame,
    priorities: pd.DataFrame,
    measure_first: pd.DataFrame,
    tell: Tell,
) -> None:
    tell("judge", counts=[f"{name} {count}" for name, count in results["statuses"].items()])
    low, high = (round(100 * share, 1) for share in results["everywhere_bounds"])
    tell(
        "classes",
        counts=[f"{name} {count}" for name, count in results["gap_classes"].items()],
        low=low,
        high=high,
    )
    tell("hexes", cells=int(hex_status["hex_id"].nunique()), weak=int(hex_status["is_weak"].sum()))
    tell("priorities", gaps=len(priorities), measure=len(measure_first))
