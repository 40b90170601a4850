"""The Lambda Runtime API, served to the workers of this server.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html (version 2018-06-01), over HTTP on the loopback
address.  One port for all workers; each has a secret of its own as the first part of every path, so another
process on the machine cannot take an invocation or answer one:

    GET  /SECRET/2018-06-01/runtime/invocation/next             waits, then 200 and the event
    POST /SECRET/2018-06-01/runtime/invocation/ID/response      202
    POST /SECRET/2018-06-01/runtime/invocation/ID/error         202
    POST /SECRET/2018-06-01/runtime/init/error                  202

A response may be streamed, in chunks (the header Lambda-Runtime-Function-Response-Mode says so). If whoever asked reads
it as it comes, it goes through an `AnswerStream`; if not, it is collected like any other. An error in the middle of it
stands in trailers.

A client that does not wait for the answer to its response, but asks for the next event behind it, says so (the header
Treadle-Followed; `worker_client.py` says what for). Then the 202 goes out together with the event.

This module knows HTTP and the paths; what a call means is the business of the `Seat` behind the secret (the
worker). A body beyond the limit is read and thrown away, a head beyond it ends the connection.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import secrets
from collections.abc import Iterable
from typing import Protocol, cast

import httptools

from treadle.document import encode
from treadle.functions.answer_stream import AnswerStream
from treadle.limits import Limits

Answer = tuple[int, bytes]
"""Status and JSON body."""

ACCEPTED: Answer = (202, b'{"status":"OK"}\n')
INVALID_REQUEST_ID: Answer = (400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n')
INVALID_STATE: Answer = (
    403,
    b'{"errorMessage":"Invalid state transition","errorType":"InvalidStateTransition"}\n',
)
TOO_LARGE: Answer = (
    413,
    b'{"errorMessage":"Exceeded maximum allowed payload size","errorType":"RequestEntityTooLarge"}\n',
)
_NOT_FOUND: Answer = (404, b'{"errorMessage":"Not found","errorType":"NotFound"}\n')
_BAD_REQUEST: Answer = (400, b'{"errorMessage":"Bad request","errorType":"BadRequest"}\n')

_REASONS = {
    200: b"OK",
    202: b"Accepted",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    413: b"Content Too Large",
}
_ROUTE = re.compile(
    rb"/(?P<secret>[0-9a-f]+)/2018-06-01/runtime/"
    rb"(?:(?P<next>invocation/next)|invocation/(?P<id>[^/]+)/(?P<outcome>response|error)|(?P<init>init/error))"
)
_MODE = b"lambda-runtime-function-response-mode"
_CONTENT_TYPE = b"content-type"
_ERROR_TYPE = b"lambda-runtime-function-error-type"
_ERROR_BODY = b"lambda-runtime-function-error-body"
_FOLLOWED = b"treadle-followed"
_HEADERS = frozenset({_MODE, _CONTENT_TYPE, _ERROR_TYPE, _ERROR_BODY, _FOLLOWED})
"""Headers, and trailers, of a request that mean something."""

_log = logging.getLogger(__name__)


class Poll(Protocol):
    """A worker's waiting GET of `invocation/next`."""

    def deliver(self, headers: Iterable[tuple[str, str]], payload: bytes) -> None: ...


class Seat(Protocol):
    """What answers the calls of one worker. A body of None was beyond the limit."""

    def polled(self, poll: Poll) -> Answer | None:
        """The worker is ready. None: the poll waits."""
        ...

    def unpolled(self) -> None:
        """The connection of a waiting poll is gone."""
        ...

    def responded(self, request_id: str, body: bytes | None) -> Answer: ...

    def failed(self, request_id: str, body: bytes | None) -> Answer: ...

    def streams(self, request_id: str) -> AnswerStream | None:
        """Where the answer to this invocation goes as it comes; None: it is to be collected."""
        ...

    def streamed_too_much(self, request_id: str) -> None: ...

    def init_failed(self, body: bytes | None) -> Answer: ...


class RuntimeApi:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seats: dict[str, Seat] = {}
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server
        self._address: str

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._seats, self._connections, self._limits), "127.0.0.1", 0
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        self._address = f"{host}:{port}"

    async def close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.abort()
        await self._server.wait_closed()

    def seat(self, seat: Seat) -> str:
        """A place for one more worker: its AWS_LAMBDA_RUNTIME_API."""
        secret = secrets.token_hex(16)
        self._seats[secret] = seat
        return f"{self._address}/{secret}"

    def unseat(self, runtime_api: str) -> None:
        self._seats.pop(runtime_api.partition("/")[2], None)


