"""Operations on function URLs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from treadle.aws.service import Caller

from .conftest import ARN, CALLER, Lambda

HERE = replace(CALLER, url="http://127.0.0.1:4566")
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-a"],
    "AllowMethods": ["GET"],
    "AllowOrigins": ["https://a"],
    "ExposeHeaders": ["x-b"],
    "MaxAge": 0,
}
NOT_FOUND = ("ResourceNotFoundException", "The resource you requested does not exist.")


async def test_a_url(aws: Lambda) -> None:
    await aws.create()
    made = await aws.call("CreateFunctionUrlConfig", HERE, FunctionName="pay", AuthType="NONE", Cors=CORS)
    url, created = made["FunctionUrl"], made["CreationTime"]
    assert re.fullmatch(r"http://[a-z0-9]{32}\.lambda-url\.eu-west-1\.localhost:4566/", url)
    shown = {
        "FunctionUrl": url,
        "FunctionArn": ARN + "pay",
        "AuthType": "NONE",
        "InvokeMode": "BUFFERED",
        "CreationTime": created,
        "Cors": CORS,
    }
    assert made == shown
    found = await aws.call("GetFunctionUrlConfig", HERE, FunctionName="pay")
    assert found == {**shown, "LastModifiedTime": created}
    changed = await aws.call(
        "UpdateFunctionUrlConfig", HERE, FunctionName="pay", AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM", Cors={}
    )
    assert changed.pop("LastModifiedTime") > created
    del shown["Cors"]
    assert changed == {**shown, "AuthType": "AWS_IAM", "InvokeMode": "RESPONSE_STREAM"}
    kept = await aws.call("UpdateFunctionUrlConfig", HERE, FunctionName="pay", Cors={"MaxAge": 5})
    assert (kept["AuthType"], kept["Cors"]) == ("AWS_IAM", {"MaxAge": 5})
    assert await aws.call("DeleteFunctionUrlConfig", HERE, FunctionName="pay") == {}
    for operation in ("GetFunctionUrlConfig", "UpdateFunctionUrlConfig", "DeleteFunctionUrlConfig"):
        assert await aws.error(operation, HERE, FunctionName="pay") == NOT_FOUND


async def test_urls_of_aliases(aws: Lambda) -> None:
    await aws.create(Publish=True)
    for name in ("green", "blue"):
        await aws.call("CreateAlias", FunctionName="pay", Name=name, FunctionVersion="1")
    urls = {}
    for qualifier in ({}, {"Qualifier": "green"}, {"Qualifier": "blue"}):
        made = await aws.call("CreateFunctionUrlConfig", HERE, FunctionName="pay", AuthType="NONE", **qualifier)
        urls[made["FunctionArn"]] = made["FunctionUrl"]
    assert len(set(urls.values())) == 3
    seen: list[str] = []
    marker: dict[str, Any] = {}
    while True:
        page = await aws.call("ListFunctionUrlConfigs", HERE, FunctionName="pay", MaxItems=2, **marker)
        seen += [each["FunctionArn"] for each in page["FunctionUrlConfigs"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert seen == [ARN + "pay", ARN + "pay:blue", ARN + "pay:green"]
    blue = await aws.call("GetFunctionUrlConfig", HERE, FunctionName=ARN + "pay:blue")
    assert blue["FunctionUrl"] == urls[ARN + "pay:blue"]


async def test_a_second_url(aws: Lambda) -> None:
    await aws.create()
    await aws.call("CreateFunctionUrlConfig", HERE, FunctionName="pay", AuthType="NONE")
    assert await aws.error("CreateFunctionUrlConfig", HERE, FunctionName="pay", AuthType="NONE") == (
        "ResourceConflictException",
        f"Failed to create function url config for [functionArn = {ARN}pay]. Error message:  FunctionUrlConfig exists "
        "for this Lambda function",
    )


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"FunctionName": "none"}, "ResourceNotFoundException"),
        ({"Qualifier": "none"}, "ResourceNotFoundException"),
        ({"Qualifier": "1"}, "ValidationException"),
        ({"AuthType": "OTHER"}, "ValidationException"),
        ({"AuthType": None}, "ValidationException"),
        ({"InvokeMode": "OTHER"}, "ValidationException"),
        ({"Cors": {"MaxAge": -1}}, "ValidationException"),
    ],
)
async def test_what_is_refused(aws: Lambda, members: dict[str, Any], error: str) -> None:
    await aws.create()
    request = {"FunctionName": "pay", "AuthType": "NONE", **members}
    assert (await aws.error("CreateFunctionUrlConfig", HERE, **request))[0] == error
    assert await aws.call("ListFunctionUrlConfigs", HERE, FunctionName="pay") == {"FunctionUrlConfigs": []}


async def test_functions_of_the_folder_have_urls_too(aws: Lambda) -> None:
    aws.folder.mkdir()
    (aws.folder / "mine.py").write_text("def handler(event, context): pass")
    made = await aws.call("CreateFunctionUrlConfig", HERE, FunctionName="mine", AuthType="NONE")
    assert made["FunctionArn"] == ARN + "mine"


async def test_a_url_goes_with_its_function(aws: Lambda) -> None:
    await aws.create()
    await aws.call("CreateFunctionUrlConfig", HERE, FunctionName="pay", AuthType="NONE")
    await aws.call("DeleteFunction", FunctionName="pay")
    await aws.create()
    assert await aws.error("GetFunctionUrlConfig", HERE, FunctionName="pay") == NOT_FOUND


async def test_other_accounts_see_nothing(aws: Lambda) -> None:
    await aws.create()
    await aws.call("CreateFunctionUrlConfig", HERE, FunctionName="pay", AuthType="NONE")
    stranger = Caller("210987654321", "eu-west-1", "r")
    assert await aws.error("GetFunctionUrlConfig", stranger, FunctionName="pay") == NOT_FOUND
