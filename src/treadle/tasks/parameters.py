"""Parameters that Step Functions itself refuses, before it calls anybody."""

from __future__ import annotations

from treadle.tasks.contract import TaskOutcome, TaskRequest

NO_OBJECT = "The Parameters are not an object"


def unsupported(field: str) -> str:
    return f"The field '{field}' is not supported by Step Functions"


def missing(field: str) -> str:
    return f"The field '{field}' is required but was missing"


def malformed(field: str) -> str:
    return f"The value of the field '{field}' has an invalid format"


def unusable(request: TaskRequest, problem: str) -> TaskOutcome:
    """The failure of a task whose parameters have this problem. The text is AWS's (recorded:
    services/apigetway_task_service--invoke_with_headers--singleStringHeader)."""
    cause = f"The Parameters '{request.input.text}' could not be used to start the Task: [{problem}]"
    return TaskOutcome(error="States.Runtime", cause=cause)
