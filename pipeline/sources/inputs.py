"""Read what the settings name into declared tables, with the faults of all files at once.

Does not belong here: judging rows (`prepare.py`), what is computed (`journey.py`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, Self, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.config.output_settings import CommuneTable
from pipeline.config.settings import Places, Settings, Shapes
from pipeline.schema.columns import TABLES
from pipeline.schema.errors import Fault, UserFault
from pipeline.schema.month import Input
from pipeline.schema.periods import Period
from pipeline.schema.tables import with_declared_dtypes
from pipeline.sources import (
    boundaries,
    containers,
    context_layers,
    deliveries,
    events,
    former_communes,
    ookla,
    population,
    shapes,
    sites,
    village_classes,
    village_facts,
    villages,
    visits,
)
from pipeline.sources.commune_tables import Asked
from pipeline.sources.containers import Delivery
from pipeline.sources.deliveries import Account, Listed, Part, collect_faults
from pipeline.sources.planning import Planned
from pipeline.sources.vintages import Stated

# A month with a smaller share of the rows is never chosen by itself, unless months of this size are
# usual: in ten years of rows every month has less than a hundredth.
STRAY_SHARE = 0.01
_USUAL_SHARE = 0.5  # of the month in which the median row lies
_APART_MONTHS = 24  # so far behind all other months, a clock is more likely wrong than rows missing
_APART_SHARE = 0.1  # more rows than that are no stray phone's


Read = TypeVar("Read")


class Closable(Protocol):
    """Prepared rows of tests, wherever they are kept."""

    def close(self) -> None:
        """Give up what they occupy."""


@dataclass
class Inputs:
    """Everything that a run reads.

    `tests`: rows that were in memory; rows of files are in `rows` only.
    """

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
    villages: pd.DataFrame | None = None  # the table `villages`; None: not known
    events: pd.DataFrame | None = None  # the table `events`; None: none are known
    visits: pd.DataFrame | None = None  # the table `visits`; None: nobody reported any
    sites: pd.DataFrame | None = None  # the table `sites`; None: not known
    people_grid: Path | None = None  # raster that spreads the communes' people over cells
    rows: Closable | None = None  # prepared rows of the tests (`measurements.prepare.Prepared`)
    account: Account = field(default_factory=Account)  # of all tests

    def __enter__(self) -> Self:
        """The inputs; on leaving, what holds their rows is closed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what holds the rows."""
        if self.rows is not None:
            self.rows.close()

    def row_counts(self) -> dict[str, int]:
        """Rows of tests or tiles by source."""
        in_memory = self.tests["source"] if len(self.tests) else self.tiles["source"]
        counts = Counter(in_memory.tolist())
        if not len(self.tests) and not len(self.tiles):
            for item in self.read:
                if item.is_delivery:
                    counts[item.role] += item.row_count
        return dict(sorted(counts.items()))


@dataclass
class _Reading:
    """Settings, and what reading the files that they name adds to: inputs, warnings, faults."""

    settings: Settings
    read: list[Input] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def attempt(self, read: Callable[..., Read | None], *known: object) -> Read | None:
        """What `read` gives of `known` and this; None, with its faults kept, where it raises."""
        return collect_faults(self.faults, partial(read, *known, self))

    def add(
        self, role: str, path: Path, row_count: int, found: Iterable[Fault] = (), sha256: str = ""
    ) -> None:
        """Note a file that was read, and the warnings of reading it."""
        self.warnings += found
        self.read.append(Input(role, path.name, sha256 or _sha256(path), row_count))

    def unless_later(self, read_table: Callable[[], Read]) -> Read | None:
        """A table of communes; None, with a warning, where a period before lacks its vintage.

        A report on the former boundaries is made without the tables of the later ones.
        """
        try:
            return read_table()
        except UserFault as error:
            is_later = {one.code for one in error.faults} == {"other_vintage"}
            if not self.settings.is_former or not is_later:
                raise
            self.warnings += [replace(one, code="left_out_before") for one in error.faults]
            return None


@dataclass
class Delivered:
    """What the settings name, read but for the rows of tests, and all faults met on the way."""

    inputs: Inputs | None  # None where the communes could not be read
    listed: list[Listed]
    faults: list[Fault]
    hashes: list[Future[str]]  # of the listed files, made while their rows are read
    plans: list[Planned] = field(default_factory=list)  # of the tables of tests

    @property
    def parts(self) -> list[Part]:
        """The parts of the tests, in order."""
        return [part for one in self.listed for part in one.parts]

    def completed(self, accounts: list[Account], rows: Closable) -> Inputs:
        """The inputs with the prepared rows of the tests, and what is to be reported of them.

        `accounts`: of the parts, in order. Raises `UserFault` with the faults of all files.
        """
        account = deliveries.accounted(self.listed, accounts)
        sha256 = [found.result() for found in self.hashes]
        warnings = self.inputs.warnings if self.inputs else []
        deliveries.report(self.listed, sha256, warnings, self.faults)
        tiles = pd.DataFrame() if self.inputs is None else self.inputs.tiles
        if account.read_count and len(tiles):
            names = {one.source for one in self.listed if one.parts} | set(tiles["source"])
            self.faults.append(Fault("mixed_sources", values={"found": sorted(names)}))
        if self.faults or self.inputs is None:
            raise UserFault(self.faults)
        read = [
            Input(one.source, one.delivery.name, found, one.account.read_count, is_delivery=True)
            for one, found in zip(self.listed, sha256, strict=True)
        ]
        warnings = [*warnings, *_warnings_of_people(self.inputs.communes)]
        read = [*self.inputs.read, *read]
        return replace(self.inputs, read=read, warnings=warnings, rows=rows, account=account)


def read_inputs(settings: Settings, *, is_profiled: bool = False) -> Delivered:
    """Read boundaries, people, surroundings and tiles, and list the parts of the tests.

    `is_profiled`: the rows' accounts say what the columns hold. Faults are collected:
    `Delivered.completed` raises them together with those of the tests' rows.
    """
    reading = _Reading(settings)
    warnings, faults = reading.warnings, reading.faults
    communes = reading.attempt(_communes)
    facility_count, roads, installs, places, visited, happened, masts = (None,) * 7
    if communes is not None:
        facility_count = reading.attempt(_facilities, communes)
        roads = reading.attempt(_roads, communes)
        installs = reading.attempt(_installs, communes)
        places = reading.attempt(_villages, communes)
        visited = reading.attempt(_visits, communes, places)
        happened = reading.attempt(_events, communes, places)
        masts = reading.attempt(_sites, communes)
        communes = reading.attempt(_with_terrain, communes)
    if communes is not None:
        communes = reading.attempt(_with_former_names, communes)
    listed = deliveries.listed(settings, warnings, faults)
    bounds = None if communes is None else context_layers.bounds_of(communes)
    plans = deliveries.planned(listed, settings, bounds, warnings)
    if is_profiled:
        for one in listed:
            one.parts = [replace(part, is_profiled=True) for part in one.parts]
    beside = ThreadPoolExecutor(1)
    hashes = [beside.submit(getattr, one.delivery, "sha256") for one in listed]
    beside.shutdown(wait=False)  # ends when the last file is hashed
    tiles = _joined("tiles", deliveries.read_tiles(listed, settings))
    if communes is None:
        return Delivered(None, listed, faults, hashes, plans)
    inputs = Inputs(
        communes,
        with_declared_dtypes("tests", pd.DataFrame({column: [] for column in TABLES["tests"]})),
        tiles,
        reading.read,
        warnings,
        [ookla.LICENCE] if len(tiles) else [],
        dict(Counter(one.source for one in listed)),
        facility_count,
        roads,
        installs,
        places,
        visits=visited,
        events=happened,
        sites=masts,
        people_grid=settings.population.grid or population.raster_path(settings.population.path),
    )
    return Delivered(inputs, listed, faults, hashes, plans)


def _warnings_of_people(communes: gpd.GeoDataFrame) -> list[Fault]:
    found = [Fault("nobody_counted")] if communes["population"].isna().all() else []
    if crowded := population.crowded(communes):
        found.append(Fault("crowded", values={"found": crowded}))
    return found


def _facilities(communes: gpd.GeoDataFrame, reading: _Reading) -> pd.Series | None:
    about = reading.settings.facilities
    if about.path is None:
        return None
    counts, found = context_layers.facilities_per_commune(
        communes,
        about.path,
        kind_column=about.kind_column,
        kinds=about.kinds,
        more=_of_places(context_layers.FACILITIES, about),
    )
    reading.add("facilities", about.path, int(counts.sum()), found)
    return counts


def _of_shapes(kind: shapes.Asked, about: Shapes) -> shapes.Asked:
    """What the settings say of a file of shapes, as plain values."""
    keys = ("delimiter", "encoding", "sheet", "layer", "heading_row")
    how = {key: getattr(about, key) for key in keys}
    return replace(kind, crs=about.crs, swap_axes=about.swap_axes, how=how)


def _of_places(kind: shapes.Asked, about: Places) -> shapes.Asked:
    """What the settings say of a file of places, as plain values."""
    return replace(
        _of_shapes(kind, about),
        latitude=about.latitude_column,
        longitude=about.longitude_column,
        decimal=about.decimal,
    )


def _villages(communes: gpd.GeoDataFrame, reading: _Reading) -> pd.DataFrame | None:
    about, settings = reading.settings.villages, reading.settings
    if about.path is None:
        return None
    asked = villages.Asked(
        name=about.name_column,
        commune=about.commune_column,
        people=about.people_column,
        stated=Stated(about.vintage),
        radius_km=about.radius_km,
        places=_of_places(villages.PLACES, about),
        facts=_village_facts(settings),
    )
    listed = reading.unless_later(partial(villages.villages_of, communes, about.path, asked))
    if listed is None:
        return None
    rows, found = listed
    reading.add("villages", about.path, len(rows), found)
    return rows


def _village_facts(settings: Settings) -> village_facts.Asked:
    about = settings.villages
    columns = {name: getattr(about, key) for name, key in village_facts.KEYS.items()}
    classes = village_classes.Asked(about.class_columns, settings.operators)
    return village_facts.Asked(columns, classes, about.decimal)


def _sites(communes: gpd.GeoDataFrame, reading: _Reading) -> pd.DataFrame | None:
    settings = reading.settings
    about = settings.sites
    if about.path is None:
        return None
    columns = {ours: getattr(about, key) for ours, key in sites.KEYS.items()}
    asked = sites.Asked(columns, settings.operators, _of_places(sites.PLACES, about))
    rows, found = sites.read_sites(about.path, communes, asked)
    reading.add("sites", about.path, len(rows), found)
    return rows


def _events(
    communes: gpd.GeoDataFrame, places: pd.DataFrame | None, reading: _Reading
) -> pd.DataFrame | None:
    """The network events; those of today's communes are not of former boundaries."""
    settings = reading.settings
    path = settings.events.path
    if path is None or settings.is_former:
        return None
    asked = events.Asked(
        tuple(settings.operators),
        settings.target.technology,
        settings.villages.radius_km,
        settings.hexes.finest_resolution,
    )
    rows, found = events.read_events(path, communes, places, asked)
    reading.add("events", path, len(rows), found)
    return rows


