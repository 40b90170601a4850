"""Operations on provisioned concurrency: how many workers of a version, or of what an alias leads to, are kept."""

from __future__ import annotations

from typing import Any

import msgspec

from treadle.aws.errors import ApiError
from treadle.aws.functions.call import Call
from treadle.aws.functions.configuration import written_time
from treadle.aws.functions.names import FunctionName, function_not_found
from treadle.functions.created import version_number
from treadle.functions.upkeep import PROVISIONED, ProvisionedConfig, provisioned_config
from treadle.store.contract import Conflict
from treadle.store.function_contract import LATEST, FunctionConfig


async def put_provisioned_concurrency_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Answers at once, as Lambda does; workers start behind it."""
    backend, amount = call.backend, request["ProvisionedConcurrentExecutions"]
    named = await _published(call, request)
    async with backend.changes:
        await call.version(named)
        _check_amount(call, named, amount)
        kept = ProvisionedConfig(amount=amount, modified=backend.clock.now())
        config = FunctionConfig(
            function_arn=named.arn,
            qualifier=named.qualifier or "",
            kind=PROVISIONED,
            config=msgspec.json.encode(kept).decode(),
        )
        try:
            await backend.store.function_config_set(config)
        except Conflict as error:
            raise function_not_found(named.arn) from error
        backend.upkeep.changed(named.arn)
    return _shown(call, config)


def _check_amount(call: Call, named: FunctionName, amount: int) -> None:
    """Raises InvalidParameterValueException."""
    reserved = call.backend.created.reserved.get(named.arn)
    if reserved is not None and amount > reserved:
        text = (
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
        )
        raise ApiError("InvalidParameterValueException", text)
    limits = call.backend.limits
    most = min(limits.function_workers_each, limits.function_workers)
    if amount > most:
        text = f"This server runs at most {most} workers of one function (its limit function_workers_each)."
        raise ApiError("InvalidParameterValueException", text)


async def get_provisioned_concurrency_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = await _published(call, request)
    for config in await _of_function(call, named):
        if config.qualifier == named.qualifier:
            return _shown(call, config)
    raise _no_config()


async def delete_provisioned_concurrency_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What runs goes on; workers that nobody needs end after a while."""
    named = await _published(call, request)
    async with call.backend.changes:
        if not await call.backend.store.function_config_remove(named.arn, named.qualifier or "", PROVISIONED):
            raise _no_config()
        call.backend.upkeep.changed(named.arn)
    return {}


async def list_provisioned_concurrency_configs(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """By qualifier."""
    named = call.named(request)
    if not call.in_folder(named.name):
        await call.latest(named)
    after = call.after(request)
    found = [config for config in await _of_function(call, named) if after is None or config.qualifier > after]
    return call.page(
        request,
        "ProvisionedConcurrencyConfigs",
        found,
        lambda config: {"FunctionArn": f"{config.function_arn}:{config.qualifier}", **_shown(call, config)},
        lambda config: [config.qualifier],
    )


async def _published(call: Call, request: dict[str, Any]) -> FunctionName:
    """The version or alias that a request means. Raises ApiError."""
    named = call.changeable(request)
    if version_number(named.qualifier) == LATEST:
        text = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        raise ApiError("InvalidParameterValueException", text)
    await call.version(named)
    return named


async def _of_function(call: Call, named: FunctionName) -> list[FunctionConfig]:
    """The listing is by prefix, and another function's name may begin like this one's."""
    found = await call.backend.store.function_configs(named.arn, PROVISIONED)
    return [config for config in found if config.function_arn == named.arn]


def _shown(call: Call, config: FunctionConfig) -> dict[str, Any]:
    kept = provisioned_config(config)
    provision = call.backend.upkeep.provision(config.function_arn, config.qualifier, kept.amount)
    shown = {
        "RequestedProvisionedConcurrentExecutions": kept.amount,
        "AvailableProvisionedConcurrentExecutions": provision.ready,
        "AllocatedProvisionedConcurrentExecutions": provision.ready,
        "Status": provision.status,
        "LastModified": written_time(kept.modified),
    }
    return shown if provision.reason is None else {**shown, "StatusReason": provision.reason}


def _no_config() -> ApiError:
    text = "No Provisioned Concurrency Config found for this function"
    return ApiError("ProvisionedConcurrencyConfigNotFoundException", text)
