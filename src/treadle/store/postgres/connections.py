"""The ways to the database: a few connections that read, and one that writes.

Whatever this node writes goes through the one connection of its *session*, in order, through GroupWriter. It may be
lost and begun anew; what it holds, locks above all, is lost with it. A connection that reads is replaced when it
breaks, and what was asked through it is asked once more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import asyncpg

from treadle.store.contract import Commit, StoreUnavailable
from treadle.store.postgres.address import Address
from treadle.store.postgres.errors import translate
from treadle.store.postgres.schema import bring_up_to_date
from treadle.store.postgres.sql import MIGRATIONS, STATEMENTS
from treadle.store.postgres.writer import GroupWriter
from treadle.store.sql.session import Job, Row, SqlStore, Value

_T = TypeVar("_T")

_READERS = 4
"""Connections that read, at most: so many lists are made at once."""

_READ_SECONDS = 60.0

_WRITER_SETTINGS = {
    # Whatever the database's own setting is: what is acknowledged is on disk.
    "synchronous_commit": "on",
}

_LOOK_FOR_US = "SET client_connection_check_interval = '1s'"
"""A session whose node has gone ends, and lets go of its locks, also in the midst of a statement that takes long."""


class Connections(SqlStore):
    """A database that can be opened and closed, read and written."""

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self._readers: Any = None
        self._writer: GroupWriter | None = None

    @property
    def place(self) -> str:
        """The database, for messages; without its password."""
        return self._address.place

    async def connect(self) -> None:
        """Bring the schema up to date, and be ready to read."""
        connection = await self._address.connect("migration")
        try:
            await bring_up_to_date(connection, self.place, MIGRATIONS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise translate(error, self.place) from error
        finally:
            await connection.close()
        await self._take_readers()

    async def _take_readers(self) -> None:
        """Be ready to read. Connections are made when they are needed."""
        self._readers = await asyncpg.create_pool(
            min_size=0,
            max_size=_READERS,
            connect=self._connect_reader,
            reset=_leave_as_it_is,
            command_timeout=_READ_SECONDS,
        )

    async def begin(self, lost: Callable[[Exception], None], **settings: str) -> None:
        """Begin a session: a new connection that writes. `lost` is told once if it ends before `end`. `settings` are
        PostgreSQL's own, for the session."""
        await self.end()
        connection = await self._address.connect("node", **_WRITER_SETTINGS, **settings)
        with contextlib.suppress(asyncpg.InvalidParameterValueError):  # Where the server's system cannot look.
            await connection.execute(_LOOK_FOR_US)
        if self._readers is None:
            await self._take_readers()
        self._writer = GroupWriter(connection, self.place, lost)

    async def end(self) -> None:
        """Write what waits, and end the session."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()

    @property
    def at_length(self) -> bool:
        """The session is writing something that may take long, and answers nothing else meanwhile."""
        return self._writer is not None and self._writer.at_length

    def break_off(self, why: str) -> None:
        """The session does not work: it is lost."""
        if self._writer is not None:
            self._writer.break_off(why)

    def drop_readers(self) -> None:
        """Until the next session begins, whoever reads is refused at once, also who waits for an answer: what is on the
        way to a database that cannot be reached may wait for long."""
        readers, self._readers = self._readers, None
        if readers is not None:
            readers.terminate()

    async def close(self) -> None:
        await self.end()
        readers, self._readers = self._readers, None
        if readers is not None:
            await readers.close()

    async def write(self, job: Job[_T], weight: int = 1) -> _T:
        answer: _T = await self._session().write(job, weight)
        return answer

    async def commit(self, commits: Sequence[Commit]) -> None:
        await self._session().commit(tuple(commits))

    async def read(self, name: str, /, **values: Value) -> list[Row]:
        statement = STATEMENTS[name]
        arguments = statement.arguments(values)
        try:
            return await self._fetch(statement.text, arguments)
        except StoreUnavailable:
            # A server that was restarted has left broken connections behind, and takes new ones.
            return await self._fetch(statement.text, arguments)

    async def _fetch(self, text: str, arguments: Sequence[object]) -> list[Row]:
        if self._readers is None:
            raise StoreUnavailable(f"{self.place} is not open")
        try:
            async with self._readers.acquire() as connection:
                rows: list[Row] = await connection.fetch(text, *arguments)
                return rows
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise translate(error, self.place) from error

    def _session(self) -> GroupWriter:
        if self._writer is None:
            raise StoreUnavailable(f"{self.place} is not open for writing")
        return self._writer

    async def _connect_reader(self, *_: object, **__: object) -> asyncpg.Connection:
        connection = await self._address.connect("reader")
        # Not as it connects: a URL may ask for a server that takes writes, and such a session would not look like one.
        await connection.execute("SET default_transaction_read_only = on")
        return connection


async def _leave_as_it_is(connection: object) -> None:
    """Readers change nothing about their connection, so that nothing needs to be put back."""
