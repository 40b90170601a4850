"""Fields of a Task state that need more than a kind: Resource, Credentials, and what depends on both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.language.integrations import integration, is_no_url, missing_parameters, unrecognized
from treadle.language.kinds import Context, mapping, string
from treadle.language.resources import Resource, parse_resource


def resource(value: Any, at: str, context: Context) -> Any:
    string(value, at, context)
    if not isinstance(value, str):
        return value
    named = parse_resource(value)
    if not value.startswith("arn:"):
        context.report(at, "Value is not a valid resource ARN")
    elif named is None or (named.kind == "integration" and integration(named) is None):
        context.report(at, unrecognized(value))
    elif context.machine_type == "EXPRESS":
        _check_express(named, at, context)
    return value


def _check_express(named: Resource, at: str, context: Context) -> None:
    if named.kind == "activity":
        context.report(at, "Express state machine does not support Activity ARN")
    elif named.pattern == "waitForTaskToken":
        # AWS ends this message with a blank, so that two stand before the place (recorded).
        message = "Express state machine does not support '.waitForTaskToken' service integration "
        context.report(at, message)
    elif named.pattern:
        context.report(at, "Express state machine does not support '.sync' service integration")


def credentials(value: Any, at: str, context: Context) -> Any:
    mapping(value, at, context)
    if isinstance(value, dict) and not {"RoleArn", "RoleArn.$"} & value.keys():
        context.report(at, "The field 'RoleArn' is required but was missing")
    return value


def check_task(value: Mapping[str, Any], at: str, context: Context) -> None:
    """Rules between the fields of a Task state. AWS's wording of the first is not known."""
    timeout, heartbeat = value.get("TimeoutSeconds"), value.get("HeartbeatSeconds")
    if type(timeout) is int and type(heartbeat) is int and heartbeat >= timeout:
        context.report(f"{at}/HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds")
    text = value.get("Resource")
    named = parse_resource(text) if isinstance(text, str) else None
    if named is None:
        return
    if named.kind == "activity" and "Credentials" in value:
        context.report(at, "The field 'Credentials' is not supported for activities", member="Credentials")
    if named.kind == "integration":
        _check_parameters(named, value, at, context)


def _check_parameters(named: Resource, value: Mapping[str, Any], at: str, context: Context) -> None:
    """Every integration is given parameters. The place of a missing one is not known; ours is that of Credentials."""
    of = integration(named)
    if of is None or context.language is None:
        return
    field = "Arguments" if context.language == "JSONata" else "Parameters"
    if field not in value:
        context.report(f"{at}/Resource", f"{field} field is required for resource ARN: {named.arn}")
        return
    for name in missing_parameters(of, value[field]):
        context.report(f"{at}/{field}", f"The field '{name}' is required but was missing")
    if is_no_url(of, value[field]):
        # Published: github.com/aws/aws-cdk, issue 30749.
        context.report(f"{at}/{field}", f"The value for the '{of.url}' field is not valid")
