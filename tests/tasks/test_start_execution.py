from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from treadle.document import Document, decode, encode
from treadle.limits import DEFAULT_LIMITS
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.dispatch import Dispatch
from treadle.tasks.start_execution import problem

from .fake_step_functions import ACCOUNT, BEGUN, MACHINE, FakeStepFunctions, fault
from .fakes import FakeFunctions, failure, request

START = "arn:aws:states:::states:startExecution"
CHILD = f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:child:one"
MILLISECONDS = 1_700_000_000_123
ONE = {"StateMachineArn": MACHINE, "Name": "one", "Input": {"a": 1}}


async def run(
    api: FakeStepFunctions, parameters: Any, pattern: str = "", **changes: Any
) -> tuple[TaskOutcome, list[Document]]:
    """The outcome, and what was submitted."""
    dispatch, outcome, submitted = Dispatch(FakeFunctions()), asyncio.Future[TaskOutcome](), list[Document]()
    dispatch.connect(api)

    def report(reported: TaskOutcome) -> None:
        if reported.submitted:
            assert reported.output is not None
            submitted.append(reported.output)
        else:
            outcome.set_result(reported)

    dispatch.run(replace(request(START + pattern, parameters), **changes), report)
    try:
        return await outcome, submitted
    except asyncio.CancelledError:
        dispatch.cancel("token")
        await dispatch.ended()
        raise


async def result(api: FakeStepFunctions, parameters: Any, pattern: str = "", **changes: Any) -> dict[str, Any]:
    outcome, _ = await run(api, parameters, pattern, **changes)
    assert outcome.output is not None, outcome.cause
    return dict(decode(outcome.output.text))


# -- the request -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({"Input": {"a": [1, "é"]}}, {"input": '{"a":[1,"é"]}'}),
        ({"Input": '{"a":  1}'}, {"input": '{"a":  1}'}),
        ({"Input": [1]}, {"input": "[1]"}),
        ({"Input": 0}, {"input": "0"}),
        ({"Input": None}, {"input": "{}"}),
        ({}, {"input": "{}"}),
        ({"TraceHeader": "Root=1"}, {"input": "{}", "traceHeader": "Root=1"}),
        ({"TraceHeader": None}, {"input": "{}"}),
    ],
)
async def test_requests(parameters: dict[str, Any], sent: dict[str, Any]) -> None:
    api = FakeStepFunctions()
    await run(api, {"StateMachineArn": MACHINE, "Name": "one", **parameters})
    assert api.started() == [{"stateMachineArn": MACHINE, "name": "one", **sent}]
    assert api.callers == {(ACCOUNT, "eu-west-1")}


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ([], "The Parameters are not an object"),
        ({}, "The field 'StateMachineArn' is required but was missing"),
        ({"StateMachineArn": None}, "The field 'StateMachineArn' is required but was missing"),
        ({**ONE, "stateMachineArn": 1}, "The field 'stateMachineArn' is not supported by Step Functions"),
        ({**ONE, "Name": 1}, "The value of the field 'Name' has an invalid format"),
        ({**ONE, "TraceHeader": {}}, "The value of the field 'TraceHeader' has an invalid format"),
        ({"StateMachineArn": [MACHINE]}, "The value of the field 'StateMachineArn' has an invalid format"),
    ],
)
def test_unusable_parameters(parameters: Any, refusal: str) -> None:
    assert problem(parameters) == refusal


async def test_without_a_name_it_is_named_after_the_token() -> None:
    api = FakeStepFunctions()
    for token in ("a", "a", "b"):
        await run(api, {"StateMachineArn": MACHINE}, token=token)
    first, again, other = (start["name"] for start in api.started())
    assert first == again != other
    assert len(first) == 36


# -- request and response ----------------------------------------------------------------------------------


async def test_answers_as_the_sdk_does() -> None:
    shown = await result(FakeStepFunctions(), ONE)
    date = shown["SdkHttpMetadata"]["HttpHeaders"]["Date"]
    length = len('{"executionArn":"","startDate":1.700000000123E9}') + len(CHILD)
    headers = {
        "connection": "keep-alive",
        "Content-Length": str(length),
        "Content-Type": "application/x-amz-json-1.0",
        "Date": date,
        "x-amzn-RequestId": "request-1",
    }
    assert shown == {
        "ExecutionArn": CHILD,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": "request-1"},
        "StartDate": MILLISECONDS,
    }
    assert list(shown) == sorted(shown)


@pytest.mark.parametrize("pattern", ["", ".waitForTaskToken"])
async def test_does_not_wait_for_the_end(pattern: str) -> None:
    api = FakeStepFunctions()
    api.go.clear()
    outcome, submitted = await run(api, ONE, pattern)
    assert outcome.output is not None
    assert not submitted


