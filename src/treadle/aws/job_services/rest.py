"""A service behind REST-JSON of which some operations are served here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Generic

from treadle.aws import model
from treadle.aws.model import Checker
from treadle.aws.service import Caller
from treadle.aws.table_service import C, Operation
from treadle.limits import Limits
from treadle.neighbours.catalogue import catalogue


class RestPart(Generic[C]):
    """Implements `service.RestService`."""

    def __init__(
        self, name: str, operations: Mapping[str, Operation[C]], call: Callable[[Caller], C], limits: Limits
    ) -> None:
        """`name`: botocore's."""
        self.model_name = name
        self.signing_name = catalogue().services[name].signing_name
        self._operations = operations
        self._call = call
        self._limits = limits
        self._checker = cache(self._compiled)

    @property
    def operations(self) -> tuple[str, ...]:
        """What is served."""
        return tuple(sorted(self._operations))

    def body_bytes(self, operation: str) -> int:
        return self._limits.request_bytes

    async def serve(self, operation: str, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return await self._operations[operation](self._call(caller), self._checker(operation)(request))

    def _compiled(self, operation: str) -> Checker:
        shape = model.load(self.model_name).operation_model(operation).input_shape
        return model.compile_checker(shape, {}, lambda member: member[:1].lower() + member[1:])
