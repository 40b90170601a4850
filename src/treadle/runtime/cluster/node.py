"""A runtime that is one of several on the same database: a node.

An execution is run by the node that holds its shard, and starts at the node that was asked for it, in one of the shards
of that node.  Every node answers every request: what is about an execution that another one runs goes to that one
through the inbox (`inbox.py`); everything else any node reads and writes itself.

What follows from a change of holders is the same as from a restart: executions are forsaken here, whatever was under
way for them, and taken up there from the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any

from treadle.clock import Clock
from treadle.datasets.contract import Datasets
from treadle.engine.signals import TaskSignal
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.runtime.activities import TakenTask
from treadle.runtime.cluster.duties import DUTY_SHARD, Duties
from treadle.runtime.cluster.ends import EndsAnywhere
from treadle.runtime.cluster.inbox import Inbox, NotHere
from treadle.runtime.cluster.membership import Membership
from treadle.runtime.cluster.messages import (
    DONE,
    AnswerTask,
    AwaitEnd,
    Done,
    Question,
    RedriveExecution,
    Reply,
    StopExecution,
    Taken,
    TakeTask,
    answer_of,
    encode,
    signal_of,
)
from treadle.runtime.cluster.news import News
from treadle.runtime.cluster.workers import WorkersElsewhere
from treadle.runtime.errors import TaskTokenInvalid
from treadle.runtime.resident import Answering, Resident
from treadle.runtime.runtime import Runtime
from treadle.store.cluster_contract import ClusterStore, Notice, shard_of
from treadle.store.contract import ExecutionRow, StoreUnavailable, StoreUnusable
from treadle.tasks.contract import TaskRunner

_log = logging.getLogger(__name__)

_ANSWERS_KEPT_MILLISECONDS = 10 * 60 * 1_000
"""How long an answer waits for a node that has asked and may have died."""
_LOOKS_TO_REMIND = 4
_LOOKS_TO_SWEEP = 60
"""After so many looks, workers that wait are told of again, and what nobody cleared away is cleared away."""
_RETRY_SECONDS = 0.5
"""Before executions are taken up again, when the database could not be read."""


class Node(Runtime):
    def __init__(
        self,
        *,
        cluster: ClusterStore,
        tasks: TaskRunner,
        datasets: Datasets,
        clock: Clock,
        limits: Limits = DEFAULT_LIMITS,
        on_failure: Callable[[StoreUnusable], None] | None = None,
    ) -> None:
        super().__init__(
            store=cluster.store, tasks=tasks, datasets=datasets, clock=clock, limits=limits, on_failure=on_failure
        )
        self.news = News()
        self.duties = Duties(self._stop_because)
        self._cluster = cluster
        self._limits = limits
        self._membership = Membership(cluster, self, limits, self._stop_because)
        self._inbox = Inbox(cluster, self._respond, lambda shard: shard in self._membership.held)
        self.ends: EndsAnywhere = EndsAnywhere(cluster.store, self._is_here, self._ended_elsewhere)
        self._workers = WorkersElsewhere(
            self.activities,
            self._inbox,
            self.publish,
            lambda: cluster.node,
            lambda: next(iter(self._membership.held), None),
            limits.node_answer_seconds,
        )
        self._loading.is_here = self._is_here
        self._scans.shards = lambda: self._membership.held
        self._looks = 0
        self._looking: list[Callable[[], Awaitable[None]]] = []
        self._telling: set[asyncio.Task[None]] = set()
        self.news.read("machine", self._machine_changed, self._machines_missed)
        self.news.read("activity", self.activities.changed, self.activities.open)
        self.news.read("map_run", self.map_runs.changed, self.map_runs.all_changed)

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self._prepare()
        await self._membership.start()

    async def close(self) -> None:
        """Let other nodes go on with everything."""
        await self._membership.close()
        await self.duties.close()
        await self.news.close()
        await self._inbox.close()
        await super().close()

    @property
    def shards(self) -> int:
        return len(self._membership.held)

    # -- what callers ask ------------------------------------------------------------------------------------------

    async def stop_execution(self, row: ExecutionRow, *, error: str | None, cause: str | None) -> int:
        if row.stopped is not None or self._is_here(row.id):
            return await super().stop_execution(row, error=error, cause=cause)
        await self._ask(row.id, StopExecution(row.arn, error, cause))
        ended = await self._store.execution_get(row.arn)
        return row.started if ended is None or ended.stopped is None else ended.stopped

    async def redrive_execution(self, row: ExecutionRow, client_token: str, answering: Answering | None = None) -> bool:
        if self._is_here(row.id):
            return await super().redrive_execution(row, client_token, answering)
        reply = await self._ask(row.id, RedriveExecution(row.arn, client_token))
        return isinstance(reply, Done) and reply.in_time

    async def answer_task(
        self, token: str, answer: Callable[[int], TaskSignal], answering: Answering | None = None
    ) -> None:
        named = self._tokens.read(token)
        if named is None:
            raise TaskTokenInvalid
        if self._is_here(named.execution_id):
            await super().answer_task(token, answer, answering)
        else:
            await self._ask(named.execution_id, answer_of(token, answer(named.attempt)))

    async def _ask(self, execution_id: int, question: Question) -> Reply:
        return await self._inbox.ask(shard_of(execution_id), question, self._limits.node_answer_seconds)

    async def _ended_elsewhere(self, execution_id: int, execution_arn: str) -> None:
        await self._inbox.ask(shard_of(execution_id), AwaitEnd(execution_arn))

    def _is_here(self, execution_id: int) -> bool:
        return shard_of(execution_id) in self._membership.held

    # -- what other nodes ask --------------------------------------------------------------------------------------

    async def _respond(self, question: Question, id: int) -> Reply:
        done = Answering(id, DONE)
        match question:
            case StopExecution(arn, error, cause):
                await super().stop_execution(await self._row_here(arn), error=error, cause=cause)
                return Done()
            case RedriveExecution(arn, client_token):
                return Done(await super().redrive_execution(await self._row_here(arn), client_token, done))
            case AnswerTask():
                await self._answer_here(question, done)
                return Done()
            case AwaitEnd(arn):
                await self.ends.wait(arn)
                return Done()
            case TakeTask(activity_arn, worker_name):
                task = await self.activities.take_for(activity_arn, worker_name, partial(_taken, id))
                return Done(False) if task is None else Taken(task.token, task.input)

    async def _row_here(self, arn: str) -> ExecutionRow:
        row = await self._store.execution_get(arn)
        if row is None or not self._is_here(row.id):
            raise NotHere
        return row

    async def _answer_here(self, question: AnswerTask, done: Answering) -> None:
        named = self._tokens.read(question.token)
        if named is None or not self._is_here(named.execution_id):
            raise NotHere
        await super().answer_task(question.token, partial(signal_of, question), done)

    # -- the crew's part -------------------------------------------------------------------------------------------

    def take_up(self, shards: Collection[int]) -> None:
        self.ends.take()
        self._under_way.spawn(self._take_up_again(shards))
        if DUTY_SHARD in shards:
            self.duties.take()

    async def _take_up_again(self, shards: Collection[int]) -> None:
        """In spite of reads that fail; unless the shards are lost meanwhile."""
        while left := self._membership.held.intersection(shards):
            try:
                await self._take_up(left)
                await self._inbox.look(left)
                if DUTY_SHARD in left:
                    await self.deletions.resume()  # Before it joined, this node could not write.
                return
            except StoreUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    def retire(self, shards: Collection[int]) -> None:
        for shard in shards:
            self.map_runs.pause(shard)
        if DUTY_SHARD in shards:
            self.duties.leave()

    def unfinished(self, shards: Collection[int]) -> Collection[int]:
        found = {shard_of(id) for id, resident in self._residents.items() if self._unfinished(resident)}
        if not self.duties.ended:
            found.add(DUTY_SHARD)
        return found.intersection(shards)

    def _unfinished(self, resident: Resident) -> bool:
        if not resident.stored:
            return resident.row.map_run is not None
        return resident.busy or resident.queued or self._calls.at_work(resident)

    def leave(self, shards: Collection[int], error: StoreUnavailable) -> None:
        for shard in shards:
            self.map_runs.abandon(shard)
            self._inbox.leave(shard)
        for resident in list(self._residents.values()):
            # An Express execution is nobody else's, unless it is the child of a map run.
            if shard_of(resident.row.id) in shards and (resident.stored or resident.row.map_run is not None):
                self._forsake(resident, error)
        self._queue = [resident for resident in self._queue if not resident.forsaken]
        self.ends.leave(shards, error)
        if DUTY_SHARD in shards:
            self.duties.leave()

    def heard(self, notice: Notice) -> None:
        if self.news.heard(notice):
            return
        if notice.kind in ("asked", "answered"):
            self._inbox.heard(notice)
        else:
            self._workers.heard(notice)

    def missed(self) -> None:
        self.news.missed()

    def every_look(self, look: Callable[[], Awaitable[None]]) -> None:
        """Have it done every few seconds, because notices may be lost."""
        self._looking.append(look)

    async def look(self) -> None:
        self._looks += 1
        self.watchers.look_again(self._is_here)
        if self._looks % _LOOKS_TO_REMIND == 0:
            self._workers.remind()
            for look in self._looking:
                await look()
        if self._looks % _LOOKS_TO_SWEEP == 0 and DUTY_SHARD in self._membership.held:
            await self._cluster.forget_answers(self._clock.now() - _ANSWERS_KEPT_MILLISECONDS)
            await self.deletions.resume()
        await self._inbox.look(self._membership.held)

    # -- what is different in a node ---------------------------------------------------------------------------------

    def _holds_back(self, resident: Resident) -> bool:
        retired = self._membership.retired
        return bool(retired) and shard_of(resident.row.id) in retired

    def _forsake(self, resident: Resident, error: Exception) -> None:
        super()._forsake(resident, error)
        if self._is_here(resident.row.id):  # The session goes on, but something could not be written.
            self._under_way.spawn(self._take_up_one(resident.row))

    async def _take_up_one(self, row: ExecutionRow) -> None:
        while self._is_here(row.id) and row.id not in self._residents:
            await asyncio.sleep(_RETRY_SECONDS)
            try:
                found = await self._store.execution_get(row.arn)
            except StoreUnavailable:
                continue
            if found is not None and found.id == row.id:
                await self._loading.all([found])
            return

    # -- changes by others -------------------------------------------------------------------------------------------

    async def _machine_changed(self, arn: str) -> None:
        self.machines.forget(arn)
        await self.deletions.changed(arn)

    async def _machines_missed(self) -> None:
        self.machines.forget()
        await self.deletions.resume()

    def publish(self, notices: Sequence[Notice]) -> None:
        """Tell all nodes, some time."""
        if notices:
            task = asyncio.get_running_loop().create_task(_quietly(self._cluster.tell(notices)))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)


def _taken(request_id: int, task: TakenTask) -> Answering:
    return Answering(request_id, encode(Taken(task.token, task.input)))


async def _quietly(telling: Coroutine[Any, Any, None]) -> None:
    try:
        await telling
    except (StoreUnavailable, StoreUnusable):
        return  # Notices may be lost.
