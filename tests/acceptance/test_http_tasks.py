"""HTTP tasks with EventBridge connections, and APIs of API Gateway: boto3 against a server with moto beside it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from tests.acceptance.server import ACCOUNT, REGION, ROLE, Server, create_machine, ended_execution

HTTP = "arn:aws:states:::http:invoke"


class _Echo(BaseHTTPRequestHandler):
    """Tells what it was sent; `/token` gives out a token."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        told: Any = {"path": self.path, "authorization": self.headers.get("Authorization"), "body": body}
        if self.path == "/token":
            told = {"access_token": "given", "token_type": "bearer", "expires_in": 3600}
        content = json.dumps(told).encode()
        self.send_response(418 if self.path == "/teapot" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815 - the names are the standard library's

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def client_of(service: str, server: Server) -> Any:
    config = Config(inject_host_prefix=False)
    given: Any = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "x", "region_name": REGION, "config": config}
    return boto3.session.Session().client(service, endpoint_url=server.url, **given)


def connection(server: Server, name: str, kind: str, parameters: Any) -> str:
    events = client_of("events", server)
    made = events.create_connection(Name=name, AuthorizationType=kind, AuthParameters=parameters)
    return str(made["ConnectionArn"])


def run(server: Server, name: str, resource: str, parameters: Any) -> dict[str, Any]:
    api = server.api()
    state = {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}
    machine = create_machine(api, name, json.dumps({"StartAt": "Call", "States": {"Call": state}}))
    return ended_execution(api, api.call("StartExecution", stateMachineArn=machine)["executionArn"])


def test_basic_oauth_and_what_a_connection_adds(server: Server, web: str) -> None:
    added = {
        "QueryStringParameters": [{"Key": "page", "Value": "9", "IsValueSecret": False}],
        "BodyParameters": [{"Key": "secret", "Value": "s", "IsValueSecret": True}],
    }
    basic = connection(
        server,
        "basic",
        "BASIC",
        {"BasicAuthParameters": {"Username": "u", "Password": "p"}, "InvocationHttpParameters": added},
    )
    given = {"ApiEndpoint": f"{web}/x", "Method": "POST", "QueryParameters": {"page": "1"}, "RequestBody": {"a": 1}}
    ended = run(server, "basic", HTTP, {**given, "Authentication": {"ConnectionArn": basic}})
    assert json.loads(ended["output"])["ResponseBody"] == {
        "path": "/x?page=9",
        "authorization": "Basic dTpw",
        "body": '{"a":1,"secret":"s"}',
    }
    oauth = connection(
        server,
        "oauth",
        "OAUTH_CLIENT_CREDENTIALS",
        {
            "OAuthParameters": {
                "AuthorizationEndpoint": f"{web}/token",
                "HttpMethod": "POST",
                "ClientParameters": {"ClientID": "id", "ClientSecret": "secret"},
            }
        },
    )
    ended = run(
        server,
        "oauth",
        HTTP,
        {"ApiEndpoint": web, "Method": "GET", "InvocationConfig": {"ConnectionArn": oauth}},
    )
    assert json.loads(ended["output"])["ResponseBody"]["authorization"] == "Bearer given"


def test_secrets_are_not_described_and_an_update_counts(server: Server, web: str) -> None:
    events = client_of("events", server)
    parameters = {"ApiKeyAuthParameters": {"ApiKeyName": "Authorization", "ApiKeyValue": "old"}}
    arn = connection(server, "key", "API_KEY", parameters)
    assert events.describe_connection(Name="key")["AuthParameters"] == {
        "ApiKeyAuthParameters": {"ApiKeyName": "Authorization"}
    }
    parameters["ApiKeyAuthParameters"]["ApiKeyValue"] = "new"
    events.update_connection(Name="key", AuthorizationType="API_KEY", AuthParameters=parameters)
    given = {"ApiEndpoint": f"{web}/teapot", "Method": "GET", "Authentication": {"ConnectionArn": arn}}
    ended = run(server, "key", HTTP, given)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Http.StatusCode.418")
    assert json.loads(ended["cause"])["authorization"] == "new"


@pytest.mark.parametrize("reveal", [False, True])
def test_a_trace_shows_request_and_response(server: Server, web: str, reveal: bool) -> None:
    parameters = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "hidden"}}
    arn = connection(server, f"traced-{reveal}", "API_KEY", parameters)
    given = {"ApiEndpoint": f"{web}/x", "Method": "POST", "Authentication": {"ConnectionArn": arn}, "RequestBody": "b"}
    state = {"Type": "Task", "Resource": HTTP, "Parameters": given, "End": True}
    told = client_of("stepfunctions", server).test_state(
        definition=json.dumps(state), roleArn=ROLE, inspectionLevel="TRACE", revealSecrets=reveal
    )
    request, response = told["inspectionData"]["request"], told["inspectionData"]["response"]
    assert (request["protocol"], request["method"], request["url"]) == ("http", "POST", f"{web}/x")
    assert (request["body"], "X-Key: hidden" in request["headers"]) == ("b", reveal)
    assert (response["statusCode"], response["statusMessage"]) == ("200", "OK")
    assert json.loads(response["body"])["body"] == "b"


