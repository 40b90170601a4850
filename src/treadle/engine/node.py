"""What all state types share once they are compiled: where a state stands, and how data flows through it.

    raw input ─ InputPath ─ Parameters ─▶ work ─▶ result ─ ResultSelector ─ ResultPath (into the raw input)
                                                                                    └─ OutputPath ─▶ output

A field with AWS's default is compiled to nothing: a state that only passes data on hands over the very same
Document, text included (asl.md section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import UNSET, Struct

from treadle.document import EMPTY, Document
from treadle.engine.failure import Handlers
from treadle.expressions.bindings import Bindings
from treadle.expressions.errors import EvaluationError, ExpressionSyntaxError
from treadle.expressions.paths import compile_path
from treadle.expressions.reference_path import ReferencePath, compile_reference_path
from treadle.expressions.template import compile_field, compile_template
from treadle.language.definition import State
from treadle.language.diagnostics import Diagnostic
from treadle.limits import Limits

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn

Evaluate = Callable[[Bindings], Any]


class Node(Protocol):
    """A compiled state."""

    name: str
    next: str | None
    entered_type: str
    """Type of the event that enters the state: `PassStateEntered`."""
    exited_type: str
    aborted_type: str
    """Type of the event that ends it from outside (`WaitStateAborted`), or "" if there is none."""
    handlers: Handlers

    def execute(self, turn: Turn, branch: Branch) -> None:
        """Do what the state does when it is entered, and again at each retry. May raise EvaluationError."""
        ...


class ForkNode(Node, Protocol):
    """A compiled Parallel or Map."""

    def child_succeeded(self, turn: Turn, owner: Branch, child: Branch, output: Document) -> None:
        """A branch that the state forked is at its end."""
        ...

    def child_failed(self, turn: Turn, owner: Branch, child: Branch, error: str | None, cause: str | None) -> None: ...

    def fork_again(self, turn: Turn, branch: Branch) -> None:
        """Open the fork anew while its start is read from the history."""
        ...


class ScopeProgram(Struct, frozen=True):
    start_at: str
    nodes: Mapping[str, Any]
    """Name to Node. (A Protocol cannot be checked here by msgspec.)"""


class FieldCompiler:
    """Compiles the fields of one state, and collects what is wrong with their expressions."""

    def __init__(self, state: State, limits: Limits, findings: list[Diagnostic]) -> None:
        self.state = state
        self.limits = limits
        self._findings = findings

    def report(self, location: str, message: str) -> None:
        self._findings.append(
            Diagnostic(code="SCHEMA_VALIDATION_FAILED", message=message, location=self.state.location + location)
        )

    def path(self, field: str, text: str | None) -> Evaluate | None:
        """A path; None if the state has no such field."""
        if text is None:
            return None
        try:
            return compile_path(text, self.limits)
        except ExpressionSyntaxError:
            self.report(f"/{field}", "Value is not a valid JSONPath")
            return None

    def selecting_path(self, field: str, text: str | None) -> Evaluate | None:
        """A path that narrows data down; None for the default `$`, which selects everything."""
        return None if text == "$" else self.path(field, text)

    def field(self, field: str, text: str) -> Evaluate | None:
        """A path or an intrinsic function call (ErrorPath, CausePath)."""
        try:
            return compile_field(field, text, self.limits)
        except ExpressionSyntaxError:
            self.report(f"/{field}", f"The value for the field '{field}' must be a valid JSONPath")
            return None

    def reference(self, field: str, text: str | None) -> ReferencePath | None:
        """Where a result goes; None for the default `$`, which replaces everything."""
        if text is None or text == "$":
            return None
        try:
            return compile_reference_path(text, self.limits)
        except ExpressionSyntaxError:
            self.report(f"/{field}", "Value is not a Reference Path")
            return None

    def template(self, field: str, raw: Any) -> Evaluate | None:
        if raw is UNSET:
            return None
        return compile_template(raw, lambda location, message: self.report(f"/{field}{location}", message), self.limits)


class InputFlow:
    """InputPath and Parameters."""

    __slots__ = ("_null", "_parameters", "_path")

    def __init__(self, compiler: FieldCompiler, parameters: Any = UNSET, field: str = "Parameters") -> None:
        text = compiler.state.input_path
        self._null = text is None
        self._path = compiler.selecting_path("InputPath", text)
        self._parameters = compiler.template(field, parameters)

    def __call__(self, turn: Turn, branch: Branch) -> Document:
        """The effective input of the state."""
        document = EMPTY if self._null else branch.input
        if self._path is not None:
            document = Document(self._path(turn.bindings(branch, document)))
        if self._parameters is not None:
            document = Document(self._parameters(turn.bindings(branch, document)))
        return document


class OutputFlow:
    """ResultSelector, ResultPath and OutputPath."""

    __slots__ = ("_discard", "_null", "_path", "_result_path", "_selector")

    def __init__(self, compiler: FieldCompiler, result_path: str | None = "$", result_selector: Any = UNSET) -> None:
        text = compiler.state.output_path
        self._selector = compiler.template("ResultSelector", result_selector)
        self._discard = result_path is None
        self._result_path = compiler.reference("ResultPath", result_path)
        self._null = text is None
        self._path = compiler.selecting_path("OutputPath", text)

    def __call__(self, turn: Turn, branch: Branch, result: Document) -> Document:
        """The output of the state, given the result of its work."""
        if self._selector is not None:
            result = Document(self._selector(turn.bindings(branch, result)))
        if self._discard:
            result = branch.input
        elif self._result_path is not None:
            result = Document(self._result_path.insert(branch.input.value, result.value))
        if self._null:
            return EMPTY
        if self._path is not None:
            return Document(self._path(turn.bindings(branch, result)))
        return result


def read_integer(turn: Turn, branch: Branch, path: Evaluate, field: str, text: str, data: Document) -> int:
    """A whole number, not negative, that a `*Path` field refers to."""
    value = path(turn.bindings(branch, data))
    if isinstance(value, bool) or not isinstance(value, int):
        shown = value if isinstance(value, str) else Document(value).text
        raise EvaluationError(f'The {field} field refers to value "{shown}" which is not a valid integer: {text}')
    if value < 0:
        raise EvaluationError(f"{field.removesuffix('Path')} cannot be negative.")
    return value
