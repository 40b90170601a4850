"""The tables of map runs, and how their children are read."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict, replace

from treadle.store.contract import ExecutionRow, ExecutionStatus
from treadle.store.map_run_contract import ChildCount, ChildPlace, ChildStatus, MapRun
from treadle.store.sql.session import LARGE, LAST, Row, Session, SqlStore, struct_of


class MapRunTables(SqlStore):
    async def map_run_create(self, run: MapRun) -> None:
        async def job(session: Session) -> None:
            await session.change("machine_arn_insert", arn=run.machine_arn)
            await session.change("map_run_insert", **asdict(run))

        await self.write(job)

    async def map_run_get(self, arn: str) -> MapRun | None:
        rows = await self.read("map_run_get", arn=arn)
        return _map_run(rows[0]) if rows else None

    async def map_run_list(self, execution_id: int, before: int | None, limit: int) -> Sequence[MapRun]:
        rows = await self.read("map_run_list", execution_id=execution_id, before=before or LAST, limit=limit)
        return [_map_run(row) for row in rows]

    async def map_runs_running(self) -> Sequence[MapRun]:
        return [_map_run(row) for row in await self.read("map_runs_running")]

    async def map_run_configure(
        self, arn: str, concurrency: int | None, tolerated_count: int | None, tolerated_percentage: float | None
    ) -> bool:
        changed = await self.change(
            "map_run_configure",
            arn=arn,
            concurrency=concurrency,
            tolerated_count=tolerated_count,
            tolerated_percentage=tolerated_percentage,
        )
        return changed > 0

    async def map_run_end(self, run: MapRun) -> None:
        async def job(session: Session) -> None:
            await session.change("map_run_end", **asdict(run))
            if run.redrives:
                await session.change("children_stay_ended", arn=run.arn)

        await self.write(job, LARGE if run.redrives else 1)

    async def map_run_redrive(self, run: MapRun) -> None:
        async def job(session: Session) -> None:
            await session.change("map_run_redrive", **asdict(run))
            await session.change("children_await_redrive", arn=run.arn)

        await self.write(job, LARGE)  # It may be a million rows.

    async def map_run_note_add(self, arn: str, note: bytes) -> None:
        await self.change("map_run_note_insert", arn=arn, note=note)

    async def map_run_notes(self, arn: str) -> Sequence[bytes]:
        return [note for (note,) in await self.read("map_run_notes", arn=arn)]

    async def map_run_counts(self, arn: str) -> Sequence[ChildCount]:
        rows = await self.read("map_run_counts", arn=arn)
        return [ChildCount(status, int(children), int(items)) for status, children, items in rows]

    async def child_places(self, map_run_arn: str, after: int, limit: int) -> Sequence[ChildPlace]:
        rows = await self.read("child_places", arn=map_run_arn, after=after, limit=limit)
        return [ChildPlace(number, items, status, id, bool(awaits)) for number, items, status, id, awaits in rows]

    async def child_results(
        self, map_run_arn: str, statuses: Sequence[ExecutionStatus], after: int, limit: int
    ) -> Sequence[ExecutionRow]:
        wanted = f" {' '.join(statuses)} "
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
        listed, last = before or (LAST, LAST)
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


def _map_run(row: Row) -> MapRun:
    run = struct_of(MapRun, row)
    return replace(run, results_written=bool(run.results_written))
