"""Bytes of an object, read piece by piece by a parser that runs in a thread."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Protocol

from treadle.datasets.contract import DatasetError
from treadle.neighbours.contract import Incoming, NeighbourUnavailable

_PIECE_BYTES = 65_536

Rest = Callable[[int], Awaitable[Incoming]]


class ByteStream(Protocol):
    """Belongs to one thread at a time; `stop` is for any."""

    taken: int
    """How many bytes have been read."""

    def piece(self) -> bytes:
        """What comes next; empty at the end. Waits for it. Raises DatasetError."""
        ...

    def stop(self) -> None:
        """Whoever waits for a piece does not get it, and what is open is closed."""
        ...


def pieces(stream: ByteStream) -> Iterator[bytes]:
    while piece := stream.piece():
        yield piece


class FileStream:
    """Of a local file."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._file = path.open("rb")
        self.taken = 0

    def piece(self) -> bytes:
        try:
            piece = self._file.read(_PIECE_BYTES)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self._file.name} cannot be read: {error}") from error
        self.taken += len(piece)
        return piece

    def stop(self) -> None:
        self._file.close()


class AnswerStream:
    """Of an answer that arrives in the event loop.

    A map run may take hours to work on what it has read, and nobody keeps a connection open for that long. So an answer
    that breaks off is asked for again, from where it did.
    """

    def __init__(self, answer: Incoming, loop: asyncio.AbstractEventLoop, rest: Rest | None = None) -> None:
        """`rest`: asks for what follows so many bytes; None: nobody can."""
        self._rest = rest
        self._continue_with(answer)
        self._loop = loop
        self._waiting: Future[bytes] | None = None
        self._stopped = False
        self.taken = 0

    def piece(self) -> bytes:
        if self._stopped:
            raise DatasetError("Nobody waits for it any more")
        waiting = self._waiting = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
        try:
            piece = waiting.result()
        except NeighbourUnavailable as error:
            raise DatasetError(f"Unable to execute HTTP request: {error}") from error
        except CancelledError as error:
            raise DatasetError("Nobody waits for it any more") from error
        self.taken += len(piece)
        return piece

    async def _next(self) -> bytes:
        try:
            return await anext(self._pieces, b"")
        except NeighbourUnavailable:
            if self._rest is None:
                raise
            self._answer.close()
            self._continue_with(await self._rest(self.taken))
            return await anext(self._pieces, b"")

    def _continue_with(self, answer: Incoming) -> None:
        self._answer = answer
        self._pieces: AsyncIterator[bytes] = answer.pieces()

    def stop(self) -> None:
        """In the event loop."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()
        self._answer.close()


class GzipStream:
    """What another stream holds, unpacked: as much at a time as a piece has, however well it was packed."""

    def __init__(self, packed: ByteStream) -> None:
        self._packed = packed
        self._unpack = zlib.decompressobj(wbits=31)
        self._rest = b""
        self.taken = 0

    def piece(self) -> bytes:
        while True:
            packed = self._rest or self._packed.piece()
            if not packed:
                if not self._unpack.eof:
                    raise DatasetError("A compressed file is cut off")
                return b""
            try:
                piece = self._unpack.decompress(packed, _PIECE_BYTES)
            except zlib.error as error:
                raise DatasetError(f"A compressed file cannot be unpacked: {error}") from error
            self._rest = self._unpack.unconsumed_tail
            if self._unpack.eof and self._unpack.unused_data:  # files that were put one after another
                self._rest, self._unpack = self._unpack.unused_data, zlib.decompressobj(wbits=31)
            if piece:
                self.taken += len(piece)
                return piece

    def stop(self) -> None:
        self._packed.stop()
