"""HTTP tasks against a server on this machine: connections, tokens, answers, errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.web import Web
from treadle.tasks.contract import ServiceFault, TaskOutcome
from treadle.tasks.http_invoke import HttpTasks

from .fake_services import FakeServices
from .fakes import request

INVOKE = "arn:aws:states:::http:invoke"
ARN = "arn:aws:events:eu-west-1:123456789012:connection/c/uuid"
SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:events!connection/c/uuid/auth-x"

PICTURE = "The response has the content type 'image/png', which HTTP tasks do not support."

BASIC = {"username": "user", "password": "pass"}
API_KEY = {"api_key_name": "X-Key", "api_key_value": "value"}


class Api:
    """A server that remembers what it was sent. `/token` gives out tokens, of which `/private` takes the last."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict[str, str], bytes]] = []
        self.tokens = 0
        self.token_answer: Any = None
        self.url = ""

    async def answer(self, got: web.Request) -> web.Response:
        self.heard.append((got.method, got.path_qs, dict(got.headers), await got.read()))
        match got.path:
            case "/token":
                self.tokens += 1
                told = {"access_token": f"t{self.tokens}", "token_type": "bearer", "expires_in": 3600}
                return web.json_response(told if self.token_answer is None else self.token_answer)
            case "/private":
                known = got.headers.get("Authorization") == f"Bearer t{self.tokens}"
                return web.json_response({"known": known}, status=200 if known else 401)
            case "/refused":
                return web.Response(status=404, text='{"message":"none"}', content_type="application/json")
            case "/moved":
                return web.Response(status=302, headers={"Location": "/elsewhere"})
            case "/large":
                return web.Response(text="x" * 300_000)
            case "/picture":
                return web.Response(body=b"\x89PNG", content_type="image/png")
            case "/bytes":
                return web.Response(body=b"\xff\xfe", content_type="text/plain")
            case "/broken":
                return web.Response(text="{", content_type="application/json")
            case "/problem":
                return web.Response(text='{"a": 1}', content_type="application/problem+json")
            case "/text":
                return web.Response(text='{"a": 1}')
            case _:
                return web.json_response({"ok": True}, headers={"X-Odd": "1"})

    def parameters(self, path: str, **more: Any) -> dict[str, Any]:
        return {"ApiEndpoint": self.url + path, "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}, **more}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    api = Api()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield api
    await runner.cleanup()


def services(kind: str, secret: Any, described: dict[str, Any] | None = None, **more: Any) -> FakeServices:
    connection = {
        "ConnectionArn": ARN,
        "ConnectionState": "AUTHORIZED",
        "AuthorizationType": kind,
        "AuthParameters": described or {},
        "SecretArn": SECRET_ARN,
        **more,
    }
    text = secret if isinstance(secret, str) else json.dumps(secret)
    return FakeServices(
        {"DescribeConnection": lambda members: connection, "GetSecretValue": lambda members: {"SecretString": text}}
    )


async def run(parameters: Any, calls: FakeServices, times: int = 1, limits: Limits | None = None) -> TaskOutcome:
    limits = limits or Limits()
    reached = Web(limits, {})
    tasks = HttpTasks(reached, limits, frozenset())
    try:
        for _ in range(times):
            outcome = await tasks.run(request(INVOKE, parameters), calls)
        return outcome
    finally:
        await reached.close()


def value(outcome: TaskOutcome) -> Any:
    assert outcome.output is not None, outcome
    return outcome.output.value


async def test_the_result(api: Api) -> None:
    calls = services("BASIC", BASIC)
    got = value(await run(api.parameters("/x"), calls))
    assert (got["ResponseBody"], got["StatusCode"], got["StatusText"]) == ({"ok": True}, 200, "OK")
    assert (got["Headers"]["X-Odd"], got["Headers"]["Content-Type"]) == (["1"], ["application/json; charset=utf-8"])
    assert api.heard[0][2]["Authorization"] == "Basic dXNlcjpwYXNz"
    assert calls.asked == [
        ("DescribeConnection", "123456789012", "eu-west-1", {"Name": "c"}),
        ("GetSecretValue", "123456789012", "eu-west-1", {"SecretId": SECRET_ARN}),
    ]


@pytest.mark.parametrize("secret", [API_KEY, {"ApiKeyName": "X-Key", "ApiKeyValue": "value"}])
async def test_an_api_key_and_what_the_connection_adds(api: Api, secret: dict[str, Any]) -> None:
    added = {
        "invocation_http_parameters": {
            "header_parameters": [{"key": "X-Secret", "value": "s", "is_value_secret": True}],
            "query_string_parameters": [{"key": "page", "value": "9", "is_value_secret": False}],
            "body_parameters": [{"key": "mode", "value": "m", "is_value_secret": False}],
        }
    }
    parameters = api.parameters("/x", Method="PUT", QueryParameters={"page": "1"}, RequestBody={"mode": 1, "a": 2})
    await run(parameters, services("API_KEY", {**secret, **added}))
    method, path, headers, body = api.heard[0]
    assert (method, path, json.loads(body)) == ("PUT", "/x?page=9", {"mode": "m", "a": 2})
    assert (headers["X-Key"], headers["X-Secret"]) == ("value", "s")


def oauth(api: Api, **more: Any) -> FakeServices:
    described = {"OAuthParameters": {"AuthorizationEndpoint": f"{api.url}/token", "HttpMethod": "POST", **more}}
    return services("OAUTH_CLIENT_CREDENTIALS", {"client_id": "id", "client_secret": "secret"}, described)


async def test_a_token_is_asked_for_once(api: Api) -> None:
    assert value(await run(api.parameters("/private"), oauth(api), times=3))["ResponseBody"] == {"known": True}
    assert [path for _, path, _, _ in api.heard] == ["/token", "/private", "/private", "/private"]
    method, _, headers, body = api.heard[0]
    assert (method, headers["Content-Type"]) == ("POST", "application/x-www-form-urlencoded")
    assert parse_qs(body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["id"],
        "client_secret": ["secret"],
    }


@pytest.mark.parametrize("url", ["http://127.example/token", "ftp://127.0.0.1/", "token"])
async def test_a_secret_does_not_go_out_in_the_clear(api: Api, url: str) -> None:
    outcome = await run(api.parameters("/x"), oauth(api, AuthorizationEndpoint=url))
    assert outcome.error == "Events.ConnectionResource.InvalidConnectionState"
    assert "must begin with https://" in (outcome.cause or "")


async def test_the_request_for_a_token_is_as_the_connection_says(api: Api) -> None:
    parameters = {
        "HeaderParameters": [{"Key": "Content-Type", "Value": "application/json"}],
        "BodyParameters": [{"Key": "scope", "Value": "all"}],
        "QueryStringParameters": [{"Key": "tenant", "Value": "t"}],
    }
    await run(api.parameters("/private"), oauth(api, HttpMethod="PUT", OAuthHttpParameters=parameters))
    method, path, _, body = api.heard[0]
    assert (method, path) == ("PUT", "/token?tenant=t")
    assert json.loads(body) == {
        "grant_type": "client_credentials",
        "client_id": "id",
        "client_secret": "secret",
        "scope": "all",
    }


async def test_a_token_that_is_refused_is_asked_for_anew(api: Api) -> None:
    limits, calls = Limits(), oauth(api)
    reached = Web(limits, {})
    tasks = HttpTasks(reached, limits, frozenset())
    task = request(INVOKE, api.parameters("/private"))
    try:
        await tasks.run(task, calls)
        api.tokens += 1  # somebody has revoked it
        assert value(await tasks.run(task, calls))["ResponseBody"] == {"known": True}
    finally:
        await reached.close()
    assert [path for _, path, _, _ in api.heard] == ["/token", "/private", "/private", "/token", "/private"]


async def test_a_new_token_that_is_refused_is_an_answer(api: Api) -> None:
    api.token_answer = {"access_token": "never", "expires_in": "60"}
    outcome = await run(api.parameters("/private"), oauth(api))
    assert (outcome.error, outcome.cause) == ("States.Http.StatusCode.401", '{"known": false}')
    assert [path for _, path, _, _ in api.heard] == ["/token", "/private"]


async def test_a_token_that_has_run_out_is_not_used(api: Api) -> None:
    api.token_answer = {"access_token": "t1", "expires_in": 1}
    await run(api.parameters("/x"), oauth(api), times=2)
    assert [path for _, path, _, _ in api.heard] == ["/token", "/x", "/token", "/x"]


@pytest.mark.parametrize("told", [[], {}, {"access_token": 5}, "text"])
async def test_an_answer_without_a_token(api: Api, told: Any) -> None:
    api.token_answer = told
    outcome = await run(api.parameters("/x"), oauth(api))
    assert outcome.error == "Events.ConnectionResource.InvalidConnectionState"
    assert "answered without an access_token" in (outcome.cause or "")


@pytest.mark.parametrize(
    ("path", "error", "cause"),
    [
        ("/refused", "States.Http.StatusCode.404", '{"message":"none"}'),
        ("/moved", "States.Http.StatusCode.302", ""),
        ("/picture", "States.Runtime", PICTURE),
        ("/bytes", "States.Runtime", "The response could not be read as a text."),
        (
            "/large",
            "States.DataLimitExceeded",
            "The state/task 'http' returned a result with a size exceeding the maximum number of bytes service limit.",
        ),
    ],
)  # fmt: skip
async def test_answers_that_are_errors(api: Api, path: str, error: str, cause: str) -> None:
    outcome = await run(api.parameters(path), services("BASIC", BASIC))
    assert (outcome.error, outcome.cause) == (error, cause)


@pytest.mark.parametrize(("path", "body"), [("/broken", "{"), ("/problem", {"a": 1}), ("/text", '{"a": 1}')])
async def test_what_says_that_it_is_json_is_parsed(api: Api, path: str, body: Any) -> None:
    assert value(await run(api.parameters(path), services("BASIC", BASIC)))["ResponseBody"] == body


async def test_nobody_listens(api: Api) -> None:
    outcome = await run({**api.parameters(""), "ApiEndpoint": "http://127.0.0.1:1/"}, services("BASIC", BASIC))
    assert outcome.error == "States.Http.Socket"
    assert (outcome.cause or "").startswith("The HTTP request could not be completed: no connection to 127.0.0.1:1")
    assert outcome.exchange is not None
    assert outcome.exchange.response is None


async def test_without_tls_only_to_this_machine() -> None:
    parameters = {"ApiEndpoint": "http://127.example/", "Method": "GET", "Authentication": {"ConnectionArn": ARN}}
    outcome = await run(parameters, services("BASIC", BASIC))
    assert outcome.error == "States.Runtime"
    assert "--plain-http" in (outcome.cause or "")


async def test_secrets_are_told_from_the_rest(api: Api) -> None:
    outcome = await run(api.parameters("/x"), services("BASIC", BASIC))
    shown = outcome.exchange
    assert shown is not None
    assert shown.request == {
        "protocol": "http",
        "method": "GET",
        "url": f"{api.url}/x",
        "headers": "[User-Agent: Amazon|StepFunctions|HttpInvoke|eu-west-1, Range: bytes=0-262144]",
    }
    assert shown.request_with_secrets["headers"].endswith(", Authorization: Basic dXNlcjpwYXNz]")
    assert shown.response is not None
    assert (shown.response["statusCode"], shown.response["statusMessage"]) == ("200", "OK")
    assert shown.response["body"] == '{"ok": true}'


def refusing(error: Exception) -> FakeServices:
    def refuse(members: dict[str, Any]) -> dict[str, Any]:
        raise error

    return FakeServices({"DescribeConnection": refuse})


@pytest.mark.parametrize(
    ("calls", "error"),
    [
        (refusing(ServiceFault("ResourceNotFoundException", "none", 400, "id")), "ResourceNotFound"),
        (refusing(ServiceFault("AccessDeniedException", "no", 400, "id")), "AccessDenied"),
        (refusing(ServiceFault("InternalException", "oh", 500, "id")), "InternalError"),
        (refusing(NeighbourUnavailable("it does not answer")), "InternalError"),
        (services("BASIC", BASIC, ConnectionArn=f"{ARN}2"), "ResourceNotFound"),
        (services("BASIC", BASIC, ConnectionState="DEAUTHORIZED"), "InvalidConnectionState"),
        (services("BASIC", "no json"), "InvalidConnectionState"),
        (services("BASIC", {"username": "user"}), "InvalidConnectionState"),
        (services("MAGIC", {}), "InvalidConnectionState"),
    ],
)
async def test_connections_that_cannot_be_used(calls: FakeServices, error: str) -> None:
    parameters = {"ApiEndpoint": "https://api.example/", "Method": "GET", "Authentication": {"ConnectionArn": ARN}}
    assert (await run(parameters, calls)).error == f"Events.ConnectionResource.{error}"


async def test_a_connection_is_named_by_its_arn() -> None:
    parameters = {"ApiEndpoint": "https://api.example/", "Method": "GET", "Authentication": {"ConnectionArn": "mine"}}
    outcome = await run(parameters, services("BASIC", BASIC))
    assert outcome.error == "Events.ConnectionResource.ResourceNotFound"