@pytest.mark.parametrize("pattern", ["", ".sync", ".sync:2", ".waitForTaskToken"])
@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ExecutionAlreadyExists", 400, "StepFunctions.ExecutionAlreadyExistsException"),
        ("StateMachineDoesNotExist", 400, "StepFunctions.StateMachineDoesNotExistException"),
        ("ConflictException", 400, "StepFunctions.ConflictException"),
        ("AccessDeniedException", 400, "StepFunctions.AWSStepFunctionsException"),
        ("ServiceUnavailable", 503, "StepFunctions.AWSStepFunctionsException"),
    ],
)
async def test_faults(pattern: str, code: str, status: int, error: str) -> None:
    api = FakeStepFunctions()
    api.faults["StartExecution"] = fault(code, "It's so", status)
    outcome, submitted = await run(api, ONE, pattern)
    cause = (
        f"It's so (Service: AWSStepFunctions; Status Code: {status}; Error Code: {code};"
        " Request ID: the-request-id; Proxy: null)"
    )
    assert failure(outcome) == (error, cause)
    assert not submitted


# -- to the end --------------------------------------------------------------------------------------------

DESCRIBED = {
    "ExecutionArn": CHILD,
    "Input": '{"a":1}',
    "InputDetails": {"Included": True},
    "Name": "one",
    "Output": '{"done": 1.0}',
    "StartDate": MILLISECONDS,
    "StateMachineArn": MACHINE,
    "Status": "SUCCEEDED",
    "StopDate": MILLISECONDS + 1_000,
}


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [(".sync", DESCRIBED), (".sync:2", {**DESCRIBED, "Input": {"a": 1}, "Output": {"done": 1.0}})],
)
async def test_success(pattern: str, shown: dict[str, Any]) -> None:
    outcome, submitted = await run(FakeStepFunctions(), ONE, pattern)
    assert outcome.output is not None
    assert decode(outcome.output.text) == shown
    assert list(decode(outcome.output.text)) == list(shown)
    assert [decode(document.text)["ExecutionArn"] for document in submitted] == [CHILD]


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
@pytest.mark.parametrize(("pattern", "given"), [(".sync", '{"a":1}'), (".sync:2", {"a": 1})])
async def test_any_other_end(status: str, pattern: str, given: Any) -> None:
    outcome, _ = await run(FakeStepFunctions(status=status, error="E", cause="because"), ONE, pattern)
    error, cause = failure(outcome)
    assert error == "States.TaskFailed"
    without_output = {name: value for name, value in DESCRIBED.items() if name != "Output"}
    shown = {"Cause": "because", "Error": "E", **without_output, "Input": given, "Status": status}
    assert cause == encode(shown)


@pytest.mark.parametrize(
    ("given", "ending", "kept"),
    [
        ({"a": 1}, {"cause": '"' * 40_000}, {"Input"}),
        ({"a": "x" * 40_000}, {"cause": "short"}, {"Cause"}),
        ({"a": "x" * 200_000}, {"cause": "\\" * 32_768}, set()),
        ({"a": 1}, {"cause": "", "error": "e" * 100_000}, None),
    ],
)
async def test_a_long_cause_stays_json_if_it_can(given: Any, ending: dict[str, str], kept: set[str] | None) -> None:
    api = FakeStepFunctions(status="FAILED", **ending)
    outcome, _ = await run(api, {**ONE, "Input": given}, ".sync")
    _, cause = failure(outcome)
    assert cause is not None
    assert len(cause) <= DEFAULT_LIMITS.cause_characters
    if kept is None:
        assert len(cause) == DEFAULT_LIMITS.cause_characters
        return
    shown = decode(cause)
    described = api.executions[CHILD]
    assert shown["ExecutionArn"] == CHILD
    assert described["cause"].startswith(shown["Cause"])
    assert (shown.get("Cause") == described["cause"]) == ("Cause" in kept)
    assert (shown.get("Input") == described["input"]) == ("Input" in kept) == shown["InputDetails"]["Included"]


async def test_an_express_machine_is_refused_before_anything_starts() -> None:
    api = FakeStepFunctions()
    api.type = "EXPRESS"
    outcome, _ = await run(api, ONE, ".sync")
    assert outcome.error == "StepFunctions.StateMachineTypeNotSupportedException"
    assert not api.started()


# -- cancelled ---------------------------------------------------------------------------------------------


async def test_cancelled_it_stops_its_execution() -> None:
    api = FakeStepFunctions()
    api.go.clear()
    task = asyncio.create_task(run(api, ONE, ".sync"))
    await api.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert api.stopped == [CHILD]


