"""The tables of activities."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import asdict

from treadle.store.contract import Activity
from treadle.store.sql.session import Session, SqlStore, after_prefix, struct_of


class ActivityTables(SqlStore):
    async def activity_create(self, activity: Activity, tags: Mapping[str, str]) -> None:
        async def job(session: Session) -> None:
            await session.change("activity_insert", **asdict(activity))
            rows = [{"arn": activity.arn, "key": key, "value": value} for key, value in tags.items()]
            await session.change_many("activity_tag_set", rows)

        await self.write(job)

    async def activity_get(self, arn: str) -> Activity | None:
        rows = await self.read("activity_get", arn=arn)
        return struct_of(Activity, rows[0]) if rows else None

    async def activity_delete(self, arn: str) -> None:
        await self.change("activity_delete", arn=arn)

    async def activity_list(self, arn_prefix: str, after: str | None, limit: int) -> Sequence[Activity]:
        rows = await self.read(
            "activity_list",
            arn_prefix=arn_prefix,
            arn_end=after_prefix(arn_prefix),
            after=after or "",
            limit=limit,
        )
        return [struct_of(Activity, row) for row in rows]

    async def activity_count(self, arn_prefix: str) -> int:
        ((count,),) = await self.read("activity_count", arn_prefix=arn_prefix, arn_end=after_prefix(arn_prefix))
        return int(count)

    async def activity_arns(self) -> Collection[str]:
        return [arn for (arn,) in await self.read("activity_arns")]

    async def activity_tags(self, arn: str) -> Mapping[str, str]:
        return dict(await self.read("activity_tags", arn=arn))

    async def activity_tag(self, arn: str, tags: Mapping[str, str]) -> None:
        await self.change_many(
            "activity_tag_set", [{"arn": arn, "key": key, "value": value} for key, value in tags.items()]
        )

    async def activity_untag(self, arn: str, keys: Collection[str]) -> None:
        await self.change_many("activity_tag_delete", [{"arn": arn, "key": key} for key in keys])
