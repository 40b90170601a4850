"""A request as it came and the answer to it: HTTP in the words of ASGI, and no AWS in it yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

import msgspec

from treadle.aws.errors import ApiError
from treadle.limits import Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ERROR_CONTENT_TYPE = b"application/x-amz-json-1.0"

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete: there is nobody to answer."""


class BrokenOffError(Exception):
    """What the stream of an answer ends with that will never be complete: its connection is closed."""


class Request:
    """The head of a request; the body is read on demand."""

    __slots__ = (
        *("_by_name", "_limits", "_whole", "complete", "headers", "method"),
        *("path", "query", "raw_path", "receive", "scheme", "source"),
    )

    def __init__(
        self, scope: MutableMapping[str, Any], receive: Receive, limits: Limits, whole: bytes | None = None
    ) -> None:
        """`whole`: the body, if all of it has come already; there is nothing to `receive` then but the end of the
        connection."""
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_path: bytes = scope.get("raw_path") or self.path.encode()
        """As the client wrote it, without the query."""
        self.query: bytes = scope["query_string"]
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        """Names in lower case."""
        self._by_name: dict[bytes, bytes] = dict(self.headers)
        self.source: str = (scope.get("client") or ("",))[0]
        """The address that it comes from; empty if that is not known."""
        self.scheme: str = scope.get("scheme", "http")
        self.receive = receive
        self.complete = whole is not None
        """Whether the body was read to its end."""
        self._whole = whole
        self._limits = limits

    def header(self, name: bytes) -> bytes:
        """Its last value, empty if there is none."""
        return self._by_name.get(name, b"")

    @property
    def url(self) -> str:
        """Of this server, as the client calls it; empty if it does not say."""
        host = self.header(b"host").decode("latin-1")
        return f"{self.scheme}://{host}" if host else ""

    async def body(self, most: int | None = None) -> bytes:
        """Never holds more of it than `most` bytes, or the limit for all requests. Raises ApiError
        (RequestEntityTooLargeException, RequestTimeoutException) and ClientGoneError.

        A body that is too large is still read, and thrown away, up to a second limit: a client that has not
        finished sending would see a broken connection in place of the answer.
        """
        limits = self._limits
        most = limits.request_bytes if most is None else most
        if self._whole is not None:
            if len(self._whole) > most:
                raise _too_large(most)
            return self._whole
        declared = self.header(b"content-length")
        length = int(declared) if declared.isdigit() else 0
        if length > most and (self.header(b"expect") or length > limits.request_drain_bytes):
            raise _too_large(most)
        try:
            async with asyncio.timeout(limits.request_seconds):
                return await self._read(most)
        except TimeoutError as error:
            text = f"The request body did not arrive within {limits.request_seconds} seconds."
            raise ApiError("RequestTimeoutException", text) from error

    async def _read(self, most: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while not self.complete:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk = message.get("body", b"")
            self.complete = not message.get("more_body", False)
            size += len(chunk)
            if size <= most:
                chunks.append(chunk)
            elif size > self._limits.request_drain_bytes:
                raise _too_large(most)
            else:
                chunks.clear()
        if size > most:
            raise _too_large(most)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def has_body(self) -> bool:
        """As its headers say."""
        return self.header(b"content-length") not in (b"", b"0") or self.header(b"transfer-encoding") != b""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, of any size. Raises ApiError (RequestTimeoutException) and ClientGoneError."""
        while not self.complete:
            try:
                async with asyncio.timeout(self._limits.request_seconds):
                    message = await self.receive()
            except TimeoutError as error:
                text = f"Nothing of the request body arrived for {self._limits.request_seconds} seconds."
                raise ApiError("RequestTimeoutException", text) from error
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self.complete = not message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece

    async def drain(self) -> None:
        """Read what is left of the body and throw it away, up to a limit: a client that has not finished sending would
        see a broken connection in place of the answer. Raises ApiError (RequestTimeoutException), ClientGoneError."""
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > self._limits.request_drain_bytes:
                return

    async def wait_for(self, future: asyncio.Future[Any]) -> bool:
        """Wait until `future` is done; False: the client has gone away before that. The body must have been read.

        The request's own task waits, for the end of the connection, and the future interrupts it: thousands may
        wait like this, and none of them costs a second task.
        """

        def interrupt(_: asyncio.Future[Any]) -> None:
            waiting.reschedule(asyncio.get_running_loop().time())

        try:
            async with asyncio.timeout(None) as waiting:
                future.add_done_callback(interrupt)
                while (await self.receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return True
        finally:
            future.remove_done_callback(interrupt)
        return False


def _too_large(most: int) -> ApiError:
    return ApiError("RequestEntityTooLargeException", f"The request body is larger than {most} bytes.")


class Answer(msgspec.Struct):
    status: int
    content_type: bytes
    body: bytes
    stream: AsyncGenerator[bytes] | None = None
    """What follows after `body`, piece by piece."""
    patience_seconds: float | None = None
    """How long the client may take to accept a piece of the stream. Its connection is closed then."""
    close: bool = False
    """The connection cannot be used again."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Beside those that every answer has."""

    def head(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Its headers."""
        headers = [(b"content-type", self.content_type), (b"x-amzn-requestid", request_id.encode()), *self.headers]
        if self.stream is None and self.status != 204:
            headers.append((b"content-length", b"%d" % len(self.body)))
        if self.close:
            headers.append((b"connection", b"close"))
        return headers

    async def send(self, send: Send, request_id: str) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.head(request_id)})
        if self.stream is None:
            await send({"type": "http.response.body", "body": self.body})
            return
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            async with aclosing(self.stream) as pieces:
                async for piece in pieces:
                    try:
                        async with asyncio.timeout(self.patience_seconds):
                            await send({"type": "http.response.body", "body": piece, "more_body": True})
                    except TimeoutError:
                        return  # an answer that is left unfinished makes the HTTP server close the connection
        except BrokenOffError:
            return
        await send({"type": "http.response.body", "body": b""})


def json_answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, b"application/json", encode(value))


def error_answer(error: ApiError) -> Answer:
    return Answer(error.status, ERROR_CONTENT_TYPE, encode(error.body))


def decoded(body: bytes) -> Any:
    """Raises SerializationException."""
    try:
        return _decode(body)
    except RecursionError as error:
        raise ApiError("SerializationException", "The request body is nested too deeply.") from error
    except ValueError as error:
        raise ApiError("SerializationException", f"The request body is not JSON: {error}") from error
