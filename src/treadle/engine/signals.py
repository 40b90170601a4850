"""What can happen to an execution (signals), and what it asks for in return (commands).

A task attempt is named by the id of the event that scheduled it: unique within the execution, in the history,
and so the same after a restart.  A signal that names an attempt which is no longer open changes nothing.
"""

from __future__ import annotations

from msgspec import Struct

from treadle.document import Document
from treadle.engine.map_children import MapChildren, ResultTarget
from treadle.language.resources import Resource


class Start(Struct, frozen=True):
    """The execution begins, or goes on after it gave up its turn."""


class TaskStarted(Struct, frozen=True):
    """A worker took the task. Only for tasks that wait to be taken (activities)."""

    attempt: int
    worker_name: str | None = None


class TaskSubmitted(Struct, frozen=True):
    """The service has answered the request; the work that it began goes on. Only for tasks with a pattern."""

    attempt: int
    output: Document
    """The service's answer."""


class TaskHeartbeat(Struct, frozen=True):
    """The worker is still at it."""

    attempt: int


class TaskSucceeded(Struct, frozen=True):
    attempt: int
    output: Document


class TaskFailed(Struct, frozen=True):
    attempt: int
    error: str | None
    cause: str | None


class TimerFired(Struct, frozen=True):
    """The time has come that the execution asked to be woken at. Early or repeated firing is harmless."""


class Stop(Struct, frozen=True):
    """StopExecution."""

    error: str | None = None
    cause: str | None = None


class Redrive(Struct, frozen=True):
    """RedriveExecution. Only for an execution that was folded after it had ended without success."""


TaskSignal = TaskStarted | TaskSubmitted | TaskHeartbeat | TaskSucceeded | TaskFailed
Signal = Start | TaskSignal | TimerFired | Stop | Redrive


class RunTask(Struct, frozen=True, kw_only=True):
    """Carry out a task. Given again after a restart for every attempt that was open and not handed over: at least
    once."""

    attempt: int
    resource: Resource
    input: Document
    """The effective input: what InputPath and Parameters, or Arguments, made of the state's input."""
    timeout_seconds: int
    state_name: str
    role_arn: str | None = None
    """The role to run it under, where it is not the machine's."""
    submitted: Document | None = None
    """What the service answered to the request before a restart: what it began is only to be waited for."""


class RunMap(Struct, frozen=True, kw_only=True):
    """Carry out a map run. Given again after a restart as long as its attempt is open: at least once."""

    attempt: int
    arn: str
    """Of the map run: the same whenever it is asked for."""
    machine_arn: str
    """What its children show as their state machine."""
    state_name: str
    children: MapChildren
    concurrency: int
    """How many children may run at once; 0: as many as possible."""
    tolerated_count: int
    tolerated_percentage: float
    """How many items may fail; 0: the other one says, and if both are 0, none may."""
    redrives: int = 0
    """How often the map run was redriven: so often it has ended without success, and goes on with what is missing."""
    target: ResultTarget | None = None
    """Where the results go; None: the state's result is the array of the children's outputs."""


class CancelTask(Struct, frozen=True):
    """Nobody waits for this attempt any more: its state timed out or was aborted."""

    attempt: int


Command = RunTask | RunMap | CancelTask
