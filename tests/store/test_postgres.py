"""PostgresStore passes the suite; and what is particular to a server: encodings, migrations, sessions that are lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from tests.postgres import PostgresServer
from tests.store.builders import ARN, created, entry, execution, machine
from tests.store.machine_suite import Reopen
from tests.store.suite import StoreSuite
from treadle.clock import SystemClock
from treadle.limits import DEFAULT_LIMITS
from treadle.store.cluster_contract import Hears, Notice
from treadle.store.contract import Commit, Store, StoreUnavailable, StoreUnusable
from treadle.store.postgres import PostgresStore, cluster, commits, texts
from treadle.store.postgres.address import Address
from treadle.store.postgres.cluster import PostgresCluster
from treadle.store.postgres.schema import bring_up_to_date
from treadle.store.postgres.sql import MIGRATIONS, STATEMENTS, Statement, translate
from treadle.store.postgres.writer import PostgresSession
from treadle.store.sql.session import LARGE, Job, Session


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = PostgresStore(url)
    await opened.open()
    await opened.machine_create(machine("orders"), {})
    yield opened
    await opened.close()


@pytest.fixture
async def reopen(url: str) -> AsyncIterator[Reopen]:
    opened = []

    async def again(store: Store) -> Store:
        await store.close()
        opened.append(PostgresStore(url))
        await opened[-1].open()
        return opened[-1]

    yield again
    for store in opened:
        await store.close()


class TestSuite(StoreSuite):
    """All of the suite, on a server."""


async def refusal(url: str) -> str:
    with pytest.raises((StoreUnusable, StoreUnavailable)) as refused:
        await PostgresStore(url).open()
    return str(refused.value)


# -- the schema --------------------------------------------------------------------------------------------------


@pytest.fixture
async def empty_url(server: PostgresServer) -> AsyncIterator[str]:
    """Of a database in which nothing is."""
    yield server.create("empty")
    server.drop("empty")


async def migrated(url: str, migrations: Sequence[str]) -> None:
    connection = await Address(url).connect("test")
    try:
        await bring_up_to_date(connection, "here", migrations)
    finally:
        await connection.close()


async def test_newer_schema_is_refused_naming_both_versions(empty_url: str) -> None:
    await migrated(empty_url, [*MIGRATIONS, "CREATE TABLE more (x bigint);"])
    known = len(MIGRATIONS)
    assert f"schema version {known + 1}; this Treadle knows versions up to {known}" in await refusal(empty_url)


async def test_migrations_go_forwards_and_keep_what_was_there(empty_url: str) -> None:
    await migrated(empty_url, MIGRATIONS)
    store = PostgresStore(empty_url)
    await store.open()
    secret = await store.secret()
    await store.close()
    newer = [*MIGRATIONS, "CREATE TABLE more (x bigint);", "INSERT INTO more VALUES (7);"]
    for _ in range(2):
        await migrated(empty_url, newer)
        connection = await Address(empty_url).connect("test")
        assert await connection.fetchval("SELECT schema_version FROM meta") == len(newer)
        assert [row["x"] for row in await connection.fetch("SELECT x FROM more")] == [7]
        assert await connection.fetchval("SELECT secret FROM meta") == secret
        await connection.close()


async def test_failed_migration_leaves_the_old_schema(empty_url: str) -> None:
    await migrated(empty_url, MIGRATIONS)
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await migrated(empty_url, [*MIGRATIONS, "CREATE TABLE more (x bigint);", "no SQL;"])
    connection = await Address(empty_url).connect("test")
    assert await connection.fetchval("SELECT schema_version FROM meta") == len(MIGRATIONS)
    assert await connection.fetchval("SELECT to_regclass('treadle.more')::oid") is None
    await connection.close()


async def test_nodes_that_begin_a_database_at_the_same_moment(empty_url: str) -> None:
    await asyncio.gather(*(migrated(empty_url, MIGRATIONS) for _ in range(6)))
    store = PostgresStore(empty_url)
    await store.open()
    assert await store.executions_open() == 0
    await store.close()


async def test_the_database_may_hold_other_tables(server: PostgresServer, empty_url: str) -> None:
    server.execute("CREATE TABLE execution (x int); CREATE TABLE meta (y int)", "empty")
    store = PostgresStore(empty_url)
    await store.open()
    await store.machine_create(machine("orders"), {})
    await store.close()
    assert server.execute("SELECT count(*) FROM public.execution", "empty").strip() == "0"


async def test_databases_that_cannot_be_used(server: PostgresServer, empty_url: str) -> None:
    server.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    assert "has the encoding LATIN1" in await refusal(server.url("latin"))
    server.drop("latin")
    assert "does not exist" in await refusal(server.url("nowhere"))
    server.execute("DROP ROLE IF EXISTS nobody; CREATE ROLE nobody LOGIN")
    assert "cannot be made" in await refusal(empty_url.replace("treadle@", "nobody@"))


async def test_who_is_given_the_schema_needs_nothing_else(server: PostgresServer, empty_url: str) -> None:
    server.execute(
        "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN; CREATE SCHEMA treadle AUTHORIZATION guest", "empty"
    )
    store = PostgresStore(empty_url.replace("treadle@", "guest@"))
    await store.open()
    await store.machine_create(machine("orders"), {})
    await store.close()


async def test_the_first_of_several_hosts_that_writes(server: PostgresServer, empty_url: str) -> None:
    hosts = empty_url.replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:") + "?target_session_attrs=read-write"
    store = PostgresStore(hosts)
    await store.open()
    assert await store.executions_open() == 0
    await store.close()


async def test_a_server_that_is_not_there() -> None:
    refused = await refusal("postgresql://me:secret@127.0.0.1:1/orders")
    assert "the PostgreSQL database orders at 127.0.0.1:1 cannot be used at the moment" in refused
    assert "secret" not in refused


def walks(plan: Mapping[str, Any], limited: bool = False) -> Iterator[str]:
    """The steps that read all of a table or an index, or put rows in order."""
    index = plan.get("Index Name")
    first_rows = limited and "Filter" not in plan
    if plan["Node Type"] == "Seq Scan" or (index is not None and "Index Cond" not in plan and not first_rows):
        yield f"{plan['Node Type']} {index or plan['Relation Name']}"
    elif "Sort" in plan["Node Type"]:
        yield plan["Node Type"]
    for below in plan.get("Plans", ()):
        yield from walks(below, plan["Node Type"] == "Limit")


_WALKS = {
    "secret": ["Seq Scan meta"],
    # A row for each shard.
    "executions_open": ["Seq Scan running"],
    # Read once, as a node starts.
    "activity_arns": ["Index Only Scan activity_pkey"],
    # Read as a node starts, and when keys change.
    "access_key_list": ["Sort", "Seq Scan access_key"],
    # An index of nothing else.
    "machines_deleting": ["Index Only Scan machine_deleting"],
    "map_runs_running": ["Index Scan map_run_running"],
    "map_run_configure": ["Index Scan map_run_running"],
    "map_run_end": ["Index Scan map_run_running"],
    "executions_expired": ["Index Only Scan machine_arn_pkey", "Index Scan map_run_running"],
    "removal_insert": ["Index Scan map_run_running"],
    "removals": ["Index Scan removal_pkey", "Index Scan map_run_running"],
    # An index of the few requests that have no answer.
    "commit of answered": ["Index Scan request_open"],
    "commit of everything": ["Index Scan request_open"],
    # The aliases of one page, whose routes join them.
    "alias_list": ["Incremental Sort"],
    # Counted for whoever asks how much waits, without reading any of it.
    "delivery_count": ["Index Only Scan delivery_due"],
    # The entries of one execution, or of some.
    "journal": ["Sort"],
    "journals": ["Sort"],
    # Of a few shards.
    "requests_open": ["Sort"],
}


@pytest.fixture(scope="module")
def unknown_url(server: PostgresServer) -> str:
    """Of a database of whose tables PostgreSQL knows nothing yet."""
    return server.create("unknown")


_TEXTS = {
    **{name: statement.text for name, statement in STATEMENTS.items()},
    **{f"commit of {part.name}": commits.statement((part,)) for part in commits.PARTS},
    "commit of everything": commits.statement(commits.PARTS),
}


@pytest.mark.parametrize("name", _TEXTS)
async def test_no_statement_walks_a_whole_table(unknown_url: str, name: str) -> None:
    await migrated(unknown_url, MIGRATIONS)
    connection = await Address(unknown_url).connect("test")
    await connection.execute(f"PREPARE planned AS {_TEXTS[name]}")
    count = await connection.fetchval(
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'planned'"
    )
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE planned{values}")
    await connection.close()
    assert list(walks(json.loads(plan)[0]["Plan"])) == _WALKS.get(name, [])


# -- sessions ----------------------------------------------------------------------------------------------------


async def test_commit_waits_for_the_disk(url: str) -> None:
    """Whatever the database says."""
    store = PostgresStore(url)
    await store.open()
    asked = await store.write(lambda session: _setting(session, "synchronous_commit"))
    assert asked == "on"
    await store.close()


async def _setting(session: Session, name: str) -> str:
    assert isinstance(session, PostgresSession)
    value: str = await session.connection.fetchval("SELECT current_setting($1)", name)
    return value


async def test_second_store_that_would_be_the_only_one_is_refused(store: Store, url: str) -> None:
    assert "is in use by another Treadle server" in await refusal(url)
    assert await store.executions_open() == 0
    await store.close()
    again = PostgresStore(url)
    await again.open()
    await again.close()


async def test_lost_session_refuses_what_waits_and_what_comes(store: Store, server: PostgresServer) -> None:
    run = execution(store, "orders")
    await store.commit([created(run, entry(1, 1))])
    writing = [
        asyncio.create_task(store.commit([Commit(execution=replace(run, wake=n), entry=entry(n, n))]))
        for n in range(2, 300)
    ]
    await asyncio.sleep(0)
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'treadle node'")
    answers = await asyncio.gather(*writing, return_exceptions=True)
    acknowledged = sum(answer is None for answer in answers)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers if answer is not None)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.commit([Commit(execution=run)])
    with pytest.raises(StoreUnavailable, match="holds no shard"):
        store.execution_id()
    journal = await store.journal(run.id)
    assert len(journal) > acknowledged
    assert journal == [entry(n, n) for n in range(1, len(journal) + 1)]


async def test_trouble_of_the_server_ends_the_session(server: PostgresServer, empty_url: str) -> None:
    reasons: list[Exception] = []
    store = PostgresStore(empty_url)
    await store.connect()
    await store.begin(reasons.append)
    await store.take(range(2))
    await store.machine_create(machine("orders"), {})
    run = execution(store, "orders")
    server.execute(_DISK_FULL, "empty")
    answers = await asyncio.gather(
        *(store.commit([created(each)]) for each in (run, execution(store, "orders"))), return_exceptions=True
    )
    for answer in answers:
        assert isinstance(answer, StoreUnavailable)
        assert "No space left on device" in str(answer)
    assert [str(reason) for reason in reasons] == [str(answers[0])]
    with pytest.raises(StoreUnavailable):
        await store.machine_delete(ARN + "orders")
    server.execute("DROP TRIGGER disk_is_full ON treadle.execution", "empty")
    await store.begin(reasons.append)
    await store.take(range(2))
    await store.commit([created(run)])
    assert await store.execution_get(run.arn) == run
    await store.close()


_DISK_FULL = """
CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file: No space left on device';
END
$$;
CREATE TRIGGER disk_is_full BEFORE INSERT ON treadle.execution EXECUTE FUNCTION disk_is_full();
"""


async def test_what_takes_long_is_waited_for_and_what_does_not_work_is_given_up(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.close()
    shared = PostgresCluster(url, SystemClock(), replace(DEFAULT_LIMITS, node_silence_seconds=1))
    monkeypatch.setattr(cluster, "_LARGE_SECONDS", 3)
    told = Told()
    await shared.open()
    await shared.join(told)
    both = shared.store
    assert isinstance(both, PostgresStore)
    writing = asyncio.create_task(both.write(_sleeping(1.5), LARGE))
    assert await shared.survey()
    await writing
    assert told.reasons == []
    for seconds, weight in ((60, 1), (60, LARGE)):
        writing = asyncio.create_task(both.write(_sleeping(seconds), weight))
        with pytest.raises(StoreUnavailable, match="has not answered"):
            await shared.survey()
        with pytest.raises(StoreUnavailable, match="has not answered"):
            await writing
        assert len(told.reasons) == 1
        told.reasons.clear()
        await shared.join(told)
    while len((await shared.survey()).nodes) > 1:
        pass  # PostgreSQL looks every second whether those who wait are still there.
    await shared.close()


class Told(Hears):
    """A node that remembers only why it lost its shards."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def lost(self, reason: str) -> None:
        self.reasons.append(reason)

    def heard(self, notice: Notice) -> None:
        pass

    def missed(self) -> None:
        pass


