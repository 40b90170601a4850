"""Whole histories, event by event: ids, links and types as AWS numbers them.

Each case is a definition, an input, scripted tasks, and the history it must leave. Those that name a recording
have the shape that was recorded on AWS under that name. The driver also folds the history at every commit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Struct

from tests.engine.driver import Driver, Fails, Never, Task, compiled

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
LAMBDA_INVOKE = "arn:aws:states:::lambda:invoke"


def machine(**states: Mapping[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def task(name: str = "work", **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": ARN + name, **({"End": True} | fields if "Next" not in fields else fields)}


PASS = {"Type": "Pass", "End": True}


def fails(error: str = "Boom", cause: str | None = "why") -> Task:
    def answer(_: Any) -> Any:
        raise Fails(error, cause)

    return answer


def never(_: Any) -> Any:
    raise Never


class Case(Struct):
    name: str
    definition: dict[str, Any]
    history: str
    text: str = "{}"
    tasks: dict[str, Task] = {}
    output: Any = None
    error: str | None = None


CASES = [
    Case(
        "pass",
        machine(A=PASS),
        "1<0 ExecutionStarted, 2<0 PassStateEntered, 3<2 PassStateExited, 4<3 ExecutionSucceeded",
        text='{"a": 1}',
        output={"a": 1},
    ),
    Case(
        "a function by its ARN",
        machine(A=task()),
        "1<0 ExecutionStarted, 2<0 TaskStateEntered, 3<2 LambdaFunctionScheduled, 4<3 LambdaFunctionStarted, "
        "5<4 LambdaFunctionSucceeded, 6<5 TaskStateExited, 7<6 ExecutionSucceeded",
        tasks={"work": lambda data: {"got": data}},
        output={"got": {}},
    ),
    Case(
        "an integration",
        machine(A={"Type": "Task", "Resource": LAMBDA_INVOKE, "Parameters": {"FunctionName": "f"}, "End": True}),
        "1<0 ExecutionStarted, 2<0 TaskStateEntered, 3<2 TaskScheduled, 4<3 TaskStarted, 5<4 TaskSucceeded, "
        "6<5 TaskStateExited, 7<6 ExecutionSucceeded",
        tasks={"invoke": lambda data: data["FunctionName"]},
        output="f",
    ),
    Case(
        "retried, then caught (recorded: base_scenarios--lambda_invoke_with_retry_base)",
        machine(
            A=task(
                Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
                Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B"}],
            ),
            B=PASS,
        ),
        "1<0 ExecutionStarted, 2<0 TaskStateEntered, 3<2 LambdaFunctionScheduled, 4<3 LambdaFunctionStarted, "
        "5<4 LambdaFunctionFailed, 6<5 LambdaFunctionScheduled, 7<6 LambdaFunctionStarted, "
        "8<7 LambdaFunctionFailed, 9<8 TaskStateExited, 10<9 PassStateEntered, 11<10 PassStateExited, "
        "12<11 ExecutionSucceeded",
        tasks={"work": fails()},
        output={"Error": "Boom", "Cause": "why"},
    ),
    Case(
        "timed out (recorded: timeouts--fixed_timeout_lambda)",
        machine(A=task(TimeoutSeconds=5)),
        "1<0 ExecutionStarted, 2<0 TaskStateEntered, 3<2 LambdaFunctionScheduled, 4<3 LambdaFunctionStarted, "
        "5<4 LambdaFunctionTimedOut, 6<5 ExecutionFailed",
        tasks={"work": never},
        error="States.Timeout",
    ),
    Case(
        "States.Runtime is not caught (recorded: base_scenarios--catch_states_runtime)",
        machine(A=task(OutputPath="$.no", Catch=[{"ErrorEquals": ["States.Runtime"], "Next": "B"}]), B=PASS),
        "1<0 ExecutionStarted, 2<0 TaskStateEntered, 3<2 LambdaFunctionScheduled, 4<3 LambdaFunctionStarted, "
        "5<4 LambdaFunctionSucceeded, 6<5 ExecutionFailed",
        tasks={"work": lambda data: {}},
        error="States.Runtime",
    ),
    Case(
        "a sequential Map (recorded: base_scenarios--map_state)",
        machine(M={"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": machine(I=PASS), "End": True}),
        "1<0 ExecutionStarted, 2<0 MapStateEntered, 3<2 MapStateStarted, 4<3 MapIterationStarted, "
        "5<4 PassStateEntered, 6<5 PassStateExited, 7<6 MapIterationSucceeded, 8<6 MapIterationStarted, "
        "9<8 PassStateEntered, 10<9 PassStateExited, 11<10 MapIterationSucceeded, 12<11 MapStateSucceeded, "
        "13<11 MapStateExited, 14<13 ExecutionSucceeded",
        text='["a", {"b": 0.0}]',
        output=["a", {"b": 0.0}],
    ),
    Case(
        "an empty Map (recorded: base_scenarios--map_state_items_input_array--empty)",
        machine(M={"Type": "Map", "ItemProcessor": machine(I=PASS), "End": True}),
        "1<0 ExecutionStarted, 2<0 MapStateEntered, 3<2 MapStateStarted, 4<3 MapStateSucceeded, "
        "5<3 MapStateExited, 6<5 ExecutionSucceeded",
        text="[]",
        output=[],
    ),
    Case(
        "a Map is tried again (recorded: base_scenarios--map_state_retry)",
        machine(
            M={
                "Type": "Map",
                "ItemProcessor": machine(I={"Type": "Fail", "Error": "Boom"}),
                "Retry": [{"ErrorEquals": ["Boom"], "MaxAttempts": 1}],
                "End": True,
            }
        ),
        "1<0 ExecutionStarted, 2<0 MapStateEntered, 3<2 MapStateStarted, 4<3 MapIterationStarted, "
        "5<4 FailStateEntered, 6<5 MapIterationFailed, 7<5 MapStateStarted, 8<7 MapIterationStarted, "
        "9<8 FailStateEntered, 10<9 MapIterationFailed, 11<9 MapStateFailed, 12<11 ExecutionFailed",
        text="[1]",
        error="Boom",
    ),
    Case(
        "tasks of a Map time out together (recorded: timeouts--service_lambda_map_timeout)",
        machine(M={"Type": "Map", "ItemProcessor": machine(I=task(TimeoutSeconds=5)), "End": True}),
        "1<0 ExecutionStarted, 2<0 MapStateEntered, 3<2 MapStateStarted, 4<3 MapIterationStarted, "
        "5<3 MapIterationStarted, 6<4 TaskStateEntered, 7<6 LambdaFunctionScheduled, 8<5 TaskStateEntered, "
        "9<8 LambdaFunctionScheduled, 10<7 LambdaFunctionStarted, 11<9 LambdaFunctionStarted, "
        "12<10 LambdaFunctionTimedOut, 13<11 LambdaFunctionTimedOut, 14<12 MapIterationFailed, "
        "15<12 TaskStateAborted, 16<12 MapIterationAborted, 17<12 TaskStateAborted, 18<12 MapStateFailed, "
        "19<18 ExecutionFailed",
        text="[1,2]",
        tasks={"work": never},
        error="States.Timeout",
    ),
    Case(
        "a Parallel fails and is caught (recorded: base_scenarios--parallel_state_catch)",
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(X={"Type": "Fail", "Error": "FailureType", "Cause": "Cause description"})],
                "Catch": [{"ErrorEquals": ["FailureType"], "Next": "C"}],
                "Next": "C",
            },
            C=PASS,
        ),
        "1<0 ExecutionStarted, 2<0 ParallelStateEntered, 3<2 ParallelStateStarted, 4<3 FailStateEntered, "
        "5<4 ParallelStateFailed, 6<5 ParallelStateExited, 7<6 PassStateEntered, 8<7 PassStateExited, "
        "9<8 ExecutionSucceeded",
        output={"Error": "FailureType", "Cause": "Cause description"},
    ),
    Case(
        "a task in a Parallel fails (recorded: error_output--parallel_catch_error)",
        machine(P={"Type": "Parallel", "Branches": [machine(X=task()), machine(Y=task("other"))], "End": True}),
        "1<0 ExecutionStarted, 2<0 ParallelStateEntered, 3<2 ParallelStateStarted, 4<3 TaskStateEntered, "
        "5<4 LambdaFunctionScheduled, 6<3 TaskStateEntered, 7<6 LambdaFunctionScheduled, "
        "8<5 LambdaFunctionStarted, 9<7 LambdaFunctionStarted, 10<8 LambdaFunctionFailed, 11<10 TaskStateAborted, "
        "12<10 TaskStateAborted, 13<10 ParallelStateFailed, 14<13 ExecutionFailed",
        tasks={"work": fails(), "other": never},
        error="Boom",
    ),
    Case(
        "a wait in a branch is aborted",
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(W={"Type": "Wait", "Seconds": 60, "End": True}), machine(X={"Type": "Fail"})],
                "End": True,
            }
        ),
        "1<0 ExecutionStarted, 2<0 ParallelStateEntered, 3<2 ParallelStateStarted, 4<3 WaitStateEntered, "
        "5<3 FailStateEntered, 6<5 WaitStateAborted, 7<5 ParallelStateFailed, 8<7 ExecutionFailed",
    ),
    Case(
        "no choice matched",
        machine(C={"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "A"}]}, A=PASS),
        "1<0 ExecutionStarted, 2<0 ChoiceStateEntered, 3<2 ExecutionFailed",
        error="States.NoChoiceMatched",
    ),
    Case(
        "the whole execution times out",
        {**machine(W={"Type": "Wait", "Seconds": 60, "End": True}), "TimeoutSeconds": 5},
        "1<0 ExecutionStarted, 2<0 WaitStateEntered, 3<0 ExecutionTimedOut",
        error="States.Timeout",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_history(case: Case) -> None:
    driver = Driver(compiled(case.definition), case.text, case.tasks).run()
    assert driver.shape() == case.history
    execution = driver.execution
    assert (execution.output.value if execution.output else None) == case.output
    assert execution.error == case.error
    assert not driver.running or case.tasks.get("work") is not never, "a closed execution leaves no task behind"


def test_text_passes_through_unchanged() -> None:
    nested = machine(
        P={
            "Type": "Parallel",
            "Branches": [machine(Q={"Type": "Parallel", "Branches": [machine(X=PASS)], "End": True})],
            "End": True,
        }
    )
    driver = Driver(compiled(nested), "[[1, 2, 3], [4, 5, 6]]").run()
    assert driver.execution.output is not None
    assert driver.execution.output.text == "[[[[1, 2, 3], [4, 5, 6]]]]"


def test_details_of_a_task() -> None:
    definition = machine(
        A={
            "Type": "Task",
            "Resource": LAMBDA_INVOKE,
            "Parameters": {"FunctionName": "f", "Payload.$": "$"},
            "TimeoutSeconds": 7,
            "HeartbeatSeconds": 3,
            "End": True,
        }
    )
    driver = Driver(compiled(definition), '{"x": 1}', {"invoke": lambda data: 1}).run()
    scheduled = next(event for event in driver.events() if event.type == "TaskScheduled")
    assert json.loads(scheduled.details.pop("parameters")) == {"FunctionName": "f", "Payload": {"x": 1}}
    assert scheduled.details == {
        "resourceType": "lambda",
        "resource": "invoke",
        "region": "us-east-1",
        "timeoutInSeconds": 7,
        "heartbeatInSeconds": 3,
    }
