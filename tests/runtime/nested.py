"""A world whose tasks are real: they call Step Functions itself, in process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tasks.fakes import FakeFunctions
from treadle.aws.states.call import StatesOptions
from treadle.aws.states.in_process import InProcess
from treadle.aws.states.service import states_service
from treadle.limits import DEFAULT_LIMITS
from treadle.runtime.runtime import Runtime
from treadle.runtime.trials import Trials
from treadle.store.contract import ExecutionFilter, ExecutionRow, Machine
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.contract import ServiceAnswer, StepFunctions
from treadle.tasks.dispatch import Dispatch

from .world import ARN, World

START = "arn:aws:states:::states:startExecution"
CHILD = f"{ARN}stateMachine:child"
_QUIET_ROUNDS = 20
"""Rounds of the event loop after which a task that was begun has called somebody, if it ever will."""


class NestedWorld(World):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.api: WatchedCalls
        self.lose: str | None = None
        """The operation whose answer never arrives, though it is carried out."""

    async def open(self) -> None:
        self.store = SqliteStore(self.path)
        await self.store.open()
        dispatch = Dispatch(FakeFunctions())
        self.runtime = Runtime(
            store=self.store,
            tasks=dispatch,
            datasets=self.datasets,
            clock=self.clock,
            limits=DEFAULT_LIMITS,
            on_failure=self.failures.append,
        )
        service = await states_service(
            runtime=self.runtime,
            trials=Trials(dispatch, self.clock),
            store=self.store,
            clock=self.clock,
            options=StatesOptions(),
        )
        self.api = WatchedCalls(InProcess(service, self.runtime.ends), self.lose)
        dispatch.connect(self.api)
        await self.runtime.start()

    async def run(self, until: Callable[[], bool] | None = None) -> None:
        await self.clock.run(self._idle, until)

    async def _idle(self) -> None:
        quiet = 0
        while quiet < _QUIET_ROUNDS:
            idle = asyncio.ensure_future(self.runtime.idle())
            await asyncio.sleep(0)
            busy = not idle.done() or self.api.under_way or self.api.waiting != len(self.runtime.ends)
            quiet = 0 if busy else quiet + 1
            await idle

    async def children(self, machine: Machine) -> list[ExecutionRow]:
        """Its executions, oldest first."""
        rows = await self.store.execution_list(ExecutionFilter(machine_arn=machine.arn), None, 1_000)
        return sorted(rows, key=lambda row: row.id)


class WatchedCalls:
    """Implements `tasks.contract.StepFunctions`; knows whether anybody is at work."""

    def __init__(self, inner: StepFunctions, lose: str | None) -> None:
        self._inner = inner
        self._lose = lose
        self.execution_arn = inner.execution_arn
        self.under_way = 0
        self.waiting = 0
        self.calls: list[str] = []

    async def call(self, operation: str, request: dict[str, Any], *, account: str, region: str) -> ServiceAnswer:
        self.calls.append(operation)
        self.under_way += 1
        try:
            answer = await self._inner.call(operation, request, account=account, region=region)
        finally:
            self.under_way -= 1
        if operation == self._lose:
            await asyncio.get_running_loop().create_future()
        return answer

    def watch_end(self, execution_arn: str) -> asyncio.Future[Any]:
        self.waiting += 1
        end = self._inner.watch_end(execution_arn)
        end.add_done_callback(self._told)
        return end

    def _told(self, end: asyncio.Future[Any]) -> None:
        self.waiting -= 1

    async def wait_for_end(self, execution_arn: str, end: asyncio.Future[Any]) -> None:
        await self._inner.wait_for_end(execution_arn, end)

    async def stop(self, execution_arn: str) -> None:
        self.under_way += 1
        try:
            await self._inner.stop(execution_arn)
        finally:
            self.under_way -= 1


def start(pattern: str = ".sync", machine: str = "child", **fields: Any) -> dict[str, Any]:
    """A state that starts an execution of the machine."""
    parameters = {"StateMachineArn": f"{ARN}stateMachine:{machine}", **fields.pop("Parameters", {})}
    state = {"Type": "Task", "Resource": START + pattern, "Parameters": parameters, **fields}
    return state if "Next" in state else {**state, "End": True}
