"""Making Treadle's schema in a database, and bringing it up to date. Forwards only; a newer one is refused.

Nodes that do this at the same moment wait for each other: an advisory lock is held for as long as a migration takes.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence

import asyncpg

from treadle.store.contract import StoreUnusable
from treadle.store.postgres.address import SCHEMA

_log = logging.getLogger(__name__)

_LOCK = 0x5452_444C
"""`TRDL`. (Locks of shards have two keys, and so can never be this one.)"""

_OLDEST_SERVER = 140_000
"""PostgreSQL 14: the first that ends sessions which are idle for too long."""


async def bring_up_to_date(connection: asyncpg.Connection, place: str, migrations: Sequence[str]) -> None:
    """Bring the schema to version `len(migrations)`, all in one transaction. Raises StoreUnusable."""
    await _check_server(connection, place)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        try:
            version = await _version(connection)
            if version == len(migrations):
                return
            if version > len(migrations):
                raise StoreUnusable(
                    f"{place} has schema version {version}; this Treadle knows versions up to {len(migrations)}: "
                    "it was written by a newer Treadle"
                )
            if await connection.fetchval("SELECT to_regnamespace($1)::oid", SCHEMA) is None:
                # Who may not make one can still be given one.
                await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            for script in migrations[version:]:
                await connection.execute(script)
        except asyncpg.InsufficientPrivilegeError as error:
            raise StoreUnusable(f"{place}: the schema {SCHEMA} cannot be made or changed ({error})") from error
        if version == 0:
            await connection.execute(
                "INSERT INTO meta (id, schema_version, secret) VALUES (1, $1, $2)",
                len(migrations),
                secrets.token_bytes(32),
            )
        else:
            await connection.execute("UPDATE meta SET schema_version = $1", len(migrations))


async def _version(connection: asyncpg.Connection) -> int:
    if await connection.fetchval("SELECT to_regclass($1)::oid", f"{SCHEMA}.meta") is None:
        return 0
    version: int | None = await connection.fetchval("SELECT schema_version FROM meta")
    return version or 0


async def _check_server(connection: asyncpg.Connection, place: str) -> None:
    settings = {name: await connection.fetchval("SELECT current_setting($1)", name) for name in _LOOKED_AT}
    if int(settings["server_version_num"]) < _OLDEST_SERVER:
        raise StoreUnusable(f"{place}: PostgreSQL 14 or later is needed")
    if settings["server_encoding"] != "UTF8":
        raise StoreUnusable(f"{place} has the encoding {settings['server_encoding']}; UTF8 is needed")
    if settings["fsync"] != "on":
        _log.warning("%s does not wait for its disk (fsync = off): what it acknowledges may be lost", place)


_LOOKED_AT = ("server_version_num", "server_encoding", "fsync")
