"""An execution in memory: the engine's execution, its row, and what the runtime knows about it beside that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from treadle.document import Document
from treadle.engine.advance import Outcome, advance
from treadle.engine.execution import Execution, Outside
from treadle.engine.history import HistoryEvent, encode_events
from treadle.engine.program import Program
from treadle.engine.signals import Command, Redrive, Signal, Stop
from treadle.store.contract import Commit, ExecutionRow, JournalEntry, Machine, RedriveRecord


class Through(Struct, frozen=True):
    """What an execution was started through, if not through the machine itself."""

    version: int | None = None
    alias: str | None = None


DIRECTLY = Through()


class Answering(Struct, frozen=True):
    """That a signal is what another node has asked for."""

    request_id: int
    in_time: bytes
    """The answer if it comes in time, which is committed together with what it changes."""


class Received(Struct, frozen=True):
    """A signal that was not taken into account yet."""

    signal: Signal
    told: asyncio.Future[bool] | None = None
    """Who waits to hear, after the commit, whether it came in time."""
    client_token: str | None = None
    """Of a redrive: what its caller named it."""
    answering: Answering | None = None


class Resident:
    """One execution that is in memory, or on its way there."""

    __slots__ = (
        "again",
        "begun",
        "busy",
        "created",
        "execution",
        "forsaken",
        "queued",
        "row",
        "row_committed",
        "running",
        "signals",
        "stored",
        "told",
    )

    def __init__(self, row: ExecutionRow, execution: Execution | None, *, stored: bool) -> None:
        self.row = row
        """As last committed (or, before the first commit, as it was made)."""
        self.row_committed = False
        """Whether the store is known to have exactly this row, because it was committed here."""
        self.execution = execution
        """None while it is being loaded."""
        self.stored = stored
        """False: an Express execution, which only exists here as long as it runs."""
        self.again = False
        """An Express child of a map run that has been there before: its outcome takes the place of the earlier one."""
        self.created = False
        """Whether its row is in the store."""
        self.signals: list[Received] = []
        """What has happened to it and was not taken into account yet."""
        self.told: set[asyncio.Future[bool]] = set()
        """Who waits to hear whether his signal came in time."""
        self.queued = False
        """It takes part in the next tick."""
        self.busy = False
        """It is being loaded, committed or repaired: signals wait."""
        self.forsaken = False
        """Another node may go on with it: nothing of what is here counts any more."""
        self.running: set[int] = set()
        """Attempts that were handed to the task runner and have not reported."""
        self.begun: asyncio.Future[ExecutionRow] | None = None
        """Who waits for its first commit."""

    @property
    def loaded(self) -> Execution:
        """The engine's execution, where it must be there by now."""
        if self.execution is None:
            raise RuntimeError(f"{self.row.arn} is not loaded")
        return self.execution

    @property
    def to_be_redriven(self) -> bool:
        """It had ended, and somebody wants it to go on."""
        return self.row.status != "RUNNING" and any(isinstance(each.signal, Redrive) for each in self.signals)

    def tell(self, waiter: asyncio.Future[bool], in_time: bool) -> None:
        self.told.discard(waiter)
        answer(waiter, in_time)

    def tell_end(self) -> None:
        """It has ended, as its row says: answer everybody who waits for something before that."""
        if self.begun is not None:
            answer(self.begun, self.row)
        for told in self.told:
            answer(told, False)

    def refuse(self, error: Exception) -> None:
        """Nobody who waits gets an answer any more."""
        waiters: list[asyncio.Future[Any]] = [*self.told]
        if self.begun is not None:
            waiters.append(self.begun)
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)


def answer(waiter: asyncio.Future[Any], value: Any) -> None:
    if not waiter.done():  # its caller may have gone away
        waiter.set_result(value)


