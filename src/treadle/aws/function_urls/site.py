"""Function URLs as they are called over HTTP.

A request passes through these steps, and the first that objects answers it: the URL must be there; preflight requests
are answered from the URL's Cors; with AuthType AWS_IAM it must be signed for `lambda`, by the function's own account
(and the signature is verified wherever this server asks for signatures at all); its body must not be too large. Then
the function is invoked, and what it answers is read as payload format 2.0 has it.

With InvokeMode RESPONSE_STREAM the answer goes out as the handler writes it; whoever hangs up ends the invocation. A
handler that fails when the answer has begun leaves it unfinished: the connection is closed, so that nobody takes it
for complete.

A page of the web may call a URL without authentication, as on Lambda: that is what it is there for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any, Protocol
from uuid import uuid4

from msgspec import Struct

from treadle.aws.authentication import Authentication
from treadle.aws.credentials import scope_of
from treadle.aws.errors import ApiError
from treadle.aws.function_urls.cors import preflight, with_cors
from treadle.aws.function_urls.payload import (
    METADATA_END,
    BadAnswerError,
    Head,
    answer_of,
    event_of,
    metadata_of,
)
from treadle.aws.function_urls.settings import UrlSettings, id_and_path, id_of_host, settings_of
from treadle.aws.functions.invoke_stream import StreamedInvocation
from treadle.aws.messages import Answer, BrokenOffError, Request, json_answer
from treadle.clock import Clock
from treadle.functions.answer_stream import AnswerStream
from treadle.functions.contract import FunctionNotFound, FunctionThrottled, Invocation
from treadle.functions.created import FunctionArn
from treadle.limits import Limits
from treadle.store.event_source_contract import EventSourceStore, FunctionUrl

_SERVICE = "lambda"
_METADATA = "application/vnd.awslambda.http-integration-response"
"""The content type of a streamed answer that begins with metadata."""
_PORTS = {"http": 80, "https": 443}
_WITHOUT_BODY = (204, 304)

_log = logging.getLogger(__name__)


class Invoker(Protocol):
    """The functions, as far as URLs need them."""

    async def invoke(
        self, name: str, payload: bytes, *, function_arn: str, request_id: str, stream: AnswerStream | None
    ) -> Invocation:
        """Raises FunctionNotFound, FunctionThrottled."""
        ...


class _Called(Struct, frozen=True):
    """One call of a URL."""

    request: Request
    url: FunctionUrl
    settings: UrlSettings
    path: str
    request_id: str

    @property
    def arn(self) -> str:
        qualifier = self.url.qualifier
        return f"{self.url.function_arn}:{qualifier}" if qualifier else self.url.function_arn


class FunctionUrlSite:
    """Implements `door.Site`."""

    def __init__(
        self,
        store: EventSourceStore,
        functions: Invoker,
        authentication: Authentication,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._store = store
        self._functions = functions
        self._authentication = authentication
        self._clock = clock
        self._limits = limits

    def has_host(self, name: str) -> bool:
        return id_of_host(name) is not None

    def speaks(self, request: Request) -> bool:
        return id_and_path(request) is not None

    async def answer(self, request: Request) -> Answer:
        """Raises ClientGoneError."""
        try:
            return await self._answer(request)
        except ApiError as error:
            kind, message = error.body["__type"], error.body["message"]
            answer = _refused(error.status if error.status in (413, 429) else 403, message, kind)
            answer.close = request.has_body and not request.complete
            return answer

    async def _answer(self, request: Request) -> Answer:
        """Raises ApiError, ClientGoneError."""
        found = id_and_path(request)
        assert found is not None, "it was found a moment ago"
        id, path = found
        url = await self._store.function_url_of_id(id)
        if url is None:
            raise _forbidden()
        called = _Called(request, url, settings_of(url), path, str(uuid4()))
        if called.settings.cors is not None:
            answer = preflight(called.settings.cors, request)
            if answer is not None:
                return answer
        context, body = await self._let_in(called)
        return await self._invoke(called, self._event(called, context, body))

    async def _let_in(self, called: _Called) -> tuple[dict[str, Any], bytes]:
        """What the event says of the caller, and the body. Raises ApiError, ClientGoneError."""
        request, most = called.request, self._limits.function_request_bytes
        if called.settings.auth_type == "NONE":
            return {"accountId": "anonymous"}, await request.body(most)
        scope = scope_of(request.header(b"authorization"), request.query)
        if scope is None or scope.service != _SERVICE:
            raise _forbidden()
        claim = self._authentication.claim(request, _SERVICE)
        body = await request.body(most)
        identity = claim.prove(body)
        if identity.account != FunctionArn.read(called.url.function_arn).account:
            raise _forbidden()
        account, key = identity.account, scope.access_key_id
        caller = {
            "accessKey": key,
            "accountId": account,
            "callerId": key,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": f"arn:aws:iam::{account}:root",
            "userId": key,
        }
        return {"accountId": account, "authentication": None, "authorizer": {"iam": caller}}, body

    def _event(self, called: _Called, context: dict[str, Any], body: bytes) -> bytes:
        request, id = called.request, called.url.id
        host, _, port = request.header(b"host").decode("latin-1").partition(":")
        told = {
            **context,
            "apiId": id,
            "domainName": host,
            "domainPrefix": id,
            "requestId": called.request_id,
        }
        trace = request.header(b"x-amzn-trace-id").decode("latin-1") or None
        number = int(port) if port.isdecimal() else _PORTS.get(request.scheme, 80)
        return event_of(request, called.path, body, told, number, trace, self._clock.now())

    # -- the answer ----------------------------------------------------------------------------------------

    async def _invoke(self, called: _Called, event: bytes) -> Answer:
        """Raises ApiError."""
        streams = called.settings.invoke_mode == "RESPONSE_STREAM"
        stream = AnswerStream(self._limits) if streams else None
        work = asyncio.create_task(
            self._functions.invoke(
                FunctionArn.read(called.url.function_arn).name,
                event,
                function_arn=called.arn,
                request_id=called.request_id,
                stream=stream,
            )
        )
        try:
            if stream is None:
                return self._buffered(called, await work)
            invocation = StreamedInvocation(work, stream)
            await invocation.begun(called.request.wait_for)
            if stream.content_type is None and invocation.result is not None:
                return self._buffered(called, invocation.result)
            return await self._streamed(called, invocation)
        except FunctionNotFound as error:
            raise _forbidden() from error
        except FunctionThrottled as error:
            raise ApiError("TooManyRequestsException", "Rate Exceeded.") from error
        except BaseException:
            work.cancel()
            raise

    def _buffered(self, called: _Called, invocation: Invocation) -> Answer:
        if invocation.function_error is not None:
            return _failed()
        try:
            head, body = answer_of(invocation.payload)
        except BadAnswerError as error:
            _log.warning("%s answered its URL with something else than HTTP: %s", called.arn, error)
            return _failed()
        return _written(called, head, b"" if head.status in _WITHOUT_BODY else body)

    async def _streamed(self, called: _Called, invocation: StreamedInvocation) -> Answer:
        pieces = invocation.pieces(called.request.wait_for)
        first, head = b"", Head(200, invocation.stream.content_type or "", [])
        if head.content_type == _METADATA:
            try:
                head, first = await self._metadata(pieces)
            except BadAnswerError as error:
                _log.warning("%s answered its URL with something else than HTTP: %s", called.arn, error)
                invocation.close()
                return _failed()
        answer = _written(called, head, first)
        answer.stream = _rest(invocation, pieces)
        answer.patience_seconds = self._limits.stream_send_seconds
        return answer

    async def _metadata(self, pieces: AsyncGenerator[bytes]) -> tuple[Head, bytes]:
        """And what has come behind it. Raises BadAnswerError."""
        came = b""
        async for piece in pieces:
            came += piece
            head, end, body = came.partition(METADATA_END)
            if end:
                return metadata_of(head), body
            if len(came) > self._limits.function_url_metadata_bytes:
                break
        raise BadAnswerError("its metadata have no end")


async def _rest(invocation: StreamedInvocation, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        async for piece in pieces:
            yield piece
        if invocation.result is None or invocation.result.function_error is not None:
            raise BrokenOffError
    finally:
        invocation.close()


def _written(called: _Called, head: Head, body: bytes) -> Answer:
    headers = head.headers
    if called.settings.cors is not None:
        headers = with_cors(called.settings.cors, called.request, headers)
    raw = tuple((name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers)
    return Answer(head.status, head.content_type.encode("latin-1", "replace"), body, headers=raw)


def _failed() -> Answer:
    return Answer(502, b"application/json", b"Internal Server Error")


def _refused(status: int, message: str, kind: str) -> Answer:
    answer = json_answer({"Message": message}, status)
    answer.headers = ((b"x-amzn-errortype", kind.encode()),)
    return answer


def _forbidden() -> ApiError:
    return ApiError("AccessDeniedException", "Forbidden", status=403)
