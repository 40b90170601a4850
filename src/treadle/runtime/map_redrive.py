"""The children of a redriven map run that are to run again: those that failed, timed out or were aborted.

They are read from the store, page by page, with their inputs; so nothing of the dataset needs to be read again for
them. A Standard child is redriven from the state that it did not leave; an Express child begins anew, in its own row.
Which ones wait stands in their rows, so that a restart goes on with those that are left.
"""

from __future__ import annotations

from collections import deque

from treadle.clock import Clock
from treadle.limits import Limits
from treadle.runtime.map_run import Run
from treadle.runtime.redrivable import too_old
from treadle.store.contract import ExecutionRow, Store

_PAGE = 500
"""Children that one read answers, with their inputs."""


class MapRedrive:
    def __init__(self, store: Store, clock: Clock, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._ready: deque[ExecutionRow] = deque()
        self._last = -1
        """The place of the last child that was read."""
        self.complete = False
        """All have been read."""

    def next(self) -> ExecutionRow | None:
        """The next child to run again; None: there is none, unless more is read."""
        return self._ready.popleft() if self._ready else None

    async def read(self, run: Run) -> None:
        """Make those that follow available. One that cannot be redriven any more stays as it ended, and counts as
        failed (AWS, "Redriving Map Runs")."""
        page = await self._store.children_to_redrive(run.row.arn, self._last, _PAGE)
        self.complete = not page
        for row in page:
            assert row.child is not None
            self._last = row.child
            if await too_old(self._store, self._limits, row, self._clock.now()) is None:
                self._ready.append(row)
            else:
                run.leave(row)
