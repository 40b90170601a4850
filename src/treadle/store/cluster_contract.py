"""The part of the store's contract that is about several nodes on one database (see `contract.py`).

Executions are divided into shards, and an execution's id names its shard.  A node *holds* a shard as long as the
session has its lock through which the node writes.  So whoever holds a shard is the only one who writes its executions,
and a node that loses its session loses all of its shards in the same moment, whether it knows it or not: what it writes
afterwards does not reach the database.

Nodes talk through the database: *requests*, which are rows and wait for whoever holds their shard, and *notices*, which
are heard by every node that listens at that moment, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from treadle.store.contract import Store

SHARDS = 64
"""Of every database that nodes share. Never to be changed: ids of executions are made with it."""
SHARD_BITS = 48
"""An execution's id is its shard, and a number of so many bits."""


def shard_of(execution_id: int) -> int:
    """Of a database with one node all executions are in shard 0."""
    return execution_id >> SHARD_BITS


class Notice(Struct, frozen=True):
    """Something that nodes tell each other."""

    kind: str
    """A line of the table in `runtime/cluster/news.py`, or the name of a table in which a row was changed."""
    key: str = ""
    """Which one: of a changed row, what it is known by."""
    node: int = 0
    """Whom it is for, or who says it, as the kind has it."""


class Request(Struct, frozen=True):
    """What is asked of the node that holds a shard."""

    id: int
    """Chosen at random by whoever asks."""
    shard: int
    content: bytes


class Survey(Struct, frozen=True):
    """Who is there, and what is held by whom."""

    nodes: Collection[int]
    """Those that take part. One that is about to leave does not, although it may still hold shards."""
    held: Mapping[int, int]
    """Shard to node."""


class Hears(Protocol):
    """What a node wants to be told, in its event loop."""

    def lost(self, reason: str) -> None:
        """The session is gone, and with it all shards. Nothing is written until the node has joined again."""
        ...

    def heard(self, notice: Notice) -> None: ...

    def missed(self) -> None:
        """Notices may have been missed: whatever is remembered of the database may be wrong."""
        ...


class ClusterStore(Protocol):
    """What a store has beside `Store` that nodes share. All may raise StoreUnavailable, `join` StoreUnusable, too."""

    @property
    def store(self) -> Store: ...

    @property
    def node(self) -> int:
        """This node's number: its own in each session."""
        ...

    async def join(self, hears: Hears) -> None:
        """Begin a session, without any shard, and take part in it. Again after it was lost."""
        ...

    async def withdraw(self) -> None:
        """Take part no more: others may take what this node lets go of."""
        ...

    async def survey(self) -> Survey:
        """Asked of the session itself, so that a session which is asked all the time is alive."""
        ...

    async def take(self, shards: Collection[int]) -> Collection[int]:
        """Those of them that this node holds now, because nobody else did. New ids are in them from now on."""
        ...

    def retire(self, shard: int) -> None:
        """No new ids are in it any more. No I/O."""
        ...

    async def let_go(self, shard: int) -> None:
        """Hold it no more, once everything that was written before is on disk."""
        ...

    # -- notices -----------------------------------------------------------------------------------------------

    async def tell(self, notices: Sequence[Notice]) -> None:
        """All nodes, this one among them."""
        ...

    # -- requests ----------------------------------------------------------------------------------------------

    async def ask(self, request: Request) -> None:
        """Keep it until it is answered, and tell the nodes: a notice of the kind `asked`, with shard and id as its
        key (`12:345`)."""
        ...

    async def asked(self, shards: Collection[int], id: int | None = None) -> Sequence[Request]:
        """Those of these shards that have no answer, in the order in which they came; only the one with this `id`."""
        ...

    async def answer(self, request_id: int, answer: bytes) -> None:
        """Answer it, unless it has an answer (`Commit.answers`) or is gone; and tell the nodes: a notice of the kind
        `answered`, with the id as its key."""
        ...

    async def take_answers(self, request_ids: Collection[int]) -> Mapping[int, bytes | None]:
        """The answers that there are to these requests, which are gone then; None for a request that is not there."""
        ...

    async def forget_request(self, request_id: int) -> None:
        """Nobody waits for the answer any more. Idempotent."""
        ...

    async def forget_answers(self, before: int) -> None:
        """Remove what was answered before this time (ms) and nobody has come for."""
        ...
