"""The tables of map runs, and what is particular to the executions that they start."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import attrgetter

from msgspec.structs import asdict, replace

from treadle.document import encode
from treadle.store.contract import Conflict, ExecutionRow, ExecutionStatus
from treadle.store.map_run_contract import ChildCount, ChildPlace, ChildStatus, MapRun
from treadle.store.sqlite.connections import Connections, Row, struct_of
from treadle.store.sqlite.sql import STATEMENTS
from treadle.store.sqlite.writer import LARGE

_LAST = 2**63 - 1
_NEWEST = (_LAST, _LAST)

_created = attrgetter(
    *("id", "arn", "name", "status", "started", "stopped", "wake", "error", "cause", "output"),
    *("child", "items"),
)


class MapRunTables(Connections):
    async def map_run_create(self, run: MapRun) -> None:
        row = asdict(run)
        del row["id"]

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(STATEMENTS["machine_arn_insert"], {"arn": run.machine_arn})
            connection.execute(STATEMENTS["map_run_insert"], row)

        await self.write(write)

    async def map_run_get(self, arn: str) -> MapRun | None:
        rows = await self.read("map_run_get", arn=arn)
        return _map_run(rows[0]) if rows else None

    async def map_run_list(self, execution_id: int, before: int | None, limit: int) -> Sequence[MapRun]:
        rows = await self.read("map_run_list", execution_id=execution_id, before=before or _LAST, limit=limit)
        return [_map_run(row) for row in rows]

    async def map_runs_running(self) -> Sequence[MapRun]:
        return [_map_run(row) for row in await self.read("map_runs_running")]

    async def map_run_configure(
        self, arn: str, concurrency: int | None, tolerated_count: int | None, tolerated_percentage: float | None
    ) -> bool:
        changed: list[int] = []
        values = {
            "arn": arn,
            "concurrency": concurrency,
            "tolerated_count": tolerated_count,
            "tolerated_percentage": tolerated_percentage,
        }

        def write(connection: sqlite3.Connection) -> None:
            changed.append(connection.execute(STATEMENTS["map_run_configure"], values).rowcount)

        await self.write(write)
        return changed == [1]

    async def map_run_end(self, run: MapRun) -> None:
        values = {
            "arn": run.arn,
            "status": run.status,
            "stopped": run.stopped,
            "items": run.items,
            "children": run.children,
            "error": run.error,
            "cause": run.cause,
            "results_written": run.results_written,
        }

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(STATEMENTS["map_run_end"], values)
            if run.redrives:
                connection.execute(STATEMENTS["children_stay_ended"], {"arn": run.arn})

        await self.write(write, rows=LARGE if run.redrives else 1)

    async def map_run_redrive(self, run: MapRun) -> None:
        values = {"arn": run.arn, "redrives": run.redrives, "redriven": run.redriven}

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(STATEMENTS["map_run_redrive"], values)
            connection.execute(STATEMENTS["children_await_redrive"], {"arn": run.arn})

        await self.write(write, rows=LARGE)  # It may be a million rows.

    async def map_run_note_add(self, arn: str, note: bytes) -> None:
        await self.write(
            lambda connection: connection.execute(STATEMENTS["map_run_note_insert"], {"arn": arn, "note": note})
        )

    async def map_run_notes(self, arn: str) -> Sequence[bytes]:
        return [note for (note,) in await self.read("map_run_notes", arn=arn)]

    async def map_run_counts(self, arn: str) -> Sequence[ChildCount]:
        return [ChildCount(*row) for row in await self.read("map_run_counts", arn=arn)]

    async def child_places(self, map_run_arn: str, after: int, limit: int) -> Sequence[ChildPlace]:
        rows = await self.read("child_places", arn=map_run_arn, after=after, limit=limit)
        return [ChildPlace(number, items, status, id, bool(awaits)) for number, items, status, id, awaits in rows]

    async def child_results(
        self, map_run_arn: str, statuses: Sequence[ExecutionStatus], after: int, limit: int
    ) -> Sequence[ExecutionRow]:
        wanted = encode(list(statuses))
        rows = await self.read("child_results", arn=map_run_arn, statuses=wanted, after=after, limit=limit)
        return [struct_of(ExecutionRow, row) for row in rows]

    async def children_to_redrive(self, map_run_arn: str, after: int, limit: int) -> Sequence[ExecutionRow]:
        rows = await self.read("children_to_redrive", arn=map_run_arn, after=after, limit=limit)
        return [struct_of(ExecutionRow, row) for row in rows]

    async def child_list(
        self,
        map_run_arn: str,
        status: ChildStatus | None,
        redriven: bool | None,
        before: tuple[int, int] | None,
        limit: int,
    ) -> Sequence[ExecutionRow]:
        listed, last = before or _NEWEST
        rows = await self.read(
            "child_list",
            arn=map_run_arn,
            status=status,
            redriven=redriven,
            before_listed=listed,
            before_id=last,
            limit=limit,
        )
        return [struct_of(ExecutionRow, row) for row in rows]


def write_children(connection: sqlite3.Connection, children: Sequence[ExecutionRow]) -> None:
    """Create executions of map runs; their inputs are written with those of the others."""
    arns = {child.map_run for child in children}
    keys = {arn: connection.execute(STATEMENTS["map_run_keys"], {"arn": arn}).fetchone() for arn in arns}
    if None in keys.values():
        raise Conflict("the map run that was to start an execution is not there")
    connection.executemany(STATEMENTS["child_insert"], [(*_created(child), *keys[child.map_run]) for child in children])


def _map_run(row: Row) -> MapRun:
    run = struct_of(MapRun, row)
    return replace(run, results_written=bool(run.results_written))
