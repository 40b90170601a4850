"""A clock that stands still until it is told to jump: weeks of a workflow in the time that the work takes."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Awaitable, Callable


class VirtualClock:
    """Implements `clock.Clock`. Time moves only in `run`."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now
        self._timers: list[tuple[int, int, _Timer]] = []
        self._order = itertools.count()

    def now(self) -> int:
        return self._now

    def call_at(self, when: int, callback: Callable[[], None]) -> _Timer:
        timer = _Timer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    async def run(self, idle: Callable[[], Awaitable[None]], until: Callable[[], bool] | None = None) -> None:
        """Let everything happen, in order of time, until nothing is left to wait for, or until `until()`.

        `idle` waits until no work is under way (`Runtime.idle`). Only then does the clock jump, to the
        earliest timer: virtual time passes for those who wait, never for those who work.
        """
        await idle()
        while not (until is not None and until()) and self._jump():
            await idle()

    def _jump(self) -> bool:
        """Move to the earliest timer and ring it. False: there is none."""
        while self._timers:
            when, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self._now = max(self._now, when)
                timer.callback()
                return True
        return False


class _Timer:
    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
