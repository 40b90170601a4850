"""The parameters of an HTTP task, and the request that they make together with what its connection adds.

Source: "Call HTTPS APIs" in the developer guide. A connection's headers, query parameters and members of the body
stand in place of the task's of the same name; a body that is text cannot be merged with a connection's. Beside what
both say, a request has the headers of `_own_headers`.

Not known is what AWS does with headers that a request cannot have twice or that belong to the connection: they are
refused. Nested objects in an encoded body are written as `a[b]=c`, after the manner of BRACKETS; ArrayFormat NONE,
which AWS does not explain, counts as not given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from msgspec import UNSET, Struct, UnsetType

from treadle.document import encode
from treadle.neighbours.web import WebRequest
from treadle.tasks.http_connections import Additions
from treadle.tasks.parameters import NO_OBJECT, malformed, missing, unsupported

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
FIELDS = frozenset(
    {
        "ApiEndpoint", "Method", "Authentication", "InvocationConfig", "Headers", "QueryParameters", "RequestBody",
        "Transform",
    }
)  # fmt: skip
_OF_THE_CONNECTION = frozenset(
    {
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_FORM = "application/x-www-form-urlencoded"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f]")
_URL_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"


class Misused(Exception):
    """Parameters that Step Functions itself refuses. The message is AWS's, where there is one."""


class Unmergeable(Exception):
    """A body of text, and a connection that adds to it."""


class HttpTask(Struct, frozen=True, kw_only=True):
    method: str
    url: str
    connection_arn: str
    headers: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]
    body: Any | UnsetType
    form: bool
    """The body is encoded as that of a form."""
    array_format: str


def problem(parameters: Any) -> str | None:
    """What Step Functions has against the parameters of a task, or None."""
    try:
        read_http_task(parameters)
    except Misused as error:
        return str(error)
    return None


def check_members(parameters: Any, known: Container[str]) -> None:
    """What the tasks that say method and endpoint have in common. Raises Misused."""
    if not isinstance(parameters, dict):
        raise Misused(NO_OBJECT)
    for field in parameters:
        if field not in known:
            raise Misused(unsupported(field))
    for field in ("ApiEndpoint", "Method"):
        if parameters.get(field) is None:
            raise Misused(missing(field))
    if parameters["Method"] not in METHODS:
        raise Misused(malformed("Method"))


def read_http_task(parameters: Any) -> HttpTask:
    """Raises Misused."""
    check_members(parameters, FIELDS)
    form, array_format = _transform(parameters.get("Transform"))
    return HttpTask(
        method=parameters["Method"],
        url=_url(parameters["ApiEndpoint"]),
        connection_arn=_connection_arn(parameters),
        headers=tuple(read_headers(parameters.get("Headers"))),
        query=tuple(read_query(parameters.get("QueryParameters"))),
        body=parameters.get("RequestBody", UNSET),
        form=form,
        array_format=array_format,
    )


def written(task: HttpTask, additions: Additions, region: str) -> WebRequest:
    """Raises Unmergeable."""
    body = _body(task, additions.body)
    query = [*_without(task.query, additions.query, str), *additions.query]
    url = task.url
    if query:
        url += f"{'&' if urlsplit(url).query else '?'}{urlencode(query)}"
    headers = [*_without(task.headers, additions.headers, str.lower), *additions.headers]
    given = {name.lower() for name, _ in headers}
    own = [(name, value) for name, value in _own_headers(task, body, region) if name.lower() not in given]
    return WebRequest(method=task.method, url=url, headers=[*own, *headers], body=body)


# -- reading the parameters --------------------------------------------------------------------------------


def _connection_arn(parameters: Mapping[str, Any]) -> str:
    """AWS has named it in two ways."""
    for field in ("InvocationConfig", "Authentication"):
        given = parameters.get(field)
        if given is None:
            continue
        if not isinstance(given, dict) or not isinstance(given.get("ConnectionArn"), str):
            raise Misused(malformed(field))
        arn: str = given["ConnectionArn"]
        return arn
    raise Misused(missing("Authentication"))


def _url(text: Any) -> str:
    wrong = Misused(malformed("ApiEndpoint"))
    if not isinstance(text, str) or _NOT_IN_URLS.search(text):
        raise wrong
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        name = host if ":" in host else host.encode("idna").decode()
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise wrong
    authority = (f"[{name}]" if ":" in name else name) + ("" if port is None else f":{port}")
    path = quote(parts.path or "/", safe=_URL_CHARACTERS)
    return f"{parts.scheme}://{authority}{path}" + (
        f"?{quote(parts.query, safe=_URL_CHARACTERS)}" if parts.query else ""
    )


