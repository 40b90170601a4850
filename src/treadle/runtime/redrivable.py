"""Whether an execution may be redriven, as far as its own past says, and AWS's words for that."""

from __future__ import annotations

from treadle.limits import Limits
from treadle.store.contract import ExecutionRow, Store

_DAY_MILLISECONDS = 24 * 60 * 60 * 1_000
_ROOM_EVENTS = 2
"""What a history must have room for: ExecutionRedriven and one other event (AWS, RedriveExecution)."""

REDRIVABLE, REDRIVABLE_BY_MAP_RUN, NOT_REDRIVABLE = "REDRIVABLE", "REDRIVABLE_BY_MAP_RUN", "NOT_REDRIVABLE"
"""AWS's redrive statuses. The second is that of a child of a map run: redriving its parent redrives it."""


def wrong_status(row: ExecutionRow) -> str | None:
    """Why its status forbids it, of an execution that runs or has succeeded; None: it does not."""
    if row.stopped is None or row.status == "SUCCEEDED":
        return f"Execution is {row.status} and cannot be redriven"
    return None


async def too_old(store: Store, limits: Limits, row: ExecutionRow, now: int) -> str | None:
    """Why it cannot be redriven any more at `now`; None: it can. `row`: of an execution that ended.

    The open time is taken from the start to the last end; whether AWS counts the time between an end and a
    redrive is not known. An Express child of a map run begins anew, which it always can (AWS, "Redriving Map Runs").
    """
    if ":express:" in row.arn or row.stopped is None:
        return None
    if now - row.stopped > limits.redrive_days * _DAY_MILLISECONDS:
        return "Execution redrivable period exceeded"
    if row.stopped - row.started >= limits.execution_seconds_standard * 1_000:
        return "Execution has exceeded the max execution time"
    if await store.journal_last_event(row.id) + _ROOM_EVENTS > limits.history_events:
        return "Execution history event limit exceeded"
    return None
