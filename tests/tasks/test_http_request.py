"""The parameters of HTTP tasks: what is refused, and the request that parameters and connection make together."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.tasks.http_connections import Additions
from treadle.tasks.http_request import Unmergeable, problem, read_http_task, written

CONNECTION = "arn:aws:events:us-east-1:000000000000:connection/c/1"
MALFORMED = "The value of the field '{}' has an invalid format"
HEADER = "The header '{}' is not supported by Step Functions"
URL = "https://api.example.com/v1"


def parameters(**given: Any) -> dict[str, Any]:
    base = {"ApiEndpoint": URL, "Method": "POST", "Authentication": {"ConnectionArn": CONNECTION}}
    return {name: value for name, value in {**base, **given}.items() if value is not ...}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([], "The Parameters are not an object"),
        (parameters(Body=1), "The field 'Body' is not supported by Step Functions"),
        (parameters(Method=...), "The field 'Method' is required but was missing"),
        (parameters(ApiEndpoint=...), "The field 'ApiEndpoint' is required but was missing"),
        (parameters(Authentication=...), "The field 'Authentication' is required but was missing"),
        (parameters(Authentication={"Arn": ""}), MALFORMED.format("Authentication")),
        (parameters(InvocationConfig="x"), MALFORMED.format("InvocationConfig")),
        (parameters(Method="CONNECT"), MALFORMED.format("Method")),
        (parameters(Headers=["a"]), MALFORMED.format("Headers")),
        (parameters(Headers={"a b": "c"}), MALFORMED.format("Headers")),
        (parameters(Headers={"a": "b\r\nc: d"}), MALFORMED.format("Headers")),
        (parameters(Headers={"a": {}}), MALFORMED.format("Headers")),
        (parameters(Headers={"Content-Length": "9"}), HEADER.format("Content-Length")),
        (parameters(Headers={"transfer-encoding": "x"}), HEADER.format("transfer-encoding")),
        (parameters(QueryParameters="a=b"), MALFORMED.format("QueryParameters")),
        (parameters(QueryParameters={"a": None}), MALFORMED.format("QueryParameters")),
        (parameters(Transform="NONE"), MALFORMED.format("Transform")),
        (parameters(Transform={"RequestBodyEncoding": "x"}), MALFORMED.format("Transform")),
        (
            parameters(Transform={"RequestEncodingOptions": {"ArrayFormat": "PIPES"}}),
            MALFORMED.format("Transform"),
        ),
        (parameters(Authentication=..., InvocationConfig={"ConnectionArn": CONNECTION}), None),
        (parameters(), None),
    ],
)  # fmt: skip
def test_problems(given: Any, found: str | None) -> None:
    assert problem(given) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "ftp://api.example.com/",
        "https://",
        "https://user:secret@api.example.com/",
        "https://api.example.com:port/",
        "https://api.example.com/a b",
        "https://api.example.com/\r\nHost: other",
        "https://" + "a" * 64 + ".example.com/",
        {"url": "https://api.example.com"},
    ],
)
def test_an_endpoint_is_a_url(url: Any) -> None:
    assert problem(parameters(ApiEndpoint=url)) == MALFORMED.format("ApiEndpoint")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://api.example.com", "https://api.example.com/"),
        ("https://api.example.com:8443/a%20b/ü?x=ü#part", "https://api.example.com:8443/a%20b/%C3%BC?x=%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
    ],
)
def test_a_url_is_encoded_where_it_is_not(url: str, sent: str) -> None:
    assert written(read_http_task(parameters(ApiEndpoint=url)), Additions(), "r").url == sent


def test_what_a_request_has_by_itself() -> None:
    request = written(read_http_task(parameters(RequestBody={"a": "ü"})), Additions(), "eu-west-1")
    assert request.method == "POST"
    assert dict(request.headers) == {
        "User-Agent": "Amazon|StepFunctions|HttpInvoke|eu-west-1",
        "Range": "bytes=0-262144",
        "Content-Type": "application/json",
    }
    assert request.body == '{"a":"ü"}'.encode()


def test_without_a_body_there_is_no_type_of_it() -> None:
    request = written(read_http_task(parameters(Method="GET")), Additions(), "r")
    assert [name for name, _ in request.headers] == ["User-Agent", "Range"]
    assert request.body is None


def test_a_connection_beats_the_task() -> None:
    task = read_http_task(
        parameters(
            ApiEndpoint=f"{URL}?z=1",
            Headers={"content-type": "text/x", "X-Task": ["1", 2, True]},
            QueryParameters={"maxItems": 5, "page": ["a", "b c"]},
            RequestBody={"Mode": "task", "Other": 1},
        )
    )
    additions = Additions(
        headers=(("Content-Type", "application/json"), ("Authorization", "Basic x")),
        query=(("maxItems", "9"),),
        body={"Mode": "connection"},
    )
    request = written(task, additions, "r")
    assert request.url == f"{URL}?z=1&page=a&page=b+c&maxItems=9"
    assert [header for header in request.headers if header[0] not in ("User-Agent", "Range")] == [
        ("X-Task", "1"),
        ("X-Task", "2"),
        ("X-Task", "true"),
        ("Content-Type", "application/json"),
        ("Authorization", "Basic x"),
    ]
    assert request.body == b'{"Mode":"connection","Other":1}'


def test_a_text_cannot_be_merged() -> None:
    task = read_http_task(parameters(RequestBody="text"))
    assert written(task, Additions(), "r").body == b"text"
    with pytest.raises(Unmergeable):
        written(task, Additions(body={"a": "b"}), "r")


def test_the_body_of_a_connection_alone() -> None:
    assert written(read_http_task(parameters()), Additions(body={"a": "b"}), "r").body == b'{"a":"b"}'


@pytest.mark.parametrize(
    ("array_format", "sent"),
    [
        ("INDICES", "array%5B0%5D=a&array%5B1%5D=b&n=1"),
        ("REPEAT", "array=a&array=b&n=1"),
        ("COMMAS", "array=a%2Cb&n=1"),
        ("BRACKETS", "array%5B%5D=a&array%5B%5D=b&n=1"),
        ("NONE", "array%5B0%5D=a&array%5B1%5D=b&n=1"),
        (None, "array%5B0%5D=a&array%5B1%5D=b&n=1"),
    ],
)
def test_forms(array_format: str | None, sent: str) -> None:
    transform: dict[str, Any] = {"RequestBodyEncoding": "URL_ENCODED"}
    if array_format is not None:
        transform["RequestEncodingOptions"] = {"ArrayFormat": array_format}
    task = read_http_task(parameters(Transform=transform, RequestBody={"array": ["a", "b"], "n": 1}))
    request = written(task, Additions(), "r")
    assert request.body == sent.encode()
    assert ("Content-Type", "application/x-www-form-urlencoded") in request.headers


def test_a_form_holds_what_the_connection_adds() -> None:
    transform = {"RequestBodyEncoding": "URL_ENCODED"}
    body = {"o": {"p": None, "q": [True]}}
    request = written(
        read_http_task(parameters(Transform=transform, RequestBody=body)), Additions(body={"k": "v"}), "r"
    )
    assert request.body == b"o%5Bp%5D=&o%5Bq%5D%5B0%5D=true&k=v"
