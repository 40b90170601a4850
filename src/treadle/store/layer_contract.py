"""What the store keeps of layers: archives that functions share. A part of its contract.

A layer is its versions, which never change; their numbers count from 1, and none is given twice, not even after it was
deleted. The archive of a version stays as long as a version of a function has it (`FunctionVersion.layers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class LayerVersion(Struct, frozen=True, kw_only=True):
    layer_arn: str
    """Without a version."""
    number: int
    settings: str
    """JSON text."""
    code_sha256: str
    """Of the archive, in hexadecimal digits."""
    code_bytes: int
    created: int


class LayerStatement(Struct, frozen=True, kw_only=True):
    """A statement of the policy of a version of a layer."""

    layer_arn: str
    number: int
    id: str
    statement: str
    """JSON text."""


class LayerStore(Protocol):
    """All methods may raise StoreUnusable."""

    async def layer_publish(self, version: LayerVersion, code: bytes) -> int:
        """Keep `version` (whose own number does not count) as the next one of its layer; its number."""
        ...

    async def layer_get(self, arn: str, number: int) -> LayerVersion | None: ...

    async def layer_list(self, arn_prefix: str, after: str | None, limit: int) -> Sequence[str]:
        """The ARNs of layers that have a version, of those that start with `arn_prefix`; those behind `after`, at
        most `limit`, in order."""
        ...

    async def layer_versions(self, arn: str, before: int | None, limit: int) -> Sequence[LayerVersion]:
        """The newest first; those before the number `before`, at most `limit`."""
        ...

    async def layer_delete(self, arn: str, number: int) -> bool:
        """With its policy, and with the code that nothing else has. Whether there was one."""
        ...

    async def layer_statement_add(self, statement: LayerStatement) -> None:
        """Raises Conflict if the policy has a statement of that id, or there is no such version."""
        ...

    async def layer_statement_remove(self, arn: str, number: int, id: str) -> bool:
        """Whether there was one."""
        ...

    async def layer_statements(self, arn: str, number: int) -> Sequence[LayerStatement]:
        """In the order in which they were added."""
        ...
