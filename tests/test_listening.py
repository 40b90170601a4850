"""Sockets that the server listens on."""

from __future__ import annotations

import asyncio
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
        assert max(runner.run(taken_by_turn())) > 4


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
            await _until_connected(server, 1)
            await server.stop()
            assert server.connections == 0
            assert client.fileno() >= 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(stop_with_an_idle_client())
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []
