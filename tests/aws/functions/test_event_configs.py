"""How asynchronous invocations of functions are configured, over the API."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import ARN, Lambda

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:records"
BUCKET = "arn:aws:s3:::records"


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    """Without the time, which is a number of seconds."""
    assert isinstance(answer["LastModified"], float)
    return {name: value for name, value in answer.items() if name != "LastModified"}


async def test_put_update_delete(aws: Lambda) -> None:
    await aws.create()
    put = await aws.call("PutFunctionEventInvokeConfig", FunctionName="pay", MaximumRetryAttempts=1)
    nothing: dict[str, Any] = {"OnSuccess": {}, "OnFailure": {}}
    first = {"FunctionArn": ARN + "pay:$LATEST", "MaximumRetryAttempts": 1, "DestinationConfig": nothing}
    assert shown(put) == first
    assert shown(await aws.call("GetFunctionEventInvokeConfig", FunctionName="pay")) == first
    destinations = {"OnSuccess": {"Destination": QUEUE}, "OnFailure": {"Destination": BUCKET}}
    changed = {"MaximumEventAgeInSeconds": 60, "DestinationConfig": destinations}
    update = await aws.call("UpdateFunctionEventInvokeConfig", FunctionName="pay", **changed)
    assert shown(update) == {**first, **changed}
    put = await aws.call("PutFunctionEventInvokeConfig", FunctionName="pay", Qualifier="$LATEST", **changed)
    assert shown(put) == {"FunctionArn": ARN + "pay:$LATEST", **changed}
    assert await aws.call("DeleteFunctionEventInvokeConfig", FunctionName="pay") == {}
    for operation in ("GetFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"):
        name, text = await aws.error(operation, FunctionName="pay")
        assert name == "ResourceNotFoundException"
        assert text == f"The function {ARN}pay:$LATEST doesn't have an EventInvokeConfig"
    assert (await aws.error("DeleteFunctionEventInvokeConfig", FunctionName="pay"))[0] == "ResourceNotFoundException"


async def test_each_qualifier_has_its_own(aws: Lambda) -> None:
    await aws.create()
    await aws.create("payment")
    await aws.call("PublishVersion", FunctionName="pay")
    await aws.call("CreateAlias", FunctionName="pay", Name="live", FunctionVersion="1")
    for number, name in enumerate(("payment", "pay", "pay:1", "pay:live")):
        await aws.call("PutFunctionEventInvokeConfig", FunctionName=name, MaximumEventAgeInSeconds=60 + number)
    listed = (await aws.call("ListFunctionEventInvokeConfigs", FunctionName="pay"))["FunctionEventInvokeConfigs"]
    assert [(each["FunctionArn"], each["MaximumEventAgeInSeconds"]) for each in listed] == [
        (ARN + "pay:$LATEST", 61),
        (ARN + "pay:1", 62),
        (ARN + "pay:live", 63),
    ]
    pages: list[dict[str, Any]] = []
    marker: dict[str, Any] = {}
    for _ in range(3):
        page = await aws.call("ListFunctionEventInvokeConfigs", FunctionName="pay", MaxItems=1, **marker)
        pages += page["FunctionEventInvokeConfigs"]
        marker = {"Marker": page.get("NextMarker")}
    assert (pages, marker) == (listed, {"Marker": None})
    await aws.call("DeleteFunction", FunctionName="pay")
    await aws.create()
    assert (await aws.call("ListFunctionEventInvokeConfigs", FunctionName="pay"))["FunctionEventInvokeConfigs"] == []


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"MaximumRetryAttempts": 3}, "ValidationException"),
        ({"MaximumRetryAttempts": -1}, "ValidationException"),
        ({"MaximumEventAgeInSeconds": 59}, "ValidationException"),
        ({"MaximumEventAgeInSeconds": 21_601}, "ValidationException"),
        ({"DestinationConfig": {"OnSuccess": {"Destination": "records"}}}, "ValidationException"),
        ({"DestinationConfig": {"OnSuccess": {"Destination": BUCKET}}}, "InvalidParameterValueException"),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:kinesis:eu-west-1:123456789012:stream/s"}}},
            "InvalidParameterValueException",
        ),
        ({"Qualifier": "7"}, "ResourceNotFoundException"),
        ({"FunctionName": "none"}, "ResourceNotFoundException"),
    ],
)
async def test_refused(aws: Lambda, members: dict[str, Any], name: str) -> None:
    await aws.create()
    assert (await aws.error("PutFunctionEventInvokeConfig", **{"FunctionName": "pay", **members}))[0] == name
    assert (await aws.call("ListFunctionEventInvokeConfigs", FunctionName="pay"))["FunctionEventInvokeConfigs"] == []


async def test_a_function_of_the_folder(aws: Lambda) -> None:
    aws.folder.mkdir()
    (aws.folder / "pay.py").write_text("def handler(event, context): return event")
    error = await aws.error("PutFunctionEventInvokeConfig", FunctionName="pay", MaximumRetryAttempts=0)
    assert error[0] == "ResourceConflictException"
    assert (await aws.error("GetFunctionEventInvokeConfig", FunctionName="pay"))[0] == "ResourceNotFoundException"
    assert (await aws.call("ListFunctionEventInvokeConfigs", FunctionName="pay"))["FunctionEventInvokeConfigs"] == []


async def test_dead_letter_target(aws: Lambda) -> None:
    made = await aws.create(DeadLetterConfig={"TargetArn": QUEUE})
    assert made["DeadLetterConfig"] == {"TargetArn": QUEUE}
    await aws.call("PublishVersion", FunctionName="pay")
    await aws.call("UpdateFunctionConfiguration", FunctionName="pay", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in await aws.call("GetFunctionConfiguration", FunctionName="pay")
    version = await aws.call("GetFunctionConfiguration", FunctionName="pay:1")
    assert version["DeadLetterConfig"] == {"TargetArn": QUEUE}


@pytest.mark.parametrize("target", [BUCKET, QUEUE + ".fifo", ARN + "other"])
async def test_what_is_no_dead_letter_target(aws: Lambda, target: str) -> None:
    await aws.create()
    error = await aws.error("UpdateFunctionConfiguration", FunctionName="pay", DeadLetterConfig={"TargetArn": target})
    assert error[0] == "InvalidParameterValueException"
    assert target in error[1]
