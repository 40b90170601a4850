"""What a workload works with: folders on the disk to measure, its size, and real servers on them."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.002
_START_SECONDS_MAX = 300
"""A server that takes up a million executions may take long."""
_STOP_SECONDS_MAX = 60


@dataclass(frozen=True)
class Rig:
    scratch: Path
    functions: Path
    quick: bool
    """Everything smaller and fewer times: a look, rather than a measurement."""

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    @contextlib.contextmanager
    def serving(self, *arguments: str, limits: Mapping[str, int] | None = None) -> Iterator[Server]:
        """A `treadle start` with these arguments and an empty data folder, ready for requests. It is stopped and its
        data removed afterwards. `limits`: of limits.py, by name."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as data:
            server = Server(Path(data), ("--functions", str(self.functions), *arguments), limits or {})
            server.start()
            try:
                yield server
            finally:
                server.stop()


class Server:
    """A real server in a process of its own, which may be killed and started again on what it left."""

    def __init__(self, data: Path, arguments: tuple[str, ...], limits: Mapping[str, int]) -> None:
        self.data = data
        self.port = free_port()
        self.ready_seconds = 0.0
        """From the start of the process until GET /_treadle/health was answered."""
        self._arguments = arguments
        self._limits = {f"TREADLE_LIMIT_{name.upper()}": str(value) for name, value in limits.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TREADLE_")}
        command = [sys.executable, "-m", "treadle", "start", "--port", str(self.port), "--data", str(self.data)]
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [*command, *self._arguments], env={**environ, **self._limits}, stdout=subprocess.DEVNULL
        )
        until_healthy(self._process, self.port)
        self.ready_seconds = time.perf_counter() - began

    def kill(self) -> None:
        """With SIGKILL: it gets to do nothing any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
            self._process = None

    def disk_bytes(self) -> int:
        """What the database takes, its log that is not yet taken into it included."""
        return sum(file.stat().st_size for file in self.data.glob("*.db*"))


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until_healthy(process: subprocess.Popen[bytes], port: int, path: str = "/_treadle/health") -> None:
    deadline = time.monotonic() + _START_SECONDS_MAX
    while not _is_healthy(port, path):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server was not ready after {_START_SECONDS_MAX} seconds")
        time.sleep(_POLL_SECONDS)


def _is_healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS_MAX)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
