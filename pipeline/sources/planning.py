"""Headings and values of a raw table → its plan, or the questions that only the user can answer.

What the settings say holds; then what the source's format documents; then aliases of headings where
the values agree. What is likely is proposed with its evidence, what is open is asked.
Does not belong here: how a kind of column is decided (`cells/`), reading all rows (`table.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from pipeline.schema.errors import Fault
from pipeline.schema.texts import joined, said
from pipeline.sources.cells import ids, names, numbers, positions, times, units
from pipeline.sources.cells.decision import Decision
from pipeline.sources.containers import ROW, Layout
from pipeline.sources.formats import FORMATS, fitting, found_out, ispeed, pairs, trace
from pipeline.sources.formats.declaration import Condition, Format, bare_key, quoted
from pipeline.sources.formats.guesses import Guess, doubts, guess_columns, unmapped
from pipeline.sources.formats.keep import Proposal, proposed_conditions
from pipeline.sources.formats.nr_signs import is_of_nr
from pipeline.sources.nr_rows import nr_rows
from pipeline.sources.plan import ColumnPlan, Form, Plan
from pipeline.sources.rules import OPTIONAL, REQUIRED, Rule
from pipeline.sources.table import IDS, NAMES, NO_SIGNAL_DBM, POSITION, column, plain, read_tests
from pipeline.sources.values import folded

UTC = ZoneInfo("UTC")
_BY_FILE = 'device_id = { value = "{file}" }'
SHARED_IDS = 0.1  # share of cells without a device's own id from which it is said
Bounds = tuple[float, float, float, float]  # west, south, east, north, degrees
NUMBERS = (
    "download_mbps", "upload_mbps", "latency_ms", "jitter_ms", "location_accuracy_m", "signal_dbm",
)  # fmt: skip


@dataclass(frozen=True)
class About:
    """What the settings say of a source, as plain values.

    `operators`, `technologies`: ours → names as met. `bounds`: of the communes.
    """

    name: str
    format: str | None = None
    rules: Mapping[str, Rule] = field(default_factory=dict)
    keep: Mapping[str, Condition] = field(default_factory=dict)
    failed: Mapping[str, Condition] = field(default_factory=dict)
    kept_whole: frozenset[str] = frozenset()  # columns of which every value is kept
    nr: Mapping[str, Condition] = field(default_factory=dict)
    as_named: frozenset[str] = frozenset()  # columns that change no technology
    crs: str | None = None
    decimal: str | None = None
    timezone: ZoneInfo = UTC
    has_timezone: bool = False
    operators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    technologies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bounds: Bounds | None = None
    latest: datetime | None = None


@dataclass(frozen=True)
class Table:
    """A raw table's headings and a sample of its rows."""

    file: str  # the first of its files
    layout: Layout
    sample: pl.DataFrame

    def fault(self, code: str, column: str = "", **values: object) -> Fault:
        """A fault of the table."""
        return Fault(code, self.file, None, column, values)


_ROWS_OF_TRACE = 5_000  # that are looked at
_MOST_OTHERS = 3  # columns that are offered for one of ours


