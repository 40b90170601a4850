"""The tables of event source mappings and function URLs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict, replace

from treadle.store.contract import Conflict
from treadle.store.event_source_contract import EventSourceMapping, FunctionUrl
from treadle.store.sql.session import Row, SqlStore, after_prefix, struct_of


class EventSourceTables(SqlStore):
    async def mapping_create(self, mapping: EventSourceMapping) -> None:
        await self.change("mapping_insert", **asdict(mapping))

    async def mapping_get(self, arn: str) -> EventSourceMapping | None:
        rows = await self.read("mapping_get", arn=arn)
        return _mapping(rows[0]) if rows else None

    async def mapping_replace(self, mapping: EventSourceMapping) -> None:
        if await self.change("mapping_replace", **asdict(mapping)) == 0:
            raise Conflict(f"{mapping.arn} does not exist")

    async def mapping_delete(self, arn: str) -> bool:
        return await self.change("mapping_delete", arn=arn) > 0

    async def mapping_list(
        self,
        arn_prefix: str,
        after: str | None,
        limit: int,
        *,
        function_arn: str | None = None,
        source_arn: str | None = None,
    ) -> Sequence[EventSourceMapping]:
        rows = await self.read(
            "mapping_list",
            arn_prefix=arn_prefix,
            arn_end=after_prefix(arn_prefix),
            after=after or "",
            limit=limit,
            function_arn=function_arn,
            source_arn=source_arn,
        )
        return [_mapping(row) for row in rows]

    async def mapping_position_get(self, arn: str) -> str | None:
        rows = await self.read("mapping_position_get", arn=arn)
        return rows[0][0] if rows else None

    async def mapping_position_put(self, arn: str, position: str) -> None:
        await self.change("mapping_position_put", arn=arn, position=position)

    # -- URLs of functions ---------------------------------------------------------------------------------

    async def function_url_create(self, url: FunctionUrl) -> None:
        await self.change("function_url_insert", **asdict(url))

    async def function_url_get(self, function_arn: str, qualifier: str) -> FunctionUrl | None:
        rows = await self.read("function_url_get", function_arn=function_arn, qualifier=qualifier)
        return struct_of(FunctionUrl, rows[0]) if rows else None

    async def function_url_of_id(self, id: str) -> FunctionUrl | None:
        rows = await self.read("function_url_of_id", id=id)
        return struct_of(FunctionUrl, rows[0]) if rows else None

    async def function_url_replace(self, url: FunctionUrl) -> None:
        if await self.change("function_url_replace", **asdict(url)) == 0:
            raise Conflict(f"{url.function_arn} has no URL of the id {url.id}")

    async def function_url_delete(self, function_arn: str, qualifier: str) -> bool:
        return await self.change("function_url_delete", function_arn=function_arn, qualifier=qualifier) > 0

    async def function_url_list(self, function_arn: str, after: str | None, limit: int) -> Sequence[FunctionUrl]:
        rows = await self.read("function_url_list", function_arn=function_arn, after=after, limit=limit)
        return [struct_of(FunctionUrl, row) for row in rows]


def _mapping(row: Row) -> EventSourceMapping:
    mapping = struct_of(EventSourceMapping, row)
    return replace(mapping, enabled=bool(mapping.enabled))
