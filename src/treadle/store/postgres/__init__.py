"""The store in a PostgreSQL database."""

from treadle.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
