"""Columns of names: which operator (and brand) or technology each distinct name means.

Names are compared without case, spaces, invisible characters and Unicode form. Words of phones
without network ("Emergency calls only") are a result of their own, not an unknown operator. Does
not belong here: the spellings themselves (`operators.py`, `technologies.py`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from pipeline.schema.errors import Fault
from pipeline.schema.fields import ALL
from pipeline.schema.texts import Said, joined, said
from pipeline.sources.cells import technologies
from pipeline.sources.cells.decision import Basis, Decision
from pipeline.sources.cells.operators import (
    Brand,
    Code,
    OperatorTable,
    contradicts,
    found_in,
    is_no_coverage,
    is_no_service,
    network_code,
)
from pipeline.sources.cells.spellings import is_missing, name_key, tidy

MANY = 0.10  # share of the named rows from which names that are not understood are a question
_LISTED = 20  # names that a question or warning shows

Given = Mapping[str, tuple[str, ...]]
_BARE_CODE = re.compile(r"\d{1,3}(?:\.0)?")  # a network code without its country


@dataclass(frozen=True)
class NameForm:
    """What the names of a column mean; what `read_names` needs for names that the sample lacked.

    `names`: as met → ours; None: missing, no service, or not understood. `brands`: as met → the
    name under which the network was sold, where that is another than the operator's. `reasons`: as
    met → why it is not understood.
    """

    kind: Literal["operator", "technology"]
    names: Mapping[str, str | None]
    brands: Mapping[str, str] = field(default_factory=dict)
    no_service: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    reasons: Mapping[str, str] = field(default_factory=dict)
    given: Given = field(default_factory=dict, repr=False)
    shipped: OperatorTable = field(default_factory=OperatorTable, repr=False)
    numbers: Mapping[str, str] = field(default_factory=dict)  # technologies by key of their number


def decide_operators(
    counts: Mapping[str, int], given: Given, shipped: OperatorTable
) -> Decision[NameForm]:
    """What a column's operators are. `counts`: rows by distinct name as met.

    `given`: the settings' [operators], ours → names as met; then only these operators count, and
    `shipped` only adds spellings of them. Without it an operator of `shipped` has its name there,
    any other is the name as met: spellings with one `name_key` are one operator, shown in the most
    frequent spelling (ties: the first by code point). A network code in any spelling is met by the
    same code in another. The question is asked where many rows (10 %) have names that are not
    understood.
    """
    form = _operators(counts, given, shipped, {})
    basis: Basis = "settings" if given else "values"
    return Decision(form, basis, _evidence(form, counts), _question(form, counts))


def decide_technologies(counts: Mapping[str, int], given: Given) -> Decision[NameForm]:
    """What a column's technologies are: 2G, 3G, 4G, 5G or wifi. `counts`: rows by distinct name.

    `given`: the settings' [technologies]. Numbers are read by all of the column: see
    `technologies.numbered`. A test of more than one technology has none (reason `mixed`).
    """
    numbers, how = technologies.numbered(counts)
    keys = {name_key(text): ours for text, ours in numbers.items()}
    form = _technologies(counts, given, keys)
    evidence = joined(_evidence(form, counts), said(f"numbers_of_{how}") if how else "")
    return Decision(form, "settings" if given else "values", evidence, _question(form, counts))


def unknown_names(
    form: NameForm, counts: Mapping[str, int], *, is_question: bool = False
) -> Fault | None:
    """The names that were not understood, with counts and the settings lines to paste.

    None where all were. A warning, or with `is_question` the question that stops `run`.
    """
    open_names = {name: counts.get(name, 0) for name in form.reasons}
    if not open_names:
        return None
    ordered = sorted(open_names, key=lambda name: (-open_names[name], name))
    shown = [_with_count(tidy(name), open_names[name]) for name in ordered[:_LISTED]]
    if len(ordered) > _LISTED:
        rest = sum(open_names[name] for name in ordered[_LISTED:])
        shown.append(_with_count(f"+ {len(ordered) - _LISTED}", rest))
    found = {"found": joined(*shown, by=", "), "lines": _lines(form, ordered[:_LISTED])}
    if form.kind == "operator":
        code = "ask_operators" if is_question else "operators_not_understood"
    else:
        code = "ask_technologies" if is_question else "technologies_not_understood"
    return Fault(code, values=dict(found))


def read_names(column: pl.Series, form: NameForm) -> pl.Series:
    """Names in our words, an Enum of the words that the column holds.

    Each distinct name is read once; names that the form lacks are read by the same rules.
    """
    return _gathered(column, lambda met: _completed(form, met).names)


def read_brands(column: pl.Series, form: NameForm) -> pl.Series:
    """Brands (an Enum): the name under which the network was sold; null: the operator itself."""
    return _gathered(column, lambda met: dict(_completed(form, met).brands))


def is_without_service(column: pl.Series, form: NameForm) -> pl.Series:
    """Which cells say that the phone had no network."""
    met = column.cast(pl.String)
    words = _completed(form, _distinct(met)).no_service
    return met.is_in(sorted(words)).fill_null(False)


def is_without_coverage(column: pl.Series) -> pl.Series:
    """Which cells say that the phone looked for its network and found none."""
    met = column.cast(pl.String)
    return met.is_in([one for one in _distinct(met) if is_no_coverage(one)]).fill_null(False)


def _distinct(texts: pl.Series) -> list[str]:
    return texts.unique().drop_nulls().sort().to_list()


def _gathered(
    column: pl.Series, reading: Callable[[list[str]], Mapping[str, str | None]]
) -> pl.Series:
    texts = column.cast(pl.String)
    met = _distinct(texts)
    read = reading(met)
    found = [read.get(name) for name in met]
    words = pl.Enum(sorted({name for name in found if name is not None}))
    place = texts.cast(pl.Enum(met)).to_physical()
    return pl.Series(column.name, found, dtype=words).gather(place).alias(column.name)


def _completed(form: NameForm, met: list[str]) -> NameForm:
    """The form with names that it lacks; these never change what it says of others."""
    new = {name: 1 for name in met if name not in form.names}
    if not new:
        return form
    if form.kind == "technology":
        return _technologies(new, form.given, form.numbers, form.names)
    return _operators(new, form.given, form.shipped, form.names)


# --- operators


@dataclass
class _Given:
    """The settings' [operators] by key and network code."""

    keys: dict[str, str]
    codes: dict[Code, str]
    of_shipped: dict[str, str]  # the shipped table's operator → ours
    table: OperatorTable

    def ours(self, text: str) -> str | None:
        if (key := name_key(text)) in self.keys:
            return self.keys[key]
        code = network_code(text)
        return self.codes.get(code) if code is not None else None


