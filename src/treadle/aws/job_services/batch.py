"""Jobs of Batch. Compute environments, queues and job definitions are the neighbour's.

A job runs at once, as the command that jobs.toml says for its name. Images are not run.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.job_services.call import Call, exit_code, page_of, position
from treadle.aws.table_service import Operation
from treadle.jobs.contract import Job, Part, Work

KIND = "batch.job"

_STATUS = {"PENDING": "SUBMITTED", "STOPPED": "FAILED", "TIMED_OUT": "FAILED"}
"""Batch's names of states that have others in jobs/contract.py."""
_PAGE_ITEMS = 100
_NOT_THERE = ("arrayProperties", "dependsOn", "nodeOverrides", "eksPropertiesOverride", "ecsPropertiesOverride")
_REFERENCE = re.compile(r"Ref::(\w+)")


async def submit_job(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    token = call.token(None)
    before = await call.ledger.of_token(KIND, token)
    if before:
        return _submitted(before[0])
    for member in _NOT_THERE:
        if request.get(member):
            raise not_implemented(f"{member} of Batch's jobs")
    definition = await _definition(call, request["jobDefinition"])
    queue = await _queue(call, request["jobQueue"])
    (job,) = await call.ledger.begin([_job(call, request, definition, queue)], token)
    return _submitted(job)


async def describe_jobs(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    found = [await call.job(KIND, id.rpartition("/")[2]) for id in request["jobs"]]
    return {"jobs": [_shown(job) for job in found if job is not None]}


async def list_jobs(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    if "jobQueue" not in request:
        raise not_implemented("ListJobs without jobQueue")
    queue = await _queue(call, request["jobQueue"])
    before = position(request.get("nextToken"), "ClientException")
    status = None if request.get("filters") else request.get("jobStatus", "RUNNING")
    found = [
        (number, {**_submitted(job), **_times(job), "status": _status(job)})
        for number, job in await call.ledger.page(KIND, queue, before)
        if status in (None, _status(job)) and all(_holds(job, each) for each in request.get("filters", []))
    ]
    jobs, token = page_of(found, request.get("maxResults", _PAGE_ITEMS))
    return {"jobSummaryList": jobs, **({"nextToken": token} if token else {})}


async def terminate_job(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Of a job that has ended, or is not there, nothing is said: as on AWS."""
    job = await call.job(KIND, request["jobId"])
    if job is not None:
        await call.ledger.stop(job.id, request["reason"])
    return {}


async def cancel_job(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What runs is not cancelled, only what waits: as on AWS. Here, no job waits."""
    return {}


OPERATIONS: dict[str, Operation[Call]] = {
    "CancelJob": cancel_job,
    "DescribeJobs": describe_jobs,
    "ListJobs": list_jobs,
    "SubmitJob": submit_job,
    "TerminateJob": terminate_job,
}


async def _definition(call: Call, named: str) -> dict[str, Any]:
    """The job definition of an ARN, a name with its revision, or a name: the last that is active. Raises ApiError."""
    name, _, revision = named.rpartition("/")[2].partition(":")
    answer = await call.ask("batch", "DescribeJobDefinitions", {"jobDefinitionName": name, "status": "ACTIVE"})
    known = {str(each["revision"]): each for each in answer.get("jobDefinitions", [])}
    found = known.get(revision or max(known, key=int, default=""))
    if found is None:
        raise ApiError("ClientException", f"JobDefinition {named} not found.")
    if "containerProperties" not in found:
        raise not_implemented(f"jobs of the type {found['type']}, or without containerProperties,")
    definition: dict[str, Any] = found
    return definition


async def _queue(call: Call, named: str) -> str:
    """The ARN. Raises ClientException."""
    answer = await call.ask("batch", "DescribeJobQueues", {"jobQueues": [named]})
    if not answer.get("jobQueues"):
        raise ApiError("ClientException", f"Job Queue {named} not found.")
    arn: str = answer["jobQueues"][0]["jobQueueArn"]
    return arn


def _job(call: Call, request: dict[str, Any], definition: dict[str, Any], queue: str) -> Job:
    id, name = str(uuid4()), request["jobName"]
    container, changed = definition["containerProperties"], request.get("containerOverrides", {})
    parameters = {**definition.get("parameters", {}), **request.get("parameters", {})}
    words = changed.get("command", container.get("command", []))
    command = [_REFERENCE.sub(lambda found: parameters.get(found[1], found[0]), word) for word in words]
    environment = [*container.get("environment", []), *changed.get("environment", [])]
    timeout = request.get("timeout", definition.get("timeout", {})).get("attemptDurationSeconds")
    retry = request.get("retryStrategy", definition.get("retryStrategy", {}))
    caller = call.caller
    work = Work(
        service="batch",
        name=name,
        account=caller.account,
        region=caller.region,
        command=tuple(command),
        variables={
            **{each["name"]: each.get("value", "") for each in environment if "name" in each},
            "AWS_BATCH_JOB_ID": id,
            "AWS_BATCH_JQ_NAME": queue.rpartition("/")[2],
        },
        facts={
            "job_id": id,
            "queue": queue.rpartition("/")[2],
            "definition": definition["jobDefinitionName"],
            "image": container.get("image", ""),
        },
        timeout_seconds=timeout,
    )
    return Job(
        id=id,
        kind=KIND,
        parent=queue,
        created=call.ledger.now(),
        parts=(Part(name=name, work=work),),
        attempts=retry.get("attempts", 1),
        detail={
            "place": call.place,
            "arn": f"{queue.partition(':job-queue/')[0]}:job/{id}",
            "definition": definition["jobDefinitionArn"],
            "parameters": parameters,
            "retry": {"attempts": retry.get("attempts", 1), "evaluateOnExit": []},
            "timeout": {} if timeout is None else {"attemptDurationSeconds": timeout},
            "tags": request.get("tags", {}),
            "container": {**container, **changed, "command": command, "environment": environment},
        },
    )


# -- as the API shows them -----------------------------------------------------------------------------------


def _submitted(job: Job) -> dict[str, Any]:
    return {"jobArn": job.detail["arn"], "jobName": job.parts[0].name, "jobId": job.id}


def _status(job: Job) -> str:
    return _STATUS.get(job.state, job.state)


def _times(job: Job) -> dict[str, int]:
    """Milliseconds since the epoch: Batch's times are."""
    times = {"createdAt": job.created, "startedAt": job.started, "stoppedAt": job.ended}
    return {name: moment for name, moment in times.items() if moment is not None}


def _holds(job: Job, condition: dict[str, Any]) -> bool:
    name, values = condition.get("name"), condition.get("values", [])
    if name == "JOB_NAME":
        shown = job.parts[0].name.lower()
        return any(
            shown == value.lower() or (value.endswith("*") and shown.startswith(value[:-1].lower())) for value in values
        )
    raise not_implemented(f"ListJobs with the filter {name}")


def _shown(job: Job) -> dict[str, Any]:
    detail, outcome = job.detail, job.outcome
    code = exit_code(outcome)
    reason = job.stop_reason or (outcome.message if outcome is not None else "")
    if job.state == "SUCCEEDED" or (job.state == "FAILED" and code is not None and not job.stop_reason):
        reason = "Essential container in task exited"
    told: dict[str, Any] = {} if code is None else {"exitCode": code}
    if job.state == "FAILED" and outcome is not None:
        told["reason"] = outcome.message
    times = _times(job)
    shown = {
        **_submitted(job),
        "jobQueue": job.parent,
        "status": _status(job),
        "attempts": [] if job.open else [{"container": told, "statusReason": reason, **times}],
        "jobDefinition": detail["definition"],
        "parameters": detail["parameters"],
        "retryStrategy": detail["retry"],
        "dependsOn": [],
        "timeout": detail["timeout"],
        "container": {**_container(detail["container"]), **told},
        "tags": detail["tags"],
        "platformCapabilities": [],
        "eksAttempts": [],
        **times,
    }
    if reason and not job.open:
        shown["statusReason"] = reason
    shown["attempts"] = [
        {name: value for name, value in attempt.items() if name != "createdAt"} for attempt in shown["attempts"]
    ]
    return shown


def _container(properties: dict[str, Any]) -> dict[str, Any]:
    """Of what a job definition says, what a job's description has as well."""
    return {"mountPoints": [], "ulimits": [], "volumes": [], "secrets": [], "resourceRequirements": [], **properties}
