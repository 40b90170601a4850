"""What an error of PostgreSQL means for the store: the one place that knows its codes.

A broken rule of the schema that data can break is a Conflict, and so is what the schema's `demand` finds missing.
Trouble of the server, or on the way to it, passes (StoreUnavailable): it can be restarted, or given more room. Data
that cannot be trusted makes the store unusable. What is left (a statement that does not parse) is a bug of ours and
stays as it is.
"""

from __future__ import annotations

import asyncpg

from treadle.store.contract import Conflict, StoreUnavailable, StoreUnusable

_CONFLICTS = {
    "23505": "unique_violation",
    "23503": "foreign_key_violation",
    "TD001": "the schema's own: see demand()",
}

_CROSSED = {"40001": "serialization_failure", "40P01": "deadlock_detected"}
"""Two nodes were in each other's way. The same again succeeds."""

_TROUBLE = ("08", "25006", "53", "55006", "57", "58")
"""What codes begin with: no connection, a server that only reads, no room, in use, stopped by somebody, a failing
disk."""

_DAMAGE = ("XX001", "XX002")
"""Damaged data, a damaged index."""


def crossed(error: BaseException) -> bool:
    return _code(error) in _CROSSED


def translate(error: Exception, place: str) -> Exception:
    """The store's word for `error`, or `error` itself if it means nothing to the store. `place` names the database."""
    code = _code(error)
    if code in _CONFLICTS:
        return Conflict(str(error))
    if code.startswith(_DAMAGE):
        return StoreUnusable(f"{place} is damaged; restore it from a backup (PostgreSQL: {error})")
    if code.startswith(_TROUBLE) or (isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError) and not code):
        return StoreUnavailable(f"{place} cannot be used at the moment ({_sentence(error)})")
    if isinstance(error, asyncpg.DataError) and isinstance(error.__cause__, UnicodeError):
        return error.__cause__
    return error


def _code(error: BaseException) -> str:
    """PostgreSQL's code, "" if the error is not PostgreSQL's."""
    return getattr(error, "sqlstate", None) or ""


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__
