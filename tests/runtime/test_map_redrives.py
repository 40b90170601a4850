"""Redrives of map runs: what ended without success runs again, what was not begun is begun, the rest stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from treadle.store.contract import ExecutionRow
from treadle.tasks.contract import TaskOutcome, TaskRequest

from .maps import TYPES, children, counts, each, files, reading, the_run, work, writing
from .world import World, done, failed, task, wait

DAY = 24 * 60 * 60 * 1_000


class Bad:
    """A script by which the tasks with some inputs fail, until they are mended."""

    def __init__(self, world: World, *values: Any) -> None:
        self.values = set(values)
        self.calls: list[Any] = []
        world.script = world.tasks.script = self

    def __call__(self, request: TaskRequest, earlier: int) -> tuple[float, TaskOutcome]:
        value = request.input.value
        self.calls.append(value)
        return failed("E", 1) if value in self.values else done(value, 2)


async def redrive(world: World, execution: ExecutionRow) -> None:
    assert await world.runtime.redrive_execution(await world.row(execution), f"token-{world.clock.now()}")


@TYPES
async def test_only_what_failed_runs_again(world: World, execution_type: str) -> None:
    bad = Bad(world, 2, 4)
    execution = await world.begin(await world.machine(each(task(), execution_type)), given=[1, 2, 3, 4])
    await world.run()
    first = await children(world, await the_run(world, execution))
    assert [child.status for child in first] == ["ABORTED", "FAILED", "ABORTED", "ABORTED"]
    bad.values, bad.calls = set(), []
    await redrive(world, execution)
    await world.run()
    row, run = await world.row(execution), await the_run(world, execution)
    assert (row.status, row.output) == ("SUCCEEDED", "[1,2,3,4]")
    assert (run.status, run.redrives, run.error) == ("SUCCEEDED", 1, None)
    assert run.redriven is not None
    assert run.redriven > run.started
    assert sorted(bad.calls) == [1, 2, 3, 4]
    rows = await children(world, run)
    assert [child.arn for child in rows] == [child.arn for child in first]
    # An Express child begins anew, and nobody can tell; a Standard child has one history.
    assert [child.redrives for child in rows] == ([1] * 4 if execution_type == "STANDARD" else [0] * 4)
    assert all((child.started >= run.redriven) == (execution_type == "EXPRESS") for child in rows)


@TYPES
async def test_what_succeeded_stays(world: World, execution_type: str) -> None:
    bad = Bad(world, 3)
    machine = await world.machine(each(task(), execution_type, MaxConcurrency=1))
    execution = await world.begin(machine, given=[1, 2, 3, 4, 5])
    await world.run()
    assert await counts(world, await the_run(world, execution)) == {"SUCCEEDED": (2, 2), "FAILED": (1, 1)}
    bad.values, bad.calls = set(), []
    await redrive(world, execution)
    await world.run()
    assert (await world.row(execution)).output == "[1,2,3,4,5]"
    assert bad.calls == [3, 4, 5]
    assert await counts(world, await the_run(world, execution)) == {"SUCCEEDED": (5, 5)}


async def test_the_history_of_the_parent(world: World) -> None:
    bad = Bad(world, 1)
    execution = await world.begin(await world.machine(each(task())), given=[1])
    await world.run()
    bad.values = set()
    await redrive(world, execution)
    await world.run()
    events = await world.events(execution)
    shape = [f"{event.id}<{event.previous_id} {event.type}" for event in events[4:]]
    assert shape == [
        "5<4 MapRunFailed",
        "6<5 MapStateFailed",
        "7<6 ExecutionFailed",
        "8<7 ExecutionRedriven",
        "9<8 MapRunRedriven",
        "10<9 MapRunSucceeded",
        "11<10 MapStateSucceeded",
        "12<10 MapStateExited",
        "13<12 ExecutionSucceeded",
    ]
    run = await the_run(world, execution)
    assert events[8].details == {"mapRunArn": run.arn, "redriveCount": 1}


async def test_a_standard_child_goes_on_where_it_failed(world: World) -> None:
    bad = Bad(world, "b")
    processor = {"First": task(Next="Second"), "Second": task("g", Parameters="b")}
    machine = each(task())
    machine["Each"]["ItemProcessor"] |= {"StartAt": "First", "States": processor}
    execution = await world.begin(await world.machine(machine), given=["a"])
    await world.run()
    assert bad.calls == ["a", "b"]
    bad.values, bad.calls = set(), []
    await redrive(world, execution)
    await world.run()
    assert ((await world.row(execution)).output, bad.calls) == ('["b"]', ["b"])


@TYPES
async def test_a_run_is_redriven_again_and_again(world: World, execution_type: str) -> None:
    bad = Bad(world, 1, 2, 3)
    machine = await world.machine(each(task(), execution_type, MaxConcurrency=1))
    execution = await world.begin(machine, given=[1, 2, 3])
    for round in range(3):
        await world.run()
        run = await the_run(world, execution)
        assert (run.status, run.redrives) == ("FAILED", round)
        assert await counts(world, run) == {status: (n, n) for status, n in (("SUCCEEDED", round), ("FAILED", 1)) if n}
        bad.values.discard(round + 1)
        await redrive(world, execution)
    await world.run()
    assert (await world.row(execution)).output == "[1,2,3]"


@TYPES
@pytest.mark.parametrize("restarts", [1, 4])
async def test_a_redrive_goes_on_after_a_restart(world: World, execution_type: str, restarts: int) -> None:
    bad = Bad(world, *range(10, 20))
    machine = await world.machine(each(task(), execution_type, MaxConcurrency=4, ToleratedFailureCount=8), name="m")
    execution = await world.begin(machine, given=list(range(40)))
    await world.run()
    before = await counts(world, await the_run(world, execution))
    assert before["FAILED"] == (9, 9)
    bad.values, bad.calls = set(), []
    await redrive(world, execution)
    for _ in range(restarts):
        until = world.clock.now() + 3_000
        await world.clock.run(world.runtime.idle, lambda until=until: world.clock.now() >= until)  # type: ignore[misc]
        await world.restart()
    await world.run()
    run = await the_run(world, execution)
    assert json.loads((await world.row(execution)).output or "") == list(range(40))
    assert (run.status, run.redrives, await counts(world, run)) == ("SUCCEEDED", 1, {"SUCCEEDED": (40, 40)})
    assert not set(bad.calls) & set(range(10))


async def test_a_redrive_that_is_stopped_leaves_children_as_they_were(world: World) -> None:
    bad = Bad(world, 1, 2, 3)
    fields: dict[str, Any] = {"MaxConcurrency": 1, "ToleratedFailureCount": 2}
    execution = await world.begin(await world.machine(each(task(), **fields)), given=[1, 2, 3, 4])
    await world.run()
    bad.values = set()
    await redrive(world, execution)
    await world.runtime.idle()
    run = await the_run(world, execution)
    assert await counts(world, run) == {"RUNNING": (1, 1), "PENDING_REDRIVE": (2, 2)}
    waiting = await world.store.child_list(run.arn, "PENDING_REDRIVE", None, None, 9)
    assert sorted(child.child or 0 for child in waiting) == [1, 2]
    await world.runtime.stop_execution(await world.row(execution), error=None, cause=None)
    await world.run()
    run = await the_run(world, execution)
    assert (run.status, await counts(world, run)) == ("ABORTED", {"ABORTED": (1, 1), "FAILED": (2, 2)})
    assert await world.store.child_list(run.arn, "PENDING_REDRIVE", None, None, 9) == []
    await redrive(world, execution)
    await world.run()
    assert (await world.row(execution)).output == "[1,2,3,4]"


@TYPES
async def test_a_stopped_execution_is_redriven_at_once(world: World, execution_type: str) -> None:
    """Its run is still ending its children then, and completes that first."""
    Bad(world)
    execution = await world.begin(await world.machine(each(task(), execution_type)), given=[1, 2])
    await world.runtime.idle()
    await world.runtime.stop_execution(await world.row(execution), error=None, cause=None)
    await redrive(world, execution)
    await world.run()
    run = await the_run(world, execution)
    assert ((await world.row(execution)).output, run.status, run.redrives) == ("[1,2]", "SUCCEEDED", 1)


async def test_a_restart_between_stop_and_redrive(world: World) -> None:
    """As if the server had died when the parent was redriven, before its run had stopped."""
    machine = await world.machine(each(wait(7_000)))
    execution = await world.begin(machine, given=[1, 2])
    await world.runtime.idle()
    world.runtime.map_runs.close()
    await world.runtime.stop_execution(await world.row(execution), error=None, cause=None)
    await redrive(world, execution)
    await world.restart()
    await world.run()
    run = await the_run(world, execution)
    assert ((await world.row(execution)).output, run.status, run.redrives) == ("[1,2]", "SUCCEEDED", 1)


async def test_children_that_cannot_be_redriven_count_as_failed(world: World) -> None:
    """Whatever is tolerated is tolerated of them, too. AWS, "Redriving Map Runs"."""
    bad = Bad(world, 1)
    machine = each(task(Next="Second"), MaxConcurrency=1, ToleratedFailureCount=1)
    # The first child fails weeks before the run does.
    machine["Each"]["ItemProcessor"]["States"]["Second"] = wait(20 * 24 * 60 * 60)
    execution = await world.begin(await world.machine(machine), given=[1, 2, 3])
    await world.clock.run(world.runtime.idle, lambda: world.clock.now() >= execution.started + 15 * DAY)
    await world.runtime.stop_execution(await world.row(execution), error=None, cause=None)
    await world.run()
    bad.values = set()
    await redrive(world, execution)
    await world.runtime.idle()
    run = await the_run(world, execution)
    assert world.runtime.map_runs.left(run) == (1, 1)
    await world.run()
    assert (await world.row(execution)).output == "[2,3]"
    assert await counts(world, await the_run(world, execution)) == {"FAILED": (1, 1), "SUCCEEDED": (2, 2)}


async def test_a_run_is_not_redriven_for_ever(world: World) -> None:
    world.limits = replace(world.limits, map_run_redrives=1)
    await world.restart()
    Bad(world, 1)
    execution = await world.begin(await world.machine(each(task())), given=[1])
    for error in ("States.ExceedToleratedFailureThreshold",) * 2 + ("States.Runtime",):
        await world.run()
        assert (await world.row(execution)).error == error
        if error != "States.Runtime":
            await redrive(world, execution)
            await world.runtime.idle()


async def test_a_run_without_readable_items_is_begun_anew(world: World) -> None:
    world.datasets.pieces, world.datasets.fails = [], "CSV headers cannot contain duplicates."
    execution = await world.begin(await world.machine(reading()))
    await world.run()
    world.datasets.pieces, world.datasets.fails = [[1, 2]], None
    await redrive(world, execution)
    await world.run()
    row = await world.row(execution)
    assert row.output == "[1,2]"
    runs = await world.store.map_run_list(row.id, None, 9)
    assert [(run.status, run.redrives) for run in runs] == [("SUCCEEDED", 0), ("FAILED", 0)]


async def test_the_same_items_are_read_again_if_some_were_not_begun(world: World) -> None:
    bad = Bad(world, 3)
    world.datasets.pieces = [[1, 2], [3, 4], [5, 6]]
    execution = await world.begin(await world.machine(reading(inner=task(), MaxConcurrency=1)))
    await world.run()
    bad.values, bad.calls = set(), []
    await redrive(world, execution)
    await world.run()
    assert ((await world.row(execution)).output, bad.calls) == ("[1,2,3,4,5,6]", [3, 4, 5, 6])
    assert [notes for _, notes in world.datasets.opened] == [[], [b"0", b"1"]]


async def test_items_are_not_read_again_if_all_were_begun(world: World) -> None:
    bad = Bad(world, 2)
    world.datasets.pieces = [[1, 2], [3]]
    machine = await world.machine(reading(inner=task(), ToleratedFailureCount=1))
    execution = await world.begin(machine)
    await world.clock.run(world.runtime.idle, lambda: len(bad.calls) == 3)
    await world.runtime.stop_execution(await world.row(execution), error=None, cause=None)
    await world.run()
    bad.values = set()
    await redrive(world, execution)
    await world.run()
    assert ((await world.row(execution)).output, len(world.datasets.opened)) == ("[1,2,3]", 1)


@TYPES
async def test_results_are_written_anew(world: World, execution_type: str) -> None:
    bad = Bad(world, 2)
    machine = writing(execution_type, task(), MaxConcurrency=1, config={"Transformation": "COMPACT"})
    execution = await world.begin(await world.machine(machine), given=[1, 2, 3])
    await world.run()
    assert set(await files(world, await the_run(world, execution))) == {
        "FAILED_0.json",
        "PENDING_0.json",
        "SUCCEEDED_0.json",
    }
    bad.values = set()
    world.datasets.written.clear()
    await redrive(world, execution)
    await world.run()
    assert await files(world, await the_run(world, execution)) == {"SUCCEEDED_0.json": "[1,2,3]"}


async def test_a_retry_begins_another_run(world: World) -> None:
    """Only a redrive goes on with one."""
    Bad(world, 1)
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
    execution = await world.begin(await world.machine(each(task(), Retry=retry)), given=[work(1), 1])
    await world.run()
    runs = await world.store.map_run_list((await world.row(execution)).id, None, 9)
    assert [run.redrives for run in runs] == [0, 0]


async def test_stopped_and_redriven_again_before_the_children_have_ended(world: World) -> None:
    Bad(world)
    execution = await world.begin(await world.machine(each(task())), given=[1, 2])
    await world.runtime.idle()
    for _ in range(3):
        await world.runtime.stop_execution(await world.row(execution), error=None, cause=None)
        await redrive(world, execution)
    await world.run()
    run = await the_run(world, execution)
    assert ((await world.row(execution)).output, run.status) == ("[1,2]", "SUCCEEDED")
    assert run.redrives == (await world.row(execution)).redrives
    assert await counts(world, run) == {"SUCCEEDED": (2, 2)}
