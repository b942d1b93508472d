"""Pages to measure: the project's map, and plain folium on the same cells.

    python -m benchmarks.map_pages judge FILE CELLS full|usual  # judges the demo with so many cells
    python -m benchmarks.map_pages FILE PAGE KIND               # writes a page of it

The second prints seconds and peak memory. The area is the demo's province. `full`: every cell has
figures of every operator, more than the tests of any month would give. `usual`: as in simulated
months, 3.4 rows a cell, a third of them under the privacy gate.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import folium
import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import shapely

from benchmarks import peak_mb
from pipeline.config.run_context import RunContext
from pipeline.config.settings import Settings, read_settings
from pipeline.demo.province import write_demo
from pipeline.hexgrid import hexes
from pipeline.journey import judge_month, read
from pipeline.publish import maps
from pipeline.publish.about import about_of
from pipeline.publish.gap_map import palette
from pipeline.publish.picture import verdict_picture
from pipeline.schema.fields import ALL
from pipeline.schema.month import Month
from pipeline.schema.periods import Period

PERIOD, SEED = "2026-10", 11
PROJECT = "project"
PEERS = ("GeoJson x 5, SVG", "GeoJson x 5, canvas")


def month_of_cells(cell_count: int, density: str) -> tuple[Month, Settings]:
    """The demo's judged month with `cell_count` cells of one resolution in place of its own.

    The resolution is 8, or 9 for many cells.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_demo(Path(folder), test_count=30_000, seed=1)
        settings = read_settings(Path(folder) / "settings.toml")
        inputs = read(settings)
    month = judge_month(inputs, RunContext(settings, Period.parse(PERIOD)))
    tables = {**month.tables, "hex_status": drawn_cells(month, cell_count, density)}
    tables["gap_areas"] = tables["gap_areas"].head(0)
    return Month(**{**month.__dict__, "tables": tables}), settings


def drawn_cells(month: Month, cell_count: int, density: str) -> gpd.GeoDataFrame:
    """`hex_status` of the cells nearest to the area's middle."""
    area = shapely.union_all(month.communes.geometry.to_numpy())
    resolution, grown = (
        (8, shapely.buffer(area, 0.01)) if cell_count < 20_000 else (9, shapely.buffer(area, 0.12))
    )
    cells = sorted(h3.geo_to_cells(grown, resolution))
    middle = np.array([h3.cell_to_latlng(cell) for cell in cells])
    away = np.hypot(middle[:, 0] - grown.centroid.y, middle[:, 1] - grown.centroid.x)
    named = pd.Series(
        sorted(np.array(cells)[np.argsort(away, kind="stable")[:cell_count]]), dtype="str"
    )
    if len(named) < cell_count:
        raise SystemExit(f"only {len(named)} cells here")
    draw, operators = np.random.default_rng(SEED), [ALL, *month.operators]
    size = len(named) * len(operators)
    mean = np.exp(draw.normal(3.5, 0.8, size))
    is_usual = density == "usual"
    devices = (draw.geometric(0.12, size) if is_usual else draw.integers(3, 60, size)).astype(
        "float64"
    )
    is_private = devices < 3
    table = pd.DataFrame(
        {
            "hex_id": np.repeat(named.to_numpy(), len(operators)),
            "h3_resolution": resolution,
            "operator": operators * len(named),
            "period": PERIOD,
            "window_months": 3.0,
            "test_count": devices * draw.integers(1, 9, size),
            "device_count": devices,
            "mean_mbps": np.where(is_private, np.nan, mean),
            "median_mbps": np.where(is_private, np.nan, mean * draw.uniform(0.7, 1.0, size)),
            "upload_mean_mbps": np.where(is_private, np.nan, mean / 3),
            "latency_median_ms": np.where(is_private, np.nan, draw.uniform(20, 120, size)),
            "share_devices_below_target": np.where(is_private, np.nan, draw.uniform(0, 1, size)),
            "is_weak": ~is_private & (mean < 20) & (devices > 8),
            "is_fast_enough": ~is_private & (mean > 80) & (devices > 8),
            "gap_id": None,
            "evidence_age_days": np.where(is_private, np.nan, draw.integers(0, 92, size)),
            "population": np.nan,
            "hex_commune_code": month.communes["commune_code"].iloc[0],
        }
    )
    kept = (draw.uniform(0, 1, size) < 0.6) | (table["operator"] == ALL)
    table = table[kept].reset_index(drop=True) if is_usual else table
    outlines = dict(zip(named, hexes.outlines(named), strict=True))
    return gpd.GeoDataFrame(
        table, geometry=table["hex_id"].map(outlines).to_numpy(), crs="EPSG:4326"
    )


def write_map(path: Path, month: Month, settings: Settings) -> None:
    """The project's page with its picture, as a run writes it."""
    about = about_of(month, settings, {"revision": 1, "revisions": []})
    picture = verdict_picture(month.communes, month.tables, about)
    maps.write_page(path, month, about, picture)


def write_peer(path: Path, month: Month, kind: str) -> None:
    """Plain folium as in its guide: one GeoJson layer of cells per operator and a layer control."""
    cells = gpd.GeoDataFrame(month.tables["hex_status"])
    west, south, east, north = month.communes.total_bounds
    page = folium.Map(tiles=None, prefer_canvas=kind.endswith("canvas"))
    page.fit_bounds([[south, west], [north, east]])
    speeds = ["mean_mbps", "upload_mean_mbps", "latency_median_ms"]
    columns = ["hex_id", "test_count", "device_count", *speeds, "geometry"]
    for operator in [ALL, *month.operators]:
        layer = cells.loc[cells["operator"] == operator, columns]
        folium.GeoJson(
            layer,
            name=operator,
            overlay=False,
            show=operator == ALL,
            style_function=_style,
            tooltip=folium.GeoJsonTooltip(columns[:-1]),
        ).add_to(page)
    folium.LayerControl(collapsed=False).add_to(page)
    page.save(path)


def _style(feature: dict[str, Any]) -> dict[str, Any]:
    mean = feature["properties"]["mean_mbps"]
    fill = "#ffffff"
    if mean is not None:
        place = int(np.searchsorted(palette.SPEED_BREAKS_MBPS, mean, side="right"))
        fill = palette.SPEED_FILLS[place]
    return {"fillColor": fill, "color": "#4a4a4a", "weight": 0.5, "fillOpacity": 0.85}


def write(judged: Path, page: Path, kind: str) -> int:
    """Write one page and print the seconds it took and the peak memory of the process in MB."""
    month, settings = pickle.loads(judged.read_bytes())  # noqa: S301 - written by `judge`, above
    began = perf_counter()
    if kind == PROJECT:
        write_map(page, month, settings)
    else:
        write_peer(page, month, kind)
    print(perf_counter() - began, peak_mb())
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "judge":
        Path(sys.argv[2]).write_bytes(pickle.dumps(month_of_cells(int(sys.argv[3]), sys.argv[4])))
    else:
        write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
