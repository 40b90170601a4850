"""PostgresStore passes the suite; and what is particular to a server: encodings, migrations, sessions that are lost."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.postgres import PostgresServer
from tests.store.builders import machine
from tests.store.machine_suite import Reopen
from tests.store.suite import StoreSuite
from treadle.store.contract import Store
from treadle.store.postgres import PostgresStore

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    started = PostgresServer()
    started.start()
    yield started
    started.remove()


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = PostgresStore(url)
    await opened.open()
    await opened.machine_create(machine("orders"), {})
    yield opened
    await opened.close()


@pytest.fixture
async def reopen(url: str) -> AsyncIterator[Reopen]:
    opened = []

    async def again(store: Store) -> Store:
        await store.close()
        opened.append(PostgresStore(url))
        await opened[-1].open()
        return opened[-1]

    yield again
    for store in opened:
        await store.close()


class TestSuite(StoreSuite):
    """All of the suite, on a server."""
