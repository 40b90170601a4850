"""Copies of a database: whole, of one moment, and nothing left behind where there is none."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.builders import ARN, created, entry, execution, machine
from treadle.store.contract import ExecutionFilter, ExecutionRow, Store
from treadle.store.sqlite import SqliteStore, backup
from treadle.store.sqlite.backup import BackupError, back_up

LARGE = "x" * 100_000
ALL = ExecutionFilter(machine_arn=ARN + "orders")


def size(path: Path) -> int:
    return path.stat().st_size


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "treadle.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "treadle.backup"


@pytest.fixture(autouse=True)
def folder_of_backups(target: Path) -> None:
    target.parent.mkdir()


async def opened(path: Path) -> Store:
    store = SqliteStore(path)
    await store.open()
    if await store.machine_get(ARN + "orders") is None:
        await store.machine_create(machine("orders"), {})
    return store


async def started(store: Store, count: int) -> list[ExecutionRow]:
    runs = [execution(store, "orders", input=LARGE) for _ in range(count)]
    await store.commit([created(run, entry(1, 2)) for run in runs])
    return runs


async def filled(path: Path, count: int) -> list[int]:
    """A database that is closed again; the ids of its executions."""
    store = await opened(path)
    runs = await started(store, count)
    await store.close()
    return [run.id for run in runs]


async def held(path: Path) -> list[int]:
    """The ids of the executions in a backup, whose journals are there."""
    store = SqliteStore(path)
    await store.open()
    rows = await store.execution_list(ALL, None, 1_000)
    for row in rows:
        assert await store.journal(row.id) == [entry(1, 2)]
    assert await store.executions_open() == len(rows)
    await store.close()
    return sorted(row.id for row in rows)


async def test_backup_of_a_store_in_use(database: Path, target: Path) -> None:
    store = await opened(database)
    runs = await started(store, 50)
    await asyncio.to_thread(back_up, database, target)
    later = await started(store, 1)
    assert await held(target) == [run.id for run in runs]
    assert len(await store.execution_list(ALL, None, 1_000)) == len(runs + later)
    await store.close()


def test_backup_is_one_file_for_its_owner_only(database: Path, target: Path) -> None:
    asyncio.run(filled(database, 0))
    back_up(database, target)
    assert list(target.parent.iterdir()) == [target]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_backup_of_a_store_that_is_closed_leaves_it_as_it_was(database: Path, target: Path) -> None:
    runs = asyncio.run(filled(database, 3))
    before = database.read_bytes()
    back_up(database, target)
    assert sorted(file.name for file in database.parent.iterdir()) == ["treadle.db", "treadle.db.lock"]
    assert database.read_bytes() == before
    assert asyncio.run(held(target)) == runs


async def test_backup_is_of_one_moment_however_much_is_written_meanwhile(
    database: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two steps somebody commits; without a transaction, SQLite would begin anew each time."""
    store = await opened(database)
    runs = await started(store, 100)
    steps = 0

    def commit(seconds: float) -> None:
        nonlocal steps
        steps += 1
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("INSERT INTO machine_arn (arn) VALUES (?)", (f"between steps {steps}",))

    monkeypatch.setattr(time, "sleep", commit)
    await asyncio.to_thread(back_up, database, target)
    assert 5 < steps <= size(target) // 4_096 // backup._STEP_PAGES
    assert await held(target) == [run.id for run in runs]
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM machine_arn WHERE arn LIKE 'between%'").fetchone() == (0,)
    await store.close()


def test_backup_has_what_only_the_log_of_a_killed_server_holds(database: Path, target: Path) -> None:
    command = [sys.executable, "-m", "store.crashing", "commit", str(database)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(20)]
        process.kill()
        process.stdout.read()
    assert size(Path(f"{database}-wal")) > 0
    back_up(database, target)
    asyncio.run(check_journals(target, {int(line.split()[0]) for line in acknowledged}))


async def check_journals(path: Path, ids: Collection[int]) -> None:
    store = SqliteStore(path)
    await store.open()
    for number in ids:
        assert await store.journal(number)
    await store.close()


def test_compact_backup_leaves_out_free_pages(database: Path, target: Path) -> None:
    runs = asyncio.run(filled(database, 20))
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE gone AS SELECT randomblob(5000000)")
        connection.execute("DROP TABLE gone")
    back_up(database, target)
    whole = size(target)
    back_up(database, target, replace=True, compact=True)
    assert size(target) < whole - 4_000_000
    assert asyncio.run(held(target)) == runs


def test_existing_file_is_replaced_only_when_asked(database: Path, target: Path) -> None:
    asyncio.run(filled(database, 1))
    target.write_text("precious")
    with pytest.raises(BackupError, match="exists already"):
        back_up(database, target)
    assert target.read_text() == "precious"
    back_up(database, target, replace=True)
    assert len(asyncio.run(held(target))) == 1


def _damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(20 * 4_096)
        file.write(os.urandom(4_096))


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def _no_database(path: Path) -> None:
    path.write_text("no database at all\n" * 500)


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "damaged": (_damage, "is damaged"),
    "of another program": (_foreign, "is not a database of Treadle's"),
    "no database": (_no_database, "could not be copied to .*: file is not a database"),
    "missing": (Path.unlink, "there is no database"),
}


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_restored_is_no_backup(database: Path, target: Path, what: str, compact: bool) -> None:
    spoil, message = REFUSED[what]
    asyncio.run(filled(database, 100))
    spoil(database)
    with pytest.raises(BackupError, match=message):
        back_up(database, target, compact=compact)
    assert list(target.parent.iterdir()) == []


def test_target_must_be_a_file_in_a_folder(database: Path, target: Path) -> None:
    asyncio.run(filled(database, 0))
    with pytest.raises(BackupError, match="is a folder"):
        back_up(database, target.parent)
    with pytest.raises(BackupError, match="could not be copied"):
        back_up(database, target / "nowhere" / "file")


@pytest.mark.parametrize("compact", [False, True])
def test_backup_that_does_not_fit_leaves_nothing(database: Path, target: Path, compact: bool) -> None:
    """The system refuses to let the file grow, as it does when the disk is full."""
    asyncio.run(filled(database, 30))
    arguments = [str(target), "--data", str(database.parent), *(["--compact"] if compact else [])]
    done = subprocess.run(
        [sys.executable, "-m", "treadle", "backup", *arguments],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {database} could not be copied to {target}: ")
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", ".lock"])
def test_database_is_never_replaced_by_its_backup(database: Path, tmp_path: Path, suffix: str) -> None:
    asyncio.run(filled(database, 1))
    link = tmp_path / "link"
    link.symlink_to(database.parent)
    with pytest.raises(BackupError, match="belongs to the database itself"):
        back_up(database, link / f"treadle.db{suffix}", replace=True)
    assert len(asyncio.run(held(database))) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_backup_that_is_interrupted_is_none(database: Path, target: Path, number: signal.Signals) -> None:
    runs = asyncio.run(filled(database, 500))
    command = [sys.executable, "-m", "treadle", "backup", str(target), "--data", str(database.parent)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not any(size(file) for file in target.parent.iterdir()):
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait() != 0
    left = [file.suffix for file in target.parent.iterdir()]
    assert left == ([".partial"] if number == signal.SIGKILL else [])
    back_up(database, target)
    assert asyncio.run(held(target)) == runs
