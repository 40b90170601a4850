"""apigateway:invoke: what is refused, which APIs are at this server, and what goes elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from treadle.limits import Limits
from treadle.neighbours.web import Web
from treadle.tasks.apigateway_invoke import ApiTasks, problem
from treadle.tasks.contract import ApiAnswer, ApiCall, TaskOutcome

from .fake_services import FakeServices
from .fakes import request

INVOKE = "arn:aws:states:::apigateway:invoke"
ENDPOINT = "abc123.execute-api.us-east-1.amazonaws.com"
MALFORMED = "The value of the field '{}' has an invalid format"
HEADER = "The header '{}' is not supported by Step Functions"


def parameters(**given: Any) -> dict[str, Any]:
    base = {"ApiEndpoint": ENDPOINT, "Method": "POST"}
    return {name: value for name, value in {**base, **given}.items() if value is not ...}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("text", "The Parameters are not an object"),
        (parameters(Body=1), "The field 'Body' is not supported by Step Functions"),
        (parameters(Method=...), "The field 'Method' is required but was missing"),
        (parameters(ApiEndpoint=...), "The field 'ApiEndpoint' is required but was missing"),
        (parameters(ApiEndpoint="ftp://x"), MALFORMED.format("ApiEndpoint")),
        (parameters(ApiEndpoint="a b"), MALFORMED.format("ApiEndpoint")),
        (parameters(ApiEndpoint="http://["), MALFORMED.format("ApiEndpoint")),
        (parameters(Method="TRACE"), MALFORMED.format("Method")),
        (parameters(AuthType="KEY"), MALFORMED.format("AuthType")),
        (parameters(Stage=1), MALFORMED.format("Stage")),
        (parameters(Path=["a"]), MALFORMED.format("Path")),
        (parameters(AllowNullValues="yes"), MALFORMED.format("AllowNullValues")),
        (parameters(Headers={"a": "b"}), MALFORMED.format("Headers")),
        (parameters(Headers={"a": [1]}), MALFORMED.format("Headers")),
        (parameters(Headers={"a": ["b\nc"]}), MALFORMED.format("Headers")),
        (parameters(Headers={"Host": ["b"]}), HEADER.format("Host")),
        (parameters(Headers={"X-Amzn-Trace-Id": ["b"]}), HEADER.format("X-Amzn-Trace-Id")),
        (parameters(Headers={"X-Forwarded-For": ["b"]}), HEADER.format("X-Forwarded-For")),
        (parameters(QueryParameters={"a": "b"}), MALFORMED.format("QueryParameters")),
        (parameters(Headers={"a": ["b", "c"]}, QueryParameters={"a": ["b"]}), None),
    ],
)
def test_problems(given: Any, found: str | None) -> None:
    assert problem(given) == found


class Apis:
    def __init__(self, status: int = 200, body: bytes = b'{"a":1}', kind: str = "application/json") -> None:
        self.calls: list[ApiCall] = []
        self.given = ApiAnswer(status=status, headers=[("Content-Type", kind), ("X-B", "1"), ("a", "2")], body=body)

    async def invoke(self, call: ApiCall) -> ApiAnswer:
        self.calls.append(call)
        return self.given


async def run(given: Any, apis: Apis, *, aws_is_elsewhere: bool = False) -> TaskOutcome:
    limits = Limits()
    reached = Web(limits, {})
    tasks = ApiTasks(reached, apis, limits, "127.0.0.1:4566", aws_is_elsewhere=aws_is_elsewhere)
    try:
        return await tasks.run(request(INVOKE, given), FakeServices({}))
    finally:
        await reached.close()


def value(outcome: TaskOutcome) -> Any:
    assert outcome.output is not None, outcome
    return outcome.output.value


async def test_the_call_and_the_result() -> None:
    apis = Apis()
    given = parameters(
        Stage="/test/",
        Path="orders/a%20b",
        Headers={"X": ["1", "2"]},
        QueryParameters={"q": ["3"]},
        RequestBody={"a": None, "b": [{"c": None}]},
        AuthType="IAM_ROLE",
    )
    assert value(await run(given, apis)) == {
        "Headers": {"a": ["2"], "Content-Type": ["application/json"], "X-B": ["1"]},
        "ResponseBody": {"a": 1},
        "StatusCode": 200,
        "StatusText": "OK",
    }
    sent = apis.calls[0]
    assert (sent.account, sent.region, sent.api_id, sent.stage) == ("123456789012", "us-east-1", "abc123", "test")
    assert (sent.method, sent.path, sent.query) == ("POST", "/orders/a b", [("q", "3")])
    assert (sent.headers, sent.body, sent.signed) == ([("X", "1"), ("X", "2")], b'{"b":[{}]}', True)


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"RequestBody": "text"}, b"text"),
        ({"RequestBody": {"a": None}, "AllowNullValues": True}, b'{"a":null}'),
        ({"RequestBody": None}, b""),
        ({}, b""),
    ],
)
async def test_bodies(given: dict[str, Any], body: bytes) -> None:
    apis = Apis()
    await run(parameters(**given), apis)
    assert apis.calls[0].body == body


@pytest.mark.parametrize(
    ("endpoint", "here"),
    [
        (ENDPOINT, ("abc123", "us-east-1")),
        (f"https://{ENDPOINT}", ("abc123", "us-east-1")),
        ("abc123.execute-api.eu-west-1.localhost", ("abc123", "eu-west-1")),
        ("http://abc123.execute-api.eu-west-1.localhost:4566", ("abc123", "eu-west-1")),
        ("http://127.0.0.1:4566/restapis/abc123", ("abc123", "eu-west-1")),
        ("http://localhost:4566/restapis/abc123/", ("abc123", "eu-west-1")),
    ],
)
async def test_apis_at_this_server(endpoint: str, here: tuple[str, str]) -> None:
    apis = Apis()
    await run(parameters(ApiEndpoint=endpoint), apis)
    assert [(call.api_id, call.region) for call in apis.calls] == [here]


async def test_an_error_of_the_api() -> None:
    outcome = await run(parameters(), Apis(403, b'{"message":"Missing Authentication Token"}'))
    assert (outcome.error, outcome.cause) == ("ApiGateway.403", '{"message":"Missing Authentication Token"}')


async def test_a_large_answer() -> None:
    assert (await run(parameters(), Apis(body=b"x" * 300_000))).error == "States.DataLimitExceeded"


@pytest.mark.parametrize(("kind", "body"), [("text/plain", "{}"), ("application/json; charset=utf-8", {})])
async def test_what_says_that_it_is_json_is_parsed(kind: str, body: Any) -> None:
    assert value(await run(parameters(), Apis(body=b"{}", kind=kind)))["ResponseBody"] == body


async def test_nobody_listens() -> None:
    outcome = await run(parameters(ApiEndpoint="http://127.0.0.1:1"), Apis())
    assert outcome.error == "ApiGateway.SdkClientException"
    assert (outcome.cause or "").startswith("Unable to execute HTTP request: no connection to 127.0.0.1:1")


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    async def answer(got: web.Request) -> web.Response:
        return web.json_response(
            {"path": got.path_qs, "type": got.headers.get("Content-Type"), "auth": got.headers.get("Authorization", "")}
        )

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_an_api_elsewhere(elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle.tasks.service_wire.own_credentials", lambda: None)
    given = parameters(ApiEndpoint=elsewhere, Stage="s", Path="/a b", QueryParameters={"q": ["1"]}, RequestBody={})
    apis = Apis()
    told = value(await run(given, apis))["ResponseBody"]
    assert (told, apis.calls) == ({"path": "/s/a%20b?q=1", "type": "application/json", "auth": ""}, [])
    signed = value(await run({**given, "AuthType": "IAM_ROLE"}, apis))["ResponseBody"]["auth"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=123456789012/")
    assert "/eu-west-1/execute-api/aws4_request" in signed
