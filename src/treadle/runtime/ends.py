"""Who waits for the end of an execution, whether it is in memory meanwhile or not.

Whoever begins to wait has to look whether there is an execution, and whether it still runs.  What is asked for while
one read is under way makes up the next one: after a restart, very many begin to wait at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from treadle.runtime.resident import answer
from treadle.store.contract import ExecutionRow, ExecutionStatus, Store

_Waiter = asyncio.Future[ExecutionRow]
_Found = tuple[int, ExecutionStatus] | None

_READ_TOGETHER = 500
"""Executions that one read looks for."""


class Ends:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[int, set[_Waiter]] = {}
        self._closed: Exception | None = None
        self._asked: dict[str, list[asyncio.Future[_Found]]] = {}
        """What the next read is to find, by ARN."""
        self._reading: asyncio.Task[None] | None = None

    async def wait(self, execution_arn: str) -> bool:
        """Until an execution of the store has ended; False at once if there is none. Raises why nobody is told any
        more."""
        found = await self._look(execution_arn)
        if found is not None and found[1] == "RUNNING":
            ended = self.of(found[0])
            try:
                found = await self._look(execution_arn)  # it may have ended meanwhile
                if found is not None and found[1] == "RUNNING":
                    await ended
            finally:
                ended.cancel()
        return found is not None

    def _look(self, execution_arn: str) -> asyncio.Future[_Found]:
        """What a read finds that begins after this call."""
        found: asyncio.Future[_Found] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(execution_arn, []).append(found)
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return found

    async def _read(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            arns = list(asked)
            for start in range(0, len(arns), _READ_TOGETHER):
                await self._read_some({arn: asked[arn] for arn in arns[start : start + _READ_TOGETHER]})
        self._reading = None

    async def _read_some(self, asked: Mapping[str, Sequence[asyncio.Future[_Found]]]) -> None:
        try:
            found = await self._store.execution_statuses(list(asked))
        except Exception as error:  # Whoever asked hears of it.
            _refuse(itertools.chain.from_iterable(asked.values()), error)
            return
        for arn, waiters in asked.items():
            for waiter in waiters:
                answer(waiter, found.get(arn))

    def of(self, execution_id: int) -> _Waiter:
        """Done with the row when the execution ends. For one that surely runs."""
        ended: _Waiter = asyncio.get_running_loop().create_future()
        if self._closed is not None:
            ended.set_exception(self._closed)
            return ended
        self._waiting.setdefault(execution_id, set()).add(ended)
        ended.add_done_callback(partial(self._forget, execution_id))
        return ended

    def tell(self, row: ExecutionRow) -> None:
        """It has ended, as its row says."""
        for waiter in self._waiting.pop(row.id, ()):
            answer(waiter, row)

    def refuse(self, execution_id: int, error: Exception) -> None:
        """Nobody will hear of its end."""
        _refuse(self._waiting.pop(execution_id, ()), error)

    def close(self, error: Exception) -> None:
        """Nobody will hear of any end."""
        self._closed = error
        while self._waiting:
            _refuse(self._waiting.popitem()[1], error)

    @property
    def closed(self) -> bool:
        """Whether the server is about to end. What is cancelled then goes on at its next start."""
        return self._closed is not None

    def _forget(self, execution_id: int, waiter: _Waiter) -> None:
        """Whoever waited has been told, or has gone away."""
        waiting = self._waiting.get(execution_id)
        if waiting is not None:
            waiting.discard(waiter)
            if not waiting:
                del self._waiting[execution_id]

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))


def _refuse(waiters: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(error)
