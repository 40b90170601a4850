"""Who waits for the end of an execution that another node may run, now or later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from treadle.runtime.ends import Ends
from treadle.store.cluster_contract import shard_of
from treadle.store.contract import ExecutionRow, Store, StoreUnavailable

_PAUSE_SECONDS = 1.0
"""Before the next question, when the database cannot be reached."""


class EndsAnywhere(Ends):
    def __init__(
        self, store: Store, holds: Callable[[int], bool], ended_elsewhere: Callable[[ExecutionRow], Awaitable[None]]
    ) -> None:
        """`holds`: whether an execution is this node's; `ended_elsewhere`: waits for the end of one that is not."""
        super().__init__(store)
        self._holds = holds
        self._ended_elsewhere = ended_elsewhere

    async def wait(self, execution_arn: str) -> bool:
        while True:
            try:
                row = await self._store.execution_get(execution_arn)
                if row is None or row.status != "RUNNING":
                    return row is not None
                if self._holds(row.id):
                    return await super().wait(execution_arn)
                await self._ended_elsewhere(row)
            except StoreUnavailable:  # Or the execution has moved to another node.
                if self._closed is not None:
                    raise self._closed from None
                await asyncio.sleep(_PAUSE_SECONDS)

    def leave(self, shards: Collection[int], error: Exception) -> None:
        """The executions in these shards may end at other nodes."""
        for execution_id in [id for id in self._waiting if shard_of(id) in shards]:
            self.refuse(execution_id, error)
