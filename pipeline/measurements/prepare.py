"""Parts of the input → rows ready for `facts.py`: read ∘ clean ∘ bin ∘ locate, row by row; the same
rows come out, marked.

Does not belong here: whatever compares rows with rows (`facts.py`), where it runs (`engine.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipeline.config.settings import Settings
from pipeline.engine.local import Chunk, Columns, Engine, Rows
from pipeline.hexgrid import hexes
from pipeline.measurements import clean, facts, fingerprints, locate
from pipeline.measurements.rows import ACCURATE, CLOSE, DAY_S, HAS_ID, PSEUDO, Scope, month_of_day
from pipeline.schema.errors import UserFault
from pipeline.schema.tables import (
    REJECT_REASONS,
    TABLES,
    TECHNOLOGIES,
    decode_labels,
    with_declared_dtypes,
)
from pipeline.sources.deliveries import Account, Part, read_part


@dataclass(frozen=True)
class Preparation:
    """What every part needs to know: the settings, the communes ready to be asked, the numbers of
    files and sources.
    """

    settings: Settings
    zones: locate.Zones
    files: tuple[str, ...]  # names, ascending: a file's number is its place
    sources: tuple[str, ...]
    row_estimate: int  # of all parts


@dataclass(frozen=True)
class Located:
    """All tests of a run as prepared rows, and how they were prepared."""

    rows: Rows
    how: Preparation

    def close(self) -> None:
        """Give up what the rows occupy."""
        self.rows.close()


def locate_all(
    communes: gpd.GeoDataFrame | None,
    parts: list[Part],
    settings: Settings,
    engine: Engine,
    progress: Callable[[float], None],
) -> tuple[Located, list[Account]]:
    """Rows of all parts, and an account of each part. Without communes every row lies outside.

    `progress` is told the share of the rows that are ready: of text files their number is guessed
    from their size.
    """
    in_memory = [part.tests for part in parts if part.tests is not None]
    files = {part.delivery.name for part in parts if part.delivery} | {
        n for t in in_memory for n in t["source_file"].unique()
    }
    sources = {part.source for part in parts if part.delivery} | {
        n for t in in_memory for n in t["source"].unique()
    }
    nowhere = gpd.GeoDataFrame({"commune_code": []}, geometry=[], crs="EPSG:4326")
    count = sum(part.row_estimate() for part in parts)
    zones = locate.zones_of(nowhere if communes is None else communes, count)
    how = Preparation(settings, zones, tuple(sorted(files)), tuple(sorted(sources)), count)
    ready = [0]

    def told(account: Account) -> None:
        ready[0] += account.read_count
        progress(min(1.0, ready[0] / max(count, 1)))

    rows = engine.prepare(parts, partial(prepared, how=how), told)
    accounts = []
    for chunks in rows.accounts:
        accounts.append(total := Account())
        for account in chunks:
            total.add(account)
    return Located(rows, how), accounts


def facts_in(located: Located, scope: Scope) -> facts.Facts:
    """Facts of all rows: repeats by test id first, since the copies of a test may name different
    devices.
    """
    repeated = located.rows.gather("ids", facts.repeated_ids)
    scope = replace(scope, repeated=np.sort(np.concatenate([np.zeros(0, np.uint64), *repeated])))
    found = located.rows.gather("tests", partial(facts.facts_of, scope=scope))
    if not found:
        nothing = with_declared_dtypes(
            "tests", pd.DataFrame({name: [] for name in TABLES["tests"]})
        )
        found = [facts.facts_of(rows_of(nothing, located.how)[0], scope)]
    return facts.joined(found)


def prepared(part: Part, how: Preparation) -> Iterator[Chunk]:
    """The part's rows, chunk by chunk. Faults of a file end it and stand in its last account."""
    try:
        for tests, account in read_part(part, how.settings):
            rows, months = rows_of(tests, how)
            account.months.update(months)
            account.operators.update(tests["operator_met"].dropna().unique().tolist())
            streams = {"tests": (fingerprints.mixed(rows["device"]), rows)}
            named = np.flatnonzero(rows["flags"] & HAS_ID & (clean.has_time(rows["own"]) * 255))
            if len(named):
                ids = {
                    name: rows[name][named]
                    for name in ("identity", "identity2", "time", "file", "row")
                }
                streams["ids"] = (ids["identity"], ids)
            yield Chunk(streams, account)
    except UserFault as error:
        yield Chunk({}, Account(faults=list(error.faults)))


