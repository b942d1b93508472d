"""Signs that device ids are not phones: ids that begin anew, are in two places, come in crowds.

A sample's time is that of the device's first test in the cell on the date, so that ids which are
made for single tests show, and a day on which people measure together for hours hardly does.
Rows without a device id have none of these signs. Does not belong here: what follows from the signs
(`verdicts/judge.py`), ids of a column (`sources/cells/ids.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import h3
import numpy as np
import numpy.typing as npt
import polars as pl
from pyproj import Geod

from pipeline.measurements.samples import during
from pipeline.measurements.scope import Scope

MIN_DATES = 3  # of a device that may be asked whether it is seen in two months
FASTEST_MPS = 300.0  # m/s; a phone that is faster is two phones
NEAR_M = 2_000.0  # a jump this short says nothing
LONGEST_S = 7_200  # s; by then a phone of FASTEST_MPS has crossed any area
c = pl.col


@dataclass(frozen=True)
class IdLife:
    """Whether ids stay, over the base window.

    `device_count`: ids with tests on MIN_DATES local dates or more; `stayed_count`: those of them
    seen in two calendar months or more; `month_shares`: of the samples with an id, by month.
    """

    device_count: int
    stayed_count: int
    month_shares: tuple[float, ...]


def named_samples(valid: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """device, day, second, cell: samples of the base window with a device id."""
    with_id = valid.filter(~c("is_pseudo") & during(scope.windows[0]))
    return with_id.select("device", "day", "second", "cell")


def device_dates(named: pl.LazyFrame) -> pl.LazyFrame:
    """device, day: samples."""
    return named.group_by("device", "day").agg(samples=pl.len())


def stays(dates: pl.LazyFrame) -> pl.LazyFrame:
    """One row: devices with MIN_DATES dates or more, and how many stayed: met in two months."""
    month = c("day").dt.month_start()
    by_device = dates.group_by("device").agg(dates=pl.len(), has_stayed=month.min() < month.max())
    often = by_device.filter(c("dates") >= MIN_DATES)
    return often.select(devices=pl.len(), stayed=c("has_stayed").sum())


def id_months(dates: pl.LazyFrame) -> pl.LazyFrame:
    """month: samples with a device id."""
    return dates.group_by(month=c("day").dt.month_start()).agg(c("samples").sum())


def spots(named: pl.LazyFrame) -> pl.LazyFrame:
    """device, spot: cell and minute of each sample, as one 64-bit hash."""
    minute = c("day").to_physical().cast(pl.Int64) * 1440 + c("second") // 60
    return named.select("device", spot=c("cell").hash(0) ^ minute.hash(1))


def steps(named: pl.LazyFrame, dates: pl.LazyFrame) -> pl.LazyFrame:
    """device, before, cell, seconds: from a sample to the device's next one of the date elsewhere.

    Those of LONGEST_S or less.
    """
    several = dates.filter(c("samples") > 1)
    moved = named.join(several, on=["device", "day"], how="semi")
    moved = moved.sort("device", "day", "second", "cell").select(
        "device", "cell", before=c("cell").shift(), seconds=c("second").diff(),
        is_next=(c("device") == c("device").shift()) & (c("day") == c("day").shift()),
    )  # fmt: skip
    is_step = c("is_next") & (c("cell") != c("before")) & (c("seconds") <= LONGEST_S)
    return moved.filter(is_step).select("device", "before", "cell", "seconds")


def marked_devices(some_spots: pl.DataFrame, some_steps: pl.DataFrame, least: int) -> pl.DataFrame:
    """device, is_in_two_places, is_in_crowd: devices with either sign.

    `some_spots`, `some_steps`: of all shards. In a crowd: `least` ids or more began to test in one
    cell and minute.
    """
    split = some_steps.filter(pl.Series(_is_too_fast(some_steps), dtype=pl.Boolean))["device"]
    spot = np.sort(some_spots["spot"].to_numpy())
    # a run of `least` equal spots: most have one row, and are not grouped
    full = pl.Series(np.unique(spot[least - 1 :][spot[least - 1 :] == spot[: 1 - least]]))
    some = some_spots.filter(c("spot").is_in(full.cast(pl.UInt64).implode())).unique()
    crowd = some.filter(pl.len().over("spot") >= least)["device"]
    devices = pl.concat([split, crowd]).unique().sort().to_frame("device")
    return devices.with_columns(
        is_in_two_places=c("device").is_in(split.implode()),
        is_in_crowd=c("device").is_in(crowd.implode()),
    )


def _is_too_fast(some_steps: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Whether a step needs more than FASTEST_MPS over more than NEAR_M, wherever in its cells."""
    cells = some_steps.select("before", "cell").to_numpy()
    distinct, number = np.unique(cells, return_inverse=True)
    if not len(distinct):
        return np.zeros(0, dtype=bool)
    texts = [h3.int_to_str(cell) for cell in distinct.tolist()]
    latitude, longitude = np.array([h3.cell_to_latlng(cell) for cell in texts]).T
    first, then = number.reshape(cells.shape).T
    ends = longitude[first], latitude[first], longitude[then], latitude[then]
    # a test may lie an edge from its cell's centre
    around = 2 * h3.average_hexagon_edge_length(h3.get_resolution(texts[0]), unit="m")
    metres = Geod(ellps="WGS84").inv(*ends)[2] - around
    seconds = some_steps["seconds"].to_numpy()
    return np.asarray((metres > NEAR_M) & (metres > FASTEST_MPS * seconds))


def id_life(found: dict[str, pl.DataFrame]) -> IdLife:
    """The ids' life, of all shards' `stays` and `id months`."""
    sums = found["stays"].sum()
    months = found["id months"].group_by("month").agg(c("samples").sum()).sort("month")
    counts = months["samples"].to_list()
    shares = tuple(count / sum(counts) for count in counts)
    return IdLife(sums["devices"].item(), sums["stayed"].item(), shares)
