"""How long one execution takes, or one request, or a start, where nothing else is asked for: W2, W3 and W4."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from bench.clients import SHORT_POLL_SECONDS, count_events, duration, expect_success
from bench.definitions import call, chain, create, inline_map
from bench.figures import Figure, percentile
from bench.machine import resident_mib, tree
from bench.rig import Rig, Server
from bench.wire import Client

_LONG_POLL_SECONDS = 0.01
"""Where an execution takes a second. Who asks every millisecond takes a sixth of the processor's time for that."""


def startup(rig: Rig) -> Iterator[Figure]:
    """How soon a server answers, and what it holds when it is idle."""
    with rig.serving():
        pass  # the first start after an upgrade compiles the modules; users see that once
    ready, server_mib, tree_mib = [], [], []
    for _ in range(rig.size(7, 3)):
        with rig.serving() as server:
            ready.append(server.ready_seconds * 1e3)
            server_mib.append(resident_mib(server.pid))
            tree_mib.append(sum(map(resident_mib, tree(server.pid))))
    yield Figure("start until ready", "ms", ready, key="start.ready")
    yield Figure("idle memory, server", "MiB", server_mib)
    yield Figure("idle memory, server and its processes", "MiB", tree_mib)


def w2(rig: Rig, states: int = 500) -> Iterator[Figure]:
    """One execution, one state after another: Pass, and tasks of a function whose worker is warm."""
    with rig.serving() as server:
        samples = _durations(server, chain(states), {}, 2 * states + 2, rig.size(21, 7))
        yield Figure(f"W2: one execution of {states} Pass", "ms", samples, key="w2.chain")
    with rig.serving() as server:
        tasks = chain(states, call("echo"))
        samples = _durations(server, tasks, {"hello": "world"}, 5 * states + 2, rig.size(5, 3), _LONG_POLL_SECONDS)
        yield Figure(f"W2: one execution of {states} function tasks", "ms", samples, key="w2.functions")


def w3(rig: Rig, items: int = 1_000) -> Iterator[Figure]:
    """One inline Map; AWS's cap of 40 iterations at once is in force."""
    with rig.serving() as server:
        data = {"items": list(range(items))}
        samples = _durations(server, inline_map(), data, 4 * items + 6, rig.size(21, 7))
        yield Figure(f"W3: inline Map of {items:,} items, one Pass each", "ms", samples, key="w3.map")


def w4(rig: Rig) -> Iterator[Figure]:
    """One Pass, one request after another on one connection: what a caller waits for its result."""
    with rig.serving() as server:
        client = Client(server.port)
        express = create(client, chain(1), "EXPRESS", name="express")
        standard = create(client, chain(1))
        yield from _percentiles(
            rig, "W4: StartSyncExecution of one Pass", "w4.sync", lambda: _start_sync(client, express)
        )
        yield from _percentiles(
            rig,
            "W4: StartExecution and DescribeExecution of one Pass",
            "w4.standard",
            lambda: duration(client, standard),
        )
        client.close()


def _start_sync(client: Client, machine: str) -> float:
    began = time.perf_counter()
    answer = client.call("StartSyncExecution", stateMachineArn=machine, input="{}")
    seconds = time.perf_counter() - began
    expect_success(answer)
    return seconds


def inline(rig: Rig) -> Iterator[Figure]:
    """An inline Map in an Express execution, whose history may be of any length."""
    items = rig.size(10_000, 2_000)
    with rig.serving() as server:
        client = Client(server.port)
        definition = inline_map()
        definition["States"]["S0"] |= {"ResultPath": None, "OutputPath": None}
        machine = create(client, definition, "EXPRESS")
        given, samples = json.dumps({"items": list(range(items))}), []
        for _ in range(rig.size(6, 4)):
            began = time.perf_counter()
            expect_success(client.call("StartSyncExecution", stateMachineArn=machine, input=given))
            samples.append((time.perf_counter() - began) * 1e3)
        client.close()
        yield Figure(f"inline Map of {items:,} items in an Express execution, one Pass each", "ms", samples[1:])


def _percentiles(rig: Rig, named: str, key: str, once: Any) -> Iterator[Figure]:
    """Of many runs, several times; the first time warms up."""
    p50, p99 = [], []
    for number in range(rig.size(6, 3)):
        seconds = [once() for _ in range(rig.size(2_000, 1_000))]
        if number:
            p50.append(percentile(seconds, 50) * 1e3)
            p99.append(percentile(seconds, 99) * 1e3)
    yield Figure(f"{named}: p50", "ms", p50, key=f"{key}.p50")
    yield Figure(f"{named}: p99", "ms", p99, key=f"{key}.p99")


def _durations(
    server: Server,
    definition: dict[str, Any],
    data: Any,
    events: int,
    rounds: int,
    poll_seconds: float = SHORT_POLL_SECONDS,
) -> list[float]:
    """Milliseconds from StartExecution until DescribeExecution says SUCCEEDED; the first, cold one is left out.

    Raises RuntimeError if the history has not the number of events that AWS's has.
    """
    client = Client(server.port)
    machine = create(client, definition)
    samples = [duration(client, machine, json.dumps(data), poll_seconds) * 1e3 for _ in range(rounds + 1)]
    if (found := count_events(client, machine)) != events:
        raise RuntimeError(f"an execution was to have {events} events, but has {found}")
    client.close()
    return samples[1:]
