"""Whoever carries out tasks: slowly, at times never, and again when he is asked again.

What a task does follows from its attempt and from how often it has been asked for, and from nothing else: so that
another order of things does not make it another task.  A task of a process that dies is lost with it: whether its work
was done, nobody knows.  With `.waitForTaskToken`, each delivery hands the token to somebody who will use it, at a time
of his own: before the service answers, or long after somebody else has used it.  Tasks that start executions are
carried out by Treadle itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from msgspec import Struct

from tests.tasks.fakes import FakeFunctions
from treadle.document import Document
from treadle.language.resources import Resource
from treadle.runtime.tokens import NamedTask, TaskTokens
from treadle.tasks.contract import StepFunctions, TaskOutcome, TaskRequest
from treadle.tasks.dispatch import Dispatch

from .loop import SimulatedLoop

_SECONDS = (0.0, 0.001, 0.5, 3.0, 20.0, 70.0)
"""How long a task may take."""
FAILURE = "Work.Failed"


class Behaviour(Struct, frozen=True):
    """What a task does."""

    seconds: float
    outcome: TaskOutcome | None
    """None: it never answers."""


class Services:
    """The world outside of the server, over its whole life."""

    def __init__(self, seed: str, secret: bytes) -> None:
        self._seed = seed
        self._tokens = TaskTokens(secret)
        self._deliveries: Counter[str] = Counter()
        """How often each token was given out."""
        self.given: dict[tuple[str, int], list[TaskOutcome]] = {}
        """By execution and attempt: what was answered."""
        self.calm = False
        """From now on everybody answers."""
        self.on_token: Callable[[str, Random], None] = lambda token, dice: None
        """Told of each token that somebody has, with the dice of what he does with it."""

    def named(self, token: str) -> NamedTask:
        named = self._tokens.read(token)
        assert named is not None, "the runtime has made it"
        return named

    def deliver(self, request: TaskRequest) -> Behaviour:
        """What the task does this time."""
        self._deliveries[request.token] += 1
        named, number = self.named(request.token), self._deliveries[request.token]
        dice = Random(f"{self._seed} {named.execution_arn} {named.attempt} {number}")
        seconds, fate = dice.choice(_SECONDS), dice.random()
        if fate < 0.1 and not self.calm:
            return Behaviour(seconds, None)
        if fate < 0.25:
            outcome = TaskOutcome(error=FAILURE, cause=f"delivery {number}")
        else:
            outcome = TaskOutcome(output=Document({"attempt": named.attempt, "delivery": number}))
        self.given.setdefault((named.execution_arn, named.attempt), []).append(outcome)
        if request.resource.answered_by_token:
            self.on_token(request.token, dice)
        return Behaviour(seconds, outcome)


class Call(Struct):
    """A task that one process has asked for."""

    request: TaskRequest
    named: NamedTask
    report: Callable[[TaskOutcome], None]


class SimulatedTasks:
    """Implements `tasks.contract.TaskRunner` for one process."""

    def __init__(
        self,
        services: Services,
        loop: SimulatedLoop,
        begun: Callable[[TaskRequest, NamedTask], None],
        reported: Callable[[TaskRequest, NamedTask, TaskOutcome], None],
    ) -> None:
        """`begun`, `reported`: told of each task before it begins, and of each report before it is made."""
        self._services = services
        self._loop = loop
        self._begun = begun
        self._reported = reported
        self._dispatch = Dispatch(FakeFunctions())
        self.running: dict[str, Call] = {}
        """By token: what has not reported its end and was not cancelled."""

    def connect(self, step_functions: StepFunctions) -> None:
        self._dispatch.connect(step_functions)

    def run(self, request: TaskRequest, report: Callable[[TaskOutcome], None]) -> None:
        if self._loop.dead:
            return
        named = self._services.named(request.token)
        self._begun(request, named)
        call = self.running[request.token] = Call(request, named, report)
        if request.resource.resource_type == "states":
            self._dispatch.run(request, lambda outcome: self._report(call, outcome))
            return
        behaviour = self._services.deliver(request)
        if behaviour.outcome is not None:
            self._loop.call_later(behaviour.seconds, self._report, call, behaviour.outcome)

    def _report(self, call: Call, outcome: TaskOutcome) -> None:
        if self.running.get(call.request.token) is not call:
            return
        if not outcome.submitted:
            del self.running[call.request.token]
        self._reported(call.request, call.named, outcome)
        call.report(outcome)

    def cancel(self, token: str) -> None:
        self.running.pop(token, None)
        self._dispatch.cancel(token)

    def abandon(self, token: str) -> None:
        self.running.pop(token, None)
        self._dispatch.abandon(token)

    def refuses(self, resource: Resource) -> str | None:
        return None

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        return None

    def close(self) -> None:
        self.running.clear()
        self._dispatch.close()
