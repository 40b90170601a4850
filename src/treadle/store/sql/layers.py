"""The tables of layers: versions and policies. Their archives lie with those of functions."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict, replace

from treadle.store.layer_contract import LayerStatement, LayerVersion
from treadle.store.sql.session import LARGE, LAST, Session, SqlStore, after_prefix, struct_of


class LayerTables(SqlStore):
    async def layer_publish(self, version: LayerVersion, code: bytes) -> int:
        async def job(session: Session) -> int:
            ((number,),) = await session.rows("layer_next_version", arn=version.layer_arn)
            await session.change("function_code_insert", sha256=version.code_sha256, archive=code)
            await session.change("layer_version_insert", **asdict(replace(version, number=number)))
            return int(number)

        return await self.write(job, LARGE)

    async def layer_get(self, arn: str, number: int) -> LayerVersion | None:
        rows = await self.read("layer_get", arn=arn, number=number)
        return struct_of(LayerVersion, rows[0]) if rows else None

    async def layer_list(self, arn_prefix: str, after: str | None, limit: int) -> Sequence[str]:
        rows = await self.read(
            "layer_list", arn_prefix=arn_prefix, arn_end=after_prefix(arn_prefix), after=after or "", limit=limit
        )
        return [str(arn) for (arn,) in rows]

    async def layer_versions(self, arn: str, before: int | None, limit: int) -> Sequence[LayerVersion]:
        rows = await self.read("layer_versions", arn=arn, before=LAST if before is None else before, limit=limit)
        return [struct_of(LayerVersion, row) for row in rows]

    async def layer_delete(self, arn: str, number: int) -> bool:
        async def job(session: Session) -> bool:
            codes = await session.rows("layer_code", arn=arn, number=number)
            found = await session.change("layer_delete", arn=arn, number=number)
            await session.change_many("function_code_delete_unused", [{"sha256": code} for (code,) in codes])
            return found > 0

        return await self.write(job)

    async def layer_statement_add(self, statement: LayerStatement) -> None:
        await self.change("layer_statement_insert", **asdict(statement))

    async def layer_statement_remove(self, arn: str, number: int, id: str) -> bool:
        return await self.change("layer_statement_delete", arn=arn, number=number, id=id) > 0

    async def layer_statements(self, arn: str, number: int) -> Sequence[LayerStatement]:
        rows = await self.read("layer_statements", arn=arn, number=number)
        return [struct_of(LayerStatement, row) for row in rows]