def _transform(value: Any) -> tuple[bool, str]:
    if value is None:
        return False, "INDICES"
    if not isinstance(value, dict) or value.get("RequestBodyEncoding", "NONE") not in ("NONE", "URL_ENCODED"):
        raise Misused(malformed("Transform"))
    options = value.get("RequestEncodingOptions") or {}
    if not isinstance(options, dict) or not value.keys() <= {"RequestBodyEncoding", "RequestEncodingOptions"}:
        raise Misused(malformed("Transform"))
    array_format = options.get("ArrayFormat", "INDICES")
    if array_format not in _ARRAYS:
        raise Misused(malformed("Transform"))
    return value.get("RequestBodyEncoding") == "URL_ENCODED", array_format


def read_headers(value: Any) -> Iterator[tuple[str, str]]:
    """Raises Misused."""
    if value is not None and not isinstance(value, dict):
        raise Misused(malformed("Headers"))
    for name, given in (value or {}).items():
        if name.lower() in _OF_THE_CONNECTION:
            raise Misused(f"The header '{name}' is not supported by Step Functions")
        for text in map(scalar, given if isinstance(given, list) else [given]):
            if text is None or not _TOKEN.fullmatch(name) or _UNPRINTABLE.search(text):
                raise Misused(malformed("Headers"))
            yield name, text


def read_query(value: Any) -> Iterator[tuple[str, str]]:
    """Raises Misused."""
    if value is not None and not isinstance(value, dict):
        raise Misused(malformed("QueryParameters"))
    for name, given in (value or {}).items():
        for text in map(scalar, given if isinstance(given, list) else [given]):
            if text is None:
                raise Misused(malformed("QueryParameters"))
            yield name, text


def scalar(value: Any) -> str | None:
    """A text, a number or a truth value as text; None: it is something else."""
    if isinstance(value, str):
        return value
    return encode(value) if isinstance(value, bool | int | float) else None


# -- writing the request -----------------------------------------------------------------------------------


def _without(
    given: tuple[tuple[str, str], ...], added: tuple[tuple[str, str], ...], same: Callable[[str], str]
) -> list[tuple[str, str]]:
    replaced = {same(name) for name, _ in added}
    return [(name, value) for name, value in given if same(name) not in replaced]


def _own_headers(task: HttpTask, body: bytes | None, region: str) -> Iterator[tuple[str, str]]:
    yield "User-Agent", f"Amazon|StepFunctions|HttpInvoke|{region}"
    yield "Range", "bytes=0-262144"
    if body is not None:
        yield "Content-Type", _FORM if task.form else "application/json"


def _body(task: HttpTask, added: Mapping[str, str]) -> bytes | None:
    body = task.body
    if added:
        if isinstance(body, dict):
            body = {**body, **added}
        elif body is UNSET or body is None:
            body = dict(added)
        else:
            raise Unmergeable
    if body is UNSET or body is None:
        return None
    if isinstance(body, str):
        return body.encode("utf-8", "replace")
    if task.form and isinstance(body, dict):
        array = _ARRAYS[task.array_format]
        return urlencode([pair for name, value in body.items() for pair in _encoded(name, value, array)]).encode()
    return encode(body).encode()


Array = Callable[[str, list[Any]], list[tuple[str, Any]]]


def _encoded(name: str, value: Any, array: Array) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for key, item in array(name, value):
            yield from _encoded(key, item, array)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _encoded(f"{name}[{key}]", item, array)
    else:
        yield name, "" if value is None else scalar(value) or ""


def _indexed(name: str, items: list[Any]) -> list[tuple[str, Any]]:
    return [(f"{name}[{number}]", item) for number, item in enumerate(items)]


def _joined(name: str, items: list[Any]) -> list[tuple[str, Any]]:
    texts = (scalar(item) for item in items)
    return [(name, ",".join(encode(item) if text is None else text for item, text in zip(items, texts, strict=True)))]


_ARRAYS: Mapping[str, Array] = {
    "BRACKETS": lambda name, items: [(f"{name}[]", item) for item in items],
    "COMMAS": _joined,
    "INDICES": _indexed,
    "NONE": _indexed,
    "REPEAT": lambda name, items: [(name, item) for item in items],
}
"""How the items of an array are named: `{"a": [1, 2]}`."""
