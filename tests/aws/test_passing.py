"""Requests for other services: what their neighbours are sent, and what comes back."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import pytest
from msgspec import Struct, field

from treadle.aws.access_keys import Credentials, Keyring
from treadle.aws.authentication import Authentication, Defaults
from treadle.aws.door import Door
from treadle.aws.passing import Passing
from treadle.aws.sigv4 import signing_key
from treadle.limits import Limits
from treadle.neighbours.contract import EmulatorMissing, Incoming, NeighbourUnavailable, NotEmulated, Outgoing
from treadle.neighbours.directory import Neighbours

from .conftest import SettableClock
from .signing import Signer
from .wire import authorization, open_to_all

KEY = Credentials(access_key_id="AKIDEXAMPLE", secret="secret", account="111122223333")
S3 = authorization(service="s3", region="eu-west-1")


class Reply(Struct):
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: list[bytes | Exception] = field(default_factory=list)
    closed: bool = False

    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in self.body:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def read(self, most: int) -> bytes | None:
        raise AssertionError("answers are not held in memory")

    def close(self) -> None:
        self.closed = True


class Emulator:
    """Takes what it is sent, and gives one reply."""

    is_running = True

    def __init__(self) -> None:
        self.reply: Reply | Exception = Reply()
        self.sent: list[Outgoing] = []
        self.bodies: list[bytes] = []

    async def send(self, request: Outgoing) -> Incoming:
        self.sent.append(request)
        if isinstance(request.body, bytes) or request.body is None:
            self.bodies.append(request.body or b"")
        else:
            self.bodies.append(b"")
            try:
                async for piece in request.body:
                    self.bodies[-1] += piece
            except Exception as error:
                raise NeighbourUnavailable("the connection broke") from error
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    async def close(self) -> None:
        pass


class NoExtension:
    prefix = "/_treadle/"

    async def answer(self, request: Any) -> Any:
        raise AssertionError


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def signed_door(emulator: Emulator, keyring: Keyring, clock: SettableClock, limits: Limits) -> Door:
    authentication = Authentication(keyring, clock, limits, Defaults())
    passing = Passing(Neighbours(emulator, {}, limits), authentication, limits)
    return Door([], limits, authentication, NoExtension(), passing, open_to_all())


async def ask(
    door: Door, method: str, path: str, headers: dict[str, str], *body: bytes, query: str = "", gone: bool = False
) -> list[dict[str, Any]]:
    """The messages of the answer."""
    if body and "content-length" not in headers:
        headers = {**headers, "content-length": str(sum(map(len, body)))}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    parts = body or (b"",)
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": gone or at < len(parts)} for at, part in enumerate(parts, 1)
    ]
    waiting = iter([*messages, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(waiting)

    async def send(message: Any) -> None:
        sent.append(message)

    await door(scope, receive, send)
    return sent


def head(messages: list[dict[str, Any]]) -> tuple[int, dict[bytes, bytes]]:
    return messages[0]["status"], dict(messages[0]["headers"])


async def test_a_request_passes_with_its_body_headers_and_account(signed_door: Door, emulator: Emulator) -> None:
    given = {
        "host": "127.0.0.1:4566",
        "authorization": S3,
        "x-amz-meta-a": "b",
        "connection": "keep-alive, x-hop",
        "x-hop": "1",
        "expect": "100-continue",
    }
    await ask(signed_door, "PUT", "/bucket/a b", given, b"one", b"two", query="partNumber=1&uploadId=%2B")
    (sent,) = emulator.sent
    assert (sent.method, sent.target, sent.account) == ("PUT", "/bucket/a b?partNumber=1&uploadId=%2B", "000000000000")
    assert dict(sent.headers) == {
        b"host": b"127.0.0.1:4566",
        b"authorization": S3.encode(),
        b"x-amz-meta-a": b"b",
        b"content-length": b"6",
    }
    assert emulator.bodies == [b"onetwo"]


async def test_the_answer_comes_back_piece_by_piece(signed_door: Door, emulator: Emulator) -> None:
    emulator.reply = reply = Reply(
        206, [(b"ETag", b'"x"'), (b"Server", b"Moto"), (b"Date", b"today"), (b"Content-Length", b"6")], [b"one", b"two"]
    )
    messages = await ask(signed_door, "GET", "/bucket/key", {"host": "h", "authorization": S3})
    status, headers = head(messages)
    assert status == 206
    assert headers.keys() == {b"etag", b"content-length", b"x-amzn-requestid"}
    assert [message["body"] for message in messages[1:]] == [b"one", b"two", b""]
    assert reply.closed


async def test_an_answer_that_breaks_off_is_left_unfinished(signed_door: Door, emulator: Emulator) -> None:
    emulator.reply = reply = Reply(200, [(b"Content-Length", b"6")], [b"one", NeighbourUnavailable("it broke")])
    messages = await ask(signed_door, "GET", "/bucket/key", {"host": "h", "authorization": S3})
    assert messages[-1] == {"type": "http.response.body", "body": b"one", "more_body": True}
    assert reply.closed


async def test_who_goes_away_in_the_middle_of_a_body_gets_nothing(signed_door: Door, emulator: Emulator) -> None:
    given = {"host": "h", "authorization": S3, "content-length": "100"}
    assert await ask(signed_door, "PUT", "/bucket/key", given, b"one", gone=True) == []
    assert emulator.bodies == [b""]  # the last piece is held back


TARGETS: list[tuple[str, str, str, dict[str, str], str, str | None]] = [
    ("path style", "127.0.0.1", "/bucket/key", {"authorization": S3}, "/bucket/key", S3),
    ("virtual host", "bucket.s3.localhost:4566", "/key", {"authorization": S3}, "/bucket/key", S3),
    ("virtual host of one name", "bucket.localhost:4566", "/", {"authorization": S3}, "/bucket/", S3),
    ("public object", "127.0.0.1", "/bucket/key", {}, "/bucket/key", None),
    (
        "unsigned form",
        "127.0.0.1",
        "/",
        {"content-type": "application/x-www-form-urlencoded"},
        "/",
        "AWS4-HMAC-SHA256 Credential=000000000000/20000101/us-east-1/sts/aws4_request, SignedHeaders=host,"
        " Signature=none",
    ),
]


@pytest.mark.parametrize(
    ("host", "path", "headers", "target", "scope"), [row[1:] for row in TARGETS], ids=[row[0] for row in TARGETS]
)
async def test_what_the_emulator_sees(
    signed_door: Door, emulator: Emulator, host: str, path: str, headers: dict[str, str], target: str, scope: str | None
) -> None:
    await ask(signed_door, "POST", path, {"host": host, **headers})
    sent = emulator.sent[0]
    assert sent.target == target
    assert dict(sent.headers).get(b"authorization") == (scope and scope.encode())
    assert b"bucket" not in dict(sent.headers)[b"host"]


FORMS: list[tuple[str, dict[str, str], bytes]] = [
    ("s3", {}, b"text/xml"),
    ("sns", {"content-type": "application/x-www-form-urlencoded"}, b"text/xml"),
    (
        "sqs",
        {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.X"},
        b"application/x-amz-json-1.0",
    ),
    ("apigateway", {"content-type": "application/json"}, b"application/json"),
    ("monitoring", {"content-type": "application/cbor"}, b"application/cbor"),
]


@pytest.mark.parametrize(("service", "headers", "form"), FORMS, ids=[row[0] for row in FORMS])
async def test_a_neighbour_that_does_not_answer(
    signed_door: Door, emulator: Emulator, service: str, headers: dict[str, str], form: bytes
) -> None:
    """The error has the form that the service's clients read."""
    emulator.reply = NeighbourUnavailable("the emulator is not there")
    messages = await ask(
        signed_door, "POST", "/x", {"host": "h", "authorization": authorization(service=service), **headers}
    )
    status, given = head(messages)
    assert (status, given[b"content-type"]) == (503, form)
    assert b"the emulator is not there." in messages[1]["body"]


