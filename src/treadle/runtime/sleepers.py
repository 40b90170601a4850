"""Executions that are not in memory because nothing happens to them for a while, and who wakes them in time.

The row of a sleeping execution says when its earliest timer is due.  A scan loads all that are due within the
horizon, a minute.  The next scan is set half a horizon before the earliest of the others is due; since an
execution only goes to sleep if its timer is further away than the horizon, there are at most two scans a
minute, and none at all while nothing is due, however many executions sleep and however long.

Where very many are due together, memory is bounded all the same.  Those whose time has not come yet are loaded up to a
number, and the next scan is when the last of them is due.  Those whose time has come are loaded a page at a time: while
what the timers of one page change is written, the next one is loaded, and no more.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from typing import Any

from treadle.clock import Clock
from treadle.runtime.timers import Timers
from treadle.runtime.under_way import UnderWay
from treadle.store.contract import ExecutionRow, Store, StoreUnavailable

_HORIZON_MILLISECONDS = 60_000
_RETRY_MILLISECONDS = 1_000
"""When to scan again if the database cannot be reached."""

_PAGE = 500
"""Executions that one read of a scan answers, and that are loaded together."""

_AHEAD = 2_000
"""Executions that one scan loads before their time, give or take a page."""

_FOREVER = 2**63 - 1
_BEHIND_TASKS = (0, _FOREVER)
"""Cursor behind the executions with tasks in flight (`wake` 0): those are in memory."""

_TIMER = 0
"""Key of the scan's timer. No execution has this id."""

Work = Callable[[Sequence[ExecutionRow]], Coroutine[Any, Any, None]]


def sleeps_until(due: int, now: int) -> bool:
    """Whether an execution whose earliest timer is `due` may leave memory."""
    return due > now + _HORIZON_MILLISECONDS


class Scans:
    """Wakes executions that sleep, before their timers are due."""

    def __init__(
        self, store: Store, clock: Clock, timers: Timers, under_way: UnderWay, *, load: Work, fire: Work
    ) -> None:
        """`load` loads those of the executions that are not in memory; `fire` fires the timers of those that are, and
        waits until what came of it is on disk."""
        self.shards: Callable[[], Collection[int] | None] = lambda: None
        """Those whose executions are woken here; None: all."""
        self._store = store
        self._clock = clock
        self._timers = timers
        self._under_way = under_way
        self._load = load
        self._fire = fire
        self._one_at_a_time = asyncio.Lock()
        self._closed = False

    def wake(self, due: int) -> None:
        """An execution sleeps until `due`: it is to be in memory in time."""
        self._scan_at(due - _HORIZON_MILLISECONDS // 2)

    def _scan_at(self, when: int) -> None:
        planned = self._timers.due(_TIMER)
        if not self._closed and (planned is None or when < planned):
            self._timers.set(_TIMER, when, self._scan_now)

    def _scan_now(self) -> None:
        self._under_way.spawn(self.scan())

    async def scan(self) -> None:
        """Load what is due within the horizon, and set the next scan."""
        async with self._one_at_a_time:
            try:
                await self._scan()
            except StoreUnavailable:
                self._scan_at(self._clock.now() + _RETRY_MILLISECONDS)

    async def _scan(self) -> None:
        ahead = 0
        firing: asyncio.Task[None] | None = None
        async for rows in self._pages(_FOREVER, _BEHIND_TASKS, self.shards()):
            now = self._clock.now()
            soon = [row for row in rows if not sleeps_until(_due(row), now)]
            await self._load(soon)
            late = [row for row in soon if _due(row) <= now]
            if firing is not None:
                await firing
            firing = self._under_way.spawn(self._fire(late))
            ahead += len(soon) - len(late)
            if len(soon) < len(rows):
                self.wake(_due(rows[len(soon)]))
                return
            if ahead >= _AHEAD:
                self._scan_at(_due(rows[-1]))
                return

    async def load_in_flight(self, shards: Collection[int] | None) -> None:
        """After a restart: the executions that have tasks in flight or gave up their turn, of these shards (None: of
        all)."""
        # Nothing of it is garbage. To look for some took a quarter of the time; and afterwards, with 100,000
        # executions, each look would hold up all requests for more than a second (measured).
        gc.disable()
        try:
            async for rows in self._pages(0, None, shards):
                await self._load(rows)
        finally:
            gc.freeze()
            gc.enable()

    async def _pages(
        self, until: int, after: tuple[int, int] | None, shards: Collection[int] | None
    ) -> AsyncIterator[Sequence[ExecutionRow]]:
        """Until there are no more, or the server stops."""
        while not self._closed:
            rows = await self._store.executions_due(until, after, _PAGE, shards)
            if not rows:
                return
            yield rows
            after = (_due(rows[-1]), rows[-1].id)

    def close(self) -> None:
        self._closed = True


def _due(row: ExecutionRow) -> int:
    assert row.wake is not None
    return row.wake
