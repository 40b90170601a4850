"""A TCP proxy between a node and its database that cuts, delays and swallows what goes through it."""

from __future__ import annotations

import asyncio

_PIECE = 65_536


class Proxy:
    """Listens on a port of its own, and passes on to one target."""

    def __init__(self, port: int) -> None:
        """`port`: of the target, on this machine."""
        self.port = 0
        self.delay_seconds = 0.0
        """How long each piece is held back."""
        self._target = port
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._refuses = False

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        self.cut()

    def cut(self, *, refuse: bool = False) -> None:
        """Break all connections, without a farewell; and let in no others until `mend`."""
        self._refuses = refuse
        for writer in self._writers:
            writer.transport.abort()

    def swallow(self) -> None:
        """Connections stay, but nothing arrives any more, until `mend`: then what was under way does."""
        self._passes.clear()

    def mend(self) -> None:
        self._refuses = False
        self.delay_seconds = 0.0
        self._passes.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._writers |= both
        try:
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(_PIECE):
                await asyncio.sleep(self.delay_seconds)
                await self._passes.wait()
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.transport.abort()
