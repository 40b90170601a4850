"""wrk, a client in C: what asks where a client in Python would be the bottleneck. Debian's package is `wrk`."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path

import msgspec

_SCRIPT = Path(__file__).with_name("wrk.lua")
_RESULT = "RESULT "
_ENOUGH = "ENOUGH"
"""What the script writes as the first word of a line."""
_THREADS = 1
"""It shares the machine with the server, and one thread asks for more than the server can answer."""
_TIMEOUT_SECONDS = 60
"""wrk counts an answer that takes longer as an error."""
_LONGEST_SECONDS = 3_600
_BETWEEN_INTERRUPTS_SECONDS = 0.5
_UNTIL_IT_LISTENS = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""wrk's threads ask before it has said what an interrupt is to do; until then, none is to end it."""

HOW_TO_INSTALL = (
    "wrk is not installed (Debian, Ubuntu: apt-get install wrk; macOS: brew install wrk); a client in Python asks "
    "instead, and is part of what is measured"
)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What became of many requests."""

    answers: int
    microseconds: int
    not_2xx: int = 0
    refused: int = 0
    """Answers that are not 200, and those of them that are a ThrottlingException: only where they are looked at."""
    throttled: int = 0
    other: str = ""
    """The first refusal that was none."""
    connect: int = 0
    read: int = 0
    write: int = 0
    timeout: int = 0
    p50: int = 0
    """In microseconds, as the two that follow."""
    p99: int = 0
    slowest: int = 0

    @property
    def seconds(self) -> float:
        return self.microseconds / 1e6

    @property
    def taken(self) -> int:
        """Requests that were answered with success."""
        return self.answers - self.not_2xx

    @property
    def broken(self) -> int:
        """Requests that were not answered."""
        return self.connect + self.read + self.write + self.timeout


def installed() -> bool:
    return shutil.which("wrk") is not None


def ask(
    port: int,
    machine: str,
    *,
    operation: str = "StartExecution",
    seconds: float | None = None,
    count: int = 0,
    connections: int = 64,
    named: bool = True,
    data: str = "{}",
    refusals: bool = False,
) -> Load:
    """Send the operation for `seconds`, or until `count` requests were sent (those under way then are cut off).

    `named`: each with a name that there was never before. `refusals`: look at what is refused, and count it."""
    command = [*_UNTIL_IT_LISTENS, "wrk", f"-t{_THREADS}", f"-c{connections}", f"--timeout={_TIMEOUT_SECONDS}s"]
    command += [f"-d{_LONGEST_SECONDS if seconds is None else max(1, round(seconds))}s", f"-s{_SCRIPT}"]
    prefix = f"w{uuid.uuid4().hex[:12]}-" if named else "-"
    command += [f"http://127.0.0.1:{port}/", "--", operation, machine, data, prefix, str(count), str(int(refusals))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_ENOUGH):
                threading.Thread(target=_interrupt, args=(process,), daemon=True).start()
            elif line.startswith(_RESULT):
                return msgspec.json.decode(line.removeprefix(_RESULT), type=Load)
    raise RuntimeError(f"wrk ended with status {process.returncode}")


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Until it ends: an interrupt that comes before wrk sleeps does not wake it."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(_BETWEEN_INTERRUPTS_SECONDS)
