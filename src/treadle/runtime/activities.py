"""Activities: which there are, the tasks that wait for a worker, and the workers that wait for a task.

Theory of operation.  An open attempt that nobody has taken is an *offer*; it waits in the queue of its activity,
in the order in which the attempts were scheduled.  A worker that asks gets the first offer, or waits until
there is one, as long as GetActivityTask may take: workers wait in a queue too, first come, first served, and
never while there is an offer.

A worker that waits is a future in that queue, and the request that waits for it; it takes no task of its own
and no thread, so there may be tens of thousands.  Who hangs up leaves the queue.  If that happens after a task
was chosen for him, the task goes back to its place and on to the next.

An offer is only taken when ActivityStarted is on disk (`Offer.start`), and only then is the worker answered.  So
one worker gets it, whatever happens; and what was not taken when the server ended is offered again, because
its execution still has it open.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping

from msgspec import Struct

from treadle.clock import Clock
from treadle.limits import Limits
from treadle.runtime.errors import ActivityMissing, TooManyWorkers
from treadle.runtime.resident import Answering
from treadle.runtime.waiting import Wait
from treadle.store.contract import Activity, Store

_SMALL_QUEUE = 64
"""Offers below which nobody minds withdrawn ones."""


class TakenTask(Struct, frozen=True):
    token: str
    input: str


Answers = Callable[[TakenTask], Answering]

Place = tuple[int, int, int]
"""When an attempt was scheduled; its execution and its number, as no two offers may have the same place."""


class Offer(Struct, frozen=True):
    """An attempt that nobody has taken yet."""

    place: Place
    start: Callable[[str | None, Answers | None], Awaitable[TakenTask | None]]
    """Commits that the worker of this name takes it, and what the request of another node is answered, if it is for
    one. None: it is over, nobody waits for it any more."""
    lent: bool = False
    """It is one of another node's, which keeps it unless a worker takes it."""


