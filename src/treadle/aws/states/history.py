"""History events as the API shows them, and GetExecutionHistory, which pages through them.

The journal has a type and a flat set of details per event. The API puts the details into a member that is
named after the type, and gives each payload in them a companion that says whether it was cut short.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from treadle.aws.states.call import Call, seconds
from treadle.engine.history import HistoryEvent, decode_events
from treadle.store.contract import ExecutionRow

WITHOUT_DETAILS = frozenset(
    {
        "LambdaFunctionStarted",
        "MapRunAborted",
        "MapRunSucceeded",
        "MapStateAborted",
        "MapStateFailed",
        "MapStateSucceeded",
        "ParallelStateAborted",
        "ParallelStateFailed",
        "ParallelStateStarted",
        "ParallelStateSucceeded",
        "TaskStateAborted",
        "WaitStateAborted",
    }
)
"""Events that have no member for details; all others have one, even if it is empty (asl.md section 12)."""

_COMPANION = {
    "input": "inputDetails",
    "output": "outputDetails",
    "assignedVariables": "assignedVariablesDetails",
}
"""Payloads: includeExecutionData=false leaves them out."""

_WHOLE = {"truncated": False}


def shown(event: HistoryEvent, include_data: bool) -> dict[str, Any]:
    """One event as GetExecutionHistory answers it."""
    answer: dict[str, Any] = {
        "timestamp": seconds(event.timestamp),
        "type": event.type,
        "id": event.id,
        "previousEventId": event.previous_id,
    }
    if event.type not in WITHOUT_DETAILS:
        answer[details_member(event.type)] = _details(event.details, include_data)
    return answer


@lru_cache
def details_member(event_type: str) -> str:
    """The member of the model's HistoryEvent that holds the details of events of this type."""
    if event_type.endswith("StateEntered"):
        return "stateEnteredEventDetails"
    if event_type.endswith("StateExited"):
        return "stateExitedEventDetails"
    return f"{event_type[0].lower()}{event_type[1:]}EventDetails"


def _details(details: Mapping[str, Any], include_data: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for name, value in details.items():
        companion = _COMPANION.get(name)
        if companion is None:
            answer[name] = value
        elif include_data:
            answer[name] = value
            answer[companion] = _WHOLE
    return answer


async def get_execution_history(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    backend = call.backend
    execution = await call.execution(request["executionArn"])
    now = backend.clock.now()
    position = backend.tokens.read(call.listing, request, now)
    size = call.page_items(request)
    if request.get("reverseOrder", False):
        newest = await backend.store.journal_last_event(execution.id) if position is None else position[0]
        first = max(newest - size + 1, 1)
        page = (await _events(call, execution, first, newest))[::-1]
        following = first - 1
        more = following >= 1
    else:
        first = 1 if position is None else position[0]
        found = await _events(call, execution, first, first + size)
        page = found[:size]
        following = first + size
        more = len(found) > size
    include_data = request.get("includeExecutionData", True)
    answer: dict[str, Any] = {"events": [shown(event, include_data) for event in page]}
    if more:
        answer["nextToken"] = backend.tokens.issue(call.listing, request, [following], now)
    return answer


async def _events(call: Call, execution: ExecutionRow, first: int, last: int) -> list[HistoryEvent]:
    """The events with ids from `first` to `last`, in order."""
    entries = await call.backend.store.journal_page(execution.id, first, last)
    return [event for entry in entries for event in decode_events(entry.events) if first <= event.id <= last]
