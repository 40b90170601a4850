"""The asyncio shell around the engine: signals in, commits, commands out.

Theory of operation.  A signal (a start, a task's outcome, a timer, a stop) goes to an execution in memory, a
Resident, and puts it into the queue of the next tick.  A tick advances all queued executions, each with all
its signals, and hands what came of it to the store as one batch.  Only when the batch is on disk are callers
answered, commands carried out, and executions that have ended dropped.

An execution is *busy* while it is loaded, committed or repaired; its signals wait until it is not.  So it has
at most one commit under way, what is in memory runs ahead of the store by one step at most, and nothing can
overtake anything.  Different executions do not wait for each other: a batch may be handed over while others
are under way.  Express executions take the same way without the store.

An execution leaves memory (sleepers.py) if its next timer is far away and none of its tasks is at work here:
it has none, or others hold their tokens.  Whoever has a signal for it puts a Resident without an execution
into the table at once, busy, and loads it behind that: there is never a second copy, and no signal falls
between two.

If anything raises while an execution is advanced, that is a bug.  The copy in memory is thrown away, folded
anew from what is committed, and failed.  If the store cannot be used any more, everything stops: nothing is
carried out or answered that is not on disk.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from functools import partial

from treadle.clock import Clock
from treadle.datasets.contract import Datasets
from treadle.engine.execution import Execution
from treadle.engine.signals import (
    CancelTask,
    Command,
    RunMap,
    RunTask,
    Signal,
    Start,
    TaskFailed,
    TaskStarted,
    TaskSucceeded,
    TimerFired,
)
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.runtime.activities import Activities
from treadle.runtime.calls import TaskCalls
from treadle.runtime.children import Children
from treadle.runtime.committer import Change, commit_changes
from treadle.runtime.deletions import Deletions
from treadle.runtime.ends import Ends
from treadle.runtime.folding import Folding
from treadle.runtime.loading import Loading
from treadle.runtime.machines import Machines
from treadle.runtime.map_runs import MapRuns
from treadle.runtime.offshoots import Offshoots
from treadle.runtime.open_executions import OpenExecutions
from treadle.runtime.outside import Surroundings
from treadle.runtime.resident import (
    Answering,
    Received,
    Resident,
    Step,
    answer,
    row_of,
    take_step,
)
from treadle.runtime.sleepers import Scans, sleeps_until
from treadle.runtime.timers import Timers
from treadle.runtime.tokens import TaskTokens
from treadle.runtime.under_way import UnderWay
from treadle.runtime.watchers import Watchers
from treadle.store.contract import Conflict, ExecutionRow, Store, StoreUnavailable, StoreUnusable
from treadle.tasks.contract import TaskRunner

_log = logging.getLogger(__name__)

_FIRED = TimerFired()

_TICK_SECONDS = 0.05
"""After so long, what else waits for the event loop comes first."""


class Shell:
    def __init__(
        self,
        *,
        store: Store,
        tasks: TaskRunner,
        datasets: Datasets,
        clock: Clock,
        limits: Limits = DEFAULT_LIMITS,
        on_failure: Callable[[StoreUnusable], None] | None = None,
    ) -> None:
        self._under_way = UnderWay(self._stop_because)
        self.machines = Machines(store, limits, tasks.refuses)
        self.activities = Activities(store, clock, limits)
        self._store = store
        self._tasks = tasks
        self._clock = clock
        self._on_failure = on_failure
        self._tokens: TaskTokens
        self._calls: TaskCalls
        self.watchers = Watchers()
        self.ends = Ends(store)
        self.open_executions = OpenExecutions(store, limits)
        self._residents: dict[int, Resident] = {}
        self._ids_of_express = itertools.count(-1, -1)
        """The store's ids are not for what is never stored: another node may give the same one to an execution that is,
        which this node may have to run then."""
        self._folding = Folding(store, self.machines, self._outside)
        self._loading = Loading(
            store, self._folding, clock, self._residents, self._under_way, self._arrived, self._refused_by_fold
        )
        self.offshoots = Offshoots(store, self.machines, self._folding, clock, self._loading.soon)
        self.deletions = Deletions(self.machines, self._residents, self._under_way.spawn)
        self._queue: list[Resident] = []
        self._timers = Timers(clock)
        self._scans = Scans(store, clock, self._timers, self._under_way, load=self._loading.all, fire=self._fire)
        children = Children(self._residents, self._signal, self._loading.soon, self._outside)
        self.map_runs = MapRuns(store, clock, limits, children, self._under_way, datasets)
        self._recoveries = 0
        self._closed: Exception | None = None
        """Why nothing is taken any more."""

    def _outside(self, row: ExecutionRow) -> Surroundings:
        return Surroundings(row, self._tokens, self.activities, self._tasks)

    def _check_open(self) -> None:
        if self._closed is not None:
            raise self._closed

    # -- signals and ticks -----------------------------------------------------------------------------------

    def _signal(self, resident: Resident, signal: Signal) -> None:
        if self._closed is None:
            resident.signals.append(Received(signal))
            self._enqueue(resident)

    def _deliver(
        self,
        resident: Resident,
        signal: Signal,
        client_token: str | None = None,
        answering: Answering | None = None,
    ) -> asyncio.Future[bool]:
        """Whether the signal came in time, once what it changed is on disk."""
        self._check_open()
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        resident.told.add(told)
        resident.signals.append(Received(signal, told, client_token, answering))
        self._enqueue(resident)
        return told

    def _enqueue(self, resident: Resident) -> None:
        if resident.busy or resident.queued:
            return
        resident.queued = True
        self._queue.append(resident)
        if len(self._queue) == 1:
            self._under_way.begin()
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        """Advance everything that is queued; what was created and what was changed are batches of their own,
        because a name that is taken is nothing unusual. A tick in which somebody's expressions take long ends
        early, so that whoever waits for something else waits for one execution and not for all."""
        loop = asyncio.get_running_loop()
        queue, self._queue = self._queue, []
        now, began = self._clock.now(), loop.time()
        created: list[Change] = []
        changed: list[Change] = []
        for place, resident in enumerate(queue):
            if place and loop.time() - began > _TICK_SECONDS:
                self._queue = queue[place:] + self._queue
                self._under_way.begin()
                loop.call_soon(self._tick)
                break
            resident.queued = False
            change = self._take_turn(resident, now)
            if change is not None:
                (created if change.commit.created else changed).append(change)
        for batch in (created, changed):
            if batch:
                self._under_way.spawn(commit_changes(self._store, batch))
        self._under_way.end()

    def _take_turn(self, resident: Resident, now: int) -> Change | None:
        """What is to be committed of it, if anything."""
        resident.busy = True
        try:
            deleting = resident.stored and self.deletions.includes(resident.row.machine_arn)
            step = take_step(resident, now, stop_if_moved=deleting)
            commit = step.commit()
            if commit is not None:
                return Change(commit, partial(self._committed, step))
        except Exception as error:
            self._bug(resident, error)
            return None
        self._committed(step, None)
        return None

    def _committed(self, step: Step, error: Exception | None) -> None:
        """What `step` changed is on disk, or else why not."""
        resident = step.resident
        if resident.forsaken:
            return
        if isinstance(error, StoreUnavailable):
            self._forsake(resident, error)
            return
        if isinstance(error, Conflict) and not (resident.created and resident.row.status == "RUNNING"):
            self._give_up(resident, error)
            return
        if error is not None:
            self._bug(resident, error)
            return
        resident.busy = False
        resident.row = step.row
        resident.created = resident.row_committed = True
        self.watchers.committed(step.row.id, step.events, step.row.status)
        if resident.begun is not None:
            answer(resident.begun, step.row)
            resident.begun = None
        for received, in_time in step.received:
            self._tell(resident, received, in_time)
        if step.row.status != "RUNNING":
            self._finish(resident)
        elif self._closed is None:
            for command in step.commands:
                self._carry_out(resident, command)
            if step.more:
                resident.signals.append(Received(Start()))
            self._settle(resident)

    def _tell(self, resident: Resident, received: Received, in_time: bool) -> None:
        if received.told is None:
            return
        if in_time and isinstance(received.signal, TaskStarted | TaskSucceeded | TaskFailed):
            self._calls.forget(resident, received.signal.attempt)
        resident.tell(received.told, in_time)

    def _settle(self, resident: Resident) -> None:
        """Nothing is under way for it: what is next?"""
        if resident.signals:
            self._enqueue(resident)
            return
        timer = resident.loaded.next_timer()
        if timer is None:
            return
        due = timer[0]
        if resident.stored and resident.row.wake != 0 and sleeps_until(due, self._clock.now()):
            self._drop(resident)
            self._scans.wake(due)
        else:
            self._timers.set(resident.row.id, due, partial(self._signal, resident, _FIRED))

    def _finish(self, resident: Resident) -> None:
        self._calls.cancel_all(resident)
        self._drop(resident)
        resident.tell_end()
        self.ends.tell(resident.row)
        self.map_runs.child_ended(resident.row)
        self.deletions.execution_ended(resident.row.machine_arn)

    def _give_up(self, resident: Resident, error: Exception) -> None:
        """What it has in memory counts for nothing, and who waits for it hears of the error."""
        self._calls.cancel_all(resident)
        self._drop(resident)
        resident.refuse(error)
        self.ends.refuse(resident.row.id, error)
        self.map_runs.child_lost(resident.row)

    def _forsake(self, resident: Resident, error: Exception) -> None:
        """Nothing of it counts here any more, but what it has begun elsewhere goes on: whoever holds its shard next
        takes it up from the store. Who waits for it hears of the error, and may ask again."""
        resident.forsaken = resident.busy = True
        self._calls.abandon_all(resident)
        self._drop(resident)
        resident.refuse(error)
        self.ends.refuse(resident.row.id, error)

    def _drop(self, resident: Resident) -> None:
        self._residents.pop(resident.row.id, None)
        self._timers.discard(resident.row.id)

    # -- commands --------------------------------------------------------------------------------------------

    def _carry_out(self, resident: Resident, command: Command) -> None:
        if isinstance(command, CancelTask):
            self._calls.cancel(resident, command.attempt)
        elif command.attempt in resident.loaded.attempts and not self._holds_back(resident):
            # (It may have been closed again within the same step.)
            self._calls.run(resident, command)

    def _holds_back(self, resident: Resident) -> bool:
        """Whether nothing is begun for it, because another node is about to go on with it."""
        return False

    async def _taken(
        self, resident: Resident, attempt: int, worker_name: str | None, answering: Answering | None
    ) -> bool:
        if self._residents.get(resident.row.id) is not resident:
            return False  # It has ended while the task was given to a worker.
        return await self._deliver(resident, TaskStarted(attempt, worker_name), answering=answering)

    # -- loading ---------------------------------------------------------------------------------------------

    def _arrived(self, resident: Resident, execution: Execution, tasks: Sequence[RunTask | RunMap]) -> None:
        """It has been loaded: let it go on, and carry out (again) the tasks that were in flight."""
        if resident.forsaken:
            return
        resident.execution = execution
        resident.busy = False
        row = row_of(resident.row, execution, more=False)
        if row != resident.row:  # else one of them is enough
            resident.row = row
        if resident.to_be_redriven:
            self._enqueue(resident)
        elif execution.status != "RUNNING":  # it ended after the caller had read its row
            self._finish(resident)
        elif self._closed is None:
            for command in () if self._holds_back(resident) else tasks:
                self._calls.run(resident, command, again=True)
            if execution.ready:  # it had given up its turn
                resident.signals.insert(0, Received(Start()))
            self._settle(resident)

    async def _refused_by_fold(self, resident: Resident, error: Exception) -> None:
        """An execution whose journal cannot be folded fails, unless it had ended anyway."""
        resident.row = await self._store.execution_get(resident.row.arn) or resident.row
        if resident.row.status == "RUNNING" or resident.to_be_redriven:
            self._bug(resident, error)
        else:
            self._finish(resident)

    async def _fire(self, rows: Sequence[ExecutionRow]) -> None:
        """Fire the timers of those that are in memory; when this returns, what came of it is on disk."""
        if self._closed is None:
            there = [self._residents[row.id] for row in rows if row.id in self._residents]
            told = [self._deliver(resident, TimerFired()) for resident in there]
            await asyncio.gather(*told, return_exceptions=True)  # Each hears of its errors by itself.

    # -- what must not happen --------------------------------------------------------------------------------

    def _bug(self, resident: Resident, error: Exception) -> None:
        """An execution cannot go on because of a bug in Treadle: it fails, and the others go on."""
        _log.error("%s failed because of a bug in Treadle", resident.row.arn, exc_info=error)
        if resident.created and resident.row.status != "RUNNING":  # It was to be redriven, and stays as it was.
            self._give_up(resident, error)
            return
        resident.busy = True
        resident.signals.clear()
        self._under_way.spawn(self._fail(resident))

    async def _fail(self, resident: Resident) -> None:
        step = await self._folding.failed_step(resident, self._clock.now())
        if resident.forsaken:
            return
        commit = step.commit()
        if commit is None:
            self._committed(step, None)
            return
        try:
            await self._store.commit([commit])
        except StoreUnusable:
            raise
        except StoreUnavailable as error:
            self._committed(step, error)
        except Exception as error:
            _log.exception("The failure of %s could not be committed", resident.row.arn)
            self._give_up(resident, error)
        else:
            self._committed(step, None)

    def _stop_because(self, error: StoreUnusable) -> None:
        """Nothing is answered or carried out any more."""
        if isinstance(self._closed, StoreUnusable):
            return
        self._closed = error
        self._scans.close()
        self._timers.clear()
        for resident in self._residents.values():
            resident.refuse(error)
        self.ends.close(error)
        self.activities.close()
        self.map_runs.close()
        if self._on_failure is None:
            _log.critical("The store cannot be used any more: %s", error)
        else:
            self._on_failure(error)
