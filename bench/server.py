"""A real `treadle start` in a process of its own, with an empty data folder."""

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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.002
_START_SECONDS_MAX = 30
_STOP_SECONDS_MAX = 20


@dataclass(frozen=True)
class Server:
    port: int
    pid: int
    ready_seconds: float
    """From the start of the process until GET /_treadle/health was answered."""


@contextlib.contextmanager
def serving(scratch: Path, functions: Path, *arguments: str) -> Iterator[Server]:
    """The server with these arguments, ready for requests; it is stopped and its data removed afterwards."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TREADLE_")}
    port = free_port()
    with tempfile.TemporaryDirectory(dir=scratch) as data:
        command = [sys.executable, "-m", "treadle", "start", "--port", str(port), "--data", data]
        began = time.perf_counter()
        command += ["--functions", str(functions), *arguments]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
        try:
            until_healthy(process, port)
            yield Server(port, process.pid, time.perf_counter() - began)
        finally:
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
