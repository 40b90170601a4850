"""The context object (`$$`), as AWS shows it (reference: asl.md section 9)."""

from __future__ import annotations

from typing import Any

from treadle.engine.execution import Branch, Execution, MapItem
from treadle.expressions.timestamps import format_timestamp


def context_object(execution: Execution, branch: Branch, item: MapItem | None) -> dict[str, Any]:
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
        "State": {
            "Name": branch.node.name if branch.node is not None else "",
            "EnteredTime": format_timestamp(branch.entered),
            "RetryCount": branch.retry_count,
        },
    }
    if item is not None:
        context["Map"] = {"Item": {"Index": item.index, "Value": item.value}}
    return context
