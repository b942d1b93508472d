"""Which raw tables a source's paths name: files, sheets, archive members and layers.

Does not belong here: what stands in them (`tables.py` and the modules of each container).
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.schema.errors import Fault, UserFault, fault
from pipeline.sources.containers import archives, geodata, kinds, workbooks
from pipeline.sources.containers.archives import (
    SIDECARS,
    SUFFIXES,
    WITHIN,
    Delivery,
    is_note,
    is_scratch,
    suffix_of,
)

_SAME = 0.5  # headings that two tables share at least, of all that either has, to be one table
_MAIN = 5  # a table with as many times the rows of all others is the one that is meant


@dataclass
class Survey:
    """The raw tables of a source, what was passed over, and files that cannot be opened."""

    deliveries: list[Delivery] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def deliveries(patterns: Sequence[str], how: dict[str, Any] | None = None) -> list[Delivery]:
    """The raw tables of a source, sorted by path; of a workbook its sheets in their order.

    `how`: `sheet` and `layer` choose one. Raises `UserFault`: a pattern that meets no file, an
    archive that is not safe, sheets or layers that differ and none is chosen. A damaged workbook or
    layer is listed: reading it says what is wrong.
    """
    found = survey(patterns, how)
    if found.faults:
        raise UserFault(found.faults)
    return found.deliveries


def notes(patterns: Sequence[str], how: dict[str, Any] | None = None) -> list[Fault]:
    """What of a source was passed over, with counts, as warnings without the source's name."""
    return survey(patterns, how).notes


def survey(
    patterns: Sequence[str],
    how: dict[str, Any] | None = None,
    names: Mapping[Path, str] | None = None,
) -> Survey:
    """The raw tables of a source, what was passed over, and every fault.

    `names`: of files in tables, where other sources have files too (`unique_names`).
    """
    found, paths = Survey(), set()
    for pattern in patterns:
        met = _expand(pattern)
        if not met:
            found.faults.append(_nothing_met(pattern))
        paths.update(met)
    ordered = sorted({path.resolve() for path in paths})  # a file by two paths is read once
    if others := passed_over(patterns):
        values: dict[str, object] = {"found": others, "expected": SUFFIXES}
        found.notes.append(Fault("passed_over", values=values))
    if links := named_again(patterns):
        found.notes.append(Fault("named_again", values={"found": links}))
    missed = {one.file for one in found.faults if one.code == "broken_links"}
    if broken := broken_links([one for one in patterns if one not in missed]):
        found.notes.append(Fault("broken_links", values={"found": broken}))
    own = unique_names(ordered)
    for path in ordered:
        name = (names or own).get(path, own[path])
        try:
            found.deliveries += _tables(Delivery(path, name), how or {}, found.notes)
        except UserFault as error:
            found.faults += error.faults
    return found


def _nothing_met(pattern: str) -> Fault:
    """Why a pattern meets no file."""
    if broken := broken_links([pattern]):
        return Fault("broken_links", pattern, values={"found": broken})
    is_folder, is_glob = Path(pattern).is_dir(), glob.has_magic(pattern)
    code = "empty_folder" if is_folder else "empty_glob" if is_glob else "missing_file"
    return Fault(code, pattern, values={"expected": SUFFIXES})


def named_again(patterns: Sequence[str]) -> list[str]:
    """Names of files that a source names more than once: by two patterns, or by a link too."""
    met = Counter(path.resolve() for pattern in patterns for path in _expand(pattern))
    return sorted(path.name for path, count in met.items() if count > 1)


def passed_over(patterns: Sequence[str]) -> list[str]:
    """Names of files in a source's folders that are of no readable type, to be reported."""
    known = (*SUFFIXES, *SIDECARS, ".md")
    return sorted(
        path.name
        for path in _in_folders(patterns)
        if path.is_file() and (suffix_of(path) not in known or is_note(path.name))
    )


