"""What is delivered, and how an attempt to deliver it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import uuid4

from msgspec import Struct, field

from treadle.store.delivery_contract import Delivery


class Undeliverable(Exception):
    """The target refuses the message, and would refuse it again."""


class NotNow(Exception):
    """The target cannot be reached, or has too much to do: it may take the message later."""


class Attribute(Struct, frozen=True):
    """Of a message to a queue or a topic."""

    value: str
    type: str = "String"


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something for a target. Each kind of target takes of it what it has a place for."""

    id: str = field(default_factory=lambda: str(uuid4()))
    """The same however often it is delivered: the request id of an invocation, the name of an execution, what a FIFO
    queue tells repetitions by."""
    body: str
    """JSON text for functions, machines, buses and buckets; any text for queues and topics."""
    account: str
    """Whose message it is. It counts where an ARN names no account, as of a bucket."""
    region: str
    attributes: Mapping[str, Attribute] = {}
    subject: str | None = None
    group: str | None = None
    """The message group, for FIFO queues and topics; None: a group of its own."""
    source: str = "treadle"
    """For buses: who tells it, what kind of news it is, and which resources it is about."""
    detail_type: str = ""
    resources: Sequence[str] = ()
    key: str = ""
    """For buckets: the name of the object."""
    client_context: str | None = None
    """For functions, as of an invocation."""
    trace_id: str | None = None


class Done(Struct, frozen=True):
    """Delivered, or given up; with it begin the deliveries that follow from it."""

    then: Sequence[Delivery] = ()


class Again(Struct, frozen=True):
    """The attempt counts, and the next one is due then (milliseconds since the epoch)."""

    due: int


class Later(Struct, frozen=True):
    """The target takes nothing for now; the attempt does not count. The next one is made when the target may take
    something again, or at `latest` (milliseconds since the epoch), when the message will be too old."""

    latest: int


Outcome = Done | Again | Later


class Performer(Protocol):
    """Makes attempts."""

    async def attempt(self, delivery: Delivery) -> Outcome:
        """Cancelled when the server stops: then the attempt is made again by the next one."""
        ...
