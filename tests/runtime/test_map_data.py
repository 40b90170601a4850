"""Map runs over datasets: items that are read, and results that are written, in virtual time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from .maps import TYPES, by_input, children, counts, each, files, reading, the_run, work, writing
from .world import World, task

# -- items that are read -------------------------------------------------------------------------------------


@TYPES
@pytest.mark.parametrize("pieces", [[], [[]], [[1, 2], [], [3]], [list(range(1_000)), list(range(500))]])
async def test_items_are_read(world: World, execution_type: str, pieces: list[list[int]]) -> None:
    world.datasets.pieces = pieces
    execution = await world.begin(await world.machine(reading(execution_type)))
    await world.run()
    whole = [value for piece in pieces for value in piece]
    assert json.loads((await world.row(execution)).output or "") == whole
    run = await the_run(world, execution)
    assert (run.status, run.items, run.children) == ("SUCCEEDED", len(whole), len(whole))


async def test_batches_of_items_that_are_read(world: World) -> None:
    world.datasets.pieces = [[1], [2, 3], [4, 5]]
    execution = await world.begin(await world.machine(reading(ItemBatcher={"MaxItemsPerBatch": 2})))
    await world.run()
    assert json.loads((await world.row(execution)).output or "") == [
        {"Items": [1, 2]},
        {"Items": [3, 4]},
        {"Items": [5]},
    ]
    assert (await the_run(world, execution)).children == 3


async def test_items_that_cannot_be_read(world: World) -> None:
    """What was begun is aborted. Recorded: map_item_reader_csv_headers_decl_duplicate_headers."""
    world.tasks.script = by_input
    world.datasets.pieces = [[work(1, 1_000)], [work(2, 1_000)]]
    world.datasets.fails = "CSV headers cannot contain duplicates."
    execution = await world.begin(await world.machine(reading(inner=task())))
    await world.run()
    row = await world.row(execution)
    assert (row.status, row.error, row.cause) == ("FAILED", "States.ItemReaderFailed", world.datasets.fails)
    run = await the_run(world, execution)
    assert (run.status, run.items, await counts(world, run)) == ("FAILED", 2, {"ABORTED": (2, 2)})


async def test_a_share_of_failures_counts_when_all_items_are_known(world: World) -> None:
    world.tasks.script = by_input
    world.datasets.pieces = [[work(1, 1, fails=True)], [work(n, 1) for n in range(9)]]
    machine = await world.machine(reading(inner=task(), ToleratedFailurePercentage=10, MaxConcurrency=1))
    execution = await world.begin(machine)
    await world.run()
    assert (await world.row(execution)).status == "SUCCEEDED"


async def test_after_a_restart_the_same_items_are_read(world: World) -> None:
    world.script = world.tasks.script = by_input
    world.datasets.pieces = [[work(n, 1_000) for n in range(start, start + 20)] for start in (0, 20, 40)]
    execution = await world.begin(await world.machine(reading(inner=task(), MaxConcurrency=30)))
    await world.clock.run(world.runtime.idle, lambda: world.clock.now() >= execution.started + 1_000)
    await world.restart()
    await world.run()
    assert json.loads((await world.row(execution)).output or "") == list(range(60))
    assert [notes for _, notes in world.datasets.opened] == [[], [b"0", b"1"]]
    run = await the_run(world, execution)
    assert (run.items, await counts(world, run)) == (60, {"SUCCEEDED": (60, 60)})


async def test_what_was_opened_is_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, whether the run ends well, or its items cannot be read, or a bug ends it."""
    world.datasets.pieces = [[1], [2]]
    machine = await world.machine(reading())
    for count, error in enumerate([None, "States.ItemReaderFailed", "States.Runtime"], 1):
        world.datasets.fails = "No." if error == "States.ItemReaderFailed" else None
        if error == "States.Runtime":
            monkeypatch.setattr(world.store, "map_run_end", None)
        execution = await world.begin(machine, name=f"e{count}")
        await world.run()
        assert (await world.row(execution)).error == error
        assert (len(world.datasets.opened), world.datasets.closed) == (count, count)


# -- results that are written --------------------------------------------------------------------------------


@TYPES
async def test_results_are_written(world: World, execution_type: str) -> None:
    execution = await world.begin(await world.machine(writing(execution_type)), given=["a", {"b": 1}])
    await world.run()
    run = await the_run(world, execution)
    key = f"jobs/{run.arn.rpartition(':')[2]}/manifest.json"
    row = await world.row(execution)
    assert json.loads(row.output or "") == {"MapRunArn": run.arn, "ResultWriterDetails": {"Bucket": "b", "Key": key}}
    assert run.results_written
    written = await files(world, run)
    assert list(written) == ["SUCCEEDED_0.json"]
    first, second = json.loads(written["SUCCEEDED_0.json"])
    (child, _) = await children(world, run)
    assert first == {
        "ExecutionArn": child.arn,
        "Input": '"a"',
        "InputDetails": {"Included": True},
        "Name": child.name,
        "Output": '"a"',
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        "StartDate": first["StartDate"],
        "StateMachineArn": child.machine_arn,
        "Status": "SUCCEEDED",
        "StopDate": first["StopDate"],
    }
    assert second["Output"] == '{"b":1}'


