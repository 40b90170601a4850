"""The server's end of the connection to moto's process: see control.py."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from treadle.neighbours.moto.control import CONTROL_SOCKET, Greeting, Key, KeyWanted, Refusal, Welcome, line

_FromMoto = Welcome | Refusal | KeyWanted


class LinkFailed(Exception):
    """The process does not answer, or does not want us. The message says why."""


class Link:
    """Open until the process ends. `ended` is set then."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pid: int,
        key_of: Callable[[str], tuple[str, str]],
    ) -> None:
        self.pid = pid
        self.ended = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._key_of = key_of
        self._answering = asyncio.get_running_loop().create_task(self._answer())

    def kill(self) -> None:
        """As long as the connection is open, the process has its number. There is nothing that it could save."""
        if not self.ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _answer(self) -> None:
        try:
            while message := await self._reader.readline():
                wanted = msgspec.json.decode(message, type=_FromMoto)
                if isinstance(wanted, KeyWanted):
                    self._writer.write(line(Key(wanted.account, *self._key_of(wanted.account))))
                    await self._writer.drain()
        except (OSError, ValueError, msgspec.MsgspecError):
            self.kill()  # a process that no longer speaks as agreed is of no use to anybody
        finally:
            self.ended.set()
            self._writer.close()


async def connect(folder: Path, greeting: Greeting, key_of: Callable[[str], tuple[str, str]], seconds: float) -> Link:
    """Raises LinkFailed. `key_of`: an access key of this server (id, secret) for an account."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(folder / CONTROL_SOCKET)
            writer.write(line(greeting))
            answer = msgspec.json.decode(await reader.readline(), type=_FromMoto)
        if isinstance(answer, Welcome):
            return Link(reader, writer, answer.pid, key_of)
        reason = answer.reason if isinstance(answer, Refusal) else "it says something else than a greeting"
    except TimeoutError:
        reason = f"it does not answer within {seconds} seconds"
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        reason = str(error) or type(error).__name__
    if writer is not None:
        writer.close()
    raise LinkFailed(reason)
