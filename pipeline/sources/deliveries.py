"""Files of measurements: the plans by which they are read, their parts, what to report.

Does not belong here: reading values (`sources/`), boundaries and people (`inputs.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl

from pipeline.config.settings import Kept, Settings, Source
from pipeline.schema.errors import Fault, UserFault
from pipeline.sources import containers, ookla, overlap, planning, table
from pipeline.sources.cells import names
from pipeline.sources.cells.operators import operator_table
from pipeline.sources.formats import FORMATS
from pipeline.sources.formats.declaration import Condition
from pipeline.sources.plan import Plan
from pipeline.sources.profile import Profile, merged, profile_of
from pipeline.sources.rules import Rule

SAMPLE_ROWS = 100_000  # of the tables with the same headings, by which their plan is decided
# what `unreadable` says beside columns
NO_COLUMNS = ("not_kept", "coverage_only", "no_service", "no_coverage")
_HOW = ("delimiter", "encoding", "sheet", "layer", "heading_row", "decimal")  # of a source
Found = TypeVar("Found")


@dataclass(frozen=True)
class Part:
    """Some of the tests, and all that reading them takes: a file, or a stretch of one.

    `tests`: rows that are in memory already, a pandas table.
    """

    source: str = ""
    delivery: containers.Delivery | None = None
    how: dict[str, Any] | None = None
    plan: Plan | None = None
    stretch: containers.Stretch | None = None  # None: the whole table
    is_profiled: bool = False  # whether its account says what the columns hold
    tests: pd.DataFrame | None = None

    def names(self) -> tuple[set[str], set[str]]:
        """(sources, files) of the part's rows."""
        if self.tests is not None:
            return set(self.tests["source"].unique()), set(self.tests["source_file"].unique())
        assert self.delivery is not None
        return {self.source}, {self.delivery.name}

    def row_estimate(self) -> int:
        """How many rows; of a file that is read as a whole a guess by its size."""
        if self.tests is not None:
            return len(self.tests)
        if self.stretch is not None:
            return self.stretch.row_count
        assert self.delivery is not None
        return self.delivery.path.stat().st_size // 100


@dataclass
class Account:
    """What is to be said of some rows of a part, beside the rows."""

    read_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    unreadable: Counter[str] = field(default_factory=Counter)  # by our column
    columns: dict[str, str] = field(default_factory=dict)  # ours → the heading it was read from
    months: Counter[str] = field(default_factory=Counter)  # rows by local month
    operators: set[str] = field(default_factory=set)
    # rows by source, and by reason (None: a sound row), commune's number, class of speed
    reasons: dict[str, Counter[Any]] = field(default_factory=dict)
    zones: dict[str, Counter[Any]] = field(default_factory=dict)
    speeds: dict[str, Counter[Any]] = field(default_factory=dict)
    source_months: dict[str, Counter[Any]] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)  # by source, for `check`
    # by source, where there are several
    sketches: dict[str, overlap.Sketch] = field(default_factory=dict)

    @staticmethod
    def sum(accounts: Iterable[Account]) -> Account:
        """The account of all of them."""
        total = Account()
        for account in accounts:
            total.add(account)
        return total

    def add(self, other: Account) -> None:
        """Take in what is said of further rows."""
        self.read_count += other.read_count
        self.faults += [fault for fault in other.faults if fault not in self.faults]
        self.unreadable.update(other.unreadable)
        for mine, theirs in (
            (self.reasons, other.reasons),
            (self.zones, other.zones),
            (self.speeds, other.speeds),
            (self.source_months, other.source_months),
        ):
            for name, counts in theirs.items():
                mine.setdefault(name, Counter()).update(counts)
        for name, profile in other.profiles.items():
            self.profiles[name] = merged([self.profiles.get(name, {}), profile])
        for name, marks in other.sketches.items():
            held = self.sketches.get(name)
            self.sketches[name] = marks if held is None else overlap.union(held, marks)
        self.columns |= other.columns
        self.months.update(other.months)
        self.operators |= other.operators


@dataclass
class Listed:
    """A file that the settings name, the parts it is read in (of tiles none), and its account."""

    source: str
    delivery: containers.Delivery
    parts: list[Part]
    is_tiles: bool = False
    account: Account = field(default_factory=Account)


def collect_faults(faults: list[Fault], read: Callable[[], Found]) -> Found | None:
    """What `read` gives, or None where it raises `UserFault`.

    Its faults are collected instead of ending the reading of the other files.
    """
    try:
        return read()
    except UserFault as error:
        faults += error.faults
        return None


