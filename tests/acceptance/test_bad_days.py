"""A disk that refuses writes, a database that is in use, one that is damaged or gone: the server says so in one line
and ends with status 1, and whatever it acknowledged is there when the trouble is over. (A disk that is merely full is
waited for: test_full_disk.py.)"""

from __future__ import annotations

import json
import os
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.rules import check_history
from tests.acceptance.server import (
    Api,
    NoAnswer,
    Refused,
    Server,
    create_machine,
    ended_execution,
    folder_with_functions,
    history,
)

FILE_BYTES = 2_000_000
STARTS_MAX = 1_000
"""Far more executions than fit into FILE_BYTES."""
FULL = r"\S+/treadle\.db cannot (be read or written|grow): the disk is full.*"

DEFINITION = json.dumps(
    {
        "StartAt": "Wait",
        "States": {
            "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Note"},
            "Note": {
                "Type": "Task",
                "Resource": "arn:aws:lambda:us-east-1:123456789012:function:note",
                "Parameters": {
                    "execution.$": "$$.Execution.Name",
                    "state.$": "$$.State.Name",
                    "attempt": 0,
                    "item": 0,
                    "failures": 0,
                },
                "ResultPath": "$.note",
                "End": True,
            },
        },
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_with_functions(tmp_path)


class Starts:
    """Executions of one machine, and which of them were acknowledged."""

    def __init__(self, api: Api) -> None:
        self.machine = create_machine(api, "waits", DEFINITION)
        self.asked = 0
        self.acknowledged: list[str] = []

    def one(self, api: Api) -> None:
        self.asked += 1
        given = {"number": self.asked, "text": "x" * 10_000}
        answer = api.call("StartExecution", stateMachineArn=self.machine, input=json.dumps(given))
        self.acknowledged.append(answer["executionArn"])

    def until_refused(self, api: Api) -> Exception:
        for _ in range(STARTS_MAX):
            try:
                self.one(api)
            except (Refused, NoAnswer) as error:
                return error
        raise AssertionError(f"{STARTS_MAX} executions were acknowledged")

    def check_all_succeed(self, api: Api) -> None:
        for number, arn in enumerate(self.acknowledged, 1):
            ended = ended_execution(api, arn)
            assert ended["status"] == "SUCCEEDED", ended
            output = json.loads(ended["output"])
            assert (output["number"], output["note"]["state"]) == (number, "Note")
            check_history(history(api, arn))
        listed = api.pages("ListExecutions", "executions", stateMachineArn=self.machine)
        assert {each["executionArn"] for each in listed} >= set(self.acknowledged)


def ended_with_one_line(server: Server, pattern: str) -> None:
    assert server.ended() == 1
    said = server.stderr()
    assert re.fullmatch(f"treadle: {pattern}\n", said), said


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


def test_disk_that_refuses_writes(folder: Path) -> None:
    with Server(folder, before_exec=_small_files) as server:
        api = server.api()
        starts = Starts(api)
        refused = starts.until_refused(api)
        assert isinstance(refused, NoAnswer) or refused.args[:2] == (503, "ServiceUnavailable")
        ended_with_one_line(server, FULL)
    assert starts.acknowledged
    with Server(folder) as server:
        starts.check_all_succeed(server.api())
        assert server.stop() == 0


def test_disk_filled_by_state_machines(folder: Path) -> None:
    """What no execution meets ends the server all the same."""
    definition = json.dumps({"Comment": "x" * 100_000, **json.loads(DEFINITION)})
    created: list[str] = []
    with Server(folder, before_exec=_small_files) as server:
        api = server.api()
        with pytest.raises((Refused, NoAnswer)):
            for number in range(STARTS_MAX):
                created.append(create_machine(api, f"machine-{number:03}", definition))
        ended_with_one_line(server, FULL)
    with Server(folder) as server:
        api = server.api()
        assert [api.call("DescribeStateMachine", stateMachineArn=arn)["definition"] for arn in created] == [
            definition for _ in created
        ]
        assert server.stop() == 0


def test_database_in_use(folder: Path) -> None:
    with Server(folder) as first:
        api = first.api()
        starts = Starts(api)
        starts.one(api)
        with Server(folder) as second:
            pid = first.process.pid
            ended_with_one_line(second, rf"\S+/treadle\.db is in use by another Treadle server \(process {pid}\); .*")
        starts.one(api)
        starts.check_all_succeed(api)
        assert first.stop() == 0


def test_database_moved_away_while_in_use(folder: Path) -> None:
    database = folder / "data" / "treadle.db"
    elsewhere = folder / "elsewhere"
    with Server(folder) as server:
        api = server.api()
        starts = Starts(api)
        starts.one(api)
        database.rename(elsewhere)
        starts.until_refused(api)
        ended_with_one_line(server, r"\S+/treadle\.db was deleted or replaced while it was in use")
    elsewhere.rename(database)
    with Server(folder) as server:
        starts.check_all_succeed(server.api())
        assert server.stop() == 0


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _overwrite_head(data: bytes) -> bytes:
    return os.urandom(100) + data[100:]


def _overwrite_page(data: bytes) -> bytes:
    return data[:8_192] + b"\xff" * 4_096 + data[12_288:]


def _empty(data: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_cut, "is damaged; restore it from a backup .*"),
        (_overwrite_head, "is not a database, or its first page was overwritten .*"),
        (_overwrite_page, "is damaged; restore it from a backup .*"),
        (_empty, "is empty: it was cut off, .*"),
    ],
)
def test_damaged_database(folder: Path, damage: Callable[[bytes], bytes], says: str) -> None:
    """It is left as it is, so that it can be restored: then everything is there."""
    database = folder / "data" / "treadle.db"
    with Server(folder) as server:
        api = server.api()
        starts = Starts(api)
        for _ in range(5):
            starts.one(api)
        assert server.stop() == 0
    sound = database.read_bytes()
    database.write_bytes(damage(sound))
    damaged = database.read_bytes()
    with Server(folder) as server:
        ended_with_one_line(server, rf"\S+/treadle\.db {says}")
    assert database.read_bytes() == damaged
    database.write_bytes(sound)
    with Server(folder) as server:
        starts.check_all_succeed(server.api())
        assert server.stop() == 0
