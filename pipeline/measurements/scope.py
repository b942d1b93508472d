"""What a period asks of the rows: its windows, the months of the tracker, operators, the places of
gaps that are known.

Does not belong here: what is made of the answers (`evidence.py`, `monthly.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.settings import Settings
from pipeline.hexgrid import hexes
from pipeline.measurements.evidence import Names
from pipeline.measurements.fingerprints import operator_prints
from pipeline.measurements.prepare import Located
from pipeline.measurements.rows import Scope
from pipeline.schema.periods import Period
from pipeline.schema.tables import TECHNOLOGIES

SPANS = ("period", "window", "rolling_12")


@dataclass(frozen=True)
class Question:
    """A scope, and which of its windows is which."""

    scope: Scope
    names: Names
    window_of_months: dict[int, int]  # months of a longer window → its number, ascending
    window_of_span: dict[str, int]


def question_of(
    located: Located,
    operators_met: set[str],
    held: set[str],
    first_month: str,
    period: Period,
    window: list[str],
    known_cells: pd.Series,
    settings: Settings,
) -> Question:
    """`held`: months that were delivered. `first_month`: the first of any test, before which no
    window reaches.

    Without operators in the settings all that were met are asked for.
    """
    low = _number(first_month) if first_month else 0
    windows: list[tuple[int, int]] = []

    def numbered(months: list[str]) -> int:
        clipped = (max(_number(months[0]), low), _number(months[-1]))
        if clipped not in windows:
            windows.append(clipped)
        return windows.index(clipped)

    numbered(window)
    longer, former = {}, window
    for count in [n for n in settings.evidence.widened_months if n > len(window)]:
        months = period.window(count)
        if held.isdisjoint(set(months) - set(former)):
            continue  # a window is not said to be longer than what was delivered
        former = months
        longer[count] = numbered(months)
    spans = {
        name: numbered(m)
        for name, m in zip(SPANS, (period.months, window, period.window(12)), strict=True)
    }
    operators = sorted(settings.operators) or sorted(operators_met)
    longest = max(
        [settings.evidence.window_months, period.length, *settings.evidence.widened_months]
    )
    tracker = period.window(settings.tracker.months)
    rules = settings.tracker
    scope = Scope(
        windows=tuple(windows),
        report_month=_number(period.months[-1]),
        months=(min(max(_number(tracker[0]), low), _number(tracker[-1])), _number(tracker[-1])),
        spans=tuple(
            (_number(m[0]), _number(m[-1])) for m in (period.months, period.before().months)
        ),
        longest=_ends(period.window(longest)),
        year=_ends(period.window(12)),
        zone_count=len(located.how.zones.codes),
        operators=operator_prints(operators),
        valued=(0, *longer.values()),
        summarised=tuple(sorted(set(spans.values()))),
        source_count=len(located.how.sources),
        technology=TECHNOLOGIES.index(settings.target.technology),
        max_download_mbps=settings.quality.max_download_mbps,
        target_mbps=settings.target.download_mbps,
        busy_hours=settings.diagnosis.busy_hours,
        burst_gap_minutes=rules.burst_gap_minutes,
        burst_min_tests=rules.burst_min_tests,
        known_cells=np.sort(hexes.indexes(known_cells)),
    )
    return Question(scope, Names(located.how.zones.codes, operators), longer, spans)


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def _ends(months: list[str]) -> tuple[int, int]:
    return _number(months[0]), _number(months[-1])
