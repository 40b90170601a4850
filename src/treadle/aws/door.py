"""The one endpoint: a raw ASGI application that finds out which service and operation a request is for.

A request passes through these steps, and the first that objects answers it; nothing has happened until then:

1. the host, or the path: what users have made to be called, a function's URL (function_urls/) or an API of API Gateway
   (execute_api/). Else what stands below `/_treadle/` is Treadle's own and no AWS service (extension/);
2. the protocol and the service. X-Amz-Target names a service behind AWS JSON; otherwise the credential scope of the
   signature names one behind REST-JSON, or, if there is none, the service that has an operation of this method and
   path. What is for a service that Treadle does not serve is passed on (addressing.py, passing.py);
3. the operation, as the protocol has it (aws_json.py, rest_json.py);
4. who sends it: key, time and scope of the signature, if signatures are asked for (authentication.py);
5. the body, read up to a limit of size and of time;
6. the signature itself, which covers the body; then the body is decoded;
7. the service: types, constraints, rules, effect.

A web page cannot make a browser send such a request to a server on the same machine. X-Amz-Target and the content
type of AWS JSON need the consent of a preflight request, and the door consents to none. A REST request may need
none: so one that comes from a page (with the header Origin) must have the header Authorization, which does.

Run it under a server that sends no lifespan events and takes no websockets. What most requests are, a
small `POST /` for a service behind AWS JSON, has a shorter way to the same steps (`answer_whole`, short_way.py).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from treadle.aws.admission import Admission
from treadle.aws.authentication import Authentication
from treadle.aws.aws_json import AwsJson
from treadle.aws.credentials import Scope, scope_of
from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.job_services.services import JobServices
from treadle.aws.messages import Answer, ClientGoneError, Receive, Request, Send, error_answer
from treadle.aws.passing import Passed, Passing
from treadle.aws.random_ids import random_id
from treadle.aws.rest_json import RestJson
from treadle.aws.service import Asked, Caller, JsonService, RestService
from treadle.aws.unserved import refusal
from treadle.limits import Limits
from treadle.neighbours.catalogue import AwsService
from treadle.store.contract import StoreUnavailable, StoreUnusable

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_HOSTS_REMEMBERED = 1_024
"""By how many names of the server's it is remembered that they are no site's."""


class Extension(Protocol):
    """What Treadle answers beside the services of AWS."""

    prefix: str
    """Of the paths that are its own."""

    async def answer(self, request: Request) -> Answer: ...


class Site(Protocol):
    """What answers at hosts or paths of its own, and is no service of AWS but something that a user has made there."""

    def has_host(self, name: str) -> bool:
        """Whether everything that is sent to this host, without its port, is for it."""
        ...

    def speaks(self, request: Request) -> bool: ...

    async def answer(self, request: Request) -> Answer:
        """Raises ApiError, ClientGoneError."""
        ...


class Door:
    def __init__(
        self,
        services: Iterable[JsonService],
        limits: Limits,
        authentication: Authentication,
        extension: Extension,
        passing: Passing,
        admission: Admission,
        *,
        rest_services: Iterable[RestService] = (),
        sites: Iterable[Site] = (),
        jobs: JobServices | None = None,
        on_failure: Callable[[StoreUnusable], None] = lambda error: None,
    ) -> None:
        """`on_failure` is told, with each request that meets it, that the store cannot be used any more."""
        self._on_failure = on_failure
        self._aws_json = AwsJson(services, admission)
        rest = (RestJson(service, admission) for service in rest_services)
        self._rest = {protocol.signing_name: protocol for protocol in rest}
        self._limits = limits
        self._authentication = authentication
        self._extension = extension
        self._passing = passing
        self._sites = tuple(sites)
        self._is_of_site = lru_cache(maxsize=_HOSTS_REMEMBERED)(self._has_site)
        self._jobs = jobs

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the door takes HTTP requests only, not {scope['type']}")
        request_id = random_id()
        request = Request(scope, receive, self._limits)
        try:
            answer = await self._guarded(
                self._answer(request, request_id),
                request_id,
                lambda error: refusal(error, None, request, request_id),
            )
        except ClientGoneError:
            return
        try:
            await answer.send(send, request_id)
        except StoreUnusable as error:  # in the midst of a stream
            self._on_failure(error)
        except StoreUnavailable as error:
            _logger.info("an answer was broken off: %s", error)

    def takes_whole(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request `POST /` with these headers is for a service behind AWS JSON, so that `answer_whole` may
        have it."""
        target, host = headers.get(b"x-amz-target", b""), headers.get(b"host", b"")
        return self._aws_json.serves(target) and not self._is_of_site(host)

    async def answer_whole(self, request: Request) -> tuple[Answer, str]:
        """The answer, never a stream, to a request that `takes_whole` said yes to and whose body is there; and the id
        of the request. Raises ClientGoneError."""
        request_id = random_id()
        try:
            asked = self._aws_json.find(request)
        except ApiError as error:
            return error_answer(error), request_id
        return await self._guarded(self._carry_out(asked, request, request_id), request_id, asked.refusal), request_id

    def _has_site(self, host: bytes) -> bool:
        name = host.decode("latin-1").partition(":")[0]
        return any(site.has_host(name) for site in self._sites)

    async def _guarded(self, work: Awaitable[T], request_id: str, refusal: Callable[[ApiError], Answer]) -> T | Answer:
        """The answer, or else the error that there is in its place. Raises ClientGoneError."""
        try:
            return await work
        except ClientGoneError:
            raise
        except ApiError as error:
            return refusal(error)
        except StoreUnusable as error:
            self._on_failure(error)
            return refusal(ApiError("ServiceUnavailable", str(error)))
        except StoreUnavailable as error:
            return refusal(ApiError("ServiceUnavailable", str(error)))
        except Exception:
            _logger.exception("request %s failed", request_id)
            text = f"Treadle has a bug; its log has the details of request {request_id}."
            return refusal(ApiError("InternalFailure", text))

    async def _answer(self, request: Request, request_id: str) -> Answer | Passed:
        site = next((site for site in self._sites if site.speaks(request)), None)
        if site is not None:
            return await site.answer(request)
        if request.path.startswith(self._extension.prefix):
            return await self._extension.answer(request)
        asked = self._find(request)
        if isinstance(asked, AwsService):
            return await self._passing.answer(asked, request, request_id)
        return await self._guarded(self._carry_out(asked, request, request_id), request_id, asked.refusal)

    async def _carry_out(self, asked: Asked, request: Request, request_id: str) -> Answer:
        claim = self._authentication.claim(request, asked.signing_name)
        try:
            body = await request.body(asked.body_bytes)
        except ApiError as error:
            answer = asked.refusal(error)
            answer.close = not request.complete
            return answer
        identity = claim.prove(body)
        trace = request.header(b"x-amzn-trace-id")
        caller = Caller(
            identity.account,
            identity.region,
            request_id,
            trace.decode("latin-1") if trace else None,
            url=request.url,
            wait_for=request.wait_for,
        )
        return await asked.answer(body, caller)

    def _find(self, request: Request) -> Asked | AwsService:
        """The operation that is asked for, or the service, if it is not one of our own. Raises ApiError."""
        if self._aws_json.speaks(request):
            return self._aws_json.find(request)
        job = None if self._jobs is None else self._jobs.find(request)
        if job is not None:
            return job
        scope = scope_of(request.header(b"authorization"), request.query)
        if scope is None:
            rest = next((each for each in self._rest.values() if each.speaks(request)), None)
        else:
            rest = self._rest.get(scope.service)
        if rest is None:
            return self._elsewhere(request, scope)
        if request.header(b"origin") and not request.header(b"authorization"):
            text = "A web page may send signed requests only, with the header Authorization."
            raise ApiError("AccessDeniedException", text, status=403)
        return rest.find(request)

    def _elsewhere(self, request: Request, scope: Scope | None) -> Asked | AwsService:
        if scope is None or scope.service not in self._aws_json.signing_names:
            service = self._passing.service_of(request)
            if service is not None and service.signing_name not in self._aws_json.signing_names:
                return service
            if scope is not None:
                raise not_implemented(f"the service '{scope.service}'")
        return self._aws_json.find(request)
