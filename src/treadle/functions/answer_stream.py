"""An answer on its way from a handler that streams it to whoever asked: piece by piece, and never much of it at once.

The Runtime API's connection feeds it. When more than `function_stream_buffer_bytes` wait, the connection is not read
until the reader has taken them: so a handler goes as fast as its slowest reader, and memory is bounded however much
it writes. Everything happens in the event loop.

What a handler returns that does not stream never goes through here: the invocation has it as its payload.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from treadle.limits import Limits

DEFAULT_CONTENT_TYPE = "application/octet-stream"


class Flow(Protocol):
    """What brings the pieces."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class AnswerStream:
    def __init__(self, limits: Limits) -> None:
        self.content_type: str | None = None
        """As the handler says; None: it has not begun to stream."""
        self.executed_version: str | None = None
        """Of the function that runs; None: it is not known yet."""
        self.closed = False
        """Nothing will come any more."""
        self._most_waiting = limits.function_stream_buffer_bytes
        self._most = limits.function_stream_bytes
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._bytes = 0
        self._flow: Flow | None = None
        self._paused = False
        self._news: asyncio.Future[None] | None = None

    # -- what brings it ------------------------------------------------------------------------------------

    def begin(self, content_type: str, flow: Flow) -> None:
        self.content_type, self._flow = content_type or DEFAULT_CONTENT_TYPE, flow
        self._tell()

    def feed(self, piece: bytes) -> bool:
        """False: this is more than a handler may stream; it is not taken."""
        self._bytes += len(piece)
        if self._bytes > self._most:
            return False
        self._pieces.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes > self._most_waiting and self._flow is not None and not self._paused:
            self._paused = True
            self._flow.pause_reading()
        self._tell()
        return True

    def disconnect(self) -> None:
        """All pieces have come, or the connection is gone: it must not be touched any more."""
        self._flow = None

    def close(self) -> None:
        """The invocation has ended."""
        self.closed = True
        self._tell()

    # -- who reads it --------------------------------------------------------------------------------------

    def news(self) -> asyncio.Future[None]:
        """Done as soon as there is something to take, or to know."""
        if self._news is None or self._news.done():
            self._news = asyncio.get_running_loop().create_future()
            if self._pieces or self.closed:
                self._news.set_result(None)
        return self._news

    def take(self) -> bytes:
        """All that waits; empty if that is nothing."""
        pieces, self._pieces, self._waiting_bytes = self._pieces, [], 0
        if self._paused:
            self._paused = False
            if self._flow is not None:
                self._flow.resume_reading()
        return b"".join(pieces)

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
