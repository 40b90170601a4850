"""The simulated database that nodes share: sessions, locks of shards, notices and requests over one disk.

What PostgreSQL gives is played here.  A node writes through its session, and locks and writes go together: when a
session ends, its shards are free in that moment, and what the node had on its way does not take effect, nor what it
writes later.  Whether and when the node hears of it is another matter: it may be frozen.  Notices and requests go over
a connection of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from random import Random
from typing import Any, cast

from treadle.store.cluster_contract import SHARD_BITS, Hears, Notice, Request, Survey, shard_of
from treadle.store.contract import Commit, Store, StoreUnavailable

from .disk import Disk
from .histories import Complain
from .loop import Scheduler, SimulatedLoop
from .store import Pace, SimulatedStore

_GONE = StoreUnavailable("the session is gone")
_DOWN = StoreUnavailable("the database is not there at the moment")
_TOGETHER = 2
"""New executions that go into one shard before it is the turn of the next."""


class Session:
    """What the database knows of a node."""

    def __init__(self, node: int, client: SimulatedCluster) -> None:
        self.node = node
        self.client = client
        self.alive = True
        self.takes_part = True


class Database:
    """What the nodes share."""

    def __init__(self, disk: Disk, scheduler: Scheduler, dice: Random, complain: Complain) -> None:
        self.disk = disk
        self.locks: dict[int, Session] = {}
        self.sessions: list[Session] = []
        self.clients: list[SimulatedCluster] = []
        """Whoever hears notices."""
        self.requests: dict[int, Request] = {}
        self.answers: dict[int, bytes] = {}
        self.down = False
        self._scheduler = scheduler
        self._dice = dice
        self._complain = complain
        self._numbers = itertools.count(1)
        disk.on_change = lambda table, key: self.tell([Notice(table, key)])

    def begin(self, client: SimulatedCluster) -> Session:
        self.cut(client, "the node has begun another one")
        session = Session(next(self._numbers), client)
        self.sessions.append(session)
        return session

    def cut(self, client: SimulatedCluster, reason: str) -> None:
        """End its session, whether it knows of it or not."""
        for session in [session for session in self.sessions if session.client is client]:
            self.end(session, reason)

    def end(self, session: Session, reason: str) -> None:
        """Its shards are free; its node hears of it as soon as it can."""
        session.alive = session.takes_part = False
        self.sessions.remove(session)
        for shard in [shard for shard, holder in self.locks.items() if holder is session]:
            del self.locks[shard]
        session.client.lost(session, reason)

    def stop(self) -> None:
        """The database goes away, and with it all sessions."""
        self.down = True
        for session in tuple(self.sessions):
            self.end(session, "the database has stopped")

    def go_on(self) -> None:
        self.down = False
        for client in self.clients:
            client.missed()

    def tell(self, notices: Sequence[Notice]) -> None:
        for client in self.clients:
            for notice in notices:
                client.hear(notice)

    def commit(self, session: Session | None, commits: Sequence[Commit]) -> None:
        for commit in commits:
            if self.locks.get(shard_of(commit.execution.id)) is not session:
                self._complain("ownership", f"{commit.execution.arn} is written by a node that does not hold its shard")
        self.disk.commit(commits)
        for commit in commits:
            for id, answer in commit.answers:
                self.answer(id, answer)

    def answer(self, id: int, answer: bytes) -> None:
        if id in self.requests and id not in self.answers:
            self.answers[id] = answer
            self.tell([Notice("answered", str(id))])

    def take_answers(self, ids: Collection[int]) -> Mapping[int, bytes | None]:
        found = {id: self.answers.get(id) for id in ids if id in self.answers or id not in self.requests}
        for id in found:
            self.forget(id)
        return found

    def forget(self, id: int) -> None:
        self.requests.pop(id, None)
        self.answers.pop(id, None)

    def last_id(self, shard: int) -> int:
        return max((id for id in self.disk.executions if shard_of(id) == shard), default=shard << SHARD_BITS)


class NodeStore(SimulatedStore):
    """The shared store as one node sees it."""

    def __init__(self, database: Database, scheduler: Scheduler, loop: SimulatedLoop, dice: Random, pace: Pace) -> None:
        super().__init__(database.disk, scheduler, loop, dice, pace)
        self._database = database
        self.session: Session | None = None
        self.held: set[int] = set()
        self.retired: set[int] = set()
        self._last: dict[int, int] = {}
        self._turns: Iterator[int] = iter(())

    async def open(self) -> None: ...

    def take(self, shards: Collection[int]) -> Collection[int]:
        """The database's part of it."""
        taken = [shard for shard in shards if shard not in self._database.locks]
        for shard in taken:
            assert self.session is not None
            self._database.locks[shard] = self.session
        return taken

    def taken(self, shards: Collection[int]) -> None:
        for shard in shards:
            self._last[shard] = max(self._database.last_id(shard), self._last.get(shard, 0))
        self.held.update(shards)
        self.retired.difference_update(shards)
        self.shards_changed()

    def shards_changed(self) -> None:
        usable = sorted(self.held - self.retired or self.held)
        self._turns = itertools.cycle([shard for shard in usable for _ in range(_TOGETHER)])

    def execution_id(self, beside: int | None = None) -> int:
        shard = next(self._turns, -1) if beside is None else shard_of(beside)
        if shard not in self.held:
            raise StoreUnavailable("this node holds no shard in which an execution could begin")
        self._last[shard] += 1
        return self._last[shard]

    async def commit(self, commits: Sequence[Commit]) -> None:
        if not self.held.issuperset(shard_of(commit.execution.id) for commit in commits):
            raise StoreUnavailable("the execution has moved to another node; try again")
        session = self.session
        await self._write(lambda: self._database.commit(session, commits))

    def refusal(self, session: Session | None) -> StoreUnavailable | None:
        """Why a write that was begun in this session cannot take effect."""
        return None if session is not None and session.alive else _GONE

    async def _write(self, write: Callable[[], Any]) -> Any:
        session = self.session
        if session is None:
            raise _GONE

        def write_if_alive() -> Any:
            refusal = self.refusal(session)
            if refusal is not None:
                raise refusal
            return write()

        return await super()._write(write_if_alive)

    async def _read(self, read: Callable[[], Any]) -> Any:
        def read_if_there() -> Any:
            if self._database.down:
                raise _DOWN
            return read()

        return await super()._read(read_if_there)

    async def through_session(self, change: Callable[[], Any]) -> Any:
        return await self._write(change)

    async def beside_session(self, change: Callable[[], Any]) -> Any:
        """Over the connection that hears: once, at some moment."""
        await self._read(lambda: None)
        if self._database.down:
            raise _DOWN
        result = change()
        await self._read(lambda: None)
        return result


