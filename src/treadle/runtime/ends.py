"""Who waits for the end of an execution, whether it is in memory meanwhile or not.

Whoever begins to wait has to look whether there is an execution, and whether it still runs.  After a restart, very many
begin to wait at once: what is asked for in one go, or while a read is under way, is found by one read.  A read may find
running what ends before its answer is here: who waits for that is told by `tell`, as if he had known already that it
runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from treadle.runtime.resident import answer
from treadle.store.contract import ExecutionRow, Store

_Waiter = asyncio.Future[Any]

_READ_TOGETHER = 500
"""Executions that one read looks for."""


class Ends:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[int, list[_Waiter]] = {}
        """For executions that run."""
        self._closed: Exception | None = None
        self._asked: dict[str, list[_Waiter]] = {}
        """For those that the next read is to find, by ARN."""
        self._looking: Mapping[str, Sequence[_Waiter]] = {}
        """For those that the read under way is to find."""
        self._reading: asyncio.Task[None] | None = None

    async def wait(self, execution_arn: str) -> bool:
        """Until an execution of the store has ended; False at once if there is none. Raises why nobody is told any
        more."""
        return await self.watch(execution_arn) is not None

    def watch(self, execution_arn: str) -> asyncio.Future[Any]:
        """Done when an execution of the store has ended; with None, and at once, if there is none."""
        told: _Waiter = asyncio.get_running_loop().create_future()
        if self._closed is not None:
            told.set_exception(self._closed)
            return told
        self._asked.setdefault(execution_arn, []).append(told)
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return told

    async def _read(self) -> None:
        while self._asked:
            await self._while_more_ask()
            asked, self._asked = self._asked, {}
            arns = list(asked)
            for start in range(0, len(arns), _READ_TOGETHER):
                self._looking = {arn: asked[arn] for arn in arns[start : start + _READ_TOGETHER]}
                await self._read_some(self._looking)
                self._looking = {}
        self._reading = None

    async def _while_more_ask(self) -> None:
        """While a page of executions is loaded, ever more of them ask. A read beside that costs several times as much
        as one when they are all there (measured): the two threads wait for each other at every row."""
        before = 0
        while before < len(self._asked) < _READ_TOGETHER:
            before = len(self._asked)
            await asyncio.sleep(0)

    async def _read_some(self, asked: Mapping[str, Sequence[_Waiter]]) -> None:
        try:
            found = await self._store.execution_statuses(list(asked))
        except Exception as error:  # Whoever asked hears of it.
            refuse_all(asked, error)
            return
        for arn, waiters in asked.items():
            execution_id, status = found.get(arn, (0, None))
            for waiter in waiters:
                if status == "RUNNING" and not waiter.done():
                    self._runs(execution_id, waiter)
                else:
                    answer(waiter, status)

    def _runs(self, execution_id: int, waiter: _Waiter) -> None:
        """That is what a read has found."""
        self._keep(execution_id, waiter)

    def _keep(self, execution_id: int, waiter: _Waiter) -> None:
        self._waiting.setdefault(execution_id, []).append(waiter)
        waiter.add_done_callback(partial(self._forget, execution_id))

    def of(self, execution_id: int) -> asyncio.Future[ExecutionRow]:
        """Done with the row when the execution ends. For one that surely runs."""
        ended: asyncio.Future[ExecutionRow] = asyncio.get_running_loop().create_future()
        if self._closed is None:
            self._keep(execution_id, ended)
        else:
            ended.set_exception(self._closed)
        return ended

    def tell(self, row: ExecutionRow) -> None:
        """It has ended, as its row says."""
        for waiter in self._waiting.pop(row.id, ()):
            answer(waiter, row)
        for waiter in self._looking.get(row.arn, ()):
            answer(waiter, row)

    def refuse(self, execution_id: int, error: Exception) -> None:
        """Nobody will hear of its end."""
        _refuse(self._waiting.pop(execution_id, ()), error)

    def close(self, error: Exception) -> None:
        """Nobody will hear of any end."""
        self._closed = error
        while self._waiting:
            _refuse(self._waiting.popitem()[1], error)
        refuse_all(self._looking, error)
        refuse_all(self._asked, error)
        self._asked.clear()

    @property
    def closed(self) -> bool:
        """Whether the server is about to end. What is cancelled then goes on at its next start."""
        return self._closed is not None

    def _forget(self, execution_id: int, waiter: _Waiter) -> None:
        """Whoever waited has been told, or has gone away."""
        waiting = self._waiting.get(execution_id)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[execution_id]

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))


def refuse_all(asked: Mapping[str, Sequence[_Waiter]], error: Exception) -> None:
    for waiters in asked.values():
        _refuse(waiters, error)


def _refuse(waiters: Iterable[_Waiter], error: Exception) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(error)
