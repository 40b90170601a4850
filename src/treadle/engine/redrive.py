"""Redrive: an execution that ended without success goes on at the states that it did not leave.

What was reached stays: outputs, variables, the results of children that succeeded.  Every branch that stood at a
state carries that state out again, from its first try on, and a fork waits again for the children that it still
lacks.  A Distributed Map goes on with its map run (distributed_map_state.py).  The time-out of the execution begins
anew (AWS, RedriveExecution).

It needs the execution as the fold finds it: the fold keeps the children of a fork that failed, which a running
execution lets go.
"""

from __future__ import annotations

from treadle.engine.execution import Branch, Execution, Phase

REDRIVABLE = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})
"""From which statuses."""


def reopen(execution: Execution, event_id: int, now: int) -> None:
    """What an ExecutionRedriven event does. All that follows is linked to it."""
    execution.status = "RUNNING"
    execution.stopped = execution.output = execution.error = execution.cause = None
    execution.redrives += 1
    execution.clock_started = now
    execution.attempts.clear()
    execution.timers.clear()
    execution.ready.clear()
    execution.set_execution_timer()
    _revive(execution, execution.root, event_id)


def _revive(execution: Execution, branch: Branch, event_id: int) -> None:
    branch.last_event = event_id
    branch.attempt = branch.due = branch.retries = branch.caught = None
    fork = branch.fork
    if fork is not None and fork.children:
        branch.phase = Phase.FORK
        for child in fork.children.values():
            _revive(execution, child, event_id)
        return
    # A Map without open children failed before its next iteration could start: it begins anew.
    branch.fork = None
    branch.phase = Phase.NEW if branch.node is None else Phase.ENTERED
    execution.ready.append(branch)
