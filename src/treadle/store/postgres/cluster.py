"""Nodes on one PostgreSQL database: implements `store.cluster_contract.ClusterStore`.

Theory of operation.  A node takes part as long as its session lives, which is the connection that writes.  The session
holds an advisory lock for the node and one for each of its shards; `pg_locks` says who holds what.  PostgreSQL ends a
session from which it has heard nothing for a while, and the node gives up one that does not answer for as long.
Neither needs to know what the other thinks: locks and writes go together.

A second connection hears what nodes tell each other (LISTEN), and says it.  It holds nothing.  While it is being made
anew, notices are missed, and the node is told so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any

import asyncpg

from treadle.clock import Clock
from treadle.limits import Limits
from treadle.store.cluster_contract import Hears, Notice, Request, Survey
from treadle.store.contract import Store, StoreUnavailable, StoreUnusable
from treadle.store.postgres.address import Address
from treadle.store.postgres.errors import translate
from treadle.store.postgres.sql import STATEMENTS
from treadle.store.postgres.store import PostgresStore
from treadle.store.sql.session import Row, Session

_CHANNEL = "treadle"
_SHARD, _NODE = 1, 2
"""The first keys of locks."""
_NODE_NUMBERS = 2**31 - 1
_RETRY_SECONDS = 0.5
"""Before the connection that hears is made anew."""

_LARGE_SECONDS = 600
"""How long one transaction may take that writes a great deal, a million rows for one."""

_log = logging.getLogger(__name__)


class PostgresCluster:
    def __init__(self, url: str, clock: Clock, limits: Limits) -> None:
        self._store = PostgresStore(url)
        self._address = Address(url)
        self._clock = clock
        self._silence = limits.node_silence_seconds
        self._node = 0
        self._session = 0
        """The number of PostgreSQL's process that serves the session."""
        self._hears: Hears | None = None
        self._ear: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()
        """Held by whoever says something through the connection that hears."""
        self._listening: asyncio.Task[None] | None = None

    @property
    def store(self) -> Store:
        return self._store

    @property
    def node(self) -> int:
        return self._node

    # -- life ------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Bring the schema up to date, and be ready to read. Raises StoreUnavailable, StoreUnusable."""
        await self._store.connect()

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        if self._ear is not None:
            self._ear.terminate()
        await self._store.close()

    async def join(self, hears: Hears) -> None:
        self._hears = hears
        await self._store.begin(
            self._lost,
            idle_session_timeout=f"{self._silence}s",
            idle_in_transaction_session_timeout=f"{self._silence}s",
            # A node that is gone with its network: what it was being sent does not arrive.
            tcp_user_timeout=f"{self._silence}s",
        )
        self._node = await self._store.write(_enter)
        ((self._session,),) = await self._store.write(lambda session: session.rows("session"))
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._listen())

    def _lost(self, reason: Exception) -> None:
        self._store.forget_shards(reason)
        self._store.drop_readers()
        if isinstance(reason, StoreUnusable):
            _log.error("%s", reason)
        if self._hears is not None:
            self._hears.lost(str(reason))

    async def withdraw(self) -> None:
        await self._store.write(lambda session: session.rows("node_withdraw", node=self._node))

    async def survey(self) -> Survey:
        locks = await self._heard_from(self._store.write(lambda session: session.rows("nodes")))
        nodes = {session: number for kind, number, session in locks if kind == _NODE}
        held = {shard: nodes.get(session, -session) for kind, shard, session in locks if kind == _SHARD}
        own = {shard: self._node for kind, shard, session in locks if kind == _SHARD and session == self._session}
        return Survey(nodes.values(), {**held, **own})

    async def _heard_from(self, asked: Coroutine[Any, Any, list[Row]]) -> list[Row]:
        """The answer, unless it takes so long that the session does not work."""
        answer = asyncio.get_running_loop().create_task(asked)
        patience = _LARGE_SECONDS
        try:
            while not (await asyncio.wait([answer], timeout=self._silence))[0]:
                patience -= self._silence
                if patience <= 0 or not self._store.at_length:
                    self._store.break_off(f"it has not answered for {self._silence} seconds")
            return await answer
        finally:
            answer.cancel()

    async def take(self, shards: Collection[int]) -> Collection[int]:
        return await self._store.take(shards)

    def retire(self, shard: int) -> None:
        self._store.retire(shard)

    async def let_go(self, shard: int) -> None:
        await self._store.let_go(shard)

    # -- notices ---------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Have a connection that hears, all the time."""
        while True:
            broken = asyncio.Event()
            try:
                self._ear = await self._address.connect("notices", idle_session_timeout="0")
                self._ear.add_termination_listener(lambda _, broken=broken: broken.set())
                await self._ear.add_listener(_CHANNEL, self._heard)
                if self._hears is not None:
                    self._hears.missed()
                await broken.wait()
            except (StoreUnavailable, StoreUnusable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                _log.debug("No notices are heard: %s", error)
            self._ear = None
            await asyncio.sleep(_RETRY_SECONDS)

    def _heard(self, connection: object, process: int, channel: str, payload: object) -> None:
        kind, key, node = json.loads(str(payload))
        if self._hears is not None:
            self._hears.heard(Notice(kind, key, node))

    async def tell(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            await self._say("tell", notice=_text(notice))

    async def _say(self, name: str, **values: object) -> list[Row]:
        """Carry out a statement through the connection that hears."""
        statement = STATEMENTS[name]
        try:
            async with asyncio.timeout(self._silence), self._one_at_a_time:
                if self._ear is None:
                    raise StoreUnavailable(f"{self._address.place} cannot be reached at the moment")
                rows = await self._ear.fetch(statement.text, *(values[name] for name in statement.names))
                return [tuple(row) for row in rows]
        except TimeoutError:
            if self._ear is not None:
                self._ear.terminate()
            raise StoreUnavailable(f"{self._address.place} does not answer") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise translate(error, self._address.place) from error

    # -- requests --------------------------------------------------------------------------------------------------

    async def ask(self, request: Request) -> None:
        await self._say("request_insert", id=request.id, shard=request.shard, content=request.content)
        await self.tell([Notice("asked", f"{request.shard}:{request.id}")])

    async def asked(self, shards: Collection[int], id: int | None = None) -> Sequence[Request]:
        return [Request(*row) for row in await self._say("requests_open", shards=list(shards), id=id)]

    async def answer(self, request_id: int, answer: bytes) -> None:
        now = self._clock.now()
        await self._store.change("request_answer", id=request_id, answer=answer, answered=now)
        await self.tell([Notice("answered", str(request_id))])

    async def take_answers(self, request_ids: Collection[int]) -> Mapping[int, bytes | None]:
        known = dict[int, bytes | None](await self._say("requests_known", ids=list(request_ids)))
        found = {id: known.get(id) for id in request_ids if id not in known or known[id] is not None}
        for id in found:
            await self._say("request_delete", id=id)
        return found

    async def forget_request(self, request_id: int) -> None:
        await self._say("request_delete", id=request_id)

    async def forget_answers(self, before: int) -> None:
        await self._say("requests_delete_answered", before=before)


async def _enter(session: Session) -> int:
    """Take part under a number that nobody has."""
    while True:
        number = secrets.randbelow(_NODE_NUMBERS) + 1
        ((entered,),) = await session.rows("node_enter", node=number)
        if entered:
            return number


def _text(notice: Notice) -> str:
    return json.dumps([notice.kind, notice.key, notice.node])
