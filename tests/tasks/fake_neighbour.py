"""A neighbour without a network: it remembers what it is sent, and gives one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from treadle.document import decode
from treadle.limits import Limits
from treadle.neighbours.contract import Incoming, Outgoing
from treadle.neighbours.directory import Neighbours
from treadle.tasks.service_calls import ServiceCalls

HOST = "127.0.0.1:4566"


class Reply:
    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._body = body
        self.closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self._body

    async def read(self, most: int) -> bytes | None:
        return self._body if len(self._body) <= most else None

    def close(self) -> None:
        self.closed = True


class FakeNeighbour:
    is_running = True

    def __init__(self, body: bytes = b"{}", status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply = Reply(status, body, named)
        self.trouble: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.sent: list[Outgoing] = []
        self.asked = asyncio.Event()
        self.cancelled = False

    async def send(self, request: Outgoing) -> Incoming:
        self.sent.append(request)
        self.asked.set()
        if self.trouble is not None:
            raise self.trouble
        if self.hold is not None:
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        return self.reply

    async def close(self) -> None: ...

    @property
    def calls(self) -> ServiceCalls:
        limits = Limits()
        return ServiceCalls(Neighbours(self, {}, limits), limits, HOST)

    @property
    def body(self) -> Any:
        """Of the last request, as JSON."""
        body = self.sent[-1].body
        assert isinstance(body, bytes)
        return decode(body)

    @property
    def headers(self) -> dict[str, str]:
        """Of the last request, with names in lower case."""
        return {name.decode().lower(): value.decode() for name, value in self.sent[-1].headers}
