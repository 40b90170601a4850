"""Sockets that the server listens on."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, cast

import pytest
import trustme
import uvloop

from treadle.aws.door import Door
from treadle.limits import DEFAULT_LIMITS
from treadle.listening import Server, listening

CLIENTS = 200


async def _no_door(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody asks for anything")


async def _turns_until_connected(server: Server, clients: int) -> int:
    turns = 0
    while server.connections < clients:
        turns += 1
        await asyncio.sleep(0)
    return turns


def test_many_clients_that_come_at_once_are_not_taken_one_by_one() -> None:
    """On the event loop that the server runs on."""

    async def turns_until_all_are_there() -> int:
        listener = listening("127.0.0.1", 0)
        address = listener.getsockname()
        server = Server(cast(Door, _no_door), DEFAULT_LIMITS, None)
        await server.start(listener)
        clients = [socket.create_connection(address) for _ in range(CLIENTS)]
        turns = await _turns_until_connected(server, CLIENTS)
        for each in clients:
            each.close()
        await server.stop()
        return turns

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(turns_until_all_are_there()) < CLIENTS / 4


def test_who_stops_does_not_wait_for_the_farewell_of_clients(caplog: pytest.LogCaptureFixture) -> None:
    """Over TLS: an SDK keeps its connection for later requests, and does not look at it until then."""
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)

    async def stop_with_an_idle_client() -> None:
        listener = listening("127.0.0.1", 0)
        server = Server(cast(Door, _no_door), DEFAULT_LIMITS, ours)
        await server.start(listener)
        plain = socket.create_connection(listener.getsockname())
        with await asyncio.to_thread(theirs.wrap_socket, plain, server_hostname="127.0.0.1") as client:
            await _turns_until_connected(server, 1)
            await server.stop()
            assert client.fileno() >= 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(stop_with_an_idle_client())
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []
