"""Datasets, as map runs see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct

from treadle.engine.map_children import ItemSource, Value


class DatasetError(Exception):
    """It cannot be read or written. The message is the cause of the Map's failure: of States.ItemReaderFailed, or
    States.ResultWriterFailed."""


class Owner(Struct, frozen=True, kw_only=True):
    """On whose behalf it is read or written."""

    account: str
    region: str
    role_arn: str
    """Of the state machine."""


class Piece(Struct, frozen=True):
    """Some of the items, in order."""

    values: Sequence[Value]
    note: bytes | None = None
    """What has to be known to read the same items again after a restart. To be kept before any of them counts."""


class Dataset(Protocol):
    """Items that are being read."""

    async def read(self) -> Piece | None:
        """What comes next; None: there is no more. Raises DatasetError."""
        ...

    async def close(self) -> None: ...


class Destination(Protocol):
    """Where results are written."""

    async def check(self) -> None:
        """Raises DatasetError if nothing can be written there at all."""
        ...

    async def write(self, key: str, pieces: AsyncIterator[bytes]) -> int:
        """Write an object, which is there as a whole or not at all: its size. What was there under this key is
        replaced. Raises DatasetError."""
        ...


class Datasets(Protocol):
    def open(self, source: ItemSource, owner: Owner, notes: Sequence[bytes]) -> Dataset:
        """`notes`: what was kept when the same items were read before, in order; none: it is the first time."""
        ...

    def destination(self, bucket: str, owner: Owner) -> Destination: ...
