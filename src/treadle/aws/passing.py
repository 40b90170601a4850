"""Requests for services that Treadle does not serve itself: passed on to their neighbours, and the answers back.

Bodies pass through piece by piece, however large, and headers as they are, but for those of the connection. Where
requests must be signed, the signature is verified first:

    X-Amz-Content-Sha256              what passes on
    a hash                            the body, piece by piece; the last one only if the hash is right, so that
                                      the neighbour never has the whole of a body that was changed
    STREAMING-AWS4-HMAC-SHA256-...    the same, with the signature of each chunk (chunked_upload.py)
    UNSIGNED-PAYLOAD, STREAMING-UN... the body, piece by piece
    none                              the body, once it is there and its hash was found right

The emulator gets a request in the form that it understands best: the bucket in the path, and a credential scope
that says service and region, also if the request is presigned or not signed at all.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from treadle.aws.addressing import Head, bucket_of_host, service_of
from treadle.aws.authentication import Authentication, Claim, Identity
from treadle.aws.chunked_upload import SIGNED, SIGNED_WITH_TRAILER, SignedChunks
from treadle.aws.credentials import scope_of
from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.messages import Answer, ClientGoneError, Request, Send
from treadle.aws.unserved import refusal
from treadle.limits import Limits
from treadle.neighbours.catalogue import AwsService
from treadle.neighbours.contract import (
    EmulatorMissing,
    Headers,
    Incoming,
    NeighbourUnavailable,
    NotEmulated,
    Outgoing,
)
from treadle.neighbours.directory import Neighbours, UnknownNeighbour
from treadle.neighbours.transport import passed_on

_CONTENT_HASH = b"x-amz-content-sha256"
_HASH = re.compile(r"[0-9a-f]{64}")
_UNSIGNED = "UNSIGNED-PAYLOAD"
_OF_THE_SERVER = frozenset({b"date", b"server"})
"""Headers of answers that our own server writes."""

_log = logging.getLogger(__name__)


class Passing:
    def __init__(self, neighbours: Neighbours, authentication: Authentication, limits: Limits) -> None:
        self._neighbours = neighbours
        self._authentication = authentication
        self._limits = limits

    def service_of(self, request: Request) -> AwsService | None:
        """Raises ApiError."""
        return service_of(
            Head(
                method=request.method,
                path=request.path,
                query=request.query.decode("latin-1"),
                host=request.header(b"host").decode("latin-1").partition(":")[0],
                target=request.header(b"x-amz-target").decode("latin-1"),
                content_type=request.header(b"content-type").decode("latin-1").lower(),
            ),
            scope_of(request.header(b"authorization"), request.query),
        )

    async def answer(self, service: AwsService, request: Request, request_id: str) -> Passed | Answer:
        """Raises ClientGoneError."""
        body = _Body(request)
        try:
            return await self._pass_on(service, request, body)
        except ApiError as error:
            failure = error
        except (EmulatorMissing, NotEmulated) as error:
            failure = ApiError("NotImplementedException", f"Treadle does not serve '{service.name}', and {error}.")
        except NeighbourUnavailable as error:
            # A request whose body ends in the middle is a trouble of the connection to the neighbour, too.
            if isinstance(body.failure, ClientGoneError):
                raise body.failure from error
            failure = body.failure or ApiError("ServiceUnavailable", f"{error}.")
            if body.failure is not None:
                with suppress(ApiError):
                    await request.drain()
        answer = refusal(failure, service, request, request_id)
        answer.close = request.has_body and not request.complete
        return answer

    async def _pass_on(self, service: AwsService, request: Request, body: _Body) -> Passed:
        """Raises ApiError, ClientGoneError, NeighbourUnavailable."""
        if request.header(b"origin") and not request.header(b"authorization"):
            text = "A web page may send signed requests only, with the header Authorization."
            raise ApiError("AccessDeniedException", text, status=403)
        if not self._neighbours.known(service):
            raise not_implemented(f"the service '{service.name}'")
        claim = self._authentication.claim(request, service.signing_name)
        identity = await self._prove(claim, request, body)
        outgoing = self._outgoing(service, request, body, identity)
        try:
            incoming = await self._neighbours.send(service, outgoing)
        except UnknownNeighbour as error:
            # Treadle serves some operations of it, and nobody else is there for this one.
            raise not_implemented(f"this operation of '{service.name}'") from error
        return Passed(incoming, self._limits, close=request.has_body and not request.complete)

    async def _prove(self, claim: Claim, request: Request, body: _Body) -> Identity:
        if not claim.proves:
            return claim.identity
        declared = request.header(_CONTENT_HASH).decode("latin-1")
        if not declared and claim.presigned_object:
            declared = _UNSIGNED
        if declared:
            identity = claim.prove_hash(declared)
            body.check = _check(declared, claim, self._limits)
            if body.check is not None and not request.has_body:
                body.check.end()
            return identity
        body.whole = await request.body(self._limits.neighbour_signed_bytes)
        return claim.prove(body.whole)

    def _outgoing(self, service: AwsService, request: Request, body: _Body, identity: Identity) -> Outgoing:
        headers = passed_on(request.headers)
        target = request.raw_path.decode("latin-1")
        if self._neighbours.endpoint(service) is None:
            target = _for_emulator(service, headers, target, identity)
        if request.query:
            target += f"?{request.query.decode('latin-1')}"
        content: bytes | AsyncIterator[bytes] | None = body.whole
        if content is None and request.has_body:
            content = body.pieces()
        return Outgoing(method=request.method, target=target, headers=headers, body=content, account=identity.account)


def _for_emulator(service: AwsService, headers: Headers, target: str, identity: Identity) -> str:
    """The path that it understands; `headers` are changed."""
    if service.name == "s3":
        # Without a scope it takes a request for S3's, and one that nobody signed for a stranger's.
        for at, (name, value) in enumerate(headers):
            found = bucket_of_host(value.decode("latin-1")) if name == b"host" else None
            if found is not None:
                headers[at] = (name, found[1].encode("latin-1"))
                return f"/{found[0]}{target}"
        return target
    if not any(name == b"authorization" for name, _ in headers):
        scope = f"{identity.account}/20000101/{identity.region}/{service.signing_name}/aws4_request"
        text = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"
        headers.append((b"authorization", text.encode()))
    return target


class _Check(Protocol):
    """Of a body that passes by, against what the signature of its request covers."""

    def feed(self, piece: bytes) -> None:
        """Raises ApiError."""
        ...

    def end(self) -> None:
        """Raises ApiError."""
        ...


def _check(declared: str, claim: Claim, limits: Limits) -> _Check | None:
    """`declared`: X-Amz-Content-Sha256. None: the body is not signed."""
    if _HASH.fullmatch(declared):
        return _Hash(declared)
    if declared not in (SIGNED, SIGNED_WITH_TRAILER) or claim.signature is None or claim.credentials is None:
        return None
    return SignedChunks(
        claim.credentials.secret,
        claim.signature,
        limits.chunk_head_bytes,
        trailer=declared == SIGNED_WITH_TRAILER,
    )


class _Hash:
    """Implements `_Check`."""

    def __init__(self, expected: str) -> None:
        self._expected = expected
        self._seen = hashlib.sha256()

    def feed(self, piece: bytes) -> None:
        self._seen.update(piece)

    def end(self) -> None:
        if self._seen.hexdigest() != self._expected:
            text = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise ApiError("XAmzContentSHA256Mismatch", text)


class _Body:
    """The body of a request that is passed on, and why it could not be."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.whole: bytes | None = None
        """If it was read already."""
        self.check: _Check | None = None
        self.failure: ApiError | ClientGoneError | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """One piece is always held back, for the case that something is wrong with the body."""
        held = b""
        try:
            async for piece in self._request.pieces():
                if self.check is not None:
                    self.check.feed(piece)
                if held:
                    yield held
                held = piece
            if self.check is not None:
                self.check.end()
        except (ApiError, ClientGoneError) as error:
            self.failure = error
            raise
        if held:
            yield held


class Passed(Struct):
    """A neighbour's answer on its way."""

    incoming: Incoming
    limits: Limits
    close: bool
    """The connection cannot be used again."""

    async def send(self, send: Send, request_id: str) -> None:
        """The id is the neighbour's own, if it has one."""
        incoming = self.incoming
        try:
            headers = [(name.lower(), value) for name, value in incoming.headers if name.lower() not in _OF_THE_SERVER]
            if not any(name in (b"x-amzn-requestid", b"x-amz-request-id") for name, _ in headers):
                headers.append((b"x-amzn-requestid", request_id.encode()))
            if self.close:
                headers.append((b"connection", b"close"))
            await send({"type": "http.response.start", "status": incoming.status, "headers": headers})
            async for piece in incoming.pieces():
                async with asyncio.timeout(self.limits.stream_send_seconds):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except (NeighbourUnavailable, TimeoutError) as error:
            # An answer that is left unfinished makes the HTTP server close the connection.
            _log.warning("request %s: the answer broke off: %s", request_id, error)
        finally:
            incoming.close()
