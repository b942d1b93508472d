"""What a period asks of the rows: its windows, the months of the tracker, operators, known places.

Does not belong here: what is made of the answers (`evidence.py`, `monthly.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.config.rules import ScopeRules
from pipeline.schema.fields import TECHNOLOGIES
from pipeline.schema.periods import Period

SUMMARY_SPANS = ("period", "window", "rolling_12")
Window = tuple[date, date]  # first and last day


@dataclass(frozen=True)
class Names:
    """What the numbers in aggregates stand for."""

    communes: npt.NDArray[np.object_]  # commune_code by zone
    operators: list[str]

    @property
    def pooled(self) -> int:
        """The number of the commune's row over all operators."""
        return len(self.operators)


def no_names() -> Names:
    """Names of no communes and operators."""
    return Names(np.zeros(0, dtype=object), [])


@dataclass(frozen=True)
class Event:
    """Samples dated `first` to `last` (both included; `first` None: from the beginning) are out.

    Of the operator (number; None: of all) in the area: a commune (`zone`), an H3 cell (`cell`), or
    a circle (`circle`: latitude, longitude in degrees, radius in km; in its commune if `zone` is
    given). `at`: the date of the event.
    """

    at: date
    kind: str
    first: date | None
    last: date
    operator: int | None = None
    zone: int | None = None
    cell: int | None = None
    circle: tuple[float, float, float] | None = None

    def is_since(self, day: date) -> bool:
        """Whether it begins, or as an outage ends, on that day or later."""
        return max(self.at, self.last) >= day

    def leaves_out(self, day: date) -> bool:
        """Whether samples of that day are out."""
        return (self.first or date.min) <= day <= self.last


@dataclass(frozen=True)
class Scope:
    """What the aggregates are asked for."""

    windows: tuple[Window, ...]  # the first is the base window
    valued: tuple[int, ...]  # windows that verdicts rest on: numbers into `windows`
    summarised: tuple[int, ...]  # windows of the area's figures
    report_month: date  # its first day
    tracker: Window
    spans: tuple[Window, ...]  # whose devices are counted by commune
    longest: Window  # in which an operator is met
    year: Window  # the twelve months in which an operator counts as present
    operators: list[str]
    technology: int  # the target's: number into TECHNOLOGIES
    rules: ScopeRules
    known_cells: pl.Series  # H3 indexes of gaps that are known already
    has_villages: bool = False  # whether figures of villages are asked for
    events: tuple[Event, ...] = ()  # that leave samples out of the evidence


@dataclass(frozen=True)
class Question:
    """A scope, and which of its windows is which."""

    scope: Scope
    names: Names
    window_of_months: dict[int, int]  # months of a longer window → its number, ascending
    window_of_span: dict[str, int]


@dataclass(frozen=True)
class Holdings:
    """What the deliveries hold: months that may be judged, the first of any test, operators met."""

    months: set[str]
    first_month: str  # empty without a test; no window reaches back before it
    operators: set[str]
    has_villages: bool = False  # whether a list of them was read


def question_of(
    communes: npt.NDArray[np.object_],
    delivered: Holdings,
    period: Period,
    window: list[str],
    known_cells: npt.NDArray[np.uint64],
    rules: ScopeRules,
) -> Question:
    """What a period asks. `communes`: their codes by zone. `window`: months of the base window.

    Without operators in the rules all that were met are asked for.
    """
    low = first_day(delivered.first_month) if delivered.first_month else date.min
    windows: list[Window] = []

    def numbered(months: list[str]) -> int:
        first, last = days_of(months)
        clipped = (max(first, low), last)
        if clipped not in windows:
            windows.append(clipped)
        return windows.index(clipped)

    numbered(window)
    longer, former = {}, window
    for count in [n for n in rules.widened_months if n > len(window)]:
        months = period.window(count)
        if delivered.months.isdisjoint(set(months) - set(former)):
            continue  # a window is not said to be longer than what was delivered
        former = months
        longer[count] = numbered(months)
    spans = {
        name: numbered(months)
        for name, months in zip(
            SUMMARY_SPANS, (period.months, window, period.window(12)), strict=True
        )
    }
    operators = sorted(rules.operators) or sorted(delivered.operators)
    longest = max([rules.window_months, period.length, *rules.widened_months])
    first, last = days_of(period.window(rules.tracker_months))
    scope = Scope(
        windows=tuple(windows),
        valued=(0, *longer.values()),
        summarised=tuple(sorted(set(spans.values()))),
        report_month=first_day(period.months[-1]),
        tracker=(max(first, min(low, last)), last),
        spans=(days_of(period.months), days_of(period.before().months)),
        longest=days_of(period.window(longest)),
        year=days_of(period.window(12)),
        operators=operators,
        technology=TECHNOLOGIES.index(rules.technology),
        rules=rules,
        known_cells=pl.Series(known_cells, dtype=pl.UInt64),
        has_villages=delivered.has_villages,
    )
    return Question(scope, Names(communes, operators), longer, spans)


def first_day(month: str) -> date:
    """The first day of a month, YYYY-MM."""
    return date(int(month[:4]), int(month[5:7]), 1)


def days_of(months: list[str]) -> Window:
    """The first and the last day of consecutive months."""
    last = first_day(months[-1])
    return first_day(months[0]), (last + timedelta(days=31)).replace(day=1) - timedelta(days=1)