def broken_links(patterns: Sequence[str]) -> list[str]:
    """Symbolic links of a source whose targets are missing, to be reported.

    In a folder a link is named by its path below the folder.
    """
    found = set()
    for pattern in patterns:
        folder = Path(pattern)
        if folder.is_dir():
            links = {path: path.relative_to(folder).as_posix() for path in folder.rglob("*")}
        else:
            # Path.glob takes no absolute patterns
            paths = map(Path, (pattern, *glob.glob(pattern, recursive=True)))  # noqa: PTH207
            links = {path: path.name for path in paths}
        found |= {name for path, name in links.items() if _is_broken(path)}
    return sorted(found)


def _is_broken(path: Path) -> bool:
    return path.is_symlink() and not path.exists() and not is_scratch(path.name)


def _in_folders(patterns: Sequence[str]) -> list[Path]:
    folders = [Path(p) for p in patterns if Path(p).is_dir()]
    return [p for folder in folders for p in folder.rglob("*") if not is_scratch(p.name)]


def _expand(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.is_file() and suffix_of(p) in SUFFIXES]
        found = [p for p in found if not is_note(p.name)]
    else:
        met = glob.glob(pattern, recursive=True)  # noqa: PTH207 – a pattern may be absolute
        found = [p for p in map(Path, met) if p.is_file()]
        found = [p for p in found if suffix_of(p) not in SIDECARS]
    return [p for p in found if not is_scratch(p.name)]


def paths_of(patterns: Iterable[str]) -> set[Path]:
    """The files that patterns meet, each by its real path."""
    return {path.resolve() for pattern in patterns for path in _expand(pattern)}


def unique_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Each path's name in tables, sorted by path. Only names that clash carry their folder."""
    paths = sorted(set(paths))
    depth = 1
    while True:
        names = ["/".join(p.parts[-depth:]) for p in paths]
        counts = Counter(names)
        if max(counts.values(), default=1) == 1:
            break
        depth += 1
    short = Counter(p.name for p in paths)
    return {p: p.name if short[p.name] == 1 else name for p, name in zip(paths, names, strict=True)}


def _tables(whole: Delivery, how: dict[str, Any], notes: list[Fault]) -> list[Delivery]:
    """The raw tables of one file."""
    if whole.path.suffix.lower() not in archives.ARCHIVES:
        return _in_file(whole, how, notes)
    members, others = archives.members(whole.path, whole.name)
    if others:
        values: dict[str, object] = {"found": others, "expected": SUFFIXES}
        notes.append(Fault("passed_over", whole.name, values=values))
    if not members:
        raise fault("empty_folder", whole.name, expected=SUFFIXES)
    found = []
    for member in members:
        name = whole.name if len(members) == 1 else f"{whole.name}{WITHIN}{member}"
        found += _in_file(replace(whole, name=name, inside=member), how, notes)
    return found


def _in_file(whole: Delivery, how: dict[str, Any], notes: list[Fault]) -> list[Delivery]:
    """The tables of a file or archive member: sheets and layers."""
    try:
        kind = kinds.kind_of(whole)
        if kind == "workbook":
            return _sheets(whole, how, notes)
        if kind == "geodata":
            return _layers(whole, how, notes)
    except UserFault as error:
        if {one.code for one in error.faults} <= {
            "unreadable_file",
            "empty_file",
            "unknown_suffix",
            "locked_file",
        }:
            return [whole]  # reading it says what is wrong
        raise
    return [whole]


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    row_count: int


