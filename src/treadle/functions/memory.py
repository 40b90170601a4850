"""How much memory a process has used at most, as the REPORT line tells it."""

from __future__ import annotations

import time
from pathlib import Path

_LOOK_SECONDS = 0.5


class Memory:
    """Of one process. It is looked at twice a second at most, because it costs a file for each invocation."""

    def __init__(self) -> None:
        self._looked = -_LOOK_SECONDS
        self._megabytes: int | None = None

    def most(self, pid: int | None) -> int | None:
        """MiB; None: not known, as where there is no /proc."""
        now = time.monotonic()
        if pid is not None and now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._megabytes = _peak(pid) or self._megabytes
        return self._megabytes


def _peak(pid: int) -> int | None:
    """VmHWM, proc(5)."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return None
    _, _, rest = status.partition(b"VmHWM:")
    kibibytes, _, _ = rest.partition(b"kB")
    return round(int(kibibytes) / 1024) if kibibytes else None
