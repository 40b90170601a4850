"""What every store must do with deliveries: a part of the suite of `suite.py`."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tests.store.function_suite import CODE, PAY, PREFIX, function
from tests.store.machine_suite import Reopen
from treadle.store.contract import Store
from treadle.store.delivery_contract import Delivery

LATE = 10**15


def delivery(message: bytes = b"\x00", target: str = PAY, due: int = 10, **changes: Any) -> Delivery:
    return replace(Delivery(target=target, message=message, accepted=5, due=due), **changes)


async def waiting(store: Store, target: str = PAY, until: int = LATE, limit: int = 100) -> list[bytes]:
    """The messages that are due, as they come."""
    found = [await store.delivery_get(id) for id in await store.deliveries_due(target, until, limit)]
    return [each.message for each in found if each is not None]


class DeliverySuite:
    async def test_delivery_survives(self, store: Store, reopen: Reopen) -> None:
        made = delivery(bytes(range(256)) * 5_000, attempts=2)
        await store.delivery_add(made)
        store = await reopen(store)
        (id,) = await store.deliveries_due(PAY, LATE, 10)
        assert await store.delivery_get(id) == replace(made, id=id)
        assert await store.delivery_get(id + 1) is None

    async def test_deliveries_by_due_then_as_they_came(self, store: Store) -> None:
        for message, due in ((b"late", 30), (b"a", 10), (b"b", 20), (b"c", 10)):
            await store.delivery_add(delivery(message, due=due))
        await store.delivery_add(delivery(b"other", target=PAY + ":1", due=1))
        assert await waiting(store) == [b"a", b"c", b"b", b"late"]
        assert await waiting(store, until=20, limit=2) == [b"a", b"c"]
        assert await waiting(store, until=20) == [b"a", b"c", b"b"]
        assert [await store.delivery_next(PAY, after) for after in (0, 10, 20, 30)] == [10, 20, 30, None]
        assert await store.delivery_count() == 5
        assert await store.delivery_targets() == [PAY, PAY + ":1"]

    async def test_delivery_postponed(self, store: Store) -> None:
        await store.delivery_add(delivery())
        (id,) = await store.deliveries_due(PAY, 10, 10)
        await store.delivery_postpone(id, 70)
        assert await store.deliveries_due(PAY, 69, 10) == []
        assert await store.delivery_get(id) == delivery(id=id, due=70, attempts=1)
        await store.delivery_postpone(id + 1, 70)
        assert await store.delivery_count() == 1

    async def test_delivery_ends_with_what_follows(self, store: Store, reopen: Reopen) -> None:
        await store.delivery_add(delivery())
        (id,) = await store.deliveries_due(PAY, 10, 10)
        await store.delivery_end(id, [delivery(b"record", target="queue"), delivery(b"letter", target="topic")])
        store = await reopen(store)
        assert await waiting(store) == []
        assert await waiting(store, "queue") == [b"record"]
        assert await store.delivery_targets() == ["queue", "topic"]

    async def test_delivery_ends_once(self, store: Store) -> None:
        await store.delivery_add(delivery())
        (id,) = await store.deliveries_due(PAY, 10, 10)
        await store.delivery_end(id, [])
        await store.delivery_add(delivery(b"next"))
        await store.delivery_end(id, [delivery(b"record", target="queue")])
        assert await waiting(store) == [b"next"]
        assert await store.delivery_targets() == [PAY]

    async def test_deliveries_go_with_their_function(self, store: Store) -> None:
        await store.function_create(function(), CODE, {})
        for target in (PAY, PAY + ":1", PAY + ":live", PAY + "ment", PREFIX + "other"):
            await store.delivery_add(delivery(target=target))
        await store.function_delete(PAY)
        assert await store.delivery_targets() == [PREFIX + "other", PAY + "ment"]

    async def test_no_deliveries(self, store: Store) -> None:
        assert await store.delivery_targets() == []
        assert await store.delivery_count() == 0
