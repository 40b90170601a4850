"""ExecutionLimitExceeded: what would be one execution more than may run."""

from __future__ import annotations

import asyncio

import pytest

from tests.aws.wire import Wire, machine
from treadle.limits import Limits

LIMIT = 3
TOO_MANY = (
    400,
    "ExecutionLimitExceeded",
    "The maximum number of running executions has been reached. "
    "Running executions must end or be stopped before a new execution can be started.",
)


@pytest.fixture
def limits() -> Limits:
    return Limits(executions_open=LIMIT)


async def machine_of(wire: Wire, name: str, kind: str, **members: str) -> str:
    return str((await wire.ok("CreateStateMachine", machine(name, kind, **members)))["stateMachineArn"])


async def start(wire: Wire, arn: str) -> str:
    return str((await wire.ok("StartExecution", {"stateMachineArn": arn}))["executionArn"])


async def test_one_more_than_may_run_is_refused_until_another_ends(wire: Wire) -> None:
    waiting = await machine_of(wire, "waiting", "Wait")
    started = [await start(wire, waiting) for _ in range(LIMIT)]
    for _ in range(2):
        assert (await wire.call("StartExecution", {"stateMachineArn": waiting})).error == TOO_MANY
    await wire.ok("StopExecution", {"executionArn": started[0]})
    await start(wire, waiting)
    assert (await wire.call("StartExecution", {"stateMachineArn": waiting})).error == TOO_MANY


async def test_of_those_that_start_at_once_no_more_than_may_run_do(wire: Wire) -> None:
    waiting = await machine_of(wire, "waiting", "Wait")
    answers = await asyncio.gather(*(start(wire, waiting) for _ in range(5 * LIMIT)), return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in answers) == LIMIT
    listed = await wire.ok("ListExecutions", {"stateMachineArn": waiting})
    assert len(listed["executions"]) == LIMIT


async def test_those_that_have_ended_do_not_count(wire: Wire, arn: str) -> None:
    for _ in range(3 * LIMIT):
        await start(wire, arn)


async def test_a_redrive_is_refused_as_well(wire: Wire) -> None:
    failed = await start(wire, await machine_of(wire, "failing", "Fail"))
    waiting = await machine_of(wire, "waiting", "Wait")
    for _ in range(LIMIT):
        await start(wire, waiting)
    assert (await wire.call("RedriveExecution", {"executionArn": failed})).error == TOO_MANY


async def test_express_executions_are_not_counted(wire: Wire) -> None:
    waiting = await machine_of(wire, "waiting", "Wait")
    express = await machine_of(wire, "express", "Pass", type="EXPRESS")
    for _ in range(LIMIT):
        await start(wire, waiting)
    await start(wire, express)
    await wire.ok("StartSyncExecution", {"stateMachineArn": express})
