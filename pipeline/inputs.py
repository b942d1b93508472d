"""The doors inward: opens what the settings name and hands over declared tables, with every fault of every file at once.

Does not belong here: judging rows (`clean.py`), what is computed (`journey.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline import boundaries, crosswalk, demand, surroundings
from pipeline.errors import Fault, UserFault
from pipeline.periods import Period
from pipeline.settings import Settings, Source
from pipeline.sources import files, ispeed, ookla, table
from pipeline.tables import TABLES, typed

STRAY_SHARE = 0.001  # a month with a smaller share of the rows is never chosen by itself
Progress = Callable[[str, float], None]  # (what is being done, share of it that is done)


@dataclass(frozen=True)
class Input:
    """A file that was read: its role, name, hash and rows."""

    role: str
    name: str
    sha256: str
    row_count: int


@dataclass
class Inputs:
    """Everything that a run reads."""

    communes: gpd.GeoDataFrame
    tests: pd.DataFrame
    tiles: pd.DataFrame
    read: list[Input]
    warnings: list[Fault]
    licences: list[str]  # of data that ask to be named wherever they are shown
    file_counts: dict[str, int] = field(default_factory=dict)
    facility_count: pd.Series | None = None  # by commune_code; None: not known
    roads: np.ndarray | None = None  # lines of the main roads, EPSG:4326; None: not known
    installs: pd.Series | None = None  # of the app, by commune_code; None: not known
    people_grid: Path | None = None  # raster that spreads the communes' people over cells


def read_inputs(settings: Settings, progress: Progress) -> Inputs:
    """Read boundaries, people and every source. Raises `UserFault` with the faults of all of them."""
    faults: list[Fault] = []
    warnings: list[Fault] = []
    read: list[Input] = []
    communes = _caught(faults, lambda: _communes(settings, read, warnings))
    facility_count, roads, installs = None, None, None
    if communes is not None:
        facility_count = _caught(faults, lambda: _facilities(communes, settings, read, warnings))
        roads = _caught(faults, lambda: _roads(settings, read))
        installs = _caught(faults, lambda: _installs(communes, settings, read))
        communes = _caught(faults, lambda: _with_terrain(communes, settings, read))
    if communes is not None:
        communes = _caught(faults, lambda: _with_former_names(communes, settings, read))
    tests, tiles, file_counts = _sources(settings, read, warnings, faults, progress)
    if len(tests) and len(tiles):
        faults.append(Fault("mixed_sources", values={"found": sorted({*tests["source"], *tiles["source"]})}))
    if faults or communes is None:
        raise UserFault(faults)
    if communes["population"].isna().all():
        warnings.append(Fault("nobody_counted"))
    licences = [ookla.LICENCE] if len(tiles) else []
    if crowded := demand.crowded(communes):
        warnings.append(Fault("crowded", values={"found": crowded}))
    grid = settings.population.grid or demand.raster_path(settings.population.path)
    return Inputs(communes, tests, tiles, read, warnings, licences, file_counts, facility_count, roads, installs, grid)


def _facilities(
    communes: gpd.GeoDataFrame, settings: Settings, read: list[Input], warnings: list[Fault]
) -> pd.Series | None:
    about = settings.facilities
    if about.path is None:
        return None
    counts, found = surroundings.facilities_per_commune(
        communes, about.path, kind_column=about.kind_column, kinds=about.kinds
    )
    warnings += found
    read.append(Input("facilities", about.path.name, _sha256(about.path), int(counts.sum())))
    return counts


def _roads(settings: Settings, read: list[Input]) -> np.ndarray | None:
    about = settings.roads
    if about.path is None:
        return None
    lines = surroundings.main_roads(about.path, class_column=about.class_column, classes=about.classes)
    read.append(Input("roads", about.path.name, _sha256(about.path), len(lines)))
    return lines


def _installs(communes: gpd.GeoDataFrame, settings: Settings, read: list[Input]) -> pd.Series | None:
    about = settings.installs
    if about.path is None:
        return None
    counts = demand.count_per_commune(
        communes, about.path, code_column=about.code_column, count_column=about.count_column
    )
    read.append(Input("installs", about.path.name, _sha256(about.path), int(counts.notna().sum())))
    return counts


def _with_terrain(communes: gpd.GeoDataFrame, settings: Settings, read: list[Input]) -> gpd.GeoDataFrame:
    about = settings.terrain
    if about.path is None:
        return communes
    terrain = surroundings.terrain_of_communes(
        communes, about.path, hilly_relief_m=about.hilly_relief_m, mountainous_relief_m=about.mountainous_relief_m
    )
    read.append(Input("terrain", about.path.name, _sha256(about.path), len(terrain)))
    return communes.assign(terrain=terrain.to_numpy())


def _with_former_names(communes: gpd.GeoDataFrame, settings: Settings, read: list[Input]) -> gpd.GeoDataFrame:
    about = settings.crosswalk
    if about.path is None:
        return communes
    listed = crosswalk.named(communes, **about.model_dump())
    read.append(Input("crosswalk", about.path.name, _sha256(about.path), int(listed["former_communes"].notna().sum())))
    return listed


def _communes(settings: Settings, read: list[Input], warnings: list[Fault]) -> gpd.GeoDataFrame:
    about, people = settings.boundaries, settings.population
    if about.path is None:
        raise UserFault([Fault("no_settings", values={"expected": "[boundaries] path", "option": "--boundaries"})])
    communes, found = boundaries.read_communes(
        about.path, **{name: getattr(about, name) for name in type(about).model_fields if name != "path"}
    )
    warnings += found
    read.append(Input("boundaries", about.path.name, _sha256(about.path), len(communes)))
    if people.path is not None:
        counted, found = demand.people_per_commune(
            communes,
            people.path,
            code_column=people.code_column,
            people_column=people.people_column,
            total=people.total,
        )
        communes = communes.assign(population=counted.to_numpy())
        warnings += found
        read.append(Input("population", people.path.name, _sha256(people.path), len(counted)))
    return communes


def _sources(
    settings: Settings, read: list[Input], warnings: list[Fault], faults: list[Fault], progress: Progress
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    if not settings.sources:
        faults.append(Fault("no_settings", values={"expected": "[sources.NAME] path", "option": "--measurements"}))
    parts: dict[str, list[pd.DataFrame]] = {"tests": [], "tiles": []}
    file_counts: dict[str, int] = {}
    seen: dict[str, tuple[str, str]] = {}  # hash → (source, file)
    for name, source in settings.sources.items():
        listed = _caught(faults, partial(files.deliveries, source.path)) or []
        file_counts[name] = len(listed)
        if others := files.passed_over(source.path):
            warnings.append(Fault("passed_over", name, values={"found": others, "expected": files.SUFFIXES}))
        for number, delivery in enumerate(listed):
            progress(delivery.name, 0.2 * number / len(listed))
            kind = "tiles" if source.format == "ookla" else "tests"
            part = _caught(faults, partial(read_delivery, name, source, delivery, settings, warnings))
            if part is None:
                continue
            sha256 = delivery.sha256
            former_source, former_file = seen.setdefault(sha256, (name, delivery.name))
            if former_source != name:  # repeats are looked for within a source
                faults.append(Fault("read_twice", delivery.name, values={"found": [former_source, name]}))
            elif former_file != delivery.name:
                warnings.append(Fault("same_content", delivery.name, values={"found": former_file}))
            read.append(Input(name, delivery.name, sha256, len(part)))
            warnings += _unreadable(part, delivery.name)
            parts[kind].append(part)
    return _joined("tests", parts["tests"]), _joined("tiles", parts["tiles"]), file_counts


def read_delivery(
    name: str, source: Source, delivery: files.Delivery, settings: Settings, warnings: list[Fault]
) -> pd.DataFrame:
    """One file → `tests` or `tiles`; names that the settings do not know join the warnings. Raises `UserFault`."""
    rows = _rows(source, delivery)
    if source.format == "ookla":
        return ookla.read_tiles(name, delivery.name, delivery.path.as_posix(), rows)
    rules, reading = rules_for(source, rows), _reading(source, settings)
    tests = table.read_tests(name, delivery.name, rows, rules, reading)
    for ours, read, code in (
        ("operator", "operator_met", "unknown_names"),
        ("technology", "technology", "unknown_technologies"),
    ):
        if names := table.names_not_met(rows, rules[ours], tests[read]):
            warnings.append(Fault(code, delivery.name, None, rules[ours].column or "", {"found": names}))
    return tests


def _rows(source: Source, delivery: files.Delivery) -> pd.DataFrame:
    return files.read_rows(
        delivery,
        delimiter=source.delimiter,
        encoding=source.encoding,
        sheet=source.sheet,
        heading_row=source.heading_row,
    )


def rules_for(source: Source, rows: pd.DataFrame) -> dict[str, table.Rule]:
    """The column map of a file: the settings' lines, and for `ispeed` the aliases for what they leave open."""
    given = {ours: table.Rule(**rule.model_dump()) for ours, rule in source.columns.items()}
    if source.format == "table":
        return given
    return ispeed.column_map([c for c in rows.columns if not str(c).startswith(files.OVERFLOW)], given)


