"""A real `treadle start` in a process of its own, and a client of its API that knows no AWS library."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

DEADLINE_SECONDS = 120
"""When something counts as hung. No test depends on how long anything takes."""

CONTENT_TYPE = "application/x-amz-json-1.0"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/acceptance"
REGION = "us-west-2"
SETTINGS = (
    *("--port", "0", "--data", "data", "--functions", "functions"),
    *("--account-id", ACCOUNT, "--region", REGION),
)
ORDER = Path(__file__).parents[2] / "examples" / "order"
FUNCTIONS = Path(__file__).parent / "functions"

_READY = re.compile(r" at (https?://\S+), data in ")
_T = TypeVar("_T")


class Refused(Exception):
    """The server answered with an error of its API."""

    def __init__(self, status: int, type: str, message: str) -> None:
        super().__init__(status, type, message)
        self.status, self.type, self.message = status, type, message


class NoAnswer(Exception):
    """The server went away before it answered, or is not there: whether the request took effect is not known."""


class Api:
    """One connection. Nothing is ever sent twice."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=DEADLINE_SECONDS)

    def close(self) -> None:
        self._connection.close()

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Raises Refused, NoAnswer."""
        return self.send(operation, json.dumps(request).encode())

    def send(self, operation: str, body: bytes, content_type: str = CONTENT_TYPE) -> dict[str, Any]:
        headers = {"X-Amz-Target": f"AWSStepFunctions.{operation}", "Content-Type": content_type}
        try:
            self._connection.request("POST", "/", body, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoAnswer(repr(error)) from error
        body_of = dict(json.loads(answer))
        if response.status != 200:
            raise Refused(response.status, body_of["__type"], body_of["message"])
        return body_of

    def pages(self, operation: str, member: str, **request: Any) -> Iterator[dict[str, Any]]:
        while True:
            answer = self.call(operation, **request)
            yield from answer[member]
            if "nextToken" not in answer:
                return
            request["nextToken"] = answer["nextToken"]


class Server:
    """`treadle start` on a data folder. Killed, at the latest, when the context ends."""

    def __init__(
        self, folder: Path, *arguments: str, before_exec: Callable[[], None] | None = None, **variables: str
    ) -> None:
        """`folder` holds `data` and `functions`; `before_exec` runs in the child process; `arguments` and
        `variables` of the environment come on top of those that every server here has."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TREADLE_", "AWS_"))}
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        self._log = (folder / "stderr").open("a+")
        self._told = self._log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "treadle", "start", *SETTINGS, *arguments],
            cwd=folder,
            env={
                **inherited,
                "PYTHONUTF8": "1",
                "PYTHONUNBUFFERED": "1",
                "TMPDIR": str(temporary),
                "TREADLE_LIMIT_NEIGHBOUR_SURVIVAL_SECONDS": "1",  # a test that kills a server leaves nothing behind
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            preexec_fn=before_exec,
        )
        self._url: str | None = None
        self._apis: list[Api] = []

    @property
    def url(self) -> str:
        """Waits until the server is ready. Raises NoAnswer if it ends before."""
        if self._url is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            ready = _READY.search(line)
            if ready is None:
                raise NoAnswer(f"treadle start said {line!r} and on stderr {self.stderr()!r}")
            self._url = ready[1]
        return self._url

    def api(self) -> Api:
        """A connection of its own, closed when the context ends."""
        api = Api(self.url)
        self._apis.append(api)
        return api

    def stderr(self) -> str:
        """What this process, not an earlier one on the same folder, has said."""
        self._log.seek(self._told)
        return self._log.read()

    def ended(self) -> int:
        """Wait for its end: the exit status."""
        return self.process.wait(DEADLINE_SECONDS)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self, *, with_children: bool = False) -> None:
        """At once and without any warning; perhaps with all processes that it has started."""
        children = _descendants(self.process.pid) if with_children else []
        self.process.kill()
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(DEADLINE_SECONDS)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        for api in self._apis:
            api.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()


def _descendants(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [(int(child), int(parent)) for child, parent in map(str.split, listing.splitlines())]
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        children = [child for child, its_parent in parents if its_parent == parent]
        found += children
        waiting += children
    return found


def folder_with_functions(path: Path) -> Path:
    """`path` with a functions folder: those of the order example, and our own."""
    shutil.copytree(ORDER / "functions", path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(FUNCTIONS, path / "functions", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return path


def create_machine(api: Api, name: str, definition: str, **members: Any) -> str:
    """The state machine's ARN."""
    answer = api.call("CreateStateMachine", name=name, definition=definition, roleArn=ROLE, **members)
    return str(answer["stateMachineArn"])


def poll(look: Callable[[], _T | None], seconds: float = DEADLINE_SECONDS) -> _T:
    """Ask until there is an answer other than None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"nothing after {seconds} seconds")


def ended_execution(api: Api, arn: str) -> dict[str, Any]:
    """What DescribeExecution says once the execution has ended."""

    def look() -> dict[str, Any] | None:
        answer = api.call("DescribeExecution", executionArn=arn)
        return None if answer["status"] == "RUNNING" else answer

    return poll(look)


def history(api: Api, arn: str) -> list[dict[str, Any]]:
    return list(api.pages("GetExecutionHistory", "events", executionArn=arn, maxResults=1_000))
