"""Settings: TOML → typed, frozen, closed settings.

Unknown keys are faults; all faults are reported at once.

Every default stands here with its unit and source; `settings.toml` at the project's root is the
commented example. Does not belong here: reading data, deciding anything. Steps never see these
objects: the journey hands them values.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, ValidationError, field_validator, model_validator

from pipeline.config.output_settings import (
    CommuneTable,
    Installs,
    Publish,
    Report,
    Section,
    Tracker,
)
from pipeline.config.site_settings import Costs, SitePlan
from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.schema.periods import Period
from pipeline.schema.vintages import UNSTATED

Share = Field(ge=0, le=1)
ENGINES = ("local", "dask")
PARTS = ("tables", "map", "gis", "report")


def _check_timezone(name: str | None) -> str | None:
    if name is not None and name not in available_timezones():
        raise ValueError("not an IANA time zone such as Asia/Ho_Chi_Minh")
    return name


USUAL_VISITS = Path("data/visits")  # where `lomsong plan` keeps visits, beside the settings


class Area(Section):
    """The province or country the run is about."""

    name: str = ""
    province_code: str = ""  # stated in the tables' description; communes' codes do not carry it
    timezone: str = "Asia/Ho_Chi_Minh"  # IANA name; local dates and hours are counted in it
    _tz = field_validator("timezone")(_check_timezone)


class Target(Section):
    """The target speed, its source and its date.

    Decision 1110/QĐ-BTTTT (2024) asks 40 Mbps on 4G, measured with i-Speed, per commune.
    """

    download_mbps: float = Field(40.0, gt=0)  # Mbit/s, arithmetic mean
    technology: Literal["4G", "5G", "3G", "2G"] = "4G"
    source: str = "1110/QĐ-BTTTT (02-07-2024)"
    valid_from: date | None = None
    valid_to: date | None = None


class Boundaries(Section):
    """The commune polygons. Columns that are not named are looked for under their usual names."""

    path: Path | tuple[Path, ...] | None = None  # files, folders, globs or archives
    layer: str | None = None  # of files with several layers of polygons
    encoding: str | None = None  # of names; absent: found out
    dissolve: bool = False  # several rows of one code are parts of one commune
    swap_axes: bool = False  # coordinates come as latitude, longitude (or north, east)
    code_column: str | None = None
    code_length: int | None = Field(None, ge=1)  # pads codes that lost leading zeros, 5 in Vietnam
    name_column: str | None = None
    former_district_column: str | None = None
    former_communes_column: str | None = (
        None  # names of the communes that were merged, separated by ;
    )
    province_column: str | None = None  # a nation's map is then written by province too
    population_column: str | None = None
    terrain_column: str | None = None  # flat | hilly | mountainous
    vintage: str = UNSTATED  # part of the key: codes were re-used in July 2025
    crs: str | None = None  # goes before what the files state
    expected_count: int | None = Field(None, ge=1)  # communes


class FormerBoundaries(Boundaries):
    """The communes of before, for reports of periods that end while they were valid."""

    valid_to: date | None = None  # their last day; the first day of the new ones will do too

    @model_validator(mode="after")
    def _dated(self) -> FormerBoundaries:
        if self.path is not None and (self.valid_to is None or self.vintage == UNSTATED):
            raise ValueError("give `vintage` and `valid_to`, such as 2025-06-30")
        return self


class Crosswalk(Section):
    """Old communes and the new ones they went into, n to n: CSV or JSON (`docs/vintages.md`).

    The map's search finds the old names; people of old communes are moved to the new ones.
    """

    path: Path | None = None
    code_column: str = "new_ward_code"
    former_code_column: str = "old_ward_code"  # a CSV may lack it; nothing can be moved then
    former_commune_column: str = "old_ward_name"
    former_district_column: str | None = "old_district_name"
    population_weight_column: str | None = None  # share of the old commune's people, 0–1
    area_weight_column: str | None = None  # share of its area, 0–1; where people are not known
    code_length: int | None = Field(None, ge=1)  # pads codes that lost leading zeros
    vintage: str = UNSTATED  # of the new codes
    former_vintage: str = UNSTATED  # of the old codes
    citation: str = ""  # the resolution that it follows; stands among the sources


class Population(CommuneTable):
    """People per commune: a raster (GeoTIFF), or a table with codes or names and people."""

    people_column: str | None = None
    total: float | None = Field(
        None, gt=0
    )  # people; rescales a raster's weights to an official total
    grid: Path | None = (
        # raster that spreads the communes' people over cells; absent: `path`, where that is one
        None
    )


class Shapes(Section):
    """How a file of shapes or positions is read. What is absent is found by the file itself."""

    path: Path | None = None
    sheet: str | int | None = None  # of a workbook: name, or number from 0
    layer: str | None = None  # of a file with several layers
    delimiter: str | None = None
    encoding: str | None = None
    heading_row: int | None = Field(None, ge=0)  # 0: there are no headings
    crs: str | None = None  # goes before what the file states
    swap_axes: bool = False  # coordinates come as latitude, longitude (or north, east)


class Places(Shapes):
    """How a vector file or a table of places is read."""

    latitude_column: str | None = None  # of a table
    longitude_column: str | None = None  # of a table; absent: both may stand in one column
    decimal: Literal[".", ","] | None = None  # of a table's numbers


class Facilities(Places):
    """Schools, health posts, commune offices, border posts: a vector file, or a table of places."""

    kind_column: str | None = None
    kinds: tuple[str, ...] = ()  # values of kind_column that count; none: all


class Villages(Places):
    """The villages, their positions, people and what else a list says: a vector file or table."""

    name_column: str | None = None
    commune_column: str | None = None  # codes or names; absent: the position may say it alone
    people_column: str | None = None
    households_column: str | None = None
    grid_power_column: str | None = None  # yes or no, as difficult_zone_column
    difficult_zone_column: str | None = None
    class_columns: str | dict[str, str] | None = None  # official classes: of all, or by operator
    site_km_column: str | None = None  # to the nearest site; km unless the heading says metres
    plan_column: str | None = None
    on_air_column: str | None = None  # dates, months or quarters
    payer_column: str | None = None
    vintage: str = UNSTATED  # of the communes that the rows name
    radius_km: float = Field(1.5, gt=0)  # km; a village farther outside its commune is left out


class Sites(Places):
    """Existing and candidate sites: a vector file, a table of places, or cells of OpenCellID."""

    id_column: str | None = None
    operator_column: str | None = None  # empty cells: no operator's, or not known
    technology_column: str | None = None  # 2G, 3G, 4G, 5G, several in a cell
    band_column: str | None = None  # B3, 1800, L1800;L900: the lowest counts
    height_column: str | None = None  # m above ground, of the antenna or else of the tower
    candidate_column: str | None = None  # yes: nothing stands there yet


class Events(Section):
    """Network events: any table of sites on air, switch-offs and outages, by area and operator."""

    path: Path | None = None


class Visits(Section):
    """Results of visits: filled sheets of `lomsong plan`, and what it keeps of them.

    A file or a folder; absent: `data/visits` beside the settings, where there is one.
    """

    path: Path | None = None


class Roads(Shapes):
    """Main roads: any vector file of lines."""

    class_column: str | None = None
    classes: tuple[str, ...] = ()  # values of class_column that are main roads; none: all


class Terrain(Section):
    """Terrain classes from an elevation raster, where the boundaries have no terrain column."""

    path: Path | None = None
    hilly_relief_m: float = Field(
        50.0, gt=0
    )  # m, standard deviation of elevation inside the commune; chosen
    mountainous_relief_m: float = Field(150.0, gt=0)  # m


class ColumnRule(Section):
    """Where one of our columns comes from in a foreign file.

    `columns`: a date and a time of day that stand in two columns.
    """

    column: str | None = None
    columns: tuple[str, str] | None = None
    value: str | None = None  # a constant, where the file has no such column
    unit: str | None = None
    format: str | None = None  # strptime, unix_s, unix_ms, excel_1900 …
    decimal: Literal[".", ","] | None = None  # the decimal mark of this column's numbers
    failed: tuple[float, ...] | None = None  # numbers that stand for a failed test

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnRule:
        if sum(one is not None for one in (self.column, self.columns, self.value)) != 1:
            raise ValueError("give one of `column`, `columns` and `value`")
        return self


class Kept(Section):
    """Which values of a foreign column a row of a test has; rows with others are set aside."""

    equals: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Kept:
        if not (self.equals or self.excludes) and self.min is None and self.max is None:
            raise ValueError("give values to keep, or `not`, `min`, `max`")
        return self


# Findings that stop `run` until the settings accept them, by source.
Alarm = Literal[
    "many_rejects", "many_duplicates", "mostly_outside", "odd_speeds", "no_valid_test",
    "shared_devices", "thin_month", "lost_file", "same_tests",
]  # fmt: skip


class Source(Section):
    """One kind of delivery. `path` is a file, a folder or a glob; several may be listed."""

    path: tuple[str, ...]
    format: str | None = (
        None  # a key of `sources.formats.FORMATS`; absent: found out by the headings
    )
    crs: str | None = None  # of the positions; absent: degrees of WGS 84 (EPSG:4326)
    # by a column of theirs; absent: every row is a test
    keep: dict[str, Kept] = Field(default_factory=dict)
    # by a column of theirs: rows of tests that failed, whatever speed stands beside
    failed: dict[str, Kept] = Field(default_factory=dict)
    # by a column of theirs: rows named 4G that NR carried, which count as 5G; "*": as named
    nr: dict[str, Kept] = Field(default_factory=dict)
    accept: tuple[Alarm, ...] = ()  # findings that were looked at and may pass
    timezone: str | None = None  # of times without an offset; absent: the area's
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None  # absent: both are understood, a lone comma is decimal
    sheet: str | int | None = None  # name, or number from 0; absent: all with the same headings
    layer: str | None = None  # of a GIS file
    heading_row: int | None = Field(None, ge=0)  # absent: found; 0: there are no headings
    columns: dict[str, ColumnRule] = Field({})
    _tz = field_validator("timezone")(_check_timezone)

    @field_validator("path", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (value,) if isinstance(value, (str, Path)) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            ours: {"column": rule}
            if isinstance(rule, str)
            else {"columns": rule}
            if isinstance(rule, list)
            else rule
            for ours, rule in value.items()
        }

    @field_validator("keep", "failed", "nr", mode="before")
    @classmethod
    def _short_conditions(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {theirs: _condition(kept) for theirs, kept in value.items()}


def _condition(kept: object) -> object:
    """`"D"` and `["D", "E"]` are values to keep; `{ not = … }` values to leave out."""
    if isinstance(kept, dict):
        return {
            {"not": "excludes"}.get(key, key): _listed_texts(one)
            if key in ("not", "equals", "excludes")
            else one
            for key, one in kept.items()
        }
    return {"equals": _listed_texts(kept)}


def _listed_texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]


class Names(Section):
    """Names as met → ours, beside [operators] and [technologies]."""

    operator_table: Path | None = None  # absent: the shipped table of Vietnam's networks and brands


class Quality(Section):
    """Which rows count (METHOD §2.1)."""

    max_download_mbps: float = Field(600.0, gt=0)  # Mbit/s; above it a 4G reading is not believed
    max_commune_accuracy_m: float = Field(1000.0, gt=0)  # m; unknown accuracy is kept and flagged
    max_hex_accuracy_m: float = Field(100.0, gt=0)  # m


class Hexes(Section):
    """Adaptive H3 cells (METHOD §5)."""

    coarsest_resolution: int = Field(6, ge=0, le=15)
    finest_resolution: int = Field(9, ge=0, le=15)
    weak_min_devices: int = Field(
        8, ge=1
    )  # devices of one operator in a cell before it may be called weak
    weak_significance: float = Field(0.05, gt=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Hexes:
        if self.coarsest_resolution > self.finest_resolution:
            raise ValueError("coarsest_resolution must not exceed finest_resolution")
        return self


class Evidence(Section):
    """The gates of METHOD §3–4."""

    window_months: int = Field(3, ge=1, le=12)
    widened_months: tuple[Annotated[int, Field(ge=2, le=12)], ...] = (
        3,
        6,
        12,
    )  # of rows that fail E1; () = never
    min_devices: int = Field(5, ge=2)  # E1
    min_samples: int = Field(20, ge=1)
    min_dates: int = Field(2, ge=1)
    confirmed_min_devices: int = Field(10, ge=2)  # E2
    confirmed_min_samples: int = Field(30, ge=1)
    confirmed_min_dates: int = Field(3, ge=1)
    min_hours_apart: float = Field(4.0, ge=0, le=12)  # h, on the 24-hour circle
    confidence: float = Field(0.95, gt=0.5, lt=1)
    max_q: float = Field(0.05, gt=0, lt=1)
    probable_gap_probability: float = Share
    meets_gap_probability: float = Share
    eb_min_communes: int = Field(8, ge=2)
    borrowed_false_discovery_rate: float = Field(
        0.02, ge=0, lt=1
    )  # 0: every verdict stands on its own devices alone
    borrowed_min_probability: float = Field(0.95, ge=0, le=1)
    borrowed_max_p: float = Field(0.20, gt=0, le=1)
    # how many times its modelled mean goes into the target where a gap rests on borrowed evidence
    borrowed_gap_margin: float = Field(1.3, ge=1)
    probable_gap_margin: float = Field(1.15, ge=1)  # the same of a probable gap
    # P(mean < target) of a pass with capped tests: by its own devices, with borrowed evidence
    capped_max_miss: float = Field(0.02, gt=0, lt=1)
    borrowed_max_miss: float = Field(0.005, gt=0, lt=1)
    # how many times the target such a pass must reach with capped tests: its lower limit, its mean
    capped_margin: float = Field(1.15, ge=1)
    borrowed_capped_margin: float = Field(1.3, ge=1)
    fast_test_mbps: float = Field(150.0, gt=0)  # Mbit/s: verdicts must hold with tests capped here
    # the same, times the lower quartile of a device's tests in the commune, but at least the target
    fast_test_ratio: float = Field(3.0, ge=1)
    recent_min_devices: int = Field(3, ge=1)  # of the report month, which may veto a verdict
    crossed_min_probability: float = Field(0.95, ge=0, le=1)  # of a gap by its own devices
    decide_probability: float = Field(0.8, ge=0.5, lt=1)  # of futures, by devices_to_decide
    max_devices_to_decide: int = Field(5000, ge=10)
    official_test_count: int = Field(300, ge=1)  # tests per commune and month, 5691/BTTTT-CVT
    heavy_tester_share: float = Share
    heavy_tester_shift: float = Share
    low_tail_share: float = Share
    one_place_share: float = Share
    testers_differ_share: float = Share
    # ids begin anew where fewer of those that may be asked are seen in two months; 0: never so
    restart_max_share: float = Field(0.10, ge=0, le=1)
    restart_min_devices: int = Field(20, ge=1)  # with tests on three dates or more
    restart_min_month_share: float = Share  # of the samples, in each of two months
    same_minute_min_ids: int = Field(5, ge=2)  # that begin to test in one finest cell
    marked_ids_share: float = Share  # of a row's ids in two places at once, or in such crowds

    @model_validator(mode="before")
    @classmethod
    def _shares(cls, values: object) -> object:
        defaults = {
            "probable_gap_probability": 0.80,
            "meets_gap_probability": 0.20,
            "heavy_tester_share": 0.25,
            "heavy_tester_shift": 0.20,
            "low_tail_share": 0.10,
            "one_place_share": 0.50,
            "testers_differ_share": 0.20,
            "restart_min_month_share": 0.15,
            "marked_ids_share": 0.10,
        }
        return {**defaults, **values} if isinstance(values, dict) else values


class Diagnosis(Section):
    """When a sign of a likely cause counts.

    METHOD §6 names the signs; the thresholds are chosen, and hints only.
    """

    strong_signal_dbm: float = (
        -95.0
    )  # RSRP, median of devices: at or above it the radio link is no excuse
    weak_signal_dbm: float = -110.0  # at or below it coverage is thin
    failure_rate: float = Field(0.10, gt=0, le=1)  # failed tests over failed and valid ones
    fallback_share: float = Field(0.20, gt=0, le=1)  # 3G and 2G tests over all
    busy_hours: tuple[float, float] = (19.0, 22.0)  # h, from – to, local
    min_devices: int = Field(5, ge=1)  # with tests at busy and at other hours each
    near_share: float = Field(0.75, gt=0, lt=1)  # of the target: from here on optimising may do

    @model_validator(mode="after")
    def _ordered(self) -> Diagnosis:
        if self.weak_signal_dbm >= self.strong_signal_dbm:
            raise ValueError("weak_signal_dbm must be below strong_signal_dbm")
        if not 0 <= self.busy_hours[0] < self.busy_hours[1] <= 24:
            raise ValueError("busy_hours must be two times of day, from before to")
        return self


class Priority(Section):
    """Priorities (METHOD §6): excess weights over 1, cost of terrain, draws for a rank's spread."""

    total_gap_weight: float = Field(0.5, ge=0)
    facility_weight: float = Field(0.10, ge=0)
    facility_cap: int = Field(5, ge=0)
    road_weight: float = Field(0.10, ge=0)
    terrain_cost: dict[str, float] = Field({"flat": 1.0, "hilly": 2.0, "mountainous": 3.0})
    draws: int = Field(200, ge=20)
    seed: int = 20250701


