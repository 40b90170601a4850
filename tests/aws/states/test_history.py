"""GetExecutionHistory: the form of events, and pages of them."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.aws.model import load
from treadle.aws.states.history import WITHOUT_DETAILS, details_member, shown
from treadle.engine.history import HistoryEvent

from ..wire import Wire, check_shape, machine

MODEL = load("stepfunctions")
EVENT = MODEL.shape_for("HistoryEvent")
TYPES = MODEL.shape_for("HistoryEventType").enum

DETAILS: dict[str, dict[str, Any]] = {
    "activityScheduledEventDetails": {"resource": "r", "input": "{}"},
    "evaluationFailedEventDetails": {"state": "S", "error": "e", "cause": "c"},
    "lambdaFunctionScheduledEventDetails": {"resource": "r", "input": "{}"},
    "mapRunRedrivenEventDetails": {"mapRunArn": "arn", "redriveCount": 1},
    "stateEnteredEventDetails": {"name": "S", "input": "{}"},
    "stateExitedEventDetails": {"name": "S", "output": "1", "assignedVariables": {"x": "1"}},
    "taskScheduledEventDetails": {
        "resourceType": "lambda",
        "resource": "invoke",
        "region": "us-east-1",
        "parameters": "{}",
        "timeoutInSeconds": 3,
    },
    **{
        f"task{what}EventDetails": {"resourceType": "lambda", "resource": "invoke"}
        for what in ("Failed", "StartFailed", "Started", "SubmitFailed", "Submitted", "Succeeded", "TimedOut")
    },
}
"""Details that AWS always gives, by member; the other members need none."""


@pytest.mark.parametrize("event_type", TYPES)
def test_every_event_of_the_model(event_type: str) -> None:
    details = {} if event_type in WITHOUT_DETAILS else DETAILS.get(details_member(event_type), {})
    event = HistoryEvent(3, 2, event_type, 1_700_000_000_123, 0, details)
    answer = shown(event, True)
    check_shape(EVENT, answer, event_type)
    expected = {"timestamp", "type", "id", "previousEventId"}
    if event_type not in WITHOUT_DETAILS:
        expected.add(details_member(event_type))
    assert answer.keys() == expected
    assert (answer["timestamp"], answer["id"], answer["previousEventId"]) == (1_700_000_000.123, 3, 2)


def test_the_types_without_details_are_those_of_the_model() -> None:
    members = EVENT.members
    assert {each for each in TYPES if details_member(each) not in members} == set(WITHOUT_DETAILS)


def test_companions() -> None:
    details = {"name": "S", "output": "1", "assignedVariables": {"x": "1"}}
    event = HistoryEvent(1, 0, "PassStateExited", 0, 0, details)
    whole = {"truncated": False}
    assert shown(event, True)["stateExitedEventDetails"] == details | {
        "outputDetails": whole,
        "assignedVariablesDetails": whole,
    }
    assert shown(event, False)["stateExitedEventDetails"] == {"name": "S"}
    assert event.details == details


async def start(wire: Wire, kind: str = "Pass") -> str:
    created = await wire.ok("CreateStateMachine", machine(f"m-{kind}", kind))
    started = await wire.ok("StartExecution", {"stateMachineArn": created["stateMachineArn"], "input": "[1, 2]"})
    return str(started["executionArn"])


async def test_a_whole_history(wire: Wire) -> None:
    """The recorded sequence of a Pass state (asl.md section 12)."""
    history = await wire.ok("GetExecutionHistory", {"executionArn": await start(wire)})
    events = [(each["id"], each["previousEventId"], each["type"]) for each in history["events"]]
    assert events == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "PassStateEntered"),
        (3, 2, "PassStateExited"),
        (4, 3, "ExecutionSucceeded"),
    ]
    assert history.keys() == {"events"}
    assert history["events"][1]["stateEnteredEventDetails"] == {
        "name": "S",
        "input": "[1, 2]",
        "inputDetails": {"truncated": False},
    }


async def test_without_data(wire: Wire) -> None:
    request = {"executionArn": await start(wire), "includeExecutionData": False}
    history = await wire.ok("GetExecutionHistory", request)
    details = [value for each in history["events"] for name, value in each.items() if name.endswith("Details")]
    assert [sorted(each) for each in details] == [["roleArn"], ["name"], ["name"], []]


async def test_an_abort_without_reason_has_empty_details(wire: Wire) -> None:
    """Recorded: stop_execution."""
    arn = await start(wire, "Wait")
    await wire.ok("StopExecution", {"executionArn": arn})
    last = (await wire.ok("GetExecutionHistory", {"executionArn": arn}))["events"][-1]
    assert (last["type"], last["previousEventId"]) == ("ExecutionAborted", 0)
    assert last["executionAbortedEventDetails"] == {}


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("reverse", [False, True])
async def test_pages(wire: Wire, size: int, reverse: bool) -> None:
    request: dict[str, Any] = {
        "executionArn": await start(wire),
        "maxResults": size,
        "reverseOrder": reverse,
    }
    ids: list[int] = []
    pages = 0
    while True:
        page = await wire.ok("GetExecutionHistory", request)
        ids += [each["id"] for each in page["events"]]
        assert 0 < len(page["events"]) <= size
        pages += 1
        if "nextToken" not in page:
            break
        request["nextToken"] = page["nextToken"]
    assert ids == ([4, 3, 2, 1] if reverse else [1, 2, 3, 4])
    assert pages == -(-4 // size)


async def test_a_token_of_the_other_direction(wire: Wire) -> None:
    request = {"executionArn": await start(wire), "maxResults": 1}
    token = (await wire.ok("GetExecutionHistory", request))["nextToken"]
    answer = await wire.call("GetExecutionHistory", request | {"nextToken": token, "reverseOrder": True})
    assert answer.error == (400, "InvalidToken", "Invalid Token: 'Invalid token'")
