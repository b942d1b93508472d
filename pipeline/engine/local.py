"""The seam: rows are many, devices' facts and communes are few. The same functions run on one
machine and on a cluster.

`prepare` runs on every part of the input and gives chunks of rows (columns of equal length) with an
account of each; `gather` brings rows of equal shard key together and hands whole shards to a
function. Row-wise work belongs in `prepare`, whatever compares rows with rows in what `gather`
runs. Neither sees an engine. Does not belong here: what rows are.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Columns = dict[str, npt.NDArray[Any]]
_BITS = 10
BUCKETS = 1 << _BITS  # the first bits of a shard key
# buckets are joined until they hold as many: sorting is fastest where a shard fits the cache
SHARD_ROWS = 150_000
SHARDS = 256  # and until there are at most so many: each hands on counts of its own
MEMORY_BYTES = 1_000_000_000  # rows beyond it wait on disk


@dataclass(frozen=True)
class Chunk:
    """Some rows of a part by stream (a stream's rows are brought together by its own key), and what
    is to be said of them.

    `streams`: name → (shard key of each row, columns).
    """

    streams: dict[str, tuple[npt.NDArray[np.uint64], Columns]]
    account: Any


Prepare = Callable[[Any], Iterator[Chunk]]
Reduce = Callable[[Columns], Any]
Told = Callable[[Any], None]  # takes a chunk's account as soon as the chunk is prepared


class Rows(Protocol):
    """Prepared rows, wherever they are kept."""

    accounts: list[list[Any]]  # of each part's chunks

    def gather(self, stream: str, reduce: Reduce) -> list[Any]:
        """`reduce` of every shard of a stream, in the order of the shards; an absent stream has
        none.
        """

    def close(self) -> None:
        """Give up what the rows occupy."""


class Engine(Protocol):
    """Runs `prepare` on parts."""

    def prepare(self, parts: Sequence[Any], prepare: Prepare, told: Told) -> Rows:
        """Prepared rows of all parts. An exception of `prepare` ends it."""


def by_bucket(
    key: npt.NDArray[np.uint64], columns: Columns
) -> tuple[npt.NDArray[np.int64], Columns]:
    """(where each bucket begins, and the end; the columns ordered by bucket)."""
    bucket = (key >> np.uint64(64 - _BITS)).astype(np.uint16)
    order = np.argsort(bucket, kind="stable")
    bounds = np.r_[0, np.cumsum(np.bincount(bucket, minlength=BUCKETS))]
    return bounds, {name: values[order] for name, values in columns.items()}


def shards_of(counts: npt.NDArray[np.int64], least: int | None = None) -> list[tuple[int, int]]:
    """Stretches of buckets [from, to): each of at least so many rows, as far as there are that
    many.

    `least`: absent, SHARD_ROWS, or as many as leave at most SHARDS shards.
    """
    found, first, held = [], 0, 0
    least = max(SHARD_ROWS, int(counts.sum()) // SHARDS) if least is None else least
    for bucket, count in enumerate(counts.tolist(), start=1):
        held += count
        if held >= least or (bucket == len(counts) and held):
            found.append((first, bucket))
            first, held = bucket, 0
    return found


def stacked(pieces: Sequence[Columns]) -> Columns:
    """Columns one after the other; a column that only some pieces have is NaN in the others."""
    names = sorted({name for piece in pieces for name in piece})

    def values(piece: Columns, name: str) -> npt.NDArray[Any]:
        return piece[name] if name in piece else np.full(len(next(iter(piece.values()))), np.nan)

    return {name: np.concatenate([values(piece, name) for piece in pieces]) for name in names}


@dataclass
class _Store:
    """A stream's rows by bucket: in memory, and beyond `memory_bytes` in files that are ordered so."""

    folder: Callable[[], Path]
    memory_bytes: int
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, dtype=np.int64))
    held: list[tuple[int, int, npt.NDArray[np.int64], Columns]] = field(default_factory=list)
    bytes_held: int = 0
    spilled: list[tuple[int, int, npt.NDArray[np.int64], dict[str, Path]]] = field(
        default_factory=list
    )
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, part: int, chunk: int, bounds: npt.NDArray[np.int64], columns: Columns) -> None:
        with self.lock:
            self.counts += np.diff(bounds)
            self.held.append((part, chunk, bounds, columns))
            self.bytes_held += sum(values.nbytes for values in columns.values())
            full = self.held if self.bytes_held > self.memory_bytes else []
            if full:
                self.held, self.bytes_held = [], 0
        if full:
            self._spill(full)

    def _spill(self, chunks: list[tuple[int, int, npt.NDArray[np.int64], Columns]]) -> None:
        """All chunks in memory as one file per column, ordered by bucket: few large writes."""
        chunks.sort(key=lambda one: one[:2])
        part, number = chunks[0][:2]
        folder = self.folder() / f"{part}-{number}"
        folder.mkdir()
        files = {}
        for name in sorted({name for *_, columns in chunks for name in columns}):
            values = [
                columns[name] if name in columns else np.full(bounds[-1], np.nan)
                for *_, bounds, columns in chunks
            ]
            pieces = [
                column[bounds[bucket] : bounds[bucket + 1]]
                for bucket in range(BUCKETS)
                for column, (*_, bounds, _) in zip(values, chunks, strict=True)
            ]
            files[name] = folder / f"{name}.npy"
            np.save(files[name], np.concatenate(pieces))
        bounds = np.sum([bounds for *_, bounds, _ in chunks], axis=0)
        with self.lock:
            self.spilled.append((part, number, bounds, files))

    def read(self, first: int, last: int) -> Columns:
        """Rows of the buckets [first, last)."""
        pieces = [
            {
                name: np.load(path, mmap_mode="r")[bounds[first] : bounds[last]]
                for name, path in files.items()
            }
            for *_, bounds, files in sorted(self.spilled, key=lambda one: one[:2])
        ]
        held = sorted(self.held, key=lambda one: one[:2])
        pieces += [
            {n: v[bounds[first] : bounds[last]] for n, v in columns.items()}
            for *_, bounds, columns in held
        ]
        return stacked(pieces)


