"""Puts the steps' results together into the declared tables: joins, and nothing that is decided.

Does not belong here: order (`journey.py`), rules (`judge.py`), formulas (`statistics.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline import clean, gaps, hexes, judge, locate, privacy, samples, statistics
from pipeline.errors import Fault
from pipeline.periods import Period
from pipeline.settings import Settings
from pipeline.tables import ALL, GAP_CLASSES, PRIVATE, STATUSES, checked, typed

UNIT = statistics.UNIT


@dataclass(frozen=True)
class Evidence:
    """What the verdicts rest on: device values, counts by unit, what the hexes show."""

    devices: pd.DataFrame  # device_values
    counts: pd.DataFrame  # by unit
    samples: pd.DataFrame
    hex_devices: pd.DataFrame  # hex9_id, operator, device_key, device_weight, test_count, sample_count, download_mbps
    operators: list[str]  # named operators; none for tiles
    present: set[tuple[str, str]]  # (commune, operator) with a device there within 12 months
    window_months: int
    is_tiles: bool


def evidence_of_tests(marked: pd.DataFrame, period: Period, window: list[str], settings: Settings) -> Evidence:
    """Marked tests → evidence. Every valid test is in exactly one commune × operator: asserted."""
    marked = samples.keyed_devices(marked.assign(commune_code=marked["located_code"], operator=marked["operator_met"]))
    valid = marked[marked["reject_reason"].isna() & ~marked["is_failed"]]
    failed = marked[marked["is_failed"]]
    quality = settings.quality
    drawn = samples.representative_samples(valid)
    devices = samples.device_values(drawn)
    report_month = period.months[-1]
    counts = samples.evidence_counts(
        valid, drawn, report_month=report_month, max_hex_accuracy_m=quality.max_hex_accuracy_m
    )
    mobile = marked[clean.is_mobile(marked, quality.max_download_mbps)]
    mobile = mobile.assign(is_other=mobile["technology"].ne(settings.target.technology))
    other = marked[marked["reject_reason"].eq("other_technology") & marked["operator_met"].notna()]
    counts = counts.join(
        pd.DataFrame(
            {
                "slow_hours_apart": samples.slow_hours_apart(drawn, settings.target.download_mbps),
                "failed_test_count": samples.with_all(failed).groupby(UNIT).size(),
                "newer_test_count": samples.with_all(other[other["technology"] == "5G"]).groupby(UNIT).size(),
                "older_test_count": samples.with_all(other[other["technology"].isin(["3G", "2G"])])
                .groupby(UNIT)
                .size(),
            }
        ).join(samples.mobile_device_values(mobile), how="outer"),
        how="outer",
    )
    assert counts.loc[counts.index.get_level_values("operator") != ALL, "test_count"].sum() == len(valid)
    close = valid[~(valid["location_accuracy_m"] > quality.max_hex_accuracy_m)]
    operators = sorted(settings.operators) or sorted(valid["operator"].unique())
    return Evidence(
        devices, counts, drawn, _hex_devices(close), operators, _present(marked, period), len(window), False
    )


def _hex_devices(tests: pd.DataFrame) -> pd.DataFrame:
    """One value per device, operator and finest cell: the mean of its samples there."""
    drawn = samples.representative_samples(tests)
    keys = ["hex9_id", "operator", "device_key"]
    figures = drawn.groupby(keys).agg(
        test_count=("test_count", "sum"),
        sample_count=("download_mbps", "size"),
        download_mbps=("download_mbps", "mean"),
    )
    return figures.reset_index().assign(device_weight=1.0)


def _present(marked: pd.DataFrame, period: Period) -> set[tuple[str, str]]:
    """Operators that had a phone on their network in the commune within the 12 months that end with the period."""
    mobile = marked["technology"].isin(["2G", "3G", "4G", "5G"])  # under Wi-Fi the name is that of a fixed line
    known = marked["located_code"].notna() & marked["operator_met"].notna()
    seen = marked[mobile & known & marked["month"].isin(period.window(12))]
    return set(seen[["located_code", "operator_met"]].drop_duplicates().itertuples(index=False, name=None))


def repeated_tiles(tiles: pd.DataFrame) -> pd.Series:
    """Tiles that were met before in the same period: the first readable row stays."""
    readable = tiles[tiles["unreadable"].eq("")]
    return readable.duplicated(["quadkey", "tile_period"]).reindex(tiles.index, fill_value=False).astype(bool)


def mark_tiles(tiles: pd.DataFrame, shares: pd.DataFrame, period: Period) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tiles + `reject_reason`, and the books by source with the share of the tests that could be placed."""
    placed = shares.groupby("tile")["tile_share"].sum().reindex(range(len(tiles)), fill_value=0.0).to_numpy()
    readable = tiles["unreadable"].eq("")
    current = readable & tiles["tile_period"].eq(str(period))
    reason = np.select(
        [
            ~readable & tiles["unreadable"].str.contains("quadkey", regex=False),
            ~readable & tiles["unreadable"].str.contains("quarter", regex=False),
            ~readable,
            ~current,
            repeated_tiles(tiles),
            placed == 0,
        ],
        ["bad_position", "bad_time", "bad_value", "outside_window", "duplicate", "outside_area"],
        default="",
    )
    marked = tiles.assign(
        reject_reason=pd.Series(reason, index=tiles.index, dtype="str").replace("", np.nan).astype("str")
    )
    used = marked["reject_reason"].isna()
    asked = used | marked["reject_reason"].eq("outside_area")
    books = pd.DataFrame(
        {
            "source": marked["source"],
            "read_count": 1,
            "valid_count": used.astype(int),
            "failed_count": 0,
            "reject_count": (~used).astype(int),
            "asked_tests": tiles["test_count"].where(asked, 0.0),
            "placed_tests": (tiles["test_count"] * placed).where(asked, 0.0),
        }
    ).groupby("source").sum()  # fmt: skip
    books["placed_share"] = books["placed_tests"] / books["asked_tests"]
    return marked, books


