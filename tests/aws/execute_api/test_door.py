"""Calls of APIs as they come in: which requests are some, what they are made of, and what goes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws.conftest import SettableClock
from tests.aws.signing import Signer
from treadle.aws.access_keys import Credentials, Keyring
from treadle.aws.authentication import Authentication, Defaults
from treadle.aws.errors import ApiError
from treadle.aws.execute_api.door import ApiDoor
from treadle.aws.messages import Answer, Request
from treadle.limits import Limits
from treadle.tasks.contract import ApiAnswer, ApiCall

KEY = Credentials(access_key_id="AKIDEXAMPLE", secret="secret", account="111122223333")
HOST = "abc123.execute-api.eu-west-1.localhost:4566"


class Apis:
    def __init__(self) -> None:
        self.calls: list[ApiCall] = []

    async def invoke(self, call: ApiCall) -> ApiAnswer:
        self.calls.append(call)
        headers = [("Content-Type", "text/plain"), ("X-A", "1"), ("Content-Length", "99"), ("Connection", "keep-alive")]
        framing = [("Transfer-Encoding", "chunked"), ("x-amzn-RequestId", "id"), ("Date", "today")]
        return ApiAnswer(status=201, headers=headers + framing, body=b"made")


@pytest.fixture
def keys(request: pytest.FixtureRequest) -> list[Credentials]:
    return [KEY] if "must_sign" in request.fixturenames else []


@pytest.fixture
def must_sign() -> None:
    """Asked for by tests in which there is an access key."""


@pytest.fixture
def apis() -> Apis:
    return Apis()


@pytest.fixture
def door(apis: Apis, keyring: Keyring, clock: SettableClock, limits: Limits) -> ApiDoor:
    return ApiDoor(apis, Authentication(keyring, clock, limits, Defaults()), limits)


def request(path: str, headers: dict[str, str], method: str = "POST", query: str = "", body: bytes = b"") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.7", 5),
    }
    return Request(scope, receive, Limits())


def scope(service: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/{service}/aws4_request, Signature=x"


@pytest.mark.parametrize(
    ("host", "path", "authorization", "speaks"),
    [
        (HOST, "/", "", True),
        (HOST, "/test/x", scope("execute-api"), True),
        ("ABC123.EXECUTE-API.eu-west-1.amazonaws.com", "/", "", True),
        ("localhost", "/restapis/abc123/test", "", True),
        ("localhost", "/restapis/abc123/test/x", scope("execute-api"), True),
        ("localhost", "/restapis/abc123/stages/test", scope("apigateway"), False),
        ("localhost", "/restapis/abc123", "", False),
        ("localhost", "/restapis", "", False),
        ("localhost", "/bucket/restapis/abc123/x", "", False),
        ("execute-api.eu-west-1.amazonaws.com", "/x", "", False),
    ],
)
def test_which_requests_are_calls(door: ApiDoor, host: str, path: str, authorization: str, speaks: bool) -> None:
    headers = {"Host": host, **({"Authorization": authorization} if authorization else {})}
    assert door.speaks(request(path, headers)) == speaks


async def ask(door: ApiDoor, given: Request) -> Answer:
    assert door.speaks(given)
    return await door.answer(given)


async def test_a_call_and_its_answer(door: ApiDoor, apis: Apis) -> None:
    answer = await ask(door, request("/test/a b/c", {"Host": HOST, "X-B": "2"}, "PUT", "q=a+b%2B&q=&r", b"body"))
    call = apis.calls[0]
    assert (call.account, call.region, call.api_id, call.stage) == (None, "eu-west-1", "abc123", "test")
    assert (call.method, call.path, call.body, call.source) == ("PUT", "/a b/c", b"body", "192.0.2.7")
    assert (call.query, call.signed) == ([("q", "a b+"), ("q", ""), ("r", "")], False)
    assert ("x-b", "2") in call.headers
    assert (answer.status, answer.content_type, answer.body, answer.headers) == (
        201,
        b"text/plain",
        b"made",
        ((b"x-a", b"1"),),
    )


@pytest.mark.parametrize(
    ("path", "stage", "rest"),
    [
        ("/restapis/abc123/test", "test", "/"),
        ("/restapis/abc123/test/", "test", "/"),
        ("/restapis/abc123/test/_user_request_/a/b", "test", "/a/b"),
        ("/restapis/abc123/test/a/_user_request_", "test", "/a/_user_request_"),
    ],
)
async def test_calls_by_path(door: ApiDoor, apis: Apis, path: str, stage: str, rest: str) -> None:
    await ask(door, request(path, {"Host": "localhost"}))
    call = apis.calls[0]
    assert (call.api_id, call.stage, call.path, call.region) == ("abc123", stage, rest, None)


async def test_a_page_of_the_web_must_sign(door: ApiDoor, apis: Apis) -> None:
    with pytest.raises(ApiError, match="A web page may send signed requests only"):
        await ask(door, request("/test", {"Host": HOST, "Origin": "https://evil.example"}))
    assert apis.calls == []


@pytest.mark.usefixtures("must_sign")
async def test_a_signature_is_verified(door: ApiDoor, apis: Apis, clock: SettableClock) -> None:
    signer = Signer(KEY, clock.time, service="execute-api")
    headers = signer.sign("POST", "/restapis/abc123/test/x", b"body").headers
    await ask(door, request("/restapis/abc123/test/x", headers, body=b"body"))
    assert (apis.calls[0].account, apis.calls[0].region, apis.calls[0].signed) == (KEY.account, "eu-west-1", True)
    with pytest.raises(ApiError, match="InvalidSignatureException"):
        await ask(door, request("/restapis/abc123/test/x", headers, body=b"other"))
    # Who does not sign may call what the API leaves open.
    await ask(door, request("/restapis/abc123/test/x", {"Host": "localhost"}))
    assert (apis.calls[1].account, apis.calls[1].signed) == (None, False)