def listed(settings: Settings, warnings: list[Fault], faults: list[Fault]) -> list[Listed]:
    """Every raw table of every source, in order; tables of tests get their parts by `planned`."""
    if not settings.sources:
        faults.append(
            Fault(
                "no_settings",
                values={"expected": "[sources.NAME] path", "option": "--measurements"},
            )
        )
    paths = (path for one in settings.sources.values() for path in one.path)
    unique = containers.unique_names(containers.paths_of(paths))
    found = []
    for name, source in settings.sources.items():
        if source.format not in (None, *FORMATS):
            values: dict[str, object] = {"found": source.format, "expected": list(FORMATS)}
            faults.append(Fault("unknown_format", f"[sources.{name}]", values=values))
            continue
        survey = containers.survey(source.path, how_of(source), unique)
        faults += survey.faults
        warnings += [replace(note, file=note.file or name) for note in survey.notes]
        found += [Listed(name, delivery, []) for delivery in survey.deliveries]
    return found


@dataclass
class _Group:
    """Tables of a source with the same headings: they are read by one plan."""

    about: planning.About
    tables: list[tuple[Listed, list[containers.Stretch] | None]]
    table: planning.Table
    mapped: planning.Mapped


def planned(
    found: list[Listed], settings: Settings, bounds: planning.Bounds | None, warnings: list[Fault]
) -> list[planning.Planned]:
    """The plans of all tables of tests, by which their parts are made; tiles are marked as such.

    Questions and faults join the accounts of the tables. `bounds`: of the communes.
    """
    groups = _groups(found, settings, bounds, warnings)
    counts: Counter[str] = Counter()
    for group in groups:
        counts.update(planning.operator_counts(group.table, group.mapped.rules))
    shipped = operator_table(settings.names.operator_table)
    operators = names.decide_operators(counts, settings.operators, shipped)
    if operators.form is not None and groups:
        unknown = names.unknown_names(operators.form, counts)
        first = groups[0].tables[0][0]
        if operators.question is not None:
            first.account.faults.append(replace(operators.question, file=first.delivery.name))
        elif unknown is not None:
            warnings.append(replace(unknown, file=first.delivery.name))
    plans = []
    for group in groups:
        one = planning.planned(group.table, group.about, group.mapped, operators)
        plans.append(one)
        warnings += one.warnings
        group.tables[0][0].account.faults += one.questions
        about = settings.sources[group.about.name]
        for listed_one, stretches in group.tables:
            whole = Part(group.about.name, listed_one.delivery, how_of(about), one.plan)
            listed_one.parts = (
                [whole]
                if stretches is None
                else [replace(whole, stretch=stretch) for stretch in stretches]
            )
    return plans


def _groups(
    found: list[Listed], settings: Settings, bounds: planning.Bounds | None, warnings: list[Fault]
) -> list[_Group]:
    tables: dict[tuple[str, tuple[str, ...]], list[tuple[Listed, containers.Layout]]] = {}
    for one in found:
        how = how_of(settings.sources[one.source])
        layout = collect_faults(one.account.faults, partial(containers.layout, one.delivery, how))
        if layout is not None:
            warnings += [replace(note, file=one.delivery.name) for note in layout.notes]
            tables.setdefault((one.source, layout.names), []).append((one, layout))
    groups = []
    for (name, headings), members in tables.items():
        source = settings.sources[name]
        one_format = planning.format_of(list(headings), source.format)
        if FORMATS[one_format].kind == "tiles":
            for one, _ in members:
                one.is_tiles = True
            continue
        about = _about(name, source, settings, bounds)
        group = collect_faults(
            members[0][0].account.faults, partial(_group, about, source, members)
        )
        if group is not None:
            groups.append(group)
    return groups


