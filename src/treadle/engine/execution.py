"""An execution in memory: a tree of branches, each standing at one state in one phase.

The root branch runs the machine itself.  A Parallel or Map state forks branches and joins them again:

    Execution
      branches {0: root at ProcessAllItems, phase FORK, fork -> children {7, 8}}
               {7: iteration 2 at CheckAvailability, phase TASK, attempt 31}
               {8: iteration 3 at StartDelivery, phase RETRY, due ...}

Nothing here is stored: `fold.py` rebuilds all of it from the history.  Branch numbers are given out in a
fixed order (a fork takes one block for all its children when it starts), so that the fold finds the parent
of any branch from its number alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from treadle.document import EMPTY, Document
from treadle.expressions.bindings import NO_VARIABLES
from treadle.language.resources import Resource

if TYPE_CHECKING:
    from treadle.engine.node import Node, ScopeProgram
    from treadle.engine.probe import Probe
    from treadle.engine.program import Program
    from treadle.engine.signals import RunMap

ROOT = 0
EXECUTION_TIMER = -1
"""Stands for a branch number where the timer is that of the execution itself."""


class Phase(IntEnum):
    NEW = 0
    """Its first state is not entered yet."""
    ENTERED = 1
    """Its state is entered, and to be executed next."""
    TASK = 2
    """Waits for the open task attempt."""
    WAIT = 3
    RETRY = 4
    """Waits before its state is tried again."""
    FORK = 5
    """Waits for its children."""
    DONE = 6


class Branch:
    """One line of control. `input` is the raw input of its state (or, while NEW, of its first state)."""

    __slots__ = (
        "assigned",
        "attempt",
        "before_entry",
        "caught",
        "due",
        "entered",
        "entered_id",
        "fork",
        "id",
        "input",
        "item",
        "last_event",
        "map_run",
        "node",
        "parent",
        "phase",
        "position",
        "retries",
        "scope",
        "variables",
    )

    def __init__(
        self,
        id: int,
        scope: ScopeProgram,
        input: Document,
        last_event: int,
        parent: Branch | None = None,
        position: int = 0,
    ) -> None:
        self.id = id
        self.scope = scope
        self.input = input
        self.last_event = last_event
        self.parent = parent
        self.position = position
        """Which child of its parent's fork this is."""
        self.variables: Mapping[str, Any] = NO_VARIABLES if parent is None else parent.variables
        """All that its expressions see: those of the enclosing scopes and its own. Never changed, but replaced."""
        self.assigned: dict[str, int] = {}
        """The variables of its own scope, and the size of each in bytes."""
        self.phase = Phase.NEW
        self.node: Node | None = None
        self.entered = 0
        self.entered_id = 0
        self.before_entry = 0
        """The event before the one that entered its state."""
        self.retries: list[int] | None = None
        """How often each retrier of the state has been used since it was entered."""
        self.due: int | None = None
        """When its timer fires, in any of the phases TASK, WAIT and RETRY."""
        self.attempt: Attempt | None = None
        self.map_run: RunMap | None = None
        """The last map run of its state, where a redrive of the execution would go on with it."""
        self.fork: Fork | None = None
        self.item: MapItem | None = None
        """The item of the Map iteration that this branch runs, or is part of."""
        self.caught: int | None = None
        """While its state is left through a catcher: which."""

    @property
    def retry_count(self) -> int:
        return sum(self.retries) if self.retries else 0


class Deadlines(Struct, frozen=True):
    """How long a task may take, and how long its worker may be silent; None without a bound of the state's own."""

    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None