def evidence_of_tiles(marked: pd.DataFrame, shares: pd.DataFrame, outlines: np.ndarray, settings: Settings) -> Evidence:
    """Marked tiles and their shares → evidence under operator `all`. Tests over communes = tests placed: asserted."""
    columns = ["quadkey", "download_mbps", "upload_mbps", "latency_ms", "test_count", "device_count"]
    parts = shares.merge(marked[columns], left_on="tile", right_index=True)
    devices, counts = samples.tile_values(parts)
    assert np.isclose(counts["test_count"].sum(), (parts["test_count"] * parts["tile_share"]).sum())
    used = marked[marked["reject_reason"].isna()]
    centre = shapely.centroid(outlines[used.index.to_numpy()])
    cells = hexes.cells_of_points(
        pd.Series(shapely.get_y(centre), index=used.index),
        pd.Series(shapely.get_x(centre), index=used.index),
        settings.hexes.finest_resolution,
    )
    hex_devices = used.assign(
        hex9_id=cells, operator=ALL, device_key=used["quadkey"], device_weight=used["device_count"], sample_count=1.0
    )
    present = {(code, ALL) for code in counts.index.get_level_values("commune_code")}
    drawn = pd.DataFrame({"device_key": devices["device_key"]})
    return Evidence(devices, counts, drawn, hex_devices, [], present, 3, True)


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
    "m",
)
_EMPTY = ("largest_device_tests", "largest_cell_samples", "month_mean_mbps", "all_mobile_mean_mbps", "slow_hours_apart")


def judged(
    evidence: Evidence,
    units: pd.DataFrame,
    communes: gpd.GeoDataFrame,
    period: Period,
    settings: Settings,
) -> pd.DataFrame:
    """Every commune × operator (and `all`) with its figures, q-values, status and flags; nothing suppressed yet."""
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
    rows["is_capped"] = evidence.is_tiles | rows["pseudo_count"].gt(0)
    target, rules = settings.target.download_mbps, settings.evidence
    gates = judge.Gates(**{name: getattr(rules, name) for name in judge.Gates.__dataclass_fields__})
    first = judge.passes_first_gate(rows, gates)
    pooled = pd.Series(rows.index.get_level_values("operator") == ALL, index=rows.index)
    for p, q in (("p_gap", "q_gap"), ("p_meets", "q_meets")):
        families = [statistics.q_values(rows[p], first & family) for family in (pooled, ~pooled)]
        rows[q] = families[0].fillna(families[1])
    rows = rows.join(judge.assign_status(rows, target, gates))
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
        .assign(period=str(period), window_months=float(evidence.window_months))
    )


def commune_status(rows: pd.DataFrame, min_devices: int) -> tuple[pd.DataFrame, pd.Series]:
    """(`commune_status` with small groups' figures emptied, what was suppressed by unit)."""
    few = privacy.is_suppressed(rows, "commune_code", "device_count", min_devices)
    few_in_month = privacy.is_suppressed(rows, "commune_code", "month_device_count", min_devices) | few
    shown = privacy.without(privacy.without(rows, few, PRIVATE), few_in_month, ["month_mean_mbps"])
    shown["operator_order"] = shown["operator"].eq(ALL)
    shown = shown.sort_values(["commune_code", "operator_order", "operator"], ignore_index=True)
    suppressed = pd.Series(few.to_numpy(), index=pd.MultiIndex.from_frame(rows[UNIT]))
    return checked("commune_status", typed("commune_status", shown)), suppressed


