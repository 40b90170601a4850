"""What the runtime refuses a caller with."""

from __future__ import annotations

from treadle.store.contract import ExecutionRow


class ExecutionExists(Exception):
    """The ARN is taken by `execution`."""

    def __init__(self, execution: ExecutionRow) -> None:
        super().__init__(execution.arn)
        self.execution = execution


class TooManyExecutions(Exception):
    """As many run as may."""


class ActivityMissing(Exception):
    """There is no such activity."""


class TooManyWorkers(Exception):
    """As many wait for tasks of the activity as may."""


class TaskTokenInvalid(Exception):
    """No token of ours."""


class TaskMissing(Exception):
    """The execution that the token's task belongs to does not exist."""


class TaskOver(Exception):
    """Nobody waits for the token's task any more: it has been answered, has timed out or was aborted."""


class RuntimeClosed(Exception):
    """The server is stopping."""
