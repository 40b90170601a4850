"""The pattern .sync: jobs that are submitted once, asked for until they end, and cancelled with their task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from msgspec.structs import replace

from treadle.document import Document, decode
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.neighbours.contract import Neighbour, NeighbourUnavailable, NotEmulated
from treadle.neighbours.directory import Neighbours
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.integration_table import INTEGRATIONS
from treadle.tasks.jobs import JobTask, Looks, run_job
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_jobs import ServiceJob

from .fake_neighbour import HOST, FakeNeighbour
from .fake_service import Answer, FakeService
from .fakes import request

LIMITS = replace(
    DEFAULT_LIMITS,
    job_poll_milliseconds_min=1,
    job_polls_per_second=10_000,
    job_poll_seconds_max=0,
    job_cancel_seconds=1,
)
TOKEN = "the-token"


class Run:
    """One task, under way."""

    def __init__(
        self, service: Neighbour, action: str, parameters: Any, submitted: Any = None, limits: Limits = LIMITS
    ) -> None:
        resource, _, name = action.partition(":")
        asked = replace(
            request(f"arn:aws:states:::{action}.sync", parameters, token=TOKEN),
            submitted=None if submitted is None else Document(submitted),
        )
        integration = INTEGRATIONS[resource, name]
        assert integration.job is not None
        self.reported: list[Document] = []
        self.stopping = False
        task = JobTask(
            request=asked,
            limits=limits,
            looks=Looks(LIMITS),
            submitted=self.reported.append,
            stopping=lambda: self.stopping,
        )
        calls = ServiceCalls(Neighbours(service, {}, limits), limits, HOST)
        work = ServiceJob(task, integration, integration.job, calls)
        self.task = asyncio.get_running_loop().create_task(run_job(task, work))

    async def outcome(self) -> TaskOutcome:
        return await asyncio.wait_for(self.task, 20)

    async def cancel(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(self.task, 20)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


QUERY = {"QueryString": "SELECT 1"}
BEGUN = {"QueryExecutionId": "q-1"}


def query(state: str) -> dict[str, Any]:
    return {"QueryExecution": {"QueryExecutionId": "q-1", "Status": {"State": state}}}


async def test_a_job_is_asked_for_until_it_ends() -> None:
    service = FakeService(StartQueryExecution=[BEGUN], GetQueryExecution=[query("QUEUED"), query("SUCCEEDED")])
    run = Run(service, "athena:startQueryExecution", QUERY)
    outcome = await run.outcome()
    assert outcome.output is not None
    assert outcome.output.value == query("SUCCEEDED")
    assert [name for name, _ in service.asked] == ["StartQueryExecution", "GetQueryExecution", "GetQueryExecution"]
    assert service.last[1] == BEGUN
    [submitted] = run.reported
    assert submitted.value["QueryExecutionId"] == "q-1"
    assert submitted.value["SdkHttpMetadata"]["HttpStatusCode"] == 200


async def test_the_request_alone_says_whose_it_is() -> None:
    service = FakeService(StartQueryExecution=[BEGUN], GetQueryExecution=[query("SUCCEEDED")])
    await Run(service, "athena:startQueryExecution", QUERY).outcome()
    assert service.tokens == [TOKEN, None]


async def test_a_job_that_failed() -> None:
    service = FakeService(StartQueryExecution=[BEGUN], GetQueryExecution=[query("FAILED")])
    outcome = await Run(service, "athena:startQueryExecution", QUERY).outcome()
    assert (outcome.error, decode(outcome.cause or "")) == ("States.TaskFailed", query("FAILED"))


async def test_a_job_that_was_submitted_before_is_only_asked_for() -> None:
    service = FakeService(GetQueryExecution=[query("SUCCEEDED")])
    run = Run(service, "athena:startQueryExecution", QUERY, submitted=BEGUN)
    assert (await run.outcome()).output is not None
    assert run.reported == []


async def test_a_job_that_is_not_accepted() -> None:
    service = FakeService(StartQueryExecution=[400])
    run = Run(service, "athena:startQueryExecution", QUERY)
    outcome = await run.outcome()
    assert outcome.error == "Athena.AmazonAthenaException"
    assert run.reported == []


@pytest.mark.parametrize("trouble", [NeighbourUnavailable("it restarts"), 500, 503, 429], ids=str)
async def test_a_question_without_an_answer_is_asked_again(trouble: Answer) -> None:
    troubles = [trouble] * (LIMITS.job_missing_polls + 1)
    service = FakeService(GetQueryExecution=[*troubles, query("SUCCEEDED")])
    outcome = await Run(service, "athena:startQueryExecution", QUERY, submitted=BEGUN).outcome()
    assert outcome.output is not None
    assert service.times("GetQueryExecution") == len(troubles) + 1


async def test_a_question_that_nobody_can_answer_is_not_asked_for_ever() -> None:
    service = FakeService(GetQueryExecution=[NotEmulated("moto does not have this")])
    outcome = await Run(service, "athena:startQueryExecution", QUERY, submitted=BEGUN).outcome()
    assert outcome.error == "Athena.AmazonAthenaException"
    assert "moto does not have this" in (outcome.cause or "")
    assert service.times("GetQueryExecution") == LIMITS.job_missing_polls


async def test_a_job_that_is_not_known_yet() -> None:
    few: list[Answer] = [400] * (LIMITS.job_missing_polls - 1)
    service = FakeService(GetQueryExecution=[*few, query("SUCCEEDED")])
    assert (await Run(service, "athena:startQueryExecution", QUERY, submitted=BEGUN).outcome()).output is not None


async def test_a_job_that_is_not_there_any_more() -> None:
    service = FakeService(GetQueryExecution=[400])
    outcome = await Run(service, "athena:startQueryExecution", QUERY, submitted=BEGUN).outcome()
    assert outcome.error == "Athena.AmazonAthenaException"
    assert service.times("GetQueryExecution") == LIMITS.job_missing_polls


async def test_a_job_that_is_left_out_of_the_answer() -> None:
    service = FakeService(DescribeTasks=[{"tasks": [], "failures": [{"reason": "MISSING"}]}])
    submitted = {"Tasks": [{"TaskArn": "t"}]}
    outcome = await Run(service, "ecs:runTask", {"TaskDefinition": "d"}, submitted=submitted).outcome()
    assert outcome.error == "States.TaskFailed"
    assert decode(outcome.cause or "") == {"Failures": [{"Reason": "MISSING"}], "Tasks": []}


async def test_a_task_of_ecs() -> None:
    """Recorded: the task itself is the result, and the cause of a failure."""
    began = {"tasks": [{"taskArn": "t", "lastStatus": "PROVISIONING"}], "failures": []}
    for code, succeeded in ((0, True), (1, False), (None, False)):
        container = {} if code is None else {"exitCode": code}
        stopped = {"taskArn": "t", "lastStatus": "STOPPED", "containers": [{"name": "c", **container}]}
        stopped["taskDefinitionArn"] = "d:1"
        defined = {"taskDefinition": {"containerDefinitions": [{"name": "c"}]}}
        service = FakeService(RunTask=[began], DescribeTasks=[{"tasks": [stopped]}], DescribeTaskDefinition=[defined])
        outcome = await Run(service, "ecs:runTask", {"TaskDefinition": "d", "Cluster": "c"}).outcome()
        shown = {"Containers": [{**({} if code is None else {"ExitCode": code}), "Name": "c"}], "LastStatus": "STOPPED"}
        shown |= {"TaskArn": "t", "TaskDefinitionArn": "d:1"}
        result = outcome.output.value if outcome.output is not None else decode(outcome.cause or "")
        assert (result, outcome.output is not None) == (shown, succeeded)
        assert service.asked[0][1]["startedBy"] == "AWS Step Functions"
        assert service.asked[1][1] == {"cluster": "c", "tasks": ["t"]}


@pytest.mark.parametrize("failed", ["main", "helper"])
async def test_only_essential_containers_count(failed: str) -> None:
    containers = [{"name": name, "exitCode": int(name == failed)} for name in ("main", "helper")]
    stopped = {"lastStatus": "STOPPED", "taskDefinitionArn": "d:1", "containers": containers}
    defined = [{"name": "main"}, {"name": "helper", "essential": False}]
    service = FakeService(
        DescribeTasks=[{"tasks": [stopped]}],
        DescribeTaskDefinition=[503, {"taskDefinition": {"containerDefinitions": defined}}],
    )
    submitted = {"Tasks": [{"TaskArn": "t"}]}
    outcome = await Run(service, "ecs:runTask", {"TaskDefinition": "d"}, submitted=submitted).outcome()
    assert (outcome.output is not None) is (failed == "helper")
    assert service.last == ("DescribeTaskDefinition", {"taskDefinition": "d:1"})


async def test_a_task_that_cannot_be_placed() -> None:
    service = FakeService(RunTask=[{"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}])
    outcome = await Run(service, "ecs:runTask", {"TaskDefinition": "d"}).outcome()
    assert outcome.error == "AmazonECS.Unknown"
    assert decode(outcome.cause or "") == {"Failures": [{"Reason": "RESOURCE:CPU"}], "Tasks": []}


async def test_a_step_of_emr() -> None:
    step = {"Name": "s", "HadoopJarStep": {"Jar": "j"}}
    done = {"Step": {"Id": "s-1", "Status": {"State": "COMPLETED"}}}
    service = FakeService(AddJobFlowSteps=[{"StepIds": ["s-1"]}], DescribeStep=[done])
    run = Run(service, "elasticmapreduce:addStep", {"ClusterId": "j-1", "Step": step})
    outcome = await run.outcome()
    assert service.asked == [
        ("AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [step]}),
        ("DescribeStep", {"ClusterId": "j-1", "StepId": "s-1"}),
    ]
    assert run.reported[0].value["StepId"] == "s-1"
    assert outcome.output is not None
    assert outcome.output.value == done


async def test_what_is_deleted_ends_when_it_is_not_there() -> None:
    """The result is the answer to the request, without what `.sync` results do not have."""
    answer = {"Cluster": {"Name": "k", "Status": "DELETING"}, "SdkHttpMetadata": {}, "SdkResponseMetadata": {}}
    neighbour = FakeNeighbour(b'{"message": "No such cluster"}', 404, x_amzn_errortype="ResourceNotFoundException")
    run = Run(neighbour, "eks:deleteCluster", {"Name": "k"}, submitted=answer)
    outcome = await run.outcome()
    assert outcome.output is not None
    assert outcome.output.value == {"Cluster": {"Name": "k", "Status": "DELETING"}}


# -- cancelled ---------------------------------------------------------------------------------------------


async def test_a_cancelled_task_cancels_its_job() -> None:
    service = FakeService(
        StartQueryExecution=[BEGUN], GetQueryExecution=[query("RUNNING")], StopQueryExecution=[503, {}]
    )
    run = Run(service, "athena:startQueryExecution", QUERY)
    await until(lambda: service.times("GetQueryExecution") > 1)
    await run.cancel()
    assert service.asked[-2:] == [("StopQueryExecution", BEGUN)] * 2


async def test_a_task_that_is_cancelled_while_its_job_begins() -> None:
    service = FakeService(StartQueryExecution=[BEGUN], StopQueryExecution=[{}])
    service.hold["StartQueryExecution"] = asyncio.Event()
    run = Run(service, "athena:startQueryExecution", QUERY)
    await service.arrived.wait()
    run.task.cancel()
    await asyncio.sleep(0)
    service.hold["StartQueryExecution"].set()
    with pytest.raises(asyncio.CancelledError):
        await run.outcome()
    assert [name for name, _ in service.asked] == ["StartQueryExecution", "StopQueryExecution"]
    assert run.reported == []


async def test_a_job_that_cannot_be_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    service = FakeService(GetQueryExecution=[query("RUNNING")], StopQueryExecution=[400])
    run = Run(service, "athena:startQueryExecution", QUERY, submitted=BEGUN)
    await until(lambda: service.times("GetQueryExecution") > 1)
    await run.cancel()
    assert service.times("StopQueryExecution") == 1
    assert "could not be cancelled" in caplog.text


async def test_a_server_that_stops_cancels_nothing() -> None:
    service = FakeService(GetQueryExecution=[query("RUNNING")])
    run = Run(service, "athena:startQueryExecution", QUERY, submitted=BEGUN)
    await until(lambda: service.times("GetQueryExecution") > 1)
    run.stopping = True
    await run.cancel()
    assert service.times("StopQueryExecution") == 0


@pytest.mark.parametrize(
    ("jobs", "waited", "pause"),
    [
        (1, 0, 0.02),
        (1, 0.1, 0.02),
        (1, 60, 3),
        (1, 3_600, 30),
        (3_000, 3_600, 30),
        (1_000, 0, 0.02),
        (1_000, 5, 5),
        (1_000, 100, 10),
        (10_000, 60, 60),
        (10_000, 3_600, 100),
    ],
)
def test_how_often_jobs_are_looked_at(jobs: int, waited: float, pause: float) -> None:
    looks = Looks(DEFAULT_LIMITS)
    with ExitStack() as waiting:
        for _ in range(jobs):
            waiting.enter_context(looks.waiting())
        assert looks.pause(waited) == pause
    assert looks.pause(3_600) == 30
