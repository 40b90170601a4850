"""From the store back to an execution: read its journal and fold it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from treadle.document import Document
from treadle.engine import offshoot
from treadle.engine.advance import fail
from treadle.engine.execution import Execution, Outside
from treadle.engine.fold import fold
from treadle.engine.history import HistoryEvent, decode_events
from treadle.runtime.bugs import CAUSE, ERROR, last_words
from treadle.runtime.machines import Machines
from treadle.runtime.resident import Resident, Step, new_execution, row_of
from treadle.store.contract import ExecutionRow, JournalEntry, Store, StoreUnavailable, StoreUnusable

_log = logging.getLogger(__name__)


class Folding:
    def __init__(self, store: Store, machines: Machines, outside: Callable[[ExecutionRow], Outside]) -> None:
        self._store = store
        self._machines = machines
        self._outside = outside
        self._last_state = "", ""
        """A map run, and the name of its state."""

    async def fold(self, row: ExecutionRow, journal: Iterable[JournalEntry]) -> Execution:
        """The execution as it stands by its journal. Raises whatever one that cannot be folded leads to."""
        return await self.fold_events(row, [event for entry in journal for event in decode_events(entry.events)])

    async def fold_events(self, row: ExecutionRow, events: Sequence[HistoryEvent]) -> Execution:
        """The same for an execution with this row and these events."""
        compiled = await self._machines.revision(row.revision_id)
        program = compiled.program if row.map_run is None else compiled.program.children[await self._state(row.map_run)]
        # A row that came from a scan has no input; the first event, ExecutionStarted, has it.
        given = Document(text=events[0].details["input"])
        execution = new_execution(row, program, compiled.role_arn, given, self._outside(row))
        parts = offshoot.split(events)
        if parts is not None:
            copied, note, events = parts
            writer = await self.fold_events(_writer(row, note), copied)
            offshoot.take_over(execution, writer, note.timestamp)
        fold(execution, events)
        return execution

    async def _state(self, map_run_arn: str) -> str:
        """The name of the Map state whose processor the children of this map run carry out. Those of one run are folded
        one after the other, so that the last answer serves most of them."""
        arn, state = self._last_state
        if arn != map_run_arn:
            run = await self._store.map_run_get(map_run_arn)
            if run is None:
                raise LookupError(f"{map_run_arn} is not in the store")
            state = run.state
            self._last_state = map_run_arn, state
        return state

    async def failed_step(self, resident: Resident, now: int) -> Step:
        """How an execution ends that a bug keeps from going on. What is in memory of it counts for nothing."""
        role_arn = "" if resident.execution is None else resident.execution.role_arn
        if not (resident.stored and resident.created):
            return last_words(resident, 0, role_arn, now)
        try:
            execution = await self.fold(resident.row, await self._store.journal(resident.row.id))
            outcome = fail(execution, ERROR, CAUSE, now)
            row = row_of(resident.row, execution, more=False)
            return Step(resident, row, outcome.events, outcome.commands, False)
        except (StoreUnavailable, StoreUnusable):
            raise
        except Exception:
            _log.exception("The journal of %s cannot be folded", resident.row.arn)
            last = await self._store.journal_last_event(resident.row.id)
            return last_words(resident, last, role_arn, now)


def writer_details(row: ExecutionRow) -> dict[str, Any]:
    """What an Offshoot note must tell of the execution that wrote what was copied."""
    return {
        "arn": row.arn,
        "name": row.name,
        "started": row.started,
        "revisionId": row.revision_id,
        "version": row.version,
        "alias": row.alias,
    }


def _writer(row: ExecutionRow, note: HistoryEvent) -> ExecutionRow:
    """The other execution as it must be known to fold what it wrote."""
    details = note.details
    return replace(
        row,
        arn=details["arn"],
        name=details["name"],
        started=details["started"],
        revision_id=details["revisionId"],
        version=details["version"],
        alias=details["alias"],
    )
