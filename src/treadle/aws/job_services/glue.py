"""Runs of Glue's jobs. The jobs themselves are the neighbour's.

A Python shell job runs its script, from S3, with this server's own Python; a Spark job with spark-submit, on PySpark
(without Glue's own library `awsglue`). jobs.toml may say something else for a job's name.
"""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

from treadle.aws.errors import ApiError
from treadle.aws.job_services.call import Call, page_of, position, seconds
from treadle.aws.table_service import Operation
from treadle.jobs import spark
from treadle.jobs.contract import Job, Part, Work

KIND = "glue.run"

_STATES = {"PENDING": "STARTING", "TIMED_OUT": "TIMEOUT"}
"""Glue's names of states that have others in jobs/contract.py."""
_TIMEOUT_MINUTES = 2_880
"""Of a run that does not say (the developer guide: 48 hours)."""
_PAGE_ITEMS = 200
_KEPT = (
    *("AllocatedCapacity", "MaxCapacity", "NotificationProperty", "WorkerType", "NumberOfWorkers"),
    *("SecurityConfiguration", "ExecutionClass", "GlueVersion"),
)


async def start_job_run(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    token = call.token(None)
    before = await call.ledger.of_token(KIND, token)
    if before:
        return {"JobRunId": before[0].detail["id"]}
    job = (await call.ask("glue", "GetJob", {"JobName": request["JobName"]}))["Job"]
    (run,) = await call.ledger.begin([_run(call, request, job)], token)
    return {"JobRunId": run.detail["id"]}


async def get_job_run(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    run = await call.job(KIND, _key(call, request["JobName"], request["RunId"]))
    if run is None:
        raise ApiError("EntityNotFoundException", f"JobRun with id {request['RunId']} not found.")
    return {"JobRun": _shown(run)}


async def get_job_runs(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    await call.ask("glue", "GetJob", {"JobName": request["JobName"]})
    before = position(request.get("NextToken"), "InvalidInputException")
    found = await call.ledger.page(KIND, _parent(call, request["JobName"]), before)
    runs, token = page_of(found, request.get("MaxResults", _PAGE_ITEMS))
    return {"JobRuns": [_shown(run) for run in runs], **({"NextToken": token} if token else {})}


async def batch_stop_job_run(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    name = request["JobName"]
    submitted, errors = [], []
    for id in request["JobRunIds"]:
        run = await call.job(KIND, _key(call, name, id))
        told = {"JobName": name, "JobRunId": id}
        if run is not None and run.open:
            await call.ledger.stop(run.id, "Stopped by user")
            submitted.append(told)
            continue
        code, text = ("EntityNotFoundException", f"JobRun with id {id} not found.")
        if run is not None:
            code, text = ("InvalidInputException", f"The job run is in the state {_state(run)}.")
        errors.append({**told, "ErrorDetail": {"ErrorCode": code, "ErrorMessage": text}})
    return {"SuccessfulSubmissions": submitted, "Errors": errors}


OPERATIONS: dict[str, Operation[Call]] = {
    "BatchStopJobRun": batch_stop_job_run,
    "GetJobRun": get_job_run,
    "GetJobRuns": get_job_runs,
    "StartJobRun": start_job_run,
}


def _parent(call: Call, job_name: str) -> str:
    return f"{call.place}/glue/{job_name}"


def _key(call: Call, job_name: str, run_id: str) -> str:
    return f"{_parent(call, job_name)}/{run_id}"


def _run(call: Call, request: dict[str, Any], job: dict[str, Any]) -> Job:
    name = job["Name"]
    id = f"jr_{uuid4().hex}{uuid4().hex}"
    arguments = {**job.get("DefaultArguments", {}), **request.get("Arguments", {})}
    command = job.get("Command", {})
    script = command.get("ScriptLocation", "")
    words = [word for pair in arguments.items() for word in pair]
    minutes = request.get("Timeout", job.get("Timeout", _TIMEOUT_MINUTES)) or _TIMEOUT_MINUTES
    builtin: tuple[str, ...] = ()
    if command.get("Name") == "pythonshell":
        builtin = spark.python_script(script, words)
    elif command.get("Name") == "glueetl":
        builtin = spark.command("command-runner.jar", ["spark-submit", script, *words])
    work = Work(
        service="glue",
        name=name,
        account=call.caller.account,
        region=call.caller.region,
        command=(sys.executable, script, *words),
        builtin=builtin,
        facts={"run_id": id, "job": name, "script": script},
        timeout_seconds=minutes * 60,
    )
    return Job(
        id=_key(call, name, id),
        kind=KIND,
        parent=_parent(call, name),
        created=call.ledger.now(),
        parts=(Part(name=name, work=work),),
        attempts=job.get("MaxRetries", 0) + 1,
        detail={
            "place": call.place,
            "id": id,
            "arguments": request.get("Arguments", {}),
            "timeout": minutes,
            "kept": {each: {**job, **request}[each] for each in _KEPT if each in {**job, **request}},
        },
    )


# -- as the API shows them -----------------------------------------------------------------------------------


def _state(run: Job) -> str:
    if run.open and run.stop_reason is not None:
        return "STOPPING"
    return _STATES.get(run.state, run.state)


def _shown(run: Job) -> dict[str, Any]:
    began = run.started or run.created
    shown = {
        "Id": run.detail["id"],
        "Attempt": max(0, run.attempt - 1),
        "JobName": run.parts[0].name,
        "StartedOn": seconds(began),
        "LastModifiedOn": seconds(run.ended or began),
        "JobRunState": _state(run),
        "Arguments": run.detail["arguments"],
        "PredecessorRuns": [],
        "ExecutionTime": 0 if run.ended is None else (run.ended - began) // 1_000,
        "Timeout": run.detail["timeout"],
        "LogGroupName": "/aws-glue/jobs",
        **run.detail["kept"],
    }
    if run.ended is not None:
        shown["CompletedOn"] = seconds(run.ended)
    if run.state in ("FAILED", "TIMED_OUT") and run.outcome is not None:
        shown["ErrorMessage"] = run.outcome.message
    return shown
