"""Choice: goes on where the first rule that holds says, or to Default."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from treadle.engine.failure import NO_HANDLERS
from treadle.engine.node import FieldCompiler, InputFlow, OutputFlow
from treadle.expressions.choice import compile_choice
from treadle.language.definition import ChoiceState

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn


class ChoiceNode:
    entered_type = "ChoiceStateEntered"
    exited_type = "ChoiceStateExited"
    aborted_type = ""
    handlers = NO_HANDLERS
    next: str | None = None

    def __init__(self, state: ChoiceState, compiler: FieldCompiler) -> None:
        self.name = state.name
        self._input = InputFlow(compiler)
        self._output = OutputFlow(compiler)
        self._default = state.default
        self._rules = []
        for number, rule in enumerate(state.choices):
            report = partial(_report_rule, compiler, number)
            self._rules.append((compile_choice(rule.condition, report, compiler.limits), rule.next))

    def execute(self, turn: Turn, branch: Branch) -> None:
        data = self._input(turn, branch)
        bindings = turn.bindings(branch, data)
        target = next((target for condition, target in self._rules if condition(bindings)), self._default)
        if target is None:
            turn.fail_state(branch, "States.NoChoiceMatched", None)
            return
        # What InputPath selected is the result: there is nothing between it and OutputPath.
        turn.leave(branch, self._output(turn, branch, data), target)


def _report_rule(compiler: FieldCompiler, number: int, location: str, message: str) -> None:
    compiler.report(f"/Choices[{number}]{location}", message)
