"""Jobs that are defined elsewhere: tasks of ECS, jobs of Batch, runs of Glue, builds of CodeBuild."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.aws.job_services.conftest import ACCOUNT, REGION, Services
from tests.jobs.marks import began

CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/c"
QUEUE = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/queue"


def container(name: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox", **members}


def define_task(services: Services, *containers: dict[str, Any]) -> None:
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/f:1"
    definition = {"taskDefinitionArn": arn, "family": "f", "cpu": "256", "containerDefinitions": list(containers)}
    services.definitions.answers["DescribeClusters"] = {"clusters": [{"clusterArn": CLUSTER}]}
    services.definitions.answers["DescribeTaskDefinition"] = {"taskDefinition": definition}


def define_batch(services: Services, **members: Any) -> None:
    arn = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/d"
    definitions = [
        {
            "jobDefinitionName": "d",
            "jobDefinitionArn": f"{arn}:{revision}",
            "revision": revision,
            "type": "container",
            "status": "ACTIVE",
            "parameters": {"who": "default"},
            "containerProperties": {"image": "busybox", "command": ["sh", "-c", f"echo {revision} Ref::who Ref::no"]},
            **members,
        }
        for revision in (1, 10, 9)
    ]
    services.definitions.answers["POST /v1/describejobdefinitions"] = {"jobDefinitions": definitions}
    services.definitions.answers["POST /v1/describejobqueues"] = {"jobQueues": [{"jobQueueArn": QUEUE}]}


def run(service: str, script: str) -> str:
    return f"[[job]]\nservice = '{service}'\ndirectory = '.'\nrun = ['sh', '-c', '''{script}''']\n"


AS_IS = "[[job]]\nservice = '{}'\nrun = 'command'\n"


async def task(services: Services, token: str | None = None, **members: Any) -> dict[str, Any]:
    answer = await services.call("ecs", "RunTask", token, cluster="c", taskDefinition="f", **members)
    assert answer["failures"] == []
    found: dict[str, Any] = answer["tasks"][0]
    return found


async def stopped(services: Services, arn: str) -> dict[str, Any]:
    path = "tasks.0.lastStatus"
    answer = await services.until("ecs", "DescribeTasks", path, "STOPPED", cluster="c", tasks=[arn])
    found: dict[str, Any] = answer["tasks"][0]
    return found


# -- ECS -----------------------------------------------------------------------------------------------------


async def test_a_task_ends_with_its_first_essential_container(services: Services, tmp_path: Path) -> None:
    """The essential one ends after the helper: it reads a pipe until the helper's exit has closed it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    define_task(
        services,
        container("main", command=["sh", "-c", f"read nothing < {pipe}; exit 3"]),
        container("helper", command=["sh", "-c", f"exec 9> {pipe}; exit 0"], essential=False),
        container("other", command=["sleep", "1000"]),
    )
    services.rules(AS_IS.format("ecs"))
    ended = await stopped(services, (await task(services))["taskArn"])
    assert {each["name"]: each["exitCode"] for each in ended["containers"]} == {"main": 3, "helper": 0, "other": 143}
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )


async def test_overrides_of_a_task(services: Services) -> None:
    environment = [{"name": "A", "value": "defined"}, {"name": "B", "value": "defined"}]
    define_task(services, container("main", entryPoint=["sh", "-c"], command=["exit 9"], environment=environment))
    services.rules(AS_IS.format("ecs"))
    override = {
        "name": "main",
        "command": ['test "$A $B" = "defined asked"'],
        "environment": [{"name": "B", "value": "asked"}],
    }
    ended = await stopped(services, (await task(services, overrides={"containerOverrides": [override]}))["taskArn"])
    assert ended["containers"][0]["exitCode"] == 0
    assert ended["overrides"]["containerOverrides"] == [override]


@pytest.mark.parametrize("token", ["task", None])
async def test_the_same_request_runs_one_task(services: Services, token: str | None) -> None:
    """A task of a workflow is known by its token, other clients' requests by theirs."""
    define_task(services, container("main"))
    services.rules(run("ecs", "exec sleep 1000"))
    given = {} if token else {"clientToken": "mine"}
    first = await task(services, token, **given)
    assert (await task(services, token, **given))["taskArn"] == first["taskArn"]
    assert (await task(services))["taskArn"] != first["taskArn"]
    listed = await services.call("ecs", "ListTasks", cluster="c")
    assert len(listed["taskArns"]) == 2


