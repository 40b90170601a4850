"""Fields that hold a number: the number itself, a path to one (`TimeoutSecondsPath`), or a JSONata expression."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from treadle.document import Document
from treadle.engine.fields import Evaluate, FieldCompiler
from treadle.expressions.errors import EvaluationError, QueryEvaluationError
from treadle.expressions.json_types import is_number

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn

_DIGITS = re.compile(r"-?[0-9]{1,18}")

IntegerReader = Callable[["Turn", "Branch", Document], int]
"""Gives a whole number, not negative, of the state. The Document is the `$` of a path. May raise EvaluationError."""
PercentageReader = Callable[["Turn", "Branch", Document], float]
"""The same for a number from 0 to 100."""


def integer_field(
    compiler: FieldCompiler,
    field: str,
    literal: int | str | None,
    path: str | None,
    *,
    digits: bool = False,
    signed: bool = False,
) -> IntegerReader:
    """Compile the field `field`, which may stand in another (`ItemBatcher/MaxItemsPerBatch`), or its twin
    `{field}Path`; one of them is there. `digits`: a path may also select a text of digits; `signed`: the number may be
    negative."""
    name = field.rpartition("/")[2]
    if path is not None:
        return _by_path(compiler.path(f"{field}Path", path), name, path, digits, signed)
    if compiler.jsonata:
        return _by_expression(compiler.typed(field, literal, "integer"), name, signed)
    assert isinstance(literal, int)
    number = literal
    return lambda turn, branch, data: number


def optional_integer_field(
    compiler: FieldCompiler,
    field: str,
    literal: int | str | None,
    path: str | None,
    *,
    digits: bool = False,
    signed: bool = False,
) -> IntegerReader | None:
    if literal is None and path is None:
        return None
    return integer_field(compiler, field, literal, path, digits=digits, signed=signed)


def _by_expression(evaluate: Evaluate | None, name: str, signed: bool) -> IntegerReader:
    def read(turn: Turn, branch: Branch, data: Document) -> int:
        assert evaluate is not None, "the field is there"
        value = int(evaluate(turn.query_bindings(branch)))
        if value < 0 and not signed:
            raise QueryEvaluationError(f"{name} cannot be negative.", name)
        return value

    return read


def _by_path(evaluate: Evaluate | None, name: str, path: str, digits: bool, signed: bool) -> IntegerReader:
    def read(turn: Turn, branch: Branch, data: Document) -> int:
        assert evaluate is not None, "a path with a fault is never run"
        value = evaluate(turn.path_bindings(branch, data))
        if digits and isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            shown = value if isinstance(value, str) else Document(value).text
            raise EvaluationError(
                f'The {name}Path field refers to value "{shown}" which is not a valid integer: {path}'
            )
        if value < 0 and not signed:
            raise EvaluationError(f"{name} cannot be negative.")
        return value

    return read


def optional_percentage_field(
    compiler: FieldCompiler, name: str, literal: float | str | None, path: str | None
) -> PercentageReader | None:
    """Compile the field `name`, or its twin `{name}Path`, if one of them is there. Recorded: the texts of both errors
    (asl.md section 10)."""
    if path is not None:
        evaluate = compiler.path(f"{name}Path", path)
    elif compiler.jsonata:
        evaluate = compiler.typed(name, literal, "number")
    else:
        fixed = literal
        evaluate = None if fixed is None else lambda bindings: fixed
    if evaluate is None:
        return None
    read_value = evaluate
    jsonata = compiler.jsonata

    def read(turn: Turn, branch: Branch, data: Document) -> float:
        value = read_value(turn.query_bindings(branch) if jsonata else turn.path_bindings(branch, data))
        if not is_number(value):
            shown = value if isinstance(value, str) else Document(value).text
            raise EvaluationError(f'The {name}Path field refers to value "{shown}" which is not a valid float: {path}')
        if not 0 <= value <= 100:
            message = f"{name} must be between 0 and 100."
            raise QueryEvaluationError(message, name) if jsonata else EvaluationError(message)
        return float(value)

    return read
