"""How a batch of commits becomes the one statement that writes it (`queries.sql`, `commit`).

The parts of that statement see the tables as they were before it. So an execution that stands in the batch several
times is put together here: its last row wins, and what was created and then changed is created as it stood last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import asyncpg
from msgspec.structs import replace

from treadle.store.contract import Commit, ExecutionRow
from treadle.store.postgres.sql import STATEMENTS
from treadle.store.postgres.texts import escape

_TEXTS = {"trace_header", "error", "cause", "output", "input"}
"""What comes from outside and may hold any code point."""

_CREATED = (
    *("id", "arn", "name", "revision_id", "status", "started", "stopped", "wake", "trace_header", "version", "alias"),
    *("error", "cause", "output", "redrives", "redriven"),
)
_CHILD = (
    *("id", "arn", "name", "map_run", "status", "started", "stopped", "wake", "error", "cause", "output", "redrives"),
    *("redriven", "child", "items"),
)
_INPUT = ("id", "input")
_CHANGED = ("id", "status", "started", "stopped", "wake", "redrives", "redriven", "error", "cause", "output")
_GET: dict[str, Callable[[ExecutionRow], Any]] = {
    name: attrgetter(name) for name in (*_CREATED, *_CHILD, *_INPUT, *_CHANGED)
}


async def write_commits(connection: asyncpg.Connection, commits: Sequence[Commit]) -> None:
    """Write all of it or nothing."""
    if not commits:
        return
    created: dict[int, ExecutionRow] = {}
    changed: dict[int, ExecutionRow] = {}
    for commit in commits:
        row = commit.execution
        if commit.created:
            created[row.id] = row
        elif row.id in created:
            created[row.id] = _moved_on(created[row.id], row)
        else:
            changed[row.id] = row
    own = [row for row in created.values() if row.map_run is None]
    children = [row for row in created.values() if row.map_run is not None]
    redrives = [(commit.execution, commit.redrive) for commit in commits if commit.redrive is not None]
    answers = [answer for commit in commits for answer in commit.answers]
    entries = [(commit.execution.id, commit.entry) for commit in commits if commit.entry is not None]
    await connection.fetch(
        STATEMENTS["commit"].text,
        *_columns(own, _CREATED),
        *_columns(children, _CHILD),
        *_columns(created.values(), _INPUT),
        *([row.id for row, _ in redrives], [row.redrives for row, _ in redrives]),
        *([record.client_token for _, record in redrives], [record.redriven for _, record in redrives]),
        *_columns(changed.values(), _CHANGED),
        *([number for number, _ in entries], [entry.first_event for _, entry in entries]),
        *([entry.last_event for _, entry in entries], [entry.events for _, entry in entries]),
        *([request for request, _ in answers], [answer for _, answer in answers]),
    )


def _moved_on(created: ExecutionRow, row: ExecutionRow) -> ExecutionRow:
    """What stands in the database of an execution that is created and changed later. `started` changes of children."""
    changes = {name: getattr(row, name) for name in _CHANGED if name != "id"}
    if created.map_run is None:
        del changes["started"]
    return replace(created, **changes)


def _columns(rows: Iterable[ExecutionRow], names: Sequence[str]) -> list[list[Any]]:
    """An array for each of these columns."""
    listed = list(rows)
    return [_escaped(map(_GET[name], listed)) if name in _TEXTS else list(map(_GET[name], listed)) for name in names]


def _escaped(column: Iterable[str | None]) -> list[str | None]:
    return [None if text is None else escape(text) for text in column]
