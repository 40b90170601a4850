"""EventBridge connections: what they add to the request of an HTTP task.

A connection is described by EventBridge (DescribeConnection), and its secrets lie in Secrets Manager (GetSecretValue
of its SecretArn): the two permissions that AWS asks of a machine's role. Both neighbours are asked for each task, so
that a changed password counts at once. The names in a secret are not documented: they are compared without regard to
case and underscores, so that both forms that are known (`ApiKeyValue`, `api_key_value`) do.

    BASIC                        Authorization: Basic ...
    API_KEY                      the header that it names
    OAUTH_CLIENT_CREDENTIALS     Authorization: TYPE TOKEN, with a token of the authorization endpoint (RFC 6749,
                                 section 4.4), which is kept until it runs out or is refused

Beside it come the connection's InvocationHttpParameters.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from treadle.document import decode, encode
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.directory import UnknownNeighbour
from treadle.neighbours.web import Web, WebRequest, WebTrouble
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

_PREFIX = "Events.ConnectionResource."
_FAULTS = {"ResourceNotFoundException": "ResourceNotFound", "AccessDeniedException": "AccessDenied"}
_TOKEN_ANSWER_BYTES = 262_144
_EARLY_SECONDS = 10
"""A token is not used any more so long before it runs out: it has to arrive, too."""
_BODY_METHODS = ("POST", "PUT")


class ConnectionFault(Exception):
    """The connection cannot be used."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        """The error of the task: `Events.ConnectionResource.ResourceNotFound`."""
        self.cause = cause


class Additions(Struct, frozen=True):
    """What a connection adds to a request, and puts in the place of what has the same name there."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, str] = {}
    token: Token | None = None
    """The OAuth token among the headers, if it was used before."""


class Token(Struct, frozen=True, eq=False):
    header: str
    runs_out: float
    """By the clock of the event loop."""


