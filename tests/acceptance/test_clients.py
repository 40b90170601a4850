"""The `aws` command and boto3, unchanged, drive the whole life of state machines and executions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.acceptance.server import (
    ACCOUNT,
    DEADLINE_SECONDS,
    ORDER,
    REGION,
    ROLE,
    Server,
    create_machine,
    ended_execution,
)

AWS = Path(sys.executable).with_name("aws")
ENVIRONMENT = {
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_PAGER": "",
}
"""What README.md tells a client, and nothing of the person's own."""

DEFINITION = (ORDER / "workflow.asl.json").read_text()
INPUT = (ORDER / "order.json").read_text()
WAIT = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 86_400, "End": True}}})
DOUBLE = json.dumps(
    {
        "StartAt": "Twice",
        "States": {
            "Twice": {
                "Type": "Pass",
                "Parameters": {"twice.$": "States.MathAdd($.number, $.number)"},
                "Next": "Even",
            },
            "Even": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.twice", "NumericGreaterThan": 100, "Next": "TooMuch"}],
                "Default": "Done",
            },
            "TooMuch": {"Type": "Fail", "Error": "TooMuch", "Cause": "more than 100"},
            "Done": {"Type": "Succeed"},
        },
    }
)


class ClientFailed(Exception):
    """What the client says of an error: the operation's name, the error's, and the message."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(operation, code, message)
        self.operation, self.code, self.message = operation, code, message


class Client(Protocol):
    page_size: str
    """The option that limits how much one request asks for."""

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """An operation, named as on the command line; all its pages. Raises ClientFailed."""
        ...


class CommandLine:
    page_size = "page_size"
    _failure = re.compile(
        r"\s*(?:aws: \[ERROR\]: )?An error occurred \((\w+)\) when calling the (\w+) operation: (.*)\s*", re.S
    )

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        arguments = [part for name, value in request.items() for part in _option(name, value)]
        ran = subprocess.run(
            [str(AWS), "stepfunctions", operation, "--output", "json", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        if ran.returncode == 0:
            assert ran.stderr == ""
            return dict(json.loads(ran.stdout or "{}"))
        failure = self._failure.fullmatch(ran.stderr)
        assert failure is not None, (ran.returncode, ran.stderr)
        raise ClientFailed(failure[2], failure[1], failure[3].rstrip("\n"))


def _option(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    return [flag] if value is True else [flag, str(value)]


class Boto3:
    page_size = "max_results"

    def __init__(self) -> None:
        self._client = boto3.Session().client("stepfunctions")

    def close(self) -> None:
        self._client.close()

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        method = operation.replace("-", "_")
        members = {re.sub(r"_(\w)", lambda found: found[1].upper(), name): value for name, value in request.items()}
        try:
            if not self._client.can_paginate(method):
                return dict(getattr(self._client, method)(**members))
            size = members.pop("maxResults", None)
            pages = self._client.get_paginator(method).paginate(**members, PaginationConfig={"PageSize": size})
            return dict(pages.build_full_result())
        except ClientError as error:
            shown = error.response["Error"]
            raise ClientFailed(error.operation_name, shown["Code"], shown["Message"]) from error


@pytest.fixture(params=["aws", "boto3"])
def client(request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    if request.param == "aws":
        yield CommandLine(dict(os.environ))
    else:
        made = Boto3()
        yield made
        made.close()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """In front of the names of this test's machines."""
    return f"life-{request.node.callspec.params['client']}"


