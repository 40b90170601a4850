"""ServiceCalls without services: answers by operation, and what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import OperationModel

from treadle.limits import Limits
from treadle.neighbours.directory import Neighbours
from treadle.tasks.contract import Answered
from treadle.tasks.service_calls import ServiceCalls

from .fake_neighbour import HOST, FakeNeighbour

Operation = Callable[[dict[str, Any]], dict[str, Any]]


class FakeServices(ServiceCalls):
    def __init__(self, operations: Mapping[str, Operation]) -> None:
        """By the operation's name: members of the request to members of the answer. They may raise."""
        limits = Limits()
        super().__init__(Neighbours(FakeNeighbour(), {}, limits), limits, HOST)
        self._operations = operations
        self.asked: list[tuple[str, str, str, dict[str, Any]]] = []
        """Operation, account, region, members."""

    async def call(
        self, operation: OperationModel, members: dict[str, Any], *, account: str, region: str, **more: Any
    ) -> Answered:
        self.asked.append((operation.name, account, region, members))
        return Answered(self._operations[operation.name](members), 200, {}, b"", "request-id")
