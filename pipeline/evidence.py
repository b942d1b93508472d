"""What the verdicts rest on: device values and counts by commune × operator, each over the window that serves it.

Joins of the steps' results, like `assemble.py`; nothing is decided here. Does not belong here: figures (`statistics.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import shapely

from pipeline import clean, hexes, judge, samples
from pipeline.periods import Period
from pipeline.settings import Settings
from pipeline.tables import ALL, TABLES, typed

UNIT = samples.UNIT


@dataclass(frozen=True)
class Evidence:
    """Device values and counts by unit, what the hexes show. Units are over their own windows, the rest over the base window."""

    devices: pd.DataFrame  # device_values
    counts: pd.DataFrame  # by unit, with its window_months
    samples: pd.DataFrame
    hex_samples: pd.DataFrame  # samples of tests whose position is good enough for a hex
    hex_devices: pd.DataFrame  # hex9_id, operator, device_key, device_weight, test_count, sample_count, speeds, latency
    operators: list[str]  # named operators; none for tiles
    present: set[tuple[str, str]]  # (commune, operator) with a device there within 12 months
    window_months: int
    is_tiles: bool


def evidence_of_tests(marked: pd.DataFrame, period: Period, window: list[str], settings: Settings) -> Evidence:
    """Marked tests → evidence over one window. Every valid test is in exactly one commune × operator: asserted."""
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
        )
        .join(samples.mobile_device_values(mobile), how="outer")
        .join(samples.circumstances(valid, drawn, settings.diagnosis.busy_hours), how="outer"),
        how="outer",
    )
    assert counts.loc[counts.index.get_level_values("operator") != ALL, "test_count"].sum() == len(valid)
    close = valid[~(valid["location_accuracy_m"] > quality.max_hex_accuracy_m)]
    counts["window_months"] = float(len(window))
    least = settings.privacy.min_devices
    counts["small_operator_count"] = _small_operators(counts["device_count"], least)
    counts["small_5g_operator_count"] = _small_operators(counts["device_count_5g"], least)
    operators = sorted(settings.operators) or _operators_met(marked, period, settings)
    hex_samples = samples.representative_samples(close)
    return Evidence(
        devices,
        counts,
        drawn,
        hex_samples,
        hex_devices(hex_samples),
        operators,
        _present(marked, period),
        len(window),
        False,
    )


def _operators_met(marked: pd.DataFrame, period: Period, settings: Settings) -> list[str]:
    """Operators with a test of the target's technology in the area within the longest window that a row may have."""
    longest = max([settings.evidence.window_months, period.length, *settings.evidence.widened_months])
    seen = marked[marked["located_code"].notna() & marked["technology"].eq(settings.target.technology)]
    seen = seen[(seen["download_mbps"] > 0) & seen["month"].isin(period.window(longest))]
    return sorted(seen["operator_met"].dropna().unique())


def _small_operators(device_count: pd.Series, min_devices: int) -> pd.Series:
    """Of `all` rows: how many named operators have 1 to `min_devices` − 1 devices there, in the same window.

    An operator's own row may be over a longer window and show its speeds; the `all` row must not give its short one away.
    """
    named = device_count[device_count.index.get_level_values("operator") != ALL]
    small = (named.gt(0) & named.lt(min_devices)).groupby("commune_code").sum()
    pooled = device_count.index.get_level_values("operator") == ALL
    found = device_count.index.get_level_values("commune_code").map(small)
    return pd.Series(np.where(pooled, found, 0.0), index=device_count.index).fillna(0.0)


def widened(base: Evidence, wide: Evidence, units: Iterable[tuple[str, str]], month_count: int) -> Evidence:
    """The evidence with the given units taken from a longer window (METHOD §2.5)."""
    chosen = pd.MultiIndex.from_tuples(sorted(units), names=UNIT)
    kept = base.devices[~pd.MultiIndex.from_frame(base.devices[UNIT]).isin(chosen)]
    added = wide.devices[pd.MultiIndex.from_frame(wide.devices[UNIT]).isin(chosen)]
    counts = pd.concat([base.counts[~base.counts.index.isin(chosen)], wide.counts.reindex(chosen)]).sort_index()
    counts.loc[chosen, "window_months"] = float(month_count)
    devices = pd.concat([kept, added]).sort_values([*UNIT, "device_key"], ignore_index=True)
    return replace(base, devices=devices, counts=counts)


def hex_devices(drawn: pd.DataFrame) -> pd.DataFrame:
    """Samples → one value per device, operator and finest cell: the mean of its samples there."""
    keys = ["hex9_id", "operator", "device_key"]
    figures = drawn.groupby(keys).agg(
        test_count=("test_count", "sum"),
        sample_count=("download_mbps", "size"),
        download_mbps=("download_mbps", "mean"),
        upload_mbps=("upload_mbps", "mean"),
        latency_ms=("latency_ms", "mean"),
        upload_count=("upload_mbps", "count"),
        latency_count=("latency_ms", "count"),
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
    cell_values = used.assign(
        hex9_id=cells, operator=ALL, device_key=used["quadkey"], device_weight=used["device_count"], sample_count=1.0,
        upload_count=used["upload_mbps"].notna().astype("float64"),
        latency_count=used["latency_ms"].notna().astype("float64"),
    )  # fmt: skip
    present = {(code, ALL) for code in counts.index.get_level_values("commune_code")}
    drawn = pd.DataFrame({"device_key": devices["device_key"]})
    counts = counts.assign(window_months=3.0)
    no_samples = typed("samples", pd.DataFrame({name: [] for name in TABLES["samples"]}))
    return Evidence(devices, counts, drawn, no_samples, cell_values, [], present, 3, True)


def gates_of(settings: Settings) -> judge.Gates:
    """The settings' `[evidence]` as the judge's gates."""
    return judge.Gates(**{name: getattr(settings.evidence, name) for name in judge.Gates.__dataclass_fields__})
