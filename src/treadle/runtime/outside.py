"""What the engine may ask about the world around an execution."""

from __future__ import annotations

from treadle.document import Document
from treadle.language.resources import Resource
from treadle.runtime.activities import Activities
from treadle.runtime.tokens import TaskTokens
from treadle.store.contract import ExecutionRow
from treadle.tasks.contract import TaskRunner


class Surroundings:
    """Implements `engine.execution.Outside` for one execution."""

    __slots__ = ("_activities", "_row", "_tasks", "_tokens")

    def __init__(self, row: ExecutionRow, tokens: TaskTokens, activities: Activities, tasks: TaskRunner) -> None:
        self._row = row
        self._tokens = tokens
        self._activities = activities
        self._tasks = tasks

    def task_token(self, attempt: int) -> str:
        return self._tokens.token(self._row.id, self._row.arn, attempt)

    def activity_exists(self, arn: str) -> bool:
        return self._activities.exists(arn)

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        return self._tasks.unusable(resource, parameters)
