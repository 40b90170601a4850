"""The event of a Lambda proxy integration, and the answer that the function makes of it (format 1.0).

Source: "Lambda proxy integrations in API Gateway" in its developer guide.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from treadle.aws.execute_api.definition import ApiMethod
from treadle.document import decode, encode
from treadle.tasks.contract import ApiAnswer, ApiCall

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def proxy_event(
    call: ApiCall, method: ApiMethod, account: str, stage: Mapping[str, Any], request_id: str, now: int
) -> bytes:
    """`now`: milliseconds since the epoch."""
    headers = _lists(call.headers)
    query = _lists(call.query)
    text, is_base64 = _text(call.body)
    event = {
        "resource": method.resource_path,
        "path": call.path,
        "httpMethod": call.method,
        "headers": _last(headers),
        "multiValueHeaders": headers or None,
        "queryStringParameters": _last(query),
        "multiValueQueryStringParameters": query or None,
        "pathParameters": method.variables or None,
        "stageVariables": stage.get("variables") or None,
        "requestContext": {
            "accountId": account,
            "apiId": call.api_id,
            "resourceId": method.resource_id,
            "resourcePath": method.resource_path,
            "httpMethod": call.method,
            "path": f"/{call.stage}{call.path}",
            "stage": call.stage,
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "extendedRequestId": request_id,
            "requestTime": datetime.fromtimestamp(now // 1_000, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": now,
            "identity": {"sourceIp": call.source, "userAgent": _last(headers, "user-agent")},
        },
        "body": text,
        "isBase64Encoded": is_base64,
    }
    return encode(event).encode()


def proxy_answer(payload: bytes) -> ApiAnswer | None:
    """None: the function's answer has not the form that API Gateway wants."""
    try:
        told = decode(payload)
        if told is None or not isinstance(told, dict):
            return None
        status = int(told.get("statusCode", 200))
        body = told.get("body") or ""
        content = body if isinstance(body, str) else encode(body)
        raw = base64.b64decode(content, validate=True) if told.get("isBase64Encoded") is True else content.encode()
    except (ValueError, TypeError, binascii.Error):
        return None
    headers: list[tuple[str, str]] = []
    several = told.get("multiValueHeaders") or {}
    single = told.get("headers") or {}
    if not isinstance(several, dict) or not isinstance(single, dict) or not 100 <= status < 600:
        return None
    for name, values in several.items():
        headers += [(name, _header(value)) for value in (values if isinstance(values, list) else [values])]
    named = {name.lower() for name in several}
    headers += [(name, _header(value)) for name, value in single.items() if name.lower() not in named]
    if not all(_HEADER_NAME.fullmatch(name) for name, _ in headers):
        return None
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return ApiAnswer(status=status, headers=headers, body=raw)


def _header(value: Any) -> str:
    """In one line: whatever a function puts into it must not become a header of its own."""
    text = value if isinstance(value, str) else encode(value)
    return _CONTROL.sub(" ", text)


def _lists(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def _last(lists: Mapping[str, list[str]], name: str | None = None) -> Any:
    """All of them, each with its last value; or the value of one, however it is capitalised. None: there is none."""
    if name is None:
        return {key: values[-1] for key, values in lists.items()} or None
    return next((values[-1] for key, values in lists.items() if key.lower() == name), None)


def _text(body: bytes) -> tuple[str | None, bool]:
    if not body:
        return None, False
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
