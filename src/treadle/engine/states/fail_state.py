"""Fail: ends its branch with an error. It is entered and never exited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.engine.failure import NO_HANDLERS
from treadle.engine.node import FieldCompiler
from treadle.expressions.errors import EvaluationError
from treadle.language.definition import FailState

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn


class FailNode:
    entered_type = "FailStateEntered"
    exited_type = ""
    aborted_type = ""
    handlers = NO_HANDLERS
    next: str | None = None

    def __init__(self, state: FailState, compiler: FieldCompiler) -> None:
        self.name = state.name
        self._error = state.error
        self._cause = state.cause
        self._error_path = None if state.error_path is None else compiler.field("ErrorPath", state.error_path)
        self._cause_path = None if state.cause_path is None else compiler.field("CausePath", state.cause_path)

    def execute(self, turn: Turn, branch: Branch) -> None:
        bindings = turn.bindings(branch, branch.input)
        error = self._error if self._error_path is None else _text(self._error_path(bindings), "ErrorPath")
        cause = self._cause if self._cause_path is None else _text(self._cause_path(bindings), "CausePath")
        turn.fail_state(branch, error, cause)


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise EvaluationError(f"The {field} parameter does not reference a string value")
    return value