def _visits(
    communes: gpd.GeoDataFrame, places: pd.DataFrame | None, reading: _Reading
) -> pd.DataFrame | None:
    """The visits; None, with a warning, without villages. Visits are not of former communes.

    A folder without a file has none: hidden files and lock files of office programs are no files.
    """
    settings = reading.settings
    path = settings.visits.path
    if path is None or settings.is_former:
        return None
    if others := containers.passed_over([str(path)]):
        about: dict[str, object] = {"found": others, "expected": containers.SUFFIXES}
        reading.warnings.append(Fault("passed_over", path.name, values=about))
    if path.is_dir() and not _holds_files(path):
        return None
    if places is None:
        reading.warnings.append(Fault("visits_without_villages", path.name))
        return None
    survey = containers.survey([str(path)])
    # a form's own sheet is known by its headings
    if wrong := [one for one in survey.faults if one.code != "which_sheet"]:
        raise UserFault(wrong)
    files = sorted(containers.paths_of([str(path)]))
    asked = visits.Asked(tuple(settings.operators))
    rows, found = visits.read_visits(files, communes, places, asked)
    hashes = [_sha256(one) for one in files]
    sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    reading.add("visits", path, len(rows), found, sha256)
    return rows


def _holds_files(folder: Path) -> bool:
    """Whether a folder holds files to read, or links that lead nowhere."""
    wanted = [str(folder)]
    return bool(containers.paths_of(wanted) or containers.broken_links(wanted))


