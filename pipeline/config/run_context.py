"""One run: its settings, its period, its log, progress and timer.

Does not belong here: what a run does (`journey.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Protocol

from pipeline.config.rules import (
    PriorityRules,
    Rules,
    TrackerRules,
    priority_rules_of,
    rules_of,
    tracker_rules_of,
)
from pipeline.config.settings import Settings
from pipeline.schema.periods import Period


class Log(Protocol):
    """Writes a line of the log: the key of a text, and values for its placeholders."""

    def __call__(self, line: str, /, **values: object) -> None:
        """Write one line."""


class Progress(Protocol):
    """Shows the current step and the share of the run (0–1) that is done."""

    def __call__(self, step: str, share: float, /) -> None:
        """Show one step."""


def silent(*_: object, **__: object) -> None:
    """Log nothing and show nothing: for notebooks and tests."""


class Timer:
    """Seconds by step, measured while a run goes on."""

    def __init__(self, before: Timer | None = None) -> None:
        """`before`: the timer of steps that several periods share."""
        self.started_at = datetime.now(UTC)
        self.seconds: dict[str, float] = dict(before.seconds) if before else {}
        self._began = perf_counter()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time of the block to a step's seconds."""
        began = perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + perf_counter() - began, 3)

    @property
    def elapsed(self) -> float:
        """Seconds since the timer was made."""
        return perf_counter() - self._began


@dataclass(frozen=True)
class RunContext:
    """What all steps of one period's run share; steps themselves get plain values of it."""

    settings: Settings
    period: Period
    log: Log = silent
    progress: Progress = silent
    timer: Timer = field(default_factory=Timer)

    @contextmanager
    def step(self, name: str, share: float) -> Iterator[None]:
        """Show and time a step. `share`: the part of the run that is done before it."""
        self.progress(name, share)
        with self.timer.step(name):
            yield

    @property
    def rules(self) -> Rules:
        """What verdicts depend on."""
        return rules_of(self.settings)

    @property
    def priority_rules(self) -> PriorityRules:
        """What priorities depend on."""
        return priority_rules_of(self.settings)

    @property
    def tracker_rules(self) -> TrackerRules:
        """What the sample tracker depends on."""
        return tracker_rules_of(self.settings)
