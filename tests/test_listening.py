"""Sockets that the server listens on."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import uvloop

from treadle.aws.door import Door
from treadle.limits import DEFAULT_LIMITS
from treadle.listening import Server, listening

CLIENTS = 200


async def _no_door(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody asks for anything")


def test_many_clients_that_come_at_once_are_not_taken_one_by_one() -> None:
    """On the event loop that the server runs on."""

    async def turns_until_all_are_there() -> int:
        listener = listening("127.0.0.1", 0)
        address = listener.getsockname()
        server = Server(cast(Door, _no_door), DEFAULT_LIMITS, None)
        await server.start(listener)
        clients = [socket.create_connection(address) for _ in range(CLIENTS)]
        turns = 0
        while server.connections < CLIENTS:
            turns += 1
            await asyncio.sleep(0)
        for each in clients:
            each.close()
        await server.stop()
        return turns

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(turns_until_all_are_there()) < CLIENTS / 4
