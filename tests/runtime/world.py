"""A runtime in virtual time on a real SQLite file, with tasks that follow a script."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from treadle.clock import Handle
from treadle.datasets.contract import DatasetError, Owner, Piece
from treadle.document import Document
from treadle.engine.history import HistoryEvent, decode_events
from treadle.engine.map_children import ItemSource
from treadle.language.resources import Resource
from treadle.limits import DEFAULT_LIMITS
from treadle.runtime.runtime import Runtime
from treadle.runtime.virtual import VirtualClock
from treadle.store.contract import ExecutionRow, Machine, MachineRevision, MachineType, StoreUnusable
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.contract import TaskOutcome, TaskRequest

ARN = "arn:aws:states:eu-west-1:123456789012:"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:"

Script = Callable[[TaskRequest, int], tuple[float, TaskOutcome] | None]
"""Given a request and how many came before it: after how many seconds which outcome. None: never."""


def done(value: Any, seconds: float = 0) -> tuple[float, TaskOutcome]:
    return seconds, TaskOutcome(output=Document(value))


def failed(error: str, seconds: float = 0) -> tuple[float, TaskOutcome]:
    return seconds, TaskOutcome(error=error, cause="scripted")


def echo(request: TaskRequest, earlier: int) -> tuple[float, TaskOutcome]:
    return 1, TaskOutcome(output=request.input)


class ScriptedTasks:
    """A TaskRunner whose tasks take virtual time."""

    def __init__(self, clock: VirtualClock, script: Script) -> None:
        self._clock = clock
        self.script = script
        self.requests: list[TaskRequest] = []
        self.running: dict[str, Handle | None] = {}
        self.cancelled: list[str] = []
        self.abandoned: list[str] = []
        self.most = 0
        """How many ran at once, at most."""

    def run(self, request: TaskRequest, report: Callable[[TaskOutcome], None]) -> None:
        answer = self.script(request, len(self.requests))
        self.requests.append(request)
        self.running[request.token] = None
        self.most = max(self.most, len(self.running))
        if answer is None:
            return
        seconds, outcome = answer

        def end() -> None:
            del self.running[request.token]
            report(outcome)

        when = self._clock.now() + round(seconds * 1_000)
        self.running[request.token] = self._clock.call_at(when, end)

    def cancel(self, token: str) -> None:
        handle = self.running.pop(token)
        if handle is not None:
            handle.cancel()
        self.cancelled.append(token)

    def abandon(self, token: str) -> None:
        handle = self.running.pop(token, None)
        if handle is not None:
            handle.cancel()
        self.abandoned.append(token)

    def refuses(self, resource: Resource) -> str | None:
        return None

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        return None

    def close(self) -> None: ...


class Pieces:
    """Datasets that consist of given pieces, all of them the same. Each piece leaves a note. And one destination."""

    def __init__(self, pieces: Sequence[Sequence[Any]] = ()) -> None:
        self.pieces = pieces
        self.fails: str | None = None
        """The message with which it fails at the end."""
        self.opened: list[tuple[ItemSource, list[bytes]]] = []
        """What was opened, with which notes."""
        self.closed = 0
        """How many of these were closed."""
        self.written: dict[str, bytes] = {}
        """By key: what was written last."""
        self.refuses: str | None = None
        """The message with which nothing can be written."""
        self.breaks: str | None = None
        """The message with which writing breaks off."""

    def open(self, source: ItemSource, owner: Owner, notes: Sequence[bytes]) -> PieceReader:
        self.opened.append((source, list(notes)))
        return PieceReader(self, len(notes))

    def destination(self, bucket: str, owner: Owner) -> Pieces:
        return self

    async def check(self) -> None:
        if self.refuses is not None:
            raise DatasetError(self.refuses)

    async def write(self, key: str, pieces: AsyncIterator[bytes]) -> int:
        if self.breaks is not None:
            raise DatasetError(self.breaks)
        self.written[key] = b"".join([piece async for piece in pieces])
        return len(self.written[key])


class PieceReader:
    def __init__(self, dataset: Pieces, noted: int) -> None:
        self._dataset = dataset
        self._left = deque(enumerate(dataset.pieces))
        self._noted = noted

    async def read(self) -> Piece | None:
        if self._left:
            number, values = self._left.popleft()
            note = None if number < self._noted else b"%d" % number
            return Piece([(value, "S3://b/k") for value in values], note)
        if self._dataset.fails is not None:
            raise DatasetError(self._dataset.fails)
        return None

    async def close(self) -> None:
        self._dataset.closed += 1


class World:
    def __init__(self, folder: Path, script: Script = echo) -> None:
        self.path = folder / "treadle.db"
        self.clock = VirtualClock()
        self.script = script
        self.datasets = Pieces()
        self.limits = DEFAULT_LIMITS
        self.failures: list[StoreUnusable] = []
        self.store: SqliteStore
        self.tasks: ScriptedTasks
        self.runtime: Runtime

    async def open(self) -> None:
        self.store = SqliteStore(self.path)
        await self.store.open()
        self.tasks = ScriptedTasks(self.clock, self.script)
        self.runtime = Runtime(
            store=self.store,
            tasks=self.tasks,
            datasets=self.datasets,
            clock=self.clock,
            limits=self.limits,
            on_failure=self.failures.append,
        )
        await self.runtime.start()
        await self.runtime.idle()

    async def close(self) -> None:
        await self.runtime.close()
        await self.store.close()

    async def restart(self) -> None:
        await self.close()
        await self.open()

    async def machine(
        self, states: dict[str, Any], name: str = "m", machine_type: MachineType = "STANDARD", **fields: Any
    ) -> Machine:
        """A machine that begins with the first of `states`."""
        return await make_machine(self.runtime, self.clock.now(), states, name, machine_type, **fields)

    async def begin(self, machine: Machine, name: str = "e", given: Any = None) -> ExecutionRow:
        return await begin(self.runtime, machine, name, given)

    async def run(self, until: Callable[[], bool] | None = None) -> None:
        await self.clock.run(self.runtime.idle, until)

    async def row(self, execution: ExecutionRow) -> ExecutionRow:
        row = await self.store.execution_get(execution.arn)
        assert row is not None
        return row

    async def events(self, execution: ExecutionRow) -> list[HistoryEvent]:
        """The history, without the notes."""
        entries = await self.store.journal(execution.id)
        return [event for entry in entries for event in decode_events(entry.events) if event.id]


async def make_machine(
    runtime: Runtime,
    now: int,
    states: dict[str, Any],
    name: str = "m",
    machine_type: MachineType = "STANDARD",
    **fields: Any,
) -> Machine:
    """A machine that begins with the first of `states`."""
    definition = json.dumps({"StartAt": next(iter(states)), "States": states, **fields})
    findings = await runtime.machines.check(definition, machine_type)
    assert not [found for found in findings if found.severity == "ERROR"], findings
    arn = f"{ARN}stateMachine:{name}"
    revision = MachineRevision(
        id=f"{name}-1",
        machine_arn=arn,
        definition=definition,
        role_arn="arn:aws:iam::123456789012:role/r",
        logging="{}",
        tracing="{}",
        encryption="{}",
        created=now,
        initial=True,
    )
    machine = Machine(
        arn=arn,
        name=name,
        type=machine_type,
        status="ACTIVE",
        created=revision.created,
        revision=revision,
    )
    await runtime.machines.create(machine, {})
    return machine


async def begin(runtime: Runtime, machine: Machine, name: str = "e", given: Any = None) -> ExecutionRow:
    return await runtime.start_execution(
        machine,
        arn=arn_of(machine, name),
        name=name,
        input=Document({} if given is None else given),
        trace_header=None,
    )


def arn_of(machine: Machine, name: str) -> str:
    return f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"


def task(name: str = "f", **fields: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": FUNCTION + name, **fields}
    return state if "Next" in state else {**state, "End": True}


def wait(seconds: int, **fields: Any) -> dict[str, Any]:
    state = {"Type": "Wait", "Seconds": seconds, **fields}
    return state if "Next" in state else {**state, "End": True}
