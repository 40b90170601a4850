"""One server from start to stop: its sockets, and the house behind them (composition.py).

The socket is bound first of all, because functions must be told the port; requests are taken last of all.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from treadle.aws import administrator
from treadle.aws.administrator import Endpoint
from treadle.composition import compose
from treadle.config import Settings
from treadle.functions.logs import LogSink
from treadle.listening import Server, ServerError, listening, open_as_many_files_as_allowed, tls_of, url_of
from treadle.plan import Plan
from treadle.store.contract import StoreUnavailable, StoreUnusable

LOOPBACK = "127.0.0.1"

_STACK_LEVELS = 10_000
"""JSON is read and written with a level of Python's stack for each level of nesting: the depth that is let in, ten
times over, because a workflow may nest its own data deeper still."""


class App:
    """One server. `start`, then `failure` tells of what ends it, then `close` (also after a failed start)."""

    def __init__(self, settings: Settings, sinks: Sequence[LogSink] = ()) -> None:
        """`sinks`: where the output of functions goes besides the files and CloudWatch Logs."""
        self._settings = settings
        self._sinks = sinks
        self._parts = AsyncExitStack()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.url = ""
        """Where it listens, once started."""
        self.own = Endpoint("", "", "")
        """Where it listens for what runs on its own behalf, and with which key; once started."""
        self.authenticates = False
        """Whether clients are asked for a signature, as it starts."""
        self._prepare: Callable[[], None]

    async def start(self) -> None:
        """Ready for requests when this returns. Raises ServerError."""
        open_as_many_files_as_allowed()
        sys.setrecursionlimit(max(sys.getrecursionlimit(), _STACK_LEVELS))
        listeners, local_url = self._listen()
        plan = Plan(
            settings=self._settings,
            url=self.url,
            local_url=local_url,
            sinks=self._sinks,
            parts=self._parts,
            on_failure=self._failed,
        )
        try:
            house = await compose(plan)
        except (StoreUnusable, StoreUnavailable) as error:
            raise ServerError(str(error)) from error
        self.own, self.authenticates, self._prepare = house.own, house.authenticates, house.prepare
        self._announce()
        for listener, tls in listeners:
            server = Server(house.door, self._settings.limits, tls)
            await server.start(listener)
            self._parts.push_async_callback(server.stop)
        # Before the servers wait for those whose answer may take long.
        self._parts.callback(house.runtime.watchers.close)
        self._parts.callback(house.runtime.activities.close)
        self._parts.callback(house.hurry)

    async def prepare(self) -> None:
        """Make what the first requests would wait for: what a server that is ready can do while it waits for them."""
        await asyncio.to_thread(self._prepare)

    async def failure(self) -> None:
        """Wait until the server cannot go on, and raise why: ServerError."""
        await asyncio.shield(self._failure)

    async def close(self) -> None:
        """Stop taking requests, finish commits, end the workers, close the store. Raises ServerError if something ended
        it, also if that was only now: a commit that could not be finished."""
        await self._parts.aclose()
        if self._failure.done():
            self._failure.result()
        self._failure.cancel()

    def _listen(self) -> tuple[list[tuple[socket.socket, ssl.SSLContext | None]], str]:
        """The sockets, which nobody serves yet, and the URL for what runs on the server's own behalf."""
        listener = self._parts.enter_context(listening(self._settings.host, self._settings.port))
        tls = tls_of(self._settings)
        if tls is None:
            self.url = url_of(listener, "http")
            return [(listener, None)], self.url
        self.url = url_of(listener, "https")
        # Functions and our own commands need not know who signed the certificate, and for which name.
        local = self._parts.enter_context(listening(LOOPBACK, 0))
        return [(listener, tls), (local, None)], url_of(local, "http")

    def _announce(self) -> None:
        """Tell whoever may read the data folder how to administer this server."""
        folder = self._settings.data_dir
        try:
            administrator.publish(folder, self.own)
        except OSError as error:
            raise ServerError(f"the data folder {folder} cannot be written to: {error.strerror}") from error
        self._parts.callback(administrator.withdraw, folder)

    def _failed(self, error: Exception) -> None:
        if not self._failure.done():
            self._failure.set_exception(ServerError(str(error)))
