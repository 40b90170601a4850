"""`arn:aws:states:::lambda:invoke`: Lambda's Invoke operation as a task.

    parameter        what it may be
    FunctionName     name, ARN or partial ARN, each with or without a qualifier; required
    Payload          any JSON. Text that is JSON is sent as it is; null or none is an empty object (recorded)
    InvocationType   RequestResponse, Event or DryRun
    LogType          None or Tail (adds LogResult)
    ClientContext    Base64 of a JSON object
    Qualifier        a version or an alias; functions of the functions folder have one version, $LATEST

The result is the SDK's whole answer, metadata and all (recorded: services/lambda_task_service--invoke*).
"""

from __future__ import annotations

import base64
import re
from email.utils import formatdate
from typing import Any

from msgspec import Struct

from treadle.document import Document, decode, encode
from treadle.functions.client_context import read_client_context
from treadle.functions.contract import FunctionNotFound, Functions, FunctionThrottled, Invocation
from treadle.functions.trace import new_trace_id
from treadle.limits import Limits
from treadle.tasks.contract import EventInvocations, TaskOutcome, TaskRequest
from treadle.tasks.lambda_outcomes import (
    function_failed,
    function_not_found,
    function_throttled,
    qualified,
    request_id,
    result_too_large,
    service_fault,
    text_of,
)
from treadle.tasks.parameters import NO_OBJECT, malformed, missing, unsupported

PARAMETERS = frozenset({"FunctionName", "Payload", "InvocationType", "LogType", "ClientContext", "Qualifier"})
_FUNCTION_NAME_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
"""From Lambda's service model; its message quotes it."""
_FUNCTION_NAME = re.compile(_FUNCTION_NAME_PATTERN, re.ASCII)
_ACCOUNT_GROUP, _NAME_GROUP, _QUALIFIER_GROUP = 8, 10, 12
_ENUMERATIONS = {
    "InvocationType": ("Event", "RequestResponse", "DryRun"),
    "LogType": ("None", "Tail"),
}


class _Call(Struct, frozen=True, kw_only=True):
    """The parameters, checked."""

    name: str
    arn: str
    payload: bytes
    kind: str
    tail: bool
    client_context: str | None


async def run_lambda_invoke(
    request: TaskRequest, functions: Functions, events: EventInvocations | None, limits: Limits
) -> TaskOutcome:
    call = _checked(request, limits)
    if isinstance(call, TaskOutcome):
        return call
    trace_id = new_trace_id()
    try:
        if call.kind == "RequestResponse":
            return await _invoked(request, call, functions, trace_id, limits)
        if call.kind == "DryRun":
            if not await functions.exists(call.arn):
                raise FunctionNotFound(call.arn)
            return TaskOutcome(output=Document(_nothing_yet(204, request_id(request), trace_id)))
        return await _accepted(request, call, events, trace_id)
    except FunctionNotFound:
        return function_not_found(FunctionNotFound(f"Function not found: {qualified(call.arn, call.name)}"))
    except FunctionThrottled:
        return function_throttled()


async def _invoked(
    request: TaskRequest, call: _Call, functions: Functions, trace_id: str, limits: Limits
) -> TaskOutcome:
    """Raises FunctionNotFound, FunctionThrottled."""
    invocation = await functions.invoke(
        call.name,
        call.payload,
        function_arn=call.arn,
        request_id=request_id(request),
        trace_id=trace_id,
        client_context=call.client_context,
    )
    if invocation.function_error is not None:
        return function_failed(invocation, compact=True)
    if len(invocation.payload) > limits.payload_bytes:
        return result_too_large("lambda")
    output = Document(_answer(invocation, trace_id, call.tail))
    return TaskOutcome(output=output) if output.size <= limits.payload_bytes else result_too_large("lambda")


async def _accepted(request: TaskRequest, call: _Call, events: EventInvocations | None, trace_id: str) -> TaskOutcome:
    """Raises FunctionNotFound."""
    if events is None:
        raise RuntimeError("tasks were not connected to asynchronous invocations")
    id = request_id(request)
    await events.accept(
        call.payload, function_arn=call.arn, request_id=id, trace_id=trace_id, client_context=call.client_context
    )
    return TaskOutcome(output=Document(_nothing_yet(202, id, trace_id)))


# -- the request -------------------------------------------------------------------------------------------


