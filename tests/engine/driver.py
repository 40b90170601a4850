"""Runs an execution through the engine alone, in virtual time, with scripted tasks.

After every advance the history so far is folded into a fresh execution, which must stand where the first one
stands: so every test that drives an execution also tests its recovery at each commit.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from treadle.document import Document, encode
from treadle.engine.advance import advance
from treadle.engine.execution import Branch, Execution, Outside, Phase
from treadle.engine.fold import fold, open_tasks
from treadle.engine.history import HistoryEvent, decode_events, encode_events
from treadle.engine.map_children import STATE_DATA, ChildInput, ItemSource
from treadle.engine.program import Program, compile_definition
from treadle.engine.signals import (
    CancelTask,
    Command,
    RunMap,
    RunTask,
    Signal,
    Start,
    TaskFailed,
    TaskHeartbeat,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
)
from treadle.expressions.errors import EvaluationError
from treadle.language.kinds import MachineType
from treadle.language.resources import Resource
from treadle.limits import DEFAULT_LIMITS, Limits

START = 1_700_000_000_000
"""When every driven execution starts, in milliseconds since the epoch."""


class Fails(Exception):
    """A scripted task fails like this."""

    def __init__(self, error: str | None, cause: str | None = None) -> None:
        super().__init__(error)
        self.error, self.cause = error, cause


class Never(Exception):
    """A scripted task never answers."""


Task = Callable[[Any], Any]
"""Takes the task's input; returns its output, or raises Fails or Never."""


def compiled(
    definition: Mapping[str, Any] | str,
    machine_type: MachineType = "STANDARD",
    limits: Limits = DEFAULT_LIMITS,
) -> Program:
    text = definition if isinstance(definition, str) else encode(definition)
    result = compile_definition(text, machine_type, limits, lambda resource: None)
    assert result.program is not None, [str(found) for found in result.diagnostics]
    return result.program


class Surroundings:
    """Implements `execution.Outside`: tokens that can be read, and activities that exist unless they are named."""

    def __init__(self, *missing_activities: str) -> None:
        self._missing = missing_activities

    def task_token(self, attempt: int) -> str:
        return f"token-{attempt}"

    def activity_exists(self, arn: str) -> bool:
        return arn not in self._missing

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        return parameters.value.get("Problem") if isinstance(parameters.value, dict) else None


def execution_of(program: Program, text: str = "{}", outside: Outside | None = None) -> Execution:
    return Execution(
        program=program,
        arn="arn:aws:states:us-east-1:000000000000:execution:machine:run",
        name="run",
        machine_arn="arn:aws:states:us-east-1:000000000000:stateMachine:machine",
        machine_name="machine",
        role_arn="arn:aws:iam::000000000000:role/role",
        input=Document.parse(text),
        started=START,
        outside=outside or Surroundings(),
    )


class Driver:
    """One execution, its clock and its tasks."""

    def __init__(
        self,
        program: Program,
        text: str = "{}",
        tasks: Mapping[str, Task] | None = None,
        task_milliseconds: int = 0,
        outside: Outside | None = None,
    ) -> None:
        self.program = program
        self.text = text
        self.outside = outside
        self.execution = execution_of(program, text, outside)
        self.now = START
        self.history: list[HistoryEvent] = []
        self.running: dict[int, RunTask] = {}
        self._heard: dict[int, int] = {}
        """When the worker of an attempt was last heard of."""
        self.cancelled: list[int] = []
        self.map_runs: list[RunMap] = []
        self.children: list[Driver] = []
        """The executions of all map runs, in the order in which they ran."""
        self.most_running = 0
        self._tasks = tasks or {}
        self._task_milliseconds = task_milliseconds
        self._answers: list[tuple[int, int, Signal]] = []

    def run(self) -> Driver:
        """Run until the execution has ended, or until nothing but an outside signal can move it."""
        self.signal(Start())
        while self.execution.status == "RUNNING" and self.step():
            pass
        return self

    def step(self) -> bool:
        """Let the next thing happen, jumping to its time. False if there is nothing to wait for."""
        timer = self.execution.next_timer()
        if self._answers and (timer is None or self._answers[0][0] <= timer[0]):
            self.now, attempt, answer = heapq.heappop(self._answers)
            self.running.pop(attempt, None)
            self.signal(answer)
            return True
        if timer is None:
            return False
        self.now = max(self.now, timer[0])
        self.signal(TimerFired())
        return True

    def signal(self, signal: Signal) -> None:
        more = True
        while more:
            if isinstance(signal, TaskHeartbeat):
                self._heard[signal.attempt] = self.now
            outcome = advance(self.execution, signal, self.now)
            self.history += decode_events(encode_events(outcome.events))
            for command in outcome.commands:
                self._carry_out(command)
            self.most_running = max(self.most_running, len(self.running))
            assert_same(self.folded(), self.execution)
            more, signal = outcome.more, Start()

    def folded(self) -> Execution:
        """The execution as a restart at this moment would find it."""
        execution = execution_of(self.program, self.text, self.outside)
        fold(execution, self.history)
        for attempt, heard in self._heard.items():  # Heartbeats leave no event.
            if attempt in execution.attempts:
                execution.hear(execution.attempts[attempt], heard)
        return execution

    def events(self) -> list[HistoryEvent]:
        return [event for event in self.history if event.id]

    def shape(self) -> str:
        """`1<0 ExecutionStarted, 2<0 PassStateEntered, ...`"""
        return ", ".join(f"{event.id}<{event.previous_id} {event.type}" for event in self.events())

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, CancelTask):
            self.cancelled.append(command.attempt)
            self.running.pop(command.attempt, None)
            return
        if isinstance(command, RunMap):
            heapq.heappush(self._answers, (self.now, command.attempt, self._map_run(command)))
            return
        self.running[command.attempt] = command
        if command.resource.kind == "activity":
            return  # A worker takes it: the test.
        answer: Signal
        try:
            output = Document(self._tasks[command.resource.name](command.input.value))
            submits = command.resource.answered_by_token
            answer = (TaskSubmitted if submits else TaskSucceeded)(command.attempt, output)
        except Fails as failure:
            answer = TaskFailed(command.attempt, failure.error, failure.cause)
        except Never:
            return
        heapq.heappush(self._answers, (self.now + self._task_milliseconds, command.attempt, answer))

    def _map_run(self, command: RunMap) -> Signal:
        """Runs one child after the other. The first that fails, fails the run."""
        self.map_runs.append(command)
        outputs: list[Document] = []
        try:
            for child in child_inputs(command):
                driver = Driver(self.program.children[command.state_name], child.input.text, self._tasks).run()
                self.children.append(driver)
                if driver.execution.output is None:
                    return TaskFailed(command.attempt, "States.ExceedToleratedFailureThreshold", "exceeded")
                outputs.append(driver.execution.output)
        except EvaluationError as error:
            return TaskFailed(command.attempt, error.error, error.message)
        return TaskSucceeded(command.attempt, Document.array(outputs))


