"""The table of deliveries."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from msgspec.structs import asdict

from treadle.store.delivery_contract import Delivery
from treadle.store.sqlite.connections import Connections, struct_of
from treadle.store.sqlite.sql import STATEMENTS


class DeliveryTables(Connections):
    async def delivery_add(self, delivery: Delivery) -> None:
        row = _row(delivery)
        await self.write(lambda connection: connection.execute(STATEMENTS["delivery_insert"], row))

    async def deliveries_due(self, target: str, until: int, limit: int) -> Sequence[int]:
        return [id for (id,) in await self.read("deliveries_due", target=target, until=until, limit=limit)]

    async def delivery_next(self, target: str, after: int) -> int | None:
        rows = await self.read("delivery_next", target=target, after=after)
        return int(rows[0][0]) if rows else None

    async def delivery_get(self, id: int) -> Delivery | None:
        rows = await self.read("delivery_get", id=id)
        return struct_of(Delivery, rows[0]) if rows else None

    async def delivery_postpone(self, id: int, due: int) -> None:
        row = {"id": id, "due": due}
        await self.write(lambda connection: connection.execute(STATEMENTS["delivery_postpone"], row))

    async def delivery_end(self, id: int, then: Sequence[Delivery]) -> None:
        rows = [_row(delivery) for delivery in then]

        def write(connection: sqlite3.Connection) -> None:
            if connection.execute(STATEMENTS["delivery_delete"], {"id": id}).rowcount:
                connection.executemany(STATEMENTS["delivery_insert"], rows)

        await self.write(write)

    async def delivery_targets(self) -> Sequence[str]:
        return [target for (target,) in await self.read("delivery_targets")]

    async def delivery_count(self) -> int:
        ((count,),) = await self.read("delivery_count")
        return int(count)


def _row(delivery: Delivery) -> dict[str, Any]:
    row = asdict(delivery)
    del row["id"]
    return row
