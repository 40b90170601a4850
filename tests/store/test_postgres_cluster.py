"""What nodes on one PostgreSQL see of each other, and what becomes of one whose session ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from msgspec.structs import replace

from tests.store.builders import alias, created, execution, machine
from treadle.clock import SystemClock
from treadle.limits import DEFAULT_LIMITS
from treadle.store.cluster_contract import Notice, Request, shard_of
from treadle.store.contract import AccessKey, Activity, Publication, StoreUnavailable
from treadle.store.event_source_contract import EventSourceMapping
from treadle.store.function_contract import FunctionAlias, FunctionVersion
from treadle.store.postgres.cluster import PostgresCluster

LIMITS = replace(DEFAULT_LIMITS, node_silence_seconds=2)


class Ears:
    """Remembers what a node was told."""

    def __init__(self) -> None:
        self.notices: asyncio.Queue[Notice] = asyncio.Queue()
        self.losses: list[str] = []
        self.lost_now = asyncio.Event()
        self.listens = asyncio.Event()

    def lost(self, reason: str) -> None:
        self.losses.append(reason)
        self.lost_now.set()

    def heard(self, notice: Notice) -> None:
        self.notices.put_nowait(notice)

    def missed(self) -> None:
        self.listens.set()

    async def next(self) -> Notice:
        async with asyncio.timeout(10):
            return await self.notices.get()


class Member:
    def __init__(self, url: str) -> None:
        self.ears = Ears()
        self.cluster = PostgresCluster(url, SystemClock(), LIMITS)

    async def join(self) -> None:
        await self.cluster.open()
        await self.cluster.join(self.ears)
        async with asyncio.timeout(10):
            await self.ears.listens.wait()


@pytest.fixture
async def members(url: str) -> AsyncIterator[list[Member]]:
    """Two that have joined."""
    made = [Member(url), Member(url)]
    for member in made:
        await member.join()
    yield made
    for member in made:
        await member.cluster.close()


async def ended_session(url: str, member: Member) -> None:
    """PostgreSQL ends the session."""
    connection = await asyncpg.connect(url)
    await connection.execute("SELECT pg_terminate_backend($1)", member.cluster._session)
    await connection.close()
    async with asyncio.timeout(10):
        await member.ears.lost_now.wait()


async def test_a_shard_has_one_holder(members: list[Member]) -> None:
    here, there = [member.cluster for member in members]
    assert set(await here.take([1, 2, 3])) == {1, 2, 3}
    assert set(await there.take([2, 3, 4])) == {4}
    survey = await there.survey()
    assert set(survey.nodes) == {here.node, there.node}
    assert survey.held == {1: here.node, 2: here.node, 3: here.node, 4: there.node}
    await here.let_go(2)
    assert set(await there.take([1, 2])) == {2}
    await here.withdraw()
    survey = await there.survey()
    assert set(survey.nodes) == {there.node}
    assert set(survey.held) == {1, 2, 3, 4}


async def test_ids_are_in_shards_that_are_held(members: list[Member]) -> None:
    here, there = [member.cluster for member in members]
    with pytest.raises(StoreUnavailable):
        here.store.execution_id()
    await here.take([1, 2])
    assert {shard_of(here.store.execution_id()) for _ in range(200)} == {1, 2}
    here.retire(1)
    assert {shard_of(here.store.execution_id()) for _ in range(200)} == {2}
    assert shard_of(here.store.execution_id(beside=1 << 48)) == 1
    here.retire(2)
    assert {shard_of(here.store.execution_id()) for _ in range(200)} == {1, 2}, "there is no other"
    last = max(here.store.execution_id() for _ in range(200))
    await here.let_go(2)
    await here.take([2])
    assert here.store.execution_id(beside=2 << 48) > last, "what only memory knows keeps its id"
    with pytest.raises(StoreUnavailable):
        there.store.execution_id(beside=1 << 48)


async def test_who_has_lost_a_shard_writes_nothing(members: list[Member], url: str) -> None:
    here, there = members
    await here.cluster.take([1])
    await here.cluster.store.machine_create(machine("orders"), {})
    mine = execution(here.cluster.store, "orders", "mine")
    await here.cluster.store.commit([created(mine)])
    late = execution(here.cluster.store, "orders", "late")
    await ended_session(url, here)
    assert set(await there.cluster.take([1])) == {1}
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await here.cluster.store.commit([created(late)])
        await here.cluster.join(here.ears)
    assert await there.cluster.store.execution_get(late.arn) is None
    assert await here.cluster.store.execution_get(mine.arn) is not None, "reading goes on"
    assert there.cluster.store.execution_id() > mine.id


async def test_a_silent_session_is_ended(members: list[Member]) -> None:
    here, there = members
    await here.cluster.take([1])
    async with asyncio.timeout(20):
        await here.ears.lost_now.wait()
        await there.ears.lost_now.wait()
    await there.cluster.join(there.ears)
    assert set(await there.cluster.take([1])) == {1}


async def test_due_executions_of_some_shards(members: list[Member]) -> None:
    here, _ = members
    store = here.cluster.store
    await here.cluster.take([1, 2])
    await store.machine_create(machine("orders"), {})
    rows = [replace(execution(store, "orders", f"e{shard}"), id=(shard << 48) + 1, wake=5) for shard in (1, 2)]
    await store.commit([created(row) for row in rows])
    assert [row.id for row in await store.executions_due(9, None, 9, [2])] == [rows[1].id]
    assert await store.executions_due(9, None, 9, [3]) == []


# -- requests ----------------------------------------------------------------------------------------------------------


async def test_a_question_and_its_answer(members: list[Member]) -> None:
    here, there = members
    await here.cluster.ask(Request(7, 3, b"question"))
    assert await there.ears.next() == Notice("asked", "3:7")
    assert await there.cluster.asked([3]) == [Request(7, 3, b"question")]
    assert await there.cluster.asked([3], 8) == await there.cluster.asked([4]) == []
    assert await here.cluster.take_answers([7]) == {}
    await there.cluster.answer(7, b"answer")
    await there.cluster.answer(7, b"another")
    assert await there.cluster.asked([3]) == []
    assert await here.cluster.take_answers([7, 8]) == {7: b"answer", 8: None}
    assert await here.cluster.take_answers([7]) == {7: None}


async def test_an_answer_is_committed_with_what_it_answers_for(members: list[Member]) -> None:
    here, there = members
    await there.cluster.take([1])
    store = there.cluster.store
    await store.machine_create(machine("orders"), {})
    row = execution(store, "orders", "e")
    await here.cluster.ask(Request(7, 1, b"question"))
    await store.commit([replace(created(row), answers=((7, b"answer"), (8, b"of nobody")))])
    assert await here.cluster.take_answers([7]) == {7: b"answer"}


async def test_questions_that_nobody_needs_any_more(members: list[Member]) -> None:
    here, there = members
    await here.cluster.ask(Request(7, 1, b""))
    await here.cluster.ask(Request(8, 1, b""))
    await there.cluster.answer(7, b"answer")
    await here.cluster.forget_request(8)
    await here.cluster.forget_answers(SystemClock().now() - 60_000)
    assert (await here.cluster.take_answers([7, 8]))[8] is None
    await here.cluster.ask(Request(9, 1, b""))
    await there.cluster.answer(9, b"answer")
    await here.cluster.forget_answers(SystemClock().now() + 60_000)
    assert await here.cluster.take_answers([9]) == {9: None}


# -- notices -----------------------------------------------------------------------------------------------------------

ARN = machine("orders").arn
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
Change = Callable[[PostgresCluster], Awaitable[object]]


async def _function(cluster: PostgresCluster) -> None:
    version = FunctionVersion(
        function_arn=FUNCTION,
        number=0,
        revision_id="r",
        settings="{}",
        code_sha256="s",
        code_bytes=1,
        modified=0,
    )
    await cluster.store.function_create(version, b"z", {})


async def _function_alias(cluster: PostgresCluster) -> None:
    await _function(cluster)
    await cluster.store.function_alias_create(
        FunctionAlias(function_arn=FUNCTION, name="a", description="", version=0, revision_id="r")
    )


async def _aliased(cluster: PostgresCluster) -> None:
    await cluster.store.machine_create(machine("orders"), {}, Publication(description=None, created=0))
    made = alias("orders", "a", (1, 100))
    await cluster.store.alias_create(made)
    await cluster.store.alias_update(replace(made, updated=5_000))


MAPPING = EventSourceMapping(
    arn="arn:m", function_arn=FUNCTION, source_arn="arn:s", enabled=True, settings="{}", tags="{}", modified=0
)
CHANGES: dict[str, tuple[Change, Notice]] = {
    "machine": (lambda it: it.store.machine_create(machine("orders"), {}), Notice("machine", ARN)),
    "alias": (_aliased, Notice("machine", ARN)),
    "activity": (
        lambda it: it.store.activity_create(Activity(arn="arn:a", name="a", encryption="{}", created=0), {}),
        Notice("activity", "arn:a"),
    ),
    "access key": (
        lambda it: it.store.access_key_create(
            AccessKey(id="k", secret="s", account="123456789012", description="", created=0)
        ),
        Notice("access_key", "k"),
    ),
    "function": (_function, Notice("function", FUNCTION)),
    "function alias": (_function_alias, Notice("function", FUNCTION)),
    "event source": (lambda it: it.store.mapping_create(MAPPING), Notice("event_source", "arn:m")),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_the_database_tells_of_changes(members: list[Member], what: str) -> None:
    change, notice = CHANGES[what]
    await change(members[0].cluster)
    async with asyncio.timeout(10):
        while await members[1].ears.next() != notice:
            pass


async def test_notices_go_on_after_their_connection_broke(members: list[Member], url: str) -> None:
    here, there = members
    there.ears.listens.clear()
    assert there.cluster._ear is not None
    there.cluster._ear.terminate()
    async with asyncio.timeout(10):
        await there.ears.listens.wait()
    await here.cluster.tell([Notice("wanted", "arn:a", 5)])
    assert await there.ears.next() == Notice("wanted", "arn:a", 5)
