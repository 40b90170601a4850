"""The kinds of plain jobs: SageMaker's, DataBrew's, EMR Serverless', EMR on EKS', Athena's and Bedrock's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from treadle.aws.job_services.call import seconds
from treadle.aws.job_services.plain import Kind, Members, added, state_of, why
from treadle.jobs import spark
from treadle.jobs.contract import Job, JobState

_SAGEMAKER: Mapping[JobState, str] = {
    "PENDING": "InProgress",
    "RUNNING": "InProgress",
    "SUCCEEDED": "Completed",
    "FAILED": "Failed",
    "TIMED_OUT": "Failed",
    "STOPPED": "Stopped",
}
_DATABREW: Mapping[JobState, str] = {
    "PENDING": "STARTING",
    "RUNNING": "RUNNING",
    "SUCCEEDED": "SUCCEEDED",
    "FAILED": "FAILED",
    "TIMED_OUT": "TIMEOUT",
    "STOPPED": "STOPPED",
}
_SERVERLESS: Mapping[JobState, str] = {
    "PENDING": "PENDING",
    "RUNNING": "RUNNING",
    "SUCCEEDED": "SUCCESS",
    "FAILED": "FAILED",
    "TIMED_OUT": "FAILED",
    "STOPPED": "CANCELLED",
}
_CONTAINERS: Mapping[JobState, str] = {**_SERVERLESS, "SUCCEEDED": "COMPLETED"}
_MEDIACONVERT: Mapping[JobState, str] = {
    "PENDING": "SUBMITTED",
    "RUNNING": "PROGRESSING",
    "SUCCEEDED": "COMPLETE",
    "FAILED": "ERROR",
    "TIMED_OUT": "ERROR",
    "STOPPED": "CANCELED",
}
_ATHENA: Mapping[JobState, str] = {**_SERVERLESS, "PENDING": "QUEUED", "SUCCEEDED": "SUCCEEDED"}


def _times(job: Job, **names: str) -> Members:
    """Seconds since the epoch: `began` and `ended` by the members that tell them."""
    times = {"began": job.started, "ended": job.ended}
    return {member: seconds(moment) for which, member in names.items() if (moment := times[which]) is not None}


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(seconds(milliseconds), UTC).isoformat(timespec="milliseconds")


# -- SageMaker -----------------------------------------------------------------------------------------------


def _sagemaker(what: str, arn: str, more: Any) -> Kind:
    """`what`: such as TrainingJob. `arn`: its kind of resource. `more`: what its description has of its own."""
    name = f"{what}Name"

    def answer(job: Job, key: Members) -> Members:
        work = job.parts[0].work
        return {f"{what}Arn": f"arn:aws:sagemaker:{work.region}:{work.account}:{arn}/{key[name].lower()}"}

    def shown(job: Job, key: Members) -> Members:
        return {
            **job.detail["request"],
            **answer(job, key),
            f"{what}Status": state_of(_SAGEMAKER, job, "Stopping"),
            "CreationTime": seconds(job.created),
            "LastModifiedTime": seconds(job.ended or job.started or job.created),
            "FailureReason": why(job),
            **more(job),
            **added(job),
        }

    return Kind(
        service="sagemaker",
        submit=f"Create{what}",
        describe=f"Describe{what}",
        stop=f"Stop{what}",
        key=(name,),
        own=lambda request, new: {name: request[name]},
        name=lambda request: request[name],
        answer=answer,
        shown=shown,
        unknown="ResourceNotFound",
        taken="ResourceInUse",
        refused=(f"List{what}s",),
    )


def _training(job: Job) -> Members:
    request = job.detail["request"]
    path = request.get("OutputDataConfig", {}).get("S3OutputPath", "").rstrip("/")
    state = state_of(_SAGEMAKER, job, "Stopping")
    return {
        "SecondaryStatus": "Training" if state == "InProgress" else state,
        "ModelArtifacts": {"S3ModelArtifacts": f"{path}/{request['TrainingJobName']}/output/model.tar.gz"},
        **_times(job, began="TrainingStartTime", ended="TrainingEndTime"),
    }


def _tuning(job: Job) -> Members:
    none = {"Completed": 0, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
    return {
        "TrainingJobStatusCounters": none,
        "ObjectiveStatusCounters": {"Succeeded": 0, "Pending": 0, "Failed": 0},
        **_times(job, ended="HyperParameterTuningEndTime"),
    }


def _labeling(job: Job) -> Members:
    none = {"TotalLabeled": 0, "HumanLabeled": 0, "MachineLabeled": 0, "FailedNonRetryableError": 0, "Unlabeled": 0}
    return {"LabelCounters": none, "JobReferenceCode": job.detail["key"]["LabelingJobName"]}


# -- DataBrew ------------------------------------------------------------------------------------------------


def _brewed(job: Job, key: Members) -> Members:
    began = job.started or job.created
    return {
        "JobName": key["Name"],
        "RunId": key["RunId"],
        "State": state_of(_DATABREW, job, "STOPPING"),
        "Attempt": 0,
        "ErrorMessage": why(job),
        "ExecutionTime": 0 if job.ended is None else (job.ended - began) // 1_000,
        "StartedBy": f"arn:aws:iam::{job.detail['account']}:root",
        **_times(job, began="StartedOn", ended="CompletedOn"),
        **added(job),
    }


# -- EMR Serverless and EMR on EKS -----------------------------------------------------------------------------


def _spark_submit(driver: Members | None) -> tuple[str, ...]:
    """What runs a Spark job."""
    if driver is None or "entryPoint" not in driver:
        return ()
    options = driver.get("sparkSubmitParameters", "").split()
    arguments = driver.get("entryPointArguments", [])
    return spark.command("command-runner.jar", ["spark-submit", *options, driver["entryPoint"], *arguments])


def _serverless_arn(job: Job, key: Members) -> str:
    work = job.parts[0].work
    path = f"/applications/{key['applicationId']}/jobruns/{key['jobRunId']}"
    return f"arn:aws:emr-serverless:{work.region}:{work.account}:{path}"


def _serverless(job: Job, key: Members) -> Members:
    request = job.detail["request"]
    ended = seconds(job.ended or job.started or job.created)
    run = {
        **key,
        "name": request.get("name"),
        "arn": _serverless_arn(job, key),
        "createdBy": f"arn:aws:iam::{job.detail['account']}:root",
        "createdAt": seconds(job.created),
        "updatedAt": ended,
        "executionRole": request["executionRoleArn"],
        "state": state_of(_SERVERLESS, job, "CANCELLING"),
        "stateDetails": why(job) or "",
        "releaseLabel": "",
        "configurationOverrides": request.get("configurationOverrides"),
        "jobDriver": request.get("jobDriver"),
        "tags": request.get("tags", {}),
        "attempt": 1,
        **_times(job, began="startedAt", ended="endedAt"),
        **added(job),
    }
    return {"jobRun": {name: value for name, value in run.items() if value is not None}}


def _on_eks(job: Job, key: Members) -> Members:
    request = job.detail["request"]
    run = {
        **key,
        "name": request.get("name"),
        "arn": _eks_arn(job, key),
        "state": state_of(_CONTAINERS, job, "CANCEL_PENDING"),
        "clientToken": request.get("clientToken"),
        "executionRoleArn": request.get("executionRoleArn"),
        "releaseLabel": request.get("releaseLabel"),
        "configurationOverrides": request.get("configurationOverrides"),
        "jobDriver": request.get("jobDriver"),
        "createdAt": _iso(job.created),
        "createdBy": f"arn:aws:iam::{job.detail['account']}:root",
        "finishedAt": None if job.ended is None else _iso(job.ended),
        "stateDetails": why(job) or "",
        "failureReason": None if why(job) is None else "USER_ERROR",
        "tags": request.get("tags", {}),
        **added(job),
    }
    return {"jobRun": {name: value for name, value in run.items() if value is not None}}


def _eks_arn(job: Job, key: Members) -> str:
    work = job.parts[0].work
    path = f"/virtualclusters/{key['virtualClusterId']}/jobruns/{key['id']}"
    return f"arn:aws:emr-containers:{work.region}:{work.account}:{path}"


def _eks_answer(job: Job, key: Members) -> Members:
    told = {**key, "arn": _eks_arn(job, key)}
    request = job.detail["request"]
    return {**told, "name": request["name"]} if "name" in request else told


# -- MediaConvert ----------------------------------------------------------------------------------------------


def _media_name(request: Members) -> str:
    """The template's, or else the queue's."""
    return str(request.get("JobTemplate") or request.get("Queue") or "Default").rpartition("/")[2]


def _converted(job: Job, key: Members) -> Members:
    request, work = job.detail["request"], job.parts[0].work
    shown = {
        **{name: value for name, value in request.items() if name not in ("ClientRequestToken", "Tags")},
        **key,
        "Arn": f"arn:aws:mediaconvert:{work.region}:{work.account}:jobs/{key['Id']}",
        "CreatedAt": seconds(job.created),
        "Queue": request.get("Queue") or f"arn:aws:mediaconvert:{work.region}:{work.account}:queues/Default",
        "Status": state_of(_MEDIACONVERT, job),
        "ErrorMessage": why(job),
        "Timing": _times(job, began="StartTime", ended="FinishTime"),
        **added(job),
    }
    return {"Job": {name: value for name, value in shown.items() if value is not None}}


# -- Athena and Bedrock ----------------------------------------------------------------------------------------


def _query(job: Job, key: Members) -> Members:
    request = job.detail["request"]
    status: Members = {"State": state_of(_ATHENA, job), "SubmissionDateTime": seconds(job.created)}
    if job.ended is not None:
        status["CompletionDateTime"] = seconds(job.ended)
    if why(job) is not None:
        status["StateChangeReason"] = why(job)
    return {
        "QueryExecution": {
            **key,
            "Query": request["QueryString"],
            "StatementType": "DML",
            "ResultConfiguration": request.get("ResultConfiguration", {}),
            "QueryExecutionContext": request.get("QueryExecutionContext", {}),
            "Status": status,
            "Statistics": {"TotalExecutionTimeInMillis": (job.ended or job.created) - job.created},
            "WorkGroup": request.get("WorkGroup", "primary"),
            **added(job),
        }
    }


def _model_arn(job: Job, key: Members) -> str:
    work = job.parts[0].work
    return f"arn:aws:bedrock:{work.region}:{work.account}:model-customization-job/{key['jobIdentifier']}"


def _customization(job: Job, key: Members) -> Members:
    request, work = job.detail["request"], job.parts[0].work
    base = request["baseModelIdentifier"]
    return {
        **request,
        "jobName": key["jobIdentifier"],
        "jobArn": _model_arn(job, key),
        "outputModelName": request["customModelName"],
        "status": state_of(_SAGEMAKER, job, "Stopping"),
        "failureMessage": why(job),
        "creationTime": _iso(job.created),
        "lastModifiedTime": _iso(job.ended or job.started or job.created),
        "endTime": None if job.ended is None else _iso(job.ended),
        "baseModelArn": base if base.startswith("arn:") else f"arn:aws:bedrock:{work.region}::foundation-model/{base}",
        "validationDataConfig": request.get("validationDataConfig", {"validators": []}),
        **added(job),
    }


KINDS: tuple[Kind, ...] = (
    _sagemaker("TrainingJob", "training-job", _training),
    _sagemaker(
        "TransformJob",
        "transform-job",
        lambda job: _times(job, began="TransformStartTime", ended="TransformEndTime"),
    ),
    _sagemaker(
        "ProcessingJob",
        "processing-job",
        lambda job: _times(job, began="ProcessingStartTime", ended="ProcessingEndTime"),
    ),
    _sagemaker("HyperParameterTuningJob", "hyper-parameter-tuning-job", _tuning),
    _sagemaker("LabelingJob", "labeling-job", _labeling),
    Kind(
        service="databrew",
        submit="StartJobRun",
        describe="DescribeJobRun",
        stop="StopJobRun",
        key=("Name", "RunId"),
        own=lambda request, new: {"Name": request["Name"], "RunId": f"db_{new.replace('-', '')}"},
        name=lambda request: request["Name"],
        answer=lambda job, key: {"RunId": key["RunId"]},
        shown=_brewed,
        stopped=lambda key: {"RunId": key["RunId"]},
        requires=("DescribeJob", "Name", "Name"),
        unknown="ResourceNotFoundException",
        refused=("ListJobRuns",),
    ),
    Kind(
        service="emr-serverless",
        submit="StartJobRun",
        describe="GetJobRun",
        stop="CancelJobRun",
        key=("applicationId", "jobRunId"),
        own=lambda request, new: {"applicationId": request["applicationId"], "jobRunId": new.replace("-", "")[:16]},
        name=lambda request: request.get("name", ""),
        answer=lambda job, key: {**key, "arn": _serverless_arn(job, key)},
        shown=_serverless,
        stopped=lambda key: key,
        builtin=lambda request: _spark_submit(request.get("jobDriver", {}).get("sparkSubmit")),
        requires=("GetApplication", "applicationId", "applicationId"),
        token="clientToken",  # noqa: S106 - the name of a member
        unknown="ResourceNotFoundException",
        refused=("ListJobRuns", "GetDashboardForJobRun"),
    ),
    Kind(
        service="emr-containers",
        submit="StartJobRun",
        describe="DescribeJobRun",
        stop="CancelJobRun",
        key=("virtualClusterId", "id"),
        own=lambda request, new: {"virtualClusterId": request["virtualClusterId"], "id": new.replace("-", "")[:19]},
        name=lambda request: request.get("name", ""),
        answer=_eks_answer,
        shown=_on_eks,
        stopped=lambda key: key,
        builtin=lambda request: _spark_submit(request.get("jobDriver", {}).get("sparkSubmitJobDriver")),
        requires=("DescribeVirtualCluster", "id", "virtualClusterId"),
        token="clientToken",  # noqa: S106 - the name of a member
        unknown="ResourceNotFoundException",
        refused=("ListJobRuns",),
    ),
    Kind(
        service="mediaconvert",
        submit="CreateJob",
        describe="GetJob",
        stop="CancelJob",
        key=("Id",),
        own=lambda request, new: {"Id": new},
        name=_media_name,
        answer=_converted,
        shown=_converted,
        token="ClientRequestToken",  # noqa: S106 - the name of a member
        unknown="NotFoundException",
    ),
    Kind(
        service="athena",
        submit="StartQueryExecution",
        describe="GetQueryExecution",
        stop="StopQueryExecution",
        key=("QueryExecutionId",),
        own=lambda request, new: {"QueryExecutionId": new},
        name=lambda request: request.get("WorkGroup", "primary"),
        answer=lambda job, key: key,
        shown=_query,
        token="ClientRequestToken",  # noqa: S106 - the name of a member
        unknown="InvalidRequestException",
        refused=("BatchGetQueryExecution", "ListQueryExecutions"),
    ),
    Kind(
        service="bedrock",
        submit="CreateModelCustomizationJob",
        describe="GetModelCustomizationJob",
        stop="StopModelCustomizationJob",
        key=("jobIdentifier",),
        own=lambda request, new: {"jobIdentifier": request["jobName"]},
        name=lambda request: request["jobName"],
        answer=lambda job, key: {"jobArn": _model_arn(job, key)},
        shown=_customization,
        token="clientRequestToken",  # noqa: S106 - the name of a member
        unknown="ResourceNotFoundException",
        refused=("ListModelCustomizationJobs",),
        taken="ConflictException",
    ),
)
