"""Whoever uses the server: clients that insist, workers that die, and those who have got a token.

They live outside of it, and know of it no more than what it answers.  Every answer may be lost, together with the
server or without it; then they ask again, as the SDKs do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Protocol

from treadle.document import Document
from treadle.tasks.contract import ServiceFault, TaskOutcome

from . import plan
from .definitions import draw_machine
from .tasks import FAILURE, Services

_ENDED_OR_GONE = frozenset({"StateMachineDeleting", "StateMachineDoesNotExist", "ExecutionDoesNotExist"})
_EXPECTED: dict[str, frozenset[str]] = {
    "StartExecution": _ENDED_OR_GONE | {"ExecutionAlreadyExists"},
    "StartSyncExecution": _ENDED_OR_GONE,
    "StopExecution": _ENDED_OR_GONE,
    "RedriveExecution": _ENDED_OR_GONE | {"ExecutionNotRedrivable"},
    "DeleteStateMachine": frozenset(),
    "UpdateStateMachine": _ENDED_OR_GONE,
    "ListMapRuns": _ENDED_OR_GONE,
    "UpdateMapRun": frozenset({"ValidationException"}),
    "GetActivityTask": frozenset(),
    "SendTaskHeartbeat": frozenset({"TaskTimedOut"}),
    "SendTaskSuccess": frozenset({"TaskTimedOut"}),
    "SendTaskFailure": frozenset({"TaskTimedOut"}),
}
"""The errors that an operation may answer to what is asked here."""
_REDRIVE_TRIES = 8


class Lost(Exception):
    """There was no answer."""


class Network(Protocol):
    async def send(self, operation: str, request: dict[str, Any], patience: float | None = None) -> dict[str, Any]:
        """The answer. Raises ServiceFault, and Lost: nobody knows whether it was carried out. `patience`: hang up
        after so many seconds."""
        ...

    def unexpected(self, operation: str, fault: ServiceFault) -> None: ...


class Clients:
    def __init__(self, network: Network, services: Services, dice: Random, is_over: Callable[[], bool]) -> None:
        self._network = network
        self._services = services
        self._dice = dice
        self._is_over = is_over
        self._answers = 0

    async def _ask(
        self, operation: str, request: dict[str, Any], patience: float | None = None
    ) -> dict[str, Any] | ServiceFault:
        try:
            return await self._network.send(operation, request, patience)
        except ServiceFault as fault:
            if fault.code not in _EXPECTED[operation]:
                self._network.unexpected(operation, fault)
            return fault

    async def _insist(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | ServiceFault:
        """Ask until there is an answer."""
        while True:
            try:
                return await self._ask(operation, request)
            except Lost:
                await asyncio.sleep(self._dice.uniform(0.05, 4.0))

    # -- executions and machines -----------------------------------------------------------------------------

    async def start(self, event: plan.StartExecution) -> None:
        request = {"stateMachineArn": event.machine, "name": event.name, "input": event.input}
        if not event.synchronous:
            await self._insist("StartExecution", request)
            return
        try:
            await self._ask("StartSyncExecution", request)
        except Lost:
            return

    async def stop(self, event: plan.StopExecution) -> None:
        request = {"executionArn": _execution_arn(event.machine, event.name), "error": "Stopped"}
        await self._insist("StopExecution", request)

    async def redrive(self, event: plan.RedriveExecution) -> None:
        arn = _execution_arn(event.machine, event.name)
        request = {"executionArn": arn, "clientToken": event.client_token}
        for _ in range(_REDRIVE_TRIES):
            answer = await self._insist("RedriveExecution", request)
            if not isinstance(answer, ServiceFault):
                return
            await asyncio.sleep(self._dice.choice((0.0, 0.01, 5.0, 30.0)))

    async def delete_machine(self, event: plan.DeleteMachine) -> None:
        await self._insist("DeleteStateMachine", {"stateMachineArn": event.machine})

    async def update_machine(self, event: plan.UpdateMachine) -> None:
        name = event.machine.rpartition(":")[2]
        definition = json.dumps(draw_machine(Random(event.seed), name, event.type, [], plan.ACTIVITIES).definition)
        await self._insist("UpdateStateMachine", {"stateMachineArn": event.machine, "definition": definition})

    async def update_map_runs(self, event: plan.UpdateMapRuns) -> None:
        arn = _execution_arn(event.machine, event.name)
        answer = await self._insist("ListMapRuns", {"executionArn": arn})
        if not isinstance(answer, ServiceFault):
            for run in answer["mapRuns"]:
                request = {"mapRunArn": run["mapRunArn"], "maxConcurrency": event.concurrency}
                await self._insist("UpdateMapRun", request)

    # -- tasks -----------------------------------------------------------------------------------------------

    async def work(self, event: plan.Worker) -> None:
        """Take the tasks of an activity, one after the other, and forget some of them."""
        dice = Random(event.seed)
        while not self._is_over():
            patience = dice.choice((0.5, 10.0, 30.0)) if dice.random() < 0.2 else None
            request = {"activityArn": event.activity, "workerName": event.name}
            try:
                answer = await self._ask("GetActivityTask", request, patience)
            except Lost:
                await asyncio.sleep(dice.uniform(0.1, 5.0))
                continue
            if not isinstance(answer, ServiceFault) and "taskToken" in answer:
                await self.use_token(answer["taskToken"], dice)
            else:
                await asyncio.sleep(dice.choice((0.0, 5.0, 60.0)))

    async def use_token(self, token: str, dice: Random) -> None:
        """What somebody does who has a task's token."""
        if dice.random() < 0.12 and not self._services.calm:
            return  # He has died.
        for _ in range(dice.choice((0, 0, 2, 5))):
            await asyncio.sleep(dice.choice((1.0, 2.5, 15.0)))
            if isinstance(await self._insist("SendTaskHeartbeat", {"taskToken": token}), ServiceFault):
                return
        await asyncio.sleep(dice.choice((0.0, 0.0, 0.002, 1.0, 20.0, 65.0)))
        for _ in range(dice.choice((1, 1, 1, 2))):
            await self._answer(token, dice)

    async def _answer(self, token: str, dice: Random) -> None:
        named = self._services.named(token)
        self._answers += 1
        text = json.dumps({"answer": self._answers})
        given = self._services.given.setdefault((named.execution_arn, named.attempt), [])
        if dice.random() < 0.8:
            given.append(TaskOutcome(output=Document(text=text)))
            await self._insist("SendTaskSuccess", {"taskToken": token, "output": text})
        else:
            given.append(TaskOutcome(error=FAILURE, cause=text))
            await self._insist("SendTaskFailure", {"taskToken": token, "error": FAILURE, "cause": text})


def _execution_arn(machine: str, name: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


DO: dict[type[plan.Event], Callable[[Clients, Any], Awaitable[None]]] = {
    plan.StartExecution: Clients.start,
    plan.StopExecution: Clients.stop,
    plan.RedriveExecution: Clients.redrive,
    plan.DeleteMachine: Clients.delete_machine,
    plan.UpdateMachine: Clients.update_machine,
    plan.UpdateMapRuns: Clients.update_map_runs,
    plan.Worker: Clients.work,
}
"""What clients do for an event of the plan, where it is one of theirs."""
