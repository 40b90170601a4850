"""Requests to function URLs as events, and what functions answer as HTTP: payload format 2.0.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from msgspec import Struct

from treadle.aws.messages import Request
from treadle.document import decode, encode

METADATA_END = bytes(8)
"""What stands between metadata and body in a streamed answer."""
_TEXTS = re.compile(r"text/.*|application/(json|javascript|xml)|.*\+(json|xml)", re.IGNORECASE)
"""Content types whose bodies stand in an event as they are."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OF_THE_SERVER = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-amzn-requestid",
    }
)
"""Headers that our own server writes."""
_JSON = "application/json"


class BadAnswerError(Exception):
    """What the function answered is no HTTP answer."""


class Head(Struct, frozen=True):
    """Of an answer."""

    status: int
    content_type: str
    headers: list[tuple[str, str]]
    """Names in lower case, without the content type."""


# -- the event ---------------------------------------------------------------------------------------------


def event_of(
    request: Request, path: str, body: bytes, context: dict[str, Any], port: int, trace_id: str | None, now: int
) -> bytes:
    """`path`: behind the URL of the function. `context`: what the request context says of function and caller. `now`:
    milliseconds since the epoch."""
    headers, cookies = _headers(request)
    query = request.query.decode("latin-1")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        **({"cookies": cookies} if cookies else {}),
        "headers": {
            **headers,
            "x-forwarded-for": request.source,
            "x-forwarded-port": str(port),
            "x-forwarded-proto": request.scheme,
            **({"x-amzn-trace-id": trace_id} if trace_id else {}),
        },
        **({"queryStringParameters": _parameters(query)} if query else {}),
        "requestContext": {
            **context,
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source,
                "userAgent": headers.get("user-agent", ""),
            },
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.fromtimestamp(now // 1_000, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": now,
        },
    }
    text = _text(body, headers.get("content-type", ""))
    if body:
        event["body"] = base64.b64encode(body).decode() if text is None else text
    event["isBase64Encoded"] = bool(body) and text is None
    return encode(event).encode()


def _headers(request: Request) -> tuple[dict[str, str], list[str]]:
    """Several of one name are one, with commas; cookies stand by themselves."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";") if cookie.strip()]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers, cookies


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            name, value = unquote_plus(name), unquote_plus(value)
            parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _text(body: bytes, content_type: str) -> str | None:
    """None: it goes into an event as Base64."""
    if not _TEXTS.fullmatch(content_type.partition(";")[0].strip()):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


# -- the answer --------------------------------------------------------------------------------------------


def answer_of(payload: bytes) -> tuple[Head, bytes]:
    """An object with a statusCode says what to answer; other JSON is the body of an answer with status 200. Raises
    BadAnswerError."""
    head, separator, body = payload.partition(METADATA_END)
    if separator:  # of a handler that streams, collected
        return metadata_of(head), body
    try:
        told = decode(payload)
    except ValueError as error:
        raise BadAnswerError(f"it is not JSON: {error}") from error
    if not isinstance(told, dict) or "statusCode" not in told:
        return Head(200, _JSON, []), payload
    given = told.get("body")
    text = "" if given is None else given if isinstance(given, str) else encode(given)
    try:
        content = base64.b64decode(text, validate=True) if told.get("isBase64Encoded") is True else text.encode()
    except (binascii.Error, ValueError) as error:
        raise BadAnswerError(f"the body is not what it says: {error}") from error
    return _head(told, _JSON), content


def metadata_of(head: bytes) -> Head:
    """What stands before the body of a streamed answer. Raises BadAnswerError."""
    try:
        told = decode(head)
    except ValueError as error:
        raise BadAnswerError(f"its metadata are not JSON: {error}") from error
    if not isinstance(told, dict):
        raise BadAnswerError("its metadata are no object")
    return _head({"statusCode": 200, **told}, "application/octet-stream")


def _head(told: dict[str, Any], content_type: str) -> Head:
    status, given, cookies = told["statusCode"], told.get("headers") or {}, told.get("cookies") or []
    if isinstance(status, str) and status.isascii() and status.isdigit():
        status = int(status)
    if type(status) is not int or not 200 <= status < 600:
        raise BadAnswerError(f"the status is {status!r}")
    if not isinstance(given, dict) or not isinstance(cookies, list):
        raise BadAnswerError("headers are no object, or cookies are no array")
    headers = []
    for name, value in given.items():
        lower, text = name.lower(), value if isinstance(value, str) else encode(value)
        if not _TOKEN.fullmatch(lower) or _NO_VALUE.search(text):
            raise BadAnswerError(f"the header {name!r} cannot be written")
        if lower == "content-type":
            content_type = text
        elif lower not in _OF_THE_SERVER:
            headers.append((lower, text))
    for cookie in cookies:
        if not isinstance(cookie, str) or _NO_VALUE.search(cookie):
            raise BadAnswerError("a cookie cannot be written")
        headers.append(("set-cookie", cookie))
    return Head(status, content_type, headers)
