"""Operations on the tags of functions and of event source mappings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import json
from msgspec.structs import replace

from treadle.aws.errors import ApiError
from treadle.aws.functions.call import Call
from treadle.aws.functions.event_sources import find_mapping, is_mapping_arn
from treadle.aws.functions.names import FunctionName, function_not_found, read_name
from treadle.aws.functions.tag_rules import check_tags
from treadle.store.contract import Conflict


async def list_tags(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    if is_mapping_arn(request["Resource"]):
        return {"Tags": json.decode((await find_mapping(call, request["Resource"])).tags)}
    named = _resource(call, request)
    if call.in_folder(named.name):
        return {"Tags": {}}
    await call.latest(named)
    return {"Tags": dict(await call.backend.store.function_tags(named.arn))}


async def tag_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Tags with keys that the resource has already replace those."""
    if is_mapping_arn(request["Resource"]):
        return await _change_of_mapping(call, request, check_tags(request["Tags"], call.backend.limits), ())
    named = _changeable(call, request)
    store = call.backend.store
    async with call.backend.changes:
        tags = check_tags(request["Tags"], call.backend.limits)
        check_tags({**await store.function_tags(named.arn), **tags}, call.backend.limits)
        try:
            await store.function_tag(named.arn, tags)
        except Conflict as error:
            raise function_not_found(named.arn) from error
    return {}


async def untag_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Removing a tag that the resource does not have succeeds."""
    if is_mapping_arn(request["Resource"]):
        return await _change_of_mapping(call, request, {}, request["TagKeys"])
    named = _changeable(call, request)
    await call.latest(named)
    await call.backend.store.function_untag(named.arn, request["TagKeys"])
    return {}


async def _change_of_mapping(
    call: Call, request: dict[str, Any], added: Mapping[str, str], removed: Collection[str]
) -> dict[str, Any]:
    store = call.backend.store
    async with call.backend.changes:
        mapping = await find_mapping(call, request["Resource"])
        tags = {key: value for key, value in json.decode(mapping.tags).items() if key not in removed}
        check_tags(tags := {**tags, **added}, call.backend.limits)
        await store.mapping_replace(replace(mapping, tags=json.encode(tags).decode()))
    return {}


def _resource(call: Call, request: dict[str, Any]) -> FunctionName:
    named = read_name(request["Resource"], None, call.caller, call.operation)
    if named.qualifier is not None:
        text = "Tags on function aliases and versions are not supported. Please specify a function ARN."
        raise ApiError("InvalidParameterValueException", text)
    return named


def _changeable(call: Call, request: dict[str, Any]) -> FunctionName:
    _resource(call, request)
    return call.changeable({"FunctionName": request["Resource"]})
