"""Following an execution: it reads what is new, shows it, and stops when asked."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from treadle.cli.follow import follow
from treadle.cli.progress import Node, Progress
from treadle.cli.terminal import LineDisplay, progress_display

ARN = "arn:aws:states:us-east-1:123456789012:execution:machine:name"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def _event(ident: int, before: int, kind: str, **details: Any) -> dict[str, Any]:
    at = _EPOCH + timedelta(seconds=ident / 10)
    return {"id": ident, "previousEventId": before, "type": kind, "timestamp": at, "anyEventDetails": details}


def _map_history(length: int) -> list[dict[str, Any]]:
    """A Map over `length` items with one Pass state, one after the other."""
    events = [
        _event(1, 0, "ExecutionStarted"),
        _event(2, 0, "MapStateEntered", name="All"),
        _event(3, 2, "MapStateStarted", length=length),
    ]
    before = 3
    for index in range(length):
        number = len(events)
        events += [
            _event(number + 1, before, "MapIterationStarted", name="All", index=index),
            _event(number + 2, number + 1, "PassStateEntered", name="Work"),
            _event(number + 3, number + 2, "PassStateExited", name="Work"),
            _event(number + 4, number + 3, "MapIterationSucceeded", name="All", index=index),
        ]
        before = number + 3
    number = len(events)
    return [
        *events,
        _event(number + 1, before, "MapStateSucceeded"),
        _event(number + 2, before, "MapStateExited", name="All"),
        _event(number + 3, number + 2, "ExecutionSucceeded"),
    ]


class HistoryServer:
    """Answers as the API does, in pages, from a history that grows by `step` events a poll."""

    def __init__(self, events: list[dict[str, Any]], step: int) -> None:
        self._events, self._step = events, step
        self._visible = 0
        self.sent: list[int] = []

    def get_execution_history(
        self,
        *,
        executionArn: str,  # noqa: N803 - the API's own name
        reverseOrder: bool,  # noqa: N803
        maxResults: int,  # noqa: N803
        includeExecutionData: bool,  # noqa: N803
        nextToken: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        assert executionArn == ARN
        assert reverseOrder
        assert not includeExecutionData
        if nextToken is None:
            self._visible = min(self._visible + self._step, len(self._events))
        end = self._visible if nextToken is None else int(nextToken)
        start = max(end - maxResults, 0)
        page = self._events[start:end][::-1]
        self.sent += [event["id"] for event in page]
        return {"events": page} | ({"nextToken": str(start)} if start else {})

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return {"executionArn": executionArn, "status": "SUCCEEDED"}


class Recorder:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def changed(self, progress: Progress, node: Node) -> None:
        self.seen.append(progress.last_event)

    def refresh(self, progress: Progress) -> None:
        """Nothing to draw."""


def test_every_event_is_applied_once_and_in_order() -> None:
    events = _map_history(300)
    recorder = Recorder()
    ended = follow(HistoryServer(events, step=700), ARN, recorder, threading.Event())
    assert ended == {"executionArn": ARN, "status": "SUCCEEDED"}
    assert recorder.seen == sorted(set(recorder.seen))
    assert recorder.seen[-1] == len(events)


def test_little_is_read_twice() -> None:
    server = HistoryServer(_map_history(1_000), step=1_000)
    assert follow(server, ARN, Recorder(), threading.Event()) is not None
    polls = 5
    pages_that_overlap = polls * 200
    assert len(server.sent) <= len(_map_history(1_000)) + pages_that_overlap


def test_it_ends_early_when_asked() -> None:
    stop = threading.Event()
    stop.set()
    server = HistoryServer(_map_history(3), step=4)
    assert follow(server, ARN, Recorder(), stop) is None


def _lines(events: list[dict[str, Any]]) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    with progress_display(console) as display:
        assert isinstance(display, LineDisplay)
        follow(HistoryServer(events, step=len(events)), ARN, display, threading.Event())
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_in_a_pipe_what_ended_is_told_line_by_line() -> None:
    lines = _lines(_map_history(2))
    assert lines[0].startswith("▸ All [0/2]")
    assert lines[1:] == ["✔ #0 Work 0.30 s", "✔ #1 Work 0.30 s", "✔ All [2/2] 1.10 s"]


def test_in_a_pipe_a_large_map_is_told_in_tenths() -> None:
    lines = _lines(_map_history(1_000))
    assert [line.split("]")[0] + "]" for line in lines] == [
        "▸ All [0/1000]",
        *(f"▸ All [{count}/1000]" for count in range(100, 1_001, 100)),
        "✔ All [1000/1000]",
    ]


def test_on_a_terminal_rows_are_drawn_in_place() -> None:
    events = _map_history(2)
    console = Console(file=io.StringIO(), width=100, height=30, force_terminal=True, color_system=None)
    with progress_display(console) as display:
        follow(HistoryServer(events, step=5), ARN, display, threading.Event())
    assert isinstance(console.file, io.StringIO)
    drawn = console.file.getvalue()
    assert "All [0/2]" in drawn
    last_frame = drawn.rpartition("\x1b[2K")[2].split("\x1b[?25h")[0]
    assert [" ".join(line.split()) for line in last_frame.splitlines() if line.strip()] == [
        "✔ All [2/2] 1.10 s",
        "✔ #0 Work 0.30 s",
        "✔ #1 Work 0.30 s",
    ]
