"""The TaskRunner: which task goes where, and that each reports its outcome exactly once.

A task is one asyncio task, known by its token until it reports or is cancelled.  One that is cancelled may still
have something to end: it is kept until it has.  Whatever a task raises is a bug of Treadle's: it is logged with its
traceback, and the task fails with States.Runtime, which no Retry or Catch matches, so that a workflow does not go
on as if the service had answered.

Tasks that call Step Functions itself need it, and it needs the runtime, which needs the tasks: so it is given last.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from msgspec import Struct, structs

from treadle.document import Document
from treadle.functions.contract import Functions
from treadle.language.resources import Resource
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.neighbours.catalogue import catalogue
from treadle.tasks import (
    apigateway_invoke,
    http_request,
    invoke_model,
    lambda_invoke,
    optimised,
    sdk_call,
    start_execution,
)
from treadle.tasks.apigateway_invoke import ApiTasks
from treadle.tasks.contract import EventInvocations, OwnService, StepFunctions, TaskOutcome, TaskRequest
from treadle.tasks.function import run_function
from treadle.tasks.http_invoke import HttpTasks
from treadle.tasks.integration_table import INVOKE_MODEL
from treadle.tasks.integrations import Integration
from treadle.tasks.invoke_model import run_invoke_model
from treadle.tasks.jobs import JobTask, Looks, run_job
from treadle.tasks.kubernetes import Clusters, call_problem
from treadle.tasks.kubernetes_jobs import run_job_problem, run_kubernetes_job
from treadle.tasks.lambda_invoke import run_lambda_invoke
from treadle.tasks.optimised import integration_of, run_optimised
from treadle.tasks.roles import RoleRefused, Roles
from treadle.tasks.sdk_call import operation_of, run_sdk_call, step_functions_operation
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_jobs import ServiceJob
from treadle.tasks.start_execution import begun_arn, run_start_execution, stop_begun, waits_for_end

if TYPE_CHECKING:
    from botocore.model import OperationModel

Report = Callable[[TaskOutcome], None]


class _Task(Struct, frozen=True):
    """One task, and what it may need."""

    request: TaskRequest
    functions: Functions
    step_functions: StepFunctions | None
    services: ServiceCalls | None
    limits: Limits
    report: Report
    """Of what is submitted. What the task ends with is what it returns."""
    looks: Looks
    stopping: Callable[[], bool]
    """Whether the work goes on although the task ends."""
    http: HttpTasks | None
    apis: ApiTasks | None
    clusters: Clusters | None
    events: EventInvocations | None
    own_lambda: OwnService | None
    end: asyncio.Future[Any] | None
    """Of the execution that was submitted."""

    @property
    def lambda_api(self) -> OwnService:
        if self.own_lambda is None:
            raise RuntimeError("tasks were not connected to Lambda")
        return self.own_lambda

    @property
    def api(self) -> StepFunctions:
        return _connected(self.step_functions)

    @property
    def calls(self) -> ServiceCalls:
        if self.services is None:
            raise RuntimeError("tasks were not connected to other services")
        return self.services

    def submitted(self, answer: Document) -> None:
        self.report(TaskOutcome(output=answer, submitted=True))

    @property
    def job_task(self) -> JobTask:
        return JobTask(
            request=self.request,
            limits=self.limits,
            looks=self.looks,
            submitted=self.submitted,
            stopping=self.stopping,
        )


Perform = Callable[[_Task], Awaitable[TaskOutcome]]
Check = Callable[[Any], str | None]
"""What Step Functions itself has against the parameters of a task, or None."""
Known = Callable[[str], bool]
"""Whether anybody answers for a service, by botocore's name of it."""


def _run_function(task: _Task) -> Awaitable[TaskOutcome]:
    return run_function(task.request, task.functions, task.limits)


async def _run_step_functions(operation: OperationModel, task: _Task) -> TaskOutcome:
    async def call(body: dict[str, Any]) -> dict[str, Any]:
        request = task.request
        return (await task.api.call(operation.name, body, account=request.account, region=request.region)).members

    return await run_sdk_call(task.request, operation, call)


