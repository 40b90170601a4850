"""The one endpoint: a raw ASGI application that finds out which service and operation a request is for.

A request passes through these steps, and the first that objects answers it; nothing has happened until then:

1. the credential scope of the signature: region and service, which may be one that Treadle does not serve;
2. method and path: `POST /`, or `GET /_treadle/health`;
3. X-Amz-Target: the service and the operation (never the Host header: api.md section 1.1);
4. the content type that the service's version of AWS JSON has;
5. the body, read up to a limit of size and of time, then decoded;
6. the service: types, constraints, rules, effect.

A web page cannot make a browser send such a request to a server on the same machine: X-Amz-Target and the
content type need the consent of a preflight request, and the door consents to none.

Run it under a server that sends no lifespan events and takes no websockets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import msgspec

from treadle.aws.credentials import Scope, scope_of
from treadle.aws.errors import ApiError
from treadle.aws.service import Caller, Service
from treadle.aws.unserved import UnservedError
from treadle.limits import Limits
from treadle.store.contract import StoreUnusable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEALTH_PATH = "/_treadle/health"

_logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_ERROR_CONTENT_TYPE = b"application/x-amz-json-1.0"


class _ClientGoneError(Exception):
    """The client closed the connection before its request was complete: there is nobody to answer."""


class _Answer(msgspec.Struct):
    status: int
    content_type: bytes
    body: bytes
    close: bool = False
    """The request was not read to its end: the connection cannot be used again."""


class Door:
    def __init__(
        self,
        services: Iterable[Service],
        limits: Limits,
        *,
        on_failure: Callable[[StoreUnusable], None] = lambda error: None,
    ) -> None:
        """`on_failure` is told, with each request that meets it, that the store cannot be used any more."""
        self._on_failure = on_failure
        self._services = {service.target_prefix: service for service in services}
        self._signing_names = {service.signing_name for service in self._services.values()}
        self._limits = limits
        self._health = _encode({"status": "running", "version": version("treadle")})

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the door takes HTTP requests only, not {scope['type']}")
        request_id = str(uuid4())
        try:
            answer = await self._answer(scope, receive, request_id)
        except _ClientGoneError:
            return
        except UnservedError as error:
            xml = _Answer(error.status, b"text/xml", error.xml(request_id))
            answer = xml if error.reads_xml else _error_answer(error)
        except ApiError as error:
            answer = _error_answer(error)
        except StoreUnusable as error:
            self._on_failure(error)
            answer = _error_answer(ApiError("ServiceUnavailable", str(error)))
        except Exception:
            _logger.exception("request %s failed", request_id)
            text = f"Treadle has a bug; its log has the details of request {request_id}."
            answer = _error_answer(ApiError("InternalFailure", text))
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-amzn-requestid", request_id.encode()),
        ]
        if answer.close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, request_id: str) -> _Answer:
        method, path = scope["method"], scope["path"]
        if path == HEALTH_PATH and method in ("GET", "HEAD"):
            return _Answer(200, b"application/json", self._health)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        signed = scope_of(headers.get(b"authorization", b""), scope["query_string"])
        service, operation = self._route(method, path, headers, signed)
        reader = _BodyReader(headers, receive, self._limits)
        try:
            body = await reader.read()
        except ApiError as error:
            answer = _error_answer(error)
            answer.close = not reader.complete
            return answer
        trace = headers.get(b"x-amzn-trace-id")
        caller = Caller(signed.region, request_id, None if trace is None else trace.decode("latin-1"))
        answered = await service.serve(operation, _decoded(body), caller)
        return _Answer(200, service.content_type.encode(), _encode(answered))

    def _route(self, method: str, path: str, headers: dict[bytes, bytes], signed: Scope) -> tuple[Service, str]:
        """The service and the operation that are asked for. Raises ApiError."""
        target = headers.get(b"x-amz-target", b"").decode("latin-1")
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        prefix, _, operation = target.partition(".")
        service = self._services.get(prefix)
        if service is None and signed.service is not None and signed.service not in self._signing_names:
            raise UnservedError(signed.service, content_type)
        if method != "POST" or path != "/":
            text = f"{method} {path} is no AWS API request; those are POST / with the header X-Amz-Target."
            raise ApiError("UnknownOperationException", text, status=404)
        if service is None or not service.has_operation(operation):
            text = f"'{target}' is no operation." if target else "The header X-Amz-Target is missing."
            raise ApiError("UnknownOperationException", text)
        _check_content_type(content_type, service)
        return service, operation


def _error_answer(error: ApiError) -> _Answer:
    return _Answer(error.status, _ERROR_CONTENT_TYPE, _encode(error.body))


def _check_content_type(given: str, service: Service) -> None:
    if given != service.content_type and given.partition(";")[0].strip().lower() != service.content_type:
        text = f"The content type must be {service.content_type}, not '{given}'."
        raise ApiError("UnknownOperationException", text, status=404)


def _decoded(body: bytes) -> Any:
    try:
        return _decode(body)
    except RecursionError as error:
        raise ApiError("SerializationException", "The request body is nested too deeply.") from error
    except ValueError as error:
        raise ApiError("SerializationException", f"The request body is not JSON: {error}") from error


class _BodyReader:
    """Reads a request's body, never holding more of it than the limit.

    A body that is too large is still read, and thrown away, up to a second limit: a client that has not
    finished sending would see a broken connection in place of the answer.
    """

    def __init__(self, headers: dict[bytes, bytes], receive: Receive, limits: Limits) -> None:
        declared = headers.get(b"content-length", b"0")
        self._declared = int(declared) if declared.isdigit() else 0
        self._waits_for_consent = b"expect" in headers
        self._receive = receive
        self._limits = limits
        self.complete = False

    async def read(self) -> bytes:
        """Raises ApiError (RequestEntityTooLargeException, RequestTimeoutException)."""
        limits = self._limits
        if self._declared > limits.request_bytes and (
            self._waits_for_consent or self._declared > limits.request_drain_bytes
        ):
            raise self._too_large()
        try:
            async with asyncio.timeout(limits.request_seconds):
                return await self._read()
        except TimeoutError as error:
            text = f"The request body did not arrive within {limits.request_seconds} seconds."
            raise ApiError("RequestTimeoutException", text) from error

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while not self.complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _ClientGoneError
            chunk = message.get("body", b"")
            self.complete = not message.get("more_body", False)
            size += len(chunk)
            if size <= self._limits.request_bytes:
                chunks.append(chunk)
            elif size > self._limits.request_drain_bytes:
                raise self._too_large()
            else:
                chunks.clear()
        if size > self._limits.request_bytes:
            raise self._too_large()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self) -> ApiError:
        text = f"The request body is larger than {self._limits.request_bytes} bytes."
        return ApiError("RequestEntityTooLargeException", text)