async def test_a_missing_emulator_is_no_reason_to_try_again(signed_door: Door, emulator: Emulator) -> None:
    emulator.reply = EmulatorMissing("moto is not installed")
    messages = await ask(signed_door, "GET", "/bucket", {"host": "h", "authorization": S3})
    assert head(messages)[0] == 501
    root = ElementTree.fromstring(messages[1]["body"])
    assert root.findtext("Error/Message") == "Treadle does not serve 's3', and moto is not installed."


@pytest.mark.parametrize(
    ("service", "error", "request_id"),
    [("sns", "Error", "RequestId"), ("route53", "Error", "RequestId"), ("ec2", "Errors/Error", "RequestID")],
)
async def test_what_the_emulator_lacks_is_no_reason_to_try_again(
    signed_door: Door, emulator: Emulator, service: str, error: str, request_id: str
) -> None:
    emulator.reply = NotEmulated("moto does not have this: <&>")
    given = {"host": "h", "authorization": authorization(service=service)}
    messages = await ask(signed_door, "POST", "/", given, b"Action=X")
    status, headers = head(messages)
    assert status == 501
    root = ElementTree.fromstring(messages[1]["body"])
    assert root.findtext(f"{error}/Code") == "NotImplementedException"
    expected = f"Treadle does not serve '{service}', and moto does not have this: <&>."
    assert root.findtext(f"{error}/Message") == expected
    assert root.findtext(request_id) == headers[b"x-amzn-requestid"].decode()


