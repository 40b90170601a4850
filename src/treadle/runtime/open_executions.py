"""How many executions may run at once.

The store counts those that run. To ask it for each start would cost more than the start is worth; so whoever asks takes
as much room as there is, up to a bound, and the next starts come out of that. The count is exact as soon as it matters:
near the limit the store is asked each time, and starts that it does not know of yet count as well. Nodes that share a
database may together go beyond the limit by what they hold.
"""

from __future__ import annotations

import asyncio

from treadle.limits import Limits
from treadle.runtime.errors import TooManyExecutions
from treadle.store.contract import Store

_ROOM_TAKEN = 1_000
"""Starts for which the store is asked once, at most."""


class OpenExecutions:
    """An asynchronous context around each start. Entering it raises TooManyExecutions."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limit = limits.executions_open
        self._room = 0
        self._being_started = 0
        self._asked: asyncio.Task[bool] | None = None
        """Many run out of room at once: the first of them asks for all, and all go on when there is an answer."""

    async def __aenter__(self) -> None:
        while self._room <= 0:
            if self._asked is None:
                self._asked = asyncio.create_task(self._ask())
            if not await asyncio.shield(self._asked):
                raise TooManyExecutions
        self._room -= 1
        self._being_started += 1

    async def __aexit__(self, *_: object) -> None:
        self._being_started -= 1

    async def _ask(self) -> bool:
        """Whether there is room."""
        try:
            running = await self._store.executions_open()
            self._room = min(self._limit - running - self._being_started, _ROOM_TAKEN)
            return self._room > 0
        finally:
            self._asked = None