@dataclass(frozen=True)
class Headings:
    """What a file's headings are taken for, what the others may mean, and the settings lines that would say so."""

    source: str
    taken_for: dict[str, str]
    guesses: dict[str, str | None]
    lines: list[str]


def headings(settings: Settings) -> list[tuple[str, Headings]]:
    """For each distinct set of headings of the `ispeed` and `table` sources: the first file's name and its reading.

    Files that cannot be read are passed over: reading the inputs reports them.
    """
    found: list[tuple[str, Headings]] = []
    for name, source in settings.sources.items():
        met: set[tuple[str, ...]] = set()
        listed = [] if source.format == "ookla" else _caught([], partial(files.deliveries, source.path)) or []
        for delivery in listed:
            rows = _caught([], partial(_rows, source, delivery))
            if rows is None or tuple(rows.columns) in met:
                continue
            met.add(tuple(rows.columns))
            known = [c for c in rows.columns if not str(c).startswith(files.OVERFLOW)]
            rules = rules_for(source, rows)
            used = {rule.column: ours for ours, rule in rules.items() if rule.column in known}
            others = [c for c in known if c not in used]
            guessed = ispeed.guesses(others, rules)
            missing = any(ours not in rules for ours in table.REQUIRED)
            lines = ispeed.settings_lines(name, guessed, rules) if missing else []
            taken_for = {c: used[c] for c in known if c in used}
            found.append(
                (delivery.name, Headings(name, taken_for, guessed if missing else dict.fromkeys(others), lines))
            )
    return found