@dataclass
class Mapped:
    """What a table's headings mean, and what is to be asked about them."""

    format: str
    rules: dict[str, Rule] = field(default_factory=dict)
    keep: dict[str, Condition] = field(default_factory=dict)
    failed: dict[str, Condition] = field(default_factory=dict)
    guesses: dict[str, Guess] = field(default_factory=dict)  # for columns of ours that are missing
    proposals: list[Proposal] = field(default_factory=list)
    questions: list[Fault] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)  # ours → line of a guess with its unit
    # ours → columns that are one of ours only together, for columns of ours that are missing
    together: dict[str, pairs.Together] = field(default_factory=dict)

    def lines(self) -> dict[str, list[str]]:
        """Settings lines to paste by section: guesses filled in, the others left to be named."""
        columns: list[str] = []
        if self.about.refused or self.about.lacking:  # nothing to paste would help
            return {}
        for ours in (*REQUIRED, *OPTIONAL):
            guess = self.guesses.get(ours)
            if ours in self.together and ours not in self.rules:
                columns += self.lines_together(ours)
            elif guess is not None and guess.column is not None:
                columns.append(self.units.get(ours) or f"{ours} = {quoted(guess.column)}")
            elif ours in REQUIRED and ours not in self.rules:
                others = guess.others if guess is not None else ()
                columns += [f"# {ours} = {quoted(one)}   # ?" for one in others[:_MOST_OTHERS]]
                columns += [] if others else [f'# {ours} = "…"   # ?']
        is_open = any(ours not in self.rules for ours in REQUIRED)
        proposed = {
            section: [
                line for one in self.proposals if one.section == section for line in one.lines
            ]
            for section in ("keep", "failed")
        }
        return {"columns": columns if is_open else [], **proposed}

    def lines_together(self, ours: str) -> list[str]:
        """The lines that would take columns together; commented out where several fit."""
        found = self.together[ours]
        lines = [f"{ours} = {_listed(one)}" for one in (found.headings, *found.others)]
        return [f"# {line}" for line in lines] if found.others else lines

    @property
    def about(self) -> Format:
        """The source's format."""
        return FORMATS[self.format]


@dataclass
class Planned:
    """A table's plan as far as it could be decided, and the questions that are left."""

    plan: Plan
    questions: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    source: str = ""
    lines: dict[str, list[str]] = field(default_factory=dict)  # to paste, by section of the source
    unused: tuple[str, ...] = ()  # headings that nothing is read from


# ── what the headings mean ───────────────────────────────────────────────────────────────────────


def format_of(headings: list[str], asked: str | None) -> str:
    """The format's name: the settings', else the one that the headings are of, else `ispeed`."""
    return asked or found_out(headings) or "ispeed"


def mapped(table: Table, about: About) -> Mapped:
    """Which columns become ours, which rows count, and what is open about that."""
    headings = list(table.layout.names)
    result = Mapped(format_of(headings, about.format))
    if about.format is None and len(fits := fitting(headings)) > 1:
        lines = [f'format = "{one}"' for one in fits]
        result.questions.append(table.fault("which_format", found=fits, lines=lines))
    if result.about.refused:
        result.questions.append(table.fault(result.about.refused))
        return result
    result.questions += _given_faults(table, about.rules)
    result.rules = {ours: rule for ours, rule in about.rules.items() if ours in _OURS}
    for ours, one in result.about.column_map(headings).items():
        rule = Rule(one.column, one.value, one.unit, one.format, zone=one.zone)
        result.rules.setdefault(ours, rule)
    if result.about.has_aliases:
        _add_aliases(table, about, result)
    _add_conditions(table, about, result)
    result.questions += _unmapped(table, result)
    return result


def _listed(headings: tuple[str, ...]) -> str:
    """One heading, or several, as TOML."""
    texts = [quoted(one) for one in headings]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


_OURS = frozenset((*REQUIRED, *OPTIONAL))


def _given_faults(table: Table, rules: Mapping[str, Rule]) -> list[Fault]:
    """What is wrong with the settings' column map."""
    headings, faults = list(table.layout.names), []
    for ours, rule in rules.items():
        if ours not in _OURS:
            expected = [*REQUIRED, *OPTIONAL]
            faults.append(table.fault("unknown_our_column", ours, expected=expected))
        for theirs in rule.headings:
            if theirs not in table.sample.columns:
                row = table.layout.heading_row
                values: dict[str, object] = {"found": headings, "ours": ours}
                faults.append(Fault("missing_column", table.file, row, theirs, values))
        faults += _doubted(table, ours, rule)
    return faults


