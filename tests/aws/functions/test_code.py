"""Where the code of functions comes from, where it can be fetched, and when it is removed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.functions.zips import handler
from tests.tasks.fake_neighbour import FakeNeighbour, Reply
from treadle.aws.functions.code_tokens import CODE_PATH, CodeTokens

from .conftest import CALLER, Lambda

INVALID = "InvalidParameterValueException"


async def invoke(aws: Lambda, qualifier: str = "$LATEST") -> Any:
    return json.loads((await aws.call("Invoke", FunctionName="pay", Qualifier=qualifier))["Payload"])


async def test_code_that_no_function_has_is_removed(aws: Lambda, tmp_path: Path) -> None:
    """Not under a worker; and what a published version has stays."""

    def found() -> int:
        return len([each for each in (tmp_path / "code").iterdir() if len(each.name) == 64])

    async def folders(count: int) -> None:
        async with asyncio.timeout(60):
            while found() != count:  # noqa: ASYNC110 - nobody tells when folders go
                await asyncio.sleep(0.01)

    await aws.create(code=handler("import time; time.sleep(0.5); return open(__file__).read().count('sleep')"))
    running = asyncio.create_task(aws.call("Invoke", FunctionName="pay"))
    await asyncio.sleep(0)
    await aws.call("UpdateFunctionCode", FunctionName="pay", ZipFile=handler("return 2"))
    assert json.loads((await running)["Payload"]) in (1, 2)
    await folders(1)
    await aws.call("PublishVersion", FunctionName="pay")
    await aws.call("UpdateFunctionCode", FunctionName="pay", ZipFile=handler("return 3"))
    assert [await invoke(aws, qualifier) for qualifier in ("1", "$LATEST")] == [2, 3]
    await folders(2)
    await aws.call("DeleteFunction", FunctionName="pay", Qualifier="1")
    await folders(1)
    await aws.call("DeleteFunction", FunctionName="pay")
    await folders(0)


async def test_code_in_s3(aws: Lambda, neighbour: FakeNeighbour) -> None:
    neighbour.reply = Reply(200, handler("return 'from S3'"), {})
    made = await aws.call(
        "CreateFunction",
        FunctionName="pay",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/pay",
        Handler="app.handler",
        Code={"S3Bucket": "code", "S3Key": "a/pay.zip", "S3ObjectVersion": "v1"},
    )
    (asked,) = neighbour.sent
    assert (asked.method, asked.target, asked.account) == ("GET", "/code/a/pay.zip?versionId=v1", CALLER.account)
    assert made["CodeSize"] == len(handler("return 'from S3'"))
    assert await invoke(aws) == "from S3"


async def test_code_that_is_not_in_s3(aws: Lambda, neighbour: FakeNeighbour) -> None:
    await aws.create()
    body = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
    neighbour.reply = Reply(404, body, {})
    error = await aws.error("UpdateFunctionCode", FunctionName="pay", S3Bucket="code", S3Key="none")
    text = "S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
    assert error == (INVALID, f"Error occurred while GetObject. {text}")
    both = {"ZipFile": handler(), "S3Bucket": "code", "S3Key": "k"}
    assert (await aws.error("UpdateFunctionCode", FunctionName="pay", **both))[0] == INVALID


def test_a_token_names_code_for_ten_minutes() -> None:
    tokens = CodeTokens(b"secret")
    token = tokens.issue("ab" * 32, 1_000)
    assert tokens.read(token, 601_000) == "ab" * 32
    for refused in (
        tokens.read(token, 601_001),
        CodeTokens(b"other").read(token, 1_000),
        tokens.read(token[:-4] + "AAA=", 1_000),
        tokens.read("", 1_000),
        tokens.read("%", 1_000),
    ):
        assert refused is None
    assert CODE_PATH.startswith("/_treadle/")
