"""Functions, as the tasks and the Lambda API see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class FunctionError(Exception):
    """Base of what functions raise."""


class FunctionNotFound(FunctionError):
    """There is no function of that name. The message is Lambda's: `Function not found: <arn>`."""


class FunctionThrottled(FunctionError):
    """As many invocations of the function run as were reserved for it."""


class Invocation(Struct, frozen=True, kw_only=True):
    """How an invocation ended. `payload` is the handler's answer, or if `function_error` is set the error
    document (`{"errorMessage": ..., "errorType": ..., "requestId": ..., "stackTrace": [...]}`)."""

    payload: bytes
    request_id: str
    function_error: str | None = None
    """`Unhandled` or None, as Lambda's X-Amz-Function-Error."""
    log: str = ""
    """What was logged of this invocation, with Lambda's own lines (the last part of it)."""
    executed_version: str = "$LATEST"


class FunctionInfo(Struct, frozen=True, kw_only=True):
    name: str
    handler: str
    """`module.attribute`, as Lambda writes it."""
    code: str
    """Path of the file or folder."""
    timeout_seconds: int


class Functions(Protocol):
    async def start(self) -> None: ...

    async def close(self) -> None:
        """Stop all workers. Invocations in flight end with an error document."""
        ...

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
        """Run the function once, in a worker of its own for the time. Raises FunctionNotFound, FunctionThrottled.

        `name` is the function's name in `function_arn`, whose qualifier says which version runs.
        `client_context` is JSON text: what the handler finds in `context.client_context`.
        Cancelling the call kills the worker. `timeout_seconds` cuts the function's own time-out short."""
        ...

    async def exists(self, function_arn: str) -> bool:
        """Whether there is such a function, and the version or alias of it that the ARN names."""
        ...

    def list(self) -> Sequence[FunctionInfo]: ...
