from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from treadle.runtime import ends as ends_module
from treadle.runtime.ends import Ends
from treadle.store.contract import ExecutionStatus, StoreUnavailable

from .world import World, wait


async def test_all_who_wait_are_told(world: World) -> None:
    execution = await world.begin(await world.machine({"A": wait(1_000_000)}))
    waiting = [asyncio.create_task(world.runtime.ends.wait(execution.arn)) for _ in range(3)]
    await world.run()
    assert (await world.row(execution)).status == "SUCCEEDED"
    assert [await each for each in waiting] == [True] * 3
    assert len(world.runtime.ends) == 0
    assert await world.runtime.ends.wait(execution.arn)


async def test_there_is_none_of_that_arn(world: World) -> None:
    assert await world.runtime.ends.wait("arn:aws:states:eu-west-1:123456789012:execution:m:e") is False


async def test_an_end_while_the_row_is_read_is_not_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends after the first look, before anybody waits."""
    execution = await world.begin(await world.machine({"A": wait(1_000_000)}))
    ends, look = world.runtime.ends, world.store.execution_statuses
    first = asyncio.Event()

    async def look_slowly(arns: Sequence[str]) -> Mapping[str, tuple[int, ExecutionStatus]]:
        found = await look(arns)
        if not first.is_set():
            first.set()
            await world.run()
        return found

    monkeypatch.setattr(world.store, "execution_statuses", look_slowly)
    assert await asyncio.wait_for(ends.wait(execution.arn), 20)
    assert (await world.row(execution)).status == "SUCCEEDED"


async def test_who_begins_to_wait_together_looks_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = await world.machine({"A": wait(1_000_000)})
    executions = [await world.begin(machine, f"e{number}") for number in range(20)]
    looks: list[int] = []
    look = world.store.execution_statuses

    async def counted(arns: Sequence[str]) -> Mapping[str, tuple[int, ExecutionStatus]]:
        looks.append(len(arns))
        return await look(arns)

    monkeypatch.setattr(ends_module, "_READ_TOGETHER", 15)
    monkeypatch.setattr(world.store, "execution_statuses", counted)
    waiting = [asyncio.create_task(world.runtime.ends.wait(execution.arn)) for execution in [*executions, *executions]]
    hung_up = asyncio.create_task(world.runtime.ends.wait(executions[0].arn))
    await asyncio.sleep(0)
    hung_up.cancel()
    await world.run()
    assert await asyncio.gather(*waiting) == [True] * 40
    assert looks[0] <= 20
    assert len(looks) <= 6
    assert len(world.runtime.ends) == 0


async def test_who_looks_hears_of_what_keeps_it_from_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(arns: Sequence[str]) -> Mapping[str, tuple[int, ExecutionStatus]]:
        raise StoreUnavailable("scripted")

    execution = await world.begin(await world.machine({"A": wait(1_000_000)}))
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "execution_statuses", fails)
        with pytest.raises(StoreUnavailable):
            await world.runtime.ends.wait(execution.arn)
    waiting = asyncio.create_task(world.runtime.ends.wait(execution.arn))
    await world.run()
    assert await waiting


async def test_what_is_refused(world: World) -> None:
    ends = Ends(world.store)
    one, two, other = ends.of(1), ends.of(1), ends.of(2)
    two.cancel()
    ends.refuse(1, LookupError("gone"))
    assert isinstance(one.exception(), LookupError)
    assert not other.done()
    assert not ends.closed
    ends.close(ValueError("over"))
    assert ends.closed
    assert isinstance(other.exception(), ValueError)
    assert isinstance(ends.of(3).exception(), ValueError)
    assert len(ends) == 0