async def test_tasks_are_listed_and_stopped(services: Services) -> None:
    define_task(services, container("main"))
    services.rules(run("ecs", "exec sleep 1000"))
    arns = [(await task(services, startedBy=who))["taskArn"] for who in ("a", "b", "b")]
    assert await services.call("ecs", "ListTasks", cluster="c", startedBy="b") == {"taskArns": arns[:0:-1]}
    first = await services.call("ecs", "ListTasks", cluster="c", maxResults=2)
    rest = await services.call("ecs", "ListTasks", cluster="c", maxResults=2, nextToken=first["nextToken"])
    assert first["taskArns"] + rest["taskArns"] == arns[::-1]
    await services.call("ecs", "StopTask", cluster="c", task=arns[0].rpartition("/")[2], reason="enough")
    ended = await stopped(services, arns[0])
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "enough")
    assert await services.call("ecs", "ListTasks", cluster="c", desiredStatus="STOPPED") == {"taskArns": arns[:1]}


async def test_tasks_that_are_not_there(services: Services) -> None:
    missing = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/c/1"
    told = await services.call("ecs", "DescribeTasks", cluster="c", tasks=["1"])
    assert told == {"tasks": [], "failures": [{"arn": missing, "reason": "MISSING"}]}
    refused = await services.error("ecs", "StopTask", cluster="c", task="1")
    assert refused == ("InvalidParameterException", "The referenced task was not found.")
    refused = await services.error("ecs", "RunTask", cluster="c", taskDefinition="f")
    assert refused == ("ClusterNotFoundException", "Cluster not found.")
    assert (await services.error("ecs", "ExecuteCommand", command="sh", interactive=True, task="1"))[0] == (
        "NotImplementedException"
    )


# -- Batch ---------------------------------------------------------------------------------------------------


async def batch_job(services: Services, token: str | None = None, **members: Any) -> str:
    request = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "d", **members}
    return str((await services.call("batch", "SubmitJob", token, **request))["jobId"])


async def batch_ended(services: Services, id: str) -> dict[str, Any]:
    answer = await services.until("batch", "DescribeJobs", "jobs.0.status", "SUCCEEDED", "FAILED", jobs=[id])
    found: dict[str, Any] = answer["jobs"][0]
    return found


@pytest.mark.parametrize(
    ("definition", "parameters", "said"),
    [("d", {}, "10 default Ref::no"), ("d:9", {"who": "me"}, "9 me Ref::no")],
)
async def test_the_command_of_a_job(services: Services, definition: str, parameters: dict[str, str], said: str) -> None:
    """The last revision of a definition, unless one is named."""
    define_batch(services)
    services.rules(AS_IS.format("batch"))
    id = await batch_job(services, jobDefinition=definition, parameters=parameters)
    ended = await batch_ended(services, id)
    assert (ended["status"], ended["container"]["exitCode"]) == ("SUCCEEDED", 0)
    assert (services.folder / "logs" / "batch" / f"{id}.log").read_text().strip() == said


async def test_a_job_is_tried_again(services: Services) -> None:
    define_batch(services, retryStrategy={"attempts": 3})
    services.rules(run("batch", "echo x >> runs; test $(wc -l < runs) = 2"))
    assert (await batch_ended(services, await batch_job(services)))["status"] == "SUCCEEDED"
    assert await began(services.folder / "runs") == "x\nx"


async def test_a_job_runs_out_of_time(services: Services) -> None:
    define_batch(services, timeout={"attemptDurationSeconds": 60})
    services.rules(run("batch", "exec sleep 1000"))
    request = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "d", "timeout": {"attemptDurationSeconds": 1}}
    ended = await batch_ended(services, (await services.call("batch", "SubmitJob", **request))["jobId"])
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "The job did not end within 1 seconds")


async def test_a_job_is_terminated(services: Services) -> None:
    define_batch(services)
    services.rules(run("batch", "exec sleep 1000"))
    id = await batch_job(services, "token")
    assert await batch_job(services, "token") == id
    await services.call("batch", "CancelJob", jobId=id, reason="does nothing to what runs")
    running = await services.call("batch", "ListJobs", jobQueue="queue")
    assert [each["jobId"] for each in running["jobSummaryList"]] == [id]
    await services.call("batch", "TerminateJob", jobId=id, reason="enough")
    ended = await batch_ended(services, id)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "enough")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"arrayProperties": {"size": 2}}, "NotImplementedException"),
        ({"dependsOn": [{"jobId": "1"}]}, "NotImplementedException"),
        ({"jobDefinition": "d:2"}, "ClientException"),
    ],
)
async def test_jobs_that_are_refused(services: Services, members: dict[str, Any], code: str) -> None:
    define_batch(services)
    request = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "d", **members}
    assert (await services.error("batch", "SubmitJob", **request))[0] == code


# -- Glue ----------------------------------------------------------------------------------------------------


