"""The processes of the server: one, or several nodes on one database; how they die and what comes after them."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any, Protocol

from treadle.runtime.tokens import NamedTask
from treadle.store.cluster_contract import shard_of
from treadle.tasks.contract import TaskOutcome, TaskRequest

from . import plan
from .checks import Checks
from .clock import Clock
from .cluster import Database, SimulatedCluster
from .datasets import Shelf, SimulatedDatasets
from .disk import Disk
from .limits import LIMITS
from .loop import Scheduler
from .server import MakeRuntime, Server
from .store import SimulatedStore
from .tasks import Services, SimulatedTasks

_OUTCOME_SECONDS = 60.0
"""Within which an outcome takes effect that was reported to a server which is well."""


class Witness(Protocol):
    """Whoever writes down what happens."""

    def tell(self, what: str, *facts: object) -> None: ...

    def complain(self, invariant: str, text: str) -> None: ...


class Fleet:
    def __init__(
        self,
        drawn: plan.Plan,
        disk: Disk,
        scheduler: Scheduler,
        clock: Clock,
        dice: Random,
        services: Services,
        shelf: Shelf,
        checks: Checks,
        make_runtime: MakeRuntime,
        witness: Witness,
    ) -> None:
        self._plan = drawn
        self._disk = disk
        self._scheduler = scheduler
        self._clock = clock
        self._dice = dice
        self._services = services
        self._shelf = shelf
        self._checks = checks
        self._make_runtime = make_runtime
        self._witness = witness
        self._numbers = itertools.count(1)
        self._database = Database(disk, scheduler, dice, witness.complain) if drawn.nodes > 1 else None
        self.servers: list[Server | None] = [None] * drawn.nodes
        """By place: the process that runs there."""

    def begin(self) -> None:
        for place in range(len(self.servers)):
            self._begin(place)

    @property
    def resident(self) -> int:
        """Executions in memory, and processes that are not there yet."""
        return sum(server.runtime.resident if server is not None and server.up else 1 for server in self.servers)

    def anybody(self) -> Server | None:
        """Whom a request reaches."""
        server = self.servers[0] if len(self.servers) == 1 else self._dice.choice(self.servers)
        return server if server is not None and server.up else None

    def calm_down(self) -> None:
        """Nothing that was to go wrong later does so any more."""
        for server in self.servers:
            if server is not None:
                server.loop.fuse = None
                server.store.on_effect = lambda number: None
        self.disturb()

    def disturb(self) -> None:
        """Something has happened after which what is due may be late."""
        self._checks.undisturbed_since = self._clock.now()

    # -- troubles ----------------------------------------------------------------------------------------------

    def happen(self, event: plan.Trouble) -> None:
        server = self.servers[event.node % len(self.servers)]
        if isinstance(event, plan.StopDatabase):
            self._stop_database(event.seconds)
        elif server is not None:
            self._happen_to(server, event)

    def _happen_to(self, server: Server, event: plan.Trouble) -> None:
        match event:
            case plan.CrashAfterCallbacks(callbacks=callbacks):
                server.loop.fuse = callbacks
                server.loop.on_death = lambda: self._crash(server)
            case plan.CrashAtWrite(writes=writes):
                last = server.store.writes + writes
                server.store.on_effect = lambda number: self._crash(server) if number == last else None
            case plan.Restart() if server.up:
                server.stop(lambda: self._scheduler.call_later(0.0, lambda: self._crash(server)))
            case plan.BreakStore():
                server.store.break_down()
                self._scheduler.call_later(self._dice.uniform(0, 2), lambda: self._crash(server))
            case plan.Freeze(seconds=seconds):
                server.loop.frozen = True
                self._scheduler.call_later(seconds, lambda: self._thaw(server))
                if seconds > LIMITS.node_silence_seconds:
                    self._scheduler.call_later(LIMITS.node_silence_seconds, lambda: self._end_session(server))
            case plan.CutSession():
                self._end_session(server)

    def _crash(self, server: Server) -> None:
        if self.servers[server.place] is not server:
            return
        self._witness.tell("crash", server.number)
        self.servers[server.place] = None
        server.die()
        self.disturb()
        if server.cluster is not None:
            server.cluster.close()
            # A machine that is gone does not even close its connections.
            seconds = self._dice.choice((0.0, LIMITS.node_silence_seconds))
            self._scheduler.call_later(seconds, lambda: self._end_session(server))
        self._scheduler.call_later(self._dice.choice((0.0, 0.1, 5.0, 90.0)), lambda: self._begin(server.place))

    def _thaw(self, server: Server) -> None:
        server.loop.frozen = False
        self.disturb()

    def _end_session(self, server: Server) -> None:
        if self._database is not None and server.cluster is not None:
            self._witness.tell("session ends", server.number)
            self._database.cut(server.cluster, "cut")
            self.disturb()

    def _stop_database(self, seconds: float) -> None:
        database = self._database
        if database is not None:
            database.stop()
            self.disturb()

            def go_on() -> None:
                database.go_on()
                self.disturb()

            self._scheduler.call_later(seconds, go_on)

    def _begin(self, place: int) -> None:
        loop = self._scheduler.loop(self._raised)
        number, pace = next(self._numbers), self._plan.pace
        cluster: SimulatedCluster | None = None
        if self._database is not None:
            cluster = SimulatedCluster(self._database, self._scheduler, loop, self._dice, pace)
            store: SimulatedStore = cluster.nodes_store
        else:
            store = SimulatedStore(self._disk, self._scheduler, loop, self._dice, pace)
        server = Server(
            number=number,
            place=place,
            loop=loop,
            store=store,
            cluster=cluster,
            tasks=SimulatedTasks(
                self._services,
                loop,
                lambda request, named: self._task_begun(server, request, named),
                lambda request, named, outcome: self._task_reported(server, request, named, outcome),
            ),
            datasets=SimulatedDatasets(self._shelf),
            clock=self._clock,
            limits=LIMITS,
            make_runtime=self._make_runtime,
            failed=lambda: self._scheduler.call_later(0.0, lambda: self._crash(server)),
            raised=lambda text: self._witness.complain("no bugs", text),
        )
        self.servers[place] = server
        self._witness.tell("server", number)
        self.disturb()
        server.begin()

    def _raised(self, context: dict[str, Any]) -> None:
        self._witness.complain("no bugs", f"{context.get('message')}: {context.get('exception')!r}")

    # -- what is looked at -------------------------------------------------------------------------------------

    def _task_begun(self, server: Server, request: TaskRequest, named: NamedTask) -> None:
        self._witness.tell("task", named.execution_arn, named.attempt, request.resource.resource)
        # A node that has lost its shards and does not know may give out what another one has ended meanwhile.
        self._checks.task_begun(named, is_open=self._holder(server, named) is not None)

    def _task_reported(self, server: Server, request: TaskRequest, named: NamedTask, outcome: TaskOutcome) -> None:
        self._witness.tell("outcome", named.execution_arn, named.attempt, outcome)
        holder = self._holder(server, named)

        def look() -> None:
            if holder is not None and self._holder(server, named) is holder:
                self._checks.outcome_taken(request, named, outcome)

        self._scheduler.call_later(_OUTCOME_SECONDS, look)

    def _holder(self, server: Server, named: NamedTask) -> object | None:
        """By what right the process runs the execution; None: it does not any more."""
        if self.servers[server.place] is not server:
            return None
        if self._database is None or server.cluster is None:
            return server if server.up else None
        session = self._database.locks.get(shard_of(named.execution_id))
        return session if session is not None and session is server.cluster.session else None
