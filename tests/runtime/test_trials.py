"""Trials that really run a task, or wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.test_trial import CATCH, FACTS, INVOKE, come, trial_of
from treadle.document import Document
from treadle.engine.trial import Trial
from treadle.language.resources import Resource
from treadle.runtime.trials import Trials
from treadle.runtime.virtual import VirtualClock
from treadle.tasks.contract import TaskOutcome, TaskRequest

TASK = {**INVOKE, "TimeoutSeconds": 60, "Catch": CATCH, "End": True}


class Tasks:
    """Implements `TaskRunner`: answers as it is told, or not at all."""

    def __init__(self, outcome: TaskOutcome | None) -> None:
        self.outcome = outcome
        self.requests: list[TaskRequest] = []
        self.cancelled: list[str] = []

    def run(self, request: TaskRequest, report: Callable[[TaskOutcome], None]) -> None:
        self.requests.append(request)
        if self.outcome is not None:
            asyncio.get_running_loop().call_soon(report, self.outcome)

    def cancel(self, token: str) -> None:
        self.cancelled.append(token)

    def abandon(self, token: str) -> None:
        raise AssertionError

    def refuses(self, resource: Resource) -> str | None:
        return None

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        return None

    def close(self) -> None: ...


async def _idle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def run(trial: Trial, tasks: Tasks, clock: VirtualClock) -> None:
    trial.begin(clock.now())
    running = asyncio.create_task(Trials(tasks, clock).run(trial))
    await clock.run(_idle, until=running.done)
    await running


OUTCOMES: list[tuple[TaskOutcome | None, str, dict[str, Any] | None, str | None]] = [
    (TaskOutcome(output=Document({"x": 1})), "SUCCEEDED", {"x": 1}, None),
    (TaskOutcome(error="Oops", cause="why"), "CAUGHT_ERROR", {"error": {"Error": "Oops", "Cause": "why"}}, "Oops"),
    (None, "CAUGHT_ERROR", {"error": {"Error": "States.Timeout", "Cause": ""}}, "States.Timeout"),
]


@pytest.mark.parametrize(("outcome", "status", "output", "error"), OUTCOMES)
async def test_a_task(
    outcome: TaskOutcome | None, status: str, output: dict[str, Any] | None, error: str | None
) -> None:
    tasks, clock = Tasks(outcome), VirtualClock()
    trial = trial_of(TASK, {})
    await run(trial, tasks, clock)
    assert trial.verdict is not None
    assert (trial.verdict.status, trial.verdict.error) == (status, error)
    assert trial.verdict.output is not None
    assert trial.verdict.output.value == output
    [request] = tasks.requests
    assert (request.input.value, request.timeout_seconds, request.region) == ({"FunctionName": "f"}, 60, "us-east-1")
    assert (request.execution_arn, request.machine_arn) == (FACTS.arn, FACTS.machine_arn)
    assert tasks.cancelled == [request.token]


async def test_a_wait_takes_its_time() -> None:
    tasks, clock = Tasks(None), VirtualClock()
    before = clock.now()
    trial = trial_of({"Type": "Wait", "Seconds": 120, "End": True}, {})
    await run(trial, tasks, clock)
    assert trial.verdict is not None
    assert (trial.verdict.status, clock.now() - before) == ("SUCCEEDED", 120_000)
    assert (tasks.requests, tasks.cancelled) == ([], [])


async def test_a_caller_who_goes_away_ends_the_task() -> None:
    tasks, clock = Tasks(None), VirtualClock()
    trial = trial_of(TASK, {})
    trial.begin(clock.now())
    running = asyncio.create_task(Trials(tasks, clock).run(trial))
    await _idle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert tasks.cancelled == [tasks.requests[0].token]


async def test_what_is_decided_at_once_waits_for_nothing() -> None:
    tasks, clock = Tasks(None), VirtualClock()
    trial = trial_of({"Type": "Pass", "End": True}, {})
    come(trial)
    await Trials(tasks, clock).run(trial)
    assert (tasks.requests, tasks.cancelled) == ([], [])
