"""A disk that is really full, and gets room again: a small file system in memory, which takes the right to mount one.

tests/acceptance/test_bad_days.py has what takes no such right, tests/store/test_full_disk.py the details.
"""

from __future__ import annotations

import errno
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

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
    poll,
)

SMALL, LARGE = "12m", "200m"
DEFINITION = json.dumps(
    {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Done"}, "Done": {"Type": "Pass", "End": True}},
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Of a server, whose data folder is a small file system."""
    made = folder_with_functions(tmp_path)
    data = made / "data"
    data.mkdir()
    if _mount("-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(data)).returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield made
    subprocess.run(["umount", "--lazy", str(data)], check=True)


def _mount(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True)


def make_room(folder: Path) -> None:
    assert _mount("-o", f"remount,size={LARGE}", str(folder / "data")).returncode == 0


def is_ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.url}/_treadle/ready") as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        with error:
            assert error.code == 503
            return False


class Starts:
    def __init__(self, api: Api) -> None:
        self.machine = create_machine(api, "waits", DEFINITION)
        self.asked = 0
        self.acknowledged: dict[str, int] = {}

    def one(self, api: Api) -> None:
        self.asked += 1
        number = self.asked
        given = json.dumps({"number": number, "text": "x" * 20_000})
        answer = api.call("StartExecution", stateMachineArn=self.machine, input=given)
        self.acknowledged[answer["executionArn"]] = number

    def until(self, stop: Event, api: Api) -> None:
        while not stop.is_set():
            try:
                self.one(api)
            except Refused as error:
                assert (error.status, error.type) == (503, "ServiceUnavailable")
                return
            except NoAnswer:
                return

    def check_all_succeed(self, api: Api) -> None:
        for arn, number in self.acknowledged.items():
            ended = ended_execution(api, arn)
            assert ended["status"] == "SUCCEEDED", ended
            assert json.loads(ended["output"])["number"] == number
            check_history(history(api, arn))


@contextmanager
def filled(server: Server) -> Iterator[tuple[Starts, Event, Future[None]]]:
    """Executions are started until the disk is full. The last start has no answer yet."""
    api = server.api()
    starts, stop = Starts(api), Event()
    with ThreadPoolExecutor(1) as pool:
        filling = pool.submit(starts.until, stop, api)
        poll(lambda: True if not is_ready(server) else None)
        assert starts.acknowledged
        yield starts, stop, filling


def test_server_goes_on_when_there_is_room(folder: Path) -> None:
    with Server(folder) as server:
        with filled(server) as (starts, stop, filling):
            api = server.api()
            with pytest.raises(Refused, match="The disk of the server is full") as refused:
                starts.one(api)
            assert refused.value.status == 503
            first = next(iter(starts.acknowledged))
            assert api.call("DescribeExecution", executionArn=first)["executionArn"] == first
            assert not filling.done()
            stop.set()
            make_room(folder)
            filling.result()
        assert is_ready(server)
        starts.one(api)
        starts.check_all_succeed(api)
        said = server.stderr()
        assert "cannot grow: the disk is full" in said
        assert "There is room on the disk" in said
        assert server.stop() == 0


def test_server_that_is_stopped_waits_for_room_no_more(folder: Path) -> None:
    with Server(folder) as server, filled(server) as (starts, stop, filling):
        stop.set()
        assert server.stop() == 1
        filling.result()
        assert "cannot grow: the disk is full" in server.stderr().splitlines()[-1]
    make_room(folder)
    with Server(folder) as server:
        starts.check_all_succeed(server.api())
        assert server.stop() == 0


def test_server_that_has_nothing_to_write_is_stopped_in_order(folder: Path) -> None:
    """What the database has no room for stays in its log."""
    with Server(folder) as server:
        api = server.api()
        starts = Starts(api)
        starts.one(api)
        starts.check_all_succeed(api)
        _fill(folder / "data" / "filler")
        assert server.stop() == 0
    assert (folder / "data" / "treadle.db-wal").exists()
    (folder / "data" / "filler").unlink()
    with Server(folder) as server:
        starts.check_all_succeed(server.api())
        assert server.stop() == 0


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4_096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


def test_server_that_is_killed_on_a_full_disk_has_lost_nothing(folder: Path) -> None:
    with Server(folder) as server, filled(server) as (starts, stop, filling):
        stop.set()
        server.kill()
        filling.result()
    make_room(folder)
    with Server(folder) as server:
        starts.check_all_succeed(server.api())
        assert server.stop() == 0
