"""Who waits for the end of an execution that another node may run, now or later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from treadle.runtime.ends import Ends, refuse_all
from treadle.store.cluster_contract import shard_of
from treadle.store.contract import Store, StoreUnavailable

_PAUSE_SECONDS = 1.0
"""Before the next question, when the database cannot be reached."""


class _Elsewhere(Exception):
    """The execution is another node's."""

    def __init__(self, execution_id: int) -> None:
        super().__init__(execution_id)
        self.execution_id = execution_id


class EndsAnywhere(Ends):
    def __init__(
        self, store: Store, holds: Callable[[int], bool], ended_elsewhere: Callable[[int, str], Awaitable[None]]
    ) -> None:
        """`holds`: whether an execution is this node's; `ended_elsewhere`: waits for the end of one that is not, by id
        and ARN."""
        super().__init__(store)
        self._holds = holds
        self._ended_elsewhere = ended_elsewhere

    def watch(self, execution_arn: str) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_task(self._watch(execution_arn))

    async def _watch(self, execution_arn: str) -> Any:
        while True:
            try:
                try:
                    return await super().watch(execution_arn)
                except _Elsewhere as elsewhere:
                    await self._ended_elsewhere(elsewhere.execution_id, execution_arn)
            except StoreUnavailable:  # Or the execution has moved to another node.
                if self._closed is not None:
                    raise self._closed from None
                await asyncio.sleep(_PAUSE_SECONDS)

    def _runs(self, execution_id: int, waiter: asyncio.Future[Any]) -> None:
        if self._holds(execution_id):
            super()._runs(execution_id, waiter)
        else:
            waiter.set_exception(_Elsewhere(execution_id))

    def take(self) -> None:
        """Shards have come here. What is being looked for may have ended elsewhere just before that, and nobody here is
        told of it: who waits looks again."""
        refuse_all(self._looking, StoreUnavailable("its shard has moved"))

    def leave(self, shards: Collection[int], error: StoreUnavailable) -> None:
        """The executions in these shards may end at other nodes, and perhaps those that are being looked for are among
        them: who waits looks again."""
        for execution_id in [id for id in self._waiting if shard_of(id) in shards]:
            self.refuse(execution_id, error)
        refuse_all(self._looking, error)
