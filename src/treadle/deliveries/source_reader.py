"""What brings an event source to a function, as far as it is the same for all kinds of sources.

    run ─▶ look ─▶ rest ─▶ look ...      what a look finds, a batch or a shard, is worked at by tasks beside it
             └─ trouble: it is said once, then a pause, each time in a row for longer

A reader runs until it is stopped: then it takes nothing more, and waits for the tasks that are under way. It may be
told to go on before they have ended.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from treadle.deliveries.source import FIRST_PAUSE_SECONDS, Assignment, SourceTrouble, Troubles
from treadle.limits import Limits

_log = logging.getLogger(__name__)


class SourceReader(ABC):
    def __init__(self, source_arn: str, assignment: Assignment, limits: Limits) -> None:
        self.assignment = assignment
        """It may be replaced at any time: the next batch goes by it."""
        self.looked = asyncio.Event()
        """Set when it misses nothing any more, or knows why it cannot read."""
        self._source_arn = source_arn
        self._limits = limits
        self._stopped = False
        self._woken = asyncio.Event()
        """Something has happened that a pause must not outlast."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._problem: str | None = None
        """What is in the way of the source as a whole."""
        self._troubles = 0
        """How many times in a row something was."""

    @property
    def problem(self) -> str | None:
        """Why nothing is delivered now."""
        return self._problem

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is under way has ended."""
        self._stopped = True
        self._woken.set()

    def go_on(self) -> None:
        """Forget a `stop`, if `run` has not returned yet."""
        self._stopped = False

    async def run(self) -> None:
        """Cancelling this drops what is under way: it comes again."""
        try:
            while True:
                while not self._stopped:
                    await self._look_or_pause()
                if self._tasks:
                    await asyncio.wait(self._tasks)
                if self._stopped:  # still
                    return
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @abstractmethod
    async def _look(self) -> float | None:
        """Look at the source once, and begin what there is to do. For how long it need not be looked at again, unless
        something happens (seconds); None: it is to be looked at at once. Raises SourceTrouble, and what `Troubles`
        lists."""

    async def _look_or_pause(self) -> None:
        try:
            rest = await self._look()
        except (*Troubles, SourceTrouble) as error:
            await self._trouble(str(error))
        except Exception as bug:
            # An answer of an endpoint that makes no sense may do that: a mapping must not end of it unseen.
            _log.exception("event source %s could not be read", self._source_arn)
            await self._trouble(f"Treadle has a bug: {bug!r}")
        else:
            self._problem, self._troubles = None, 0
            self.looked.set()
            if rest is not None:
                await self._pause(rest)

    async def _trouble(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("event source %s: %s", self._source_arn, problem)
        self._problem = problem
        self.looked.set()
        await self._pause(min(2**self._troubles * FIRST_PAUSE_SECONDS, self._limits.event_source_pause_seconds))
        self._troubles = min(self._troubles + 1, 30)

    async def _pause(self, seconds: float) -> None:
        """Ends at once if something has happened since the last one."""
        if not self._stopped:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()

    def _begin(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        """Let it run beside the looks. `what`: for the log, if it ends of a bug."""

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (bug := task.exception()) is not None:
                _log.error("event source %s: %s could not be carried out", self._source_arn, what, exc_info=bug)

        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(ended)
        return task
