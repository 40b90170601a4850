"""Nodes that remove the same executions at the same time: each does what the other has not done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from tests.store.builders import created, entry, machine
from tests.store.retention_suite import ALL, BEFORE, ended, run_with_children
from treadle.store.contract import Commit
from treadle.store.postgres import PostgresStore

LONG = 300
"""Entries of a journal: many more than are removed in one transaction."""


@pytest.fixture
async def nodes(url: str) -> AsyncIterator[Sequence[PostgresStore]]:
    stores = [PostgresStore(url, runs=number == 0) for number in range(3)]
    for store in stores:
        await store.open()
    await stores[0].machine_create(machine("orders"), {})
    yield stores
    for store in stores:
        await store.close()


async def remove(store: PostgresStore) -> None:
    while ids := await store.executions_expired(BEFORE, ALL):
        for number in ids:
            await store.executions_remove([number], BEFORE)
    while await store.remains_remove(20):
        pass


async def test_nothing_is_left_whoever_removes_it(nodes: Sequence[PostgresStore], url: str) -> None:
    store = nodes[0]
    rows = [ended(store) for _ in range(30)]
    await store.commit([created(row, entry(1, 1)) for row in rows])
    for event in range(2, LONG):
        await store.commit([Commit(execution=rows[0], entry=entry(event, event))])
    await run_with_children(store, rows[1].id, 60)
    await asyncio.gather(*map(remove, nodes))
    await remove(store)  # what another one had in hand when the last of them looked
    connection = await asyncpg.connect(url)
    try:
        for table in ("execution", "execution_input", "journal", "map_run", "map_run_note", "removal"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    finally:
        await connection.close()
