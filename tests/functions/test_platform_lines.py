"""What Lambda itself writes to a log, in both formats."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from treadle.functions import failures, platform_lines
from treadle.functions.function import Function, Logging
from treadle.functions.platform_lines import Report


def function(**logging: Any) -> Function:
    return Function(
        name="pay",
        key="pay",
        handler="pay.handler",
        root=Path("/x"),
        code=Path("/x"),
        command=(),
        runtime="python3.12",
        timeout_seconds=3,
        memory_megabytes=256,
        environment={},
        version="1",
        published_version="7",
        logging=Logging(**logging),
    )


SUCCESS = Report(request_id="id", milliseconds=1.2345, status="success", init_milliseconds=99.1, memory_megabytes=38)
TIMEOUT = Report(
    request_id="id",
    milliseconds=3000,
    status="timeout",
    error_type=failures.TIMED_OUT,
    reason=failures.reason_of_time_out(3),
)
FAILURE = Report(
    request_id="id",
    milliseconds=5,
    status="failure",
    error_type=failures.EXITED,
    reason=failures.reason_of_exit(1),
    memory_megabytes=20,
)
ERROR = Report(request_id="id", milliseconds=5.001, status="error", memory_megabytes=20)

TEXTS = [
    (
        SUCCESS,
        "END RequestId: id\nREPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 101 ms\tMemory Size: 256 MB\t"
        "Max Memory Used: 38 MB\tInit Duration: 99.10 ms\t\n",
    ),
    (
        ERROR,
        "END RequestId: id\nREPORT RequestId: id\tDuration: 5.00 ms\tBilled Duration: 6 ms\tMemory Size: 256 MB\t"
        "Max Memory Used: 20 MB\t\n",
    ),
    (
        TIMEOUT,
        "TIME id Task timed out after 3.00 seconds\n\nEND RequestId: id\nREPORT RequestId: id\tDuration: 3000.00 ms\t"
        "Billed Duration: 3000 ms\tMemory Size: 256 MB\tStatus: timeout\t\n",
    ),
    (
        FAILURE,
        "RequestId: id Error: Runtime exited with error: exit status 1\rRuntime.ExitError\nEND RequestId: id\n"
        "REPORT RequestId: id\tDuration: 5.00 ms\tBilled Duration: 5 ms\tMemory Size: 256 MB\tMax Memory Used: 20 MB\t"
        "Status: error\tError Type: Runtime.ExitError\t\n",
    ),
]


@pytest.mark.parametrize(("report", "text"), TEXTS, ids=[report.status for report, _ in TEXTS])
def test_text(report: Report, text: str) -> None:
    written = platform_lines.end(function(), report)
    assert re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", written) == text


def test_text_of_the_start() -> None:
    assert platform_lines.init_start(function()) == "INIT_START Runtime Version: python:3.12\n"
    assert platform_lines.start(function(), "id") == "START RequestId: id Version: 7\n"


METRICS = {"durationMs": 1.234}
BILLED = {"billedDurationMs": 101, "memorySizeMB": 256, "maxMemoryUsedMB": 38, "initDurationMs": 99.1}
EVENTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "DEBUG": [
        ("platform.runtimeDone", {"requestId": "id", "status": "success", "metrics": METRICS}),
        ("platform.report", {"requestId": "id", "metrics": {**METRICS, **BILLED}, "status": "success"}),
    ],
    "INFO": [("platform.report", {"requestId": "id", "metrics": {**METRICS, **BILLED}, "status": "success"})],
    "WARN": [],
}


@pytest.mark.parametrize("level", EVENTS)
def test_json_goes_by_its_level(level: str) -> None:
    written = platform_lines.end(function(format="JSON", system_level=level), SUCCESS)
    events = [json.loads(line) for line in written.splitlines()]
    assert [(event["type"], event["record"]) for event in events] == EVENTS[level]


def test_json_of_a_time_out() -> None:
    written = platform_lines.end(function(format="JSON", system_level="WARN"), TIMEOUT)
    done, report = (json.loads(line)["record"] for line in written.splitlines())
    assert (
        (done["status"], done["errorType"])
        == (report["status"], report["errorType"])
        == ("timeout", "Sandbox.Timedout")
    )


def test_json_of_the_start() -> None:
    of = function(format="JSON")
    assert json.loads(platform_lines.start(of, "id"))["record"] == {"requestId": "id", "version": "7"}
    assert json.loads(platform_lines.init_start(of))["record"] == {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": "python:3.12",
        "functionName": "pay",
        "functionVersion": "7",
    }
    assert platform_lines.start(function(format="JSON", system_level="WARN"), "id") == ""
