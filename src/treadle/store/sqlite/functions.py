"""The tables of functions: versions, code, aliases, tags and policies."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import asdict, replace

from treadle.store.contract import Conflict
from treadle.store.function_contract import (
    LATEST,
    FunctionAlias,
    FunctionConfig,
    FunctionStatement,
    FunctionVersion,
)
from treadle.store.sqlite.connections import Connections, Row, struct_of
from treadle.store.sqlite.sql import STATEMENTS
from treadle.store.sqlite.writer import LARGE

_BEFORE_ALL = -1
"""Smaller than the number of any version."""


class FunctionTables(Connections):
    async def function_create(
        self, latest: FunctionVersion, code: bytes, tags: Mapping[str, str], publish: FunctionVersion | None = None
    ) -> int | None:
        arn = latest.function_arn
        numbers: list[int] = []

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(STATEMENTS["function_insert"], {"arn": arn})
            connection.execute(STATEMENTS["function_code_insert"], {"sha256": latest.code_sha256, "archive": code})
            _insert(connection, latest)
            rows = [{"arn": arn, "key": key, "value": value} for key, value in tags.items()]
            connection.executemany(STATEMENTS["function_tag_set"], rows)
            if publish is not None:
                numbers.append(_publish(connection, publish))

        await self.write(write, LARGE)
        return numbers[0] if numbers else None

    async def function_update(
        self,
        latest: FunctionVersion,
        replaces: str,
        code: bytes | None = None,
        publish: FunctionVersion | None = None,
    ) -> int | None:
        numbers: list[int] = []

        def write(connection: sqlite3.Connection) -> None:
            before = _codes(connection, latest.function_arn)
            if code is not None:
                connection.execute(STATEMENTS["function_code_insert"], {"sha256": latest.code_sha256, "archive": code})
            row = {**_row(latest), "replaces": replaces}
            if connection.execute(STATEMENTS["function_latest_replace"], row).rowcount == 0:
                raise Conflict(f"{latest.function_arn} does not exist or has another revision")
            connection.execute(
                STATEMENTS["function_layers_delete"], {"function_arn": latest.function_arn, "number": LATEST}
            )
            _insert_layers(connection, latest)
            if publish is not None:
                numbers.append(_publish(connection, publish))
            connection.executemany(STATEMENTS["function_code_delete_unused"], before)

        await self.write(write, 1 if code is None else LARGE)
        return numbers[0] if numbers else None

    async def function_publish(self, published: FunctionVersion, latest_revision: str) -> int:
        numbers: list[int] = []

        def write(connection: sqlite3.Connection) -> None:
            row = {"arn": published.function_arn, "revision_id": latest_revision}
            if connection.execute(STATEMENTS["function_latest_is"], row).fetchone() is None:
                raise Conflict(f"{published.function_arn} does not exist or has another revision")
            numbers.append(_publish(connection, published))

        await self.write(write)
        return numbers[0]

    async def function_get(self, arn: str, number: int = LATEST) -> FunctionVersion | None:
        rows = await self.read("function_get", arn=arn, number=number)
        return _version(rows[0]) if rows else None

    async def function_code(self, code_sha256: str) -> bytes | None:
        rows = await self.read("function_code", sha256=code_sha256)
        return bytes(rows[0][0]) if rows else None

    async def function_has_code(self, code_sha256: str) -> bool:
        return bool(await self.read("function_has_code", sha256=code_sha256))

    async def function_list(
        self, arn_prefix: str, after: tuple[str, int] | None, limit: int, every_version: bool = False
    ) -> Sequence[FunctionVersion]:
        after_arn, after_number = after or ("", _BEFORE_ALL)
        rows = await self.read(
            "function_list",
            arn_prefix=arn_prefix,
            after_arn=after_arn,
            after_number=after_number,
            limit=limit,
            every_version=every_version,
        )
        return [_version(row) for row in rows]

    async def function_versions(self, arn: str, after: int | None, limit: int) -> Sequence[FunctionVersion]:
        rows = await self.read("function_versions", arn=arn, after=_BEFORE_ALL if after is None else after, limit=limit)
        return [_version(row) for row in rows]

    async def function_totals(self, arn_prefix: str) -> tuple[int, int]:
        ((count, code_bytes),) = await self.read("function_totals", arn_prefix=arn_prefix)
        return int(count), int(code_bytes)

    async def function_version_delete(self, arn: str, number: int) -> bool:
        found: list[bool] = []

        def write(connection: sqlite3.Connection) -> None:
            before = _codes(connection, arn)
            row = {"arn": arn, "number": number}
            found.append(connection.execute(STATEMENTS["function_version_delete"], row).rowcount > 0)
            connection.execute(STATEMENTS["function_configs_delete"], {"arn": arn, "qualifier": str(number)})
            connection.executemany(STATEMENTS["function_code_delete_unused"], before)

        await self.write(write)
        return found[0]

    async def function_delete(self, arn: str) -> bool:
        found: list[bool] = []

        def write(connection: sqlite3.Connection) -> None:
            before = _codes(connection, arn)
            row = {"arn": arn}
            # First what keeps its versions: an alias refers to them.
            connection.execute(STATEMENTS["function_aliases_delete"], row)
            connection.execute(STATEMENTS["function_urls_delete"], row)
            found.append(connection.execute(STATEMENTS["function_delete"], row).rowcount > 0)
            connection.executemany(STATEMENTS["function_code_delete_unused"], before)

        await self.write(write)
        return found[0]

    # -- aliases -------------------------------------------------------------------------------------------

    async def function_alias_create(self, alias: FunctionAlias) -> None:
        await self.write(lambda connection: connection.execute(STATEMENTS["function_alias_insert"], asdict(alias)))

    async def function_alias_get(self, arn: str, name: str) -> FunctionAlias | None:
        rows = await self.read("function_alias_get", arn=arn, name=name)
        return struct_of(FunctionAlias, rows[0]) if rows else None

    async def function_alias_update(self, alias: FunctionAlias, replaces: str) -> None:
        def write(connection: sqlite3.Connection) -> None:
            row = {**asdict(alias), "replaces": replaces}
            if connection.execute(STATEMENTS["function_alias_replace"], row).rowcount == 0:
                raise Conflict(f"{alias.function_arn}:{alias.name} does not exist or has another revision")

        await self.write(write)

    async def function_alias_delete(self, arn: str, name: str) -> bool:
        found: list[bool] = []

        def write(connection: sqlite3.Connection) -> None:
            row = {"arn": arn, "name": name}
            found.append(connection.execute(STATEMENTS["function_alias_delete"], row).rowcount > 0)
            connection.execute(STATEMENTS["function_configs_delete"], {"arn": arn, "qualifier": name})

        await self.write(write)
        return found[0]

    async def function_alias_list(
        self, arn: str, version: int | None, after: str | None, limit: int
    ) -> Sequence[FunctionAlias]:
        rows = await self.read("function_alias_list", arn=arn, version=version, after=after or "", limit=limit)
        return [struct_of(FunctionAlias, row) for row in rows]

    # -- what else belongs to a function -------------------------------------------------------------------

    async def function_tags(self, arn: str) -> Mapping[str, str]:
        return dict(await self.read("function_tags", arn=arn))

    async def function_tag(self, arn: str, tags: Mapping[str, str]) -> None:
        rows = [{"arn": arn, "key": key, "value": value} for key, value in tags.items()]
        await self.write(lambda connection: connection.executemany(STATEMENTS["function_tag_set"], rows))

    async def function_untag(self, arn: str, keys: Collection[str]) -> None:
        rows = [{"arn": arn, "key": key} for key in keys]
        await self.write(lambda connection: connection.executemany(STATEMENTS["function_tag_delete"], rows))

    async def function_concurrency(self, arn_prefix: str) -> Mapping[str, int]:
        return dict(await self.read("function_concurrency", arn_prefix=arn_prefix))

    async def function_set_concurrency(self, arn: str, reserved: int | None) -> None:
        def write(connection: sqlite3.Connection) -> None:
            row = {"arn": arn, "reserved": reserved}
            if connection.execute(STATEMENTS["function_set_concurrency"], row).rowcount == 0:
                raise Conflict(f"{arn} does not exist")

        await self.write(write)

    async def function_config_set(self, config: FunctionConfig) -> None:
        row = asdict(config)
        await self.write(lambda connection: connection.execute(STATEMENTS["function_config_set"], row))

    async def function_config_remove(self, arn: str, qualifier: str, kind: str) -> bool:
        return await self._removed("function_config_delete", arn=arn, qualifier=qualifier, kind=kind)

    async def function_configs(self, arn_prefix: str, kind: str) -> Sequence[FunctionConfig]:
        rows = await self.read("function_configs", arn_prefix=arn_prefix, kind=kind)
        return [struct_of(FunctionConfig, row) for row in rows]

    async def function_statement_add(self, statement: FunctionStatement) -> None:
        row = asdict(statement)
        await self.write(lambda connection: connection.execute(STATEMENTS["function_statement_insert"], row))

    async def function_statement_remove(self, arn: str, qualifier: str, id: str) -> bool:
        return await self._removed("function_statement_delete", arn=arn, qualifier=qualifier, id=id)

    async def function_statements(self, arn: str, qualifier: str) -> Sequence[FunctionStatement]:
        rows = await self.read("function_statements", arn=arn, qualifier=qualifier)
        return [struct_of(FunctionStatement, row) for row in rows]

    async def _removed(self, statement: str, **row: str | int) -> bool:
        found: list[bool] = []
        await self.write(lambda connection: found.append(connection.execute(STATEMENTS[statement], row).rowcount > 0))
        return found[0]


def _version(row: Row) -> FunctionVersion:
    *columns, layers = row
    return struct_of(FunctionVersion, (*columns, tuple((layers or "").split())))


def _row(version: FunctionVersion) -> dict[str, str | int]:
    """Without its layers, which have rows of their own."""
    return {name: value for name, value in asdict(version).items() if name != "layers"}


def _insert(connection: sqlite3.Connection, version: FunctionVersion) -> None:
    connection.execute(STATEMENTS["function_version_insert"], _row(version))
    _insert_layers(connection, version)


def _insert_layers(connection: sqlite3.Connection, version: FunctionVersion) -> None:
    rows = [
        {"function_arn": version.function_arn, "number": version.number, "place": place, "code": code}
        for place, code in enumerate(version.layers)
    ]
    connection.executemany(STATEMENTS["function_layer_insert"], rows)


def _codes(connection: sqlite3.Connection, arn: str) -> list[dict[str, str]]:
    """The code that its versions have, and that of their layers."""
    return [{"sha256": code} for (code,) in connection.execute(STATEMENTS["function_codes"], {"arn": arn})]


def _publish(connection: sqlite3.Connection, version: FunctionVersion) -> int:
    """Insert it as the next version of its function. The number of it."""
    row = {"arn": version.function_arn}
    ((number,),) = connection.execute(STATEMENTS["function_next_version"], row).fetchall()
    _insert(connection, replace(version, number=number))
    return int(number)
