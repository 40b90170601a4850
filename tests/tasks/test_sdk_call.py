from __future__ import annotations

from typing import Any

import pytest

from treadle.document import decode
from treadle.language.resources import parse_resource
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.sdk_call import problem, run_sdk_call, step_functions_operation

from .fake_step_functions import ACCOUNT, BEGUN, MACHINE, FakeStepFunctions, fault
from .fakes import failure, request

PREFIX = "arn:aws:states:::aws-sdk:sfn:"


async def run(api: FakeStepFunctions, action: str, parameters: Any) -> TaskOutcome:
    asked = request(PREFIX + action, parameters)
    operation = step_functions_operation(asked.resource)
    assert operation is not None

    async def call(body: dict[str, Any]) -> dict[str, Any]:
        return (await api.call(operation.name, body, account=asked.account, region=asked.region)).members

    return await run_sdk_call(asked, operation, call)


@pytest.mark.parametrize(
    ("action", "parameters", "operation", "sent", "answer", "shown"),
    [
        ("sendTaskSuccess", {"TaskToken": "t", "Output": {"a": 1}}, "SendTaskSuccess",
         {"taskToken": "t", "output": '{"a":1}'}, {}, {}),
        ("sendTaskFailure", {"TaskToken": "t", "Error": "E", "Cause": ["c"]}, "SendTaskFailure",
         {"taskToken": "t", "error": "E", "cause": '["c"]'}, {}, {}),
        ("sendTaskHeartbeat", {"TaskToken": "t"}, "SendTaskHeartbeat", {"taskToken": "t"}, {}, {}),
        ("getActivityTask", {"ActivityArn": "a", "WorkerName": "w"}, "GetActivityTask",
         {"activityArn": "a", "workerName": "w"}, {"taskToken": "t", "input": "{}"}, {"Input": "{}", "TaskToken": "t"}),
        ("stopExecution", {"ExecutionArn": "e"}, "StopExecution", {"executionArn": "e"},
         {"stopDate": BEGUN}, {"StopDate": "2023-11-14T22:13:20.123Z"}),
        ("listExecutions", {"StateMachineArn": MACHINE, "MaxResults": 5}, "ListExecutions",
         {"stateMachineArn": MACHINE, "maxResults": 5},
         {"executions": [{"name": "n", "startDate": 1.0}]},
         {"Executions": [{"Name": "n", "StartDate": "1970-01-01T00:00:01Z"}]}),
    ],
)  # fmt: skip
async def test_calls(
    action: str,
    parameters: dict[str, Any],
    operation: str,
    sent: dict[str, Any],
    answer: dict[str, Any],
    shown: dict[str, Any],
) -> None:
    api = FakeStepFunctions()
    api.answers[operation] = answer
    outcome = await run(api, action, parameters)
    assert api.calls == [(operation, sent)]
    assert api.callers == {(ACCOUNT, "eu-west-1")}
    assert outcome.output is not None
    assert decode(outcome.output.text) == shown


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InvalidToken", "Sfn.InvalidTokenException"),
        ("ValidationException", "Sfn.ValidationException"),
        ("TaskTimedOut", "Sfn.TaskTimedOutException"),
        ("AccessDeniedException", "Sfn.SfnException"),
        ("NotImplementedException", "Sfn.SfnException"),
    ],
)
async def test_faults(code: str, error: str) -> None:
    api = FakeStepFunctions()
    api.faults["SendTaskSuccess"] = fault(code, "Invalid Token: 'Invalid token'")
    outcome = await run(api, "sendTaskSuccess", {"TaskToken": "t", "Output": {}})
    cause = "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: the-request-id)"
    assert failure(outcome) == (error, cause)


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ({"taskToken": "t"}, "The field 'taskToken' is not supported by Step Functions"),
        ("text", "The Parameters are not an object"),
        (None, "The Parameters are not an object"),
    ],
)
def test_unusable_parameters(parameters: Any, refusal: str) -> None:
    operation = step_functions_operation(request(PREFIX + "sendTaskSuccess").resource)
    assert operation is not None
    assert problem(operation, parameters) == refusal


@pytest.mark.parametrize(
    "arn",
    ["arn:aws:states:::states:startExecution", "arn:aws:states:::aws-sdk:s3:getObject", PREFIX + "noSuchOperation"],
)
def test_only_operations_of_step_functions(arn: str) -> None:
    resource = parse_resource(arn)
    assert resource is not None
    assert step_functions_operation(resource) is None
