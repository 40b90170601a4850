"""Which store the settings mean: a PostgreSQL database if they name one, else the file in the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from treadle.clock import Clock
from treadle.limits import Limits
from treadle.store.cluster_contract import ClusterStore
from treadle.store.contract import Store, StoreUnusable

_NOT_INSTALLED = "a PostgreSQL database needs asyncpg: pip install 'treadle[postgres]'"


class OpenCluster(ClusterStore, Protocol):
    """A store that nodes share, with its beginning and its end."""

    async def open(self) -> None:
        """Be ready to read. Raises StoreUnavailable, StoreUnusable."""
        ...

    async def close(self) -> None: ...


def cluster_at(url: str, clock: Clock, limits: Limits) -> OpenCluster:
    """The database for a server that shares it with others, not open yet. Raises StoreUnusable if what it needs is not
    installed."""
    try:
        from treadle.store.postgres.cluster import PostgresCluster
    except ModuleNotFoundError as error:
        raise StoreUnusable(_NOT_INSTALLED) from error
    return PostgresCluster(url, clock, limits)


def store_at(url: str | None, file: Path) -> Store:
    """The store, not open yet; in PostgreSQL it is for a program that runs no executions. Raises StoreUnusable if what
    it needs is not installed."""
    if url is None:
        from treadle.store.sqlite.store import SqliteStore

        return SqliteStore(file)
    try:
        from treadle.store.postgres.store import PostgresStore
    except ModuleNotFoundError as error:
        raise StoreUnusable(_NOT_INSTALLED) from error
    return PostgresStore(url, runs=False)
