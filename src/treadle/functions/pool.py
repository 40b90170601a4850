"""Who runs what: invocations wait in a queue per function, workers take them.

An invocation goes to the idle worker that was used last (its memory is warm; the others may grow old and be
ended), or else to the end of its function's queue.  Whoever becomes ready takes the head of the queue: a
worker that finishes, or one that was started because of it.  So the rule for starting is one line: no more
workers are on their way (starting, or settling after an invocation) than invocations wait.

Two limits hold: workers per function, and workers of all functions.  At the second, an idle worker of another
function gives way, the longest idle first; if there is none, the oldest waiting invocation gets the next
slot.  A function that has no worker at all is not starved by one that never goes idle: see `worker_idle`.

A worker that cannot start uses up the invocation at the head of the queue, which ends with the reason.  So
code that never starts fails each invocation once and no start is repeated for nothing.

When a function's code changes, its idle and starting workers are ended at once, a busy one after its
invocation.

A function may have workers that are kept: as many as that are there, whether there is work for them or not
(provisioned concurrency).  They are started when nobody waits, and end for others only if these have none at all.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from pathlib import Path

from msgspec.structs import replace

from treadle.functions import failures
from treadle.functions.contract import Invocation
from treadle.functions.function import Function
from treadle.functions.worker import Request, Run, Surroundings, Worker


class _Fleet:
    """The workers and the queue of one function."""

    __slots__ = ("failure", "function", "idle", "kept", "queue", "retired", "slow", "workers")

    def __init__(self, function: Function) -> None:
        self.function = function
        self.workers: set[Worker] = set()
        self.idle: list[Worker] = []
        """Last used last."""
        self.queue: deque[Run] = deque()
        self.kept = 0
        self.failure: bytes | None = None
        """The error document of a kept worker that could not start: no other one is tried."""
        self.slow = False
        """A start took longer than the init phase: workers are started under the time-out of an invocation."""
        self.retired = False
        """The function is not what it was: its workers end when nobody waits for one any more."""

    def unmet(self) -> int:
        """How many waiting invocations no worker is on its way for, or how many kept workers are missing."""
        if not self.queue and not self.kept:
            return 0
        states = [worker.state for worker in self.workers if self.is_current(worker)]
        coming = sum(state in ("starting", "settling") for state in states)
        return max(len(self.queue) - coming, self.missing())

    def missing(self) -> int:
        """Of the kept workers."""
        return 0 if self.failure is not None else self.kept - sum(map(self.is_current, self.workers))

    def can_spare(self) -> bool:
        """Whether an idle worker may end for another function."""
        return not self.kept or len(self.workers) > self.kept

    def is_current(self, worker: Worker) -> bool:
        return worker.function.version == self.function.version

    def waits_since(self) -> float:
        """Who has waited longest goes first; a worker that nobody waits for comes last."""
        return self.queue[0].sequence if self.queue else math.inf


class Pool:
    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._limits = surroundings.options.limits
        self._fleets: dict[str, _Fleet] = {}
        self._workers = 0
        self._leaving: set[Worker] = set()
        """Workers that are gone, whose process is not yet."""
        self._sequence = 0
        self._closed = False

    async def run(self, function: Function, request: Request) -> Invocation:
        """Run `function` once. Cancelling this takes it out of the queue, or kills its worker."""
        self._sequence += 1
        run = Run(request, self._sequence)
        self._submit(function, run)
        try:
            return await run.future
        except asyncio.CancelledError:
            if run.worker is not None:
                run.worker.abandon(run)
            elif (fleet := self._fleets.get(function.key)) is not None and run in fleet.queue:
                fleet.queue.remove(run)
            raise

    async def close(self) -> None:
        """End all workers and wait for their processes; what runs or waits ends with an error document."""
        self._closed = True
        for fleet in list(self._fleets.values()):
            for run in fleet.queue:
                run.end(failures.shut_down(run.request.request_id), failed=True)
            fleet.queue.clear()
            for worker in list(fleet.workers):
                worker.end()
        await asyncio.gather(*[worker.exited for worker in self._leaving])

    def retire(self, prefix: str) -> None:
        """End the workers of functions whose key, and a colon, begins with `prefix`, as soon as no invocation needs
        them: what they run is not what the function is any more."""
        for fleet in list(self._fleets.values()):
            if not f"{fleet.function.key}:".startswith(prefix):
                continue
            fleet.retired, fleet.kept = True, 0
            if not fleet.queue:
                for worker in list(fleet.workers):
                    if worker.state != "busy":
                        worker.end()

    def keep(self, function: Function, count: int) -> None:
        """Have so many workers of `function` from now on, also when there is no work for them."""
        fleet = self._fleets.get(function.key)
        if fleet is None:
            fleet = self._fleets[function.key] = _Fleet(function)
        elif fleet.retired or fleet.function.version != function.version:
            self._replace(fleet, function)
        fleet.kept, fleet.failure = count, None
        self._forget_empty(fleet)
        self._balance()

    def ready(self, key: str) -> tuple[int, bytes | None]:
        """How many workers the function of this key has that have started; and why no other one can be started (an
        error document)."""
        fleet = self._fleets.get(key)
        if fleet is None:
            return 0, None
        return sum(worker.state != "starting" for worker in fleet.workers if fleet.is_current(worker)), fleet.failure

    def users(self, folder: Path) -> list[asyncio.Future[None]]:
        """The ends of all workers whose code lies in `folder`."""
        workers = [*self._leaving, *(worker for fleet in self._fleets.values() for worker in fleet.workers)]
        return [worker.exited for worker in workers if folder in (worker.function.root, worker.function.layers)]

    def _submit(self, function: Function, run: Run) -> None:
        if self._closed:
            run.end(failures.shut_down(run.request.request_id), failed=True)
            return
        fleet = self._fleets.get(function.key)
        if fleet is None:
            fleet = self._fleets[function.key] = _Fleet(function)
        elif fleet.retired or fleet.function.version != function.version:
            self._replace(fleet, function)
        if fleet.idle:
            fleet.idle.pop().begin(run)
        else:
            fleet.queue.append(run)
            self._balance()

    def _replace(self, fleet: _Fleet, function: Function) -> None:
        fleet.function, fleet.retired, fleet.slow = function, False, False
        for worker in list(fleet.workers):
            if worker.state in ("idle", "starting", "settling"):
                worker.end()
        self._fleets[function.key] = fleet  # it may have left when its last worker did

    # -- what workers tell ---------------------------------------------------------------------------------

    def worker_idle(self, worker: Worker) -> None:
        fleet = self._fleets[worker.function.key]
        if fleet.slow and not worker.overran:
            fleet.slow = False
        if not fleet.is_current(worker) or self._must_give_way(fleet):
            worker.end()
        elif fleet.queue:
            worker.begin(fleet.queue.popleft())
        elif fleet.retired:
            worker.end()
        else:
            fleet.idle.append(worker)
            self._balance()  # another function may be waiting for a slot

    def worker_gone(self, worker: Worker) -> None:
        fleet = self._fleets[worker.function.key]
        fleet.workers.discard(worker)
        self._workers -= 1
        if worker in fleet.idle:
            fleet.idle.remove(worker)
        if worker.overran and fleet.is_current(worker):
            fleet.slow = True
        self._leaving.add(worker)
        worker.exited.add_done_callback(lambda _: self._leaving.discard(worker))
        if worker.failure_of_start is not None and fleet.is_current(worker):
            if fleet.kept:
                fleet.failure = worker.failure_of_start("")
            if fleet.queue:
                run = fleet.queue.popleft()
                worker.refuse(run)
        self._forget_empty(fleet)
        self._balance()

    def _forget_empty(self, fleet: _Fleet) -> None:
        if not fleet.workers and not fleet.queue and not fleet.kept:
            self._fleets.pop(fleet.function.key, None)

    # -- who gets a worker ---------------------------------------------------------------------------------

    def _balance(self) -> None:
        """Start workers for what waits, oldest first, as far as the limits allow."""
        while not self._closed:
            fleet = min(self._hungry(), key=_Fleet.waits_since, default=None)
            if fleet is None:
                return
            if self._workers >= self._limits.function_workers:
                if not fleet.queue or not self._evict():
                    return
                continue  # what happened then may have changed who is next
            function = replace(fleet.function, provisioned=True) if fleet.missing() > 0 else fleet.function
            fleet.workers.add(Worker(function, self._around, self, again=fleet.slow))
            self._workers += 1

    def _hungry(self) -> list[_Fleet]:
        """Functions that need one more worker, and may have it."""
        most = self._limits.function_workers_each
        return [fleet for fleet in self._fleets.values() if len(fleet.workers) < most and fleet.unmet() > 0]

    def _evict(self) -> bool:
        """End the worker that has been idle for longest, of any function, to make room. Kept ones stay."""
        idle = [fleet.idle[0] for fleet in self._fleets.values() if fleet.idle and fleet.can_spare()]
        if not idle:
            return False
        min(idle, key=lambda worker: worker.idle_since).end()
        return True

    def _must_give_way(self, fleet: _Fleet) -> bool:
        """Whether a worker with more work waiting must end, because a function with no worker has waited
        longer."""
        if self._workers < self._limits.function_workers or not fleet.queue:
            return False
        mine = fleet.queue[0].sequence
        return any(
            other.queue and not other.workers and other.queue[0].sequence < mine for other in self._fleets.values()
        )
