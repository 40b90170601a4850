"""What several nodes do together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.runtime.world import ARN, arn_of, begin, done, make_machine, task, wait
from treadle.document import Document
from treadle.engine.history import decode_events
from treadle.engine.signals import TaskHeartbeat, TaskSucceeded
from treadle.runtime.cluster.node import Node
from treadle.runtime.errors import ExecutionExists, TaskOver
from treadle.runtime.waiting import patiently
from treadle.store.cluster_contract import shard_of
from treadle.store.contract import Activity, Commit, ExecutionRow, StoreUnavailable

from .shared import LIMITS, ClusterWorld

ACTIVITY = f"{ARN}activity:work"
CALLBACK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}},
    "End": True,
}


async def started(cluster: ClusterWorld, states: dict[str, Any], place: int = 0, name: str = "e") -> ExecutionRow:
    """At the node of this place."""
    node = cluster.nodes[place]
    machine = await node.machines.get(f"{ARN}stateMachine:m")
    if machine is None:
        machine = await make_machine(node, cluster.clock.now(), states)
    row = await begin(node, machine, name)
    await node.idle()
    return row


async def whole(cluster: ClusterWorld, execution: ExecutionRow) -> list[str]:
    """The types of its history's events, which count from 1 without a gap."""
    entries = await cluster.database.store.journal(execution.id)
    events = [event for entry in entries for event in decode_events(entry.events) if event.id]
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    return [event.type for event in events]


async def ended(cluster: ClusterWorld, execution: ExecutionRow, seconds: float = 5) -> ExecutionRow:
    async with asyncio.timeout(20):
        while (row := await cluster.row(execution)).status == "RUNNING":
            await cluster.run(seconds)
    return row


def holds(node: Node, execution: ExecutionRow) -> bool:
    return shard_of(execution.id) in node._membership.held


def token_of(cluster: ClusterWorld) -> str:
    (request,) = [request for tasks in cluster.tasks for request in tasks.requests]
    return request.token


# -- shares --------------------------------------------------------------------------------------------------------


async def test_nodes_share_the_shards(cluster: ClusterWorld) -> None:
    assert [len(node._membership.held) for node in cluster.nodes] == [32, 32]
    await cluster.add()
    await cluster.settled()
    assert sorted(len(node._membership.held) for node in cluster.nodes) == [21, 21, 22]
    await cluster.die(0)
    await cluster.settled()
    held = [node._membership.held for node in cluster.nodes]
    assert set.union(*held) == set(range(64))


async def test_an_execution_runs_where_it_was_started(cluster: ClusterWorld) -> None:
    for place in (0, 1):
        row = await started(cluster, {"A": task()}, place, name=str(place))
        assert holds(cluster.nodes[place], row)
        assert (await ended(cluster, row)).status == "SUCCEEDED"


async def test_a_name_is_taken_wherever_it_was_given(cluster: ClusterWorld) -> None:
    await started(cluster, {"A": wait(5)}, 0)
    with pytest.raises(ExecutionExists):
        await started(cluster, {"A": wait(5)}, 1)


# -- requests that go to another node --------------------------------------------------------------------------------


@pytest.mark.parametrize("deaf", [False, True])
async def test_any_node_stops_any_execution(cluster: ClusterWorld, deaf: bool) -> None:
    cluster.database.deaf = deaf
    row = await started(cluster, {"A": wait(50)})
    stopped = await cluster.nodes[1].stop_execution(row, error="E", cause="C")
    after = await cluster.row(row)
    assert (after.status, after.error, after.stopped) == ("ABORTED", "E", stopped)
    assert not cluster.database.requests
    assert await cluster.nodes[1].stop_execution(row, error=None, cause=None) == stopped


async def test_any_node_takes_any_token(tmp_path: Path) -> None:
    cluster = ClusterWorld(tmp_path, lambda request, earlier: done({}))
    await cluster.open(2)
    row = await started(cluster, {"A": CALLBACK})
    await cluster.run(1)
    token = token_of(cluster)
    await cluster.nodes[1].answer_task(token, TaskHeartbeat)
    await cluster.nodes[1].answer_task(token, lambda attempt: TaskSucceeded(attempt, Document({"a": 1})))
    assert (await cluster.row(row)).output == '{"a":1}'
    for node in cluster.nodes:
        with pytest.raises(TaskOver):
            await node.answer_task(token, lambda attempt: TaskSucceeded(attempt, Document(1)))
    await cluster.close()


