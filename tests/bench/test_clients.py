"""The clients, against a server of a few lines that counts what it is asked and refuses some of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bench import clients, wrk
from bench.wire import Client, Refused
from bench.wrk import Load

_MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
_COUNT = 50
_CONNECTIONS = 4


class Stub:
    """Answers POST requests; every `refuses_each`-th one with an error."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[dict[str, Any]] = []
        self.refuses_each = 0
        self.error = "ThrottlingException"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                operation = head.partition(b"X-Amz-Target: AWSStepFunctions.")[2].partition(b"\r\n")[0].decode()
                self.requests.append({"operation": operation, **body})
                writer.write(self._answer())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:  # also if the test is over before it is seen that the client has gone
            writer.close()

    def _answer(self) -> bytes:
        refused = self.refuses_each and len(self.requests) % self.refuses_each == 0
        body = json.dumps({"__type": self.error} if refused else {"executionArn": "e"}).encode()
        status = b"400 Bad Request" if refused else b"200 OK"
        return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    stub = Stub()
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    stub.port = server.sockets[0].getsockname()[1]
    yield stub
    server.close()


@pytest.fixture(params=["wrk", "python"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which client asks."""
    name = str(request.param)
    if name == "python":
        monkeypatch.setattr(wrk, "installed", lambda: False)
    elif not wrk.installed():
        pytest.skip("wrk is not installed")
    return name


async def _ask(stub: Stub, **options: Any) -> Load:
    return await asyncio.to_thread(clients.ask, stub.port, _MACHINE, count=_COUNT, connections=_CONNECTIONS, **options)


async def test_counted_requests(stub: Stub, client: str) -> None:
    load = await _ask(stub, data='{"text":"a \\\\ b"}')
    # wrk makes one request ahead for each connection, and does not wait for the answers to the last ones
    assert _COUNT - 2 * _CONNECTIONS <= load.answers <= len(stub.requests) <= _COUNT
    assert {request["operation"] for request in stub.requests} == {"StartExecution"}
    assert {request["stateMachineArn"] for request in stub.requests} == {_MACHINE}
    assert {request["input"] for request in stub.requests} == {'{"text":"a \\\\ b"}'}
    assert (load.refused, load.not_2xx, load.broken) == (0, 0, 0)
    assert 0 < load.p50 <= load.p99 <= load.slowest


async def test_names(stub: Stub, client: str) -> None:
    await _ask(stub, named=client == "wrk")
    names = [request.get("name") for request in stub.requests]
    if client == "wrk":
        assert len(set(names)) == len(names)
        assert all(name is not None and len(name) <= 80 for name in names)
    else:
        assert set(names) == {None}


async def test_refusals_are_counted(stub: Stub, client: str) -> None:
    stub.refuses_each = 5
    load = await _ask(stub, refusals=True)
    assert load.not_2xx == load.refused == load.throttled > 0
    assert load.taken == load.answers - load.refused


async def test_other_refusals_are_told_from_throttling(stub: Stub, client: str) -> None:
    stub.refuses_each, stub.error = 5, "ValidationException"
    load = await _ask(stub, refusals=True)
    assert load.refused > load.throttled == 0
    if client == "wrk":
        assert "ValidationException" in load.other


async def test_another_operation(stub: Stub, client: str) -> None:
    await _ask(stub, operation="StartSyncExecution")
    assert {request["operation"] for request in stub.requests} == {"StartSyncExecution"}


async def test_blocking_client(stub: Stub) -> None:
    def ask() -> Any:
        connection = Client(stub.port)
        try:
            return connection.call("StartExecution", stateMachineArn=_MACHINE)
        finally:
            connection.close()

    assert await asyncio.to_thread(ask) == {"executionArn": "e"}
    stub.refuses_each = 1
    with pytest.raises(Refused, match="ThrottlingException"):
        await asyncio.to_thread(ask)
