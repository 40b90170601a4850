"""The store in one SQLite file."""

from treadle.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