def _sleeping(seconds: float) -> Job[None]:
    """At the server."""

    async def job(session: Session) -> None:
        assert isinstance(session, PostgresSession)
        await session.connection.execute("SELECT pg_sleep($1)", seconds)

    return job


async def test_readers_come_back_after_the_server_has_crashed(url: str) -> None:
    """With a server of its own: it crashes."""
    crashing = PostgresServer(durable=True)
    crashing.start()
    store = PostgresStore(crashing.create("orders"))
    await store.open()
    await store.machine_create(machine("orders"), {})
    run = execution(store, "orders")
    await store.commit([created(run, entry(1, 1))])
    assert await store.execution_get(run.arn) == run
    crashing.crash()
    with pytest.raises(StoreUnavailable):
        await store.execution_get(run.arn)
    crashing.start()
    assert await store.execution_get(run.arn) == run
    await store.begin(store.forget_shards)
    assert len(await store.take(range(64))) == 64
    assert store.execution_id() > run.id
    await store.commit([Commit(execution=replace(run, wake=7))])
    assert await store.execution_get(run.arn) == replace(run, wake=7)
    await store.close()
    crashing.remove()


async def test_two_that_cross_both_succeed(store: Store, url: str) -> None:
    """Two nodes that write the same rows in another order: PostgreSQL ends one of the two transactions."""
    assert isinstance(store, PostgresStore)
    other = PostgresStore(url)
    await other.connect()
    await other.begin(lambda reason: None)
    for name in ("a", "b"):
        await store.machine_create(machine(name), {})
    first, second = asyncio.Event(), asyncio.Event()

    def crossing(names: Sequence[str], own: asyncio.Event, theirs: asyncio.Event) -> Job[None]:
        async def job(session: Session) -> None:
            await session.change("machine_tag_set", arn=ARN + names[0], key="k", value=names[0])
            await session.change("machine_delete", arn=ARN + names[0])
            own.set()
            await theirs.wait()
            await session.change("machine_delete", arn=ARN + names[1])

        return job

    await asyncio.gather(store.write(crossing("ab", first, second)), other.write(crossing("ba", second, first)))
    assert sorted(await store.machines_deleting()) == [ARN + "a", ARN + "b"]
    assert await store.machine_tags(ARN + "b") == {"k": "b"}
    await other.close()


