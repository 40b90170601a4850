"""The budget: where the processor time of one StartExecution goes, layer by layer, in this process.

Each layer is measured together with all those below it, as the server runs them, with 64 clients at once; what a layer
costs is what it adds. Processor time, because a wait for the disk costs nothing; of all threads, the commits' too.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from bench.definitions import ROLE, chain
from bench.figures import Figure
from bench.rig import Rig
from bench.wire import ACCOUNT, REGION, request
from bench.workloads.engine import compiled, run
from treadle.aws.messages import Request
from treadle.composition import House, compose
from treadle.config import load
from treadle.document import Document
from treadle.limits import DEFAULT_LIMITS
from treadle.plan import Plan

_CLIENTS = 64
_STATES = 5
_ROUNDS = 5
_INPUT = '{"orderId":"o-1","amount":12.5}'
_URL = "http://127.0.0.1:1"
"""Nobody listens there: nothing here calls the server back."""
_MACHINES = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:"

_Start = Callable[[], Awaitable[object]]


def budget(rig: Rig) -> Iterator[Figure]:
    executions = rig.size(6_000, 1_000)
    with TemporaryDirectory(dir=rig.scratch) as data, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        layers = runner.run(_layers(Path(data), executions))
    below = 0.0
    for name, key, samples in [("the engine", "engine", _engine(executions)), *layers]:
        median = statistics.median(samples)
        yield Figure(f"budget: {name}", "us", samples, f"adds {median - below:.0f}", key=f"budget.{key}")
        below = median


def _engine(executions: int) -> list[float]:
    program, samples = compiled(chain(_STATES), "EXPRESS"), []
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(executions):
            run(program, _INPUT, encoded=False)
        samples.append((time.process_time() - began) / executions * 1e6)
    return samples


async def _layers(data: Path, executions: int) -> list[tuple[str, str, list[float]]]:
    """Name, key and microseconds for each execution, from the lowest layer up."""
    settings = load({"data_dir": str(data), "functions_dir": str(data), "port": "1"}, {})
    async with AsyncExitStack() as parts:
        plan = Plan(settings=settings, url=_URL, local_url=_URL, sinks=(), parts=parts, on_failure=_fail)
        house = await compose(plan)
        for kind in ("EXPRESS", "STANDARD"):
            machine = {"name": kind, "type": kind, "definition": json.dumps(chain(_STATES)), "roleArn": ROLE}
            await _call(house, "CreateStateMachine", machine)()
        asked = {"stateMachineArn": f"{_MACHINES}STANDARD", "input": _INPUT}
        over_the_door = _call(house, "StartExecution", asked)
        return [
            ("and the runtime (Express)", "runtime", await _measured(await _start(house, "EXPRESS"), executions)),
            ("and the store (Standard)", "store", await _measured(await _start(house, "STANDARD"), executions)),
            ("and the door", "door", await _measured(over_the_door, executions)),
        ]


async def _start(house: House, name: str) -> _Start:
    """Starts an execution where the API's operation does."""
    machine = await house.runtime.machines.get(f"{_MACHINES}{name}")
    assert machine is not None
    numbers = itertools.count()

    async def start() -> None:
        run_name = f"run-{next(numbers)}"
        arn = f"{_MACHINES.replace('stateMachine', 'execution')}{name}:{run_name}"
        given = Document.parse(_INPUT)
        await house.runtime.start_execution(machine, arn=arn, name=run_name, input=given, trace_header=None)

    return start


async def _measured(start: _Start, executions: int) -> list[float]:
    async def client(number: int) -> None:
        for _ in range(number, executions, _CLIENTS):
            await start()

    samples = []
    for _ in range(_ROUNDS + 1):
        began = time.process_time()
        await asyncio.gather(*map(client, range(_CLIENTS)))
        samples.append((time.process_time() - began) / executions * 1e6)
    return samples[1:]  # the first round warms up


def _call(house: House, operation: str, body: dict[str, Any]) -> _Start:
    """Asks as the HTTP server does for a request that has come as a whole (short_way.py)."""
    head, _, content = request(operation, body).partition(b"\r\n\r\n")
    headers = [(line.partition(b": ")[0].lower(), line.partition(b": ")[2]) for line in head.split(b"\r\n")[1:]]
    scope = {"method": "POST", "path": "/", "query_string": b"", "headers": headers}

    async def call() -> None:
        assert house.door.takes_whole(dict(headers))
        answer, request_id = await house.door.answer_whole(Request(scope, _nothing, DEFAULT_LIMITS, content))
        if answer.status != 200:
            raise RuntimeError(answer.body.decode())
        answer.head(request_id)

    return call


async def _nothing() -> dict[str, Any]:
    raise AssertionError("the body is there")


def _fail(error: Exception) -> None:
    raise error
