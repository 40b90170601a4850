"""Operations on executions: start, start and wait, describe, list, stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any

from treadle.aws.arns import check_name, execution_arn, express_arn, machine_name, qualified_arn, split_machine_arn
from treadle.aws.errors import ApiError
from treadle.aws.random_ids import ordered_id, random_id
from treadle.aws.states.call import (
    Call,
    machine_does_not_exist,
    machine_is_deleting,
    read_json,
    seconds,
    too_many_executions,
    wrong_machine_type,
)
from treadle.aws.states.machines import revision_members
from treadle.aws.states.map_runs import map_run
from treadle.aws.states.redrives import redrive_counts, redrive_status
from treadle.aws.states.resolution import Resolved, resolve
from treadle.document import EMPTY, Document
from treadle.runtime.errors import ExecutionExists, TooManyExecutions
from treadle.runtime.machines import DefinitionRefused
from treadle.store.contract import Conflict, ExecutionFilter, ExecutionRow

_REDRIVEN = {None: None, "REDRIVEN": True, "NOT_REDRIVEN": False}
_BILLED_STEP_MILLISECONDS = 100
_BILLED_MEMORY_MEGABYTES = 64
"""The smallest step that AWS bills; Treadle does not measure the memory of one execution."""

_UNBOUNDED: AbstractAsyncContextManager[None] = nullcontext()
"""Of Express executions there may be any number."""


async def start_execution(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The order of the checks is AWS's: the machine exists, then the name, then the input."""
    found = await _startable(call, request["stateMachineArn"])
    machine = found.machine
    name = _execution_name(call, request)
    given = execution_input(call, request)
    runtime = call.backend.runtime
    room: AbstractAsyncContextManager[None]
    if machine.type == "EXPRESS":
        arn, room = express_arn(machine.arn, name, random_id()), _UNBOUNDED
    else:
        arn, room = execution_arn(machine.arn, name), runtime.open_executions
    try:
        async with room:
            execution = await runtime.start_execution(
                machine,
                arn=arn,
                name=name,
                input=given,
                trace_header=request.get("traceHeader"),
                through=found.through,
            )
    except TooManyExecutions as error:
        raise too_many_executions() from error
    except ExecutionExists as taken:
        # The same name and input again while it runs: that is the same execution (api.md section 4).
        execution = taken.execution
        if execution.status != "RUNNING" or execution.input != given.text:
            text = f"Execution Already Exists: '{arn}'"
            raise ApiError("ExecutionAlreadyExists", text) from taken
    except Conflict as error:  # deleted since it was looked up
        raise machine_does_not_exist(machine.arn) from error
    return {"executionArn": execution.arn, "startDate": seconds(execution.started)}


