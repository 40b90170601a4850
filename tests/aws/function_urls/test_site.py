"""Calls of function URLs: who is let in, what goes wrong, what is streamed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec import Struct

from tests.aws.conftest import SettableClock
from tests.aws.signing import Signed, Signer
from treadle.aws.access_keys import Credentials, Keyring
from treadle.aws.authentication import Authentication, Defaults
from treadle.aws.function_urls.settings import PATH, Cors, UrlSettings
from treadle.aws.function_urls.site import FunctionUrlSite
from treadle.aws.messages import Request
from treadle.functions.answer_stream import AnswerStream
from treadle.functions.contract import FunctionNotFound, FunctionThrottled, Invocation
from treadle.limits import Limits
from treadle.store.event_source_contract import FunctionUrl
from treadle.store.sqlite.store import SqliteStore

ID = "abcdefghijklmnopqrstuvwxyz012345"
ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay"
KEY = Credentials(access_key_id="AKIDEXAMPLE", secret="secret", account=ACCOUNT)
METADATA = "application/vnd.awslambda.http-integration-response"


class Flow:
    """A connection without backpressure."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Function:
    """Answers what it is told; or streams, bit by bit, as a test says."""

    def __init__(self) -> None:
        self.answer: bytes = b'"fine"'
        self.function_error: str | None = None
        self.trouble: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.streams: str | None = None
        """The content type of what it streams."""
        self.stream: asyncio.Future[AnswerStream] = asyncio.get_running_loop().create_future()
        self.events: list[Any] = []
        self.arns: list[str] = []
        self.called = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def invoke(
        self, name: str, payload: bytes, *, function_arn: str, request_id: str, stream: AnswerStream | None
    ) -> Invocation:
        assert name == "pay"
        self.events.append(json.loads(payload))
        self.arns.append(function_arn)
        self.called.set()
        if self.trouble is not None:
            raise self.trouble
        if self.streams is not None and stream is not None:
            stream.begin(self.streams, Flow())
            self.stream.set_result(stream)
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Invocation(payload=self.answer, request_id=request_id, function_error=self.function_error)


class Answered(Struct):
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    complete: bool

    @property
    def message(self) -> Any:
        return json.loads(self.body)["Message"]


class Client:
    """One call, over ASGI."""

    def __init__(self, site: FunctionUrlSite, limits: Limits, signed: Signed) -> None:
        self.gone = asyncio.Event()
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._site = site
        self._limits = limits
        self._signed = signed
        self._sent: list[Any] = []
        self._asked = False
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> Answered:
        signed = self._signed
        scope = {
            "type": "http",
            "method": signed.method,
            "path": signed.path,
            "query_string": signed.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in signed.headers.items()],
            "client": ("10.0.0.1", 1),
        }
        request = Request(scope, self._receive, self._limits)
        assert self._site.speaks(request)
        answer = await self._site.answer(request)
        await answer.send(self._send, "request-id")
        start, *bodies = self._sent
        return Answered(
            start["status"],
            [(name.decode(), value.decode()) for name, value in start["headers"]],
            b"".join(body["body"] for body in bodies),
            not bodies[-1].get("more_body", False),
        )

    async def _receive(self) -> Any:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._signed.body}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self._sent.append(message)
        if message.get("body"):
            self.pieces.put_nowait(message["body"])

    async def answered(self) -> Answered:
        return await asyncio.wait_for(self.task, 20)

    async def piece(self) -> bytes:
        return await asyncio.wait_for(self.pieces.get(), 20)


class World:
    def __init__(
        self, store: SqliteStore, clock: SettableClock, authentication: Authentication, limits: Limits
    ) -> None:
        self.function = Function()
        self._store = store
        self._limits = limits
        self._site = FunctionUrlSite(store, self.function, authentication, clock, limits)
        self._calls: list[Client] = []

    async def url(self, qualifier: str = "", **settings: Any) -> None:
        made = UrlSettings(**{"auth_type": "NONE", **settings})
        url = FunctionUrl(id=ID, function_arn=ARN, qualifier=qualifier, settings=made.text, created=1, modified=1)
        await self._store.function_url_create(url)

    def begin(self, signed: Signed | None = None) -> Client:
        self._calls.append(Client(self._site, self._limits, signed or plain()))
        return self._calls[-1]

    async def call(self, signed: Signed | None = None) -> Answered:
        return await self.begin(signed).answered()

    async def close(self) -> None:
        for call in self._calls:
            call.task.cancel()
        await asyncio.gather(*[call.task for call in self._calls], return_exceptions=True)


