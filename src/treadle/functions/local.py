"""The functions of this machine: the folder, the workers, and the runtime API between them, as one
`Functions`."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence

from treadle.functions import failures
from treadle.functions.catalog import Catalog, FunctionUnusableError
from treadle.functions.contract import FunctionInfo, FunctionNotFound, Invocation
from treadle.functions.guardian import Guardian
from treadle.functions.logs import LogFiles, LogSink
from treadle.functions.options import FunctionOptions
from treadle.functions.pool import Pool
from treadle.functions.runtime_api import RuntimeApi
from treadle.functions.trace import new_trace_id
from treadle.functions.worker import Request, Surroundings

_log = logging.getLogger(__name__)


class LocalFunctions:
    """Implements `contract.Functions`."""

    def __init__(self, options: FunctionOptions, log: LogSink | None = None) -> None:
        limits = options.limits
        self._catalog = Catalog(options)
        self._files = LogFiles(options.logs, limits.function_log_file_bytes)
        self._api = RuntimeApi(limits)
        self._guardian = Guardian()
        self._pool = Pool(Surroundings(options=options, api=self._api, guardian=self._guardian, log=log or self._files))

    async def start(self) -> None:
        await self._guardian.start()
        await self._api.start()

    async def close(self) -> None:
        await self._pool.close()
        await self._api.close()
        await self._guardian.close()
        self._files.close()

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        function_arn: str,
        request_id: str | None = None,
        timeout_seconds: float | None = None,
        trace_id: str | None = None,
        client_context: str | None = None,
    ) -> Invocation:
        request_id = request_id or str(uuid.uuid4())
        try:
            function = self._catalog.get(name)
        except FunctionNotFound:
            raise FunctionNotFound(f"Function not found: {function_arn}") from None
        except FunctionUnusableError as error:
            document = failures.unusable(str(error))
            return Invocation(payload=document, request_id=request_id, function_error="Unhandled")
        longest = float(function.timeout_seconds)
        request = Request(
            payload=payload,
            request_id=request_id,
            function_arn=function_arn,
            timeout_seconds=longest if timeout_seconds is None else min(longest, timeout_seconds),
            trace_id=trace_id or new_trace_id(),
            client_context=client_context,
        )
        return await self._pool.run(function, request)

    def list(self) -> Sequence[FunctionInfo]:
        """The functions that can be run; why another cannot is logged, and told to whoever invokes it."""
        found = []
        for name in self._catalog.names():
            try:
                function = self._catalog.get(name)
            except FunctionNotFound:  # removed meanwhile
                continue
            except FunctionUnusableError as error:
                _log.warning("Function %s cannot be run: %s", name, error)
                continue
            found.append(
                FunctionInfo(
                    name=name,
                    handler=function.handler,
                    code=str(function.code),
                    timeout_seconds=function.timeout_seconds,
                )
            )
        return found
