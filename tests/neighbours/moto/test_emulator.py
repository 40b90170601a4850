"""The embedded emulator: it starts when it is needed, starts again, keeps accounts apart, and ends with us."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from treadle.limits import Limits
from treadle.neighbours.contract import Incoming, NeighbourUnavailable, Outgoing
from treadle.neighbours.moto.emulator import Moto, MotoOptions

ACCOUNT = "000000000000"


def options(folder: Path, **members: Any) -> MotoOptions:
    given = {"inherited": {"PATH": os.environ["PATH"]}, "limits": Limits(), "region": "us-east-1", **members}
    return MotoOptions(
        data=folder,
        logs=folder / "logs",
        account_id=ACCOUNT,
        url="http://127.0.0.1:9",
        key_of=lambda account: (f"key of {account}", "secret"),
        **given,
    )


@pytest.fixture
async def moto(tmp_path: Path) -> AsyncIterator[Moto]:
    moto = Moto(options(tmp_path))
    yield moto
    await moto.close()


def sqs(operation: str, body: dict[str, Any], account: str = ACCOUNT, region: str = "us-east-1") -> Outgoing:
    scope = f"test/20260101/{region}/sqs/aws4_request"
    return Outgoing(
        method="POST",
        target="/",
        headers=[
            (b"Host", b"127.0.0.1:4566"),
            (b"Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=x".encode()),
            (b"X-Amz-Target", f"AmazonSQS.{operation}".encode()),
            (b"Content-Type", b"application/x-amz-json-1.0"),
            (b"x-moto-account-id", b"666666666666"),
        ],
        body=json.dumps(body).encode(),
        account=account,
    )


async def answered(answer: Incoming) -> Any:
    try:
        assert answer.status == 200
        return json.loads(await answer.read(100_000) or b"")
    finally:
        answer.close()


async def test_it_runs_from_the_first_request_on(moto: Moto) -> None:
    assert moto.pid is None
    created = await answered(await moto.send(sqs("CreateQueue", {"QueueName": "q"})))
    assert created == {"QueueUrl": f"http://127.0.0.1:4566/{ACCOUNT}/q"}
    assert moto.pid is not None


async def test_accounts_and_regions_are_kept_apart(moto: Moto) -> None:
    """A client's own header does not count."""
    await answered(await moto.send(sqs("CreateQueue", {"QueueName": "q"}, "111111111111", "eu-west-1")))
    assert await answered(await moto.send(sqs("ListQueues", {}))) == {}
    assert await answered(await moto.send(sqs("ListQueues", {}, "111111111111"))) == {}
    there = await answered(await moto.send(sqs("ListQueues", {}, "111111111111", "eu-west-1")))
    assert there == {"QueueUrls": ["http://127.0.0.1:4566/111111111111/q"]}


async def test_requests_that_come_while_it_starts_wait(moto: Moto) -> None:
    calls = [answered(await asyncio.create_task(moto.send(sqs("ListQueues", {})))) for _ in range(5)]
    assert await asyncio.gather(*calls) == [{}] * 5


async def test_who_gives_up_while_it_starts_disturbs_nobody(moto: Moto) -> None:
    first = asyncio.create_task(moto.send(sqs("ListQueues", {})))
    second = asyncio.create_task(moto.send(sqs("ListQueues", {})))
    await asyncio.sleep(0)
    first.cancel()
    assert await answered(await second) == {}


async def test_it_is_started_anew_when_it_has_died(moto: Moto, caplog: pytest.LogCaptureFixture) -> None:
    await answered(await moto.send(sqs("CreateQueue", {"QueueName": "q"})))
    first = moto.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(30):
        while moto.pid == first:  # noqa: ASYNC110 - nobody tells when the end of a process has been noticed
            await asyncio.sleep(0.01)
    assert await answered(await moto.send(sqs("ListQueues", {}))) == {}  # its memory is gone
    assert moto.pid not in (None, first)
    assert "What it held is lost" in caplog.text


