"""What an error of SQLite means for the store: the one place that knows its codes.

A broken rule of the schema that data can break is a Conflict; trouble with the file makes the store unusable.
What is left (a statement that does not parse, a value of the wrong type) is a bug of ours and stays as it is.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from treadle.store.contract import Conflict, StoreUnusable


class DiskFull(StoreUnusable):
    """There is no room for what was to be written. Nothing of it is there, and it can be written later."""


_CONFLICTS = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
}

_TROUBLE = {
    sqlite3.SQLITE_NOTADB: "is not a database, or its first page was overwritten",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk is full or failing",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "cannot be opened: permission denied",
    sqlite3.SQLITE_AUTH: "cannot be opened: permission denied",
    sqlite3.SQLITE_BUSY: "is locked by another program",
    sqlite3.SQLITE_LOCKED: "is locked by another program",
    sqlite3.SQLITE_PROTOCOL: "is locked by another program",
    sqlite3.SQLITE_NOLFS: "is too large for this file system",
    sqlite3.SQLITE_NOMEM: "cannot be used: memory ran out",
    sqlite3.SQLITE_SCHEMA: "was changed by another program",
}


def is_busy(error: Exception) -> bool:
    """Another program holds the database's lock; it may let go of it."""
    return _primary_code(error) == sqlite3.SQLITE_BUSY


def translate(error: Exception, path: Path) -> Exception:
    """The store's word for `error`, or `error` itself if it means nothing to the store."""
    if getattr(error, "sqlite_errorcode", None) in _CONFLICTS:
        return Conflict(str(error))
    if is_full(error):
        return DiskFull(f"{path} cannot grow: the disk is full (SQLite: {error})")
    trouble = _TROUBLE.get(_primary_code(error))
    return error if trouble is None else StoreUnusable(f"{path} {trouble} (SQLite: {error})")


def is_full(error: Exception) -> bool:
    """There is no room on the disk. The second code is that of the memory which processes share."""
    code = getattr(error, "sqlite_errorcode", None)
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


def _primary_code(error: Exception) -> int:
    """The low byte of SQLite's code; the rest tells its kinds apart. 0 if the error is not SQLite's."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
