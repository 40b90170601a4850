"""The tables of layers: versions and policies. Their archives lie with those of functions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec.structs import asdict, replace

from treadle.store.layer_contract import LayerStatement, LayerVersion
from treadle.store.sqlite.connections import Connections, struct_of
from treadle.store.sqlite.sql import STATEMENTS
from treadle.store.sqlite.writer import LARGE


class LayerTables(Connections):
    async def layer_publish(self, version: LayerVersion, code: bytes) -> int:
        numbers: list[int] = []

        def write(connection: sqlite3.Connection) -> None:
            row = {"arn": version.layer_arn}
            ((number,),) = connection.execute(STATEMENTS["layer_next_version"], row).fetchall()
            connection.execute(STATEMENTS["function_code_insert"], {"sha256": version.code_sha256, "archive": code})
            connection.execute(STATEMENTS["layer_version_insert"], asdict(replace(version, number=number)))
            numbers.append(int(number))

        await self.write(write, LARGE)
        return numbers[0]

    async def layer_get(self, arn: str, number: int) -> LayerVersion | None:
        rows = await self.read("layer_get", arn=arn, number=number)
        return struct_of(LayerVersion, rows[0]) if rows else None

    async def layer_list(self, arn_prefix: str, after: str | None, limit: int) -> Sequence[str]:
        rows = await self.read("layer_list", arn_prefix=arn_prefix, after=after or "", limit=limit)
        return [str(arn) for (arn,) in rows]

    async def layer_versions(self, arn: str, before: int | None, limit: int) -> Sequence[LayerVersion]:
        rows = await self.read("layer_versions", arn=arn, before=before, limit=limit)
        return [struct_of(LayerVersion, row) for row in rows]

    async def layer_delete(self, arn: str, number: int) -> bool:
        found: list[bool] = []

        def write(connection: sqlite3.Connection) -> None:
            row = {"arn": arn, "number": number}
            codes = [{"sha256": code} for (code,) in connection.execute(STATEMENTS["layer_code"], row)]
            found.append(connection.execute(STATEMENTS["layer_delete"], row).rowcount > 0)
            connection.executemany(STATEMENTS["function_code_delete_unused"], codes)

        await self.write(write)
        return found[0]

    async def layer_statement_add(self, statement: LayerStatement) -> None:
        row = asdict(statement)
        await self.write(lambda connection: connection.execute(STATEMENTS["layer_statement_insert"], row))

    async def layer_statement_remove(self, arn: str, number: int, id: str) -> bool:
        found: list[bool] = []
        row = {"arn": arn, "number": number, "id": id}
        await self.write(
            lambda connection: found.append(connection.execute(STATEMENTS["layer_statement_delete"], row).rowcount > 0)
        )
        return found[0]

    async def layer_statements(self, arn: str, number: int) -> Sequence[LayerStatement]:
        rows = await self.read("layer_statements", arn=arn, number=number)
        return [struct_of(LayerStatement, row) for row in rows]
