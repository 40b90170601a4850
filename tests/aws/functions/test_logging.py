"""LoggingConfig: how it is kept, and what functions write by it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.functions.zips import archive

from .conftest import Lambda

CODES = {
    "python3.12": (
        "app.py",
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.debug('low'); logging.warning('high'); print('plain')\n"
        "    return [context.log_group_name, context.log_stream_name]\n",
    ),
    "nodejs22.x": (
        "app.js",
        "exports.handler = async (event, context) => {\n"
        "  console.debug('low'); console.warn('high'); process.stdout.write('plain\\n')\n"
        "  return [context.logGroupName, context.logStreamName]\n"
        "}\n",
    ),
}


async def logged(aws: Lambda) -> tuple[list[str], list[str]]:
    answer = await aws.call("Invoke", FunctionName="pay", LogType="Tail")
    return json.loads(answer["Payload"]), base64.b64decode(answer["LogResult"]).decode().splitlines()


@pytest.mark.parametrize(("runtime", "code"), CODES.items(), ids=CODES)
async def test_json(aws: Lambda, runtime: str, code: tuple[str, str]) -> None:
    config = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "INFO", "LogGroup": "/mine"}
    await aws.create(code=archive(dict([code])), Runtime=runtime, LoggingConfig=config)
    (group, stream), lines = await logged(aws)
    assert group == "/mine"
    assert "[$LATEST]" in stream
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert [event["type"] for event in events if "type" in event] == ["platform.start", "platform.report"]
    (own,) = [event for event in events if "level" in event]
    assert (own["level"] in ("WARN", "WARNING"), own["message"]) == (True, "high")
    assert "plain" in lines
    report = events[-1]["record"]
    assert (report["status"], report["requestId"]) == ("success", events[0]["record"]["requestId"])


@pytest.mark.parametrize(("runtime", "code"), CODES.items(), ids=CODES)
async def test_text(aws: Lambda, runtime: str, code: tuple[str, str]) -> None:
    await aws.create(code=archive(dict([code])), Runtime=runtime)
    (group, _), lines = await logged(aws)
    assert group == "/aws/lambda/pay"
    assert lines[0].startswith("START RequestId: ")
    assert "plain" in lines
    assert any("\thigh" in line for line in lines)
    assert lines[-1].startswith("REPORT RequestId: ")


NODE_LINES: list[tuple[str, dict[str, Any]]] = [
    ("console.log('a', 1)", {"level": "INFO", "message": "a 1"}),
    ("console.log({ a: 1 })", {"level": "INFO", "message": {"a": 1}}),
    ("console.error(new TypeError('no'))", {"level": "ERROR", "errorType": "TypeError", "errorMessage": "no"}),
    ("const a = {}; a.a = a; console.log(a)", {"level": "INFO", "message": "<ref *1> { a: [Circular *1] }"}),
]


@pytest.mark.parametrize(("statement", "members"), NODE_LINES, ids=[statement for statement, _ in NODE_LINES])
async def test_what_nodejs_makes_of_values(aws: Lambda, statement: str, members: dict[str, Any]) -> None:
    code = archive({"app.js": f"exports.handler = async () => {{ {statement}; return [] }}"})
    await aws.create(code=code, Runtime="nodejs22.x", LoggingConfig={"LogFormat": "JSON"})
    _, lines = await logged(aws)
    (line,) = [event for event in map(json.loads, lines) if "level" in event]
    assert line.items() >= members.items()
