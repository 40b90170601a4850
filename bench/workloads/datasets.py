"""The Distributed Map over a CSV file: its rows are read, worked on by children, and their results written to files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bench.clients import duration
from bench.definitions import PASS, call, chain, create
from bench.figures import Figure
from bench.machine import peak_mib
from bench.rig import Rig
from bench.wire import Client

_POLL_SECONDS = 0.2

WORK = """import time


def handler(event, context):
    until = time.perf_counter() + 0.001
    while time.perf_counter() < until:
        pass
    return event["id"]
"""
"""A function that works for a millisecond."""


def csv(rig: Rig) -> Iterator[Figure]:
    return _rows(rig, 2, rig.size(100_000, 10_000), PASS, "one Pass each")


def csv_function(rig: Rig) -> Iterator[Figure]:
    return _rows(rig, 2, rig.size(5_000, 1_000), call("work"), "a function that works for 1 ms each")


def million(rig: Rig) -> Iterator[Figure]:
    return _rows(rig, 1, rig.size(1_000_000, 100_000), PASS, "one Pass each")


def _rows(rig: Rig, rounds: int, rows: int, work: dict[str, Any], named: str) -> Iterator[Figure]:
    data = rig.scratch / "datasets"
    data.mkdir(exist_ok=True)
    with (data / "rows.csv").open("w", encoding="utf-8") as file:
        file.write("id,name,amount\n")
        file.writelines(f"{number},customer {number},{number * 7 % 1_000}\n" for number in range(rows))
    with rig.serving("--dataset-folders", str(data)) as server:
        client = Client(server.port)
        machine = create(client, _definition(data.as_uri(), work))
        duration(client, machine, '{"most":1000}', _POLL_SECONDS)
        given = json.dumps({"most": rows})
        seconds = [duration(client, machine, given, _POLL_SECONDS) for _ in range(rounds)]
        client.close()
        of = f"Distributed Map over a CSV file of {rows:,} rows, {named}, Express children, results in files"
        yield Figure(of, "items/s", [rows / each for each in seconds])
        yield Figure(f"{of}: peak memory of the server", "MiB", [peak_mib(server.pid)])


def _definition(folder: str, work: dict[str, Any]) -> dict[str, Any]:
    config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItemsPath": "$.most"}
    each = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": config,
            "Parameters": {"Bucket": folder, "Key": "rows.csv"},
        },
        "ItemProcessor": {
            **chain(1, work, "Item"),
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": folder, "Prefix": "results"},
            "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"},
        },
        "End": True,
    }
    return {"StartAt": "Each", "States": {"Each": each}}
