"""Random state machines: everything that waits, everything that runs beside something else, and what goes wrong.

The random definitions of tests/engine are about what becomes of data; these are about what happens when.  Every state
has a name of its own within its machine, and a Map or Parallel leaves the array of its children's outputs as it is: so
the checks can read off a history alone whether a join is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from msgspec import Struct

from treadle.store.contract import MachineType

from .datasets import BUCKET

ARN = "arn:aws:states:eu-west-1:123456789012:"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:work"
ROLE = "arn:aws:iam::123456789012:role/simulated"
_DEEPEST = 2
"""How deep Parallel and Map states nest."""
_ITEM_FIELDS = ("Items", "ItemsPath", "ItemSelector")
_SHORT_SECONDS = (0, 1, 5, 30)
_LONG_SECONDS = (0, 1, 5, 40, 59, 61, 90, 200, 700)
"""Around the minute beyond which an execution leaves memory."""

State = dict[str, Any]


class MachinePlan(Struct, frozen=True):
    name: str
    type: MachineType
    definition: dict[str, Any]

    @property
    def arn(self) -> str:
        return f"{ARN}stateMachine:{self.name}"


def draw_machine(
    dice: Random, name: str, machine_type: MachineType, others: Sequence[MachinePlan], activities: Sequence[str]
) -> MachinePlan:
    """`others`: which it may start executions of."""
    author = _Author(dice, others, activities, jsonata=dice.random() < 0.5)
    scope = author.scope(0, express=machine_type == "EXPRESS")
    timeout = {"TimeoutSeconds": dice.choice((20, 300, 1_000))} if dice.random() < 0.15 else {}
    language = {"QueryLanguage": "JSONata"} if author.jsonata else {}
    return MachinePlan(name, machine_type, {**language, **timeout, **scope})


class _Author:
    def __init__(
        self, dice: Random, others: Sequence[MachinePlan], activities: Sequence[str], *, jsonata: bool
    ) -> None:
        self.jsonata = jsonata
        self._dice = dice
        self._others = others
        self._activities = activities
        self._states = 0

    def scope(self, depth: int, *, express: bool, child: bool = False) -> dict[str, Any]:
        """`child`: of a child execution, which has an item in place of the input that others have."""
        dice = self._dice
        names = [self._name() for _ in range(dice.randint(1, 3 if depth else 4))]
        states: dict[str, State] = {}
        for place, name in enumerate(names):
            following = names[place + 1] if place + 1 < len(names) else None
            states[name] = self._state(depth, names, following, express=express, child=child)
        return {"StartAt": names[0], "States": states}

    def _name(self) -> str:
        self._states += 1
        return f"S{self._states}"

    def _state(self, depth: int, names: list[str], following: str | None, *, express: bool, child: bool) -> State:
        kinds = _KINDS_EXPRESS if express else _KINDS
        allowed = {kind: weight for kind, weight in kinds.items() if self._fits(kind, depth, following, child)}
        kind = self._dice.choices(list(allowed), list(allowed.values()))[0]
        state = _MAKE[kind](self, depth, express, child)
        if state["Type"] == "Choice":
            state["Choices"] = [{**self._condition(), "Next": self._dice.choice(names)}]
            state["Default"] = following
        elif state["Type"] not in ("Fail", "Succeed"):
            state |= {"End": True} if following is None else {"Next": following}
        if express and following is None:
            state.pop("Catch", None)  # It could go round in a circle: no history that fills up would end it.
        for catcher in state.get("Catch", ()):
            catcher["Next"] = following or self._dice.choice(names)
        return state

    def _fits(self, kind: str, depth: int, following: str | None, child: bool) -> bool:
        if kind in ("parallel", "map", "distributed_map"):
            return depth < _DEEPEST and not (child and kind != "parallel")
        if kind in ("choice", "end"):
            return (following is not None) == (kind == "choice")
        return kind != "nested" or bool(self._others)

    def _condition(self) -> dict[str, Any]:
        if self.jsonata:
            return {"Condition": "{% $random() < 0.3 %}"}
        return {"Variable": "$.never", "IsPresent": True}

    # -- states ----------------------------------------------------------------------------------------------

    def pass_(self, depth: int, express: bool, child: bool) -> State:
        return {"Type": "Pass"}

    def wait(self, depth: int, express: bool, child: bool) -> State:
        return {"Type": "Wait", "Seconds": self._dice.choice(_SHORT_SECONDS if express else _LONG_SECONDS)}

    def choice(self, depth: int, express: bool, child: bool) -> State:
        return {"Type": "Choice"}

    def end(self, depth: int, express: bool, child: bool) -> State:
        return {"Type": "Fail", "Error": "Given.Up"} if self._dice.random() < 0.4 else {"Type": "Succeed"}

    def function(self, depth: int, express: bool, child: bool) -> State:
        return {"Type": "Task", "Resource": FUNCTION, **self._timeouts(0.3), **self._handlers()}

    def callback(self, depth: int, express: bool, child: bool) -> State:
        payload = self._arguments({"FunctionName": FUNCTION, "Payload": self._field("token", "Task.Token")})
        resource = "arn:aws:states:::lambda:invoke.waitForTaskToken"
        return {"Type": "Task", "Resource": resource, **payload, **self._timeouts(0.6), **self._handlers()}

    def activity(self, depth: int, express: bool, child: bool) -> State:
        resource = self._dice.choice(self._activities)
        return {"Type": "Task", "Resource": resource, **self._timeouts(0.6), **self._handlers()}

    def nested(self, depth: int, express: bool, child: bool) -> State:
        other = self._dice.choice(self._others)
        patterns = ["", ".sync", ".sync:2"] if other.type == "STANDARD" and not express else [""]
        resource = f"arn:aws:states:::states:startExecution{self._dice.choice(patterns)}"
        arguments = self._arguments({"StateMachineArn": other.arn, "Input": {"xs": [1, 2]}})
        return {"Type": "Task", "Resource": resource, **arguments, **self._timeouts(0.2), **self._handlers()}

    def parallel(self, depth: int, express: bool, child: bool) -> State:
        count = self._dice.randint(1, 3)
        branches = [self.scope(depth + 1, express=express, child=child) for _ in range(count)]
        return {"Type": "Parallel", "Branches": branches, **self._handlers()}

    def map(self, depth: int, express: bool, child: bool) -> State:
        processor = self.scope(depth + 1, express=express, child=child)
        concurrency = {"MaxConcurrency": self._dice.randint(0, 2)}
        return {"Type": "Map", "ItemProcessor": processor, **self._items(), **concurrency, **self._handlers()}

    def distributed_map(self, depth: int, express: bool, child: bool) -> State:
        dice = self._dice
        children: MachineType = dice.choice(("STANDARD", "EXPRESS"))
        processor = {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": children},
            **self.scope(_DEEPEST, express=children == "EXPRESS", child=True),
        }
        state = {"Type": "Map", "ItemProcessor": processor, **self._items(), "MaxConcurrency": dice.randint(0, 3)}
        if dice.random() < 0.5:
            state["ToleratedFailurePercentage"] = dice.choice((30, 60, 100))
        if dice.random() < 0.3:
            state["ItemBatcher"] = {"MaxItemsPerBatch": 2}
        elif dice.random() < 0.4:
            state = {name: value for name, value in state.items() if name not in _ITEM_FIELDS}
            reading = self._arguments({"Bucket": BUCKET, "Items": dice.randint(0, 7)})
            state["ItemReader"] = {"Resource": "arn:aws:states:::s3:listObjectsV2", **reading}
        if dice.random() < 0.3:
            writing = self._arguments({"Bucket": BUCKET})
            state["ResultWriter"] = {"Resource": "arn:aws:states:::s3:putObject", **writing}
        return {**state, **self._handlers()}

    # -- fields ----------------------------------------------------------------------------------------------

    def _items(self) -> dict[str, Any]:
        if not self.jsonata:
            return {"ItemsPath": "$$.Execution.Input.xs"}
        items = list(range(self._dice.randint(0, 5)))
        if self._dice.random() < 0.5:
            return {"Items": items}
        # A restart has to draw the same numbers again.
        return {"Items": items, "ItemSelector": {"drawn": "{% $random() %}"}}

    def _arguments(self, value: dict[str, Any]) -> dict[str, Any]:
        return {"Arguments" if self.jsonata else "Parameters": value}

    def _field(self, name: str, context: str) -> dict[str, Any]:
        """An object with a field that has this value of the context object."""
        return {name: f"{{% $states.context.{context} %}}"} if self.jsonata else {f"{name}.$": f"$$.{context}"}

    def _timeouts(self, chance: float) -> dict[str, Any]:
        dice = self._dice
        if dice.random() >= chance:
            return {}
        seconds = dice.choice((4, 25, 70, 400))
        heartbeat = {"HeartbeatSeconds": 3 if seconds < 60 else 20} if dice.random() < 0.3 else {}
        return {"TimeoutSeconds": seconds, **heartbeat}

    def _handlers(self) -> dict[str, Any]:
        dice = self._dice
        handlers: dict[str, Any] = {}
        if dice.random() < 0.5:
            retrier = {
                "ErrorEquals": [dice.choice(("States.ALL", "States.Timeout", "Work.Failed"))],
                "IntervalSeconds": dice.choice((1, 10, 65)),
                "MaxAttempts": dice.randint(0, 3),
                "BackoffRate": dice.choice((1, 2)),
            }
            handlers["Retry"] = [retrier, *([{"ErrorEquals": ["States.ALL"]}] if dice.random() < 0.2 else [])]
            if handlers["Retry"][0]["ErrorEquals"] == ["States.ALL"]:
                handlers["Retry"] = handlers["Retry"][:1]
        if dice.random() < 0.4:
            handlers["Catch"] = [{"ErrorEquals": [dice.choice(("States.ALL", "Work.Failed"))]}]
        return handlers


_MAKE: dict[str, Callable[[_Author, int, bool, bool], State]] = {
    "pass": _Author.pass_,
    "wait": _Author.wait,
    "choice": _Author.choice,
    "end": _Author.end,
    "function": _Author.function,
    "callback": _Author.callback,
    "activity": _Author.activity,
    "nested": _Author.nested,
    "parallel": _Author.parallel,
    "map": _Author.map,
    "distributed_map": _Author.distributed_map,
}
_KINDS = {
    "pass": 1,
    "wait": 3,
    "choice": 1,
    "end": 1,
    "function": 5,
    "callback": 3,
    "activity": 3,
    "nested": 2,
    "parallel": 2,
    "map": 2,
    "distributed_map": 2,
}
"""How often each is drawn."""
_KINDS_EXPRESS = {"pass": 1, "wait": 2, "choice": 1, "end": 1, "function": 5, "nested": 1, "parallel": 1, "map": 1}
"""An Express execution can do no more (AWS, "Choosing workflow type in Step Functions")."""
