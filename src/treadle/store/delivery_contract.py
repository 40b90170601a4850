"""The part of the store's contract that is about deliveries: what waits to reach a target (see `contract.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Delivery(Struct, frozen=True, kw_only=True):
    """Something that waits to reach its target. The store gives it its id, in the order in which they come."""

    id: int = 0
    target: str
    """An ARN. Of a function it may have a qualifier."""
    message: bytes
    """Opaque to the store."""
    accepted: int
    due: int
    """When the next attempt is to be made."""
    attempts: int = 0
    """How many have failed."""


class DeliveryStore(Protocol):
    """All methods may raise StoreUnusable."""

    async def delivery_add(self, delivery: Delivery) -> None: ...

    async def deliveries_due(self, target: str, until: int, limit: int) -> Sequence[int]:
        """Ids of those with `due` <= `until`, longest due first, at most `limit`."""
        ...

    async def delivery_next(self, target: str, after: int) -> int | None:
        """When the first is due of those with `due` > `after`."""
        ...

    async def delivery_get(self, id: int) -> Delivery | None: ...

    async def delivery_postpone(self, id: int, due: int) -> None:
        """One more attempt has failed, and the next is due then. Nothing happens if it has gone."""
        ...

    async def delivery_end(self, id: int, then: Sequence[Delivery]) -> None:
        """Remove it, and add what follows from it. Nothing happens if it has gone, because its target has."""
        ...

    async def delivery_targets(self) -> Sequence[str]:
        """Every target for which something waits."""
        ...

    async def delivery_count(self) -> int:
        """How many wait, for all targets together."""
        ...
