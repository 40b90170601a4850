"""Map runs: what a Distributed Map asks for is carried out by child executions, each an execution like any other.

    RunMap ─▶ OPENING ─▶ WORKING ─┬─▶ (all have ended) ─────────────────▶ ENDED ─▶ the outcome, to the parent
                                  └─▶ STOPPING: children are aborted ─▶ ENDED     (not to one that gave it up)

Theory of operation.  A run goes through the inputs of its children in order.  A step begins as many as may run at
once, but no more than a few hundred, so that others get their turn; the children begun in one step are advanced in
one tick, and committed in one batch.  A child that ends, a change of the run's limits and the end of a step lead to
the next step.

What makes a run durable is its children.  Each has a number, its place among the inputs, and the store takes one
child per place.  After a restart the parent asks for its run again.  The run reads which places are taken, goes
through the inputs again, which are the same, and begins only what is missing.  A Standard child goes on from its own
journal; an Express child leaves its row when it ends, and one that had not ended is begun again.

A redrive of the parent asks for the run once more, under the number of the redrive.  Then the run is RUNNING again,
its children that ended without success run again (`map_redrive.py`), and after them those that were never begun.

The row of a run says RUNNING until every child has ended, whatever became of the parent meanwhile.  So a run that
was to be stopped when the server died is found again at the start: nobody asks for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any

from msgspec.structs import replace

from treadle.clock import Clock
from treadle.datasets.contract import DatasetError, Datasets
from treadle.document import Document
from treadle.engine.map_children import ChildInput
from treadle.engine.signals import RunMap, TaskFailed, TaskSignal, TaskSucceeded
from treadle.engine.turn import data_limit_text
from treadle.expressions.errors import EvaluationError
from treadle.limits import Limits
from treadle.runtime.bugs import CAUSE, ERROR
from treadle.runtime.child_names import ChildNames
from treadle.runtime.children import Children
from treadle.runtime.map_inputs import MapInputs
from treadle.runtime.map_opening import find_children, open_inputs
from treadle.runtime.map_queue import MapQueue
from treadle.runtime.map_redrive import MapRedrive
from treadle.runtime.map_results import MapResults
from treadle.runtime.map_run import Phase, Run
from treadle.runtime.resident import Resident
from treadle.runtime.under_way import UnderWay
from treadle.store.cluster_contract import shard_of
from treadle.store.contract import ExecutionRow, Store, StoreUnavailable, StoreUnusable
from treadle.store.map_run_contract import ChildCount, MapRun, MapRunStatus

_log = logging.getLogger(__name__)

_STEP = 250
"""Children that one step begins, or passes over because they are there already."""
_PAGE = 2_000
"""Children that one read answers."""

_EXCEEDED = "States.ExceedToleratedFailureThreshold"
_EXCEEDED_CAUSE = "The specified tolerated failure threshold was exceeded"


class MapRuns:
    def __init__(
        self, store: Store, clock: Clock, limits: Limits, children: Children, under_way: UnderWay, datasets: Datasets
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._children = children
        self._under_way = under_way
        self._datasets = datasets
        self._results = MapResults(store, datasets, limits)
        self._queue = MapQueue(limits.map_runs_open)
        self._runs: dict[str, Run] = {}
        """By ARN."""
        self._asked_for: dict[tuple[int, int], Run] = {}
        """By the execution and the attempt that want it."""
        self._closed = False

    # -- what the runtime says -------------------------------------------------------------------------------

    def run(self, parent: Resident, command: RunMap, report: Callable[[TaskSignal], None]) -> None:
        """Carry it out, or go on with it. `report` is called once, unless it is cancelled before."""
        execution = parent.loaded
        run = Run(
            MapRun(
                arn=command.arn,
                execution_id=parent.row.id,
                execution_arn=parent.row.arn,
                machine_arn=command.machine_arn,
                revision_id=parent.row.revision_id,
                state=command.state_name,
                started=self._clock.now(),
                concurrency=command.concurrency,
                tolerated_count=command.tolerated_count,
                tolerated_percentage=command.tolerated_percentage,
                items=command.children.known_items,
                children=command.children.known_count,
                redrives=command.redrives,
                redriven=self._clock.now() if command.redrives else None,
            ),
            command.attempt,
        )
        run.program = execution.program.children[command.state_name]
        run.names = ChildNames(run.row, express=run.program.express)
        run.role_arn = execution.role_arn
        run.children = command.children
        run.target = command.target
        run.report = report
        self._asked_for[(parent.row.id, command.attempt)] = run
        earlier = self._runs.get(command.arn)
        if earlier is None:
            self._begin_run(run)
        else:  # It was stopped with its parent, and its children are still about to end.
            if earlier.successor is not None:  # That was stopped, too, before it could begin.
                self._asked_for.pop((parent.row.id, earlier.successor.attempt), None)
            earlier.successor = run

    def _begin_run(self, run: Run) -> None:
        self._runs[run.row.arn] = run
        self._spawn(run, partial(self._open, run))

    def cancel(self, execution_id: int, attempt: int) -> bool:
        """The parent does not wait for it any more: stop it. False: there is no such run."""
        run = self._asked_for.get((execution_id, attempt))
        if run is None:
            return False
        if not self._closed:
            run.given_up = True
            run.report = None
            if self._queue.withdraw(run) and self._queue.enter(run):
                self._spawn(run, partial(self._work, run))
            self._stop(run, "ABORTED")
        return True

    def child_ended(self, row: ExecutionRow) -> None:
        """A child has ended, as its row says, and that is on disk."""
        run = self._runs.get(row.map_run or "")
        if run is None:
            return
        if run.phase is Phase.OPENING:
            run.arrived.append(row)
            return
        self._count_end(run, row)
        self._step_soon(run)

    async def resume(self, shards: Collection[int] | None = None) -> None:
        """After the executions that were in flight in these shards (None: in all) have been loaded: stop the runs
        that nobody asked for again."""
        for row in await self._store.map_runs_running():
            here = shards is None or shard_of(row.execution_id) in shards
            if here and row.arn not in self._runs:
                run = Run(row)
                run.given_up = True
                self._runs[row.arn] = run
                self._spawn(run, partial(self._open, run))

    def pause(self, shard: int) -> None:
        """Begin no child of the runs in this shard any more."""
        for run in self._of(shard):
            run.paused = True

    def abandon(self, shard: int) -> None:
        """Another node may go on with the runs in this shard: nothing of what is here counts any more."""
        for run in self._of(shard):
            run.phase = Phase.ENDED
            run.report = run.successor = None
            for task in run.tasks:
                task.cancel()
            self._queue.withdraw(run)
            self._forget(run)
        for asking in [asking for asking in self._asked_for if shard_of(asking[0]) == shard]:
            del self._asked_for[asking]

    def _of(self, shard: int) -> list[Run]:
        return [run for run in self._runs.values() if shard_of(run.row.execution_id) == shard]

    async def all_changed(self) -> None:
        """Other nodes may have changed limits."""
        for arn in list(self._runs):
            await self.changed(arn)

    async def changed(self, arn: str) -> None:
        """Another node has changed the run's limits."""
        run = self._runs.get(arn)
        row = None if run is None else await self._store.map_run_get(arn)
        if run is not None and row is not None:
            run.row = row
            self._step_soon(run)

    def close(self) -> None:
        """The server stops: nothing is begun or stopped any more. What runs goes on at the next start."""
        self._closed = True
        for run in self._runs.values():
            if run.transfer is not None:
                run.transfer.cancel()

    # -- what callers ask ------------------------------------------------------------------------------------

    async def configure(
        self, arn: str, concurrency: int | None, tolerated_count: int | None, tolerated_percentage: float | None
    ) -> bool:
        """Change what is given of a run: it counts from now on. False: the run has ended."""
        if not await self._store.map_run_configure(arn, concurrency, tolerated_count, tolerated_percentage):
            return False
        await self.changed(arn)
        return True

    def items(self, row: MapRun) -> int:
        """How many items it has; as far as is known, while they are being read."""
        run = self._runs.get(row.arn)
        return row.items if run is None else run.items

    async def counts(self, row: MapRun) -> list[ChildCount]:
        """The children that were begun, by status."""
        run = self._runs.get(row.arn)
        if run is None or run.phase is Phase.OPENING:
            return list(await self._store.map_run_counts(row.arn))
        ended = [ChildCount(status, *count) for status, count in run.counts.items()]
        items = sum(items for _, items in run.running.values())
        return [
            *ended,
            ChildCount("RUNNING", len(run.running), items),
            ChildCount("PENDING_REDRIVE", *run.awaiting),
        ]

    def left(self, row: MapRun) -> tuple[int, int]:
        """Of a redriven run at work: children that cannot be redriven any more, and the items in them."""
        run = self._runs.get(row.arn)
        return (0, 0) if run is None else run.left

    # -- opening ---------------------------------------------------------------------------------------------

    async def _open(self, run: Run) -> None:
        asked, row = run.row, await self._store.map_run_get(run.row.arn)
        if row is None:
            await self._store.map_run_create(asked)
        else:
            run.row = row
            if row.redrives < asked.redrives:
                await self._redrive(run, asked.redrives)
            elif row.status != "RUNNING":  # Its outcome did not reach the parent.
                run.status, run.error, run.cause = row.status, row.error, row.cause
                await self._tell(run)
                return
            await find_children(self._store, run)
        if run.row.redrives:
            run.again = MapRedrive(self._store, self._clock, self._limits)
        run.inputs = await open_inputs(self._store, self._datasets, run)
        if self._queue.enter(run):
            await self._work(run)

    async def _work(self, run: Run) -> None:
        # Nothing is begun whose results could not be written. Children that end meanwhile wait, so that no step begins
        # or ends anything before that is known.
        refusal = None if run.given_up else await self._results.refusal(run)
        run.phase = Phase.WORKING
        if refusal is not None:
            run.target = None
            self._stop(run, "FAILED", "States.ResultWriterFailed", refusal)
        for child in run.arrived:
            self._count_end(run, child)
        run.arrived.clear()
        if run.given_up:
            self._stop(run, "ABORTED")
        self._step_soon(run)

    async def _redrive(self, run: Run, redrives: int) -> None:
        """Take up a run that has ended; or that had not quite, when the server died: then it just goes on."""
        run.row = replace(
            run.row,
            status="RUNNING",
            stopped=None,
            error=None,
            cause=None,
            results_written=False,
            redrives=redrives,
            redriven=self._clock.now(),
        )
        await self._store.map_run_redrive(run.row)

    # -- working ---------------------------------------------------------------------------------------------

    def _step_soon(self, run: Run) -> None:
        if not run.planned and run.phase in (Phase.WORKING, Phase.STOPPING):
            run.planned = True
            self._under_way.begin()
            asyncio.get_running_loop().call_soon(self._step, run)

    def _step(self, run: Run) -> None:
        run.planned = False
        try:
            if not (self._closed or run.paused):
                self._go_on(run)
        except Exception as error:
            self._bug(run, error)
        finally:
            self._under_way.end()

    def _go_on(self, run: Run) -> None:
        if run.phase is Phase.WORKING and run.breached():
            self._stop(run, "FAILED", _EXCEEDED, _EXCEEDED_CAUSE)
        if run.phase is Phase.WORKING:
            try:
                self._begin_some(run)
            except EvaluationError as error:
                self._stop(run, "FAILED", error.error, error.message)
        if run.phase is Phase.ENDED or run.running or not (run.exhausted or run.phase is Phase.STOPPING):
            return
        if run.transfer is None:
            run.phase = Phase.ENDED
            self._transfer(run, partial(self._end, run))

    def _begin_some(self, run: Run) -> None:
        most = self._limits.map_run_concurrency
        room = min(run.row.concurrency or most, most) - len(run.running)
        passed = 0
        while room > 0 and passed < _STEP:
            begun = self._begin_again(run, run.again) if run.again is not None else self._begin_next(run)
            if begun is None:
                return
            passed += 1
            room -= begun
        if room > 0:
            self._step_soon(run)

    def _begin_next(self, run: Run) -> bool | None:
        """Begin the child with the next input, unless it is there; whether it was begun. None: no input is ready."""
        child = None if run.inputs is None else run.inputs.next()
        if child is None:
            if run.inputs is None or run.inputs.complete:
                run.exhausted = True
            elif run.transfer is None:
                self._transfer(run, partial(self._read, run, run.inputs))
            return None
        number = run.next
        run.next += 1
        if run.is_taken(number):
            return False
        self._begin(run, number, child)
        return True

    async def _read(self, run: Run, inputs: MapInputs) -> None:
        try:
            await inputs.read()
        except DatasetError as error:
            self._stop(run, "FAILED", "States.ItemReaderFailed", str(error))

    def _begin_again(self, run: Run, again: MapRedrive) -> bool | None:
        """Let the next child that ended without success run again. None: it has to be read."""
        row = again.next()
        if row is None and again.complete:
            run.again = None
            return False
        if row is None:
            if run.transfer is None:
                self._transfer(run, partial(again.read, run))
            return None
        assert run.program is not None
        run.take_up(row)
        if run.program.express:
            anew = replace(
                row, status="RUNNING", started=self._clock.now(), stopped=None, error=None, cause=None, wake=None
            )
            self._children.begin(anew, run.program, run.role_arn, Document(text=row.input), again=True)
        else:
            self._children.redrive(row)
        return True

    def _transfer(self, run: Run, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Read or write for a run, which then goes on; a server that stops does not wait for the end of it."""

        def ended(transfer: asyncio.Task[None]) -> None:
            run.transfer = None
            self._step_soon(run)

        run.transfer = self._spawn(run, work)
        run.transfer.add_done_callback(ended)

    def _begin(self, run: Run, number: int, child: ChildInput) -> None:
        assert run.program is not None
        row = run.begin(number, child, self._store.execution_id(beside=run.row.execution_id), self._clock.now())
        self._children.begin(row, run.program, run.role_arn, child.input)

    def _count_end(self, run: Run, row: ExecutionRow) -> None:
        assert row.child is not None
        if run.running.pop(row.child, None) is not None:
            run.count(row.status, row.items or 0)

    # -- ending ----------------------------------------------------------------------------------------------

    def _stop(self, run: Run, status: MapRunStatus, error: str | None = None, cause: str | None = None) -> None:
        """Abort the children that run; the run ends as `status` when all of them have ended."""
        if run.phase is not Phase.WORKING:
            return
        run.phase = Phase.STOPPING
        run.status, run.error, run.cause = status, error, cause
        sleeping = [number for number, (id, _) in run.running.items() if not self._children.stop(id)]
        if sleeping:
            self._spawn(run, partial(self._stop_sleeping, run))
        self._step_soon(run)

    async def _stop_sleeping(self, run: Run) -> None:
        before = None
        while page := await self._store.child_list(run.row.arn, "RUNNING", None, before, _PAGE):
            before = (page[-1].listed, page[-1].id)
            for row in page:
                self._children.stop_sleeping(row)

    async def _end(self, run: Run) -> None:
        try:
            written = await self._results.write(run)
        except DatasetError as error:
            if run.status == "SUCCEEDED":
                run.status, run.error, run.cause = "FAILED", "States.ResultWriterFailed", str(error)
            written = False
        row = run.row
        run.row = replace(
            row,
            status=run.status,
            stopped=self._clock.now(),
            items=run.items,
            children=run.next if row.children is None and run.exhausted else row.children,
            error=run.error,
            cause=run.cause,
            results_written=written,
        )
        await self._store.map_run_end(run.row)
        await self._tell(run)

    async def _tell(self, run: Run) -> None:
        """The run has ended, and that is on disk: its parent is told, unless it has given it up."""
        signal = None if run.report is None else await self._outcome(run)
        self._forget(run)
        if run.report is not None and signal is not None:
            run.report(signal)

    async def _outcome(self, run: Run) -> TaskSignal:
        if run.status != "SUCCEEDED":
            return TaskFailed(run.attempt, run.error, run.cause)
        result = await self._results.result(run)
        if result is None:
            return TaskFailed(run.attempt, "States.DataLimitExceeded", data_limit_text(run.row.state))
        return TaskSucceeded(run.attempt, result)

    def _forget(self, run: Run) -> None:
        self._runs.pop(run.row.arn, None)
        self._asked_for.pop((run.row.execution_id, run.attempt), None)
        inputs, run.inputs = run.inputs, None
        if inputs is not None:
            self._under_way.spawn(inputs.close())
        following = self._queue.leave(run)
        if following is not None:
            self._spawn(following, partial(self._work, following))
        if run.successor is not None and not self._closed:
            self._begin_run(run.successor)

    # -- what must not happen --------------------------------------------------------------------------------

    def child_lost(self, row: ExecutionRow) -> None:
        """A child could not be written, and is not there any more."""
        run = self._runs.get(row.map_run or "")
        if run is not None and row.child is not None:
            run.running.pop(row.child, None)
            self._bug(run, RuntimeError(f"{row.arn} was lost"))

    def _spawn(self, run: Run, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        task = self._under_way.spawn(self._guarded(run, work))
        run.tasks.add(task)
        task.add_done_callback(run.tasks.discard)
        return task

    async def _guarded(self, run: Run, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()  # called here, as a task may be cancelled before it has begun
        except (StoreUnavailable, StoreUnusable):
            raise
        except Exception as error:
            self._bug(run, error)

    def _bug(self, run: Run, error: Exception) -> None:
        """A run cannot go on because of a bug in Treadle: it fails, with its children, or else without them."""
        _log.error("%s failed because of a bug in Treadle", run.row.arn, exc_info=error)
        if run.phase is Phase.WORKING:
            self._stop(run, "FAILED", ERROR, CAUSE)
            return
        run.phase = Phase.ENDED
        self._forget(run)
        if run.report is not None:
            run.report(TaskFailed(run.attempt, ERROR, CAUSE))