class Activities:
    """Whatever changes an activity goes through here, because which there are is remembered."""

    def __init__(self, store: Store, clock: Clock, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._known: set[str] = set()
        self._queues: dict[str, _Queue] = {}
        self._waiting: dict[tuple[int, int], _Queue] = {}
        """Where an offer waits, by its execution and number."""
        self._closed = False
        self.worker_waits: Callable[[str], None] = lambda arn: None
        """Told of an activity for which a worker begins to wait."""
        self.offer_waits: Callable[[str], None] = lambda arn: None
        """Told of an activity for which an offer begins to wait."""

    async def open(self) -> None:
        """Also to learn anew which there are."""
        self._known = set(await self._store.activity_arns())

    def close(self) -> None:
        """Send everybody who waits home, and let nobody wait any more."""
        self._closed = True
        for queue in self._queues.values():
            queue.send_home()

    def exists(self, arn: str) -> bool:
        return arn in self._known

    async def create(self, activity: Activity, tags: Mapping[str, str]) -> None:
        """Raises Conflict if the ARN is taken."""
        await self._store.activity_create(activity, tags)
        self._known.add(activity.arn)

    async def delete(self, arn: str) -> None:
        """Its tasks that nobody has taken wait for an activity of the same name. Idempotent."""
        await self._store.activity_delete(arn)
        self._deleted(arn)

    async def changed(self, arn: str) -> None:
        """Another node has made or deleted it."""
        if await self._store.activity_get(arn) is None:
            self._deleted(arn)
        else:
            self._known.add(arn)

    def _deleted(self, arn: str) -> None:
        self._known.discard(arn)
        if arn in self._queues:
            self._queues[arn].send_home()

    # -- tasks ---------------------------------------------------------------------------------------------

    def offer(self, arn: str, offer: Offer) -> None:
        queue = self._queue(arn)
        queue.put(offer)
        self._waiting[offer.place[1:]] = queue
        worker = queue.next_worker()
        if worker is not None:
            worker.set_result(self._first(queue))
        else:
            self.offer_waits(arn)

    def lend(self, arn: str, offer: Offer) -> bool:
        """Hand an offer of another node to a worker. False: none waits."""
        worker = self._queue(arn).next_worker()
        if worker is not None:
            worker.set_result(offer)
        return worker is not None

    async def take_for(self, arn: str, worker_name: str | None, answers: Answers) -> TakenTask | None:
        """The next task of the activity for a worker at another node, if there is one."""
        while (offer := self._first(self._queue(arn))) is not None:
            task = await offer.start(worker_name, answers)
            if task is not None:
                return task
        return None

    def has_offers(self, arn: str) -> bool:
        return arn in self._queues and self._queues[arn].has_offers

    @property
    def awaited(self) -> Collection[str]:
        """The activities for which workers wait."""
        return [arn for arn, queue in self._queues.items() if queue.workers]

    def withdraw(self, execution_id: int, attempt: int) -> bool:
        """Nobody waits for this task any more. False: it was not on offer."""
        queue = self._waiting.pop((execution_id, attempt), None)
        if queue is None:
            return False
        queue.withdraw(execution_id, attempt)
        return True

    def _first(self, queue: _Queue) -> Offer | None:
        offer = queue.first()
        if offer is not None:
            del self._waiting[offer.place[1:]]
        return offer

    def _queue(self, arn: str) -> _Queue:
        return self._queues.setdefault(arn, _Queue())

    # -- workers -------------------------------------------------------------------------------------------

    async def take(self, arn: str, worker_name: str | None, wait: Wait) -> TakenTask | None:
        """The next task of the activity, or None if there is none for as long as a worker may wait, or if the
        worker goes away. Raises ActivityMissing, TooManyWorkers."""
        if arn not in self._known:
            raise ActivityMissing(arn)
        if len(self._queue(arn).workers) >= self._limits.activity_workers:
            raise TooManyWorkers(arn)
        until = self._clock.now() + self._limits.activity_wait_seconds * 1_000
        while (offer := await self._next_offer(arn, until, wait)) is not None:
            task = await offer.start(worker_name, None)
            if task is not None:
                return task
        return None

    async def _next_offer(self, arn: str, until: int, wait: Wait) -> Offer | None:
        queue = self._queue(arn)
        offer = self._first(queue)
        if offer is not None or self._closed:
            return offer
        worker: _Worker = asyncio.get_running_loop().create_future()
        queue.workers[worker] = None
        self.worker_waits(arn)
        alarm = self._clock.call_at(until, lambda: _answer(worker, None))
        still_there = False
        try:
            still_there = await wait(worker)
        finally:
            alarm.cancel()
            queue.workers.pop(worker, None)
            offer = worker.result() if worker.done() else None
            if offer is not None and not still_there and not offer.lent:
                self.offer(arn, offer)
        return offer if still_there else None


_Worker = asyncio.Future[Offer | None]
"""Somebody who waits for a task: done with an offer, or with None when he has waited for long enough."""


class _Queue:
    """The offers and the workers of one activity: never both."""

    __slots__ = ("_offers", "_order", "workers")

    def __init__(self) -> None:
        self._offers: dict[tuple[int, int], Offer] = {}
        """By execution and number."""
        self._order: list[Place] = []
        """Heap. A place whose offer is gone counts no more."""
        self.workers: OrderedDict[_Worker, None] = OrderedDict()
        """In the order in which they came."""

    def put(self, offer: Offer) -> None:
        self._offers[offer.place[1:]] = offer
        heapq.heappush(self._order, offer.place)

    @property
    def has_offers(self) -> bool:
        return bool(self._offers)

    def first(self) -> Offer | None:
        while self._order:
            offer = self._offers.pop(heapq.heappop(self._order)[1:], None)
            if offer is not None:
                return offer
        return None

    def withdraw(self, execution_id: int, attempt: int) -> None:
        del self._offers[execution_id, attempt]
        if len(self._order) > 2 * len(self._offers) + _SMALL_QUEUE:
            self._order = [offer.place for offer in self._offers.values()]
            heapq.heapify(self._order)

    def next_worker(self) -> _Worker | None:
        while self.workers:
            worker, _ = self.workers.popitem(last=False)
            if not worker.done():
                return worker
        return None

    def send_home(self) -> None:
        while self.workers:
            worker, _ = self.workers.popitem()
            _answer(worker, None)


def _answer(worker: _Worker, offer: Offer | None) -> None:
    if not worker.done():
        worker.set_result(offer)
