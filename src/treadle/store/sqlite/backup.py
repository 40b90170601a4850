"""A copy of a database while a server uses it, or none.

Theory of operation. The copy is made by a process of its own, through SQLite's backup interface, which copies pages.
One read transaction is held from the first page to the last: so the copy is the database as it was at one moment, and
the server, which appends to the write-ahead log meanwhile, neither waits nor makes the copy begin anew. (Without the
transaction SQLite would begin again at each commit of another process.) What it costs is room: the log is not reused
before the copy is complete.

It is done in small steps, with a pause after each that is as long as the step, so that the server has the disk for at
least half of the time; and what was copied is forced to disk every few steps, because a server's fsync may have to
wait for whatever else the file system has to write.

The copy has a name of its own until it has been checked (`integrity_check`) and is on disk. So a file with the name
that was asked for is a whole backup, whatever happened.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from treadle.store.sqlite.database import APPLICATION_ID, sync_folder

_STEP_PAGES = 256
"""Pages that are copied at a time: a MiB."""
_FORCED_STEPS = 16
"""Steps after which what was copied is forced to disk."""
_BUSY_SECONDS = 60.0
"""How long a lock is waited for that a server holds while it starts or stops."""


class BackupError(Exception):
    """There is no backup. The message says why."""


class TargetExists(BackupError):
    """There is such a file, and it was not to be replaced."""


def back_up(database: Path, target: Path, *, replace: bool = False, compact: bool = False) -> None:
    """Copy `database` to `target`, which is a whole, checked database on disk when this returns. Blocks.

    `replace`: if there is such a file already. `compact`: leave out free pages, which takes longer and works the disk
    without pause. Raises BackupError, and leaves nothing behind.
    """
    if not database.exists():
        raise BackupError(f"there is no database {database}")
    if target.resolve() in _files_of(database):
        raise BackupError(f"{target} belongs to the database itself")
    _refuse_existing(target, replace)
    try:
        with _partial(target) as partial:
            _copy(database, partial, compact)
            _check(database, partial)
            _refuse_existing(target, replace)
            partial.replace(target)
            sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CORRUPT:
            raise _damaged(database, error) from error
        raise BackupError(f"{database} could not be copied to {target}: {error}") from error


def _files_of(database: Path) -> Collection[Path]:
    return [Path(f"{database.resolve()}{suffix}") for suffix in ("", "-wal", "-shm", ".lock")]


def _refuse_existing(target: Path, replace: bool) -> None:
    if target.is_dir():
        raise BackupError(f"{target} is a folder; name a file")
    if target.exists() and not replace:
        raise TargetExists(f"{target} exists already")


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """An empty file beside the target, for its owner only: keys stand in it. It is gone afterwards, if not renamed."""
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)  # of a process that had our number, and was killed
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)
        Path(f"{partial}-journal").unlink(missing_ok=True)  # SQLite leaves it where its own last write failed


def _copy(database: Path, partial: Path, compact: bool) -> None:
    # Not created if it has just been moved away; and written by SQLite itself, if a killed server left a log behind.
    with closing(_connect(f"{database.absolute().as_uri()}?mode=rw")) as source:
        (application,) = source.execute("PRAGMA application_id").fetchone()
        if application != APPLICATION_ID:
            raise BackupError(f"{database} is not a database of Treadle's")
        if compact:
            source.execute("VACUUM INTO ?", (str(partial),))
        else:
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # here the transaction begins
            _copy_pages(source, partial)
    with partial.open("rb+") as file:
        os.fsync(file)


def _copy_pages(source: sqlite3.Connection, partial: Path) -> None:
    with closing(_connect(partial.absolute().as_uri())) as target, partial.open("rb+") as file:
        # Nobody needs to undo anything of a file that is thrown away if this fails.
        target.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        steps, began = 0, time.monotonic()

        def rest(status: int, remaining: int, total: int) -> None:
            nonlocal steps, began
            steps += 1
            if steps % _FORCED_STEPS == 0:
                os.fsync(file)
            if remaining:
                time.sleep(time.monotonic() - began)
            began = time.monotonic()

        source.backup(target, pages=_STEP_PAGES, progress=rest)
        # The copy says, like its original, that it has a write-ahead log. It is one file, and is to stay one.
        target.execute("PRAGMA journal_mode = DELETE")


def _check(database: Path, partial: Path) -> None:
    with closing(_connect(f"{partial.absolute().as_uri()}?mode=ro")) as connection:
        (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if finding != "ok":
        raise _damaged(database, finding)


def _damaged(database: Path, finding: object) -> BackupError:
    one_line = " ".join(str(finding).split())
    return BackupError(f"{database} is damaged: it has to be restored from an earlier backup (SQLite: {one_line})")


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
