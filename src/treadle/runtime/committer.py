"""Hands the changes of one tick to the store as one batch, and tells of each whether it stands.

A batch is atomic, so that one bad change (a name that is taken, a value that the database refuses) takes the
others of its batch down with it.  Then each is committed again on its own, in order, and only the bad one
is told.  That is sound because the runtime has at most one commit of an execution under way: no later batch
builds upon one that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from treadle.store.contract import Commit, Store, StoreUnavailable, StoreUnusable


class Change(Struct, frozen=True):
    """One execution's part of a batch."""

    commit: Commit
    done: Callable[[Exception | None], None]
    """Called once: with None when it is on disk, else with why it is not. Not called if the store is unusable."""


async def commit_changes(store: Store, changes: Sequence[Change]) -> None:
    """Raises StoreUnusable: then none of the changes that were not told of can be relied upon."""
    error = await _commit(store, changes)
    if error is None:
        for change in changes:
            change.done(None)
    elif len(changes) == 1 or isinstance(error, StoreUnavailable):
        for change in changes:
            change.done(error)
    else:
        for change in changes:
            change.done(await _commit(store, [change]))


async def _commit(store: Store, changes: Sequence[Change]) -> Exception | None:
    try:
        await store.commit([change.commit for change in changes])
    except StoreUnusable:
        raise
    except Exception as error:
        return error
    return None