# -- texts and statements ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a", "\0", "\x1a", "\x1a0", "\x1a1", "\0\x1a\x1a0\0", "é\0😀"])
def test_every_text_has_a_form_of_its_own(text: str) -> None:
    assert "\0" not in texts.escape(text)
    assert texts.unescape(texts.escape(text)) == text
    assert texts.decode(texts.encode(text)) == text


@pytest.mark.parametrize(
    ("text", "translated", "names"),
    [
        ("SELECT :a, :b, :a;", "SELECT $1, $2, $1;", ("a", "b")),
        ("SELECT :sha256::text FROM t INDEXED BY i WHERE a > ':'", "SELECT $1::text FROM t WHERE a > ':'", ("sha256",)),
        ("SELECT 1", "SELECT 1", ()),
    ],
)
def test_statements_are_translated(text: str, translated: str, names: tuple[str, ...]) -> None:
    assert translate(text) == Statement(translated, names)


def test_lists_are_arrays() -> None:
    statement = translate("SELECT :b FROM t WHERE a IN (SELECT value FROM json_each(:a)) AND b = :b")
    assert statement == Statement("SELECT $1 FROM t WHERE a = ANY($2) AND b = $1", ("b", "a"), frozenset("a"))
    assert statement.arguments({"a": "[1, 2]", "b": "x"}) == ["x", [1, 2]]
