"""What holds of the history of every execution that succeeded, whatever happened to the server meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

Event = Mapping[str, Any]

SCHEDULED = {"LambdaFunctionScheduled": "input", "TaskScheduled": "parameters"}
"""Events that schedule an attempt of a task, and the member of their details that holds what the function gets."""
_STARTED = ("LambdaFunctionStarted", "TaskStarted")
_ENDED = tuple(f"{kind}{how}" for kind in ("LambdaFunction", "Task") for how in ("Succeeded", "Failed", "TimedOut"))
_TERMINAL = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")


class Attempt(Struct, frozen=True):
    """One attempt of a task: from when it was scheduled until its end was on record, in ms since the epoch."""

    given: Any
    """The function's event."""
    scheduled: int
    ended: int


def check_history(events: Sequence[Event]) -> None:
    _check_numbers(events)
    _check_ends(events)
    _check_states(events)
    _check_iterations(events)


def _check_numbers(events: Sequence[Event]) -> None:
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    for event in events:
        assert 0 <= event["previousEventId"] < event["id"], event
        assert event["previousEventId"] > 0 or event["id"] <= 2, event
    times = [event["timestamp"] for event in events]
    assert times == sorted(times)


def _check_ends(events: Sequence[Event]) -> None:
    assert events[0]["type"] == "ExecutionStarted"
    assert [event["id"] for event in events if event["type"] in _TERMINAL] == [len(events)]
    assert events[-1]["type"] == "ExecutionSucceeded"


def _check_states(events: Sequence[Event]) -> None:
    """Every state that was entered was left, as often as it was entered, and never before."""
    open_states: Counter[str] = Counter()
    for event in events:
        if event["type"].endswith("StateEntered"):
            open_states[event["stateEnteredEventDetails"]["name"]] += 1
        elif event["type"].endswith("StateExited"):
            name = event["stateExitedEventDetails"]["name"]
            assert open_states[name] > 0, event
            open_states[name] -= 1
    assert not +open_states, open_states


def _check_iterations(events: Sequence[Event]) -> None:
    """Every iteration of a Map began once and ended once. Our machines enter each of their Maps once."""
    begun = Counter(_iteration(event) for event in events if event["type"] == "MapIterationStarted")
    ended = Counter(_iteration(event) for event in events if event["type"] == "MapIterationSucceeded")
    items = sum(
        event["mapStateStartedEventDetails"]["length"] for event in events if event["type"] == "MapStateStarted"
    )
    assert begun == ended
    assert set(begun.values()) <= {1}
    assert len(begun) == items


def _iteration(event: Event) -> tuple[str, int]:
    details = event[f"{event['type'][0].lower()}{event['type'][1:]}EventDetails"]
    return details["name"], details["index"]


def attempts(events: Sequence[Event]) -> list[Attempt]:
    """The attempts of all tasks. Each has one end, which leads back to the event that scheduled it."""
    ends: dict[int, Event] = {}
    for event in events:
        if event["type"] in _ENDED:
            before = events[event["previousEventId"] - 1]
            if before["type"] in _STARTED:
                before = events[before["previousEventId"] - 1]
            assert before["type"] in SCHEDULED, (event, before)
            assert before["id"] not in ends, (event, ends[before["id"]])
            ends[before["id"]] = event
    scheduled = [event for event in events if event["type"] in SCHEDULED]
    assert [event["id"] for event in scheduled] == sorted(ends)
    return [Attempt(_given(event), milliseconds(event), milliseconds(ends[event["id"]])) for event in scheduled]


def _given(event: Event) -> Any:
    kind = event["type"]
    details = event[f"{kind[0].lower()}{kind[1:]}EventDetails"]
    given = json.loads(details[SCHEDULED[kind]])
    return given["Payload"] if kind == "TaskScheduled" else given


def milliseconds(event: Event) -> int:
    return round(float(event["timestamp"]) * 1_000)