def _sheets(whole: Delivery, how: dict[str, Any], notes: list[Fault]) -> list[Delivery]:
    held = workbooks.sheets(whole)
    wanted = how.get("sheet")
    if wanted is not None:
        chosen = [s for n, s in enumerate(held) if wanted in (s.name, n)]
        if not chosen:
            expected = [sheet.name for sheet in held]
            raise fault("no_such_sheet", whole.name, found=wanted, expected=expected)
        others = [sheet for sheet in held if sheet not in chosen and sheet.row_count]
        _note(notes, whole, "sheets_passed_over", [(s.name, s.row_count) for s in others])
        return [_within(whole, chosen[0].name, is_one=True)]
    visible = [sheet for sheet in held if sheet.is_visible]
    if not visible or not any(sheet.row_count for sheet in visible):
        visible = held
    hidden = [sheet for sheet in held if sheet not in visible]
    _note(notes, whole, "hidden_sheets", [(sheet.name, sheet.row_count) for sheet in hidden])
    tables = []
    for sheet in visible:
        about = workbooks.layout_of(sheet, how.get("heading_row"))
        rows = sheet.row_count - (_rows_above(sheet, about.first_row) if about else 0)
        names = about.names if about is not None and rows > 0 else ()
        tables.append(_Table(sheet.name, names, rows if names else sheet.row_count))
    return _chosen(whole, tables, notes, "sheets")


def _rows_above(sheet: workbooks.Sheet, first_row: int) -> int:
    """Rows of headings and titles that hold something."""
    return sum(any(row) for row in sheet.first[: first_row - 1])


def _layers(whole: Delivery, how: dict[str, Any], notes: list[Fault]) -> list[Delivery]:
    held = geodata.layers(whole)
    wanted = how.get("layer")
    if wanted is not None:
        if wanted not in [layer.name for layer in held]:
            expected = [layer.name for layer in held]
            raise fault("no_such_layer", whole.name, found=wanted, expected=expected)
        others = [(layer.name, layer.count) for layer in held if layer.name != wanted]
        _note(notes, whole, "layers_passed_over", others)
        return [_within(whole, wanted, is_one=True)]
    tables = [
        _Table(layer.name, layer.columns if layer.count else (), layer.count) for layer in held
    ]
    return _chosen(whole, tables, notes, "layers")


def _chosen(whole: Delivery, tables: list[_Table], notes: list[Fault], what: str) -> list[Delivery]:
    """The tables that are one by their headings. Raises `UserFault` where several differ."""
    groups: list[list[_Table]] = []
    for table in tables:
        same = [group for group in groups if _is_same(group[0], table)]
        if same:
            same[0].append(table)
        elif table.columns:
            groups.append([table])
    if not groups:
        return [whole]
    main = max(groups, key=_row_count)
    narrow = 3 if len(main[0].columns) > 2 else 1  # no table of tests has fewer columns
    rest = [g for g in groups if g is not main and len(g[0].columns) >= narrow]
    if sum(map(_row_count, rest)) * _MAIN > _row_count(main):
        code = "which_sheet" if what == "sheets" else "which_layer"
        found = [f"{table.name} ({table.row_count})" for group in groups for table in group]
        raise fault(code, whole.name, found=found, expected=main[0].name)
    others = [(table.name, table.row_count) for table in tables if table not in main]
    _note(notes, whole, f"{what}_passed_over", others)
    return [_within(whole, table.name, is_one=len(main) == 1) for table in main]


def _row_count(group: list[_Table]) -> int:
    return sum(table.row_count for table in group)


def _is_same(one: _Table, other: _Table) -> bool:
    a, b = ({name.casefold() for name in table.columns} for table in (one, other))
    return len(a & b) >= _SAME * len(a | b)


def _within(whole: Delivery, part: str, *, is_one: bool) -> Delivery:
    inside = f"{whole.member}{WITHIN}{part}" if whole.member else part
    name = whole.name if is_one else f"{whole.name}{WITHIN}{part}"
    return replace(whole, name=name, inside=inside)


def _note(notes: list[Fault], whole: Delivery, code: str, found: list[tuple[str, int]]) -> None:
    if found:
        shown = [f"{name} ({count})" for name, count in found]
        notes.append(Fault(code, whole.name, values={"found": shown}))
