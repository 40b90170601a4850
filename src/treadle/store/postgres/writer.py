"""Group commit on one connection: what waits while a transaction is written shares the next one.

Theory of operation. Jobs and batches of executions wait in a queue, in order. A round takes what is there, and writes
it in one transaction. As a rule nothing of it fails, so there are no savepoints: batches that stand side by side
become one batch, and a round of nothing but batches is a single statement, one way to the server and back, its commit
included. If anything fails, the round is written again, each job with a savepoint of its own, so that one that fails
(a Conflict, a bug in it) leaves no trace and does not hurt the others. Two nodes that were in each other's way are
told so by PostgreSQL, and the round is simply written again.

A round that loses its connection may or may not have been committed. All that waited fails then, and nothing more is
taken: the connection's locks say what this node may write (see `store.py`), and they are gone. Trouble of the server, a
full disk for one, ends the connection as well: so there is one way for a node to go on, with what is on disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import asyncpg
from msgspec import Struct

from treadle.store.contract import Commit, StoreUnavailable, StoreUnusable
from treadle.store.postgres.commits import write_commits
from treadle.store.postgres.errors import crossed, translate
from treadle.store.postgres.sql import STATEMENTS
from treadle.store.sql.session import LARGE, Job, Row, Value

_ROUND_ROWS = 2_000
"""Executions that one round writes: bounds how long those wait that come after it."""

ALONE = -1
"""The weight of a small job that is to have a transaction of its own, after all that was asked for before."""

_OWN_ROUND = (LARGE, ALONE)

_ROUNDS = 10
"""How often a round is written that crosses with other nodes, until they are told so."""


class PostgresSession:
    """Implements `store.sql.session.Session`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def rows(self, name: str, /, **values: Value) -> list[Row]:
        statement = STATEMENTS[name]
        return list(await self.connection.fetch(statement.text, *statement.arguments(values)))

    async def change(self, name: str, /, **values: Value) -> int:
        statement = STATEMENTS[name]
        done: str = await self.connection.execute(statement.text, *statement.arguments(values))
        return int(done.rpartition(" ")[2])

    async def change_many(self, name: str, values: Iterable[Mapping[str, Value]], /) -> int:
        statement = STATEMENTS[name]
        arguments = [statement.arguments(each) for each in values]
        return len(await self.connection.fetchmany(statement.counted, arguments)) if arguments else 0


class _Waiting(Struct):
    work: Job[Any] | Sequence[Commit]
    weight: int
    future: asyncio.Future[Any]


