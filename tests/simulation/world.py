"""One run of one plan: disk, services, clients and clock live as long as the world, the server until it dies."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
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
from msgspec.structs import replace

from treadle.aws import model, random_ids
from treadle.clock import SystemClock
from treadle.document import encode
from treadle.engine.history import decode_events
from treadle.limits import DEFAULT_LIMITS
from treadle.runtime.runtime import Runtime
from treadle.runtime.tokens import NamedTask
from treadle.store.contract import Activity, Commit, Machine, MachineRevision
from treadle.tasks import start_execution
from treadle.tasks.contract import ServiceFault, TaskOutcome, TaskRequest

from . import plan
from .checks import Checks
from .clients import DO, Clients, Lost
from .datasets import SimulatedDatasets
from .definitions import ROLE, MachinePlan
from .disk import Disk
from .leftovers import leftovers
from .loop import Scheduler
from .server import MakeRuntime, Server
from .store import SimulatedStore
from .tasks import Services, SimulatedTasks

LIMITS = replace(
    DEFAULT_LIMITS,
    execution_seconds_standard=1_500,
    history_events=400,
    transitions_per_turn=7,
    map_runs_open=3,
)
"""Small enough to be reached."""
_EPOCH = 1_700_000_000_000
_OUTCOME_SECONDS = 60.0
"""Within which an outcome takes effect that was reported to a server which is well."""
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


class Clock(SystemClock):
    """The machine's clock, which somebody sets."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._skew = 0
        self.highest = 0
        """The latest that it has shown."""

    def now(self) -> int:
        now = _EPOCH + self._skew + int(self._scheduler.time * 1_000)
        self.highest = max(self.highest, now)
        return now

    def jump(self, seconds: float) -> None:
        self.now()
        self._skew += int(seconds * 1_000)
        self.now()


