"""Operations on how asynchronous invocations of a function, a version or an alias are handled."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from treadle.aws.errors import ApiError
from treadle.aws.functions.call import Call
from treadle.aws.functions.names import FunctionName, function_not_found
from treadle.deliveries.event_settings import (
    KIND,
    EventSettings,
    find_settings,
    read_settings,
    stored_qualifier,
)
from treadle.deliveries.targets import kind_of
from treadle.functions.function import LATEST
from treadle.store.contract import Conflict

_DESTINATIONS = {
    "OnSuccess": frozenset({"events", "lambda", "sns", "sqs"}),
    "OnFailure": frozenset({"events", "lambda", "s3", "sns", "sqs"}),
}
"""Which kinds of targets each destination may be ("Adding a destination", Lambda developer guide)."""


async def put_function_event_invoke_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What the request does not say is not kept from before."""
    named = call.changeable(request)
    async with call.backend.changes:
        await call.version(named)
        return await _put(call, named, _changed(EventSettings(), request))


async def update_function_event_invoke_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.changeable(request)
    async with call.backend.changes:
        return await _put(call, named, _changed(await _known(call, named), request))


async def get_function_event_invoke_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.named(request)
    return _shown(named.arn, named.qualifier, await _known(call, named))


async def delete_function_event_invoke_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.changeable(request)
    async with call.backend.changes:
        await _known(call, named)
        await call.backend.store.function_config_remove(named.arn, stored_qualifier(named.qualifier), KIND)
    return {}


async def list_function_event_invoke_configs(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Of the function, its versions and its aliases, by qualifier."""
    named = call.named(request)
    if not call.in_folder(named.name):
        await call.latest(named)
    after = call.after(request)
    found = [
        config
        for config in await call.backend.store.function_configs(named.arn, KIND)
        if config.function_arn == named.arn and (after is None or config.qualifier > after)
    ]
    return call.page(
        request,
        "FunctionEventInvokeConfigs",
        found,
        lambda config: _shown(named.arn, config.qualifier, read_settings(config)),
        lambda config: [config.qualifier],
    )


async def _known(call: Call, named: FunctionName) -> EventSettings:
    """Raises ResourceNotFoundException."""
    if not call.in_folder(named.name):
        await call.version(named)
    found = await find_settings(call.backend.store, named.arn, named.qualifier)
    if found is None:
        text = f"The function {named.arn}:{named.qualifier or LATEST} doesn't have an EventInvokeConfig"
        raise ApiError("ResourceNotFoundException", text)
    return found


async def _put(call: Call, named: FunctionName, settings: EventSettings) -> dict[str, Any]:
    made = replace(settings, modified=call.backend.clock.now())
    try:
        await call.backend.store.function_config_set(made.config(named.arn, named.qualifier))
    except Conflict as error:
        raise function_not_found(named.arn) from error
    return _shown(named.arn, named.qualifier, made)


def _changed(settings: EventSettings, request: dict[str, Any]) -> EventSettings:
    """The settings with what a request says of them. Raises InvalidParameterValueException."""
    changes: dict[str, Any] = {}
    if "MaximumRetryAttempts" in request:
        changes["retries"] = request["MaximumRetryAttempts"]
    if "MaximumEventAgeInSeconds" in request:
        changes["age_seconds"] = request["MaximumEventAgeInSeconds"]
    if "DestinationConfig" in request:
        destinations = request["DestinationConfig"]
        changes["on_success"] = _destination("OnSuccess", destinations)
        changes["on_failure"] = _destination("OnFailure", destinations)
    return replace(settings, **changes)


def _destination(which: str, destinations: dict[str, Any]) -> str:
    """The text is Lambda's (reported in github.com/serverless/serverless, issue 7507)."""
    arn: str = destinations.get(which, {}).get("Destination", "")
    if arn and kind_of(arn) not in _DESTINATIONS[which]:
        raise ApiError("InvalidParameterValueException", f"The destination ARN {arn} is invalid.")
    return arn


def _shown(arn: str, qualifier: str | None, settings: EventSettings) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "LastModified": settings.modified / 1_000,
        "FunctionArn": f"{arn}:{qualifier or LATEST}",
        "DestinationConfig": {
            "OnSuccess": {"Destination": settings.on_success} if settings.on_success else {},
            "OnFailure": {"Destination": settings.on_failure} if settings.on_failure else {},
        },
    }
    if settings.retries is not None:
        answer["MaximumRetryAttempts"] = settings.retries
    if settings.age_seconds is not None:
        answer["MaximumEventAgeInSeconds"] = settings.age_seconds
    return answer
