"""Colours and meaning, the same wherever a status is drawn. Source: MAP.md's measurements under simulated colour blindness.

Does not belong here: the words (`texts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pattern = Literal["", "hatch", "dots"]


@dataclass(frozen=True)
class Paint:
    """A fill with its pattern and outline: pattern says "less sure", so that it reads in grey print too."""

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
# verdict over a commune's operators
CLASS_PAINT: dict[str, Paint] = {
    "total_gap": Paint("#a83c08"),
    "partial_gap": Paint("#d2691e"),
    "gap_rest_unknown": Paint("#d2691e", "hatch"),
    "no_gap_found": Paint("#97c3e5"),
    "unknown": Paint("#ddd8e6", "dots"),
}
SPEED_BREAKS_MBPS = (10, 20, 40, 80, 160)
SPEED_FILLS = ("#5c1a06", "#a83c08", "#d2691e", "#c3dcf1", "#97c3e5", "#68a6d6")
OUTSIDE, INSIDE, LINE = "#dddad2", "#ffffff", "#4a4a4a"


def verdict(status: str, evidence: str) -> str:
    """Key into `STATUS_PAINT`.

    >>> verdict("meets_target", "probable"), verdict("borderline", "none")
    ('meets_probable', 'borderline')
    """
    return f"meets_{evidence}" if status == "meets_target" else status
