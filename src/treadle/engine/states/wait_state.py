"""Wait: stays until a moment has come.

The moment is settled once, when the state is entered, and noted in the journal: a restart does not prolong
the wait.  A moment in the past does not wait at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.document import Document
from treadle.engine.execution import Phase
from treadle.engine.failure import NO_HANDLERS
from treadle.engine.node import FieldCompiler, InputFlow, OutputFlow
from treadle.expressions.errors import EvaluationError, PathNotFound
from treadle.expressions.timestamps import parse_timestamp
from treadle.language.definition import WaitState

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn


class WaitNode:
    entered_type = "WaitStateEntered"
    exited_type = "WaitStateExited"
    aborted_type = "WaitStateAborted"
    handlers = NO_HANDLERS

    def __init__(self, state: WaitState, compiler: FieldCompiler) -> None:
        self.name = state.name
        self.next = state.next
        self._state = state
        self._input = InputFlow(compiler)
        self._output = OutputFlow(compiler)
        self._seconds_max = compiler.limits.seconds_max
        self._seconds_path = compiler.path("SecondsPath", state.seconds_path)
        self._timestamp_path = compiler.path("TimestampPath", state.timestamp_path)
        self._timestamp = None if state.timestamp is None else parse_timestamp(state.timestamp)

    def execute(self, turn: Turn, branch: Branch) -> None:
        data = self._input(turn, branch)
        due = self._due(turn, branch, data)
        if due <= turn.now:
            self._leave(turn, branch, data)
            return
        branch.phase = Phase.WAIT
        turn.execution.set_timer(branch, due)
        turn.note(branch, "WaitScheduled", {"due": due})

    def timer_fired(self, turn: Turn, branch: Branch) -> None:
        try:
            self._leave(turn, branch, self._input(turn, branch))
        except EvaluationError as error:
            turn.fail_evaluation(branch, error)

    def _leave(self, turn: Turn, branch: Branch, data: Document) -> None:
        turn.leave(branch, self._output(turn, branch, data), self.next)

    def _due(self, turn: Turn, branch: Branch, data: Document) -> int:
        state = self._state
        if state.seconds is not None:
            return turn.now + state.seconds * 1_000
        if self._timestamp is not None:
            return self._timestamp
        if state.seconds_path is not None:
            value = self._read(turn, branch, data, self._seconds_path, "SecondsPath", state.seconds_path)
            return turn.now + self._seconds(value, state.seconds_path) * 1_000
        assert state.timestamp_path is not None
        value = self._read(turn, branch, data, self._timestamp_path, "TimestampPath", state.timestamp_path)
        due = parse_timestamp(value) if isinstance(value, str) else None
        if due is None:
            shown = value if isinstance(value, str) else Document(value).text
            raise EvaluationError(
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset "
                f"date-time format string: {state.timestamp_path} == {shown}"
            )
        return due

    def _read(self, turn: Turn, branch: Branch, data: Document, path: Any, field: str, text: str) -> Any:
        try:
            return path(turn.bindings(branch, data))
        except PathNotFound:
            raise EvaluationError(f"The {field} parameter does not reference an input value: {text}") from None

    def _seconds(self, value: Any, text: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            shown = value if isinstance(value, str) else Document(value).text
            raise EvaluationError(f"The SecondsPath parameter cannot be parsed as a long value: {text} == {shown}")
        if value < 0:
            raise EvaluationError(f"The SecondsPath parameter references a negative value: {text} == {value}")
        if value > self._seconds_max:
            raise EvaluationError("Wait state delay is too long.")
        return value
