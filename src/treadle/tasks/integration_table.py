"""The optimised integrations that are operations of other services, a line for each. (`integrations.py` reads them.)

Source: the developer guide's page of each service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.tasks import sdk_v1_services as v1
from treadle.tasks.contract import TaskRequest
from treadle.tasks.integrations import Ask, Integration, Job, Lookup, Refusal

INVOKE_MODEL = Integration(service=v1.BEDROCK_RUNTIME, operation="InvokeModel")
"""Its parameters and result are those of `invoke_model.py`."""
REASON = "The task of a state machine was cancelled"
"""Given to services that ask for one."""


# -- what Step Functions adds to requests ------------------------------------------------------------------


def _whose_event(members: dict[str, Any], request: TaskRequest) -> None:
    """So that a rule can tell."""
    for entry in members.get("Entries", []):
        entry["Resources"] = [*entry.get("Resources", []), request.machine_arn, request.execution_arn]


def _started_by(members: dict[str, Any], request: TaskRequest) -> None:
    if request.resource.pattern == "sync":
        members["startedBy"] = "AWS Step Functions"


def _managed_by(members: dict[str, Any], request: TaskRequest) -> None:
    if request.resource.pattern == "sync":
        overrides = members.setdefault("containerOverrides", {})
        managed = {"name": "MANAGED_BY_AWS", "value": "STARTED_BY_STEP_FUNCTIONS"}
        overrides["environment"] = [*overrides.get("environment", []), managed]


# -- how tasks of ECS end ---------------------------------------------------------------------------------

_EXITED = "(Tasks[0].Containers[?ExitCode != `0`] && 'FAILED' || 'SUCCEEDED')"


async def _only_helpers_failed(ask: Ask, described: dict[str, Any]) -> bool:
    """Of a task, only its essential containers count, and which they are stands in its definition."""
    task = described["Tasks"][0]
    definition = await ask("DescribeTaskDefinition", {"TaskDefinition": task.get("TaskDefinitionArn", "")})
    containers = definition.get("TaskDefinition", {}).get("ContainerDefinitions", [])
    helpers = {each.get("Name") for each in containers if each.get("Essential") is False}
    return all(each.get("Name") in helpers for each in task["Containers"] if each.get("ExitCode") != 0)


def _states(names: str) -> frozenset[str]:
    return frozenset(names.split())


# -- SageMaker's and other families of jobs ----------------------------------------------------------------


def _sagemaker_job(kind: str) -> Integration:
    name = f"{{{kind}Name: request.{kind}Name}}"
    return Integration(
        service=v1.SAGEMAKER,
        operation=f"Create{kind}",
        job=Job(
            describe=f"Describe{kind}",
            of=name,
            state=f"{kind}Status",
            succeeded=_states("Completed"),
            failed=_states("Failed Stopped"),
            cancel=f"Stop{kind}",
            cancel_of=name,
        ),
    )


def _build_batch(operation: str) -> Integration:
    return Integration(
        service=v1.CODEBUILD,
        operation=operation,
        job=Job(
            describe="BatchGetBuildBatches",
            of="{Ids: [answer.BuildBatch.Id]}",
            state="BuildBatches[0].BuildBatchStatus",
            succeeded=_states("SUCCEEDED"),
            failed=_states("FAILED FAULT TIMED_OUT STOPPED"),
            result="{BuildBatch: BuildBatches[0]}",
            cancel="StopBuildBatch",
            cancel_of="{Id: answer.BuildBatch.Id}",
        ),
    )


def _application(operation: str, reached: str, given_up: str = "TERMINATED") -> Integration:
    """Of EMR Serverless: what makes it reach a state, or one of those behind it."""
    named = "answer" if operation == "CreateApplication" else "request"
    return Integration(
        service=v1.EMR_SERVERLESS,
        operation=operation,
        job=Job(
            describe="GetApplication",
            of=f"{{ApplicationId: {named}.ApplicationId}}",
            state="Application.State",
            succeeded=_states(reached),
            failed=_states(given_up),
        ),
    )


def _serverless_run(operation: str, named: str, succeeded: str, failed: str, *, cancels: bool) -> Integration:
    run = f"{{ApplicationId: request.ApplicationId, JobRunId: {named}.JobRunId}}"
    return Integration(
        service=v1.EMR_SERVERLESS,
        operation=operation,
        job=Job(
            describe="GetJobRun",
            of=run,
            state="JobRun.State",
            succeeded=_states(succeeded),
            failed=_states(failed),
            cancel="CancelJobRun" if cancels else None,
            cancel_of=run,
        ),
    )


def _made_in_eks(kind: str, of: str, failed: str) -> Integration:
    return Integration(
        service=v1.EKS,
        operation=f"Create{kind}",
        job=Job(
            describe=f"Describe{kind}",
            of=of,
            state=f"{kind}.Status",
            succeeded=_states("ACTIVE"),
            failed=_states(failed),
        ),
    )


def _deleted_from_eks(kind: str, of: str, failed: str = "DELETE_FAILED") -> Integration:
    return Integration(
        service=v1.EKS,
        operation=f"Delete{kind}",
        job=Job(
            describe=f"Describe{kind}",
            of=of,
            state=f"{kind}.Status",
            failed=_states(failed),
            ends_gone=True,
        ),
    )


_CLUSTER = "{Name: request.Name}"
_NODEGROUP = "{ClusterName: request.ClusterName, NodegroupName: request.NodegroupName}"
_FARGATE_PROFILE = "{ClusterName: request.ClusterName, FargateProfileName: request.FargateProfileName}"


# -- the table ---------------------------------------------------------------------------------------------

_TASK = "Cluster: request.Cluster"
_EMR_CLUSTER = "{Cluster: Cluster, ClusterId: Cluster.Id}"
_DATABREW_RUN = "{Name: request.Name, RunId: answer.RunId}"
_VIRTUAL_RUN = "{Id: answer.Id, VirtualClusterId: request.VirtualClusterId}"

INTEGRATIONS: Mapping[tuple[str, str], Integration] = {
    ("dynamodb", "getItem"): Integration(
        service=v1.DYNAMODB,
        operation="GetItem",
        headers=("Server", "x-amzn-requestid", "Connection", *v1.DYNAMODB_COMMON_HEADERS),
    ),
    ("dynamodb", "putItem"): Integration(service=v1.DYNAMODB, operation="PutItem"),
    ("dynamodb", "updateItem"): Integration(service=v1.DYNAMODB, operation="UpdateItem"),
    ("dynamodb", "deleteItem"): Integration(service=v1.DYNAMODB, operation="DeleteItem"),
    ("sqs", "sendMessage"): Integration(
        service=v1.SQS, operation="SendMessage", left_out=frozenset({"MessageSystemAttributes"})
    ),
    ("sns", "publish"): Integration(service=v1.SNS, operation="Publish"),
    ("events", "putEvents"): Integration(
        service=v1.EVENTS,
        operation="PutEvents",
        adds=_whose_event,
        # Recorded: services/events_task_service--put_events_mixed_malformed_detail.
        refusal=Refusal(found="FailedEntryCount", error="EventBridge.FailedEntry", patterns=("", "waitForTaskToken")),
    ),
    ("ecs", "runTask"): Integration(
        service=v1.ECS,
        operation="RunTask",
        adds=_started_by,
        # The developer guide: without a pattern, such an answer is the result.
        refusal=Refusal(found="Failures", error="AmazonECS.Unknown", patterns=("sync", "waitForTaskToken")),
        job=Job(
            describe="DescribeTasks",
            of=f"{{{_TASK}, Tasks: answer.Tasks[].TaskArn}}",
            state=f"Tasks[0].LastStatus == 'STOPPED' && {_EXITED} || Tasks[0].LastStatus",
            succeeded=_states("SUCCEEDED"),
            failed=_states("FAILED"),
            result="Tasks[0]",
            excuse=_only_helpers_failed,
            cancel="StopTask",
            cancel_of=f"{{{_TASK}, Task: answer.Tasks[0].TaskArn, Reason: '{REASON}'}}",
        ),
    ),
    ("batch", "submitJob"): Integration(
        service=v1.BATCH,
        operation="SubmitJob",
        adds=_managed_by,
        job=Job(
            describe="DescribeJobs",
            of="{Jobs: [answer.JobId]}",
            state="Jobs[0].Status",
            succeeded=_states("SUCCEEDED"),
            failed=_states("FAILED"),
            result="Jobs[0]",
            cancel="TerminateJob",
            cancel_of=f"{{JobId: answer.JobId, Reason: '{REASON}'}}",
        ),
    ),
    ("glue", "startJobRun"): Integration(
        service=v1.GLUE,
        operation="StartJobRun",
        job=Job(
            describe="GetJobRun",
            of="{JobName: request.JobName, RunId: answer.JobRunId}",
            state="JobRun.JobRunState",
            succeeded=_states("SUCCEEDED STOPPED"),
            failed=_states("FAILED TIMEOUT ERROR EXPIRED"),
            result="JobRun",
            cancel="BatchStopJobRun",
            cancel_of="{JobName: request.JobName, JobRunIds: [answer.JobRunId]}",
        ),
    ),
    ("databrew", "startJobRun"): Integration(
        service=v1.DATABREW,
        operation="StartJobRun",
        job=Job(
            describe="DescribeJobRun",
            of=_DATABREW_RUN,
            state="State",
            succeeded=_states("SUCCEEDED"),
            failed=_states("FAILED STOPPED TIMEOUT"),
            cancel="StopJobRun",
            cancel_of=_DATABREW_RUN,
        ),
    ),
    ("sagemaker", "createTrainingJob"): _sagemaker_job("TrainingJob"),
    ("sagemaker", "createTransformJob"): _sagemaker_job("TransformJob"),
    ("sagemaker", "createProcessingJob"): _sagemaker_job("ProcessingJob"),
    ("sagemaker", "createHyperParameterTuningJob"): _sagemaker_job("HyperParameterTuningJob"),
    ("sagemaker", "createLabelingJob"): _sagemaker_job("LabelingJob"),
    ("sagemaker", "createModel"): Integration(service=v1.SAGEMAKER, operation="CreateModel"),
    ("sagemaker", "createEndpoint"): Integration(service=v1.SAGEMAKER, operation="CreateEndpoint"),
    ("sagemaker", "createEndpointConfig"): Integration(service=v1.SAGEMAKER, operation="CreateEndpointConfig"),
    ("sagemaker", "updateEndpoint"): Integration(service=v1.SAGEMAKER, operation="UpdateEndpoint"),
    ("elasticmapreduce", "createCluster"): Integration(
        service=v1.EMR,
        operation="RunJobFlow",
        left_out=frozenset({"Steps"}),
        answers="{ClusterArn: ClusterArn, ClusterId: JobFlowId}",
        job=Job(
            describe="DescribeCluster",
            of="{ClusterId: answer.ClusterId}",
            state="Cluster.Status.State",
            succeeded=_states("WAITING"),
            failed=_states("TERMINATED TERMINATED_WITH_ERRORS"),
            result=_EMR_CLUSTER,
            cancel="TerminateJobFlows",
            cancel_of="{JobFlowIds: [answer.ClusterId]}",
        ),
    ),
    ("elasticmapreduce", "terminateCluster"): Integration(
        service=v1.EMR,
        operation="TerminateJobFlows",
        parameters=("ClusterId",),
        sends="{JobFlowIds: [ClusterId]}",
        job=Job(
            describe="DescribeCluster",
            of="{ClusterId: request.ClusterId}",
            state="Cluster.Status.State",
            succeeded=_states("TERMINATED TERMINATED_WITH_ERRORS"),
            result=_EMR_CLUSTER,
        ),
    ),
    ("elasticmapreduce", "addStep"): Integration(
        service=v1.EMR,
        operation="AddJobFlowSteps",
        parameters=("ClusterId", "Step", "ExecutionRoleArn"),
        sends="{JobFlowId: ClusterId, Steps: [Step], ExecutionRoleArn: ExecutionRoleArn}",
        answers="{StepId: StepIds[0]}",
        job=Job(
            describe="DescribeStep",
            of="{ClusterId: request.ClusterId, StepId: answer.StepId}",
            state="Step.Status.State",
            succeeded=_states("COMPLETED"),
            failed=_states("FAILED CANCELLED INTERRUPTED"),
            cancel="CancelSteps",
            cancel_of="{ClusterId: request.ClusterId, StepIds: [answer.StepId]}",
        ),
    ),
    ("elasticmapreduce", "cancelStep"): Integration(
        service=v1.EMR,
        operation="CancelSteps",
        parameters=("ClusterId", "StepId"),
        sends="{ClusterId: ClusterId, StepIds: [StepId]}",
        answers="{CancelStepsInfo: CancelStepsInfoList[0]}",
    ),
    ("elasticmapreduce", "setClusterTerminationProtection"): Integration(
        service=v1.EMR,
        operation="SetTerminationProtection",
        parameters=("ClusterId", "TerminationProtected"),
        sends="{JobFlowIds: [ClusterId], TerminationProtected: TerminationProtected}",
    ),
    ("elasticmapreduce", "modifyInstanceFleetByName"): Integration(
        service=v1.EMR,
        operation="ModifyInstanceFleet",
        parameters=("ClusterId", "InstanceFleetName", "InstanceFleet"),
        sends="{ClusterId: ClusterId, InstanceFleet: InstanceFleet}",
        lookup=Lookup(
            listing="ListInstanceFleets",
            of="{ClusterId: ClusterId}",
            among="InstanceFleets",
            named="InstanceFleetName",
            described="InstanceFleet",
            id_member="InstanceFleetId",
        ),
    ),
    ("elasticmapreduce", "modifyInstanceGroupByName"): Integration(
        service=v1.EMR,
        operation="ModifyInstanceGroups",
        parameters=("ClusterId", "InstanceGroupName", "InstanceGroup"),
        sends="{ClusterId: ClusterId, InstanceGroups: [InstanceGroup]}",
        lookup=Lookup(
            listing="ListInstanceGroups",
            of="{ClusterId: ClusterId}",
            among="InstanceGroups",
            named="InstanceGroupName",
            described="InstanceGroup",
            id_member="InstanceGroupId",
        ),
    ),
    ("emr-containers", "createVirtualCluster"): Integration(
        service=v1.EMR_CONTAINERS, operation="CreateVirtualCluster"
    ),
    ("emr-containers", "deleteVirtualCluster"): Integration(
        service=v1.EMR_CONTAINERS,
        operation="DeleteVirtualCluster",
        job=Job(
            describe="DescribeVirtualCluster",
            of="{Id: request.Id}",
            state="VirtualCluster.State",
            succeeded=_states("TERMINATED"),
            failed=_states("ARRESTED"),
        ),
    ),
    ("emr-containers", "startJobRun"): Integration(
        service=v1.EMR_CONTAINERS,
        operation="StartJobRun",
        job=Job(
            describe="DescribeJobRun",
            of=_VIRTUAL_RUN,
            state="JobRun.State",
            succeeded=_states("COMPLETED"),
            failed=_states("FAILED CANCELLED"),
            cancel="CancelJobRun",
            cancel_of=_VIRTUAL_RUN,
        ),
    ),
    ("emr-serverless", "createApplication"): _application(
        "CreateApplication", "CREATED STARTING STARTED STOPPING STOPPED"
    ),
    ("emr-serverless", "startApplication"): _application("StartApplication", "STARTED"),
    ("emr-serverless", "stopApplication"): _application("StopApplication", "STOPPED"),
    ("emr-serverless", "deleteApplication"): _application("DeleteApplication", "TERMINATED", ""),
    ("emr-serverless", "startJobRun"): _serverless_run(
        "StartJobRun", "answer", "SUCCESS", "FAILED CANCELLED", cancels=True
    ),
    ("emr-serverless", "cancelJobRun"): _serverless_run(
        "CancelJobRun", "request", "CANCELLED", "SUCCESS FAILED", cancels=False
    ),
    ("codebuild", "startBuild"): Integration(
        service=v1.CODEBUILD,
        operation="StartBuild",
        job=Job(
            describe="BatchGetBuilds",
            of="{Ids: [answer.Build.Id]}",
            state="Builds[0].BuildStatus",
            succeeded=_states("SUCCEEDED"),
            failed=_states("FAILED FAULT TIMED_OUT STOPPED"),
            result="{Build: Builds[0]}",
            cancel="StopBuild",
            cancel_of="{Id: answer.Build.Id}",
        ),
    ),
    ("codebuild", "startBuildBatch"): _build_batch("StartBuildBatch"),
    ("codebuild", "retryBuildBatch"): _build_batch("RetryBuildBatch"),
    ("codebuild", "stopBuild"): Integration(service=v1.CODEBUILD, operation="StopBuild"),
    ("codebuild", "stopBuildBatch"): Integration(service=v1.CODEBUILD, operation="StopBuildBatch"),
    ("codebuild", "batchDeleteBuilds"): Integration(service=v1.CODEBUILD, operation="BatchDeleteBuilds"),
    ("codebuild", "batchGetReports"): Integration(service=v1.CODEBUILD, operation="BatchGetReports"),
    ("codebuild", "deleteBuildBatch"): Integration(service=v1.CODEBUILD, operation="DeleteBuildBatch"),
    ("athena", "startQueryExecution"): Integration(
        service=v1.ATHENA,
        operation="StartQueryExecution",
        job=Job(
            describe="GetQueryExecution",
            of="{QueryExecutionId: answer.QueryExecutionId}",
            state="QueryExecution.Status.State",
            succeeded=_states("SUCCEEDED"),
            failed=_states("FAILED CANCELLED"),
            cancel="StopQueryExecution",
            cancel_of="{QueryExecutionId: answer.QueryExecutionId}",
        ),
    ),
    ("athena", "stopQueryExecution"): Integration(service=v1.ATHENA, operation="StopQueryExecution"),
    ("athena", "getQueryExecution"): Integration(service=v1.ATHENA, operation="GetQueryExecution"),
    ("athena", "getQueryResults"): Integration(service=v1.ATHENA, operation="GetQueryResults"),
    ("eks", "createCluster"): _made_in_eks("Cluster", _CLUSTER, "FAILED DELETING"),
    ("eks", "createNodegroup"): _made_in_eks("Nodegroup", _NODEGROUP, "CREATE_FAILED DEGRADED DELETING"),
    ("eks", "createFargateProfile"): _made_in_eks("FargateProfile", _FARGATE_PROFILE, "CREATE_FAILED DELETING"),
    ("eks", "deleteCluster"): _deleted_from_eks("Cluster", _CLUSTER, "FAILED"),
    ("eks", "deleteNodegroup"): _deleted_from_eks("Nodegroup", _NODEGROUP),
    ("eks", "deleteFargateProfile"): _deleted_from_eks("FargateProfile", _FARGATE_PROFILE),
    ("mediaconvert", "createJob"): Integration(
        service=v1.MEDIACONVERT,
        operation="CreateJob",
        job=Job(
            describe="GetJob",
            of="{Id: answer.Job.Id}",
            state="Job.Status",
            succeeded=_states("COMPLETE"),
            failed=_states("ERROR CANCELED"),
            cancel="CancelJob",
            cancel_of="{Id: answer.Job.Id}",
        ),
    ),
    ("bedrock", "invokeModel"): INVOKE_MODEL,
    ("bedrock", "createModelCustomizationJob"): Integration(
        service=v1.BEDROCK,
        operation="CreateModelCustomizationJob",
        job=Job(
            describe="GetModelCustomizationJob",
            of="{JobIdentifier: request.JobName}",
            state="Status",
            succeeded=_states("Completed"),
            failed=_states("Failed Stopped"),
            cancel="StopModelCustomizationJob",
            cancel_of="{JobIdentifier: request.JobName}",
        ),
    ),
}
"""By the service and the action of the resource."""
