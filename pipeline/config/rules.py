"""Settings as plain values by subject, as the steps receive them.

Does not belong here: reading settings (`settings.py`), what a value does (the step that gets it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipeline.config.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Gates:
    """The thresholds of METHOD §4: `[evidence]`."""

    min_devices: int
    min_samples: int
    min_dates: int
    confirmed_min_devices: int
    confirmed_min_samples: int
    confirmed_min_dates: int
    min_hours_apart: float
    max_q: float
    probable_gap_probability: float
    meets_gap_probability: float
    official_test_count: int
    heavy_tester_share: float
    heavy_tester_shift: float
    low_tail_share: float
    one_place_share: float
    borrowed_max_p: float
    borrowed_max_miss: float
    borrowed_gap_margin: float
    probable_gap_margin: float
    capped_max_miss: float
    capped_margin: float
    borrowed_capped_margin: float
    recent_min_devices: int
    crossed_min_probability: float
    testers_differ_share: float
    restart_max_share: float
    restart_min_devices: int
    restart_min_month_share: float
    marked_ids_share: float


@dataclass(frozen=True)
class Rules:
    """What verdicts depend on (METHOD §3–5), and the smallest published group (§7)."""

    target_mbps: float
    gates: Gates
    confidence: float  # of intervals, two-sided
    fast_test_mbps: float  # speeds above it are capped where a verdict must hold without them
    eb_min_communes: int  # an operator's prior is fitted from this many communes on
    decide_probability: float  # of futures that devices_to_decide must let decide
    max_devices_to_decide: int
    borrowed_false_discovery_rate: float
    borrowed_min_probability: float
    coarsest_resolution: int  # H3, of adaptive cells
    finest_resolution: int
    weak_min_devices: int  # of one operator in a cell that may be called weak
    weak_significance: float
    max_map_cells: int
    shown_min_devices: int  # a smaller group's speeds are not published


@dataclass(frozen=True)
class CleaningRules:
    """When a test counts, and how it is located and dated (METHOD §2)."""

    technology: str  # the target's
    max_download_mbps: float
    max_commune_accuracy_m: float
    max_hex_accuracy_m: float
    finest_resolution: int  # H3
    timezone: str  # IANA name, of local dates and hours


@dataclass(frozen=True)
class ScopeRules:
    """What a period asks of the tests."""

    operators: tuple[str, ...]  # none: those that the deliveries name
    window_months: int
    widened_months: tuple[int, ...]
    tracker_months: int
    burst_gap_minutes: float
    burst_min_tests: int
    busy_hours: tuple[float, float]
    technology: str
    target_mbps: float
    max_download_mbps: float
    fast_test_mbps: float  # speeds above it are capped where a verdict must hold without them
    fast_test_ratio: float  # the same, times the lower quartile of the device's tests
    same_minute_min_ids: int  # that begin to test in one finest cell and minute: a crowd


@dataclass(frozen=True)
class Weights:
    """Excess weights over 1, and the cost of terrain: `[priority]`."""

    total_gap_weight: float
    facility_weight: float
    facility_cap: int
    road_weight: float
    terrain_cost: Mapping[str, float]


@dataclass(frozen=True)
class Signs:
    """When a sign of a likely cause counts: `[diagnosis]`."""

    strong_signal_dbm: float
    weak_signal_dbm: float
    failure_rate: float
    fallback_share: float
    min_devices: int
    near_share: float


@dataclass(frozen=True)
class PriorityRules:
    """What priorities and likely causes depend on (METHOD §6)."""

    target_mbps: float
    weights: Weights
    draws: int  # of the rank's spread
    seed: int
    signs: Signs
    shown_min_devices: int


@dataclass(frozen=True)
class TrackerRules:
    """What the sample tracker and the operators' summary depend on."""

    months: int  # that end with the period
    official_test_count: int
    one_place_share: float
    month_end_share: float
    technology: str  # the target's
    shown_min_devices: int


@dataclass(frozen=True)
class Radio:
    """What coverage is modelled with: `[site_plan]`."""

    band_mhz: float  # of a site whose own is not known, as height_m
    height_m: float
    eirp_dbm: float  # per resource element
    min_rsrp_dbm: float
    indoor_loss_db: float
    shadowing_sd_db: float
    radius_km: float | None  # every site reaches so far, instead of the model


def rules_of(settings: Settings) -> Rules:
    """What verdicts depend on."""
    return _picked(
        Rules,
        settings.evidence,
        settings.hexes,
        settings.publish,
        target_mbps=settings.target.download_mbps,
        gates=_picked(Gates, settings.evidence),
        shown_min_devices=settings.privacy.min_devices,
    )


def cleaning_rules_of(settings: Settings) -> CleaningRules:
    """When a test counts."""
    return _picked(CleaningRules, settings.quality, settings.target, settings.hexes, settings.area)


def scope_rules_of(settings: Settings) -> ScopeRules:
    """What a period asks of the tests."""
    return _picked(
        ScopeRules,
        settings.evidence,
        settings.tracker,
        settings.diagnosis,
        settings.quality,
        operators=tuple(settings.operators),
        tracker_months=settings.tracker.months,
        technology=settings.target.technology,
        target_mbps=settings.target.download_mbps,
    )


def priority_rules_of(settings: Settings) -> PriorityRules:
    """What priorities depend on."""
    return _picked(
        PriorityRules,
        settings.priority,
        target_mbps=settings.target.download_mbps,
        weights=_picked(Weights, settings.priority),
        signs=_picked(Signs, settings.diagnosis),
        shown_min_devices=settings.privacy.min_devices,
    )


def tracker_rules_of(settings: Settings) -> TrackerRules:
    """What the sample tracker depends on."""
    return _picked(
        TrackerRules,
        settings.tracker,
        official_test_count=settings.evidence.official_test_count,
        technology=settings.target.technology,
        shown_min_devices=settings.privacy.min_devices,
    )


def radio_of(settings: Settings) -> Radio:
    """What coverage is modelled with."""
    return _picked(Radio, settings.site_plan)


def _picked(kind: type[T], *sections: BaseModel, **given: object) -> T:
    """A record of `kind`: given fields, and others from the one section that has their name."""
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name not in given:
            (found,) = [s for s in sections if field.name in type(s).model_fields]
            given[field.name] = getattr(found, field.name)
    return kind(**given)
