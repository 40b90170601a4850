"""One run of one plan: disk, services, clients and clock live as long as the world, the server until it dies."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from email.utils import formatdate
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

from botocore.model import StructureShape
from msgspec import Struct

from treadle.aws import model, random_ids
from treadle.document import encode
from treadle.engine.history import decode_events
from treadle.runtime.cluster import balance
from treadle.store.contract import Activity, Commit, Machine, MachineRevision
from treadle.tasks import start_execution
from treadle.tasks.contract import ServiceFault

from . import plan
from .checks import Checks
from .clients import DO, Clients, Lost
from .clock import EPOCH, Clock
from .datasets import Shelf
from .definitions import ROLE, MachinePlan
from .disk import Disk
from .fleet import Fleet
from .leftovers import leftovers
from .limits import LIMITS, SHARDS
from .loop import Scheduler
from .server import MakeRuntime
from .tasks import Services

_PATIENCE_SECONDS = 6 * LIMITS.execution_seconds_standard
"""Within which everything ends when the world is calm: executions may start others, and wait for those."""
_LAST_SECONDS = 200.0
"""How long the world goes on when everything has ended: workers that wait for tasks go home."""


class Violation(Struct, frozen=True):
    invariant: str
    text: str


class Report(Struct, frozen=True):
    """What came of a run."""

    seed: int
    violation: Violation | None
    trace: list[str]
    counts: Counter[str]
    """How often what happened."""

    @property
    def hash(self) -> str:
        """Of the trace: the same plan gives the same."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


