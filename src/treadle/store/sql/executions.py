"""The tables of executions and their journals, as they are read. How they are written each database says itself: it is
what there is most of."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

import msgspec

from treadle.store.contract import ExecutionFilter, ExecutionRow, ExecutionStatus, JournalEntry, RedriveRecord
from treadle.store.sql.session import FIRST, LAST, SqlStore, struct_of


class ExecutionTables(SqlStore):
    async def execution_get(self, arn: str) -> ExecutionRow | None:
        rows = await self.read("execution_get", arn=arn)
        return struct_of(ExecutionRow, rows[0]) if rows else None

    async def execution_statuses(self, arns: Sequence[str]) -> Mapping[str, tuple[int, ExecutionStatus]]:
        return {
            arn: (number, status) for arn, number, status in await self.read("execution_statuses", arns=_json(arns))
        }

    async def execution_list(
        self, where: ExecutionFilter, before: tuple[int, int] | None, limit: int
    ) -> Sequence[ExecutionRow]:
        listed, last = before or (LAST, LAST)
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
        wake, last = after or (FIRST, FIRST)
        rows = await self.read("executions_due", until=until, after_wake=wake, after_id=last, limit=limit)
        return [struct_of(ExecutionRow, row) for row in rows]

    async def executions_open(self) -> int:
        ((count,),) = await self.read("executions_open")
        return int(count)

    async def journal(self, execution_id: int) -> Sequence[JournalEntry]:
        rows = await self.read("journal", execution_id=execution_id)
        return [JournalEntry(*row) for row in rows]

    async def journals(self, execution_ids: Sequence[int], most_bytes: int) -> Mapping[int, Sequence[JournalEntry]]:
        several = len(execution_ids) > 1
        fitting = await self._fitting(execution_ids, most_bytes) if several else execution_ids
        journals: dict[int, list[JournalEntry]] = {number: [] for number in fitting}
        for number, *entry in await self.read("journals", execution_ids=_json(fitting)):
            journals[number].append(JournalEntry(*entry))
        return journals

    async def _fitting(self, execution_ids: Sequence[int], most_bytes: int) -> Sequence[int]:
        """The first of them, while those before have less than `most_bytes`."""
        sizes: dict[int, int] = dict(await self.read("journal_sizes", execution_ids=_json(execution_ids)))
        before = itertools.accumulate((sizes.get(number, 0) for number in execution_ids), initial=0)
        return [number for number, size in zip(execution_ids, before, strict=False) if size < most_bytes]

    async def journal_page(self, execution_id: int, first_event: int, last_event: int) -> Sequence[JournalEntry]:
        rows = await self.read(
            "journal_page", execution_id=execution_id, first_event=max(first_event, 1), last_event=last_event
        )
        return [JournalEntry(*row) for row in rows]

    async def journal_last_event(self, execution_id: int) -> int:
        ((last,),) = await self.read("journal_last_event", execution_id=execution_id)
        return int(last)


def _json(values: Sequence[int] | Sequence[str]) -> str:
    """How a statement is given a list."""
    return msgspec.json.encode(values).decode()
