"""Services that answer wrongly or not at all: an error that Retry and Catch know, and never a stuck execution."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.acceptance.bad_neighbour import ANSWERS, BadNeighbour, closed_port
from tests.acceptance.server import Server, create_machine, ended_execution, folder_with_functions

NO_ANSWER = "SQS.SdkClientException"
FAULT = "SQS.AmazonSQSException"

ENDS: Mapping[str, str] = {
    "closes": NO_ANSWER,
    "garbage": NO_ANSWER,
    "half": NO_ANSWER,
    "no-json": NO_ANSWER,
    "no-object": NO_ANSWER,
    "large-head": NO_ANSWER,
    "endless": NO_ANSWER,
    "silent": NO_ANSWER,
    "drip": NO_ANSWER,
    "error": FAULT,
    "empty-error": FAULT,
    "page": FAULT,
    "redirect": FAULT,
}
"""What each behaviour of `bad_neighbour` leads to."""

ELSEWHERE: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "nobody listens": ("sns:publish", {"TopicArn": "t", "Message": "m"}, "SNS.SdkClientException"),
    "no TLS": ("dynamodb:getItem", {"TableName": "t", "Key": {}}, "DynamoDB.SdkClientException"),
    "no such host": ("events:putEvents", {"Entries": [{"Detail": "{}"}]}, "EventBridge.SdkClientException"),
}
"""Resource, parameters and error of a call to an endpoint that is wrong by itself."""


def task(resource: str, parameters: Any, **members: Any) -> str:
    """Tried twice, because of what Retry is told; what is caught is the result."""
    state = {
        "Type": "Task",
        "Resource": f"arn:aws:states:::{resource}",
        "Parameters": parameters,
        "Retry": [{"ErrorEquals": [NO_ANSWER, FAULT], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.TaskFailed", "States.Timeout"], "Next": "Caught"}],
        "End": True,
        **members,
    }
    return json.dumps({"StartAt": "Call", "States": {"Call": state, "Caught": {"Type": "Pass", "End": True}}})


@pytest.fixture(scope="module")
def neighbour() -> Iterator[BadNeighbour]:
    with BadNeighbour() as neighbour:
        yield neighbour


@pytest.fixture(scope="module")
def ends(neighbour: BadNeighbour, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """What was caught, by behaviour. All of them run at once."""
    endpoints = {
        "AWS_ENDPOINT_URL_SQS": f"http://{neighbour.address}",
        "AWS_ENDPOINT_URL_SNS": f"http://127.0.0.1:{closed_port()}",
        "AWS_ENDPOINT_URL_DYNAMODB": f"https://{neighbour.address}",
        "AWS_ENDPOINT_URL_EVENTBRIDGE": "http://nowhere.invalid",
        "AWS_EC2_METADATA_DISABLED": "true",
        "TREADLE_LIMIT_NEIGHBOUR_SILENCE_SECONDS": "1",
        "TREADLE_LIMIT_NEIGHBOUR_CALL_SECONDS": "3",
    }
    with Server(folder_with_functions(tmp_path_factory.mktemp("bad")), before_exec=None, **endpoints) as server:
        api = server.api()
        message = {"QueueUrl.$": "$", "MessageBody": "m"}
        begun: dict[str, str] = {}
        for name in (*ENDS, "wrong-types"):
            url = json.dumps(f"http://{neighbour.address}/{name}")
            machine = create_machine(api, name, task("sqs:sendMessage", message))
            begun[name] = api.call("StartExecution", stateMachineArn=machine, input=url)["executionArn"]
        silent = json.dumps(f"http://{neighbour.address}/silent")
        machine = create_machine(api, "in-time", task("sqs:sendMessage", message, TimeoutSeconds=1, Retry=[]))
        begun["in time"] = api.call("StartExecution", stateMachineArn=machine, input=silent)["executionArn"]
        for name, (resource, parameters, _) in ELSEWHERE.items():
            machine = create_machine(api, name.replace(" ", "-"), task(resource, parameters))
            begun[name] = api.call("StartExecution", stateMachineArn=machine)["executionArn"]
        yield {name: ended_execution(api, arn) for name, arn in begun.items()}
        assert server.stop() == 0
        assert server.stderr() == ""


@pytest.mark.parametrize(("behaviour", "error"), ENDS.items())
def test_the_error_is_one_that_retry_and_catch_know(
    neighbour: BadNeighbour, ends: dict[str, dict[str, Any]], behaviour: str, error: str
) -> None:
    assert ends[behaviour]["status"] == "SUCCEEDED", ends[behaviour]
    caught = json.loads(ends[behaviour]["output"])
    assert caught["Error"] == error, caught
    assert neighbour.asked[behaviour] >= 2


def test_every_wrong_answer_is_tried() -> None:
    assert ANSWERS.keys() <= {*ENDS, "wrong-types"}


def test_types_that_the_model_does_not_know_do_no_harm(ends: dict[str, dict[str, Any]]) -> None:
    assert ends["wrong-types"]["status"] == "SUCCEEDED"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_endpoint_that_is_wrong_by_itself(ends: dict[str, dict[str, Any]], name: str) -> None:
    assert json.loads(ends[name]["output"])["Error"] == ELSEWHERE[name][2]


def test_a_state_has_its_own_time_out(ends: dict[str, dict[str, Any]]) -> None:
    assert json.loads(ends["in time"]["output"])["Error"] == "States.Timeout"
