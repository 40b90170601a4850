"""Hands tasks to those who carry them out, and takes the outcomes of those that somebody still waits for.

An activity's task is offered to the workers that poll for it; every other goes to the task runner.  A map run is
handed over and taken back in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from treadle.engine.execution import Attempt
from treadle.engine.signals import RunMap, RunTask, TaskFailed, TaskSignal, TaskSubmitted, TaskSucceeded
from treadle.runtime.activities import Activities, Answers, Offer, TakenTask
from treadle.runtime.bugs import CAUSE, ERROR
from treadle.runtime.map_runs import MapRuns
from treadle.runtime.resident import Answering, Resident
from treadle.runtime.tokens import TaskTokens
from treadle.tasks.contract import TaskOutcome, TaskRequest, TaskRunner

_log = logging.getLogger(__name__)

Reported = Callable[[Resident, TaskSignal], None]
Taken = Callable[[Resident, int, str | None, Answering | None], Awaitable[bool]]
"""A worker of this name takes this attempt of an activity's task: whether it is his, once that is on disk."""


class TaskCalls:
    def __init__(
        self,
        tasks: TaskRunner,
        activities: Activities,
        map_runs: MapRuns,
        tokens: TaskTokens,
        reported: Reported,
        taken: Taken,
    ) -> None:
        self._tasks = tasks
        self._activities = activities
        self._map_runs = map_runs
        self._tokens = tokens
        self._reported = reported
        self._taken = taken

    def run(self, resident: Resident, command: RunTask | RunMap, *, again: bool = False) -> None:
        """Begin the task. Its outcome is reported once, unless it is cancelled before. `again`: it may have begun
        before, under a server that ended."""
        resident.running.add(command.attempt)
        if isinstance(command, RunMap):
            self._map_runs.run(resident, command, partial(self._report_map_run, resident))
            return
        if command.resource.kind == "activity":
            self._activities.offer(command.resource.arn, self._offer(resident, command))
            return
        report = partial(self._report, resident, command)
        try:
            self._tasks.run(self._request(resident, command, again), report)
        except Exception:
            _log.exception("Task '%s' of %s could not begin because of a bug", command.state_name, resident.row.arn)
            report(TaskOutcome(error=ERROR, cause=CAUSE))

    def _request(self, resident: Resident, command: RunTask, again: bool) -> TaskRequest:
        row = resident.row
        attempt = resident.loaded.attempts[command.attempt].attempt
        assert attempt is not None
        return TaskRequest(
            token=self._token(resident, command.attempt),
            resource=command.resource,
            input=command.input,
            timeout_seconds=command.timeout_seconds,
            state_name=command.state_name,
            execution_arn=row.arn,
            machine_arn=row.machine_arn,
            role_arn=resident.loaded.role_arn,
            region=row.machine_arn.split(":")[3],
            task_role_arn=command.role_arn,
            again_since=attempt.scheduled if again else None,
            submitted=command.submitted,
        )

    def _offer(self, resident: Resident, command: RunTask) -> Offer:
        attempt = resident.loaded.attempts[command.attempt].attempt
        assert attempt is not None
        return Offer((attempt.scheduled, resident.row.id, command.attempt), partial(self._take, resident, command))

    async def _take(
        self, resident: Resident, command: RunTask, worker_name: str | None, answers: Answers | None
    ) -> TakenTask | None:
        task = TakenTask(self._token(resident, command.attempt), command.input.text)
        answering = None if answers is None else answers(task)
        return task if await self._taken(resident, command.attempt, worker_name, answering) else None

    def _token(self, resident: Resident, attempt: int) -> str:
        return self._tokens.token(resident.row.id, resident.row.arn, attempt)

    def _report(self, resident: Resident, command: RunTask, outcome: TaskOutcome) -> None:
        if command.attempt in resident.running:
            if not outcome.submitted:
                resident.running.discard(command.attempt)
            self._reported(resident, _signal(command, outcome))

    def _report_map_run(self, resident: Resident, signal: TaskSignal) -> None:
        resident.running.discard(signal.attempt)
        self._reported(resident, signal)

    def forget(self, resident: Resident, attempt: int) -> None:
        """Somebody else has answered. What is at work may go on, but its outcome does not count."""
        if attempt in resident.running:
            resident.running.discard(attempt)
            self._activities.withdraw(resident.row.id, attempt)

    def cancel(self, resident: Resident, attempt: int) -> None:
        if attempt in resident.running:
            resident.running.discard(attempt)
            if self._map_runs.cancel(resident.row.id, attempt):
                return
            try:
                if not self._activities.withdraw(resident.row.id, attempt):
                    self._tasks.cancel(self._token(resident, attempt))
            except Exception:  # what is committed stands, and the others of its batch wait to be told
                _log.exception("A task of %s could not be cancelled because of a bug", resident.row.arn)

    def cancel_all(self, resident: Resident) -> None:
        for attempt in tuple(resident.running):
            self.cancel(resident, attempt)

    def abandon_all(self, resident: Resident) -> None:
        """What is at work elsewhere goes on, and is asked for again when the execution is loaded anew."""
        for attempt in resident.running:
            if not self._activities.withdraw(resident.row.id, attempt):
                self._tasks.abandon(self._token(resident, attempt))
        resident.running.clear()

    def at_work(self, resident: Resident) -> bool:
        """Whether anything is under way that would have to be begun anew: not an offer to workers, not what is only
        waited for, and not a map run, whose children are executions themselves."""
        return any(map(_would_begin_anew, (resident.loaded.attempts[id].attempt for id in resident.running)))


def _would_begin_anew(attempt: Attempt | None) -> bool:
    return attempt is not None and attempt.started is not None and attempt.submitted is None and attempt.map_run is None


def _signal(task: RunTask, outcome: TaskOutcome) -> TaskSignal:
    if outcome.output is None:
        return TaskFailed(task.attempt, outcome.error, outcome.cause)
    if task.resource.answered_by_token or outcome.submitted:
        return TaskSubmitted(task.attempt, outcome.output)
    return TaskSucceeded(task.attempt, outcome.output)
