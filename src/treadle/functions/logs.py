"""What functions write: cut into lines, the last part kept per invocation, and handed on.

Each worker writes to a log stream of its own, as on Lambda.  Whoever takes part in it implements `LogSink`: the files
here, and above this package what brings lines to CloudWatch Logs and to the terminal.  No sink may wait: they are told
while an invocation waits for its answer.

A line is an event of the log.  AWS's runtime clients write a carriage return where an event is to have a line's end
inside (tracebacks); it stands in the text that sinks get.
"""

from __future__ import annotations

import codecs
import logging
import secrets
import time
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from treadle.functions.function import Function

LINE_CHARACTERS = 262_144
"""A line longer than this is handed on in pieces: what an event of CloudWatch Logs had room for before it grew to
1 MiB."""

_log = logging.getLogger(__name__)


class LogStream(Struct, frozen=True, kw_only=True):
    """Where the output of one worker goes."""

    function: str
    """The function's name."""
    account: str
    region: str
    group: str
    name: str

    @classmethod
    def of_new_worker(cls, function: Function, account: str, region: str) -> LogStream:
        """`account` and `region`: of the server, for a function that belongs nowhere."""
        day = time.strftime("%Y/%m/%d", time.gmtime())
        return cls(
            function=function.name,
            account=function.account or account,
            region=function.region or region,
            group=function.logging.group or f"/aws/lambda/{function.name}",
            name=f"{day}/[{function.published_version}]{secrets.token_hex(16)}",
        )


class LogSink(Protocol):
    def wrote(self, stream: LogStream, text: str) -> None:
        """Whole lines, each with its end; only a line that is too long comes in pieces."""
        ...


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
        end = len(text) if len(text) > LINE_CHARACTERS else text.rfind("\n") + 1
        self._partial = text[end:]
        return text[:end]

    def end(self) -> tuple[str, str]:
        """An invocation ended: the rest of its last line, and the last part of all it wrote."""
        rest, self._partial = self._partial, ""
        tail = self._tail.decode("utf-8", "ignore")
        self._tail.clear()
        return f"{rest}\n" if rest else "", tail


def unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class Sinks:
    """Several, as one."""

    def __init__(self, sinks: Sequence[LogSink]) -> None:
        self._sinks = tuple(sinks)

    def wrote(self, stream: LogStream, text: str) -> None:
        for sink in self._sinks:
            sink.wrote(stream, text)


class LogFiles:
    """`<folder>/<name>.log`, and `.log.1` with what was before it."""

    def __init__(self, folder: Path, file_bytes: int) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._open: dict[str, FileIO] = {}
        self._failed = False

    def wrote(self, stream: LogStream, text: str) -> None:
        self.write(stream.function, text)

    def write(self, name: str, text: str) -> None:
        try:
            file = self._open.get(name) or self._start(name)
            file.write(unix_lines(text).encode("utf-8", "replace"))
            if file.tell() > self._file_bytes:
                self._rotate(name)
        except OSError as error:  # a full disk must not stop the functions
            if not self._failed:
                _log.warning("The log of function %s cannot be written: %s", name, error)
            self._failed = True

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _start(self, name: str) -> FileIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._path(name).open("ab", buffering=0)  # what is written is to be there at once
        self._open[name] = file
        return file

    def _rotate(self, name: str) -> None:
        self._open.pop(name).close()
        path = self._path(name)
        path.replace(path.with_name(path.name + ".1"))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.log"
