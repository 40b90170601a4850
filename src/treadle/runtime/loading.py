"""Brings executions into memory: one because somebody has a signal for it, or many, page by page, because they were in
flight when the server ended or because their timers come close.

A Resident without an execution, busy, stands in the table before anything is read: there is never a second copy, and
no signal falls between two.  What is loaded together shares its reads: one read answers the journals of as many
executions as fit into a bounded number of bytes, so that memory is bounded however long they are.  Folding is work for
the event loop's own thread; after a moment of it, others come first.  So the server takes requests while it recovers,
and who asks for an execution whose turn has not come is loaded out of turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence

from treadle.clock import Clock
from treadle.engine.execution import Execution
from treadle.engine.fold import hear_all, open_tasks
from treadle.engine.signals import RunMap, RunTask
from treadle.runtime.folding import Folding
from treadle.runtime.resident import Resident
from treadle.runtime.under_way import UnderWay
from treadle.store.contract import ExecutionRow, JournalEntry, Store, StoreUnavailable, StoreUnusable

_READ_BYTES = 8 * 1_048_576
"""Journals that one read answers together. A single one may be longer, and is read alone."""

_HOLD_SECONDS = 0.01
"""How long executions are folded before others have the event loop."""

_RETRY_SECONDS = 0.5
"""How long to wait if the database cannot be reached."""


class Loading:
    def __init__(
        self,
        store: Store,
        folding: Folding,
        clock: Clock,
        residents: MutableMapping[int, Resident],
        under_way: UnderWay,
        arrived: Callable[[Resident, Execution, Sequence[RunTask | RunMap]], None],
        refused: Callable[[Resident, Exception], Awaitable[None]],
    ) -> None:
        """`arrived` is told of each that is loaded, and of its tasks that were in flight; `refused` of each whose
        journal cannot be folded."""
        self._store = store
        self._folding = folding
        self._clock = clock
        self._residents = residents
        self._under_way = under_way
        self._arrived = arrived
        self._refused = refused
        self.is_here: Callable[[int], bool] = lambda execution_id: True
        """Whether an execution is for this node to load."""
        self._coming: dict[int, asyncio.Task[None]] = {}
        """What loads those that somebody has a signal for."""

    def soon(self, row: ExecutionRow) -> Resident:
        """The place in memory of an execution that is not there: it takes signals, and is loaded behind that."""
        resident = self._arriving(row)
        loading = self._under_way.spawn(self._load([resident]))
        self._coming[row.id] = loading
        loading.add_done_callback(lambda _: self._coming.pop(row.id, None))
        return resident

    async def all(self, rows: Sequence[ExecutionRow]) -> None:
        """When this returns, all of these are in memory, or have been there."""
        missing = [row for row in rows if row.id not in self._residents and self.is_here(row.id)]
        await self._load([self._arriving(row) for row in missing])
        others = [self._coming[row.id] for row in rows if row.id in self._coming]
        if others:
            await asyncio.wait(others)

    def _arriving(self, row: ExecutionRow) -> Resident:
        resident = Resident(row, None, stored=True)
        resident.created = resident.busy = True
        self._residents[row.id] = resident
        return resident

    async def _load(self, residents: Sequence[Resident]) -> None:
        done, loop = 0, asyncio.get_running_loop()
        while done < len(residents):
            left = residents[done:]
            try:
                journals = await self._store.journals([resident.row.id for resident in left], _READ_BYTES)
                began = loop.time()
                for resident in left[: len(journals)]:
                    await self._fold(resident, journals[resident.row.id])
                    done += 1
                    if loop.time() - began > _HOLD_SECONDS:
                        await asyncio.sleep(0)
                        began = loop.time()
            except StoreUnavailable:
                if all(resident.forsaken for resident in left):
                    return
                await asyncio.sleep(_RETRY_SECONDS)

    async def _fold(self, resident: Resident, journal: Sequence[JournalEntry]) -> None:
        try:
            execution = await self._folding.fold(resident.row, journal)
            hear_all(execution, self._clock.now())
            tasks = open_tasks(execution)
        except (StoreUnavailable, StoreUnusable):
            raise
        except Exception as error:
            await self._refused(resident, error)
        else:
            self._arrived(resident, execution, tasks)
