"""What one job writes: a bounded file, and the last part of it in memory."""

from __future__ import annotations

import logging
from pathlib import Path

_log = logging.getLogger(__name__)


class LogFile:
    """Of a job that is run again, the file goes on."""

    def __init__(self, path: Path, most_bytes: int, tail_bytes: int) -> None:
        self._left = most_bytes
        self._tail_bytes = tail_bytes
        self._tail = bytearray()
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            self._left -= self._file.tell()
        except OSError as error:
            self._give_up(error)

    def write(self, data: bytes) -> None:
        self._tail += data
        del self._tail[: -self._tail_bytes]
        if self._left <= 0:
            return
        try:
            self._file.write(data[: self._left])
            self._left -= len(data)
            if self._left <= 0:
                self._file.write(b"\n(the log ends here: it has reached its bound, the limit job_log_bytes)\n")
            self._file.flush()
        except OSError as error:  # a full disk must not stop the job
            self._give_up(error)

    def tail(self) -> str:
        return self._tail.decode("utf-8", "replace")

    def close(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def _give_up(self, error: OSError) -> None:
        self._left = 0
        _log.warning("The log of a job, %s, cannot be written: %s", self._path, error)
