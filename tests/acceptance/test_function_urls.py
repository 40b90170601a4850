"""Function URLs over HTTP, and streamed answers: boto3, the `aws` command and curl."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.acceptance.clients import AWS, ENVIRONMENT
from tests.acceptance.server import ACCOUNT, DEADLINE_SECONDS, REGION, Server

KEY, SECRET = "URLSKEY", "urls/secret"
WEB = """
def handler(event, context):
    if event["rawPath"] == "/page":
        return {"statusCode": 201, "headers": {"Content-Type": "text/html"}, "body": "<p>ä", "cookies": ["a=1", "b=2"]}
    if event["rawPath"] == "/fails":
        raise ValueError("no")
    return [event["requestContext"]["http"]["method"], event["rawPath"], event.get("queryStringParameters"),
            event.get("body"), event["requestContext"].get("authorizer", {}).get("iam", {}).get("accessKey")]
"""
STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.requestContext) {
    const metadata = { statusCode: 202, headers: { "Content-Type": "text/event-stream" } };
    stream = awslambda.HttpResponseStream.from(stream, metadata);
  }
  for (const piece of ["one", "two", "three"]) stream.write(piece);
  if (event.rawPath === "/fails") throw new Error("no");
  stream.end();
});
"""


class World:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = boto3.session.Session().client(
            "lambda",
            endpoint_url=server.url,
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(retries={"max_attempts": 0}, read_timeout=DEADLINE_SECONDS),
        )

    def url(self, name: str, **members: Any) -> str:
        request = {"FunctionName": name, "AuthType": "NONE", **members}
        return str(self.client.create_function_url_config(**request)["FunctionUrl"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Whoever calls the API must sign; URLs without authentication are for everybody."""
    folder = tmp_path_factory.mktemp("urls")
    (folder / "functions").mkdir()
    for name in ("web", "signed", "page", "gone"):
        (folder / "functions" / f"{name}.py").write_text(WEB)
    for name in ("stream", "buffered"):
        (folder / "functions" / f"{name}.js").write_text(STREAM)
    with Server(folder, TREADLE_ACCESS_KEYS=f"{KEY}:{SECRET}:{ACCOUNT}") as server:
        world = World(server)
        yield world
        world.client.close()
        assert server.stop() == 0
        assert server.stderr() == ""


def get(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    """Every name that ends in `.localhost` is this machine: here without asking a resolver."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    with closing(http.client.HTTPConnection("127.0.0.1", parts.port, timeout=DEADLINE_SECONDS)) as connection:
        connection.request(method, target, body, {"Host": parts.netloc, **headers})
        with connection.getresponse() as response:
            return response.status, response.headers, response.read()


def test_a_url(world: World) -> None:
    url = world.url("web")
    status, headers, body = get(f"{url}page")
    assert (status, headers["content-type"], body.decode()) == (201, "text/html", "<p>ä")
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    _, _, body = get(f"{url}a/b?c=d", "POST", b"{}", **{"Content-Type": "application/json"})
    assert json.loads(body) == ["POST", "/a/b", {"c": "d"}, "{}", None]
    assert get(f"{url}fails")[::2] == (502, b"Internal Server Error")
    id = url.removeprefix("http://").partition(".")[0]
    assert get(f"{world.server.url}/_treadle/function-urls/{id}/page")[0] == 201
    assert get(url.replace(id, "x" * 32))[0] == 403


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_finds_a_url_as_it_is_given_out(world: World) -> None:
    ran = subprocess.run(
        ["curl", "-sS", "--max-time", str(DEADLINE_SECONDS), f"{world.url('page')}page"],
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout.decode()) == (0, "<p>ä")


def test_a_url_that_asks_for_a_signature(world: World) -> None:
    url = world.url("signed", AuthType="AWS_IAM")

    def signed(secret: str) -> tuple[int, Any, bytes]:
        request = AWSRequest("POST", f"{url}a%20b?x=1&y=%2F", data=b"body", headers={"Content-Type": "text/plain"})
        SigV4Auth(Credentials(KEY, secret), "lambda", REGION).add_auth(request)
        return get(request.url, "POST", b"body", **dict(request.headers.items()))

    status, _, body = signed(SECRET)
    assert (status, json.loads(body)) == (200, ["POST", "/a%20b", {"x": "1", "y": "/"}, "body", KEY])
    assert signed("wrong")[0] == 403
    assert get(url)[::2] == (403, b'{"Message":"Forbidden"}')


def test_streams(world: World) -> None:
    url = world.url("stream", InvokeMode="RESPONSE_STREAM")
    status, headers, body = get(url)
    assert (status, headers["content-type"], headers["transfer-encoding"], body) == (
        202,
        "text/event-stream",
        "chunked",
        b"onetwothree",
    )
    with pytest.raises(http.client.IncompleteRead):
        get(f"{url}fails")
    assert get(world.url("buffered"))[::2] == (202, b"onetwothree")


def test_a_streamed_invocation(world: World) -> None:
    answer = world.client.invoke_with_response_stream(FunctionName="stream", Payload=b"{}", LogType="Tail")
    events = list(answer["EventStream"])
    assert b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1]) == b"onetwothree"
    assert events[-1]["InvokeComplete"].keys() == {"LogResult"}


def test_the_aws_command(world: World) -> None:
    def aws(*arguments: str) -> Any:
        variables = {"AWS_ENDPOINT_URL": world.server.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        ran = subprocess.run(
            [str(AWS), "lambda", *arguments, "--output", "json"],
            env={**ENVIRONMENT, **variables},
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return json.loads(ran.stdout or "null")

    named = ("--function-name", "gone")
    made = aws("create-function-url-config", *named, "--auth-type", "NONE", "--cors", "AllowOrigins=*,MaxAge=60")
    assert get(f"{made['FunctionUrl']}page")[0] == 201
    assert aws("get-function-url-config", *named)["Cors"] == {"AllowOrigins": ["*"], "MaxAge": 60}
    assert aws("update-function-url-config", *named, "--invoke-mode", "RESPONSE_STREAM")["AuthType"] == "NONE"
    assert len(aws("list-function-url-configs", *named)["FunctionUrlConfigs"]) == 1
    aws("delete-function-url-config", *named)
    assert get(made["FunctionUrl"])[0] == 403
