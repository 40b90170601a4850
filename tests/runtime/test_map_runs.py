"""Map runs: children, counts, limits, failures, stops and restarts, in virtual time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from treadle.document import Document
from treadle.engine import advance as engine
from treadle.engine.advance import Outcome
from treadle.engine.execution import Execution
from treadle.engine.signals import Signal
from treadle.tasks.contract import TaskOutcome, TaskRequest

from .maps import PASS, TYPES, by_input, children, counts, each, the_run, work
from .world import World, done, failed, task, wait


@TYPES
async def test_a_run_from_start_to_end(world: World, execution_type: str) -> None:
    execution = await world.begin(await world.machine(each(execution_type=execution_type)), given=["a", {"b": 1}])
    await world.run()
    row = await world.row(execution)
    assert (row.status, row.output) == ("SUCCEEDED", '["a",{"b":1}]')
    run = await the_run(world, execution)
    assert (run.status, run.items, run.children) == ("SUCCEEDED", 2, 2)
    assert await counts(world, run) == {"SUCCEEDED": (2, 2)}
    first, second = await children(world, run)
    kind = "execution" if execution_type == "STANDARD" else "express"
    assert first.arn.startswith(f"arn:aws:states:eu-west-1:123456789012:{kind}:m/L:")
    assert (first.machine_arn, first.map_run, first.child, first.items) == (f"{row.machine_arn}/L", run.arn, 0, 1)
    assert (second.input, second.output, second.status) == ('{"b":1}', '{"b":1}', "SUCCEEDED")
    types = [event.type for event in await world.events(first)]
    whole = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert types == (whole if execution_type == "STANDARD" else [])
    assert (await world.store.executions_open(), world.runtime.resident) == (0, 0)


@TYPES
@pytest.mark.parametrize("items", [0, 1, 249, 250, 251, 1_000])
async def test_any_number_of_items(world: World, execution_type: str, items: int) -> None:
    machine = await world.machine(each(execution_type=execution_type))
    execution = await world.begin(machine, given=list(range(items)))
    await world.run()
    assert json.loads((await world.row(execution)).output or "") == list(range(items))


@TYPES
async def test_no_more_children_at_once_than_may_be(world: World, execution_type: str) -> None:
    world.tasks.script = by_input
    machine = await world.machine(each(task(), execution_type, MaxConcurrency=7))
    execution = await world.begin(machine, given=[work(n, (n * 37) % 11 + 1) for n in range(100)])
    await world.run()
    assert json.loads((await world.row(execution)).output or "") == list(range(100))
    assert (world.tasks.most, len(world.tasks.requests)) == (7, 100)


async def test_counts_while_it_runs(world: World) -> None:
    world.tasks.script = by_input
    given = [work(1), work(2, 50), work(3, 90), work(4, 1, fails=True), work(5, 95)]
    machine = await world.machine(each(task(), MaxConcurrency=3, ToleratedFailureCount=1))
    execution = await world.begin(machine, given=given)
    await world.clock.run(world.runtime.idle, lambda: world.clock.now() >= execution.started + 1_000)
    run = await the_run(world, execution)
    assert (run.status, await counts(world, run)) == (
        "RUNNING",
        {"SUCCEEDED": (1, 1), "FAILED": (1, 1), "RUNNING": (3, 3)},
    )
    await world.run()
    assert await counts(world, run) == {"SUCCEEDED": (4, 4), "FAILED": (1, 1)}
    assert (await world.row(execution)).output == "[1,2,3,5]"


FAILS = work(0, fails=True)
WORKS = work(1)
TOLERANCE: dict[str, tuple[dict[str, Any], list[dict[str, Any]], bool]] = {
    "none by default": ({}, [WORKS, FAILS], False),
    "as many as may": ({"ToleratedFailureCount": 2}, [FAILS, FAILS, WORKS], True),
    "one more than may": ({"ToleratedFailureCount": 1}, [FAILS, FAILS, WORKS], False),
    "half of them": ({"ToleratedFailurePercentage": 50}, [FAILS, WORKS], True),
    "more than half of them": ({"ToleratedFailurePercentage": 49.9}, [FAILS, WORKS], False),
    "all of them": ({"ToleratedFailurePercentage": 100}, [FAILS, FAILS], True),
    "the count says no": ({"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 100}, [FAILS, FAILS], False),
    "the percentage says no": ({"ToleratedFailureCount": 9, "ToleratedFailurePercentage": 10}, [FAILS, WORKS], False),
    "items count, not batches": (
        {"ToleratedFailureCount": 2, "ItemBatcher": {"MaxItemsPerBatch": 3}},
        [FAILS, FAILS, FAILS],
        False,
    ),
}


@TYPES
@pytest.mark.parametrize("name", TOLERANCE)
async def test_tolerated_failures(world: World, execution_type: str, name: str) -> None:
    fields, given, succeeds = TOLERANCE[name]

    def script(request: TaskRequest, earlier: int) -> tuple[float, TaskOutcome]:
        value = request.input.value
        fails = any(item["fails"] for item in value["Items"]) if "Items" in value else value.get("fails")
        return failed("E") if fails else done(1)

    world.tasks.script = script
    execution = await world.begin(await world.machine(each(task(), execution_type, **fields)), given=given)
    await world.run()
    row, run = await world.row(execution), await the_run(world, execution)
    if succeeds:
        assert (row.status, run.status) == ("SUCCEEDED", "SUCCEEDED")
        assert row.output == json.dumps([1 for item in given if item is WORKS], separators=(",", ":"))
    else:
        assert (row.status, run.status) == ("FAILED", "FAILED")
        assert row.error == "States.ExceedToleratedFailureThreshold"
        assert row.cause == "The specified tolerated failure threshold was exceeded"


@TYPES
async def test_a_breach_aborts_what_runs_and_begins_nothing(world: World, execution_type: str) -> None:
    world.tasks.script = by_input
    machine = await world.machine(each(task(), execution_type, MaxConcurrency=3))
    given = [work(1, 5, fails=True), work(2, 900), work(3, 900), work(4, 900)]
    execution = await world.begin(machine, given=given)
    await world.run()
    row, run = await world.row(execution), await the_run(world, execution)
    assert (row.status, row.stopped) == ("FAILED", execution.started + 5_000)
    assert await counts(world, run) == {"FAILED": (1, 1), "ABORTED": (2, 2)}
    assert (run.children, len(world.tasks.requests), len(world.tasks.running)) == (4, 3, 0)


@TYPES
@pytest.mark.parametrize("seconds", [30, 7_000])
async def test_stop_aborts_the_children(world: World, execution_type: str, seconds: int) -> None:
    """Those that wait for long are not in memory."""
    if execution_type == "EXPRESS":
        seconds = min(seconds, 200)
    machine = await world.machine(each(wait(seconds), execution_type, MaxConcurrency=400))
    execution = await world.begin(machine, given=list(range(500)))
    await world.runtime.idle()
    run = await the_run(world, execution)
    assert await counts(world, run) == {"RUNNING": (400, 400)}
    await world.runtime.stop_execution(await world.row(execution), error="Enough", cause=None)
    await world.runtime.idle()
    run = await the_run(world, execution)
    assert ((await world.row(execution)).status, run.status) == ("ABORTED", "ABORTED")
    assert await counts(world, run) == {"ABORTED": (400, 400)}
    assert (await world.store.executions_open(), world.runtime.resident) == (0, 0)


async def test_the_time_of_the_parent_ends(world: World) -> None:
    machine = await world.machine(each(wait(900)), TimeoutSeconds=10)
    execution = await world.begin(machine, given=[1])
    await world.run()
    run = await the_run(world, execution)
    assert ((await world.row(execution)).status, run.status) == ("TIMED_OUT", "ABORTED")
    assert await counts(world, run) == {"ABORTED": (1, 1)}


async def test_a_child_that_is_stopped_by_itself(world: World) -> None:
    execution = await world.begin(await world.machine(each(wait(20))), given=[1, 2])
    await world.runtime.idle()
    run = await the_run(world, execution)
    first, _ = await children(world, run)
    await world.runtime.stop_execution(first, error=None, cause=None)
    await world.run()
    assert await counts(world, run) == {"ABORTED": (1, 1), "SUCCEEDED": (1, 1)}
    assert (await world.row(execution)).output == "[2]"


async def test_an_express_child_takes_five_minutes_at_most(world: World) -> None:
    machine = await world.machine(each(wait(900), "EXPRESS", ToleratedFailureCount=1))
    execution = await world.begin(machine, given=[1])
    await world.run()
    row = await world.row(execution)
    assert (row.status, row.output, row.stopped) == ("SUCCEEDED", "[]", execution.started + 300_000)
    assert await counts(world, await the_run(world, execution)) == {"TIMED_OUT": (1, 1)}


async def test_batches(world: World) -> None:
    machine = await world.machine(each(ItemBatcher={"MaxItemsPerBatch": 3}))
    execution = await world.begin(machine, given=[1, 2, 3, 4])
    await world.run()
    run = await the_run(world, execution)
    assert (await world.row(execution)).output == '[{"Items":[1,2,3]},{"Items":[4]}]'
    assert (run.items, run.children, await counts(world, run)) == (4, 2, {"SUCCEEDED": (2, 4)})
    assert [child.items for child in await children(world, run)] == [3, 1]


async def test_an_item_that_cannot_be_selected(world: World) -> None:
    machine = await world.machine(each(wait(30), ItemSelector={"a.$": "$$.Map.Item.Value.a"}))
    execution = await world.begin(machine, given=[{"a": 1}, {"b": 1}])
    await world.run()
    row, run = await world.row(execution), await the_run(world, execution)
    assert (row.status, row.error, run.status) == ("FAILED", "States.Runtime", "FAILED")
    assert await counts(world, run) == {"ABORTED": (1, 1)}


async def test_results_that_are_too_large_together(world: World) -> None:
    world.tasks.script = lambda request, earlier: done("x" * 100_000)
    execution = await world.begin(await world.machine(each(task())), given=[1, 2, 3])
    await world.run()
    row, run = await world.row(execution), await the_run(world, execution)
    assert (row.status, row.error, run.status) == ("FAILED", "States.DataLimitExceeded", "SUCCEEDED")


async def test_maps_within_maps(world: World) -> None:
    inner = each()["Each"]
    inner["ItemProcessor"] = {**inner["ItemProcessor"], "StartAt": "X", "States": {"X": PASS}}
    del inner["Label"]
    execution = await world.begin(await world.machine(each(inner)), given=[[1, 2], [], [3]])
    await world.run()
    assert (await world.row(execution)).output == "[[1,2],[],[3]]"
    run = await the_run(world, execution)
    assert [len(await world.store.map_run_list(child.id, None, 9)) for child in await children(world, run)] == [1] * 3


async def test_retry_is_another_run(world: World) -> None:
    calls: list[Any] = []

    def script(request: TaskRequest, earlier: int) -> tuple[float, TaskOutcome]:
        calls.append(request.input.value)
        return failed("E") if len(calls) == 1 else done(1)

    world.tasks.script = script
    retry = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "IntervalSeconds": 5}]
    execution = await world.begin(await world.machine(each(task(), Retry=retry)), given=["a"])
    await world.run()
    runs = await world.store.map_run_list(execution.id, None, 9)
    assert [run.status for run in runs] == ["SUCCEEDED", "FAILED"]
    assert (await world.row(execution)).output == "[1]"


# -- changes of a run that is under way --------------------------------------------------------------------------


async def test_more_children_at_once_from_now_on(world: World) -> None:
    world.tasks.script = lambda request, earlier: None
    execution = await world.begin(await world.machine(each(task(), MaxConcurrency=1)), given=list(range(9)))
    await world.runtime.idle()
    run = await the_run(world, execution)
    assert world.tasks.most == 1
    assert await world.runtime.map_runs.configure(run.arn, 4, None, None)
    await world.runtime.idle()
    assert (world.tasks.most, (await the_run(world, execution)).concurrency) == (4, 4)


async def test_fewer_failures_tolerated_from_now_on(world: World) -> None:
    world.tasks.script = by_input
    machine = await world.machine(each(task(), ToleratedFailureCount=5))
    execution = await world.begin(machine, given=[work(1, 1, fails=True), work(2, 1, fails=True), work(3, 50)])
    await world.clock.run(world.runtime.idle, lambda: len(world.tasks.requests) == 3 and len(world.tasks.running) == 1)
    await world.runtime.idle()
    run = await the_run(world, execution)
    assert await world.runtime.map_runs.configure(run.arn, None, 1, None)
    await world.runtime.idle()
    assert (await the_run(world, execution)).status == "FAILED"
    assert not await world.runtime.map_runs.configure(run.arn, None, 5, None)


# -- restarts ----------------------------------------------------------------------------------------------------


@TYPES
async def test_a_restart_in_the_middle(world: World, execution_type: str) -> None:
    """What had ended is not run again; a Standard child goes on, an Express child begins anew."""
    world.tasks.script = by_input
    machine = await world.machine(each(task(), execution_type, MaxConcurrency=10))
    execution = await world.begin(machine, given=[work(n, 10 + n % 3) for n in range(40)])
    await world.clock.run(world.runtime.idle, lambda: world.clock.now() >= execution.started + 11_000)
    before = await children(world, await the_run(world, execution))
    ended = {row.arn: row for row in before if row.status == "SUCCEEDED"}
    assert 0 < len(ended) < 40
    world.script = by_input
    await world.restart()
    await world.run()
    assert json.loads((await world.row(execution)).output or "") == list(range(40))
    after = await children(world, await the_run(world, execution))
    assert [row.child for row in after] == list(range(40))
    assert [ended[row.arn] for row in after if row.arn in ended] == [row for row in after if row.arn in ended]
    again = [request.input.value["v"] for request in world.tasks.requests]
    assert len(again) == len(set(again)) == 40 - len(ended)


@TYPES
async def test_many_restarts(world: World, execution_type: str) -> None:
    world.script = world.tasks.script = by_input
    machine = await world.machine(each(task(), execution_type, MaxConcurrency=50))
    execution = await world.begin(machine, given=[work(n, n % 7) for n in range(600)])
    for _ in range(8):
        until = world.clock.now() + 5_000
        await world.clock.run(world.runtime.idle, lambda until=until: world.clock.now() >= until)  # type: ignore[misc]
        await world.restart()
    await world.run()
    row, run = await world.row(execution), await the_run(world, execution)
    assert json.loads(row.output or "") == list(range(600))
    assert await counts(world, run) == {"SUCCEEDED": (600, 600)}


async def test_the_limits_that_were_changed_stay_changed(world: World) -> None:
    world.script = world.tasks.script = lambda request, earlier: None
    execution = await world.begin(await world.machine(each(task(), MaxConcurrency=1)), given=list(range(9)))
    await world.runtime.idle()
    await world.runtime.map_runs.configure((await the_run(world, execution)).arn, 3, None, None)
    await world.restart()
    await world.runtime.idle()
    assert len(world.tasks.running) == 3


async def test_a_run_that_ended_before_its_parent_heard(world: World) -> None:
    """As if the server had died between the two commits."""
    world.script = world.tasks.script = lambda request, earlier: done(request.input.value, 1)
    machine = await world.machine(each(task(), Next="Wait") | {"Wait": wait(5)})
    execution = await world.begin(machine, given=[1])
    await world.runtime.idle()
    run = await the_run(world, execution)
    (child,) = await children(world, run)
    world.runtime.map_runs.close()  # It begins nothing, and does not end, any more.
    await world.clock.run(world.runtime.idle, lambda: world.clock.now() >= execution.started + 1_000)
    assert ((await world.row(child)).status, (await the_run(world, execution)).status) == ("SUCCEEDED", "RUNNING")
    await world.store.map_run_end(replace(run, status="SUCCEEDED", stopped=world.clock.now()))
    await world.restart()
    await world.run()
    assert ((await world.row(execution)).status, len(world.tasks.requests)) == ("SUCCEEDED", 0)


async def test_a_run_that_nobody_asks_for_any_more_is_stopped_at_the_start(world: World) -> None:
    """As if the server had died after its parent was stopped, before the children were."""
    machine = await world.machine(each(wait(7_000)))
    execution = await world.begin(machine, given=[1, 2])
    await world.runtime.idle()
    world.runtime.map_runs.close()
    await world.runtime.stop_execution(await world.row(execution), error=None, cause=None)
    run = await the_run(world, execution)
    assert (run.status, await world.store.executions_open()) == ("RUNNING", 2)
    await world.restart()
    await world.runtime.idle()
    assert ((await the_run(world, execution)).status, await world.store.executions_open()) == ("ABORTED", 0)


async def test_items_are_evaluated_to_the_same_after_a_restart(world: World) -> None:
    world.script = world.tasks.script = lambda request, earlier: done(request.input.value, 10)
    fields: dict[str, Any] = {"QueryLanguage": "JSONata", "Items": "{% [1..5].($random()) %}", "MaxConcurrency": 2}
    machine = await world.machine(each({**task(), "QueryLanguage": "JSONata"}, **fields))
    execution = await world.begin(machine, given={})
    await world.runtime.idle()
    await world.restart()
    await world.run()
    output = json.loads((await world.row(execution)).output or "")
    rows = await children(world, await the_run(world, execution))
    assert [Document(text=row.input).value for row in rows] == output
    assert len(set(output)) == 5


@TYPES
async def test_a_bug_in_a_child_fails_it_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, execution_type: str
) -> None:
    def advance(execution: Execution, signal: Signal, now: int) -> Outcome:
        if "/L" in execution.machine_arn and execution.input.value == "bug":
            raise ZeroDivisionError("scripted")
        return engine.advance(execution, signal, now)

    monkeypatch.setattr("treadle.runtime.resident.advance", advance)
    machine = await world.machine(each(execution_type=execution_type, ToleratedFailureCount=1))
    execution = await world.begin(machine, given=["a", "bug", "b"])
    await world.run()
    assert (await world.row(execution)).output == '["a","b"]'
    _, bad, _ = await children(world, await the_run(world, execution))
    assert (bad.status, bad.error) == ("FAILED", "States.Runtime")


# -- open runs of an account ---------------------------------------------------------------------------------


async def test_runs_wait_while_as_many_are_open_as_may_be(world: World) -> None:
    world.limits = replace(world.limits, map_runs_open=2)
    await world.restart()
    world.script = world.tasks.script = by_input
    machine = await world.machine(each(task()))
    executions = [await world.begin(machine, name=f"e{n}", given=[work(n, 10), work(n, 10)]) for n in range(5)]
    await world.runtime.idle()
    assert len(world.tasks.running) == 4
    third = await the_run(world, executions[2])
    assert (third.status, await counts(world, third)) == ("RUNNING", {})
    await world.run()
    assert [(await world.row(each)).output for each in executions] == [f"[{n},{n}]" for n in range(5)]
    assert world.tasks.most == 4


async def test_a_run_that_waits_is_stopped(world: World) -> None:
    world.limits = replace(world.limits, map_runs_open=1)
    await world.restart()
    world.script = world.tasks.script = by_input
    machine = await world.machine(each(task()))
    executions = [await world.begin(machine, name=f"e{n}", given=[work(n, 10)]) for n in range(3)]
    await world.runtime.idle()
    await world.runtime.stop_execution(await world.row(executions[1]), error=None, cause=None)
    await world.runtime.idle()
    assert (await the_run(world, executions[1])).status == "ABORTED"
    assert len(world.tasks.running) == 1
    await world.restart()
    await world.run()
    outputs = [(await world.row(execution)).output for execution in executions]
    assert outputs == ["[0]", None, "[2]"]
