"""How a raw table is read: which of its columns become ours, in which form, and which rows count.

A plan is decided once for all files with the same headings, and is plain data: workers read every
part by it. Does not belong here: deciding (`planning.py`), reading (`table.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.sources.cells.decision import Basis
from pipeline.sources.cells.ids import IdForm
from pipeline.sources.cells.names import NameForm
from pipeline.sources.cells.numbers import NumberForm
from pipeline.sources.cells.positions import PositionForm
from pipeline.sources.cells.times import TimeForm
from pipeline.sources.cells.units import Unit
from pipeline.sources.formats.declaration import Condition
from pipeline.sources.formats.nr_signs import Sign

Form = NumberForm | TimeForm | PositionForm | NameForm | IdForm


@dataclass(frozen=True)
class ColumnPlan:
    """How one of our columns is read from a table.

    `columns`: headings (a date and a time of day may stand in two); none: the constant `value`.
    `failed`: numbers that stand for a failed test. `basis`, `evidence`: how form and unit are
    known.
    """

    ours: str
    columns: tuple[str, ...] = ()
    value: str | None = None
    form: Form | None = None
    unit: Unit | None = None
    failed: tuple[float, ...] = ()
    basis: Basis = "default"
    evidence: str = ""


@dataclass(frozen=True)
class Plan:
    """How a table is read.

    `keep`: heading → which of its values a row of a test has. `failed`: heading → which of its
    values a test has that failed. `nr`: heading → which of its values say that a test named 4G was
    of 5G. `has_fences`: rows are stretches with pings and no speed, never tests.
    """

    format: str
    columns: Mapping[str, ColumnPlan] = field(default_factory=dict)
    keep: Mapping[str, Condition] = field(default_factory=dict)
    failed: Mapping[str, Condition] = field(default_factory=dict)
    nr: Mapping[str, Condition | Sign] = field(default_factory=dict)
    has_fences: bool = False

    def headings(self) -> list[str]:
        """The headings that are read, ascending."""
        read = {name for one in self.columns.values() for name in one.columns}
        return sorted(read.union(self.keep, self.failed, self.nr))
