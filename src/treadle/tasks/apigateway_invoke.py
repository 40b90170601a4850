"""`arn:aws:states:::apigateway:invoke`: a request to an API of API Gateway.

Source: "Create API Gateway REST APIs with Step Functions" in the developer guide, and the recordings
services/apigetway_task_service--invoke_*. An ApiEndpoint leads

    ID.execute-api.REGION.amazonaws.com     to the API of that id at this server, or to AWS if the settings name an
                                            endpoint for API Gateway
    ID.execute-api.REGION.localhost[:PORT]  to the API of that id at this server
    http://THIS SERVER/restapis/ID          to the same
    anything else                           over HTTP, with TLS unless it begins with http://

Not known: what AWS does with null values in a body unless AllowNullValues says so. They are left out.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from msgspec import UNSET, Struct

from treadle.document import Document, encode
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.web import Web, WebRequest, WebTrouble
from treadle.tasks.contract import ApiAnswer, ApiCall, Apis, Credentials, TaskOutcome, TaskRequest
from treadle.tasks.http_invoke import body_value
from treadle.tasks.http_request import Misused, check_members
from treadle.tasks.lambda_outcomes import result_too_large
from treadle.tasks.parameters import malformed
from treadle.tasks.service_calls import ServiceCalls

FIELDS = frozenset(
    {
        "ApiEndpoint", "Method", "Headers", "Stage", "Path", "QueryParameters", "RequestBody", "AllowNullValues",
        "AuthType",
    }
)  # fmt: skip
_AUTH_TYPES = ("NO_AUTH", "IAM_ROLE", "RESOURCE_POLICY")
_FORBIDDEN_PREFIXES = ("x-forwarded", "x-amz", "x-amzn")
_FORBIDDEN = frozenset(
    {
        "authorization", "connection", "content-md5", "expect", "host", "max-forwards", "proxy-authenticate", "server",
        "te", "transfer-encoding", "trailer", "upgrade", "via", "www-authenticate",
    }
)  # fmt: skip
_EXECUTE_API = re.compile(r"(?P<id>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.(?P<of>[a-z0-9.-]+)")
_REST_API = re.compile(r"/restapis/(?P<id>[a-z0-9]+)/?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f]")


class _Invocation(Struct, frozen=True, kw_only=True):
    endpoint: str
    method: str
    stage: str
    path: str
    """Decoded, with a slash at its beginning."""
    query: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    body: bytes
    signed: bool


class ApiTasks:
    def __init__(self, web: Web, apis: Apis, limits: Limits, own_host: str, *, aws_is_elsewhere: bool) -> None:
        """`apis`: those at this server. `own_host`: of this server, with its port. `aws_is_elsewhere`: API Gateway has
        an endpoint of its own, so that its APIs are not at this server."""
        self._web = web
        self._limits = limits
        self._own_port = urlsplit(f"//{own_host}").port
        self._aws_is_elsewhere = aws_is_elsewhere
        self._apis = apis

    async def run(self, request: TaskRequest, calls: ServiceCalls) -> TaskOutcome:
        """`calls`: those of the task. The parameters have no `problem`."""
        invocation = _read(request.input.value)
        try:
            answer = await self._call(invocation, request, calls)
        except (WebTrouble, NeighbourUnavailable) as error:
            return TaskOutcome(error="ApiGateway.SdkClientException", cause=f"Unable to execute HTTP request: {error}")
        text = answer.body.decode("utf-8", "replace")
        if not 200 <= answer.status < 300:
            return TaskOutcome(error=f"ApiGateway.{answer.status}", cause=text[: self._limits.cause_characters])
        headers: dict[str, list[str]] = {}
        for name, value in answer.headers:
            headers.setdefault(name, []).append(value)
        kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "").lower()
        result = {
            "Headers": dict(sorted(headers.items(), key=lambda header: header[0].lower())),
            "ResponseBody": body_value(text, kind),
            "StatusCode": answer.status,
            "StatusText": http.client.responses.get(answer.status, ""),
        }
        output = Document(result)
        if len(answer.body) > self._limits.payload_bytes or output.size > self._limits.payload_bytes:
            return result_too_large(request.resource.resource_type)
        return TaskOutcome(output=output)

    async def _call(self, invocation: _Invocation, request: TaskRequest, calls: ServiceCalls) -> ApiAnswer:
        """Raises WebTrouble, NeighbourUnavailable."""
        here = self._here(invocation.endpoint)
        if here is not None:
            api_id, region = here
            return await self._apis.invoke(
                ApiCall(
                    account=request.account,
                    region=region or request.region,
                    api_id=api_id,
                    stage=invocation.stage,
                    method=invocation.method,
                    path=invocation.path,
                    query=invocation.query,
                    headers=invocation.headers,
                    body=invocation.body,
                    signed=invocation.signed,
                    source="127.0.0.1",
                )
            )
        sent = _outgoing(invocation)
        if invocation.signed:
            credentials = await calls.credentials()
            sent = _signed(sent, credentials or Credentials.unverified(request.account), request.region)
        answer = await self._web.fetch(sent, self._limits.payload_bytes + 1)
        return ApiAnswer(status=answer.status, headers=answer.headers, body=answer.body)

    def _here(self, endpoint: str) -> tuple[str, str | None] | None:
        """The id of an API at this server, and its region if the endpoint says it."""
        parts = urlsplit(endpoint)
        host = (parts.hostname or "").lower()
        named = _EXECUTE_API.fullmatch(host)
        if named is not None and (named["of"] == "localhost" or named["of"].startswith("localhost.")):
            return named["id"], named["region"]
        if named is not None and named["of"].startswith("amazonaws.com"):
            return None if self._aws_is_elsewhere else (named["id"], named["region"])
        path = _REST_API.fullmatch(parts.path)
        loopback = host in ("localhost", "::1") or host.startswith("127.0.0.") or host.endswith(".localhost")
        if path is not None and loopback and parts.port == self._own_port:
            return path["id"], None
        return None


def problem(parameters: Any) -> str | None:
    """What Step Functions has against the parameters of a task, or None."""
    try:
        _read(parameters)
    except Misused as error:
        return str(error)
    return None


def _read(parameters: Any) -> _Invocation:
    """Raises Misused."""
    check_members(parameters, FIELDS)
    if parameters.get("AuthType", "NO_AUTH") not in _AUTH_TYPES:
        raise Misused(malformed("AuthType"))
    if not isinstance(parameters.get("AllowNullValues", False), bool):
        raise Misused(malformed("AllowNullValues"))
    path = _text(parameters, "Path")
    return _Invocation(
        endpoint=_endpoint(parameters["ApiEndpoint"]),
        method=parameters["Method"],
        stage=_text(parameters, "Stage").strip("/"),
        path=f"/{unquote(path.lstrip('/'))}",
        query=list(_lists(parameters, "QueryParameters")),
        headers=list(_headers(parameters)),
        body=_body(parameters),
        signed=parameters.get("AuthType", "NO_AUTH") != "NO_AUTH",
    )


def _endpoint(text: Any) -> str:
    """With a scheme."""
    if isinstance(text, str) and not _NOT_IN_URLS.search(text):
        url = text if "://" in text else f"https://{text}"
        try:
            parts = urlsplit(url)
            if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and parts.username is None:
                return url
        except ValueError:
            pass
    raise Misused(malformed("ApiEndpoint"))


def _text(parameters: Mapping[str, Any], field: str) -> str:
    value = parameters.get(field) or ""
    if not isinstance(value, str):
        raise Misused(malformed(field))
    return value


def _lists(parameters: Mapping[str, Any], field: str) -> Iterator[tuple[str, str]]:
    """A header or a query parameter is given as the list of its values (recorded:
    services/apigetway_task_service--invoke_with_headers--singleStringHeader)."""
    value = parameters.get(field)
    if value is not None and not isinstance(value, dict):
        raise Misused(malformed(field))
    for name, texts in (value or {}).items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise Misused(malformed(field))
        yield from ((name, text) for text in texts)


def _headers(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, text in _lists(parameters, "Headers"):
        if name.lower() in _FORBIDDEN or name.lower().startswith(_FORBIDDEN_PREFIXES):
            raise Misused(f"The header '{name}' is not supported by Step Functions")
        if not _HEADER_NAME.fullmatch(name) or _UNPRINTABLE.search(text):
            raise Misused(malformed("Headers"))
        yield name, text


def _body(parameters: Mapping[str, Any]) -> bytes:
    body = parameters.get("RequestBody", UNSET)
    if body is UNSET or body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8", "replace")
    return encode(body if parameters.get("AllowNullValues") else _without_nulls(body)).encode()


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


# -- to somewhere else -------------------------------------------------------------------------------------


def _outgoing(invocation: _Invocation) -> WebRequest:
    path = f"/{invocation.stage}{invocation.path}" if invocation.stage else invocation.path
    url = invocation.endpoint.rstrip("/") + quote(path, safe="/:@!$&'()*+,;=~")
    if invocation.query:
        url += f"?{urlencode(invocation.query)}"
    headers = invocation.headers
    if invocation.body and not any(name.lower() == "content-type" for name, _ in headers):
        headers = [("Content-Type", "application/json"), *headers]
    return WebRequest(method=invocation.method, url=url, headers=headers, body=invocation.body or None)


def _signed(sent: WebRequest, credentials: Credentials, region: str) -> WebRequest:
    from treadle.tasks.service_wire import signed_headers

    added = signed_headers(sent.method, sent.url, sent.headers, sent.body, "execute-api", credentials, region)
    return WebRequest(method=sent.method, url=sent.url, headers=[*sent.headers, *added], body=sent.body)
