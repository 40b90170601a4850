"""Which store the settings mean: a PostgreSQL database if they name one, else the file in the data folder."""

from __future__ import annotations

from pathlib import Path

from treadle.store.contract import Store, StoreUnusable


def store_at(url: str | None, file: Path) -> Store:
    """The store, not open yet. Raises StoreUnusable if what it needs is not installed."""
    if url is None:
        from treadle.store.sqlite.store import SqliteStore

        return SqliteStore(file)
    try:
        from treadle.store.postgres.store import PostgresStore
    except ModuleNotFoundError as error:
        raise StoreUnusable("a PostgreSQL database needs asyncpg: pip install 'treadle[postgres]'") from error
    return PostgresStore(url)
