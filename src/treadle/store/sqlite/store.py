"""The store in one SQLite file: how executions and their journals are written. The rest stands in `store/sql/`."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from treadle.store.contract import Commit, Conflict, ExecutionRow
from treadle.store.sql.store import SqlTables
from treadle.store.sqlite.connections import Connections
from treadle.store.sqlite.sql import STATEMENTS

_Keys = dict[str | None, Any]
"""The keys by which the database knows a revision or a map run: None if it does not."""

_created = attrgetter(
    *("id", "arn", "name", "status", "started", "stopped", "wake"),
    *("trace_header", "version", "alias", "error", "cause", "output"),
)
_input = attrgetter("id", "input")
_changed = attrgetter(
    *("status", "started", "stopped", "wake", "redrives", "redriven", "error", "cause", "output", "id")
)
_created_child = attrgetter(
    *("id", "arn", "name", "status", "started", "stopped", "wake", "error", "cause", "output"),
    *("child", "items"),
)


class SqliteStore(SqlTables, Connections):
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

    def execution_id(self, beside: int | None = None) -> int:
        return next(self._ids)

    async def commit(self, commits: Sequence[Commit]) -> None:
        batch = tuple(commits)
        await self.submit(lambda connection: _write_commits(connection, batch), rows=len(batch))


def _write_commits(connection: sqlite3.Connection, commits: Sequence[Commit]) -> None:
    created = [commit.execution for commit in commits if commit.created]
    if created:
        _write_created(connection, created)
    redriven = [
        (commit.execution.id, commit.execution.redrives, commit.redrive.client_token, commit.redrive.redriven)
        for commit in commits
        if commit.redrive is not None
    ]
    if redriven:
        cursor = connection.executemany(STATEMENTS["redrive_insert"], redriven)
        if cursor.rowcount != len(redriven):
            raise Conflict("an execution that was to be redriven runs, or its machine is going or gone")
    changed = [commit.execution for commit in commits if not (commit.created or commit.row_unchanged)]
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


def _write_created(connection: sqlite3.Connection, created: Sequence[ExecutionRow]) -> None:
    """The keys that many of them share are looked up once, and not by each INSERT. Those that are RUNNING are counted
    here, and not by a trigger, which would make SQLite keep a copy of every page that an INSERT changes."""
    children = [row for row in created if row.map_run is not None]
    if children:
        keys = _keys(connection, "map_run_keys", "arn", {row.map_run for row in children})
        if None in keys.values():
            raise Conflict("the map run that was to start an execution is not there")
        rows = [(*_created_child(row), *keys[row.map_run]) for row in children]
        connection.executemany(STATEMENTS["child_insert"], rows)
    others = [row for row in created if row.map_run is None] if children else created
    if others:
        keys = _keys(connection, "revision_keys", "id", {row.revision_id for row in others})
        if None in keys.values():
            raise Conflict("the machine that an execution was to run is gone")
        rows = [(*_created(row), *keys[row.revision_id]) for row in others]
        connection.executemany(STATEMENTS["execution_insert"], rows)
    connection.executemany(STATEMENTS["execution_input_insert"], map(_input, created))
    opened = sum(row.status == "RUNNING" for row in created)
    if opened:
        connection.execute(STATEMENTS["executions_opened"], {"count": opened})


def _keys(connection: sqlite3.Connection, statement: str, column: str, values: Collection[str | None]) -> _Keys:
    return {value: connection.execute(STATEMENTS[statement], {column: value}).fetchone() for value in values}
