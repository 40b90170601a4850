"""The operation InvokeWithResponseStream."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.functions.zips import archive, handler
from treadle.aws.event_stream import Event, EventStream
from treadle.aws.service import Caller

from .conftest import CALLER, Lambda

STREAMING = "exports.handler = awslambda.streamifyResponse(async (event, stream) => {{ {} }})"


async def begun(aws: Lambda, caller: Caller = CALLER, **members: Any) -> tuple[dict[str, Any], EventStream]:
    answer = await aws.service.serve("InvokeWithResponseStream", {"FunctionName": "pay", **members}, caller)
    stream = answer.pop("EventStream")
    assert isinstance(stream, EventStream)
    return answer, stream


async def invoked(aws: Lambda, **members: Any) -> list[Event]:
    answer, stream = await begun(aws, **members)
    assert answer == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    return [event async for event in stream.events]


async def create_streaming(aws: Lambda, code: str) -> None:
    await aws.create(code=archive({"app.js": STREAMING.format(code)}), Runtime="nodejs20.x", Timeout=60)


async def test_a_handler_that_streams(aws: Lambda) -> None:
    await create_streaming(aws, "stream.write(JSON.stringify(event)); stream.end('!')")
    events = await invoked(aws, Payload=b'{"n":1}')
    assert b"".join(event.members["Payload"] for event in events[:-1]) == b'{"n":1}!'
    assert {event.name for event in events[:-1]} == {"PayloadChunk"}
    assert events[-1] == Event("InvokeComplete", {})


async def test_a_handler_that_does_not(aws: Lambda) -> None:
    await aws.create(code=handler("print('hello'); return event"))
    chunk, complete = await invoked(aws, Payload=b'{"n":1}', LogType="Tail")
    assert json.loads(chunk.members["Payload"]) == {"n": 1}
    assert "hello" in base64.b64decode(complete.members["LogResult"]).decode()
    assert complete.members.keys() == {"LogResult"}


@pytest.mark.parametrize(("code", "came"), [("", b""), ("stream.write('one')", b"one")])
async def test_errors(aws: Lambda, code: str, came: bytes) -> None:
    await create_streaming(aws, f"{code}; throw new TypeError('no')")
    events = await invoked(aws)
    assert b"".join(event.members["Payload"] for event in events[:-1]) == came
    complete = events[-1].members
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"])["errorType"] == "TypeError"


async def test_whoever_goes_away_ends_the_invocation(aws: Lambda) -> None:
    await create_streaming(
        aws, "stream.write(`${process.pid}`); if (event.n) await new Promise(() => {}); stream.end()"
    )
    gone = False

    async def wait_for(future: asyncio.Future[Any]) -> bool:
        if not gone:
            await asyncio.wait((future,))
        return not gone

    _, stream = await begun(aws, replace(CALLER, wait_for=wait_for), Payload=b'{"n":1}')
    first = await anext(stream.events)
    gone = True
    assert [event async for event in stream.events] == []
    other = await invoked(aws)
    assert other[0].members["Payload"] != first.members["Payload"]


async def test_versions(aws: Lambda) -> None:
    await aws.create(Publish=True)
    answer, stream = await begun(aws, Qualifier="1", Payload=b"5")
    assert answer["ExecutedVersion"] == "1"
    assert [event.name async for event in stream.events] == ["PayloadChunk", "InvokeComplete"]


async def test_a_dry_run(aws: Lambda) -> None:
    await aws.create()
    assert await aws.call("InvokeWithResponseStream", FunctionName="pay", InvocationType="DryRun") == {
        "StatusCode": 204
    }


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"FunctionName": "none"}, "ResourceNotFoundException"),
        ({"FunctionName": "none", "InvocationType": "DryRun"}, "ResourceNotFoundException"),
        ({"Payload": b"{"}, "InvalidRequestContentException"),
        ({"ClientContext": "?"}, "InvalidRequestContentException"),
        ({"InvocationType": "Event"}, "ValidationException"),
        ({"TenantId": "a"}, "NotImplementedException"),
    ],
)
async def test_what_is_refused(aws: Lambda, members: dict[str, Any], error: str) -> None:
    await aws.create()
    assert (await aws.error("InvokeWithResponseStream", **{"FunctionName": "pay", **members}))[0] == error


async def test_throttled(aws: Lambda) -> None:
    await aws.create()
    await aws.call("PutFunctionConcurrency", FunctionName="pay", ReservedConcurrentExecutions=0)
    assert (await aws.error("InvokeWithResponseStream", FunctionName="pay"))[0] == "TooManyRequestsException"
