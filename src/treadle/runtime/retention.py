"""Executions that ended long ago leave the database, as AWS forgets them after 90 days.

Theory of operation. Now and then a pass looks for executions that ended too long ago and removes them, step by step: a
step is one transaction of a bounded size. After each step there is a pause that is a multiple of the time which the
step took. So a pass takes a small part of a server's time; and since a step waits for its turn behind what others
write, the busier the server is, the longer are the pauses.

A pass takes the time that it was at the pass before, or at the start of the server. So a clock that is wrong for a
moment, as a machine's may be that has just been switched on, makes nobody's executions look old.

What a pass does not get done, because the server ends, is done by the next one: the store knows what is half removed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from treadle.clock import Clock
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.store.contract import Store, StoreUnavailable, StoreUnusable

_log = logging.getLogger(__name__)

_DAY = 86_400_000
_REST = 4
"""So many times as long as a step took, nothing is removed after it."""
_REST_MILLISECONDS = 10
"""... and this long at least."""
_FOUND_STEPS = 10
"""For so many steps executions are looked for at a time."""


class Retention:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        days: int,
        limits: Limits = DEFAULT_LIMITS,
        on_failure: Callable[[StoreUnusable], None] = lambda error: None,
    ) -> None:
        """`days`: how long an execution is kept after its end. `on_failure` is told if the store cannot be used."""
        self._store = store
        self._clock = clock
        self._kept = days * _DAY
        self._limits = limits
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None
        self.removed = 0
        """Executions that were removed so far, without children of map runs."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """A step that was handed to the store already is carried out."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        earlier = self._clock.now()
        while True:
            await self._sleep(self._limits.retention_pass_seconds * 1_000)
            now = self._clock.now()
            try:
                await self._pass(min(earlier, now) - self._kept)
            except StoreUnusable as error:
                self._on_failure(error)
                return
            except StoreUnavailable as error:
                _log.info("Removing old executions was broken off: %s", error)
            except Exception:
                _log.exception("Old executions could not be removed because of a bug in Treadle")
            earlier = now

    async def _pass(self, before: int) -> None:
        """Remove what ended before this time."""
        store, each = self._store, self._limits.retention_executions
        await self._remove_remains()  # of a pass that was broken off
        while found := await store.executions_expired(before, each * _FOUND_STEPS):
            for first in range(0, len(found), each):
                began = self._clock.now()
                ids = found[first : first + each]
                await store.executions_remove(ids, before)
                self.removed += len(ids)
                await self._rest(began)
                await self._remove_remains()

    async def _remove_remains(self) -> None:
        more = True
        while more:
            began = self._clock.now()
            more = await self._store.remains_remove(self._limits.retention_rows)
            await self._rest(began)

    async def _rest(self, began: int) -> None:
        await self._sleep(max(_REST * (self._clock.now() - began), _REST_MILLISECONDS))

    async def _sleep(self, milliseconds: int) -> None:
        woken = asyncio.Event()
        timer = self._clock.call_at(self._clock.now() + milliseconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()
