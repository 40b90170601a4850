"""How the processes of workers are started: each as its own command says, or forked from the zygote.

Whoever starts one is told when it runs and when it is no more, one way or the other (`Owner`).  When `ended` is called
the number of the process may still be used, at once and once more, to end what it has left behind in its group.
"""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Protocol, cast

from msgspec import Struct


class Start(Struct, frozen=True, kw_only=True):
    """What to start. Its output and its errors go to one pipe; it leads a session of its own."""

    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    output: int
    """The end of the pipe that is written to: the caller's to close, when the start has returned."""


class Owner(Protocol):
    def started(self, pid: int) -> None: ...

    def ended(self, return_code: int) -> None:
        """Negative for a signal."""
        ...


async def start(what: Start, owner: Owner) -> None:
    """Start a process. Raises OSError, subprocess.SubprocessError."""
    await asyncio.get_running_loop().subprocess_exec(
        lambda: _Process(owner),
        *what.command,
        stdin=subprocess.DEVNULL,
        stdout=what.output,
        stderr=what.output,
        cwd=what.folder,
        env=what.environment,
        start_new_session=True,
    )


class _Process(asyncio.SubprocessProtocol):
    """What the event loop tells about a process, for its owner."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.SubprocessTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._owner.started(self._transport.get_pid())

    def process_exited(self) -> None:
        return_code = self._transport.get_returncode()
        self._owner.ended(0 if return_code is None else return_code)
        self._transport.close()
