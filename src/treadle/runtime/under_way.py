"""What the runtime is busy with at the moment, so that somebody can wait until it is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from treadle.store.contract import StoreUnavailable, StoreUnusable

_log = logging.getLogger(__name__)


class UnderWay:
    """Counts ticks, commits and loads, and keeps those that are tasks. Belongs to one event loop."""

    def __init__(self, unusable: Callable[[StoreUnusable], None]) -> None:
        """`unusable` is told that the store cannot be used any more."""
        self._unusable = unusable
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: list[asyncio.Future[None]] = []

    def begin(self) -> None:
        self._count += 1

    def end(self) -> None:
        self._count -= 1
        if self._count == 0:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._count:  # what woke us may have been followed by something new
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let it run beside everything else. Whatever it raises but StoreUnusable and StoreUnavailable
        is a bug, and logged as one."""
        self.begin()
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreUnusable):
            self._unusable(error)
        elif isinstance(error, StoreUnavailable):
            _log.info("Broken off: %s", error)
        elif error is not None:
            _log.critical("A bug in the runtime", exc_info=error)
        self.end()
