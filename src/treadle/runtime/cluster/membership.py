"""One node's part in the cluster: its session, and the shards that it holds.

    no session ── join ──▶ takes part ◀──▶ takes free shards, lets go of those beyond its share (balance.py)
         ▲                     │
         └──── the session is lost, and all shards with it, at once

Theory of operation.  Every second a node asks its session who is there and who holds what, and does the next thing
that leads to equal shares.  The question also keeps the session busy: the database ends sessions that are silent for a
while, so that a node which stands still (SIGSTOP, a machine that sleeps) loses its shards to others, and finds its
session gone when it wakes.  What it then still wants to write fails.

A shard is let go of in order: it is *retired*, so that no execution starts in it and nothing new is begun for those in
it; when nothing of it is under way any more, or after a while, its executions leave memory; and then the lock goes.
The next holder takes them up from the store.  A node that stops does this with all of its shards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from treadle.limits import Limits
from treadle.runtime.cluster.balance import next_move
from treadle.store.cluster_contract import ClusterStore, Notice
from treadle.store.contract import StoreUnavailable, StoreUnusable

_log = logging.getLogger(__name__)

_DRAIN_LOOK_SECONDS = 0.05
_FIRST_SHARD_SECONDS = 30.0
"""How long a node that starts waits for others to make room for it."""


class Crew(Protocol):
    """What works on the executions of the shards that this node holds."""

    def take_up(self, shards: Collection[int]) -> None:
        """They are this node's from now on."""
        ...

    def retire(self, shards: Collection[int]) -> None:
        """Begin nothing new for their executions."""
        ...

    def unfinished(self, shards: Collection[int]) -> Collection[int]:
        """Those for which something is under way."""
        ...

    def leave(self, shards: Collection[int], error: StoreUnavailable) -> None:
        """They are not this node's any more. Who waits for something of them is told the error."""
        ...

    def heard(self, notice: Notice) -> None: ...

    def missed(self) -> None:
        """Whatever is remembered of the database may be wrong."""
        ...

    async def look(self) -> None:
        """Every second: what must not depend on notices."""
        ...


class Membership:
    """Implements `store.cluster_contract.Hears`."""

    def __init__(
        self, store: ClusterStore, crew: Crew, limits: Limits, on_failure: Callable[[StoreUnusable], None]
    ) -> None:
        self.held: set[int] = set()
        """The shards of this node, those that are retired among them."""
        self.retired: set[int] = set()
        self._store = store
        self._crew = crew
        self._limits = limits
        self._on_failure = on_failure
        self._session = 0
        """Counts the sessions that were lost: what was asked in one says nothing about the next."""
        self._joined = False
        self._leaving = False
        self._task: asyncio.Task[None] | None = None
        self._letting_go: asyncio.Task[None] | None = None
        self._crew_looks: asyncio.Task[None] | None = None
        self._first_shard = asyncio.Event()

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take part, with a shard at least unless others keep all for long. Raises StoreUnavailable, StoreUnusable."""
        await self._store.join(self)
        self._joined = True
        self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            async with asyncio.timeout(_FIRST_SHARD_SECONDS):
                await self._first_shard.wait()
        except TimeoutError:
            _log.warning("Other nodes hold all shards: this one starts no executions until it gets one")

    async def close(self) -> None:
        """Let go of everything, in order."""
        self._leaving = True
        try:
            if self._joined:
                await self._store.withdraw()
                if self._letting_go is not None:
                    await self._letting_go
                await self._let_go(tuple(self.held))
        except StoreUnavailable as error:
            _log.info("Shards were not let go of in order: %s", error)
        for task in (self._task, self._crew_looks):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except StoreUnavailable as error:
                _log.debug("This node takes no part at the moment: %s", error)
            except StoreUnusable as error:
                self._on_failure(error)
                return
            except Exception:
                _log.exception("A bug in the cluster")
            await asyncio.sleep(self._limits.node_look_milliseconds / 1_000)

    async def _look(self) -> None:
        if not self._joined:
            await self._store.join(self)
            self._joined = True
            self._crew.missed()
            _log.warning("This node takes part again")
        session = self._session
        survey = await self._store.survey()
        move = next_move(survey, self._store.node)
        if self._letting_go is None and not self._leaving:
            await self._unlock(
                {shard for shard, holder in survey.held.items() if holder == self._store.node} - self.held
            )
        if move.take and not self._leaving:
            taken = await self._store.take(move.take)
            if taken and session == self._session:
                self.held.update(taken)
                self._crew.take_up(taken)
                self._first_shard.set()
        elif move.let_go and self._letting_go is None and not self._leaving:
            self._letting_go = asyncio.get_running_loop().create_task(self._let_go_in_turn(move.let_go))
            self._letting_go.add_done_callback(self._let_go_ended)
        if self._crew_looks is None:  # Beside this, which must not wait for anything but the session.
            self._crew_looks = asyncio.get_running_loop().create_task(self._let_crew_look())

    async def _let_crew_look(self) -> None:
        try:
            await self._crew.look()
        except StoreUnavailable as error:
            _log.debug("Nothing was looked for: %s", error)
        except StoreUnusable as error:
            self._on_failure(error)
        except Exception:
            _log.exception("A bug in what a node looks for")
        finally:
            self._crew_looks = None

    # -- letting go ------------------------------------------------------------------------------------------------

    async def _let_go_in_turn(self, shards: Sequence[int]) -> None:
        """One at a time, so that few executions wait while others still come to their ends."""
        session = self._session
        for shard in shards:
            if session == self._session and not self._leaving:
                await self._let_go([shard])

    def _let_go_ended(self, task: asyncio.Task[None]) -> None:
        self._letting_go = None
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreUnusable):
            self._on_failure(error)
        elif error is not None:
            _log.error("A bug in letting go of a shard", exc_info=error)

    async def _let_go(self, shards: Collection[int]) -> None:
        session, waiting = self._session, set(shards) & self.held
        for shard in waiting:
            self._store.retire(shard)
        self.retired.update(waiting)
        self._crew.retire(waiting)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.shard_drain_seconds
        while waiting and session == self._session:
            unfinished = self._crew.unfinished(waiting) if loop.time() < until else ()
            done = waiting.difference(unfinished)
            waiting -= done
            self._leave(done, StoreUnavailable("the execution has moved to another node; try again"))
            await self._unlock(done)
            if waiting:
                await asyncio.sleep(_DRAIN_LOOK_SECONDS)

    async def _unlock(self, shards: Collection[int]) -> None:
        for shard in shards:
            try:
                await self._store.let_go(shard)
            except StoreUnavailable as error:  # If the session lives, the next look finds that the lock is still there.
                _log.info("The lock of shard %d is still there: %s", shard, error)

    def _leave(self, shards: Collection[int], error: StoreUnavailable) -> None:
        self.held.difference_update(shards)
        self.retired.difference_update(shards)
        self._crew.leave(shards, error)

    # -- what the store says ---------------------------------------------------------------------------------------

    def lost(self, reason: str) -> None:
        self._session += 1
        self._joined = False
        _log.warning("This node has lost its shards: %s", reason)
        self._leave(
            tuple(self.held), StoreUnavailable(f"the connection to the database was lost ({reason}); try again")
        )

    def heard(self, notice: Notice) -> None:
        self._crew.heard(notice)

    def missed(self) -> None:
        self._crew.missed()
