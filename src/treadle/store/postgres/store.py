"""The store in a PostgreSQL database. A node writes the executions of the shards whose locks its session holds.

An execution's id is its shard and a number (`store/cluster_contract.py`). A node gives ids in the shards that it holds;
where the numbers of a shard stand it finds out when it takes the shard, because nobody else does any more from then on.
The lock of a shard belongs to the session, which is the connection that writes: when it is lost, so are the shards.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

from msgspec import json

from treadle.store.cluster_contract import SHARD_BITS, SHARDS, shard_of
from treadle.store.contract import Commit, ExecutionRow, StoreUnavailable, StoreUnusable
from treadle.store.postgres.connections import Connections
from treadle.store.postgres.writer import ALONE
from treadle.store.sql.session import FIRST, Session, struct_of
from treadle.store.sql.store import SqlTables

_TOGETHER = 32
"""Ids that are given in one shard before the next one's turn: what begins together stands together in the indexes."""


class PostgresStore(SqlTables, Connections):
    """Implements `store.contract.Store` on the database at `url`."""

    def __init__(self, url: str, *, runs: bool = True) -> None:
        """`runs`: whether executions are to be run through it; everything else can be written beside those who do."""
        super().__init__(url)
        self._runs = runs
        self._secret = b""
        self._numbers: dict[int, int] = {}
        """The last one given in each shard that this node holds, or has held: an execution that only memory knows may
        outlast the holding."""
        self._held: set[int] = set()
        self._retired: set[int] = set()
        """Those of them in which executions only begin where there is no other."""
        self._losses = 0
        """How many sessions were lost."""
        self._turns = itertools.cycle((0,))
        self._turn, self._left = 0, 0

    async def open(self) -> None:
        """As the only node: with a session of its own, and all shards, if executions are to be run."""
        await self.connect()
        try:
            await self.begin(self.forget_shards)
            if self._runs and len(await self.take(range(SHARDS))) < SHARDS:
                raise StoreUnusable(f"{self.place} is in use by another Treadle server")
        except BaseException:
            await self.close()
            raise

    async def connect(self) -> None:
        await super().connect()
        ((self._secret,),) = await self.read("secret")

    async def secret(self) -> bytes:
        return self._secret

    # -- shards --------------------------------------------------------------------------------------------

    async def take(self, shards: Collection[int]) -> Collection[int]:
        """Those of them that this node holds now, because nobody else did. New ids are in them from now on."""

        async def job(session: Session) -> dict[int, int]:
            taken: dict[int, int] = {}
            for shard in shards:
                ((held,),) = await session.rows("shard_take", shard=shard)
                if held:
                    first = shard << SHARD_BITS
                    last = first + (1 << SHARD_BITS) - 1
                    ((number,),) = await session.rows("shard_last_id", shard=shard, first=first, last=last)
                    taken[shard] = number
            return taken

        losses = self._losses
        taken = await self.write(job, ALONE)
        if losses != self._losses:  # The answer came, but the session went before it was heard here.
            return ()
        for shard, number in taken.items():
            self._numbers[shard] = max(number, self._numbers.get(shard, 0))
        self._held.update(taken)
        self._retired.difference_update(taken)
        self._shards_changed()
        return taken.keys()

    def retire(self, shard: int) -> None:
        """No new ids are in it any more, unless there is no other. No I/O."""
        self._retired.add(shard)
        self._shards_changed()

    async def let_go(self, shard: int) -> None:
        """Hold it no more, once everything that was written before is on disk."""
        self._held.discard(shard)
        self._retired.discard(shard)
        self._shards_changed()
        await self.write(lambda session: session.rows("shard_let_go", shard=shard), ALONE)

    def forget_shards(self, reason: Exception) -> None:
        """The session is lost, and with it all shards."""
        self._losses += 1
        self._held.clear()
        self._retired.clear()
        self._shards_changed()

    def execution_id(self, beside: int | None = None) -> int:
        if self._left == 0 and self._held:
            self._turn, self._left = next(self._turns), _TOGETHER
        shard = self._turn if beside is None else shard_of(beside)
        if shard not in self._held:
            raise StoreUnavailable(f"this node holds no shard of {self.place} in which an execution could begin")
        if beside is None:
            self._left -= 1
        self._numbers[shard] += 1
        return self._numbers[shard]

    def _shards_changed(self) -> None:
        self._turns = itertools.cycle(tuple(self._held - self._retired or self._held))
        self._left = 0

    async def commit(self, commits: Sequence[Commit]) -> None:
        if not self._held.issuperset(shard_of(commit.execution.id) for commit in commits):
            raise StoreUnavailable("the execution has moved to another node; try again")
        await super().commit(commits)

    # -- what is read in PostgreSQL's own way ----------------------------------------------------------------

    async def executions_due(
        self, until: int, after: tuple[int, int] | None, limit: int, shards: Collection[int] | None = None
    ) -> Sequence[ExecutionRow]:
        wake, last = after or (FIRST, FIRST)
        of = json.encode(list(range(SHARDS) if shards is None else shards)).decode()
        rows = await self.read("executions_due", until=until, after_wake=wake, after_id=last, limit=limit, shards=of)
        return [struct_of(ExecutionRow, row) for row in rows]
