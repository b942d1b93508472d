"""What a good analyst would write with the same libraries: the reference for the whole job.

The rows are in memory. It computes the same valid tests, samples, device values, and figures of
communes and hexes, but no intervals, verdicts, priorities, rejects, months or files.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import h3
import pandas as pd

UNIT = ["commune_code", "operator"]


def figures(tests: pd.DataFrame, communes: gpd.GeoDataFrame) -> dict[str, pd.DataFrame]:
    """`tests` as read from Parquet → samples, devices, communes, hexes."""
    points = gpd.GeoDataFrame(
        tests, geometry=gpd.points_from_xy(tests["longitude"], tests["latitude"]), crs="EPSG:4326"
    )
    located = gpd.sjoin(points, communes[["commune_code", "geometry"]], predicate="within")
    located = pd.DataFrame(located.drop(columns=["geometry", "index_right"])).drop_duplicates(
        [
            "device_id",
            "measured_at",
            "latitude",
            "longitude",
            "operator",
            "technology",
            "download_mbps",
            "upload_mbps",
        ]
    )
    valid = located[
        located["technology"].eq("4G")
        & located["download_mbps"].between(0, 600, inclusive="right")
        & located["location_accuracy_m"].le(1000)
    ].copy()
    valid["hex_id"] = [
        h3.latlng_to_cell(lat, lon, 9)
        for lat, lon in zip(valid["latitude"], valid["longitude"], strict=True)
    ]
    valid["local_date"] = valid["measured_at"].dt.tz_convert("Asia/Ho_Chi_Minh").dt.date
    speeds = ["download_mbps", "upload_mbps", "latency_ms"]
    keys = [*UNIT, "device_id", "hex_id", "local_date"]
    samples = valid.groupby(keys)[speeds].mean().reset_index()
    devices = samples.groupby([*UNIT, "device_id"])[speeds].mean().reset_index()
    groups = devices.groupby(UNIT)["download_mbps"]
    by_commune = groups.agg(["mean", "median", "std", "size"]).assign(
        p10=groups.quantile(0.1), test_count=valid.groupby(UNIT).size()
    )
    here = samples.groupby(["hex_id", "operator", "device_id"])[speeds].mean().reset_index()
    by_hex = here.groupby(["hex_id", "operator"]).agg(
        mean_mbps=("download_mbps", "mean"),
        median_mbps=("download_mbps", "median"),
        device_count=("device_id", "size"),
    )
    return {"samples": samples, "devices": devices, "communes": by_commune, "hexes": by_hex}


def read(path: Path) -> pd.DataFrame:
    """The rows that the script finds in memory."""
    return pd.read_parquet(path)
