"""Rules of the engine that are not about the shape of one history."""

from __future__ import annotations

import bisect
from typing import Any

import pytest

from tests.engine.driver import START, Driver, Fails, compiled, execution_of
from tests.engine.test_histories import LAMBDA_INVOKE, PASS, fails, machine, never, task
from treadle.document import Document, TooDeep, decode
from treadle.engine.advance import advance
from treadle.engine.fold import open_tasks
from treadle.engine.signals import RunTask, Start, Stop, TaskFailed, TaskHeartbeat, TaskSucceeded, TimerFired
from treadle.limits import Limits

DAY = 86_400_000


def test_a_thirty_day_wait_and_a_retry_ladder() -> None:
    definition = machine(
        W={"Type": "Wait", "Seconds": 30 * 86_400, "Next": "A"},
        A=task(Retry=[{"ErrorEquals": ["TimeOut"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 3}]),
    )
    failures = iter([True, True, False])
    called: list[int] = []

    def work(_: Any) -> Any:
        called.append(driver.now - START)
        if next(failures):
            raise Fails("TimeOut")
        return "done"

    driver = Driver(compiled(definition), tasks={"work": work})
    driver.run()
    assert driver.execution.status == "SUCCEEDED"
    assert called == [30 * DAY, 30 * DAY + 1_000, 30 * DAY + 3_000]


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (0, 40), (100, 40)])
def test_no_more_iterations_at_once_than_allowed(limit: int, expected: int) -> None:
    definition = machine(
        M={"Type": "Map", "MaxConcurrency": limit, "ItemProcessor": machine(A=task(Next="B"), B=task()), "End": True}
    )
    driver = Driver(compiled(definition), str(list(range(60))), {"work": lambda data: data}, task_milliseconds=10)
    driver.run()
    assert driver.most_running == expected
    assert driver.execution.output is not None
    assert driver.execution.output.value == list(range(60))


def test_jitter_stays_below_the_delay_and_is_reproducible() -> None:
    retry = [{"ErrorEquals": ["Boom"], "IntervalSeconds": 100, "JitterStrategy": "FULL", "MaxAttempts": 5}]
    ends = {Driver(compiled(machine(A=task(Retry=retry))), tasks={"work": fails()}).run().now for _ in range(3)}
    assert len(ends) == 1
    assert START < ends.pop() < START + 100_000 * 31


def test_max_delay_bounds_the_ladder() -> None:
    retry = [{"ErrorEquals": ["Boom"], "IntervalSeconds": 10, "MaxDelaySeconds": 15, "MaxAttempts": 4}]
    driver = Driver(compiled(machine(A=task(Retry=retry))), tasks={"work": fails()}).run()
    assert driver.now == START + (10 + 15 + 15 + 15) * 1_000


def test_each_retrier_counts_for_itself() -> None:
    retry = [{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
    errors = iter(["A", "B", "A"])

    def work(_: Any) -> Any:
        raise Fails(next(errors))

    driver = Driver(compiled(machine(A=task(Retry=retry))), tasks={"work": work}).run()
    assert driver.execution.error == "A"
    assert next(errors, None) is None


def test_late_and_repeated_signals_change_nothing() -> None:
    driver = Driver(compiled(machine(A=task(TimeoutSeconds=5, Next="B"), B=task())), tasks={"work": never})
    driver.signal(Start())
    events = len(driver.history)
    for signal in (Start(), TimerFired(), TaskSucceeded(99, Document(1)), TaskFailed(99, "E", None)):
        driver.signal(signal)
    assert len(driver.history) == events
    driver.signal(TaskSucceeded(3, Document(1)))
    after = len(driver.history)
    driver.signal(TaskSucceeded(3, Document(2)))
    assert len(driver.history) == after


def test_stop_cancels_what_is_open() -> None:
    definition = machine(M={"Type": "Map", "ItemProcessor": machine(A=task()), "End": True})
    driver = Driver(compiled(definition), "[1,2,3]", {"work": never})
    driver.signal(Start())
    opened = sorted(driver.running)
    driver.signal(Stop("E", "because"))
    assert sorted(driver.cancelled) == opened
    assert not driver.running
    last = driver.events()[-1]
    assert (last.type, last.previous_id, last.details) == (
        "ExecutionAborted",
        0,
        {"error": "E", "cause": "because"},
    )


def test_an_endless_loop_gives_up_its_turn_and_ends_at_the_limit() -> None:
    loop = machine(
        A={"Type": "Pass", "Next": "C"},
        C={"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": True, "Next": "E"}], "Default": "A"},
        E=PASS,
    )
    driver = Driver(compiled(loop, limits=Limits(history_events=101, transitions_per_turn=7)))
    driver.signal(Start())
    assert driver.execution.status == "FAILED"
    assert driver.events()[-1].id == 101
    assert driver.execution.cause == "The execution reached the maximum number of history events (101)."


