"""Operations on steps: add, show, list, cancel."""

from __future__ import annotations

from typing import Any

import msgspec

from treadle.aws.emr.call import Call
from treadle.aws.emr.cluster import CHANGEABLE, Cluster, invalid, new_id, seconds
from treadle.aws.emr.life import INTERRUPTED, STEP_KIND
from treadle.aws.errors import ApiError
from treadle.jobs import spark
from treadle.jobs.contract import Job, Part, Work

_STATES = {"SUCCEEDED": "COMPLETED", "TIMED_OUT": "FAILED"}
"""EMR's names of states that have others in jobs/contract.py."""
_COMMAND_RUNNER = "command-runner.jar"
_STEPS_OF_A_REQUEST = 256


async def add_job_flow_steps(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    clusters = call.clusters
    async with clusters.changes:
        # A task's request that comes again gets the answer that it had, however the cluster stands now.
        before = await clusters.ledger.of_token(STEP_KIND, call.caller.task_token)
        if before:
            return {"StepIds": [step.id for step in before]}
        cluster = await call.cluster(request["JobFlowId"])
        if cluster.state not in CHANGEABLE:
            text = "A job flow that is shutting down, terminated, or finished may not be modified."
            raise ApiError("ValidationException", text)
        active = [step for step in await clusters.steps(cluster.id) if step.open]
        role = request.get("ExecutionRoleArn")
        added = steps_of(request["Steps"], cluster, clusters.ledger.now(), role)
        if len(active) + len(added) > clusters.limits.emr_active_steps:
            text = (
                "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
            )
            raise ApiError("ValidationException", text)
        await clusters.ledger.add(added, call.caller.task_token)
    clusters.advance_soon(cluster.id)
    return {"StepIds": [step.id for step in added]}


def steps_of(configs: list[dict[str, Any]], cluster: Cluster, now: int, role: str | None = None) -> list[Job]:
    """New steps of a cluster. Raises ApiError."""
    if len(configs) > _STEPS_OF_A_REQUEST:
        raise ApiError("ValidationException", f"No more than {_STEPS_OF_A_REQUEST} steps can be added at once.")
    return [_step_of(config, cluster, now, role) for config in configs]


def _step_of(config: dict[str, Any], cluster: Cluster, now: int, role: str | None) -> Job:
    action = config.get("ActionOnFailure", "TERMINATE_CLUSTER" if cluster.concurrency == 1 else "CONTINUE")
    if cluster.concurrency > 1 and action != "CONTINUE":
        text = f"ActionOnFailure {action} is not valid for a cluster whose StepConcurrencyLevel is greater than 1."
        raise ApiError("ValidationException", text)
    jar = config["HadoopJarStep"]
    arguments = jar.get("Args", [])
    id = new_id("s")
    command = arguments if jar["Jar"] == _COMMAND_RUNNER else _hadoop(jar)
    work = Work(
        service="emr",
        name=config["Name"],
        account=cluster.account,
        region=cluster.region,
        command=tuple(command),
        builtin=spark.command(jar["Jar"], arguments),
        facts={
            "cluster_id": cluster.id,
            "cluster_name": cluster.request["Name"],
            "step_id": id,
            "jar": jar["Jar"],
            "main_class": jar.get("MainClass", ""),
            "args": msgspec.json.encode(arguments).decode(),
        },
    )
    return Job(
        id=id,
        kind=STEP_KIND,
        parent=cluster.id,
        parts=(Part(name=config["Name"], work=work),),
        created=now,
        detail={"action": action, "jar": jar, "role": role},
    )


def _hadoop(jar: dict[str, Any]) -> list[str]:
    """What EMR runs for a jar of one's own."""
    main = [jar["MainClass"]] if "MainClass" in jar else []
    return ["hadoop", "jar", jar["Jar"], *main, *jar.get("Args", [])]


async def describe_step(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = await call.cluster(request["ClusterId"])
    step = await call.clusters.ledger.get(request["StepId"])
    if step is None or step.parent != cluster.id:
        raise invalid(f"Step id '{request['StepId']}' is not valid.")
    role = step.detail["role"]
    return {"Step": {**_shown(step), **({"ExecutionRoleArn": role} if role else {})}}


async def list_steps(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The newest first, as AWS lists them."""
    cluster = await call.cluster(request["ClusterId"])
    states, ids = request.get("StepStates"), request.get("StepIds")
    before = call.position("steps", request)
    found = []
    for number, step in await call.clusters.ledger.page(STEP_KIND, cluster.id, before):
        if (not states or _state(step) in states) and (not ids or step.id in ids):
            found.append((number, _shown(step)))
    return call.page("Steps", "steps", request, found)


async def cancel_steps(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = await call.cluster(request["ClusterId"])
    grace = 0 if request.get("StepCancellationOption") == "TERMINATE_PROCESS" else None
    told = []
    for id in request["StepIds"]:
        step = await call.clusters.ledger.get(id)
        if step is None or step.parent != cluster.id:
            raise invalid(f"Step id '{id}' is not valid.")
        if step.open:
            await call.clusters.ledger.stop(id, "Cancelled by user", grace)
            told.append({"StepId": id, "Status": "SUBMITTED"})
        else:
            reason = f"Step is in state {_state(step)}, and cannot be cancelled."
            told.append({"StepId": id, "Status": "FAILED", "Reason": reason})
    return {"CancelStepsInfoList": told}


# -- as the API shows them -----------------------------------------------------------------------------------


def _state(step: Job) -> str:
    if step.state == "STOPPED":
        return "INTERRUPTED" if step.stop_reason == INTERRUPTED else "CANCELLED"
    if step.state == "RUNNING" and step.stop_reason is not None:
        return "CANCEL_PENDING"
    return _STATES.get(step.state, step.state)


def _shown(step: Job) -> dict[str, Any]:
    jar = step.detail["jar"]
    config: dict[str, Any] = {
        "Jar": jar["Jar"],
        "Properties": {each["Key"]: each.get("Value", "") for each in jar.get("Properties", []) if "Key" in each},
        "Args": jar.get("Args", []),
    }
    if "MainClass" in jar:
        config["MainClass"] = jar["MainClass"]
    timeline = {"CreationDateTime": seconds(step.created)}
    if step.started is not None:
        timeline["StartDateTime"] = seconds(step.started)
    if step.ended is not None:
        timeline["EndDateTime"] = seconds(step.ended)
    status: dict[str, Any] = {"State": _state(step), "StateChangeReason": {}, "Timeline": timeline}
    if step.state == "STOPPED" and step.stop_reason:
        status["StateChangeReason"] = {"Message": step.stop_reason}
    outcome = step.outcome
    if step.state in ("FAILED", "TIMED_OUT") and outcome is not None:
        status["FailureDetails"] = {"Reason": "Unknown Error", "Message": outcome.message}
    return {
        "Id": step.id,
        "Name": step.parts[0].name,
        "Config": config,
        "ActionOnFailure": step.detail["action"],
        "Status": status,
    }
