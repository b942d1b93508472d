"""What a source holds, column by column, before anything is judged: the screen of `lomsong check`.

Does not belong here: deciding how columns are written (`planning.py`), words (`schema/texts.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from pipeline.sources.plan import Plan
from pipeline.sources.table import NAMES, column, is_present, plain

KEPT_VALUES = 20_000  # of a part's column, evenly spread: its median is theirs
EXAMPLES = 3


@dataclass
class ColumnProfile:
    """What one of our columns holds in the rows of a source."""

    filled: int = 0
    readable: int = 0
    low: float | None = None
    high: float | None = None
    values: list[float] = field(default_factory=list)  # some, evenly spread
    unreadable: Counter[str] = field(default_factory=Counter)
    met: Counter[tuple[str, str]] = field(default_factory=Counter)  # names: (ours, as met)

    def add(self, other: ColumnProfile) -> None:
        """Take in further rows."""
        self.filled += other.filled
        self.readable += other.readable
        lows = [one for one in (self.low, other.low) if one is not None]
        highs = [one for one in (self.high, other.high) if one is not None]
        self.low, self.high = min(lows, default=None), max(highs, default=None)
        self.values += other.values
        self.unreadable.update(other.unreadable)
        self.met.update(other.met)

    @property
    def median(self) -> float | None:
        """The median of the kept values."""
        found = pl.Series(self.values, dtype=pl.Float64).median()
        return found if isinstance(found, float) else None


Profile = dict[str, ColumnProfile]  # by our column


def profile_of(rows: pl.DataFrame, tests: pl.DataFrame, plan: Plan) -> Profile:
    """What the columns of some rows hold. `tests`: these rows as read by the plan."""
    return dict(_columns(rows, tests, plan))


def _columns(
    rows: pl.DataFrame, tests: pl.DataFrame, plan: Plan
) -> Iterator[tuple[str, ColumnProfile]]:
    # figures are of rows that are tests: uploads would halve a median
    kept = ~tests["unreadable"].str.contains("not_kept", literal=True) if plan.keep else None
    for ours, about in plan.columns.items():
        cells = column(rows, about)
        for other in about.columns[1:]:
            cells = cells.cast(pl.String) + " " + plain(rows[other]).cast(pl.String)
        read = tests["operator_met" if ours == "operator" else ours]
        held = is_present(cells)
        found = ColumnProfile(int(held.sum()), int((held & read.is_not_null()).sum()))
        if found.readable < found.filled:
            lost = cells.filter(held & read.is_null()).cast(pl.String).alias("cell")
            found.unreadable.update(_counted(lost, 50))
        if ours in NAMES:
            frame = pl.DataFrame({"ours": read.cast(pl.String), "met": cells.cast(pl.String)})
            counts = frame.drop_nulls().group_by("ours", "met").len()
            found.met.update({(one, met): count for one, met, count in counts.iter_rows()})
        elif read.dtype.is_numeric():
            known = (read if kept is None else read.filter(kept)).drop_nulls()
            if len(known):
                found.low, found.high = float(known.min()), float(known.max())  # type: ignore[arg-type]
                found.values = known.gather_every(-(-len(known) // KEPT_VALUES)).to_list()
        yield ours, found


def _counted(cells: pl.Series, most: int) -> dict[str, int]:
    counts = cells.value_counts(sort=True).head(most)
    return {str(cell): int(count) for cell, count in counts.iter_rows()}


def merged(profiles: list[Profile]) -> Profile:
    """The profile of all rows."""
    total: Profile = {}
    for profile in profiles:
        for ours, one in profile.items():
            total.setdefault(ours, ColumnProfile()).add(one)
    return total
