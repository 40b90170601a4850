"""Many executions come back into memory: with few reads, beside requests, and each by itself."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from treadle.engine.execution import Execution
from treadle.engine.fold import fold as engine_fold
from treadle.engine.history import HistoryEvent
from treadle.runtime import folding, loading, sleepers
from treadle.store.contract import ExecutionRow
from treadle.store.sqlite.store import SqliteStore

from .world import World, done, task


class Reads:
    """The reads of journals of all stores from now on, which wait while the gate is shut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Sequence[int]] = []
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self._read = SqliteStore.journals
        monkeypatch.setattr(SqliteStore, "journals", lambda store, *arguments: self._journals(store, *arguments))

    async def _journals(self, store: SqliteStore, execution_ids: Sequence[int], most_bytes: int) -> Any:
        self.asked.append(execution_ids)
        self.began.set()
        if len(execution_ids) > 1:
            await self.gate.wait()
        return await self._read(store, execution_ids, most_bytes)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


async def at_work(world: World, number: int) -> list[ExecutionRow]:
    """Executions with tasks in flight, on disk; the server has ended. The next one's tasks answer."""
    world.tasks.script = lambda request, earlier: None
    machine = await world.machine({"Call": task()})
    executions = [await world.begin(machine, f"e{each}") for each in range(number)]
    await world.runtime.idle()
    await world.close()
    world.script = lambda request, earlier: done("ok", 1)
    return executions


async def statuses(world: World, executions: Iterable[ExecutionRow]) -> list[str]:
    return [(await world.row(execution)).status for execution in executions]


async def test_a_page_is_one_read(world: World, reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleepers, "_PAGE", 10)
    executions = await at_work(world, 25)
    await world.open()
    assert [len(ids) for ids in reads.asked] == [10, 10, 5]
    assert (world.runtime.resident, world.runtime.recovering) == (25, False)
    assert gc.isenabled()
    await world.run()
    assert set(await statuses(world, executions)) == {"SUCCEEDED"}


async def test_a_read_is_bounded_by_bytes(world: World, reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_READ_BYTES", 1)
    monkeypatch.setattr(loading, "_HOLD_SECONDS", 0)
    executions = await at_work(world, 4)
    await world.open()
    assert [len(ids) for ids in reads.asked] == [4, 3, 2, 1]
    await world.run()
    assert set(await statuses(world, executions)) == {"SUCCEEDED"}


async def test_who_gets_a_signal_is_loaded_out_of_turn(
    world: World, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleepers, "_PAGE", 3)
    executions = await at_work(world, 9)
    reads.gate.clear()
    opening = asyncio.create_task(world.open())
    await reads.began.wait()
    assert world.runtime.recovering
    later, coming = executions[-1], executions[0]
    await world.runtime.stop_execution(later, error="E", cause=None)
    assert (await world.row(later)).status == "ABORTED"
    stopping = asyncio.create_task(world.runtime.stop_execution(coming, error=None, cause=None))
    reads.gate.set()
    await stopping
    await opening
    assert not world.runtime.recovering
    await world.run()
    assert await statuses(world, executions) == ["ABORTED", *["SUCCEEDED"] * 7, "ABORTED"]
    assert len({request.execution_arn for request in world.tasks.requests}) == len(world.tasks.requests)
    assert world.runtime.resident == 0


async def test_a_server_that_stops_while_it_recovers(
    world: World, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleepers, "_PAGE", 3)
    executions = await at_work(world, 9)
    reads.gate.clear()
    opening = asyncio.create_task(world.open())
    await reads.began.wait()
    closing = asyncio.create_task(world.runtime.close())
    await asyncio.sleep(0)
    reads.gate.set()
    await closing
    await opening
    assert len(reads.asked) == 1, "nothing more is read for a server that stops"
    await world.store.close()
    await world.open()
    await world.run()
    assert set(await statuses(world, executions)) == {"SUCCEEDED"}


async def test_one_that_cannot_be_folded_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    executions = await at_work(world, 5)

    def fold(execution: Execution, events: Iterable[HistoryEvent]) -> None:
        if execution.name == "e2":
            raise KeyError("scripted")
        engine_fold(execution, events)

    monkeypatch.setattr(folding, "fold", fold)
    await world.open()
    await world.run()
    assert await statuses(world, executions) == ["SUCCEEDED", "SUCCEEDED", "FAILED", "SUCCEEDED", "SUCCEEDED"]