def _checked(request: TaskRequest, limits: Limits) -> _Call | TaskOutcome:
    parameters = request.input.value
    for field, values in _ENUMERATIONS.items():
        value = parameters.get(field)
        if value is not None and value not in values:
            return _invalid(field, value, f"enum value set: [{', '.join(values)}]")
    function_name = parameters["FunctionName"]
    match = _FUNCTION_NAME.fullmatch(function_name)
    if match is None:
        return _invalid("FunctionName", function_name, f"regular expression pattern: {_FUNCTION_NAME_PATTERN}")
    context = parameters.get("ClientContext")
    client_context = None if context is None else read_client_context(context, limits)
    if context is not None and client_context is None:
        return service_fault(
            400,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )
    name, derived, qualifier = match[_NAME_GROUP], match[_QUALIFIER_GROUP], parameters.get("Qualifier")
    if qualifier and derived not in (None, qualifier):
        text = "The derived qualifier from the function name does not match the specified qualifier."
        return service_fault(400, "InvalidParameterValueException", text)
    return _Call(
        name=name,
        arn=_function_arn(request, match, qualifier or derived),
        payload=_payload(parameters.get("Payload")),
        kind=parameters.get("InvocationType") or "RequestResponse",
        tail=parameters.get("LogType") == "Tail",
        client_context=client_context,
    )


def problem(parameters: Any) -> str | None:
    """What Step Functions has against the parameters of a task, or None."""
    if not isinstance(parameters, dict):
        return NO_OBJECT
    for field in parameters:
        if field not in PARAMETERS:
            return unsupported(field)
    if "FunctionName" not in parameters:
        return missing("FunctionName")
    for field in PARAMETERS - {"Payload"}:
        value = parameters.get(field, "")
        if not isinstance(value, str) and (value is not None or field == "FunctionName"):
            return malformed(field)
    return None


def _invalid(field: str, value: str, constraint: str) -> TaskOutcome:
    member = field[0].lower() + field[1:]
    message = (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint:"
        f" Member must satisfy {constraint}"
    )
    return service_fault(400, "ValidationException", message)


def _payload(value: Any) -> bytes:
    if value is None:
        return b"{}"
    if isinstance(value, str):
        try:
            decode(value)
        except ValueError:
            return encode(value).encode()
        return value.encode()
    return encode(value).encode()


def _function_arn(request: TaskRequest, match: re.Match[str], qualifier: str | None) -> str:
    """The ARN that is invoked, which the handler's context shows: the caller's own, or one in the account
    in which the task works."""
    given, name = match[0], match[_NAME_GROUP]
    if given.startswith("arn:"):
        arn = given if match[_QUALIFIER_GROUP] is None else given.removesuffix(f":{match[_QUALIFIER_GROUP]}")
    else:
        partition = request.execution_arn.split(":")[1]
        account = (match[_ACCOUNT_GROUP] or request.account).removesuffix(":")
        arn = f"arn:{partition}:lambda:{request.region}:{account}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


# -- the answer --------------------------------------------------------------------------------------------


def _answer(invocation: Invocation, trace_id: str, tail: bool) -> dict[str, Any]:
    try:
        payload = decode(invocation.payload)
    except ValueError:
        payload = text_of(invocation.payload)
    headers = {
        "X-Amz-Executed-Version": invocation.executed_version,
        **_headers(invocation.request_id, len(invocation.payload), trace_id),
        "Content-Type": "application/json",
    }
    log = {"LogResult": base64.b64encode(invocation.log.encode()).decode()} if tail else {}
    return {
        "ExecutedVersion": invocation.executed_version,
        **log,
        "Payload": payload,
        **_metadata(headers, 200, invocation.request_id),
    }


def _nothing_yet(status: int, request_id: str, trace_id: str) -> dict[str, Any]:
    """The answer of Lambda when no function has run: it has no body and names no version. (That the task's result
    has an empty text as the payload then is a guess; it is not recorded.)"""
    return {"Payload": "", **_metadata(_headers(request_id, 0, trace_id), status, request_id)}


def _headers(request_id: str, length: int, trace_id: str) -> dict[str, str]:
    return {
        "x-amzn-Remapped-Content-Length": "0",
        "Connection": "keep-alive",
        "x-amzn-RequestId": request_id,
        "Content-Length": str(length),
        "Date": formatdate(usegmt=True),
        "X-Amzn-Trace-Id": trace_id,
    }


def _metadata(headers: dict[str, str], status: int, request_id: str) -> dict[str, Any]:
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": dict(sorted(headers.items(), key=lambda header: header[0].lower())),
            "HttpStatusCode": status,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
        "StatusCode": status,
    }
