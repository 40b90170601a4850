"""Backpressure: who is refused when there is too much to do, and that all others are not."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest
from msgspec.structs import replace

from treadle.aws.admission import Admission, writes
from treadle.aws.errors import ApiError
from treadle.aws.states.service import OPERATIONS
from treadle.limits import DEFAULT_LIMITS, Limits

from .wire import Wire, machine

FEW = replace(DEFAULT_LIMITS, requests_under_way=2, executions_in_memory=3, throttled_milliseconds=0)


CASES = [
    ("the first", 0, 0, False, False, True),
    ("the last that fits", 1, 0, False, False, True),
    ("one too many", 2, 0, False, False, False),
    ("who waits for others counts nothing", 2, 0, False, True, True),
    ("a start while there is room", 0, 2, True, False, True),
    ("a start while there is none", 0, 3, True, False, False),
    ("a start that is waited for, while there is none", 0, 3, True, True, False),
    ("who starts nothing, while there is none", 0, 3, False, False, True),
]
"""What is under way and in memory before an entry; what enters; whether it is let in."""


class TestCounting:
    @pytest.mark.parametrize(
        ("under_way", "in_memory", "begins", "waits", "let_in"),
        [row[1:] for row in CASES],
        ids=[row[0] for row in CASES],
    )
    def test_enter(self, under_way: int, in_memory: int, begins: bool, waits: bool, let_in: bool) -> None:
        admission = Admission(FEW, lambda: in_memory)
        for _ in range(under_way):
            assert admission.enter(begins=False, waits=False)
        assert admission.enter(begins=begins, waits=waits) is let_in

    def test_who_leaves_makes_room(self) -> None:
        admission = Admission(FEW, lambda: 0)
        for _ in range(5):
            assert admission.enter(begins=True, waits=False)
            admission.leave(waits=False)


READ = {
    "DescribeActivity",
    "DescribeExecution",
    "DescribeMapRun",
    "DescribeStateMachine",
    "DescribeStateMachineAlias",
    "DescribeStateMachineForExecution",
    "GetActivityTask",
    "GetExecutionHistory",
    "ListActivities",
    "ListExecutions",
    "ListMapRuns",
    "ListStateMachineAliases",
    "ListStateMachineVersions",
    "ListStateMachines",
    "ListTagsForResource",
    "StartSyncExecution",
    "TestState",
    "ValidateStateMachineDefinition",
}


class TestFullDisk:
    def test_what_only_reads_is_told_by_its_name(self) -> None:
        assert {operation for operation in OPERATIONS if not writes(operation)} == READ

    @pytest.mark.parametrize("full", [True, False])
    def test_what_writes_is_refused(self, full: bool) -> None:
        admission = Admission(FEW, lambda: 0, lambda: full)
        with pytest.raises(ApiError, match="The disk of the server is full") if full else nullcontext():
            admission.check_room()
        assert admission.enter(begins=False, waits=False)


class TestOverTheWire:
    @pytest.fixture
    def limits(self) -> Limits:
        return FEW

    async def test_too_many_at_once(self, wire: Wire) -> None:
        """Whoever is let in is answered in full; the others may come again."""
        answers = await asyncio.gather(*(wire.call("ListStateMachines") for _ in range(10)))
        refused = [answer for answer in answers if answer.status != 200]
        assert 0 < len(refused) < 10
        assert {answer.error for answer in refused} == {(400, "ThrottlingException", "Rate exceeded")}
        assert await wire.ok("ListStateMachines") == {"stateMachines": []}

    async def test_too_many_executions_in_memory(self, wire: Wire) -> None:
        arn = (await wire.ok("CreateStateMachine", machine(kind="Wait")))["stateMachineArn"]
        short = await wire.ok("CreateStateMachine", {**machine("short", kind="Wait"), "definition": SHORT})
        started = [await wire.ok("StartExecution", {"stateMachineArn": short["stateMachineArn"]}) for _ in range(3)]
        answer = await wire.call("StartExecution", {"stateMachineArn": arn})
        assert answer.error == (400, "ThrottlingException", "Rate exceeded")
        for each in started:
            await wire.ok("StopExecution", {"executionArn": each["executionArn"]})
        await wire.ok("StartExecution", {"stateMachineArn": arn})


SHORT = '{"StartAt":"S","States":{"S":{"Type":"Wait","Seconds":20,"End":true}}}'
"""So short that an execution stays in memory."""
