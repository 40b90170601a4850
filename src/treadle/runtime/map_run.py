"""A map run at work, as `map_runs.py` keeps it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

from treadle.datasets.contract import Owner
from treadle.engine.map_children import ChildInput, MapChildren, ResultTarget
from treadle.engine.program import Program
from treadle.engine.signals import TaskSignal
from treadle.runtime.child_names import ChildNames
from treadle.runtime.map_inputs import MapInputs
from treadle.store.contract import ExecutionRow, ExecutionStatus
from treadle.store.map_run_contract import MapRun, MapRunStatus

if TYPE_CHECKING:
    from treadle.runtime.map_redrive import MapRedrive

_FAILED: tuple[ExecutionStatus, ...] = ("FAILED", "TIMED_OUT")
"""What counts against the tolerated failures."""


class Phase(IntEnum):
    OPENING = 0
    """It is looked for in the store; or it waits for others of its account to end."""
    WORKING = 1
    STOPPING = 2
    """No child is begun any more, and those that run are being aborted."""
    ENDED = 3


class Run:
    """A map run at work."""

    __slots__ = (
        "again",
        "arrived",
        "attempt",
        "awaiting",
        "cause",
        "children",
        "counted",
        "counts",
        "error",
        "exhausted",
        "given_up",
        "inputs",
        "left",
        "names",
        "next",
        "paused",
        "phase",
        "planned",
        "program",
        "report",
        "role_arn",
        "row",
        "running",
        "status",
        "successor",
        "taken",
        "target",
        "tasks",
        "transfer",
    )

    def __init__(self, row: MapRun, attempt: int = 0) -> None:
        self.row = row
        self.attempt = attempt
        self.phase = Phase.OPENING
        self.program: Program | None = None
        """What its children run; None where it is only to be stopped."""
        self.names: ChildNames | None = None
        """Of its children; None where it is only to be stopped."""
        self.role_arn = ""
        self.children: MapChildren | None = None
        """None where it is only to be stopped."""
        self.inputs: MapInputs | None = None
        """Of its children, once it is open."""
        self.again: MapRedrive | None = None
        """Of a redriven run: its children that run again, until all of them are begun."""
        self.successor: Run | None = None
        """The same map run as a redrive wants it, which waits for the end of this one."""
        self.target: ResultTarget | None = None
        self.transfer: asyncio.Task[None] | None = None
        """What reads its items or writes its results."""
        self.report: Callable[[TaskSignal], None] | None = None
        self.next = 0
        """The number of the child whose input comes next."""
        self.exhausted = False
        """There are no further inputs."""
        self.taken = bytearray()
        """Of each place: whether its child was in the store when the run was opened."""
        self.running: dict[int, tuple[int, int]] = {}
        """Number to (execution id, items) of the children that run."""
        self.arrived: list[ExecutionRow] = []
        """Children that ended while it was opened."""
        self.counts: dict[ExecutionStatus, tuple[int, int]] = {}
        """Status to (children, items) of the children that have ended."""
        self.awaiting = (0, 0)
        """Children that ended without success and are to run again, and the items in them."""
        self.left = (0, 0)
        """Children of a redriven run that cannot be redriven any more, and the items in them."""
        self.counted = False
        """It is one of those of its account that are open."""
        self.planned = False
        """Its next step is under way."""
        self.paused = False
        """No child is begun, because another node is about to go on with it."""
        self.tasks: set[asyncio.Task[None]] = set()
        """What is under way for it."""
        self.given_up = False
        """Its parent does not wait for it any more."""
        self.status: MapRunStatus = "SUCCEEDED"
        """What it ends as."""
        self.error: str | None = None
        self.cause: str | None = None

    def is_taken(self, number: int) -> bool:
        return number < len(self.taken) and self.taken[number] != 0

    def begin(self, number: int, child: ChildInput, id: int, now: int) -> ExecutionRow:
        """One more child runs: its row."""
        assert self.names is not None
        name, arn = self.names.child(number)
        self.running[number] = (id, child.items)
        return ExecutionRow(
            id=id,
            arn=arn,
            name=name,
            machine_arn=self.row.machine_arn,
            revision_id=self.row.revision_id,
            status="RUNNING",
            started=now,
            input=child.input.text,
            map_run=self.row.arn,
            child=number,
            items=child.items,
        )

    def count(self, status: ExecutionStatus, items: int) -> None:
        children, sum_of_items = self.counts.get(status, (0, 0))
        self.counts[status] = (children + 1, sum_of_items + items)

    def await_redrive(self, items: int) -> None:
        """A child that ended without success is to run again."""
        self.awaiting = (self.awaiting[0] + 1, self.awaiting[1] + items)

    def take_up(self, row: ExecutionRow) -> None:
        """That child runs again."""
        assert row.child is not None
        items = row.items or 0
        self.awaiting = (self.awaiting[0] - 1, self.awaiting[1] - items)
        self.running[row.child] = (row.id, items)

    def leave(self, row: ExecutionRow) -> None:
        """That child cannot be redriven any more."""
        items = row.items or 0
        self.awaiting = (self.awaiting[0] - 1, self.awaiting[1] - items)
        self.left = (self.left[0] + 1, self.left[1] + items)
        self.count(row.status, items)

    @property
    def all_begun(self) -> bool:
        """Every place was taken when the run was opened."""
        return self.row.children is not None and sum(self.taken) == self.row.children

    def breached(self) -> bool:
        """Whether more items have failed than may. With neither bound set, none may."""
        failed = sum(self.counts[status][1] for status in _FAILED if status in self.counts)
        count, percentage = self.row.tolerated_count, self.row.tolerated_percentage
        if count <= 0 and percentage <= 0:
            return failed > 0
        if 0 < count < failed:
            return True
        # A share of the items says nothing before it is known how many there are.
        known = self.inputs is None or self.inputs.complete
        return known and percentage > 0 and failed * 100 > percentage * self.items

    @property
    def owner(self) -> Owner:
        parts = self.row.arn.split(":")
        return Owner(account=parts[4], region=parts[3], role_arn=self.role_arn)

    @property
    def items(self) -> int:
        """How many it has; as far as is known, while they are being read."""
        return self.row.items if self.inputs is None else max(self.row.items, self.inputs.items)
