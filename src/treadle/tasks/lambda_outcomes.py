"""Lambda's answers as the outcome of a task: what a function's ARN and `lambda:invoke` have in common."""

from __future__ import annotations

import hashlib
import uuid

from treadle.document import decode, encode
from treadle.functions.contract import FunctionNotFound, Invocation
from treadle.tasks.contract import TaskOutcome, TaskRequest

_UUID_BYTES = 16
UNKNOWN_ERROR = "Lambda.Unknown"
"""The error of a function whose error document names none."""


def request_id(request: TaskRequest) -> str:
    """The request id that the handler sees: the same when a restart delivers the task again, and no other try's."""
    # Not uuid5: OpenSSL's SHA-1 costs several times as much, where nothing of it is in the processor's cache.
    digest = hashlib.blake2s(request.token.encode(), digest_size=_UUID_BYTES).digest()
    return str(uuid.UUID(bytes=digest, version=4))


def text_of(payload: bytes) -> str:
    return payload.decode("utf-8", "replace")


def function_failed(invocation: Invocation, compact: bool) -> TaskOutcome:
    """The handler failed: the error is the document's errorType, the cause the document itself.

    A function's ARN keeps the document's text, `lambda:invoke` strips its blanks (recorded:
    error_handling/task_lambda--raise_exception_catch and task_service_lambda--raise_custom_exception).
    """
    text = text_of(invocation.payload)
    try:
        document = decode(text)
    except ValueError:
        return TaskOutcome(error=UNKNOWN_ERROR, cause=text)
    error = document.get("errorType") if isinstance(document, dict) else None
    if not isinstance(error, str) or not error:
        error = UNKNOWN_ERROR
    return TaskOutcome(error=error, cause=encode(document) if compact else text)


def service_fault(status: int, code: str, message: str) -> TaskOutcome:
    """Lambda refused the request, in the SDK's words (recorded:
    error_handling/task_service_lambda--no_such_function).

    Exceptions that the SDK has no class for are all AWSLambdaException."""
    name = "AWSLambdaException" if code == "ValidationException" else code
    origin = f"Service: AWSLambda; Status Code: {status}; Error Code: {code}"
    return TaskOutcome(error=f"Lambda.{name}", cause=f"{message} ({origin}; Request ID: {uuid.uuid4()}; Proxy: null)")


def function_not_found(error: FunctionNotFound) -> TaskOutcome:
    return service_fault(404, "ResourceNotFoundException", str(error))


def function_throttled() -> TaskOutcome:
    """As many invocations run as were reserved for the function."""
    return service_fault(429, "TooManyRequestsException", "Rate Exceeded.")


def result_too_large(who: str) -> TaskOutcome:
    """Recorded: error_handling/states_errors--*_data_limit_exceeded_on_large_utf8_response."""
    return TaskOutcome(
        error="States.DataLimitExceeded",
        cause=f"The state/task '{who}' returned a result with a size exceeding the maximum number of bytes"
        " service limit.",
    )


def qualified(arn: str, name: str) -> str:
    """The ARN with a qualifier, as Lambda's messages have it. `name` is the function's, as the ARN has it."""
    return arn if not arn.endswith(f":{name}") else f"{arn}:$LATEST"
