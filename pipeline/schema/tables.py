"""Every table that flows: its columns and key; the columns themselves are declared in `fields.py`.

A step promises a table by ending in `validated(NAME, frame)`; the doors (`sources/`, `publish/`) hold
files to the same declarations. Stored positions are EPSG:4326. Does not belong here: computing,
reading, writing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pa

from pipeline.schema.fields import (
    ALL,
    CAMPAIGN_SIGNS,
    CHANGES,
    EVIDENCES,
    FIELDS,
    FLAGS,
    GAP_CLASSES,
    GAP_STATES,
    NO_DATA_REASONS,
    PARTICIPATION,
    REACHES,
    REJECT_REASONS,
    STATUSES,
    TECHNOLOGIES,
    Field,
)

__all__ = [
    "ALL",
    "CAMPAIGN_SIGNS",
    "CHANGES",
    "EVIDENCES",
    "FIELDS",
    "FLAGS",
    "GAP_CLASSES",
    "GAP_STATES",
    "KEYS",
    "NO_DATA_REASONS",
    "PARTICIPATION",
    "PRIVATE",
    "PUBLISHED_AS",
    "REACHES",
    "REJECT_REASONS",
    "STATUSES",
    "TABLES",
    "TECHNOLOGIES",
    "Field",
    "validated",
    "schema",
    "with_declared_dtypes",
]

_SPEEDS = (
    "mean_mbps",
    "median_mbps",
    "p10_mbps",
    "raw_mean_mbps",
    "lo_mbps",
    "hi_mbps",
    "eb_mean_mbps",
)
_BORROWED = ("borrowed_mean_mbps", "borrowed_gap_probability")
# Figures that are not published for fewer than the privacy gate's devices (METHOD §7).
# `information` is none of them: it tells how many devices there are, not how fast they were.
PRIVATE = (
    *_SPEEDS,
    *_BORROWED,
    "worst_hi_mbps",
    "slow_hours_apart",
    "signal_median_dbm",
    "busy_mean_mbps",
    "calm_mean_mbps",
    "gap_probability",
    "p_gap",
    "q_gap",
    "q_meets",
    "share_below_10_mbps",
    "share_devices_below_target",
    "devices_to_decide",
    "devices_to_decide_reason",
    "upload_mean_mbps",
    "latency_median_ms",
    "median_upload_mbps",
    "latency_mean_ms",
    "former_mean_mbps",
    "former_lo_mbps",
    "former_hi_mbps",
    # what can be turned back into a mean
    "depth",
    "expected_person_gap",
    "priority_index",
)

TABLES: dict[str, tuple[str, ...]] = {
    "tests": (
        "source", "source_file", "source_row", "test_id", "measured_at", "latitude", "longitude", "location_accuracy_m",
        "operator_met", "technology", "download_mbps", "upload_mbps", "latency_ms", "jitter_ms", "signal_dbm", "device_id",
        "unreadable",
    ),
    "tiles": (
        "source", "source_file", "source_row", "quadkey", "tile_period", "download_mbps", "upload_mbps", "latency_ms",
        "test_count", "device_count", "unreadable",
    ),
    "communes": (
        "commune_code", "commune_name", "former_district", "former_communes", "province_name", "boundary_vintage",
        "population", "terrain", "area_km2", "geometry",
    ),
    "device_values": (
        "commune_code", "operator", "device_key", "download_mbps", "upload_mbps", "latency_ms", "test_count",
        "sample_count", "is_pseudo",
    ),
    "commune_status": (
        "commune_code", "commune_name", "boundary_vintage", "operator", "period", "window_months", "status", "evidence",
        "evidence_basis", "no_data_reason", "flags", "failed_gates", "test_count", "sample_count", "device_count",
        "date_count", "failed_test_count", "failure_rate", "month_test_count", "month_mean_mbps", *_SPEEDS,
        "gap_probability", "p_gap", "q_gap", "q_meets", *_BORROWED, "worst_hi_mbps", "slow_hours_apart", "information",
        "share_below_10_mbps", "devices_to_decide", "devices_to_decide_reason", "upload_mean_mbps", "latency_median_ms",
        "device_count_5g", "mean_5g_mbps",
    ),
    "commune_summary": (
        "commune_code", "commune_name", "former_district", "boundary_vintage", "period", "window_months", "gap_class",
        "operators_gap", "operators_meeting", "operators_unknown", "month_test_count", "meets_300", "test_count", "device_count",
        "all_mobile_mean_mbps", "mean_mbps", "population", "area_km2",
    ),
    "hex_status": (
        "hex_id", "h3_resolution", "operator", "period", "window_months", "test_count", "device_count", "mean_mbps",
        "median_mbps", "upload_mean_mbps", "latency_median_ms", "share_devices_below_target", "is_weak",
        "gap_id", "population", "hex_commune_code", "geometry",
    ),
    "gap_areas": (
        "gap_id", "commune_code", "commune_name", "boundary_vintage", "operator", "period", "window_months", "state",
        "first_seen", "cell_count", "area_km2", "population", "gap_latitude", "gap_longitude", "device_count",
        "test_count", "mean_mbps", "median_mbps", "lo_mbps", "hi_mbps", "share_devices_below_target", "cells",
    ),
    "gap_ledger": (
        "gap_id", "commune_code", "boundary_vintage", "operator", "gap_number", "period", "state", "first_seen",
        "last_seen", "fixed_in", "part_of", "cell_count", "area_km2", "device_count", "test_count", "mean_mbps",
        "sd_mbps", "median_mbps", "lo_mbps", "hi_mbps", "share_devices_below_target", "new_device_count",
        "new_mean_mbps", "faster_p", "cells",
    ),
    "priorities": (
        "need_rank", "rank_lo", "rank_hi", "need_band", "efficiency_rank", "commune_code", "commune_name",
        "former_district", "operator", "status", "evidence", "evidence_basis", "gap_class", "population", "depth",
        "gap_probability", "expected_person_gap", "facility_count", "has_main_road", "terrain", "priority_index",
        "mean_mbps", "lo_mbps", "hi_mbps", "eb_mean_mbps", "device_count", "test_count", "likely_cause",
        "cause_grounds", "suggested_action", "gap_id", "gap_latitude", "gap_longitude", "gap_area_km2",
        "gap_device_count", "gap_population", "signal_median_dbm", "busy_mean_mbps", "calm_mean_mbps", "failure_rate", "fallback_share",
        "operators_meeting", "operators_gap", "other_operators",
    ),
    "measure_first": (
        "measure_rank", "commune_code", "commune_name", "former_district", "operator", "status", "population",
        "information", "people_without_verdict", "test_count", "sample_count", "device_count", "date_count",
        "devices_to_decide", "devices_to_decide_reason",
    ),
    "sample_tracker": (
        "commune_code", "commune_name", "former_district", "boundary_vintage", "month", "test_count", "natural_test_count",
        "burst_test_count", "copied_row_count", "sample_count", "device_count", "date_count", "operator_count",
        "share_of_official", "trend_test_count", "reach", "reached_on", "expected_month", "campaign_signs",
    ),
    "participation": (
        "commune_code", "commune_name", "former_district", "boundary_vintage", "period", "population", "test_count",
        "device_count", "devices_per_1000", "former_test_count", "former_device_count", "participation", "install_count",
    ),
    "operator_summary": (
        "operator", "technology_used", "span", "period", "test_count", "sample_count", "device_count", "mean_mbps",
        "median_mbps", "upload_mean_mbps", "median_upload_mbps", "latency_mean_ms", "latency_median_ms",
    ),
    "changes": (
        "commune_code", "commune_name", "boundary_vintage", "operator", "period", "former_period", "change",
        "former_status", "status", "former_mean_mbps", "mean_mbps", "former_lo_mbps", "former_hi_mbps", "lo_mbps",
        "hi_mbps",
    ),
    "rejects": ("source_file", "source_row", "reject_reason"),
    "rejects_summary": ("source", "source_file", "reject_reason", "reject_count"),
}  # fmt: skip

KEYS: dict[str, tuple[str, ...]] = {
    "tests": ("source_file", "source_row"),
    "tiles": ("source_file", "source_row"),
    "communes": ("commune_code",),
    "device_values": ("commune_code", "operator", "device_key"),
    "commune_status": ("commune_code", "boundary_vintage", "operator", "period"),
    "commune_summary": ("commune_code", "boundary_vintage", "period"),
    "hex_status": ("hex_id", "operator", "period"),
    "gap_areas": ("gap_id", "period"),
    "gap_ledger": ("gap_id", "period"),
    "priorities": ("commune_code", "operator"),
    "measure_first": ("commune_code", "operator"),
    "sample_tracker": ("commune_code", "boundary_vintage", "month"),
    "participation": ("commune_code", "boundary_vintage", "period"),
    "operator_summary": ("operator", "technology_used", "span", "period"),
    "changes": ("commune_code", "boundary_vintage", "operator", "period"),
    "rejects": ("source_file", "source_row"),
    "rejects_summary": ("source", "source_file", "reject_reason"),
}

# Columns that are published under another name than the one that tells them apart inside.
PUBLISHED_AS = {"hex_commune_code": "commune_code"}


SAMPLED = 50_000  # rows


def schema(table: str) -> pa.DataFrameSchema:
    """The pandera schema of a declared table: closed, ordered, unique in its key."""
    columns = {name: FIELDS[name].column() for name in TABLES[table] if name != "geometry"}
    return pa.DataFrameSchema(columns, strict=False, unique=list(KEYS[table]), name=table)


def validated(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, held to the declaration: exactly its columns in its order, its dtypes, values and
    key.

    A failure is ours to mend (an ordinary exception), never the user's: foreign data was examined
    at the doors. Of a table with more than SAMPLED rows the columns and dtypes are checked in full,
    values and key on its first thousand.
    """
    missing = [name for name in TABLES[table] if name not in frame.columns]
    assert not missing, f"{table} lacks {missing}"
    frame = frame.loc[:, list(TABLES[table])]
    sample = frame.head(1000) if len(frame) > SAMPLED else frame
    schema(table).validate(sample.astype(dict.fromkeys(_coded_texts(frame), "str")), lazy=True)
    return frame


