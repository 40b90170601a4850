"""What survives a crash: the part of the store's contract that the runtime needs, in memory and at once.

Every method is one of `store.contract.Store`, without the waiting; `store.py` puts that around it.  The suite of the
contract is run over it, too (test_disk.py).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from random import Random

from msgspec.structs import replace

from treadle.store.cluster_contract import shard_of
from treadle.store.contract import (
    Activity,
    Commit,
    Conflict,
    ExecutionFilter,
    ExecutionRow,
    ExecutionStatus,
    JournalEntry,
    Machine,
    MachineRevision,
    Publication,
    RedriveRecord,
)
from treadle.store.map_run_contract import ChildCount, ChildPlace, ChildStatus, MapRun

_NEWEST = (2**63, 0)
_EARLIEST = (-1, -1)


class Disk:
    def __init__(self, dice: Random) -> None:
        self._secret = dice.randbytes(32)
        self.machines: dict[str, Machine] = {}
        self.revisions: dict[str, MachineRevision] = {}
        self.activities: dict[str, Activity] = {}
        self.executions: dict[int, ExecutionRow] = {}
        self.entries: dict[int, list[JournalEntry]] = {}
        """The journals."""
        self.redrive_records: dict[int, list[RedriveRecord]] = {}
        self.map_runs: dict[str, MapRun] = {}
        self.children: dict[str, dict[int, int]] = {}
        """Of each map run: place to execution."""
        self._tags: dict[str, Mapping[str, str]] = {}
        self._notes: dict[str, list[bytes]] = {}
        self._by_arn: dict[str, int] = {}
        self.on_commit: Callable[[Sequence[Commit]], None] = lambda commits: None
        """Told of each batch when it is there."""
        self.on_change: Callable[[str, str], None] = lambda table, key: None
        """Told of changes in the tables that runtimes remember, with the ARN of what has changed."""

    def secret(self) -> bytes:
        return self._secret

    @property
    def last_id(self) -> int:
        return max(self.executions, default=0)

    # -- state machines and activities -----------------------------------------------------------------------

    def machine_create(self, machine: Machine, tags: Mapping[str, str], publish: Publication | None = None) -> None:
        assert publish is None, "the simulation has no versions"
        if machine.arn in self.machines:
            raise Conflict(machine.arn)
        self.revisions[machine.revision.id] = machine.revision
        self.machines[machine.arn] = machine
        self._tags[machine.arn] = dict(sorted(tags.items()))

    def machine_tags(self, arn: str) -> Mapping[str, str]:
        return self._tags.get(arn, {})

    def machine_get(self, arn: str) -> Machine | None:
        return self.machines.get(arn)

    def machine_update(self, arn: str, revision: MachineRevision, publish: Publication | None = None) -> None:
        assert publish is None, "the simulation has no versions"
        machine = self.machines.get(arn)
        if machine is None or machine.status == "DELETING":
            raise Conflict(arn)
        self.revisions[revision.id] = revision
        self.machines[arn] = replace(machine, revision=revision)
        self.on_change("machine", arn)

    def machine_delete(self, arn: str) -> None:
        machine = self.machines.get(arn)
        if machine is not None:
            self.machines[arn] = replace(machine, status="DELETING")
            self.on_change("machine", arn)

    def machine_remove(self, arn: str) -> bool:
        machine = self.machines.get(arn)
        if machine is None or machine.status != "DELETING":
            return True
        own = [row for row in self.executions.values() if row.machine_arn == arn and row.map_run is None]
        if any(row.status == "RUNNING" for row in own):
            return False
        used = {row.revision_id for row in own}
        for revision in [each for each in self.revisions.values() if each.machine_arn == arn and each.id not in used]:
            del self.revisions[revision.id]
        del self.machines[arn], self._tags[arn]
        self.on_change("machine", arn)
        return True

    def machine_count(self, arn_prefix: str) -> int:
        return sum(arn.startswith(arn_prefix) for arn in self.machines)

    def machines_deleting(self) -> Sequence[str]:
        return [machine.arn for machine in self.machines.values() if machine.status == "DELETING"]

    def revision_create(self, revision: MachineRevision) -> None:
        self.revisions[revision.id] = revision

    def revision_get(self, revision_id: str) -> MachineRevision | None:
        return self.revisions.get(revision_id)

    def activity_create(self, activity: Activity, tags: Mapping[str, str]) -> None:
        if activity.arn in self.activities:
            raise Conflict(activity.arn)
        self.activities[activity.arn] = activity

    def activity_get(self, arn: str) -> Activity | None:
        return self.activities.get(arn)

    def activity_delete(self, arn: str) -> None:
        self.activities.pop(arn, None)

    def activity_count(self, arn_prefix: str) -> int:
        return sum(arn.startswith(arn_prefix) for arn in self.activities)

    def activity_arns(self) -> Collection[str]:
        return list(self.activities)

    # -- executions ------------------------------------------------------------------------------------------

    def commit(self, commits: Sequence[Commit]) -> None:
        self._check(commits)
        for commit in commits:
            row = commit.execution
            if commit.created:
                self.executions[row.id] = row
                self._by_arn[row.arn] = row.id
                if row.map_run is not None and row.child is not None:
                    self.children[row.map_run][row.child] = row.id
            elif not commit.row_unchanged:
                self.executions[row.id] = changed(self.executions[row.id], row)
            if commit.redrive is not None:
                self.redrive_records.setdefault(row.id, []).append(commit.redrive)
            if commit.entry is not None:
                self.entries.setdefault(row.id, []).append(commit.entry)
        self.on_commit(commits)

    def _check(self, commits: Sequence[Commit]) -> None:
        """Raises Conflict."""
        arns: set[str] = set()
        places: set[tuple[str | None, int | None]] = set()
        ids: set[int] = set()
        for commit in commits:
            row = commit.execution
            if not commit.created:
                if row.id not in ids and row.id not in self.executions:
                    raise Conflict(f"{row.arn} does not exist")
                if commit.redrive is not None:
                    self._check_redrive(row.id)
                continue
            if row.arn in arns or row.arn in self._by_arn:
                raise Conflict(f"{row.arn} is taken")
            if row.map_run is not None:
                taken = self.children.get(row.map_run)
                if taken is None or row.child in taken or (row.map_run, row.child) in places:
                    raise Conflict(f"the map run of {row.arn} is not there, or its place is taken")
            elif row.machine_arn not in self.machines or row.revision_id not in self.revisions:
                raise Conflict(f"the machine of {row.arn} is gone")
            arns.add(row.arn)
            ids.add(row.id)
            places.add((row.map_run, row.child))

    def _check_redrive(self, execution_id: int) -> None:
        row = self.executions[execution_id]
        machine = self.machines.get(row.machine_arn)
        if row.status == "RUNNING" or machine is None or machine.status != "ACTIVE":
            raise Conflict(f"{row.arn} runs, or its machine is going or gone")

    def execution_get(self, arn: str) -> ExecutionRow | None:
        number = self._by_arn.get(arn)
        return None if number is None else self.executions[number]

    def execution_statuses(self, arns: Sequence[str]) -> Mapping[str, tuple[int, ExecutionStatus]]:
        rows = [row for row in map(self.execution_get, arns) if row is not None]
        return {row.arn: (row.id, row.status) for row in rows}

    def execution_list(
        self, where: ExecutionFilter, before: tuple[int, int] | None, limit: int
    ) -> Sequence[ExecutionRow]:
        found = [
            row
            for row in self.executions.values()
            if row.map_run is None
            and row.machine_arn == where.machine_arn
            and where.version in (None, row.version)
            and where.alias in (None, row.alias)
            and where.status in (None, row.status)
            and where.redriven in (None, row.redrives > 0)
        ]
        return _newest_first(found, before, limit)

    def redrives(self, execution_id: int, limit: int) -> Sequence[RedriveRecord]:
        return self.redrive_records.get(execution_id, [])[::-1][:limit]

    def executions_due(
        self, until: int, after: tuple[int, int] | None, limit: int, shards: Collection[int] | None = None
    ) -> Sequence[ExecutionRow]:
        found = [
            replace(row, input="")
            for row in self.executions.values()
            if row.status == "RUNNING" and row.wake is not None and row.wake <= until
            if shards is None or shard_of(row.id) in shards
        ]
        found.sort(key=lambda row: (row.wake, row.id))
        return [row for row in found if (row.wake or 0, row.id) > (after or _EARLIEST)][:limit]

    def executions_open(self) -> int:
        return sum(row.status == "RUNNING" for row in self.executions.values())

    def journal(self, execution_id: int) -> Sequence[JournalEntry]:
        return list(self.entries.get(execution_id, ()))

    def journals(self, execution_ids: Sequence[int], most_bytes: int) -> Mapping[int, Sequence[JournalEntry]]:
        found: dict[int, Sequence[JournalEntry]] = {}
        size = 0
        for number in execution_ids:
            if found and size >= most_bytes:
                break
            found[number] = self.journal(number)
            size += sum(len(entry.events) for entry in found[number])
        return found

    def journal_page(self, execution_id: int, first_event: int, last_event: int) -> Sequence[JournalEntry]:
        return [
            entry
            for entry in self.entries.get(execution_id, ())
            if entry.last_event >= max(first_event, 1) and entry.first_event <= last_event
        ]

    def journal_last_event(self, execution_id: int) -> int:
        return max((entry.last_event for entry in self.entries.get(execution_id, ())), default=0)

    # -- map runs --------------------------------------------------------------------------------------------

    def map_run_create(self, run: MapRun) -> None:
        if run.arn in self.map_runs:
            raise Conflict(run.arn)
        self.map_runs[run.arn] = replace(run, id=len(self.map_runs) + 1)
        self.children[run.arn] = {}

    def map_run_get(self, arn: str) -> MapRun | None:
        return self.map_runs.get(arn)

    def map_run_list(self, execution_id: int, before: int | None, limit: int) -> Sequence[MapRun]:
        found = [run for run in self.map_runs.values() if run.execution_id == execution_id]
        return [run for run in reversed(found) if before is None or run.id < before][:limit]

    def map_runs_running(self) -> Sequence[MapRun]:
        return [run for run in self.map_runs.values() if run.status == "RUNNING"]

    def map_run_configure(
        self, arn: str, concurrency: int | None, tolerated_count: int | None, tolerated_percentage: float | None
    ) -> bool:
        run = self.map_runs.get(arn)
        if run is None or run.status != "RUNNING":
            return False
        changes = {
            "concurrency": concurrency,
            "tolerated_count": tolerated_count,
            "tolerated_percentage": tolerated_percentage,
        }
        self.map_runs[arn] = replace(run, **{name: value for name, value in changes.items() if value is not None})
        self.on_change("map_run", arn)
        return True

    def map_run_end(self, run: MapRun) -> None:
        before = self.map_runs[run.arn]
        if before.status == "RUNNING":
            kept = ("status", "stopped", "items", "children", "error", "cause", "results_written")
            self.map_runs[run.arn] = replace(before, **{name: getattr(run, name) for name in kept})
        if run.redrives:
            for row in self._children_of(run.arn):
                if row.awaits_redrive:
                    self.executions[row.id] = replace(row, wake=None)

    def map_run_redrive(self, run: MapRun) -> None:
        self.map_runs[run.arn] = replace(
            self.map_runs[run.arn],
            status="RUNNING",
            stopped=None,
            error=None,
            cause=None,
            results_written=False,
            redrives=run.redrives,
            redriven=run.redriven,
        )
        for row in self._children_of(run.arn):
            if row.status in ("FAILED", "TIMED_OUT", "ABORTED"):
                self.executions[row.id] = replace(row, wake=0)

    def map_run_note_add(self, arn: str, note: bytes) -> None:
        self._notes.setdefault(arn, []).append(note)

    def map_run_notes(self, arn: str) -> Sequence[bytes]:
        return list(self._notes.get(arn, ()))

    def map_run_counts(self, arn: str) -> Sequence[ChildCount]:
        children: Counter[ExecutionStatus] = Counter()
        items: Counter[ExecutionStatus] = Counter()
        for row in self._children_of(arn):
            children[row.status] += 1
            items[row.status] += row.items or 0
        return [ChildCount(status, count, items[status]) for status, count in children.items()]

    def child_places(self, map_run_arn: str, after: int, limit: int) -> Sequence[ChildPlace]:
        return [
            ChildPlace(row.child or 0, row.items or 0, row.status, row.id, row.awaits_redrive)
            for row in self._behind(map_run_arn, after, limit)
        ]

    def child_results(
        self, map_run_arn: str, statuses: Sequence[ExecutionStatus], after: int, limit: int
    ) -> Sequence[ExecutionRow]:
        return self._behind(map_run_arn, after, limit, lambda row: row.status in statuses)

    def children_to_redrive(self, map_run_arn: str, after: int, limit: int) -> Sequence[ExecutionRow]:
        return self._behind(map_run_arn, after, limit, lambda row: row.awaits_redrive)

    def child_list(
        self,
        map_run_arn: str,
        status: ChildStatus | None,
        redriven: bool | None,
        before: tuple[int, int] | None,
        limit: int,
    ) -> Sequence[ExecutionRow]:
        found = [
            row
            for row in self._children_of(map_run_arn)
            if status in (None, "PENDING_REDRIVE" if row.awaits_redrive else row.status)
            and redriven in (None, row.redrives > 0)
        ]
        return _newest_first(found, before, limit)

    def _children_of(self, map_run_arn: str) -> list[ExecutionRow]:
        """By place."""
        return [self.executions[number] for _, number in sorted(self.children.get(map_run_arn, {}).items())]

    def _behind(
        self, map_run_arn: str, after: int, limit: int, wanted: Callable[[ExecutionRow], bool] = lambda row: True
    ) -> list[ExecutionRow]:
        rows = (row for row in self._children_of(map_run_arn) if (row.child or 0) > after and wanted(row))
        return list(itertools.islice(rows, limit))


def _newest_first(rows: Iterable[ExecutionRow], before: tuple[int, int] | None, limit: int) -> Sequence[ExecutionRow]:
    """As listings show them."""
    found = sorted(rows, key=lambda row: (row.listed, row.id), reverse=True)
    behind = [row for row in found if (row.listed, row.id) < (before or _NEWEST)]
    return [replace(row, input="", output=None) for row in behind[:limit]]


def changed(before: ExecutionRow, row: ExecutionRow) -> ExecutionRow:
    """What a commit changes of an execution that is there."""
    return replace(
        before,
        status=row.status,
        started=before.started if before.map_run is None else row.started,
        stopped=row.stopped,
        output=row.output,
        error=row.error,
        cause=row.cause,
        redrives=row.redrives,
        redriven=row.redriven,
        wake=row.wake,
    )