class Step(Struct, frozen=True):
    """What one tick made of one execution."""

    resident: Resident
    row: ExecutionRow
    events: list[HistoryEvent]
    commands: list[Command]
    more: bool
    """It gave up its turn and wants to go on."""
    received: Sequence[tuple[Received, bool]] = ()
    """The signals that it took into account, and whether each came in time."""

    def commit(self) -> Commit | None:
        """What is to be written of it, if anything."""
        if not self.resident.stored:
            # An Express execution leaves nothing, but a child of a map run its outcome.
            ended = self.row.map_run is not None and self.row.status != "RUNNING"
            return Commit(execution=self.row, created=not self.resident.again) if ended else None
        known = self.resident.row_committed
        unchanged = (known or not self.events) and self.row == self.resident.row
        if unchanged and not self.events:
            return None
        entry = None
        if self.events:
            first = next((event.id for event in self.events if event.id), 0)
            last = next((event.id for event in reversed(self.events) if event.id), 0)
            entry = JournalEntry(first, last, encode_events(self.events))
        return Commit(
            execution=self.row,
            created=not self.resident.created,
            row_unchanged=unchanged and known,
            entry=entry,
            redrive=self._redrive(),
            answers=self._answers() if self.received else (),
        )

    def _redrive(self) -> RedriveRecord | None:
        for received, in_time in self.received:
            if in_time and received.client_token is not None:
                assert self.row.redriven is not None
                return RedriveRecord(received.client_token, self.row.redriven)
        return None

    def _answers(self) -> tuple[tuple[int, bytes], ...]:
        asked = [received.answering for received, in_time in self.received if in_time]
        return tuple((each.request_id, each.in_time) for each in asked if each is not None)


def take_step(resident: Resident, now: int, stop_if_moved: bool) -> Step:
    """Let all that has happened to an execution take effect. `stop_if_moved`: if it then enters a state, stop it."""
    execution = resident.loaded
    signals, resident.signals = resident.signals, []
    if len(signals) == 1 and not stop_if_moved:  # most steps
        only = advance(execution, signals[0].signal, now)
        row = row_of(resident.row, execution, only.more)
        return Step(resident, row, only.events, only.commands, only.more, ((signals[0], only.in_time),))
    outcomes = [advance(execution, received.signal, now) for received in signals]
    received = [(each, outcome.in_time) for each, outcome in zip(signals, outcomes, strict=True)]
    if stop_if_moved and any(map(_moved_on, outcomes)):
        outcomes.append(advance(execution, Stop(), now))
    more = outcomes[-1].more
    return Step(
        resident,
        row_of(resident.row, execution, more),
        [event for outcome in outcomes for event in outcome.events],
        [command for outcome in outcomes for command in outcome.commands],
        more,
        received,
    )


def new_row(
    id: int,
    machine: Machine,
    arn: str,
    name: str,
    given: Document,
    trace_header: str | None,
    through: Through,
    now: int,
) -> ExecutionRow:
    """The row of an execution of `machine` that starts `now`."""
    return ExecutionRow(
        id=id,
        arn=arn,
        name=name,
        machine_arn=machine.arn,
        revision_id=machine.revision.id,
        status="RUNNING",
        started=now,
        input=given.text,
        trace_header=trace_header,
        version=through.version,
        alias=through.alias,
    )


def new_execution(row: ExecutionRow, program: Program, role_arn: str, given: Document, outside: Outside) -> Execution:
    return Execution(
        program=program,
        arn=row.arn,
        name=row.name,
        machine_arn=row.machine_arn,
        machine_name=row.machine_arn.rpartition(":")[2],
        role_arn=role_arn,
        input=given,
        started=row.started,
        outside=outside,
        version_arn=None if row.version is None else f"{row.machine_arn}:{row.version}",
        alias_arn=None if row.alias is None else f"{row.machine_arn}:{row.alias}",
    )


def row_of(row: ExecutionRow, execution: Execution, more: bool) -> ExecutionRow:
    """The row of an execution as it stands now."""
    return replace(
        row,
        status=execution.status,
        stopped=execution.stopped,
        output=None if execution.output is None else execution.output.text,
        error=execution.error,
        cause=execution.cause,
        redrives=execution.redrives,
        redriven=execution.clock_started if execution.redrives else None,
        wake=_wake(execution, more),
    )


def _wake(execution: Execution, more: bool) -> int | None:
    if execution.status != "RUNNING":
        return None
    if more or not may_sleep(execution):
        return 0
    timer = execution.next_timer()
    return None if timer is None else max(timer[0], 1)


def may_sleep(execution: Execution) -> bool:
    """Whether it may leave memory: nothing is at work for it here. A task whose worker is to send heartbeats stays,
    because nothing but memory knows when it was last heard of."""
    return all(
        branch.attempt is not None and branch.attempt.handed_over and branch.attempt.deadlines.heartbeat_seconds is None
        for branch in execution.attempts.values()
    )


def _moved_on(outcome: Outcome) -> bool:
    """Whether a state was entered."""
    return any(event.type.endswith("StateEntered") for event in outcome.events)
