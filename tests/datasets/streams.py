"""Streams and objects in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle.datasets.contract import DatasetError
from treadle.datasets.objects import Entry, Opened


class PieceStream:
    """Bytes that come so many at a time."""

    def __init__(self, content: bytes, size: int = 65_536) -> None:
        self._content = content
        self._size = size
        self.taken = 0
        self.stopped = False

    def piece(self) -> bytes:
        piece = self._content[self.taken : self.taken + self._size]
        self.taken += len(piece)
        return piece

    def stop(self) -> None:
        self.stopped = True


class MemoryObjects:
    """One bucket; an object's version is its content's hash."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = dict(objects)
        self.page = 2
        self.streams: list[PieceStream] = []

    async def open(self, parameters: dict[str, Any], version: str | None) -> Opened:
        content = self.objects.get(parameters["Key"])
        if content is None:
            raise DatasetError("The specified key does not exist.")
        if version is not None and version != version_of(content):
            raise DatasetError("At least one of the pre-conditions you specified did not hold")
        self.streams.append(PieceStream(content))
        return Opened(self.streams[-1], version_of(content))

    async def entries(self, parameters: dict[str, Any], after: str | None) -> Sequence[Entry]:
        prefix = parameters.get("Prefix", "")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and (after is None or key > after))
        return [
            Entry(key, version_of(self.objects[key]), len(self.objects[key]), 1_700_000_000.0, "STANDARD")
            for key in keys[: self.page]
        ]


def version_of(content: bytes) -> str:
    return f'"{hash(content):x}"'
