"""From a history back to the execution: how an execution is resumed after a restart, or after it was dropped
from memory.

Each event is applied to a fresh Execution, in order.  Nothing is decided again: outputs stand in StateExited
events, inputs of open tasks in Scheduled events, the moments of waits and retries in notes.  The one thing
that is evaluated again is the input of a Parallel's branches and a Map's items, which the history does not
hold; the same input, context and seed give the same values.

    event                        what it does to its branch
    ...StateEntered              stands at the state, to be executed
    ...StateExited               holds the output; the branch ends here unless the state leads on
    ...Scheduled                 opens a task attempt        ...Succeeded/Failed/TimedOut   closes it
    ActivityStarted              hands it over               TaskSubmitted                  hands it over
    WaitScheduled (note)         waits                       RetryScheduled (note)          waits to try again
    Map/ParallelStateStarted     opens a fork                Map/ParallelStateSucceeded     closes it
    MapIterationStarted          opens a child               MapIterationSucceeded          closes it
    MapRunStarted/Redriven       opens an attempt            MapRunSucceeded/Failed         closes it
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from msgspec.structs import replace

from treadle.document import Document
from treadle.engine.execution import Attempt, Branch, Deadlines, Execution, Phase
from treadle.engine.history import LEAF_TYPES, TERMINAL_TYPES, HistoryEvent
from treadle.engine.redrive import reopen
from treadle.engine.signals import RunMap, RunTask
from treadle.engine.states.choice_state import ChoiceNode
from treadle.engine.states.distributed_map_state import DistributedMapNode, close_map_run
from treadle.engine.states.map_state import MapNode
from treadle.engine.states.parallel_state import ParallelNode
from treadle.engine.states.task_state import ENDED_TYPES, EVENTS, SCHEDULED_TYPES, TaskNode
from treadle.engine.turn import Turn

Work = Callable[[Execution, Branch, HistoryEvent], None]


def fold(execution: Execution, events: Iterable[HistoryEvent]) -> None:
    """Bring a fresh execution to where these events left it. Raises if they are not its history."""
    for event in events:
        _apply(execution, event)
    waiting = [branch for branch in execution.branches.values() if branch.phase in (Phase.NEW, Phase.ENTERED)]
    execution.ready.clear()
    if execution.status == "RUNNING":
        execution.ready.extend(sorted(waiting, key=lambda branch: branch.id))


def hear_all(execution: Execution, now: int) -> None:
    """Take every worker for alive at `now`: heartbeats leave no event, and nobody could receive one meanwhile. A clock
    that was set back is behind the time at which the history has arrived, and that is what counts."""
    for branch in execution.attempts.values():
        execution.hear(branch, max(now, execution.latest))


def open_tasks(execution: Execution) -> list[RunTask | RunMap]:
    """The tasks and map runs that were in flight and that nobody outside has: to be carried out again."""
    tasks: list[RunTask | RunMap] = []
    for branch in execution.attempts.values():
        node, attempt = branch.node, branch.attempt
        assert attempt is not None
        if attempt.map_run is not None:
            tasks.append(attempt.map_run)
            continue
        assert isinstance(node, TaskNode)
        if not attempt.handed_over:
            run = node.run_task(attempt.id, attempt.input, attempt.deadlines, attempt.role_arn)
            tasks.append(run if attempt.submitted is None else replace(run, submitted=attempt.submitted))
    return tasks


def _apply(execution: Execution, event: HistoryEvent) -> None:
    kind = event.type
    execution.latest = event.timestamp
    if event.id:
        execution.next_event = event.id
    branch = execution.branches.get(event.branch)
    if kind == "MapIterationStarted":
        branch = _open_iteration(execution, event.branch)
    if branch is None:
        raise ValueError(f"event {event.id} ({kind}) belongs to no open branch")
    work = _work_of(kind)
    if work is not None:
        work(execution, branch, event)
    branch.last_event = event.previous_id if kind in LEAF_TYPES else event.id
    if event.id:
        execution.next_event = event.id + 1


@cache
def _work_of(kind: str) -> Work | None:
    """What the events of this type do to an execution, beside their places in its history."""
    if kind.endswith("StateEntered"):
        return _enter
    if kind.endswith("StateExited"):
        return _exit
    if kind.endswith("StateAborted"):
        return _abort
    return _WORK.get(kind)


def _enter(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    branch.node = branch.scope.nodes[event.details["name"]]
    branch.input = Document(text=event.details["input"])
    branch.entered = event.timestamp
    branch.entered_id = event.id
    branch.before_entry = event.previous_id
    branch.retries = branch.map_run = None
    branch.caught = None
    branch.phase = Phase.ENTERED


def _exit(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    node = branch.node
    assert node is not None
    branch.input = Document(text=event.details["output"])
    branch.due = None
    assigned = event.details.get("assignedVariables")
    if assigned:
        execution.assign(branch, {name: Document(text=text) for name, text in assigned.items()})
    leads_on = branch.caught is not None or node.next is not None or isinstance(node, ChoiceNode)
    if leads_on:
        return  # The StateEntered event of the next state is in the same commit.
    branch.phase = Phase.DONE
    if branch.parent is not None and isinstance(branch.parent.node, ParallelNode):
        _close_child(execution, branch)


def _schedule(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    details = event.details
    text = details["parameters"] if "parameters" in details else details["input"]
    deadlines = Deadlines(details.get("timeoutInSeconds"), details.get("heartbeatInSeconds"))
    role_arn = details.get("taskCredentials", {}).get("roleArn")
    waits = event.type == EVENTS["activity"].scheduled
    execution.open_attempt(
        branch,
        Attempt(event.id, Document(text=text), deadlines, role_arn, event.timestamp, waits_for_worker=waits),
    )


def _take(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    execution.start_attempt(branch, event.timestamp)


def _close_attempt(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    execution.close_attempt(branch)


def _abort(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    if branch.attempt is not None:
        execution.close_attempt(branch)


def _start_map_run(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    assert isinstance(branch.node, DistributedMapNode)
    turn = Turn(execution, event.timestamp)
    if event.type == "MapRunRedriven":
        branch.node.go_on(turn, branch, event.id, event.details["redriveCount"])
    else:
        turn.open_map_run(branch, branch.node.run_again(turn, branch, event.id))


def _map_run_succeeded(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    close_map_run(execution, branch)


def _map_run_failed(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    close_map_run(execution, branch, event.details.get("error"))


def _submit(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    assert isinstance(branch.node, TaskNode)
    assert branch.attempt is not None
    branch.attempt.handed_over = branch.node.answered_by_token
    branch.attempt.submitted = Document(text=event.details["output"])


def _wait(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    branch.phase = Phase.WAIT
    execution.set_timer(branch, event.details["due"])


def _wait_to_retry(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    _close_fork(execution, branch)
    assert branch.node is not None
    if branch.retries is None:
        branch.retries = [0] * len(branch.node.handlers.retriers)
    branch.retries[event.details["retrier"]] += 1
    branch.phase = Phase.RETRY
    branch.map_run = None
    execution.set_timer(branch, event.details["due"])


def _catch(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    _close_fork(execution, branch)
    branch.caught = event.details["catcher"]


def _redrive(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    reopen(execution, event.id, event.timestamp)


def _end(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    execution.status = TERMINAL_TYPES[event.type]
    execution.stopped = event.timestamp
    output = event.details.get("output")
    execution.output = None if output is None else Document(text=output)
    execution.error = event.details.get("error")
    execution.cause = event.details.get("cause")
    execution.attempts.clear()
    execution.timers.clear()


# -- forks -------------------------------------------------------------------------------------------------


def _open_fork(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    assert isinstance(branch.node, MapNode | ParallelNode)
    branch.last_event = event.id
    branch.node.fork_again(Turn(execution, event.timestamp), branch)


def _open_iteration(execution: Execution, number: int) -> Branch:
    """The child of a Map that has this branch number: the fork with the last base up to it is its own."""
    place = bisect_right(execution.forks, number, key=lambda entry: entry[0]) - 1
    base, owner = execution.forks[place]
    assert isinstance(owner.node, MapNode)
    return owner.node.start_again(execution, owner, number - base)


def _close_child(execution: Execution, child: Branch) -> None:
    owner = child.parent
    assert owner is not None
    assert owner.fork is not None
    execution.close_child(owner.fork, child, child.input)


def _iteration_succeeded(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    _close_child(execution, branch)


def _fork_succeeded(execution: Execution, branch: Branch, event: HistoryEvent) -> None:
    _close_fork(execution, branch)


def _close_fork(execution: Execution, owner: Branch) -> None:
    """The state is done with its children, however they ended."""
    fork, owner.fork = owner.fork, None
    if fork is None:
        return
    for child in fork.children.values():
        if child.attempt is not None:
            execution.close_attempt(child)
        _close_fork(execution, child)
        execution.remove_branch(child)


_WORK: Mapping[str, Work] = {
    **dict.fromkeys(SCHEDULED_TYPES, _schedule),
    **dict.fromkeys(ENDED_TYPES, _close_attempt),
    **dict.fromkeys(TERMINAL_TYPES, _end),
    "ActivityStarted": _take,
    "TaskSubmitted": _submit,
    "WaitScheduled": _wait,
    "RetryScheduled": _wait_to_retry,
    "ErrorCaught": _catch,
    "MapStateStarted": _open_fork,
    "ParallelStateStarted": _open_fork,
    "MapIterationSucceeded": _iteration_succeeded,
    "MapStateSucceeded": _fork_succeeded,
    "ParallelStateSucceeded": _fork_succeeded,
    "MapRunStarted": _start_map_run,
    "MapRunRedriven": _start_map_run,
    "MapRunSucceeded": _map_run_succeeded,
    "MapRunFailed": _map_run_failed,
    "ExecutionRedriven": _redrive,
}
"""By type; those that are named after the types of states aside. A fork that failed for good stays: a redrive goes on
with it."""
