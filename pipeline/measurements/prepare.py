"""Parts of the deliveries → rows of tests as numbers: read, located, binned, with a reason.

Every row that is read comes through, with the one reason why it does not count (METHOD §2.1).
Does not belong here: whatever compares or adds up rows (`samples.py`, `devices.py`, `counts.py`),
where it runs (`engine/`).
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl

from pipeline.config.rules import CleaningRules
from pipeline.engine.local import Chunk, Engine, Rows
from pipeline.hexgrid import hexes
from pipeline.measurements import fingerprints, locate
from pipeline.schema.errors import UserFault
from pipeline.schema.tables import REJECT_REASONS, TECHNOLOGIES
from pipeline.sources import overlap
from pipeline.sources.deliveries import Account, Part, read_part

REASON = pl.Enum(REJECT_REASONS)
# rows of whole devices that are added up at once: few enough for what is made of them to fit the
# processor's cache (10 million in shards of 1 million take two thirds of the time of 4 million)
SHARD_ROWS, MOST_SHARDS = 1_000_000, 64
SPEED_CLASSES = 50  # 4.7 % wide
LONGEST_MS = 3.6e6  # an hour; a longer latency is none
SAME_TEST = (
    "device", "operator", "technology", "time", "latitude", "longitude", "bits", "upload_bits",
)  # fmt: skip
c = pl.col


@dataclass(frozen=True)
class Preparation:
    """What every part needs to know to be prepared."""

    rules: CleaningRules
    zones: locate.Zones
    files: tuple[str, ...]  # names, ascending: a file's number is its place
    sources: tuple[str, ...]
    shard_count: int  # shards hold whole devices


@dataclass(frozen=True)
class Prepared:
    """All tests of a run as prepared rows, and how they were prepared."""

    rows: Rows
    how: Preparation
    account: Account  # of all parts

    def close(self) -> None:
        """Give up what the rows occupy."""
        self.rows.close()


def prepared_tests(
    parts: list[Part],
    communes: gpd.GeoDataFrame | None,
    rules: CleaningRules,
    engine: Engine,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[Prepared, list[Account]]:
    """Rows of all parts, and an account of each part; without communes every row lies outside.

    `progress` is given the share of the rows that are ready.
    """
    names = [part.names() for part in parts]
    nowhere = gpd.GeoDataFrame({"commune_code": []}, geometry=[], crs="EPSG:4326")
    count = sum(part.row_estimate() for part in parts)
    zones = locate.zones_of(nowhere if communes is None else communes, count)
    sources, files = (tuple(sorted(set().union(*(one[n] for one in names)))) for n in (0, 1))
    how = Preparation(
        rules, zones, files, sources, min(MOST_SHARDS, max(1, -(-count // SHARD_ROWS)))
    )
    ready = [0]

    def add(account: Account) -> None:
        ready[0] += account.read_count
        progress(min(1.0, ready[0] / max(count, 1)))

    rows = engine.prepare(parts, partial(chunks_of, how=how), add)
    accounts = [Account.sum(chunks) for chunks in rows.accounts]
    return Prepared(rows, how, Account.sum(accounts)), accounts


def chunks_of(part: Part, how: Preparation) -> Iterator[Chunk]:
    """The part's rows, by chunks. Faults of its file end it and stand in the last account.

    Stream `tests`: the rows, whole devices to a shard. Stream `ids`, where there are several
    shards: of rows with a test id what tells whether they repeat another, whole ids to a shard.
    """
    try:
        for tests, account in read_part(part):
            rows = rows_of(tests, how)
            # a fence is no test: a coverage run chooses no report month
            tests_of = rows.filter(c("reason").ne_missing("coverage_only"))
            days = tests_of["day"].drop_nulls().value_counts()
            for day, count in days.iter_rows():
                account.months[f"{day.year:04}-{day.month:02}"] += count
            account.operators.update(tests["operator_met"].drop_nulls().unique().to_list())
            _count(account, rows, how)
            if len(how.sources) > 1:
                account.sketches = _sketches(tests, rows, how)
            streams = {"tests": rows}
            if how.shard_count > 1:
                device = pl.Series(fingerprints.mixed(rows["device"].to_numpy()))
                streams["tests"] = rows.with_columns(shard=_shard(device, how.shard_count))
                ids = rows.select("key", "time", "file", "row").filter(
                    tests["test_id"].is_not_null() & rows["time"].is_not_null()
                )
                streams["ids"] = ids.with_columns(shard=_shard(ids["key"], how.shard_count))
            yield Chunk(streams, account)
    except UserFault as error:
        yield Chunk({}, Account(faults=list(error.faults)))


def _count(account: Account, rows: pl.DataFrame, how: Preparation) -> None:
    """Add up the rows by reason and commune, and the speeds of those that count, by source."""
    counted = rows.lazy().filter(c("reason").is_null() & (c("bits") > 0))
    tables = {
        "reasons": rows.lazy().group_by("source", key="reason").len(),
        "source_months": rows.lazy().group_by("source", key=c("day").dt.strftime("%Y-%m")).len(),
        "zones": rows.lazy().filter(c("zone") >= 0).group_by("source", key="zone").len(),
        "speeds": counted.group_by("source", key=speed_class(c("bits"))).len(),
    }
    found = pl.collect_all(list(tables.values()))
    for name, table in zip(tables, found, strict=True):
        by_source: dict[str, Counter[Any]] = getattr(account, name)
        for source, key, count in table.iter_rows():
            by_source.setdefault(how.sources[source], Counter())[key] += count


def _sketches(
    tests: pl.DataFrame, rows: pl.DataFrame, how: Preparation
) -> dict[str, overlap.Sketch]:
    """Sketches of the rows, by source."""
    placed = rows.select(
        "source", "time", "operator", "bits", tests["latitude"], tests["longitude"]
    )
    return {
        how.sources[number]: overlap.sketch(part)
        for (number,), part in placed.group_by("source", maintain_order=True)
    }


def speed_class(bits: pl.Expr) -> pl.Expr:
    """The class of a speed in bit/s: SPEED_CLASSES to a factor of ten."""
    return (bits.log10() * SPEED_CLASSES).round().cast(pl.Int32)


def _shard(key: pl.Series, count: int) -> pl.Series:
    """The number of the shard of each 64-bit key: ascending with the key."""
    return ((key // 2**32) * count // 2**32).cast(pl.UInt16)


def rows_of(tests: pl.DataFrame, how: Preparation) -> pl.DataFrame:
    """`tests` → rows as numbers, one to one.

    source, file        numbers of the names        row        as a spreadsheet counts
    device              fingerprint of the device id and source, or of cell and date without an id
    key                 hash of the test id and source, without an id of SAME_TEST: equal in repeats
    time                µs since 1970, UTC; null where it is not known
    day, second         local date, second of that day
    zone                commune's number, locate.OUTSIDE outside            cell   H3 index
    operator            fingerprint of the name                             technology  its number
    bits, upload_bits   bit/s                       latency_ns  ns          signal  dBm
    reason              why the row does not count, as far as it shows by itself; null: it counts
    is_close            position exact enough for a hex, or of unknown accuracy
    is_accurate         known to be exact enough    is_pseudo   without a device id
    is_uncovered        the phone looked for its network and found none
    """
    rules, salt = how.rules, fingerprints.of_texts(pd.Series(how.sources, dtype="str"))
    latitude, longitude = (
        tests[name].fill_null(np.nan).to_numpy() for name in ("latitude", "longitude")
    )
    zone = locate.zone_numbers(latitude, longitude, how.zones)
    cell = np.zeros(len(zone), dtype=np.uint64)
    inside = np.flatnonzero(zone != locate.OUTSIDE)
    cell[inside] = hexes.indexes_of_points(
        latitude[inside], longitude[inside], rules.finest_resolution
    )
    source = tests["source"].cast(pl.Enum(how.sources)).to_physical()
    ids = tests["device_id"].to_arrow(compat_level=pl.CompatLevel.oldest())
    local = c("measured_at").dt.convert_time_zone(rules.timezone).dt.replace_time_zone(None)
    accuracy, is_broken = c("location_accuracy_m"), _lists("row")
    is_no_test = is_broken | _lists("not_kept")
    rows = tests.with_columns(
        zone=pl.Series(zone), cell=pl.Series(cell), technology=_technology(tests["technology"]),
        local=pl.when(~is_no_test).then(local),
    ).select(
        "zone", "cell", "technology", "latitude", "longitude", row="source_row",
        source=source.cast(pl.UInt16),
        file=tests["source_file"].cast(pl.Enum(how.files)).to_physical().cast(pl.UInt32),
        device=pl.Series(fingerprints.of_texts(ids) ^ salt[source.to_numpy()]),
        time=pl.when(~is_no_test).then(c("measured_at").dt.epoch("us")),
        day=c("local").dt.date(),
        second=(c("local").dt.epoch("s") % 86_400).cast(pl.Int32),
        operator=_operator(tests["operator_met"]),
        reason=_reason(rules, is_broken),
        signal="signal_dbm",
        is_close=(accuracy <= rules.max_hex_accuracy_m).fill_null(True),
        # phones write 0 or −1 where they do not know their accuracy
        is_accurate=((accuracy > 0) & (accuracy <= rules.max_hex_accuracy_m)).fill_null(False),
        is_pseudo=c("device_id").is_null(), is_uncovered=_lists("no_coverage"),
        bits=_whole("download_mbps"),
        upload_bits=_whole("upload_mbps", 10 * rules.max_download_mbps),
        latency_ns=_whole("latency_ms", LONGEST_MS),
    )  # fmt: skip
    rows = _with_pseudo_devices(rows, salt)
    same = reduce(operator.xor, [c(name).hash(seed) for seed, name in enumerate(SAME_TEST)])
    test_id = tests["test_id"]
    by_id = pl.when(pl.lit(test_id.is_not_null())).then(
        pl.lit(test_id.hash(len(SAME_TEST)) ^ pl.Series(salt).gather(source))
    )
    key = same if test_id.null_count() == len(test_id) else by_id.otherwise(same)
    return rows.with_columns(key=key).drop("latitude", "longitude")


def _reason(rules: CleaningRules, is_broken: pl.Expr) -> pl.Expr:
    """The first reason of METHOD §2.1 that a row shows by itself, null where none.

    `outside_window` and `duplicate` depend on the period and on other rows: see `counts.py`.
    """
    latitude, longitude, download = c("latitude"), c("longitude"), c("download_mbps")
    is_somewhere = (latitude != 0) | (longitude != 0)  # phones write 0, 0 where they do not know
    is_position = (latitude.abs() <= 90) & (longitude.abs() <= 180) & is_somewhere
    reasons = {
        "bad_row": is_broken,
        "not_kept": _lists("not_kept"),
        "bad_time": c("measured_at").is_null(),
        "bad_position": ~is_position.fill_null(False),
        "outside_area": c("zone") == locate.OUTSIDE,
        "inaccurate_position": c("location_accuracy_m") > rules.max_commune_accuracy_m,
        "coverage_only": _lists("coverage_only"),
        "no_service": _lists("no_service"),
        "unknown_technology": c("technology").is_null(),
        "other_technology": c("technology") != TECHNOLOGIES.index(rules.technology),
        "unknown_operator": c("operator_met").is_null(),
        "bad_value": ~download.is_between(0, rules.max_download_mbps) | _lists("download_mbps"),
    }
    named = [pl.when(holds).then(pl.lit(name, REASON)) for name, holds in reasons.items()]
    return pl.coalesce(named)


def _lists(name: str) -> pl.Expr:
    """Whether `unreadable` names a column of the row, or the whole `row`."""
    return pl.concat_str(pl.lit(";"), c("unreadable"), pl.lit(";")).str.contains(
        f";{name};", literal=True
    )


def _whole(name: str, most: float = np.inf) -> pl.Expr:
    """Mbit/s in whole bit/s (ms in whole ns); null beyond `most`: sums stay whole numbers."""
    return (pl.when(c(name) <= most).then(c(name)) * 1e6).round().cast(pl.Int64, strict=False)


def _technology(column: pl.Series) -> pl.Series:
    return column.cast(pl.Enum(TECHNOLOGIES)).to_physical().cast(pl.Int8)


def _operator(column: pl.Series) -> pl.Series:
    """Fingerprints of operators, asked once for each name."""
    names = column.cast(pl.String).unique().drop_nulls().sort()
    prints = pl.Series(fingerprints.operator_prints(names.to_list()), dtype=pl.UInt32)
    return prints.gather(column.cast(pl.Enum(names)).to_physical())


def _with_pseudo_devices(rows: pl.DataFrame, salt: fingerprints.Prints) -> pl.DataFrame:
    """The rows, those without a device id under one of their cell, date and source."""
    nameless = rows["is_pseudo"].arg_true()
    if not len(nameless):
        return rows
    some = rows[nameless]
    days = some["day"].to_physical().fill_null(0).to_numpy().astype(np.int64)
    cells = some["cell"].to_numpy()
    device = fingerprints.combined(cells, days, salt[some["source"].to_numpy()])
    return rows.with_columns(device=rows["device"].scatter(nameless, pl.Series(device)))