async def test_a_page_of_the_web_cannot_use_a_service_unsigned(signed_door: Door, emulator: Emulator) -> None:
    given = {"host": "h", "origin": "https://elsewhere.example"}
    messages = await ask(signed_door, "PUT", "/bucket/key", given, b"x")
    assert head(messages)[0] == 403
    assert emulator.sent == []


# -- where requests must be signed -----------------------------------------------------------------------------


@pytest.fixture
def keys(request: pytest.FixtureRequest) -> list[Credentials]:
    return [KEY] if "must_sign" in request.fixturenames else []


@pytest.fixture
def must_sign() -> None:
    """Asked for by tests in which there is an access key."""


def signed_headers(clock: SettableClock, body: bytes, content_hash: str | None = None) -> dict[str, str]:
    headers = {} if content_hash is None else {"X-Amz-Content-SHA256": content_hash}
    signer = Signer(KEY, clock.time, service="s3")
    return signer.sign("PUT", "/bucket/key", body, headers, path_as_sent=True).headers


@pytest.mark.usefixtures("must_sign")
async def test_unsigned_requests_are_refused(signed_door: Door, emulator: Emulator) -> None:
    messages = await ask(signed_door, "GET", "/bucket/key", {"host": "h"})
    assert b"MissingAuthenticationTokenException" in messages[1]["body"]
    assert emulator.sent == []


@pytest.mark.usefixtures("must_sign")
async def test_the_hash_of_a_body_is_held_to(signed_door: Door, emulator: Emulator, clock: SettableClock) -> None:
    right = hashlib.sha256(b"onetwo").hexdigest()
    given = signed_headers(clock, b"onetwo", right)
    assert head(await ask(signed_door, "PUT", "/bucket/key", given, b"one", b"two"))[0] == 200
    assert emulator.sent[0].account == KEY.account
    messages = await ask(signed_door, "PUT", "/bucket/key", given, b"one", b"tow")
    assert (head(messages)[0], b"XAmzContentSHA256Mismatch" in messages[1]["body"]) == (400, True)
    assert emulator.bodies == [b"onetwo", b"one"]  # it never has the whole of what was changed


@pytest.mark.usefixtures("must_sign")
async def test_a_body_without_a_hash_is_read_first(signed_door: Door, emulator: Emulator, clock: SettableClock) -> None:
    given = signed_headers(clock, b"onetwo")
    assert head(await ask(signed_door, "PUT", "/bucket/key", given, b"one", b"two"))[0] == 200
    assert emulator.bodies == [b"onetwo"]
    messages = await ask(signed_door, "PUT", "/bucket/key", given, b"one", b"tow")
    assert (head(messages)[0], b"InvalidSignatureException" in messages[1]["body"]) == (400, True)
    assert len(emulator.sent) == 1


