"""The API as tasks have it: the same operations, without the wire."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.aws.wire import Wire, machine
from treadle.aws.states.call import StatesOptions
from treadle.aws.states.in_process import InProcess
from treadle.aws.states.service import states_service
from treadle.limits import Limits
from treadle.runtime.runtime import Runtime
from treadle.runtime.trials import Trials
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.contract import ServiceFault

from ..conftest import NoTasks, SettableClock

WAITS = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1_000_000, "End": True}}})


@pytest.fixture
async def api(store: SqliteStore, runtime: Runtime, clock: SettableClock, limits: Limits) -> InProcess:
    service = await states_service(
        runtime=runtime,
        trials=Trials(NoTasks(), clock),
        store=store,
        clock=clock,
        options=StatesOptions(limits=limits),
    )
    return InProcess(service, runtime.ends)


@pytest.fixture
async def execution(wire: Wire) -> str:
    """Of a Standard execution that runs."""
    created = await wire.ok("CreateStateMachine", machine(name="waits", definition=WAITS))
    return str((await wire.ok("StartExecution", {"stateMachineArn": created["stateMachineArn"]}))["executionArn"])


def place(arn: str) -> dict[str, str]:
    _, _, _, region, account, *_ = arn.split(":")
    return {"account": account, "region": region}


async def test_an_operation_does_what_it_does_on_the_wire(api: InProcess, wire: Wire, arn: str) -> None:
    answer = await api.call("DescribeStateMachine", {"stateMachineArn": arn}, **place(arn))
    assert answer.members == await wire.ok("DescribeStateMachine", {"stateMachineArn": arn})
    assert len(answer.request_id) == 36


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        (
            "StartExecution",
            {"stateMachineArn": "nonsense"},
            "InvalidArn",
            "Invalid Arn: 'Invalid ARN prefix: nonsense'",
        ),
        ("StartExecution", {"stateMachineArn": 1}, "SerializationException", None),
        ("StartExecution", {}, "ValidationException", None),
        ("SendTaskSuccess", {"taskToken": "t", "output": "{}"}, "InvalidToken", "Invalid Token: 'Invalid token'"),
        ("NoSuchOperation", {}, "NotImplementedException", None),
    ],
)
async def test_a_refusal_is_a_fault(
    api: InProcess, arn: str, operation: str, request_: dict[str, Any], code: str, message: str | None
) -> None:
    with pytest.raises(ServiceFault) as raised:
        await api.call(operation, request_, **place(arn))
    assert raised.value.code == code
    assert message is None or raised.value.message == message


@pytest.mark.parametrize(
    ("other", "code"),
    [({"account": "999999999999"}, "AccessDeniedException"), ({"region": "eu-west-3"}, "StateMachineDoesNotExist")],
)
async def test_tasks_of_another_account_or_region_see_nothing(
    api: InProcess, arn: str, other: dict[str, str], code: str
) -> None:
    with pytest.raises(ServiceFault) as raised:
        await api.call("StartExecution", {"stateMachineArn": arn}, **{**place(arn), **other})
    assert raised.value.code == code


@pytest.mark.parametrize("qualifier", ["", ":7", ":PROD"])
def test_the_arn_of_an_execution_has_no_qualifier(qualifier: str) -> None:
    prefix = "arn:aws:states:eu-west-1:123456789012:"
    found = InProcess.execution_arn(InProcess.__new__(InProcess), f"{prefix}stateMachine:m{qualifier}", "e")
    assert found == f"{prefix}execution:m:e"


async def until_end(api: InProcess, execution: str) -> None:
    await api.wait_for_end(execution, api.watch_end(execution))


async def test_who_waits_hears_of_the_end(api: InProcess, wire: Wire, execution: str) -> None:
    waiting = asyncio.create_task(until_end(api, execution))
    await api.stop(execution)
    await waiting
    assert (await wire.ok("DescribeExecution", {"executionArn": execution}))["status"] == "ABORTED"
    await until_end(api, execution)  # it has ended
    await api.stop(execution)


async def test_nobody_can_wait_for_what_is_not_there(api: InProcess, execution: str) -> None:
    with pytest.raises(ServiceFault) as raised:
        await until_end(api, execution + "x")
    assert raised.value.code == "ExecutionDoesNotExist"


async def somebody_waits(runtime: Runtime) -> None:
    for _ in range(100_000):
        if len(runtime.ends):
            return
        await asyncio.sleep(0)
    raise AssertionError("nobody waits")


async def test_who_goes_away_leaves_nothing(api: InProcess, runtime: Runtime, execution: str) -> None:
    waiting = asyncio.create_task(until_end(api, execution))
    await somebody_waits(runtime)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert len(runtime.ends) == 0


async def test_a_server_that_stops_tells_those_who_wait_and_stops_nothing(
    api: InProcess, runtime: Runtime, store: SqliteStore, execution: str
) -> None:
    waiting = asyncio.create_task(until_end(api, execution))
    await somebody_waits(runtime)
    await runtime.close()
    await api.stop(execution)
    for refused in (
        waiting,
        until_end(api, execution),
        api.call("StopExecution", {"executionArn": execution}, **place(execution)),
    ):
        with pytest.raises(ServiceFault) as raised:
            await refused
        assert raised.value.code == "ServiceUnavailable"
    row = await store.execution_get(execution)
    assert row is not None
    assert row.status == "RUNNING"
