"""Starts workers of Python functions by forking them from one process that has imported what all of them need.

A fresh interpreter and the import of AWS's runtime client take most of a cold start, and a handler that imports boto3
pays that several times over; a fork of a process that has done it costs a few milliseconds.  What the forked process
is, and when it takes the long way after all, is described in `zygote_process.py`.

The zygote is started with the first Python worker, which waits for it.  Linux only: elsewhere a process cannot be
forked safely once the system's libraries have been used, and there is no descriptor to wait for another's end.  Where
there is no zygote, or it does not take an order, workers are started as all others (`processes.py`), which is always
right.  If it dies, its workers are ended, because nobody would learn of their end; the next worker starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from treadle.functions.guardian import Guardian
from treadle.functions.processes import Owner, Start
from treadle.functions.runtimes import PYTHON_COMMAND, PYTHON_PACKAGES, ZYGOTE_COMMAND

_MESSAGE_BYTES = 65_536
_PLACE_OF_MARK, _MARK_CHARACTERS = "_TREADLE_WORKER", 32
"""Room in the environment for the secret of a worker: see `zygote_process.py`."""
_START_SECONDS = 20
"""So long a worker waits for the zygote before it is started without."""

_log = logging.getLogger(__name__)


class Zygote:
    def __init__(self, guardian: Guardian, environment: Mapping[str, str]) -> None:
        """`environment`: its own. Workers whose environment differs in what an interpreter reads as it starts are
        not forked."""
        self._guardian = guardian
        self._environment = {**environment, _PLACE_OF_MARK: "0" * _MARK_CHARACTERS}
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready: asyncio.Future[bool] | None = None
        self._orders: dict[int, tuple[asyncio.Future[bool], Owner]] = {}
        self._order = 0
        self._workers: dict[int, Owner] = {}
        self._broken = False
        """It ended before it was ready: it is not tried again."""
        self._closed = False

    async def start(self, what: Start, owner: Owner) -> bool:
        """Start a worker. False: it must be started in another way. Raises OSError."""
        if what.command[: len(PYTHON_COMMAND)] != PYTHON_COMMAND or not await self._is_ready():
            return False
        assert self._socket is not None
        self._order += 1
        order = {
            "start": self._order,
            "command": what.command,
            "environment": what.environment,
            "folder": str(what.folder),
        }
        try:
            socket.send_fds(self._socket, [msgspec.json.encode(order)], [what.output])
        except OSError:  # too long, or it is behind with its work
            return False
        started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._orders[self._order] = started, owner
        return await started

    async def close(self) -> None:
        """Called when all workers have ended."""
        self._closed = True
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(False)
        if self._process is not None:
            self._lost()

    # -- the process ---------------------------------------------------------------------------------------

    async def _is_ready(self) -> bool:
        if self._closed or self._broken or sys.platform != "linux":
            return False
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            try:
                self._open()
            except OSError as error:
                _log.warning("The process that Python workers are forked from could not be started: %s", error)
                self._broken = True
                self._ready.set_result(False)
        if not self._ready.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ready), _START_SECONDS)
        return self._socket is not None and self._ready is not None and self._ready.done() and self._ready.result()

    def _open(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.setblocking(False)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own script
                    [*ZYGOTE_COMMAND, str(theirs.fileno()), PYTHON_PACKAGES],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=self._environment,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        self._guardian.watch(self._process.pid)
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours, self._readable)

    def _readable(self) -> None:
        assert self._socket is not None
        while True:
            try:
                data = self._socket.recv(_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lost()
                return
            self._told(msgspec.json.decode(data))

    def _told(self, message: dict[str, Any]) -> None:
        match message:
            case {"ready": _}:
                assert self._ready is not None
                self._ready.set_result(True)
            case {"started": order, "pid": pid}:
                started, owner = self._orders.pop(order)
                self._workers[pid] = owner
                owner.started(pid)
                _settle(started, True)
            case {"failed": order, "reason": reason}:
                _settle(self._orders.pop(order)[0], OSError(reason))
            case {"ended": pid, "code": code}:
                self._workers.pop(pid).ended(code)
                self._release(pid)

    def _release(self, pid: int) -> None:
        assert self._socket is not None
        try:
            self._socket.send(msgspec.json.encode({"release": pid}))
        except BlockingIOError:  # it reads as soon as it can; until then the number is taken
            asyncio.get_running_loop().call_later(0.01, self._release, pid)
        except OSError:
            return

    def _lost(self) -> None:
        """The zygote has gone, or is to go."""
        assert self._socket is not None
        assert self._process is not None
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._guardian.unwatch(self._process.pid)
        if not self._closed:
            _log.warning("The process that Python workers are forked from ended, and they with it")
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(False)
            self._broken = True
        self._ready = self._process = self._socket = None
        for started, _ in self._orders.values():
            _settle(started, False)
        self._orders.clear()
        workers, self._workers = self._workers, {}
        for pid, owner in workers.items():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            owner.ended(-signal.SIGKILL)


def _settle(started: asyncio.Future[bool], outcome: bool | OSError) -> None:
    if started.done():  # whoever asked was cancelled
        return
    if isinstance(outcome, bool):
        started.set_result(outcome)
    else:
        started.set_exception(outcome)
