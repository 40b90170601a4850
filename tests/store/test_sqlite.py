"""SqliteStore passes the suite; and what is particular to a file: damage, locks, full disks, crashes."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.store.builders import ARN, created, entry, execution, machine
from tests.store.machine_suite import Reopen
from tests.store.suite import StoreSuite
from treadle.store.contract import ExecutionFilter, Store, StoreUnusable
from treadle.store.sqlite import SqliteStore, database, writer
from treadle.store.sqlite.database import migrate
from treadle.store.sqlite.sql import MIGRATIONS, STATEMENTS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "treadle.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = SqliteStore(path)
    await opened.open()
    await opened.machine_create(machine("orders"), {})
    yield opened
    await opened.close()


@pytest.fixture
async def reopen(path: Path) -> AsyncIterator[Reopen]:
    opened = []

    async def again(store: Store) -> Store:
        await store.close()
        opened.append(SqliteStore(path))
        await opened[-1].open()
        return opened[-1]

    yield again
    for store in opened:
        await store.close()


class TestSuite(StoreSuite):
    """All of the suite, on a file."""


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> bytes:
    changed = change(path.read_bytes() if path.exists() else b"")
    path.write_bytes(changed)
    return changed


def rename(path: Path, to: Path) -> None:
    path.rename(to)


def make_folder(path: Path) -> None:
    path.mkdir(parents=True)


async def refusal(path: Path) -> str:
    with pytest.raises(StoreUnusable) as refused:
        await SqliteStore(path).open()
    return str(refused.value)


async def filled(path: Path, executions: int = 300) -> None:
    """A database of a good number of pages, closed."""
    store = SqliteStore(path)
    await store.open()
    await store.machine_create(machine("orders"), {})
    await store.commit([created(execution(store, "orders"), entry(1, 9)) for _ in range(executions)])
    await store.close()


# -- the file and its schema -------------------------------------------------------------------------------


async def test_only_its_owner_may_read_the_file(store: Store, path: Path) -> None:
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}.lock")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_commit_waits_for_the_disk(path: Path) -> None:
    """A killed process cannot show it, as the kernel still writes; so the settings are looked at."""
    opened = database.Database.open(path)
    for pragma, value in {"journal_mode": "wal", "synchronous": 2, "fullfsync": 1, "foreign_keys": 1}.items():
        assert opened.writer.execute(f"PRAGMA {pragma}").fetchone() == (value,)
    opened.close()


async def test_closed_database_is_one_file(path: Path) -> None:
    await filled(path)
    assert sorted(file.name for file in path.parent.iterdir()) == ["treadle.db", "treadle.db.lock"]


async def test_closed_store_refuses(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreUnusable, match="is not open"):
        await store.execution_get("x")
    with pytest.raises(StoreUnusable, match="is not open"):
        await store.commit([])


async def test_close_waits_for_what_was_handed_over(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.machine_create(machine("orders"), {})
    runs = [execution(store, "orders") for _ in range(50)]
    writing = [asyncio.create_task(store.commit([created(run)])) for run in runs]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writing)
    await store.open()
    assert await store.executions_open() == len(runs)
    await store.close()


async def test_newer_schema_is_refused_naming_both_versions(path: Path) -> None:
    await filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert f"schema version 99; this Treadle knows versions up to {len(MIGRATIONS)}" in await refusal(path)


def test_migrations_go_forwards_and_keep_what_was_there() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, MIGRATIONS)
    secret = connection.execute(STATEMENTS["secret"]).fetchone()
    newer = [*MIGRATIONS, "CREATE TABLE more (x INTEGER) STRICT;", "INSERT INTO more VALUES (7);"]
    for _ in range(2):
        migrate(connection, newer)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
        assert connection.execute("SELECT x FROM more").fetchall() == [(7,)]
        assert connection.execute(STATEMENTS["secret"]).fetchone() == secret
    connection.close()


def test_failed_migration_leaves_the_old_schema() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, MIGRATIONS)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [*MIGRATIONS, "CREATE TABLE more (x INTEGER) STRICT;", "no SQL;"])
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'more'").fetchall() == []
    connection.close()


def test_versions_come_to_a_database_that_has_machines() -> None:
    """Of machines from before, the revision that is as old as the machine is its first."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, MIGRATIONS[:1])
    connection.executescript("""
        INSERT INTO machine_arn VALUES (1, 'new'), (2, 'updated'), (3, 'gone');
        INSERT INTO revision VALUES
            (1, 'n-1', 1, '', '', '', '', '', 100), (2, 'u-1', 2, '', '', '', '', '', 200),
            (3, 'u-2', 2, '', '', '', '', '', 201), (4, 'g-1', 3, '', '', '', '', '', 100);
        INSERT INTO machine VALUES
            ('new', 'new', 'STANDARD', 'ACTIVE', 100, 1, 1), ('updated', 'updated', 'STANDARD', 'ACTIVE', 200, 0, 3);
    """)
    migrate(connection, MIGRATIONS)
    initial = connection.execute("SELECT id, initial FROM revision ORDER BY id").fetchall()
    assert initial == [("g-1", 0), ("n-1", 1), ("u-1", 1), ("u-2", 0)]
    assert connection.execute("SELECT arn, versions FROM machine").fetchall() == [("new", 0), ("updated", 0)]
    connection.close()