def _roads(communes: gpd.GeoDataFrame, reading: _Reading) -> np.ndarray | None:
    about = reading.settings.roads
    if about.path is None:
        return None
    lines, found = context_layers.main_roads(
        communes,
        about.path,
        class_column=about.class_column,
        classes=about.classes,
        more=_of_shapes(context_layers.ROADS, about),
    )
    reading.add("roads", about.path, len(lines), found)
    return lines


def _asked(kind: Asked, about: CommuneTable, settings: Settings) -> Asked:
    """What the settings say of a table by commune, as plain values."""
    keys = ("delimiter", "encoding", "sheet", "layer", "heading_row")
    return replace(
        kind,
        name=about.name_column,
        district=about.district_column,
        province=about.province_column,
        unit=about.unit,
        decimal=about.decimal,
        code_length=about.code_length,
        stated=Stated(about.vintage, about.vintage_column),
        area=settings.area.name,
        how={key: getattr(about, key) for key in keys},
    )


def _installs(communes: gpd.GeoDataFrame, reading: _Reading) -> pd.Series | None:
    about, settings = reading.settings.installs, reading.settings
    if about.path is None:
        return None
    asked = _asked(population.INSTALLS, about, settings)
    asked = replace(asked, code=about.code_column, figure=about.count_column)
    read_counts = partial(population.count_per_commune, communes, about.path, asked)
    counted = reading.unless_later(read_counts)
    if counted is None:
        return None
    counts, found = counted
    reading.add("installs", about.path, int(counts.notna().sum()), found)
    return counts


