"""The queue of deliveries: durable, at least once, with bounded concurrency and memory.

Theory of operation. What is posted is a row in the store, due at once, before its sender hears of it. Each target
for which anything waits has a *lane*: a coroutine that looks for what is due and makes attempts, a bounded number at
a time; all lanes together share a bounded number of slots, handed out in turn. A row is read when its attempt
begins, so that memory holds what is attempted and never what waits, however much that is. How an attempt ended is
written in one commit, together with what follows from it; so a server that dies makes those attempts again that were
under way, and nothing else.

Which rows are under way is known to the lane alone (`_under_way`). A lane that looks finds these rows again, as they
stay in the store until they are done, and passes over them: nothing has to be remembered of how far it has read, so
no row is passed over for ever.

A target that takes nothing for now (a throttled function, an emulator that does not answer) holds up its lane and no
other: until another attempt of the lane ends well, or for a pause that doubles each time. From then on the lane makes
no more attempts at once than the target has shown to take, and one more each time that one is taken.

A lane that finds nothing waiting ends. Whoever adds a row wakes the lane after the commit, or begins a new one. Both
happen on the event loop without waiting in between, so a row is seen by one or the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from treadle.clock import Clock
from treadle.deliveries.contract import Again, Done, Message, Performer, Undeliverable
from treadle.deliveries.targets import kind_of
from treadle.limits import Limits
from treadle.store.contract import StoreUnavailable, StoreUnusable
from treadle.store.delivery_contract import Delivery, DeliveryStore

_log = logging.getLogger(__name__)


def delivery_of(target: str, message: Message, now: int) -> Delivery:
    """A delivery that is due at once."""
    return Delivery(target=target, message=msgspec.msgpack.encode(message), accepted=now, due=now)


def message_of(delivery: Delivery) -> Message:
    return msgspec.msgpack.decode(delivery.message, type=Message)


class Deliveries:
    def __init__(self, store: DeliveryStore, performer: Performer, clock: Clock, limits: Limits) -> None:
        self.store = store
        self.performer = performer
        self.clock = clock
        self.limits = limits
        self.slots = asyncio.Semaphore(limits.deliveries_at_once)
        self.wake_elsewhere: Callable[[Sequence[str]], None] = lambda targets: None
        """Told for which targets something may be due, as long as this server makes no attempts."""
        self._lanes: dict[str, _Lane] = {}
        self._at_work = False

    async def start(self) -> None:
        """Make attempts, beginning with what waits in the store."""
        self._at_work = True
        self.wake(await self.store.delivery_targets())

    async def look(self) -> None:
        """Look at once for what waits in the store, if this server makes attempts."""
        if self._at_work:
            self.wake(await self.store.delivery_targets())

    async def close(self) -> None:
        """Make none any more, and break off what is under way; whoever starts next makes these attempts again."""
        self._at_work = False
        lanes, self._lanes = self._lanes, {}
        await asyncio.gather(*[lane.close() for lane in lanes.values()])

    async def post(self, target: str, message: Message) -> None:
        """Have a message delivered to an ARN of the table in `targets.py`. It is on disk when this returns. Raises
        Undeliverable if the ARN names no target, StoreUnusable."""
        if kind_of(target) is None:
            raise Undeliverable(f"nothing can be delivered to {target}")
        await self.store.delivery_add(delivery_of(target, message, self.clock.now()))
        self.wake([target])

    def wake(self, targets: Sequence[str]) -> None:
        """Something may be due for these."""
        if not self._at_work:
            self.wake_elsewhere(targets)
            return
        for target in targets:
            lane = self._lanes.get(target)
            if lane is not None:
                lane.news.set()
            else:
                self._lanes[target] = _Lane(self, target)

    def leave(self, target: str) -> None:
        """The lane of the target has ended."""
        self._lanes.pop(target, None)


class _Lane:
    """What waits for one target."""

    def __init__(self, queue: Deliveries, target: str) -> None:
        self.news = asyncio.Event()
        """Something may be due, or there may be room for it."""
        self._queue = queue
        self._target = target
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._most = queue.limits.deliveries_at_once_each
        """As many attempts as are made at once."""
        self._pauses = 0
        """How often the target has refused in a row."""
        self._held_until = 0
        self._work = asyncio.get_running_loop().create_task(self._serve())

    async def close(self) -> None:
        tasks = [self._work, *self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self) -> None:
        try:
            while True:
                self.news.clear()
                next_look = await self._begin_due()
                if next_look is None and not self._under_way and not self.news.is_set():
                    self._queue.leave(self._target)
                    return
                await self._wait(next_look)
        except StoreUnusable:
            return  # the server is about to end, and says why
        except StoreUnavailable as error:
            _log.info("The lane of %s ended: %s", self._target, error)
            self._queue.leave(self._target)
        except Exception:
            _log.exception("The lane of %s ended because of a bug; the next message begins another", self._target)
            self._queue.leave(self._target)

    async def _begin_due(self) -> int | None:
        """Begin attempts as far as there is room for them. When to look again, if nothing happens before."""
        queue, now = self._queue, self._queue.clock.now()
        if now < self._held_until:
            return self._held_until
        most = self._most
        due = await queue.store.deliveries_due(self._target, now, most)
        for id in [id for id in due if id not in self._under_way]:
            if len(self._under_way) >= self._most:
                break
            await queue.slots.acquire()
            if now < self._held_until:  # what was begun meanwhile has been refused
                queue.slots.release()
                return self._held_until
            self._under_way[id] = asyncio.get_running_loop().create_task(self._attempt(id))
        if len(due) == most:
            return None  # more may be due, for which there is room when an attempt ends
        return await queue.store.delivery_next(self._target, now)

    async def _wait(self, until: int | None) -> None:
        timer = None if until is None else self._queue.clock.call_at(until, self.news.set)
        try:
            await self.news.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _attempt(self, id: int) -> None:
        try:
            await self._deliver(id)
        except (StoreUnavailable, StoreUnusable):
            return
        except Exception:
            _log.exception("A delivery to %s could not be written because of a bug", self._target)
            self._refused(self._queue.clock.now() + self._queue.limits.delivery_pause_longest_milliseconds)
        finally:
            self._queue.slots.release()
            del self._under_way[id]
            self.news.set()

    async def _deliver(self, id: int) -> None:
        queue = self._queue
        delivery = await queue.store.delivery_get(id)
        if delivery is None:  # it has gone with its function
            return
        try:
            outcome = await queue.performer.attempt(delivery)
        except (StoreUnavailable, StoreUnusable):
            raise
        except Exception:
            _log.exception("A delivery to %s failed because of a bug, and is tried again later", self._target)
            outcome = Again(queue.clock.now() + queue.limits.delivery_pause_longest_milliseconds)
        match outcome:
            case Done(then):
                self._taken()
                await queue.store.delivery_end(id, then)
                queue.wake([each.target for each in then])
            case Again(due):
                self._taken()
                await queue.store.delivery_postpone(id, due)
            case _:
                self._refused(outcome.latest)

    def _taken(self) -> None:
        self._pauses = self._held_until = 0
        self._most = min(self._most + 1, self._queue.limits.deliveries_at_once_each)

    def _refused(self, latest: int) -> None:
        now, limits = self._queue.clock.now(), self._queue.limits
        self._most = max(len(self._under_way) - 1, 1)
        if now < self._held_until:
            return  # begun before the pause
        pause = min(limits.delivery_pause_milliseconds << self._pauses, limits.delivery_pause_longest_milliseconds)
        if pause < limits.delivery_pause_longest_milliseconds:
            self._pauses += 1
        self._held_until = min(now + pause, max(latest, now + 1))
