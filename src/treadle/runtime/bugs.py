"""How an execution ends that a bug of Treadle's keeps from going on: FAILED with States.Runtime, never silently."""

from __future__ import annotations

from msgspec.structs import replace

from treadle.engine.history import HistoryEvent
from treadle.runtime.resident import Resident, Step

ERROR = "States.Runtime"
CAUSE = "An internal error in Treadle ended the execution; its log says more."


def last_words(resident: Resident, last_event: int, role_arn: str, now: int) -> Step:
    """The end of an execution that the engine cannot even fold or fail: it is written without the engine."""
    row = resident.row
    events = []
    if last_event == 0:
        details = {"input": row.input, "roleArn": role_arn}
        events.append(HistoryEvent(1, 0, "ExecutionStarted", row.started, 0, details))
    number = last_event + len(events) + 1
    details = {"error": ERROR, "cause": CAUSE}
    events.append(HistoryEvent(number, number - 1, "ExecutionFailed", now, 0, details))
    failed = replace(row, status="FAILED", stopped=now, output=None, error=ERROR, cause=CAUSE, wake=None)
    return Step(resident, failed, events, [], False)
