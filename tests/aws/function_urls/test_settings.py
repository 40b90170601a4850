"""How URLs are written, and which requests are for one."""

from __future__ import annotations

import pytest

from treadle.aws.function_urls.settings import PATH, id_and_path, new_id, written_url
from treadle.aws.messages import Request
from treadle.limits import Limits

ID = "abcdefghijklmnopqrstuvwxyz012345"


@pytest.mark.parametrize(
    ("server", "written"),
    [
        ("http://127.0.0.1:4566", f"http://{ID}.lambda-url.eu-west-1.localhost:4566/"),
        ("http://localhost:4566", f"http://{ID}.lambda-url.eu-west-1.localhost:4566/"),
        ("https://[::1]:4566", f"https://{ID}.lambda-url.eu-west-1.localhost:4566/"),
        ("https://treadle.example", f"https://{ID}.lambda-url.eu-west-1.treadle.example/"),
        ("", f"http://{ID}.lambda-url.eu-west-1.localhost/"),
    ],
)
def test_urls(server: str, written: str) -> None:
    assert written_url(ID, "eu-west-1", server) == written


def test_ids() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(id) == 32 and id.isalnum() and id.islower() for id in ids if not id.isdecimal())


async def _nothing() -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("host", "path", "found"),
    [
        (f"{ID}.lambda-url.eu-west-1.localhost:4566", "/a%2Fb", (ID, "/a%2Fb")),
        (f"{ID.upper()}.lambda-url.eu-west-1.on.aws", "/", (ID, "/")),
        ("127.0.0.1:4566", f"{PATH}{ID}/a/b", (ID, "/a/b")),
        ("127.0.0.1:4566", f"{PATH}{ID}", (ID, "/")),
        ("short.lambda-url.eu-west-1.localhost", "/", None),
        (f"{ID}.s3.localhost", "/", None),
        ("127.0.0.1:4566", "/_treadle/health", None),
        ("", "/", None),
    ],
)
def test_which_requests(host: str, path: str, found: tuple[str, str] | None) -> None:
    scope = {
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", host.encode())],
    }
    assert id_and_path(Request(scope, _nothing, Limits())) == found  # type: ignore[arg-type]