def plain(path: str = "/x", method: str = "GET", body: bytes = b"", **headers: str) -> Signed:
    named = {"host": "127.0.0.1:4566", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Signed(method, f"{PATH}{ID}{path}", "", named, body)


@pytest.fixture
async def world(store: SqliteStore, clock: SettableClock, keyring: Keyring, limits: Limits) -> AsyncIterator[World]:
    made = World(store, clock, Authentication(keyring, clock, limits, Defaults()), limits)
    yield made
    await made.close()


Sign = Callable[..., Signed]


@pytest.fixture
def sign(clock: SettableClock) -> Sign:
    def signed(key: Credentials = KEY, service: str = "lambda", body: bytes = b"") -> Signed:
        return Signer(key, clock.time, service=service).sign("POST", f"{PATH}{ID}/x", body)

    return signed


async def test_a_call(world: World) -> None:
    await world.url()
    answer = await world.call(plain("/a/b", "PUT", b"{}", content_type="application/json"))
    assert (answer.status, answer.body, answer.complete) == (200, b'"fine"', True)
    (event,) = world.function.events
    assert (event["rawPath"], event["body"]) == ("/a/b", "{}")
    context = event["requestContext"]
    assert (context["accountId"], context["apiId"], context["domainName"]) == ("anonymous", ID, "127.0.0.1")
    assert event["headers"]["x-forwarded-port"] == "4566"
    assert world.function.arns == [ARN]


async def test_an_alias(world: World) -> None:
    await world.url("live")
    await world.call()
    assert world.function.arns == [f"{ARN}:live"]


async def test_there_is_no_such_url(world: World) -> None:
    answer = await world.call()
    assert (answer.status, answer.message) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("answer", "function_error"), [(b'{"errorType":"x"}', "Unhandled"), (b"no JSON", None), (b'{"statusCode":0}', None)]
)
async def test_a_function_that_fails(world: World, answer: bytes, function_error: str | None) -> None:
    await world.url()
    world.function.answer, world.function.function_error = answer, function_error
    answered = await world.call()
    assert (answered.status, answered.body) == (502, b"Internal Server Error")


async def test_throttled_and_gone(world: World) -> None:
    await world.url()
    world.function.trouble = FunctionThrottled(ARN)
    assert (await world.call()).status == 429
    world.function.trouble = FunctionNotFound(ARN)
    assert (await world.call()).status == 403


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body(world: World, status: int) -> None:
    await world.url()
    world.function.answer = json.dumps({"statusCode": status, "body": "x"}).encode()
    assert (await world.call()).body == b""


async def test_cors(world: World) -> None:
    await world.url(cors=Cors(allow_origins=["https://a.example"]))
    asked: dict[str, Any] = {"origin": "https://a.example", "access_control_request_method": "PUT"}
    preflight = await world.call(plain(method="OPTIONS", **asked))
    assert (preflight.status, preflight.body, world.function.events) == (200, b"", [])
    answer = await world.call(plain(origin="https://a.example"))
    assert ("access-control-allow-origin", "https://a.example") in preflight.headers
    assert ("access-control-allow-origin", "https://a.example") in answer.headers


async def test_without_cors_the_function_answers(world: World) -> None:
    await world.url()
    await world.call(plain(method="OPTIONS", origin="https://a", access_control_request_method="GET"))
    assert len(world.function.events) == 1


class TestLimits:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(function_request_bytes=10, request_drain_bytes=100)

    async def test_a_body_that_is_too_large(self, world: World) -> None:
        await world.url()
        answer = await world.call(plain(method="POST", body=b"x" * 11))
        assert (answer.status, answer.message) == (413, "The request body is larger than 10 bytes.")
        assert world.function.events == []


class TestOpenServer:
    """While no access key is configured."""

    async def test_who_is_let_in(self, world: World, sign: Sign) -> None:
        await world.url(auth_type="AWS_IAM")
        ours = Credentials(access_key_id=ACCOUNT, secret="anything", account=ACCOUNT)
        assert (await world.call(sign(ours))).status == 200
        caller = world.function.events[0]["requestContext"]
        assert caller["accountId"] == ACCOUNT
        assert caller["authorizer"]["iam"]["accessKey"] == ACCOUNT
        stranger = Credentials(access_key_id="210987654321", secret="anything", account="210987654321")
        for refused in (plain(), sign(stranger), sign(ours, "states")):
            answer = await world.call(refused)
            assert (answer.status, answer.message) == (403, "Forbidden")
        assert len(world.function.events) == 1


