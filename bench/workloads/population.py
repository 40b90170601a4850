"""What many executions cost that are there already: sleeping or ended, and how long one's own history is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.clients import ask, count_events, duration, expect_success, until_all_ended
from bench.definitions import call, chain, create
from bench.figures import Figure
from bench.machine import resident_mib
from bench.meter import Meter, quiet_since
from bench.rig import Rig, Server
from bench.wire import Client

_YEAR_SECONDS = 31_536_000
_STATES = 5
_COST_ROUNDS = 5
_COST_EXECUTIONS = 1_000


def sleeping(rig: Rig) -> Iterator[Figure]:
    """Executions in a Wait of a year, begun over the API: what they hold in memory and on disk, and what others cost
    beside them."""
    with rig.serving(limits={"executions_open": 2 * _sizes(rig)[-1]}) as server:
        client = Client(server.port)
        machine = create(client, chain(1, {"Type": "Wait", "Seconds": _YEAR_SECONDS}))
        others = create(client, chain(_STATES), name="others")
        _cost(server, client, others)
        idle = resident_mib(server.pid)
        there, took, disk = 0, 0.0, 0
        costs: list[_Cost] = []
        for size in _sizes(rig):
            before, began = server.disk_bytes(), time.perf_counter()
            there += ask(server.port, machine, count=size - there, named=False).taken
            quiet_since(server.pid)
            took += time.perf_counter() - began
            disk += server.disk_bytes() - before
            costs.append(_cost(server, client, others))
            yield from costs[-1].figures(f"beside {size:,} sleeping ones")
        quiet_since(server.pid)
        held = resident_mib(server.pid)
        client.close()
        server.kill()
        server.start()
        quiet_since(server.pid)
        named = f"{there:,} sleeping executions"
        yield Figure(f"{named}: begun over the API", "/s", [there / took])
        yield Figure(f"{named}: memory of the server", "MiB", [held], f"{idle:.0f} before", key="sleep.memory")
        yield Figure(f"{named}: on disk, each", "B", [disk / there], key="sleep.disk")
        yield Figure(f"{named}: start of a server on them after kill -9", "s", [server.ready_seconds])
        yield Figure(f"{named}: memory of that server", "MiB", [resident_mib(server.pid)])
        yield _growth(costs, "open", "growth.open")


def growth(rig: Rig) -> Iterator[Figure]:
    """What an execution costs while more and more have ended."""
    with rig.serving() as server:
        client = Client(server.port)
        machine = create(client, chain(_STATES))
        there = 0
        costs: list[_Cost] = []
        for size in _sizes(rig):
            there += ask(server.port, machine, count=max(1, size - there)).taken
            quiet_since(server.pid)
            costs.append(_cost(server, client, machine))
            there += costs[-1].executions
            yield from costs[-1].figures(f"beside {size:,} ended ones")
        client.close()
        held = resident_mib(server.pid)
        server.stop()  # and so takes its log into the database
        yield Figure(f"{there:,} ended executions: memory of the server", "MiB", [held])
        yield Figure(f"{there:,} ended executions: on disk, each", "B", [server.disk_bytes() / there])
        yield _growth(costs, "ended", "growth.closed")


def _sizes(rig: Rig) -> tuple[int, ...]:
    return (1_000, 10_000, 100_000) if rig.quick else (1_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class _Cost:
    """What W1's execution costs at one moment. All samples are of rounds right after each other."""

    executions: int
    cpu_us: list[float]
    rates: list[float]
    read_ms: float

    def figures(self, where: str) -> Iterator[Figure]:
        yield Figure(f"{where}: 5 Pass, processor time of the server", "us", self.cpu_us)
        yield Figure(f"{where}: 5 Pass, in a second", "exec/s", self.rates)
        yield Figure(f"{where}: ListExecutions of the latest 100", "ms", [self.read_ms])


def _cost(server: Server, client: Client, machine: str) -> _Cost:
    """Of few executions, so that there are hardly more afterwards."""
    cpu, rates, executions = [], [], 0
    for _ in range(_COST_ROUNDS):
        with Meter(server.pid) as meter:
            taken = ask(server.port, machine, count=_COST_EXECUTIONS).taken
            until_all_ended(client, machine)
        cpu.append(meter.server_cpu / taken * 1e6)
        rates.append(taken / meter.seconds)
        executions += taken
    began = time.perf_counter()
    page = client.call("ListExecutions", stateMachineArn=machine, maxResults=100)
    read = time.perf_counter() - began
    expect_success(page["executions"][-1])
    return _Cost(executions, cpu, rates, read * 1e3)


def _growth(costs: list[_Cost], of: str, key: str) -> Figure:
    ratio = median(costs[-1].cpu_us) / median(costs[0].cpu_us)
    return Figure(f"cost beside the most {of} ones, of that beside the fewest", "times", [ratio], key=key)


def history(rig: Rig) -> Iterator[Figure]:
    """What a transition costs in executions of ever more events; and a task at the beginning and at the end of a long
    history, each of which is two commits."""
    with rig.serving() as server:
        client = Client(server.port)
        per_transition: list[float] = []
        for states in (5, 50, 500, 5_000, 12_000):
            machine = create(client, chain(states), name=f"chain-{states}")
            duration(client, machine)
            rounds = max(2, rig.size(60_000, 24_000) // states)
            with Meter(server.pid) as meter:
                for _ in range(rounds):
                    duration(client, machine)
            if (events := count_events(client, machine)) != 2 * states + 2:
                raise RuntimeError(f"an execution has {events} events")
            per_transition.append(meter.server_cpu / rounds / states * 1e6)
            yield Figure(f"history of {events:,} events: processor time per transition", "us", [per_transition[-1]])
        ratio = per_transition[-1] / per_transition[-3]
        yield Figure("cost of a transition in a history of 24,002 events, of that in one of 1,002", "times", [ratio])
        yield from _tasks(client, rig.size(4_900, 1_500))
        client.close()


def _tasks(client: Client, tasks: int) -> Iterator[Figure]:
    machine = create(client, chain(tasks, {**call("echo"), "ResultPath": None}), name="tasks")
    duration(client, machine, poll_seconds=0.1)
    ended = _times_of_ends(client, machine)
    part = tasks // 10
    first, last = (ended[part] - ended[0]) / part * 1e3, (ended[-1] - ended[-1 - part]) / part * 1e3
    yield Figure(f"{tasks:,} function tasks in a chain: each of the first tenth", "ms", [first])
    yield Figure(f"{tasks:,} function tasks in a chain: each of the last tenth", "ms", [last])
    yield Figure("the last tenth, of the first", "times", [last / first], key="growth.history")


def _times_of_ends(client: Client, machine: str) -> list[float]:
    """When each task of the latest execution had ended, in seconds."""
    execution = client.call("ListExecutions", stateMachineArn=machine, maxResults=1)["executions"][0]["executionArn"]
    page: dict[str, Any] = {"executionArn": execution, "maxResults": 1_000, "includeExecutionData": False}
    times: list[float] = []
    while True:
        answer = client.call("GetExecutionHistory", **page)
        times += [event["timestamp"] for event in answer["events"] if event["type"] == "LambdaFunctionSucceeded"]
        if "nextToken" not in answer:
            return times
        page["nextToken"] = answer["nextToken"]
