"""An execution that had ended goes on: in virtual time, through restarts, and against everything that can come
between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from treadle.engine.advance import advance as engine_advance
from treadle.engine.signals import Redrive
from treadle.runtime import resident as resident_module
from treadle.store.contract import Conflict, ExecutionRow, RedriveRecord

from .world import World, done, failed, task, wait

DAY = 24 * 60 * 60


def fails_at_first(request: Any, earlier: int) -> Any:
    return done("ok", 1) if earlier else failed("Boom", 1)


async def ended(world: World, states: dict[str, Any], **fields: Any) -> ExecutionRow:
    row = await world.begin(await world.machine(states, **fields))
    await world.run()
    return await world.row(row)


async def test_it_goes_on_with_a_new_attempt_and_ends_again(world: World) -> None:
    world.script = world.tasks.script = fails_at_first
    row = await ended(world, {"First": wait(5, Next="Call"), "Call": task()})
    assert (row.status, row.error, row.stopped) == ("FAILED", "Boom", row.started + 6_000)
    old = world.tasks.requests[0].token
    await world.runtime.idle()
    assert world.runtime.resident == 0
    assert await world.runtime.redrive_execution(row, "once")
    running = await world.row(row)
    assert (running.status, running.stopped, running.error, running.cause) == ("RUNNING", None, None, None)
    assert (running.redrives, running.redriven, running.wake) == (1, row.stopped, 0)
    assert await world.store.executions_open() == 1
    await world.run()
    after = await world.row(row)
    assert (after.status, after.output, after.redrives) == ("SUCCEEDED", '"ok"', 1)
    assert after.started == row.started
    assert world.tasks.requests[1].token != old
    assert [event.id for event in await world.events(row)] == list(range(1, len(await world.events(row)) + 1))
    assert world.runtime.resident == 0


async def test_after_a_restart(world: World) -> None:
    world.script = world.tasks.script = lambda request, earlier: failed("Boom", 1)
    row = await ended(world, {"Call": task()})
    await world.restart()
    world.tasks.script = lambda request, earlier: None
    assert await world.runtime.redrive_execution(row, "once")
    (before,) = world.tasks.requests
    world.script = lambda request, earlier: done("ok")
    await world.restart()
    (again,) = world.tasks.requests
    assert again.token == before.token, "the attempt of the redrive is delivered again"
    await world.run()
    assert (await world.row(row)).status == "SUCCEEDED"
    assert await world.store.redrives(row.id, 10) == [RedriveRecord("once", row.stopped or 0)]


async def test_it_sleeps_like_any_other(world: World) -> None:
    row = await world.begin(await world.machine({"Sleep": wait(DAY)}))
    await world.runtime.stop_execution(row, error=None, cause=None)
    row = await world.row(row)
    assert await world.runtime.redrive_execution(row, "once")
    await world.runtime.idle()
    assert world.runtime.resident == 0
    await world.run()
    after = await world.row(row)
    assert (after.status, after.stopped) == ("SUCCEEDED", (row.stopped or 0) + DAY * 1_000)


async def test_what_fails_at_once_has_been_redriven(world: World) -> None:
    row = await ended(world, {"No": {"Type": "Fail"}})
    for number in (1, 2):
        assert await world.runtime.redrive_execution(await world.row(row), f"t{number}")
        after = await world.row(row)
        assert (after.status, after.redrives) == ("FAILED", number)
    assert [record.client_token for record in await world.store.redrives(row.id, 10)] == ["t2", "t1"]
    assert await world.store.executions_open() == 0


async def test_two_at_once(world: World) -> None:
    world.script = world.tasks.script = fails_at_first
    row = await ended(world, {"Call": task()})
    asked = (world.runtime.redrive_execution(row, f"t{number}") for number in range(5))
    assert sorted(await asyncio.gather(*asked)) == [False] * 4 + [True]
    assert (await world.row(row)).redrives == 1
    assert not await world.runtime.redrive_execution(row, "late")
    await world.run()
    assert (await world.row(row)).status == "SUCCEEDED"
    assert not await world.runtime.redrive_execution(row, "too late")
    assert world.runtime.resident == 0


async def test_a_stop_that_comes_with_it(world: World) -> None:
    running = await world.begin(await world.machine({"Sleep": wait(50)}))
    await world.runtime.stop_execution(running, error="E", cause=None)
    stopped = await world.row(running)
    redriven, when = await asyncio.gather(
        world.runtime.redrive_execution(stopped, "once"),
        world.runtime.stop_execution(running, error=None, cause=None),
    )
    assert redriven
    after = await world.row(running)
    assert (after.status, after.stopped, after.error) == ("ABORTED", when, None)


@pytest.mark.parametrize("gone", [False, True])
async def test_not_while_its_machine_is_deleted(world: World, gone: bool) -> None:
    world.script = world.tasks.script = lambda request, earlier: failed("Boom", 1)
    row = await ended(world, {"Call": task()})
    if gone:
        await world.runtime.deletions.delete(row.machine_arn)
        assert await world.runtime.machines.get(row.machine_arn) is None
    else:
        await world.store.machine_delete(row.machine_arn)
    for number in range(2):
        with pytest.raises(Conflict):
            await world.runtime.redrive_execution(row, f"t{number}")
    assert await world.row(row) == row
    assert world.runtime.resident == 0
    assert len(world.tasks.requests) == 1
    assert not world.failures


async def test_a_deletion_waits_for_what_was_redriven(world: World) -> None:
    world.script = world.tasks.script = fails_at_first
    row = await ended(world, {"Call": task(Next="More"), "More": task()})
    assert await world.runtime.redrive_execution(row, "once")
    await world.runtime.deletions.delete(row.machine_arn)
    assert await world.runtime.machines.get(row.machine_arn) is not None
    await world.run()
    assert (await world.row(row)).status == "ABORTED"
    assert await world.runtime.machines.get(row.machine_arn) is None


async def test_a_bug_leaves_it_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await ended(world, {"No": {"Type": "Fail"}})

    def advance(execution: Any, signal: Any, now: int) -> Any:
        if isinstance(signal, Redrive):
            raise ZeroDivisionError
        return engine_advance(execution, signal, now)

    monkeypatch.setattr(resident_module, "advance", advance)
    with pytest.raises(ZeroDivisionError):
        await world.runtime.redrive_execution(row, "once")
    monkeypatch.undo()
    assert await world.row(row) == row
    assert world.runtime.resident == 0
    assert await world.runtime.redrive_execution(row, "again")


async def test_a_journal_that_cannot_be_folded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await ended(world, {"No": {"Type": "Fail"}})

    async def journals(execution_ids: Sequence[int], most_bytes: int) -> Any:
        return dict.fromkeys(execution_ids, ())

    monkeypatch.setattr(world.store, "journals", journals)
    with pytest.raises(IndexError):
        await world.runtime.redrive_execution(row, "once")
    monkeypatch.undo()
    assert await world.row(row) == row
    assert world.runtime.resident == 0


async def test_the_clock_of_its_time_out_begins_anew(world: World) -> None:
    row = await ended(world, {"Sleep": wait(15, Next="Call"), "Call": wait(10)}, TimeoutSeconds=20)
    assert row.status == "TIMED_OUT"
    assert await world.runtime.redrive_execution(row, "once")
    await world.restart()
    await world.run()
    after = await world.row(row)
    assert (after.status, after.stopped) == ("SUCCEEDED", row.started + 30_000)
