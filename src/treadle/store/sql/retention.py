"""How executions leave the database that ended long ago.

First an execution's own rows go, and a row of `removal` says that it left something behind: its journal, which may be
long, and map runs, whose children may be millions. That goes a part at a time, in transactions of a bounded size; a
child that goes leaves a row of `removal` in turn. So nobody ever sees half of an execution, and a restart loses nothing
that is still to be done.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from treadle.store.cluster_contract import shard_of
from treadle.store.sql.session import Session, SqlStore

_ROWS_EACH = 4
"""Rows of an execution without its journal, about."""


class RetentionTables(SqlStore):
    async def executions_expired(self, before: int, limit: int) -> Sequence[int]:
        return [number for (number,) in await self.read("executions_expired", before=before, limit=limit)]

    async def executions_remove(self, ids: Collection[int], before: int) -> None:
        async def job(session: Session) -> None:
            await session.change_many("removal_insert", [{"id": number, "before": before} for number in ids])
            await _remove_rows(session, ids)

        await self.write(job, len(ids))

    async def remains_remove(self, limit: int) -> bool:
        async def job(session: Session) -> bool:
            room = limit
            done: list[tuple[int, int]] = []
            removals = await session.rows("removals", limit=limit)
            for number, revision in removals:
                room = await _clear(session, number, room)
                if room <= 0:
                    break
                done.append((number, revision))
            if done:
                await session.change_many("removal_delete", [{"id": number} for number, _ in done])
                revisions = sorted({revision for _, revision in done})
                await session.change_many("removed_revision_delete", [{"revision": revision} for revision in revisions])
            # What the children left behind that went just now was not among the removals.
            return bool(await session.rows("removals", limit=1))

        return await self.write(job, limit)


async def _clear(session: Session, execution_id: int, room: int) -> int:
    """Remove at most `room` rows of what an execution left behind; how much room is left, 0 if there may be more."""
    room -= await session.change("removed_journal_delete", execution_id=execution_id, limit=room)
    if room <= 0:
        return 0
    for (map_run,) in await session.rows("removed_map_runs", execution_id=execution_id):
        children = [number for (number,) in await session.rows("map_run_children", map_run=map_run, limit=room)]
        if children:
            await session.change_many("removal_insert_child", [{"id": number} for number in children])
            await _remove_rows(session, children)
        room -= _ROWS_EACH * len(children)
        room -= await session.change("map_run_notes_delete", map_run=map_run, limit=max(room, 0))
        if room <= 0:
            return 0
        await session.change("map_run_delete", map_run=map_run)
        room -= 1
    return max(room, 0)


async def _remove_rows(session: Session, ids: Collection[int]) -> None:
    """The rows of those of these executions that a removal is noted for. Their ids are never given again."""
    last: dict[int, int] = {}
    for number in ids:
        last[shard_of(number)] = max(number, last.get(shard_of(number), 0))
    await session.change_many("removed_last_note", [{"shard": shard, "id": number} for shard, number in last.items()])
    for statement in ("removed_input_delete", "removed_redrives_delete", "removed_execution_delete"):
        await session.change_many(statement, [{"id": number} for number in ids])
