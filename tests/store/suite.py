"""What every store must do. A test module of an implementation inherits StoreSuite and gives it two fixtures:
`store`, open and empty but for the state machine `orders`, and `reopen`, which closes it and opens it again.
"""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from tests.store.builders import (
    ACTIVITY_ARN,
    ARN,
    EXECUTION_ARN,
    activity,
    created,
    entry,
    execution,
    listed,
    machine,
)
from tests.store.delivery_suite import DeliverySuite
from tests.store.event_source_suite import EventSourceSuite
from tests.store.function_suite import FunctionSuite
from tests.store.job_suite import JobSuite
from tests.store.layer_suite import LayerSuite
from tests.store.machine_suite import ORDERS, MachineSuite, Reopen, removed
from tests.store.map_run_suite import MapRunSuite
from tests.store.retention_suite import RetentionSuite
from treadle.store.contract import (
    AccessKey,
    Commit,
    Conflict,
    ExecutionFilter,
    ExecutionRow,
    JournalEntry,
    RedriveRecord,
    Store,
)

LONG_TEXT = "ä€😀" * 30_000
HOSTILE_TEXTS = [
    pytest.param("", id="empty"),
    pytest.param("a\x00b", id="a NUL inside"),
    pytest.param("'; DROP TABLE execution; --", id="SQL"),
    pytest.param("\u2028 \U0010ffff \ufffe", id="odd code points"),
    pytest.param(LONG_TEXT, id="larger than any page"),
]


