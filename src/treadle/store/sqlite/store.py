"""The store in one SQLite file: how executions and their journals are written. The rest stands in `store/sql/`."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

from treadle.store.contract import Commit, Conflict, ExecutionRow
from treadle.store.sql.store import SqlTables
from treadle.store.sqlite.connections import Connections
from treadle.store.sqlite.sql import STATEMENTS

_created = attrgetter(
    *("id", "arn", "name", "revision_id", "status", "started", "stopped", "wake"),
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
    children = [commit.execution for commit in commits if commit.created and commit.execution.map_run is not None]
    if children:
        _write_children(connection, children)
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


def _write_children(connection: sqlite3.Connection, children: Sequence[ExecutionRow]) -> None:
    """Create executions of map runs; their inputs are written with those of the others."""
    arns = {child.map_run for child in children}
    keys = {arn: connection.execute(STATEMENTS["map_run_keys"], {"arn": arn}).fetchone() for arn in arns}
    if None in keys.values():
        raise Conflict("the map run that was to start an execution is not there")
    rows = [(*_created_child(child), *keys[child.map_run]) for child in children]
    connection.executemany(STATEMENTS["child_insert"], rows)
