"""The machine's clock, which somebody sets."""

from __future__ import annotations

from treadle.clock import SystemClock

from .loop import Scheduler

EPOCH = 1_700_000_000_000
"""When every world begins, in milliseconds."""


class Clock(SystemClock):
    """Its timers are the real ones, which look at the clock again and again."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._skew = 0
        self.highest = 0
        """The latest that it has shown."""

    def now(self) -> int:
        now = EPOCH + self._skew + int(self._scheduler.time * 1_000)
        self.highest = max(self.highest, now)
        return now

    def jump(self, seconds: float) -> None:
        self.now()
        self._skew += int(seconds * 1_000)
        self.now()