def _reading(source: Source, settings: Settings) -> table.Reading:
    from zoneinfo import ZoneInfo

    timezone = ZoneInfo(source.timezone) if source.timezone else settings.timezone
    technologies: dict[str, tuple[str, ...]] = {str(ours): met for ours, met in settings.technologies.items()}
    return table.Reading(timezone, source.decimal, settings.operators, technologies)


def periods_in(inputs: Inputs, settings: Settings) -> list[str]:
    """The months (or, of tiles, quarters) that the data hold, ascending."""
    if len(inputs.tiles):
        readable = inputs.tiles.loc[inputs.tiles["unreadable"].eq(""), "tile_period"]
        return sorted(readable.unique())
    local = inputs.tests["measured_at"].dropna().dt.tz_convert(settings.timezone)
    months = local.dt.strftime("%Y-%m").value_counts(normalize=True)
    # a phone with a wrong clock must not choose the report month
    return sorted(months.index[months >= STRAY_SHARE])


def chosen_period(inputs: Inputs, settings: Settings, wanted: str | None) -> Period:
    """The period asked for, or the latest in the data. Raises `UserFault` where the data do not hold it."""
    held = periods_in(inputs, settings)
    if wanted is None:
        if not held:
            raise UserFault([Fault("no_time_at_all")])
        return Period.parse(held[-1])
    period = Period.parse(wanted)
    if len(inputs.tiles):
        if period.length != 3:
            raise UserFault([Fault("not_a_quarter", values={"found": wanted, "expected": held})])
        if str(period) not in held:
            raise UserFault([Fault("no_such_period", values={"found": wanted, "expected": held})])
    return period


def evidence_window(inputs: Inputs, settings: Settings, period: Period) -> list[str]:
    """The months that the evidence is taken from; tiles are the averages of their quarter and are never widened."""
    return period.months if len(inputs.tiles) else period.window(max(settings.evidence.window_months, period.length))


def period_warnings(inputs: Inputs, settings: Settings, period: Period, window: list[str]) -> list[Fault]:
    """What the data lack for the period: months of the window; months passed over; a target that is not valid then."""
    found = []
    if len(inputs.tests):
        held = periods_in(inputs, settings)
        local = inputs.tests["measured_at"].dropna().dt.tz_convert(settings.timezone)
        if missing := [month for month in window if month not in held]:
            found.append(Fault("months_missing", values={"found": missing}))
        if stray := sorted(set(local.dt.strftime("%Y-%m").unique()) - set(held)):
            found.append(Fault("stray_months", values={"found": stray}))
    about, months = settings.target, period.months
    early = about.valid_from is not None and f"{about.valid_from:%Y-%m}" > months[-1]
    late = about.valid_to is not None and f"{about.valid_to:%Y-%m}" < months[0]
    if early or late:
        validity = f"{about.valid_from or '…'} – {about.valid_to or '…'}"
        found.append(Fault("target_dates", values={"found": str(period), "expected": validity}))
    return found


def _caught(faults: list[Fault], read: Callable[[], Any]) -> Any:
    """What `read` gives; its faults are collected instead of ending the reading of the other files."""
    try:
        return read()
    except UserFault as error:
        faults += error.faults
        return None


def _unreadable(part: pd.DataFrame, file: str) -> list[Fault]:
    lost = part["unreadable"].str.split(";").explode().value_counts().drop("", errors="ignore").sort_index()
    return [Fault("unreadable_values", file, None, str(column), {"found": int(n)}) for column, n in lost.items()]


def _joined(name: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        return typed(name, pd.DataFrame({column: [] for column in TABLES[name]}))
    return pd.concat(parts, ignore_index=True)


def _sha256(path: Path) -> str:
    """Hash of a file; of a folder dataset (File Geodatabase), of its files' hashes in order of name."""
    if path.is_file():
        return files.Delivery(path, path.name).sha256
    import hashlib

    inner = sorted(p for p in path.rglob("*") if p.is_file())
    return hashlib.sha256("".join(files.Delivery(p, p.name).sha256 for p in inner).encode()).hexdigest()