class LocalRows:
    """Rows on this machine."""

    def __init__(self, threads: int, memory_bytes: int) -> None:
        self.threads, self.memory_bytes = threads, memory_bytes
        self.accounts: list[list[Any]] = []
        self.stores: dict[str, _Store] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def _scratch(self) -> Path:
        with (
            self._lock
        ):  # two threads may be the first: a second folder would take the place of the first
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="lomsong-")
            return Path(self._folder.name)

    def add(self, part: int, number: int, chunk: Chunk) -> None:
        """Keep a chunk's rows."""
        for name, (key, columns) in chunk.streams.items():
            if len(key):
                with self._lock:
                    folder = self._stream_folder(name)
                    store = self.stores.setdefault(name, _Store(folder, self.memory_bytes))
                store.add(part, number, *by_bucket(key, columns))

    def _stream_folder(self, name: str) -> Callable[[], Path]:
        def made() -> Path:
            folder = self._scratch() / name
            folder.mkdir(exist_ok=True)
            return folder

        return made

    def gather(self, stream: str, reduce: Reduce) -> list[Any]:
        """`reduce` of every shard, on all cores."""
        if stream not in self.stores:
            return []
        store = self.stores[stream]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda shard: reduce(store.read(*shard)), shards_of(store.counts)))

    def close(self) -> None:
        """Remove what waits on disk."""
        self.stores = {}
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class Local:
    """All cores of this machine, as threads: the work is done in numpy, pyarrow and compiled loops,
    which let go of the lock.
    """

    def __init__(self, threads: int | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self.threads, self.memory_bytes = threads or os.cpu_count() or 1, memory_bytes

    def prepare(self, parts: Sequence[Any], prepare: Prepare, told: Told) -> LocalRows:
        """Parts side by side, one per core; a part's chunks one after the other."""
        rows = LocalRows(self.threads, self.memory_bytes)
        rows.accounts = [[] for _ in parts]

        def run(number: int) -> None:
            for chunk in prepare(parts[number]):
                rows.add(number, len(rows.accounts[number]), chunk)
                rows.accounts[number].append(chunk.account)
                told(chunk.account)

        try:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(run, range(len(parts))))
        except BaseException:
            rows.close()
            raise
        return rows
