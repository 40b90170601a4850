"""REST APIs as they are called: integrations, refusals, and what comes with every answer."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.tasks.fake_services import FakeServices
from tests.tasks.fakes import FakeFunctions
from treadle.aws.authentication import Defaults
from treadle.aws.execute_api.apis import RestApis
from treadle.clock import SystemClock
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.web import Web
from treadle.tasks.contract import ApiAnswer, ApiCall, ServiceAnswer, ServiceFault

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:pay"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
PASSED = {"200": {"statusCode": "200"}}


def call(**given: Any) -> ApiCall:
    base: dict[str, Any] = {
        "account": None,
        "region": None,
        "api_id": "abc123",
        "stage": "test",
        "method": "POST",
        "path": "/pay/7",
        "query": [("a", "1"), ("a", "2")],
        "headers": [("X-One", "1"), ("User-Agent", "test")],
        "body": b'{"x":1}',
        "signed": False,
        "source": "192.0.2.7",
    }
    return ApiCall(**{**base, **given})


def api(integration: Any, edge: bool = True, **method: Any) -> FakeServices:
    described = {"httpMethod": "POST", "authorizationType": "NONE", "methodIntegration": integration, **method}
    resources = [{"id": "r", "path": "/pay/{id}", "resourceMethods": {"POST": described}}]

    def stage(members: dict[str, Any]) -> dict[str, Any]:
        if members["stageName"] != "test":
            raise ServiceFault("NotFoundException", "Invalid stage identifier specified", 404, "id")
        return {"stageName": "test", "variables": {"who": "pay"}}

    return FakeServices(
        {
            "GetRestApi": lambda members: {"endpointConfiguration": {"types": ["EDGE" if edge else "REGIONAL"]}},
            "GetStage": stage,
            "GetResources": lambda members: {"items": resources},
        }
    )


async def invoke(
    services: FakeServices,
    given: ApiCall | None = None,
    functions: FakeFunctions | None = None,
    states: States | None = None,
) -> ApiAnswer:
    limits = Limits()
    reached = Web(limits, {})
    apis = RestApis(services, functions or FakeFunctions(), reached, SystemClock(), limits, Defaults())
    if states is not None:
        apis.connect(states)
    try:
        return await apis.invoke(given or call())
    finally:
        await reached.close()


def message(answer: ApiAnswer) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["message"]


async def test_the_event_of_a_function_behind_a_proxy() -> None:
    functions = FakeFunctions(b'{"statusCode": 201, "headers": {"X-A": 1}, "body": "done"}')
    services = api({"type": "AWS_PROXY", "uri": URI})
    answer = await invoke(services, functions=functions)
    assert (answer.status, answer.body) == (201, b"done")
    assert ("X-A", "1") in answer.headers
    assert ("Content-Type", "application/json") in answer.headers
    assert functions.calls[0].function_arn == FUNCTION
    event = json.loads(functions.calls[0].payload)
    context = event.pop("requestContext")
    assert event == {
        "resource": "/pay/{id}",
        "path": "/pay/7",
        "httpMethod": "POST",
        "headers": {"X-One": "1", "User-Agent": "test"},
        "multiValueHeaders": {"X-One": ["1"], "User-Agent": ["test"]},
        "queryStringParameters": {"a": "2"},
        "multiValueQueryStringParameters": {"a": ["1", "2"]},
        "pathParameters": {"id": "7"},
        "stageVariables": {"who": "pay"},
        "body": '{"x":1}',
        "isBase64Encoded": False,
    }
    assert (context["path"], context["stage"], context["apiId"]) == ("/test/pay/7", "test", "abc123")
    assert context["identity"] == {"sourceIp": "192.0.2.7", "userAgent": "test"}
    # An account and a region for who names none.
    assert {(account, region) for _, account, region, _ in services.asked} == {("000000000000", "us-east-1")}


async def test_bytes_go_both_ways() -> None:
    told = {"isBase64Encoded": True, "body": base64.b64encode(b"\xff\x00").decode()}
    functions = FakeFunctions(json.dumps(told).encode())
    answer = await invoke(api({"type": "AWS_PROXY", "uri": URI}), call(body=b"\xfe"), functions)
    assert (answer.status, answer.body) == (200, b"\xff\x00")
    event = json.loads(functions.calls[0].payload)
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\xfe").decode(), True)


async def test_a_header_of_a_function_stays_one() -> None:
    told = {"multiValueHeaders": {"X-A": ["1\r\nX-Evil: 1", {"b": 2}]}}
    functions = FakeFunctions(json.dumps(told).encode())
    answer = await invoke(api({"type": "AWS_PROXY", "uri": URI}), functions=functions)
    assert [value for name, value in answer.headers if name == "X-A"] == ["1  X-Evil: 1", '{"b":2}']


@pytest.mark.parametrize(
    "payload",
    [b'{"headers": {"a\\r\\nb": "c"}}', b'"text"', b"null", b'{"statusCode": "x"}', b'{"headers": 1}', b"no json"],
)
async def test_an_answer_of_another_form_than_a_proxy_wants(payload: bytes) -> None:
    answer = await invoke(api({"type": "AWS_PROXY", "uri": URI}), functions=FakeFunctions(payload))
    assert message(answer) == (502, "Internal server error")


async def test_a_function_that_fails() -> None:
    functions = FakeFunctions(b'{"errorMessage": "no"}', function_error="Unhandled")
    assert message(await invoke(api({"type": "AWS_PROXY", "uri": URI}), functions=functions))[0] == 502


async def test_a_function_that_there_is_not() -> None:
    integration = {"type": "AWS_PROXY", "uri": URI.replace(":pay", ":nope")}
    assert message(await invoke(api(integration))) == (500, "Internal server error")


async def test_a_stage_variable_in_the_name_of_a_function() -> None:
    functions = FakeFunctions(b"{}")
    await invoke(
        api({"type": "AWS_PROXY", "uri": URI.replace(":pay/", ":${stageVariables.who}/")}), functions=functions
    )
    assert functions.calls[0].name == "pay"


async def test_a_function_without_a_proxy() -> None:
    """Recorded: services/apigetway_task_service--invoke_base."""
    functions = FakeFunctions(b'{"y":2}')
    services = api({"type": "AWS", "uri": URI, "integrationResponses": PASSED})
    answer = await invoke(services, functions=functions)
    assert (answer.status, answer.body, functions.calls[0].payload) == (200, b'{"y":2}', b'{"x":1}')
    await invoke(services, call(body=b""), functions)
    assert functions.calls[1].payload == b"{}"
    assert message(await invoke(services, call(body=b"text"), functions))[0] == 400


@pytest.mark.parametrize(
    ("payload", "status"), [(b'{"errorMessage": "Bad: x"}', 400), (b'{"errorMessage": "other"}', 200), (b"[]", 200)]
)
async def test_the_pattern_of_an_error_chooses_the_answer(payload: bytes, status: int) -> None:
    responses = {"400": {"statusCode": "400", "selectionPattern": "Bad:.*"}, **PASSED}
    functions = FakeFunctions(payload, function_error="Unhandled")
    services = api({"type": "AWS", "uri": URI, "integrationResponses": responses})
    assert (await invoke(services, functions=functions)).status == status


class States:
    """Step Functions: knows how to start, and how not to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any, str, str]] = []

    async def call(self, operation: str, request: Any, *, account: str, region: str) -> ServiceAnswer:
        self.asked.append((operation, request, account, region))
        if operation != "StartExecution":
            raise ServiceFault("StateMachineDoesNotExist", "none", 400, "id")
        return ServiceAnswer({"executionArn": "arn", "startDate": 1.5}, "id")

    def execution_arn(self, machine_arn: str, name: str) -> str:
        raise AssertionError

    def watch_end(self, execution_arn: str) -> asyncio.Future[Any]:
        raise AssertionError

    async def wait_for_end(self, execution_arn: str, end: asyncio.Future[Any]) -> None:
        raise AssertionError

    async def stop(self, execution_arn: str) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("operation", "status", "told"),
    [
        ("StartExecution", 200, {"executionArn": "arn", "startDate": 1.5}),
        ("StopExecution", 400, {"__type": "StateMachineDoesNotExist", "message": "none"}),
    ],
)
async def test_an_operation_of_step_functions(operation: str, status: int, told: Any) -> None:
    responses = {**PASSED, "400": {"statusCode": "400", "selectionPattern": "4\\d{2}"}}
    uri = f"arn:aws:apigateway:eu-west-1:states:action/{operation}"
    states = States()
    answer = await invoke(api({"type": "AWS", "uri": uri, "integrationResponses": responses}), states=states)
    assert (answer.status, json.loads(answer.body)) == (status, told)
    assert states.asked == [(operation, {"x": 1}, "000000000000", "eu-west-1")]


