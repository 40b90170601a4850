"""HTTP to wherever a workflow says: the requests of HTTP tasks, and those for their OAuth tokens.

Requests go straight to the host of their URL, or through the proxy that the settings name for it. TLS is verified
against the certificates that OpenSSL is set up with on this machine (`SSL_CERT_FILE`, `SSL_CERT_DIR`). Redirects are
not followed, nothing is decompressed, no cookie is kept. There is no list of addresses that are forbidden: whoever may
create a state machine may have the server send requests to whatever the server reaches (docs/SECURITY.md).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from treadle.limits import Limits

if TYPE_CHECKING:
    import aiohttp

_PIECE_BYTES = 65_536


class WebTrouble(Exception):
    """There is no complete answer: no connection, no trust, no HTTP, or not in time. The message says why."""


class WebRequest(Struct, frozen=True, kw_only=True):
    method: str
    url: str
    """Encoded as it is to be sent."""
    headers: list[tuple[str, str]]
    body: bytes | None = None
    authority: str | None = None
    """The certificate, in PEM, of who must have signed that of the host, in place of those of this machine."""


class WebAnswer(Struct, frozen=True, kw_only=True):
    status: int
    reason: str
    headers: list[tuple[str, str]]
    """As they came."""
    body: bytes
    cut: bool
    """The body is longer, and the rest was not read."""


class Web:
    def __init__(self, limits: Limits, proxies: Mapping[str, str]) -> None:
        """`proxies`: URLs by the scheme of the requests that they are for, and `no` with the hosts that need none, as
        the variables `https_proxy` and `no_proxy` hold them."""
        self._limits = limits
        self._proxies = dict(proxies)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, request: WebRequest, most: int) -> WebAnswer:
        """Reads at most `most` bytes of the body, in at most `http_task_seconds`. Raises WebTrouble."""
        # Late, because it takes a quarter of a second, and many servers have no HTTP tasks.
        import aiohttp

        seconds = self._limits.http_task_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._fetch(request, most)
        except TimeoutError as error:
            raise WebTrouble(f"no complete answer within {seconds} seconds") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise WebTrouble(_reason(error)) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _fetch(self, request: WebRequest, most: int) -> WebAnswer:
        import yarl
        from multidict import CIMultiDict

        session = self._session or await self._open()
        async with session.request(
            request.method,
            yarl.URL(request.url, encoded=True),
            headers=CIMultiDict(request.headers),
            data=request.body,
            proxy=self._proxy(request.url),
            ssl=True if request.authority is None else _trusting(request.authority),
            allow_redirects=False,
        ) as response:
            body = bytearray()
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                body += piece
                if len(body) > most:
                    break
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
            return WebAnswer(
                status=response.status,
                reason=response.reason or "",
                headers=headers,
                body=bytes(body[:most]),
                cut=len(body) > most,
            )

    async def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        # In a thread, because it reads the certificates of the machine.
        context = await asyncio.to_thread(ssl.create_default_context)
        self._session = self._session or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limits.http_task_connections, ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            max_field_size=self._limits.neighbour_header_bytes,
            max_line_size=self._limits.neighbour_header_bytes,
        )
        return self._session

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        # Imported here, because few have a proxy. It is there on every platform, but not in the types of all.
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

        if proxy_bypass_environment(parts.netloc, self._proxies):
            return None
        return self._proxies.get(parts.scheme)


@lru_cache(maxsize=64)
def _trusting(authority: str) -> ssl.SSLContext:
    """Raises OSError, ValueError."""
    return ssl.create_default_context(cadata=authority)


def _reason(error: Exception) -> str:
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"what came is no HTTP answer: {error.message}"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return "the connection was closed before the answer was complete"
    return str(error) or type(error).__name__