def _doubted(table: Table, ours: str, rule: Rule) -> list[Fault]:
    """The question about a column whose values speak against what the settings take it for.

    A stated unit confirms it.
    """
    theirs = rule.column
    if ours not in NUMBERS or rule.unit or theirs is None or theirs not in table.layout.names:
        return []
    own = table.sample.select(list(table.layout.names))
    doubt = doubts(ours, theirs, own)
    if doubt is None:
        return []
    lines = [f"{ours} = {quoted(other)}" for other in doubt.others]
    lines.append(units.settings_line(ours, theirs, unit=units.names_of(ours)[0]))
    return [table.fault("column_doubted", theirs, found=doubt.evidence, lines=lines)]


def _add_aliases(table: Table, about: About, result: Mapped) -> None:
    """Columns whose headings are known and whose values agree; guesses for the others."""
    own_names = [ours for ours in (*REQUIRED, *OPTIONAL) if ours in table.layout.names]
    result.rules = {ours: Rule(ours) for ours in own_names} | result.rules  # they say enough
    own = table.sample.select(list(table.layout.names))
    _add_pairs(own, result)
    guesses = guess_columns(own, result.rules, bounds=about.bounds)
    aliases = ispeed.column_map(table.layout.names, result.rules)
    for ours in (*REQUIRED, *OPTIONAL):
        if ours in result.rules:
            continue
        guess, alias = guesses.get(ours), aliases.get(ours)
        if guess is not None and guess.basis == "alias" and guess.column is not None:
            result.rules[ours] = Rule(guess.column)
        elif alias is not None and (other := _other_use(ours, alias, guesses)):
            result.rules.setdefault(other, Rule(alias.column))
        elif alias is not None and _may_be(alias, guess):
            result.rules[ours] = alias
        elif guess is not None:
            result.guesses[ours] = guess
            if ours in NUMBERS and guess.column is not None:
                result.units[ours] = _with_unit(ours, guess.column, own[guess.column])
    if "download_mbps" not in {*result.rules, *result.guesses}:
        result.guesses |= _may_be_speeds(own, result)


def _add_pairs(own: pl.DataFrame, result: Mapped) -> None:
    """Dates beside times of day, and positions in one column: as rules or as guesses."""
    free = own.select(unmapped(own, {}, result.rules))
    named = ispeed.column_map(own.columns, result.rules).get("measured_at")
    found = None if "measured_at" in result.rules else pairs.date_and_hour(free)
    if found is not None and (named is None or named.column in found.headings):
        day, hour = found.headings
        if found.is_sure:
            result.rules["measured_at"] = Rule(columns=(day, hour))
        else:
            result.together["measured_at"] = found
    if not {*POSITION} & set(result.rules) and (place := pairs.place_in_one(free)) is not None:
        for ours in POSITION:
            if place.is_sure:
                result.rules[ours] = Rule(place.headings[0])
            else:
                result.together[ours] = place


_UNIT_OPEN = ("unit_not_known", "unit_bits_or_bytes")


def _with_unit(ours: str, heading: str, cells: pl.Series) -> str:
    """The settings line of a guess; where the file states no unit, with the one of a usual size.

    Without one where the file states a unit that is not known: that is the next question.
    """
    plain_line = f"{ours} = {quoted(heading)}"
    decided = units.decide_unit(ours, heading, cells)
    if decided.question is not None and decided.question.code in _UNIT_OPEN:
        return plain_line
    is_stated = decided.form is not None and decided.question is None
    names = [decided.form.name] if is_stated and decided.form else []
    for name in dict.fromkeys([*names, *units.names_of(ours)]):
        unit = units.unit_of(ours, name)
        form = numbers.decide_numbers(cells.alias(heading), ours, None, unit=unit)
        if unit is None or form.form is None:
            continue
        read = numbers.read_numbers(cells, form.form).alias(heading)
        if units.contradiction(ours, unit, read) is None:
            return plain_line if name in names else units.settings_line(ours, heading, unit=name)
    return plain_line


