"""What a server makes of what another one left that was killed: W6, and 100,000 open executions at once."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvloop

from bench.clients import ask, expect_success, succeeded, until, until_all_ended
from bench.definitions import call, chain, create
from bench.figures import Figure
from bench.machine import cpu_seconds, resident_mib
from bench.meter import quiet_since
from bench.rig import Rig, Server
from bench.wire import AsyncClient, Client

_CLIENTS = 64
_POLL_SECONDS = 0.01
_START_CHILD = "arn:aws:states:::states:startExecution"

_TRACE = """import os

def handler(event, context):
    with open({path!r}, "a") as trace:
        trace.write(event + "\\n")
    return event
"""
"""A function that leaves a line for each of its invocations."""


def w6(rig: Rig) -> Iterator[Figure]:
    """kill -9 while many clients start executions of three function tasks: each that was acknowledged ends."""
    trace = rig.scratch / "trace"
    (rig.functions / "witness.py").write_text(_TRACE.format(path=str(trace)), encoding="utf-8")
    lost, twice, acknowledged, resumed = [], [], [], []
    for _ in range(rig.size(3, 1)):
        trace.write_text("", encoding="utf-8")
        with rig.serving() as server:
            client = Client(server.port)
            task = {**call("witness"), "InputPath": "$$.Execution.Name", "ResultPath": None}
            machine = create(client, chain(3, task))
            client.close()
            names = uvloop.run(_start_until_killed(server, machine, rig.size(5, 2)))
            began = time.perf_counter()
            server.start()
            client = Client(server.port)
            until_all_ended(client, machine)
            resumed.append(time.perf_counter() - began)
            ended = succeeded(client, machine)
            client.close()
        ran = Counter(trace.read_text(encoding="utf-8").split())
        acknowledged.append(float(len(names)))
        lost.append(float(len(names - ended)))
        twice.append(float(sum(max(0, ran[name] - 3) for name in names)))
    yield Figure("W6: executions acknowledged before the kill -9", "", acknowledged)
    yield Figure("W6: of these not SUCCEEDED in the end", "", lost, key="w6.lost")
    yield Figure("W6: tasks that were in flight and ran twice", "", twice)
    yield Figure("W6: from the restart until the last had ended", "s", resumed, key="w6.resumed")


async def _start_until_killed(server: Server, machine: str, seconds: float) -> set[str]:
    """The names of all that were acknowledged."""
    names: set[str] = set()

    async def one_client(number: int) -> None:
        client = await AsyncClient.connect(server.port)
        try:
            while True:
                name = f"x{number}-{len(names)}"
                await client.call("StartExecution", stateMachineArn=machine, name=name, input="{}")
                names.add(name)
        except (ConnectionError, asyncio.IncompleteReadError):
            return

    clients = [asyncio.create_task(one_client(number)) for number in range(_CLIENTS)]
    await asyncio.sleep(seconds)
    server.kill()
    await asyncio.gather(*clients)
    return names


@dataclass(frozen=True)
class _Kind:
    """One way of being open. `definition` may make what it needs; `moves` has one of the executions go on, or has a
    worker get it, which shows that it is there again."""

    key: str
    name: str
    definition: Callable[[Client], dict[str, Any]]
    moves: Callable[[Client, str], None]


def recover(rig: Rig) -> Iterator[Figure]:
    """Many open executions of one kind, begun over the API; kill -9; and how long a new server takes for them."""
    count = rig.size(100_000, 10_000)
    for kind in _KINDS:
        with rig.serving() as server:
            client = Client(server.port)
            machine = create(client, kind.definition(client))
            client.close()
            load = ask(server.port, machine, count=count, named=False)
            quiet_since(server.pid)
            held = resident_mib(server.pid)
            server.kill()
            began = time.perf_counter()
            server.start()
            client = Client(server.port)
            kind.moves(client, machine)
            first = time.perf_counter() - began
            client.close()
            last = quiet_since(server.pid) - began
            cpu = cpu_seconds(server.pid)
            after = resident_mib(server.pid)
        named = f"{load.taken:,} open, {kind.name}"
        yield Figure(f"{named}: begun over the API", "/s", [load.taken / load.seconds])
        yield Figure(f"{named}: memory of the server", "MiB", [held])
        yield Figure(f"{named}: until the first goes on, after kill -9", "s", [first])
        yield Figure(f"{named}: until the server has nothing left to do", "s", [max(first, last)], key=kind.key)
        yield Figure(f"{named}: processor time of the new server until then", "s", [cpu])
        yield Figure(f"{named}: memory of the new server", "MiB", [after])
    yield from _due(rig, count)


def _wait(client: Client) -> dict[str, Any]:
    return chain(1, {"Type": "Wait", "Seconds": 86_400})


def _activity(client: Client) -> dict[str, Any]:
    return chain(1, {"Type": "Task", "Resource": client.call("CreateActivity", name="bench")["activityArn"]})


def _callback(client: Client) -> dict[str, Any]:
    """The token goes to an Express execution, which takes no notice of it."""
    child = create(client, chain(1), "EXPRESS", name="child")
    given = {"StateMachineArn": child, "Input": {"token.$": "$$.Task.Token"}}
    return chain(1, {"Type": "Task", "Resource": f"{_START_CHILD}.waitForTaskToken", "Parameters": given})


def _in_flight(client: Client) -> dict[str, Any]:
    """A task that lasts as long as an execution that it has started. So there are twice as many executions."""
    child = create(client, _wait(client), name="child")
    given = {"StateMachineArn": child, "Input": {}}
    return chain(1, {"Type": "Task", "Resource": f"{_START_CHILD}.sync:2", "Parameters": given})


def _one(client: Client, machine: str) -> str:
    page = client.call("ListExecutions", stateMachineArn=machine, statusFilter="RUNNING", maxResults=1)
    return str(page["executions"][0]["executionArn"])


def _stops(client: Client, machine: str) -> None:
    client.call("StopExecution", executionArn=_one(client, machine))


def _worker_gets_it(client: Client, machine: str) -> None:
    activity = client.call("ListActivities")["activities"][0]["activityArn"]
    token = client.call("GetActivityTask", activityArn=activity)["taskToken"]
    client.call("SendTaskSuccess", taskToken=token, output="{}")


def _token_is_answered(client: Client, machine: str) -> None:
    execution = _one(client, machine)
    events = client.call("GetExecutionHistory", executionArn=execution)["events"]
    scheduled = next(event for event in events if event["type"] == "TaskScheduled")
    token = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Input"]["token"]
    client.call("SendTaskSuccess", taskToken=token, output="{}")
    _succeeds(client, execution)


def _child_ends(client: Client, machine: str) -> None:
    execution = _one(client, machine)
    events = client.call("GetExecutionHistory", executionArn=execution)["events"]
    submitted = next(event for event in events if event["type"] == "TaskSubmitted")
    output = json.loads(submitted["taskSubmittedEventDetails"]["output"])
    client.call("StopExecution", executionArn=output["ExecutionArn"])
    until(lambda: client.call("DescribeExecution", executionArn=execution)["status"] == "FAILED", _POLL_SECONDS)


def _succeeds(client: Client, execution: str) -> None:
    until(lambda: client.call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", _POLL_SECONDS)
    expect_success(client.call("DescribeExecution", executionArn=execution))


_KINDS = (
    _Kind("recover.wait", "in a Wait of a day", _wait, _stops),
    _Kind("recover.activity", "offered to workers of an activity", _activity, _worker_gets_it),
    _Kind("recover.callback", "waiting for a callback", _callback, _token_is_answered),
    _Kind("recover.task", "with a task in flight", _in_flight, _child_ends),
)


def _due(rig: Rig, count: int) -> Iterator[Figure]:
    """The most that there can be to do: all were due while no server ran."""
    with rig.serving() as server:
        client = Client(server.port)
        machine = create(client, chain(1, {"Type": "Wait", "TimestampPath": "$.until"}))
        client.close()
        due = time.time() + 90 + count / 1_000  # a scan holds what is due within a minute in memory
        until_due = datetime.datetime.fromtimestamp(due, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        load = ask(server.port, machine, count=count, named=False, data=json.dumps({"until": until_due}))
        server.kill()
        time.sleep(max(0.0, due + 1 - time.time()))
        began = time.perf_counter()
        server.start()
        client = Client(server.port)
        until_all_ended(client, machine)
        seconds = time.perf_counter() - began
        client.close()
    yield Figure(
        f"{load.taken:,} open, all due at the restart: until the last has ended", "s", [seconds], key="recover.due"
    )
