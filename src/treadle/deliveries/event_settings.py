"""How a function wants its asynchronous invocations handled: what PutFunctionEventInvokeConfig says, and
PutFunctionRecursionConfig."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from treadle.functions.created import FunctionArn
from treadle.functions.function import LATEST
from treadle.store.function_contract import FunctionConfig, FunctionStore

KIND = "event-invoke"
"""What the store calls this kind of configuration."""
RECURSION = "recursion"
"""The same of what PutFunctionRecursionConfig says: "Allow" or "Terminate", as JSON text."""


class EventSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one function, or of one version or alias of it. None and "": nothing was said."""

    retries: int | None = None
    age_seconds: int | None = None
    on_success: str = ""
    """ARN of the destination for the records of invocations that succeeded."""
    on_failure: str = ""
    modified: int = 0

    def config(self, function_arn: str, qualifier: str | None) -> FunctionConfig:
        """As the store keeps it."""
        return FunctionConfig(
            function_arn=function_arn,
            qualifier=stored_qualifier(qualifier),
            kind=KIND,
            config=msgspec.json.encode(self).decode(),
        )


def stored_qualifier(qualifier: str | None) -> str:
    """As the store has it: without one, it is the function itself, whose version is the latest."""
    return "" if qualifier in (None, LATEST) else str(qualifier)


def read_settings(config: FunctionConfig) -> EventSettings:
    return msgspec.json.decode(config.config, type=EventSettings)


async def find_settings(store: FunctionStore, function_arn: str, qualifier: str | None) -> EventSettings | None:
    """What was said of this qualifier of a function. What was said of the function does not hold for its versions and
    aliases."""
    wanted = function_arn, stored_qualifier(qualifier)
    for config in await store.function_configs(function_arn, KIND):
        if (config.function_arn, config.qualifier) == wanted:
            return read_settings(config)
    return None


async def settings_for(store: FunctionStore, arn: FunctionArn) -> EventSettings:
    """What holds for invocations of an ARN."""
    return await find_settings(store, arn.unqualified, arn.qualifier) or EventSettings()


async def may_recur(store: FunctionStore, function_arn: str) -> bool:
    """Whether the function may come again and again in one chain of events."""
    return any(
        config.function_arn == function_arn and msgspec.json.decode(config.config, type=str) == "Allow"
        for config in await store.function_configs(function_arn, RECURSION)
    )
