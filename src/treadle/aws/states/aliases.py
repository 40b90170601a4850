"""Operations on the aliases of state machines: create, describe, update, list, delete.

An alias leads to one or two versions of one machine. The texts of what a routing configuration violates are
recorded (api.md section 6), but for that of versions of different machines.
"""

from __future__ import annotations

import random
from typing import Any

from msgspec.structs import replace

from treadle.aws.arns import check_arn, qualified_arn, split_machine_arn, version_number
from treadle.aws.errors import ApiError
from treadle.aws.states.call import (
    Call,
    machine_does_not_exist,
    machine_is_deleting,
    resource_does_not_exist,
    seconds,
)
from treadle.store.contract import Alias, Conflict, Route

_WHOLE = 100
"""What the weights of an alias add up to."""


async def create_state_machine_alias(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Idempotent: the same name, description and routes again answer the existing alias."""
    backend = call.backend
    machine_arn, routes = _routes(request["routingConfiguration"])
    now = backend.clock.now()
    alias = Alias(
        machine_arn=machine_arn,
        name=request["name"],
        description=request.get("description"),
        created=now,
        updated=now,
        routes=routes,
    )
    async with backend.changes:
        await _check_machine(call, machine_arn)
        existing = await backend.store.alias_get(machine_arn, alias.name)
        if existing is None:
            await _check_room(call, machine_arn)
            try:
                await backend.store.alias_create(alias)
            except Conflict as error:  # there is no such version (or another node was faster)
                raise resource_does_not_exist() from error
        elif _same(existing, alias):
            alias = existing
        else:
            text = (
                "Failed to create alias because an alias with the same name and a different routing "
                "configuration already exists."
            )
            raise ApiError("ConflictException", text)
    arn = qualified_arn(machine_arn, alias.name)
    return {"stateMachineAliasArn": arn, "creationDate": seconds(alias.created)}


def _same(one: Alias, other: Alias) -> bool:
    return one.description == other.description and set(one.routes) == set(other.routes)


async def _check_machine(call: Call, machine_arn: str) -> None:
    machine = await call.backend.runtime.machines.get(machine_arn)
    if machine is None:
        raise resource_does_not_exist()
    if machine.status == "DELETING":
        raise machine_is_deleting(machine_arn)


async def _check_room(call: Call, machine_arn: str) -> None:
    most = call.backend.options.limits.machine_aliases
    if await call.backend.store.alias_count(machine_arn) >= most:
        text = f"The state machine has the maximum number of aliases, {most}: '{machine_arn}'"
        raise ApiError("ServiceQuotaExceededException", text)


def _routes(given: list[dict[str, Any]]) -> tuple[str, tuple[Route, ...]]:
    """The machine and the routes that a routing configuration names. Raises ValidationException."""
    arns = [item["stateMachineVersionArn"] for item in given]
    weights = [item["weight"] for item in given]
    machines: set[str] = set()
    routes: list[Route] = []
    for arn, weight in zip(arns, weights, strict=True):
        machine_arn, number = _version(arn)
        if number is None:
            raise _wrong_routes("Routing configuration must contain state machine version ARNs", arns)
        machines.add(machine_arn)
        routes.append(Route(number, weight))
    if len(set(arns)) < len(arns):
        raise _wrong_routes("Routing configuration must contain distinct state machine version ARNs", arns)
    if len(machines) > 1:
        raise _wrong_routes("Routing configuration must contain versions of the same state machine", arns)
    if sum(weights) != _WHOLE:
        raise _wrong_routes(f"Sum of routing configuration weights must equal {_WHOLE}", weights)
    return machines.pop(), tuple(routes)


def _version(arn: str) -> tuple[str, int | None]:
    try:
        machine_arn, qualifier, label = split_machine_arn(check_arn(arn, "stateMachine"))
    except ApiError:
        return arn, None
    return machine_arn, None if qualifier is None or label is not None else version_number(qualifier)


def _wrong_routes(problem: str, received: list[Any]) -> ApiError:
    return ApiError("ValidationException", f"{problem}. Received: [{', '.join(map(str, received))}]")


def drawn_version(alias: Alias) -> int:
    """The version that the next start through the alias runs: by chance, as the weights say."""
    drawn = random.randrange(_WHOLE)  # noqa: S311 - it splits traffic and protects nothing
    first = alias.routes[0]
    return first.version if drawn < first.weight else alias.routes[-1].version


async def describe_state_machine_alias(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    alias = await _alias(call, request["stateMachineAliasArn"])
    answer: dict[str, Any] = {
        "stateMachineAliasArn": qualified_arn(alias.machine_arn, alias.name),
        "name": alias.name,
        "routingConfiguration": [
            {
                "stateMachineVersionArn": qualified_arn(alias.machine_arn, route.version),
                "weight": route.weight,
            }
            for route in alias.routes
        ],
        "creationDate": seconds(alias.created),
        "updateDate": seconds(alias.updated),
    }
    if alias.description is not None:
        answer["description"] = alias.description
    return answer


async def _alias(call: Call, arn: str) -> Alias:
    """Raises InvalidArn, ResourceNotFound."""
    machine_arn, name = _named(arn)
    found = await call.backend.store.alias_get(machine_arn, name)
    if found is None:
        raise resource_does_not_exist()
    return found


def _named(arn: str) -> tuple[str, str]:
    """The machine and the name of an alias. Raises InvalidArn."""
    machine_arn, name, label = split_machine_arn(check_arn(arn, "stateMachine"))
    if not name or label is not None or version_number(name) is not None:
        raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
    return machine_arn, name


async def update_state_machine_alias(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Idempotent: an update that changes nothing leaves the time of the last one."""
    backend = call.backend
    arn = request["stateMachineAliasArn"]
    if "description" not in request and "routingConfiguration" not in request:
        text = "Either the description or the routing configuration must be specified"
        raise ApiError("ValidationException", text)
    given = request.get("routingConfiguration")
    wanted = None if given is None else _routes(given)
    async with backend.changes:
        before = await _alias(call, arn)
        await _check_machine(call, before.machine_arn)
        if wanted is not None and wanted[0] != before.machine_arn:
            arns = [item["stateMachineVersionArn"] for item in given or ()]
            raise _wrong_routes("Routing configuration must contain versions of the alias's state machine", arns)
        after = replace(
            before,
            description=request.get("description", before.description),
            routes=before.routes if wanted is None else wanted[1],
        )
        if after != before:
            after = replace(after, updated=backend.clock.now())
            try:
                await backend.runtime.machines.update_alias(after)
            except Conflict as error:  # there is no such version
                raise resource_does_not_exist() from error
    return {"updateDate": seconds(after.updated)}


async def list_state_machine_aliases(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Those of a machine, or those that lead to one version of it, by name.

    The guide says "most recently created first"; the recorded lists are ascending, by age and by name alike.
    """
    arn = check_arn(request["stateMachineArn"], "stateMachine")
    machine_arn, qualifier, label = split_machine_arn(arn)
    number = None if qualifier is None else version_number(qualifier)
    if label is not None or (qualifier is not None and number is None):
        raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
    machines = call.backend.runtime.machines
    machine = await machines.get(machine_arn)
    if machine is None:
        raise machine_does_not_exist(arn)
    if machine.status == "DELETING":
        raise machine_is_deleting(arn)
    if number is not None and await machines.version(machine_arn, number) is None:
        raise resource_does_not_exist()
    after, size = call.after(request), call.page_items(request)
    found = await call.backend.store.alias_list(machine_arn, number, after, size + 1)
    return call.page(
        request,
        "stateMachineAliases",
        found,
        lambda alias: {
            "stateMachineAliasArn": qualified_arn(machine_arn, alias.name),
            "creationDate": seconds(alias.created),
        },
        lambda alias: [alias.name],
    )


async def delete_state_machine_alias(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The versions that it leads to stay."""
    machine_arn, name = _named(request["stateMachineAliasArn"])
    async with call.backend.changes:
        if not await call.backend.runtime.machines.delete_alias(machine_arn, name):
            raise resource_does_not_exist()
    return {}
