"""Fields within a field that hold JSON with expressions, such as the Parameters of an ItemReader."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from treadle.document import Document
from treadle.engine.fields import FieldCompiler
from treadle.language.definition import Payload

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn

PayloadReader = Callable[["Turn", "Branch", Document], Any]
"""Gives the JSON value. The Document is the `$` of a path: the effective input of the state. May raise
EvaluationError."""


def optional_payload_field(compiler: FieldCompiler, field: str, raw: Payload) -> PayloadReader | None:
    """Compile the field `field`, which stands in another (`ItemReader/Parameters`); None: it is not there."""
    evaluate = compiler.payload(field, raw)
    if evaluate is None:
        return None
    if compiler.jsonata:
        return lambda turn, branch, data: evaluate(turn.query_bindings(branch))
    return lambda turn, branch, data: evaluate(turn.path_bindings(branch, data, field))