class Connections:
    def __init__(self, web: Web, limits: Limits, may_call: Callable[[str], bool]) -> None:
        """`may_call`: whether a request may go to this URL."""
        self._web = web
        self._limits = limits
        self._may_call = may_call
        self._tokens: OrderedDict[str, Token] = OrderedDict()
        """By the connection and everything that its token was asked for with."""

    async def additions(
        self, arn: str, calls: ServiceCalls, task_token: str, refused: Token | None = None
    ) -> Additions:
        """`refused`: the OAuth token that was not taken. Raises ConnectionFault."""
        described, secret = await self._look_up(arn, calls, task_token)
        parameters = described.get("AuthParameters", {})
        kind = described.get("AuthorizationType")
        used = None
        if kind == "BASIC":
            pair = f"{_find(secret, 'username')}:{_find(secret, 'password')}"
            authorization = ("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
        elif kind == "API_KEY":
            authorization = (_find(secret, "apikeyname"), _find(secret, "apikeyvalue"))
        elif kind == "OAUTH_CLIENT_CREDENTIALS":
            token, is_new = await self._token(arn, parameters.get("OAuthParameters", {}), secret, refused)
            authorization = ("Authorization", token.header)
            used = None if is_new else token
        else:
            raise _invalid_state(f"The authorization type of the connection {arn} is not known: {kind}.")
        invocation = _named(secret, "invocationhttpparameters") or parameters.get("InvocationHttpParameters") or {}
        return Additions(
            headers=(authorization, *_pairs(invocation, "headerparameters")),
            query=tuple(_pairs(invocation, "querystringparameters")),
            body=dict(_pairs(invocation, "bodyparameters")),
            token=used,
        )

    async def _look_up(self, arn: str, calls: ServiceCalls, task_token: str) -> tuple[dict[str, Any], Any]:
        """The description and the secret. Raises ConnectionFault."""
        parts = arn.split(":", 5)
        kind, _, rest = parts[-1].partition("/")
        if len(parts) != 6 or parts[2] != "events" or kind != "connection" or not rest:
            raise _not_found(arn)

        async def ask(client: str, operation: str, members: dict[str, Any]) -> dict[str, Any]:
            model = load(client).operation_model(operation)
            answer = await calls.call(model, members, account=parts[4], region=parts[3], token=task_token)
            return answer.members

        try:
            described = await ask("events", "DescribeConnection", {"Name": rest.partition("/")[0]})
            if described.get("ConnectionArn") != arn:  # another of the same name has taken its place
                raise _not_found(arn)
            if described.get("ConnectionState") != "AUTHORIZED":
                raise _invalid_state(f"The connection {arn} is {described.get('ConnectionState')}.")
            answer = await ask("secretsmanager", "GetSecretValue", {"SecretId": described.get("SecretArn")})
            return described, decode(answer.get("SecretString") or "null")
        except ServiceFault as fault:
            error = _PREFIX + _FAULTS.get(fault.code, "InternalError")
            raise ConnectionFault(error, fault.message) from fault
        except (NeighbourUnavailable, UnknownNeighbour) as error:
            raise ConnectionFault(f"{_PREFIX}InternalError", f"{error}") from error
        except ValueError as error:
            raise _invalid_state(f"The secret of the connection {arn} is not JSON.") from error

    # -- OAuth ---------------------------------------------------------------------------------------------

    async def _token(
        self, arn: str, described: Mapping[str, Any], secret: Any, refused: Token | None
    ) -> tuple[Token, bool]:
        """And whether it is a new one. Raises ConnectionFault."""
        request = _token_request(described, secret)
        key = hashlib.sha256(repr((arn, request)).encode()).hexdigest()
        now = asyncio.get_running_loop().time()
        known = self._tokens.get(key)
        if known is not None and known is not refused and now < known.runs_out:
            self._tokens.move_to_end(key)
            return known, False
        token = await self._fetch_token(request, now)
        self._tokens[key] = token
        while len(self._tokens) > self._limits.oauth_tokens:
            self._tokens.popitem(last=False)
        return token, True

    async def _fetch_token(self, request: WebRequest, now: float) -> Token:
        where = request.url.partition("?")[0]
        if not self._may_call(request.url):
            raise _invalid_state(f"The authorization endpoint {where} must begin with https://.")
        try:
            answer = await self._web.fetch(request, _TOKEN_ANSWER_BYTES)
        except WebTrouble as error:
            raise ConnectionFault("States.Http.Socket", f"The authorization endpoint {where}: {error}.") from error
        try:
            told = decode(answer.body)
        except ValueError:
            told = None
        if not 200 <= answer.status < 300:
            raise _invalid_state(f"The authorization endpoint {where} answered {answer.status}, and not with a token.")
        if not isinstance(told, dict) or not isinstance(told.get("access_token"), str):
            raise _invalid_state(f"The authorization endpoint {where} answered without an access_token.")
        kind, length = told.get("token_type"), told.get("expires_in")
        # Many say `bearer`, and mean the scheme, whose name is `Bearer` (RFC 6750).
        kind = kind if isinstance(kind, str) and kind and kind.lower() != "bearer" else "Bearer"
        try:
            seconds = float(length) if isinstance(length, int | float | str) else self._limits.oauth_token_seconds
        except ValueError:
            seconds = self._limits.oauth_token_seconds
        return Token(f"{kind} {told['access_token']}", now + seconds - _EARLY_SECONDS)


def _token_request(described: Mapping[str, Any], secret: Any) -> WebRequest:
    """The client in the body as a form, or as JSON if the connection's own headers say so; with GET in the query."""
    endpoint = described.get("AuthorizationEndpoint") or _find(secret, "authorizationendpoint")
    method = described.get("HttpMethod") or "POST"
    parameters = _named(secret, "oauthhttpparameters") or described.get("OAuthHttpParameters") or {}
    headers = list(_pairs(parameters, "headerparameters"))
    query = list(_pairs(parameters, "querystringparameters"))
    fields = {
        "grant_type": "client_credentials",
        "client_id": _find(secret, "clientid"),
        "client_secret": _find(secret, "clientsecret"),
        **dict(_pairs(parameters, "bodyparameters")),
    }
    body = None
    if method in _BODY_METHODS:
        kind = next((value for name, value in headers if name.lower() == "content-type"), None)
        if kind is None:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        body = (encode(fields) if kind is not None and "json" in kind.lower() else urlencode(fields)).encode()
    else:
        query += fields.items()
    url = endpoint if not query else f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
    return WebRequest(method=method, url=url, headers=[("Accept", "application/json"), *headers], body=body)


# -- reading what is written in two ways -------------------------------------------------------------------


def _named(value: Any, name: str) -> Any:
    """The member of this name at any depth, however it is capitalised and whether it has underscores."""
    if not isinstance(value, dict):
        return None
    for key, member in value.items():
        if key.replace("_", "").lower() == name:
            return member
    return next((found for member in value.values() if (found := _named(member, name)) is not None), None)


def _find(secret: Any, name: str) -> str:
    """Raises ConnectionFault."""
    found = _named(secret, name)
    if not isinstance(found, str) or not found:
        raise _invalid_state("The secret of the connection does not hold what its authorization type needs.")
    return found


def _pairs(parameters: Any, name: str) -> Iterable[tuple[str, str]]:
    for entry in _named(parameters, name) or ():
        key, value = _named(entry, "key"), _named(entry, "value")
        if isinstance(key, str) and isinstance(value, str):
            yield key, value


def _not_found(arn: str) -> ConnectionFault:
    return ConnectionFault(f"{_PREFIX}ResourceNotFound", f"The connection {arn} does not exist.")


def _invalid_state(cause: str) -> ConnectionFault:
    return ConnectionFault(f"{_PREFIX}InvalidConnectionState", cause)
