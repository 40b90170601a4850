"""Task: has work done outside, and waits for the answer.

    TaskStateEntered ─▶ ...Scheduled ─ ...Started (─ TaskSubmitted) ─┬─ ...Succeeded ─ TaskStateExited
                            ▲                                        └─ ...Failed / ...TimedOut ─┬─ TaskStateExited
                            └──────────── after the retrier's delay ─────────────────────────────┤  (caught)
                                                                                                 └─ the branch fails

An attempt is named by its Scheduled event.  Which family of events a task writes depends on its resource:
the table EVENTS.  Only an activity waits for somebody to take it, and its deadlines run from then on; all other
tasks count as started at once.

Who answers: the one that was asked; or, of an activity and with the pattern .waitForTaskToken, whoever has the
task's token.  The service's own answer then is but TaskSubmitted.  The token may be used before that: a
function can send success before it returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from treadle.document import Document
from treadle.engine.execution import Deadlines
from treadle.engine.failure import Handlers
from treadle.engine.fields import FieldCompiler
from treadle.engine.flow import input_flow, output_flow
from treadle.engine.numbers import optional_integer_field
from treadle.engine.signals import RunTask
from treadle.engine.turn import data_limit_text, error_details
from treadle.expressions.errors import EvaluationError
from treadle.language.definition import TaskState
from treadle.language.resources import Resource

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn


class TaskEvents(Struct, frozen=True):
    """The event types of one kind of resource."""

    scheduled: str
    started: str
    succeeded: str
    failed: str
    timed_out: str
    names_resource: bool
    """Whether every one of them names resourceType and resource."""


def _events(prefix: str, names_resource: bool) -> TaskEvents:
    steps = ("Scheduled", "Started", "Succeeded", "Failed", "TimedOut")
    scheduled, started, succeeded, failed, timed_out = [prefix + step for step in steps]
    return TaskEvents(scheduled, started, succeeded, failed, timed_out, names_resource)


EVENTS = {
    "function": _events("LambdaFunction", names_resource=False),
    "activity": _events("Activity", names_resource=False),
    "integration": _events("Task", names_resource=True),
}

SUBMIT_FAILED = "TaskSubmitFailed"
"""With the pattern .sync, the end of a task that the service did not accept (published: github.com/ASFHyP3/hyp3, pull
request 805).  Whether AWS writes it with .waitForTaskToken too is not known."""

SCHEDULED_TYPES = frozenset(events.scheduled for events in EVENTS.values())
ENDED_TYPES = frozenset(
    (
        SUBMIT_FAILED,
        *(kind for events in EVENTS.values() for kind in (events.succeeded, events.failed, events.timed_out)),
    )
)


class TaskNode:
    entered_type = "TaskStateEntered"
    exited_type = "TaskStateExited"
    aborted_type = "TaskStateAborted"

    def __init__(self, state: TaskState, compiler: FieldCompiler, resource: Resource, handlers: Handlers) -> None:
        self.name = state.name
        self.next = state.next
        self.handlers = handlers
        self.resource = resource
        self.events = EVENTS[resource.kind]
        self.answered_by_token = resource.answered_by_token
        self._jsonata = compiler.jsonata
        self._input = input_flow(compiler, state.parameters, state.arguments)
        self._output = output_flow(compiler, state.result_path, state.result_selector, has_result=True)
        self._timeout = optional_integer_field(
            compiler, "TimeoutSeconds", state.timeout_seconds, state.timeout_seconds_path
        )
        self._heartbeat = optional_integer_field(
            compiler, "HeartbeatSeconds", state.heartbeat_seconds, state.heartbeat_seconds_path
        )
        self._credentials = compiler.payload("Credentials", state.credentials)
        self._timeout_default = compiler.limits.timeout_seconds_default

    # -- going out -----------------------------------------------------------------------------------------

    def execute(self, turn: Turn, branch: Branch) -> None:
        data = self._input(turn, branch)
        deadlines = self._deadlines(turn, branch)
        role_arn = self._role_arn(turn, branch)
        is_activity = self.resource.kind == "activity"
        if is_activity and not turn.execution.outside.activity_exists(self.resource.arn):
            raise EvaluationError(f"The activity {self.resource.arn} does not exist.")
        if data.size > turn.limits.payload_bytes:
            turn.fail_state(branch, "States.DataLimitExceeded", data_limit_text(self.name))
            return
        problem = turn.execution.outside.unusable(self.resource, data)
        if problem is not None:
            # Recorded: services/apigetway_task_service--invoke_with_headers--singleStringHeader.
            raise EvaluationError(f"The Parameters '{data.text}' could not be used to start the Task: [{problem}]")
        details = self._scheduled_details(turn, data, deadlines, role_arn)
        attempt = turn.emit(branch, self.events.scheduled, details)
        run = self.run_task(attempt, data, deadlines, role_arn)
        turn.open_attempt(branch, run, deadlines, waits_for_worker=is_activity)
        if not is_activity:
            turn.scheduled.append((branch, attempt, self.events.started, self.started_details()))

    def _deadlines(self, turn: Turn, branch: Branch) -> Deadlines:
        timeout = None if self._timeout is None else self._timeout(turn, branch, branch.input)
        heartbeat = None if self._heartbeat is None else self._heartbeat(turn, branch, branch.input)
        # A function called by its ARN has no way to send a heartbeat, and its events know of none.
        return Deadlines(timeout, None if self.resource.kind == "function" else heartbeat)

    def _role_arn(self, turn: Turn, branch: Branch) -> str | None:
        """The role under which the task is to run, if it is not that of the machine."""
        if self._credentials is None:
            return None
        bindings = turn.query_bindings(branch) if self._jsonata else turn.path_bindings(branch, branch.input)
        role_arn = self._credentials(bindings)["RoleArn"]
        if not isinstance(role_arn, str):
            raise EvaluationError(f"The RoleArn of the Credentials is not a string: {Document(role_arn).text}")
        return role_arn

    def run_task(self, attempt: int, data: Document, deadlines: Deadlines, role_arn: str | None) -> RunTask:
        timeout = deadlines.timeout_seconds
        return RunTask(
            attempt=attempt,
            resource=self.resource,
            input=data,
            timeout_seconds=self._timeout_default if timeout is None else timeout,
            state_name=self.name,
            role_arn=role_arn,
        )

    def _scheduled_details(
        self, turn: Turn, data: Document, deadlines: Deadlines, role_arn: str | None
    ) -> dict[str, Any]:
        if self.events.names_resource:
            details = self._named({"region": turn.execution.region, "parameters": data.text})
        else:
            details = {"resource": self.resource.arn, "input": data.text}
        if deadlines.timeout_seconds is not None:
            details["timeoutInSeconds"] = deadlines.timeout_seconds
        if deadlines.heartbeat_seconds is not None:
            details["heartbeatInSeconds"] = deadlines.heartbeat_seconds
        if role_arn is not None:
            details["taskCredentials"] = {"roleArn": role_arn}
        return details

    def started_details(self) -> dict[str, Any]:
        return self._named({})

    def _named(self, details: dict[str, Any]) -> dict[str, Any]:
        if self.events.names_resource:
            details["resourceType"] = self.resource.resource_type
            details["resource"] = self.resource.resource
        return details

    # -- coming back ---------------------------------------------------------------------------------------

    def task_started(self, turn: Turn, branch: Branch, worker_name: str | None) -> bool:
        """A worker takes the task. False: somebody else has it."""
        assert branch.attempt is not None
        if branch.attempt.started is not None:
            return False
        turn.emit(branch, self.events.started, {} if worker_name is None else {"workerName": worker_name})
        turn.execution.start_attempt(branch, turn.now)
        return True

    def task_submitted(self, turn: Turn, branch: Branch, output: Document) -> bool:
        """The service has answered. False: it has before."""
        assert branch.attempt is not None
        if branch.attempt.submitted is not None:
            return False
        if self._too_large(turn, branch, output):
            return True
        turn.emit(branch, "TaskSubmitted", self._named({"output": output.text}))
        branch.attempt.handed_over = self.answered_by_token
        branch.attempt.submitted = output
        return True

    def task_succeeded(self, turn: Turn, branch: Branch, output: Document) -> None:
        if self._too_large(turn, branch, output):
            return
        turn.emit(branch, self.events.succeeded, self._named({"output": output.text}))
        if turn.execution.probe is not None:
            turn.execution.probe.seen["result"] = output
        try:
            result = self._output(turn, branch, output)  # with the attempt still open: it may name the token
        except EvaluationError as error:
            turn.execution.close_attempt(branch)
            turn.fail_evaluation(branch, error)
            return
        turn.execution.close_attempt(branch)
        turn.leave(branch, result, self.next)

    def _too_large(self, turn: Turn, branch: Branch, output: Document) -> bool:
        """Whether the output is, and the task has failed for it."""
        if output.size <= turn.limits.payload_bytes:
            return False
        named = self.resource.resource_type if self.events.names_resource else self.resource.arn
        self.task_failed(turn, branch, "States.DataLimitExceeded", data_limit_text(named))
        return True

    def task_failed(self, turn: Turn, branch: Branch, error: str | None, cause: str | None) -> None:
        assert branch.attempt is not None
        submitting = self.resource.pattern.startswith("sync") and branch.attempt.submitted is None
        turn.execution.close_attempt(branch)
        event = SUBMIT_FAILED if submitting else self.events.failed
        turn.emit(branch, event, self._named(error_details(error, cause)))
        turn.fail_state(branch, error, cause)

    def write_timed_out(self, turn: Turn, branch: Branch) -> None:
        """The event alone: the failure follows when all that is due has been written."""
        turn.cancel_attempt(branch)
        turn.emit(branch, self.events.timed_out, self._named({"error": "States.Timeout"}))
