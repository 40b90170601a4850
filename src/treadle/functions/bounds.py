"""What a worker's process may take of the machine: as far as the operating system bounds it, and beyond.

The first is set from outside right after the start, so that nothing of ours must run inside, whatever the language;
what the worker starts inherits it.  Linux only: elsewhere a process cannot bound another, and nothing is set.

- No core files: they would hold what the function was working on, and fill the disk.
- Open files, as on Lambda.
- The size of one file: nobody may write more than the temporary storage of a function.
- If the machine runs out of memory, Linux ends workers before anything else of this server.
- Memory: for Python the data segment, which is what a process has allocated, not what it uses; so there is headroom.
  Beyond it Python raises MemoryError.  For Node.js the heap is bounded when it is started (runtimes.py).

The guardian looks at the rest now and then, and ends who has too much: all temporary files, processes and threads,
and the memory of what is not Python, which reserves more than it uses and so cannot be bounded from the start.
(Linux bounds the processes of a user, not of a worker, and nobody's if the server runs as root.)
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from treadle.functions.function import Function
from treadle.functions.guardian import Bounds
from treadle.limits import Limits

_FIRST_TO_GO = "1000"
"""The highest value of oom_score_adj (proc(5)); whoever may not lower a value may still raise it."""
_MEBIBYTE = 1_048_576


def guarded(function: Function, limits: Limits, mark: str, folder: Path) -> Bounds:
    """What the guardian sees to."""
    memory = (function.memory_megabytes + limits.function_memory_headroom_megabytes) * _MEBIBYTE
    return Bounds(
        mark=mark,
        folder=str(folder),
        storage=function.ephemeral_megabytes * _MEBIBYTE,
        memory=None if function.runtime.startswith("python") else memory,
        processes=limits.function_processes,
    )


def bound(pid: int, function: Function, limits: Limits) -> None:
    """Bound a process that was just started. One that has ended already is let go."""
    if sys.platform != "linux":
        return
    bounds = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: limits.function_open_files}
    bounds[resource.RLIMIT_FSIZE] = function.ephemeral_megabytes * _MEBIBYTE
    if function.runtime.startswith("python"):
        mebibytes = function.memory_megabytes + limits.function_memory_headroom_megabytes
        bounds[resource.RLIMIT_DATA] = mebibytes * _MEBIBYTE
    try:
        for kind, most in bounds.items():
            _, hard = resource.prlimit(pid, kind)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(pid, kind, (least, least))
        Path(f"/proc/{pid}/oom_score_adj").write_text(_FIRST_TO_GO)
    except (ProcessLookupError, FileNotFoundError):
        return