@pytest.mark.parametrize(
    ("config", "name", "content"),
    [
        ({"Transformation": "COMPACT"}, "SUCCEEDED_0.json", '[[1,[2]],"x",[]]'),
        ({"Transformation": "FLATTEN"}, "SUCCEEDED_0.json", '[1,[2],"x"]'),
        ({"Transformation": "COMPACT", "OutputType": "JSONL"}, "SUCCEEDED_0.jsonl", '[1,[2]]\n"x"\n[]\n'),
        ({"Transformation": "FLATTEN", "OutputType": "JSONL"}, "SUCCEEDED_0.jsonl", '1\n[2]\n"x"\n'),
    ],
)
async def test_forms_of_results(world: World, config: dict[str, Any], name: str, content: str) -> None:
    execution = await world.begin(await world.machine(writing(config=config)), given=[[1, [2]], "x", []])
    await world.run()
    assert await files(world, await the_run(world, execution)) == {name: content}


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ({"Transformation": "COMPACT"}, [[1, [2]], "x"]),
        ({"Transformation": "FLATTEN"}, [1, [2], "x"]),
        ({"OutputType": "JSONL"}, '[1,[2]]\n"x"\n'),
        ({}, [[1, [2]], "x"]),
    ],
)
async def test_forms_of_a_result_that_is_not_written(world: World, config: dict[str, Any], output: Any) -> None:
    machine = await world.machine(each(ResultWriter={"WriterConfig": config}))
    execution = await world.begin(machine, given=[[1, [2]], "x"])
    await world.run()
    assert json.loads((await world.row(execution)).output or "") == output
    assert world.datasets.written == {}


async def test_what_failed_and_what_was_not_begun_is_written_too(world: World) -> None:
    world.tasks.script = by_input
    given = [work(1), work(2, 5), work(3, 1, fails=True), work(4), work(5)]
    execution = await world.begin(await world.machine(writing(inner=task(), MaxConcurrency=3)), given=given)
    await world.run()
    row = await world.row(execution)
    assert (row.status, row.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    written = await files(world, await the_run(world, execution))
    failed_children = json.loads(written["FAILED_0.json"])
    assert [(child["Status"], child.get("Error")) for child in failed_children] == [("ABORTED", None), ("FAILED", "E")]
    # The first child ended at once, and the fourth took its place.
    assert [child["Output"] for child in json.loads(written["SUCCEEDED_0.json"])] == ["1", "4", "5"]
    assert "PENDING_0.json" not in written


async def test_pending_children_are_written(world: World) -> None:
    world.tasks.script = by_input
    given = [work(1, 1, fails=True), work(2), work(3)]
    execution = await world.begin(await world.machine(writing(inner=task(), MaxConcurrency=1)), given=given)
    await world.run()
    written = await files(world, await the_run(world, execution))
    pending = json.loads(written["PENDING_0.json"])
    assert [json.loads(child["Input"])["v"] for child in pending] == [2, 3]
    assert {child["Status"] for child in pending} == {"PENDING"}


async def test_long_results_are_written_to_several_files(world: World) -> None:
    world.limits = replace(world.limits, result_file_bytes=100)
    await world.restart()
    machine = await world.machine(writing(config={"Transformation": "COMPACT"}))
    execution = await world.begin(machine, given=["x" * 40 for _ in range(5)] + ["y" * 200])
    await world.run()
    written = await files(world, await the_run(world, execution))
    assert [item for content in written.values() for item in json.loads(content)] == ["x" * 40] * 5 + ["y" * 200]
    assert [len(content) for content in written.values()] == [87, 87, 44, 204]


async def test_nothing_is_begun_whose_results_could_not_be_written(world: World) -> None:
    world.datasets.refuses = "The specified bucket does not exist"
    execution = await world.begin(await world.machine(writing()), given=[1])
    await world.run()
    row = await world.row(execution)
    assert (row.error, row.cause) == ("States.ResultWriterFailed", world.datasets.refuses)
    assert await counts(world, await the_run(world, execution)) == {}


async def test_writing_breaks_off(world: World) -> None:
    world.datasets.breaks = "Access Denied"
    execution = await world.begin(await world.machine(writing()), given=[1])
    await world.run()
    row = await world.row(execution)
    assert (row.error, row.cause) == ("States.ResultWriterFailed", "Access Denied")
    run = await the_run(world, execution)
    assert (run.status, run.results_written) == ("FAILED", False)
