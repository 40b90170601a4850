"""A runtime and a store in memory, until the real ones stand."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from treadle.document import Document
from treadle.engine.history import HistoryEvent, encode_events
from treadle.language.diagnostics import Diagnostic
from treadle.language.parse import parse_definition
from treadle.store.contract import (
    Commit,
    Conflict,
    Execution,
    ExecutionFilter,
    JournalEntry,
    Machine,
    MachineRevision,
)


class ExecutionExists(Exception):
    def __init__(self, execution: Execution) -> None:
        self.execution = execution


class FakeStore:
    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.revisions: dict[str, MachineRevision] = {}
        self.executions: dict[str, Execution] = {}
        self.journals: dict[int, list[JournalEntry]] = {}
        self.ids = itertools.count(1)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def secret(self) -> bytes:
        return b"s" * 32

    async def machine_create(self, machine: Machine, tags: Mapping[str, str]) -> None:
        if machine.arn in self.machines:
            raise Conflict
        self.machines[machine.arn] = machine
        self.revisions[machine.revision.id] = machine.revision
        self.tags[machine.arn] = dict(tags)

    async def machine_get(self, arn: str) -> Machine | None:
        return self.machines.get(arn)

    async def machine_update(self, arn: str, revision: MachineRevision) -> None:
        if arn not in self.machines:
            raise Conflict
        old = self.machines[arn]
        self.revisions[revision.id] = revision
        self.machines[arn] = Machine(
            arn=arn,
            name=old.name,
            type=old.type,
            status=old.status,
            created=old.created,
            revision=revision,
            initial=False,
        )

    async def machine_delete(self, arn: str) -> None:
        self.machines.pop(arn, None)

    async def machine_list(
        self, arn_prefix: str, after: tuple[int, str] | None, limit: int
    ) -> Sequence[Machine]:
        found = sorted(
            (machine for machine in self.machines.values() if machine.arn.startswith(arn_prefix)),
            key=lambda machine: (machine.created, machine.arn),
        )
        return [m for m in found if after is None or (m.created, m.arn) > after][:limit]

    async def machine_tags(self, arn: str) -> Mapping[str, str]:
        return self.tags[arn]

    async def revision_get(self, revision_id: str) -> MachineRevision | None:
        return self.revisions.get(revision_id)

    def execution_id(self) -> int:
        return next(self.ids)

    async def commit(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            if commit.created and commit.execution.arn in self.executions:
                raise Conflict
            self.executions[commit.execution.arn] = commit.execution
            if commit.entry is not None:
                self.journals.setdefault(commit.execution.id, []).append(commit.entry)

    async def execution_get(self, arn: str) -> Execution | None:
        return self.executions.get(arn)

    async def execution_list(
        self, where: ExecutionFilter, before: tuple[int, int] | None, limit: int
    ) -> Sequence[Execution]:
        found = sorted(self.executions.values(), key=lambda e: (e.started, e.id), reverse=True)
        return [
            e
            for e in found
            if e.machine_arn == where.machine_arn
            and where.status in (None, e.status)
            and (before is None or (e.started, e.id) < before)
        ][:limit]

    async def executions_due(
        self, until: int, after: tuple[int, int] | None, limit: int
    ) -> Sequence[Execution]:
        return []

    async def executions_open(self) -> int:
        return 0

    async def journal(self, execution_id: int) -> Sequence[JournalEntry]:
        return self.journals[execution_id]

    async def journal_page(
        self, execution_id: int, first_event: int, last_event: int
    ) -> Sequence[JournalEntry]:
        return [
            entry
            for entry in self.journals[execution_id]
            if entry.last_event >= first_event and entry.first_event <= last_event
        ]

    async def journal_last_event(self, execution_id: int) -> int:
        return self.journals[execution_id][-1].last_event


class FakeMachines:
    def __init__(self, store: FakeStore) -> None:
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
    def __init__(self, store: FakeStore, clock: Any) -> None:
        self.store, self.clock = store, clock
        self.machines = FakeMachines(store)

    async def start_execution(
        self, machine: Machine, *, arn: str, name: str, input: Document, trace_header: str | None
    ) -> Execution:
        if arn in self.store.executions:
            raise ExecutionExists(self.store.executions[arn])
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
    module.Runtime, module.ExecutionExists = FakeRuntime, ExecutionExists
    sys.modules.setdefault("treadle.runtime.runtime", module)
