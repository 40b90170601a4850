"""Where a PostgreSQL database is, and how it is connected to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import asyncpg

from treadle.store.contract import StoreUnavailable, StoreUnusable
from treadle.store.postgres import texts
from treadle.store.postgres.errors import translate

SCHEMA = "treadle"
"""Where all of Treadle's tables are: the database may hold others beside."""

_CONNECT_SECONDS = 10.0
_STATEMENTS_KEPT = 500
"""Prepared statements of one connection: more than there are."""

_SETTINGS = {
    "search_path": SCHEMA,
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",
    "jit": "off",
    # Every statement is made for an index. A plan that was made while a table was small, or its statistics old, must
    # not walk the whole of it later: so what walks is the last resort, and plans do not depend on values.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
}


class Address:
    """A database, by its URL: `postgresql://user:password@host:port/database?sslmode=require`."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        server = parts.netloc.rpartition("@")[2] or "the local socket"
        self.name = f"{parts.path.lstrip('/')} at {server}"
        """For people: without the password."""
        self.place = f"the PostgreSQL database {self.name}"

    async def connect(self, name: str, **settings: str) -> asyncpg.Connection:
        """A new connection; `name` says in `pg_stat_activity` what it is for. Raises StoreUnavailable if the database
        cannot be reached, StoreUnusable if it will not let us in."""
        try:
            connection = await asyncpg.connect(
                self._url,
                timeout=_CONNECT_SECONDS,
                statement_cache_size=_STATEMENTS_KEPT,
                max_cacheable_statement_size=0,
                server_settings={**_SETTINGS, "application_name": f"treadle {name}", **settings},
            )
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, ValueError) as error:
            raise StoreUnusable(f"{self.place} cannot be used: {error}") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            known = translate(error, self.place)
            if not isinstance(known, StoreUnavailable | StoreUnusable):
                known = StoreUnusable(f"{self.place} cannot be used: {error}")
            raise known from error
        await prepare(connection)
        return connection


async def prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "text", schema="pg_catalog", encoder=texts.encode, decoder=texts.decode, format="binary"
    )
