"""Time as an argument of the shell.

The runtime asks a Clock for the time and for wake-ups, and nothing else; a test hands it a VirtualClock
(`runtime/virtual.py`) and drives a thirty-day Wait in microseconds through the very code the server runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Handle(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> int:
        """Milliseconds since the epoch."""
        ...

    def call_at(self, when: int, callback: Callable[[], None]) -> Handle:
        """Call back in the event loop at `when` (milliseconds since the epoch) or at once if that is past."""
        ...


class SystemClock:
    """The machine's clock. Timers follow the wall clock, so a machine that slept catches up when it wakes."""

    _longest_sleep_seconds = 30.0
    """A timer looks at the wall clock again at least this often: clocks are set, machines are suspended."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def call_at(self, when: int, callback: Callable[[], None]) -> Handle:
        return _Timer(self, when, callback)


class _Timer:
    def __init__(self, clock: SystemClock, when: int, callback: Callable[[], None]) -> None:
        self._clock, self._when, self._callback = clock, when, callback
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle
        self._arm()

    def _arm(self) -> None:
        delay = (self._when - self._clock.now()) / 1_000
        self._handle = self._loop.call_later(min(max(delay, 0.0), self._clock._longest_sleep_seconds), self._ring)

    def _ring(self) -> None:
        if self._clock.now() >= self._when:
            self._callback()
        else:
            self._arm()

    def cancel(self) -> None:
        self._handle.cancel()