async def test_any_node_redrives_any_execution(cluster: ClusterWorld) -> None:
    row = await started(cluster, {"A": {"Type": "Fail"}})
    await ended(cluster, row)
    assert await cluster.nodes[1].redrive_execution(await cluster.row(row), "token")
    assert (await ended(cluster, row)).redrives == 1
    assert [record.client_token for record in await cluster.database.store.redrives(row.id, 9)] == ["token"]


async def test_the_answer_is_in_the_commit_of_what_was_asked(tmp_path: Path) -> None:
    """The node that did it dies before it says so: who asks learns it, and it is not done again."""
    cluster = ClusterWorld(tmp_path, lambda request, earlier: done({}))
    await cluster.open(2)
    await started(cluster, {"A": CALLBACK})
    await cluster.run(1)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def answer(request_id: int, answer: bytes) -> None:
        await never

    cluster.sessions[0].answer = answer  # type: ignore[method-assign]
    async with asyncio.timeout(10):
        await cluster.nodes[1].answer_task(token_of(cluster), lambda attempt: TaskSucceeded(attempt, Document(1)))
    never.cancel()
    await cluster.close()


async def test_who_waits_for_an_end_elsewhere_hears_of_it(cluster: ClusterWorld) -> None:
    row = await started(cluster, {"A": wait(5)})
    waiting = asyncio.create_task(cluster.nodes[1].ends.wait(row.arn))
    await cluster.run(1)
    assert not waiting.done()
    await cluster.run(9)
    async with asyncio.timeout(5):
        assert await waiting


async def test_who_waits_for_an_end_hears_of_it_after_a_change_of_holders(cluster: ClusterWorld) -> None:
    row = await started(cluster, {"A": wait(5)})
    waiting = asyncio.create_task(cluster.nodes[1].ends.wait(row.arn))
    await asyncio.sleep(0.05)
    await cluster.die(0)
    await cluster.settled()
    await ended(cluster, row)
    async with asyncio.timeout(5):
        assert await waiting


# -- activities ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("worker_first", [True, False])
async def test_a_worker_gets_the_tasks_of_another_node(cluster: ClusterWorld, worker_first: bool) -> None:
    here, there = cluster.nodes
    await here.activities.create(Activity(arn=ACTIVITY, name="work", encryption="{}", created=0), {})
    await there.activities.changed(ACTIVITY)
    state = {"A": {"Type": "Task", "Resource": ACTIVITY, "End": True}}
    if worker_first:
        worker = asyncio.create_task(there.activities.take(ACTIVITY, "w", patiently))
        await asyncio.sleep(0.05)
        row = await started(cluster, state)
    else:
        row = await started(cluster, state)
        worker = asyncio.create_task(there.activities.take(ACTIVITY, "w", patiently))
    async with asyncio.timeout(5):
        taken = await worker
    assert taken is not None
    assert (await whole(cluster, row))[-1] == "ActivityStarted"
    await there.answer_task(taken.token, lambda attempt: TaskSucceeded(attempt, Document(1)))
    assert (await cluster.row(row)).status == "SUCCEEDED"


async def test_each_task_goes_to_one_worker_of_many_nodes(cluster: ClusterWorld) -> None:
    await cluster.add()
    for node in cluster.nodes:
        await node.activities.changed(ACTIVITY)
    await cluster.nodes[0].activities.create(Activity(arn=ACTIVITY, name="work", encryption="{}", created=0), {})
    for node in cluster.nodes:
        await node.activities.changed(ACTIVITY)
    state = {"A": {"Type": "Task", "Resource": ACTIVITY, "End": True}}
    workers = [
        asyncio.create_task(node.activities.take(ACTIVITY, "w", patiently)) for node in cluster.nodes for _ in range(5)
    ]
    await asyncio.sleep(0.02)
    for number in range(15):
        await started(cluster, state, number % 3, name=str(number))
    async with asyncio.timeout(10):
        taken = await asyncio.gather(*workers)
    assert len({each.token for each in taken if each is not None}) == 15


