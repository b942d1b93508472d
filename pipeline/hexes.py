"""The only room that knows H3: bin points, find parents, choose adaptive cells, draw outlines (METHOD §5).

Does not belong here: verdicts. A hex shows the pattern; the commune carries the verdict.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from itertools import pairwise

import geopandas as gpd
import h3
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from h3.api import basic_int

from pipeline.tables import ALL

BULK = 250_000  # points from which the compiled loop pays for its import (0.4 s; h3 names a million points in 0.6–1 s)


def indexes_of_points(
    latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64], resolution: int
) -> npt.NDArray[np.uint64]:
    """H3 cell of each point (EPSG:4326) as the 64-bit integer that it is; 0 where a coordinate is missing or off the globe.

    Many points go through `lattice.py`, few through the library itself: the cells are the same.
    """
    if len(latitude) >= BULK and find_spec("numba"):
        from pipeline import lattice

        return lattice.cells_of_points(latitude, longitude, resolution)
    known = np.flatnonzero((np.abs(latitude) <= 90) & (np.abs(longitude) <= 180))
    cells = np.zeros(len(latitude), dtype=np.uint64)
    points = zip(latitude[known].tolist(), longitude[known].tolist(), strict=True)
    cells[known] = [basic_int.latlng_to_cell(lat, lon, resolution) for lat, lon in points]
    return cells


def names(indexes: npt.NDArray[np.uint64]) -> pd.Series:
    """H3 cells as text, as they are published; null for 0.

    >>> names(np.array([0x894066941abffff, 0], dtype="uint64")).tolist()
    ['894066941abffff', nan]
    """
    distinct, number = np.unique(indexes, return_inverse=True)
    text = np.array([f"{cell:x}" if cell else np.nan for cell in distinct.tolist()], dtype=object)
    return pd.Series(text[number] if len(text) else text, dtype="str")


def indexes(cells: pd.Series) -> npt.NDArray[np.uint64]:
    """The 64-bit integers of cells given as text."""
    return np.array([int(cell, 16) for cell in cells], dtype=np.uint64)


def cells_of_points(latitude: pd.Series, longitude: pd.Series, resolution: int) -> pd.Series:
    """H3 cell of each point (EPSG:4326), null where a coordinate is missing or off the globe.

    >>> cells_of_points(pd.Series([22.396]), pd.Series([103.458]), 9)[0]
    '894066941abffff'
    """
    found = indexes_of_points(
        latitude.to_numpy(dtype="float64", na_value=np.nan),
        longitude.to_numpy(dtype="float64", na_value=np.nan),
        resolution,
    )
    return names(found).set_axis(latitude.index)


def parents(cells: pd.Series, resolution: int) -> pd.Series:
    """Parents of cells by `cell_to_parent`: taken from the cell, since binning the point again differs for 5–7 % of points."""
    return cells.map({cell: h3.cell_to_parent(cell, resolution) for cell in cells.dropna().unique()}).astype("str")


def adaptive_cells(devices: pd.DataFrame, *, coarsest: int, finest: int, min_devices: int) -> pd.Series:
    """Finest cell → the adaptive cell that shows it, index = finest cell, sorted.

    `devices`: hex9_id (of resolution `finest`), device_key, device_weight (1, or the devices of a tile), of all operators
    together. A cell is split only where each child that has any test has at least `min_devices` devices; this is also the
    privacy gate. Cells of the coarsest resolution stand whatever they hold.
    """
    fine = pd.Series(devices["hex9_id"].unique()).astype("str").sort_values(ignore_index=True)
    shown = parents(fine, coarsest)
    is_open = pd.Series(True, index=fine.index)
    ladder = {r: parents(fine, r) for r in range(coarsest, finest + 1)}
    for resolution, finer in pairwise(range(coarsest, finest + 1)):
        at = dict(zip(fine, ladder[finer], strict=True))
        held = devices.assign(cell=devices["hex9_id"].map(at)).drop_duplicates(["cell", "device_key"])
        count = held.groupby("cell")["device_weight"].sum()
        child = pd.DataFrame({"parent": ladder[resolution], "cell": ladder[finer]}).drop_duplicates()
        fewest = child.assign(count=child["cell"].map(count)).groupby("parent")["count"].min()
        is_open &= ladder[resolution].map(fewest) >= min_devices
        shown = shown.where(~is_open, ladder[finer])
    return pd.Series(shown.to_numpy(), index=pd.Index(fine, name="hex9_id"), dtype="str")


def resolutions(cells: pd.Series) -> pd.Series:
    """H3 resolution of each cell."""
    return cells.map({cell: h3.get_resolution(cell) for cell in cells.unique()}).astype("int64")


def centres(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """(latitude, longitude) of the cells' centres."""
    points = [h3.cell_to_latlng(cell) for cell in cells]
    return pd.Series([p[0] for p in points], index=cells.index, dtype="float64"), pd.Series(
        [p[1] for p in points], index=cells.index, dtype="float64"
    )


