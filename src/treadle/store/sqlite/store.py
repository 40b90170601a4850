"""The store in one SQLite file. Writes go through GroupWriter; reads have a connection and a thread.

In WAL mode a reader sees the last commit and waits for nobody. One thread reads, so that no list, however
long, keeps the event loop or takes more than one core's share.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from treadle.store.contract import (
    Commit,
    Conflict,
    ExecutionFilter,
    ExecutionRow,
    JournalEntry,
    Machine,
    MachineRevision,
    StoreUnusable,
)
from treadle.store.sqlite.database import Database
from treadle.store.sqlite.errors import translate
from treadle.store.sqlite.sql import STATEMENTS
from treadle.store.sqlite.writer import GroupWriter, Job

_S = TypeVar("_S", bound=Struct)
_Row = tuple[Any, ...]

_NEWEST = (2**63 - 1, 2**63 - 1)
_EARLIEST = (-1, -1)
"""Cursors in front of the first row of an order, as no row has such values."""

_created = attrgetter(
    *("id", "arn", "name", "revision_id", "status", "started"),
    *("stopped", "wake", "trace_header", "error", "cause", "output"),
)
_input = attrgetter("id", "input")
_changed = attrgetter("status", "stopped", "wake", "error", "cause", "output", "id")


class SqliteStore:
    """Implements `store.contract.Store` on the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: Database | None = None
        self._writer: GroupWriter
        self._reader: ThreadPoolExecutor
        self._ids: itertools.count[int]
        self._secret: bytes

    async def open(self) -> None:
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="treadle-read")
        try:
            self._database = await asyncio.get_running_loop().run_in_executor(self._reader, Database.open, self._path)
        except BaseException:
            self._reader.shutdown()
            raise
        self._writer = GroupWriter(self._database)
        ((last,),) = await self._read("execution_last_id")
        ((self._secret,),) = await self._read("secret")
        self._ids = itertools.count(last + 1)

    async def close(self) -> None:
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

    async def secret(self) -> bytes:
        return self._secret

    # -- state machines ------------------------------------------------------------------------------------

    async def machine_create(self, machine: Machine, tags: Mapping[str, str]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(STATEMENTS["machine_arn_insert"], {"arn": machine.arn})
            connection.execute(STATEMENTS["revision_insert"], asdict(machine.revision))
            row = {**asdict(machine), "revision_id": machine.revision.id}
            del row["revision"]
            connection.execute(STATEMENTS["machine_insert"], row)
            rows = [{"arn": machine.arn, "key": key, "value": value} for key, value in tags.items()]
            connection.executemany(STATEMENTS["machine_tag_insert"], rows)

        await self._write(write)

    async def machine_get(self, arn: str) -> Machine | None:
        rows = await self._read("machine_get", arn=arn)
        return _machine(rows[0]) if rows else None

    async def machine_update(self, arn: str, revision: MachineRevision) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(STATEMENTS["revision_insert"], asdict(revision))
            row = {"arn": arn, "revision_id": revision.id}
            if connection.execute(STATEMENTS["machine_update"], row).rowcount == 0:
                raise Conflict(f"{arn} does not exist or is being deleted")

        await self._write(write)

    async def machine_delete(self, arn: str) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(STATEMENTS["machine_delete"], {"arn": arn})
            connection.execute(STATEMENTS["revision_delete_unused"], {"arn": arn})

        await self._write(write)

    async def machine_list(self, arn_prefix: str, after: str | None, limit: int) -> Sequence[Machine]:
        rows = await self._read("machine_list", arn_prefix=arn_prefix, after=after or "", limit=limit)
        return [_machine(row) for row in rows]

    async def machine_tags(self, arn: str) -> Mapping[str, str]:
        return dict(await self._read("machine_tags", arn=arn))

    async def revision_get(self, revision_id: str) -> MachineRevision | None:
        rows = await self._read("revision_get", id=revision_id)
        return _struct(MachineRevision, rows[0]) if rows else None

    # -- executions ----------------------------------------------------------------------------------------

    def execution_id(self) -> int:
        return next(self._ids)

    async def commit(self, commits: Sequence[Commit]) -> None:
        batch = tuple(commits)
        await self._write(lambda connection: _write_commits(connection, batch), rows=len(batch))

    async def execution_get(self, arn: str) -> ExecutionRow | None:
        rows = await self._read("execution_get", arn=arn)
        return _struct(ExecutionRow, rows[0]) if rows else None

    async def execution_list(
        self, where: ExecutionFilter, before: tuple[int, int] | None, limit: int
    ) -> Sequence[ExecutionRow]:
        started, last = before or _NEWEST
        parameters: dict[str, str | int] = {
            "machine_arn": where.machine_arn,
            "before_started": started,
            "before_id": last,
            "limit": limit,
        }
        if where.status is None:
            rows = await self._read("execution_list", **parameters)
        else:
            rows = await self._read("execution_list_by_status", **parameters, status=where.status)
        return [_struct(ExecutionRow, row) for row in rows]

    async def executions_due(self, until: int, after: tuple[int, int] | None, limit: int) -> Sequence[ExecutionRow]:
        wake, last = after or _EARLIEST
        rows = await self._read("executions_due", until=until, after_wake=wake, after_id=last, limit=limit)
        return [_struct(ExecutionRow, row) for row in rows]

    async def executions_open(self) -> int:
        ((count,),) = await self._read("executions_open")
        return int(count)

    async def journal(self, execution_id: int) -> Sequence[JournalEntry]:
        rows = await self._read("journal", execution_id=execution_id)
        return [JournalEntry(*row) for row in rows]

    async def journal_page(self, execution_id: int, first_event: int, last_event: int) -> Sequence[JournalEntry]:
        rows = await self._read(
            "journal_page", execution_id=execution_id, first_event=first_event, last_event=last_event
        )
        return [JournalEntry(*row) for row in rows]

    async def journal_last_event(self, execution_id: int) -> int:
        ((last,),) = await self._read("journal_last_event", execution_id=execution_id)
        return int(last)

    # -- the two ways to the file ----------------------------------------------------------------------------

    def _usable(self) -> Database:
        if self._database is None:
            raise StoreUnusable(f"{self._path} is not open")
        if self._database.failure is not None:
            raise StoreUnusable(str(self._database.failure))
        return self._database

    async def _write(self, job: Job, rows: int = 1) -> None:
        self._usable()
        await self._writer.submit(job, rows)

    async def _read(self, statement: str, **parameters: str | int) -> list[_Row]:
        database = self._usable()

        def read() -> list[_Row]:
            return database.reader.execute(STATEMENTS[statement], parameters).fetchall()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, read)
        except sqlite3.Error as error:
            known = translate(error, database.path)
            if isinstance(known, StoreUnusable):
                database.fail(known)
            raise known from error


