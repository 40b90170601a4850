"""Mappings at work: from the store on, over changes, until they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from treadle.clock import SystemClock
from treadle.deliveries.contract import Message
from treadle.deliveries.event_sources import EventSources
from treadle.deliveries.source import SourceSettings
from treadle.limits import Limits
from treadle.store.event_source_contract import EventSourceMapping
from treadle.store.sqlite.store import SqliteStore

from .fake_queue import ACCOUNT, REGION, FakeInvoker, FakeQueue

PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:"


def mapping(number: int = 1, **changes: Any) -> EventSourceMapping:
    made = EventSourceMapping(
        arn=f"{PREFIX}event-source-mapping:{number}",
        function_arn=f"{PREFIX}function:pay{number}",
        source_arn=FakeQueue().arn,
        enabled=True,
        settings=msgspec.json.encode(SourceSettings()).decode(),
        tags="{}",
        modified=1,
    )
    return replace(made, **changes)


class World:
    def __init__(self, store: SqliteStore, queue: FakeQueue, limits: Limits) -> None:
        self.store = store
        self.queue = queue
        self.functions = FakeInvoker()
        self.sources = EventSources(store, self.functions, queue.calls, self._post, SystemClock(), limits)

    async def _post(self, target: str, message: Message) -> None:
        raise AssertionError("queues tell nobody of failures")


Make = Callable[..., World]


@pytest.fixture
async def make(store: SqliteStore) -> AsyncIterator[Make]:
    made: list[World] = []

    def world(queue: FakeQueue | None = None, **limits: int) -> World:
        made.append(World(store, queue or FakeQueue(), Limits(event_source_idle_seconds=0, **limits)))
        return made[-1]

    yield world
    for each in made:
        await each.sources.close()


async def test_a_restart_goes_on(make: Make) -> None:
    world = make()
    await world.store.mapping_create(mapping(1))
    await world.store.mapping_create(mapping(2, enabled=False))
    await world.sources.open()
    await world.queue.put("one")
    call = await world.functions.next()
    assert call.function_arn.endswith("pay1")
    await world.sources.close()
    assert world.queue.left == ["one"]
    again = make(world.queue)
    await again.sources.open()
    await again.queue.expire()
    (await again.functions.next()).answer()
    await again.queue.until(lambda: not again.queue.left)


async def test_states(make: Make) -> None:
    world = make()
    made = mapping()
    world.sources.follow(made)
    assert world.sources.state(made) == "Enabled"
    await world.queue.put("one")
    call = await world.functions.next()
    disabled = replace(made, enabled=False)
    world.sources.follow(disabled)
    assert world.sources.state(disabled) == "Disabling"
    call.answer()
    await world.queue.until(lambda: not world.queue.left)
    while world.sources.state(disabled) == "Disabling":
        await world.queue.wake()
        await asyncio.sleep(0)
    assert world.sources.state(disabled) == "Disabled"
    world.sources.follow(made)
    await world.queue.put("two")
    (await world.functions.next()).answer()


async def test_a_mapping_that_is_enabled_again_at_once(make: Make) -> None:
    world = make()
    world.sources.follow(mapping())
    await world.queue.put("one")
    call = await world.functions.next()
    world.sources.forget(mapping().arn)
    world.sources.follow(mapping(function_arn=f"{PREFIX}function:other"))
    call.answer()
    await world.queue.put("two")
    second = await world.functions.next()
    assert second.function_arn.endswith("other")
    second.answer()


async def test_many_mappings_do_not_wait_in_polls(make: Make) -> None:
    """There would be no connection left for others."""
    world = make(neighbour_connections=2)
    waits: list[int] = []
    receive = world.queue._ReceiveMessage

    async def noted(members: dict[str, Any]) -> dict[str, Any]:
        waits.append(members["WaitTimeSeconds"])
        return await receive(members)

    world.queue._ReceiveMessage = noted  # type: ignore[method-assign]
    for number in (1, 2, 3):
        world.sources.follow(mapping(number))
    await world.queue.until(lambda: len(waits) >= 6)
    assert set(waits) == {0}


async def test_a_source_of_a_later_version(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    world = make()
    world.sources.follow(mapping(source_arn=f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"))
    assert "nothing reads arn:aws:kinesis" in caplog.text


async def test_an_answer_that_makes_no_sense(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    world = make(event_source_pause_seconds=0)
    receive = world.queue._ReceiveMessage

    async def nonsense(members: dict[str, Any]) -> dict[str, Any]:
        world.queue._ReceiveMessage = receive  # type: ignore[method-assign]
        return {"Messages": [{"Body": "without an id"}]}

    world.queue._ReceiveMessage = nonsense  # type: ignore[method-assign]
    world.sources.follow(mapping())
    await world.queue.put("one")
    (await world.functions.next()).answer()
    await world.queue.until(lambda: not world.queue.left)
    assert "could not be read" in caplog.text
