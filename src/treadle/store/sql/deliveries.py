"""The table of deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import asdict

from treadle.store.delivery_contract import Delivery
from treadle.store.sql.session import Session, SqlStore, struct_of


class DeliveryTables(SqlStore):
    async def delivery_add(self, delivery: Delivery) -> None:
        await self.change("delivery_insert", **asdict(delivery))

    async def deliveries_due(self, target: str, until: int, limit: int) -> Sequence[int]:
        return [id for (id,) in await self.read("deliveries_due", target=target, until=until, limit=limit)]

    async def delivery_next(self, target: str, after: int) -> int | None:
        rows = await self.read("delivery_next", target=target, after=after)
        return int(rows[0][0]) if rows else None

    async def delivery_get(self, id: int) -> Delivery | None:
        rows = await self.read("delivery_get", id=id)
        return struct_of(Delivery, rows[0]) if rows else None

    async def delivery_postpone(self, id: int, due: int) -> None:
        await self.change("delivery_postpone", id=id, due=due)

    async def delivery_end(self, id: int, then: Sequence[Delivery]) -> None:
        async def job(session: Session) -> None:
            if await session.change("delivery_delete", id=id):
                await session.change_many("delivery_insert", map(asdict, then))

        await self.write(job)

    async def delivery_targets(self) -> Sequence[str]:
        return [target for (target,) in await self.read("delivery_targets")]

    async def delivery_count(self) -> int:
        ((count,),) = await self.read("delivery_count")
        return int(count)
