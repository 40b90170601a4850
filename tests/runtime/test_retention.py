"""Old executions leave by and by: with pauses, whatever breaks a pass off, and as long as the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from tests.store.builders import created, entry, execution, machine
from treadle.clock import Handle
from treadle.limits import DEFAULT_LIMITS
from treadle.runtime.retention import Retention
from treadle.store.contract import Store, StoreUnavailable, StoreUnusable
from treadle.store.sqlite import SqliteStore

DAY = 86_400_000
LIMITS = replace(DEFAULT_LIMITS, retention_executions=10, retention_rows=20)
PASS = LIMITS.retention_pass_seconds * 1_000


class HurriedClock:
    """A clock on which every pause is over at once, and has lasted as long as it was to last."""

    def __init__(self) -> None:
        self.time = 1_000 * DAY
        self.pauses: list[int] = []
        self._paused = asyncio.Event()

    async def pause(self) -> None:
        """Wait until somebody pauses."""
        self._paused.clear()
        await self._paused.wait()

    def now(self) -> int:
        return self.time

    def call_at(self, when: int, callback: Callable[[], None]) -> Handle:
        self.pauses.append(when - self.time)
        self.time = when
        self._paused.set()
        return asyncio.get_running_loop().call_soon(callback)


@pytest.fixture
def clock() -> HurriedClock:
    return HurriedClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = SqliteStore(tmp_path / "treadle.db")
    await opened.open()
    await opened.machine_create(machine("orders"), {})
    yield opened
    await opened.close()


async def test_executions_leave_when_they_are_old_enough(store: Store, clock: HurriedClock) -> None:
    rows = [
        execution(store, "orders", status="SUCCEEDED", stopped=clock.time + number * 1_000 * DAY, output="{}")
        for number in range(50)
    ]
    await store.commit([created(row, entry(1, 5)) for row in rows])
    retention = Retention(store, clock, 90, LIMITS)
    retention.start()
    while clock.pauses.count(PASS) < 3:
        await clock.pause()
    assert retention.removed == 0
    clock.time += 29_500 * DAY
    passes = clock.pauses.count(PASS)
    while clock.pauses.count(PASS) < passes + 3:
        await clock.pause()
    await retention.close()
    assert retention.removed == 30
    for number, row in enumerate(rows):
        assert (await store.execution_get(row.arn) is None) == (number < 30)


class ScriptedStore:
    """Of a store, what removes: so many executions, in steps that take some time or fail."""

    def __init__(self, clock: HurriedClock, expired: int, step: int = 0) -> None:
        self._clock = clock
        self.expired = set(range(expired))
        self.step = step
        self.failure: Exception | None = None
        self.steps: list[int] = []
        self.asked: list[int] = []

    async def executions_expired(self, before: int, limit: int) -> Sequence[int]:
        self.asked.append(before)
        return sorted(self.expired)[:limit]

    async def executions_remove(self, ids: Collection[int], before: int) -> None:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        self._clock.time += self.step
        self.steps.append(len(ids))
        self.expired -= set(ids)

    async def remains_remove(self, limit: int) -> bool:
        return False


async def test_steps_are_small_and_pauses_as_long_as_they_take(clock: HurriedClock) -> None:
    scripted = ScriptedStore(clock, expired=25, step=7)
    retention = Retention(cast(Store, scripted), clock, 90, LIMITS)
    retention.start()
    while scripted.expired:
        await clock.pause()
    await retention.close()
    assert scripted.steps == [10, 10, 5]
    assert clock.pauses.count(4 * 7) >= 2
    assert min(clock.pauses) >= 10


class FalteringClock(HurriedClock):
    """At the second pass it goes wrong by years, and at the third it is right again."""

    def call_at(self, when: int, callback: Callable[[], None]) -> Handle:
        handle = super().call_at(when, callback)
        if self.pauses[-1] == PASS:
            self.time += {2: 20_000 * DAY, 3: -20_000 * DAY}.get(self.pauses.count(PASS), 0)
        return handle


async def test_a_clock_that_is_wrong_for_a_moment_makes_nothing_old() -> None:
    clock = FalteringClock()
    scripted = ScriptedStore(clock, expired=0)
    began = clock.time
    retention = Retention(cast(Store, scripted), clock, 90, LIMITS)
    retention.start()
    while len(scripted.asked) < 5:
        await clock.pause()
    await retention.close()
    assert scripted.asked == sorted(scripted.asked)
    assert began - 90 * DAY <= scripted.asked[0]
    assert scripted.asked[-1] < began - 89 * DAY


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), ValueError("a bug")])
async def test_a_pass_that_is_broken_off_is_followed_by_another(clock: HurriedClock, error: Exception) -> None:
    scripted = ScriptedStore(clock, expired=5)
    scripted.failure = error
    retention = Retention(cast(Store, scripted), clock, 90, LIMITS)
    retention.start()
    while scripted.expired:
        await clock.pause()
    await retention.close()
    assert PASS in clock.pauses


async def test_a_store_that_cannot_be_used_ends_it(clock: HurriedClock) -> None:
    scripted = ScriptedStore(clock, expired=5)
    scripted.failure = StoreUnusable("damaged")
    told: asyncio.Future[StoreUnusable] = asyncio.get_running_loop().create_future()
    retention = Retention(cast(Store, scripted), clock, 90, LIMITS, told.set_result)
    retention.start()
    assert str(await told) == "damaged"
    await retention.close()
    assert len(scripted.expired) == 5