@pytest.mark.parametrize("name", [name for name, text in STATEMENTS.items() if "SELECT" in text])
def test_no_statement_walks_a_whole_table(name: str) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, MIGRATIONS)
    names = set(re.findall(r"[(<=> ]:(\w+)", STATEMENTS[name]))
    values = dict.fromkeys(names, 1) if names else [1] * STATEMENTS[name].count("?")
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + STATEMENTS[name], values)]
    connection.close()
    allowed = {
        "secret": ["SCAN meta"],
        "executions_open": ["SCAN meta"],
        # Read once, as the server starts.
        "activity_arns": ["SCAN activity"],
        # Read as the server starts, and when keys change.
        "access_key_list": ["SCAN access_key", "USE TEMP B-TREE FOR ORDER BY"],
        # An index of nothing else.
        "machines_deleting": ["SCAN machine USING INDEX machine_deleting"],
        "map_runs_running": ["SCAN m USING INDEX map_run_running"],
        # Of five statuses at most.
        "map_run_counts": ["USE TEMP B-TREE FOR GROUP BY"],
        # The layers of one version of a function, five at most.
        "function_get": ["SCAN layer"],
        "function_list": ["SCAN layer"],
        "function_versions": ["SCAN layer"],
        # The aliases of one page, whose routes join them.
        "alias_list": ["SCAN a", "USE TEMP B-TREE FOR ORDER BY"],
        # A row for each target, whatever waits for it.
        "delivery_targets": ["SCAN found", "SCAN found"],
        # Counted for whoever asks how much waits, without reading any of it.
        "delivery_count": ["SCAN delivery USING COVERING INDEX delivery_due"],
        # The machines that there ever were, and the four ways to end.
        "executions_expired": ["SCAN a", "SCAN s"],
        # What is left to be removed.
        "removals": ["SCAN r"],
        # The rows of one page.
        "executions_due": ["SCAN due", "USE TEMP B-TREE FOR ORDER BY"],
        # An entry of nothing but notes has no place among the event ids, so a journal is sorted.
        "journal": ["USE TEMP B-TREE FOR ORDER BY"],
        "journals": ["USE TEMP B-TREE FOR ORDER BY"],
    }
    # Going through a list of values that the statement is given is no walk through a table.
    harmless = ("CONSTANT", "SCAN json_each ")
    walks = [
        step for step in plan if step.startswith(("SCAN", "USE TEMP")) and not any(each in step for each in harmless)
    ]
    assert walks == allowed.get(name, [])


# -- damage ------------------------------------------------------------------------------------------------

