"""Plain jobs, by the table of their kinds: each is submitted, ends as jobs.toml says, and is described by its model."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct

from tests.aws.job_services.conftest import Services
from tests.jobs.marks import began

ROLE = "arn:aws:iam::123456789012:role/service-role/runner"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
INPUT = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://my-data/in"}}}


class Case(Struct, frozen=True):
    """A kind of job: how one is made, where its state stands, and what the states are called."""

    service: str
    submit: str
    describe: str
    stop: str
    request: dict[str, Any]
    key: dict[str, str]
    """Of the requests that are about it: the members, and where each is in the request or in the answer."""
    state: str
    states: tuple[str, str, str]
    """Of a job that has succeeded, failed and was stopped."""
    why: str
    """Where the reason of a failure stands."""


def sagemaker(what: str, **request: Any) -> Case:
    name = f"{what}Name"
    return Case(
        "sagemaker",
        f"Create{what}",
        f"Describe{what}",
        f"Stop{what}",
        {name: "job", **request},
        {name: name},
        f"{what}Status",
        ("Completed", "Failed", "Stopped"),
        "FailureReason",
    )


CASES = [
    sagemaker(
        "TrainingJob",
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://my-data/out"},
        ResourceConfig=CLUSTER,
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    ),
    sagemaker(
        "TransformJob",
        ModelName="model",
        TransformInput=INPUT,
        TransformOutput={"S3OutputPath": "s3://my-data/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    ),
    sagemaker(
        "ProcessingJob",
        ProcessingResources={"ClusterConfig": CLUSTER},
        AppSpecification={"ImageUri": "image"},
        RoleArn=ROLE,
    ),
    sagemaker(
        "HyperParameterTuningJob",
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
        },
    ),
    sagemaker(
        "LabelingJob",
        LabelAttributeName="label",
        InputConfig={"DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://my-data/manifest"}}},
        OutputConfig={"S3OutputPath": "s3://my-data/out"},
        RoleArn=ROLE,
        HumanTaskConfig={
            "WorkteamArn": "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/team",
            "UiConfig": {"UiTemplateS3Uri": "s3://my-data/template"},
            "TaskTitle": "title",
            "TaskDescription": "description",
            "NumberOfHumanWorkersPerDataObject": 1,
            "TaskTimeLimitInSeconds": 60,
        },
    ),
    Case(
        "databrew",
        "StartJobRun",
        "DescribeJobRun",
        "StopJobRun",
        {"Name": "job"},
        {"Name": "Name", "RunId": "RunId"},
        "State",
        ("SUCCEEDED", "FAILED", "STOPPED"),
        "ErrorMessage",
    ),
    Case(
        "emr-serverless",
        "StartJobRun",
        "GetJobRun",
        "CancelJobRun",
        {
            "applicationId": "app1",
            "clientToken": "t",
            "executionRoleArn": ROLE,
            "name": "job",
            "jobDriver": {"hive": {"query": "SELECT 1"}},
        },
        {"applicationId": "applicationId", "jobRunId": "jobRunId"},
        "jobRun.state",
        ("SUCCESS", "FAILED", "CANCELLED"),
        "jobRun.stateDetails",
    ),
    Case(
        "emr-containers",
        "StartJobRun",
        "DescribeJobRun",
        "CancelJobRun",
        {"virtualClusterId": "vc1", "clientToken": "t", "name": "job"},
        {"virtualClusterId": "virtualClusterId", "id": "id"},
        "jobRun.state",
        ("COMPLETED", "FAILED", "CANCELLED"),
        "jobRun.stateDetails",
    ),
    Case(
        "mediaconvert",
        "CreateJob",
        "GetJob",
        "CancelJob",
        {
            "JobTemplate": "job",
            "Role": ROLE,
            "Settings": {"Inputs": [{"FileInput": "s3://my-data/in.mp4"}], "TimecodeConfig": {"Source": "ZEROBASED"}},
        },
        {"Id": "Job.Id"},
        "Job.Status",
        ("COMPLETE", "ERROR", "CANCELED"),
        "Job.ErrorMessage",
    ),
    Case(
        "athena",
        "StartQueryExecution",
        "GetQueryExecution",
        "StopQueryExecution",
        {"QueryString": "SELECT 1", "WorkGroup": "job"},
        {"QueryExecutionId": "QueryExecutionId"},
        "QueryExecution.Status.State",
        ("SUCCEEDED", "FAILED", "CANCELLED"),
        "QueryExecution.Status.StateChangeReason",
    ),
    Case(
        "bedrock",
        "CreateModelCustomizationJob",
        "GetModelCustomizationJob",
        "StopModelCustomizationJob",
        {
            "jobName": "job",
            "customModelName": "mine",
            "roleArn": ROLE,
            "baseModelIdentifier": "amazon.titan-text-lite-v1",
            "trainingDataConfig": {"s3Uri": "s3://my-data/in"},
            "outputDataConfig": {"s3Uri": "s3://my-data/out"},
        },
        {"jobIdentifier": "jobName"},
        "status",
        ("Completed", "Failed", "Stopped"),
        "failureMessage",
    ),
]
every_kind = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.service} {case.submit}")


def rule(case: Case, text: str) -> str:
    return f'[[job]]\nservice = "{case.service}"\nmatch = "job"\n{text}\n'


async def submitted(services: Services, case: Case) -> dict[str, Any]:
    """The members that name the new job."""
    answer = {**case.request, **await services.call(case.service, case.submit, "token", **case.request)}
    return {member: at(answer, place) for member, place in case.key.items()}


def at(answer: Any, path: str) -> Any:
    for name in path.split("."):
        answer = answer[name]
    return answer


@every_kind
async def test_it_succeeds(services: Services, case: Case) -> None:
    services.rules(rule(case, 'outcome = "succeed"'))
    key = await submitted(services, case)
    await services.until(case.service, case.describe, case.state, case.states[0], **key)


@every_kind
async def test_it_fails_and_says_why(services: Services, case: Case) -> None:
    services.rules(rule(case, 'outcome = "fail"\nmessage = "no room"'))
    key = await submitted(services, case)
    shown = await services.until(case.service, case.describe, case.state, case.states[1], **key)
    assert at(shown, case.why) == "no room"


@every_kind
async def test_without_a_rule_it_fails(services: Services, case: Case) -> None:
    key = await submitted(services, case)
    shown = await services.until(case.service, case.describe, case.state, case.states[1], **key)
    assert at(shown, case.why).startswith("Treadle is not told how to run this job")


@every_kind
async def test_it_is_stopped_and_a_restart_keeps_it_so(services: Services, case: Case) -> None:
    services.rules(rule(case, 'run = ["sleep", "1000"]'))
    key = await submitted(services, case)
    await services.call(case.service, case.stop, **key)
    await services.until(case.service, case.describe, case.state, case.states[2], **key)
    await services.close()
    await services.open()
    await services.until(case.service, case.describe, case.state, case.states[2], **key)


@every_kind
async def test_a_restart_runs_it_again_and_it_counts_once(services: Services, case: Case) -> None:
    script = "echo x >> runs; test $(wc -l < runs) = 2 || exec sleep 1000"
    services.rules(rule(case, f"run = ['sh', '-c', '{script}']\ndirectory = '.'"))
    key = await submitted(services, case)
    await began(services.folder / "runs")
    await services.close()
    await services.open()
    assert await submitted(services, case) == key, "the same request finds the same job"
    await services.until(case.service, case.describe, case.state, case.states[0], **key)
    assert (services.folder / "runs").read_text() == "x\nx\n"


@every_kind
async def test_a_job_that_is_not_there(services: Services, case: Case) -> None:
    key = {member: case.request.get(place, "unknown1") for member, place in case.key.items()}
    code, text = await services.error(case.service, case.describe, **key)
    assert "." not in code
    assert text.startswith("There is no job with ")


async def test_a_name_is_taken(services: Services) -> None:
    case = CASES[0]
    await submitted(services, case)
    assert await services.error("sagemaker", case.submit, **case.request) == ("ResourceInUse", "job exists already.")


async def test_a_rule_adds_to_the_description(services: Services) -> None:
    case = CASES[0]
    answer = 'answer = {ModelArtifacts = {S3ModelArtifacts = "s3://my-data/model.tar.gz"}}'
    services.rules(rule(case, f'outcome = "succeed"\n{answer}'))
    key = await submitted(services, case)
    shown = await services.until("sagemaker", case.describe, case.state, "Completed", **key)
    assert shown["ModelArtifacts"] == {"S3ModelArtifacts": "s3://my-data/model.tar.gz"}


async def test_what_jobs_run_on_is_the_neighbours(services: Services) -> None:
    await submitted(services, CASES[5])
    assert services.definitions.asked == ["GET /jobs/job"]
    services.definitions.answers["ListModels"] = {"Models": []}
    assert await services.call("sagemaker", "ListModels") == {"Models": []}
    assert services.definitions.asked[1:] == ["ListModels"]


async def test_listings_that_would_miss_jobs_are_refused(services: Services) -> None:
    assert await services.error("sagemaker", "ListTrainingJobs") == (
        "NotImplementedException",
        "Treadle does not implement the operation ListTrainingJobs of sagemaker yet.",
    )


async def test_members_have_their_names_on_the_wire(services: Services) -> None:
    """MediaConvert's differ from those of its model, at every depth."""
    case = next(case for case in CASES if case.service == "mediaconvert")
    services.rules(rule(case, 'outcome = "succeed"'))
    key = await submitted(services, case)
    shown = await services.until("mediaconvert", "GetJob", "Job.Status", "COMPLETE", **key)
    assert {name: shown["Job"][name] for name in case.request} == case.request
