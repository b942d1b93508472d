"""H3: bin points, find parents, choose adaptive cells, draw outlines (METHOD §5).

Does not belong here: verdicts. A hex shows the pattern; the commune carries the verdict.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import cast

import geopandas as gpd
import h3
import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import shapely

from pipeline.hexgrid import bulk_index
from pipeline.schema.fields import ALL

# a mean in Mbit/s (ms) is kept as a whole number to eleven decimals: its sum is the same in any
# order, and 90 million fit into one
FINE = 100_000_000_000
c = pl.col


def indexes_of_points(
    latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64], resolution: int
) -> npt.NDArray[np.uint64]:
    """H3 cell of each point (EPSG:4326) as a 64-bit integer.

    0 where a coordinate is missing or off the globe.
    """
    return bulk_index.cells_of_points(latitude, longitude, resolution)


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


def parent_indexes(indexes: npt.NDArray[np.uint64], resolution: int) -> npt.NDArray[np.uint64]:
    """Parents of cells as integers, equal to the library's.

    A parent is the index with its digits below the resolution left out.

    Source: H3 documentation, "H3Index Bit Layout": the resolution in bits 52–55, three bits a
    digit, 7 for none.
    """
    unused = np.uint64((1 << 3 * (15 - resolution)) - 1)
    return indexes & ~np.uint64(15 << 52) | np.uint64(resolution << 52) | unused


def parents(cells: pd.Series, resolution: int) -> pd.Series:
    """Parents of cells, as `cell_to_parent` gives them.

    Binning the point again at the coarser resolution differs for 5–7 % of points.
    """
    known = cells.notna().to_numpy()
    number, distinct = _coded(cells[known])
    of_distinct = names(parent_indexes(indexes(pd.Series(distinct)), resolution)).to_numpy(
        dtype=object
    )
    found = np.full(len(cells), np.nan, dtype=object)
    found[known] = of_distinct[number]
    return pd.Series(found, index=cells.index, dtype="str")


def adaptive_cells(
    devices: pd.DataFrame, *, coarsest: int, finest: int, min_devices: int
) -> pd.Series:
    """Finest cell → the adaptive cell that shows it, index = finest cell, sorted.

    `devices`: hex9_id (of resolution `finest`), device_key, device_weight (1, or the devices of a
    tile), of all operators together. A cell is split only where each child that has any test has at
    least `min_devices` devices; this is also the privacy gate. Cells of the coarsest resolution
    stand whatever they hold.
    """
    row_cell, fine = _coded(devices["hex9_id"])
    texts = pd.Index(fine, name="hex9_id", dtype="str")
    index = indexes(pd.Series(fine))
    phone, weight = _phones(devices)
    ladder = {r: parent_indexes(index, r) for r in range(coarsest, finest + 1)}
    shown, is_open = ladder[coarsest].copy(), np.ones(len(index), dtype=bool)
    for resolution, finer in pairwise(range(coarsest, finest + 1)):
        child, of_child = np.unique(ladder[finer], return_inverse=True)
        # a device counts once in a cell; np.unique would hash, at fifty times the cost
        once = np.sort(of_child[row_cell] * len(weight) + phone)
        once = once[np.diff(once, prepend=-1) > 0]
        cell, device = np.divmod(once, len(weight))
        count = np.bincount(cell, weights=weight[device], minlength=len(child))
        parent, of_parent = np.unique(parent_indexes(child, resolution), return_inverse=True)
        fewest = np.full(len(parent), np.inf)
        np.minimum.at(fewest, of_parent, count)
        is_open &= fewest[of_parent][of_child] >= min_devices
        shown = np.where(is_open, ladder[finer], shown)
    return pd.Series(names(shown).to_numpy(), index=texts, dtype="str")


def _phones(devices: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(number of each row's device, weight of each device)."""
    phone = pd.factorize(devices["device_key"])[0]
    weight = np.zeros(int(phone.max(initial=-1)) + 1)
    np.maximum.at(weight, phone, devices["device_weight"].to_numpy(dtype="float64"))
    return phone, weight


