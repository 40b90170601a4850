"""The log of one worker: its output and Lambda's own lines, into its stream; and what LogType Tail shows of it."""

from __future__ import annotations

from treadle.functions import platform_lines
from treadle.functions.function import Function
from treadle.functions.logs import LogSink, LogStream, Output, unix_lines
from treadle.functions.platform_lines import Report


class WorkerLog:
    def __init__(self, function: Function, stream: LogStream, sink: LogSink, tail_bytes: int) -> None:
        self.stream = stream
        self._function = function
        self._sink = sink
        self._output = Output(tail_bytes)
        self._tail_bytes = tail_bytes
        self._start = ""

    def init_started(self) -> None:
        self._write(platform_lines.init_start(self._function))

    def init_timed_out(self, seconds: float) -> None:
        self._write(platform_lines.init_timed_out(self._function, seconds))

    def wrote(self, data: bytes) -> None:
        """The worker's process wrote something."""
        self._write(self._output.feed(data))

    def started(self, request_id: str) -> None:
        self._start = platform_lines.start(self._function, request_id)
        self._write(self._start)

    def ended(self, report: Report) -> str:
        """An invocation ended. The last part of what was logged of it."""
        rest, tail = self._output.end()
        end = platform_lines.end(self._function, report)
        self._write(rest + end)
        newline = "\n" if tail and not tail.endswith("\n") else ""
        log = f"{self._start}{tail}{newline}{end}".encode()[-self._tail_bytes :]
        return unix_lines(log.decode("utf-8", "ignore"))

    def ended_for(self, what: str) -> None:
        """The worker was ended because it had too much of something."""
        self._write(f"The worker of this function was ended: it took more {what} than it may.\n")

    def closed(self) -> str:
        """The worker has gone. The last part of what it wrote since an invocation ended, or since its start."""
        rest, tail = self._output.end()
        self._write(rest)
        return tail

    def _write(self, text: str) -> None:
        if text:
            self._sink.wrote(self.stream, text)
