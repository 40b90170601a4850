"""Sockets, TLS and uvicorn: how the server is listened for and served. It knows nothing of what it serves."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from treadle.aws.door import Door
from treadle.config import Settings
from treadle.limits import Limits
from treadle.short_way import Connection

_logger = logging.getLogger(__name__)

_BACKLOG = 4_096
"""Connections that wait to be taken, as far as the system allows. A client whose connection does not fit in tries again
after a second."""
_TAKEN_AT_ONCE = 16
"""Connections that are taken in one turn of the event loop. libuv takes one for each descriptor that it watches; on a
loop that is busy, hundreds of new clients would wait for seconds, while those that have come before them are served.
(So each new client on a quiet loop costs as many attempts, a microsecond each.)"""
_FILES_ON_MACOS = 10_240
"""OPEN_MAX there: what every process may ask for."""
_KEEP_ALIVE_SECONDS = 65
"""Longer than SDKs keep an idle connection, so that it is not the server that closes it under a request."""
_GRACE_SECONDS = 2
"""How long requests may take to finish after a stop was asked for. Those that take longer are cut off."""
_FAREWELL_SECONDS = 0.25
"""How long a client may take to say farewell over TLS, once a stop was asked for and all is sent. One that keeps its
connection for later requests does not listen until it has one."""


class ServerError(Exception):
    """The server cannot start, or cannot go on. The message is for the person at the terminal."""


def _is_an_error(record: logging.LogRecord) -> bool:
    """uvicorn takes an answer that is left unfinished for an error. It is how a reader is cut off that accepts
    nothing: the only way that an application has to close a connection. And it tells of the requests that are cut off
    as the server stops even if there are none; of clients that are, `stop` tells."""
    if str(record.msg).startswith("Cancel %s running task(s)"):
        return record.args != (0,)
    return record.msg != "ASGI callable returned without completing response."


class Server:
    """uvicorn, started and stopped by us; it installs no signal handlers and writes no access log."""

    def __init__(self, door: Door, limits: Limits, tls: ssl.SSLContext | None) -> None:
        config = uvicorn.Config(
            door,
            http=Connection.to(door, limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        config.load()
        logging.getLogger("uvicorn.error").addFilter(_is_an_error)
        config.ssl = tls
        self._uvicorn = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        listeners = [listener, *(listener.dup() for _ in range(_TAKEN_AT_ONCE - 1))]
        self._serving = asyncio.create_task(self._uvicorn.serve(sockets=listeners))
        ready = asyncio.create_task(self._uvicorn.ready.wait())
        await asyncio.wait({ready, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            ready.cancel()
            self._serving.result()
            raise RuntimeError("uvicorn ended before it was ready")

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._uvicorn.server_state.connections)

    async def stop(self) -> None:
        self._uvicorn.should_exit = True
        if self._serving is None:
            return
        only_farewell: set[asyncio.Transport] = set()
        while only_farewell or not self._serving.done():
            await asyncio.wait({self._serving}, timeout=_FAREWELL_SECONDS)
            left = {each.transport for each in self._uvicorn.server_state.connections if isinstance(each, Connection)}
            for transport in only_farewell & left:
                transport.abort()
            only_farewell = {each for each in left if _only_farewell_is_missing(each)}
        self._serving.result()
        if self.connections:
            _logger.warning("%d clients were cut off before they had taken their answers", self.connections)


def _only_farewell_is_missing(transport: asyncio.Transport) -> bool:
    over_tls = transport.get_extra_info("ssl_object") is not None
    return over_tls and transport.is_closing() and transport.get_write_buffer_size() == 0


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


def open_as_many_files_as_allowed() -> None:
    """A connection is an open file, and a process may have few of them (256, 1,024) unless it asks for more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _FILES_ON_MACOS):
        with suppress(ValueError, OSError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return


def listening(host: str, port: int) -> socket.socket:
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


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """None: plain HTTP. Raises ServerError."""
    certificate = settings.tls_certificate
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, settings.tls_key, password=_no_passphrase)
    except (OSError, _PassphraseNeeded) as error:  # ssl.SSLError is an OSError
        key = certificate if settings.tls_key is None else settings.tls_key
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise ServerError(f"the certificate {certificate} with the key {key} cannot be used: {reason}") from error
    return context


class _PassphraseNeeded(Exception):
    """A key that is locked. OpenSSL would ask for the passphrase at a terminal that a service does not have."""


def _no_passphrase() -> str:
    raise _PassphraseNeeded("the key is encrypted; give it without a passphrase, readable for the server's user only")


def url_of(listener: socket.socket, scheme: str) -> str:
    host, port, *_ = listener.getsockname()
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
