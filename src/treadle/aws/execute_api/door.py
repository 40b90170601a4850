"""Calls of REST APIs as they come in over HTTP.

    Host: ID.execute-api.REGION.ANYTHING    /STAGE/PATH
    any host                                /restapis/ID/STAGE/PATH, /restapis/ID/STAGE/_user_request_/PATH

The second form needs no name that the client can look up. It has the paths of API Gateway's own operations, which are
always signed: a call is not signed, or signed for execute-api. The third is LocalStack's.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from treadle.aws.authentication import Authentication
from treadle.aws.credentials import scope_of
from treadle.aws.errors import ApiError
from treadle.aws.messages import Answer, Request
from treadle.limits import Limits
from treadle.neighbours.transport import passed_on
from treadle.tasks.contract import ApiCall, Apis

SIGNING_NAME = "execute-api"
_HOST = re.compile(r"(?P<id>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\..+", re.IGNORECASE)
_PATH = re.compile(r"/restapis/(?P<id>[a-z0-9]+)(?P<rest>/[^/]+.*)")
_OF_THE_ANSWER = frozenset({b"content-length", b"content-type", b"date", b"server", b"x-amzn-requestid"})
"""Headers that our own server writes."""


class ApiDoor:
    def __init__(self, apis: Apis, authentication: Authentication, limits: Limits) -> None:
        self._apis = apis
        self._authentication = authentication
        self._limits = limits

    def has_host(self, name: str) -> bool:
        return _HOST.fullmatch(name) is not None

    def speaks(self, request: Request) -> bool:
        if self.has_host(_host(request)):
            return True
        if not request.path.startswith("/restapis/") or not _PATH.fullmatch(request.path):
            return False
        scope = scope_of(request.header(b"authorization"), request.query)
        return scope is None or scope.service == SIGNING_NAME

    async def answer(self, request: Request) -> Answer:
        """Raises ApiError, ClientGoneError."""
        if request.header(b"origin") and not request.header(b"authorization"):
            text = "A web page may send signed requests only, with the header Authorization."
            raise ApiError("AccessDeniedException", text, status=403)
        signed = scope_of(request.header(b"authorization"), request.query) is not None
        claim = self._authentication.claim(request, SIGNING_NAME) if signed else None
        body = await request.body(self._limits.api_body_bytes)
        identity = None if claim is None else claim.prove(body)
        at_host = _HOST.fullmatch(_host(request))
        at_path = None if at_host is not None else _PATH.fullmatch(request.path)
        path = request.path if at_path is None else at_path["rest"]
        found = at_host or at_path
        assert found is not None, "it was found a moment ago"
        stage, _, rest = path.lstrip("/").partition("/")
        answer = await self._apis.invoke(
            ApiCall(
                account=None if identity is None else identity.account,
                region=at_host["region"] if at_host is not None else None if identity is None else identity.region,
                api_id=found["id"].lower(),
                stage=stage,
                method=request.method,
                path=f"/{rest.removeprefix('_user_request_').lstrip('/')}",
                query=_query(request.query),
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers],
                body=body,
                signed=signed,
                source=request.source,
            )
        )
        headers = passed_on(
            (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, value in answer.headers
        )
        kind = next((value for name, value in headers if name == b"content-type"), b"application/json")
        kept = tuple((name, value) for name, value in headers if name not in _OF_THE_ANSWER)
        return Answer(answer.status, kind, answer.body, headers=kept)


def _host(request: Request) -> str:
    return request.header(b"host").decode("latin-1").partition(":")[0]


def _query(query: bytes) -> list[tuple[str, str]]:
    """Decoded as forms are: a plus sign is a blank."""
    pairs = []
    for part in query.decode("latin-1").split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote(name.replace("+", " ")), unquote(value.replace("+", " "))))
    return pairs