def _as_given(given: Given, shipped: OperatorTable) -> _Given:
    keys = {name_key(met): ours for ours, all_met in given.items() for met in (ours, *all_met)}
    codes: dict[Code, str] = {}
    of_shipped: dict[str, str] = {}
    for ours, all_met in given.items():
        for met in (ours, *all_met):
            if (code := network_code(met)) is not None:
                codes[code] = ours
            found = found_in(shipped, met)
            # an operator that the settings spell by a brand of its network is still that brand
            if isinstance(found, str):
                of_shipped.setdefault(found, ours)
    return _Given(keys, codes, of_shipped, shipped)


@dataclass(frozen=True)
class _Meaning:
    """What one name means. All empty: an operator that neither settings nor table know."""

    ours: str | None = None
    brand: str | None = None
    reason: str = ""  # why it is not understood
    none: Literal["", "missing", "no_service"] = ""


def _meaning(name: str, given: _Given, *, is_closed: bool) -> _Meaning:
    """`is_closed`: whether only the operators of the settings count."""
    found = found_in(given.table, name)
    if (ours := given.ours(name)) is not None:
        is_other = isinstance(found, Brand) and name_key(found.name) != name_key(ours)
        return _Meaning(ours, found.name if isinstance(found, Brand) and is_other else None)
    if is_missing(name) or name_key(name) == ALL:  # `all` is the name of the pooled rows
        return _Meaning(none="missing")
    if is_no_service(name):
        return _Meaning(none="no_service")
    if found is not None:
        return _of_table(found, given, is_closed=is_closed)
    reason = "unknown" if is_closed else ""
    if contradicts(given.table, name):
        reason = "contradiction"
    elif _BARE_CODE.fullmatch(name.strip()):
        reason = _of_bare_code(int(float(name)), given.table)
    return _Meaning(reason=reason)


