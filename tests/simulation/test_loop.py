"""The simulated loop is a loop: asyncio works on it; and it is one that can be stopped, shuffled and killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

import pytest

from .loop import Scheduler, SimulatedLoop

_FOREVER = 1_000.0


def run(scheduler: Scheduler, seconds: float = _FOREVER) -> None:
    while scheduler.time < seconds and scheduler.step():
        pass


def ignore(context: dict[str, Any]) -> None: ...


Make = Callable[..., Scheduler]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes schedulers, which are closed in the end."""
    made: list[Scheduler] = []

    def make(seed: int = 1, *, shuffles: bool = False) -> Scheduler:
        made.append(Scheduler(Random(seed), shuffles=shuffles))
        return made[-1]

    yield make
    for scheduler in made:
        scheduler.close()


def started(scheduler: Scheduler, *works: Callable[[], Awaitable[None]]) -> SimulatedLoop:
    """A loop that runs these."""
    loop = scheduler.loop(ignore)

    async def begin(work: Callable[[], Awaitable[None]]) -> None:
        await work()

    for work in works:
        loop.post(lambda work=work: loop.create_task(begin(work)))
    return loop


def test_time_passes_without_anybody_waiting(make: Make) -> None:
    scheduler, told = make(), []

    async def sleep() -> None:
        await asyncio.wait_for(asyncio.gather(asyncio.sleep(300), asyncio.sleep(60)), 400)
        told.append(scheduler.time)

    started(scheduler, sleep)
    run(scheduler)
    assert len(told) == 1
    assert 300 < told[0] < 301


def test_what_one_has_asked_for_stays_in_order(make: Make) -> None:
    told: list[tuple[str, int]] = []

    def tell(name: str) -> Callable[[], Awaitable[None]]:
        async def tell() -> None:
            for number in range(5):
                asyncio.get_running_loop().call_soon(told.append, (name, number))

        return tell

    orders = set()
    for seed in range(20):
        told.clear()
        scheduler = make(seed, shuffles=True)
        started(scheduler, tell("a"), tell("b"))
        run(scheduler)
        for name in "ab":
            assert [number for teller, number in told if teller == name] == [0, 1, 2, 3, 4]
        orders.add(tuple(told))
    assert len(orders) > 5, "the two are mixed in many ways"


def test_nothing_of_a_dead_loop_happens(make: Make) -> None:
    scheduler, told = make(), list[object]()

    async def tell() -> None:
        try:
            while True:
                await asyncio.sleep(1)
                told.append(scheduler.time)
        finally:
            asyncio.get_running_loop().call_soon(told.append, "after its death")

    loop = started(scheduler, tell)
    run(scheduler, 10)
    count = len(told)
    assert count == 9
    loop.kill()
    loop.post(told.append, "posted to the dead")
    run(scheduler)
    assert len(told) == count


def test_it_dies_between_two_callbacks(make: Make) -> None:
    scheduler, told = make(), list[int]()
    loop = scheduler.loop(ignore)
    for number in range(10):
        loop.post(told.append, number)
    loop.fuse, loop.on_death = 4, loop.kill
    run(scheduler)
    assert told == [0, 1, 2, 3]


def test_a_frozen_loop_goes_on_where_it_was(make: Make) -> None:
    scheduler, told = make(), []

    async def tell() -> None:
        await asyncio.sleep(1)
        told.append(scheduler.time)

    loop = started(scheduler, tell)
    run(scheduler, 0.5)
    loop.frozen = True

    def thaw() -> None:
        loop.frozen = False

    scheduler.call_at(50, thaw)
    run(scheduler)
    assert len(told) == 1
    assert told[0] >= 50


@pytest.mark.parametrize("shuffles", [False, True])
def test_the_same_seed_gives_the_same_order(make: Make, shuffles: bool) -> None:
    def told() -> list[tuple[str, float]]:
        scheduler, told = make(7, shuffles=shuffles), list[tuple[str, float]]()

        def sleeper(name: str) -> Callable[[], Awaitable[None]]:
            async def sleep() -> None:
                for _ in range(5):
                    await asyncio.sleep(1)
                    told.append((name, scheduler.time))

            return sleep

        for name in "abc":
            started(scheduler, sleeper(name), sleeper(name.upper()))
        run(scheduler)
        return told

    assert told() == told()
