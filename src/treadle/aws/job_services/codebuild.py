"""Builds of CodeBuild. Projects are the neighbour's.

A build's own command runs the phases of its buildspec (jobs/buildspec_process.py), in the folder that jobs.toml names:
sources are not fetched, and images are not run.
"""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

from treadle.aws.errors import ApiError
from treadle.aws.job_services.call import Call, page_of, position, refused, seconds
from treadle.aws.table_service import Operation
from treadle.jobs.contract import Job, Part, Work

KIND = "codebuild.build"

_STATUS = {"PENDING": "IN_PROGRESS", "RUNNING": "IN_PROGRESS"}
"""CodeBuild's names of states that have others in jobs/contract.py."""
_BUILDSPEC = "buildspec.yml"
"""Of a project that names none, in its source."""
_TIMEOUT_MINUTES = 60
_PAGE_ITEMS = 100
_PROJECT_MEMBERS = ("source", "artifacts", "cache", "environment", "serviceRole", "encryptionKey")
_OVERRIDES = {
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "buildspecOverride": ("source", "buildspec"),
    "imageOverride": ("environment", "image"),
    "computeTypeOverride": ("environment", "computeType"),
    "environmentTypeOverride": ("environment", "type"),
    "privilegedModeOverride": ("environment", "privilegedMode"),
}


