"""What functions write: cut into lines, the last part kept per invocation, all of it in bounded files.

A log sink is called with the function's name, the request id (empty while a worker starts) and whole lines.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

LogSink = Callable[[str, str, str], None]

_PARTIAL_CHARACTERS = 8_192
"""A line longer than this is handed on in pieces."""

_log = logging.getLogger(__name__)


class Output:
    """The output of one worker. Lines of several workers share a file, so only whole ones are handed on."""

    def __init__(self, tail_bytes: int) -> None:
        self._tail_bytes = tail_bytes
        self._tail = bytearray()
        self._partial = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def feed(self, data: bytes) -> str:
        """Take what was read; gives the whole lines, if any."""
        self._tail += data[-self._tail_bytes :]
        del self._tail[: -self._tail_bytes]
        text = self._partial + self._decode(data)
        end = len(text) if len(text) > _PARTIAL_CHARACTERS else text.rfind("\n") + 1
        self._partial = text[end:]
        return _unix_lines(text[:end])

    def end(self) -> tuple[str, str]:
        """An invocation ended: the rest of its last line, and the last part of all it wrote."""
        rest, self._partial = self._partial, ""
        tail = self._tail.decode("utf-8", "ignore")
        self._tail.clear()
        return _unix_lines(rest + "\n") if rest else "", tail


def _unix_lines(text: str) -> str:
    """The official client joins the lines of a traceback with carriage returns, to keep them one log
    event."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class LogFiles:
    """The default sink: `<folder>/<function>.log`, and `.log.1` with what was before it."""

    def __init__(self, folder: Path, file_bytes: int) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._open: dict[str, TextIO] = {}
        self._failed = False

    def __call__(self, function: str, request_id: str, text: str) -> None:
        try:
            file = self._open.get(function) or self._start(function)
            file.write(text)
            file.flush()
            if file.tell() > self._file_bytes:
                self._rotate(function)
        except OSError as error:  # a full disk must not stop the functions
            if not self._failed:
                _log.warning("The log of function %s cannot be written: %s", function, error)
            self._failed = True

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _start(self, function: str) -> TextIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._path(function).open("a", encoding="utf-8", errors="replace")
        self._open[function] = file
        return file

    def _rotate(self, function: str) -> None:
        self._open.pop(function).close()
        path = self._path(function)
        path.replace(path.with_name(path.name + ".1"))

    def _path(self, function: str) -> Path:
        return self._folder / f"{function}.log"
