"""Log lines of the steps' results, and the row counts of the manifest.

Does not belong here: the words (`schema/texts.py`), how lines are shown (`console.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.config.run_context import Log
from pipeline.measurements.evidence import Evidence
from pipeline.schema.errors import Fault
from pipeline.schema.fields import ALL
from pipeline.schema.periods import Period
from pipeline.sources.inputs import Inputs


def inputs_read(log: Log, inputs: Inputs, period: Period, window: list[str]) -> None:
    """Log the boundaries, the rows of each source, the period and its window."""
    communes = inputs.communes
    log(
        "boundaries",
        count=len(communes),
        area=round(float(communes["area_km2"].sum())),
        vintage=communes["boundary_vintage"].iloc[0],
    )
    for source, count in inputs.row_counts().items():
        log("read", source=source, count=count, files=inputs.file_counts[source])
    log("period", period=str(period), window=f"{window[0]} – {window[-1]}")


def inputs_checked(
    log: Log, inputs: Inputs, periods: list[str], period: Period, window: list[str]
) -> None:
    """Log the boundaries, every file that was read, the periods held, the period and its window."""
    communes = inputs.communes
    area = round(float(communes["area_km2"].sum()))
    vintage = communes["boundary_vintage"].iloc[0]
    log("boundaries", count=len(communes), area=area, vintage=vintage)
    for item in inputs.read:
        log("file", name=item.name, role=item.role, count=item.row_count)
    log("held", periods=periods)
    log("period", period=str(period), window=f"{window[0]} – {window[-1]}")


def tests(log: Log, books: pd.DataFrame, evidence: Evidence) -> None:
    """Log the books by source, the tests by commune, samples and devices.

    Valid tests over communes, and those that events leave out = valid tests: asserted.
    """
    for source, row in books.iterrows():
        log(
            "clean",
            source=source,
            read=int(row["read_count"]),
            valid=int(row["valid_count"]),
            failed=int(row["failed_count"]),
            rejects=int(row["reject_count"]),
        )
    valid = int(books["valid_count"].sum())
    pooled = evidence.counts.index.get_level_values("operator") == ALL
    per_commune = evidence.counts.loc[pooled, "test_count"].fillna(0)
    left_out = evidence.outdated_count
    placed = int(per_commune.sum()) + left_out
    assert placed == valid
    first = evidence.first_day
    of_window = [one for one in evidence.network_events if first and one.is_since(first)]
    if of_window:
        log("events", count=len(of_window), tests=left_out)
    log("locate", valid=valid, placed=placed, communes=int((per_commune > 0).sum()))
    log("samples", samples=evidence.sample_count, devices=evidence.device_count)


def tiles(log: Log, books: pd.DataFrame) -> None:
    """Log the used tiles of each source, and the share of their tests that was located."""
    for source, row in books.iterrows():
        log(
            "tiles",
            source=source,
            read=int(row["read_count"]),
            used=int(row["valid_count"]),
            rejects=int(row["reject_count"]),
            share=round(100 * float(row["placed_share"]), 2),
        )


def results_found(
    log: Log, results: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], states: list[str]
) -> None:
    """Log statuses, gap classes, hexes, priorities and the states of gaps."""
    log("judge", counts=[f"{name} {count}" for name, count in results["statuses"].items()])
    low, high = (round(100 * share, 1) for share in results["everywhere_bounds"])
    classes = [f"{name} {count}" for name, count in results["gap_classes"].items()]
    log("classes", counts=classes, low=low, high=high)
    weak = int(tables["hex_status"]["is_weak"].sum())
    log("hexes", cells=results["cells"], weak=weak)
    log("priorities", gaps=len(tables["priorities"]), measure=len(tables["measure_first"]))
    log("gaps", count=len(tables["gap_areas"]), states=states)


def warnings(log: Log, found: list[Fault]) -> None:
    """Log each warning."""
    for warning in found:
        log("warning", fault=warning)


def row_counts(
    inputs: Inputs,
    results: Mapping[str, Any],
    evidence: Evidence,
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, Any]:
    """Rows read by file, the books, samples, devices, and rows of each table.

    A name that several files have carries the role of each: `a.csv (roads)`.
    """
    names = Counter(item.name for item in inputs.read)
    return {
        "read": {
            item.name if names[item.name] == 1 else f"{item.name} ({item.role})": item.row_count
            for item in inputs.read
        },
        "clean": results["books"],
        "samples": evidence.sample_count,
        "devices": evidence.device_count,
        **{name: len(table) for name, table in tables.items()},
    }
