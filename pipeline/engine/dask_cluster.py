"""The engine on Dask: the same functions on a cluster's workers, or on local ones.

Rows stay on the workers; only accounts and facts come back. Workers read the files themselves:
paths must mean the same there. Does not belong here: what is computed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import polars as pl

from pipeline.engine.local import Pieces, Prepare, Reduce, Report, pieces_of, together
from pipeline.schema.errors import fault

Kept = dict[str, list[Pieces]]  # by stream: of each chunk its rows by shard


class Cluster:
    """Workers of a Dask cluster.

    Of `scheduler` (tcp://HOST:8786), else one per core of this machine, started here.

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

    def prepare(self, parts: Sequence[Any], prepare: Prepare, report: Report) -> ClusterRows:
        """Parts spread over the workers."""
        from distributed import as_completed

        how = self.client.scatter(prepare, broadcast=True, hash=False)
        kept = [self.client.submit(_kept, part, how, pure=False) for part in parts]
        accounts = [self.client.submit(_accounts, one, pure=False) for one in kept]
        for _, chunks in as_completed(accounts, with_results=True):
            for account in chunks:
                report(account)
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
        asked = [self.client.submit(_shards, one, stream, pure=False) for one in self.kept]
        held = self.client.gather(asked)
        work = self.client.scatter(reduce, broadcast=True, hash=False)
        found = []
        for shard in sorted(set().union(*held)):
            pieces = [
                self.client.submit(_piece, one, stream, shard, pure=False)
                for one, shards in zip(self.kept, held, strict=True)
                if shard in shards
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
        for stream, rows in chunk.streams.items():
            found.setdefault(stream, []).append(pieces_of(rows))
    return found, accounts


def _accounts(kept: tuple[Kept, list[Any]]) -> list[Any]:
    return kept[1]


def _shards(kept: tuple[Kept, list[Any]], stream: str) -> set[int]:
    return {shard for pieces in kept[0].get(stream, []) for shard in pieces}


def _piece(kept: tuple[Kept, list[Any]], stream: str, shard: int) -> pl.DataFrame:
    return together([pieces[shard] for pieces in kept[0][stream] if shard in pieces])


def _reduced(reduce: Reduce, pieces: list[pl.DataFrame]) -> Any:
    return reduce(together(pieces))
