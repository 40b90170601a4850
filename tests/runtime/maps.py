"""Distributed Maps to run in tests: their definitions, and what came of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from treadle.store.contract import ExecutionRow
from treadle.store.map_run_contract import MapRun
from treadle.tasks.contract import TaskOutcome, TaskRequest

from .world import World, done, failed

PASS = {"Type": "Pass", "End": True}
TYPES = pytest.mark.parametrize("execution_type", ["STANDARD", "EXPRESS"])


def each(inner: dict[str, Any] = PASS, execution_type: str = "STANDARD", **fields: Any) -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": execution_type}
    processor = {"ProcessorConfig": config, "StartAt": "Inner", "States": {"Inner": inner}}
    state = {"Type": "Map", "ItemProcessor": processor, "Label": "L", **fields}
    return {"Each": state if "Next" in fields else {**state, "End": True}}


async def the_run(world: World, execution: ExecutionRow) -> MapRun:
    (run,) = await world.store.map_run_list(execution.id, None, 9)
    return run


async def children(world: World, run: MapRun) -> list[ExecutionRow]:
    """By place, with input and output."""
    rows = await world.store.child_list(run.arn, None, None, None, 100_000)
    whole = [await world.store.execution_get(row.arn) for row in rows]
    return sorted((row for row in whole if row is not None), key=lambda row: row.child or 0)


async def counts(world: World, run: MapRun) -> dict[str, tuple[int, int]]:
    found = await world.runtime.map_runs.counts(run)
    return {count.status: (count.children, count.items) for count in found if count.children}


def by_input(request: TaskRequest, earlier: int) -> tuple[float, TaskOutcome]:
    """A task whose input says how long it takes, and whether it fails."""
    given = request.input.value
    return failed("E", given["for"]) if given.get("fails") else done(given["v"], given["for"])


def work(value: Any, seconds: float = 0, **more: Any) -> dict[str, Any]:
    return {"v": value, "for": seconds, **more}


def reading(execution_type: str = "STANDARD", inner: dict[str, Any] = PASS, **fields: Any) -> dict[str, Any]:
    reader = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"}}
    return each(inner, execution_type, ItemReader=reader, **fields)


def writing(execution_type: str = "STANDARD", inner: dict[str, Any] = PASS, **fields: Any) -> dict[str, Any]:
    config = fields.pop("config", {})
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "b", "Prefix": "jobs"},
        "WriterConfig": config,
    }
    return each(inner, execution_type, ResultWriter=writer, **fields)


async def files(world: World, run: MapRun) -> dict[str, Any]:
    """What was written, by the ends of the keys; and that the manifest tells all of it."""
    folder = f"jobs/{run.arn.rpartition(':')[2]}/"
    written = {key.removeprefix(folder): content for key, content in world.datasets.written.items()}
    manifest = json.loads(written.pop("manifest.json"))
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == ("b", run.arn)
    told = [file for group in manifest["ResultFiles"].values() for file in group]
    assert {file["Key"]: file["Size"] for file in told} == {
        f"{folder}{name}": len(content) for name, content in written.items()
    }
    assert all(key.startswith(group) for group, of in manifest["ResultFiles"].items() for key in names(of, folder))
    return {name: content.decode() for name, content in written.items()}


def names(group: list[dict[str, Any]], folder: str) -> list[str]:
    return [file["Key"].removeprefix(folder) for file in group]
