"""The Runtime API's HTTP side: who is let in, what is bounded. Real clients are in test_local.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from treadle.functions.answer_stream import AnswerStream
from treadle.functions.runtime_api import ACCEPTED, INVALID_STATE, Answer, Poll, RuntimeApi
from treadle.limits import Limits

LIMITS = Limits(
    function_request_bytes=1_000,
    function_header_bytes=5_000,
    function_stream_bytes=10_000,
    function_stream_buffer_bytes=2_000,
)


class FakeSeat:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, bytes | None]] = []
        self.poll: asyncio.Future[Poll] = asyncio.get_running_loop().create_future()
        self.poll_lost = asyncio.Event()
        self.stream: AnswerStream | None = None
        self.too_much = asyncio.Event()

    def polled(self, poll: Poll) -> Answer | None:
        if self.poll.done():
            return INVALID_STATE
        self.poll.set_result(poll)
        return None

    def unpolled(self) -> None:
        self.poll_lost.set()

    def responded(self, request_id: str, body: bytes | None) -> Answer:
        self.calls.append(("response", request_id, body))
        return ACCEPTED

    def failed(self, request_id: str, body: bytes | None) -> Answer:
        self.calls.append(("error", request_id, body))
        return ACCEPTED

    def streams(self, request_id: str) -> AnswerStream | None:
        return self.stream

    def streamed_too_much(self, request_id: str) -> None:
        self.too_much.set()

    def init_failed(self, body: bytes | None) -> Answer:
        raise RuntimeError("a bug behind the API")


class Client:
    def __init__(self, address: str) -> None:
        self.host, _, self.path = address.partition("/")

    async def connect(self) -> None:
        host, port = self.host.split(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))

    def send(self, method: str, path: str, body: bytes = b"", headers: str = "") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.writer.write(head.encode() + body)

    async def status(self) -> int:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        await self.reader.readexactly(length)
        return int(head.split()[1])

    async def closed(self) -> None:
        try:
            await asyncio.wait_for(self.reader.read(), 20)
        except ConnectionResetError:
            return


@pytest.fixture
async def api() -> AsyncIterator[RuntimeApi]:
    api = RuntimeApi(LIMITS)
    await api.start()
    yield api
    await api.close()


@pytest.fixture
async def seat() -> FakeSeat:
    return FakeSeat()


@pytest.fixture
async def client(api: RuntimeApi, seat: FakeSeat) -> AsyncIterator[Client]:
    client = Client(api.seat(seat))
    await client.connect()
    yield client
    client.writer.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/2018-06-01/runtime/invocation/next"),
        ("GET", "/" + "0" * 32 + "/2018-06-01/runtime/invocation/next"),
        ("GET", "/"),
        ("POST", "/{secret}/2018-06-01/runtime/invocation/next"),
        ("GET", "/{secret}/2018-06-01/runtime/invocation/id/response"),
        ("POST", "/{secret}/2018-06-01/runtime/invocation/id/other"),
        ("POST", "/{secret}/2018-06-01/runtime/invocation//response"),
        ("GET", "/{secret}/2018-06-01/runtime/restore/next"),
    ],
)
async def test_strangers_and_unknown_paths(client: Client, seat: FakeSeat, method: str, path: str) -> None:
    client.send(method, path.format(secret=client.path))
    assert await client.status() == 404
    assert not seat.calls
    assert not seat.poll.done()


async def test_an_unseated_worker_is_a_stranger(api: RuntimeApi, client: Client) -> None:
    api.unseat(f"{client.host}/{client.path}")
    client.send("GET", f"/{client.path}/2018-06-01/runtime/invocation/next")
    assert await client.status() == 404


async def test_one_connection_for_many_requests(client: Client, seat: FakeSeat) -> None:
    client.send("GET", f"/{client.path}/2018-06-01/runtime/invocation/next")
    (await seat.poll).deliver([("Lambda-Runtime-Aws-Request-Id", "7")], b"{}")
    assert await client.status() == 200
    client.send("POST", f"/{client.path}/2018-06-01/runtime/invocation/7/response", b'"yes"')
    assert await client.status() == 202
    client.send("POST", f"/{client.path}/2018-06-01/runtime/invocation/8/error", b"{}")
    assert await client.status() == 202
    assert seat.calls == [("response", "7", b'"yes"'), ("error", "8", b"{}")]


async def test_an_answer_is_kept_for_who_asks_for_the_next_event_behind_it(client: Client, seat: FakeSeat) -> None:
    response = f"/{client.path}/2018-06-01/runtime/invocation/7/response"
    client.send("POST", response, b"1", "Treadle-Followed: next\r\n")
    client.send("GET", f"/{client.path}/2018-06-01/runtime/invocation/next")
    poll = await seat.poll
    assert seat.calls == [("response", "7", b"1")]
    poll.deliver([], b"{}")
    assert [await client.status(), await client.status()] == [202, 200]


async def test_a_refused_answer_ends_the_connection_of_who_does_not_wait_for_it(client: Client, seat: FakeSeat) -> None:
    client.send("POST", f"/{client.path}/2018-06-01/runtime/nothing", b"1", "Treadle-Followed: next\r\n")
    client.send("GET", f"/{client.path}/2018-06-01/runtime/invocation/next")
    assert await client.status() == 404
    await client.closed()
    assert not seat.poll.done()


async def test_a_lost_poll_is_told(client: Client, seat: FakeSeat) -> None:
    client.send("GET", f"/{client.path}/2018-06-01/runtime/invocation/next")
    await seat.poll
    client.writer.close()
    await asyncio.wait_for(seat.poll_lost.wait(), 20)


async def test_two_polls_at_once(client: Client, seat: FakeSeat) -> None:
    for _ in range(2):
        client.send("GET", f"/{client.path}/2018-06-01/runtime/invocation/next")
    assert await client.status() == 403
    assert not seat.poll_lost.is_set()


@pytest.mark.parametrize("size", [1_000, 1_001, 5_000_000])
async def test_a_body_is_bounded(client: Client, seat: FakeSeat, size: int) -> None:
    body = b"x" * size
    client.send("POST", f"/{client.path}/2018-06-01/runtime/invocation/7/response", body)
    assert await client.status() == 202
    assert seat.calls == [("response", "7", body if size <= 1_000 else None)]


async def test_a_head_is_bounded(client: Client) -> None:
    client.writer.write(b"GET / HTTP/1.1\r\n")
    try:
        for _ in range(10_000):
            client.writer.write(b"A: " + b"x" * 1_000 + b"\r\n")
            await client.writer.drain()
    except ConnectionError:
        return
    await client.closed()


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_what_is_not_http_ends_the_connection(client: Client, data: bytes) -> None:
    client.writer.write(data)
    await client.closed()


async def test_a_bug_is_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.send("POST", f"/{client.path}/2018-06-01/runtime/init/error", b"{}")
    await client.closed()
    assert "a bug behind the API" in caplog.text


STREAMING = "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
ERROR = "Lambda-Runtime-Function-Error-Type: Own\r\nLambda-Runtime-Function-Error-Body: {}\r\n"


class Streaming:
    """A response in the middle."""

    def __init__(self, client: Client) -> None:
        self.client = client
        path = f"/{client.path}/2018-06-01/runtime/invocation/7/response"
        client.writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\n{STREAMING}\r\n".encode())

    def write(self, piece: bytes) -> None:
        self.client.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    async def end(self, trailers: str = "") -> int:
        self.client.writer.write(f"0\r\n{trailers}\r\n".encode())
        return await self.client.status()


async def taken(stream: AnswerStream, length: int) -> bytes:
    seen = b""
    while len(seen) < length:
        await asyncio.wait_for(stream.news(), 20)
        seen += stream.take()
    return seen


async def test_a_streamed_response(client: Client, seat: FakeSeat) -> None:
    stream = seat.stream = AnswerStream(LIMITS)
    streaming = Streaming(client)
    streaming.write(b"one")
    assert await taken(stream, 3) == b"one"
    assert stream.content_type == "text/x"
    assert seat.calls == []
    streaming.write(b"two")
    assert await taken(stream, 3) == b"two"
    assert await streaming.end() == 202
    assert seat.calls == [("response", "7", b"")]


@pytest.mark.parametrize(
    ("body", "document"),
    [
        ("eyJlcnJvclR5cGUiOiJPd24ifQ==", b'{"errorType":"Own"}'),
        ("no Base64", b'{"errorType":"Own","errorMessage":""}'),
    ],
)
async def test_an_error_in_the_middle_of_a_stream(client: Client, seat: FakeSeat, body: str, document: bytes) -> None:
    seat.stream = AnswerStream(LIMITS)
    streaming = Streaming(client)
    streaming.write(b"one")
    assert await streaming.end(ERROR.format(body)) == 202
    assert seat.calls == [("error", "7", document)]


async def test_a_streamed_response_that_nobody_reads_as_it_comes(client: Client, seat: FakeSeat) -> None:
    streaming = Streaming(client)
    streaming.write(b"one")
    streaming.write(b"two")
    assert await streaming.end() == 202
    assert seat.calls == [("response", "7", b"onetwo")]


async def test_a_stream_waits_for_its_reader(client: Client, seat: FakeSeat) -> None:
    """What is not read stays in the buffers of the connection, and then with the sender."""
    limits = Limits(function_stream_bytes=100_000_000, function_stream_buffer_bytes=2_000)
    stream = seat.stream = AnswerStream(limits)
    streaming = Streaming(client)
    streaming.write(b"x" * 50_000_000)
    await asyncio.wait_for(stream.news(), 20)
    drained = asyncio.create_task(client.writer.drain())
    done, _ = await asyncio.wait({drained}, timeout=0)
    assert not done
    assert len(await taken(stream, 50_000_000)) == 50_000_000
    await drained
    assert await streaming.end() == 202


async def test_a_stream_is_bounded(client: Client, seat: FakeSeat) -> None:
    stream = seat.stream = AnswerStream(LIMITS)
    streaming = Streaming(client)
    streaming.write(b"x" * 10_000)
    assert len(await taken(stream, 10_000)) == 10_000
    streaming.write(b"y")
    await asyncio.wait_for(seat.too_much.wait(), 20)
    await client.closed()
    assert stream.take() == b""


async def test_trailers_are_bounded(client: Client, seat: FakeSeat) -> None:
    seat.stream = AnswerStream(LIMITS)
    Streaming(client).write(b"one")
    client.writer.write(b"0\r\nLambda-Runtime-Function-Error-Body: ")
    try:
        for _ in range(10_000):
            client.writer.write(b"x" * 1_000)
            await client.writer.drain()
    except ConnectionError:
        return
    await client.closed()
    assert seat.calls == []
