"""Functions without processes: what tasks make of an invocation is tested here, workers elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from treadle.document import Document, encode
from treadle.functions.contract import FunctionInfo, FunctionNotFound, Invocation
from treadle.language.resources import parse_resource
from treadle.tasks.contract import TaskOutcome, TaskRequest

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:pay"
INVOKE = "arn:aws:states:::lambda:invoke"


class Call(Struct, frozen=True, kw_only=True):
    name: str
    payload: bytes
    function_arn: str
    client_context: str | None


class FakeFunctions:
    """Every function but `nope` answers `payload`; `hold` is when."""

    def __init__(self, payload: bytes = b"null", function_error: str | None = None, log: str = "") -> None:
        self.invocation = Invocation(
            payload=payload, request_id="the-request-id", function_error=function_error, log=log
        )
        self.calls: list[Call] = []
        self.hold: asyncio.Event | None = None
        self.bug: Exception | None = None
        self.cancelled = asyncio.Event()

    async def start(self) -> None: ...

    async def close(self) -> None: ...

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
        call = Call(name=name, payload=payload, function_arn=function_arn, client_context=client_context)
        self.calls.append(call)
        if name == "nope":
            raise FunctionNotFound(f"Function not found: {function_arn}")
        if self.bug is not None:
            raise self.bug
        if self.hold is not None:
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        return self.invocation

    async def exists(self, function_arn: str) -> bool:
        return ":function:nope" not in function_arn

    def list(self) -> Sequence[FunctionInfo]:
        return []


def request(resource: str, value: Any = None, token: str = "token", text: str | None = None) -> TaskRequest:
    parsed = parse_resource(resource)
    assert parsed is not None
    return TaskRequest(
        token=token,
        resource=parsed,
        input=Document(text=encode(value) if text is None else text),
        timeout_seconds=60,
        state_name="Pay",
        execution_arn="arn:aws:states:eu-west-1:123456789012:execution:machine:run",
        machine_arn="arn:aws:states:eu-west-1:123456789012:stateMachine:machine",
        role_arn="arn:aws:iam::123456789012:role/role",
        region="eu-west-1",
    )


def failure(outcome: TaskOutcome) -> tuple[str | None, str | None]:
    assert outcome.output is None
    return outcome.error, outcome.cause
