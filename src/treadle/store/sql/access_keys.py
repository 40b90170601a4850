"""The table of access keys."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict

from treadle.store.contract import AccessKey
from treadle.store.sql.session import SqlStore, struct_of


class AccessKeyTables(SqlStore):
    async def access_key_create(self, key: AccessKey) -> None:
        await self.change("access_key_insert", **asdict(key))

    async def access_key_list(self) -> Sequence[AccessKey]:
        return [struct_of(AccessKey, row) for row in await self.read("access_key_list")]

    async def access_key_revoke(self, key_id: str, now: int) -> None:
        await self.change("access_key_revoke", id=key_id, revoked=now)
