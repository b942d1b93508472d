"""Puts the steps' results together into the declared tables: joins, and nothing that is decided.

Does not belong here: order (`journey.py`), rules (`judge.py`), formulas (`statistics.py`).
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from pipeline.config.settings import Settings
from pipeline.measurements.evidence import Evidence
from pipeline.schema import privacy
from pipeline.schema.errors import Fault
from pipeline.schema.periods import Period
from pipeline.schema.tables import (
    ALL,
    GAP_CLASSES,
    PRIVATE,
    STATUSES,
    validated,
    with_declared_dtypes,
)
from pipeline.verdicts import borrowing, judge, statistics

UNIT = statistics.UNIT


_ZERO = (
    "test_count",
    "sample_count",
    "device_count",
    "date_count",
    "failed_test_count",
    "newer_test_count",
    "older_test_count",
    "accurate_count",
    "pseudo_count",
    "month_test_count",
    "month_device_count",
    "other_device_count",
    "mobile_device_count",
    "device_count_5g",
    "signal_device_count",
    "busy_device_count",
    "calm_device_count",
    "small_operator_count",
    "small_5g_operator_count",
    "m",
)
_EMPTY = (
    "largest_device_tests",
    "largest_cell_samples",
    "month_mean_mbps",
    "all_mobile_mean_mbps",
    "mean_5g_mbps",
    "slow_hours_apart",
    "signal_median_dbm",
    "busy_mean_mbps",
    "calm_mean_mbps",
)


def judged(
    evidence: Evidence,
    units: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    period: Period,
    settings: Settings,
) -> pd.DataFrame:
    """Every commune × operator (and `all`) with its figures, q-values, status and flags; nothing
    suppressed yet.
    """
    operators = [*evidence.operators, ALL]
    index = pd.MultiIndex.from_product([communes["commune_code"], operators], names=UNIT)
    rows = units.join(evidence.counts, how="outer").reindex(index)
    for name in (*_ZERO, *_EMPTY):
        if name not in rows:
            rows[name] = np.nan
    if evidence.is_tiles:
        rows["month_test_count"] = np.nan
    zero = [name for name in _ZERO if not (evidence.is_tiles and name == "month_test_count")]
    rows[zero] = rows[zero].fillna(0.0)
    rows["has_spread_between"] = rows["has_spread_between"].eq(True)
    rows["information"] = rows["information"].fillna(0.0)
    rows["is_tiles"] = evidence.is_tiles
    rows["window_months"] = rows["window_months"].fillna(float(evidence.window_months))
    rows["is_widened"] = rows["window_months"] > evidence.window_months
    rows["is_capped"] = evidence.is_tiles | rows["pseudo_count"].gt(0)
    target, rules = settings.target.download_mbps, settings.evidence
    gates = gates_of(settings)
    first = judge.passes_first_gate(rows, gates)
    pooled = pd.Series(rows.index.get_level_values("operator") == ALL, index=rows.index)
    for p, q in (("p_gap", "q_gap"), ("p_meets", "q_meets")):
        families = [statistics.q_values(rows[p], first & family) for family in (pooled, ~pooled)]
        rows[q] = families[0].fillna(families[1])
    rows["is_borrowed_gap"] = borrowing.selected(
        rows["borrowed_gap_probability"],
        judge.may_borrow(rows, target, gates),
        rules.borrowed_false_discovery_rate,
        rules.borrowed_min_probability,
    )
    rows = rows.join(judge.assign_status(rows, target, gates))
    tried = rows["failed_test_count"] + rows["test_count"]
    rows["failure_rate"] = (rows["failed_test_count"] / tried.where(tried > 0)).where(
        ~rows["is_tiles"]
    )
    rows["no_data_reason"] = judge.no_data_reason(rows)
    rows["flags"] = judge.flags(rows, target, gates)
    # of a tile's average one cannot ask for more devices
    undecided = rows["evidence"].ne("confirmed") & ~rows["is_tiles"]
    for name in ("devices_to_decide", "devices_to_decide_reason"):
        rows[name] = rows[name].where(undecided)
    rows["counts_here"] = [unit in evidence.present for unit in rows.index]
    return (
        rows.reset_index()
        .merge(communes[["commune_code", "commune_name", "boundary_vintage"]], on="commune_code")
        .assign(period=str(period))
    )


def below_first_gate(
    evidence: Evidence, communes: gpd.GeoDataFrame, settings: Settings
) -> list[tuple[str, str]]:
    """Commune × operator (and `all`) that fail E1 over the window they have: they ask for a longer
    one (METHOD §2.5).
    """
    index = pd.MultiIndex.from_product(
        [communes["commune_code"], [*evidence.operators, ALL]], names=UNIT
    )
    sizes = evidence.counts.reindex(index)[["sample_count", "date_count"]].fillna(0.0)
    rows = sizes.assign(
        m=evidence.devices.groupby(UNIT).size().reindex(index, fill_value=0), is_tiles=False
    )
    return list(index[~judge.passes_first_gate(rows, gates_of(settings)).to_numpy()])


def commune_status(rows: pd.DataFrame, min_devices: int) -> tuple[pd.DataFrame, pd.Series]:
    """(`commune_status` with small groups' figures emptied, what was suppressed by unit)."""
    few = privacy.is_suppressed(rows, "commune_code", "device_count", min_devices)
    # an operator's row over a longer window may show its speeds: `all` over the short one must not
    # give the short one away
    pooled = rows["operator"].eq(ALL)
    few |= pooled & rows["small_operator_count"].eq(1) & rows["device_count"].gt(0)
    few_in_month = (
        privacy.is_suppressed(rows, "commune_code", "month_device_count", min_devices) | few
    )
    few_5g = privacy.is_suppressed(rows, "commune_code", "device_count_5g", min_devices)
    few_5g |= pooled & rows["small_5g_operator_count"].eq(1)
    shown = privacy.without(privacy.without(rows, few, PRIVATE), few_in_month, ["month_mean_mbps"])
    shown = privacy.without(shown, few_5g, ["mean_5g_mbps"])
    shown["operator_order"] = shown["operator"].eq(ALL)
    shown = shown.sort_values(["commune_code", "operator_order", "operator"], ignore_index=True)
    suppressed = pd.Series(few.to_numpy(), index=pd.MultiIndex.from_frame(rows[UNIT]))
    return validated("commune_status", with_declared_dtypes("commune_status", shown)), suppressed


def commune_summary(
    rows: pd.DataFrame,
    suppressed: pd.Series,
    communes: gpd.GeoDataFrame,
    period: Period,
    settings: Settings,
) -> pd.DataFrame:
    """One row per commune: `commune_summary`."""
    verdicts = judge.summarise(rows)
    pooled = rows[rows["operator"] == ALL].set_index("commune_code")
    hidden = suppressed.xs(ALL, level="operator").reindex(pooled.index)
    least = settings.privacy.min_devices
    # the all-mobile mean less the 4G mean would give away one or two devices of another technology
    lone = pooled["other_device_count"].gt(0) & pooled["other_device_count"].lt(least)
    table = (
        communes.set_index("commune_code")
        .join(verdicts)
        .join(
            pd.DataFrame(
                {
                    "window_months": pooled["window_months"],
                    "month_test_count": pooled["month_test_count"],
                    "test_count": pooled["test_count"],
                    "device_count": pooled["device_count"],
                    "mean_mbps": pooled["mean_mbps"].where(~hidden),
                    "all_mobile_mean_mbps": pooled["all_mobile_mean_mbps"].where(
                        ~hidden & ~lone & pooled["mobile_device_count"].ge(least)
                    ),
                }
            )
        )
    )
    table["meets_300"] = table["month_test_count"].ge(settings.evidence.official_test_count)
    table = (
        pd.DataFrame(table.reset_index())
        .assign(period=str(period))
        .sort_values("commune_code", ignore_index=True)
    )
    return validated("commune_summary", with_declared_dtypes("commune_summary", table))


def rejects_summary(rejects: pd.DataFrame) -> pd.DataFrame:
    """Rows set aside, by source, file and reason."""
    keys = ["source", "source_file", "reject_reason"]
    table = (
        rejects.groupby(keys).size().rename("reject_count").reset_index()
        if len(rejects)
        else pd.DataFrame({k: [] for k in [*keys, "reject_count"]})
    )
    return validated("rejects_summary", with_declared_dtypes("rejects_summary", table))


def results(
    judged_rows: pd.DataFrame, summary: pd.DataFrame, hex_status: pd.DataFrame, books: pd.DataFrame
) -> dict[str, Any]:
    """Headline figures: statuses of named operators' rows (of `all` where there are none), gap
    classes, bounds, books.
    """
    named = judged_rows[judged_rows["operator"] != ALL]
    rows = judged_rows if named.empty else named
    low, high = judge.everywhere_bounds(judged_rows)
    statuses, classes = rows["status"].value_counts(), summary["gap_class"].value_counts()
    return {
        "statuses": {name: int(statuses.get(name, 0)) for name in STATUSES},
        "gap_classes": {name: int(classes.get(name, 0)) for name in GAP_CLASSES},
        "everywhere_bounds": [low, high],
        "cells": int(hex_status["hex_id"].nunique()),
        "books": {
            str(source): {str(k): v for k, v in row.items()}
            for source, row in books.to_dict("index").items()
        },
    }


def warnings(rejects: pd.DataFrame, books: pd.DataFrame) -> list[Fault]:
    """What a careful colleague would point out about the rows that were set aside."""
    found = []
    counts = rejects["reject_reason"].value_counts()
    within = int(books["read_count"].sum() - counts.get("outside_window", 0))
    if within and counts.get("duplicate", 0) / within > 0.2:
        found.append(
            Fault("many_duplicates", values={"found": round(100 * counts["duplicate"] / within)})
        )
    astray = counts.get("outside_area", 0) + counts.get("bad_position", 0)
    if within and astray / within > 0.5:
        found.append(Fault("mostly_outside", values={"found": round(100 * astray / within)}))
    if int(books["valid_count"].sum()) == 0:
        found.append(Fault("no_usable"))
    return found


def gates_of(settings: Settings) -> judge.Gates:
    """The settings' `[evidence]` as the judge's gates."""
    return judge.Gates(
        **{name: getattr(settings.evidence, name) for name in judge.Gates.__dataclass_fields__}
    )