class _Connection(asyncio.Protocol):
    """One connection: one request at a time, kept alive. asyncio sets TCP_NODELAY, and each answer is one
    write."""

    def __init__(self, seats: dict[str, Seat], connections: set[_Connection], limits: Limits) -> None:
        self._seats, self._connections, self._limits = seats, connections, limits
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0
        self._in_head = False
        self._body_came = False
        """Since data came last."""
        self._headers: dict[bytes, bytes] = {}
        self._stream: AnswerStream | None = None
        self._waiting: Seat | None = None
        self._kept = b""
        """An answer that goes out before the next one."""

    # -- the connection ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._stream is not None:
            self._stream.disconnect()
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.unpolled()

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:  # not the sender's fault: something we call has a bug
            _log.exception("A request to the runtime API could not be carried out")
            self._transport.abort()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._answer(_BAD_REQUEST)
            self._transport.close()
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.function_header_bytes:
                self._transport.abort()
        elif self._headers.get(_MODE):
            self._head_bytes = 0 if self._body_came else self._head_bytes + len(data)  # of what may be trailers
            self._body_came = False
            if self._head_bytes > self._limits.function_request_bytes:
                self._transport.abort()

    # -- one request (called by the parser) ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes, self._url = True, 0, b""
        self._body, self._body_bytes = [], 0
        self._headers, self._stream = {}, None

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the head, and of the trailers."""
        if (name := name.lower()) in _HEADERS:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._headers.get(_MODE) == b"streaming":
            self._open_stream()

    def on_body(self, body: bytes) -> None:
        self._body_came = True
        if self._stream is not None:
            if not self._stream.feed(body):
                self._end_stream()
            return
        self._body_bytes += len(body)
        if self._body_bytes <= self._limits.function_request_bytes:
            self._body.append(body)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        if self._transport.is_closing():
            return
        answer = self._route()
        if answer is None:
            return
        self._answer(answer, keep=_FOLLOWED in self._headers and answer is ACCEPTED)
        if _FOLLOWED in self._headers and answer is not ACCEPTED:
            self._transport.close()

    def _open_stream(self) -> None:
        route, seat = self._find()
        if route is not None and seat is not None and route["outcome"] == b"response":
            self._stream = seat.streams(route["id"].decode("latin-1"))
            if self._stream is not None:
                self._stream.begin(self._headers.get(_CONTENT_TYPE, b"").decode("latin-1"), self._transport)

    def _end_stream(self) -> None:
        """It is longer than streams may be: the worker, which is in the middle of it, is of no more use."""
        route, seat = self._find()
        if route is not None and seat is not None:
            seat.streamed_too_much(route["id"].decode("latin-1"))
        self._transport.abort()

    def _find(self) -> tuple[re.Match[bytes] | None, Seat | None]:
        route = _ROUTE.fullmatch(self._url)
        return route, self._seats.get(route["secret"].decode()) if route else None

    def _route(self) -> Answer | None:
        route, seat = self._find()
        if route is None or seat is None:
            return _NOT_FOUND
        if self._parser.get_method() != (b"GET" if route["next"] else b"POST"):
            return _NOT_FOUND
        if route["next"]:
            return self._poll(seat)
        body = None if self._body_bytes > self._limits.function_request_bytes else b"".join(self._body)
        if route["init"]:
            return seat.init_failed(body)
        request_id = route["id"].decode("latin-1")
        if self._stream is not None:
            self._stream.disconnect()
        if route["outcome"] == b"response" and _ERROR_TYPE in self._headers:
            return seat.failed(request_id, _error_in(self._headers))
        return seat.responded(request_id, body) if route["outcome"] == b"response" else seat.failed(request_id, body)

    def _poll(self, seat: Seat) -> Answer | None:
        if self._waiting is not None:
            return INVALID_STATE
        self._waiting = seat  # before the call, which may deliver at once
        answer = seat.polled(self)
        if answer is not None:
            self._waiting = None
        return answer

    # -- answers -------------------------------------------------------------------------------------------

    def deliver(self, headers: Iterable[tuple[str, str]], payload: bytes) -> None:
        self._waiting = None
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        self._write(200, lines.encode("latin-1"), payload)

    def _answer(self, answer: Answer, keep: bool = False) -> None:
        self._write(answer[0], b"", answer[1], keep)

    def _write(self, status: int, headers: bytes, body: bytes, keep: bool = False) -> None:
        """`keep`: until the next answer."""
        if self._transport.is_closing():
            return
        answer = b"%sHTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s" % (
            self._kept, status, _REASONS[status], headers, len(body), body,
        )  # fmt: skip
        self._kept = answer if keep else b""
        if not keep:
            self._transport.write(answer)


def _error_in(trailers: dict[bytes, bytes]) -> bytes:
    """The error document that the trailers of a streamed response tell."""
    try:
        document = base64.b64decode(trailers.get(_ERROR_BODY, b""), validate=True)
    except binascii.Error:
        document = b""
    return document or encode({"errorType": trailers[_ERROR_TYPE].decode("latin-1"), "errorMessage": ""}).encode()
