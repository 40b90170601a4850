"""Distributed Maps over numbers: their children are begun, run, and counted."""

from __future__ import annotations

from collections.abc import Iterator

from bench.clients import duration
from bench.definitions import chain, create
from bench.figures import Figure
from bench.machine import peak_mib
from bench.rig import Rig
from bench.wire import Client

_POLL_SECONDS = 0.2


def express_children(rig: Rig) -> Iterator[Figure]:
    return _distributed_map(rig, "EXPRESS", rig.size(100_000, 10_000))


def standard_children(rig: Rig) -> Iterator[Figure]:
    return _distributed_map(rig, "STANDARD", rig.size(20_000, 4_000))


def _distributed_map(rig: Rig, kind: str, items: int) -> Iterator[Figure]:
    """From its start until its end; 0 is what each child answers, so that the result fits."""
    processor = {
        **chain(1, {"Type": "Pass", "Output": 0}, "Item"),
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
    }
    state = {"Type": "Map", "Items": "{% [1..$states.input.items] %}", "ItemProcessor": processor, "End": True}
    with rig.serving() as server:
        client = Client(server.port)
        machine = create(client, {"QueryLanguage": "JSONata", "StartAt": "Each", "States": {"Each": state}})
        duration(client, machine, f'{{"items":{items // 10}}}', _POLL_SECONDS)
        rates = [items / duration(client, machine, f'{{"items":{items}}}', _POLL_SECONDS) for _ in range(2)]
        client.close()
        of = f"Distributed Map of {items:,} items, one Pass each, {kind.capitalize()} children"
        yield Figure(of, "items/s", rates)
        yield Figure(f"{of}: peak memory of the server", "MiB", [peak_mib(server.pid)])
