"""The pattern .sync: a task that begins a job elsewhere, and is done when the job is.

    submit ── TaskSubmitted ── look, again and again ─┬─ the job's result
                                                      └─ States.TaskFailed, with the job's result as the cause
                                                         (recorded for ECS)

Nothing is submitted twice.  The answer to the request is reported at once and so is in the history; after a restart
the request comes with it, and only the looking goes on.  A server that dies between the answer and its commit submits
again, with the same idempotency token where the operation has one, and the task's token in a header (`ServiceCalls`).

How often a job is looked at follows from how long it has been waited for: so the end of a short one is seen in
milliseconds, that of a long one within a twentieth of its time; and from how many are waited for, so that thousands
of long ones are cheap.  A look that fails is repeated: the service may be restarting.  Only a job that is not there,
time after time, is given up.

A task that is cancelled cancels its job, also one that is about to begin; a server that stops leaves it alone.

What a job is, is for a `Work` to say: `service_jobs.py` for those of the table, `kubernetes_jobs.py` for those of EKS.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from msgspec import Struct

from treadle.document import Document, encode
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import TaskOutcome, TaskRequest
from treadle.tasks.lambda_outcomes import result_too_large

_log = logging.getLogger(__name__)


class Unsubmitted(Exception):
    """There is no job; the task has failed."""

    def __init__(self, outcome: TaskOutcome) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome


class JobMissing(Exception):
    """The job is not there. `outcome`: how the task ends if that stays so."""

    def __init__(self, outcome: TaskOutcome) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome


class Work(Protocol):
    """The job of one task. `answer` is what `submit` gave, perhaps to a server that has ended since."""

    async def submit(self) -> dict[str, Any]:
        """Raises Unsubmitted."""
        ...

    async def look(self, answer: Any) -> TaskOutcome | None:
        """How the job has ended, or None. Raises NeighbourUnavailable, also for refusals that pass; JobMissing."""
        ...

    async def cancel(self, answer: Any) -> None:
        """Raises NeighbourUnavailable, also for refusals that pass; JobMissing if it cannot be cancelled."""
        ...


class Looks:
    """When the tasks of a server look at their jobs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._at_once = asyncio.Semaphore(limits.job_polls_at_once)
        self._jobs = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """For one more job."""
        self._jobs += 1
        try:
            yield
        finally:
            self._jobs -= 1

    def pause(self, waited: float) -> float:
        """Seconds to the next look at a job that has been waited for so long.

        With many jobs everybody's share of the looks is small; a new job gets more of them, in doubling intervals, so
        that short ones are not held up by long ones."""
        limits = self._limits
        share = self._jobs / limits.job_polls_per_second
        pause = max(waited / 20, min(waited, share), limits.job_poll_milliseconds_min / 1_000)
        return min(pause, max(limits.job_poll_seconds_max, share))

    async def look(self, work: Work, answer: Any) -> TaskOutcome | None:
        """As `Work.look`."""
        async with self._at_once:
            return await work.look(answer)


class JobTask(Struct, frozen=True, kw_only=True):
    """What a task that waits for a job needs, whatever job it is."""

    request: TaskRequest
    limits: Limits
    looks: Looks
    submitted: Callable[[Document], None]
    """Told what the service answered to the request."""
    stopping: Callable[[], bool]
    """Whether the job goes on although the task ends: the server is about to, or another node goes on with it."""


async def run_job(task: JobTask, work: Work) -> TaskOutcome:
    submitting = asyncio.get_running_loop().create_task(_submit(task, work))
    try:
        # Cancelled as it were, nobody would know whether there is a job to cancel.
        answer = await asyncio.shield(submitting)
        if task.request.submitted is None:
            task.submitted(answer)
        with task.looks.waiting():
            return await _end(task, work, answer.value)
    except asyncio.CancelledError:
        if task.stopping():
            submitting.cancel()
        else:
            await _cancel(task, work, submitting)
        raise
    except Unsubmitted as refusal:
        return refusal.outcome


async def _submit(task: JobTask, work: Work) -> Document:
    return Document(await work.submit()) if task.request.submitted is None else task.request.submitted


async def _end(task: JobTask, work: Work, answer: Any) -> TaskOutcome:
    loop = asyncio.get_running_loop()
    begun, missing = loop.time(), 0
    while True:
        await asyncio.sleep(task.looks.pause(loop.time() - begun))
        try:
            ended = await task.looks.look(work, answer)
        except NeighbourUnavailable as error:
            _log.info("%s is going to look at its job again: %s", task.request.execution_arn, error)
            continue
        except JobMissing as error:
            missing += 1
            if missing == task.limits.job_missing_polls:
                return error.outcome
            continue
        missing = 0
        if ended is not None:
            return ended


async def _cancel(task: JobTask, work: Work, submitting: asyncio.Task[Document]) -> None:
    """Best effort, as on AWS: tried again for a while, as long as the service does not answer."""
    try:
        answer = (await submitting).value
    except Unsubmitted:
        return
    pause = task.limits.job_poll_milliseconds_min / 1_000
    while not task.stopping():
        try:
            await work.cancel(answer)
            return
        except (NeighbourUnavailable, JobMissing) as error:
            if isinstance(error, JobMissing) or pause > task.limits.job_cancel_seconds:
                _log.warning("A job of %s could not be cancelled: %s", task.request.execution_arn, error)
                return
        await asyncio.sleep(pause)
        pause *= 2


# -- outcomes ----------------------------------------------------------------------------------------------


def succeeded(task: JobTask, result: Any) -> TaskOutcome:
    output = Document(result)
    if output.size > task.limits.payload_bytes:
        return result_too_large(task.request.resource.resource_type)
    return TaskOutcome(output=output)


def failed(task: JobTask, result: Any) -> TaskOutcome:
    """What AWS does with a cause that is too long is not known; here it is cut off."""
    return TaskOutcome(error="States.TaskFailed", cause=encode(result)[: task.limits.cause_characters])
