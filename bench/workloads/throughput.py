"""How much the server does in a second: W1, Express starts, and what becomes of it under far too much load."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from bench.clients import CONNECTIONS, any_runs, ask, expect_success, succeeded, until_all_ended
from bench.definitions import call, chain, create
from bench.figures import Figure
from bench.machine import peak_mib, resident_mib
from bench.meter import Meter
from bench.rig import Rig, Server
from bench.wire import Client

_STATES = 5
_WARM_UP_SECONDS = 2


def w1(rig: Rig) -> Iterator[Figure]:
    """Short Standard executions, asked for by many clients at once, until the last of them has ended."""
    with rig.serving() as server:
        client = Client(server.port)
        machine = create(client, chain(_STATES))
        count = ask(server.port, machine, seconds=_WARM_UP_SECONDS).taken
        rates, server_cpu, client_cpu, flushes, others = [], [], [], [], []
        p50, p99 = [], []
        for _ in range(rig.size(3, 2)):
            with Meter(server.pid, disk=server.data) as meter:
                load = ask(server.port, machine, seconds=rig.size(10, 4))
                until_all_ended(client, machine)
            _expect_all(load.not_2xx + load.broken)
            rates.append(load.taken / meter.seconds)
            server_cpu.append(meter.server_cpu / load.taken * 1e6)
            client_cpu.append(meter.client_cpu / load.taken * 1e6)
            flushes.append(meter.flushes / load.taken)
            others.append(meter.others)
            p50.append(load.p50 / 1e3)
            p99.append(load.p99 / 1e3)
            count += load.taken
        _expect_ended(client, machine)
        client.close()
        memory = peak_mib(server.pid)
        server.stop()  # and so takes its log into the database
        named = f"W1: chains of {_STATES} Pass, {CONNECTIONS} connections"
        yield Figure(named, "exec/s", rates, key="w1.rate")
        yield Figure("W1: state transitions", "/s", [rate * _STATES for rate in rates], key="w1.transitions")
        yield Figure("W1: StartExecution, p50", "ms", p50)
        yield Figure("W1: StartExecution, p99", "ms", p99)
        yield Figure("W1: processor time of the server per execution", "us", server_cpu, key="w1.cpu")
        yield Figure("W1: processor time of the client per execution", "us", client_cpu)
        yield Figure("W1: flushes of the disk per execution", "", flushes)
        yield Figure("W1: cores that others used meanwhile", "", others)
        yield Figure("W1: bytes on disk per execution", "B", [server.disk_bytes() / count], key="w1.disk")
        yield Figure("W1: most memory of the server", "MiB", [memory])


def _expect_all(failed: int) -> None:
    if failed:
        raise RuntimeError(f"{failed} requests were not answered with success")


def _expect_ended(client: Client, machine: str) -> None:
    """The latest execution is taken for all."""
    latest = client.call("ListExecutions", stateMachineArn=machine, maxResults=1)["executions"][0]
    expect_success(latest)
    if any_runs(client, machine):
        raise RuntimeError("an execution still runs")


def express_starts(rig: Rig) -> Iterator[Figure]:
    """StartExecution of Express executions, which nobody waits for."""
    with rig.serving() as server:
        client = Client(server.port)
        machine = create(client, chain(_STATES), "EXPRESS")
        client.close()
        ask(server.port, machine, seconds=_WARM_UP_SECONDS, named=False)
        rates, cpu = [], []
        for _ in range(rig.size(3, 2)):
            with Meter(server.pid) as meter:
                load = ask(server.port, machine, seconds=rig.size(8, 3), named=False)
            _expect_all(load.not_2xx + load.broken)
            rates.append(load.taken / meter.seconds)
            cpu.append(meter.server_cpu / load.taken * 1e6)
        yield Figure(f"Express: StartExecution of {_STATES} Pass", "/s", rates, key="express.starts")
        yield Figure("Express: processor time of the server per execution", "us", cpu)


def overload(rig: Rig) -> Iterator[Figure]:
    """Far more than the server can carry: of requests, and of tasks that the requests leave behind."""
    yield from _too_many_requests(rig)
    yield from _too_many_tasks(rig)


def _too_many_requests(rig: Rig) -> Iterator[Figure]:
    """W1 with ever more connections, each of which asks again at once, whatever it was answered."""
    with rig.serving() as server:
        client = Client(server.port)
        machine = create(client, chain(_STATES))
        ask(server.port, machine, seconds=_WARM_UP_SECONDS)
        calm = 0.0
        for connections in (CONNECTIONS, 5 * CONNECTIONS, 40 * CONNECTIONS):
            rate = yield from _under(rig, server, client, machine, connections)
            calm = calm or rate
            if connections != CONNECTIONS:
                kept = rate / calm
                yield Figure(
                    f"overload, {connections} connections: throughput, beside that of {CONNECTIONS}",
                    "times",
                    [kept],
                    key=f"overload.kept.{connections}",
                )
        client.close()


def _under(rig: Rig, server: Server, client: Client, machine: str, connections: int) -> Generator[Figure, None, float]:
    """Gives back executions in a second."""
    seconds = rig.size(10, 4)
    with Meter(server.pid) as meter:
        load = ask(server.port, machine, seconds=seconds, connections=connections, refusals=True)
        until_all_ended(client, machine)
    if load.refused > load.throttled:
        raise RuntimeError(f"{load.refused - load.throttled} requests were refused with something else: {load.other}")
    rate = load.taken / meter.seconds
    named = f"overload, {connections} connections"
    others = f"{load.broken} broken" if load.broken else ""
    yield Figure(f"{named}: executions", "exec/s", [rate], others)
    yield Figure(f"{named}: ThrottlingException", "/s", [load.throttled / load.seconds])
    yield Figure(f"{named}: processor time of the server per execution", "us", [meter.server_cpu / load.taken * 1e6])
    yield Figure(f"{named}: answer, p50", "ms", [load.p50 / 1e3])
    yield Figure(f"{named}: answer, p99", "ms", [load.p99 / 1e3])
    yield Figure(f"{named}: memory of the server afterwards", "MiB", [resident_mib(server.pid)])
    yield Figure(f"{named}: most memory of the server so far", "MiB", [peak_mib(server.pid)])
    return rate


def _too_many_tasks(rig: Rig) -> Iterator[Figure]:
    """Executions with a function task each are begun as fast as the server takes them, which is several times as fast
    as the functions are done; those that end in the meantime are counted. What is left at the end is left."""
    with rig.serving() as server:
        client = Client(server.port)
        machine = create(client, chain(1, call("echo")))
        few = rig.size(2_000, 500)
        with Meter(server.pid) as calm:
            ask(server.port, machine, count=few)
            until_all_ended(client, machine)
        seconds = rig.size(60, 15)
        before = len(succeeded(client, machine))
        with Meter(server.pid) as meter:
            load = ask(server.port, machine, seconds=seconds, connections=5 * CONNECTIONS, refusals=True)
        ended = (len(succeeded(client, machine)) - before) / meter.seconds
        client.close()
        named = "overload, executions of one function task"
        yield Figure(f"{named}: ended, of {few:,} in all", "/s", [before / calm.seconds])
        yield Figure(f"{named}: begun, with {5 * CONNECTIONS}", "/s", [load.taken / load.seconds])
        yield Figure(
            f"{named}: ended, with {5 * CONNECTIONS}", "/s", [ended], f"{ended * calm.seconds / before:.2f} times"
        )
        yield Figure(f"{named}: ThrottlingException", "/s", [load.throttled / load.seconds], load.other)
        yield Figure(f"{named}: most memory of the server", "MiB", [peak_mib(server.pid)], f"after {seconds} s")
        server.kill()
