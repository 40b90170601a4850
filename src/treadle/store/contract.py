"""The store's contract: what the rest of Treadle may ask of a database, in the words of the domain.

The store knows no ASL.  It keeps state machines, executions and their journals, and it answers pages of them; what
it keeps of functions stands in `function_contract.py`.
Implementations (`sqlite/`, `postgres/`) share their tables in `sql/`, and pass one suite, `tests/store/suite.py`.

Rules that every implementation keeps:
- What a returned call wrote is on disk (fsync included): nothing acknowledged is lost.
- `commit` is atomic as a whole, and batches take effect in the order in which they were handed over.
- A journal is append-only. Entries are opaque bytes to the store; it knows the ids of the events in them.
- Data that cannot be trusted (a newer schema, a damaged file) raises StoreUnusable; it is never repaired.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from treadle.store.delivery_contract import DeliveryStore
from treadle.store.event_source_contract import EventSourceStore
from treadle.store.function_contract import FunctionStore
from treadle.store.job_contract import JobStore
from treadle.store.layer_contract import LayerStore
from treadle.store.map_run_contract import MapRunStore

ExecutionStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
MachineStatus = Literal["ACTIVE", "DELETING"]
MachineType = Literal["STANDARD", "EXPRESS"]


class StoreError(Exception):
    """Base of what a store raises."""


class StoreUnusable(StoreError):
    """The database cannot be used (damaged, newer, locked, full, gone). The server stops with this message:
    once raised, every later call raises it too."""


class StoreUnavailable(StoreError):
    """The database cannot be reached at the moment: what was asked may or may not have been done, and can be asked
    again. (Of a database that nodes share; see `cluster_contract.py`.)"""


class Conflict(StoreError):
    """A name is taken, or a row was changed by somebody else since it was read."""


class MachineRevision(Struct, frozen=True, kw_only=True):
    """A state machine as it stood at one revision. Immutable: an execution keeps the one it started with."""

    id: str
    """Unique over all machines (a UUID)."""
    machine_arn: str
    definition: str
    role_arn: str
    logging: str
    """loggingConfiguration, tracingConfiguration, encryptionConfiguration as JSON text."""
    tracing: str
    encryption: str
    created: int
    """Milliseconds since the epoch, as every time in the store."""
    initial: bool
    """The machine's first revision: AWS shows no revisionId of it."""


class Machine(Struct, frozen=True, kw_only=True):
    """A state machine: what never changes, and its current revision."""

    arn: str
    name: str
    type: MachineType
    status: MachineStatus
    created: int
    revision: MachineRevision


class Publication(Struct, frozen=True, kw_only=True):
    """What makes a version of a revision. The store gives it its number."""

    description: str | None
    created: int


class Version(Struct, frozen=True, kw_only=True):
    """A published revision. A machine numbers its versions from 1 and gives no number twice."""

    machine_arn: str
    number: int
    description: str | None
    created: int
    revision: MachineRevision


class Route(Struct, frozen=True):
    """Where an alias leads: to this version, in this many of a hundred starts."""

    version: int
    weight: int


class Alias(Struct, frozen=True, kw_only=True):
    """A name for one or two versions of a machine."""

    machine_arn: str
    name: str
    description: str | None
    created: int
    updated: int
    routes: tuple[Route, ...]


class Activity(Struct, frozen=True, kw_only=True):
    """A kind of task that workers outside poll for."""

    arn: str
    name: str
    encryption: str
    """encryptionConfiguration as JSON text."""
    created: int


class AccessKey(Struct, frozen=True, kw_only=True):
    """What a client signs its requests with."""

    id: str
    secret: str
    account: str
    """Twelve digits: whose resources the client sees."""
    description: str
    created: int
    revoked: int | None = None
    """Since when it is not taken any more. The row stays, so that an id never comes back."""


