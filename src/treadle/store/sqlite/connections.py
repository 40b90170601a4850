"""The two ways to the database file: reads have a connection and a thread, writes go through GroupWriter.

In WAL mode a reader sees the last commit and waits for nobody. One thread reads, so that no list, however
long, keeps the event loop or takes more than one core's share.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from treadle.store.contract import StoreUnavailable, StoreUnusable
from treadle.store.sql.session import Job, Row, SqlStore, Value
from treadle.store.sqlite.database import Database
from treadle.store.sqlite.errors import DiskFull, translate
from treadle.store.sqlite.sql import STATEMENTS
from treadle.store.sqlite.writer import ConnectionJob, GroupWriter

_T = TypeVar("_T")


class Connections(SqlStore):
    """A database that can be opened and closed, read and written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: Database | None = None
        self._writer: GroupWriter
        self._reader: ThreadPoolExecutor

    async def open(self) -> None:
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="treadle-read")
        try:
            self._database = await asyncio.get_running_loop().run_in_executor(self._reader, Database.open, self._path)
        except BaseException:
            self._reader.shutdown()
            raise
        self._writer = GroupWriter(self._database)

    async def close(self) -> None:
        self.hurry()
        database, self._database = self._database, None
        if database is None:
            return
        try:
            if database.failure is None:
                await self._writer.submit(lambda connection: None)  # The last in the queue: others are done.
        finally:
            self._writer.stop()
            try:
                await asyncio.get_running_loop().run_in_executor(self._reader, database.close)
            except sqlite3.Error as error:
                raise translate(error, database.path) from error
            finally:
                self._reader.shutdown()

    def _usable(self) -> Database:
        if self._database is None:
            raise StoreUnusable(f"{self._path} is not open")
        if self._database.failure is not None:
            raise StoreUnusable(str(self._database.failure))
        return self._database

    @property
    def full(self) -> bool:
        return self._database is not None and self._writer.full

    def hurry(self) -> None:
        if self._database is not None:
            self._writer.hurry()

    async def write(self, job: Job[_T], weight: int = 1) -> _T:
        answer: _T = await self.submit(lambda connection: _finish(job(_Session(connection))), weight)
        return answer

    def submit(self, job: ConnectionJob, rows: int = 1) -> asyncio.Future[Any]:
        """Carry out `job`, which writes for about `rows` executions, in a transaction; done with what it returns once
        that is on disk."""
        self._usable()
        return self._writer.submit(job, rows)

    async def read(self, name: str, /, **values: Value) -> list[Row]:
        database = self._usable()

        def fetch() -> list[Row]:
            return database.reader.execute(STATEMENTS[name], values).fetchall()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, fetch)
        except sqlite3.Error as error:
            known = translate(error, database.path)
            if isinstance(known, DiskFull):  # of temporary files: the database itself is only read
                raise StoreUnavailable(str(known)) from error
            if isinstance(known, StoreUnusable):
                database.fail(known)
            raise known from error


class _Session:
    """Implements `store.sql.session.Session` on the connection that writes. Nothing here ever waits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def rows(self, name: str, /, **values: Value) -> list[Row]:
        return self._connection.execute(STATEMENTS[name], values).fetchall()

    async def change(self, name: str, /, **values: Value) -> int:
        return self._connection.execute(STATEMENTS[name], values).rowcount

    async def change_many(self, name: str, values: Iterable[Mapping[str, Value]], /) -> int:
        return self._connection.executemany(STATEMENTS[name], values).rowcount


def _finish(work: Coroutine[Any, Any, _T]) -> _T:
    """Carry out, at once and as a whole, a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        answer: _T = end.value
        return answer
    work.close()
    raise RuntimeError("a job waited for something else than its session")