class SimulatedCluster:
    """Implements `cluster_contract.ClusterStore` for one process."""

    def __init__(self, database: Database, scheduler: Scheduler, loop: SimulatedLoop, dice: Random, pace: Pace) -> None:
        self.nodes_store = NodeStore(database, scheduler, loop, dice, pace)
        self._database = database
        self._scheduler = scheduler
        self._loop = loop
        self._dice = dice
        self._hears: Hears | None = None
        self._heard_until = 0.0

    @property
    def store(self) -> Store:
        return cast("Store", self.nodes_store)

    @property
    def session(self) -> Session | None:
        return self.nodes_store.session

    @property
    def node(self) -> int:
        session = self.session
        return 0 if session is None else session.node

    def close(self) -> None:
        """The process is gone."""
        if self in self._database.clients:
            self._database.clients.remove(self)

    # -- what the database tells -------------------------------------------------------------------------------

    def lost(self, session: Session, reason: str) -> None:
        def hear() -> None:
            if self.session is not session:
                return
            self.nodes_store.session = None
            self.nodes_store.held.clear()
            self.nodes_store.retired.clear()
            self.nodes_store.shards_changed()
            self.nodes_store.break_off(_GONE)
            assert self._hears is not None
            self._hears.lost(reason)

        self._scheduler.call_later(self._dice.expovariate(100), lambda: self._loop.post(hear), self._loop)

    def hear(self, notice: Notice) -> None:
        """In the order in which they were told."""
        if not self._database.down:
            self._later(lambda: None if self._hears is None else self._hears.heard(notice))

    def missed(self) -> None:
        self._later(lambda: None if self._hears is None else self._hears.missed())

    def _later(self, callback: Callable[[], None]) -> None:
        self._heard_until = max(self._heard_until, self._scheduler.time) + self._dice.expovariate(200)
        self._scheduler.call_at(self._heard_until, lambda: self._loop.post(callback), self._loop)

    # -- the session -------------------------------------------------------------------------------------------

    async def join(self, hears: Hears) -> None:
        self._hears = hears
        if self not in self._database.clients:
            self._database.clients.append(self)
        session = await self.nodes_store.beside_session(lambda: self._database.begin(self))
        self.nodes_store.session = session
        if not session.alive:
            raise _GONE

    async def withdraw(self) -> None:
        session = self.session

        def withdraw() -> None:
            assert session is not None
            session.takes_part = False

        await self.nodes_store.through_session(withdraw)

    async def survey(self) -> Survey:
        def survey() -> Survey:
            nodes = [session.node for session in self._database.sessions if session.takes_part]
            return Survey(nodes, {shard: session.node for shard, session in self._database.locks.items()})

        return cast("Survey", await self.nodes_store.through_session(survey))

    async def take(self, shards: Collection[int]) -> Collection[int]:
        session = self.session
        taken = await self.nodes_store.through_session(lambda: self.nodes_store.take(shards))
        if self.session is not session:  # It was lost before its answer was heard.
            return ()
        self.nodes_store.taken(taken)
        return cast("Collection[int]", taken)

    def retire(self, shard: int) -> None:
        self.nodes_store.retired.add(shard)
        self.nodes_store.shards_changed()

    async def let_go(self, shard: int) -> None:
        self.nodes_store.held.discard(shard)
        self.nodes_store.retired.discard(shard)
        self.nodes_store.shards_changed()
        session = self.session

        def unlock() -> None:
            if self._database.locks.get(shard) is session:  # another node may have it by now
                del self._database.locks[shard]

        await self.nodes_store.through_session(unlock)

    async def answer(self, request_id: int, answer: bytes) -> None:
        await self.nodes_store.through_session(lambda: self._database.answer(request_id, answer))

    # -- beside it ---------------------------------------------------------------------------------------------

    async def tell(self, notices: Sequence[Notice]) -> None:
        await self.nodes_store.beside_session(lambda: self._database.tell(notices))

    async def ask(self, request: Request) -> None:
        def ask() -> None:
            self._database.requests[request.id] = request
            self._database.tell([Notice("asked", f"{request.shard}:{request.id}")])

        await self.nodes_store.beside_session(ask)

    async def asked(self, shards: Collection[int], id: int | None = None) -> Sequence[Request]:
        def asked() -> Sequence[Request]:
            waiting = [each for each in self._database.requests.values() if each.id not in self._database.answers]
            return [each for each in waiting if each.shard in shards and id in (None, each.id)]

        return cast("Sequence[Request]", await self.nodes_store.beside_session(asked))

    async def take_answers(self, request_ids: Collection[int]) -> Mapping[int, bytes | None]:
        found = await self.nodes_store.beside_session(lambda: self._database.take_answers(request_ids))
        return cast("Mapping[int, bytes | None]", found)

    async def forget_request(self, request_id: int) -> None:
        await self.nodes_store.beside_session(lambda: self._database.forget(request_id))

    async def forget_answers(self, before: int) -> None: ...
