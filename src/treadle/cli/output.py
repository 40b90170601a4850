"""The output of functions in the terminal: `treadle start --verbose`."""

from __future__ import annotations

import queue
import sys
import threading
from contextlib import suppress

from treadle.functions.logs import LogStream, unix_lines

_PENDING = 1_000
"""Pieces of output that wait for the terminal. A terminal that stands still, or a full pipe, must not stop the
server: what is beyond that is left out here."""


class TerminalOutput:
    """Implements `functions.logs.LogSink`."""

    def __init__(self) -> None:
        self._pending: queue.Queue[str] = queue.Queue(_PENDING)
        threading.Thread(target=self._print, name="function output", daemon=True).start()

    def wrote(self, stream: LogStream, text: str) -> None:
        lines = [f"{stream.function} | {line}\n" for line in unix_lines(text).splitlines() if line]
        with suppress(queue.Full):
            self._pending.put_nowait("".join(lines))

    def _print(self) -> None:
        while True:
            text = self._pending.get()
            try:
                sys.stdout.write(text)
                sys.stdout.flush()
            except (OSError, ValueError):  # nobody reads it any more
                return
