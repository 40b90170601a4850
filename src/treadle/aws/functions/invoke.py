"""The operation Invoke."""

from __future__ import annotations

import base64
from typing import Any

from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.functions.call import Call
from treadle.aws.functions.names import FunctionName, function_not_found
from treadle.document import Document
from treadle.functions.answer_stream import AnswerStream
from treadle.functions.client_context import read_client_context
from treadle.functions.contract import FunctionNotFound, FunctionThrottled, Invocation
from treadle.language.jackson import json_error

_NO_PAYLOAD = b"{}"
"""What a handler gets as its event of an invocation without one."""


async def invoke(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.named(request)
    kind = request.get("InvocationType", "RequestResponse")
    for member in ("DurableExecutionName", "TenantId"):
        if member in request:
            raise not_implemented(f"invocations with {member}")
    payload = payload_of(call, request.get("Payload", b""))
    client_context = client_context_of(call, request)
    if kind == "Event":
        await _accept(call, named, payload, client_context)
        return {"StatusCode": 202}
    if kind == "DryRun":
        if not call.in_folder(named.name):
            await call.version(named)
        return {"StatusCode": 204}
    return _answer(await run(call, named, payload, client_context), request)


async def invoke_async(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The older, deprecated form of an asynchronous invocation."""
    await _accept(call, call.named(request), payload_of(call, request["InvokeArgs"]), None)
    return {"Status": 202}


async def _accept(call: Call, named: FunctionName, payload: bytes, client_context: str | None) -> None:
    """The event is on disk when this returns. Raises ApiError."""
    most = call.backend.limits.event_payload_bytes
    if len(payload) > most:
        text = f"{len(payload)} byte payload is too large for the Event invocation type (limit {most} bytes)"
        raise ApiError("RequestTooLargeException", text)
    try:
        await call.backend.events.accept(
            payload,
            function_arn=named.qualified_arn,
            request_id=call.caller.request_id,
            trace_id=call.caller.trace_header,
            client_context=client_context,
        )
    except FunctionNotFound as error:
        raise function_not_found(named.qualified_arn) from error


async def run(
    call: Call,
    named: FunctionName,
    payload: bytes,
    client_context: str | None,
    stream: AnswerStream | None = None,
) -> Invocation:
    """`stream`: where the answer goes if the handler streams it. Raises ApiError."""
    try:
        return await call.backend.functions.invoke(
            named.name,
            payload,
            function_arn=named.qualified_arn,
            request_id=call.caller.request_id,
            trace_id=call.caller.trace_header,
            client_context=client_context,
            stream=stream,
        )
    except FunctionNotFound as error:
        raise function_not_found(named.qualified_arn) from error
    except FunctionThrottled as error:
        raise ApiError(
            "TooManyRequestsException",
            "Rate Exceeded.",
            Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
        ) from error


def _answer(invocation: Invocation, request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "StatusCode": 200,
        "ExecutedVersion": invocation.executed_version,
        "Payload": invocation.payload,
    }
    if invocation.function_error is not None:
        answer["FunctionError"] = invocation.function_error
    if request.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode(invocation.log.encode()).decode()
    return answer


def payload_of(call: Call, payload: bytes) -> bytes:
    """Raises InvalidRequestContentException."""
    if not payload:
        return _NO_PAYLOAD
    limits = call.backend.limits
    try:
        text = payload.decode()
        Document.parse(text)
    except ValueError as error:
        fault = None if isinstance(error, UnicodeDecodeError) else json_error(text, limits.json_depth)
        reason = str(error) if fault is None else fault.message
        text = f"Could not parse request body into json: Could not parse payload into json: {reason}"
        raise ApiError("InvalidRequestContentException", text) from error
    return payload


def client_context_of(call: Call, request: dict[str, Any]) -> str | None:
    """Raises InvalidRequestContentException."""
    given = request.get("ClientContext")
    if given is None:
        return None
    context = read_client_context(given, call.backend.limits)
    if context is None:
        text = "Client context must be a valid Base64-encoded JSON object."
        raise ApiError("InvalidRequestContentException", text)
    return context