class World:
    def __init__(self, drawn: plan.Plan, make_runtime: MakeRuntime) -> None:
        self._plan = drawn
        self._dice = Random(f"world {drawn.seed}")
        order = Random(f"order {drawn.seed}")
        self._scheduler = Scheduler(order, shuffles=drawn.shuffles, look_seconds=drawn.look_seconds)
        self._clock = Clock(self._scheduler)
        self._disk = Disk(self._dice)
        self._disk.on_commit = self._committed
        self._services = Services(f"task {drawn.seed}", self._disk.secret())
        self._services.on_token = self._somebody_has
        self._shelf = Shelf(Random(f"shelf {drawn.seed}"))
        self._checks = Checks(self._disk, self._services, self._shelf, LIMITS, self.complain)
        self._outside = self._scheduler.loop(self._raised_outside)
        self._clients = Clients(self, self._services, self._dice, lambda: self._over)
        self._clients_at_work = 0
        self._fleet = Fleet(
            drawn,
            self._disk,
            self._scheduler,
            self._clock,
            self._dice,
            self._services,
            self._shelf,
            self._checks,
            make_runtime,
            self,
        )
        self._calm = self._over = False
        self._violation: Violation | None = None
        self._trace: list[str] = []
        self._counts: Counter[str] = Counter()

    # -- the run ---------------------------------------------------------------------------------------------

    def run(self) -> Report:
        with self._reproducible(), self._listening():
            for machine in self._plan.machines:
                self._disk.machine_create(self._machine(machine), {})
            for arn in plan.ACTIVITIES:
                self._disk.activity_create(Activity(arn=arn, name=arn, encryption="{}", created=EPOCH), {})
            for event in self._plan.events:
                self._scheduler.call_at(event.at, partial(self._happen, event))
            self._scheduler.call_at(plan.CALM_SECONDS, self._calm_down)
            self._fleet.begin()
            while self._violation is None and not self._is_finished() and self._scheduler.step():
                pass
            if self._violation is None:
                self._check_end()
            self._scheduler.close()
        return Report(self._plan.seed, self._violation, self._trace, self._counts)

    def _is_finished(self) -> bool:
        return self._over and self._scheduler.time > self._until

    def _calm_down(self) -> None:
        """From here on nothing goes wrong."""
        self._calm = self._services.calm = self._shelf.calm = True
        self._fleet.calm_down()
        jumps = [event.seconds for event in self._plan.events if isinstance(event, plan.JumpClock)]
        self._until = self._scheduler.time + _PATIENCE_SECONDS - sum(jump for jump in jumps if jump < 0)
        self.tell("calm")
        self._look()

    def _look(self) -> None:
        """Whether everything has ended."""
        left = self._checks.open_things()
        resident = self._fleet.resident
        if not left and not resident and not self._clients_at_work:
            self._over = True
            self._until = self._scheduler.time + _LAST_SECONDS
            self.tell("over")
        elif self._scheduler.time > self._until:
            self._over = True
            self.complain("ended", f"{len(left)} have not: {left[:3]}; {resident} in memory")
        else:
            self._scheduler.call_later(10.0, self._look)

    def _check_end(self) -> None:
        servers = [server for server in self._fleet.servers if server is not None]
        self._checks.finally_([call for server in servers for call in server.tasks.running.values()])
        for server in servers:
            for left in leftovers(server.runtime):
                self.complain("leftovers", left)

    @contextmanager
    def _reproducible(self) -> Iterator[None]:
        """What is drawn at random or read from the machine's own clock follows from the seed."""
        bits = Random(f"ids {self._plan.seed}").getrandbits

        def date(*_: object, **__: object) -> str:
            return formatdate(self._clock.now() / 1_000, usegmt=True)

        with ExitStack() as stack:
            stack.enter_context(patch.object(random_ids, "_bits", bits))
            stack.enter_context(patch.object(start_execution, "formatdate", date))
            stack.enter_context(patch.object(model, "compile_checker", _checker_of))
            stack.enter_context(patch.object(secrets, "randbits", bits))
            stack.enter_context(patch.object(balance, "SHARDS", SHARDS))
            yield

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Whatever the server logs as an error is one."""
        ear = _Ear(self.complain)
        logger = logging.getLogger("treadle")
        logger.addHandler(ear)
        try:
            yield
        finally:
            logger.removeHandler(ear)

    # -- what happens ----------------------------------------------------------------------------------------

    def _happen(self, event: plan.Event) -> None:
        self.tell("event", event)
        do = DO.get(type(event))
        if do is not None:
            self._employ(partial(do, self._clients, event), counts=not isinstance(event, plan.Worker))
            return
        if isinstance(event, plan.JumpClock):
            self._clock.jump(event.seconds)
            self._fleet.disturb()
        elif isinstance(event, plan.Trouble):
            self._fleet.happen(event)

    def _somebody_has(self, token: str, dice: Random) -> None:
        self._employ(partial(self._clients.use_token, token, dice), counts=True)

    def _employ(self, work: Callable[[], Awaitable[None]], *, counts: bool) -> None:
        """Let a client do this. `counts`: the world is not over before it has."""

        async def employed() -> None:
            try:
                await work()
            finally:
                self._clients_at_work -= counts

        self._clients_at_work += counts
        self._outside.post(lambda: self._outside.create_task(employed()).add_done_callback(self._left))

    def _left(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.complain("no bugs", f"a client failed: {task.exception()!r}")

    # -- the network -----------------------------------------------------------------------------------------

    async def send(self, operation: str, request: dict[str, Any], patience: float | None = None) -> dict[str, Any]:
        """Implements `clients.Network`."""
        arrived: asyncio.Future[dict[str, Any] | ServiceFault | None] = self._outside.create_future()

        def answered(answer: dict[str, Any] | ServiceFault | None) -> None:
            self.tell("answer", operation, answer)
            if isinstance(answer, dict):
                self._checks.answered(operation, request, answer)
            elif isinstance(answer, ServiceFault):
                self._checks.refused(operation, request, answer.code)
            lost = not self._calm and self._dice.random() < 0.02
            self._deliver(lambda: self._outside.post(_set, arrived, None if lost else answer))

        def hang_up(tell: Callable[[], None]) -> None:
            if patience is not None:
                self._scheduler.call_later(patience, tell)

        def arrive() -> None:
            server = self._fleet.anybody()
            self.tell("request", operation, request)
            if server is None:
                self._deliver(lambda: self._outside.post(_set, arrived, None))
            else:
                server.serve(operation, request, hang_up, answered)

        self._deliver(arrive)
        answer = await arrived
        if answer is None:
            raise Lost
        if isinstance(answer, ServiceFault):
            raise answer
        return answer

    def unexpected(self, operation: str, fault: ServiceFault) -> None:
        self.complain("acknowledged", f"{operation} is refused: {fault}")

    def _deliver(self, message: Callable[[], None]) -> None:
        self._scheduler.call_later(self._dice.expovariate(1_000), message)

    # -- what is looked at -----------------------------------------------------------------------------------

    def _committed(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            events = [] if commit.entry is None else decode_events(commit.entry.events)
            self.tell("commit", commit.execution.arn, commit.execution.status, [(e.id, e.type) for e in events])
            self._counts.update(event.type for event in events)
        self._checks.now = self._clock.highest
        self._checks.committed(commits)

    def tell(self, what: str, *facts: object) -> None:
        self._counts[what] += 1
        self._trace.append(f"{self._scheduler.time:.6f} {what} {' '.join(map(str, facts))}")

    def complain(self, invariant: str, text: str) -> None:
        if self._violation is None:
            self.tell("violation", invariant, text)
            self._violation = Violation(invariant, text)

    def _raised_outside(self, context: dict[str, Any]) -> None:
        self.complain("no bugs", f"outside: {context.get('message')}: {context.get('exception')!r}")

    def _machine(self, drawn: MachinePlan) -> Machine:
        revision = MachineRevision(
            id=f"{drawn.name}-1",
            machine_arn=drawn.arn,
            definition=encode(drawn.definition),
            role_arn=ROLE,
            logging='{"level": "OFF"}',
            tracing='{"enabled": false}',
            encryption='{"type": "AWS_OWNED_KEY"}',
            created=EPOCH,
            initial=True,
        )
        return Machine(
            arn=drawn.arn, name=drawn.name, type=drawn.type, status="ACTIVE", created=EPOCH, revision=revision
        )


_compile_checker = model.compile_checker
_checkers: dict[str, model.Checker] = {}


def _checker_of(shape: StructureShape, bounds: Mapping[str, Mapping[str, int]]) -> model.Checker:
    """Made once for all servers of all worlds: that takes longer than most of them live."""
    if shape.name not in _checkers:
        _checkers[shape.name] = _compile_checker(shape, bounds)
    return _checkers[shape.name]


class _Ear(logging.Handler):
    def __init__(self, complain: Callable[[str, str], None]) -> None:
        super().__init__(logging.ERROR)
        self._told = complain

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._told("no bugs", f"{record.getMessage()}: {error!r}")


def _set(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)