class ExecutionRow(Struct, frozen=True, kw_only=True):
    """The row of an execution: what listings and DescribeExecution show, and when it must be looked at next.

    Only `status`, `stopped`, `output`, `error`, `cause`, `redrives`, `redriven` and `wake` change once it is
    created, and `started` of an Express child that begins anew; a commit of an execution that exists leaves the
    other columns as they are, whatever it holds in them.
    """

    id: int
    arn: str
    name: str
    machine_arn: str
    revision_id: str
    status: ExecutionStatus
    started: int
    stopped: int | None = None
    input: str
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    trace_header: str | None = None
    version: int | None = None
    """The version that the caller started, or that the alias led to."""
    alias: str | None = None
    """The name of the alias that the caller started."""
    redrives: int = 0
    """How often it was redriven."""
    redriven: int | None = None
    """When it was last."""
    wake: int | None = None
    """When a RUNNING execution must be looked at again (its earliest timer); 0: at once after a restart,
    because tasks are in flight; None: only a signal moves it. Of one that has ended it is None, unless it awaits its
    redrive."""
    map_run: str | None = None
    """Of a child: the ARN of the map run that started it, its place in it, and how many items it works on."""
    child: int | None = None
    items: int | None = None

    @property
    def awaits_redrive(self) -> bool:
        """A child of a map run that is redriven: it has ended without success, and is to run again."""
        return self.status != "RUNNING" and self.wake is not None

    @property
    def listed(self) -> int:
        """Where it stands in a listing: by its end or, while it runs, by its last beginning (as on AWS)."""
        if self.stopped is not None:
            return self.stopped
        return self.started if self.redriven is None else self.redriven


class RedriveRecord(Struct, frozen=True):
    """One redrive of an execution."""

    client_token: str
    """What its caller named it, so that a request which comes again is told from a new one."""
    redriven: int


class JournalEntry(Struct, frozen=True):
    """The history events of one commit of one execution, encoded. One row."""

    first_event: int
    """Ids of the first and last history event in it (0 and 0 if it holds only notes)."""
    last_event: int
    events: bytes


class Commit(Struct, frozen=True, kw_only=True):
    """What one execution's advance changed."""

    execution: ExecutionRow
    """The row as it stands now. `created` says whether it is a new one."""
    created: bool = False
    row_unchanged: bool = False
    """The row is as it was committed last, and need not be written again: most steps only add to the journal."""
    entry: JournalEntry | None = None
    redrive: RedriveRecord | None = None
    """With it, an execution that had ended begins again; its number is the row's `redrives`."""
    answers: tuple[tuple[int, bytes], ...] = ()
    """Ids of requests of other nodes (`cluster_contract.py`) that it carries out, and what they are answered."""


class ExecutionFilter(Struct, frozen=True, kw_only=True):
    machine_arn: str
    version: int | None = None
    """Only those that were started by this version, or by this alias; not both."""
    alias: str | None = None
    status: ExecutionStatus | None = None
    redriven: bool | None = None
    """Only those that were redriven, or only those that never were."""


