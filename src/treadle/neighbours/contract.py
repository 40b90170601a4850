"""Requests to neighbours: the services of AWS that Treadle does not serve itself, each behind HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

Headers = list[tuple[bytes, bytes]]


class NeighbourUnavailable(Exception):
    """The neighbour does not answer. The message names it and says why, for whoever asked."""


class EmulatorMissing(NeighbourUnavailable):
    """There is no use in asking again: it is not installed."""


class NotEmulated(NeighbourUnavailable):
    """There is no use in asking again: the emulator is there, but lacks this operation, or what was asked of it."""


class Outgoing(Struct, frozen=True, kw_only=True):
    """A request as it goes out. Where to is the neighbour's business."""

    method: str
    target: str
    """Path and query, as they stand in the request line."""
    headers: Headers
    """Without those that belong to the connection (Connection, Transfer-Encoding, ...)."""
    body: bytes | AsyncIterator[bytes] | None = None
    account: str
    """The account that it counts for."""


class Incoming(Protocol):
    """The answer, whose body is read on demand. It must be closed."""

    status: int
    headers: Headers
    """As they came, without those that belong to the connection."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Of the body. Raises NeighbourUnavailable if it breaks off."""
        ...

    async def read(self, most: int) -> bytes | None:
        """The whole body; None if it is longer than `most` bytes. Raises NeighbourUnavailable."""
        ...

    def close(self) -> None:
        """Of a body that was not read to its end, the connection is closed."""
        ...


class OwnServices(Protocol):
    """Of services that have neighbours, or might, what this very server answers for."""

    names: frozenset[str]
    """botocore's names of these services."""

    def serves(self, request: Outgoing) -> bool: ...

    async def send(self, request: Outgoing) -> Incoming:
        """What is served."""
        ...


class Neighbour(Protocol):
    """What answers for one or more services."""

    @property
    def is_running(self) -> bool:
        """A request does not start it."""
        ...

    async def send(self, request: Outgoing) -> Incoming:
        """Raises NeighbourUnavailable."""
        ...

    async def close(self) -> None: ...
