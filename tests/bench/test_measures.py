"""W1 to W4 as they are measured of peers."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bench.peers.measures import CLIENTS, Size, Workflow, measure

_SIZE = Size(seconds=0.02, rounds=3, requests=10)


@pytest.mark.parametrize("synchronous", [True, False])
async def test_all_workflows_are_measured(synchronous: bool) -> None:
    ran: Counter[Workflow] = Counter()

    async def execute(workflow: Workflow) -> None:
        ran[workflow] += 1
        await asyncio.sleep(0)

    results = await measure(execute, _SIZE, synchronous)
    keys = {"w1.rate", "w2.chain", "w3.map", "w4.standard.p50", "w4.standard.p99"}
    assert set(results) == (keys | {"w4.sync.p50", "w4.sync.p99"} if synchronous else keys)
    assert len(results["w2.chain"]) == len(results["w3.map"]) == _SIZE.rounds
    assert ran[Workflow.LONG] == ran[Workflow.WIDE] == _SIZE.rounds + 1, "the first of each warms up"
    assert ran[Workflow.SYNCHRONOUS] == (_SIZE.requests + 1 if synchronous else 0)
    assert ran[Workflow.SHORT] >= CLIENTS
    assert all(sample > 0 for samples in results.values() for sample in samples)


async def test_a_workflow_that_fails_is_not_measured() -> None:
    async def execute(workflow: Workflow) -> None:
        raise RuntimeError("it failed")

    with pytest.raises(RuntimeError, match="it failed"):
        await measure(execute, _SIZE, synchronous=False)