class Privacy(Section):
    """METHOD §7."""

    min_devices: int = Field(3, ge=1)


class Settings(Section):
    """All of `settings.toml`. Paths are absolute after reading."""

    area: Area = Area()
    target: Target = Target()
    boundaries: Boundaries = Boundaries()
    former_boundaries: FormerBoundaries = FormerBoundaries()
    crosswalk: Crosswalk = Crosswalk()
    population: Population = Population()
    facilities: Facilities = Facilities()
    villages: Villages = Villages.model_validate({})
    visits: Visits = Visits()
    events: Events = Events()
    roads: Roads = Roads()
    terrain: Terrain = Terrain()
    sites: Sites = Sites()
    costs: Costs = Costs()
    site_plan: SitePlan = SitePlan.model_validate({})
    sources: dict[str, Source] = Field({})
    operators: dict[str, tuple[str, ...]] = Field({})
    names: Names = Names()
    technologies: dict[Literal["2G", "3G", "4G", "5G", "wifi"], tuple[str, ...]] = Field({})
    quality: Quality = Quality()
    hexes: Hexes = Hexes()
    evidence: Evidence = Evidence.model_validate({})
    priority: Priority = Priority()
    diagnosis: Diagnosis = Diagnosis()
    privacy: Privacy = Privacy()
    publish: Publish = Publish()
    tracker: Tracker = Tracker()
    installs: Installs = Installs()
    report: Report = Report()

    @field_validator("operators")
    @classmethod
    def _no_pooled_name(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if any(name.casefold() == "all" for name in value):
            raise ValueError(
                "`all` is the name of all operators together; name the operator otherwise"
            )
        return value

    @model_validator(mode="after")
    def _two_vintages(self) -> Settings:
        if (
            self.former_boundaries.path
            and self.former_boundaries.vintage == self.boundaries.vintage
        ):
            raise ValueError("[boundaries] and [former_boundaries] need different vintages")
        return self

    @model_validator(mode="after")
    def _known_shares(self) -> Settings:
        others = sorted(set(self.site_plan.shares) - set(self.operators))
        if self.operators and others:
            raise ValueError(f"[site_plan] shares: not in [operators]: {', '.join(others)}")
        return self

    @property
    def is_former(self) -> bool:
        """Whether these settings are about the communes of before (`as_of`)."""
        about = self.former_boundaries
        return about.path is not None and about.vintage == self.boundaries.vintage

    def as_of(self, period: Period) -> Settings:
        """The settings for a period: on the former boundaries where it ends while they are valid.

        Tables of communes that state no vintage are then of the later boundaries, as before; the
        crosswalk is not needed on the communes that it begins with.
        """
        about = self.former_boundaries
        if about.path is None or about.valid_to is None or period.end.date() > about.valid_to:
            return self
        tables = {
            name: table.model_copy(update={"vintage": self.boundaries.vintage})
            for name, table in (
                ("population", self.population),
                ("installs", self.installs),
                ("villages", self.villages),
            )
            if table.vintage == UNSTATED
        }
        former = Boundaries(**about.model_dump(exclude={"valid_to"}))
        return self.model_copy(update={"boundaries": former, "crosswalk": Crosswalk(), **tables})

    @property
    def timezone(self) -> ZoneInfo:
        """The area's time zone."""
        return ZoneInfo(self.area.timezone)


def read_settings(path: Path | None) -> Settings:
    """Read a settings file; `None` gives the documented defaults.

    Relative paths are taken from the settings file's folder. Raises `UserFault` with every unknown
    key, wrong type and wrong value of the file at once, each with the line it stands on.
    """
    if path is None:
        return Settings()
    if not path.is_file():
        raise fault("missing_file", path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise fault("settings_encoding", path.name, found=str(error.reason)) from None
    except tomllib.TOMLDecodeError as error:
        raise fault("settings_syntax", path.name, found=str(error)) from None
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise UserFault(_faults(error, path.name, text)) from None
    return _absolute(settings, path.resolve().parent)


def _absolute(settings: Settings, folder: Path) -> Settings:
    def join(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    sources = {
        name: source.model_copy(update={"path": tuple(str(folder / p) for p in source.path)})
        for name, source in settings.sources.items()
    }

    def outlines(path: Path | tuple[Path, ...] | None) -> Path | tuple[Path, ...] | None:
        return tuple(folder / p for p in path) if isinstance(path, tuple) else join(path)

    boundaries, former = (
        about.model_copy(update={"path": outlines(about.path)})
        for about in (settings.boundaries, settings.former_boundaries)
    )
    people = settings.population
    population = people.model_copy(update={"path": join(people.path), "grid": join(people.grid)})
    moved = {
        name: getattr(settings, name).model_copy(
            update={"path": join(getattr(settings, name).path)}
        )
        for name in (
            "crosswalk", "installs", "facilities", "villages", "visits", "events", "roads",
            "terrain", "sites",
        )
    }  # fmt: skip
    usual = folder / USUAL_VISITS
    if settings.visits.path is None and any(usual.glob("*")):
        moved["visits"] = Visits(path=usual)
    table = settings.names.model_copy(
        update={"operator_table": join(settings.names.operator_table)}
    )
    return settings.model_copy(
        update={
            "sources": sources,
            "boundaries": boundaries,
            "former_boundaries": former,
            "population": population,
            "names": table,
            **moved,
        }
    )


def _faults(error: ValidationError, file: str, text: str) -> list[Fault]:
    found = []
    for problem in error.errors():
        place = [str(part) for part in problem["loc"]]
        key, row = ".".join(place), _line_of(text, place)
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(place[-1], _keys_beside(place), n=1)
            found.append(
                Fault(
                    "settings_key",
                    file,
                    row,
                    key,
                    {"near": near[0] if near else "", "known": _keys_beside(place)},
                )
            )
        else:
            message = problem["msg"].removeprefix("Value error, ")
            found.append(
                Fault(
                    "settings_value",
                    file,
                    row,
                    key,
                    {"found": problem["input"], "expected": message},
                )
            )
    return found


def _keys_beside(place: list[str]) -> list[str]:
    """The keys that are declared in the section in which an unknown key stands."""
    if len(place) == 1:
        return sorted(Settings.model_fields)
    if place[0] == "sources":
        return sorted((ColumnRule if "columns" in place else Source).model_fields)
    section = Settings.model_fields[place[0]].annotation
    return (
        sorted(section.model_fields)
        if isinstance(section, type) and issubclass(section, Section)
        else []
    )


def _line_of(text: str, place: list[str]) -> int | None:
    """The line of `key =` or `[section]`: first after its section's heading.

    TOML readers do not keep line numbers.
    """
    heading = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
    section: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if match := heading.match(line):
            section = [part.strip().strip("\"'") for part in match[1].split(".")]
            if section == place[: len(section)] and len(section) == len(place):
                return number
            continue
        key = line.split("=", 1)[0].strip().strip("\"'") if "=" in line else ""
        if key and [*section, *key.split(".")] == place[: len(section) + len(key.split("."))]:
            return number
    return None
