"""What Lambda itself writes to a function's log, around what the function writes.

In the format Text, as every Lambda log has it; in JSON, the platform events of the Telemetry API's schema, filtered by
the function's SystemLogLevel as the developer guide's page on log-level filtering has it.  Of AWS's lines these are
not written: the ARN of the runtime's version, which there is not, and those of extensions and of X-Ray.

Durations are milliseconds. What is billed includes the init phase, as on Lambda since August 2025.
"""

from __future__ import annotations

import time
from math import ceil
from typing import Any, Literal

from msgspec import Struct

from treadle.document import encode
from treadle.functions.function import Function

Status = Literal["success", "error", "failure", "timeout"]
"""`error`: the function's own; `failure`: its process ended."""

_LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2}


class Report(Struct, frozen=True, kw_only=True):
    """How an invocation went."""

    request_id: str
    milliseconds: float
    status: Status
    error_type: str | None = None
    reason: str | None = None
    """Of a time-out or failure: what Lambda says of it."""
    init_milliseconds: float | None = None
    """Of the worker's start, for its first invocation."""
    memory_megabytes: int | None = None
    """The most that the worker has used; None: not known."""


def init_start(function: Function) -> str:
    """A worker is being started."""
    version = function.runtime.replace("python", "python:").replace("nodejs", "nodejs:").removesuffix(".x")
    if function.logging.format == "Text":
        return f"INIT_START Runtime Version: {version}\n"
    kind = "provisioned-concurrency" if function.provisioned else "on-demand"
    record = {
        "initializationType": kind,
        "phase": "init",
        "runtimeVersion": version,
        "functionName": function.name,
        "functionVersion": function.published_version,
    }
    return _event(function, "INFO", "platform.initStart", record)


def init_timed_out(function: Function, seconds: float) -> str:
    """A worker's start took longer than the init phase; another one is started."""
    if function.logging.format == "Text":
        return f"INIT_REPORT Init Duration: {seconds * 1_000:.2f} ms\tPhase: init\tStatus: timeout\n"
    metrics = {"durationMs": seconds * 1_000}
    record = {"initializationType": "on-demand", "phase": "init", "status": "timeout", "metrics": metrics}
    return _event(function, "WARN", "platform.initReport", record)


def start(function: Function, request_id: str) -> str:
    version = function.published_version
    if function.logging.format == "Text":
        return f"START RequestId: {request_id} Version: {version}\n"
    return _event(function, "INFO", "platform.start", {"requestId": request_id, "version": version})


def end(function: Function, report: Report) -> str:
    """The end of an invocation: why, if Lambda ended it, and the report."""
    return _text_end(function, report) if function.logging.format == "Text" else _json_end(function, report)


def _text_end(function: Function, report: Report) -> str:
    fields = [
        f"REPORT RequestId: {report.request_id}",
        f"Duration: {report.milliseconds:.2f} ms",
        f"Billed Duration: {_billed(report)} ms",
        f"Memory Size: {function.memory_megabytes} MB",
    ]
    if report.memory_megabytes is not None:
        fields.append(f"Max Memory Used: {report.memory_megabytes} MB")
    if report.init_milliseconds is not None:
        fields.append(f"Init Duration: {report.init_milliseconds:.2f} ms")
    why = ""
    if report.status == "timeout":
        fields.append("Status: timeout")
        why = f"{_now()} {report.request_id} {report.reason}\n\n"
    elif report.status == "failure":
        fields += ["Status: error", f"Error Type: {report.error_type}"]
        why = f"RequestId: {report.request_id} Error: {report.reason}\r{report.error_type}\n"
    return f"{why}END RequestId: {report.request_id}\n{chr(9).join(fields)}\t\n"


def _json_end(function: Function, report: Report) -> str:
    error = {} if report.error_type is None else {"errorType": report.error_type}
    metrics = {"durationMs": round(report.milliseconds, 3)}
    done = {"requestId": report.request_id, "status": report.status, **error, "metrics": metrics}
    billed: dict[str, Any] = {
        **metrics,
        "billedDurationMs": _billed(report),
        "memorySizeMB": function.memory_megabytes,
    }
    if report.memory_megabytes is not None:
        billed["maxMemoryUsedMB"] = report.memory_megabytes
    if report.init_milliseconds is not None:
        billed["initDurationMs"] = round(report.init_milliseconds, 3)
    ok = report.status == "success"
    return _event(function, "DEBUG" if ok else "WARN", "platform.runtimeDone", done) + _event(
        function,
        "INFO" if ok else "WARN",
        "platform.report",
        {"requestId": report.request_id, "metrics": billed, "status": report.status, **error},
    )


def _event(function: Function, level: str, kind: str, record: dict[str, Any]) -> str:
    if _LEVELS[level] < _LEVELS[function.logging.system_level]:
        return ""
    return encode({"time": _now(), "type": kind, "record": record}) + "\n"


def _billed(report: Report) -> int:
    return ceil(report.milliseconds + (report.init_milliseconds or 0))


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds // 1_000_000:03d}Z"