def of_declared_types(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in the declared order, held to the declared dtypes alone: for further batches of
    what was `validated`.
    """
    frame = frame.loc[:, list(TABLES[table])]
    wrong = set(_other_types(frame)) - set(_coded_texts(frame))
    assert not wrong, f"{table}: {sorted(wrong)}"
    return frame


def _other_types(frame: pd.DataFrame) -> list[str]:
    """Columns whose dtype is not the declared one."""
    found = frame.dtypes.drop("geometry", errors="ignore")
    return [
        str(name)
        for name, dtype in found.items()
        if name in FIELDS and FIELDS[str(name)].dtype != str(dtype)
    ]


def _coded_texts(frame: pd.DataFrame) -> list[str]:
    """Columns of texts that are kept as categories: many rows, few texts."""
    return [
        str(name) for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)
    ]


def decode_labels(numbers: npt.NDArray[Any], names: Iterable[str]) -> pd.Series:
    """The text that each number stands for: its place among the names.

    >>> decode_labels(np.array([1, 0, 1]), ["a", "b"]).tolist()
    ['b', 'a', 'b']
    """
    return pd.Series(pd.Series(list(names), dtype="str").array.take(numbers.astype(np.int64)))


def with_declared_dtypes(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the declared dtypes: for tables put together from parts, some of which may be
    empty.

    Texts that are categories stay so.

    >>> with_declared_dtypes("rejects", pd.DataFrame({"source_file": [], "source_row": [], "reject_reason": []})).dtypes.astype(str).tolist()
    ['str', 'int64', 'str']
    """
    other = set(_other_types(frame)) - set(_coded_texts(frame))
    kinds: dict[str, Any] = {name: FIELDS[name].dtype for name in TABLES[table] if name in other}
    return frame.astype(kinds) if kinds else frame
