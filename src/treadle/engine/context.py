"""The context object (`$$`), as AWS shows it (reference: asl.md section 9)."""

from __future__ import annotations

from typing import Any

from treadle.engine.execution import Branch, Execution, MapItem, Phase
from treadle.engine.failure import NO_HANDLERS
from treadle.expressions.timestamps import format_timestamp


def context_object(execution: Execution, branch: Branch, item: MapItem | None) -> dict[str, Any]:
    probe = execution.probe
    if probe is not None and probe.context is not None:
        context = dict(probe.context)
    else:
        context = _facts(execution, branch)
    return context if item is None else with_item(context, item)


def with_item(context: dict[str, Any], item: MapItem) -> dict[str, Any]:
    """The context object as it is for an item of a Map."""
    shown = {"Index": item.index, "Value": item.value}
    if item.source is not None:
        shown["Source"] = item.source
    return {**context, "Map": {"Item": shown}}


def _facts(execution: Execution, branch: Branch) -> dict[str, Any]:
    node = branch.node
    state: dict[str, Any] = {
        "Name": node.name if node is not None else "",
        "EnteredTime": format_timestamp(branch.entered),
    }
    if node is not None and node.handlers is not NO_HANDLERS:
        state["RetryCount"] = branch.retry_count  # only of states that can retry (recorded: context_object)
    context: dict[str, Any] = {
        "Execution": {
            "Id": execution.arn,
            "Input": execution.input.value,
            "StartTime": format_timestamp(execution.started),
            "Name": execution.name,
            "RoleArn": execution.role_arn,
        },
        "StateMachine": {"Id": execution.machine_arn, "Name": execution.machine_name},
        "State": state,
    }
    if execution.counts_redrives:
        context["Execution"]["RedriveCount"] = execution.redrives
        if execution.redrives:
            context["Execution"]["RedriveTime"] = format_timestamp(execution.clock_started)
    if execution.probe is not None and not execution.role_arn:
        del context["Execution"]["RoleArn"]
    if getattr(node, "answered_by_token", False):
        attempt = _attempt(execution, branch)
        if attempt is not None:
            context["Task"] = {"Token": execution.outside.task_token(attempt)}
    return context


def _attempt(execution: Execution, branch: Branch) -> int | None:
    """The open attempt of the state, or the one whose parameters are being evaluated: the next event opens it."""
    if branch.attempt is not None:
        return branch.attempt.id
    return execution.next_event if branch.phase is Phase.ENTERED else None
