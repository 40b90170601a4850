"""Short definitions for tests, and their parse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from treadle.language.kinds import MachineType
from treadle.language.parse import Parsed, parse_definition
from treadle.limits import DEFAULT_LIMITS, Limits

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:a"


def parsed(definition: Any, machine_type: MachineType = "STANDARD", limits: Limits = DEFAULT_LIMITS) -> Parsed:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return parse_definition(text, machine_type=machine_type, limits=limits)


def machine(**states: Mapping[str, Any]) -> dict[str, Any]:
    """A machine of `states`, which starts with the first."""
    return {"StartAt": next(iter(states)), "States": dict(states)}


def only(**fields: Any) -> dict[str, Any]:
    """A machine of one state X."""
    return machine(X=fields)


def task(**fields: Any) -> dict[str, Any]:
    return only(Type="Task", Resource=FUNCTION, End=True, **fields)


def choice(rule: Any) -> dict[str, Any]:
    return machine(X={"Type": "Choice", "Choices": [rule], "Default": "Y"}, Y={"Type": "Succeed"})


def map_state(**fields: Any) -> dict[str, Any]:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
    return only(**{"Type": "Map", "ItemProcessor": inner, "End": True, **fields})


PASS = {"Type": "Pass", "End": True}
