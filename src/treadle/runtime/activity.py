"""What the runtime is busy with at the moment, so that somebody can wait until it is not."""

from __future__ import annotations

import asyncio


class Activity:
    """Counts what is under way: ticks, commits, loads. Belongs to one event loop."""

    def __init__(self) -> None:
        self._under_way = 0
        self._waiters: list[asyncio.Future[None]] = []

    def begin(self) -> None:
        self._under_way += 1

    def end(self) -> None:
        self._under_way -= 1
        if self._under_way == 0:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:  # what woke us may have been followed by something new
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
