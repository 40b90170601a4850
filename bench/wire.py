"""Two clients that cost little: AWS JSON over a plain socket, with a signature that nobody checks.

botocore needs about a millisecond per request, which would measure botocore. These build the request from one
template and look only for the length of the answer.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import msgspec

REGION = "us-east-1"
ACCOUNT = "000000000000"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_RECEIVE_BYTES = 262_144
_IDLE_SECONDS_MAX = 20


class Refused(Exception):
    """The server answered with an error. The message is its body."""


def request(operation: str, body: dict[str, Any]) -> bytes:
    """The bytes of a request."""
    payload = _encode(body)
    return (
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"X-Amz-Target: AWSStepFunctions.%b\r\nX-Amz-Date: 20260101T000000Z\r\n"
        b"Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/%b/states/aws4_request, "
        b"SignedHeaders=host;x-amz-date, Signature=%b\r\nContent-Length: %d\r\n\r\n%b"
    ) % (operation.encode(), REGION.encode(), b"0" * 64, len(payload), payload)


def _body_bytes(head: bytes) -> int:
    at = head.lower().index(_LENGTH) + len(_LENGTH)
    return int(head[at:].partition(b"\r\n")[0])


def _answer(head: bytes, body: bytes) -> Any:
    if not head.startswith(b"HTTP/1.1 200"):
        raise Refused(body.decode())
    return _decode(body)


class Client:
    """One blocking keep-alive connection: the shortest way to the server and back. Where it has been idle for so long
    that the server may have closed it, it makes a new one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._connected()
        self._used = time.monotonic()

    def _connected(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def call(self, operation: str, **body: Any) -> Any:
        if time.monotonic() - self._used > _IDLE_SECONDS_MAX:
            self._socket.close()
            self._socket = self._connected()
        answer = self._call(operation, body)
        self._used = time.monotonic()
        return answer

    def _call(self, operation: str, body: dict[str, Any]) -> Any:
        self._socket.sendall(request(operation, body))
        received = b""
        while _HEAD_END not in received:
            received += self._receive()
        head, _, content = received.partition(_HEAD_END)
        missing = _body_bytes(head + b"\r\n") - len(content)
        parts = [content]
        while missing > 0:
            parts.append(self._receive())
            missing -= len(parts[-1])
        return _answer(head, b"".join(parts))

    def _receive(self) -> bytes:
        received = self._socket.recv(_RECEIVE_BYTES)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received

    def close(self) -> None:
        self._socket.close()


class AsyncClient:
    """One keep-alive connection of an event loop that has many."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> AsyncClient:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def call(self, operation: str, **body: Any) -> Any:
        self._writer.write(request(operation, body))
        head = await self._reader.readuntil(_HEAD_END)
        return _answer(head, await self._reader.readexactly(_body_bytes(head)))

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()