class GroupWriter:
    """Writes in the order in which it is asked to. Belongs to one event loop."""

    def __init__(self, connection: asyncpg.Connection, place: str, lost: Callable[[Exception], None]) -> None:
        """`place` names the database. `lost` is told once why nothing is written any more, unless it was closed."""
        self._connection = connection
        self._place = place
        self._lost = lost
        self._queue: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self.at_length = False
        """It is writing something that may take long, and answers nothing else meanwhile."""
        connection.add_termination_listener(self._terminated)

    def write(self, job: Job[Any], weight: int) -> asyncio.Future[Any]:
        """Done, with what `job` answers, once what it wrote is on disk."""
        return self._submit(_Waiting(job, weight, asyncio.get_running_loop().create_future()))

    def commit(self, commits: Sequence[Commit]) -> asyncio.Future[None]:
        """Done once all of it is on disk."""
        return self._submit(_Waiting(commits, len(commits), asyncio.get_running_loop().create_future()))

    async def close(self) -> None:
        """Write what waits, and close the connection."""
        while self._writing is not None:
            await asyncio.wait([self._writing])
        if self._failure is None:
            self._failure = StoreUnavailable(f"{self._place} is not open")
            await self._connection.close()

    def break_off(self, why: str) -> None:
        """The connection does not work: what waits fails, and nothing is written any more."""
        self._fail(StoreUnavailable(f"{self._place}: {why}"))

    def _submit(self, waiting: _Waiting) -> asyncio.Future[Any]:
        if self._failure is not None:
            waiting.future.set_exception(self._failure)
            return waiting.future
        self._queue.append(waiting)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())
        return waiting.future

    async def _write(self) -> None:
        """Round after round, until nothing waits."""
        try:
            while self._queue and self._failure is None:
                group = self._take()
                try:
                    outcomes = await self._round(group)
                except Exception as error:
                    self._queue.extendleft(reversed(group))
                    self._fail(translate(error, self._place))
                    return
                for waiting, outcome in zip(group, outcomes, strict=True):
                    _answer(waiting.future, outcome)
        finally:
            self._writing = None

    def _take(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        rows = group[0].weight
        self.at_length = rows == LARGE
        if rows in _OWN_ROUND:
            return group
        while self._queue and rows < _ROUND_ROWS and self._queue[0].weight not in _OWN_ROUND:
            group.append(self._queue.popleft())
            rows += group[-1].weight
        return group

    async def _round(self, group: Sequence[_Waiting]) -> list[object]:
        """What became of each: its answer, or its exception. Raises if the connection is lost."""
        try:
            return await self._together(group)
        except Exception as error:
            await self._undo(error)
            if len(group) == 1 and not crossed(error):
                return [self._outcome(error)]
        for _ in range(_ROUNDS):
            try:
                return await self._apart(group)
            except Exception as error:
                await self._undo(error)
                if not crossed(error):
                    raise
        raise StoreUnavailable(f"{self._place}: other nodes write the same rows all the time")

    async def _together(self, group: Sequence[_Waiting]) -> list[object]:
        steps = _merged(group)
        if len(steps) == 1 and not callable(steps[0]):
            await write_commits(self._connection, steps[0])
            return [None] * len(group)
        await self._connection.execute("BEGIN")
        answers = [await self._carry_out(step) for step in steps]
        await self._connection.execute("COMMIT")
        jobs = iter(answer for step, answer in zip(steps, answers, strict=True) if callable(step))
        return [next(jobs) if callable(waiting.work) else None for waiting in group]

    async def _apart(self, group: Sequence[_Waiting]) -> list[object]:
        await self._connection.execute("BEGIN")
        outcomes: list[object] = []
        for waiting in group:
            await self._connection.execute("SAVEPOINT job")
            try:
                outcomes.append(await self._carry_out(waiting.work))
            except Exception as error:
                if crossed(error) or self._connection.is_closed():
                    raise
                outcomes.append(self._outcome(error))
                await self._connection.execute("ROLLBACK TO job")
        await self._connection.execute("COMMIT")
        return outcomes

    async def _carry_out(self, work: Job[Any] | Sequence[Commit]) -> object:
        if callable(work):
            return await work(PostgresSession(self._connection))
        await write_commits(self._connection, work)
        return None

    def _outcome(self, error: Exception) -> Exception:
        """What a job is told that failed with `error`. Raises what concerns more than that job."""
        known = translate(error, self._place)
        if isinstance(known, StoreUnavailable | StoreUnusable):
            raise known from error
        return known

    async def _undo(self, error: Exception) -> None:
        """Leave the transaction that `error` ended. Raises it if the connection ended with it."""
        if self._connection.is_closed():
            raise error
        if self._connection.is_in_transaction():
            await self._connection.execute("ROLLBACK")

    def _terminated(self, connection: object) -> None:
        if self._failure is None:
            self._fail(StoreUnavailable(f"{self._place} has closed the connection"))

    def _fail(self, error: Exception) -> None:
        """Nothing is written any more."""
        if self._failure is None:
            self._failure = (
                error
                if isinstance(error, StoreUnavailable | StoreUnusable)
                else StoreUnavailable(f"{self._place}: {error!r}")
            )
            self._connection.terminate()
            self._lost(self._failure)
        refused = list(self._queue)
        self._queue.clear()
        for waiting in refused:
            _answer(waiting.future, self._failure)


def _merged(group: Sequence[_Waiting]) -> list[Job[Any] | Sequence[Commit]]:
    """What is to be done, with batches that follow each other as one."""
    steps: list[Job[Any] | list[Commit]] = []
    for waiting in group:
        if callable(waiting.work):
            steps.append(waiting.work)
        elif steps and isinstance(steps[-1], list):
            steps[-1].extend(waiting.work)
        else:
            steps.append(list(waiting.work))
    return list(steps)


def _answer(future: asyncio.Future[Any], outcome: object) -> None:
    if future.done():  # Its caller was cancelled. What it wrote stands.
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
