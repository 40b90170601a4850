"""What clients do with executions: start, wait for, and count them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import uvloop

from bench import wrk
from bench.figures import percentile
from bench.wire import AsyncClient, Client, Refused
from bench.wrk import Load

CONNECTIONS = 64
SHORT_POLL_SECONDS = 0.001
_GIVE_UP_SECONDS = 3_600


def ask(
    port: int,
    machine: str,
    *,
    operation: str = "StartExecution",
    seconds: float | None = None,
    count: int = 0,
    connections: int = CONNECTIONS,
    named: bool = True,
    data: str = "{}",
    refusals: bool = False,
) -> Load:
    """As `wrk.ask`; where there is no wrk, a client in this process asks, with names or without as the machine's
    server likes best: none."""
    if wrk.installed():
        return wrk.ask(
            port,
            machine,
            operation=operation,
            seconds=seconds,
            count=count,
            connections=connections,
            named=named,
            data=data,
            refusals=refusals,
        )
    return uvloop.run(_ask(port, machine, operation, seconds, count, connections, data))


async def _ask(
    port: int, machine: str, operation: str, seconds: float | None, count: int, connections: int, data: str
) -> Load:
    took: list[float] = []
    throttled = refused = asked = 0
    began = time.perf_counter()

    def more() -> bool:
        nonlocal asked
        asked += 1
        return (seconds is None or time.perf_counter() - began < seconds) and (not count or asked <= count)

    async def one_client() -> None:
        nonlocal throttled, refused
        client = await AsyncClient.connect(port)
        while more():
            sent = time.perf_counter()
            try:
                await client.call(operation, stateMachineArn=machine, input=data)
            except Refused as error:
                refused += 1
                throttled += "ThrottlingException" in str(error)
            took.append((time.perf_counter() - sent) * 1e6)
        await client.close()

    await asyncio.gather(*(one_client() for _ in range(connections)))
    return Load(
        answers=len(took),
        microseconds=round((time.perf_counter() - began) * 1e6),
        not_2xx=refused,
        refused=refused,
        throttled=throttled,
        p50=round(percentile(took, 50)),
        p99=round(percentile(took, 99)),
        slowest=round(max(took)),
    )


def any_runs(client: Client, machine: str) -> bool:
    """A server that is too busy to say has something left to do."""
    try:
        page = client.call("ListExecutions", stateMachineArn=machine, statusFilter="RUNNING", maxResults=1)
    except Refused as refusal:
        if "ThrottlingException" not in str(refusal):
            raise
        return True
    return bool(page["executions"])


def succeeded(client: Client, machine: str) -> set[str]:
    """The names of its executions that have succeeded."""
    names: set[str] = set()
    page: dict[str, Any] = {"stateMachineArn": machine, "statusFilter": "SUCCEEDED", "maxResults": 1_000}
    while True:
        answer = client.call("ListExecutions", **page)
        names.update(each["name"] for each in answer["executions"])
        if "nextToken" not in answer:
            return names
        page["nextToken"] = answer["nextToken"]


def until_all_ended(client: Client, machine: str) -> None:
    until(lambda: not any_runs(client, machine), SHORT_POLL_SECONDS * 10)


def until(holds: Callable[[], bool], poll_seconds: float) -> None:
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not after {_GIVE_UP_SECONDS} seconds")
        time.sleep(poll_seconds)


def duration(client: Client, machine: str, data: str = "{}", poll_seconds: float = SHORT_POLL_SECONDS) -> float:
    """Seconds from StartExecution until DescribeExecution, asked so often, says SUCCEEDED."""
    began = time.perf_counter()
    execution = client.call("StartExecution", stateMachineArn=machine, input=data)["executionArn"]
    while (answer := client.call("DescribeExecution", executionArn=execution))["status"] == "RUNNING":
        if time.perf_counter() - began > _GIVE_UP_SECONDS:
            raise TimeoutError(f"an execution is still RUNNING after {_GIVE_UP_SECONDS} seconds")
        time.sleep(poll_seconds)
    expect_success(answer)
    return time.perf_counter() - began


def count_events(client: Client, machine: str) -> int:
    """Of the machine's latest execution."""
    execution = client.call("ListExecutions", stateMachineArn=machine, maxResults=1)["executions"][0]["executionArn"]
    page = client.call("GetExecutionHistory", executionArn=execution, reverseOrder=True, maxResults=1)
    return int(page["events"][0]["id"])


def expect_success(answer: Any) -> None:
    if answer["status"] != "SUCCEEDED":
        raise RuntimeError(f"an execution was to succeed, but: {answer}")


async def at_once(
    port: int, operation: str, requests: Iterable[dict[str, Any]], connections: int = CONNECTIONS
) -> list[Any]:
    """The answers to all of them, in no order, by so many clients that ask again as soon as they are answered."""
    left, answers = iter(requests), []

    async def one_client() -> None:
        client = await AsyncClient.connect(port)
        for request in left:
            answers.append(await client.call(operation, **request))
        await client.close()

    await asyncio.gather(*(one_client() for _ in range(connections)))
    return answers
