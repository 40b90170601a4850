"""What Treadle answers beside AWS's services: everything below `/_treadle/`, in one table.

An endpoint is for everybody, for clients (with a signature, if signatures are asked for), or for the
administrator, who always signs: with the key in the file `server.json` of the data folder.
docs/EXTENSIONS.md describes each endpoint for those who use it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from treadle.aws.authentication import Identity
from treadle.aws.errors import ApiError
from treadle.aws.extension.call import Backend, Call
from treadle.aws.extension.code import code
from treadle.aws.extension.forks import fork_execution
from treadle.aws.extension.keys import create_key, list_keys, revoke_key
from treadle.aws.extension.server import health, info, ready
from treadle.aws.extension.services import services
from treadle.aws.extension.stream import execution_events
from treadle.aws.messages import Answer, Request

PREFIX = "/_treadle/"
SIGNING_NAME = "states"
"""The service that requests are signed for: that of Step Functions, so that its clients' credentials serve."""

_NOBODY = Identity(account="", region="")


class Route(Struct, frozen=True):
    method: str
    path: re.Pattern[str]
    """Behind the prefix."""
    whose: Literal["everybody", "client", "administrator"]
    answer: Callable[[Call], Awaitable[Answer]]


ROUTES = (
    Route("GET", re.compile("health"), "everybody", health),
    Route("GET", re.compile("ready"), "everybody", ready),
    # With a token in its URL, for some minutes.
    Route("GET", re.compile("code/(?P<token>[A-Za-z0-9_=-]+)"), "everybody", code),
    Route("GET", re.compile("info"), "client", info),
    Route("GET", re.compile("services"), "client", services),
    # A labelled Map's executions have a slash in their ARN.
    Route("GET", re.compile("executions/(?P<arn>.+)/events"), "client", execution_events),
    Route("POST", re.compile("executions/(?P<arn>.+)/fork"), "client", fork_execution),
    Route("GET", re.compile("keys"), "administrator", list_keys),
    Route("POST", re.compile("keys"), "administrator", create_key),
    Route("DELETE", re.compile("keys/(?P<id>[^/]+)"), "administrator", revoke_key),
)


class TreadleExtension:
    prefix = PREFIX

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def answer(self, request: Request) -> Answer:
        """Raises ApiError, ClientGoneError, StoreUnusable."""
        route, path = _route(request)
        backend = self._backend
        if route.whose == "everybody":
            return await route.answer(Call(backend, request, _NOBODY, path, b""))
        for_administrator = route.whose == "administrator"
        claim = backend.authentication.claim(request, SIGNING_NAME, always=for_administrator)
        body = await request.body()
        identity = claim.prove(body)
        if for_administrator and not identity.administrator:
            text = "Only the administrator of this server may do that: whoever can read its data folder."
            raise ApiError("AccessDeniedException", text)
        return await route.answer(Call(backend, request, identity, path, body))


def _route(request: Request) -> tuple[Route, re.Match[str]]:
    path = request.path.removeprefix(PREFIX)
    for route in ROUTES:
        match = route.path.fullmatch(path)
        heads = request.method == "HEAD" and route.whose == "everybody"
        if match is not None and (heads or route.method == request.method):
            return route, match
    text = f"{request.method} {request.path} is nothing that Treadle serves; see docs/EXTENSIONS.md."
    raise ApiError("UnknownOperationException", text, status=404)
