"""The tables of state machines: revisions, versions, aliases and tags."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import asdict

from treadle.store.contract import Alias, Conflict, Machine, MachineRevision, Publication, Route, Version
from treadle.store.sql.session import LAST, Row, Session, SqlStore, Value, after_prefix, struct_of

_MACHINE_COLUMNS = 5
_VERSION_COLUMNS = 4
_ALIAS_COLUMNS = 5
"""Columns of a row that belong to the thing itself; those of its revision or of a route follow."""


class MachineTables(SqlStore):
    # -- machines ------------------------------------------------------------------------------------------

    async def machine_create(
        self, machine: Machine, tags: Mapping[str, str], publish: Publication | None = None
    ) -> None:
        async def job(session: Session) -> None:
            await session.change("machine_arn_insert", arn=machine.arn)
            await _insert_revision(session, machine.revision)
            await session.change("machine_insert", **asdict(machine), revision_id=machine.revision.id)
            await session.change_many("machine_tag_insert", _tag_rows(machine.arn, tags))
            if publish is not None:
                await _publish(session, machine.arn, machine.revision.id, publish)

        await self.write(job)

    async def machine_get(self, arn: str) -> Machine | None:
        rows = await self.read("machine_get", arn=arn)
        return _machine(rows[0]) if rows else None

    async def revision_create(self, revision: MachineRevision) -> None:
        await self.write(lambda session: _insert_revision(session, revision))

    async def machine_update(
        self, arn: str, revision: MachineRevision, publish: Publication | None = None
    ) -> int | None:
        async def job(session: Session) -> int | None:
            await _insert_revision(session, revision)
            if await session.change("machine_update", arn=arn, revision_id=revision.id) == 0:
                raise Conflict(f"{arn} does not exist or is being deleted")
            return None if publish is None else await _publish(session, arn, revision.id, publish)

        return await self.write(job)

    async def machine_delete(self, arn: str) -> None:
        await self.change("machine_delete", arn=arn)

    async def machine_remove(self, arn: str) -> bool:
        async def job(session: Session) -> bool:
            await session.rows("machine_lock", arn=arn)
            if await session.change("machine_remove", arn=arn):
                await session.change("revision_delete_unused", arn=arn)
                return True
            return not await session.rows("machine_is_deleting", arn=arn)

        return await self.write(job)

    async def machine_list(self, arn_prefix: str, after: str | None, limit: int) -> Sequence[Machine]:
        rows = await self.read(
            "machine_list", arn_prefix=arn_prefix, arn_end=after_prefix(arn_prefix), after=after or "", limit=limit
        )
        return [_machine(row) for row in rows]

    async def machine_count(self, arn_prefix: str) -> int:
        ((count,),) = await self.read("machine_count", arn_prefix=arn_prefix, arn_end=after_prefix(arn_prefix))
        return int(count)

    async def machines_deleting(self) -> Sequence[str]:
        return [arn for (arn,) in await self.read("machines_deleting")]

    async def machine_tags(self, arn: str) -> Mapping[str, str]:
        return dict(await self.read("machine_tags", arn=arn))

    async def machine_tag(self, arn: str, tags: Mapping[str, str]) -> None:
        await self.change_many("machine_tag_set", _tag_rows(arn, tags))

    async def machine_untag(self, arn: str, keys: Collection[str]) -> None:
        await self.change_many("machine_tag_delete", [{"arn": arn, "key": key} for key in keys])

    async def revision_get(self, revision_id: str) -> MachineRevision | None:
        rows = await self.read("revision_get", id=revision_id)
        return _revision(rows[0]) if rows else None

    # -- versions ------------------------------------------------------------------------------------------

    async def version_publish(self, arn: str, revision_id: str, publish: Publication) -> int:
        return await self.write(lambda session: _publish(session, arn, revision_id, publish))

    async def version_get(self, machine_arn: str, number: int) -> Version | None:
        rows = await self.read("version_get", machine_arn=machine_arn, number=number)
        return _version(rows[0]) if rows else None

    async def version_of(self, revision_id: str) -> Version | None:
        rows = await self.read("version_of", revision_id=revision_id)
        return _version(rows[0]) if rows else None

    async def version_list(self, machine_arn: str, before: int | None, limit: int) -> Sequence[Version]:
        bound = LAST if before is None else before
        rows = await self.read("version_list", machine_arn=machine_arn, before=bound, limit=limit)
        return [_version(row) for row in rows]

    async def version_count(self, machine_arn: str) -> int:
        ((count,),) = await self.read("version_count", machine_arn=machine_arn)
        return int(count)

    async def version_delete(self, machine_arn: str, number: int) -> None:
        await self.change("version_delete", machine_arn=machine_arn, number=number)

    # -- aliases -------------------------------------------------------------------------------------------

    async def alias_create(self, alias: Alias) -> None:
        async def job(session: Session) -> None:
            await session.change("alias_insert", **asdict(alias))
            await _insert_routes(session, alias)

        await self.write(job)

    async def alias_get(self, machine_arn: str, name: str) -> Alias | None:
        return next(iter(_aliases(await self.read("alias_get", machine_arn=machine_arn, name=name))), None)

    async def alias_update(self, alias: Alias) -> None:
        async def job(session: Session) -> None:
            if await session.change("alias_update", **asdict(alias)) == 0:
                raise Conflict(f"{alias.machine_arn} has no alias {alias.name}")
            await session.change("alias_routes_delete", machine_arn=alias.machine_arn, name=alias.name)
            await _insert_routes(session, alias)

        await self.write(job)

    async def alias_delete(self, machine_arn: str, name: str) -> bool:
        return await self.change("alias_delete", machine_arn=machine_arn, name=name) > 0

    async def alias_list(self, machine_arn: str, version: int | None, after: str | None, limit: int) -> Sequence[Alias]:
        rows = await self.read("alias_list", machine_arn=machine_arn, version=version, after=after or "", limit=limit)
        return _aliases(rows)

    async def alias_count(self, machine_arn: str) -> int:
        ((count,),) = await self.read("alias_count", machine_arn=machine_arn)
        return int(count)


async def _insert_revision(session: Session, revision: MachineRevision) -> None:
    await session.change("revision_insert", **asdict(revision))


async def _publish(session: Session, arn: str, revision_id: str, publish: Publication) -> int:
    numbers = await session.rows("version_next", arn=arn, revision_id=revision_id)
    if not numbers:
        raise Conflict(f"{revision_id} is not the current revision of {arn}")
    ((number,),) = numbers
    await session.change("version_insert", arn=arn, revision_id=revision_id, number=number, **asdict(publish))
    return int(number)


async def _insert_routes(session: Session, alias: Alias) -> None:
    rows = [
        {"machine_arn": alias.machine_arn, "name": alias.name, "position": position, **asdict(route)}
        for position, route in enumerate(alias.routes)
    ]
    await session.change_many("alias_route_insert", rows)


def _tag_rows(arn: str, tags: Mapping[str, str]) -> list[dict[str, Value]]:
    return [{"arn": arn, "key": key, "value": value} for key, value in tags.items()]


def _revision(row: Row) -> MachineRevision:
    *columns, initial = row
    return struct_of(MachineRevision, (*columns, bool(initial)))


def _machine(row: Row) -> Machine:
    return struct_of(Machine, (*row[:_MACHINE_COLUMNS], _revision(row[_MACHINE_COLUMNS:])))


def _version(row: Row) -> Version:
    return struct_of(Version, (*row[:_VERSION_COLUMNS], _revision(row[_VERSION_COLUMNS:])))


def _aliases(rows: Sequence[Row]) -> list[Alias]:
    """The rows hold one route each; those of one alias stand together."""
    return [
        struct_of(Alias, (*columns, tuple(Route(*row[_ALIAS_COLUMNS:]) for row in group)))
        for columns, group in itertools.groupby(rows, lambda row: row[:_ALIAS_COLUMNS])
    ]
