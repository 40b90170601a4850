"""`eks:call` and `eks:runJob` against the API of a cluster over TLS."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from msgspec.structs import replace

from treadle.document import Document, decode
from treadle.limits import DEFAULT_LIMITS
from treadle.neighbours.web import Web
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.jobs import JobTask, Looks
from treadle.tasks.kubernetes import Clusters, call_problem
from treadle.tasks.kubernetes_jobs import run_job_problem, run_kubernetes_job

from .fake_cluster import JOBS, FakeCluster
from .fake_service import FakeService
from .fakes import request

LIMITS = replace(DEFAULT_LIMITS, job_poll_milliseconds_min=1, job_polls_per_second=10_000, job_poll_seconds_max=0)
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "pi-"}, "spec": {}}
SCHEDULED = 1_700_000_000_123
"""In milliseconds: within the second in which the fake cluster makes every Job."""


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster() as fake:
        yield fake


@pytest.fixture
async def clusters() -> AsyncIterator[Clusters]:
    web = Web(LIMITS, {})
    yield Clusters(web, LIMITS)
    await web.close()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SERVERSKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def named(cluster: FakeCluster) -> dict[str, str]:
    return {"ClusterName": "c", "CertificateAuthority": cluster.authority, "Endpoint": cluster.url}


async def call(clusters: Clusters, **parameters: Any) -> TaskOutcome:
    assert call_problem(parameters) is None
    return await clusters.run_call(request("arn:aws:states:::eks:call", parameters), FakeService().calls)


class Run:
    """A task that runs a Job, under way."""

    def __init__(self, clusters: Clusters, pattern: str = ".sync", **parameters: Any) -> None:
        changes = {name: parameters.pop(name) for name in ("submitted", "again_since") if name in parameters}
        given = {"Namespace": "work", "Job": JOB, **parameters}
        assert run_job_problem(given) is None
        asked = replace(request(f"arn:aws:states:::eks:runJob{pattern}", given), **changes)
        self.reported: list[Document] = []
        task = JobTask(
            request=asked,
            limits=LIMITS,
            looks=Looks(LIMITS),
            submitted=self.reported.append,
            stopping=lambda: False,
        )
        self.task = asyncio.get_running_loop().create_task(run_kubernetes_job(task, clusters, FakeService().calls))

    async def outcome(self) -> TaskOutcome:
        return await asyncio.wait_for(self.task, 20)


def value(outcome: TaskOutcome) -> Any:
    assert outcome.output is not None, outcome
    return outcome.output.value


async def test_a_call(cluster: FakeCluster, clusters: Clusters) -> None:
    body = {"kind": "ConfigMap"}
    query = {"labelSelector": ["a=b", "c=d"]}
    asked = {"Method": "POST", "Path": "/api/v1/a b", "QueryParameters": query, "RequestBody": body}
    shown = value(await call(clusters, **named(cluster), **asked))
    assert shown == {"ResponseBody": {"path": "/api/v1/a%20b"}, "StatusCode": 200, "StatusText": "OK"}
    assert cluster.requests == [("POST", "/api/v1/a%20b", query, body)]


async def test_the_token_is_what_eks_takes(cluster: FakeCluster, clusters: Clusters) -> None:
    await call(clusters, **named(cluster), Method="GET", Path="/version")
    (token,) = cluster.tokens
    prefix, _, signed = token.partition(".")
    url = urlsplit(base64.urlsafe_b64decode(signed + "=" * (-len(signed) % 4)).decode())
    asked = parse_qs(url.query)
    assert (prefix, url.netloc, asked["Action"]) == ("k8s-aws-v1", "sts.eu-west-1.amazonaws.com", ["GetCallerIdentity"])
    assert asked["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert asked["X-Amz-Credential"][0].startswith("SERVERSKEY/")


async def test_a_refusal_is_an_error_with_its_status(cluster: FakeCluster, clusters: Clusters) -> None:
    outcome = await call(clusters, **named(cluster), Method="GET", Path="/locked")
    assert outcome.error == "EKS.401"
    body = {"message": "Unauthorized"}
    assert decode(outcome.cause or "") == {"ResponseBody": body, "StatusCode": 401, "StatusText": "Unauthorized"}


async def test_a_patch_is_merged(cluster: FakeCluster, clusters: Clusters) -> None:
    await call(clusters, **named(cluster), Method="PATCH", Path="/api", RequestBody={"a": None})
    assert cluster.types == ["application/merge-patch+json"]


async def test_only_its_own_authority_is_trusted(cluster: FakeCluster, clusters: Clusters) -> None:
    other = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    for authority, why in (
        (other, "certificate"),
        ("Zm9v", "not the Base64 of a certificate"),
        ("%", "not the Base64"),
    ):
        given = {**named(cluster), "CertificateAuthority": authority}
        outcome = await call(clusters, **given, Method="GET", Path="/")
        assert outcome.error == "EKS.SdkClientException"
        assert why in (outcome.cause or "")
    assert cluster.requests == []


async def test_a_job_to_its_end_with_its_logs(cluster: FakeCluster, clusters: Clusters) -> None:
    run = Run(clusters, **named(cluster), LogOptions={"RetrieveLogs": True, "LogParameters": {"tailLines": ["6"]}})
    async with asyncio.timeout(20):
        while len(cluster.asked("GET")) < 2:  # noqa: ASYNC110 - the cluster runs in a thread
            await asyncio.sleep(0.01)
    cluster.ending = "Complete"
    shown = value(await run.outcome())
    (name,) = cluster.jobs
    assert name.startswith("pi-")
    assert shown["ResponseBody"]["status"] == {"conditions": [{"type": "Complete", "status": "True"}]}
    assert shown["logs"] == {"pods": {"pod-1": {"containers": {"main": {"log": {"pi": 3}}, "side": {"log": "plain"}}}}}
    assert cluster.requests[-1][2] == {"tailLines": ["6"], "container": ["side"]}
    assert run.reported[0].value["StatusCode"] == 201
    assert len(cluster.asked("POST")) == 1


async def test_a_job_that_failed(cluster: FakeCluster, clusters: Clusters) -> None:
    cluster.ending = "Failed"
    cluster.logs["side"] = ""
    outcome = await Run(clusters, **named(cluster), LogOptions={"RetrieveLogs": True, "RawLogs": True}).outcome()
    assert outcome.error == "States.TaskFailed"
    containers = decode(outcome.cause or "")["logs"]["pods"]["pod-1"]["containers"]
    assert containers["main"] == {"log": '{"pi": 3}'}
    assert containers["side"]["error"] == "EKS.500"


async def test_without_a_pattern_the_answer_is_the_result(cluster: FakeCluster, clusters: Clusters) -> None:
    shown = value(await Run(clusters, "", **named(cluster)).outcome())
    assert (shown["StatusCode"], shown["ResponseBody"]["kind"]) == (201, "Job")


async def test_a_request_that_comes_again_finds_its_own_job(cluster: FakeCluster, clusters: Clusters) -> None:
    """It died before the answer was on disk; another time, the name belongs to somebody else."""
    await Run(clusters, "", **named(cluster)).outcome()
    cluster.ending = "Complete"
    assert value(await Run(clusters, **named(cluster), again_since=SCHEDULED).outcome())["StatusCode"] == 200
    for since in (None, SCHEDULED + 1_000):
        assert (await Run(clusters, **named(cluster), again_since=since).outcome()).error == "EKS.409"


async def test_a_job_that_is_gone(cluster: FakeCluster, clusters: Clusters) -> None:
    submitted = Document({"ResponseBody": {"metadata": {"name": "gone"}}, "StatusCode": 201, "StatusText": "Created"})
    assert (await Run(clusters, **named(cluster), submitted=submitted).outcome()).error == "EKS.404"
    assert len(cluster.asked("GET")) == LIMITS.job_missing_polls


async def test_a_cancelled_task_deletes_its_job(cluster: FakeCluster, clusters: Clusters) -> None:
    run = Run(clusters, **named(cluster))
    async with asyncio.timeout(20):
        while not cluster.asked("GET"):  # noqa: ASYNC110 - the cluster runs in a thread
            await asyncio.sleep(0.01)
    run.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.outcome()
    assert cluster.jobs == {}
    assert cluster.requests[-1][2] == {"propagationPolicy": ["Background"]}
    assert cluster.asked("DELETE")[0].startswith(f"{JOBS}/pi-")


HERE = {"ClusterName": "c", "CertificateAuthority": "Zm9v", "Endpoint": "https://c"}


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ([], "The Parameters are not an object"),
        ({**HERE, "Method": "GET"}, "The field 'Path' is required but was missing"),
        ({**HERE, "Method": "GET", "Path": "/", "Url": 1}, "The field 'Url' is not supported by Step Functions"),
        ({**HERE, "Method": "TRACE", "Path": "/"}, "The value of the field 'Method' has an invalid format"),
        ({**HERE, "Method": "GET", "Path": "x"}, "The value of the field 'Path' has an invalid format"),
        (
            {**HERE, "Endpoint": "http://c", "Method": "GET", "Path": "/"},
            "The value of the field 'Endpoint' has an invalid format",
        ),
        (
            {**HERE, "Method": "GET", "Path": "/", "QueryParameters": {"a": "b"}},
            "The value of the field 'QueryParameters' has an invalid format",
        ),
    ],
)
def test_what_a_call_is_refused_for(parameters: Any, refusal: str) -> None:
    assert call_problem(parameters) == refusal


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ({}, "The field 'Job' is required but was missing"),
        ({"Job": "{"}, "The value of the field 'Job' has an invalid format"),
        ({"Job": {"metadata": []}}, "The value of the field 'Job' has an invalid format"),
        ({"Job": "{}", "Namespace": 1}, "The value of the field 'Namespace' has an invalid format"),
        ({"Job": {}, "LogOptions": []}, None),
        ({"Job": {}, "LogOptions": [1]}, "The value of the field 'LogOptions' has an invalid format"),
        ({"Job": {}, "LogOptions": {"Tail": 1}}, "The field 'Tail' is not supported by Step Functions"),
        (
            {"Job": {}, "LogOptions": {"LogParameters": {"tailLines": 6}}},
            "The value of the field 'LogParameters' has an invalid format",
        ),
    ],
)
def test_what_a_job_is_refused_for(parameters: Any, refusal: str | None) -> None:
    assert run_job_problem({**HERE, **parameters}) == refusal
