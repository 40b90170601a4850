"""The workloads: each takes a running server and gives its figures."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from figures import Figure, percentile
from machine import cpu_seconds, peak_mib, resident_mib, tree
from server import Server, serving
from wire import ACCOUNT, REGION, AsyncClient, Client

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/bench"
_FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo"
_PASS: dict[str, Any] = {"Type": "Pass"}

_CLIENTS = 64
_FIRST_POLL_SECONDS = 0.02
_POLL_GROWTH = 1.5
_POLL_SECONDS_MAX = 0.2
_SHORT_POLL_SECONDS = 0.001
_GIVE_UP_SECONDS = 180


def startup(scratch: Path, functions: Path, starts: int) -> Iterator[Figure]:
    """Not against a running server, but of servers: how soon they answer, and what they hold when idle."""
    with serving(scratch, functions):
        pass  # the first start after an upgrade compiles the modules; users see that once
    ready, server_mib, tree_mib = [], [], []
    for _ in range(starts):
        with serving(scratch, functions) as server:
            ready.append(server.ready_seconds * 1e3)
            server_mib.append(resident_mib(server.pid))
            tree_mib.append(sum(map(resident_mib, tree(server.pid))))
    yield Figure("start until ready", "ms", ready)
    yield Figure("idle memory, server", "MiB", server_mib)
    yield Figure("idle memory, server and its processes", "MiB", tree_mib)


def express(server: Server, rounds: int, requests: int) -> Iterator[Figure]:
    client = Client(server.port)
    machine = create(client, chain(1), "EXPRESS")
    p50, p99 = [], []
    for number in range(rounds + 1):
        seconds = []
        for _ in range(requests):
            began = time.perf_counter()
            answer = client.call("StartSyncExecution", stateMachineArn=machine, input="{}")
            seconds.append(time.perf_counter() - began)
            _expect_success(answer)
        if number:  # the first round warms up
            p50.append(percentile(seconds, 50) * 1e3)
            p99.append(percentile(seconds, 99) * 1e3)
    client.close()
    yield Figure("StartSyncExecution of one Pass, Express: p50", "ms", p50)
    yield Figure("StartSyncExecution of one Pass, Express: p99", "ms", p99)


def chains(server: Server, rounds: int, executions: int, states: int = 5) -> Iterator[Figure]:
    """W1: short executions, started and awaited by many clients at once."""
    client = Client(server.port)
    machine = create(client, chain(states))
    client.close()
    per_second, cpu = [], []
    for number in range(rounds + 1):
        cpu_before, began = cpu_seconds(server.pid), time.perf_counter()
        uvloop.run(_start_and_await(server.port, machine, executions))
        seconds = time.perf_counter() - began
        if number:
            per_second.append(executions / seconds)
            cpu.append((cpu_seconds(server.pid) - cpu_before) / executions * 1e3)
    yield Figure(f"W1: chains of {states} Pass, {_CLIENTS} clients", "exec/s", per_second)
    yield Figure("W1: state transitions", "/s", [rate * states for rate in per_second])
    yield Figure("W1: processor time of the server per execution", "ms", cpu)
    yield Figure("W1: memory of the server afterwards", "MiB", [resident_mib(server.pid)])


async def _start_and_await(port: int, machine: str, executions: int) -> None:
    numbers = iter(range(executions))

    async def one_client() -> None:
        client = await AsyncClient.connect(port)
        for number in numbers:
            started = await client.call("StartExecution", stateMachineArn=machine, input=f'{{"i":{number}}}')
            pause = _FIRST_POLL_SECONDS
            while (await _describe(client, started["executionArn"]))["status"] == "RUNNING":
                await asyncio.sleep(pause)
                pause = min(pause * _POLL_GROWTH, _POLL_SECONDS_MAX)
        await client.close()

    async with asyncio.timeout(_GIVE_UP_SECONDS):
        await asyncio.gather(*(one_client() for _ in range(_CLIENTS)))


async def _describe(client: AsyncClient, execution: str) -> Any:
    answer = await client.call("DescribeExecution", executionArn=execution)
    if answer["status"] != "RUNNING":
        _expect_success(answer)
    return answer


def long_chain(server: Server, rounds: int, states: int = 500) -> Iterator[Figure]:
    """W2: one execution, one state after another."""
    samples = _durations(server, chain(states), {}, 2 * states + 2, rounds)
    yield Figure(f"W2: one execution of {states} Pass", "ms", samples)


def inline_map(server: Server, rounds: int, items: int = 1_000) -> Iterator[Figure]:
    """W3: one inline Map; AWS's cap of 40 iterations at once is in force."""
    definition = {
        "StartAt": "Each",
        "States": {"Each": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": chain(1), "End": True}},
    }
    samples = _durations(server, definition, {"items": list(range(items))}, 4 * items + 6, rounds)
    yield Figure(f"W3: inline Map of {items:,} items, one Pass each", "ms", samples)


def inline_map_express(server: Server, rounds: int, items: int = 10_000) -> Iterator[Figure]:
    """The same in an Express execution, whose history may be of any length."""
    client = Client(server.port)
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": chain(1), "ResultPath": None, "OutputPath": None}
    machine = create(client, {"StartAt": "Each", "States": {"Each": {**each, "End": True}}}, "EXPRESS")
    given, samples = json.dumps({"items": list(range(items))}), []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        _expect_success(client.call("StartSyncExecution", stateMachineArn=machine, input=given))
        samples.append((time.perf_counter() - began) * 1e3)
    client.close()
    yield Figure(f"inline Map of {items:,} items in an Express execution, one Pass each", "ms", samples[1:])


def distributed_map(server: Server, kind: str, rounds: int, items: int) -> Iterator[Figure]:
    """One Distributed Map, from its start until its end; 0 is what each child answers, so that the result fits."""
    client = Client(server.port)
    processor = {**chain(1, {"Type": "Pass", "Output": 0}), "ProcessorConfig": _distributed(kind)}
    state = {"Type": "Map", "Items": "{% [1..$states.input.items] %}", "ItemProcessor": processor, "End": True}
    machine = create(client, {"QueryLanguage": "JSONata", "StartAt": "Each", "States": {"Each": state}})
    duration(client, machine, f'{{"items":{items // 10}}}', _POLL_SECONDS_MAX)
    per_second = [items / duration(client, machine, f'{{"items":{items}}}', _POLL_SECONDS_MAX) for _ in range(rounds)]
    client.close()
    of = f"Distributed Map of {items:,} items, one Pass each, {kind.capitalize()} children"
    yield Figure(of, "items/s", per_second)
    yield Figure(f"{of}: peak memory of the server", "MiB", [peak_mib(server.pid)])


def _distributed(kind: str) -> dict[str, str]:
    return {"Mode": "DISTRIBUTED", "ExecutionType": kind}


def function_tasks(server: Server, rounds: int, tasks: int = 5) -> Iterator[Figure]:
    """Tasks of a function whose worker is warm, one after another."""
    definition = chain(tasks, {"Type": "Task", "Resource": _FUNCTION})
    samples = _durations(server, definition, {"hello": "world"}, 5 * tasks + 2, rounds)
    yield Figure(
        f"function task, warm worker ({tasks} in a chain): per task", "ms", [sample / tasks for sample in samples]
    )


def _durations(server: Server, definition: dict[str, Any], data: Any, events: int, rounds: int) -> list[float]:
    """Milliseconds from StartExecution until DescribeExecution says SUCCEEDED; the first, cold one is left out.

    Raises RuntimeError if the history has not the number of events that AWS's has.
    """
    client = Client(server.port)
    machine = create(client, definition)
    samples = [duration(client, machine, json.dumps(data)) * 1e3 for _ in range(rounds + 1)]
    execution = client.call("ListExecutions", stateMachineArn=machine)["executions"][0]["executionArn"]
    last = client.call("GetExecutionHistory", executionArn=execution, reverseOrder=True, maxResults=1)["events"][0]
    if last["id"] != events:
        raise RuntimeError(f"an execution was to have {events} events, but has {last['id']}")
    client.close()
    return samples[1:]


def duration(
    client: Client,
    machine: str,
    data: str,
    poll_seconds: float = _SHORT_POLL_SECONDS,
    give_up_seconds: float = _GIVE_UP_SECONDS,
) -> float:
    began = time.perf_counter()
    execution = client.call("StartExecution", stateMachineArn=machine, input=data)["executionArn"]
    while (answer := client.call("DescribeExecution", executionArn=execution))["status"] == "RUNNING":
        if time.perf_counter() - began > give_up_seconds:
            raise TimeoutError(f"an execution is still RUNNING after {give_up_seconds} seconds")
        time.sleep(poll_seconds)
    _expect_success(answer)
    return time.perf_counter() - began


def chain(states: int, state: dict[str, Any] = _PASS) -> dict[str, Any]:
    steps = {f"S{number}": {**state, "Next": f"S{number + 1}"} for number in range(states)}
    steps[f"S{states - 1}"] = {**state, "End": True}
    return {"StartAt": "S0", "States": steps}


def create(client: Client, definition: dict[str, Any], kind: str = "STANDARD", name: str = "bench") -> str:
    created = client.call("CreateStateMachine", name=name, definition=json.dumps(definition), roleArn=_ROLE, type=kind)
    return str(created["stateMachineArn"])


def _expect_success(answer: Any) -> None:
    if answer["status"] != "SUCCEEDED":
        raise RuntimeError(f"an execution was to succeed, but: {answer}")
