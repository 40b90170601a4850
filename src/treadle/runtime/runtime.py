"""The runtime as others see it: its life, and what callers ask of executions. How it works stands in shell.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from treadle.document import Document
from treadle.engine.signals import Redrive, Start, Stop, TaskSignal
from treadle.runtime.calls import TaskCalls
from treadle.runtime.errors import ExecutionExists, RuntimeClosed, TaskMissing, TaskOver, TaskTokenInvalid
from treadle.runtime.resident import DIRECTLY, Answering, Resident, Through, new_execution, new_row
from treadle.runtime.shell import Shell
from treadle.runtime.tokens import TaskTokens
from treadle.store.contract import Conflict, ExecutionRow, Machine


class Runtime(Shell):
    # -- life ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to take up what was running when the server ended: an open store is needed. Requests may come at once:
        what they want to know is in the store, and an execution that gets a signal is loaded out of turn. Raises
        StoreUnusable."""
        await self._prepare()
        await self.deletions.resume()
        self._under_way.spawn(self._take_up())

    async def _prepare(self) -> None:
        self._tokens = TaskTokens(await self._store.secret())
        self._calls = TaskCalls(self._tasks, self.activities, self.map_runs, self._tokens, self._signal, self._taken)
        await self.activities.open()
        await self.deletions.learn()

    async def _take_up(self, shards: Collection[int] | None = None) -> None:
        """Let the executions of these shards (None: of all) go on."""
        self._recoveries += 1
        try:
            await self._scans.load_in_flight(shards)
            await self.map_runs.resume(shards)
            await self._scans.scan()
        finally:
            self._recoveries -= 1

    async def close(self) -> None:
        """Finish what is queued and being committed, then stop. What still runs goes on at the next start."""
        if self._closed is None:
            self._closed = RuntimeClosed("the server is stopping")
        self.activities.close()
        self.map_runs.close()
        self._scans.close()
        self._timers.clear()
        await self._under_way.idle()
        self._tasks.close()
        for resident in self._residents.values():
            self._calls.cancel_all(resident)
            resident.refuse(self._closed)
        self.ends.close(self._closed)
        self._residents.clear()

    async def idle(self) -> None:
        """Wait until nothing is queued, being committed or loaded. Tasks may be running."""
        await self._under_way.idle()

    @property
    def resident(self) -> int:
        """How many executions are in memory."""
        return len(self._residents)

    @property
    def recovering(self) -> bool:
        """Whether executions that were in flight when the server ended are still being loaded."""
        return self._recoveries > 0

    @property
    def shards(self) -> int | None:
        """Of a node: how many shards it holds. None: it has its database for itself."""
        return None

    # -- what callers ask ------------------------------------------------------------------------------------

    async def start_execution(
        self,
        machine: Machine,
        *,
        arn: str,
        name: str,
        input: Document,
        trace_header: str | None,
        through: Through = DIRECTLY,
    ) -> ExecutionRow:
        """The row, once its start is on disk (Express: at once). Raises ExecutionExists, StoreUnusable, and
        Conflict if the machine has been deleted. It runs the revision that `machine` has."""
        resident = self._begin(machine, arn, name, input, trace_header, through)
        begun: asyncio.Future[ExecutionRow] = asyncio.get_running_loop().create_future()
        resident.begun = begun
        try:
            return await begun
        except Conflict:
            existing = await self._store.execution_get(arn)
            if existing is None:
                raise
            raise ExecutionExists(existing) from None

    async def start_sync_execution(
        self,
        machine: Machine,
        *,
        arn: str,
        name: str,
        input: Document,
        trace_header: str | None,
        through: Through = DIRECTLY,
    ) -> ExecutionRow:
        """The row of an Express execution that has ended. It runs on if the caller goes away."""
        resident = self._begin(machine, arn, name, input, trace_header, through)
        resident.loaded.counts_redrives = False  # recorded: express_sync--query_runtime_memory
        return await self.ends.of(resident.row.id)

    async def stop_execution(self, row: ExecutionRow, *, error: str | None, cause: str | None) -> int:
        """When it stopped (ms): now, or when it had ended before. Answers after the commit."""
        if row.stopped is not None:
            return row.stopped
        self._check_open()
        resident = self._residents.get(row.id) or self._loading.soon(row)
        self._signal(resident, Stop(error, cause))
        ended = await self.ends.of(row.id)
        return ended.started if ended.stopped is None else ended.stopped

    async def redrive_execution(self, row: ExecutionRow, client_token: str, answering: Answering | None = None) -> bool:
        """Whether it was redriven, which is on disk then. False: it runs, or is only just about to be dropped from
        memory; whoever asks looks at its row again. Raises Conflict if its machine is being deleted or gone."""
        self._check_open()
        resident = self._residents.get(row.id) or self._loading.soon(row)
        return await self._deliver(resident, Redrive(), client_token, answering)

    async def answer_task(
        self, token: str, answer: Callable[[int], TaskSignal], answering: Answering | None = None
    ) -> None:
        """Take what whoever has this token says of its task: `answer` makes the signal of the attempt. It is on disk
        when this returns. Raises TaskTokenInvalid, TaskMissing, TaskOver."""
        named = self._tokens.read(token)
        if named is None:
            raise TaskTokenInvalid
        self._check_open()
        resident = self._residents.get(named.execution_id)
        if resident is None:
            row = await self._store.execution_get(named.execution_arn)
            if row is None or row.id != named.execution_id:
                raise TaskMissing
            if row.status != "RUNNING":
                raise TaskOver
            resident = self._residents.get(row.id) or self._loading.soon(row)
        if not await self._deliver(resident, answer(named.attempt), answering=answering):
            raise TaskOver

    def _begin(
        self, machine: Machine, arn: str, name: str, given: Document, trace_header: str | None, through: Through
    ) -> Resident:
        self._check_open()
        stored, now = machine.type == "STANDARD", self._clock.now()
        number = self._store.execution_id() if stored else next(self._ids_of_express)
        row = new_row(number, machine, arn, name, given, trace_header, through, now)
        program = self.machines.program(machine.revision, machine.type)
        execution = new_execution(row, program, machine.revision.role_arn, given, self._outside(row))
        resident = Resident(row, execution, stored=stored)
        self._residents[row.id] = resident
        self._signal(resident, Start())
        return resident
