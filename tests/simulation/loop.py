"""Event loops whose time is simulated and whose order the seed decides.

Theory of operation.  A Scheduler holds the time, a heap of what is due, and any number of loops: one for each server
process that lives, and one for everybody outside.  A step lets one loop that has something to do run one iteration,
which takes a little time, or else moves the time to what is due next.  So whatever comes from outside (an answer of
the database, an outcome, a request, a timer) falls between any two iterations, as it does in a real process.

A loop runs callbacks in asyncio's order, or (`shuffles`) keeps that order only among those that one and the same
callback has asked for: of callbacks with different origins nobody may rely on who comes first.  Futures and tasks
have hashes of the seed's, because the runtime keeps some of them in sets and goes through those.

A loop can be killed between any two callbacks.  Nothing that it would have run runs then; its coroutines are closed,
so that none of them comes to life again when the garbage collector finds it.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import inspect
import itertools
import warnings
from asyncio import events
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from random import Random
from typing import Any, NoReturn, TypeVar, TypeVarTuple

_T = TypeVar("_T")
_Arguments = TypeVarTuple("_Arguments")
_LONGEST_ITERATION_SECONDS = 0.000_4
_NOBODY = 0
"""The origin of what no callback has asked for."""


class Scheduler:
    def __init__(self, dice: Random, *, shuffles: bool, look_seconds: float = 0.0) -> None:
        """`look_seconds`: how much time passes, at most, until a loop looks at the time: what looks at it to find out
        whether it works for too long finds that it does."""
        self.time = 0.0
        """Seconds since the beginning."""
        self.dice = dice
        self.shuffles = shuffles
        self._look_seconds = look_seconds
        self._due: list[tuple[float, float, int, SimulatedLoop | None, Callable[[], object]]] = []
        self._numbers = itertools.count(1)
        self._loops: list[SimulatedLoop] = []

    def loop(self, failed: Callable[[dict[str, Any]], None]) -> SimulatedLoop:
        """A new loop. `failed` is told of exceptions that nobody catches."""
        loop = SimulatedLoop(self, failed)
        self._loops.append(loop)
        return loop

    def call_at(self, when: float, callback: Callable[[], object], owner: SimulatedLoop | None = None) -> None:
        """Call back at that time, outside of any loop; not if `owner` is dead by then."""
        heapq.heappush(self._due, (when, self.dice.random(), next(self._numbers), owner, callback))

    def call_later(self, seconds: float, callback: Callable[[], object], owner: SimulatedLoop | None = None) -> None:
        self.call_at(self.time + seconds, callback, owner)

    def step(self) -> bool:
        """Let something happen. False: nothing is left that could."""
        while self._due and self._due[0][0] <= self.time:
            self._next_due()
        ready = [loop for loop in self._loops if loop.queue and not loop.frozen]
        if ready:
            (ready[0] if len(ready) == 1 else self.dice.choice(ready)).iterate()
            self.time += self.dice.random() * _LONGEST_ITERATION_SECONDS
            return True
        if not self._due:
            return False
        self.time = max(self.time, self._due[0][0])
        self._next_due()
        return True

    def _next_due(self) -> None:
        _, _, _, owner, callback = heapq.heappop(self._due)
        if owner is None or not owner.dead:
            callback()

    def look(self) -> float:
        """The time, as a loop sees it."""
        if self._look_seconds:
            self.time += self.dice.random() * self._look_seconds
        return self.time

    def forget(self, loop: SimulatedLoop) -> None:
        self._loops.remove(loop)

    def close(self) -> None:
        for loop in tuple(self._loops):
            loop.kill()
        self._due.clear()


class SimulatedLoop(asyncio.BaseEventLoop):
    def __init__(self, scheduler: Scheduler, failed: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self.dead = False
        self.frozen = False
        """Its process is stopped for a while: nothing runs, and what comes waits."""
        self.fuse: int | None = None
        """After so many callbacks it dies."""
        self.on_death: Callable[[], None] | None = None
        """Called when the fuse has burnt down."""
        self._scheduler = scheduler
        self._failed = failed
        self.queue: list[tuple[int, asyncio.Handle]] = []
        """What is to run in the next iteration, each with its origin."""
        self._origins = itertools.count(_NOBODY + 1)
        self._running = _NOBODY
        self._tasks: dict[SimulatedTask[Any], None] = {}

    def iterate(self) -> None:
        """Run what is ready now, once."""
        batch, self.queue = self.queue, []
        if self._scheduler.shuffles and len(batch) > 1:
            batch = self._shuffled(batch)
        events._set_running_loop(self)
        for _, handle in batch:
            if not handle._cancelled:
                self._running = next(self._origins)
                handle._run()
            if self.fuse is not None:
                self.fuse -= 1
                if self.fuse <= 0:
                    break
        events._set_running_loop(None)
        self._running = _NOBODY
        if self.fuse is not None and self.fuse <= 0:
            self.fuse = None
            assert self.on_death is not None
            self.on_death()

    def _shuffled(self, batch: list[tuple[int, asyncio.Handle]]) -> list[tuple[int, asyncio.Handle]]:
        """In another order, but for those of one origin among themselves."""
        lines: dict[int, list[tuple[int, asyncio.Handle]]] = {}
        for entry in batch:
            lines.setdefault(entry[0], []).append(entry)
        if len(lines) == 1:
            return batch
        turns = [origin for origin, _ in batch]
        self._scheduler.dice.shuffle(turns)
        return [lines[origin].pop(0) for origin in turns]

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """From outside of the loop: run this in it."""
        if not self.dead:
            self.queue.append((next(self._origins), asyncio.Handle(callback, args, self)))

    def kill(self) -> None:
        """The process is gone, with all that it was about to do."""
        self.dead = True
        self.queue.clear()
        self._scheduler.forget(self)
        running = events._get_running_loop()
        events._set_running_loop(self)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # some have not begun
            while self._tasks:  # At their end, some begin others.
                self._tasks.popitem()[0].abandon()
        events._set_running_loop(running)
        self.queue.clear()
        self._tasks.clear()
        self.close()

    # -- what asyncio asks of a loop -------------------------------------------------------------------------

    def time(self) -> float:
        return self._scheduler.look()

    def call_soon(
        self, callback: Callable[[*_Arguments], object], *args: *_Arguments, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self.dead:
            self.queue.append((self._running or next(self._origins), handle))
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.dead:
            self._scheduler.call_at(when, lambda: self._ring(timer), self)
        return timer

    def _ring(self, timer: asyncio.TimerHandle) -> None:
        if not timer.cancelled():
            self.queue.append((next(self._origins), timer))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Its entry stays where it is until its time has come."""

    def create_future(self) -> asyncio.Future[Any]:
        return SimulatedFuture(self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, _T] | Generator[Any, None, _T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[_T]:
        task = SimulatedTask(coro, self)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)  # type: ignore[call-overload]

    def draw_hash(self) -> int:
        return self._scheduler.dice.getrandbits(24)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.dead:
            self._failed(context)

    def run_in_executor(self, executor: Any, func: Callable[[*_Arguments], _T], *args: *_Arguments) -> NoReturn:
        raise RuntimeError("the simulation has no threads, because nobody could say in which order they run")


class SimulatedFuture(asyncio.Future[Any]):
    def __init__(self, loop: SimulatedLoop) -> None:
        self._hash = loop.draw_hash()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._hash


class SimulatedTask(asyncio.Task[_T]):
    def __init__(self, work: Coroutine[Any, Any, _T] | Generator[Any, None, _T], loop: SimulatedLoop) -> None:
        self._hash = loop.draw_hash()
        super().__init__(work, loop=loop)

    def __hash__(self) -> int:
        return self._hash

    def abandon(self) -> None:
        """Its process is gone."""
        self._log_destroy_pending = False
        _close(self.get_coro())


def _close(coroutine: Any) -> None:
    """What it does at its end, it does in a world that does not listen."""
    waiting: list[Any] = []
    if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        # One that has not begun may have been given others, which nobody will ever await.
        waiting += filter(asyncio.iscoroutine, coroutine.cr_frame.f_locals.values())
    with suppress(BaseException):
        coroutine.close()
    for each in waiting:
        _close(each)
