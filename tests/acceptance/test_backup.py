"""A backup that is made while the server works under load is a server that can be started: what was acknowledged before
the backup began is there, and what had not ended goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.acceptance.rules import check_history
from tests.acceptance.server import Api, Server, create_machine, ended_execution, folder_with_functions, history

WORKERS = 3
STEPS = json.dumps(
    {
        "StartAt": "One",
        "States": {
            "One": {"Type": "Pass", "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": 2, "Next": "Two"},
            "Two": {"Type": "Pass", "End": True},
        },
    }
)


def backup(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "treadle", "backup", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder_with_functions(folder)


def restored(backup_file: Path, folder: Path) -> Path:
    """As docs/OPERATIONS.md says."""
    fresh(folder)
    (folder / "data").mkdir()
    shutil.copy(backup_file, folder / "data" / "treadle.db")
    return folder


class Load:
    """Clients that start executions all the time."""

    def __init__(self, server: Server) -> None:
        self.machine = create_machine(server.api(), "steps", STEPS)
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=[server.api()]) for _ in range(WORKERS)]
        for thread in self._threads:
            thread.start()

    def _work(self, api: Api) -> None:
        while not self._stop.is_set():
            answer = api.call("StartExecution", stateMachineArn=self.machine, input='{"text": "some input"}')
            self.acknowledged.append(answer["executionArn"])

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("compact", [False, True])
def test_server_starts_from_a_backup_that_was_made_under_load(tmp_path: Path, compact: bool) -> None:
    first = fresh(tmp_path / "first")
    with Server(first) as server:
        load = Load(server)
        try:
            while len(load.acknowledged) < 200:
                assert server.process.poll() is None
            acknowledged = list(load.acknowledged)
            done = backup(first, "../backup", "--data", "data", *(["--compact"] if compact else []))
            assert done.returncode == 0, done.stderr
        finally:
            load.stop()
        assert len(load.acknowledged) > len(acknowledged)
        server.kill()
    with Server(restored(tmp_path / "backup", tmp_path / "second")) as server:
        api = server.api()
        for arn in acknowledged:
            assert ended_execution(api, arn)["status"] == "SUCCEEDED"
            check_history(history(api, arn))
        for each in api.pages("ListExecutions", "executions", stateMachineArn=load.machine):
            assert ended_execution(api, each["executionArn"])["status"] == "SUCCEEDED"
        assert server.stop() == 0


def test_backup_of_no_server(tmp_path: Path) -> None:
    folder = folder_with_functions(tmp_path)
    done = backup(folder, "copy", "--data", "data")
    assert (done.returncode, done.stderr) == (1, "Error: there is no database data/treadle.db\n")
    with Server(folder) as server:
        machine = create_machine(server.api(), "steps", STEPS)
        assert server.stop() == 0
    assert backup(folder, "copy", "--data", "data").returncode == 0
    done = backup(folder, "copy", "--data", "data")
    assert (done.returncode, done.stderr) == (1, "Error: copy exists already; --force replaces it\n")
    assert backup(folder, "copy", "--data", "data", "--force").returncode == 0
    with Server(restored(folder / "copy", tmp_path / "again")) as server:
        assert server.api().call("DescribeStateMachine", stateMachineArn=machine)["name"] == "steps"


def test_a_token_from_before_the_backup_answers_its_task_afterwards(tmp_path: Path) -> None:
    first = fresh(tmp_path / "first")
    with Server(first) as server:
        api = server.api()
        activity = api.call("CreateActivity", name="approve")["activityArn"]
        state = {"Type": "Task", "Resource": activity, "End": True}
        machine = create_machine(api, "asks", json.dumps({"StartAt": "Ask", "States": {"Ask": state}}))
        execution = api.call("StartExecution", stateMachineArn=machine)["executionArn"]
        token = api.call("GetActivityTask", activityArn=activity)["taskToken"]
        assert backup(first, "../backup", "--data", "data").returncode == 0
        server.kill()
    with Server(restored(tmp_path / "backup", tmp_path / "second")) as server:
        api = server.api()
        api.call("SendTaskSuccess", taskToken=token, output='"approved"')
        ended = ended_execution(api, execution)
        assert (ended["status"], ended["output"]) == ("SUCCEEDED", '"approved"')
        check_history(history(api, execution))
        assert server.stop() == 0
