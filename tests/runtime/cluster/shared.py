"""Several nodes in one process, over one SQLite file, with a session and locks that are a dictionary.

What `store/postgres` gets from PostgreSQL is played here: a node that has lost its session writes nothing any more, and
what it has lost others may take at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from tests.runtime.world import Pieces, Script, ScriptedTasks, echo
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.runtime.cluster.node import Node
from treadle.runtime.virtual import VirtualClock
from treadle.store.cluster_contract import SHARD_BITS, Hears, Notice, Request, Survey, shard_of
from treadle.store.contract import Commit, ExecutionRow, Store, StoreUnavailable
from treadle.store.sqlite.store import SqliteStore

LIMITS = replace(DEFAULT_LIMITS, node_look_milliseconds=5, node_answer_seconds=10, shard_drain_seconds=5)


class Database:
    """What the nodes share."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.locks: dict[int, Session] = {}
        self.sessions: list[Session] = []
        self.requests: dict[int, Request] = {}
        self.answers: dict[int, bytes] = {}
        self.deaf = False
        """Notices are lost."""
        self.last = dict.fromkeys(range(1 << 6), 0)
        self.numbers = itertools.count(1)

    def tell(self, notices: Sequence[Notice]) -> None:
        for session in () if self.deaf else list(self.sessions):
            for notice in notices:
                asyncio.get_running_loop().call_soon(session.hear, notice)


class Session:
    """One node's way to the database. Implements `ClusterStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hears: Hears | None = None
        self._alive = False
        self._part = False
        self._frozen = False
        self._held: list[int] = []
        self._retired: set[int] = set()
        self._turn = itertools.count()
        self.node = 0
        self.reachable = True
        self.commits = 0

    @property
    def store(self) -> Store:
        return cast("Store", NodeStore(self))

    def check(self) -> None:
        if not self._alive:
            if self._frozen and self._hears is not None:
                self._frozen = False
                self._hears.lost("the session is gone")
            raise StoreUnavailable("no session")

    def hear(self, notice: Notice) -> None:
        if self._alive and self._hears is not None:
            self._hears.heard(notice)

    def cut(self) -> None:
        """The session ends."""
        self._alive = self._part = False
        self._held.clear()
        for shard in [shard for shard, session in self._database.locks.items() if session is self]:
            del self._database.locks[shard]
        self._database.sessions.remove(self)
        if self._hears is not None:
            self._hears.lost("cut")

    def freeze(self) -> None:
        """The node stands still: the database ends the session, and the node hears of it with its next words."""
        hears, self._hears = self._hears, None
        self.cut()
        self._hears = hears
        self._frozen = True

    async def join(self, hears: Hears) -> None:
        if not self.reachable:
            raise StoreUnavailable("cut off")
        self._hears = hears
        self.node = next(self._database.numbers)
        self._alive = self._part = True
        self._database.sessions.append(self)

    async def withdraw(self) -> None:
        self.check()
        self._part = False

    async def survey(self) -> Survey:
        self.check()
        held = {shard: session.node for shard, session in self._database.locks.items()}
        return Survey([each.node for each in self._database.sessions if each._part], held)

    async def take(self, shards: Collection[int]) -> Collection[int]:
        self.check()
        taken = [shard for shard in shards if shard not in self._database.locks]
        for shard in taken:
            self._database.locks[shard] = self
        self._held += taken
        self._retired.difference_update(taken)
        return taken

    def retire(self, shard: int) -> None:
        self._retired.add(shard)

    async def let_go(self, shard: int) -> None:
        self.check()
        self._held.remove(shard)
        del self._database.locks[shard]

    async def tell(self, notices: Sequence[Notice]) -> None:
        self.check()
        self._database.tell(notices)

    async def ask(self, request: Request) -> None:
        self.check()
        self._database.requests[request.id] = request
        self._database.tell([Notice("asked", f"{request.shard}:{request.id}")])

    async def asked(self, shards: Collection[int], id: int | None = None) -> Sequence[Request]:
        self.check()
        open_ = [each for each in self._database.requests.values() if each.id not in self._database.answers]
        return [each for each in open_ if each.shard in shards and id in (None, each.id)]

    async def answer(self, request_id: int, answer: bytes) -> None:
        self.check()
        if request_id in self._database.requests:
            self._database.answers.setdefault(request_id, answer)
            self._database.tell([Notice("answered", str(request_id))])

    async def take_answers(self, request_ids: Collection[int]) -> Mapping[int, bytes | None]:
        self.check()
        gone = {id: None for id in request_ids if id not in self._database.requests}
        answered = {id: self._database.answers[id] for id in request_ids if id in self._database.answers}
        for id in answered:
            del self._database.answers[id], self._database.requests[id]
        return {**gone, **answered}

    async def forget_request(self, request_id: int) -> None:
        self._database.requests.pop(request_id, None)
        self._database.answers.pop(request_id, None)

    async def forget_answers(self, before: int) -> None: ...

    # -- for the store -----------------------------------------------------------------------------------------------

    def new_id(self, beside: int | None) -> int:
        usable = [shard for shard in self._held if shard not in self._retired] or self._held
        if not usable:
            raise StoreUnavailable("no shard")
        shard = usable[next(self._turn) % len(usable)] if beside is None else shard_of(beside)
        self._database.last[shard] += 1
        return (shard << SHARD_BITS) + self._database.last[shard]

    async def commit(self, commits: Sequence[Commit]) -> None:
        self.check()
        assert all(self._database.locks.get(shard_of(each.execution.id)) is self for each in commits)
        self.commits += 1
        await self._database.store.commit(commits)
        for commit in commits:
            for id, answer in commit.answers:
                if id in self._database.requests:
                    self._database.answers.setdefault(id, answer)


class NodeStore:
    """The shared store as one node sees it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._store = session._database.store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def execution_id(self, beside: int | None = None) -> int:
        return self._session.new_id(beside)

    async def commit(self, commits: Sequence[Commit]) -> None:
        await self._session.commit(commits)

    async def machine_remove(self, arn: str) -> bool:
        self._session.check()
        return await self._store.machine_remove(arn)

    async def executions_due(
        self, until: int, after: tuple[int, int] | None, limit: int, shards: Collection[int] | None = None
    ) -> Sequence[ExecutionRow]:
        assert shards is not None
        found = await self._store.executions_due(until, after, 10_000)
        return [row for row in found if shard_of(row.id) in shards][:limit]


