"""What other nodes change, and who forgets what he remembers of it.

The database itself tells of a change, in the transaction that makes it: a notice whose kind is the name of the table,
and whose key says which row.  So no change is silent.  A node that may have missed notices forgets everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from treadle.store.cluster_contract import Notice
from treadle.store.contract import StoreUnavailable, StoreUnusable

_log = logging.getLogger(__name__)


class Reader(Struct, frozen=True):
    """Somebody who remembers what stands in a table."""

    changed: Callable[[str], Awaitable[None]]
    """A row with this key has changed."""
    missed: Callable[[], Awaitable[None]]
    """Any row may have changed."""


class News:
    def __init__(self) -> None:
        self._readers: dict[str, list[Reader]] = {}
        self._work: set[asyncio.Task[None]] = set()

    def read(
        self, table: str, changed: Callable[[str], Awaitable[None]], missed: Callable[[], Awaitable[None]]
    ) -> None:
        """Have `changed` told of changes in the table."""
        self._readers.setdefault(table, []).append(Reader(changed, missed))

    def heard(self, notice: Notice) -> bool:
        """Whether it is about a table."""
        readers = self._readers.get(notice.kind)
        for reader in readers or ():
            self._spawn(partial(reader.changed, notice.key))
        return readers is not None

    def missed(self) -> None:
        for readers in self._readers.values():
            for reader in readers:
                self._spawn(reader.missed)

    async def close(self) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)


async def _quietly(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except StoreUnavailable:
        return  # The session is gone; after the next one has begun, everything counts as changed.
    except StoreUnusable:
        return  # The node stops: whatever looks at the database next says so.
    except Exception:
        _log.exception("A bug in what follows a change by another node")
