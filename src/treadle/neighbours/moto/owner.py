"""moto's end of the connection to the server that it belongs to: see control.py.

One server at a time. When it is gone, the next one has a while to come; otherwise the process ends, and leaves
nothing behind.
"""

from __future__ import annotations

import hmac
import os
import shutil
import socket
import threading
import time
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

import msgspec

from treadle.neighbours.moto.control import (
    CONTROL_SOCKET,
    Greeting,
    Key,
    KeyWanted,
    Refusal,
    Settings,
    Welcome,
    line,
    withdraw,
)

_Message = TypeVar("_Message", bound=msgspec.Struct)

_LINE_BYTES = 65_536
_GREETING_SECONDS = 5
_FIRST_SECONDS = 60
"""The server that starts us comes as soon as we are ready."""


class OwnerGone(Exception):
    """The server has died, or is about to: what was asked of it may be asked of the next one."""


class Owner:
    """Of one process. Its methods are for any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(Path(settings.folder) / CONTROL_SOCKET))
        self._listener.listen()
        self._changed = threading.Condition()
        self._connection: socket.socket | None = None
        self._url = ""
        self._keys: dict[str, Key] = {}
        self._asked: set[str] = set()

    def start(self) -> None:
        threading.Thread(target=self._serve, name="owner", daemon=True).start()

    def close(self) -> None:
        """Of one that was not started."""
        self._listener.close()

    def endpoint(self, account: str, seconds: float) -> tuple[str, Key]:
        """Where the server takes requests, and with which key for the account. Raises OwnerGone, if it has none
        for us within so many seconds."""
        until = time.monotonic() + seconds
        with self._changed:
            while account not in self._keys:
                if self._connection is not None and account not in self._asked:
                    self._asked.add(account)
                    self._say(KeyWanted(account))
                if not self._changed.wait(until - time.monotonic()):
                    raise OwnerGone("there is no server to call")
            return self._url, self._keys[account]

    def _say(self, message: msgspec.Struct) -> None:
        assert self._connection is not None
        try:
            self._connection.sendall(line(message))
        except OSError as error:
            raise OwnerGone("the server has just gone") from error

    def _serve(self) -> None:
        """For the life of the process, which ends with it."""
        try:
            self._listener.settimeout(_FIRST_SECONDS)
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    self._belong(connection)
                self._listener.settimeout(self._settings.survival_seconds)
        except OSError:  # nobody came in time
            pass
        finally:
            self._end()

    def _belong(self, connection: socket.socket) -> None:
        """To who greets us rightly, until the end of the connection."""
        with connection.makefile("rb") as lines:
            connection.settimeout(_GREETING_SECONDS)
            greeting = _next(lines, Greeting)
            if greeting is None or not hmac.compare_digest(greeting.secret, self._settings.secret):
                return
            if greeting.kind != self._settings.kind:
                connection.sendall(line(Refusal(f"it is another one: {self._settings.kind}")))
                self._end()
            connection.sendall(line(Welcome(os.getpid())))
            connection.settimeout(None)
            with self._changed:
                self._connection, self._url = connection, greeting.url
                self._changed.notify_all()
            while (key := _next(lines, Key)) is not None:
                with self._changed:
                    self._keys[key.account] = key
                    self._changed.notify_all()
            with self._changed:
                self._connection = None
                self._keys.clear()
                self._asked.clear()

    def _end(self) -> None:
        withdraw(Path(self._settings.data), self._settings.secret)
        shutil.rmtree(self._settings.folder, ignore_errors=True)
        os._exit(0)


def _next(lines: BufferedReader, kind: type[_Message]) -> _Message | None:
    """None: there is no more, or nothing that belongs here."""
    try:
        found = lines.readline(_LINE_BYTES)
        return msgspec.json.decode(found, type=kind) if found else None
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