def _with_terrain(communes: gpd.GeoDataFrame, reading: _Reading) -> gpd.GeoDataFrame:
    about = reading.settings.terrain
    if about.path is None:
        return communes
    terrain = context_layers.terrain_of_communes(
        communes,
        about.path,
        hilly_relief_m=about.hilly_relief_m,
        mountainous_relief_m=about.mountainous_relief_m,
    )
    reading.add("terrain", about.path, len(terrain))
    return communes.assign(terrain=terrain.to_numpy())


def _with_former_names(communes: gpd.GeoDataFrame, reading: _Reading) -> gpd.GeoDataFrame:
    about = reading.settings.crosswalk
    if about.path is None:
        return communes
    listed, found = former_communes.named_communes(communes, about)
    reading.add("crosswalk", about.path, int(listed["former_communes"].notna().sum()), found)
    return listed


def _communes(reading: _Reading) -> gpd.GeoDataFrame:
    settings = reading.settings
    about, people = settings.boundaries, settings.population
    if about.path is None:
        raise UserFault(
            [
                Fault(
                    "no_settings",
                    values={"expected": "[boundaries] path", "option": "--boundaries"},
                )
            ]
        )
    communes, found = boundaries.read_communes(about.path, about)
    reading.warnings += found
    names, sha256 = _boundary_files(about.path)
    reading.read.append(Input("boundaries", names, sha256, len(communes)))
    if people.path is None:
        return communes
    more = _asked(population.PEOPLE, people, settings)
    read_people = partial(
        population.people_per_commune,
        communes,
        people.path,
        code_column=people.code_column,
        people_column=people.people_column,
        total=people.total,
        more=more,
    )
    if former_communes.is_moved(settings):
        asked = replace(more, code=people.code_column, figure=people.people_column)
        read_people = partial(former_communes.moved_people, communes, settings, asked)
    answer = reading.unless_later(read_people)
    if answer is not None:
        counted, found = answer
        communes = communes.assign(population=counted.to_numpy())
        reading.add("population", people.path, len(counted), found)
    return communes


def _boundary_files(path: Path | tuple[Path, ...]) -> tuple[str, str]:
    """(name, hash) of the boundary files: of several, one hash over theirs in order."""
    wanted = path if isinstance(path, tuple) else (path,)
    found = boundaries.boundary_files(wanted)
    name = ", ".join(one.name for one in wanted)
    if len(found) == 1:
        return found[0].name, _sha256(found[0])
    hashes = "".join(_sha256(one) for one in found)
    return f"{name} ({len(found)})", hashlib.sha256(hashes.encode()).hexdigest()


def periods_in(inputs: Inputs, settings: Settings) -> list[str]:
    """The months (or, of tiles, quarters) that the data hold, ascending."""
    if len(inputs.tiles):
        readable = inputs.tiles.loc[inputs.tiles["unreadable"].eq(""), "tile_period"]
        return sorted(readable.unique())
    return periods_of(_months(inputs, settings))


def periods_of(months: Mapping[str, int]) -> list[str]:
    """The months that hold more than a stray share of the tests, ascending.

    A phone with a wrong clock must not choose the report month.

    >>> periods_of({"2026-10": 2000, "2036-01": 3})
    ['2026-10']
    """
    total = sum(months.values())
    usual = _usual_count(months)
    held = {
        month
        for month, n in months.items()
        if n >= STRAY_SHARE * total or n >= _USUAL_SHARE * usual
    }
    return sorted(
        held - {month for month in months_apart(months) if months[month] < _APART_SHARE * total}
    )


