"""The store in one SQLite file: executions and their journals. State machines are in `machines.py`,
activities in `activities.py`, access keys in `access_keys.py`, functions in `functions.py`, map runs in
`map_runs.py`, event sources in `event_sources.py`, deliveries in `deliveries.py`."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Sequence
from operator import attrgetter
from pathlib import Path

from treadle.store.contract import Commit, Conflict, ExecutionFilter, ExecutionRow, JournalEntry, RedriveRecord
from treadle.store.sqlite.access_keys import AccessKeyTables
from treadle.store.sqlite.activities import ActivityTables
from treadle.store.sqlite.connections import struct_of
from treadle.store.sqlite.deliveries import DeliveryTables
from treadle.store.sqlite.event_sources import EventSourceTables
from treadle.store.sqlite.functions import FunctionTables
from treadle.store.sqlite.jobs import JobTables
from treadle.store.sqlite.layers import LayerTables
from treadle.store.sqlite.machines import MachineTables
from treadle.store.sqlite.map_runs import MapRunTables, write_children
from treadle.store.sqlite.sql import STATEMENTS

_NEWEST = (2**63 - 1, 2**63 - 1)
_EARLIEST = (-1, -1)
"""Cursors in front of the first row of an order, as no row has such values."""

_created = attrgetter(
    *("id", "arn", "name", "revision_id", "status", "started", "stopped", "wake"),
    *("trace_header", "version", "alias", "error", "cause", "output"),
)
_input = attrgetter("id", "input")
_changed = attrgetter(
    *("status", "started", "stopped", "wake", "redrives", "redriven", "error", "cause", "output", "id")
)


class SqliteStore(
    MachineTables,
    ActivityTables,
    AccessKeyTables,
    FunctionTables,
    LayerTables,
    MapRunTables,
    EventSourceTables,
    JobTables,
    DeliveryTables,
):
    """Implements `store.contract.Store` on the file at `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._ids: itertools.count[int]
        self._secret: bytes

    async def open(self) -> None:
        await super().open()
        ((last,),) = await self.read("execution_last_id")
        ((self._secret,),) = await self.read("secret")
        self._ids = itertools.count(last + 1)

    async def secret(self) -> bytes:
        return self._secret

    # -- executions ----------------------------------------------------------------------------------------

    def execution_id(self, beside: int | None = None) -> int:
        return next(self._ids)

    async def commit(self, commits: Sequence[Commit]) -> None:
        batch = tuple(commits)
        await self.write(lambda connection: _write_commits(connection, batch), rows=len(batch))

    async def execution_get(self, arn: str) -> ExecutionRow | None:
        rows = await self.read("execution_get", arn=arn)
        return struct_of(ExecutionRow, rows[0]) if rows else None

    async def execution_list(
        self, where: ExecutionFilter, before: tuple[int, int] | None, limit: int
    ) -> Sequence[ExecutionRow]:
        listed, last = before or _NEWEST
        if where.redriven:
            statement = "execution_list_redriven"
        elif where.version is not None:
            statement = "execution_list_of_version"
        elif where.alias is not None:
            statement = "execution_list_of_alias"
        else:
            statement = "execution_list" if where.status is None else "execution_list_by_status"
        rows = await self.read(
            statement,
            machine_arn=where.machine_arn,
            version=where.version,
            alias=where.alias,
            status=where.status,
            redriven=where.redriven,
            before_listed=listed,
            before_id=last,
            limit=limit,
        )
        return [struct_of(ExecutionRow, row) for row in rows]

    async def redrives(self, execution_id: int, limit: int) -> Sequence[RedriveRecord]:
        rows = await self.read("redrives", execution_id=execution_id, limit=limit)
        return [RedriveRecord(*row) for row in rows]

    async def executions_due(
        self, until: int, after: tuple[int, int] | None, limit: int, shards: Collection[int] | None = None
    ) -> Sequence[ExecutionRow]:
        wake, last = after or _EARLIEST
        rows = await self.read("executions_due", until=until, after_wake=wake, after_id=last, limit=limit)
        return [struct_of(ExecutionRow, row) for row in rows]

    async def executions_open(self) -> int:
        ((count,),) = await self.read("executions_open")
        return int(count)

    async def journal(self, execution_id: int) -> Sequence[JournalEntry]:
        rows = await self.read("journal", execution_id=execution_id)
        return [JournalEntry(*row) for row in rows]

    async def journal_page(self, execution_id: int, first_event: int, last_event: int) -> Sequence[JournalEntry]:
        rows = await self.read(
            "journal_page", execution_id=execution_id, first_event=first_event, last_event=last_event
        )
        return [JournalEntry(*row) for row in rows]

    async def journal_last_event(self, execution_id: int) -> int:
        ((last,),) = await self.read("journal_last_event", execution_id=execution_id)
        return int(last)


def _write_commits(connection: sqlite3.Connection, commits: Sequence[Commit]) -> None:
    children = [commit.execution for commit in commits if commit.created and commit.execution.map_run is not None]
    if children:
        write_children(connection, children)
    created = [commit.execution for commit in commits if commit.created and commit.execution.map_run is None]
    if created:
        cursor = connection.executemany(STATEMENTS["execution_insert"], map(_created, created))
        if cursor.rowcount != len(created):
            raise Conflict("the machine that an execution was to run is gone")
    if created or children:
        connection.executemany(STATEMENTS["execution_input_insert"], map(_input, created + children))
    redriven = [
        (commit.execution.id, commit.execution.redrives, commit.redrive.client_token, commit.redrive.redriven)
        for commit in commits
        if commit.redrive is not None
    ]
    if redriven:
        cursor = connection.executemany(STATEMENTS["redrive_insert"], redriven)
        if cursor.rowcount != len(redriven):
            raise Conflict("an execution that was to be redriven runs, or its machine is going or gone")
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