def assert_same(folded: Execution, live: Execution) -> None:
    assert snapshot(folded) == snapshot(live)


def snapshot(execution: Execution) -> dict[str, Any]:
    """Everything about an execution that decides what happens next."""
    closed = execution.status != "RUNNING"
    return {
        "status": execution.status,
        "stopped": execution.stopped,
        "output": execution.output.value if execution.output else None,
        "error": (execution.error, execution.cause),
        "next_event": execution.next_event,
        "timer": None if closed else execution.next_timer(),
        # A branch that was aborted before its turn came stays in the queue, and is passed over there.
        "ready": sorted(branch.id for branch in execution.ready if branch.phase is not Phase.DONE),
        "tasks": [_task(task) for task in open_tasks(execution)],
        "branches": {} if closed else {number: _branch(branch) for number, branch in execution.branches.items()},
        "next_branch": execution.next_branch,
        "variable_bytes": 0 if closed else execution.variable_bytes,
    }


def child_inputs(run: RunMap, read: Sequence[Any] = ()) -> Iterator[ChildInput]:
    """`read`: the items that an ItemReader finds, if there is one."""
    items = run.children.items
    assembly = run.children.assembly()
    yield from assembly.add((item, STATE_DATA) for item in (read if isinstance(items, ItemSource) else items))
    yield from assembly.rest()


def _task(task: RunTask | RunMap) -> tuple[Any, ...]:
    if isinstance(task, RunTask):
        return task.attempt, task.input.value, task.timeout_seconds
    limits = task.concurrency, task.tolerated_count, task.tolerated_percentage
    try:
        children = [(child.input.value, child.items) for child in child_inputs(task)]
    except EvaluationError as error:
        return task.attempt, task.redrives, task.arn, task.machine_arn, limits, error.message
    return task.attempt, task.redrives, task.arn, task.machine_arn, limits, children


def _branch(branch: Branch) -> dict[str, Any]:
    fork = branch.fork
    return {
        "state": branch.node.name if branch.node else None,
        "phase": branch.phase.name,
        "input": branch.input.value,
        "last_event": None if branch.phase.name == "FORK" else branch.last_event,
        "entered": (branch.entered, branch.entered_id, branch.before_entry),
        "variables": (dict(branch.variables), branch.assigned),
        "retries": branch.retry_count,
        "due": branch.due,
        "attempt": branch.attempt
        and (
            branch.attempt.started,
            branch.attempt.handed_over,
            branch.attempt.submitted and branch.attempt.submitted.text,
        ),
        "item": (branch.item.index, branch.item.value) if branch.item else None,
        "fork": fork
        and {
            "base": fork.base,
            "length": fork.length,
            "limit": fork.limit,
            "started": fork.started,
            "children": sorted(fork.children),
            "results": {position: result.value for position, result in fork.results.items()},
        },
    }