async def start_build(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    token = call.token(request.get("idempotencyToken"))
    before = await call.ledger.of_token(KIND, token)
    if before:
        return {"build": _shown(before[0])}
    project = await _project(call, request["projectName"])
    number = len(await call.ledger.page(KIND, _parent(call, project["name"]))) + 1
    (build,) = await call.ledger.begin([_build(call, request, project, number)], token)
    return {"build": _shown(build)}


async def stop_build(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    build = await _known(call, request["id"])
    stopped = await call.ledger.stop(build.id, "Stopped by user")
    return {"build": _shown(stopped or build)}


async def retry_build(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    if "id" not in request:
        raise ApiError("InvalidInputException", "The id of the build is missing.")
    build = await _known(call, request["id"])
    token = request.get("idempotencyToken")
    return await start_build(call, {**build.detail["request"], **({"idempotencyToken": token} if token else {})})


async def batch_get_builds(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    found = {id: await call.job(KIND, _arn(call, id)) for id in request["ids"]}
    return {
        "builds": [_shown(build) for build in found.values() if build is not None],
        "buildsNotFound": [id for id, build in found.items() if build is None],
    }


async def list_builds_for_project(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    await _project(call, request["projectName"])
    before = position(request.get("nextToken"), "InvalidInputException")
    found = await call.ledger.page(KIND, _parent(call, request["projectName"]), before)
    if request.get("sortOrder") == "ASCENDING" and before is None:
        return {"ids": [build.detail["id"] for _, build in reversed(found)]}
    builds, token = page_of(found, _PAGE_ITEMS)
    return {"ids": [build.detail["id"] for build in builds], **({"nextToken": token} if token else {})}


OPERATIONS: dict[str, Operation[Call]] = {
    **refused("codebuild", "BatchDeleteBuilds", "ListBuilds"),
    "BatchGetBuilds": batch_get_builds,
    "ListBuildsForProject": list_builds_for_project,
    "RetryBuild": retry_build,
    "StartBuild": start_build,
    "StopBuild": stop_build,
}


async def _project(call: Call, named: str) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    answer = await call.ask("codebuild", "BatchGetProjects", {"names": [named]})
    if not answer.get("projects"):
        raise ApiError("ResourceNotFoundException", f"Project cannot be found: {named}", status=400)
    project: dict[str, Any] = answer["projects"][0]
    return project


async def _known(call: Call, id: str) -> Job:
    build = await call.job(KIND, _arn(call, id))
    if build is None:
        raise ApiError("ResourceNotFoundException", f"Build cannot be found: {id}", status=400)
    return build


def _arn(call: Call, id: str) -> str:
    """A build is named by its ARN or by its id."""
    caller = call.caller
    return id if id.startswith("arn:") else f"arn:aws:codebuild:{caller.region}:{caller.account}:build/{id}"


def _parent(call: Call, project: str) -> str:
    return f"{call.place}/codebuild/{project}"


def _build(call: Call, request: dict[str, Any], project: dict[str, Any], number: int) -> Job:
    name = project["name"]
    id = f"{name}:{uuid4()}"
    members = {each: project[each] for each in _PROJECT_MEMBERS if each in project}
    for override, (whole, member) in _OVERRIDES.items():
        if override in request:
            members[whole] = {**members.get(whole, {}), member: request[override]}
    environment = members.get("environment", {})
    variables = {
        each["name"]: each
        for each in (
            *environment.get("environmentVariables", []),
            *request.get("environmentVariablesOverride", []),
        )
    }
    for each in variables.values():
        if each.get("type", "PLAINTEXT") != "PLAINTEXT":
            text = f"The variable {each['name']} is of the type {each['type']}: Treadle knows PLAINTEXT only."
            raise ApiError("InvalidInputException", text)
    members["environment"] = {**environment, "environmentVariables": list(variables.values())}
    buildspec = members.get("source", {}).get("buildspec") or _BUILDSPEC
    minutes = request.get("timeoutInMinutesOverride") or project.get("timeoutInMinutes") or _TIMEOUT_MINUTES
    arn = _arn(call, id)
    work = Work(
        service="codebuild",
        name=name,
        account=call.caller.account,
        region=call.caller.region,
        command=(sys.executable, "-m", "treadle.jobs.buildspec_process", buildspec),
        variables={
            **{key: each["value"] for key, each in variables.items()},
            "CODEBUILD_BUILD_ID": id,
            "CODEBUILD_BUILD_ARN": arn,
            "CODEBUILD_BUILD_NUMBER": str(number),
            "CODEBUILD_INITIATOR": "treadle",
        },
        facts={"build_id": id, "project": name},
        timeout_seconds=minutes * 60,
    )
    return Job(
        id=arn,
        kind=KIND,
        parent=_parent(call, name),
        created=call.ledger.now(),
        parts=(Part(name=name, work=work),),
        detail={
            "place": call.place,
            "id": id,
            "number": number,
            "minutes": minutes,
            "members": members,
            "source_version": request.get("sourceVersion"),
            "request": {key: value for key, value in request.items() if key != "idempotencyToken"},
        },
    )


# -- as the API shows them -----------------------------------------------------------------------------------


def _shown(build: Job) -> dict[str, Any]:
    detail = build.detail
    status = _STATUS.get(build.state, build.state)
    began = seconds(build.started or build.created)
    phases: list[dict[str, Any]] = [
        {"phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED", "startTime": seconds(build.created), "endTime": began}
    ]
    phase: dict[str, Any] = {"phaseType": "BUILD", "startTime": began}
    if build.ended is not None:
        ended = seconds(build.ended)
        phase |= {"phaseStatus": status, "endTime": ended, "durationInSeconds": int(ended - began)}
        if build.state != "SUCCEEDED" and build.outcome is not None:
            phase["contexts"] = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": build.outcome.message}]
        phases += [phase, {"phaseType": "COMPLETED", "startTime": ended}]
    else:
        phases.append(phase)
    shown = {
        "id": detail["id"],
        "arn": build.id,
        "buildNumber": detail["number"],
        "startTime": seconds(build.created),
        "currentPhase": "BUILD" if build.open else "COMPLETED",
        "buildStatus": status,
        "projectName": build.parts[0].name,
        "phases": phases,
        **detail["members"],
        "timeoutInMinutes": detail["minutes"],
        "buildComplete": not build.open,
        "initiator": "treadle",
    }
    if detail["source_version"]:
        shown["sourceVersion"] = detail["source_version"]
    if build.ended is not None:
        shown["endTime"] = seconds(build.ended)
    return shown
