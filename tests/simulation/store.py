"""The simulated store: a disk behind a connection that is slow, and that can break.

What is written takes effect in the order in which it was handed over, one write at a time, some time after that; and
it is answered some time later still.  If the process dies in between, what has taken effect stays, whether it was
answered or not, and the rest never happens.  A read sees the disk at some moment between its question and its answer.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from msgspec import Struct

from treadle.store.contract import StoreError, StoreUnusable

from .disk import Disk
from .loop import Scheduler, SimulatedLoop

_WRITES = frozenset(
    {
        "machine_create",
        "machine_update",
        "machine_delete",
        "machine_remove",
        "revision_create",
        "activity_create",
        "activity_delete",
        "commit",
        "map_run_create",
        "map_run_configure",
        "map_run_end",
        "map_run_redrive",
        "map_run_note_add",
    }
)
_APART_SECONDS = 1e-9
"""Between the effects of two writes that are in one transaction, so that they have an order."""


class Pace(Struct, frozen=True):
    """How slow the database is."""

    write_seconds: float
    """Until a write has taken effect, on average."""
    answer_seconds: float
    """Until that is known, on average."""
    read_seconds: float


class SimulatedStore:
    """Implements `store.contract.Store`, as far as Disk does. It belongs to one process."""

    def __init__(self, disk: Disk, scheduler: Scheduler, loop: SimulatedLoop, dice: Random, pace: Pace) -> None:
        self._disk = disk
        self._scheduler = scheduler
        self._loop = loop
        self._dice = dice
        self._pace = pace
        self._ids: Iterator[int] = iter(())
        self._last_effect = self._last_answer = 0.0
        self._broken: StoreUnusable | None = None
        self._waiting: set[asyncio.Future[Any]] = set()
        self._writing: set[asyncio.Future[Any]] = set()
        self.writes = 0
        """How many have taken effect."""
        self.on_effect: Callable[[int], None] = lambda number: None
        """Told of each write when it has, before anybody else is."""

    async def open(self) -> None:
        self._ids = itertools.count(self._disk.last_id + 1)

    async def close(self) -> None:
        pass

    def execution_id(self, beside: int | None = None) -> int:
        return next(self._ids)

    def break_down(self) -> None:
        """The database cannot be used any more. What was on its way takes effect or not, and nobody is told."""
        self._broken = StoreUnusable("the simulated disk is full")
        for waiting in tuple(self._waiting):
            _answer(waiting, None, self._broken)

    def break_off(self, error: StoreError) -> None:
        """The connection is gone: whoever waits for a write is told so, whether it has taken effect or will not."""
        for waiting in tuple(self._writing):
            _answer(waiting, None, error)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        carry_out = getattr(self._disk, name)
        wait = self._write if name in _WRITES else self._read

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self._broken is not None:
                raise self._broken
            return await wait(lambda: carry_out(*args, **kwargs))

        return call

    async def _read(self, read: Callable[[], Any]) -> Any:
        if self._dice.random() < 0.3:
            return read()
        early, seconds = self._dice.random() < 0.5, self._draw(self._pace.read_seconds)
        seen = [read()] if early else []
        answer = self._future()
        self._scheduler.call_later(seconds, lambda: self._loop.post(_answer, answer, None, None), self._loop)
        await answer
        return seen[0] if seen else read()

    async def _write(self, write: Callable[[], Any]) -> Any:
        answer = self._future()
        self._writing.add(answer)
        answer.add_done_callback(self._writing.discard)

        def take_effect() -> None:
            if self._broken is not None and self._dice.random() < 0.5:
                return
            result = error = None
            try:
                result = write()
            except StoreError as refused:
                error = refused
            self.writes += 1
            self._last_answer = max(self._last_answer, self._scheduler.time) + self._draw(self._pace.answer_seconds)
            self._scheduler.call_at(
                self._last_answer, lambda: self._loop.post(_answer, answer, result, error), self._loop
            )
            self.on_effect(self.writes)

        together = self._last_effect > self._scheduler.time and self._dice.random() < 0.7
        wanted = 0.0 if together else self._scheduler.time + self._draw(self._pace.write_seconds)
        self._last_effect = max(self._last_effect + _APART_SECONDS, wanted)
        self._scheduler.call_at(self._last_effect, take_effect, self._loop)
        return await answer

    def _future(self) -> asyncio.Future[Any]:
        future = self._loop.create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    def _draw(self, average: float) -> float:
        return self._dice.expovariate(1 / average) if average else 0.0


def _answer(waiter: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if waiter.done():
        return
    if error is None:
        waiter.set_result(result)
    else:
        waiter.set_exception(error)
