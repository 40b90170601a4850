"""Provisioned concurrency, and what is kept and shown without an effect."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.functions.zips import archive, handler

from .conftest import ARN, Lambda

INVALID, MISSING = "InvalidParameterValueException", "ResourceNotFoundException"
NO_CONFIG = "ProvisionedConcurrencyConfigNotFoundException"
KIND = "import os; return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.getpid()]"


async def put(aws: Lambda, qualifier: str, amount: int, name: str = "pay") -> Any:
    members = {"FunctionName": name, "Qualifier": qualifier, "ProvisionedConcurrentExecutions": amount}
    return await aws.call("PutProvisionedConcurrencyConfig", **members)


async def settled(aws: Lambda, qualifier: str, name: str = "pay") -> Any:
    """What is shown once it is no longer in progress."""
    async with asyncio.timeout(60):
        while True:
            shown = await aws.call("GetProvisionedConcurrencyConfig", FunctionName=name, Qualifier=qualifier)
            if shown["Status"] != "IN_PROGRESS":
                return shown
            await asyncio.sleep(0.01)


async def invoke(aws: Lambda, qualifier: str) -> Any:
    return json.loads((await aws.call("Invoke", FunctionName="pay", Qualifier=qualifier))["Payload"])


async def test_workers_are_there_before_they_are_needed(aws: Lambda) -> None:
    await aws.create(code=handler(KIND), Publish=True)
    put_now = await put(aws, "1", 2)
    assert (put_now["RequestedProvisionedConcurrentExecutions"], put_now["Status"]) == (2, "IN_PROGRESS")
    shown = await settled(aws, "1")
    assert (shown["Status"], shown["AvailableProvisionedConcurrentExecutions"]) == ("READY", 2)
    assert (await invoke(aws, "1"))[0] == "provisioned-concurrency"
    assert (await invoke(aws, "$LATEST"))[0] == "on-demand"
    listed = await aws.call("ListProvisionedConcurrencyConfigs", FunctionName="pay")
    assert listed == {"ProvisionedConcurrencyConfigs": [{"FunctionArn": ARN + "pay:1", **shown}]}
    await aws.call("DeleteProvisionedConcurrencyConfig", FunctionName="pay", Qualifier="1")
    for operation in ("GetProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig"):
        assert (await aws.error(operation, FunctionName="pay", Qualifier="1"))[0] == NO_CONFIG


async def test_an_alias_that_moves(aws: Lambda) -> None:
    await aws.create(code=handler("return 1"), Publish=True)
    await aws.call("UpdateFunctionCode", FunctionName="pay", ZipFile=handler(KIND), Publish=True)
    await aws.call("CreateAlias", FunctionName="pay", Name="live", FunctionVersion="1")
    await put(aws, "live", 1)
    assert (await settled(aws, "live"))["Status"] == "READY"
    await aws.call("UpdateAlias", FunctionName="pay", Name="live", FunctionVersion="2")
    assert (await settled(aws, "live"))["Status"] == "READY"
    assert (await invoke(aws, "2"))[0] == "provisioned-concurrency"


async def test_code_that_does_not_start(aws: Lambda) -> None:
    code = archive({"app.py": "raise ValueError('not today')"})
    await aws.create(code=code, Publish=True)
    await put(aws, "1", 2)
    shown = await settled(aws, "1")
    assert (shown["Status"], shown["StatusReason"]) == ("FAILED", "not today")
    assert shown["AvailableProvisionedConcurrentExecutions"] == 0


@pytest.mark.parametrize(
    ("members", "error", "text"),
    [
        ({"Qualifier": "$LATEST"}, INVALID, "cannot be applied to unpublished function versions"),
        ({"Qualifier": "7"}, MISSING, "Function not found"),
        ({"ProvisionedConcurrentExecutions": 5}, INVALID, "greater than the reservedConcurrentExecution"),
        ({"ProvisionedConcurrentExecutions": 0}, "ValidationException", "greater than or equal to 1"),
        ({"FunctionName": "other"}, MISSING, "Function not found"),
    ],
)
async def test_what_cannot_be_kept(aws: Lambda, members: dict[str, Any], error: str, text: str) -> None:
    await aws.create(Publish=True)
    await aws.call("PutFunctionConcurrency", FunctionName="pay", ReservedConcurrentExecutions=4)
    request = {"FunctionName": "pay", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1, **members}
    found, message = await aws.error("PutProvisionedConcurrencyConfig", **request)
    assert found == error
    assert text in message


async def test_more_than_a_server_runs(aws: Lambda) -> None:
    await aws.create(Publish=True)
    request = {"FunctionName": "pay", "Qualifier": "1", "ProvisionedConcurrentExecutions": 41}
    assert (await aws.error("PutProvisionedConcurrencyConfig", **request))[0] == INVALID


async def test_what_is_kept_and_shown(aws: Lambda) -> None:
    await aws.create(Publish=True)
    named = {"FunctionName": "pay"}
    auto = {"UpdateRuntimeOn": "Auto", "FunctionArn": ARN + "pay"}
    assert await aws.call("GetRuntimeManagementConfig", **named) == auto
    put_now = await aws.call("PutRuntimeManagementConfig", **named, UpdateRuntimeOn="FunctionUpdate")
    assert put_now == {**auto, "UpdateRuntimeOn": "FunctionUpdate"}
    assert await aws.call("GetRuntimeManagementConfig", **named) == put_now
    assert (await aws.call("GetRuntimeManagementConfig", **named, Qualifier="1"))["UpdateRuntimeOn"] == "Auto"
    refused = await aws.error("PutRuntimeManagementConfig", **named, UpdateRuntimeOn="Manual", RuntimeVersionArn="arn")
    assert refused[0] in ("NotImplementedException", "ValidationException")
    assert await aws.call("GetFunctionRecursionConfig", **named) == {"RecursiveLoop": "Terminate"}
    await aws.call("PutFunctionRecursionConfig", **named, RecursiveLoop="Allow")
    assert await aws.call("GetFunctionRecursionConfig", **named) == {"RecursiveLoop": "Allow"}
    assert (await aws.call("GetFunctionCodeSigningConfig", **named))["FunctionName"] == "pay"
    config = "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0123456789abcdef0"
    refused = await aws.error("PutFunctionCodeSigningConfig", **named, CodeSigningConfigArn=config)
    assert refused[0] == "CodeSigningConfigNotFoundException"
    assert await aws.call("DeleteFunctionCodeSigningConfig", **named) == {}
    assert (await aws.error("GetRuntimeManagementConfig", FunctionName="other"))[0] == MISSING