# -- shards that move ------------------------------------------------------------------------------------------------


async def test_another_node_goes_on_when_one_dies(cluster: ClusterWorld) -> None:
    rows = [await started(cluster, {"A": wait(5, Next="B"), "B": task()}, name=str(number)) for number in range(20)]
    await cluster.die(0)
    await cluster.settled()
    for row in rows:
        assert (await ended(cluster, row)).status == "SUCCEEDED"
        assert (await whole(cluster, row))[-1] == "ExecutionSucceeded"


async def test_a_node_begins_while_a_machine_is_being_deleted(cluster: ClusterWorld) -> None:
    """It writes nothing before it has joined."""
    execution = await started(cluster, {"Long": wait(10_000)})
    await cluster.nodes[0].deletions.delete(execution.machine_arn)
    third = await cluster.add()
    await cluster.settled()
    row = await cluster.row(execution)
    await third.stop_execution(row, error=None, cause=None)
    await third.deletions.resume()
    assert await third.machines.get(execution.machine_arn) is None


async def test_a_frozen_node_writes_nothing_when_it_wakes(cluster: ClusterWorld) -> None:
    rows = [await started(cluster, {"A": wait(5, Next="B"), "B": task()}, name=str(number)) for number in range(20)]
    frozen = cluster.sessions[0]
    frozen.freeze()
    frozen.reachable = False
    await cluster.settled()
    commits = frozen.commits
    await cluster.run(6)  # Both take the timers for due.
    for row in rows:
        assert (await ended(cluster, row)).status == "SUCCEEDED"
        assert (await whole(cluster, row)).count("ExecutionSucceeded") == 1
    assert frozen.commits == commits


async def test_a_node_that_lost_its_session_refuses_and_comes_back(cluster: ClusterWorld) -> None:
    node, session = cluster.nodes[0], cluster.sessions[0]
    row = await started(
        cluster,
        {
            "A": task(),
        },
        0,
    )
    session.reachable = False
    session.cut()
    assert node.resident == 0
    assert cluster.tasks[0].abandoned
    assert not cluster.tasks[0].cancelled
    with pytest.raises(StoreUnavailable):
        await started(cluster, {"A": task()}, 0, name="other")
    session.reachable = True
    await cluster.settled()
    assert (await ended(cluster, row)).status == "SUCCEEDED"
    assert (await ended(cluster, await started(cluster, {}, 0, name="third"))).status == "SUCCEEDED"


async def test_who_waits_for_a_start_is_refused_when_the_session_goes(cluster: ClusterWorld) -> None:
    machine = await make_machine(cluster.nodes[0], 0, {"A": task()})
    starting = asyncio.create_task(begin(cluster.nodes[0], machine))
    await asyncio.sleep(0)
    cluster.sessions[0].cut()
    with pytest.raises(StoreUnavailable):
        await starting


async def test_what_could_not_be_written_is_taken_up_again(cluster: ClusterWorld) -> None:
    """The session goes on, but the database had no room, say, for one commit."""
    row = await started(cluster, {"A": wait(5, Next="B"), "B": task()})
    session, commit = cluster.sessions[0], cluster.sessions[0].commit
    refused = 0

    async def refuse(commits: Sequence[Commit]) -> None:
        nonlocal refused
        refused += 1
        if refused <= 2:
            raise StoreUnavailable("no room")
        await commit(commits)

    session.commit = refuse  # type: ignore[method-assign]
    assert (await ended(cluster, row)).status == "SUCCEEDED"
    assert (await whole(cluster, row))[-1] == "ExecutionSucceeded"
    assert refused > 2


