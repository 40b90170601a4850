"""The composition root: builds every part from the settings, wires them, and serves them.

Start goes bottom-up and close goes top-down, so that a part is only ever called while those it needs are
there.  The socket is bound first of all, because functions must be told the port.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import uvicorn

from treadle.aws.door import Door
from treadle.aws.states.call import StatesOptions
from treadle.aws.states.service import states_service
from treadle.clock import SystemClock
from treadle.config import Settings
from treadle.functions.local import LocalFunctions
from treadle.functions.options import FunctionOptions
from treadle.runtime.runtime import Runtime
from treadle.store.contract import Store, StoreUnusable
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.dispatch import Dispatch

DATABASE = "treadle.db"
FUNCTION_LOGS = "logs"

_BACKLOG = 2_048
_KEEP_ALIVE_SECONDS = 65
"""Longer than SDKs keep an idle connection, so that it is not the server that closes it under a request."""
_GRACE_SECONDS = 2
"""How long requests may take to finish after a stop was asked for. Those that take longer are cut off."""


class ServerError(Exception):
    """The server cannot start, or cannot go on. The message is for the person at the terminal."""


class App:
    """One server. `start`, then `failure` tells of what ends it, then `close` (also after a failed start)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts = AsyncExitStack()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.url = ""
        """Where it listens, once started."""

    async def start(self) -> None:
        """Ready for requests when this returns. Raises ServerError."""
        listener = self._parts.enter_context(_listener(self._settings.host, self._settings.port))
        self.url = _url(listener)
        try:
            door = await self._build()
        except StoreUnusable as error:
            raise ServerError(str(error)) from error
        server = _Server(door)
        await server.start(listener)
        self._parts.push_async_callback(server.stop)

    async def failure(self) -> None:
        """Wait until the server cannot go on, and raise why: ServerError."""
        await asyncio.shield(self._failure)

    async def close(self) -> None:
        """Stop taking requests, finish commits, end the workers, close the store."""
        await self._parts.aclose()
        self._failure.cancel()

    async def _build(self) -> Door:
        settings = self._settings
        clock = SystemClock()
        store = await self._open_store()
        functions = LocalFunctions(
            FunctionOptions(
                folder=settings.functions_dir.absolute(),
                logs=settings.data_dir.absolute() / FUNCTION_LOGS,
                endpoint_url=self.url,
                region=settings.region,
                inherited=settings.inherited,
                limits=settings.limits,
            )
        )
        await functions.start()
        self._parts.push_async_callback(functions.close)
        runtime = Runtime(
            store=store,
            tasks=Dispatch(functions, settings.limits),
            clock=clock,
            limits=settings.limits,
            on_failure=self._failed,
        )
        await runtime.start()
        self._parts.push_async_callback(runtime.close)
        options = StatesOptions(account=settings.account_id, region=settings.region, limits=settings.limits)
        service = await states_service(runtime=runtime, store=store, clock=clock, options=options)
        return Door([service], settings.limits, on_failure=self._failed)

    async def _open_store(self) -> Store:
        folder = self._settings.data_dir
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServerError(f"the data folder {folder} cannot be made: {error.strerror}") from error
        store = SqliteStore(folder / DATABASE)
        await store.open()
        self._parts.push_async_callback(store.close)
        return store

    def _failed(self, error: Exception) -> None:
        if not self._failure.done():
            self._failure.set_exception(ServerError(str(error)))


class _Server:
    """uvicorn, started and stopped by us; it installs no signal handlers and writes no access log."""

    def __init__(self, door: Door) -> None:
        config = uvicorn.Config(
            door,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._uvicorn = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        self._serving = asyncio.create_task(self._uvicorn.serve(sockets=[listener]))
        ready = asyncio.create_task(self._uvicorn.ready.wait())
        await asyncio.wait({ready, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            ready.cancel()
            self._serving.result()
            raise RuntimeError("uvicorn ended before it was ready")

    async def stop(self) -> None:
        self._uvicorn.should_exit = True
        if self._serving is not None:
            await self._serving


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's business: a server in a test has none."""
        yield


def _listener(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises ServerError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServerError(f"{host} is no address of this machine: {error.strerror}") from error
    try:
        # Otherwise the port of a server that has just stopped stays taken for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # now, because two sockets may be bound to a port until one of them listens
    except OSError as error:
        listener.close()
        raise ServerError(_why_not(error, host, port)) from error
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken, perhaps by another Treadle or LocalStack; --port takes another"
    return f"cannot listen on port {port} of {host}: {error.strerror}"


def _url(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
