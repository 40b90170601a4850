"""What every store must do with map runs and their children. StoreSuite inherits it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.builders import ARN, created, entry, execution
from tests.store.machine_suite import Reopen
from treadle.store.contract import Commit, Conflict, ExecutionRow, Store
from treadle.store.map_run_contract import ChildCount, ChildPlace, MapRun

CHILD_MACHINE = f"{ARN}orders/each"
RUN_ARN = CHILD_MACHINE.replace(":stateMachine:", ":mapRun:") + ":1"


def map_run(**changes: Any) -> MapRun:
    made = MapRun(
        arn=RUN_ARN,
        execution_id=7,
        execution_arn="arn:of:the:parent",
        machine_arn=CHILD_MACHINE,
        revision_id="orders-1",
        state="Each",
        started=5_000,
        concurrency=10,
        tolerated_count=2,
        tolerated_percentage=12.5,
        items=100,
    )
    return replace(made, **changes)


def child(store: Store, number: int, **changes: Any) -> ExecutionRow:
    return execution(
        store, "orders/each", revision_id="orders-1", map_run=RUN_ARN, child=number, **{"items": 1, **changes}
    )


class MapRunSuite:
    async def test_life_of_a_map_run(self, store: Store, reopen: Reopen) -> None:
        assert await store.map_run_get(RUN_ARN) is None
        await store.map_run_create(map_run())
        made = await store.map_run_get(RUN_ARN)
        assert made == map_run(id=1)
        assert await store.map_runs_running() == [made]
        assert await store.map_run_configure(RUN_ARN, None, 3, None)
        assert await store.map_run_configure(RUN_ARN, 4, None, 0.5)
        ended = replace(
            made,
            concurrency=4,
            tolerated_count=3,
            tolerated_percentage=0.5,
            status="FAILED",
            stopped=6_000,
            items=99,
            children=9,
            error="E",
            cause="C",
            results_written=True,
        )
        await store.map_run_end(ended)
        assert not await store.map_run_configure(RUN_ARN, 5, None, None)
        await store.map_run_end(replace(ended, status="SUCCEEDED"))  # It has ended, and stays so.
        again = await reopen(store)
        assert (await again.map_run_get(RUN_ARN), await again.map_runs_running()) == (ended, [])

    async def test_notes_of_a_map_run(self, store: Store, reopen: Reopen) -> None:
        await store.map_run_create(map_run())
        await store.map_run_create(map_run(arn=f"{RUN_ARN}2"))
        for note in (b"1", b"\x00\xff", b"1"):
            await store.map_run_note_add(RUN_ARN, note)
        again = await reopen(store)
        assert await again.map_run_notes(RUN_ARN) == [b"1", b"\x00\xff", b"1"]
        assert await again.map_run_notes(f"{RUN_ARN}2") == []

    async def test_map_run_arn_is_taken(self, store: Store) -> None:
        await store.map_run_create(map_run())
        with pytest.raises(Conflict):
            await store.map_run_create(map_run(state="Other"))

    async def test_map_runs_of_an_execution_newest_first(self, store: Store) -> None:
        for number, execution_id in enumerate((7, 8, 7, 7)):
            await store.map_run_create(map_run(arn=f"{RUN_ARN}{number}", execution_id=execution_id))
        page = await store.map_run_list(7, None, 2)
        assert [run.arn[-1] for run in page] == ["3", "2"]
        assert [run.arn[-1] for run in await store.map_run_list(7, page[-1].id, 2)] == ["0"]

    async def test_children(self, store: Store) -> None:
        await store.map_run_create(map_run())
        running, done = child(store, 0), child(store, 2, items=5, status="SUCCEEDED", stopped=9_000, output="[1]")
        await store.commit([created(running, entry(1, 2)), created(done)])
        assert await store.execution_get(running.arn) == running
        assert await store.execution_get(done.arn) == done
        assert await store.child_places(RUN_ARN, -1, 9) == [
            ChildPlace(0, 1, "RUNNING", running.id),
            ChildPlace(2, 5, "SUCCEEDED", done.id),
        ]
        assert [place.number for place in await store.child_places(RUN_ARN, 0, 9)] == [2]
        (found,) = await store.child_results(RUN_ARN, ["SUCCEEDED", "FAILED"], -1, 9)
        assert (found.child, found.input, found.output) == (2, done.input, "[1]")
        assert await store.child_results(RUN_ARN, ["SUCCEEDED"], 2, 9) == []
        assert await store.child_results(RUN_ARN, ["FAILED"], -1, 9) == []
        counts = {count.status: count for count in await store.map_run_counts(RUN_ARN)}
        assert counts == {"RUNNING": ChildCount("RUNNING", 1, 1), "SUCCEEDED": ChildCount("SUCCEEDED", 1, 5)}
        failed = replace(running, status="FAILED", stopped=9_500, error="E")
        await store.commit([Commit(execution=failed, entry=entry(3, 4))])
        assert await store.execution_get(running.arn) == failed
        assert ChildCount("FAILED", 1, 1) in await store.map_run_counts(RUN_ARN)

    async def test_children_are_due_like_others(self, store: Store) -> None:
        await store.map_run_create(map_run())
        made = child(store, 0, wake=5)
        await store.commit([created(made)])
        assert await store.executions_due(9, None, 9) == [replace(made, input="")]

    async def test_child_list(self, store: Store) -> None:
        await store.map_run_create(map_run())
        rows = [child(store, number, status="FAILED", stopped=9_000 + number) for number in range(4)]
        rows.append(child(store, 4, started=10_000))
        await store.commit([created(row) for row in rows])
        newest = [replace(row, input="", output=None) for row in reversed(rows)]
        assert await store.child_list(RUN_ARN, None, None, None, 9) == newest
        assert await store.child_list(RUN_ARN, "RUNNING", None, None, 9) == newest[:1]
        assert await store.child_list(RUN_ARN, None, True, None, 9) == []
        page = await store.child_list(RUN_ARN, "FAILED", False, None, 2)
        assert page == newest[1:3]
        assert await store.child_list(RUN_ARN, "FAILED", False, (page[-1].listed, page[-1].id), 9) == newest[3:]

    async def test_redrive_of_a_map_run(self, store: Store, reopen: Reopen) -> None:
        await store.map_run_create(map_run())
        rows = [
            child(store, number, status=status, stopped=9_000 + number, input=f"{number}", error="E")
            for number, status in enumerate(("FAILED", "SUCCEEDED", "TIMED_OUT", "ABORTED", "FAILED"))
        ]
        await store.commit([created(row) for row in rows])
        ended = map_run(id=1, status="FAILED", stopped=9_500, error="E", cause="C", results_written=True)
        await store.map_run_end(ended)
        redriven = map_run(id=1, redrives=1, redriven=10_000)
        await store.map_run_redrive(redriven)
        store = await reopen(store)
        assert await store.map_runs_running() == [redriven]
        waiting = [replace(row, wake=0) for row in rows if row.status != "SUCCEEDED"]
        assert await store.children_to_redrive(RUN_ARN, -1, 3) == waiting[:3]
        assert await store.children_to_redrive(RUN_ARN, 3, 9) == waiting[3:]
        assert [place.awaits_redrive for place in await store.child_places(RUN_ARN, -1, 9)] == [1, 0, 1, 1, 1]
        assert [row.child for row in await store.child_list(RUN_ARN, "PENDING_REDRIVE", None, None, 9)] == [4, 3, 2, 0]
        assert await store.child_list(RUN_ARN, "FAILED", None, None, 9) == []
        assert await store.executions_due(10**15, None, 9) == []
        again = replace(rows[0], status="RUNNING", started=10_001, stopped=None, error=None, redrives=1, redriven=5)
        await store.commit([Commit(execution=again)])
        assert await store.execution_get(again.arn) == again
        assert await store.children_to_redrive(RUN_ARN, -1, 9) == waiting[1:]
        await store.commit([Commit(execution=replace(again, status="SUCCEEDED", stopped=10_002))])
        await store.map_run_end(replace(redriven, status="ABORTED", stopped=11_000))
        assert await store.children_to_redrive(RUN_ARN, -1, 9) == []
        assert await store.execution_get(rows[2].arn) == rows[2]

    async def test_a_place_is_taken_once(self, store: Store) -> None:
        await store.map_run_create(map_run())
        await store.commit([created(child(store, 0))])
        with pytest.raises(Conflict):
            await store.commit([created(child(store, 0))])

    async def test_a_child_needs_its_map_run(self, store: Store) -> None:
        with pytest.raises(Conflict):
            await store.commit([created(child(store, 0))])
