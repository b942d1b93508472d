"""Rows of whole devices → representative samples (METHOD §2.1–2.2).

Speeds are added up in whole numbers, which have the same sum in any order: a test's in bit/s, a
sample's mean in 1 / FINE Mbit/s. So neither threads nor the order of files nor the number of
machines shows in a figure. Does not belong here: what samples add up to (`devices.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.hexgrid.hexes import FINE
from pipeline.measurements.scope import Scope, Window
from pipeline.schema.tables import TECHNOLOGIES

UNIT_CODES = ["zone", "operator"]  # numbers of commune and operator
FIGURES = ["bits", "upload_bits", "latency_ns"]
SAMPLE = ["device", *UNIT_CODES, "technology", "cell", "day"]
PER_UNIT = 1_000_000  # bit/s per Mbit/s, ns per ms
WIFI, NEWER = TECHNOLOGIES.index("wifi"), TECHNOLOGIES.index("5G")
c = pl.col


def during(window: Window) -> pl.Expr:
    """Rows whose local date lies in the window."""
    return c("day").is_between(*window)


def row_number() -> pl.Expr:
    """File and row in one number."""
    return c("file").cast(pl.UInt64) * 2**32 + c("row")


def repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with a key that was met earlier by time, then file and row.

    number: their `row_number`; in_file: whether the key was met in the same file before.
    Of rows without a time none repeats another: it is not known when they were measured.
    """
    timed = rows.lazy().filter(c("time").is_not_null())
    keys = np.sort(timed.select("key").collect()["key"].to_numpy())
    twice = pl.Series(np.unique(keys[1:][keys[1:] == keys[:-1]]), dtype=pl.UInt64)
    again = timed.filter(c("key").is_in(twice.implode())).sort("time", "file", "row")
    again = again.with_columns(
        is_first=c("key").is_first_distinct(), in_file=~pl.struct("key", "file").is_first_distinct()
    )
    return again.filter(~c("is_first")).select("in_file", number=row_number()).collect()


def is_valid() -> pl.Expr:
    """Tests that count: sound, met for the first time, with a speed."""
    return c("reason").is_null() & ~c("is_repeat") & (c("bits") > 0)


def samples(rows: pl.LazyFrame, scope: Scope) -> pl.LazyFrame:
    """One device's tests in one commune × operator × technology × cell × local date (METHOD §2.2).

    Of every mobile technology, up to ten times the target technology's ceiling: 5G is faster.
    SAMPLE; month, second (of the first test), is_pseudo, tests, accurate, fast (tests above the
    cap), bits (sum); mean, capped, upload, latency in 1 / FINE Mbit/s and ms, null where no test
    has them; close (tests whose position is exact enough for a hex) and of these close_mean,
    close_upload, close_latency. capped: the mean where no test counts for more than
    `fast_test_mbps`, nor for more than `fast_test_ratio` times the lower quartile of its device's
    tests there (in the longest window) and the target.
    """
    is_sound = c("reason").is_null() | (c("reason") == "other_technology")
    is_placed = (c("zone") >= 0) & c("operator").is_not_null() & (c("technology") < WIFI)
    ceiling = 10 * PER_UNIT * scope.rules.max_download_mbps
    mobile = rows.filter(is_sound & is_placed & ~c("is_repeat") & c("bits").is_between(1, ceiling))

    cap = round(scope.rules.fast_test_mbps * PER_UNIT)
    # a phone whose slower tests are of 4G and whose others may be of 5G; 0 outside the windows
    lately = pl.when(during(scope.longest)).then("bits")
    slow = lately.quantile(0.25, "lower").over("device", *UNIT_CODES, "technology").fill_null(0)
    least = scope.rules.target_mbps * PER_UNIT
    own_cap = (slow * scope.rules.fast_test_ratio).clip(lower_bound=least).clip(upper_bound=cap)
    close = [pl.when("is_close").then(name).alias(f"close_{name}") for name in FIGURES]
    figures = [*FIGURES, *(f"close_{name}" for name in FIGURES)]
    sums = mobile.with_columns(*close, cap=own_cap.cast(pl.Int64)).group_by(SAMPLE).agg(
        c("second").min(), c("is_pseudo").any(), c("is_accurate", "is_close").sum(),
        c(figures).sum(), c(figures).count().name.suffix("_count"), tests=pl.len(),
        capped=pl.min_horizontal("bits", "cap").sum(),
        fast=(c("bits") > cap).sum(),
    )  # fmt: skip

    def mean(name: str, count: str | None = None) -> pl.Expr:
        number = c(count or f"{name}_count")
        exact = c(name) * (FINE / PER_UNIT) / number
        return pl.when(number > 0).then(exact.round().cast(pl.Int64))

    return sums.select(
        *SAMPLE, "second", "is_pseudo", "tests", "fast", "bits", month=c("day").dt.month_start(),
        accurate="is_accurate", close="is_close", mean=mean("bits"),
        capped=mean("capped", "tests"), upload=mean("upload_bits"),
        latency=mean("latency_ns"), close_mean=mean("close_bits"),
        close_upload=mean("close_upload_bits"), close_latency=mean("close_latency_ns"),
    )  # fmt: skip


def mean_of(table: pl.DataFrame, total: str, count: str | None = None) -> npt.NDArray[np.float64]:
    """Mbit/s (ms) of a column in 1 / FINE: of sums over `count` the means, NaN where it is 0.

    By numpy: Polars multiplies by the reciprocal where a column has one row, which shows in a
    figure.
    """
    sums = table[total].cast(pl.Float64).fill_null(np.nan).to_numpy()
    if count is not None:
        counts = table[count].to_numpy()
        sums = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    # samples are rounded to 1 / FINE: thirds that make 39.99999999999 are 40 again
    return np.asarray(np.round(sums / FINE, 10))
