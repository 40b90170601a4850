"""What reaches an operation and what does not: raw requests against the ASGI application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any
from xml.etree import ElementTree

import pytest

from treadle.aws.access_keys import Keyring
from treadle.aws.authentication import Authentication, Defaults
from treadle.aws.door import Door
from treadle.aws.extension.routes import TreadleExtension
from treadle.aws.service import Caller
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.store.contract import StoreUnusable

from .wire import CONTENT_TYPE, Wire, authorization, machine, nobody_else, open_to_all

GOOD = {"x-amz-target": "AWSStepFunctions.ListStateMachines", "content-type": CONTENT_TYPE}
SERIALIZATION = "SerializationException"
UNKNOWN = "UnknownOperationException"

BAD_BODIES: list[tuple[str, bytes, str]] = [
    ("empty", b"", "The request body is not JSON: "),
    ("truncated", b"{", "The request body is not JSON: "),
    ("trailing text", b"{} {}", "The request body is not JSON: "),
    ("trailing comma", b'{"maxResults": 1,}', "The request body is not JSON: "),
    ("a word", b"hello", "The request body is not JSON: "),
    ("not a number", b'{"maxResults": NaN}', "The request body is not JSON: "),
    ("a number that no machine holds", b'{"maxResults": 1e999}', "The request body is not JSON: "),
    ("a byte order mark", b"\xef\xbb\xbf{}", "The request body is not JSON: "),
    ("broken UTF-8", b'{"nextToken": "\xff\xfe"}', "The request body is not JSON: "),
    ("half a surrogate pair", b'{"nextToken": "\\ud800"}', "The request body is not JSON: "),
    ("a raw NUL", b'{"nextToken": "a\x00b"}', "The request body is not JSON: "),
    ("UTF-16", '{"a": 1}'.encode("utf-16"), "The request body is not JSON: "),
    ("deep arrays", b"[" * 100_000, "The request body is nested too deeply."),
    ("deep objects", b'{"x":' * 100_000, "The request body is nested too deeply."),
    ("deep and complete", b'{"x":' * 50_000 + b"1" + b"}" * 50_000, "The request body is nested too deeply."),
    ("an array", b"[]", "Start of list found where not expected"),
    ("null", b"null", "Expected null"),
    ("a string", b'"x"', "Expected null"),
    ("a number", b"1", "Expected null"),
]


@pytest.mark.parametrize(("body", "message"), [row[1:] for row in BAD_BODIES], ids=[row[0] for row in BAD_BODIES])
async def test_a_body_that_is_no_json_object(wire: Wire, body: bytes, message: str) -> None:
    answer = await wire.send([body], GOOD)
    status, name, text = answer.error
    assert (status, name) == (400, SERIALIZATION)
    assert text.startswith(message)
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert await wire.ok("ListStateMachines") == {"stateMachines": []}


BAD_REQUESTS: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("no target", {"x-amz-target": None}, 400, UNKNOWN, "The header X-Amz-Target is missing."),
    ("empty target", {"x-amz-target": ""}, 400, UNKNOWN, "The header X-Amz-Target is missing."),
    (
        "unknown operation",
        {"x-amz-target": "AWSStepFunctions.Fly"},
        400,
        UNKNOWN,
        "'AWSStepFunctions.Fly' is no operation.",
    ),
    (
        "lower case",
        {"x-amz-target": "AWSStepFunctions.liststatemachines"},
        400,
        UNKNOWN,
        "'AWSStepFunctions.liststatemachines' is no operation.",
    ),
    (
        "no prefix",
        {"x-amz-target": "ListStateMachines"},
        400,
        UNKNOWN,
        "'ListStateMachines' is no operation.",
    ),
    ("bytes", {"x-amz-target": "\xff\x00.x"}, 400, UNKNOWN, "'\xff\x00.x' is no operation."),
    (
        "another service",
        {
            "x-amz-target": "AWSShineFrontendService_20170701.TranslateText",
            "authorization": authorization(service="translate"),
        },
        501,
        "NotImplementedException",
        "Treadle does not implement the service 'translate' yet.",
    ),
    (
        "another service without target",
        {"x-amz-target": None, "authorization": authorization(service="mediaconvert")},
        501,
        "NotImplementedException",
        "Treadle does not implement the service 'mediaconvert' yet.",
    ),
    (
        "another version of the protocol",
        {"content-type": "application/x-amz-json-1.1"},
        404,
        UNKNOWN,
        "The content type must be application/x-amz-json-1.0, not 'application/x-amz-json-1.1'.",
    ),
    (
        "no content type",
        {"content-type": None},
        404,
        UNKNOWN,
        "The content type must be application/x-amz-json-1.0, not ''.",
    ),
    (
        "half a credential",
        {"authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101, Signature=x"},
        400,
        "IncompleteSignatureException",
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
        "got 'AKID/20260101'",
    ),
    (
        "no credential",
        {"authorization": "AWS4-HMAC-SHA256 nonsense"},
        400,
        "IncompleteSignatureException",
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got ''",
    ),
    (
        "a region that would break ARNs",
        {"authorization": authorization(region="us:east")},
        400,
        "IncompleteSignatureException",
        "Credential should be scoped to a valid region, not 'us:east'.",
    ),
]


@pytest.mark.parametrize(
    ("changes", "status", "name", "message"),
    [row[1:] for row in BAD_REQUESTS],
    ids=[row[0] for row in BAD_REQUESTS],
)
async def test_a_request_for_nothing_that_is_served(
    wire: Wire, changes: dict[str, Any], status: int, name: str, message: str
) -> None:
    headers = {key: value for key, value in (GOOD | changes).items() if value is not None}
    assert (await wire.send([b"{}"], headers)).error == (status, name, message)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("HEAD", "/"),
        ("PUT", "/"),
        ("OPTIONS", "/"),
        ("POST", "/other"),
    ],
)
async def test_other_methods_and_paths(wire: Wire, method: str, path: str) -> None:
    status, name, text = (await wire.send([b""], GOOD, method=method, path=path)).error
    assert (status, name) == (404, UNKNOWN)
    assert text.startswith(f"{method} {path} is no AWS API request")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health(wire: Wire, method: str) -> None:
    answer = await wire.send([b""], {}, method=method, path="/_treadle/health")
    assert (answer.status, answer.body["status"]) == (200, "running")
    assert answer.body["version"]


async def test_every_answer_has_its_own_request_id(wire: Wire) -> None:
    answers = [await wire.send([body], GOOD) for body in (b"{}", b"{}", b"nonsense")]
    assert len({answer.headers["x-amzn-requestid"] for answer in answers}) == 3
    assert all(int(answer.headers["content-length"]) == len(answer.raw) for answer in answers)


async def test_an_unserved_service_of_the_query_protocol(wire: Wire) -> None:
    """The name comes from the request: it must not break the XML."""
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "authorization": authorization(service="<&>"),
    }
    answer = await wire.send([b"Action=ListTopics"], headers)
    assert (answer.status, answer.headers["content-type"]) == (501, "text/xml")
    root = ElementTree.fromstring(answer.raw)
    assert root.findtext("Error/Code") == "NotImplementedException"
    assert root.findtext("Error/Message") == "Treadle does not implement the service '<&>' yet."
    assert root.findtext("RequestId") == answer.headers["x-amzn-requestid"]


async def test_a_content_type_with_parameters(wire: Wire) -> None:
    headers = GOOD | {"content-type": "Application/X-Amz-Json-1.0; charset=utf-8"}
    assert (await wire.send([b"{}"], headers)).status == 200


async def test_unknown_members_are_ignored(wire: Wire) -> None:
    assert (await wire.call("ListStateMachines", {"fresh": {"deep": [1, None]}})).status == 200


async def test_a_body_in_many_chunks(wire: Wire) -> None:
    body = json.dumps(machine()).encode()
    headers = GOOD | {"x-amz-target": "AWSStepFunctions.CreateStateMachine"}
    chunks = [body[at : at + 1] for at in range(len(body))] + [b""]
    assert (await wire.send(chunks, headers)).status == 200


class TestLargeBodies:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(request_bytes=1_000, request_drain_bytes=5_000)

    too_large = (413, "RequestEntityTooLargeException", "The request body is larger than 1000 bytes.")

    async def test_the_largest_body(self, wire: Wire) -> None:
        body = b"{}".ljust(1_000)
        assert (await wire.send([body], GOOD)).status == 200
        assert (await wire.send([body[:600], body[600:]], GOOD)).status == 200

    @pytest.mark.parametrize("chunks", [[b" " * 1_001], [b" " * 500] * 3, [b" " * 1_001, b"{}"]])
    async def test_a_body_that_is_read_to_its_end(self, wire: Wire, chunks: list[bytes]) -> None:
        answer = await wire.send(chunks, GOOD)
        assert answer.error == self.too_large
        assert "connection" not in answer.headers

    async def test_a_body_without_end(self, wire: Wire) -> None:
        answer = await wire.send([b" " * 1_000] * 100, GOOD)
        assert answer.error == self.too_large
        assert answer.headers["connection"] == "close"

    @pytest.mark.parametrize(
        "headers", [{"content-length": "5001"}, {"content-length": "1001", "expect": "100-continue"}]
    )
    async def test_a_body_that_is_not_even_asked_for(self, wire: Wire, headers: dict[str, str]) -> None:
        answer = await wire.send([], GOOD | headers)
        assert answer.error == self.too_large
        assert answer.headers["connection"] == "close"


async def test_a_client_that_goes_away_is_not_answered(door: Door) -> None:
    sent = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in GOOD.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    await door(scope, receive, send)
    assert sent == []


async def test_a_body_that_does_not_arrive(clock: Any) -> None:
    limits = Limits(request_seconds=0)
    door = broken_door(RuntimeError("must not be reached"), limits)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in GOOD.items()],
    }
    sent: list[Any] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await door(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["__type"] == "RequestTimeoutException"


class Broken:
    """A service whose every operation fails in the same way."""

    target_prefix = "AWSStepFunctions"
    signing_name = "states"
    content_type = CONTENT_TYPE
    begin_executions: frozenset[str] = frozenset()
    wait_for_others: frozenset[str] = frozenset()

    def __init__(self, error: Exception) -> None:
        self.error = error

    def has_operation(self, operation: str) -> bool:
        return True

    async def serve(self, operation: str, body: Any, caller: Caller) -> dict[str, Any]:
        raise self.error


def broken_door(error: Exception, limits: Limits = DEFAULT_LIMITS) -> Door:
    """It has no keys and no extension: nothing here asks for them."""
    nothing: Any = None
    authentication = Authentication(Keyring(nothing, nothing, limits), nothing, limits, Defaults())
    passing = nobody_else(authentication, limits)
    return Door([Broken(error)], limits, authentication, TreadleExtension(nothing), passing, open_to_all())


async def test_a_bug_is_an_internal_failure_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire(broken_door(KeyError("secret detail")))
    answer = await wire.call("ListStateMachines")
    assert answer.error[:2] == (500, "InternalFailure")
    assert b"secret detail" not in answer.raw
    assert answer.headers["x-amzn-requestid"] in answer.body["message"]
    assert "secret detail" in caplog.text
    assert answer.headers["x-amzn-requestid"] in caplog.text


async def test_a_store_that_fails_makes_the_service_unavailable() -> None:
    wire = Wire(broken_door(StoreUnusable("the disk is full")))
    answer = await wire.call("ListStateMachines")
    assert answer.error == (503, "ServiceUnavailable", "the disk is full")


async def test_the_region_is_that_of_the_signature(wire: Wire) -> None:
    created = await wire.ok("CreateStateMachine", machine(), authorization=authorization("eu-west-3"))
    assert created["stateMachineArn"] == "arn:aws:states:eu-west-3:000000000000:stateMachine:example"
    listed = await wire.ok("ListStateMachines", authorization=authorization("eu-west-3"))
    assert [item["name"] for item in listed["stateMachines"]] == ["example"]
    assert (await wire.ok("ListStateMachines"))["stateMachines"] == []


async def test_the_scope_of_a_presigned_request(wire: Wire) -> None:
    query = "X-Amz-Credential=AKID%2F20260101%2Fcn-north-1%2Fstates%2Faws4_request&X-Amz-Signature=x"
    headers = GOOD | {"x-amz-target": "AWSStepFunctions.CreateStateMachine"}
    answer = await wire.send([json.dumps(machine()).encode()], headers, query=query)
    assert answer.body["stateMachineArn"].startswith("arn:aws-cn:states:cn-north-1:")


@pytest.mark.parametrize("value", ["Basic Zm9vOmJhcg==", "Bearer x", ""])
async def test_an_authorization_of_another_kind_is_none(wire: Wire, value: str) -> None:
    created = await wire.ok("CreateStateMachine", machine(), authorization=value)
    assert ":us-east-1:" in created["stateMachineArn"]


async def test_other_protocols_are_a_mistake_of_the_server(door: Door) -> None:
    async def nothing() -> MutableMapping[str, Any]:
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="websocket"):
        await door({"type": "websocket"}, nothing, send)