class ClusterWorld:
    """Nodes that share a database, a clock, and what carries out tasks."""

    def __init__(self, folder: Path, script: Script = echo) -> None:
        self.path = folder / "treadle.db"
        self.clock = VirtualClock()
        self.script = script
        self.limits: Limits = LIMITS
        self.database: Database
        self.nodes: list[Node] = []
        self.sessions: list[Session] = []
        self.tasks: list[ScriptedTasks] = []

    async def open(self, nodes: int) -> None:
        store = SqliteStore(self.path)
        await store.open()
        self.database = Database(store)
        for _ in range(nodes):
            await self.add()
        await self.settled()

    async def add(self) -> Node:
        session, tasks = Session(self.database), ScriptedTasks(self.clock, self.script)
        node = Node(cluster=session, tasks=tasks, datasets=Pieces(), clock=self.clock, limits=self.limits)
        self.nodes.append(node)
        self.sessions.append(session)
        self.tasks.append(tasks)
        await node.start()
        return node

    async def close(self) -> None:
        for node, session in zip(self.nodes, self.sessions, strict=True):
            if session in self.database.sessions:
                await node.close()
        await self.database.store.close()

    async def settled(self) -> None:
        """Until the shards are where they belong."""
        while True:
            there = zip(self.nodes, self.sessions, strict=True)
            held = [len(node._membership.held) for node, session in there if session._alive and session._part]
            if sum(held) == 64 and max(held) - min(held) <= 1:
                return
            await asyncio.sleep(0.005)

    async def die(self, place: int) -> None:
        """As by kill -9: the node does nothing any more, and its session is gone."""
        session, node = self.sessions.pop(place), self.nodes.pop(place)
        self.tasks.pop(place)
        session.freeze()
        session.reachable = False
        session._hears = None
        assert node._membership._task is not None
        node._membership._task.cancel()
        node._closed = StoreUnavailable("dead")

    async def run(self, seconds: float = 0) -> None:
        """Let virtual time pass."""
        until = self.clock.now() + round(seconds * 1_000)
        self.clock.call_at(until, lambda: None)

        async def idle() -> None:
            for node in self.nodes:
                await node.idle()
            await asyncio.sleep(0.002)

        await self.clock.run(idle, lambda: self.clock.now() >= until)

    async def row(self, execution: ExecutionRow) -> ExecutionRow:
        row = await self.database.store.execution_get(execution.arn)
        assert row is not None
        return row
