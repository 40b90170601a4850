"""What moto lacks is told from what it says is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationNotFoundError
from flask import Flask
from werkzeug.exceptions import NotFound

from treadle.limits import Limits
from treadle.neighbours.contract import NotEmulated, Outgoing
from treadle.neighbours.moto import lacking
from treadle.neighbours.moto.emulator import Moto, MotoOptions

ACCOUNT = "000000000000"


class Came:
    """An answer of moto's process."""

    def __init__(self, answer: Any) -> None:
        self.status = answer.status_code
        self.headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]


@pytest.fixture
def client() -> Iterator[Any]:
    application = Flask("service")

    def fail(kind: str) -> Any:
        raise {
            "not-implemented": NotImplementedError("No \u2192 such\r\nfilter"),
            "nameless": NotImplementedError(),
            "long": NotImplementedError("x" * 100_000),
            "unknown": OperationNotFoundError("GetAttributes"),
            "not-found": NotFound("There is no such thing"),
        }[kind]

    application.add_url_rule("/fail/<kind>", view_func=fail, methods=["GET"])
    application.add_url_rule("/501", endpoint="own", view_func=lambda: ("of its own", 501))
    lacking.tell(application)
    with application.test_client() as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "lacked"),
    [
        ("GET", "/fail/not-implemented", "No \u2192 such\r\nfilter"),
        ("GET", "/fail/nameless", "what was asked for"),
        ("GET", "/fail/long", "x" * 300),
        ("GET", "/fail/unknown", "GetAttributes"),
        ("GET", "/no/r\u00f6ute", "GET /no/r\u00f6ute"),
        ("DELETE", "/fail/x", "DELETE /fail/x"),
    ],
)
def test_what_is_lacking(client: Any, method: str, path: str, lacked: str) -> None:
    answer: Any = Came(client.open(path, method=method))
    assert lacking.told(answer) == lacked


@pytest.mark.parametrize(("path", "status"), [("/fail/not-found", 404), ("/501", 501)])
def test_an_answer_of_the_service_stays_as_it_is(client: Any, path: str, status: int) -> None:
    answer: Any = Came(client.get(path))
    assert (answer.status, lacking.told(answer)) == (status, None)


async def test_the_emulator_says_so(tmp_path: Path) -> None:
    """Of STS, whose model has no such operation."""
    moto = Moto(
        MotoOptions(
            data=tmp_path,
            logs=tmp_path / "logs",
            account_id=ACCOUNT,
            region="us-east-1",
            url="http://127.0.0.1:9",
            key_of=lambda account: (account, "secret"),
            inherited={},
            limits=Limits(),
        )
    )
    scope = b"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=x"
    form = b"application/x-www-form-urlencoded"
    request = Outgoing(
        method="POST",
        target="/",
        headers=[(b"Host", b"127.0.0.1:4566"), (b"Authorization", scope), (b"Content-Type", form)],
        body=b"Action=GetAttributes&Version=2011-06-15",
        account=ACCOUNT,
    )
    try:
        with pytest.raises(NotEmulated, match="does not have this: GetAttributes"):
            await moto.send(request)
    finally:
        await moto.close()
