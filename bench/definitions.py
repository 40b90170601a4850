"""The state machines that are measured, and how one is made."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from bench.wire import ACCOUNT, REGION, Client

ROLE = f"arn:aws:iam::{ACCOUNT}:role/bench"
PASS: dict[str, Any] = {"Type": "Pass"}


def function(name: str) -> str:
    """The ARN of a function in the folder of functions."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def call(name: str) -> dict[str, Any]:
    """A task of that function."""
    return {"Type": "Task", "Resource": function(name)}


def chain(states: int, state: dict[str, Any] = PASS, prefix: str = "S") -> dict[str, Any]:
    """The same state, one after another. `prefix`: of their names, which must differ within a machine."""
    names = [f"{prefix}{number}" for number in range(states)]
    steps: dict[str, Any] = {name: {**state, "Next": after} for name, after in pairwise(names)}
    steps[names[-1]] = {**state, "End": True}
    return {"StartAt": names[0], "States": steps}


def inline_map(items: str = "$.items") -> dict[str, Any]:
    """One Pass for each item."""
    return chain(1, {"Type": "Map", "ItemsPath": items, "ItemProcessor": chain(1, prefix="Item")})


def create(client: Client, definition: dict[str, Any], kind: str = "STANDARD", name: str = "bench") -> str:
    """The ARN of a new machine."""
    created = client.call("CreateStateMachine", name=name, definition=json.dumps(definition), roleArn=ROLE, type=kind)
    return str(created["stateMachineArn"])
