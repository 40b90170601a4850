"""A service behind AWS JSON that is a table of operations: names, checkers by botocore's model, and dispatch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Generic, TypeVar

from treadle.aws import model
from treadle.aws.errors import not_implemented
from treadle.aws.model import Checker
from treadle.aws.service import Caller
from treadle.neighbours.catalogue import catalogue

C = TypeVar("C")
"""What the operations of a service are given beside their request."""

Operation = Callable[[C, dict[str, Any]], Awaitable[dict[str, Any]]]


class TableService(Generic[C]):
    """Implements `service.JsonService`."""

    content_type = "application/x-amz-json-1.1"
    begin_executions: frozenset[str] = frozenset()
    wait_for_others: frozenset[str] = frozenset()

    def __init__(self, name: str, operations: Mapping[str, Operation[C]], call: Callable[[Caller], C]) -> None:
        """`name`: botocore's."""
        known = catalogue().services[name]
        self.name = name
        self.target_prefix = known.target_prefix
        self.signing_name = known.signing_name
        self._operations = operations
        self._call = call
        self._checker = cache(self._compiled)

    @property
    def operations(self) -> tuple[str, ...]:
        """What is served."""
        return tuple(sorted(self._operations))

    def has_operation(self, operation: str) -> bool:
        return operation in model.load(self.name).operation_names

    async def serve(self, operation: str, body: Any, caller: Caller) -> dict[str, Any]:
        carry_out = self._operations.get(operation)
        if carry_out is None:
            raise not_implemented(f"the operation {operation} of {self.name}")
        return await carry_out(self._call(caller), self._checker(operation)(body))

    def _compiled(self, operation: str) -> Checker:
        """Compiled when it is first needed: a server that is asked for nothing of a service need not read its model."""
        shape = model.load(self.name).operation_model(operation).input_shape
        return model.compile_checker(shape, {}, lambda member: member[:1].lower() + member[1:])
