"""Operations on aliases of functions."""

from __future__ import annotations

from typing import Any

from treadle.aws.errors import ApiError
from treadle.aws.functions.call import Call, new_revision, other_revision
from treadle.aws.functions.names import FunctionName
from treadle.functions.created import version_number, version_qualifier
from treadle.store.contract import Conflict
from treadle.store.function_contract import LATEST, FunctionAlias


async def create_alias(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    backend = call.backend
    named = call.changeable(request)
    async with backend.changes:
        await call.latest(named)
        if await backend.store.function_alias_get(named.arn, request["Name"]) is not None:
            raise _exists(named, request["Name"])
        alias = await _routed(call, named, request, None)
        try:
            await backend.store.function_alias_create(alias)
        except Conflict as error:  # another node was faster
            raise _exists(named, request["Name"]) from error
        backend.changed(named.arn)
    return _shown(alias)


async def get_alias(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.named(request)
    return _shown(await _alias(call, named, request["Name"]))


async def update_alias(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    backend = call.backend
    named = call.changeable(request)
    async with backend.changes:
        known = await _alias(call, named, request["Name"])
        if request.get("RevisionId", known.revision_id) != known.revision_id:
            raise other_revision()
        alias = await _routed(call, named, request, known)
        try:
            await backend.store.function_alias_update(alias, known.revision_id)
        except Conflict as error:  # another node was faster
            raise other_revision() from error
        backend.changed(named.arn)
    return _shown(alias)


async def delete_alias(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deleting an alias that does not exist succeeds; the function must exist."""
    backend = call.backend
    named = call.changeable(request)
    async with backend.changes:
        await call.latest(named)
        await backend.store.function_alias_delete(named.arn, request["Name"])
        backend.changed(named.arn)
    return {}


async def list_aliases(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """By name."""
    named = call.named(request)
    if call.in_folder(named.name):
        return {"Aliases": []}
    await call.latest(named)
    version = None if "FunctionVersion" not in request else version_number(request["FunctionVersion"])
    after, size = call.after(request), call.page_items(request)
    found = await call.backend.store.function_alias_list(named.arn, version, after, size + 1)
    return call.page(request, "Aliases", found, _shown, lambda alias: [alias.name])


async def _alias(call: Call, named: FunctionName, name: str) -> FunctionAlias:
    """Raises ResourceNotFoundException."""
    found = await call.backend.store.function_alias_get(named.arn, name)
    if found is None:
        raise ApiError("ResourceNotFoundException", f"Cannot find alias arn: {named.arn}:{name}")
    return found


async def _routed(
    call: Call, named: FunctionName, request: dict[str, Any], known: FunctionAlias | None
) -> FunctionAlias:
    """The alias as a request wants it; what it does not say stays as it is `known`. Raises ApiError."""
    version = known.version if known is not None else LATEST
    if "FunctionVersion" in request:
        version = await _existing(call, named, request["FunctionVersion"])
    additional = None if known is None else known.additional_version
    weight = None if known is None else known.additional_weight
    if "RoutingConfig" in request:
        additional, weight = await _additional(call, named, request["RoutingConfig"], version)
    elif additional is not None:
        _check_routing(version, additional)
    return FunctionAlias(
        function_arn=named.arn,
        name=request["Name"],
        description=request.get("Description", "" if known is None else known.description),
        version=version,
        revision_id=new_revision(),
        additional_version=additional,
        additional_weight=weight,
    )


async def _additional(
    call: Call, named: FunctionName, routing: dict[str, Any], version: int
) -> tuple[int | None, float | None]:
    """Raises ApiError."""
    weights = routing.get("AdditionalVersionWeights", {})
    if not weights:
        return None, None
    if len(weights) > 1:
        text = "Number of items in AdditionalVersionWeights cannot be greater than 1"
        raise ApiError("InvalidParameterValueException", text)
    ((qualifier, weight),) = weights.items()
    if not 0 <= weight <= 1:
        text = f"The weight of version {qualifier} must be from 0 to 1, not {weight}."
        raise ApiError("InvalidParameterValueException", text)
    additional = await _existing(call, named, qualifier)
    _check_routing(version, additional)
    return additional, weight


def _check_routing(version: int, additional: int) -> None:
    """Texts as Lambda's, where users have quoted them."""
    if LATEST in (version, additional):
        text = "$LATEST is not supported for an alias pointing to more than 1 version"
        raise ApiError("InvalidParameterValueException", text)
    if version == additional:
        text = (
            f"Invalid function version {version}. Function version {version} is already included in routing "
            "configuration."
        )
        raise ApiError("InvalidParameterValueException", text)


async def _existing(call: Call, named: FunctionName, qualifier: str) -> int:
    """The number of a version that there is. Raises ApiError."""
    number = version_number(qualifier)
    if number is None or await call.backend.store.function_get(named.arn, number) is None:
        raise ApiError("ResourceNotFoundException", f"Function not found: {named.arn}:{qualifier}")
    return number


def _exists(named: FunctionName, name: str) -> ApiError:
    return ApiError("ResourceConflictException", f"Alias already exists: {named.arn}:{name}")


def _shown(alias: FunctionAlias) -> dict[str, Any]:
    routing: dict[str, Any] = {}
    if alias.additional_version is not None:
        weights = {version_qualifier(alias.additional_version): alias.additional_weight}
        routing = {"RoutingConfig": {"AdditionalVersionWeights": weights}}
    return {
        "AliasArn": f"{alias.function_arn}:{alias.name}",
        "Name": alias.name,
        "FunctionVersion": version_qualifier(alias.version),
        "Description": alias.description,
        "RevisionId": alias.revision_id,
        **routing,
    }
