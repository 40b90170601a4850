"""What nodes ask each other, by way of the database.

Theory of operation.  A question is a row, addressed to a shard: whoever holds that shard answers it, now or after the
shard has moved.  Its answer is written into the row, in the transaction of what it changes where it changes an
execution; so a question takes effect once, and who asks learns what became of it even if the node that did it has died.
Who asks takes the answer, and the row is gone.

Notices say that there is a question, or an answer.  They may be lost, so everybody also looks from time to time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection
from functools import partial

from treadle.runtime.cluster.messages import REFUSALS, Question, Refused, Reply, decode_question, decode_reply, encode
from treadle.store.cluster_contract import ClusterStore, Notice, Request
from treadle.store.contract import StoreUnavailable, StoreUnusable

_log = logging.getLogger(__name__)

_ID_BITS = 62


class NotHere(Exception):
    """The shard has moved: whoever holds it now answers the question."""


Respond = Callable[[Question, int], Awaitable[Reply]]
"""Answers a question, which has this id. Raises NotHere, or one of REFUSALS."""


class Inbox:
    def __init__(self, store: ClusterStore, respond: Respond, holds: Callable[[int], bool]) -> None:
        """`holds`: whether this node holds a shard."""
        self._store = store
        self._respond = respond
        self._holds = holds
        self._asking: dict[int, asyncio.Future[Reply]] = {}
        self._serving: dict[int, tuple[int, asyncio.Task[None]]] = {}
        """By question: its shard, and who works at its answer."""
        self._served: list[set[int]] = [set(), set()]
        """Questions answered since the last look, and between the last two: a look that was under way may still have
        seen them without their answers."""
        self._fetches: set[asyncio.Task[None]] = set()

    # -- asking ----------------------------------------------------------------------------------------------------

    async def ask(self, shard: int, question: Question, seconds: float | None = None) -> Reply:
        """What the holder of the shard replies, if need be after a change of holders. Raises StoreUnavailable if there
        is no reply for so long, and what it is refused with."""
        id = secrets.randbits(_ID_BITS)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._asking[id] = reply
        try:
            await self._store.ask(Request(id, shard, encode(question)))
            async with asyncio.timeout(seconds):
                replied = await reply
        except TimeoutError:
            raise StoreUnavailable("the node that runs the execution does not answer; try again") from None
        finally:
            del self._asking[id]
            if not reply.done():
                self._spawn(self._store.forget_request(id))
        if isinstance(replied, Refused):
            raise REFUSALS[replied.reason](replied.text)
        return replied

    async def _take_answers(self) -> None:
        for id, answer in (await self._store.take_answers(list(self._asking))).items():
            reply = self._asking.get(id)
            if reply is None or reply.done():
                continue
            if answer is None:
                reply.set_exception(StoreUnavailable("the question is gone; try again"))
            else:
                reply.set_result(decode_reply(answer))

    # -- answering -------------------------------------------------------------------------------------------------

    def heard(self, notice: Notice) -> None:
        """There is a question (`asked`) or an answer (`answered`)."""
        if notice.kind == "answered":
            if int(notice.key) in self._asking:
                self._spawn(self._take_answers())
            return
        shard, _, id = notice.key.partition(":")
        if self._holds(int(shard)):
            self._spawn(self._serve([int(shard)], int(id)))

    async def look(self, shards: Collection[int]) -> None:
        """Look for what the notices did not tell of: questions for these shards, and answers."""
        self._served = [set(), self._served[0]]
        await self._serve(shards)
        if self._asking:
            await self._take_answers()

    async def _serve(self, shards: Collection[int], id: int | None = None) -> None:
        for request in await self._store.asked(shards, id):
            known = request.id in self._serving or any(request.id in served for served in self._served)
            if not known and self._holds(request.shard):
                task = asyncio.get_running_loop().create_task(self._answer(request))
                self._serving[request.id] = (request.shard, task)
                task.add_done_callback(partial(self._at_end, request.id))

    def _at_end(self, id: int, task: asyncio.Task[None]) -> None:
        del self._serving[id]

    async def _answer(self, request: Request) -> None:
        try:
            reply = await self._respond(decode_question(request.content), request.id)
        except (NotHere, StoreUnavailable, StoreUnusable):
            return  # Whoever holds the shard finds the question.
        except tuple(REFUSALS.values()) as error:
            reply = Refused(type(error).__name__, str(error))
        except Exception:
            _log.exception("A question of another node could not be answered because of a bug")
            reply = Refused(StoreUnavailable.__name__, "the node that runs the execution has a bug; its log says more")
        try:
            await self._store.answer(request.id, encode(reply))
        except (StoreUnavailable, StoreUnusable):
            return
        self._served[0].add(request.id)

    def leave(self, shard: int) -> None:
        """Another node may answer what is asked of this shard."""
        for held, task in list(self._serving.values()):
            if held == shard:
                task.cancel()

    # -- life ------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Nobody waits any more."""
        for reply in self._asking.values():
            if not reply.done():
                reply.set_exception(StoreUnavailable("the server is stopping"))
        tasks = [task for _, task in self._serving.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._fetches, return_exceptions=True)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(self._quietly(work))
        self._fetches.add(task)
        task.add_done_callback(self._fetches.discard)

    async def _quietly(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (StoreUnavailable, StoreUnusable):
            return  # The next look makes up for it, or finds that the node has to stop.
        except Exception:
            _log.exception("A bug in the inbox")