async def test_no_task_runs_twice_when_a_node_leaves(tmp_path: Path) -> None:
    """It waits for what is at work, and begins nothing new."""
    cluster = ClusterWorld(tmp_path)
    await cluster.open(2)
    states = {"A": task(Next="B"), "B": task(Next="C"), "C": task()}
    rows = [await started(cluster, states, name=str(number)) for number in range(10)]
    leaving, tasks = cluster.nodes[0], list(cluster.tasks)
    closing = asyncio.create_task(leaving.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    await cluster.run(1.5)  # What is at work ends, and what follows is not begun here.
    async with asyncio.timeout(5):
        await closing
    cluster.sessions[0].freeze()
    await cluster.settled()
    for row in rows:
        assert (await ended(cluster, row)).status == "SUCCEEDED"
    tokens = [request.token for each in tasks for request in each.requests]
    assert len(tokens) == len(set(tokens)) == 30
    assert len(tasks[0].requests) == 10
    await cluster.nodes[1].close()
    await cluster.database.store.close()


async def test_a_task_that_takes_too_long_is_begun_again_elsewhere(tmp_path: Path) -> None:
    cluster = ClusterWorld(tmp_path, lambda request, earlier: done(1, 3_000))
    cluster.limits = replace(LIMITS, shard_drain_seconds=0)
    await cluster.open(2)
    row = await started(cluster, {"A": task()})
    await cluster.nodes[0].close()
    cluster.sessions[0].freeze()
    await cluster.settled()
    assert cluster.tasks[0].abandoned
    assert (await ended(cluster, row, 4_000)).status == "SUCCEEDED"
    assert cluster.tasks[0].requests[0].token == cluster.tasks[1].requests[0].token
    assert cluster.tasks[1].requests[0].again_since is not None
    await cluster.nodes[1].close()
    await cluster.database.store.close()


async def test_map_runs_move_with_their_shard(tmp_path: Path) -> None:
    cluster = ClusterWorld(tmp_path)
    cluster.limits = replace(LIMITS, shard_drain_seconds=0)
    await cluster.open(2)
    mapping = {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "T",
            "States": {"T": task()},
        },
        "ItemsPath": "$$.Execution.Input.items",
        "MaxConcurrency": 2,
        "End": True,
    }
    node = cluster.nodes[0]
    machine = await make_machine(node, 0, {"M": mapping})
    row = await node.start_execution(
        machine, arn=arn_of(machine, "e"), name="e", input=Document({"items": list(range(9))}), trace_header=None
    )
    await node.idle()
    await cluster.run(2)
    (run,) = await cluster.database.store.map_run_list(row.id, None, 9)
    children = await cluster.database.store.child_places(run.arn, -1, 99)
    assert {shard_of(child.id) for child in children} == {shard_of(row.id)}
    await cluster.nodes[0].close()
    cluster.sessions[0].freeze()
    await cluster.settled()
    assert (await ended(cluster, row)).output == "[0,1,2,3,4,5,6,7,8]"
    await cluster.nodes[1].close()
    await cluster.database.store.close()


async def test_a_lock_that_could_not_be_given_back_is_found(cluster: ClusterWorld) -> None:
    """Nobody would serve the shard."""
    session, let_go = cluster.sessions[0], cluster.sessions[0].let_go
    refused: list[int] = []

    async def refuse(shard: int) -> None:
        if not refused:
            refused.append(shard)
            raise StoreUnavailable("no room")
        await let_go(shard)

    session.let_go = refuse  # type: ignore[method-assign]
    await cluster.add()
    await cluster.settled()
    assert refused
    assert set.union(*(node._membership.held for node in cluster.nodes)) == set(range(64))


# -- duties ----------------------------------------------------------------------------------------------------------


async def test_duties_go_with_their_shard(tmp_path: Path) -> None:
    cluster = ClusterWorld(tmp_path)
    await cluster.open(2)
    done_by: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    for place, node in enumerate(cluster.nodes):

        async def begin_(place: int = place) -> None:
            done_by.put_nowait((place, "begin"))

        async def end_(place: int = place) -> None:
            done_by.put_nowait((place, "end"))

        node.duties.add(begin_, end_)
    (first,) = [place for place, node in enumerate(cluster.nodes) if 0 in node._membership.held]
    await cluster.nodes[first].close()
    cluster.sessions[first].freeze()
    await cluster.settled()
    async with asyncio.timeout(5):
        assert await done_by.get() == (1 - first, "begin")
    assert done_by.empty()
    cluster.sessions[1 - first].cut()
    await cluster.settled()
    async with asyncio.timeout(5):
        assert [await done_by.get() for _ in range(2)] == [(1 - first, "end"), (1 - first, "begin")]
    assert done_by.empty()
    await cluster.nodes[1 - first].close()
    await cluster.database.store.close()