def _coded(column: pd.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """(place of each row's text among the distinct ones, the distinct ones ascending)."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        is_used = np.bincount(codes[codes >= 0], minlength=len(column.cat.categories)) > 0
        kept = column if is_used.all() else column.cat.remove_unused_categories()
        if kept.cat.categories.is_monotonic_increasing:
            place = np.asarray(kept.cat.codes, dtype=np.int64)
            return place, kept.cat.categories.to_numpy(dtype=object)
    number, distinct = pd.factorize(column.to_numpy(dtype=object), sort=True)
    return np.asarray(number, dtype=np.int64), distinct


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
    rings = [h3.cell_to_boundary(cell) for cell in cells]
    of_corner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    corners = np.array([corner for ring in rings for corner in ring], dtype="float64").reshape(
        -1, 2
    )[:, ::-1]
    closed = shapely.linearrings(corners, indices=of_corner)
    shapes = cast("npt.NDArray[np.object_]", shapely.polygons(closed))  # an array, not one Polygon
    west, _, east, _ = shapely.bounds(shapes).T
    for number in np.flatnonzero(east - west > 180):
        shapes[number] = _in_two_parts([(lon, lat) for lat, lon in rings[number]])
    return gpd.GeoSeries(shapes, index=cells.index, crs="EPSG:4326")


def _in_two_parts(ring: list[tuple[float, float]]) -> shapely.Geometry:
    east = shapely.Polygon([(x + 360 if x < 0 else x, y) for x, y in ring])
    half, other = shapely.box(0, -90, 180, 90), shapely.box(180, -90, 360, 90)
    west = shapely.affinity.translate(east.intersection(other), xoff=-360)
    return shapely.MultiPolygon(
        [p for p in (east.intersection(half), west) if isinstance(p, shapely.Polygon)]
    )


def cell_figures(devices: pd.DataFrame, shown: pd.Series, target_mbps: float) -> pd.DataFrame:
    """Figures of each adaptive cell × operator, and `all`.

    Columns: test_count, device_count, mean, median, upload, latency, share below the target.

    `devices`: by device and finest cell: hex9_id, operator, device_key, device_weight, test_count;
    of the device's samples there sample_count and download_total, and of those that have these
    upload_total and upload_count, latency_total and latency_count. A device that tested in several
    finest cells of one adaptive cell has one vote there.
    """
    cell_of_fine, cells = _coded(shown)
    fine, of_fine = _coded(devices["hex9_id"])
    cell = cell_of_fine[shown.index.get_indexer(pd.Index(of_fine, dtype="str"))][fine]
    operator, operators = _coded(devices["operator"])
    totals = {
        name: (devices[name].to_numpy(dtype="float64") * FINE).round().astype(np.int64)
        for name in ("download_total", "upload_total", "latency_total")
    }
    counts = {
        name: devices[name].to_numpy(dtype="float64")
        for name in ("test_count", "sample_count", "upload_count", "latency_count")
    }
    phone, weight = _phones(devices)
    keyed = {"cell": cell, "operator": operator, "phone": phone, "weight": weight[phone]}
    rows = pl.DataFrame(keyed | totals | counts)
    keys = ("cell", "operator", "phone")
    votes = (
        rows.lazy()
        .group_by(keys)
        .agg(c("weight").max(), c(*totals, *counts).sum())
        .select(*keys, "weight", "test_count", value=_mean("download_total", "sample_count"),
                upload=_mean("upload_total", "upload_count"),
                latency=_mean("latency_total", "latency_count"))
    )  # fmt: skip
    tables = [votes]
    if any(name != ALL for name in operators):  # tiles know of no operator but `all`
        tables.append(votes.with_columns(operator=pl.lit(len(operators), pl.Int64)))
    table = (
        pl.concat([_figures(one, target_mbps) for one in tables])
        .collect(engine="streaming")
        .to_pandas()
    )
    table["hex_id"] = pd.Series(cells[table["cell"].to_numpy()], dtype="str")
    names_of = np.append(operators, ALL)
    table["operator"] = pd.Series(names_of[table["operator"].to_numpy()], dtype="str")
    table = table.drop(columns="cell").sort_values(["hex_id", "operator"], ignore_index=True)
    return table[
        ["hex_id", "operator", *(name for name in table if name not in ("hex_id", "operator"))]
    ]


def _mean(total: str, count: str) -> pl.Expr:
    """In 1 / FINE of the unit, to ten decimals; null where nothing was counted.

    Samples are rounded to 1 / FINE: thirds that make 39.99999999999 are 40 again.
    """
    return pl.when(c(count) > 0).then((c(total) / c(count) / 10).round().cast(pl.Int64) * 10)


def _in_units(total: pl.Expr) -> pl.Expr:
    """The unit's figure of one in 1 / FINE, to ten decimals."""
    return (total / FINE).round(10)


def _figures(votes: pl.LazyFrame, target_mbps: float) -> pl.LazyFrame:
    """Figures by cell and operator from one value per device.

    Under `all` a device has one value per operator that it uses.
    """
    below = c("value") < target_mbps * FINE
    # a phone with two operators' SIM cards has two values under `all` and is one device
    once = votes.group_by("cell", "operator", "phone").agg(c("weight").first())
    devices = once.group_by("cell", "operator").agg(device_count=c("weight").sum())
    figures = votes.group_by("cell", "operator").agg(
        c("test_count").sum(),
        value_count=pl.len().cast(pl.Int64),
        below_count=below.sum().cast(pl.Int64),
        mean_mbps=_in_units(c("value").sum() / pl.len()),
        median_mbps=_in_units(c("value").median()),
        upload_mean_mbps=_in_units(c("upload").mean()),
        latency_median_ms=_in_units(c("latency").median()),
        share_devices_below_target=below.sum() / pl.len(),
    )  # fmt: skip
    return figures.join(devices, on=["cell", "operator"]).select(
        "cell", "operator", "test_count", "device_count",
        pl.all().exclude("cell", "operator", "test_count", "device_count"),
    )  # fmt: skip


def neighbour_pairs(cells: Collection[str]) -> pd.DataFrame:
    """Pairs of the given cells, of any resolutions, that touch.

    `left` is the finer, `right` the coarser or equal one.

    A coarse cell stands for its descendants (`cell_to_parent`), as the tests are counted: outlines
    do not nest exactly.
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
    """Rows of cells → one row per finest cell in them, `hex9_id` in place of `hex_id`."""
    # a ledger of finer settings may hold cells below `finest`: their parent stands for them
    children = {
        cell: h3.cell_to_children(cell, finest)
        if h3.get_resolution(cell) <= finest
        else [h3.cell_to_parent(cell, finest)]
        for cell in cells["hex_id"].unique()
    }
    listed = cells.assign(hex9_id=cells["hex_id"].map(children)).drop(columns="hex_id")
    return (
        listed.explode("hex9_id", ignore_index=True)
        .astype({"hex9_id": "str"})
        .drop_duplicates(ignore_index=True)
    )
