"""Tasks of ECS: RunTask and what shows and stops them. Clusters and task definitions are the neighbour's.

Each container of a task is a command: the one that jobs.toml says for `FAMILY/CONTAINER`. Images are not run. A task
ends with its first essential container.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.job_services.call import Call, exit_code, page_of, position, refused, seconds
from treadle.aws.table_service import Operation
from treadle.jobs.contract import Job, Part, Work

KIND = "ecs.task"

_TASKS_AT_ONCE = 10
"""The largest count of RunTask (API reference)."""
_PAGE_ITEMS = 100
_KEPT = (
    *("launchType", "platformVersion", "group", "startedBy", "tags", "enableExecuteCommand", "capacityProviderName"),
    *("cpu", "memory", "ephemeralStorage"),
)


async def run_task(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    token = call.token(request.get("clientToken"))
    before = await call.ledger.of_token(KIND, token)
    if before:
        return {"tasks": [_shown(job) for job in before], "failures": []}
    count = request.get("count", 1)
    if not 1 <= count <= _TASKS_AT_ONCE:
        raise ApiError("InvalidParameterException", f"Count must be between 1 and {_TASKS_AT_ONCE}.")
    cluster = await _existing_cluster(call, request.get("cluster"))
    answer = await call.ask("ecs", "DescribeTaskDefinition", {"taskDefinition": request["taskDefinition"]})
    definition = answer["taskDefinition"]
    jobs = await call.ledger.begin([_task(call, request, cluster, definition) for _ in range(count)], token)
    return {"tasks": [_shown(job) for job in jobs], "failures": []}


async def describe_tasks(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = _cluster(call, request.get("cluster"))
    shown, failures = [], []
    for named in request["tasks"]:
        arn = _task_arn(named, cluster)
        job = await call.job(KIND, arn)
        if job is None or job.parent != cluster:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            shown.append(_shown(job, tags="TAGS" in request.get("include", [])))
    return {"tasks": shown, "failures": failures}


async def list_tasks(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    for member in ("containerInstance", "serviceName"):
        if member in request:
            raise not_implemented(f"ListTasks by {member}")
    cluster = _cluster(call, request.get("cluster"))
    before = position(request.get("nextToken"), "InvalidParameterException")
    found = []
    for number, job in await call.ledger.page(KIND, cluster, before):
        shown = _shown(job)
        wanted = (
            shown["desiredStatus"] == request.get("desiredStatus", "RUNNING"),
            request.get("family") in (None, job.detail["family"]),
            request.get("startedBy") in (None, shown.get("startedBy")),
            request.get("launchType") in (None, shown.get("launchType")),
        )
        if all(wanted):
            found.append((number, job.id))
    arns, token = page_of(found, request.get("maxResults", _PAGE_ITEMS))
    return {"taskArns": arns, **({"nextToken": token} if token else {})}


async def stop_task(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = _cluster(call, request.get("cluster"))
    arn = _task_arn(request["task"], cluster)
    if await call.job(KIND, arn) is None:
        raise ApiError("InvalidParameterException", "The referenced task was not found.")
    job = await call.ledger.stop(arn, request.get("reason", "Task stopped by user"))
    assert job is not None
    return {"task": _shown(job)}


OPERATIONS: dict[str, Operation[Call]] = {
    **refused("ecs", "ExecuteCommand", "StartTask"),
    "DescribeTasks": describe_tasks,
    "ListTasks": list_tasks,
    "RunTask": run_task,
    "StopTask": stop_task,
}


def _cluster(call: Call, named: str | None) -> str:
    """The ARN. The neighbour is not asked, which may have forgotten the cluster: its tasks are still known here."""
    caller = call.caller
    if named is not None and named.startswith("arn:"):
        return named
    return f"arn:aws:ecs:{caller.region}:{caller.account}:cluster/{named or 'default'}"


async def _existing_cluster(call: Call, named: str | None) -> str:
    """The ARN. Raises ClusterNotFoundException."""
    answer = await call.ask("ecs", "DescribeClusters", {"clusters": [named or "default"]})
    if not answer.get("clusters"):
        raise ApiError("ClusterNotFoundException", "Cluster not found.")
    arn: str = answer["clusters"][0]["clusterArn"]
    return arn


def _task_arn(named: str, cluster: str) -> str:
    """A task is named by its ARN or by its id."""
    return named if named.startswith("arn:") else f"{cluster.replace(':cluster/', ':task/')}/{named}"


def _task(call: Call, request: dict[str, Any], cluster: str, definition: dict[str, Any]) -> Job:
    arn = _task_arn(uuid4().hex, cluster)
    overrides = request.get("overrides", {})
    changed = {each.get("name"): each for each in overrides.get("containerOverrides", [])}
    family = definition["family"]
    strategy = (request.get("capacityProviderStrategy") or [{}])[0].get("capacityProvider")
    kept = {
        **{name: definition[name] for name in ("cpu", "memory", "ephemeralStorage") if name in definition},
        "launchType": "EC2" if strategy is None else None,
        "capacityProviderName": strategy,
        "group": f"family:{family}",
        **{name: value for name, value in request.items() if name in _KEPT},
        **{name: overrides[name] for name in ("cpu", "memory", "ephemeralStorage") if name in overrides},
    }
    containers = definition["containerDefinitions"]
    return Job(
        id=arn,
        kind=KIND,
        parent=cluster,
        created=call.ledger.now(),
        parts=tuple(_part(call, arn, cluster, family, each, changed.get(each["name"], {})) for each in containers),
        detail={
            "place": call.place,
            "family": family,
            "definition": definition["taskDefinitionArn"],
            "overrides": overrides,
            "images": {each["name"]: each.get("image", "") for each in containers},
            "kept": {name: value for name, value in kept.items() if value is not None},
        },
    )


def _part(call: Call, arn: str, cluster: str, family: str, container: dict[str, Any], changed: dict[str, Any]) -> Part:
    variables = [*container.get("environment", []), *changed.get("environment", [])]
    command = [*container.get("entryPoint", []), *changed.get("command", container.get("command", []))]
    name = container["name"]
    return Part(
        name=name,
        essential=container.get("essential", True),
        work=Work(
            service="ecs",
            name=f"{family}/{name}",
            account=call.caller.account,
            region=call.caller.region,
            command=tuple(command),
            variables={each["name"]: each.get("value", "") for each in variables if "name" in each},
            facts={
                "task_arn": arn,
                "cluster_arn": cluster,
                "family": family,
                "container": name,
                "image": container.get("image", ""),
            },
        ),
    )


# -- as the API shows them -----------------------------------------------------------------------------------


def _shown(job: Job, *, tags: bool = False) -> dict[str, Any]:
    ended = not job.open
    status = "STOPPED" if ended else "RUNNING"
    kept = {name: value for name, value in job.detail["kept"].items() if tags or name != "tags"}
    shown = {
        "taskArn": job.id,
        "clusterArn": job.parent,
        "taskDefinitionArn": job.detail["definition"],
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **job.detail["overrides"]},
        "lastStatus": status,
        "desiredStatus": "STOPPED" if ended or job.stop_reason is not None else "RUNNING",
        "availabilityZone": f"{job.parts[0].work.region}a",
        "attachments": [],
        "attributes": [],
        "containers": [_container(job, part, status) for part in job.parts],
        "connectivity": "CONNECTED",
        "healthStatus": "UNKNOWN",
        "createdAt": seconds(job.created),
        "version": 2 if ended else 1,
        **kept,
    }
    if job.started is not None:
        shown["startedAt"] = seconds(job.started)
    if job.ended is not None:
        shown["stoppingAt"] = shown["executionStoppedAt"] = shown["stoppedAt"] = seconds(job.ended)
    if job.stop_reason is not None:
        shown |= {"stopCode": "UserInitiated", "stoppedReason": job.stop_reason}
    elif ended:
        ran = all(part.outcome is None or part.outcome.exit_status is not None for part in job.parts)
        played = job.state == "SUCCEEDED"
        code = "EssentialContainerExited" if ran or played else "TaskFailedToStart"
        text = "Essential container in task exited"
        if code == "TaskFailedToStart" and job.outcome is not None:
            text = job.outcome.message
        shown |= {"stopCode": code, "stoppedReason": text}
    return shown


def _container(job: Job, part: Part, status: str) -> dict[str, Any]:
    digest = job.id.rpartition("/")[2]
    shown: dict[str, Any] = {
        "containerArn": f"{job.id.replace(':task/', ':container/')}/{part.name}",
        "taskArn": job.id,
        "name": part.name,
        "image": job.detail["images"][part.name],
        "runtimeId": f"{digest}-{part.name}",
        "lastStatus": status,
        "networkInterfaces": [],
        "healthStatus": "UNKNOWN",
    }
    outcome = part.outcome
    if outcome is not None:
        code = 0 if outcome.ending == "SUCCEEDED" else exit_code(outcome)
        if code is not None:
            shown["exitCode"] = code
        else:
            shown["reason"] = outcome.message
    return shown
