"""The table of the records of jobs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict

from treadle.store.contract import Conflict
from treadle.store.job_contract import JobRecord
from treadle.store.sql.session import LAST, Row, Session, SqlStore


class JobTables(SqlStore):
    async def job_records_write(self, created: Sequence[JobRecord], changed: Sequence[JobRecord] = ()) -> None:
        async def job(session: Session) -> None:
            await session.change_many("job_record_insert", map(asdict, created))
            if await session.change_many("job_record_update", map(asdict, changed)) != len(changed):
                raise Conflict("a record that was to be changed does not exist")

        await self.write(job)

    async def job_record_get(self, id: str) -> JobRecord | None:
        rows = await self.read("job_record_get", id=id)
        return _record(rows[0]) if rows else None

    async def job_records_list(
        self, kind: str, parent: str, before: int | None = None, limit: int = -1
    ) -> Sequence[JobRecord]:
        rows = await self.read(
            "job_records_list",
            kind=kind,
            parent=parent,
            before=LAST if before is None else before,
            limit=LAST if limit < 0 else limit,
        )
        return [_record(row) for row in rows]

    async def job_records_open(self, kind: str) -> Sequence[JobRecord]:
        return [_record(row) for row in await self.read("job_records_open", kind=kind)]

    async def job_records_of_token(self, kind: str, token: str) -> Sequence[JobRecord]:
        return [_record(row) for row in await self.read("job_records_of_token", kind=kind, token=token)]


def _record(row: Row) -> JobRecord:
    id, kind, parent, number, is_open, content, token = row
    return JobRecord(id=id, kind=kind, parent=parent, number=number, open=bool(is_open), content=content, token=token)
