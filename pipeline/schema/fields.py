"""What a declaration of a column says, and the vocabularies of statuses, classes and reasons.

Does not belong here: the columns (`columns.py`), held data (`tables.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ALL = "all"  # the operator name of rows that pool every operator

STATUSES = (
    "confirmed_gap",
    "probable_gap",
    "borderline",
    "meets_target",
    "insufficient_evidence",
    "no_data",
)
GAP_CLASSES = (
    "total_gap",
    "gap_rest_borderline",
    "partial_gap",
    "gap_rest_unknown",
    "no_gap_found",
    "unknown",
)
EVERYWHERE = ("yes", "no", "unknown")
EVIDENCES = ("confirmed", "probable", "none")
GAP_STATES = ("new", "persisting", "improving", "fixed", "returned", "not_retested")
CAMPAIGN_SIGNS = ("bursts", "one_place", "copied_rows", "month_end")
REACHES = ("reached", "expected", "never", "unknown")
PARTICIPATION = ("more", "fewer", "unchanged", "unknown")
SPANS = ("period", "window", "rolling_12")
CHANGES = ("new_gap", "closed_gap", "worse", "better", "decided", "no_change", "not_comparable")
SITE_STATES = ("chosen", "runner_up")
SITE_ACTIONS = ("new_site", "shared_site", "upgrade", "satellite_site", "terminal")
SHARING_CLASSES = ("nobody_meets", "one_meets", "several_meet", "nothing_known")
SHARING_ACTIONS = (
    "new_site_shared", "roam_or_share", "own_upgrade", "measure_more", "nothing_needed",
)  # fmt: skip
PLAN_STATES = ("test", "decided", "near_target", "out_of_devices")
VISIT_ROLES = ("main", "replacement")
NO_DATA_REASONS = (
    "no_test",
    "only_before_event",
    "only_failed",
    "only_5g",
    "only_4g",
    "only_3g_2g",
)
TECHNOLOGIES = ("2G", "3G", "4G", "5G", "wifi")
FLAGS = (
    "official_300",
    "heavy_tester",
    "mean_median_conflict",
    "low_tail",
    "window_widened",
    "no_device_id",
    "one_place",
    "5g_masks_4g",
    "few_accurate_positions",
    "no_spread",
    "fast_rows",
    "recent_change",
    "straddles_event",
    "testers_differ",
    "ids_restart",
    "id_in_two_places",
    "many_ids_at_once",
)
# what stands between a row and a confirmed verdict (METHOD §4)
GATES = (
    "min_devices",
    "min_samples",
    "min_dates",
    "confirmed_min_devices",
    "confirmed_min_samples",
    "confirmed_min_dates",
    "min_hours_apart",
    "interval",
    "people",
    "q_value",
    "leave_one_out",
    "posterior",
    "crossed",
    "capped",
    "recent_month",
    "device_ids",
)
CAUSE_GROUNDS = (
    "only_busy_hours",
    "slow_all_hours",
    "strong_signal",
    "weak_signal",
    "failed_tests",
    "fallback_3g_2g",
)
EVENT_KINDS = ("on_air", "switch_off", "outage")
VILLAGE_CLASSES = ("no_signal", "weak", "below_target", "meets", "not_known")
OFFICIAL_CLASSES = ("no_signal", "weak", "covered")
VILLAGE_GROUNDS = (
    "visited",
    "silence",
    "failed_tests",
    "no_service",
    "weak_signal",
    "fallback_3g_2g",
    "interval",
    "undecided",
    "few_devices",
    "no_tests",
    "unreached",
)
VISIT_RESULTS = ("measured", "no_signal")
TERRAINS = ("flat", "hilly", "mountainous")  # the settings may name others
# Why a row is set aside, in the order in which the reasons are tried: a row has exactly one.
REJECT_REASONS = (
    "bad_row",
    "not_kept",
    "bad_time",
    "outside_window",
    "duplicate",
    "bad_position",
    "outside_area",
    "inaccurate_position",
    "coverage_only",
    "no_service",
    "unknown_technology",
    "other_technology",
    "unknown_operator",
    "bad_value",
)

Missing = Literal["never", "unknown", "none", "no_tests"]
Shown = Literal["text", "wrapped", "whole", "tenth", "share", "degree"]


@dataclass(frozen=True)
class Kind:
    """What columns of a kind have in common, unless their declaration differs."""

    dtype: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    missing: Missing = "never"
    shown: Shown = "text"
    is_open: bool = False  # its figures may be published of the smallest group


KINDS: dict[str, Kind] = {
    "text": Kind("str", is_open=True),
    "flag": Kind("bool", is_open=True),
    "plain": Kind("", is_open=True),  # times, keys, outlines: dtype is declared
    "count": Kind("float64", "1", low=0, shown="whole", is_open=True),
    "difference": Kind("float64", "1", missing="none", shown="whole", is_open=True),
    "rank": Kind("int64", "1", low=1, shown="whole", is_open=True),
    "area": Kind("float64", "km²", low=0, shown="tenth", is_open=True),
    "degree": Kind("float64", "° WGS 84", missing="none", shown="degree", is_open=True),
    # closed: what tells how fast the devices of a group are
    "share": Kind("float64", "1", 0, 1, "no_tests", "share"),
    "ratio": Kind("float64", "1", low=0, shown="share"),
    "speed": Kind("float64", "Mbit/s", low=0, missing="no_tests", shown="tenth"),
    "latency": Kind("float64", "ms", low=0, missing="no_tests", shown="tenth"),
    "signal": Kind("float64", "dBm", missing="no_tests", shown="tenth"),
    "hours": Kind("float64", "h", 0, 12, "no_tests", "tenth"),
    "figure": Kind("float64", missing="no_tests", shown="tenth"),  # unit is declared
}


@dataclass(frozen=True)
class Field:
    """The declaration of a column, from which everything else about it is made.

    What is not given is its kind's. `vi`, `en`: (heading, meaning). `missing`: what an empty cell
    means: "never" empty (nothing is 0 or an empty text), "unknown", "none" (there is no such
    thing), "no_tests" (nothing was measured). `among`: the values that a text may have; `known`:
    those that have a name in the catalogues, or of which `;`-separated texts are made.

    A column is private unless its kind is open or `public` says why its figures may be published
    of the smallest group; `of` names the column that counts the group's devices. An `identifying`
    column tells one test or one device: no published file has it, not even a published table's.
    `page`: names in the map's data, `s.` (commune × operator), `c.` (cells), `p.` (priorities)
    or `v.` (villages).
    """

    kind: str
    vi: tuple[str, str]
    en: tuple[str, str]
    dtype: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    missing: Missing | None = None
    among: tuple[str, ...] | None = None
    known: tuple[str, ...] = ()
    public: str = ""
    private: bool = False
    identifying: bool = False
    of: str = "device_count"
    shown: Shown | None = None
    page: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Take from the kind what is not said."""
        kind = KINDS[self.kind]
        for name in ("dtype", "unit", "missing", "shown"):
            if not getattr(self, name):
                object.__setattr__(self, name, getattr(kind, name))
        if self.low is None and self.high is None:
            object.__setattr__(self, "low", kind.low)
            object.__setattr__(self, "high", kind.high)
        assert self.dtype, "a plain column declares its dtype"
        assert not (self.public and kind.is_open), "what is open needs no reason"

    @property
    def nullable(self) -> bool:
        """Whether cells may be empty."""
        return self.missing != "never"

    @property
    def is_private(self) -> bool:
        """Whether the figures of a group too small to be published are emptied."""
        return self.private or not (KINDS[self.kind].is_open or self.public)

    @property
    def values(self) -> tuple[str, ...]:
        """The values that have a name in the catalogues."""
        return self.among or self.known
