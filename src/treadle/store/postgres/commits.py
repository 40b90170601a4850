"""How a batch of commits becomes the one statement that writes it.

Each part of the statement (`commit/parts.sql`) writes some rows, which it is given as one array for each column; a
batch has the parts that it needs. All parts see the tables as they were before. So an execution that stands in the
batch several times is put together here: its last row wins, and what was created and then changed is created as it
stood last. A part that finds less than it was to write has the whole statement fail, with a sentence that says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from operator import attrgetter
from typing import Any

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from treadle.store.contract import Commit, ExecutionRow
from treadle.store.postgres.texts import escape
from treadle.store.sql.statements import read_statements

_SQL = read_statements(files("treadle.store.postgres").joinpath("commit"))


class Part(Struct, frozen=True):
    name: str
    """Of its statement, too."""
    columns: tuple[str, ...]
    lacking: str | None = None
    """What it means if it writes fewer rows than it is given."""
    counts: bool = False
    """It says which executions begin to run, and which no longer do."""


CREATED = Part(
    "created",
    (
        *("id", "arn", "name", "revision_id", "status", "started", "stopped", "wake", "trace_header", "version"),
        *("alias", "error", "cause", "output", "redrives", "redriven"),
    ),
    lacking="the machine that an execution was to run is gone",
    counts=True,
)
CHILDREN = Part(
    "children",
    (
        *("id", "arn", "name", "map_run", "status", "started", "stopped", "wake", "error", "cause", "output"),
        *("redrives", "redriven", "child", "items"),
    ),
    lacking="the map run that was to start an execution is not there",
    counts=True,
)
INPUTS = Part("inputs", ("id", "input"))
REDRIVEN = Part(
    "redriven",
    ("id", "number", "client_token", "redriven"),
    lacking="an execution that was to be redriven runs, or its machine is going or gone",
)
CHANGED = Part(
    "changed",
    ("id", "status", "started", "stopped", "wake", "redrives", "redriven", "error", "cause", "output"),
    lacking="an execution that was to be changed does not exist",
    counts=True,
)
JOURNALED = Part("journaled", ("id", "first_event", "last_event", "events"))
ANSWERED = Part("answered", ("id", "answer"))
PARTS = (CREATED, CHILDREN, INPUTS, REDRIVEN, CHANGED, JOURNALED, ANSWERED)

_TYPES = {
    **dict.fromkeys(("arn", "name", "revision_id", "map_run", "status", "alias", "client_token"), "text"),
    **dict.fromkeys(("trace_header", "error", "cause", "output", "input"), "text"),
    **dict.fromkeys(("events", "answer"), "bytea"),
}
"""Of columns; the others are numbers."""

_ANY_TEXT = frozenset(("trace_header", "error", "cause", "output", "input"))
"""What comes from outside and may hold any code point."""

_DEMAND = "demand((SELECT count(*) FROM {0}) = cardinality(${1}), '{2}')"
_MOVED = "SELECT id, begun FROM {0}"

_GET: Mapping[str, Callable[[ExecutionRow], Any]] = {
    name: attrgetter(name) for part in (CREATED, CHILDREN, INPUTS, CHANGED) for name in part.columns
}


async def write_commits(connection: asyncpg.Connection, commits: Sequence[Commit]) -> None:
    """Write all of it or nothing."""
    given = {part: columns for part, columns in _given(commits).items() if columns[0]}
    if given:
        text = statement(tuple(given))
        await connection.fetch(text, *(column for columns in given.values() for column in columns))


def _given(commits: Sequence[Commit]) -> dict[Part, list[list[Any]]]:
    """What each part is given: its columns."""
    created: dict[int, ExecutionRow] = {}
    changed: dict[int, ExecutionRow] = {}
    for commit in commits:
        row = commit.execution
        if commit.row_unchanged:
            continue
        if commit.created:
            created[row.id] = row
        elif row.id in created:
            created[row.id] = _moved_on(created[row.id], row)
        else:
            changed[row.id] = row
    own = [row for row in created.values() if row.map_run is None]
    children = [row for row in created.values() if row.map_run is not None]
    redrives = [(commit.execution, commit.redrive) for commit in commits if commit.redrive is not None]
    entries = [(commit.execution.id, commit.entry) for commit in commits if commit.entry is not None]
    answers = [answer for commit in commits for answer in commit.answers]
    return {
        CREATED: _columns(CREATED, own),
        CHILDREN: _columns(CHILDREN, children),
        INPUTS: _columns(INPUTS, created.values()),
        REDRIVEN: [
            [row.id for row, _ in redrives],
            [row.redrives for row, _ in redrives],
            [record.client_token for _, record in redrives],
            [record.redriven for _, record in redrives],
        ],
        CHANGED: _columns(CHANGED, changed.values()),
        JOURNALED: [
            [number for number, _ in entries],
            [entry.first_event for _, entry in entries],
            [entry.last_event for _, entry in entries],
            [entry.events for _, entry in entries],
        ],
        ANSWERED: [[request for request, _ in answers], [answer for _, answer in answers]],
    }


def _moved_on(created: ExecutionRow, row: ExecutionRow) -> ExecutionRow:
    """What stands in the database of an execution that is created and changed later. `started` changes of children."""
    changes = {name: getattr(row, name) for name in CHANGED.columns if name != "id"}
    if created.map_run is None:
        del changes["started"]
    return replace(created, **changes)


def _columns(part: Part, rows: Iterable[ExecutionRow]) -> list[list[Any]]:
    listed = list(rows)
    return [
        _escaped(map(_GET[name], listed)) if name in _ANY_TEXT else list(map(_GET[name], listed))
        for name in part.columns
    ]


def _escaped(column: Iterable[str | None]) -> list[str | None]:
    return [None if text is None else escape(text) for text in column]


@cache
def statement(parts: tuple[Part, ...]) -> str:
    """The text that writes these parts, with an array as the parameter for each column of each."""
    number = 0
    written: dict[str, str] = {}
    demands = ["NULL"]
    for part in parts:
        arrays = [f"${number + place}::{_TYPES.get(name, 'bigint')}[]" for place, name in enumerate(part.columns, 1)]
        rows = f"unnest({', '.join(arrays)}) AS given ({', '.join(part.columns)})"
        written[part.name] = _SQL[part.name].replace(":given", rows)
        if part.lacking is not None:
            demands.append(_DEMAND.format(part.name, number + 1, part.lacking))
        number += len(part.columns)
    moved = " UNION ALL ".join(_MOVED.format(part.name) for part in parts if part.counts)
    if moved:
        written["counted"] = _SQL["counted"].replace(":moved", moved)
    tables = ",\n".join(f"{name} AS (\n{text}\n)" for name, text in written.items())
    return f"WITH {tables}\nSELECT {', '.join(demands)}"