class Attempt:
    """An open attempt of a task: its id is that of the event that scheduled it. So is a map run, from MapRunStarted or
    MapRunRedriven on."""

    __slots__ = ("deadlines", "handed_over", "id", "input", "map_run", "role_arn", "scheduled", "started", "submitted")

    def __init__(
        self,
        id: int,
        input: Document,
        deadlines: Deadlines,
        role_arn: str | None,
        scheduled: int,
        *,
        waits_for_worker: bool = False,
        map_run: RunMap | None = None,
    ) -> None:
        self.id = id
        self.input = input
        self.deadlines = deadlines
        self.role_arn = role_arn
        self.scheduled = scheduled
        """When, in milliseconds since the epoch."""
        self.started = None if waits_for_worker else scheduled
        """When its deadlines began to run; None: not yet."""
        self.handed_over = False
        """Somebody outside has its token, and is to answer: nothing is left for us to carry out."""
        self.submitted: Document | None = None
        """The service's answer to the request, where that is not the end of the task."""
        self.map_run = map_run
        """What is to be carried out, where it is a map run."""

    def due(self, heard: int) -> int | None:
        """When to give it up if its worker was last heard of at `heard`."""
        if self.started is None:
            return None
        timeout, heartbeat = self.deadlines.timeout_seconds, self.deadlines.heartbeat_seconds
        over = None if timeout is None else self.started + timeout * 1_000
        if heartbeat is None:
            return over
        silent = heard + heartbeat * 1_000
        return silent if over is None else min(over, silent)

    def timed_out(self, now: int) -> bool:
        """Whether the time-out is over; if a timer fires and it is not, the worker was silent for too long."""
        timeout = self.deadlines.timeout_seconds
        return timeout is not None and self.started is not None and now >= self.started + timeout * 1_000


class MapItem:
    __slots__ = ("index", "source", "value")

    def __init__(self, index: int, value: Any, source: str | None = None) -> None:
        self.index = index
        self.value = value
        self.source = source
        """Where it comes from. Only an item of a Distributed Map says so."""


class Fork:
    """The children of a Parallel or Map state at work. Children are created as they start."""

    __slots__ = ("base", "children", "input", "items", "length", "limit", "results", "started")

    def __init__(self, base: int, length: int) -> None:
        self.base = base
        """Branch number of the first child; the child at position p is number base + p."""
        self.length = length
        self.limit = length
        """How many children may run at once."""
        self.children: dict[int, Branch] = {}
        self.results: dict[int, Document] = {}
        self.started = 0
        """How many children have been started: of a Map, as many as its limit allows."""
        self.items: list[Any] = []
        """The items of a Map."""
        self.input = EMPTY
        """The effective input of the state."""


class Outside(Protocol):
    """What one execution may ask the world around it. Answered at once, from memory."""

    def task_token(self, attempt: int) -> str:
        """The token of an attempt of the execution: the same whenever it is asked for."""
        ...

    def activity_exists(self, arn: str) -> bool: ...

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        """What Step Functions itself has against these parameters of a task, before it calls anybody; or None."""
        ...