_PAGE = 4_096
_DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut in half": (lambda data: data[: len(data) // 2], "is damaged"),
    "cut within a page": (lambda data: data[: -_PAGE // 2], "is damaged"),
    "cut to nothing": (lambda data: b"", "is empty"),
    "cut within the header": (lambda data: data[:60], "is damaged"),
    "all zeros": (lambda data: bytes(len(data)), "is not a database"),
    "header overwritten": (lambda data: b"\xff" * 100 + data[100:], "is not a database"),
    "schema overwritten": (lambda data: data[:100] + b"\xff" * 3_000 + data[3_100:], "is damaged"),
    "page overwritten": (
        lambda data: data[: 20 * _PAGE] + os.urandom(_PAGE) + data[21 * _PAGE :],
        "is damaged",
    ),
    "two pages swapped": (
        lambda data: data[: 8 * _PAGE] + data[30 * _PAGE : 31 * _PAGE] + data[9 * _PAGE :],
        "is damaged",
    ),
    "some text": (lambda data: b"no database at all\n" * 500, "is not a database"),
}


@pytest.mark.parametrize("damage", _DAMAGES)
async def test_damaged_file_is_refused_and_left_alone(path: Path, damage: str) -> None:
    await filled(path)
    spoil, message = _DAMAGES[damage]
    spoilt = rewrite(path, spoil)
    refused = await refusal(path)
    assert message in refused
    assert str(path) in refused
    assert rewrite(path, lambda data: data) == spoilt


async def test_damage_in_a_file_too_large_to_check_ends_the_store_when_it_is_met(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(path)
    rewrite(path, lambda data: data[: 4 * _PAGE] + os.urandom(len(data) - 4 * _PAGE))
    monkeypatch.setattr(database, "CHECKED_BYTES", 0)
    store = SqliteStore(path)
    with pytest.raises(StoreUnusable, match="is damaged"):
        await store.open()
        for number in range(1, 301):
            await store.journal(number)
    for _ in range(2):
        with pytest.raises(StoreUnusable):
            await store.executions_open()
    with pytest.raises(StoreUnusable):
        await store.commit([])
    await store.close()


async def test_foreign_database_is_refused(path: Path) -> None:
    make_folder(path.parent)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    assert "not one of Treadle's" in await refusal(path)


async def test_log_without_its_database_is_refused(path: Path) -> None:
    await filled(path)
    rename(path, Path(f"{path}-wal"))
    assert "is missing, but its write-ahead log" in await refusal(path)


@pytest.mark.parametrize("kind", ["a folder in its place", "a file in the place of its folder"])
async def test_impossible_path_is_refused(path: Path, kind: str) -> None:
    if kind == "a folder in its place":
        make_folder(path)
    else:
        make_folder(path.parent.parent)
        rewrite(path.parent, lambda data: b"")
    assert "cannot be" in await refusal(path)


async def test_file_moved_away_while_in_use_ends_the_store(store: Store, path: Path) -> None:
    rename(path, path.with_suffix(".moved"))
    for _ in range(2):
        with pytest.raises(StoreUnusable, match="was deleted or replaced"):
            await store.commit([created(execution(store, "orders"))])


# -- locks -------------------------------------------------------------------------------------------------


async def test_second_store_on_one_file_is_refused(store: Store, path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    for name in (path, link):
        assert f"in use by another Treadle server (process {os.getpid()})" in await refusal(name)
    assert await store.executions_open() == 0


async def test_other_program_that_writes_for_a_moment_is_waited_for(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    made = execution(store, "orders")
    writing = asyncio.create_task(store.commit([created(made)]))
    for _ in range(20):
        assert await store.executions_open() == 0
    assert not writing.done()
    other.execute("ROLLBACK")
    other.close()
    await writing
    assert await store.execution_get(made.arn) == made


async def test_other_program_that_never_lets_go_ends_the_store(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_BUSY_ATTEMPTS", 2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnusable, match="is locked by another program"):
        await store.commit([created(execution(store, "orders"))])
    other.close()


# -- full disks --------------------------------------------------------------------------------------------


async def test_file_system_that_takes_no_more_ends_the_store(path: Path) -> None:
    """The kernel refuses the writes (RLIMIT_FSIZE), as it does when a disk is full."""
    done = await asyncio.to_thread(
        subprocess.run,
        _command("fill", path),
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *acknowledged, refused = done.stdout.splitlines()
    assert refused.startswith(f"refused {path} cannot")
    assert acknowledged
    await _check_after_crash(path, acknowledged)


# -- crashes -----------------------------------------------------------------------------------------------


def _command(what: str, path: Path) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "store.crashing", what, str(path)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def _kill_after(path: Path, lines: int, seconds: float) -> list[str]:
    """What a process acknowledged that commits in a loop and was killed so long after so many lines."""
    command = _command("commit", path)
    with subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(lines)]
        time.sleep(seconds)  # Not to wait for anything: to kill it at any point between two acknowledgements.
        process.kill()
        acknowledged += process.stdout.readlines()
    # The kill may have cut the last line off.
    return [line for line in acknowledged if line.endswith("\n")]


async def _check_after_crash(path: Path, acknowledged: list[str]) -> None:
    """All that was acknowledged is there, and of each pair of executions both stand at the same event."""
    store = SqliteStore(path)
    await store.open()
    reached: dict[int, int] = {}
    for line in acknowledged:
        left, event = map(int, line.split())
        reached[left] = event
    runs = await store.execution_list(ExecutionFilter(machine_arn=ARN + "orders"), None, 1_000_000)
    events = {run.id: run.wake or 0 for run in runs}
    assert await store.executions_open() == len(runs)
    for left, event in reached.items():
        assert events[left] >= event
    for left in (number for number in events if number % 2):
        assert events[left] == events[left + 1]
        for number in (left, left + 1):
            assert await store.journal(number) == [entry(n, n) for n in range(1, events[left] + 1)]
    assert len(events) % 2 == 0
    await store.close()


async def test_nothing_acknowledged_is_lost_and_nothing_is_half_there_after_kill(path: Path) -> None:
    acknowledged: list[str] = []
    for kill in range(12):
        acknowledged += await asyncio.to_thread(_kill_after, path, 1 + kill * 40, kill * 0.000_7)
        await _check_after_crash(path, acknowledged)


async def test_killed_server_leaves_no_lock(path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *_command("commit", path), env=_environment(), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    assert f"(process {process.pid})" in await refusal(path)
    process.kill()
    await process.communicate()
    store = SqliteStore(path)
    await store.open()
    await store.close()