def _may_be_speeds(own: pl.DataFrame, result: Mapped) -> dict[str, Guess]:
    """The question which column is the download: numbers that nothing else is read from."""
    found: dict[str, str] = {}
    for heading in unmapped(own, result.guesses, result.rules):
        cells = own[heading].cast(pl.String).str.replace(",", ".", literal=True)
        read = cells.cast(pl.Float64, strict=False).drop_nulls()
        is_whole = (read == read.round()).all()
        if len(read) > own.height / 2 and (read >= 0).all() and not is_whole:
            middle = float(np.median(read))
            median = said("median", median=float(f"{middle:.6g}"))
            found[heading] = joined(heading, median, by=": ")
    if not found:
        return {}
    evidence = joined(*list(found.values())[:_MOST_OTHERS])
    return {"download_mbps": Guess(None, evidence, "open", tuple(found)[:_MOST_OTHERS])}


def _other_use(ours: str, alias: Rule, guesses: Mapping[str, Guess]) -> str | None:
    """The column of ours that the values of a known heading speak for: a `uuid` of the phone."""
    found = [other for other, guess in guesses.items() if guess.column == alias.column]
    return found[0] if ours in IDS and found and found[0] in IDS and found[0] != ours else None


def _may_be(alias: Rule, guess: Guess | None) -> bool:
    """Whether a column with a known heading is taken although its values do not speak for it.

    Where no other column is as likely: it is empty, or its cells are then asked about.
    """
    if guess is None or guess.column == alias.column:
        return True
    return guess.column is None and guess.others == (alias.column,)


def _add_conditions(table: Table, about: About, result: Mapped) -> None:
    """The conditions on rows, and proposals for columns that call for some."""
    missing = [
        one for one in (*about.keep, *about.failed, *about.nr) if one not in table.sample.columns
    ]
    for section, conditions in (("keep", about.keep), ("failed", about.failed), ("nr", about.nr)):
        values: dict[str, object] = {"found": list(table.layout.names), "ours": section}
        result.questions += [
            Fault("missing_column", table.file, table.layout.heading_row, theirs, values)
            for theirs in conditions
            if theirs in missing
        ]
    # a column that the format documents needs no condition beyond the format's own
    declared = {
        folded(one.column) for c in result.about.columns.values() for one in c if one.column
    }
    settled = {*about.keep, *about.failed, *about.kept_whole}
    settled |= {name for name in table.layout.names if folded(name) in declared}
    result.keep = {theirs: one for theirs, one in about.keep.items() if theirs not in missing}
    result.failed = {theirs: one for theirs, one in about.failed.items() if theirs not in missing}
    for theirs, one in result.about.kept_by(list(table.layout.names)).items():
        if theirs not in settled:
            result.keep[theirs] = one
    own = [name for name in table.layout.names if name in table.sample.columns]
    used = {theirs for rule in result.rules.values() for theirs in rule.headings}
    left = unmapped(table.sample.select(own), result.guesses, result.rules)
    open_ones = [name for name in left if name not in {*settled, *result.keep, *used}]
    open_ones = [name for name in open_ones if not is_of_nr(name)]
    has_speed = _has_speed(table, result.rules.get("download_mbps"))
    result.proposals = proposed_conditions(table.sample.select(open_ones), has_speed)
    for proposal in result.proposals:
        every = f'{bare_key(proposal.heading)} = "*"'
        where = f"[sources.{about.name}.{proposal.section}]"
        is_keep = proposal.section == "keep"
        other = f"# {every}" if is_keep else f"# [sources.{about.name}.keep] {every}"
        code = "which_rows" if is_keep else "failed_with_speed"
        lines = [where, *proposal.lines, other]
        result.questions.append(
            table.fault(code, proposal.heading, found=proposal.evidence, lines=lines)
        )


def _has_speed(table: Table, rule: Rule | None) -> pl.Series | None:
    """Which rows of the sample have a download above zero; None where its column is not known."""
    if rule is None or rule.column is None or rule.column not in table.sample.columns:
        return None
    texts = plain(table.sample[rule.column]).cast(pl.String).str.strip_chars()
    first = texts.str.extract(r"^(\d+(?:[.,]\d+)?)").str.replace(",", ".", literal=True)
    return (first.cast(pl.Float64, strict=False) > 0).fill_null(value=False)


