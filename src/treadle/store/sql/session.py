"""What the tables ask of a database: `SqlStore`, which each database implements, and the session of a job that writes.

Statements go by their names (`statements/`): what a table's module says is the same for every database, and so are the
statements, but for those that a database has in words of its own.

A write is a job: a coroutine function over a session, in a transaction. It waits for nothing but its session. Where a
statement is answered at once (SQLite), such a coroutine runs to its end without giving way to anybody.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from msgspec import Struct

Value = str | int | float | bytes | None
Row = tuple[Any, ...]

_S = TypeVar("_S", bound=Struct)
_T = TypeVar("_T")

LARGE = 0
"""The weight of a job that writes megabytes, or a great many rows: it shares its transaction with no other."""

LAST = 2**63 - 1
"""Larger than any id, number or time; as a limit: all."""

FIRST = -1
"""Smaller than any id, number or time."""


class Session(Protocol):
    """One job's way to the rows, within its transaction. Raises Conflict if a rule of the schema is broken. Values that
    a statement does not name are left aside."""

    async def rows(self, name: str, /, **values: Value) -> list[Row]:
        """The rows of the statement of that name."""
        ...

    async def change(self, name: str, /, **values: Value) -> int:
        """Carry out the statement; how many rows it wrote."""
        ...

    async def change_many(self, name: str, values: Iterable[Mapping[str, Value]], /) -> int:
        """Carry out the statement once for each of these; how many rows all of it wrote."""
        ...


Job = Callable[[Session], Coroutine[Any, Any, _T]]


class SqlStore(ABC):
    """A database that reads statements and carries out jobs. Both raise StoreUnusable."""

    @property
    def full(self) -> bool:
        """Where nothing is waited for: a full disk is told to whoever meets it (StoreUnavailable)."""
        return False

    def hurry(self) -> None:
        return

    @abstractmethod
    async def read(self, name: str, /, **values: Value) -> list[Row]:
        """The rows of the statement of that name, as of the last commit."""

    @abstractmethod
    async def write(self, job: Job[_T], weight: int = 1) -> _T:
        """Carry out `job`, which writes for about `weight` executions (LARGE: a great deal), in a transaction, and
        answer what it does once that is on disk. If it raises, nothing of it is."""

    async def change(self, name: str, /, **values: Value) -> int:
        """A job of one statement."""
        return await self.write(lambda session: session.change(name, **values))

    async def change_many(self, name: str, values: Iterable[Mapping[str, Value]], /) -> int:
        """A job of one statement, for each of these values."""
        return await self.write(lambda session: session.change_many(name, values))


def struct_of(kind: type[_S], row: Row) -> _S:
    """The statement names its columns in the order of the struct's fields."""
    return kind(**dict(zip(kind.__struct_fields__, row, strict=True)))


def after_prefix(prefix: str) -> str:
    """The end of the range of texts that begin with `prefix`, by code point: no ARN holds the last of them."""
    return prefix + "\U0010ffff"
