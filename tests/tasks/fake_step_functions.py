"""Step Functions without a server: what tasks make of its answers is tested here."""

from __future__ import annotations

import asyncio
from typing import Any

from treadle.document import decode
from treadle.tasks.contract import ServiceAnswer, ServiceFault

ACCOUNT = "123456789012"
MACHINE = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:child"
BEGUN = 1_700_000_000.123


class FakeStepFunctions:
    """Starts executions of one Standard machine; each ends when it is let go, with what `ending` says."""

    def __init__(self, **ending: Any) -> None:
        self.ending = ending or {"status": "SUCCEEDED", "output": '{"done": 1.0}'}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.callers: set[tuple[str, str]] = set()
        self.executions: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, ServiceFault] = {}
        """By operation: what it is refused with."""
        self.answers: dict[str, dict[str, Any]] = {}
        """By operation, for those that are not made up here."""
        self.type = "STANDARD"
        self.go = asyncio.Event()
        self.go.set()
        self.begin = asyncio.Event()
        """When executions begin."""
        self.begin.set()
        self.asked_to_begin = asyncio.Event()
        self.waiting = asyncio.Event()
        self.watched: list[asyncio.Future[Any]] = []
        self.stopped: list[str] = []

    async def call(self, operation: str, request: dict[str, Any], *, account: str, region: str) -> ServiceAnswer:
        self.calls.append((operation, request))
        self.callers.add((account, region))
        if operation in self.faults:
            raise self.faults[operation]
        if operation == "StartExecution":
            self.asked_to_begin.set()
            await self.begin.wait()
            answer = self._start(request)
        elif operation == "DescribeExecution":
            answer = self.executions[request["executionArn"]]
        elif operation == "DescribeStateMachine":
            answer = {"type": self.type}
        else:
            answer = self.answers[operation]
        return ServiceAnswer(answer, f"request-{len(self.calls)}")

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        decode(request["input"])
        arn = self.execution_arn(request["stateMachineArn"], request["name"])
        if arn in self.executions:
            raise fault("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        self.executions[arn] = {
            "executionArn": arn,
            "stateMachineArn": request["stateMachineArn"],
            "name": request["name"],
            "startDate": BEGUN,
            "stopDate": BEGUN + 1,
            "input": request["input"],
            "inputDetails": {"included": True},
            **self.ending,
        }
        return {"executionArn": arn, "startDate": BEGUN}

    def execution_arn(self, machine_arn: str, name: str) -> str:
        return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def watch_end(self, execution_arn: str) -> asyncio.Future[Any]:
        self.waiting.set()
        end: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.watched.append(end)
        if self.go.is_set():
            end.set_result(None)
        return end

    async def wait_for_end(self, execution_arn: str, end: asyncio.Future[Any]) -> None:
        await end

    def end(self) -> None:
        """Every execution that is waited for."""
        self.go.set()
        for end in self.watched:
            if not end.done():
                end.set_result(None)

    async def stop(self, execution_arn: str) -> None:
        self.stopped.append(execution_arn)

    def started(self) -> list[dict[str, Any]]:
        return [request for operation, request in self.calls if operation == "StartExecution"]


def fault(code: str, message: str, status: int = 400) -> ServiceFault:
    return ServiceFault(code, message, status, "the-request-id")
