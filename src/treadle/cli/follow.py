"""Follow one execution to its end through the API, from any thread.

Only what is new is read: the history is paged from its newest event back to the last one known.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from treadle.cli.progress import Node, Progress

_PAGE_EVENTS = 200
_TICK_SECONDS = 0.1
_POLL_TICKS_MAX = 10
"""While nothing happens, the history is asked for less and less often, down to once in this many ticks."""


class Display(Protocol):
    def changed(self, progress: Progress, node: Node) -> None:
        """`node` has just changed."""

    def refresh(self, progress: Progress) -> None:
        """Time has passed."""


def follow(client: Any, execution_arn: str, display: Display, stop: threading.Event) -> dict[str, Any] | None:
    """Show the execution until it ends; what DescribeExecution says then. None if `stop` was set before."""
    progress = Progress()
    ticks = 1
    while True:
        before = progress.last_event
        for event in _events_after(client, execution_arn, before):
            node = progress.apply(event)
            if node is not None:
                display.changed(progress, node)
        display.refresh(progress)
        if progress.ended:
            return dict(client.describe_execution(executionArn=execution_arn))
        ticks = 1 if progress.last_event > before else min(ticks + 1, _POLL_TICKS_MAX)
        for _ in range(ticks):
            if stop.wait(_TICK_SECONDS):
                return None
            display.refresh(progress)


def _events_after(client: Any, execution_arn: str, known: int) -> list[dict[str, Any]]:
    """The events behind number `known`, oldest first."""
    found: list[dict[str, Any]] = []
    request = {
        "executionArn": execution_arn,
        "reverseOrder": True,
        "maxResults": _PAGE_EVENTS,
        "includeExecutionData": False,
    }
    while True:
        page = client.get_execution_history(**request)
        found += [event for event in page["events"] if event["id"] > known]
        if "nextToken" not in page or page["events"][-1]["id"] <= known + 1:
            return found[::-1]
        request["nextToken"] = page["nextToken"]
