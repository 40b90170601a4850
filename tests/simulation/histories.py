"""What every history must be like, checked event by event as it is committed.

The rules are read off AWS's own histories and the definition, never off the engine's memory: so a bug of the engine or
of the runtime, a lost entry or one that was written twice cannot hide behind the code that made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from treadle.engine.history import TERMINAL_TYPES, HistoryEvent
from treadle.engine.states.task_state import ENDED_TYPES, SCHEDULED_TYPES
from treadle.store.contract import ExecutionRow
from treadle.tasks.contract import TaskOutcome

_MAP_RUN_OPENS = ("MapRunStarted", "MapRunRedriven")
_MAP_RUN_CLOSES = ("MapRunSucceeded", "MapRunFailed")
_RETRIED_BY = (*SCHEDULED_TYPES, "ParallelStateStarted", "MapStateStarted", *_MAP_RUN_OPENS)
"""Where the work of a state begins (again)."""

Complain = Callable[[str, str], None]
"""Told of the name of an invariant that does not hold, and how so."""


class Rules(Struct, frozen=True):
    """What a definition says about the order of its states."""

    entries: frozenset[str]
    """Where a scope begins."""
    follow: dict[str, frozenset[str]]
    """Which states may follow which."""
    branches: dict[str, int]
    """How many branches each Parallel has."""
    distributed: frozenset[str]
    """Maps that have child executions in place of branches."""
    writers: frozenset[str]
    """Those of them whose results are written."""
    timeout_seconds: int | None
    """Of the execution as a whole."""
    seconds: dict[str, int | None]
    """When a task times out, or misses its heartbeat, at the earliest."""


def rules_of(definition: dict[str, Any]) -> Rules:
    scopes = list(_scopes(definition))
    states = {name: state for scope in scopes for name, state in scope["States"].items()}
    return Rules(
        entries=frozenset(scope["StartAt"] for scope in scopes),
        follow={name: frozenset(_following(state)) for name, state in states.items()},
        branches={name: len(state["Branches"]) for name, state in states.items() if state["Type"] == "Parallel"},
        distributed=frozenset(name for name, state in states.items() if _is_distributed(state)),
        writers=frozenset(name for name, state in states.items() if "ResultWriter" in state),
        timeout_seconds=definition.get("TimeoutSeconds"),
        seconds={name: _patience(state) for name, state in states.items()},
    )


def _is_distributed(state: dict[str, Any]) -> bool:
    return bool(state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED")


def _scopes(scope: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield scope
    for state in scope["States"].values():
        for inner in (*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else ())):
            yield from _scopes(inner)


def _following(state: dict[str, Any]) -> Iterator[str]:
    for leads_on in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        if leads_on.get("Next") is not None:
            yield leads_on["Next"]
    if state.get("Default") is not None:
        yield state["Default"]


def _patience(state: dict[str, Any]) -> int | None:
    found = [state[field] for field in ("TimeoutSeconds", "HeartbeatSeconds") if field in state]
    return min(found, default=None)


class Attempt:
    """A task, as its history shows it."""

    def __init__(self, event: HistoryEvent, state: str) -> None:
        self.id = event.id
        self.state = state
        self.since = event.timestamp
        self.taken = False
        """By a worker."""
        self.submitted = False
        self.closed: HistoryEvent | None = None
        """The event that closed it."""


class _Branch:
    """One line of control."""

    def __init__(self) -> None:
        self.state: str | None = None
        """Where it stands, or (`left`) what it came from."""
        self.left = True
        self.attempt: Attempt | None = None
        self.waits_until: int | None = None
        self.tries_again_at: int | None = None
        self.output: Any = None
        """Of the state that it left last."""
        self.caught = False
        self.fork: tuple[int, int] | None = None
        """The number of its first child and how many there are, of a Map or Parallel at work."""
        self.map_run: str | None = None


class History:
    """The history of one execution so far."""

    def __init__(self, arn: str, started: int, rules: Rules, complain: Complain) -> None:
        self.arn = arn
        self.last: HistoryEvent | None = None
        """The latest event."""
        self.ended: HistoryEvent | None = None
        self.ends = 0
        self.redrives = 0
        self.attempts: dict[int, Attempt] = {}
        self._rules = rules
        self._complain = complain
        self._next = 1
        self._latest = self._clock_started = started
        self._branches: dict[int, _Branch] = {}
        self._next_branch = 1

    def add(
        self, event: HistoryEvent, now: int, given: Sequence[TaskOutcome], children: Sequence[ExecutionRow]
    ) -> None:
        """`now`: the latest that any clock has shown. `given`: what the task answered whose attempt the event closes,
        if it was no map run's and not Treadle's own; `children`: of the map run at work in its branch."""
        branch = self._branches.setdefault(event.branch, _Branch())
        self._check_order(event, now)
        kind = event.type
        if kind in TERMINAL_TYPES:
            self.ended, self.ends = event, self.ends + 1
            self._close_all(event)
            if kind == "ExecutionTimedOut":
                self._check_due(event, self._clock_started + (self._rules.timeout_seconds or 0) * 1_000)
        elif kind == "ExecutionRedriven":
            self.ended, self.redrives = None, self.redrives + 1
            self._clock_started = event.timestamp
        self._transition(branch, event, children)
        self._wait(branch, event)
        self._attempt(branch, event, given)
        self.last = event

    def map_run_of(self, branch: int) -> str | None:
        """The ARN of the map run that the branch works on."""
        return self._branches[branch].map_run if branch in self._branches else None

    def attempt_of(self, branch: int) -> Attempt | None:
        return self._branches[branch].attempt if branch in self._branches else None

    def overdue(self, now: int) -> list[int]:
        """When each branch should have gone on that waits for a time before `now`."""
        times = [time for each in self._branches.values() for time in (each.waits_until, each.tries_again_at)]
        return [time for time in times if time is not None and time < now]

    def _wrong(self, invariant: str, event: HistoryEvent, why: str) -> None:
        self._complain(invariant, f"{self.arn}: event {event.id} ({event.type}): {why}")

    # -- each event by itself --------------------------------------------------------------------------------

    def _check_order(self, event: HistoryEvent, now: int) -> None:
        if event.id:
            if event.id != self._next:
                self._wrong("ids", event, f"its id should be {self._next}")
            self._next = event.id + 1
        if not 0 <= event.previous_id < max(event.id, self._next):
            self._wrong("ids", event, f"it follows event {event.previous_id}")
        if (event.type == "ExecutionStarted") != (event.id == 1):
            self._wrong("one start", event, "an execution starts once, with its first event")
        if self.ended is not None and event.type != "ExecutionRedriven":
            self._wrong("one end", event, f"it ended with event {self.ended.id}")
        if self.ended is None and event.type == "ExecutionRedriven":
            self._wrong("one end", event, "it had not ended")
        if event.timestamp < self._latest:
            self._wrong("time", event, "it is earlier than the one before")
        if event.timestamp > now:
            self._wrong("time", event, f"it is {event.timestamp - now} ms ahead of every clock")
        self._latest = event.timestamp

    # -- from state to state ---------------------------------------------------------------------------------

    def _transition(self, branch: _Branch, event: HistoryEvent, children: Sequence[ExecutionRow]) -> None:
        kind = event.type
        if kind.endswith("StateEntered"):
            self._enter(branch, event)
        elif kind.endswith("StateExited"):
            self._exit(branch, event, children)
        elif kind == "ParallelStateStarted":
            self._open_fork(branch, self._rules.branches[branch.state or ""])
        elif kind == "MapStateStarted" and branch.state not in self._rules.distributed:
            self._open_fork(branch, event.details["length"])
        elif kind in _MAP_RUN_OPENS:
            branch.map_run = event.details["mapRunArn"]
        elif kind == "ErrorCaught":
            branch.caught = True

    def _enter(self, branch: _Branch, event: HistoryEvent) -> None:
        name = event.details["name"]
        if not branch.left:
            self._wrong("transitions", event, f"its branch has not left {branch.state}")
        allowed = self._rules.entries if branch.state is None else self._rules.follow[branch.state]
        if name not in allowed:
            self._wrong("transitions", event, f"{branch.state} does not lead to {name}")
        branch.state, branch.left = name, False
        branch.caught, branch.fork, branch.map_run = False, None, None

    def _exit(self, branch: _Branch, event: HistoryEvent, children: Sequence[ExecutionRow]) -> None:
        if branch.left or event.details["name"] != branch.state:
            self._wrong("transitions", event, f"its branch is not in {event.details['name']}")
        branch.left = True
        branch.output = json.loads(event.details["output"])
        if branch.caught:
            return
        expected = None
        if event.type == "MapStateExited" and branch.state in self._rules.writers:
            if not isinstance(branch.output, dict) or branch.output.get("MapRunArn") != branch.map_run:
                self._wrong("joins", event, f"its output is {branch.output}")
        elif event.type == "MapStateExited" and branch.map_run is not None:
            expected = [json.loads(row.output or "null") for row in children if row.status == "SUCCEEDED"]
        elif branch.fork is not None:
            first, count = branch.fork
            expected = [self._branches[first + place].output for place in range(count)]
        if expected is not None and branch.output != expected:
            self._wrong("joins", event, f"its output is {branch.output}, its children's are {expected}")

    def _open_fork(self, branch: _Branch, length: int) -> None:
        branch.fork = (self._next_branch, length)
        self._next_branch += length

    # -- waits -----------------------------------------------------------------------------------------------

    def _wait(self, branch: _Branch, event: HistoryEvent) -> None:
        kind = event.type
        if kind == "WaitScheduled":
            branch.waits_until = event.details["due"]
        elif kind == "RetryScheduled":
            branch.tries_again_at = event.details["due"]
        elif kind == "WaitStateExited" and branch.waits_until is not None:
            self._check_due(event, branch.waits_until)
            branch.waits_until = None
        elif kind in _RETRIED_BY and branch.tries_again_at is not None:
            self._check_due(event, branch.tries_again_at)
            branch.tries_again_at = None
        elif kind.endswith(("StateAborted", "StateExited")):
            branch.waits_until = branch.tries_again_at = None
        elif kind == "ExecutionRedriven":
            for each in self._branches.values():
                each.waits_until = each.tries_again_at = None

    def _check_due(self, event: HistoryEvent, due: int) -> None:
        if event.timestamp < due:
            self._wrong("early timer", event, f"it comes {due - event.timestamp} ms too early")

    # -- tasks -----------------------------------------------------------------------------------------------

    def _attempt(self, branch: _Branch, event: HistoryEvent, given: Sequence[TaskOutcome]) -> None:
        kind, attempt = event.type, branch.attempt
        if kind in SCHEDULED_TYPES or kind in _MAP_RUN_OPENS:
            if attempt is not None:
                self._wrong("attempts", event, f"attempt {attempt.id} is still open")
            branch.attempt = self.attempts[event.id] = Attempt(event, branch.state or "")
            return
        closes = kind in ENDED_TYPES or kind in _MAP_RUN_CLOSES
        if attempt is None:
            if closes or kind in ("ActivityStarted", "TaskSubmitted"):
                self._wrong("attempts", event, "no attempt is open")
            return
        if kind == "ActivityStarted":
            if attempt.taken:
                self._wrong("attempts", event, "another worker has it")
            attempt.taken, attempt.since = True, event.timestamp
        elif kind == "TaskSubmitted":
            if attempt.submitted:
                self._wrong("attempts", event, "it was submitted before")
            attempt.submitted = True
        elif closes or kind.endswith("StateAborted"):
            if closes:
                self._check_outcome(event, attempt, given)
            attempt.closed, branch.attempt = event, None

    def _check_outcome(self, event: HistoryEvent, attempt: Attempt, given: Sequence[TaskOutcome]) -> None:
        details = event.details
        if event.type.endswith("TimedOut"):
            seconds = self._rules.seconds[attempt.state]
            if seconds is None:
                self._wrong("attempts", event, "it has no time-out")
            else:
                self._check_due(event, attempt.since + seconds * 1_000)
        elif given and event.type.endswith("Succeeded"):
            if not any(each.output is not None and each.output.text == details["output"] for each in given):
                self._wrong("outcomes", event, f"nobody has answered {details['output']}")
        elif given and not any(
            (each.error, each.cause) == (details.get("error"), details.get("cause")) for each in given
        ):
            self._wrong("outcomes", event, f"nobody has answered {details}")

    def _close_all(self, event: HistoryEvent) -> None:
        for branch in self._branches.values():
            if branch.attempt is not None:
                branch.attempt.closed, branch.attempt = event, None