async def test_a_run_of_glue(services: Services) -> None:
    job = {"Name": "j", "DefaultArguments": {"--a": "1", "--b": "1"}, "Timeout": 5, "MaxRetries": 1}
    services.definitions.answers["GetJob"] = {"Job": job}
    services.rules(run("glue", 'test "$JOB_JOB" = j; exit 4'))
    id = (await services.call("glue", "StartJobRun", "token", JobName="j", Arguments={"--b": "2"}))["JobRunId"]
    again = await services.call("glue", "StartJobRun", "token", JobName="j", Arguments={"--b": "2"})
    assert again == {"JobRunId": id}
    shown = await services.until("glue", "GetJobRun", "JobRun.JobRunState", "FAILED", JobName="j", RunId=id)
    assert (shown["JobRun"]["ErrorMessage"], shown["JobRun"]["Attempt"], shown["JobRun"]["Timeout"]) == (
        "The job's command ended with exit status 4",
        1,
        5,
    )
    assert [each["Id"] for each in (await services.call("glue", "GetJobRuns", JobName="j"))["JobRuns"]] == [id]
    stopped = await services.call("glue", "BatchStopJobRun", JobName="j", JobRunIds=[id, "jr_1"])
    assert [each["ErrorDetail"]["ErrorCode"] for each in stopped["Errors"]] == [
        "InvalidInputException",
        "EntityNotFoundException",
    ]


async def test_a_run_of_glue_is_stopped(services: Services) -> None:
    services.definitions.answers["GetJob"] = {"Job": {"Name": "j"}}
    services.rules(run("glue", "exec sleep 1000"))
    id = (await services.call("glue", "StartJobRun", JobName="j"))["JobRunId"]
    told = await services.call("glue", "BatchStopJobRun", JobName="j", JobRunIds=[id])
    assert told["SuccessfulSubmissions"] == [{"JobName": "j", "JobRunId": id}]
    await services.until("glue", "GetJobRun", "JobRun.JobRunState", "STOPPED", JobName="j", RunId=id)


# -- CodeBuild -----------------------------------------------------------------------------------------------


def define_project(services: Services, buildspec: str) -> None:
    project = {
        "name": "p",
        "source": {"type": "NO_SOURCE", "buildspec": buildspec},
        "environment": {"type": "LINUX_CONTAINER", "image": "busybox", "computeType": "BUILD_GENERAL1_SMALL"},
        "timeoutInMinutes": 0,
    }
    services.definitions.answers["BatchGetProjects"] = {"projects": [project]}


@pytest.mark.parametrize(
    ("buildspec", "status", "said"),
    [
        ("phases: {build: {commands: [echo built]}}", "SUCCEEDED", "built"),
        ("phases: {pre_build: {commands: ['false']}, build: {commands: [echo no]}}", "FAILED", ""),
        (
            "phases: {build: {commands: ['false', echo no], finally: [echo finally]},"
            " post_build: {commands: [echo post $CODEBUILD_BUILD_SUCCEEDING]}}",
            "FAILED",
            "finally\npost 0",
        ),
        ("phases: {install: {commands: [A=1, export A, cd /]}, build: {commands: [echo $A $PWD]}}", "SUCCEEDED", "1 /"),
        ("env: {variables: {A: 7}}\nphases: {build: {commands: ['echo $A $B']}}", "SUCCEEDED", "7 asked"),
        ("phases: {deploy: {}}", "FAILED", "buildspec: there is no phase deploy"),
        ("phases: [", "FAILED", None),
        ("missing.yml", "FAILED", "buildspec: the file missing.yml cannot be read: No such file or directory"),
    ],
)
async def test_the_phases_of_a_build(services: Services, buildspec: str, status: str, said: str | None) -> None:
    define_project(services, buildspec)
    services.rules(AS_IS.format("codebuild"))
    variables = [{"name": "B", "value": "asked"}]
    build = (await services.call("codebuild", "StartBuild", projectName="p", environmentVariablesOverride=variables))[
        "build"
    ]
    path = "builds.0.buildStatus"
    shown = await services.until("codebuild", "BatchGetBuilds", path, "SUCCEEDED", "FAILED", ids=[build["id"]])
    assert shown["builds"][0]["buildStatus"] == status
    log = services.folder / "logs" / "codebuild" / f"{build['id'].partition(':')[2]}.log"
    assert said is None or log.read_text().strip() == said


async def test_builds_are_stopped_listed_and_retried(services: Services) -> None:
    define_project(services, "phases: {build: {commands: [sleep 1000]}}")
    services.rules(AS_IS.format("codebuild"))
    build = (await services.call("codebuild", "StartBuild", "token", projectName="p"))["build"]
    assert (await services.call("codebuild", "StartBuild", "token", projectName="p"))["build"]["id"] == build["id"]
    await services.call("codebuild", "StopBuild", id=build["id"])
    path = "builds.0.buildStatus"
    await services.until("codebuild", "BatchGetBuilds", path, "STOPPED", ids=[build["id"], "p:none"])
    again = (await services.call("codebuild", "RetryBuild", id=build["id"]))["build"]
    listed = await services.call("codebuild", "ListBuildsForProject", projectName="p")
    assert listed == {"ids": [again["id"], build["id"]]}
    assert again["buildNumber"] == 2
    unknown = await services.error("codebuild", "StopBuild", id="p:none")
    assert unknown == ("ResourceNotFoundException", "Build cannot be found: p:none")