def test_life_of_a_machine(client: Client, server: Server, prefix: str) -> None:
    arn = client.call("create-state-machine", name=prefix, definition=DEFINITION, role_arn=ROLE)["stateMachineArn"]
    assert arn == f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{prefix}"
    created = client.call("describe-state-machine", state_machine_arn=arn)
    assert (created["status"], created["type"], created["definition"]) == ("ACTIVE", "STANDARD", DEFINITION)
    assert created["roleArn"] == ROLE
    assert "revisionId" not in created

    updated = client.call("update-state-machine", state_machine_arn=arn, definition=WAIT)
    described = client.call("describe-state-machine", state_machine_arn=arn)
    assert (described["definition"], described["revisionId"]) == (WAIT, updated["revisionId"])
    assert described["creationDate"] == created["creationDate"]

    create_machine(server.api(), f"{prefix}-2", WAIT)
    listed = client.call("list-state-machines", **{client.page_size: 1})["stateMachines"]
    assert [machine["name"] for machine in listed if machine["name"].startswith(prefix)] == [prefix, f"{prefix}-2"]

    client.call("delete-state-machine", state_machine_arn=arn)
    with pytest.raises(ClientFailed) as failed:
        client.call("describe-state-machine", state_machine_arn=arn)
    assert failed.value.args == (
        "DescribeStateMachine",
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{arn}'",
    )


def test_life_of_an_execution(client: Client, server: Server, prefix: str) -> None:
    machine = create_machine(server.api(), f"{prefix}-order", DEFINITION)
    request = {"state_machine_arn": machine, "name": "first", "input": INPUT}
    arn = client.call("start-execution", **request)["executionArn"]
    assert arn == f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{prefix}-order:first"

    ended_execution(server.api(), arn)
    described = client.call("describe-execution", execution_arn=arn)
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"])["detail"]["summary"]["total"] == 338.0
    assert json.loads(described["input"]) == json.loads(INPUT)
    shown = client.call("describe-state-machine-for-execution", execution_arn=arn)
    assert (shown["stateMachineArn"], shown["definition"]) == (machine, DEFINITION)

    events = client.call("get-execution-history", execution_arn=arn)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("ExecutionStarted", "ExecutionSucceeded")
    assert len([event for event in events if event["type"] == "LambdaFunctionSucceeded"]) == 1 + 5 * 3 + 1
    reverse = client.call("get-execution-history", execution_arn=arn, reverse_order=True, **{client.page_size: 7})
    assert reverse["events"] == events[::-1]

    with pytest.raises(ClientFailed) as failed:
        client.call("start-execution", **request)
    assert failed.value.args == ("StartExecution", "ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")


def test_stopped_execution(client: Client, server: Server, prefix: str) -> None:
    api = server.api()
    machine = create_machine(api, f"{prefix}-wait", WAIT)
    names = ["one", "two", "three"]
    arns = [api.call("StartExecution", stateMachineArn=machine, name=name)["executionArn"] for name in names]
    client.call("stop-execution", execution_arn=arns[1], error="Enough", cause="the test is over")
    stopped = client.call("describe-execution", execution_arn=arns[1])
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Enough", "the test is over")
    listed = client.call("list-executions", state_machine_arn=machine, **{client.page_size: 2})["executions"]
    shown = [(each["name"], each["status"]) for each in listed]
    assert shown == [("three", "RUNNING"), ("two", "ABORTED"), ("one", "RUNNING")]
    running = client.call("list-executions", state_machine_arn=machine, status_filter="RUNNING")["executions"]
    assert [each["name"] for each in running] == ["three", "one"]


def test_express_machine(client: Client, server: Server, prefix: str) -> None:
    machine = create_machine(server.api(), f"{prefix}-express", DOUBLE, type="EXPRESS")
    answer = client.call("start-sync-execution", state_machine_arn=machine, input='{"number": 21}')
    assert (answer["status"], json.loads(answer["output"])) == ("SUCCEEDED", {"twice": 42})
    failed = client.call("start-sync-execution", state_machine_arn=machine, input='{"number": 51}')
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "TooMuch", "more than 100")
    with pytest.raises(ClientFailed) as refused:
        client.call("list-executions", state_machine_arn=machine)
    assert refused.value.args == (
        "ListExecutions",
        "StateMachineTypeNotSupported",
        "This operation is not supported by this type of state machine",
    )
