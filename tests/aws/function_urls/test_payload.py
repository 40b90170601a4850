"""Events of requests, and answers of functions: payload format 2.0."""

from __future__ import annotations

import json
from typing import Any

import pytest

from treadle.aws.function_urls.payload import BadAnswerError, Head, answer_of, event_of, metadata_of
from treadle.aws.messages import Request
from treadle.limits import Limits

NOW = 1_700_000_000_123


def request(method: str = "GET", query: str = "", **headers: str | list[str]) -> Request:
    pairs = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope = {
        "method": method,
        "path": "/",
        "query_string": query.encode(),
        "headers": pairs,
        "client": ("10.0.0.1", 5),
        "scheme": "https",
    }

    async def receive() -> Any:
        raise AssertionError

    return Request(scope, receive, Limits())


def event(given: Request, body: bytes = b"", path: str = "/a%20b") -> Any:
    return json.loads(event_of(given, path, body, {"accountId": "anonymous"}, 443, None, NOW))


def test_an_event() -> None:
    made = event(request("POST", "a=1&a=2&b=%20+x&c", user_agent="me", x_y=["1", "2"], cookie="k=v; l=w"), b"x")
    assert made == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%20b",
        "rawQueryString": "a=1&a=2&b=%20+x&c",
        "cookies": ["k=v", "l=w"],
        "headers": {
            "user-agent": "me",
            "x-y": "1,2",
            "x-forwarded-for": "10.0.0.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "queryStringParameters": {"a": "1,2", "b": "  x", "c": ""},
        "requestContext": {
            "accountId": "anonymous",
            "http": {
                "method": "POST",
                "path": "/a%20b",
                "protocol": "HTTP/1.1",
                "sourceIp": "10.0.0.1",
                "userAgent": "me",
            },
            "routeKey": "$default",
            "stage": "$default",
            "time": "14/Nov/2023:22:13:20 +0000",
            "timeEpoch": NOW,
        },
        "body": "eA==",
        "isBase64Encoded": True,
    }


def test_an_event_of_nothing() -> None:
    made = event(request())
    assert not {"cookies", "queryStringParameters", "body"} & made.keys()
    assert made["isBase64Encoded"] is False
    assert made["requestContext"]["http"]["userAgent"] == ""


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("application/json", b'{"a":1}', '{"a":1}'),
        ("application/json; charset=utf-8", "ä".encode(), "ä"),
        ("text/plain", b"x", "x"),
        ("application/vnd.api+json", b"{}", "{}"),
        ("application/xml", b"<a/>", "<a/>"),
        ("text/plain", b"\xff", None),
        ("application/x-www-form-urlencoded", b"a=1", None),
        ("image/png", b"x", None),
        ("", b"x", None),
    ],
)
def test_bodies(content_type: str, body: bytes, text: str | None) -> None:
    made = event(request(content_type=content_type), body)
    assert made["isBase64Encoded"] is (text is None)
    if text is not None:
        assert made["body"] == text


JSON = "application/json"


@pytest.mark.parametrize(
    ("payload", "head", "body"),
    [
        (b'{"statusCode": 201}', Head(201, JSON, []), b""),
        (b'{"statusCode": "404", "body": null}', Head(404, JSON, []), b""),
        ('{"statusCode": 200, "body": "ä"}'.encode(), Head(200, JSON, []), "ä".encode()),
        (b'{"statusCode": 200, "body": {"a": [1]}}', Head(200, JSON, []), b'{"a":[1]}'),
        (b'{"statusCode": 200, "body": "AAE=", "isBase64Encoded": true}', Head(200, JSON, []), b"\x00\x01"),
        (
            b'{"statusCode": 200, "headers": {"Content-Type": "text/x", "X-A": 1, "X-B": true, "Connection": "x"}}',
            Head(200, "text/x", [("x-a", "1"), ("x-b", "true")]),
            b"",
        ),
        (
            b'{"statusCode": 200, "headers": null, "cookies": ["a=1", "b=2"]}',
            Head(200, JSON, [("set-cookie", "a=1"), ("set-cookie", "b=2")]),
            b"",
        ),
        (b'"text"', Head(200, JSON, []), b'"text"'),
        (b'{"a": 1}', Head(200, JSON, []), b'{"a": 1}'),
        (b"null", Head(200, JSON, []), b"null"),
        (b'{"statusCode": 202}' + bytes(8) + b"x", Head(202, "application/octet-stream", []), b"x"),
    ],
)
def test_answers(payload: bytes, head: Head, body: bytes) -> None:
    assert answer_of(payload) == (head, body)


@pytest.mark.parametrize(
    "payload",
    [
        b"no JSON",
        b'{"statusCode": null}',
        b'{"statusCode": true}',
        b'{"statusCode": 200.5}',
        b'{"statusCode": 99}',
        b'{"statusCode": 101}',
        b'{"statusCode": 600}',
        b'{"statusCode": "x"}',
        b'{"statusCode": 200, "headers": ["a"]}',
        b'{"statusCode": 200, "headers": {"a b": "x"}}',
        b'{"statusCode": 200, "headers": {"a": "x\\r\\nb: c"}}',
        b'{"statusCode": 200, "headers": {"content-type": "x\\ny"}}',
        b'{"statusCode": 200, "cookies": "a=1"}',
        b'{"statusCode": 200, "cookies": [1]}',
        b'{"statusCode": 200, "cookies": ["a\\nb"]}',
        b'{"statusCode": 200, "body": "?", "isBase64Encoded": true}',
    ],
)
def test_what_is_no_answer(payload: bytes) -> None:
    with pytest.raises(BadAnswerError):
        answer_of(payload)


def test_metadata() -> None:
    assert metadata_of(b'{"headers": {"A": "b"}}') == Head(200, "application/octet-stream", [("a", "b")])
    for wrong in (b"", b"[]", b'{"statusCode": "x"}'):
        with pytest.raises(BadAnswerError):
            metadata_of(wrong)
