"""REST-JSON: which operation a path means, where members are read and written, errors, and what a web page may do.

A service that answers what it was asked stands behind the door, with botocore's model of Lambda.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from treadle.aws.access_keys import Keyring
from treadle.aws.authentication import Authentication, Defaults
from treadle.aws.door import Door
from treadle.aws.errors import ApiError
from treadle.aws.extension.routes import TreadleExtension
from treadle.aws.messages import Answer as DoorAnswer
from treadle.aws.messages import Request
from treadle.aws.service import Caller
from treadle.limits import DEFAULT_LIMITS

from .conftest import SettableClock
from .wire import Answer, Wire, authorization, nobody_else, open_to_all

FUNCTIONS = "/2015-03-31/functions"
BODY_BYTES = 100


class Echo:
    """Raises what it is told to; else keeps what it was asked, and answers what it was told to."""

    model_name = signing_name = "lambda"

    def __init__(self) -> None:
        self.asked: tuple[str, dict[str, Any]] | None = None
        self.answer: dict[str, Any] = {}
        self.error: Exception | None = None

    def body_bytes(self, operation: str) -> int:
        return BODY_BYTES

    async def serve(self, operation: str, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        self.asked = operation, request
        if self.error is not None:
            raise self.error
        return self.answer


class NoExtension:
    prefix = TreadleExtension.prefix

    async def answer(self, request: Request) -> DoorAnswer:
        raise AssertionError


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def rest(echo: Echo, keyring: Keyring, clock: SettableClock) -> Wire:
    authentication = Authentication(keyring, clock, DEFAULT_LIMITS, Defaults())
    passing = nobody_else(authentication, DEFAULT_LIMITS)
    return Wire(Door([], DEFAULT_LIMITS, authentication, NoExtension(), passing, open_to_all(), rest_services=[echo]))


async def ask(wire: Wire, method: str, path: str, body: bytes = b"", query: str = "", **headers: str) -> Answer:
    given = {"authorization": authorization(service="lambda")}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await wire.send([body], given, method=method, path=path, query=query)


CODE = base64.b64encode(b"\x00zip").decode()
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"

ASKED: list[tuple[str, str, str, bytes, dict[str, str], str, dict[str, Any]]] = [
    ("GET", FUNCTIONS, "", b"", {}, "ListFunctions", {}),
    ("GET", FUNCTIONS + "/", "", b"", {}, "ListFunctions", {}),
    ("GET", FUNCTIONS, "MaxItems=5&Marker=a%2Fb", b"", {}, "ListFunctions", {"MaxItems": 5, "Marker": "a/b"}),
    ("POST", FUNCTIONS, "", b'{"FunctionName": "f"}', {}, "CreateFunction", {"FunctionName": "f"}),
    ("GET", FUNCTIONS + "/f", "Qualifier=1", b"", {}, "GetFunction", {"FunctionName": "f", "Qualifier": "1"}),
    ("GET", FUNCTIONS + "/" + ARN.replace(":", "%3A"), "", b"", {}, "GetFunction", {"FunctionName": ARN}),
    ("DELETE", FUNCTIONS + "/f/aliases/live", "", b"", {}, "DeleteAlias", {"FunctionName": "f", "Name": "live"}),
    (
        "POST",
        FUNCTIONS + "/f/invocations",
        "",
        b"\x00 not JSON",
        {"x_amz_invocation_type": "Event", "x_amz_log_type": "Tail"},
        "Invoke",
        {"FunctionName": "f", "Payload": b"\x00 not JSON", "InvocationType": "Event", "LogType": "Tail"},
    ),
    ("POST", FUNCTIONS + "/f/invocations", "", b"", {}, "Invoke", {"FunctionName": "f"}),
    (
        "DELETE",
        "/2017-03-31/tags/arn%3Aaws",
        "tagKeys=a&tagKeys=b%20c",
        b"",
        {},
        "UntagResource",
        {"Resource": "arn:aws", "TagKeys": ["a", "b c"]},
    ),
    # The path says whose code it is; the body cannot say otherwise.
    (
        "PUT",
        FUNCTIONS + "/f/code",
        "",
        json.dumps({"FunctionName": "g", "ZipFile": CODE, "DryRun": True}).encode(),
        {},
        "UpdateFunctionCode",
        {"FunctionName": "f", "ZipFile": CODE, "DryRun": True},
    ),
    ("GET", "/2018-10-31/layers", "find=LayerVersion&Arn=a", b"", {}, "GetLayerVersionByArn", {"Arn": "a"}),
    ("GET", "/2018-10-31/layers", "", b"", {}, "ListLayers", {}),
]


@pytest.mark.parametrize(("method", "path", "query", "body", "headers", "operation", "members"), ASKED)
async def test_members_from_all_places(
    rest: Wire,
    echo: Echo,
    method: str,
    path: str,
    query: str,
    body: bytes,
    headers: dict[str, str],
    operation: str,
    members: dict[str, Any],
) -> None:
    await ask(rest, method, path, body, query, **headers)
    assert echo.asked == (operation, members)


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", FUNCTIONS), ("GET", "/"), ("GET", FUNCTIONS + "/f/g/h"), ("GET", "/a" * 5_000)]
)
async def test_no_operation(rest: Wire, echo: Echo, method: str, path: str) -> None:
    answer = await ask(rest, method, path)
    assert (answer.status, answer.body["__type"]) == (404, "UnknownOperationException")
    assert echo.asked is None


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "message"),
    [
        ("GET", FUNCTIONS, "MaxItems=many", b"", "STRING_VALUE can not be converted to an Integer"),
        ("POST", FUNCTIONS, "", b"[]", "The request body must be a JSON object."),
        ("POST", FUNCTIONS, "", b"{", "The request body is not JSON: Input data was truncated"),
    ],
)
async def test_members_that_cannot_be_read(
    rest: Wire, echo: Echo, method: str, path: str, query: str, body: bytes, message: str
) -> None:
    answer = await ask(rest, method, path, body, query)
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] == "SerializationException"
    assert answer.body["message"] == message
    assert echo.asked is None


async def test_the_parts_of_an_answer(rest: Wire, echo: Echo) -> None:
    echo.answer = {"StatusCode": 202, "ExecutedVersion": "3", "Payload": b"\xff raw"}
    answer = await ask(rest, "POST", FUNCTIONS + "/f/invocations")
    assert (answer.status, answer.headers["x-amz-executed-version"], answer.raw) == (202, "3", b"\xff raw")
    echo.answer = {"FunctionName": "f"}
    answer = await ask(rest, "POST", FUNCTIONS, b"{}")
    assert (answer.status, answer.body) == (201, {"FunctionName": "f"})
    assert answer.headers["content-type"] == "application/json"
    echo.answer = {}
    answer = await ask(rest, "DELETE", FUNCTIONS + "/f/aliases/a")
    assert (answer.status, answer.raw) == (204, b"")


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (ApiError("ResourceNotFoundException", "no"), 404, {"Type": "User", "Message": "no"}),
        (ApiError("InvalidParameterValueException", "no"), 400, {"Type": "User", "message": "no"}),
        (ApiError("AccessDeniedException", "no"), 403, {"message": "no"}),
        (
            ApiError("TooManyRequestsException", "no", Reason="CallerRateLimitExceeded"),
            429,
            {"Type": "User", "message": "no", "Reason": "CallerRateLimitExceeded"},
        ),
    ],
)
async def test_errors(rest: Wire, echo: Echo, error: ApiError, status: int, body: dict[str, str]) -> None:
    echo.error = error
    answer = await ask(rest, "GET", FUNCTIONS)
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["x-amzn-errortype"] == error.body["__type"]


async def test_a_bug_is_no_answer_of_the_service(rest: Wire, echo: Echo) -> None:
    echo.error = ZeroDivisionError()
    answer = await ask(rest, "GET", FUNCTIONS)
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (500, "InternalFailure")


async def test_the_body_has_a_limit_of_its_own(rest: Wire, echo: Echo) -> None:
    answer = await ask(rest, "POST", FUNCTIONS + "/f/invocations", b"x" * (BODY_BYTES + 1))
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")
    assert echo.asked is None


async def test_without_a_signature_the_path_decides(rest: Wire, echo: Echo) -> None:
    answer = await rest.send([b""], {}, method="GET", path=FUNCTIONS)
    assert answer.status == 200
    assert echo.asked == ("ListFunctions", {})


@pytest.mark.parametrize("query", ["", "X-Amz-Credential=a/20260101/us-east-1/lambda/aws4_request"])
async def test_a_web_page_cannot_invoke(rest: Wire, echo: Echo, query: str) -> None:
    """A POST of text/plain needs no preflight request."""
    headers = {"origin": "https://elsewhere.example", "content-type": "text/plain"}
    answer = await rest.send([b"{}"], headers, method="POST", path=FUNCTIONS + "/f/invocations", query=query)
    assert (answer.status, answer.body["__type"]) == (403, "AccessDeniedException")
    assert echo.asked is None
    await ask(rest, "POST", FUNCTIONS + "/f/invocations", b"{}", origin="https://elsewhere.example")
    assert echo.asked == ("Invoke", {"FunctionName": "f", "Payload": b"{}"})


async def test_another_service_is_not_this_one(rest: Wire, echo: Echo) -> None:
    answer = await ask(rest, "GET", FUNCTIONS, authorization=authorization(service="mediaconvert"))
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (501, "NotImplementedException")
    assert echo.asked is None
