"""Wake-ups: any number of timers, one heap, and one wake-up call asked of the clock, for the earliest.

A key has at most one timer.  Setting it again leaves the old entry in the heap, where it counts no more
because `_set` knows better; when such entries are the majority, the heap is built anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from treadle.clock import Clock, Handle

_SMALL_HEAP = 64
"""Entries below which nobody minds old ones."""


class Timers:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int]] = []
        self._set: dict[int, tuple[int, Callable[[], None]]] = {}
        self._handle: Handle | None = None
        self._armed = 0
        """What `_handle` waits for."""

    def set(self, key: int, due: int, callback: Callable[[], None]) -> None:
        """Call back once at `due` (ms since the epoch) instead of whenever `key` was to be called before."""
        before = self._set.get(key)
        self._set[key] = (due, callback)
        if before is not None and before[0] == due:
            return
        heapq.heappush(self._heap, (due, key))
        if len(self._heap) > 2 * len(self._set) + _SMALL_HEAP:
            self._heap = [(due, key) for key, (due, _) in self._set.items()]
            heapq.heapify(self._heap)
        self._arm()

    def due(self, key: int) -> int | None:
        timer = self._set.get(key)
        return None if timer is None else timer[0]

    def discard(self, key: int) -> None:
        if self._set.pop(key, None) is not None:
            self._arm()  # a wake-up for nothing would make a virtual clock jump for nothing

    def clear(self) -> None:
        self._set.clear()
        self._heap.clear()
        self._disarm()

    def _arm(self) -> None:
        heap = self._heap
        while heap and not self._counts(heap[0]):
            heapq.heappop(heap)
        if not heap:
            self._disarm()
        elif self._handle is None or self._armed != heap[0][0]:
            self._disarm()
            self._armed = heap[0][0]
            self._handle = self._clock.call_at(self._armed, self._ring)

    def _disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _counts(self, entry: tuple[int, int]) -> bool:
        due, key = entry
        return self.due(key) == due

    def _ring(self) -> None:
        self._handle = None
        now = self._clock.now()
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heapq.heappop(heap)
            if self._counts(entry):
                _, callback = self._set.pop(entry[1])
                callback()
        self._arm()