def months_apart(months: Mapping[str, int]) -> list[str]:
    """The months that lie two years or more behind the month before them, and all after those.

    >>> months_apart({"2026-09": 900, "2026-10": 900, "2036-01": 30, "2036-02": 1})
    ['2036-01', '2036-02']
    """
    listed = sorted(months)
    numbers = [12 * int(month[:4]) + int(month[5:7]) for month in listed]
    for place in range(1, len(listed)):
        behind = sum(months[month] for month in listed[place:])
        gap = numbers[place] - numbers[place - 1]
        if gap >= _APART_MONTHS and 2 * behind < sum(months.values()):
            return listed[place:]
    return []


def _usual_count(months: Mapping[str, int]) -> int:
    """The tests of the month in which the median test lies, months by size."""
    seen, total = 0, sum(months.values())
    for n in sorted(months.values()):
        seen += n
        if 2 * seen >= total:
            return n
    return 0


def _months(inputs: Inputs, settings: Settings) -> Counter[str]:
    """Tests by local month: of the prepared rows, or of tests that are in memory."""
    if inputs.account.months:
        return inputs.account.months
    local = inputs.tests["measured_at"].dropna().dt.tz_convert(settings.timezone)
    return Counter(local.dt.strftime("%Y-%m").tolist())


def chosen_period(inputs: Inputs, settings: Settings, wanted: str | None) -> Period:
    """The period asked for, or the latest in the data.

    Raises `UserFault` where the data do not hold it, and where the latest lies years behind the
    others: a clock may be wrong.
    """
    held = periods_in(inputs, settings)
    if wanted is None:
        if not held:
            raise UserFault([_without_time(inputs)])
        counts = {} if len(inputs.tiles) else _months(inputs, settings)
        if apart := [month for month in months_apart(counts) if month in held]:
            before = [month for month in held if month not in apart]
            named = [f"{month} ({counts[month]})" for month in (*before[-1:], *apart)]
            values: dict[str, object] = {"found": named, "expected": before[-1]}
            raise UserFault([Fault("which_period", values=values)])
        return Period.parse(held[-1])
    period = Period.parse(wanted)
    if len(inputs.tiles):
        if period.length != 3:
            raise UserFault([Fault("not_a_quarter", values={"found": wanted, "expected": held})])
        if str(period) not in held:
            raise UserFault([Fault("no_such_period", values={"found": wanted, "expected": held})])
    return period


def _without_time(inputs: Inputs) -> Fault:
    """Why no row has a time: there is none, the settings keep none, or none can be read."""
    account = inputs.account
    left_out = sum(reasons["not_kept"] for reasons in account.reasons.values())
    if left_out == account.read_count and not len(inputs.tests) and not len(inputs.tiles):
        return Fault("no_row_left", values={"of": account.read_count, "count": left_out})
    return Fault("no_time_at_all")


def evidence_window(inputs: Inputs, settings: Settings, period: Period) -> list[str]:
    """The months that the evidence is taken from.

    Tiles are the averages of their quarter and are never widened.
    """
    return (
        period.months
        if len(inputs.tiles)
        else period.window(max(settings.evidence.window_months, period.length))
    )


def period_warnings(
    inputs: Inputs, settings: Settings, period: Period, window: list[str]
) -> list[Fault]:
    """Warnings about a period: missing months, months passed over, a target not valid then."""
    found = []
    if counts := _months(inputs, settings):
        held = periods_in(inputs, settings)
        if missing := [month for month in window if month not in held]:
            found.append(Fault("months_missing", values={"found": missing}))
        if stray := sorted(set(counts) - set(held)):
            named = [f"{month} ({counts[month]})" for month in stray]
            found.append(Fault("stray_months", values={"found": named}))
        if apart := [month for month in months_apart(counts) if month in held]:
            named = [f"{month} ({counts[month]})" for month in apart]
            found.append(Fault("months_apart", values={"found": named}))
    about, months = settings.target, period.months
    early = about.valid_from is not None and f"{about.valid_from:%Y-%m}" > months[-1]
    late = about.valid_to is not None and f"{about.valid_to:%Y-%m}" < months[0]
    if early or late:
        validity = f"{about.valid_from or '…'} – {about.valid_to or '…'}"
        found.append(Fault("target_dates", values={"found": str(period), "expected": validity}))
    return found


def _joined(name: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        return with_declared_dtypes(name, pd.DataFrame({column: [] for column in TABLES[name]}))
    return pd.concat(parts, ignore_index=True)


def _sha256(path: Path) -> str:
    """Hash of a file; of a folder (File Geodatabase), of its files' hashes in order of name."""
    if path.is_file():
        return Delivery(path, path.name).sha256
    inner = sorted(p for p in path.rglob("*") if p.is_file())
    return hashlib.sha256("".join(Delivery(p, p.name).sha256 for p in inner).encode()).hexdigest()