class TestKeys:
    @pytest.fixture
    def keys(self) -> list[Credentials]:
        return [KEY]

    async def test_who_is_let_in(self, world: World, sign: Sign) -> None:
        await world.url(auth_type="AWS_IAM")
        assert (await world.call(sign(body=b"x"))).status == 200
        wrong = sign(Credentials(access_key_id=KEY.access_key_id, secret="wrong", account=ACCOUNT))
        assert "signature we calculated does not match" in (await world.call(wrong)).message
        changed = sign(body=b"x")
        changed.body = b"y"
        assert (await world.call(changed)).status == 403
        assert (await world.call()).message == "Forbidden"
        assert len(world.function.events) == 1

    async def test_everybody_may_call_a_url_without_authentication(self, world: World) -> None:
        await world.url()
        assert (await world.call()).status == 200


class TestStreams:
    @pytest.fixture
    async def world(self, world: World) -> World:
        await world.url(invoke_mode="RESPONSE_STREAM")
        world.function.hold = asyncio.Event()
        return world

    async def test_pieces_go_out_as_they_come(self, world: World) -> None:
        world.function.streams = "text/x"
        client = world.begin()
        stream = await asyncio.wait_for(world.function.stream, 20)
        for piece in (b"one", b"two"):
            stream.feed(piece)
            assert await client.piece() == piece
        assert world.function.hold is not None
        world.function.hold.set()
        answer = await client.answered()
        assert (answer.status, answer.body, answer.complete) == (200, b"onetwo", True)
        assert ("content-type", "text/x") in answer.headers

    async def test_metadata_in_several_pieces(self, world: World) -> None:
        world.function.streams = METADATA
        client = world.begin()
        stream = await asyncio.wait_for(world.function.stream, 20)
        whole = b'{"statusCode":201,"headers":{"x-a":"1","content-type":"text/y"},"cookies":["c=1"]}' + bytes(8)
        for at in range(0, len(whole), 20):
            stream.feed(whole[at : at + 20])
            await asyncio.sleep(0)
        stream.feed(b"body")
        assert await client.piece() == b"body"
        assert world.function.hold is not None
        world.function.hold.set()
        answer = await client.answered()
        assert (answer.status, answer.body) == (201, b"body")
        assert {("x-a", "1"), ("content-type", "text/y"), ("set-cookie", "c=1")} <= set(answer.headers)

    @pytest.mark.parametrize("begin", [b"no JSON" + bytes(8), b"x" * 70_000, b'{"statusCode":5}' + bytes(8)])
    async def test_metadata_that_are_none(self, world: World, begin: bytes) -> None:
        world.function.streams = METADATA
        client = world.begin()
        (await asyncio.wait_for(world.function.stream, 20)).feed(begin)
        assert (await client.answered()).status == 502
        await asyncio.wait_for(world.function.cancelled.wait(), 20)

    async def test_a_failure_leaves_the_answer_unfinished(self, world: World) -> None:
        world.function.streams, world.function.function_error = "text/x", "Unhandled"
        client = world.begin()
        (await asyncio.wait_for(world.function.stream, 20)).feed(b"one")
        assert await client.piece() == b"one"
        assert world.function.hold is not None
        world.function.hold.set()
        answer = await client.answered()
        assert (answer.body, answer.complete) == (b"one", False)

    @pytest.mark.parametrize("begun", [True, False])
    async def test_whoever_hangs_up_ends_the_invocation(self, world: World, begun: bool) -> None:
        world.function.streams = "text/x" if begun else None
        client = world.begin()
        await asyncio.wait_for(world.function.called.wait(), 20)
        if begun:
            (await asyncio.wait_for(world.function.stream, 20)).feed(b"one")
            await client.piece()
        client.gone.set()
        await client.answered()
        await asyncio.wait_for(world.function.cancelled.wait(), 20)

    async def test_a_function_that_does_not_stream(self, world: World) -> None:
        world.function.hold = None
        world.function.answer = b'{"statusCode": 202, "body": "x"}'
        answer = await world.call()
        assert (answer.status, answer.body) == (202, b"x")

    async def test_a_function_that_fails_before_it_begins(self, world: World) -> None:
        world.function.hold, world.function.function_error = None, "Unhandled"
        assert (await world.call()).status == 502
        world.function.trouble = FunctionThrottled(ARN)
        assert (await world.call()).status == 429
