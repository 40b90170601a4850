"""Tasks that are answered by their token: callbacks and activities. Whose answer counts, when, and what it leaves.

Histories that name a recording have the shape that was recorded on AWS under that name.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct

from tests.engine.driver import START, Driver, Fails, Surroundings, compiled
from treadle.document import Document
from treadle.engine.advance import advance
from treadle.engine.fold import hear_all, open_tasks
from treadle.engine.signals import (
    RunTask,
    Signal,
    Start,
    TaskFailed,
    TaskHeartbeat,
    TaskStarted,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
)
from treadle.limits import DEFAULT_LIMITS

ACTIVITY = "arn:aws:states:us-east-1:000000000000:activity:work"
CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"
INVOKE = "arn:aws:states:::lambda:invoke"
SYNC = "arn:aws:states:::states:startExecution.sync"
PARENT = {"StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:child"}
DONE = Document({"done": True})
SCHEDULED = 3
"""The id of the Scheduled event, and so of the attempt, of a machine whose first state is a task."""


def machine(resource: str = CALLBACK, **fields: Any) -> dict[str, Any]:
    parameters = {} if resource == ACTIVITY else {"Parameters": {"FunctionName": "f", "Payload.$": "$$.Task.Token"}}
    state = {"Type": "Task", "Resource": resource, "End": True, **parameters, **fields}
    caught = {"Caught": {"Type": "Pass", "End": True}} if "Catch" in fields else {}
    return {"StartAt": "A", "States": {"A": state, **caught}}


def driven(definition: dict[str, Any], outside: Surroundings | None = None) -> Driver:
    """Driven until nothing but a worker can move it: a service answers at once."""
    driver = Driver(compiled(definition), tasks={"invoke": lambda parameters: {"StatusCode": 200}}, outside=outside)
    driver.signal(Start())
    return driver


def submitted(definition: dict[str, Any]) -> Driver:
    driver = driven(definition)
    assert driver.step()
    assert driver.events()[-1].type == "TaskSubmitted"
    return driver


class Case(Struct):
    name: str
    definition: dict[str, Any]
    signals: list[Signal]
    """After the task was scheduled and, with a callback, submitted."""
    history: str
    """From the Scheduled event on."""
    output: Any = None
    error: str | None = None
    seconds: float = 0
    """That pass between one signal and the next."""


CAUGHT: dict[str, Any] = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]}
TASK = "3<2 TaskScheduled, 4<3 TaskStarted, 5<4 TaskSubmitted, "
HEARTBEATS: list[Signal] = [TaskHeartbeat(SCHEDULED), TimerFired()] * 5
STARTED = TaskStarted(SCHEDULED, "worker")

CASES = [
    Case(
        "a callback (recorded: callback--sqs_wait_for_task_tok_with_heartbeat)",
        machine(),
        [TaskSucceeded(SCHEDULED, DONE)],
        TASK + "6<5 TaskSucceeded, 7<6 TaskStateExited, 8<7 ExecutionSucceeded",
        output={"done": True},
    ),
    Case(
        "a callback that fails with nothing said, caught (recorded: sqs_failure_in_wait_for_task_tok_no_error_field)",
        machine(**CAUGHT),
        [TaskFailed(SCHEDULED, None, None)],
        TASK + "6<5 TaskFailed, 7<6 TaskStateExited, 8<7 PassStateEntered, 9<8 PassStateExited, "
        "10<9 ExecutionSucceeded",
        output={"Error": None, "Cause": None},
    ),
    Case(
        "a callback whose worker falls silent (recorded: heartbeats--heartbeat_no_timeout)",
        machine(HeartbeatSeconds=5),
        [TimerFired()],
        TASK + "6<5 TaskTimedOut, 7<6 ExecutionFailed",
        error="States.Timeout",
        seconds=5,
    ),
    Case(
        "heartbeats leave nothing behind (recorded: callback--multiple_heartbeat_notifications)",
        machine(HeartbeatSeconds=5, TimeoutSeconds=600),
        [*HEARTBEATS, TaskSucceeded(SCHEDULED, DONE)],
        TASK + "6<5 TaskSucceeded, 7<6 TaskStateExited, 8<7 ExecutionSucceeded",
        output={"done": True},
        seconds=2.4,
    ),
    Case(
        "heartbeats do not put off the time-out",
        machine(HeartbeatSeconds=5, TimeoutSeconds=8),
        [TaskHeartbeat(SCHEDULED), TaskHeartbeat(SCHEDULED), TimerFired()],
        TASK + "6<5 TaskTimedOut, 7<6 ExecutionFailed",
        error="States.Timeout",
        seconds=3,
    ),
    Case(
        "an activity (recorded: activities--activity_task_with_heartbeat)",
        machine(ACTIVITY, TimeoutSeconds=60, HeartbeatSeconds=10),
        [STARTED, TaskHeartbeat(SCHEDULED), TaskSucceeded(SCHEDULED, DONE)],
        "3<2 ActivityScheduled, 4<3 ActivityStarted, 5<4 ActivitySucceeded, 6<5 TaskStateExited, "
        "7<6 ExecutionSucceeded",
        output={"done": True},
        seconds=7,
    ),
    Case(
        "an activity that fails (recorded: activities--activity_task_failure)",
        machine(ACTIVITY),
        [STARTED, TaskFailed(SCHEDULED, "Programmatic Error", "why")],
        "3<2 ActivityScheduled, 4<3 ActivityStarted, 5<4 ActivityFailed, 6<5 ExecutionFailed",
        error="Programmatic Error",
    ),
    Case(
        "an activity that times out (recorded: activities--activity_task_start_timeout)",
        machine(ACTIVITY, TimeoutSeconds=5),
        [STARTED, TimerFired()],
        "3<2 ActivityScheduled, 4<3 ActivityStarted, 5<4 ActivityTimedOut, 6<5 ExecutionFailed",
        error="States.Timeout",
        seconds=5,
    ),
    Case(
        "the time-out of an activity begins when a worker takes it",
        machine(ACTIVITY, TimeoutSeconds=5, HeartbeatSeconds=4),
        [TimerFired(), STARTED, TaskSucceeded(SCHEDULED, DONE)],
        "3<2 ActivityScheduled, 4<3 ActivityStarted, 5<4 ActivitySucceeded, 6<5 TaskStateExited, "
        "7<6 ExecutionSucceeded",
        output={"done": True},
        seconds=3.9,
    ),
    Case(
        "a time-out that is caught has an empty cause (recorded: task_service_lambda--invoke_timeout)",
        machine(TimeoutSeconds=5, **CAUGHT),
        [TimerFired()],
        TASK + "6<5 TaskTimedOut, 7<6 TaskStateExited, 8<7 PassStateEntered, 9<8 PassStateExited, "
        "10<9 ExecutionSucceeded",
        output={"Error": "States.Timeout", "Cause": ""},
        seconds=5,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_histories(case: Case) -> None:
    activity = case.definition["States"]["A"]["Resource"] == ACTIVITY
    driver = driven(case.definition) if activity else submitted(case.definition)
    for signal in case.signals:
        driver.now += round(case.seconds * 1_000)
        driver.signal(signal)
    assert driver.shape() == "1<0 ExecutionStarted, 2<0 TaskStateEntered, " + case.history
    execution = driver.execution
    assert execution.error == case.error
    assert (execution.output.value if execution.output else None) == case.output


def test_what_the_events_of_an_activity_say() -> None:
    driver = driven(machine(ACTIVITY, TimeoutSeconds=60, HeartbeatSeconds=10))
    driver.signal(STARTED)
    scheduled, started = driver.events()[2:]
    assert scheduled.details == {
        "resource": ACTIVITY,
        "input": "{}",
        "timeoutInSeconds": 60,
        "heartbeatInSeconds": 10,
    }
    assert started.details == {"workerName": "worker"}


def test_a_worker_without_a_name() -> None:
    driver = driven(machine(ACTIVITY))
    driver.signal(TaskStarted(SCHEDULED))
    assert driver.events()[-1].details == {}


def test_what_the_service_answered_stands_in_the_history() -> None:
    driver = submitted(machine())
    assert driver.events()[-1].details == {
        "output": '{"StatusCode":200}',
        "resourceType": "lambda",
        "resource": "invoke.waitForTaskToken",
    }


def test_an_activity_that_does_not_exist() -> None:
    """Recorded: activities--activity_task_on_deleted. Nobody catches it."""
    driver = driven(machine(ACTIVITY, **CAUGHT), Surroundings(ACTIVITY))
    assert driver.shape() == "1<0 ExecutionStarted, 2<0 TaskStateEntered, 3<2 ExecutionFailed"
    assert driver.events()[-1].details == {
        "error": "States.Runtime",
        "cause": "An error occurred while executing the state 'A' (entered at the event id #2). "
        f"The activity {ACTIVITY} does not exist.",
    }


# -- tokens ------------------------------------------------------------------------------------------------


def test_the_token_names_the_attempt_and_each_try_has_another() -> None:
    driver = submitted(machine(Retry=[{"ErrorEquals": ["States.ALL"]}]))
    driver.signal(TaskFailed(SCHEDULED, "Boom", None))
    driver.step()
    tokens = {
        event.id: Document(text=event.details["parameters"]).value["Payload"]
        for event in driver.events()
        if event.type == "TaskScheduled"
    }
    assert tokens == {3: "token-3", 7: "token-7"}


def test_the_token_in_jsonata_and_in_the_output() -> None:
    token = "{% $states.context.Task.Token %}"
    arguments = {"FunctionName": "f", "Payload": {"token": token}}
    state = {"Type": "Task", "Resource": CALLBACK, "Arguments": arguments, "Output": token, "End": True}
    driver = submitted({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}})
    assert Document(text=driver.events()[2].details["parameters"]).value["Payload"] == {"token": "token-3"}
    driver.signal(TaskSucceeded(SCHEDULED, DONE))
    assert driver.execution.output == Document("token-3")


def test_the_input_of_an_activity_may_hold_the_token() -> None:
    driver = driven(machine(ACTIVITY, Parameters={"token.$": "$$.Task.Token"}))
    assert driver.events()[-1].details["input"] == '{"token":"token-3"}'


@pytest.mark.parametrize("resource", [INVOKE, "arn:aws:lambda:us-east-1:000000000000:function:f"])
def test_other_tasks_have_no_token(resource: str) -> None:
    driver = driven(machine(resource))
    assert driver.execution.error == "States.Runtime"
    assert "$$.Task.Token" in (driver.execution.cause or "")


# -- who is in time ----------------------------------------------------------------------------------------


def is_in_time(driver: Driver, signal: Signal) -> bool:
    """Whether the signal counts. If it does not, it must leave no trace."""
    outcome = advance(driver.execution, signal, driver.now)
    if not outcome.in_time:
        assert (outcome.events, outcome.commands) == ([], [])
    return outcome.in_time


ANSWERS: list[Signal] = [
    TaskSucceeded(SCHEDULED, DONE),
    TaskFailed(SCHEDULED, "Boom", None),
    TaskHeartbeat(SCHEDULED),
    TaskSubmitted(SCHEDULED, DONE),
    TaskStarted(SCHEDULED, "late"),
]


@pytest.mark.parametrize("signal", ANSWERS, ids=lambda signal: type(signal).__name__)
@pytest.mark.parametrize("end", ["answered", "timed out", "retried"])
def test_who_comes_too_late_changes_nothing(end: str, signal: Signal) -> None:
    after = {"Type": "Wait", "Seconds": 9, "End": True}
    definition = machine(TimeoutSeconds=5, **(CAUGHT if end == "timed out" else {}))
    if end == "timed out":
        definition["States"]["Caught"] = after
    elif end == "answered":
        del definition["States"]["A"]["End"]
        definition["States"] |= {"A": definition["States"]["A"] | {"Next": "Next"}, "Next": after}
    else:
        definition["States"]["A"]["Retry"] = [{"ErrorEquals": ["States.ALL"]}]
    driver = submitted(definition)
    if end == "timed out":
        driver.now += 5_000
        driver.signal(TimerFired())
    else:
        failed = TaskFailed(SCHEDULED, "Boom", None)
        driver.signal(failed if end == "retried" else TaskSucceeded(SCHEDULED, DONE))
    assert driver.execution.status == "RUNNING"
    assert not is_in_time(driver, signal)


def test_an_execution_that_has_ended_hears_nobody() -> None:
    driver = submitted(machine())
    driver.signal(TaskSucceeded(SCHEDULED, DONE))
    assert not is_in_time(driver, TaskHeartbeat(SCHEDULED))


def test_a_clock_that_is_set_back_before_a_restart_makes_no_worker_silent() -> None:
    execution = submitted(machine(HeartbeatSeconds=5)).folded()
    earlier = START - 3_600_000
    hear_all(execution, earlier)
    assert advance(execution, TimerFired(), earlier + 1).events == []
    assert advance(execution, TimerFired(), START + 5_000).events


def test_one_worker_takes_the_task_of_an_activity() -> None:
    driver = driven(machine(ACTIVITY))
    driver.signal(STARTED)
    assert not is_in_time(driver, TaskStarted(SCHEDULED, "another"))


def test_a_service_answers_once() -> None:
    assert not is_in_time(submitted(machine()), TaskSubmitted(SCHEDULED, DONE))


def test_a_function_may_send_success_before_it_returns() -> None:
    driver = driven(machine())
    driver.signal(TaskSucceeded(SCHEDULED, DONE))
    driver.signal(TaskSubmitted(SCHEDULED, Document({"late": True})))
    assert [event.type for event in driver.events()[3:]] == [
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert driver.cancelled == [], "the function goes on: it is done"


def test_a_service_that_refuses_fails_the_task() -> None:
    def refuse(_: Any) -> Any:
        raise Fails("Lambda.TooManyRequestsException")

    driver = Driver(compiled(machine()), tasks={"invoke": refuse}).run()
    assert [event.type for event in driver.events()[3:]] == ["TaskStarted", "TaskFailed", "ExecutionFailed"]


def test_an_answer_of_the_service_that_is_too_large_fails_the_task() -> None:
    driver = driven(machine(**CAUGHT))
    driver.signal(TaskSubmitted(SCHEDULED, Document("x" * DEFAULT_LIMITS.payload_bytes)))
    assert [event.type for event in driver.events()[4:6]] == ["TaskFailed", "TaskStateExited"]
    assert driver.execution.status == "SUCCEEDED"


# -- after a restart ---------------------------------------------------------------------------------------


def test_what_is_handed_over_is_not_carried_out_again() -> None:
    activity, callback = driven(machine(ACTIVITY)), driven(machine())
    for driver, handed_over in ((activity, STARTED), (callback, TaskSubmitted(SCHEDULED, DONE))):
        assert [task.attempt for task in open_tasks(driver.folded())] == [SCHEDULED]
        driver.signal(handed_over)
        assert open_tasks(driver.folded()) == []


def test_what_was_submitted_is_carried_out_again_with_the_answer_that_there_was() -> None:
    """With .sync the service's answer is not the end, and nobody outside has the token."""
    definition = {
        "StartAt": "A",
        "States": {"A": {"Type": "Task", "Resource": SYNC, "Parameters": PARENT, "End": True}},
    }
    driver = Driver(compiled(definition), tasks={"startExecution": lambda parameters: {}})
    driver.signal(Start())
    (task,) = open_tasks(driver.folded())
    assert (task.attempt, isinstance(task, RunTask) and task.submitted) == (SCHEDULED, None)
    driver.signal(TaskSubmitted(SCHEDULED, DONE))
    driver.signal(TaskSubmitted(SCHEDULED, Document({"again": True})))
    (task,) = open_tasks(driver.folded())
    assert isinstance(task, RunTask)
    assert task.submitted == DONE
    driver.signal(TaskSucceeded(SCHEDULED, Document({"Status": "SUCCEEDED"})))
    types = [event.type for event in driver.events()[2:]]
    assert types == [
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert open_tasks(driver.folded()) == []
