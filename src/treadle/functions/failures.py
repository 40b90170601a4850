"""Error documents that the Lambda service writes itself, because the handler could not.

What the handler's own runtime sends (handler errors, Runtime.ImportModuleError, Runtime.HandlerNotFound,
Runtime.MarshalError, ...) passes through as it is, but for the paths in stack traces: see
`with_lambda_paths`. Texts: the Lambda developer guide, pages on troubleshooting execution and on custom
runtimes.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from treadle.document import encode

LAMBDA_TASK_ROOT = "/var/task"
_BEFORE_PATHS = (b'File \\"', b"(", b"file://", b"at ", b"- ", b'"')
"""What stands before a path where a place in the code is told: in Python's stack traces, and in those of Node.js (the
last two in the list of who required a module, and on the line before a syntax error)."""


TIMED_OUT = "Sandbox.Timedout"
EXITED = "Runtime.ExitError"
NOT_REACHED = "Endpoint.ConnectionError"


def timed_out(request_id: str, seconds: float) -> bytes:
    return _document(TIMED_OUT, f"RequestId: {request_id} Error: {reason_of_time_out(seconds)}")


def reason_of_time_out(seconds: float) -> str:
    return f"Task timed out after {seconds:.2f} seconds"


def exited(request_id: str, return_code: int) -> bytes:
    """The worker's process ended by itself."""
    return _document(EXITED, f"RequestId: {request_id} Error: {reason_of_exit(return_code)}")


def reason_of_exit(return_code: int) -> str:
    """`return_code` is negative for a signal, as in asyncio."""
    if return_code == 0:
        return "Runtime exited without providing a reason"
    if return_code > 0:
        return f"Runtime exited with error: exit status {return_code}"
    return f"Runtime exited with error: signal: {_signal_text(-return_code)}"


def too_large(limit: int) -> bytes:
    return _document(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({limit} bytes).",
    )


def not_started(request_id: str, reason: str) -> bytes:
    """The operating system would not start a worker."""
    return _document("Sandbox.Failure", f"RequestId: {request_id} Error: {reason}")


def endpoint_refused(request_id: str, status: int, reason: str) -> bytes:
    """Ours: Lambda has no functions that are an HTTP endpoint."""
    answer = f"{status} {reason}".rstrip()
    return _document("Endpoint.StatusError", f"RequestId: {request_id} Error: the endpoint answered {answer}")


def endpoint_not_reached(request_id: str, reason: str) -> bytes:
    """Ours, likewise."""
    return _document(NOT_REACHED, f"RequestId: {request_id} Error: {reason}")


def unusable(reason: str) -> bytes:
    """The function's folder or settings cannot be used. Ours: Lambda refuses such functions when they are
    made."""
    return _document("Runtime.InvalidConfiguration", reason)


def shut_down(request_id: str) -> bytes:
    """The server stops. Ours: Lambda never stops."""
    return _document("Sandbox.Shutdown", f"RequestId: {request_id} Error: Treadle is shutting down")


def is_of_the_system(document: bytes) -> bool:
    """Whether the server could not run the function, and said so here: no fault of the function's, and gone later."""
    return document.startswith((b'{"errorType":"Sandbox.Failure"', b'{"errorType":"Sandbox.Shutdown"'))


def with_lambda_paths(document: bytes, task_root: Path) -> bytes:
    """An error document whose stack trace shows the function's own files where Lambda has them.

    `File "/home/me/functions/pay.py", line 2` becomes `File "/var/task/pay.py", line 2`, and what Node.js writes
    of places likewise.  Done on the text, so that the rest of it stays as the handler's runtime wrote it; this
    is the only place where paths are rewritten.
    """
    # The clients escape other characters or not, by the version of the language; Node.js resolves links.
    for root in {str(task_root), os.path.realpath(task_root)}:
        for ascii_only in (True, False):
            written = json.dumps(root.rstrip("/"), ensure_ascii=ascii_only)[1:-1].encode()
            for before in _BEFORE_PATHS:
                document = document.replace(before + written + b"/", before + LAMBDA_TASK_ROOT.encode() + b"/")
    return document


def _document(error_type: str, message: str) -> bytes:
    return encode({"errorType": error_type, "errorMessage": message}).encode()


def _signal_text(number: int) -> str:
    """As Go's runtime names signals, which is what Lambda is written in: `killed`, `segmentation fault`."""
    try:
        text = signal.strsignal(number) or f"signal {number}"
    except ValueError:
        return f"signal {number}"
    return text.partition(":")[0].lower()  # macOS has the number behind a colon
