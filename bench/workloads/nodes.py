"""What several nodes on one PostgreSQL do in a second, and what bounds it: processor time of a node, and of PostgreSQL.

Nodes, PostgreSQL and the clients share this machine. So the rates say little about more machines than this one; the
processor times do.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from bench.clients import ask, until_all_ended
from bench.definitions import chain, create
from bench.figures import Figure
from bench.meter import Meter
from bench.rig import Rig, Server
from bench.wire import Client
from tests.postgres import PostgresServer

_STATES = 5
_NODES = (1, 2, 4)
_CONNECTIONS = 32
"""To each node."""


def nodes(rig: Rig) -> Iterator[Figure]:
    """W1 on 1, 2 and 4 nodes."""
    for count in _NODES:
        yield from _w1(rig, count)


def _w1(rig: Rig, count: int) -> Iterator[Figure]:
    with ExitStack() as parts:
        postgres = PostgresServer(durable=True)
        parts.callback(postgres.remove)
        postgres.start()
        store = ("--store", postgres.create("bench"))
        servers = [parts.enter_context(rig.serving(*store)) for _ in range(count)]
        client = Client(servers[0].port)
        parts.callback(client.close)
        machine = create(client, chain(_STATES))
        _load(servers, machine, 2)
        rates, node_cpu, postgres_cpu = [], [], []
        for _ in range(rig.size(3, 1)):
            with (
                Meter(*(server.pid for server in servers)) as meter,
                Meter(postgres.postmaster()) as meter_of_postgres,
            ):
                answers = _load(servers, machine, rig.size(10, 4))
                until_all_ended(client, machine)
            rates.append(answers / meter.seconds)
            node_cpu.append(meter.server_cpu / answers * 1e6)
            postgres_cpu.append(meter_of_postgres.server_cpu / answers * 1e6)
        named = f"{count} node{'s' if count > 1 else ''}"
        yield Figure(f"W1 on PostgreSQL, {named}", "exec/s", rates, key=f"nodes.{count}.rate")
        yield Figure(f"{named}: processor time of the nodes per execution", "us", node_cpu)
        yield Figure(f"{named}: processor time of PostgreSQL per execution", "us", postgres_cpu)


def _load(servers: list[Server], machine: str, seconds: int) -> int:
    """Ask all nodes at once for so long; how many executions they began."""
    with ThreadPoolExecutor(max_workers=len(servers)) as threads:
        loads = [
            threads.submit(ask, server.port, machine, seconds=seconds, connections=_CONNECTIONS) for server in servers
        ]
        done = [load.result() for load in loads]
    failed = sum(load.not_2xx + load.broken for load in done)
    if failed:
        raise RuntimeError(f"{failed} requests were not answered with success")
    return sum(load.taken for load in done)
