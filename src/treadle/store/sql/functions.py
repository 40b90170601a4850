"""The tables of functions: versions, code, aliases, tags and policies."""

from __future__ import annotations

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
from treadle.store.sql.session import FIRST, LARGE, Row, Session, SqlStore, Value, after_prefix, struct_of


class FunctionTables(SqlStore):
    async def function_create(
        self, latest: FunctionVersion, code: bytes, tags: Mapping[str, str], publish: FunctionVersion | None = None
    ) -> int | None:
        arn = latest.function_arn

        async def job(session: Session) -> int | None:
            await session.change("function_insert", arn=arn)
            await session.change("function_code_insert", sha256=latest.code_sha256, archive=code)
            await _insert(session, latest)
            await session.change_many("function_tag_set", _tag_rows(arn, tags))
            return None if publish is None else await _publish(session, publish)

        return await self.write(job, LARGE)

    async def function_update(
        self,
        latest: FunctionVersion,
        replaces: str,
        code: bytes | None = None,
        publish: FunctionVersion | None = None,
    ) -> int | None:
        arn = latest.function_arn

        async def job(session: Session) -> int | None:
            before = await _codes(session, arn)
            if code is not None:
                await session.change("function_code_insert", sha256=latest.code_sha256, archive=code)
            if await session.change("function_latest_replace", **asdict(latest), replaces=replaces) == 0:
                raise Conflict(f"{arn} does not exist or has another revision")
            await session.change("function_layers_delete", function_arn=arn, number=LATEST)
            await _insert_layers(session, latest)
            number = None if publish is None else await _publish(session, publish)
            await session.change_many("function_code_delete_unused", before)
            return number

        return await self.write(job, 1 if code is None else LARGE)

    async def function_publish(self, published: FunctionVersion, latest_revision: str) -> int:
        arn = published.function_arn

        async def job(session: Session) -> int:
            if not await session.rows("function_latest_is", arn=arn, revision_id=latest_revision):
                raise Conflict(f"{arn} does not exist or has another revision")
            return await _publish(session, published)

        return await self.write(job)

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
        after_arn, after_number = after or ("", FIRST)
        rows = await self.read(
            "function_list",
            arn_prefix=arn_prefix,
            arn_end=after_prefix(arn_prefix),
            after_arn=after_arn,
            after_number=after_number,
            limit=limit,
            every_version=every_version,
        )
        return [_version(row) for row in rows]

    async def function_versions(self, arn: str, after: int | None, limit: int) -> Sequence[FunctionVersion]:
        rows = await self.read("function_versions", arn=arn, after=FIRST if after is None else after, limit=limit)
        return [_version(row) for row in rows]

    async def function_totals(self, arn_prefix: str) -> tuple[int, int]:
        rows = await self.read("function_totals", arn_prefix=arn_prefix, arn_end=after_prefix(arn_prefix))
        ((count, code_bytes),) = rows
        return int(count), int(code_bytes)

    async def function_version_delete(self, arn: str, number: int) -> bool:
        async def job(session: Session) -> bool:
            before = await _codes(session, arn)
            found = await session.change("function_version_delete", arn=arn, number=number)
            await session.change("function_configs_delete", arn=arn, qualifier=str(number))
            await session.change_many("function_code_delete_unused", before)
            return found > 0

        return await self.write(job)

    async def function_delete(self, arn: str) -> bool:
        async def job(session: Session) -> bool:
            before = await _codes(session, arn)
            # First what keeps its versions: an alias refers to them.
            await session.change("function_aliases_delete", arn=arn)
            await session.change("function_urls_delete", arn=arn)
            found = await session.change("function_delete", arn=arn)
            await session.change_many("function_code_delete_unused", before)
            return found > 0

        return await self.write(job)

    # -- aliases -------------------------------------------------------------------------------------------

    async def function_alias_create(self, alias: FunctionAlias) -> None:
        await self.change("function_alias_insert", **asdict(alias))

    async def function_alias_get(self, arn: str, name: str) -> FunctionAlias | None:
        rows = await self.read("function_alias_get", arn=arn, name=name)
        return struct_of(FunctionAlias, rows[0]) if rows else None

    async def function_alias_update(self, alias: FunctionAlias, replaces: str) -> None:
        if await self.change("function_alias_replace", **asdict(alias), replaces=replaces) == 0:
            raise Conflict(f"{alias.function_arn}:{alias.name} does not exist or has another revision")

    async def function_alias_delete(self, arn: str, name: str) -> bool:
        async def job(session: Session) -> bool:
            found = await session.change("function_alias_delete", arn=arn, name=name)
            await session.change("function_configs_delete", arn=arn, qualifier=name)
            return found > 0

        return await self.write(job)

    async def function_alias_list(
        self, arn: str, version: int | None, after: str | None, limit: int
    ) -> Sequence[FunctionAlias]:
        rows = await self.read("function_alias_list", arn=arn, version=version, after=after or "", limit=limit)
        return [struct_of(FunctionAlias, row) for row in rows]

    # -- what else belongs to a function -------------------------------------------------------------------

    async def function_tags(self, arn: str) -> Mapping[str, str]:
        return dict(await self.read("function_tags", arn=arn))

    async def function_tag(self, arn: str, tags: Mapping[str, str]) -> None:
        await self.change_many("function_tag_set", _tag_rows(arn, tags))

    async def function_untag(self, arn: str, keys: Collection[str]) -> None:
        await self.change_many("function_tag_delete", [{"arn": arn, "key": key} for key in keys])

    async def function_concurrency(self, arn_prefix: str) -> Mapping[str, int]:
        rows = await self.read("function_concurrency", arn_prefix=arn_prefix, arn_end=after_prefix(arn_prefix))
        return dict(rows)

    async def function_set_concurrency(self, arn: str, reserved: int | None) -> None:
        if await self.change("function_set_concurrency", arn=arn, reserved=reserved) == 0:
            raise Conflict(f"{arn} does not exist")

    async def function_config_set(self, config: FunctionConfig) -> None:
        await self.change("function_config_set", **asdict(config))

    async def function_config_remove(self, arn: str, qualifier: str, kind: str) -> bool:
        return await self.change("function_config_delete", arn=arn, qualifier=qualifier, kind=kind) > 0

    async def function_configs(self, arn_prefix: str, kind: str) -> Sequence[FunctionConfig]:
        rows = await self.read("function_configs", arn_prefix=arn_prefix, arn_end=after_prefix(arn_prefix), kind=kind)
        return [struct_of(FunctionConfig, row) for row in rows]

    async def function_statement_add(self, statement: FunctionStatement) -> None:
        await self.change("function_statement_insert", **asdict(statement))

    async def function_statement_remove(self, arn: str, qualifier: str, id: str) -> bool:
        return await self.change("function_statement_delete", arn=arn, qualifier=qualifier, id=id) > 0

    async def function_statements(self, arn: str, qualifier: str) -> Sequence[FunctionStatement]:
        rows = await self.read("function_statements", arn=arn, qualifier=qualifier)
        return [struct_of(FunctionStatement, row) for row in rows]


def _version(row: Row) -> FunctionVersion:
    *columns, layers = row
    return struct_of(FunctionVersion, (*columns, tuple((layers or "").split())))


def _tag_rows(arn: str, tags: Mapping[str, str]) -> list[dict[str, Value]]:
    return [{"arn": arn, "key": key, "value": value} for key, value in tags.items()]


async def _insert(session: Session, version: FunctionVersion) -> None:
    await session.change("function_version_insert", **asdict(version))
    await _insert_layers(session, version)


async def _insert_layers(session: Session, version: FunctionVersion) -> None:
    rows: list[dict[str, Value]] = [
        {"function_arn": version.function_arn, "number": version.number, "place": place, "code": code}
        for place, code in enumerate(version.layers)
    ]
    await session.change_many("function_layer_insert", rows)


async def _codes(session: Session, arn: str) -> list[dict[str, Value]]:
    """The code that its versions have, and that of their layers."""
    return [{"sha256": code} for (code,) in await session.rows("function_codes", arn=arn)]


async def _publish(session: Session, version: FunctionVersion) -> int:
    """Insert it as the next version of its function. The number of it."""
    ((number,),) = await session.rows("function_next_version", arn=version.function_arn)
    await _insert(session, replace(version, number=number))
    return int(number)
