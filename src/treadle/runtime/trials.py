"""Carries out the trial of one state: runs its task, and waits as long as it wants to wait. Nothing is stored."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial

from treadle.clock import Clock
from treadle.engine.signals import RunTask, Signal, TaskFailed, TaskSucceeded, TimerFired
from treadle.engine.trial import Facts, Trial
from treadle.tasks.contract import HttpExchange, TaskOutcome, TaskRequest, TaskRunner


class Trials:
    def __init__(self, tasks: TaskRunner, clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock
        self.refuses = tasks.refuses
        self.unusable = tasks.unusable

    async def run(self, trial: Trial) -> HttpExchange | None:
        """Until there is a verdict. The trial has begun. If its caller goes away, the task is cancelled. Of an HTTP
        task, what it sent and got."""
        happened: asyncio.Queue[Signal] = asyncio.Queue()
        if trial.task is None:
            await self._until_verdict(trial, happened)
            return None
        token, attempt = secrets.token_hex(32), trial.task.attempt
        exchanged: HttpExchange | None = None

        def report(outcome: TaskOutcome) -> None:
            nonlocal exchanged
            exchanged = outcome.exchange
            happened.put_nowait(_signal(attempt, outcome))

        self._tasks.run(_request(trial.task, trial.facts, token), report)
        try:
            await self._until_verdict(trial, happened)
        finally:
            self._tasks.cancel(token)
        return exchanged

    async def _until_verdict(self, trial: Trial, happened: asyncio.Queue[Signal]) -> None:
        while trial.verdict is None:
            timer = self._clock.call_at(trial.due, partial(happened.put_nowait, TimerFired()))
            try:
                signal = await happened.get()
            finally:
                timer.cancel()
            trial.receive(signal, self._clock.now())


def _signal(attempt: int, outcome: TaskOutcome) -> Signal:
    if outcome.output is not None:
        return TaskSucceeded(attempt, outcome.output)
    return TaskFailed(attempt, outcome.error, outcome.cause)


def _request(task: RunTask, facts: Facts, token: str) -> TaskRequest:
    return TaskRequest(
        token=token,
        resource=task.resource,
        input=task.input,
        timeout_seconds=task.timeout_seconds,
        state_name=task.state_name,
        execution_arn=facts.arn,
        machine_arn=facts.machine_arn,
        role_arn=facts.role_arn,
        region=facts.machine_arn.split(":")[3],
        task_role_arn=task.role_arn,
    )