async def start_sync_execution(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Answers when the execution has ended, and answers HTTP 200 even if it failed."""
    found = await _startable(call, request["stateMachineArn"])
    machine = found.machine
    if machine.type != "EXPRESS":
        raise wrong_machine_type()
    name = _execution_name(call, request)
    execution = await call.backend.runtime.start_sync_execution(
        machine,
        arn=express_arn(machine.arn, name, random_id()),
        name=name,
        input=execution_input(call, request),
        trace_header=request.get("traceHeader"),
        through=found.through,
    )
    stopped = execution.started if execution.stopped is None else execution.stopped
    steps = -(-(stopped - execution.started) // _BILLED_STEP_MILLISECONDS)
    return {
        **_common_members(execution),
        **_data_members(execution, request),
        "billingDetails": {
            "billedDurationInMilliseconds": max(steps, 1) * _BILLED_STEP_MILLISECONDS,
            "billedMemoryUsedInMB": _BILLED_MEMORY_MEGABYTES,
        },
    }


async def _startable(call: Call, arn: str) -> Resolved:
    found = await resolve(call, arn)
    if found.machine.status == "DELETING":
        raise machine_is_deleting(arn)
    try:
        call.backend.runtime.machines.program(found.machine.revision, found.machine.type)
    except DefinitionRefused as error:
        raise ApiError("ValidationException", f"State Machine cannot be started: '{arn}': {error}") from error
    return found


def _execution_name(call: Call, request: dict[str, Any]) -> str:
    name = request.get("name")
    return ordered_id(call.backend.clock.now()) if name is None else check_name(name)


def execution_input(call: Call, request: dict[str, Any]) -> Document:
    """Raises InvalidExecutionInput."""
    text = request.get("input")
    if text is None:
        return EMPTY
    return read_json(call, text, "InvalidExecutionInput", "Invalid State Machine Execution Input")


def _common_members(execution: ExecutionRow) -> dict[str, Any]:
    """What every answer about an execution as a whole shows."""
    answer: dict[str, Any] = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine_arn,
        "name": execution.name,
        "status": "PENDING_REDRIVE" if execution.awaits_redrive else execution.status,
        "startDate": seconds(execution.started),
    }
    if execution.stopped is not None:
        answer["stopDate"] = seconds(execution.stopped)
    return answer


def _through_members(execution: ExecutionRow) -> dict[str, str]:
    """What it was started through, if not through the machine itself."""
    answer: dict[str, str] = {}
    if execution.version is not None:
        answer["stateMachineVersionArn"] = qualified_arn(execution.machine_arn, execution.version)
    if execution.alias is not None:
        answer["stateMachineAliasArn"] = qualified_arn(execution.machine_arn, execution.alias)
    return answer


def _data_members(execution: ExecutionRow, request: dict[str, Any]) -> dict[str, Any]:
    """What DescribeExecution and StartSyncExecution show beside that; METADATA_ONLY: without payloads."""
    answer: dict[str, Any] = {}
    if request.get("includedData") != "METADATA_ONLY":
        answer["input"] = execution.input
        answer["inputDetails"] = {"included": True}
        if execution.output is not None:
            answer["output"] = execution.output
            answer["outputDetails"] = {"included": True}
    for member, value in (
        ("error", execution.error),
        ("cause", execution.cause),
        ("traceHeader", execution.trace_header),
    ):
        if value is not None:
            answer[member] = value
    return answer


def _map_run_member(execution: ExecutionRow) -> dict[str, str]:
    return {} if execution.map_run is None else {"mapRunArn": execution.map_run}


async def describe_execution(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    execution = await call.execution(request["executionArn"], or_express_child=True)
    return {
        **_common_members(execution),
        **_map_run_member(execution),
        **_through_members(execution),
        **_data_members(execution, request),
        **redrive_counts(execution),
        **await redrive_status(call, execution),
    }


async def describe_state_machine_for_execution(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The machine as it was when the execution was started, even if it has been deleted since."""
    execution = await call.execution(request["executionArn"])
    revision = await call.backend.store.revision_get(execution.revision_id)
    if revision is None:
        raise LookupError(f"revision {execution.revision_id} of {execution.arn} is not in the store")
    machine_arn, _, label = split_machine_arn(execution.machine_arn)
    return {
        "stateMachineArn": execution.machine_arn,
        "name": machine_name(machine_arn),
        "updateDate": seconds(revision.created),
        **({} if label is None else {"label": label}),
        **_map_run_member(execution),
        **revision_members(call, revision, "STANDARD", request),
    }


async def list_executions(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What happened last comes first: an end, or the last beginning of what runs."""
    read = await _listing(call, request)
    position = call.position(request)
    before = None if position is None else (position[0], position[1])
    found = await read(before, call.page_items(request) + 1)
    return call.page(
        request,
        "executions",
        found,
        lambda execution: {
            **_common_members(execution),
            **_child_members(execution),
            **_through_members(execution),
            **redrive_counts(execution),
        },
        lambda execution: [execution.listed, execution.id],
    )


def _child_members(execution: ExecutionRow) -> dict[str, Any]:
    """What a listing shows of the children of a map run."""
    if execution.map_run is None:
        return {}
    return {**_map_run_member(execution), "itemCount": execution.items}


Listing = Callable[[tuple[int, int] | None, int], Awaitable[Sequence[ExecutionRow]]]
"""Reads what stands behind a place in a listing, at most so many."""


async def _listing(call: Call, request: dict[str, Any]) -> Listing:
    machine_arn, map_run_arn = request.get("stateMachineArn"), request.get("mapRunArn")
    if (machine_arn is None) == (map_run_arn is None):
        text = "Exactly one of stateMachineArn and mapRunArn must be specified"
        raise ApiError("ValidationException", text)
    if map_run_arn is not None:
        return await _children(call, request, map_run_arn)
    return partial(call.backend.store.execution_list, await _filter(call, request, str(machine_arn)))


async def _children(call: Call, request: dict[str, Any], map_run_arn: str) -> Listing:
    run = await map_run(call, map_run_arn)
    status = request.get("statusFilter")
    return partial(call.backend.store.child_list, run.arn, status, _REDRIVEN[request.get("redriveFilter")])


async def _filter(call: Call, request: dict[str, Any], machine_arn: str) -> ExecutionFilter:
    status = request.get("statusFilter")
    if status == "PENDING_REDRIVE":
        text = "The statusFilter PENDING_REDRIVE is only valid with a mapRunArn"
        raise ApiError("ValidationException", text)
    found = await resolve(call, machine_arn)
    if found.machine.type != "STANDARD":
        raise wrong_machine_type()
    alias = found.through.alias
    return ExecutionFilter(
        machine_arn=found.machine.arn,
        version=found.through.version if alias is None else None,
        alias=alias,
        status=status,
        redriven=_REDRIVEN[request.get("redriveFilter")],
    )


async def stop_execution(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    execution = await call.execution(request["executionArn"])
    stopped = await call.backend.runtime.stop_execution(
        execution, error=request.get("error"), cause=request.get("cause")
    )
    return {"stopDate": seconds(stopped)}
