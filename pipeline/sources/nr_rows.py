"""Which rows named 4G are read as 5G: what is sure, what the settings say, what is asked about.

Does not belong here: what headings and values say (`formats/nr_signs.py`), reading (`table.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.schema.errors import Fault
from pipeline.sources.formats.declaration import Condition, bare_key
from pipeline.sources.formats.keep import Proposal
from pipeline.sources.formats.nr_signs import Sign, nr_columns, shown, value_counts


@dataclass
class NrRows:
    """What of a table's columns says that NR carried a test; what is asked and said about it.

    `nr`: heading → which values say so. `lines`: to paste under `[sources.NAME.nr]`.
    """

    nr: dict[str, Condition | Sign] = field(default_factory=dict)
    questions: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def nr_rows(
    source: str,
    frame: pl.DataFrame,
    is_4g: pl.Series,
    given: Mapping[str, Condition],
    as_named: frozenset[str],
    free: list[str],
) -> NrRows:
    """How rows named 4G are found that are of 5G.

    `frame`: a sample under the file's headings; `is_4g`: which of its rows are named 4G. `given`,
    `as_named`: the settings' `[sources.NAME.nr]`; the latter change nothing, which is a warning
    where their values speak for NR. `free`: headings that nothing else is read from.
    """
    found = nr_columns(frame.select(free), is_4g)
    settled = {*given, *as_named}
    result = NrRows({theirs: one for theirs, one in given.items() if theirs in frame.columns})
    result.nr |= {theirs: one for theirs, one in found.sure.items() if theirs not in settled}
    for theirs, one in result.nr.items():
        lines = [f"[sources.{source}.nr]", _as_named_line(theirs)]
        result.warnings += _counted("nr_rows", frame[theirs], one, is_4g, lines)
    left: dict[str, Condition | Sign] = {**found.sure}
    left |= {one.heading: _every_value(one) for one in found.proposals}
    for theirs in sorted(as_named & set(left)):
        result.warnings += _counted("nr_left", frame[theirs], left[theirs], is_4g, [])
    for proposal in found.proposals:
        if proposal.heading in settled:
            continue
        result.lines += proposal.lines
        every = f"# {_as_named_line(proposal.heading)}"
        values: dict[str, object] = {
            "found": proposal.evidence,
            "lines": [f"[sources.{source}.nr]", *proposal.lines, every],
        }
        result.questions.append(Fault("nr_open", column=proposal.heading, values=values))
    return result


def _as_named_line(heading: str) -> str:
    return f'{bare_key(heading)} = "*"'


def _every_value(proposal: Proposal) -> Condition:
    condition = proposal.condition
    return Condition((*proposal.beside, *condition.one_of), (), condition.low, condition.high)


def _counted(
    code: str, cells: pl.Series, one: Condition | Sign, is_4g: pl.Series, lines: list[str]
) -> list[Fault]:
    """The warning with the rows named 4G that a column says NR carried; none where it says none."""
    counts = value_counts(cells.filter(one.holds(cells) & is_4g))
    if not counts:
        return []
    # warnings are published: of signals in dBm only the bounds
    bounds = one.toml() if isinstance(one, Condition) and not one.one_of else None
    found = bounds or shown(counts, counts)
    of = int(is_4g.sum())
    values: dict[str, object] = {"count": sum(counts.values()), "of": of, "found": found}
    return [Fault(code, column=cells.name, values=values | ({"lines": lines} if lines else {}))]
