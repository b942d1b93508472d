"""Files of measurements: the parts they are read in, what their headings mean, what to report.

Does not belong here: reading values (`sources/`), boundaries and people (`inputs.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl

from pipeline.config.settings import Settings, Source
from pipeline.schema.errors import Fault, UserFault
from pipeline.sources import containers, ispeed, ookla, table


@dataclass(frozen=True)
class Part:
    """Some of the tests, and all that reading them takes: a file, or a stretch of one.

    `tests`: rows that are in memory already, a pandas table.
    """

    source: str = ""
    delivery: containers.Delivery | None = None
    about: Source | None = None
    reading: table.Reading | None = None
    stretch: containers.Stretch | None = None  # None: the whole file
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
    unknown: dict[str, Counter[str]] = field(
        default_factory=dict
    )  # names by what they should have named
    columns: dict[str, str] = field(default_factory=dict)  # ours → the heading it was read from
    months: Counter[str] = field(default_factory=Counter)  # rows by local month
    operators: set[str] = field(default_factory=set)

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
        for ours, names in other.unknown.items():
            self.unknown.setdefault(ours, Counter()).update(names)
        self.columns |= other.columns
        self.months.update(other.months)
        self.operators |= other.operators


@dataclass
class Listed:
    """A file that the settings name, the parts it is read in (of tiles none), and its account."""

    source: str
    delivery: containers.Delivery
    parts: list[Part]
    account: Account = field(default_factory=Account)


def collect_faults(faults: list[Fault], read: Callable[[], Any]) -> Any:
    """What `read` gives; its faults are collected instead of ending the reading of the other files."""
    try:
        return read()
    except UserFault as error:
        faults += error.faults
        return None


def listed(settings: Settings, warnings: list[Fault], faults: list[Fault]) -> list[Listed]:
    """Every file of every source, in order, with its parts."""
    if not settings.sources:
        faults.append(
            Fault(
                "no_settings",
                values={"expected": "[sources.NAME] path", "option": "--measurements"},
            )
        )
    found = []
    for name, source in settings.sources.items():
        if others := containers.passed_over(source.path):
            warnings.append(
                Fault(
                    "passed_over", name, values={"found": others, "expected": containers.SUFFIXES}
                )
            )
        if links := containers.named_again(source.path):
            warnings.append(Fault("named_again", name, values={"found": links}))
        for delivery in collect_faults(faults, partial(containers.deliveries, source.path)) or []:
            one = Listed(name, delivery, [])
            if source.format != "ookla":
                one.parts = (
                    collect_faults(one.account.faults, partial(_parts, name, delivery, settings))
                    or []
                )
            found.append(one)
    return found


def _parts(source: str, delivery: containers.Delivery, settings: Settings) -> list[Part]:
    about = settings.sources[source]
    found = containers.stretches(delivery, _how(about))
    whole = Part(source, delivery, about, _reading(about, settings))
    return [whole] if found is None else [replace(whole, stretch=one) for one in found]


def read_part(part: Part) -> Iterator[tuple[pl.DataFrame, Account]]:
    """The part's `tests` (dtypes: `table.TESTS`), by frames, with an account of each.

    Raises `UserFault`.
    """
    if part.tests is not None:
        yield table.tests_in_memory(part.tests), Account(len(part.tests))
        return
    assert part.delivery is not None
    assert part.about is not None
    assert part.reading is not None
    file, is_typed = part.delivery.name, containers.is_typed(part.delivery)
    columns: list[str] = []
    if is_typed:  # only columns that are used are read
        headings = containers.headings(part.delivery)
        rules = rules_for(part.about, headings)
        if faults := table.map_faults(file, headings, rules):
            raise UserFault(faults)
        columns = sorted({rule.column for rule in rules.values() if rule.column is not None})
    for rows in containers.frames(part.delivery, part.stretch, _how(part.about), columns):
        rules = rules_for(part.about, table.headings_in(rows))
        tests = table.read_tests(
            part.source, file, rows, rules, part.reading, is_delimited=not is_typed
        )
        yield tests, _account(tests, rows, rules)


def _account(tests: pl.DataFrame, rows: pl.DataFrame, rules: dict[str, table.Rule]) -> Account:
    account = Account(
        tests.height, columns={ours: rule.column or "" for ours, rule in rules.items()}
    )
    lost = tests.filter(pl.col("unreadable") != "")["unreadable"].value_counts()
    for names, count in lost.iter_rows():
        account.unreadable.update(dict.fromkeys(names.split(";"), count))
    for ours, read in (("operator", "operator_met"), ("technology", "technology")):
        if tests[read].null_count():
            account.unknown[ours] = Counter(table.names_not_met(rows, rules[ours], tests[read]))
    return account


def read_tiles(listed: list[Listed], settings: Settings) -> list[pd.DataFrame]:
    """`tiles` of the files of tiles; faults and row counts join the files' accounts."""
    tables = []
    for one in listed:
        source = settings.sources[one.source]
        if source.format == "ookla":
            found = collect_faults(one.account.faults, partial(_tiles, one, source))
            if found is not None:
                one.account.read_count = len(found)
                one.account.unreadable.update(
                    found["unreadable"].str.split(";").explode().replace("", None).dropna()
                )
                tables.append(found)
    return tables


