"""HTTP to wherever a workflow says: what passes, and every way in which the other side may fail."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from treadle.limits import Limits
from treadle.neighbours.web import Web, WebAnswer, WebRequest, WebTrouble

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handle: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of a server that does what `handle` does with each connection."""

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handled, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/"
    finally:
        listening.close()
        await listening.wait_closed()


def answering(answer: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte whenever somebody waits for one: it is never silent, and never done."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def fetch(
    url: str, most: int = 1_000, limits: Limits | None = None, proxies: dict[str, str] | None = None
) -> WebAnswer:
    web = Web(limits or Limits(), proxies or {})
    try:
        return await web.fetch(WebRequest(method="GET", url=url, headers=[("X-A", "1")]), most)
    finally:
        await web.close()


async def test_an_answer_comes_as_it_was_sent() -> None:
    text = b"HTTP/1.1 302 Over There\r\nLocation: /x\r\nx-Odd: 1\r\nx-Odd: 2\r\nContent-Length: 2\r\n\r\nno"
    async with server(answering(text)) as url:
        answer = await fetch(url)
    assert (answer.status, answer.reason, answer.body, answer.cut) == (302, "Over There", b"no", False)
    assert answer.headers == [("Location", "/x"), ("x-Odd", "1"), ("x-Odd", "2"), ("Content-Length", "2")]


async def test_no_more_of_a_body_is_read_than_is_wanted() -> None:
    async with server(endless) as url:
        answer = await fetch(url, most=1_000)
    assert (len(answer.body), answer.cut) == (1_000, True)


@pytest.mark.parametrize(
    ("handle", "why"),
    [
        (silent, "no complete answer within 1 seconds"),
        (dripping, "no complete answer within 1 seconds"),
        (answering(b""), "the connection was closed before the answer was complete"),
        (answering(b"\x00\x01rubbish\r\n\r\n"), "what came is no HTTP answer"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "closed before the answer was complete"),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), "what came is no HTTP answer"),
    ],
)
async def test_bad_servers(handle: Handler, why: str) -> None:
    async with server(handle) as url:
        with pytest.raises(WebTrouble, match=why):
            await fetch(url, most=10_000_000, limits=Limits(http_task_seconds=1))


async def test_nobody_listens() -> None:
    async with server(silent) as url:
        pass
    with pytest.raises(WebTrouble, match=r"no connection to 127.0.0.1:\d+: Connect"):
        await fetch(url)


async def test_a_host_that_there_is_not() -> None:
    with pytest.raises(WebTrouble, match=r"no connection to nowhere\.invalid:80"):
        await fetch("http://nowhere.invalid/")


async def test_rubbish_in_place_of_tls() -> None:
    async with server(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as url:
        with pytest.raises(WebTrouble, match=r"no connection|no complete answer"):
            await fetch(url.replace("http:", "https:"), limits=Limits(http_task_seconds=1))


async def test_only_a_certificate_that_is_trusted_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), context) as url:
        with pytest.raises(WebTrouble, match="the certificate is not trusted"):
            await fetch(url)
        file = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(file)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert (await fetch(url)).body == b"hi"


async def test_through_a_proxy_unless_the_host_needs_none() -> None:
    heard: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")
        await writer.drain()

    async with server(proxy) as at, server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) as url:
        proxies = {"http": at.rstrip("/"), "no": "127.0.0.1"}
        assert (await fetch("http://api.example/x", proxies=proxies)).body == b"proxy"
        assert (await fetch(url, proxies=proxies)).body == b"hi"
    assert heard == [b"GET http://api.example/x HTTP/1.1"]
