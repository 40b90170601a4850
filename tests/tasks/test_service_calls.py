"""aws-sdk tasks of other services: requests by the model, idempotency, objects, cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from treadle.document import decode
from treadle.language.resources import parse_resource
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable, NotEmulated
from treadle.neighbours.directory import Neighbours
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.dispatch import Dispatch
from treadle.tasks.service_calls import ServiceCalls

from .fake_neighbour import HOST, FakeNeighbour
from .fakes import FakeFunctions, request
from .test_dispatch import Reports

PREFIX = "arn:aws:states:::aws-sdk:"


async def run(neighbour: FakeNeighbour, action: str, parameters: Any) -> TaskOutcome:
    reports = Reports()
    Dispatch(FakeFunctions(), services=neighbour.calls).run(request(PREFIX + action, parameters), reports)
    return await reports.next()


def value(outcome: TaskOutcome) -> Any:
    assert outcome.output is not None, outcome
    return outcome.output.value


async def test_members_are_named_as_in_workflows() -> None:
    neighbour = FakeNeighbour(b'{"logGroups":[{"logGroupName":"g","creationTime":5}]}')
    outcome = await run(neighbour, "cloudwatchlogs:describeLogGroups", {"LogGroupNamePrefix": "g", "Limit": 2})
    assert neighbour.body == {"logGroupNamePrefix": "g", "limit": 2}
    assert value(outcome) == {"LogGroups": [{"CreationTime": 5, "LogGroupName": "g"}]}


async def test_an_object_of_s3() -> None:
    neighbour = FakeNeighbour(b"", ETag='"e"')
    outcome = await run(neighbour, "s3:putObject", {"Bucket": "bucket", "Key": "a b/c", "Body": {"x": 1}})
    sent = neighbour.sent[-1]
    assert (sent.method, sent.target, sent.body) == ("PUT", "/bucket/a%20b/c", b'{"x":1}')
    assert neighbour.headers["content-type"] == "text/plain; charset=UTF-8"
    assert neighbour.headers["x-amz-sdk-checksum-algorithm"] == "CRC32"
    assert value(outcome) == {"ETag": '"e"'}


async def test_a_text_in_an_object_is_json() -> None:
    """Recorded: services/aws_sdk_task_service--s3_put_object--str."""
    neighbour = FakeNeighbour(b"")
    await run(neighbour, "s3:putObject", {"Bucket": "bucket", "Key": "k", "Body": "text data"})
    assert neighbour.sent[-1].body == b'"text data"'


async def test_an_object_is_read_as_text() -> None:
    neighbour = FakeNeighbour(b"hello \xff", Last_Modified="Wed, 21 Oct 2015 07:28:00 GMT", Content_Length="7")
    got = value(await run(neighbour, "s3:getObject", {"Bucket": "bucket", "Key": "k"}))
    assert got["Body"] == "hello \ufffd"
    assert got["LastModified"] == "2015-10-21T07:28:00Z"
    assert got["ContentLength"] == 7


async def test_errors_of_s3_have_a_second_id() -> None:
    body = b"<Error><Code>NoSuchKey</Code><Message>No.</Message><RequestId>r</RequestId><HostId>h/=</HostId></Error>"
    outcome = await run(FakeNeighbour(body, 404), "s3:getObject", {"Bucket": "bucket", "Key": "k"})
    assert outcome.error == "S3.NoSuchKeyException"
    assert (outcome.cause or "").startswith("No. (Service: S3, Status Code: 404, Request ID: ")
    assert (outcome.cause or "").endswith(", Extended Request ID: h/=)")


async def test_a_missing_member_is_refused_as_the_service_would() -> None:
    outcome = await run(FakeNeighbour(), "dynamodb:putItem", {"TableName": "t", "Item": None})
    assert outcome.error == "DynamoDb.DynamoDbException"
    text = "1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null"
    assert (outcome.cause or "").startswith(f"{text} (Service: DynamoDb, Status Code: 400, Request ID: ")


async def test_a_neighbour_that_is_not_there() -> None:
    neighbour = FakeNeighbour()
    neighbour.trouble = NeighbourUnavailable("it does not answer")
    outcome = await run(neighbour, "dynamodb:listTables", {})
    assert (outcome.error, outcome.cause) == (
        "DynamoDb.SdkClientException",
        "Unable to execute HTTP request: it does not answer",
    )


async def test_what_the_emulator_lacks_is_a_refusal_of_the_service() -> None:
    neighbour = FakeNeighbour()
    neighbour.trouble = NotEmulated("moto does not have this: list_imports")
    outcome = await run(neighbour, "dynamodb:listImports", {})
    assert outcome.error == "DynamoDb.DynamoDbException"
    text = "moto does not have this: list_imports (Service: DynamoDb, Status Code: 501, Request ID: "
    assert (outcome.cause or "").startswith(text)


async def test_a_request_that_comes_again_has_the_same_idempotency_token() -> None:
    neighbour = FakeNeighbour(b'{"StackId":"s"}')
    for _ in range(2):
        await run(neighbour, "secretsmanager:createSecret", {"Name": "n", "SecretString": "s"})
    first, second = neighbour.sent
    assert first.body == second.body
    assert len(neighbour.body["ClientRequestToken"]) == 36
    await run(neighbour, "secretsmanager:createSecret", {"Name": "n", "ClientRequestToken": "mine"})
    assert neighbour.body["ClientRequestToken"] == "mine"


async def test_an_idempotency_token_that_is_required_is_made() -> None:
    neighbour = FakeNeighbour(b'{"applicationId":"a","arn":"arn"}')
    for _ in range(2):
        await run(neighbour, "emrserverless:createApplication", {"ReleaseLabel": "emr-7.0.0", "Type": "SPARK"})
    tokens = {decode(sent.body)["clientToken"] for sent in neighbour.sent if isinstance(sent.body, bytes)}
    assert len(tokens) == 1


async def test_who_comes_with_treadle_is_told_the_token() -> None:
    neighbour = FakeNeighbour()
    await run(neighbour, "sqs:listQueues", {})
    assert neighbour.headers["x-treadle-task-token"] == "token"


async def test_cancelling_ends_the_call() -> None:
    neighbour = FakeNeighbour()
    neighbour.hold = asyncio.Event()
    dispatch = Dispatch(FakeFunctions(), services=neighbour.calls)
    dispatch.run(request(PREFIX + "dynamodb:listTables", {}), Reports())
    await neighbour.asked.wait()
    dispatch.cancel("token")
    await asyncio.sleep(0)
    assert neighbour.cancelled


async def test_an_answer_without_bounds_is_not_held() -> None:
    limits = Limits(neighbour_answer_bytes=1_000)
    neighbour = FakeNeighbour(b" " * 1_001)
    calls = ServiceCalls(Neighbours(neighbour, {}, limits), limits, HOST)
    reports = Reports()
    Dispatch(FakeFunctions(), services=calls).run(request(PREFIX + "dynamodb:listTables", {}), reports)
    outcome = await reports.next()
    assert outcome.cause == "Unable to execute HTTP request: the answer of dynamodb has more than 1000 bytes"
    assert neighbour.reply.closed


@pytest.mark.parametrize(
    ("resource", "refused"),
    [
        ("aws-sdk:dynamodb:listTables", False),
        ("aws-sdk:dynamodb:flyToTheMoon", True),
        ("aws-sdk:teleporter:go", True),
        ("aws-sdk:mediaconvert:createJob", True),
        ("sqs:sendMessage", False),
    ],
)
def test_what_nobody_answers_is_refused_beforehand(resource: str, refused: bool) -> None:
    """MediaConvert there is, but nobody emulates it."""
    parsed = parse_resource(f"arn:aws:states:::{resource}")
    assert parsed is not None
    dispatch = Dispatch(FakeFunctions(), services=FakeNeighbour().calls)
    assert (dispatch.refuses(parsed) is not None) is refused
    assert Dispatch(FakeFunctions()).refuses(parsed) is not None  # nothing beside Treadle itself


async def test_requests_to_an_endpoint_have_the_credentials_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the endpoint's own host and path; the emulator is sent nothing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SERVERSKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"TableNames":["t"]')
        writer.write(b"}")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base"
    emulator = FakeNeighbour()
    limits = Limits()
    neighbours = Neighbours(emulator, {"dynamodb": url}, limits)
    reports = Reports()
    calls = ServiceCalls(neighbours, limits, HOST)
    Dispatch(FakeFunctions(), services=calls).run(request(PREFIX + "dynamodb:listTables", {}), reports)
    outcome = await reports.next()
    await neighbours.close()
    server.close()
    await server.wait_closed()
    assert value(outcome) == {"TableNames": ["t"]}
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "POST /base/ HTTP/1.1"
    assert f"Host: {url.removeprefix('http://').partition('/')[0]}" in lines
    assert any("Credential=SERVERSKEY/" in line and "/dynamodb/aws4_request" in line for line in lines)
    assert not any("task-token" in line.lower() for line in lines)
    assert emulator.sent == []


async def test_a_call_that_takes_for_ever_ends() -> None:
    neighbour = FakeNeighbour()
    neighbour.hold = asyncio.Event()
    limits = Limits(neighbour_call_seconds=1)
    calls = ServiceCalls(Neighbours(neighbour, {}, limits), limits, HOST)
    reports = Reports()
    Dispatch(FakeFunctions(), services=calls).run(request(PREFIX + "dynamodb:listTables", {}), reports)
    outcome = await reports.next()
    assert outcome.error == "DynamoDb.SdkClientException"
    assert outcome.cause == "Unable to execute HTTP request: the answer of dynamodb was not complete after 1 seconds"


async def test_more_calls_than_a_neighbour_takes_wait_their_turn() -> None:
    neighbour = FakeNeighbour(b"{}")
    neighbour.hold = asyncio.Event()
    limits = Limits(neighbour_calls=2)
    dispatch = Dispatch(FakeFunctions(), services=ServiceCalls(Neighbours(neighbour, {}, limits), limits, HOST))
    reports = [Reports() for _ in range(3)]
    for number, report in enumerate(reports):
        dispatch.run(request(PREFIX + "dynamodb:listTables", {}, token=f"t{number}"), report)
    await neighbour.asked.wait()
    for _ in range(10):  # as long as anybody has something to do
        await asyncio.sleep(0)
    assert len(neighbour.sent) == 2
    neighbour.hold.set()
    for report in reports:
        assert (await report.next()).error is None
    assert len(neighbour.sent) == 3
