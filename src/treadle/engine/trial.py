"""A trial: one state of a program is carried out, and nothing after it (TestState).

    Trial(...) ─▶ begin ─┬─▶ verdict                                      Pass, Choice, Succeed, Fail
                         ├─▶ due: time passes ─ receive(TimerFired) ─▶ verdict          Wait
                         ├─▶ task: its outcome ─ receive(TaskSucceeded, ...) ─▶ verdict   Task
                         └─▶ iterations: succeed or fail ─▶ verdict                     Map, Parallel

It goes through the engine's one door, `advance`, and so through the very code of every execution.  Two things
make it a trial.  The execution has a probe, which sees what the state makes of its data.  And a turn may make
one transition: the first turn enters the state, the next one carries it out, and a turn that enters the state
after it ends there, before that state's work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from treadle.document import Document
from treadle.engine.advance import advance
from treadle.engine.execution import ROOT, Execution, MapItem, Outside, Phase
from treadle.engine.failure import matches
from treadle.engine.history import HistoryEvent
from treadle.engine.node import ForkNode, Node, ScopeProgram
from treadle.engine.probe import Probe
from treadle.engine.program import Program
from treadle.engine.signals import Command, RunTask, Signal, Start
from treadle.engine.states.map_state import MapNode
from treadle.engine.turn import Turn
from treadle.expressions.errors import EvaluationError


class Place(Struct, frozen=True):
    """Where a state stands in a program."""

    scope: ScopeProgram
    node: Node
    in_map: bool
    """Whether it, or a state around it, is part of a Map's iterations."""


def find_state(scope: ScopeProgram, name: str, *, in_map: bool = False) -> Place | None:
    """The state of this name, wherever it nests."""
    return next((place for place in places(scope, in_map=in_map) if place.node.name == name), None)


def places(scope: ScopeProgram, *, in_map: bool = False) -> Iterator[Place]:
    """All states of a scope, and those that nest in them."""
    for node in scope.nodes.values():
        yield Place(scope, node, in_map)
        for inner in getattr(node, "scopes", ()):
            yield from places(inner, in_map=in_map or isinstance(node, MapNode))


class Facts(Struct, frozen=True, kw_only=True):
    """What the context object shows of the execution that the state believes to be in."""

    arn: str
    name: str
    machine_arn: str
    machine_name: str
    role_arn: str


class Verdict(Struct, frozen=True, kw_only=True):
    status: str
    """AWS's TestExecutionStatus: SUCCEEDED, FAILED, RETRIABLE, CAUGHT_ERROR."""
    output: Document | None = None
    next_state: str | None = None
    error: str | None = None
    cause: str | None = None
    retrier: int | None = None
    """The retrier that names the error, whether or not it tries again."""
    backoff_seconds: int | None = None
    """Until it does."""
    catcher: int | None = None


