"""The part of AWS's runtime client that talks to the Runtime API, in Python, for workers of this server.

awslambdaric (`bootstrap.py`) finds the handler, calls it and makes the errors; for HTTP it has a module of its own,
`runtime_client`, written in C++ and built on Linux only.  This one takes its place everywhere: the same functions, for
a server that is always Treadle.  It runs in the worker and imports nothing of Treadle.

What it is for is time.  To wake a process that sleeps costs more than all the rest of an invocation (measured: up to
0.7 ms where the processors are virtual), and with one request after another a worker is woken twice: by the answer to
its response, which tells it nothing, and by the next event.  So here the response is sent and not waited for.  The
request for the next event follows it at once, and a header says so to the server, which keeps its first answer back
until it has the second: both come in one piece.  If the first is no success, the server closes the connection behind
it, and the worker ends, as it does with AWS's module.

The connection is opened at the start, before any code of the function could change what sockets are.
"""

from __future__ import annotations

import os
import socket

_RECEIVE_BYTES = 65_536
_ACCEPTED, _OK = 202, 200
_DEADLINE = "Lambda-Runtime-Deadline-Ms"
"""The one header that awslambdaric wants as a number."""
_FOLLOWED = "Treadle-Followed: next\r\n"
"""Of a request behind which comes that for the next event (`runtime_api.py`)."""


class _Api:
    def __init__(self, address: str, user_agent: str) -> None:
        """`address`: host, port and the secret path before every path."""
        host, _, secret = address.partition("/")
        name, _, port = host.rpartition(":")
        self._socket = socket.create_connection((name, int(port)))
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._path = f"/{secret}/2018-06-01/runtime/invocation"
        self._headers = f"Host: {host}\r\nUser-Agent: {user_agent}\r\n"
        self._received = bytearray()
        self._owed = False
        """Whether the answer to a response is to come before any other."""

    def next(self) -> tuple[bytes, dict[str, str | int]]:
        self._socket.sendall(f"GET {self._path}/next HTTP/1.1\r\n{self._headers}\r\n".encode("latin-1"))
        self._settle()
        event, headers = self._answer(_OK)
        return event, {**headers, _DEADLINE: int(headers[_DEADLINE])}

    def post(self, path: str, body: bytes, headers: str) -> None:
        self._settle()
        line = f"POST {self._path}/{path} HTTP/1.1\r\n"
        head = f"{line}{self._headers}{headers}{_FOLLOWED}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode("latin-1") + body)
        self._owed = True

    def _settle(self) -> None:
        if self._owed:
            self._owed = False
            self._answer(_ACCEPTED)

    def _answer(self, expected: int) -> tuple[bytes, dict[str, str]]:
        """The next answer of the connection."""
        received = self._received
        while (head := received.find(b"\r\n\r\n")) < 0:
            self._receive()
        status, *lines = received[:head].decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        begin = head + 4
        end = begin + int(headers["Content-Length"])
        while len(received) < end:
            self._receive()
        body = bytes(received[begin:end])
        del received[:end]
        if int(status.split(" ")[1]) != expected:
            raise RuntimeError(f"The Runtime API answered {status}: {body.decode('latin-1')}")
        return body, headers

    def _receive(self) -> None:
        data = self._socket.recv(_RECEIVE_BYTES)
        if not data:
            raise RuntimeError("The Runtime API has gone")
        self._received += data


_apis: list[_Api] = []
"""One, once the client is initialised."""


def initialize_client(user_agent: str) -> None:
    _apis[:] = [_Api(os.environ["AWS_LAMBDA_RUNTIME_API"], user_agent)]


def next() -> tuple[bytes, dict[str, str | int]]:
    """The event, and the headers that came with it."""
    return _apis[0].next()


def post_invocation_result(invoke_id: str, result: bytes, content_type: str, invocation_id: str | None = None) -> None:
    _apis[0].post(f"{invoke_id}/response", result, f"Content-Type: {content_type}\r\n{_invocation(invocation_id)}")


def post_error(invoke_id: str, error: str, xray_cause: str, invocation_id: str | None = None) -> None:
    headers = f"Content-Type: application/json\r\n{_invocation(invocation_id)}"
    _apis[0].post(f"{invoke_id}/error", error.encode(), headers)


def _invocation(invocation_id: str | None) -> str:
    return "" if invocation_id is None else f"Lambda-Runtime-Invocation-Id: {invocation_id}\r\n"
