"""What the Cors of a URL says to browsers."""

from __future__ import annotations

import pytest

from treadle.aws.function_urls.cors import preflight, with_cors
from treadle.aws.function_urls.settings import Cors

from .test_payload import request

SITE = "https://site.example"
ASKED = {"origin": SITE, "access_control_request_method": "PUT"}
ALLOWED = [("access-control-allow-origin", SITE), ("vary", "Origin")]


@pytest.mark.parametrize(
    ("cors", "headers"),
    [
        (Cors(allow_origins=[SITE]), ALLOWED),
        (Cors(allow_origins=["*"]), [("access-control-allow-origin", "*"), ("vary", "Origin")]),
        (
            Cors(allow_origins=["*"], allow_credentials=True),
            [*ALLOWED, ("access-control-allow-credentials", "true")],
        ),
        (
            Cors(allow_origins=[SITE], allow_methods=["GET", "PUT"], allow_headers=["x-a"], max_age=0),
            [
                *ALLOWED,
                ("access-control-allow-methods", "GET,PUT"),
                ("access-control-allow-headers", "x-a"),
                ("access-control-max-age", "0"),
            ],
        ),
        (Cors(allow_origins=["https://other.example"], allow_methods=["PUT"]), []),
        (Cors(allow_methods=["*"]), []),
    ],
)
def test_preflight(cors: Cors, headers: list[tuple[str, str]]) -> None:
    answer = preflight(cors, request("OPTIONS", **ASKED))
    assert answer is not None
    assert [(name.decode(), value.decode()) for name, value in answer.headers] == headers


def test_what_is_no_preflight() -> None:
    cors = Cors(allow_origins=["*"])
    assert preflight(cors, request("OPTIONS", origin=SITE)) is None
    assert preflight(cors, request("GET", **ASKED)) is None


def test_answers() -> None:
    cors = Cors(allow_origins=[SITE], expose_headers=["x-a", "x-b"])
    own = [("access-control-allow-origin", "https://the.function"), ("x-a", "1")]
    exposed = ("access-control-expose-headers", "x-a,x-b")
    assert with_cors(cors, request(origin=SITE), own) == [("x-a", "1"), *ALLOWED, exposed]
    assert with_cors(cors, request(origin="https://other"), own) == [("x-a", "1")]
    assert with_cors(cors, request(), own) == [("x-a", "1")]
