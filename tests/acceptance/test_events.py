"""Asynchronous invocations of functions: servers that are killed lose no event, and forget no attempt."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.acceptance.server import (
    DEADLINE_SECONDS,
    Server,
    create_machine,
    ended_execution,
    folder_with_functions,
    history,
    poll,
)
from tests.acceptance.test_lambda import ARN, client_of, create

WRITE_DOWN = """
import json, os
def write_down(context, event):
    line = json.dumps([context.function_name, context.aws_request_id, event])
    notes = os.open({notes!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(notes, (line + "\\n").encode())
    os.close(notes)
"""
RETRIES: dict[str, Any] = {
    "TREADLE_LIMIT_EVENT_FIRST_RETRY_MILLISECONDS": "5000",
    "TREADLE_LIMIT_EVENT_SECOND_RETRY_MILLISECONDS": "2",
}
MANY = 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = folder_with_functions(tmp_path)
    code = WRITE_DOWN.format(notes=str(tmp_path / "written"))
    for name, rest in (("fails", "raise ValueError('no luck')"), ("listens", "return None")):
        text = f"{code}\ndef handler(event, context):\n    write_down(context, event)\n    {rest}\n"
        (folder / "functions" / f"{name}.py").write_text(text)
    return folder


def written(folder: Path, name: str) -> list[tuple[str, Any]]:
    """Request ids and events of the invocations of a function, in order."""
    notes = folder / "written"
    lines = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    return [(id, event) for function, id, event in lines if function == name]


def failed_attempts(folder: Path) -> list[int]:
    """Of each event that waits, as the database has it."""
    database = sqlite3.connect(f"file:{folder / 'data' / 'treadle.db'}?mode=ro", uri=True)
    rows = database.execute("SELECT attempts FROM delivery").fetchall()
    database.close()
    return [attempts for (attempts,) in rows]


def test_a_kill_while_an_event_waits_for_its_retry(folder: Path) -> None:
    with Server(folder, **RETRIES) as server, client_of(server) as client:
        answer = client.invoke(FunctionName="fails", InvocationType="Event", Payload=b'{"n": 1}')
        assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
        id = answer["ResponseMetadata"]["RequestId"]
        poll(lambda: True if failed_attempts(folder) == [1] else None)
        server.kill(with_children=True)
    assert written(folder, "fails") == [(id, {"n": 1})]
    with Server(folder, **RETRIES) as server:
        assert server.url
        poll(lambda: True if not failed_attempts(folder) else None)
        server.kill()
    assert written(folder, "fails") == [(id, {"n": 1})] * 3


def test_a_kill_in_the_middle_of_an_attempt(folder: Path) -> None:
    """The attempt is made again, with the same request id, and the record of it reaches its destination."""
    body = "import time; write_down(context, event); time.sleep(0 if os.path.exists(event) else 600); return 'done'"
    flag = folder / "killed"
    code = WRITE_DOWN.format(notes=str(folder / "written")).strip().replace("\n", "\n    ") + f"\n    {body}"
    with Server(folder) as server, client_of(server) as client:
        create(client, "slow", code, Timeout=700)
        destinations = {"OnSuccess": {"Destination": ARN + "listens"}}
        client.put_function_event_invoke_config(FunctionName="slow", DestinationConfig=destinations)
        client.invoke(FunctionName="slow", InvocationType="Event", Payload=json.dumps(str(flag)).encode())
        poll(lambda: written(folder, "slow") or None)
        server.kill(with_children=True)
    flag.touch()
    with Server(folder) as server:
        assert server.url
        ((_, record),) = poll(lambda: written(folder, "listens") or None)
        server.kill()
    (first, second) = written(folder, "slow")
    assert first == second
    assert record["requestContext"] == {
        "requestId": first[0],
        "functionArn": ARN + "slow:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert (record["requestPayload"], record["responsePayload"]) == (str(flag), "done")


def test_no_event_is_lost_under_load(folder: Path) -> None:
    acknowledged: list[int] = []
    with Server(folder) as server, client_of(server) as client:
        client.invoke(FunctionName="listens", Payload=b"-1")
        several = threading.Event()

        def kill() -> None:
            several.wait(DEADLINE_SECONDS)
            server.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises((BotoCoreError, ClientError)):
            while True:
                number = len(acknowledged)
                client.invoke(FunctionName="listens", InvocationType="Event", Payload=str(number).encode())
                acknowledged.append(number)
                if number == MANY:
                    several.set()
        killer.join()
    with Server(folder) as server:
        assert server.url
        poll(lambda: True if not failed_attempts(folder) else None)
        server.kill()
    runs = Counter(event for _, event in written(folder, "listens"))
    assert set(acknowledged) <= set(runs)
    assert all(0 < runs[number] <= 2 for number in acknowledged)


def test_a_workflow_that_does_not_wait_for_its_function(folder: Path) -> None:
    parameters = {"FunctionName": "listens", "InvocationType": "Event", "Payload.$": "$"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters, "End": True}
    with Server(folder) as server:
        api = server.api()
        machine = create_machine(api, "events", json.dumps({"StartAt": "Tell", "States": {"Tell": state}}))
        execution = api.call("StartExecution", stateMachineArn=machine, input='{"n": 1}')["executionArn"]
        ended = ended_execution(api, execution)
        assert ended["status"] == "SUCCEEDED", history(api, execution)
        assert json.loads(ended["output"])["StatusCode"] == 202
        ((_, event),) = poll(lambda: written(folder, "listens") or None)
        assert event == {"n": 1}
        server.kill()
