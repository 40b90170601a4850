"""Whatever is wrong with a request, a real server says precisely what, in AWS's words, and nothing comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Struct

from tests.acceptance.server import (
    ACCOUNT,
    CONTENT_TYPE,
    REGION,
    ROLE,
    Api,
    Refused,
    Server,
    create_machine,
)

DONE = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:good"
MISSING_MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:missing"
MISSING_EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:good:missing"

NO_TARGET = (
    "MISSING_TRANSITION_TARGET: Missing 'Next' target: Nowhere at /States/S/Next, "
    "MISSING_END_STATE: Workflow has no terminal state at null"
)


class Case(Struct, frozen=True):
    about: str
    operation: str
    request: dict[str, Any]
    type: str
    message: str
    status: int = 400


def definition(about: str, text: str, message: str) -> Case:
    request = {"name": "bad", "definition": text, "roleArn": ROLE}
    return Case(
        about, "CreateStateMachine", request, "InvalidDefinition", f"Invalid State Machine Definition: '{message}'"
    )


def one_state(**state: Any) -> str:
    return json.dumps({"StartAt": "S", "States": {"S": state}})


CASES = [
    definition(
        "not JSON",
        "{",
        "INVALID_JSON_DESCRIPTION: Unexpected end-of-input: expected close marker for Object (start "
        'marker at [Source: (String)"{"; line: 1, column: 1])\n at [Source: (String)"{"; line: 1, '
        'column: 2] at [Source: (String)"{"; line: 1, column: 2]',
    ),
    definition("no object", "[]", "SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null"),
    definition("no states", "{}", "SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /"),
    definition(
        "unknown type",
        one_state(Type="Job", End=True),
        "SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, "
        "Succeed, Fail, Choice, Parallel, Map] at /States/S/Type",
    ),
    definition(
        "missing target",
        one_state(Type="Pass", Next="Nowhere"),
        NO_TARGET,
    ),
    definition(
        "wrong field",
        one_state(Type="Pass", Seconds=1, End=True),
        "SCHEMA_VALIDATION_FAILED: Field 'Seconds' is not supported at /States/S",
    ),
    definition(
        "not there yet",
        one_state(Type="Task", Resource="arn:aws:states:::aws-sdk:translate:listLanguages", Parameters={}, End=True),
        "NOT_IMPLEMENTED: Nobody answers for 'translate' at this server: AWS_ENDPOINT_URL_TRANSLATE names an endpoint "
        "for it at /States/S/Resource",
    ),
    Case(
        "a bad definition for a machine that is there",
        "UpdateStateMachine",
        {"stateMachineArn": MACHINE, "definition": one_state(Type="Pass", Next="Nowhere")},
        "InvalidDefinition",
        f"Invalid State Machine Definition: '{NO_TARGET}'",
    ),
    Case(
        "input that is not JSON",
        "StartExecution",
        {"stateMachineArn": MACHINE, "input": "{no"},
        "InvalidExecutionInput",
        "Invalid State Machine Execution Input: 'Unexpected character ('n' (code 110)): was expecting "
        "double-quote to start field name'",
    ),
    Case(
        "input that is nested too deep",
        "StartExecution",
        {"stateMachineArn": MACHINE, "input": "[" * 100_000 + "]" * 100_000},
        "InvalidExecutionInput",
        "Invalid State Machine Execution Input: 'Document nesting depth (1001) exceeds the maximum "
        "allowed (1000, from `StreamReadConstraints.getMaxNestingDepth()`)'",
    ),
    Case(
        "input that is too long",
        "StartExecution",
        {"stateMachineArn": MACHINE, "input": json.dumps("x" * 262_143)},
        "ValidationException",
        "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have "
        "size less than or equal to 262144 bytes in UTF-8 encoding",
    ),
    Case(
        "unknown machine",
        "StartExecution",
        {"stateMachineArn": MISSING_MACHINE},
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{MISSING_MACHINE}'",
    ),
    Case(
        "unknown machine",
        "DescribeStateMachine",
        {"stateMachineArn": MISSING_MACHINE},
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{MISSING_MACHINE}'",
    ),
    Case(
        "unknown execution",
        "DescribeExecution",
        {"executionArn": MISSING_EXECUTION},
        "ExecutionDoesNotExist",
        f"Execution Does Not Exist: '{MISSING_EXECUTION}'",
    ),
    Case(
        "unknown execution",
        "StopExecution",
        {"executionArn": MISSING_EXECUTION},
        "ExecutionDoesNotExist",
        f"Execution Does Not Exist: '{MISSING_EXECUTION}'",
    ),
    Case(
        "unknown execution",
        "GetExecutionHistory",
        {"executionArn": MISSING_EXECUTION},
        "ExecutionDoesNotExist",
        f"Execution Does Not Exist: '{MISSING_EXECUTION}'",
    ),
    Case(
        "no ARN",
        "DescribeExecution",
        {"executionArn": "missing"},
        "InvalidArn",
        "Invalid Arn: 'Invalid ARN prefix: missing'",
    ),
    Case(
        "wrong page token",
        "ListStateMachines",
        {"nextToken": "forged"},
        "InvalidToken",
        "Invalid Token: 'Invalid token'",
    ),
    Case(
        "wrong page token",
        "ListExecutions",
        {"stateMachineArn": MACHINE, "nextToken": "Zm9yZ2Vk"},
        "InvalidToken",
        "Invalid Token: 'Invalid token'",
    ),
    Case(
        "wrong task token",
        "SendTaskSuccess",
        {"taskToken": "forged", "output": "{}"},
        "InvalidToken",
        "Invalid Token: 'Invalid token'",
    ),
    Case(
        "missing member",
        "CreateStateMachine",
        {"name": "bad", "definition": DONE},
        "ValidationException",
        "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
    ),
    Case(
        "wrong type of a member",
        "StartExecution",
        {"stateMachineArn": 7},
        "SerializationException",
        "NUMBER_VALUE can not be converted to a String",
    ),
    Case(
        "name with a space",
        "CreateStateMachine",
        {"name": "b d", "definition": DONE, "roleArn": ROLE},
        "InvalidName",
        "Invalid Name: 'b d'",
    ),
]


class RawCase(Struct, frozen=True):
    about: str
    body: bytes
    status: int
    type: str
    message: str
    content_type: str = CONTENT_TYPE


RAW_CASES = [
    RawCase("not JSON", b"{", 400, "SerializationException", "The request body is not JSON: Input data was truncated"),
    RawCase(
        "not UTF-8",
        b'{"name": "\xff"}',
        400,
        "SerializationException",
        "The request body is not JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ),
    RawCase("nothing", b"", 400, "SerializationException", "The request body is not JSON: Input data was truncated"),
    RawCase(
        "10 MB",
        b" " * 10_000_000,
        413,
        "RequestEntityTooLargeException",
        "The request body is larger than 1048576 bytes.",
    ),
    RawCase(
        "nested 100,000 deep",
        b"[" * 100_000 + b"]" * 100_000,
        400,
        "SerializationException",
        "The request body is nested too deeply.",
    ),
    RawCase(
        "100,000 opening brackets",
        b'{"name":' * 100_000,
        400,
        "SerializationException",
        "The request body is nested too deeply.",
    ),
    RawCase(
        "wrong content type",
        b"{}",
        404,
        "UnknownOperationException",
        "The content type must be application/x-amz-json-1.0, not 'application/json'.",
        content_type="application/json",
    ),
]


@pytest.fixture(scope="module")
def api(server: Server) -> Api:
    """There is one machine, `good`, without executions."""
    api = server.api()
    assert create_machine(api, "good", DONE) == MACHINE
    return api


@pytest.fixture(autouse=True)
def nothing_comes_of_it(api: Api) -> Iterator[None]:
    before = _everything(api)
    yield
    assert _everything(api) == before


def _everything(api: Api) -> Any:
    machines = api.call("ListStateMachines")["stateMachines"]
    assert [machine["name"] for machine in machines] == ["good"]
    return (
        machines,
        api.call("DescribeStateMachine", stateMachineArn=MACHINE),
        api.call("ListExecutions", stateMachineArn=MACHINE),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operation}: {case.about}")
def test_bad_request(api: Api, case: Case) -> None:
    with pytest.raises(Refused) as refused:
        api.call(case.operation, **case.request)
    assert refused.value.args == (case.status, case.type, case.message)


@pytest.mark.parametrize("case", RAW_CASES, ids=lambda case: case.about)
def test_bad_body(api: Api, case: RawCase) -> None:
    with pytest.raises(Refused) as refused:
        api.send("CreateStateMachine", case.body, case.content_type)
    assert refused.value.args == (case.status, case.type, case.message)