@pytest.mark.usefixtures("must_sign")
async def test_a_body_that_is_not_signed(signed_door: Door, emulator: Emulator, clock: SettableClock) -> None:
    given = signed_headers(clock, b"", "UNSIGNED-PAYLOAD")
    assert head(await ask(signed_door, "PUT", "/bucket/key", given, b"anything"))[0] == 200
    assert emulator.bodies == [b"anything"]


def in_chunks(headers: dict[str, str], *chunks: bytes) -> list[bytes]:
    """As a client signs them; the last chunk is empty."""
    scope = headers["authorization"].partition("Credential=")[2].partition(",")[0].partition("/")[2]
    date, region, service, _ = scope.split("/")
    key, before = signing_key(KEY.secret, date, region, service), headers["authorization"].rpartition("=")[2]
    empty, pieces = hashlib.sha256().hexdigest(), []
    for chunk in (*chunks, b""):
        hashed = hashlib.sha256(chunk).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{headers['x-amz-date']}\n{scope}\n{before}\n{empty}\n{hashed}"
        before = hmac.digest(key, text.encode(), "sha256").hex()
        pieces.append(f"{len(chunk):x};chunk-signature={before}\r\n".encode() + chunk + b"\r\n")
    return pieces


@pytest.mark.usefixtures("must_sign")
async def test_the_signatures_of_chunks_are_held_to(
    signed_door: Door, emulator: Emulator, clock: SettableClock
) -> None:
    given = signed_headers(clock, b"", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    right = in_chunks(given, b"one", b"two")
    assert head(await ask(signed_door, "PUT", "/bucket/key", given, *right))[0] == 200
    assert emulator.bodies == [b"".join(right)]
    wrong = [right[0], right[1].replace(b"two", b"tow"), right[2]]
    messages = await ask(signed_door, "PUT", "/bucket/key", given, *wrong)
    assert (head(messages)[0], b"SignatureDoesNotMatch" in messages[1]["body"]) == (403, True)
    messages = await ask(signed_door, "PUT", "/bucket/key", given, *right[:2])
    assert (head(messages)[0], b"IncompleteBody" in messages[1]["body"]) == (400, True)
    assert emulator.bodies[1:] == [b"", right[0]]  # it never has the whole of what was changed


@pytest.mark.usefixtures("must_sign")
async def test_chunks_that_are_not_signed(signed_door: Door, emulator: Emulator, clock: SettableClock) -> None:
    given = signed_headers(clock, b"", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    body = b"3\r\none\r\n0\r\nx-amz-checksum-crc32:eoUxsg==\r\n\r\n"
    assert head(await ask(signed_door, "PUT", "/bucket/key", given, body))[0] == 200
    assert emulator.bodies == [body]


@pytest.mark.usefixtures("must_sign")
async def test_chunks_without_a_body(signed_door: Door, emulator: Emulator, clock: SettableClock) -> None:
    given = signed_headers(clock, b"", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    messages = await ask(signed_door, "PUT", "/bucket/key", given)
    assert (head(messages)[0], b"IncompleteBody" in messages[1]["body"], emulator.sent) == (400, True, [])


@pytest.mark.usefixtures("must_sign")
async def test_a_body_that_is_refused_early_is_read_on(
    signed_door: Door, emulator: Emulator, clock: SettableClock
) -> None:
    """So that its sender gets to read the answer."""
    given = signed_headers(clock, b"", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    first, *rest = in_chunks(given, b"one", b"two", b"three")
    messages = await ask(signed_door, "PUT", "/bucket/key", given, first.replace(b"one", b"eno"), *rest)
    assert head(messages)[0] == 403
    assert b"connection" not in dict(messages[0]["headers"])  # it can be used again