def test_a_turn_that_ends_between_forks_is_folded() -> None:
    inner = machine(P={"Type": "Parallel", "Branches": [machine(X=PASS), machine(Y=PASS)], "End": True})
    outer = machine(M={"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": inner, "Next": "Z"}, Z=PASS)
    driver = Driver(compiled(outer, limits=Limits(transitions_per_turn=2)), "[1,2,3,4,5]").run()
    assert driver.execution.output is not None
    assert driver.execution.output.value == [[n, n] for n in (1, 2, 3, 4, 5)]


def test_too_large_an_output_is_an_error_of_the_state() -> None:
    definition = machine(
        A={"Type": "Pass", "Parameters": {"a.$": "$.t", "b.$": "$.t"}, "End": True},
    )
    driver = Driver(compiled(definition, limits=Limits(payload_bytes=100)), '{"t":"' + "x" * 60 + '"}').run()
    assert driver.execution.error == "States.DataLimitExceeded"
    assert driver.execution.cause == (
        "The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit."
    )


def test_an_item_selector_that_fails_late_ends_the_other_iterations() -> None:
    definition = machine(
        M={
            "Type": "Map",
            "MaxConcurrency": 2,
            "ItemSelector": {"v.$": "$$.Map.Item.Value.v"},
            "ItemProcessor": machine(A=task()),
            "End": True,
        }
    )
    driver = Driver(compiled(definition), '[{"v":1},{"v":2},{}]', {"work": lambda data: data}, task_milliseconds=5)
    driver.run()
    assert driver.execution.error == "States.Runtime"
    assert not driver.running or driver.cancelled


def test_the_order_of_data() -> None:
    definition = machine(
        A=task(
            InputPath="$.in",
            Parameters={"seen.$": "$.x", "name.$": "$$.State.Name"},
            ResultSelector={"kept.$": "$.keep"},
            ResultPath="$.out.here",
            OutputPath="$.out",
        )
    )
    driver = Driver(compiled(definition), '{"in":{"x":1},"out":{"old":0}}', {"work": lambda data: {"keep": data}})
    assert driver.run().execution.output is not None
    assert driver.execution.output is not None
    assert driver.execution.output.value == {"old": 0, "here": {"kept": {"seen": 1, "name": "A"}}}


@pytest.mark.parametrize(
    ("fields", "waited"),
    [({"Type": "Wait", "SecondsPath": "$", "End": True}, 7), (task(TimeoutSecondsPath="$"), 7)],
)
def test_a_path_may_be_the_whole_input(fields: dict[str, Any], waited: int) -> None:
    driver = Driver(compiled(machine(A=fields)), "7", {"work": never}).run()
    assert driver.now == START + waited * 1_000


def test_a_clock_that_is_set_back_does_not_turn_back_the_history() -> None:
    driver = Driver(compiled(machine(A=task(Next="B"), B=task())), tasks={"work": never})
    driver.signal(Start())
    driver.now -= 3_600_000
    driver.signal(TaskSucceeded(3, Document(1)))
    times = [event.timestamp for event in driver.events()]
    assert times == sorted(times)