def _tiles(one: Listed, source: Source) -> pd.DataFrame:
    rows = containers.read_rows(one.delivery, **_how(source))
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
    seen: dict[str, tuple[str, str]] = {}  # hash → (source, file)
    for one, found in zip(listed, sha256, strict=True):
        name, account = one.delivery.name, one.account
        faults += account.faults
        if account.faults:
            continue
        for ours, code in (("operator", "unknown_names"), ("technology", "unknown_technologies")):
            if names := [text for text, _ in account.unknown.get(ours, Counter()).most_common(20)]:
                warnings.append(
                    Fault(code, name, None, account.columns.get(ours, ""), {"found": names})
                )
        former_source, former_file = seen.setdefault(found, (one.source, name))
        if former_source != one.source:  # repeats are looked for within a source
            faults.append(Fault("read_twice", name, values={"found": [former_source, one.source]}))
        elif former_file != name:
            warnings.append(Fault("same_content", name, values={"found": former_file}))
        for column, count in sorted(account.unreadable.items()):
            warnings.append(Fault("unreadable_values", name, None, column, {"found": count}))


def _how(source: Source) -> dict[str, Any]:
    return {
        "delimiter": source.delimiter, "encoding": source.encoding, "sheet": source.sheet, "heading_row": source.heading_row,
        "decimal": source.decimal,
    }  # fmt: skip


def rules_for(source: Source, headings: list[str]) -> dict[str, table.Rule]:
    """The column map of a file.

    The settings' lines, and for `ispeed` the aliases for what they leave open.
    """
    given = {ours: table.Rule(**rule.model_dump()) for ours, rule in source.columns.items()}
    return given if source.format == "table" else ispeed.column_map(headings, given)


@dataclass(frozen=True)
class Headings:
    """What a file's headings are taken for, guesses for the others, and settings lines for them."""

    source: str
    taken_for: dict[str, str]
    guesses: dict[str, str | None]
    lines: list[str]


def headings(settings: Settings) -> list[tuple[str, Headings]]:
    """(first file's name, its reading) for each distinct set of headings of `ispeed` and `table`.

    Files that cannot be read are passed over: reading the inputs reports them.
    """
    found: list[tuple[str, Headings]] = []
    for name, source in settings.sources.items():
        met: set[tuple[str, ...]] = set()
        of_tests = (
            []
            if source.format == "ookla"
            else collect_faults([], partial(containers.deliveries, source.path)) or []
        )
        for delivery in of_tests:
            known = collect_faults([], partial(containers.headings, delivery, **_how(source)))
            if known is None or tuple(known) in met:
                continue
            met.add(tuple(known))
            rules = rules_for(source, known)
            used = {rule.column: ours for ours, rule in rules.items() if rule.column in known}
            others = [c for c in known if c not in used]
            guessed = ispeed.guesses(others, rules)
            missing = any(ours not in rules for ours in table.REQUIRED)
            lines = ispeed.settings_lines(name, guessed, rules) if missing else []
            taken_for = {c: used[c] for c in known if c in used}
            found.append(
                (
                    delivery.name,
                    Headings(name, taken_for, guessed if missing else dict.fromkeys(others), lines),
                )
            )
    return found


def _reading(source: Source, settings: Settings) -> table.Reading:
    timezone = ZoneInfo(source.timezone) if source.timezone else settings.timezone
    technologies: dict[str, tuple[str, ...]] = {
        str(ours): met for ours, met in settings.technologies.items()
    }
    return table.Reading(timezone, source.decimal, settings.operators, technologies)
