"""RedriveExecution, and what DescribeExecution and ListExecutions say of redrives (api.md section 11).

Whether an execution can be redriven is decided in one place, `_refusal`, which DescribeExecution shows and
RedriveExecution enforces. Of one execution, one redrive is considered at a time: so a request that comes again
finds that it has been carried out, even if the first is still under way. What the row said a moment ago may be
over when the redrive reaches the execution; then it is looked at again.
"""

from __future__ import annotations

from typing import Any

from treadle.aws.arns import split_machine_arn
from treadle.aws.errors import ApiError
from treadle.aws.random_ids import random_id
from treadle.aws.states.call import Call, seconds, too_many_executions
from treadle.runtime.errors import TooManyExecutions
from treadle.runtime.redrivable import (
    NOT_REDRIVABLE,
    REDRIVABLE,
    REDRIVABLE_BY_MAP_RUN,
    too_old,
    wrong_status,
)
from treadle.store.contract import Conflict, ExecutionRow

_REMEMBERED_TOKENS = 10
_TOKEN_MILLISECONDS = 15 * 60 * 1_000
"""AWS: "idempotent responses for the last 10 client tokens", "valid for up to 15 minutes"."""

_DELETING = "State machine is in DELETING status"
_NOT_DIRECTLY = "Cannot be redriven directly"
"""Of an execution that a map run started: redriving the parent redrives it."""


async def redrive_execution(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    arn = request["executionArn"]
    client_token = request.get("clientToken") or random_id()
    execution = await call.execution(arn)
    async with call.backend.redrives.of(execution.id):
        redriven = await _redriven_before(call, execution, client_token)
        while redriven is None:
            execution = await call.execution(arn)
            reason = await _refusal(call, execution)
            if reason is None and await _redrive(call, execution, client_token):
                redriven = await _redriven_before(call, execution, client_token)
            elif reason is not None:
                raise ApiError("ExecutionNotRedrivable", reason)
    return {"redriveDate": seconds(redriven)}


async def _redrive(call: Call, execution: ExecutionRow, client_token: str) -> bool:
    try:
        async with call.backend.runtime.open_executions:
            return await call.backend.runtime.redrive_execution(execution, client_token)
    except TooManyExecutions as error:
        raise too_many_executions() from error
    except Conflict as error:  # deleted since it was looked at
        raise ApiError("ExecutionNotRedrivable", _DELETING) from error


async def _redriven_before(call: Call, execution: ExecutionRow, client_token: str) -> int | None:
    """When it was redriven at a request of this name."""
    oldest = call.backend.clock.now() - _TOKEN_MILLISECONDS
    for redrive in await call.backend.store.redrives(execution.id, _REMEMBERED_TOKENS):
        if redrive.client_token == client_token and redrive.redriven >= oldest:
            return redrive.redriven
    return None


def redrive_counts(execution: ExecutionRow) -> dict[str, Any]:
    """What DescribeExecution and ListExecutions show."""
    answer: dict[str, Any] = {"redriveCount": execution.redrives}
    if execution.redriven is not None:
        answer["redriveDate"] = seconds(execution.redriven)
    return answer


async def redrive_status(call: Call, execution: ExecutionRow) -> dict[str, str]:
    """What DescribeExecution shows (recorded: describe_execution, state_fail)."""
    reason = await _refusal(call, execution)
    if reason is None:
        return {"redriveStatus": REDRIVABLE}
    status = REDRIVABLE_BY_MAP_RUN if reason == _NOT_DIRECTLY else NOT_REDRIVABLE
    return {"redriveStatus": status, "redriveStatusReason": reason}


async def _refusal(call: Call, execution: ExecutionRow) -> str | None:
    """Why it cannot be redriven now; None: it can. The reasons are AWS's, all but the one for executions that
    are older than RedriveExecution. Their order is not known, nor what AWS says when the machine is gone."""
    reason = wrong_status(execution)
    if reason is not None:
        return reason
    machine = await call.backend.runtime.machines.get(split_machine_arn(execution.machine_arn)[0])
    if machine is None or machine.status == "DELETING":
        return _DELETING
    reason = await too_old(call.backend.store, call.backend.options.limits, execution, call.backend.clock.now())
    if reason is not None:
        return reason
    return None if execution.map_run is None else _NOT_DIRECTLY
