"""Measure this checkout on this machine: `make bench`, or `python bench/run.py --json FILE`. See README.md."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import datasets
import expressions
import functions as lambda_functions
import integrations
import workloads
from figures import HEADER, Figure
from machine import facts
from server import Server, serving

_STARTS = 7
_ECHO = "def handler(event, context):\n    return event\n"

_SERVED: dict[str, Callable[[Server], Iterator[Figure]]] = {
    "express": lambda server: workloads.express(server, rounds=5, requests=2_000),
    "w1": lambda server: workloads.chains(server, rounds=5, executions=2_000),
    "w2": lambda server: workloads.long_chain(server, rounds=7),
    "w3": lambda server: workloads.inline_map(server, rounds=7),
    "inline": lambda server: workloads.inline_map_express(server, rounds=5),
    "map": lambda server: workloads.distributed_map(server, "EXPRESS", rounds=2, items=100_000),
    "map-standard": lambda server: workloads.distributed_map(server, "STANDARD", rounds=2, items=20_000),
    "call": lambda server: integrations.call_overhead(server, rounds=7),
    "callbacks": integrations.callbacks,
    "function": lambda server: workloads.function_tasks(server, rounds=50),
}
"""Each against a fresh server."""

_FILED: dict[str, Callable[[Path, Path], Iterator[Figure]]] = {
    "csv": lambda scratch, functions: datasets.rows_with_pass(scratch, functions, rounds=2, rows=100_000),
    "csv-function": lambda scratch, functions: datasets.rows_with_function(scratch, functions, rounds=2, rows=5_000),
    "million": lambda scratch, functions: datasets.rows_with_pass(scratch, functions, rounds=1, rows=1_000_000),
}
"""Each with a fresh server that may read and write files."""

_WORKLOADS = ("start", *_SERVED, *_FILED, "lambda", "expressions")
_DEFAULT = tuple(name for name in _WORKLOADS if name != "million")


def _figures(chosen: list[str], scratch: Path, functions: Path, ministack: Path | None) -> Iterator[Figure]:
    for name in chosen:
        if name == "start":
            yield from workloads.startup(scratch, functions, _STARTS)
        elif name == "lambda":
            with serving(scratch, functions) as server:
                yield from lambda_functions.functions(server.port, "Treadle")
            if ministack is not None:
                with lambda_functions.ministack(ministack) as port:
                    yield from lambda_functions.functions(port, "MiniStack")
        elif name == "expressions":
            yield from expressions.expressions(rounds=11)
        elif name in _FILED:
            yield from _FILED[name](scratch, functions)
        else:
            with serving(scratch, functions) as server:
                yield from _SERVED[name](server)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there, too")
    parser.add_argument(
        "--dir", default="/var/tmp", metavar="DIR", help="a folder on the disk to measure [%(default)s]"
    )
    parser.add_argument("--ministack", type=Path, metavar="FILE", help="measure MiniStack, whose command this is, too")
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(_WORKLOADS)} [all but million]"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.workloads) - set(_WORKLOADS):
        parser.error(f"{', '.join(sorted(unknown))} is none of {', '.join(_WORKLOADS)}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="treadle-bench-", dir=arguments.dir) as folder:
        scratch = Path(folder)
        functions = scratch / "functions"
        functions.mkdir()
        (functions / "echo.py").write_text(_ECHO, encoding="utf-8")
        (functions / "work.py").write_text(datasets.WORK, encoding="utf-8")
        machine = facts(scratch)
        print(f"Treadle {version('treadle')}; " + "; ".join(f"{name} {value}" for name, value in machine.items()))
        print(HEADER)
        figures = []
        for figure in _figures(arguments.workloads or list(_DEFAULT), scratch, functions, arguments.ministack):
            print(figure.row(), flush=True)
            figures.append(figure)
    print(f"{time.monotonic() - began:.0f} seconds")
    if arguments.json:
        report = {"treadle": version("treadle"), "machine": machine, "figures": [each.record() for each in figures]}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
