"""The jobs of the optimised integrations, as their lines in the table describe them."""

from __future__ import annotations

from typing import Any

from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault, TaskOutcome
from treadle.tasks.integrations import Integration, Job, evaluate
from treadle.tasks.jobs import JobMissing, JobTask, Unsubmitted, failed, succeeded
from treadle.tasks.optimised import METADATA, Refused, ask, failure, shown
from treadle.tasks.sdk_shapes import to_request
from treadle.tasks.service_calls import ServiceCalls

_PASSING = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "Unavailable", "InternalFailure")
"""In the code of a refusal that says nothing about the job."""


class ServiceJob:
    """Implements `jobs.Work`."""

    def __init__(self, task: JobTask, integration: Integration, job: Job, calls: ServiceCalls) -> None:
        self._task = task
        self._integration = integration
        self._job = job
        self._calls = calls

    async def submit(self) -> dict[str, Any]:
        try:
            return await ask(self._task.request, self._integration, self._calls)
        except (ServiceFault, NeighbourUnavailable, Refused) as error:
            raise Unsubmitted(failure(self._integration, error)) from error

    async def look(self, answer: Any) -> TaskOutcome | None:
        job = self._job
        try:
            described = await self._ask(job.describe, self._about(job.of, answer))
            state = evaluate(job.state, described)
            if state in job.failed and job.excuse is not None and await job.excuse(self._ask, described):
                return succeeded(self._task, evaluate(job.result, described))
        except ServiceFault as fault:
            if job.ends_gone and "NotFound" in fault.code:
                return succeeded(self._task, {name: answer[name] for name in answer if name not in METADATA})
            raise JobMissing(failure(self._integration, fault)) from fault
        if not state:
            raise JobMissing(failed(self._task, described))
        if state in job.succeeded:
            return succeeded(self._task, evaluate(job.result, described))
        return failed(self._task, evaluate(job.result, described)) if state in job.failed else None

    async def cancel(self, answer: Any) -> None:
        job = self._job
        if job.cancel is None:
            return
        try:
            await self._ask(job.cancel, self._about(job.cancel_of, answer))
        except ServiceFault as fault:
            raise JobMissing(failure(self._integration, fault)) from fault

    def _about(self, of: str, answer: Any) -> dict[str, Any]:
        """The parameters of an operation about the job."""
        return dict(evaluate(of, {"request": self._task.request.input.value, "answer": answer}))

    async def _ask(self, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Raises NeighbourUnavailable, also for refusals that pass; ServiceFault."""
        operation = self._integration.operation_model(name)
        members = to_request(operation.input_shape, parameters)
        request = self._task.request
        try:
            answered = await self._calls.call(operation, members, account=request.account, region=request.region)
        except ServiceFault as fault:
            # 501 does not pass: nobody has the operation.
            passes = fault.status >= 500 and fault.status != 501
            if passes or fault.status == 429 or any(word in fault.code for word in _PASSING):
                raise NeighbourUnavailable(str(fault)) from fault
            raise
        return shown(operation, answered.members)
