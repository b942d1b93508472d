"""Colours and meaning, the same wherever a status is drawn.

Source: MAP.md's measurements under simulated colour blindness.

Does not belong here: the words (`texts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pattern = Literal["", "hatch", "dots"]


@dataclass(frozen=True)
class Paint:
    """A fill with its pattern and outline.

    A pattern says "less sure", so that it reads in grey print too.
    """

    fill: str
    pattern: Pattern = ""


# verdict on one operator: status, with meets_target split by its evidence
STATUS_PAINT: dict[str, Paint] = {
    "confirmed_gap": Paint("#a83c08"),
    "probable_gap": Paint("#d2691e", "hatch"),
    "borderline": Paint("#e9d9b0"),
    "meets_probable": Paint("#c3dcf1", "hatch"),
    "meets_confirmed": Paint("#68a6d6"),
    "insufficient_evidence": Paint("#ddd8e6", "dots"),
    "no_data": Paint("#ffffff"),
}
# verdict over a commune's operators; the more of them miss the target, the darker
CLASS_PAINT: dict[str, Paint] = {
    "total_gap": Paint("#5c1a06"),
    "gap_rest_borderline": Paint("#a83c08", "hatch"),
    "partial_gap": Paint("#d2691e"),
    "gap_rest_unknown": Paint("#d2691e", "hatch"),
    "no_gap_found": Paint("#97c3e5"),
    "unknown": Paint("#ddd8e6", "dots"),
}
# what became of a verdict since the former period
CHANGE_PAINT: dict[str, Paint] = {
    "new_gap": Paint("#5c1a06"),
    "worse": Paint("#d2691e"),
    "decided": Paint("#a6a196"),  # grey: neither worse nor better
    "no_change": Paint("#ece7da"),
    "better": Paint("#97c3e5"),
    "closed_gap": Paint("#2f6fa5"),
    "not_comparable": Paint("#ddd8e6", "dots"),
}


@dataclass(frozen=True)
class Mark:
    """A point's shape and fill: shapes differ, so that it reads without colour."""

    shape: Literal["square", "triangle", "diamond", "circle", "star"]
    fill: str


# a village by the class proposed, the worst first
VILLAGE_MARKS: dict[str, Mark] = {
    "no_signal": Mark("square", "#1c1c1c"),
    "weak": Mark("triangle", "#a83c08"),
    "below_target": Mark("diamond", "#d2691e"),
    "meets": Mark("circle", "#2f6fa5"),
    "not_known": Mark("circle", "#ffffff"),
}
# a site of a plan: none stands for a measurement, so no shape and colour of a class of villages
SITE_MARKS: dict[str, Mark] = {
    "chosen": Mark("star", "#2f5a31"),
    "runner_up": Mark("star", "#ffffff"),
}
# whether operators could share, by the classes of CLASS_PAINT
SHARING_KEYS: dict[str, str] = {
    "nobody_meets": "total_gap",
    "one_meets": "partial_gap",
    "several_meet": "no_gap_found",
    "nothing_known": "unknown",
}
# how many of a commune's operators have a verdict
KNOWN_PAINT: dict[str, Paint] = {
    "known_all": Paint("#2f5a31"),  # greens: known says nothing of good or bad
    "known_some": Paint("#a8c08a"),
    "known_none": Paint("#ddd8e6", "dots"),
}
# patterns as matplotlib writes them, with their ink
HATCHES: dict[Pattern, tuple[str | None, str]] = {
    "hatch": ("////", "#ffffff"),
    "dots": ("..", "#77736a"),
    "": (None, "none"),
}


@dataclass(frozen=True)
class Scale:
    """Classes of a figure: fills[i] is for breaks[i − 1] <= value < breaks[i]."""

    breaks: tuple[float, ...]
    fills: tuple[str, ...]
    unit: str


SPEED_BREAKS_MBPS = (10, 20, 40, 80, 160)
SPEED_FILLS = ("#5c1a06", "#a83c08", "#d2691e", "#c3dcf1", "#97c3e5", "#68a6d6")
_GREENS = ("#f0f3e4", "#cfdcb6", "#a8c08a", "#7d9f66", "#557d4a", "#2f5a31")
_PURPLES = ("#efe9f4", "#d4c6e3", "#b39ecb", "#9174b0", "#6d4c92", "#472a6b")
# no target is set for upload, latency and tests: one hue each, darker = more
SCALES: dict[str, Scale] = {
    "mean": Scale(SPEED_BREAKS_MBPS, SPEED_FILLS, "Mbps"),
    "median": Scale(SPEED_BREAKS_MBPS, SPEED_FILLS, "Mbps"),
    "upload": Scale((2, 5, 10, 20, 40), _GREENS, "Mbps"),
    "latency": Scale((20, 40, 60, 100, 200), _PURPLES, "ms"),
    "tests": Scale((1, 10, 30, 100, 300), _GREENS, ""),
    "month": Scale((1, 10, 30, 100, 300), _GREENS, ""),  # 300 a month is the official sample
    "age": Scale((8, 15, 31, 62, 92), _PURPLES, "days"),  # darker = longer ago
}
OUTSIDE, INSIDE, LINE = "#dddad2", "#ffffff", "#4a4a4a"


def verdict(status: str, evidence: str) -> str:
    """Key into `STATUS_PAINT`.

    >>> verdict("meets_target", "probable"), verdict("borderline", "none")
    ('meets_probable', 'borderline')
    """
    return f"meets_{evidence}" if status == "meets_target" else status


def paint(key: str) -> Paint:
    """The paint of any key."""
    return (STATUS_PAINT | CLASS_PAINT | CHANGE_PAINT | KNOWN_PAINT)[key]
