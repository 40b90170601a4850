"""Executions from start to end through the runtime, the engine and a real store, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from treadle.document import Document
from treadle.runtime.errors import ExecutionExists, RuntimeClosed
from treadle.store.contract import Conflict

from .world import World, arn_of, done, failed, task, wait

DAY = 24 * 60 * 60
RETRY = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "BackoffRate": 2.0, "MaxAttempts": 4}]


async def test_a_month_of_waiting_and_a_retry_ladder(world: World) -> None:
    world.tasks.script = lambda request, earlier: failed("Busy", 1) if earlier < 3 else done("ok", 1)
    machine = await world.machine({"Sleep": wait(30 * DAY, Next="Call"), "Call": task(Retry=RETRY)})
    execution = await world.begin(machine)
    await world.run()
    row = await world.row(execution)
    assert (row.status, row.output, row.wake) == ("SUCCEEDED", '"ok"', None)
    assert row.stopped == execution.started + (30 * DAY + 1 + 10 + 1 + 20 + 1 + 40 + 1) * 1_000
    events = await world.events(execution)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    scheduled = [event.timestamp for event in events if event.type == "LambdaFunctionScheduled"]
    assert [later - earlier for earlier, later in pairwise(scheduled)] == [11_000, 21_000, 41_000]
    assert len({request.token for request in world.tasks.requests}) == 4
    assert {request.region for request in world.tasks.requests} == {"eu-west-1"}


async def test_a_sleeping_execution_is_not_in_memory_and_wakes(world: World) -> None:
    machine = await world.machine({"Sleep": wait(DAY)})
    executions = [await world.begin(machine, f"e{number}") for number in range(50)]
    await world.runtime.idle()
    assert world.runtime.resident == 0
    assert {(await world.row(one)).wake for one in executions} == {executions[0].started + DAY * 1_000}
    await world.run()
    for execution in executions:
        row = await world.row(execution)
        assert (row.status, row.stopped) == ("SUCCEEDED", execution.started + DAY * 1_000)


async def test_a_short_wait_stays_in_memory(world: World) -> None:
    execution = await world.begin(await world.machine({"Sleep": wait(5)}))
    await world.runtime.idle()
    assert world.runtime.resident == 1
    await world.run()
    assert (await world.row(execution)).status == "SUCCEEDED"
    assert world.runtime.resident == 0


async def test_a_map_runs_as_many_tasks_at_once_as_it_may(world: World) -> None:
    states = {
        "All": {
            "Type": "Map",
            "MaxConcurrency": 3,
            "ItemProcessor": {"StartAt": "Each", "States": {"Each": task()}},
            "End": True,
        }
    }
    execution = await world.begin(await world.machine(states), given=list(range(10)))
    await world.run()
    row = await world.row(execution)
    assert (row.status, row.output) == ("SUCCEEDED", "[0,1,2,3,4,5,6,7,8,9]")
    assert (world.tasks.most, len(world.tasks.requests)) == (3, 10)


async def test_an_express_execution_takes_no_id_of_the_store(world: World) -> None:
    """Another node could give the same one to an execution that is stored."""
    machine = await world.machine({"A": wait(5)}, machine_type="EXPRESS")
    before = world.store.execution_id()
    rows = [await world.begin(machine, name) for name in ("a", "b")]
    assert world.store.execution_id() == before + 1
    assert len({row.id for row in rows}) == 2
    assert all(row.id < 0 for row in rows)


async def test_stopping_a_sleeping_execution_loads_it(world: World) -> None:
    execution = await world.begin(await world.machine({"Sleep": wait(DAY)}))
    await world.runtime.idle()
    assert world.runtime.resident == 0
    stops = [world.runtime.stop_execution(execution, error="E", cause="C") for _ in range(3)]
    assert set(await asyncio.gather(*stops)) == {world.clock.now()}
    row = await world.row(execution)
    assert (row.status, row.error, row.cause, row.stopped) == ("ABORTED", "E", "C", world.clock.now())
    assert [event.type for event in await world.events(execution)].count("ExecutionAborted") == 1
    await world.run()
    assert await world.runtime.stop_execution(row, error=None, cause=None) == row.stopped


async def test_a_stop_that_read_an_old_row_answers_when_the_execution_ended(world: World) -> None:
    old = await world.begin(await world.machine({"Sleep": wait(5)}))
    assert old.status == "RUNNING"
    await world.run()
    assert await world.runtime.stop_execution(old, error=None, cause=None) == old.started + 5_000
    assert (await world.row(old)).status == "SUCCEEDED"


async def test_stopping_cancels_the_task(world: World) -> None:
    world.tasks.script = lambda request, earlier: None
    execution = await world.begin(await world.machine({"Call": task()}))
    await world.runtime.stop_execution(execution, error=None, cause=None)
    assert world.tasks.cancelled == [world.tasks.requests[0].token]
    assert world.runtime.resident == 0


async def test_of_two_starts_with_one_name_one_wins(world: World) -> None:
    machine = await world.machine({"Sleep": wait(5)})
    starts = [world.begin(machine, "same", number) for number in range(5)]
    others = [world.begin(machine, f"other{number}") for number in range(5)]
    answers = await asyncio.gather(*starts, *others, return_exceptions=True)
    first, *losers = answers[:5]
    assert not isinstance(first, BaseException)
    for loser in losers:
        assert isinstance(loser, ExecutionExists)
        assert (loser.execution.id, loser.execution.input) == (first.id, "0")
    assert not any(isinstance(answer, BaseException) for answer in answers[5:])
    await world.run()
    assert await world.store.executions_open() == 0


async def test_a_start_on_a_machine_that_is_gone_is_a_conflict(world: World) -> None:
    machine = await world.machine({"Sleep": wait(5)})
    await world.runtime.deletions.delete(machine.arn)
    assert await world.runtime.machines.get(machine.arn) is None
    with pytest.raises(Conflict):
        await world.begin(machine)
    assert world.runtime.resident == 0


async def test_express_runs_in_memory_and_answers_its_end(world: World) -> None:
    machine = await world.machine({"Sleep": wait(5, Next="Call"), "Call": task()}, machine_type="EXPRESS")
    answer = asyncio.create_task(
        world.runtime.start_sync_execution(
            machine, arn=arn_of(machine, "e"), name="e", input=Document({"a": 1}), trace_header=None
        )
    )
    left = asyncio.create_task(
        world.runtime.start_sync_execution(
            machine, arn=arn_of(machine, "left"), name="left", input=Document({}), trace_header=None
        )
    )
    started = await world.begin(machine, "asynchronous")
    left.cancel()
    await world.run()
    row = await answer
    assert (row.status, row.output, row.stopped) == ("SUCCEEDED", '{"a":1}', started.started + 6_000)
    assert len(world.tasks.requests) == 3, "those that nobody waits for run on"
    assert await world.store.execution_get(row.arn) is None
    assert world.runtime.resident == 0


async def test_a_closed_runtime_takes_nothing(world: World) -> None:
    machine = await world.machine({"Sleep": wait(5)})
    await world.runtime.close()
    with pytest.raises(RuntimeClosed):
        await world.begin(machine)


async def test_a_tick_that_takes_long_lets_others_in_between(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time at all for a tick, each execution has one of its own."""
    monkeypatch.setattr("treadle.runtime.shell._TICK_SECONDS", -1.0)
    machine = await world.machine({"Sleep": wait(DAY)})
    starting = asyncio.gather(*(world.begin(machine, f"e{number}") for number in range(20)))
    rounds = 0
    while not starting.done():
        rounds += 1
        await asyncio.sleep(0)
    assert rounds >= 20
    assert {(await world.row(one)).status for one in await starting} == {"RUNNING"}
