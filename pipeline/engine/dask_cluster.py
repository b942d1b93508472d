"""The seam on Dask: the same functions on the workers of a cluster, or of one that is started on
this machine.

Rows stay on the workers; only accounts and facts come back. Workers read the files themselves:
paths must mean the same there. Does not belong here: what is computed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.engine.local import (
    BUCKETS,
    Chunk,
    Columns,
    Prepare,
    Reduce,
    Told,
    by_bucket,
    shards_of,
    stacked,
)
from pipeline.schema.errors import fault

Kept = dict[
    str, list[tuple[npt.NDArray[np.int64], Columns]]
]  # by stream: (bounds of the buckets, columns) of each chunk


class Cluster:
    """Workers of a Dask cluster: of `scheduler` (tcp://HOST:8786), else one per core of this
    machine, started here.

    Raises `UserFault`: Dask is not installed, no scheduler answers.
    """

    def __init__(self, scheduler: str | None = None) -> None:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise fault("no_dask", "--engine", found="dask") from None
        self.own = None
        try:
            if scheduler is None:
                count = os.cpu_count() or 1
                self.own = LocalCluster(
                    n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0"
                )
            self.client = Client(self.own or scheduler, timeout="10s")
        except (OSError, ValueError) as error:
            raise fault("no_scheduler", "--scheduler", found=scheduler or str(error)) from None

    @property
    def dashboard(self) -> str:
        """Address of the page that shows what the workers do."""
        return str(self.client.dashboard_link)

    def prepare(self, parts: Sequence[Any], prepare: Prepare, told: Told) -> ClusterRows:
        """Parts spread over the workers."""
        from distributed import as_completed

        how = self.client.scatter(prepare, broadcast=True, hash=False)
        kept = [self.client.submit(_kept, part, how, pure=False) for part in parts]
        accounts = [self.client.submit(_accounts, one, pure=False) for one in kept]
        for _, chunks in as_completed(accounts, with_results=True):
            for account in chunks:
                told(account)
        return ClusterRows(self.client, kept, self.client.gather(accounts))

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self.client.close()
        if self.own is not None:
            self.own.close()


class ClusterRows:
    """Rows on the workers, a future for each part."""

    def __init__(self, client: Any, kept: list[Any], accounts: list[list[Any]]) -> None:
        self.client, self.kept, self.accounts = client, kept, accounts

    def gather(self, stream: str, reduce: Reduce) -> list[Any]:
        """`reduce` of every shard, wherever its last rows arrive."""
        counts = self.client.gather(
            [self.client.submit(_counts, one, stream, pure=False) for one in self.kept]
        )
        total = np.sum([np.zeros(BUCKETS, dtype=np.int64), *counts], axis=0)
        work = self.client.scatter(reduce, broadcast=True, hash=False)
        found = []
        for first, last in shards_of(total):
            pieces = [
                self.client.submit(_piece, one, stream, first, last, pure=False)
                for one, count in zip(self.kept, counts, strict=True)
                if count[first:last].sum()
            ]
            found.append(self.client.submit(_reduced, work, pieces, pure=False))
        return list(self.client.gather(found))

    def close(self) -> None:
        """Let the workers forget the rows."""
        self.kept = []


def _kept(part: Any, prepare: Prepare) -> tuple[Kept, list[Any]]:
    found: Kept = {}
    accounts = []
    for chunk in prepare(part):
        accounts.append(chunk.account)
        for stream, kept in _by_stream(chunk).items():
            found.setdefault(stream, []).append(kept)
    return found, accounts


def _by_stream(chunk: Chunk) -> dict[str, tuple[npt.NDArray[np.int64], Columns]]:
    return {
        name: by_bucket(key, columns) for name, (key, columns) in chunk.streams.items() if len(key)
    }


def _accounts(kept: tuple[Kept, list[Any]]) -> list[Any]:
    return kept[1]


def _counts(kept: tuple[Kept, list[Any]], stream: str) -> npt.NDArray[np.int64]:
    chunks = kept[0].get(stream, [])
    return np.sum(
        [np.zeros(BUCKETS, dtype=np.int64), *(np.diff(bounds) for bounds, _ in chunks)], axis=0
    )


def _piece(kept: tuple[Kept, list[Any]], stream: str, first: int, last: int) -> Columns:
    chunks = kept[0][stream]
    return stacked(
        [
            {n: v[bounds[first] : bounds[last]] for n, v in columns.items()}
            for bounds, columns in chunks
        ]
    )


def _reduced(reduce: Reduce, pieces: list[Columns]) -> Any:
    return reduce(stacked(pieces))
