"""Executions that sleep are woken in time, however many are due together, and never all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from treadle.runtime import sleepers
from treadle.store.contract import ExecutionRow

from .world import World, task, wait

DAY = 24 * 60 * 60
PAGE, AHEAD = 5, 7
MOST = AHEAD + 2 * PAGE
"""One page more than are loaded ahead, and one whose timers fire."""


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleepers, "_PAGE", PAGE)
    monkeypatch.setattr(sleepers, "_AHEAD", AHEAD)


class Census:
    """How many executions were in memory at most while journals were read."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        read = world.store.journals

        async def journals(execution_ids: Sequence[int], most_bytes: int) -> Any:
            self.most = max(self.most, world.runtime.resident)
            return await read(execution_ids, most_bytes)

        monkeypatch.setattr(world.store, "journals", journals)


async def sleeping(world: World, number: int, **states: Any) -> list[ExecutionRow]:
    machine = await world.machine(states or {"Sleep": wait(DAY)})
    executions = [await world.begin(machine, f"e{each}") for each in range(number)]
    await world.runtime.idle()
    assert world.runtime.resident == 0
    return executions


async def test_many_that_are_due_in_the_same_second(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    executions = await sleeping(world, 60)
    census = Census(world, monkeypatch)
    await world.run()
    assert AHEAD <= census.most <= MOST
    rows = [await world.row(execution) for execution in executions]
    assert {row.status for row in rows} == {"SUCCEEDED"}
    assert [row.stopped for row in rows] == [execution.started + DAY * 1_000 for execution in executions]
    assert world.runtime.resident == 0


async def test_many_that_fell_due_while_there_was_no_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    executions = await sleeping(world, 60)
    await world.close()
    world.clock.call_at(executions[0].started + 2 * DAY * 1_000, lambda: None)
    await world.clock.run(world.runtime.idle)
    read: list[Census] = []
    opened = type(world.store).open

    async def watched(store: Any) -> None:
        await opened(store)
        read.append(Census(world, monkeypatch))

    monkeypatch.setattr(type(world.store), "open", watched)
    await world.open()
    await world.run()
    assert 0 < read[0].most <= MOST
    now = world.clock.now()
    assert {
        ((await world.row(execution)).status, (await world.row(execution)).stopped) for execution in executions
    } == {("SUCCEEDED", now)}


async def test_those_that_go_on_for_long_do_not_keep_others_asleep(world: World) -> None:
    world.tasks.script = lambda request, earlier: None
    executions = await sleeping(world, 60, Sleep=wait(DAY, Next="Call"), Call=task())
    await world.run(until=lambda: len(world.tasks.running) == 60)
    assert len(world.tasks.running) == 60
    assert world.clock.now() == executions[0].started + DAY * 1_000


async def test_sleepers_of_one_day_after_the_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    machines = [await world.machine({"Sleep": wait(days * DAY)}, f"m{days}") for days in (3, 1, 2)]
    executions = [await world.begin(machine, f"e{each}") for machine in machines for each in range(20)]
    await world.runtime.idle()
    census = Census(world, monkeypatch)
    await world.run()
    assert census.most <= MOST
    stopped = [(await world.row(execution)).stopped for execution in executions]
    assert stopped == [
        execution.started + days * DAY * 1_000
        for execution, days in zip(executions, [3] * 20 + [1] * 20 + [2] * 20, strict=True)
    ]
