"""The queue of deliveries on a real store: at least once, never stuck, never too much at once."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from treadle.clock import SystemClock
from treadle.deliveries.contract import Again, Done, Later, Message, Outcome, Undeliverable
from treadle.deliveries.queue import Deliveries, delivery_of, message_of
from treadle.limits import Limits
from treadle.store.delivery_contract import Delivery
from treadle.store.sqlite.store import SqliteStore

PAY, SHIP = (f"arn:aws:lambda:eu-west-1:123456789012:function:{name}" for name in ("pay", "ship"))
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:records"
LATE = 10**15
LIMITS = Limits(delivery_pause_milliseconds=1, delivery_pause_longest_milliseconds=4)


def message(body: str = "{}") -> Message:
    return Message(body=body, account="123456789012", region="eu-west-1")


class Performer:
    """Ends attempts as the test says; without a word from it, they succeed."""

    def __init__(self) -> None:
        self.outcomes: deque[Callable[[Delivery], Outcome]] = deque()
        self.attempts: asyncio.Queue[Delivery] = asyncio.Queue()
        self.hold: asyncio.Event | None = None
        self.room = 10**6
        """How many attempts are taken at once."""
        self.running = 0
        self.most = 0

    async def attempt(self, delivery: Delivery) -> Outcome:
        if self.running >= self.room:
            return Later(LATE)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            self.attempts.put_nowait(delivery)
            if self.hold is not None:
                await self.hold.wait()
            else:
                await asyncio.sleep(0)
            return self.outcomes.popleft()(delivery) if self.outcomes else Done()
        finally:
            self.running -= 1

    async def bodies(self, count: int) -> list[str]:
        return [message_of(await self.attempts.get()).body for _ in range(count)]


@pytest.fixture
def performer() -> Performer:
    return Performer()


NEVER_AGAIN = {"delivery_pause_milliseconds": 10**9, "delivery_pause_longest_milliseconds": 10**9}


class Watched(Deliveries):
    """Tells when a lane has ended, because nothing waits for its target any more."""

    ended: asyncio.Queue[str]

    def leave(self, target: str) -> None:
        super().leave(target)
        self.ended.put_nowait(target)


async def queue(store: SqliteStore, performer: Performer, **limits: Any) -> Watched:
    """One that makes attempts."""
    made = Watched(store, performer, SystemClock(), replace(LIMITS, **limits))
    made.ended = asyncio.Queue()
    await made.start()
    return made


async def emptied(deliveries: Watched) -> None:
    while await deliveries.store.delivery_count():
        await deliveries.ended.get()


async def test_delivered_once(store: SqliteStore, performer: Performer) -> None:
    deliveries = await queue(store, performer)
    await deliveries.post(PAY, message("1"))
    assert await performer.bodies(1) == ["1"]
    await emptied(deliveries)
    await deliveries.post(PAY, message("2"))  # the lane has ended, or is about to
    assert await performer.bodies(1) == ["2"]
    await emptied(deliveries)
    assert performer.attempts.empty()
    await deliveries.close()


async def test_what_is_no_target(store: SqliteStore, performer: Performer) -> None:
    deliveries = await queue(store, performer)
    with pytest.raises(Undeliverable):
        await deliveries.post("arn:aws:dynamodb:eu-west-1:123456789012:table/orders", message())
    assert await deliveries.store.delivery_count() == 0


async def test_what_follows_is_delivered(store: SqliteStore, performer: Performer) -> None:
    deliveries = await queue(store, performer)
    performer.outcomes.append(lambda _: Done([delivery_of(QUEUE, message("record"), 0)]))
    await deliveries.post(PAY, message("event"))
    assert await performer.bodies(2) == ["event", "record"]
    await emptied(deliveries)
    await deliveries.close()


async def test_attempts_are_counted(store: SqliteStore, performer: Performer) -> None:
    deliveries = await queue(store, performer)
    performer.outcomes.extend([lambda delivery: Again(delivery.due + 1)] * 2)
    await deliveries.post(PAY, message())
    attempts = [await performer.attempts.get() for _ in range(3)]
    assert [delivery.attempts for delivery in attempts] == [0, 1, 2]
    assert len({delivery.accepted for delivery in attempts}) == 1
    await emptied(deliveries)
    await deliveries.close()


async def test_a_new_server_goes_on(store: SqliteStore, performer: Performer) -> None:
    performer.hold = asyncio.Event()
    first = await queue(store, performer, deliveries_at_once_each=1)
    for body in ("under way", "waiting"):
        await first.post(PAY, message(body))
    assert await performer.bodies(1) == ["under way"]
    await first.close()
    assert performer.running == 0
    await first.post(SHIP, message("taken while it closes"))
    performer.hold = None
    second = await queue(store, performer)
    assert sorted(await performer.bodies(3)) == ["taken while it closes", "under way", "waiting"]
    await emptied(second)
    await second.close()


async def test_of_two_queues_on_a_store_one_makes_attempts_at_a_time(store: SqliteStore, performer: Performer) -> None:
    """As nodes that share a database do."""
    resting = Deliveries(store, performer, SystemClock(), LIMITS)
    told: list[str] = []
    resting.wake_elsewhere = told.extend
    await resting.post(PAY, message("posted elsewhere"))
    await resting.look()
    assert (told, performer.attempts.empty()) == ([PAY], True)
    at_work = await queue(store, performer)
    assert await performer.bodies(1) == ["posted elsewhere"]
    await emptied(at_work)
    await resting.post(SHIP, message("and nobody heard of it"))
    await at_work.look()
    assert await performer.bodies(1) == ["and nobody heard of it"]
    await emptied(at_work)
    await at_work.close()
    await resting.start()
    await at_work.post(PAY, message("after a change"))
    await resting.look()
    assert await performer.bodies(1) == ["after a change"]
    await resting.close()


async def test_what_is_at_work_at_once_is_bounded(store: SqliteStore, performer: Performer) -> None:
    for number in range(60):
        await store.delivery_add(delivery_of(f"{PAY}:{number % 6}", message(str(number)), 0))
    performer.hold = asyncio.Event()
    deliveries = await queue(store, performer, deliveries_at_once=4, deliveries_at_once_each=3)
    bodies = await performer.bodies(4)
    performer.hold.set()
    bodies += await performer.bodies(56)
    assert sorted(map(int, bodies)) == list(range(60))
    assert performer.most == 4
    await emptied(deliveries)
    await deliveries.close()


async def test_one_target_has_its_share(store: SqliteStore, performer: Performer) -> None:
    performer.hold = asyncio.Event()
    deliveries = await queue(store, performer, deliveries_at_once=5, deliveries_at_once_each=3)
    for body in "abcde":
        await deliveries.post(PAY, message(body))
    assert await performer.bodies(3) == ["a", "b", "c"]
    await deliveries.post(SHIP, message("other"))
    assert await performer.bodies(1) == ["other"]
    performer.hold.set()
    assert sorted(await performer.bodies(2)) == ["d", "e"]
    await emptied(deliveries)
    await deliveries.close()


async def test_a_target_that_refuses_holds_up_itself(store: SqliteStore, performer: Performer) -> None:
    deliveries = await queue(store, performer, **NEVER_AGAIN)
    performer.outcomes.append(lambda _: Later(LATE))
    await deliveries.post(PAY, message("refused"))
    assert await performer.bodies(1) == ["refused"]
    await deliveries.post(SHIP, message("other"))
    assert await performer.bodies(1) == ["other"]
    await deliveries.post(PAY, message("behind it"))
    assert await deliveries.store.delivery_count() >= 2
    await deliveries.close()
    assert performer.attempts.empty()


async def test_a_target_that_takes_again(store: SqliteStore, performer: Performer) -> None:
    deliveries = await queue(store, performer)
    performer.outcomes.extend([lambda _: Later(LATE)] * 5)
    await deliveries.post(PAY, message())
    attempts = [await performer.attempts.get() for _ in range(6)]
    assert [delivery.attempts for delivery in attempts] == [0] * 6
    await emptied(deliveries)
    await deliveries.close()


async def test_a_message_that_gets_too_old_is_looked_at(store: SqliteStore, performer: Performer) -> None:
    """However long the pause is."""
    deliveries = await queue(store, performer, **NEVER_AGAIN)
    performer.outcomes.append(lambda delivery: Later(delivery.accepted + 1))
    await deliveries.post(PAY, message())
    await performer.bodies(2)
    await emptied(deliveries)
    await deliveries.close()


async def test_a_target_that_takes_one_at_a_time(store: SqliteStore, performer: Performer) -> None:
    performer.room = 1
    deliveries = await queue(store, performer)
    for number in range(30):
        await deliveries.post(PAY, message(str(number)))
    assert Counter(await performer.bodies(30)) == Counter(map(str, range(30)))
    await emptied(deliveries)
    assert performer.most == 1
    await deliveries.close()


async def test_a_bug_holds_up_nothing(
    store: SqliteStore, performer: Performer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(delivery: Delivery) -> Outcome:
        raise ZeroDivisionError

    deliveries = await queue(store, performer, deliveries_at_once_each=1)
    performer.outcomes.append(fail)
    with caplog.at_level(logging.ERROR):
        for body in ("a", "b"):
            await deliveries.post(PAY, message(body))
        assert (await performer.bodies(3)).count("a") == 2
    await emptied(deliveries)
    assert "because of a bug" in caplog.text
    await deliveries.close()