def _unmapped(table: Table, result: Mapped) -> list[Fault]:
    """Questions about columns that a test must have: one about all of which nothing is known."""
    headings, row = list(table.layout.names), table.layout.heading_row
    missing = [ours for ours in REQUIRED if ours not in result.rules]
    if result.about.lacking and missing:
        return [table.fault(result.about.lacking, ours=missing)]
    signs = Counter(sign for one in headings for sign in one if not sign.isalnum() and sign != "_")
    mark, count = max(signs.items(), key=lambda one: one[1], default=("", 0))
    if len(headings) == 1 and count >= len(REQUIRED) - 1:
        lines = [f"delimiter = {quoted(mark)}"]
        single: dict[str, object] = {"found": headings[0], "lines": lines}
        return [Fault("single_column", table.file, row, "", single)]
    faults = []
    for ours in missing:
        guess = result.guesses.get(ours)
        if ours in result.together:
            found, lines = result.together[ours].evidence, result.lines_together(ours)
            values: dict[str, object] = {"found": found, "lines": lines}
            faults.append(Fault("proposed_column", table.file, row, ours, values))
            continue
        if guess is not None:
            columns = [guess.column] if guess.column else guess.others
            lines = [f"{ours} = {quoted(one)}" for one in columns]
            if ours in result.units:
                lines = [result.units[ours]]
            values = {"found": guess.evidence, "lines": lines}
            faults.append(Fault("proposed_column", table.file, row, ours, values))
    known = {*result.guesses, *result.together}
    if unknown := [ours for ours in missing if ours not in known]:
        values = {"ours": unknown, "found": headings}
        faults.append(Fault("unmapped_column", table.file, row, "", values))
    return faults


# ── how the columns are written ──────────────────────────────────────────────────────────────────


def operator_counts(table: Table, rules: Mapping[str, Rule]) -> Counter[str]:
    """Rows of the sample by operator as met."""
    counts: Counter[str] = Counter()
    rule = rules.get("operator")
    if rule is not None and all(theirs in table.sample.columns for theirs in rule.headings):
        counts.update(_counted(_cells(table, "operator", rule)))
    return counts


def planned(
    table: Table, about: About, mapped: Mapped, operators: Decision[names.NameForm]
) -> Planned:
    """The plan of a table.

    `operators`: decided over all tables of a run, so that an operator has one name.
    """
    has_fences = mapped.about.kind == "fences"
    empty = Plan(mapped.format, {}, mapped.keep, mapped.failed, has_fences=has_fences)
    result = Planned(empty, list(mapped.questions))
    result.source, result.lines = about.name, mapped.lines()
    columns: dict[str, ColumnPlan] = {}
    for ours, rule in mapped.rules.items():
        if any(theirs not in table.sample.columns for theirs in rule.headings):
            continue
        made = _column_plan(table, about, mapped, ours, operators, result)
        if made is not None:
            columns[ours] = made
    _add_positions(table, about, mapped, columns, result)
    if "technology" in columns:
        _add_nr(table, about, mapped, columns["technology"], result)
    result.plan = replace(result.plan, columns=columns)
    result.questions += _of_trace(table, about, result.plan)
    used = result.plan.headings()
    result.unused = tuple(name for name in table.layout.names if name not in used)
    return result


def _add_nr(
    table: Table, about: About, mapped: Mapped, technology: ColumnPlan, result: Planned
) -> None:
    """The columns that say which rows named 4G are of 5G, and what is open about them."""
    form = cast("names.NameForm", technology.form)
    read = names.read_names(column(table.sample, technology), form).cast(pl.String)
    is_4g = (read == "4G").fill_null(value=False)
    own = [name for name in table.layout.names if name in table.sample.columns]
    rules = [rule for ours, rule in mapped.rules.items() if ours != "signal_dbm"]  # may be NR's
    used = {theirs for rule in rules for theirs in rule.headings}
    free = [name for name in own if name not in used]
    found = nr_rows(about.name, table.sample, is_4g, about.nr, about.as_named, free)
    result.plan = replace(result.plan, nr=found.nr)
    result.lines["nr"] = found.lines
    for question in found.questions:
        result.questions += _named(table, question)
    for warning in found.warnings:
        result.warnings += _named(table, warning)


