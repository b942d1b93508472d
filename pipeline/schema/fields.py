"""Every column that flows, declared once: dtype, unit, meaning, values; and the vocabularies of
statuses, classes, reasons.

Does not belong here: which table has which columns (`tables.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandera.pandas as pa

ALL = "all"  # the operator name of rows that pool every operator

STATUSES = (
    "confirmed_gap",
    "probable_gap",
    "borderline",
    "meets_target",
    "insufficient_evidence",
    "no_data",
)
GAP_CLASSES = ("total_gap", "partial_gap", "gap_rest_unknown", "no_gap_found", "unknown")
EVIDENCES = ("confirmed", "probable", "none")
GAP_STATES = ("new", "persisting", "improving", "fixed", "returned", "not_retested")
CAMPAIGN_SIGNS = ("bursts", "one_place", "copied_rows", "month_end")
REACHES = ("reached", "expected", "never", "unknown")
PARTICIPATION = ("more", "fewer", "unchanged", "unknown")
SPANS = ("period", "window", "rolling_12")
CHANGES = ("new_gap", "closed_gap", "worse", "better", "no_change", "not_comparable")
NO_DATA_REASONS = ("no_test", "only_failed", "only_5g", "only_4g", "only_3g_2g")
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
)
# Why a row is set aside, in the order in which the reasons are tried: a row has exactly one.
REJECT_REASONS = (
    "bad_row",
    "bad_time",
    "outside_window",
    "duplicate",
    "bad_position",
    "outside_area",
    "inaccurate_position",
    "unknown_technology",
    "other_technology",
    "unknown_operator",
    "bad_value",
)


@dataclass(frozen=True)
class Field:
    """A column: pandas dtype, unit, meaning (shown in `docs` and file descriptions), and what
    values it may take.
    """

    dtype: str
    unit: str
    meaning: str
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    among: tuple[str, ...] | None = None

    def column(self) -> pa.Column:
        """The pandera column."""
        checks = []
        if self.low is not None:
            checks.append(pa.Check.ge(self.low))
        if self.high is not None:
            checks.append(pa.Check.le(self.high))
        if self.among is not None:
            checks.append(pa.Check.isin(self.among))
        return pa.Column(
            self.dtype,
            checks,
            nullable=self.nullable,
            description=self.meaning,
            metadata={"unit": self.unit},
        )


def _text(meaning: str, nullable: bool = False, among: tuple[str, ...] | None = None) -> Field:
    return Field("str", "", meaning, nullable, among=among)


def _count(meaning: str, unit: str = "1", nullable: bool = False) -> Field:
    return Field("float64", unit, meaning, nullable, low=0)


def _mbps(meaning: str) -> Field:
    return Field("float64", "Mbit/s", meaning, nullable=True, low=0)


def _share(meaning: str) -> Field:
    return Field("float64", "1", meaning, nullable=True, low=0, high=1)


def _rank(meaning: str) -> Field:
    return Field("int64", "1", meaning, low=1)


FIELDS: dict[str, Field] = {
    # keys
    "source": _text("name of the source in the settings"),
    "source_file": _text("file name, with as much of its folder as makes it unique"),
    "source_row": Field("int64", "1", "row as a spreadsheet counts: the heading is row 1", low=1),
    "commune_code": _text("official code of the commune in its vintage"),
    "commune_name": _text("name as the boundary file writes it"),
    "former_district": _text(
        "district, or `; `-separated districts, before the 2025 reform", nullable=True
    ),
    "former_communes": _text(
        "`; `-separated communes that were merged into this one", nullable=True
    ),
    "province_name": _text("province of the commune, where the boundaries name it", nullable=True),
    "boundary_vintage": _text(
        "vintage of the boundaries; part of the commune key, since codes were re-used"
    ),
    "operator": _text("mobile operator, or `all`"),
    "period": _text("report period, YYYY-MM or YYYYQn"),
    "hex_id": _text("H3 cell"),
    "hex9_id": _text(
        "H3 cell of the finest resolution that holds the test; empty without a position",
        nullable=True,
    ),
    # tests
    "test_id": _text("identifier of the test in its source", nullable=True),
    "measured_at": Field("datetime64[us, UTC]", "UTC", "time of the test", nullable=True),
    "latitude": Field("float64", "° WGS 84", "latitude", nullable=True),
    "longitude": Field("float64", "° WGS 84", "longitude", nullable=True),
    "location_accuracy_m": Field(
        "float64", "m", "horizontal accuracy; empty = unknown", nullable=True
    ),
    "technology": _text(
        "radio technology; empty = not understood", nullable=True, among=TECHNOLOGIES
    ),
    "operator_met": _text(
        "operator after the settings' names; empty = not among them", nullable=True
    ),
    "download_mbps": Field(
        "float64", "Mbit/s", "download speed; empty or 0 = failed", nullable=True
    ),
    "upload_mbps": Field("float64", "Mbit/s", "upload speed", nullable=True),
    "latency_ms": Field("float64", "ms", "round-trip time", nullable=True),
    "jitter_ms": Field("float64", "ms", "jitter", nullable=True),
    "signal_dbm": Field("float64", "dBm", "received signal power (RSRP)", nullable=True),
    "device_id": _text("device as its source names it", nullable=True),
    "unreadable": _text(
        "`;`-separated columns whose text could not be read; `row` = the row itself"
    ),
    "reject_reason": _text(
        "why the row is set aside; empty = it counts", nullable=True, among=REJECT_REASONS
    ),
    "local_date": _text("date in the area's time zone, YYYY-MM-DD"),
    # tiles
    "quadkey": _text("Bing tile of zoom 16"),
    "tile_period": _text("period that the tile's averages cover"),
    "device_key": Field(
        "uint64", "1", "fingerprint of a device, or of a cell and date where the source has no ids"
    ),
    "is_pseudo": Field("bool", "", "a pseudo-device"),
    "tile_share": _share("share of the tile's area in the commune"),
    # counts
    "window_months": _count("months of evidence behind the row", "months"),
    "test_count": _count("valid tests"),
    "sample_count": _count("representative samples: one device, one cell, one date"),
    "device_count": _count("devices"),
    "date_count": _count("distinct local dates"),
    "failed_test_count": _count("tests without a download speed"),
    "failure_rate": _share("failed tests over failed and valid tests"),
    "month_test_count": _count(
        "valid tests of the report month (of the quarter's last month)", nullable=True
    ),
    "reject_count": _count("rows set aside"),
    # statistics
    "month_mean_mbps": _mbps("official one-month mean: mean of the month's representative samples"),
    "mean_mbps": _mbps("mean of device values"),
    "median_mbps": _mbps("median of device values"),
    "p10_mbps": _mbps("10th percentile of device values"),
    "raw_mean_mbps": _mbps("mean over tests, as a naive reader would compute it"),
    "lo_mbps": _mbps("lower limit of the 95 % envelope interval, direct evidence"),
    "hi_mbps": _mbps("upper limit of the 95 % envelope interval, direct evidence"),
    "eb_mean_mbps": _mbps("empirical Bayes mean"),
    "gap_probability": _share("posterior probability that the mean is below the target"),
    "borrowed_mean_mbps": _mbps(
        "mean by the crossed model, which borrows from the commune's other operators"
    ),
    "borrowed_gap_probability": _share(
        "probability that the mean is below the target, by the crossed model"
    ),
    "worst_hi_mbps": _mbps("highest upper limit of the envelope after leaving any one device out"),
    "p_gap": _share("one-sided p-value of mean >= target"),
    "q_gap": _share("Benjamini–Hochberg q-value of p_gap"),
    "q_meets": _share("Benjamini–Hochberg q-value of mean <= target"),
    "information": _share(
        "share of the spread that the data explain: 0 nothing known, 1 everything"
    ),
    "share_below_10_mbps": _share("share of devices below 10 Mbit/s"),
    "devices_to_decide": _count(
        "further devices that would decide the row at the present mean and spread", nullable=True
    ),
    "devices_to_decide_reason": _text(
        "why no such number exists: near_target | skew", True, ("near_target", "skew")
    ),
    "upload_mean_mbps": _mbps("mean of device upload values"),
    "latency_median_ms": Field(
        "float64", "ms", "median of device latency values", nullable=True, low=0
    ),
    "all_mobile_mean_mbps": _mbps("mean of device values over every mobile technology"),
    "device_count_5g": _count("devices with a 5G test; beside the 4G figures, never in them"),
    "mean_5g_mbps": _mbps("mean of device values of 5G tests"),
    # verdicts
    "status": _text("verdict of METHOD §4", among=STATUSES),
    "evidence": _text("strength of the verdict", among=EVIDENCES),
    "evidence_basis": _text(
        "direct: from the row's own devices", nullable=True, among=("direct", "borrowed")
    ),
    "failed_gates": _text(
        "`;`-separated gates between the row and a confirmed verdict by its own devices"
    ),
    "slow_hours_apart": Field(
        "float64",
        "h",
        "widest distance of two below-target samples on the 24-hour circle",
        True,
        0,
        12,
    ),
    "no_data_reason": _text("why there is no data", nullable=True, among=NO_DATA_REASONS),
    "flags": _text("`;`-separated flags; they never change a status"),
    "gap_class": _text("verdict over the commune's operators", among=GAP_CLASSES),
    "operators_gap": _text("`;`-separated operators with a gap"),
    "operators_meeting": _text("`;`-separated operators that meet the target"),
    "operators_unknown": _text("`;`-separated operators of which that is not known"),
    "meets_300": Field("bool", "", "the commune has the official 300 tests in the report month"),
    "area_km2": _count("geodesic area", "km²"),
    # priorities
    "need_rank": _rank("rank by priority index"),
    "rank_lo": _rank("5th percentile of the rank over the draws"),
    "rank_hi": _rank("95th percentile of the rank over the draws"),
    "efficiency_rank": _rank("rank by priority index over the cost of terrain"),
    "measure_rank": _rank("where to test first"),
    "population": _count("people", "people", nullable=True),
    "depth": _share("relative distance below the target"),
    "expected_person_gap": _count("population × depth × gap_probability", "people", nullable=True),
    "priority_index": _count(
        "expected_person_gap (without population: depth × gap_probability) × weights",
        "people",
        nullable=True,
    ),
    "facility_count": _count("schools, health posts, offices", nullable=True),
    "has_main_road": Field(
        "boolean", "", "a main road crosses weak hexes; empty = not known", nullable=True
    ),
    "terrain": _text(
        "flat | hilly | mountainous; empty = not known, counted as flat", nullable=True
    ),
    "people_without_verdict": _count("population × (1 − information)", "people", nullable=True),
    "need_band": _rank("near-ties share a band: within it the order is no finding"),
    "signal_median_dbm": Field(
        "float64", "dBm", "median over devices of received signal power (RSRP)", True
    ),
    "busy_mean_mbps": _mbps("mean of device values at busy hours; empty with too few devices"),
    "calm_mean_mbps": _mbps("mean of device values at other hours; empty with too few devices"),
    "fallback_share": _share("3G and 2G tests over all"),
    "likely_cause": _text(
        "hint at the cause", among=("capacity_or_backhaul", "coverage", "mixed", "unknown")
    ),
    "cause_grounds": _text("`;`-separated signs that the hint rests on"),
    "suggested_action": _text(
        "what to do first",
        among=("measure", "optimise", "upgrade", "new_site", "share_or_roam", "fund"),
    ),
    "gap_area_km2": _count("area of the worst gap area", "km²", nullable=True),
    "gap_population": _count("people in the worst gap area", "people", nullable=True),
    "gap_device_count": _count("devices in the worst gap area", nullable=True),
    "other_operators": _text("`; `-separated status of the commune's other operators"),
    # hexes
    "h3_resolution": Field("int64", "1", "H3 resolution of the cell", low=0, high=15),
    "share_devices_below_target": _share("share of devices below the target"),
    "is_weak": Field("bool", "", "more devices below the target than chance explains"),
    "hex_commune_code": _text(
        "commune that holds the cell's centre; empty outside the area", nullable=True
    ),
    # gap areas and their ledger
    "gap_id": _text(
        "gap area: commune code / boundary vintage / operator / number, of the period in which it was first seen",
        True,
    ),
    "gap_number": Field("int64", "1", "number of the gap within commune × operator", low=1),
    "state": _text("what became of the gap", among=GAP_STATES),
    "first_seen": _text("period in which the gap was first seen"),
    "last_seen": _text("last period in which its hexes were weak"),
    "fixed_in": _text("period in which new tests at its places met the target", nullable=True),
    "part_of": _text("gap whose area has swallowed this one", nullable=True),
    "cells": _text("`;`-separated H3 cells of the area when it was last seen"),
    "cell_count": _count("cells of the area"),
    "gap_latitude": Field("float64", "° WGS 84", "centroid of the area's cells", True, -90, 90),
    "gap_longitude": Field("float64", "° WGS 84", "centroid of the area's cells", True, -180, 180),
    "sd_mbps": _mbps("standard deviation of device values"),
    "new_device_count": _count("devices that tested at the gap's places after it was last seen"),
    "new_mean_mbps": _mbps("mean of their device values"),
    "faster_p": _share(
        "one-sided p-value of the new tests being no faster than when the gap was last seen"
    ),
    # changes since the former period
    "former_period": _text("period that this one is compared with"),
    "former_status": _text("status in the former period", among=STATUSES),
    "change": _text(
        "what became of the verdict or the speed since the former period", among=CHANGES
    ),
    "former_mean_mbps": _mbps("mean of device values in the former period"),
    "former_lo_mbps": _mbps("lower limit of the mean in the former period"),
    "former_hi_mbps": _mbps("upper limit of the mean in the former period"),
    # months: the sample tracker, participation, figures of the whole area
    "month": _text("calendar month, YYYY-MM"),
    "operator_count": _count("operators with a valid test"),
    "natural_test_count": _count("valid tests that belong to no burst"),
    "burst_test_count": _count(
        "valid tests in sittings of many tests, minutes apart, by one device in one finest cell"
    ),
    "copied_row_count": _count("rows that had been delivered before"),
    "share_of_official": Field(
        "float64", "1", "valid tests over the official count a month", low=0
    ),
    "trend_test_count": Field("float64", "1", "valid tests less those of the month before", True),
    "campaign_signs": _text("`;`-separated signs that the tests are a campaign's"),
    "reach": _text("whether and when the official count is reached", among=REACHES),
    "reached_on": _text("local date of the test that made the official count", nullable=True),
    "expected_month": _text(
        "month in which the present pace reaches the official count", nullable=True
    ),
    "former_test_count": _count("valid tests of the period before", nullable=True),
    "former_device_count": _count("devices of the period before", nullable=True),
    "devices_per_1000": _count(
        "devices of the period per 1,000 people", "1/1,000 people", nullable=True
    ),
    "install_count": _count("installations of the app, where a file gives them", nullable=True),
    "participation": _text("devices against the period before, beyond chance", among=PARTICIPATION),
    "technology_used": _text("technology of the tests", among=("4G", "5G", "3G", "2G")),
    "span": _text(
        "what the figures are over: the period, the evidence window, the 12 months that end with it",
        among=SPANS,
    ),
    "median_upload_mbps": _mbps("median of device upload values"),
    "latency_mean_ms": Field(
        "float64", "ms", "mean of device latency values", nullable=True, low=0
    ),
    "geometry": Field("geometry", "EPSG:4326", "outline"),
}
