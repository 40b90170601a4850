"""Who waits for the end of an execution while its shard moves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from treadle.runtime.cluster import ends as ends_module
from treadle.runtime.cluster.ends import EndsAnywhere
from treadle.store.cluster_contract import shard_of
from treadle.store.contract import ExecutionStatus, StoreUnavailable

ARN = "arn:aws:states:eu-west-1:123456789012:execution:m:e"


class Statuses:
    """As much of a store as is asked here: one execution, whose status each read takes at its beginning."""

    def __init__(self) -> None:
        self.status: ExecutionStatus = "RUNNING"
        self.reads = 0
        self.reading = asyncio.Event()
        self.go = asyncio.Event()

    async def execution_statuses(self, arns: Sequence[str]) -> Mapping[str, tuple[int, ExecutionStatus]]:
        self.reads += 1
        found = dict.fromkeys(arns, (1, self.status))
        self.reading.set()
        await self.go.wait()
        return found


async def nobody_else(execution_id: int, arn: str) -> None:
    raise AssertionError(f"{arn} is here")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Statuses:
    monkeypatch.setattr(ends_module, "_PAUSE_SECONDS", 0)
    return Statuses()


async def test_it_comes_here_while_it_is_looked_for(store: Statuses) -> None:
    """It ends at the other node after the read has seen it running, and before its shard is here."""
    ends = EndsAnywhere(store, lambda id: True, nobody_else)  # type: ignore[arg-type]
    told = ends.watch(ARN)
    await store.reading.wait()
    store.status = "SUCCEEDED"
    ends.take()
    store.go.set()
    assert await asyncio.wait_for(told, 20) is not None
    assert store.reads == 2
    assert len(ends) == 0


async def test_it_leaves_while_it_is_looked_for(store: Statuses) -> None:
    held, asked = {shard_of(1)}, list[str]()

    async def elsewhere(execution_id: int, arn: str) -> None:
        asked.append(arn)
        store.status = "FAILED"

    ends = EndsAnywhere(store, lambda id: shard_of(id) in held, elsewhere)  # type: ignore[arg-type]
    told = ends.watch(ARN)
    await store.reading.wait()
    held.clear()
    ends.leave({shard_of(1)}, StoreUnavailable("moved"))
    store.go.set()
    assert await asyncio.wait_for(told, 20) is not None
    assert asked == [ARN]
    assert len(ends) == 0