def _of_trace(table: Table, about: About, plan: Plan) -> list[Fault]:
    """The question whether rows that follow one phone second by second are tests at all.

    Naming the format in the settings confirms that they are.
    """
    wanted = [plan.columns[ours] for ours in ("measured_at", *POSITION) if ours in plan.columns]
    is_known = about.format is not None or plan.has_fences  # which are no tests anyway
    if is_known or len(wanted) < len(("measured_at", *POSITION)):
        return []
    headings = [name for one in wanted for name in one.columns]
    rows = table.sample.head(_ROWS_OF_TRACE).select([*dict.fromkeys(headings), ROW])
    of_these = {one.ours: one for one in wanted}
    tests = read_tests("", "", rows, replace(plan, columns=of_these, keep={}, failed={}, nr={}))
    steps = trace.steps_of(tests["measured_at"], tests["latitude"], tests["longitude"])
    if not steps.is_trace:
        return []
    lines = [f'format = "{plan.format}"']
    seconds = joined(float(f"{steps.seconds:.2g}"), "s", by=" ")
    found = joined(seconds, joined(round(steps.metres), "m", by=" "), by=", ")
    return [table.fault("rows_by_second", wanted[0].columns[0], found=found, lines=lines)]


def _column_plan(
    table: Table,
    about: About,
    mapped: Mapped,
    ours: str,
    operators: Decision[names.NameForm],
    result: Planned,
) -> ColumnPlan | None:
    rule = mapped.rules[ours]
    if ours in POSITION:
        return None
    if ours == "measured_at":
        return _of(table, ours, rule, _times(table, about, rule, mapped.about), result)
    cells = _cells(table, ours, rule)
    if ours == "operator":
        return _of(table, ours, rule, operators, result)
    if ours == "technology":
        decided = names.decide_technologies(_counted(cells), about.technologies)
        if mapped.about.kind == "fences":  # no figure is made from them: nothing stops a run
            decided = replace(decided, question=None)
        if decided.form is not None and decided.question is None:
            result.warnings += _named(table, names.unknown_names(decided.form, _counted(cells)))
        return _of(table, ours, rule, decided, result)
    if ours in IDS:
        heading = rule.headings[0] if rule.headings else ""
        found = ids.decide_ids(cells, heading, ours=ours, one_device=bool(rule.value))
        if ours == "device_id" and rule.value and not rule.is_given:
            result.warnings.append(table.fault("one_phone", found=mapped.format, line=_BY_FILE))
        lost = sum(found.form.counts.values()) if found.form else 0
        if ours == "device_id" and lost > SHARED_IDS * len(cells):
            result.warnings.append(table.fault("ids_of_none", heading, found=found.evidence))
        return _of(table, ours, rule, found, result)
    return _number_plan(table, about, ours, rule, result)


def _times(
    table: Table, about: About, rule: Rule, source_format: Format
) -> Decision[times.TimeForm]:
    columns = [plain(table.sample[name]) for name in rule.headings]
    columns = columns or [_cells(table, "measured_at", rule)]
    decided = times.decide_times(
        columns,
        rule.headings[0] if rule.headings else "",
        about.timezone,
        given=rule.format,
        given_zone=about.has_timezone,
        format_zone=rule.zone or source_format.zone,
        latest=about.latest,
    )
    is_documented = decided.basis == "settings" and not rule.is_given
    return replace(decided, basis="format") if is_documented else decided