async def test_a_death_in_mid_call_is_told(moto: Moto) -> None:
    """A long poll that cannot end by itself before the process does."""
    url = (await answered(await moto.send(sqs("CreateQueue", {"QueueName": "q"}))))["QueueUrl"]
    polling = asyncio.create_task(moto.send(sqs("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20})))
    await answered(await moto.send(sqs("ListQueues", {})))
    assert moto.pid is not None
    os.kill(moto.pid, signal.SIGKILL)
    with pytest.raises(NeighbourUnavailable, match="does not answer"):
        await polling


async def test_a_call_that_it_never_took_is_told_too(moto: Moto) -> None:
    await answered(await moto.send(sqs("ListQueues", {})))
    assert moto.pid is not None
    os.kill(moto.pid, signal.SIGSTOP)
    calls = [asyncio.create_task(moto.send(sqs("ListQueues", {}))) for _ in range(3)]
    for _ in range(100):
        await asyncio.sleep(0)
    os.kill(moto.pid, signal.SIGKILL)
    for call in calls:
        with pytest.raises(NeighbourUnavailable, match="does not answer"):
            await call


async def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    moto = Moto(options(tmp_path, inherited={"PYTHONPATH": str(tmp_path)}))
    (tmp_path / "moto.py").write_text("raise ImportError('there is something wrong with moto')")
    with pytest.raises(NeighbourUnavailable, match=r"could not be started: .*something wrong with moto"):
        await moto.send(sqs("ListQueues", {}))
    (tmp_path / "moto.py").unlink()
    assert await answered(await moto.send(sqs("ListQueues", {}))) == {}
    await moto.close()
    assert "something wrong with moto" in (tmp_path / "logs" / "moto.log").read_text()


async def test_once_stopped_it_does_not_start_again(moto: Moto) -> None:
    await answered(await moto.send(sqs("ListQueues", {})))
    pid = moto.pid
    assert pid is not None
    await moto.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(NeighbourUnavailable, match="has been stopped"):
        await moto.send(sqs("ListQueues", {}))


_HOST = """
import asyncio, sys
from pathlib import Path
from tests.neighbours.moto.test_emulator import answered, options, sqs
from treadle.limits import Limits
from treadle.neighbours.moto.emulator import Moto

async def main():
    moto = Moto(options(Path(sys.argv[1]), limits=Limits(neighbour_survival_seconds=int(sys.argv[2]))))
    await answered(await moto.send(sqs("CreateQueue", {"QueueName": "q"})))
    print(moto.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def left_behind(folder: Path, survival_seconds: int) -> int:
    """The process id of moto, which holds a queue and whose server has been killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOST, str(folder), str(survival_seconds)], stdout=subprocess.PIPE
    ) as host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        host.kill()
        host.wait()
        return pid


def wait_for_end(pid: int) -> None:
    """Of a process that is not a child of ours."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("no way here to wait for a process that is not a child")
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([watched], [], [], 30)[0]
    os.close(watched)


def test_it_ends_with_a_killed_server_that_leaves_it_no_time(tmp_path: Path) -> None:
    wait_for_end(left_behind(tmp_path, 0))
    assert not (tmp_path / "moto.json").exists()


async def test_the_next_server_of_a_data_folder_takes_over_what_a_killed_one_left(tmp_path: Path) -> None:
    pid = left_behind(tmp_path, 600)
    folder = Path(json.loads((tmp_path / "moto.json").read_text())["folder"])
    next_one = Moto(options(tmp_path))
    await next_one.open()
    assert next_one.pid == pid
    assert await answered(await next_one.send(sqs("ListQueues", {}))) == {
        "QueueUrls": [f"http://127.0.0.1:4566/{ACCOUNT}/q"]
    }
    await next_one.close()
    wait_for_end(pid)
    assert not folder.exists()  # noqa: ASYNC240 - nobody waits for this loop
    assert not (tmp_path / "moto.json").exists()


async def test_a_server_of_another_kind_does_not_take_it_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pid = left_behind(tmp_path, 600)
    other = Moto(options(tmp_path, region="eu-west-1"))
    await other.open()
    assert other.pid is None
    assert "is not taken over: it is another one" in caplog.text
    wait_for_end(pid)
    assert await answered(await other.send(sqs("ListQueues", {}))) == {}
    await other.close()


async def test_two_data_folders_never_share_one(tmp_path: Path) -> None:
    folders = tmp_path / "a", tmp_path / "b"
    motos = [Moto(options(folder)) for folder in folders]
    for moto in motos:
        await answered(await moto.send(sqs("ListQueues", {})))
    assert motos[0].pid != motos[1].pid
    for moto in motos:
        await moto.close()


@pytest.mark.parametrize("left", ["no JSON", '{"folder": "/", "secret": "x"}', '{"folder": "gone", "secret": "x"}'])
async def test_a_file_that_tells_of_nothing_of_ours_does_no_harm(tmp_path: Path, left: str) -> None:
    (tmp_path / "moto.json").write_text(left)
    moto = Moto(options(tmp_path))
    await moto.open()
    assert moto.pid is None
    await moto.close()


async def test_it_greets_nobody_without_the_secret(tmp_path: Path, moto: Moto) -> None:
    await answered(await moto.send(sqs("ListQueues", {})))
    told = json.loads((tmp_path / "moto.json").read_text())
    (tmp_path / "moto.json").write_text(json.dumps({**told, "secret": "another"}))
    pid = moto.pid
    assert pid is not None
    stranger = Moto(options(tmp_path, limits=Limits(neighbour_connect_seconds=1)))
    await stranger.open()
    assert stranger.pid is None
    assert moto.pid == pid


async def test_what_moto_says_otherwise_than_aws_is_put_right(moto: Moto) -> None:
    """Of S3: objects are encrypted, and only objects. (Recorded scenarios see the others.)"""

    async def s3(method: str, target: str, body: bytes | None = None) -> dict[bytes, bytes]:
        scope = b"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"
        headers = [(b"Host", b"127.0.0.1:4566"), (b"Authorization", scope)]
        answer = await moto.send(Outgoing(method=method, target=target, headers=headers, body=body, account=ACCOUNT))
        answer.close()
        assert answer.status == 200
        return {name.lower(): value for name, value in answer.headers}

    assert b"x-amz-server-side-encryption" not in await s3("PUT", "/bucket")
    assert (await s3("PUT", "/bucket/key", b"x"))[b"x-amz-server-side-encryption"] == b"AES256"
    assert (await s3("GET", "/bucket/key"))[b"x-amz-server-side-encryption"] == b"AES256"


async def test_it_may_have_died_by_the_time_it_is_stopped(tmp_path: Path) -> None:
    moto = Moto(options(tmp_path))
    await answered(await moto.send(sqs("ListQueues", {})))
    assert moto.pid is not None
    os.kill(moto.pid, signal.SIGKILL)
    await moto.close()
