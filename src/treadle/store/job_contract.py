"""What the store keeps of jobs and of what they run on: the part of its contract that is about them.

The store knows no service. A record is a text with what it is found by: the clusters, steps, tasks, runs and builds
of the services in `jobs/` and `aws/` all are records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class JobRecord(Struct, frozen=True, kw_only=True):
    id: str
    """Unique among all records."""
    kind: str
    """Such as `emr.step`."""
    parent: str
    """What it is listed under: the id of another record, or an account and region."""
    number: int = 0
    """Given by the store: records are numbered in the order in which they were made."""
    open: bool
    """Whether it goes on by itself, so that it is taken up again after a restart."""
    content: str
    """JSON text."""
    token: str | None = None
    """Of the request that made it. A request that comes again with the same token finds what it made."""


class JobStore(Protocol):
    """All methods may raise StoreUnusable."""

    async def job_records_write(self, created: Sequence[JobRecord], changed: Sequence[JobRecord] = ()) -> None:
        """All of it or nothing. Of changed records `open` and `content` are taken. Raises Conflict if the id of a
        created one is taken, or a changed one is not there."""
        ...

    async def job_record_get(self, id: str) -> JobRecord | None: ...

    async def job_records_list(
        self, kind: str, parent: str, before: int | None = None, limit: int = -1
    ) -> Sequence[JobRecord]:
        """Newest first, those with a smaller number than `before`, at most `limit` (-1: all)."""
        ...

    async def job_records_open(self, kind: str) -> Sequence[JobRecord]:
        """Those that go on by themselves, oldest first."""
        ...

    async def job_records_of_token(self, kind: str, token: str) -> Sequence[JobRecord]:
        """What a request with this token has made, oldest first."""
        ...