async def test_abandoned_it_stops_nothing() -> None:
    """Another node waits for the execution then."""
    api = FakeStepFunctions()
    api.go.clear()
    dispatch, reported = Dispatch(FakeFunctions()), list[TaskOutcome]()
    dispatch.connect(api)
    dispatch.run(request(START + ".sync", ONE), reported.append)
    await api.waiting.wait()
    dispatch.abandon("token")
    await dispatch.ended()
    assert not api.stopped
    assert [outcome.submitted for outcome in reported] == [True]
    assert api.watched[0].cancelled()
    dispatch.abandon("of nothing")


async def test_cancelled_and_asked_for_again_it_is_waited_for_anew() -> None:
    """Another node has had it meanwhile. What is told of the first wait does not count."""
    api = FakeStepFunctions()
    asked = replace(request(START + ".sync", ONE), submitted=(await run(api, ONE, ".sync"))[1][0])
    api.go.clear()
    dispatch, first, second = Dispatch(FakeFunctions()), list[TaskOutcome](), asyncio.Queue[TaskOutcome]()
    dispatch.connect(api)
    dispatch.run(asked, first.append)
    dispatch.run(asked, first.append)
    assert len(api.watched) == 2
    dispatch.abandon("token")
    dispatch.run(asked, second.put_nowait)
    assert len(api.watched) == 3
    api.end()
    assert (await second.get()).output is not None
    assert not first


@pytest.mark.parametrize("rounds", range(12))
async def test_cancelled_at_whatever_moment_it_leaves_nothing_running(rounds: int) -> None:
    api = FakeStepFunctions()
    api.go.clear()
    dispatch = Dispatch(FakeFunctions())
    dispatch.connect(api)
    dispatch.run(request(START + ".sync", ONE), lambda outcome: None)
    for _ in range(rounds):
        await asyncio.sleep(0)
    dispatch.cancel("token")
    for _ in range(12):
        await asyncio.sleep(0)
    assert api.stopped == list(api.executions)
    assert all(end.cancelled() for end in api.watched)
    await dispatch.ended()


async def test_cancelled_while_it_begins_it_stops_what_began() -> None:
    api = FakeStepFunctions()
    api.begin.clear()
    task = asyncio.create_task(run(api, ONE, ".sync"))
    await api.asked_to_begin.wait()
    task.cancel()
    await asyncio.sleep(0)
    api.begin.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert api.stopped == [CHILD]


async def test_cancelled_while_it_is_refused_it_stops_nothing() -> None:
    api = FakeStepFunctions()
    api.begin.clear()
    api.executions[CHILD] = {}
    task = asyncio.create_task(run(api, ONE, ".sync"))
    await api.asked_to_begin.wait()
    task.cancel()
    api.begin.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not api.stopped


# -- again, after a restart --------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [".sync", ".sync:2"])
async def test_what_was_submitted_is_only_waited_for(pattern: str) -> None:
    api = FakeStepFunctions()
    first, submitted = await run(api, ONE, pattern)
    api.calls.clear()
    again, nothing = await run(api, ONE, pattern, submitted=submitted[0], again_since=MILLISECONDS)
    assert again == first
    assert not api.started()
    assert not nothing


@pytest.mark.parametrize("pattern", ["", ".sync", ".waitForTaskToken"])
@pytest.mark.parametrize("parameters", [ONE, {"StateMachineArn": MACHINE}])
@pytest.mark.parametrize("since", [MILLISECONDS, MILLISECONDS - 1])
async def test_what_began_before_the_restart_is_found_again(pattern: str, parameters: Any, since: int) -> None:
    api = FakeStepFunctions()
    first = await result(api, parameters, pattern)
    again = await result(api, parameters, pattern, again_since=since)
    assert again["ExecutionArn"] == first["ExecutionArn"]
    assert again["StartDate"] == MILLISECONDS
    assert len(api.executions) == 1


@pytest.mark.parametrize("again_since", [None, MILLISECONDS + 1])
async def test_an_older_execution_of_the_name_is_somebody_elses(again_since: int | None) -> None:
    api = FakeStepFunctions()
    await result(api, ONE)
    outcome, _ = await run(api, ONE, again_since=again_since)
    assert outcome.error == "StepFunctions.ExecutionAlreadyExistsException"


async def test_an_execution_with_another_input_is_somebody_elses() -> None:
    api = FakeStepFunctions()
    await result(api, {**ONE, "Input": {"b": 1}})
    outcome, _ = await run(api, ONE, again_since=round(BEGUN * 1_000))
    assert outcome.error == "StepFunctions.ExecutionAlreadyExistsException"