class World:
    def __init__(self, drawn: plan.Plan, make_runtime: MakeRuntime = Runtime) -> None:
        self._plan = drawn
        self._make_runtime = make_runtime
        self._dice = Random(f"world {drawn.seed}")
        order = Random(f"order {drawn.seed}")
        self._scheduler = Scheduler(order, shuffles=drawn.shuffles, look_seconds=drawn.look_seconds)
        self._clock = Clock(self._scheduler)
        self._disk = Disk(self._dice)
        self._disk.on_commit = self._committed
        self._services = Services(f"task {drawn.seed}", self._disk.secret())
        self._services.on_token = self._somebody_has
        self._checks = Checks(self._disk, self._services, LIMITS, self._complain)
        self._outside = self._scheduler.loop(self._raised_outside)
        self._clients = Clients(self, self._services, self._dice, lambda: self._over)
        self._clients_at_work = 0
        self._server: Server | None = None
        self._numbers = itertools.count(1)
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
                self._disk.activity_create(Activity(arn=arn, name=arn, encryption="{}", created=_EPOCH), {})
            for event in self._plan.events:
                self._scheduler.call_at(event.at, partial(self._happen, event))
            self._scheduler.call_at(plan.CALM_SECONDS, self._calm_down)
            self._begin_server()
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
        self._calm = self._services.calm = True
        self._disturb()
        jumps = [event.seconds for event in self._plan.events if isinstance(event, plan.JumpClock)]
        self._until = self._scheduler.time + _PATIENCE_SECONDS - sum(jump for jump in jumps if jump < 0)
        self._tell("calm")
        self._look()

    def _look(self) -> None:
        """Whether everything has ended."""
        left = self._checks.open_things()
        server = self._server
        resident = server.runtime.resident if server is not None and server.up else 1
        if not left and not resident and not self._clients_at_work:
            self._over = True
            self._until = self._scheduler.time + _LAST_SECONDS
            self._tell("over")
        elif self._scheduler.time > self._until:
            self._over = True
            self._complain("ended", f"{len(left)} have not: {left[:3]}; {resident} in memory")
        else:
            self._scheduler.call_later(10.0, self._look)

    def _check_end(self) -> None:
        assert self._server is not None
        self._checks.finally_(self._server.tasks.running.values())
        for left in leftovers(self._server.runtime):
            self._complain("leftovers", left)

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
            yield

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Whatever the server logs as an error is one."""
        ear = _Ear(self._complain)
        logger = logging.getLogger("treadle")
        logger.addHandler(ear)
        try:
            yield
        finally:
            logger.removeHandler(ear)

    # -- what happens ----------------------------------------------------------------------------------------

    def _happen(self, event: plan.Event) -> None:
        self._tell("event", event)
        do = DO.get(type(event))
        if do is not None:
            self._employ(partial(do, self._clients, event), counts=not isinstance(event, plan.Worker))
            return
        server = self._server
        match event:
            case plan.JumpClock(seconds=seconds):
                self._clock.jump(seconds)
                self._disturb()
            case plan.CrashAfterCallbacks(callbacks=callbacks) if server is not None:
                server.loop.fuse = callbacks
                server.loop.on_death = lambda: self._crash(server)
            case plan.CrashAtWrite(writes=writes) if server is not None:
                last = server.store.writes + writes
                server.store.on_effect = lambda number: self._crash(server) if number == last else None
            case plan.Restart() if server is not None and server.up:
                server.stop(lambda: self._scheduler.call_later(0.0, lambda: self._crash(server)))
            case plan.BreakStore() if server is not None:
                server.store.break_down()
                self._scheduler.call_later(self._dice.uniform(0, 2), lambda: self._crash(server))
            case plan.Freeze(seconds=seconds) if server is not None:
                server.loop.frozen = True
                self._scheduler.call_later(seconds, lambda: self._thaw(server))

    def _crash(self, server: Server) -> None:
        if self._server is server:
            self._tell("crash", server.number)
            self._server = None
            server.die()
            self._disturb()
            self._scheduler.call_later(self._dice.choice((0.0, 0.1, 5.0, 90.0)), self._begin_server)

    def _thaw(self, server: Server) -> None:
        server.loop.frozen = False
        self._disturb()

    def _disturb(self) -> None:
        """Something has happened after which what is due may be late."""
        self._checks.undisturbed_since = self._clock.now()

    def _begin_server(self) -> None:
        loop = self._scheduler.loop(self._raised)
        slow = SimulatedStore(self._disk, self._scheduler, loop, self._dice, self._plan.pace)
        server = Server(
            number=next(self._numbers),
            loop=loop,
            store=slow,
            tasks=SimulatedTasks(self._services, loop, self._task_begun, self._task_reported),
            datasets=SimulatedDatasets(),
            clock=self._clock,
            limits=LIMITS,
            make_runtime=self._make_runtime,
            failed=lambda: self._scheduler.call_later(0.0, lambda: self._crash(server)),
            raised=lambda text: self._complain("no bugs", text),
        )
        self._server = server
        self._tell("server", server.number)
        self._disturb()
        server.begin()

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
            self._complain("no bugs", f"a client failed: {task.exception()!r}")

    # -- the network -----------------------------------------------------------------------------------------

    async def send(self, operation: str, request: dict[str, Any], patience: float | None = None) -> dict[str, Any]:
        """Implements `clients.Network`."""
        arrived: asyncio.Future[dict[str, Any] | ServiceFault | None] = self._outside.create_future()

        def answered(answer: dict[str, Any] | ServiceFault | None) -> None:
            self._tell("answer", operation, answer)
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
            server = self._server
            self._tell("request", operation, request)
            if server is None or not server.up:
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
        self._complain("acknowledged", f"{operation} is refused: {fault}")

    def _deliver(self, message: Callable[[], None]) -> None:
        self._scheduler.call_later(self._dice.expovariate(1_000), message)

    # -- what is looked at -----------------------------------------------------------------------------------

    def _committed(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            events = [] if commit.entry is None else decode_events(commit.entry.events)
            self._tell("commit", commit.execution.arn, commit.execution.status, [(e.id, e.type) for e in events])
            self._counts.update(event.type for event in events)
        self._checks.now = self._clock.highest
        self._checks.committed(commits)

    def _task_begun(self, request: TaskRequest, named: NamedTask) -> None:
        self._tell("task", named.execution_arn, named.attempt, request.resource.resource)
        self._checks.task_begun(request, named)

    def _task_reported(self, request: TaskRequest, named: NamedTask, outcome: TaskOutcome) -> None:
        self._tell("outcome", named.execution_arn, named.attempt, outcome)
        server = self._server

        def look() -> None:
            if server is not None and self._server is server and server.up:
                self._checks.outcome_taken(request, named, outcome)

        self._scheduler.call_later(_OUTCOME_SECONDS, look)

    def _tell(self, what: str, *facts: object) -> None:
        self._counts[what] += 1
        self._trace.append(f"{self._scheduler.time:.6f} {what} {' '.join(map(str, facts))}")

    def _complain(self, invariant: str, text: str) -> None:
        if self._violation is None:
            self._tell("violation", invariant, text)
            self._violation = Violation(invariant, text)

    def _raised(self, context: dict[str, Any]) -> None:
        self._complain("no bugs", f"{context.get('message')}: {context.get('exception')!r}")

    def _raised_outside(self, context: dict[str, Any]) -> None:
        self._complain("no bugs", f"outside: {context.get('message')}: {context.get('exception')!r}")

    def _machine(self, drawn: MachinePlan) -> Machine:
        revision = MachineRevision(
            id=f"{drawn.name}-1",
            machine_arn=drawn.arn,
            definition=encode(drawn.definition),
            role_arn=ROLE,
            logging='{"level": "OFF"}',
            tracing='{"enabled": false}',
            encryption='{"type": "AWS_OWNED_KEY"}',
            created=_EPOCH,
            initial=True,
        )
        return Machine(
            arn=drawn.arn, name=drawn.name, type=drawn.type, status="ACTIVE", created=_EPOCH, revision=revision
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