class StoreSuite(
    MachineSuite, FunctionSuite, LayerSuite, MapRunSuite, EventSourceSuite, JobSuite, DeliverySuite, RetentionSuite
):
    # -- the database ---------------------------------------------------------------------------------------

    async def test_secret_stays(self, store: Store, reopen: Reopen) -> None:
        secret = await store.secret()
        assert len(secret) == 32
        assert secret == await (await reopen(store)).secret()

    async def test_ids_grow_over_restarts(self, store: Store, reopen: Reopen) -> None:
        first, second = execution(store, "orders"), execution(store, "orders")
        assert first.id < second.id
        await store.commit([created(second)])
        assert (await reopen(store)).execution_id() > second.id

    async def test_everything_is_there_after_a_restart(self, store: Store, reopen: Reopen) -> None:
        made = execution(store, "orders", wake=5, trace_header="Root=1-5759e988")
        await store.commit([created(made, entry(1, 3))])
        store = await reopen(store)
        assert await store.machine_get(ARN + "orders") == machine("orders")
        assert await store.execution_get(made.arn) == made
        assert await store.journal(made.id) == [entry(1, 3)]
        assert await store.executions_open() == 1

    # -- activities -----------------------------------------------------------------------------------------

    async def test_activity_and_tags(self, store: Store, reopen: Reopen) -> None:
        made = activity("pack", encryption='{"type":"AWS_OWNED_KEY"}')
        await store.activity_create(made, {"team": "blue", "": "é"})
        await store.activity_create(activity("ship"), {})
        store = await reopen(store)
        assert await store.activity_get(made.arn) == made
        assert await store.activity_tags(made.arn) == {"team": "blue", "": "é"}
        assert await store.activity_get(ACTIVITY_ARN + "none") is None
        assert await store.activity_tags(ACTIVITY_ARN + "none") == {}
        assert sorted(await store.activity_arns()) == [made.arn, ACTIVITY_ARN + "ship"]

    async def test_activity_arn_is_taken(self, store: Store) -> None:
        await store.activity_create(activity("pack"), {"a": "1"})
        with pytest.raises(Conflict):
            await store.activity_create(activity("pack", created=9), {"b": "2"})
        assert await store.activity_get(ACTIVITY_ARN + "pack") == activity("pack")
        assert await store.activity_tags(ACTIVITY_ARN + "pack") == {"a": "1"}

    async def test_activity_delete_takes_its_tags(self, store: Store) -> None:
        arn = ACTIVITY_ARN + "pack"
        await store.activity_create(activity("pack"), {"a": "1"})
        for _ in range(2):
            await store.activity_delete(arn)
        assert await store.activity_get(arn) is None
        await store.activity_create(activity("pack"), {})
        assert await store.activity_tags(arn) == {}

    async def test_activity_tags_change(self, store: Store) -> None:
        arn = ACTIVITY_ARN + "pack"
        await store.activity_create(activity("pack"), {"b": "1", "a": "1"})
        await store.activity_tag(arn, {"a": "2", "": ""})
        assert list((await store.activity_tags(arn)).items()) == [("", ""), ("a", "2"), ("b", "1")]
        await store.activity_untag(arn, ["b", "none"])
        assert await store.activity_tags(arn) == {"": "", "a": "2"}
        with pytest.raises(Conflict):
            await store.activity_tag(ACTIVITY_ARN + "none", {"a": "1"})

    async def test_activity_list_by_arn(self, store: Store) -> None:
        names = ["b", "a", "é", "a-1", "Z"]
        for name in names:
            await store.activity_create(activity(name), {})
        elsewhere = activity("a", arn="arn:aws:states:us-east-1:000000000000:activity:a")
        await store.activity_create(elsewhere, {})
        assert await store.activity_count(ACTIVITY_ARN) == len(names)
        found = [each.name for each in await store.activity_list(ACTIVITY_ARN, None, 10)]
        assert found == ["Z", "a", "a-1", "b", "é"]
        page = await store.activity_list(ACTIVITY_ARN, ACTIVITY_ARN + "a", 2)
        assert [each.name for each in page] == ["a-1", "b"]

    # -- access keys ----------------------------------------------------------------------------------------

    async def test_access_keys(self, store: Store, reopen: Reopen) -> None:
        assert await store.access_key_list() == []
        second = AccessKey(id="K2", secret="s2", account="000000000002", description="é", created=2_000)
        first = AccessKey(id="K1", secret="s1", account="000000000001", description="", created=2_000)
        oldest = AccessKey(id="K3", secret="s3", account="000000000001", description="", created=1_000)
        for key in (second, first, oldest):
            await store.access_key_create(key)
        with pytest.raises(Conflict):
            await store.access_key_create(replace(first, secret="another"))
        store = await reopen(store)
        assert await store.access_key_list() == [oldest, first, second]

    async def test_a_revoked_access_key_stays(self, store: Store) -> None:
        key = AccessKey(id="K1", secret="s1", account="000000000001", description="", created=1_000)
        await store.access_key_create(key)
        await store.access_key_revoke("K1", 5_000)
        await store.access_key_revoke("K1", 6_000)
        await store.access_key_revoke("none", 6_000)
        assert await store.access_key_list() == [replace(key, revoked=5_000)]

    # -- executions: commit ---------------------------------------------------------------------------------

    async def test_life_of_an_execution(self, store: Store) -> None:
        made = execution(store, "orders", wake=0)
        await store.commit([created(made, entry(1, 2))])
        assert await store.execution_get(made.arn) == made
        done = replace(made, status="SUCCEEDED", stopped=9, output='{"ok": true}', wake=None)
        await store.commit([Commit(execution=done, entry=entry(3, 4))])
        assert await store.execution_get(made.arn) == done
        assert await store.journal(made.id) == [entry(1, 2), entry(3, 4)]

    async def test_absent_execution(self, store: Store) -> None:
        assert await store.execution_get(EXECUTION_ARN + "orders:none") is None
        assert await store.journal(7) == []
        assert await store.journal_page(7, 1, 10) == []
        assert await store.journal_last_event(7) == 0

    async def test_only_the_columns_that_may_change_do(self, store: Store) -> None:
        made = execution(store, "orders", trace_header="t")
        await store.commit([created(made)])
        hollow = replace(made, input="", name="x", trace_header=None, started=1, status="FAILED", error="E")
        await store.commit([Commit(execution=hollow)])
        assert await store.execution_get(made.arn) == replace(made, status="FAILED", error="E")

    @pytest.mark.parametrize("text", HOSTILE_TEXTS)
    async def test_texts_come_back_as_they_were(self, store: Store, text: str) -> None:
        made = execution(store, "orders", input=text, trace_header=text)
        await store.commit([created(made)])
        failed = replace(made, status="FAILED", output=text, error=text, cause=text)
        await store.commit([Commit(execution=failed)])
        assert await store.execution_get(made.arn) == failed

    @pytest.mark.parametrize("events", [b"", b"\x00\xff" * 5, b"\x01" * 3_000_000], ids=len)
    async def test_entries_come_back_as_they_were(self, store: Store, events: bytes) -> None:
        made = execution(store, "orders")
        await store.commit([created(made, JournalEntry(1, 2, events))])
        assert await store.journal(made.id) == [JournalEntry(1, 2, events)]

    async def test_taken_name_undoes_the_whole_batch(self, store: Store) -> None:
        first = execution(store, "orders", "same")
        await store.commit([created(first, entry(1, 1))])
        other, second = execution(store, "orders"), execution(store, "orders", "same")
        moved = replace(first, status="ABORTED")
        with pytest.raises(Conflict):
            await store.commit([created(other, entry(1, 1)), created(second, entry(1, 1)), Commit(execution=moved)])
        assert await store.execution_get(other.arn) is None
        assert await store.execution_get(first.arn) == first
        assert await store.journal(other.id) == await store.journal(second.id) == []
        assert await store.executions_open() == 1

    async def test_execution_without_row_or_revision_is_refused(self, store: Store) -> None:
        unknown = execution(store, "orders")
        homeless = execution(store, "orders", revision_id="none")
        for commit in (Commit(execution=unknown, entry=entry(1, 1)), created(homeless, entry(1, 1))):
            with pytest.raises(Conflict):
                await store.commit([commit])
            assert await store.journal(commit.execution.id) == []
            assert await store.execution_get(commit.execution.arn) is None

    async def test_one_execution_several_times_in_a_batch(self, store: Store) -> None:
        made = execution(store, "orders")
        steps = [Commit(execution=replace(made, wake=n), entry=entry(n, n)) for n in range(2, 6)]
        await store.commit([created(made, entry(1, 1)), *steps])
        assert await store.execution_get(made.arn) == replace(made, wake=5)
        assert await store.journal(made.id) == [entry(n, n) for n in range(1, 6)]

    async def test_a_row_that_is_unchanged_is_not_written(self, store: Store) -> None:
        """(It says so here of one that is not, to tell the difference.)"""
        made = execution(store, "orders")
        step = Commit(execution=replace(made, wake=9), row_unchanged=True, entry=entry(2, 2))
        await store.commit([created(made, entry(1, 1)), step])
        await store.commit([replace(step, entry=entry(3, 3))])
        assert await store.execution_get(made.arn) == made
        assert await store.journal(made.id) == [entry(n, n) for n in range(1, 4)]

    async def test_batches_take_effect_in_the_order_they_were_handed_over(self, store: Store) -> None:
        made = execution(store, "orders")
        batches = [[created(made, entry(1, 1))]]
        batches += [[Commit(execution=replace(made, wake=n), entry=entry(n, n))] for n in range(2, 200)]
        await asyncio.gather(*(store.commit(batch) for batch in batches))
        assert await store.execution_get(made.arn) == replace(made, wake=199)
        assert await store.journal(made.id) == [entry(n, n) for n in range(1, 200)]

    async def test_conflict_hurts_only_its_own_batch(self, store: Store) -> None:
        runs = [execution(store, "orders", "same" if n % 3 == 0 else None) for n in range(30)]
        answers = await asyncio.gather(
            *(store.commit([created(run, entry(1, 1))]) for run in runs), return_exceptions=True
        )
        winners = [run for n, run in enumerate(runs) if n % 3 or n == 0]
        assert [run for run, answer in zip(runs, answers, strict=True) if answer is None] == winners
        assert all(isinstance(answer, Conflict) for answer in answers if answer is not None)
        for run in runs:
            assert bool(await store.journal(run.id)) == (run in winners)
        assert await store.executions_open() == len(winners)

    async def test_broken_value_hurts_only_its_own_batch(self, store: Store) -> None:
        good, bad = execution(store, "orders"), execution(store, "orders", input="\ud800")
        answers = await asyncio.gather(
            store.commit([created(bad, entry(1, 1))]), store.commit([created(good)]), return_exceptions=True
        )
        assert isinstance(answers[0], UnicodeError)
        assert answers[1] is None
        assert await store.execution_get(bad.arn) is None
        assert await store.execution_get(good.arn) == good

    async def test_cancelled_caller_leaves_the_others_alone(self, store: Store) -> None:
        runs = [execution(store, "orders") for _ in range(3)]
        tasks = [asyncio.create_task(store.commit([created(run)])) for run in runs]
        asyncio.get_running_loop().call_soon(tasks[1].cancel)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(answer) for answer in answers] == [type(None), asyncio.CancelledError, type(None)]
        assert await store.execution_get(runs[2].arn) == runs[2]

    # -- executions: listings -------------------------------------------------------------------------------

    async def test_list_newest_first_by_machine_and_status(self, store: Store) -> None:
        await store.machine_create(machine("billing"), {})
        runs = [
            execution(store, "orders", started=started, status=status, output="{}")
            for started, status in ((5, "RUNNING"), (7, "FAILED"), (7, "RUNNING"), (6, "RUNNING"))
        ]
        await store.commit([created(run) for run in [*runs, execution(store, "billing", started=8)]])
        newest_first = [listed(runs[n]) for n in (2, 1, 3, 0)]
        assert await store.execution_list(ORDERS, None, 10) == newest_first
        for status in ("RUNNING", "FAILED", "TIMED_OUT"):
            where = ExecutionFilter(machine_arn=ARN + "orders", status=status)
            expected = [run for run in newest_first if run.status == status]
            assert await store.execution_list(where, None, 10) == expected
        assert await store.execution_list(ExecutionFilter(machine_arn=ARN + "none"), None, 10) == []

    @pytest.mark.parametrize("status", [None, "RUNNING"])
    async def test_pages_hold_still_while_executions_come(self, store: Store, status: None) -> None:
        where = replace(ORDERS, status=status)
        runs = [execution(store, "orders", started=100 + n // 3) for n in range(20)]
        await store.commit([created(run) for run in runs])
        seen: list[ExecutionRow] = []
        before = None
        while page := await store.execution_list(where, before, 3):
            seen += page
            before = (page[-1].listed, page[-1].id)
            await store.commit([created(execution(store, "orders", started=1_000))])
        assert seen == [listed(run) for run in reversed(runs)]

    async def test_list_by_the_end_or_the_last_beginning(self, store: Store) -> None:
        runs = [execution(store, "orders", started=started) for started in (1, 2, 3, 4, 5)]
        await store.commit([created(run) for run in runs])
        ended = [replace(runs[n], status="FAILED", stopped=stopped) for n, stopped in ((0, 9), (1, 7), (2, 7))]
        await store.commit([Commit(execution=run) for run in ended])
        again = replace(ended[0], status="RUNNING", stopped=None, redrives=1, redriven=10)
        await store.commit([Commit(execution=again, redrive=RedriveRecord("once", 10))])
        newest_first = [listed(run) for run in (again, ended[2], ended[1], runs[4], runs[3])]
        assert [run.listed for run in newest_first] == [10, 7, 7, 5, 4]
        for size in (1, 2, 10):
            seen: list[ExecutionRow] = []
            before = None
            while page := await store.execution_list(ORDERS, before, size):
                seen += page
                before = (page[-1].listed, page[-1].id)
            assert seen == newest_first

    async def test_list_by_redrive(self, store: Store) -> None:
        runs = [
            execution(store, "orders", status=status, stopped=None if status == "RUNNING" else 9, **through)
            for status in ("RUNNING", "FAILED")
            for through in ({}, {"version": 1}, {"version": 1, "alias": "PROD"})
            for _ in range(2)
        ]
        await store.commit([created(run) for run in runs])
        redriven = [replace(run, redrives=1, redriven=8) for run in runs[::2]]
        await store.commit([Commit(execution=run) for run in redriven])
        for where in (
            ORDERS,
            replace(ORDERS, status="FAILED"),
            replace(ORDERS, version=1),
            replace(ORDERS, alias="PROD", status="RUNNING"),
        ):
            everything = await store.execution_list(where, None, 100)
            for wanted in (True, False):
                found = await store.execution_list(replace(where, redriven=wanted), None, 100)
                assert found == [run for run in everything if (run.redrives > 0) == wanted]
                assert found

    async def test_due_longest_first(self, store: Store) -> None:
        wakes = (30, 0, None, 10, 10, 40, 0)
        runs = [execution(store, "orders", wake=wake) for wake in wakes]
        over = execution(store, "orders", wake=5, status="ABORTED")
        await store.commit([created(run) for run in [*runs, over]])
        due = [listed(runs[n]) for n in (1, 6, 3, 4, 0)]
        assert await store.executions_due(30, None, 10) == due
        assert await store.executions_due(9, None, 10) == due[:2]
        seen: list[ExecutionRow] = []
        after = None
        while page := await store.executions_due(30, after, 2):
            seen += page
            assert page[-1].wake is not None
            after = (page[-1].wake, page[-1].id)
        assert seen == due
        await store.commit([Commit(execution=replace(runs[1], wake=99))])
        assert await store.executions_due(30, None, 10) == due[1:]

    async def test_open_executions_are_counted(self, store: Store) -> None:
        runs = [execution(store, "orders") for _ in range(5)]
        closed = execution(store, "orders", status="SUCCEEDED")
        await store.commit([created(run) for run in [*runs, closed]])
        assert await store.executions_open() == 5
        over = [Commit(execution=replace(run, status="FAILED")) for run in runs[:3]]
        await store.commit([*over, *over, Commit(execution=replace(runs[3], wake=4))])
        assert await store.executions_open() == 2
        await store.commit([Commit(execution=replace(runs[0], status="RUNNING"))])
        assert await store.executions_open() == 3

    # -- journals -------------------------------------------------------------------------------------------

    async def test_a_redriven_execution_runs_again(self, store: Store, reopen: Reopen) -> None:
        run = execution(store, "orders")
        ended = replace(run, status="FAILED", stopped=10, error="E", cause="c")
        await store.commit([created(run, entry(1, 5)), Commit(execution=ended, entry=entry(6, 8))])
        assert await store.executions_open() == 0
        again = replace(run, redrives=1, redriven=20, wake=0)
        first = Commit(execution=again, entry=entry(9, 12), redrive=RedriveRecord("first", 20))
        await store.commit([first])
        store = await reopen(store)
        assert await store.execution_get(run.arn) == again
        assert await store.executions_open() == 1
        assert [row.id for row in await store.executions_due(0, None, 10)] == [run.id]
        await store.commit([Commit(execution=replace(ended, redrives=1, redriven=20))])
        twice = replace(again, redrives=2, redriven=30)
        await store.commit([Commit(execution=twice, redrive=RedriveRecord("second", 30))])
        assert await store.redrives(run.id, 10) == [RedriveRecord("second", 30), RedriveRecord("first", 20)]
        assert await store.redrives(run.id, 1) == [RedriveRecord("second", 30)]
        assert await store.redrives(run.id + 1, 10) == []
        assert not await removed(store, "orders")

    @pytest.mark.parametrize("why", ["it runs", "its machine is being deleted", "its machine is gone"])
    async def test_what_cannot_be_redriven(self, store: Store, why: str) -> None:
        run, other = execution(store, "orders"), execution(store, "orders")
        ended = replace(run, status="FAILED", stopped=10)
        await store.commit([created(ended), created(other)])
        if why == "it runs":
            ended = replace(run, redrives=1, redriven=15)
            await store.commit([Commit(execution=ended, redrive=RedriveRecord("first", 15))])
        else:
            await store.machine_delete(ARN + "orders")
        if why == "its machine is gone":
            await store.commit([Commit(execution=replace(other, status="FAILED", stopped=11))])
            assert await store.machine_remove(ARN + "orders")
        before = [await store.execution_get(each.arn) for each in (run, other)]
        again = replace(run, redrives=2, redriven=20)
        moved = Commit(execution=replace(other, status="ABORTED", stopped=12))
        with pytest.raises(Conflict):
            await store.commit([moved, Commit(execution=again, entry=entry(9, 9), redrive=RedriveRecord("t", 20))])
        assert [await store.execution_get(each.arn) for each in (run, other)] == before
        assert await store.journal(run.id) == []
        assert len(await store.redrives(run.id, 10)) == ended.redrives

    async def test_notes_stand_where_they_were_committed(self, store: Store) -> None:
        made = execution(store, "orders")
        entries = [
            entry(1, 3),
            JournalEntry(0, 0, b"note"),
            entry(4, 4),
            JournalEntry(0, 0, b"note"),
            entry(5, 9),
        ]
        await store.commit([created(made, entries[0])])
        for each in entries[1:]:
            await store.commit([Commit(execution=made, entry=each)])
        assert await store.journal(made.id) == entries
        assert await store.journal_last_event(made.id) == 9

    @pytest.mark.parametrize(
        ("first", "last", "expected"),
        [
            (1, 1, [0]),
            (1, 3, [0]),
            (3, 4, [0, 1]),
            (4, 4, [1]),
            (5, 8, [2]),
            (2, 5, [0, 1, 2]),
            (0, 100, [0, 1, 2]),
            (9, 100, [2]),
            (10, 100, []),
            (4, 3, []),
        ],
    )
    async def test_journal_page(self, store: Store, first: int, last: int, expected: list[int]) -> None:
        made, other = execution(store, "orders"), execution(store, "orders")
        entries = [entry(1, 3), entry(4, 4), entry(5, 9)]
        await store.commit([created(made), created(other, entry(1, 20))])
        for each in entries:
            notes = JournalEntry(0, 0, b"note")
            await store.commit([Commit(execution=made, entry=each), Commit(execution=made, entry=notes)])
        assert await store.journal_page(made.id, first, last) == [entries[n] for n in expected]

    @pytest.mark.parametrize(("most_bytes", "fitting"), [(1, 1), (20, 1), (21, 2), (50, 2), (51, 4), (1_000, 4)])
    async def test_journals_of_many(self, store: Store, most_bytes: int, fitting: int) -> None:
        first, second, third, other = (execution(store, "orders") for _ in range(4))
        entries = [JournalEntry(1, 3, b"a" * 20), JournalEntry(4, 4, b"b" * 30), JournalEntry(0, 0, b"c")]
        await store.commit([created(second, entries[1]), created(first, entries[0]), created(other, entry(1, 2))])
        await store.commit([created(third, entries[1]), Commit(execution=third, entry=entries[2])])
        asked = [first.id, second.id, 7_777, third.id]
        journals = {first.id: entries[:1], second.id: entries[1:2], 7_777: [], third.id: entries[1:]}
        answer = await store.journals(asked, most_bytes)
        assert answer == {number: journals[number] for number in asked[:fitting]}

    async def test_statuses_of_many(self, store: Store) -> None:
        running, over = execution(store, "orders"), execution(store, "orders", status="FAILED")
        await store.commit([created(running), created(over)])
        assert await store.execution_statuses([over.arn, ARN + "none", running.arn, over.arn]) == {
            running.arn: (running.id, "RUNNING"),
            over.arn: (over.id, "FAILED"),
        }
        assert await store.execution_statuses([]) == {}

    async def test_no_journals(self, store: Store) -> None:
        assert await store.journals([], 100) == {}

    async def test_readers_see_whole_batches_while_others_are_written(self, store: Store) -> None:
        left, right = execution(store, "orders"), execution(store, "orders")
        await store.commit([created(left, entry(1, 1)), created(right, entry(1, 1))])

        async def write() -> None:
            for n in range(2, 150):
                await store.commit([Commit(execution=run, entry=entry(n, n)) for run in (left, right)])

        writing = asyncio.create_task(write())
        seen = 1
        while not writing.done():
            before = await store.journal_last_event(left.id)
            journal = await store.journal(right.id)
            after = await store.journal_last_event(left.id)
            assert seen <= before <= len(journal) <= after
            assert journal == [entry(n, n) for n in range(1, len(journal) + 1)]
            seen = after
        await writing
        assert len(await store.journal(right.id)) == 149