def _of_bare_code(number: int, table: OperatorTable) -> str:
    """The reason of a network code without its country, `04`: likely, never sure."""
    hosts = {ours for (_, mnc), ours in table.codes.items() if mnc == number}
    return f"host:{hosts.pop()}" if len(hosts) == 1 else "unknown"


def _of_table(found: str | Brand, given: _Given, *, is_closed: bool) -> _Meaning:
    """The meaning of an operator or brand of the shipped table."""
    if isinstance(found, Brand) and not found.host:
        likely = given.of_shipped.get(found.likely, "") if is_closed else found.likely
        return _Meaning(reason=f"host:{likely}")
    network = found.host if isinstance(found, Brand) else found
    ours = given.of_shipped.get(network) if is_closed else network
    if ours is None:
        return _Meaning(reason="unknown")
    return _Meaning(ours, found.name if isinstance(found, Brand) else None)


def _operators(
    counts: Mapping[str, int], given: Given, shipped: OperatorTable, known: Mapping[str, str | None]
) -> NameForm:
    as_given = _as_given(given, shipped)
    every = dict.fromkeys((*known, *counts))
    meanings = {name: _meaning(name, as_given, is_closed=bool(given)) for name in every}
    as_met: dict[object, list[str]] = defaultdict(list)
    for name, one in meanings.items():
        if one == _Meaning():
            as_met[network_code(name) or name_key(name)].append(name)
    shown = {
        name: _shown(spellings, counts, known)
        for spellings in as_met.values()
        for name in spellings
    }
    return NameForm(
        "operator",
        {name: shown.get(name, one.ours) for name, one in meanings.items()},
        {name: one.brand for name, one in meanings.items() if one.brand is not None},
        frozenset(name for name, one in meanings.items() if one.none == "no_service"),
        frozenset(name for name, one in meanings.items() if one.none == "missing"),
        {name: one.reason for name, one in meanings.items() if one.reason},
        given,
        shipped,
    )


def _shown(spellings: list[str], counts: Mapping[str, int], known: Mapping[str, str | None]) -> str:
    """The most frequent spelling as shown; a spelling decided before stays."""
    decided = [ours for name in spellings if (ours := known.get(name)) is not None]
    if decided:
        return decided[0]
    tallies: Counter[str] = Counter()
    for name in spellings:
        tallies[tidy(name)] += counts.get(name, 0)
    return min(tallies, key=lambda name: (-tallies[name], name))


# --- technologies


def _technologies(
    counts: Mapping[str, int],
    given: Given,
    numbers: Mapping[str, str],
    known: Mapping[str, str | None] | None = None,
) -> NameForm:
    keys = {name_key(met): ours for ours, all_met in given.items() for met in all_met}
    names: dict[str, str | None] = {}
    reasons: dict[str, str] = {}
    missing: set[str] = set()
    no_service: set[str] = set()
    for name in (*(known or {}), *(name for name in counts if name not in (known or {}))):
        key = name_key(name)
        names[name] = None
        if key in keys or key in numbers:
            names[name] = keys.get(key) or numbers[key]
        elif is_missing(name):
            missing.add(name)
        elif is_no_service(name):
            no_service.add(name)
        else:
            read = technologies.technology_of(name)
            if read in technologies.TECHNOLOGIES:
                names[name] = read
            else:
                reasons[name] = read or "unknown"
    return NameForm(
        "technology",
        names,
        no_service=frozenset(no_service),
        missing=frozenset(missing),
        reasons=reasons,
        given=given,
        numbers=numbers,
    )


