"""Sockets that the server listens on."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from itertools import pairwise
from typing import Any, cast

import pytest
import trustme
import uvloop

from treadle.aws.door import Door
from treadle.limits import DEFAULT_LIMITS
from treadle.listening import Server, listening

CLIENTS = 200
LARGE = b"x" * (32 << 20)
"""More than the sockets of both sides hold."""


async def _no_door(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody asks for anything")


async def _until_connected(server: Server, clients: int) -> list[int]:
    """How many were taken in each turn of the event loop."""
    there = [0]
    while there[-1] < clients:
        await asyncio.sleep(0)
        there.append(server.connections)
    return [after - before for before, after in pairwise(there)]


def test_many_clients_that_come_at_once_are_not_taken_one_by_one() -> None:
    """On the event loop that the server runs on."""

    async def taken_by_turn() -> list[int]:
        listener = listening("127.0.0.1", 0)
        address = listener.getsockname()
        server = Server(cast(Door, _no_door), DEFAULT_LIMITS, None)
        await server.start(listener)
        clients = [socket.create_connection(address) for _ in range(CLIENTS)]
        taken = await _until_connected(server, CLIENTS)
        for each in clients:
            each.close()
        await server.stop()
        return taken

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        turns = [taken for taken in runner.run(taken_by_turn()) if taken > 0]
    assert len(turns) < CLIENTS / 4


def _both_sides_of_tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    return ours, theirs


def test_who_stops_does_not_wait_for_the_farewell_of_clients(caplog: pytest.LogCaptureFixture) -> None:
    """Over TLS: an SDK keeps its connection for later requests, and does not look at it until then."""
    ours, theirs = _both_sides_of_tls()

    async def stop_with_an_idle_client() -> None:
        listener = listening("127.0.0.1", 0)
        server = Server(cast(Door, _no_door), DEFAULT_LIMITS, ours)
        await server.start(listener)
        plain = socket.create_connection(listener.getsockname())
        with await asyncio.to_thread(theirs.wrap_socket, plain, server_hostname="127.0.0.1") as client:
            await _until_connected(server, 1)
            await server.stop()
            assert server.connections == 0
            assert client.fileno() >= 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(stop_with_an_idle_client())
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


async def _large_door(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(LARGE))]})
    await send({"type": "http.response.body", "body": LARGE})


@pytest.mark.parametrize("secure", [False, True])
def test_who_reads_slowly_gets_the_whole_answer_although_the_server_stops(
    secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treadle.listening._GRACE_SECONDS", 60)
    ours, theirs = _both_sides_of_tls()

    def ask(address: Any) -> socket.socket:
        client = socket.create_connection(address)
        if secure:
            client = theirs.wrap_socket(client, server_hostname="127.0.0.1")
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(1) == b"H"
        return client

    def read(client: socket.socket) -> bytes:
        with client, client.makefile("rb") as answer:
            while answer.readline() != b"\r\n":
                pass
            return answer.read(len(LARGE))

    async def stop_while_it_is_read() -> bytes:
        listener = listening("127.0.0.1", 0)
        server = Server(cast(Door, _large_door), DEFAULT_LIMITS, ours if secure else None)
        await server.start(listener)
        client = await asyncio.to_thread(ask, listener.getsockname())
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(1)  # so long that a client without anything to read would have been cut off
        assert not stopping.done()
        body = await asyncio.to_thread(read, client)
        await stopping
        return body

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(stop_while_it_is_read()) == LARGE