def rows_of(tests: pd.DataFrame, how: Preparation) -> tuple[Columns, dict[str, int]]:
    """`tests` → (columns of rows, rows by local month). Columns: see `facts.py`; here they get
    their numbers and prints.
    """
    settings, quality = how.settings, how.settings.quality
    latitude, longitude = (
        np.ascontiguousarray(tests[name].to_numpy(dtype="float64"))
        for name in ("latitude", "longitude")
    )
    zone = locate.zone_numbers(latitude, longitude, how.zones)
    own = clean.own_reasons(
        tests,
        zone != locate.OUTSIDE,
        technology=settings.target.technology,
        max_download_mbps=quality.max_download_mbps,
        max_accuracy_m=quality.max_commune_accuracy_m,
    )
    cell = hexes.indexes_of_points(
        latitude, longitude, settings.hexes.finest_resolution, how.row_estimate
    )
    utc = tests["measured_at"]
    time = utc.to_numpy(dtype="datetime64[us]").view("int64")
    local = (
        utc.dt.tz_convert(settings.timezone)
        .dt.tz_localize(None)
        .to_numpy(dtype="datetime64[us]")
        .view("int64")
    )
    day = local // (DAY_S * 1_000_000)
    accuracy = tests["location_accuracy_m"].to_numpy(dtype="float64")
    source = _places(tests["source"], how.sources).astype(np.uint8)
    flags = np.where(accuracy > quality.max_hex_accuracy_m, 0, CLOSE).astype(np.uint8)
    # phones write 0 or −1 where they do not know their accuracy
    flags |= np.where(
        (accuracy > 0) & (accuracy <= quality.max_hex_accuracy_m), ACCURATE, 0
    ).astype(np.uint8)
    salt = (
        fingerprints.of_texts(pd.Series(how.sources, dtype="str"))[source]
        if len(how.sources)
        else np.zeros(0, np.uint64)
    )
    device = fingerprints.of_texts(tests["device_id"])
    nameless = device == 0
    device ^= salt
    if nameless.any():  # a cell and a date make a pseudo-device
        flags[nameless] |= PSEUDO
        device[nameless] = fingerprints.combined(cell[nameless], day[nameless], salt[nameless])
    rows: Columns = {
        "device": device,
        "cell": cell,
        "time": time,
        "shift": ((local - time) // 1_000_000).astype(np.int32),
        "zone": zone,
        "operator": _operator_prints(tests["operator_met"]),
        "technology": _places(tests["technology"], TECHNOLOGIES).astype(np.int8),
        "own": own,
        "source": source,
        "file": _places(tests["source_file"], how.files).astype(np.uint32),
        "row": tests["source_row"].to_numpy().astype(np.uint32),
    }
    for ours, name in (
        ("download_mbps", "download"),
        ("upload_mbps", "upload"),
        ("latency_ms", "latency"),
    ):
        rows[name] = tests[ours].to_numpy(dtype="float64")
    if tests["signal_dbm"].notna().any():
        rows["signal"] = tests["signal_dbm"].to_numpy(dtype="float64")
    identity = fingerprints.combined(latitude, longitude)
    if tests["test_id"].notna().any():
        test = fingerprints.of_texts(tests["test_id"])
        has_id = test != 0
        flags[has_id] |= HAS_ID
        identity = np.where(has_id, fingerprints.combined(test, salt), identity)
        second = fingerprints.of_texts(tests["test_id"], seed=1) >> np.uint64(32)
        rows["identity2"] = np.where(has_id, second, 0).astype(np.uint32)
    else:
        rows["identity2"] = np.zeros(len(tests), dtype=np.uint32)
    return rows | {"identity": identity, "flags": flags}, _months(day[utc.notna().to_numpy()])


def _months(day: npt.NDArray[np.int64]) -> dict[str, int]:
    """Rows by local month, YYYY-MM."""
    if not len(day):
        return {}
    month = month_of_day(day)
    counts = np.bincount(month - month.min())
    texts = (np.flatnonzero(counts) + month.min() - 1970 * 12).astype("datetime64[M]").astype(str)
    return dict(zip(texts.tolist(), counts[counts > 0].tolist(), strict=True))


def _places(column: pd.Series, names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Place of each text among the names, −1 for none of them."""
    codes, texts = _coded(column)
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(text, -1) for text in texts] + [-1], dtype=np.int64)[codes]


def _operator_prints(column: pd.Series) -> npt.NDArray[np.uint32]:
    """32 bits of each operator's fingerprint, 0 for none."""
    codes, texts = _coded(column)
    return np.r_[fingerprints.operator_prints(texts), np.uint32(0)][codes]


def _coded(column: pd.Series) -> tuple[npt.NDArray[Any], list[str]]:
    """(place of each text among the distinct ones, −1 for null; the distinct ones)."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), column.cat.categories.tolist()
    texts = pa.array(column.astype("str"), type=pa.large_string(), from_pandas=True)
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = texts.dictionary_encode()
    return coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), coded.dictionary.to_pylist()


def books_of(found: facts.Facts, sources: tuple[str, ...]) -> pd.DataFrame:
    """By source: rows read = valid tests + failed tests + rejects; asserted here, printed by the
    journey.
    """
    books = pd.DataFrame(found["books"]).groupby("source").sum()
    books = books.set_axis(pd.Index([sources[number] for number in books.index], name="source"))
    assert (
        books["read_count"] == books[["valid_count", "failed_count", "reject_count"]].sum(axis=1)
    ).all()
    return books[books["read_count"] > 0].sort_index()


def rejects_of(
    found: facts.Facts, files: tuple[str, ...], sources: tuple[str, ...]
) -> pd.DataFrame:
    """Rows that are set aside, in the order of files and rows: source, source_file, source_row,
    reject_reason.
    """
    rows = pd.DataFrame(found["rejects"]).sort_values(["file", "row"], ignore_index=True)
    named = {
        "source": ("source", sources),
        "source_file": ("file", files),
        "reject_reason": ("reason", REJECT_REASONS),
    }
    texts = {
        ours: decode_labels(rows[column].to_numpy(), names)
        for ours, (column, names) in named.items()
    }
    return pd.DataFrame(texts | {"source_row": rows["row"].astype("int64")})


def prints_of(found: facts.Facts, sources: tuple[str, ...]) -> fingerprints.Prints:
    """Fingerprints of the device ids as texts, ascending: for the last look at the outputs, and for
    nothing else.
    """
    salt = fingerprints.of_texts(pd.Series(sources, dtype="str"))
    phones = found["phones"]
    return (
        np.unique(phones["device"] ^ salt[phones["source"]])
        if len(salt)
        else np.zeros(0, dtype=np.uint64)
    )
