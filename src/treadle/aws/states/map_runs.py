"""Operations on map runs: what a Distributed Map started, how far it is, and under which limits it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.aws.arns import check_arn
from treadle.aws.errors import ApiError
from treadle.aws.states.call import Call, seconds
from treadle.store.map_run_contract import MapRun

_COUNTED: Mapping[str, str] = {
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timedOut",
    "ABORTED": "aborted",
    "PENDING_REDRIVE": "pendingRedrive",
}
"""The status of a child, and the member that counts it."""


async def describe_map_run(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    run = await map_run(call, request["mapRunArn"])
    return {
        **_common_members(run),
        "status": run.status,
        "maxConcurrency": run.concurrency,
        "toleratedFailureCount": run.tolerated_count,
        "toleratedFailurePercentage": run.tolerated_percentage,
        **await _counts(call, run),
        "redriveCount": run.redrives,
        **({} if run.redriven is None else {"redriveDate": seconds(run.redriven)}),
    }


async def _counts(call: Call, run: MapRun) -> dict[str, Any]:
    """What was not begun is pending, also in a run that has ended."""
    items = dict.fromkeys(_COUNTED.values(), 0)
    executions = dict(items)
    for count in await call.backend.runtime.map_runs.counts(run):
        executions[_COUNTED[count.status]] += count.children
        items[_COUNTED[count.status]] += count.items
    left_children, left_items = call.backend.runtime.map_runs.left(run)
    return {
        "itemCounts": _with_total(items, call.backend.runtime.map_runs.items(run), left_items, run),
        # With an ItemBatcher, how many there will be is not known before all batches are made.
        "executionCounts": _with_total(executions, run.children or 0, left_children, run),
    }


def _with_total(counts: dict[str, int], known: int, left: int, run: MapRun) -> dict[str, int]:
    """`known`: how many there are, as far as is known; `left`: how many of those that failed cannot be redriven."""
    begun = sum(counts.values())
    total = max(known, begun)  # After a restart, items are read again that have been begun.
    return {
        **counts,
        "pending": total - begun,
        "total": total,
        "resultsWritten": begun if run.results_written else 0,
        "failuresNotRedrivable": left,
    }


async def update_map_run(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Takes effect at once. What is not given stays as it is."""
    run = await map_run(call, request["mapRunArn"])
    changed = await call.backend.runtime.map_runs.configure(
        run.arn,
        request.get("maxConcurrency"),
        request.get("toleratedFailureCount"),
        request.get("toleratedFailurePercentage"),
    )
    if not changed:
        text = f"A Map Run that is completed cannot be updated: '{run.arn}'"  # AWS's wording is not known
        raise ApiError("ValidationException", text, reason="CANNOT_UPDATE_COMPLETED_MAP_RUN")
    return {}


async def list_map_runs(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Newest first."""
    execution = await call.execution(request["executionArn"])
    before, size = call.after(request), call.page_items(request)
    found = await call.backend.store.map_run_list(execution.id, before, size + 1)
    return call.page(
        request,
        "mapRuns",
        found,
        lambda run: {**_common_members(run), "stateMachineArn": run.machine_arn},
        lambda run: [run.id],
    )


def _common_members(run: MapRun) -> dict[str, Any]:
    answer = {"mapRunArn": run.arn, "executionArn": run.execution_arn, "startDate": seconds(run.started)}
    if run.stopped is not None:
        answer["stopDate"] = seconds(run.stopped)
    return answer


async def map_run(call: Call, arn: str) -> MapRun:
    """Raises InvalidArn, ResourceNotFound."""
    found = await call.backend.store.map_run_get(check_arn(arn, "mapRun"))
    if found is None:
        raise ApiError("ResourceNotFound", f"Resource not found: '{arn}'", resourceName=arn)
    return found
