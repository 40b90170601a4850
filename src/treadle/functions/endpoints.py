"""Functions that are somebody else's HTTP endpoint.

An invocation is one POST to the function's URL: the event is the body, and what a Runtime API would say of it stands in
the same headers (`Lambda-Runtime-Aws-Request-Id`, `-Deadline-Ms`, `-Invoked-Function-Arn`, `-Trace-Id`,
`-Client-Context`). The trace is in `X-Amzn-Trace-Id` too. How the invocation ends:

    2xx                                the body is the handler's answer; no body is null
    2xx with X-Amz-Function-Error      the body is the error document, as when Lambda itself is invoked
    other, {"errorType": ...}          the body is the error document
    other                              Endpoint.StatusError, which says the status
    no connection, or no whole answer  Endpoint.ConnectionError
    no answer in time                  Sandbox.Timedout

Redirects are not followed: they are a status like others. Nothing is asked twice; whether to retry is up to the
workflow. Of all endpoints together, as many are asked at once as there may be workers; others wait their turn.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from treadle.document import decode
from treadle.functions import failures
from treadle.functions.contract import Invocation
from treadle.functions.function import Function
from treadle.functions.logs import LogSink, LogStream
from treadle.functions.options import FunctionOptions
from treadle.functions.platform_lines import Report, Status
from treadle.functions.worker import Request, event_headers
from treadle.functions.worker_log import WorkerLog

if TYPE_CHECKING:
    import aiohttp

_FUNCTION_ERROR = "X-Amz-Function-Error"


class _NotReached(Exception):
    """There was no answer, or not all of it."""


class Endpoints:
    def __init__(self, options: FunctionOptions, sink: LogSink) -> None:
        self._options = options
        self._limits = limits = options.limits
        self._sink = sink
        self._streams: dict[tuple[str, str], LogStream] = {}
        """By key and version of the function."""
        self._turns = asyncio.Semaphore(limits.function_workers)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Invocations in flight end with an error."""
        if self._session is not None:
            await self._session.close()

    async def run(self, function: Function, request: Request) -> Invocation:
        """`function` has a URL."""
        assert function.url is not None
        async with self._turns:
            log = self._log(function)
            log.started(request.request_id)
            began = time.perf_counter()
            status: Status = "success"
            error_type = reason = None
            try:
                async with asyncio.timeout(request.timeout_seconds):
                    payload, status = await self._ask(function.url, request)
            except TimeoutError:
                payload = failures.timed_out(request.request_id, request.timeout_seconds)
                status, error_type = "timeout", failures.TIMED_OUT
                reason = failures.reason_of_time_out(request.timeout_seconds)
            except _NotReached as error:
                payload = failures.endpoint_not_reached(request.request_id, str(error))
                status, error_type, reason = "failure", failures.NOT_REACHED, str(error)
            report = Report(
                request_id=request.request_id,
                milliseconds=(time.perf_counter() - began) * 1_000,
                status=status,
                error_type=error_type,
                reason=reason,
            )
            tail = log.ended(report)
        error_kind = None if status == "success" else "Unhandled"
        return Invocation(payload=payload, request_id=request.request_id, function_error=error_kind, log=tail)

    def _log(self, function: Function) -> WorkerLog:
        """Of one invocation; all of a function, as long as it is what it is, go to one stream."""
        key = function.key, function.version
        if key not in self._streams:
            for old in [each for each in self._streams if each[0] == function.key]:
                del self._streams[old]
            self._streams[key] = LogStream.of_new_worker(function, self._options.account, self._options.region)
        return WorkerLog(function, self._streams[key], self._sink, self._limits.function_log_tail_bytes)

    async def _ask(self, url: str, request: Request) -> tuple[bytes, Status]:
        """The answer or error document. Raises _NotReached."""
        import aiohttp  # it takes a while, and few servers need it

        try:
            return await self._asked(url, request)
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            # ValueError: what aiohttp makes of a URL that it cannot use; RuntimeError: of a session that is closed.
            if isinstance(error, TimeoutError):
                raise
            raise _NotReached(f"{type(error).__name__}: {error}") from error

    async def _asked(self, url: str, request: Request) -> tuple[bytes, Status]:
        headers = {"Content-Type": "application/json", **dict(event_headers(request))}
        headers["X-Amzn-Trace-Id"] = headers.get("Lambda-Runtime-Trace-Id", "")
        async with self._open().post(url, data=request.payload, headers=headers, allow_redirects=False) as response:
            body = bytearray()
            async for part in response.content.iter_any():
                body += part
                if len(body) > self._limits.function_request_bytes:
                    return failures.too_large(self._limits.function_request_bytes), "error"
            if 200 <= response.status < 300:
                return bytes(body) or b"null", "error" if _FUNCTION_ERROR in response.headers else "success"
            if _is_error_document(bytes(body)):
                return bytes(body), "error"
            return failures.endpoint_refused(request.request_id, response.status, response.reason or ""), "error"

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),  # the turns bound them
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(),
                auto_decompress=False,
                skip_auto_headers=("Accept-Encoding",),
            )
        return self._session


def _is_error_document(body: bytes) -> bool:
    try:
        document = decode(body)
    except ValueError:
        return False
    return isinstance(document, dict) and isinstance(document.get("errorType"), str)
