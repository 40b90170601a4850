"""The pattern .sync: a task that begins a job of another service, and is done when the job is.

    submit ── TaskSubmitted ── describe, again and again ─┬─ the job's result
                                                          └─ States.TaskFailed, the job's result as the cause (recorded
                                                             for ECS)

Nothing is submitted twice.  The answer to the request is reported at once and so is in the history; after a restart
the request comes with it, and only the asking goes on.  A server that dies between the answer and its commit submits
again, with the same idempotency token where the operation has one, and the task's token in a header (`ServiceCalls`).

How often a job is asked for follows from how long it has been waited for: so the end of a short one is seen in
milliseconds, that of a long one within a tenth of its time, and thousands of long ones are cheap.  A question that
is not answered is asked again: the service may be restarting.  Only a job that is not there, time after time, is
given up.

A task that is cancelled cancels its job, also one that is about to begin; a server that stops leaves it alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from treadle.document import Document, encode
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault, TaskOutcome, TaskRequest
from treadle.tasks.integrations import Integration, Job, evaluate
from treadle.tasks.lambda_outcomes import result_too_large
from treadle.tasks.optimised import Refused, ask, failure, shown
from treadle.tasks.sdk_shapes import to_request
from treadle.tasks.service_calls import ServiceCalls

_log = logging.getLogger(__name__)

_PASSING = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "Unavailable", "InternalFailure")
"""In the code of a refusal that says nothing about the job."""


class JobTask(Struct, frozen=True, kw_only=True):
    """A task that waits for a job, and what it needs for that."""

    request: TaskRequest
    integration: Integration
    job: Job
    calls: ServiceCalls
    limits: Limits
    polls: asyncio.Semaphore
    """Of all tasks together: how many may ask at once."""
    submitted: Callable[[Document], None]
    """Told what the service answered to the request."""
    stopping: Callable[[], bool]
    """Whether the server is about to end."""


async def run_job(task: JobTask) -> TaskOutcome:
    submitting = asyncio.get_running_loop().create_task(_submit(task))
    try:
        # Cancelled as it were, nobody would know whether there is a job to cancel.
        answer = await asyncio.shield(submitting)
        if task.request.submitted is None:
            task.submitted(answer)
        return await _end(task, answer.value)
    except asyncio.CancelledError:
        if task.stopping():
            submitting.cancel()
        else:
            await _cancel(task, submitting)
        raise
    except (ServiceFault, NeighbourUnavailable, Refused) as error:
        return failure(task.integration, error)


async def _submit(task: JobTask) -> Document:
    if task.request.submitted is not None:
        return task.request.submitted
    return Document(await ask(task.request, task.integration, task.calls))


# -- to the end --------------------------------------------------------------------------------------------


async def _end(task: JobTask, answer: Any) -> TaskOutcome:
    """How the job ended. Raises ServiceFault if it is not there."""
    job, limits = task.job, task.limits
    loop = asyncio.get_running_loop()
    begun, missing = loop.time(), 0
    while True:
        pause = max((loop.time() - begun) / 10, limits.job_poll_milliseconds_min / 1_000)
        await asyncio.sleep(min(pause, limits.job_poll_seconds_max))
        try:
            async with task.polls:
                described = await _ask(task, job.describe, _about(task, job.of, answer))
                state = evaluate(job.state, described)
                excused = state in job.failed and await _is_excused(task, described)
        except NeighbourUnavailable as error:
            _log.info("%s is asked for its job again: %s", task.request.execution_arn, error)
            continue
        except ServiceFault as fault:
            if _passes(fault):
                continue
            if job.ends_gone and "NotFound" in fault.code:
                return _succeeded(task, answer)
            missing += 1
            if missing == limits.job_missing_polls:
                raise
            continue
        if state in job.succeeded or excused:
            return _succeeded(task, evaluate(job.result, described))
        if state in job.failed:
            return _failed(task, evaluate(job.result, described))
        missing = 0 if state else missing + 1
        if missing == limits.job_missing_polls:
            return _failed(task, described)


async def _is_excused(task: JobTask, described: dict[str, Any]) -> bool:
    return task.job.excuse is not None and await task.job.excuse(partial(_ask, task), described)


def _passes(fault: ServiceFault) -> bool:
    return fault.status >= 500 or fault.status == 429 or any(word in fault.code for word in _PASSING)


def _succeeded(task: JobTask, result: Any) -> TaskOutcome:
    output = Document(result)
    if output.size > task.limits.payload_bytes:
        return result_too_large(task.request.resource.resource_type)
    return TaskOutcome(output=output)


def _failed(task: JobTask, result: Any) -> TaskOutcome:
    """What AWS does with a cause that is too long is not known; here it is cut off."""
    return TaskOutcome(error="States.TaskFailed", cause=encode(result)[: task.limits.cause_characters])


# -- to cancel ---------------------------------------------------------------------------------------------


async def _cancel(task: JobTask, submitting: asyncio.Task[Document]) -> None:
    """Best effort, as on AWS: tried again for a while, as long as the service does not answer."""
    job = task.job
    try:
        answer = (await submitting).value
    except (ServiceFault, NeighbourUnavailable, Refused):
        return  # There is no job.
    if job.cancel is None:
        return
    pause = task.limits.job_poll_milliseconds_min / 1_000
    while not task.stopping():
        try:
            await _ask(task, job.cancel, _about(task, job.cancel_of, answer))
            return
        except (ServiceFault, NeighbourUnavailable) as error:
            passes = isinstance(error, NeighbourUnavailable) or _passes(error)
            if not passes or pause > task.limits.job_cancel_seconds:
                _log.warning("A job of %s could not be cancelled: %s", task.request.execution_arn, error)
                return
        await asyncio.sleep(pause)
        pause *= 2


# -- to ask ------------------------------------------------------------------------------------------------


def _about(task: JobTask, of: str, answer: Any) -> dict[str, Any]:
    """The parameters of an operation about the job."""
    return dict(evaluate(of, {"request": task.request.input.value, "answer": answer}))


async def _ask(task: JobTask, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Raises ServiceFault, NeighbourUnavailable."""
    operation = task.integration.operation_model(name)
    members = to_request(operation.input_shape, parameters)
    request = task.request
    answered = await task.calls.call(operation, members, account=request.account, region=request.region)
    return shown(operation, answered.members)