async def _run_lambda(operation: OperationModel, task: _Task) -> TaskOutcome:
    async def call(body: dict[str, Any]) -> dict[str, Any]:
        request = task.request
        answer = await task.lambda_api.call(operation.name, body, account=request.account, region=request.region)
        return answer.members

    return await run_sdk_call(task.request, operation, call)


async def _run_sdk(operation: OperationModel, task: _Task) -> TaskOutcome:
    async def call(body: dict[str, Any]) -> dict[str, Any]:
        request = task.request
        answer = await task.calls.call(
            operation, body, account=request.account, region=request.region, token=request.token
        )
        return answer.members

    return await run_sdk_call(task.request, operation, call)


def _run_optimised(integration: Integration, task: _Task) -> Awaitable[TaskOutcome]:
    if integration is INVOKE_MODEL:
        return run_invoke_model(task.request, task.calls, task.limits.payload_bytes)
    if task.request.resource.pattern != "sync":
        return run_optimised(task.request, integration, task.calls, task.limits.payload_bytes)
    assert integration.job is not None
    job = task.job_task
    return run_job(job, ServiceJob(job, integration, integration.job, task.calls))


def _run_lambda_invoke(task: _Task) -> Awaitable[TaskOutcome]:
    return run_lambda_invoke(task.request, task.functions, task.events, task.limits)


def _run_start_execution(task: _Task) -> Awaitable[TaskOutcome]:
    return run_start_execution(task.request, task.api, task.limits, task.end, task.stopping)


def _run_http(task: _Task) -> Awaitable[TaskOutcome]:
    if task.http is None:
        raise RuntimeError("tasks were not connected to HTTP")
    return task.http.run(task.request, task.calls)


def _run_api(task: _Task) -> Awaitable[TaskOutcome]:
    if task.apis is None:
        raise RuntimeError("tasks were not connected to APIs")
    return task.apis.run(task.request, task.calls)


def _run_cluster_call(task: _Task) -> Awaitable[TaskOutcome]:
    if task.clusters is None:
        raise RuntimeError("tasks were not connected to clusters")
    return task.clusters.run_call(task.request, task.calls)


def _run_cluster_job(task: _Task) -> Awaitable[TaskOutcome]:
    if task.clusters is None:
        raise RuntimeError("tasks were not connected to clusters")
    return run_kubernetes_job(task.job_task, task.clusters, task.calls)


_INTEGRATIONS: Mapping[tuple[str, str], Perform] = {
    ("apigateway", "invoke"): _run_api,
    ("apigateway", "invoke.waitForTaskToken"): _run_api,
    ("eks", "call"): _run_cluster_call,
    ("eks", "runJob"): _run_cluster_job,
    ("eks", "runJob.sync"): _run_cluster_job,
    ("eks", "runJob.waitForTaskToken"): _run_cluster_job,
    ("http", "invoke"): _run_http,
    ("lambda", "invoke"): _run_lambda_invoke,
    ("lambda", "invoke.waitForTaskToken"): _run_lambda_invoke,
    ("states", "startExecution"): _run_start_execution,
    ("states", "startExecution.sync"): _run_start_execution,
    ("states", "startExecution.sync:2"): _run_start_execution,
    ("states", "startExecution.waitForTaskToken"): _run_start_execution,
}
"""By the resourceType and resource of the history events."""

_PROBLEMS: Mapping[tuple[str, str], Check] = {
    ("apigateway", "invoke"): apigateway_invoke.problem,
    ("bedrock", "invokeModel"): invoke_model.problem,
    ("eks", "call"): call_problem,
    ("eks", "runJob"): run_job_problem,
    ("http", "invoke"): http_request.problem,
    ("lambda", "invoke"): lambda_invoke.problem,
    ("states", "startExecution"): start_execution.problem,
}
"""By the resourceType and the action."""

_LAMBDA = "lambda"
"""botocore's name of the service that Treadle is itself, beside Step Functions."""

_log = logging.getLogger(__name__)


