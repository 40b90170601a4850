"""Every workload by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.figures import Figure
from bench.peers import comparison
from bench.rig import Rig
from bench.workloads import (
    budget,
    datasets,
    engine,
    expressions,
    functions,
    integrations,
    latency,
    maps,
    nodes,
    population,
    recovery,
    throughput,
)


@dataclass(frozen=True)
class Workload:
    run: Callable[[Rig], Iterator[Figure]]
    aimed: bool = False
    """Whether the aims speak of it: these are run if none is named."""


WORKLOADS: dict[str, Workload] = {
    "start": Workload(latency.startup, aimed=True),
    "w1": Workload(throughput.w1, aimed=True),
    "w2": Workload(latency.w2, aimed=True),
    "w3": Workload(latency.w3, aimed=True),
    "w4": Workload(latency.w4, aimed=True),
    "w5": Workload(integrations.w5, aimed=True),
    "w6": Workload(recovery.w6, aimed=True),
    "budget": Workload(budget.budget, aimed=True),
    "engine": Workload(engine.engine, aimed=True),
    "express": Workload(throughput.express_starts, aimed=True),
    "overload": Workload(throughput.overload, aimed=True),
    "recover": Workload(recovery.recover, aimed=True),
    "sleeping": Workload(population.sleeping, aimed=True),
    "growth": Workload(population.growth, aimed=True),
    "history": Workload(population.history, aimed=True),
    "nodes": Workload(nodes.nodes),
    "peers": Workload(comparison.peers),
    "inline": Workload(latency.inline),
    "map": Workload(maps.express_children),
    "map-standard": Workload(maps.standard_children),
    "csv": Workload(datasets.csv),
    "csv-function": Workload(datasets.csv_function),
    "million-rows": Workload(datasets.million),
    "call": Workload(integrations.call_overhead),
    "callbacks": Workload(integrations.callbacks),
    "function": Workload(functions.function_tasks),
    "lambda": Workload(functions.lambda_api),
    "lambda-ministack": Workload(comparison.functions_of_ministack),
    "expressions": Workload(expressions.expressions),
}
