"""The server's own HTTP connection, over a socket: what takes the short way; nobody can tell it from the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.aws.wire import nobody_else, open_to_all
from treadle.aws.access_keys import Keyring
from treadle.aws.authentication import Authentication, Defaults
from treadle.aws.door import Door
from treadle.aws.messages import Answer, Request, json_answer
from treadle.aws.service import Caller
from treadle.limits import Limits
from treadle.listening import Server, listening

LIMITS = Limits()


class Echo:
    """A service that answers what it was asked, and one operation that waits until its client has gone."""

    target_prefix = "AWSStepFunctions"
    signing_name = "states"
    content_type = "application/x-amz-json-1.0"
    begin_executions: frozenset[str] = frozenset()
    wait_for_others: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.gone = asyncio.Event()
        self.go_on = asyncio.Event()

    def has_operation(self, operation: str) -> bool:
        return operation != "Nothing"

    async def serve(self, operation: str, body: Any, caller: Caller) -> dict[str, Any]:
        if operation == "WaitForTheEnd":
            self.waiting.set()
            still_there = await caller.wait_for(asyncio.get_running_loop().create_future())
            assert not still_there
            self.gone.set()
        if operation == "WaitForUs":
            self.waiting.set()
            await self.go_on.wait()
        return {"operation": operation, "body": body}


class Other:
    """What has paths of its own goes the way of ASGI."""

    prefix = "/_treadle/"

    async def answer(self, request: Request) -> Answer:
        return json_answer({"path": request.path, "bytes": len(await request.body())})


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def server(echo: Echo) -> AsyncIterator[Server]:
    nothing: Any = None
    authentication = Authentication(Keyring(nothing, nothing, LIMITS), nothing, LIMITS, Defaults())
    door = Door([echo], LIMITS, authentication, Other(), nobody_else(authentication, LIMITS), open_to_all())
    server = Server(door, LIMITS, None)
    with listening("127.0.0.1", 0) as listener:
        await server.start(listener)
        server.port = listener.getsockname()[1]  # type: ignore[attr-defined]
        yield server
        await server.stop()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Each piece reaches the server on its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.02)

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        if headers.get("transfer-encoding") == "chunked":
            raise AssertionError("an answer to these requests is whole")
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def ended(self) -> bool:
        return await self.reader.read(1) == b""


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)  # type: ignore[attr-defined]
    yield Client(reader, writer)
    writer.close()


def request(
    operation: str = "Do", body: bytes = b'{"a":1}', version: str = "1.1", path: str = "/", **headers: str
) -> bytes:
    named = {
        "host": "localhost",
        "x-amz-target": f"AWSStepFunctions.{operation}",
        "content-type": Echo.content_type,
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"POST {path} HTTP/{version}\r\n{lines}\r\n".encode() + body


def answered(operation: str = "Do", body: bytes = b'{"a":1}') -> dict[str, Any]:
    return {"operation": operation, "body": json.loads(body)}


WHOLE = request()
LARGE = b'{"a":"' + b"x" * 600_000 + b'"}'
CHUNKED = (
    b"POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: AWSStepFunctions.Do\r\n"
    b"content-type: application/x-amz-json-1.0\r\ntransfer-encoding: chunked\r\n\r\n"
)

GOOD: list[tuple[str, list[bytes], bytes]] = [
    ("in one piece", [WHOLE], b'{"a":1}'),
    ("head and body apart", [WHOLE[:-7], WHOLE[-7:]], b'{"a":1}'),
    ("in the middle of the body", [WHOLE[:-3], WHOLE[-3:]], b'{"a":1}'),
    ("in the middle of the head", [WHOLE[:40], WHOLE[40:]], b'{"a":1}'),
    ("in the middle of the method", [WHOLE[:2], WHOLE[2:]], b'{"a":1}'),
    ("byte by byte", [bytes([byte]) for byte in request(body=b"{}")[-30:]], b"{}"),
    ("a large body", [request(body=LARGE)], LARGE),
    ("in chunks", [CHUNKED + b'7\r\n{"a":1}\r\n0\r\n\r\n'], b'{"a":1}'),
    ("in chunks that come apart", [CHUNKED, b'7\r\n{"a":1}\r\n', b"0\r\n\r\n"], b'{"a":1}'),
    ("HTTP/1.0 that keeps its connection", [request(version="1.0", connection="keep-alive")], b'{"a":1}'),
    ("headers in capitals", [WHOLE.replace(b"x-amz-target", b"X-Amz-Target")], b'{"a":1}'),
]


@pytest.mark.parametrize(("pieces", "body"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
async def test_a_request_is_answered_however_it_comes(client: Client, pieces: list[bytes], body: bytes) -> None:
    if len(pieces) == 30:
        await client.send(request(body=b"{}")[:-30])
    await client.send(*pieces)
    status, headers, content = await client.receive()
    assert (status, json.loads(content)) == (200, answered(body=body))
    assert headers["content-type"] == Echo.content_type
    assert headers["x-amzn-requestid"]
    assert headers["date"]


async def test_one_connection_serves_many_requests_of_both_kinds(client: Client) -> None:
    for _ in range(3):
        await client.send(WHOLE)
        assert json.loads((await client.receive())[2]) == answered()
        await client.send(request(path="/_treadle/there"))
        assert json.loads((await client.receive())[2]) == {"path": "/_treadle/there", "bytes": 7}


async def test_requests_that_do_not_wait_for_their_answers_are_answered_in_order(client: Client) -> None:
    operations = ["First", "Second", "Third", "Fourth"]
    other = request(path="/_treadle/there")
    await client.send(b"".join(request(name) + other for name in operations))
    for name in operations:
        assert json.loads((await client.receive())[2]) == answered(name)
        assert json.loads((await client.receive())[2])["path"] == "/_treadle/there"


async def test_a_request_that_comes_while_one_is_under_way(client: Client, echo: Echo) -> None:
    await client.send(request("WaitForUs"), WHOLE)
    await echo.waiting.wait()
    echo.go_on.set()
    assert json.loads((await client.receive())[2]) == answered("WaitForUs")
    assert json.loads((await client.receive())[2]) == answered()


async def test_who_asks_for_100_continue_gets_it(client: Client) -> None:
    whole = request(expect="100-continue")
    await client.send(whole[:-7])
    assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    await client.send(whole[-7:])
    assert json.loads((await client.receive())[2]) == answered()


CLOSING = [
    ("asked to close", request(connection="close")),
    ("HTTP/1.0", request(version="1.0")),
]


@pytest.mark.parametrize("sent", [row[1] for row in CLOSING], ids=[row[0] for row in CLOSING])
async def test_the_connection_is_closed(client: Client, sent: bytes) -> None:
    await client.send(sent)
    status, headers, _ = await client.receive()
    assert (status, headers["connection"]) == (200, "close")
    assert await client.ended()


REFUSED = [
    ("an unknown operation", request("Nothing"), 400, "UnknownOperationException"),
    ("a wrong content type", request(content_type="text/plain"), 404, "UnknownOperationException"),
    ("no JSON", request(body=b"{"), 400, "SerializationException"),
    ("too large a body", request(body=b" " * (LIMITS.request_bytes + 1)), 413, "RequestEntityTooLargeException"),
]


@pytest.mark.parametrize(("sent", "status", "name"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_refusals_leave_the_connection_usable(client: Client, sent: bytes, status: int, name: str) -> None:
    await client.send(sent)
    answer = await client.receive()
    assert (answer[0], json.loads(answer[2])["__type"]) == (status, name)
    await client.send(WHOLE)
    assert json.loads((await client.receive())[2]) == answered()


async def test_who_waits_hears_that_the_client_has_gone(client: Client, echo: Echo) -> None:
    await client.send(request("WaitForTheEnd"))
    await echo.waiting.wait()
    client.writer.close()
    await echo.gone.wait()


async def test_what_is_no_http_is_refused(client: Client) -> None:
    await client.send(b"GET\r\n\r\n")
    assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 400")
    assert await client.reader.read() == b"Invalid HTTP request received."


async def test_a_server_that_stops_answers_first(server: Server, client: Client, echo: Echo) -> None:
    await client.send(request("WaitForUs"))
    await echo.waiting.wait()
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0.2)
    assert not stopping.done()
    echo.go_on.set()
    status, headers, body = await client.receive()
    assert (status, headers["connection"], json.loads(body)) == (200, "close", answered("WaitForUs"))
    assert await client.ended()
    await stopping
