"""What a store on one file does while the disk is full: it waits, tells so, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.store.builders import activity, created, entry, execution, machine
from treadle.store.contract import Conflict, StoreUnusable
from treadle.store.sql.session import LARGE
from treadle.store.sqlite import SqliteStore, database, writer

LONG = b"x" * 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "treadle.db"


@pytest.fixture
async def small(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    """A store that may have a hundred pages, and looks for room all the time."""
    monkeypatch.setattr(database, "_WRITER", database._WRITER + "PRAGMA max_page_count = 100;")
    monkeypatch.setattr(writer, "_ROOM_PAUSE_SECONDS", 0.001)
    store = SqliteStore(path)
    await store.open()
    await store.machine_create(machine("orders"), {})
    yield store
    await store.close()


def _make_room(store: SqliteStore) -> None:
    assert store._database is not None
    store._database.writer.execute("PRAGMA max_page_count = 100000")


async def _until_full(store: SqliteStore) -> None:
    async with asyncio.timeout(60):
        while not store.full:
            await store.executions_open()


async def test_what_does_not_fit_waits_until_there_is_room(small: SqliteStore, path: Path) -> None:
    """Also what fits and is in its group, and what comes after it: the order stays."""
    kept = execution(small, "orders")
    await small.commit([created(kept, entry(1, 1))])
    taken, large, later = (execution(small, "orders", input=text) for text in ("x", "x" * 1_000_000, "y"))
    writing = [asyncio.create_task(small.commit([created(run, entry(1, 2))])) for run in (taken, large)]
    again = asyncio.create_task(small.commit([created(replace(taken, id=small.execution_id()))]))
    await _until_full(small)
    writing.append(asyncio.create_task(small.commit([created(later)])))
    for _ in range(20):
        assert await small.execution_get(taken.arn) is None
        assert await small.execution_get(kept.arn) == kept
    assert not any(task.done() for task in (*writing, again))
    _make_room(small)
    await asyncio.gather(*writing)
    with pytest.raises(Conflict):
        await again
    assert not small.full
    for run in (taken, large, later):
        assert await small.execution_get(run.arn) == run
    assert await small.executions_open() == 4


async def test_a_large_job_that_does_not_fit_waits(small: SqliteStore) -> None:
    """It is written on another thread, and by itself."""
    large = small.submit(
        lambda connection: connection.execute("INSERT INTO function_code VALUES ('x', ?)", [LONG]), LARGE
    )
    small_one = asyncio.create_task(small.activity_create(activity("pack"), {}))
    await _until_full(small)
    assert not large.done()
    _make_room(small)
    await large
    await small_one
    assert await small.activity_arns() == [activity("pack").arn]


@pytest.mark.parametrize("how", ["hurried", "closed"])
async def test_store_that_is_closed_waits_for_room_no_more(small: SqliteStore, path: Path, how: str) -> None:
    kept, large = execution(small, "orders"), execution(small, "orders", input="x" * 1_000_000)
    await small.commit([created(kept, entry(1, 1))])
    writing = asyncio.create_task(small.commit([created(large)]))
    await _until_full(small)
    if how == "hurried":
        small.hurry()
    else:
        with pytest.raises(StoreUnusable, match="the disk is full"):
            await small.close()
    with pytest.raises(StoreUnusable, match="the disk is full"):
        await writing
    await small.close()
    opened = SqliteStore(path)
    await opened.open()
    assert await opened.executions_open() == 1
    assert await opened.journal(kept.id) == [entry(1, 1)]
    await opened.close()