class Store(FunctionStore, LayerStore, MapRunStore, EventSourceStore, JobStore, DeliveryStore, Protocol):
    """All methods may raise StoreUnusable."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def full(self) -> bool:
        """Whether the disk is full: what is to be written waits until there is room, and nothing else can be done
        about it here. Whoever can be asked to come again should be."""
        ...

    def hurry(self) -> None:
        """The store is about to be closed: a full disk is not waited for any more, but makes it unusable."""
        ...

    async def secret(self) -> bytes:
        """32 random bytes that belong to this database: they sign page tokens and task tokens."""
        ...

    # -- state machines ------------------------------------------------------------------------------------

    async def machine_create(
        self, machine: Machine, tags: Mapping[str, str], publish: Publication | None = None
    ) -> None:
        """Create it, with its first revision and, if `publish`, its version 1. Raises Conflict if the ARN is
        taken."""
        ...

    async def machine_get(self, arn: str) -> Machine | None: ...

    async def machine_update(
        self, arn: str, revision: MachineRevision, publish: Publication | None = None
    ) -> int | None:
        """Make `revision` the current one, and publish it; the number of that version. Raises Conflict if there
        is no such machine, or it is DELETING."""
        ...

    async def machine_delete(self, arn: str) -> None:
        """Make it DELETING. Idempotent."""
        ...

    async def machine_remove(self, arn: str) -> bool:
        """Remove a machine that is DELETING, with its tags, versions and aliases, unless executions of it are
        RUNNING. Revisions that executions refer to stay. False if it has to wait."""
        ...

    async def machine_list(self, arn_prefix: str, after: str | None, limit: int) -> Sequence[Machine]:
        """Machines whose ARN starts with `arn_prefix` (one account and region), those behind the ARN `after`,
        at most `limit`, ordered by ARN, by code point (recorded: list_sms_pagination)."""
        ...

    async def machine_count(self, arn_prefix: str) -> int:
        """How many machines have an ARN that starts with `arn_prefix`."""
        ...

    async def machines_deleting(self) -> Sequence[str]:
        """The ARNs of all machines that are DELETING."""
        ...

    async def machine_tags(self, arn: str) -> Mapping[str, str]:
        """By key, in the order of the keys."""
        ...

    async def machine_tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags, and replace those with the same keys. Raises Conflict if there is no such machine."""
        ...

    async def machine_untag(self, arn: str, keys: Collection[str]) -> None:
        """Remove the tags that there are among these. Idempotent."""
        ...

    async def revision_create(self, revision: MachineRevision) -> None:
        """Keep a revision that never was its machine's current one, for an execution that is about to start."""
        ...

    async def revision_get(self, revision_id: str) -> MachineRevision | None: ...

    # -- versions and aliases --------------------------------------------------------------------------------

    async def version_publish(self, arn: str, revision_id: str, publish: Publication) -> int:
        """Publish the machine's current revision; the number of the version. Raises Conflict if `revision_id` is
        not the current one, or has a version, or if there is no such machine or it is DELETING."""
        ...

    async def version_get(self, machine_arn: str, number: int) -> Version | None: ...

    async def version_of(self, revision_id: str) -> Version | None:
        """The version of this revision: there is at most one."""
        ...

    async def version_list(self, machine_arn: str, before: int | None, limit: int) -> Sequence[Version]:
        """Newest first, those with a smaller number than `before`, at most `limit`."""
        ...

    async def version_count(self, machine_arn: str) -> int: ...

    async def version_delete(self, machine_arn: str, number: int) -> None:
        """Idempotent. Raises Conflict if an alias leads to it."""
        ...

    async def alias_create(self, alias: Alias) -> None:
        """Raises Conflict if the name is taken, or a version that it leads to does not exist."""
        ...

    async def alias_get(self, machine_arn: str, name: str) -> Alias | None: ...

    async def alias_update(self, alias: Alias) -> None:
        """Raises Conflict if there is no such alias, or a version that it leads to does not exist."""
        ...

    async def alias_delete(self, machine_arn: str, name: str) -> bool:
        """Whether there was one."""
        ...

    async def alias_list(self, machine_arn: str, version: int | None, after: str | None, limit: int) -> Sequence[Alias]:
        """Those of the machine, or those that lead to this version of it, behind the name `after`, at most
        `limit`, ordered by name, by code point."""
        ...

    async def alias_count(self, machine_arn: str) -> int: ...

    # -- activities ----------------------------------------------------------------------------------------

    async def activity_create(self, activity: Activity, tags: Mapping[str, str]) -> None:
        """Raises Conflict if the ARN is taken."""
        ...

    async def activity_get(self, arn: str) -> Activity | None: ...

    async def activity_delete(self, arn: str) -> None:
        """With its tags. Idempotent."""
        ...

    async def activity_list(self, arn_prefix: str, after: str | None, limit: int) -> Sequence[Activity]:
        """Those whose ARN starts with `arn_prefix` and that stand behind the ARN `after`, at most `limit`, ordered
        by ARN, by code point."""
        ...

    async def activity_count(self, arn_prefix: str) -> int:
        """How many activities have an ARN that starts with `arn_prefix`."""
        ...

    async def activity_arns(self) -> Collection[str]:
        """The ARNs of all activities."""
        ...

    async def activity_tags(self, arn: str) -> Mapping[str, str]:
        """By key, in the order of the keys."""
        ...

    async def activity_tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags, and replace those with the same keys. Raises Conflict if there is no such activity."""
        ...

    async def activity_untag(self, arn: str, keys: Collection[str]) -> None:
        """Remove the tags that there are among these. Idempotent."""
        ...

    # -- access keys ---------------------------------------------------------------------------------------

    async def access_key_create(self, key: AccessKey) -> None:
        """Raises Conflict if the id is taken."""
        ...

    async def access_key_list(self) -> Sequence[AccessKey]:
        """All, revoked ones included, oldest first."""
        ...

    async def access_key_revoke(self, key_id: str, now: int) -> None:
        """Idempotent; the first time counts."""
        ...

    # -- executions ----------------------------------------------------------------------------------------

    def execution_id(self, beside: int | None = None) -> int:
        """A new id, larger than all before of its shard: that of the execution `beside`, or one that this node holds.
        No I/O. Raises StoreUnavailable if it holds none."""
        ...

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Write all of it in one transaction, durably. Raises Conflict (and writes nothing) if a created
        execution's ARN is taken or its machine is gone, if a created child's place is taken or its map run is not
        there, if one that is not created does not exist, or if one that is redriven is RUNNING or its machine
        DELETING or gone. One execution may stand in a batch several times: its last row wins, its entries keep
        their order."""
        ...

    async def execution_get(self, arn: str) -> ExecutionRow | None: ...

    async def execution_statuses(self, arns: Sequence[str]) -> Mapping[str, tuple[int, ExecutionStatus]]:
        """The id and the status of those of these executions that there are, by ARN."""
        ...

    async def execution_list(
        self, where: ExecutionFilter, before: tuple[int, int] | None, limit: int
    ) -> Sequence[ExecutionRow]:
        """Newest first by (listed, id), those older than `before`, at most `limit`. `input` and `output` are
        left empty: a listing does not show them."""
        ...

    async def redrives(self, execution_id: int, limit: int) -> Sequence[RedriveRecord]:
        """The last redrives of an execution, newest first, at most `limit`."""
        ...

    async def executions_due(
        self, until: int, after: tuple[int, int] | None, limit: int, shards: Collection[int] | None = None
    ) -> Sequence[ExecutionRow]:
        """RUNNING executions with `wake` <= `until`, longest due first by (wake, id), those behind `after`,
        at most `limit`, of these shards (None: of all). `input` is left empty: an execution goes on from its
        journal."""
        ...

    async def executions_open(self) -> int:
        """How many executions are RUNNING."""
        ...

    async def journal(self, execution_id: int) -> Sequence[JournalEntry]:
        """The whole journal, in order: what the fold reads."""
        ...

    async def journals(self, execution_ids: Sequence[int], most_bytes: int) -> Mapping[int, Sequence[JournalEntry]]:
        """The whole journals of the first of these executions: of as many, but at least one, as have less than
        `most_bytes` of events before the last of them."""
        ...

    async def journal_page(self, execution_id: int, first_event: int, last_event: int) -> Sequence[JournalEntry]:
        """The entries that hold any event with an id from `first_event` to `last_event`, in order."""
        ...

    async def journal_last_event(self, execution_id: int) -> int:
        """The id of the execution's last history event, 0 if it has none: where a reverse page begins."""
        ...

    # -- retention -----------------------------------------------------------------------------------------

    async def executions_expired(self, before: int, limit: int) -> Sequence[int]:
        """Ids of executions that ended before this time, at most `limit`, in any order; not those of which a map run
        is RUNNING, and no children: these go with the map run."""
        ...

    async def executions_remove(self, ids: Collection[int], before: int) -> None:
        """Remove those of these executions that `executions_expired` would still name. They are not there any more,
        and their ARNs can be taken again; their ids are never given again."""
        ...

    async def remains_remove(self, limit: int) -> bool:
        """Remove about `limit` rows, at most, of what removed executions left behind: their journals, their map runs
        and the children of these, and revisions that nothing was started with any more and whose machine is gone.
        Whether there is more."""
        ...
