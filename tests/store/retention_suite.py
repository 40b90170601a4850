"""What every store must do with executions that ended long ago. StoreSuite inherits it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tests.store.builders import ARN, created, entry, execution, machine, revision
from tests.store.machine_suite import Reopen
from tests.store.map_run_suite import RUN_ARN, child, map_run
from treadle.store.contract import Commit, ExecutionFilter, ExecutionRow, RedriveRecord, Store

BEFORE = 10_000
"""What ended before this time is to go."""
ALL = 1_000


def ended(store: Store, name: str = "orders", **changes: Any) -> ExecutionRow:
    return execution(store, name, **{"status": "SUCCEEDED", "stopped": BEFORE - 1, "output": "{}", **changes})


async def put(store: Store, *rows: ExecutionRow) -> None:
    await store.commit([created(row, entry(1, 5)) for row in rows])


async def remove_expired(store: Store, before: int = BEFORE, limit: int = ALL) -> None:
    while ids := await store.executions_expired(before, limit):
        await store.executions_remove(ids, before)
    while await store.remains_remove(limit):
        pass


async def run_with_children(store: Store, number: int, count: int, **changes: Any) -> tuple[str, list[ExecutionRow]]:
    """A map run of the execution of that number, and children of it that have ended."""
    arn = f"{RUN_ARN}-{number}"
    await store.map_run_create(map_run(arn=arn, execution_id=number, **{"status": "SUCCEEDED", **changes}))
    await store.map_run_note_add(arn, b"version 7")
    children = [
        replace(child(store, place), map_run=arn, status="FAILED", stopped=BEFORE + 9, wake=None)
        for place in range(count)
    ]
    await put(store, *children)
    return arn, children


class RetentionSuite:
    async def test_only_what_ended_before_goes(self, store: Store) -> None:
        old = [ended(store, status=status) for status in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")]
        kept = [ended(store, stopped=BEFORE), execution(store, "orders", started=1)]
        await put(store, *old, *kept)
        assert sorted(await store.executions_expired(BEFORE, ALL)) == [row.id for row in old]
        assert len(await store.executions_expired(BEFORE, 3)) == 3
        await remove_expired(store)
        for row in old:
            assert await store.execution_get(row.arn) is None
            assert await store.journal(row.id) == []
            assert await store.journal_last_event(row.id) == 0
        for row in kept:
            assert await store.execution_get(row.arn) == row
            assert await store.journal(row.id) == [entry(1, 5)]
        listed = await store.execution_list(ExecutionFilter(machine_arn=ARN + "orders"), None, ALL)
        assert {row.id for row in listed} == {row.id for row in kept}
        assert await store.executions_open() == 1

    async def test_of_several_machines(self, store: Store) -> None:
        await store.machine_create(machine("billing"), {})
        rows = [ended(store, name) for name in ("orders", "billing", "orders")]
        await put(store, *rows)
        assert sorted(await store.executions_expired(BEFORE, ALL)) == [row.id for row in rows]

    async def test_what_is_removed_is_gone_before_its_remains_are(self, store: Store, reopen: Reopen) -> None:
        row = ended(store)
        await put(store, row)
        await store.executions_remove([row.id], BEFORE)
        assert await store.execution_get(row.arn) is None
        assert await store.executions_expired(BEFORE, ALL) == []
        store = await reopen(store)
        assert not await store.remains_remove(ALL)
        assert await store.journal(row.id) == []

    async def test_names_can_be_taken_again_and_ids_cannot(self, store: Store, reopen: Reopen) -> None:
        row = ended(store)
        await put(store, row)
        await store.executions_remove([row.id], BEFORE)
        store = await reopen(store)
        again = execution(store, "orders", row.name)
        assert again.arn == row.arn
        assert again.id > row.id
        await store.commit([created(again, entry(1, 2))])
        await remove_expired(store)
        assert await store.execution_get(again.arn) == again
        assert await store.journal(again.id) == [entry(1, 2)]

    async def test_one_that_was_redriven_since_it_was_found_stays(self, store: Store) -> None:
        row = ended(store, status="FAILED", output=None)
        await put(store, row)
        assert await store.executions_expired(BEFORE, ALL) == [row.id]
        running = replace(row, status="RUNNING", stopped=None, redrives=1, redriven=BEFORE + 5)
        await store.commit([Commit(execution=running, entry=entry(6, 6), redrive=RedriveRecord("a", BEFORE + 5))])
        await store.executions_remove([row.id, row.id + 1_000], BEFORE)
        assert not await store.remains_remove(ALL)
        assert await store.execution_get(row.arn) == running
        assert await store.journal(row.id) == [entry(1, 5), entry(6, 6)]

    async def test_redrives_go_along(self, store: Store) -> None:
        row = ended(store, status="FAILED", output=None)
        await put(store, row)
        running = replace(row, status="RUNNING", stopped=None, redrives=1, redriven=5)
        await store.commit([Commit(execution=running, redrive=RedriveRecord("a", 5))])
        await store.commit([Commit(execution=replace(row, redrives=1, redriven=5))])
        await remove_expired(store)
        assert await store.execution_get(row.arn) is None
        assert await store.redrives(row.id, ALL) == []

    async def test_long_journals_go_a_part_at_a_time(self, store: Store) -> None:
        row, kept = ended(store), ended(store, stopped=BEFORE)
        await put(store, row, kept)
        for first in range(6, 26):
            await store.commit([Commit(execution=each, entry=entry(first, first)) for each in (row, kept)])
        await store.executions_remove([row.id], BEFORE)
        steps = 1
        while await store.remains_remove(5):
            steps += 1
        assert steps >= 21 // 5
        assert await store.journal(row.id) == []
        assert len(await store.journal(kept.id)) == 21

    async def test_map_runs_go_along_with_their_children(self, store: Store) -> None:
        parent, kept = ended(store), ended(store, stopped=BEFORE)
        await put(store, parent, kept)
        arn, children = await run_with_children(store, parent.id, 25)
        inner_arn, inner = await run_with_children(store, children[3].id, 4)
        kept_arn, kept_children = await run_with_children(store, kept.id, 2)
        await store.executions_remove(await store.executions_expired(BEFORE, ALL), BEFORE)
        steps = 1
        while await store.remains_remove(10):
            steps += 1
        assert steps >= 29 // 10
        for gone in (arn, inner_arn):
            assert await store.map_run_get(gone) is None
            assert await store.map_run_notes(gone) == []
        for row in (*children, *inner):
            assert await store.execution_get(row.arn) is None
            assert await store.journal(row.id) == []
        assert len(await store.child_places(kept_arn, -1, ALL)) == len(kept_children)
        assert await store.map_run_notes(kept_arn) == [b"version 7"]

    async def test_a_map_run_is_left_to_end(self, store: Store) -> None:
        """Its execution may end before it does; and so may a child."""
        parent, other = ended(store), ended(store)
        await put(store, parent, other)
        arn, children = await run_with_children(store, parent.id, 2)
        inner_arn, _ = await run_with_children(store, children[0].id, 1, status="RUNNING")
        running_arn, _ = await run_with_children(store, other.id, 1, status="RUNNING")
        await remove_expired(store)
        assert await store.map_run_get(arn) is None
        assert await store.execution_get(other.arn) is not None
        for left in (inner_arn, running_arn):
            run = await store.map_run_get(left)
            assert run is not None
            assert len(await store.child_places(left, -1, ALL)) == 1
            await store.map_run_end(replace(run, status="ABORTED", stopped=BEFORE))
        await remove_expired(store)
        for left in (inner_arn, running_arn):
            assert await store.map_run_get(left) is None

    async def test_revisions_go_with_the_last_execution_of_a_machine_that_is_gone(self, store: Store) -> None:
        await store.machine_update(ARN + "orders", revision("orders", 2))
        first, second = ended(store), ended(store, revision_id="orders-2", stopped=BEFORE)
        await put(store, first, second)
        await run_with_children(store, second.id, 1, revision_id="orders-2")
        await remove_expired(store)
        assert await store.revision_get("orders-1") == revision("orders", 1), "its machine is there"
        await store.machine_delete(ARN + "orders")
        assert await store.machine_remove(ARN + "orders")
        assert await store.revision_get("orders-1") is None
        assert await store.revision_get("orders-2") is not None
        await remove_expired(store, BEFORE + 1)
        assert await store.revision_get("orders-2") is None

    async def test_a_machine_can_be_removed_while_map_runs_of_it_are_left(self, store: Store) -> None:
        row = ended(store)
        await put(store, row)
        await run_with_children(store, row.id, 3)
        await store.executions_remove([row.id], BEFORE)
        await store.machine_delete(ARN + "orders")
        assert await store.machine_remove(ARN + "orders")
        assert await store.revision_get("orders-1") is not None
        await remove_expired(store)
        assert await store.revision_get("orders-1") is None
