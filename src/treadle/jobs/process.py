"""One command in a process group of its own, its output in a log.

It is started in two steps, so that somebody can be told of the group in between who ends it if the server dies: first
a shell that waits for a line, which then becomes the command. If the server dies before, the shell finds the end of its
input, and is gone.

That it has ended is told by its own end, not by that of its output: what it leaves behind may hold the pipe open.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, cast

from treadle.jobs.log_file import LogFile

_LAST_WORDS_SECONDS = 2
"""How long the rest of the output is waited for when the group is no more: what has left the group may hold the pipe
open."""


_WAITING = 'read -r line || exit 1; exec "$@" </dev/null'


class Process:
    def __init__(self, transport: asyncio.SubprocessTransport, ended: asyncio.Future[int], output: _Output) -> None:
        self.group = transport.get_pid()
        self.ended = ended
        """Done when the command has ended: its exit status, negative if a signal ended it."""
        self.log = output.log
        self._transport = transport
        self._output = output
        self._closed = False

    @classmethod
    async def prepare(cls, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: LogFile) -> Self:
        """It waits for `begin`. Raises OSError."""
        loop = asyncio.get_running_loop()
        output = _Output(log)
        read_end, write_end = os.pipe()
        try:
            await loop.connect_read_pipe(lambda: output, os.fdopen(read_end, "rb", buffering=0))
            transport, protocol = await loop.subprocess_exec(
                _Told,
                *("/bin/sh", "-c", _WAITING, "job", *command),
                stdin=subprocess.PIPE,
                stdout=write_end,
                stderr=write_end,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        except BaseException:
            output.close()
            raise
        finally:
            os.close(write_end)
        return cls(transport, protocol.ended, output)

    def begin(self) -> None:
        """Run the command."""
        go = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        go.write(b"\n")
        go.close()

    def signal(self, number: signal.Signals) -> None:
        """To the whole group. Nothing is sent once it has been closed: its number may be somebody else's then."""
        if not self._closed:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.group, number)

    async def close(self) -> None:
        """Kill what is left of the group, and take the rest of its output. May be called again."""
        if self._closed:
            return
        self.signal(signal.SIGKILL)
        await asyncio.shield(self.ended)
        self._closed = True
        await asyncio.wait({self._output.ended}, timeout=_LAST_WORDS_SECONDS)
        self._output.close()
        self._transport.close()


class _Told(asyncio.SubprocessProtocol):
    """What the event loop tells of the process."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.SubprocessTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def process_exited(self) -> None:
        status = self._transport.get_returncode()
        assert status is not None
        self.ended.set_result(status)


class _Output(asyncio.Protocol):
    """What comes through the pipe."""

    def __init__(self, log: LogFile) -> None:
        self.log = log
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.log.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self.log.close()