async def test_a_mock() -> None:
    responses = {
        "200": {"statusCode": "200"},
        "418": {"statusCode": "418", "selectionPattern": "418", "responseTemplates": {"application/json": '{"t":1}'}},
    }
    integration = {
        "type": "MOCK",
        "requestTemplates": {"application/json": '{"statusCode": 418}'},
        "integrationResponses": responses,
    }
    answer = await invoke(api(integration))
    assert (answer.status, answer.body) == (418, b'{"t":1}')


@pytest.fixture
async def backend() -> AsyncIterator[str]:
    async def answer(got: web.Request) -> web.Response:
        told = {"path": got.path_qs, "method": got.method, "one": got.headers.get("X-One"), "body": await got.text()}
        return web.json_response(told, status=203, headers={"X-Back": "1"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_an_http_proxy(backend: str) -> None:
    integration = {
        "type": "HTTP_PROXY",
        "uri": f"{backend}/orders/{{number}}",
        "httpMethod": "PUT",
        "requestParameters": {"integration.request.path.number": "method.request.path.id"},
    }
    answer = await invoke(api(integration))
    assert (answer.status, ("X-Back", "1") in answer.headers) == (203, True)
    assert json.loads(answer.body) == {"path": "/orders/7?a=1&a=2", "method": "PUT", "one": "1", "body": '{"x":1}'}


async def test_an_http_proxy_to_nowhere() -> None:
    status, text = message(await invoke(api({"type": "HTTP_PROXY", "uri": "http://127.0.0.1:1/", "httpMethod": "ANY"})))
    assert (status, text.startswith("Endpoint request failed: no connection to 127.0.0.1:1")) == (504, True)


@pytest.mark.parametrize(
    ("services", "given", "status", "text"),
    [
        (api(None), call(path="/nothing"), 403, "Missing Authentication Token"),
        (api(None), call(method="GET"), 403, "Missing Authentication Token"),
        (api(None), call(stage="nothing"), 403, "Forbidden"),
        (api(None), call(), 500, "Internal server error"),
        (api({"type": "MOCK"}, authorizationType="AWS_IAM"), call(), 403, "Missing Authentication Token"),
        (api({"type": "MOCK"}, authorizationType="AWS_IAM"), call(signed=True), 500, "Internal server error"),
        (
            api({"type": "MOCK"}, authorizationType="CUSTOM"),
            call(),
            501,
            "Treadle does not serve the authorization type CUSTOM of API Gateway.",
        ),
        (
            api({"type": "MOCK"}, apiKeyRequired=True),
            call(),
            501,
            "Treadle does not serve API keys of methods of API Gateway.",
        ),
        (api({"type": "HTTP"}), call(), 501, "Treadle does not serve integrations of the type HTTP of API Gateway."),
        (
            api({"type": "AWS", "uri": "arn:aws:apigateway:us-east-1:sqs:action/SendMessage"}),
            call(),
            501,
            "Treadle does not serve integrations with other services than Lambda and Step Functions of API Gateway.",
        ),
        (
            api({"type": "AWS", "uri": URI, "requestTemplates": {"application/json": "$input.body"}}),
            call(),
            501,
            "Treadle does not serve mapping templates of API Gateway.",
        ),
        (api({"type": "AWS", "uri": URI}), call(), 500, "Internal server error"),
    ],
)  # fmt: skip
async def test_refusals(services: FakeServices, given: ApiCall, status: int, text: str) -> None:
    assert message(await invoke(services, given)) == (status, text)


async def test_the_neighbour_is_not_there() -> None:
    def unavailable(members: dict[str, Any]) -> dict[str, Any]:
        raise NeighbourUnavailable("it does not answer")

    answer = await invoke(FakeServices({"GetRestApi": unavailable}))
    assert message(answer) == (503, "Service Unavailable: it does not answer")


@pytest.mark.parametrize("edge", [True, False])
async def test_what_comes_with_every_answer(edge: bool) -> None:
    answer = await invoke(api(None, edge=edge), call(path="/nothing"))
    names = {name for name, _ in answer.headers}
    own = {"Connection", "Content-Length", "Content-Type", "Date", "X-Amzn-Trace-Id", "x-amz-apigw-id"}
    assert own | {"x-amzn-RequestId", "x-amzn-ErrorType"} <= names
    assert ({"Via", "X-Amz-Cf-Id", "X-Amz-Cf-Pop", "X-Cache"} <= names) == edge
