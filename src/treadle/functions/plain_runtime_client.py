"""The native half of the official runtime client, in Python, for where there is none.

awslambdaric builds its module `runtime_client` on Linux only; without it the client can do everything but
talk to the Runtime API.  On other systems `bootstrap.py` puts this module in its place: the same functions.
It runs in the worker and imports nothing of Treadle.
"""

from __future__ import annotations

import http.client
import os


class _Api:
    """The kept connection, and the path before every path."""

    def __init__(self, address: str, user_agent: str) -> None:
        host, _, self._secret = address.partition("/")
        self._connection = http.client.HTTPConnection(host)
        self._user_agent = user_agent

    def call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], expected: int
    ) -> tuple[bytes, dict[str, str]]:
        path = f"/{self._secret}/2018-06-01/runtime/invocation/{path}"
        self._connection.request(method, path, body, {"User-Agent": self._user_agent, **headers})
        response = self._connection.getresponse()
        content = response.read()
        if response.status != expected:
            raise RuntimeError(f"The Runtime API answered {response.status} to {method} {path}")
        return content, dict(response.getheaders())


_apis: list[_Api] = []
"""One, once the client is initialised."""


def initialize_client(user_agent: str) -> None:
    _apis[:] = [_Api(os.environ["AWS_LAMBDA_RUNTIME_API"], user_agent)]


def next() -> tuple[bytes, dict[str, str]]:
    return _apis[0].call("GET", "next", None, {}, 200)


def post_invocation_result(invoke_id: str, result: bytes, content_type: str, invocation_id: str | None = None) -> None:
    headers = {"Content-Type": content_type, **_invocation(invocation_id)}
    _apis[0].call("POST", f"{invoke_id}/response", result, headers, 202)


def post_error(invoke_id: str, error: str, xray_cause: str, invocation_id: str | None = None) -> None:
    headers = {"Content-Type": "application/json", **_invocation(invocation_id)}
    _apis[0].call("POST", f"{invoke_id}/error", error.encode(), headers, 202)


def _invocation(invocation_id: str | None) -> dict[str, str]:
    return {} if invocation_id is None else {"Lambda-Runtime-Invocation-Id": invocation_id}
