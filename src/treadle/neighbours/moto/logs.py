"""Subscription filters of log groups in moto: real filter patterns, and delivery to functions of Treadle."""

from __future__ import annotations

import base64
import gzip
import json
from functools import lru_cache
from importlib import import_module
from typing import Any

from treadle.neighbours.log_patterns import InvalidPattern, Matches, compile_pattern
from treadle.neighbours.moto import callback
from treadle.neighbours.moto.callback import place

_ID_DIGITS = 56
_NOT_EXECUTABLE = (
    "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your"
    " function."
)

_compiled = lru_cache(maxsize=1_000)(compile_pattern)


class EventMessageFilter:
    """In place of moto's class of this name, whose patterns are a word or a phrase."""

    def __init__(self, pattern: str) -> None:
        self.matches: Matches = _checked(pattern)


def correct() -> None:
    models: Any = import_module("moto.logs.models")
    models.EventMessageFilter = EventMessageFilter
    send = models.LogStream._send_log_events
    put_filter = models.LogsBackend.put_subscription_filter

    def send_log_events(
        self: Any, service: str, destination_arn: str, filter_name: str, log_events: list[dict[str, Any]]
    ) -> None:
        matches = _checked(self.log_group.subscription_filters[filter_name].filter_pattern)
        taken = [event for event in log_events if matches(event["message"])]
        if taken and service == "lambda":
            _to_function(self, destination_arn, filter_name, taken)
        elif taken:
            send(self, service, destination_arn, filter_name, taken)

    def put_subscription_filter(
        self: Any, log_group_name: str, filter_name: str, filter_pattern: str, destination_arn: str, role_arn: str
    ) -> None:
        _checked(filter_pattern)
        group = self.groups.get(log_group_name)
        if group is None or ":lambda:" not in destination_arn:
            put_filter(self, log_group_name, filter_name, filter_pattern, destination_arn, role_arn)
            return
        _check_function(destination_arn)
        group.put_subscription_filter(filter_name, filter_pattern, destination_arn, role_arn)

    attribute = models.LogGroup.get_cfn_attribute

    def get_cfn_attribute(self: Any, attribute_name: str) -> Any:
        """In templates, the ARN of a log group has its streams behind it."""
        found = attribute(self, attribute_name)
        return f"{found}:*" if attribute_name == "Arn" and not found.endswith(":*") else found

    models.LogGroup.get_cfn_attribute = get_cfn_attribute
    models.LogStream._send_log_events = send_log_events
    models.LogsBackend.put_subscription_filter = put_subscription_filter


def _checked(pattern: str | None) -> Matches:
    """Raises moto's InvalidParameterException."""
    try:
        return _compiled(pattern or "")
    except InvalidPattern as error:
        exceptions: Any = import_module("moto.logs.exceptions")
        raise exceptions.InvalidParameterException(str(error)) from error


def _check_function(arn: str) -> None:
    """Raises moto's InvalidParameterException, as AWS does, if there is no such function."""
    from botocore.exceptions import ClientError

    try:
        callback.treadle().client("lambda", *place(arn)).get_function(FunctionName=arn)
    except (ClientError, ValueError) as error:
        exceptions: Any = import_module("moto.logs.exceptions")
        raise exceptions.InvalidParameterException(_NOT_EXECUTABLE) from error


def _to_function(stream: Any, function_arn: str, filter_name: str, events: list[dict[str, Any]]) -> None:
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": stream.account_id,
        "logGroup": stream.log_group.name,
        "logStream": stream.log_stream_name,
        "subscriptionFilters": [filter_name],
        "logEvents": [{**event, "id": str(event["id"]).zfill(_ID_DIGITS)} for event in events],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
    callback.treadle().invoke(function_arn, {"awslogs": {"data": packed}})
