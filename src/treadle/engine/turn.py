"""One turn of one execution: from a signal until every branch waits again.

A turn runs each ready branch as far as it gets: a chain of Pass and Choice states is one turn, and so one
commit.  It writes events, gives commands, and changes the execution in memory; nothing else.  It never calls
back into a branch it is running: whoever joins or forks puts branches into the ready queue.

A turn ends early after `transitions_per_turn` transitions, so that an endless loop cannot keep others waiting;
the branches that are still ready stay in the queue.  It only does so between a StateEntered event and the
work of that state, which is a place the fold can find again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from treadle.document import EMPTY, Document
from treadle.engine.context import context_object
from treadle.engine.execution import Attempt, Branch, Deadlines, Execution, Phase
from treadle.engine.failure import retry_delay
from treadle.engine.flow import Exit
from treadle.engine.history import LEAF_TYPES, TERMINAL_TYPES, HistoryEvent
from treadle.engine.node import ForkNode, Node
from treadle.engine.probe import Failure
from treadle.engine.signals import CancelTask, Command, RunMap, RunTask
from treadle.engine.states.fork import abort_children
from treadle.expressions.bindings import Bindings
from treadle.expressions.errors import EvaluationError, QueryEvaluationError


class HistoryFull(Exception):
    """The next event would be the last that the history may hold."""


class Turn:
    __slots__ = ("commands", "events", "execution", "limits", "now", "scheduled", "transitions")

    def __init__(self, execution: Execution, now: int) -> None:
        self.execution = execution
        self.now = execution.latest = max(now, execution.latest)
        """Milliseconds since the epoch. A clock that was set back does not turn back a history."""
        self.limits = execution.program.limits
        self.events: list[HistoryEvent] = []
        self.commands: list[Command] = []
        self.scheduled: list[tuple[Branch, int, str, dict[str, Any]]] = []
        """Attempts scheduled in this turn whose ...Started event is still to be written."""
        self.transitions = 0

    # -- history -------------------------------------------------------------------------------------------

    def emit(self, branch: Branch, kind: str, details: dict[str, Any]) -> int:
        """Write an event of `branch`, linked to the one before it. Returns its id."""
        execution = self.execution
        number = execution.next_event
        if number >= execution.program.history_events and kind not in TERMINAL_TYPES:
            raise HistoryFull
        execution.next_event = number + 1
        self.events.append(HistoryEvent(number, branch.last_event, kind, self.now, branch.id, details))
        if kind not in LEAF_TYPES:
            branch.last_event = number
        return number

    def note(self, branch: Branch, kind: str, details: dict[str, Any]) -> None:
        self.events.append(HistoryEvent(0, branch.last_event, kind, self.now, branch.id, details))

    # -- running -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run every ready branch until it waits, or until the turn is over."""
        execution = self.execution
        ready = execution.ready
        while ready and execution.status == "RUNNING" and self.transitions < self.limits.transitions_per_turn:
            branch = ready.pop(0)
            if branch.phase is Phase.NEW:
                self.enter(branch, branch.scope.start_at, branch.input)
            if branch.phase is Phase.ENTERED:
                self._run_branch(branch)
        if execution.status == "RUNNING":
            self._write_started()

    def _run_branch(self, branch: Branch) -> None:
        while branch.phase is Phase.ENTERED:
            if self.transitions >= self.limits.transitions_per_turn:
                self.execution.ready.insert(0, branch)
                return
            self.execute(branch)

    def execute(self, branch: Branch) -> None:
        """Do the work of the state that `branch` stands at; an expression that fails, fails the state."""
        node = branch.node
        assert node is not None
        try:
            node.execute(self, branch)
        except QueryEvaluationError as error:
            # A Map or Parallel says so itself as well, in JSONata (recorded: map_state_items_eval_jsonata_fail).
            self.fail_evaluation(branch, error, getattr(node, "failed_type", ""))
        except EvaluationError as error:
            self.fail_evaluation(branch, error)

    def _write_started(self) -> None:
        """The ...Started events of this turn's tasks, after all Scheduled ones (recorded:
        timeouts--service_lambda_map_timeout)."""
        for branch, attempt, kind, details in self.scheduled:
            if branch.attempt is not None and branch.attempt.id == attempt:
                self.emit(branch, kind, details)
        self.scheduled.clear()

    # -- transitions ---------------------------------------------------------------------------------------

    def enter(self, branch: Branch, name: str, data: Document) -> None:
        node: Node = branch.scope.nodes[name]
        self.transitions += 1
        branch.input = data
        branch.node = node
        branch.entered = self.now
        branch.retries = branch.map_run = None
        branch.before_entry = branch.last_event
        branch.entered_id = self.emit(branch, node.entered_type, {"name": name, "input": data.text})
        branch.phase = Phase.ENTERED

    def leave(self, branch: Branch, exit: Exit, target: str | None) -> None:
        """Leave the state for state `target` or, if that is None, the end of the branch."""
        node = branch.node
        assert node is not None
        output = exit.output
        # What a state only hands on was measured when it came to be.
        if output is not branch.input and output.size > self.limits.payload_bytes:
            self.fail_state(branch, "States.DataLimitExceeded", data_limit_text(node.name))
            return
        details: dict[str, Any] = {"name": node.name, "output": output.text}
        if exit.assigned:
            if not self.execution.assign(branch, exit.assigned):
                self.fail_state(branch, "States.DataLimitExceeded", variables_limit_text(node.name))
                return
            details["assignedVariables"] = {name: value.text for name, value in exit.assigned.items()}
        branch.due = None
        self.emit(branch, node.exited_type, details)
        if target is not None:
            self.enter(branch, target, output)
        else:
            self.finish(branch, output)

    def finish(self, branch: Branch, output: Document) -> None:
        """The branch is at its end."""
        branch.phase = Phase.DONE
        owner = branch.parent
        if owner is None:
            self.emit(branch, "ExecutionSucceeded", {"output": output.text})
            self.close("SUCCEEDED", output=output)
            return
        cast("ForkNode", owner.node).child_succeeded(self, owner, branch, output)

    def resume(self, branch: Branch) -> None:
        """Let a branch that left a Parallel or Map state go on in its turn."""
        if branch.phase is Phase.ENTERED:
            self.execution.ready.append(branch)

    # -- failures ------------------------------------------------------------------------------------------

    def fail_evaluation(self, branch: Branch, error: EvaluationError, failed_type: str = "") -> None:
        """An expression of the state failed. `failed_type` as in `fail_state`."""
        self.fail_state(branch, error.error, self._evaluation_failed(branch, error), failed_type)

    def _evaluation_failed(self, branch: Branch, error: EvaluationError) -> str:
        """Write the event that says so, which only JSONata has. Returns the cause."""
        assert branch.node is not None
        name = branch.node.name
        cause = (
            f"An error occurred while executing the state '{name}' "
            f"(entered at the event id #{branch.entered_id}). {error.message}"
        )
        if isinstance(error, QueryEvaluationError):
            details = {"state": name, "error": error.error, "cause": cause}
            if error.location is not None:
                details["location"] = error.location
            branch.last_event = branch.entered_id if error.after_entry else branch.before_entry
            self.emit(branch, "EvaluationFailed", details)
        return cause

    def fail_state(
        self,
        branch: Branch,
        error: str | None,
        cause: str | None,
        failed_type: str = "",
        *,
        alias: str | None = None,
    ) -> None:
        """The state failed: retry, catch, or fail the branch.

        `failed_type` is the event that says so unless it is tried again (`MapStateFailed`); it is empty where
        the task's own event has said so, and where the state never got to work.  `alias` is a second name
        by which retriers and catchers know the error.
        """
        node = branch.node
        assert node is not None
        branch.due = None
        if branch.fork is not None:
            abort_children(self, branch, None, None)
        names = (error, alias)
        if self.execution.probe is not None:
            self.execution.probe.failure = Failure(error, cause, names)
        if self._retry(branch, node, names):
            return
        if failed_type:
            self.emit(branch, failed_type, {})
        number = node.handlers.catcher(names)
        if number is None:
            self._fail_branch(branch, error, cause)
            return
        if error == "States.Timeout":
            cause = cause or ""  # A time-out has no cause, and yet this (recorded: invoke_timeout).
        error_output = Document({"Error": error, "Cause": cause})
        try:
            exit = node.handlers.exits[number](self, branch, error_output)
        except EvaluationError as unplaceable:
            self._fail_branch(branch, unplaceable.error, self._evaluation_failed(branch, unplaceable))
            return
        self.note(branch, "ErrorCaught", {"catcher": number})
        self.leave(branch, exit, node.handlers.catchers[number].next)

    def _retry(self, branch: Branch, node: Node, names: Iterable[str | None]) -> bool:
        number = node.handlers.retrier(names, branch.retries)
        if number is None:
            return False
        retrier = node.handlers.retriers[number]
        if branch.retries is None:
            branch.retries = [0] * len(node.handlers.retriers)
        seed = f"{self.execution.arn}#{self.execution.next_event}"
        due = self.now + retry_delay(retrier, branch.retries[number], seed)
        branch.retries[number] += 1
        branch.phase = Phase.RETRY
        branch.map_run = None
        self.execution.set_timer(branch, due)
        self.note(branch, "RetryScheduled", {"retrier": number, "due": due})
        return True

    def _fail_branch(self, branch: Branch, error: str | None, cause: str | None) -> None:
        branch.phase = Phase.DONE
        owner = branch.parent
        if owner is None:
            self.fail_execution(error, cause)
            return
        cast("ForkNode", owner.node).child_failed(self, owner, branch, error, cause)

    def fail_execution(self, error: str | None, cause: str | None) -> None:
        self.emit(self.execution.root, "ExecutionFailed", error_details(error, cause))
        self.close("FAILED", error=error, cause=cause)

    def end(self, kind: str, status: str, error: str | None, cause: str | None) -> None:
        """End the execution from outside. The event stands alone, linked to nothing (recorded: stop_execution)."""
        root = self.execution.root
        root.last_event = 0
        self.emit(root, kind, error_details(error, cause))
        self.close(status, error=error, cause=cause)

    def close(
        self,
        status: str,
        *,
        output: Document | None = None,
        error: str | None = None,
        cause: str | None = None,
    ) -> None:
        execution = self.execution
        execution.status = status
        execution.stopped = self.now
        execution.output, execution.error, execution.cause = output, error, cause
        for attempt in execution.attempts:
            self.commands.append(CancelTask(attempt))
        execution.attempts.clear()
        execution.ready.clear()
        execution.timers.clear()

    # -- tasks ---------------------------------------------------------------------------------------------

    def open_attempt(self, branch: Branch, run: RunTask, deadlines: Deadlines, *, waits_for_worker: bool) -> None:
        """The task of `branch` is scheduled. Without deadlines, only that of the execution ends the wait."""
        attempt = Attempt(run.attempt, run.input, deadlines, run.role_arn, self.now, waits_for_worker=waits_for_worker)
        self.execution.open_attempt(branch, attempt)
        self.commands.append(run)

    def open_map_run(self, branch: Branch, run: RunMap) -> None:
        """The Distributed Map of `branch` has begun its map run, or goes on with it."""
        self.execution.open_attempt(branch, Attempt(run.attempt, EMPTY, Deadlines(), None, self.now, map_run=run))
        self.commands.append(run)

    def cancel_attempt(self, branch: Branch) -> None:
        """Nobody waits for the task of `branch` any more."""
        assert branch.attempt is not None
        self.commands.append(CancelTask(branch.attempt.id))
        self.execution.close_attempt(branch)

    # -- expressions ---------------------------------------------------------------------------------------

    def path_bindings(self, branch: Branch, data: Document, field: str = "") -> Bindings:
        """What a JSONPath expression of the state that `branch` stands at can see, with `data` as its `$`.

        `field` keeps apart what different fields draw at random at the same place in the history.
        """
        return self._bindings(branch, data.value, field)

    def query_bindings(self, branch: Branch, **members: Any) -> Bindings:
        """What a JSONata expression of the state can see; `members` are those of `$states` beside the input."""
        return self._bindings(branch, branch.input.value, "", **members)

    def _bindings(self, branch: Branch, data: Any, field: str, **members: Any) -> Bindings:
        execution = self.execution
        return Bindings(
            data,
            lambda: context_object(execution, branch, branch.item),
            branch.variables,
            now=self.now,
            seed=f"{execution.arn}#{execution.next_event}{field}",
            **members,
        )


def error_details(error: str | None, cause: str | None) -> dict[str, Any]:
    """The details of a failure; what is not known is left out, as AWS does."""
    details = {}
    if cause is not None:
        details["cause"] = cause
    if error is not None:
        details["error"] = error
    return details


def variables_limit_text(name: str) -> str:
    """AWS's wording is not known."""
    return f"The state '{name}' assigned variables with a size exceeding the maximum number of bytes service limit."


def data_limit_text(name: str) -> str:
    return f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit."
