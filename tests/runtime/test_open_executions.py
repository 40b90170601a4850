"""How many executions may run at once, and how often the store is asked that."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from treadle.limits import Limits
from treadle.runtime.errors import TooManyExecutions
from treadle.runtime.open_executions import OpenExecutions
from treadle.store.contract import Store


class Counting:
    """A store that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def executions_open(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        return 0


@pytest.mark.parametrize(("limit", "starts", "admitted", "asked"), [(10_000, 100, 100, 1), (3, 5, 3, 2)])
async def test_those_that_start_at_once_ask_once_for_all(limit: int, starts: int, admitted: int, asked: int) -> None:
    """Near the limit those ask again that there was no room for."""
    store, all_there = Counting(), asyncio.Barrier(starts)
    room = OpenExecutions(cast(Store, store), Limits(executions_open=limit))

    async def start() -> bool:
        try:
            async with room:
                await all_there.wait()
                return True
        except TooManyExecutions:
            await all_there.wait()
            return False

    assert (await asyncio.gather(*(start() for _ in range(starts)))).count(True) == admitted
    assert store.asked == asked


async def test_those_that_start_at_once_go_on_at_once() -> None:
    """If each had to wait for another turn of the event loop, the last would wait long on a busy one."""
    room, turn, begun = OpenExecutions(cast(Store, Counting()), Limits()), 0, list[int]()

    async def start() -> None:
        async with room:
            begun.append(turn)

    starts = [asyncio.create_task(start()) for _ in range(100)]
    for turn in range(1_000):  # noqa: B007 - what start() sees
        await asyncio.sleep(0)
    await asyncio.gather(*starts)
    assert len(set(begun)) == 1
