"""Operations on small configurations of functions. Some are kept and shown, and have no effect here, because tools that
deploy functions ask for them:

- When Lambda may bring a newer build of a runtime: here a runtime is what is installed.
- The code signing configuration: there are none that a function could have.

Whether chains of events that lead back to a function are ended has an effect: see `deliveries/lineage.py`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.functions.call import Call
from treadle.aws.functions.names import FunctionName, function_not_found
from treadle.deliveries.event_settings import RECURSION
from treadle.store.contract import Conflict
from treadle.store.function_contract import FunctionConfig

_RUNTIME = "runtime"


async def put_runtime_management_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    if request["UpdateRuntimeOn"] == "Manual" or request.get("RuntimeVersionArn"):
        raise not_implemented("runtimes of a chosen build (UpdateRuntimeOn Manual)")
    named = call.changeable(request)
    await call.version(named)
    await _keep(call, named, _RUNTIME, request["UpdateRuntimeOn"])
    return await get_runtime_management_config(call, request)


async def get_runtime_management_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = await _existing(call, request)
    return {
        "UpdateRuntimeOn": await _kept(call, named, _RUNTIME) or "Auto",
        "FunctionArn": named.qualified_arn,
    }


async def put_function_recursion_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.changeable(request)
    await call.latest(named)
    await _keep(call, named, RECURSION, request["RecursiveLoop"])
    return {"RecursiveLoop": request["RecursiveLoop"]}


async def get_function_recursion_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = await _existing(call, request)
    return {"RecursiveLoop": await _kept(call, named, RECURSION) or "Terminate"}


async def get_function_code_signing_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = await _existing(call, request)
    return {"CodeSigningConfigArn": "", "FunctionName": named.name}


async def put_function_code_signing_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    await _existing(call, request)
    text = f"The code signing configuration cannot be found: {request['CodeSigningConfigArn']}. Treadle keeps none."
    raise ApiError("CodeSigningConfigNotFoundException", text)


async def delete_function_code_signing_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """It has none."""
    await _existing(call, request)
    return {}


async def list_code_signing_configs(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    return {"CodeSigningConfigs": []}


async def _existing(call: Call, request: dict[str, Any]) -> FunctionName:
    named = call.named(request)
    if not call.in_folder(named.name):
        await call.version(named)
    return named


async def _keep(call: Call, named: FunctionName, kind: str, value: str) -> None:
    config = FunctionConfig(
        function_arn=named.arn,
        qualifier=named.qualifier or "",
        kind=kind,
        config=msgspec.json.encode(value).decode(),
    )
    try:
        await call.backend.store.function_config_set(config)
    except Conflict as error:
        raise function_not_found(named.arn) from error


async def _kept(call: Call, named: FunctionName, kind: str) -> str | None:
    for config in await call.backend.store.function_configs(named.arn, kind):
        if (config.function_arn, config.qualifier) == (named.arn, named.qualifier or ""):
            return msgspec.json.decode(config.config, type=str)
    return None