class Trial:
    def __init__(
        self,
        program: Program,
        place: Place,
        *,
        facts: Facts,
        input: Document,
        now: int,
        seconds: int,
        outside: Outside,
        probe: Probe,
    ) -> None:
        """`seconds`: how long it may take in all."""
        alone = replace(
            program,
            scope=replace(place.scope, start_at=place.node.name),
            timeout_seconds=seconds,
            limits=replace(program.limits, transitions_per_turn=1),
        )
        self.node = place.node
        self.facts = facts
        self.input = input
        self.probe = probe
        self.verdict: Verdict | None = None
        """None as long as the state waits."""
        self.task: RunTask | None = None
        """The task that it waits for."""
        self._execution = Execution(
            program=alone,
            arn=facts.arn,
            name=facts.name,
            machine_arn=facts.machine_arn,
            machine_name=facts.machine_name,
            role_arn=facts.role_arn,
            input=input,
            started=now,
            outside=outside,
        )
        self._execution.probe = probe
        self._execution.counts_redrives = False
        self._root = self._execution.root
        if place.in_map and probe.context is None:
            self._root.item = MapItem(0, input.value)
        self._exited = False
        self._output: Document | None = None
        self._next_state: str | None = None
        self._catcher: int | None = None
        self._backoff_seconds: int | None = None

    # -- what happens ----------------------------------------------------------------------------------------

    def assign(self, variables: Mapping[str, Document]) -> bool:
        """Set variables before it begins. False: they are too large."""
        return self._execution.assign(self._root, variables)

    def begin(self, now: int, *, error: str | None = None, retried: int = 0) -> None:
        """Enter the state, and carry it out as far as it gets by itself.

        `retried`: how often the retrier for `error` has been used before.
        """
        advance(self._execution, Start(), now)
        number = self._retrier((error,))
        if number is not None:
            self._root.retries = [0] * len(self.node.handlers.retriers)
            self._root.retries[number] = retried
        self.receive(Start(), now)

    def receive(self, signal: Signal, now: int) -> None:
        outcome = advance(self._execution, signal, now)
        self._take(outcome.events, outcome.commands)

    def succeed(self, result: Document, now: int) -> None:
        """The children of a Map or Parallel are done, and this is what came of them."""
        turn = Turn(self._execution, now)
        try:
            cast("ForkNode", self.node).join(turn, self._root, result)
        except EvaluationError as error:
            turn.fail_evaluation(self._root, error)
        self._take(turn.events, turn.commands)

    def fail(self, error: str | None, cause: str | None, now: int) -> None:
        """A child of a Map or Parallel failed."""
        turn = Turn(self._execution, now)
        turn.fail_state(self._root, error, cause)
        self._take(turn.events, turn.commands)

    # -- what it waits for -----------------------------------------------------------------------------------

    @property
    def due(self) -> int:
        """When time makes a difference (ms): the end of a wait or of a time-out, its own or the whole trial's."""
        timer = self._execution.next_timer()
        assert timer is not None, "the execution as a whole has a time-out"
        return timer[0]

    @property
    def iterations(self) -> int | None:
        """How many children the Map or Parallel that waits for them has; None if it is none, or does not wait."""
        return self._root.fork.length if self._root.fork is not None else None

    @property
    def variables(self) -> Document:
        """Those in scope after the state: the ones it was given, and the ones it assigned."""
        return Document(dict(self._root.variables))

    # -- what came of it -------------------------------------------------------------------------------------

    def _take(self, events: Iterable[HistoryEvent], commands: Iterable[Command]) -> None:
        for event in events:
            if event.branch != ROOT:
                continue
            if event.type == "RetryScheduled":
                self._backoff_seconds = (event.details["due"] - event.timestamp) // 1_000
            elif event.type == "ErrorCaught":
                self._catcher = event.details["catcher"]
            elif event.type == self.node.exited_type and not self._exited:
                self._exited = True
                self._output = Document(text=event.details["output"])
            elif self._exited and event.type.endswith("StateEntered"):
                self._next_state = event.details["name"]
        self.task = next((command for command in commands if isinstance(command, RunTask)), self.task)
        self.verdict = self._verdict()

    def _verdict(self) -> Verdict | None:
        execution = self._execution
        failure = self.probe.failure
        retrier = None if failure is None else self._retrier(failure.names)
        if self._root.phase is Phase.RETRY and failure is not None:
            return Verdict(
                status="RETRIABLE",
                error=failure.error,
                cause=failure.cause,
                retrier=retrier,
                backoff_seconds=self._backoff_seconds,
            )
        if execution.status not in ("RUNNING", "SUCCEEDED"):
            return Verdict(status="FAILED", error=execution.error, cause=execution.cause, retrier=retrier)
        if not self._exited:
            return None
        if failure is None:
            return Verdict(status="SUCCEEDED", output=self._output, next_state=self._next_state)
        return Verdict(
            status="CAUGHT_ERROR",
            output=self._output,
            next_state=self._next_state,
            error=failure.error,
            cause=failure.cause,
            retrier=retrier,
            catcher=self._catcher,
        )

    def _retrier(self, names: tuple[str | None, ...]) -> int | None:
        retriers = self.node.handlers.retriers
        return next((at for at, retrier in enumerate(retriers) if matches(retrier.error_equals, names)), None)