@pytest.fixture(scope="module")
def rest_api(server: Server) -> str:
    """An API at whose /echo/{id} the function `echo` is behind a proxy; its stage is `test`."""
    gateway = client_of("apigateway", server)
    api = gateway.create_rest_api(name="api", endpointConfiguration={"types": ["REGIONAL"]})
    parent = api["rootResourceId"]
    for part in ("echo", "{id}"):
        parent = gateway.create_resource(restApiId=api["id"], parentId=parent, pathPart=part)["id"]
    place: Any = {"restApiId": api["id"], "resourceId": parent, "httpMethod": "ANY"}
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:answerOverHttp"
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
    gateway.put_method(**place, authorizationType="NONE")
    gateway.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api["id"], stageName="test")
    return str(api["id"])


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("{id}.execute-api.{region}.localhost", "/test/echo/7?a=1"),
        ("localhost", "/restapis/{id}/test/echo/7?a=1"),
        ("localhost", "/restapis/{id}/test/_user_request_/echo/7?a=1"),
    ],
)
def test_an_api_answers_over_http(server: Server, rest_api: str, host: str, path: str) -> None:
    client = http.client.HTTPConnection(urlsplit(server.url).netloc)
    try:
        headers = {"Host": host.format(id=rest_api, region=REGION)}
        client.request("POST", path.format(id=rest_api), b"body", headers)
        answer = client.getresponse()
        assert (answer.status, answer.headers["X-Made-By"]) == (201, "answerOverHttp")
        assert json.loads(answer.read()) == {"method": "POST", "id": "7", "query": {"a": "1"}, "body": "body"}
    finally:
        client.close()


@pytest.mark.parametrize(
    "endpoint", ["{id}.execute-api.{region}.amazonaws.com", "{url}/restapis/{id}"], ids=["aws", "here"]
)
def test_a_workflow_calls_an_api(server: Server, rest_api: str, endpoint: str) -> None:
    parameters = {
        "ApiEndpoint": endpoint.format(id=rest_api, region=REGION, url=server.url),
        "Method": "PUT",
        "Stage": "test",
        "Path": "echo/a b",
        "QueryParameters": {"a": ["1"]},
        "RequestBody": {"x": 1},
    }
    name = f"api-{'aws' if 'amazonaws' in endpoint else 'here'}"
    ended = run(server, name, "arn:aws:states:::apigateway:invoke", parameters)
    result = json.loads(ended["output"])
    assert (result["StatusCode"], result["StatusText"]) == (201, "Created")
    assert result["Headers"]["X-Made-By"] == ["answerOverHttp"]
    assert result["ResponseBody"] == {"method": "PUT", "id": "a b", "query": {"a": "1"}, "body": '{"x":1}'}


def test_an_api_starts_an_execution(server: Server) -> None:
    """As in the developer guide, "Creating a Step Functions API using API Gateway"."""
    gateway = client_of("apigateway", server)
    api = gateway.create_rest_api(name="start")
    place: Any = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "POST"}
    uri = f"arn:aws:apigateway:{REGION}:states:action/StartExecution"
    gateway.put_method(**place, authorizationType="NONE")
    gateway.put_integration(**place, type="AWS", integrationHttpMethod="POST", uri=uri, credentials=ROLE)
    gateway.put_integration_response(**place, statusCode="200", selectionPattern="")
    gateway.create_deployment(restApiId=api["id"], stageName="alpha")
    asked = server.api()
    machine = create_machine(
        asked, "started", json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    )
    client = http.client.HTTPConnection(urlsplit(server.url).netloc)
    try:
        body = json.dumps({"input": '{"a":1}', "stateMachineArn": machine})
        client.request("POST", f"/restapis/{api['id']}/alpha", body, {"Content-Type": "application/json"})
        told = json.loads(client.getresponse().read())
    finally:
        client.close()
    assert json.loads(ended_execution(asked, told["executionArn"])["output"]) == {"a": 1}


def test_what_an_api_does_not_have(server: Server, rest_api: str) -> None:
    parameters = {"ApiEndpoint": f"{server.url}/restapis/{rest_api}", "Method": "GET", "Stage": "test", "Path": "none"}
    ended = run(server, "none", "arn:aws:states:::apigateway:invoke", parameters)
    assert (ended["error"], ended["cause"]) == ("ApiGateway.403", '{"message":"Missing Authentication Token"}')


def test_a_page_of_the_web_cannot_call_an_api_unasked(server: Server, rest_api: str) -> None:
    client = http.client.HTTPConnection(urlsplit(server.url).netloc)
    try:
        client.request("POST", f"/restapis/{rest_api}/test/echo/7", b"", {"Origin": "https://evil.example"})
        assert client.getresponse().status == 403
    finally:
        client.close()
