"""Evidence from tiles (Ookla): areas with averages instead of tests (METHOD §2.6).

Nothing is decided here. Does not belong here: evidence from tests
(`evidence.py`).
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from pipeline.hexgrid import hexes
from pipeline.measurements import locate, tile_values
from pipeline.measurements.evidence import Evidence, no_revisited_samples
from pipeline.schema.fields import ALL
from pipeline.schema.periods import Period
from pipeline.sources import ookla


def measured_tiles(
    tiles: pd.DataFrame, communes: gpd.GeoDataFrame, period: Period, finest_resolution: int
) -> tuple[Evidence, pd.DataFrame, pd.DataFrame]:
    """(evidence of the period's tiles, rejected tiles with `reject_reason`, books by source)."""
    sound = tiles["unreadable"].eq("") & tiles["tile_period"].eq(str(period))
    sound &= ~repeated_tiles(tiles)
    outlines = ookla.tile_outlines(tiles["quadkey"].where(sound, ""))
    shares = locate.tile_shares(outlines[sound.to_numpy()], communes)
    shares["tile"] = np.flatnonzero(sound.to_numpy())[shares["tile"]]
    marked, books = mark_tiles(tiles, shares, period)
    evidence = evidence_of_tiles(marked, shares, outlines, finest_resolution)
    return evidence, marked[marked["reject_reason"].notna()], books


def repeated_tiles(tiles: pd.DataFrame) -> pd.Series:
    """Whether a readable row has a tile and period that an earlier readable row has."""
    readable = tiles[tiles["unreadable"].eq("")]
    repeated = readable.duplicated(["quadkey", "tile_period"])
    return repeated.reindex(tiles.index, fill_value=False).astype(bool)


def mark_tiles(
    tiles: pd.DataFrame, shares: pd.DataFrame, period: Period
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(tiles with `reject_reason`, books by source with the share of tests that were located)."""
    located = shares.groupby("tile")["tile_share"].sum()
    placed = located.reindex(range(len(tiles)), fill_value=0.0).to_numpy()
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
    reasons = pd.Series(reason, index=tiles.index, dtype="str").replace("", np.nan).astype("str")
    marked = tiles.assign(reject_reason=reasons)
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


def evidence_of_tiles(
    marked: pd.DataFrame,
    shares: pd.DataFrame,
    outlines: npt.NDArray[np.object_],
    finest_resolution: int,
) -> Evidence:
    """Evidence of marked tiles and their shares, under operator `all`.

    Tests over communes = tests located: asserted.
    """
    figures = ["download_mbps", "upload_mbps", "latency_ms", "test_count", "device_count"]
    parts = shares.merge(marked[["quadkey", *figures]], left_on="tile", right_index=True)
    devices, counts = tile_values.tile_values(parts)
    assert np.isclose(counts["test_count"].sum(), (parts["test_count"] * parts["tile_share"]).sum())
    used = marked[marked["reject_reason"].isna()]
    centre = shapely.centroid(outlines[used.index.to_numpy()])
    cells = hexes.cells_of_points(
        pd.Series(shapely.get_y(centre), index=used.index),
        pd.Series(shapely.get_x(centre), index=used.index),
        finest_resolution,
    )
    cell_values = used.assign(
        commune_code="",
        hex9_id=cells,
        operator=ALL,
        device_key=used["quadkey"],
        device_weight=used["device_count"],
        sample_count=1.0,
        download_total=used["download_mbps"],
        upload_total=used["upload_mbps"].fillna(0.0),
        upload_count=used["upload_mbps"].notna().astype("float64"),
        latency_total=used["latency_ms"].fillna(0.0),
        latency_count=used["latency_ms"].notna().astype("float64"),
    )
    present = {(code, ALL) for code in counts.index.get_level_values("commune_code")}
    counts = counts.assign(window_months=3.0)
    revisited = no_revisited_samples()
    shown = devices["device_key"].nunique()
    return Evidence(
        devices, counts, cell_values, revisited, [], present, 3, True, len(devices), shown, None
    )
