"""What calling another service costs, and what ten thousand that wait for an answer hold."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import boto3
import uvloop
from botocore.config import Config
from figures import Figure
from machine import resident_mib
from server import Server
from wire import ACCOUNT, REGION, AsyncClient, Client
from workloads import chain, create, duration

_SEND = "arn:aws:states:::sqs:sendMessage"
_CLIENTS = 64
_POLL_SECONDS = 0.2
_GIVE_UP_SECONDS = 1_800


def call_overhead(server: Server, rounds: int, calls: int = 100) -> Iterator[Figure]:
    """The same call, in turns: by boto3 from a script, and by the tasks of one execution."""
    sqs = _sqs(server)
    queue = sqs.create_queue(QueueName="bench")["QueueUrl"]
    client = Client(server.port)
    task = {"Type": "Task", "Resource": _SEND, "Parameters": {"QueueUrl": queue, "MessageBody": "m"}}
    machine = create(client, chain(calls, task))
    bare, within = [], []
    for number in range(rounds + 1):
        began = time.perf_counter()
        for _ in range(calls):
            sqs.send_message(QueueUrl=queue, MessageBody="m")
        script = (time.perf_counter() - began) / calls * 1e3
        execution = duration(client, machine, "{}") / calls * 1e3
        if number:  # the first round warms up
            bare.append(script)
            within.append(execution)
    client.close()
    yield Figure("sqs:SendMessage by boto3, from a script", "ms", bare)
    yield Figure(f"sqs:sendMessage as a task ({calls} in a chain)", "ms", within)
    differences = [task - script for task, script in zip(within, bare, strict=True)]
    yield Figure("the task over the bare call", "ms", differences)


def callbacks(server: Server, waiting: int = 10_000) -> Iterator[Figure]:
    """Executions that wait for whoever has their token, all at once; and that all of them end. Their tokens go to
    executions that they start, because moto would be what is measured."""
    client = Client(server.port)
    child = create(client, chain(1), "EXPRESS")
    given = {"StateMachineArn": child, "Input": {"token.$": "$$.Task.Token"}}
    task = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.waitForTaskToken", "Parameters": given}
    machine = create(client, chain(1, task), name="parent")
    client.close()
    before, began = resident_mib(server.pid), time.perf_counter()
    starts = ({"stateMachineArn": machine} for _ in range(waiting))
    executions = [answer["executionArn"] for answer in uvloop.run(_all(server.port, "StartExecution", starts))]
    histories = ({"executionArn": execution, "maxResults": 10} for execution in executions)
    told = uvloop.run(_all(server.port, "GetExecutionHistory", histories))
    begun, held = time.perf_counter() - began, resident_mib(server.pid)
    tokens = [_token(answer["events"]) for answer in told]
    began = time.perf_counter()
    answers = ({"taskToken": token, "output": "{}"} for token in tokens)
    uvloop.run(_all(server.port, "SendTaskSuccess", answers))
    ended = time.perf_counter() - began
    _until(lambda: _succeeded(server, machine) == waiting)
    yield Figure(f"{waiting:,} callbacks: begun, and their tokens read", "/s", [waiting / begun])
    yield Figure(f"{waiting:,} callbacks waiting: memory of the server", "MiB", [held], f"{before:.0f} before")
    yield Figure(f"{waiting:,} callbacks: answered", "/s", [waiting / ended])


def _token(events: list[dict[str, Any]]) -> str:
    """Of the task, as its parameters have it."""
    scheduled = next(event for event in events if event["type"] == "TaskScheduled")
    token: str = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Input"]["token"]
    return token


def _sqs(server: Server) -> Any:
    return boto3.session.Session().client(
        "sqs",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="bench",
        config=Config(read_timeout=_GIVE_UP_SECONDS),
    )


async def _all(port: int, operation: str, requests: Iterable[dict[str, Any]]) -> list[Any]:
    left, answers = iter(requests), []

    async def one_client() -> None:
        client = await AsyncClient.connect(port)
        for request in left:
            answers.append(await client.call(operation, **request))
        await client.close()

    async with asyncio.timeout(_GIVE_UP_SECONDS):
        await asyncio.gather(*(one_client() for _ in range(_CLIENTS)))
    return answers


def _succeeded(server: Server, machine: str) -> int:
    client = Client(server.port)
    count, page = 0, {"stateMachineArn": machine, "statusFilter": "SUCCEEDED", "maxResults": 1_000}
    while True:
        answer = client.call("ListExecutions", **page)
        count += len(answer["executions"])
        if "nextToken" not in answer:
            client.close()
            return count
        page["nextToken"] = answer["nextToken"]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not after {_GIVE_UP_SECONDS} seconds")
        time.sleep(_POLL_SECONDS)