# --- what is said of it


def _with_count(name: str, found: object) -> Said:
    return joined(name, " (", found, ")", by="")


def _evidence(form: NameForm, counts: Mapping[str, int]) -> Said:
    """`Viettel 72 (VIETTEL 24, Viettel 48), no service 3, not understood 2`."""
    by_ours: dict[str, list[str]] = defaultdict(list)
    for name, ours in form.names.items():
        if ours is not None:
            by_ours[ours].append(name)
    sizes = {ours: sum(counts.get(n, 0) for n in met) for ours, met in by_ours.items()}
    parts: list[Said] = []
    for ours in sorted(by_ours, key=lambda one: (-sizes[one], one)):
        met = sorted(by_ours[ours], key=lambda name: (-counts.get(name, 0), name))
        spelled = [joined(tidy(name), counts.get(name, 0), by=" ") for name in met[:6]]
        more = f"+ {len(met) - 6}" if len(met) > 6 else ""
        is_plain = len(met) == 1 and tidy(met[0]) == ours
        one = joined(ours, sizes[ours], by=" ")
        parts.append(one if is_plain else _with_count(one, joined(*spelled, more, by=", ")))
    if form.no_service:
        parts.append(said("no_service", count=_rows_of(form.no_service, counts)))
    if form.missing:
        parts.append(said("missing", count=_rows_of(form.missing, counts)))
    if form.reasons:
        parts.append(said("not_understood", count=_rows_of(form.reasons, counts)))
    return joined(*parts, by=", ")


def _rows_of(names: Iterable[str], counts: Mapping[str, int]) -> int:
    return sum(counts.get(name, 0) for name in names)


def _question(form: NameForm, counts: Mapping[str, int]) -> Fault | None:
    # a test of two technologies is of neither: there is nothing to ask
    lost = sum(counts.get(n, 0) for n, why in form.reasons.items() if why != technologies.MIXED)
    named = sum(counts.values()) - sum(counts.get(name, 0) for name in form.missing)
    if not lost or lost < MANY * named:
        return None
    return unknown_names(form, counts, is_question=True)


def _lines(form: NameForm, ordered: list[str]) -> tuple[str, ...]:
    """The settings' section with the names that were not understood, whole: to replace the old."""
    section: dict[str, list[str]] = {ours: list(met) for ours, met in form.given.items()}
    comments: dict[str, Said] = {}
    if form.kind == "technology":
        asked = [tidy(name) for name in ordered if form.reasons[name] != technologies.MIXED]
        section["4G"] = [*section.get("4G", ()), *dict.fromkeys(asked)]
        comments["4G"] = said("or_one_of", others='"2G", "3G", "5G", "wifi"')
    else:
        if not form.given:  # with [operators] only the operators that it lists count
            section = {ours: [] for ours in sorted({o for o in form.names.values() if o})}
        by_key: dict[str, list[str]] = defaultdict(list)
        for name in ordered:
            by_key[name_key(name)].append(name)
        for met in by_key.values():
            reason = form.reasons[met[0]]
            likely = reason.partition(":")[2] if reason.startswith("host:") else ""
            ours = likely or tidy(met[0])
            section.setdefault(ours, []).append(tidy(met[0]))
            if reason.startswith("host:"):
                comments[ours] = said("which_network", name=tidy(met[0]))
    # which technology a word means is open: nobody chooses it by pasting
    open_ones = {"4G"} if form.kind == "technology" and "4G" not in form.given else set()
    lines = [
        joined(
            f"{'# ' * (ours in open_ones)}{_toml_key(ours)} = {_toml(met)}",
            comments.get(ours, ""),
            by="  ",
        )
        for ours, met in section.items()
    ]
    return ("[technologies]" if form.kind == "technology" else "[operators]", *lines)


def _toml_key(text: str) -> str:
    is_bare = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    return text if is_bare else _quoted(text)


def _toml(texts: list[str]) -> str:
    return "[" + ", ".join(_quoted(text) for text in texts) + "]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
