"""Several nodes, each a process, on one PostgreSQL: any node answers for any execution, and outlives any other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.acceptance.server import Refused
from tests.cluster.nodes import Cluster, problems_of, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

_QUICK = ("TREADLE_LIMIT_NODE_SILENCE_SECONDS=3", "TREADLE_LIMIT_NODE_LOOK_MILLISECONDS=300")
"""Nodes that are missed soon."""
STEPS = {"A": {"Type": "Wait", "Seconds": 2, "Next": "B"}, "B": {"Type": "Pass", "End": True}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes() -> AsyncIterator[Cluster]:
    async with Cluster(2, *_QUICK) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(nodes: Cluster) -> Cluster:
    """Two nodes that share the shards, whatever the test before has left."""
    for node in nodes.nodes:
        if not node.running:
            await node.start()
    await until(lambda: shared(nodes, 2))
    return nodes


async def shared(cluster: Cluster, nodes: int) -> bool | None:
    """Whether so many nodes share the shards."""
    statement = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1 GROUP BY pid"
    answer = await asyncio.to_thread(cluster.postgres.execute, statement, "treadle")
    held = [int(line) for line in answer.split()]
    return True if sum(held) == 64 and len(held) == nodes and max(held) <= -(-64 // nodes) else None


async def begun(cluster: Cluster, machine: str, tag: str, count: int = 10) -> list[str]:
    """Executions, half of them at each node."""
    starts = [
        cluster.insist(cluster.nodes[number % 2], "StartExecution", stateMachineArn=machine, name=f"{tag}{number}")
        for number in range(count)
    ]
    return [str(answer["executionArn"]) for answer in await asyncio.gather(*starts)]


async def check(cluster: Cluster, executions: list[str]) -> None:
    for execution in executions:
        assert (await cluster.ended(execution))["status"] == "SUCCEEDED"
        assert not problems_of(await cluster.history(execution))


async def test_any_node_answers_for_any_execution(cluster: Cluster) -> None:
    here, there = cluster.nodes
    machine = await cluster.machine("waits", {"A": {"Type": "Wait", "Seconds": 1_000, "End": True}})
    execution = (await cluster.call(here, "StartExecution", stateMachineArn=machine))["executionArn"]
    assert (await cluster.call(there, "DescribeExecution", executionArn=execution))["status"] == "RUNNING"
    await cluster.call(there, "StopExecution", executionArn=execution, error="Enough")
    assert (await cluster.call(here, "DescribeExecution", executionArn=execution))["error"] == "Enough"
    redriven = await cluster.call(there, "RedriveExecution", executionArn=execution)
    assert (
        redriven["redriveDate"]
        == (await cluster.call(here, "DescribeExecution", executionArn=execution))["redriveDate"]
    )
    await cluster.call(there, "StopExecution", executionArn=execution)


async def test_workers_and_tokens_of_any_node(cluster: Cluster) -> None:
    here, there = cluster.nodes
    activity = (await cluster.call(here, "CreateActivity", name="work"))["activityArn"]
    machine = await cluster.machine("works", {"A": {"Type": "Task", "Resource": activity, "End": True}})

    async def known() -> bool | None:
        try:
            polling.append(asyncio.create_task(cluster.call(there, "GetActivityTask", activityArn=activity)))
            await asyncio.wait(polling[-1:], timeout=0.3)
            return None if polling[-1].done() and polling[-1].exception() else True
        except Refused:
            return None

    polling: list[asyncio.Task[dict[str, Any]]] = []
    await until(known)
    started = await cluster.call(here, "StartExecution", stateMachineArn=machine, input='{"a":1}')
    task = await polling[-1]
    assert json.loads(task["input"]) == {"a": 1}
    await cluster.call(there, "SendTaskHeartbeat", taskToken=task["taskToken"])
    await cluster.call(there, "SendTaskSuccess", taskToken=task["taskToken"], output="2")
    assert (await cluster.call(here, "DescribeExecution", executionArn=started["executionArn"]))["output"] == "2"
    for node in cluster.nodes:
        with pytest.raises(Refused, match="TaskTimedOut"):
            await cluster.call(node, "SendTaskSuccess", taskToken=task["taskToken"], output="3")


async def test_changes_reach_other_nodes(cluster: Cluster) -> None:
    here, there = cluster.nodes
    machine = await cluster.machine("changes", {"A": {"Type": "Pass", "Result": 1, "End": True}})

    async def output() -> str:
        execution = (await cluster.call(there, "StartExecution", stateMachineArn=machine))["executionArn"]
        return str((await cluster.ended(execution))["output"])

    assert await output() == "1"
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 2, "End": True}}})
    await cluster.call(here, "UpdateStateMachine", stateMachineArn=machine, definition=definition)

    async def changed() -> bool | None:
        return True if await output() == "2" else None

    await until(changed)
    await cluster.call(here, "DeleteStateMachine", stateMachineArn=machine)

    async def gone() -> bool | None:
        try:
            await cluster.call(there, "StartExecution", stateMachineArn=machine)
        except Refused as error:
            return error.type in ("StateMachineDoesNotExist", "StateMachineDeleting") or None
        return None

    await until(gone)


async def test_a_node_that_is_killed(cluster: Cluster) -> None:
    machine = await cluster.machine("steps", STEPS)
    executions = await begun(cluster, machine, "kill")
    await cluster.nodes[0].kill()
    await until(lambda: shared(cluster, 1))
    await check(cluster, executions)


async def test_a_node_that_stands_still(cluster: Cluster) -> None:
    machine = await cluster.machine("steps", STEPS)
    executions = await begun(cluster, machine, "freeze")
    cluster.nodes[0].freeze()
    await until(lambda: shared(cluster, 1))
    await check(cluster, executions)
    cluster.nodes[0].wake()
    await until(lambda: shared(cluster, 2))
    for execution in executions:
        assert not problems_of(await cluster.history(execution))


async def test_postgresql_restarts(cluster: Cluster) -> None:
    machine = await cluster.machine("steps", STEPS)
    executions = await begun(cluster, machine, "restart")
    await asyncio.to_thread(cluster.postgres.crash)
    await asyncio.to_thread(cluster.postgres.start)
    executions += await begun(cluster, machine, "after")
    await check(cluster, executions)


async def test_a_node_without_its_database(cluster: Cluster) -> None:
    machine = await cluster.machine("steps", STEPS)
    executions = await begun(cluster, machine, "cut")
    cluster.nodes[0].proxy.cut(refuse=True)
    await until(lambda: shared(cluster, 1))
    await check(cluster, executions)
    with pytest.raises(Refused, match="ServiceUnavailable"):
        await cluster.call(cluster.nodes[0], "StartExecution", stateMachineArn=machine)
    cluster.nodes[0].proxy.mend()


async def test_a_node_leaves_in_order(cluster: Cluster) -> None:
    machine = await cluster.machine("steps", STEPS)
    executions = await begun(cluster, machine, "leave")
    assert await cluster.nodes[0].stop() == 0
    await until(lambda: shared(cluster, 1))
    await check(cluster, executions)
    for node in cluster.nodes:
        assert "bug" not in node.log()
