"""Outlives the server only to end its workers, and sees that they keep to what cannot be bounded otherwise.

Started as a script, never imported.  The server tells it through a pipe which process groups there are, a JSON object a
line; when the pipe ends the server is gone, whatever became of it, and what is left is killed.  Then the folder of the
workers' temporary files is removed, which is its argument.  Signals that a terminal sends to everybody are ignored: the
server decides.

    {"watch": PID, "mark": TEXT, "folder": PATH, "storage": BYTES, "memory": BYTES, "processes": COUNT}
    {"unwatch": PID}          all but PID may be missing

On Linux it looks at the workers twice a second, as long as there are any, and tells the server whom it kills and why:
`{"over": PID, "what": "memory"}`, or `storage`, or `processes`.  And it finds who has left a worker's process group,
which a signal to the group does not reach: such a process still has the worker's mark in its environment (proc(5)),
unless it was started with another one.  What it looks at costs nothing as long as nothing happens: the processes are
gone through only if there was a new one since.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

_LOOK_SECONDS = 0.5
_FILES_LOOKED_AT = 10_000
"""Of one worker's temporary files; who has more is not measured further."""
_SWEEPS = 20
"""A process that goes on making others in new sessions is met again; this often at most."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_IS_LINUX = sys.platform == "linux"

Watched = dict[int, dict[str, Any]]
"""What was said of each process, by its number."""


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _tell({"ready": True})
    watched: Watched = {}
    last_process = ""
    for messages in _messages(watched):
        gone: list[dict[str, Any]] = []
        for message in messages:
            if "watch" in message:
                watched[message["watch"]] = message
            else:
                gone.append(watched.pop(message["unwatch"], {}))
        _sweep([each["mark"] for each in gone if "mark" in each])
        if not messages and _IS_LINUX:
            last_process = _look(watched, last_process)
    for pid in watched:
        _kill_group(pid)
    _sweep([each["mark"] for each in watched.values() if "mark" in each])
    shutil.rmtree(sys.argv[1], ignore_errors=True)


def _messages(watched: Watched) -> Iterator[list[dict[str, Any]]]:
    """Those that have come; none, when it is time to look, however many come. To the end of the pipe."""
    rest = b""
    due = time.monotonic()
    while True:
        wait = None
        if _IS_LINUX and any("mark" in each for each in watched.values()):
            wait = due - time.monotonic()
            if wait <= 0:
                yield []
                due = time.monotonic() + _LOOK_SECONDS
                continue
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], wait)
        if not ready:
            continue
        data = os.read(sys.stdin.fileno(), 65_536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        if lines:
            yield [json.loads(line) for line in lines]


def _tell(message: dict[str, Any]) -> None:
    try:
        os.write(1, json.dumps(message).encode() + b"\n")
    except OSError:  # the server has gone
        return


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:  # it has ended by itself
        return


# -- bounds ------------------------------------------------------------------------------------------------


def _look(watched: Watched, last_process: str) -> str:
    """Kill whoever takes too much. The number of the newest process of the system, to be given again."""
    newest = _read("/proc/loadavg").split()[-1].decode()
    counts = _processes() if newest != last_process else {}
    for pid, bounds in watched.items():
        if "mark" not in bounds:
            continue
        what = None
        if counts.get(pid, 0) > bounds["processes"]:
            what = "processes"
        elif bounds.get("memory") is not None and _memory(pid) > bounds["memory"]:
            what = "memory"
        elif _storage(bounds["folder"]) > bounds["storage"]:
            what = "storage"
        if what is not None:
            _tell({"over": pid, "what": what})
            _kill_group(pid)
    return newest


def _processes() -> dict[int, int]:
    """Processes and threads of each session, by its leader."""
    counts: dict[int, int] = {}
    for pid in _all():
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if len(fields) > 17:
            session, threads = int(fields[3]), int(fields[17])
            counts[session] = counts.get(session, 0) + threads
    return counts


def _memory(pid: int) -> int:
    """Bytes that a process has in memory."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE_BYTES if fields else 0


def _storage(folder: str) -> int:
    """Bytes that the files in a folder take."""
    total, left, folders = 0, _FILES_LOOKED_AT, [folder]
    while folders and left > 0:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    left -= 1
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError:  # removed meanwhile
            continue
    return total


# -- who has left ------------------------------------------------------------------------------------------


def _sweep(marks: list[str]) -> None:
    """Kill every process whose environment has one of the marks."""
    wanted = [mark.encode() for mark in marks]
    for _ in range(_SWEEPS if wanted and _IS_LINUX else 0):
        found = [pid for pid in _all() if any(mark in _read(f"/proc/{pid}/environ") for mark in wanted)]
        for pid in found:
            _kill(pid, wanted)
        if not found:
            return


def _kill(pid: int, marks: list[bytes]) -> None:
    """Whoever has that number now may be another: it is looked at again, while it cannot change."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if any(mark in _read(f"/proc/{pid}/environ") for mark in marks):
            signal.pidfd_send_signal(process, signal.SIGKILL)
    except OSError:
        pass
    finally:
        os.close(process)


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - pathlib takes long to import


def _read(path: str) -> bytes:
    """Nothing, if it is not there any more or not ours."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(file, 65_536):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(file)


if __name__ == "__main__":
    main()