def _group(
    about: planning.About, source: Source, members: list[tuple[Listed, containers.Layout]]
) -> _Group:
    how, samples, cut = how_of(source), [], []
    share = max(100, SAMPLE_ROWS // len(members))
    for one, _ in members:
        stretches = containers.stretches(one.delivery, how)
        samples.append(containers.sample(one.delivery, stretches, how, share))
        cut.append((one, stretches))
    first, layout = members[0]
    sample = pl.concat(samples, how="diagonal_relaxed")
    raw = planning.Table(first.delivery.name, layout, sample)
    mapped = planning.mapped(raw, about)
    used = [theirs for rule in mapped.rules.values() for theirs in rule.headings]
    mapped.questions += containers.repeated_faults(first.delivery, layout, used)
    return _Group(about, cut, raw, mapped)


def _about(
    name: str, source: Source, settings: Settings, bounds: planning.Bounds | None
) -> planning.About:
    """What the settings say of a source, as plain values."""
    rules = {
        ours: Rule(**rule.model_dump(), is_given=True) for ours, rule in source.columns.items()
    }
    every, as_named = _any_value(source.keep), _any_value(source.nr)
    keep = {theirs: _condition(kept) for theirs, kept in source.keep.items() if theirs not in every}
    nr = {theirs: _condition(kept) for theirs, kept in source.nr.items() if theirs not in as_named}
    failed = {theirs: _condition(kept) for theirs, kept in source.failed.items()}
    return planning.About(
        name,
        source.format,
        rules,
        keep,
        failed,
        every,
        nr,
        as_named,
        source.crs,
        source.decimal,
        ZoneInfo(source.timezone) if source.timezone else settings.timezone,
        has_timezone=source.timezone is not None,
        operators=settings.operators,
        technologies={str(ours): met for ours, met in settings.technologies.items()},
        bounds=bounds,
    )


def _any_value(section: Mapping[str, Kept]) -> frozenset[str]:
    """The columns of which the settings say `"*"`."""
    return frozenset(theirs for theirs, kept in section.items() if kept.equals == ("*",))


def _condition(kept: Kept) -> Condition:
    return Condition(kept.equals, kept.excludes, kept.min, kept.max)


def how_of(source: Source) -> dict[str, Any]:
    """How a source says that its files are to be read."""
    return {name: getattr(source, name) for name in _HOW}


def read_part(part: Part) -> Iterator[tuple[pl.DataFrame, Account]]:
    """The part's `tests` (dtypes: `table.TESTS`), by frames, with an account of each.

    Raises `UserFault`.
    """
    if part.tests is not None:
        yield table.tests_in_memory(part.tests), Account(len(part.tests))
        return
    assert part.delivery is not None
    assert part.plan is not None
    file, plan = part.delivery.name, part.plan
    for rows in containers.frames(part.delivery, part.stretch, part.how, plan.headings()):
        tests = table.read_tests(part.source, file, rows, plan)
        account = _account(tests, plan)
        if part.is_profiled:
            account.profiles = {part.source: profile_of(rows, tests, plan)}
        yield tests, account


def _account(tests: pl.DataFrame, plan: Plan) -> Account:
    account = Account(
        tests.height, columns={ours: " + ".join(one.columns) for ours, one in plan.columns.items()}
    )
    lost = tests.filter(pl.col("unreadable") != "")["unreadable"].value_counts()
    for lost_names, count in lost.iter_rows():
        known = [one for one in lost_names.split(";") if one not in NO_COLUMNS]
        account.unreadable.update(dict.fromkeys(known, count))
    return account


def read_tiles(listed: list[Listed], settings: Settings) -> list[pd.DataFrame]:
    """`tiles` of the files of tiles; faults and row counts join the files' accounts."""
    tables = []
    for one in listed:
        source = settings.sources[one.source]
        if one.is_tiles:
            found = collect_faults(one.account.faults, partial(_tiles, one, source))
            if found is not None:
                one.account.read_count = len(found)
                one.account.unreadable.update(
                    found["unreadable"].str.split(";").explode().replace("", None).dropna()
                )
                tables.append(found)
    return tables


def _tiles(one: Listed, source: Source) -> pd.DataFrame:
    rows = containers.read_rows(one.delivery, **how_of(source))
    return ookla.read_tiles(one.source, one.delivery.name, one.delivery.path.as_posix(), rows)


def accounted(listed: list[Listed], accounts: list[Account]) -> Account:
    """All tests' account; each file's own is the sum of its parts'.

    `accounts`: of the parts of all files, in order.
    """
    total, given = Account(), iter(accounts)
    for one in listed:
        for _ in one.parts:
            one.account.add(next(given))
        if one.parts:
            total.add(one.account)
    return total


def report(
    listed: list[Listed], sha256: list[str], warnings: list[Fault], faults: list[Fault]
) -> None:
    """Report on the files in their order: faults, unknown names, copies, unreadable values."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}  # hash, table in it → (source, file)
    for one, found in zip(listed, sha256, strict=True):
        name, account = one.delivery.name, one.account
        faults += account.faults
        if account.faults:
            continue
        former_source, former_file = seen.setdefault(
            (found, one.delivery.inside), (one.source, name)
        )
        if former_source != one.source:  # repeats are looked for within a source
            faults.append(Fault("read_twice", name, values={"found": [former_source, one.source]}))
        elif former_file != name:
            warnings.append(Fault("same_content", name, values={"found": former_file}))
        for column, count in sorted(account.unreadable.items()):
            warnings.append(Fault("unreadable_values", name, None, column, {"found": count}))