def callback(**fields: Any) -> dict[str, Any]:
    resource = LAMBDA_INVOKE + ".waitForTaskToken"
    return {"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": "f"}, "End": True, **fields}


def test_a_heartbeat_begins_the_silence_anew_and_is_a_name_of_its_own() -> None:
    catch = [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "B"}]
    definition = machine(A=callback(TimeoutSeconds=60, HeartbeatSeconds=5, Catch=catch), B=PASS)
    driver = Driver(compiled(definition), tasks={"invoke": never})
    driver.signal(Start())
    driver.now += 4_000
    advance(driver.execution, TaskHeartbeat(3), driver.now)
    assert driver.step()
    assert driver.now == START + 9_000
    assert [event.type for event in driver.events()][4:6] == ["TaskTimedOut", "TaskStateExited"]
    assert driver.execution.output is not None
    assert driver.execution.output.value == {"Error": "States.Timeout", "Cause": ""}


def test_heartbeats_do_not_put_off_the_timeout() -> None:
    catch = [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "B"}]
    definition = machine(A=callback(TimeoutSeconds=6, HeartbeatSeconds=5, Catch=catch), B=PASS)
    driver = Driver(compiled(definition), tasks={"invoke": never})
    driver.signal(Start())
    advance(driver.execution, TaskHeartbeat(3), START + 4_000)
    assert driver.step()
    assert driver.now == START + 6_000
    assert driver.execution.error == "States.Timeout"


def test_a_task_may_run_under_another_role() -> None:
    definition = machine(A=task(Credentials={"RoleArn.$": "$.role"}))
    driver = Driver(compiled(definition), '{"role": "arn:aws:iam::111111111111:role/other"}', {"work": never})
    driver.signal(Start())
    assert driver.events()[2].details["taskCredentials"] == {"roleArn": "arn:aws:iam::111111111111:role/other"}
    assert [run.role_arn for run in driver.running.values()] == ["arn:aws:iam::111111111111:role/other"]
    (task_again,) = open_tasks(driver.folded())
    assert isinstance(task_again, RunTask)
    assert task_again.role_arn == "arn:aws:iam::111111111111:role/other"


def test_a_map_whose_first_item_cannot_be_selected_is_left_without_its_fork() -> None:
    """Between MapStateStarted and its catcher there is no event that says the fork is gone."""
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]
    definition = {
        "QueryLanguage": "JSONata",
        **machine(
            M={
                "Type": "Map",
                "ItemProcessor": machine(I=PASS),
                "ItemSelector": "{% $no %}",
                "Catch": catch,
                "End": True,
            },
            Z={"Type": "Wait", "Seconds": 1, "End": True},
        ),
    }
    driver = Driver(compiled(definition), "[1, 2, 3]").run()
    assert driver.execution.status == "SUCCEEDED"


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Pass", "Parameters": {"a.$": "$"}},
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": "{% $states.input %}"}},
        {"Type": "Parallel", "Branches": [machine(B=PASS)]},
    ],
    ids=["Parameters", "Output", "Parallel"],
)
def test_data_that_nests_ever_deeper_fails_the_execution(state: dict[str, Any]) -> None:
    """How deep it may be is up to the interpreter: some 900 levels with Python 3.11, 10,000 with later ones."""
    again = {"Choices": [{"Variable": "$.stop", "IsPresent": True, "Next": "Z"}], "Default": "A"}
    definition = machine(A={**state, "Next": "C"}, C={"Type": "Choice", **again}, Z=PASS)
    levels = bisect.bisect(range(1, 100_000), False, key=_is_too_deep) - 200
    program = compiled(definition, limits=Limits(transitions_per_turn=100_000))
    execution = execution_of(program, "[" * levels + "]" * levels)
    events = advance(execution, Start(), START).events
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
    assert execution.cause == "The data of the execution is nested too deeply."
    assert events[-1].type == "ExecutionFailed"


def _is_too_deep(levels: int) -> bool:
    try:
        decode("[" * levels + "]" * levels)
    except TooDeep:
        return True
    return False
