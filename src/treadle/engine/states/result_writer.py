"""ResultWriter: where a Distributed Map writes what came of its children, evaluated when its map run begins.

With a Resource the results are written to S3, and the state's result says where; without one, WriterConfig only says
what form the result has.  (AWS's page "ResultWriter (Map)".)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from treadle.document import Document
from treadle.engine.fields import FieldCompiler
from treadle.engine.map_children import ResultTarget
from treadle.engine.payload_field import optional_payload_field

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn


class ResultWriter:
    def __init__(self, compiler: FieldCompiler, raw: Mapping[str, Any]) -> None:
        self._exports = "Resource" in raw
        config: Mapping[str, Any] = raw.get("WriterConfig") or {}
        self._transformation = str(config.get("Transformation") or ("NONE" if self._exports else "COMPACT"))
        self._lines = config.get("OutputType") == "JSONL"
        name = "Arguments" if compiler.jsonata else "Parameters"
        self._parameters = optional_payload_field(compiler, f"ResultWriter/{name}", raw.get(name, UNSET))

    def target(self, turn: Turn, branch: Branch, data: Document) -> ResultTarget:
        """May raise EvaluationError. `data`: the effective input of the state."""
        parameters = {} if self._parameters is None else self._parameters(turn, branch, data)
        return ResultTarget(
            exports=self._exports, parameters=parameters, transformation=self._transformation, lines=self._lines
        )
