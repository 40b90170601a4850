"""Which requests are for jobs that Treadle runs, and which are for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.aws.job_services.conftest import Definitions
from treadle.aws.job_services.composition import JobRoom
from treadle.aws.job_services.services import JobServices
from treadle.clock import SystemClock
from treadle.jobs.options import JobOptions
from treadle.jobs.rules import SERVICES, JobsFileError
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable, Outgoing
from treadle.neighbours.directory import Neighbours
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.service_calls import ServiceCalls

SIGNED = "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def request(service: str, method: str = "POST", target: str = "/", operation: str = "") -> Outgoing:
    headers = [(b"Authorization", SIGNED.format(service).encode())]
    if operation:
        headers.append((b"X-Amz-Target", operation.encode()))
        headers.append((b"Content-Type", b"application/x-amz-json-1.1"))
    return Outgoing(method=method, target=target, headers=headers, body=b"{}", account="123456789012")


async def opened(folder: Path, *elsewhere: str) -> JobServices:
    store = SqliteStore(folder / "treadle.db")
    await store.open()
    options = JobOptions(
        rules=folder / "jobs.toml",
        logs=folder / "logs",
        endpoint_url="http://127.0.0.1:1",
        key_of=lambda account: ("key", "secret"),
    )
    room = JobRoom(store, SystemClock(), options, lambda error: None)
    calls = ServiceCalls(Neighbours(Definitions(), {}, Limits()), Limits(), "127.0.0.1:4566")
    try:
        return await room.open(calls, elsewhere)
    finally:
        await room.close()
        await store.close()


ECS = "AmazonEC2ContainerServiceV20141113"


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        (request("elasticmapreduce", operation="ElasticMapReduce.ListClusters"), True),
        (request("elasticmapreduce", operation="ElasticMapReduce.ListStudios"), True),
        (request("ecs", operation=f"{ECS}.RunTask"), True),
        (request("ecs", operation=f"{ECS}.RegisterTaskDefinition"), False),
        (request("batch", target="/v1/submitjob"), True),
        (request("batch", target="/v1/createjobqueue"), False),
        (request("batch", target="/v1/nothing"), False),
        (request("databrew", target="/jobs/j/startJobRun"), True),
        (request("s3", target="/v1/submitjob"), False),
        (request("states", operation="AWSStepFunctions.RunTask"), False),
    ],
    ids=lambda value: (
        str(value.target + dict(value.headers).get(b"X-Amz-Target", b"").decode())
        if isinstance(value, Outgoing)
        else ""
    ),
)
async def test_whose_a_request_is(tmp_path: Path, asked: Outgoing, served: bool) -> None:
    assert (await opened(tmp_path)).serves(asked) is served


async def test_jobs_that_another_node_runs(tmp_path: Path) -> None:
    """Requests for them are refused here, and asked again; what is not about jobs passes on."""
    services = await opened(tmp_path)
    with pytest.raises(NeighbourUnavailable, match="another one"):
        await services.send(request("ecs", operation=f"{ECS}.RunTask"))
    assert not services.serves(request("ecs", operation=f"{ECS}.RegisterTaskDefinition"))


async def test_an_endpoint_takes_over_a_service_as_a_whole(tmp_path: Path) -> None:
    services = await opened(tmp_path, "ecs", "emr", "batch")
    assert not services.serves(request("ecs", operation=f"{ECS}.RunTask"))
    assert not services.serves(request("elasticmapreduce", operation="ElasticMapReduce.ListClusters"))
    assert not services.serves(request("batch", target="/v1/submitjob"))
    assert services.serves(request("codebuild", operation="CodeBuild_20161006.StartBuild"))


async def test_every_service_of_jobs_toml_is_served(tmp_path: Path) -> None:
    assert (await opened(tmp_path)).names == set(SERVICES)


async def test_a_file_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "jobs.toml").write_text("[[job]]\nservice = 'emr'\n")
    with pytest.raises(JobsFileError, match="either run = "):
        await opened(tmp_path)