def outlines(cells: pd.Series) -> gpd.GeoSeries:
    """Outlines of cells, EPSG:4326. A cell that crosses the date line is drawn in two parts."""
    return gpd.GeoSeries([_outline(cell) for cell in cells], index=cells.index, crs="EPSG:4326")


def _outline(cell: str) -> shapely.Geometry:
    ring = [(lon, lat) for lat, lon in h3.cell_to_boundary(cell)]
    if max(x for x, _ in ring) - min(x for x, _ in ring) <= 180:
        return shapely.Polygon(ring)
    east = shapely.Polygon([(x + 360 if x < 0 else x, y) for x, y in ring])
    half, other = shapely.box(0, -90, 180, 90), shapely.box(180, -90, 360, 90)
    west = shapely.affinity.translate(east.intersection(other), xoff=-360)
    return shapely.MultiPolygon([p for p in (east.intersection(half), west) if p.geom_type == "Polygon"])


def cell_figures(devices: pd.DataFrame, shown: pd.Series, target_mbps: float) -> pd.DataFrame:
    """Adaptive cell × operator (and `all`): test_count, device_count, mean, median, upload, latency, share below the target.

    `devices`: by device and finest cell: hex9_id, operator, device_key, device_weight, test_count; of the device's samples
    there sample_count and download_total, and of those that have these upload_total and upload_count, latency_total and
    latency_count. A device that tested in several finest cells of one adaptive cell has one vote there.
    """
    summed = [
        "test_count",
        "sample_count",
        "download_total",
        "upload_total",
        "upload_count",
        "latency_total",
        "latency_count",
    ]
    rows = devices.assign(
        hex_id=devices["hex9_id"].map(shown).astype("str"), operator=devices["operator"].astype("str")
    )
    groups = rows.groupby(["hex_id", "operator", "device_key"])
    by_device = groups[summed].sum().join(groups["device_weight"].max()).reset_index()
    by_device = by_device.rename(columns={"download_total": "total", "sample_count": "samples"})
    by_device["value"] = by_device["total"] / by_device["samples"]
    for name in ("upload", "latency"):
        known = by_device[f"{name}_count"].where(by_device[f"{name}_count"] > 0)
        by_device[name] = by_device[f"{name}_total"] / known
    by_device["is_below"] = by_device["value"] < target_mbps
    named = by_device[by_device["operator"] != ALL]
    pooled = by_device if named.empty else pd.concat([named, named.assign(operator=ALL)], ignore_index=True)
    cells = pooled.groupby(["hex_id", "operator"])
    # a phone with two operators' SIM cards has two values under `all` and is one device
    people = (
        pooled.drop_duplicates(["hex_id", "operator", "device_key"])
        .groupby(["hex_id", "operator"])["device_weight"]
        .sum()
    )
    return pd.DataFrame(
        {
            "test_count": cells["test_count"].sum(),
            "device_count": people,
            "value_count": cells.size(),
            "below_count": cells["is_below"].sum(),
            "mean_mbps": cells["value"].mean(),
            "median_mbps": cells["value"].median(),
            "upload_mean_mbps": cells["upload"].mean(),
            "latency_median_ms": cells["latency"].median(),
            "share_devices_below_target": cells["is_below"].mean(),
        }
    ).reset_index()


def neighbour_pairs(cells: Collection[str]) -> pd.DataFrame:
    """Pairs of the given cells, of any resolutions, that touch: `left` the finer, `right` the coarser or equal one.

    A coarse cell stands for its descendants (`cell_to_parent`), as the tests are counted: outlines do not nest exactly.
    """
    met, pairs = set(cells), set()
    coarsest = min((h3.get_resolution(cell) for cell in met), default=0)
    for cell in met:
        for neighbour in h3.grid_disk(cell, 1):
            for resolution in range(coarsest, h3.get_resolution(cell) + 1):
                other = h3.cell_to_parent(neighbour, resolution)
                if other in met and other != cell:
                    pairs.add((cell, other))
    return pd.DataFrame(sorted(pairs), columns=["left", "right"], dtype="str")


def descendants(cells: pd.DataFrame, finest: int) -> pd.DataFrame:
    """Rows of cells (`hex_id` and what belongs to it) → one row per finest cell in them, `hex9_id` in place of `hex_id`."""
    # a ledger of finer settings may hold cells below `finest`: their parent stands for them
    children = {
        cell: h3.cell_to_children(cell, finest)
        if h3.get_resolution(cell) <= finest
        else [h3.cell_to_parent(cell, finest)]
        for cell in cells["hex_id"].unique()
    }
    listed = cells.assign(hex9_id=cells["hex_id"].map(children)).drop(columns="hex_id")
    return listed.explode("hex9_id", ignore_index=True).astype({"hex9_id": "str"}).drop_duplicates(ignore_index=True)
