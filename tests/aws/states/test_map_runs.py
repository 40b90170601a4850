"""Map runs and their children through the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from treadle.runtime.runtime import Runtime

from ..wire import ROLE, Wire

PREFIX = "arn:aws:states:us-east-1:000000000000"
MACHINE = f"{PREFIX}:stateMachine:m"
PASS = {"Type": "Pass", "End": True}
WAIT = {"Type": "Wait", "Seconds": 3600, "End": True}
FAIL = {"Type": "Fail", "Error": "E"}
NOTHING = dict.fromkeys(
    (
        *("running", "succeeded", "failed", "timedOut", "aborted", "pending"),
        *("resultsWritten", "failuresNotRedrivable", "pendingRedrive"),
    ),
    0,
)


def each(name: str, inner: dict[str, Any], execution_type: str = "STANDARD", **fields: Any) -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": execution_type}
    processor = {"ProcessorConfig": config, "StartAt": f"In{name}", "States": {f"In{name}": inner}}
    state = {"Type": "Map", "ItemProcessor": processor, "Label": name, "End": True, **fields}
    return {"StartAt": name, "States": {name: state}}


class Started:
    """An execution with map runs, begun over the wire."""

    def __init__(self, wire: Wire, runtime: Runtime) -> None:
        self.wire = wire
        self.runtime = runtime
        self.arn = ""

    async def begin(self, definition: dict[str, Any], given: Any) -> str:
        """The ARN of its only map run."""
        request = {"name": "m", "definition": json.dumps(definition), "roleArn": ROLE}
        await self.wire.ok("CreateStateMachine", request)
        request = {"stateMachineArn": MACHINE, "name": "e", "input": json.dumps(given)}
        self.arn = str((await self.wire.ok("StartExecution", request))["executionArn"])
        await self.runtime.idle()
        runs = await self.wire.ok("ListMapRuns", {"executionArn": self.arn})
        return str(runs["mapRuns"][0]["mapRunArn"])

    async def children(self, run: str, **request: Any) -> list[dict[str, Any]]:
        answer = await self.wire.ok("ListExecutions", {"mapRunArn": run, **request})
        children: list[dict[str, Any]] = answer["executions"]
        return children


@pytest.fixture
def started(wire: Wire, runtime: Runtime) -> Started:
    return Started(wire, runtime)


async def test_a_map_run_that_ended(started: Started, wire: Wire) -> None:
    run = await started.begin(each("L", PASS, ToleratedFailurePercentage=1.5), ["a", "b"])
    assert run.startswith(f"{PREFIX}:mapRun:m/L:")
    described = await wire.ok("DescribeMapRun", {"mapRunArn": run})
    assert described.pop("stopDate") >= described.pop("startDate")
    done = {**NOTHING, "succeeded": 2, "total": 2}
    assert described == {
        "mapRunArn": run,
        "executionArn": started.arn,
        "status": "SUCCEEDED",
        "maxConcurrency": 0,
        "toleratedFailureCount": 0,
        "toleratedFailurePercentage": 1.5,
        "itemCounts": done,
        "executionCounts": done,
        "redriveCount": 0,
    }
    (listed,) = (await wire.ok("ListMapRuns", {"executionArn": started.arn}))["mapRuns"]
    assert listed.keys() == {"executionArn", "mapRunArn", "stateMachineArn", "startDate", "stopDate"}
    assert listed["stateMachineArn"] == f"{MACHINE}/L"
    history = await wire.ok("GetExecutionHistory", {"executionArn": started.arn})
    details = [event.get("mapRunStartedEventDetails") for event in history["events"]]
    assert {"mapRunArn": run} in details


async def test_the_children(started: Started, wire: Wire) -> None:
    run = await started.begin(each("L", PASS, ItemBatcher={"MaxItemsPerBatch": 2}), [1, 2, 3])
    last, first = await started.children(run)
    assert (first["itemCount"], last["itemCount"], first["mapRunArn"]) == (2, 1, run)
    assert first["stateMachineArn"] == f"{MACHINE}/L"
    described = await wire.ok("DescribeExecution", {"executionArn": first["executionArn"]})
    assert (described["mapRunArn"], described["output"]) == (run, '{"Items":[1,2]}')
    history = await wire.ok("GetExecutionHistory", {"executionArn": first["executionArn"]})
    assert len(history["events"]) == 4
    machine = await wire.ok("DescribeStateMachineForExecution", {"executionArn": first["executionArn"]})
    assert (machine["mapRunArn"], machine["label"], machine["name"]) == (run, "L", "m")
    parents = await wire.ok("ListExecutions", {"stateMachineArn": MACHINE})
    assert [item["executionArn"] for item in parents["executions"]] == [started.arn]
    assert "mapRunArn" not in parents["executions"][0]


async def test_children_that_are_express_executions(started: Started, wire: Wire) -> None:
    run = await started.begin(each("L", PASS, "EXPRESS"), ["a"])
    (child,) = await started.children(run)
    arn = child["executionArn"]
    assert arn.startswith(f"{PREFIX}:express:m/L:")
    described = await wire.ok("DescribeExecution", {"executionArn": arn})
    assert (described["mapRunArn"], described["output"]) == (run, '"a"')
    answer = await wire.call("GetExecutionHistory", {"executionArn": arn})
    assert answer.error == (400, "InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")


async def test_counts_and_filters(started: Started, wire: Wire) -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 0, "Next": "No"}], "Default": "Yes"}
    definition = each("L", choice, MaxConcurrency=3, ToleratedFailureCount=1)
    definition["States"]["L"]["ItemProcessor"]["States"] |= {"No": FAIL, "Yes": WAIT}
    run = await started.begin(definition, [0, 1, 2, 3, 4])
    described = await wire.ok("DescribeMapRun", {"mapRunArn": run})
    expected = {**NOTHING, "failed": 1, "running": 3, "pending": 1, "total": 5}
    assert (described["status"], described["itemCounts"]) == ("RUNNING", expected)
    assert described["executionCounts"] == expected
    assert len(await started.children(run, statusFilter="RUNNING")) == 3
    (failed,) = await started.children(run, statusFilter="FAILED")
    assert await started.children(run, statusFilter="PENDING_REDRIVE") == []
    assert await started.children(run, redriveFilter="REDRIVEN") == []
    child = await wire.ok("DescribeExecution", {"executionArn": failed["executionArn"]})
    assert child["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    first = await wire.ok("ListExecutions", {"mapRunArn": run, "maxResults": 3})
    rest = await wire.ok("ListExecutions", {"mapRunArn": run, "maxResults": 3, "nextToken": first["nextToken"]})
    assert first["executions"] + rest["executions"] == await started.children(run)
    assert "nextToken" not in rest
    await wire.ok("StopExecution", {"executionArn": started.arn})
    await started.runtime.idle()
    described = await wire.ok("DescribeMapRun", {"mapRunArn": run})
    expected = {**NOTHING, "failed": 1, "aborted": 3, "pending": 1, "total": 5}
    assert (described["status"], described["itemCounts"]) == ("ABORTED", expected)


async def test_update_takes_effect_while_it_runs(started: Started, wire: Wire) -> None:
    run = await started.begin(each("L", WAIT, MaxConcurrency=1), list(range(5)))
    assert len(await started.children(run)) == 1
    update = {"mapRunArn": run, "maxConcurrency": 3, "toleratedFailureCount": 7, "toleratedFailurePercentage": 12.5}
    assert await wire.ok("UpdateMapRun", update) == {}
    await started.runtime.idle()
    assert len(await started.children(run)) == 3
    described = await wire.ok("DescribeMapRun", {"mapRunArn": run})
    assert {name: described[name] for name in update} == update


async def test_update_of_one_that_has_ended(started: Started, wire: Wire) -> None:
    run = await started.begin(each("L", PASS), [])
    answer = await wire.call("UpdateMapRun", {"mapRunArn": run, "maxConcurrency": 3})
    assert answer.error[:2] == (400, "ValidationException")
    assert answer.body["reason"] == "CANNOT_UPDATE_COMPLETED_MAP_RUN"


@pytest.mark.parametrize(
    "wrong", [{"maxConcurrency": -1}, {"toleratedFailureCount": -1}, {"toleratedFailurePercentage": 100.5}]
)
async def test_update_out_of_range(started: Started, wire: Wire, wrong: dict[str, Any]) -> None:
    run = await started.begin(each("L", WAIT), [1])
    answer = await wire.call("UpdateMapRun", {"mapRunArn": run, **wrong})
    assert answer.error[:2] == (400, "ValidationException")
    assert (await wire.ok("DescribeMapRun", {"mapRunArn": run}))["maxConcurrency"] == 0


async def test_pages_of_map_runs(started: Started, wire: Wire) -> None:
    branches = [each(f"L{number}", PASS) for number in range(3)]
    definition = {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": True}}}
    await started.begin(definition, [1])
    everything = (await wire.ok("ListMapRuns", {"executionArn": started.arn}))["mapRuns"]
    request: dict[str, Any] = {"executionArn": started.arn, "maxResults": 2}
    first = await wire.ok("ListMapRuns", request)
    rest = await wire.ok("ListMapRuns", {**request, "nextToken": first["nextToken"]})
    assert (len(everything), first["mapRuns"] + rest["mapRuns"]) == (3, everything)
    assert "nextToken" not in rest


async def test_a_redriven_map_run(started: Started, wire: Wire) -> None:
    """Its children wait one after the other until they run again."""
    definition = each("L", FAIL, MaxConcurrency=1, ToleratedFailureCount=1)
    run = await started.begin(definition, [1, 2, 3])
    failed = await wire.ok("DescribeMapRun", {"mapRunArn": run})
    assert (failed["status"], failed["itemCounts"]) == ("FAILED", {**NOTHING, "failed": 2, "pending": 1, "total": 3})
    (child, _) = await started.children(run)
    described = await wire.ok("DescribeExecution", {"executionArn": child["executionArn"]})
    assert described["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    await wire.ok("RedriveExecution", {"executionArn": started.arn})
    await started.runtime.idle()
    again = await wire.ok("DescribeMapRun", {"mapRunArn": run})
    assert (again["status"], again["redriveCount"], again["startDate"]) == ("FAILED", 1, failed["startDate"])
    assert again["redriveDate"] >= failed["stopDate"]
    assert again["itemCounts"] == {**NOTHING, "failed": 2, "pending": 1, "total": 3}
    redriven = await started.children(run, redriveFilter="REDRIVEN")
    assert {(child["redriveCount"], child["status"]) for child in redriven} == {(1, "FAILED")}
    assert len(redriven) == 2
    assert await started.children(run, redriveFilter="NOT_REDRIVEN") == []
    assert await started.children(run, statusFilter="PENDING_REDRIVE") == []


async def test_the_run_of_a_stopped_execution_is_redriven(started: Started, wire: Wire) -> None:
    definition = each("L", WAIT, MaxConcurrency=2)
    run = await started.begin(definition, [1, 2, 3])
    await wire.ok("StopExecution", {"executionArn": started.arn})
    await started.runtime.idle()
    await wire.ok("RedriveExecution", {"executionArn": started.arn})
    await started.runtime.idle()
    await wire.ok("UpdateMapRun", {"mapRunArn": run, "maxConcurrency": 1})
    (history,) = [
        event
        for event in (await wire.ok("GetExecutionHistory", {"executionArn": started.arn}))["events"]
        if event["type"] == "MapRunRedriven"
    ]
    assert history["mapRunRedrivenEventDetails"] == {"mapRunArn": run, "redriveCount": 1}
    counts = (await wire.ok("DescribeMapRun", {"mapRunArn": run}))["executionCounts"]
    assert counts == {**NOTHING, "running": 2, "pending": 1, "total": 3}