def commune_summary(
    rows: pd.DataFrame, suppressed: pd.Series, communes: gpd.GeoDataFrame, period: Period, settings: Settings
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
    table = pd.DataFrame(table.reset_index()).assign(period=str(period)).sort_values("commune_code", ignore_index=True)
    return checked("commune_summary", typed("commune_summary", table))


def hex_status(
    evidence: Evidence,
    priors: dict[str, statistics.Prior | None],
    communes: gpd.GeoDataFrame,
    period: Period,
    settings: Settings,
) -> gpd.GeoDataFrame:
    """Adaptive cells × operators: `hex_status` with outlines, small groups' speeds emptied."""
    rules, least = settings.hexes, settings.privacy.min_devices
    shown = hexes.adaptive_cells(
        evidence.hex_devices, coarsest=rules.coarsest_resolution, finest=rules.finest_resolution, min_devices=least
    )
    figures = hexes.cell_figures(evidence.hex_devices, shown, settings.target.download_mbps)
    log_sd = (
        figures["operator"].map({name: np.sqrt(prior.sw2) for name, prior in priors.items() if prior}).astype("float64")
    )
    weak = gaps.is_weak(
        figures["below_count"],
        figures["value_count"],
        log_sd,
        min_devices=rules.weak_min_devices,
        significance=rules.weak_significance,
    )
    # a tile is an average, not a device: counting tiles below the target tests nothing
    figures = figures.assign(is_weak=weak & (not evidence.is_tiles))
    figures = privacy.without(figures, privacy.is_suppressed(figures, "hex_id", "device_count", least), PRIVATE)
    cells = pd.Series(figures["hex_id"].unique(), dtype="str")
    about = pd.DataFrame(
        {
            "hex_id": cells,
            "h3_resolution": hexes.resolutions(cells),
            "hex_commune_code": locate.communes_of_points(*hexes.centres(cells), communes),
            "geometry": hexes.outlines(cells).to_numpy(),
        }
    )
    table = figures.merge(about, on="hex_id").assign(period=str(period), window_months=float(evidence.window_months))
    table = table.sort_values(["hex_id", "operator"], ignore_index=True)
    return gpd.GeoDataFrame(checked("hex_status", typed("hex_status", table)), geometry="geometry", crs="EPSG:4326")


def rejects_summary(rejects: pd.DataFrame) -> pd.DataFrame:
    """Rows set aside, by source, file and reason."""
    keys = ["source", "source_file", "reject_reason"]
    table = (
        rejects.groupby(keys).size().rename("reject_count").reset_index()
        if len(rejects)
        else pd.DataFrame({k: [] for k in [*keys, "reject_count"]})
    )
    return checked("rejects_summary", typed("rejects_summary", table))


def results(
    judged_rows: pd.DataFrame, summary: pd.DataFrame, hex_status: pd.DataFrame, books: pd.DataFrame
) -> dict[str, Any]:
    """Headline figures: statuses of named operators' rows (of `all` where there are none), gap classes, bounds, books."""
    named = judged_rows[judged_rows["operator"] != ALL]
    rows = judged_rows if named.empty else named
    low, high = judge.everywhere_bounds(judged_rows)
    statuses, classes = rows["status"].value_counts(), summary["gap_class"].value_counts()
    return {
        "statuses": {name: int(statuses.get(name, 0)) for name in STATUSES},
        "gap_classes": {name: int(classes.get(name, 0)) for name in GAP_CLASSES},
        "everywhere_bounds": [low, high],
        "cells": int(hex_status["hex_id"].nunique()),
        "books": {str(source): {str(k): v for k, v in row.items()} for source, row in books.to_dict("index").items()},
    }


def warnings(rejects: pd.DataFrame, books: pd.DataFrame) -> list[Fault]:
    """What a careful colleague would point out about the rows that were set aside."""
    found = []
    counts = rejects["reject_reason"].value_counts()
    within = int(books["read_count"].sum() - counts.get("outside_window", 0))
    if within and counts.get("duplicate", 0) / within > 0.2:
        found.append(Fault("many_duplicates", values={"found": round(100 * counts["duplicate"] / within)}))
    astray = counts.get("outside_area", 0) + counts.get("bad_position", 0)
    if within and astray / within > 0.5:
        found.append(Fault("mostly_outside", values={"found": round(100 * astray / within)}))
    if int(books["valid_count"].sum()) == 0:
        found.append(Fault("no_usable"))
    return found
