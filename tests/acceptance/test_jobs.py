"""Jobs of ECS, Batch, Glue and CodeBuild: defined in moto with boto3, run by workflows, over a kill of the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.acceptance.server import ACCOUNT, REGION, Server, create_machine, ended_execution, poll

ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/jobs"
SCRIPT = b"import sys\nprint(sys.argv[1:])\nsys.exit(0 if sys.argv[2] == 'good' else 3)\n"
BUILDSPEC = """
version: 0.2
env:
  variables:
    KIND: build
phases:
  install:
    commands:
      - export FOUND=$KIND
      - cd /
  build:
    commands:
      - test "$FOUND $PWD $WHICH" = "build / good"
  post_build:
    commands:
      - test "$CODEBUILD_BUILD_SUCCEEDING" = 1
"""
JOBS = """
[[job]]
service = "ecs"
match = "worker/*"
run = "command"

[[job]]
service = "batch"
run = "command"

[[job]]
service = "codebuild"
run = "command"
"""


def client(service: str, server: Server) -> Any:
    given = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
    return boto3.session.Session().client(service, endpoint_url=server.url, **given)


def define(server: Server) -> None:
    ecs = client("ecs", server)
    ecs.create_cluster(clusterName="jobs")
    command = ["sh", "-c", 'test "$WHICH" = good']
    main = {"name": "main", "image": "busybox", "memory": 128, "command": command}
    helper = {"name": "helper", "image": "busybox", "memory": 128, "command": ["sleep", "1000"], "essential": False}
    ecs.register_task_definition(family="worker", containerDefinitions=[main, helper])
    ecs.register_task_definition(family="other", containerDefinitions=[main])
    batch = client("batch", server)
    client("iam", server).create_role(RoleName="jobs", Path="/service-role/", AssumeRolePolicyDocument="{}")
    made = batch.create_compute_environment(
        computeEnvironmentName="machines", type="UNMANAGED", state="ENABLED", serviceRole=ROLE
    )
    order = [{"order": 1, "computeEnvironment": made["computeEnvironmentArn"]}]
    batch.create_job_queue(jobQueueName="queue", state="ENABLED", priority=1, computeEnvironmentOrder=order)
    properties = {"image": "busybox", "vcpus": 1, "memory": 128, "command": ["sh", "-c", "test Ref::which = good"]}
    batch.register_job_definition(jobDefinitionName="definition", type="container", containerProperties=properties)
    s3 = client("s3", server)
    s3.create_bucket(Bucket="scripts", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="scripts", Key="job.py", Body=SCRIPT)
    location = {"Name": "pythonshell", "ScriptLocation": "s3://scripts/job.py"}
    client("glue", server).create_job(Name="shell", Role=ROLE, Command=location)
    client("codebuild", server).create_project(
        name="project",
        source={"type": "NO_SOURCE", "buildspec": BUILDSPEC},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "busybox", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=ROLE,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "jobs.toml").write_text(JOBS)
    with Server(folder) as server:
        define(server)
        yield server
        assert server.stop() == 0
        assert server.stderr() == ""


def tasks(which: str) -> dict[str, dict[str, Any]]:
    """A job of each service, by its resource."""
    variable = [{"Name": "WHICH", "Value": which}]
    return {
        "ecs:runTask.sync": {
            "Cluster": "jobs",
            "TaskDefinition": "worker",
            "Overrides": {"ContainerOverrides": [{"Name": "main", "Environment": variable}]},
        },
        "batch:submitJob.sync": {
            "JobName": "job",
            "JobQueue": "queue",
            "JobDefinition": "definition",
            "Parameters": {"which": which},
        },
        "glue:startJobRun.sync": {"JobName": "shell", "Arguments": {"--which": which}},
        "codebuild:startBuild.sync": {
            "ProjectName": "project",
            "EnvironmentVariablesOverride": [{"Type": "PLAINTEXT", **variable[0]}],
        },
    }


def ran(server: Server, resource: str, parameters: dict[str, Any]) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, "End": True}
    api = server.api()
    name = resource.replace(":", "-").replace(".", "-") + str(abs(hash(json.dumps(parameters))))
    machine = create_machine(api, name[:80], json.dumps({"StartAt": "Job", "States": {"Job": state}}))
    execution = api.call("StartExecution", stateMachineArn=machine, input="{}")["executionArn"]
    return ended_execution(api, execution)


HOW_IT_ENDED = {
    "ecs:runTask.sync": ("Containers.0.ExitCode", 0, 1),
    "batch:submitJob.sync": ("Status", "SUCCEEDED", "FAILED"),
    "glue:startJobRun.sync": ("JobRunState", "SUCCEEDED", "FAILED"),
    "codebuild:startBuild.sync": ("Build.BuildStatus", "SUCCEEDED", "FAILED"),
}
each_service = pytest.mark.parametrize("resource", list(HOW_IT_ENDED))


def at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document[int(step) if step.isdecimal() else step]
    return document


@each_service
def test_a_job_succeeds(server: Server, resource: str) -> None:
    ended = ran(server, resource, tasks("good")[resource])
    assert ended["status"] == "SUCCEEDED", ended
    path, good, _ = HOW_IT_ENDED[resource]
    assert at(json.loads(ended["output"]), path) == good


@each_service
def test_a_job_fails(server: Server, resource: str) -> None:
    ended = ran(server, resource, tasks("bad")[resource])
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed"), ended
    path, _, bad = HOW_IT_ENDED[resource]
    assert at(json.loads(ended["cause"]), path) == bad


def test_a_task_that_is_not_configured_fails_and_says_so(server: Server) -> None:
    ended = ran(server, "ecs:runTask.sync", {"Cluster": "jobs", "TaskDefinition": "other"})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert "Treadle is not told how to run this job" in json.loads(ended["cause"])["StoppedReason"]


def test_stopping_the_execution_stops_the_task(server: Server) -> None:
    api, ecs = server.api(), client("ecs", server)
    override = {"Name": "main", "Command": ["sleep", "1000"]}
    parameters = {**tasks("good")["ecs:runTask.sync"], "Overrides": {"ContainerOverrides": [override]}}
    state = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": parameters, "End": True}
    machine = create_machine(api, "stopped", json.dumps({"StartAt": "Job", "States": {"Job": state}}))
    execution = api.call("StartExecution", stateMachineArn=machine, input="{}")["executionArn"]
    listed = poll(lambda: ecs.list_tasks(cluster="jobs", startedBy="AWS Step Functions")["taskArns"] or None)
    api.call("StopExecution", executionArn=execution)

    def stopped() -> Any:
        (task,) = ecs.describe_tasks(cluster="jobs", tasks=listed)["tasks"]
        return task if task["lastStatus"] == "STOPPED" else None

    assert poll(stopped)["stopCode"] == "UserInitiated"


def test_who_answers_is_told(server: Server) -> None:
    told = server.api()
    told._connection.request("GET", "/_treadle/services")
    services = json.loads(told._connection.getresponse().read())["services"]
    assert services["emr"] == {"by": "treadle", "durable": True}
    assert services["ecs"]["by"] == "treadle"
    assert "RunTask" in services["ecs"]["operations"]
    assert services["ecs"]["others"] == {"by": "moto", "durable": False}


def test_jobs_go_on_after_a_kill(tmp_path: Path) -> None:
    """Each is run again under its own id, and counts once."""
    script = "echo x >> $JOB_SERVICE-runs; test $(wc -l < $JOB_SERVICE-runs) -gt 1 || exec sleep 1000"
    run = json.dumps(["sh", "-c", script])
    services = ("ecs", "batch", "glue", "codebuild")
    rules = "".join(f'[[job]]\nservice = "{each}"\nrun = {run}\ndirectory = "."\n' for each in services)
    (tmp_path / "jobs.toml").write_text(rules)
    branches = [
        {
            "StartAt": resource,
            "States": {
                resource: {
                    "Type": "Task",
                    "Resource": f"arn:aws:states:::{resource}",
                    "Parameters": parameters,
                    "End": True,
                }
            },
        }
        for resource, parameters in tasks("good").items()
    ]
    definition = {"StartAt": "All", "States": {"All": {"Type": "Parallel", "Branches": branches, "End": True}}}
    with Server(tmp_path) as server:
        define(server)
        api = server.api()
        # One container only: the helper would end with the first run of the task.
        main = {"name": "main", "image": "busybox", "memory": 128}
        client("ecs", server).register_task_definition(family="worker", containerDefinitions=[main])
        machine = create_machine(api, "all", json.dumps(definition))
        execution = api.call("StartExecution", stateMachineArn=machine, input="{}")["executionArn"]
        poll(lambda: all((tmp_path / f"{each}-runs").exists() for each in services) or None)
        server.kill()
    with Server(tmp_path) as server:
        ended = ended_execution(server.api(), execution)
        assert ended["status"] == "SUCCEEDED", ended
        assert [(tmp_path / f"{each}-runs").read_text() for each in services] == ["x\nx\n"] * 4
        assert server.stop() == 0
