"""What calling another service costs, and what ten thousand that wait for an answer hold."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import uvloop
from botocore.config import Config

from bench.clients import CONNECTIONS, at_once, duration, succeeded, until_all_ended
from bench.definitions import call, chain, create
from bench.figures import Figure
from bench.machine import resident_mib
from bench.meter import Meter
from bench.rig import Rig, Server
from bench.wire import ACCOUNT, REGION, Client

_SEND = "arn:aws:states:::sqs:sendMessage"
_READ_SECONDS_MAX = 1_800


def w5(rig: Rig) -> Iterator[Figure]:
    """Five tasks in a chain, asked for by many clients at once: of a function, and of a queue that moto keeps."""
    with rig.serving() as server:
        yield from _tasks(rig, server, "function", call("echo"), rig.size(2_000, 300))
        queue = _sqs(server).create_queue(QueueName="bench")["QueueUrl"]
        send = {**_send(queue), "ResultPath": "$.sent"}
        yield from _tasks(rig, server, "sqs:sendMessage", send, rig.size(500, 100))


def _tasks(rig: Rig, server: Server, named: str, task: dict[str, Any], count: int) -> Iterator[Figure]:
    client = Client(server.port)
    machine = create(client, chain(5, task), name=named.replace(":", "-"))
    duration(client, machine)
    rates, cpu = [], []
    for _ in range(rig.size(3, 2)):
        requests = ({"stateMachineArn": machine} for _ in range(count))
        with Meter(server.pid) as meter:
            uvloop.run(at_once(server.port, "StartExecution", requests))
            until_all_ended(client, machine)
        rates.append(count / meter.seconds)
        cpu.append(meter.server_cpu / count * 1e3)
    client.close()
    of = f"W5: 5 tasks {named}, {CONNECTIONS} connections"
    yield Figure(of, "exec/s", rates, key=f"w5.{named}")
    yield Figure(f"{of}: processor time of the server and its processes per execution", "ms", cpu)


def _send(queue: str) -> dict[str, Any]:
    return {"Type": "Task", "Resource": _SEND, "Parameters": {"QueueUrl": queue, "MessageBody": "m"}}


def call_overhead(rig: Rig) -> Iterator[Figure]:
    """The same call, in turns: by boto3 from a script, and by the tasks of one execution."""
    with rig.serving() as server:
        yield from _call_overhead(server, rig.size(7, 3), 100)


def _call_overhead(server: Server, rounds: int, calls: int) -> Iterator[Figure]:
    sqs = _sqs(server)
    queue = sqs.create_queue(QueueName="bench")["QueueUrl"]
    client = Client(server.port)
    machine = create(client, chain(calls, _send(queue)))
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


def callbacks(rig: Rig) -> Iterator[Figure]:
    with rig.serving() as server:
        yield from _callbacks(server, rig.size(10_000, 1_000))


def _callbacks(server: Server, waiting: int) -> Iterator[Figure]:
    """Executions that wait for whoever has their token, all at once; and that all of them end. Their tokens go to
    executions that they start, because moto would be what is measured."""
    client = Client(server.port)
    child = create(client, chain(1), "EXPRESS")
    given = {"StateMachineArn": child, "Input": {"token.$": "$$.Task.Token"}}
    task = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.waitForTaskToken", "Parameters": given}
    machine = create(client, chain(1, task), name="parent")
    before, began = resident_mib(server.pid), time.perf_counter()
    starts = ({"stateMachineArn": machine} for _ in range(waiting))
    executions = [answer["executionArn"] for answer in uvloop.run(at_once(server.port, "StartExecution", starts))]
    histories = ({"executionArn": execution, "maxResults": 10} for execution in executions)
    told = uvloop.run(at_once(server.port, "GetExecutionHistory", histories))
    begun, held = time.perf_counter() - began, resident_mib(server.pid)
    tokens = [_token(answer["events"]) for answer in told]
    began = time.perf_counter()
    answers = ({"taskToken": token, "output": "{}"} for token in tokens)
    uvloop.run(at_once(server.port, "SendTaskSuccess", answers))
    ended = time.perf_counter() - began
    until_all_ended(client, machine)
    if len(succeeded(client, machine)) != waiting:
        raise RuntimeError("an execution did not succeed")
    client.close()
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
        config=Config(read_timeout=_READ_SECONDS_MAX),
    )
