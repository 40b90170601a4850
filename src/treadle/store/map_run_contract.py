"""The part of the store's contract that is about map runs and their children (see `contract.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from treadle.store.contract import ExecutionRow, ExecutionStatus

ChildStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]
"""As of an execution; or it ended without success, and waits to be redriven."""
MapRunStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "ABORTED"]


class MapRun(Struct, frozen=True, kw_only=True):
    """What a Distributed Map started, and how it stands. It stays RUNNING until all of its children have ended; when it
    is redriven, it is RUNNING again."""

    id: int = 0
    """Given by the store: those of one execution are numbered in the order in which they started."""
    arn: str
    execution_id: int
    execution_arn: str
    """Of the execution whose state it is."""
    machine_arn: str
    """What its children show as their state machine."""
    revision_id: str
    state: str
    """The name of the Map state in the revision's definition: what the children run stands there."""
    status: MapRunStatus = "RUNNING"
    started: int
    stopped: int | None = None
    concurrency: int
    tolerated_count: int
    tolerated_percentage: float
    items: int
    children: int | None = None
    """How many it has in all; None: it is not known, because not all of its items have been read or put into
    batches."""
    error: str | None = None
    cause: str | None = None
    results_written: bool = False
    """The results of its children are where its ResultWriter puts them."""
    redrives: int = 0
    """How often it was redriven."""
    redriven: int | None = None
    """When it was last."""


class ChildPlace(Struct, frozen=True):
    """A child as its map run knows it."""

    number: int
    """Its place among the children, from 0."""
    items: int
    status: ExecutionStatus
    id: int
    awaits_redrive: bool = False
    """As `ExecutionRow.awaits_redrive`."""


class ChildCount(Struct, frozen=True):
    """How many children have this status, and how many items are in them."""

    status: ChildStatus
    children: int
    items: int


class MapRunStore(Protocol):
    async def map_run_create(self, run: MapRun) -> None:
        """Raises Conflict if the ARN is taken."""
        ...

    async def map_run_get(self, arn: str) -> MapRun | None: ...

    async def map_run_list(self, execution_id: int, before: int | None, limit: int) -> Sequence[MapRun]:
        """Those of one execution, newest first, with a smaller id than `before`, at most `limit`."""
        ...

    async def map_runs_running(self) -> Sequence[MapRun]: ...

    async def map_run_configure(
        self, arn: str, concurrency: int | None, tolerated_count: int | None, tolerated_percentage: float | None
    ) -> bool:
        """Change what is given. False, and nothing is changed, unless it is RUNNING."""
        ...

    async def map_run_end(self, run: MapRun) -> None:
        """Take from `run` how it ended, what there was in it and what was written, if it is RUNNING. No child of it
        awaits its redrive any more."""
        ...

    async def map_run_redrive(self, run: MapRun) -> None:
        """Make it RUNNING again, with `redrives` and `redriven` of `run`. All of its children that ended without
        success await their redrive."""
        ...

    async def map_run_note_add(self, arn: str, note: bytes) -> None:
        """Keep what has to be known to read the same items again."""
        ...

    async def map_run_notes(self, arn: str) -> Sequence[bytes]:
        """In the order in which they were added."""
        ...

    async def map_run_counts(self, arn: str) -> Sequence[ChildCount]:
        """Of the children that are in the store, by status. Those that await their redrive count as they ended."""
        ...

    async def child_places(self, map_run_arn: str, after: int, limit: int) -> Sequence[ChildPlace]:
        """The children in the store, by place, those behind `after`, at most `limit`."""
        ...

    async def child_results(
        self, map_run_arn: str, statuses: Sequence[ExecutionStatus], after: int, limit: int
    ) -> Sequence[ExecutionRow]:
        """The children that ended in one of these ways, with input and output, by place, those behind `after`, at
        most `limit`."""
        ...

    async def children_to_redrive(self, map_run_arn: str, after: int, limit: int) -> Sequence[ExecutionRow]:
        """The children that await their redrive, with input, by place, those behind `after`, at most `limit`."""
        ...

    async def child_list(
        self,
        map_run_arn: str,
        status: ChildStatus | None,
        redriven: bool | None,
        before: tuple[int, int] | None,
        limit: int,
    ) -> Sequence[ExecutionRow]:
        """As `execution_list`: newest first by (listed, id)."""
        ...
