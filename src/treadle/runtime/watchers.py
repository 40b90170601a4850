"""Who watches executions: each hears of the events of one execution as they are committed.

A commit costs nothing while nobody watches its execution. All who do share one News, and what one of them makes
of it is kept in the news for the others, so that many watchers cost little more than one. A watcher that falls
behind is told that it missed something: what it missed is in the store.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from treadle.engine.history import HistoryEvent
from treadle.store.contract import ExecutionStatus


class News:
    """What one commit changed."""

    __slots__ = ("events", "shown", "status")

    def __init__(self, events: Sequence[HistoryEvent], status: ExecutionStatus) -> None:
        self.events = events
        """Without notes."""
        self.status = status
        self.shown: Sequence[bytes] | None = None
        """What a watcher has made of it."""


class Watch:
    """One watcher's place."""

    __slots__ = ("_most", "_waiter", "_waiting", "missed", "over")

    def __init__(self, most: int) -> None:
        self.over = False
        """There is nothing more to hear: the server stops, or the watcher has gone."""
        self.missed = False
        """More came than may wait: the watcher has to look into the store. It sets this back."""
        self._most = most
        self._waiting: deque[News] = deque()
        self._waiter: asyncio.Future[None] | None = None

    async def next(self, seconds: float, wait_for: Callable[[asyncio.Future[Any]], Awaitable[bool]]) -> News | None:
        """The next news. None: there was none for so long, or some were missed, or it is over. `wait_for` waits
        until a future is done, and says if the watcher has gone away before that (False)."""
        if not (self._waiting or self.missed or self.over):
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(seconds, self._wake)
            try:
                self.over = not await wait_for(self._waiter) or self.over
            finally:
                timer.cancel()
                self._waiter = None
        return self._waiting.popleft() if self._waiting else None

    def offer(self, news: News) -> None:
        self._waiting.append(news)
        if sum(len(each.events) for each in self._waiting) > self._most:
            self.miss()
        self._wake()

    def miss(self) -> None:
        self._waiting.clear()
        self.missed = True
        self._wake()

    def stop(self) -> None:
        self.over = True
        self._waiting.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Watchers:
    def __init__(self) -> None:
        self._watches: dict[int, set[Watch]] = {}
        self._closed = False

    def watch(self, execution_id: int, most: int) -> Watch:
        """Hear of what is committed from now on, with at most so many events waiting. `forget` it in the end."""
        watch = Watch(most)
        if self._closed:
            watch.stop()
        self._watches.setdefault(execution_id, set()).add(watch)
        return watch

    def forget(self, execution_id: int, watch: Watch) -> None:
        watches = self._watches.get(execution_id, set())
        watches.discard(watch)
        if not watches:
            self._watches.pop(execution_id, None)

    def committed(self, execution_id: int, events: Sequence[HistoryEvent], status: ExecutionStatus) -> None:
        watches = self._watches.get(execution_id)
        if watches:
            news = News([event for event in events if event.id], status)
            for watch in watches:
                watch.offer(news)

    def look_again(self, is_here: Callable[[int], bool]) -> None:
        """Have those who watch an execution of another node look into the store: nobody tells them of its commits."""
        for execution_id, watches in self._watches.items():
            if not is_here(execution_id):
                for watch in watches:
                    watch.miss()

    def close(self) -> None:
        """The server stops: nobody waits any longer."""
        self._closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.stop()

    def __len__(self) -> int:
        return sum(map(len, self._watches.values()))
