"""Datasets and destinations: slow, at times broken, and another one each time that somebody looks anew.

What is read is a version, which is what the note says; every reading without a note finds another version.  So a map
run whose notes are lost, or are kept too late, gives its children items that do not belong together.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Sequence
from random import Random

from treadle.datasets.contract import DatasetError, Owner, Piece
from treadle.engine.map_children import ItemSource, Value

BUCKET = "bucket"
_PIECE_ITEMS = 2


class Shelf:
    """What is outside: it survives every crash."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.files: dict[str, bytes] = {}
        """What was written, by key."""
        self.versions = itertools.count(1)
        self.calm = False
        """Nothing fails any more."""

    async def slow(self) -> None:
        """Raises DatasetError."""
        await asyncio.sleep(self.dice.choice((0.0, 0.01, 0.5, 10.0)))
        if not self.calm and self.dice.random() < 0.02:
            raise DatasetError("the simulated bucket is not there")


def item(version: str, number: int) -> str:
    return f"{version}-{number}"


class SimulatedDatasets:
    """Implements `datasets.contract.Datasets` for one process."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def open(self, source: ItemSource, owner: Owner, notes: Sequence[bytes]) -> _Reading:
        return _Reading(self._shelf, int(source.parameters["Items"]), notes)

    def destination(self, bucket: str, owner: Owner) -> _Destination:
        return _Destination(self._shelf)


class _Reading:
    """Implements `datasets.contract.Dataset`."""

    def __init__(self, shelf: Shelf, items: int, notes: Sequence[bytes]) -> None:
        self._shelf = shelf
        self._noted = bool(notes)
        self._version = notes[0].decode() if notes else f"v{next(shelf.versions)}"
        self._left = deque(range(items))

    async def read(self) -> Piece | None:
        await self._shelf.slow()
        if not self._left:
            return None
        numbers = [self._left.popleft() for _ in range(min(_PIECE_ITEMS, len(self._left)))]
        values: list[Value] = [(item(self._version, number), "S3://bucket/key") for number in numbers]
        note = None if self._noted else self._version.encode()
        self._noted = True
        return Piece(values, note)

    async def close(self) -> None: ...


class _Destination:
    """Implements `datasets.contract.Destination`."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def check(self) -> None:
        await self._shelf.slow()

    async def write(self, key: str, pieces: AsyncIterator[bytes]) -> int:
        content = b"".join([piece async for piece in pieces])
        await self._shelf.slow()
        self._shelf.files[key] = content
        return len(content)
