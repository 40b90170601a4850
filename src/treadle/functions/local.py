"""The functions of this machine: those of the folder, those made through the API, the workers, and the runtime API
between them, as one `Functions`.

A function of the folder stands for its name in every account and region, whatever version is asked for, and goes
before a function of the same name that was made through the API: what lies in the folder is what runs.
"""

from __future__ import annotations

import logging
import math
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from treadle.functions import failures
from treadle.functions.answer_stream import AnswerStream
from treadle.functions.archives import ArchiveError
from treadle.functions.catalog import Catalog, FunctionUnusableError
from treadle.functions.contract import FunctionInfo, FunctionNotFound, FunctionThrottled, Invocation
from treadle.functions.created import CreatedFunctions, FunctionArn
from treadle.functions.endpoints import Endpoints
from treadle.functions.function import Function
from treadle.functions.guardian import Guardian
from treadle.functions.logs import LogFiles, LogSink, Sinks
from treadle.functions.options import FunctionOptions
from treadle.functions.pool import Pool
from treadle.functions.runtime_api import RuntimeApi
from treadle.functions.runtimes import RuntimeMissingError
from treadle.functions.scratch import Scratch
from treadle.functions.trace import new_trace_id
from treadle.functions.upkeep import Upkeep
from treadle.functions.variables import base_variables
from treadle.functions.worker import Request, Surroundings
from treadle.functions.zygote import Zygote

_log = logging.getLogger(__name__)


class LocalFunctions:
    """Implements `contract.Functions`."""

    def __init__(
        self, options: FunctionOptions, created: CreatedFunctions | None = None, sinks: Sequence[LogSink] = ()
    ) -> None:
        """`sinks`: where output goes besides the files."""
        limits = options.limits
        self._catalog = Catalog(options)
        self._created = created
        self._running: Counter[str] = Counter()
        """Invocations of each function that were made through the API and has something reserved, by its ARN."""
        self._files = LogFiles(options.logs, limits.function_log_file_bytes)
        self._api = RuntimeApi(limits)
        scratch = Scratch()
        self._guardian = Guardian(scratch)
        self._zygote = Zygote(self._guardian, base_variables(options))
        log = Sinks([self._files, *sinks])
        self._endpoints = Endpoints(options, log)
        self._pool = Pool(
            Surroundings(
                options=options,
                api=self._api,
                guardian=self._guardian,
                zygote=self._zygote,
                scratch=scratch,
                log=log,
            )
        )
        self.upkeep = None if created is None else Upkeep(created, self._pool)

    async def start(self) -> None:
        await self._api.start()
        if self.upkeep is not None:
            await self.upkeep.start()

    async def close(self) -> None:
        if self.upkeep is not None:
            await self.upkeep.close()
        await self._endpoints.close()
        await self._pool.close()
        await self._zygote.close()
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
        stream: AnswerStream | None = None,
    ) -> Invocation:
        request_id = request_id or str(uuid.uuid4())
        try:
            function = await self._find(name, function_arn)
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
            stream=stream,
        )
        if stream is not None:
            stream.executed_version = function.published_version
        with self._room(function_arn):
            if function.url is None:
                invocation = await self._pool.run(function, request)
            else:
                invocation = await self._endpoints.run(function, request)
        return replace(invocation, executed_version=function.published_version)

    async def exists(self, function_arn: str) -> bool:
        """Whether there is such a function, or version or alias of it, whether it can be run or not."""
        try:
            await self._find(FunctionArn.read(function_arn).name, function_arn)
        except FunctionNotFound:
            return False
        except FunctionUnusableError:
            pass
        return True

    async def _find(self, name: str, function_arn: str) -> Function:
        """Raises FunctionNotFound, FunctionUnusableError."""
        try:
            return self._catalog.get(name)
        except FunctionNotFound:
            if self._created is None:
                raise FunctionNotFound(f"Function not found: {function_arn}") from None
        try:
            return await self._created.find(FunctionArn.read(function_arn))
        except (ArchiveError, RuntimeMissingError) as error:
            raise FunctionUnusableError(str(error)) from error

    @contextmanager
    def _room(self, function_arn: str) -> Iterator[None]:
        """Count an invocation, if the function has a bound to how many may run. Raises FunctionThrottled."""
        if self._created is None or not self._created.reserved:
            yield
            return
        arn = FunctionArn.read(function_arn).unqualified
        reserved = self._created.reserved.get(arn, math.inf)
        if self._running[arn] >= reserved:
            raise FunctionThrottled(function_arn)
        self._running[arn] += 1
        try:
            yield
        finally:
            self._running[arn] -= 1

    def retire(self, function_arn: str, number: int | None = None) -> None:
        """The workers of the function with this (unqualified) ARN, or of one version of it, run what it is no more."""
        self._pool.retire(f"{function_arn}:" if number is None else f"{function_arn}:{number}:")

    def in_folder(self, name: str) -> Function | None:
        """The function of the folder, if there is one that can be run."""
        try:
            return self._catalog.get(name)
        except (FunctionNotFound, FunctionUnusableError):
            return None

    def names_in_folder(self) -> Sequence[str]:
        """Sorted, also those that cannot be run."""
        return self._catalog.names()

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
