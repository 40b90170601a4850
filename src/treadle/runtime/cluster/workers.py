"""Workers that poll for an activity's tasks at one node while the tasks wait at another.

    worker's node                                  execution's node
    a worker waits, no offer is here ── wanted ──▶ (remembers it for a while)
                                     ◀── offer ─── an offer waits, no worker is here
    a worker gets a lent offer ───── TakeTask ───▶ ActivityStarted is committed, and with it the answer
    the worker is answered           ◀── Taken ───

Both notices are hints, and repeated as long as somebody waits.  What counts is TakeTask: one worker gets the task, and
only when ActivityStarted is on disk.  Workers of the execution's own node come first, and which of two nodes has the
older task is not asked: across nodes the order is not that of the scheduling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from treadle.runtime.activities import Activities, Answers, Offer, TakenTask
from treadle.runtime.cluster.inbox import Inbox
from treadle.runtime.cluster.messages import Taken, TakeTask
from treadle.store.cluster_contract import Notice
from treadle.store.contract import StoreUnavailable

_WANTED_SECONDS = 10.0
"""So long counts what a node has said that it wants. It says so again before."""
_LENT = (0, 0, 0)
"""The place of a lent offer: it never stands in a queue."""

Tell = Callable[[Sequence[Notice]], None]
"""Tells the nodes, some time."""


class WorkersElsewhere:
    def __init__(
        self,
        activities: Activities,
        inbox: Inbox,
        tell: Tell,
        node: Callable[[], int],
        shard: Callable[[], int | None],
        seconds: float,
    ) -> None:
        """`shard`: one that this node holds; `seconds`: as long as a node may take to answer."""
        self._activities = activities
        self._inbox = inbox
        self._tell = tell
        self._node = node
        self._shard = shard
        self._seconds = seconds
        self._wanted: dict[str, dict[int, float]] = {}
        """Activity to the nodes whose workers wait for it, and until when that counts."""
        activities.worker_waits = self._want
        activities.offer_waits = self._offer

    def heard(self, notice: Notice) -> None:
        """`wanted`: at the node that says it. `offer`: `shard:activity`, for that node."""
        if notice.kind == "wanted":
            if notice.node != self._node():
                until = asyncio.get_running_loop().time() + _WANTED_SECONDS
                self._wanted.setdefault(notice.key, {})[notice.node] = until
                if self._activities.has_offers(notice.key):
                    self._offer(notice.key)
        elif notice.node == self._node():
            shard, _, arn = notice.key.partition(":")
            self._activities.lend(arn, self._lent(int(shard), arn))

    def remind(self) -> None:
        """Say again what workers wait for here. To be called every few seconds."""
        self._tell([Notice("wanted", arn, self._node()) for arn in self._activities.awaited])

    def _want(self, arn: str) -> None:
        self._tell([Notice("wanted", arn, self._node())])

    def _offer(self, arn: str) -> None:
        """Say to one node that wants it that there is a task of the activity."""
        nodes, now = self._wanted.get(arn, {}), asyncio.get_running_loop().time()
        shard = self._shard()
        for node in list(nodes):
            until = nodes.pop(node)
            if until > now and shard is not None:
                nodes[node] = until  # Behind the others: its turn comes again after theirs.
                self._tell([Notice("offer", f"{shard}:{arn}", node)])
                return
        self._wanted.pop(arn, None)

    def _lent(self, shard: int, arn: str) -> Offer:
        async def start(worker_name: str | None, answers: Answers | None) -> TakenTask | None:
            try:
                reply = await self._inbox.ask(shard, TakeTask(arn, worker_name), self._seconds)
            except StoreUnavailable:
                return None
            return TakenTask(reply.token, reply.input) if isinstance(reply, Taken) else None

        return Offer(place=_LENT, start=start, lent=True)
