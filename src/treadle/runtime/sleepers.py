"""Executions that are not in memory because nothing happens to them for a while, and who wakes them in time.

The row of a sleeping execution says when its earliest timer is due.  A scan loads all that are due within the
horizon, a minute.  The next scan is set half a horizon before the earliest of the others is due; since an
execution only goes to sleep if its timer is further away than the horizon, there are at most two scans a
minute, and none at all while nothing is due, however many executions sleep and however long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from treadle.clock import Clock
from treadle.runtime.timers import Timers
from treadle.runtime.under_way import UnderWay
from treadle.store.contract import ExecutionRow, Store

_HORIZON_MILLISECONDS = 60_000
_PAGE = 500
"""Executions that one read of a scan answers, and that are loaded side by side."""

_FOREVER = 2**63 - 1
_BEHIND_TASKS = (0, _FOREVER)
"""Cursor behind the executions with tasks in flight (`wake` 0): those are in memory."""

_TIMER = 0
"""Key of the scan's timer. Executions have larger ids."""

Load = Callable[[list[ExecutionRow]], Awaitable[None]]
"""Loads those of the executions that are not in memory yet."""


def sleeps_until(due: int, now: int) -> bool:
    """Whether an execution whose earliest timer is `due` may leave memory."""
    return due > now + _HORIZON_MILLISECONDS


class Scans:
    """Wakes executions that sleep, before their timers are due."""

    def __init__(self, store: Store, clock: Clock, timers: Timers, under_way: UnderWay, load: Load) -> None:
        self.shards: Callable[[], Collection[int] | None] = lambda: None
        """Those whose executions are woken here; None: all."""
        self._store = store
        self._clock = clock
        self._timers = timers
        self._under_way = under_way
        self._load = load
        self._closed = False

    def wake(self, due: int) -> None:
        """An execution sleeps until `due`: it is to be in memory in time."""
        when = due - _HORIZON_MILLISECONDS // 2
        planned = self._timers.due(_TIMER)
        if not self._closed and (planned is None or when < planned):
            self._timers.set(_TIMER, when, self._scan_now)

    def _scan_now(self) -> None:
        self._under_way.spawn(self.scan())

    async def scan(self) -> None:
        due = await _load_due(self._store, self._load, self._clock.now(), self.shards())
        if due is not None:
            self.wake(due)

    def close(self) -> None:
        self._closed = True


async def load_in_flight(store: Store, load: Load, shards: Collection[int] | None = None) -> None:
    """After a restart: the executions that have tasks in flight or gave up their turn, of these shards (None: of
    all)."""
    after = None
    while rows := list(await store.executions_due(0, after, _PAGE, shards)):
        await load(rows)
        after = _cursor(rows[-1])


async def _load_due(store: Store, load: Load, now: int, shards: Collection[int] | None) -> int | None:
    """Load what is due within the horizon. When the earliest of the others is due; None: there is none."""
    after = _BEHIND_TASKS
    while rows := list(await store.executions_due(_FOREVER, after, _PAGE, shards)):
        due = [row for row in rows if not sleeps_until(row.wake or 0, now)]
        await load(due)
        if len(due) < len(rows):
            return rows[len(due)].wake
        after = _cursor(rows[-1])
    return None


def _cursor(row: ExecutionRow) -> tuple[int, int]:
    return (row.wake or 0, row.id)
