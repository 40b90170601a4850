"""A runtime until the real one stands: the type of the first state decides what a run does."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from treadle.document import Document
from treadle.engine.history import HistoryEvent, encode_events
from treadle.language.diagnostics import Diagnostic
from treadle.language.parse import parse_definition
from treadle.store.contract import (
    Commit,
    Execution,
    JournalEntry,
    Machine,
    MachineRevision,
    Store,
)


class ExecutionExistsError(Exception):
    def __init__(self, execution: Execution) -> None:
        self.execution = execution


class FakeMachines:
    def __init__(self, store: Store) -> None:
        self.store = store

    def check(self, definition: str, machine_type: Any) -> tuple[Diagnostic, ...]:
        return parse_definition(definition, machine_type=machine_type).diagnostics

    async def get(self, arn: str) -> Machine | None:
        return await self.store.machine_get(arn)

    async def create(self, machine: Machine, tags: Mapping[str, str]) -> None:
        await self.store.machine_create(machine, tags)

    async def update(self, arn: str, revision: MachineRevision) -> None:
        await self.store.machine_update(arn, revision)

    async def delete(self, arn: str) -> None:
        await self.store.machine_delete(arn)


class FakeRuntime:
    def __init__(self, store: Store, clock: Any) -> None:
        self.store, self.clock = store, clock
        self.machines = FakeMachines(store)

    async def start_execution(
        self, machine: Machine, *, arn: str, name: str, input: Document, trace_header: str | None
    ) -> Execution:
        existing = await self.store.execution_get(arn)
        if existing is not None:
            raise ExecutionExistsError(existing)
        execution = self._run(machine, arn, name, input, trace_header)
        if machine.type == "STANDARD":
            entry = JournalEntry(1, 4, self._events(machine, execution))
            if execution.status == "RUNNING":
                entry = JournalEntry(1, 2, entry.events)
            await self.store.commit([Commit(execution=execution, created=True, entry=entry)])
        return execution

    async def start_sync_execution(
        self, machine: Machine, *, arn: str, name: str, input: Document, trace_header: str | None
    ) -> Execution:
        return self._run(machine, arn, name, input, trace_header)

    async def stop_execution(self, execution: Execution, *, error: str | None, cause: str | None) -> int:
        if execution.stopped is not None:
            return execution.stopped
        now = int(self.clock.now())
        stopped = Execution(
            id=execution.id,
            arn=execution.arn,
            name=execution.name,
            machine_arn=execution.machine_arn,
            revision_id=execution.revision_id,
            status="ABORTED",
            started=execution.started,
            stopped=now,
            input=execution.input,
            error=error,
            cause=cause,
        )
        details = {k: v for k, v in (("error", error), ("cause", cause)) if v is not None}
        event = HistoryEvent(3, 0, "ExecutionAborted", now, 0, details)
        await self.store.commit([Commit(execution=stopped, entry=JournalEntry(3, 3, encode_events([event])))])
        return now

    def _run(
        self, machine: Machine, arn: str, name: str, input: Document, trace_header: str | None
    ) -> Execution:
        now = int(self.clock.now())
        definition = json.loads(machine.revision.definition)
        kind = definition["States"][definition["StartAt"]]
        ended: dict[str, Any] = {
            "Pass": {"status": "SUCCEEDED", "stopped": now, "output": input.text},
            "Fail": {
                "status": "FAILED",
                "stopped": now,
                "error": kind.get("Error"),
                "cause": kind.get("Cause"),
            },
            "Wait": {"status": "RUNNING"},
        }[kind["Type"]]
        return Execution(
            id=self.store.execution_id(),
            arn=arn,
            name=name,
            machine_arn=machine.arn,
            revision_id=machine.revision.id,
            started=now,
            input=input.text,
            trace_header=trace_header,
            **ended,
        )

    def _events(self, machine: Machine, execution: Execution) -> bytes:
        state = json.loads(machine.revision.definition)["StartAt"]
        kind = {"SUCCEEDED": "Pass", "FAILED": "Fail", "RUNNING": "Wait"}[execution.status]
        text = execution.input
        started = {"input": text, "roleArn": machine.revision.role_arn}
        events = [
            HistoryEvent(1, 0, "ExecutionStarted", execution.started, 0, started),
            HistoryEvent(2, 0, f"{kind}StateEntered", execution.started, 0, {"name": state, "input": text}),
        ]
        if kind == "Pass":
            exited = {"name": state, "output": text}
            events += [
                HistoryEvent(3, 2, "PassStateExited", execution.started, 0, exited),
                HistoryEvent(4, 3, "ExecutionSucceeded", execution.started, 0, {"output": text}),
            ]
        return encode_events(events)


def install() -> None:
    module: Any = ModuleType("treadle.runtime.runtime")
    module.Runtime, module.ExecutionExists = FakeRuntime, ExecutionExistsError
    sys.modules.setdefault("treadle.runtime.runtime", module)
