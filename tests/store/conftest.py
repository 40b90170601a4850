"""A PostgreSQL server for all tests of a worker, and a database in it that each test finds empty."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.postgres import PostgresServer

_EMPTY = """
DO $$
DECLARE name text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'treadle' AND tablename <> 'meta' LOOP
        EXECUTE format('DELETE FROM treadle.%I', name);
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'treadle' LOOP
        EXECUTE format('ALTER SEQUENCE treadle.%I RESTART', name);
    END LOOP;
END
$$
"""
"""Much faster than a database for each test."""


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    started = PostgresServer()
    started.start()
    yield started
    started.remove()


@pytest.fixture(scope="session")
def shared_url(server: PostgresServer) -> str:
    return server.create("shared")


@pytest.fixture
async def url(shared_url: str) -> AsyncIterator[str]:
    yield shared_url
    connection = await asyncpg.connect(shared_url)
    await connection.execute(_EMPTY)
    await connection.close()
