"""Keeps the promise that no worker outlives the server, even one that is killed in an instant.

One small process of its own (`guardian_process.py`) knows the workers' process groups and kills them when
its pipe to the server ends; then it removes what they have left of temporary files.  This needs nothing
inside the workers, so handlers are not disturbed, and nothing of one operating system.  A worker that is
being started when the server dies finds no server at its first poll, and ends by itself.

It is started for the first process that it is to watch, because many servers run none.

On Linux it also ends a worker that takes more than it may, which the server is told, and whoever has left a worker's
process group.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct

from treadle.functions.scratch import Scratch

_SCRIPT = str(Path(__file__).with_name("guardian_process.py"))

_log = logging.getLogger(__name__)


class Bounds(Struct, frozen=True, kw_only=True):
    """What a worker may take, as far as the guardian sees to it."""

    mark: str
    """A text in the environment of the worker, and of whatever it starts, that nobody else has there."""
    folder: str
    """Of its temporary files."""
    storage: int
    """Bytes of these."""
    memory: int | None
    """Bytes that its first process may have in memory; None: that is bounded otherwise."""
    processes: int
    """Processes and threads in its session."""


class _Line(Struct, frozen=True):
    """What the process tells."""

    ready: bool = False
    over: int | None = None
    what: str = ""


class Guardian:
    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._groups: dict[int, bytes] = {}
        """What was told of each process."""
        self._over: dict[int, Callable[[str], None]] = {}
        self._process: _Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        """It watches, and there is room for temporary files, when this returns. Called before every process that it
        is to watch is started; only the first waits. Raises OSError, and is then tried again."""
        if self._starting is None or (self._starting.done() and self._starting.exception() is not None):
            self._scratch.open()
            self._starting = asyncio.get_running_loop().create_task(self._begin())
        await asyncio.shield(self._starting)

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        _, self._process = await loop.subprocess_exec(
            lambda: _Process(self._told, self._lost),
            sys.executable,
            "-I",
            "-S",
            _SCRIPT,
            str(self._scratch.folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        await self._process.ready
        for line in self._groups.values():
            self._process.tell(line)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def close(self) -> None:
        self._closing = True
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._process is not None:
            await self._process.end()

    def watch(self, group: int, bounds: Bounds | None = None, over: Callable[[str], None] | None = None) -> None:
        """`over` is told what a worker had too much of, which is ended for it."""
        told = {} if bounds is None else msgspec.to_builtins(bounds)
        self._groups[group] = line = msgspec.json.encode({"watch": group, **told}) + b"\n"
        if over is not None:
            self._over[group] = over
        if self._process is not None:
            self._process.tell(line)

    def unwatch(self, group: int) -> None:
        self._groups.pop(group, None)
        self._over.pop(group, None)
        if self._process is not None:
            self._process.tell(msgspec.json.encode({"unwatch": group}) + b"\n")

    def _told(self, line: _Line) -> None:
        if line.over is not None and (over := self._over.get(line.over)) is not None:
            over(line.what)

    def _lost(self) -> None:
        if not self._closing:
            _log.warning("The guardian of the workers ended; it is started again")
            self._process = None
            self._starting = asyncio.get_running_loop().create_task(self._begin())


class _Process(asyncio.SubprocessProtocol):
    def __init__(self, told: Callable[[_Line], None], lost: Callable[[], None]) -> None:
        self._told = told
        self._lost = lost
        self._rest = b""
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when it can be relied on."""
        self._exited: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.SubprocessTransport
        self._pipe: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._pipe = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    def tell(self, line: bytes) -> None:
        if not self._pipe.is_closing():
            self._pipe.write(line)

    async def end(self) -> None:
        self._pipe.close()
        await self._exited

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self.ready.done():
                self.ready.set_result(None)
            self._told(msgspec.json.decode(line, type=_Line))

    def process_exited(self) -> None:
        self._transport.close()
        self._exited.set_result(None)
        if self.ready.done():
            self._lost()
        else:
            self.ready.set_exception(ChildProcessError("the guardian of the workers could not be started"))