class Dispatch:
    """Implements `contract.TaskRunner`."""

    def __init__(
        self,
        functions: Functions,
        limits: Limits = DEFAULT_LIMITS,
        services: ServiceCalls | None = None,
        http: HttpTasks | None = None,
        apis: ApiTasks | None = None,
        roles: Roles | None = None,
        clusters: Clusters | None = None,
    ) -> None:
        """`services`: the others that tasks may call; None: there are none."""
        self._http = http
        self._apis = apis
        self._roles = roles
        self._clusters = clusters
        self._functions = functions
        self._services = services
        self._limits = limits
        self._step_functions: StepFunctions | None = None
        self._events: EventInvocations | None = None
        self._own_lambda: OwnService | None = None
        self._tasks: dict[str, asyncio.Task[TaskOutcome]] = {}
        self._waiting: dict[str, tuple[TaskRequest, asyncio.Future[Any]]] = {}
        """By token: those that only wait for the end of an execution."""
        self._ending: set[asyncio.Task[Any]] = set()
        """Cancelled, and not at their end yet; and what ends the executions of others that were."""
        self._abandoned: WeakSet[asyncio.Task[TaskOutcome]] = WeakSet()
        """Those of the cancelled ones whose work goes on."""
        self._looks = Looks(limits)
        self._stopping = False

    def connect(
        self,
        step_functions: StepFunctions,
        events: EventInvocations | None = None,
        own_lambda: OwnService | None = None,
    ) -> None:
        """What tasks call that call Step Functions, invoke functions asynchronously, or call Lambda. Before the first
        of them runs."""
        self._step_functions = step_functions
        self._events = events
        self._own_lambda = own_lambda

    def run(self, request: TaskRequest, report: Report) -> None:
        if request.token in self._tasks or request.token in self._waiting:
            return  # it is at work already, and will report
        if request.submitted is not None and waits_for_end(request.resource):
            self._wait(request, request.submitted, report)
        else:
            self._begin(request, report)

    def _begin(self, request: TaskRequest, report: Report, end: asyncio.Future[Any] | None = None) -> None:
        def report_submitted(outcome: TaskOutcome) -> None:
            if self._tasks.get(request.token) is task:  # not if it was cancelled
                report(outcome)

        def stopping() -> bool:
            return self._stopping or task in self._abandoned

        def ended(task: asyncio.Task[TaskOutcome]) -> None:
            outcome = None if task.cancelled() else task.result()
            begun = outcome.output if outcome is not None and outcome.submitted else None
            if self._tasks.get(request.token) is task:
                del self._tasks[request.token]
                if outcome is not None:
                    report(outcome)
                if begun is not None:
                    self._wait(structs.replace(request, submitted=begun), begun, report)
            elif begun is not None and not stopping():  # it was cancelled
                self._stop(begun)

        work = _Task(
            request,
            self._functions,
            self._step_functions,
            self._services,
            self._limits,
            report_submitted,
            self._looks,
            stopping,
            self._http,
            self._apis,
            self._clusters,
            self._events,
            self._own_lambda,
            end,
        )
        task = asyncio.get_running_loop().create_task(self._perform(work))
        self._tasks[request.token] = task
        task.add_done_callback(ended)

    def cancel(self, token: str) -> None:
        task = self._tasks.pop(token, None)
        if task is not None:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()
            return
        begun = self._forget(token)
        if begun is not None and not self._stopping:
            self._stop(begun)

    def abandon(self, token: str) -> None:
        task = self._tasks.get(token)
        if task is not None:
            self._abandoned.add(task)
            self.cancel(token)
        else:
            self._forget(token)

    # -- executions that are waited for ----------------------------------------------------------------------

    def _wait(self, request: TaskRequest, begun: Document, report: Report) -> None:
        end = _connected(self._step_functions).watch_end(begun_arn(begun))
        self._waiting[request.token] = request, end
        end.add_done_callback(partial(self._ended, request, report))

    def _ended(self, request: TaskRequest, report: Report, end: asyncio.Future[Any]) -> None:
        waiting = self._waiting.get(request.token)
        if waiting is not None and waiting[1] is end:  # not if it was cancelled
            del self._waiting[request.token]
            self._begin(request, report, end)

    def _forget(self, token: str) -> Document | None:
        """The execution with this answer is not waited for any more."""
        waiting = self._waiting.pop(token, None)
        if waiting is None:
            return None
        request, end = waiting
        end.cancel()
        return request.submitted

    def _stop(self, begun: Document) -> None:
        stopping = asyncio.get_running_loop().create_task(stop_begun(begun, _connected(self._step_functions)))
        self._ending.add(stopping)
        stopping.add_done_callback(self._ending.discard)

    # -- the end ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        self._stopping = True
        for token in (*self._tasks, *self._waiting):
            self.cancel(token)

    async def ended(self) -> None:
        """After `close`: until nothing is at work here any more."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=self._limits.job_cancel_seconds)

    def refuses(self, resource: Resource) -> str | None:
        return refuses(resource, self._known)

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        check = _check(resource)
        return None if check is None else check(parameters.value)

    def _known(self, client: str) -> bool:
        return self._services is not None and self._services.known(client)

    async def _perform(self, task: _Task) -> TaskOutcome:
        request = task.request
        perform = _performer(request.resource, self._known)
        if perform is None:
            return TaskOutcome(error="States.Runtime", cause=self.refuses(request.resource))
        try:
            if self._roles is not None and task.end is None:  # else it calls nobody any more
                task = structs.replace(task, services=await self._roles.calls_of(request))
            return await perform(task)
        except RoleRefused as error:
            return TaskOutcome(error="States.TaskFailed", cause=str(error))
        except Exception:
            _log.exception("Task '%s' of %s failed because of a bug", request.state_name, request.execution_arn)
            cause = f"An internal error in Treadle ended the task '{request.state_name}'; its log says more."
            return TaskOutcome(error="States.Runtime", cause=cause)


def _connected(step_functions: StepFunctions | None) -> StepFunctions:
    if step_functions is None:
        raise RuntimeError("tasks were not connected to Step Functions")
    return step_functions


def refuses(resource: Resource, known: Known) -> str | None:
    """Why no task of `resource` can be run, whatever its parameters, or None if it can."""
    if resource.kind == "activity" or _performer(resource, known) is not None:
        return None
    client = _client(resource)
    if client is not None and not known(client):
        variable = catalogue().services[client].variable
        return f"Nobody answers for '{client}' at this server: {variable} names an endpoint for it"
    return f"Treadle does not run '{resource.resource_type}:{resource.resource}' tasks yet"


def _client(resource: Resource) -> str | None:
    """botocore's name of the service that a task of the resource calls, where it is another than Treadle's own."""
    integration = integration_of(resource)
    if integration is not None:
        return integration.service.client
    operation = operation_of(resource)
    client = None if operation is None else str(operation.service_model.service_name)
    return None if client == _LAMBDA else client


def _performer(resource: Resource, known: Known) -> Perform | None:
    if resource.kind == "function":
        return _run_function
    operation = step_functions_operation(resource)
    if operation is not None:
        return partial(_run_step_functions, operation)
    integration = integration_of(resource)
    if integration is not None and known(integration.service.client):
        return partial(_run_optimised, integration)
    operation = operation_of(resource)
    if operation is not None and operation.service_model.service_name == _LAMBDA:
        return partial(_run_lambda, operation)
    if operation is not None and known(operation.service_model.service_name):
        return partial(_run_sdk, operation)
    return _INTEGRATIONS.get((resource.resource_type, resource.resource))


def _check(resource: Resource) -> Check | None:
    """For what is none of ours to run, too: a task that is mocked has parameters as well."""
    if resource.kind != "integration":
        return None
    own = _PROBLEMS.get((resource.resource_type, resource.name))
    if own is not None:
        return own
    integration = integration_of(resource)
    if integration is not None:
        return partial(optimised.problem, integration)
    operation = operation_of(resource)
    return None if operation is None else partial(sdk_call.problem, operation)