def _number_plan(
    table: Table, about: About, ours: str, rule: Rule, result: Planned
) -> ColumnPlan | None:
    cells, heading = _cells(table, ours, rule), (*rule.headings, "")[0]
    # no figure is made from jitter: what is open about it stops no run
    asked = result.warnings if ours == "jitter_ms" else result.questions
    decided = units.decide_unit(
        ours,
        heading,
        cells,
        given=rule.unit if rule.is_given else None,
        below=table.layout.unit_row.get(heading),
        alias=None if rule.is_given else rule.unit,
    )
    asked += _named(table, decided.question, heading)
    unit = decided.form
    if unit is None:
        return None
    mark = rule.decimal or about.decimal
    form = numbers.decide_numbers(cells.alias(heading), ours, mark, unit=unit)
    asked += _named(table, form.question, heading)
    if form.form is None:
        return None
    read = numbers.read_numbers(cells, form.form).alias(heading)
    if decided.basis != "settings":
        known = _without_marks(read, unit) if ours == "signal_dbm" else read
        asked += _named(table, units.contradiction(ours, unit, known), heading)
    failed = rule.failed or ()
    if ours == "download_mbps" and rule.failed is None:
        marks = numbers.decide_failed_marks(read)
        asked += _named(table, marks.question, heading)
        failed = marks.form or ()
    marks_in_ours = tuple(unit.in_ours(pl.Series(failed, dtype=pl.Float64)).to_list())
    evidence = joined(decided.evidence, form.evidence)
    made = ColumnPlan(ours, rule.headings, rule.value, form.form, unit, marks_in_ours)
    return replace(made, basis=decided.basis, evidence=evidence)


def _without_marks(signals: pl.Series, unit: units.Unit) -> pl.Series:
    """Signals (in `unit`) without marks for none: half of a column may hold them."""
    dbm = unit.in_ours(signals)
    low, high = NO_SIGNAL_DBM
    return signals.filter((dbm > high) & (dbm <= -low))


def _add_positions(
    table: Table, about: About, mapped: Mapped, columns: dict[str, ColumnPlan], result: Planned
) -> None:
    rules = [mapped.rules.get(ours) for ours in POSITION]
    first, second = rules
    if first is None or second is None:
        return
    if any(one not in table.sample.columns for rule in (first, second) for one in rule.headings):
        return
    latitude, longitude = (_cells(table, ours, mapped.rules[ours]) for ours in POSITION)
    is_joined = bool(first.headings) and first.headings == second.headings
    decimal = first.decimal or second.decimal or about.decimal
    decided = positions.decide_positions(
        latitude, None if is_joined else longitude, about.bounds, crs=about.crs, decimal=decimal
    )
    for ours, rule in zip(POSITION, (first, second), strict=True):
        result.questions += _named(table, decided.question, ours) if ours == "latitude" else []
        if decided.form is not None:
            columns[ours] = ColumnPlan(
                ours,
                rule.headings,
                rule.value,
                decided.form,
                basis=decided.basis,
                evidence=decided.evidence,
            )


def _of(
    table: Table, ours: str, rule: Rule, decided: Decision[Form], result: Planned
) -> ColumnPlan | None:
    """The plan of a column whose form was decided; its question joins the others."""
    heading = rule.headings[0] if rule.headings else ""
    if ours not in NAMES or ours == "technology":  # operators are asked about once for all tables
        result.questions += _named(table, decided.question, heading)
    if decided.form is None:
        return None
    return ColumnPlan(
        ours,
        rule.headings,
        rule.value,
        decided.form,
        basis=decided.basis,
        evidence=decided.evidence,
    )


def _named(table: Table, question: Fault | None, column: str = "") -> list[Fault]:
    """The question with the table's file and column; none of None."""
    if question is None:
        return []
    named = question.column or column
    return [replace(question, file=question.file or table.file, column=named)]


def _cells(table: Table, ours: str, rule: Rule) -> pl.Series:
    return column(table.sample, ColumnPlan(ours, rule.headings, rule.value))


def _counted(cells: pl.Series) -> dict[str, int]:
    counts = cells.cast(pl.String).alias("name").drop_nulls().value_counts()
    return {str(name): int(count) for name, count in counts.iter_rows()}
