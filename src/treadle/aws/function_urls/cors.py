"""Cross-origin requests to function URLs: what a URL's Cors says to browsers.

https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors. Where it is set, it is Lambda that
answers preflight requests, and what the function says in headers of its own about other origins does not count.
"""

from __future__ import annotations

from treadle.aws.function_urls.settings import Cors
from treadle.aws.messages import Answer, Request

Headers = list[tuple[str, str]]

_ANY = "*"
_PREFIX = "access-control-"


def preflight(cors: Cors, request: Request) -> Answer | None:
    """The answer to a preflight request; None: it is another one."""
    if request.method != "OPTIONS" or not request.header(b"access-control-request-method"):
        return None
    headers = _allowed(cors, request)
    if headers:
        for name, values in (("methods", cors.allow_methods), ("headers", cors.allow_headers)):
            if values:
                headers.append((f"{_PREFIX}allow-{name}", ",".join(values)))
        if cors.max_age is not None:
            headers.append((f"{_PREFIX}max-age", str(cors.max_age)))
    return Answer(200, b"application/json", b"", headers=tuple((k.encode(), v.encode("latin-1")) for k, v in headers))


def with_cors(cors: Cors, request: Request, headers: Headers) -> Headers:
    """The headers of an answer as the Cors of the URL wants them."""
    kept = [(name, value) for name, value in headers if not name.startswith(_PREFIX)]
    allowed = _allowed(cors, request)
    if allowed and cors.expose_headers:
        allowed.append((f"{_PREFIX}expose-headers", ",".join(cors.expose_headers)))
    return kept + allowed


def _allowed(cors: Cors, request: Request) -> Headers:
    """None if the origin may not ask, or the request says none."""
    origin = request.header(b"origin").decode("latin-1")
    if not origin or not {origin, _ANY} & set(cors.allow_origins):
        return []
    everybody = _ANY in cors.allow_origins and not cors.allow_credentials
    headers = [(f"{_PREFIX}allow-origin", _ANY if everybody else origin), ("vary", "Origin")]
    if cors.allow_credentials:
        headers.append((f"{_PREFIX}allow-credentials", "true"))
    return headers