class Execution:
    """The state of one execution, and the facts about it that its context object shows."""

    __slots__ = (
        "alias_arn",
        "arn",
        "attempts",
        "branches",
        "cause",
        "clock_started",
        "counts_redrives",
        "error",
        "forks",
        "input",
        "latest",
        "machine_arn",
        "machine_name",
        "name",
        "next_branch",
        "next_event",
        "output",
        "outside",
        "probe",
        "program",
        "ready",
        "redrives",
        "role_arn",
        "started",
        "status",
        "stopped",
        "timers",
        "variable_bytes",
        "version_arn",
    )

    def __init__(
        self,
        *,
        program: Program,
        arn: str,
        name: str,
        machine_arn: str,
        machine_name: str,
        role_arn: str,
        input: Document,
        started: int,
        outside: Outside,
        version_arn: str | None = None,
        alias_arn: str | None = None,
    ) -> None:
        """`version_arn`, `alias_arn`: what it was started through, if not through the machine itself."""
        self.program = program
        self.arn = arn
        self.name = name
        self.machine_arn = machine_arn
        self.machine_name = machine_name
        self.role_arn = role_arn
        self.input = input
        self.started = started
        self.outside = outside
        self.version_arn = version_arn
        self.alias_arn = alias_arn
        self.probe: Probe | None = None
        """Of a test of a single state; of no other execution."""
        self.counts_redrives = True
        """Whether the context object does: not that of StartSyncExecution, and of TestState (recorded)."""
        self.clock_started = started
        """From when on its time-out counts: the start, or the last redrive."""
        self.redrives = 0
        self.latest = started
        """Time of the last turn: the next one is not earlier."""
        self.stopped: int | None = None
        self.status = "RUNNING"
        self.output: Document | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.next_event = 1
        root = Branch(ROOT, program.scope, input, last_event=0)
        self.branches: dict[int, Branch] = {ROOT: root}
        self.next_branch = ROOT + 1
        self.forks: list[tuple[int, Branch]] = []
        """(base, owner) of every fork that ever started, by base: how the fold finds a branch's parent."""
        self.variable_bytes = 0
        """Size of all variables of all branches."""
        self.attempts: dict[int, Branch] = {}
        """Open task attempts, by id."""
        self.ready: list[Branch] = []
        """Branches in phase NEW or ENTERED, to be run in this order. They are few, and a deque takes 700 bytes more."""
        self.timers: list[tuple[int, int]] = []
        """Heap of (due, branch number). An entry counts only while its branch still has that due time."""
        self.set_execution_timer()

    def set_execution_timer(self) -> None:
        heapq.heappush(self.timers, (self.deadline, EXECUTION_TIMER))

    @property
    def deadline(self) -> int:
        """When the execution times out as a whole."""
        return self.clock_started + self.program.timeout_seconds * 1_000

    @property
    def root(self) -> Branch:
        return self.branches[ROOT]

    def set_timer(self, branch: Branch, due: int) -> None:
        branch.due = due
        heapq.heappush(self.timers, (due, branch.id))

    def next_timer(self) -> tuple[int, int] | None:
        """The earliest timer that still counts."""
        timers = self.timers
        while timers:
            due, number = timers[0]
            if number == EXECUTION_TIMER:
                return timers[0]
            branch = self.branches.get(number)
            if branch is not None and branch.due == due:
                return timers[0]
            heapq.heappop(timers)
        return None

    @property
    def region(self) -> str:
        return self.machine_arn.split(":")[3]

    def open_attempt(self, branch: Branch, attempt: Attempt) -> None:
        branch.phase = Phase.TASK
        branch.attempt = attempt
        branch.map_run = attempt.map_run
        branch.due = None
        self.attempts[attempt.id] = branch
        self.hear(branch, attempt.scheduled)

    def start_attempt(self, branch: Branch, now: int) -> None:
        """A worker took the branch's open task."""
        assert branch.attempt is not None
        branch.attempt.started = now
        branch.attempt.handed_over = True
        self.hear(branch, now)

    def hear(self, branch: Branch, now: int) -> None:
        """The worker of the branch's open task is alive at `now`: its time to be silent begins anew."""
        assert branch.attempt is not None
        due = branch.attempt.due(now)
        if due is not None and due != branch.due:
            self.set_timer(branch, due)

    def close_attempt(self, branch: Branch) -> None:
        assert branch.attempt is not None
        del self.attempts[branch.attempt.id]
        branch.attempt = None
        branch.due = None

    def open_fork(self, owner: Branch, length: int) -> Fork:
        """A fork under `owner`, with a block of branch numbers for all its children."""
        fork = Fork(self.next_branch, length)
        self.next_branch += length
        if length:
            self.forks.append((fork.base, owner))
        owner.fork = fork
        owner.phase = Phase.FORK
        owner.due = None
        return fork

    def open_child(
        self,
        owner: Branch,
        fork: Fork,
        position: int,
        scope: ScopeProgram,
        data: Document,
        item: MapItem | None,
    ) -> Branch:
        """A child that is ready to enter its first state."""
        child = Branch(fork.base + position, scope, data, owner.last_event, owner, position)
        child.item = item
        fork.children[position] = child
        self.branches[child.id] = child
        self.ready.append(child)
        return child

    def close_child(self, fork: Fork, child: Branch, output: Document) -> None:
        """A child is at its end."""
        fork.results[child.position] = output
        del fork.children[child.position]
        self.remove_branch(child)

    def remove_branch(self, branch: Branch) -> None:
        """A branch is gone, and its variables with it."""
        self.branches.pop(branch.id, None)
        self.variable_bytes -= sum(branch.assigned.values())
        branch.assigned = {}

    def assign(self, branch: Branch, values: Mapping[str, Document]) -> bool:
        """Set variables of the branch's scope; False, and nothing is set, if they are too large.

        The limits are AWS's: for what one state assigns, and for all variables of the execution.
        """
        sizes = {name: value.size for name, value in values.items()}
        total = self.variable_bytes + sum(size - branch.assigned.get(name, 0) for name, size in sizes.items())
        limits = self.program.limits
        if sum(sizes.values()) > limits.payload_bytes or total > limits.variable_bytes:
            return False
        self.variable_bytes = total
        branch.assigned |= sizes
        branch.variables = {**branch.variables, **{name: value.value for name, value in values.items()}}
        return True
