"""Operations on the versions of state machines: publish, list, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from treadle.aws.arns import check_arn, qualified_arn, split_machine_arn, version_number
from treadle.aws.errors import ApiError
from treadle.aws.states.call import Call, seconds
from treadle.store.contract import Conflict, Machine, Publication, Version

_INITIAL = "INITIAL"
"""The revision id of a machine that was never updated, in requests and texts; answers leave it out."""


def publication(request: Mapping[str, Any], now: int) -> Publication | None:
    """What `publish` and `versionDescription` of a request that creates or updates ask for. Raises
    ValidationException."""
    description = request.get("versionDescription")
    if request.get("publish"):
        return Publication(description=description, created=now)
    if description is not None:
        raise ApiError("ValidationException", "Version description can only be set when publish is true")
    return None


async def publish_state_machine_version(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """A revision has one version at most: publishing it again answers that one."""
    wanted = request.get("revisionId")
    async with call.backend.changes:
        machine = await call.active_machine(request["stateMachineArn"])
        current = _INITIAL if machine.revision.initial else machine.revision.id
        if wanted not in (None, current):
            text = (
                f"Failed to publish the State Machine version for revision {wanted}. "
                f"The current State Machine revision is {current}."
            )
            raise ApiError("ConflictException", text)
        publish = Publication(description=request.get("description"), created=call.backend.clock.now())
        version = await published(call, machine, publish)
    arn = qualified_arn(machine.arn, version.number)
    return {"stateMachineVersionArn": arn, "creationDate": seconds(version.created)}


async def published(call: Call, machine: Machine, publish: Publication) -> Version:
    """The version of the machine's current revision, published now if there is none. Hold `changes`."""
    store = call.backend.store
    version = await store.version_of(machine.revision.id)
    if version is not None:
        return version
    await check_room(call, machine.arn)
    # Later than the revision even within its millisecond: a version that was made with its machine is known by that.
    publish = replace(publish, created=max(publish.created, machine.revision.created + 1))
    try:
        number = await store.version_publish(machine.arn, machine.revision.id, publish)
    except Conflict as error:  # another node changed the machine
        raise ApiError(
            "ConflictException", f"The State Machine was changed at the same time: '{machine.arn}'"
        ) from error
    return Version(
        machine_arn=machine.arn,
        number=number,
        description=publish.description,
        created=publish.created,
        revision=machine.revision,
    )


async def check_room(call: Call, machine_arn: str) -> None:
    """Raises ServiceQuotaExceededException if the machine has all the versions that it may have."""
    most = call.backend.options.limits.machine_versions
    if await call.backend.store.version_count(machine_arn) >= most:
        text = f"The state machine has the maximum number of versions, {most}: '{machine_arn}'"
        raise ApiError("ServiceQuotaExceededException", text)


async def list_state_machine_versions(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Newest first. A machine that does not exist has none: the operation declares no error for it."""
    machine_arn = check_arn(request["stateMachineArn"], "stateMachine")
    if split_machine_arn(machine_arn)[0] != machine_arn:
        raise ApiError("InvalidArn", f"Invalid Arn: '{machine_arn}'")
    before, size = call.after(request), call.page_items(request)
    found = await call.backend.store.version_list(machine_arn, before, size + 1)
    return call.page(
        request,
        "stateMachineVersions",
        found,
        lambda version: {
            "stateMachineVersionArn": qualified_arn(machine_arn, version.number),
            "creationDate": seconds(version.created),
        },
        lambda version: [version.number],
    )


async def delete_state_machine_version(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deleting what does not exist succeeds (recorded: list_delete_version). Executions of it run on."""
    arn = check_arn(request["stateMachineVersionArn"], "stateMachine")
    machine_arn, qualifier, label = split_machine_arn(arn)
    number = None if qualifier is None or label is not None else version_number(qualifier)
    if number is None:
        raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
    backend = call.backend
    async with backend.changes:
        aliases = await backend.store.alias_list(machine_arn, number, None, backend.options.limits.machine_aliases)
        if aliases:
            names = ", ".join(alias.name for alias in aliases)
            raise _in_use(names)
        try:
            await backend.runtime.machines.delete_version(machine_arn, number)
        except Conflict as error:  # another node made an alias of it
            raise _in_use("unknown") from error
    return {}


def _in_use(names: str) -> ApiError:
    text = (
        "Version to be deleted must not be referenced by an alias. "
        f"Current list of aliases referencing this version: [{names}]"
    )
    return ApiError("ConflictException", text)
