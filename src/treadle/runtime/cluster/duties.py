"""Work that one node does for all: it goes with shard 0.

Such work may be begun and ended any number of times. It ends before the shard is let go of in order. Where the shard
was lost, another node may begin while this one is still ending: as after a crash, what was under way is made again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from treadle.store.contract import StoreUnavailable, StoreUnusable

_log = logging.getLogger(__name__)

DUTY_SHARD = 0

Step = Callable[[], Awaitable[None]]


class Duties:
    def __init__(self, on_failure: Callable[[StoreUnusable], None]) -> None:
        self._on_failure = on_failure
        self._duties: list[tuple[Step, Step]] = []
        self._wanted = self._on = False
        self._begun: list[Step] = []
        """How to end what has been begun, in that order."""
        self._work: asyncio.Task[None] | None = None

    def add(self, begin: Step, end: Step) -> None:
        """Before the first node may take the shard."""
        self._duties.append((begin, end))

    def take(self) -> None:
        self._wanted = True
        self._go_on()

    def leave(self) -> None:
        self._wanted = False
        self._go_on()

    @property
    def ended(self) -> bool:
        return not self._on and self._work is None

    async def close(self) -> None:
        self.leave()
        while self._work is not None:
            await asyncio.wait([self._work])

    def _go_on(self) -> None:
        if self._work is None and self._wanted != self._on:
            self._on = self._wanted
            self._work = asyncio.get_running_loop().create_task(self._change())

    async def _change(self) -> None:
        try:
            if self._on:
                await self._begin()
            else:
                await self._end()
        finally:
            self._work = None
            self._go_on()

    async def _begin(self) -> None:
        for begin, end in self._duties:
            self._begun.append(end)
            try:
                await begin()
            except StoreUnavailable as error:
                _log.info("What one node does for all could not begin here: %s", error)
            except StoreUnusable as error:
                self._on_failure(error)
            except Exception:
                _log.exception("What one node does for all could not begin because of a bug")

    async def _end(self) -> None:
        while self._begun:
            end = self._begun.pop()
            try:
                await end()
            except StoreUnavailable:
                continue
            except Exception:
                _log.exception("What one node does for all did not end in order because of a bug")