def _write_commits(connection: sqlite3.Connection, commits: Sequence[Commit]) -> None:
    created = [commit.execution for commit in commits if commit.created]
    if created:
        cursor = connection.executemany(STATEMENTS["execution_insert"], map(_created, created))
        if cursor.rowcount != len(created):
            raise Conflict("the revision that an execution was to start with is gone")
        connection.executemany(STATEMENTS["execution_input_insert"], map(_input, created))
    changed = [commit.execution for commit in commits if not commit.created]
    if changed:
        cursor = connection.executemany(STATEMENTS["execution_update"], map(_changed, changed))
        if cursor.rowcount != len(changed):
            raise Conflict("an execution that was to be changed does not exist")
    connection.executemany(
        STATEMENTS["journal_insert"],
        [
            (commit.execution.id, commit.entry.first_event, commit.entry.last_event, commit.entry.events)
            for commit in commits
            if commit.entry is not None
        ],
    )


def _struct(kind: type[_S], row: _Row) -> _S:
    """The statement names its columns in the order of the struct's fields."""
    return kind(**dict(zip(kind.__struct_fields__, row, strict=True)))


_MACHINE_COLUMNS = 6


def _machine(row: _Row) -> Machine:
    arn, name, kind, status, created, initial = row[:_MACHINE_COLUMNS]
    return Machine(
        arn=arn,
        name=name,
        type=kind,
        status=status,
        created=created,
        initial=bool(initial),
        revision=_struct(MachineRevision, row[_MACHINE_COLUMNS:]),
    )
