"""Where prepared rows are kept and added up: the same functions on one machine and on a cluster.

`prepare` runs on every part of the input and gives chunks of rows (Polars frames) with an account
of each; `gather` brings the rows of a shard together and hands whole shards to a function.
Row-wise work belongs in `prepare`, whatever compares rows with rows in what `gather` runs. The
functions given to them know no engine. Does not belong here: what rows are.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

MEMORY_BYTES = 700_000_000  # rows beyond it wait on disk
Pieces = dict[int, pl.DataFrame]  # rows by shard


@dataclass(frozen=True)
class Chunk:
    """Some rows of a part by stream, and what is to be reported of them.

    A stream's rows of one number in the column `shard` are brought together; without the column
    they are one shard. A column that only some chunks have is null in the others.
    """

    streams: dict[str, pl.DataFrame]
    account: Any


Prepare = Callable[[Any], Iterator[Chunk]]
Reduce = Callable[[pl.DataFrame], Any]
Report = Callable[[Any], None]  # takes a chunk's account as soon as the chunk is prepared


class Rows(Protocol):
    """Prepared rows, wherever they are kept."""

    accounts: list[list[Any]]  # of each part's chunks

    def gather(self, stream: str, reduce: Reduce) -> list[Any]:
        """`reduce` of every shard of a stream, in their order; an absent stream has none."""

    def close(self) -> None:
        """Give up what the rows occupy."""


class Engine(Protocol):
    """Runs `prepare` on parts."""

    def prepare(self, parts: Sequence[Any], prepare: Prepare, report: Report) -> Rows:
        """Prepared rows of all parts. An exception of `prepare` ends it."""


def pieces_of(rows: pl.DataFrame) -> Pieces:
    """Rows by shard."""
    if "shard" not in rows.columns:
        return {0: rows} if rows.height else {}
    found = rows.partition_by("shard", as_dict=True, include_key=False)
    return {int(shard): piece for (shard,), piece in found.items()}


def together(pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The pieces of a shard as one frame."""
    return pl.concat(pieces, how="diagonal", rechunk=False)


class LocalRows:
    """Rows on this machine: in memory, and beyond `memory_bytes` in Arrow files of a folder."""

    def __init__(self, memory_bytes: int, threads: int = 1) -> None:
        self.memory_bytes, self.held_bytes, self.threads = memory_bytes, 0, threads
        self.accounts: list[list[Any]] = []
        self.pieces: dict[str, dict[int, list[pl.DataFrame | Path]]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def add(self, chunk: Chunk) -> None:
        """Keep a chunk's rows."""
        for stream, rows in chunk.streams.items():
            pieces = pieces_of(rows)
            with self._lock:
                shards = self.pieces.setdefault(stream, {})
                self.held_bytes += int(rows.estimated_size())
                is_full = self.held_bytes > self.memory_bytes
                places = {shard: shards.setdefault(shard, []) for shard in sorted(pieces)}
            for shard, place in places.items():
                place.append(self._written(pieces[shard]) if is_full else pieces[shard])

    def _written(self, rows: pl.DataFrame) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="lomsong-")
            handle, name = tempfile.mkstemp(".arrow", dir=self._folder.name)
        os.close(handle)
        rows.write_ipc(name)
        return Path(name)

    def gather(self, stream: str, reduce: Reduce) -> list[Any]:
        """`reduce` of every shard, on all cores."""
        shards = self.pieces.get(stream, {})
        with ThreadPoolExecutor(self.threads) as pool:
            work = pool.map(lambda n: reduce(together(self._read(shards[n]))), sorted(shards))
            return list(work)

    def _read(self, pieces: list[pl.DataFrame | Path]) -> list[pl.DataFrame]:
        return [pl.read_ipc(one) if isinstance(one, Path) else one for one in pieces]

    def close(self) -> None:
        """Forget the rows and remove what waits on disk."""
        self.pieces = {}
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class Local:
    """All cores of this machine, as threads: Polars and numpy work without Python's lock."""

    def __init__(self, threads: int | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self.threads, self.memory_bytes = threads or os.cpu_count() or 1, memory_bytes

    def prepare(self, parts: Sequence[Any], prepare: Prepare, report: Report) -> LocalRows:
        """Parts side by side, one per core; a part's chunks one after the other."""
        rows = LocalRows(self.memory_bytes, self.threads)
        rows.accounts = [[] for _ in parts]

        def run(number: int) -> None:
            for chunk in prepare(parts[number]):
                rows.add(chunk)
                rows.accounts[number].append(chunk.account)
                report(chunk.account)

        try:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(run, range(len(parts))))
        except BaseException:
            rows.close()
            raise
        return rows
