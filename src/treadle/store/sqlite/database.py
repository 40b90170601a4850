"""Opening and closing the database file: who may use it, whether it can be trusted, which schema it has.

A file is taken only if nothing speaks against it; what does is said in one sentence (StoreUnusable):

- Another process has it: the lock file `<database>.lock` is held with flock(2) while the store is open.
  The kernel lets go of it when the process ends, however it ends. SQLite's own locks do not serve: they would
  let two servers take turns.
- It is not ours, or was written by a newer Treadle: `application_id` and `user_version` in SQLite's header.
- It is damaged. An empty file is: only a file that this very call created is new, so data that was cut off is
  never mistaken for a fresh start. Up to CHECKED_BYTES, `integrity_check` reads every page and index before
  the first use; a larger file would take too long, and damage in it is found when SQLite meets it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from treadle.store.contract import StoreUnusable
from treadle.store.sqlite.errors import is_full, translate
from treadle.store.sqlite.sql import MIGRATIONS, STATEMENTS

APPLICATION_ID = 0x5452_444C
"""`TRDL` in the header of the file: what tells a database of Treadle's from any other."""

CHECKED_BYTES = 32 * 1_048_576
"""Largest file that is checked as a whole when it is opened: in a third of a second (measured)."""

_BUSY_SECONDS = 5.0
"""How long to wait for another program (a backup, a shell) that holds SQLite's own lock."""

_CHECKPOINT_PAGES = 4_000
"""Pages of 4 KiB in the write-ahead log before it is copied to the database: a hot page is copied once."""

_CACHE_KIB = 16_384
"""What the connection that writes keeps of the file in memory. It writes few pages again and again. Of the others,
which names in no order ask for, four times as many saved nothing with a million executions (measured): the system has
them."""

_WRITER = f"""
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES};
    PRAGMA journal_size_limit = {_CHECKPOINT_PAGES * 4_096};
    PRAGMA cache_size = -{_CACHE_KIB};
"""


class Database:
    """An open database: its file, the connection that writes and the one that reads. Calls block."""

    def __init__(self, path: Path, lock: int, writer: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        self.path, self.writer, self.reader = path, writer, reader
        self.failure: StoreUnusable | None = None
        """Why the database cannot be used any more, once that is so. Nothing is asked of it then."""
        self._lock = lock
        self._inode = path.stat().st_ino

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the database at `path`, creating it if there is none. Raises StoreUnusable."""
        path = path.absolute().resolve()
        try:
            _make_directory(path.parent)
            lock = _take_lock(path)
        except OSError as error:
            raise StoreUnusable(f"{path} cannot be opened: {error}") from error
        connections: list[sqlite3.Connection] = []
        try:
            created = _create_file(path)
            writer = _connect(path, connections)
            _check(writer, path, created)
            writer.executescript(_WRITER)
            migrate(writer, MIGRATIONS)
            # From here on the writer waits for a lock itself, without holding up the event loop.
            writer.execute("PRAGMA busy_timeout = 0")
            reader = _connect(path, connections)
            reader.execute("PRAGMA query_only = ON")
            return cls(path, lock, writer, reader)
        except Exception as error:
            for connection in connections:
                connection.close()
            os.close(lock)
            raise translate(error, path) from error

    def fail(self, error: BaseException) -> StoreUnusable:
        """Remember that `error` ended the use of the database; the first reason is the one that counts."""
        if self.failure is None:
            known = translate(error, self.path) if isinstance(error, Exception) else error
            self.failure = (
                known if isinstance(known, StoreUnusable) else StoreUnusable(f"{self.path} cannot be used: {error!r}")
            )
        return self.failure

    def check_in_place(self) -> None:
        """Raise StoreUnusable if the file is no longer the one at its path: what is written would be lost."""
        try:
            in_place = self.path.stat().st_ino == self._inode
        except OSError:
            in_place = False
        if not in_place:
            raise StoreUnusable(f"{self.path} was deleted or replaced while it was in use")

    def close(self) -> None:
        """Copy the write-ahead log into the database, leaving that one file, and let go of it. On a full disk the log
        stays, and the next one to open the database finds it."""
        try:
            self.reader.close()
            if self.failure is None:
                self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            if not is_full(error):
                raise
        finally:
            self.writer.close()
            os.close(self._lock)


def migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Bring the schema to version `len(migrations)`, all in one transaction. Forwards only."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == len(migrations):
        return
    try:
        connection.executescript("BEGIN IMMEDIATE;\n" + "\n".join(migrations[version:]))
        if version == 0:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(STATEMENTS["secret_insert"], {"secret": secrets.token_bytes(32)})
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _make_directory(directory: Path) -> None:
    for missing in reversed([each for each in (directory, *directory.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
        sync_folder(missing.parent)


def _take_lock(path: Path) -> int:
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
    except BlockingIOError as error:
        owner = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise StoreUnusable(
            f"{path} is in use by another Treadle server (process {owner}); one server at a time may open it"
        ) from error
    except OSError:
        os.close(lock)
        raise
    return lock


def _create_file(path: Path) -> bool:
    """Create the file if there is none, and say whether that was so."""
    log = Path(f"{path}-wal")
    try:
        if not path.exists() and log.exists():
            raise StoreUnusable(f"{path} is missing, but its write-ahead log {log.name} is there; restore both")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreUnusable(f"{path} cannot be created: {error}") from error
    return True


def sync_folder(directory: Path) -> None:
    """What was created, renamed or removed in it stays so after a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect(path: Path, opened: list[sqlite3.Connection]) -> sqlite3.Connection:
    # The store's two threads take turns with a connection; SQLite's own check would refuse that.
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    opened.append(connection)
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _check(connection: sqlite3.Connection, path: Path, created: bool) -> None:
    if created:
        return
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == 0 and version == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise StoreUnusable(f"{path} is empty: it was cut off, or creating it was interrupted; remove it to begin anew")
    if application != APPLICATION_ID:
        raise StoreUnusable(f"{path} is a SQLite database, but not one of Treadle's")
    if version > len(MIGRATIONS):
        raise StoreUnusable(
            f"{path} has schema version {version}; this Treadle knows versions up to {len(MIGRATIONS)}: "
            "it was written by a newer Treadle"
        )
    if path.stat().st_size <= CHECKED_BYTES:
        (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if finding != "ok":
            one_line = " ".join(finding.split())
            raise StoreUnusable(f"{path} is damaged; restore it from a backup (SQLite: {one_line})")
