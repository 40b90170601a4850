"""Whatever a member holds, an operation answers, or refuses with an error of its API; and the function stays usable."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import Shape

from treadle.aws import model
from treadle.aws.errors import ApiError
from treadle.aws.functions.service import OPERATIONS

from .conftest import ARN, CALLER, ROLE, Lambda

MODEL = model.load("lambda")

VALUES: list[Any] = [
    None,
    0,
    -1,
    2**70,
    1.5,
    True,
    "",
    "x",
    "1",
    "99999999999999999999",
    "$LATEST",
    "pay:1",
    "../..",
    "a" * 2_000,
    "é\0\u2028",
    ARN + "pay",
    [],
    [None],
    ["x"],
    {},
    {"x": None},
    {"x": "y"},
    {"2": 0.5},
    {"Variables": {"A\0": "x"}},
    {"ZipFile": "AAAA"},
]

USUAL = {
    "FunctionName": "pay",
    "Resource": ARN + "pay",
    "Name": "live",
    "FunctionVersion": "1",
    "StatementId": "s",
    "Action": "lambda:InvokeFunction",
    "Principal": "*",
    "InvokeArgs": b"{}",
    "Tags": {"a": "b"},
    "TagKeys": ["a"],
    "ReservedConcurrentExecutions": 5,
    "Role": ROLE,
    "Code": {"ZipFile": "AAAA"},
    "LayerName": "tools",
    "VersionNumber": 1,
    "Content": {"ZipFile": "AAAA"},
    "Arn": ARN.replace(":function:", ":layer:") + "tools:1",
    "Qualifier": "1",
    "ProvisionedConcurrentExecutions": 1,
    "UpdateRuntimeOn": "Auto",
    "RecursiveLoop": "Allow",
    "AuthType": "NONE",
    "UUID": "8f1b1b1e-0000-4000-8000-000000000001",
    "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "CodeSigningConfigArn": "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0123456789abcdef0",
}
"""Values that required members may have, so that the others are looked at."""


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_members(aws: Lambda, operation: str) -> None:
    shape: Shape = MODEL.operation_model(operation).input_shape
    usual = {name: USUAL[name] for name in shape.required_members}
    if operation == "Invoke":
        usual["InvocationType"] = "DryRun"
    await _make(aws)
    for name in shape.members:
        for value in VALUES:
            try:
                await aws.service.serve(operation, {**usual, name: value}, CALLER)
            except ApiError as error:
                assert error.status < 500 or error.body["__type"] == "NotImplementedException", (name, value)
            await _make(aws)
    assert (await aws.call("GetFunctionConfiguration", FunctionName="pay"))["State"] == "Active"


async def _make(aws: Lambda) -> None:
    """The function, unless it is there."""
    try:
        await aws.create(Publish=True)
    except ApiError as error:
        assert error.body["__type"] == "ResourceConflictException"
