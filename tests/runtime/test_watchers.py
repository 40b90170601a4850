"""Who watches an execution hears of every event, once it is on disk, or that it missed some."""

from __future__ import annotations

import asyncio
from typing import Any

from treadle.engine.history import HistoryEvent
from treadle.runtime.watchers import Watch, Watchers

from .world import World, done, task, wait

DAY = 24 * 60 * 60
MANY = 1_000


async def stay(future: asyncio.Future[Any]) -> bool:
    await future
    return True


async def go(future: asyncio.Future[Any]) -> bool:
    return False


def events(first: int, last: int) -> list[HistoryEvent]:
    return [HistoryEvent(number, number - 1, "PassStateEntered", 0, 0, {}) for number in range(first, last + 1)]


async def waiting(watch: Watch) -> list[list[int]]:
    """The ids of the events that wait, commit by commit."""
    found = []
    while news := await watch.next(0, stay):
        found.append([event.id for event in news.events])
    return found


async def test_every_event_of_a_run_once_it_is_on_disk(world: World) -> None:
    world.tasks.script = lambda request, earlier: done("ok", 1)
    machine = await world.machine({"Sleep": wait(30 * DAY, Next="Call"), "Call": task()})
    execution = await world.begin(machine)
    watch = world.runtime.watchers.watch(execution.id, MANY)
    await world.run()
    heard: list[int] = []
    status = ""
    while news := await watch.next(0, stay):
        heard += [event.id for event in news.events]
        status = news.status
    stored = [event.id for event in await world.events(execution)]
    assert heard == stored[-len(heard) :]
    assert (len(heard) > 4, status) == (True, "SUCCEEDED")


async def test_all_watchers_hear_the_same() -> None:
    watchers = Watchers()
    one, two, other = watchers.watch(1, MANY), watchers.watch(1, MANY), watchers.watch(2, MANY)
    watchers.committed(1, [*events(1, 2), HistoryEvent(0, 0, "WaitScheduled", 0, 0, {})], "RUNNING")
    mine, its = await one.next(0, stay), await two.next(0, stay)
    assert mine is not None and mine is its
    assert [event.id for event in mine.events] == [1, 2]
    assert await other.next(0, stay) is None
    assert len(watchers) == 3


async def test_who_waits_is_woken() -> None:
    watchers = Watchers()
    watch = watchers.watch(1, MANY)
    asked = asyncio.create_task(watch.next(3_600, stay))
    await asyncio.sleep(0)
    watchers.committed(1, events(1, 1), "RUNNING")
    news = await asked
    assert news is not None and news.events[0].id == 1


async def test_who_falls_behind_missed_something_and_may_go_on() -> None:
    watchers = Watchers()
    watch = watchers.watch(1, 3)
    watchers.committed(1, events(1, 2), "RUNNING")
    assert not watch.missed
    watchers.committed(1, events(3, 4), "RUNNING")
    assert watch.missed
    assert await watch.next(3_600, stay) is None
    watch.missed = False
    watchers.committed(1, events(5, 7), "RUNNING")
    assert await waiting(watch) == [[5, 6, 7]]


async def test_who_watches_what_another_node_runs_looks_into_the_store() -> None:
    watchers = Watchers()
    here, there = watchers.watch(1, MANY), watchers.watch(2, MANY)
    watchers.look_again(lambda execution_id: execution_id == 1)
    assert (here.missed, there.missed) == (False, True)


async def test_who_goes_away_hears_nothing_more() -> None:
    watchers = Watchers()
    watch = watchers.watch(1, MANY)
    assert await watch.next(3_600, go) is None
    assert watch.over
    watchers.forget(1, watch)
    watchers.forget(1, watch)
    watchers.committed(1, events(1, 1), "RUNNING")
    assert len(watchers) == 0


async def test_nobody_waits_for_a_server_that_stops() -> None:
    watchers = Watchers()
    watch = watchers.watch(1, MANY)
    asked = asyncio.create_task(watch.next(3_600, stay))
    await asyncio.sleep(0)
    watchers.close()
    assert await asked is None and watch.over
    late = watchers.watch(1, MANY)
    assert await late.next(3_600, stay) is None and late.over
