"""The context object (`$$`), as AWS shows it (reference: asl.md section 9)."""

from __future__ import annotations

from typing import Any

from treadle.engine.execution import Branch, Execution, MapItem
from treadle.engine.failure import NO_HANDLERS
from treadle.expressions.timestamps import format_timestamp


def context_object(execution: Execution, branch: Branch, item: MapItem | None) -> dict[str, Any]:
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
            "RedriveCount": 0,
        },
        "StateMachine": {"Id": execution.machine_arn, "Name": execution.machine_name},
        "State": state,
    }
    if item is not None:
        context["Map"] = {"Item": {"Index": item.index, "Value": item.value}}
    return context
